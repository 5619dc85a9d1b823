"""Telephone numbers as people and exchanges write them, turned into E.164 or kept as what they are."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import phonenumbers
from phonenumbers import PhoneNumberFormat, ValidationResult

from tracking.errors import Invalid

REGIONS = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""Countries (ISO 3166) whose national numbers can be completed."""


class NumberState(StrEnum):
    """What is known of a caller's number."""

    valid = "valid"
    possible = "possible"
    withheld = "withheld"
    malformed = "malformed"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A number as it came (``raw``) and, where it is one, in E.164 (``e164``)."""

    raw: str
    e164: str | None
    state: NumberState


# Names that exchanges send instead of a number, and the digit strings that spell them on a keypad
# (266696687 is ANONYMOUS, 86282452253 UNAVAILABLE ...): the last parses as a Chinese number, so the
# list is looked at before the parser.
_WITHHELD = frozenset(
    """anonymous|anonymous caller|restricted|private|private number|private caller|unavailable|unknown
    unknown caller|unknown number|blocked|withheld|number withheld|noid
    no caller id|caller id blocked|n/a|-|--
    no number|unknown caller id|not available|payphone|coin|anonymous@anonymous.invalid
    anonym|anonymt|dolt|dolt nummer|hemligt|hemligt nummer|skyddat nummer|okänt|okänt nummer
    okänd|okänd uppringare|privat|privat nummer|utan nummer|ej tillgänglig
    unbekannt|unbekannte nummer|nummer unbekannt|rufnummer unbekannt|unbekannter anrufer
    keine rufnummer|anonymer anrufer|unterdrückt|nummer unterdrückt|rufnummer unterdrückt
    неизвестно|неизвестен|номер неизвестен|номер не указан|без номера|скрыто
    аноним|анонимный|скрыт|скрытый|скрытый номер|номер скрыт|неизвестный|неизвестный номер
    номер не определён|номер не определен|未知|未知号码|未知来电|私人号码|无号码|隐藏号码|匿名|号码隐藏|未显示
    266696687|7378742833|2562533|8566696|86282452253
    """.strip()
    .replace("\n    ", "|")
    .split("|")
)
# What is typed where no number is known. Short runs of one digit are real numbers in closed plans.
_PLACEHOLDER = re.compile(r"\+?(?:(\d)\1{8,}|1?([2-9])\2{9}|1234567890|9876543210)")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SEPARATORS = str.maketrans("", "", " ().-")
_MASKED = re.compile(r"\+?[\d\s().\-]*[*•xX]{2,}\d{0,4}")
_SIP = re.compile(r"^(?:sips?|tel):([^@;>]*)(?:@[^;>]*)?(?:;.*)?$", re.IGNORECASE)
_CONTEXT = re.compile(r";phone-context=(\+[0-9().\-]+)", re.IGNORECASE)
_CHARSET = re.compile(
    r"[0-9+()\-./\s]*(?:(?:;ext=|\s*(?:ext\.?|x|#)\s*)[0-9]{1,7})?",
    re.IGNORECASE,
)
# What other languages call an extension; the parser would take the letters for digits of the number.
_EXTENSION = re.compile(
    r"(?<=\d)[\s,]*(?:anknytning|ankn|anst|durchwahl|dw|nebenstelle|nst|добавочный|доб|вн|分机号?|转)\.?:?\s*"
    r"(?=\d{1,7}$)",
    re.IGNORECASE,
)
_LABEL = re.compile(r"(?!(?:sips?|tel):)[^\W\d]{1,12}\.?:\s*", re.IGNORECASE)
# A spreadsheet's notations: 46701740605.0 is still whole, 4.67E+10 has lost digits.
_FLOAT = re.compile(r"(\+?\d{6,})[.,]0{1,2}")
_ROUNDED = re.compile(r"\+?\d(?:[.,]\d*)?[eE]\+?\d{1,3}")
_BETWEEN_NUMBERS = re.compile(r"[,;/|&\n]|\s(?:and|or|och|eller|und|oder|и|или|或|和)\s", re.IGNORECASE)
# Shorter ones that no numbering plan knows are extensions of a switchboard, not subscribers.
_SHORTEST_UNPLANNED = 7
_LONGEST = len("+") + 15
_LONGEST_CELL = 80


def parse(raw: str | None, region: str) -> Parsed:
    """Read a number; ``region`` (ISO 3166, such as SE) decides how a national form is completed."""
    text = "" if raw is None else raw
    return _parse(text, region) if len(text) <= _LONGEST_CELL else Parsed(text, None, NumberState.malformed)


@lru_cache(maxsize=65536)
def _parse(raw: str, region: str) -> Parsed:
    return _in_full(raw) or _in_any_form(raw, region)


def _in_full(raw: str) -> Parsed | None:
    """Read a number in E.164; None where that needs more than its country's patterns.

    Most callers come so, and by the parser for every form each costs ten times as much.
    """
    if not _E164.fullmatch(raw) or _PLACEHOLDER.fullmatch(raw) or raw[1:] in _WITHHELD:
        return None
    plan = next((plan for end in (2, 3, 4) if (plan := _plan(raw[1:end])) is not None), None)
    if plan is None:
        return None
    rest = raw[plan.code_ends :]
    # A prefix or a leading zero may belong to the number or not; the parser decides.
    if rest[0] == "0" or (plan.prefix is not None and plan.prefix.match(rest)):
        return None
    for leading, ways in plan.regions:
        if leading is not None and not leading.match(rest):
            continue
        way = ways.get(len(rest))
        if way is not None and way.fullmatch(rest):
            return Parsed(raw, raw, NumberState.valid)
        if leading is not None or len(plan.regions) == 1:
            break
    return Parsed(raw, raw, NumberState.possible) if len(rest) in plan.possible else None


@dataclass(frozen=True, slots=True)
class _Plan:
    """The numbers of a country code, as the library's metadata describe them."""

    code_ends: int
    prefix: re.Pattern[str] | None
    regions: list[tuple[re.Pattern[str] | None, dict[int, re.Pattern[str]]]]
    """Of each region the digits it begins with, if that tells it, and by length what is valid."""
    possible: frozenset[int]
    """Lengths that a subscriber's number may have, and no short number."""


