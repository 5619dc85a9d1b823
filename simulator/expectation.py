"""What campaigns cause on average over chance: the truth of a scenario, not of one of its markets.

A market is one draw: another seed has other buyers and orders, and with few deals another truth. Here the
same market is drawn under several seeds, each with its own paired runs, and the mean stands with its standard
error over the seeds, in which everything is that chance does: companies, orders, waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from simulator.certainty import told_from_zero
from simulator.chance import Floats
from simulator.market import World
from simulator.moves import Move, best, elsewhere, moves, worth
from simulator.runs import Mapper, OnProgress, silent
from simulator.tally import MEASURES
from simulator.truth import EXACT, find

# Seeds over which a score is taken: the market's own, and four on which what it says is valued.
SEEDS: Final = 5
# Orders of joining on each further seed, where campaigns are many: their chance is part of that of the seeds.
_ORDERS: Final = 4


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
            causes=False,
            on_progress=part,
        ).report

    return averaged([of(number) for number in range(seeds)])


def averaged(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Average what was reported of the same market under several seeds, as `expect` does."""
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


def over_seeds(
    world: World,
    report: dict[str, Any],
    spread: Mapper,
    seeds: int = SEEDS,
    *,
    regret: bool = True,
    on_progress: OnProgress = silent,
) -> tuple[dict[str, Any], list[dict[Move, int]] | None]:
    """Find what a score is taken against: the truth on average over seeds, and the moves on each of them.

    Parameters
    ----------
    world : World
        The market.
    report : dict
        Its truth as `simulator.truth.find` reported it; an ``expectation`` in it is kept.
    spread : Mapper
        Where to run it.
    seeds : int, default `SEEDS`
        How many, with the market's own; with 1 nothing is run.
    regret : bool, default True
        Whether to try moves of budget.
    on_progress : callable, optional
        Is given the share done so far, 0 to 1; an exception that it raises stops the work.

    Returns
    -------
    report : dict
        With an ``expectation``, by the allocation of the report.
    gains : list of dict or None
        Per seed what every move gains there; None where they were not asked for, or there is one seed.
    """
    until = 0.5 if regret else 1.0
    if seeds > 1 and "expectation" not in report:
        shapley = report["allocation"] == "shapley"
        exact = shapley and len(world.campaigns) <= EXACT
        report = report | {
            "expectation": expect(
                world,
                spread,
                seeds,
                permutations=_ORDERS if shapley and not exact else 0,
                exact_shapley=exact,
                first=report,
                on_progress=lambda share: on_progress(until * share),
            )
        }
    gains = []
    for number in range(seeds if regret and seeds > 1 else 0):
        gains.append(moves(elsewhere(world, number) if number else world, spread))
        on_progress(until + (1 - until) * (number + 1) / seeds)
    on_progress(1.0)
    return report, gains or None


@dataclass(frozen=True)
class Followed:
    """What following a rule gains, on seeds on which it was not chosen; amounts in minor units.

    Attributes
    ----------
    gain, gain_se : float, float or None
        Margin gained over leaving the budget, mean over the seeds and its standard error; None of a single
        seed.
    regret, regret_se : float, float or None
        What the best move gains more, found for each seed on the others: below 0 where that was only chance.
    """

    gain: float
    gain_se: float | None
    regret: float
    regret_se: float | None

    @property
    def beats_leaving(self) -> bool | None:
        """Whether it gains, by more than two standard errors; None: cannot be told."""
        return told_from_zero(self.gain, self.gain_se)


def best_elsewhere(gains: Sequence[Mapping[Move, float]], seed: int) -> float:
    """Return what the move gains on one seed that is best on the others.

    Parameters
    ----------
    gains : sequence of mapping
        As for `followed`.
    seed : int
        Which one of them.

    Returns
    -------
    float
        In minor units; 0 where no move gains anything on the others.
    """
    others = [each for number, each in enumerate(gains) if number != seed]
    return worth(gains[seed], best({move: sum(each[move] for each in others) for move in gains[seed]}))


def followed(
    gains: Sequence[Mapping[Move, float]], gained: Callable[[Mapping[Move, float]], float], chosen_on: int = 1
) -> Followed:
    """Value a rule, and the best move, on seeds on which they were not found.

    Parameters
    ----------
    gains : sequence of mapping
        What `simulator.moves.moves` returned, one per seed.
    gained : callable
        Is given the gains on one seed and returns what the rule gains there.
    chosen_on : int, default 1
        On how many seeds, from the first, the rule was chosen, so that it is not valued there.

    Returns
    -------
    Followed
        Means over the seeds left.

    Raises
    ------
    ValueError
        If no seed is left on which to value, or no other on which to find.

    Examples
    --------
    >>> seeds = [{("a", "b"): 9}, {("a", "b"): 5, ("b", "a"): 1}, {("a", "b"): 1, ("b", "a"): 4}]
    >>> seeds[0][("b", "a")] = 2
    >>> found = followed(seeds, lambda gains: gains[("b", "a")])
    >>> found.gain, found.regret
    (2.5, 0.5)
    """
    valued = range(chosen_on, len(gains))
    if not valued or len(gains) < 2:
        raise ValueError(f"{len(gains)} seeds must leave one to find on and one to value on")
    own = np.array([gained(gains[seed]) for seed in valued], dtype=np.float64)
    more = np.array([best_elsewhere(gains, seed) for seed in valued], dtype=np.float64) - own
    return Followed(float(own.mean()), _error(own), float(more.mean()), _error(more))


def _mean(name: str, values: list[int]) -> dict[str, float | None]:
    column = np.array(values, dtype=np.float64)
    error = _error(column)
    return {
        name: round(float(column.mean()), 2),
        f"{name}_se": None if error is None else round(error, 2),
    }


def _error(column: Floats) -> float | None:
    return float(column.std(ddof=1) / np.sqrt(len(column))) if len(column) > 1 else None
