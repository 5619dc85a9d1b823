"""Calls: reports may come twice, late and shuffled; what stands in the end is one Call and one Touch."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import Session

from tests.cast import ACME_DESK, BOREALIS, CATALOGUE_NUMBER, COBALT, moment
from tracking.errors import Invalid
from tracking.records import campaigns
from tracking.records.import_outcome import ImportOutcome
from tracking.storage import db
from tracking.storage.models import Account, Call, Contact, ContactPoint, Touch
from tracking.storage.phone import NumberState
from tracking.storage.vocabulary import CallStatus, LeadStatus, Medium
from tracking.telephony import calls, numbers
from tracking.telephony.calls import CallEvent

RING = CallEvent(
    provider="twilio",
    provider_call_id="CA1",
    dialled=(CATALOGUE_NUMBER,),
    caller=BOREALIS,
    started_at=moment("2026-03-02 09:00:00"),
    status=CallStatus.ringing,
)
ANSWER = replace(RING, status=CallStatus.answered, answered_at=moment("2026-03-02 09:00:08"))
TALK = replace(RING, status=CallStatus.answered, talk_s=240)
NOBODY = replace(RING, status=CallStatus.missed)
END = replace(RING, status=None, ended_at=moment("2026-03-02 09:04:08"), duration_s=248)


def told(session: Session, *events: CallEvent) -> Call:
    for event in events:
        calls.record(session, [event], region="SE")
    return session.scalars(select(Call)).one()


def test_a_call_is_followed_from_ringing_to_completed(session: Session) -> None:
    assert told(session, RING).status is CallStatus.ringing
    assert told(session, ANSWER).status is CallStatus.answered
    call = told(session, END)
    assert call.status is CallStatus.completed
    assert (call.duration_s, call.answered_at, call.ended_at) == (248, ANSWER.answered_at, END.ended_at)


def test_the_end_of_a_call_does_not_prove_that_anybody_answered(session: Session) -> None:
    assert told(session, RING, END).status is CallStatus.missed
    assert told(session, TALK).status is CallStatus.completed, "the proof may come last"


def test_a_missed_call_stays_missed_when_it_ends(session: Session) -> None:
    assert told(session, RING, NOBODY, END).status is CallStatus.missed


def test_a_second_desk_that_picks_up_outranks_the_first_that_did_not(session: Session) -> None:
    assert told(session, NOBODY, ANSWER, END).status is CallStatus.completed


def test_the_same_report_told_twice_counts_once(session: Session) -> None:
    first = calls.record(session, [RING], region="SE")[0]
    again = calls.record(session, [RING], region="SE")[0]
    more = calls.record(session, [END], region="SE")[0]
    assert (first.effect, again.effect, more.effect) == (
        ImportOutcome.created,
        ImportOutcome.unchanged,
        ImportOutcome.updated,
    )
    assert session.scalar(select(func.count(Call.id))) == 1
    assert session.scalar(select(func.count(Touch.id))) == 1


reports = st.lists(st.sampled_from([RING, ANSWER, TALK, NOBODY, END]), min_size=1, max_size=8)


@given(history=reports, cuts=st.lists(st.integers(1, 3), max_size=4), data=st.data())
@settings(max_examples=40)
def test_no_order_repetition_or_batching_of_reports_changes_what_stands(
    engine: Engine, history: list[CallEvent], cuts: list[int], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(history))
    extra = data.draw(st.lists(st.sampled_from(history), max_size=3))
    assert outcome(engine, [history]) == outcome(engine, batches([*shuffled, *extra], cuts))


def batches(events: list[CallEvent], cuts: list[int]) -> list[list[CallEvent]]:
    parts = []
    for cut in cuts:
        parts.append(events[:cut])
        events = events[cut:]
    return [*parts, events]


def outcome(engine: Engine, parts: list[list[CallEvent]]) -> list[tuple[Any, ...]]:
    """Tell the reports batch by batch to an empty database and return its call and touch, without ids."""
    with db.transaction(engine) as session:
        if session.scalar(select(func.count(numbers.TrackingNumber.id))) == 0:
            number = numbers.add(session, CATALOGUE_NUMBER, at=moment("2026-01-01"), provider="twilio")
            owner = campaigns.add(session, "Catalogue", "print", at=moment("2026-01-01"))
            piece = campaigns.add_material(
                session, owner, "Spring", at=moment("2026-01-01"), medium=Medium.print
            )
            numbers.assign(session, number, piece, starts_at=moment("2026-02-01"))
    for part in parts:
        with db.transaction(engine) as session:
            calls.record(session, part, region="SE")
    with db.transaction(engine) as session:
        ids = {"id", "contact_id", "caller", "call_id"}
        rows = [
            tuple(getattr(row, c.name) for c in row.__table__.columns if c.name not in ids)
            for kind in (Call, Touch)
            for row in session.scalars(select(kind))
        ]
        for kind in (Touch, Call, ContactPoint, Contact, Account):
            session.execute(delete(kind))
    assert len(rows) == 2, "one call, one touch"
    return rows


def test_a_report_that_tells_of_an_earlier_start_moves_the_touch(session: Session) -> None:
    late = replace(RING, started_at=moment("2026-03-02 09:00:05"))
    call = told(session, late, RING)
    assert call.started_at == RING.started_at
    assert call.touch.occurred_at == RING.started_at


def test_callers_are_recognised_by_their_number_however_it_is_written(session: Session) -> None:
    forms = [BOREALIS, "0044 20 7946 0001", "+44 (0)20 7946 0001", "tel:+442079460001"]
    for index, form in enumerate(forms):
        calls.record(session, [replace(RING, provider_call_id=f"CA{index}", caller=form)], region="SE")
    people = {call.contact_id for call in session.scalars(select(Call))}
    assert len(people) == 1


@pytest.mark.parametrize("caller", [None, "", "anonymous", "Restricted", "+266696687", "+86282452253"])
def test_withheld_callers_are_never_taken_for_one_another(session: Session, caller: str | None) -> None:
    events = [replace(RING, provider_call_id=f"CA{i}", caller=caller) for i in range(3)]
    recorded = calls.record(session, events, region="SE")
    assert len({r.call.contact_id for r in recorded}) == 3
    assert len({r.call.contact.account_id for r in recorded}) == 3
    assert {(r.call.caller_state, r.call.caller, r.call.caller_hash) for r in recorded} == {
        (NumberState.withheld, None, None)
    }


@pytest.mark.parametrize("caller", ["9007", "test", "00034688886392", "=+46701740605"])
def test_malformed_callers_are_kept_as_they_came_and_never_merged(session: Session, caller: str) -> None:
    events = [replace(RING, provider_call_id=f"CA{i}", caller=caller) for i in range(2)]
    recorded = calls.record(session, events, region="SE")
    assert len({r.call.contact_id for r in recorded}) == 2
    assert {(r.call.caller_state, r.call.caller) for r in recorded} == {(NumberState.malformed, caller)}


def test_of_several_numbers_an_exchange_shows_ours_is_the_one_dialled(session: Session) -> None:
    numbers.add(session, CATALOGUE_NUMBER, at=moment("2026-01-01"), provider="cdr")
    call = told(session, replace(RING, dialled=("", ACME_DESK, CATALOGUE_NUMBER)))
    assert call.dialled == CATALOGUE_NUMBER
    assert call.tracking_number is not None


def test_what_another_system_noted_fills_what_is_empty_and_overwrites_nothing(session: Session) -> None:
    noted = replace(RING, lead_status=LeadStatus.good_lead, note="pumps for a dairy", tags=("pump",))
    call = told(session, noted)
    calls.judge(session, call, note="called back", tags=["dairy"])
    told(session, replace(noted, note="something else", value_minor=5000, currency="EUR"))
    assert (call.lead_status, call.note, call.tags) == (
        LeadStatus.good_lead,
        "called back",
        ["dairy"],
    )
    assert (call.value_minor, call.currency) == (5000, "EUR")


def test_spam_is_marked_and_kept(session: Session) -> None:
    call = told(session, RING)
    calls.judge(session, call, spam=True)
    assert session.scalars(select(Call)).one().spam


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (replace(RING, started_at=RING.started_at.replace(tzinfo=None)), "started_at: .* has no time zone"),
        (replace(RING, duration_s=-1), "duration_s: must be 0 or more seconds"),
        (replace(RING, provider_call_id=""), "provider_call_id: enter an ID of 1 to 200"),
    ],
)
def test_a_report_that_cannot_be_is_refused_and_nothing_of_its_batch_is_written(
    session: Session, event: CallEvent, reason: str
) -> None:
    with pytest.raises(Invalid, match=reason):
        calls.record(session, [replace(RING, caller=COBALT, provider_call_id="CA0"), event], region="SE")
    assert session.scalars(select(Call)).all() == []


def test_the_value_of_a_call_needs_its_currency(session: Session) -> None:
    call = told(session, RING)
    with pytest.raises(Invalid, match="enter both amount and currency"):
        calls.judge(session, call, value_minor=100)
    with pytest.raises(Invalid, match="must be 0 or more"):
        calls.judge(session, call, value_minor=-100, currency="EUR")
