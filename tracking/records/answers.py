"""Where did you hear about us?: asked or not, answered or declined, each time a row of its own."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased, joinedload

from tracking.errors import Conflict, Invalid
from tracking.language import channels
from tracking.records import contacts
from tracking.storage.models import Account, Answer, Call, Campaign, Contact, Deal, Touch
from tracking.storage.names import source_name, written
from tracking.storage.vocabulary import CallStatus, LeadStatus, Outcome

LONGEST_VERBATIM = 2000
MOST_CALLS = 20_000
"""So many calls are looked through at most for who asks: where more come, fewer days tell as much."""
_COUNTED = 5000
_LISTED = 100
_ASKED = (Outcome.answered, Outcome.declined)


@dataclass(frozen=True, slots=True)
class Entry:
    """Who writes an answer down, where that is somebody other than who asked, and when."""

    by: str
    at: datetime


def log(
    session: Session,
    outcome: Outcome,
    *,
    asked_at: datetime,
    asked_by: str | None = None,
    call: Call | None = None,
    contact: Contact | None = None,
    account: Account | None = None,
    deal: Deal | None = None,
    campaign: Campaign | None = None,
    channel: str | None = None,
    verbatim: str | None = None,
    corrects: Answer | None = None,
    entry: Entry | None = None,
    source_key: str | None = None,
) -> Answer:
    """Write down what came of asking; a second entry for a call corrects the first and keeps it.

    It belongs to a call, a contact, a company or a deal; elsewhere than at a call, ``corrects`` says which
    entry it corrects. What comes again with the same ``source_key`` changes nothing. The caller's own words
    go into ``verbatim``, what they were taken to mean into ``campaign`` or ``channel``. The tracked source
    of the call stays as it is, whatever is answered.
    """
    if corrects is not None:
        call, deal, contact = corrects.call, corrects.deal, corrects.contact
    if call is None and contact is None and account is None and deal is None:
        raise Invalid("call", "enter the call, contact, company or deal that this answer belongs to")
    if asked_at.tzinfo is None:
        raise Invalid(
            "asked_at",
            "%(asked_at)s has no time zone; add an offset such as +01:00",
            asked_at=asked_at.isoformat(),
        )
    channel, asked_by = _name(channel, "channel"), _name(asked_by, "asked_by")
    channel = channel and channels.canonical(channel)
    if outcome is not Outcome.answered and (campaign is not None or channel is not None):
        raise Invalid(
            "outcome",
            "with %(outcome)s, leave campaign and channel empty, or set the outcome to answered",
            outcome=outcome,
        )
    words = _clean(verbatim or "") or None
    if outcome is Outcome.answered and not (words or campaign or channel):
        raise Invalid("verbatim", "enter the caller's words, a campaign or a channel")
    if source_key and (same := session.scalar(select(Answer).where(Answer.source_key == source_key))):
        return same
    earlier = standing(session, call) if call is not None else corrects
    if corrects is not None:
        _refuse_corrected(session, corrects)
    at = entry.at if entry else asked_at
    answer = Answer(
        contact=call.contact if call is not None else contact or _somebody(session, account, deal, at),
        call=call,
        deal=deal,
        asked_at=asked_at,
        asked_by=asked_by,
        entered_at=entry.at if entry else None,
        entered_by=entry.by if entry else None,
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


def _somebody(session: Session, account: Account | None, deal: Deal | None, at: datetime) -> Contact:
    firm = account or (deal.account if deal else None)
    assert firm is not None, "an answer belongs to somebody"
    return contacts.unnamed(session, contacts.root(session, firm), at=at)


def _refuse_corrected(session: Session, corrects: Answer) -> None:
    session.execute(select(Answer.id).where(Answer.id == corrects.id).with_for_update())
    if session.scalar(select(Answer.id).where(Answer.corrects_id == corrects.id)) is not None:
        raise Conflict(
            "answer %(number)s has been corrected already; reload the page and correct the current one",
            number=corrects.id,
        )


def stands() -> ColumnElement[bool]:
    """Return whether no other entry corrects an answer."""
    later = aliased(Answer)
    return ~exists().where(later.corrects_id == Answer.id)


def of_company(session: Session, account: Account, deal: Deal | None = None) -> list[Answer]:
    """Return the entries of a company's people, or those that name one of its deals, the latest first."""
    found = select(Answer).options(joinedload(Answer.campaign), joinedload(Answer.deal))
    people = contacts.people_of(contacts.same_company(contacts.root(session, account).id))
    found = found.where(Answer.deal_id == deal.id if deal else Answer.contact_id.in_(people))
    return list(session.scalars(found.order_by(Answer.asked_at.desc(), Answer.id.desc()).limit(_LISTED)))


@dataclass(frozen=True, slots=True)
class Source:
    """What a caller may name: a campaign, or a channel that no campaign stands for."""

    label: str
    campaign: Campaign | None = None
    channel: str | None = None


