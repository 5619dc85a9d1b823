"""The calls: listed, each with all that is known of it and what the rep makes of it; also as CSV."""

import csv
import io
from collections.abc import Iterator

from flask import Response, flash, redirect, render_template, request, stream_with_context, url_for
from flask_babel import gettext
from sqlalchemy import Select, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from reports.cells import harmless
from tracking import clock
from tracking.errors import Invalid
from tracking.language.words import answer_words, call_state_words, judgement_words
from tracking.records import contacts, rates
from tracking.storage import money, phone
from tracking.storage.models import (
    Call,
    Campaign,
    Deal,
)
from tracking.storage.names import required
from tracking.telephony import call_details, holders, practice, ringing
from tracking.telephony import calls as telephony
from tracking.web import forms, pages
from tracking.web.call_search import PAGE, CallSearch, mark, page_of, search
from tracking.web.pages import EVERYONE, REPS, Work

_MOST_ROWS = 100_000
"""Rows of one CSV file; more are had by period."""
_MOST_TAGS = 20
_BATCH = 500


@pages.page("/calls", EVERYONE)
def calls() -> tuple[str, int]:
    problem = None
    with pages.reading() as session:
        try:
            found = search(session, pages.settings(), request.args)
            query, back = page_of(found.query)
        except Invalid as error:
            problem, found = error, CallSearch(select(Call))
            query, back = found.query.order_by(Call.started_at.desc()).limit(PAGE), False
        rows = list(session.scalars(call_details.loaded(query)))
        more, rows = len(rows) > PAGE, rows[:PAGE]
        if back:
            rows.reverse()
        newer = more if back else "before" in request.args
        older = bool(rows) if back else more
        page = render_template(
            "calls/list.html",
            calls=[(row, call_details.company_of(session, row)) for row in rows],
            newer=mark(rows[0]) if rows and newer else None,
            older=mark(rows[-1]) if rows and older else None,
            filters={k: v for k, v in request.args.items() if v and k not in ("before", "after")},
            tails=found.tails,
            campaigns=session.scalars(select(Campaign.name).order_by(Campaign.name)).all(),
            statuses=call_state_words(),
            leads=judgement_words(),
            said=call_details.answer_of,
            problem=problem,
        )
    return page, pages.status_of(problem)


@pages.page("/calls/<int:call_id>", EVERYONE, methods=("GET",))
def call_page(call_id: int) -> str:
    return _show(call_id)


@pages.page("/calls/<int:call_id>/number", REPS, methods=("POST",))
def show_caller(call_id: int) -> str:
    """Show a caller's number in full, as a part of the page that asks for it or on the page of the call."""

    def work(job: Work) -> None:
        call_details.get(job.session, call_id)
        job.note("number show", f"call {call_id}")

    pages.change(work)
    if not request.headers.get("HX-Request"):
        return _show(call_id, shown=True)
    with pages.reading() as session:
        return render_template("calls/_number.html", call=call_details.get(session, call_id))


@pages.page("/calls/<int:call_id>/judge", REPS, methods=("POST",))
def judge_call(call_id: int) -> AnyResponse | tuple[str, int]:
    def work(job: Work) -> None:
        call = call_details.get(job.session, call_id)
        tags = [required(tag, "tags") for tag in (forms.text("tags") or "").split(",") if tag.strip()]
        if len(tags) > _MOST_TAGS:
            raise Invalid("tags", gettext("must be %(n)d or fewer", n=_MOST_TAGS))
        telephony.judge(job.session, call, tags=tags, **forms.judgement(call, complete=True))
        job.note("call judge", f"call {call.id}")

    try:
        pages.change(work)
    except Invalid as error:
        return _show(call_id, problem=error), pages.status_of(error)
    flash(gettext("Saved."))
    return redirect(url_for("web.call_page", call_id=call_id), 303)


