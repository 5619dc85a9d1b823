"""The rep's pages without a browser: what is saved, what is refused, what another rep sees."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from tests.cast import BOREALIS, CATALOGUE_NUMBER, COBALT
from tests.web.people import form
from tests.web.ringing import CATALOGUE, FAIR, advertise, ring
from tracking import answers, clock, contacts, db
from tracking.models import Answer, Call
from tracking.vocabulary import CallStatus, LeadStatus, Outcome
from tracking.web.calls import harmless

Enter = Callable[[str], FlaskClient]
SCRIPT = '<script>alert(1)</script>" onload="alert(2)'


@pytest.fixture
def call_id(engine: Engine) -> int:
    """A call of Borealis that nobody has logged."""
    advertise(engine, clock.now())
    return ring(engine, "CA1", clock.now() - timedelta(hours=1))


def log(client: FlaskClient, call_id: int, **fields: str) -> tuple[int, str]:
    """Fill in the form of a call as it is shown now, and return status and page."""
    page = client.get(f"/desk?call={call_id}").text
    hidden = {name: page.split(f'name="{name}" value="')[1].split('"')[0] for name in ("key", "seen")}
    answer = client.post(f"/desk/{call_id}", data=form(page, **hidden | fields))
    return answer.status_code, answer.text


def standing(engine: Engine, call_id: int) -> Answer:
    with db.transaction(engine) as session:
        answer = answers.standing(session, session.get_one(Call, call_id))
        assert answer is not None
        assert answer.campaign is None or answer.campaign.name
        return answer


def test_the_desk_shows_who_calls_and_on_which_material(signed_in: Enter, call_id: int) -> None:
    page = signed_in("rep").get("/desk").text
    for words in ("Borealis Foods", BOREALIS, f"{CATALOGUE}, first", "Where did you hear about us?"):
        assert words in page


def test_a_picked_answer_is_a_campaign_and_the_tracked_source_stays(
    signed_in: Enter, engine: Engine, call_id: int
) -> None:
    status, _ = log(signed_in("rep"), call_id, source=FAIR, lead_status="good_lead", value="1 250,50")
    assert status == 303
    answer = standing(engine, call_id)
    assert (answer.outcome, answer.campaign.name if answer.campaign else None) == (Outcome.answered, FAIR)
    assert answer.asked_by == "Rita"
    with db.reading(engine) as session:
        call = session.get_one(Call, call_id)
        assert call.touch.campaign is not None
        assert call.touch.campaign.name == CATALOGUE
        assert (call.lead_status, call.value_minor) == (LeadStatus.good_lead, 125_050)


@pytest.mark.parametrize(
    ("fields", "outcome", "campaign", "channel", "verbatim"),
    [
        ({"source": "1"}, Outcome.answered, CATALOGUE, None, None),
        ({"source": "pump FAIR"}, Outcome.answered, FAIR, None, None),
        ({"source": "Print"}, Outcome.answered, None, "print", None),
        ({"source": "my uncle"}, Outcome.answered, None, None, "my uncle"),
        ({"source": FAIR, "verbatim": "at your stand"}, Outcome.answered, FAIR, None, "at your stand"),
        ({"outcome": "not_asked"}, Outcome.not_asked, None, None, None),
        ({"outcome": "declined"}, Outcome.declined, None, None, None),
    ],
)
def test_what_is_typed_is_understood_or_kept_word_for_word(
    signed_in: Enter,
    engine: Engine,
    call_id: int,
    fields: dict[str, str],
    outcome: Outcome,
    campaign: str | None,
    channel: str | None,
    verbatim: str | None,
) -> None:
    assert log(signed_in("rep"), call_id, **fields)[0] == 303
    answer = standing(engine, call_id)
    named = answer.campaign.name if answer.campaign else None
    assert (answer.outcome, named, answer.channel, answer.verbatim) == (outcome, campaign, channel, verbatim)


def test_the_commonest_answers_of_the_year_come_first(engine: Engine, call_id: int) -> None:
    at = clock.now()
    rang = [ring(engine, f"CAx{n}", at - timedelta(days=n + 1)) for n in range(3)]
    with db.transaction(engine) as session:
        for number in rang:
            call = session.get_one(Call, number)
            fair = answers.understand(session, FAIR)
            assert fair is not None
            answers.log(session, Outcome.answered, asked_at=at, call=call, campaign=fair.campaign)
    with db.reading(engine) as session:
        labels = [source.label for source in answers.commonest(session, since=at - timedelta(days=365))]
    assert labels == [FAIR, CATALOGUE]


def test_the_same_form_sent_twice_makes_one_answer(signed_in: Enter, engine: Engine, call_id: int) -> None:
    client = signed_in("rep")
    fields = form(client.get("/desk").text, key="k1", seen="", source=FAIR)
    assert [client.post(f"/desk/{call_id}", data=fields).status_code for _ in range(2)] == [303, 303]
    with db.reading(engine) as session:
        assert len(session.scalars(select(Answer).where(Answer.call_id == call_id)).all()) == 1


def test_who_comes_second_sees_what_the_first_saved_before_correcting_it(
    signed_in: Enter, engine: Engine, call_id: int
) -> None:
    second = signed_in("marketer")
    page = second.get(f"/desk?call={call_id}").text
    log(signed_in("rep"), call_id, source=FAIR)
    refused = second.post(f"/desk/{call_id}", data=form(page, key="k2", seen="", source=CATALOGUE))
    assert refused.status_code == 409
    assert f"Rita has logged this call meanwhile: {FAIR}" in refused.text
    assert f'value="{CATALOGUE}" autofocus' in refused.text, "what was typed is still there"
    assert log(second, call_id, source=CATALOGUE)[0] == 303
    answer = standing(engine, call_id)
    assert answer.campaign is not None
    assert (answer.campaign.name, answer.asked_by) == (CATALOGUE, "Mikael")
    assert answer.corrects_id is not None


def test_two_reps_at_one_call_see_each_other(signed_in: Enter, call_id: int) -> None:
    rita, mikael = signed_in("rep"), signed_in("marketer")
    page = form(rita.get("/desk").text, call=str(call_id))
    assert rita.post("/desk/now", data=page).json["others"] == []
    there = form(mikael.get("/desk").text, call=str(call_id))
    assert mikael.post("/desk/now", data=there).json["others"] == ["Rita"]
    assert rita.post("/desk/now", data=page).json["others"] == ["Mikael"]


def test_a_ringing_call_is_told_with_who_it_is(signed_in: Enter, engine: Engine, call_id: int) -> None:
    client = signed_in("rep")
    new = ring(engine, "CA2", clock.now(), status=CallStatus.ringing, talk_s=None)
    page = form(client.get("/calls").text)
    told = client.post("/desk/now", data=page).json["ringing"]
    assert told == [{"id": new, "title": "Borealis Foods", "dialled": f"{CATALOGUE}: {CATALOGUE}, first"}]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"source": ""}, "pick an answer"),
        ({"source": FAIR, "value": "lots"}, "is not an amount"),
        ({"source": FAIR, "lead_status": "maybe"}, "is no judgement"),
        ({"source": FAIR, "value": "-5"}, "is negative"),
    ],
)
def test_what_cannot_be_saved_is_said_and_nothing_is(
    signed_in: Enter, engine: Engine, call_id: int, fields: dict[str, str], reason: str
) -> None:
    status, page = log(signed_in("rep"), call_id, **fields, note="keep me")
    assert status == 422
    assert reason in page
    assert "keep me" in page
    with db.reading(engine) as session:
        assert session.scalars(select(Answer)).all() == []


def test_a_judgement_can_be_taken_back(signed_in: Enter, engine: Engine, call_id: int) -> None:
    client = signed_in("rep")
    log(client, call_id, source=FAIR, lead_status="good_lead", value="100")
    log(client, call_id, source=FAIR, lead_status="", value="")
    with db.reading(engine) as session:
        call = session.get_one(Call, call_id)
        assert (call.lead_status, call.value_minor, call.currency) == (None, None, None)


def test_an_unknown_caller_gets_a_company_and_the_next_call_knows_it(
    signed_in: Enter, engine: Engine, call_id: int
) -> None:
    at = clock.now()
    unknown = ring(engine, "CA2", at - timedelta(minutes=5), caller=COBALT)
    log(signed_in("rep"), unknown, source="a colleague", company="Cobalt Mining", person="Carl")
    again = ring(engine, "CA3", at, caller=COBALT)
    with db.reading(engine) as session:
        contact = session.get_one(Call, again).contact
        assert contacts.account_of(session, contact).name == "Cobalt Mining"
        assert contact.name == "Carl"


def test_a_call_is_entered_by_hand_and_credited(signed_in: Enter, engine: Engine, call_id: int) -> None:
    client = signed_in("rep")
    page = client.get("/calls/new").text
    entered = client.post(
        "/calls/new",
        data=form(page, dialled="070-174 06 05", caller="", started_at="2026-03-02T10:00", minutes="4"),
    )
    assert entered.status_code == 303
    with db.reading(engine) as session:
        call = session.scalars(select(Call).where(Call.provider == "manual")).one()
        assert (call.dialled, call.talk_s, call.caller) == (CATALOGUE_NUMBER, 240, None)
        assert call.touch.campaign is not None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"dialled": ""}, "dialled"),
        ({"caller": "12"}, "12"),
        ({"started_at": "yesterday"}, "is not a moment"),
        ({"started_at": "2126-01-01T10:00"}, "lies in the future"),
        ({"minutes": "four"}, "is not a whole number"),
        ({"minutes": "-1"}, "is negative"),
    ],
)
def test_a_call_that_cannot_be_is_refused(signed_in: Enter, fields: dict[str, str], reason: str) -> None:
    client = signed_in("rep")
    given = {"dialled": CATALOGUE_NUMBER, "started_at": "2026-03-02T10:00"} | fields
    refused = client.post("/calls/new", data=form(client.get("/calls/new").text, **given))
    assert refused.status_code == 422
    assert reason in refused.text


def test_unlogged_and_missed_calls_are_listed_with_who_asks(
    signed_in: Enter, engine: Engine, call_id: int
) -> None:
    ring(engine, "CA2", clock.now(), caller=COBALT, status=CallStatus.missed, talk_s=None)
    client = signed_in("rep")
    page = client.get("/desk/unasked").text
    assert f'href="tel:{COBALT}"' in page
    assert "Nothing has been logged" in page
    log(client, call_id, outcome="not_asked")
    page = client.get("/desk/unasked").text
    assert "Every call is logged" in page
    assert "Rita" in page
    assert "0.0 %" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"CA1", "CA2", "CA3"}),
        (f"campaign={CATALOGUE}", {"CA1", "CA3"}),
        ("campaign=-", {"CA2"}),
        ("status=missed", {"CA2"}),
        ("logged=no", {"CA1", "CA2"}),
        ("logged=yes", {"CA3"}),
        ("lead=good_lead", {"CA3"}),
        ("lead=-", {"CA1", "CA2"}),
        ("q=borealis", {"CA1", "CA3"}),
        ("q=%2B44 20 7946 0003", {"CA2"}),
        ("from=2026-03-02&to=2026-03-02", {"CA1"}),
        ("spam=yes", set()),
    ],
)
def test_calls_are_found_by_every_filter_of_the_address(
    signed_in: Enter, engine: Engine, query: str, found: set[str]
) -> None:
    from tests.cast import moment

    advertise(engine, moment("2026-01-01"))
    first = ring(engine, "CA1", moment("2026-03-02 09:00"))
    second = ring(
        engine, "CA2", moment("2026-03-03 09:00"), caller=COBALT, to="+46701740699", status=CallStatus.missed
    )
    third = ring(engine, "CA3", moment("2026-03-04 09:00"))
    client = signed_in("rep")
    log(client, third, source=FAIR, lead_status="good_lead")
    page = client.get(f"/calls?{query}").text
    ids = {"CA1": first, "CA2": second, "CA3": third}
    assert {name for name, row in ids.items() if f'href="/calls/{row}"' in page} == found


@pytest.mark.parametrize("query", ["status=lost", "lead=king", "from=spring"])
def test_a_wrong_filter_is_explained(signed_in: Enter, query: str) -> None:
    assert signed_in("rep").get(f"/calls?{query}").status_code == 422


def test_a_viewer_sees_numbers_in_part_and_cannot_log(signed_in: Enter, call_id: int) -> None:
    client = signed_in("viewer")
    for path in ("/calls", f"/calls/{call_id}", "/calls.csv"):
        assert BOREALIS not in client.get(path).text
    assert client.get("/desk").status_code == 403


def test_the_file_of_calls_holds_numbers_and_no_formula(
    signed_in: Enter, engine: Engine, call_id: int
) -> None:
    client = signed_in("rep")
    log(client, call_id, source="=1+1", note="+cmd|' /C calc'!A0")
    text = client.get("/calls.csv").text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    [row] = csv.DictReader(io.StringIO(text))
    assert (row["caller"], row["answer"], row["note"]) == (BOREALIS, "'=1+1", "'+cmd|' /C calc'!A0")


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("+46701740605", "+46701740605"),
        ("+1 of 2", "'+1 of 2"),
        ("@x", "'@x"),
        ("-", "'-"),
        ("a=b", "a=b"),
        (5, 5),
    ],
)
def test_cells_that_a_spreadsheet_would_run_are_made_harmless(cell: object, written: object) -> None:
    assert harmless(cell) == written


@pytest.mark.parametrize("path", ["/desk?call={}", "/calls", "/calls/{}", "/desk/unasked"])
def test_a_script_in_any_field_is_text(signed_in: Enter, engine: Engine, call_id: int, path: str) -> None:
    client = signed_in("rep")
    unknown = ring(engine, "CA9", clock.now(), caller=COBALT)
    log(client, unknown, source=SCRIPT, company=SCRIPT, person=SCRIPT, note=SCRIPT)
    page = client.get(path.format(unknown)).text
    assert "<script>alert" not in page
    assert '" onload="alert' not in page
