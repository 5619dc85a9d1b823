"""Columns out of the database and by number: how rows by the million are read and joined."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Select
from sqlalchemy.orm import Session

Ints = npt.NDArray[np.int64]
Column: TypeAlias = Any
"""An Array or a ChunkedArray."""
_BATCH = 50_000


def read(session: Session, query: Select[*tuple[Any, ...]], kinds: Mapping[str, pa.DataType]) -> pa.Table:
    """Read a query into columns, some rows at a time; what ``kinds`` does not name are whole numbers."""
    result = session.connection().execute(query)
    schema = pa.schema([(name, kinds.get(name, pa.int64())) for name in result.keys()])  # noqa: SIM118 - rows otherwise
    batches = []
    # Past SQLAlchemy's rows, which for millions take six times as long as the database; what a driver
    # without the type gives in their place (0 and 1, days as text) is cast.
    while rows := result.cursor.fetchmany(_BATCH):
        columns = [pa.array(values) for values in zip(*rows, strict=True)]
        arrays = [values.cast(field.type) for values, field in zip(columns, schema, strict=True)]
        batches.append(pa.record_batch(arrays, schema=schema))
    result.close()
    return pa.Table.from_batches(batches, schema)


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
