"""Call logs: CallRail's export, and calls, judgements and answers in a layout of our own."""

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.cast import BOREALIS, moment
from tests.imports import DATA, ON_SQLITE, advertise, import_calls, import_table
from tracking.errors import Invalid
from tracking.imports import values
from tracking.records import campaigns, contacts
from tracking.storage import db
from tracking.storage.models import Answer, Call, Touch
from tracking.storage.vocabulary import CallStatus, LeadStatus, Outcome, TouchKind

CALLRAIL = DATA / "crm" / "callrail_call_log.csv"
OWN = """id,started_at,caller,dialled,status,duration_s,talk_s,lead_status,value,note,tags,heard_from,asked
1,2026-03-02 09:00,+442079460001,+46701740605,completed,246,240,good_lead,1500,Pumps,new|pumps,At the fair,
2,2026-03-09T10:30:00Z,+442079460003,0701740605,,30,25,,,,,,declined
3,2026-03-10 18:00,,+46701740605,missed,20,,not_a_lead,,,,,
"""


def stored(engine: Engine) -> tuple[list[Call], list[Answer]]:
    with Session(engine, expire_on_commit=False) as session:
        calls = list(session.scalars(select(Call).order_by(Call.started_at)))
        return calls, list(session.scalars(select(Answer).order_by(Answer.id)))


def test_callrails_export_is_read_by_its_header(engine: Engine) -> None:
    advertise(engine)
    result = import_table(engine, "calls", CALLRAIL)
    assert (result.format, result.created, result.refusals) == ("CallRail call log", 3, [])
    (first, second, third), answers = stored(engine)
    assert (first.provider, first.caller, first.status) == ("callrail", BOREALIS, CallStatus.completed)
    assert first.started_at == moment("2026-03-02 08:00"), "times are in the company's zone"
    assert (first.value_minor, first.currency) == (150_000, "EUR")
    assert (first.lead_status, first.tags) == (LeadStatus.good_lead, ["new", "pumps"])
    assert first.assignment_id is not None
    assert (second.status, second.lead_status) == (CallStatus.missed, None)
    assert (third.status, third.lead_status) == (CallStatus.voicemail, LeadStatus.not_a_lead)
    assert (third.caller, third.started_at) == (None, moment("2026-03-10 17:00"))
    assert answers == []
    again = import_table(engine, "calls", CALLRAIL)
    assert (again.created, again.updated, again.skipped) == (0, 0, 3)


@ON_SQLITE
def test_columns_may_come_in_any_order_and_some_not_at_all(engine: Engine) -> None:
    text = "Phone Number,Start Time,Call Status,Tracking Number\n" + (
        "+442079460001,2026-03-02 09:00,Answered Call,+46701740605\n"
    )
    assert import_table(engine, "calls", text).created == 1
    with pytest.raises(Invalid, match=r'no column for dialled.* Set it with --map dialled="COLUMN"'):
        import_table(engine, "calls", "Phone Number,Start Time\n")


def test_a_callers_e_mail_address_joins_a_deal_that_names_no_number(engine: Engine) -> None:
    call = "Start Time,Call Status,Tracking Number,Phone Number,Email\n"
    call += "2026-03-02 09:00,Answered Call,+46701740605,+442079460001,buyer@borealis.example\n"
    call += "2026-03-02 10:00,Answered Call,+46701740605,Anonymous,buyer@borealis.example\n"
    assert import_table(engine, "calls", call).created == 2
    deal = "deal_id,company,email,stage,amount,closed_at\n"
    deal += "D1,Borealis Foods,Buyer@Borealis.example,won,100,2026-04-01\n"
    assert import_table(engine, "deals", deal).created == 1
    with Session(engine) as session:
        known, withheld = session.scalars(select(Call).order_by(Call.started_at))
        assert contacts.account_of(session, known.contact).name == "Borealis Foods"
        assert contacts.account_of(session, withheld.contact).name is None, "a withheld caller stays nobody"


def test_answers_become_rows_of_their_own(engine: Engine) -> None:
    assert import_table(engine, "calls", OWN).created == 3
    calls, answers = stored(engine)
    assert [(a.call_id, a.outcome, a.verbatim) for a in answers] == [
        (calls[0].id, Outcome.answered, "At the fair"),
        (calls[1].id, Outcome.declined, None),
    ]
    assert answers[0].asked_at == calls[0].started_at
    assert calls[1].status is CallStatus.completed, "talked for 25 seconds"
    again = import_table(engine, "calls", OWN)
    assert (again.created, again.updated, again.skipped) == (0, 0, 3)
    changed = import_table(engine, "calls", OWN.replace("At the fair", "From a colleague"))
    assert (changed.updated, changed.skipped) == (1, 2)
    _, answers = stored(engine)
    assert (answers[-1].verbatim, answers[-1].corrects_id) == ("From a colleague", answers[0].id)


