"""Spark, for journeys that one machine cannot hold; needs the extra ``spark`` and Java 17 from the system.

Accounts are put into buckets by a hash, and each bucket's tables go to the kernel on an executor: only counts
and sums reach the driver. Executors need numpy and pyarrow; the kernel itself travels with the work.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa

from attribution.feeders import Work, refuse_large, wanted
from attribution.journeys import IDENTIFIERS, JourneyError
from attribution.paths import Journeys, Lookback, refuse_unknown_windows
from attribution.rules import Model
from attribution.sources import Source
from attribution.validation import checks, is_text

ROWS = 1_000_000
"""About so many touches make a bucket: some 100 MB on an executor."""

NAMES = {"string": "string", "int64": "bigint", "double": "double"}
"""Spark's names of Arrow's types."""


def session() -> Any:
    """Open a Spark session: at ``SPARK_REMOTE`` if set, else with ``SPARK_MASTER`` (local[*] by default)."""
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise ValueError('engine "spark" needs pyspark: install ringtrail[spark], and Java 17') from None
    builder = SparkSession.builder.appName("ringtrail")
    if "SPARK_REMOTE" not in os.environ:
        builder = builder.master(os.environ.get("SPARK_MASTER", "local[*]"))
    return builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()


class Spark:
    """Journeys in buckets on a Spark session.

    Parameters
    ----------
    spark : SparkSession
        The session.
    sources, models, lookback, keys
        As in `attribution.feeders.opened`.
    """

    def __init__(
        self,
        spark: Any,
        sources: Sequence[Source],
        models: Sequence[Model],
        lookback: Lookback,
        keys: Sequence[str],
    ) -> None:
        from pyspark.sql import functions as F  # noqa: N812 - Spark's own custom

        _same_python(spark)
        _ship(models)
        self._spark, self._lookback = spark, lookback
        self._columns = wanted(models, lookback, keys)
        frames = {source.name: self._frame(source) for source in sources}
        for source in sources:
            self._check(source, frames[source.name])
        self._check_sums(frames["conversions"])
        touches, conversions = frames["touches"], frames["conversions"]
        if isinstance(lookback, dict):
            refuse_unknown_windows(
                lookback, [row[0] for row in touches.select("channel").distinct().collect()]
            )
        buckets = 2 + touches.count() // ROWS
        bucket = F.pmod(F.xxhash64("account_id"), F.lit(buckets)).alias("bucket")
        path = touches.select("touch_id", "account_id", "occurred_at", *self._columns)
        if not any(model.everyone for model in models):
            path = path.join(conversions.select("account_id").distinct(), "account_id", "left_semi")
        # A cogroup takes two tables: answers travel with the conversions, and a column tells them apart.
        heard = [
            frame.withColumn("table", F.lit(name)) for name, frame in frames.items() if name != "touches"
        ]
        both = reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), heard)
        left = path.select("*", bucket).groupBy("bucket")
        self._pairs = left.cogroup(both.select("*", bucket).groupBy("bucket"))
        self._tables = {name: frame.columns for name, frame in frames.items()}

    def _frame(self, source: Source) -> Any:
        """Open a table, each column in the kernel's form."""
        from pyspark.sql import functions as F  # noqa: N812

        if source.table is not None:
            columns = [
                source.table[name].cast(pa.int64()) if pa.types.is_timestamp(kind) else source.table[name]
                for name, kind in source.columns.items()
            ]
            return self._spark.createDataFrame(pa.table(columns, names=list(source.columns)))
        frame = self._spark.read.parquet(source.path.removesuffix("/*.parquet"))

        def column(name: str, kind: pa.DataType) -> Any:
            given = F.col(name)
            if pa.types.is_timestamp(kind):
                given = F.unix_micros(given)
            elif pa.types.is_integer(kind):
                given = given.cast("bigint")
            return given.alias(name)

        return frame.select(*(column(name, kind) for name, kind in source.columns.items()))

    def _check(self, source: Source, frame: Any) -> None:
        """Refuse a file with a row that breaks the contract; only then it is read to name the row."""
        if source.table is not None:
            return
        from pyspark.sql import functions as F  # noqa: N812

        rules = " OR ".join(f"({rule.sql})".replace('"', "`") for rule in checks(source.name, source.columns))
        name = IDENTIFIERS[source.name]
        repeated = frame.groupBy(name).count().filter(F.col("count") > 1)
        if frame.filter(rules).limit(1).count() or repeated.limit(1).count():
            source.name_the_row()

    def _check_sums(self, conversions: Any) -> None:
        from pyspark.sql import functions as F  # noqa: N812

        sizes = F.sum(F.abs(F.col("value_minor")).cast("double")).alias("v")
        refuse_large([row.asDict() for row in conversions.groupBy("currency").agg(sizes).collect()])

    def _worked(self, work: Work, schema: pa.Schema) -> Any:
        tables, columns, lookback = self._tables, self._columns, self._lookback

        def bucketed(touches: pa.Table, others: pa.Table) -> pa.Table:
            import pyarrow.compute as pc

            conversions, *answers = (
                others.filter(pc.equal(others["table"], name)).select(tables[name])
                for name in ("conversions", "answers")
                if name in tables
            )
            touches, conversions, *answers = map(unblanked, (touches, conversions, *answers))
            journeys = Journeys(
                touches, conversions, lookback, columns, answers=answers[0] if answers else None
            )
            return work(journeys).cast(schema).combine_chunks()

        ddl = ", ".join(f"`{field.name}` {NAMES[str(field.type)]}" for field in schema)
        return self._pairs.applyInArrow(bucketed, ddl)

    def apply(self, work: Work, schema: pa.Schema, by: int = 0) -> pa.Table:
        """Do `work` on the executors; add up there, too."""
        from pyspark.sql import functions as F  # noqa: N812

        rows = self._worked(work, schema)
        if by:
            sums = [F.sum(name).alias(name) for name in schema.names[by:]]
            rows = rows.groupBy(*schema.names[:by]).agg(*sums)
        return _named(lambda: rows.toArrow().cast(schema))

    def write(self, work: Work, schema: pa.Schema, output: Path) -> None:
        """Do `work`, and have the executors write the rows, to a directory."""
        _named(lambda: self._worked(work, schema).write.mode("overwrite").parquet(str(output)))


