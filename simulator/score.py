"""How wrong each attribution model is, in a market whose truth is known: in shares, in order, and in money.

Everything is measured in gross margin. The whole margin of the window is one pie; a model cuts it among the
campaigns and what no campaign brought, and so does the truth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from attribution import MODELS, attribute
from simulator.chance import Floats
from simulator.market import World
from simulator.parameters import Scenario
from simulator.runs import Mapper, OnProgress, silent
from simulator.shapley_exact import shares_that_add_up
from simulator.truth import spend_minor, values

# Every model of the engine but the one whose weights the user chooses.
SCORED: Final = tuple(model for model in MODELS if model != "custom")
HALF_LIFE_DAYS: Final = 30.0
# Share of the variable budget that a move shifts at most. Assumption: what a cautious supplier would try in a
# year.
MOVED: Final = 0.2

Move = tuple[str, str]


@dataclass(frozen=True)
class Score:
    """How one model compares with the truth.

    Attributes
    ----------
    model : str
        Its name.
    share_error : float
        Mean absolute difference of shares of the margin, over the campaigns and the baseline; 0 to 1.
    total_variation : float
        Half the sum of those differences: the share of the margin given to the wrong place; 0 to 1.
    credited : float
        Share of the margin that the model gives to campaigns.
    caused : float
        Share of the margin that the campaigns really caused.
    rank_agreement : float or None
        Kendall's tau-b between credit and truth over the campaigns, -1 to 1; None where either has no order.
    log_error : float or None
        Mean absolute logarithm of credited over true margin per campaign, which is that of returns on the
        same spend; over campaigns where both are above 0, None if there is none.
    unmeasured : int
        Campaigns left out of `log_error`.
    by_channel : dict of str to float
        Credited less true share, per channel; above 0 is too much credit.
    move : (str, str) or None
        Where the model would take budget from and give it to; None if it sees no difference.
    regret_minor : int or None
        Margin lost by this move compared with the best one, in minor units; None where moves were not run.
    covered : float or None
        Share of campaigns whose true margin lies within the model's 90 % interval; None where none was drawn.
    """

    model: str
    share_error: float
    total_variation: float
    credited: float
    caused: float
    rank_agreement: float | None
    log_error: float | None
    unmeasured: int
    by_channel: dict[str, float]
    move: Move | None
    regret_minor: int | None
    covered: float | None = None


def true_margin(report: Mapping[str, Any]) -> dict[str, int]:
    """Say what margin each campaign caused, adding up to what all of them caused.

    Parameters
    ----------
    report : mapping
        What `truth.json` holds.

    Returns
    -------
    dict of str to int
        Minor units. Shapley values where they were found; else removals, scaled so that they add up.

    Notes
    -----
    Scaled removals share what campaigns do jointly in proportion to what each does last, which is a
    convention.
    """
    campaigns, total = report["campaigns"], int(report["incremental"]["margin_minor"])
    if all("shapley" in entry for entry in campaigns.values()):
        return {name: int(entry["shapley"]["margin_minor"]) for name, entry in campaigns.items()}
    removals = [int(entry["removal"]["margin_minor"]) for entry in campaigns.values()]
    whole = sum(removals)
    if whole <= 0 or total <= 0:
        return dict(zip(campaigns, removals, strict=True))
    parts = [Fraction(part * total, whole) for part in removals]
    return dict(zip(campaigns, shares_that_add_up(parts, total), strict=True))


def orders_at_margin(tables: Mapping[str, pa.Table]) -> pa.Table:
    """Return the orders among the conversions, each worth its gross margin.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
        With ``conversions`` of the journey contract.

    Returns
    -------
    pyarrow.Table
        Rows of the contract, ``value_minor`` in minor units of margin.
    """
    orders = tables["conversions"].filter(pc.equal(tables["conversions"]["goal"], "won"))
    place = orders.schema.get_field_index("value_minor")
    return orders.set_column(place, orders.schema.field(place), orders["margin_minor"])


def credits(
    tables: Mapping[str, pa.Table], models: Sequence[str], lookback_days: float | None = 365.0
) -> dict[str, dict[str | None, int]]:
    """Attribute the margin of the orders among the campaigns.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
        ``touches``, ``conversions`` and ``answers`` of the journey contract.
    models : sequence of str
        Names of models.
    lookback_days : float or None, default 365
        How far back a touch earns credit, in days.

    Returns
    -------
    dict of str to dict
        Per model the credit per campaign in minor units of margin.
    """
    credit = attribute(
        tables["touches"],
        orders_at_margin(tables),
        models,
        by="campaign",
        lookback_days=lookback_days,
        half_life_days=HALF_LIFE_DAYS,
        answers=tables["answers"],
    )
    found: dict[str, dict[str | None, int]] = {model: {} for model in models}
    for row in credit.to_pylist():
        found[row["model"]][row["campaign"]] = row["credit_minor"]
    return found


def moves(world: World, spread: Mapper, on_progress: OnProgress = silent) -> dict[Move, int]:
    """Try every shift of budget from one campaign to another.

    Parameters
    ----------
    world : World
        The market to try it in.
    spread : Mapper
        Where to run it.
    on_progress : callable, optional
        Is given the share done so far, 0 to 1; an exception that it raises stops the work.

    Returns
    -------
    dict of (str, str) to int
        Margin gained in the window, in minor units, by taking budget from the first and giving it to the
        second. A move shifts `MOVED` of all variable spend, but no more than the giver has and no more than
        doubles the taker. Only campaigns with variable cost take part; a booked stand cannot be moved.
    """
    spend = [variable for _, variable in spend_minor(world)]
    open_ones = [position for position, amount in enumerate(spend) if amount > 0]
    limit = MOVED * sum(spend)
    pairs = [(giver, taker) for giver in open_ones for taker in open_ones if giver != taker]
    scales = [np.ones(len(spend))]
    for giver, taker in pairs:
        amount = min(limit, spend[giver], spend[taker])
        scale = np.ones(len(spend))
        scale[giver] -= amount / spend[giver]
        scale[taker] += amount / spend[taker]
        scales.append(scale)
    margin = values(world, np.array(scales), spread, on_progress).window[:, 2]
    names = world.campaigns
    return {
        (names[giver], names[taker]): int(gain - margin[0])
        for (giver, taker), gain in zip(pairs, margin[1:], strict=True)
    }


def advised(credit: Mapping[str | None, int], world: World) -> Move | None:
    """Return which move a table of credits suggests: from the lowest return on spend to the highest.

    Parameters
    ----------
    credit : mapping of str to int
        Margin credited per campaign, in minor units.
    world : World
        Whose costs count.

    Returns
    -------
    (str, str) or None
        Giver and taker among the campaigns with variable cost; None if all returns are equal.
    """
    returns = {
        name: credit.get(name, 0) / (fixed + variable)
        for name, (fixed, variable) in zip(world.campaigns, spend_minor(world), strict=True)
        if variable > 0
    }
    if not returns or min(returns.values()) == max(returns.values()):
        return None
    return min(returns, key=lambda name: returns[name]), max(returns, key=lambda name: returns[name])


def compare(
    model: str,
    credit: Mapping[str | None, int],
    report: Mapping[str, Any],
    world: World,
    gains: Mapping[Move, int] | None = None,
) -> Score:
    """Compare one model's credits with the truth.

    Parameters
    ----------
    model : str
        Its name.
    credit : mapping
        Margin credited per campaign, in minor units; other keys count as the baseline.
    report : mapping
        What `truth.json` holds.
    world : World
        The market.
    gains : mapping, optional
        What `moves` returned.

    Returns
    -------
    Score
        All measures; the regret only with `gains`.
    """
    truth = true_margin(report)
    total = int(report["all_campaigns"]["margin_minor"])
    names = list(truth)
    given = np.array([credit.get(name, 0) for name in names], dtype=np.float64) / total
    right = np.array([truth[name] for name in names], dtype=np.float64) / total
    gaps = np.append(given - right, right.sum() - given.sum())
    both = (given > 0) & (right > 0)
    by_channel: dict[str, float] = {}
    for name, gap in zip(names, gaps, strict=False):
        channel = world.scenario.campaigns[name].channel
        by_channel[channel] = by_channel.get(channel, 0.0) + float(gap)
    by_channel["(no campaign)"] = float(gaps[-1])
    move = advised(credit, world)
    regret = None
    if gains is not None:
        regret = max(0, *gains.values()) - (gains[move] if move else 0)
    return Score(
        model=model,
        share_error=float(np.abs(gaps).mean()),
        total_variation=float(np.abs(gaps).sum() / 2),
        credited=float(given.sum()),
        caused=float(right.sum()),
        rank_agreement=_kendall(given, right),
        log_error=float(np.abs(np.log(given[both] / right[both])).mean()) if both.any() else None,
        unmeasured=int((~both).sum()),
        by_channel=by_channel,
        move=move,
        regret_minor=regret,
    )


def _kendall(one: Floats, other: Floats) -> float | None:
    """Return Kendall's tau-b of two columns, None where either has no order."""
    pair = np.triu_indices(len(one), 1)
    first, second = (np.sign(column[pair[0]] - column[pair[1]]) for column in (one, other))
    orders = float(np.sqrt((first**2).sum()) * np.sqrt((second**2).sum()))
    return float((first * second).sum()) / orders if orders else None


