"""A plain refusal of every table that breaks the contract, naming the row, the column and the remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc

from attribution.journeys import (
    CALL_STATUSES,
    GOALS,
    ID_COLUMNS,
    IDENTIFIERS,
    KINDS,
    LARGEST_VALUE,
    LEAD_STATUSES,
    OUTCOMES,
    SCHEMAS,
    JourneyError,
)


@dataclass(frozen=True)
class Check:
    """One rule of the contract about one column, as an expression that is true where the rule is broken."""

    column: str
    broken: nw.Expr
    reason: str
    remedy: str


def checks(name: str, columns: Iterable[str]) -> list[Check]:
    """List the rules that hold for table `name`, leaving out those about absent columns."""
    schema = SCHEMAS[name]
    rules = [
        Check(field.name, nw.col(field.name).is_null(), "is missing", "every row needs a value here")
        for field in schema
        if not field.nullable
    ]
    choices = {"kind": KINDS, "goal": GOALS, "outcome": OUTCOMES}
    if name == "calls":
        choices = {"status": CALL_STATUSES, "lead_status": LEAD_STATUSES}
    rules += [
        Check(
            column,
            ~nw.col(column).is_in(allowed),
            f"is not a known {column}",
            f"use one of {', '.join(allowed)}",
        )
        for column, allowed in choices.items()
    ]
    rules.append(
        Check(
            "currency",
            ~nw.col("currency").str.contains("^[A-Z]{3}$"),
            "is not a currency code",
            "use the three capital letters of ISO 4217, such as EUR",
        )
    )
    rules += [
        Check(
            column,
            (nw.col(column) > LARGEST_VALUE) | (nw.col(column) < -LARGEST_VALUE),
            "is beyond 10^15 minor units",
            "check the unit: amounts are in cents, pence or the like",
        )
        for column in ("value_minor", "margin_minor", "amount_minor")
    ]
    rules += [
        Check(column, nw.col(column) < 0, "is negative", "give a figure of zero or more")
        for column in ("amount_minor", "duration_s", "talk_s", "visits")
    ]
    rules.append(
        Check(
            "period_end",
            nw.col("period_end") <= nw.col("period_start"),
            "does not lie after period_start",
            "the end is the first day no longer covered",
        )
    )
    present = set(columns) & set(schema.names)
    return [rule for rule in rules if rule.column in present]


def validate(table: Any, schema_name: str) -> pa.Table:
    """Return `table` in the form of the contract, or refuse it with row, column and reason.

    Parameters
    ----------
    table : pyarrow.Table, pandas.DataFrame, polars.DataFrame or other eager frame that narwhals reads
        The rows to check. Further columns than the schema's are dropped.
    schema_name : {"touches", "conversions", "costs", "answers", "calls", "visits", "credits"}
        Which table of the contract it is meant to be.

    Returns
    -------
    pyarrow.Table
        The same rows in the same order with the schema's columns and types: moments as
        ``timestamp[us, tz=UTC]``, amounts as int64 minor units. Columns that the contract allows to be
        absent stay absent. Identifiers given as whole numbers stay whole numbers (int64).

    Raises
    ------
    JourneyError
        For a missing column, a wrong type, a moment without time zone, an unknown kind, goal or outcome,
        a fractional, not-a-number or huge amount, a negative figure where none is allowed, a currency
        that is not three capitals, or an identifier that occurs twice.

    Notes
    -----
    A valid table need not be complete: nothing here can know which touches were never recorded.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from datetime import datetime, timezone
    >>> fair = datetime(2026, 3, 2, 10, tzinfo=timezone.utc)
    >>> touch = pa.table({"touch_id": ["t1"], "account_id": ["Borealis Foods"], "occurred_at": [fair],
    ...                   "campaign": ["spring fair"], "channel": ["fair"], "kind": ["event"]})
    >>> validate(touch, "touches").num_rows
    1
    """
    if schema_name not in SCHEMAS:
        raise JourneyError(
            f"{schema_name!r} is not a table of the contract", f"use one of {', '.join(SCHEMAS)}"
        )
    arrow = table if isinstance(table, pa.Table) else nw.from_native(table, eager_only=True).to_arrow()
    typed = _typed(arrow, schema_name)
    frame = nw.from_native(typed, eager_only=True)
    for rule in checks(schema_name, typed.column_names):
        broken = frame.select(b=rule.broken)["b"].to_arrow()
        row = pc.index(broken, True).as_py()
        if row >= 0:
            value = typed[rule.column][row].as_py()
            raise JourneyError(
                rule.reason, rule.remedy, table=schema_name, row=row + 1, column=rule.column, value=value
            )
    identifier = IDENTIFIERS.get(schema_name)
    if identifier:
        refuse_duplicates(typed, schema_name, identifier)
    return typed


def refuse_duplicates(table: pa.Table, name: str, column: str) -> None:
    """Refuse a table in which an identifier occurs twice, naming the later row."""
    ids = table[column]
    if pc.count_distinct(ids).as_py() == table.num_rows:
        return
    seen: dict[object, int] = {}
    for row, value in enumerate(ids.to_pylist(), start=1):
        if value in seen:
            raise JourneyError(
                f"stands already in row {seen[value]}",
                "give every row an identifier of its own, or drop the repeated row",
                table=name,
                row=row,
                column=column,
                value=value,
            )
        seen[value] = row


def _typed(table: pa.Table, name: str) -> pa.Table:
    """Cast to the schema's types, naming the row that cannot be cast."""
    arrays, fields = [], []
    for field in SCHEMAS[name]:
        if field.name not in table.column_names:
            if field.metadata:
                continue
            raise JourneyError(
                "the column is missing",
                f"the table needs {', '.join(f.name for f in SCHEMAS[name] if not f.metadata)}",
                table=name,
                column=field.name,
            )
        array = _cast(table[field.name], field, name)
        arrays.append(array)
        fields.append(pa.field(field.name, array.type, field.nullable))
    return pa.table(arrays, schema=pa.schema(fields))


