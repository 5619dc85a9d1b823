"""Names that people and systems give things: one spelling, something in it, not too much of it."""

import re
import unicodedata

from tracking.errors import Invalid

RESERVED = frozenset(
    f"({line})"
    for line in (
        "unattributed",
        "unknown",
        "unknown source",
        "overhead",
        "total",
        "untracked",
        "no conversion",
    )
)
"""Lines of tables that are no campaign, channel or material: the engine refuses a source called so."""


def required(value: str, field: str) -> str:
    """Return a name with its blanks tidied, or raise Invalid where nothing or too much is left of it."""
    value = tidy(value)
    if not value:
        raise Invalid(field, "enter a name")
    if len(value) > 200:
        raise Invalid(field, "must be 200 characters or fewer (now %(length)s)", length=len(value))
    return value


def source_name(value: str, field: str) -> str:
    """Return a name that figures will be grouped by; that of a line which no source has is refused."""
    value = required(value, field)
    if value.casefold() in RESERVED:
        raise Invalid(field, "%(name)s is a line of the reports; choose another name", name=value)
    return value


def tidy(name: str) -> str:
    """Return a name in its one spelling."""
    # Systems differ in how they write blanks and accents (NFC, NFD); control characters break tables
    # and PostgreSQL.
    return " ".join(visible(name).split())


def visible(text: str) -> str:
    """Return text composed (NFC) and without what cannot be seen: two names that look alike are one.

    Zero-width blanks, direction marks and soft hyphens go; the two joiners stay where they are part of the
    spelling, in Arabic and Indic scripts and between the parts of an emoji.
    """
    if text.isascii() and text.isprintable():
        return text
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    return "".join(
        character
        for at, character in enumerate(text)
        if unicodedata.category(character) not in _UNSEEN
        or (character in "\u200c\u200d" and at > 0 and _joins(text[at - 1]))
    )


def name_key(name: str) -> str:
    """Return a name as it is matched: compatibility forms, case and spacing folded."""
    seen = "".join(c for c in name if unicodedata.category(c) != "Cf")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
    return " ".join(folded.split())[:200].rstrip()


def written(text: str) -> str:
    """Return what somebody has written, composed and without what cannot be seen, its lines as they are.

    Control and format characters and halves of characters can break a database, a terminal or the order of a
    line; the two joiners are part of how Persian, Hindi and emoji are spelt.
    """
    text = unicodedata.normalize("NFC", re.sub(r"\r\n?", "\n", text))
    return "".join(c for c in text if c in _KEPT or unicodedata.category(c) not in _UNSEEN).strip()


def folded_id(external_id: str) -> str:
    """Return an id of another system without what files write in more than one way: capitals and blanks."""
    return "".join(external_id.split()).casefold()[:200]


_UNSEEN = frozenset({"Cc", "Cf", "Cs"})
_KEPT = frozenset("\n\t\u200c\u200d")


def _joins(before: str) -> bool:
    code = ord(before)
    return 0x600 <= code <= 0xDFF or 0x2600 <= code <= 0x27BF or code == 0xFE0F or code >= 0x1F000
