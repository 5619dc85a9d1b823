"""Where did you hear about us?: every asking is a row, a correction too, and tracking stays what it was."""

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from tests.cast import BOREALIS, CATALOGUE_NUMBER, COBALT, moment
from tracking.errors import Invalid
from tracking.records import answers, campaigns, contacts
from tracking.storage import db
from tracking.storage.models import Answer, Call, Campaign
from tracking.storage.vocabulary import Medium, Outcome, PointKind
from tracking.telephony import calls, numbers
from tracking.telephony.calls import CallEvent

NOW = moment("2026-03-02 09:05")


def ring(session: Session, caller: str = COBALT, call_id: str = "CA1") -> Call:
    event = CallEvent(
        provider="twilio",
        provider_call_id=call_id,
        dialled=(CATALOGUE_NUMBER,),
        caller=caller,
        started_at=moment("2026-03-02 09:00"),
    )
    return calls.record(session, [event], region="SE")[0].call


def log(session: Session, outcome: Outcome = Outcome.answered, **said: Any) -> Answer:
    return answers.log(session, outcome, **{"asked_at": NOW, **said})


@pytest.fixture
def call(session: Session) -> Call:
    return ring(session)


def test_words_and_what_they_were_taken_to_mean_stand_side_by_side(session: Session, call: Call) -> None:
    fair = campaigns.add(session, "Fair 2026", "fair", at=NOW)
    row = log(session, call=call, verbatim="a colleague, at the fair", campaign=fair, asked_by="Eva")
    assert (row.verbatim, row.campaign, row.asked_by) == ("a colleague, at the fair", fair, "Eva")
    assert row.contact is call.contact
    assert call.answers == [row]


@pytest.mark.parametrize("outcome", [Outcome.not_asked, Outcome.declined, Outcome.unknown])
def test_not_asking_and_declining_are_worth_a_row_and_name_no_source(
    session: Session, call: Call, outcome: Outcome
) -> None:
    row = log(session, outcome, call=call)
    assert (row.outcome, row.verbatim, row.channel, row.campaign) == (outcome, None, None, None)
    with pytest.raises(Invalid, match=f"outcome: with {outcome}, leave campaign and channel empty"):
        log(session, outcome, call=call, channel="word of mouth")
    assert log(session, outcome, call=call, channel="  ").channel is None


def test_an_answer_needs_words_or_a_source_and_somebody_who_gave_it(session: Session, call: Call) -> None:
    for nothing in (None, "", " \n ", "\x00\u200b"):
        with pytest.raises(Invalid, match="verbatim: enter the caller's words"):
            log(session, call=call, verbatim=nothing)
    with pytest.raises(
        Invalid, match="call: enter the call, contact, company or deal that this answer belongs to"
    ):
        log(session, verbatim="a colleague")
    with pytest.raises(Invalid, match=r"asked_at: .* has no time zone"):
        log(session, call=call, verbatim="a colleague", asked_at=NOW.replace(tzinfo=None))


def test_somebody_may_be_asked_without_a_call(session: Session) -> None:
    person = contacts.introduce(session, [(PointKind.phone, BOREALIS)], at=NOW)
    first = log(session, contact=person, channel="  word  of mouth ")
    second = log(session, contact=person, channel="fair")
    assert (first.channel, first.call, second.corrects_id) == ("referral", None, None)


def test_a_second_entry_corrects_the_first_and_the_first_stays(session: Session, call: Call) -> None:
    ring(session, BOREALIS, "CA2")
    first = log(session, Outcome.not_asked, call=call)
    second = log(session, call=call, verbatim="a colleague")
    third = log(session, call=call, verbatim="a colleague at Borealis", channel="referral")
    assert [row.corrects_id for row in (first, second, third)] == [None, first.id, second.id]
    session.expire_all()
    assert [row.outcome for row in call.answers] == ["not_asked", "answered", "answered"]
    assert first.verbatim is None


def test_what_another_call_was_answered_is_not_corrected(session: Session, call: Call) -> None:
    other = ring(session, BOREALIS, "CA2")
    first = log(session, call=call, verbatim="a colleague")
    second = log(session, call=other, verbatim="your catalogue")
    assert log(session, call=call, verbatim="my colleague").corrects_id == first.id
    assert log(session, call=other, verbatim="the spring catalogue").corrects_id == second.id


