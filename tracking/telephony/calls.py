"""Calls: reports from providers and files, in any order and number, become one Call and one Touch."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple, TypeVar

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session, aliased

from tracking.errors import Conflict, Invalid
from tracking.records import contacts
from tracking.records.import_outcome import ImportOutcome
from tracking.storage import phone, vault
from tracking.storage.models import Answer, Call, Contact, NumberAssignment, Touch, TrackingNumber
from tracking.storage.phone import NumberState
from tracking.storage.vocabulary import CallStatus, LeadStatus, PointKind, TouchKind
from tracking.telephony import holders, numbers

_Measure = TypeVar("_Measure", datetime, int)
MANUAL = "manual"
"""The provider of a call that a person or another program entered."""
PRACTICE = "practice"
"""The provider of a call that somebody makes to try a website's number: spam, and counted nowhere."""


class Course(StrEnum):
    """Which way a call goes, seen from the supplier's house."""

    incoming = "incoming"
    outgoing = "outgoing"
    internal = "internal"


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class CallEvent:
    """One report about a call, in our words; every provider and file format is turned into these.

    ``dialled`` holds the number rung, or several candidates in order of preference (an exchange may show
    it in more than one field). ``status`` is None where the report says nothing about it. A report may
    carry what another system's users noted on the call; it fills what is empty and overwrites nothing.
    Only incoming calls are kept; ``course`` is None where the report does not say which way it goes.
    Nobody changes one; said by ``frozen``, making it would take four times as long, for each row of a file.
    """

    provider: str
    provider_call_id: str
    dialled: tuple[str, ...]
    caller: str | None
    started_at: datetime
    status: CallStatus | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: int | None = None
    talk_s: int | None = None
    caller_name: str | None = None
    lead_status: LeadStatus | None = None
    value_minor: int | None = None
    currency: str | None = None
    note: str = ""
    tags: tuple[str, ...] = field(default=())
    course: Course | None = None


