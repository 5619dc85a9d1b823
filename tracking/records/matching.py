"""Tags of visits and touches that name no campaign yet, and the rules by which they get one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from tracking.language import channels
from tracking.records import sources
from tracking.records.sources import UTM, Sources, fold
from tracking.storage.models import Campaign, SourceRule, Touch, VisitCount

LOOKED_AT = 1000
"""So many of the latest visits a preview looks at."""
_UNPAID = frozenset(
    {
        channels.ORGANIC_SEARCH,
        channels.ORGANIC_SOCIAL,
        channels.LINK,
        channels.DIRECT,
        channels.AI,
        channels.OTHER,
    }
)
"""Visits of these without the name of a campaign are not expected to have one."""


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


def unmatched(session: Session, zone: ZoneInfo) -> list[Unmatched]:
    """Return the tags of visits and touches without a campaign, those of most visits first."""
    found: dict[tuple[str, ...], list[Unmatched]] = {}
    known = Sources(session)
    for one in (*_visits_without(session), *_touches_without(session, zone)):
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


def _touches_without(session: Session, zone: tzinfo = UTC) -> Iterator[Unmatched]:
    # Whoever asks for no days needs no zone.
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
        first, last = (moment.astimezone(zone).date() for moment in (first, last))
        yield Unmatched(named, channel, 0, touches, first, last, ())


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
