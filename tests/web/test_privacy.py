"""The page of privacy: a person found without a trace in an address, handed out, taken out; the record."""

import json
from collections.abc import Callable

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from werkzeug.test import TestResponse

from tests.cast import BOREALIS, CATALOGUE_NUMBER, moment
from tests.web.people import form
from tracking.access import jobs
from tracking.storage import db
from tracking.storage.models import AuditEntry, Call, Erasure
from tracking.telephony import calls
from tracking.telephony.calls import CallEvent
from tracking.worker import known

Enter = Callable[[str], FlaskClient]


def test_a_person_is_found_handed_out_and_taken_out(office: Flask, engine: Engine, signed_in: Enter) -> None:
    event = CallEvent(
        provider="cdr", provider_call_id="1", dialled=(CATALOGUE_NUMBER,), caller=BOREALIS, caller_name="Ada",
        started_at=moment("2026-03-01 09:00"),
    )  # fmt: skip
    with db.transaction(engine) as session:
        contact = calls.record(session, [event], region="SE")[0].call.contact_id
    client = signed_in("administrator")

    def post(path: str, **fields: str) -> TestResponse:
        return client.post(path, data=form(client.get("/account").text, **fields))

    assert client.post("/privacy", data=form(client.get("/privacy").text, person="nobody")).status_code == 422
    wrong = client.post("/privacy", data=form(client.get("/privacy").text, person="+442079460088"))
    assert (wrong.status_code, "no personal data found for this person" in wrong.text) == (404, True)
    found = client.post("/privacy", data=form(client.get("/privacy").text, person=BOREALIS))
    assert "Ada" in found.text
    told = json.loads(post(f"/privacy/people/{contact}/export").text)
    assert told["calls"][0]["caller"] == BOREALIS
    assert post(f"/privacy/people/{contact}/erase").status_code == 303
    settings = office.extensions["ringtrail"]["settings"]
    assert jobs.work(engine, known(engine, settings))
    with db.reading(engine) as session:
        assert session.scalars(select(Call.caller)).all() == [None]
        receipt = session.scalars(select(Erasure.receipt)).one()
        actions = session.scalars(select(AuditEntry.action)).all()
    assert {"person export", "person erase asked", "person erase"} <= set(actions)
    assert receipt in client.get("/privacy").text
    assert "phone numbers and email addresses" in client.get(f"/privacy/receipts/{receipt}").text
    assert client.get("/privacy/receipts/0").status_code == 404
    assert post("/privacy/people/999/erase").status_code == 404


def test_the_record_of_processing_says_how_this_installation_is(signed_in: Enter) -> None:
    page = signed_in("administrator").get("/privacy/record").text
    for said in (
        "not chosen yet",
        "does not record calls",
        "fill in",
        "7 days",
    ):
        assert said in page
    assert signed_in("marketer").get("/privacy/record").status_code == 403
