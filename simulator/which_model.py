"""Which model to trust with so many deals: what all models did in all shipped worlds, as a table to look up.

The figures stand in ``which_model.json`` and are made by ``python -m benchmarks.simulator.which_model``. A
model newer than the study is not covered by it: `uncovered` names such models.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

# The world nearest to a real supplier's, the one where every model is right and only chance errs, and the one
# where campaigns do nothing and nothing can be lost by moving money between them.
USUAL: Final = "supplier"
CHANCE: Final = "one-touch"
PLACEBO: Final = "placebo"


@dataclass(frozen=True)
class Figure:
    """How one model did in one world with so many deals; shares of the whole margin, 0 to 1.

    Attributes
    ----------
    wrong : float
        Share of the margin given to the wrong place (total variation), mean over markets.
    wrong_se : float or None
        Its standard error over markets; None with a single market.
    lost : float
        Margin lost by moving a fifth of the budget as the model says, mean over markets.
    """

    wrong: float
    wrong_se: float | None
    lost: float


@dataclass(frozen=True)
class Trust:
    """How far one model can be trusted with so many deals; shares of the whole margin, 0 to 1.

    Attributes
    ----------
    model : str
        Its name.
    usual : Figure
        In the supplier's world, which is meant to be nearest to a real one.
    mean : Figure
        Mean over the worlds, without those where no model can err.
    worst : Figure
        The largest of each over the same worlds.
    worst_world : str
        Where it gives most of the margin to the wrong place.
    """

    model: str
    usual: Figure
    mean: Figure
    worst: Figure
    worst_world: str


@cache
def study() -> dict[str, Any]:
    """Return the figures as they stand in the file.

    Returns
    -------
    dict
        ``markets`` (drawn per number of deals), ``accounts`` of the population whose truth counts, and
        ``worlds``: per world its ``description``, the share of the margin ``caused`` by campaigns, ``nulls``
        (what rules without a model get wrong and lose, here and in ``elsewhere`` other populations), and per
        number of deals (as text) and model ``wrong``, ``wrong_se``, ``lost``, ``ranks`` and ``credited``.
    """
    text = (resources.files("simulator") / "which_model.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def sizes() -> list[int]:
    """Return the numbers of deals that were studied, rising."""
    return sorted(int(deals) for deals in study()["markets"])


def studied(deals: int) -> int:
    """Return the studied number of deals that speaks for another: the largest that is not above it.

    Parameters
    ----------
    deals : int
        Deals at hand.

    Returns
    -------
    int
        One of `sizes`; with fewer deals than the least of them, that one, which then flatters.

    Examples
    --------
    >>> [studied(deals) for deals in (20, 100, 999, 50_000)]
    [100, 100, 300, 10000]
    """
    return max([size for size in sizes() if size <= deals], default=sizes()[0])


def covered(deals: int) -> list[str]:
    """Return the models that were studied in every world with so many deals.

    Parameters
    ----------
    deals : int
        Deals at hand; looked up by `studied`.

    Returns
    -------
    list of str
        Names in the order of the file.
    """
    size = str(studied(deals))
    first, *others = (world["deals"].get(size, {}) for world in study()["worlds"].values())
    return [model for model in first if all(model in other for other in others)]


def uncovered(models: Iterable[str], deals: int) -> list[str]:
    """Return those models that the study says nothing about with so many deals.

    Parameters
    ----------
    models : iterable of str
        Names.
    deals : int
        Deals at hand.

    Returns
    -------
    list of str
        Names in the order given.

    Examples
    --------
    >>> uncovered(["linear", "tomorrow"], 300)
    ['tomorrow']
    """
    known = covered(deals)
    return [model for model in models if model not in known]


def chance(deals: int) -> float:
    """Return what share of the margin chance alone puts in the wrong place with so many deals.

    Parameters
    ----------
    deals : int
        Deals at hand.

    Returns
    -------
    float
        0 to 1: the error of every model in the world where every model is right.

    Notes
    -----
    Differences between models smaller than this say nothing.
    """
    return _figure(CHANCE, studied(deals), "linear").wrong


def trust(deals: int) -> list[Trust]:
    """Answer which model to trust with so many deals.

    Parameters
    ----------
    deals : int
        Deals at hand; looked up by `studied`.

    Returns
    -------
    list of Trust
        One per model of `covered`, the least wrong on average over the worlds first.

    Notes
    -----
    A supplier cannot tell which world is his; hence the mean and the worst beside the usual one. Leads of
    less than `chance` mean nothing. The worlds are ours: a model that does well shares their assumptions.

    Examples
    --------
    >>> best = trust(300)[0]
    >>> best.usual.wrong <= best.worst.wrong
    True
    """
    size = studied(deals)
    worlds = [name for name in study()["worlds"] if name != CHANCE]
    found = []
    for model in covered(size):
        figures = {name: _figure(name, size, model) for name in worlds}
        wrong, lost = ([getattr(each, what) for each in figures.values()] for what in ("wrong", "lost"))
        worst = max(figures, key=lambda name: figures[name].wrong)
        found.append(
            Trust(
                model,
                figures[USUAL],
                Figure(sum(wrong) / len(wrong), None, sum(lost) / len(lost)),
                Figure(max(wrong), figures[worst].wrong_se, max(lost)),
                worst,
            )
        )
    return sorted(found, key=lambda each: each.mean.wrong)


@dataclass(frozen=True)
class Rule:
    """What a rule without any model does in the worlds of `trust`; shares of the whole margin.

    Attributes
    ----------
    name : str
        ``"leave"``, ``"random"`` or ``"spend"``, see `simulator.nulls.nulls`.
    usual_wrong, mean_wrong, worst_wrong : float or None
        Margin given to the wrong place; None for a rule that gives no credit.
    usual_lost, mean_lost, worst_lost : float
        Margin lost against the best move, in the population in which that move was found.
    usual_elsewhere, usual_elsewhere_se : float
        The same in other populations of the supplier's world, and its standard error over them.
    """

    name: str
    usual_wrong: float | None
    mean_wrong: float | None
    worst_wrong: float | None
    usual_lost: float
    mean_lost: float
    worst_lost: float
    usual_elsewhere: float
    usual_elsewhere_se: float


def rules() -> list[Rule]:
    """Return what the rules without a model do, whatever the number of deals: they look at none.

    Returns
    -------
    list of Rule
        Over the same worlds as `trust`.
    """
    worlds = {name: world["nulls"] for name, world in study()["worlds"].items() if name != CHANCE}
    found = []
    for name, usual in worlds[USUAL].items():
        wrong = [world[name]["wrong"] for world in worlds.values() if world[name]["wrong"] is not None]
        lost = [world[name]["lost"] for world in worlds.values()]
        found.append(
            Rule(
                name,
                usual["wrong"],
                sum(wrong) / len(wrong) if wrong else None,
                max(wrong, default=None),
                usual["lost"],
                sum(lost) / len(lost),
                max(lost),
                usual["lost_elsewhere"],
                usual["lost_elsewhere_se"],
            )
        )
    return found


def no_better_than_leaving(deals: int, world: str = USUAL) -> list[str]:
    """Return those models whose moves lose at least as much in a world as leaving the budget as it is.

    Parameters
    ----------
    deals : int
        Deals at hand; looked up by `studied`.
    world : str, default `USUAL`
        Name of a studied world.

    Returns
    -------
    list of str
        Models of `covered`, in their order.
    """
    leave = study()["worlds"][world]["nulls"]["leave"]["lost"]
    size = studied(deals)
    return [model for model in covered(size) if _figure(world, size, model).lost >= leave]


def worlds_better_than_leaving(deals: int) -> dict[str, int]:
    """Return in how many of the worlds of `trust` each model's moves lose less than leaving the budget."""
    worlds = [name for name in study()["worlds"] if name != CHANCE]
    worse = [no_better_than_leaving(deals, world) for world in worlds]
    return {model: sum(model not in each for each in worse) for model in covered(deals)}


