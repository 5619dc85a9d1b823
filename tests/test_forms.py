"""Forms of web pages: what they mean, whose they are, what counts, and what is kept and counts nowhere."""

import json
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from tests.api_client import Api
from tests.cast import ACME_DESK, BOREALIS, BOREALIS_BUYER, SEARCH_NUMBER
from tests.conftest import KEY, ON_BOTH
from tests.test_collector import BROWSER, NOON, ORIGIN, Web
from tracking.cli import ringtrail
from tracking.collector import Collector, keeper, posts
from tracking.collector.crowd import FORMS_AN_HOUR, MOST_FORMS_AN_HOUR
from tracking.demo import filling
from tracking.errors import NotFound
from tracking.keeping import erasure, people, retention
from tracking.language import channels, formatting
from tracking.records import coding, contacts, sites, web_forms
from tracking.records.answers import Entry, Source
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import (
    Answer,
    AuditEntry,
    Contact,
    OutgoingMail,
    Site,
    Touch,
    Visitor,
    WebForm,
    WebVisit,
)
from tracking.storage.vocabulary import FormState, Outcome, TouchKind
from tracking.web import signin

ON_SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
EMAIL = "ada@borealis.example"
FIELDS = {
    "your-name": "Ada Byron",
    "company": "Borealis Foods",
    "E-Mail": EMAIL,
    "tel": "+44 20 7946 0002",
    "message": "Twenty pumps, please.\nBy May.",
    "Product": "P-200",
}
SPAM = {"rt-homepage": "https://pills.example"}


class Office(Web):
    """Acme's website, and the forms that are sent from it."""

    def send(
        self, told: dict[str, Any] | None = None, *, path: str | None = None, place: str = "203.0.113.7",
        headers: dict[str, str] | None = None, **more: Any,
    ) -> TestResponse:  # fmt: skip
        """A form as a browser sends it by itself, or in another way."""
        given: dict[str, Any] = {"data": FIELDS if told is None else told} | more
        return self.client.post(
            path or f"/c/{self.key}/form",
            headers={"Origin": ORIGIN, "User-Agent": BROWSER} | (headers or {}),
            environ_overrides={"REMOTE_ADDR": place},
            **given,
        )

    def taken(self, told: dict[str, Any] | None = None, **more: Any) -> None:
        answer = self.send(told, **more)
        assert answer.status_code == 200, answer.text

    def forms(self) -> list[WebForm]:
        with db.reading(self.engine) as session:
            return list(session.scalars(select(WebForm).order_by(WebForm.id)))

    def kept(self, kind: Any) -> int:
        with db.reading(self.engine) as session:
            return len(session.scalars(select(kind)).all())


