"""Settings on pages: who may, what is shown, what is refused, what follows at once, and whether it works."""

import io
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller
from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import Engine, event, select, text

from tests.cast import ACME_DESK, CATALOGUE_NUMBER, moment
from tests.test_schedules import Box
from tests.twilio_requests import TOKEN, incoming, post, sid
from tests.web.people import ADDRESSES, be_public, form
from tests.web.ringing import advertise, ring
from tracking import clock
from tracking.records import rates
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import AuditEntry, Call
from tracking.storage.vocabulary import Role
from tracking.telephony import numbers

Enter = Callable[[str], FlaskClient]
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle cx="4" cy="4" r="4"/></svg>'


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def png(side: int = 1) -> bytes:
    """A blue square."""
    rows = (b"\0" + b"\0\x66\xcc" * side) * side
    head = side.to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


PNG = png()


def save(client: FlaskClient, section: str, **fields: object) -> tuple[int, str]:
    data = form(client.get("/account").text) | fields
    answer = client.post(f"/settings/{section}", data=data, content_type="multipart/form-data")
    return answer.status_code, answer.text


def trail(engine: Engine) -> list[str]:
    with db.reading(engine) as session:
        wanted = select(AuditEntry).where(AuditEntry.action.in_(("setting change", "logo change")))
        return [f"{row.actor}: {row.subject}" for row in session.scalars(wanted.order_by(AuditEntry.id))]


def upload(content: bytes, name: str = "logo.svg") -> tuple[io.BytesIO, str]:
    return io.BytesIO(content), name


@pytest.mark.parametrize("role", ["viewer", "rep", "marketer"])
def test_only_administrators_set_anything(signed_in: Enter, engine: Engine, role: str) -> None:
    client = signed_in(role)
    for section in ("company", "phone", "mail"):
        assert client.get(f"/settings/{section}").status_code == 403
        assert save(client, section, company="Mine", mail_from="a@b.example")[0] == 403
    for check in ("company/check", "mail/test"):
        assert save(client, check)[0] == 403
    assert trail(engine) == []


