"""Where did you hear about us?: asked or not, answered or declined, each time a row of its own."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from tracking.errors import Conflict, Invalid
from tracking.models import Answer, Call, Campaign, Contact, Touch
from tracking.names import required
from tracking.vocabulary import Outcome

LONGEST_VERBATIM = 2000

# Control and format characters and halves of characters can break a database, a terminal or the order of
# a line; the two joiners are part of how Persian, Hindi and emoji are spelt.
_UNSEEN = frozenset({"Cc", "Cf", "Cs"})
_KEPT = frozenset("\n\t\u200c\u200d")


def log(
    session: Session,
    outcome: Outcome,
    *,
    asked_at: datetime,
    asked_by: str | None = None,
    call: Call | None = None,
    contact: Contact | None = None,
    campaign: Campaign | None = None,
    channel: str | None = None,
    verbatim: str | None = None,
    source_key: str | None = None,
) -> Answer:
    """Write down what came of asking; a second entry for a call corrects the first and keeps it.

    What comes again with the same ``source_key`` changes nothing. The caller's own words go into
    ``verbatim``, what they were taken to mean into ``campaign`` or ``channel``. The tracked source of the
    call stays as it is, whatever is answered.
    """
    if call is None and contact is None:
        raise Invalid("call", "an answer belongs to a call or a contact; name one")
    if asked_at.tzinfo is None:
        raise Invalid("asked_at", f"{asked_at.isoformat()} names no time zone; give an offset")
    channel, asked_by = _name(channel, "channel"), _name(asked_by, "asked_by")
    if outcome is not Outcome.answered and (campaign is not None or channel is not None):
        raise Invalid(
            "outcome", f"{outcome} names no source; leave campaign and channel out, or say answered"
        )
    words = _clean(verbatim or "") or None
    if outcome is Outcome.answered and not (words or campaign or channel):
        raise Invalid("verbatim", "an answer needs the caller's words, a campaign or a channel")
    if source_key and (same := session.scalar(select(Answer).where(Answer.source_key == source_key))):
        return same
    earlier = standing(session, call) if call is not None else None
    person = call.contact if call is not None else contact
    answer = Answer(
        contact=person,
        call=call,
        asked_at=asked_at,
        asked_by=asked_by,
        outcome=outcome,
        campaign=campaign,
        channel=channel,
        verbatim=words,
        corrects_id=earlier.id if earlier else None,
        source_key=source_key,
    )
    session.add(answer)
    session.flush()
    return answer


@dataclass(frozen=True, slots=True)
class Source:
    """What a caller may name: a campaign, or a channel that no campaign stands for."""

    label: str
    campaign: Campaign | None = None
    channel: str | None = None


def commonest(session: Session, *, since: datetime, limit: int = 9) -> list[Source]:
    """Return what callers have named most often since a moment, then what they are most likely to name.

    The likely are campaigns by how many calls came through their numbers, so that a new installation has
    something to choose from too.
    """
    named: list[Source] = []
    count = func.count(Answer.id)
    told = (
        select(Answer.campaign_id, Answer.channel)
        .where(
            Answer.asked_at >= since,
            Answer.outcome == Outcome.answered,
            or_(Answer.campaign_id.is_not(None), Answer.channel.is_not(None)),
        )
        .group_by(Answer.campaign_id, Answer.channel)
        .order_by(count.desc(), Answer.campaign_id, Answer.channel)
        .limit(limit)
    )
    for campaign_id, channel in session.execute(told).all():
        campaign = session.get(Campaign, campaign_id) if campaign_id is not None else None
        label = campaign.name if campaign else channel or ""
        named.append(Source(label, campaign, None if campaign else channel))
    if len(named) < limit:
        had = [source.campaign.id for source in named if source.campaign]
        rings = (
            select(Touch.campaign_id, func.count(Touch.id).label("calls"))
            .where(Touch.occurred_at >= since, Touch.campaign_id.is_not(None))
            .group_by(Touch.campaign_id)
            .subquery()
        )
        likely = (
            select(Campaign)
            .outerjoin(rings, rings.c.campaign_id == Campaign.id)
            .where(Campaign.id.not_in(had))
            .order_by(func.coalesce(rings.c.calls, 0).desc(), Campaign.name)
            .limit(limit - len(named))
        )
        named += [Source(campaign.name, campaign) for campaign in session.scalars(likely)]
    return named


def understand(session: Session, words: str) -> Source | None:
    """Return the campaign or channel that has this name, whatever its capitals; None where none has."""
    wanted = words.strip()
    if not wanted:
        return None
    # Databases fold the case of some alphabets only; there are few enough campaigns to compare them here.
    campaigns = session.scalars(select(Campaign).order_by(Campaign.id)).all()
    for campaign in campaigns:
        if campaign.name.casefold() == wanted.casefold():
            return Source(campaign.name, campaign)
    for campaign in campaigns:
        if campaign.channel.casefold() == wanted.casefold():
            return Source(campaign.channel, channel=campaign.channel)
    return None


@dataclass(frozen=True, slots=True)
class Asking:
    """How often one rep asked."""

    rep: str | None
    asked: int
    logged: int

    @property
    def rate(self) -> float:
        """Return asked / logged."""
        return self.asked / self.logged


def asking(session: Session, *, since: datetime) -> list[Asking]:
    """Return for each rep how many of the calls logged since a moment were asked about."""
    asked = func.sum(case((Answer.outcome.in_((Outcome.answered, Outcome.declined)), 1), else_=0))
    correction = select(Answer.corrects_id).where(Answer.corrects_id.is_not(None))
    rows = session.execute(
        select(Answer.asked_by, asked, func.count(Answer.id))
        .where(Answer.asked_at >= since, Answer.call_id.is_not(None), Answer.id.not_in(correction))
        .group_by(Answer.asked_by)
        .order_by(Answer.asked_by)
    )
    return [Asking(rep, int(count), logged) for rep, count, logged in rows]


def standing(session: Session, call: Call) -> Answer | None:
    """Return the answer of a call that no other corrects, and keep others from correcting it meanwhile."""
    # The call's row is locked, so that two reps who log it at once correct one another in turn.
    session.execute(select(Call.id).where(Call.id == call.id).with_for_update())
    of_call = (Answer.call_id == call.id, Answer.corrects_id.is_not(None))
    corrected = select(Answer.corrects_id).where(*of_call)
    found = session.scalars(
        select(Answer).where(Answer.call_id == call.id, Answer.id.not_in(corrected))
    ).all()
    if len(found) > 1:
        raise Conflict(f"call {call.id} has {len(found)} standing answers; run `ringtrail doctor`")
    return found[0] if found else None


def _name(text: str | None, field: str) -> str | None:
    return required(text, field) if text and text.strip() else None


def _clean(words: str) -> str:
    text = unicodedata.normalize("NFC", re.sub(r"\r\n?", "\n", words))
    text = "".join(c for c in text if c in _KEPT or unicodedata.category(c) not in _UNSEEN).strip()
    if len(text) > LONGEST_VERBATIM:
        raise Invalid("verbatim", f"has {len(text)} characters; the longest kept is {LONGEST_VERBATIM}")
    return text
