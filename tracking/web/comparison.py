"""ROI by campaign, side by side under several models, and the deals and leads behind each figure."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from attribution import UNATTRIBUTED
from reports.roi import OVERHEAD, TOTAL, UNKNOWN
from tracking import clock
from tracking.access import saved_views
from tracking.errors import Invalid
from tracking.language.words import line_words
from tracking.reporting import advice, deciding, questions
from tracking.reporting import roi as reporting
from tracking.reporting.questions import ReportQuery, deciding_first
from tracking.reporting.returns import returns, scale_of
from tracking.reporting.roi import Comparison
from tracking.reporting.snapshots import Preparing, Snapshot
from tracking.storage.models import Account, Deal
from tracking.web import pages
from tracking.web.pages import EVERYONE, Work, user

_PAGE = 100
# What the table can show beside the campaign, its scale and the advice, and what it shows at first.
_COLUMNS = ("cost", "revenue", "leads", "customers", "acquisition", "roi", "back", "others")
_AT_FIRST = ("cost", "revenue", "leads", "back", "others")
_GOALS = ("won", "customers", "lead", "qualified")


@pages.page("/roi", EVERYONE)
def roi() -> tuple[str, int]:
    with pages.reading() as session:
        chosen = urlsplit(saved_views.kept(session, user().id)).query
        kept = parse_qs(chosen, keep_blank_values=True)
        asked = _asked(session, [name for name in kept.get("model", []) if name in reporting.REPORTED])
        problem: Exception | None = asked.problem
        try:
            snapshot = pages.current_snapshot(session)
            found, problem_now = _compared(snapshot, asked)
        except Preparing:
            return render_template("decide/preparing.html"), 200
        problem = problem or problem_now
        judged = advice.judged(found, asked)
        rows = returns(found, judged, pages.settings().currency)
        page = render_template(
            "decide/roi.html",
            asked=asked,
            found=found,
            lines=found.lines,
            summary=advice.summary(found, judged),
            why=deciding.reason(asked.deciding),
            warnings=deciding.warnings(asked.deciding, found.models),
            words=line_words(),
            rows=rows,
            verdict_words=advice.verdict_words(),
            **scale_of(rows),
            back_words=pages.back_words,
            all_models=reporting.REPORTED,
            columns=[name for name in _COLUMNS if name in kept.get("column", _AT_FIRST)],
            all_columns=_COLUMNS,
            saved=saved_views.visible(session, user().id, "/roi"),
            problem=problem,
            constants={
                "total": TOTAL,
                "unattributed": UNATTRIBUTED,
                "unknown": UNKNOWN,
                "overhead": OVERHEAD,
            },
        )
    return page, pages.status_of(problem)


@pages.page("/roi/choice", EVERYONE, methods=("POST",))
def keep_choice() -> Response:
    """Keep which models and columns a user wants to see on the ROI page."""
    models = [name for name in request.form.getlist("model") if name in reporting.REPORTED]
    columns = [name for name in _COLUMNS if name in request.form.getlist("column")]
    # One that is empty has been emptied by hand, and is none that was never chosen.
    query = urlencode({"model": models, "column": columns or [""]}, doseq=True)

    def save(work: Work) -> None:
        saved_views.keep(work.session, user().id, f"/roi?{query}")
        work.note("view save", "/roi")

    pages.change(save)
    flash(gettext("Saved. You will see this choice whenever you return."))
    days: dict[str, Any] = {name: request.form[name] for name in ("from", "to") if request.form.get(name)}
    return redirect(url_for("web.roi", **days), 303)


def _asked(session: Session, models: list[str]) -> ReportQuery:
    """Read the address; where it names no model, those that the user has chosen stand in."""
    if "model" in request.args or not models:
        return pages.report_query(session)
    args = MultiDict([*request.args.items(multi=True), *(("model", name) for name in models)])
    return deciding_first(questions.read(session, pages.settings(), pages.today(), args))


@pages.page("/roi/behind", EVERYONE)
def roi_behind() -> tuple[str, int]:
    goal, line = request.args.get("goal", "won"), request.args.get("line", TOTAL)
    if goal not in _GOALS:
        abort(404)
    with pages.reading() as session:
        asked = pages.report_query(session)
        if asked.problem:
            raise asked.problem
        snapshot = pages.current_snapshot(session)
        table = reporting.behind(snapshot, pages.settings(), asked.question, goal, line)
        start = pages.skipped()
        rows = table.slice(start, _PAGE).to_pylist()
        deals = [int(row["conversion_id"].split()[1]) for row in rows if row["conversion_id"][:5] == "deal "]
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
                snapshot,
                pages.settings(),
                replace(asked.question, models=asked.question.models[:1], campaigns=None),
            ).get(asked.question.models[0]),
            newer=max(start - _PAGE, 0) if start else None,
            older=start + _PAGE if start + _PAGE < table.num_rows else None,
            snapshot=snapshot,
        )
    return page, 200


def _compared(snapshot: Snapshot, asked: ReportQuery) -> tuple[Comparison, Invalid | None]:
    """Answer the question; where no model of it can be computed, the first one that always can."""
    at = clock.now()
    try:
        return (
            reporting.compare(snapshot, pages.settings(), asked.question, at=at, against=asked.other_period),
            None,
        )
    except Invalid as error:
        plain = reporting.Question(("linear",), asked.period, asked.question.lookback_days)
        return reporting.compare(snapshot, pages.settings(), plain, at=at), error
