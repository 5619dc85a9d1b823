"""Answers to "How did you hear about us?": beside tracking, at companies and deals, and what words mean."""

from collections.abc import Mapping
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response

from tracking.errors import Invalid, NotFound
from tracking.language import channels
from tracking.language.words import answer_words
from tracking.records import answers, coding, contacts
from tracking.records.answers import Entry
from tracking.reporting import heard as reporting
from tracking.storage.models import Account, Answer, Contact, Deal
from tracking.storage.vocabulary import Outcome
from tracking.web import forms, pages
from tracking.web.pages import EVERYONE, REPS, Work

Page = str | tuple[str, int] | Response
_SHOWN = 50
_CHANNELS = 12
"""So many channels stand in the table; the others follow in the lines by channel."""


@pages.page("/answers", EVERYONE)
def answer_report() -> Page:
    with pages.reading() as session:
        asked = pages.report_query(session)
        found = reporting.heard(session, pages.current_snapshot(session), asked.period)
        page = render_template(
            "answers/report.html",
            asked=asked,
            found=found,
            waits=coding.count(session),
            tracked=found.tracked[:_CHANNELS],
            answered=found.answered[:_CHANNELS],
            most=max(found.cells.values(), default=0),
            label=reporting.channel_word,
            nameless=reporting.UNTRACKED,
            problem=asked.problem,
        )
    return page, pages.status_of(asked.problem)


@pages.page("/answers/behind", EVERYONE)
def answers_behind() -> Page:
    """List the answers of one cell, rep, channel or month."""
    wanted = {
        name: request.args[name] for name in ("tracked", "answered", "rep", "month") if name in request.args
    }
    skip = pages.skipped()
    with pages.reading() as session:
        asked = pages.report_query(session)
        found = reporting.heard(session, pages.current_snapshot(session), asked.period)
        rows = [
            row for row in found.rows if all((row[name] or "") == value for name, value in wanted.items())
        ]
        rows.sort(key=lambda row: row["asked_at"], reverse=True)
        shown = rows[skip : skip + _SHOWN]
        page = render_template(
            "answers/behind.html",
            asked=asked,
            wanted=wanted,
            count=len(rows),
            lines=_lines(session, shown),
            label=reporting.channel_word,
            in_words=answer_words,
            newer=max(skip - _SHOWN, 0) if skip else None,
            older=skip + _SHOWN if skip + _SHOWN < len(rows) else None,
            problem=asked.problem,
        )
    return page, pages.status_of(asked.problem)


def _lines(session: Session, rows: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    ids = [int(row["answer_id"]) for row in rows]
    found = (
        select(Answer)
        .where(Answer.id.in_(ids))
        .options(joinedload(Answer.campaign), joinedload(Answer.contact).joinedload(Contact.account))
    )
    known = {answer.id: answer for answer in session.scalars(found)}
    return [
        {
            "answer": known[int(row["answer_id"])],
            "company": contacts.account_of(session, known[int(row["answer_id"])].contact),
            "tracked": row["tracked_campaign"] or reporting.channel_word(row["tracked"]),
        }
        for row in rows
        if int(row["answer_id"]) in known
    ]


@pages.page("/answers/words", REPS, methods=("GET", "POST"))
def answer_words_open() -> Page:
    done, problem = pages.submitted(_code)
    if done:
        flash(ngettext("%(num)d answer now names a source.", "%(num)d answers now name a source.", done))
        return redirect(url_for("web.answer_words_open"), 303)
    with pages.reading() as session:
        page = render_template(
            "answers/words.html",
            groups=coding.uncoded(session, limit=_SHOWN),
            waits=coding.count(session),
            names=answers.nameable(session),
            typed=request.form if problem else {},
            problem=problem,
        )
    return page, pages.status_of(problem)


def _code(job: Work) -> int:
    """Let the answers in words whose boxes are ticked mean what their fields say."""
    chosen = request.form.getlist("take")
    if not chosen:
        raise Invalid("take", "tick at least one line")
    done = 0
    for number in chosen:
        words, told = request.form.get(f"words-{number}", ""), forms.text(f"source-{number}")
        if told is None:
            raise Invalid("source", "enter a campaign or channel in each line that is ticked")
        source = coding.meant(job.session, told)
        done += coding.code(job.session, words, source, entry=_entry(job))
        job.note("answers match", source.label if source else "unknown")
    return done


@pages.page("/companies/<int:company_id>/answers", REPS, methods=("POST",))
def company_answer(company_id: int) -> Response:
    def work(job: Work) -> None:
        account = job.session.get(Account, company_id)
        if account is None:
            raise NotFound(gettext("Company %(n)d not found.", n=company_id))
        _log(job, {"account": account})

    pages.change(work)
    flash(gettext("Saved."))
    return redirect(url_for("web.company_page", company_id=company_id, _anchor="answers"), 303)


@pages.page("/deals/<int:deal_id>/answers", REPS, methods=("POST",))
def deal_answer(deal_id: int) -> Response:
    def work(job: Work) -> None:
        deal = job.session.get(Deal, deal_id)
        if deal is None:
            raise NotFound(gettext("Deal %(n)d not found.", n=deal_id))
        _log(job, {"account": deal.account, "deal": deal})

    pages.change(work)
    flash(gettext("Saved."))
    return redirect(url_for("web.deal_page", deal_id=deal_id, _anchor="answers"), 303)


def _log(job: Work, whose: dict[str, Any]) -> None:
    session, outcome = job.session, request.form.get("outcome") or Outcome.answered
    if outcome not in list(Outcome):
        raise Invalid("outcome", "%(told)r is not an option; use the form on the page", told=outcome)
    words, verbatim = forms.text("source"), forms.text("verbatim")
    source = answers.understand(session, words) if words and outcome == Outcome.answered else None
    if words and source is None and outcome == Outcome.answered:
        if channels.is_unknown(words) and not verbatim:
            outcome = Outcome.unknown
        verbatim = f"{words}\n{verbatim}" if verbatim else words
    corrects = _corrected(session, whose["account"]) if forms.text("corrects") else None
    asked_at = forms.moment("asked_at", pages.settings().zone)
    if asked_at is not None and asked_at > job.at:
        raise Invalid("asked_at", "in the future; enter when it was asked")
    row = answers.log(
        session,
        Outcome(outcome),
        asked_at=asked_at or (corrects.asked_at if corrects else job.at),
        asked_by=corrects.asked_by if corrects else job.user.name,
        campaign=source.campaign if source else None,
        channel=source.channel if source else None,
        verbatim=verbatim,
        corrects=corrects,
        entry=_entry(job),
        **({} if corrects else whose),
    )
    job.note("answer correct" if corrects else "answer add", f"answer {row.id}")


def _corrected(session: Session, account: Account) -> Answer:
    number = forms.whole("corrects") or 0
    row = session.get(Answer, number)
    same = {one.id for one in contacts.family(session, contacts.root(session, account))}
    if row is None or contacts.account_of(session, row.contact).id not in same:
        raise NotFound(gettext("Answer %(n)d not found.", n=number))
    return row


def _entry(job: Work) -> Entry:
    return Entry(job.user.name, job.at)
