"""The simulated market on the command line."""

import json
import re

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from simulator.information import held
from simulator.scenario import load, names
from tracking.cli import ringtrail

QUICK = ["--accounts", "150", "--days", "90", "--set", "warmup_days=60", "--set", "tail_days=30"]
QUICK += ["--set", "desk.customer_calls_per_day=2", "--set", "desk.junk_per_day=1"]


@pytest.fixture
def run():
    return lambda *words: CliRunner().invoke(ringtrail, [str(word) for word in words])


def test_the_list_has_one_line_per_scenario_with_its_description(run):
    lines = run("simulate", "--list").output.splitlines()
    assert [line.split()[0] for line in lines] == names()
    assert all(len(line.split(maxsplit=1)[1]) > 10 for line in lines)


def test_simulating_writes_the_journey_tables_and_the_truth(run, tmp_path):
    result = run("simulate", "plain", "--out", tmp_path / "market", *QUICK)
    assert result.exit_code == 0, result.output
    assert "The spend of the window causes" in result.output
    truth = json.loads((tmp_path / "market" / "truth.json").read_text(encoding="utf-8"))
    assert truth["accounts"] == 150
    assert set(truth["campaigns"]) == set(
        pq.read_table(tmp_path / "market" / "costs.parquet")["campaign"].to_pylist()
    )
    for table in (
        "touches",
        "conversions",
        "answers",
        "calls",
        "visits",
        "accounts",
        "contacts",
        "truth_deals",
    ):
        assert pq.read_table(tmp_path / "market" / f"{table}.parquet").num_rows > 0


def test_as_json_the_whole_truth_is_printed(run, tmp_path):
    result = run(
        "simulate", "one-touch", "--out", tmp_path, "--accounts", "100", "--json", "--truth", "shapley"
    )
    report = json.loads(result.output)
    assert report["truth"]["shapley"] == "exact"
    assert report["rows"]["accounts"] == 100


def test_without_truth_only_the_tables_are_written(run, tmp_path):
    assert run("simulate", "plain", "--out", tmp_path, "--truth", "none", *QUICK).exit_code == 0
    assert not (tmp_path / "truth.json").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["simulate"], "--list"),
        (["simulate", "atlantis", "--out", "x"], "one of"),
        (["simulate", "supplier", "--out", "x", "--set", "desk.reps=many"], "KEY=VALUE"),
        (["simulate", "supplier", "--out", "x", "--set", "desk.reps=-1"], "desk.reps = -1"),
    ],
)
def test_what_cannot_be_simulated_is_refused_with_the_remedy(run, words, told):
    result = run(*words)
    assert result.exit_code == 2
    assert told in result.output


def test_a_pool_is_sized_with_theory_beside_simulation(run, tmp_path):
    chart = tmp_path / "pool.json"
    result = run("size-pool", "--views-per-hour", 60, "--delay-minutes", 6, "--chart", chart)
    assert result.output.startswith("13 numbers keep")
    assert json.loads(chart.read_text(encoding="utf-8"))["data"]["values"][0]["by"] == "theory"


def test_a_desk_is_sized_as_json(run):
    result = run("size-desk", "--calls-per-hour", 30, "--talk-minutes", 4, "--json")
    sized = json.loads(result.output)
    assert sized["needed"] == 5
    assert {size["people"] for size in sized["sizes"]} >= {4, 5, 6}


def test_a_desk_with_a_queue_is_sized_by_who_has_to_wait(run):
    told = run("size-desk", "--calls-per-hour", 30, "--talk-minutes", 4, "--queue").output
    assert told.startswith("6 people keep the share of callers who have to wait at or below 5.00%.")
    # Erlang C: a share of 0.0180 waits, 240 / (6 - 2) seconds each.
    assert "Callers wait 1.1 s on average" in told


def test_a_chart_is_a_picture_too(run, tmp_path):
    for name, begins in (("desk.png", b"\x89PNG\r\n\x1a\n"), ("desk.svg", b"<svg")):
        assert run("size-desk", "--calls-per-hour", 30, "--chart", tmp_path / name).exit_code == 0
        assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_chart_of_unknown_kind_is_refused(run, tmp_path):
    result = run("size-desk", "--calls-per-hour", 30, "--chart", tmp_path / "desk.bmp")
    assert result.exit_code == 2


def test_models_are_scored_on_what_was_written(run, tmp_path):
    run("simulate", "plain", "--out", tmp_path, *QUICK, "--set", "desk.reps=0")
    table = run("score", tmp_path, "--no-regret")
    assert table.exit_code == 0, table.output
    assert "first-touch" in table.output
    assert "trade fair" in table.output
    assert "Regret" not in table.output
    found = json.loads(run("score", tmp_path, "--seeds", 2, "--json").output)
    assert found["seeds"] == 2
    assert len(found["truth"]) == 9
    assert found["allocation"] == "shapley"
    assert found["shapley"] == "16 permutations"
    assert len(found["models"]) == 16
    assert all(entry["followed"]["gain_se"] is None for entry in found["models"])
    assert [entry["name"] for entry in found["nulls"]] == ["leave", "random", "spend"]


