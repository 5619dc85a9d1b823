"""Telephone systems by name: each told by its content, one call for a conversation, only those that come in.

In every file Borealis Foods rings the catalogue's number at nine, is answered after six seconds and talks for
two minutes and 35 seconds; Cobalt Mining rings it at 9:21 and gives up after 25 seconds. Where the system
writes them, a call that goes out and one within the house stand beside them.
"""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.cast import ACME_DESK, BOREALIS, CATALOGUE_NUMBER, COBALT, FAIR_NUMBER, moment
from tests.imports import DATA, LOCAL, NOW, ON_SQLITE, advertise, import_calls, table
from tracking.errors import Invalid
from tracking.imports import kinds, run
from tracking.imports.mapping import Told
from tracking.imports.outcomes import Result
from tracking.storage.models import Call, ImportMapping
from tracking.storage.vocabulary import CallStatus

NINE = moment("2026-03-02 08:00")
"""Nine o'clock in Stockholm, in winter."""
CALLED = CATALOGUE_NUMBER
OUT, INSIDE, LEG = "outgoing call", "internal call", "another leg of the same call"


@dataclass(frozen=True)
class Export:
    """A file of a system: its rows, what they stand for, and what is left out of it."""

    name: str
    rows: str
    skipped: dict[str, int]
    map: tuple[str, ...] = ()
    talk_s: int = 155
    missed_s: int | None = 25
    started_s: int = 0


SYSTEMS = DATA / "systems"


def rows_of(file: str) -> str:
    """Return the rows of a file as a system writes them."""
    return (SYSTEMS / file).read_text()


THREE_CX, TEAMS_PSTN, AVAYA = rows_of("3cx.log"), rows_of("teams_pstn.csv"), rows_of("avaya.csv")
STARFACE, OPENSCAPE = rows_of("starface.csv"), rows_of("openscape.txt")
MAP_800 = (f"800={CALLED}",)
MAP_101 = (f"101={CALLED}",)
EXPORTS = {
    "3CX": Export("3CX CDR", THREE_CX, {OUT: 1, INSIDE: 1}, MAP_800),
    "3CX report": Export("3CX call report", rows_of("3cx_report.csv"), {LEG: 1, OUT: 1, INSIDE: 1}, MAP_800),
    "Teams PSTN": Export("Teams PSTN usage", TEAMS_PSTN, {LEG: 1, OUT: 1, "conference call": 1}),
    "Teams Direct Routing": Export(
        "Teams Direct Routing", rows_of("teams_direct_routing.csv"), {LEG: 1, OUT: 1}
    ),
    "CUCM": Export(
        "Cisco CUCM CDR",
        rows_of("cucm.csv"),
        {LEG: 1, OUT: 1, INSIDE: 1, "column type line": 1, "quality record, not a call": 1},
        (f"8000={CALLED}",),
    ),
    "Avaya": Export("Avaya IP Office SMDR", AVAYA, {LEG: 1, OUT: 1, INSIDE: 1}),
    "Avaya, date and time apart": Export(
        "Avaya IP Office SMDR", AVAYA.replace("/02 09", "/02,09"), {LEG: 1, OUT: 1, INSIDE: 1}
    ),
    "Yeastar": Export("Yeastar", rows_of("yeastar.csv"), {LEG: 1, OUT: 1, INSIDE: 1}),
    "Grandstream": Export(
        "Grandstream UCM", rows_of("grandstream.csv"), {OUT: 1, INSIDE: 1}, (f"6500={CALLED}",)
    ),
    "Grandstream download": Export("Grandstream UCM", rows_of("grandstream_download.csv"), {}),
    "FusionPBX": Export("FusionPBX", rows_of("fusionpbx.csv"), {LEG: 2, OUT: 1, INSIDE: 1}),
    "MikoPBX": Export("MikoPBX", rows_of("mikopbx.csv"), {LEG: 1, OUT: 1, INSIDE: 1}),
    "Fritz!Box": Export("Fritz!Box call list", rows_of("fritz_box.csv"), {OUT: 1}, talk_s=180, missed_s=None),
    "Starface": Export("Starface", STARFACE, {LEG: 1, OUT: 1, INSIDE: 1}, (f"Anna={CALLED}",)),
    "OpenScape": Export("OpenScape Business", OPENSCAPE, {OUT: 1}, MAP_101),
    "OpenScape with names": Export(
        "OpenScape Business",
        "Datum|Uhrzeit|Lt|Tln|Ruf|Dauer|Rufnummer|Betrag|I|\n" + OPENSCAPE,
        {OUT: 1, "header line": 1},
        MAP_101,
    ),
    "innovaphone": Export("innovaphone CDR", rows_of("innovaphone.xml"), {OUT: 1}, MAP_101),
    "Mango": Export("Mango Office statistics", rows_of("mango.csv"), {OUT: 1}),
    "Aircall": Export("Aircall", rows_of("aircall.csv"), {OUT: 1}),
    "Dialpad": Export("Dialpad", rows_of("dialpad.csv"), {LEG: 1, OUT: 1, INSIDE: 1}),
    "RingCentral": Export(
        "RingCentral call log", rows_of("ringcentral.csv"), {OUT: 1, "message or fax, not a call": 1}, MAP_101
    ),
    "Twilio": Export("Twilio call log", rows_of("twilio.csv"), {LEG: 1, OUT: 2}),
    "Zadarma": Export("Zadarma", rows_of("zadarma.csv"), {OUT: 1}, missed_s=None),
    "UIS": Export("UIS, CoMagic", rows_of("uis.csv"), {OUT: 1}),
    "Zoom": Export("Zoom Phone call log", rows_of("zoom.csv"), {OUT: 1, INSIDE: 1}),
}


