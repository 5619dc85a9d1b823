"""Reports about calls from a file: the legs of one conversation put together, an outcome for each row."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking.imports.outcomes import KNOWN, Skip
from tracking.records.import_outcome import ImportOutcome
from tracking.storage import phone, rows, vault
from tracking.storage.models import Call
from tracking.storage.vocabulary import CallStatus, PointKind
from tracking.telephony import bulk
from tracking.telephony.bulk import Filed
from tracking.telephony.calls import CallEvent

ANOTHER_LEG = Skip("another leg of the same call")
_TOGETHER = timedelta(seconds=2)
"""Legs of one call begin at most so far apart, where nothing else joins them."""


@dataclass(slots=True)
class _Talk:
    """A conversation as far as it is known: its id, when it was, and the number dialled."""

    call_id: str
    start: datetime
    end: datetime
    ours: bool
    dialled: str
    stored: bool
    missed: bool


def record_rows(
    session: Session, events: Sequence[CallEvent], region: str
) -> list[tuple[ImportOutcome | Skip, Filed]]:
    """Record calls; of several rows of one call, the first gets the outcome."""
    filed = bulk.record(session, _summed(events), region=region)
    seen: set[tuple[str, str]] = set()
    outcomes: list[tuple[ImportOutcome | Skip, Filed]] = []
    for event in events:
        key = (event.provider, event.provider_call_id)
        done = filed[key]
        if done.effect is ImportOutcome.unchanged:
            outcomes.append((KNOWN, done))
        else:
            outcomes.append((ANOTHER_LEG if key in seen else done.effect, done))
        seen.add(key)
    return outcomes


def join(session: Session, events: Sequence[CallEvent], region: str, own: set[str]) -> list[CallEvent]:
    """Give the legs of one conversation one id where their system does not, whichever came first.

    A leg to a number that is none of ours belongs to the caller's call to a number of ours during which it
    begins. Of records without an id, those of one caller to one number within two seconds are one.
    """
    by_caller: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at, event in enumerate(events):
        if e164 := phone.parse(event.caller, region).e164:
            by_caller[event.provider, e164].append(at)
    talks = _stored(session, {e164 for _, e164 in by_caller}, events) if by_caller else {}
    joined = list(events)
    for key, group in by_caller.items():
        known = talks.get(key, [])
        if len(group) == 1 and not known:
            continue
        # Those to a number of ours first: the others look for the one that they belong to.
        # Of those, records with an id first: it is the call's.
        for at in sorted(group, key=lambda at: _rank(events[at], region, own)):
            call_id = _placed(session, events[at], known, region, own)
            if call_id != events[at].provider_call_id:
                joined[at] = replace(events[at], provider_call_id=call_id)
    return joined


def _rank(event: CallEvent, region: str, own: set[str]) -> tuple[bool, bool, datetime]:
    return not _ours(event, region, own), _is_nameless(event.provider_call_id), event.started_at


def absorb(session: Session, events: Sequence[CallEvent], second: Mapping[str, str]) -> None:
    """Let calls that are stored and turn out to be second legs be the calls of their first ones."""
    wanted = {event.provider_call_id: event.provider for event in events}
    pairs = {leg: first for leg, first in second.items() if first in wanted}
    stored = session.execute(
        select(Call.provider, Call.provider_call_id).where(
            Call.provider_call_id.in_([*pairs, *pairs.values()]), Call.provider.in_(set(wanted.values()))
        )
    ).all()
    for provider, leg in stored:
        if leg in pairs and (provider, pairs[leg]) not in stored:
            _rename(session, provider, leg, pairs[leg])


def _placed(session: Session, event: CallEvent, known: list[_Talk], region: str, own: set[str]) -> str:
    end = event.ended_at or event.started_at + timedelta(seconds=event.duration_s or 0)
    dialled = next((e164 for d in event.dialled if (e164 := phone.parse(d, region).e164)), "")
    this = _Talk(
        event.provider_call_id,
        event.started_at,
        end,
        _ours(event, region, own),
        dialled,
        False,
        event.status is CallStatus.missed,
    )
    host = next((talk for talk in known if talk.call_id == this.call_id), None)
    host = host or next((talk for talk in known if _one(this, talk)), None)
    if host is None:
        known.append(this)
        return this.call_id
    named = _is_nameless(host.call_id) and not _is_nameless(this.call_id)
    if this.ours and (named or not host.ours) and host.call_id != this.call_id:
        # What was taken for a call of its own is a leg of this one.
        if host.stored:
            _rename(session, event.provider, host.call_id, this.call_id)
        host.call_id = this.call_id
    host.ours, host.end = host.ours or this.ours, max(host.end, this.end)
    host.start, host.missed = min(host.start, this.start), host.missed and this.missed
    return host.call_id


def _rename(session: Session, provider: str, before: str, after: str) -> None:
    # By the row, so that what changed is on record if the import is undone.
    named = select(Call).where(Call.provider == provider, Call.provider_call_id == before)
    if (call := session.scalar(named)) is not None:
        call.provider_call_id = after
        session.flush()


def _one(a: _Talk, b: _Talk) -> bool:
    if a.ours == b.ours and a.dialled and b.dialled:
        # Two calls, unless a record has no id and the numbers are the same.
        if a.dialled != b.dialled or not (_is_nameless(a.call_id) or _is_nameless(b.call_id)):
            return False
        first, later = sorted((a, b), key=lambda talk: talk.start)
        # Nobody calls a number that is ringing for him already.
        return later.start - first.start <= _TOGETHER or (first.missed and later.start <= first.end)
    if abs(a.start - b.start) <= _TOGETHER:
        return True
    inner, outer = (b, a) if a.ours or (a.dialled and not b.ours) else (a, b)
    return outer.start <= inner.start <= outer.end + (timedelta() if inner.dialled else _TOGETHER)


def _is_nameless(call_id: str) -> bool:
    return call_id.startswith("row-")


def _ours(event: CallEvent, region: str, own: set[str]) -> bool:
    return any(phone.parse(d, region).e164 in own for d in event.dialled)


def _stored(
    session: Session, callers: Collection[str], events: Sequence[CallEvent]
) -> dict[tuple[str, str], list[_Talk]]:
    hashes = {h: e164 for e164 in callers for h in vault.lookup_hashes(PointKind.phone, e164)}
    moments = [event.started_at for event in events]
    query = select(
        Call.provider,
        Call.provider_call_id,
        Call.caller_hash,
        Call.started_at,
        Call.ended_at,
        Call.duration_s,
        Call.tracking_number_id,
        Call.dialled,
        Call.status,
    ).where(
        rows.among(session, Call.caller_hash, hashes),
        Call.started_at.between(min(moments) - timedelta(hours=12), max(moments) + timedelta(hours=12)),
    )
    found: dict[tuple[str, str], list[_Talk]] = defaultdict(list)
    # Asked for here, the provider would have all of its calls read.
    for provider, call_id, value_hash, start, ended, duration, number, dialled, status in session.execute(
        query
    ):
        end = ended or start + timedelta(seconds=duration or 0)
        talk = _Talk(call_id, start, end, number is not None, dialled, True, status is CallStatus.missed)
        found[provider, hashes[str(value_hash)]].append(talk)
    return found


def _summed(events: Sequence[CallEvent]) -> list[CallEvent]:
    """Add up the talk of those who took a call one after another; of those at once, the longest counts."""
    by_call: dict[tuple[str, str], list[CallEvent]] = defaultdict(list)
    for event in events:
        if event.status is CallStatus.completed and event.answered_at and event.talk_s:
            by_call[event.provider, event.provider_call_id].append(event)
    whole: dict[CallEvent, CallEvent] = {}
    for legs in by_call.values():
        if len(legs) == 1:
            continue
        total, until = 0, None
        for leg in sorted(legs, key=lambda e: (e.answered_at or e.started_at, e.talk_s)):
            begin = leg.answered_at or leg.started_at
            end = begin + timedelta(seconds=leg.talk_s or 0)
            if until is None or end > until:
                total += int((end - max(begin, until or begin)).total_seconds())
                until = end
        longest = max(legs, key=lambda e: e.talk_s or 0)
        if total > (longest.talk_s or 0):
            first = min(leg.started_at for leg in legs)
            lasted = max(int((until - first).total_seconds()) if until else 0, longest.duration_s or 0)
            whole[longest] = replace(longest, talk_s=total, duration_s=lasted)
    return [whole.get(event, event) for event in events] if whole else list(events)
