"""Columns out of the database and by number: how rows by the million are read and joined."""

import io
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from sqlalchemy import Connection, Select
from sqlalchemy.orm import Session

Ints = npt.NDArray[np.int64]
Column: TypeAlias = Any
"""An Array or a ChunkedArray."""
# Rows of one text: a few megabytes, with which the parser was fastest (tried with 10,000 to 500,000).
_BATCH = 50_000


def read(session: Session, query: Select[*tuple[Any, ...]], kinds: Mapping[str, pa.DataType]) -> pa.Table:
    """Read a query into columns, sorted by the first, which holds whole numbers that differ.

    What ``kinds`` does not name are whole numbers.
    """
    names = [column.name for column in query.selected_columns]
    schema = pa.schema([(name, kinds.get(name, pa.int64())) for name in names])
    connection = session.connection()
    compiled = query.order_by(None).compile(connection, compile_kwargs={"literal_binds": True})
    # The database writes lines of text, and Arrow parses them: an object of Python for each cell would
    # take four times as long.
    lines = _sqlite_lines if connection.dialect.name == "sqlite" else _postgresql_lines
    tables = [_parsed(text, schema) for text in lines(connection, str(compiled), schema)]
    return pa.concat_tables(tables) if tables else schema.empty_table()


def _sqlite_lines(connection: Connection, query: str, schema: pa.Schema) -> Iterator[bytes]:
    cells = [
        f"""coalesce('"' || replace({field.name}, '"', '""') || '"', '')"""
        if pa.types.is_string(field.type)
        else f"coalesce({field.name}, '')"
        for field in schema
    ]
    key, last = schema.names[0], -(2**63)
    batch = f"SELECT * FROM ({query}) WHERE {key} > ? ORDER BY {key} LIMIT {_BATCH}"  # noqa: S608 - our own
    line = " || ',' || ".join(cells)
    lines = f"SELECT max({key}), group_concat({line}, char(10)) FROM ({batch})"  # noqa: S608 - as above
    while True:
        last, text = connection.exec_driver_sql(lines, (last,)).one()
        if text is None:
            return
        yield text.encode() + b"\n"  # without it the parser reads a last empty cell as text


def _postgresql_lines(connection: Connection, query: str, schema: pa.Schema) -> Iterator[bytes]:
    connection.exec_driver_sql("SET LOCAL datestyle TO ISO")
    driver: Any = connection.connection.cursor()
    with driver as cursor, cursor.copy(f"COPY ({query} ORDER BY 1) TO STDOUT (FORMAT csv)") as rows:
        text = b"".join(rows)
    if text:
        yield text


def _parsed(text: bytes, schema: pa.Schema) -> pa.Table:
    texts = any(pa.types.is_string(field.type) for field in schema)
    table = csv.read_csv(
        io.BytesIO(text),
        csv.ReadOptions(column_names=schema.names),
        csv.ParseOptions(newlines_in_values=texts),
        csv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            true_values=["1", "t"],
            false_values=["0", "f"],
            strings_can_be_null=True,
            # An empty text comes in quotation marks, a missing one without.
            quoted_strings_can_be_null=False,
        ),
    )
    keys = table[0].to_numpy()
    return table if (keys[1:] > keys[:-1]).all() else table.sort_by(schema.names[0])


def look_up(table: pa.Table, column: str, keys: Column, *, key: str = "id") -> pa.ChunkedArray:
    """Return what a column holds at each key; null where there is none."""
    return table[column].take(pc.index_in(keys, table[key]))


def replaced(values: Ints, by: Mapping[int, int]) -> Ints:
    """Return whole numbers with some of them replaced."""
    if not by:
        return values
    keys = np.array(sorted(by), dtype=np.int64)
    others = np.array([by[key] for key in keys.tolist()], dtype=np.int64)
    place = np.minimum(np.searchsorted(keys, values), len(keys) - 1)
    return np.where(keys[place] == values, others[place], values)


def in_form(schema: pa.Schema, **columns: Column) -> pa.Table:
    """Bring columns into the form of the contract; identifiers stay whole numbers where they are."""
    fields, arrays = [], []
    for field in schema:
        values, kind = columns[field.name], field.type
        if field.name.endswith("_id") and pa.types.is_integer(values.type):
            kind = pa.int64()
        arrays.append(values if values.type == kind else values.cast(kind))
        fields.append(pa.field(field.name, kind, nullable=field.nullable))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields)).combine_chunks()


def sorted_by(table: pa.Table, column: str) -> pa.Table:
    """Return a table sorted by a column of whole numbers; rows of one number stay in their order."""
    values = table[column].to_numpy()
    if (values[1:] >= values[:-1]).all():
        return table.combine_chunks()
    return table.take(pa.array(np.argsort(values, kind="stable"))).combine_chunks()


def rows_of(table: pa.Table, numbers: Ints, column: str = "account_id") -> pa.Table:
    """Return the rows in which a column, by which the table is sorted, holds one of some numbers; no copy."""
    ends = _ends(table, numbers, column)
    return pa.concat_tables([table.slice(0, 0), *(table.slice(a, b - a) for a, b in ends if b > a)])


def rows_between(
    table: pa.Table, after: int | None, last: int | None, column: str = "account_id"
) -> pa.Table:
    """Return the rows whose number lies above one and up to another, of a table sorted by it; no copy."""
    values = table[column].to_numpy()
    start, end = (
        default if number is None else int(np.searchsorted(values, number, side="right"))
        for number, default in ((after, 0), (last, len(values)))
    )
    return table.slice(start, end - start)


def replace_rows(table: pa.Table, numbers: Ints, rows: pa.Table, column: str = "account_id") -> pa.Table:
    """Return a table, sorted by a column, with other rows for some of its numbers, appended; no copy."""
    place, kept = 0, []
    for start, end in _ends(table, numbers, column):
        kept.append(table.slice(place, start - place))
        place = end
    kept.append(table.slice(place))
    whole = pa.concat_tables(
        [part for part in (*kept, rows.select(table.column_names)) if part.num_rows] or [table.slice(0, 0)]
    )
    return whole.unify_dictionaries()


def _ends(table: pa.Table, numbers: Ints, column: str) -> list[tuple[int, int]]:
    values = table[column].to_numpy()
    wanted = np.unique(numbers)
    starts, ends = (np.searchsorted(values, wanted, side=side) for side in ("left", "right"))
    return list(zip(starts.tolist(), ends.tolist(), strict=True))
