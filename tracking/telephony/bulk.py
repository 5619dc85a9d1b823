"""Many calls at once: an import's reports about new calls, written without an object for each row.

What a report means is decided in :mod:`tracking.telephony.calls`; here it only goes into the database in five
statements a batch. Through the ORM the same rows take several times as long (``benchmarks/imports.py``).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import func, insert, literal, select
from sqlalchemy.orm import Session

from tracking.records.import_outcome import ImportOutcome
from tracking.storage import phone, vault
from tracking.storage.models import Account, Call, Contact, ContactPoint, Touch
from tracking.storage.vocabulary import Base, PointKind, TouchKind
from tracking.telephony import calls, numbers
from tracking.telephony.calls import CallEvent, Draft

CallKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Filed:
    """Where a call is stored, and what the reports about it did."""

    call_id: int
    started_at: datetime
    effect: ImportOutcome


def record(session: Session, events: Iterable[CallEvent], *, region: str) -> dict[CallKey, Filed]:
    """Take reports about calls as :func:`tracking.telephony.calls.record` does, with the same outcome."""
    by_call = calls.gather(events)
    known = _known(session, by_call)
    again = [event for key in known for event in by_call[key]]
    filed = {
        (r.call.provider, r.call.provider_call_id): Filed(r.call.id, r.call.started_at, r.effect)
        for r in (calls.record(session, again, region=region) if again else ())
    }
    new = {key: group for key, group in by_call.items() if key not in known}
    return filed | (_add(session, new, region) if new else {})


def _known(session: Session, keys: Iterable[CallKey]) -> set[CallKey]:
    found: set[CallKey] = set()
    for provider, group in groupby(keys, key=lambda key: key[0]):
        ids = select(Call.provider_call_id).where(
            Call.provider == provider, Call.provider_call_id.in_([call_id for _, call_id in group])
        )
        found |= {(provider, call_id) for call_id in session.scalars(ids)}
    return found


def _add(session: Session, new: dict[CallKey, list[CallEvent]], region: str) -> dict[CallKey, Filed]:
    dialled = {
        e164 for g in new.values() for e in g for d in e.dialled if (e164 := phone.parse(d, region).e164)
    }
    stock = numbers.inventory(session, dialled - {None})
    openings = [calls.opening(group, stock, region) for group in new.values()]
    names = [next((e.caller_name for e in group if e.caller_name), None) for group in new.values()]
    contacts = _contacts(session, openings, names)
    filed: dict[CallKey, Filed] = {}
    call_rows: list[dict[str, Any]] = []
    touch_rows: list[dict[str, Any]] = []
    ids = zip(_free_ids(session, Call, len(new)), _free_ids(session, Touch, len(new)), strict=True)
    for (key, group), opening, contact_id, (call_id, touch_id) in zip(
        new.items(), openings, contacts, ids, strict=True
    ):
        draft = Draft(opening["started_at"])
        for event in group:
            calls.advance(draft, event)
        history = stock[opening["dialled"]][1] if opening["dialled"] in stock else []
        held = numbers.holder(history, draft.started_at)
        call_rows.append(
            opening
            | {name: getattr(draft, name) for name in Draft.__slots__}
            | {
                "id": call_id,
                "contact_id": contact_id,
                "assignment_id": held.id if held else None,
                "spam": False,
            }
        )
        touch_rows.append(
            {
                "id": touch_id,
                "contact_id": contact_id,
                "occurred_at": draft.started_at,
                "kind": TouchKind.call,
                "call_id": call_id,
                "campaign_id": held.ad_material.campaign_id if held else None,
                "ad_material_id": held.ad_material_id if held else None,
            }
        )
        filed[key] = Filed(call_id, draft.started_at, ImportOutcome.created)
    _insert(session, Call, call_rows)
    _insert(session, Touch, touch_rows)
    return filed


def _contacts(session: Session, openings: Sequence[dict[str, Any]], names: Sequence[str | None]) -> list[int]:
    """Return the contact of each call; callers not known yet are added with a company of their own."""
    now = {
        known: opening["caller_hash"]
        for opening in openings
        if opening["caller_hash"] is not None
        for known in vault.lookup_hashes(PointKind.phone, opening["caller"])
    }
    points = select(ContactPoint.value_hash, ContactPoint.contact_id)
    rows = session.execute(
        points.where(ContactPoint.kind == PointKind.phone, ContactPoint.value_hash.in_(now))
    )
    people: dict[str, int] = {now[known]: contact_id for known, contact_id in rows}
    # Withheld and malformed numbers are nobody in particular: each such caller stays a person apart.
    strangers = [
        at
        for at, opening in enumerate(openings)
        if (value_hash := opening["caller_hash"]) is None
        or (value_hash not in people and people.setdefault(value_hash, -1) == -1)
    ]
    account_ids = _free_ids(session, Account, len(strangers))
    contact_ids = _free_ids(session, Contact, len(strangers))
    accounts: list[dict[str, Any]] = []
    contacts: list[dict[str, Any]] = []
    new_points: list[dict[str, Any]] = []
    apart: dict[int, int] = {}
    for at, account_id, contact_id in zip(strangers, account_ids, contact_ids, strict=True):
        since = openings[at]["started_at"]
        accounts.append({"id": account_id, "created_at": since})
        contacts.append(
            {
                "id": contact_id,
                "account_id": account_id,
                "name": names[at],
                "created_at": since,
            }
        )
        apart[at] = contact_id
        if (value_hash := openings[at]["caller_hash"]) is not None:
            people[value_hash] = contact_id
            new_points.append(
                {
                    "contact_id": contact_id,
                    "kind": PointKind.phone,
                    "value": openings[at]["caller"],
                    "value_hash": value_hash,
                }
            )
    _insert(session, Account, accounts)
    _insert(session, Contact, contacts)
    _insert(session, ContactPoint, new_points)
    return [apart.get(at) or people[opening["caller_hash"]] for at, opening in enumerate(openings)]


def _insert(session: Session, table: type[Base], rows: list[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(table.__table__), rows)  # type: ignore[arg-type]  # mapped tables are tables


def _free_ids(session: Session, table: type[Base], count: int) -> Sequence[int]:
    """Reserve row numbers, so that rows which point to one another go in together."""
    if not count:
        return ()
    if session.get_bind().dialect.name == "postgresql":
        # Others insert meanwhile: only numbers from the sequence are never given twice. One past the largest
        # row would be theirs as well, and its insert would fail after ours, or ours after theirs.
        sequence = func.pg_get_serial_sequence(literal(f'"{table.__tablename__}"'), literal("id"))
        return session.scalars(
            select(func.nextval(sequence)).select_from(func.generate_series(1, count))
        ).all()
    # The transaction is the only one that writes until it ends (BEGIN IMMEDIATE).
    last = session.scalar(select(func.max(table.__table__.c.id))) or 0
    return range(last + 1, last + 1 + count)
