"""Pools of numbers that web sites show to one visitor after the other, and how large a pool has to be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import numpy as np
from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from simulator.chance import Floats, uniform
from simulator.erlang import erlang_b
from simulator.sizing import engaged, smallest
from tracking.errors import Conflict
from tracking.storage.column_types import micros
from tracking.storage.models import (
    AdMaterial,
    Lease,
    NumberAssignment,
    PoolNumber,
    Site,
    SiteHour,
    TrackingNumber,
    Visitor,
    WebVisit,
)
from tracking.storage.vocabulary import Medium, NumberStatus

LOSSES = (0.01, 0.05)
"""Shares of visitors without a number for which a pool's size is worked out."""
_SPAN = timedelta(days=28)
"""How far back load is looked at: four of each day of the week (an assumption)."""
ENOUGH = 1000
"""Visitors from which on they are replayed, so that 1 % is ten of them; an assumption, as the next."""
_ENOUGH_DAYS = 6.0
"""Days from the first to the last of them, so that no day of the week is missing."""
_REPLAYED = 20_000
"""So many visitors are replayed at most, the latest: a page does not wait for more."""
_SILENT = 7.0
"""So many swaps are missing before a site counts as silent: by chance one time in a thousand, exp(-7)."""


def put(session: Session, site: Site, number: TrackingNumber, *, at: datetime) -> PoolNumber:
    """Put a number into a site's pool, from now on.

    Raises
    ------
    Conflict
        If it is not in service, the main line, the site's own number, on an asset, or in a pool already.
    """
    # The row is locked first, so that nobody assigns it meanwhile.
    session.execute(select(TrackingNumber.id).where(TrackingNumber.id == number.id).with_for_update())
    if number.status is not NumberStatus.active or number.main_line or number.number == site.number:
        raise Conflict(
            "%(number)s cannot be in a pool; use an active tracking number that pages do not show themselves",
            number=number.number,
        )
    on = session.scalar(
        select(AdMaterial.name)
        .join(NumberAssignment)
        .where(
            NumberAssignment.tracking_number_id == number.id,
            or_(NumberAssignment.ends_at.is_(None), NumberAssignment.quarantined_until > at),
        )
        .limit(1)
    )
    if on is not None:
        raise Conflict(
            "%(number)s is assigned to %(name)r, or cooling off after it; use another number",
            number=number.number,
            name=on,
        )
    row = session.scalar(select(PoolNumber).where(PoolNumber.tracking_number_id == number.id))
    if row is not None and row.removed_at is None:
        raise Conflict("%(number)s is already in a pool; remove it there first", number=number.number)
    if row is None:
        row = PoolNumber(tracking_number=number)
        session.add(row)
    row.site_id, row.added_at, row.removed_at = site.id, at, None
    row.held_until, row.lease_id = None, None
    session.flush()
    return row


def remove(session: Session, number: TrackingNumber, *, at: datetime) -> None:
    """Take a number out of its pool; late calls to it still find who was shown it."""
    row = session.scalar(select(PoolNumber).where(PoolNumber.tracking_number_id == number.id))
    if row is None or row.removed_at is not None:
        raise Conflict("%(number)s is not in a pool", number=number.number)
    row.removed_at = at
    session.flush()


def numbers_of(session: Session, site: Site) -> Sequence[PoolNumber]:
    """Return the numbers in a site's pool, by number."""
    rows = select(PoolNumber).join(TrackingNumber).where(PoolNumber.site_id == site.id)
    return session.scalars(rows.where(PoolNumber.removed_at.is_(None)).order_by(TrackingNumber.number)).all()


def has_numbers(session: Session, site: Site) -> bool:
    """Tell whether there is a number in a site's pool, held or not."""
    rows = select(PoolNumber.id).where(PoolNumber.site_id == site.id, PoolNumber.removed_at.is_(None))
    return session.scalar(rows.limit(1)) is not None


# --- Leases ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """What a visitor is shown: a number, and whether it begins to be held for him with this view."""

    number: str | None
    """None: the pool has none free."""
    begins: bool = False


