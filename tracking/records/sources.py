"""Where a visit came from, by rule: the tags of the landing page, then the referrer, then nothing at all.

Tags are matched with campaigns by a table of rules: what a campaign says of itself, and what people have
added. What fits two campaigns equally well is said to, and none is chosen.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking.errors import Invalid
from tracking.language import channels
from tracking.records import referrers
from tracking.storage.models import Campaign, SourceRule
from tracking.storage.names import visible

UTM = ("utm_source", "utm_medium", "utm_campaign")
CLICK_IDS: Mapping[str, str] = {
    "gclid": channels.PAID_SEARCH,
    "gbraid": channels.PAID_SEARCH,
    "wbraid": channels.PAID_SEARCH,
    "msclkid": channels.PAID_SEARCH,
    "yclid": channels.PAID_SEARCH,
    "li_fat_id": channels.PAID_SOCIAL,
    "ttclid": channels.PAID_SOCIAL,
    "ctwa_clid": channels.PAID_SOCIAL,
    # Facebook marks every link that leaves it, paid for or not.
    "fbclid": channels.ORGANIC_SOCIAL,
}
"""What advertising systems add to an address to know the click again, and the channel that it tells."""
OWN_TAG = "rt"
_LONGEST_ID = 500
_LONGEST_TAG = 200
_EMPTY = frozenset(
    {"", "-", "(not set)", "not set", "null", "undefined", "none", "(none)", "n/a", "(not provided)"}
)
_PAID = re.compile(r"(?:.*cp.*|ppc|retargeting|paid.*)")
"""Media that are paid for, as Google Analytics tells them."""
_Tags: TypeAlias = tuple[str, str, str]


def tag(text: str | None) -> str | None:
    """Return the value of a tag as it is kept: readable; None where it says nothing."""
    value = text or ""
    for _ in range(2):
        # Systems that pass addresses on encode what is encoded already.
        value = unquote(value.replace("+", " ")) if "%" in value else value.replace("+", " ")
    value = " ".join(visible(value.replace("\ufffd", "")).split())[:_LONGEST_TAG]
    # A placeholder that no advertising system has filled: {campaignid}, {{campaign.name}}.
    return None if value.casefold() in _EMPTY or re.fullmatch(r"\{.*\}|\[.*\]", value) else value


def fold(value: str | None) -> str:
    """Return the value of a tag as it is compared."""
    return " ".join(unicodedata.normalize("NFKC", tag(value) or "").casefold().split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a visit brought along; a referrer that is None was not recorded, an empty one was not there."""

    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    own_tag: str | None = None
    click_ids: Mapping[str, str] = field(default_factory=dict)
    landing_page: str | None = None
    """Host and path, without the query."""
    referrer: str | None = None
    contradicts: tuple[str, ...] = ()
    """Tags that the address gives twice, each time another value."""

    @classmethod
    def of_tags(cls, tags: Mapping[str, str | None]) -> "Trace":
        """Return a trace that holds UTM tags and nothing else."""
        source, medium, campaign = (tags.get(name) for name in UTM)
        return cls(utm_source=source, utm_medium=medium, utm_campaign=campaign)

    @property
    def tagged(self) -> bool:
        """Tell whether a tag says whose visit it is."""
        return any((self.utm_source, self.utm_medium, self.utm_campaign, self.own_tag))

    def __bool__(self) -> bool:
        """Tell whether there is anything to go by."""
        return self.tagged or bool(self.click_ids or self.landing_page or self.referrer)


