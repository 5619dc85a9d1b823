"""Scheduled reports: who gets which report when, how it went last time, and sending one now."""

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from tracking.errors import Invalid
from tracking.language import formatting
from tracking.reporting import deciding, mail, mailing, roi, schedules
from tracking.reporting.schedules import Wanted
from tracking.storage.models import Campaign, ReportSchedule
from tracking.web import forms, pages
from tracking.web.pages import MARKETERS, Work

_Page = str | Response | tuple[str, int]
_QUERY = ("model", "campaign", "channel", "direction", "lookback")


@pages.page("/schedules", MARKETERS, methods=("GET", "POST"))
def schedule_list() -> _Page:
    saved, problem = pages.submitted(lambda job: _save(job, None))
    if saved:
        flash(gettext("Saved."))
        return redirect(url_for("web.schedule_list"), 303)
    with pages.reading() as session:
        page = render_template(
            "schedules/list.html",
            schedules=schedules.every(session),
            mail=mail.is_possible(pages.settings()),
            form=_form(session, _typed() if problem else _prefilled()),
            problem=problem,
            **_words(),
        )
    return page, pages.status_of(problem)


@pages.page("/schedules/<int:schedule_id>", MARKETERS, methods=("GET", "POST"))
def change_schedule(schedule_id: int) -> _Page:
    saved, problem = pages.submitted(lambda job: _save(job, schedules.get(job.session, schedule_id)))
    if saved:
        flash(gettext("Saved."))
        return redirect(url_for("web.schedule_list"), 303)
    with pages.reading() as session:
        row = schedules.get(session, schedule_id)
        page = render_template(
            "schedules/change.html",
            schedule=row,
            form=_form(session, _typed() if problem else _stored(row)),
            problem=problem,
            **_words(),
        )
    return page, pages.status_of(problem)


@pages.page("/schedules/<int:schedule_id>/delete", MARKETERS, methods=("POST",))
def delete_schedule(schedule_id: int) -> Response:
    def work(job: Work) -> None:
        row = schedules.get(job.session, schedule_id)
        job.note("schedule delete", row.name)
        schedules.remove(job.session, row)

    pages.change(work)
    flash(gettext("Schedule deleted. No more reports will be sent."))
    return redirect(url_for("web.schedule_list"), 303)


@pages.page("/schedules/<int:schedule_id>/send", MARKETERS, methods=("POST",))
def send_schedule(schedule_id: int) -> Response:
    def work(job: Work) -> int:
        row = schedules.get(job.session, schedule_id)
        job.note("schedule send", row.name)
        return schedules.send_now(job.session, row, by=job.user.email, at=job.at).id

    if not mail.is_possible(pages.settings()):
        raise Invalid("smtp_url", no_mail())
    return redirect(url_for("web.job_page", job_id=pages.change(work)), 303)


def no_mail() -> str:
    """Return why no mail goes out, and the remedy."""
    return str(
        gettext(
            "Email is not set up, so nothing is sent. Set RINGTRAIL_SMTP_URL and "
            "RINGTRAIL_MAIL_FROM, then restart."
        )
    )


def cadence_words() -> dict[str, str]:
    """Return how often a report can go out."""
    return {
        "weekly": gettext("every Monday"),
        "monthly": gettext("on the first of each month"),
        "quarterly": gettext("on the first day of each quarter"),
    }


def _words() -> dict[str, Any]:
    return {
        "cadences": cadence_words(),
        "spans": {
            "365": gettext("the last 365 days"),
            "90": gettext("the last 90 days"),
            "ended": gettext("the previous week, month or quarter"),
        },
        "attachments": {
            "pdf": "PDF",
            "xlsx": gettext("Workbook (XLSX)"),
            "html": "HTML",
            "csv": gettext("Tables (CSV, zipped)"),
        },
        "all_models": roi.REPORTED,
        "no_mail": no_mail(),
    }


def _save(job: Work, row: ReportSchedule | None) -> ReportSchedule:
    typed = _typed()
    day = job.at.astimezone(pages.settings().zone).date()
    if typed["language"] not in formatting.LANGUAGES:
        raise Invalid(
            "language", "%(told)r is not an option; choose one from the list", told=typed["language"]
        )
    query = {name: values for name in _QUERY if (values := [v for v in typed["query"].get(name, []) if v])}
    mailing.read(job.session, pages.settings(), query, (day, day), day)
    wanted = Wanted(
        name=typed["name"],
        recipients=typed["recipients"].replace(",", "\n").replace(";", "\n").splitlines(),
        cadence=typed["cadence"],
        language=typed["language"],
        span=typed["span"],
        attachments=typed["attachments"],
        query=query,
    )
    saved = schedules.save(job.session, wanted, by=job.user.email, today=day, row=row)
    # Addresses are kept in the schedule; the trail outlives it and names how many there were.
    job.note(
        f"schedule {'change' if row else 'add'}", f"{saved.name}: {saved.cadence}, to {len(saved.recipients)}"
    )
    return saved


def _typed() -> dict[str, Any]:
    return {
        "name": forms.text("name") or "",
        "recipients": request.form.get("recipients", ""),
        "cadence": forms.text("cadence") or "",
        "language": forms.text("language") or "",
        "span": forms.text("span") or "",
        "attachments": request.form.getlist("attachment"),
        "query": {name: request.form.getlist(name) for name in _QUERY},
    }


def _prefilled() -> dict[str, Any]:
    """Return an empty form, with the filters of the report from which it was opened."""
    return {
        "name": "",
        "recipients": "",
        "cadence": "monthly",
        "language": request.args.get("language") or formatting.language(),
        "span": "365",
        "attachments": ["pdf"],
        "query": {name: request.args.getlist(name) for name in _QUERY},
    }


def _stored(row: ReportSchedule) -> dict[str, Any]:
    return {
        "name": row.name,
        "recipients": "\n".join(row.recipients),
        "cadence": row.cadence,
        "language": row.language,
        **row.options,
    }


def _form(session: Session, typed: dict[str, Any]) -> dict[str, Any]:
    campaigns = session.scalars(select(Campaign)).all()
    query = {name: typed["query"].get(name, []) for name in _QUERY}
    return typed | {
        "query": query,
        "models": query["model"] or list(deciding.current(session, pages.settings(), pages.today()).compared),
        "names": sorted(each.name for each in campaigns),
        "channels": sorted({each.channel for each in campaigns}),
        "lookback": (query["lookback"] or [f"{pages.settings().lookback_days}"])[0],
    }
