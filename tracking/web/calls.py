"""The calls: listed, each with all that is known of it and what the rep makes of it; also as CSV."""

import csv
import io
from collections.abc import Iterator

from flask import Response, flash, redirect, render_template, request, stream_with_context, url_for
from flask_babel import gettext
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.orm.interfaces import ORMOption
from werkzeug.wrappers import Response as AnyResponse

from reports.cells import harmless
from tracking.errors import Invalid, NotFound
from tracking.records import contacts
from tracking.storage import money, phone
from tracking.storage.models import (
    AdMaterial,
    Answer,
    Call,
    Campaign,
    Contact,
    Deal,
    ExchangeRate,
    NumberAssignment,
)
from tracking.storage.names import required
from tracking.storage.vocabulary import CallStatus, LeadStatus, Outcome, Role
from tracking.telephony import calls as ours
from tracking.web import forms
from tracking.web.call_filters import PAGE, Asked, found, mark, page_of
from tracking.web.pages import EVERYONE, REPS, Pages, Work, user

_MOST_ROWS = 100_000
"""Rows of one CSV file; more are had by period."""
_MOST_TAGS = 20
_BATCH = 500


def add(pages: Pages) -> None:
    """Add the pages of calls."""

    @pages.page("/calls", EVERYONE)
    def calls() -> str | tuple[str, int]:
        problem = None
        with pages.reading() as session:
            try:
                asked = found(session, pages.settings)
                query, back = page_of(asked.wanted)
            except Invalid as error:
                problem, asked = error, Asked(select(Call))
                query, back = asked.wanted.order_by(Call.started_at.desc()).limit(PAGE), False
            rows = list(session.scalars(loaded(query)))
            more, rows = len(rows) > PAGE, rows[:PAGE]
            if back:
                rows.reverse()
            newer = more if back else "before" in request.args
            older = bool(rows) if back else more
            page = render_template(
                "calls/list.html",
                calls=[(row, company_of(session, row)) for row in rows],
                newer=mark(rows[0]) if rows and newer else None,
                older=mark(rows[-1]) if rows and older else None,
                filters={k: v for k, v in request.args.items() if v and k not in ("before", "after")},
                tails=asked.tails,
                campaigns=session.scalars(select(Campaign.name).order_by(Campaign.name)).all(),
                statuses=status_words(),
                leads=lead_words(),
                said=said,
                full=sees_numbers(),
                problem=problem,
            )
        return (page, 422) if problem else page

    @pages.page("/calls/<int:call_id>", EVERYONE, methods=("GET",))
    def call_page(call_id: int) -> str:
        return _show(pages, call_id)

    @pages.page("/calls/<int:call_id>/judge", REPS, methods=("POST",))
    def judge_call(call_id: int) -> AnyResponse | tuple[str, int]:
        try:
            pages.change(lambda job: _judge(job, call_id, pages))
        except Invalid as error:
            return _show(pages, call_id, problem=error), 422
        flash(gettext("Saved."))
        return redirect(url_for("web.call_page", call_id=call_id), 303)

    @pages.page("/calls.csv", EVERYONE)
    def calls_csv() -> Response:
        with pages.reading() as session:
            wanted = found(session, pages.settings).wanted
        newest = wanted.order_by(Call.started_at.desc(), Call.id.desc()).limit(_MOST_ROWS)
        full = sees_numbers()

        def lines() -> Iterator[str]:
            # Without the mark, spreadsheets take UTF-8 for something else.
            yield "\N{ZERO WIDTH NO-BREAK SPACE}"
            with pages.reading() as session:
                yield from _csv(session, newest, full=full)

        name = {"Content-Disposition": "attachment; filename=calls.csv"}
        return Response(stream_with_context(lines()), mimetype="text/csv", headers=name)


def _show(pages: Pages, call_id: int, *, problem: Invalid | None = None) -> str:
    with pages.reading() as session:
        row = loaded_call(session, call_id)
        account = contacts.account_of(session, row.contact)
        deals = select(Deal).where(Deal.account_id == account.id).order_by(Deal.id.desc()).limit(10)
        return render_template(
            "calls/call.html",
            call=row,
            account=account,
            company=account.name or "",
            person=contacts.root(session, row.contact),
            deals=session.scalars(deals).all(),
            answers=row.answers,
            corrected={answer.corrects_id for answer in row.answers},
            statuses=dict(status_words()),
            leads=dict(lead_words()),
            currencies=currencies(session, row.currency or pages.settings.currency),
            in_words=in_words,
            full=sees_numbers(),
            typed=request.form if problem else None,
            problem=problem,
        )


