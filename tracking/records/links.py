"""Short links of ad material: an address of few letters that leads on to a page, with the campaign's tags."""

import re
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from tracking.errors import Conflict, Invalid, NotFound
from tracking.records import referrers, visits
from tracking.records.sources import UTM, tag
from tracking.storage.models import AdMaterial, LinkCount, ShortLink
from tracking.storage.vocabulary import Medium

PATH = "/l"
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that are taken for one another on paper."""
_LENGTH = 6
_LONGEST = 2000
_SAFE = "!$%&'()*+,-./:;=?@_~[]"
_MEDIA = {
    Medium.print: "print",
    Medium.fair: "trade show",
    Medium.email: "email",
    Medium.online: "link",
    Medium.other: "link",
}

BOT = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|preview|externalhit|embedly|monitor|scan|curl|wget|python|java/|okhttp"
    r"|go-http|libwww|headless|phantom|lighthouse|whatsapp|skype|telegram|linkcheck|validator|feed",
    re.IGNORECASE,
)
"""What programs that follow links call themselves: search engines, previews of messengers, mail scanners."""


@dataclass(frozen=True, slots=True)
class Followed:
    """How often a link was followed: by people, and by programs."""

    people: int = 0
    bots: int = 0


def is_bot(user_agent: str) -> bool:
    """Tell whether a program says what it is, or nothing at all; a browser always names itself."""
    return not user_agent.strip() or BOT.search(user_agent) is not None


def add(
    session: Session,
    material: AdMaterial,
    target: str,
    *,
    at: datetime,
    by: str,
    slug: str | None = None,
    tags: Mapping[str, str | None] | None = None,
    expires_on: date | None = None,
) -> ShortLink:
    """Add a short link to ad material; without ``slug`` it gets six letters, without tags the campaign's."""
    chosen = _slug(slug) if slug and slug.strip() else _free(session)
    if slug and session.scalar(select(ShortLink.id).where(ShortLink.slug == chosen)) is not None:
        raise Conflict("the short link %(slug)s is in use; choose another name", slug=chosen)
    row = ShortLink(
        slug=chosen,
        ad_material=material,
        target=checked(target),
        created_at=at,
        created_by=by,
        expires_on=expires_on,
        **{name: value or _usual(material)[name] for name, value in _tags(tags or {}).items()},
    )
    session.add(row)
    session.flush()
    return row


def change(session: Session, row: ShortLink, **details: Any) -> None:
    """Change where a link leads, its tags or its last day; what is printed, the slug, stays."""
    if "target" in details:
        row.target = checked(details["target"])
    if "expires_on" in details:
        row.expires_on = details["expires_on"]
    for name in UTM:
        if name in details:
            setattr(row, name, tag(details[name]))
    session.flush()


def get(session: Session, slug: str) -> ShortLink:
    """Return the link of this slug."""
    row = session.scalar(select(ShortLink).where(ShortLink.slug == slug.strip().casefold()))
    if row is None:
        raise NotFound("short link %(slug)s not found", slug=slug)
    return row


def of_campaign(session: Session, campaign_id: int) -> list[ShortLink]:
    """Return the links of a campaign's material, the newest first."""
    found = select(ShortLink).join(AdMaterial).where(AdMaterial.campaign_id == campaign_id)
    return list(
        session.scalars(found.options(joinedload(ShortLink.ad_material)).order_by(ShortLink.id.desc()))
    )


def of_material(session: Session, material_id: int, day: date) -> ShortLink | None:
    """Return the newest link of a piece of material that leads on that day, for its sheet and code."""
    found = select(ShortLink).where(ShortLink.ad_material_id == material_id).order_by(ShortLink.id.desc())
    return next((row for row in session.scalars(found) if leads(row, day)), None)


def leads(row: ShortLink, day: date) -> bool:
    """Tell whether a link leads on, on that day."""
    return row.expires_on is None or day <= row.expires_on


