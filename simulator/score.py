"""How wrong each attribution model is, in a market whose truth is known: in shares, in order, and in money.

Everything is measured in gross margin. The whole margin of the window is one pie, and a model cuts it among
the campaigns and what no campaign brought. The truth is measured on the same scale: what the spend of the
window causes until the tail has run out. In a market that runs evenly, as much of earlier spend falls into
the window as falls out of it at the end, so that a model that is right agrees with the truth on average.
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
from simulator.expectation import Followed, followed
from simulator.market import World
from simulator.moves import Move, advised, worth
from simulator.parameters import Scenario
from simulator.shapley_exact import shares_that_add_up

# Every model of the engine but the one whose weights the user chooses.
SCORED: Final = tuple(model for model in MODELS if model != "custom")
HALF_LIFE_DAYS: Final = 30.0


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
    allocation : str
        Which of several true effects it is compared with, see `allocation`.
    move : (str, str) or None
        Where the model would take budget from and give it to; None if it sees no difference.
    followed : Followed or None
        What this move gains and what the best one gains more, on seeds on which they were not found; None
        where moves were not run.
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
    allocation: str
    move: Move | None
    followed: Followed | None
    covered: float | None = None


def allocation(report: Mapping[str, Any]) -> str:
    """Name the allocation by which `true_margin` says what each campaign caused.

    Parameters
    ----------
    report : mapping
        What `truth.json` holds.

    Returns
    -------
    str
        ``"shapley"`` where Shapley values were found, else ``"scaled removal"``.
    """
    known = all("shapley" in entry for entry in report["campaigns"].values())
    return "shapley" if known else "scaled removal"


def true_margin(report: Mapping[str, Any]) -> dict[str, int]:
    """Say what margin each campaign caused, adding up to what all of them caused.

    Parameters
    ----------
    report : mapping
        What `truth.json` holds.

    Returns
    -------
    dict of str to int
        Minor units. Shapley values where they were found; else removals, scaled so that they add up. On
        average over seeds where the report has an ``expectation``.

    Notes
    -----
    Scaled removals share what campaigns do jointly in proportion to what each does last, which is a
    convention.
    """
    of = report.get("expectation", report)
    campaigns, total = of["campaigns"], round(of["incremental"]["margin_minor"])
    if allocation(report) == "shapley":
        return {name: round(entry["shapley"]["margin_minor"]) for name, entry in campaigns.items()}
    removals = [round(entry["removal"]["margin_minor"]) for entry in campaigns.values()]
    whole = sum(removals)
    if whole <= 0 or total <= 0:
        return dict(zip(campaigns, removals, strict=True))
    parts = [Fraction(part * total, whole) for part in removals]
    return dict(zip(campaigns, shares_that_add_up(parts, total), strict=True))


def true_whole(report: Mapping[str, Any]) -> float:
    """Return the margin of the window, in minor units, of which `true_margin` is a part."""
    return float(report.get("expectation", report)["window"]["margin_minor"])


def true_errors(report: Mapping[str, Any]) -> dict[str, float] | None:
    """Return the standard error of `true_margin` over seeds, in minor units; None where there is one seed."""
    if "expectation" not in report:
        return None
    by = "shapley" if allocation(report) == "shapley" else "removal"
    return {
        name: float(entry[by]["margin_minor_se"])
        for name, entry in report["expectation"]["campaigns"].items()
    }


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


def compare(
    model: str,
    credit: Mapping[str | None, int],
    report: Mapping[str, Any],
    world: World,
    gains: Sequence[Mapping[Move, float]] | None = None,
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
    gains : sequence of mapping, optional
        What `moves` returned, per seed; the first is the market of the credits.

    Returns
    -------
    Score
        All measures; `Score.followed` only with the gains.
    """
    truth = true_margin(report)
    names = list(truth)
    whole = int(report["window"]["margin_minor"])
    given = np.array([credit.get(name, 0) for name in names], dtype=np.float64) / whole
    right = np.array([truth[name] for name in names], dtype=np.float64) / true_whole(report)
    gaps = np.append(given - right, right.sum() - given.sum())
    both = (given > 0) & (right > 0)
    by_channel: dict[str, float] = {}
    for name, gap in zip(names, gaps, strict=False):
        channel = world.scenario.campaigns[name].channel
        by_channel[channel] = by_channel.get(channel, 0.0) + float(gap)
    by_channel["(no campaign)"] = float(gaps[-1])
    move = advised(credit, world)
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
        allocation=allocation(report),
        move=move,
        followed=followed(gains, lambda each: worth(each, move)) if gains else None,
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
    gains: Sequence[Mapping[Move, float]] | None = None,
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
    gains : sequence of mapping, optional
        As for `compare`.

    Returns
    -------
    list of Score
        One per model, least total variation first.

    Notes
    -----
    A model that does well in one world shares that world's assumptions; none of these worlds is any
    supplier's market. Time decay is run with a half-life of 30 days. Credits are those of one market and
    seed, so with few deals part of the difference from the truth is chance.
    """
    found = credits(tables, models, lookback_days)
    scores = [compare(model, found[model], report, world, gains) for model in models]
    return sorted(scores, key=lambda each: each.total_variation)
