"""How good the data behind a report are: what is missing or doubtful, how much of it, and what to mend."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from attribution import UNATTRIBUTED
from reports.evidence import is_campaign
from reports.kpis import Period
from reports.roi import TOTAL
from tracking.records import rates
from tracking.reporting.roi import Comparison, attended
from tracking.reporting.snapshots import Snapshot
from tracking.storage.config import Settings
from tracking.storage.models import (
    Account,
    AdMaterial,
    Call,
    CallHolder,
    Campaign,
    Cost,
    ImportRun,
    InboxEvent,
    Job,
    NumberAssignment,
    ReportSchedule,
    Site,
)
from tracking.storage.vocabulary import Certainty, JobState
from tracking.telephony import numbers, pools

STALE_AFTER = timedelta(days=35)
"""An import that was once made and has not been repeated for so long is stale (an assumption)."""
RECENT = timedelta(days=30)
"""Jobs that failed longer ago are past mending (an assumption)."""
GAP_DAYS = 31
"""So many of a campaign's own days may lack a cost before its costs count as missing (an assumption)."""
MOST = 10_000
"""Rows are counted up to here; of more it is said that there are more."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that may be wrong with the data.

    ``count`` is None where it cannot be known before something else is mended; ``of`` is what it is a part
    of, such as all qualifying calls; ``share`` is the part of the revenue it concerns.
    """

    kind: str
    count: int | None
    of: int | None = None
    names: tuple[str, ...] = ()
    share: float | None = None

    @property
    def more(self) -> bool:
        """Tell whether there are more than were counted."""
        return self.count is not None and self.count > MOST


def findings(
    session: Session,
    settings: Settings,
    period: Period,
    *,
    at: datetime,
    snapshot: Snapshot | None,
    found: Comparison | None,
) -> list[Finding]:
    """Look for everything that may be wrong with the data of a period; counts of zero are findings too.

    Calls that nobody asked about are counted in the columns of the snapshot; the rest by queries that an
    index answers, none of which reads all calls. What reports are made of is counted once for each snapshot
    and day.
    """
    today = at.astimezone(settings.zone).date()

    def recorded() -> list[Finding]:
        return [
            Finding("no_rate", *_without_rate(session, settings)),
            *_from_tables(period, snapshot, found),
            *_stray_calls(session, period),
            _expired(session, settings, at),
            _nameless(session, period),
            _alike(session),
            Finding("cost_gaps", *_gaps(session, period, today)),
        ]

    # None of these changes without the snapshot changing too.
    key = ("quality", period, today, found and found.question)
    return [
        *(recorded() if snapshot is None else snapshot.remember(key, recorded)),
        Finding("stale", *_stale(session, at)),
        _silent(session, at),
        Finding("not_understood", _counted(session, select(InboxEvent.id).where(*_NOT_UNDERSTOOD))),
        Finding("failed_jobs", *_failed_jobs(session, at)),
        Finding("failed_schedules", *_failed_schedules(session)),
    ]


_NOT_UNDERSTOOD = (InboxEvent.processed_at.is_(None), InboxEvent.error.is_not(None))


def _counted(session: Session, query: Select[Any]) -> int:
    """Count the rows of a query, at most one more than :data:`MOST`."""
    return session.scalar(select(func.count()).select_from(query.limit(MOST + 1).subquery())) or 0


def _from_tables(period: Period, snapshot: Snapshot | None, found: Comparison | None) -> list[Finding]:
    if snapshot is None or found is None:
        return [Finding(kind, None) for kind in ("unasked", "unattributed", "unconnected", "no_cost")]
    telephone = attended(snapshot, period)
    qualifying = int(telephone["qualifying_calls"] or 0)
    model, lines = found.models[0], found.lines
    lost = lines.get(UNATTRIBUTED, {}).get(model, {})
    named = {name: rows[model] for name, rows in lines.items() if is_campaign(name)}
    free = [name for name, row in named.items() if not row["cost_minor"] and _active(row)]
    unseen = [
        name for name, row in named.items() if row["cost_minor"] and name not in found.evidence.connected
    ]
    deals = round(lines[TOTAL][model]["deals"])
    share = found.share_of(UNATTRIBUTED, model)
    return [
        Finding("unasked", qualifying - int(telephone["asked"] or 0), qualifying),
        Finding("unattributed", round(lost.get("deals", 0)), deals, share=share),
        Finding("unconnected", len(unseen), names=tuple(unseen)),
        Finding("no_cost", len(free), names=tuple(free)),
    ]


def _active(row: dict[str, Any]) -> bool:
    return any(row[name] for name in ("calls", "leads", "qualified_leads", "deals"))


def _stray_calls(session: Session, period: Period) -> Iterable[Finding]:
    # Both conditions begin with a column that an index serves: (tracking number, moment), and assignment.
    real = (Call.spam.is_(False), Call.started_at >= period.since, Call.started_at < period.until)
    unknown = select(Call.id).where(Call.tracking_number_id.is_(None), *real)
    nobodys = select(Call.id).where(
        Call.tracking_number_id.is_not(None),
        Call.tracking_number_id.not_in(numbers.main_lines()),
        Call.assignment_id.is_(None),
        ~exists().where(CallHolder.call_id == Call.id),
        *real,
    )
    yield Finding("unknown_numbers", _counted(session, unknown))
    yield Finding("nobodys_numbers", _counted(session, nobodys))
    yield from _of_pools(session, period)
    yield Finding("main_line", *numbers.by_main_line(session, period.since, period.until))


