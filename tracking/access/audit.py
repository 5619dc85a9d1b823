"""The audit trail: who did what and when, written in the transaction of the act and sealed into a chain.

Each entry carries a keyed hash of itself and of the seal before it, and one row a keyed hash of the last one.
Whoever changes, removes or slips in an entry without the key breaks the chain, which :func:`broken` tells.
"""

from datetime import datetime

from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tracking.access import users
from tracking.storage import vault
from tracking.storage.column_types import to_micros
from tracking.storage.models import AuditEntry, AuditHead, Installation

_WAITING = "audit entries without a seal"
_FIRST = "0" * 64
_KINDS = ("audit", "audit with its end")
"""What entries are sealed as; those of the first kind have an end that was not, and can be cut back to."""


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
                # Where the row was taken away, whoever acts goes on, and the gap is told.
                place = session.scalar(select(func.max(AuditEntry.place))) or 0
                session.add(head := AuditHead(id=1, place=place, seal=_FIRST))
        except IntegrityError:
            head = session.scalars(select(AuditHead).with_for_update()).one()
    seal = _end(session, head)
    for entry in entries:
        entry.place = head.place = head.place + 1
        entry.seal = seal = _links(_KINDS[-1], seal, entry.place, entry)[-1]
        session.add(entry)
    head.seal = _ends(head.place, seal)[-1]


def _end(session: Session, head: AuditHead) -> str:
    """Return the seal that the next entry follows; one that fits none where the end was not left so."""
    held = select(AuditEntry).where(AuditEntry.place.in_((head.place - 1, head.place)))
    found = {row.place: row for row in session.scalars(held)}
    last, before = found.get(head.place), found.get(head.place - 1)
    if last is None:
        return head.seal
    if head.seal in _ends(head.place, str(last.seal)):
        return str(last.seal)
    is_older = last.seal not in _links(_KINDS[-1], str(before.seal) if before else _FIRST, head.place, last)
    return head.seal if is_older else _ends(head.place, head.seal)[-1]


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop(_WAITING, None)


def broken(session: Session) -> str:
    """Return where the chain does not hold, in words; empty where all of it does."""
    seal, place, age, kind = _FIRST, 0, 0, 0
    wanted = select(AuditEntry).where(AuditEntry.place.is_not(None)).order_by(AuditEntry.place)
    with session.scalars(wanted.execution_options(yield_per=1000)) as entries:
        for entry in entries:
            place += 1
            if entry.place != place:
                return f"entry {place} is missing"
            # By the key of its day: an older one, which others may know by now, seals nothing after it.
            by_kind = [_links(name, seal, place, entry) for name in _KINDS]
            kind = next((k for k in range(kind, len(_KINDS)) if entry.seal in by_kind[k][age:]), -1)
            if kind < 0:
                return f"entry {place} is not what was written"
            seal, age = str(entry.seal), by_kind[kind].index(str(entry.seal))
    head = session.scalar(select(AuditHead))
    if (head.place if head else 0) != place:
        return f"the trail ends at entry {place}, not at entry {head.place if head else 0}"
    if place and head and head.seal not in [*_ends(place, seal)[age:], *([] if kind else [seal])]:
        return f"the trail ends at entry {place}, and was not left there"
    if not place and users.any_yet(session):
        return "there is no entry, though there are users"
    if place and age < len(vault.installed().all) - 1 and not _waits_for_key(session):
        return "the last entry is sealed with an older key"
    late = select(AuditEntry.id).where(AuditEntry.place.is_(None))
    first = select(AuditEntry.id).where(AuditEntry.place == 1)
    if session.scalar(late.where(AuditEntry.id > first.scalar_subquery()).limit(1)) is not None:
        return "an entry without a seal stands among sealed ones"
    return ""


def _ends(place: int, seal: str) -> list[str]:
    return vault.chain_hashes("audit end", f"{place}|{seal}")


def _links(kind: str, before: str, place: int, entry: AuditEntry) -> list[str]:
    told = [before, str(place), str(to_micros(entry.at)), entry.actor, entry.action, entry.subject]
    # Each part with its length, so that no two entries are written alike.
    return vault.chain_hashes(kind, "".join(f"{len(part)}:{part}" for part in told))


def _waits_for_key(session: Session) -> bool:
    """Tell whether a new key is there of which the database does not know yet."""
    held = session.scalar(select(Installation.key_fingerprint))
    return held != vault.installed().fingerprint
