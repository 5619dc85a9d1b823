"""What any model has to beat: leaving the budget as it is, a move at random, and sharing out by spend.

The best move is looked for among many, so it owes part of its gain to chance (the winner's curse). It is
therefore valued on seeds on which it was not found, see `simulator.expectation.followed`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.expectation import Followed, followed
from simulator.market import World
from simulator.moves import Move
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
    followed : Followed or None
        What the rule gains, a random move on average over all moves, and what the best one gains more; None
        where moves were not run.
    """

    name: str
    total_variation: float | None
    followed: Followed | None


def by_spend(world: World, margin: int) -> dict[str | None, int]:
    """Share out a margin among the campaigns in proportion to what they cost."""
    costs = {name: sum(each) for name, each in zip(world.campaigns, spend_minor(world), strict=True)}
    whole = sum(costs.values())
    return {name: round(margin * cost / whole) if whole else 0 for name, cost in costs.items()}


def nulls(
    world: World,
    report: Mapping[str, Any],
    gains: Sequence[Mapping[Move, float]] | None = None,
) -> list[Null]:
    """Compare the rules that need no model with the truth.

    Parameters
    ----------
    world : World
        The market.
    report : mapping
        What `truth.json` holds.
    gains : sequence of mapping, optional
        What `simulator.moves.moves` returned, per seed.

    Returns
    -------
    list of Null
        ``leave`` moves nothing. ``random`` is the mean over all moves. ``spend`` credits the whole margin to
        the campaigns in proportion to their cost, sees equal returns everywhere and so moves nothing.
    """
    margin = int(report["window"]["margin_minor"])
    shared = compare("spend", by_spend(world, margin), report, world).total_variation
    rows = {"leave": (None, _nothing), "random": (None, _average), "spend": (shared, _nothing)}
    return [
        Null(name, wrong, followed(gains, gained) if gains else None)
        for name, (wrong, gained) in rows.items()
    ]


def _nothing(_gains: Mapping[Move, float]) -> float:
    return 0.0


def _average(gains: Mapping[Move, float]) -> float:
    return sum(gains.values()) / len(gains) if gains else 0.0
