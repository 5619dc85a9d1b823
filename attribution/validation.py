"""A plain refusal of every table that breaks the contract, naming the row, the column and the remedy.

Each rule is written twice in one line: over Arrow for what is in memory, and as a condition in SQL that
DuckDB and Spark both understand, so that a larger file is checked where it lies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from string import ascii_uppercase
from typing import Any

import numpy as np
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
    UNATTRIBUTED,
    JourneyError,
)

MANY = 50_000
"""From so many identifiers on, sorting their hashes is several times faster than counting them."""


@dataclass(frozen=True)
class Check:
    """One rule of the contract about one column.

    Parameters
    ----------
    column : str
        What the rule is about.
    broken : function
        Of the Arrow column: true where the rule is broken.
    sql : str
        The same as a condition.
    reason, remedy : str
        For the error.
    """

    column: str
    broken: Callable[[Any], Any]
    sql: str
    reason: str
    remedy: str


CHOICES = {
    "kind": KINDS,
    "goal": GOALS,
    "outcome": OUTCOMES,
    "status": CALL_STATUSES,
    "lead_status": LEAD_STATUSES,
}
"""Columns that hold one of a few words."""


def checks(name: str, columns: Mapping[str, pa.DataType]) -> list[Check]:
    """List the rules that hold for table `name`, leaving out those about absent columns."""
    sources = ("campaign", "channel", "ad_material") if name in ("touches", "answers") else ()
    rules: list[tuple[Sequence[str], Callable[[Any], Any], str, str, str]] = [
        *(
            (
                [field.name],
                pc.is_null,
                "{0} IS NULL OR {0} = ''" if is_text(columns[field.name]) else "{0} IS NULL",
                "is missing",
                "every row needs a value here",
            )
            for field in SCHEMAS[name]
            if field.name in columns and not field.nullable
        ),
        *(
            (
                [column],
                lambda c, allowed=allowed: pc.and_(pc.is_valid(c), pc.invert(pc.is_in(c, pa.array(allowed)))),
                f"{{0}} NOT IN {allowed}",
                f"is not a known {column}",
                f"use one of {', '.join(allowed)}",
            )
            for column, allowed in CHOICES.items()
        ),
        (
            ["currency"],
            lambda c: pc.invert(pc.match_substring_regex(c, "^[A-Z]{3}$")),
            f"length({{0}}) <> 3 OR translate({{0}}, '{ascii_uppercase}', '') <> ''",
            "is not a currency code",
            "use the three capital letters of ISO 4217, such as EUR",
        ),
        (
            ["value_minor", "margin_minor", "amount_minor"],
            lambda c: pc.or_(pc.greater(c, LARGEST_VALUE), pc.less(c, -LARGEST_VALUE)),
            f"{{0}} > {LARGEST_VALUE} OR {{0}} < -{LARGEST_VALUE}",
            "is beyond 10^15 minor units",
            "check the unit: amounts are in cents, pence or the like",
        ),
        (
            ["amount_minor", "duration_s", "talk_s", "visits"],
            lambda c: pc.less(c, 0),
            "{0} < 0",
            "is negative",
            "give a figure of zero or more",
        ),
        (
            sources,
            lambda c: pc.equal(c, UNATTRIBUTED),
            f"{{0}} = '{UNATTRIBUTED}'",
            "is the line of what no touch explains",
            "give it another name",
        ),
    ]
    return [
        Check(column, broken, sql.format(column), reason, remedy)
        for names, broken, sql, reason, remedy in rules
        for column in names
        if column in columns
    ]


def validate(table: Any, schema_name: str) -> pa.Table:
    """Return `table` in the form of the contract, or refuse it with row, column and reason.

    Parameters
    ----------
    table : pyarrow.Table, pandas.DataFrame, polars.DataFrame or another frame that exports itself to Arrow
        The rows to check. Further columns than the schema's are dropped.
    schema_name : {"touches", "conversions", "costs", "answers", "calls", "visits", "credits"}
        Which table of the contract it is meant to be.

    Returns
    -------
    pyarrow.Table
        The same rows in the same order with the schema's columns and types: moments as
        ``timestamp[us, tz=UTC]``, amounts as int64 minor units. Columns that the contract allows to be
        absent stay absent. Identifiers given as whole numbers stay whole numbers (int64). Empty text is
        missing text: null.

    Raises
    ------
    JourneyError
        For a missing column or one that stands twice, a wrong type, a moment without time zone, an unknown
        kind, goal or outcome, a fractional, not-a-number or huge amount, a negative figure where none is
        allowed, a currency that is not three capitals, or an identifier that occurs twice.

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
    return checked(_decoded(arrow(table)), schema_name)


