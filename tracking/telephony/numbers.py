"""Tracking numbers: the inventory, who holds which number when, quarantine, and the next free one."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Executable, Select, and_, bindparam, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from tracking.errors import Conflict, Invalid, NotFound
from tracking.storage import changes, phone, rows
from tracking.storage.models import (
    AdMaterial,
    Call,
    CallHolder,
    NumberAssignment,
    PoolNumber,
    Touch,
    TrackingNumber,
)
from tracking.storage.vocabulary import Medium, NumberStatus
from tracking.telephony import holders

_Held = TypeVar("_Held", NumberAssignment, "Holding")

# How long a released number rests before it may carry something else. A judgement, not a finding: what is
# printed stays on desks for years, what is online is gone when it is taken down.
QUARANTINE_DAYS = {
    Medium.online: 60,
    Medium.email: 180,
    Medium.print: 730,
    Medium.fair: 730,
    Medium.other: 365,
}

# Made once: each call that rings waits for these.
_THESE = select(TrackingNumber).where(TrackingNumber.number.in_(bindparam("numbers", expanding=True)))
_HELD = (
    select(NumberAssignment)
    .where(NumberAssignment.tracking_number_id.in_(bindparam("ids", expanding=True)))
    .order_by(NumberAssignment.tracking_number_id, NumberAssignment.starts_at)
    .options(joinedload(NumberAssignment.ad_material))
)


class NumberLife(StrEnum):
    """Where a number stands at a moment."""

    available = "available"
    assigned = "assigned"
    quarantined = "quarantined"
    disabled = "disabled"
    main_line = "main_line"
    pool = "pool"


class Held(Conflict):
    """The number is, or was of late, on other material: ``other`` is the id of that assignment."""

    def __init__(self, other: NumberAssignment, template: str, /, **values: Any) -> None:
        self.other = other.id
        super().__init__(template, **values)


@dataclass(frozen=True, slots=True)
class Stray:
    """Calls to a number that nobody held when they rang: how many, the last, and why nobody held it."""

    dialled: str
    calls: int
    last_at: datetime
    life: NumberLife | None
    """At the last call; None for a number that is not in the inventory."""
    former: NumberAssignment | None
    """On which ad material it was before, if it rested."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A number's state at a moment, and the assignment that explains it, if any."""

    life: NumberLife
    assignment: NumberAssignment | None


def add(
    session: Session,
    number: str,
    *,
    at: datetime,
    provider: str,
    destination: str | None = None,
    label: str = "",
    region: str = "ZZ",
    main_line: bool = False,
) -> TrackingNumber:
    """Put a number into the inventory; calls that were recorded for it before are joined to it.

    The firm's main line is known, so that calls to it are told from stray ones; it is on no material.
    """
    e164 = phone.require(number, region, "number")
    target = phone.require(destination, region, "destination") if destination else None
    if target is not None:
        refuse_loop(session, target, number=e164, main_line=main_line)
    if session.scalar(select(TrackingNumber.id).where(TrackingNumber.number == e164)) is not None:
        raise Conflict("%(e164)s is already in the inventory", e164=e164)
    row = TrackingNumber(number=e164, destination=target, provider=provider, label=label, created_at=at)
    row.main_line = main_line
    session.add(row)
    session.flush()
    earlier = update(Call).where(Call.dialled == e164, Call.tracking_number_id.is_(None))
    quiet = {"synchronize_session": False, changes.NOTED: True}  # no journey tells which number was called
    session.execute(earlier.values(tracking_number_id=row.id), execution_options=quiet)
    return row


def forward_to(session: Session, number: TrackingNumber, destination: str, *, region: str = "ZZ") -> None:
    """Let a number ring somewhere else from now on."""
    target = phone.require(destination, region, "destination")
    refuse_loop(session, target, number=number.number, main_line=number.main_line)
    if number.main_line:
        _nobody_rings_at(session, number)
    number.destination = target


def make_main_line(session: Session, number: TrackingNumber, main_line: bool) -> None:
    """Say that a number is the firm's own main line, or that it is none."""
    history = _history(session, [number.id]).get(number.id, [])
    if main_line and (held := next((a for a in history if a.ends_at is None), None)):
        raise Conflict(
            "%(number)s is assigned to %(name)r; release it first, since the main line cannot be on an asset",
            number=number.number,
            name=held.ad_material.name,
        )
    if main_line and number.destination is not None:
        refuse_loop(session, number.destination, number=number.number, main_line=True)
    if number.main_line and not main_line:
        _nobody_rings_at(session, number)
    number.main_line = main_line
    changes.note(session)  # nobody's journey, but what is counted as stray
    session.flush()