@pytest.fixture
def web(engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setattr(keeper, "PATIENCE_S", 600.0)
    found = Office(engine, settings)
    found.set_up()
    yield found
    found.app.keeper.close()


@ON_BOTH
def test_a_form_is_a_touch_of_its_company_with_its_answer_and_the_visits_before_it(web: Office) -> None:
    token = web.view("?utm_campaign=spring&gclid=abc")["v"]
    web.now += timedelta(minutes=5)
    web.taken(FIELDS | {"rt-visitor": token, "rt-page": f"{ORIGIN}/contact", "rt-heard": "fair"})
    with db.reading(web.engine) as session:
        form = session.scalars(select(WebForm)).one()
        assert (form.state, form.page) == (FormState.counted, "acme.example/contact")
        assert form.told == {
            "email": EMAIL,
            "company": "Borealis Foods",
            "person": "Ada Byron",
            "phone": BOREALIS_BUYER,
            "message": "Twenty pumps, please.\nBy May.",
            "heard_from": "fair",
        }
        assert form.others == {"Product": "P-200"}
        visit, sent = session.scalars(select(Touch).order_by(Touch.occurred_at)).all()
        assert (visit.kind, sent.kind) == (TouchKind.visit, TouchKind.form)
        assert (sent.campaign.name, sent.click_ids) == ("Spring", {"gclid": "abc"})  # type: ignore[union-attr]
        assert visit.contact is sent.contact
        assert (sent.contact.name, contacts.account_of(session, sent.contact).name) == (
            "Ada Byron", "Borealis Foods",
        )  # fmt: skip
        assert {point.value for point in sent.contact.points} == {EMAIL, BOREALIS_BUYER}
        [answer] = session.scalars(select(Answer)).all()
        assert (answer.outcome, answer.channel, answer.contact) == (Outcome.answered, "fair", sent.contact)
        assert answer.verbatim is None, "a choice from the list is nobody's words"
        steps = web_forms.journey(session, form)
        assert [(step.kind, step.campaign) for step in steps] == [(TouchKind.visit, "Spring")]


@ON_BOTH
def test_a_form_without_a_browser_has_the_source_that_its_page_tells(web: Office) -> None:
    page = f"{ORIGIN}/?utm_source=news&utm_medium=email&rt=987654&secret=1"
    web.taken(FIELDS | {"rt-page": page, "utm_campaign": "Spring", "rt-heard-other": "a friend told me"})
    with db.reading(web.engine) as session:
        touch = session.scalars(select(Touch)).one()
        assert (touch.campaign.name, touch.utm_source) == ("Spring", "news")  # type: ignore[union-attr]
        answer = session.scalars(select(Answer)).one()
        assert (answer.channel, answer.campaign_id, answer.verbatim) == (None, None, "a friend told me")


@ON_SQLITE
def test_the_same_form_again_is_one(web: Office) -> None:
    for _ in range(3):
        web.taken(FIELDS | {"rt-id": "0123456789abcdef"})
    web.taken(FIELDS | {"rt-id": "0123456789abcdef", "message": "Another text"})
    assert (len(web.forms()), web.kept(Touch)) == (1, 1)
    web.taken()
    web.taken()
    assert len(web.forms()) == 2, "without an id, the same words on one day"
    web.now += timedelta(days=1)
    web.taken()
    assert len(web.forms()) == 3


SIGNS = {
    "trap": (SPAM, {}),
    "fast": ({"rt-ms": "900"}, {}),
    "program": ({}, {"User-Agent": "python-requests/2.32"}),
}


@ON_SQLITE
@pytest.mark.parametrize("sign", SIGNS)
def test_spam_is_kept_marked_and_counts_nowhere_until_somebody_says_otherwise(web: Office, sign: str) -> None:
    token = web.view("?utm_campaign=spring")["v"]
    told, headers = SIGNS[sign]
    answer = web.send(FIELDS | told | {"rt-visitor": token, "rt-heard": "fair"}, headers=headers)
    assert answer.json == {"ok": True}, "who sends spam learns nothing"
    [form] = web.forms()
    assert (form.state, form.spam_signs, form.told and form.told["email"]) == (FormState.spam, [sign], EMAIL)
    assert (web.kept(Touch), web.kept(Contact), web.kept(Answer)) == (0, 0, 0)
    with db.transaction(web.engine) as session:
        web_forms.unmark(session, web_forms.get(session, form.id))
    assert (web.kept(Touch), web.kept(Contact), web.kept(Answer)) == (2, 1, 1)
    with db.transaction(web.engine) as session:
        row = web_forms.get(session, form.id)
        assert row.state is FormState.counted
        web_forms.mark(session, row)
    assert (web.kept(Touch), web.kept(Answer), web.forms()[0].contact_id) == (0, 0, None)
    with db.reading(web.engine) as session:
        assert session.scalars(select(Visitor.contact_id)).all() == [None]


@ON_SQLITE
def test_what_people_have_made_of_an_answer_goes_with_its_spam(web: Office) -> None:
    web.taken(FIELDS | {"rt-heard-other": "the man at the stand"})
    with db.transaction(web.engine) as session:
        entry = Entry("Anna", NOON)
        coding.code(session, "the man at the stand", Source("Fair", channel="fair"), entry=entry)
    assert web.kept(Answer) == 2
    with db.transaction(web.engine) as session:
        web_forms.mark(session, web_forms.get(session, 1))
    assert web.kept(Answer) == 0


@ON_SQLITE
def test_more_forms_an_hour_than_people_send_are_spam_and_many_more_are_refused(web: Office) -> None:
    seen = [web.send({"email": f"{n}@borealis.example"}).status_code for n in range(MOST_FORMS_AN_HOUR + 5)]
    assert seen == [200] * MOST_FORMS_AN_HOUR + [429] * 5
    states = [form.state for form in web.forms()]
    assert states == [FormState.counted] * FORMS_AN_HOUR + [FormState.spam] * (
        MOST_FORMS_AN_HOUR - FORMS_AN_HOUR
    )
    assert web.sums()["refused"] == 5


@ON_SQLITE
def test_a_form_that_names_nobody_is_kept_and_is_no_company_s(web: Office) -> None:
    web.taken({"name": "Ada", "message": "Hello"})
    web.taken({"phone": ACME_DESK, "message": "your own number"})
    web.taken({"phone": SEARCH_NUMBER, "email": "no address", "message": "a tracking number"})
    assert [form.state for form in web.forms()] == [FormState.nobody] * 3
    assert web.forms()[2].others == {"email": "no address"}, "what cannot be used is not lost"
    assert (web.kept(Touch), web.kept(Contact)) == (0, 0)
    token = web.view()["v"]
    web.taken({"email": EMAIL, "rt-visitor": token})
    web.taken({"message": "and one thing more", "rt-visitor": token})
    assert web.forms()[4].state is FormState.counted, "its browser is known"


@ON_SQLITE
def test_a_browser_that_asks_not_to_be_followed_sends_a_form_and_no_more(web: Office) -> None:
    token = web.view("?utm_campaign=spring")["v"]
    web.taken(FIELDS | {"rt-visitor": token}, headers={"Sec-GPC": "1"})
    with db.reading(web.engine) as session:
        assert [touch.kind for touch in session.scalars(select(Touch))] == [TouchKind.form]
        assert session.scalars(select(WebForm.visitor_id)).all() == [None]


# --- How it is sent ----------------------------------------------------------------------------------------


@ON_SQLITE
def test_a_browser_goes_to_the_page_that_the_form_names_and_a_script_gets_json(web: Office) -> None:
    browsing = {"Sec-Fetch-Mode": "navigate", "Accept-Language": "sv"}
    told = FIELDS | {"rt-page": f"{ORIGIN}/contact/", "rt-next": "../thanks?x=1"}
    answer = web.send(told, headers=browsing)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{ORIGIN}/thanks?x=1")
    shown = web.send(headers=browsing)
    assert (shown.status_code, "<h1>" in shown.text, "script-src" in shown.text) == (200, True, False)
    assert 'lang="sv"' in shown.text
    assert web.send(headers={"Accept": "text/html,*/*"}).mimetype == "text/html"
    asked = web.send(json=FIELDS, data=None)
    assert (asked.json, asked.headers["Access-Control-Allow-Origin"]) == ({"ok": True}, ORIGIN)
    plain = web.send(data=json.dumps(FIELDS | {"interests": ["pumps", "valves"]}), content_type="text/plain")
    assert plain.json == {"ok": True}
    assert [form.others for form in web.forms()][-1] == {"Product": "P-200", "interests": "pumps, valves"}
    first = web.client.options(f"/c/{web.key}/form", headers={"Origin": ORIGIN})
    assert (first.status_code, first.headers["Access-Control-Allow-Headers"]) == (204, "content-type")


ENCODED = {
    "urlencoded": ("application/x-www-form-urlencoded", b"message=%CF%F0%E8%E2%E5%F2&Product=P-200"),
    "several parts": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="message"\r\n\r\n\xcf\xf0\xe8\xe2\xe5\xf2\r\n'
        b'--x\r\nContent-Disposition: form-data; name="Product"\r\n\r\nP-200\r\n',
    ),
}


