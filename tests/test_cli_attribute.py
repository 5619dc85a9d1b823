"""The engine on files from a terminal, without any database."""

import json

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from tests.attribution.journey import path, tables
from tracking.cli import ringtrail


@pytest.fixture
def files(tmp_path):
    """Borealis Foods met at the fair and called; Cobalt Mining came from nowhere."""
    touches, conversions = tables(
        path("fair > search > call", 100_01), path("", 500, account="Cobalt Mining", currency="SEK")
    )
    pq.write_table(touches, tmp_path / "touches.parquet")
    pyarrow.csv.write_csv(conversions, tmp_path / "conversions.csv")
    return [
        "--touches",
        str(tmp_path / "touches.parquet"),
        "--conversions",
        str(tmp_path / "conversions.csv"),
    ]


def run(*arguments):
    return CliRunner().invoke(ringtrail, [str(argument) for argument in arguments])


def test_credit_by_campaign_as_json(files):
    result = run("attribute", *files, "--model", "first-touch", "--format", "json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == [
        {
            "model": "first-touch",
            "campaign": name,
            "currency": currency,
            "conversions": share,
            "credit_minor": credit,
        }
        for name, currency, share, credit in [
            ("(unattributed)", "SEK", 1.0, 500),
            ("call", "EUR", 0.0, 0),
            ("fair", "EUR", 1.0, 10001),
            ("search", "EUR", 0.0, 0),
        ]
    ]


def test_credits_per_touch_as_parquet_add_up(files, tmp_path):
    out = tmp_path / "credits.parquet"
    result = run("attribute", *files, "--model", "linear", "--by", "touch", "-o", out)
    assert result.exit_code == 0, result.output
    credits = pq.read_table(out)
    assert credits.column_names[:7] == [
        "model",
        "conversion_id",
        "touch_id",
        "campaign",
        "channel",
        "weight",
        "credit_minor",
    ]
    assert sorted(credits["credit_minor"].to_pylist()) == [500, 3333, 3334, 3334]


def test_a_table_for_people_and_a_file_for_machines(files, tmp_path):
    assert "first-touch" in run("attribute", *files).stdout
    out = tmp_path / "credit.csv"
    assert run("attribute", *files, "--by", "channel", "-o", out).exit_code == 0
    assert pyarrow.csv.read_csv(out).column_names == [
        "model",
        "channel",
        "currency",
        "conversions",
        "credit_minor",
    ]


def test_lookback_for_all_and_per_channel(files):
    common = ["attribute", *files, "--model", "first-touch", "--format", "json"]
    assert credited(run(*common, "--lookback", "1.5")) == {"call": 10001, "(unattributed)": 500}
    found = credited(run(*common, "--lookback", "1.5", "--lookback", "fair=30"))
    assert found == {"fair": 10001, "(unattributed)": 500}


def credited(result):
    assert result.exit_code == 0, result.output
    return {row["campaign"]: row["credit_minor"] for row in json.loads(result.stdout) if row["credit_minor"]}


def test_returns_and_intervals(files, tmp_path):
    costs = tmp_path / "costs.csv"
    costs.write_text(
        "campaign,channel,period_start,period_end,amount_minor,currency,category,direct\n"
        "fair,fair,2026-03-01,2026-04-01,5000,EUR,stand,true\n"
    )
    with_costs = ["attribute", *files, "--model", "first-touch", "--costs", costs, "--format", "json"]
    rows = {row["campaign"]: row for row in json.loads(run(*with_costs).stdout)}
    assert rows["fair"]["roi"] == pytest.approx((10001 - 5000) / 5000)
    assert rows["call"]["roi"] is None
    result = run(*with_costs, "--intervals", 50)
    drawn = {row["campaign"]: row for row in json.loads(result.stdout)}
    assert 0 < drawn["fair"]["credit_low"] < 10001 < drawn["fair"]["credit_high"]
    assert "Every model puts" in result.stderr
    assert run(*with_costs, "--by", "kind").exit_code == 2


def test_time_decay_asks_for_a_half_life(files):
    result = run("attribute", *files, "--model", "time-decay")
    assert result.exit_code == 2
    assert "half_life_days" in result.stderr
    assert run("attribute", *files, "--model", "time-decay", "--half-life", 7).exit_code == 0


def test_bad_rows_end_in_one_line_with_the_row(files, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text(
        "conversion_id,account_id,converted_at,value_minor,currency\nc1,Drift,2026-03-02T10:00:00,1,EUR\n"
    )
    result = run("attribute", files[0], files[1], "--conversions", bad)
    assert result.exit_code == 2
    assert "conversions, row 1, column converted_at" in result.stderr
    assert "time zone" in result.stderr


def test_parquet_needs_a_file_and_a_window_needs_days(files):
    assert run("attribute", *files, "--format", "parquet").exit_code == 2
    assert "NAME=DAYS" in run("attribute", *files, "--lookback", "soon").stderr


def test_explain_shows_each_touch_under_each_model(files):
    result = run(
        "explain",
        "Borealis Foods order",
        *files,
        "--model",
        "linear",
        "--model",
        "last-touch",
        "--format",
        "json",
    )
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [(row["model"], row["channel"], round(row["weight"], 2)) for row in rows] == [
        ("linear", "fair", 0.33),
        ("linear", "search", 0.33),
        ("linear", "call", 0.33),
        ("last-touch", "fair", 0.0),
        ("last-touch", "search", 0.0),
        ("last-touch", "call", 1.0),
    ]
    assert run("explain", "no such order", *files).exit_code == 2


def test_every_setting_of_a_model_has_its_option(files):
    def shares(*arguments, by="channel"):
        result = run("attribute", *files, "--by", by, "--format", "json", *arguments)
        assert result.exit_code == 0, result.output
        return {row[by]: row["credit_minor"] for row in json.loads(result.stdout) if row["currency"] == "EUR"}

    custom = ["--model", "custom", "--share", "first=3", "--share", "last=1"]
    assert shares(*custom) == {"call": 2500, "fair": 7501, "search": 0}
    middle = ["--model", "custom", "--share", "first=1", "--share", "middle=1", "--no-middle", "equal"]
    assert shares(*middle) == {"call": 2500, "fair": 5001, "search": 2500}
    # No lead is known: 40 for the fair and 20 for the others, of 60.
    spread = {"call": 1667, "fair": 6667, "search": 1667}
    assert shares("--model", "u-shaped", "--missing", "spread") == spread
    total = ["--model", "markov", "--order", 2, "--allocation", "total", "--states", "campaign"]
    assert shares(*total, by="campaign") == {"call": 3334, "fair": 3333, "search": 3334}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lookback", "serch=3"], "'serch' is neither a channel of these touches nor a kind"),
        (["--order", "2"], "need --model markov"),
        (["--share", "first=1"], "need --model custom"),
        (["--model", "linear", "--missing", "spread"], "need a position-based model"),
        (["--model", "custom"], "custom needs its shares"),
        (["--model", "custom", "--share", "fist=1"], "'fist' is not a position"),
        (["--model", "custom", "--share", "first"], "POSITION=PARTS"),
    ],
)
def test_a_setting_that_would_change_nothing_is_refused(files, arguments, message):
    result = run("attribute", *files, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
