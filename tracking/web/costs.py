"""Costs by form: money or hours at a rate, direct or indirect, over days; changed and taken out again."""

from datetime import timedelta
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response

from tracking.errors import Invalid, NotFound
from tracking.records import campaigns, costs
from tracking.records.costs import CostRecord
from tracking.reporting import questions
from tracking.storage.models import Campaign, Cost
from tracking.web import forms, pages
from tracking.web.pages import MARKETERS, Work

Page = str | tuple[str, int] | Response
_PAGE = 100
_OVERHEAD = "-"


@pages.page("/costs", MARKETERS, methods=("GET", "POST"))
def cost_list() -> Page:
    saved, problem = pages.submitted(lambda job: _save(job, None))
    if saved:
        flash(gettext("Cost added."))
        return redirect(url_for("web.cost_list", campaign=request.args.get("campaign")), 303)
    skip = pages.skipped()
    wanted = select(Cost).order_by(Cost.period_start.desc(), Cost.id.desc())
    if name := request.args.get("campaign"):
        wanted = wanted.where(
            Cost.campaign_id.is_(None) if name == _OVERHEAD else Cost.campaign.has(Campaign.name == name)
        )
    misread = None
    try:
        first, last = questions.day("from", request.args), questions.day("to", request.args)
    except Invalid as error:
        first, last, misread = None, None, error
    if first:
        wanted = wanted.where(Cost.period_end > first)
    if last:
        wanted = wanted.where(Cost.period_start <= last)
    with pages.reading() as session:
        rows = session.scalars(wanted.options(joinedload(Cost.campaign)).offset(skip).limit(_PAGE + 1)).all()
        page = render_template(
            "costs/list.html",
            costs=rows[:_PAGE],
            older=skip + _PAGE if len(rows) > _PAGE else None,
            campaigns=_names(session),
            owners=[(name, name) for name in _names(session)],
            categories=session.scalars(select(Cost.category).distinct().order_by(Cost.category)).all(),
            without=_without(session),
            problem=problem,
            first=first,
            last=last,
            misread=misread,
            cost=None,
            day=timedelta(days=1),
            today=pages.today(),
        )
    return page, 422 if problem or misread else 200


@pages.page("/costs/<int:cost_id>", MARKETERS, methods=("GET", "POST"))
def change_cost(cost_id: int) -> Page:
    saved, problem = pages.submitted(lambda job: _save(job, cost_id))
    if saved:
        flash(gettext("Cost updated."))
        return redirect(url_for("web.cost_list"), 303)
    with pages.reading() as session:
        page = render_template(
            "costs/change.html",
            cost=_cost(session, cost_id),
            campaigns=_names(session),
            owners=[(name, name) for name in _names(session)],
            categories=session.scalars(select(Cost.category).distinct().order_by(Cost.category)).all(),
            problem=problem,
            day=timedelta(days=1),
            today=pages.today(),
        )
    return page, 422 if problem else 200


@pages.page("/costs/<int:cost_id>/delete", MARKETERS, methods=("POST",))
def delete_cost(cost_id: int) -> Response:
    def work(job: Work) -> None:
        row = _cost(job.session, cost_id)
        job.note("cost delete", _subject(row))
        job.session.delete(row)

    pages.change(work)
    flash(gettext("Cost deleted."))
    return redirect(url_for("web.cost_list"), 303)


def _names(session: Session) -> list[str]:
    return list(session.scalars(select(Campaign.name).order_by(Campaign.name)))


def _without(session: Session) -> list[str]:
    """Return the campaigns that are not over and of which no cost is known at all."""
    has = select(Cost.campaign_id).where(Cost.campaign_id.is_not(None))
    open_ended = func.coalesce(Campaign.ends_on, pages.today()) >= pages.today()
    rows = select(Campaign.name).where(Campaign.id.not_in(has), open_ended).order_by(Campaign.name)
    return list(session.scalars(rows))


def _cost(session: Session, cost_id: int) -> Cost:
    row = session.get(Cost, cost_id, options=[joinedload(Cost.campaign)])
    if row is None:
        raise NotFound(gettext("Cost %(n)d not found.", n=cost_id))
    return row


def _save(job: Work, cost_id: int | None) -> Cost:
    currency = (forms.text("currency") or pages.settings().currency).upper()
    hours, rate = forms.text("hours"), forms.amount("hourly_rate", currency)
    first, last = forms.day("first"), forms.day("last")
    if first is None:
        raise Invalid("first", gettext("enter the first day the cost covers"))
    if last is not None and last < first:
        raise Invalid("last", gettext("the last day is before the first day"))
    record = CostRecord(
        period_start=first,
        period_end=(last or first) + timedelta(days=1),
        currency=currency,
        category=forms.text("category") or "",
        direct=request.form.get("direct", "direct") == "direct",
        amount_minor=forms.amount("amount", currency),
        minutes=_minutes(hours) if hours else None,
        hourly_rate_minor=rate,
        note=forms.text("note") or "",
        source_key=None,
    )
    name = forms.text("campaign") or ""
    if not name:
        raise Invalid("campaign", gettext('choose a campaign or "Overhead"'))
    campaign = None if name == _OVERHEAD else campaigns.get(job.session, name)
    if cost_id is None:
        row, _ = costs.save(job.session, record, campaign=campaign)
    else:
        row = costs.change(job.session, _cost(job.session, cost_id), record, campaign=campaign)
    job.session.refresh(row)
    job.note("cost change" if cost_id else "cost add", _subject(row))
    return row


def _minutes(hours: str) -> int:
    try:
        whole, _, rest = hours.partition(":")
        minutes = int(whole) * 60 + int(rest) if rest else round(float(hours.replace(",", ".")) * 60)
    except (ValueError, OverflowError):
        raise Invalid("hours", "%(told)r is not a number of hours; enter 7.5 or 7:30", told=hours) from None
    if not 0 <= minutes <= 10_000_000:
        raise Invalid("hours", "%(told)r is not a number of hours; enter 7.5 or 7:30", told=hours)
    return minutes


def _subject(row: Cost) -> str:
    owner: Any = row.campaign.name if row.campaign else "overhead"
    return f"{owner}: {row.category}, {row.amount_minor} {row.currency} (minor units) from {row.period_start}"
