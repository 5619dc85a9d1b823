"""The end of the report for stakeholders: what came of it, how sure that is, what is to be decided."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session

from reports.advice import Advice
from reports.definitions import KPIS, Kpi
from reports.parts import Chapter, Chart, Column, Figure, Points, Table, Unit
from reports.roi import OVERHEAD
from tracking.language import formatting
from tracking.language.translate import why_unavailable
from tracking.language.words import line_words, model_word, unit_words
from tracking.reporting import advice, charts, deciding, roi, targets
from tracking.reporting.questions import ReportQuery
from tracking.reporting.roi import Comparison
from tracking.reporting.snapshots import Snapshot
from tracking.storage.config import Settings
from tracking.storage.vocabulary import Direction

_Row = dict[str, Any]
YEARS_KEPT = 5.0
"""How long a customer is kept where a report is told nothing else (an assumption)."""


def chapter(
    session: Session,
    settings: Settings,
    snapshot: Snapshot,
    asked: ReportQuery,
    found: Comparison,
    at: datetime,
) -> Chapter:
    """Return the end of the report: effect, uncertainty, and the decision that is asked for."""
    judged = advice.judged(found, asked)
    blocks: list[Any] = _decision(asked, found, judged)
    drawn = charts.roi_by_model(found)
    if drawn is not None:
        blocks.append(Chart(gettext("ROI by campaign and model with 80% intervals"), drawn))
    blocks += [_roi(found), *_unavailable(found), _key_figures(settings, snapshot, asked, found)]
    aims = targets.reached(settings, snapshot, asked, session, at=at)
    if asked.filtered:
        chosen = asked.question.campaigns or frozenset()
        aims = [row for row in aims if row["campaign"] in chosen]
    if aims:
        columns = [
            Column("campaign", gettext("Campaign")),
            Column("measure", gettext("Metric")),
            Column("days", gettext("Days")),
            Column("target", gettext("Target"), "count"),
            Column("actual", gettext("So far"), "count"),
            Column("expected", gettext("Expected by now"), "count"),
            Column("pace", gettext("Pace")),
            Column("part", gettext("%% of target"), "share"),
            Column("last_year", gettext("Last year"), "count"),
            Column("note", gettext("Note")),
            Column("source", gettext("Source data")),
        ]
        blocks += [
            gettext("Campaigns that are not about sales are judged by their targets, not by ROI."),
            Table("targets", gettext("Targets and actuals"), columns, aims),
        ]
    blocks += _still_to_come(settings, found)
    blocks += _asked_for(asked, found, judged)
    return Chapter(gettext("3. Results and decisions"), blocks)


def _decision(asked: ReportQuery, found: Comparison, judged: Sequence[Advice]) -> list[Any]:
    whole = found.evidence.coverage
    told = (
        (whole.revenue, gettext("%(share)s of the revenue", share=formatting.share(whole.revenue.share))),
        (whole.calls, gettext("%(share)s of the calls", share=formatting.share(whole.calls.share))),
        (whole.deals, gettext("%(share)s of the deals", share=formatting.share(whole.deals.share))),
    )
    parts = [words for part, words in told if part.of]
    return [
        gettext("Connected to campaigns: %(parts)s.", parts=", ".join(parts) or gettext("No comparison")),
        *advice.conclusion(found, judged),
        *deciding.warnings(asked.deciding, found.models),
        gettext("Default model: %(model)s.", model=model_word(asked.deciding.model))
        + " "
        + deciding.reason(asked.deciding),
        gettext(
            "Each model splits the same deals differently; the total is the same. The interval "
            "shows how much an ROI could vary by chance. Credit does not prove that a campaign "
            "caused the deal."
        ),
    ]


def _unavailable(found: Comparison) -> list[str]:
    return [
        gettext(
            "%(model)s could not be calculated: %(reason)s",
            model=model_word(model),
            reason=why_unavailable(reason),
        )
        for model, reason in found.unavailable.items()
    ]


def _roi(found: Comparison) -> Table:
    words = line_words()
    rows: list[_Row] = [
        row | {"campaign": words.get(name, name), "model": model_word(model)}
        for name, by_model in found.lines.items()
        for model, row in by_model.items()
        if name != OVERHEAD
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


def kpi_unit(kpi: Kpi) -> Unit:
    """Return what a key figure is written as."""
    if kpi.name.endswith("_minor"):
        return "money"
    if kpi.unit.startswith("share"):
        return "share"
    return "months" if kpi.unit == "months" else "ratio"


def _key_figures(settings: Settings, snapshot: Snapshot, asked: ReportQuery, found: Comparison) -> Table:
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


def _still_to_come(settings: Settings, found: Comparison) -> list[Any]:
    coming, curve = found.maturity.total, found.maturity.curve
    if coming.share is None:
        return []

    def amount(minor: float) -> str:
        return formatting.amount(minor, settings.currency)

    said = gettext(
        "This period's leads are still expected to place first orders worth %(low)s to %(high)s "
        "(80%% interval), if they buy like earlier leads. This is not part of any ROI here and "
        "does not include repeat orders.",
        low=amount(coming.low),
        high=amount(coming.high),
    )
    half = curve.days_until(0.5)
    blocks: list[Any] = [said] if coming.expected > 0 else []
    if half is not None:
        blocks.append(
            ngettext(
                "Half of all buyers have bought within %(num)d day.",
                "Half of all buyers have bought within %(num)d days.",
                half,
            )
        )
    drawn = charts.still_to_come(found, settings.currency)
    if drawn is not None:
        blocks.append(Chart(gettext("First orders so far and still expected by campaign"), drawn))
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


def _asked_for(asked: ReportQuery, found: Comparison, judged: Sequence[Advice]) -> list[Any]:
    if not judged:
        return [gettext("No campaigns to assess in this period. Add your campaign costs.")]
    verdicts = advice.verdict_words()
    by_verdict: dict[str, list[str]] = {}
    for each in judged:
        by_verdict.setdefault(each.verdict.value, []).append(each.campaign)
    asks = {
        "invest": gettext("Increase slightly: %(names)s."),
        "keep": gettext("Keep: %(names)s."),
        "reconsider": gettext("Review before spending more: %(names)s."),
        "stop": gettext("Stop: %(names)s."),
        "wait": gettext("Too early to tell: %(names)s."),
        "unconnected": gettext("Connect to calls first: %(names)s."),
        "elsewhere": gettext("Judge by targets: %(names)s."),
        "unknown": gettext("Add the cost of: %(names)s."),
    }
    points = [
        asked_for % {"names": ", ".join(by_verdict[verdict])}
        for verdict, asked_for in asks.items()
        if verdict in by_verdict
    ]
    rows = [
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
    return [
        gettext("Decision needed:"),
        Points(points),
        Table("advice", gettext("Recommendations by campaign"), columns, rows),
        gettext(
            "A campaign pays off if it is credited with more than it cost. The chance allows for other "
            "buyers and deals that might have come. The range covers all models; the least favourable "
            "one decides. Credit is not effect: in simulated markets where no campaign has any "
            "effect, some were still credited with more than they cost."
        ),
        *advice.worth_words(found.models[0]),
    ]
