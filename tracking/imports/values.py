"""Cells read as what they mean - moments, days, seconds, amounts, choices - or refused with the remedy.

What can be written in more than one way is settled for the whole column by
:mod:`tracking.imports.deciding`, and comes in as a :class:`Dialect`; a cell that contradicts it is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import cache, lru_cache
from typing import TypeVar

from babel.numbers import get_currency_name, get_currency_symbol

from tracking.errors import Invalid
from tracking.imports import words as tables
from tracking.imports.words import fold as fold
from tracking.storage import money, phone, vault
from tracking.storage.names import visible

_Choice = TypeVar("_Choice", bound=StrEnum)
_FIRST_YEAR, _LAST_YEAR = 1970, 2100
# A call of more than a week is a mistake of the exchange, and larger figures end the column's range.
_LONGEST_S = 7 * 86_400
_FEW_DIGITS = 5
"""So many make no more than that."""
_LONGEST_DATE = 60
_LONGEST_AMOUNT = 80
# 2 January 1954 to 2064: what a spreadsheet's count of days can reasonably be.
_SERIAL = re.compile(r"[2-5]\d{4}(?:\.\d{1,12})?")
_SERIAL_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet's day names no zone

_CLOCK = re.compile(
    r"(?:^|[T ,])(?P<before>上午|下午|[AaPp]\.?[Mm]\.?|fm|em)? ?(?P<hour>\d{1,2})[:.](?P<minute>\d{2})"
    r"(?:[:.](?P<second>\d{2})(?:[.,]\d{1,9})?)? ?(?P<after>[AaPp]\.?[Mm]\.?|fm|em)?"
    r" ?(?P<zone>Z|UTC|GMT|WES?T|CES?T|MEZ|MESZ|EES?T|MSK|"
    r"[+\-]\d{2}:?\d{2}|(?:UTC|GMT)[+\-]\d{1,2}(?::?\d{2})?)?$"
)
_DOTTED = re.compile(r"(?<=[\d.,日][T ])(?:[01]?\d|2[0-3])\.[0-5]\d(?:\.[0-5]\d)?(?= ?(?:Uhr)?$)")
_NUMBERED = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4}|\d{2})\.?")
_YEAR_FIRST = re.compile(r"(\d{4})([/.\-])(\d{1,2})\2(\d{1,2})\.?")
_DAY_NAME_YEAR = re.compile(r"(\d{1,2})[.\- /]{0,3}([^\W\d]{3,12})[., \-/]{0,3}(\d{4}|\d{2})")
_NAME_DAY_YEAR = re.compile(r"([^\W\d]{3,12})[.\- ]{0,3}(\d{1,2})(?:st|nd|rd|th)?[, \-]{1,3}(\d{4})")
_YEAR_NAME_DAY = re.compile(r"(\d{4})[., \-/]{1,3}([^\W\d]{3,12})[.\- /]{0,3}(\d{1,2})")
_CHINESE = re.compile(r"(\d{4}) ?年 ?(\d{1,2}) ?月 ?(\d{1,2}) ?[日号]?")
_CHINESE_CLOCK = re.compile(r"(\d{1,2})[时点](?:(\d{1,2})分(?:(\d{1,2})秒)?)?")
_WEEKDAY = re.compile(r"[^\W\d]{2,12}\.?,? (?=\d)")
_EPOCH = re.compile(r"(\d{10})(?:\.\d{1,9})?|(\d{13})")
_PACKED = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)")
_EXPONENT = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE]\+?\d+")

# Signs beside amounts and the currencies they may stand for. Where it is one, it names it.
# What Chinese and Japanese keyboards write twice as wide means the same in a figure or a day.
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " ", 0xFFE5: "¥", 0xFFE1: "£"}
_SIGNS = {
    sign: codes
    for line in (
        "€ EUR|£ GBP GIP FKP SHP EGP LBP SYP|₽ RUB|руб. RUB BYN|руб RUB BYN|р. RUB BYN|р RUB BYN|br BYN",
        "$ USD CAD AUD NZD SGD HKD MXN TWD CLP COP ARS|us$ USD|c$ CAD|ca$ CAD|a$ AUD|au$ AUD|nz$ NZD",
        "s$ SGD|hk$ HKD|nt$ TWD|mx$ MXN|r$ BRL|¥ CNY JPY|cn¥ CNY|元 CNY TWD|人民币 CNY|rmb CNY|円 JPY|₩ KRW",
        "₹ INR|rs INR PKR LKR|rs. INR PKR LKR|kr SEK NOK DKK ISK|kr. SEK NOK DKK ISK|zł PLN|kč CZK|ft HUF",
        "lei RON MDL|лв BGN|лв. BGN|₴ UAH|грн UAH|грн. UAH|₸ KZT|тг KZT|₺ TRY|tl TRY|₪ ILS|฿ THB|₫ VND",
        "fr. CHF|fr CHF|sfr. CHF|r ZAR|rp IDR|₱ PHP|₦ NGN|dh AED MAD",
    )
    for entry in line.split("|")
    for sign, _, codes in [entry.partition(" ")]
}
# Of those of several, what is meant where nothing else is said.
_USUALLY = {"£": "GBP", "руб.": "RUB", "руб": "RUB", "р.": "RUB", "р": "RUB", "元": "CNY"}
# What a figure counts, where it is not single units, by its word: how many zeros it stands for.
_TENS = {
    word: tens
    for tens, listed in (
        (
            3,
            "thousand thousands tsd tausend tusen tusental тыс тысяч тысяча тысячи тысячах 千 000",
        ),
        (4, "万"),
        (6, "million millions mio mill mln mn miljon miljoner milj млн миллион миллионов миллионы 百万"),
        (8, "亿"),
        (9, "billion billions bn mrd milliarde milliarden mdr miljard miljarder млрд миллиард миллиардов"),
    )
    for word in listed.split()
}
_LETTER_TENS = {"t": 3, "k": 3, "m": 6}
# Written for "no hundredths": 1 234:- in Sweden, 1.234,- in Germany.
_NO_HUNDREDTHS = frozenset({":-", ",-", ".-", ",--", ".--", ":–", ",–", "-,", ":"})


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file, or a column of it, writes what can be written in more than one way."""

    zone: tzinfo | None
    """Zone of the times that name none; None refuses them."""
    currency: str
    """Currency of the amounts that name none."""
    day_first: bool | None = None
    """Whether 03/04/2026 is the third of April; None refuses what can be read both ways."""
    decimal: str | None = None
    """Decimal mark of amounts, "." or ","; None reads it from the amount."""
    serials: bool = False
    """Whether days may be a spreadsheet's count of them, such as 46085."""
    period: str = ""
    """What a row of costs named by one day covers: day, week, month, quarter or year; "" asks."""
    currency_told: bool = False
    """Whether the currency was told for this file, rather than the installation's."""
    tens: int = 0
    """How many zeros amounts leave out: three where they count in thousands."""