def checked(table: pa.Table, schema_name: str) -> pa.Table:
    """Do as `validate` does with an Arrow table, and leave text that is coded by a dictionary so."""
    typed = _typed(table, schema_name)
    for rule in checks(schema_name, dict(zip(typed.column_names, typed.schema.types, strict=True))):
        _refuse(typed, schema_name, rule.column, _broken(rule, typed[rule.column]), rule.reason, rule.remedy)
    if {"period_start", "period_end"} <= set(typed.column_names):
        early = pc.less_equal(typed["period_end"], typed["period_start"])
        reason, remedy = "does not lie after period_start", "the end is the first day no longer covered"
        _refuse(typed, schema_name, "period_end", early, reason, remedy)
    identifier = IDENTIFIERS.get(schema_name)
    if identifier:
        refuse_duplicates(typed, schema_name, identifier)
    return typed


def arrow(frame: Any) -> pa.Table:
    """Take a frame of any library by way of Arrow; one that is lazy is collected first."""
    if isinstance(frame, pa.Table):
        return frame
    if hasattr(frame, "collect") and not hasattr(frame, "__arrow_c_stream__"):
        frame = frame.collect()
    return pa.table(frame)


def _decoded(table: pa.Table) -> pa.Table:
    """Give every column that is coded by a dictionary as what it stands for."""
    for i, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(i, field.name, table[i].cast(field.type.value_type))
    return table


def _broken(rule: Check, column: pa.ChunkedArray) -> Any:
    """Tell for each row whether a rule is broken; where texts are coded, each text is asked about once."""
    if not pa.types.is_dictionary(column.type):
        return rule.broken(column)
    texts = [chunk.dictionary for chunk in column.chunks[:1]]
    missing = [pa.nulls(1, pa.string())] if column.null_count else []
    if not pc.any(rule.broken(pa.chunked_array([*texts, *missing], pa.string()))).as_py():
        return pa.nulls(0, pa.bool_())
    return rule.broken(column.cast(pa.string()))


def _refuse(table: pa.Table, name: str, column: str, broken: Any, reason: str, remedy: str) -> None:
    """Refuse the first row that is broken."""
    row = pc.index(broken, True).as_py()
    if row >= 0:
        value = table[column][row].as_py()
        raise JourneyError(reason, remedy, table=name, row=row + 1, column=column, value=value)


def refuse_duplicates(table: pa.Table, name: str, column: str) -> None:
    """Refuse a table in which an identifier occurs twice, naming the later row."""
    ids = table[column]
    if _different(ids):
        return
    first = pc.index_in(ids, value_set=ids.combine_chunks()).to_numpy()
    row = int(np.argmax(first < np.arange(len(ids))))
    if first[row] < row:
        raise JourneyError(
            f"stands already in row {first[row] + 1}",
            "give every row an identifier of its own, or drop the repeated row",
            table=name,
            row=row + 1,
            column=column,
            value=ids[row].as_py(),
        )


def _different(ids: pa.ChunkedArray) -> bool:
    """Tell whether all identifiers are different, or, once in a blue moon, that two may be the same."""
    if len(ids) < MANY:
        return bool(pc.count_distinct(ids).as_py() == len(ids))
    import duckdb

    with duckdb.connect() as connection:
        return all_different(connection.from_arrow(pa.table({"id": ids})), "id")


def all_different(rows: Any, column: str) -> bool:
    """Tell whether all values of a column of DuckDB's have hashes of their own."""
    hashes = rows.project(f"hash({column}) AS h").fetchnumpy()["h"]
    hashes.sort()
    return bool((hashes[1:] != hashes[:-1]).all())


def refuse_columns(names: Sequence[str], name: str) -> None:
    """Refuse a table that lacks a column of the contract or has one twice."""
    for field in SCHEMAS[name]:
        if names.count(field.name) > 1:
            raise JourneyError(
                f"the column stands {names.count(field.name)} times",
                "keep one of them, or rename the others",
                table=name,
                column=field.name,
            )
        if field.name not in names and not field.metadata:
            raise JourneyError(
                "the column is missing",
                f"the table needs {', '.join(f.name for f in SCHEMAS[name] if not f.metadata)}",
                table=name,
                column=field.name,
            )


