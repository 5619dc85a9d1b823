"""The engines: how each opens a table and writes one; everything between is the same expressions."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import duckdb
import narwhals as nw
import pyarrow as pa

from attribution.sources import Source

BATCH = 50_000
"""Rows that DuckDB hands over at a time."""

ENGINES = ("duckdb", "spark", "polars")


class Backend(Protocol):
    """An open engine."""

    def load(self, source: Source) -> nw.LazyFrame[Any]:
        """Open a table lazily, its moments as int64 microseconds since 1970.

        Touches get a further column ``account``, which tells accounts apart and sorts fast.
        """

    def keep(self, frame: nw.LazyFrame[Any], name: str) -> nw.LazyFrame[Any]:
        """Work `frame` out once and give it back for several readings."""

    def number(self, conversions: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """Add a column ``path`` that tells conversions apart in the form the engine sorts fastest."""


@contextmanager
def open_backend(engine: Any) -> Iterator[Backend]:
    """Open an engine by name, or wrap a DuckDB connection or Spark session; close what was opened here."""
    scratch = tempfile.mkdtemp(prefix="ringtrail-")
    try:
        if isinstance(engine, duckdb.DuckDBPyConnection):
            borrowed = DuckDB(engine)
            try:
                yield borrowed
            finally:
                borrowed.forget()
        elif engine == "duckdb":
            # The order of rows never matters here, and keeping it would cost memory.
            settings: dict[str, str | bool | int | float | list[str]] = {
                "temp_directory": scratch,
                "preserve_insertion_order": False,
            }
            with duckdb.connect(config=settings) as connection:
                yield DuckDB(connection)
        elif engine == "polars":
            yield Polars(scratch)
        elif engine == "spark":
            from attribution.spark import Spark, session

            yield Spark(session(), scratch)
        elif type(engine).__name__ == "SparkSession":
            from attribution.spark import Spark

            yield Spark(engine, scratch)
        else:
            raise ValueError(
                f"{engine!r} is not an engine; use {', '.join(ENGINES)}, a connection or a session"
            )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _moments(source: Source) -> list[str]:
    return [name for name, kind in source.columns.items() if pa.types.is_timestamp(kind)]


class DuckDB:
    """DuckDB in this process; spills to disk what does not fit into its memory limit."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._kept: set[str] = set()
        self._types: set[str] = set()

    def load(self, source: Source) -> nw.LazyFrame[Any]:
        """Open a table lazily, its moments as int64 microseconds since 1970."""
        columns = _columns(source, source.columns)
        if source.name == "touches":
            # 128 bits: of 100 million accounts, two share one once in 10^22 runs. Text takes twice as long.
            columns += ", (hash(account_id)::UHUGEINT << 64) + hash(account_id::VARCHAR || '.') AS account"
        return nw.from_native(self._open(source).project(columns))

    def hashed(
        self, source: Source, columns: Sequence[str], names: Sequence[str] = ()
    ) -> pa.RecordBatchReader:
        """Read columns, with two hashes of each row's account and, for touches, one of its identifier.

        Columns that `names` lists come as whole numbers: places in what `number_names` gave, 0 for null.
        """
        whole = pa.types.is_integer(source.columns["account_id"])
        account = "account_id::BIGINT" if whole else "account_id"
        asked = _columns(source, columns)
        asked += f", hash({account}) AS account_hash, hash(account_id::VARCHAR || '.') AS account_check"
        if source.name == "touches":
            asked += ", hash(touch_id) AS touch_hash"
        for name in names:
            asked += f", coalesce(enum_code({name}::ringtrail_{name}) + 1, 0)::INTEGER AS {name}"
        return self._open(source).project(asked).to_arrow_reader(BATCH)

    def number_names(self, source: Source, column: str) -> list[str | None]:
        """List what a column of names holds, null first, and remember the names' places."""
        kind = f"ringtrail_{column}"
        self._connection.execute(f"DROP TYPE IF EXISTS {kind}")
        distinct = f"SELECT DISTINCT {column} FROM asked WHERE {column} IS NOT NULL"  # noqa: S608
        self._open(source).query("asked", f"CREATE TEMP TYPE {kind} AS ENUM ({distinct})")
        self._types.add(kind)
        [(names,)] = self._connection.execute(f"SELECT enum_range(NULL::{kind})").fetchall()
        return [None, *names]

    def identifiers(self, source: Source, hashes: pa.Array) -> pa.Table:
        """Give the identifiers of the touches with these hashes, and their hashes."""
        some = self._connection.from_arrow(pa.table({"touch_hash": hashes}))
        touches = self._open(source).project("touch_id, hash(touch_id) AS touch_hash")
        return touches.join(some, "touch_hash", how="semi").to_arrow_table()

    def count(self, source: Source) -> int:
        """Count the rows of a table."""
        return len(self._open(source))

    def _open(self, source: Source) -> duckdb.DuckDBPyRelation:
        if source.table is not None:
            return self._connection.from_arrow(source.table)
        return self._connection.read_parquet(source.path)

    def keep(self, frame: nw.LazyFrame[Any], name: str) -> nw.LazyFrame[Any]:
        """Work `frame` out into a temporary table, on disk where memory is short."""
        return self._keep(frame, name, "*")

    def number(self, conversions: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """Add ``path``, a whole number: sorting by a short key of fixed width costs half as much."""
        return self._keep(conversions, "conversions", "*, row_number() OVER () AS path")

    def _keep(self, frame: nw.LazyFrame[Any], name: str, columns: str) -> nw.LazyFrame[Any]:
        # The names are this package's own, never a user's.
        table = f"ringtrail_{name}"
        query = f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {columns} FROM asked"  # noqa: S608
        frame.to_native().query("asked", query)
        self._kept.add(table)
        return nw.from_native(self._connection.table(table))

    def forget(self) -> None:
        """Drop what was kept: a borrowed connection is left as it was."""
        for table in self._kept:
            self._connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
        for kind in self._types:
            self._connection.execute(f"DROP TYPE IF EXISTS {kind}")


def _columns(source: Source, names: Iterable[str]) -> str:
    moments = _moments(source)
    return ", ".join(f'epoch_us("{name}") AS "{name}"' if name in moments else f'"{name}"' for name in names)


class Polars:
    """Polars in this process: a third opinion for tests and for data at hand in that form."""

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch

    def load(self, source: Source) -> nw.LazyFrame[Any]:
        """Open a table lazily, its moments as int64 microseconds since 1970."""
        import polars as pl

        if source.table is not None:
            frame = pl.DataFrame(source.table).lazy()
        else:
            frame = pl.scan_parquet(source.path)
        moments = [pl.col(name).dt.timestamp("us") for name in _moments(source)]
        opened = nw.from_native(frame.select(list(source.columns)).with_columns(moments))
        return opened.with_columns(account=nw.col("account_id")) if source.name == "touches" else opened

    def keep(self, frame: nw.LazyFrame[Any], name: str) -> nw.LazyFrame[Any]:
        """Work `frame` out in memory."""
        return frame.collect("polars").lazy()

    def number(self, conversions: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """Add ``path``: the identifier itself."""
        return conversions.with_columns(path=nw.col("conversion_id"))
