"""Who could buy, what they come to need, and which campaigns reach them when.

Everything here happens to a company whatever else happens: needs arise and advertisements are met at moments
fixed by the key of the draw, never by the course of another campaign. What the meetings bring about is
`simulator.cycle`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.chance import Floats, Integers, choose, lognormal, poisson, ragged, uniform
from simulator.meetings import AUDIENCES, Exposures, Needs, not_paused, people, reach
from simulator.world import DAY, WEEK, YEAR_DAYS, Week, World

__all__ = [
    "DAY",
    "MEMORY_HALVES",
    "WEEK",
    "YEAR_DAYS",
    "Exposures",
    "Needs",
    "Shard",
    "Week",
    "World",
    "populate",
    "reach",
]

# A lift halves twice and ends at the third half-life; this is what the halving staircase leaves to remember.
MEMORY_HALVES: Final = 3


@dataclass(frozen=True)
class Shard:
    """A run of companies with all that happens to them from outside: a pure function of ids and world."""

    world: World
    accounts: Integers
    industry: Integers
    region: Integers
    size: Integers
    group: Integers  # people in the buying group, 1 or more
    needs: Needs
    exposures: Exposures


def populate(world: World, first: int, count: int, layers: int = 1) -> Shard:
    """Lay out a run of companies, their needs and the campaigns they meet.

    Parameters
    ----------
    world : World
        Scenario, window and seed.
    first : int
        Id of the first company, 0 or more.
    count : int
        Number of companies, 1 or more.
    layers : int, default 1
        Highest spend scale to lay out meetings for, in whole multiples of the scenario's spend. A higher
        number adds meetings with a `threshold` of 1 or more and changes none of the others.

    Returns
    -------
    Shard
        Companies with ids from `first`, each the same in whatever shard it is laid out.
    """
    scenario, seed = world.scenario, world.seed
    ids = np.arange(first, first + count, dtype=np.int64)
    industry = choose(uniform(seed, ids, "account.industry"), list(scenario.market.industries.values()))
    region = choose(uniform(seed, ids, "account.region"), list(scenario.market.regions.values()))
    sizes = list(scenario.market.sizes.values())
    size = choose(uniform(seed, ids, "account.size"), [each.share for each in sizes])
    group = 1 + poisson(
        uniform(seed, ids, "account.group"), np.array([each.group_mean - 1 for each in sizes])[size]
    )
    demand = np.array([each.demand for each in sizes])[size]
    demand = (
        demand
        * np.array([scenario.market.region_demand.get(each, 1.0) for each in scenario.market.regions])[region]
    )
    if scenario.market.demand_sigma:
        spread = scenario.market.demand_sigma
        # Mean 1 whatever the spread.
        demand = demand * lognormal(uniform(seed, ids, "account.demand"), np.exp(-(spread**2) / 2), spread)
    needs = _needs(world, ids, demand)
    names = list(scenario.market.industries)
    parts = []
    for position, (name, campaign) in enumerate(scenario.campaigns.items()):
        often = np.array([campaign.industries.get(each, 1.0) for each in names])[industry]
        often = (
            often * np.array([campaign.regions.get(each, 1.0) for each in scenario.market.regions])[region]
        )
        if campaign.reaches < 1.0:
            often = often * (uniform(seed, ids, "account.known") < campaign.reaches)
        for layer in range(layers):
            met = AUDIENCES[campaign.audience].lay(world, ids, needs, often, position, name, campaign, layer)
            met = not_paused(world, campaign, region, met)
            parts.append((*met, *people(world, name, campaign, group, met)))
    exposures = (
        Exposures(*(np.concatenate(column) for column in zip(*parts, strict=True))) if parts else _none()
    )
    return Shard(world, ids, industry, region, size, group, needs, exposures)


def _none() -> Exposures:
    empty = np.zeros(0, dtype=np.int64)
    return Exposures(empty, empty, empty, empty, empty, np.zeros(0), empty, empty, empty)


def _economy(world: World, days: NDArray[np.datetime64]) -> Floats:
    """Return what the economy does to demand on each day, 1 = nothing."""
    economy = world.scenario.economy
    factor = np.ones(len(days))
    if economy.month_sigma:
        month = days.astype("datetime64[M]").astype(np.int64)
        spread = economy.month_sigma
        factor *= lognormal(uniform(world.seed, month, "economy.month"), np.exp(-(spread**2) / 2), spread)
    day = np.arange(len(days)) - world.scenario.warmup_days
    for shock in economy.shocks:
        factor[(day >= shock.from_day) & (day < shock.to_day)] *= shock.demand
    return factor


def _season(world: World, months: list[float]) -> tuple[Floats, Floats]:
    """Return day boundaries in seconds and the seasonal intensity accumulated to them, in average years."""
    start = np.datetime64(world.scenario.start) - np.timedelta64(world.scenario.warmup_days, "D")
    days = start + np.arange(world.ends // DAY)
    month = days.astype("datetime64[M]").astype(np.int64) % 12
    weights = np.asarray(months, dtype=np.float64)
    daily = (weights / weights.mean())[month] / YEAR_DAYS * _economy(world, days)
    edges = np.arange(len(days) + 1, dtype=np.float64) * DAY
    return edges, np.asarray(np.concatenate(([0.0], np.cumsum(daily))), dtype=np.float64)


def _needs(world: World, ids: Integers, demand: Floats) -> Needs:
    seed = world.seed
    owners, kinds, onsets, ends = [], [], [], []
    for position, (name, need) in enumerate(world.scenario.needs.items()):
        edges, mass = _season(world, need.season)
        counts = poisson(uniform(seed, ids, f"need.{name}.count"), demand * need.per_year * mass[-1])
        owner, index = ragged(counts)
        # Given their number, the moments of a Poisson process are independent draws from its intensity.
        drawn = uniform(seed, ids[owner], f"need.{name}.onset", index)
        onset = np.floor(np.interp(drawn * mass[-1], mass, edges)).astype(np.int64)
        life = lognormal(
            uniform(seed, ids[owner], f"need.{name}.lifetime", index), need.lifetime_days, need.lifetime_sigma
        )
        owners.append(owner)
        kinds.append(np.full(len(owner), position, dtype=np.int64))
        onsets.append(onset)
        ends.append(onset + 1 + np.floor(life * DAY).astype(np.int64))
    owner, kind, onset, deadline = (np.concatenate(column) for column in (owners, kinds, onsets, ends))
    order = np.lexsort((kind, onset, owner))
    owner = owner[order]
    index = np.arange(len(owner)) - np.searchsorted(owner, owner, side="left")
    return Needs(owner, ids[owner], kind[order], index, onset[order], deadline[order])