def test_answers_can_be_added_to_the_calls_of_an_exchange(engine: Engine) -> None:
    import_calls(engine, DATA / "cdr" / "asterisk_18.csv")
    text = (
        "provider,call_id,heard_from,heard_campaign,heard_channel,asked_by,lead_status\n"
        "asterisk,1772438400.1,your catalogue,Catalogue 2026,print,Anna,good_lead\n"
        "asterisk,1.1,who knows,,,Anna,\n"
    )
    result = import_table(engine, "calls", text)
    assert (result.updated, result.refused, result.campaigns_created) == (1, 1, ["Catalogue 2026"])
    assert "no call with this ID" in result.refusals[0].reason
    calls, answers = stored(engine)
    assert [(a.verbatim, a.asked_by, a.campaign_id is not None) for a in answers] == [
        ("your catalogue", "Anna", True)
    ]
    assert calls[0].started_at == moment("2026-03-02 08:00")
    assert calls[0].lead_status is LeadStatus.good_lead


@ON_SQLITE
@pytest.mark.parametrize(
    ("old", "new", "column", "reason"),
    [
        (",completed,", ",perhaps,", "status", "use one of"),
        ("246,240", "246,250", "talk_s", "talk time 250 s is longer than the call, 246 s"),
        (",good_lead,", ",hot,", "lead_status", "good_lead"),
        (",1500,", ",$1500,", "value", "the amount is in $ but the row is in EUR"),
        ("At the fair,", "At the fair,not asked", "asked", "but heard_from has an answer"),
        ("At the fair,", ",answered", "heard_from", "empty although asked is"),
        ("2026-03-02 09:00", "03/02/2026", "started_at", "use --dates dmy or --dates mdy"),
    ],
)
def test_a_bad_call_names_its_column(engine: Engine, old: str, new: str, column: str, reason: str) -> None:
    result = import_table(engine, "calls", OWN.replace(old, new, 1))
    assert (result.created, result.refused) == (2, 1)
    assert (result.refusals[0].line, result.refusals[0].column) == (2, column)
    assert reason in result.refusals[0].reason


@ON_SQLITE
def test_what_a_caller_said_and_what_was_noted_is_read_as_the_channel_it_means(engine: Engine) -> None:
    text = (
        "Datum;Uhrzeit;Anrufer;Angerufene Nummer;Gesprächsdauer;Woher kennen Sie uns?;Quelle\n"
        "02.03.2026;09.15;+442079460001;070-174 06 05;2:00;die Messe in Hannover;Google\n"
        "02.03.2026;09.20;+442079460002;070-174 06 05;2:00;;Messe\n"
        "02.03.2026;09.25;+442079460003;070-174 06 05;2:00;;Telefon\n"
        "02.03.2026;09.30;+442079460003;070-174 06 05;2:00;;Catalogue 2026\n"
    )
    advertise(engine)
    import_table(engine, "calls", text)
    with Session(engine) as session:
        said = session.scalars(select(Answer).order_by(Answer.asked_at)).all()
        told = [(a.verbatim, a.channel, a.campaign.name if a.campaign else None) for a in said]
        minutes = [a.asked_at.minute for a in said]
    assert told == [
        ("die Messe in Hannover", None, None),
        ("Messe", "fair", None),
        ("Catalogue 2026", None, "Catalogue 2026"),
    ]
    assert minutes == [15, 20, 30], "09.15 is a quarter past nine"


@ON_SQLITE
def test_the_source_that_a_tracking_system_saw_is_no_answer_and_stays_with_the_call(engine: Engine) -> None:
    text = (
        "Call Date,Caller Number,Called Number,Talk Time,Source,Keyword\n"
        "2026-03-02 09:00,+442079460001,+46701740605,120,Google Organic,pumps\n"
    )
    result = import_table(engine, "calls", text)
    assert not [note for note in result.notes if "not used" in note]
    with Session(engine) as session:
        assert session.scalars(select(Answer)).all() == []
        assert session.scalars(select(Call.note)).all() == ["Source: Google Organic; Keyword: pumps"]


@ON_SQLITE
def test_a_duration_alone_does_not_say_who_answered_and_the_refusal_names_its_column(engine: Engine) -> None:
    text = "Datum;Uhrzeit;Anrufer;Gewählte Nummer;Dauer\n02.03.2026;09:15;+442079460001;+46701740605;200\n"
    (refusal,) = import_table(engine, "calls", text).refusals
    assert refusal.reason.endswith('if Dauer is the talk time, use --map talk_s="Dauer"')
    assert import_table(engine, "calls", text, columns=("talk_s=Dauer",)).created == 1


@ON_SQLITE
@pytest.mark.parametrize(
    ("column", "yes", "no"),
    [
        ("Answered", "Yes", "No"),
        ("Besvarat", "Ja", "Nej"),
        ("Angenommen", "ja", "nein"),
        ("Отвечен", "да", "нет"),
        ("是否接听", "是", "否"),
    ],
)
def test_a_column_named_answered_says_by_yes_and_no_whether_a_call_was(
    engine: Engine, column: str, yes: str, no: str
) -> None:
    text = f"started_at,caller,dialled,{column},duration_s\n"
    text += f"2026-03-02 09:00,+442079460001,+46701740605,{yes},200\n"
    text += f"2026-03-02 10:00,+442079460002,+46701740605,{no},20\n"
    text += "2026-03-02 11:00,+442079460003,+46701740605,perhaps,20\n"
    result = import_table(engine, "calls", text)
    assert [call.status for call in stored(engine)[0]] == [CallStatus.completed, CallStatus.missed]
    assert [(refusal.column, refusal.value) for refusal in result.refusals] == [(column, "perhaps")]


