"""Scheduled reports: which go out when and to whom, each at most once for each day on which it is due."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from reports.trends import Step, beginning, following
from tracking.access import jobs
from tracking.errors import Invalid, NotFound, say
from tracking.storage.models import Job, ReportSchedule
from tracking.storage.names import required

KIND = "report"
"""The kind of job that sends one."""
CADENCES: Mapping[str, Step] = MappingProxyType(
    {"weekly": "week", "monthly": "month", "quarterly": "quarter"}
)
"""Due on Mondays, on the first of each month, on the first of January, April, July and October."""
SPANS = ("365", "90", "ended")
"""Days up to yesterday; or the week, month or quarter that has just ended."""
ATTACHMENTS = ("pdf", "xlsx", "html", "csv")
MOST_RECIPIENTS = 50
PAUSE = timedelta(hours=1)
"""After a failure, or where a worker died with it in line, it is tried again after so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A schedule as somebody asks for it; ``query`` is that of the report's page, without its days."""

    name: str
    recipients: Sequence[str]
    cadence: str
    language: str
    span: str = "365"
    attachments: Sequence[str] = ("pdf",)
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)


def save(
    session: Session, wanted: Wanted, *, by: str, today: date, row: ReportSchedule | None = None
) -> ReportSchedule:
    """Add a schedule, or change one; it is due on the first day of its cadence after today."""
    row = row or ReportSchedule(created_by=by)
    row.name = required(wanted.name, "name")
    row.recipients = addresses(wanted.recipients)
    if wanted.cadence not in CADENCES:
        raise Invalid(
            "cadence",
            "%(told)r is not an option; use one of: %(known)s",
            told=wanted.cadence,
            known=", ".join(CADENCES),
        )
    if wanted.span not in SPANS:
        raise Invalid(
            "span",
            "%(told)r is not an option; use one of: %(known)s",
            told=wanted.span,
            known=", ".join(SPANS),
        )
    if unknown := [name for name in wanted.attachments if name not in ATTACHMENTS]:
        raise Invalid(
            "attachments",
            "%(told)r is not an option; use one of: %(known)s",
            told=unknown[0],
            known=", ".join(ATTACHMENTS),
        )
    row.cadence, row.language = wanted.cadence, wanted.language
    row.options = {
        "span": wanted.span,
        "attachments": list(wanted.attachments),
        "query": {name: list(values) for name, values in wanted.query.items() if values},
    }
    row.next_on, row.not_before = following(today, CADENCES[row.cadence]), None
    session.add(row)
    session.flush()
    return row


def addresses(told: Sequence[str]) -> list[str]:
    """Return e-mail addresses as mail servers know them, each once, or raise Invalid naming the wrong one."""
    found: dict[str, str] = {}
    for line in told:
        if not line.strip():
            continue
        try:
            # Whether a mail server takes mail for it shows when mail is sent.
            known = validate_email(line.strip(), check_deliverability=False, test_environment=True)
        except EmailNotValidError as error:
            raise Invalid(
                "recipients", "%(line)r is not an email address: %(error)s", line=line.strip(), error=error
            ) from None
        found.setdefault(known.normalized.casefold(), known.normalized)
    if not found:
        raise Invalid("recipients", "enter one email address per line")
    if len(found) > MOST_RECIPIENTS:
        raise Invalid(
            "recipients",
            "%(length)s recipients are too many; enter at most %(most)s, or the address of a mailing list",
            length=len(found),
            most=MOST_RECIPIENTS,
        )
    return list(found.values())


def every(session: Session) -> list[ReportSchedule]:
    """Return all schedules, by name."""
    return list(session.scalars(select(ReportSchedule).order_by(ReportSchedule.name, ReportSchedule.id)))


def get(session: Session, schedule_id: int) -> ReportSchedule:
    """Return a schedule, or raise NotFound."""
    row = session.get(ReportSchedule, schedule_id)
    if row is None:
        raise NotFound("schedule %(number)s not found; it may have been deleted", number=schedule_id)
    return row


def remove(session: Session, row: ReportSchedule) -> None:
    """Delete a schedule."""
    session.delete(row)
    session.flush()


