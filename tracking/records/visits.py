"""Visits to the supplier's site, counted by day, campaign and channel: nobody's, and never touches."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from tracking.errors import Invalid
from tracking.language import channels
from tracking.records import import_outcome, sources
from tracking.records.import_outcome import ImportOutcome
from tracking.records.sources import UTM, Source, Sources, Trace, fold, tag
from tracking.storage import changes
from tracking.storage.models import Campaign, VisitCount
from tracking.storage.names import source_name, tidy
from tracking.storage.vocabulary import Base

ONLY_CAMPAIGNS = "campaigns only"
"""The breakdown of a report that leaves out visits without a campaign."""
FOLLOWED = "short links"
"""What counts visits by our own short links: a part of a site's visits, which other systems count whole."""
HERE = "Ringtrail"
"""Who counts the visits that the supplier's own pages report."""
_MOST = 1_000_000_000
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRecord:
    """Visits of one kind in one or more days; ``end`` is the first day no longer covered."""

    start: date
    end: date
    visits: int
    counted_by: str
    breakdown: str = ""
    site: str = ""
    channel: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None

    def by_day(self) -> Iterator[tuple[date, int]]:
        """Return the visits of each day: as told for one, spread evenly in whole visits over several."""
        days = (self.end - self.start).days
        each, more = divmod(self.visits, days)
        for number in range(days):
            # The odd ones are spread too, or the first days of each month would have all of them.
            extra = (number + 1) * more // days - number * more // days
            yield self.start + timedelta(days=number), each + extra


def save(
    session: Session, records: Sequence[VisitRecord], known: Sources | None = None
) -> list[ImportOutcome | Invalid]:
    """Add counts, or replace those of the same day, site, system, campaign and channel."""
    known = known or Sources(session)
    taken = [_checked_or_why_not(record) for record in records]
    there = _there(session, [record for record in taken if isinstance(record, VisitRecord)])
    outcomes = [
        _save_one(session, record, known, there) if isinstance(record, VisitRecord) else record
        for record in taken
    ]
    session.flush()
    return outcomes


def _checked_or_why_not(record: VisitRecord) -> VisitRecord | Invalid:
    try:
        return checked(record)
    except Invalid as error:
        return error


_Place = tuple[date, str]
Key = tuple[str, ...]


@dataclass(slots=True)
class _There:
    rows: dict[_Place, VisitCount]
    counted: dict[_Place, set[tuple[str, str]]]
    """By which system and by what each day of a site is counted."""


def key(row: VisitCount | VisitRecord) -> Key:
    """Return what tells a count from the others of its day, however it is written."""
    return (
        row.site,
        row.counted_by,
        fold(row.channel),
        *(fold(getattr(row, name)) for name in UTM),
    )


def _told(record: VisitRecord) -> str:
    return hashlib.sha256("\x1f".join(key(record)).encode()).hexdigest()


def _there(session: Session, records: Iterable[VisitRecord]) -> _There:
    found = _There({}, {})
    wanted = sorted({(day, _told(record)) for record in records for day, _ in record.by_day()})
    if not wanted:
        return found
    for start in range(0, len(wanted), _AT_ONCE):
        some = tuple_(VisitCount.day, VisitCount.told).in_(wanted[start : start + _AT_ONCE])
        found.rows |= {(row.day, row.told): row for row in session.scalars(select(VisitCount).where(some))}
    columns = (VisitCount.day, VisitCount.site, VisitCount.counted_by, VisitCount.breakdown)
    within = [*_within(wanted[0][0], wanted[-1][0] + timedelta(days=1)), VisitCount.counted_by != FOLLOWED]
    for day, site, counted_by, breakdown in session.execute(select(*columns).where(*within).distinct()):
        found.counted.setdefault((day, site), set()).add((counted_by, breakdown))
    return found


