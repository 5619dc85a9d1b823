"""Companies and deals in the pages: found, merged and parted, told along time, explained touch by touch."""

import re
from collections.abc import Callable
from urllib.parse import quote_plus

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from tests.cast import BOREALIS, BOREALIS_BUYER, FAIR_NUMBER, moment
from tests.conftest import ON_BOTH
from tests.web.people import form
from tests.web.ringing import CATALOGUE, FAIR, advertise, ring
from tests.web.test_decide import text
from tracking import clock
from tracking.records import contacts
from tracking.records.contacts import Clues
from tracking.storage import db
from tracking.storage.models import Account, AuditEntry, Contact, Deal
from tracking.storage.vocabulary import Stage

Enter = Callable[[str], FlaskClient]
SCRIPT = '<script>alert(1)</script>" onload="alert(2)'
DEAL = {"company": "Borealis Foods", "stage": "won", "amount_minor": "1 000", "closed_at": "2026-04-01T12:00"}


def sent(client: FlaskClient, path: str, **fields: str) -> tuple[int, str]:
    answer = client.post(path, data=form(client.get("/account").text, **fields))
    return answer.status_code, answer.headers.get("Location", "") or answer.text


@pytest.fixture
def borealis(engine: Engine) -> int:
    """Borealis Foods, which called on the catalogue's number and ten days later on the fair's."""
    advertise(engine, moment("2026-01-01"))
    ring(engine, "CA1", moment("2026-03-01 09:00"))
    ring(engine, "CA2", moment("2026-03-11 09:00"), to=FAIR_NUMBER)
    with db.reading(engine) as session:
        return session.scalars(select(Account.id).where(Account.name == "Borealis Foods")).one()


@ON_BOTH
@pytest.mark.parametrize("text", ["borealis", "BOREALIS F", BOREALIS, "+44 20 7946 0001"])
def test_a_company_is_found_by_name_or_by_a_whole_number(signed_in: Enter, borealis: int, text: str) -> None:
    page = signed_in("rep").get("/companies", query_string={"q": text}).text
    assert f'href="/companies/{borealis}"' in page


@ON_BOTH
def test_a_timeline_tells_calls_answers_and_deals_the_latest_first(
    signed_in: Enter, engine: Engine, borealis: int
) -> None:
    client = signed_in("marketer")
    sent(client, "/deals/new", **DEAL, name="Two pumps")
    page = client.get(f"/companies/{borealis}").text
    places = [page.index(words) for words in ("Two pumps", f"{FAIR}, first", f"{CATALOGUE}, first")]
    assert places == sorted(places)
    only = client.get(f"/companies/{borealis}?kind=deal").text
    assert "Two pumps" in only
    assert f"{FAIR}, first" not in only


def test_two_companies_become_one_and_are_parted_again(
    signed_in: Enter, engine: Engine, borealis: int
) -> None:
    with db.transaction(engine) as session:
        clues = Clues(company="Borealis GmbH", phone=BOREALIS_BUYER)
        other = contacts.account_for(session, clues, at=clock.now()).id
    client = signed_in("marketer")
    assert "Borealis Foods" in client.get(f"/companies/{other}/merge?q=borealis").text
    assert sent(client, f"/companies/{other}/merge", into=str(borealis))[0] == 303
    page = client.get(f"/companies/{borealis}").text
    assert "Borealis GmbH" in page
    assert "…002" in page, "its people are the whole company's"
    assert sent(client, f"/companies/{other}/merge", into=str(borealis))[0] == 409
    assert sent(client, f"/companies/{other}/part")[0] == 303
    assert "Borealis GmbH" not in client.get(f"/companies/{borealis}").text


def test_a_company_cannot_count_as_itself_or_as_nobody(signed_in: Enter, borealis: int) -> None:
    client = signed_in("marketer")
    assert sent(client, f"/companies/{borealis}/merge", into=str(borealis))[0] == 422
    assert sent(client, f"/companies/{borealis}/merge", into="99999")[0] == 404


