"""Least squares, and how far its values can be trusted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from simulator.chance import Floats

# A step that lowers the sum of squares by a smaller share than this is the last.
_GAIN: Final = 1e-3
# Two values whose figures move as alike as this cannot be told from each other.
_TIED: Final = 0.98
# A direction that moves the residuals by less, of values scaled to move them by 1, moves nothing.
_NOTHING: Final = 1e-8


def least_squares(
    residuals: Callable[[Floats], Floats],
    slopes: Callable[[Floats, Floats], Floats],
    start: Floats,
    *,
    limit: float,
    trials: int,
) -> tuple[Floats, Floats]:
    """Find where the sum of squares is least, by damped Gauss-Newton steps (Levenberg-Marquardt).

    Parameters
    ----------
    residuals : callable
        Residuals at some values.
    slopes : callable
        Derivatives of the residuals by the values, one column per value, given values and residuals there.
    start : ndarray of float64
        Where to begin.
    limit : float
        Values stay between ``-limit`` and ``limit``.
    trials : int
        Steps tried at most, 1 or more.

    Returns
    -------
    values : ndarray of float64
        The best found.
    jacobian : ndarray of float64
        The derivatives there.

    Notes
    -----
    A value at its limit that would leave it stays there for that step. The search ends before `trials` when a
    step gains less than a thousandth of the sum of squares.

    References
    ----------
    .. [1] D. W. Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", SIAM Journal
       on Applied Mathematics 11, 1963.
    """
    values, here = start, residuals(start)
    jacobian = slopes(values, here)
    damping = 1e-2
    for _ in range(trials):
        gradient = jacobian.T @ here
        free = np.flatnonzero((np.abs(values) < limit) | (np.sign(values) == np.sign(gradient)))
        curvature = jacobian[:, free].T @ jacobian[:, free]
        # Damping in proportion to the curvature does not depend on units; 1e-9 moves what moves nothing.
        damped = curvature + damping * np.diag(np.diag(curvature) + 1e-9)
        step = np.zeros(len(values))
        step[free] = np.linalg.solve(damped, -gradient[free])
        tried = np.clip(values + step, -limit, limit)
        there = residuals(tried)
        before, after = float(here @ here), float(there @ there)
        if after >= before:
            damping *= 8
            continue
        values, here = tried, there
        jacobian = slopes(values, here)
        damping /= 4
        if before - after < _GAIN * before:
            break
    return values, jacobian


def precision(jacobian: Floats, names: list[str]) -> tuple[dict[str, float], list[tuple[str, str]]]:
    """Return how far values found by `least_squares` can be trusted.

    Parameters
    ----------
    jacobian : ndarray of float64
        Derivatives of the residuals, which have a variance of 1, by the values, one column per value.
    names : list of str
        Names of the values.

    Returns
    -------
    errors : dict of str to float
        Standard error per value, infinite or huge where no residual tells it: where it moves none, or only as
        others do.
    ties : list of (str, str)
        Pairs that move the residuals alike.
    """
    lengths = np.linalg.norm(jacobian, axis=0)
    live = lengths > 1e-6
    errors = dict.fromkeys(names, math.inf)
    inside = np.flatnonzero(live)
    unit = jacobian[:, inside] / lengths[inside]
    if len(inside):
        # A pseudo-inverse would leave out directions that move nothing, as if they were told.
        _, found, directions = np.linalg.svd(unit)
        told = np.full(len(inside), _NOTHING)
        told[: len(found)] = np.maximum(found, _NOTHING)
        own = np.linalg.norm(directions / told[:, np.newaxis], axis=0) / lengths[inside]
        errors |= {names[place]: float(error) for place, error in zip(inside, own, strict=True)}
    likeness = np.abs(unit.T @ unit)
    ties = [
        (names[inside[i]], names[inside[j]])
        for i in range(len(inside))
        for j in range(i + 1, len(inside))
        if likeness[i, j] > _TIED
    ]
    return errors, ties
