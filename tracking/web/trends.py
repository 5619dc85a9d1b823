"""Trends over time, advice on each campaign, and what moving money between campaigns would change."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flask import render_template, request
from flask_babel import gettext

from attribution import UNATTRIBUTED
from reports import charts
from reports.advice import FEW, Advice, Verdict, advise, what_if
from reports.trends import Step
from simulator import which_model
from tracking import clock
from tracking.access import saved_views
from tracking.errors import Invalid
from tracking.language import formatting, translate
from tracking.records import annotations
from tracking.reporting import roi
from tracking.reporting.roi import Comparison
from tracking.reporting.snapshots import Preparing
from tracking.storage import money
from tracking.web import questions
from tracking.web.pages import EVERYONE, Pages, user
from tracking.web.questions import Asked, chart_locale, chart_words

_SALES = frozenset({"leads", "qualified leads", "customers", "deals", "revenue", "calls"})
_TOLD = ("calls", "leads", "customers", "revenue_minor", "cost_minor")
_ELASTICITIES = {"proportional": 1.0, "diminishing": 0.5}
_FEW_DEALS = 300
"""The number of deals for which the simulator's findings are shown: a supplier has few."""
_APART = 0.5
"""Chances under two models that differ by so much are a disagreement (an assumption)."""
_ADVISORS = ("first-touch", "last-touch", "linear", "position-based")


def add(pages: Pages) -> None:
    """Add the pages that look along time."""

    @pages.page("/roi/trends", EVERYONE)
    def trends() -> tuple[str, int]:
        with pages.reading() as session:
            asked = questions.read(session, pages.settings, pages.today(), models=("linear",))
            problem: Exception | None = asked.problem
            try:
                taken = roi.snapshot(session, pages.settings, at=clock.now())
            except Preparing:
                return render_template("decide/preparing.html"), 200
            question = replace(asked.question, models=asked.question.models[:1])
            try:
                table = roi.trend_of(taken, pages.settings, question, asked.step)
            except Invalid as error:
                problem, question = error, replace(question, models=("linear",))
                table = roi.trend_of(taken, pages.settings, question, asked.step)
            other = None
            if asked.other_period:
                earlier = replace(question, period=asked.other_period)
                other = roi.trend_of(taken, pages.settings, earlier, asked.step).to_pylist()
            events = annotations.events(session, first=asked.period.start, last=asked.last_day)
            readings = annotations.readings(session, first=asked.period.start, last=asked.last_day)
            told = [{"starts_on": e.starts_on, "ends_on": e.ends_on, "title": e.title} for e in events]
            rows = table.to_pylist()
            page = render_template(
                "decide/trends.html",
                asked=asked,
                model=question.models[0],
                nothing=not any(row[name] for row in rows for name in _TOLD),
                lost=roi.unattributed(taken, pages.settings, question),
                rows=rows,
                partial=not all(questions.is_whole(row, asked.step) for row in rows),
                other=other,
                charts=_trend_charts(table, readings, told, pages.settings.currency, asked.step),
                events=events,
                readings=readings,
                taken=taken,
                problem=problem,
                all_models=roi.REPORTED,
                saved=saved_views.visible(session, user().id, "/roi/trends"),
                timedelta=timedelta,
            )
        return page, 422 if problem else 200

    @pages.page("/roi/advice", EVERYONE)
    def advice() -> tuple[str, int]:
        with pages.reading() as session:
            asked = questions.read(session, pages.settings, pages.today(), models=_ADVISORS)
            problem: Exception | None = asked.problem
            try:
                taken = roi.snapshot(session, pages.settings, at=clock.now())
            except Preparing:
                return render_template("decide/preparing.html"), 200
            try:
                found = roi.compare(taken, pages.settings, asked.question, at=clock.now())
            except Invalid as error:
                problem = error
                plain = replace(asked.question, models=("linear",), campaigns=None)
                found = roi.compare(taken, pages.settings, plain, at=clock.now())
            try:
                budget, elasticity = _budget(found, pages.settings.currency)
            except Invalid as error:
                problem, budget, elasticity = error, {}, "diminishing"
            moved = what_if(found.drawn, budget, _ELASTICITIES[elasticity])
            page = render_template(
                "decide/advice.html",
                asked=asked,
                found=found,
                advice=judged(found, asked),
                lost={model: found.share_of(UNATTRIBUTED, model) for model in found.models},
                saved=saved_views.visible(session, user().id, "/roi/advice"),
                costs=_costs(found),
                budget=budget,
                elasticity=elasticity,
                moved=moved,
                spec=coming(found, pages.settings.currency),
                verdicts=verdict_words(),
                worth=_worth(found.models),
                reason=reason,
                problem=problem,
                all_models=roi.REPORTED,
                major=lambda minor: str(money.to_major(round(minor), pages.settings.currency)),
            )
        return page, 422 if problem else 200


