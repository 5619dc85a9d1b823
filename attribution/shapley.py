"""Shapley attribution: what each channel adds on average to the coalitions it joins.

The unique-channel form shares each conversion equally among the channels of its path; it is the Shapley value
of the game that counts the conversions whose channels all lie within a coalition. The coalition form values
a set of channels by the conversion rate of the accounts that met exactly these channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from attribution.counts import UNKNOWN, Weights, counted, figures, joined, parted, tallied
from attribution.credit import whole
from attribution.journeys import JourneyError
from attribution.paths import Journeys, Paths, Whole
from attribution.rules import Model

MOST_PLAYERS = 20
MOST_BITS = 62
"""So many sources of some accounts are counted in sets; beyond, solve() refuses them anyway."""

Players = Literal["channel", "campaign"]


@dataclass(frozen=True, kw_only=True)
class Shapley(Model):
    """An equal part of each conversion to every channel in its path, however often it occurs.

    Parameters
    ----------
    players : {"channel", "campaign"}, default "channel"
        Who shares. The touches of one player share its part equally.

    References
    ----------
    .. [1] K. Zhao, S. H. Mahboobi, S. R. Bagheri, "Shapley value methods for attribution modeling in online
       advertising", arXiv:1804.05327, 2018.

    Examples
    --------
    >>> Shapley(players="campaign").name
    'shapley'
    """

    players: Players = "channel"
    called: str = field(default="shapley", init=False)

    def __post_init__(self) -> None:
        self.check("players", "channel", "campaign")

    @property
    def reads(self) -> frozenset[str]:
        """Names of the touches' columns that the model reads."""
        return frozenset({self.players})

    def weigh(self, paths: Paths) -> Whole:
        """Give every source the same weight, divided among its touches."""
        alike = paths.alike(paths.code(self.players), len(paths.of.names[self.players]))
        return whole(1.0 / alike, paths)


@dataclass(frozen=True, kw_only=True)
class ShapleyCoalitions(Model):
    """The Shapley value of the conversion rates of the observed sets of channels, for up to 20 channels.

    Parameters
    ----------
    unseen : {"within", "zero"}, default "within"
        The rate of a set of channels that no account met exactly: the rate of all accounts whose channels
        lie within it, or 0.
    players : {"channel", "campaign"}, default "channel"
        Who shares.

    Notes
    -----
    Values below zero (a channel found where rates are lower) count as zero when credit is shared. Each
    conversion is shared over the channels in its own path in proportion to their values.

    Counts: a key holds the set of sources that a path met, in alphabetical order; how many paths met exactly
    these, and how many of them converted.

    Examples
    --------
    >>> ShapleyCoalitions(unseen="zero").name
    'shapley-coalitions'
    """

    unseen: Literal["within", "zero"] = "within"
    players: Players = "channel"
    fitted: ClassVar[bool] = True
    everyone: ClassVar[bool] = True
    called: str = field(default="shapley-coalitions", init=False)

    def __post_init__(self) -> None:
        self.check("unseen", "within", "zero")
        self.check("players", "channel", "campaign")

    @property
    def reads(self) -> frozenset[str]:
        """Names of the touches' columns that the model reads."""
        return frozenset({self.players})

    def count(self, journeys: Journeys, *, apart: bool = False) -> pa.Table:
        """Count paths and conversions per set of sources met."""
        names = [name or UNKNOWN for name in journeys.names[self.players]]
        bit = np.arange(len(names))
        if len(names) > MOST_BITS:
            met = np.zeros(len(names), bool)
            for paths in journeys.everyone():
                met[paths.code(self.players)] = True
            bit, names = np.cumsum(met) - 1, list(compress(names, met))
            if len(names) > MOST_BITS:
                return counted(self.shown, [joined(names)], *np.array([[1], [0], [0]]))

        def sets(paths: Paths) -> tuple[Whole, Whole, Whole]:
            masks = np.bitwise_or.reduceat(np.int64(1) << bit[paths.code(self.players)], paths.first)
            return np.arange(len(masks)), masks, np.ones(len(masks), bool)

        def keys(masks: Whole) -> pa.Array:
            met = ({name for i, name in enumerate(names) if mask >> i & 1} for mask in masks.tolist())
            return pa.array([joined(sorted(some)) for some in met], pa.string())

        return tallied(journeys, self.shown, sets, keys, 2 ** len(names), apart=apart)

    def solve(self, counts: pa.Table) -> Weights:
        """Value the sets."""
        sets = [parted(key) for key in counts["key"].to_pylist()]
        players = sorted(set().union(*sets))
        bit = {name: 1 << i for i, name in enumerate(players)}
        times, won, _ = figures(counts)
        masks = [sum(bit[name] for name in names) for names in sets]
        met = dict(zip(masks, zip(times.tolist(), won.tolist(), strict=True), strict=True))
        values = {name: max(v, 0.0) for name, v in coalition_values(players, met, self.unseen).items()}
        largest = max(values.values()) or 1.0
        weights = {name: value / largest for name, value in values.items()}
        return Weights(label=self.label, called=self.name, key=self.players, weights=weights, shared=True)


