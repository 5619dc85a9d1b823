"""What feeds the kernel: tables and files in memory, and files larger than memory in buckets.

A feeder gets the `Journeys` of sets of accounts, has a function work on each, and gives the tables together.
The kernel is the same code everywhere, so the credit is, too. `attribution.spark` is the third feeder.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from attribution import kernel
from attribution.journeys import IDENTIFIERS, JourneyError
from attribution.paths import Journeys, Lookback, refuse_unknown_windows
from attribution.rules import Model
from attribution.sources import Source
from attribution.validation import all_different, checks, is_text

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


@dataclass(frozen=True)
class Run:
    """What a feeder is to read.

    Parameters
    ----------
    sources : sequence of Source
        Touches, conversions and, where there are any, answers.
    models : sequence of Model
        Which say what is read.
    lookback : float, mapping or None
        As in `attribution.attribute`.
    keys : sequence of str
        Columns of touches that credit shows: names, and ``touch_id``.
    """

    sources: Sequence[Source]
    models: Sequence[Model]
    lookback: Lookback
    keys: Sequence[str]

    @property
    def columns(self) -> list[str]:
        """Names of the touches' columns of names that are read."""
        windows = {"channel", "kind"} if isinstance(self.lookback, Mapping) else set()
        return sorted(kernel.columns(self.models, self.keys) | windows)

    @property
    def everyone(self) -> bool:
        """Whether some model needs accounts without conversions, too."""
        return any(model.everyone for model in self.models)

    @property
    def journeys(self) -> Callable[..., Journeys]:
        """What makes journeys of the tables of some accounts; it can be sent to executors."""
        lookback, columns = self.lookback, self.columns

        def made(touches: pa.Table, conversions: pa.Table, answers: pa.Table | None = None) -> Journeys:
            return Journeys(touches, conversions, lookback, columns, answers=answers)

        return made

    def check(self, ask: Callable[[str, str], Sequence[Any]], different: Callable[[str, str], bool]) -> None:
        """Refuse rows that break the contract, windows for nothing, and sums beyond 64 bits.

        A file is checked where it lies; only if one row is bad it is read to name the row.

        Parameters
        ----------
        ask : function of a table's name and a query
            Gives the rows that the engine finds; the query calls the table ``{it}``.
        different : function of a table's name and a column
            Tells whether all values of the column are different.
        """
        for source in self.sources:
            if source.table is None:
                rules = " OR ".join(f"({rule.sql})" for rule in checks(source.name, source.columns))
                broken = ask(source.name, f"SELECT 1 FROM {{it}} WHERE {rules} LIMIT 1")
                if broken or not different(source.name, IDENTIFIERS[source.name]):
                    source.name_the_row()  # unless different identifiers share a hash
        if isinstance(self.lookback, Mapping):
            channels = ask("touches", "SELECT DISTINCT channel FROM {it}")
            refuse_unknown_windows(self.lookback, [channel for (channel,) in channels])
        sizes = "sum(abs(CAST(value_minor AS DOUBLE)))"
        refuse_large(ask("conversions", f"SELECT currency, {sizes} FROM {{it}} GROUP BY currency"))


@contextmanager
def opened(
    engine: Any, sources: Sequence[Source], models: Sequence[Model], lookback: Lookback, keys: Sequence[str]
) -> Iterator[Feeder]:
    """Open the feeder that an engine and the tables call for, and check their rows.

    Parameters
    ----------
    engine : {"duckdb", "spark"}, DuckDB connection or Spark session
        As in `attribution.attribute`.
    sources, models, lookback, keys
        As in `Run`.
    """
    run, name = Run(sources, models, lookback, keys), type(engine).__name__
    if engine == "spark" or name == "SparkSession":
        from attribution.spark import Spark, session

        yield Spark(session() if engine == "spark" else engine, run)
        return
    if engine != "duckdb" and name != "DuckDBPyConnection":
        raise ValueError(f"{engine!r} is not an engine; use {', '.join(ENGINES)}, a connection or a session")
    if sources[0].table is not None or sources[0].count() <= MOST_HELD:
        journeys = in_memory(run)
        yield Local(lambda: [journeys])
        return
    import duckdb

    with tempfile.TemporaryDirectory(prefix="ringtrail-", ignore_cleanup_errors=True) as scratch:
        # The order of rows never matters here, and keeping it would cost memory.
        settings: dict[str, Any] = {"temp_directory": scratch, "preserve_insertion_order": False}
        # A cursor leaves nothing of ours in a borrowed connection.
        with duckdb.connect(config=settings) if engine == "duckdb" else engine.cursor() as connection:
            yield Local(in_buckets(run, connection, Path(scratch)))


