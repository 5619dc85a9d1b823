"""What is measured, one task per process: prints seconds and the process's peak memory as JSON.

Time starts when the libraries are loaded and the input stands ready: as Parquet files for Ringtrail and
DuckDB; for the others in the form they want, in memory, or, where a task says so, as the same Parquet files.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

RULES = ["first-touch", "last-touch", "linear", "position-based"]
THREADS = 2


def connection(folder: Path, memory: str = "3GB") -> Any:
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet

    pa.scalar(0)  # where pandas is installed, the first value loads it: no part of the work
    return duckdb.connect(
        config={
            "threads": THREADS,
            "memory_limit": memory,
            "temp_directory": str(folder / "spill"),
            "preserve_insertion_order": False,
        }
    )


def five_rules(folder: Path, touches: Path, conversions: Path, memory: str = "3GB") -> Callable[[], Any]:
    from attribution import TimeDecay, attribute

    engine = connection(folder, memory)
    return lambda: attribute(touches, conversions, [*RULES, TimeDecay(30)], by="campaign", engine=engine)


def credits_file(folder: Path, touches: Path, conversions: Path) -> Callable[[], Any]:
    from attribution import TimeDecay, attribute

    engine, out = connection(folder), folder / "credits.parquet"
    return lambda: attribute(touches, conversions, [*RULES, TimeDecay(30)], engine=engine, output=out)


def join_and_sort(folder: Path, touches: Path, conversions: Path, memory: str = "3GB") -> Callable[[], Any]:
    """Give DuckDB's own time to read, join and sort the same rows, and to touch every column once."""
    database = connection(folder, memory)
    return lambda: database.execute(f"""
        SELECT max(conversion_id), max(moment), max(touch_id), max(campaign), max(currency), sum(value_minor)
        FROM (
            SELECT *, row_number() OVER () FROM (
                SELECT conversion_id, epoch_us(occurred_at) AS moment, touch_id, campaign, currency,
                       value_minor
                FROM '{touches}' JOIN '{conversions}' USING (account_id)
                WHERE occurred_at <= converted_at
                ORDER BY conversion_id, moment, touch_id
            )
        )""").fetchall()


def ours_three_and_markov(folder: Path, touches: Path, conversions: Path) -> Callable[[], Any]:
    from attribution import TimeDecay, attribute

    engine = connection(folder, memory="100MB")
    models = ["linear", "position-based", TimeDecay(7), "markov"]
    return lambda: attribute(touches, conversions, models, by="channel", engine=engine)


def ours_markov(folder: Path, touches: Path, conversions: Path) -> Callable[[], Any]:
    from attribution import attribute

    engine = connection(folder)
    return lambda: attribute(touches, conversions, ["markov"], by="channel", engine=engine)


def mam_frame(touches: Path, conversions: Path) -> Any:
    import polars as pl

    won = pl.read_parquet(conversions).select("account_id", won=pl.lit(value=True))
    return (
        pl.read_parquet(touches)
        .sort("account_id", "occurred_at", "touch_id")
        .join(won, on="account_id", how="left")
        .with_columns(
            won=pl.col("won").fill_null(value=False)
            & (pl.int_range(pl.len()).over("account_id") == pl.len().over("account_id") - 1),
            occurred_at=pl.col("occurred_at").dt.replace_time_zone(None),
        )
        .select("account_id", "occurred_at", "channel", "won")
    )


Task = Callable[[Path, Path, Path], Callable[[], Any]]


def from_files(prepare: Task, *libraries: str) -> Task:
    """Count reading the files, and putting their rows into the library's form, as work."""

    def unprepared(folder: Path, touches: Path, conversions: Path) -> Callable[[], Any]:
        for library in libraries:
            importlib.import_module(library)
        return lambda: prepare(folder, touches, conversions)()

    return unprepared


def mam(methods: list[str]) -> Task:
    def prepare(folder: Path, touches: Path, conversions: Path) -> Callable[[], Any]:
        import mam

        frame = mam_frame(touches, conversions)

        def run() -> None:
            model = mam.MAM(
                frame,
                "format_1",
                "channel",
                "won",
                datetime_colname="occurred_at",
                user_id_colname="account_id",
            )
            for method in methods:
                getattr(model, method)()

        return run

    return prepare


