"""From shares to whole minor units that add up to the deal, to the cent, on every engine.

A path of n touches is cut at the cumulative shares F(0) = 0, F(1), ..., F(n) = 1. The credit of touch k is
round(value x F(k)) - round(value x F(k-1)): the sum over the path telescopes to the value, whatever F is.

Engines disagree about integer division, decimals and the order in which they add floating-point numbers, and
agree about the four basic operations of IEEE 754 on doubles. Everything here is therefore basic operations
on doubles that hold whole numbers below 2^53, where each step is exact or correctly rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import narwhals as nw

UNIT = 2**40
"""Weights are summed in whole parts of 2^-40 (about 1e-12), so that a sum does not depend on its order."""

LARGEST_DENOMINATOR = 2**26
"""Fractions p/q are cut exactly while 2q² + q stays below 2^53."""


def whole_column(divisor: nw.Expr) -> nw.Expr:
    """Keep `divisor` from being folded into one number where it happens to be the same in every row.

    Polars divides by a single number by multiplying with its reciprocal, which is not correctly rounded.
    """
    return nw.col("k") * 0.0 + divisor


class Cut(Protocol):
    """The part of a path's credit that belongs to one row."""

    def weight(self) -> nw.Expr:
        """Give the row's weight between 0 and 1."""

    def units(self) -> nw.Expr:
        """Give the row's weight in whole parts of 2^-40, which add up to 2^40 over the path."""

    def credit(self, size: nw.Expr, sign: nw.Expr) -> nw.Expr:
        """Give the row's credit in minor units, for a value of `size` (float64, whole, >= 0) times `sign`."""


@dataclass(frozen=True)
class Winner:
    """All of the credit where `won` holds, nothing elsewhere."""

    won: nw.Expr

    def weight(self) -> nw.Expr:
        """Give 1 or 0."""
        return nw.when(self.won).then(nw.lit(1.0)).otherwise(nw.lit(0.0))

    def units(self) -> nw.Expr:
        """Give 2^40 or 0."""
        return nw.when(self.won).then(nw.lit(UNIT)).otherwise(nw.lit(0)).cast(nw.Int64)

    def credit(self, size: nw.Expr, sign: nw.Expr) -> nw.Expr:
        """Give the value or 0."""
        return nw.when(self.won).then(size * sign).otherwise(nw.lit(0.0)).cast(nw.Int64)


@dataclass(frozen=True)
class Share:
    """The interval (before, after] out of total.

    Parameters
    ----------
    before, after, total : narwhals.Expr
        Whole numbers as float64, 0 <= before <= after <= total, total > 0.
    exact : bool
        True where total stays below ``LARGEST_DENOMINATOR``: credit is then the exact rounding of a
        fraction. False for weights that are irrational anyway (a power of one half): the share is then the
        nearest double, and still the same on every engine.
    scale, offset : narwhals.Expr or None, default None
        The part of the whole to which the interval belongs, and where that part begins; multiples of 2^-20
        with scale + offset <= 1. None stands for 1 and 0. Never exact.
    """

    before: nw.Expr
    after: nw.Expr
    total: nw.Expr
    exact: bool
    scale: nw.Expr | None = None
    offset: nw.Expr | None = None

    def weight(self) -> nw.Expr:
        """Give the length of the interval."""
        length = (self.after - self.before) / self.total
        return length if self.scale is None else length * self.scale

    def units(self) -> nw.Expr:
        """Give the length of the interval, cut as if the value were 2^40."""
        unit = nw.lit(float(UNIT))
        return (self._nearest(unit, self.after) - self._nearest(unit, self.before)).cast(nw.Int64)

    def credit(self, size: nw.Expr, sign: nw.Expr) -> nw.Expr:
        """Cut the value at both ends of the interval.

        Halves are rounded away from zero, so that a refund takes back exactly what the deal had given.
        """
        cut = self._fraction if self.exact else self._nearest
        return ((cut(size, self.after) - cut(size, self.before)) * sign).cast(nw.Int64)

    def _nearest(self, size: nw.Expr, end: nw.Expr) -> nw.Expr:
        reached = end / self.total
        if self.scale is not None and self.offset is not None:
            reached = reached * self.scale + self.offset
        return (reached * size + 0.5).floor()

    def _fraction(self, size: nw.Expr, end: nw.Expr) -> nw.Expr:
        # size x end can exceed 2^53: whole multiples of total are taken out first, and the numerator that
        # remains is at most 2 total² + total.
        quotient = (size / self.total).floor()
        rest = size - quotient * self.total
        return quotient * end + ((rest * end * 2.0 + self.total) / (self.total * 2.0)).floor()