def unblanked(table: pa.Table) -> pa.Table:
    """Take empty text for missing text in every column."""
    from attribution.validation import blank_to_null

    for i, field in enumerate(table.schema):
        if is_text(field.type):
            table = table.set_column(i, field.name, blank_to_null(table[field.name]))
    return table


def _same_python(spark: Any) -> None:
    """Let executors of this machine run this interpreter, not the first python3 of the system."""
    if "PYSPARK_PYTHON" in os.environ:
        return
    context = getattr(spark, "_sc", None)
    if context is not None and str(context.master).startswith("local"):
        context.pythonExec = sys.executable


def _ship(models: Sequence[Model]) -> None:
    """Send the kernel, and the module of a rule from elsewhere, along with the work."""
    from pyspark import cloudpickle

    modules = {"attribution"}
    for model in models:
        function = getattr(model, "weights", None)
        modules |= {type(model).__module__, *([function.__module__] if callable(function) else [])}
    for name in modules:
        if not name.startswith("attribution."):
            cloudpickle.register_pickle_by_value(sys.modules[name])  # type: ignore[no-untyped-call]


def _named(run: Callable[[], Any]) -> Any:
    """Run, and give an executor's refusal back as what it was."""
    try:
        return run()
    except Exception as error:
        found = re.search(r"JourneyError: (.+?); ([^\n]+)", str(error))
        if found is None:
            raise
        raise JourneyError(found[1], found[2]) from None
