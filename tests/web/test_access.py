"""Who may open which page: every address has a rule, and the rule holds for every role."""

import re
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_security import core
from sqlalchemy import Engine, select

from tests.cast import moment
from tests.web.people import ADDRESSES, EFFORT, PASSWORD, enter, form
from tracking.access import throttle, users
from tracking.errors import Conflict, Invalid
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import User
from tracking.storage.vocabulary import Role
from tracking.web import signin
from tracking.web.pages import EVERYONE, PUBLIC

Enter = Callable[[str], FlaskClient]
OPEN = {"security.login", "security.forgot_password", "security.reset_password", "web.static"}


def addresses(app: Flask) -> list[tuple[str, str, frozenset[Role]]]:
    """Return method, path and roles of every page; what stands for a record is 1."""
    found = []
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("web.") or rule.endpoint == "web.static":
            continue
        roles = getattr(app.view_functions[rule.endpoint], "roles", None)
        assert roles is not None, f"{rule} has no access rule"
        path = re.sub(r"<[^>]+>", "1", rule.rule)
        found += [(m, path, roles) for m in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]
    return found


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_every_page_lets_in_the_roles_of_its_rule_and_nobody_else(office: Flask, signed_in: Enter) -> None:
    pages = addresses(office)
    assert len(pages) >= 3
    outsider = office.test_client()
    token = form(outsider.get("/sign-in").text)
    for method, path, roles in pages:
        if roles == PUBLIC:
            continue
        answer = outsider.open(path, method=method, data=token)
        assert answer.status_code == 302, f"{method} {path} for an outsider"
        assert "/sign-in" in answer.location
    for role in Role:
        client = signed_in(role)
        token = form(client.get("/calls").text)
        for method, path, roles in pages:
            status = client.open(path, method=method, data=token).status_code
            refused = roles != PUBLIC and role not in roles
            assert (status == 403) is refused, f"{method} {path} for a {role}: {status}"
            assert status < 500, f"{method} {path} for a {role}: {status}"
            if path.endswith("/sign-out-everywhere"):
                client = signed_in(role)
                token = form(client.get("/calls").text)


def test_nobody_gets_in_with_a_wrong_password_and_the_answer_does_not_tell_why(office: Flask) -> None:
    answers = []
    for address in (ADDRESSES[Role.rep], "nobody@acme.example"):
        client = office.test_client()
        fields = form(client.get("/sign-in").text, email=address, password="not the password")
        page = client.post("/sign-in", data=fields).text
        # What was typed comes back in its field and may differ.
        answers.append(re.findall(r'(?:role="alert">.*?<div>|class="wrong"[^>]*>)([^<]+)', page))
        assert client.get("/calls").status_code == 302
    assert answers[0] == answers[1] != []


def test_after_five_wrong_passwords_an_address_waits_and_the_right_one_does_not_help(office: Flask) -> None:
    client = office.test_client()
    token = form(client.get("/sign-in").text, email=ADDRESSES[Role.rep])
    for _ in range(throttle.ATTEMPTS):
        client.post("/sign-in", data=token | {"password": "guessed"})
    refused = client.post("/sign-in", data=token | {"password": PASSWORD})
    assert "Too many attempts" in refused.text
    enter(office.test_client(), Role.viewer)


def test_a_closed_user_is_out_at_once(office: Flask, engine: Engine, signed_in: Enter) -> None:
    client = signed_in("rep")
    assert client.get("/calls").status_code == 200
    with db.transaction(engine) as session:
        row = session.scalars(select(User).where(User.email == ADDRESSES[Role.rep])).one()
        users.change(session, row, active=False)
    assert client.get("/calls").status_code == 302


def test_signing_out_takes_a_form_of_ours(office: Flask, signed_in: Enter) -> None:
    client = signed_in("rep")
    assert client.post("/sign-out").status_code == 400, "a forged form does nothing"
    assert client.get("/calls").status_code == 200
    assert client.post("/sign-out", data=form(client.get("/calls").text)).status_code == 302
    assert client.get("/calls").status_code == 302


