"""Scheduled reports as mails: made in their language, sent once, and how it went written down."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlencode

from flask_babel import gettext
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from reports import extras
from reports.documents import mail as as_html
from reports.documents import text as as_text
from reports.parts import Chapter, Document
from tracking.errors import Conflict, Invalid, documents_missing
from tracking.language import formatting
from tracking.reporting import documents, mail, report_text, schedules, snapshots
from tracking.reporting.questions import ReportQuery
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import ReportSchedule

_LONGEST_REASON = 500


def send(
    engine: Engine, settings: Settings, arguments: Mapping[str, Any], *, at: datetime
) -> Mapping[str, Any] | None:
    """Send the report of a schedule, as a job: ``due`` is the day for which it was put in line, if any.

    Raises
    ------
    Invalid
        If it cannot be made or sent; the schedule says so too, and is tried again.
    """
    schedule_id = int(arguments["schedule"])
    due = date.fromisoformat(arguments["due"]) if "due" in arguments else None
    moved_to: date | None = None

    def begin(session: Session) -> date | None:
        assert due is not None
        return schedules.begin(session, schedule_id, due, at=at, zone=settings.zone)

    try:
        with db.reading(engine) as session:
            message = letter(session, settings, schedules.get(session, schedule_id), at=at)
        if not mail.is_possible(settings):
            raise Invalid("smtp_url", "email is not set up; set RINGTRAIL_SMTP_URL and RINGTRAIL_MAIL_FROM")
        if due is not None:
            moved_to = db.commit(engine, begin)
            if moved_to is None:
                return {"sent": 0}  # Another worker was first.
        refused = mail.send(settings, message)
    except (Invalid, Conflict, OSError, extras.DocumentsMissing) as error:
        why = _why(error)
        if isinstance(error, mail.Uncertain):
            # It may have arrived: it is not due again.
            moved_to = None
        with db.transaction(engine) as session:
            schedules.note_failure(session, schedule_id, due, why.whole, at=at, moved_to=moved_to)
        raise why from error
    sent = len(message["To"].addresses) - len(refused)
    with db.transaction(engine) as session:
        schedules.note_sent(session, schedule_id, at=at, refused=sorted(refused))
    return {"sent": sent, "refused": len(refused)}


def _why(error: Invalid | Conflict | OSError | extras.DocumentsMissing) -> Invalid | Conflict:
    """Return an error that can be told in other languages; what a mail server says stays as it says it."""
    if isinstance(error, mail.Uncertain):
        return Invalid.of("mail", error.whole)
    if isinstance(error, extras.DocumentsMissing):
        return documents_missing(extras.COMMAND)
    if isinstance(error, OSError):
        reason = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
        return Invalid("mail", "the mail server rejected it: %(error)s", error=reason)
    return error


def letter(session: Session, settings: Settings, row: ReportSchedule, *, at: datetime) -> EmailMessage:
    """Return the mail of a schedule: the figures in its text, the whole report as its attachments."""
    today = at.astimezone(settings.zone).date()
    with formatting.speaking(settings, row.language):
        asked = read(session, settings, row.options["query"], schedules.covered(row, today), today)
        snapshot = snapshots.whole(session, settings, at=at)
        report = report_text.report(session, settings, snapshot, asked, at=at)
        message = EmailMessage()
        message["Subject"] = gettext(
            "%(name)s: %(title)s (%(period)s)", name=row.name, title=report.title, period=report.subtitle
        )
        message["To"] = ", ".join(row.recipients)
        message["Auto-Submitted"] = "auto-generated"
        brief = _with_ending(report.brief(), settings, row, asked)
        message.set_content(as_text(brief))
        message.add_alternative(as_html(brief), subtype="html")
        for name in row.options["attachments"]:
            file = documents.FORMATS[name]
            main, _, sub = file.mimetype.partition(";")[0].partition("/")
            content = file.make(report, settings)
            message.add_attachment(
                content, maintype=main, subtype=sub, filename=documents.file_name(asked, name)
            )
        # Set last: a message that becomes one of many parts hands such headers on to its first part.
        message["Content-Language"] = report.language
    return message


def read(
    session: Session,
    settings: Settings,
    query: Mapping[str, list[str]],
    days: tuple[date, date],
    today: date,
) -> ReportQuery:
    """Return the question of a schedule for some days, or raise Invalid for what is wrong with it."""
    args = MultiDict[str, str]([(name, value) for name, values in query.items() for value in values])
    args["from"], args["to"] = (day.isoformat() for day in days)
    asked = documents.read(session, settings, today, args)
    if asked.problem:
        raise asked.problem
    return asked


def _with_ending(brief: Document, settings: Settings, row: ReportSchedule, asked: ReportQuery) -> Document:
    query = {name: values for name, values in row.options["query"].items() if values}
    query |= {"from": [str(asked.period.start)], "to": [str(asked.last_day)], "language": [row.language]}
    link = f"{settings.base_url}/report?{urlencode(query, doseq=True)}"
    ending = Chapter(
        gettext("Full report"),
        [
            gettext("Full report with charts and tables (sign-in required): %(link)s", link=link),
            gettext("%(who)s set up this email and can remove you from the list.", who=row.created_by),
        ],
    )
    return replace(brief, chapters=[*brief.chapters, ending])
