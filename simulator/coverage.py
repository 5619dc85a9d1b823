"""How often an interval of the engine holds what it should: measured, not promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from attribution.uncertainty import draws
from simulator.market import World
from simulator.parameters import Scenario
from simulator.runs import Mapper
from simulator.score import HALF_LIFE_DAYS, credits, orders_at_margin, true_margin
from simulator.truth import find
from simulator.write import tables


@dataclass(frozen=True)
class Coverage:
    """How often a model's intervals hold two different things.

    Attributes
    ----------
    model : str
        Its name.
    intervals : int
        Intervals looked at: markets times campaigns with any credit in the long run.
    own : float
        Share that hold the model's own long-run credit; the level, if the intervals are honest about chance.
    truth : float
        Share that hold what the campaign really causes in the long run.
    """

    model: str
    intervals: int
    own: float
    truth: float


def measure(
    scenario: Scenario,
    spread: Mapper,
    *,
    accounts: int,
    markets: int,
    models: Sequence[str],
    population: int = 40_000,
    replicates: int = 300,
    level: float = 0.9,
) -> list[Coverage]:
    """Measure the coverage of the engine's intervals of credit.

    Parameters
    ----------
    scenario : Scenario
        What the markets are drawn from.
    spread : Mapper
        Where to run them.
    accounts : int
        Companies per market, 1 or more.
    markets : int
        Markets drawn, with seeds from 0.
    models : sequence of str
        Names of models.
    population : int, default 40,000
        Companies of the market that stands for the long run.
    replicates : int, default 300
        Draws per market.
    level : float, default 0.9
        Nominal coverage.

    Returns
    -------
    list of Coverage
        One per model.

    Notes
    -----
    The long run is a sample too: with few companies in `population` its own error lowers the measured
    coverage. An interval about chance need not hold the truth: it knows nothing of what the model gets wrong.
    The truth is removals scaled to the joint effect: see `simulator.score.true_margin`.
    """
    large = World(scenario, population, scenario.days, seed=1_000_000)
    long_run = credits(tables(large, spread), models, None)
    cause = true_margin(find(large, spread).report)
    size = accounts / population
    held = {model: [0, 0, 0] for model in models}
    for seed in range(markets):
        seen = tables(World(scenario, accounts, scenario.days, seed), spread)
        found = intervals(seen, models, replicates, seed, level)
        for model in models:
            for campaign in scenario.campaigns:
                expected = long_run[model].get(campaign, 0) * size
                if expected <= 0:
                    continue
                # No credit at all in this market: an interval from 0 to 0.
                low, high = found.get((model, campaign), (0.0, 0.0))
                held[model][0] += 1
                held[model][1] += low <= expected <= high
                held[model][2] += low <= cause[campaign] * size <= high
    return [Coverage(model, n, own / max(1, n), true / max(1, n)) for model, (n, own, true) in held.items()]


def intervals(
    seen: Mapping[str, pa.Table],
    models: Sequence[str],
    replicates: int,
    seed: int,
    level: float,
) -> dict[tuple[str, str], tuple[float, float]]:
    """Give the intervals of the margin that models credit to campaigns.

    Parameters
    ----------
    seen : mapping of str to pyarrow.Table
        ``touches``, ``conversions`` and ``answers`` of a simulated market.
    models : sequence of str
        Names of models.
    replicates : int
        Draws, 2 or more.
    seed : int
        Decides the replicates.
    level : float
        Nominal coverage, above 0 and below 1.

    Returns
    -------
    dict of (str, str) to (float, float)
        Ends in minor units of margin per model and campaign; none where a campaign is never credited.
    """
    drawn = draws(
        seen["touches"],
        orders_at_margin(seen),
        models,
        replicates=replicates,
        seed=seed,
        half_life_days=HALF_LIFE_DAYS,
        answers=seen["answers"],
    )
    return {
        (row["model"], row["campaign"]): (row["credit_low"], row["credit_high"])
        for row in drawn.intervals(level).to_pylist()
    }


def holding(
    ends: Mapping[tuple[str, str], tuple[float, float]], model: str, true: Mapping[str, int]
) -> float:
    """Return what share of a model's intervals holds the truth.

    Parameters
    ----------
    ends : mapping
        What `intervals` returned.
    model : str
        Name of the model.
    true : mapping of str to int
        Margin that each campaign really caused, in minor units.

    Returns
    -------
    float
        0 to 1, over all campaigns; one without any credit has the interval from 0 to 0.

    Examples
    --------
    >>> holding({("linear", "fair"): (10.0, 30.0)}, "linear", {"fair": 20, "email": 5})
    0.5
    """
    found = [ends.get((model, name), (0.0, 0.0)) for name in true]
    held = [low <= margin <= high for (low, high), margin in zip(found, true.values(), strict=True)]
    return sum(held) / max(1, len(held))