def clean(value: str) -> str:
    """Return a cell's text without what cannot be seen, and out of a spreadsheet's wrapping ``="..."``."""
    if not value.isascii():
        value = visible(value).translate(_WIDE)
    value = value.strip()
    if value.startswith('="') and value.endswith('"') and '"' not in value[2:-1]:
        value = value[2:-1].strip()
    return value


def moment(text: str, field: str, dialect: Dialect, *, end_of_day: bool = False) -> datetime:
    """Read a moment; a bare date is that day's beginning, or its last second."""
    found, bare = _moment(clean(text), field, dialect)
    if bare and end_of_day:
        found = datetime.combine(found.date(), time(23, 59, 59))
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise Invalid(
            field,
            "year %(year)s is outside %(first)s to %(last)s; correct the date",
            year=found.year,
            first=_FIRST_YEAR,
            last=_LAST_YEAR,
        )
    if found.tzinfo is None:
        if dialect.zone is None:
            raise Invalid(
                field,
                "no time zone; add an offset, as in 2026-03-01T09:30+01:00, or use --timezone",
            )
        found = found.replace(tzinfo=dialect.zone)
    return found


def epoch(text: str, field: str, zone: tzinfo) -> datetime:
    """Read seconds since 1970."""
    if not text.isdigit() or len(text) > 10:
        raise Invalid(field, "not a Unix timestamp (seconds since 1970); fix it in the source system")
    return datetime.fromtimestamp(int(text), zone)


def day(text: str, field: str, dialect: Dialect) -> date:
    """Read a day."""
    return moment(text, field, dialect).date()


