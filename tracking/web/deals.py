"""Deals: found, entered and changed, and each explained touch by touch under the models."""

from datetime import datetime, timedelta
from typing import Any

import pyarrow.compute as pc
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response

from attribution import UNATTRIBUTED, JourneyError, explain
from reports.roi import UNKNOWN
from tracking.errors import Invalid, NotFound, RateMissing
from tracking.language.words import answer_words, line_words, stage_words
from tracking.records import answers, contacts, deals, rates
from tracking.records.contacts import Clues
from tracking.records.deals import DealRecord
from tracking.reporting.credit import Window
from tracking.storage.models import Answer, Deal
from tracking.storage.vocabulary import Outcome, Stage
from tracking.telephony import practice
from tracking.web import forms, pages
from tracking.web.pages import EVERYONE, MARKETERS, Work, sees_numbers, some_of

Page = str | tuple[str, int] | Response
_PAGE = 50
# Those that one journey is enough for; the fitted ones learn from all journeys.
EXPLAINED = (
    "first-touch",
    "last-touch",
    "last-non-direct",
    "linear",
    "position-based",
    "w-shaped",
    "full-path",
    "time-decay",
)
_LONG_DAYS = 60
"""A time without a touch that is worth a word."""
_SAME = 1e-6
"""Shares closer than this are tied: they are sums of fractions."""
LEARNING = ("markov", "shapley", "self-reported", "hybrid")


@pages.page("/deals", EVERYONE)
def deal_list() -> str:
    skip = pages.skipped()
    wanted = select(Deal).order_by(Deal.closed_at.desc().nulls_first(), Deal.id.desc())
    if (stage := request.args.get("stage", "")) in list(Stage):
        wanted = wanted.where(Deal.stage == stage)
    if text := request.args.get("q", "").strip():
        theirs = contacts.is_of(Deal.account_id, text, by_number=sees_numbers())
        wanted = wanted.where(theirs | (Deal.external_id == text))
    with pages.reading() as session:
        rows = some_of(session, Deal, wanted, skip, _PAGE + 1, joinedload(Deal.account))
        return render_template(
            "deals/list.html",
            deals=[(row, contacts.root(session, row.account)) for row in rows[:_PAGE]],
            stages=stage_words(),
            stage=stage,
            text=text,
            newer=max(skip - _PAGE, 0) if skip else None,
            older=skip + _PAGE if len(rows) > _PAGE else None,
        )


@pages.page("/deals/new", MARKETERS, methods=("GET", "POST"))
def new_deal() -> Page:
    deal_id, problem = pages.submitted(lambda job: _save(job, None))
    if deal_id:
        return redirect(url_for("web.deal_page", deal_id=deal_id), 303)
    page = render_template("deals/form.html", deal=None, stages=stage_words(), problem=problem)
    return page, 422 if problem else 200


@pages.page("/deals/<int:deal_id>/change", MARKETERS, methods=("GET", "POST"))
def change_deal(deal_id: int) -> Page:
    saved, problem = pages.submitted(lambda job: _save(job, deal_id))
    if saved:
        flash(gettext("Saved."))
        return redirect(url_for("web.deal_page", deal_id=deal_id), 303)
    with pages.reading() as session:
        page = render_template(
            "deals/form.html",
            deal=_deal(session, deal_id),
            stages=stage_words(),
            problem=problem,
            local=lambda at: at.astimezone(pages.settings().zone).strftime("%Y-%m-%dT%H:%M") if at else "",
        )
    return page, 422 if problem else 200


