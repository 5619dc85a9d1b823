"""The catalogs of the pages: messages found in the sources, merged into each language, and compiled.

``python -m tests.messages`` (``make messages``) does all three; tests ask whether it would change anything.
"""

import ast
import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from reports.definitions import KPIS
from tracking.web.security_messages import MESSAGES

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tracking" / "language" / "translations"
LANGUAGES = ("sv", "ru", "zh")
# Errors of these never reach a page: they end a command, or stop an installation from starting.
_NOT_IN_PAGES = {
    "storage/config.py",
    "storage/db.py",
    "demo/replay.py",
    "storage/vault.py",
    "storage/keys.py",
    "keeping/rekeying.py",
}
# Where each function that takes a message has it.
_FIRST = {"gettext", "_", "Conflict", "NotFound", "Skip", "say"}
_SECOND = {"Invalid", "Held"}
Found = tuple[str, int, str | tuple[str, str]]
"""File, line and message; a message with a plural is a pair."""


def sources() -> list[Path]:
    """Return the files in which messages stand."""
    tracking = ROOT / "tracking"
    python = [
        path
        for path in tracking.rglob("*.py")
        if path.relative_to(tracking).as_posix() not in _NOT_IN_PAGES
        and not {"api", "cli", "migrations", "providers"} & set(path.relative_to(tracking).parts)
    ]
    return [
        *sorted(python),
        *sorted(tracking.glob("web/templates/**/*.*")),
    ]


def found() -> Iterator[Found]:
    """Yield every message of the sources."""
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    yield from ((name, node.lineno, message) for message in _of_call(node))
        else:
            keywords = ["gettext", "ngettext", "_"]
            for line, called, message, _ in babel_extract(io.BytesIO(path.read_bytes()), keywords, [], {}):
                texts = [message] if isinstance(message, str) else list(message or ())
                if called == "ngettext":
                    yield name, line, (str(texts[0]), str(texts[1]))
                elif texts and texts[0]:  # what is no literal is said by those who pass it on
                    yield name, line, texts[0]
    for kpi in KPIS:
        # A page shows of the unit what stands before the semicolon.
        for text in (kpi.label, kpi.formula, kpi.unit, kpi.unit.split(";")[0], kpi.hides, kpi.source):
            yield "reports/definitions.py", 0, text
    for text, _ in MESSAGES.values():
        yield "tracking/web/security_messages.py", 0, text


def _of_call(call: ast.Call) -> Iterator[str | tuple[str, str]]:
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    texts = [arg.value if isinstance(arg, ast.Constant) else None for arg in call.args]
    if called == "ngettext":
        yield str(texts[0]), str(texts[1])
    else:
        place = 0 if called in _FIRST else 1 if called in _SECOND else None
        if place is not None and len(texts) > place and isinstance(texts[place], str):
            yield str(texts[place])


def template() -> Catalog:
    """Return all messages, without a language."""
    catalog = Catalog(project="Ringtrail", charset="utf-8")
    for name, line, message in found():
        catalog.add(message, locations=[(name, line)])
    return catalog


def read(language: str) -> Catalog:
    """Return what a language says; of a new one, nothing."""
    path = po(language)
    if not path.exists():
        return Catalog(locale=language, domain="messages", charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=language, domain="messages")


def po(language: str) -> Path:
    """Return where the messages of a language are."""
    return FOLDER / language / "LC_MESSAGES" / "messages.po"


def updated(language: str, messages: Catalog) -> bytes:
    """Return a language's catalog as it should stand: new messages empty, those no longer used gone."""
    catalog = read(language)
    catalog.update(messages, no_fuzzy_matching=True, update_header_comment=False)
    catalog.obsolete.clear()
    catalog.fuzzy, catalog.project, catalog.version = False, "Ringtrail", "0"
    catalog.header_comment = "# The words of each language are chosen in docs/languages.md."
    # Dates and names of translators are the business of version control.
    catalog.creation_date = catalog.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    catalog.last_translator, catalog.msgid_bugs_address = "The Ringtrail authors", ""
    for message in catalog:
        # Lines move with every change; the file is what helps a translator.
        message.locations = [(name, 0) for name in sorted({name for name, _ in message.locations})]
    out = io.BytesIO()
    write_po(out, catalog, width=110, sort_output=True, include_lineno=False, omit_header=False)
    return out.getvalue()


def compiled(language: str) -> bytes:
    """Return a language's catalog as programs read it."""
    out = io.BytesIO()
    write_mo(out, read(language))
    return out.getvalue()


def main() -> None:
    """Bring every language up to date, compile it, and tell what is missing."""
    messages = template()
    for language in LANGUAGES:
        path = po(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(updated(language, messages))
        path.with_suffix(".mo").write_bytes(compiled(language))
        missing = sum(1 for message in read(language) if message.id and not all(forms(message.string)))
        sys.stdout.write(f"{language}: {len(messages)} messages, {missing} without a translation\n")


def forms(string: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """Return the forms of a translation: one, or as many as the language has plurals."""
    return (string,) if isinstance(string, str) else tuple(string)


if __name__ == "__main__":
    main()