def _save_one(
    session: Session, record: VisitRecord, known: Sources, there: _There
) -> ImportOutcome | Invalid:
    mine = (record.counted_by, record.breakdown)
    for day, _ in record.by_day():
        for other in there.counted.get((day, record.site), set()) - {mine}:
            return Invalid(
                "period",
                "%(day)s is counted already by %(before)s; counted by %(now)s too, its visits would "
                "count twice. Remove those first, or import this file as another site",
                day=day,
                before=_called(*other),
                now=_called(*mine),
            )
    tags = {name: getattr(record, name) for name in UTM}
    campaign = known.of(Trace.of_tags(tags)).campaign
    effect, told = ImportOutcome.unchanged, _told(record)
    for day, visits in record.by_day():
        place = (day, told)
        row = there.rows.get(place)
        if row is None:
            row = VisitCount(
                day=day,
                told=told,
                site=record.site,
                counted_by=record.counted_by,
                breakdown=record.breakdown,
                channel=record.channel,
                campaign_id=campaign.id if campaign else None,
                visits=visits,
                **tags,
            )
            session.add(row)
            there.rows[place] = row
            there.counted.setdefault((day, record.site), set()).add(mine)
            effect = ImportOutcome.created
        else:
            given = {"visits": visits, "campaign_id": campaign.id if campaign else None}
            effect = import_outcome.apply(row, given, effect)
    return effect


def _called(counted_by: str, breakdown: str) -> str:
    return f"{counted_by or '?'} ({breakdown})" if breakdown else counted_by or "?"


def checked(record: VisitRecord) -> VisitRecord:
    """Return a record as it is kept, its channel by rule where none is told, or raise Invalid."""
    if not 0 <= record.visits <= _MOST:
        raise Invalid("visits", "must be 0 to %(most)s, not %(visits)s", most=_MOST, visits=record.visits)
    if not record.start < record.end:
        raise Invalid("period", "the last day is before the first day; swap them")
    if (record.end - record.start).days > 1100:
        raise Invalid("period", "covers more than three years; export shorter periods, best by day")
    tags = {name: tag(getattr(record, name)) for name in UTM}
    channel = record.channel and channels.canonical(source_name(record.channel, "channel"))
    channel = channel or sources.channel_of(Trace.of_tags(tags))[0]
    return VisitRecord(
        start=record.start,
        end=record.end,
        visits=record.visits,
        counted_by=tidy(record.counted_by)[:200],
        breakdown=record.breakdown,
        site=tidy(record.site)[:200],
        channel=channel or None,
        **tags,
    )


def add_followed(session: Session, day: date, campaign_id: int, number: int) -> None:
    """Add visits by short links to those of a campaign in a day."""
    told = hashlib.sha256(f"{FOLLOWED}\x1f{campaign_id}".encode()).hexdigest()
    besides = {"counted_by": FOLLOWED, "breakdown": ONLY_CAMPAIGNS, "campaign_id": campaign_id}
    _count(session, day, told, number, besides)


def counts() -> ColumnElement[bool]:
    """Return whether a count is one of the site's visits.

    Visits by short links stand for them on days that nothing else counts; elsewhere they would count twice.
    """
    other = aliased(VisitCount)
    whole = exists().where(other.day == VisitCount.day, other.counted_by != FOLLOWED)
    return or_(VisitCount.counted_by != FOLLOWED, ~whole)


class OneVisit(NamedTuple):
    """What is counted of a visit that our own pages report; those that are alike add up."""

    day: date
    told: str
    site: str
    channel: str | None
    campaign_id: int | None
    utm_source: str | None
    utm_medium: str | None
    utm_campaign: str | None


def one(day: date, site: str, trace: Trace, source: Source) -> OneVisit:
    """Return what is counted of a visit."""
    tags = {name: getattr(trace, name) for name in UTM}
    campaign_id = source.campaign.id if source.campaign else None
    row = VisitCount(site=site, counted_by=HERE, channel=source.channel, **tags)
    named = (*key(row), "" if any(tags.values()) else str(campaign_id or ""))
    told = hashlib.sha256("\x1f".join(named).encode()).hexdigest()
    return OneVisit(day, told, site, source.channel, campaign_id, **tags)