def bring_in(engine: Engine, rows: str, told: tuple[str, ...] = (), *, keep_outgoing: bool = False) -> Result:
    """Import a file of calls as the command does."""
    source = table(rows)
    dialled = kinds.dialled_map(told)
    form = kinds.calls_form(
        source, LOCAL, "SE", Told(), desk=ACME_DESK, keep_outgoing=keep_outgoing, dialled=dialled
    )
    return run.run(engine, source, form, at=NOW)


def calls_of(engine: Engine) -> list[Call]:
    with Session(engine, expire_on_commit=False) as session:
        return list(session.scalars(select(Call).order_by(Call.started_at)))


@ON_SQLITE
@pytest.mark.parametrize("export", EXPORTS.values(), ids=EXPORTS)
def test_every_system_tells_of_the_same_two_calls(engine: Engine, export: Export) -> None:
    advertise(engine)
    result = bring_in(engine, export.rows, export.map)
    assert (result.format, result.refusals, result.notes) == (export.name, [], [])
    assert dict(result.skip_reasons) == export.skipped
    answered, missed = calls_of(engine)
    for call, caller, start in (
        (answered, BOREALIS, NINE),
        (missed, COBALT, NINE + timedelta(minutes=21)),
    ):
        assert (call.caller, call.dialled) == (caller, CALLED)
        assert call.started_at.replace(microsecond=0) == start
        assert call.assignment_id is not None
    assert (answered.status, answered.talk_s) == (CallStatus.completed, export.talk_s)
    assert (missed.status, missed.talk_s) == (CallStatus.missed, 0)
    if export.missed_s is not None:
        assert missed.duration_s == export.missed_s
    again = bring_in(engine, export.rows)
    assert (again.created, again.updated, again.refused) == (0, 0, 0), "the map is remembered"


@ON_SQLITE
@pytest.mark.parametrize(
    "name", ["Teams PSTN", "CUCM", "Yeastar", "MikoPBX", "Twilio", "Dialpad", "FusionPBX"]
)
def test_legs_are_one_call_in_any_order_and_across_two_files(engine: Engine, name: str) -> None:
    advertise(engine)
    export = EXPORTS[name]
    head, *rows = export.rows.splitlines()
    for row in reversed(rows):
        if not row.startswith("INTEGER"):
            bring_in(engine, f"{head}\n{row}\n", export.map)
    answered, missed = calls_of(engine)
    assert (answered.caller, answered.dialled, answered.status) == (BOREALIS, CALLED, CallStatus.completed)
    assert (missed.caller, missed.status) == (COBALT, CallStatus.missed)


