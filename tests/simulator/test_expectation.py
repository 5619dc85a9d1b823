"""The truth of a scenario is a mean over seeds; the best move is found on some and valued on others."""

import numpy as np
import pytest

from simulator.expectation import best_elsewhere, expect, followed, over_seeds
from simulator.market import World
from simulator.moves import elsewhere, moves
from simulator.runs import mapper
from simulator.scenario import load
from simulator.score import true_errors, true_margin, true_whole
from simulator.truth import find

SMALL = {"desk.reps": 0, "warmup_days": 60, "tail_days": 60}


def test_the_expectation_is_the_mean_over_seeds_with_its_standard_error():
    world = World(load("plain", SMALL), 200, 90, 4)
    with mapper() as spread:
        found = expect(world, spread, 3)
        reports = [find(each, spread).report for each in (world, elsewhere(world, 1), elsewhere(world, 2))]
    assert found["seeds"] == 3
    removals = [report["campaigns"]["search_ads"]["removal"]["margin_minor"] for report in reports]
    told = found["campaigns"]["search_ads"]["removal"]
    assert told["margin_minor"] == pytest.approx(np.mean(removals), abs=0.01)
    assert told["margin_minor_se"] == pytest.approx(np.std(removals, ddof=1) / np.sqrt(3), abs=0.01)
    assert found["window"]["orders"] == pytest.approx(
        np.mean([r["window"]["orders"] for r in reports]), abs=0.01
    )


def test_a_placebo_causes_nothing_under_any_seed():
    world = World(load("placebo", {"warmup_days": 60, "tail_days": 0}), 100, 90, 1)
    with mapper() as spread:
        found = expect(world, spread, 2)
    for campaign in found["campaigns"].values():
        assert campaign["removal"] == {"margin_minor": 0.0, "margin_minor_se": 0.0}


def test_one_seed_has_no_standard_error():
    with mapper() as spread, pytest.raises(ValueError, match="at least 2"):
        expect(World(load("plain"), 10, 30, 1), spread, 1)


def test_the_best_move_is_valued_where_it_was_not_found():
    fair, email = ("fair", "email"), ("email", "fair")
    gains = [{fair: 30, email: 80}, {fair: 50, email: -20}, {fair: 10, email: 20}, {fair: 30, email: 10}]
    # On the others of each seed: 90 against 110, 70 against 90, 110 against 70, 90 against 80.
    assert [best_elsewhere(gains, seed) for seed in range(4)] == [30, -20, 10, 30]
    found = followed(gains, lambda each: each[email])
    # Valued on all but the first: -20, 20 and 10; the best gains nothing more, 10 less and 20 more.
    assert found.gain == pytest.approx(10 / 3)
    assert found.regret == pytest.approx(10 / 3)
    assert found.gain_se == pytest.approx(np.std([-20, 20, 10], ddof=1) / np.sqrt(3))
    # Chosen on none of them, it is valued on all.
    assert followed(gains, lambda each: each[email], chosen_on=0).gain == pytest.approx(22.5)


def test_where_no_move_gains_elsewhere_the_best_is_to_leave_the_budget():
    assert best_elsewhere([{("fair", "email"): 5}, {("fair", "email"): -1}], 0) == 0


def test_a_score_is_taken_over_seeds_by_the_allocation_of_the_truth():
    world = World(load("plain", SMALL), 150, 90, 4)
    with mapper() as spread:
        one = find(world, spread, permutations=2).report
        report, gains = over_seeds(world, one, spread, 2)
        again, without = over_seeds(world, report, spread, 2, regret=False)
        alone = over_seeds(world, one, spread, 1)
        here = moves(world, spread)
    assert report["expectation"]["seeds"] == 2
    assert gains[0] == here
    assert len(gains) == 2
    assert (again, without) == (report, None)
    assert alone == (one, None)
    shares = true_margin(report)
    told = {name: entry["shapley"] for name, entry in report["expectation"]["campaigns"].items()}
    assert shares == {name: round(each["margin_minor"]) for name, each in told.items()}
    assert true_errors(report) == {name: each["margin_minor_se"] for name, each in told.items()}
    assert true_errors(one) is None
    assert true_whole(report) == report["expectation"]["window"]["margin_minor"]
    assert true_whole(one) == one["window"]["margin_minor"]
