"""What feeds the kernel: tables and files in memory, and files larger than memory in buckets.

A feeder gets the `Journeys` of sets of accounts, has a function work on each, and gives the tables together.
The kernel is the same code everywhere, so the credit is, too. `attribution.spark` is the third feeder.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from attribution.journeys import IDENTIFIERS, JourneyError
from attribution.kernel import COLUMNS
from attribution.paths import Journeys, Lookback, refuse_unknown_windows
from attribution.rules import Model
from attribution.sources import Source
from attribution.validation import checks, is_text

ENGINES = ("duckdb", "spark")

MOST_HELD = 20_000_000
"""So many touches of a file are held in memory, some 60 bytes each; beyond, they are worked on in buckets,
which costs twice the time."""

LARGEST_SUM = 9.2e18

Work = Callable[[Journeys], pa.Table]


class Feeder(Protocol):
    """Journeys that lie somewhere, in one set of accounts or in many."""

    def apply(self, work: Work, schema: pa.Schema, by: int = 0) -> pa.Table:
        """Have `work` done on each set; give the rows together, added up by the first `by` columns."""

    def write(self, work: Work, schema: pa.Schema, output: Path) -> None:
        """Have `work` done on each set, and write the rows to Parquet."""


@contextmanager
def opened(
    engine: Any, sources: Sequence[Source], models: Sequence[Model], lookback: Lookback, keys: Sequence[str]
) -> Iterator[Feeder]:
    """Open the feeder that an engine and the tables call for, and check their rows.

    Parameters
    ----------
    engine : {"duckdb", "spark"}, DuckDB connection or Spark session
        As in `attribution.attribute`.
    sources : sequence of Source
        Touches, conversions and, where there are any, answers.
    models : sequence of Model
        Which say what is read.
    lookback : float, mapping or None
        As in `attribution.attribute`.
    keys : sequence of str
        Columns of touches that credit shows: names, and ``touch_id``.
    """
    name = type(engine).__name__
    if engine == "spark" or name == "SparkSession":
        from attribution.spark import Spark, session

        yield Spark(session() if engine == "spark" else engine, sources, models, lookback, keys)
        return
    if engine != "duckdb" and name != "DuckDBPyConnection":
        raise ValueError(f"{engine!r} is not an engine; use {', '.join(ENGINES)}, a connection or a session")
    if sources[0].table is not None or sources[0].count() <= MOST_HELD:
        yield Memory(in_memory(sources, models, lookback, keys))
        return
    scratch = tempfile.mkdtemp(prefix="ringtrail-")
    try:
        with database(engine, scratch, sources) as opened_:
            opened_.check(lookback)
            yield Buckets(opened_, Path(scratch), models, lookback, keys)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def wanted(models: Sequence[Model], lookback: Lookback, keys: Sequence[str]) -> list[str]:
    """Name the touches' columns of names that will be read."""
    found = set().union(*(model.reads for model in models)) | set(COLUMNS) & set(keys)
    return sorted(found | ({"channel", "kind"} if isinstance(lookback, dict) else set()))


def in_memory(
    sources: Sequence[Source], models: Sequence[Model], lookback: Lookback, keys: Sequence[str]
) -> Journeys:
    """Take tables in memory, without accounts that no model needs."""
    touches, (conversions, *answers) = sources[0].coded(), (source.rows() for source in sources[1:])
    if isinstance(lookback, dict):
        refuse_unknown_windows(lookback, touches["channel"].unique().to_pylist())
    sizes = pa.table(
        {"c": conversions["currency"], "v": pc.abs(conversions["value_minor"]).cast(pa.float64())}
    )
    refuse_large(sizes.group_by("c").aggregate([("v", "sum")]).select(["c", "v_sum"]).to_pylist())
    if not any(model.everyone for model in models):
        touches = touches.filter(of_accounts(touches["account_id"], conversions["account_id"]))
    return Journeys(
        touches,
        conversions,
        lookback,
        wanted(models, lookback, keys),
        answers=answers[0] if answers else None,
    )


