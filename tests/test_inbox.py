"""The inbox: told twice, late, shuffled or again, a call is one call with one touch."""

import itertools
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask, request
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, inspect, select

from tests.cast import BOREALIS, BOREALIS_BUYER, CATALOGUE_NUMBER, FAIR_NUMBER, moment
from tests.twilio_requests import (
    OWN,
    Form,
    destination,
    dial_ended,
    incoming,
    progress,
    sid,
    signature,
    with_twilio,
)
from tracking.records import campaigns
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Call, ContactPoint, InboxEvent, Touch
from tracking.storage.vocabulary import CallStatus, Medium
from tracking.telephony import numbers
from tracking.telephony.calls import CallEvent
from tracking.telephony.inbox import Arrival, Backlog, Inbox, store
from tracking.telephony.providers import interpreters, twilio
from tracking.telephony.routing import Routing
from tracking.telephony.spool import Spool

NINE = moment("2026-03-02 09:00")
NEXT_YEAR = moment("2027-03-02 09:00")
calls_made = itertools.count(1)


@pytest.fixture
def acme(settings: Settings, engine: Engine) -> Settings:
    """Acme Pumps, whose catalogue of 2026 carries a number, with a Twilio account."""
    with db.transaction(engine) as session:
        number = numbers.add(session, CATALOGUE_NUMBER, at=NINE, provider="twilio")
        catalogue = campaigns.add(session, "Catalogue 2026", "catalogue", at=NINE)
        piece = campaigns.add_material(session, catalogue, "Spring", at=NINE, medium=Medium.print)
        numbers.assign(session, number, piece, starts_at=moment("2026-01-01"))
    return with_twilio(settings)


@pytest.fixture
def inbox(acme: Settings, engine: Engine, patient: None) -> Inbox:
    """The inbox of a process."""
    return Inbox(engine, acme, Routing(acme), interpreters(), lambda: NEXT_YEAR)


def arrival(settings: Settings, endpoint: str, form: Form, at: datetime) -> Arrival:
    """What a genuine request of Twilio's, received at a moment, becomes."""
    headers = {"X-Twilio-Signature": signature(form, endpoint=endpoint)}
    path = f"/providers/twilio/{endpoint}"
    with Flask("tests").test_request_context(path, method="POST", data=form, headers=headers):
        return twilio.receive(request, settings.base_url, OWN, endpoint, at)


def story(settings: Settings, call: str, *, answered: bool, caller: str = BOREALIS) -> list[Arrival]:
    """All that Twilio tells of one call, in its order."""
    end = "completed" if answered else "no-answer"
    talk = 60 if answered else None

    def later(seconds: int) -> datetime:
        return NINE + timedelta(seconds=seconds)

    told = [
        ("voice", incoming(call, caller=caller), 0),
        ("status", destination(call, "initiated", later(1), 0), 1),
        ("status", destination(call, "ringing", later(2), 1), 2),
        *([("status", destination(call, "in-progress", later(12), 2), 12)] if answered else []),
        ("status", destination(call, end, later(72), 3, talk), 73),
        ("dial", dial_ended(call, end, talk, caller=caller), 73),
        ("status", progress(call, "completed", later(73), 0, 61, caller=caller), 74),
    ]
    return [arrival(settings, endpoint, form, later(seconds)) for endpoint, form, seconds in told]


NOT_COMPARED = {"id", "provider_call_id", "contact_id", "call_id"}


def columns(row: Call | Touch) -> dict[str, object]:
    names = inspect(type(row)).column_attrs.keys()
    return {name: getattr(row, name) for name in names if name not in NOT_COMPARED}


def outcome(engine: Engine, call_id: str) -> tuple[dict[str, object], dict[str, object]]:
    """A call and its one touch as they stand."""
    with db.reading(engine) as session:
        call = session.scalars(select(Call).where(Call.provider_call_id == call_id)).one()
        touch = session.scalars(select(Touch).where(Touch.call_id == call.id)).one()
        assert touch.contact_id == call.contact_id
        return columns(call), columns(touch)


# --- Any order, any number of times ----------------------------------------------------------------------


