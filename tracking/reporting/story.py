"""The story of the report: what to decide, what was done, what came of it, and how far it can be trusted.

It is printed on four pages at most, so its lists end where they would fill more; the annex goes on.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session

from reports.advice import Advice
from reports.evidence import is_campaign
from reports.parts import Block, Chapter, Chart, Column, Figure, Figures, Points, Table
from reports.roi import TOTAL
from tracking.language import formatting
from tracking.language.translate import why_unavailable
from tracking.language.words import line_words, model_word
from tracking.records import annotations
from tracking.reporting import advice, charts, deciding, quality, quality_text, roi
from tracking.reporting.questions import ReportQuery
from tracking.reporting.returns import Return
from tracking.reporting.roi import Comparison
from tracking.reporting.snapshots import Snapshot
from tracking.storage.config import Settings

_Row = dict[str, Any]
_MOST_ROWS, _MOST_EVENTS = 14, 6


def opening(
    settings: Settings,
    asked: ReportQuery,
    found: Comparison,
    judged: Sequence[Advice],
    rows: Sequence[Return],
) -> Chapter:
    """Return the first page: how much is known, the figures, the campaigns, what to do and what not yet."""
    sentences = advice.summary(found, judged)[1:]
    return Chapter(
        "",
        [
            " ".join([*sentences, _connected(found)]),
            *deciding.warnings(asked.deciding, found.models),
            _figures(settings, found, rows),
            *_returns(settings, found, rows),
            *_asked_for(settings, found, judged),
        ],
    )


def _connected(found: Comparison) -> str:
    whole = found.evidence.coverage
    told = (
        (whole.revenue, gettext("%(share)s of the revenue", share=formatting.share(whole.revenue.share))),
        (whole.calls, gettext("%(share)s of the calls", share=formatting.share(whole.calls.share))),
        (whole.deals, gettext("%(share)s of the deals", share=formatting.share(whole.deals.share))),
    )
    parts = [said for part, said in told if part.of]
    return str(
        gettext("Connected to campaigns: %(parts)s.", parts=", ".join(parts) or gettext("no data yet"))
    )


def _figures(settings: Settings, found: Comparison, rows: Sequence[Return]) -> Figures:
    now = found.lines[TOTAL][found.models[0]]
    [total] = [row for row in rows if row.campaign == TOTAL]
    likely = gettext("Too early to tell")
    if total.span.low is not None and total.span.high is not None:
        low, high = (formatting.per_unit(end, settings.currency) for end in (total.span.low, total.span.high))
        likely = gettext("likely %(low)s to %(high)s", low=low, high=high)
    return Figures(
        [
            (gettext("Cost"), Figure("money", now["cost_minor"]), ""),
            (
                gettext("Credited revenue"),
                Figure("money", now["credited_minor"]),
                gettext("of %(amount)s", amount=formatting.amount(now["revenue_minor"], settings.currency)),
            ),
            (_back_title(settings), Figure("back", total.span.back), likely),
            (
                gettext("New customers"),
                Figure("count", now["customers"]),
                gettext(
                    "%(amount)s per customer",
                    amount=formatting.amount(now["acquisition_cost_minor"], settings.currency),
                ),
            ),
        ]
    )


def _back_title(settings: Settings) -> str:
    return str(gettext("Return per %(one)s spent", one=formatting.per_unit(1, settings.currency)))


def _returns(settings: Settings, found: Comparison, rows: Sequence[Return]) -> list[Block]:
    campaigns = [row for row in rows if is_campaign(row.campaign)]
    costliest = sorted(campaigns, key=lambda row: -row.cost_minor)[:_MOST_ROWS]
    # Costs that belong to no campaign are part of the total.
    beside = [row for row in rows if not is_campaign(row.campaign) and row.cost_minor]
    shown = {TOTAL, *(row.campaign for row in [*costliest, *beside])}
    verdicts, names = advice.verdict_words(), line_words()
    lines: list[_Row] = [
        {
            "campaign": names.get(row.campaign, row.campaign),
            "cost_minor": row.cost_minor,
            "span": row.span,
            "back": Figure("text", row.back) if row.span.back is None else Figure("back", row.span.back),
            "verdict": verdicts[row.verdict] if row.verdict else "",
        }
        for row in rows
        if row.campaign in shown
    ]
    columns = [
        Column("campaign", gettext("Campaign")),
        Column("cost_minor", gettext("Cost"), "money"),
        Column("span", gettext("80% interval"), "span"),
        Column("back", gettext("Return per %(one)s", one=formatting.per_unit(1, settings.currency)), "back"),
        Column("verdict", gettext("Recommendations")),
    ]
    how = gettext(
        "Diamond: %(model)s. Bar: what chance alone could do (80%% interval). Dashed line: break-even.",
        model=model_word(found.models[0]),
    )
    if len(campaigns) > len(costliest):
        how += " " + gettext(
            "The %(n)d campaigns with the highest cost are shown; the annex lists all.", n=len(costliest)
        )
    return [Table("returns", _back_title(settings), columns, lines, total=True), how]


def _asked_for(settings: Settings, found: Comparison, judged: Sequence[Advice]) -> list[Block]:
    by_verdict: dict[str, list[str]] = {}
    for each in judged:
        by_verdict.setdefault(each.verdict.value, []).append(each.campaign)

    def points(asks: dict[str, str]) -> list[str]:
        return [
            told % {"names": ", ".join(by_verdict[verdict])}
            for verdict, told in asks.items()
            if verdict in by_verdict
        ]

    proposed = points(
        {
            "invest": gettext("Increase slightly: %(names)s."),
            "keep": gettext("Keep: %(names)s."),
            "stop": gettext("Stop: %(names)s."),
        }
    )
    unknown = points(
        {
            "reconsider": gettext("Review before spending more: %(names)s."),
            "wait": gettext("Too early to tell: %(names)s."),
            "unconnected": gettext("Connect to calls first: %(names)s."),
            "elsewhere": gettext("Judge by targets: %(names)s."),
            "unknown": gettext("Add the cost of: %(names)s."),
        }
    )
    whole = found.evidence.coverage.revenue
    if whole.share is not None and whole.share < 1:
        lost = formatting.amount(round(whole.of - whole.connected), settings.currency)
        unknown.append(
            gettext(
                "The source of %(amount)s of revenue: %(share)s is not connected to a campaign.",
                amount=lost,
                share=formatting.share(1 - whole.share),
            )
        )
    blocks: list[Block] = []
    if proposed:
        blocks.append(Points(proposed, gettext("What we recommend")))
    if unknown:
        blocks.append(Points(unknown, gettext("What we do not know yet")))
    return blocks


def done(
    session: Session,
    settings: Settings,
    snapshot: Snapshot,
    asked: ReportQuery,
    found: Comparison,
    aims: Sequence[_Row],
) -> Chapter:
    """Return what was done and what it cost, month by month, and how targets are coming along."""
    model = found.models[0]
    question = replace(asked.question, models=(model,))
    trend = roi.trend_of(snapshot, settings, question, "month")
    happened = annotations.events(session, first=asked.period.start, last=asked.last_day)
    drawn = charts.revenue_and_cost(trend, settings.currency, "month", happened)
    total = found.lines[TOTAL][model]
    situation = gettext(
        "In this period we spent %(cost)s on marketing. There were %(calls)s calls, %(leads)s new "
        "leads and %(customers)s new customers. Deals worth %(revenue)s were won.",
        cost=formatting.amount(total["cost_minor"], settings.currency),
        calls=formatting.count(total["calls"]),
        leads=formatting.count(total["leads"]),
        customers=formatting.count(total["customers"]),
        revenue=formatting.amount(total["revenue_minor"], settings.currency),
    )
    spent = gettext(
        "Direct costs were %(direct)s. Indirect costs, such as marketing staff time, were "
        "%(indirect)s. Leads and cost per lead use the %(model)s model.",
        direct=formatting.amount(total["direct_cost_minor"], settings.currency),
        indirect=formatting.amount(total["indirect_cost_minor"], settings.currency),
        model=model_word(model),
    )
    complete = all(charts.is_complete(row, "month") for row in trend.to_pylist())
    note = "" if complete else gettext("Hollow points are incomplete periods.")
    blocks: list[Block] = [
        situation,
        spent,
        Chart(gettext("Revenue and cost by month"), drawn, "months", note),
    ]
    if happened:
        told = [
            f"{formatting.day(each.starts_on)}: {each.title}" for each in reversed(happened[-_MOST_EVENTS:])
        ]
        blocks.append(Points(told, gettext("Annotations")))
    if aims:
        columns = [
            Column("campaign", gettext("Campaign")),
            Column("measure", gettext("Metric")),
            Column("target", gettext("Target"), "count"),
            Column("actual", gettext("So far"), "count"),
            Column("expected", gettext("Expected by now"), "count"),
            Column("pace", gettext("Pace")),
        ]
        blocks += [
            Table("targets-now", gettext("Targets"), columns, aims[:_MOST_ROWS]),
            gettext("Campaigns that are not about sales are judged by their targets, not by ROI."),
        ]
    return Chapter(gettext("Activity and cost"), blocks)


def effect(settings: Settings, asked: ReportQuery, found: Comparison, rows: Sequence[Return]) -> Chapter:
    """Return what came of it: by which model we decide, what the others say, and what is still expected."""
    blocks: list[Block] = [
        gettext("Default model: %(model)s.", model=model_word(asked.deciding.model))
        + " "
        + deciding.reason(asked.deciding)
    ]
    costliest = sorted((row for row in rows if is_campaign(row.campaign)), key=lambda row: -row.cost_minor)
    shown = costliest[:_MOST_ROWS]
    unsure = {row.campaign for row in shown if row.span.back is None}
    drawn = charts.roi_by_model(found, {row.campaign for row in shown}, unsure)
    if drawn is not None:
        name = gettext("ROI by campaign and model with 80% intervals")
        blocks.append(Chart(name, drawn, "roi"))
    blocks += [
        gettext(
            "%(model)s could not be calculated: %(reason)s",
            model=model_word(model),
            reason=why_unavailable(reason),
        )
        for model, reason in found.unavailable.items()
    ]
    return Chapter(
        gettext("Results"),
        [*blocks, *_still_expected(settings, found), *advice.worth_words(found.models[0])],
    )


def _still_expected(settings: Settings, found: Comparison) -> list[str]:
    coming, curve = found.maturity.total, found.maturity.curve
    if coming.share is None:
        return []
    low, high = (formatting.amount(end, settings.currency) for end in (coming.low, coming.high))
    said = gettext(
        "This period's leads are still expected to place first orders worth %(low)s to %(high)s "
        "(80%% interval), if they buy like earlier leads. This is not part of any ROI here and "
        "does not include repeat orders.",
        low=low,
        high=high,
    )
    half = curve.days_until(0.5)
    told = [said] if coming.expected > 0 else []
    if half is not None:
        told.append(
            ngettext(
                "Half of all buyers have bought within %(num)d day.",
                "Half of all buyers have bought within %(num)d days.",
                half,
            )
        )
    return told


def trust(findings: Collection[quality.Finding]) -> Chapter:
    """Return what is missing or doubtful in the data, and what it does to the figures."""
    bad = [line.sentence() for line in quality_text.in_words(list(findings)) if line.bad]
    heading = gettext("Data quality")
    if not bad:
        return Chapter(heading, [gettext("No issues found.")])
    said = gettext("Issues in this period's data and their effect:")
    return Chapter(heading, [said, Points(bad)])
