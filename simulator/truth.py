"""What each campaign really caused, known by running the same world with and without it.

Runs share every draw, so whatever differs between two runs is a consequence of what was changed. There is no
single right answer to "what did it contribute?", so several are given, each named: what would be lost by
stopping it (removal), what it would bring alone (first-in), a fair division of the whole (Shapley), what
another euro brings (marginal), and for each deal whether it needed the campaign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

import numpy as np

from simulator.chance import Floats, Integers
from simulator.hazard import NEVER
from simulator.market import YEAR_DAYS, Week, World
from simulator.runs import Job, Mapper, OnProgress, counted, paired, results, silent
from simulator.shapley_exact import masks_along, orders_of_joining, shapley, shares_that_add_up

MEASURES: Final = ("orders", "revenue_minor", "margin_minor")
LABELS: Final = ("anyway", "needed", "earlier", "grew")
ANYWAY, NEEDED, EARLIER, GREW = range(4)
# With more campaigns than this, all coalitions would be more than 256 runs: permutations are sampled instead.
EXACT: Final = 8
_STEP: Final = 0.01
# Runs computed together, beside the one they are compared with: bounds memory, and how long a stop waits.
_TOGETHER: Final = 32


@dataclass(frozen=True)
class Tally:
    """Sums over a shard, one row per run.

    Attributes
    ----------
    window : ndarray of int64, shape (runs, 3)
        Orders, revenue and margin inside the reporting window.
    late : ndarray of int64, shape (runs, 3)
        The same after it, up to the end of the tail.
    squares : ndarray of float64, shape (runs,)
        Sum over companies of the squared difference in window margin to the first run.
    deals : list of ndarray of int64
        Per deal won in the window of the first run: company id, need number, and a label per further run.
    """

    window: Integers
    late: Integers
    squares: Floats
    deals: Integers


def tally(job: Job) -> Tally:
    """Run a shard under all its spend vectors and add up what was ordered.

    Parameters
    ----------
    job : Job
        The shard; its first spend vector is what the others are compared with.

    Returns
    -------
    Tally
        Sums and per-deal labels. A deal is `needed` if without the campaign it is not won by the end of the
        tail, `earlier` if it is won later without, `grew` if it is won at the same moment for less, else
        `anyway`.
    """
    week, world = Week(job.world), job.world
    window, late, squares = [], [], []
    base: Floats = np.zeros(job.count)
    rows = np.zeros(0, dtype=np.int64)
    deals: list[Integers] = []
    first_won, first_value = rows, rows
    for number, (cycle, scale, outcome, _, reached) in enumerate(job.courses()):
        full, orders = cycle.finish(scale, outcome, reached)
        needs = cycle.shard.needs
        at = week.wall(orders.at)
        inside = (at >= world.opens) & (at < world.closes)
        after = at >= world.closes
        columns = (np.ones(len(at), dtype=np.int64), orders.value_minor, orders.margin_minor)
        window.append([int(column[inside].sum()) for column in columns])
        late.append([int(column[after].sum()) for column in columns])
        owner = needs.owner[orders.need[inside]]
        margin = np.bincount(owner, weights=orders.margin_minor[inside], minlength=job.count).astype(
            np.float64
        )
        value = np.zeros(len(needs), dtype=np.int64)
        value[orders.need[orders.repeat == 0]] = orders.value_minor[orders.repeat == 0]
        if number == 0:
            base = margin
            rows = np.sort(orders.need[inside & (orders.repeat == 0)])
            first_won, first_value = full.won_at[rows], value[rows]
            deals = [needs.account[rows], needs.index[rows]]
        else:
            label = np.full(len(rows), ANYWAY)
            label[value[rows] < first_value] = GREW
            label[full.won_at[rows] > first_won] = EARLIER
            label[full.won_at[rows] == NEVER] = NEEDED
            deals.append(label)
        squares.append(float(((margin - base) ** 2).sum()))
    return Tally(
        np.array(window, dtype=np.int64).reshape(-1, 3),
        np.array(late, dtype=np.int64).reshape(-1, 3),
        np.array(squares),
        np.column_stack(deals) if deals else np.zeros((0, 2), dtype=np.int64),
    )


def values(world: World, scales: Floats, spread: Mapper, on_progress: OnProgress = silent) -> Tally:
    """Run a world under several spend vectors.

    Parameters
    ----------
    world : World
        What to run.
    scales : ndarray of float64, shape (runs, campaigns)
        Spend per run and campaign as a multiple of the scenario's; the first row is compared with.
    spread : Mapper
        Where to run it.
    on_progress : callable, optional
        Is given the share done so far, 0 to 1; an exception that it raises stops the work.

    Returns
    -------
    Tally
        Sums over all companies.
    """
    first, rest = scales[:1], scales[1:]
    groups = [rest[begin : begin + _TOGETHER] for begin in range(0, max(1, len(rest)), _TOGETHER)]
    together = [np.vstack([first, group]) for group in groups]
    watched = counted(spread, on_progress, sum(results(world, len(each)) for each in together))
    found: list[Tally] = []
    for group in together:
        parts = list(paired(world, group, tally, watched))
        window = np.sum([part.window for part in parts], axis=0)
        late = np.sum([part.late for part in parts], axis=0)
        squares = np.sum([part.squares for part in parts], axis=0)
        found.append(Tally(window, late, squares, np.concatenate([part.deals for part in parts])))
    # Every group repeats the run that its others are compared with.
    return Tally(
        np.concatenate([found[0].window[:1], *(part.window[1:] for part in found)]),
        np.concatenate([found[0].late[:1], *(part.late[1:] for part in found)]),
        np.concatenate([found[0].squares[:1], *(part.squares[1:] for part in found)]),
        np.column_stack([found[0].deals[:, :2], *(part.deals[:, 2:] for part in found)]),
    )


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
            round(campaign.variable_minor * world.accounts / 1000 * years * each),
        )
        for campaign, each in zip(world.scenario.campaigns.values(), scales, strict=True)
    ]


def _scales(masks: Sequence[int], players: int) -> Floats:
    return np.array([[float(mask >> player & 1) for player in range(players)] for mask in masks]).reshape(
        -1, players
    )


def _named(row: Integers) -> dict[str, int]:
    return {name: int(value) for name, value in zip(MEASURES, row, strict=True)}


def _late_share(effect: Integers, late: Integers) -> float | None:
    whole = int(effect[2] + late[2])
    return round(float(late[2]) / whole, 6) if whole > 0 else None


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
        Also run every campaign at 99 % and 101 % of its spend.
    on_progress : callable, optional
        Is given the share done so far, 0 to 1; an exception that it raises stops the work.

    Returns
    -------
    Truth
        Per campaign: removal (with the standard error over companies), first-in, spend, incremental return,
        deals by label, share of the effect after the window; Shapley and marginal return (with its error over
        companies too) if asked for. Amounts in minor units.

    Raises
    ------
    ValueError
        If exact Shapley values of more than `EXACT` campaigns are asked for.

    Notes
    -----
    "Without a campaign" means that it never ran, neither in the warm-up nor in the window. Removals do not
    add up to the total where campaigns need or replace each other. Standard errors treat companies as
    independent, which a crowded telephone desk makes slightly untrue. The figures are true of this world and
    seed, not of any real market.
    """
    players = len(world.campaigns)
    if exact_shapley and players > EXACT:
        raise ValueError(f"{players} campaigns need {2**players} runs: sample permutations beyond {EXACT}")
    everyone = (1 << players) - 1
    removals = [everyone & ~(1 << player) for player in range(players)]
    singles = [1 << player for player in range(players)]
    orders = orders_of_joining(world.campaigns, permutations, world.seed) if permutations else []
    wanted = [everyone, *removals, *singles, 0, *(mask for order in orders for mask in masks_along(order))]
    if exact_shapley:
        wanted += range(1 << players)
    masks = list(dict.fromkeys(wanted))
    scales = _scales(masks, players)
    if marginal:
        nudges = [
            np.ones(players) + sign * _STEP * np.eye(players)[i] for i in range(players) for sign in (-1, 1)
        ]
        scales = np.vstack([scales, *nudges])
    found = values(world, scales, spread, on_progress)
    window = dict(zip(masks, found.window, strict=False))
    late = dict(zip(masks, found.late, strict=False))
    row = {mask: position for position, mask in enumerate(masks)}
    total = window[everyone] - window[0]
    campaigns: dict[str, dict[str, Any]] = {}
    for player, (name, campaign) in enumerate(world.scenario.campaigns.items()):
        fixed, variable = spend_minor(world)[player]
        removal = window[everyone] - window[removals[player]]
        after = late[everyone] - late[removals[player]]
        mean = removal[2] / world.accounts
        variance = found.squares[row[removals[player]]] / world.accounts - mean**2
        labels = np.bincount(found.deals[:, 1 + row[removals[player]]], minlength=len(LABELS))
        cost = fixed + variable
        campaigns[name] = {
            "channel": campaign.channel,
            "spend_minor": {"fixed": fixed, "variable": variable},
            "removal": _named(removal),
            "removal_margin_se_minor": round(float(np.sqrt(max(0.0, variance) * world.accounts)), 2),
            "first_in": _named(window[singles[player]] - window[0]),
            "incremental_roi": round((int(removal[2]) - cost) / cost, 6) if cost else None,
            "late_share_of_margin": _late_share(removal, after),
            "deals": {label: int(count) for label, count in zip(LABELS, labels, strict=True)},
        }
        if marginal:
            below = len(masks) + 2 * player
            step = 2 * _STEP * variable
            gain = int(found.window[below + 1][2] - found.window[below][2])
            # The two steps move orders of different companies, nearly always.
            error = float(np.sqrt(found.squares[below] + found.squares[below + 1]))
            campaigns[name]["marginal_margin_per_spend"] = round(gain / step, 6) if step else None
            campaigns[name]["marginal_margin_per_spend_se"] = round(error / step, 6) if step else None
    if exact_shapley:
        _write_exact(campaigns, window, players, total)
    elif orders:
        _write_sampled(campaigns, window, orders, total)
    report = {
        "scenario": world.scenario.name,
        "accounts": world.accounts,
        "days": world.days,
        "warmup_days": world.scenario.warmup_days,
        "tail_days": world.scenario.tail_days,
        "seed": world.seed,
        "currency": world.scenario.currency,
        "runs": len(scales),
        "all_campaigns": _named(window[everyone]),
        "baseline": _named(window[0]),
        "incremental": _named(total),
        "late_share_of_margin": _late_share(total, late[everyone] - late[0]),
        "shapley": "exact" if exact_shapley else f"{len(orders)} permutations" if orders else "not asked for",
        "campaigns": campaigns,
    }
    keep = [0, 1, *(1 + row[mask] for mask in removals)]
    return Truth(report, found.deals[:, keep])


