"""The rep's pages without a browser: what is saved, what is refused, what another rep sees."""

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from tests.cast import BOREALIS, BOREALIS_BUYER, CATALOGUE_NUMBER, COBALT, DRIFT, moment
from tests.conftest import ON_BOTH
from tests.web.people import form
from tests.web.ringing import CATALOGUE, FAIR, advertise, ring
from tracking import clock
from tracking.records import answers, contacts, deals
from tracking.records.contacts import Clues
from tracking.records.deals import DealRecord
from tracking.storage import db
from tracking.storage.models import Account, Answer, AuditEntry, Call, Contact
from tracking.storage.vocabulary import CallState, CallStatus, LeadStatus, Outcome, Stage
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
    for words in ("Borealis Foods", "…001", f"{CATALOGUE}, first", "How did you hear about us?"):
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
        ({"source": "1"}, Outcome.answered, None, "search", None),
        ({"source": "web SEARCH"}, Outcome.answered, None, "search", None),
        ({"source": "google"}, Outcome.answered, None, None, "google"),
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


@ON_BOTH
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
    standard = ["Web search", "Referral", "Existing customer", "Trade show", "Print", "Directory"]
    assert labels == [FAIR, *standard, "Newsletter", CATALOGUE]


@ON_BOTH
def test_companies_merged_over_several_steps_are_one_at_the_desk_and_in_every_filter(
    signed_in: Enter, engine: Engine, call_id: int
) -> None:
    """Borealis counts as Cobalt, Cobalt as Drift: each name finds the calls and deals of all three."""
    at = clock.now()
    second = ring(engine, "CA2", at - timedelta(hours=3), caller=COBALT)
    with db.transaction(engine) as session:
        borealis = contacts.account_for(session, Clues(company="Borealis Foods"), at=at)
        cobalt = contacts.account_for(session, Clues(company="Cobalt Dairy", phone=COBALT), at=at)
        drift = contacts.account_for(session, Clues(company="Drift Paper"), at=at)
        for name, clues in (
            ("Pumps", Clues(company="Drift Paper")),
            ("Valves", Clues(company="Cobalt Dairy")),
        ):
            deals.save(
                session,
                DealRecord(
                    clues=clues, stage=Stage.lead, amount_minor=100, currency="EUR", name=name, lead_at=at
                ),
                at=at,
            )
        contacts.merge(session, Account, borealis.id, cobalt.id)
        contacts.merge(session, Account, cobalt.id, drift.id)
    client = signed_in("rep")
    desk = client.get(f"/desk?call={call_id}").text
    assert all(each in desk for each in ("Drift Paper", "Pumps", "Valves", f"/calls/{second}"))
    for name in ("Borealis Foods", "Cobalt", "Drift"):
        listed = client.get("/calls", query_string={"q": name}).text
        assert all(f"/calls/{each}" in listed for each in (call_id, second)), name
        found = client.get("/deals", query_string={"q": name}).text
        assert all(each in found for each in ("Pumps", "Valves")), name


@ON_BOTH
def test_people_merged_over_several_steps_are_found_by_any_of_their_names(
    signed_in: Enter, engine: Engine, call_id: int
) -> None:
    with db.transaction(engine) as session:
        caller = session.get_one(Call, call_id).contact
        caller.name = "Anna Ek"
        others = [
            contacts.introduce(session, [], at=clock.now(), name=name, account=caller.account)
            for name in ("A. Lind", "Anna Lind")
        ]
        session.flush()
        contacts.merge(session, Contact, caller.id, others[0].id)
        contacts.merge(session, Contact, others[0].id, others[1].id)
    for name in ("Anna Ek", "A. Lind", "anna lind"):
        assert f"/calls/{call_id}" in signed_in("rep").get("/calls", query_string={"q": name}).text, name


@ON_BOTH
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
    assert f"Rita has just logged this call: {FAIR}" in refused.text
    assert f'value="{CATALOGUE}" maxlength' in refused.text, "what was typed is still there"
    assert log(second, call_id, source=CATALOGUE)[0] == 303
    answer = standing(engine, call_id)
    assert answer.campaign is not None
    assert (answer.campaign.name, answer.asked_by) == (CATALOGUE, "Mikael")
    assert answer.corrects_id is not None


def test_what_another_rep_saved_is_told_to_who_has_the_call_open(signed_in: Enter, call_id: int) -> None:
    log(signed_in("rep"), call_id, source=FAIR)
    saved = signed_in("marketer").get(f"/desk/{call_id}/saved").json
    assert saved is not None
    assert saved["text"] == f"Rita: {FAIR}"


