"""Calls on the line now: how a call stands, whose desk it rings at, and who has its form open.

A call rings at everybody who has a page open, is not away and is on no other call; where nobody is free, at
everybody who has a page open. Whoever begins to work on its form has taken it: it rings nowhere any more.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, delete, exists, or_, select, tuple_, update
from sqlalchemy.orm import Session, joinedload

from tracking.storage.models import Answer, Call, CallDesk, NumberAssignment, PracticeCall
from tracking.storage.phone import NumberState
from tracking.storage.vocabulary import CallState, CallStatus
from tracking.telephony import call_details

LONGEST_RINGING = timedelta(minutes=10)
"""No provider lets a call ring for longer (Twilio's limit); past it nobody knows how the call ended."""
LONGEST_CALL = timedelta(hours=4)
"""Twilio ends a call that has lasted so long; past it an answered call is over."""
GONE = timedelta(seconds=15)
"""After this long without a sign a user counts as no longer at a call's form."""
_LIVE = (CallStatus.ringing, CallStatus.answered)
_MOST = 20


@dataclass(frozen=True, slots=True)
class Ring:
    """A call that rings, or was answered a moment ago, and that nobody has taken at a desk."""

    key: str
    """The call's number; behind "practice-" that of a practice call."""
    title: str
    """Who calls, as far as known."""
    dialled: str
    """The ad material whose number rings."""
    status: CallStatus
    only_at: int | None = None
    """The one user at whom a practice call rings."""


def state(call: Call, at: datetime) -> CallState:
    """Return how a call stands at a moment; one whose end was not reported does not ring for ever."""
    if call.status is CallStatus.ringing and call.started_at <= at - LONGEST_RINGING:
        return CallState.unreported
    if call.status is CallStatus.answered and call.started_at <= at - LONGEST_CALL:
        return CallState.completed
    return CallState(call.status.value)


def is_live(call: Call, at: datetime) -> bool:
    """Tell whether a call is on the line at a moment."""
    return state(call, at) in (CallState.ringing, CallState.answered)


def in_state(wanted: CallState, at: datetime) -> ColumnElement[bool]:
    """Return whether a call of a query stands so at a moment: as :func:`state`."""
    rings, talks = Call.started_at > at - LONGEST_RINGING, Call.started_at > at - LONGEST_CALL
    match wanted:
        case CallState.ringing:
            return and_(Call.status == CallStatus.ringing, rings)
        case CallState.unreported:
            return and_(Call.status == CallStatus.ringing, ~rings)
        case CallState.answered:
            return and_(Call.status == CallStatus.answered, talks)
        case CallState.completed:
            over = and_(Call.status == CallStatus.answered, ~talks)
            return or_(Call.status == CallStatus.completed, over)
    return Call.status == CallStatus(wanted.value)


def untaken(session: Session, *, at: datetime) -> list[Ring]:
    """Return the calls on the line that nobody has taken or logged, the latest first."""
    taken = exists().where(CallDesk.call_id == Call.id, CallDesk.taken_at.is_not(None))
    wanted = (
        select(Call)
        .where(
            Call.status.in_(_LIVE),
            # Whoever talks for so long without a form open will not open one; the call waits to be logged.
            Call.started_at > at - LONGEST_RINGING,
            Call.spam.is_(False),
            ~taken,
            ~exists().where(Answer.call_id == Call.id),
        )
        .order_by(Call.started_at.desc(), Call.id.desc())
        .limit(_MOST)
    )
    rings = [
        Ring(str(call.id), call_details.caller_of(session, call), carrier(call), call.status)
        for call in session.scalars(call_details.loaded(wanted))
    ]
    return rings + [
        Ring(f"practice-{row.id}", "", carrier(practised(row)), CallStatus.ringing, row.user_id)
        for row in session.scalars(practice_calls(at=at))
    ]


def rung(rings: Sequence[Ring], here: Mapping[int, bool], busy: Collection[int]) -> dict[int, list[Ring]]:
    """Return what rings at whom; ``here`` holds who has a page open, and whether he is away."""
    free = {user for user, away in here.items() if not away and user not in busy}
    audience = free or set(here)
    return {
        user: [
            ring for ring in rings if (ring.only_at == user if ring.only_at is not None else user in audience)
        ]
        for user in here
    }


def busy(session: Session, *, at: datetime) -> set[int]:
    """Return the users who are on a call: each took one that is on the line and not logged yet."""
    talks = or_(in_state(CallState.ringing, at), in_state(CallState.answered, at))
    wanted = (
        select(CallDesk.user_id)
        .join(Call, Call.id == CallDesk.call_id)
        .where(
            # Said twice: the first part is what an index serves.
            Call.status.in_(_LIVE),
            Call.started_at > at - LONGEST_CALL,
            talks,
            CallDesk.taken_at.is_not(None),
            ~exists().where(Answer.call_id == Call.id),
        )
    )
    return set(session.scalars(wanted))


def carrier(call: Call) -> str:
    """Return the campaign and material whose number a call rang, or that number."""
    held = call.assignment
    if held is None and call.holder is not None:
        return call_details.holder_words(call.holder)
    return f"{held.ad_material.campaign.name}: {held.ad_material.name}" if held else call.dialled


# --- Forms that are open ---------------------------------------------------------------------------------


def open_form(session: Session, call: Call, user_id: int, *, at: datetime, takes: bool = False) -> None:
    """Note that a user has the form of a call open, and whether he takes the call with it."""
    mine = session.scalar(select(CallDesk).where(CallDesk.call_id == call.id, CallDesk.user_id == user_id))
    if mine is None:
        mine = CallDesk(call_id=call.id, user_id=user_id, seen_at=at)
        session.add(mine)
    mine.seen_at = at
    if takes and mine.taken_at is None:
        mine.taken_at = at
    session.flush()


def close_form(session: Session, call_id: int, user_id: int, *, at: datetime) -> None:
    """Note that a user has closed the form of a call; who took it is on it until it ends."""
    mine = (CallDesk.call_id == call_id, CallDesk.user_id == user_id)
    session.execute(delete(CallDesk).where(*mine, CallDesk.taken_at.is_(None)))
    session.execute(update(CallDesk).where(*mine).values(seen_at=at - GONE))


def keep_open(session: Session, forms: Collection[tuple[int, int]], *, at: datetime) -> None:
    """Note that users are still at the forms they opened: pairs of call and user."""
    pair = tuple_(CallDesk.call_id, CallDesk.user_id)
    session.execute(update(CallDesk).where(pair.in_(list(forms))).values(seen_at=at))


def forms_open(
    session: Session, call_ids: Collection[int], *, at: datetime
) -> dict[int, list[tuple[int, str]]]:
    """Return who has the forms of some calls open: user and name, by call.

    Whoever was not heard of for :data:`GONE` has gone.
    """
    rows = session.scalars(
        select(CallDesk)
        .where(CallDesk.call_id.in_(call_ids), CallDesk.seen_at > at - GONE)
        .options(joinedload(CallDesk.user))
    )
    found: dict[int, list[tuple[int, str]]] = {call_id: [] for call_id in call_ids}
    for row in rows:
        found[row.call_id].append((row.user_id, row.user.name))
    return {call_id: sorted(there, key=lambda one: one[1]) for call_id, there in found.items()}


# --- Practice calls --------------------------------------------------------------------------------------


def practise(session: Session, user_id: int, *, at: datetime) -> PracticeCall:
    """Let a call ring at one user to try it out, on the material that was given a number last."""
    clear_practice(session, before=at - LONGEST_RINGING)
    session.execute(delete(PracticeCall).where(PracticeCall.user_id == user_id))
    held = select(NumberAssignment.id).where(NumberAssignment.ends_at.is_(None))
    newest = session.scalar(held.order_by(NumberAssignment.starts_at.desc()).limit(1))
    row = PracticeCall(user_id=user_id, assignment_id=newest, started_at=at)
    session.add(row)
    session.flush()
    return row


def practice_calls(*, at: datetime) -> Select[PracticeCall]:
    """Return the query for the practice calls that ring; past :data:`LONGEST_RINGING` they are gone."""
    return select(PracticeCall).where(PracticeCall.started_at > at - LONGEST_RINGING)


def clear_practice(session: Session, *, before: datetime) -> None:
    """Take out the practice calls that began before a moment."""
    session.execute(delete(PracticeCall).where(PracticeCall.started_at <= before))


def practised(row: PracticeCall) -> Call:
    """Return a practice call in the form of a call, for the desk; it is in no database and never will be."""
    held = row.assignment
    return Call(
        provider="practice",
        provider_call_id=f"practice-{row.id}",
        dialled=held.tracking_number.number if held else "",
        assignment=held,
        caller_state=NumberState.withheld,
        started_at=row.started_at,
        status=CallStatus.ringing,
        note="",
        tags=[],
        spam=False,
    )
