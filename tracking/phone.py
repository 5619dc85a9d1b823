"""Telephone numbers as people and exchanges write them, turned into E.164 or kept as what they are."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberFormat


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
_CHARSET = re.compile(r"[0-9+()\-./\s]*(?:;ext=[0-9]+)?")


def parse(raw: str | None, region: str) -> Parsed:
    """Read a number; ``region`` (ISO 3166, such as SE) decides how a national form is completed."""
    text = "" if raw is None else raw
    return _parse(text, region) if len(text) <= 80 else Parsed(text, None, NumberState.malformed)


@lru_cache(maxsize=65536)
def _parse(raw: str, region: str) -> Parsed:
    # Copy and paste brings direction marks and full-width digits; NFKC folds the latter.
    text = "".join(c for c in unicodedata.normalize("NFKC", raw) if unicodedata.category(c) != "Cf").strip()
    if sip := _SIP.match(text):
        text = sip.group(1)
    if not text or text == "+" or text.lstrip("+").casefold() in _WITHHELD:
        return Parsed(raw, None, NumberState.withheld)
    if not _CHARSET.fullmatch(text):
        return Parsed(raw, None, NumberState.malformed)
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return Parsed(raw, None, NumberState.malformed)
    # An internal extension or 112 completed with the country code would become a stranger's number.
    if phonenumbers.is_possible_short_number_for_region(number, region) and not text.startswith(("+", "00")):
        return Parsed(raw, None, NumberState.malformed)
    if not phonenumbers.is_possible_number(number):
        return Parsed(raw, None, NumberState.malformed)
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    valid = phonenumbers.is_valid_number(number)
    return Parsed(raw, e164, NumberState.valid if valid else NumberState.possible)


def require(raw: str, region: str, field: str) -> str:
    """Return ``raw`` in E.164 or raise ValueError naming ``field``, the value and the remedy."""
    parsed = parse(raw, region)
    if parsed.e164 is None:
        raise ValueError(
            f"{field}: {raw!r} is not a telephone number; write it in full, such as +46701740605"
        )
    return parsed.e164


def national(e164: str, region: str) -> str:
    """Write a number as people in ``region`` read it: nationally at home, internationally abroad."""
    number = phonenumbers.parse(e164, None)
    home = phonenumbers.region_code_for_number(number) == region
    style = PhoneNumberFormat.NATIONAL if home else PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(number, style)


def mask(e164: str | None) -> str:
    """Show a caller's number by its last three digits, as lists and logs do."""
    return "withheld" if not e164 else f"…{e164[-3:]}"