def test_words_for_not_knowing_are_an_outcome_and_no_source(
    signed_in: Enter, engine: Engine, call_id: int
) -> None:
    assert log(signed_in("rep"), call_id, source="vet inte")[0] == 303
    answer = standing(engine, call_id)
    assert (answer.outcome, answer.channel, answer.verbatim) == (Outcome.unknown, None, "vet inte")


@pytest.mark.parametrize(
    ("status", "minutes", "shown"),
    [
        (CallStatus.ringing, 9, "ringing"),
        (CallStatus.ringing, 11, "end not reported"),
        (CallStatus.answered, 11, "on the line"),
        (CallStatus.answered, 239, "on the line"),
        (CallStatus.answered, 241, "answered"),
    ],
)
def test_a_call_whose_end_was_not_reported_does_not_ring_for_ever(
    signed_in: Enter, engine: Engine, status: CallStatus, minutes: int, shown: str
) -> None:
    advertise(engine, clock.now())
    call = ring(engine, "CA7", clock.now() - timedelta(minutes=minutes), status=status, talk_s=None)
    client = signed_in("rep")
    page = client.get(f"/calls/{call}").text
    assert f"<dd>{shown}</dd>" in page
    row = next(csv.DictReader(io.StringIO(client.get("/calls.csv").text.lstrip("\ufeff"))))
    state = {"end not reported": "unreported", "on the line": "answered", "answered": "completed"}
    wanted = state.get(shown, shown)
    assert row["status"] == wanted
    listed = {name: f"/calls/{call}" in client.get(f"/calls?status={name}").text for name in CallState}
    assert listed == {name: name == wanted for name in CallState}
    desk = client.get(f"/desk?call={call}").text
    assert (f">{shown}</span>" in desk) == (shown != "answered")
    ring(engine, "CA7", clock.now() - timedelta(minutes=minutes), status=CallStatus.completed)
    assert "<dd>answered</dd>" in client.get(f"/calls/{call}").text, "a late report of its end still counts"


def test_colleagues_who_share_a_number_are_told_apart_by_the_rep(
    signed_in: Enter, engine: Engine, call_id: int
) -> None:
    with db.transaction(engine) as session:
        account = contacts.account_of(session, session.get_one(Call, call_id).contact)
        bo = contacts.introduce(session, [], at=clock.now(), name="Bo", account=account)
        session.flush()
        chosen = str(bo.id)
    client = signed_in("rep")
    page = client.get(f"/desk?call={call_id}").text
    assert "2 contacts:" in page
    assert log(client, call_id, source=FAIR, contact=chosen)[0] == 303
    log(client, call_id, source="", contact="new", person="Bea")
    with db.reading(engine) as session:
        call = session.get_one(Call, call_id)
        assert (call.contact.name, call.touch.contact.name) == ("Bea", "Bea")
        assert {answer.contact.name for answer in call.answers} == {"Bea"}
        assert contacts.account_of(session, call.contact).name == "Borealis Foods"


def test_a_person_of_another_company_is_refused(signed_in: Enter, engine: Engine, call_id: int) -> None:
    other = ring(engine, "CA2", clock.now() - timedelta(hours=2), caller=COBALT)
    with db.reading(engine) as session:
        stranger = str(session.get_one(Call, other).contact_id)
    status, page = log(signed_in("rep"), call_id, source=FAIR, contact=stranger)
    assert status == 422
    assert "belongs to another company" in page


def test_a_withheld_caller_who_names_a_known_company_counts_to_it(
    signed_in: Enter, engine: Engine, call_id: int
) -> None:
    withheld = ring(engine, "CA2", clock.now(), caller=None)
    client = signed_in("rep")
    assert "number withheld" in client.get(f"/desk?call={withheld}").text
    log(client, withheld, source=FAIR, company="borealis FOODS", person="Bo")
    with db.reading(engine) as session:
        contact = session.get_one(Call, withheld).contact
        assert (contacts.account_of(session, contact).name, contact.name) == ("Borealis Foods", "Bo")


def test_a_repeated_form_changes_nothing_even_after_another_rep_corrected_it(
    signed_in: Enter, engine: Engine, call_id: int
) -> None:
    rita = signed_in("rep")
    fields = form(rita.get("/desk").text, key="k1", seen="", source=FAIR, note="first")
    rita.post(f"/desk/{call_id}", data=fields)
    log(signed_in("marketer"), call_id, source=CATALOGUE, note="second")
    assert rita.post(f"/desk/{call_id}", data=fields).status_code == 303
    answer = standing(engine, call_id)
    assert answer.campaign is not None
    assert answer.campaign.name == CATALOGUE
    with db.reading(engine) as session:
        assert session.get_one(Call, call_id).note == "second"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"source": ""}, "choose an answer"),
        ({"source": FAIR, "value": "lots"}, "is not an amount"),
        ({"source": FAIR, "lead_status": "maybe"}, "is not a lead status"),
        ({"source": FAIR, "value": "-5"}, "must be 0 or more"),
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