@ON_SQLITE
@pytest.mark.parametrize("kind", ENCODED)
def test_a_form_in_an_older_encoding_is_read_where_it_says_so_and_refused_where_it_does_not(
    web: Office, kind: str
) -> None:
    mimetype, body = ENCODED[kind]
    more = b"&_charset_=%s" if kind == "urlencoded" else (
        b'--x\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\n%s\r\n--x--\r\n'
    )  # fmt: skip
    for charset in (b"", b"utf-8", b"punycode", b"no such one"):
        answer = web.send(data=body + more % charset, content_type=mimetype)
        assert (answer.status_code, "accept-charset" in answer.text) == (400, True)
    web.taken(data=body + more % b"windows-1251", content_type=mimetype)
    [form] = web.forms()
    assert (form.told, form.others) == ({"message": "Привет"}, {"Product": "P-200"})


@ON_SQLITE
def test_a_form_may_name_its_website_by_its_origin_alone(web: Office) -> None:
    web.taken(path="/c/form")
    with db.transaction(web.engine) as session:
        sites.add(session, "Twin", at=NOON, origins=[ORIGIN], number=ACME_DESK)
    web.app = Collector(web.engine, web.app.keeper._settings, lambda: web.now)
    web.client.application = web.app
    assert web.send(path="/c/form").status_code == 403, "two share the origin"
    assert len(web.forms()) == 1


