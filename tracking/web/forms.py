"""What people type into forms, read as what it means, or refused with the field and the remedy."""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo

from flask import request

from tracking.errors import Invalid
from tracking.storage import money

_Choice = TypeVar("_Choice", bound=StrEnum)


def text(name: str) -> str | None:
    """Return a field without blanks around it; None where nothing is left."""
    return request.form.get(name, "").strip() or None


def flag(name: str) -> bool:
    """Tell whether a box is ticked."""
    return request.form.get(name, "") not in ("", "0", "no")


def day(name: str) -> date | None:
    """Return a day; None where the field is empty."""
    told = text(name)
    try:
        return date.fromisoformat(told) if told else None
    except ValueError:
        raise Invalid(name, "%(told)r is not a day; write it as 2026-03-01", told=told) from None


def moment(name: str, zone: ZoneInfo) -> datetime | None:
    """Return a moment in UTC; without an offset it is local time. None where the field is empty."""
    told = text(name)
    try:
        at = datetime.fromisoformat(told) if told else None
    except ValueError:
        raise Invalid(name, "%(told)r is not a moment; write it as 2026-03-01 14:30", told=told) from None
    if at is None:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def whole(name: str) -> int | None:
    """Return a whole number; None where the field is empty."""
    told = text(name)
    try:
        return int(told) if told else None
    except ValueError:
        raise Invalid(name, "%(told)r is not a whole number; write digits only", told=told) from None


def one_of(kind: type[_Choice], name: str) -> _Choice:
    """Return one of a field's choices."""
    told = text(name) or ""
    try:
        return kind(told)
    except ValueError:
        known = ", ".join(kind)
        raise Invalid(name, "%(told)r is not known; choose among %(known)s", told=told, known=known) from None


def amount(name: str, currency: str) -> int | None:
    """Return money in minor units of a currency; None where the field is empty."""
    told = text(name)
    return money.to_minor(told, currency, name) if told else None