def test_a_value_has_a_currency_and_a_wrong_one_is_refused(
    signed_in: Enter, engine: Engine, call_id: int
) -> None:
    client = signed_in("rep")
    assert log(client, call_id, source=FAIR, value="5000", currency="JPY")[0] == 303
    with db.reading(engine) as session:
        call = session.get_one(Call, call_id)
        assert (call.value_minor, call.currency) == (5000, "JPY")
    status, page = log(client, call_id, source=FAIR, value="5", currency="XX")
    assert status == 422
    assert "is not a currency code" in page


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


def test_a_call_is_entered_by_hand_once_and_credited(signed_in: Enter, engine: Engine, call_id: int) -> None:
    client = signed_in("rep")
    fields = form(
        client.get("/calls/new").text,
        dialled="070-174 06 05",
        withheld="1",
        started_at="2026-03-02T10:00",
        minutes="4",
        key="k1",
    )
    entered = [client.post("/calls/new", data=fields) for _ in range(2)]
    assert [answer.status_code for answer in entered] == [303, 303]
    assert entered[0].location == entered[1].location
    with db.reading(engine) as session:
        call = session.scalars(select(Call).where(Call.provider == "manual")).one()
        assert (call.dialled, call.talk_s, call.caller) == (CATALOGUE_NUMBER, 240, None)
        assert call.touch.campaign is not None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"dialled": ""}, "is not a phone number"),
        ({"caller": "12"}, "&#39;12&#39; is not a phone number"),
        ({"caller": ""}, "tick &#34;withheld&#34;"),
        ({"withheld": "1"}, "not both"),
        ({"started_at": ""}, "enter the call time"),
        ({"started_at": "yesterday"}, "is not a date and time"),
        ({"started_at": "2126-01-01T10:00"}, "is in the future"),
        ({"minutes": "four"}, "is not a whole number"),
        ({"minutes": "-1"}, "must be 0 to 1440 minutes"),
        ({"went": "well"}, "choose one from the list"),
        ({"caller_name": "x" * 201}, "must be 200 characters or fewer"),
    ],
)
def test_a_call_that_cannot_be_is_refused(signed_in: Enter, fields: dict[str, str], reason: str) -> None:
    client = signed_in("rep")
    given = {"dialled": CATALOGUE_NUMBER, "caller": COBALT, "started_at": "2026-03-02T10:00"} | fields
    refused = client.post("/calls/new", data=form(client.get("/calls/new").text, **given))
    assert refused.status_code == 422
    assert reason in refused.text


@ON_BOTH
def test_the_asked_rate_counts_qualifying_calls_and_those_nobody_logged(engine: Engine) -> None:
    """Five calls: two first ones asked about, one first not asked, one first unlogged, one second call."""
    at = clock.now()
    advertise(engine, at)
    callers = [BOREALIS, COBALT, BOREALIS_BUYER, DRIFT, BOREALIS]
    ids = [
        ring(engine, f"CA{n}", at - timedelta(hours=9 - n), caller=caller) for n, caller in enumerate(callers)
    ]
    told = [
        (ids[0], Outcome.declined, "Rita"),
        (ids[1], Outcome.not_asked, "Rita"),
        (ids[2], Outcome.declined, "Rolf"),
        (ids[4], Outcome.declined, "Rolf"),
    ]
    with db.transaction(engine) as session:
        for call_id, outcome, rep in told:
            call = session.get_one(Call, call_id)
            answers.log(session, outcome, asked_at=at, asked_by=rep, call=call)
        found = answers.asking(session, since=at - timedelta(days=7))
    rows = [(row.rep, row.logged, row.qualifying, row.asked, row.rate) for row in found]
    assert rows == [("Rita", 2, 2, 1, 0.5), ("Rolf", 2, 1, 1, 1.0), (None, 0, 1, 0, 0.0)]


