"""Call detail records: every exchange's file, told apart by its content, gives the same calls."""

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from tests.cast import BOREALIS, CATALOGUE_NUMBER, FAIR_NUMBER, moment
from tests.imports import DATA, LOCAL, ON_SQLITE, advertise, import_calls, table
from tracking.errors import Invalid
from tracking.imports.cdr import CallRecords
from tracking.storage import db
from tracking.storage.models import Account, Call, Touch
from tracking.storage.vocabulary import CallStatus

CDR = DATA / "cdr"
# file, the format's name, its provider, and whether it shows that the third call reached voice mail
FORMATS = [
    ("asterisk_16.csv", "Asterisk cdr_csv", "asterisk", True),
    ("asterisk_17_uniqueid.csv", "Asterisk cdr_csv", "asterisk", True),
    ("asterisk_18.csv", "Asterisk cdr_csv", "asterisk", True),
    ("asterisk_20.csv", "Asterisk cdr_csv", "asterisk", True),
    ("asterisk_21.csv", "Asterisk cdr_csv", "asterisk", True),
    ("asterisk_custom_18.csv", "Asterisk cdr_custom", "asterisk", True),
    ("asterisk_custom_19.csv", "Asterisk cdr_custom", "asterisk", True),
    ("freepbx.csv", "FreePBX", "asterisk", True),
    ("freeswitch_example_15.csv", "FreeSWITCH example template", "freeswitch", False),
    ("freeswitch_default_13.csv", "FreeSWITCH example template", "freeswitch", False),
    ("freeswitch_asterisk_18.csv", "FreeSWITCH asterisk template", "freeswitch", True),
    ("freeswitch_asterisk_17.csv", "FreeSWITCH asterisk template", "freeswitch", True),
    ("cdr_stats.csv", "cdr-stats", "cdr-stats", False),
    ("cdr_stats.txt", "cdr-stats text", "cdr-stats", False),
]


def calls_of(engine: Engine) -> list[Call]:
    with Session(engine, expire_on_commit=False) as session:
        found = list(session.scalars(select(Call).order_by(Call.started_at)))
        for call in found:
            assert call.touch.occurred_at == call.started_at
            _ = call.assignment and call.assignment.ad_material.campaign.name
        return found


@pytest.mark.parametrize(("file", "name", "provider", "shows_voicemail"), FORMATS)
def test_every_exchange_tells_of_the_same_three_calls(
    engine: Engine, file: str, name: str, provider: str, shows_voicemail: bool
) -> None:
    advertise(engine)
    result = import_calls(engine, CDR / file)
    assert (result.format, result.refusals) == (name, [])
    assert result.created == 3
    assert (result.skip_reasons["outgoing call"], result.skip_reasons["internal call"]) == (1, 1)

    answered, unanswered, third = calls_of(engine)
    assert answered.provider == provider
    assert (answered.caller, answered.caller_name) == (
        BOREALIS,
        "borealis" if file == "cdr_stats.txt" else "Borealis Foods",
    )
    assert answered.started_at == moment("2026-03-02 08:00"), "nine o'clock in Stockholm, in winter"
    assert (answered.dialled, answered.status) == (CATALOGUE_NUMBER, CallStatus.completed)
    assert answered.talk_s == 240
    assert answered.ended_at == moment("2026-03-02 08:04").replace(second=6)
    assert answered.assignment is not None
    assert answered.assignment.ad_material.campaign.name == "Catalogue 2026"
    assert (unanswered.dialled, unanswered.status) == (FAIR_NUMBER, CallStatus.missed)
    assert (unanswered.answered_at, unanswered.talk_s) == (None, 0)
    assert unanswered.contact_id == answered.contact_id, "Borealis Foods called twice"
    assert (third.caller, third.caller_state) == (None, "withheld")
    assert third.dialled == CATALOGUE_NUMBER
    assert third.status is (CallStatus.voicemail if shows_voicemail else CallStatus.completed)


@ON_SQLITE
@pytest.mark.parametrize("file", [entry[0] for entry in FORMATS])
def test_the_same_file_twice_adds_nothing(engine: Engine, file: str) -> None:
    first = import_calls(engine, CDR / file)
    again = import_calls(engine, CDR / file)
    assert (again.created, again.updated, again.refused) == (0, 0, 0)
    assert again.rows == first.rows
    with db.reading(engine) as session:
        assert session.scalar(select(func.count(Call.id))) == 3
        assert session.scalar(select(func.count(Touch.id))) == 3
        assert session.scalar(select(func.count(Account.id))) == 2


def test_legs_of_one_call_are_one_call(engine: Engine) -> None:
    result = import_calls(engine, CDR / "freepbx.csv")
    assert result.skip_reasons["another leg of the same call"] == 2
    answered = calls_of(engine)[0]
    assert (answered.provider_call_id, answered.status, answered.duration_s) == (
        "1772438400.1",
        CallStatus.completed,
        243,
    )