def _write_exact(
    campaigns: dict[str, dict[str, Any]], window: dict[int, Integers], players: int, total: Integers
) -> None:
    for measure, name in enumerate(MEASURES):
        worth = {mask: int(window[mask][measure]) for mask in range(1 << players)}
        exact = shapley(worth, players)
        whole = shares_that_add_up(exact, int(total[measure]))
        for entry, part, rounded in zip(campaigns.values(), exact, whole, strict=True):
            entry.setdefault("shapley", {})[name] = round(float(part), 4) if measure == 0 else rounded


def _write_sampled(
    campaigns: dict[str, dict[str, Any]],
    window: dict[int, Integers],
    orders: list[list[int]],
    total: Integers,
) -> None:
    for measure, name in enumerate(MEASURES):
        gains = np.zeros((len(orders), len(campaigns)), dtype=np.int64)
        for number, order in enumerate(orders):
            steps = pairwise(masks_along(order))
            for player, (before, after) in zip(order, steps, strict=True):
                gains[number, player] = window[after][measure] - window[before][measure]
        means = [Fraction(int(gains[:, player].sum()), len(orders)) for player in range(len(campaigns))]
        whole = shares_that_add_up(means, int(total[measure]))
        # An order and its reverse are one draw: their mean is what varies independently.
        pairs = (gains[0 : len(orders) // 2 * 2 : 2] + gains[1::2]) / 2
        for player, entry in enumerate(campaigns.values()):
            entry.setdefault("shapley", {})[name] = (
                round(float(means[player]), 4) if measure == 0 else whole[player]
            )
            if measure == 2 and len(pairs) > 1:
                error = float(pairs[:, player].std(ddof=1) / np.sqrt(len(pairs)))
                entry["shapley"]["margin_se_minor"] = round(error, 2)