def test_people_are_renamed_merged_and_parted(signed_in: Enter, engine: Engine, borealis: int) -> None:
    with db.transaction(engine) as session:
        clues = Clues(company="Borealis Foods", phone=BOREALIS_BUYER, person="Bo")
        contacts.account_for(session, clues, at=clock.now())
    with db.reading(engine) as session:
        first, second = session.scalars(
            select(Contact.id).where(Contact.account_id == borealis).order_by(Contact.id)
        ).all()
    client = signed_in("marketer")
    assert sent(client, f"/contacts/{first}", do="rename", name="Berta")[0] == 303
    assert sent(client, f"/contacts/{second}", do="merge", into=str(first))[0] == 303
    page = client.get(f"/companies/{borealis}").text
    assert "Berta" in page
    assert f"merged into {first}" in page
    assert sent(client, f"/contacts/{second}", do="part")[0] == 303
    assert sent(client, f"/contacts/{second}", do="dance")[0] == 422


@ON_BOTH
def test_companies_of_one_name_are_proposed_for_merging(signed_in: Enter, engine: Engine) -> None:
    with db.transaction(engine) as session:
        for _ in range(2):
            row = Account(created_at=clock.now())
            contacts.rename(row, "Cobalt  Mining")
            session.add(row)
    assert "Cobalt Mining (2)" in signed_in("viewer").get("/companies").text


@ON_BOTH
def test_a_contacts_numbers_are_shown_to_who_may_see_them_and_asks_which_is_put_on_record(
    signed_in: Enter, engine: Engine, borealis: int
) -> None:
    with db.reading(engine) as session:
        person = session.scalars(select(Contact.id)).first()
    address = f"/contacts/{person}/numbers"
    for role in ("viewer", "rep"):
        assert BOREALIS not in signed_in(role).get(f"/companies/{borealis}").text
    assert sent(signed_in("viewer"), address)[0] == 403
    status, page = sent(signed_in("rep"), address)
    assert (status, f'href="tel:{BOREALIS}"' in page) == (200, True)
    assert sent(signed_in("rep"), "/contacts/999/numbers")[0] == 404
    with db.reading(engine) as session:
        shown = select(AuditEntry.actor, AuditEntry.subject).where(AuditEntry.action == "number show")
        assert session.execute(shown).all() == [("rita@acme.example", f"contact {person}")]


def found(who: FlaskClient, page: str, text: str) -> str:
    """Return what a page says to a search, without the search and what differs each time."""
    answer = who.get(page, query_string={"q": text})
    assert answer.status_code == 200
    return re.sub(r"[\w.-]{40,}", "", answer.text).replace(quote_plus(text), "").replace(text, "")


@pytest.mark.parametrize("page", ["/search", "/companies", "/calls"])
@pytest.mark.parametrize(
    ("known", "unknown"), [(BOREALIS, "+442079460099"), ("79460001", "79460099"), ("60001", "60099")]
)
def test_a_search_does_not_tell_who_may_not_see_numbers_whether_one_is_there(
    signed_in: Enter, borealis: int, page: str, known: str, unknown: str
) -> None:
    viewer, rep = signed_in("viewer"), signed_in("rep")
    assert found(viewer, page, known) == found(viewer, page, unknown)
    if known == BOREALIS:
        assert found(rep, page, known) != found(rep, page, unknown), "who may see them finds them"