@dataclass(slots=True)
class Draft:
    """What reports move forward in a call, for a call that is not stored yet."""

    started_at: datetime
    status: CallStatus = CallStatus.ringing
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: int | None = None
    talk_s: int | None = None
    caller_name: str | None = None
    lead_status: LeadStatus | None = None
    value_minor: int | None = None
    currency: str | None = None
    note: str = ""
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A call as it stands now, and what the reports about it did."""

    call: Call
    effect: ImportOutcome


# The order in which a call can only move forward; of two reports the further one counts. An answered call
# outranks a missed one because a leg that nobody picked up may be followed by one that somebody did.
_RANK = {
    status: rank
    for rank, status in enumerate(
        (
            CallStatus.ringing,
            CallStatus.missed,
            CallStatus.voicemail,
            CallStatus.answered,
            CallStatus.completed,
        )
    )
}

Inventory = dict[str, tuple[TrackingNumber, list[NumberAssignment]]]


def record(session: Session, events: Iterable[CallEvent], *, region: str) -> list[Recorded]:
    """Take reports about calls; the outcome does not depend on their order or on repetitions.

    Each call gets exactly one Touch. It is credited to whoever held the dialled number when it rang; a
    call to a resting, free or unknown number is kept with no source. The many-rows form exists for
    imports: a batch costs a handful of queries, however long it is.

    Raises
    ------
    Invalid
        If a report names no time zone or a negative duration; nothing is written then.
    """
    by_call = gather(events)
    existing = _existing(session, by_call)
    candidates = {d: phone.parse(d, region).e164 for g in by_call.values() for e in g for d in e.dialled}
    # Also what the calls already known were made to: not every report names the number dialled.
    dialled = {e164 for e164 in candidates.values() if e164} | {call.dialled for call in existing.values()}
    stock = numbers.inventory(session, dialled)
    own = {number: numbers.Ours(row.id, row.main_line) for number, (row, _) in stock.items()}
    people = contacts.recognise(
        session,
        {
            (PointKind.phone, e164)
            for key, group in by_call.items()
            if key not in existing
            for event in group
            if (e164 := phone.parse(event.caller, region).e164)
        },
    )
    recorded = []
    for key, group in by_call.items():
        call = existing.get(key)
        effect = ImportOutcome.unchanged
        if call is None:
            call = _open(session, group, own, people, region)
            effect = ImportOutcome.created
        aimed = [_aim(call, event, own, region) for event in group]
        changed = aimed + [advance(call, event) for event in group]
        if effect is ImportOutcome.unchanged and any(changed):
            effect = ImportOutcome.updated
        if effect is not ImportOutcome.unchanged:
            _credit(call, stock)
        recorded.append(Recorded(call, effect))
    session.flush()
    touched = [one.call for one in recorded if one.effect is not ImportOutcome.unchanged]
    pooled = [call.id for call in touched if call.dialled in stock and stock[call.dialled][0].pool]
    if pooled:
        holders.credit(session, pooled)
    return recorded


def judge(
    session: Session,
    call: Call,
    *,
    lead_status: LeadStatus | None = None,
    value_minor: int | None = None,
    currency: str | None = None,
    note: str | None = None,
    tags: Sequence[str] | None = None,
    spam: bool | None = None,
    clear: Collection[str] = (),
) -> Call:
    """Write down a sales rep's judgement of a call; None leaves a field as it is.

    ``clear`` names what is taken back: "lead_status", "value", or both.
    """
    if (value_minor is None) != (currency is None):
        raise Invalid("value_minor", "enter both amount and currency, or neither")
    if value_minor is not None and value_minor < 0:
        raise Invalid("value_minor", "must be 0 or more, not %(value)s", value=value_minor)
    if spam is False and call.provider == PRACTICE:
        raise Conflict(
            "call %(number)s is a practice call, which never counts; remove it instead", number=call.id
        )
    given = {
        "lead_status": lead_status,
        "value_minor": value_minor,
        "currency": currency,
        "note": note,
        "tags": None if tags is None else sorted(set(tags)),
        "spam": spam,
    }
    for name, value in given.items():
        if value is not None:
            setattr(call, name, value)
    if "lead_status" in clear:
        call.lead_status = None
    if "value" in clear:
        call.value_minor = call.currency = None
    session.flush()
    return call


def unlogged(*, since: datetime) -> Select[Call]:
    """Return the query for calls since a moment that somebody took and nobody logged, the latest first."""
    return (
        select(Call)
        .where(
            Call.started_at >= since,
            # Said by what it is not, so that the calls are walked by moment and no other index is taken.
            Call.status.not_in((CallStatus.missed, CallStatus.voicemail)),
            Call.spam.is_(False),
            ~exists().where(Answer.call_id == Call.id),
        )
        .order_by(Call.started_at.desc(), Call.id.desc())
    )


def to_call_back(*, since: datetime) -> Select[Call]:
    """Return the query for calls missed since a moment and not made good, the latest first.

    Made good is what somebody has logged since, and a caller whom somebody has talked to later.
    """
    later = aliased(Call)
    return (
        select(Call)
        .where(
            Call.started_at >= since,
            Call.status.not_in((CallStatus.ringing, CallStatus.answered, CallStatus.completed)),
            Call.spam.is_(False),
            ~exists().where(Answer.call_id == Call.id),
            ~exists().where(
                later.contact_id == Call.contact_id,
                later.started_at > Call.started_at,
                later.status.in_((CallStatus.answered, CallStatus.completed)),
            ),
        )
        .order_by(Call.started_at.desc(), Call.id.desc())
    )


def spoke_with(session: Session, call: Call, person: Contact) -> None:
    """Say which of a company's people called: several of them may share its number.

    Raises
    ------
    Invalid
        If the person belongs to another company than the caller.
    """
    if contacts.account_of(session, person) is not contacts.account_of(session, call.contact):
        raise Invalid(
            "contact",
            "contact %(number)s belongs to another company; merge the companies first",
            number=person.id,
        )
    call.contact = person
    call.touch.contact = person
    for answer in call.answers:
        answer.contact = person
    session.flush()


def _check(event: CallEvent) -> None:
    if event.started_at.tzinfo is None:
        raise Invalid(
            "started_at",
            "%(started_at)s has no time zone; add an offset such as +01:00",
            started_at=event.started_at.isoformat(),
        )
    for name, value in (("duration_s", event.duration_s), ("talk_s", event.talk_s)):
        if value is not None and value < 0:
            raise Invalid(
                name, "must be 0 or more seconds, not %(value)s; fix it in the source system", value=value
            )
    if not 0 < len(event.provider_call_id) <= 200:
        raise Invalid("provider_call_id", "enter an ID of 1 to 200 characters")


def gather(events: Iterable[CallEvent]) -> dict[tuple[str, str], list[CallEvent]]:
    """Put the reports about each call together, in the order they came."""
    by_call: dict[tuple[str, str], list[CallEvent]] = {}
    for event in events:
        _check(event)
        by_call.setdefault((event.provider, event.provider_call_id), []).append(event)
    return dict(sorted(by_call.items()))


class Opening(NamedTuple):
    """What the reports about a new call say of it for good: which it is, who rang which number."""

    provider: str
    provider_call_id: str
    dialled: str
    tracking_number_id: int | None
    caller: str | None
    caller_hash: str | None
    caller_state: NumberState
    started_at: datetime


def opening(group: Sequence[CallEvent], own: Mapping[str, numbers.Ours], region: str) -> Opening:
    """Return what the reports about a new call say of it for good; ``own`` has our numbers.

    The earliest report counts that names a number of ours; for the caller, the earliest that names one.
    """

    def rank(event: CallEvent) -> tuple[int, datetime]:
        return _rank_of(_ours(event, own, region), own), event.started_at

    event = told = group[0]
    if len(group) > 1:
        event = min(group, key=rank)
        named = [e for e in group if phone.parse(e.caller, region).e164]
        told = min(named, key=lambda e: e.started_at) if named else event
    caller = phone.parse(told.caller, region)
    ours = _ours(event, own, region)
    dialled = ours
    if dialled is None:
        e164s = (phone.parse(d, region).e164 for d in event.dialled)
        dialled = next(filter(None, e164s), None) or next(filter(None, event.dialled), "")[:80]
    return Opening(
        event.provider,
        event.provider_call_id,
        dialled,
        own[ours].id if ours else None,
        caller.e164 or (told.caller if caller.state is NumberState.malformed else None),
        vault.lookup_hash(PointKind.phone, caller.e164) if caller.e164 else None,
        caller.state,
        event.started_at,
    )


def _ours(event: CallEvent, own: Mapping[str, numbers.Ours], region: str) -> str | None:
    """Return the first tracking number among those that were dialled, else the main line."""
    main = None
    for dialled in event.dialled:
        if (e164 := phone.parse(dialled, region).e164) and (known := own.get(e164)) is not None:
            if not known.main_line:
                return e164
            main = main or e164
    return main


def _rank_of(ours: str | None, own: Mapping[str, numbers.Ours]) -> int:
    """Rank what a number says of a call: a tracking number most, then the main line, least none of ours."""
    return 2 if ours is None else int(own[ours].main_line)


def _aim(call: Call, event: CallEvent, own: Mapping[str, numbers.Ours], region: str) -> bool:
    """Take over the number of ours that a report names, where none before it or a later leg named one."""
    ours = _ours(event, own, region)
    if ours is None or ours == call.dialled:
        return False
    known = _rank_of(call.dialled if call.tracking_number_id is not None else None, own)
    told = _rank_of(ours, own)
    if told > known or (told == known and event.started_at >= call.started_at):
        return False
    call.dialled, call.tracking_number_id = ours, own[ours].id
    return True


def _existing(session: Session, by_call: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Call]:
    found: dict[tuple[str, str], Call] = {}
    for provider, keys in groupby(sorted(by_call), key=lambda key: key[0]):
        ids = [call_id for _, call_id in keys]
        rows = session.scalars(select(Call).where(Call.provider == provider, Call.provider_call_id.in_(ids)))
        found |= {(row.provider, row.provider_call_id): row for row in rows}
    return found


def _open(
    session: Session,
    group: Sequence[CallEvent],
    own: Mapping[str, numbers.Ours],
    people: dict[contacts.Point, Contact],
    region: str,
) -> Call:
    first = opening(group, own, region)
    known = first.caller_hash is not None
    point = (PointKind.phone, first.caller or "")
    contact = people.get(point) if known else None
    if contact is None:
        # Withheld and malformed numbers are nobody in particular: each such caller stays a person apart.
        name = next((event.caller_name for event in group if event.caller_name), None)
        contact = contacts.introduce(session, [point] if known else [], at=first.started_at, name=name)
        if known:
            people[point] = contact
    call = Call(**first._asdict(), contact=contact, status=CallStatus.ringing, note="", tags=[])
    call.touch = Touch(contact=contact, kind=TouchKind.call, occurred_at=call.started_at)
    session.add(call)
    return call


def advance(call: Call, event: CallEvent) -> bool:
    """Let a report move a call forward; tell whether it changed anything."""
    before = _state(call)
    _move(call, event)
    return _state(call) != before


def drafted(started_at: datetime, group: Sequence[CallEvent]) -> Draft:
    """Return how far the reports about a new call move it."""
    draft = Draft(started_at)
    for event in group:
        _move(draft, event)
    return draft


def _move(call: Call | Draft, event: CallEvent) -> None:
    if event.started_at < call.started_at:
        call.started_at = event.started_at
    call.answered_at = _least(call.answered_at, event.answered_at)
    call.ended_at = _most(call.ended_at, event.ended_at)
    call.duration_s = _most(call.duration_s, event.duration_s)
    call.talk_s = _most(call.talk_s, event.talk_s)
    reached = call.status
    if event.status is not None and _RANK[event.status] > _RANK[reached]:
        reached = event.status
    if call.ended_at is not None:
        # Over, and nothing yet proves that anybody picked up; a later report may.
        if reached is CallStatus.ringing:
            reached = CallStatus.missed
        elif reached is CallStatus.answered:
            reached = CallStatus.completed
    call.status = reached
    call.caller_name = call.caller_name or event.caller_name
    call.lead_status = call.lead_status or event.lead_status
    call.note = call.note or event.note
    if not call.tags:
        call.tags = sorted(set(event.tags)) if event.tags else []
    if call.value_minor is None and event.value_minor is not None:
        call.value_minor, call.currency = event.value_minor, event.currency


def _least(one: _Measure | None, other: _Measure | None) -> _Measure | None:
    return other if one is None else one if other is None else min(one, other)


def _most(one: _Measure | None, other: _Measure | None) -> _Measure | None:
    return other if one is None else one if other is None else max(one, other)


def _state(call: Call) -> tuple[object, ...]:
    return (
        call.started_at,
        call.answered_at,
        call.ended_at,
        call.duration_s,
        call.talk_s,
        call.status,
        call.caller_name,
        call.lead_status,
        call.note,
        call.value_minor,
        call.tags,
    )


def _credit(call: Call, stock: Inventory) -> None:
    history = stock[call.dialled][1] if call.dialled in stock else []
    held = numbers.holder(history, call.started_at)
    call.assignment = held
    call.touch.occurred_at = call.started_at
    call.touch.campaign_id = held.ad_material.campaign_id if held else None
    call.touch.ad_material_id = held.ad_material_id if held else None
