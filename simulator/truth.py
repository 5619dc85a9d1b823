"""What each campaign really caused, known by running the same world with and without it.

Runs share every draw, so whatever differs between two runs is a consequence of what was changed. There is no
single right answer to "what did it contribute?", so several are given, each named: a fair division of the
whole (Shapley), what would be lost by stopping it (removal), what it would bring alone (first-in), what
another euro brings (marginal), and for each deal whether it needed the campaign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from simulator.causes import explain
from simulator.chance import Floats, Integers
from simulator.coalitions import Coalitions
from simulator.holdouts import running_share
from simulator.marginal import marginal as marginal_returns
from simulator.market import YEAR_DAYS, World
from simulator.runs import Mapper, OnProgress, silent
from simulator.shapley_exact import shares_that_add_up
from simulator.tally import ANYWAY, EARLIER, GREW, LABELS, MARGIN, MEASURES, NEEDED, Tally, values

__all__ = [
    "ANYWAY",
    "EARLIER",
    "ESTIMAND",
    "EXACT",
    "GREW",
    "LABELS",
    "MEASURES",
    "NEEDED",
    "Tally",
    "Truth",
    "find",
    "spend_minor",
    "values",
]

ESTIMAND: Final = "margin caused by the spend of the window, counted until the end of the tail"
# With more campaigns than this, all coalitions would be more than 256 runs: permutations are sampled instead.
EXACT: Final = 8


def spend_minor(world: World, scale: Sequence[float] | Floats | None = None) -> list[tuple[int, int]]:
    """Return what each campaign costs in the reporting window.

    Parameters
    ----------
    world : World
        Scenario, companies and days.
    scale : sequence of float, optional
        Spend per campaign as a multiple of the scenario's; default 1 each.

    Returns
    -------
    list of (int, int)
        Fixed and variable cost in minor units, in the order of `World.campaigns`. Fixed cost is paid in full
        at any scale above 0.
    """
    years = world.days / YEAR_DAYS
    scales = [1.0] * len(world.campaigns) if scale is None else [float(each) for each in scale]
    return [
        (
            round(campaign.fixed_minor * years) if each > 0 else 0,
            round(
                campaign.variable_minor
                * world.accounts
                / 1000
                * years
                * each
                * running_share(world, campaign)
            ),
        )
        for campaign, each in zip(world.scenario.campaigns.values(), scales, strict=True)
    ]


def _named(row: Integers) -> dict[str, int]:
    return {name: int(value) for name, value in zip(MEASURES, row, strict=True)}


def _part(effect: Integers, part: Integers) -> float | None:
    whole = int(effect[MARGIN])
    return round(float(part[MARGIN]) / whole, 6) if whole > 0 else None


@dataclass(frozen=True)
class Truth:
    """What was caused, and for which deals.

    Attributes
    ----------
    report : dict
        What `truth.json` holds: plain numbers under plain names.
    deals : ndarray of int64, shape (deals, 2 + campaigns)
        Company id, need number, and per campaign a position in `LABELS`.
    """

    report: dict[str, Any]
    deals: Integers


def find(
    world: World,
    spread: Mapper,
    *,
    permutations: int = 0,
    exact_shapley: bool = False,
    marginal: bool = False,
    causes: bool = True,
    on_progress: OnProgress = silent,
) -> Truth:
    """Find out what each campaign caused.

    Parameters
    ----------
    world : World
        What to run.
    spread : Mapper
        Where to run it.
    permutations : int, default 0
        Orders of joining to sample for Shapley values when there are more than `EXACT` campaigns; 0 = none.
    exact_shapley : bool, default False
        Run all 2**campaigns coalitions; only up to `EXACT` campaigns.
    marginal : bool, default False
        Also run every campaign with a little less and a little more spend, see `simulator.marginal`.
    causes : bool, default True
        Also find why an effect is below 0, which takes further runs.
    on_progress : callable, optional
        Is given the share done so far, 0 to 1; an exception that it raises stops the work.

    Returns
    -------
    Truth
        Per campaign: removal (with the standard error over companies), first-in, spend, incremental return,
        deals by label, share of the effect after the window; Shapley and marginal return (with its error over
        companies too) if asked for; why an effect is below 0, see `simulator.causes`. Amounts in minor units.

    Raises
    ------
    ValueError
        If exact Shapley values of more than `EXACT` campaigns are asked for.

    Notes
    -----
    An effect is the margin caused by the spend of the window, counted from its opening until the tail has run
    out (`ESTIMAND`). "Without a campaign" means that it does not run in the window; what ran in the warm-up
    ran. So an order that merely comes earlier is no gain, unless it would have come after the tail. Removals
    do not add up to the total where campaigns need or replace each other. Standard errors treat companies as
    independent, which a crowded telephone desk makes slightly untrue. The figures are true of this world and
    seed, not of any real market.
    """
    players = len(world.campaigns)
    if exact_shapley and players > EXACT:
        raise ValueError(f"{players} campaigns need {2**players} runs: sample permutations beyond {EXACT}")
    coalitions = Coalitions.of(world, permutations, exact_shapley)
    until = 0.7 if marginal else 0.99
    found = values(world, coalitions.scales(), spread, lambda share: on_progress(share * until))
    campaigns = _campaigns(world, coalitions, found)
    if "shapley" in coalitions.allocations:
        _write_shapley(campaigns, coalitions, found)
    if causes:
        _write_causes(world, campaigns, coalitions, found, spread)
    if marginal:
        _write_marginal(world, campaigns, spread, lambda share: on_progress(0.7 + 0.3 * share))
    masks = coalitions.masks()
    report = _whole(world, coalitions, found) | {"campaigns": campaigns}
    on_progress(1.0)
    keep = [0, 1, *(1 + masks.index(coalitions.without(player)) for player in range(players))]
    return Truth(report, found.deals[:, keep])


def _whole(world: World, coalitions: Coalitions, found: Tally) -> dict[str, Any]:
    """Report the market and what all campaigns cause together."""
    masks = coalitions.masks()
    every, none = masks.index(coalitions.everyone), masks.index(0)
    total = found.counted[every] - found.counted[none]
    late, last = found.late[every] - found.late[none], found.last[every] - found.last[none]
    return {
        "scenario": world.scenario.name,
        "estimand": ESTIMAND,
        "accounts": world.accounts,
        "days": world.days,
        "warmup_days": world.scenario.warmup_days,
        "tail_days": world.scenario.tail_days,
        "seed": world.seed,
        "currency": world.scenario.currency,
        "runs": len(masks),
        "window": _named(found.window[every]),
        "all_campaigns": _named(found.counted[every]),
        "baseline": _named(found.counted[none]),
        "incremental": _named(total),
        "late_share_of_margin": _part(total, late),
        "last_quarter_share_of_margin": _part(total, last),
        "allocation": "shapley" if "shapley" in coalitions.allocations else "removal",
        "allocations": list(coalitions.allocations),
        "shapley": coalitions.method,
    }


def _campaigns(world: World, coalitions: Coalitions, found: Tally) -> dict[str, dict[str, Any]]:
    """Report per campaign what stopping it and running it alone do."""
    masks = coalitions.masks()
    row = {mask: position for position, mask in enumerate(masks)}
    counted, late = found.counted, found.late
    campaigns: dict[str, dict[str, Any]] = {}
    costs = spend_minor(world)
    for player, (name, campaign) in enumerate(world.scenario.campaigns.items()):
        fixed, variable = costs[player]
        without = row[coalitions.without(player)]
        removal, after = counted[0] - counted[without], late[0] - late[without]
        mean = removal[MARGIN] / world.accounts
        variance = found.squares[without] / world.accounts - mean**2
        labels = np.bincount(found.deals[:, 1 + without], minlength=len(LABELS))
        cost = fixed + variable
        campaigns[name] = {
            "channel": campaign.channel,
            "spend_minor": {"fixed": fixed, "variable": variable},
            "removal": _named(removal),
            "removal_margin_se_minor": round(float(np.sqrt(max(0.0, variance) * world.accounts)), 2),
            "first_in": _named(counted[row[1 << player]] - counted[row[0]]),
            "incremental_roi": round((int(removal[MARGIN]) - cost) / cost, 6) if cost else None,
            "late_share_of_margin": _part(removal, after),
            "deals": {label: int(count) for label, count in zip(LABELS, labels, strict=True)},
        }
    return campaigns


def _write_shapley(campaigns: dict[str, dict[str, Any]], coalitions: Coalitions, found: Tally) -> None:
    for measure, name in enumerate(MEASURES):
        masks = coalitions.masks()
        worth = {mask: int(row[measure]) for mask, row in zip(masks, found.counted, strict=True)}
        shares = coalitions.shares("shapley", worth)
        whole = shares_that_add_up(shares, worth[coalitions.everyone] - worth[0])
        # An order and its reverse are one draw: their mean is what varies independently.
        gains = np.array(coalitions.gains(worth), dtype=np.int64).reshape(-1, coalitions.players)
        pairs = (gains[0 : len(gains) // 2 * 2 : 2] + gains[1::2]) / 2
        for player, entry in enumerate(campaigns.values()):
            told = entry.setdefault("shapley", {})
            told[name] = round(float(shares[player]), 4) if name == "orders" else whole[player]
            if measure == MARGIN and len(pairs) > 1:
                error = float(pairs[:, player].std(ddof=1) / np.sqrt(len(pairs)))
                told["margin_se_minor"] = round(error, 2)


def _write_marginal(
    world: World, campaigns: dict[str, dict[str, Any]], spread: Mapper, on_progress: OnProgress
) -> None:
    variable = [entry["spend_minor"]["variable"] for entry in campaigns.values()]
    returns = marginal_returns(world, variable, spread, on_progress)
    for entry, each in zip(campaigns.values(), returns, strict=True):
        told = asdict(each)
        entry["marginal_margin_per_spend"] = told.pop("returns")
        entry["marginal_margin_per_spend_se"] = told.pop("error")
        entry |= {f"marginal_{name}": value for name, value in told.items()}


def _write_causes(
    world: World,
    campaigns: dict[str, dict[str, Any]],
    coalitions: Coalitions,
    found: Tally,
    spread: Mapper,
) -> None:
    stated = {
        (allocation, player): int(entry[allocation]["margin_minor"])
        for allocation in coalitions.allocations
        for player, entry in enumerate(campaigns.values())
        if entry[allocation]["margin_minor"] < 0
    }
    parts = explain(world, coalitions, found, stated, spread)
    names = list(campaigns)
    for (allocation, player), causes in parts.items():
        campaigns[names[player]].setdefault("below_zero", {})[allocation] = causes
