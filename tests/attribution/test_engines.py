"""The same credit to the cent and to the row, whatever feeds the kernel."""

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from attribution import JourneyError, Markov, attribute, feeders, paths, validation
from attribution.paths import order_of, until
from attribution.shapley import Shapley, ShapleyCoalitions
from attribution.shares import shares
from tests.attribution.oddities import (
    EVERY,
    SETTINGS,
    assert_reads_sound_files_itself,
    assert_same,
    oddities,
    run,
)

FITTED = [
    Markov(order=4, states="campaign", label="markov 4"),
    Markov(allocation="total", label="markov total"),
    Shapley(players="campaign", label="shapley by campaign"),
    ShapleyCoalitions(players="campaign", unseen="zero", label="coalitions of campaigns"),
]
WINDOWS = [None, 2, 20, {"fair": 60, "call": 10, "*": 45}, {"visit": 25}, {"print": 0}]


@pytest.fixture(scope="module")
def world():
    return oddities()


@pytest.fixture(scope="module")
def files(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    names = [folder / f"{name}.parquet" for name in ("touches", "conversions", "answers")]
    for table, name in zip(world, names, strict=True):
        pq.write_table(table, name)
    return names


@pytest.fixture
def in_buckets(monkeypatch):
    """Let files go by way of buckets, as they do where touches do not fit into memory."""
    return lambda: monkeypatch.setattr(feeders, "MOST_HELD", 300)


@pytest.mark.parametrize("by", ["touch", "campaign", "channel", "kind", "conversion", "ad_material"])
def test_memory_files_and_buckets_give_the_same_by_every_key(world, files, by, in_buckets, monkeypatch):
    models = [*EVERY, *SETTINGS, *(m for m in FITTED if m.label != "markov total" or by == "channel")]
    expected = run(world, "duckdb", by, models)
    assert_same(run(files, "duckdb", by, models), expected)
    in_buckets()
    assert_same(run(files, "duckdb", by, models), expected)
    monkeypatch.setattr(paths, "ROWS", 50)
    assert_same(run(world, "duckdb", by, models), expected)


@pytest.mark.parametrize("lookback", WINDOWS, ids=str)
def test_memory_files_and_buckets_give_the_same_in_every_window(world, files, lookback, in_buckets):
    for models in (["linear", "w-shaped"], ["linear", "shapley", Markov(order=2), "shapley-coalitions"]):
        expected = run(world, "duckdb", "channel", models, lookback_days=lookback)
        assert_same(run(files, "duckdb", "channel", models, lookback_days=lookback), expected)
    in_buckets()
    assert_same(run(files, "duckdb", "channel", models, lookback_days=lookback), expected)


def test_credits_are_written_in_buckets_as_in_memory(world, files, tmp_path, in_buckets):
    expected = sorted(run(world, "duckdb").to_pylist(), key=str)
    for output in (tmp_path / "memory.parquet", tmp_path / "buckets.parquet"):
        assert run(files, "duckdb", output=output).num_rows == 0
        assert sorted(pq.read_table(output).to_pylist(), key=str) == expected
        in_buckets()


def test_each_conversion_is_shared_alike_in_buckets(world, files, in_buckets):
    order = [("conversion_id", "ascending"), ("campaign", "ascending")]
    expected = shares(*world[:2], ["linear", "hybrid"], answers=world[2]).sort_by(order)
    in_buckets()
    assert_same(shares(*files[:2], ["linear", "hybrid"], answers=files[2]).sort_by(order), expected)


def test_a_sound_file_is_read_by_the_engine_alone(world, tmp_path, monkeypatch):
    assert_reads_sound_files_itself(world, "duckdb", tmp_path, monkeypatch)


def test_a_file_and_a_table_may_be_mixed(world, files):
    expected = run(world, "duckdb", "channel", ["linear"])
    assert_same(run([files[0], *world[1:]], "duckdb", "channel", ["linear"]), expected)
    assert_same(run([world[0], *files[1:]], "duckdb", "channel", ["linear"]), expected)


def test_the_order_of_the_rows_never_matters(world):
    rng = np.random.default_rng(5)
    shuffled = [table.take(rng.permutation(table.num_rows)) for table in world]
    assert_same(run(shuffled, "duckdb"), run(world, "duckdb"))


def test_every_model_adds_up_to_every_value(world):
    table = run(world, "duckdb")
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


def test_identifiers_that_share_a_hash_are_told_apart_by_their_text(world, files, monkeypatch, in_buckets):
    models = ["first-touch", "linear", "markov"]
    expected = run(world, "duckdb", "campaign", models)
    monkeypatch.setattr(validation, "_different", lambda ids: False)
    assert_same(run(files, "duckdb", "campaign", models), expected)
    in_buckets()
    monkeypatch.setattr(feeders, "all_different", lambda rows, column: False)
    assert_same(run(files, "duckdb", "campaign", models), expected)


@pytest.mark.parametrize("many", [0, 10**9], ids=["by their hashes", "by counting"])
def test_an_identifier_that_occurs_twice_is_refused_with_its_row(world, files, tmp_path, monkeypatch, many):
    monkeypatch.setattr(validation, "MANY", many)
    touches = world[0]
    twice = pa.concat_tables([touches, touches.slice(7, 1)])
    pq.write_table(twice, tmp_path / "twice.parquet")
    for given in (twice, tmp_path / "twice.parquet"):
        with pytest.raises(JourneyError, match="stands already in row 8") as refused:
            run([given, *files[1:]], "duckdb", "campaign", ["linear"])
        assert (refused.value.row, refused.value.column) == (len(twice), "touch_id")


@pytest.mark.parametrize("coded", [True, False], ids=["dictionaries in the file", "plain text in the file"])
@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("kind", "telepathy", "is not a known kind"),
        ("kind", None, "is missing"),
        ("account_id", "", "is missing"),
        ("campaign", "(unattributed)", "is the line of what no touch explains"),
    ],
)
def test_a_name_that_breaks_the_contract_is_refused_with_its_row(
    world, files, tmp_path, column, text, reason, coded
):
    touches = world[0]
    texts = touches[column].to_pylist()
    texts[11] = text
    texts[40] = text
    place = touches.column_names.index(column)
    touches = touches.set_column(place, column, pa.array(texts, pa.string()))
    pq.write_table(touches, tmp_path / "odd.parquet", use_dictionary=coded, row_group_size=9)
    with pytest.raises(JourneyError, match=reason) as refused:
        run([tmp_path / "odd.parquet", *files[1:]], "duckdb", "campaign", ["linear"])
    assert (refused.value.row, refused.value.column) == (12, column)