def get(session: Session, number: str, region: str = "ZZ") -> TrackingNumber:
    """Return the tracking number that is written ``number``."""
    e164 = phone.require(number, region, "number")
    row = session.scalar(select(TrackingNumber).where(TrackingNumber.number == e164))
    if row is None:
        raise NotFound(
            "%(e164)s is not in the inventory; add it with `ringtrail number add %(e164)s`", e164=e164
        )
    return row


def assign(
    session: Session,
    number: TrackingNumber,
    material: AdMaterial,
    *,
    starts_at: datetime,
    ends_at: datetime | None = None,
    close_others: bool = False,
) -> NumberAssignment:
    """Put a number on ad material from ``starts_at`` on; calls since then are credited to the material.

    An assignment that lies in the past, with ``ends_at``, records what was true before Ringtrail came.
    What the number was on before may be closed: it then ends where this begins, and no longer rests.

    Raises
    ------
    Held
        If the number is on other material then, or rests after it. ``close_others`` ends that.
    Conflict
        If it is not in service, is the main line, or what it is on cannot end there.
    """
    # The row is locked first, so that of two workers the second sees the first one's assignment.
    session.execute(select(TrackingNumber.id).where(TrackingNumber.id == number.id).with_for_update())
    if number.status is not NumberStatus.active:
        raise Conflict(
            "%(number)s is %(status)s; only active numbers can be assigned",
            number=number.number,
            status=number.status,
        )
    if number.main_line:
        raise Conflict(
            "%(number)s is the main line and cannot be on an asset; choose another number",
            number=number.number,
        )
    pooled = session.scalar(
        select(PoolNumber).where(PoolNumber.tracking_number_id == number.id, _pooled(starts_at))
    )
    if ends_at is None and pooled is not None:
        if pooled.removed_at is None or pooled.shown_at is None:
            raise Conflict(
                "%(number)s is in a website's pool; remove it there first, or use another number",
                number=number.number,
            )
        raise Conflict(
            "%(number)s was in a website's pool and can be assigned from %(until)s; use another number",
            number=number.number,
            until=f"{pooled.shown_at + timedelta(days=QUARANTINE_DAYS[Medium.online]):%Y-%m-%d}",
        )
    if ends_at is not None and ends_at <= starts_at:
        raise Invalid(
            "ends_at",
            "%(ends_at)s is not after the start, %(starts_at)s",
            ends_at=ends_at.isoformat(),
            starts_at=starts_at.isoformat(),
        )
    history = _history(session, [number.id]).get(number.id, [])
    overlapping = [
        other
        for other in history
        if (other.ends_at is None or other.ends_at > starts_at)
        and (ends_at is None or ends_at > other.starts_at)
    ]
    for other in overlapping:
        _make_room(number, other, starts_at, ends_at, close=close_others)
    for other in history:
        # What is given with its end is history: it happened, resting or not.
        resting = (
            other.ends_at and other.quarantined_until and other.ends_at <= starts_at < other.quarantined_until
        )
        if resting and ends_at is None and not close_others:
            raise Held(
                other,
                "%(number)s is cooling off until %(until)s because calls for %(name)r may still "
                "come in; use another number",
                number=number.number,
                until=f"{other.quarantined_until:%Y-%m-%d}",
                name=other.ad_material.name,
            )
    session.flush()
    row = NumberAssignment(
        tracking_number=number,
        ad_material=material,
        starts_at=starts_at,
        ends_at=ends_at,
        quarantined_until=_quarantine(material, ends_at),
    )
    session.add(row)
    session.flush()
    credit_anew(session, number, since=starts_at)
    return row


def _make_room(
    number: TrackingNumber,
    other: NumberAssignment,
    starts_at: datetime,
    ends_at: datetime | None,
    *,
    close: bool,
) -> None:
    """End another assignment where a new one begins, or refuse: never may a stretch of it be lost unsaid."""
    held = {"number": number.number, "name": other.ad_material.name}
    held["start"] = other.starts_at.isoformat()
    if other.starts_at >= starts_at:
        raise Conflict(
            "%(number)s is assigned to %(name)r from %(start)s, after the new start, so it cannot end the "
            "day before; end the new assignment by then, or start it later",
            **held,
        )
    if ends_at is not None and (other.ends_at is None or other.ends_at > ends_at):
        raise Conflict(
            "%(number)s is assigned to %(name)r from %(start)s until after the new end, %(end)s; release it "
            "first, then assign it again from there",
            end=ends_at.isoformat(),
            **held,
        )
    if close:
        # Worked out first: looking up the material flushes, and half a release breaks the row's own rule.
        until = _quarantine(other.ad_material, starts_at)
        other.ends_at, other.quarantined_until = starts_at, until
    elif other.ends_at is None:
        raise Held(
            other,
            "%(number)s has been assigned to %(name)r since %(start)s; release it first or choose "
            "other dates",
            **held,
        )
    else:
        raise Held(
            other,
            "%(number)s is assigned to %(name)r from %(start)s to %(end)s; release it first or "
            "choose other dates",
            end=other.ends_at.isoformat(),
            **held,
        )