WRONG_SOMEWHERE: Final = 0.9
"""A model is advised against that gives so much of the margin to the wrong place in one of the worlds."""


def recommended(deals: int) -> Trust:
    """Return the model to decide by with so many deals.

    Parameters
    ----------
    deals : int
        Deals at hand.

    Returns
    -------
    Trust
        Of those models whose mean is no farther from the best one than `chance`, the one with the best worst.

    Examples
    --------
    >>> recommended(100).model
    'position-based'
    """
    ranked, margin = trust(deals), chance(deals)
    near = [each for each in ranked if each.mean.wrong - ranked[0].mean.wrong <= margin]
    return min(near, key=lambda each: each.worst.wrong)


def advised_against(models: Iterable[str], deals: int) -> list[Trust]:
    """Return those models that the study advises against with so many deals.

    Parameters
    ----------
    models : iterable of str
        Names.
    deals : int
        Deals at hand.

    Returns
    -------
    list of Trust
        In the order given; models that the study does not cover are not among them.

    Examples
    --------
    >>> [each.model for each in advised_against(["linear", "last-touch"], 100)]
    ['last-touch']
    """
    found = {each.model: each for each in trust(deals)}
    return [found[name] for name in models if name in found and found[name].worst.wrong >= WRONG_SOMEWHERE]


def _figure(world: str, size: int, model: str) -> Figure:
    row = study()["worlds"][world]["deals"][str(size)][model]
    return Figure(row["wrong"], row["wrong_se"], row["lost"])