def test_a_number_that_stands_for_a_name_is_found_by_no_part_of_it_by_who_may_not_see_numbers(
    signed_in: Enter, engine: Engine, borealis: int
) -> None:
    with db.transaction(engine) as session:
        person = session.scalars(select(Contact)).first()
        assert person is not None
        person.name = BOREALIS
        firm = session.get_one(Account, borealis)
        contacts.rename(firm, BOREALIS)
        session.add(Deal(account=firm, stage=Stage.lead, currency="EUR", created_at=clock.now()))
    viewer, rep = signed_in("viewer"), signed_in("rep")
    for page in ("/search", "/companies", "/calls", "/deals"):
        assert found(rep, page, "+4420") != found(rep, page, "+4429"), "who may see them finds them"
        for part in ("+4420", "+44 20 794", BOREALIS[:-1]):
            assert found(viewer, page, part) == found(viewer, page, "+4429")


def test_a_view_of_others_that_looks_for_a_number_is_for_who_may_see_numbers(signed_in: Enter) -> None:
    views = {"hers": f"/calls?q={quote_plus(BOREALIS)}", "spring": "/calls?from=2026-03-01&to=2026-05-31"}
    marketer = signed_in("marketer")
    for name, path in views.items():
        fields = form(marketer.get("/account").text, name=name, path=path, shared="yes")
        assert marketer.post("/views", data=fields).status_code == 303
    for role, seen in (("viewer", False), ("rep", True)):
        page = signed_in(role).get("/views").text
        assert ("79460001" in page, "spring" in page) == (seen, True)


@ON_BOTH
def test_a_deal_is_explained_touch_by_touch_under_each_model(
    signed_in: Enter, engine: Engine, borealis: int
) -> None:
    client = signed_in("marketer")
    ring(engine, "old", moment("2024-01-01 09:00"))
    ring(engine, "late", moment("2026-05-01 09:00"))
    status, address = sent(client, "/deals/new", **DEAL)
    assert status == 303
    page = client.get(address).text
    # 1,000.00 over two touches in the window: linear gives each half, first and last touch all to one.
    assert page.count("€500.00") >= 2
    assert page.count("€1,000.00") > 8
    assert "before the window" in page
    assert "after the deal was won" in page
    said = text(page)
    # Under position-based both have half of it: neither is first, and the models that name one are told.
    assert f"{CATALOGUE}, {FAIR} tie for the largest share under position-based" in said
    assert re.search(rf"Other models differ: first-touch: {CATALOGUE}, last-touch: {FAIR}", said)
    # Along time: before the window, two touches with their shares, the order, and what came after it.
    journey = said.split("Share under position-based")[1].split("All models as a table")[0]
    assert re.findall(r"50\.0% [\d.]+% – [\d.]+%", journey) == ["50.0% 0.0% – 100.0%"] * 2
    assert (
        journey.index("before the window") < journey.index("50.0%") < journey.index("after the deal was won")
    )
    assert "days without a touch" in journey


def test_models_that_learn_from_all_journeys_share_a_deal_over_campaigns(
    signed_in: Enter, borealis: int
) -> None:
    client = signed_in("marketer")
    _, address = sent(client, "/deals/new", **DEAL)
    assert "learnt=1" in client.get(address).text
    page = client.get(f"{address}?learnt=1").text.split('id="learnt"')[1]
    rows = [re.findall(r"€([\d,.]+)", row) for row in page.split("<tr")[2:]]
    # The only buyer met both campaigns once, so Shapley cannot tell them apart, and Markov has no choice.
    assert rows == [["500.00"], ["500.00"], ["1,000.00"]]
    assert "markov: all touches have the same source" in page
    assert "self-reported: no caller answers yet" in page


def test_a_deal_without_a_touch_says_that_it_is_unattributed(signed_in: Enter, engine: Engine) -> None:
    client = signed_in("marketer")
    _, address = sent(client, "/deals/new", **DEAL | {"company": "Cobalt Mining"})
    assert "leave this deal unattributed" in client.get(address).text