def assignable(*, at: datetime) -> Select[TrackingNumber]:
    """Return the query for the numbers that may be put on material, also after another one, by number."""
    return (
        select(TrackingNumber)
        .where(
            TrackingNumber.status == NumberStatus.active,
            TrackingNumber.main_line.is_(False),
            ~exists().where(PoolNumber.tracking_number_id == TrackingNumber.id, _pooled(at)),
        )
        .order_by(TrackingNumber.number)
    )


def free(*, at: datetime, provider: str | None = None) -> Select[TrackingNumber]:
    """Return the query for the numbers that are free at a moment, the longest idle first."""
    rows = select(TrackingNumber).where(
        TrackingNumber.status == NumberStatus.active,
        TrackingNumber.main_line.is_(False),
        ~exists().where(NumberAssignment.tracking_number_id == TrackingNumber.id, _busy(at)),
        ~exists().where(PoolNumber.tracking_number_id == TrackingNumber.id, _pooled(at)),
    )
    if provider is not None:
        rows = rows.where(TrackingNumber.provider == provider)
    last_use = (
        select(func.max(NumberAssignment.ends_at))
        .where(NumberAssignment.tracking_number_id == TrackingNumber.id)
        .scalar_subquery()
    )
    return rows.order_by(last_use.asc().nulls_first(), TrackingNumber.id)


def assign_next_free(
    session: Session, material: AdMaterial, *, at: datetime, provider: str | None = None
) -> NumberAssignment:
    """Put the longest idle free number on ad material; concurrent workers never get the same one."""
    candidates = free(at=at, provider=provider)
    tried: list[int] = []
    while True:
        # Locked rows are another worker's candidates; what one of them took between our look and our
        # lock shows when the assignment is written, and the next candidate is tried.
        candidate = session.scalar(
            candidates.where(TrackingNumber.id.not_in(tried)).limit(1).with_for_update(skip_locked=True)
        )
        if candidate is None:
            raise Conflict(
                "no tracking number is available; add one with `ringtrail number add` or release one"
            )
        try:
            with session.begin_nested():
                return assign(session, candidate, material, starts_at=at)
        except (Conflict, IntegrityError):
            tried.append(candidate.id)


def release(session: Session, assignment: NumberAssignment, *, at: datetime) -> NumberAssignment:
    """End an assignment; the number still rings and rests for as long as its medium lives on."""
    if assignment.ends_at is not None:
        raise Conflict("this assignment already ended at %(ends_at)s", ends_at=assignment.ends_at.isoformat())
    if at <= assignment.starts_at:
        raise Invalid(
            "ends_at",
            "%(at)s is not after the assignment's start, %(starts_at)s; enter a later time",
            at=at.isoformat(),
            starts_at=assignment.starts_at.isoformat(),
        )
    # Worked out first: looking up the material flushes, and half a release breaks the row's own rule.
    until = _quarantine(assignment.ad_material, at)
    assignment.ends_at, assignment.quarantined_until = at, until
    session.flush()
    credit_anew(session, assignment.tracking_number, since=at)
    return assignment


def holder(history: Sequence[_Held], at: datetime) -> _Held | None:
    """Return the assignment whose interval holds ``at``; ``history`` is one number's, by start."""
    index = bisect_right(history, at, key=lambda a: a.starts_at) - 1
    if index < 0:
        return None
    last = history[index]
    return last if last.ends_at is None or at < last.ends_at else None


def standing(number: TrackingNumber, history: Sequence[NumberAssignment], at: datetime) -> Standing:
    """Tell whether a number is assigned, resting or free at a moment."""
    if number.status is NumberStatus.disabled:
        return Standing(NumberLife.disabled, None)
    if (held := holder(history, at)) is not None:
        return Standing(NumberLife.assigned, held)
    if number.main_line:
        return Standing(NumberLife.main_line, None)
    if number.pool is not None and number.pool.removed_at is None:
        return Standing(NumberLife.pool, None)
    for past in reversed(history):
        if past.ends_at and past.quarantined_until and past.ends_at <= at < past.quarantined_until:
            return Standing(NumberLife.quarantined, past)
    return Standing(NumberLife.available, None)


