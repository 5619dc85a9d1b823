"""Amounts: whole minor units (cents, öre) of an ISO 4217 currency, read from what people and files write."""

import re
import unicodedata
from decimal import ROUND_HALF_EVEN, Context, Decimal

from babel.numbers import list_currencies

from tracking.errors import Invalid

# Signed 64-bit integers hold more; beyond this an amount is a mistake, or the engine's exact sums end.
LARGEST_MINOR = 10**15

# Longer text is no amount; it also keeps the reading of digits linear.
_LONGEST = 60

# Decimals of the currencies that do not have two (ISO 4217, list one of 2024). The tables of Unicode's CLDR
# are for display and differ: they show Serbian dinars and Iraqi dinars without decimals.
_DECIMALS = {
    code: decimals
    for decimals, codes in (
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    )
    for code in codes.split()
}

CODES = frozenset(list_currencies())
"""The currencies that are known, by their ISO 4217 codes."""

_SPACES = re.compile(r"[\s'\u2019]+")
_AMOUNT = re.compile(r"([+-]?) ?([0-9]+(?:[.,\x20][0-9]+)*)")
# By mark: thousands, or lakhs and crores as in India.
_GROUPED = {
    mark: re.compile(rf"[1-9][0-9]{{0,2}}(?:{sep}[0-9]{{3}})+|[1-9][0-9]?(?:{sep}[0-9]{{2}})+{sep}[0-9]{{3}}")
    for mark, sep in ((".", r"\."), (",", ","), (" ", " "))
}
_EXACT = Context(prec=60)


def currency(code: str, field: str = "currency") -> str:
    """Return an ISO 4217 code in capitals, or raise Invalid."""
    known = code.strip().upper()
    if known not in CODES:
        raise Invalid(
            field, "%(code)r is not a currency code; enter three capital letters such as EUR", code=code
        )
    return known


def exponent(code: str) -> int:
    """Return how many decimals a currency has: 2 for EUR, 0 for JPY, 3 for KWD."""
    return _DECIMALS.get(code, 2)


def to_minor(
    text: str, code: str, field: str = "amount", *, decimal: str | None = None, tens: int = 0
) -> int:
    """Read an amount such as "1,234.50", "1 234,50" or "1234.5" as whole minor units.

    What counts in thousands has three ``tens``, and so many more decimals.

    Where only one separator stands and it could be either, as in "1.234", it separates thousands, unless
    the currency has three decimals; ``decimal`` ("." or ",") settles it. More decimals than the currency
    has are refused, since rounding would make the sum untrue.
    """
    bare = "".join(map(_plain, text[:_LONGEST]))
    found = _AMOUNT.fullmatch(_SPACES.sub(" ", bare).strip())
    if not found or len(text) > _LONGEST:
        shown = text if len(text) <= _LONGEST else text[:20] + "…"
        raise Invalid(
            field,
            "%(shown)r is not an amount; enter digits such as %(example)s, without the currency",
            shown=shown,
            example=example(decimal),
        )
    digits, places = found[2], exponent(code)
    mark = decimal or _decimal_mark(digits, places)
    whole, _, part = digits.rpartition(mark) if mark and mark in digits else (digits, "", "")
    groupings = [grouped for sep, grouped in _GROUPED.items() if sep != mark]
    # A mark that neither groups nor divides is misplaced; to pass over it could multiply the sum.
    if not whole.isdigit() and not any(grouped.fullmatch(whole) for grouped in groupings):
        raise _unclear(text, field, decimal)
    if part and not part.isdigit():
        raise _unclear(text, field, decimal)
    part, places = part.rstrip("0"), places + tens
    if len(part) > places:
        raise Invalid(
            field,
            "%(text)r has too many decimals; %(code)s has %(places)s",
            text=text,
            code=code,
            places=places - tens,
        )
    minor = int(re.sub(r"[.,\x20]", "", whole) + part.ljust(places, "0"))
    if minor > LARGEST_MINOR:
        raise Invalid(
            field,
            "%(text)r is larger than %(most)s minor units; check the decimal point",
            text=text,
            most=LARGEST_MINOR,
        )
    return -minor if found[1] == "-" else minor


def example(decimal: str | None) -> str:
    """Return an amount as it is to be written where a mark is known to divide."""
    return f"1234{decimal or '.'}50"


def _unclear(text: str, field: str, decimal: str | None) -> Invalid:
    if decimal is None:
        return Invalid(
            field,
            "%(text)r is ambiguous; enter it as %(example)s",
            text=text,
            example=example(decimal),
        )
    return Invalid(
        field,
        "%(text)r does not fit this column, where %(mark)s is the decimal mark; enter it as %(example)s",
        text=text,
        mark=decimal,
        example=example(decimal),
    )


def to_major(minor: int, code: str) -> Decimal:
    """Return an amount in whole units of its currency, exactly."""
    return Decimal(minor).scaleb(-exponent(code), _EXACT)


def convert(minor: int, rate: float, source: str, target: str) -> int:
    """Convert an amount once, at a stored rate, rounded half to even to the target's minor unit."""
    value = _EXACT.multiply(to_major(minor, source), Decimal(repr(float(rate))))
    return int(value.scaleb(exponent(target), _EXACT).to_integral_value(ROUND_HALF_EVEN))


def _plain(character: str) -> str:
    # Full-width digits and signs are what they look like, a footnote's ² is not.
    if unicodedata.category(character) == "No":
        return character
    return unicodedata.normalize("NFKC", character).replace("\u2212", "-")


def _decimal_mark(digits: str, places: int) -> str:
    dot, comma = digits.rfind("."), digits.rfind(",")
    if dot < 0 and comma < 0:
        return ""
    if dot >= 0 and comma >= 0:
        return "." if dot > comma else ","
    mark = "." if dot >= 0 else ","
    grouped = _GROUPED[mark].fullmatch(digits) and (digits.count(mark) > 1 or places != 3)
    return "" if grouped else mark
