"""From weights to whole minor units that add up to the deal, to the cent.

A path of n touches is cut at the cumulative shares F(0) = 0, F(1), ..., F(n) = 1. The credit of touch k is
round(value x F(k)) - round(value x F(k-1)): the sum over the path telescopes to the value, whatever F is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from attribution.paths import Paths, Whole

Floats = npt.NDArray[np.float64]

UNIT = 2**40
"""Parts of a conversion are summed in whole parts of 2^-40 (about 1e-12): no sum depends on its order."""

EXACT = 2**26
"""Below this sum of weights a cut is the exact rounding of a fraction p/q, for which 2q² + q must stay below
2^53; above, of the nearest double."""


def whole(weights: Floats, paths: Paths) -> Whole:
    """Turn weights between 0 and 1 into whole numbers that add up to at most 2^52 in a path."""
    found: Whole = np.floor(weights * (2.0**52 / paths.size)[paths.path]).astype(np.int64)
    return found


class Cut:
    """What each touch of some paths gets.

    Parameters
    ----------
    paths : Paths
        The paths, R rows in P of them.
    weights : ndarray of int64, shape (R,)
        Zero or more, adding up to less than 2^53 in a path. Shares are in proportion. Nothing but zeros says
        nothing about the touches: they share equally.
    scale : ndarray of float or None, shape (P,)
        The part of each path's value that its touches share, a multiple of 2^-20; None is all of it.
    """

    def __init__(self, paths: Paths, weights: Whole, scale: Floats | None = None) -> None:
        total = paths.total(weights)
        if not total.all():
            weights = np.where(total[paths.path] == 0, 1, weights)
            total = paths.total(weights)
        # Over several paths the sum may run over: differences are right all the same.
        running = np.cumsum(weights)
        running -= (running[paths.first] - weights[paths.first])[paths.path]
        self._paths, self._weights = paths, weights
        self._reached, self._total = running.astype(float), total.astype(float)
        self._winner = scale is None and bool((total == 1).all())  # one touch has it all
        self._exact = total < (EXACT if scale is None else 0)
        self._scale: Any = 1.0 if scale is None else scale[paths.path]

    def weight(self) -> Floats:
        """Give each row's share of the conversion, 0 to 1."""
        found: Floats = self._weights / self._total[self._paths.path] * self._scale
        return found

    def units(self) -> Whole:
        """Give each row's share in parts of 2^-40, adding up to `UNIT` (or its scaled part) over a path."""
        if self._winner:
            return self._weights * UNIT
        return self._differences(np.floor(self._share() * UNIT + 0.5))

    def credit(self, value: Whole) -> Whole:
        """Cut each path's value, minor units; halves round away from zero.

        So a refund takes back exactly what the deal had given.
        """
        path = self._paths.path
        if self._winner:
            return self._weights * value[path]
        size = np.abs(value).astype(float)
        if self._exact.all():
            cuts = self._fraction(size)
        else:
            cuts = np.floor(self._share() * size[path] + 0.5)
            if self._exact.any():
                cuts = np.where(self._exact[path], self._fraction(size), cuts)
        return self._differences(cuts) * np.where(value < 0, -1, 1)[path]

    def _share(self) -> Floats:
        found: Floats = self._reached / self._total[self._paths.path] * self._scale
        return found

    def _fraction(self, size: Floats) -> Floats:
        # size x reached can exceed 2^53: whole multiples of the total are taken out first.
        path, quotient = self._paths.path, np.floor(size / self._total)
        rest = 2.0 * (size - quotient * self._total)
        part = rest[path] * self._reached
        part += self._total[path]
        part /= (2.0 * self._total)[path]
        found: Floats = np.floor(part, out=part) + quotient[path] * self._reached
        return found

    def _differences(self, cuts: Floats) -> Whole:
        reached = cuts.astype(np.int64)
        given = reached.copy()
        given[1:] -= reached[:-1]
        given[self._paths.first] = reached[self._paths.first]
        return given


def added_up(cell: Whole, amounts: Whole, cells: int) -> Whole:
    """Add whole numbers up by cell, exactly: doubles hold the halves of 64 bits, not all of them."""
    low = np.bincount(cell, amounts & (2**32 - 1), cells)
    high = np.bincount(cell, amounts >> 32, cells)
    return (high.astype(np.int64) << 32) + low.astype(np.int64)
