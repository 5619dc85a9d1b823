"""Telephone numbers as people and exchanges write them, turned into E.164 or kept as what they are."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

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
    {"anonymous", "restricted", "private", "unavailable", "unknown", "blocked", "withheld", "noid"}
    | {"266696687", "7378742833", "2562533", "8566696", "86282452253"}
)
_SIP = re.compile(r"^(?:sips?|tel):([^@;>]*)(?:@[^;>]*)?(?:;.*)?$", re.IGNORECASE)
_CONTEXT = re.compile(r";phone-context=(\+[0-9().\-]+)", re.IGNORECASE)
_CHARSET = re.compile(r"[0-9+()\-./\s]*(?:(?:;ext=|\s*(?:ext\.?|x|#)\s*)[0-9]{1,7})?", re.IGNORECASE)
# Shorter ones that no numbering plan knows are extensions of a switchboard, not subscribers.
_SHORTEST_UNPLANNED = 7
_LONGEST = len("+") + 15


def parse(raw: str | None, region: str) -> Parsed:
    """Read a number; ``region`` (ISO 3166, such as SE) decides how a national form is completed."""
    text = "" if raw is None else raw
    return _parse(text, region) if len(text) <= 80 else Parsed(text, None, NumberState.malformed)


@lru_cache(maxsize=65536)
def _parse(raw: str, region: str) -> Parsed:
    text = "".join(map(_plain, raw)).strip()
    if sip := _SIP.match(text):
        # A local number says in its context which country and area it is local to (RFC 3966).
        context = None if sip.group(1).startswith("+") else _CONTEXT.search(text)
        text = (context.group(1) if context else "") + sip.group(1)
    if not text or text == "+" or text.lstrip("+").casefold() in _WITHHELD:
        return Parsed(raw, None, NumberState.withheld)
    if not _CHARSET.fullmatch(text):
        return Parsed(raw, None, NumberState.malformed)
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return Parsed(raw, None, NumberState.malformed)
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if phonenumbers.is_valid_number(number):
        return Parsed(raw, e164, NumberState.valid)
    # An internal extension or 112 completed with the country code would become a stranger's number, and
    # so would a number without its area code, which is possible in many areas.
    short = len(str(number.national_number)) < _SHORTEST_UNPLANNED
    complete = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    # Some plans admit more digits than a number may have (15, ITU-T E.164).
    long = len(e164) > _LONGEST
    # Some drop a zero behind the country code, and are another number by it.
    stable = phonenumbers.format_number(phonenumbers.parse(e164), PhoneNumberFormat.E164) == e164
    if short or long or not complete or not stable or phonenumbers.is_possible_short_number(number):
        return Parsed(raw, None, NumberState.malformed)
    return Parsed(raw, e164, NumberState.possible)


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
            field, "%(raw)r is not a telephone number; write it in full, such as +46701740605", raw=raw
        )
    return parsed.e164


def national(e164: str, region: str) -> str:
    """Write a number as people in ``region`` read it: nationally at home, internationally abroad."""
    number = phonenumbers.parse(e164, None)
    home = phonenumbers.region_code_for_number(number) == region
    style = PhoneNumberFormat.NATIONAL if home else PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(number, style)


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


def mask(e164: str | None) -> str:
    """Show a caller's number by its last three digits, as lists and logs do."""
    return "withheld" if not e164 else f"…{e164[-3:]}"