def trace(
    landing: str | None = None,
    referrer: str | None = None,
    *,
    told: Mapping[str, str | None] | None = None,
) -> Trace:
    """Read a landing page's address and a referrer; what is ``told`` beside them counts more.

    Raises
    ------
    Invalid
        If an address is none, or a click id too long to be one.
    """
    given: dict[str, list[str]] = {}
    page = None
    if landing and landing.strip():
        found = referrers.address(landing)
        if found is None or (found.netloc and not referrers.host(found)):
            raise Invalid(
                "landing_page", "not a web address; write it as https://www.example.com/page?utm_source=…"
            )
        for part in (found.query, found.fragment.rpartition("?")[2]):
            for name, value in parse_qsl(part.replace("&amp;", "&"), errors="ignore"):
                given.setdefault(unquote(name).strip().casefold(), []).append(value)
        page = f"{referrers.host(found)}{found.path}"[:1000] or None
    if referrer and referrer.strip() and not referrers.host(referrers.address(referrer)):
        raise Invalid("referrer", "not a web address; write it as https://www.example.com, or leave it empty")
    values: dict[str, str | None] = {}
    twice = []
    for name in (*UTM, OWN_TAG):
        known = [value for value in map(tag, given.get(name, ())) if value]
        if len({fold(value) for value in known}) > 1 and not tag((told or {}).get(name)):
            twice.append(name)
        values[name] = tag((told or {}).get(name)) or next(iter(known), None)
    ids = {}
    for name in CLICK_IDS:
        value = ((told or {}).get(name) or next(filter(str.strip, given.get(name, ())), "")).strip()
        if len(value) > _LONGEST_ID:
            raise Invalid(
                name,
                "must be %(most)s characters or fewer (now %(length)s)",
                most=_LONGEST_ID,
                length=len(value),
            )
        if value and value.casefold() not in _EMPTY and not value.startswith("{"):
            ids[name] = value
    return Trace(
        utm_source=values["utm_source"],
        utm_medium=values["utm_medium"],
        utm_campaign=values["utm_campaign"],
        own_tag=values[OWN_TAG],
        click_ids=ids,
        landing_page=page,
        referrer=None if referrer is None else referrer.strip(),
        contradicts=tuple(twice),
    )


def channel_of(seen: Trace) -> tuple[str | None, str]:
    """Return the channel of a visit, and the name of the rule that tells it."""
    source = referrers.named(seen.utm_source) if seen.utm_source else None
    if seen.utm_medium:
        social = source is not None and source.channel == channels.ORGANIC_SOCIAL
        if social and _PAID.fullmatch(fold(seen.utm_medium)):
            return channels.PAID_SOCIAL, "utm_medium"
        if (known := channels.online(seen.utm_medium)) is not None:
            return known, "utm_medium"
    if seen.click_ids:
        return CLICK_IDS[next(iter(seen.click_ids))], next(iter(seen.click_ids))
    if seen.utm_source and (known := source.channel if source else channels.online(seen.utm_source)):
        return known, "utm_source"
    if seen.tagged:
        return channels.OTHER, "tags"
    if seen.referrer:
        return _by_referrer(seen.referrer, seen.landing_page or "")
    if seen.referrer == "" and seen.landing_page:
        return channels.DIRECT, "direct"
    return None, "none"


def _by_referrer(referrer: str, landing: str) -> tuple[str | None, str]:
    came, here = referrers.host(referrers.address(referrer)), landing.partition("/")[0]
    if here and (came == here or came.endswith(f".{here}") or here.endswith(f".{came}")):
        # From page to page: where the visit began is not known.
        return None, "own site"
    found = referrers.site(referrer)
    return (found.channel if found else channels.LINK), "referrer"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a visit came from, and by which rule."""

    campaign: Campaign | None
    channel: str | None
    medium: str | None
    click_ids: Mapping[str, str]
    rule: str
    candidates: tuple[str, ...] = ()
    """The campaigns that fit equally well, where there are several; none of them is chosen."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Tags that are a campaign's; one that is None may be anything."""

    campaign: Campaign
    tags: tuple[str, ...]
    """As compared, in the order of :data:`UTM`; empty where it may be anything."""
    explicit: bool

    def fit(self, tags: Sequence[str]) -> tuple[int, bool] | None:
        """Return how well some tags fit, most first; None where they do not.

        A tag that a visit does not tell contradicts nothing, as long as its campaign is told and fits.
        """
        weight = 0
        for own, seen, counts in zip(self.tags, tags, (2, 1, 4), strict=True):
            if own and own == seen:
                weight += counts
            elif own and (seen or self.tags[2] != tags[2] or not tags[2]):
                return None
        return (weight, self.explicit) if weight else None