def journeys_of(touches: Path, conversions: Path) -> list[tuple[list[str], list[Any], bool]]:
    import polars as pl

    won = set(pl.read_parquet(conversions)["account_id"].to_list())
    frame = pl.read_parquet(touches).sort("account_id", "occurred_at", "touch_id")
    paths = frame.group_by("account_id", maintain_order=True).agg("channel", "occurred_at")
    return [(channels, at, account in won) for account, channels, at in paths.rows()]


def audit(folder: Path, touches: Path, conversions: Path) -> Callable[[], Any]:
    import pandas as pd
    from mta_audit.attribution import MarkovAttribution
    from mta_audit.journeys import Journey, Touchpoint

    records = [
        Journey(
            i,
            tuple(Touchpoint(c, pd.Timestamp(t)) for c, t in zip(channels, at, strict=True)),
            won,
            pd.Timestamp(at[-1]) if won else None,
        )
        for i, (channels, at, won) in enumerate(journeys_of(touches, conversions))
    ]
    return lambda: MarkovAttribution(removal_strategy="redirect_to_null").fit(records)


def markov_order(order: int) -> Task:
    def prepare(folder: Path, touches: Path, conversions: Path) -> Callable[[], Any]:
        from attribution import Markov, attribute

        engine = connection(folder)
        return lambda: attribute(touches, conversions, [Markov(order=order)], by="channel", engine=engine)

    return prepare


def coalitions(players: int) -> Task:
    def prepare(folder: Path, touches: Path, conversions: Path) -> Callable[[], Any]:
        import numpy as np

        from attribution.shapley import coalition_values

        rng = np.random.default_rng(1)
        met = {int(mask): (10, int(rng.integers(0, 10))) for mask in rng.integers(1, 2**players, 50_000)}
        return lambda: coalition_values([f"channel {i}" for i in range(players)], met)

    return prepare


def spark_rules(folder: Path, touches: Path, conversions: Path) -> Callable[[], Any]:
    from pyspark.sql import SparkSession

    from attribution import TimeDecay, attribute

    session = (
        SparkSession.builder.master(f"local[{THREADS}]")
        .config("spark.driver.memory", "4g")
        .config("spark.sql.shuffle.partitions", str(4 * THREADS))
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    models = [*RULES, TimeDecay(30)]
    attribute(touches, conversions, ["first-touch"], by="campaign", engine=session)  # warm the JVM
    return lambda: attribute(touches, conversions, models, by="campaign", engine=session)


FOUR = ["run_linear", "run_position_based", "run_time_decay", "run_markov"]

TASKS: dict[str, Task] = {
    "duckdb join and sort": join_and_sort,
    "duckdb join and sort, 10 GB": partial(join_and_sort, memory="10GB"),
    "ringtrail five rules, 10 GB": partial(five_rules, memory="10GB"),
    "ringtrail five rules": five_rules,
    "ringtrail five rules, credits to Parquet": credits_file,
    "ringtrail linear, position, decay, markov": ours_three_and_markov,
    "ringtrail markov": ours_markov,
    "marketing-attribution-models linear, position, decay, markov": mam(FOUR),
    "marketing-attribution-models linear, position, decay, markov, from Parquet": from_files(
        mam(FOUR), "mam", "polars"
    ),
    "marketing-attribution-models markov": mam(["run_markov"]),
    "marketing-attribution-models markov, from Parquet": from_files(mam(["run_markov"]), "mam", "polars"),
    "mta-audit markov": audit,
    "mta-audit markov, from Parquet": from_files(audit, "mta_audit.attribution", "polars"),
    "ringtrail five rules on spark": spark_rules,
    **{f"ringtrail markov order {k}": markov_order(k) for k in (1, 2, 3, 4)},
    **{f"shapley coalitions of {n}": coalitions(n) for n in (8, 12, 16, 20)},
}


def main() -> None:
    name, folder, touches, conversions = sys.argv[1:5]
    run = TASKS[name](Path(folder), Path(touches), Path(conversions))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, worked = time.perf_counter(), time.process_time()
    run()
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {"seconds": seconds, "cpu": worked, "peak_mb": peak // 1024, "before_mb": before // 1024}
    print(json.dumps(found))
    sys.stdout.flush()
    # Libraries that complain while the interpreter winds down have nothing to do with the measurement.
    os._exit(0)


if __name__ == "__main__":
    main()
