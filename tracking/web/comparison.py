"""ROI by campaign, side by side under several models, and the deals and leads behind each figure."""

from dataclasses import replace
from typing import Any

from flask import abort, render_template, request
from flask_babel import get_locale, gettext
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from attribution import UNATTRIBUTED
from reports import charts
from reports.roi import OVERHEAD, TOTAL, UNKNOWN
from tracking import clock
from tracking.access import saved_views
from tracking.errors import Invalid
from tracking.reporting import roi as reporting
from tracking.reporting.roi import Comparison
from tracking.reporting.snapshots import Preparing
from tracking.storage.models import Account, Deal
from tracking.web import questions
from tracking.web.pages import EVERYONE, Pages, user
from tracking.web.questions import SHOWN_MODELS, Asked, chart_locale, chart_words, day_from_query, line_words

__all__ = ["SHOWN_MODELS", "add", "day_from_query"]

_PAGE = 100
_GOALS = ("won", "customers", "lead", "qualified")
# More models than this make a chart that nobody can read; the table shows all.
_DRAWN = 7


def add(pages: Pages) -> None:
    """Add the comparison and what is behind it."""

    @pages.page("/roi", EVERYONE)
    def roi() -> tuple[str, int]:
        with pages.reading() as session:
            asked = questions.read(session, pages.settings, pages.today())
            problem: Exception | None = asked.problem
            try:
                taken = reporting.snapshot(session, pages.settings, at=clock.now())
                found, problem_now = _compared(pages, taken, asked)
            except Preparing:
                return render_template("decide/preparing.html"), 200
            problem = problem or problem_now
            page = render_template(
                "decide/roi.html",
                asked=asked,
                found=found,
                lines=found.lines(),
                best=best(found),
                split=split(found),
                words=line_words(),
                spec=taken.remember(("roi chart", found.question, str(get_locale())), lambda: drawing(found)),
                all_models=reporting.REPORTED,
                saved=saved_views.visible(session, user().id, "/roi"),
                problem=problem,
                constants={
                    "total": TOTAL,
                    "unattributed": UNATTRIBUTED,
                    "unknown": UNKNOWN,
                    "overhead": OVERHEAD,
                },
            )
        return page, 422 if problem else 200

    @pages.page("/roi/behind", EVERYONE)
    def roi_behind() -> tuple[str, int]:
        goal, line = request.args.get("goal", "won"), request.args.get("line", TOTAL)
        if goal not in _GOALS:
            abort(404)
        with pages.reading() as session:
            asked = questions.read(session, pages.settings, pages.today(), models=("linear",))
            if asked.problem:
                raise asked.problem
            try:
                taken = reporting.snapshot(session, pages.settings, at=clock.now())
            except Preparing:
                return render_template("decide/preparing.html"), 200
            table = reporting.behind(taken, pages.settings, asked.question, goal, line)
            start = max(request.args.get("skip", 0, type=int), 0)
            rows = table.slice(start, _PAGE).to_pylist()
            deals = [
                int(row["conversion_id"].split()[1]) for row in rows if row["conversion_id"][:5] == "deal "
            ]
            query = select(Deal).where(Deal.id.in_(deals)).options(joinedload(Deal.account))
            companies = select(Account).where(Account.id.in_([row["account_id"] for row in rows]))
            page = render_template(
                "decide/behind.html",
                asked=asked,
                goal=goal,
                line=line,
                rows=rows,
                count=table.num_rows,
                weight=sum(table["weight"].to_pylist()),
                credit=sum(table["credit_minor"].to_pylist()),
                deals={deal.id: deal for deal in session.scalars(query)},
                companies={account.id: account for account in session.scalars(companies)},
                words=line_words(),
                lost=reporting.unattributed(
                    taken,
                    pages.settings,
                    replace(asked.question, models=asked.question.models[:1], campaigns=None),
                ).get(asked.question.models[0]),
                newer=max(start - _PAGE, 0) if start else None,
                older=start + _PAGE if start + _PAGE < table.num_rows else None,
                taken=taken,
            )
        return page, 200


def _compared(pages: Pages, taken: Any, asked: Asked) -> tuple[Comparison, Invalid | None]:
    """Answer the question; where no model of it can be computed, the first one that always can."""
    at = clock.now()
    try:
        return (
            reporting.compare(taken, pages.settings, asked.question, at=at, against=asked.other_period),
            None,
        )
    except Invalid as error:
        plain = reporting.Question(("linear",), asked.period, asked.question.lookback_days)
        return reporting.compare(taken, pages.settings, plain, at=at), error


def best(found: Comparison) -> dict[str, Any]:
    """Return which campaign each model puts first, and how sure that is."""
    first = found.drawn.best()
    sides: dict[str, list[str]] = {}
    for model, (campaign, _) in first.items():
        sides.setdefault(campaign, []).append(model)
    sure = min((share for _, share in first.values()), default=None)
    return {"sides": sides, "sure": sure}


def split(found: Comparison) -> set[str]:
    """Return the campaigns that pay under some models and not under others."""
    signs: dict[str, set[bool]] = {}
    for row in found.table.to_pylist():
        if row["roi"] is not None and not row["campaign"].startswith("("):
            signs.setdefault(row["campaign"], set()).add(row["roi"] >= 0)
    return {campaign for campaign, met in signs.items() if len(met) > 1}


def drawing(found: Comparison) -> charts.Spec | None:
    """Return the chart of a comparison; None where no campaign has an ROI."""
    shown = found.models[:_DRAWN]
    rows = [row for row in found.table.to_pylist() if row["model"] in shown]
    if not any(row["roi"] is not None and not row["campaign"].startswith("(") for row in rows):
        return None
    table = type(found.table).from_pylist(rows, schema=found.table.schema)
    return charts.roi_by_model(table, words=chart_words(), locale=chart_locale())


def goal_words() -> dict[str, str]:
    """Return what the conversions behind a figure are called."""
    return {
        "won": gettext("Deals won"),
        "customers": gettext("New customers"),
        "lead": gettext("Leads"),
        "qualified": gettext("Qualified leads"),
    }
