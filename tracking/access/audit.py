"""The audit trail: who did what and when, written in the transaction of the act and sealed into a chain.

Each entry carries a keyed hash of itself and of the seal before it, and one row keeps the last seal. Whoever
changes, removes or slips in an entry without the key breaks the chain, which :func:`broken` tells.
"""

from datetime import datetime

from sqlalchemy import event, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tracking.storage import vault
from tracking.storage.column_types import to_micros
from tracking.storage.models import AuditEntry, AuditHead, Installation

_WAITING = "audit entries without a seal"
_FIRST = "0" * 64


def note(session: Session, actor: str, action: str, subject: str = "", *, at: datetime) -> None:
    """Write down that ``actor`` did ``action`` (noun and verb, such as "campaign add") to ``subject``.

    The subject names records, never a telephone number or an address of a contact: the trail is kept
    longer than they are.
    """
    entry = AuditEntry(at=at, actor=actor[:200], action=action, subject=subject.replace("\0", ""))
    session.info.setdefault(_WAITING, []).append(entry)


@event.listens_for(Session, "before_commit")
def _seal(session: Session) -> None:
    # As late as can be: whoever writes next waits for the last seal.
    if session.in_nested_transaction():
        return
    entries: list[AuditEntry] = session.info.pop(_WAITING, [])
    if not entries:
        return
    head = session.scalar(select(AuditHead).with_for_update().execution_options(populate_existing=True))
    if head is None:
        try:
            with session.begin_nested():
                session.add(head := AuditHead(id=1, place=0, seal=_FIRST))
        except IntegrityError:
            head = session.scalars(select(AuditHead).with_for_update()).one()
    for entry in entries:
        entry.place, entry.seal = head.place + 1, _links(head.seal, head.place + 1, entry)[-1]
        head.place, head.seal = entry.place, entry.seal
        session.add(entry)


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop(_WAITING, None)


def broken(session: Session) -> str:
    """Return where the chain does not hold, in words; empty where all of it does."""
    seal, place, age = _FIRST, 0, 0
    wanted = select(AuditEntry).where(AuditEntry.place.is_not(None)).order_by(AuditEntry.place)
    with session.scalars(wanted.execution_options(yield_per=1000)) as entries:
        for entry in entries:
            place += 1
            if entry.place != place:
                return f"entry {place} is missing"
            # By the key of its day: an older one, which others may know by now, seals nothing after it.
            links = _links(seal, place, entry)
            if entry.seal not in links[age:]:
                return f"entry {place} is not what was written"
            seal, age = str(entry.seal), links.index(str(entry.seal))
    head = session.scalar(select(AuditHead))
    if (head.place, head.seal) != (place, seal) if head else place:
        return f"the trail ends at entry {place}, not at entry {head.place if head else 0}"
    if place and age < len(vault.installed().all) - 1 and not _waits_for_key(session):
        return "the last entry is sealed with an older key"
    late = select(AuditEntry.id).where(AuditEntry.place.is_(None))
    first = select(AuditEntry.id).where(AuditEntry.place == 1)
    if session.scalar(late.where(AuditEntry.id > first.scalar_subquery()).limit(1)) is not None:
        return "an entry without a seal stands among sealed ones"
    return ""


def _links(before: str, place: int, entry: AuditEntry) -> list[str]:
    told = [before, str(place), str(to_micros(entry.at)), entry.actor, entry.action, entry.subject]
    # Each part with its length, so that no two entries are written alike.
    return vault.chain_hashes("audit", "".join(f"{len(part)}:{part}" for part in told))


def _waits_for_key(session: Session) -> bool:
    """Tell whether a new key is there of which the database does not know yet."""
    held = session.scalar(select(Installation.key_fingerprint))
    return held != vault.installed().fingerprint