def add(session: Session, visit: OneVisit, number: int) -> bool:
    """Add visits to those of their day that we count; False where another system counts that day."""
    others = select(VisitCount.id).where(
        VisitCount.day == visit.day, VisitCount.site == visit.site, VisitCount.counted_by != HERE
    )
    if session.scalar(others.limit(1)) is not None:
        return False
    besides = visit._asdict() | {"counted_by": HERE, "breakdown": ""}
    _count(session, besides.pop("day"), besides.pop("told"), number, besides)
    return True


def _count(session: Session, day: date, told: str, number: int, besides: Mapping[str, Any]) -> None:
    place, rest = {"day": day, "told": told}, {**besides, "imported_by": None}
    add_up(session, VisitCount, place, {"visits": number}, rest)
    changes.note(session, tables=[VisitCount.__tablename__])


def add_up(
    session: Session,
    table: type[Base],
    key: Mapping[str, Any],
    sums: Mapping[str, int],
    besides: Mapping[str, Any] | None = None,
) -> None:
    """Add to the sums of a row, made where it is not there yet; in one statement, so that none is lost."""
    make: Any = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = make(table).values(**key, **sums, **(besides or {}))
    more = {name: getattr(table, name) + getattr(statement.excluded, name) for name in sums}
    statement = statement.on_conflict_do_update(index_elements=list(key), set_=more)
    session.execute(statement, execution_options={"synchronize_session": False, changes.NOTED: True})


# --- What is there -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counted:
    """What one system has counted of a site: how much, from when to when."""

    site: str
    counted_by: str
    breakdown: str
    visits: int
    first: date
    last: date

    @property
    def only_campaigns(self) -> bool:
        """Tell whether visits without a campaign are left out, as in a report of campaigns."""
        return self.breakdown == ONLY_CAMPAIGNS


def counted(session: Session, start: date | None = None, end: date | None = None) -> list[Counted]:
    """Return which systems have counted, in some days or ever."""
    columns = (VisitCount.site, VisitCount.counted_by, VisitCount.breakdown)
    query = select(*columns, func.sum(VisitCount.visits), func.min(VisitCount.day), func.max(VisitCount.day))
    rows = session.execute(query.where(*_within(start, end), counts()).group_by(*columns).order_by(*columns))
    return [
        Counted(site, by, breakdown, int(visits), first, last)
        for site, by, breakdown, visits, first, last in rows
    ]


def by_source(
    session: Session, start: date | None = None, end: date | None = None
) -> list[tuple[str | None, str | None, int]]:
    """Return channel, campaign and visits, most visits first."""
    channel: ColumnElement[str | None] = func.coalesce(Campaign.channel, VisitCount.channel)
    total = func.sum(VisitCount.visits)
    query = (
        select(channel, Campaign.name, total)
        .outerjoin(Campaign, Campaign.id == VisitCount.campaign_id)
        .where(*_within(start, end), counts())
        .group_by(channel, Campaign.name)
        .order_by(total.desc(), channel, Campaign.name)
    )
    return [(of, name, int(visits)) for of, name, visits in session.execute(query)]


def remove(session: Session, start: date, end: date, *, site: str = "", counted_by: str | None = None) -> int:
    """Take the counts of some days of a site out, so that another system's can come in; return the visits."""
    where = [*_within(start, end), VisitCount.site == tidy(site)]
    if counted_by is not None:
        where.append(VisitCount.counted_by == tidy(counted_by))
    gone = session.scalar(select(func.sum(VisitCount.visits)).where(*where)) or 0
    session.execute(delete(VisitCount).where(*where), execution_options={"synchronize_session": False})
    return int(gone)


def _within(start: date | None, end: date | None) -> list[ColumnElement[bool]]:
    return [
        *([VisitCount.day >= start] if start else []),
        *([VisitCount.day < end] if end else []),
    ]
