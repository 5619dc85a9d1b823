"""The same credit to the cent and to the row, whichever engine does the work."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.attribution.oddities import (
    EVERY,
    SETTINGS,
    assert_reads_sound_files_itself,
    assert_same,
    oddities,
    run,
)


@pytest.fixture(scope="module")
def world():
    return oddities()


@pytest.mark.parametrize("by", ["touch", "campaign", "channel", "kind", "conversion", "ad_material"])
def test_polars_gives_what_duckdb_gives(world, by):
    assert_same(run(world, "polars", by), run(world, "duckdb", by))


def test_polars_counts_every_setting_of_the_window(world):
    for lookback in (20, 30, {"fair": 60, "call": 10, "*": 45}, {"visit": 25}):
        options = {"lookback_days": lookback, "models": ["linear", "markov", "w-shaped"]}
        assert_same(run(world, "polars", "channel", **options), run(world, "duckdb", "channel", **options))


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


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_a_sound_file_is_read_by_the_engine_alone(world, tmp_path, monkeypatch, engine):
    assert_reads_sound_files_itself(world, engine, tmp_path, monkeypatch)


def test_the_order_of_the_rows_never_matters(world):
    rng = np.random.default_rng(5)
    shuffled = [table.take(rng.permutation(table.num_rows)) for table in world]
    assert_same(run(shuffled, "duckdb"), run(world, "duckdb"))


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
