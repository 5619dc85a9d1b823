"""The truth of a scenario is a mean over seeds; the best move is found on some and valued on others."""

import numpy as np
import pytest

from simulator.expectation import best_move, expect
from simulator.market import World
from simulator.moves import elsewhere
from simulator.runs import mapper
from simulator.scenario import load
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
    # Found on two seeds: (30 + 50) / 2 beats (80 - 20) / 2. Valued on the two others: (10 + 20) / 2.
    gains = [
        {("fair", "email"): 30, ("email", "fair"): 80},
        {("fair", "email"): 50, ("email", "fair"): -20},
        {("fair", "email"): 10, ("email", "fair"): 900},
        {("fair", "email"): 20, ("email", "fair"): 900},
    ]
    move, gain, error = best_move(gains, 2)
    assert (move, gain) == (("fair", "email"), 15.0)
    assert error == pytest.approx(5.0)
    losing = [{("fair", "email"): -1}, {("fair", "email"): 5}]
    assert best_move(losing, 1) == (None, 0.0, None)
    with pytest.raises(ValueError, match="both sides"):
        best_move(gains, 4)
