"""What any model has to beat: leaving the budget as it is, a move at random, and sharing out by spend.

The best move is looked for among many, so it owes part of its gain to chance (the winner's curse). Moves
are therefore valued twice: in the market in which they were found, and in another one of the same world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.market import World
from simulator.moves import Move, best, worth
from simulator.score import compare
from simulator.truth import spend_minor


@dataclass(frozen=True)
class Null:
    """How one rule without any model compares with the truth.

    Attributes
    ----------
    name : str
        ``"leave"``, ``"random"`` or ``"spend"``.
    total_variation : float or None
        As of a model's `simulator.score.Score`; None for a rule that gives no credit.
    regret_minor : float or None
        Margin lost compared with the best move, in minor units; of a random move the mean over all moves.
        None where moves were not run.
    regret_elsewhere_minor : float or None
        The same in another market, against the move that was best in this one; below 0 where that move does
        worse there than this rule.
    """

    name: str
    total_variation: float | None
    regret_minor: float | None
    regret_elsewhere_minor: float | None


def by_spend(world: World, margin: int) -> dict[str | None, int]:
    """Share out a margin among the campaigns in proportion to what they cost."""
    costs = {name: sum(each) for name, each in zip(world.campaigns, spend_minor(world), strict=True)}
    whole = sum(costs.values())
    return {name: round(margin * cost / whole) if whole else 0 for name, cost in costs.items()}


def nulls(
    world: World,
    report: Mapping[str, Any],
    gains: Mapping[Move, int] | None = None,
    gains_elsewhere: Mapping[Move, int] | None = None,
) -> list[Null]:
    """Compare the rules that need no model with the truth.

    Parameters
    ----------
    world : World
        The market.
    report : mapping
        What `truth.json` holds.
    gains, gains_elsewhere : mapping, optional
        What `simulator.moves.moves` returned for the market, and for that of `simulator.moves.elsewhere`.

    Returns
    -------
    list of Null
        ``leave`` moves nothing. ``random`` is the mean over all moves. ``spend`` credits the whole margin to
        the campaigns in proportion to their cost, sees equal returns everywhere and so moves nothing.
    """
    margin = int(report["window"]["margin_minor"])
    shared = compare("spend", by_spend(world, margin), report, world).total_variation
    rows = {"leave": (None, 0), "random": (None, None), "spend": (shared, 0)}
    return [
        Null(name, wrong, _lost(gains, gains, gain), _lost(gains, gains_elsewhere, gain))
        for name, (wrong, gain) in rows.items()
    ]


def _lost(
    found: Mapping[Move, int] | None, valued: Mapping[Move, int] | None, gain: int | None
) -> float | None:
    if not found or not valued:
        return None
    gained = sum(valued.values()) / len(valued) if gain is None else gain
    return worth(valued, best(found)) - gained