_MONTH = re.compile(r"(\d{4})[\-/.](\d{1,2})")
_MONTH_FIRST = re.compile(r"(\d{1,2})[\-/.](\d{4})")
_CHINESE_MONTH = re.compile(r"(\d{4}) ?年 ?(\d{1,2}) ?月")
_NAMED_MONTH = re.compile(
    r"([^\W\d]{3,12})\.?[ \-/.,']{1,3}(\d{4}|\d{2})|(\d{4})[ \-/.,]{1,3}([^\W\d]{3,12})\.?"
)
_QUARTER = re.compile(
    r"(?:Q|kv\.?|кв\.?|第)? ?([1-4])[.\-]? ?(?:Q|кв\.?|квартал|kvartalet|kvartal|Quartal|季度)?"
    r"[ \-/.,]{0,3}(\d{4})|(\d{4}) ?年?[ \-/.,]{0,3}(?:Q|kv\.?|кв\.?|第) ?([1-4])(?:季度)?",
    re.IGNORECASE,
)
_WEEK = re.compile(
    r"(\d{4})[ \-]{0,2}(?:W|v\.?|KW|第|нед\.?) ?(\d{1,2})周?"
    r"|(?:W|v\.?|vecka|week|KW|нед\.?|неделя) ?(\d{1,2})[ ,/\-]{1,3}(\d{4})",
    re.IGNORECASE,
)
_RANGE = re.compile(r" ?(?: [-–—~] | to | till | bis | по | do |[–—~至]|\.\.) ?")


def interval(text: str, field: str, dialect: Dialect) -> tuple[date, date]:
    """Read a period - a range with its last day, a day, week, month, quarter or year; the end is exclusive.

    A bare day covers what the column's days cover: ``dialect.period``.
    """
    text = " ".join(clean(text).replace("г.", "").split())
    if len(text) > 2 * _LONGEST_DATE:
        raise _no_date(field)
    if (found := _named_period(text, field, dialect)) is not None:
        return found
    ends = text.split("/") if re.fullmatch(r"\d{4}-[\d-]+/\d{4}-[\d-]+", text) else _RANGE.split(text)
    if len(ends) == 2:
        start, last = (day(end, field, dialect) for end in ends)
        if last < start:
            raise Invalid(field, "the last day is before the first day; swap them")
        return start, last + timedelta(days=1)
    return covered(day(text, field, dialect), dialect.period or "day")


def covered(start: date, period: str) -> tuple[date, date]:
    """Return the period that a day names: itself, the week it begins, the month or longer it lies in."""
    if period == "week":
        return start, start + timedelta(days=7)
    months = {"month": 1, "quarter": 3, "year": 12}.get(period)
    if months is None:
        return start, start + timedelta(days=1)
    first = (start.month - 1) // months * months
    year, month = divmod(start.year * 12 + first + months, 12)
    return date(start.year, first + 1, 1), date(year, month + 1, 1)


def _named_period(text: str, field: str, dialect: Dialect) -> tuple[date, date] | None:
    """Read a month, a quarter, a week or a year that is named as such."""
    if re.fullmatch(r"\d{4}", text):
        return covered(_of(field, text, 1, 1), "year")
    if dialect.period == "week" and (parts := _MONTH.fullmatch(text) or _MONTH_FIRST.fullmatch(text)):
        year, number = sorted((int(parts[1]), int(parts[2])), reverse=True)
        return _week(field, year, number)
    for pattern in (_MONTH, _CHINESE_MONTH):
        if parts := pattern.fullmatch(text):
            return covered(_of(field, parts[1], parts[2], 1), "month")
    if parts := _MONTH_FIRST.fullmatch(text):
        return covered(_of(field, parts[2], parts[1], 1), "month")
    if (parts := _NAMED_MONTH.fullmatch(text)) and (month := tables.months().get(fold(parts[1] or parts[4]))):
        return covered(_of(field, parts[2] or parts[3], month, 1), "month")
    if (parts := _QUARTER.fullmatch(text)) and not text.isdigit() and not re.fullmatch(r"[\d.,/\- ]+", text):
        return covered(_of(field, parts[2] or parts[3], 3 * int(parts[1] or parts[4]) - 2, 1), "quarter")
    if parts := _WEEK.fullmatch(text):
        return _week(field, int(parts[1] or parts[4]), int(parts[2] or parts[3]))
    return None


def names_month(text: str) -> bool:
    """Tell whether a name is a month's, with or without its year."""
    text = " ".join(text.split())
    parts = _NAMED_MONTH.fullmatch(text)
    return fold(text) in tables.months() or bool(parts and fold(parts[1] or parts[4]) in tables.months())