def _worth(models: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """Return per model what the simulator found: margin misplaced, margin lost, most lost anywhere."""
    found = {each.model: each for each in which_model.trust(_FEW_DEALS)}
    return {
        model: (found[model].usual.wrong, found[model].usual.lost, found[model].worst.lost)
        for model in models
        if model in found
    }


def worth_words(model: str) -> list[str]:
    """Return what the simulator found advice by a model to be worth, or that it has not studied it."""
    sentences = [
        gettext(
            "In simulated markets, where the truth is known, moving a fifth of the budget as the model "
            "%(model)s says left out %(lost)s of the margin that the best move would have brought, and "
            "%(worst)s in the least favourable market. That is a finding about made-up markets, not about "
            "ours.",
            model=translate.model_word(model),
            lost=formatting.share(lost),
            worst=formatting.share(worst),
        )
        for _, lost, worst in _worth([model]).values()
    ]
    return sentences or [
        gettext(
            "Not covered by the study in simulated markets: %(models)s.", models=translate.model_word(model)
        )
    ]


def verdict_words() -> dict[str, str]:
    """Return what each advice is called."""
    return {
        Verdict.invest: gettext("invest"),
        Verdict.keep: gettext("keep"),
        Verdict.reconsider: gettext("reconsider"),
        Verdict.stop: gettext("stop"),
        Verdict.wait: gettext("wait"),
        Verdict.elsewhere: gettext("by its targets"),
        Verdict.unknown: gettext("no cost known"),
    }


def reason(advice: Advice) -> str:
    """Return why a campaign is judged so, as one sentence."""
    said = {
        Verdict.unknown: gettext("Without a cost there is no return to judge."),
        Verdict.elsewhere: gettext("It does not aim at sales; see its targets among the key figures."),
        Verdict.invest: gettext(
            "It pays under every model, and likely earns more on its cost than the campaigns together. "
            "Add a little, then look."
        ),
        Verdict.keep: gettext("It likely pays under every model."),
        Verdict.stop: gettext("Under no model does it earn its cost, even with what is still to come."),
    }
    if advice.verdict in said:
        return str(said[advice.verdict])
    if advice.verdict is Verdict.wait:
        return str(
            gettext(
                "%(share)s of the revenue of its leads is still to come: too early to tell.",
                share=formatting.share(advice.to_come),
            )
        )
    if advice.most - advice.least >= _APART:
        return str(gettext("The models disagree on whether it pays."))
    if advice.deals < FEW:
        return str(gettext("With so few deals credited nothing surer can be said."))
    return str(gettext("Chance leaves it open whether it pays."))


def judged(found: Comparison, asked: Asked) -> list[Advice]:
    """Return what to do with each campaign; one that does not aim at sales is not judged by them."""
    deals: dict[str, dict[str, float]] = {}
    for row in found.table.to_pylist():
        deals.setdefault(row["campaign"], {})[row["model"]] = row["deals"]
    other = frozenset(
        name
        for name, fact in asked.facts.items()
        if fact.targets and not _SALES & {measure.strip().lower() for measure in fact.targets}
    )
    return advise(found.drawn, deals, found.maturity.campaigns, other)


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
        raise Invalid("returns", gettext("%(name)s is no assumption; choose from the list", name=elasticity))
    budget = {}
    for place, name in enumerate(_costs(found)):
        text = request.args.get(f"cost{place}", "").strip()
        if text:
            minor = money.to_minor(text, currency, name)
            if minor < 0:
                raise Invalid(name, gettext("a cost is 0 or more"))
            budget[name] = minor
    return budget, elasticity


def coming(found: Comparison, currency: str) -> charts.Spec | None:
    """Return the chart of revenue so far and still to come; None where there is neither."""

    def whole(minor: float) -> float:
        return float(money.to_major(round(minor), currency))

    rows = [
        {
            "campaign": name,
            "revenue": whole(c.so_far),
            "expected": whole(c.expected),
            "low": whole(c.low),
            "high": whole(c.high),
        }
        for name, c in sorted(found.maturity.campaigns.items())
        if not name.startswith("(") and (c.so_far or c.expected)
    ]
    if not rows:
        return None
    return charts.still_to_come(rows, title=currency, words=chart_words(), locale=chart_locale())


def _trend_charts(
    table: Any, readings: list[Any], told: list[dict[str, Any]], currency: str, step: Step
) -> list[tuple[str, str, charts.Spec]]:
    """Return the charts of the trends, each with its title and the table that has its figures."""
    words, locale = chart_words(), chart_locale()
    amounts = [("revenue_minor", gettext("Revenue")), ("cost_minor", gettext("Cost"))]
    counts = [
        ("calls", gettext("Calls")),
        ("leads", gettext("Leads")),
        ("customers", gettext("New customers")),
    ]
    money = charts.trend(
        questions.series(table, amounts, currency, step),
        told,
        title=currency,
        money=True,
        words=words,
        locale=locale,
    )
    counted = charts.trend(
        questions.series(table, counts, currency, step),
        told,
        title=gettext("count"),
        words=words,
        locale=locale,
    )
    found = [
        (gettext("Revenue and cost"), "trends-table", money),
        (gettext("Calls, leads and customers"), "trends-table", counted),
    ]
    for name in sorted({reading.name for reading in readings}):
        mine = [reading for reading in reversed(readings) if reading.name == name]
        rows = [{"start": r.day, "series": r.name, "value": r.value, "whole": True} for r in mine]
        drawn = questions.plain_series(rows)
        drawing = charts.trend(drawn, told, title=mine[0].unit, words=words, locale=locale)
        found.append((name, "indicators-table", drawing))
    return found
