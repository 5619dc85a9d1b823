"""Figures about a row's path: its place, the path's length, sums; named once, worked out by each engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import narwhals as nw

PATH = "path"
"""The column that tells paths apart."""


@dataclass(frozen=True)
class Window:
    """A figure about the rows of one path.

    Parameters
    ----------
    how : {"place", "size", "so far", "sum", "max"}
        This row's place from 1; how many rows there are; the sum of `column` up to this row, and over all of
        them; its largest value.
    column : str, default PATH
        What is added up: whole numbers.
    key : str or None, default None
        For "size": only the rows that have the same source.
    """

    how: Literal["place", "size", "so far", "sum", "max"]
    column: str = PATH
    key: str | None = None

    def expression(self, order: str | Sequence[str]) -> nw.Expr:
        """Give the figure as a window function over rows in this order."""
        column = nw.col(self.column)
        within = (PATH, self.key) if self.key else (PATH,)
        match self.how:
            case "place":
                return column.cum_count().over(*within, order_by=order)
            case "size":
                return column.count().over(*within)
            case "so far":
                return column.cum_sum().over(*within, order_by=order)
            case "sum":
                return column.sum().over(*within)
            case "max":
                return column.max().over(*within)