REFUSED: dict[str, tuple[dict[str, Any], dict[str, str], int]] = {
    "foreign origin": ({}, {"Origin": "https://evil.example"}, 403),
    "no origin": ({}, {"Origin": ""}, 403),
    "an origin that is hidden": ({}, {"Origin": "null"}, 403),
    "a forged token": ({"data": FIELDS | {"rt-visitor": "A" * 22 + "." + "0" * 24}}, {}, 400),
    "another site's page": ({"data": FIELDS | {"rt-page": "https://evil.example/"}}, {}, 400),
    "no page": ({"data": FIELDS | {"rt-page": "javascript:alert(1)"}}, {}, 400),
    "leads elsewhere": ({"data": FIELDS | {"rt-next": "https://evil.example/"}}, {}, 400),
    "leads elsewhere by two strokes": ({"data": FIELDS | {"rt-next": "//evil.example"}}, {}, 400),
    "leads elsewhere backwards": ({"data": FIELDS | {"rt-next": "/\\evil.example"}}, {}, 400),
    "leads to a script": ({"data": FIELDS | {"rt-next": "javascript:alert(1)"}}, {}, 400),
    "a click id without end": ({"data": FIELDS | {"rt-page": f"{ORIGIN}/?gclid={'x' * 600}"}}, {}, 400),
    "oversize": ({"data": {"message": "x" * 70_000}}, {}, 413),
    "too many fields": ({"data": {f"f{n}": "x" for n in range(101)}}, {}, 400),
    "no field": ({"data": {"rt-heard": ""}}, {}, 400),
    "broken JSON": ({"data": b"{", "content_type": "application/json"}, {}, 400),
    "deep JSON": ({"data": b"[" * 9000, "content_type": "application/json"}, {}, 400),
    "a list": ({"data": b"[]", "content_type": "application/json"}, {}, 400),
    "an object in a field": ({"data": b'{"a": {"b": 1}}', "content_type": "application/json"}, {}, 400),
    "no form": ({"data": b"<xml/>", "content_type": "application/xml"}, {}, 415),
    "parts that end": ({"data": b"--x\r\n", "content_type": "multipart/form-data; boundary=x"}, {}, 400),
}  # fmt: skip


@ON_SQLITE
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_form_of_the_site_is_refused_counted_and_leaves_nothing(web: Office, case: str) -> None:
    given, headers, status = REFUSED[case]
    answer = web.send(headers=headers, **given)
    assert answer.status_code == status, answer.text
    assert (web.forms(), web.kept(Contact)) == ([], 0)
    assert web.sums() == {"refused": 1}


