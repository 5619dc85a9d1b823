"""Users, tokens, the audit trail and one's own account."""

import re
import socket
from collections.abc import Callable

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from tests.imports import NOW
from tests.web.people import ADDRESSES, PASSWORD, enter, form
from tracking.app import create_app
from tracking.cli import ringtrail
from tracking.demo import filling
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import AuditEntry, User
from tracking.storage.vocabulary import Role

Enter = Callable[[str], FlaskClient]
NEWCOMER = {"email": "Nina@Acme.example", "name": "Nina", "role": "rep"}


def sent(client: FlaskClient, path: str, **fields: str) -> str:
    """Send a form of ours and return the page it leads to."""
    answer = client.post(path, data=form(client.get("/account").text, **fields), follow_redirects=True)
    return answer.text


def trail(engine: Engine) -> list[tuple[str, str, str]]:
    with db.reading(engine) as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [(row.actor, row.action, row.subject) for row in rows]


def test_a_newcomer_gets_a_link_chooses_a_password_and_signs_in(office: Flask, signed_in: Enter) -> None:
    page = sent(signed_in("administrator"), "/staff", **NEWCOMER)
    link = re.search(r"http://127.0.0.1:8000(/password/[\w.-]+)", page)
    assert link, "without a mail server the link is shown"
    nina = office.test_client()
    choose = form(nina.get(link[1]).text, password="a long one for Nina")
    choose["password_confirm"] = choose["password"]
    assert nina.post(link[1], data=choose).status_code == 302
    fields = form(nina.get("/sign-in").text, email="nina@acme.example", password="a long one for Nina")
    assert nina.post("/sign-in", data=fields).status_code == 302
    assert nina.get("/calls").status_code == 200
    again = office.test_client()
    assert again.get(link[1]).status_code == 302, "the link is good for one password"


def test_with_a_mail_server_the_link_goes_there(settings: Settings, engine: Engine) -> None:
    from tests.web.people import hire

    class Box(Message):
        def handle_message(self, message: object) -> None:
            received.append(message)

    received: list[object] = []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Controller(Box(), hostname="127.0.0.1", port=port, ready_timeout=600)
    server.start()
    try:
        told = settings.model_copy(
            update={
                "smtp_url": type(settings.smtp_url)(f"smtp://127.0.0.1:{port}"),
                "mail_from": "Ringtrail <calls@acme.example>",
            }
        )
        hire(engine)
        app = create_app(told, engine)
        page = sent(enter(app.test_client(), "administrator"), "/staff", **NEWCOMER)
        app.extensions["ringtrail"]["inbox"].close()
    finally:
        server.stop()
    assert "We emailed a password link to nina@acme.example" in page
    [message] = received
    text = message.get_payload()  # type: ignore[attr-defined]  # an email.message.Message
    assert "/password/" in text
    assert message["From"] == "Ringtrail <calls@acme.example>"  # type: ignore[index]  # as above


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("email", "nina", "is not an email address"),
        ("name", " ", "enter a name"),
        ("role", "king", "is not a role"),
        ("email", ADDRESSES[Role.rep], "is already a user"),
    ],
)
def test_what_is_wrong_with_a_newcomer_is_said_and_what_was_typed_stays(
    signed_in: Enter, field: str, value: str, reason: str
) -> None:
    page = sent(signed_in("administrator"), "/staff", **NEWCOMER | {field: value})
    assert reason in page
    kept = "Nina@Acme.example" if field != "email" else "Nina"
    assert f'value="{kept}"' in page


def test_every_change_leaves_a_trail_that_can_be_searched(signed_in: Enter, engine: Engine) -> None:
    client = signed_in("administrator")
    sent(client, "/staff", **NEWCOMER)
    page = sent(client, "/tokens", name="CRM", scopes="read")
    [secret] = re.findall(r"rt_[0-9a-f]{12}_[\w-]+", page)
    sent(client, f"/tokens/{secret.split('_')[1]}/revoke")
    anna = ADDRESSES[Role.administrator]
    assert trail(engine) == [
        (anna, "sign in", "from 127.0.0.1"),
        (anna, "user add", "nina@acme.example: rep"),
        (anna, "token add", "CRM"),
        (anna, "token revoke", "CRM"),
    ]
    shown = client.get("/audit?what=token").text
    assert "token revoke" in shown
    assert "nina@acme.example" not in shown
    assert secret not in client.get("/tokens").text, "a token is shown once"


def test_what_a_program_changes_is_on_the_trail_too(office: Flask, signed_in: Enter, engine: Engine) -> None:
    page = sent(signed_in("administrator"), "/tokens", name="CRM", scopes="write:campaigns")
    [secret] = re.findall(r"rt_[0-9a-f]{12}_[\w-]+", page)
    body = {"name": "Fair", "channel": "fair"}
    head = {"Authorization": f"Bearer {secret}"}
    assert office.test_client().post("/api/v1/campaigns", json=body, headers=head).status_code == 201
    assert trail(engine)[-1] == ("token CRM", "add campaign", "/api/v1/campaigns")


def test_a_user_chooses_language_and_look(signed_in: Enter) -> None:
    client = signed_in("rep")
    page = sent(client, "/account", name="Rita Rep", language="sv", theme="dark", shortcuts="")
    assert '<html lang="sv" data-theme="dark">' in page
    assert "Rita Rep" in page
    assert "data-shortcuts" not in page


def test_signing_out_everywhere_ends_every_session(office: Flask, signed_in: Enter) -> None:
    here, there = signed_in("rep"), signed_in("rep")
    sent(here, "/account/sign-out-everywhere")
    assert there.get("/calls").status_code == 302


def test_a_demo_says_that_it_is_one_and_is_taken_out_in_one_click(
    office: Flask, signed_in: Enter, engine: Engine
) -> None:
    client = signed_in("administrator")
    assert "Demo: Acme Pumps" not in client.get("/calls").text
    filling.fill(engine, NOW, accounts=20)
    assert "Demo: Acme Pumps" in client.get("/calls").text
    assert "/demo/wipe" not in signed_in("marketer").get("/calls").text
    assert "Demo data deleted" in sent(client, "/demo/wipe")
    assert "Demo: Acme Pumps" not in client.get("/calls").text
    assert client.post("/demo/wipe", data=form(client.get("/account").text)).status_code == 409


def test_a_name_with_markup_is_text(signed_in: Enter) -> None:
    client = signed_in("administrator")
    page = sent(client, "/staff", **NEWCOMER | {"name": '<script>alert(1)</script>" onload="x'})
    assert "<script>alert" not in page
    assert '" onload="x' not in page


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_the_terminal_opens_a_closed_door(
    office: Flask, engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGTRAIL_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("RINGTRAIL_KEY", settings.key.get_secret_value())
    told = CliRunner().invoke(ringtrail, ["user", "rescue", ADDRESSES[Role.administrator]])
    assert told.exit_code == 0, told.output
    password = told.output.split("password ")[1].split(" ")[0]
    client = office.test_client()
    fields = form(client.get("/sign-in").text, email=ADDRESSES[Role.administrator], password=PASSWORD)
    assert client.post("/sign-in", data=fields).status_code == 200, "the old password is void"
    assert client.post("/sign-in", data=fields | {"password": password}).status_code == 302
    with db.reading(engine) as session:
        assert session.scalars(select(User).where(User.role == Role.administrator)).one().active
    listed = CliRunner().invoke(ringtrail, ["user", "list", "--json"])
    assert ADDRESSES[Role.rep] in listed.output
