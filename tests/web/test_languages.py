"""English, Swedish, Russian and Chinese: whole catalogs, pages and mails as their readers speak."""

import ast
import inspect
import re
import socket
from collections.abc import Callable
from email.message import Message as Mail

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as Inbox
from babel.messages import Catalog
from babel.messages.mofile import read_mo
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from attribution import JourneyError, answers, markov, shapley
from tests import messages
from tests.cast import moment
from tests.messages import LANGUAGES, forms
from tests.web.people import ADDRESSES, enter, form, hire
from tracking import clock
from tracking.access import jobs
from tracking.app import create_app
from tracking.errors import Conflict, Invalid
from tracking.language import formatting, translate
from tracking.reporting import mailing, outbox, schedules
from tracking.reporting.schedules import Wanted
from tracking.storage import db, money
from tracking.storage.config import Settings
from tracking.storage.models import Job, ReportSchedule, User
from tracking.storage.vocabulary import Role
from tracking.web import signin

Enter = Callable[[str], FlaskClient]
PLACE = re.compile(r"%\(\w+\)[a-z]|%%")


def catalogs() -> list[tuple[str, Catalog]]:
    return [(language, messages.read(language)) for language in LANGUAGES]


def places(text: str) -> list[str]:
    return sorted(PLACE.findall(text))


def test_no_message_is_missing_in_any_catalog_and_none_is_left_over() -> None:
    wanted = {forms(message.id) for message in messages.template() if message.id}
    assert len(wanted) > 1000, "the sources were read"
    for language, catalog in catalogs():
        held = {forms(message.id): forms(message.string) for message in catalog if message.id}
        told = {message for message, said in held.items() if all(said)}
        assert wanted - told == set(), f"{language}: run `make messages` and translate these"
        assert held.keys() - wanted == set(), f"{language}: run `make messages`"


def test_every_translation_names_the_same_values_as_the_message() -> None:
    wrong = []
    for language, catalog in catalogs():
        for message in catalog:
            if not message.id or not all(forms(message.string)):
                continue
            wanted = {tuple(places(text)) for text in forms(message.id)}
            found = {tuple(places(text)) for text in forms(message.string)}
            if found != wanted:
                wrong.append((language, message.id, message.string))
    assert wrong == []


def test_a_percent_sign_is_written_twice_wherever_values_are_filled_in() -> None:
    # Templates do so always, Python only where there are some.
    wrong = []
    for language, catalog in catalogs():
        for message in catalog:
            texts = [*forms(message.id), *forms(message.string)]
            if "%(" in texts[0] or any("templates" in place for place, _ in message.locations):
                wrong += [(language, text) for text in texts if "%" in PLACE.sub("", text)]
    assert wrong == []


def test_counted_messages_have_as_many_forms_as_the_language_needs() -> None:
    assert {language: catalog.num_plurals for language, catalog in catalogs()} == {"sv": 2, "ru": 3, "zh": 1}
    for _, catalog in catalogs():
        for message in catalog:
            if message.pluralizable and any(forms(message.string)):
                assert len(forms(message.string)) == catalog.num_plurals
                assert all(forms(message.string)), message.id


def test_nothing_in_a_catalog_is_a_guess() -> None:
    for _, catalog in catalogs():
        assert [message.id for message in catalog if message.fuzzy and message.id] == []
        assert not catalog.obsolete


def test_what_programs_read_is_what_translators_wrote() -> None:
    for language, catalog in catalogs():
        with messages.po(language).with_suffix(".mo").open("rb") as file:
            compiled = {forms(m.id): forms(m.string) for m in read_mo(file) if m.id}
        written = {forms(m.id): forms(m.string) for m in catalog if m.id and any(forms(m.string))}
        assert {message: compiled.get(message) for message in written} == written, "run `make messages`"


