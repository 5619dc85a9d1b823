"""The report for stakeholders in words: the question, what was done, what came of it, what to decide."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from babel.numbers import format_decimal
from flask_babel import get_locale, gettext, ngettext
from sqlalchemy.orm import Session

from attribution import UNATTRIBUTED
from reports.definitions import KPIS
from reports.evidence import is_campaign
from reports.parts import Chapter, Chart, Column, Document, Figure, Points, Table, Unit
from reports.roi import TOTAL, UNKNOWN
from tracking.language import channels, formatting
from tracking.language.words import line_words, model_word, unit_words
from tracking.records import annotations
from tracking.reporting import charts, conclusion, quality, quality_text, roi
from tracking.reporting.conclusion import kpi_unit
from tracking.reporting.questions import ReportQuery
from tracking.reporting.roi import Comparison
from tracking.reporting.snapshots import Snapshot
from tracking.storage import money
from tracking.storage.config import Settings
from tracking.storage.vocabulary import Direction

_Row = dict[str, Any]


def report(
    session: Session, settings: Settings, snapshot: Snapshot, asked: ReportQuery, *, at: datetime
) -> Document:
    """Return the report that answers a question, in the language that is being spoken."""
    found = roi.compare(snapshot, settings, asked.question, at=at)
    all_campaigns = found
    if asked.filtered:
        every = replace(asked.question, campaigns=None)
        all_campaigns = roi.compare(snapshot, settings, every, at=at)
    findings = quality.findings(
        session, settings, asked.period, at=at, snapshot=snapshot, found=all_campaigns
    )
    chapters = [
        _beginning(settings, snapshot, asked, found, findings),
        _middle(session, settings, snapshot, asked, found),
        conclusion.chapter(session, settings, snapshot, asked, found, at),
        Chapter(gettext("4. Data quality"), _trust(findings)),
        Chapter(gettext("How the metrics are calculated"), [_definitions(settings)]),
    ]
    return Document(
        title=gettext("Which marketing pays off?"),
        subtitle=_span(asked.period.start, asked.last_day),
        language=str(get_locale()).replace("_", "-"),
        currency=settings.currency,
        decimals=money.exponent(settings.currency),
        made_at=snapshot.taken_at,
        chapters=chapters,
        write=writer(settings),
    )


def writer(settings: Settings) -> Any:
    """Return how figures are written in the language that is being spoken."""

    def write(unit: Unit, value: Any) -> str:
        if value is None:
            return formatting.NONE
        match unit:
            case "money":
                return formatting.amount(value, settings.currency)
            case "share":
                return formatting.share(value)
            case "chance":
                return formatting.chance(value)
            case "change":
                return f"{'▲' if value >= 0 else '▼'} {formatting.share(abs(value))}"
            case "day":
                return formatting.day(value)
            case "moment":
                return formatting.moment(value, settings)
            case "ratio" | "months":
                return format_decimal(value, "#,##0.0#", get_locale())
        return formatting.count(value)

    return write


def _span(first: Any, last: Any) -> str:
    return str(gettext("%(start)s to %(end)s", start=formatting.day(first), end=formatting.day(last)))


# --- 1. The beginning ------------------------------------------------------------------------------------


def _beginning(
    settings: Settings,
    snapshot: Snapshot,
    asked: ReportQuery,
    found: Comparison,
    findings: Sequence[quality.Finding],
) -> Chapter:
    model = found.models[0]
    now = found.lines[TOTAL][model]
    named = [name for name in found.lines if is_campaign(name)]
    situation = gettext(
        "In this period we spent %(cost)s on marketing. There were %(calls)s calls, %(leads)s new "
        "leads and %(customers)s new customers. Deals worth %(revenue)s were won.",
        cost=formatting.amount(now["cost_minor"], settings.currency),
        calls=formatting.count(now["calls"]),
        leads=formatting.count(now["leads"]),
        customers=formatting.count(now["customers"]),
        revenue=formatting.amount(now["revenue_minor"], settings.currency),
    )
    question = ngettext(
        "The question: is %(num)d campaign worth its cost, and what should change?",
        "The question: which of %(num)d campaigns are worth their cost, and what should change?",
        len(named),
    )
    return Chapter(
        gettext("1. Summary"),
        [
            situation,
            question,
            _headline(settings, snapshot, asked, found),
            _made_of(settings, snapshot, asked, found, findings),
        ],
    )


def _headline(settings: Settings, snapshot: Snapshot, asked: ReportQuery, found: Comparison) -> Table:
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


_MADE_OF = {
    "marketing_efficiency": ("revenue_minor", "cost_minor"),
    "cost_per_lead_minor": ("cost_minor", "leads"),
    "cost_per_qualified_lead_minor": ("cost_minor", "qualified_leads"),
    "acquisition_cost_minor": ("cost_minor", "customers"),
}


def _change(now: float | None, before: float | None) -> float | None:
    return None if now is None or not before else (now - before) / before


def _made_of(
    settings: Settings,
    snapshot: Snapshot,
    asked: ReportQuery,
    found: Comparison,
    findings: Sequence[quality.Finding],
) -> Table:
    model = found.models[0]
    days = f"{asked.question.lookback_days:g}"
    facts: list[tuple[str, str, Figure | str]] = [
        ("period", gettext("Period"), _span(asked.period.start, asked.last_day)),
        ("time_zone", gettext("Time zone"), str(asked.period.zone)),
        ("currency", gettext("Currency"), settings.currency),
        ("models", gettext("Attribution models"), ", ".join(map(model_word, found.models))),
        (
            "window",
            gettext("Lookback window"),
            gettext("Touches up to %(days)s days before a deal are credited.", days=days),
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
                gettext("Unattributed revenue (%(model)s)", model=model_word(model)),
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
    columns = [Column("what", gettext("Setting")), Column("value", gettext("Value"))]
    return Table("made-of", gettext("About this report"), columns, rows)


def _filters(asked: ReportQuery) -> str:
    directions = {Direction.inbound: gettext("inbound"), Direction.outbound: gettext("outbound")}
    chosen = [
        ", ".join(asked.campaigns),
        asked.channel and gettext("channel %(name)s", name=channels.word(asked.channel)),
        asked.direction and directions[Direction(asked.direction)],
    ]
    return "; ".join(filter(None, chosen)) or gettext("all")


# --- 2. The middle ---------------------------------------------------------------------------------------


def _middle(
    session: Session, settings: Settings, snapshot: Snapshot, asked: ReportQuery, found: Comparison
) -> Chapter:
    model = found.models[0]
    question = replace(asked.question, models=(model,))
    trend = roi.trend_of(snapshot, settings, question, "month")
    happened = annotations.events(session, first=asked.period.start, last=asked.last_day)
    drawn = charts.revenue_and_cost(trend, settings.currency, "month", happened)
    total = found.lines[TOTAL][model]
    intro = gettext(
        "Direct costs were %(direct)s. Indirect costs, such as marketing staff time, were "
        "%(indirect)s. Leads and cost per lead use the %(model)s model.",
        direct=formatting.amount(total["direct_cost_minor"], settings.currency),
        indirect=formatting.amount(total["indirect_cost_minor"], settings.currency),
        model=model_word(model),
    )
    blocks: list[Any] = [intro, _spent(asked, found)]
    complete = all(charts.is_complete(row, "month") for row in trend.to_pylist())
    note = "" if complete else gettext("Hollow points are incomplete periods.")
    blocks += [Chart(gettext("Revenue and cost by month"), drawn, note), _months(trend)]
    if happened:
        rows = [
            {"from": e.starts_on, "to": e.ends_on, "title": e.title, "note": e.note}
            for e in reversed(happened)
        ]
        columns = [
            Column("title", gettext("Event")),
            Column("from", gettext("From"), "day"),
            Column("to", gettext("To"), "day"),
            Column("note", gettext("Note")),
        ]
        blocks.append(Table("events", gettext("Annotations"), columns, rows))
    readings = annotations.readings(session, first=asked.period.start, last=asked.last_day)
    if readings:
        figures: list[_Row] = [
            {"name": r.name, "day": r.day, "value": r.value, "unit": r.unit, "source": r.source}
            for r in sorted(readings, key=lambda r: (r.name, r.day))
        ]
        columns = [
            Column("name", gettext("Metric")),
            Column("day", gettext("Day"), "day"),
            Column("value", gettext("Metric"), "count"),
            Column("unit", gettext("Unit")),
            Column("source", gettext("Source")),
        ]
        blocks.append(Table("indicators", gettext("Metrics"), columns, figures, detail=True))
    return Chapter(gettext("2. Activity and cost"), blocks)


def _spent(asked: ReportQuery, found: Comparison) -> Table:
    words, model = line_words(), found.models[0]
    rows: list[_Row] = []
    for name, by_model in found.lines.items():
        fact = asked.facts.get(name)
        rows.append(
            by_model[model]
            | {
                "campaign": words.get(name, name),
                "channel": channels.word(by_model[model]["channel"]),
                "objective": fact.objective if fact else "",
            }
        )
    columns = [
        Column("campaign", gettext("Campaign")),
        Column("channel", gettext("Channel")),
        Column("objective", gettext("Objective")),
        Column("direct_cost_minor", gettext("Direct cost"), "money"),
        Column("indirect_cost_minor", gettext("Indirect cost"), "money"),
        Column("calls", gettext("Calls"), "count"),
        Column("leads", gettext("Leads"), "count"),
        Column("qualified_leads", gettext("Qualified leads"), "count"),
        Column("cost_per_lead_minor", gettext("Cost per lead"), "money"),
        Column("cost_per_qualified_lead_minor", gettext("Cost per qualified lead"), "money"),
    ]
    if not any(row["objective"] for row in rows):
        columns = [column for column in columns if column.name != "objective"]
    return Table("campaigns", gettext("Campaigns and their cost"), columns, rows, total=True)


def _months(trend: Any) -> Table:
    columns = [
        Column("start", gettext("From"), "day"),
        Column("last", gettext("To"), "day"),
        Column("cost_minor", gettext("Cost"), "money"),
        Column("calls", gettext("Calls"), "count"),
        Column("leads", gettext("Leads"), "count"),
        Column("customers", gettext("New customers"), "count"),
        Column("revenue_minor", gettext("Revenue"), "money"),
        Column("roi", gettext("ROI"), "share"),
    ]
    rows = [row | {"last": row["end"] - timedelta(days=1)} for row in trend.to_pylist()]
    return Table("months", gettext("Month by month"), columns, rows, detail=True)


# --- What it rests on ------------------------------------------------------------------------------------


def _trust(findings: Sequence[quality.Finding]) -> list[Any]:
    bad = [line.sentence() for line in quality_text.in_words(findings) if line.bad]
    if not bad:
        return [gettext("No issues found.")]
    return [
        gettext("Issues in this period's data and their effect:"),
        Points(bad),
    ]


def _definitions(settings: Settings) -> Table:
    rows = [
        {
            "figure": gettext(kpi.label),
            "formula": gettext(kpi.formula),
            "unit": unit_words(settings, "money") if kpi_unit(kpi) == "money" else gettext(kpi.unit),
            "source": gettext(kpi.source),
            "hides": gettext(kpi.hides),
        }
        for kpi in KPIS
    ]
    columns = [
        Column("figure", gettext("Metric")),
        Column("formula", gettext("Formula")),
        Column("unit", gettext("Unit")),
        Column("source", gettext("Source data")),
        Column("hides", gettext("Limitations")),
    ]
    return Table("definitions", gettext("Definitions"), columns, rows, detail=True)
