"""The search for the least sum of squares, and what it says of its precision."""

import math

import numpy as np
import pytest

from simulator.least_squares import least_squares, precision


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


def test_values_that_only_their_sum_is_told_of_have_no_error_and_leave_the_others_theirs():
    # The figures tell the sum of a and b, and c with an error of 1/4.
    for nearly in (0.0, 1e-9):
        jacobian = np.array([[10.0, 10.0, 0.0], [3.0, 3.0 + nearly, 0.0], [0.0, 0.0, 4.0]])
        errors, ties = precision(jacobian, ["a", "b", "c"])
        assert min(errors["a"], errors["b"]) > 1e5
        assert errors["c"] == pytest.approx(0.25)
        assert ties == [("a", "b")]


def test_two_figures_tell_no_three_values():
    errors, _ = precision(np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), ["a", "b", "c"])
    assert min(errors.values()) > 1e5


def test_errors_are_the_roots_of_the_inverse_of_the_curvature():
    jacobian = np.array([[2.0, 1.0], [0.0, 1.0], [1.0, -1.0]])
    inverse = np.linalg.inv(jacobian.T @ jacobian)
    errors, _ = precision(jacobian, ["a", "b"])
    assert list(errors.values()) == pytest.approx(list(np.sqrt(np.diag(inverse))))


def test_two_parameters_that_move_the_figures_alike_are_called_tied():
    jacobian = np.array([[10.0, 5.0], [4.0, 2.0], [0.0, 0.1]])
    assert precision(jacobian, ["a", "b"])[1] == [("a", "b")]
