"""What campaigns cause on average over chance: the truth of a scenario, not of one of its markets.

A market is one draw: another seed has other buyers and orders, and with few deals another truth. Here the
same market is drawn under several seeds, each with its own paired runs, and the mean stands with its standard
error over the seeds, in which everything is that chance does: companies, orders, waiting.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.chance import Floats
from simulator.market import World
from simulator.moves import Move, elsewhere
from simulator.runs import Mapper, OnProgress, silent
from simulator.tally import MEASURES
from simulator.truth import find


def expect(
    world: World,
    spread: Mapper,
    seeds: int,
    *,
    permutations: int = 0,
    exact_shapley: bool = False,
    first: dict[str, Any] | None = None,
    on_progress: OnProgress = silent,
) -> dict[str, Any]:
    """Find what each campaign causes on average over several seeds.

    Parameters
    ----------
    world : World
        The market; its own seed is the first.
    spread : Mapper
        Where to run it.
    seeds : int
        How many, 2 or more.
    permutations, exact_shapley
        As for `simulator.truth.find`.
    first : dict, optional
        What `simulator.truth.find` reported for the market itself, which is then not run again.
    on_progress : callable, optional
        Is given the share done so far, 0 to 1; an exception that it raises stops the work.

    Returns
    -------
    dict
        ``seeds``; for ``window`` and ``incremental`` the mean of each measure and its standard error
        (``..._se``); and per campaign and allocation the same of ``margin_minor``.

    Raises
    ------
    ValueError
        With fewer than 2 seeds, which have no standard error.
    """
    if seeds < 2:
        raise ValueError(f"seeds {seeds} must be at least 2: one has no standard error")

    def of(number: int) -> dict[str, Any]:
        if number == 0 and first is not None:
            return first

        def part(share: float) -> None:
            on_progress((number + share) / seeds)

        return find(
            elsewhere(world, number) if number else world,
            spread,
            permutations=permutations,
            exact_shapley=exact_shapley,
            on_progress=part,
        ).report

    reports = [of(number) for number in range(seeds)]
    whole = {
        part: {
            key: value
            for name in MEASURES
            for key, value in _mean(name, [report[part][name] for report in reports]).items()
        }
        for part in ("window", "incremental")
    }
    campaigns = {
        name: {
            by: _mean("margin_minor", [report["campaigns"][name][by]["margin_minor"] for report in reports])
            for by in reports[0]["allocations"]
        }
        for name in reports[0]["campaigns"]
    }
    return {"seeds": len(reports), **whole, "campaigns": campaigns}


def best_move(gains: list[dict[Move, int]], found_on: int) -> tuple[Move | None, float, float | None]:
    """Find the best move of budget on some seeds and value it on the others.

    Parameters
    ----------
    gains : list of dict
        What `simulator.moves.moves` returned, one per seed.
    found_on : int
        On how many of them, from the first, to look for it; at least one must be left.

    Returns
    -------
    move : (str, str) or None
        The move that gains most on average over the first seeds; None if none gains anything there.
    gain : float
        What it gains on average over the others, in minor units: below 0 where it was the best by chance.
    error : float or None
        Standard error of that; None with a single seed left.

    Raises
    ------
    ValueError
        If no seed is left on one of the two sides.

    Examples
    --------
    >>> here = {("fair", "email"): 90, ("email", "fair"): 10}
    >>> there = {("fair", "email"): 30, ("email", "fair"): 40}
    >>> best_move([here, there], 1)
    (('fair', 'email'), 30.0, None)
    """
    found, valued = gains[:found_on], gains[found_on:]
    if not found or not valued:
        raise ValueError(f"found_on {found_on} must leave seeds on both sides of {len(gains)}")
    means = {move: float(np.mean([each[move] for each in found])) for move in found[0]}
    move = max(means, key=lambda each: means[each], default=None)
    if move is None or means[move] <= 0:
        return None, 0.0, None
    worth = np.array([each[move] for each in valued], dtype=np.float64)
    return move, float(worth.mean()), _error(worth)


def _mean(name: str, values: list[int]) -> dict[str, float | None]:
    column = np.array(values, dtype=np.float64)
    error = _error(column)
    return {
        name: round(float(column.mean()), 2),
        f"{name}_se": None if error is None else round(error, 2),
    }


def _error(column: Floats) -> float | None:
    return float(column.std(ddof=1) / np.sqrt(len(column))) if len(column) > 1 else None
