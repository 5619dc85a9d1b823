"""Dividing one sum among several: Shapley's rule in exact fractions, and rounding that still adds up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import factorial

from simulator.chance import uniform_one


def shares_that_add_up(parts: Sequence[Fraction], total: int) -> list[int]:
    """Round exact shares to whole units that add up to the total.

    Parameters
    ----------
    parts : sequence of Fraction
        Shares, any sign, that add up to `total` exactly.
    total : int
        What the result adds up to.

    Returns
    -------
    list of int
        Each part rounded down or up, the largest remainders up; ties go to the earlier part.

    Examples
    --------
    >>> shares_that_add_up([Fraction(10, 3)] * 3, 10)
    [4, 3, 3]
    """
    floors = [part.numerator // part.denominator for part in parts]
    order = sorted(range(len(parts)), key=lambda i: (floors[i] - parts[i], i))
    for position in order[: total - sum(floors)]:
        floors[position] += 1
    return floors


def shapley(worth: dict[int, int], players: int) -> list[Fraction]:
    """Divide the worth of the whole among its players by Shapley's rule, exactly.

    Parameters
    ----------
    worth : dict of int to int
        Worth of every coalition, keyed by bit mask; bit i set means player i takes part. All 2**players are
        needed.
    players : int
        Number of players, 0 or more.

    Returns
    -------
    list of Fraction
        Each player's mean contribution over all orders of joining; adds up to the worth of all less that of
        none.

    References
    ----------
    .. [1] L. S. Shapley, "A value for n-person games", 1953.

    Examples
    --------
    >>> shapley({0b00: 0, 0b01: 60, 0b10: 20, 0b11: 100}, 2)
    [Fraction(70, 1), Fraction(30, 1)]
    """
    shares = []
    for player in range(players):
        gains = [0] * players
        for mask, value in worth.items():
            if not mask >> player & 1:
                gains[mask.bit_count()] += worth[mask | 1 << player] - value
        weights = (factorial(size) * factorial(players - size - 1) for size in range(players))
        shares.append(Fraction(sum(w * g for w, g in zip(weights, gains, strict=True)), factorial(players)))
    return shares


def orders_of_joining(players: Sequence[str], permutations: int, seed: int) -> list[list[int]]:
    """Draw orders in which players join, in pairs of an order and its reverse.

    Parameters
    ----------
    players : sequence of str
        Their names. The order among some is the same whoever else joins.
    permutations : int
        Number of orders, 0 or more.
    seed : int
        Decides the draw.

    Returns
    -------
    list of list of int
        Permutations of the positions in `players`.

    Examples
    --------
    >>> first, second = orders_of_joining(["fair", "mail", "print"], 2, seed=1)
    >>> first == second[::-1]
    True
    """
    drawn = []
    for number in range((permutations + 1) // 2):
        places = [uniform_one(seed, number, f"shapley.order.{player}") for player in players]
        order = sorted(range(len(places)), key=lambda position: places[position])
        drawn += [order, order[::-1]]
    return drawn[:permutations]


def masks_along(order: Iterable[int]) -> list[int]:
    """Return the coalitions met when players join in this order, as bit masks from nobody to all."""
    masks = [0]
    for player in order:
        masks.append(masks[-1] | 1 << player)
    return masks