def test_nothing_in_a_page_can_run_and_no_cache_keeps_it(office: Flask, signed_in: Enter) -> None:
    for page in (office.test_client().get("/sign-in"), signed_in("viewer").get("/calls")):
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["Cache-Control"] == "no-store"
        assert "style=" not in page.text
        assert re.findall(r"<script(?![^>]*\b(?:src|type=\"application/json\")\b)", page.text) == []


def test_whoever_asks_after_signing_in_lands_where_he_wanted_to_go(office: Flask) -> None:
    client = office.test_client()
    asked = client.get("/roi?from=2026-01-01")
    assert asked.location == "/sign-in?next=/roi?from%3D2026-01-01"
    token = form(client.get(asked.location).text, email=ADDRESSES[Role.viewer], password=PASSWORD)
    assert client.post(asked.location, data=token).location == "/roi?from=2026-01-01"


@pytest.mark.parametrize(
    "address",
    ["/nothing", "/api/v1/nothing", "/api/v1/calls", "/api/v1/openapi.json", "/providers/nobody/voice",
     "/providers/twilio/voice", "/l/nothing", "/livez", "/static/nothing.css"],
)  # fmt: skip
def test_no_reply_is_kept_or_taken_for_another_kind_of_file(office: Flask, address: str) -> None:
    for method in ("GET", "DELETE"):
        for host in ("localhost", "drift.example"):
            answer = office.test_client().open(address, method=method, headers={"Host": host})
            told = (answer.headers.get("X-Content-Type-Options"), answer.headers.get("Cache-Control"))
            assert told == ("nosniff", "no-store"), (method, host, answer.status)


@pytest.mark.parametrize("elsewhere", ["https://drift.example/", "//drift.example/", "\\\\drift.example"])
def test_sign_in_leads_to_no_other_site(office: Flask, elsewhere: str) -> None:
    client = office.test_client()
    token = form(client.get("/sign-in").text, email=ADDRESSES[Role.viewer], password=PASSWORD)
    answer = client.post("/sign-in", query_string={"next": elsewhere}, data=token | {"next": elsewhere})
    assert urlsplit(urljoin("http://localhost/sign-in", answer.location)).netloc == "localhost"
    assert client.get("/account").status_code == 200, "the password was right all the same"


@pytest.mark.parametrize("broken", ["http://[", "//a:b/"])
def test_a_place_to_go_that_is_no_address_is_refused_in_words(office: Flask, broken: str) -> None:
    answer = office.test_client().get("/sign-in", query_string={"next": broken})
    assert (answer.status_code, broken in answer.text) == (400, True)


@pytest.mark.parametrize("email", ["", "anna", "anna@", "@acme.example", "anna b@acme.example"])
def test_a_user_needs_an_address(engine: Engine, email: str) -> None:
    with db.transaction(engine) as session, pytest.raises(Invalid, match="email"):
        users.add(session, email, "Anna", "rep", at=moment("2026-01-01"))


def test_the_last_administrator_stays(office: Flask, engine: Engine) -> None:
    with db.reading(engine) as session:
        anna = session.scalars(select(User.id).where(User.role == Role.administrator)).one()
    for change in ({"active": False}, {"role": "viewer"}):
        with pytest.raises(Conflict, match="only administrator"), db.transaction(engine) as session:
            users.change(session, users.get(session, anna), **change)  # type: ignore[arg-type]


def test_the_roles_build_on_each_other() -> None:
    assert list(Role) == ["viewer", "rep", "marketer", "administrator"]
    assert set(Role) == EVERYONE


def test_a_password_is_kept_by_argon2id_in_64_megabytes(
    settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(core._default_config, EFFORT, {})
    assert signin.hash_for(engine, settings, PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")
