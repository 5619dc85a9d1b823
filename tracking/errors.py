"""What can be wrong with a request from outside: a named field, the value, the remedy.

Each is a sentence in English that remembers its values, so that pages can say it in another language:
``NotFound("job %(number)s not found", number=7)``.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

OF_FIELD = "%(field)s: %(reason)s"
"""What is wrong with a field, and its field: pages have other names for fields."""


class Sentence(str):
    """English, and what it was made of: a template and its values; without values it may hold any sign."""

    template: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, values: Mapping[str, Any]) -> "Sentence":
        """Fill the values in."""
        made = super().__new__(cls, template % values if values else template)
        made.template, made.values = template, values
        return made

    def packed(self) -> dict[str, Any]:
        """Return plain values, to be kept and said later: see :func:`unpacked`."""
        return {"template": self.template, "values": {k: _plain(v) for k, v in self.values.items()}}


def say(template: str, /, **values: Any) -> Sentence:
    """Return a sentence; the catalogs of the pages are made from what stands here and in errors."""
    return Sentence(template, values)


def unpacked(kept: Mapping[str, Any]) -> Sentence:
    """Return the sentence that :meth:`Sentence.packed` gave."""
    values = {k: unpacked(v) if isinstance(v, Mapping) else v for k, v in kept["values"].items()}
    return Sentence(kept["template"], values)


def _plain(value: Any) -> Any:
    if isinstance(value, Sentence):
        return value.packed()
    return value if isinstance(value, int | float) else str(value)


class Invalid(ValueError):
    """Something from outside cannot be taken: ``field`` says what, ``reason`` why and what to do."""

    def __init__(self, field: str, template: str, /, **values: Any) -> None:
        self.field = field
        self.reason = Sentence(template, values)
        self.whole = say(OF_FIELD, field=field, reason=self.reason)
        super().__init__(self.whole)

    @classmethod
    def of(cls, field: str, said: Sentence) -> "Invalid":
        """Return what a sentence says as an error of a field."""
        return cls(field, said.template, **said.values)


class RateMissing(Invalid):
    """An amount is in a currency that has no exchange rate on its day; figures wait for one.

    A rate from ``needed`` on serves all amounts of that currency.
    """

    def __init__(self, *, what: str, source: str, target: str, day: date, needed: date) -> None:
        self.currency, self.needed = source, needed
        told = Invalid(
            "currency",
            "%(what)s is in %(source)s and has no exchange rate to %(target)s on %(day)s; add "
            "one with `ringtrail rate %(source)s %(needed)s RATE`",
            what=what,
            source=source,
            target=target,
            day=day,
            needed=needed,
        )
        super().__init__(told.field, told.reason.template, **told.reason.values)


def documents_missing(command: str) -> "Conflict":
    """Return why no document or picture can be made, and the command that installs what it needs."""
    return Conflict(
        "PDF files and chart images need `%(command)s`, or `make documents` in the source folder",
        command=command,
    )


class NotFound(LookupError):
    """There is no such thing; the message names it."""

    def __init__(self, template: str, /, **values: Any) -> None:
        self.whole = Sentence(template, values)
        super().__init__(self.whole)


class Conflict(Exception):
    """The request is well formed but something else already stands in its place."""

    def __init__(self, template: str, /, **values: Any) -> None:
        self.whole = Sentence(template, values)
        super().__init__(self.whole)
