"""What people type into forms, read as what it means, or refused with the field and the remedy."""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from flask import request

from tracking.errors import Invalid
from tracking.reporting import questions
from tracking.storage import money
from tracking.storage.models import Call
from tracking.storage.vocabulary import LeadStatus
from tracking.telephony.calls import PRACTICE
from tracking.web import pages

_Choice = TypeVar("_Choice", bound=StrEnum)


def text(name: str) -> str | None:
    """Return a field without blanks around it; None where nothing is left."""
    return request.form.get(name, "").strip() or None


def flag(name: str) -> bool:
    """Tell whether a box is ticked."""
    return request.form.get(name, "") not in ("", "0", "no")


def day(name: str) -> date | None:
    """Return a day; None where the field is empty."""
    return questions.day(name, request.form)


def moment(name: str, zone: ZoneInfo) -> datetime | None:
    """Return a moment in UTC; without an offset it is local time. None where the field is empty."""
    told = text(name)
    try:
        at = datetime.fromisoformat(told) if told else None
    except ValueError:
        raise Invalid(
            name, "%(told)r is not a date and time; enter it as 2026-03-01 14:30", told=told
        ) from None
    if at is None:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def whole(name: str) -> int | None:
    """Return a whole number; None where the field is empty."""
    told = text(name)
    try:
        return int(told) if told else None
    except ValueError:
        raise Invalid(name, "%(told)r is not a whole number; enter digits only", told=told) from None


def between(name: str, least: int, most: int) -> int:
    """Return a whole number from ``least`` to ``most``, or raise Invalid."""
    told = whole(name)
    if told is None or not least <= told <= most:
        raise Invalid(
            name,
            "must be a whole number from %(least)d to %(most)d, not %(told)r",
            told=text(name) or "",
            least=least,
            most=most,
        )
    return told


def one_of(kind: type[_Choice], name: str) -> _Choice:
    """Return one of a field's choices."""
    told = text(name) or ""
    try:
        return kind(told)
    except ValueError:
        known = ", ".join(kind)
        raise Invalid(
            name, "%(told)r is not an option; use one of: %(known)s", told=told, known=known
        ) from None


def amount(name: str, currency: str) -> int | None:
    """Return money in minor units of a currency; None where the field is empty."""
    told = text(name)
    return money.to_minor(told, currency, name) if told else None


def judgement(call: Call, *, complete: bool) -> dict[str, Any]:
    """Return the judgement of a call as :func:`tracking.telephony.calls.judge` takes it.

    What a form shows and sends back empty is taken away; what it does not show stays. One that is
    ``complete`` shows everything. A box that is not ticked is not sent, so a form that shows the box of spam
    says so.
    """
    currency = money.currency(text("currency") or call.currency or pages.settings().currency)
    value = amount("value", currency)
    judged = request.form.get("lead_status", "")
    if judged not in ("", *LeadStatus):
        raise Invalid(
            "lead_status", "%(judged)r is not a lead status; use good_lead or not_a_lead", judged=judged
        )
    empty = {"lead_status": not judged, "value": value is None}
    return {
        "lead_status": LeadStatus(judged) if judged else None,
        "value_minor": value,
        "currency": currency if value is not None else None,
        "note": text("note") or "" if complete or "note" in request.form else None,
        # No form shows the box of a practice call.
        "spam": flag("spam")
        if call.provider != PRACTICE and (complete or "spam_shown" in request.form)
        else None,
        "clear": [name for name in empty if empty[name] and (complete or name in request.form)],
    }
