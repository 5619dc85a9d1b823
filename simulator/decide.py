"""Moves of budget tried on a supplier's own market, in worlds of every family of `simulator.families`.

Moves shift equal amounts from one campaign's movable costs to another's. Each is tried in worlds drawn from
the prior, against the same world left as it is. `simulator.advise` weighs what came of it by beliefs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa

from simulator.beliefs import ANYWAY, NOTHING, Beliefs
from simulator.chance import Floats, uniform_one
from simulator.families import EFFECTIVE, rates, sizes, solve, untracked
from simulator.market import World
from simulator.moves import Move, elsewhere, tried
from simulator.own_moves import credited, expected, movable
from simulator.parameters import Scenario
from simulator.runs import Mapper, OnProgress, counted, mapper, silent
from simulator.score import SCORED
from simulator.truth import spend_minor

# Companies a world is simulated with at most, and to find its effects; gains are scaled to the market.
MOST, _TRIED_ON = 1_000, 400
# Companies from which each campaign is taken away, at least, under seeds other than the one that brought the
# world to the orders and the belief: on that one, what all cause together would owe nothing to chance.
_STOPPED_FOR: Final = 1_200
# Worlds per family: each pair of answers to the first and third question, for finding and for valuing.
DRAWS: Final = 2 * len(ANYWAY) * len(NOTHING)
# What a cell has one of for each move or campaign.
_PER_PLACE: Final = ("gains", "caused", "brought")


@dataclass(frozen=True)
class Cell:
    """One world tried: a family, where it lies between the beliefs, and what each move gains there.

    Attributes
    ----------
    family : str
        One of `FAMILIES`, other than no effect, where nothing gains anything.
    anyway, nothing : str
        Which answers would be right there, see `simulator.beliefs`.
    finding : bool
        Whether moves are chosen on it; otherwise they are valued on it.
    reached : float
        Share of the orders that come without any advertising, 0 to 1.
    gains : tuple of float
        Margin gained by each move, window and tail, whole market, in minor units.
    caused : tuple of float
        Margin lost without each campaign, as for the gains; empty in trials kept before it was found.
    brought : tuple of float
        Companies that would not have enquired for the first time in the window without each campaign.
    leads : float
        Companies that enquire for the first time in the window.
    """

    family: str
    anyway: str
    nothing: str
    finding: bool
    reached: float
    gains: tuple[float, ...]
    caused: tuple[float, ...] = ()
    brought: tuple[float, ...] = ()
    leads: float = 0.0


@dataclass(frozen=True)
class Trial:
    """What the moves gain in all worlds tried: from this advice follows under any beliefs.

    Attributes
    ----------
    moves : list of (str, str)
        Giver and taker.
    amount_minor : int
        What each move shifts, in minor units.
    margin_minor : int
        Margin of the window, in minor units.
    by_model : dict of str to (str, str) or None
        The move of each model by expected gain on its own credits; None for leaving the budget.
    fixed : list of str
        Campaigns whose costs are all fixed, to which something tracked leads.
    small : list of str
        Campaigns with less movable cost than is moved.
    untracked : list of str
        Campaigns to which nothing tracked leads.
    cells : list of Cell
        The worlds.
    campaigns : dict of str to int
        Movable costs of all campaigns in the window, in the order of `Cell.caused`.
    days : int
        Length of the window.
    unpriced : list of str
        Campaigns of which no cost is known, to which something tracked leads.
    """

    moves: list[Move]
    amount_minor: int
    margin_minor: int
    by_model: dict[str, Move | None]
    fixed: list[str]
    small: list[str]
    untracked: list[str]
    cells: list[Cell]
    campaigns: dict[str, int] = field(default_factory=dict)
    days: int = 365
    unpriced: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Task:
    scenario: Scenario
    accounts: int
    family: str
    anyway: str
    nothing: str
    finding: bool
    draw: int
    orders: int
    value: float
    moves: tuple[tuple[str, str, float, float], ...]


def decide(
    data: Mapping[str, pa.Table],
    scenario: Scenario,
    spread: Mapper,
    *,
    draws: int = DRAWS,
    seed: int = 1,
    on_progress: OnProgress = silent,
) -> Trial:
    """Try the moves of all models and more on a market fitted to tables: `try_moves` with their credits.

    Parameters
    ----------
    data : mapping of str to pyarrow.Table
        The tables, as for `simulator.own.build`.
    scenario : Scenario
        The market fitted to them.
    spread, draws, seed, on_progress
        As for `try_moves`.

    Returns
    -------
    Trial
        What came of it.

    Raises
    ------
    ValueError
        If the scenario is not one that `simulator.fitting` made, or no order lies in its window.
    """
    if len(scenario.needs) != 1:
        raise ValueError(f"the scenario has {len(scenario.needs)} kinds of needs: make it by `market fit`")
    orders, margin = credited(data, scenario, SCORED)
    if not orders:
        raise ValueError("the tables hold no order in the window of the scenario: fit the market anew")
    whole = round(sum(next(iter(margin.values()), {}).values()))
    return try_moves(scenario, orders, whole, margin, spread, draws=draws, seed=seed, on_progress=on_progress)


def try_moves(
    scenario: Scenario,
    orders: int,
    margin_minor: int,
    credits: Mapping[str, Mapping[str | None, float]],
    spread: Mapper,
    *,
    draws: int = DRAWS,
    seed: int = 1,
    on_progress: OnProgress = silent,
) -> Trial:
    """Try moves of budget in worlds of every family.

    Parameters
    ----------
    scenario : Scenario
        The market, as fitted; its size stands in it.
    orders : int
        Orders in the window, 1 or more.
    margin_minor : int
        Their margin, in minor units.
    credits : mapping of str to mapping
        Per model the margin credited to each campaign, whose moves are tried.
    spread : Mapper
        Where to run it, a world at a time.
    draws : int, default `DRAWS`
        Worlds per family, half of them for finding; a multiple of 2.
    seed : int, default 1
        Decides the worlds.
    on_progress : callable, optional
        Is given the share done so far, 0 to 1; an exception that it raises stops the work.

    Returns
    -------
    Trial
        What came of it.

    Notes
    -----
    In every world what an order is worth does not depend on the campaigns, so a gain is the orders gained
    times the mean margin of an order: the same in expectation as adding up margins, with far less chance in
    it. Everyone is answered at once.
    """
    spend, amount = movable(scenario, scenario.accounts)
    names = list(scenario.campaigns)
    moves = [(giver, taker) for giver in spend for taker in spend if giver != taker]
    steps = tuple((giver, taker, amount / spend[giver], amount / spend[taker]) for giver, taker in moves)
    pairs = [(anyway, nothing) for anyway in ANYWAY for nothing in NOTHING]
    tasks = [
        _Task(
            scenario,
            min(MOST, scenario.accounts),
            family,
            # Half of the worlds find, half value. Both go through all pairs of answers in steps of four, so
            # that the first few are spread over them, and the second half goes on where the first ended.
            *pairs[(number // 2 + number % 2 * (draws // 2)) * 4 % len(pairs)],
            number % 2 == 0,
            seed * 1_000_003 + number,
            orders,
            margin_minor / max(1, orders),
            steps,
        )
        for number in range(draws if names else 0)
        for family in EFFECTIVE
    ]
    watched = counted(spread, on_progress, max(1, len(tasks)))
    costs = dict(zip(names, spend_minor(World(scenario, scenario.accounts, scenario.days, 0)), strict=True))
    blind = untracked(scenario)
    return Trial(
        moves=moves,
        amount_minor=amount,
        margin_minor=margin_minor,
        by_model={model: expected(credit, spend, amount) for model, credit in credits.items()},
        fixed=[name for name in names if any(costs[name]) and not costs[name][1] and name not in blind],
        small=[name for name in names if costs[name][1] and name not in {*spend, *blind}],
        untracked=blind,
        cells=list(watched(_world, tasks)),
        campaigns={name: variable for name, (_, variable) in costs.items()},
        days=scenario.days,
        unpriced=[name for name in names if not any(costs[name]) and name not in blind],
    )


def _world(task: _Task) -> Cell:
    def drawn(concern: str, span: tuple[float, float]) -> float:
        return span[0] + (span[1] - span[0]) * uniform_one(task.draw, 0, f"{concern}.{task.family}")

    nothing = drawn("nothing", NOTHING[task.nothing])
    scenario = rates(task.scenario, task.draw)
    strengths = sizes(scenario, task.family, task.draw, nothing)
    with mapper() as here:
        believed = solve(
            scenario,
            task.family,
            strengths,
            drawn("anyway", ANYWAY[task.anyway]),
            task.orders,
            here,
            accounts=min(_TRIED_ON, task.accounts),
            seed=task.draw,
        )
        world = World(believed.scenario, task.accounts, believed.scenario.days, task.draw)
        gained = tried(world, task.moves, here, stopped=False).gained
        seeds = range(1, 1 + max(2, math.ceil(_STOPPED_FOR / task.accounts)))
        stopped = [tried(elsewhere(world, seed), (), here) for seed in seeds]
    size = task.scenario.accounts / task.accounts
    lost = np.mean([one.lost for one in stopped], axis=0) * size
    brought = np.mean([one.brought for one in stopped], axis=0) * size
    return Cell(
        task.family,
        task.anyway,
        task.nothing,
        task.finding,
        believed.anyway,
        gains=tuple(map(float, gained * size * task.value)),
        caused=tuple(map(float, lost * task.value)),
        brought=tuple(map(float, brought)),
        leads=sum(one.leads for one in stopped) / len(seeds) * size,
    )


def within_family(cells: Sequence[Cell], beliefs: Beliefs) -> Floats:
    """Return how beliefs share the weight of one family among its worlds.

    Parameters
    ----------
    cells : sequence of Cell
        Worlds of one family, at least one.
    beliefs : Beliefs
        What is believed.

    Returns
    -------
    ndarray of float64
        One per world; they add up to 1.
    """
    weight = np.array([beliefs.world(cell.anyway, cell.nothing) for cell in cells])
    return np.asarray(weight / weight.sum(), dtype=np.float64)


def as_plain(trial: Trial) -> dict[str, Any]:
    """Return what JSON can hold of a trial."""
    return {
        "moves": [list(move) for move in trial.moves],
        "amount_minor": trial.amount_minor,
        "margin_minor": trial.margin_minor,
        "by_model": {model: list(move) if move else None for model, move in trial.by_model.items()},
        "fixed": trial.fixed,
        "small": trial.small,
        "untracked": trial.untracked,
        "cells": [
            vars(cell)
            | {name: [round(each, 1) for each in getattr(cell, name)] for name in _PER_PLACE}
            | {"leads": round(cell.leads, 1)}
            for cell in trial.cells
        ],
        "campaigns": trial.campaigns,
        "days": trial.days,
        "unpriced": trial.unpriced,
    }


def from_plain(held: Mapping[str, Any]) -> Trial:
    """Return the trial of which `as_plain` made this."""
    return Trial(
        moves=[(giver, taker) for giver, taker in held["moves"]],
        amount_minor=held["amount_minor"],
        margin_minor=held["margin_minor"],
        by_model={model: tuple(move) if move else None for model, move in held["by_model"].items()},
        fixed=held["fixed"],
        small=held["small"],
        untracked=held["untracked"],
        cells=[
            Cell(**cell | {name: tuple(cell.get(name, ())) for name in _PER_PLACE}) for cell in held["cells"]
        ],
        campaigns=held.get("campaigns", {}),
        days=held.get("days", 365),
        unpriced=held.get("unpriced", []),
    )
