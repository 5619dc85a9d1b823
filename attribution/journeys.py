"""The contract: what a journey table looks like, and how an error names what breaks it.

Rows are counted from 1, the header of a CSV file not included, so that the number in an error is the
number a person finds in the file.
"""

from __future__ import annotations

import pyarrow as pa

KINDS = ("call", "visit", "form", "message", "event", "answer", "other")
GOALS = ("lead", "qualified", "opportunity", "won")
OUTCOMES = ("answered", "not_asked", "declined", "unknown")
CALL_STATUSES = ("ringing", "answered", "missed", "voicemail", "completed")
LEAD_STATUSES = ("good_lead", "not_a_lead")

LARGEST_VALUE = 10**15
"""The largest amount of one row, in minor units: up to here every share is exact in 64-bit arithmetic."""

UNATTRIBUTED = "(unattributed)"
"""The campaign of a conversion that no touch precedes within its window."""

_MOMENT = pa.timestamp("us", "UTC")
_OPTIONAL = {b"optional": b"the column may be absent"}


def _field(name: str, kind: pa.DataType, *, null: bool = False, optional: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=null or optional, metadata=_OPTIONAL if optional else None)


TOUCHES = pa.schema(
    [
        _field("touch_id", pa.string()),
        _field("account_id", pa.string()),
        _field("contact_id", pa.string(), optional=True),
        _field("occurred_at", _MOMENT),
        _field("campaign", pa.string(), null=True),
        _field("channel", pa.string(), null=True),
        _field("kind", pa.string()),
        _field("ad_material", pa.string(), optional=True),
    ]
)
CONVERSIONS = pa.schema(
    [
        _field("conversion_id", pa.string()),
        _field("account_id", pa.string()),
        _field("goal", pa.string(), optional=True),
        _field("converted_at", _MOMENT),
        _field("value_minor", pa.int64()),
        _field("currency", pa.string()),
        _field("margin_minor", pa.int64(), optional=True),
        _field("lead_at", _MOMENT, optional=True),
        _field("qualified_at", _MOMENT, optional=True),
        _field("opportunity_at", _MOMENT, optional=True),
    ]
)
COSTS = pa.schema(
    [
        _field("campaign", pa.string(), null=True),
        _field("channel", pa.string(), null=True),
        _field("period_start", pa.date32()),
        _field("period_end", pa.date32()),
        _field("amount_minor", pa.int64()),
        _field("currency", pa.string()),
        _field("category", pa.string(), null=True),
        _field("direct", pa.bool_()),
    ]
)
ANSWERS = pa.schema(
    [
        _field("answer_id", pa.string()),
        _field("account_id", pa.string()),
        _field("contact_id", pa.string(), optional=True),
        _field("asked_at", _MOMENT),
        _field("outcome", pa.string()),
        _field("call_id", pa.string(), optional=True),
        _field("campaign", pa.string(), optional=True),
        _field("channel", pa.string(), optional=True),
        _field("verbatim", pa.string(), optional=True),
        _field("rep", pa.string(), optional=True),
    ]
)
CALLS = pa.schema(
    [
        _field("call_id", pa.string()),
        _field("account_id", pa.string(), optional=True),
        _field("started_at", _MOMENT),
        _field("campaign", pa.string(), null=True),
        _field("channel", pa.string(), null=True),
        _field("status", pa.string()),
        _field("duration_s", pa.int64()),
        _field("talk_s", pa.int64()),
        _field("first_call", pa.bool_()),
        _field("lead_status", pa.string(), optional=True),
        _field("spam", pa.bool_()),
    ]
)
VISITS = pa.schema(
    [
        _field("day", pa.date32()),
        _field("campaign", pa.string(), null=True),
        _field("channel", pa.string(), null=True),
        _field("visits", pa.int64()),
    ]
)
CREDITS = pa.schema(
    [
        _field("model", pa.string()),
        # Null: what allocation="total" gives a source that no conversion's path shows.
        _field("conversion_id", pa.string(), null=True),
        _field("touch_id", pa.string(), null=True),
        _field("campaign", pa.string(), null=True),
        _field("channel", pa.string(), null=True),
        _field("weight", pa.float64()),
        _field("credit_minor", pa.int64()),
        _field("currency", pa.string(), optional=True),
        _field("ad_material", pa.string(), optional=True),
    ]
)
SCHEMAS: dict[str, pa.Schema] = {
    "touches": TOUCHES,
    "conversions": CONVERSIONS,
    "costs": COSTS,
    "answers": ANSWERS,
    "calls": CALLS,
    "visits": VISITS,
    "credits": CREDITS,
}
IDENTIFIERS = {name: schema.names[0] for name, schema in SCHEMAS.items() if schema.names[0].endswith("_id")}
# Identifiers may be whole numbers as well as text.
ID_COLUMNS = frozenset({"touch_id", "conversion_id", "answer_id", "call_id", "account_id", "contact_id"})


class JourneyError(ValueError):
    """Bad input, named so that a person can find it and put it right.

    Parameters
    ----------
    reason : str
        What is wrong.
    remedy : str
        What to do about it.
    table : str, default ""
        Name of the table, such as ``touches``.
    row : int or None, default None
        Row number counted from 1, without the header; None when the whole column or table is meant.
    column : str or None, default None
        Column in which the value stands.
    value : object, default None
        The value as it was read.

    Examples
    --------
    >>> print(JourneyError("is not a kind of touch", "use call or visit", table="touches", row=3,
    ...                    column="kind", value="cal"))
    touches, row 3, column kind: 'cal' is not a kind of touch; use call or visit
    """

    def __init__(
        self,
        reason: str,
        remedy: str,
        *,
        table: str = "",
        row: int | None = None,
        column: str | None = None,
        value: object = None,
    ) -> None:
        self.table, self.row, self.column, self.value, self.reason = table, row, column, value, reason
        self.remedy = remedy
        parts = (table, f"row {row}" if row else "", f"column {column}" if column else "")
        place = ", ".join(part for part in parts if part)
        shown = f"{value!r} " if row else ""
        super().__init__(f"{place}: {shown}{reason}; {remedy}" if place else f"{shown}{reason}; {remedy}")
