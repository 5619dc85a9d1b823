"""Every page in a made-up language, in which what nobody marked for translation stands out."""

import functools
import re
import shutil
from collections.abc import Iterator
from enum import Enum
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import pytest
from babel import Locale
from babel.support import NullTranslations
from flask import Flask
from flask_babel import Domain
from sqlalchemy import Engine, select

from tests import messages
from tests.conftest import KEY
from tests.imports import NOW
from tests.web.people import enter, hire
from tests.web.test_access import addresses
from tracking import clock
from tracking.app import create_app
from tracking.demo import filling
from tracking.language.formatting import LANGUAGES
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.vocabulary import Base, Role
from tracking.telephony import providers

ACCENTS = str.maketrans("aeiouyAEIOUY", "åéîøüýÅÉÎØÜÝ")
PLACE = re.compile(r"%\(\w+\)[a-z]|%%|<[^>]*>")
SPOKEN = {"alt", "aria-label", "placeholder", "title", "label", "aria-description", "aria-roledescription"}
# What is the same in every language: our name, months of the locale under test, units and file kinds.
SAME = re.compile(
    r"\b(Ringtrail|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|January|February|March|April|June|July"
    r"|August|September|October|November|December|AM|PM|EUR|UTC|UTF-\d+|Windows-\d+|GB 18030"
    r"|utm_source|utm_medium|utm_campaign|PDF|HTML|Esc|Enter|Ctrl)\b"
)


class Pseudo(NullTranslations):
    """Says everything in brackets, with accents, a third longer, and remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def ugettext(self, message: str) -> str:
        self.asked.add(message)
        return stretched(message)

    def ungettext(self, one: str, many: str, n: int) -> str:
        self.asked.add(one)
        return stretched(one if n == 1 else many)

    gettext, ngettext = ugettext, ungettext


def stretched(message: str) -> str:
    """Return a message as somebody would say it who has longer words."""
    kept = PLACE.findall(message)
    spoken = [part.translate(ACCENTS) for part in PLACE.split(message)]
    whole = "".join(part + place for part, place in zip(spoken, [*kept, ""], strict=True))
    return f"⟦{whole}{'·' * (len(message) // 3)}⟧"


class Visible(HTMLParser):
    """Collects what a person sees or hears of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.texts += [
            value for name, value in attrs if value and (name in SPOKEN or name.startswith("data-say"))
        ]
        if tag not in {"input", "br", "meta", "link", "img", "hr", "source", "col", "wbr"}:
            self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip() and not {"script", "style", "code", "kbd"} & set(self.inside):
            self.texts.append(" ".join(data.split()))


def unmarked(page: str, known: list[str]) -> set[str]:
    """Return what a page says that did not go through a catalog and is no user's own."""
    seen = Visible()
    seen.feed(page)
    found = set()
    for text in seen.texts:
        rest = re.sub(r"https?://\S+", " ", text)
        while (bare := re.sub(r"⟦[^⟦⟧]*⟧", " ", rest)) != rest:
            rest = bare
        # A message may be cut where an element stands within it.
        rest = re.sub(r"⟦[^⟦⟧]*$|^[^⟦⟧]*⟧", " ", rest)
        for word in known:
            if word in rest:
                rest = rest.replace(word, " ")
        rest = SAME.sub(" ", rest)
        if re.search(r"[^\W\d_]{2,}", re.sub(r"\S+@\S+|\S+/\S+", " ", rest)):
            found.add(text)
    return found


def told_by_users(engine: Engine) -> list[str]:
    """Return every text of the database that people or other systems wrote, the longest first."""
    found = set(LANGUAGES.values())
    # Names of countries and currencies are Unicode's, and what a provider is called is its own.
    found |= {*Locale("en").territories.values(), *Locale("en").currencies.values(), *Locale("en").currencies}
    found |= {providers.title_of(name) for name in providers.names()} | available_timezones()
    with db.reading(engine) as session:
        for table in Base.metadata.sorted_tables:
            for row in session.execute(select(table)):
                for value in row:
                    found |= set(texts(value))
    return sorted((text for text in found if len(text) > 1), key=len, reverse=True)


def texts(value: Any) -> Iterator[str]:
    """Yield the texts in a value; words of a vocabulary are ours and to be translated."""
    if isinstance(value, str) and not isinstance(value, Enum):
        yield " ".join(value.split())
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)
    elif isinstance(value, dict):
        for name, part in value.items():
            yield str(name)
            yield from texts(part)


@pytest.fixture(scope="module")
def acme(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flask, Engine]]:
    """An installation with every kind of record."""
    folder = tmp_path_factory.mktemp("acme")
    shutil.copy(sqlite_template, folder / "ringtrail.db")
    settings = Settings(data_dir=folder, key=KEY)
    engine = db.connect(settings)
    filling.fill(engine, NOW, accounts=60)
    hire(engine)
    app = create_app(settings, engine)
    yield app, engine
    app.extensions["ringtrail"]["inbox"].close()
    engine.dispose()


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_every_page_opens_in_every_language(
    acme: tuple[Flask, Engine], monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    app, _ = acme
    monkeypatch.setattr(clock, "now", lambda: NOW)
    client = enter(app.test_client(), Role.administrator)
    opened = 0
    for method, path, _ in addresses(app):
        if method == "GET":
            answer = client.get(path, headers={"Accept-Language": language})
            assert answer.status_code < 500, path
            opened += f'lang="{language}' in answer.text if answer.mimetype == "text/html" else 0
    assert opened > 40


def test_a_page_that_cannot_be_made_says_so_in_the_language_of_its_reader(
    acme: tuple[Flask, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _ = acme
    client = enter(app.test_client(), Role.administrator)

    @functools.wraps(app.view_functions["web.saved_views"])
    def broken() -> str:
        raise RuntimeError("a defect of the program")

    monkeypatch.setitem(app.view_functions, "web.saved_views", broken)
    answer = client.get("/views", headers={"Accept-Language": "sv"})
    assert answer.status_code == 500
    assert "Sidan kunde inte laddas" in answer.text
    assert "a defect" not in answer.text


def test_no_page_says_anything_that_is_not_in_the_catalogs(
    acme: tuple[Flask, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, engine = acme
    monkeypatch.setattr(clock, "now", lambda: NOW)
    client = enter(app.test_client(), Role.administrator)
    pseudo = Pseudo()
    monkeypatch.setattr(Domain, "get_translations", lambda _: pseudo)
    shown = []
    for method, path, _ in addresses(app):
        if method == "GET":
            answer = client.get(path)
            if answer.mimetype == "text/html":
                shown.append((path, answer.text))
            answer.close()
    # Afterwards, since downloads are written down and shown with the rest of the audit trail.
    known = told_by_users(engine)
    said: dict[str, str] = {}
    for path, text in shown:
        said |= dict.fromkeys(unmarked(text, known), path)
    assert said == {}
    found = {message if isinstance(message, str) else message[0] for _, _, message in messages.found()}
    # What was said already stays as it is when it is said again.
    assert {asked for asked in pseudo.asked - found if not asked.startswith("⟦")} == set()
