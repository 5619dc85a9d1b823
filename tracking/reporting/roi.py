"""The ROI report as every edge gives it: one snapshot of the data, the same defaults everywhere."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.orm import Session

from attribution import MODELS, UNATTRIBUTED
from attribution.shares import UNIT
from reports.daily import desk
from reports.evidence import Evidence, connected, coverage, is_campaign
from reports.intervals import Resampled, resampled
from reports.kpis import Period, ratio
from reports.maturity import Maturity, still_to_come
from reports.roi import OVERHEAD, TOTAL, summed
from reports.trends import Step, spans, trend, year_before
from reports.worth import buying, figures
from tracking.errors import Invalid
from tracking.reporting import snapshots
from tracking.reporting.credit import Credit, Window
from tracking.reporting.snapshots import Snapshot
from tracking.reporting.spending import visits_in
from tracking.storage.config import Settings

DEFAULT_DAYS = 365
# "custom" has no weights of its own; a report names only models that a name alone describes.
REPORTED = tuple(name for name in MODELS if name != "custom")


@dataclass(frozen=True, slots=True)
class RoiReport:
    """An ROI table (columns of reports.roi.ROI) and what it was made with."""

    table: pa.Table
    models: tuple[str, ...]
    period: Period
    lookback_days: float
    currency: str
    unavailable: Mapping[str, str]
    """Models that these data do not support, and why."""
    taken_at: datetime
    """The data are as of this moment."""
    evidence: Evidence
    """What is connected, under the first model."""

    @property
    def connected(self) -> dict[str, Any]:
        """Return how much of the period is connected, and which campaigns with a cost are not, as JSON."""
        whole = self.evidence.coverage
        parts = {"revenue": whole.revenue, "calls": whole.calls, "deals": whole.deals}
        unseen = {
            row["campaign"]
            for row in self.table.to_pylist()
            if is_campaign(row["campaign"])
            and row["cost_minor"]
            and row["campaign"] not in self.evidence.connected
        }
        return {
            name: {"connected": part.connected, "of": part.of, "share": part.share}
            for name, part in parts.items()
        } | {"unconnected": sorted(unseen)}

    @property
    def last_day(self) -> date:
        """Return the last day covered."""
        return self.period.end - timedelta(days=1)


def period_of(settings: Settings, today: date, first: date | None, last: date | None) -> Period:
    """Return the local days from ``first`` to ``last``, both covered; by default the year up to today."""
    last = last or today
    first = first or last - timedelta(days=DEFAULT_DAYS - 1)
    if last < first:
        raise Invalid(
            "to", "the last day, %(last)s, is before the first day, %(first)s", last=last, first=first
        )
    return Period(first, last + timedelta(days=1), settings.zone)


def roi_report(
    taken: Snapshot,
    settings: Settings,
    models: Sequence[str],
    *,
    today: date,
    first: date | None = None,
    last: date | None = None,
    lookback_days: float | None = None,
) -> RoiReport:
    """Set each campaign's credited revenue against its cost, under each of ``models``.

    A model that needs what the data do not hold (answers, several channels) is named in ``unavailable``;
    it spoils no other.

    Raises
    ------
    Invalid
        If a model is unknown, or none of them can be computed.
    """
    wanted = tuple(dict.fromkeys(models))
    _refuse_unknown(wanted)
    period = period_of(settings, today, first, last)
    question = Question(wanted, period, lookback_days or settings.lookback_days)
    credit, table = _roi(taken, settings, question)
    return RoiReport(
        table,
        tuple(credit.parts),
        period,
        question.lookback_days,
        settings.currency,
        credit.missing,
        taken.taken_at,
        evidence(taken, settings, replace(question, models=tuple(n for n in wanted if n in credit.parts))),
    )


def evidence(taken: Snapshot, settings: Settings, question: "Question") -> Evidence:
    """Return what is connected in a period under a question's first model, of all campaigns."""
    every = replace(question, models=question.models[:1], campaigns=None)

    def make() -> Evidence:
        _, table = _roi(taken, settings, every)
        return Evidence(coverage(table.to_pylist()), connected(taken.activity.observed, every.period.end))

    return taken.remember(("evidence", every), make)


def _roi(taken: Snapshot, settings: Settings, question: "Question") -> tuple[Credit, pa.Table]:
    """Return what the models of a question credit, and the ROI table of its period: the one way to it."""
    credit = credit_of(taken, settings, question)
    if not credit.parts:
        raise _none_of(credit.missing)
    table = taken.remember(
        ("roi", question),
        lambda: summed(
            credit.daily,
            taken.activity,
            question.period,
            currency=settings.currency,
            campaigns=question.campaigns,
        ),
    )
    return credit, table