def in_memory(run: Run) -> Journeys:
    """Take tables in memory, without accounts that no model needs."""
    touches, (conversions, *answers) = (
        run.sources[0].coded(),
        (source.rows() for source in run.sources[1:]),
    )
    if isinstance(run.lookback, Mapping):
        refuse_unknown_windows(run.lookback, touches["channel"].unique().to_pylist())
    sizes = pa.table([conversions["currency"], pc.abs(conversions["value_minor"]).cast(pa.float64())], "cv")
    refuse_large(zip(*sizes.group_by("c").aggregate([("v", "sum")]).to_pydict().values(), strict=True))
    if not run.everyone:
        touches = touches.filter(of_accounts(touches["account_id"], conversions["account_id"]))
    return run.journeys(touches, conversions, *answers)


def of_accounts(column: pa.ChunkedArray, accounts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Tell for each row whether its account is one of `accounts`."""
    some = accounts.combine_chunks()
    if not pa.types.is_dictionary(column.type):
        return pc.is_in(column, value_set=some)
    return pa.chunked_array(
        [pc.is_in(chunk.dictionary, value_set=some).take(chunk.indices) for chunk in column.chunks],
        pa.bool_(),
    )


def refuse_large(sums: Iterable[Any]) -> None:
    """Refuse values whose sum leaves 64 bits; each row holds a currency and the sum of sizes."""
    for currency, total in sums:
        if (total or 0) >= LARGEST_SUM:
            raise JourneyError(
                f"the values in {currency} add up to {total:.3g} minor units, beyond {LARGEST_SUM:.2g}",
                "share fewer conversions at a time, or give values in whole units",
                table="conversions",
                column="value_minor",
            )


class Local:
    """Journeys on this machine, worked on in one set after the other."""

    def __init__(self, sets: Callable[[], Iterable[Journeys]]) -> None:
        self._sets = sets

    def apply(self, work: Work, schema: pa.Schema, by: int = 0) -> pa.Table:
        """Do `work`; what several sets have in common is added up."""
        tables = [work(journeys) for journeys in self._sets()]
        whole = pa.concat_tables(tables)
        if by and len(tables) > 1:
            sums = [(name, "sum") for name in schema.names[by:]]
            whole = whole.group_by(schema.names[:by]).aggregate(sums).rename_columns(schema.names)
        return whole

    def write(self, work: Work, schema: pa.Schema, output: Path) -> None:
        """Do `work`, and write the rows of each set."""
        import pyarrow.parquet

        with pyarrow.parquet.ParquetWriter(output, schema) as file:
            for journeys in self._sets():
                file.write_table(work(journeys).cast(schema))


def forms(source: Source, microseconds: str) -> list[str]:
    """Say in SQL how each column takes the kernel's form; `microseconds` is what the engine calls them."""

    def form(name: str, kind: pa.DataType) -> str:
        if pa.types.is_timestamp(kind):
            return f"{microseconds}({name}) AS {name}"
        if pa.types.is_integer(kind):
            return f"CAST({name} AS BIGINT) AS {name}"
        return f"nullif({name}, '') AS {name}" if is_text(kind) else name

    return [form(name, kind) for name, kind in source.columns.items()]


def in_buckets(run: Run, connection: Any, folder: Path) -> Callable[[], Iterator[Journeys]]:
    """Have DuckDB write journeys by a hash of their account; give what reads one bucket after the other."""
    raw = {
        source.name: connection.read_parquet(source.path)
        if source.table is None
        else connection.from_arrow(source.table)
        for source in run.sources
    }
    run.check(
        lambda name, query: raw[name].query("it", query.format(it="it")).fetchall(),
        lambda name, column: all_different(raw[name], column),
    )
    tables = {
        source.name: raw[source.name].project(", ".join(forms(source, "epoch_us"))) for source in run.sources
    }
    columns = ", ".join(["touch_id, account_id, occurred_at", *run.columns])
    tables["touches"] = tables["touches"].project(columns)
    if not run.everyone:
        tables["touches"] = tables["touches"].join(tables["conversions"], "account_id", how="semi")
    number = 1 + 2 * run.sources[0].count() // max(1, MOST_HELD)
    for name, rows in tables.items():
        bucketed = rows.project(f"hash(account_id) % {number} AS bucket, *")
        bucketed.write_parquet(str(folder / name), partition_by=["bucket"], overwrite=True)
    empty = {name: rows.limit(0).to_arrow_table() for name, rows in tables.items()}

    def bucket(name: str, i: int) -> pa.Table:
        import pyarrow.parquet as pq

        files = sorted((folder / name / f"bucket={i}").glob("*.parquet"))
        coded = [column for column in empty[name].column_names if column in (*kernel.COLUMNS, "currency")]
        parts = [pq.ParquetFile(file, read_dictionary=coded).read() for file in files]
        return pa.concat_tables(parts) if parts else empty[name]

    return lambda: (run.journeys(*(bucket(name, i) for name in tables)) for i in range(number))
