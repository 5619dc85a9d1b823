"""What can be wrong with a request from outside: a named field, the value, the remedy."""


class Invalid(ValueError):
    """Something from outside cannot be taken: ``field`` says what, ``reason`` why and what to do."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class NotFound(LookupError):
    """There is no such thing; the message names it."""


class Conflict(Exception):
    """The request is well formed but something else already stands in its place."""