def _of_pools(session: Session, period: Period) -> Iterable[Finding]:
    days = (
        CallHolder.started_at >= period.since,
        CallHolder.started_at < period.until,
        CallHolder.call.has(Call.spam.is_(False)),
    )
    of = dict(
        session.execute(
            select(CallHolder.certainty, func.count()).where(*days).group_by(CallHolder.certainty)
        ).all()
    )
    unsure = of.get(Certainty.likely, 0) + of.get(Certainty.unknown, 0)
    yield Finding("unsure_visitor", unsure, sum(of.values()))
    where = select(CallHolder.last_page).where(CallHolder.certainty == Certainty.nobody, *days).distinct()
    pages = tuple(sorted(page for page in session.scalars(where.limit(10)) if page))
    yield Finding("printed_pool", of.get(Certainty.nobody, 0), names=pages)


def _silent(session: Session, at: datetime) -> Finding:
    rows = session.scalars(select(Site).order_by(Site.name)).all()
    names = tuple(site.name for site in rows if pools.health(session, site, at=at).silent_since)
    return Finding("silent_site", len(names), names=names)


def _expired(session: Session, settings: Settings, at: datetime) -> Finding:
    today = at.astimezone(settings.zone).date()
    # Few pieces have expired; from them the index of assignments leads to their calls.
    rings = (
        select(Call.id)
        .join(NumberAssignment, NumberAssignment.id == Call.assignment_id)
        .where(NumberAssignment.ad_material_id == AdMaterial.id)
        .where(Call.started_at >= at - timedelta(days=90), Call.spam.is_(False))
        .exists()
    )
    rows = session.execute(
        select(AdMaterial.name, Campaign.name)
        .join(Campaign, Campaign.id == AdMaterial.campaign_id)
        .where(AdMaterial.expires_on < today, rings)
        .order_by(Campaign.name, AdMaterial.name)
    ).all()
    return Finding("still_ringing", len(rows), names=tuple(f"{owner}, {piece}" for piece, owner in rows))


def _nameless(session: Session, period: Period) -> Finding:
    return Finding("nameless", _counted(session, nameless(period).with_only_columns(Account.id)))


def nameless(period: Period) -> Select[Account]:
    """Return the companies of a period that are known only by a caller's number, the newest first."""
    # Whoever has a name has its key too, and by that an index finds those that have none.
    whole = (Account.name_key.is_(None), Account.merged_into_id.is_(None), Account.external_id.is_(None))
    days = (Account.created_at >= period.since, Account.created_at < period.until)
    return select(Account).where(*whole, *days).order_by(Account.created_at.desc(), Account.id.desc())


def _alike(session: Session) -> Finding:
    """Count names and domains that several companies have which are not merged."""
    total = 0
    for column in (Account.domain, Account.name_key):
        # Those that occur twice are found in the index alone; only of them the rows are read.
        twice = select(column).where(column.is_not(None)).group_by(column).having(func.count() > 1)
        alike = (
            select(column)
            .where(column.in_(twice), Account.merged_into_id.is_(None))
            .group_by(column)
            .having(func.count() > 1)
        )
        total += _counted(session, alike)
    return Finding("alike", total)


def _gaps(session: Session, period: Period, today: Any) -> tuple[int, None, tuple[str, ...]]:
    """Find campaigns with a first day of which too many days in the period lie outside all of their costs.

    A campaign without any cost there is another finding.
    """
    spans: dict[int | None, list[tuple[Any, Any]]] = {}
    costs = select(Cost.campaign_id, Cost.period_start, Cost.period_end).where(
        Cost.campaign_id.is_not(None), Cost.period_start < period.end, Cost.period_end > period.start
    )
    for owner, start, end in session.execute(costs.order_by(Cost.period_start)):
        spans.setdefault(owner, []).append((start, end))
    names = []
    for row in session.scalars(
        select(Campaign).where(Campaign.starts_on.is_not(None)).order_by(Campaign.name)
    ):
        assert row.starts_on is not None
        place = max(row.starts_on, period.start)
        last = min(row.ends_on + timedelta(days=1) if row.ends_on else period.end, period.end)
        last = min(last, today + timedelta(days=1))
        if row.id not in spans:
            continue
        missing = 0
        for start, end in spans[row.id]:
            missing += max((min(start, last) - place).days, 0)
            place = max(place, end)
        if missing + max((last - place).days, 0) > GAP_DAYS:
            names.append(row.name)
    return len(names), None, tuple(names)


def _without_rate(session: Session, settings: Settings) -> tuple[int, None, tuple[str, ...]]:
    """Count won deals and costs in currencies that have no rate on their day, and name the currencies."""
    found = rates.lacking(session, settings.currency, settings.zone)
    return sum(lack.amounts for lack in found), None, tuple(lack.currency for lack in found)


def _stale(session: Session, at: datetime) -> tuple[int, None, tuple[str, ...]]:
    standing = select(ImportRun.kind, func.max(ImportRun.finished_at)).where(ImportRun.undone_at.is_(None))
    last = standing.group_by(ImportRun.kind)
    old = sorted(kind for kind, ended in session.execute(last) if ended < at - STALE_AFTER)
    return len(old), None, tuple(old)


def _failed_jobs(session: Session, at: datetime) -> tuple[int, None, tuple[str, ...]]:
    failed = select(Job.label).where(Job.state == JobState.failed, Job.finished_at >= at - RECENT)
    names = tuple(session.scalars(failed.order_by(Job.id.desc()).limit(MOST + 1)))
    return len(names), None, names


def _failed_schedules(session: Session) -> tuple[int, None, tuple[str, ...]]:
    failed = select(ReportSchedule.name).where(ReportSchedule.last_error.is_not(None))
    names = tuple(session.scalars(failed.order_by(ReportSchedule.name)))
    return len(names), None, names