def test_the_same_record_told_twice_is_one_answer(session: Session, call: Call) -> None:
    first = log(session, call=call, verbatim="a colleague", source_key="crm 17")
    assert log(session, call=call, verbatim="a colleague", source_key="crm 17") is first
    assert session.scalars(select(Answer)).all() == [first]


def test_an_answer_never_overwrites_what_was_tracked(session: Session) -> None:
    catalogue = campaigns.add(session, "Catalogue", "print", at=NOW)
    piece = campaigns.add_material(session, catalogue, "Spring", at=NOW, medium=Medium.print)
    number = numbers.add(session, CATALOGUE_NUMBER, at=NOW, provider="twilio")
    numbers.assign(session, number, piece, starts_at=moment("2026-01-01"))
    call = ring(session)
    before = [getattr(call.touch, c.name) for c in call.touch.__table__.columns]
    fair = campaigns.add(session, "Fair 2026", "fair", at=NOW)
    log(session, call=call, verbatim="at the fair", campaign=fair)
    session.expire_all()
    assert [getattr(call.touch, c.name) for c in call.touch.__table__.columns] == before
    assert call.touch.campaign is catalogue


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("  a colleague ", "a colleague"),
        ("Ma\u0308ssa", "Mässa"),
        ("a\x00b\x1b[31mc\x7f", "ab[31mc"),
        ("first\r\nsecond\rthird\tx", "first\nsecond\nthird\tx"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("half \ud83d a smile", "half  a smile"),
        ("\U0001f469\u200d\U0001f527 told me", "\U0001f469\u200d\U0001f527 told me"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("=HYPERLINK('x')", "=HYPERLINK('x')"),
        ("<b>fair</b>", "<b>fair</b>"),
    ],
)
def test_words_are_kept_as_said_without_what_cannot_be_seen(
    session: Session, call: Call, said: str, kept: str
) -> None:
    row = log(session, call=call, verbatim=said)
    session.expire_all()
    assert row.verbatim == kept


def test_words_have_a_longest_length_that_is_named(session: Session, call: Call) -> None:
    assert len(log(session, call=call, verbatim="ä" * 2000).verbatim or "") == 2000
    with pytest.raises(Invalid, match=r"verbatim: must be 2000 characters or fewer"):
        log(session, call=call, verbatim="x" * 2001)
    with pytest.raises(Invalid, match="channel: must be 200 characters or fewer"):
        log(session, call=call, channel="x" * 201)


@given(st.text(min_size=1, max_size=60))
@settings(max_examples=30)
def test_any_words_at_all_can_be_stored_and_read(session: Session, said: str) -> None:
    with session.begin_nested() as probe:
        row = log(session, call=ring(session), verbatim=said, channel="other")
        session.refresh(row)
        again = log(session, call=row.call, verbatim=row.verbatim, channel="other")
        assert again.verbatim == row.verbatim
        probe.rollback()


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_two_who_log_an_answer_at_once_correct_one_another_in_turn(engine: Engine) -> None:
    with db.transaction(engine) as session:
        call_id = ring(session).id
    written: list[tuple[int, int | None]] = []

    def write(words: str) -> None:
        with db.transaction(engine) as session:
            row = log(session, call=session.get_one(Call, call_id), verbatim=words)
            written.append((row.id, row.corrects_id))

    waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    thread = threading.Thread(target=write, args=("the catalogue",))
    with db.transaction(engine) as session, engine.connect() as watcher:
        first = log(session, call=session.get_one(Call, call_id), verbatim="a colleague")
        thread.start()
        for _ in range(100_000):
            if written or watcher.scalar(waits):
                break
            watcher.rollback()
        assert not written, "the second waits for the first"
    thread.join()
    assert [corrects for _, corrects in written] == [first.id]


def test_a_campaign_that_was_answered_is_a_campaign(session: Session, call: Call) -> None:
    row = log(session, call=call, campaign=campaigns.add(session, "Fair 2026", "fair", at=NOW))
    session.expire_all()
    assert isinstance(row.campaign, Campaign)
