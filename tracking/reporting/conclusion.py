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
        blocks.append(
            Chart(gettext("ROI of each campaign under each model, with 80 percent intervals"), drawn)
        )
    blocks += [_roi(found), *_unavailable(found), _key_figures(settings, snapshot, asked, found)]
    aims = targets.reached(settings, snapshot, asked, session, at=at)
    if asked.filtered:
        chosen = asked.question.campaigns or frozenset()
        aims = [row for row in aims if row["campaign"] in chosen]
    if aims:
        columns = [
            Column("campaign", gettext("Campaign")),
            Column("measure", gettext("Measure")),
            Column("days", gettext("Days")),
            Column("target", gettext("Target"), "count"),
            Column("actual", gettext("So far"), "count"),
            Column("expected", gettext("Expected by now"), "count"),
            Column("pace", gettext("Pace")),
            Column("part", gettext("Reached"), "share"),
            Column("last_year", gettext("Last year"), "count"),
            Column("note", gettext("Note")),
            Column("source", gettext("Made of")),
        ]
        blocks += [
            gettext("Activities that do not aim at sales are judged by their own targets, not by ROI."),
            Table("targets", gettext("Targets against actuals"), columns, aims),
        ]
    blocks += _still_to_come(settings, found)
    blocks += _asked_for(asked, found, judged)
    return Chapter(gettext("3. What came of it, and what is to be decided"), blocks)


def _decision(asked: ReportQuery, found: Comparison, judged: Sequence[Advice]) -> list[Any]:
    whole = found.evidence.coverage
    told = (
        (whole.revenue, gettext("%(share)s of the revenue", share=formatting.share(whole.revenue.share))),
        (whole.calls, gettext("%(share)s of the calls", share=formatting.share(whole.calls.share))),
        (whole.deals, gettext("%(share)s of the deals", share=formatting.share(whole.deals.share))),
    )
    parts = [words for part, words in told if part.of]
    return [
        gettext("Connected to campaigns: %(parts)s.", parts=", ".join(parts) or gettext("nothing")),
        *advice.conclusion(found, judged),
        *deciding.warnings(asked.deciding, found.models),
        gettext("We decide by %(model)s.", model=model_word(asked.deciding.model))
        + " "
        + deciding.reason(asked.deciding),
        gettext(
            "Under each model the same deals are shared differently, and each adds up to the same total. "
            "The interval says how far an ROI would vary if other buyers had come. That a campaign is "
            "credited does not prove that it caused the deal."
        ),
    ]


def _unavailable(found: Comparison) -> list[str]:
    return [
        gettext(
            "%(model)s cannot be computed: %(reason)s",
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
        Column("roi_low", gettext("ROI at least (80 % interval)"), "share"),
        Column("roi_high", gettext("ROI at most (80 % interval)"), "share"),
        Column("acquisition_cost_minor", gettext("Cost of acquisition"), "money"),
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
        Column("figure", gettext("Figure")),
        Column("unit", gettext("Unit")),
        *(Column(key, label, "ratio") for key, (label, _) in periods.items()),
    ]
    title = gettext("Key figures of all campaigns (a customer kept for %(years)s years, an assumption)",
                    years=f"{YEARS_KEPT:g}")  # fmt: skip
    return Table("key-figures", title, columns, rows)


def _still_to_come(settings: Settings, found: Comparison) -> list[Any]:
    coming, curve = found.maturity.total, found.maturity.curve
    if coming.share is None:
        return []

    def amount(minor: float) -> str:
        return formatting.amount(minor, settings.currency)

    said = gettext(
        "This period's leads are still expected to place first orders of %(low)s to %(high)s (80 %% "
        "interval), if they buy like earlier leads. They are not part of any ROI here, and repeat orders are "
        "not among them.",
        low=amount(coming.low),
        high=amount(coming.high),
    )
    half = curve.days_until(0.5)
    blocks: list[Any] = [said] if coming.expected > 0 else []
    if half is not None:
        blocks.append(
            ngettext(
                "Of those who buy, half have bought after %(num)d day.",
                "Of those who buy, half have bought after %(num)d days.",
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
        Column("low_minor", gettext("At least (80 % interval)"), "money"),
        Column("high_minor", gettext("At most (80 % interval)"), "money"),
    ]
    title = gettext(
        "First orders of this period's leads, credited by %(model)s", model=model_word(found.models[0])
    )
    return [*blocks, Table("still-expected", title, columns, rows)]


def _asked_for(asked: ReportQuery, found: Comparison, judged: Sequence[Advice]) -> list[Any]:
    if not judged:
        return [gettext("There is no campaign to judge in this period. Enter what your campaigns cost.")]
    verdicts = advice.verdict_words()
    by_verdict: dict[str, list[str]] = {}
    for each in judged:
        by_verdict.setdefault(each.verdict.value, []).append(each.campaign)
    asks = {
        "invest": gettext("Put a little more into: %(names)s."),
        "keep": gettext("Go on with: %(names)s."),
        "reconsider": gettext("Look into before spending more: %(names)s."),
        "stop": gettext("End: %(names)s."),
        "wait": gettext("Decide later, since it is too early to tell: %(names)s."),
        "unconnected": gettext("Connect first, since nothing can be told: %(names)s."),
        "elsewhere": gettext("Judge by their targets: %(names)s."),
        "unknown": gettext("Find out what they cost: %(names)s."),
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
        Column("advice", gettext("Advice")),
        Column("reason", gettext("Reason")),
        Column("least", gettext("Chance that it pays, at least"), "chance"),
        Column("most", gettext("Chance that it pays, at most"), "chance"),
        Column("deals", gettext("Deals"), "count"),
    ]
    return [
        gettext("The decision that is asked for:"),
        Points(points),
        Table("advice", gettext("Advice by campaign"), columns, rows),
        gettext(
            "The chance that a campaign pays is the share of random resamples of your customers in which it "
            "is credited with more than it cost; the span is over the models, and the least favourable one "
            "decides. Credit is not effect: in simulated markets where no campaign has any effect, campaigns "
            "were credited with more than they cost too."
        ),
        *advice.worth_words(found.models[0]),
    ]