@pages.page("/deals/<int:deal_id>", EVERYONE)
def deal_page(deal_id: int) -> str:
    with pages.reading() as session:
        row = _deal(session, deal_id)
        found, unrated = None, False
        touches: list[dict[str, Any]] = []
        try:
            found = _explained(session, row) if row.stage is Stage.won else None
            touches = found["lines"] if found else _touches(session, row)
        except RateMissing:
            unrated = True
        front = pages.report_query(session).deciding.model
        said = answers.of_company(session, row.account)
        corrected = {answer.corrects_id for answer in said}
        steps = _steps(row, touches, front)
        steps += [
            {"at": one.started_at, "practice": one} for one in practice.of_company(session, row.account)
        ]
        named = [one for one in said if one.id not in corrected and one.outcome is Outcome.answered]
        steps = _along_time(steps, named)
        return render_template(
            "deals/deal.html",
            deal=row,
            company=contacts.root(session, row.account),
            stages=dict(stage_words()),
            found=found,
            lacking=rates.lacking(session, pages.settings().currency, pages.settings().zone)
            if unrated
            else [],
            learnt=_learnt(session, row) if found and "learnt" in request.args else None,
            steps=steps,
            said=said,
            corrected=corrected,
            names=answers.nameable(session),
            in_words=answer_words,
            front=front,
            lines=line_words(),
            lookback=pages.settings().lookback_days,
            half_life=pages.settings().half_life_days,
        )


def _deal(session: Session, deal_id: int) -> Deal:
    row = session.get(Deal, deal_id, options=[joinedload(Deal.account)])
    if row is None:
        raise NotFound(gettext("Deal %(n)d not found.", n=deal_id))
    return row


def _touches(session: Session, deal: Deal) -> list[dict[str, Any]]:
    """Return the touches of the company of a deal that shares no revenue, as far as the tables know them."""
    tables = pages.current_snapshot(session).tables
    account = contacts.root(session, deal.account).id
    mine = tables.touches.filter(pc.equal(tables.touches["account_id"], account)).sort_by("occurred_at")
    return [
        touch | {"campaign": touch["campaign"] or UNKNOWN, "why": "", "shares": {}}
        for touch in mine.to_pylist()
        if deal.closed_at is None or touch["occurred_at"] <= deal.closed_at
    ]


def _steps(deal: Deal, touches: list[dict[str, Any]], front: str) -> list[dict[str, Any]]:
    """Return what led to a deal: touches with their shares, and the stages it reached."""
    steps: list[dict[str, Any]] = []
    for touch in touches:
        weights = {model: share["weight"] if share else 0.0 for model, share in touch["shares"].items()}
        others = [weight for model, weight in weights.items() if model != front]
        counts = bool(weights) and not touch["why"]
        steps.append(
            {
                "at": touch["occurred_at"],
                "touch": touch,
                "share": weights.get(front) if counts else None,
                "others": (min(others), max(others)) if counts and others else None,
            }
        )
    words = dict(stage_words())
    reached = {
        Stage.lead: deal.lead_at,
        Stage.qualified: deal.qualified_at,
        Stage.opportunity: deal.opportunity_at,
    }
    if deal.stage in (Stage.won, Stage.lost):
        reached[deal.stage] = deal.closed_at
    steps += [
        {"at": at, "stage": stage, "label": words[stage]} for stage, at in reached.items() if at is not None
    ]
    return steps


def _along_time(steps: list[dict[str, Any]], said: list[Answer]) -> list[dict[str, Any]]:
    """Return steps and answers in their order, with long gaps between touches."""
    steps = steps + [{"at": answer.asked_at, "answer": answer} for answer in said]
    told: list[dict[str, Any]] = []
    for step in sorted(steps, key=lambda step: step["at"]):
        gap = (step["at"] - told[-1]["at"]).days if told else 0
        if gap >= _LONG_DAYS:
            told.append({"at": step["at"], "gap": gap})
        told.append(step)
    return told