@ON_BOTH
def test_missed_callers_wait_until_somebody_logged_them_or_talked_to_them(
    signed_in: Enter, engine: Engine, call_id: int
) -> None:
    at = clock.now()
    missed = {"status": CallStatus.missed, "talk_s": None}
    unreached = ring(engine, "CA2", at - timedelta(minutes=9), caller=COBALT, **missed)
    logged = ring(engine, "CA3", at - timedelta(minutes=8), caller=BOREALIS_BUYER, **missed)
    ring(engine, "CA4", at - timedelta(minutes=7), caller=DRIFT, **missed)
    ring(engine, "CA5", at - timedelta(minutes=6), caller=DRIFT)
    client = signed_in("rep")
    log(client, logged, outcome="not_asked")
    page = client.get("/desk/unasked?days=7").text
    asked = re.findall(r'formaction="/calls/(\d+)/number"', page)
    assert [int(number) for number in asked] == [unreached]
    assert COBALT not in page
    shown = client.post(f"/calls/{unreached}/number", data=form(page), headers={"HX-Request": "true"}).text
    assert f'href="tel:{COBALT}"' in shown
    assert "<html" not in shown


@ON_BOTH
def test_the_page_of_unlogged_calls_says_who_asks(signed_in: Enter, engine: Engine, call_id: int) -> None:
    client = signed_in("rep")
    assert "Borealis Foods" in client.get("/desk/unasked").text
    log(client, call_id, outcome="not_asked")
    page = client.get("/desk/unasked").text
    for words in ("All calls are logged", "Rita", "0.0%"):
        assert words in page


FILTERS = {
    "": {"CA1", "CA2", "CA3"},
    f"campaign={CATALOGUE}": {"CA1", "CA3"},
    "campaign=-": {"CA2"},
    "status=missed": {"CA2"},
    "asked=unlogged": {"CA1"},
    "asked=logged": {"CA2", "CA3"},
    "asked=yes": {"CA3"},
    "asked=no": {"CA2"},
    "by=Rita": {"CA2", "CA3"},
    "lead=good_lead": {"CA3"},
    "lead=-": {"CA1", "CA2"},
    "q=borealis": {"CA1", "CA3"},
    "q=FOODS": {"CA1", "CA3"},
    "q=0003": {"CA2"},
    "q=9 9": {"CA2"},
    "q=%25": set(),
    "q=%2B44 20 7946 0003": {"CA2"},
    "from=2026-03-02&to=2026-03-02": {"CA1"},
    "spam=yes": set(),
}


@ON_BOTH
def test_calls_are_found_by_every_filter_of_the_address(signed_in: Enter, engine: Engine) -> None:
    advertise(engine, moment("2026-01-01"))
    first = ring(engine, "CA1", moment("2026-03-02 09:00"))
    second = ring(
        engine, "CA2", moment("2026-03-03 09:00"), caller=COBALT, to="+46701740699", status=CallStatus.missed
    )
    third = ring(engine, "CA3", moment("2026-03-04 09:00"))
    client = signed_in("rep")
    log(client, second, outcome="not_asked")
    log(client, third, source=FAIR, lead_status="good_lead")
    ids = {"CA1": first, "CA2": second, "CA3": third}
    found = {}
    for query in FILTERS:
        page = client.get(f"/calls?{query}").text
        found[query] = {name for name, row in ids.items() if f'href="/calls/{row}"' in page}
    assert found == FILTERS


@pytest.mark.parametrize(
    "query", ["status=lost", "lead=king", "from=spring", "asked=maybe", "before=x", "after=9-"]
)
def test_a_wrong_filter_is_explained(signed_in: Enter, query: str) -> None:
    assert signed_in("rep").get(f"/calls?{query}").status_code == 422