def lease(session: Session, site: Site, visit: WebVisit, *, at: datetime, fresh: bool = False) -> Shown:
    """Show a visitor the number of the pool that he had, if nobody has it since, else the longest unused.

    Of workers that ask at the same time each gets another number.
    """
    usable = (
        select(PoolNumber, TrackingNumber.number)
        .join(TrackingNumber, TrackingNumber.id == PoolNumber.tracking_number_id)
        .where(
            PoolNumber.site_id == site.id,
            PoolNumber.removed_at.is_(None),
            TrackingNumber.status == NumberStatus.active,
        )
        # A row that another worker holds is his candidate, and not waited for.
        .with_for_update(of=PoolNumber, skip_locked=True)
        .execution_options(populate_existing=True)
        .limit(1)
    )
    his = (
        usable.join(
            Lease,
            and_(Lease.id == PoolNumber.lease_id, Lease.tracking_number_id == PoolNumber.tracking_number_id),
        )
        .join(WebVisit, WebVisit.id == Lease.visit_id)
        .where(WebVisit.visitor_id == visit.visitor_id)
        .order_by(Lease.id.desc())
    )
    is_free = or_(PoolNumber.held_until.is_(None), PoolNumber.held_until <= at)
    unused = usable.where(is_free).order_by(PoolNumber.shown_at.asc().nulls_first(), PoolNumber.id)
    # Who has come for the first time has had none.
    found = (None if fresh else session.execute(his).first()) or session.execute(unused).first()
    if found is None:
        return Shown(None)
    place, number = found
    held = session.get(Lease, place.lease_id) if place.lease_id is not None else None
    lapsed = place.held_until is None or place.held_until <= at
    # Who comes again by another way begins a lease of that visit: he would call because of it.
    if held is None or lapsed or held.visit_id != visit.id:
        held = Lease(tracking_number_id=place.tracking_number_id, visit_id=visit.id, starts_at=at, seen_at=at)
        session.add(held)
        session.flush()
    held.seen_at = max(held.seen_at, at)
    place.held_until, place.lease_id = at + timedelta(minutes=site.hold_minutes), held.id
    if lapsed:
        place.shown_at = at
    session.flush()
    return Shown(number, begins=lapsed)


def static_number(session: Session, campaign_id: int) -> str | None:
    """Return the number of a campaign that is nobody's own: that on its newest online asset."""
    return session.scalar(
        select(TrackingNumber.number)
        .join(NumberAssignment, NumberAssignment.tracking_number_id == TrackingNumber.id)
        .join(AdMaterial, AdMaterial.id == NumberAssignment.ad_material_id)
        .where(
            AdMaterial.campaign_id == campaign_id,
            AdMaterial.medium == Medium.online,
            NumberAssignment.ends_at.is_(None),
            TrackingNumber.status == NumberStatus.active,
        )
        .order_by(NumberAssignment.starts_at.desc())
        .limit(1)
    )


# --- How large a pool has to be ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Size:
    """A pool of some size, the share of visitors for whom it has no number, and what it costs in a month."""

    numbers: int
    loss: float
    cost_minor: int | None


@dataclass(frozen=True, slots=True)
class Replay:
    """What pools would have lost of a site's own visitors, each at his moment and for as long as he held."""

    visitors: int
    days: float
    now: Size | None
    """What the pool as it is would have lost; None without a pool."""
    wanted: tuple[tuple[float, Size], ...]
    """By share lost, the smallest pool that loses no more."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a pool stands."""

    numbers: int
    held: int
    """How many are held now."""
    busiest: int
    """New visitors of the busiest hour."""
    minutes: float
    """Mean minutes for which a number is held."""
    load: float
    """Numbers in use at once, on average, in the busiest hour (erlangs)."""
    lost: int
    """Visitors who got no number of their own in the last four weeks."""
    asked: int
    """All who should have had one."""
    now: Size | None
    """What the pool as it is loses in the busiest hour, by Erlang B; None without a pool or a visitor."""
    wanted: tuple[tuple[float, Size], ...]
    """By share lost, the size needed for it."""
    silent_since: datetime | None
    """When a number was last swapped, where by now that is longer ago than traffic explains."""
    replay: Replay | None = None
    """None where it was not asked for, or too little is recorded."""

    @property
    def is_short(self) -> bool:
        """Tell whether the pool runs out more often than one visitor in twenty."""
        return self.now is not None and self.now.loss > max(LOSSES)


