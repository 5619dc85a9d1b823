"""Spark gives what DuckDB gives, to the cent and to the row, for every model."""

import importlib.util
import os

import pyarrow.parquet as pq
import pytest

from attribution import JourneyError, TimeDecay
from tests.attribution.oddities import assert_reads_sound_files_itself, assert_same, oddities, run

# The Java side closes its sockets when it pleases.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def world():
    return oddities()


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
        # What runs for seconds is worth neither the best code nor threads that collect garbage.
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        # Compiling each query costs seconds, the rows at hand a millisecond.
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
        .config("spark.sql.adaptive.enabled", "false")
        .getOrCreate()
    )
    yield session
    session.stop()


def test_spark_gives_what_duckdb_gives_touch_by_touch(world, spark):
    assert_same(run(world, spark), run(world, "duckdb"))


def test_spark_gives_what_duckdb_gives_by_campaign(world, spark):
    models = ["linear", "w-shaped", TimeDecay(7), "markov", "shapley", "self-reported", "hybrid"]
    options = {"lookback_days": {"fair": 60, "*": 45}, "models": models}
    assert_same(run(world, spark, "campaign", **options), run(world, "duckdb", "campaign", **options))


def test_spark_writes_the_credits_itself(world, spark, tmp_path):
    models = ["linear", "hybrid"]
    assert run(world, spark, models=models, output=tmp_path / "credits.parquet").num_rows == 0
    written = pq.read_table(tmp_path / "credits.parquet")
    assert sorted(written.to_pylist(), key=str) == sorted(
        run(world, "duckdb", models=models).to_pylist(), key=str
    )


def test_spark_reads_a_sound_file_without_bringing_its_rows_to_the_driver(
    world, spark, tmp_path, monkeypatch
):
    assert_reads_sound_files_itself(world, spark, tmp_path, monkeypatch)


def test_spark_names_the_row_of_a_file_that_breaks_the_contract(world, spark, tmp_path):
    kinds = world[0]["kind"].to_pylist()
    kinds[6] = "letter"
    broken = world[0].set_column(world[0].column_names.index("kind"), "kind", [kinds])
    pq.write_table(broken, tmp_path / "touches.parquet")
    with pytest.raises(JourneyError, match="touches, row 7, column kind: 'letter' is not a known kind"):
        run([tmp_path / "touches.parquet", *world[1:]], spark, "campaign", models=["linear"])