@ON_SQLITE
def test_mitel_names_no_year_and_often_no_caller(engine: Engine) -> None:
    advertise(engine)
    result = bring_in(engine, rows_of("mitel.txt"))
    assert (result.format, dict(result.skip_reasons)) == ("Mitel SMDR", {OUT: 1})
    answered, missed = calls_of(engine)
    assert (answered.caller_state, answered.dialled, answered.talk_s) == ("withheld", CALLED, 155)
    assert (answered.started_at.month, answered.started_at.day) == (3, 2)
    assert (answered.duration_s, missed.status, missed.duration_s) == (161, CallStatus.missed, None)
    assert any(
        "the dates have no year; the most recent such date is assumed" in note for note in result.notes
    )


@ON_SQLITE
def test_a_file_in_which_no_row_names_a_number_of_ours_says_so(engine: Engine) -> None:
    advertise(engine)
    (note,) = bring_in(engine, THREE_CX).notes
    assert "no row has one of your tracking numbers; dialled: 800, 10001, Catalogue" in note
    assert "800=+46701740690" in note


@ON_SQLITE
def test_the_map_is_remembered_for_its_system_alone(engine: Engine) -> None:
    advertise(engine)
    bring_in(engine, OPENSCAPE, MAP_101)
    assert bring_in(engine, STARFACE).notes
    with Session(engine) as session:
        (row,) = session.scalars(select(ImportMapping).where(ImportMapping.kind == "dialled"))
        assert row.mapping == {"101": CALLED}
    with pytest.raises(Invalid, match="'101' is not in the form 800="):
        kinds.dialled_map(["101"])


@ON_SQLITE
def test_a_masked_caller_is_nobody(engine: Engine) -> None:
    advertise(engine)
    bring_in(engine, TEAMS_PSTN.replace(BOREALIS, "+4420794****"))
    assert {call.caller_state for call in calls_of(engine) if call.caller is None} == {"withheld"}


@ON_SQLITE
def test_outgoing_calls_that_are_kept_earn_no_campaign_anything(engine: Engine) -> None:
    advertise(engine)
    log = "Call Status,Direction,Tracking Number,Start Time,Duration (seconds),Name,Phone Number\n"
    log += f"Answered Call,Outbound,{CALLED},2026-03-02 11:00 AM,240,Borealis,{BOREALIS}\n"
    assert dict(bring_in(engine, log).skip_reasons) == {OUT: 1}
    assert bring_in(engine, log, keep_outgoing=True).created == 1
    (call,) = calls_of(engine)
    assert (call.dialled, call.assignment_id) == (BOREALIS, None)


@ON_SQLITE
@pytest.mark.parametrize(
    ("cell", "value", "reason"),
    [
        ("caller", "4.67017E+10", "was rounded by a spreadsheet"),
        ("dialled", "4.67017E+10", "was rounded by a spreadsheet"),
        ("caller", "0701740605 / 0701740606", "more than one phone number"),
        ("direction", "sideways", "unknown direction; use inbound, outbound or internal"),
    ],
)
def test_what_a_call_log_says_and_cannot_be_read_is_told(
    engine: Engine, cell: str, value: str, reason: str
) -> None:
    said = {"caller": BOREALIS, "dialled": CALLED, "direction": "in"} | {cell: value}
    log = "started_at,talk_s," + ",".join(said) + "\n2026-03-02 09:00,5," + ",".join(said.values()) + "\n"
    (refusal,) = bring_in(engine, log).refusals
    assert (refusal.line, refusal.column, refusal.value) == (2, cell, value)
    assert reason in refusal.reason