def choose(engine: Engine, role: str, language: str) -> None:
    with db.transaction(engine) as session:
        session.scalars(select(User).where(User.email == ADDRESSES[Role(role)])).one().language = language


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("language", "tag", "heading"),
    [("sv", "sv", "Samtal"), ("ru", "ru", "Звонки"), ("zh", "zh-Hans", "来电"), ("en", "en", "Calls")],
)
def test_a_page_speaks_the_language_that_its_reader_has_chosen(
    office: Flask, engine: Engine, signed_in: Enter, language: str, tag: str, heading: str
) -> None:
    choose(engine, "rep", language)
    page = signed_in("rep").get("/calls", headers={"Accept-Language": "de"}).text
    assert f'<html lang="{tag}"' in page
    assert f"<h1>{heading}" in page


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("sv-FI,sv;q=0.9", "Logga in"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "登录"),
        ("de,ru;q=0.5", "Войти"),
        ("de", "Sign in"),
        ("", "Sign in"),
    ],
)
def test_whoever_has_chosen_none_gets_the_best_that_the_browser_asks_for(
    office: Flask, asked: str, said: str
) -> None:
    page = office.test_client().get("/sign-in", headers={"Accept-Language": asked}).text
    assert f"<h1>{said}</h1>" in page


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("language", "price", "part", "many"),
    [
        ("en", "€1,234.50", "12.5%", "1,234"),
        ("sv", "1 234,50 €", "12,5 %", "1 234"),
        ("ru", "1 234,50 €", "12,5 %", "1 234"),
        ("zh", "€1,234.50", "12.5%", "1,234"),
    ],
)
def test_money_shares_and_numbers_are_written_as_the_language_writes_them(
    office: Flask, language: str, price: str, part: str, many: str
) -> None:
    with office.test_request_context(headers={"Accept-Language": language}):
        plain = [
            " ".join(text.split())
            for text in (formatting.exact(123450, "EUR"), formatting.share(0.125), formatting.count(1234))
        ]
    assert plain == [price, part, many]


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "Amount: 'a lot' is not an amount; enter digits such as 1234.50, without the currency"),
        ("sv", "Belopp: 'a lot' är inget belopp; ange siffror som 1234.50, utan valuta"),
        ("ru", "Сумма: 'a lot' — не сумма; введите цифры, например 1234.50, без валюты"),
        ("zh", "金额：'a lot' 不是金额；请只输入数字，如 1234.50，不带货币"),
    ],
)
def test_a_refusal_of_the_domain_is_told_in_the_language_of_the_page(
    office: Flask, language: str, told: str
) -> None:
    with pytest.raises(Invalid) as refused:
        money.to_minor("a lot", "EUR")
    assert str(refused.value).startswith("amount: 'a lot' is not an amount"), "programs get English"
    with office.test_request_context(headers={"Accept-Language": language}):
        assert translate.translated(refused.value) == told


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_british_english_writes_days_its_own_way_on_pages_and_in_files(engine: Engine, office: Flask) -> None:
    choose(engine, "viewer", "en-GB")
    client = enter(office.test_client(), Role.viewer)
    for page in ("/report", "/report/html", "/report/xlsx", "/key-figures"):
        answer = client.get(f"{page}?from=2026-03-17&to=2026-03-22")
        assert answer.status_code == 200, page
        if not page.endswith("xlsx"):
            assert "17 Mar 2026" in answer.text, page
            assert 'lang="en-GB"' in answer.text, page


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_what_a_refusal_names_is_never_taken_for_a_message(office: Flask) -> None:
    error = Conflict("campaign %(campaign)r already has an asset named %(name)r",
                     campaign="%(name)s", name="100 %")  # fmt: skip
    with office.test_request_context(headers={"Accept-Language": "sv"}):
        assert translate.translated(error) == (
            "kampanjen '%(name)s' har redan ett material med namnet '100 %'"
        )
        assert translate.translated(Conflict("50 % off")) == "50 % off"