def of_accounts(column: pa.ChunkedArray, accounts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Tell for each row whether its account is one of `accounts`."""
    some = accounts.combine_chunks()
    if not pa.types.is_dictionary(column.type):
        return pc.is_in(column, value_set=some)
    return pa.chunked_array(
        [pc.is_in(chunk.dictionary, value_set=some).take(chunk.indices) for chunk in column.chunks],
        pa.bool_(),
    )


def refuse_large(sums: Sequence[dict[str, Any]]) -> None:
    """Refuse values whose sum leaves 64 bits; each row holds a currency and the sum of sizes."""
    for row in sums:
        currency, total = row.values()
        if (total or 0) >= LARGEST_SUM:
            raise JourneyError(
                f"the values in {currency} add up to {total:.3g} minor units, beyond {LARGEST_SUM:.2g}",
                "share fewer conversions at a time, or give values in whole units",
                table="conversions",
                column="value_minor",
            )


def together(tables: Sequence[pa.Table], schema: pa.Schema, by: int) -> pa.Table:
    """Put tables together, and add them up by their first `by` columns."""
    whole = pa.concat_tables([schema.empty_table(), *tables])
    if by and len(tables) != 1:
        keys = schema.names[:by]
        whole = whole.group_by(keys).aggregate([(name, "sum") for name in schema.names[by:]])
        whole = whole.rename_columns(schema.names)
    return whole


class Memory:
    """Journeys in memory, all in one."""

    def __init__(self, journeys: Journeys) -> None:
        self._journeys = journeys

    def apply(self, work: Work, schema: pa.Schema, by: int = 0) -> pa.Table:
        """Do `work`; its rows are different already."""
        return work(self._journeys)

    def write(self, work: Work, schema: pa.Schema, output: Path) -> None:
        """Do `work`, and write the rows."""
        import pyarrow.parquet

        pyarrow.parquet.write_table(work(self._journeys), output)


class Database:
    """A DuckDB connection that sees the tables of a run as views, each column in the kernel's form."""

    def __init__(self, connection: Any, sources: Sequence[Source]) -> None:
        self._connection, self.sources = connection, {source.name: source for source in sources}
        for source in sources:
            if source.table is not None:
                connection.register(f"ringtrail_rows_{source.name}", source.table)
            columns = ", ".join(self._column(name, kind) for name, kind in source.columns.items())
            view = f"CREATE OR REPLACE TEMP VIEW ringtrail_{source.name}"
            self.run(f"{view} AS SELECT {columns} FROM {self._raw(source)}")

    def _raw(self, source: Source) -> str:
        if source.table is not None:
            return f"ringtrail_rows_{source.name}"
        path = source.path.replace("'", "''")
        return f"read_parquet('{path}')"

    def _column(self, name: str, kind: pa.DataType) -> str:
        if pa.types.is_timestamp(kind):
            return f'epoch_us("{name}") AS "{name}"'
        if pa.types.is_integer(kind):
            return f'"{name}"::BIGINT AS "{name}"'
        return f"""nullif("{name}", '') AS "{name}\"""" if is_text(kind) else f'"{name}"'

    def run(self, query: str) -> Any:
        """Run a query made of this package's own names."""
        return self._connection.execute(query)

    def table(self, query: str) -> pa.Table:
        """Give what a query finds."""
        return self._connection.sql(query).to_arrow_table()

    def check(self, lookback: Lookback) -> None:
        """Refuse rows that break the contract, windows for nothing, and sums beyond 64 bits.

        A file is checked where it lies; only if one row is bad it is read to name the row.
        """
        for source in self.sources.values():
            if source.table is not None:
                continue
            rules = " OR ".join(f"({rule.sql})" for rule in checks(source.name, source.columns))
            if self.run(f"SELECT 1 FROM {self._raw(source)} WHERE {rules} LIMIT 1").fetchall():
                source.name_the_row()
            self._check_identifiers(source)
        if isinstance(lookback, dict):
            found = self.run("SELECT DISTINCT channel FROM ringtrail_touches").fetchall()
            refuse_unknown_windows(lookback, [channel for (channel,) in found])
        query = (
            "SELECT currency, sum(abs(value_minor)::DOUBLE) AS v FROM ringtrail_conversions GROUP BY currency"
        )
        refuse_large(self.table(query).to_pylist())

    def _check_identifiers(self, source: Source) -> None:
        name = IDENTIFIERS[source.name]
        hashes = self.table(f"SELECT hash({name}) AS h FROM {self._raw(source)}")["h"].to_numpy().copy()
        hashes.sort()
        if (hashes[1:] == hashes[:-1]).any():
            source.name_the_row()  # unless different identifiers share a hash

    def forget(self) -> None:
        """Leave a borrowed connection as it was."""
        for source in self.sources.values():
            self.run(f"DROP VIEW IF EXISTS ringtrail_{source.name}")
            if source.table is not None:
                self._connection.unregister(f"ringtrail_rows_{source.name}")


@contextmanager
def database(engine: Any, scratch: str, sources: Sequence[Source]) -> Iterator[Database]:
    """Open DuckDB, or borrow a connection."""
    if engine != "duckdb":
        borrowed = Database(engine, sources)
        try:
            yield borrowed
        finally:
            borrowed.forget()
        return
    import duckdb

    # The order of rows never matters here, and keeping it would cost memory.
    settings: dict[str, Any] = {"temp_directory": scratch, "preserve_insertion_order": False}
    with duckdb.connect(config=settings) as connection:
        yield Database(connection, sources)


class Buckets:
    """Journeys larger than memory: DuckDB writes them by a hash of their account, each is held in turn."""

    def __init__(
        self,
        opened_: Database,
        folder: Path,
        models: Sequence[Model],
        lookback: Lookback,
        keys: Sequence[str],
    ) -> None:
        self._folder, self._lookback = folder, lookback
        self._columns = wanted(models, lookback, keys)
        self._number = 1 + 2 * opened_.sources["touches"].count() // max(1, MOST_HELD)
        columns = ", ".join(["touch_id", "account_id", "occurred_at", *self._columns])
        some = (
            ""
            if any(model.everyone for model in models)
            else "SEMI JOIN ringtrail_conversions USING (account_id)"
        )
        for name in opened_.sources:
            query = (
                f"SELECT {columns} FROM ringtrail_touches {some}"
                if name == "touches"
                else f"SELECT * FROM ringtrail_{name}"
            )
            opened_.run(f"""COPY (SELECT hash(account_id) % {self._number} AS bucket, * FROM ({query}))
                TO '{folder / name}' (FORMAT parquet, PARTITION_BY (bucket), OVERWRITE)""")
        self._names = list(opened_.sources)
        self._schemas = {
            name: opened_.table(f"SELECT * FROM ringtrail_{name} LIMIT 0").schema for name in self._names
        }

    def _sets(self) -> Iterator[Journeys]:
        for i in range(self._number):
            touches, conversions, *answers = (self._read(name, i) for name in self._names)
            yield Journeys(
                touches, conversions, self._lookback, self._columns, answers=answers[0] if answers else None
            )

    def _read(self, name: str, i: int) -> pa.Table:
        import pyarrow.parquet as pq

        files = sorted((self._folder / name / f"bucket={i}").glob("*.parquet"))
        if not files:
            some = next((self._folder / name).glob("*/*.parquet"), None)
            schema = pq.read_schema(some) if some else self._schemas[name]
            return schema.empty_table()
        coded = [n for n in pq.read_schema(files[0]).names if n in (*COLUMNS, "currency")]
        return pa.concat_tables(pq.ParquetFile(file, read_dictionary=coded).read() for file in files)

    def apply(self, work: Work, schema: pa.Schema, by: int = 0) -> pa.Table:
        """Do `work` on one bucket after the other."""
        return together([work(journeys) for journeys in self._sets()], schema, by)

    def write(self, work: Work, schema: pa.Schema, output: Path) -> None:
        """Do `work` on one bucket after the other, and write the rows of each."""
        import pyarrow.parquet as pq

        with pq.ParquetWriter(output, schema) as file:
            for journeys in self._sets():
                file.write_table(work(journeys).cast(schema))
