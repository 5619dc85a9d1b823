"""Attacks on the way in, each of which fails: credentials guessed, raced and replayed, names forged."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, LargeBinary, func, select, type_coerce

from tests.cast import moment
from tests.test_storage import can_write_now
from tests.web.people import ADDRESSES, PASSWORD, enter, form
from tracking.access import sessions, throttle, users
from tracking.access.throttle import Origin
from tracking.app import create_app
from tracking.errors import Invalid
from tracking.front import NamedProxies
from tracking.reporting import mail, outbox
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import AuditEntry, OpenSession, OutgoingMail, Tries, User
from tracking.storage.vocabulary import Role
from tracking.web import signin

Enter = Callable[[str], FlaskClient]
RITA = ADDRESSES[Role.rep]
HOME = {"REMOTE_ADDR": "192.0.2.1"}
ELSEWHERE = {"REMOTE_ADDR": "198.51.100.7"}
both = pytest.mark.parametrize("settings", ["sqlite", "postgresql"], indirect=True)


def guess(client: FlaskClient, password: str, *, email: str = RITA, origin: dict[str, str] = HOME) -> str:
    """Try a password; what the page says is wrong, or nothing where it let in."""
    fields = form(client.get("/sign-in").text, email=email, password=password)
    answer = client.post("/sign-in", data=fields, environ_overrides=origin)
    said = re.findall(r'(?:role="alert">.*?<div>|class="wrong"[^>]*>)([^<]+)', answer.text)
    return "" if answer.status_code == 302 else said[0]


# --- By which name, and from whom ------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/sign-in", "/password", "/api/v1/calls", "/livez"])
def test_a_request_by_a_name_that_is_not_ours_is_refused(office: Flask, path: str) -> None:
    client = office.test_client()
    for host in (
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "a b",
        "127.0.0.1@evil.example",
    ):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == 400, host
        assert "evil" not in answer.text
    assert client.get(path, headers={"Host": "127.0.0.1:8000"}).status_code != 400


def test_other_names_are_ours_where_the_settings_say_so(settings: Settings, engine: Engine) -> None:
    told = Settings(**settings.model_dump() | {"trusted_hosts": "calls.acme.example, Intranet"})
    client = create_app(told, engine).test_client()
    assert client.get("/livez", headers={"Host": "intranet:8000"}).status_code == 200
    with pytest.raises(ValueError, match="is no name of a host"):
        Settings(trusted_hosts="https://acme.example")


def test_a_link_in_a_mail_leads_to_the_public_address_whatever_the_request_says(
    settings: Settings, engine: Engine, office: Flask, posted: list[str]
) -> None:
    client = office.test_client()
    client.post(
        "/password",
        data=form(client.get("/password").text, email=RITA),
        headers={
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Prefix": "/evil",
            "Forwarded": "host=evil.example",
        },
    )
    told = settings.model_copy(update={"base_url": "https://calls.acme.example"})
    assert outbox.deliver(engine, told, signin.composer(engine, told), at=moment("2100-01-01")) == 1
    [text] = posted
    assert re.search(r"https://calls\.acme\.example/password/[\w.-]+", text)
    assert "evil" not in text


@pytest.mark.parametrize(
    ("peer", "chain", "client"),
    [
        ("198.51.100.7", "192.0.2.1", "198.51.100.7"),
        ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.9, 192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.9, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        ("10.0.0.1", "10.0.0.9, no address", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
    ],
)
def test_forwarded_headers_are_believed_of_named_proxies_alone(peer: str, chain: str, client: str) -> None:
    seen = {}
    named = Settings(trusted_proxies="10.0.0.0/24").trusted_proxies
    front = NamedProxies(lambda environ, _start: seen.update(environ) or [b""], named)  # type: ignore[func-returns-value]  # a stub
    front(
        {
            "REMOTE_ADDR": peer,
            "HTTP_X_FORWARDED_FOR": chain,
            "wsgi.url_scheme": "http",
            "HTTP_X_FORWARDED_PROTO": "https",
        },
        None,
    )  # type: ignore[arg-type]  # as above
    assert seen["REMOTE_ADDR"] == client
    assert seen["wsgi.url_scheme"] == ("https" if peer.startswith("10.") else "http")
    assert not [name for name in seen if "FORWARDED" in name]


def test_no_code_of_ours_makes_an_address_out_of_the_request() -> None:
    package = Path(signin.__file__).parents[1]
    found = [
        f"{path.name}: {word}"
        for path in [*package.rglob("*.py"), *package.rglob("*.html")]
        for word in re.findall(
            r"_external=True|request\.(?:url_root|host_url|base_url|host)\b", path.read_text()
        )
    ]
    assert found == []


def test_over_https_browsers_are_told_to_stay_there(settings: Settings, engine: Engine) -> None:
    for base, told in (("https://calls.acme.example", "max-age=63072000"), ("http://127.0.0.1:8000", None)):
        client = create_app(settings.model_copy(update={"base_url": base}), engine).test_client()
        for path in ("/sign-in", "/api/v1/openapi.json", "/nowhere"):
            assert client.get(path).headers.get("Strict-Transport-Security") == told
        cookies = client.get("/sign-in").headers.getlist("Set-Cookie")
        assert all(("Secure" in cookie and cookie.startswith("__Host-")) is bool(told) for cookie in cookies)


# --- Guessing --------------------------------------------------------------------------------------------


def test_whoever_guesses_from_elsewhere_does_not_shut_out_a_device_that_is_known(office: Flask) -> None:
    desk = office.test_client()
    assert guess(desk, PASSWORD) == ""
    desk.post("/sign-out", data=form(desk.get("/account").text))
    for n in range(throttle.ATTEMPTS + 1):
        said = guess(office.test_client(), f"guess {n}", origin=ELSEWHERE)
    assert "Too many attempts" in said
    assert "Too many attempts" in guess(office.test_client(), PASSWORD, origin=ELSEWHERE)
    assert guess(desk, PASSWORD) == "", "the same person, at the desk as ever"
    desk.post("/sign-out", data=form(desk.get("/account").text))
    assert guess(desk, PASSWORD, origin=ELSEWHERE) == "", "or with the same laptop behind the same line"


def test_a_device_that_is_known_may_not_guess_for_ever_either(office: Flask) -> None:
    desk = office.test_client()
    assert guess(desk, PASSWORD) == ""
    desk.post("/sign-out", data=form(desk.get("/account").text))
    said = [guess(desk, f"guess {n}") for n in range(throttle.ATTEMPTS + 1)]
    assert ["Too many attempts" in one for one in said] == [False] * throttle.ATTEMPTS + [True]


@both
def test_guesses_that_come_at_once_are_judged_no_more_often_than_one_by_one(engine: Engine) -> None:
    at, gate = moment("2026-03-01"), threading.Barrier(24)

    def one(_: int) -> bool:
        gate.wait()
        return db.commit(engine, lambda s: throttle.admit(s, "password", RITA, Origin("192.0.2.1"), at=at))

    with ThreadPoolExecutor(24) as crowd:
        assert sum(crowd.map(one, range(24))) == throttle.ATTEMPTS


@pytest.mark.parametrize(("what", "most"), [("password", 50), ("code", 20), ("link", 10)])
def test_one_account_is_not_guessed_from_many_places(engine: Engine, what: str, most: int) -> None:
    at = moment("2026-03-01")
    with db.transaction(engine) as session:
        places = [Origin(f"203.0.113.{n}") for n in range(most + 1)]
        let = [throttle.admit(session, what, RITA, place, at=at) for place in places]
        assert let == [True] * most + [False]
        assert throttle.admit(session, what, RITA, Origin("203.0.113.250", "its own device"), at=at)


def test_one_line_does_not_try_many_accounts_and_ipv6_makes_it_no_other_line(engine: Engine) -> None:
    at = moment("2026-03-01")
    with db.transaction(engine) as session:
        let = [
            throttle.admit(session, "password", f"user{n}@acme.example", Origin(f"2001:db8::{n:x}"), at=at)
            for n in range(101)
        ]
    assert let == [True] * 100 + [False]


@pytest.mark.parametrize("path", ["/sign-in", "/password"])
def test_an_account_that_is_there_is_answered_and_worked_for_like_one_that_is_not(
    office: Flask, engine: Engine, monkeypatch: pytest.MonkeyPatch, path: str, posted: list[str]
) -> None:
    """Time follows the hashing, so that is counted: it is the same, and no mail waits for a server."""
    done: list[str] = []
    context = office.extensions["security"].pwd_context
    for name in ("hash", "verify"):
        real = getattr(context, name)
        monkeypatch.setattr(
            context, name, lambda *a, _real=real, **k: (done.append("argon2"), _real(*a, **k))[1]
        )
    with db.transaction(engine) as session:
        users.add(session, "invited@acme.example", "Invited", "rep", at=moment("2026-01-01"))
        closed = session.scalars(select(User).where(User.email == ADDRESSES[Role.viewer])).one()
        users.change(session, closed, active=False)
    seen = []
    for email in (RITA, "nobody@acme.example", "invited@acme.example", ADDRESSES[Role.viewer]):
        client = office.test_client()
        done.clear()
        fields = form(client.get(path).text, email=email, password="not the one")
        page = client.post(path, data=fields).text
        seen.append(
            (re.sub(r'value="[^"]*"|csrf-token" content="[^"]*"|\S+@acme.example', "", page), list(done))
        )
    assert all(one == seen[0] for one in seen)
    assert seen[0][1] == ["argon2"]
    assert posted == []


@pytest.mark.parametrize(
    "password",
    ["password1234", "qwertyuiop12", "123456789012", "aaaaaaaaaaaaaa", "rita@acme.example", "ringtrailrita"],
)
def test_passwords_that_are_guessed_first_are_refused(office: Flask, signed_in: Enter, password: str) -> None:
    client = signed_in("rep")
    fields = {"password": PASSWORD, "new_password": password, "new_password_confirm": password}
    page = client.post("/account/password", data=form(client.get("/account/password").text, **fields))
    assert "too easy to guess" in page.text
    assert guess(office.test_client(), PASSWORD) == "", "the old one holds"


@pytest.mark.parametrize("length", [73, 128])
def test_a_long_password_is_judged_too(signed_in: Enter, length: int) -> None:
    client = signed_in("rep")
    long = ("A pump, a valve and a seal went to a fair. " * 4)[:length]
    fields = {"password": PASSWORD, "new_password": long, "new_password_confirm": long}
    assert (
        client.post("/account/password", data=form(client.get("/account").text, **fields)).status_code == 302
    )


def test_the_current_password_is_not_guessed_by_who_sits_at_an_open_desk(signed_in: Enter) -> None:
    client = signed_in("rep")
    new = "a new one that nobody guesses"
    for path in ("/account/password", "/verify"):
        said = ""
        for n in range(throttle.ATTEMPTS + 1):
            fields = {"password": f"guess {n}", "new_password": new, "new_password_confirm": new}
            said = client.post(path, data=form(client.get("/account").text, **fields)).text
        assert "Too many attempts" in said


# --- The second factor -----------------------------------------------------------------------------------


@pytest.fixture
def secret(office: Flask, engine: Engine) -> str:
    """Rita's second factor, with two recovery codes."""
    with office.app_context():
        made: str = office.extensions["security"].totp_factory.generate_totp_secret()
        codes = office.extensions["security"].mf_recovery_codes_util._encrypt_codes(
            ["aaaa-bbbb-cccc", "dddd-eeee-ffff"]
        )
    with db.transaction(engine) as session:
        rita = session.scalars(select(User).where(User.email == RITA)).one()
        rita.tf_primary_method, rita.tf_totp_secret, rita.mf_recovery_codes = "authenticator", made, codes
    return made