def health(session: Session, site: Site, *, at: datetime, replays: bool = False) -> Health:
    """Work out how a site's pool stands, from the hours and leases of the last four weeks.

    ``replays`` lets its own visitors come once more, which takes a moment.
    """
    pool = numbers_of(session, site)
    since = at - _SPAN
    hours = session.scalars(
        select(SiteHour)
        .where(SiteHour.site_id == site.id, SiteHour.hour >= since - timedelta(hours=1))
        .order_by(SiteHour.hour)
    ).all()
    stayed = session.scalar(
        select(func.avg(micros(Lease.seen_at) - micros(Lease.starts_at)))
        .where(Lease.tracking_number_id.in_([row.tracking_number_id for row in pool]))
        .where(Lease.starts_at >= since)
    )
    minutes = float(stayed or 0) / 60_000_000 + site.hold_minutes
    busiest = max((row.leased + row.overflow for row in hours), default=0)
    load = busiest * minutes / 60

    def size(numbers: int, lost: Callable[[int], float]) -> Size:
        cost = None if site.number_cost_minor is None else numbers * site.number_cost_minor
        return Size(numbers, lost(numbers), cost)

    def sizes(lost: Callable[[int], float]) -> tuple[tuple[float, Size], ...]:
        return tuple((loss, size(smallest(lost, loss), lost)) for loss in LOSSES)

    def by_formula(numbers: int) -> float:
        return erlang_b(numbers, load)

    again = None
    if replays:
        starts, lengths = arrivals(session, site, hours, since=since, until=at, minutes=minutes)
        days = float(starts[-1] - starts[0]) / 86_400 if len(starts) else 0.0
        if len(starts) >= ENOUGH and days >= _ENOUGH_DAYS:

            @cache
            def replayed(numbers: int) -> float:
                return engaged(starts, lengths, numbers)

            now = size(len(pool), replayed) if pool else None
            again = Replay(len(starts), days, now, sizes(replayed))
    return Health(
        numbers=len(pool),
        held=sum(row.held_until is not None and row.held_until > at for row in pool),
        busiest=busiest,
        minutes=minutes,
        load=load,
        lost=sum(row.overflow for row in hours),
        asked=sum(row.leased + row.overflow for row in hours),
        now=size(len(pool), by_formula) if pool and busiest else None,
        wanted=sizes(by_formula) if busiest else (),
        silent_since=_silent_since(hours, at),
        replay=again,
    )


def arrivals(
    session: Session,
    site: Site,
    hours: Sequence[SiteHour],
    *,
    since: datetime,
    until: datetime,
    minutes: float,
) -> tuple[Floats, Floats]:
    """Return when visitors asked for a number of a pool, in seconds, and for how long each held it.

    Of whoever got none only the hour is known: he stands anywhere in it, for as long as others hold one.
    """
    # Numbers that have left the pool since were shown too.
    rows = session.execute(
        select(Lease.tracking_number_id, micros(Lease.starts_at), micros(Lease.seen_at))
        .join(Lease.visit)
        .join(WebVisit.visitor)
        .where(Lease.tracking_number_id.in_(select(PoolNumber.tracking_number_id)))
        .where(Visitor.site_id == site.id, Lease.starts_at >= since, Lease.starts_at <= until)
        .order_by(Lease.starts_at.desc(), Lease.id.desc())
        .limit(_REPLAYED)
    )
    held: dict[int, list[list[float]]] = {}
    for number, starts, seen in sorted(rows, key=lambda row: row[1]):
        start, end = starts / 1e6, seen / 1e6 + 60.0 * site.hold_minutes
        spans = held.setdefault(number, [])
        # Who comes again by another way while he holds it begins a lease, and takes no other number.
        if spans and start < spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], end)
        else:
            spans.append([start, end])
    found = [(start, end - start) for spans in held.values() for start, end in spans]
    first = min((start for start, _ in found), default=0.0)
    for row in hours:
        begins = row.hour.timestamp()
        if row.overflow and begins + 3600.0 > first:
            places = uniform(site.id, 0, "pool.lost", np.arange(row.overflow) + int(begins))
            found += [(begins + 3600.0 * place, 60.0 * minutes) for place in places.tolist()]
    table = np.array(sorted(found), dtype=np.float64).reshape(-1, 2)[-_REPLAYED:]
    return table[:, 0], table[:, 1]


def _silent_since(hours: Sequence[SiteHour], at: datetime) -> datetime | None:
    """Return when a number was last swapped, if so long ago that chance does not explain it.

    What is usual is the mean of the same hours of the week, as far back as there are any.
    """
    swapped = [row for row in hours if row.swapped]
    if not swapped:
        return None
    last = swapped[-1].hour + timedelta(hours=1)
    weeks = max(1.0, (last - hours[0].hour) / timedelta(weeks=1))
    usual: dict[int, float] = {}
    for row in swapped:
        usual[_of_week(row.hour)] = usual.get(_of_week(row.hour), 0.0) + row.swapped / weeks
    missing, hour = 0.0, last
    while hour + timedelta(hours=1) <= at and missing < _SILENT:
        missing += usual.get(_of_week(hour), 0.0)
        hour += timedelta(hours=1)
    return last if missing >= _SILENT else None


def _of_week(hour: datetime) -> int:
    return hour.weekday() * 24 + hour.hour