def _week(field: str, year: int, number: int) -> tuple[date, date]:
    try:
        return covered(date.fromisocalendar(year, number, 1), "week")
    except ValueError:
        raise _no_day(field) from None


def _moment(text: str, field: str, dialect: Dialect) -> tuple[datetime, bool]:
    """Return the moment and whether it is a bare date."""
    if len(text) > _LONGEST_DATE:
        raise _no_date(field)
    # 09.15 behind a day is a quarter past nine; to ISO 8601 it would be a part of an hour.
    text = _DOTTED.sub(lambda clock: clock[0].replace(".", ":"), text)
    if (since := _EPOCH.fullmatch(text)) and not _PACKED.fullmatch(text):
        return datetime.fromtimestamp(int(since[1]) if since[1] else int(since[2]) / 1000, UTC), False
    if packed := _PACKED.fullmatch(text):
        try:
            return datetime(*(int(part) for part in packed.groups())), False  # type: ignore[arg-type]  # noqa: DTZ001 - its zone comes later
        except ValueError:
            raise _no_day(field) from None
    if _SERIAL.fullmatch(text):
        counted = (_SERIAL_ZERO + timedelta(days=float(text)) + timedelta(milliseconds=500)).replace(
            microsecond=0
        )
        if not dialect.serials:
            raise Invalid(
                field,
                "looks like a spreadsheet day number (%(day)s); use --dates serial, or format the "
                "column as dates",
                day=counted.date(),
            )
        return counted, counted.time() == time()
    try:
        return datetime.fromisoformat(text), len(text) <= 10 and ":" not in text
    except ValueError:
        pass
    if text.endswith(("+0000", "-0000", "GMT")) and "," in text[:5]:
        try:
            return parsedate_to_datetime(text), False
        except ValueError:
            pass
    return _written(text, field, dialect)


def _written(text: str, field: str, dialect: Dialect) -> tuple[datetime, bool]:
    if "时" in text or "点" in text:
        text = _CHINESE_CLOCK.sub(lambda part: f"{part[1]}:{part[2] or 0:0>2}:{part[3] or 0:0>2}", text)
    text = (
        " ".join(text.removesuffix("Uhr").replace(" г.", " ").split())
        .removesuffix(" kl")
        .replace(" kl. ", " ")
        .replace(" um ", " ")
    )
    clock = _CLOCK.search(text) if ":" in text else None
    named = text[: clock.start()].strip(" ,") if clock else text
    found = _day(named.strip(), field, dialect)
    if clock is None:
        return datetime.combine(found, time()), True
    if clock["hour"] == "24" and not int(clock["minute"]) and not int(clock["second"] or 0):
        # The end of a day is the beginning of the next (ISO 8601).
        try:
            found += timedelta(days=1)
        except OverflowError:
            raise _no_day(field) from None
        return datetime.combine(found, time(), _offset(clock["zone"])), False
    return datetime.combine(found, _time(clock, field), _offset(clock["zone"])), False


def _day(text: str, field: str, dialect: Dialect) -> date:
    if weekday := _WEEKDAY.match(text):
        rest = text[weekday.end() :]
        text = rest if fold(weekday[0]) not in tables.months() else text
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    if parts := _CHINESE.fullmatch(text):
        return _of(field, parts[1], parts[2], parts[3])
    if parts := _YEAR_FIRST.fullmatch(text):
        return _of(field, parts[1], parts[3], parts[4])
    if parts := _NUMBERED.fullmatch(text):
        first, mark, second, year = parts.groups()
        a, b = int(first), int(second)
        day_first = True if mark == "." else dialect.day_first
        if mark == "-" and len(year) == 2 and dialect.day_first is None and b <= 12 and 1 <= int(year) <= 31:
            raise Invalid(field, "could begin with the year or the day; write it as 2026-12-31")
        if day_first is None:
            day_first = True if a > 12 else False if b > 12 else None
        if day_first is None:
            raise Invalid(field, "ambiguous date; write it as 2026-12-31, or use --dates dmy or --dates mdy")
        if (b if day_first else a) > 12 >= (a if day_first else b):
            raise Invalid(
                field,
                "day and month are swapped compared with the rest of the column; write it as 2026-12-31",
            )
        return _of(field, year, b if day_first else a, a if day_first else b)
    for pattern, order in (
        (_DAY_NAME_YEAR, (3, 2, 1)),
        (_NAME_DAY_YEAR, (3, 1, 2)),
        (_YEAR_NAME_DAY, (1, 2, 3)),
    ):
        if (parts := pattern.fullmatch(text)) and (month := tables.months().get(fold(parts[order[1]]))):
            return _of(field, parts[order[0]], month, parts[order[2]])
    raise _no_date(field)