def half_way(office: Flask) -> FlaskClient:
    client = office.test_client()
    assert guess(client, PASSWORD) == ""
    assert client.get("/calls").status_code == 302, "a password alone lets nobody in"
    return client


def tell(client: FlaskClient, path: str, code: str) -> str:
    answer = client.post(path, data=form(client.get(path).text, code=code), environ_overrides=HOME)
    return "in" if answer.status_code == 302 else answer.text


def test_a_code_is_not_guessed_and_another_sign_in_does_not_start_the_count_anew(
    office: Flask, secret: str
) -> None:
    tries = []
    for n in range(throttle.ATTEMPTS + 2):
        path = ("/sign-in/code", "/sign-in/recovery")[n % 2]
        tries.append("Too many attempts" in tell(half_way(office), path, f"{n:06d}"))
    assert tries == [False] * throttle.ATTEMPTS + [True, True]
    with office.app_context():
        right = office.extensions["security"].totp_factory.generate_totp_password(secret)
    assert "Too many attempts" in tell(half_way(office), "/sign-in/code", right)


@both
def test_each_code_opens_once_also_for_two_at_once(office: Flask, secret: str) -> None:
    with office.app_context():
        right = office.extensions["security"].totp_factory.generate_totp_password(secret)
    doors = [half_way(office) for _ in range(2)]
    with ThreadPoolExecutor(2) as pair:
        for path, code in (("/sign-in/code", right), ("/sign-in/recovery", "aaaa-bbbb-cccc")):
            came = list(pair.map(lambda door, path=path, code=code: tell(door, path, code) == "in", doors))
            assert sorted(came) == [False, True]
            doors = [half_way(office) for _ in range(2)]