@lru_cache(maxsize=1200)
def _plan(code: str) -> _Plan | None:
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code), ()) if code[0] != "0" else ()
    if not regions or regions[0] == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY:
        return None
    library: Any = phonenumbers.PhoneMetadata
    found = [library.metadata_for_region(region, None) for region in regions]
    short = [library.short_metadata_for_region(region) for region in regions]
    main = found[0]
    lengths = set(main.general_desc.possible_length) - set(main.general_desc.possible_length_local_only)
    for brief in filter(None, short):
        lengths -= set(brief.general_desc.possible_length)
    return _Plan(
        code_ends=1 + len(code),
        prefix=re.compile(main.national_prefix_for_parsing) if main.national_prefix_for_parsing else None,
        regions=[
            (
                re.compile(plan.leading_digits) if plan.leading_digits and len(regions) > 1 else None,
                _valid_by_length(plan),
            )
            for plan in found
        ],
        possible=frozenset(
            length for length in lengths if _SHORTEST_UNPLANNED <= length < _LONGEST - len(code)
        ),
    )


_KINDS = (
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
    "fixed_line",
    "mobile",
)


def _valid_by_length(plan: Any) -> dict[int, re.Pattern[str]]:
    found: dict[int, re.Pattern[str]] = {}
    whole = plan.general_desc
    kinds = [getattr(plan, name) for name in _KINDS]
    for length in whole.possible_length:
        fitting = [
            kind.national_number_pattern
            for kind in kinds
            if kind is not None
            and kind.national_number_pattern
            and (not kind.possible_length or length in kind.possible_length)
        ]
        if fitting:
            within = "|".join(f"(?:{pattern})" for pattern in dict.fromkeys(fitting))
            found[length] = re.compile(f"(?=(?:{whole.national_number_pattern})$)(?:{within})")
    return found


def _in_any_form(raw: str, region: str) -> Parsed:
    text = split(raw)[1]
    if sip := _SIP.match(text):
        # A local number says in its context which country and area it is local to (RFC 3966).
        context = None if sip.group(1).startswith("+") else _CONTEXT.search(text)
        text = (context.group(1) if context else "") + sip.group(1)
    if not text or text == "+" or text.lstrip("+").casefold() in _WITHHELD:
        return Parsed(raw, None, NumberState.withheld)
    if _PLACEHOLDER.fullmatch(text.translate(_SEPARATORS)) or _MASKED.fullmatch(text):
        return Parsed(raw, None, NumberState.withheld)
    if whole := _FLOAT.fullmatch(text):
        text = whole[1]
    text = _EXTENSION.sub(" ext. ", text)
    if not _CHARSET.fullmatch(text):
        return Parsed(raw, None, NumberState.malformed)
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        number = None
    if number is not None and phonenumbers.is_valid_number(number):
        return Parsed(raw, _e164(number), NumberState.valid)
    bare = not text.lstrip("(").startswith(("+", "0"))
    if bare and (abroad := _without_plus(text)) is not None:
        return Parsed(raw, abroad, NumberState.valid)
    if number is None or (bare and not _completes_bare(region)):
        return Parsed(raw, None, NumberState.malformed)
    e164 = _e164(number)
    # An internal extension or 112 completed with the country code would become a stranger's number, and
    # so would a number without its area code, which is possible in many areas.
    short = len(str(number.national_number)) < _SHORTEST_UNPLANNED
    complete = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    # Some plans admit more digits than a number may have (15, ITU-T E.164).
    long = len(e164) > _LONGEST
    # Some drop a zero behind the country code, and are another number by it.
    stable = _e164(phonenumbers.parse(e164)) == e164
    if short or long or not complete or not stable or phonenumbers.is_possible_short_number(number):
        return Parsed(raw, None, NumberState.malformed)
    return Parsed(raw, e164, NumberState.possible)