def _of(field: str, year: str, month: str | int, day_of_month: str | int) -> date:
    # Two digits of a year: what a supplier imports lies in this century or the last third of the other.
    whole = int(year) + (0 if len(year) == 4 else 2000 if int(year) < 70 else 1900)
    try:
        return date(whole, int(month), int(day_of_month))
    except ValueError:
        raise _no_day(field) from None


def _time(clock: re.Match[str], field: str) -> time:
    hour, half = int(clock["hour"]), (clock["before"] or clock["after"] or "").casefold()
    if half and hour <= 12:
        hour = hour % 12 + (12 if half[0] in "p下e" else 0)
    try:
        return time(hour, int(clock["minute"]), int(clock["second"] or 0))
    except ValueError:
        raise Invalid(field, "not a valid time; write it as 2026-12-31 09:30:00") from None


# Abbreviations of one meaning only: CST is in China and in Chicago.
_ZONES = {"WET": 0, "WEST": 1, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2, "EET": 2, "EEST": 3, "MSK": 3}


def _offset(zone: str | None) -> tzinfo | None:
    if not zone:
        return None
    if (ahead := _ZONES.get(zone)) is not None:
        return timezone(timedelta(hours=ahead))
    digits = zone.removeprefix("UTC").removeprefix("GMT").replace(":", "")
    if digits in ("", "Z"):
        return UTC
    sign, hours, minutes = digits[0], int(digits[1:3]), int(digits[3:] or 0)
    return timezone((-1 if sign == "-" else 1) * timedelta(hours=min(hours, 23), minutes=min(minutes, 59)))


def _no_date(field: str) -> Invalid:
    return Invalid(field, "not a valid date and time; write it as 2026-12-31 09:30:00")


def _no_day(field: str) -> Invalid:
    return Invalid(field, "not a valid date; write it as 2026-12-31")


_ISO = re.compile(r"P(?:(\d{1,2})D)?T(?:(\d{1,3})H)?(?:(\d{1,5})M)?(?:(\d{1,6})(?:\.\d{1,6})?S)?")
_DECIMAL_MINUTES = re.compile(r"(\d{1,5}[.,]\d{1,4}) ?([^\W\d]{1,7})\.?")
_SPELT = re.compile(
    r"(?:(?P<h>\d{1,3}) ?(?:h|hr|hrs|hours?|std|timmar|tim|ч|час|часа|часов|小时|时)\.?,? ?)?"
    r"(?:(?P<m>\d{1,4}) ?(?:m|min|mins|minutes?|minuten?|minuter|мин|м|分钟|分)\.?,? ?)?"
    r"(?:(?P<s>\d{1,6}) ?(?:s|sec|secs|sek|seconds?|sekunden?|sekunder|сек|с|秒)\.?)?",
    re.IGNORECASE,
)
_MINUTES = frozenset(
    {"min", "mins", "minutes", "minuten", "minuter", "мин", "минут", "минуты", "минутах", "分钟", "分"}
)


def in_minutes(column: str) -> bool:
    """Tell whether a column's name says that its figures are minutes, as in ``Duration (min)``."""
    return bool(fold(column).split()[1:]) and fold(column).split()[-1] in _MINUTES


def seconds(text: str, field: str, *, minutes: bool = False) -> int | None:
    """Read a duration in seconds, as 75, 1:15, 0:01:15 or 1 min 15 s; a bare figure may be ``minutes``."""
    if len(text) <= _FEW_DIGITS and text.isascii() and text.isdigit() and not minutes:
        return int(text)
    text = text.strip()
    if text in ("", "-", "--", "—", "–"):
        return None
    if minutes and re.fullmatch(r"\d{1,5}(?:[.,]\d{1,4})?", text):
        found = round(float(text.replace(",", ".")) * 60)
    elif re.fullmatch(r"\d{1,9}(?:[.,]0+)?", text) and not re.fullmatch(r"[1-9]\d{0,2},000", text):
        # 1,000 may be one second or a thousand.
        found = int(re.split("[.,]", text)[0])
    elif clock := re.fullmatch(r"(?:(\d{1,3}):)?(\d{1,3}):(\d{2})(?:[.,]\d{1,6})?", text):
        found = int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + int(clock[3])
    elif iso := _ISO.fullmatch(text):
        days, hours, whole, rest = (int(part or 0) for part in iso.groups())
        found = ((days * 24 + hours) * 60 + whole) * 60 + rest
    elif (told := _DECIMAL_MINUTES.fullmatch(text)) and fold(told[2]) in _MINUTES:
        found = round(float(told[1].replace(",", ".")) * 60)
    elif re.fullmatch(r"\d{1,3}(?:[ \u00a0\u202f]\d{3})+", text):
        found = int(re.sub(r"\D", "", text))
    elif spelt := _SPELT.fullmatch(text):
        found = sum(int(spelt[unit] or 0) * worth for unit, worth in (("h", 3600), ("m", 60), ("s", 1)))
    else:
        raise Invalid(field, "not a duration; use whole seconds, 0 or more")
    if found > _LONGEST_S:
        raise Invalid(
            field, "longer than a week (%(most)s seconds); fix it in the source system", most=_LONGEST_S
        )
    return found


