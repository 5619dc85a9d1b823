"""Moves of budget from one campaign to another: what each gains, which is best, and which a model advises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simulator.chance import Floats
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


@dataclass(frozen=True)
class Tried:
    """What moves of budget gain in one world under one seed, and what is lost without each campaign.

    Attributes
    ----------
    gained : ndarray of float64
        Orders, window and tail, per move.
    lost : ndarray of float64
        Orders, window and tail, per campaign.
    brought : ndarray of float64
        Companies that would not have enquired for the first time in the window, per campaign.
    leads : float
        Companies that enquire for the first time in the window.
    """

    gained: Floats
    lost: Floats
    brought: Floats
    leads: float


def tried(
    world: World, moves: Sequence[tuple[str, str, float, float]], spread: Mapper, *, stopped: bool = True
) -> Tried:
    """Try moves of budget in one world, and each campaign taken away.

    Parameters
    ----------
    world : World
        The world; the same chance decides all runs.
    moves : sequence of (str, str, float, float)
        Giver, taker, and the shares of their movable costs that are taken and added.
    spread : Mapper
        Where to run it.
    stopped : bool, default True
        Whether campaigns are taken away; otherwise nothing is said of them.

    Returns
    -------
    Tried
        What came of it.
    """
    tally, count = values(world, _scales(world, moves, stopped=stopped), spread), 1 + len(moves)
    orders, leads = tally.counted[:, 0].astype(np.float64), tally.leads.astype(np.float64)
    return Tried(
        gained=orders[1:count] - orders[0],
        lost=orders[0] - orders[count:],
        brought=leads[0] - leads[count:],
        leads=float(leads[0]),
    )


def _scales(world: World, moves: Sequence[tuple[str, str, float, float]], *, stopped: bool) -> Floats:
    """Return the spend as it is, after each move, and, where asked for, with each campaign stopped."""
    place = {name: position for position, name in enumerate(world.campaigns)}
    scales = np.ones((1 + len(moves) + (len(place) if stopped else 0), len(place)))
    for row, (giver, taker, less, more) in enumerate(moves, start=1):
        scales[row, place[giver]] -= less
        scales[row, place[taker]] += more
    for number in range(len(place) if stopped else 0):
        scales[1 + len(moves) + number, number] = 0.0
    return scales


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
