"""Tracking numbers: the inventory, who holds which number when, quarantine, and the next free one."""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tracking.errors import Conflict, Invalid, NotFound
from tracking.storage import changes, phone
from tracking.storage.models import AdMaterial, Call, NumberAssignment, Touch, TrackingNumber
from tracking.storage.vocabulary import Medium, NumberStatus

# How long a released number rests before it may carry something else. A judgement, not a finding: what is
# printed stays on desks for years, what is online is gone when it is taken down.
QUARANTINE_DAYS = {
    Medium.online: 60,
    Medium.email: 180,
    Medium.print: 730,
    Medium.fair: 730,
    Medium.other: 365,
}


class NumberLife(StrEnum):
    """Where a number stands at a moment."""

    available = "available"
    assigned = "assigned"
    quarantined = "quarantined"
    disabled = "disabled"


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
) -> TrackingNumber:
    """Put a number into the inventory; calls that were recorded for it before are joined to it."""
    e164 = phone.require(number, region, "number")
    target = phone.require(destination, region, "destination") if destination else None
    if target is not None:
        _refuse_loop(session, e164, target)
    if session.scalar(select(TrackingNumber.id).where(TrackingNumber.number == e164)) is not None:
        raise Conflict("%(e164)s is already in the inventory", e164=e164)
    row = TrackingNumber(number=e164, destination=target, provider=provider, label=label, created_at=at)
    session.add(row)
    session.flush()
    earlier = update(Call).where(Call.dialled == e164, Call.tracking_number_id.is_(None))
    quiet = {"synchronize_session": False, changes.NOTED: True}  # no journey tells which number was called
    session.execute(earlier.values(tracking_number_id=row.id), execution_options=quiet)
    return row


def forward_to(session: Session, number: TrackingNumber, destination: str, *, region: str = "ZZ") -> None:
    """Let a number ring somewhere else from now on."""
    target = phone.require(destination, region, "destination")
    _refuse_loop(session, number.number, target)
    number.destination = target


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
) -> NumberAssignment:
    """Put a number on ad material from ``starts_at`` on; calls since then are credited to the material.

    An assignment that lies in the past, with ``ends_at``, records what was true before Ringtrail came.
    """
    # The row is locked first, so that of two workers the second sees the first one's assignment.
    session.execute(select(TrackingNumber.id).where(TrackingNumber.id == number.id).with_for_update())
    if number.status is not NumberStatus.active:
        raise Conflict(
            "%(number)s is %(status)s; only active numbers can be assigned",
            number=number.number,
            status=number.status,
        )
    if ends_at is not None and ends_at <= starts_at:
        raise Invalid(
            "ends_at",
            "%(ends_at)s is not after the start, %(starts_at)s",
            ends_at=ends_at.isoformat(),
            starts_at=starts_at.isoformat(),
        )
    for other in _history(session, [number.id]).get(number.id, ()):
        if (other.ends_at is None or other.ends_at > starts_at) and (
            ends_at is None or ends_at > other.starts_at
        ):
            held = {"number": number.number, "name": other.ad_material.name}
            held["start"] = other.starts_at.isoformat()
            if other.ends_at is None:
                raise Conflict(
                    "%(number)s has been assigned to %(name)r since %(start)s; release it first or "
                    "choose other dates",
                    **held,
                )
            raise Conflict(
                "%(number)s is assigned to %(name)r from %(start)s to %(end)s; release it first or "
                "choose other dates",
                end=other.ends_at.isoformat(),
                **held,
            )
        # What is given with its end is history: it happened, resting or not.
        resting = (
            other.ends_at and other.quarantined_until and other.ends_at <= starts_at < other.quarantined_until
        )
        if resting and ends_at is None:
            raise Conflict(
                "%(number)s is cooling off until %(until)s because calls for %(name)r may still "
                "come in; use another number",
                number=number.number,
                until=f"{other.quarantined_until:%Y-%m-%d}",
                name=other.ad_material.name,
            )
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


def free(*, at: datetime, provider: str | None = None) -> Select[TrackingNumber]:
    """Return the query for the numbers that are free at a moment, the longest idle first."""
    rows = select(TrackingNumber).where(
        TrackingNumber.status == NumberStatus.active,
        ~exists().where(NumberAssignment.tracking_number_id == TrackingNumber.id, _busy(at)),
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


def holder(history: Sequence[NumberAssignment], at: datetime) -> NumberAssignment | None:
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
    for past in reversed(history):
        if past.ends_at and past.quarantined_until and past.ends_at <= at < past.quarantined_until:
            return Standing(NumberLife.quarantined, past)
    return Standing(NumberLife.available, None)


def inventory(
    session: Session, dialled: Collection[str]
) -> dict[str, tuple[TrackingNumber, list[NumberAssignment]]]:
    """Return those of our numbers that are among ``dialled`` (E.164), each with its history by start."""
    rows = session.scalars(select(TrackingNumber).where(TrackingNumber.number.in_(set(dialled)))).all()
    histories = _history(session, [row.id for row in rows])
    return {row.number: (row, histories.get(row.id, [])) for row in rows}


def strays(session: Session, since: datetime, until: datetime) -> list[Stray]:
    """Return the calls of a period that no ad material is credited with, by number, most calls first."""
    rows = session.execute(
        select(Call.dialled, func.count(Call.id), func.max(Call.started_at))
        .where(Call.assignment_id.is_(None), Call.spam.is_(False))
        .where(Call.started_at >= since, Call.started_at < until)
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
    for row in session.identity_map.values():
        if isinstance(row, Call | Touch):
            session.expire(row)


def _busy(at: datetime) -> ColumnElement[bool]:
    return or_(
        NumberAssignment.ends_at.is_(None),
        NumberAssignment.ends_at > at,
        NumberAssignment.quarantined_until > at,
    )


def _history(session: Session, number_ids: Collection[int]) -> dict[int, list[NumberAssignment]]:
    rows = session.scalars(
        select(NumberAssignment)
        .where(NumberAssignment.tracking_number_id.in_(number_ids))
        .order_by(NumberAssignment.tracking_number_id, NumberAssignment.starts_at)
    )
    found: dict[int, list[NumberAssignment]] = {}
    for row in rows:
        found.setdefault(row.tracking_number_id, []).append(row)
    return found


def _quarantine(material: AdMaterial, ends_at: datetime | None) -> datetime | None:
    return None if ends_at is None else ends_at + timedelta(days=QUARANTINE_DAYS[material.medium])


def _refuse_loop(session: Session, number: str, destination: str) -> None:
    ours = session.scalar(select(TrackingNumber.id).where(TrackingNumber.number == destination))
    if destination == number or ours is not None:
        raise Invalid(
            "destination",
            "%(destination)s is a tracking number; calls would loop. Enter a real destination",
            destination=destination,
        )