def coalition_values(
    players: list[str],
    coalitions: Mapping[int, tuple[float, float]],
    unseen: Literal["within", "zero"] = "within",
) -> dict[str, float]:
    """Give each player's Shapley value in the game of observed conversion rates.

    Parameters
    ----------
    players : list of str
        At most 20 names; bit i of a coalition stands for ``players[i]``.
    coalitions : mapping of int to (float, float)
        For each set of players met together, as a bit mask: how many paths there were, how many converted.
    unseen : {"within", "zero"}, default "within"
        The rate of a set that no path shows exactly: that of all paths within it, or 0.

    Returns
    -------
    dict of str to float
        Value per player, a difference of conversion rates between -1 and 1. The values add up to the rate
        of the set of all players, which is checked.

    Raises
    ------
    JourneyError
        For more than 20 players, fewer than two, or no conversion at all.

    Examples
    --------
    >>> coalition_values(["fair", "mail"], {0b01: (10, 2), 0b10: (10, 0), 0b11: (10, 5)})
    {'fair': 0.35, 'mail': 0.15}
    """
    n = len(players)
    if n > MOST_PLAYERS:
        raise JourneyError(
            "there are too many sources to tell all their coalitions apart",
            "use the model shapley, or group small sources",
        )
    if n < 2:
        raise JourneyError("there are fewer than two sources, so no coalition", "use last-touch or linear")
    paths, converted = np.zeros(2**n), np.zeros(2**n)
    for mask, (count, won) in coalitions.items():
        paths[mask], converted[mask] = count, won
    if not converted.any():
        raise JourneyError("no path ends in a conversion", "use more data or a longer lookback")
    rate = np.divide(converted, paths, out=np.zeros(2**n), where=paths > 0)
    if unseen == "within":
        inside, won_inside = _subset_sums(paths, n), _subset_sums(converted, n)
        pooled = np.divide(won_inside, inside, out=np.zeros(2**n), where=inside > 0)
        rate = np.where(paths > 0, rate, pooled)
    rate[0] = 0.0
    values = shapley_values(rate, n)
    if not math.isclose(values.sum(), rate[-1], rel_tol=1e-9, abs_tol=1e-12):
        raise ArithmeticError(f"Shapley values add up to {values.sum()}, not to {rate[-1]}")
    return {name: round(float(value), 15) for name, value in zip(players, values, strict=True)}


def shapley_values(worth: Any, n: int) -> Any:
    """Give the Shapley value of each of `n` players, from the worth of all 2^n sets by bit mask."""
    sizes = np.bitwise_count(np.arange(2**n))
    weight = np.array([1.0 / (n * math.comb(n - 1, s)) for s in range(n)])
    values = np.empty(n)
    for i in range(n):
        pairs = worth.reshape(-1, 2, 2**i)
        without = sizes.reshape(-1, 2, 2**i)[:, 0, :]
        values[i] = (weight[without] * (pairs[:, 1, :] - pairs[:, 0, :])).sum()
    return values


def _subset_sums(amounts: Any, n: int) -> Any:
    """Give for every set the sum over its subsets, one dimension of the cube at a time."""
    sums = amounts.copy()
    for i in range(n):
        cube = sums.reshape(-1, 2, 2**i)
        cube[:, 1, :] += cube[:, 0, :]
    return sums
