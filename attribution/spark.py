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

from attribution.feeders import Run, Work, forms
from attribution.journeys import JourneyError
from attribution.rules import Model

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
    run : Run
        What to read.
    """

    def __init__(self, spark: Any, run: Run) -> None:
        _same_python(spark)
        _ship(run.models)
        raw = {
            source.name: spark.createDataFrame(source.table)
            if source.table is not None
            else spark.read.parquet(source.path.removesuffix("/*.parquet"))
            for source in run.sources
        }
        run.check(
            lambda name, query: spark.sql(query, it=raw[name]).collect(),
            lambda name, column: raw[name].groupBy(column).count().filter("count > 1").isEmpty(),
        )
        frames = {s.name: raw[s.name].selectExpr(*forms(s, "unix_micros")) for s in run.sources}
        bucket = f"pmod(xxhash64(account_id), {2 + frames['touches'].count() // ROWS}) AS bucket"
        touches = frames.pop("touches").select("touch_id", "account_id", "occurred_at", *run.columns)
        if not run.everyone:
            some = frames["conversions"].select("account_id").distinct()
            touches = touches.join(some, "account_id", "left_semi")
        # A cogroup takes two tables: answers travel with the conversions, and a column tells them apart.
        heard = [frame.selectExpr("*", f"'{name}' AS table") for name, frame in frames.items()]
        others = reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), heard)
        left, right = (rows.selectExpr("*", bucket).groupBy("bucket") for rows in (touches, others))
        self._pairs, self._journeys = left.cogroup(right), run.journeys
        self._columns = {name: frame.columns for name, frame in frames.items()}

    def _worked(self, work: Work, schema: pa.Schema) -> Any:
        columns, made = self._columns, self._journeys

        def bucketed(touches: pa.Table, others: pa.Table) -> pa.Table:
            import pyarrow.compute as pc

            tables = (
                others.filter(pc.equal(others["table"], name)).select(names)
                for name, names in columns.items()
            )
            return work(made(touches, *tables)).cast(schema).combine_chunks()

        ddl = ", ".join(f"`{field.name}` {NAMES[str(field.type)]}" for field in schema)
        return self._pairs.applyInArrow(bucketed, ddl)

    def apply(self, work: Work, schema: pa.Schema, by: int = 0) -> pa.Table:
        """Do `work` on the executors; add up there, too."""
        rows = self._worked(work, schema)
        if by:
            rows = rows.groupBy(*schema.names[:by]).sum(*schema.names[by:]).toDF(*schema.names)
        return _named(lambda: rows.toArrow().cast(schema))

    def write(self, work: Work, schema: pa.Schema, output: Path) -> None:
        """Do `work`, and have the executors write the rows, to a directory."""
        _named(lambda: self._worked(work, schema).write.mode("overwrite").parquet(str(output)))


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
