"""Paths in the field's own notation, "fair > search > call", as journey tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from attribution import CONVERSIONS, TOUCHES, attribute

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def path(
    text: str,
    value: int = 100_00,
    *,
    days: Sequence[float] | None = None,
    account: str = "Borealis Foods",
    currency: str = "EUR",
    converted: float | None = None,
    **milestones: float,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Give the touches and the conversion of one path; "-" is a touch of unknown source."""
    stations = [part.strip() for part in text.split(">")] if text else []
    days = list(days) if days is not None else [float(i) for i in range(len(stations))]
    touches = [
        {
            "touch_id": f"{account} {i}",
            "account_id": account,
            "occurred_at": day(when),
            "campaign": None if name == "-" else name,
            "channel": None if name == "-" else name,
            "kind": "call",
        }
        for i, (name, when) in enumerate(zip(stations, days, strict=True), start=1)
    ]
    at = converted if converted is not None else (max(days, default=0) + 1)
    conversion = {
        "conversion_id": f"{account} order",
        "account_id": account,
        "converted_at": day(at),
        "value_minor": value,
        "currency": currency,
    }
    conversion |= {f"{name}_at": day(when) for name, when in milestones.items()}
    return touches, [conversion]


def tables(*paths: tuple[list[dict[str, Any]], list[dict[str, Any]]]) -> tuple[pa.Table, pa.Table]:
    touches = [touch for some, _ in paths for touch in some]
    conversions = [conversion for _, some in paths for conversion in some]
    return _table(touches, TOUCHES), _table(conversions, CONVERSIONS)


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    present = {name for row in rows for name in row}
    fields = [f for f in schema if f.name in present or not f.metadata]
    return pa.Table.from_pylist(rows, pa.schema([f.with_nullable(True) for f in fields]))


def credit(text: str, model: Any, value: int = 100_00, **how: Any) -> list[int]:
    """Give the credit of each touch of one path, in order."""
    options = {name: how.pop(name) for name in ("lookback_days", "half_life_days") if name in how}
    touches, conversions = tables(path(text, value, **how))
    result = attribute(touches, conversions, [model], **options)
    found = dict(zip(result["touch_id"].to_pylist(), result["credit_minor"].to_pylist(), strict=True))
    return [found.get(touch, 0) for touch in touches["touch_id"].to_pylist()]