def test_recovery_codes_are_sealed_and_open_however_they_are_written(
    office: Flask, secret: str, engine: Engine
) -> None:
    with db.transaction(engine) as session:
        rita = session.scalars(select(User).where(User.email == RITA)).one()
        raw = select(type_coerce(User.__table__.c.mf_recovery_codes, LargeBinary)).where(User.id == rita.id)
        assert b"dddd-eeee-ffff" not in session.execute(raw).scalar_one()
        rita.mf_recovery_codes = [*(rita.mf_recovery_codes or []), "0a1b-2c3d-4e5f"]
    assert tell(half_way(office), "/sign-in/recovery", "0a1b-2c3d-4e5f") == "in"
    assert tell(half_way(office), "/sign-in/recovery", "DDDD-eeee-ffff ") == "in"
    with db.reading(engine) as session:
        assert len(session.scalars(select(User).where(User.email == RITA)).one().mf_recovery_codes or []) == 1


# --- Signing out -----------------------------------------------------------------------------------------


def kept(client: FlaskClient) -> dict[str, str]:
    return {
        name: client.get_cookie(name).value
        for name in ("ringtrail", "remember_token")
        if client.get_cookie(name)
    }  # type: ignore[union-attr]  # asked a moment ago


def test_signing_out_makes_copies_of_the_cookies_worthless_and_leaves_other_devices_in(office: Flask) -> None:
    client, other = office.test_client(), enter(office.test_client(), Role.rep)
    fields = form(client.get("/sign-in").text, email=RITA, password=PASSWORD, remember="y")
    client.post("/sign-in", data=fields)
    copies = kept(client)
    assert set(copies) == {"ringtrail", "remember_token"}
    client.post("/sign-out", data=form(client.get("/account").text))
    for name, value in copies.items():
        thief = office.test_client()
        thief.set_cookie(name, value)
        assert thief.get("/calls").status_code == 302, name
    assert other.get("/calls").status_code == 200