def read(directory: Path) -> tuple[World, dict[str, pa.Table], dict[str, Any]]:
    """Read back a market that `simulator.write` wrote, with its truth.

    Parameters
    ----------
    directory : Path
        Where it was written.

    Returns
    -------
    world : World
        The market, ready to be run again.
    tables : dict of str to pyarrow.Table
        ``touches``, ``conversions`` and ``answers``.
    report : dict
        What `truth.json` holds.

    Raises
    ------
    FileNotFoundError
        If the directory lacks a file; the message says which command writes it.
    """
    for name in ("scenario.json", "truth.json", "touches.parquet", "conversions.parquet", "answers.parquet"):
        if not (directory / name).is_file():
            raise FileNotFoundError(
                f"{directory} holds no {name}: write it with `simulate SCENARIO --out {directory}`"
            )
    report = json.loads((directory / "truth.json").read_text(encoding="utf-8"))
    scenario = Scenario.model_validate_json((directory / "scenario.json").read_text(encoding="utf-8"))
    tables = {
        name: pq.read_table(directory / f"{name}.parquet") for name in ("touches", "conversions", "answers")
    }
    return World(scenario, report["accounts"], report["days"], report["seed"]), tables, report


def score(
    world: World,
    tables: Mapping[str, pa.Table],
    report: Mapping[str, Any],
    *,
    models: Sequence[str] = SCORED,
    lookback_days: float | None = 365.0,
    gains: Mapping[Move, int] | None = None,
) -> list[Score]:
    """Run models on what the tracker saw and compare each with the truth.

    Parameters
    ----------
    world : World
        The market.
    tables : mapping of str to pyarrow.Table
        What its tracker saw.
    report : mapping
        Its truth.
    models : sequence of str, default `SCORED`
        Names of models.
    lookback_days : float or None, default 365
        How far back a touch earns credit, in days.
    gains : mapping, optional
        What `moves` returned, for the regret.

    Returns
    -------
    list of Score
        One per model, least total variation first.

    Notes
    -----
    A model that does well in one world shares that world's assumptions; none of these worlds is any
    supplier's market. Time decay is run with a half-life of 30 days. The truth is what happened in this one
    market and seed, so with few deals part of the difference is chance.
    """
    found = credits(tables, models, lookback_days)
    scores = [compare(model, found[model], report, world, gains) for model in models]
    return sorted(scores, key=lambda each: each.total_variation)
