"""Moves of budget from one campaign to another: what each gains, which is best, and which a model advises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from simulator.market import World
from simulator.runs import Mapper, OnProgress, silent
from simulator.tally import MARGIN, values
from simulator.truth import spend_minor

# Share of the variable budget that a move shifts at most. Assumption: what a cautious supplier would try in a
# year.
MOVED: Final = 0.2
# Far from the seeds that people choose, so that no market is compared with itself.
_FURTHER: Final = 1_000_003

Move = tuple[str, str]


def moves(world: World, spread: Mapper, on_progress: OnProgress = silent) -> dict[Move, int]:
    """Try every shift of budget from one campaign to another.

    Parameters
    ----------
    world : World
        The market to try it in.
    spread : Mapper
        Where to run it.
    on_progress : callable, optional
        Is given the share done so far, 0 to 1; an exception that it raises stops the work.

    Returns
    -------
    dict of (str, str) to int
        Margin gained up to the end of the tail, in minor units, by taking budget of the window from the first
        and giving it to the second. A move shifts `MOVED` of all variable spend, but no more than the giver
        has and no more than doubles the taker. Only campaigns with variable cost take part; a booked stand
        cannot be moved.
    """
    spend = [variable for _, variable in spend_minor(world)]
    open_ones = [position for position, amount in enumerate(spend) if amount > 0]
    limit = MOVED * sum(spend)
    pairs = [(giver, taker) for giver in open_ones for taker in open_ones if giver != taker]
    scales = [np.ones(len(spend))]
    for giver, taker in pairs:
        amount = min(limit, spend[giver], spend[taker])
        scale = np.ones(len(spend))
        scale[giver] -= amount / spend[giver]
        scale[taker] += amount / spend[taker]
        scales.append(scale)
    margin = values(world, np.array(scales), spread, on_progress).counted[:, MARGIN]
    names = world.campaigns
    return {
        (names[giver], names[taker]): int(gain - margin[0])
        for (giver, taker), gain in zip(pairs, margin[1:], strict=True)
    }


def advised(credit: Mapping[str | None, int], world: World) -> Move | None:
    """Return which move a table of credits suggests: from the lowest return on spend to the highest.

    Parameters
    ----------
    credit : mapping of str to int
        Margin credited per campaign, in minor units.
    world : World
        Whose costs count.

    Returns
    -------
    (str, str) or None
        Giver and taker among the campaigns with variable cost; None if all returns are equal.
    """
    returns = {
        name: credit.get(name, 0) / (fixed + variable)
        for name, (fixed, variable) in zip(world.campaigns, spend_minor(world), strict=True)
        if variable > 0
    }
    if not returns or min(returns.values()) == max(returns.values()):
        return None
    return min(returns, key=lambda name: returns[name]), max(returns, key=lambda name: returns[name])


def elsewhere(world: World, number: int = 1) -> World:
    """Return the same world under another seed, in which moves found in this one are valued."""
    return replace(world, seed=world.seed + number * _FURTHER)


def best(gains: Mapping[Move, float]) -> Move | None:
    """Return the move that gains most; None if none gains anything."""
    move = max(gains, key=lambda each: gains[each], default=None)
    return move if move is not None and gains[move] > 0 else None


def worth(gains: Mapping[Move, float], move: Move | None) -> float:
    """Return what a move gains; None is no move, which gains nothing."""
    return gains[move] if move is not None else 0
