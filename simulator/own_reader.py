"""A supplier's journey tables made whole, and questions about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import duckdb
import pyarrow as pa

from attribution.journeys import SCHEMAS

TABLES: Final = ("touches", "conversions", "answers", "calls", "costs")


def completed(data: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """Return all tables, absent ones empty and absent columns null."""
    whole = {}
    for name in TABLES:
        schema = SCHEMAS[name]
        table = data.get(name)
        if table is None:
            table = schema.empty_table()
        for field in schema:
            if field.name not in table.column_names:
                table = table.append_column(
                    pa.field(field.name, field.type), pa.nulls(len(table), field.type)
                )
        whole[name] = table
    return whole


def missing(data: Mapping[str, pa.Table]) -> list[str]:
    """Return the tables of which there is none, or an empty one."""
    return [name for name in TABLES if name not in data or not len(data[name])]


class Reader:
    """Answers questions about tables cut to a window."""

    def __init__(self, data: Mapping[str, pa.Table]) -> None:
        self._at = duckdb.connect()
        self._at.execute("set threads to 1")
        self._at.execute("set timezone to 'UTC'")
        for name, table in data.items():
            self._at.register(name, table)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows that answer a query."""
        return self._at.execute(query, list(values)).fetchall()

    def row(self, query: str, *values: object) -> tuple[Any, ...]:
        """Return the one row that answers a query."""
        return self.rows(query, *values)[0]
