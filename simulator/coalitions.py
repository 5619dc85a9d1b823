"""Who causes how much when several act together: three allocations of what coalitions of campaigns bring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

import numpy as np

from simulator.chance import Floats
from simulator.market import World
from simulator.shapley_exact import masks_along, orders_of_joining, shapley

# Coalitions are bit masks: bit i set means that campaign i runs.
Worth = Mapping[int, int]
ALLOCATIONS: Final = ("removal", "first_in", "shapley")


@dataclass(frozen=True)
class Coalitions:
    """The coalitions whose worth is needed, and the allocations made from it.

    Attributes
    ----------
    players : int
        Number of campaigns.
    orders : list of list of int
        Sampled orders of joining; empty if there are none.
    exact : bool
        Whether all coalitions are run.
    """

    players: int
    orders: list[list[int]]
    exact: bool

    @classmethod
    def of(cls, world: World, permutations: int, exact: bool) -> Coalitions:
        """Choose the coalitions of a world's campaigns."""
        orders = orders_of_joining(world.campaigns, permutations, world.seed) if permutations else []
        return cls(len(world.campaigns), orders, exact)

    @property
    def everyone(self) -> int:
        """All campaigns."""
        return (1 << self.players) - 1

    def without(self, player: int) -> int:
        """All campaigns but one."""
        return self.everyone & ~(1 << player)

    @property
    def method(self) -> str:
        """How Shapley values are found."""
        if self.exact:
            return "exact"
        return f"{len(self.orders)} permutations" if self.orders else "not asked for"

    @property
    def allocations(self) -> tuple[str, ...]:
        """Those of `ALLOCATIONS` that can be made."""
        return ALLOCATIONS if self.exact or self.orders else ALLOCATIONS[:2]

    def masks(self) -> list[int]:
        """List the coalitions to run, each once, all campaigns first."""
        one_less = (self.without(player) for player in range(self.players))
        alone = (1 << player for player in range(self.players))
        along = (mask for order in self.orders for mask in masks_along(order))
        every = range(1 << self.players) if self.exact else ()
        return list(dict.fromkeys([self.everyone, *one_less, *alone, 0, *along, *every]))

    def scales(self) -> Floats:
        """Return the spend vectors of `masks`."""
        on = [[float(mask >> player & 1) for player in range(self.players)] for mask in self.masks()]
        return np.array(on).reshape(-1, self.players)

    def shares(self, allocation: str, worth: Worth) -> list[Fraction]:
        """Return what each campaign is given of what all bring.

        Parameters
        ----------
        allocation : {"removal", "first_in", "shapley"}
            What is lost without it, what it brings alone, or its mean contribution over orders of joining.
        worth : mapping of int to int
            Worth of each of `masks`.

        Returns
        -------
        list of Fraction
            One per campaign. Only Shapley values add up to the worth of all less that of none.
        """
        if allocation == "removal":
            return [Fraction(worth[self.everyone] - worth[self.without(i)]) for i in range(self.players)]
        if allocation == "first_in":
            return [Fraction(worth[1 << player] - worth[0]) for player in range(self.players)]
        if self.exact:
            return shapley(dict(worth), self.players)
        gains = self.gains(worth)
        return [Fraction(sum(gain[player] for gain in gains), len(gains)) for player in range(self.players)]

    def gains(self, worth: Worth) -> list[list[int]]:
        """Return what each campaign adds in each of the sampled orders."""
        found = []
        for order in self.orders:
            gain = [0] * self.players
            for player, (before, after) in zip(order, pairwise(masks_along(order)), strict=True):
                gain[player] = worth[after] - worth[before]
            found.append(gain)
        return found
