"""Websites on pages, by command and by the API: set up, corrected, and what is wrong with them named."""

from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from tests.api_client import EVERYTHING, Api
from tests.cast import ACME_DESK, BOREALIS, COBALT, moment
from tests.conftest import KEY
from tests.test_pools import ring, show, site_with
from tests.web.people import form
from tests.web.test_decide import text
from tracking import clock
from tracking.cli import ringtrail
from tracking.records import campaigns, sites
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.telephony import numbers

Enter = Callable[[str], FlaskClient]
RIGHT = {
    "name": "Acme",
    "origins": "www.acme.example https://acme.example",
    "number": "070-174 06 90",
    "consent": "1",
    "hold_minutes": "20",
    "number_cost": "2.50",
}


def send(client: FlaskClient, path: str, **told: str) -> tuple[int, str]:
    token = form(client.get("/sites").text)
    answer = client.post(path, data=token | told)
    return answer.status_code, text(answer.text)


@pytest.mark.parametrize(
    ("field", "told", "said"),
    [
        ("origins", "acme", "is not a web address"),
        ("origins", "javascript:alert(1)", "is not a web address"),
        ("origins", "", "enter the address of the website"),
        ("number", "12", "number"),
        ("hold_minutes", "0", "must be 1 to 1440 minutes"),
        ("hold_minutes", "soon", "is not a whole number"),
        ("number_cost", "a lot", "a lot"),
        ("name", "", "enter a name"),
    ],
)
def test_what_is_wrong_with_a_website_is_said_at_its_field(
    signed_in: Enter, field: str, told: str, said: str
) -> None:
    status, page = send(signed_in("marketer"), "/sites/new", **(RIGHT | {field: told}))
    assert (status, said in page) == (422, True), page


def test_a_website_is_added_changed_and_given_a_pool(signed_in: Enter, engine: Engine) -> None:
    client = signed_in("marketer")
    assert send(client, "/sites/new", **RIGHT)[0] == 303
    assert send(client, "/sites/new", **RIGHT)[0] == 409, "a name of its own"
    with db.transaction(engine) as session:
        site = sites.get(session, "acme")
        assert (site.origins[1], site.number, site.number_cost_minor) == (
            "https://acme.example",
            ACME_DESK,
            250,
        )
        numbers.add(session, "+46701740611", at=clock.now(), provider="twilio")
    assert send(client, "/sites/1/edit", **(RIGHT | {"hold_minutes": "5", "consent": ""}))[0] == 303
    status, page = send(client, "/sites/1/pool", numbers="+46701740612")
    assert (status, "not in the inventory" in page) == (404, True)
    assert send(client, "/sites/1/pool", numbers="070-174 06 11")[0] == 303
    assert "already in a pool" in send(client, "/sites/1/pool", numbers="+46701740611")[1]
    page = client.get("/sites/1").text
    assert 'data-number="+46 70 174 06 90"' in unescape(page)
    assert "Consent is not required" in page
    assert "in a website's pool" in unescape(client.get("/numbers").text)
    assert send(client, "/sites/1/pool", remove="+46701740611")[0] == 303
    assert client.get("/sites/2").status_code == 404
    assert "Add to the pool" not in client.get("/sites").text + signed_in("viewer").get("/sites/1").text


def test_a_call_says_who_it_comes_from_how_sure_that_is_and_who_else(
    office: Flask, signed_in: Enter, engine: Engine
) -> None:
    noon = clock.now() - timedelta(hours=8)
    with db.transaction(engine) as session:
        campaigns.add(session, "Spring", "paid search", at=noon, utm_campaign="spring")
        site = site_with(session, 1)
        number = show(session, site, "a", noon, "?utm_source=news&utm_medium=email") or ""
        show(session, site, "b", noon + timedelta(hours=1), "?utm_campaign=spring")
        likely = ring(session, number, noon + timedelta(hours=2)).call_id
        site.hold_minutes = 1
        sites.forget(session, [1, 2])
        gone = ring(session, number, noon + timedelta(hours=3), COBALT, "2").call_id
    client = signed_in("rep")
    page = text(client.get(f"/calls/{likely}").text)
    assert "likely Spring, visit to the website" in page
    assert "Next likely email" in page
    assert "not certain enough" in page
    assert "may be printed or fixed in a page" in text(client.get(f"/calls/{gone}").text)
    assert "likely Spring" in text(client.get("/calls?campaign=Spring").text)
    assert "likely Spring" not in text(client.get("/calls?campaign=-").text)
    assert "Spring" in signed_in("viewer").get("/calls.csv").text
    quality = text(client.get("/quality").text)
    assert "Calls to website numbers whose source is only likely or unknown 1 of 2" in quality
    assert "Calls to website numbers that no visitor had been shown 1" in quality
    assert "not assigned at the time 2" not in quality, "they are none of those"
    assert "may be printed" in text(client.get("/sites/1").text)


def test_the_command_line_and_the_api_say_the_same(settings: Settings, engine: Engine) -> None:
    told = {"RINGTRAIL_DATA_DIR": str(settings.data_dir), "RINGTRAIL_KEY": KEY}

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(ringtrail, ["site", *words], env=told)
        assert result.exit_code == code, result.output
        return result.output + (str(result.exception) if code else "")

    with db.transaction(engine) as session:
        for place in (11, 12):
            numbers.add(session, f"+467017406{place}", at=moment("2026-01-01"), provider="twilio")
    assert "data-site=" in run("add", "Acme", "--origin", "https://www.acme.example", "--number", ACME_DESK)
    assert "now has 1 number" in run("pool", "Acme", "+46701740611")
    api = Api(settings, engine, EVERYTHING)
    [site] = api.get("/sites")["items"]
    assert (site["pool"], site["consent"], site["snippet"].startswith("<script")) == (
        ["+46701740611"],
        True,
        True,
    )
    api.post(f"/sites/{site['id']}/numbers", {"numbers": ["+46701740612"]})
    changed = api.patch(f"/sites/{site['id']}", {"hold_minutes": 30})
    assert (changed["hold_minutes"], len(changed["pool"])) == (30, 2)
    assert "now has 1 number" in run("pool", "Acme", "+46701740612", "--remove")
    assert "+46701740611" in run("show", "Acme")
    assert "Acme" in run("list")
    run("change", "Acme", "--notice-to", "desk@acme.example", "--notice-language", "sv")
    run("change", "Acme", "--number-cost", "2.50")
    [site] = api.get("/sites")["items"]
    told_of = (site["notice_to"], site["notice_language"], site["number_cost_minor"], site["hold_minutes"])
    assert told_of == ("desk@acme.example", "sv", 250, 30), "what is not given stays"
    assert "email for each form: desk@acme.example" in run("show", "Acme")
    assert "/c/2/forms.js" in run("show", "Acme")
    assert "enter one address" in run("change", "Acme", "--notice-to", "desk", code=1)
    assert "at least one option" in run("change", "Acme", code=1)
    run("change", "Acme", "--notice-to", "")
    assert api.get("/sites")["items"][0]["notice_to"] is None
    assert BOREALIS not in run("list", "--json")