class Sources:
    """The campaigns of a database as tags name them."""

    def __init__(self, session: Session) -> None:
        self.rules: list[Rule] = []
        self._by_id: dict[str, Campaign] = {}
        for campaign in session.scalars(select(Campaign).order_by(Campaign.id)):
            self._by_id[str(campaign.id)] = campaign
            own = tuple(fold(getattr(campaign, name)) for name in UTM)
            named = (*own[:2], fold(campaign.name))
            self.rules += [Rule(campaign, tags, False) for tags in dict.fromkeys((own, named)) if any(tags)]
        for row, campaign in session.execute(
            select(SourceRule, Campaign).join(Campaign, Campaign.id == SourceRule.campaign_id)
        ):
            self.rules.append(Rule(campaign, tuple(fold(getattr(row, name)) for name in UTM), True))
        self._found: dict[_Tags, tuple[Campaign, ...]] = {}

    def campaigns(self, tags: Mapping[str, str | None]) -> tuple[Campaign, ...]:
        """Return the campaigns that some tags name equally well: one, none, or several."""
        source, medium, campaign = (fold(tags.get(name)) for name in UTM)
        key = (source, medium, campaign)
        if key not in self._found:
            fits = [(fit, rule.campaign) for rule in self.rules if (fit := rule.fit(key)) is not None]
            best = max((fit for fit, _ in fits), default=None)
            self._found[key] = tuple(dict.fromkeys(campaign for fit, campaign in fits if fit == best))
        return self._found[key]

    def called(self, name: str) -> Campaign | None:
        """Return the one campaign whose UTM fields or rules, not whose name, say that it is tagged so."""
        wanted = fold(name)
        found = {
            rule.campaign.id: rule.campaign
            for rule in self.rules
            if wanted
            and rule.tags[2] == wanted
            and (rule.explicit or fold(rule.campaign.utm_campaign) == wanted)
        }
        return next(iter(found.values())) if len(found) == 1 else None

    def of(self, seen: Trace) -> Source:
        """Return where a visit came from."""
        channel, rule = channel_of(seen)
        found: tuple[Campaign, ...] = ()
        if seen.own_tag and OWN_TAG not in seen.contradicts:
            own = self._by_id.get(seen.own_tag)
            found = (own,) if own else self.campaigns({"utm_campaign": seen.own_tag})
        if not found and not seen.contradicts:
            found = self.campaigns({name: getattr(seen, name) for name in UTM})
        medium = seen.utm_medium or _MEDIUM.get(channel or "")
        campaign = found[0] if len(found) == 1 else None
        return Source(
            campaign,
            campaign.channel if campaign else channel,
            medium,
            seen.click_ids,
            "campaign" if campaign else rule,
            tuple(each.name for each in found) if len(found) > 1 else (),
        )


_MEDIUM = {
    channels.PAID_SEARCH: "cpc",
    channels.PAID_SOCIAL: "paid social",
    channels.ORGANIC_SEARCH: "organic",
    channels.ORGANIC_SOCIAL: "social",
    channels.AI: "referral",
    channels.LINK: "referral",
}
"""What a visit's medium is called where no tag says it."""


def add_rule(
    session: Session, campaign: Campaign, tags: Mapping[str, str | None], *, at: datetime
) -> SourceRule:
    """Let visits with these tags be a campaign's; the same tags again move to the campaign told last."""
    kept = {name: fold(tags.get(name)) for name in UTM}
    if not any(kept.values()):
        raise Invalid("utm_campaign", "enter at least one of utm_source, utm_medium and utm_campaign")
    row = session.scalar(select(SourceRule).filter_by(**kept))
    if row is None:
        row = SourceRule(campaign_id=campaign.id, created_at=at, **kept)
        session.add(row)
    row.campaign_id = campaign.id
    session.flush()
    return row
