"""Tokens of the JSON API: issued once, kept as a hash, ended by date or by hand; every address has a rule."""

import hashlib
import re
from datetime import timedelta

import pytest
from flask_openapi.openapi import OpenAPI
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from tests.api_client import EVERYTHING, LONG_AGO, Api
from tests.cast import moment
from tracking.access import tokens
from tracking.access.tokens import Scope
from tracking.api import access, register
from tracking.api.routes import Section
from tracking.errors import Conflict, Invalid, NotFound
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import ApiToken
from tracking.telephony import providers

NEW_YEAR = moment("2026-01-01")
SOON = NEW_YEAR + timedelta(days=1)


def issue(session: Session, **more: object) -> tuple[str, ApiToken]:
    text = tokens.issue(session, "CRM", ["read"], at=NEW_YEAR, **more)  # type: ignore[arg-type]  # as named
    return text, session.scalars(select(ApiToken)).one()


def test_a_token_opens_what_it_was_issued_for(session: Session) -> None:
    text, row = issue(session)
    assert re.fullmatch(r"rt_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", text), "256 bits, and a prefix to find it by"
    assert tokens.verify(session, text, at=NEW_YEAR) is row


def test_only_the_hash_of_the_secret_is_kept(session: Session) -> None:
    text, row = issue(session)
    secret = text.split("_", 2)[2]
    assert row.secret_hash == hashlib.sha256(secret.encode()).hexdigest()
    assert all(secret not in str(value) for value in vars(row).values())


@pytest.mark.parametrize(
    "wrong", ["", "rt", "rt__", "rt_x_y", "no token", "rt_ä_ö", "rt_\x00_y", "rt_a_\ud800"]
)
def test_what_is_no_token_opens_nothing(session: Session, wrong: str) -> None:
    issue(session)
    assert tokens.verify(session, wrong, at=NEW_YEAR) is None


def test_a_changed_token_opens_nothing(session: Session) -> None:
    text, row = issue(session)
    assert tokens.verify(session, text[:-1] + ("A" if text[-1] != "A" else "B"), at=NEW_YEAR) is None
    assert tokens.verify(session, text + "A", at=NEW_YEAR) is None
    assert tokens.verify(session, "xx" + text[2:], at=NEW_YEAR) is None
    assert tokens.verify(session, f"rt_{row.prefix}_", at=NEW_YEAR) is None


def test_a_token_ends_at_its_date(session: Session) -> None:
    text, _ = issue(session, expires_at=SOON)
    assert tokens.verify(session, text, at=SOON - timedelta(microseconds=1))
    assert tokens.verify(session, text, at=SOON) is None


def test_a_revoked_token_opens_nothing_at_once(session: Session) -> None:
    text, row = issue(session)
    tokens.revoke(session, row.prefix, at=SOON)
    assert tokens.verify(session, text, at=SOON) is None
    with pytest.raises(Conflict, match="revoked"):
        tokens.revoke(session, row.prefix, at=SOON)
    with pytest.raises(NotFound):
        tokens.revoke(session, "unknown", at=SOON)


def test_a_token_needs_known_scopes_and_a_future(session: Session) -> None:
    for scopes in ([], ["everything"]):
        with pytest.raises(Invalid, match=r"scopes: .*: read, read:personal, write:calls"):
            tokens.issue(session, "CRM", scopes, at=NEW_YEAR)
    with pytest.raises(Invalid, match=r"expires_at: .*is in the past"):
        tokens.issue(session, "CRM", ["read"], at=NEW_YEAR, expires_at=NEW_YEAR)
    with pytest.raises(Invalid, match=r"expires_at: .*has no time zone"):
        tokens.issue(session, "CRM", ["read"], at=NEW_YEAR, expires_at=SOON.replace(tzinfo=None))


def test_a_use_is_noted_at_most_every_ten_minutes(session: Session) -> None:
    _, row = issue(session)
    assert tokens.use_is_due(row, at=NEW_YEAR)
    tokens.note_use(session, row.id, at=NEW_YEAR)
    assert row.last_used_at == NEW_YEAR
    assert not tokens.use_is_due(row, at=NEW_YEAR + timedelta(minutes=9))
    assert tokens.use_is_due(row, at=NEW_YEAR + timedelta(minutes=10))


# --- Every address of the application ---------------------------------------------------------------------

