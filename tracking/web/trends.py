"""Trends over time, advice on each campaign, and what moving money between campaigns would change."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow as pa
from flask import render_template, request
from flask_babel import gettext

from attribution import UNATTRIBUTED
from reports.advice import what_if
from reports.charts import Spec
from reports.evidence import Standing
from reports.trends import Step, preceding
from simulator import which_model
from tracking import clock
from tracking.access import saved_views
from tracking.errors import Invalid
from tracking.records import annotations
from tracking.reporting import advice as advising
from tracking.reporting import charts, deciding, roi
from tracking.reporting.roi import Comparison, Question
from tracking.reporting.snapshots import Snapshot
from tracking.storage import money
from tracking.storage.models import Annotation, Indicator
from tracking.web import pages, tried_moves
from tracking.web.pages import EVERYONE, user

_SHOWN = ("calls", "leads", "customers", "revenue_minor", "cost_minor")
_ELASTICITIES = {"proportional": 1.0, "diminishing": 0.5}


@pages.page("/roi/trends", EVERYONE)
def trends() -> tuple[str, int]:
    with pages.reading() as session:
        asked = pages.report_query(session)
        problem: Exception | None = asked.problem
        snapshot = pages.current_snapshot(session)
        question = replace(asked.question, models=asked.question.models[:1])
        try:
            table = roi.trend_of(snapshot, pages.settings(), question, asked.step)
        except Invalid as error:
            problem, question = error, replace(question, models=("linear",))
            table = roi.trend_of(snapshot, pages.settings(), question, asked.step)
        other = None
        if asked.other_period:
            earlier = replace(question, period=asked.other_period)
            other = roi.trend_of(snapshot, pages.settings(), earlier, asked.step).to_pylist()
        events = annotations.events(session, first=asked.period.start, last=asked.last_day)
        readings = annotations.readings(session, first=asked.period.start, last=asked.last_day)
        rows = table.to_pylist()
        page = render_template(
            "decide/trends.html",
            asked=asked,
            model=question.models[0],
            nothing=not any(row[name] for row in rows for name in _SHOWN),
            lost=roi.unattributed(snapshot, pages.settings(), question),
            rows=rows,
            sums={name: sum(row[name] or 0 for row in rows) for name in _SHOWN},
            grown=_grown(snapshot, question, rows),
            partial=not all(charts.is_complete(row, asked.step) for row in rows),
            other=other,
            alike=roi.recorded(snapshot, asked.other_period) if asked.other_period else {},
            charts=_charts(table, readings, events, asked.step),
            events=events,
            readings=readings,
            snapshot=snapshot,
            problem=problem,
            all_models=roi.REPORTED,
            saved=saved_views.visible(session, user().id, "/roi/trends"),
            timedelta=timedelta,
        )
    return page, pages.status_of(problem)


def _grown(snapshot: Snapshot, question: Question, rows: list[dict[str, Any]]) -> float | None:
    """Return by what part revenue has grown since the period before; None where not all of that is known."""
    before = preceding(question.period)
    if not roi.recorded(snapshot, before)["revenue_minor"]:
        return None
    [then] = roi.totals(snapshot, pages.settings(), replace(question, period=before)).values()
    revenue = sum(row["revenue_minor"] for row in rows)
    return revenue / then["revenue_minor"] - 1 if then["revenue_minor"] else None


@pages.page("/roi/advice", EVERYONE)
def advice() -> tuple[str, int]:
    with pages.reading() as session:
        asked = pages.report_query(session, compared=True)
        problem: Exception | None = asked.problem
        snapshot = pages.current_snapshot(session)
        try:
            found = roi.compare(snapshot, pages.settings(), asked.question, at=clock.now())
        except Invalid as error:
            problem = error
            plain = replace(asked.question, models=("linear",), campaigns=None)
            found = roi.compare(snapshot, pages.settings(), plain, at=clock.now())
        try:
            budget, elasticity = _budget(found, pages.settings().currency)
        except Invalid as error:
            problem, budget, elasticity = error, {}, "diminishing"
        judged = advising.judged(found, asked)
        moved = what_if(found.drawn, budget, _ELASTICITIES[elasticity])
        page = render_template(
            "decide/advice.html",
            asked=asked,
            found=found,
            advice=judged,
            told=found.evidence.whole() is Standing.enough,
            summary=advising.summary(found, judged),
            warnings=deciding.warnings(asked.deciding, found.models),
            misfits=tried_moves.latest_misfits(session),
            lost={model: found.share_of(UNATTRIBUTED, model) for model in found.models},
            saved=saved_views.visible(session, user().id, "/roi/advice"),
            costs=_costs(found),
            budget=budget,
            elasticity=elasticity,
            moved=moved,
            spec=charts.still_to_come(found, pages.settings().currency),
            verdicts=advising.verdict_words(),
            worth=advising.worth(found.models),
            rules=[rule for rule in which_model.rules() if rule.name != "best"],
            reason=advising.reason,
            problem=problem,
            all_models=roi.REPORTED,
            major=lambda minor: str(money.to_major(round(minor), pages.settings().currency)),
        )
    return page, pages.status_of(problem)


def _costs(found: Comparison) -> dict[str, int]:
    rows = found.table.to_pylist()
    return {
        row["campaign"]: row["cost_minor"]
        for row in sorted(rows, key=lambda row: str(row["campaign"]))
        if row["model"] == found.models[0] and row["cost_minor"] and not row["campaign"].startswith("(")
    }


def _budget(found: Comparison, currency: str) -> tuple[dict[str, int], str]:
    """Return the new cost of each campaign that the address changes, and how revenue follows cost."""
    elasticity = request.args.get("returns", "diminishing")
    if elasticity not in _ELASTICITIES:
        raise Invalid(
            "returns", gettext("%(name)s is not an option; choose one from the list", name=elasticity)
        )
    budget = {}
    for place, name in enumerate(_costs(found)):
        text = request.args.get(f"cost{place}", "").strip()
        if text:
            minor = money.to_minor(text, currency, name)
            if minor < 0:
                raise Invalid(name, gettext("a cost must be 0 or more"))
            budget[name] = minor
    return budget, elasticity


def _charts(
    table: pa.Table, readings: Sequence[Indicator], events: Sequence[Annotation], step: Step
) -> list[tuple[str, str, Spec]]:
    """Return the charts of the trends, each with its title and the table that has its figures."""
    currency = pages.settings().currency
    found = [
        (
            gettext("Revenue and cost"),
            "trends-table",
            charts.revenue_and_cost(table, currency, step, events),
        ),
        (
            gettext("Calls, leads and customers"),
            "trends-table",
            charts.calls_leads_and_customers(table, currency, step, events),
        ),
    ]
    for name in sorted({each.name for each in readings}):
        mine = [each for each in reversed(readings) if each.name == name]
        found.append((name, "indicators-table", charts.indicator(mine, events)))
    return found
