"""Those who sign in at Acme Pumps, one for each role, all with one password."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask import session as cookie_of_request
from flask.testing import FlaskClient
from flask_security import core, login_user
from sqlalchemy import Engine, insert

from tests.cast import moment
from tracking.storage import db, kept
from tracking.storage.config import Settings
from tracking.storage.models import User
from tracking.storage.vocabulary import Role
from tracking.web import signin

PASSWORD = "correct horse battery staple"
ADDRESSES = {
    Role.administrator: "anna@acme.example",
    Role.marketer: "mikael@acme.example",
    Role.rep: "rita@acme.example",
    Role.viewer: "viktor@acme.example",
}
# Argon2 takes its time on purpose, a third of a second for each sign-in.
# They use its least effort; one test asks what effort the product takes.
EFFORT = "PASSWORD_HASH_PASSLIB_OPTIONS"
core._default_config[EFFORT] = {
    "argon2__time_cost": 1,
    "argon2__memory_cost": 8,
    "argon2__parallelism": 1,
}
# Each application would make the two anew that tell hashes apart.
_CONTEXTS: dict[str, Any] = {}
_make_context = core.CryptContext
core.CryptContext = lambda **told: (
    _CONTEXTS.get(str(told)) or _CONTEXTS.setdefault(str(told), _make_context(**told))
)
_KEY = "cmluZ3RyYWlsLXRlc3Qta2V5LTMyLWJ5dGVzLWxvbmc="


@cache
def password_hash() -> str:
    """What is stored of the password; made once for all tests."""
    with TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), key=_KEY)
        engine = db.connect(settings)
        try:
            return signin.hash_for(engine, settings, PASSWORD)
        finally:
            engine.dispose()


def hire(engine: Engine) -> None:
    """Let one user for each role sign in."""
    rows = [
        {
            "email": address,
            "name": address.partition("@")[0].title(),
            "role": role,
            "fs_uniquifier": role.value,
            "password": password_hash(),
            "created_at": moment("2026-01-01"),
        }
        for role, address in ADDRESSES.items()
    ]
    with db.transaction(engine) as session:
        session.execute(insert(User), rows)


def enter(client: FlaskClient, role: str) -> FlaskClient:
    """Sign in as the form does once it has judged the password; that it does, test_doors.py shows."""
    app = client.application
    people = app.extensions["security"].datastore
    told = {"environ_base": client.environ_base}
    with client.session_transaction(**told) as cookie, app.test_request_context(**told):
        login_user(people.find_user(email=ADDRESSES[Role(role)]), authn_via=["password"])
        people.commit()
        cookie.update(cookie_of_request)
    return client


def be_public(engine: Engine, settings: Settings) -> None:
    """Set a public address, as the page of settings does: sheets need one."""
    with db.transaction(engine) as session:
        kept.put(session, "RINGTRAIL_BASE_URL", "https://calls.acme.example")
    with db.reading(engine) as session:
        kept.refresh(session, settings)


def form(page: str, **fields: str) -> dict[str, str]:
    """Return fields to send with the token that a page's forms carry."""
    token = page.split('name="csrf-token" content="')[1].split('"')[0]
    return {"csrf_token": token, **fields}
