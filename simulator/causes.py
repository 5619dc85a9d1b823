"""Why a campaign has an effect below 0: how much of it the telephone explains, and what is left.

The market is run once more with every caller answered at once. What the effect loses on the way is what calls
that wait cost; what is left is a matter of when orders come, since no hazard ever falls by a campaign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

from simulator.coalitions import Coalitions
from simulator.market import World
from simulator.runs import Mapper
from simulator.shapley_exact import shares_that_add_up
from simulator.tally import MARGIN, Tally, values

CAUSES: Final = ("waiting", "answered_at_once")
# Where the margin of an effect went: nowhere at all, or to orders outside the reporting window.
FATES: Final = ("never", "before_window", "after_window")


def answered_at_once(world: World) -> World:
    """Return the same world with every caller answered at once."""
    scenario = world.scenario
    return replace(
        world, scenario=scenario.model_copy(update={"desk": scenario.desk.model_copy(update={"reps": 0})})
    )


def explain(
    world: World,
    coalitions: Coalitions,
    found: Tally,
    stated: Mapping[tuple[str, int], int],
    spread: Mapper,
) -> dict[tuple[str, int], dict[str, Any]]:
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
        The effects on the margin of the window as reported, by allocation and campaign, in minor units.
    spread : Mapper
        Where to run the market again.

    Returns
    -------
    dict
        Per allocation and campaign, for ``waiting`` and ``answered_at_once``, the ``margin_minor`` that this
        part of the effect comes to, and of it what was ``never`` ordered, and what went to orders
        ``before_window`` and ``after_window`` (below 0: lost to them). All parts add up to the effect.
    """
    if not stated:
        return {}
    calm = found
    if world.scenario.desk.reps:
        calm = values(answered_at_once(world), coalitions.scales(), spread)
    parts: dict[tuple[str, int], dict[str, Any]] = {}
    effects = {
        allocation: [_by_time(coalitions, allocation, each) for each in (found, calm)]
        for allocation in dict.fromkeys(allocation for allocation, _ in stated)
    }
    for (allocation, player), total in stated.items():
        real, ideal = ([when[player] for when in each] for each in effects[allocation])
        leaves = []
        for in_time, before, after in (
            [one - other for one, other in zip(real, ideal, strict=True)],
            ideal,
        ):
            leaves += [in_time + before + after, -before, -after]
        whole = shares_that_add_up(leaves, total)
        parts[allocation, player] = {
            cause: {"margin_minor": sum(three), **dict(zip(FATES, three, strict=True))}
            for cause, three in zip(CAUSES, (whole[:3], whole[3:]), strict=True)
        }
    return parts


def _by_time(coalitions: Coalitions, allocation: str, tally: Tally) -> list[list[Fraction]]:
    """Return each campaign's effect on the margin in the window, before it and after it."""
    masks = coalitions.masks()
    return [
        coalitions.shares(allocation, {mask: int(row[MARGIN]) for mask, row in zip(masks, sums, strict=True)})
        for sums in (tally.window, tally.before, tally.late)
    ]
