"""The calls: found by period, campaign, state and caller, each with all that is known of it; also as CSV."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

from flask import Response, render_template, request
from flask_babel import gettext
from sqlalchemy import ColumnElement, Select, exists, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from tracking import contacts, money, phone, vault
from tracking.errors import Invalid, NotFound
from tracking.models import Account, Answer, Call, Campaign, Contact, NumberAssignment, Touch
from tracking.vocabulary import CallStatus, LeadStatus, Outcome, PointKind, Role
from tracking.web.comparison import day_from_query
from tracking.web.pages import EVERYONE, Pages, user

_PAGE = 50
_MOST_ROWS = 100_000
"""Rows of one CSV file; more are had by period."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def add(pages: Pages) -> None:
    """Add the pages of calls."""

    @pages.page("/calls", EVERYONE)
    def calls() -> str | tuple[str, int]:
        problem = None
        with pages.reading() as session:
            try:
                wanted = _found(session, pages)
            except Invalid as error:
                problem, wanted = error, select(Call)
            start = max(request.args.get("skip", 0, type=int), 0)
            newest = wanted.order_by(Call.started_at.desc(), Call.id.desc())
            rows = session.scalars(_loaded(newest).offset(start).limit(_PAGE + 1)).all()
            page = render_template(
                "calls/list.html",
                calls=[(row, company_of(session, row)) for row in rows[:_PAGE]],
                newer=max(start - _PAGE, 0) if start else None,
                older=start + _PAGE if len(rows) > _PAGE else None,
                campaigns=session.scalars(select(Campaign.name).order_by(Campaign.name)).all(),
                statuses=status_words(),
                leads=lead_words(),
                said=said,
                full=sees_numbers(),
                problem=problem,
            )
        return (page, 422) if problem else page

    @pages.page("/calls/<int:call_id>", EVERYONE)
    def call_page(call_id: int) -> str:
        with pages.reading() as session:
            row = session.scalar(_loaded(select(Call).where(Call.id == call_id)))
            if row is None:
                raise NotFound(gettext("There is no call %(n)d.", n=call_id))
            return render_template(
                "calls/call.html",
                call=row,
                company=company_of(session, row),
                answers=row.answers,
                corrected={answer.corrects_id for answer in row.answers},
                statuses=dict(status_words()),
                leads=dict(lead_words()),
                in_words=in_words,
                full=sees_numbers(),
            )

    @pages.page("/calls.csv", EVERYONE)
    def calls_csv() -> Response:
        with pages.reading() as session:
            wanted = _found(session, pages).order_by(Call.started_at.desc(), Call.id.desc()).limit(_MOST_ROWS)
            text = "".join(_csv(session, wanted, full=sees_numbers()))
        name = {"Content-Disposition": 'attachment; filename="calls.csv"'}
        # A mark at the start, without which spreadsheets take UTF-8 for something else.
        return Response("\N{ZERO WIDTH NO-BREAK SPACE}" + text, mimetype="text/csv", headers=name)


def sees_numbers() -> bool:
    """Tell whether who has signed in sees callers' numbers in full."""
    return user().role is not Role.viewer


def company_of(session: Session, call: Call) -> str:
    """Return the name of the company that called; a merged one is the one it turned out to be."""
    return contacts.account_of(session, call.contact).name or ""


def _found(session: Session, pages: Pages) -> Select[Call]:
    """Return the calls that the address asks for."""
    args, zone = request.args, pages.settings.zone
    wanted = select(Call)
    first, last = day_from_query("from"), day_from_query("to")
    if first:
        wanted = wanted.where(Call.started_at >= datetime.combine(first, time(), zone).astimezone(UTC))
    if last:
        ends = datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)
        wanted = wanted.where(Call.started_at < ends)
    if campaign := args.get("campaign"):
        if campaign == "-":
            wanted = wanted.where(Call.assignment_id.is_(None))
        else:
            wanted = wanted.where(Call.touch.has(Touch.campaign.has(Campaign.name == campaign)))
    if status := args.get("status"):
        wanted = wanted.where(Call.status == _one_of(CallStatus, status, "status"))
    if lead := args.get("lead"):
        wanted = wanted.where(
            Call.lead_status.is_(None)
            if lead == "-"
            else Call.lead_status == _one_of(LeadStatus, lead, "lead")
        )
    if logged := args.get("logged"):
        has = exists().where(Answer.call_id == Call.id)
        wanted = wanted.where(has if logged == "yes" else ~has)
    if spam := args.get("spam"):
        wanted = wanted.where(Call.spam.is_(spam == "yes"))
    if text := args.get("q", "").strip():
        wanted = wanted.where(_caller_is(text, pages.settings.region))
    return wanted


def _caller_is(text: str, region: str) -> ColumnElement[bool]:
    e164 = phone.parse(text, region).e164
    if e164:
        # Numbers are sealed; a whole one is found by its hash, digits of one are not.
        return or_(Call.caller_hash == vault.lookup_hash(PointKind.phone, e164), Call.dialled == e164)
    key = contacts.name_key(text)
    named = select(Account.id).where(Account.name_key.startswith(key, autoescape=True))
    return or_(
        Call.contact.has(Contact.account_id.in_(named)),
        Call.contact.has(Contact.name.startswith(text, autoescape=True)),
    )


def _one_of(kind: type[CallStatus] | type[LeadStatus], text: str, field: str) -> str:
    if text not in list(kind):
        raise Invalid(field, f"{text!r} is not known; choose among {', '.join(kind)}")
    return text


def _loaded(query: Select[Call]) -> Select[Call]:
    material = joinedload(Call.assignment).joinedload(NumberAssignment.ad_material)
    return query.options(
        joinedload(Call.contact).joinedload(Contact.account),
        material,
        selectinload(Call.answers).joinedload(Answer.campaign),
    )


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


def said(call: Call) -> str:
    """Return in words what came of asking where the caller heard of us; the latest correction counts."""
    corrected = {answer.corrects_id for answer in call.answers}
    return next((in_words(answer) for answer in call.answers if answer.id not in corrected), "–")


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
        return f"{named} (“{answer.verbatim}”)"
    return named or answer.verbatim or ""


def _csv(session: Session, wanted: Select[Call], *, full: bool) -> Iterator[str]:
    heads = (
        "started_at", "company", "contact", "caller", "dialled", "campaign", "ad_material", "status",
        "talk_s", "lead_status", "value", "currency", "answer", "note", "tags", "spam",
    )  # fmt: skip
    yield _row(heads)
    for call in session.scalars(_loaded(wanted)):
        held = call.assignment.ad_material if call.assignment else None
        yield _row(
            (
                call.started_at.isoformat(),
                company_of(session, call),
                call.contact.name or call.caller_name or "",
                (call.caller or "") if full else phone.mask(call.caller or ""),
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


def _row(cells: tuple[object, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([harmless(cell) for cell in cells])
    return line.getvalue()


def harmless(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula; a telephone number stays as it is."""
    if not isinstance(cell, str) or not cell.startswith(_FORMULA):
        return cell
    return cell if cell[1:].isdigit() and cell[0] == "+" else f"'{cell}"