@ON_BOTH
def test_pages_of_calls_go_back_and_forth_without_gap_or_repetition(signed_in: Enter, engine: Engine) -> None:
    at = clock.now()
    advertise(engine, at)
    # Three ring at every moment, so that pages end among calls of one moment.
    made = [ring(engine, f"CA{n}", at - timedelta(minutes=n // 3)) for n in range(120)]
    newest = sorted(made, key=lambda row: (-((row - made[0]) // 3), row), reverse=True)
    client = signed_in("rep")

    def shown(page: str) -> list[int]:
        return [int(row) for row in re.findall(r'href="/calls/(\d+)"', page)]

    def follow(page: str, relation: str) -> str | None:
        found = re.search(rf'rel="{relation}" href="([^"]+)"', page)
        return client.get(unescape(found[1])).text if found else None

    pages = [client.get("/calls?spam=no").text]
    while (page := follow(pages[-1], "next")) is not None:
        pages.append(page)
    assert [row for page in pages for row in shown(page)] == newest
    assert [len(shown(page)) for page in pages] == [50, 50, 20]
    back = follow(pages[2], "prev")
    assert back is not None
    assert shown(back) == shown(pages[1])
    first = follow(back, "prev")
    assert first is not None
    assert shown(first) == shown(pages[0])
    assert follow(first, "prev") is None


def test_a_call_is_judged_on_its_own_page_and_the_judgement_taken_back(
    signed_in: Enter, engine: Engine, call_id: int
) -> None:
    client = signed_in("rep")
    token = form(client.get(f"/calls/{call_id}").text)
    given = {"lead_status": "good_lead", "value": "10", "tags": "urgent, spares", "note": "n", "spam": "1"}
    assert client.post(f"/calls/{call_id}/judge", data=token | given).status_code == 303
    with db.reading(engine) as session:
        call = session.get_one(Call, call_id)
        assert (call.lead_status, call.value_minor, call.spam) == (LeadStatus.good_lead, 1000, True)
        assert (call.tags, call.note) == (["spares", "urgent"], "n")
    assert client.post(f"/calls/{call_id}/judge", data=token).status_code == 303
    with db.reading(engine) as session:
        call = session.get_one(Call, call_id)
        assert (call.lead_status, call.value_minor, call.spam) == (None, None, False)
        assert (call.tags, call.note) == ([], "")
    refused = client.post(f"/calls/{call_id}/judge", data=token | {"value": "lots", "note": "keep me"})
    assert refused.status_code == 422
    assert "is not an amount" in refused.text
    assert "keep me" in refused.text


def test_corrections_stand_beside_what_they_correct_on_the_page_of_a_call(
    signed_in: Enter, call_id: int
) -> None:
    client = signed_in("rep")
    log(client, call_id, source=FAIR)
    log(client, call_id, source="my uncle")
    page = client.get(f"/calls/{call_id}").text
    assert page.index("replaced") < page.index("my uncle") < page.index("current</td>")


@pytest.mark.parametrize("role", ["viewer", "rep", "administrator"])
def test_everybody_sees_numbers_in_part_until_he_asks(signed_in: Enter, call_id: int, role: str) -> None:
    client = signed_in(role)
    paths = ["/calls", f"/calls/{call_id}", "/calls.csv", "/", "/search?q=borealis"]
    for path in paths + ["/desk", "/desk/unasked"] * (role != "viewer"):
        answer = client.get(path)
        assert (answer.status_code, BOREALIS[3:] in answer.text) == (200, False), path


@ON_BOTH
def test_a_number_in_full_is_for_who_may_see_it_and_goes_on_record(
    signed_in: Enter, engine: Engine, call_id: int
) -> None:
    address = f"/calls/{call_id}/number"
    viewer, rep = signed_in("viewer"), signed_in("rep")
    for path in (address, "/calls.csv"):
        assert viewer.post(path, data=form(viewer.get("/calls").text)).status_code == 403
    assert address not in viewer.get(f"/calls/{call_id}").text
    assert viewer.get("/desk").status_code == 403
    token = form(rep.get(f"/calls/{call_id}").text)
    assert f'href="tel:{BOREALIS}"' in rep.post(address, data=token).text
    assert BOREALIS in rep.post("/calls.csv?status=completed&q=Borealis", data=token).text
    assert rep.post("/calls/999/number", data=token).status_code == 404
    with db.reading(engine) as session:
        trail = select(AuditEntry.action, AuditEntry.subject).where(AuditEntry.actor == "rita@acme.example")
        assert [tuple(row) for row in session.execute(trail.order_by(AuditEntry.id))][1:] == [
            ("number show", f"call {call_id}"),
            ("calls export in full", "status completed"),
        ]


@pytest.mark.parametrize("path", ["/calls", "/calls/{}", "/calls.csv", "/desk?call={}", "/search?q=00123"])
def test_a_number_in_the_place_of_a_name_is_shown_in_part(
    signed_in: Enter, engine: Engine, call_id: int, path: str
) -> None:
    odd = ring(engine, "CA8", clock.now(), caller=DRIFT)
    with db.transaction(engine) as session:
        session.get_one(Call, odd).caller_name = DRIFT
    assert DRIFT not in signed_in("rep").get(path.format(odd)).text


def test_the_file_of_calls_holds_numbers_and_no_formula(
    signed_in: Enter, engine: Engine, call_id: int
) -> None:
    client = signed_in("rep")
    log(client, call_id, source="=1+1", note="+cmd|' /C calc'!A0")
    page = client.get("/calls").text
    text = client.post("/calls.csv", data=form(page)).text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
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


def test_a_practice_call_that_is_over_leads_back_to_the_desk(signed_in: Enter) -> None:
    over = signed_in("rep").get("/desk?practice=99")
    assert (over.status_code, over.location) == (303, "/desk")
