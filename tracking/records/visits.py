"""Visits to the supplier's site, counted by day, campaign and channel: nobody's, and never touches."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from tracking.errors import Invalid
from tracking.language import channels
from tracking.records import import_outcome, sources
from tracking.records.import_outcome import ImportOutcome
from tracking.records.sources import UTM, Sources, Trace, fold, tag
from tracking.storage.models import Campaign, SourceRule, Touch, VisitCount
from tracking.storage.names import source_name, tidy

ONLY_CAMPAIGNS = "campaigns only"
"""The breakdown of a report that leaves out visits without a campaign."""
LOOKED_AT = 1000
"""So many of the latest visits a preview looks at."""
_MOST = 1_000_000_000
_AT_ONCE = 500
_UNPAID = frozenset(
    {
        channels.ORGANIC_SEARCH,
        channels.ORGANIC_SOCIAL,
        channels.REFERRAL,
        channels.DIRECT,
        channels.AI,
        channels.OTHER,
    }
)
"""Visits of these without the name of a campaign are not expected to have one."""


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
    within = _within(wanted[0][0], wanted[-1][0] + timedelta(days=1))
    for day, site, counted_by, breakdown in session.execute(select(*columns).where(*within).distinct()):
        found.counted.setdefault((day, site), set()).add((counted_by, breakdown))
    return found


def _save_one(
    session: Session, record: VisitRecord, known: Sources, there: _There
) -> ImportOutcome | Invalid:
    try:
        mine = (record.counted_by, record.breakdown)
        for day, _ in record.by_day():
            for other in there.counted.get((day, record.site), set()) - {mine}:
                raise Invalid(
                    "period",
                    "%(day)s is counted already by %(before)s; counted by %(now)s too, its visits would "
                    "count twice. Remove those first, or import this file as another site",
                    day=day,
                    before=_called(*other),
                    now=_called(*mine),
                )
    except Invalid as error:
        return error
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
    channel = record.channel and channels.one_name(source_name(record.channel, "channel"))
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


# --- Visits of no campaign ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Tags that name no campaign, or several equally well."""

    tags: Mapping[str, str | None]
    channel: str | None
    visits: int
    touches: int
    first: date
    last: date
    candidates: tuple[str, ...]

    @property
    def words(self) -> str:
        """Return the tags on one line."""
        return " / ".join(value for value in self.tags.values() if value)


def unmatched(session: Session) -> list[Unmatched]:
    """Return the tags of visits and touches without a campaign, those of most visits first."""
    found: dict[tuple[str, ...], list[Unmatched]] = {}
    known = Sources(session)
    for one in (*_visits_without(session), *_touches_without(session)):
        expected = one.tags["utm_campaign"] or (one.channel and one.channel not in _UNPAID)
        if expected:
            found.setdefault(tuple(fold(value) for value in one.tags.values()), []).append(one)
    rows = [
        Unmatched(
            same[0].tags,
            same[0].channel,
            sum(one.visits for one in same),
            sum(one.touches for one in same),
            min(one.first for one in same),
            max(one.last for one in same),
            _several(known, same[0].tags),
        )
        # The spelling of most visits stands for the others.
        for same in (sorted(each, key=lambda one: (-one.visits, one.words)) for each in found.values())
    ]
    return sorted(rows, key=lambda one: (-one.visits, -one.touches, one.words))


def _several(known: Sources, tags: Mapping[str, str | None]) -> tuple[str, ...]:
    fits = known.campaigns(tags)
    return tuple(each.name for each in fits) if len(fits) > 1 else ()


def _has_tags(table: type[VisitCount] | type[Touch]) -> ColumnElement[bool]:
    return or_(*(getattr(table, name).is_not(None) for name in UTM))


def _visits_without(session: Session) -> Iterator[Unmatched]:
    columns = [getattr(VisitCount, name) for name in UTM]
    query = (
        select(
            *columns,
            VisitCount.channel,
            func.sum(VisitCount.visits),
            func.min(VisitCount.day),
            func.max(VisitCount.day),
        )
        .where(VisitCount.campaign_id.is_(None), _has_tags(VisitCount))
        .group_by(*columns, VisitCount.channel)
    )
    for *tags, channel, visits, first, last in session.execute(query):
        yield Unmatched(dict(zip(UTM, tags, strict=True)), channel, int(visits), 0, first, last, ())