def inventory(
    session: Session, dialled: Collection[str]
) -> dict[str, tuple[TrackingNumber, list[NumberAssignment]]]:
    """Return those of our numbers that are among ``dialled`` (E.164), each with its history by start."""
    found = session.scalars(_THESE, {"numbers": list(set(dialled))}).all()
    histories = _history(session, [row.id for row in found]) if found else {}
    return {row.number: (row, histories.get(row.id, [])) for row in found}


class Holding(NamedTuple):
    """An assignment without its row: who holds a number from when to when."""

    id: int
    starts_at: datetime
    ends_at: datetime | None
    ad_material_id: int
    campaign_id: int


class Ours(NamedTuple):
    """A number of ours without its row: which it is, and who held it, by start."""

    id: int
    main_line: bool
    history: Sequence[Holding] = ()
    pooled: bool = False
    """Whether it is or was in a web site's pool."""


def holdings(session: Session, dialled: Collection[str]) -> dict[str, Ours]:
    """Return what :func:`inventory` does, as bare values."""
    found: dict[str, Ours] = {}
    histories: dict[str, list[Holding]] = {}
    told: Iterable[Any] = rows.find(session, _holdings, dialled)
    for number, number_id, main_line, pooled, first, *rest in told:
        history = histories.setdefault(number, [])
        found.setdefault(number, Ours(number_id, main_line, history, pooled is not None))
        if first is not None:
            history.append(Holding(first, *rest))
    return found


@cache
def _holdings(dialect: str) -> Executable:
    held = NumberAssignment
    return (
        select(
            TrackingNumber.number,
            TrackingNumber.id,
            TrackingNumber.main_line,
            PoolNumber.id,
            held.id,
            held.starts_at,
            held.ends_at,
            held.ad_material_id,
            AdMaterial.campaign_id,
        )
        .outerjoin(PoolNumber, PoolNumber.tracking_number_id == TrackingNumber.id)
        .outerjoin(held, held.tracking_number_id == TrackingNumber.id)
        .outerjoin(AdMaterial, AdMaterial.id == held.ad_material_id)
        .where(rows.among_wanted(dialect, TrackingNumber.number))
        .order_by(TrackingNumber.id, held.starts_at)
    )


def strays(session: Session, since: datetime, until: datetime) -> list[Stray]:
    """Return the calls of a period that no ad material is credited with, by number, most calls first."""
    rows = session.execute(
        select(Call.dialled, func.count(Call.id), func.max(Call.started_at))
        .where(Call.assignment_id.is_(None), Call.spam.is_(False))
        .where(Call.started_at >= since, Call.started_at < until)
        .where(or_(Call.tracking_number_id.is_(None), Call.tracking_number_id.not_in(main_lines())))
        .where(~exists().where(CallHolder.call_id == Call.id))
        .group_by(Call.dialled)
        .order_by(func.count(Call.id).desc(), Call.dialled)
    ).all()
    ours = inventory(session, [dialled for dialled, _, _ in rows])
    found = []
    for dialled, calls, last_at in rows:
        known = standing(*ours[dialled], last_at) if dialled in ours else None
        found.append(
            Stray(dialled, calls, last_at, known.life if known else None, known.assignment if known else None)
        )
    return found


def calls_of(session: Session, held: NumberAssignment) -> int:
    """Return how many calls are credited to an assignment."""
    rings = select(func.count(Call.id)).where(Call.assignment_id == held.id)
    return session.scalar(rings) or 0


def main_lines() -> Select[int]:
    """Return the query for the ids of the firm's own main lines."""
    return select(TrackingNumber.id).where(TrackingNumber.main_line.is_(True))


def by_main_line(session: Session, since: datetime, until: datetime) -> tuple[int, int]:
    """Return how many calls of a period came by the main line, and how many in all; spam is none of them.

    Nothing tells what made those callers ring: the other calls are all that number tracking can see.
    """
    real = (Call.spam.is_(False), Call.started_at >= since, Call.started_at < until)
    theirs = session.scalars(main_lines()).all()
    if not theirs:
        return 0, 0
    mains = session.scalar(select(func.count(Call.id)).where(Call.tracking_number_id.in_(theirs), *real))
    return mains or 0, session.scalar(select(func.count(Call.id)).where(*real)) or 0