def test_what_needs_no_model_stands_beside_the_models(run, tmp_path):
    run("simulate", "placebo", "--out", tmp_path, *QUICK)
    told = run("score", tmp_path, "--seeds", 3).output
    assert "mean over 3 seeds" in told
    assert "divided among them by Shapley values, 16 permutations" in told
    for row in ("(leave the budget as it is)", "(a random move)", "(by share of spend)"):
        assert row in told
    # Where campaigns do nothing, no move gains anything.
    assert "Does the model's move beat leaving the budget as it is? No: " in told


def test_without_shapley_values_the_score_says_what_it_goes_by(run, tmp_path):
    assert run("simulate", "one-touch", "--out", tmp_path, "--truth", "removal", *QUICK).exit_code == 0
    told = run("score", tmp_path, "--no-regret").output
    assert "removals scaled to their joint effect, since no Shapley values were simulated" in told
    assert (
        json.loads(run("score", tmp_path, "--no-regret", "--json").output)["allocation"] == "scaled removal"
    )


def test_an_effect_below_zero_is_told_with_its_cause_in_figures(run, tmp_path):
    crowded = ["--set", "desk.reps=1", "--set", "desk.lines=1", "--set", "campaigns.email.idle_enquiry=1.0"]
    crowded += ["--set", "campaigns.email.lift={}", "--set", "campaigns.email.per_year=60", "--set"]
    small = ["--accounts", "400", *QUICK[2:], "--truth", "removal"]
    result = run("simulate", "plain", "--out", tmp_path, *small, *crowded, "contact.phone=0.65")
    assert result.exit_code == 0, result.output
    email = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))["campaigns"]["email"]
    loss = email["removal"]["margin_minor"]
    assert loss < 0
    assert email["below_zero"]["removal"]["waiting"] == loss
    words = " ".join(result.output.split())
    told = f"email, removal: {loss / 100:+,.2f}, of which {loss / 100:+,.2f} because others wait"
    assert told in words
    assert "and +0.00 with nobody waiting" in words


def test_the_truth_is_averaged_over_seeds_where_asked(run, tmp_path):
    small = ["--accounts", "80", *QUICK[2:], "--truth", "removal", "--set", "desk.reps=0", "--seeds", "2"]
    result = run("simulate", "one-touch", "--out", tmp_path, *small)
    assert result.exit_code == 0, result.output
    assert "Average over 2 seeds, removal" in result.output
    found = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))["expectation"]
    assert found["seeds"] == 2
    assert found["campaigns"]["email"]["removal"]["margin_minor_se"] >= 0


def test_scoring_an_empty_directory_names_what_is_missing(run, tmp_path):
    result = run("score", tmp_path)
    assert result.exit_code == 2
    assert "scenario.json" in result.output


def test_a_market_is_built_from_tables_and_decided_on(run, tmp_path):
    few = ["--accounts", "60", "--seed", "3", "--truth", "none", "--set", "desk.reps=0"]
    run("simulate", "plain", "--out", tmp_path, *few)
    mine = tmp_path / "mine.toml"
    result = run("market", "fit", tmp_path, "--accounts", "60", "--trials", "1", "--out", mine)
    assert result.exit_code == 0, result.output
    assert "held out" in result.output
    assert re.search("The market (describes your data|does not describe your data in)", result.output)
    assert "Cannot be identified: the effects of campaigns" in result.output
    assert load(mine).accounts == 60
    result = run("market", "decide", tmp_path, mine, "--draws", "2", "--role", "close")
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert words.startswith("Better than leaving the budget: ")
    assert "a random move" in words
    assert "more than 3 standard errors off" in words
    assert "Margin lost in a year without each campaign, under these beliefs" in words
    assert f"In {held()['markets']} other simulated markets such ranges held" in words
    assert "Lowest, if you believed" in words
    assert "Which test would change the decision most" in words
    assert "Left out of moves, fixed costs only, such as bookings: directory, webinar." in words


def test_tables_that_are_not_there_cannot_be_fitted_to(run, tmp_path):
    result = run("market", "fit", tmp_path, "--out", tmp_path / "mine.toml")
    assert result.exit_code == 2
    assert "conversions.parquet" in result.output


def test_a_market_that_was_not_built_from_tables_is_not_decided_on(run, tmp_path):
    run("simulate", "plain", "--out", tmp_path, "--accounts", "20", "--truth", "none")
    many = tmp_path / "many.toml"
    many.write_text('extends = "supplier"', encoding="utf-8")
    result = run("market", "decide", tmp_path, many)
    assert result.exit_code == 2
    assert "make it by `market fit`" in result.output