@ON_SQLITE
def test_a_column_of_when_a_call_was_answered_says_nothing_of_whether(engine: Engine) -> None:
    text = "started_at,caller,dialled,Answered,talk_s\n"
    text += "2026-03-02 09:00,+442079460001,+46701740605,2026-03-02 09:01,200\n"
    assert import_table(engine, "calls", text).created == 1


@ON_SQLITE
def test_tags_and_click_ids_of_a_call_log_are_the_visit_that_led_to_the_call(engine: Engine) -> None:
    text = (
        "Call Date,Caller Number,Called Number,Talk Time,Landing Page,GCLID,Note\n"
        "2026-03-02 09:00,+442079460001,+46701740605,120,"
        "https://acme.example/p?utm_source=news&utm_campaign=Catalogue%202026,,\n"
        "2026-03-02 10:00,+442079460002,+46701740605,120,https://acme.example/p,Cj0K1,keen\n"
        "2026-03-02 11:00,+442079460003,+46701740605,120,https://acme.example/p,,\n"
        "2026-03-02 12:00,Anonymous,+46701740605,120,https://acme.example/p,Cj0K2,\n"
        "2026-03-02 13:00,+442079460004,+46701740605,120,www pumps,,\n"
    )
    with db.transaction(engine) as session:
        campaigns.add(session, "Catalogue 2026", "print", at=moment("2026-01-01"))
    for created in (5, 0):
        assert import_table(engine, "calls", text).created == created
        with Session(engine) as session:
            found = session.scalars(select(Touch).where(Touch.kind == TouchKind.visit).order_by(Touch.id))
            visits = [(v.campaign and v.campaign.name, v.channel, v.occurred_at) for v in found]
            notes = session.scalars(select(Call.note).order_by(Call.started_at)).all()
        assert visits == [
            ("Catalogue 2026", None, moment("2026-03-02T07:59:59")),
            (None, "paid search", moment("2026-03-02T08:59:59")),
        ]
        noted = "Landing Page: https://acme.example/p; GCLID: Cj0K2"
        assert notes == ["", "keen", "Landing Page: https://acme.example/p", noted, "Landing Page: www pumps"]


@ON_SQLITE
def test_a_source_of_digits_is_the_caller_and_a_column_of_numbers_is_one_whatever_its_name(
    engine: Engine,
) -> None:
    text = "Date,Source,Destination,Talk time\n2026-03-02 09:00,+442079460001,+46701740605,120\n"
    import_table(engine, "calls", text)
    text = (
        "Datum;Ringde;Ringt nummer;Samtalstid\n"
        "2026-03-03 09:00;+442079460002;+46701740605;120\n"
        "2026-03-03 10:00;dolt nummer;+46701740605;120\n"
    )
    result = import_table(engine, "calls", text)
    assert "Ringde: 1 of the first 1 cells are phone numbers" in result.notes
    with Session(engine) as session:
        assert session.scalars(select(Call.caller).order_by(Call.started_at)).all() == [
            "+442079460001",
            "+442079460002",
            None,
        ]


@pytest.mark.parametrize(
    ("text", "column", "wanted"),
    [
        ("75", "Duration", 75),
        ("1:15", "Duration", 75),
        ("1 min 15 s", "Duration", 75),
        ("1 мин. 15 сек.", "Длительность", 75),
        ("1分15秒", "时长", 75),
        ("1,25", "Dauer (Minuten)", 75),
        ("3", "Duration, min", 180),
        ("1:15", "Duration (min)", 75),
        ("-", "Duration", None),
        ("PT1H2M3S", "Duration", 3723),
        ("PT62M", "Duration", 3720),
        ("3 723", "Duration", 3723),
        ("155,0", "Dauer", 155),
        ("1,5 min", "Duration", 90),
    ],
)
def test_a_duration_is_read_in_the_unit_of_its_column(text: str, column: str, wanted: int | None) -> None:
    assert values.seconds(text, "duration_s", minutes=values.in_minutes(column)) == wanted


def test_a_duration_that_may_be_a_second_or_a_thousand_is_refused() -> None:
    with pytest.raises(Invalid, match="not a duration"):
        values.seconds("1,000", "duration_s")
    assert values.seconds("0,000", "duration_s") == 0


@ON_SQLITE
def test_what_became_of_a_call_that_went_out_need_not_be_known(engine: Engine) -> None:
    text = (
        "started_at,caller,dialled,direction,status\n"
        "2026-03-02 09:00,+46701740605,+442079460001,outbound,kundkontakt\n"
    )
    assert dict(import_table(engine, "calls", text).skip_reasons) == {"outgoing call": 1}
