"""Fitting a scenario to tables whose true parameters are known."""

import datetime as dt
import math

import numpy as np
import pytest
from scipy import stats

from simulator.calibrate import PARAMETERS, as_toml, fit, shifted
from simulator.least_squares import least_squares, precision
from simulator.market import World
from simulator.moments import FITTED, HELD_OUT, compute
from simulator.runs import mapper
from simulator.scenario import load
from simulator.write import tables

SMALL = {"warmup_days": 60, "tail_days": 0, "desk.reps": 0}
TRUE = {"asked": 0.8, "talk": 0.3, "phone": -0.5}


@pytest.fixture(scope="module")
def base():
    return load("plain", SMALL)


@pytest.fixture(scope="module")
def found(base):
    with mapper() as spread:
        data = tables(World(shifted(base, TRUE), 1000, 150, 77), spread)
        return fit(data, base, spread, accounts=1000, trials=3)


def test_parameters_are_found_again_within_their_errors(found):
    for name, true in TRUE.items():
        estimate, error = found.estimates[name]
        assert abs(estimate - true) < 4 * error, name
        assert name not in found.unidentified


def test_what_was_fitted_fits_and_what_was_held_out_is_reported(found):
    assert set(found.fitted) == set(FITTED)
    assert set(found.held_out) == set(HELD_OUT)
    off = [difference for _, _, difference in found.fitted.values()]
    # Each is given in its own errors, so the sum of their squares is that of a chi-squared test.
    assert stats.chi2.sf(np.square(off).sum(), len(off)) > 0.001


def test_the_fitted_scenario_is_a_file_that_says_what_cannot_be_known(found, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(as_toml(found), encoding="utf-8")
    assert load(path) == found.scenario
    text = path.read_text(encoding="utf-8")
    assert "Cannot be identified: the effects of campaigns" in text
    assert "standard error" in text


def test_least_squares_finds_the_bottom_of_rosenbrocks_valley_and_stops_at_a_limit():
    # Rosenbrock's function is the sum of these squares; its least is 0 at (1, 1).
    def residuals(at):
        return np.array([10.0 * (at[1] - at[0] ** 2), 1.0 - at[0]])

    def slopes(at, _):
        return np.array([[-20.0 * at[0], 10.0], [-1.0, 0.0]])

    start = np.array([-1.2, 1.0])
    found, jacobian = least_squares(residuals, slopes, start, limit=2.5, trials=100)
    assert found == pytest.approx([1.0, 1.0], abs=1e-3)
    assert (jacobian == slopes(found, None)).all()
    # Within half a unit the least is on the edge: (0.5, 0.25).
    found, _ = least_squares(residuals, slopes, np.array([-0.4, 0.4]), limit=0.5, trials=100)
    assert found == pytest.approx([0.5, 0.25], abs=1e-3)


def test_a_parameter_that_moves_nothing_is_called_unidentified():
    # Two figures, three parameters: the first moves the first figure, the second moves nothing, the third is
    # too weak.
    jacobian = np.array([[10.0, 0.0, 0.0], [0.0, 0.0, 0.5]])
    errors, ties = precision(jacobian, ["a", "b", "c"])
    assert errors["a"] == pytest.approx(0.1)
    assert errors["b"] == math.inf
    assert errors["c"] == pytest.approx(2.0)
    assert ties == []


def test_two_parameters_that_move_the_figures_alike_are_called_tied():
    jacobian = np.array([[10.0, 5.0], [4.0, 2.0], [0.0, 0.1]])
    assert precision(jacobian, ["a", "b"])[1] == [("a", "b")]


def numbers(tree):
    """List every number of a scenario, however deep."""
    if isinstance(tree, dict):
        return [number for branch in tree.values() for number in numbers(branch)]
    if isinstance(tree, list):
        return [number for branch in tree for number in numbers(branch)]
    return [tree] if isinstance(tree, int | float) else []


@pytest.mark.parametrize("name", list(PARAMETERS))
def test_no_shift_leaves_the_scenario_as_it_is(base, name):
    assert numbers(shifted(base, {name: 0.0}).model_dump()) == pytest.approx(numbers(base.model_dump()))


def test_tables_without_conversions_cannot_be_fitted_to(base):
    with mapper() as spread:
        data = tables(World(base, 20, 30, 1), spread)
        data["conversions"] = data["conversions"].slice(0, 0)
        with pytest.raises(ValueError, match="conversions is empty"):
            fit(data, base, spread)


def test_figures_by_pencil(base):
    with mapper() as spread:
        seen = tables(World(base, 200, 90, 3), spread)
    start = dt.datetime(2025, 1, 6, tzinfo=dt.UTC)
    figures = compute(seen, start, start + dt.timedelta(days=90))
    leads = [
        row
        for row in seen["conversions"].to_pylist()
        if row["goal"] == "lead" and row["converted_at"] >= start
    ]
    good = [
        row
        for row in seen["conversions"].to_pylist()
        if row["goal"] == "qualified" and row["converted_at"] >= start
    ]
    assert figures["qualified_rate"] == pytest.approx(
        len({row["account_id"] for row in good}) / len({row["account_id"] for row in leads})
    )
    calls = [row for row in seen["calls"].to_pylist() if row["account_id"] and row["started_at"] >= start]
    assert figures["calls_per_account"] == pytest.approx(
        math.log(len(calls) / len({row["account_id"] for row in calls}))
    )


def test_a_window_with_nothing_in_it_gives_no_figures(base):
    with mapper() as spread:
        seen = tables(World(base, 50, 30, 3), spread)
    never = dt.datetime(1999, 1, 1, tzinfo=dt.UTC)
    assert math.isnan(compute(seen, never, never + dt.timedelta(days=1))["talk_median"])
