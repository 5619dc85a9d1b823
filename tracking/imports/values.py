"""Cells read as what they mean - moments, days, seconds, choices - or refused with the remedy."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import TypeVar

from tracking.errors import Invalid
from tracking.storage import money, vault

_Choice = TypeVar("_Choice", bound=StrEnum)
_FIRST_YEAR, _LAST_YEAR = 1970, 2100
# A call of more than a week is a mistake of the exchange, and larger figures end the column's range.
_LONGEST_S = 7 * 86_400

_SLASHED = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4})(?:,?[ T]+(.+))?")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*([AaPp]\.?[Mm]\.?)?")
_AM_PM = re.compile(r"(\d{4}-\d{2}-\d{2})[ T]+(\d{1,2}:.*[AaPp]\.?[Mm]\.?)")
_LABELLED = re.compile(r"^([^\d+\-(]*?)\s*([+-]?\d[\d\s.,'\u00a0\u202f]*?)\s*(\D*)$")
_SIGNS = {"€": "EUR", "£": "GBP", "₽": "RUB", "руб.": "RUB", "руб": "RUB"}
# Signs of several currencies: they confirm any of these and decide none.
_SHARED = {
    "$": {"USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN"},
    "¥": {"CNY", "JPY"},
    "kr": {"SEK", "NOK", "DKK", "ISK"},
    "kr.": {"SEK", "NOK", "DKK", "ISK"},
}
_YES = frozenset({"yes", "y", "true", "1", "t", "x", "ja", "j", "да", "是", "direct"})
_NO = frozenset({"no", "n", "false", "0", "f", "", "nej", "nein", "нет", "否", "indirect"})


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file writes what can be written in more than one way."""

    zone: tzinfo | None
    """Zone of the times that name none; None refuses them."""
    currency: str
    """Currency of the amounts that name none."""
    day_first: bool | None = None
    """Whether 03/04/2026 is the third of April; None refuses what can be read both ways."""
    decimal: str | None = None
    """Decimal mark of amounts, "." or ","; None reads it from the amount."""


def moment(text: str, field: str, dialect: Dialect, *, end_of_day: bool = False) -> datetime:
    """Read a moment; a bare date is that day's beginning, or its last second."""
    text = text.strip()
    try:
        found = datetime.fromisoformat(text)
        bare = len(text) <= 10 and ":" not in text
    except ValueError:
        found, bare = _written(text, field, dialect)
    if bare and end_of_day:
        found = datetime.combine(found.date(), time(23, 59, 59))
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise Invalid(
            field,
            "the year %(year)s is outside %(first)s to %(last)s; mend the date",
            year=found.year,
            first=_FIRST_YEAR,
            last=_LAST_YEAR,
        )
    if found.tzinfo is None:
        if dialect.zone is None:
            raise Invalid(
                field,
                "names no time zone; write an offset such as 2026-03-01T09:30+01:00, or give --timezone",
            )
        found = found.replace(tzinfo=dialect.zone)
    return found


def epoch(text: str, field: str, zone: tzinfo) -> datetime:
    """Read seconds since 1970."""
    if not text.isdigit() or len(text) > 10:
        raise Invalid(field, "is not a number of seconds since 1970; mend it at its source")
    return datetime.fromtimestamp(int(text), zone)


def day(text: str, field: str, dialect: Dialect) -> date:
    """Read a day."""
    return moment(text, field, Dialect(dialect.zone, dialect.currency, dialect.day_first)).date()


def interval(text: str, field: str, dialect: Dialect) -> tuple[date, date]:
    """Read "2026-01-01/2026-01-31" (last day included), a day, a month or a year; the end is exclusive."""
    text = text.strip()
    if re.fullmatch(r"\d{4}-\d{2}", text):
        first = day(f"{text}-01", field, dialect)
        return first, (first + timedelta(days=31)).replace(day=1)
    if re.fullmatch(r"\d{4}", text):
        return day(f"{text}-01-01", field, dialect), day(f"{int(text) + 1}-01-01", field, dialect)
    begin, slash, end = text.partition("/") if re.fullmatch(r"[\d-]+/[\d-]+", text) else (text, "", "")
    start = day(begin, field, dialect)
    return start, (day(end, field, dialect) if slash else start) + timedelta(days=1)


def seconds(text: str, field: str) -> int | None:
    """Read a duration in seconds, as 75 or 1:15 or 0:01:15."""
    text = text.strip()
    if not text:
        return None
    if re.fullmatch(r"\d{1,9}(?:\.0+)?", text):
        found = int(text.split(".")[0])
    elif clock := re.fullmatch(r"(?:(\d{1,3}):)?(\d{1,3}):(\d{2})", text):
        found = int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + int(clock[3])
    else:
        raise Invalid(field, "is not a duration; write whole seconds, 0 or more")
    if found > _LONGEST_S:
        raise Invalid(
            field, "is more than a week (%(most)s seconds); mend the record at its source", most=_LONGEST_S
        )
    return found