@pytest.mark.parametrize("answered", [True, False])
def test_told_in_order_a_call_is_what_it_was(
    acme: Settings, engine: Engine, inbox: Inbox, answered: bool
) -> None:
    for report in story(acme, sid(1), answered=answered):
        assert inbox.take(report)
    call, touch = outcome(engine, sid(1))
    assert call["status"] == (CallStatus.completed if answered else CallStatus.missed)
    assert call["talk_s"] == (60 if answered else None)
    assert call["answered_at"] == (NINE + timedelta(seconds=12) if answered else None)
    assert (call["started_at"], call["ended_at"]) == (NINE, NINE + timedelta(seconds=73))
    assert touch["occurred_at"] == NINE
    assert touch["campaign_id"] is not None
    assert inbox.backlog() == Backlog(failed=0, waiting=0, spooled=0, unreadable=0)


@hypothesis_settings(
    max_examples=30,
    derandomize=True,
    # Each example is a conversation with a database: shrinking one takes minutes and says little more.
    phases=[Phase.explicit, Phase.generate],
)
@given(st.data())
def test_reports_in_any_order_and_number_make_the_same_call(
    acme: Settings, engine: Engine, inbox: Inbox, data: st.DataObject
) -> None:
    answered = data.draw(st.booleans(), label="answered")
    caller = data.draw(st.sampled_from([BOREALIS, BOREALIS_BUYER, "anonymous", "12"]), label="caller")
    expected, shuffled = sid(next(calls_made)), sid(next(calls_made))
    for report in story(acme, expected, answered=answered, caller=caller):
        inbox.take(report)
    told = story(acme, shuffled, answered=answered, caller=caller)
    again = data.draw(st.lists(st.sampled_from(range(len(told))), max_size=6), label="told again")
    late = [
        replace(told[i], received_at=told[i].received_at + timedelta(days=n)) for n, i in enumerate(again, 1)
    ]
    replays = data.draw(
        st.dictionaries(st.integers(0, len(told)), st.booleans(), max_size=2), label="replays"
    )
    for number, report in enumerate(data.draw(st.permutations(told + late), label="order")):
        inbox.take(report)
        if number in replays:
            inbox.replay(everything=replays[number])
    assert outcome(engine, shuffled) == outcome(engine, expected)
    assert inbox.backlog() == Backlog(failed=0, waiting=0, spooled=0, unreadable=0)
    with db.reading(engine) as session:
        points = session.scalars(select(ContactPoint.value)).all()
        assert len(points) == len(set(points)), "one contact a number"


def test_the_same_reports_from_many_threads_and_two_processes_count_once(
    acme: Settings, engine: Engine
) -> None:
    processes = [Inbox(engine, acme, Routing(acme), interpreters(), lambda: NEXT_YEAR) for _ in range(2)]
    told = [report for n in range(6) for report in story(acme, sid(n), answered=n % 2 == 0)]
    work = [(process, report) for report in told for process in processes * 2]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda item: item[0].take(item[1]), work))
    # Two processes that insert one caller at once may send one to the spool; it is caught up.
    for process in processes:
        process.drain()
        process.replay()
    for n in range(6):
        call, _ = outcome(engine, sid(n))
        assert call["status"] == (CallStatus.completed if n % 2 == 0 else CallStatus.missed)
    with db.reading(engine) as session:
        assert len(session.scalars(select(Call)).all()) == 6
        assert len(session.scalars(select(Touch)).all()) == 6
        assert len(session.scalars(select(ContactPoint)).all()) == 1
        assert len(session.scalars(select(InboxEvent)).all()) == len(told)


