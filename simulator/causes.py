"""Why a campaign has an effect below 0: how much of it the telephone explains, and what is left.

The market is run once more with every caller answered at once. What the effect loses on the way is what
waiting costs. No order is lost otherwise, since no hazard ever falls by a campaign; what is left below 0 is
orders that come before a campaign was met that would have made them larger (`value_lift`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from simulator.coalitions import Coalitions
from simulator.market import World
from simulator.runs import Mapper
from simulator.tally import MARGIN, Tally, values


def answered_at_once(world: World) -> World:
    """Return the same world with every caller answered and every quote written at once."""
    scenario = world.scenario
    desk = scenario.desk.model_copy(update={"reps": 0})
    sales = scenario.sales.model_copy(update={"people": 0})
    return replace(world, scenario=scenario.model_copy(update={"desk": desk, "sales": sales}))


def explain(
    world: World,
    coalitions: Coalitions,
    found: Tally,
    stated: Mapping[tuple[str, int], int],
    spread: Mapper,
) -> dict[tuple[str, int], dict[str, int]]:
    """Take effects below 0 apart.

    Parameters
    ----------
    world : World
        The market.
    coalitions : Coalitions
        What was run.
    found : Tally
        What came of it, in the order of `Coalitions.masks`.
    stated : mapping of (str, int) to int
        The effects on the margin as reported, by allocation and campaign, in minor units.
    spread : Mapper
        Where to run the market again.

    Returns
    -------
    dict of (str, int) to dict of str to int
        Per allocation and campaign what of the effect is due to ``waiting``, and what is left of it where
        everybody is ``answered_at_once``, in minor units of margin; the two add up to the effect.
    """
    if not stated:
        return {}
    calm = found
    if world.scenario.desk.reps or world.scenario.sales.people:
        calm = values(answered_at_once(world), coalitions.scales(), spread)
    masks = coalitions.masks()
    worth = {mask: int(row[MARGIN]) for mask, row in zip(masks, calm.counted, strict=True)}
    ideal = {by: coalitions.shares(by, worth) for by in dict.fromkeys(by for by, _ in stated)}
    parts = {}
    for (allocation, player), effect in stated.items():
        left = round(ideal[allocation][player])
        parts[allocation, player] = {"waiting": effect - left, "answered_at_once": left}
    return parts
