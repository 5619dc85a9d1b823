"""What can be moved in a supplier's own market, and where each model would move it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution import JourneyError, attribute
from simulator.families import untracked
from simulator.market import World
from simulator.moves import MOVED, Move
from simulator.own_reader import completed
from simulator.parameters import Scenario
from simulator.score import HALF_LIFE_DAYS
from simulator.truth import spend_minor

# Campaigns among which budget is moved at most, the dearest: 6 make 30 moves.
_CAMPAIGNS: Final = 6
# Diminishing returns: the next euro brings this part of what the average one does. Assumption.
ELASTICITY: Final = 0.5


def credited(
    data: Mapping[str, pa.Table], scenario: Scenario, models: Sequence[str]
) -> tuple[int, dict[str, dict[str | None, float]]]:
    """Count the orders of one's own tables and attribute their margin.

    Parameters
    ----------
    data : mapping of str to pyarrow.Table
        As for `simulator.own.build`.
    scenario : Scenario
        The market, whose margin stands for orders that have none.
    models : sequence of str
        Names of models.

    Returns
    -------
    orders : int
        In the scenario's window.
    margin : dict of str to dict
        Per model the margin, in minor units, credited to each campaign in the window. Models that these
        tables do not support are left out.
    """
    whole = completed(data)
    won, (need,) = whole["conversions"], scenario.needs.values()
    begin = dt.datetime.combine(scenario.start, dt.time(), dt.UTC)
    end = begin + dt.timedelta(days=scenario.days)
    when = won["converted_at"]
    won = won.filter(
        pc.and_(
            pc.equal(pc.fill_null(won["goal"], "won"), "won"),
            pc.and_(pc.greater_equal(when, pa.scalar(begin)), pc.less(when, pa.scalar(end))),
        )
    )
    usual = pc.cast(pc.round(pc.multiply(pc.cast(won["value_minor"], pa.float64()), need.margin)), pa.int64())
    worth = pc.coalesce(won["margin_minor"], usual)
    place = won.schema.get_field_index("value_minor")
    orders = won.set_column(place, won.schema.field(place), pc.max_element_wise(worth, 0))
    found: dict[str, dict[str | None, float]] = {}
    for model in models:
        try:
            table = attribute(
                whole["touches"],
                orders,
                (model,),
                by="campaign",
                lookback_days=365.0,
                half_life_days=HALF_LIFE_DAYS,
                answers=whole["answers"],
            )
        except JourneyError:
            continue
        found[model] = {row["campaign"]: row["credit_minor"] for row in table.to_pylist()}
    return len(won), found


def movable(scenario: Scenario, accounts: int) -> tuple[dict[str, int], int]:
    """Return the movable costs of the campaigns that take part in moves, and the amount of a move.

    Parameters
    ----------
    scenario : Scenario
        The market.
    accounts : int
        Companies in it.

    Returns
    -------
    spend : dict of str to int
        Minor units in the window. Costs that are booked once do not count; nor do campaigns with less than
        the amount, since all moves shift the same, nor those of which nothing is tracked.
    amount : int
        The median of the movable costs, at most `MOVED` of all of them.
    """
    world, blind = World(scenario, accounts, scenario.days, 0), untracked(scenario)
    spend = {
        name: variable
        for name, (_, variable) in zip(world.campaigns, spend_minor(world), strict=True)
        if variable > 0 and name not in blind
    }
    if len(spend) < 2:
        return {}, 0
    amount = int(min(MOVED * sum(spend.values()), np.quantile(list(spend.values()), 0.5, method="lower")))
    able = {name: cost for name, cost in spend.items() if cost >= amount}
    dearest = sorted(able, key=lambda name: able[name], reverse=True)[:_CAMPAIGNS]
    return {name: cost for name, cost in able.items() if name in dearest}, amount


def expected(credit: Mapping[str | None, float], spend: Mapping[str, int], amount: int) -> Move | None:
    """Return the move that gains most by a model's credits under diminishing returns.

    Parameters
    ----------
    credit : mapping of str to float
        Margin credited per campaign.
    spend : mapping of str to int
        Movable costs per campaign, each at least `amount`.
    amount : int
        What is moved.

    Returns
    -------
    (str, str) or None
        From i to j where ``ELASTICITY * s_j * a / v_j - s_i * a / v_i`` is largest, for credits s, movable
        costs v and amount a; None if it is nowhere above 0.

    Examples
    --------
    >>> expected({"search": 900, "email": 90}, {"search": 100, "email": 100}, 50)
    ('email', 'search')
    >>> expected({"search": 90, "email": 80}, {"search": 100, "email": 100}, 50) is None
    True
    """
    gains = {
        (giver, taker): ELASTICITY * credit.get(taker, 0) * amount / spend[taker]
        - credit.get(giver, 0) * amount / spend[giver]
        for giver in spend
        for taker in spend
        if giver != taker
    }
    move = max(gains, key=lambda each: gains[each], default=None)
    return move if move is not None and gains[move] > 0 else None
