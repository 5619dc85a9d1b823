"""The annex of the report: every figure in full, what it is made of and how it is worked out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from flask_babel import gettext
from sqlalchemy.orm import Session

from reports.advice import Advice
from reports.definitions import KPIS
from reports.parts import Block, Chapter, Chart, Column, Table
from tracking.language import channels
from tracking.language.words import line_words, model_word, unit_words
from tracking.records import annotations
from tracking.reporting import advice, charts, period_figures, quality, roi
from tracking.reporting.questions import ReportQuery
from tracking.reporting.roi import Comparison
from tracking.reporting.snapshots import Snapshot
from tracking.storage.config import Settings

_Row = dict[str, Any]


def chapters(
    session: Session,
    settings: Settings,
    snapshot: Snapshot,
    asked: ReportQuery,
    found: Comparison,
    judged: Sequence[Advice],
    aims: Sequence[_Row],
    findings: Sequence[quality.Finding],
) -> list[Chapter]:
    """Return the annex, each chapter for one question that somebody may come back with."""
    question = replace(asked.question, models=found.models[:1])
    first, last = asked.period.start, asked.last_day
    beside = _beside(session, first, last)
    told = [
        Chapter(
            gettext("The period in figures"),
            [
                period_figures.headline(settings, snapshot, asked, found),
                period_figures.made_of(settings, snapshot, asked, found, findings),
                period_figures.key_figures(settings, snapshot, asked, found),
            ],
        ),
        Chapter(
            gettext("Campaigns and months"),
            [_spent(asked, found), _months(roi.trend_of(snapshot, settings, question, "month"))],
        ),
        Chapter(gettext("ROI by model"), [_roi(found), _how_shared()]),
        Chapter(
            gettext("Recommendations by campaign"), [_advice(asked, judged), _how_judged()] if judged else []
        ),
        Chapter(gettext("All targets"), [_targets(aims)] if aims else []),
        Chapter(gettext("Still expected from this period's leads"), _still_to_come(settings, found)),
        Chapter(gettext("Annotations"), beside),
        Chapter(gettext("How the metrics are calculated"), [_definitions(settings)]),
    ]
    return [chapter for chapter in told if chapter.blocks]


def _how_shared() -> str:
    return str(
        gettext(
            "Each model splits the same deals differently; the total is the same. The interval "
            "shows how much an ROI could vary by chance. Credit does not prove that a campaign "
            "caused the deal."
        )
    )


def _how_judged() -> str:
    return str(
        gettext(
            "A campaign pays off if it is credited with more than it cost. The chance allows for other "
            "buyers and deals that might have come. The range covers all models; the least favourable "
            "one decides. Credit is not effect: in simulated markets where no campaign has any "
            "effect, some were still credited with more than they cost."
        )
    )


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
    return Table("months", gettext("Month by month"), columns, rows)


def _roi(found: Comparison) -> Table:
    words = line_words()
    rows: list[_Row] = [
        row | {"campaign": words.get(name, name), "model": model_word(model)}
        for name, by_model in found.lines.items()
        for model, row in by_model.items()
    ]
    columns = [
        Column("campaign", gettext("Campaign")),
        Column("model", gettext("Model")),
        Column("cost_minor", gettext("Cost"), "money"),
        Column("leads", gettext("Leads"), "count"),
        Column("customers", gettext("New customers"), "count"),
        Column("revenue_minor", gettext("Revenue"), "money"),
        Column("credited_minor", gettext("Revenue credited to campaigns"), "money"),
        Column("roi", gettext("ROI"), "share"),
        Column("roi_low", gettext("ROI, low (80% interval)"), "share"),
        Column("roi_high", gettext("ROI, high (80% interval)"), "share"),
        Column("acquisition_cost_minor", gettext("Customer acquisition cost (CAC)"), "money"),
    ]
    return Table("roi", gettext("ROI by campaign and model"), columns, rows)


def _still_to_come(settings: Settings, found: Comparison) -> list[Block]:
    if found.maturity.total.share is None:
        return []
    blocks: list[Block] = []
    drawn = charts.still_to_come(found, settings.currency)
    if drawn is not None:
        title = gettext("First orders so far and still expected by campaign")
        blocks.append(Chart(title, drawn, "still-expected"))
    words = line_words()
    parts = sorted(found.maturity.campaigns.items(), key=lambda item: (item[0].startswith("("), item[0]))
    rows = [
        {
            "campaign": words.get(name, name),
            "leads": c.leads,
            "so_far_minor": c.so_far,
            "expected_minor": c.expected,
            "low_minor": c.low,
            "high_minor": c.high,
        }
        for name, c in parts
        if c.so_far or c.expected
    ]
    columns = [
        Column("campaign", gettext("Campaign")),
        Column("leads", gettext("Leads"), "count"),
        Column("so_far_minor", gettext("First orders so far"), "money"),
        Column("expected_minor", gettext("Still expected"), "money"),
        Column("low_minor", gettext("Low (80% interval)"), "money"),
        Column("high_minor", gettext("High (80% interval)"), "money"),
    ]
    title = gettext(
        "First orders of this period's leads, credited by %(model)s", model=model_word(found.models[0])
    )
    return [*blocks, Table("still-expected", title, columns, rows)]


def _advice(asked: ReportQuery, judged: Sequence[Advice]) -> Table:
    verdicts = advice.verdict_words()
    rows: list[_Row] = [
        {
            "campaign": a.campaign,
            "advice": verdicts[a.verdict],
            "reason": advice.reason(a, asked.numbered),
            "least": a.least,
            "most": a.most,
            "deals": a.deals,
        }
        for a in judged
    ]
    columns = [
        Column("campaign", gettext("Campaign")),
        Column("advice", gettext("Recommendations")),
        Column("reason", gettext("Reason")),
        Column("least", gettext("Chance it pays off, low"), "chance"),
        Column("most", gettext("Chance it pays off, high"), "chance"),
        Column("deals", gettext("Deals"), "count"),
    ]
    return Table("advice", gettext("Recommendations by campaign"), columns, rows)


def _targets(aims: Sequence[_Row]) -> Table:
    columns = [
        Column("campaign", gettext("Campaign")),
        Column("measure", gettext("Metric")),
        Column("days", gettext("Days")),
        Column("target", gettext("Target"), "count"),
        Column("actual", gettext("So far"), "count"),
        Column("expected", gettext("Expected by now"), "count"),
        Column("pace", gettext("Pace")),
        Column("part", gettext("Share of target"), "share"),
        Column("last_year", gettext("Last year"), "count"),
        Column("note", gettext("Note")),
        Column("source", gettext("Source data")),
    ]
    return Table("targets", gettext("Targets and actuals"), columns, aims)


def _beside(session: Session, first: date, last: date) -> list[Block]:
    blocks: list[Block] = []
    if happened := annotations.events(session, first=first, last=last):
        rows: list[_Row] = [
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
    if readings := annotations.readings(session, first=first, last=last):
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
        blocks.append(Table("indicators", gettext("Metrics"), columns, figures))
    return blocks


def _definitions(settings: Settings) -> Table:
    rows = [
        {
            "figure": gettext(kpi.label),
            "formula": gettext(kpi.formula),
            "unit": unit_words(settings, "money")
            if period_figures.kpi_unit(kpi) == "money"
            else gettext(kpi.unit),
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
    return Table("definitions", gettext("Definitions"), columns, rows)
