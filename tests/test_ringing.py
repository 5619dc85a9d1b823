"""Whose desk a call rings at, who is at its form, and what a practice call leaves behind: nothing."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from tests.cast import moment
from tests.web.ringing import CATALOGUE, advertise
from tests.web.ringing import ring as rings
from tracking.access import users
from tracking.records import answers
from tracking.storage import db
from tracking.storage.models import Call
from tracking.storage.vocabulary import CallState, CallStatus, Outcome
from tracking.telephony import ringing
from tracking.telephony.ringing import Ring

NOW = moment("2026-03-02 10:00")
RITA, MIKAEL, ANNA = 1, 2, 3
CALL = Ring("1", "Borealis Foods", "Catalogue", CallStatus.ringing)


@pytest.fixture
def reps(engine: Engine) -> list[int]:
    """Two reps."""
    advertise(engine, NOW)
    with db.transaction(engine) as session:
        return [
            users.add(session, f"{name}@acme.example", name, "rep", at=NOW).id for name in ("Rita", "Ralf")
        ]


def on_the_line(
    engine: Engine, key: str, *, minutes: float = 0, status: CallStatus = CallStatus.ringing
) -> int:
    return rings(engine, key, NOW - timedelta(minutes=minutes), status=status, talk_s=None)


@pytest.mark.parametrize(
    ("here", "busy", "rung"),
    [
        ({RITA: False, MIKAEL: False}, (), {RITA, MIKAEL}),
        ({RITA: False, MIKAEL: False}, (RITA,), {MIKAEL}),
        ({RITA: True, MIKAEL: False}, (), {MIKAEL}),
        ({RITA: True, MIKAEL: False, ANNA: False}, (ANNA,), {MIKAEL}),
        ({RITA: True, MIKAEL: False}, (MIKAEL,), {RITA, MIKAEL}),
        ({RITA: True}, (), {RITA}),
        ({}, (), set()),
    ],
)
def test_it_rings_at_those_who_are_free_and_at_all_where_nobody_is(
    here: dict[int, bool], busy: tuple[int, ...], rung: set[int]
) -> None:
    assert {user for user, mine in ringing.rung([CALL], here, busy).items() if mine} == rung


def test_a_practice_call_rings_at_who_asked_for_it_alone() -> None:
    mine = Ring("practice-1", "", "", CallStatus.ringing, RITA)
    assert ringing.rung([mine], {RITA: True, MIKAEL: False}, ()) == {RITA: [mine], MIKAEL: []}


def test_who_works_on_a_call_has_taken_it_until_it_ends_or_is_logged(engine: Engine, reps: list[int]) -> None:
    call_id = on_the_line(engine, "CA1")
    with db.transaction(engine) as session:
        call = session.get_one(Call, call_id)
        assert [ring.title for ring in ringing.untaken(session, at=NOW)] == ["Borealis Foods"]
        ringing.open_form(session, call, reps[0], at=NOW)
        assert ringing.untaken(session, at=NOW), "a form that came up by itself takes nothing"
        assert ringing.busy(session, at=NOW) == set()
        ringing.open_form(session, call, reps[0], at=NOW, takes=True)
        assert ringing.untaken(session, at=NOW) == []
        assert ringing.busy(session, at=NOW) == {reps[0]}
        ringing.close_form(session, call_id, reps[0], at=NOW)
        assert ringing.busy(session, at=NOW) == {reps[0]}, "on another page, still at the telephone"
        answers.log(session, Outcome.not_asked, asked_at=NOW, call=call)
        assert ringing.busy(session, at=NOW) == set()
    talking = on_the_line(engine, "CA2", status=CallStatus.answered)
    with db.transaction(engine) as session:
        ringing.open_form(session, session.get_one(Call, talking), reps[1], at=NOW, takes=True)
        assert ringing.busy(session, at=NOW) == {reps[1]}
        assert ringing.busy(session, at=NOW + ringing.LONGEST_CALL) == set()
    rings(engine, "CA2", NOW, status=CallStatus.completed)
    with db.reading(engine) as session:
        assert ringing.busy(session, at=NOW) == set()


def test_who_was_not_heard_of_for_15_seconds_is_no_longer_at_a_form(engine: Engine, reps: list[int]) -> None:
    call_id = on_the_line(engine, "CA1")
    with db.transaction(engine) as session:
        for rep in reps:
            ringing.open_form(session, session.get_one(Call, call_id), rep, at=NOW)
        ringing.keep_open(session, {(call_id, reps[0]), (999, reps[1])}, at=NOW + timedelta(seconds=10))
        for seconds, there in ((14, ["Ralf", "Rita"]), (15, ["Rita"]), (25, [])):
            found = ringing.forms_open(session, {call_id}, at=NOW + timedelta(seconds=seconds))
            assert [name for _, name in found[call_id]] == there
        ringing.close_form(session, call_id, reps[0], at=NOW + timedelta(seconds=10))
        assert ringing.forms_open(session, {call_id}, at=NOW + timedelta(seconds=11)) == {
            call_id: [(reps[1], "Ralf")]
        }


def test_every_state_is_the_same_asked_of_a_call_and_of_the_database(engine: Engine) -> None:
    advertise(engine, NOW)
    for status in CallStatus:
        for minutes in (0, 9.99, 10, 239, 240, 9999):
            on_the_line(engine, f"{status} {minutes}", minutes=minutes, status=status)
    with db.reading(engine) as session:
        told = {call.id: ringing.state(call, NOW) for call in session.scalars(select(Call))}
        for state in CallState:
            found = set(session.scalars(select(Call.id).where(ringing.in_state(state, NOW))))
            assert found == {call for call, one in told.items() if one is state}
        assert set(told.values()) == set(CallState)


def test_a_practice_call_is_no_call_and_goes_away(engine: Engine, session: Session, reps: list[int]) -> None:
    row = ringing.practise(session, reps[0], at=NOW)
    ring = ringing.untaken(session, at=NOW)[0]
    assert (ring.key, ring.dialled) == (f"practice-{row.id}", f"{CATALOGUE}: {CATALOGUE}, first")
    assert session.scalar(select(func.count(Call.id))) == 0
    later = NOW + ringing.LONGEST_RINGING
    assert ringing.untaken(session, at=later) == []
    ringing.clear_practice(session, before=later - ringing.LONGEST_RINGING)
    assert session.scalars(ringing.practice_calls(at=NOW)).all() == []
