"""The words of foreign files in five languages, from the tables beside this file: one file a language."""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

LANGUAGES = ("en", "sv", "de", "ru", "zh")
_BRACKETED = re.compile(r"[(\[{（][^()\[\]{}（）]{0,80}[)\]}）]\s*$")
_WORD = re.compile(r"\w+")
_NO_MARKS = frozenset({"-", "--", "---", "—", "–", "―", "."})


def fold(text: str) -> str:
    """Return words as they are compared: case folded, everything but letters and digits a single space."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.replace("ё", "е").replace("Ё", "Е"))
    return " ".join(_WORD.findall(text.casefold().replace("_", " ")))


def bare(name: str) -> str:
    """Return a column's name without the brackets at its end, as in ``Amount spent (EUR)``."""
    return _BRACKETED.sub("", name.strip()).strip() or name


@cache
def _tables() -> Mapping[str, Mapping[str, Any]]:
    folder = resources.files(__package__)
    return {name: tomllib.loads((folder / f"{name}.toml").read_text("utf-8")) for name in LANGUAGES}


# In words that end so, the abbreviation means the same: Auftragsnummer, Auftragsnr.
_SHORT = (("nummer", "nr"), ("number", "no"), ("number", "nr"), ("номер", "№"))


def _spelt(names: Iterable[str]) -> tuple[str, ...]:
    """Return names, each also with what it ends or begins with abbreviated."""
    found = list(names)
    for name in names:
        for whole, short in _SHORT:
            if name.endswith(whole) and name != whole:
                found.append(name.removesuffix(whole) + short)
            if name.startswith(f"{whole} "):
                found.append(short + name.removeprefix(whole))
    return tuple(dict.fromkeys(found))


@cache
def aliases(kind: str) -> dict[str, tuple[str, ...]]:
    """Return what the columns of a kind of file are called, by field, in all languages."""
    found: dict[str, tuple[str, ...]] = {}
    for table in _tables().values():
        for field, names in table.get(kind, {}).items():
            found[field] = (*found.get(field, ()), *_spelt(names))
        if kind in ("calls", "touches", "forms"):
            # The same question is asked of callers, and in forms, as of buyers.
            for field in ("heard_from", "source") if kind == "calls" else ("heard_from",):
                found[field] = (*found.get(field, ()), *_spelt(table["deals"][field]))
        if kind == "forms":
            # Whoever sends a form is called what whoever touched us is called.
            for field in ("company", "person", "phone", "email"):
                found[field] = (*found.get(field, ()), *_spelt(table["touches"][field]))
    return found


def named(kind: str, field: str, language: str) -> str:
    """Return the first name of a field in a language; where it has none there, the field's own."""
    names = _tables()[language][kind].get(field, ())
    own = field.replace("_", " ")
    return str(names[0]) if names and language != "en" else own


@cache
def values(section: str) -> dict[str, str]:
    """Return the words of a closed list - ``stages``, ``kinds``, ``periods`` - and what each means."""
    return {
        fold(word): meaning
        for table in reversed(list(_tables().values()))
        for meaning, words in table.get(section, {}).items()
        for word in words
    }


@cache
def listed(section: str) -> frozenset[str]:
    """Return the folded words of a plain list - ``totals``, ``yes``, ``no`` - in all languages."""
    return frozenset(fold(word) for table in _tables().values() for word in table[section])


@cache
def months() -> Mapping[str, int]:
    """Return the number of each month by its names and their abbreviations."""
    return {
        fold(name): number
        for table in _tables().values()
        for number, names in enumerate(table["months"], 1)
        for name in names
    }


@cache
def _empty() -> frozenset[str]:
    return frozenset(mark.casefold() for table in _tables().values() for mark in table["empty"]) | _NO_MARKS


def is_empty(cell: str) -> bool:
    """Tell whether a cell says that there is nothing in it."""
    cell = cell.strip()
    return not cell or (len(cell) <= 24 and cell.casefold() in _empty())


@cache
def _headers() -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for language, table in _tables().items():
        for kind in ("deals", "costs", "touches", "visits", "calls"):
            for field, names in table[kind].items():
                for name in (field, *_spelt(names)):
                    found.setdefault(fold(name), set()).add(language)
    return {name: frozenset(languages) for name, languages in found.items()}


def is_header(cell: str) -> bool:
    """Tell whether a cell is what some system calls a column."""
    return bool(cell.strip()) and bool({fold(cell), fold(bare(cell))} & _headers().keys())


def language(header: Iterable[str]) -> str:
    """Return the language that most of a header's names belong to; "" where that cannot be told."""
    counts = dict.fromkeys(LANGUAGES, 0)
    for cell in header:
        spoken = _headers().get(fold(cell)) or _headers().get(fold(bare(cell))) or ()
        if len(spoken) == 1:
            counts[next(iter(spoken))] += 1
    best, second = sorted(counts.values())[-1], sorted(counts.values())[-2]
    return max(counts, key=lambda name: counts[name]) if best > second else ""


def begins_with_total(cell: str) -> bool:
    """Tell whether a cell begins with a word for a sum, as in ``Total: Campaigns``."""
    words = fold(cell[:80]).split()
    return any(" ".join(words[:count]) in listed("totals") for count in (1, 2, 3)) or any(
        cell.strip().startswith(word) for word in ("合计", "总计", "共计", "小计", "汇总")
    )


def is_total(cell: str) -> bool:
    """Tell whether a cell says nothing but that its row is a sum."""
    head, colon, _ = cell.replace("：", ":").partition(":")
    return fold(head if colon else bare(cell)) in listed("totals")


def is_all(cell: str) -> bool:
    """Tell whether a cell says nothing but that its row sums up others: ``All`` of the ages, or a total."""
    return fold(cell) in listed("all") or is_total(cell)


def extended(kind: str, own: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the fields of a format with their names: its own, then those of the tables."""
    known = aliases(kind)
    return {field: (*names, *known.get(field, ())) for field, names in own.items()}