def test_an_event_that_comes_as_the_clerk_ends_waits_for_no_other(
    acme: Settings, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *_ = story(acme, sid(next(calls_made)), answered=True)
    wait, kept = inbox._state.wait, Future[None]()
    late = [(second, kept)]

    def ends(timeout: float | None = None) -> bool:
        if not late:
            return wait(timeout)
        inbox._queue.append(late.pop())
        return False

    monkeypatch.setattr(inbox._state, "wait", ends)
    assert inbox.take(first)
    kept.result(5)


def test_a_report_of_last_year_told_again_does_nothing(acme: Settings, engine: Engine, inbox: Inbox) -> None:
    told = story(acme, sid(1), answered=True)
    for report in told:
        inbox.take(report)
    before = outcome(engine, sid(1))
    for report in told:
        assert inbox.take(replace(report, received_at=NEXT_YEAR))
    assert outcome(engine, sid(1)) == before


def test_a_late_report_counts_for_the_day_of_the_call(acme: Settings, engine: Engine, inbox: Inbox) -> None:
    on_time = story(acme, sid(1), answered=True)
    late = [
        replace(r, received_at=NEXT_YEAR) if r.report.startswith("status") else r
        for r in story(acme, sid(2), answered=True)
    ]
    for report in on_time + late:
        inbox.take(report)
    assert outcome(engine, sid(2)) == outcome(engine, sid(1))


def test_the_destinations_leg_alone_waits_for_the_callers(
    acme: Settings, engine: Engine, inbox: Inbox
) -> None:
    voice, *rest = story(acme, sid(1), answered=True)
    picked_up = rest[2]
    inbox.take(picked_up)
    assert inbox.backlog().waiting == 1
    with db.reading(engine) as session:
        assert session.scalars(select(Call)).all() == []
    inbox.take(voice)
    assert inbox.backlog().waiting == 0
    assert outcome(engine, sid(1))[0]["status"] is CallStatus.answered


def test_a_report_that_does_not_name_the_number_leaves_the_call_its_campaign(
    acme: Settings, engine: Engine, inbox: Inbox
) -> None:
    voice, *_, picked_up, ended, _, callers_leg = story(acme, sid(1), answered=True)
    for report in (voice, callers_leg, picked_up, ended):
        inbox.take(report)
    call, touch = outcome(engine, sid(1))
    assert call["status"] is CallStatus.completed
    assert call["assignment_id"] is not None
    assert touch["campaign_id"] is not None


def test_of_two_bodies_with_one_key_the_first_counts_and_the_other_is_counted(
    acme: Settings, engine: Engine, inbox: Inbox
) -> None:
    inbox.take(arrival(acme, "voice", incoming(sid(1)), NINE))
    inbox.take(arrival(acme, "voice", incoming(sid(1), to=FAIR_NUMBER), NINE))
    inbox.take(arrival(acme, "voice", incoming(sid(1)), NINE))
    assert outcome(engine, sid(1))[0]["dialled"] == CATALOGUE_NUMBER
    with db.reading(engine) as session:
        assert session.scalars(select(InboxEvent.conflicts)).all() == [1]


# --- Interpreting again ----------------------------------------------------------------------------------


def test_all_calls_can_be_made_again_from_what_was_kept(acme: Settings, engine: Engine, inbox: Inbox) -> None:
    for number in range(2):
        for report in story(acme, sid(number), answered=True):
            inbox.take(report)
    before = [outcome(engine, sid(number)) for number in range(2)]
    with db.transaction(engine) as session:
        session.execute(delete(Touch))
        session.execute(delete(Call))
    assert inbox.replay() == 0, "nothing is unprocessed"
    assert inbox.replay(everything=True) == 14
    assert [outcome(engine, sid(number)) for number in range(2)] == before


def test_what_cannot_be_interpreted_is_kept_with_the_reason_and_tried_again(
    acme: Settings, engine: Engine
) -> None:
    mended = False

    def interpret(body: str, received_at: datetime) -> CallEvent:
        if not mended and "completed" in body:
            raise KeyError(BOREALIS)
        return twilio.interpret(body, received_at)

    inbox = Inbox(engine, acme, Routing(acme), {"twilio": interpret}, lambda: NEXT_YEAR)
    for report in story(acme, sid(1), answered=True):
        assert inbox.take(report), "the sender is not to blame and need not repeat it"
    assert inbox.backlog().failed == 3
    assert inbox.replay() == 3
    with db.reading(engine) as session:
        failed = session.scalars(select(InboxEvent).where(InboxEvent.error.is_not(None))).all()
        assert {event.attempts for event in failed} == {2}
        assert all(event.error and event.error.startswith("KeyError at test_inbox.py:") for event in failed)
    mended = True
    assert inbox.replay() == 3
    assert inbox.backlog().failed == 0
    assert outcome(engine, sid(1))[0]["status"] is CallStatus.completed


def test_one_report_the_domain_refuses_does_not_hold_up_the_others(acme: Settings, engine: Engine) -> None:
    def interpret(body: str, received_at: datetime) -> CallEvent:
        event = twilio.interpret(body, received_at)
        return replace(event, talk_s=-1) if event.talk_s else event

    inbox = Inbox(engine, acme, Routing(acme), {"twilio": interpret}, lambda: NEXT_YEAR)
    told = story(acme, sid(1), answered=True)
    with db.transaction(engine) as session:
        session.add_all(store(session, told))
    assert inbox.replay() == len(told)
    with db.reading(engine) as session:
        errors = session.scalars(select(InboxEvent.error).where(InboxEvent.error.is_not(None))).all()
    assert errors == ["talk_s: must be 0 or more seconds, not -1; fix it in the source system"] * 2
    assert outcome(engine, sid(1))[0]["status"] is CallStatus.completed, "the caller's leg told the end"


def test_a_malformed_duration_is_named_and_echoes_nothing(
    acme: Settings, engine: Engine, inbox: Inbox
) -> None:
    inbox.take(
        arrival(acme, "status", progress(sid(1), "completed", NINE, 0) | {"CallDuration": BOREALIS}, NINE)
    )
    with db.reading(engine) as session:
        assert session.scalars(select(InboxEvent.error)).all() == [
            "CallDuration: is not a whole number of seconds"
        ]


# --- The spool -------------------------------------------------------------------------------------------


@dataclass
class Outage:
    """Events laid into the spool as if the database had been away."""

    inbox: Inbox
    folder: Path

    def lay(self, reports: list[Arrival]) -> None:
        for report in reports:
            self.inbox._put_aside(report)


@pytest.fixture
def outage(acme: Settings, engine: Engine) -> Outage:
    """An inbox whose own clerk does not empty the spool, so that the test can."""
    inbox = Inbox(engine, acme, Routing(acme), interpreters(), lambda: NEXT_YEAR)
    inbox.close()
    return Outage(inbox, acme.spool_dir)


def test_what_was_spooled_becomes_the_same_call(
    acme: Settings, engine: Engine, inbox: Inbox, outage: Outage
) -> None:
    for report in story(acme, sid(1), answered=True):
        inbox.take(report)
    outage.lay(story(acme, sid(2), answered=True)[::-1])
    assert outage.inbox.backlog().spooled == 7
    assert outage.inbox.drain() == 7
    assert outage.inbox.drain() == 0
    assert list(outage.folder.iterdir()) == []
    assert outcome(engine, sid(2)) == outcome(engine, sid(1))


def test_the_spool_shows_no_caller(acme: Settings, outage: Outage) -> None:
    outage.lay(story(acme, sid(1), answered=True))
    written = b"".join(path.name.encode() + path.read_bytes() for path in outage.folder.iterdir())
    for secret in (BOREALIS, BOREALIS.strip("+"), sid(1), CATALOGUE_NUMBER):
        assert secret.encode() not in written


def test_a_crash_between_taking_and_removing_takes_the_event_once(
    acme: Settings, engine: Engine, outage: Outage
) -> None:
    outage.lay(story(acme, sid(1), answered=True))
    files = {path: path.read_bytes() for path in outage.folder.iterdir()}
    outage.inbox.drain()
    before = outcome(engine, sid(1))
    for path, content in files.items():
        path.write_bytes(content)
    assert outage.inbox.drain() == 7
    assert outcome(engine, sid(1)) == before
    with db.reading(engine) as session:
        assert set(session.scalars(select(InboxEvent.conflicts))) == {0}


def test_a_half_written_file_is_not_an_event(acme: Settings, outage: Outage) -> None:
    outage.lay(story(acme, sid(1), answered=True)[:1])
    (whole,) = outage.folder.iterdir()
    whole.with_suffix("").write_bytes(whole.read_bytes()[:20])
    assert outage.inbox.drain() == 1
    assert outage.inbox.backlog().unreadable == 0


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 200])
def test_what_no_key_opens_is_kept_apart_and_holds_up_nothing(
    acme: Settings, outage: Outage, content: bytes
) -> None:
    outage.lay(story(acme, sid(1), answered=True)[:1])
    (outage.folder / "00000000000000000000-damaged.sealed").write_bytes(content)
    Spool(outage.folder).put("00000000000000000001", '{"from": "another version"}')
    assert outage.inbox.drain() == 1
    assert outage.inbox.backlog() == Backlog(failed=0, waiting=0, spooled=0, unreadable=2)


def test_an_event_that_lay_in_the_spool_keeps_the_moment_it_came(
    acme: Settings, engine: Engine, inbox: Inbox, outage: Outage
) -> None:
    voice = story(acme, sid(1), answered=True)[0]
    outage.lay([voice])
    inbox.take(replace(voice, received_at=NINE + timedelta(minutes=3)))
    outage.inbox.drain()
    assert outcome(engine, sid(1))[0]["started_at"] == NINE
    assert outcome(engine, sid(1))[1]["occurred_at"] == NINE