def test_a_new_password_ends_all_other_sessions_and_copies_of_this_one_s_cookies(
    office: Flask, engine: Engine
) -> None:
    client, thief = (enter(office.test_client(), Role.rep) for _ in range(2))
    copies = kept(client)
    new = "another staple of a correct horse"
    told = {"password": PASSWORD, "new_password": new, "new_password_confirm": new}
    client.post("/account/password", data=form(client.get("/account").text, **told))
    assert client.get("/calls").status_code == 200
    assert thief.get("/calls").status_code == 302
    for name, value in copies.items():
        thief.set_cookie(name, value)
    assert thief.get("/calls").status_code == 302
    with office.test_request_context(), db.reading(engine) as session:
        link = signin.link_for(session.scalars(select(User).where(User.email == RITA)).one(), "")
    fields = {"password": PASSWORD, "password_confirm": PASSWORD}
    thief.post(link, data=form(thief.get(link).text, **fields))
    assert client.get("/calls").status_code == 302, "a link for a password ends all"


def test_who_turns_the_second_factor_off_ends_all_other_sessions(office: Flask, secret: str) -> None:
    with office.app_context():
        right = office.extensions["security"].totp_factory.generate_totp_password(secret)
    client, thief = half_way(office), half_way(office)
    assert tell(client, "/sign-in/code", right) == "in"
    assert tell(thief, "/sign-in/recovery", "aaaa-bbbb-cccc") == "in"
    client.post("/account/second-factor", data=form(client.get("/account").text, setup="disable"))
    assert (client.get("/calls").status_code, thief.get("/calls").status_code) == (200, 302)


