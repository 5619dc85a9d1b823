"""Amounts: whole minor units (cents, öre) of an ISO 4217 currency, read from what people and files write."""

import re
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from babel.numbers import get_currency_precision, list_currencies

from tracking.errors import Invalid

# Signed 64-bit integers hold more; beyond this an amount is a mistake, or the engine's exact sums end.
LARGEST_MINOR = 10**15

_SPACES = re.compile(r"[\s\u00a0\u202f']")
_AMOUNT = re.compile(r"[+-]?\d+(?:[.,]\d+)*")


def currency(code: str, field: str = "currency") -> str:
    """Return an ISO 4217 code in capitals, or raise Invalid."""
    known = code.strip().upper()
    if known not in list_currencies():
        raise Invalid(field, f"{code!r} is not an ISO 4217 currency; write three capitals such as EUR")
    return known


def exponent(code: str) -> int:
    """Return how many decimals a currency has: 2 for EUR, 0 for JPY, 3 for KWD."""
    return int(get_currency_precision(code))


def to_minor(text: str, code: str, field: str = "amount", *, decimal: str | None = None) -> int:
    """Read an amount such as "1,234.50", "1 234,50" or "1234.5" as whole minor units.

    Where only one separator stands, it is decimal unless exactly three digits follow it and the currency
    has no three decimals; ``decimal`` ("." or ",") settles it. More decimals than the currency has are
    refused, since rounding would make the sum untrue.
    """
    bare = _SPACES.sub("", text)
    if not _AMOUNT.fullmatch(bare):
        raise Invalid(field, f"{text!r} is not an amount; write digits such as 1234.50, the currency apart")
    mark = decimal or _decimal_mark(bare, exponent(code))
    other = "," if mark == "." else "."
    bare = bare.replace(other, "").replace(mark, ".") if mark else re.sub(r"[.,]", "", bare)
    try:
        value = Decimal(bare).scaleb(exponent(code))
    except InvalidOperation:
        raise Invalid(field, f"{text!r} is not an amount; write digits such as 1234.50") from None
    if value != value.to_integral_value():
        raise Invalid(field, f"{text!r} has more decimals than {code} has ({exponent(code)}); round it")
    if abs(value) > LARGEST_MINOR:
        raise Invalid(field, f"{text!r} is larger than {LARGEST_MINOR} minor units; check the decimal mark")
    return int(value)


def to_major(minor: int, code: str) -> Decimal:
    """Return an amount in whole units of its currency, exactly."""
    return Decimal(minor).scaleb(-exponent(code))


def convert(minor: int, rate: float, source: str, target: str) -> int:
    """Convert an amount once, at a stored rate, rounded half to even to the target's minor unit."""
    value = to_major(minor, source) * Decimal(repr(rate))
    return int(value.scaleb(exponent(target)).to_integral_value(ROUND_HALF_EVEN))


def _decimal_mark(bare: str, decimals: int) -> str:
    dot, comma = bare.rfind("."), bare.rfind(",")
    if dot < 0 and comma < 0:
        return ""
    if dot >= 0 and comma >= 0:
        return "." if dot > comma else ","
    mark = "." if dot >= 0 else ","
    digits = len(bare) - 1 - max(dot, comma)
    grouped = bare.count(mark) > 1 or (digits == 3 and decimals != 3)
    return "" if grouped else mark