def test_what_was_written_down_in_one_language_is_read_in_another(
    settings: Settings, engine: Engine, office: Flask
) -> None:
    choose(engine, "administrator", "ru")
    choose(engine, "marketer", "sv")
    russian, swedish = (enter(office.test_client(), role) for role in (Role.administrator, Role.marketer))
    market = {"scenario": "placebo", "accounts": "100", "days": "400", "seed": "1"}
    page = russian.post("/simulator/run", data=form(russian.get("/simulator").text, **market)).location
    assert "Симуляция: placebo" in russian.get(page).text
    assert "Simulera placebo" in swedish.get(page).text
    broken = {"smtp_url": type(settings.smtp_url)("smtp://127.0.0.1:9"), "mail_from": "r@acme.example"}
    at = clock.now()
    with db.transaction(engine) as session:
        # Somebody's own words are shown as they are, also where they look like ours.
        for name in ("Costs", "%(who)s"):
            wanted = Wanted(name=name, recipients=["a@acme.example"], cadence="weekly", language="en")
            schedules.send_now(
                session, schedules.save(session, wanted, by="x", today=at.date()), by="x", at=at
            )
    said = settings.model_copy(update=broken)
    send = {schedules.KIND: lambda arguments, _progress: mailing.send(engine, said, arguments, at=at)}
    assert jobs.work(engine, send), "the simulation, which this worker does not know"
    assert jobs.work(engine, send)
    assert jobs.work(engine, send)
    with db.reading(engine) as session:
        assert session.scalars(select(Job.label).order_by(Job.id)).all() == [
            "Simulate placebo", "Costs", "%(who)s",
        ]  # fmt: skip
        failed = session.scalars(select(ReportSchedule.last_error)).all()
    assert failed[0].startswith("mail: the mail server rejected it: ConnectionRefusedError"), failed
    for page in ("/schedules", "/jobs/2"):
        assert "E-post: e-postservern avvisade meddelandet: ConnectionRefusedError" in swedish.get(page).text
        assert (
            "Электронная почта: почтовый сервер отклонил письмо: ConnectionRefusedError"
            in russian.get(page).text
        )
    listed = swedish.get("/jobs").text
    assert "Simulera placebo" in listed
    assert ">Costs<" in listed
    assert ">%(who)s<" in listed
    assert "Simulera placebo" in swedish.get("/quality").text


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("n", "said"), [(1, "1 день"), (2, "2 дня"), (5, "5 дней"), (21, "21 день"), (112, "112 дней")]
)
def test_russian_counts_in_three_forms(office: Flask, n: int, said: str) -> None:
    with office.test_request_context(headers={"Accept-Language": "ru"}):
        text = office.jinja_env.from_string("{{ ngettext('%(num)d day', '%(num)d days', n) }}")
        assert text.render(n=n) == said


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("leads", "said"), [(21.0, "21 лид"), (21.3, "21,3 лида"), (5.02, "5 лидов"), (5.7, "5,7 лида")]
)
def test_a_fraction_takes_the_form_of_two_in_russian(office: Flask, leads: float, said: str) -> None:
    with office.test_request_context(headers={"Accept-Language": "ru"}):
        text = office.jinja_env.from_string(
            "{{ ngettext('%(n)s lead', '%(n)s leads', leads|counted, n=leads|count) }}"
        )
        assert text.render(leads=leads) == said


class _Letters(Inbox):
    def __init__(self) -> None:
        super().__init__()
        self.got: list[Mail] = []

    def handle_message(self, message: Mail) -> None:
        self.got.append(message)


def test_a_mail_is_in_the_language_of_who_gets_it(settings: Settings, engine: Engine) -> None:
    hire(engine)
    choose(engine, "rep", "ru")
    choose(engine, "marketer", "en-GB")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    letters = _Letters()
    server = Controller(letters, hostname="127.0.0.1", port=port, ready_timeout=600)
    server.start()
    mail = {
        "smtp_url": type(settings.smtp_url)(f"smtp://127.0.0.1:{port}"),
        "mail_from": "ringtrail@acme.example",
    }
    told = settings.model_copy(update=mail)
    app = create_app(told, engine)
    try:
        client = app.test_client()
        fields = form(client.get("/password").text, email=ADDRESSES[Role.rep])
        client.post("/password", data=fields, headers={"Accept-Language": "sv"})
        fields = form(client.get("/password").text, email=ADDRESSES[Role.viewer])
        client.post("/password", data=fields, headers={"Accept-Language": "sv"})
        fields = form(client.get("/password").text, email=ADDRESSES[Role.marketer])
        client.post("/password", data=fields, headers={"Accept-Language": "sv"})
        enter(client, Role.administrator)
        outbox.deliver(engine, told, signin.composer(engine, told), at=moment("2100-01-01"))
    finally:
        server.stop()
        app.extensions["ringtrail"]["inbox"].close()
    words = [letter.get_payload(decode=True).decode().strip() for letter in letters.got]  # type: ignore[union-attr]
    assert words[0].startswith("Задайте пароль в течение трёх дней: http")
    assert words[1].startswith("Välj ditt lösenord inom tre dagar: http"), (
        "who has chosen none reads as he asked"
    )
    assert words[2].startswith("Choose your password within three days: http")


def test_a_page_has_words_for_every_model_that_the_engine_leaves_out(office: Flask) -> None:
    """What the engine says stands in its source; a chain that leads nowhere cannot come from journeys."""
    said = set()
    for module in (markov, shapley, answers):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "JourneyError":
                told = {word.arg: ast.literal_eval(word.value) for word in node.keywords}
                said.add(str(JourneyError(*map(ast.literal_eval, node.args), **told)))
    said.remove("the chain has a state that leads nowhere; count the ends of all paths")
    with office.test_request_context(headers={"Accept-Language": "sv"}):
        plain = {reason for reason in said if translate.why_unavailable(reason) == reason}
    assert len(said) > 8
    assert plain == set()