@pytest.mark.parametrize("how", ["get", "head"])
def test_nobody_is_signed_out_by_a_link(signed_in: Enter, how: str) -> None:
    client = signed_in("rep")
    for path in (
        "/sign-out",
        "/sign-in/code",
        "/sign-in/recovery",
        "/sign-in",
        "/password",
        "/tf-rescue",
        "/tf-select",
    ):
        getattr(client, how)(path)
        assert client.get("/calls").status_code == 200, path


def test_a_session_ends_by_itself(engine: Engine, office: Flask, signed_in: Enter) -> None:
    signed_in("rep")
    with db.transaction(engine) as session:
        row = session.scalars(select(OpenSession)).one()
        ends = row.expires_at
        assert ends - row.opened_at == sessions.LASTS
        token = sessions.begin(session, row.user_id, at=ends)
        session.flush()
        assert session.scalar(select(func.count(OpenSession.id))) == 1, "what has ended is taken out"
        for at, expected in ((ends, 1), (ends + sessions.LASTS, 0)):
            assert len(session.scalars(sessions.holding(User, token, at=at)).all()) == expected


def test_no_key_is_handed_out_that_never_ends(office: Flask, signed_in: Enter) -> None:
    client = office.test_client()
    token = form(client.get("/sign-in").text)["csrf_token"]
    told = {"email": RITA, "password": PASSWORD}
    head = {"Accept": "application/json", "X-CSRFToken": token}
    answer = client.post("/sign-in?include_auth_token", json=told, headers=head)
    assert (answer.status_code, answer.is_json) == (302, False), "in, and led on, like everybody"
    with office.test_request_context(), db.reading(office.extensions["ringtrail"]["engine"]) as session:
        rita = session.scalars(select(signin.SignedIn).where(signin.SignedIn.email == RITA)).one()
        key = rita.get_auth_token()
    for call in (
        lambda: office.test_client().get(f"/calls?auth_token={key}"),
        lambda: office.test_client().get("/calls", headers={"Authentication-Token": key}),
        lambda: office.test_client().get("/calls", json={"auth_token": key}),
    ):
        assert call().status_code == 302


# --- Locks -----------------------------------------------------------------------------------------------


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Mails that went out."""
    sent: list[str] = []
    monkeypatch.setattr(mail, "is_possible", lambda _settings: True)
    monkeypatch.setattr(mail, "send", lambda _settings, message: sent.append(message.get_content()) or {})
    return sent


@contextmanager
def nobody_waits(office: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Ask, whenever a password is hashed or a mail is sent, whether another process could write."""
    asked: list[bool] = []
    path = office.extensions["ringtrail"]["settings"].data_dir / "ringtrail.db"
    context = office.extensions["security"].pwd_context
    with monkeypatch.context() as patch:
        for name in ("hash", "verify"):
            real = getattr(context, name)
            patch.setattr(
                context,
                name,
                lambda *a, _real=real, **k: (asked.append(can_write_now(path)), _real(*a, **k))[1],
            )
        patch.setattr(mail, "send", lambda *_: asked.append(can_write_now(path)) or {})
        yield asked


def test_no_lock_is_held_while_a_password_is_hashed_or_a_mail_is_sent(
    office: Flask, engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "is_possible", lambda _settings: True)
    new = "a new one that nobody guesses"
    with nobody_waits(office, monkeypatch) as asked:
        client = office.test_client()
        guess(client, "wrong")
        guess(client, "wrong", email="nobody@acme.example")
        guess(client, PASSWORD)
        fields = {"password": PASSWORD, "new_password": new, "new_password_confirm": new}
        assert (
            client.post("/account/password", data=form(client.get("/account").text, **fields)).status_code
            == 302
        )
        assert client.get("/calls").status_code == 200, "signed in still, by a session of its own"
        client.post("/password", data=form(client.get("/password").text, email=RITA))
        with office.test_request_context(), db.reading(engine) as session:
            link = signin.link_for(session.scalars(select(User).where(User.email == RITA)).one(), "")
        other = office.test_client()
        reset = {"password": PASSWORD, "password_confirm": PASSWORD}
        assert other.post(link, data=form(other.get(link).text, **reset)).location == "/sign-in"
        hashed = len(asked)
        composer = signin.composer(engine, settings)
        assert outbox.deliver(engine, settings, composer, at=moment("2100-01-01")) == 3
    assert hashed >= 6
    assert len(asked) - hashed == 3, "a link, and twice that the password has changed"
    assert all(asked)