def check_type(kind: pa.DataType, field: pa.Field, table: str) -> None:
    """Refuse a column whose type can never mean what the contract asks for."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    want = field.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if pa.types.is_timestamp(kind) and kind.tz is None and pa.types.is_timestamp(want):
        raise JourneyError(
            "the moments have no time zone",
            "say which zone they are in, for example UTC: a naive hour can be any of two dozen",
            table=table,
            column=field.name,
        )
    good = (
        pa.types.is_null(kind)
        or (pa.types.is_string(want) and text)
        or (field.name in ID_COLUMNS and pa.types.is_integer(kind))
        or (pa.types.is_timestamp(want) and pa.types.is_timestamp(kind))
        or (pa.types.is_int64(want) and number)
        or (pa.types.is_float64(want) and number)
        or (pa.types.is_date32(want) and pa.types.is_date(kind))
        or (pa.types.is_boolean(want) and pa.types.is_boolean(kind))
    )
    if not good:
        raise JourneyError(f"the type is {kind}", f"{want} is needed", table=table, column=field.name)


def _cast(array: pa.ChunkedArray, field: pa.Field, table: str) -> pa.ChunkedArray:
    check_type(array.type, field, table)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if field.name in ID_COLUMNS and pa.types.is_integer(array.type):
        return array.cast(pa.int64())
    if pa.types.is_int64(field.type) and pa.types.is_floating(array.type):
        _refuse_fractions(array, field, table)
    if pa.types.is_timestamp(field.type) and pa.types.is_timestamp(array.type):
        # Beyond microseconds no order of touches is meant; the finer digits are cut off.
        return array.cast(field.type, safe=False)
    return array.cast(field.type)


def _refuse_fractions(array: pa.ChunkedArray, field: pa.Field, table: str) -> None:
    whole = pc.fill_null(pc.equal(pc.floor(array), array), True)
    finite = pc.fill_null(pc.is_finite(array), True)
    row = pc.index(pc.and_(whole, finite), False).as_py()
    if row >= 0:
        raise JourneyError(
            "is not a whole number",
            "amounts are whole minor units; leave out a row whose amount is not known",
            table=table,
            row=row + 1,
            column=field.name,
            value=array[row].as_py(),
        )


def from_text(table: pa.Table, name: str) -> pa.Table:
    """Read the columns of a CSV file, all text, as the types of the contract."""
    columns = {}
    for field in SCHEMAS[name]:
        if field.name in table.column_names:
            columns[field.name] = _parse(table[field.name], field, name)
    return pa.table(columns) if columns else table


def _parse(array: pa.ChunkedArray, field: pa.Field, table: str) -> pa.ChunkedArray:
    try:
        return array.cast(field.type)
    except pa.ArrowInvalid:
        pass
    parse = _moment if pa.types.is_timestamp(field.type) else _scalar(field.type)
    values = []
    for row, text in enumerate(array.to_pylist(), start=1):
        try:
            values.append(None if text is None else parse(text))
        except ValueError as error:
            raise JourneyError(
                f"cannot be read as {field.type}",
                str(error),
                table=table,
                row=row,
                column=field.name,
                value=text,
            ) from None
    return pa.chunked_array([pa.array(values, field.type)])


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        raise ValueError("add the time zone, such as 2026-03-02T10:00:00Z")
    return moment


def _scalar(kind: pa.DataType) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return pa.scalar(text.strip()).cast(kind).as_py()
        except pa.ArrowInvalid:
            raise ValueError(f"write it as a plain {kind}") from None

    return parse
