"""Spark, for journeys that one machine cannot hold; needs the extra ``spark`` and Java 17 from the system."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet

from attribution.sources import Source


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
    """A Spark session. Tables in memory reach it as Parquet, never row by row."""

    def __init__(self, spark: Any, scratch: str) -> None:
        self._spark = spark
        self._scratch = Path(scratch)

    def load(self, source: Source) -> nw.LazyFrame[Any]:
        """Open a table lazily, its moments as int64 microseconds since 1970."""
        from pyspark.sql import functions as F  # noqa: N812 - Spark's own custom

        path = source.path.removesuffix("/*.parquet")
        if source.table is not None:
            path = str(self._scratch / f"{source.name}.parquet")
            pyarrow.parquet.write_table(source.table, path)
        frame = self._spark.read.parquet(path)
        columns = [
            F.unix_micros(F.col(name)).alias(name) if pa.types.is_timestamp(kind) else F.col(name)
            for name, kind in source.columns.items()
        ]
        opened: nw.LazyFrame[Any] = nw.from_native(frame.select(*columns))
        return opened.with_columns(account=nw.col("account_id")) if source.name == "touches" else opened

    def keep(self, frame: nw.LazyFrame[Any], name: str) -> nw.LazyFrame[Any]:
        """Work `frame` out and keep it on the cluster, in memory or on its disks."""
        kept: nw.LazyFrame[Any] = nw.from_native(frame.to_native().persist())
        return kept

    def number(self, conversions: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """Add ``path``: the identifier itself, since numbers would need all rows on one machine."""
        return conversions.with_columns(path=nw.col("conversion_id"))
