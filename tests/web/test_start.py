"""The steps of a new installation: when each is done, what is in its way, and where its form leads."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from tests.cast import ACME_DESK, BOREALIS, CATALOGUE_NUMBER
from tests.conftest import KEY
from tests.twilio_requests import TOKEN, incoming, post, sid
from tests.web.people import form
from tests.web.ringing import advertise
from tracking import clock
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import ImportRun, TrackingNumber
from tracking.storage.vocabulary import CallStatus
from tracking.telephony import calls
from tracking.telephony.calls import CallEvent
from tracking.web import steps

Enter = Callable[[str], FlaskClient]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """An installation to which nothing was given from outside."""
    return Settings(data_dir=settings.data_dir, key=KEY, database_url=settings.database_url)


def send(client: FlaskClient, path: str, **fields: str) -> str:
    """Send a form and return where it leads."""
    answer = client.post(path, data=form(client.get("/account").text) | fields)
    assert answer.status_code == 303
    return answer.location


def is_done(app: Flask, step: str) -> bool:
    with app.app_context(), db.reading(app.extensions["ringtrail"]["engine"]) as session:
        return steps.done(session)[step]


def add_number(engine: Engine, number: str, **fields: object) -> None:
    with db.transaction(engine) as session:
        session.add(TrackingNumber(number=number, created_at=clock.now(), **{"provider": "twilio"} | fields))


def test_the_phone_step_is_done_once_calls_are_verified_and_a_phone_rings(
    office: Flask, signed_in: Enter, engine: Engine
) -> None:
    client = signed_in("administrator")
    warning = "Some calls ring at no phone"
    assert not is_done(office, "telephone")
    assert warning not in client.get("/settings/phone").text, "nothing rings before a provider is connected"
    send(client, "/start/telephone")
    assert send(client, "/settings/phone", twilio_auth_tokens=TOKEN) == "/settings/phone"
    assert warning in client.get("/settings/phone").text
    add_number(engine, "+46701740610", destination=ACME_DESK)
    assert is_done(office, "telephone")
    assert "Twilio</span>" in client.get("/start").text
    add_number(engine, "+46701740611")
    assert not is_done(office, "telephone")
    assert warning in client.get("/settings/phone").text
    send(client, "/start/telephone")
    assert send(client, "/settings/phone", default_destination=ACME_DESK) == "/start"
    assert is_done(office, "telephone")
    assert "Twilio · +46 " in client.get("/start").text
    assert warning not in client.get("/settings/phone").text
    add_number(engine, ACME_DESK)
    assert not is_done(office, "telephone"), "a call that is forwarded to a tracking number comes back"


def test_a_phone_system_of_ones_own_needs_numbers_only(
    office: Flask, signed_in: Enter, engine: Engine
) -> None:
    page = signed_in("administrator").get("/settings/phone").text
    assert 'href="/numbers/new?provider=cdr"' in page
    assert 'value="cdr"' in signed_in("administrator").get("/numbers/new?provider=cdr").text
    add_number(engine, "+46701740610", provider="cdr")
    assert is_done(office, "telephone")


def test_no_call_is_forwarded_to_a_tracking_number(signed_in: Enter, engine: Engine) -> None:
    advertise(engine, clock.now())
    client = signed_in("administrator")
    data = form(client.get("/account").text) | {"default_destination": CATALOGUE_NUMBER}
    answer = client.post("/settings/phone", data=data)
    assert answer.status_code == 422
    assert "calls would loop" in answer.text


def test_whoever_waits_for_the_first_call_sees_that_it_was_refused(office: Flask, signed_in: Enter) -> None:
    client, outside = signed_in("administrator"), office.test_client()
    send(client, "/settings/company", base_url="https://calls.acme.example")
    send(client, "/settings/phone", twilio_auth_tokens=TOKEN[::-1], default_destination=ACME_DESK)
    assert "was rejected" not in client.get("/first-call").text
    assert post(outside, "voice", incoming(sid(1))).status_code == 403
    assert "Compare the secret with the provider" in client.get("/first-call").text
    assert "was rejected" in client.get("/settings/phone").text
    send(client, "/settings/phone", twilio_auth_tokens=TOKEN)
    assert "was rejected" not in client.get("/first-call").text, "it was another secret that did not fit"
    assert post(outside, "voice", incoming(sid(1))).status_code == 200


@pytest.mark.parametrize(
    ("back", "leads_to"),
    [
        ("/numbers/1", "/numbers/1"),
        ("/settings/mail", "/settings/mail"),
        ("//evil.example", "/settings/company"),
        ("/\\evil.example", "/settings/company"),
        ("/\t/evil.example", "/settings/company"),
        ("https://evil.example", "/settings/company"),
        ("", "/settings/company"),
    ],
)
def test_who_came_to_set_the_address_is_back_where_he_came_from(
    signed_in: Enter, back: str, leads_to: str
) -> None:
    client = signed_in("administrator")
    query = {"back": back}
    data = form(client.get("/account").text) | {"base_url": "https://calls.acme.example"}
    assert client.post("/settings/company", query_string=query, data=data).location == leads_to


def test_each_place_that_needs_the_address_leads_there_and_back(signed_in: Enter, engine: Engine) -> None:
    advertise(engine, clock.now())
    client = signed_in("administrator")
    for path in ("/numbers/1", "/campaigns/1", "/settings/phone", "/settings/mail"):
        assert f'href="/settings/company?back={path}#s-base_url"' in client.get(path).text


def test_a_link_that_only_this_machine_opens_is_not_handed_out_in_silence(signed_in: Enter) -> None:
    client = signed_in("administrator")
    told = {"name": "Nina", "email": "nina@acme.example", "role": "rep"}
    send(client, "/staff", **told)
    page = client.get("/staff").text
    assert "The link leads to http://127.0.0.1:8000: only this machine or its network can open it." in page


def test_the_list_names_the_country_and_offers_others_only_what_they_may(signed_in: Enter) -> None:
    client = signed_in("administrator")
    assert client.get("/").text.count('class="rt-step next"') == 1, "one step is the next"
    send(client, "/settings/company", company="Acme Pumps")
    assert "Acme Pumps · Sweden · EUR · Europe/Stockholm" in client.get("/start").text
    assert "1 of 10" in client.get("/start").text
    for role, step, allowed in [
        ("administrator", "company", True),
        ("marketer", "company", False),
        ("marketer", "material", True),
        ("rep", "material", False),
        ("rep", "ask", True),
        ("viewer", "ask", False),
    ]:
        assert (f'action="/start/{step}"' in signed_in(role).get("/start").text) is allowed, (role, step)
    assert client.get("/start/nothing").status_code in (404, 405)


def test_with_calls_and_campaigns_the_list_counts_no_steps_to_the_first_call_nor_adds_a_campaign(
    signed_in: Enter, engine: Engine
) -> None:
    advertise(engine, clock.now())
    client = signed_in("marketer")
    assert "to your first tracked call" in client.get("/start").text
    assert send(client, "/start/material") == "/campaigns"
    with db.transaction(engine) as session:
        event = CallEvent(
            provider="cdr", provider_call_id="1", dialled=(CATALOGUE_NUMBER,), caller=BOREALIS,
            started_at=clock.now(), status=CallStatus.completed,
        )  # fmt: skip
        calls.record(session, [event], region="SE")
    page = client.get("/start").text
    assert "first tracked call" not in page
    assert "Calls are tracked." in page


def test_last_years_calls_are_there_once_a_file_brought_calls(office: Flask, engine: Engine) -> None:
    def bring(kind: str, created: int) -> None:
        run = ImportRun(kind=kind, file_name="a.csv", created=created, updated=0, skipped=9, refused=0)
        with db.transaction(engine) as session:
            run.finished_at = clock.now()
            session.add(run)

    bring("deals", 5)
    bring("calls", 0)
    assert not is_done(office, "history")
    bring("cdr", 1)
    assert is_done(office, "history")