def minutes(text: str, field: str, dialect: Dialect) -> int | None:
    """Read hours such as 7.5, 7,5 or 7:30 as whole minutes."""
    text = text.strip()
    if not text:
        return None
    if clock := re.fullmatch(r"(\d{1,5}):([0-5]\d)", text):
        return int(clock[1]) * 60 + int(clock[2])
    if re.fullmatch(r"\d{1,5}(?:[.,]\d{1,4})?", text):
        return round(float(text.replace(",", ".")) * 60)
    raise Invalid(field, "is not a number of hours; write 7.5 or 7:30")


def amount(text: str, field: str, currency: str, dialect: Dialect) -> int | None:
    """Read an amount in minor units; a sign or code of its currency may stand beside it."""
    text = text.strip()
    if not text:
        return None
    if not (text[0].isdigit() and text[-1].isdigit()) and (parts := _LABELLED.match(text)):
        for label in filter(None, (parts[1].strip(), parts[3].strip())):
            _confirm(label, currency, field)
        text = parts[2].strip()
    return money.to_minor(text, currency, field, decimal=dialect.decimal)


def yes(text: str, field: str) -> bool:
    """Read yes or no."""
    folded = text.strip().casefold()
    if folded in _YES:
        return True
    if folded in _NO:
        return False
    raise Invalid(field, "is neither yes nor no; write one of the two")


def choice(text: str, field: str, known: Mapping[str, _Choice], remedy: str = "") -> _Choice:
    """Read one of the words known for ``field``, whatever their case and spacing."""
    found = known.get(fold(text))
    if found is None:
        words = ", ".join(sorted({str(value) for value in known.values()}))
        if remedy:
            raise Invalid(
                field,
                "is not known here; write one of %(words)s; or map it: %(remedy)s",
                words=words,
                remedy=remedy,
            )
        raise Invalid(field, "is not known here; write one of %(words)s", words=words)
    return found


def words(kind: type[_Choice]) -> dict[str, _Choice]:
    """Return the words of an enumeration as :func:`choice` looks them up."""
    return {fold(value): value for value in kind}


def fold(text: str) -> str:
    """Return words as they are compared: case folded, everything but letters and digits a single space."""
    return " ".join(re.findall(r"\w+", text.casefold().replace("_", " ")))


def text(value: str, field: str, longest: int = 200) -> str | None:
    """Read words; None where there are none."""
    value = " ".join(value.split())
    if not value.isascii() or not value.isprintable():
        # One name has one spelling, and characters that cannot be seen belong to none.
        value = "".join(c for c in unicodedata.normalize("NFC", value) if unicodedata.category(c) != "Cc")
    if len(value) > longest:
        raise Invalid(
            field, "has %(length)s characters; the longest kept is %(most)s", length=len(value), most=longest
        )
    return value or None


def _confirm(label: str, currency: str, field: str) -> None:
    named = _SIGNS.get(label.casefold(), label.upper())
    if named != currency and currency not in _SHARED.get(label.casefold(), ()):
        raise Invalid(
            field,
            "is written in %(label)s, and the row is in %(currency)s; add a currency column or --currency",
            label=label,
            currency=currency,
        )


def _written(text: str, field: str, dialect: Dialect) -> tuple[datetime, bool]:
    if half := _AM_PM.fullmatch(text):
        return datetime.combine(date.fromisoformat(half[1]), _clock(half[2], field)), False
    if parts := _SLASHED.fullmatch(text):
        first, mark, second, year, clock = parts.groups()
        a, b = int(first), int(second)
        day_first = True if mark == "." or a > 12 else False if b > 12 else dialect.day_first
        if day_first is None:
            raise Invalid(
                field, "could be either of two days; write 2026-12-31, or say --dates dmy or --dates mdy"
            )
        try:
            found = date(int(year), b if day_first else a, a if day_first else b)
        except ValueError:
            raise Invalid(field, "is no day of the calendar; write it as 2026-12-31") from None
        return datetime.combine(found, _clock(clock, field) if clock else time()), not clock
    raise Invalid(field, "is not a date and time; write it as 2026-12-31 09:30:00")


def _clock(text: str, field: str) -> time:
    parts = _CLOCK.fullmatch(text.strip())
    if parts is None:
        raise Invalid(field, "has a time of day that cannot be read; write it as 2026-12-31 09:30:00")
    hour, half = int(parts[1]), (parts[4] or "").casefold()
    if half:
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    try:
        return time(hour, int(parts[2]), int(parts[3] or 0))
    except ValueError:
        raise Invalid(field, "is no time of day; write it as 2026-12-31 09:30:00") from None


def content_key(*content: object) -> str:
    """Return a key for a record that brings none of its own: a keyed hash of what it says.

    Keyed, because the record may hold a caller's number, which a plain hash would give away to trial.
    """
    return "row-" + vault.lookup_hash("imported record", "\x1f".join(map(str, content)))[:32]
