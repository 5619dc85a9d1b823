"""The first page: the figures that matter, what needs attention, and the next step where nothing is yet."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from attribution import UNATTRIBUTED
from reports.advice import Advice
from reports.definitions import KPIS
from reports.evidence import is_campaign
from reports.kpis import Period
from reports.roi import TOTAL
from reports.trends import preceding
from tracking import clock
from tracking.access import saved_views
from tracking.errors import Invalid
from tracking.language.words import line_words
from tracking.records import annotations, campaigns, visits
from tracking.reporting import advice, charts, pipeline, roi, targets
from tracking.reporting.period_figures import YEARS_KEPT
from tracking.reporting.questions import ReportQuery
from tracking.reporting.returns import Return, returns
from tracking.reporting.roi import Question
from tracking.reporting.snapshots import Snapshot
from tracking.storage.models import Call, Campaign
from tracking.storage.vocabulary import CallStatus, Direction
from tracking.telephony import call_details, calls
from tracking.web import forms, pages, steps
from tracking.web.pages import EVERYONE, MARKETERS, Work, may, user

_WAITING_DAYS = 30
_FEW = 12
_ASKED_ENOUGH, _MISSED_TOO_OFTEN, _UNATTRIBUTED_TOO_MUCH = 0.5, 0.2, 0.3
_MOST_YEARS = 50.0


@pages.page("/", EVERYONE)
def home() -> tuple[str, int]:
    with pages.reading() as session:
        if session.scalar(select(Call.id).where(Call.provider != calls.PRACTICE).limit(1)) is None:
            return steps.page(session), 200
        asked = pages.report_query(session)
        snapshot = pages.current_snapshot(session)
        model = asked.deciding.model
        question = Question((model,), asked.period, float(pages.settings().lookback_days))
        against = asked.other_period or preceding(asked.period)
        found = roi.compare(snapshot, pages.settings(), question, at=clock.now(), against=against)
        judged = advice.judged(found, asked)
        attended = roi.attended(snapshot, asked.period)
        months = roi.trend_of(snapshot, pages.settings(), question, "month")
        events = annotations.events(session, first=asked.period.start, last=asked.last_day)
        waiting = _waiting(session)
        page = render_template(
            "decide/home.html",
            asked=asked,
            unattributed=UNATTRIBUTED,
            one_day=timedelta(days=1),
            found=found,
            model=model,
            now=found.lines[TOTAL][model],
            before=found.before[model],
            summary=advice.summary(found, judged),
            standing=found.evidence.whole(),
            verdict_words=advice.verdict_words(),
            attended=attended,
            spec=charts.revenue_and_cost(months, pages.settings().currency, "month", events),
            trend=months.to_pylist(),
            partial=not all(charts.is_complete(row, "month") for row in months.to_pylist()),
            waiting=waiting,
            steps_left=steps.left(session) if may("web.new_campaign") else (0, 0),
            todo=_todo(found, attended, waiting),
            campaigns=(shown := _campaigns(found, judged)),
            most=max([1, *(max(row.revenue_minor, row.cost_minor) for row in shown)]),
            back_words=pages.back_words,
        )
    return page, pages.status_of(asked.problem)


@pages.page("/key-figures", EVERYONE)
def key_figures() -> tuple[str, int]:
    with pages.reading() as session:
        asked = pages.report_query(session)
        problem: Exception | None = asked.problem
        snapshot = pages.current_snapshot(session)
        try:
            years = _years()
            now, before = _both(snapshot, asked, years)
        except Invalid as error:
            problem, years = error, YEARS_KEPT
            plain = replace(asked, question=replace(asked.question, models=("linear",)))
            now, before = _both(snapshot, plain, years)
        open_deals = pipeline.by_campaign(session, pages.settings(), snapshot, asked, at=clock.now())
        next_year, plan = targets.plan(pages.settings(), snapshot, asked, at=clock.now())
        aims = targets.reached(pages.settings(), snapshot, asked, session, at=clock.now())
        page = render_template(
            "decide/key_figures.html",
            asked=asked,
            kpis=KPIS,
            now=now,
            before=before,
            years=years,
            snapshot=snapshot,
            problem=problem,
            plan=plan,
            next_year=next_year,
            pipeline=open_deals,
            words=line_words(),
            targets=aims,
            conclusion=targets.conclusion(aims),
            counted=visits.counted(session, asked.period.start, asked.period.end),
            lost=roi.unattributed(
                snapshot, pages.settings(), replace(asked.question, models=asked.question.models[:1])
            ),
            behind=_behind(asked, asked.period),
            behind_before=_behind(asked, asked.other_period) if asked.other_period else {},
            saved=saved_views.visible(session, user().id, "/key-figures"),
            all_models=roi.REPORTED,
        )
    return page, pages.status_of(problem)


@pages.page("/key-figures/plan", MARKETERS, methods=("POST",))
def save_plan() -> AnyResponse:
    def work(job: Work) -> None:
        year = forms.whole("year")
        if year is None or not 2000 <= year < 2100:
            raise Invalid(
                "year", "%(told)r is not a year; enter one such as 2027", told=forms.text("year") or ""
            )
        for row in job.session.scalars(select(Campaign)):
            leads = forms.whole(f"leads{row.id}")
            if leads is not None and leads < 0:
                raise Invalid("targets", gettext("a target must be 0 or more"))
            if leads is not None:
                campaigns.change(job.session, row, targets=dict(row.targets) | {f"leads {year}": leads})
        job.note("plan save", str(year))

    pages.change(work)
    flash(gettext("Saved."))
    return redirect(url_for("web.key_figures") + "#plan", 303)


def _both(
    snapshot: Snapshot, asked: ReportQuery, years: float
) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """Return the key figures of the period, and those of the period to compare with."""
    outbound = frozenset(n for n, fact in asked.facts.items() if fact.direction is Direction.outbound)
    question = replace(asked.question, campaigns=None)
    now = roi.key_figures(snapshot, pages.settings(), question, outbound, years)
    if asked.other_period is None:
        return now, {}
    earlier = replace(question, period=asked.other_period)
    return now, roi.key_figures(snapshot, pages.settings(), earlier, outbound, years)


def _behind(asked: ReportQuery, period: Period) -> dict[str, str]:
    """Return where to see what each key figure is made of."""
    days: dict[str, Any] = {"from": period.start, "to": period.end - timedelta(days=1)}
    credited = days | {"model": asked.question.models[0], "lookback": f"{asked.question.lookback_days:g}"}
    rung = days | {"spam": "no"}
    leads = url_for("web.roi_behind", goal="lead", **credited)
    customers = url_for("web.roi_behind", goal="customers", **credited)
    report = url_for("web.roi", **credited)
    return {
        "roi": report,
        "roas": report,
        "marketing_efficiency": report,
        "sourced_share": report,
        "growth_efficiency": url_for("web.roi", against="year", **credited),
        "cost_per_lead_minor": leads,
        "visitor_to_lead_rate": leads,
        "cost_per_qualified_lead_minor": url_for("web.roi_behind", goal="qualified", **credited),
        "customers_per_lead": customers,
        "acquisition_cost_minor": customers,
        "inbound_acquisition_cost_minor": url_for(
            "web.roi_behind", goal="customers", direction="inbound", **credited
        ),
        "outbound_acquisition_cost_minor": url_for(
            "web.roi_behind", goal="customers", direction="outbound", **credited
        ),
        "lifetime_value_minor": url_for("web.deal_list", stage="won"),
        "lifetime_to_acquisition": customers,
        "payback_months": customers,
        "lifetime_roi": customers,
        "cost_per_call_minor": url_for("web.calls", **rung),
        "answered_rate": url_for("web.calls", **rung),
        "missed_rate": url_for("web.calls", status=CallStatus.missed, **rung),
        "asked_rate": url_for("web.calls", asked="yes", **rung),
    }


def _years() -> float:
    text = request.args.get("years", "").strip()
    try:
        years = float(text) if text else YEARS_KEPT
    except ValueError:
        years = 0.0
    if not 0 < years <= _MOST_YEARS:
        raise Invalid("years", "must be between 0 and 50 years, not %(told)r", told=text)
    return years


def _campaigns(found: roi.Comparison, judged: list[Advice]) -> list[Return]:
    """Return the campaigns that cost or earned something, what earned most first."""
    rows = returns(found, judged, pages.settings().currency)
    told = [row for row in rows if is_campaign(row.campaign) and (row.cost_minor or row.revenue_minor)]
    return sorted(told, key=lambda row: -row.revenue_minor)[:_FEW]


def _waiting(session: Session) -> list[tuple[Call, str]]:
    """Return the latest calls of which nobody has logged where the caller heard of us, as the desk does."""
    query = call_details.loaded(calls.unlogged(since=clock.now() - timedelta(days=_WAITING_DAYS)).limit(6))
    return [(call, call_details.caller_of(session, call)) for call in session.scalars(query)]


def _todo(
    found: roi.Comparison, attended: dict[str, Any], waiting: Sequence[object]
) -> list[tuple[str, str | None, str]]:
    """Return what needs attention: a sentence, where to mend it, and what the link says."""
    todo = []
    asked_rate, missed_rate = attended["asked_rate"], attended["missed_rate"]
    if asked_rate is not None and asked_rate < _ASKED_ENOUGH:
        text = gettext(
            "In more than half of the eligible calls, the caller was not asked how they heard about us."
        )
        # Calls that were logged without asking are not to be logged again.
        label = gettext("Log calls") if waiting else gettext("See who asks")
        todo.append((text, "web.unasked", label))
    if missed_rate is not None and missed_rate > _MISSED_TOO_OFTEN:
        text = gettext("More than one call in five was missed.")
        todo.append((text, "web.calls", gettext("Show calls")))
    lines, model = found.lines, found.models[0]
    free = sorted(
        name
        for name, row in lines.items()
        if is_campaign(name) and not row[model]["cost_minor"] and row[model]["revenue_minor"]
    )
    if free:
        names = ", ".join(free[:3]) + ("…" if len(free) > 3 else "")
        text = gettext("These campaigns earn revenue but have no cost entered: %(names)s.", names=names)
        todo.append((text, "web.cost_list", gettext("Add costs")))
    lost = found.share_of(UNATTRIBUTED, model)
    if lost is not None and lost > _UNATTRIBUTED_TOO_MUCH:
        text = gettext("Much of the revenue is unattributed: the buyers have no recorded touches.")
        todo.append((text, "web.roi", gettext("Show ROI")))
    return [(text, endpoint if may(endpoint) else None, label) for text, endpoint, label in todo]