def test_what_is_saved_counts_at_once_and_stands_on_the_audit_trail(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("administrator")
    told = {"company": " Acme  Pumps ", "region": "DE", "currency": "SEK", "timezone": "Europe/Berlin"}
    assert save(client, "company", **told, base_url="https://calls.acme.example/")[0] == 303
    assert (settings.company, settings.region, settings.currency) == ("Acme Pumps", "DE", "SEK")
    assert settings.base_url == "https://calls.acme.example"
    assert trail(engine) == [
        "anna@acme.example: RINGTRAIL_COMPANY: Acme  Pumps",
        "anna@acme.example: RINGTRAIL_REGION: DE",
        "anna@acme.example: RINGTRAIL_CURRENCY: SEK",
        "anna@acme.example: RINGTRAIL_TIMEZONE: Europe/Berlin",
        "anna@acme.example: RINGTRAIL_BASE_URL: https://calls.acme.example/",
    ]
    assert save(client, "company", **told)[0] == 303
    assert len(trail(engine)) == 5, "saving the same again changes nothing"
    assert save(client, "company", company="")[0] == 303
    assert settings.company == ""


@pytest.mark.parametrize(
    ("section", "fields", "reason"),
    [
        ("company", {"base_url": "calls.acme.example"}, "is not a web address"),
        ("company", {"base_url": "https://x/?q=1"}, "enter only https://"),
        ("company", {"currency": "eur"}, "is not a currency code"),
        ("company", {"timezone": "Mars"}, "is not an IANA time zone"),
        ("company", {"company": "x" * 81}, "enter at most 80 characters"),
        ("phone", {"dial_timeout_s": "601"}, "must be at most 600"),
        ("phone", {"twilio_shared_keys": "no-secret-here"}, "is not of the form id=secret"),
        ("mail", {"smtp_host": "mail.acme.example", "smtp_port": "0"}, "0 is not a port"),
        ("mail", {"smtp_host": "https://mail"}, "is not a server name"),
        ("mail", {"smtp_host": "mail", "smtp_password": "p"}, "enter a user name; a password needs one"),
        ("mail", {"mail_from": "nobody"}, "is not a sender"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_saved(
    signed_in: Enter, engine: Engine, section: str, fields: dict[str, str], reason: str
) -> None:
    status, page = save(signed_in("administrator"), section, **fields)
    assert (status, trail(engine)) == (422, [])
    assert reason in page
    assert 'aria-invalid="true"' in page


def test_a_variable_wins_and_the_page_names_it(office: Flask, signed_in: Enter, settings: Settings) -> None:
    client = signed_in("administrator")
    page = client.get("/settings/phone").text
    assert "Set by RINGTRAIL_DEFAULT_DESTINATION; change it there." in page
    assert save(client, "phone", default_destination="+46701740699")[0] == 303
    assert settings.default_destination == ACME_DESK


def test_a_secret_is_never_shown_again_stays_when_left_empty_and_can_be_cleared(
    signed_in: Enter, engine: Engine, office: Flask
) -> None:
    advertise(engine, clock.now())
    client, phone = signed_in("administrator"), office.test_client()
    assert save(client, "company", base_url="https://calls.acme.example")[0] == 303
    assert post(phone, "voice", incoming(sid(1))).status_code == 403
    assert save(client, "phone", twilio_auth_tokens=TOKEN)[0] == 303
    assert post(phone, "voice", incoming(sid(1))).status_code == 200, "in force without a restart"
    assert save(client, "phone", twilio_auth_tokens="", twilio_account_sid="")[0] == 303
    assert post(phone, "voice", incoming(sid(2))).status_code == 200
    for path in ("/settings/phone", "/audit"):
        assert TOKEN not in client.get(path).text
    with db.reading(engine) as session:
        named = "SELECT value FROM setting WHERE name = 'RINGTRAIL_TWILIO_AUTH_TOKENS'"
        assert TOKEN.encode() not in bytes(session.scalars(text(named)).one())
    assert save(client, "phone", clear_twilio_auth_tokens="1")[0] == 303
    assert post(phone, "voice", incoming(sid(3))).status_code == 403
    assert trail(engine)[1:] == [
        "anna@acme.example: RINGTRAIL_TWILIO_AUTH_TOKENS: set",
        "anna@acme.example: RINGTRAIL_TWILIO_AUTH_TOKENS: cleared",
    ]
    page = client.get("/settings/phone").text
    assert "https://calls.acme.example/providers/twilio/voice" in page
    assert "A request was rejected on" in page
    assert "The last report came on" in page


def test_no_webhook_asks_the_database_for_a_setting(signed_in: Enter, engine: Engine, office: Flask) -> None:
    advertise(engine, clock.now())
    save(signed_in("administrator"), "company", base_url="https://calls.acme.example")
    save(signed_in("administrator"), "phone", twilio_auth_tokens=TOKEN)
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _k, statement, *_: asked.append(statement))
    assert post(office.test_client(), "voice", incoming(sid(1))).status_code == 200
    assert asked
    assert not [statement for statement in asked if "FROM setting" in statement]
    asked.clear()
    forged = office.test_client().post("/providers/twilio/voice", data=incoming(sid(2)))
    assert (forged.status_code, asked) == (403, [])


def test_the_public_address_is_a_name_of_ours_and_this_machine_always_is(
    signed_in: Enter, office: Flask
) -> None:
    client = signed_in("administrator")
    named = {"Host": "calls.acme.example"}
    assert office.test_client().get("/sign-in", headers=named).status_code == 400
    assert save(client, "company", base_url="https://calls.acme.example")[0] == 303
    there = office.test_client().get("/sign-in", headers=named)
    assert there.status_code == 200
    assert there.headers["Strict-Transport-Security"]
    cookies = there.headers.getlist("Set-Cookie")
    assert all("Secure" in cookie and cookie.startswith("__Host-") for cookie in cookies)
    # Whoever has set it is still signed in on this machine.
    assert client.get("/settings/company").status_code == 200
    here = office.test_client().get("/sign-in", headers={"Host": "127.0.0.1:8000"})
    assert not [cookie for cookie in here.headers.getlist("Set-Cookie") if "Secure" in cookie]
    assert office.test_client().get("/sign-in", headers={"Host": "evil.example"}).status_code == 400


def test_the_currency_stays_where_amounts_are_in_it(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("administrator")
    assert save(client, "company", currency="SEK")[0] == 303
    cost = {"campaign": "-", "category": "Staff", "amount": "100", "first": "2026-01-01"}
    answer = client.post("/costs", data=form(client.get("/costs").text, **cost))
    assert answer.status_code == 303, answer.text
    status, page = save(client, "company", currency="EUR")
    assert (status, settings.currency) == (422, "SEK")
    assert "cannot be changed to EUR: there are costs in SEK" in page


def test_the_currency_stays_where_there_are_rates_to_it(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    with db.transaction(engine) as session:
        rates.save(session, "SEK", moment("2026-01-01").date(), 0.09, target="EUR")
    status, page = save(signed_in("administrator"), "company", currency="SEK")
    assert (status, settings.currency) == (422, "EUR")
    assert "there are exchange rates to the present currency" in page


def test_another_zone_is_asked_about_once_there_are_records(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("administrator")
    assert save(client, "company", timezone="Europe/Berlin")[0] == 303, "nothing is recorded yet"
    advertise(engine, clock.now())
    ring(engine, "one", clock.now())
    status, page = save(client, "company", timezone="Europe/London")
    assert (status, settings.timezone) == (422, "Europe/Berlin")
    assert "moves what happened near midnight to another day" in page
    assert 'name="sure"' in page
    assert save(client, "company", timezone="Europe/London", sure="1")[0] == 303
    assert settings.timezone == "Europe/London"


class Other(BaseHTTPRequestHandler):
    """Another service: it greets, leads elsewhere, or knows nothing, by the path before ours."""

    def do_GET(self) -> None:
        code = {"/elsewhere": 302, "/nothing": 404}.get(self.path.rpartition("/reachable")[0], 200)
        self.send_response(code)
        self.send_header("Location", "https://acme.example/")
        self.end_headers()
        self.wfile.write(b"welcome")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "answers, but it is another service."),
        ("/elsewhere", "answers with 302"),
        ("/nothing", "answers with 404"),
    ],
)
def test_the_check_says_who_answers_at_the_public_address(signed_in: Enter, path: str, said: str) -> None:
    client = signed_in("administrator")
    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{other.server_port}{path}"
        assert save(client, "company", base_url=address)[0] == 303
        assert save(client, "company/check")[0] == 303
        other.shutdown()
    assert f"{address} {said}" in client.get("/settings/company").text
    assert save(client, "company/check")[0] == 303
    assert f"{address} does not answer" in client.get("/settings/company").text


# --- The logo --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"), [(SVG, "image/svg+xml"), (PNG, "image/png")], ids=["svg", "png"]
)
def test_a_logo_is_shown_to_everybody_and_can_do_nothing(
    signed_in: Enter, engine: Engine, office: Flask, content: bytes, kind: str
) -> None:
    client = signed_in("administrator")
    assert office.test_client().get("/logo/picture").status_code == 404
    assert save(client, "company", logo=upload(content))[0] == 303
    shown = office.test_client().get("/logo/picture")
    assert (shown.status_code, shown.mimetype) == (200, kind)
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    assert "script-src" not in shown.headers["Content-Security-Policy"]
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert "/logo/picture?v=" in client.get("/settings/company").text
    assert save(client, "company", clear_logo="1")[0] == 303
    assert office.test_client().get("/logo/picture").status_code == 404
    assert [line.partition(": ")[2] for line in trail(engine)][-1] == "removed"


INSIDE = b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">%s</svg>'
REFUSED = {
    "script": (INSIDE % b"<script>alert(1)</script>", "contains script"),
    "handler": (INSIDE.replace(b"%s", b"<g onclick='x()'/>"), "contains onclick"),
    "foreign": (INSIDE % b"<foreignObject/>", "contains foreignObject"),
    "animation": (INSIDE % b"<animate attributeName='href'/>", "contains animate"),
    "picture from elsewhere": (INSIDE % b"<image href='https://evil.example/x.png'/>", "loads another file"),
    "use from elsewhere": (INSIDE % b"<use xlink:href='x.svg#a'/>", "loads another file"),
    "fill from elsewhere": (INSIDE % b"<rect fill='url(https://evil.example)'/>", "loads another file"),
    "style that imports": (INSIDE % b"<style>@import 'x'</style>", "loads another file"),
    "style that escapes": (INSIDE % b"<style>a{background:\\75rl(x)}</style>", "loads another file"),
    "entity": (b"<!DOCTYPE svg [<!ENTITY a 'b'>]>" + SVG, "declares entities"),
    "another encoding": (SVG.decode().encode("utf-16"), "choose a PNG, JPEG or SVG picture"),
    "no SVG": (b"<svg>", "is damaged"),
    "HTML": (b"<html><svg></svg></html>", "choose a PNG, JPEG or SVG picture"),
    "GIF": (b"GIF89a" + b"\0" * 20, "choose a PNG, JPEG or SVG picture"),
    "cut PNG": (PNG[:-5], "is damaged"),
    "spoilt PNG": (PNG[:45] + b"\0" + PNG[46:], "is damaged"),
    "huge PNG": (
        PNG[:8] + chunk(b"IHDR", (99_999).to_bytes(4) * 2 + PNG[24:29]) + PNG[33:],
        "at most 4,000 by 4,000 pixels",
    ),
    "cut JPEG": (b"\xff\xd8\xff\xe0\0\x10JFIF", "is damaged"),
    "a photo": (b"\xff\xd8\xff" + b"\0" * 6_000_000, "a picture of at most 500 kB"),
    "large": (SVG + b" " * 500_000, "a picture of at most 500 kB"),
    "deep": (INSIDE % (b"<g>" * 20_000 + b"</g>" * 20_000), "is damaged"),
}


# The test client leaves the temporary file of a large upload to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_a_logo_that_could_act_or_is_no_picture_is_refused_with_the_reason(
    signed_in: Enter, engine: Engine, name: str
) -> None:
    content, reason = REFUSED[name]
    status, page = save(signed_in("administrator"), "company", logo=upload(content))
    assert (status, trail(engine)) == (422, [])
    assert reason in page


def test_what_a_drawing_program_notes_and_what_hangs_behind_a_picture_is_dropped(
    signed_in: Enter, office: Flask
) -> None:
    client = signed_in("administrator")
    drawn = (
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="urn:i" '
        b'inkscape:version="1">'
        b"<metadata>Anna drew it</metadata><inkscape:grid/><path d='M0 0h9v9z'/></svg>"
    )
    assert save(client, "company", logo=upload(drawn))[0] == 303
    kept = office.test_client().get("/logo/picture").data
    assert b"path" in kept
    assert not any(word in kept for word in (b"inkscape", b"Anna", b"metadata"))
    told = PNG[:33] + chunk(b"tEXt", b"Author\0Anna") + PNG[33:] + b"<script>alert(1)</script>"
    assert save(client, "company", logo=upload(told, "logo.png"))[0] == 303
    assert office.test_client().get("/logo/picture").data == PNG


# --- What carries name and logo --------------------------------------------------------------------------


def test_no_sheet_is_printed_with_an_address_that_only_this_machine_knows(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    advertise(engine, clock.now())
    client = signed_in("marketer")
    with db.reading(engine) as session:
        number = numbers.get(session, CATALOGUE_NUMBER).id
    refused = client.get(f"/numbers/{number}/sheet.pdf")
    assert refused.status_code == 409
    assert "Set the public address under Settings, Company" in refused.text
    assert client.get("/campaigns/1/sheets.pdf").status_code == 409
    for path in (f"/numbers/{number}", "/campaigns/1"):
        page = client.get(path).text
        assert "No number sheet can be printed while the public address is http://127.0.0.1:8000" in page
        assert "sheet.pdf" not in page
        assert "sheets.pdf" not in page
    be_public(engine, settings)
    assert client.get(f"/numbers/{number}/sheet.pdf").status_code == 200
    assert "sheet.pdf" in client.get(f"/numbers/{number}").text


def test_the_sheet_the_page_of_its_code_and_the_report_carry_name_and_logo(
    signed_in: Enter, engine: Engine, settings: Settings, office: Flask
) -> None:
    advertise(engine, clock.now())
    ring(engine, "one", clock.now())
    be_public(engine, settings)
    client = signed_in("administrator")
    assert save(client, "company", company="Acme Pumps AB", logo=upload(PNG, "logo.png"))[0] == 303
    with db.reading(engine) as session:
        number = numbers.get(session, CATALOGUE_NUMBER).id
    [page] = PdfReader(io.BytesIO(client.get(f"/numbers/{number}/sheet.pdf").data)).pages
    assert page.extract_text().splitlines()[0] == "Acme Pumps AB"
    assert len(page.images) == 1
    scanned = office.test_client().get(f"/t/{number}").text
    assert "Acme Pumps AB" in scanned
    assert "/logo/picture?v=" in scanned
    report = client.get("/report/html").text
    assert "Acme Pumps AB" in report
    assert "data:image/png;base64," in report
    first = PdfReader(io.BytesIO(client.get("/report/pdf").data)).pages[0]
    assert first.extract_text().splitlines()[0] == "Acme Pumps AB"
    assert len(first.images) == 1


# --- Mail ------------------------------------------------------------------------------------------------


@pytest.fixture
def box() -> Iterator[tuple[Box, int]]:
    """A real mail server on this machine, which keeps what it is given."""
    kept = Box()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Controller(kept, hostname="127.0.0.1", port=port, ready_timeout=600)
    server.start()
    yield kept, port
    server.stop()


def test_a_test_mail_goes_to_whoever_asks_and_the_page_says_what_came_of_it(
    signed_in: Enter, engine: Engine, settings: Settings, box: tuple[Box, int]
) -> None:
    client = signed_in("administrator")
    assert "No email is sent" in client.get("/settings/mail").text
    assert "needs both" not in client.get("/settings/mail").text
    assert save(client, "mail", smtp_host="127.0.0.1", smtp_security="smtp")[0] == 303
    assert "Email needs both a server and a sender." in client.get("/settings/mail").text
    told = {"smtp_host": "127.0.0.1", "smtp_port": str(box[1]), "mail_from": "Acme <calls@acme.example>"}
    assert save(client, "mail", **told, smtp_security="smtp")[0] == 303
    assert "Email can be sent" in client.get("/settings/mail").text
    assert save(client, "mail/test")[0] == 303
    assert "The mail server accepted a test email to anna@acme.example" in client.get("/settings/mail").text
    [mail] = box[0].messages
    assert (mail["To"], mail["From"]) == (ADDRESSES[Role.administrator], "Acme <calls@acme.example>")
    assert save(client, "mail", **told | {"smtp_port": "1"})[0] == 303
    assert save(client, "mail/test")[0] == 303
    assert "The email was not sent" in client.get("/settings/mail").text


def test_no_password_goes_to_a_mail_server_in_the_clear(
    signed_in: Enter, settings: Settings, box: tuple[Box, int]
) -> None:
    """Unless it is on this machine, where nobody listens between."""
    client = signed_in("administrator")
    told = {"smtp_port": str(box[1]), "mail_from": "calls@acme.example", "smtp_user": "rita"}
    # By this name a server here is reached too, and is not taken for one.
    save(client, "mail", **told, smtp_host="0.0.0.0", smtp_security="smtp", smtp_password="secret")
    save(client, "mail/test")
    page = client.get("/settings/mail").text
    assert "0.0.0.0 offers no encryption, so the password was not sent" in page
    assert box[0].messages == []


def test_the_password_of_the_mail_server_is_kept_until_it_is_cleared_or_another_user_named(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("administrator")
    told = {
        "smtp_host": "mail.acme.example",
        "smtp_port": "465",
        "smtp_security": "smtps",
        "smtp_user": "a@b",
    }
    assert save(client, "mail", **told, smtp_password="p:w/d")[0] == 303
    address = "smtps://a%40b:p%3Aw%2Fd@mail.acme.example:465"
    assert settings.smtp_url.get_secret_value() == address
    page = client.get("/settings/mail").text
    assert 'value="a@b"' in page
    assert "p:w/d" not in page
    assert save(client, "mail", **told)[0] == 303
    assert settings.smtp_url.get_secret_value() == address
    # Not handed to a server that whoever has come in names.
    status, page = save(client, "mail", **told | {"smtp_host": "drift.example"})
    assert (status, "enter the password again" in page) == (422, True)
    assert settings.smtp_url.get_secret_value() == address
    assert save(client, "mail", **told | {"smtp_user": "c"})[0] == 303
    assert settings.smtp_url.get_secret_value() == "smtps://c@mail.acme.example:465"
    assert save(client, "mail", smtp_host="")[0] == 303
    assert settings.smtp_url.get_secret_value() == ""
    assert "p:w/d" not in client.get("/audit").text


# --- Links of the past -----------------------------------------------------------------------------------


def test_a_new_currency_is_that_of_pages_and_forms_at_once(signed_in: Enter, engine: Engine) -> None:
    client = signed_in("administrator")
    assert 'value="EUR"' in client.get("/costs").text
    save(client, "company", currency="SEK")
    assert 'value="SEK"' in client.get("/costs").text
    with db.reading(engine) as session:
        assert session.scalars(select(Call)).all() == []
