"""Amounts in a currency without a rate: what needs no figures opens, the rest leads to the form for one."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from tests.api_client import Api
from tests.cast import moment
from tests.web.people import form
from tests.web.test_decide import supplier, text
from tests.web.test_imports import give, tried
from tracking.records import costs, deals
from tracking.records.contacts import Clues
from tracking.records.costs import CostRecord
from tracking.records.deals import DealRecord
from tracking.reporting import bases
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Deal
from tracking.storage.vocabulary import Stage

Enter = Callable[[str], FlaskClient]
ON_SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
FIGURES = (
    "/roi",
    "/roi/trends",
    "/roi/advice",
    "/key-figures",
    "/answers",
    "/visits",
    "/simulator/which-model",
    "/report",
)
OPEN = (
    "/deals",
    "/companies",
    "/calls",
    "/campaigns",
    "/costs",
    "/quality?from=2026-01-01&to=2026-12-31",
    "/figures/ready",
)


def sell_abroad(engine: Engine) -> int:
    """Win an order of 1 March in SEK and spend SEK in April; return the deal's id."""
    supplier(engine)
    at = moment("2026-05-01")
    with db.transaction(engine) as session:
        won = DealRecord(
            clues=Clues(company="Kiruna Gruv"), name="Order", stage=Stage.won, amount_minor=100_000_00,
            currency="SEK", closed_at=moment("2026-03-01"),
        )  # fmt: skip
        deals.save(session, won, at=at)
        spent = CostRecord(
            period_start=moment("2026-04-01").date(), period_end=moment("2026-05-01").date(),
            currency="SEK", category="print", direct=False, amount_minor=500_00, source_key="cost-x",
        )  # fmt: skip
        costs.save(session, spent, campaign=None)
        return session.scalars(select(Deal.id).where(Deal.currency == "SEK")).one()


@ON_SQLITE
def test_figures_wait_for_a_rate_and_the_page_adds_it(engine: Engine, signed_in: Enter) -> None:
    deal = sell_abroad(engine)
    client = signed_in("marketer")
    for address in FIGURES:
        page = client.get(address)
        assert page.status_code == 409, address
        assert "2 amounts in SEK wait for an exchange rate to EUR that is valid from Mar 1, 2026" in text(
            page.text
        )
        assert "ringtrail rate" not in page.text
        assert 'value="SEK"' in page.text
        assert 'value="2026-03-01"' in page.text
    for address in (*OPEN, f"/deals/{deal}"):
        assert client.get(address).status_code < 300, address
    assert "2 amounts in SEK wait" in text(client.get(f"/deals/{deal}").text)
    quality = client.get("/quality")
    assert 'value="SEK"' in quality.text
    assert 'value="2026-03-01"' in quality.text
    late = form(quality.text, currency="SEK", day="2026-03-02", rate="0.09")
    said = client.post("/quality/rates", data=late, follow_redirects=True)
    assert "the first is of Mar 1, 2026" in text(said.text)
    early = form(quality.text, currency="SEK", day="2026-03-01", rate="0.09")
    saved = client.post(
        "/quality/rates", data=early, headers={"Referer": "http://localhost/roi?from=2026-01-01"}
    )
    assert saved.location == "/roi?from=2026-01-01"
    for address in FIGURES:
        assert client.get(address).status_code == 200, address


@ON_SQLITE
@pytest.mark.parametrize("many", [-1, 1_000_000], ids=["base-beside", "base-at-once"])
def test_who_may_not_add_a_rate_reads_who_may(
    engine: Engine, signed_in: Enter, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    """Also where so much is recorded that a process beside would write the base, and fail unheard."""
    monkeypatch.setattr(bases, "MANY", many)
    sell_abroad(engine)
    page = signed_in("viewer").get("/roi")
    assert page.status_code == 409
    assert "Ask a marketer or an administrator to add it." in text(page.text)
    assert "/quality/rates" not in page.text


@ON_SQLITE
def test_the_api_names_the_currency_and_the_day(engine: Engine, settings: Settings) -> None:
    sell_abroad(engine)
    reply = Api(settings, engine).ask("GET", "/reports/roi?model=linear&from=2026-01-01&to=2026-12-31")
    assert reply.status_code == 422
    assert "1 SEK, valid from 2026-03-01 or before; send it to /api/v1/exchange-rates" in reply.text


@ON_SQLITE
def test_an_imports_preview_says_that_a_rate_will_be_missing_and_from_which_day(
    engine: Engine, settings: Settings, signed_in: Enter
) -> None:
    client = signed_in("marketer")
    _, path = give(
        client,
        "Deal ID,Deal name,Deal stage,Amount,Currency,Associated company,Close date\n"
        "1,Pumps,Closed won,1000,SEK,Kiruna Gruv,2026-03-05\n"
        "2,Seals,Closed won,1000,SEK,Kiruna Gruv,2026-03-02\n"
        "3,Valves,Closed lost,1000,NOK,Narvik Havn,2026-03-01\n",
    )
    page = tried(client, engine, settings, path)
    assert "No exchange rate from SEK to EUR on Mar 2, 2026." in page
    assert "from NOK" not in page, "what was not won is not converted"
    assert "/quality?currency=SEK&amp;day=2026-03-02#rates" in page
    form_page = client.get("/quality?currency=SEK&day=2026-03-02").text
    assert 'value="SEK"' in form_page
    assert 'value="2026-03-02"' in form_page
    sent = form(form_page, currency="SEK", day="2026-03-02", rate="0.09")
    assert client.post("/quality/rates", data=sent).status_code == 303
    assert "No exchange rate" not in client.get(f"{path}/check").text