def _refuse_unknown(models: Sequence[str]) -> None:
    if unknown := [name for name in models if name not in REPORTED]:
        raise Invalid(
            "model",
            "%(name)r is not a model; use one of: %(known)s",
            name=unknown[0],
            known=", ".join(REPORTED),
        )


def _none_of(unavailable: Mapping[str, str]) -> Invalid:
    return Invalid("model", "; ".join(f"{name}: {reason}" for name, reason in unavailable.items()))


@dataclass(frozen=True, slots=True)
class Question:
    """What a report is asked: models, days, window, and which campaigns (None: all, overhead included)."""

    models: tuple[str, ...]
    period: Period
    lookback_days: float
    campaigns: frozenset[str] | None = None


@dataclass(frozen=True)
class Comparison:
    """ROI by campaign under several models, with all that says how far it can be trusted."""

    question: Question
    table: pa.Table
    """Columns of reports.roi.ROI, and ``roi_low`` and ``roi_high``: 80 % intervals over buying_times."""
    drawn: Resampled
    maturity: Maturity
    before: dict[str, dict[str, Any]]
    """The total of another period to compare with, by model; empty where none was asked for."""
    alike: dict[str, bool]
    """Of each measure whether it was recorded in all of that period, so that growth can be told."""
    unavailable: dict[str, str]
    """Models that these data do not support, and why."""
    taken_at: datetime
    stale: bool
    evidence: Evidence
    """What is connected, whichever campaigns are asked for: the gate before every verdict."""
    under: "Callable[[tuple[str, ...]], Comparison]"
    """The same question under other models."""

    @property
    def models(self) -> tuple[str, ...]:
        """Return the models that could be computed, as they were asked for."""
        return self.drawn.models

    @cached_property
    def lines(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the rows by campaign and model: campaigns by name, lines in brackets, the total."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for row in self.table.to_pylist():
            found.setdefault(row["campaign"], {})[row["model"]] = row
        order = sorted(found, key=lambda name: (name == TOTAL, name.startswith("("), name))
        return {name: found[name] for name in order}

    def share_of(self, line: str, model: str) -> float | None:
        """Return what share of the total revenue a line holds, such as what is unattributed."""
        part = self.lines.get(line, {}).get(model, {}).get("revenue_minor", 0)
        return ratio(part, self.lines[TOTAL][model]["revenue_minor"])


def snapshot(session: Session, settings: Settings, *, at: datetime) -> Snapshot:
    """Return the journey tables as they are, or nearly; Preparing where they are being read."""
    return snapshots.current(session, settings, at=at)


def compare(
    taken: Snapshot, settings: Settings, question: Question, *, at: datetime, against: Period | None = None
) -> Comparison:
    """Answer a question, once for each state of the data and day.

    Raises
    ------
    Invalid
        If a model is unknown, or none of them can be computed.
    """
    _refuse_unknown(question.models)
    key = ("comparison", question, against, at.astimezone(settings.zone).date())
    return taken.remember(key, lambda: _compare(taken, settings, question, at, against))


def _compare(
    taken: Snapshot, settings: Settings, question: Question, at: datetime, against: Period | None
) -> Comparison:
    credit, table = _roi(taken, settings, question)
    first = next(iter(credit.parts))
    costs = {
        row["campaign"]: row["cost_minor"]
        for row in table.to_pylist()
        if row["model"] == first and row["campaign"] not in (TOTAL, OVERHEAD) and row["cost_minor"]
    }
    # The same deals give the same intervals, whatever else has changed since the base was written.
    memory = taken.base.memory if credit.is_shared else taken.memory
    drawn = memory.get(
        ("drawn", question, credit.version, tuple(sorted(costs.items()))),
        lambda: resampled(credit.won, question.period, costs, campaigns=question.campaigns),
    )
    lines = taken.lines(first, _window(settings, question))
    maturity = still_to_come(taken.buying_times, lines, first, question.period, at)

    def interval(row: dict[str, Any]) -> tuple[float, float] | None:
        if row["roi"] is None:
            return None
        if row["campaign"] == TOTAL:
            return drawn.total(row["model"], row["cost_minor"])
        return drawn.roi(row["model"], row["campaign"])

    ends = [interval(row) for row in table.to_pylist()]
    for place, name in enumerate(("roi_low", "roi_high")):
        values = pa.array([end and end[place] for end in ends], pa.float64())
        table = table.append_column(name, values)
    before, alike = {}, {}
    if against is not None:
        before = totals(taken, settings, replace(question, period=against))
        alike = recorded(taken, against)
    return Comparison(
        question,
        table,
        drawn,
        maturity,
        before,
        alike,
        dict(credit.missing),
        taken.taken_at,
        taken.stale,
        evidence(taken, settings, replace(question, models=drawn.models)),
        lambda models: compare(taken, settings, replace(question, models=models), at=at),
    )


def recorded(taken: Snapshot, period: Period) -> dict[str, bool]:
    """Tell of each measure whether it was recorded from the beginning of a period on.

    What began to be recorded within it has neither grown nor fallen since. Nothing says when recording
    began but the first record: one within :data:`GRACE_DAYS` of the period's first day will do. In the first
    year of recording old customers count as new ones, and early deals lack the touches before them: what
    that concerns has to have been recorded :data:`FIRST_DAYS` earlier.
    """
    began = taken.remember("began", lambda: _began(taken.tables, period.zone))
    last = period.start + timedelta(days=GRACE_DAYS)

    def whole(measure: str, name: str) -> bool:
        first = began[name]
        days = timedelta(days=FIRST_DAYS if measure in _NEW else 0)
        return first is not None and first + days <= last

    return {measure: any(whole(measure, name) for name in names) for measure, names in _RECORDED_BY.items()}


GRACE_DAYS = 31
"""A record so many days into a period may be the first of a quiet month (an assumption)."""
FIRST_DAYS = 365
"""So long whoever was there before seems to be new (an assumption)."""
# Not the first lead: a deal's file may name the day of a lead from long before anything was recorded.
_MET = ("calls", "touches")
_NEW = frozenset({"leads", "qualified_leads", "customers", "credited_minor"})
_RECORDED_BY = {
    "calls": ("calls",),
    "leads": _MET,
    "qualified_leads": _MET,
    "customers": ("deals",),
    "deals": ("deals",),
    "revenue_minor": ("deals",),
    "credited_minor": _MET,
    "cost_minor": ("costs",),
}


def _began(tables: Any, zone: ZoneInfo) -> dict[str, date | None]:
    goals = tables.conversions["goal"]
    columns = {
        "calls": tables.calls["started_at"],
        "touches": tables.touches["occurred_at"],
        "deals": tables.conversions["converted_at"].filter(pc.equal(goals, "won")),
        "costs": tables.costs["period_start"],
    }
    firsts = {name: pc.min(column).as_py() for name, column in columns.items()}
    return {
        name: at.astimezone(zone).date() if isinstance(at, datetime) else at for name, at in firsts.items()
    }


def _window(settings: Settings, question: Question) -> Window:
    return Window(question.lookback_days, settings.half_life_days)


def credit_of(taken: Snapshot, settings: Settings, question: Question) -> Credit:
    """Return what a question's models credit, and which of them are unavailable and why."""
    return taken.credit(question.models, _window(settings, question))


def _first_of(taken: Snapshot, settings: Settings, question: Question) -> Credit:
    """Return what a question's first model credits."""
    model = question.models[0]
    credit = taken.credit([model], _window(settings, question))
    if model in credit.missing:
        raise Invalid("model", "%(model)s: %(reason)s", model=model, reason=credit.missing[model])
    return credit


def totals(taken: Snapshot, settings: Settings, question: Question) -> dict[str, dict[str, Any]]:
    """Return the total row of a question by model, for a period to compare with."""

    def make() -> dict[str, dict[str, Any]]:
        _, table = _roi(taken, settings, question)
        return {row["model"]: row for row in table.to_pylist() if row["campaign"] == TOTAL}

    return taken.remember(("totals", question), make)


def rows_of(taken: Snapshot, settings: Settings, question: Question) -> dict[str, dict[str, Any]]:
    """Return the lines of a question under its first model, by campaign."""
    _, table = _roi(taken, settings, replace(question, models=question.models[:1]))
    return {row["campaign"]: row for row in table.to_pylist()}


def trend_of(taken: Snapshot, settings: Settings, question: Question, step: Step) -> pa.Table:
    """Return the figures of a question's first model, part by part: columns of reports.trends.TREND."""

    def make() -> pa.Table:
        [(model, table)] = _first_of(taken, settings, question).daily.items()
        parts = spans(question.period, step)
        return trend(table, model, taken.activity, parts, campaigns=question.campaigns)

    return taken.remember(("trend", question, step), make)


def unattributed(taken: Snapshot, settings: Settings, question: Question) -> dict[str, float | None]:
    """Return what share of the period's revenue each model of a question leaves unattributed."""

    def make() -> dict[str, float | None]:
        credit, table = _roi(taken, settings, replace(question, campaigns=None))
        revenue = {(row["model"], row["campaign"]): row["revenue_minor"] for row in table.to_pylist()}
        return {
            model: ratio(revenue.get((model, UNATTRIBUTED), 0), revenue[model, TOTAL])
            for model in credit.parts
        }

    return taken.remember(("unattributed", question), make)


def key_figures(
    taken: Snapshot,
    settings: Settings,
    question: Question,
    outbound: frozenset[str],
    years_kept: float,
) -> dict[str, float | None]:
    """Return every KPI of reports.definitions for a question, by the first of its models."""

    def make() -> dict[str, float | None]:
        mine = _first_of(taken, settings, question).daily
        rows = summed(mine, taken.activity, question.period, currency=settings.currency).to_pylist()
        named = [row for row in rows if is_campaign(row["campaign"])]
        year_ago = summed(mine, taken.activity, year_before(question.period), currency=settings.currency)
        earlier = [row for row in year_ago.to_pylist() if row["campaign"] == TOTAL]
        grown = recorded(taken, year_before(question.period))["revenue_minor"]
        seen, counted = visits_in(taken.tables.visits, question.period)
        leads = None
        if counted is not None and counted != question.period:
            # Leads of days without a count would make visitors look better than they are.
            part = summed(mine, taken.activity, counted, currency=settings.currency).to_pylist()
            leads = next(row["leads"] for row in part if row["campaign"] == TOTAL)
        found = figures(
            next(row for row in rows if row["campaign"] == TOTAL),
            _sum_of(row for row in named if row["campaign"] not in outbound),
            _sum_of(row for row in named if row["campaign"] in outbound),
            visits=seen,
            leads_counted=leads,
            revenue_before_minor=earlier[0]["revenue_minor"] if grown else None,
            habit=buying(taken.tables.conversions, question.period),
            years_kept=years_kept,
        )
        telephone = attended(taken, question.period)
        return {name: telephone[name] for name in ("answered_rate", "missed_rate", "asked_rate")} | found

    return taken.remember(("figures", question, outbound, years_kept), make)


def attended(taken: Snapshot, period: Period) -> dict[str, float | int | None]:
    """Return how the telephone was attended in a period, as :func:`reports.daily.desk` counts it."""
    return taken.remember(("desk", period), lambda: desk(taken.activity.calls, period))


def _sum_of(rows: Iterable[dict[str, Any]]) -> dict[str, float]:
    total = {"cost_minor": 0, "customers": 0.0}
    for row in rows:
        for name in total:
            total[name] += row[name]
    return total


def behind(taken: Snapshot, settings: Settings, question: Question, goal: str, line: str) -> pa.Table:
    """Return the conversions behind a figure: id, account, moment, value, weight and credit, newest first."""
    model = question.models[0]
    _first_of(taken, settings, question)
    table = taken.lines(model, _window(settings, question))
    mine = pc.equal(table["goal"], "won" if goal == "customers" else goal)
    wanted = table.filter(pc.and_(mine, question.period.holds(table["converted_at"])))
    if goal == "customers":
        wanted = wanted.filter(wanted["first"])
    names = wanted["campaign"].cast(pa.string())
    if line != TOTAL:
        wanted = wanted.filter(pc.equal(names, line))
    elif question.campaigns is not None:
        wanted = wanted.filter(pc.is_in(names, pa.array(sorted(question.campaigns), pa.string())))
    keys = ["conversion_id", "account_id", "converted_at", "value_minor"]
    units, credit = f"units {model}", f"credit {model}"
    sums = wanted.group_by(keys).aggregate([(units, "sum"), (credit, "sum")])
    sums = sums.rename_columns([*keys, "units", "credit_minor"])
    sums = sums.filter(pc.greater(sums["units"], 0))
    weight = pc.divide(sums["units"].cast(pa.float64(), safe=False), float(UNIT))
    sums = sums.append_column("weight", weight)
    return sums.sort_by([("converted_at", "descending"), ("conversion_id", "ascending")])