def _judge(job: Work, call_id: int, pages: Pages) -> None:
    call = loaded_call(job.session, call_id)
    judged = request.form.get("lead_status", "")
    if judged not in ("", *LeadStatus):
        raise Invalid(
            "lead_status", "%(judged)r is no judgement; choose good_lead or not_a_lead", judged=judged
        )
    currency = money.currency(forms.text("currency") or call.currency or pages.settings.currency)
    value = forms.amount("value", currency)
    tags = [required(tag, "tags") for tag in (forms.text("tags") or "").split(",") if tag.strip()]
    if len(tags) > _MOST_TAGS:
        raise Invalid("tags", gettext("are too many; give at most %(n)d", n=_MOST_TAGS))
    gone = {"lead_status": not judged, "value": value is None}
    ours.judge(
        job.session,
        call,
        lead_status=LeadStatus(judged) if judged else None,
        value_minor=value,
        currency=currency if value is not None else None,
        note=forms.text("note") or "",
        tags=tags,
        spam=forms.flag("spam"),
        clear=[name for name, empty in gone.items() if empty],
    )
    job.note("call judge", f"call {call.id}")


def currencies(session: Session, first: str) -> list[tuple[str, str]]:
    """Return the currencies to choose among: one, and those that have a rate."""
    rated = select(ExchangeRate.currency).distinct().order_by(ExchangeRate.currency)
    return [(code, code) for code in dict.fromkeys([first, *session.scalars(rated)])]


def sees_numbers() -> bool:
    """Tell whether who has signed in sees callers' numbers in full."""
    return user().role is not Role.viewer


def company_of(session: Session, call: Call) -> str:
    """Return the name of the company that called; a merged one is the one it turned out to be."""
    return contacts.account_of(session, call.contact).name or ""


def who(session: Session, call: Call) -> str:
    """Return the company or person who calls, as far as known."""
    return company_of(session, call) or call.contact.name or call.caller_name or ""


def loaded(query: Select[Call]) -> Select[Call]:
    """Let calls be read with their caller, material and answers, in a fixed number of queries."""
    return query.options(*loading())


def loading() -> tuple[ORMOption, ...]:
    """Return what reads with calls their caller, material and answers."""
    material = joinedload(Call.assignment).joinedload(NumberAssignment.ad_material)
    return (
        joinedload(Call.contact).joinedload(Contact.account),
        material.joinedload(AdMaterial.campaign),
        selectinload(Call.answers).joinedload(Answer.campaign),
    )


def loaded_call(session: Session, call_id: int) -> Call:
    """Return a call with what is shown of it."""
    row = session.scalar(loaded(select(Call).where(Call.id == call_id)))
    if row is None:
        raise NotFound(gettext("There is no call %(n)d.", n=call_id))
    return row


def status_words() -> list[tuple[str, str]]:
    """Return the states of a call with their names."""
    return [
        (CallStatus.ringing, gettext("ringing")),
        (CallStatus.answered, gettext("on the line")),
        (CallStatus.completed, gettext("answered")),
        (CallStatus.missed, gettext("missed")),
        (CallStatus.voicemail, gettext("voicemail")),
    ]


def lead_words() -> list[tuple[str, str]]:
    """Return the judgements of a call with their names."""
    return [
        (LeadStatus.good_lead, gettext("qualified")),
        (LeadStatus.not_a_lead, gettext("not a lead")),
    ]


def standing(call: Call) -> Answer | None:
    """Return the answer of a loaded call that no other corrects."""
    corrected = {answer.corrects_id for answer in call.answers}
    return next((answer for answer in call.answers if answer.id not in corrected), None)


def said(call: Call) -> str:
    """Return in words what came of asking where the caller heard of us; the latest correction counts."""
    answer = standing(call)
    return in_words(answer) if answer else "–"


def in_words(answer: Answer) -> str:
    """Return an answer as one line."""
    words: dict[Outcome, str] = {
        Outcome.not_asked: gettext("not asked"),
        Outcome.declined: gettext("would not say"),
        Outcome.unknown: gettext("unknown"),
    }
    if answer.outcome is not Outcome.answered:
        return words[answer.outcome]
    named = answer.campaign.name if answer.campaign else answer.channel
    if named and answer.verbatim:
        return str(gettext("%(named)s (“%(words)s”)", named=named, words=answer.verbatim))
    return named or answer.verbatim or ""


def _csv(session: Session, wanted: Select[Call], *, full: bool) -> Iterator[str]:
    heads = (
        "started_at", "company", "contact", "caller", "dialled", "campaign", "ad_material", "status",
        "talk_s", "lead_status", "value", "currency", "answer", "note", "tags", "spam",
    )  # fmt: skip
    yield as_row(heads)
    for call in session.scalars(loaded(wanted).execution_options(yield_per=_BATCH)):
        held = call.assignment.ad_material if call.assignment else None
        yield as_row(
            (
                call.started_at.isoformat(),
                company_of(session, call),
                call.contact.name or call.caller_name or "",
                (call.caller or "") if full else phone.mask(call.caller),
                call.dialled,
                held.campaign.name if held else "",
                held.name if held else "",
                call.status.value,
                call.talk_s,
                call.lead_status.value if call.lead_status else "",
                "" if call.value_minor is None else money.to_major(call.value_minor, call.currency or ""),
                call.currency or "",
                said(call),
                call.note,
                ", ".join(call.tags),
                "yes" if call.spam else "no",
            )
        )


def as_row(cells: tuple[object, ...]) -> str:
    """Return a line of the file of calls in which nothing acts as a formula."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([harmless(cell) for cell in cells])
    return line.getvalue()