def test_an_empty_name_in_a_file_is_a_missing_name(world, files, tmp_path):
    """Row groups of a few rows: each has a dictionary of its own."""
    touches = world[0]
    names = ["" if name is None else name for name in touches["campaign"].to_pylist()]
    assert "" in names
    blank = touches.set_column(touches.column_names.index("campaign"), "campaign", pa.array(names))
    pq.write_table(blank, tmp_path / "blank.parquet", row_group_size=9)
    models = ["linear", "markov", "last-non-direct"]
    expected = run(world, "duckdb", "campaign", models)
    assert_same(run([tmp_path / "blank.parquet", *files[1:]], "duckdb", "campaign", models), expected)


def test_a_borrowed_connection_keeps_nothing_of_ours(world, files, in_buckets):
    in_buckets()
    with duckdb.connect() as connection:
        run([files[0], *world[1:]], connection, "campaign", ["linear", "markov"])
        views = connection.execute("SELECT view_name FROM duckdb_views() WHERE view_name LIKE 'ringtrail%'")
        assert views.fetchall() == []
        assert connection.execute("SHOW TABLES").fetchall() == []


def test_numbers_and_text_never_name_the_same_account(world):
    touches, conversions, _ = world
    numbers = pa.array(range(conversions.num_rows), pa.int64())
    with pytest.raises(JourneyError, match="account_id"):
        attribute(touches, conversions.set_column(1, "account_id", numbers), ["linear"], by="campaign")


@pytest.mark.parametrize("spread", [5, 10**6, 2**62], ids=["ties", "packed", "too far apart to pack"])
@pytest.mark.parametrize("unit", [1, 10**6], ids=["microseconds", "seconds"])
def test_rows_are_sorted_by_account_moment_and_identifier(spread, unit):
    rng = np.random.default_rng(4)
    group = rng.integers(0, 40, 3000).astype(np.int32)
    moment = rng.integers(-spread // unit, spread // unit + 1, 3000) * unit
    ids = pa.array([f"touch {i}" for i in rng.permutation(3000)])
    order = order_of(group, moment, lambda rows: ids.take(pa.array(rows)))
    rows = list(zip(group.tolist(), moment.tolist(), ids.to_pylist(), strict=True))
    assert [rows[i] for i in order] == sorted(rows)


def test_the_first_touch_after_a_moment_is_found_in_each_run():
    moments = np.array([1, 3, 3, 8, 2, 9])
    low, high = np.array([0, 0, 0, 4, 4, 6]), np.array([4, 4, 4, 6, 6, 6])
    limit = np.array([0, 3, 99, 1, 5, 5])
    assert until(moments, low, high, limit).tolist() == [0, 3, 4, 4, 5, 6]
