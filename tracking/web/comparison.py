"""ROI by campaign, side by side under several models, and the deals and leads behind each figure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from flask import abort, render_template, request
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from attribution import UNATTRIBUTED
from reports.evidence import Standing
from reports.roi import OVERHEAD, TOTAL, UNKNOWN
from tracking import clock
from tracking.access import saved_views
from tracking.errors import Invalid
from tracking.language import formatting
from tracking.language.words import line_words, model_word
from tracking.reporting import advice, deciding
from tracking.reporting import roi as reporting
from tracking.reporting.questions import ReportQuery
from tracking.reporting.roi import Comparison
from tracking.reporting.snapshots import Preparing, Snapshot
from tracking.storage.models import Account, Deal
from tracking.web import pages
from tracking.web.pages import EVERYONE, user

_PAGE = 100
_GOALS = ("won", "customers", "lead", "qualified")
_SCALE = 240
_CLOSE, _FAR = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0), (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


@pages.page("/roi", EVERYONE)
def roi() -> tuple[str, int]:
    with pages.reading() as session:
        asked = pages.report_query(session)
        problem: Exception | None = asked.problem
        try:
            snapshot = pages.current_snapshot(session)
            found, problem_now = _compared(snapshot, asked)
        except Preparing:
            return render_template("decide/preparing.html"), 200
        problem = problem or problem_now
        judged = advice.judged(found, asked)
        rows = returns(found)
        steps = steps_of(rows)
        page = render_template(
            "decide/roi.html",
            asked=asked,
            found=found,
            lines=found.lines,
            conclusion=advice.conclusion(found, judged),
            unconnected={each.campaign for each in judged if each.standing is Standing.unconnected},
            why=deciding.reason(asked.deciding),
            warnings=deciding.warnings(asked.deciding, found.models),
            words=line_words(),
            rows=rows,
            verdicts={each.campaign: each for each in judged},
            verdict_words=advice.verdict_words(),
            steps=steps,
            place=partial(place, steps),
            back_words=back_words,
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
    return page, pages.status_of(problem)


@dataclass(frozen=True, slots=True)
class Return:
    """What each 1 that a campaign cost brought back: under the model in front, and under the others."""

    campaign: str
    model: str
    cost_minor: int
    revenue_minor: int
    back: float | None
    low: float | None
    high: float | None
    others: list[tuple[str, float]]

    @property
    def told(self) -> str:
        """Return what the picture shows, in words."""
        name = line_words().get(self.campaign, self.campaign)
        if self.back is None:
            return str(gettext("%(campaign)s: return unknown", campaign=name))
        shown = [(self.model, self.back), *self.others]
        parts = ", ".join(f"{model_word(model)} {back_words(back)}" for model, back in shown)
        return f"{name}: {parts}"


def returns(found: Comparison) -> list[Return]:
    """Return the campaigns, the best return under the model in front first, those without a return last."""
    rows = []
    front = found.models[0]
    for campaign, by_model in found.lines.items():
        first = by_model.get(front)
        if campaign in (UNATTRIBUTED, UNKNOWN, OVERHEAD) or first is None:
            continue
        back = {model: row["roi"] + 1 for model, row in by_model.items() if row and row["roi"] is not None}
        low, high = (first[name] for name in ("roi_low", "roi_high"))
        rows.append(
            Return(
                campaign,
                front,
                first["cost_minor"],
                first["credited_minor"] if campaign == TOTAL else first["revenue_minor"],
                back.get(front),
                None if low is None else low + 1,
                None if high is None else high + 1,
                [(model, back[model]) for model in found.models[1:] if model in back],
            )
        )
    return sorted(rows, key=lambda row: (row.campaign == TOTAL, row.back is None, -(row.back or 0)))


def steps_of(rows: Sequence[Return]) -> Sequence[float]:
    """Return the marks of the scale: the closer ones where they reach as far as the campaigns do."""
    far = any(row.back is not None and row.back > _CLOSE[-1] for row in rows)
    return _FAR if far else _CLOSE


def place(steps: Sequence[float], back: float) -> float:
    """Return where on the scale what each 1 brought back lies, from 0 to 240; beyond its ends, at them."""
    least, most = steps[0], steps[-1]
    clipped = min(max(back, least), most)
    part = math.log(clipped / least) / math.log(most / least)
    return round(8 + part * (_SCALE - 16), 1)


def back_words(back: float) -> str:
    """Return what each 1 brought back as an amount of the installation's currency."""
    return formatting.per_unit(back, pages.settings().currency)


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
