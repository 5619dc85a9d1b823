"""Journeys held in memory give what the engine's own windows give, to the cent and to the row."""

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution import JourneyError, Markov, attribute, held
from attribution.backends import DuckDB
from attribution.held import Held, open_journeys
from attribution.models import fit, resolve
from attribution.results import totals
from attribution.shapley import Shapley, ShapleyCoalitions
from attribution.shares import shares
from attribution.sorting import by_group_and_moment, groups, until
from attribution.sources import read
from tests.attribution.oddities import EVERY, SETTINGS, assert_same, oddities, run

TRACKED = [name for name in EVERY if name not in ("self-reported", "hybrid")]
FITTED = [
    Markov(order=4, states="campaign", label="markov 4"),
    Shapley(players="campaign", label="shapley by campaign"),
    ShapleyCoalitions(players="campaign", unseen="zero", label="coalitions of campaigns"),
]
WINDOWS = [None, 2, 20, {"fair": 60, "call": 10, "*": 45}, {"visit": 25}, {"print": 0}]


@pytest.fixture(scope="module")
def world():
    return oddities()


@pytest.fixture
def on_the_engine(monkeypatch):
    """Let DuckDB do all of the work, as it does where touches do not fit into memory."""
    return lambda: monkeypatch.setattr(held, "MOST_HELD", -1)


@pytest.mark.parametrize("by", ["touch", "campaign", "channel", "kind", "conversion", "ad_material"])
def test_memory_gives_what_the_engine_gives_by_every_key(world, by, on_the_engine, monkeypatch):
    models = [*TRACKED, *SETTINGS, *FITTED]
    whole = run(world, "duckdb", by, models)
    monkeypatch.setattr(held, "ROWS", 50)
    in_parts = run(world, "duckdb", by, models)
    on_the_engine()
    expected = run(world, "duckdb", by, models)
    assert_same(whole, expected)
    assert_same(in_parts, expected)


@pytest.mark.parametrize("lookback", WINDOWS, ids=str)
def test_memory_gives_what_the_engine_gives_in_every_window(world, lookback, on_the_engine):
    models = ["linear", "w-shaped", "shapley", Markov(order=2), "shapley-coalitions"]
    found = run(world, "duckdb", "channel", models, lookback_days=lookback)
    on_the_engine()
    assert_same(found, run(world, "duckdb", "channel", models, lookback_days=lookback))


def test_memory_shares_each_conversion_as_the_engine_does(world, on_the_engine):
    def by_campaign():
        return shares(*world[:2], ["linear", "markov"]).sort_by(
            [("conversion_id", "ascending"), ("campaign", "ascending")]
        )

    found = by_campaign()
    on_the_engine()
    assert_same(found, by_campaign())


def test_identifiers_that_share_a_hash_are_told_apart_by_their_text(world, tmp_path):
    class Coarse(DuckDB):
        """A hash so short that identifiers share it."""

        def hashed(self, source, columns, names=()):
            table = super().hashed(source, columns, names).read_all()
            if "touch_hash" in table.column_names:
                short = pa.array(table["touch_hash"].to_numpy() % np.uint64(64))
                table = table.set_column(table.schema.get_field_index("touch_hash"), "touch_hash", short)
            return table.to_reader()

    pq.write_table(world[0], tmp_path / "touches.parquet")
    pq.write_table(world[1], tmp_path / "conversions.parquet")
    files = [tmp_path / "touches.parquet", tmp_path / "conversions.parquet"]
    models = resolve(["first-touch", "linear", "markov"])
    with duckdb.connect() as connection:
        sources = [read(files[0], "touches"), read(files[1], "conversions")]
        journeys = open_journeys(Coarse(connection), sources, None, models, ["campaign"])
        assert isinstance(journeys, Held)
        journeys.check(models)
        found = totals(journeys, [fit(model, journeys) for model in models], "campaign")
    assert_same(found, attribute(*files, models, by="campaign"))


def test_a_borrowed_connection_keeps_nothing_of_ours(world):
    with duckdb.connect() as connection:
        run(world, connection, "campaign", ["linear", "markov"])
        kinds = connection.execute("SELECT type_name FROM duckdb_types() WHERE type_name LIKE 'ringtrail%'")
        assert kinds.fetchall() == []
        assert connection.execute("SHOW TABLES").fetchall() == []


def test_numbers_and_text_never_name_the_same_account(world):
    touches, conversions, _ = world
    numbers = pa.array(range(conversions.num_rows), pa.int64())
    with pytest.raises(JourneyError, match="account_id"):
        attribute(touches, conversions.set_column(1, "account_id", numbers), ["linear"], by="campaign")


def test_groups_are_told_apart_though_their_hashes_share_bits():
    same_upper_bits = np.array([1 << 40, (1 << 40) + 1, 1 << 40, 7, (1 << 40) + 1], dtype=np.uint64)
    checks = np.array([1, 2, 1, 3, 2], dtype=np.uint32)
    number = groups(same_upper_bits, checks)
    assert number[0] == number[2]
    assert number[1] == number[4]
    assert len(set(number.tolist())) == 3
    same_hash = groups(np.full(4, 9, dtype=np.uint64), np.array([1, 2, 1, 2], dtype=np.uint32))
    assert same_hash[0] == same_hash[2] != same_hash[1] == same_hash[3]


@pytest.mark.parametrize("spread", [5, 10**6, 2**62], ids=["ties", "packed", "too far apart to pack"])
@pytest.mark.parametrize("unit", [1, 10**6], ids=["microseconds", "seconds"])
def test_rows_are_sorted_by_group_moment_and_identifier(spread, unit):
    rng = np.random.default_rng(4)
    group = rng.integers(0, 40, 3000).astype(np.int32)
    moment = rng.integers(-spread // unit, spread // unit + 1, 3000) * unit
    ids = pa.array([f"touch {i}" for i in rng.permutation(3000)])
    order = by_group_and_moment(group, moment, lambda rows: ids.take(pa.array(rows)))
    rows = list(zip(group.tolist(), moment.tolist(), ids.to_pylist(), strict=True))
    assert [rows[i] for i in order] == sorted(rows)


def test_the_first_touch_after_a_moment_is_found_in_each_run():
    moments = np.array([1, 3, 3, 8, 2, 9])
    low, high = np.array([0, 0, 0, 4, 4, 6]), np.array([4, 4, 4, 6, 6, 6])
    limit = np.array([0, 3, 99, 1, 5, 5])
    assert until(moments, low, high, limit).tolist() == [0, 3, 4, 4, 5, 6]