def minutes(text: str, field: str, dialect: Dialect) -> int | None:
    """Read hours such as 7.5, 7,5 or 7:30 as whole minutes."""
    text = text.strip()
    if not text:
        return None
    # A workbook's time of day and the seconds of a duration: 7:30:00.
    if clock := re.fullmatch(r"(\d{1,5}):([0-5]\d)(?::00)?", text):
        return int(clock[1]) * 60 + int(clock[2])
    if re.fullmatch(r"\d{1,5}(?:[.,]\d{1,4})?", text):
        return round(float(text.replace(",", ".")) * 60)
    raise Invalid(field, "not a number of hours; write 7.5 or 7:30")


@dataclass(frozen=True, slots=True)
class Figure:
    """An amount taken apart: its digits with their marks, whether it is negative, what stands beside it."""

    digits: str
    negative: bool
    labels: tuple[str, ...]


def figure(text: str) -> Figure | None:
    """Take an amount apart; None where there is no digit."""
    text = clean(text)[: _LONGEST_AMOUNT + 1].replace("\u2212", "-")
    places = [at for at, character in enumerate(text) if character.isdigit()]
    if not places:
        return None
    before, digits, after = text[: places[0]], text[places[0] : places[-1] + 1], text[places[-1] + 1 :]
    before, after = before.strip(), after.strip()
    if before.endswith((".", ",")) and before[:-1].strip("+- ") == "":
        before, digits = before[:-1], f"0{before[-1]}{digits}"  # .50
    negative = False
    if before.endswith("(") and after.startswith(")"):
        before, after, negative = before[:-1], after[1:], True
    elif before.startswith("(") and after.endswith(")"):
        before, after, negative = before[1:], after[:-1], True
    for sign in ("-", "+"):
        if before.startswith(sign) or before.endswith(sign):
            before, negative = before.strip(sign), negative or sign == "-"
    if after in _NO_HUNDREDTHS:
        after = ""
    elif after.startswith("-") and (after == "-" or after[1:].strip()):
        # SAP writes the sign behind: 12,50-
        after, negative = after[1:], True
    elif after[:2] in _NO_HUNDREDTHS:
        after = after[2:]
    return Figure(digits, negative, tuple(filter(None, (before.strip(), after.strip()))))


def amount(text: str, field: str, currency: str, dialect: Dialect) -> int | None:
    """Read an amount in minor units; a sign or code of its currency may stand beside it."""
    if tables.is_empty(text):
        return None
    found = figure(text)
    if found is None or len(text) > _LONGEST_AMOUNT:
        return money.to_minor(text, currency, field, decimal=dialect.decimal)
    tens = dialect.tens
    for label in found.labels:
        if scaled := in_tens(label):
            tens, label = scaled
        if label:
            _confirm(label, currency, field, dialect)
    minor = money.to_minor(found.digits, currency, field, decimal=dialect.decimal, tens=tens)
    return -minor if found.negative else minor


def currency_in(text: str) -> str | None:
    """Return the currency that stands beside an amount, where its sign or code is of one currency only."""
    found = figure(text)
    labels = [scaled[1] if (scaled := in_tens(label)) else label for label in found.labels] if found else []
    return next((code for label in labels if (code := currency_of(label))), None)