def test_the_number_may_stand_in_the_userfield_where_the_dialplan_lost_it(engine: Engine) -> None:
    advertise(engine)
    import_calls(engine, CDR / "asterisk_17_userfield.csv")
    call = calls_of(engine)[0]
    assert (call.dialled, call.assignment is not None) == (CATALOGUE_NUMBER, True)


def test_outgoing_and_internal_calls_are_taken_on_demand(engine: Engine) -> None:
    result = import_calls(engine, CDR / "asterisk_18.csv", outgoing=True)
    assert (result.created, result.skipped) == (5, 0)


def test_a_call_to_a_number_of_ours_comes_in_whoever_makes_it(engine: Engine) -> None:
    row = (CDR / "asterisk_18.csv").read_text().splitlines()[3]
    from_the_desk = row.replace("+442079460003", CATALOGUE_NUMBER)
    assert import_calls(engine, from_the_desk).skip_reasons == {"outgoing call": 1}
    advertise(engine)
    assert import_calls(engine, from_the_desk).created == 1, "somebody tries the number in the catalogue"


@ON_SQLITE
@pytest.mark.parametrize(
    ("old", "new", "column", "reason"),
    [
        (",246,240,", ",246,300,", "billsec", "talk time 300 s is longer than the call, 246 s"),
        (",246,240,", ",-1,240,", "duration", "not a duration"),
        (",246,240,", ",9999999,240,", "duration", "longer than a week"),
        ("2026-03-02 09:00:00", "2026-02-30 09:00:00", "start", "not a valid date and time"),
        ("2026-03-02 09:00:00", "yesterday", "start", "not a valid date and time; write it as"),
        ("2026-03-02 09:00:00", "2206-03-02 09:00:00", "start", "outside 1970 to 2100"),
        ('"2026-03-02 09:04:06"', '"2026-03-02 05:04:06"', "end", "earlier than the start"),
        ('"2026-03-02 09:00:06"', '"2026-03-02 11:30:06"', "answer", "later than the end of the call (246"),
        ('"ANSWERED"', '"MAYBE"', "disposition", "ANSWERED, NO ANSWER, BUSY"),
        (',"DOCUMENTATION"', "", "disposition", ""),
    ],
)
def test_a_bad_row_names_its_column_and_the_remedy(
    engine: Engine, old: str, new: str, column: str, reason: str
) -> None:
    good = (CDR / "asterisk_18.csv").read_text()
    bad = good.splitlines()[0].replace(old, new)
    result = import_calls(engine, good.splitlines()[1] + "\n" + bad)
    if column == "disposition" and not reason:
        assert result.created == 2, "a column fewer is another setting of the exchange, and still a call"
        return
    assert (result.created, result.refused) == (1, 1)
    refusal = result.refusals[0]
    assert (refusal.line, refusal.column) == (2, column)
    assert reason in refusal.reason
    assert refusal.value in bad


@ON_SQLITE
def test_a_call_through_the_night_when_the_clock_is_put_back_is_taken(engine: Engine) -> None:
    row = (
        '"","+442079460001","+46701740605","from-trunk","","SIP/1","","Dial","",'
        '"2026-10-25 02:59:50","2026-10-25 02:00:00","2026-10-25 02:00:20",30,20,"ANSWERED","","1.1",""'
    )
    assert import_calls(engine, row).created == 1
    call = calls_of(engine)[0]
    assert call.started_at == moment("2026-10-25 00:59").replace(second=50)
    assert call.answered_at == moment("2026-10-25 01:00")
    assert call.ended_at == moment("2026-10-25 01:00").replace(second=20)


@ON_SQLITE
def test_both_legs_of_a_freeswitch_call_are_one_call(engine: Engine) -> None:
    first = (CDR / "freeswitch_example_15.csv").read_text().splitlines()[0]
    leg = "6f1c2d3e-0000-4000-8000-0000000000ff"
    inner = first.replace("6f1c2d3e-0000-4000-8000-000000000000", leg)
    outer = first.replace('000000000000",""', f'000000000000","{leg}"')
    result = import_calls(engine, f"{inner}\n{outer}\n")
    assert (result.created, result.skip_reasons) == (1, {"second leg of a FreeSWITCH call": 1})


def test_a_file_that_is_no_cdr_is_named_with_the_known_formats() -> None:
    with pytest.raises(Invalid, match="known formats: Asterisk cdr_csv and cdr_custom, FreePBX"):
        CallRecords(table("name,city\nBorealis Foods,London\n"), LOCAL, "SE")
    with pytest.raises(Invalid, match="the file is empty"):
        CallRecords(table(""), LOCAL, "SE")