def _typed(table: pa.Table, name: str) -> pa.Table:
    """Cast to the schema's types, naming the row that cannot be cast."""
    refuse_columns(table.column_names, name)
    present = [field for field in SCHEMAS[name] if field.name in table.column_names]
    arrays = [_cast(table[field.name], field, name) for field in present]
    fields = [pa.field(f.name, a.type, f.nullable) for f, a in zip(present, arrays, strict=True)]
    return pa.table(arrays, schema=pa.schema(fields))


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column holds text, in any of Arrow's forms."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def check_type(kind: pa.DataType, field: pa.Field, table: str) -> None:
    """Refuse a column whose type can never mean what the contract asks for."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    want = field.type
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
        or (pa.types.is_string(want) and is_text(kind))
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
        array = array.cast(pa.dictionary(pa.int32(), pa.string())).unify_dictionaries()
        texts = array.chunk(0).dictionary if array.num_chunks else pa.array([], pa.string())
        blank = texts.null_count or pc.any(pc.equal(texts, "")).as_py()
        return blank_to_null(array.cast(pa.string())) if blank else array
    if pa.types.is_timestamp(field.type) and pa.types.is_timestamp(array.type):
        # Beyond microseconds no order of touches is meant; the finer digits are cut off.
        return array.cast(field.type, safe=False)
    want = pa.int64() if pa.types.is_integer(array.type) and field.name in ID_COLUMNS else field.type
    try:
        array = array.cast(want)
    except pa.ArrowInvalid:
        _refuse_unfit(array, want, field.name, table)
    return blank_to_null(array) if pa.types.is_string(want) else array


def blank_to_null(array: pa.ChunkedArray) -> pa.ChunkedArray:
    """Take empty text for what it is: no text."""
    empty = pc.equal(array, "")
    return pc.if_else(empty, None, array) if pc.any(empty).as_py() else array


def _refuse_unfit(array: pa.ChunkedArray, want: pa.DataType, column: str, table: str) -> None:
    """Name the first row whose value cannot be had as a whole number of 64 bits."""
    if pa.types.is_integer(array.type):
        reason, remedy = "is too large", "give a number below 2^63"
    else:
        reason = "is not a whole number"
        remedy = "amounts are whole minor units; leave out a row whose amount is not known"

    def fit(value: Any) -> None:
        try:
            pa.scalar(value, array.type).cast(want)
        except pa.ArrowInvalid:
            raise ValueError(remedy) from None

    _each(array, fit, reason, column, table)


def _each(
    array: pa.ChunkedArray, read: Callable[[Any], Any], reason: str, column: str, table: str
) -> list[Any]:
    """Read value after value, and refuse the first that cannot be read."""
    values = []
    for row, value in enumerate(array.to_pylist(), start=1):
        try:
            values.append(None if value is None else read(value))
        except ValueError as error:
            raise JourneyError(reason, str(error), table=table, row=row, column=column, value=value) from None
    return values


def from_text(table: pa.Table, name: str) -> pa.Table:
    """Read the columns of a CSV file, all text, as the types of the contract."""
    refuse_columns(table.column_names, name)
    columns = {f.name: _parse(table[f.name], f, name) for f in SCHEMAS[name] if f.name in table.column_names}
    return pa.table(columns)


def _parse(array: pa.ChunkedArray, field: pa.Field, table: str) -> pa.ChunkedArray:
    array = blank_to_null(array)
    whole = pa.types.is_int64(field.type)
    # Arrow would read 0x10 as sixteen, which nobody means in an export of amounts.
    if not whole or pc.all(pc.match_substring_regex(array, r"^-?[0-9]+$")).as_py() is not False:
        try:
            return array.cast(field.type)
        except pa.ArrowInvalid:
            pass
    parse = _moment if pa.types.is_timestamp(field.type) else _scalar(field.type)
    values = _each(array, parse, f"cannot be read as {field.type}", field.name, table)
    return pa.chunked_array([pa.array(values, field.type)])


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        raise ValueError("add the time zone, such as 2026-03-02T10:00:00Z")
    return moment


def _scalar(kind: pa.DataType) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        text = text.strip()
        if pa.types.is_int64(kind) and not text.lstrip("+-").isdecimal():
            raise ValueError(f"write it as a plain {kind}, in digits")
        try:
            return pa.scalar(text.lstrip("+")).cast(kind).as_py()
        except pa.ArrowInvalid:
            raise ValueError(f"write it as a plain {kind}") from None

    return parse
