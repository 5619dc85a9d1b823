"""The same credit to the cent and to the row, whichever engine does the work."""

import importlib.util
import os
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from attribution import MODELS, Markov, Positions, TimeDecay, attribute
from attribution.journeys import KINDS
from tests.attribution.journey import START
from tests.attribution.market import market

EVERY = [name for name in MODELS if name not in ("time-decay", "custom")]
SETTINGS = [
    TimeDecay(7),
    TimeDecay(90, label="time-decay 90"),
    Positions({"lead": 3, "qualified": 1, "last": 2}, middle=1, missing="spread", no_middle="equal"),
    Markov(order=2, label="markov 2"),
]


@pytest.fixture(scope="module")
def world():
    """Unknown sources, ties, refunds, three currencies, milestones, buyers nobody tracked, answers."""
    some = market(250, seed=3)
    rng = np.random.default_rng(11)
    touches, conversions = some.touches, some.conversions
    unknown = pa.array(rng.random(touches.num_rows) < 0.1)
    for name in ("campaign", "channel"):
        column = pc.if_else(unknown, None, touches[name])
        touches = touches.set_column(touches.schema.get_field_index(name), name, column)
    kinds = pa.array([KINDS[i] for i in rng.integers(0, 4, touches.num_rows)])
    touches = touches.set_column(touches.schema.get_field_index("kind"), "kind", kinds)
    material = pa.array(
        [None if i == 0 else f"flyer {i}" for i in rng.integers(0, 4, touches.num_rows)], pa.string()
    )
    touches = touches.append_column("ad_material", material)
    days = touches["occurred_at"].to_pylist()
    tied = pa.array(
        [START + timedelta(days=(day - START).days // 20 * 20) for day in days], pa.timestamp("us", "UTC")
    )
    touches = touches.set_column(touches.schema.get_field_index("occurred_at"), "occurred_at", tied)
    n = conversions.num_rows
    value = pa.array(rng.integers(-1000, 10**6, n) * rng.integers(1, 10**9, n) // 10, pa.int64())
    currency = pa.array([("EUR", "JPY", "KWD")[i] for i in rng.integers(0, 3, n)])
    conversions = conversions.set_column(3, "value_minor", value).set_column(4, "currency", currency)
    for name in ("lead_at", "qualified_at", "opportunity_at"):
        moments = [None if i < 30 else START + timedelta(days=int(i)) for i in rng.integers(0, 100, n)]
        conversions = conversions.append_column(name, pa.array(moments, pa.timestamp("us", "UTC")))
    untracked = conversions.slice(0, 5)
    ids = pa.array([f"untracked {i}" for i in range(5)])
    untracked = untracked.set_column(0, "conversion_id", ids).set_column(1, "account_id", ids)
    conversions = pa.concat_tables([conversions, untracked])
    accounts = conversions["account_id"].to_pylist()[::2]
    channels = [("fair", "call", "colleague", "mail", None)[i] for i in rng.integers(0, 5, len(accounts))]
    answers = pa.table(
        {
            "answer_id": [f"answer {i}" for i in range(len(accounts))],
            "account_id": accounts,
            "asked_at": pa.array([START] * len(accounts), pa.timestamp("us", "UTC")),
            "outcome": ["answered" if name else "declined" for name in channels],
            "channel": pa.array(channels, pa.string()),
        }
    )
    return touches, conversions, answers


def run(world, engine, by="touch", models=(*EVERY, *SETTINGS), **options):
    touches, conversions, answers = world
    return attribute(touches, conversions, models, answers=answers, by=by, engine=engine, **options)


@pytest.fixture(scope="module")
def spark():
    """A Spark session of this machine; on the build server its absence is a failure."""
    if not importlib.util.find_spec("pyspark") and not os.environ.get("CI"):
        pytest.skip("install ringtrail[spark] to compare with Spark")
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.mark.parametrize("by", ["touch", "campaign", "channel", "kind", "conversion", "ad_material"])
def test_polars_gives_what_duckdb_gives(world, by):
    assert run(world, "polars", by).equals(run(world, "duckdb", by))


def test_polars_counts_every_setting_of_the_window(world):
    for lookback in (20, 30, {"fair": 60, "call": 10, "*": 45}, {"visit": 25}):
        options = {"lookback_days": lookback, "models": ["linear", "markov", "w-shaped"]}
        assert run(world, "polars", "channel", **options).equals(run(world, "duckdb", "channel", **options))


def test_spark_gives_what_duckdb_gives_touch_by_touch(world, spark):
    assert run(world, spark).equals(run(world, "duckdb"))


def test_spark_gives_what_duckdb_gives_by_campaign(world, spark):
    models = ["linear", "w-shaped", TimeDecay(7), "markov", "shapley", "self-reported", "hybrid"]
    options = {"lookback_days": {"fair": 60, "*": 45}, "models": models}
    assert run(world, spark, "campaign", **options).equals(run(world, "duckdb", "campaign", **options))


def test_spark_writes_the_credits_itself(world, spark, tmp_path):
    models = ["linear", "hybrid"]
    assert run(world, spark, models=models, output=tmp_path / "credits.parquet").num_rows == 0
    written = pq.read_table(tmp_path / "credits.parquet")
    assert sorted(written.to_pylist(), key=str) == sorted(
        run(world, "duckdb", models=models).to_pylist(), key=str
    )


def test_a_parquet_file_gives_what_the_table_gives(world, tmp_path):
    pq.write_table(world[0], tmp_path / "touches.parquet")
    pq.write_table(world[1], tmp_path / "conversions.parquet")
    pq.write_table(world[2], tmp_path / "answers.parquet")
    files = [tmp_path / f"{name}.parquet" for name in ("touches", "conversions", "answers")]
    expected = run(world, "duckdb")
    assert run(files, "duckdb").equals(expected)
    assert run(files, "duckdb", output=tmp_path / "credits.parquet").num_rows == 0
    written = pq.read_table(tmp_path / "credits.parquet")
    assert sorted(written.to_pylist(), key=str) == sorted(expected.to_pylist(), key=str)


def test_the_order_of_the_rows_never_matters(world):
    rng = np.random.default_rng(5)
    shuffled = [table.take(rng.permutation(table.num_rows)) for table in world]
    assert run(shuffled, "duckdb").equals(run(world, "duckdb"))


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_every_model_adds_up_to_every_value(world, engine):
    table = run(world, engine)
    sums = table.group_by(["model", "conversion_id"]).aggregate([("credit_minor", "sum"), ("weight", "sum")])
    values = dict(
        zip(world[1]["conversion_id"].to_pylist(), world[1]["value_minor"].to_pylist(), strict=True)
    )
    assert sums.num_rows == len(values) * (len(EVERY) + len(SETTINGS))
    for row in sums.to_pylist():
        assert row["credit_minor_sum"] == values[row["conversion_id"]], row
        assert abs(row["weight_sum"] - 1) < 1e-12
    signs = pc.multiply(
        pc.sign(table["credit_minor"]),
        pa.array([np.sign(values[i]) for i in table["conversion_id"].to_pylist()]),
    )
    assert pc.min(signs).as_py() >= 0


def test_every_key_adds_up_to_the_same_sums(world):
    totals = [
        run(world, "duckdb", by)
        .group_by(["model", "currency"])
        .aggregate([("credit_minor", "sum"), ("conversions", "sum")])
        for by in ("campaign", "channel", "kind", "conversion", "ad_material")
    ]
    rows = [sorted(table.to_pylist(), key=str) for table in totals]
    assert all(some == rows[0] for some in rows)