def test_a_bill_is_no_list_of_calls() -> None:
    with pytest.raises(Invalid, match="looks like an itemised bill"):
        kinds.calls_form(
            table("Callstart,Account,A-Rufnummer,B-Rufnummer,Sekunden,Preis\n"), LOCAL, "SE", Told()
        )


@ON_SQLITE
@pytest.mark.parametrize(
    ("lastapp", "dstchannel", "status"),
    [
        ("Queue", "", CallStatus.missed),
        ("BackGround", "", CallStatus.missed),
        ("Queue", "PJSIP/101-0b", CallStatus.completed),
        ("Dial", "", CallStatus.completed),
    ],
)
def test_what_picks_up_by_itself_has_not_answered(
    engine: Engine, lastapp: str, dstchannel: str, status: CallStatus
) -> None:
    row = (
        f'"","{BOREALIS}","{CALLED}","from-trunk","","PJSIP/t-1","{dstchannel}","{lastapp}","",'
        '"2026-03-02 09:00:00","2026-03-02 09:00:01","2026-03-02 09:00:41",41,40,"ANSWERED","","1.1",""'
    )
    import_calls(engine, row)
    assert calls_of(engine)[0].status is status


@ON_SQLITE
def test_a_rep_who_rings_out_by_freepbx_is_told_by_his_telephone_whatever_number_he_shows(
    engine: Engine,
) -> None:
    advertise(engine)
    head = "calldate,clid,src,dst,dcontext,channel,duration,billsec,disposition,uniqueid,did,cnum\n"
    out = (
        f'2026-03-02 10:00:00,"""Acme"" <{{0}}>",{{0}},{BOREALIS},from-internal,PJSIP/201-00000001,'
        "95,80,ANSWERED,1.1,,201\n"
    )
    for shown in (ACME_DESK, "+46701740699", CALLED, FAIR_NUMBER):
        assert dict(bring_in(engine, head + out.format(shown)).skip_reasons) == {OUT: 1}


def test_a_cell_of_sixty_thousand_characters_is_read_in_no_time(engine: Engine) -> None:
    row = (
        f'"","{BOREALIS}","{CALLED}","from-trunk","{{}}","PJSIP/t-1","","Dial","",'
        '"2026-03-02 09:00:00",,,41,0,"NO ANSWER","","1.{}",""\n'
    )
    text = "".join(
        row.format(clid, at) for at, clid in enumerate((" " * 60_000, "'" * 60_000, "< " * 30_000))
    )
    assert import_calls(engine, text).created == 3


@ON_SQLITE
def test_a_second_leg_that_comes_first_becomes_its_call(engine: Engine) -> None:
    advertise(engine)
    head = (
        "uuid,caller_id_number,destination_number,context,start_stamp,answer_stamp,end_stamp,duration,"
        "billsec,hangup_cause,bleg_uuid\n"
    )
    nine, six = "2026-03-02 09:00:00", "2026-03-02 09:00:06"
    inner = f"b,{BOREALIS},201,acme,{nine},{six},2026-03-02 09:02:41,161,155,NORMAL_CLEARING,\n"
    lost = f"c,{BOREALIS},202,acme,{nine},,{six},6,0,LOSE_RACE,\n"
    outer = (
        inner.replace("b,", "a,", 1)
        .replace(",201,acme", f",{CALLED},public")
        .replace("CLEARING,", "CLEARING,b")
    )
    for rows in (inner, lost, outer):
        bring_in(engine, head + rows)
    (call,) = calls_of(engine)
    assert (call.provider_call_id, call.dialled, call.talk_s) == ("a", CALLED, 155)
    assert call.assignment_id is not None


TWILIO_HEAD = "Call Sid,Type,From,To,Direction,Status,Start Time,End Time,Duration,Parent Call Sid\n"