@ON_SQLITE
def test_files_are_not_taken_and_an_unknown_site_is_none(web: Office) -> None:
    assert web.send({"email": EMAIL, "cv": (BytesIO(b"%PDF"), "cv.pdf")}).status_code == 400
    assert web.send({"email": EMAIL, "cv": (BytesIO(b""), "")}).status_code == 200, "a field left empty"
    assert web.send(path=f"/c/{'0' * 12}/form").status_code == 404
    assert web.send(path="/c/form", headers={"Origin": "https://evil.example"}).status_code == 403
    assert web.client.get(f"/c/{web.key}/form", headers={"Origin": ORIGIN}).status_code == 405
    assert len(web.forms()) == 1


@ON_BOTH
def test_scripts_and_broken_characters_in_every_field_stay_text(web: Office) -> None:
    script = "<script>alert(1)</script>\0\ud800"
    told = dict.fromkeys(("name", "company", "message", "Product", "utm_campaign", "gclid"), script)
    body = json.dumps(told | {"email": EMAIL, script: "x", "rt-heard-other": script, "campaign": "987654"})
    answer = web.send(data=body.encode(), content_type="application/json")
    assert answer.status_code == 200, answer.text
    with db.reading(web.engine) as session:
        form = session.scalars(select(WebForm)).one()
        assert (form.told or {})["company"] == "<script>alert(1)</script>"
        assert (form.others or {})["campaign"] == "987654"
        assert session.scalars(select(Touch.campaign_id)).all() == [None]


