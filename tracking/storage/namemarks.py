"""Sealed names are found by how their words begin: short keyed hashes beside the name, checked by opening it.

A mark says no more than that two names have a word that begins alike, in three letters or in six.
"""

import re
from collections.abc import Iterator

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import InstrumentedAttribute

from tracking.storage import vault
from tracking.storage.names import name_key

_KIND = "name"
_LETTERS = (3, 6)
"""Three are what one types at least; six tell most family names apart among a million."""
_DIGITS = 8
"""Hexadecimal: one of four thousand million, so that hardly a name is opened in vain."""
_WORD = re.compile(r"\w+")
_IDEOGRAPHS = "\u2e80"
"""From here on scripts set no blanks between words: Chinese, Japanese, Korean."""


def marks(name: str | None) -> str | None:
    """Return what a name is found by, made with the key that seals now."""
    if not name:
        return None
    found = {
        vault.lookup_hash(_KIND, beginning)[:_DIGITS]
        for word in _words(name)
        for beginning in _beginnings(word)
    }
    return f" {' '.join(sorted(found))} " if found else None


def may_hold(column: InstrumentedAttribute[str | None], text: str) -> ColumnElement[bool] | None:
    """Return whether the marks of a name are those of a text; None where it has too little to look for."""
    wanted = list(dict.fromkeys(_beginnings(word)[-1] for word in _words(text)))
    # A short word may be the beginning of a longer one, whose mark it has not.
    certain = [one for one in wanted if len(one) in _LETTERS or one >= _IDEOGRAPHS] or wanted
    if not certain:
        return None
    return and_(
        *(
            or_(*(column.contains(f" {hashed[:_DIGITS]} ") for hashed in vault.lookup_hashes(_KIND, one)))
            for one in certain
        )
    )


def holds(name: str | None, text: str) -> bool:
    """Tell whether a name, opened, holds a text."""
    return name is not None and name_key(text) in name_key(name)


def _words(name: str) -> Iterator[str]:
    for word in _WORD.findall(name_key(name)):
        if any(letter >= _IDEOGRAPHS for letter in word):
            yield from word
        else:
            yield word


def _beginnings(word: str) -> list[str]:
    """Return what a word begins with, the longest last; of a short one itself."""
    return [word[:length] for length in _LETTERS if len(word) >= length] or [word]