@ON_SQLITE
def test_the_leg_of_a_call_that_went_out_is_no_call_in_whichever_order(engine: Engine) -> None:
    advertise(engine)
    ended = "2026-03-02 08:41:00 UTC"
    made = f"client:anna,+12125550123,Incoming,completed,2026-03-02 08:40:00 UTC,{ended},60,\n"
    leg = f"+46701740691,+12125550123,Outgoing Dial,completed,2026-03-02 08:40:01 UTC,{ended},59,"
    for rows in (f"CA1,client,{made}CA2,phone,{leg}CA1\n", f"CA2,phone,{leg}CA1\nCA1,client,{made}"):
        result = bring_in(engine, TWILIO_HEAD + rows)
        assert dict(result.skip_reasons) == {OUT: 1, "another leg of an outgoing call": 1}


@ON_SQLITE
def test_a_twilio_log_without_parents_joins_legs_and_without_legs_says_so(engine: Engine) -> None:
    advertise(engine)
    head = "Call Sid,From,To,Direction,Status,Start Time,Duration\n"
    call = f"CA1,{BOREALIS},{CALLED},Incoming,completed,2026-03-02 08:00:00 UTC,161\n"
    leg = f"CA2,{BOREALIS},{ACME_DESK},Outgoing Dial,completed,2026-03-02 08:00:06 UTC,155\n"
    (note,) = bring_in(engine, head + call).notes
    assert "no row shows a call put through to a person" in note
    bring_in(engine, head + leg + call)
    with Session(engine) as session:
        (stored,) = session.scalars(select(Call)).all()
        assert (stored.status, stored.talk_s, stored.duration_s) == (CallStatus.completed, 155, 161)


@ON_SQLITE
def test_a_queue_named_above_the_rows_is_what_was_dialled(engine: Engine) -> None:
    advertise(engine)
    rows = "# Kö: Försäljning\nDatum;Tid;Nummer;Resultat;Kötid;Samtalstid;Anknytning\n"
    rows += f"2026-03-02;09:00:00;{BOREALIS};Besvarat;00:00:06;00:02:35;101\n"
    assert "dialled: Försäljning" in bring_in(engine, rows).notes[0]
    assert bring_in(engine, rows, (f"Försäljning={CALLED}",)).notes == []


YEASTAR_HEAD = (
    "ID,Time,Call From,Call To,Call Duration,Ring Duration,Talk Duration,Status,Communication Type,DID/DDI\n"
)


@ON_SQLITE
def test_a_call_passed_on_to_a_telephone_outside_was_answered_there_in_whichever_order(
    engine: Engine,
) -> None:
    advertise(engine)
    came = f"X1,2026-03-02 09:00:00,{BOREALIS},Queue<6400>,161,6,155,ANSWERED,Inbound,{CALLED}\n"
    on = f"X1,2026-03-02 09:00:03,{BOREALIS},{ACME_DESK},158,3,155,ANSWERED,Outbound,\n"
    for place, rows in enumerate((came + on, on + came)):
        bring_in(
            engine, YEASTAR_HEAD + rows.replace("X1", f"X{place}").replace("-02 09", f"-0{place + 2} 09")
        )
    with Session(engine) as session:
        calls = session.scalars(select(Call)).all()
        assert [(c.caller, c.dialled, c.status, c.talk_s) for c in calls] == [
            (BOREALIS, CALLED, CallStatus.completed, 155)
        ] * 2


def test_a_call_passed_on_was_answered_there_too_where_the_leg_comes_with_the_next_file(
    engine: Engine,
) -> None:
    advertise(engine)
    came = f"X1,2026-03-02 09:00:00,{BOREALIS},Queue<6400>,161,6,0,NO ANSWER,Inbound,{CALLED}\n"
    on = f"X1,2026-03-02 09:00:03,{BOREALIS},{ACME_DESK},158,3,155,ANSWERED,Outbound,\n"
    made = f"X2,2026-03-02 10:00:00,201,{BOREALIS},60,3,57,ANSWERED,Outbound,\n"
    assert bring_in(engine, YEASTAR_HEAD + came).created == 1
    result = bring_in(engine, YEASTAR_HEAD + made + on)
    assert (result.updated, dict(result.skip_reasons)) == (1, {OUT: 1})
    with Session(engine) as session:
        calls = session.scalars(select(Call)).all()
        assert [(c.caller, c.dialled, c.status, c.talk_s) for c in calls] == [
            (BOREALIS, CALLED, CallStatus.completed, 155)
        ]
    again = bring_in(engine, YEASTAR_HEAD + made + on)
    assert (again.updated, again.skipped) == (0, 2)


