"""The first page: the figures that matter, what needs attention, and the next step where nothing is yet."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from flask import Response, make_response, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import exists, select
from sqlalchemy.orm import Session, joinedload

from attribution import UNATTRIBUTED
from reports import charts
from reports.definitions import KPIS
from reports.kpis import Period
from reports.roi import TOTAL
from reports.trends import preceding
from tracking import clock
from tracking.access import saved_views
from tracking.errors import Invalid
from tracking.language import translate
from tracking.records import annotations
from tracking.reporting import roi
from tracking.reporting.roi import Question
from tracking.reporting.snapshots import Preparing, Snapshot
from tracking.storage.config import Settings
from tracking.storage.models import Answer, Call, Campaign, NumberAssignment, TrackingNumber
from tracking.storage.vocabulary import CallStatus, Direction
from tracking.web import questions
from tracking.web.pages import EVERYONE, Pages, may, user
from tracking.web.questions import Asked, chart_locale, chart_words

_MODEL = ("linear",)
_NOT_TAKEN = (CallStatus.ringing, CallStatus.missed, CallStatus.voicemail)
_WAITING_DAYS = 30
_ASKED_ENOUGH, _MISSED_TOO_OFTEN, _UNATTRIBUTED_TOO_MUCH = 0.5, 0.2, 0.3
YEARS_KEPT = 5.0
"""How long a customer is kept where the page is told nothing else (an assumption)."""
_MOST_YEARS = 50.0


def add(pages: Pages) -> None:
    """Add the first page and the key figures."""

    @pages.page("/", EVERYONE)
    def home() -> tuple[str, int]:
        with pages.reading() as session:
            if step := _next_step(session):
                return render_template("decide/start.html", **step), 200
            asked = questions.read(session, pages.settings, pages.today(), models=_MODEL)
            try:
                taken = roi.snapshot(session, pages.settings, at=clock.now())
            except Preparing:
                return render_template("decide/preparing.html"), 200
            question = Question(_MODEL, asked.period, float(pages.settings.lookback_days))
            against = asked.other_period or preceding(asked.period)
            found = roi.compare(taken, pages.settings, question, at=clock.now(), against=against)
            attended = roi.attended(taken, asked.period)
            months = roi.trend_of(taken, pages.settings, question, "month").to_pylist()
            page = render_template(
                "decide/home.html",
                asked=asked,
                unattributed=UNATTRIBUTED,
                one_day=timedelta(days=1),
                found=found,
                now=found.lines()[TOTAL]["linear"],
                before=found.before["linear"],
                attended=attended,
                spec=_trend(session, pages, taken, question),
                trend=months,
                partial=not all(questions.is_whole(row, "month") for row in months),
                waiting=_waiting(session),
                todo=_todo(found, attended),
            )
        return page, 422 if asked.problem else 200

    @pages.page("/first-call", EVERYONE)
    def first_call() -> Response:
        with pages.reading() as session:
            come = session.scalar(select(Call.id).limit(1)) is not None
        answer = make_response(render_template("decide/_waiting.html"))
        if come:
            answer.headers["HX-Redirect"] = url_for("web.home")
        return answer

    @pages.page("/key-figures", EVERYONE)
    def key_figures() -> tuple[str, int]:
        with pages.reading() as session:
            asked = questions.read(session, pages.settings, pages.today(), models=_MODEL)
            problem: Exception | None = asked.problem
            try:
                taken = roi.snapshot(session, pages.settings, at=clock.now())
            except Preparing:
                return render_template("decide/preparing.html"), 200
            try:
                years = _years()
                now, before = _both(pages, taken, asked, years)
            except Invalid as error:
                problem, years = error, YEARS_KEPT
                plain = replace(asked, question=replace(asked.question, models=_MODEL))
                now, before = _both(pages, taken, plain, years)
            page = render_template(
                "decide/key_figures.html",
                asked=asked,
                kpis=KPIS,
                now=now,
                before=before,
                years=years,
                taken=taken,
                problem=problem,
                targets=targets(pages.settings, taken, asked, session, at=clock.now()),
                lost=roi.unattributed(
                    taken, pages.settings, replace(asked.question, models=asked.question.models[:1])
                ),
                behind=_behind(asked, asked.period),
                behind_before=_behind(asked, asked.other_period) if asked.other_period else {},
                saved=saved_views.visible(session, user().id, "/key-figures"),
                all_models=roi.REPORTED,
            )
        return page, 422 if problem else 200


def _both(
    pages: Pages, taken: Snapshot, asked: Asked, years: float
) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """Return the key figures of the period, and those of the period to compare with."""
    outbound = frozenset(n for n, fact in asked.facts.items() if fact.direction is Direction.outbound)
    question = replace(asked.question, campaigns=None)
    now = roi.key_figures(taken, pages.settings, question, outbound, years)
    if asked.other_period is None:
        return now, {}
    earlier = replace(question, period=asked.other_period)
    return now, roi.key_figures(taken, pages.settings, earlier, outbound, years)


def _behind(asked: Asked, period: Period) -> dict[str, str]:
    """Return where to see what each key figure is made of."""
    days: dict[str, Any] = {"from": period.start, "to": period.end - timedelta(days=1)}
    told = days | {"model": asked.question.models[0], "lookback": f"{asked.question.lookback_days:g}"}
    ring = days | {"spam": "no"}
    leads = url_for("web.roi_behind", goal="lead", **told)
    customers = url_for("web.roi_behind", goal="customers", **told)
    report = url_for("web.roi", **told)
    return {
        "roi": report,
        "roas": report,
        "sourced_share": report,
        "growth_roi": url_for("web.roi", against="year", **told),
        "cost_per_lead_minor": leads,
        "visitor_to_lead_rate": leads,
        "cost_per_qualified_lead_minor": url_for("web.roi_behind", goal="qualified", **told),
        "lead_to_customer_rate": customers,
        "acquisition_cost_minor": customers,
        "inbound_acquisition_cost_minor": url_for(
            "web.roi_behind", goal="customers", direction="inbound", **told
        ),
        "outbound_acquisition_cost_minor": url_for(
            "web.roi_behind", goal="customers", direction="outbound", **told
        ),
        "lifetime_value_minor": url_for("web.deal_list", stage="won"),
        "lifetime_to_acquisition": customers,
        "payback_months": customers,
        "lifetime_roi": customers,
        "cost_per_call_minor": url_for("web.calls", **ring),
        "answered_rate": url_for("web.calls", **ring),
        "missed_rate": url_for("web.calls", status=CallStatus.missed, **ring),
        "asked_rate": url_for("web.calls", asked="yes", **ring),
    }


def _years() -> float:
    text = request.args.get("years", "").strip()
    try:
        years = float(text) if text else YEARS_KEPT
    except ValueError:
        years = 0.0
    if not 0 < years <= _MOST_YEARS:
        raise Invalid("years", "%(told)r is no number of years up to 50; write 5", told=text)
    return years


def _next_step(session: Session) -> dict[str, Any] | None:
    """Return what is to be done first where there is nothing to show yet."""
    if session.scalar(select(Call.id).limit(1)) is not None:
        return None
    if session.scalar(select(Campaign.id).limit(1)) is None:
        return {"step": "campaign", "allowed": may("web.new_campaign")}
    number = session.scalar(
        select(TrackingNumber.number)
        .join(NumberAssignment, NumberAssignment.tracking_number_id == TrackingNumber.id)
        .where(NumberAssignment.ends_at.is_(None))
        .limit(1)
    )
    if number is None:
        return {"step": "number", "allowed": may("web.new_numbers")}
    return {"step": "call", "number": number, "allowed": True}


def _waiting(session: Session) -> list[Call]:
    """Return the latest answered calls of which nobody has logged where the caller heard of us."""
    query = (
        select(Call)
        .where(Call.started_at >= clock.now() - timedelta(days=_WAITING_DAYS))
        .where(Call.spam.is_(False), Call.status.not_in(_NOT_TAKEN))
        .where(~exists().where(Answer.call_id == Call.id))
        .order_by(Call.started_at.desc())
        .limit(6)
        .options(joinedload(Call.contact))
        .options(joinedload(Call.assignment).joinedload(NumberAssignment.ad_material))
    )
    return list(session.scalars(query))


def _trend(session: Session, pages: Pages, taken: Snapshot, question: Question) -> charts.Spec:
    table = roi.trend_of(taken, pages.settings, question, "month")
    period = question.period
    last = period.end - timedelta(days=1)
    told = [
        {"starts_on": e.starts_on, "ends_on": e.ends_on, "title": e.title}
        for e in annotations.events(session, first=period.start, last=last)
    ]
    names = [("revenue_minor", gettext("Revenue")), ("cost_minor", gettext("Cost"))]
    rows = questions.series(table, names, pages.settings.currency, "month")
    return charts.trend(
        rows, told, title=pages.settings.currency, money=True, words=chart_words(), locale=chart_locale()
    )


def _todo(found: roi.Comparison, attended: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    """Return what needs attention: a sentence, where to mend it, and what the link says."""
    todo = []
    asked_rate, missed_rate = attended["asked_rate"], attended["missed_rate"]
    if asked_rate is not None and asked_rate < _ASKED_ENOUGH:
        text = gettext("In more than half of the calls nobody asked where the caller heard of us.")
        todo.append((text, "web.unasked", gettext("Log them")))
    if missed_rate is not None and missed_rate > _MISSED_TOO_OFTEN:
        text = gettext("More than one call in five was missed.")
        todo.append((text, "web.calls", gettext("See the calls")))
    lines = found.lines()
    free = sorted(
        name
        for name, row in lines.items()
        if not name.startswith("(") and not row["linear"]["cost_minor"] and row["linear"]["revenue_minor"]
    )
    if free:
        names = ", ".join(free[:3]) + ("…" if len(free) > 3 else "")
        text = gettext("No cost is known of campaigns that earn revenue: %(names)s.", names=names)
        todo.append((text, "web.cost_list", gettext("Enter costs")))
    lost = found.share_of(UNATTRIBUTED, "linear")
    if lost is not None and lost > _UNATTRIBUTED_TOO_MUCH:
        text = gettext("Much of the revenue is unattributed: no touch is recorded of who bought.")
        todo.append((text, "web.roi", gettext("See the comparison")))
    return [(text, endpoint if may(endpoint) else None, label) for text, endpoint, label in todo]


def targets(
    settings: Settings, taken: Snapshot, asked: Asked, session: Session, *, at: datetime
) -> list[dict[str, Any]]:
    """Return targets against actuals, measure by measure, of every campaign that has targets.

    ``behind`` is the page of the records, not its address: mails are made where no request is.
    """
    wanted = {name: fact.targets for name, fact in sorted(asked.facts.items()) if fact.targets}
    if not wanted:
        return []
    question = replace(asked.question, models=_MODEL, campaigns=None)
    lines = roi.compare(taken, settings, question, at=at).lines()
    readings = annotations.readings(session, first=asked.period.start, last=asked.last_day)
    rows = []
    for name, aims in wanted.items():
        line = lines.get(name, {}).get("linear", {})
        for measure, target in aims.items():
            key = measure.strip().lower().replace(" ", "_")
            days: dict[str, Any] = {"from": asked.period.start, "to": asked.last_day}
            goal_of = {"leads": "lead", "qualified_leads": "qualified", "customers": "customers"}
            behind: tuple[str, dict[str, Any]] = ("web.beside", {})
            if key in ("calls", "answered_calls"):
                behind = ("web.calls", {"campaign": name, "spam": "no"} | days)
            elif key in ("leads", "qualified_leads", "customers", "deals"):
                wanted_goal = goal_of.get(key, "won")
                behind = ("web.roi_behind", {"goal": wanted_goal, "model": "linear", "line": name} | days)
            actual: float | None = None
            source = gettext("calls, leads and deals, model linear")
            if key in ("calls", "answered_calls", "leads", "qualified_leads", "customers", "deals"):
                actual = float(line.get(key, 0))
            else:
                # The newest figure of the indicator of that name.
                same = [r for r in readings if r.name.lower() == measure.strip().lower()]
                actual = same[0].value if same else None
                source = gettext("indicator")
            try:
                goal = float(target)
            except (TypeError, ValueError):
                goal = 0.0
            part = actual / goal if actual is not None and goal else None
            rows.append(
                {
                    "campaign": name,
                    "measure": translate.measure_word(measure),
                    "target": goal,
                    "actual": actual,
                    "part": part,
                    "source": source,
                    "behind": behind,
                }
            )
    return rows