def _explained(session: Session, deal: Deal) -> dict[str, Any] | None:
    """Share a deal over its journey under each model; None where the tables do not know it yet."""
    snapshot = pages.current_snapshot(session)
    tables, name = snapshot.tables, f"deal {deal.id}"
    won = tables.conversions.filter(pc.equal(tables.conversions["conversion_id"], name))
    if won.num_rows == 0:
        return None
    account = won["account_id"][0]
    # A rule needs the journey of the one company only, so the page is as fast with a million touches.
    touches = tables.touches.filter(pc.equal(tables.touches["account_id"], account)).sort_by("occurred_at")
    options = {
        "lookback_days": float(pages.settings().lookback_days),
        "half_life_days": float(pages.settings().half_life_days),
    }
    rows: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    try:
        rows = explain(touches, won, name, EXPLAINED, **options).to_pylist()
    except JourneyError:
        # A journey too long for one model hides none of the others.
        for model in EXPLAINED:
            try:
                rows += explain(touches, won, name, [model], **options).to_pylist()
            except JourneyError as error:
                missing[model] = str(error)
    shares: dict[str, dict[str | None, dict[str, Any]]] = {
        model: {row["touch_id"]: row for row in rows if row["model"] == model}
        for model in EXPLAINED
        if model not in missing
    }
    converted: datetime = won["converted_at"][0].as_py()
    opens = converted - timedelta(days=pages.settings().lookback_days)
    lines = [
        row
        | {
            "shares": {model: found.get(row["touch_id"]) for model, found in shares.items()},
            "why": _outside(row["occurred_at"], opens, converted),
            "campaign": row["campaign"] or UNKNOWN,
        }
        for row in touches.to_pylist()
    ]
    return {
        "lines": lines,
        "models": list(shares),
        "missing": missing,
        "value": won["value_minor"][0].as_py(),
        "currency": won["currency"][0].as_py(),
        "nobody": any(None in found for found in shares.values()),
        "nobody_label": UNATTRIBUTED,
        "most": {model: _most(found) for model, found in shares.items()},
        "milestones": [
            (label, won[column][0].as_py())
            for label, column in (
                (gettext("became a lead"), "lead_at"),
                (gettext("qualified"), "qualified_at"),
                (gettext("opportunity"), "opportunity_at"),
                (gettext("won"), "converted_at"),
            )
            if won[column][0].as_py() is not None
        ],
    }


def _learnt(session: Session, deal: Deal) -> dict[str, Any]:
    """Share a deal over campaigns under the models that learn from all journeys."""
    snapshot = pages.current_snapshot(session)
    options = pages.settings()
    credit = snapshot.credit(LEARNING, Window(options.lookback_days, options.half_life_days))
    sums: dict[str, dict[str, int]] = {}
    for model, table in credit.won.items():
        rows = table.filter(pc.equal(table["conversion_id"], f"deal {deal.id}"))
        for row in rows.select(["campaign", f"credit {model}"]).to_pylist():
            if row[f"credit {model}"]:
                sums.setdefault(row["campaign"], {})[model] = row[f"credit {model}"]
    lines = sorted(sums.items(), key=lambda line: (-sum(line[1].values()), line[0]))
    return {"lines": lines, "models": list(credit.parts), "missing": credit.missing}


def _outside(at: datetime, opens: datetime, converted: datetime) -> str:
    late: str = gettext("after the deal was won")
    early: str = gettext("before the window")
    return late if at > converted else early if at < opens else ""


def _most(rows: dict[str | None, dict[str, Any]]) -> tuple[str, ...]:
    """Return the campaigns to which a model gives most of the deal: several where they are tied."""
    totals: dict[str, float] = {}
    for row in rows.values():
        name = row["campaign"] or UNKNOWN
        totals[name] = totals.get(name, 0.0) + row["weight"]
    most, words = max(totals.values()), line_words()
    return tuple(words.get(name, name) for name in sorted(totals) if totals[name] > most - _SAME)


def _save(job: Work, deal_id: int | None) -> int:
    currency = (forms.text("currency") or pages.settings().currency).upper()
    zone = pages.settings().zone
    amount, stage = forms.amount("amount_minor", currency), forms.one_of(Stage, "stage")
    if amount is None and stage is Stage.won:
        raise Invalid("amount_minor", gettext("enter the deal value"))
    record = DealRecord(
        clues=Clues(company=forms.text("company")),
        stage=stage,
        amount_minor=amount,
        currency=currency,
        external_id=forms.text("external_id"),
        name=forms.text("name") or "",
        lead_at=forms.moment("lead_at", zone),
        qualified_at=forms.moment("qualified_at", zone),
        opportunity_at=forms.moment("opportunity_at", zone),
        closed_at=forms.moment("closed_at", zone),
        margin_minor=forms.amount("margin_minor", currency),
    )
    if deal_id is None:
        row, _ = deals.save(job.session, record, at=job.at)
    else:
        row = deals.change(job.session, _deal(job.session, deal_id), record, at=job.at)
    job.note("deal change" if deal_id else "deal add", f"{row.id}: {row.stage}")
    return row.id