# What lies outside the API and needs no token of it. A new address must be added here, or have a rule.
OUTSIDE = {
    "static": "files that everybody may read",
    "livez": "says only that the process runs",
    "readyz": "says only whether the service is ready",
    "is_reachable": "proves by the key that this installation answers",
    "show_metrics": "asks for the token of RINGTRAIL_METRICS_TOKEN",
}


@pytest.fixture
def api(settings: Settings, engine: Engine) -> Api:
    """The application, and a program that may do everything in it."""
    return Api(settings, engine)


def addresses(api: Api) -> list[tuple[str, str, str]]:
    """Return method, address and access rule of whatever needs a token."""
    found = []
    for rule in api.app.url_map.iter_rules():
        # Pages have rules of their own: tests/web/test_access.py.
        if rule.endpoint in OUTSIDE or rule.endpoint.startswith(("web.", "security.")):
            continue
        # Requests of providers are signed: tests/test_providers.py.
        if rule.endpoint.partition(".")[0] in providers.names():
            continue
        scope = getattr(api.app.view_functions[rule.endpoint], "rule", None)
        assert scope, f"{rule} has no access rule"
        if scope != access.PUBLIC:
            methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
            found += [(method, address(rule), scope) for method in sorted(methods)]
    return found


def address(rule: Rule) -> str:
    assert rule.rule.startswith("/api/v1"), f"{rule} is neither in the API nor listed as outside of it"
    return rule.rule.removeprefix("/api/v1").replace("<int:id>", "1")


def test_every_address_lets_in_only_who_may(api: Api, engine: Engine) -> None:
    expired, revoked = api.issue(EVERYTHING), api.issue(EVERYTHING)
    with db.transaction(engine) as session:
        rows = {row.prefix: row for row in session.scalars(select(ApiToken))}
        rows[expired.split("_")[1]].expires_at = LONG_AGO
        tokens.revoke(session, revoked.split("_")[1], at=LONG_AGO)
    without = {
        scope: api.issue([other for other in Scope if other != scope and other.value != scope])
        for scope in EVERYTHING
    }
    found = addresses(api)
    assert len(found) > 40
    for method, path, scope in found:
        where = f"{method} {path}"
        assert api.client.open(f"/api/v1{path}", method=method).status_code == 401, where
        for wrong in ("rt_000000000000_" + "A" * 43, api.token[:-2] + "xx", expired, revoked):
            reply = api.ask(method, path, {}, token=wrong)
            assert reply.status_code == 401, where
            assert reply.headers["WWW-Authenticate"].startswith("Bearer "), where
        lacking = api.ask(method, path, {}, token=without[scope])
        assert (lacking.status_code, scope in lacking.text) == (403, True), where
        # What is asked may be wrong or not there; who asks is not at fault.
        assert api.ask(method, path, {}).status_code in (200, 201, 404, 409, 422), where


def test_an_address_without_a_rule_lets_nobody_in(api: Api, settings: Settings, engine: Engine) -> None:
    app = OpenAPI("forgetful", doc_ui=False)
    register(app, engine, settings)
    section = Section("forgotten", "Somebody forgot the rule.")
    section.blueprint.add_url_rule("/forgotten", view_func=lambda: "secret")
    app.register_api(section.blueprint)
    headers = {"Authorization": f"Bearer {api.token}"}
    assert app.test_client().get("/api/v1/forgotten", headers=headers).status_code == 403


def test_a_token_does_not_open_by_another_way_than_the_header(api: Api) -> None:
    assert api.client.get(f"/api/v1/calls?token={api.token}").status_code == 401
    api.client.set_cookie("token", api.token)
    assert api.client.get("/api/v1/calls").status_code == 401
    basic = {"Authorization": f"Basic {api.token}"}
    assert api.client.get("/api/v1/calls", headers=basic).status_code == 401


def test_the_last_use_of_a_token_is_on_record(api: Api, engine: Engine) -> None:
    api.get("/calls")
    with db.reading(engine) as session:
        assert session.scalars(select(ApiToken)).one().last_used_at is not None


def test_the_description_is_public_and_names_every_address(api: Api) -> None:
    spec = api.client.get("/api/v1/openapi.json").json
    assert spec is not None
    described = {
        (method.upper(), path.removeprefix("/api/v1").replace("{id}", "1")): operation
        for path, item in spec["paths"].items()
        for method, operation in item.items()
    }
    found = addresses(api)
    assert set(described) == {(method, path) for method, path, _ in found}
    for method, path, scope in found:
        assert described[method, path]["security"] == [{"token": [scope]}]
