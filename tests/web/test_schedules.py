"""Schedules in pages: added from a report, changed, sent by hand, deleted; nothing typed is lost."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from tests.web.people import enter, form
from tests.web.test_decide import supplier
from tracking.app import create_app
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import AuditEntry, Job, ReportSchedule

Enter = Callable[[str], FlaskClient]
BOARD = {
    "name": "Board",
    "recipients": "anna@acme.example\nmikael@acme.example; rita@acme.example",
    "cadence": "quarterly",
    "language": "sv",
    "span": "ended",
    "attachment": ["pdf", "xlsx"],
    "model": ["first-touch", "linear"],
    "campaign": ["Fair"],
    "channel": "",
    "direction": "",
    "lookback": "365",
}
pytestmark = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


def post(client: FlaskClient, path: str, **fields: object) -> object:
    token = form(client.get("/schedules").text)
    return client.post(path, data=token | fields, follow_redirects=True)


def rows(engine: Engine) -> list[ReportSchedule]:
    with db.reading(engine) as session:
        found = list(session.scalars(select(ReportSchedule)))
        session.expunge_all()
        return found


def test_a_report_is_scheduled_with_the_filters_it_was_looked_at(signed_in: Enter, engine: Engine) -> None:
    supplier(engine)
    client = signed_in("marketer")
    report = client.get("/report?campaign=Fair&model=linear").text
    assert 'href="/schedules?' in report
    prefilled = client.get("/schedules?campaign=Fair&model=linear").text
    assert 'name="campaign" value="Fair" checked' in prefilled
    post(client, "/schedules", **BOARD)
    [saved] = rows(engine)
    assert saved.recipients == ["anna@acme.example", "mikael@acme.example", "rita@acme.example"]
    assert saved.options["query"] == {
        "model": ["first-touch", "linear"], "campaign": ["Fair"], "lookback": ["365"]
    }  # fmt: skip
    assert (saved.cadence, saved.language, saved.options["attachments"]) == (
        "quarterly",
        "sv",
        ["pdf", "xlsx"],
    )
    page = client.get("/schedules").text
    assert "on the first day of each quarter" in page
    assert "RINGTRAIL_SMTP_URL" in page, "email is not set up, and the page says what to do"
    with db.reading(engine) as session:
        trail = session.scalars(select(AuditEntry.subject).where(AuditEntry.action == "schedule add")).all()
    assert trail == ["Board: quarterly, to 3"], "addresses are not on the trail, which is kept longer"


def test_a_schedule_is_changed_and_deleted(signed_in: Enter, engine: Engine) -> None:
    client = signed_in("marketer")
    post(client, "/schedules", **BOARD | {"campaign": []})
    [saved] = rows(engine)
    page = client.get(f"/schedules/{saved.id}").text
    assert "anna@acme.example\nmikael@acme.example\nrita@acme.example</textarea>" in page
    post(client, f"/schedules/{saved.id}", **BOARD | {"campaign": [], "cadence": "weekly", "name": "Sales"})
    [changed] = rows(engine)
    assert (changed.name, changed.cadence) == ("Sales", "weekly")
    assert changed.next_on.weekday() == 0
    post(client, f"/schedules/{saved.id}/delete")
    assert rows(engine) == []


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("recipients", "anna@acme.example\nnobody", "is not an email address"),
        ("recipients", " ", "enter one email address per line"),
        ("name", "", "enter a name"),
        ("cadence", "hourly", "is not an option"),
        ("language", "xx", "is not"),
        ("model", ["guess"], "is not a model"),
        ("lookback", "never", "must be 1 to"),
        ("attachment", ["exe"], "is not an option"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(
    signed_in: Enter, engine: Engine, field: str, value: object, reason: str
) -> None:
    client = signed_in("marketer")
    told = BOARD | {"campaign": [], field: value}
    answer = client.post("/schedules", data=form(client.get("/schedules").text) | told)
    assert answer.status_code == 422
    assert reason in answer.text
    kept = "Board" if field != "name" else "rita@acme.example"
    assert kept in answer.text
    assert rows(engine) == []


def test_without_a_mail_server_nothing_is_put_in_line(signed_in: Enter, engine: Engine) -> None:
    client = signed_in("marketer")
    post(client, "/schedules", **BOARD | {"campaign": []})
    answer = client.post(f"/schedules/{rows(engine)[0].id}/send", data=form(client.get("/schedules").text))
    assert answer.status_code == 422
    assert "RINGTRAIL_SMTP_URL" in answer.text
    with db.reading(engine) as session:
        assert session.scalars(select(Job)).all() == []


def test_sending_by_hand_makes_a_job_of_it(office: Flask, engine: Engine, settings: Settings) -> None:
    told = {"smtp_url": type(settings.smtp_url)("smtp://127.0.0.1:9"), "mail_from": "reports@acme.example"}
    app = create_app(settings.model_copy(update=told), engine)
    client = enter(app.test_client(), "marketer")
    post(client, "/schedules", **BOARD | {"campaign": []})
    post(client, f"/schedules/{rows(engine)[0].id}/send")
    app.extensions["ringtrail"]["inbox"].close()
    with db.reading(engine) as session:
        job = session.scalars(select(Job)).one()
        assert (job.kind, job.label, job.arguments) == ("report", "Board", {"schedule": rows(engine)[0].id})


def test_a_failure_stands_on_the_page_with_when_it_is_tried_again(signed_in: Enter, engine: Engine) -> None:
    client = signed_in("marketer")
    post(client, "/schedules", **BOARD | {"campaign": []})
    with db.transaction(engine) as session:
        row = session.scalars(select(ReportSchedule)).one()
        row.last_error, row.not_before = "ConnectionRefusedError: <b>refused</b>", row.last_sent_at
    page = client.get("/schedules").text
    assert "ConnectionRefusedError: &lt;b&gt;refused" in page
    assert "Scheduled reports that could not be sent" in client.get("/quality").text