@ON_SQLITE
def test_a_call_passed_on_was_answered_there_also_where_that_leg_comes_with_an_earlier_file(
    engine: Engine,
) -> None:
    advertise(engine)
    came = f"X1,2026-03-02 09:00:00,{BOREALIS},Queue<6400>,161,6,0,NO ANSWER,Inbound,{CALLED}\n"
    on = f"X1,2026-03-02 09:00:03,{BOREALIS},{ACME_DESK},158,3,155,ANSWERED,Outbound,\n"
    assert dict(bring_in(engine, YEASTAR_HEAD + on).skip_reasons) == {OUT: 1}
    for _ in range(2):
        bring_in(engine, YEASTAR_HEAD + came)
        with Session(engine) as session:
            (call,) = session.scalars(select(Call)).all()
            assert (call.dialled, call.status, call.talk_s) == (CALLED, CallStatus.completed, 155)


@ON_SQLITE
def test_the_leg_of_a_call_that_went_out_is_none_in_the_next_file_and_is_told_in_the_one_before(
    engine: Engine,
) -> None:
    advertise(engine)
    made = f"X1,2026-03-02 23:59:50,201,{BOREALIS},60,3,57,ANSWERED,Outbound,\n"
    leg = f"X1,2026-03-03 00:00:05,{BOREALIS},{CALLED},45,3,42,ANSWERED,Inbound,{CALLED}\n"
    bring_in(engine, YEASTAR_HEAD + made)
    assert dict(bring_in(engine, YEASTAR_HEAD + leg).skip_reasons) == {"another leg of an outgoing call": 1}
    # Of the leg alone nobody can know; the file before it says what it was.
    later = (made + leg).replace("X1", "X2").replace("2026-03-0", "2026-04-0").splitlines()
    assert bring_in(engine, YEASTAR_HEAD + later[1]).created == 1
    assert "turn out to be legs of outgoing calls: 1" in bring_in(engine, YEASTAR_HEAD + later[0]).notes[0]


@ON_SQLITE
def test_who_waits_in_a_queue_of_teams_is_one_call_with_who_takes_it(engine: Engine) -> None:
    advertise(engine)
    head = "UsageId,Call ID,Caller ID,Call Type,Destination Number,Start Time,End Time,Duration Seconds\n"
    waits = f"U1,C1,{BOREALIS},ucap_in,{CALLED},2026-03-02T09:00:00Z,2026-03-02T09:02:41Z,161\n"
    takes = f"U2,C2,{BOREALIS},user_in,{CALLED},2026-03-02T09:00:06Z,2026-03-02T09:02:41Z,155\n"
    for text in (head + waits + takes, head + takes + waits, head + waits, head + takes):
        bring_in(engine, text)
        with Session(engine) as session:
            (call,) = session.scalars(select(Call)).all()
            assert (call.status, call.talk_s, call.duration_s) == (CallStatus.completed, 155, 161)
    again = head + (waits + takes).replace("-02T09", "-03T09").replace("U", "V")
    bring_in(engine, again.replace(takes.replace("-02T09", "-03T09").replace("U", "V"), ""))
    bring_in(engine, again)
    with Session(engine) as session:
        assert [call.talk_s for call in session.scalars(select(Call))] == [155, 155]