def credit_anew(session: Session, number: TrackingNumber, *, since: datetime) -> None:
    """Write on this number's calls since a moment, and on their touches, who held it when they rang."""
    quiet = {"synchronize_session": False, changes.NOTED: True}
    ours = and_(Call.tracking_number_id == number.id, Call.started_at >= since)
    changes.note(session, contacts=session.scalars(select(Call.contact_id).where(ours).distinct()).all())
    session.execute(update(Call).where(ours).values(assignment_id=None), execution_options=quiet)
    nobody = {"campaign_id": None, "ad_material_id": None}
    touches = update(Touch).where(Touch.call_id.in_(select(Call.id).where(ours)))
    session.execute(touches.values(nobody), execution_options=quiet)
    for held in _history(session, [number.id]).get(number.id, ()):
        if held.ends_at is not None and held.ends_at <= since:
            continue
        theirs = and_(ours, Call.started_at >= held.starts_at)
        if held.ends_at is not None:
            theirs = and_(theirs, Call.started_at < held.ends_at)
        session.execute(update(Call).where(theirs).values(assignment_id=held.id), execution_options=quiet)
        source = {"campaign_id": held.ad_material.campaign_id, "ad_material_id": held.ad_material_id}
        touches = update(Touch).where(Touch.call_id.in_(select(Call.id).where(theirs)))
        session.execute(touches.values(source), execution_options=quiet)
    if session.scalar(select(PoolNumber.id).where(PoolNumber.tracking_number_id == number.id)) is not None:
        holders.credit(session, session.scalars(select(Call.id).where(ours)).all())
    for row in session.identity_map.values():
        if isinstance(row, Call | Touch):
            session.expire(row)


def _busy(at: datetime) -> ColumnElement[bool]:
    return or_(
        NumberAssignment.ends_at.is_(None),
        NumberAssignment.ends_at > at,
        NumberAssignment.quarantined_until > at,
    )


def _pooled(at: datetime) -> ColumnElement[bool]:
    """Return whether a pool number is in its pool, or rests since a visitor last saw it there."""
    rests = timedelta(days=QUARANTINE_DAYS[Medium.online])
    return or_(PoolNumber.removed_at.is_(None), PoolNumber.shown_at > at - rests)


def _history(session: Session, number_ids: Collection[int]) -> dict[int, list[NumberAssignment]]:
    found: dict[int, list[NumberAssignment]] = {}
    for row in session.scalars(_HELD, {"ids": list(number_ids)}):
        found.setdefault(row.tracking_number_id, []).append(row)
    return found


def _quarantine(material: AdMaterial, ends_at: datetime | None) -> datetime | None:
    return None if ends_at is None else ends_at + timedelta(days=QUARANTINE_DAYS[material.medium])


def always_ring(session: Session, live: Collection[str], default: str) -> bool:
    """Tell whether a phone rings at each number of live providers: its own destination, or the default.

    A default that is a tracking number itself rings nowhere. Without numbers the default alone counts.
    """
    if default and not _comes_back(session, default, main_line=False):
        return True
    active = TrackingNumber.provider.in_(live), TrackingNumber.status == NumberStatus.active
    found = session.scalars(select(TrackingNumber.destination).where(*active).distinct()).all()
    return bool(found) and None not in found


def _comes_back(session: Session, destination: str, *, main_line: bool) -> bool:
    ours = session.scalar(select(TrackingNumber).where(TrackingNumber.number == destination))
    # Tracking numbers commonly ring at the main line, which is carried elsewhere.
    ends_there = ours is not None and ours.main_line and ours.destination is None and not main_line
    return ours is not None and not ends_there


def refuse_loop(
    session: Session,
    destination: str,
    *,
    number: str = "",
    field: str = "destination",
    main_line: bool = False,
) -> None:
    """Refuse a destination that is one of our numbers: its calls would come back to us, for ever."""
    if destination == number or _comes_back(session, destination, main_line=main_line):
        raise Invalid(
            field,
            "%(destination)s is a tracking number; calls would loop. Enter a real destination",
            destination=destination,
        )


def _nobody_rings_at(session: Session, main_line: TrackingNumber) -> None:
    rings_here = select(TrackingNumber.number).where(TrackingNumber.destination == main_line.number)
    if (other := session.scalar(rings_here.limit(1))) is not None:
        raise Conflict(
            "%(other)s forwards to the main line, %(number)s; forward it elsewhere first",
            other=other,
            number=main_line.number,
        )
