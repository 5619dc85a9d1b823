"""The audit trail: who changed what and when, written in the same transaction as the change."""

from datetime import datetime

from sqlalchemy.orm import Session

from tracking.storage.models import AuditEntry


def note(session: Session, actor: str, action: str, subject: str = "", *, at: datetime) -> None:
    """Write down that ``actor`` did ``action`` (noun and verb, such as "campaign add") to ``subject``.

    The subject names records, never a telephone number or an address of a contact: the trail is kept
    longer than they are.
    """
    session.add(AuditEntry(at=at, actor=actor, action=action, subject=subject))