@ON_SQLITE
def test_the_records_of_ringcentral_are_joined_by_their_session(engine: Engine) -> None:
    advertise(engine)
    head = "id,sessionId,startTime,duration,type,direction,action,result,from,to\n"
    rows = (
        f"1,S1,2026-03-02T09:00:00Z,161,Voice,Inbound,Phone Call,Call connected,{BOREALIS},{CALLED}\n"
        f"2,S1,2026-03-02T09:00:06Z,150,Voice,Inbound,VoIP Call,Accepted,{BOREALIS},{CALLED}\n"
        f"3,S2,2026-03-02T10:00:00Z,9,Fax,Inbound,Fax,Received,{BOREALIS},{CALLED}\n"
        f"4,S3,2026-03-02T11:00:00Z,9,Voice,Outbound,VoIP Call,Call connected,{CALLED},{BOREALIS}\n"
    )
    result = bring_in(engine, head + rows)
    assert (result.created, dict(result.skip_reasons)) == (
        1,
        {OUT: 1, "message or fax, not a call": 1, "another leg of the same call": 1},
    )
    (call,) = calls_of(engine)
    assert (call.provider_call_id, call.status, call.duration_s) == ("S1", CallStatus.completed, 161)


@ON_SQLITE
def test_a_date_over_the_twelfth_tells_the_order_of_a_systems_dates(engine: Engine) -> None:
    advertise(engine)
    head = "Call Time,Caller ID,Destination,Status,Ringing,Talking\n"
    rows = (
        f"02/03/2026 09:00:00,{BOREALIS},{CALLED},Answered,00:00:06,00:02:35\n"
        f"13/03/2026 09:21:00,{COBALT},{CALLED},Unanswered,00:00:25,\n"
    )
    result = bring_in(engine, head + rows)
    assert result.notes == ["the day comes first in dates"]
    assert [call.started_at.day for call in calls_of(engine)] == [2, 13]
    again = bring_in(engine, head + rows.splitlines()[0].replace("02/03", "04/05") + "\n")
    assert "ambiguous date" in again.refusals[0].reason


@ON_SQLITE
def test_a_transferred_call_is_one_in_openscape(engine: Engine) -> None:
    advertise(engine)
    first = "02.03.26|09:02:41|201|101|00:06|00:02:35|00442079460001||1|||\n"
    passed_on = "02.03.26|09:04:41|201|102|     |00:02:00|00442079460001||31|||\n"
    bring_in(engine, passed_on + first, MAP_101)
    with Session(engine) as session:
        (call,) = session.scalars(select(Call)).all()
        assert (call.dialled, call.status, call.started_at) == (CALLED, CallStatus.completed, NINE)


@ON_SQLITE
def test_mango_with_names_and_a_call_log_with_queues_are_aimed_as_others(engine: Engine) -> None:
    advertise(engine)
    names = (
        "records;start;finish;answer;from_extension;from_number;to_extension;to_number;line_number;entry_id\n"
    )
    row = f"[a];1772438400;1772438561;1772438406;;{BOREALIS};101;{CALLED};{CALLED};E1\n"
    assert bring_in(engine, names + row).created == 1
    log = f"Datum,Anrufer,Ziel,Gesprächsdauer\n2026-03-02 10:00,{COBALT},Verkauf (800),60\n"
    assert "dialled: Verkauf (800)" in bring_in(engine, log).notes[-1]
    assert bring_in(engine, log, MAP_800).notes == []
    assert bring_in(engine, log).notes == [], "the map is remembered"


@ON_SQLITE
@pytest.mark.parametrize("shape", ["one a line", "with a root", "over several lines"])
def test_innovaphones_records_may_stand_in_a_document(shape: str, engine: Engine) -> None:
    advertise(engine)
    rows = rows_of("innovaphone.xml")
    if shape == "with a root":
        rows = f"<?xml version='1.0'?>\n<cdrs>\n{rows}</cdrs>\n"
    if shape == "over several lines":
        rows = "<?xml version='1.0'?><cdrs>" + rows.replace("<event", "\n  <event") + "</cdrs>"
    result = bring_in(engine, rows, MAP_101)
    assert (result.created, result.refused, dict(result.skip_reasons)) == (2, 0, {OUT: 1})