def _touches_without(session: Session) -> Iterator[Unmatched]:
    columns = [getattr(Touch, name) for name in UTM]
    query = (
        select(
            *columns, Touch.channel, func.count(), func.min(Touch.occurred_at), func.max(Touch.occurred_at)
        )
        .where(Touch.campaign_id.is_(None), _has_tags(Touch))
        .group_by(*columns, Touch.channel)
    )
    for *tags, channel, touches, first, last in session.execute(query):
        named = dict(zip(UTM, tags, strict=True))
        yield Unmatched(named, channel, 0, touches, first.date(), last.date(), ())


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would do to the latest visits, and to all that have no campaign."""

    looked_at: int
    """Visits, :data:`LOOKED_AT` where there are so many."""
    before: int
    """Of these, those with a campaign as it is."""
    after: int
    """Of these, those with a campaign by the new rule too."""
    visits: int
    """Of all visits, those that the campaign gets."""
    touches: int


def preview(session: Session, tags: Mapping[str, str | None], campaign: Campaign | None = None) -> Preview:
    """Say what it would do if visits with these tags were a campaign's, of a new one where none is named."""
    wanted = sources.Rule(campaign or Campaign(name="?"), tuple(fold(tags.get(name)) for name in UTM), True)
    looked_at = before = after = 0
    latest = select(VisitCount).order_by(VisitCount.day.desc(), VisitCount.id.desc()).limit(5 * LOOKED_AT)
    for row in session.scalars(latest):
        some = min(row.visits, LOOKED_AT - looked_at)
        looked_at += some
        before += some if row.campaign_id else 0
        after += some if row.campaign_id or _fits(wanted, row) else 0
        if looked_at >= LOOKED_AT:
            break
    gains = [
        one
        for one in (*_visits_without(session), *_touches_without(session))
        if wanted.fit(tuple(fold(value) for value in one.tags.values())) is not None
    ]
    return Preview(
        looked_at, before, after, sum(one.visits for one in gains), sum(one.touches for one in gains)
    )


def _fits(rule: sources.Rule, row: VisitCount) -> bool:
    return rule.fit(tuple(fold(getattr(row, name)) for name in UTM)) is not None


def match(
    session: Session, campaign: Campaign, tags: Mapping[str, str | None], *, at: datetime
) -> tuple[int, int]:
    """Let visits with these tags be a campaign's, past ones too; return the visits and touches it has got."""
    sources.add_rule(session, campaign, tags, at=at)
    return rematch(session)


def rematch(session: Session) -> tuple[int, int]:
    """Give visits and touches without a campaign the one that their tags name by now; return how many."""
    known = Sources(session)
    moved = [0, 0]
    tables: tuple[tuple[type[VisitCount] | type[Touch], Iterator[Unmatched]], ...] = (
        (VisitCount, _visits_without(session)),
        (Touch, _touches_without(session)),
    )
    for place, (table, found) in enumerate(tables):
        for one in list(found):
            fits = known.campaigns(one.tags)
            if len(fits) != 1:
                continue
            same = [getattr(table, name).is_not_distinct_from(value) for name, value in one.tags.items()]
            told: dict[str, object] = {"campaign_id": fits[0].id}
            if table is Touch:
                told["channel"] = None
            session.execute(
                update(table).where(table.campaign_id.is_(None), *same).values(told),
                execution_options={"synchronize_session": False},
            )
            moved[place] += one.visits or one.touches
    if any(moved):
        session.expire_all()
    return moved[0], moved[1]


def rules(session: Session) -> list[tuple[SourceRule, str]]:
    """Return the rules that people have added, each with its campaign's name."""
    query = select(SourceRule, Campaign.name).join(Campaign, Campaign.id == SourceRule.campaign_id)
    return [(rule, name) for rule, name in session.execute(query.order_by(Campaign.name, SourceRule.id))]


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
    rows = session.execute(query.where(*_within(start, end)).group_by(*columns).order_by(*columns))
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
        .where(*_within(start, end))
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
