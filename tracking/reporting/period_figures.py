"""The figures of a period beside those of earlier ones, and what they are made of."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask_babel import gettext

from attribution import UNATTRIBUTED
from reports.definitions import KPIS, Kpi
from reports.parts import Column, Figure, Table, Unit
from reports.roi import TOTAL, UNKNOWN
from tracking.language import channels, formatting
from tracking.language.words import model_word, unit_words
from tracking.reporting import quality, roi
from tracking.reporting.questions import ReportQuery
from tracking.reporting.roi import Comparison
from tracking.reporting.snapshots import Snapshot
from tracking.storage.config import Settings
from tracking.storage.vocabulary import Direction

_Row = dict[str, Any]
YEARS_KEPT = 5.0
"""How long a customer is kept where a report is told nothing else (an assumption)."""
_MADE_OF = {
    "marketing_efficiency": ("revenue_minor", "cost_minor"),
    "cost_per_lead_minor": ("cost_minor", "leads"),
    "cost_per_qualified_lead_minor": ("cost_minor", "qualified_leads"),
    "acquisition_cost_minor": ("cost_minor", "customers"),
}


def headline(settings: Settings, snapshot: Snapshot, asked: ReportQuery, found: Comparison) -> Table:
    """Return the figures that matter, each beside those of earlier periods."""
    model = found.models[0]
    question = replace(asked.question, models=(model,))
    now = found.lines[TOTAL][model]
    earlier = asked.earlier_periods
    then = {
        key: roi.totals(snapshot, settings, replace(question, period=period))[model]
        for key, (_, period) in earlier.items()
    }
    measures: list[tuple[str, Unit, str]] = [
        ("cost_minor", "money", gettext("Cost")),
        ("calls", "count", gettext("Calls")),
        ("leads", "count", gettext("Leads")),
        ("qualified_leads", "count", gettext("Qualified leads")),
        ("customers", "count", gettext("New customers")),
        ("deals", "count", gettext("Deals won")),
        ("revenue_minor", "money", gettext("Revenue")),
        ("credited_minor", "money", gettext("Revenue credited to campaigns")),
        ("roi", "share", gettext("ROI")),
        ("marketing_efficiency", "ratio", gettext("Marketing efficiency")),
        ("cost_per_lead_minor", "money", gettext("Cost per lead")),
        ("cost_per_qualified_lead_minor", "money", gettext("Cost per qualified lead")),
        ("acquisition_cost_minor", "money", gettext("Customer acquisition cost (CAC)")),
    ]
    alike = {key: roi.recorded(snapshot, period) for key, (_, period) in earlier.items()}
    rows: list[_Row] = []
    for name, unit, label in measures:
        row: _Row = {"measure": label, "unit": unit_words(settings, unit), "now": Figure(unit, now[name])}
        for key, other in then.items():
            row[key] = Figure(unit, other[name])
            # How far ROI has moved is the difference of two shares, which the columns show. What began to
            # be recorded since has neither grown nor fallen.
            grown = unit != "share" and all(alike[key][part] for part in _MADE_OF.get(name, (name,)))
            row[f"{key}_change"] = _change(now[name], other[name]) if grown else None
        rows.append(row)
    columns = [
        Column("measure", gettext("Metric")),
        Column("unit", gettext("Unit")),
        Column("now", gettext("This period"), "count"),
    ]
    for key, (label, _) in earlier.items():
        columns += [Column(key, label, "count"), Column(f"{key}_change", gettext("Difference"), "change")]
    return Table("headline", gettext("Main results"), columns, rows)


def _change(now: float | None, before: float | None) -> float | None:
    return None if now is None or not before else (now - before) / before


def made_of(
    settings: Settings,
    snapshot: Snapshot,
    asked: ReportQuery,
    found: Comparison,
    findings: Sequence[quality.Finding],
) -> Table:
    """Return what a report was asked, and how much it rests on."""
    model = found.models[0]
    window = f"{asked.question.lookback_days:g}"
    facts: list[tuple[str, str, Figure | str]] = [
        ("period", gettext("Period"), days(asked)),
        ("time_zone", gettext("Time zone"), str(asked.period.zone)),
        ("currency", gettext("Currency"), settings.currency),
        ("models", gettext("Attribution models"), ", ".join(map(model_word, found.models))),
        (
            "window",
            gettext("Lookback window"),
            gettext("Touches up to %(days)s days before a deal are credited.", days=window),
        ),
        ("as_of", gettext("Data as of"), Figure("moment", snapshot.taken_at)),
        ("campaigns", gettext("Campaigns"), _filters(asked)),
    ]
    whole = found.evidence.coverage
    facts += [
        ("revenue_connected", gettext("Revenue connected"), Figure("share", whole.revenue.share)),
        ("calls_connected", gettext("Calls connected"), Figure("share", whole.calls.share)),
        ("deals_connected", gettext("Deals connected"), Figure("share", whole.deals.share)),
        *(
            ("main_line", gettext("Calls to the main line"), Figure("share", (each.count or 0) / each.of))
            for each in findings
            if each.kind == "main_line" and each.of
        ),
    ]
    if not asked.filtered:
        lost, unknown = found.share_of(UNATTRIBUTED, model), found.share_of(UNKNOWN, model)
        facts += [
            (
                "unattributed",
                gettext("Revenue without a touch (%(model)s)", model=model_word(model)),
                Figure("share", lost),
            ),
            (
                "unknown",
                gettext("Revenue of unknown source (%(model)s)", model=model_word(model)),
                Figure("share", unknown),
            ),
        ]
    if snapshot.stale:
        facts.append(
            (
                "stale",
                gettext("Data status"),
                gettext("Newer data was still loading when this report was made."),
            )
        )
    rows = [{"key": key, "what": label, "value": value} for key, label, value in facts]
    columns = [Column("what", gettext("What")), Column("value", gettext("Value"))]
    return Table("made-of", gettext("About this report"), columns, rows)


def days(asked: ReportQuery) -> str:
    """Return the period of a report in words."""
    first, last = formatting.day(asked.period.start), formatting.day(asked.last_day)
    return str(gettext("%(start)s to %(end)s", start=first, end=last))


def _filters(asked: ReportQuery) -> str:
    directions = {Direction.inbound: gettext("inbound"), Direction.outbound: gettext("outbound")}
    chosen = [
        ", ".join(asked.campaigns),
        asked.channel and gettext("channel %(name)s", name=channels.word(asked.channel)),
        asked.direction and directions[Direction(asked.direction)],
    ]
    return "; ".join(filter(None, chosen)) or gettext("all")


def key_figures(settings: Settings, snapshot: Snapshot, asked: ReportQuery, found: Comparison) -> Table:
    """Return every key figure of all campaigns, beside those of earlier periods."""
    outbound = frozenset(n for n, fact in asked.facts.items() if fact.direction is Direction.outbound)
    question = replace(asked.question, models=found.models[:1], campaigns=None)
    periods = {"now": (gettext("This period"), asked.period)} | asked.earlier_periods
    known = {
        key: roi.key_figures(snapshot, settings, replace(question, period=period), outbound, YEARS_KEPT)
        for key, (_, period) in periods.items()
    }
    rows = [
        {"figure": gettext(kpi.label), "unit": unit_words(settings, kpi_unit(kpi))}
        | {key: Figure(kpi_unit(kpi), figures[kpi.name]) for key, figures in known.items()}
        for kpi in KPIS
    ]
    columns = [
        Column("figure", gettext("Metric")),
        Column("unit", gettext("Unit")),
        *(Column(key, label, "ratio") for key, (label, _) in periods.items()),
    ]
    title = gettext("KPIs for all campaigns (assumes a customer lifetime of %(years)s years)",
                    years=f"{YEARS_KEPT:g}")  # fmt: skip
    return Table("key-figures", title, columns, rows)


def kpi_unit(kpi: Kpi) -> Unit:
    """Return what a key figure is written as."""
    if kpi.name.endswith("_minor"):
        return "money"
    if kpi.unit.startswith("share"):
        return "share"
    return "months" if kpi.unit == "months" else "ratio"