@lru_cache(maxsize=1000)
def in_tens(label: str) -> tuple[int, str] | None:
    """Return how many zeros a label stands for and the currency in it; None where it counts single units.

    Examples
    --------
    >>> in_tens("TEUR"), in_tens("тыс. руб."), in_tens("万元"), in_tens("k€"), in_tens("Mkr"), in_tens("EUR")
    ((3, 'EUR'), (3, 'руб.'), (4, '元'), (3, '€'), (6, 'kr'), None)
    """
    label = label.strip()
    if not label or len(label) > 30 or codes_of(label):
        return None
    # Of a letter alone nothing is known: 12 T may be twelve tons.
    if (tens := _LETTER_TENS.get(label[0].casefold())) and codes_of(label[1:]):
        return tens, label[1:].strip()
    for word in re.findall(r"[万亿千]|百万", label):
        return _TENS[word], label.replace(word, "", 1).strip()
    words, tens = [], 0
    for word in re.sub(r"'?000s?$", " 000", label).split():
        if found := _TENS.get(word.strip(".,'()").casefold()):
            tens += found
        elif word.casefold() not in ("in", "i", "в", "of"):
            words.append(word.strip(",;"))
    rest = " ".join(words)
    return (tens, rest) if tens and (not rest or codes_of(rest)) else None


def currency_of(label: str) -> str | None:
    """Return the currency that a sign, a code or a name stands for, where it is one."""
    codes = codes_of(label)
    return next(iter(codes)) if len(codes) == 1 else _USUALLY.get(label.strip().casefold())


def codes_of(label: str) -> frozenset[str]:
    """Return the currencies that a code, a sign or a name may stand for; none where it is no currency."""
    label = label.strip()
    if codes := _SIGNS.get(label.casefold()):
        return frozenset(codes.split())
    return _currency_names().get(label.casefold(), frozenset())


@cache
def _currency_names() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for code in money.CODES:
        found.setdefault(code.casefold(), set()).add(code)
        for locale in tables.LANGUAGES:
            for name in (
                get_currency_name(code, locale=locale),
                get_currency_name(code, 1, locale),
                get_currency_symbol(code, locale),
            ):
                found.setdefault(name.casefold(), set()).add(code)
    # Several currencies were called so; without a word for which, the one of today is meant.
    today = {
        "euro": "EUR",
        "rubel": "RUB",
        "рубль": "RUB",
        "рубли": "RUB",
        "dollar": "USD",
        "us dollar": "USD",
        "kronor": "SEK",
        "kronen": "NOK",
        "pund": "GBP",
        "franken": "CHF",
        "yuan": "CNY",
    }
    return {name: frozenset(codes) for name, codes in found.items()} | {
        name: frozenset({code}) for name, code in today.items()
    }


def currency(text: str, field: str = "currency") -> str:
    """Return the ISO 4217 code of a currency that is written as a code, a sign or a name."""
    return currency_of(clean(text)) or money.currency(clean(text), field)


def yes(text: str, field: str) -> bool:
    """Read yes or no."""
    folded = fold(text) or text.strip()
    if folded in tables.listed("yes") or folded == "+":
        return True
    if folded in tables.listed("no") or folded in ("", "-"):
        return False
    raise Invalid(field, "must be yes or no")


def choice(text: str, field: str, known: Mapping[str, _Choice], remedy: str = "") -> _Choice:
    """Read one of the words known for ``field``, whatever their case and spacing."""
    found = known.get(fold(text))
    if found is None:
        names = ", ".join(sorted({str(value) for value in known.values()}))
        if remedy:
            raise Invalid(
                field,
                "unknown value; use one of: %(words)s, or map it: %(remedy)s",
                words=names,
                remedy=remedy,
            )
        raise Invalid(field, "unknown value; use one of: %(words)s", words=names)
    return found


def words(kind: type[_Choice], section: str = "") -> dict[str, _Choice]:
    """Return the words of an enumeration as :func:`choice` looks them up, in all languages."""
    own = {fold(value): value for value in kind}
    return {word: kind(meaning) for word, meaning in tables.values(section).items()} | own if section else own


def text(value: str, field: str, longest: int = 200) -> str | None:
    """Read words; None where there are none."""
    if not value.isascii() or not value.isprintable():
        # One name has one spelling, and characters that cannot be seen belong to none.
        value = visible(value)
    value = " ".join(value.split())
    if tables.is_empty(value):
        return None
    if len(value) > longest:
        raise Invalid(
            field, "must be %(most)s characters or fewer (now %(length)s)", length=len(value), most=longest
        )
    return value