@pages.page("/calls/<int:call_id>/remove", REPS, methods=("POST",))
def remove_practice(call_id: int) -> AnyResponse:
    """Take out a practice call, as whoever tries a website out does in the end."""

    def work(job: Work) -> None:
        practice.remove(job.session, call_details.get(job.session, call_id))
        job.note("practice call remove", f"call {call_id}")

    pages.change(work)
    flash(gettext("Practice call removed."))
    return redirect(url_for("web.calls"), 303)


@pages.page("/calls.csv", EVERYONE)
def calls_csv() -> Response:
    return _file_of_calls("calls export", full=False)


@pages.page("/calls.csv", REPS, methods=("POST",))
def calls_csv_in_full() -> Response:
    return _file_of_calls("calls export in full", full=True)


def _file_of_calls(action: str, *, full: bool) -> Response:
    with pages.reading() as session:
        wanted = search(session, pages.settings(), request.args).query
    newest = wanted.order_by(Call.started_at.desc(), Call.id.desc()).limit(_MOST_ROWS)
    # Which calls, and not who was looked for: that may be a number.
    told = ", ".join(f"{name} {value}" for name, value in request.args.items() if name != "q" and value)
    pages.change(lambda job: job.note(action, told))

    def lines() -> Iterator[str]:
        # Without the mark, spreadsheets take UTF-8 for something else.
        yield "\N{ZERO WIDTH NO-BREAK SPACE}"
        with pages.reading() as session:
            yield from _csv(session, newest, full=full)

    name = {"Content-Disposition": "attachment; filename=calls.csv"}
    return Response(stream_with_context(lines()), mimetype="text/csv", headers=name)


def _show(call_id: int, *, problem: Invalid | None = None, shown: bool = False) -> str:
    with pages.reading() as session:
        row = call_details.get(session, call_id)
        account = contacts.account_of(session, row.contact)
        theirs = Deal.account_id.in_(contacts.same_company(account.id))
        deals = select(Deal).where(theirs).order_by(Deal.id.desc()).limit(10)
        return render_template(
            "calls/call.html",
            call=row,
            account=account,
            company=account.name or "",
            person=contacts.root(session, row.contact),
            deals=session.scalars(deals).all(),
            answers=row.answers,
            corrected={answer.corrects_id for answer in row.answers},
            statuses=dict(call_state_words()),
            leads=dict(judgement_words()),
            currencies=[
                (code, code) for code in rates.currencies(session, row.currency or pages.settings().currency)
            ],
            in_words=answer_words,
            shown=shown,
            typed=request.form if problem else None,
            problem=problem,
            sure=holders.SURE,
        )


def _csv(session: Session, wanted: Select[Call], *, full: bool) -> Iterator[str]:
    heads = (
        "started_at", "company", "contact", "caller", "dialled", "campaign", "ad_material", "status",
        "talk_s", "lead_status", "value", "currency", "answer", "note", "tags", "spam",
    )  # fmt: skip
    yield as_row(heads)
    for call in session.scalars(call_details.loaded(wanted).execution_options(yield_per=_BATCH)):
        held = call.assignment.ad_material if call.assignment else None
        yield as_row(
            (
                call.started_at.isoformat(),
                *(
                    (name or "") if full else (phone.without_number(name) or "")
                    for name in (
                        call_details.company_of(session, call),
                        call.contact.name or call.caller_name,
                    )
                ),
                (call.caller or "") if full else phone.mask(call.caller),
                call.dialled,
                held.campaign.name if held else _of_visit(call),
                held.name if held else "",
                ringing.state(call, clock.now()).value,
                call.talk_s,
                call.lead_status.value if call.lead_status else "",
                "" if call.value_minor is None else money.to_major(call.value_minor, call.currency or ""),
                call.currency or "",
                call_details.answer_of(call),
                call.note,
                ", ".join(call.tags),
                "yes" if call.spam else "no",
            )
        )


def _of_visit(call: Call) -> str:
    """Return the campaign of the visit that a call comes from, as far as that is at least likely."""
    return call.touch.campaign.name if call.holder and call.touch.campaign else ""


def as_row(cells: tuple[object, ...]) -> str:
    """Return a line of the file of calls in which nothing acts as a formula."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([harmless(cell) for cell in cells])
    return line.getvalue()
