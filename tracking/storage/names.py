"""Names that people and systems give things: one spelling, something in it, not too much of it."""

import unicodedata

from tracking.errors import Invalid


def required(value: str, field: str) -> str:
    """Return a name with its blanks tidied, or raise Invalid where nothing or too much is left of it."""
    value = tidy(value)
    if not value:
        raise Invalid(field, "is empty; give it a name")
    if len(value) > 200:
        raise Invalid(field, "has %(length)s characters; give at most 200", length=len(value))
    return value


def tidy(name: str) -> str:
    """Return a name in its one spelling."""
    # Systems differ in how they write blanks and accents (NFC, NFD); control characters break tables
    # and PostgreSQL.
    text = unicodedata.normalize("NFC", " ".join(name.split()))
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs"))