@ON_SQLITE
def test_while_the_database_is_away_forms_wait_on_the_disk_and_count_afterwards(
    web: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.view()
    sound = db.commit

    def away(*_: Any) -> Any:
        raise OperationalError("INSERT", {}, Exception("away"))

    monkeypatch.setattr(db, "commit", away)
    web.taken()
    web.taken()
    web.app.keeper.close()
    monkeypatch.setattr(db, "commit", sound)
    assert web.forms() == []
    again = Collector(web.engine, web.app.keeper._settings, lambda: NOON)
    assert again.keeper.drain() == 2
    [form] = web.forms()
    assert (form.state, form.received_at) == (FormState.counted, NOON)


@ON_SQLITE
def test_a_form_that_no_disk_takes_is_not_said_to_be_kept(
    web: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.view()

    def away(*_: Any) -> Any:
        raise OperationalError("INSERT", {}, Exception("away"))

    monkeypatch.setattr(db, "commit", away)
    monkeypatch.setattr(Settings, "room", lambda _: -1)
    assert web.send().status_code == 503
    web.app.keeper.close()


# --- What fields mean --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "means"),
    [
        (("your-name", "your-email", "your-message"), ("person", "email", "message")),
        (("0-1/firstname", "0-1/email", "0-2/name"), ("first_name", "email", "company")),
        (("form_fields[email]", "form_fields[companyName]"), ("email", "company")),
        (("Namn", "Företag", "E-post", "Telefon", "Meddelande"),
         ("person", "company", "email", "phone", "message")),
        (("Ihr Name", "Firma", "E-Mail-Adresse", "Telefonnummer", "Nachricht"),
         ("person", "company", "email", "phone", "message")),
        (("Имя", "Компания", "Электронная почта", "Телефон", "Сообщение"),
         ("person", "company", "email", "phone", "message")),
        (("姓名", "公司", "邮箱", "电话", "留言"), ("person", "company", "email", "phone", "message")),
        (("Where did you hear about us?", "Var hörde du talas om oss?"), ("heard_from", None)),
        (("Откуда вы о нас узнали?",), ("heard_from",)),
    ],
)  # fmt: skip
def test_fields_are_known_by_their_names_in_five_languages(
    names: tuple[str, ...], means: tuple[str | None, ...]
) -> None:
    told = {
        name: EMAIL if kind == "email" else f"value {n}"
        for n, (name, kind) in enumerate(zip(names, means, strict=True))
    }
    found, others = posts.understood(told, {})
    wanted = {
        kind: told[name] for name, kind in zip(names, means, strict=True) if kind not in (None, "first_name")
    }
    if "first_name" in means and "person" not in means:
        wanted["person"] = told[names[means.index("first_name")]]
    assert found == wanted
    assert set(others) == {name for name, kind in zip(names, means, strict=True) if kind is None}


def test_marks_of_the_page_count_more_than_names_and_secrets_are_never_kept() -> None:
    told = {
        "menu-1": "Ada", "field_7": EMAIL, "name": "P-200", "first_name": "Eva", "_wpnonce": "x",
        "Password": "hunter2", "g-recaptcha-response": "y", "IBAN": "SE00", "csrf_token": "z",
    }  # fmt: skip
    found, others = posts.understood(told, {"menu-1": "person", "name": "heard_from"})
    assert found == {"person": "Ada", "email": EMAIL, "heard_from": "P-200"}
    assert others == {}
    assert posts.understood({"Förnamn": "Eva", "Efternamn": "Ek"}, {}) == ({"person": "Eva Ek"}, {})


@ON_SQLITE
def test_the_question_of_the_script_offers_the_answers_of_the_desk_in_four_languages(web: Office) -> None:
    script = web.client.get("/c/2/forms.js").text
    for language in ("en", "sv", "ru", "zh"):
        with formatting.speaking(web.app.keeper._settings, language):
            assert [each for each in channels.answers() if f'"{each.label}"' not in script] == []
    assert len(web.client.get("/c/2/forms.js", headers={"Accept-Encoding": "gzip"}).data) <= 4096


# --- Who is told -------------------------------------------------------------------------------------------


@ON_SQLITE
def test_the_desk_is_told_by_mail_where_there_is_an_address_and_a_mail_server(
    web: Office, settings: Settings
) -> None:
    web.taken({"email": "1@borealis.example"})
    assert web.kept(OutgoingMail) == 0, "nobody is to be told"
    told = {"RINGTRAIL_FORM_NOTICES": "desk@acme.example"}
    settings.adopt(told)
    web.taken({"email": "2@borealis.example"})
    assert web.kept(OutgoingMail) == 0, "no mail server"
    told |= {"RINGTRAIL_SMTP_URL": "smtp://127.0.0.1:1", "RINGTRAIL_MAIL_FROM": "calls@acme.example"}
    settings.adopt(told)
    web.taken(FIELDS | SPAM | {"message": "spam"})
    assert web.kept(OutgoingMail) == 0, "spam tells nobody"
    token = web.view("?utm_campaign=spring")["v"]
    web.now += timedelta(minutes=1)
    web.taken(FIELDS | {"rt-visitor": token})
    with db.transaction(web.engine) as session:
        session.scalars(select(Site)).one().notice_to = "shop@acme.example"
    web.taken({"email": "3@borealis.example"})
    compose = signin.composer(web.engine, settings)
    with db.reading(web.engine) as session:
        first, second = session.scalars(select(OutgoingMail).order_by(OutgoingMail.id)).all()
        assert second.address == "shop@acme.example"
        letter = compose(first)
    assert letter is not None
    assert (letter["To"], letter["Subject"]) == ("desk@acme.example", "Form from Shop")
    said = letter.get_content()
    for part in ("Name: Ada Byron", "Product: P-200", "Twenty pumps", "visit, Spring", "/forms/4"):
        assert part in said, said
    with db.transaction(web.engine) as session:
        web_forms.mark(session, web_forms.get(session, 4))
    assert compose(first) is None


@ON_SQLITE
def test_a_demo_with_a_form_that_a_mail_waits_to_tell_of_can_be_deleted(
    web: Office, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = {"RINGTRAIL_SMTP_URL": "smtp://127.0.0.1:1", "RINGTRAIL_MAIL_FROM": "calls@acme.example"}
    settings.adopt(mail | {"RINGTRAIL_FORM_NOTICES": "desk@acme.example"})
    web.taken()
    assert web.kept(OutgoingMail) == 1
    monkeypatch.setattr(filling, "is_here", lambda _: True)
    with db.transaction(web.engine) as session:
        filling.wipe(session)
    assert (web.forms(), web.kept(OutgoingMail)) == ([], 0)


@ON_SQLITE
def test_visits_of_a_sender_stay_nobody_s_where_he_is_somebody_else_s_already(web: Office) -> None:
    token = web.view()["v"]
    web.taken({"email": EMAIL, "rt-visitor": token})
    web.taken({"email": "bo@cobalt.example", "company": "Cobalt", "phone": BOREALIS, "rt-visitor": token})
    with db.reading(web.engine) as session:
        first, second = session.scalars(select(WebForm).order_by(WebForm.id)).all()
        assert session.scalars(select(Visitor.contact_id)).all() == [first.contact_id]
        assert first.contact_id != second.contact_id
        assert len(session.scalars(select(WebVisit)).all()) == 1


# --- Who asks for what is kept of him ----------------------------------------------------------------------


@ON_BOTH
def test_a_person_s_forms_and_visits_are_handed_out_and_taken_out(web: Office, settings: Settings) -> None:
    token = web.view("?utm_campaign=spring&gclid=abc")["v"]
    web.taken(FIELDS | {"rt-visitor": token, "rt-page": f"{ORIGIN}/contact"})
    web.taken(FIELDS | SPAM | {"message": "Ada Byron again"})
    web.taken({"email": "bo@cobalt.example", "message": "My colleague ada@borealis.example told me"})
    with db.reading(web.engine) as session:
        ada = people.by_text(session, EMAIL, "GB")
        assert people.summary(session, ada)["forms"] == 2, "spam too"
        told = people.export(session, ada, [])
    first, second = told["forms"]
    assert (first["state"], first["fields"]["Product"]) == ("counted", "P-200")
    assert first["came"]["landing"] == f"{ORIGIN}/contact"
    assert second["fields"]["message"] == "Ada Byron again"
    [browser] = told["browsers"]
    [visit] = browser["visits"]
    assert (visit["campaign"], visit["click_ids"]) == ("Spring", {"gclid": "abc"})
    row = erasure.erase(web.engine, settings, lambda s: people.by_text(s, EMAIL, "GB"), by="anna", at=NOON)
    assert (row.removed["forms"], row.removed["browsers"]) == (2, 1)
    assert [form.told for form in web.forms()][:2] == [None, None]
    assert (web.forms()[2].told or {})["message"] == "My colleague … told me"
    assert web.kept(Touch) == 3, "figures stay"
    with db.reading(web.engine) as session, pytest.raises(NotFound):
        people.by_text(session, EMAIL, "GB")


@ON_SQLITE
def test_programs_and_the_terminal_list_forms_with_addresses_in_part_and_judge_them(
    web: Office, settings: Settings
) -> None:
    web.taken(FIELDS | {"rt-page": f"{ORIGIN}/contact?utm_campaign=spring"})
    web.now += timedelta(days=1)
    web.taken(FIELDS | SPAM | {"rt-page": f"{ORIGIN}/[/b]:cat:"})
    api = Api(settings, web.engine)
    assert [form["id"] for form in api.get("/forms?per_page=1")["items"]] == [2], "the latest first"
    [shown] = api.get("/forms?state=counted&site=shop&from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z")[
        "items"
    ]
    assert (shown["email"], shown["phone"], shown["fields"]) == ("…@borealis.example", "…002", None)
    assert (shown["campaign"], shown["page"], shown["site"]) == ("Spring", "acme.example/contact", "Shop")
    assert (shown["contact_id"], shown["touch_id"], shown["state"]) == (1, 1, "counted")
    full = api.ask("GET", "/forms/1", token=api.issue(["read", "read:personal"])).json or {}
    assert (full["email"], full["fields"]["Product"]) == (EMAIL, "P-200")
    assert api.refused("GET", "/forms?site=none")["errors"][0]["field"] == "site"
    for _ in range(2):
        judged = api.patch("/forms/1", {"spam": True})
        assert (judged["state"], judged["touch_id"], judged["spam_signs"]) == ("spam", None, [])
    assert web.kept(Touch) == 0
    told = {"RINGTRAIL_DATA_DIR": str(settings.data_dir), "RINGTRAIL_KEY": KEY}

    def run(*words: str) -> Any:
        result = CliRunner().invoke(ringtrail, ["form", *words, "--json"], env=told)
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    assert run("spam", "1", "--undo")["state"] == "counted"
    plain = CliRunner().invoke(ringtrail, ["form", "list"], env=told)
    assert "acme.example/[/b]:cat:" in plain.output, "what a stranger has written is text in a table too"
    [row] = run("list", "--state", "counted", "--site", "Shop", "--to", "2026-03-02")
    assert (row["company"], row["source"], row["email"]) == ("Borealis Foods", "Spring", "…@borealis.example")
    assert run("show", "1")["fields"]["phone"] == "…002"
    assert run("show", "1", "--full")["fields"]["phone"] == BOREALIS_BUYER
    with db.reading(web.engine) as session:
        wanted = AuditEntry.action.in_(["number show", "get form in full"])
        assert len(session.scalars(select(AuditEntry.id).where(wanted)).all()) == 2


@ON_SQLITE
def test_whom_only_a_spam_form_names_is_found_too(web: Office, settings: Settings) -> None:
    web.taken(FIELDS | SPAM)
    with db.reading(web.engine) as session:
        assert people.by_text(session, BOREALIS_BUYER, "GB").forms == {1}
    erasure.erase(web.engine, settings, lambda s: people.by_text(s, EMAIL, "GB"), by="anna", at=NOON)
    assert (web.forms()[0].told, web.forms()[0].state) == (None, FormState.spam)


@ON_BOTH
def test_who_only_names_himself_is_found_by_his_form_and_forgotten_again(
    web: Office, settings: Settings
) -> None:
    web.taken({"name": "Ada Byron", "message": "Call me"} | SPAM)
    web.taken({"name": "Ada Byron", "message": "Call me back"})
    web.taken({"remarks": "Ada Byron was here"})
    told = web.forms()
    with db.reading(web.engine) as session:
        ada = people.by_text(session, "form 1", "GB")
        assert (ada.forms, ada.names) == ({1}, {"Ada Byron"})
        assert people.export(session, ada, [])["forms"][0]["fields"]["message"] == "Call me"
        with pytest.raises(NotFound):
            people.by_text(session, "form 9", "GB")
    row = erasure.erase(web.engine, settings, lambda s: people.by_text(s, "form 1", "GB"), by="anna", at=NOON)
    assert [form.told for form in web.forms()] == [None, {"person": "…", "message": "Call me back"}, None]
    assert web.forms()[2].others == {"remarks": "… was here"}
    with db.transaction(web.engine) as session:
        session.get_one(WebForm, 1).told = told[0].told
        person = people.by_hashes(session, {tuple(one.split(":", 1)) for one in row.hashes})
        assert person.forms == {1}, "a restored backup forgets him again"


@ON_SQLITE
def test_what_forms_say_is_kept_as_long_as_numbers_are(web: Office, settings: Settings) -> None:
    web.taken()
    web.taken({"Product": "P-200"})
    web.now += timedelta(days=50)
    web.taken(FIELDS | {"message": "later"})
    kept = settings.model_copy(update={"keep_numbers_days": "30"})
    assert [web_forms.is_emptied(form) for form in web.forms()] == [False] * 3
    retention.apply(web.engine, kept, at=web.now + timedelta(days=1), by="anna", confirmed=None)
    assert [web_forms.is_emptied(form) for form in web.forms()] == [True, True, False]