def address(row: ShortLink) -> str:
    """Return where a link leads: its target with the tags that the target does not have itself."""
    parts = urlsplit(row.target)
    had = {name.casefold() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    more = [(name, value) for name in UTM if (value := getattr(row, name)) and name not in had]
    query = "&".join(filter(None, (parts.query, urlencode(more, quote_via=quote))))
    return urlunsplit(parts._replace(query=query))


def checked(target: str) -> str:
    """Return an address as it is kept and sent to browsers: absolute, of the web, in ASCII.

    Raises
    ------
    Invalid
        If it is no web address, or names a user, as addresses do that shall look like another's.
    """
    text = target.strip()
    if len(text) > _LONGEST:
        raise _too_long(len(text))
    parts = referrers.address(text) if not re.search(r"[\x00-\x20\x7f\\]", text) else None
    if parts is None or parts.scheme.lower() not in ("http", "https") or not referrers.host(parts):
        raise Invalid("target", "not a web address; enter one such as https://www.example.com/pumps")
    if "@" in parts.netloc:
        raise Invalid("target", "contains a user name; enter the address without it")
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise Invalid(
            "target", "not a web address; enter one such as https://www.example.com/pumps"
        ) from None
    host = (parts.hostname or "").rstrip(".")
    netloc = f"[{host}]" if ":" in host else host.encode("idna").decode() if not host.isascii() else host
    path, query, fragment = (quote(part, safe=_SAFE) for part in (parts.path, parts.query, parts.fragment))
    found = urlunsplit((parts.scheme.lower(), netloc + port, path, query, fragment))
    if len(found) > _LONGEST:
        raise _too_long(len(found))
    return found


def _too_long(length: int) -> Invalid:
    return Invalid(
        "target", "must be %(most)s characters or fewer (now %(length)s)", most=_LONGEST, length=length
    )


def _slug(text: str) -> str:
    slug = text.strip().casefold()
    if not _SLUG.fullmatch(slug):
        raise Invalid("slug", "must be up to 60 letters a to z, digits and hyphens, such as pumps-2026")
    return slug


def _free(session: Session) -> str:
    while True:
        slug = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
        if session.scalar(select(ShortLink.id).where(ShortLink.slug == slug)) is None:
            return slug


def _tags(tags: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name: tag(tags.get(name)) for name in UTM}


def _usual(material: AdMaterial) -> dict[str, str | None]:
    """Return the tags of a link that names none: those of its campaign, else what carries it and its name."""
    campaign = material.campaign
    usual = {
        "utm_source": tag(material.name),
        "utm_medium": _MEDIA[material.medium],
        "utm_campaign": campaign.name,
    }
    return {name: tag(getattr(campaign, name)) or usual[name] for name in UTM}


# --- How often they are followed ---------------------------------------------------------------------------

Counts = Counter[tuple[int, date, bool]]
"""By link, day, and whether it was a program."""


def count(session: Session, counts: Mapping[tuple[int, date, bool], int]) -> None:
    """Add how often links were followed; people count as visits of their campaign in that day."""
    by_campaign: Counter[tuple[date, int]] = Counter()
    # In one order, so that two processes do not wait for one another.
    for (link_id, day, bots), number in sorted(counts.items()):
        row = session.get(ShortLink, link_id)
        if row is None:
            continue
        place = {"link_id": link_id, "day": day, "bots": bots}
        visits.add_up(session, LinkCount, place, {"visits": number})
        if not bots:
            by_campaign[day, row.ad_material.campaign_id] += number
    for (day, campaign_id), number in sorted(by_campaign.items()):
        visits.add_followed(session, day, campaign_id, number)


def followed(session: Session, ids: list[int]) -> dict[int, Followed]:
    """Return how often each of some links was followed, ever."""
    found = (
        select(LinkCount.link_id, LinkCount.bots, func.sum(LinkCount.visits))
        .where(LinkCount.link_id.in_(ids))
        .group_by(LinkCount.link_id, LinkCount.bots)
    )
    sums = {(link_id, bots): int(number) for link_id, bots, number in session.execute(found)}
    return {number: Followed(sums.get((number, False), 0), sums.get((number, True), 0)) for number in ids}
