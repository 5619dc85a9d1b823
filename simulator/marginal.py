"""What the next euro brings: each campaign's spend a little up and down, as far as it takes to see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.market import World
from simulator.runs import Mapper, OnProgress, silent
from simulator.tally import MARGIN, values

# Shares of the spend by which it goes down and up, tried one after the other.
STEPS: Final = (0.02, 0.1, 0.4)
# So many companies must order otherwise: with fewer, figure and error both hang on a handful of orders.
ENOUGH: Final = 30


@dataclass(frozen=True)
class Marginal:
    """The return of one campaign's next euro.

    Attributes
    ----------
    returns : float or None
        Margin per additional unit of variable spend; None if it cannot be told.
    error : float or None
        Its standard error over companies.
    step : float or None
        Share of the spend by which it went down and up: the smallest of `STEPS` at which enough companies
        ordered otherwise, else the largest. None without variable cost.
    moved : int
        Companies that ordered otherwise between the two.
    reason : str or None
        Why it cannot be told.
    """

    returns: float | None
    error: float | None
    step: float | None
    moved: int
    reason: str | None


def marginal(
    world: World, variable: list[int], spread: Mapper, on_progress: OnProgress = silent
) -> list[Marginal]:
    """Find the return of the next euro of every campaign.

    Parameters
    ----------
    world : World
        What to run.
    variable : list of int
        Variable cost per campaign in minor units; campaigns without any are left alone.
    spread : Mapper
        Where to run it.
    on_progress : callable, optional
        Is given the share done so far, below 1.

    Returns
    -------
    list of Marginal
        In the order of `World.campaigns`.

    Notes
    -----
    The two runs of a campaign share all chance (antithetic steps), so a straight response is met without bias
    at any step; where response bends, a step of 40 % gives the mean slope over that range. Standard errors
    treat companies as independent, which a crowded telephone desk makes slightly untrue.
    """
    players = len(variable)
    found = [Marginal(None, None, None, 0, "no variable cost") for _ in range(players)]
    left = [player for player in range(players) if variable[player]]
    for number, step in enumerate(STEPS):
        if not left:
            break
        pairs = [np.ones(players) + sign * step * np.eye(players)[i] for i in left for sign in (-1, 1)]

        def share(done: float, number: int = number) -> None:
            on_progress((number + done) / (len(STEPS) + 0.01))

        tally = values(world, np.vstack([np.ones(players), *pairs]), spread, share)
        margin = tally.counted[:, MARGIN]
        for place, player in enumerate(left):
            less, more = 1 + 2 * place, 2 + 2 * place
            moved, gain = int(tally.moved[more]), int(margin[more] - margin[less])
            spent = 2 * step * variable[player]
            if moved >= ENOUGH:
                variance = float(tally.steps[more]) - gain**2 / world.accounts
                error = float(np.sqrt(max(0.0, variance)))
                found[player] = Marginal(round(gain / spent, 6), round(error / spent, 6), step, moved, None)
            else:
                reason = f"only {moved} companies ordered otherwise at ±{step:.0%} of its spend"
                found[player] = Marginal(None, None, step, moved, reason)
        left = [player for player in left if found[player].returns is None]
    return found