@pytest.mark.parametrize("fault", [ConnectionRefusedError, ValueError("a header has a line break")])
def test_a_mail_that_does_not_go_out_is_tried_again_holds_up_no_other_and_is_given_up_in_the_end(
    engine: Engine,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    office: Flask,
    fault: Exception | type[Exception],
) -> None:
    tried: list[int] = []

    def away(*_: object) -> None:
        tried.append(1)
        raise fault

    monkeypatch.setattr(mail, "send", away)
    with db.transaction(engine) as session:
        outbox.put(session, outbox.LINK, RITA, "en", at=moment("2026-03-01"))
        outbox.put(session, outbox.LINK, "nobody@acme.example", "en", at=moment("2026-03-01"))
    composer = signin.composer(engine, settings)
    assert outbox.deliver(engine, settings, composer, at=moment("2026-03-01")) == 2
    assert outbox.deliver(engine, settings, composer, at=moment("2026-03-01")) == 0, (
        "not before its pause is over"
    )
    for day in range(2, 20):
        outbox.deliver(engine, settings, composer, at=moment(f"2026-03-{day:02d}"))
    assert len(tried) == 8
    with db.reading(engine) as session:
        assert session.scalars(select(OutgoingMail)).all() == []


def test_what_waits_in_the_database_opens_nothing(engine: Engine, office: Flask, posted: list[str]) -> None:
    client = office.test_client()
    client.post("/password", data=form(client.get("/password").text, email=RITA))
    with engine.connect() as connection:
        held = connection.exec_driver_sql("SELECT kind, address FROM outgoing_mail").all()
    assert [kind for kind, _ in held] == [outbox.LINK]
    assert b"rita" not in bytes(held[0][1])


def test_who_comes_in_and_who_fails_to_is_on_record(engine: Engine, office: Flask) -> None:
    client = office.test_client()
    guess(client, "wrong")
    guess(client, "my password by mistake", email="my password by mistake")
    guess(client, PASSWORD)
    client.post("/sign-out", data=form(client.get("/account").text))
    with db.reading(engine) as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(row.actor, row.action) for row in rows] == [
        (RITA, "password refused"),
        ("unknown address", "password refused"),
        (RITA, "sign in"),
        (RITA, "sign out"),
    ]


def test_tries_are_kept_no_longer_than_they_count(engine: Engine) -> None:
    for day in ("2026-03-01", "2026-03-03"):
        with db.transaction(engine) as session:
            throttle.admit(session, "password", RITA, Origin("192.0.2.1"), at=moment(day))
    with db.reading(engine) as session:
        assert {row.since for row in session.scalars(select(Tries))} == {moment("2026-03-03")}


def test_a_clock_that_was_ahead_shuts_nobody_out_once_it_is_put_right(engine: Engine) -> None:
    with db.transaction(engine) as session:
        for day, admitted in (("2027-03-01", True), ("2026-03-01", True)):
            for _ in range(throttle.ATTEMPTS):
                told = throttle.admit(session, "password", RITA, Origin("192.0.2.1"), at=moment(day))
                assert told is admitted
        assert not throttle.admit(session, "password", RITA, Origin("192.0.2.1"), at=moment("2026-03-01"))


def test_a_secret_is_tried_only_where_a_limit_is_known(engine: Engine) -> None:
    with db.transaction(engine) as session, pytest.raises(KeyError):
        throttle.admit(session, "anything", RITA, Origin("192.0.2.1"), at=moment("2026-03-01"))


def test_an_address_of_a_proxy_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="write addresses or networks"):
        Settings(trusted_proxies="the proxy")
    with pytest.raises(Invalid):
        Settings.load(trusted_proxies="10.0.0.1/8")