def _e164(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _without_plus(text: str) -> str | None:
    """Return the number that ``text`` is in E.164 without its plus, if it is one."""
    try:
        number = phonenumbers.parse(f"+{text}", None)
    except phonenumbers.NumberParseException:
        return None
    return _e164(number) if phonenumbers.is_valid_number(number) else None


@lru_cache(maxsize=512)
def _completes_bare(region: str) -> bool:
    # Where national numbers begin with a digit of their own (0, 8), one without it and in no plan is no
    # national number, and the country code would make it a stranger's.
    plan = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    return plan is None or plan.national_prefix is None or plan.country_code == 1


def split(cell: str) -> tuple[str, str]:
    """Return the name and the number of a cell such as ``"Lager" <+46...>`` or ``Sales (800)``."""
    text = "".join(map(_plain, cell)).strip()
    if text.startswith('="') and text.endswith('"'):
        text = text[2:-1].strip()
    text = text.removeprefix("'").strip()
    for left, right in ("<>", "()"):
        at = text.rfind(left)
        if at < 0 or not text.endswith(right):
            continue
        before, inner = text[:at].strip(" \t\"'"), text[at + 1 : -1].strip()
        if right == ">" or any(c.isalpha() for c in before) or before == inner:
            return before, inner
        if not any(c.isdigit() for c in inner):
            text = before
    return "", text[label.end() :] if (label := _LABEL.match(text)) else text


def check(raw: str, region: str, field: str) -> None:
    """Raise Invalid where ``raw`` was meant to be a number and cannot be read as one.

    Names, extensions, withheld numbers and digits that no numbering plan knows are kept as they came.
    """
    if parse(raw, region).state is not NumberState.malformed:
        return
    text = split(raw)[1]
    if _ROUNDED.fullmatch(text):
        raise Invalid(
            field,
            "%(raw)r was rounded by a spreadsheet and its last digits are lost; export the file again and "
            "do not save it from the spreadsheet",
            raw=raw,
        )
    parts = [part for part in _BETWEEN_NUMBERS.split(text[:200]) if sum(c.isdigit() for c in part) >= 5]
    if len(parts) > 1:
        raise Invalid(field, "%(raw)r has more than one phone number; keep one of them", raw=raw)
    digits = sum(c.isdigit() for c in text)
    if digits > _LONGEST - 1 or (digits >= _SHORTEST_UNPLANNED and not _CHARSET.fullmatch(text)):
        raise Invalid(
            field, "%(raw)r is not a phone number; enter it with country code, such as +46701740605", raw=raw
        )


def _plain(character: str) -> str:
    # Copy and paste brings direction marks, typographic dashes, and the digits of other scripts.
    kind = unicodedata.category(character)
    if kind == "Nd":
        return str(unicodedata.digit(character))
    if kind == "Pd" or character == "\u2212":
        return "-"
    # A footnote's ² is no digit; full-width signs are signs.
    return "" if kind == "Cf" else character if kind == "No" else unicodedata.normalize("NFKC", character)


def require(raw: str, region: str, field: str) -> str:
    """Return ``raw`` in E.164 or raise Invalid naming ``field``, the value and the remedy."""
    parsed = parse(raw, region)
    if parsed.e164 is None:
        raise Invalid(
            field, "%(raw)r is not a phone number; enter it with country code, such as +46701740605", raw=raw
        )
    return parsed.e164


def national(e164: str, region: str) -> str:
    """Write a number as people in ``region`` read it: nationally at home, internationally abroad."""
    number = phonenumbers.parse(e164, None)
    home = phonenumbers.region_code_for_number(number) == region
    style = PhoneNumberFormat.NATIONAL if home else PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(number, style)


def significant(e164: str) -> str:
    """Return a number without the code of its country, as it is written everywhere."""
    return phonenumbers.national_significant_number(phonenumbers.parse(e164, None))


@dataclass(frozen=True, slots=True)
class Shown:
    """A number as people dial it at home and from abroad."""

    national: str
    international: str


def show(e164: str) -> Shown:
    """Write a number for print, spaced as its country does."""
    number = phonenumbers.parse(e164, None)
    return Shown(
        phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL),
        phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL),
    )


SHOWN = 3
"""How many digits of a caller's number everybody sees, the last ones."""


def mask(e164: str | None) -> str:
    """Show a caller's number by its last three digits, as lists and logs do."""
    return "withheld" if not e164 else f"…{e164[-SHOWN:]}"


# Some exchanges send the number where a name should be.
_LIKE_A_NUMBER = re.compile(r"[+\d\s().-]*\d[\d\s().-]{5,}")


def partly(text: str | None) -> str | None:
    """Show of a telephone number its last three digits, of an e-mail address its domain."""
    if not text:
        return None
    return f"…@{text.rpartition('@')[2]}" if "@" in text else mask(text)


def without_number(name: str | None) -> str | None:
    """Show a name; where a telephone number stands in its place, show it in part."""
    return partly(name) if name and _LIKE_A_NUMBER.fullmatch(name) else name
