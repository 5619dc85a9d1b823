"""Mails that somebody's request asks for: put in line with its transaction, sent by the worker.

No request waits for the mail server, and what is in line survives a restart. A mail that cannot be sent is
tried again, later each time; one whose connection broke may arrive twice.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage

from sqlalchemy import Engine, delete, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tracking.reporting import mail
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import OutgoingMail

LINK = "link for a password"
CHANGED = "password changed"
FORM = "form"
_ATTEMPTS = 8
"""Tries before a mail is given up: about four hours with the pauses between."""
_FIRST_PAUSE = timedelta(minutes=1)
_log = logging.getLogger(__name__)

Compose = Callable[[OutgoingMail], EmailMessage | None]
"""Makes the mail of a row; None where nobody there is to get one."""


def put(
    session: Session, kind: str, address: str, language: str, *, at: datetime, form_id: int | None = None
) -> None:
    """Put a mail in line; it speaks the language of who gets it, or else the one given."""
    mail = {"kind": kind, "address": address, "language": language, "form_id": form_id}
    session.add(OutgoingMail(**mail, created_at=at, not_before=at))


def deliver(engine: Engine, settings: Settings, compose: Compose, *, at: datetime) -> int:
    """Send what is due; return how many mails were tried."""
    tried = 0
    while row := _take(engine, at):
        tried += 1
        try:
            message = compose(row)
            if message is not None:
                mail.send(settings, message)
        except SQLAlchemyError:
            raise
        except Exception as error:
            # One that cannot be made, whatever it fails over, must not hold up the others. Whom it was for is
            # not told: a log is read by more people than the database.
            _log.error("a mail (%s) did not go out: %s", row.kind, type(error).__name__)
            if row.attempts < _ATTEMPTS:
                continue
        with db.transaction(engine) as session:
            session.execute(delete(OutgoingMail).where(OutgoingMail.id == row.id))
    return tried


def _take(engine: Engine, at: datetime) -> OutgoingMail | None:
    # What waits for longer than any pause was put in line while the clock was ahead.
    is_due = or_(OutgoingMail.not_before <= at, OutgoingMail.not_before > at + _FIRST_PAUSE * 2**_ATTEMPTS)
    due = select(OutgoingMail).where(is_due).order_by(OutgoingMail.id).limit(1)
    with db.reading(engine) as session:
        # Looking costs no lock.
        if session.scalar(due) is None:
            return None
    with db.transaction(engine) as session:
        row = session.scalar(due.with_for_update(skip_locked=True))
        if row is not None:
            # Moved on before it is tried, so that nobody else tries it meanwhile.
            row.not_before = at + _FIRST_PAUSE * 2**row.attempts
            row.attempts += 1
        return row