def covered(row: ReportSchedule, today: date) -> tuple[date, date]:
    """Return the first and last day that the report of a schedule covers when it is made today."""
    if (span := row.options["span"]) != "ended":
        return today - timedelta(days=int(span)), today - timedelta(days=1)
    step = CADENCES[row.cadence]
    last = beginning(today, step) - timedelta(days=1)
    return beginning(last, step), last


def is_due(session: Session, *, at: datetime, zone: ZoneInfo) -> bool:
    """Tell whether a schedule is to be put in line; looking costs no lock."""
    return session.scalar(select(ReportSchedule.id).where(_due(at, zone)).limit(1)) is not None


def line_up(session: Session, *, at: datetime, zone: ZoneInfo) -> list[Job]:
    """Put the schedules that are due in line for the worker; however long none ran, each once."""
    due = select(ReportSchedule).where(_due(at, zone)).order_by(ReportSchedule.id)
    lined_up = []
    today = at.astimezone(zone).date()
    for row in session.scalars(due.with_for_update(skip_locked=True)):
        if row.next_on > today:
            row.next_on, row.not_before = following(today, CADENCES[row.cadence]), None
            continue
        row.not_before = at + PAUSE
        lined_up.append(_enqueue(session, row, {"due": row.next_on.isoformat()}, by=row.created_by, at=at))
    return lined_up


def send_now(session: Session, row: ReportSchedule, *, by: str, at: datetime) -> Job:
    """Put a schedule in line besides its days."""
    return _enqueue(session, row, {}, by=by, at=at)


def begin(session: Session, schedule_id: int, due: date, *, at: datetime, zone: ZoneInfo) -> date | None:
    """Take the right to send what was due on a day; only one worker gets it, and only once.

    Returned is the day to which the schedule has moved on; None where another worker was first.

    The schedule moves on to its next day before anything is sent. Where the worker dies from here on,
    nobody can know whether the mail went out: it is not sent again, and the schedule says so.
    """
    row = session.scalar(
        select(ReportSchedule)
        .where(ReportSchedule.id == schedule_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None or row.next_on != due:
        return None
    row.next_on = following(at.astimezone(zone).date(), CADENCES[row.cadence])
    row.not_before = None
    row.last_error = say("sending was interrupted, so the email may have arrived; if not, use Send now")
    session.flush()
    return row.next_on


def note_sent(session: Session, schedule_id: int, *, at: datetime, refused: Sequence[str] = ()) -> None:
    """Write down that a report went out, and whom the mail server would not take it for."""
    row = session.get(ReportSchedule, schedule_id)
    if row is not None:
        row.last_sent_at = at
        row.last_error = say("the mail server rejected %(who)s", who=", ".join(refused)) if refused else None


def note_failure(
    session: Session,
    schedule_id: int,
    due: date | None,
    reason: str,
    *,
    at: datetime,
    moved_to: date | None = None,
) -> None:
    """Write down why a report was not sent; what was due is tried again after a pause.

    ``moved_to`` is what :func:`begin` returned to whoever failed: only he may take it back.
    """
    row = session.get(ReportSchedule, schedule_id)
    if row is None:
        return
    row.last_error = reason
    if due is not None and moved_to is not None and row.next_on == moved_to:
        row.next_on = due
    if row.next_on == due:
        row.not_before = at + PAUSE


def _due(at: datetime, zone: ZoneInfo) -> ColumnElement[bool]:
    today = at.astimezone(zone).date()
    not_before = ReportSchedule.not_before
    waited = or_(not_before.is_(None), not_before <= at, not_before > at + PAUSE)
    # Later than the next day of its cadence: it was moved on while the clock was ahead.
    astray = (
        and_(ReportSchedule.cadence == cadence, ReportSchedule.next_on > following(today, step))
        for cadence, step in CADENCES.items()
    )
    return or_(and_(ReportSchedule.next_on <= today, waited), *astray)


def _enqueue(session: Session, row: ReportSchedule, more: dict[str, Any], *, by: str, at: datetime) -> Job:
    return jobs.enqueue(session, KIND, row.name, {"schedule": row.id} | more, by=by, at=at)