def test_a_deal_is_changed_and_what_is_emptied_is_empty(
    signed_in: Enter, engine: Engine, borealis: int
) -> None:
    client = signed_in("marketer")
    _, address = sent(client, "/deals/new", **DEAL, margin_minor="300", lead_at="2026-03-01T09:00")
    changed = DEAL | {"stage": "opportunity", "closed_at": "", "amount_minor": "900"}
    assert sent(client, f"{address}/change", **changed)[0] == 303
    with db.reading(engine) as session:
        deal = session.scalars(select(Deal)).one()
        assert (deal.stage, deal.closed_at, deal.margin_minor) == ("opportunity", None, None)
        assert (deal.amount_minor, deal.lead_at) == (90_000, None)
    assert "Credit is split once the deal is won." in client.get(address).text


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"company": ""}, "this deal has no company"),
        ({"stage": "dreamt"}, "is not an option"),
        ({"amount_minor": ""}, "enter the deal value"),
        ({"amount_minor": "lots"}, "is not an amount"),
        ({"closed_at": ""}, "enter the close date"),
        ({"closed_at": "soon"}, "is not a date and time"),
        ({"currency": "EURO"}, "is not a currency code"),
    ],
)
def test_what_is_wrong_with_a_deal_is_said_and_what_was_typed_stays(
    signed_in: Enter, fields: dict[str, str], reason: str
) -> None:
    status, page = sent(signed_in("marketer"), "/deals/new", **DEAL | {"name": "keep me"} | fields)
    assert status == 422
    assert reason in page
    assert "keep me" in page


def test_scripts_in_names_are_text(signed_in: Enter, engine: Engine) -> None:
    client = signed_in("marketer")
    _, address = sent(client, "/deals/new", **DEAL | {"company": SCRIPT, "name": SCRIPT})
    with db.reading(engine) as session:
        company = session.scalars(select(Account.id)).one()
    for path in ("/companies", f"/companies/{company}", "/deals", address, f"/companies/{company}/merge?q=x"):
        page = client.get(path).text
        assert "<script>alert" not in page, path
        assert '" onload="alert' not in page, path


@ON_BOTH
def test_lists_of_deals_are_filtered_by_stage_and_company(signed_in: Enter, engine: Engine) -> None:
    client = signed_in("marketer")
    sent(client, "/deals/new", **DEAL, name="Won one")
    lost = DEAL | {"stage": "lost", "company": "Cobalt Mining", "closed_at": "2026-04-02T10:00"}
    sent(client, "/deals/new", **lost, name="Lost one")
    assert "Lost one" not in client.get("/deals?stage=won").text
    assert "Won one" not in client.get("/deals?q=cobalt").text


def test_open_deals_without_an_amount_are_counted_apart(signed_in: Enter, engine: Engine) -> None:
    client = signed_in("marketer")
    opened = DEAL | {"stage": "opportunity", "closed_at": ""}
    assert sent(client, "/deals/new", **opened)[0] == 303
    status, address = sent(client, "/deals/new", **opened | {"amount_minor": "", "name": "A valve"})
    assert status == 303
    assert "<dt>Amount</dt><dd>–</dd>" in client.get(address).text
    page = client.get("/key-figures").text
    assert "1 open deal has no value yet" in page
    assert "1 without a value" in page
    with db.reading(engine) as session:
        known = session.scalars(select(Deal.amount_minor).order_by(Deal.id)).all()
    assert known == [100_000, None]
    status, page = sent(client, f"{address}/change", **DEAL | {"amount_minor": ""})
    assert status == 422
    assert "enter the deal value" in page


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_companies_contacts_and_callers_without_a_name_are_called_alike_everywhere(
    signed_in: Enter, engine: Engine
) -> None:
    call = ring(engine, "1", clock.now(), caller=None)
    client = signed_in("marketer")
    with db.reading(engine) as session:
        company = session.scalars(select(Account.id)).one()
    for path in ("/", "/desk", "/calls", f"/calls/{call}"):
        assert "Unknown caller" in client.get(path).text, path
    for path in (f"/companies/{company}", f"/calls/{call}"):
        page = client.get(path).text
        assert "Unnamed company" in page, path
        assert "Unnamed contact" in page, path