def identifier(value: str, field: str, longest: int = 200) -> str | None:
    """Read an identifier: without the ``.0`` and the wrapping that spreadsheets give it; None where empty."""
    found = text(clean(value).lstrip("'"), field, longest)
    if found is None:
        return None
    if _EXPONENT.fullmatch(found):
        raise Invalid(
            field,
            "last digits lost in a spreadsheet; export the file again and do not save it from a spreadsheet",
        )
    if found.startswith("[") and found.endswith("]"):
        found = found[1:-1].strip()
    whole, point, part = found.partition(".")
    return whole if point and whole.isdigit() and part and not part.strip("0") else found


_BETWEEN = re.compile(r"[,;/|\n]| or | och | und | oder | или | и ")
_BRACKETS = re.compile(r"[<(\[]([^<>()\[\]]{0,60})[>)\]]")
_PLACEHOLDERS = frozenset({"5555555555", "9999999999", "1234567890", "0123456789"})


def telephones(value: str, field: str, region: str) -> list[str]:
    """Read the telephone numbers of a cell in E.164, names and several numbers beside them; [] where empty.

    Raises
    ------
    Invalid
        If something in the cell cannot be read as a number: it would be lost without a word.
    """
    whole = clean(value)
    if tables.is_empty(whole):
        return []
    found: list[str] = []
    one = phone.parse(whole, region).state == phone.NumberState.valid
    for part in [whole] if one else _BETWEEN.split(whole[:200]):
        piece = clean(part).lstrip("'").strip()
        if tables.is_empty(piece):
            continue
        if _EXPONENT.fullmatch(piece):
            raise Invalid(
                field,
                "last digits lost in a spreadsheet; export the file again and do not save it from "
                "a spreadsheet",
            )
        e164 = _telephone(piece, region)
        if e164 is None and not _placeholder(piece):
            raise Invalid(
                field,
                "%(value)r is not a phone number; enter it with country code, such as "
                "+46701740605, or clear the cell",
                value=piece,
            )
        if e164 and e164 not in found:
            found.append(e164)
    return found


def _telephone(piece: str, region: str) -> str | None:
    """Read one number: as it stands, in brackets behind a name, or behind a word such as Tel."""
    whole, point, part = piece.partition(".")
    if point and whole.lstrip("+").isdigit() and part and not part.strip("0"):
        piece = whole  # a spreadsheet's 46701740605.0
    if _placeholder(piece):
        return None
    # E.164 without its plus, where only that reading is a number.
    bare = piece.isdigit() and len(piece) >= 10 and not piece.startswith("0")
    tries = [piece, *(f"+{piece}" for _ in range(bare))]
    for bracketed in reversed(_BRACKETS.findall(piece)):
        outside = _BRACKETS.sub(" ", piece)
        # A remark in brackets stands behind a number; a number in brackets stands behind a name.
        tries += [bracketed] if sum(c.isdigit() for c in bracketed) >= 6 else [outside]
    digits = [at for at, character in enumerate(piece) if character.isdigit() or character == "+"]
    if digits and (piece[: digits[0]].strip() or piece[digits[-1] + 1 :].strip()):
        tries.append(piece[digits[0] : digits[-1] + 1])
    parsed = [(phone.parse(each.strip(), region)) for each in tries]
    valid = [number.e164 for number in parsed if number.e164 and number.state == phone.NumberState.valid]
    return valid[0] if valid else next((number.e164 for number in parsed if number.e164), None)


def _placeholder(piece: str) -> bool:
    digits = "".join(character for character in piece if character.isdigit())
    national = digits.removeprefix("1") if len(digits) == 11 else digits
    return national in _PLACEHOLDERS or (len(digits) >= 5 and len(set(digits)) == 1)


def _confirm(label: str, currency: str, field: str, dialect: Dialect) -> None:
    if not (codes := codes_of(label)):
        raise Invalid(
            field,
            "%(shown)r is not a currency; enter digits such as %(example)s, without the currency",
            shown=label,
            example=money.example(dialect.decimal),
        )
    if currency not in codes:
        raise Invalid(
            field,
            "the amount is in %(label)s but the row is in %(currency)s; add a currency column or "
            "use --currency",
            label=label,
            currency=currency,
        )


def content_key(*content: object) -> str:
    """Return a key for a record that brings none of its own: a keyed hash of what it says.

    Keyed, because the record may hold a caller's number, which a plain hash would give away to trial.
    """
    return "row-" + vault.mark("imported record", "\x1f".join(map(str, content)))[:32]
