"""Many calls at once: reports about new calls, live or of an import, written without an object for each row.

What a report means is decided in :mod:`tracking.telephony.calls`; here it only goes into the database, by
columns. Through the ORM the same rows take several times as long (``benchmarks/imports.py``).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from tracking.records.import_outcome import ImportOutcome
from tracking.storage import namemarks, phone, rows, vault
from tracking.storage.models import Account, Call, Contact, ContactPoint, Touch
from tracking.storage.vocabulary import Base, PointKind, TouchKind
from tracking.telephony import calls, holders, numbers
from tracking.telephony.calls import CallEvent, Draft, Opening
from tracking.telephony.numbers import Ours

CallKey = tuple[str, str]
# Of the tables rather than their classes, and made once: the telephone waits for these.
_CALL, _POINT = (Base.metadata.tables[kind.__tablename__] for kind in (Call, ContactPoint))


class Filed(NamedTuple):
    """Where a call is stored, and what the reports about it did."""

    call_id: int
    started_at: datetime
    effect: ImportOutcome


def record(
    session: Session, events: Iterable[CallEvent], *, region: str, stock: Mapping[str, Ours] | None = None
) -> dict[CallKey, Filed]:
    """Take reports about calls as :func:`tracking.telephony.calls.record` does, with the same outcome.

    ``stock`` is who holds the numbers dialled, where it has been read already.
    """
    by_call = calls.gather(events)
    known = _known(session, by_call)
    again = [event for key in known for event in by_call[key]]
    filed = {
        (r.call.provider, r.call.provider_call_id): Filed(r.call.id, r.call.started_at, r.effect)
        for r in (calls.record(session, again, region=region) if again else ())
    }
    new = {key: group for key, group in by_call.items() if key not in known} if known else by_call
    return filed | (_add(session, new, region, stock) if new else {})


def _known(session: Session, keys: Iterable[CallKey]) -> set[CallKey]:
    found: set[CallKey] = set()
    for provider, group in groupby(keys, key=lambda key: key[0]):
        ids = [call_id for _, call_id in group]
        told = rows.find(session, _calls_known, ids, provider=provider).scalars()
        found |= {(provider, call_id) for call_id in told}
    return found


@cache
def _calls_known(dialect: str) -> Select[Any]:
    ids = rows.among_wanted(dialect, _CALL.c.provider_call_id)
    return select(_CALL.c.provider_call_id).where(_CALL.c.provider == bindparam("provider"), ids)


@cache
def _points_known(dialect: str) -> Select[Any]:
    return select(_POINT.c.value_hash, _POINT.c.contact_id).where(
        _POINT.c.kind == PointKind.phone, rows.among_wanted(dialect, _POINT.c.value_hash)
    )


def _add(
    session: Session, new: dict[CallKey, list[CallEvent]], region: str, stock: Mapping[str, Ours] | None
) -> dict[CallKey, Filed]:
    if stock is None:
        candidates = {d for group in new.values() for event in group for d in event.dialled}
        stock = numbers.holdings(
            session, {e164 for d in candidates if (e164 := phone.parse(d, region).e164) is not None}
        )
    openings = [calls.opening(group, stock, region) for group in new.values()]
    drafts = [
        calls.drafted(opening.started_at, group)
        for opening, group in zip(openings, new.values(), strict=True)
    ]
    held = []
    for opening, draft in zip(openings, drafts, strict=True):
        known = stock.get(opening.dialled)
        held.append(numbers.holder(known.history, draft.started_at) if known else None)
    names = [next((e.caller_name for e in group if e.caller_name), None) for group in new.values()]
    people, strangers = _callers(session, openings)
    call_ids, touch_ids, account_ids, new_ids = rows.free_ids(
        session, {Call: len(new), Touch: len(new), Account: len(strangers), Contact: len(strangers)}
    )
    contact_ids = _contacts(session, openings, names, people, strangers, account_ids, new_ids)
    started = [draft.started_at for draft in drafts]
    opened = dict(zip(Opening._fields, zip(*openings, strict=True), strict=True))
    moved = {name: [getattr(draft, name) for draft in drafts] for name in Draft.__slots__}
    # A judgement, which hardly any telephone system knows, need not be written as nothing.
    moved = {name: column for name, column in moved.items() if any(value is not None for value in column)}
    rows.insert(
        session,
        Call,
        opened
        | moved
        | {
            "id": call_ids,
            "contact_id": contact_ids,
            "assignment_id": [one and one.id for one in held],
        },
    )
    rows.insert(
        session,
        Touch,
        {
            "id": touch_ids,
            "contact_id": contact_ids,
            "occurred_at": started,
            "kind": [TouchKind.call] * len(new),
            "call_id": call_ids,
            "campaign_id": [one and one.campaign_id for one in held],
            "ad_material_id": [one and one.ad_material_id for one in held],
        },
    )
    pooled = [
        call_id
        for call_id, opening, one in zip(call_ids, openings, held, strict=True)
        if one is None and (known := stock.get(opening.dialled)) is not None and known.pooled
    ]
    if pooled:
        holders.credit(session, pooled)
    created = ImportOutcome.created
    return {key: Filed(call_id, at, created) for key, call_id, at in zip(new, call_ids, started, strict=True)}


def _callers(session: Session, openings: Sequence[Opening]) -> tuple[dict[str, int], list[int]]:
    """Return the contacts of callers who are known, by hash, and the places of those who are to be added."""
    now = {
        known: opening.caller_hash
        for opening in openings
        if opening.caller_hash is not None and opening.caller is not None
        for known in vault.lookup_hashes(PointKind.phone, opening.caller)
    }
    found: Iterable[Any] = rows.find(session, _points_known, now) if now else ()
    people: dict[str, int] = {now[known]: contact_id for known, contact_id in found}
    # Withheld and malformed numbers are nobody in particular: each such caller stays a person apart.
    strangers: list[int] = []
    seen: set[str] = set()
    for at, value_hash in enumerate(opening.caller_hash for opening in openings):
        if value_hash is None or (value_hash not in people and value_hash not in seen):
            strangers.append(at)
            if value_hash is not None:
                seen.add(value_hash)
    return people, strangers


def _contacts(
    session: Session,
    openings: Sequence[Opening],
    names: Sequence[str | None],
    people: dict[str, int],
    strangers: Sequence[int],
    account_ids: Sequence[int],
    contact_ids: Sequence[int],
) -> list[int]:
    """Return the contact of each call; callers not known yet are added with a company of their own."""
    since = [openings[at].started_at for at in strangers]
    rows.insert(session, Account, {"id": account_ids, "created_at": since})
    rows.insert(
        session,
        Contact,
        {
            "id": contact_ids,
            "account_id": account_ids,
            "name": [names[at] for at in strangers],
            "name_marks": [namemarks.marks(names[at]) for at in strangers],
            "created_at": since,
        },
    )
    apart = dict(zip(strangers, contact_ids, strict=True))
    # In one order everywhere: two processes that meet the same two callers must not block each other.
    numbered: list[Any] = sorted(
        (value_hash, contact_id, openings[at].caller)
        for at, contact_id in apart.items()
        if (value_hash := openings[at].caller_hash) is not None
    )
    rows.insert(
        session,
        ContactPoint,
        {
            "contact_id": [contact_id for _, contact_id, _ in numbered],
            "kind": [PointKind.phone] * len(numbered),
            "value": [caller for _, _, caller in numbered],
            "value_hash": [value_hash for value_hash, _, _ in numbered],
        },
    )
    people = people | {value_hash: contact_id for value_hash, contact_id, _ in numbered}
    return [
        apart[at] if opening.caller_hash is None else people[opening.caller_hash]
        for at, opening in enumerate(openings)
    ]
