"""What can be wrong with a request from outside: a named field, the value, the remedy.

Each is a sentence in English that remembers its values, so that pages can say it in another language:
``NotFound("there is no job %(number)s", number=7)``.
"""

from collections.abc import Mapping
from typing import Any


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
        """Return plain values, to be kept and said later: ``Sentence(**kept)``."""
        plain = {k: v if isinstance(v, int | float) else str(v) for k, v in self.values.items()}
        return {"template": self.template, "values": plain}


class Invalid(ValueError):
    """Something from outside cannot be taken: ``field`` says what, ``reason`` why and what to do."""

    def __init__(self, field: str, template: str, /, **values: Any) -> None:
        self.field = field
        self.reason = Sentence(template, values)
        super().__init__(f"{field}: {self.reason}")


class NotFound(LookupError):
    """There is no such thing; the message names it."""

    def __init__(self, template: str, /, **values: Any) -> None:
        self.reason = Sentence(template, values)
        super().__init__(self.reason)


class Conflict(Exception):
    """The request is well formed but something else already stands in its place."""

    def __init__(self, template: str, /, **values: Any) -> None:
        self.reason = Sentence(template, values)
        super().__init__(self.reason)