def commonest(session: Session, *, since: datetime, limit: int = 9) -> list[Source]:
    """Return what callers have named most often since a moment, then what they are most likely to name.

    Counted are the standing ones of the last 5,000 answers: enough for an order that a busy year does not
    slow down. The likely are the standard answers, then campaigns by how many of the last 5,000 calls came
    through their numbers, so that a new installation has something to choose from too.
    """
    correction = aliased(Answer)
    recent = (
        select(Answer.campaign_id, Answer.channel)
        .where(
            Answer.asked_at >= since,
            Answer.outcome == Outcome.answered,
            or_(Answer.campaign_id.is_not(None), Answer.channel.is_not(None)),
            ~exists().where(correction.corrects_id == Answer.id),
        )
        .order_by(Answer.asked_at.desc())
        .limit(_COUNTED)
        .subquery()
    )
    # A campaign says its channel itself; beside one, the channel makes no other answer.
    channel = case((recent.c.campaign_id.is_(None), recent.c.channel), else_=None)
    told = (
        select(recent.c.campaign_id, channel)
        .group_by(recent.c.campaign_id, channel)
        .order_by(func.count().desc(), recent.c.campaign_id, channel)
        .limit(limit)
    )
    pairs = session.execute(told).all()
    ids = [campaign_id for campaign_id, _ in pairs if campaign_id is not None]
    rows = {row.id: row for row in session.scalars(select(Campaign).where(Campaign.id.in_(ids)))}
    named: list[Source] = []
    for campaign_id, name in pairs:
        campaign = rows.get(campaign_id)
        named.append(Source(campaign.name if campaign else channels.label(name or ""), campaign, name))
    had_channels = {source.channel for source in named if source.campaign is None}
    named += [
        Source(str(each.label), channel=each.channel)
        for each in channels.answers()
        if each.channel not in had_channels
    ][: limit - len(named)]
    if len(named) < limit:
        had = [source.campaign.id for source in named if source.campaign]
        latest = (
            select(Touch.campaign_id)
            .join(Call, Call.id == Touch.call_id)
            .where(Call.started_at >= since)
            .order_by(Call.started_at.desc())
            .limit(_COUNTED)
            .subquery()
        )
        rings = (
            select(latest.c.campaign_id, func.count().label("calls"))
            .group_by(latest.c.campaign_id)
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


def nameable(session: Session) -> list[str]:
    """Return what an answer may name, as it is called on the page: campaigns, then channels."""
    rows = session.execute(select(Campaign.name, Campaign.channel).order_by(Campaign.name)).all()
    standard = [str(each.label) for each in channels.STANDARD]
    others = sorted({channels.label(channel) for _, channel in rows} - set(standard))
    return list(dict.fromkeys([*(name for name, _ in rows), *standard, *others]))


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
            return Source(channels.label(campaign.channel), channel=campaign.channel)
    if standard := channels.named(wanted):
        return Source(str(standard.label), channel=standard.channel)
    return None


@dataclass(frozen=True, slots=True)
class Asking:
    """How often one rep asked; without a rep, what nobody has logged."""

    rep: str | None
    logged: int
    qualifying: int
    asked: int

    @property
    def rate(self) -> float | None:
        """Return asked / qualifying; None where there is nothing to divide by."""
        return self.asked / self.qualifying if self.qualifying else None


def countable(session: Session, *, since: datetime) -> datetime:
    """Return the moment from which on calls are few enough to be counted for a page: ``since``, or later."""
    newest = select(Call.started_at).where(Call.started_at >= since).order_by(Call.started_at.desc())
    return session.scalar(newest.offset(MOST_CALLS).limit(1)) or since


def qualifies() -> ColumnElement[bool]:
    """Return whether a call asks for an answer, spam aside: taken, the caller's first, not judged no lead."""
    earlier = aliased(Call)
    first = ~exists().where(
        earlier.contact_id == Call.contact_id,
        or_(
            earlier.started_at < Call.started_at,
            and_(earlier.started_at == Call.started_at, earlier.id < Call.id),
        ),
    )
    return and_(
        Call.status.in_((CallStatus.answered, CallStatus.completed)),
        or_(Call.lead_status.is_(None), Call.lead_status != LeadStatus.not_a_lead),
        first,
    )


def asking(session: Session, *, since: datetime) -> list[Asking]:
    """Return for each rep how many of the calls since a moment were logged, qualified and were asked about.

    A call qualifies if somebody took it, it is the caller's first and it is neither spam nor judged not a
    lead: as in the asked rate of reports. Calls that nobody logged stand under no rep, so that all rows
    together make that rate.
    """
    correction = aliased(Answer)
    of_call = and_(Answer.call_id == Call.id, ~exists().where(correction.corrects_id == Answer.id))
    # Whether a call qualifies is a key and not a sum of each row, so that it is found out once.
    counts = session.execute(
        select(Answer.asked_by, Answer.outcome, case((qualifies(), 1), else_=0).label("sure"), func.count())
        .select_from(Call)
        .outerjoin(Answer, of_call)
        .where(Call.started_at >= since, Call.spam.is_(False))
        .group_by(Answer.asked_by, Answer.outcome, "sure")
    ).all()
    sums: dict[tuple[bool, bool, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for rep, outcome, sure, count in counts:
        mine = sums[outcome is None, rep is None, rep or ""]
        mine[0] += count * (outcome is not None)
        mine[1] += count * sure
        mine[2] += count * (sure and outcome in _ASKED)
    return [Asking(None if nobody else rep, *mine) for (_, nobody, rep), mine in sorted(sums.items())]


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
        raise Conflict(
            "call %(number)s has %(length)s current answers instead of one; run `ringtrail doctor`",
            number=call.id,
            length=len(found),
        )
    return found[0] if found else None


def _name(text: str | None, field: str) -> str | None:
    return source_name(text, field) if text and text.strip() else None


def _clean(words: str) -> str:
    text = written(words)
    if len(text) > LONGEST_VERBATIM:
        raise Invalid(
            "verbatim",
            "must be %(most)s characters or fewer (now %(length)s)",
            length=len(text),
            most=LONGEST_VERBATIM,
        )
    return text
