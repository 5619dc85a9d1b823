"""Which model to trust with so many deals: what all models did in all shipped worlds, as a table to look up.

The figures stand in ``which_model.json`` and are made by ``python -m benchmarks.simulator.which_model``. A
model newer than the study is not covered by it: `uncovered` names such models.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from statistics import fmean, stdev
from typing import Any, Final

from simulator.certainty import told_from_zero

# The world nearest to a real supplier's, the one where every model is right and only chance errs, and the one
# where campaigns do nothing and nothing can be lost by moving money between them.
USUAL: Final = "supplier"
CHANCE: Final = "one-touch"
PLACEBO: Final = "placebo"


@dataclass(frozen=True)
class Figure:
    """How one model did with so many deals; shares of the whole margin.

    Attributes
    ----------
    wrong, wrong_se : float
        Share of the margin given to the wrong place (total variation) and its standard error: over markets in
        one world, over worlds in a mean.
    gain, gain_se : float
        Margin gained over leaving the budget by moving a fifth of it as the model says, in populations on
        which the move was not chosen; its standard error over markets and populations, or over worlds.
    lost : float
        What the best move, found in other populations, gains more; can be below 0.
    """

    wrong: float
    wrong_se: float
    gain: float
    gain_se: float
    lost: float


@dataclass(frozen=True)
class Trust:
    """How far one model can be trusted with so many deals; shares of the whole margin.

    Attributes
    ----------
    model : str
        Its name.
    usual : Figure
        In the supplier's world, which is meant to be nearest to a real one.
    mean : Figure
        Mean over the worlds, without those where no model can err.
    worst : Figure
        The worst of each over the same worlds, with no errors.
    worst_world : str
        Where it gives most of the margin to the wrong place.
    behind, behind_se : float
        How much more it misplaces on average than the least wrong model, and the standard error of that,
        paired over the worlds; 0 for the least wrong model itself.
    """

    model: str
    usual: Figure
    mean: Figure
    worst: Figure
    worst_world: str
    behind: float
    behind_se: float

    @property
    def near(self) -> bool:
        """Whether it cannot be told from the least wrong model: within two standard errors."""
        return self.behind <= 2 * self.behind_se


@cache
def study() -> dict[str, Any]:
    """Return the figures as they stand in the file.

    Returns
    -------
    dict
        ``markets`` (drawn per number of deals), ``accounts`` of the populations whose truth counts,
        ``truths`` and ``seeds`` (populations for truth and for moves), and ``worlds``: per world its
        ``description``, the share of the margin ``caused`` by campaigns, ``nulls`` (what rules without a
        model, and the ``best`` move, do), and per number of deals (as text) and model ``wrong``, ``gain`` and
        ``lost`` with their errors (``..._se``), ``ranks`` and ``credited``.
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
    [100, 100, 300, 1000]
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
    A supplier cannot tell which world is his; hence the mean and the worst beside the usual one. Models that
    are `Trust.near` the first cannot be told from it. The worlds are ours: a model that does well shares
    their assumptions.

    Examples
    --------
    >>> best = trust(300)[0]
    >>> best.usual.wrong <= best.worst.wrong, best.near
    (True, True)
    """
    size = studied(deals)
    worlds = [name for name in study()["worlds"] if name != CHANCE]
    figures = {model: [_figure(name, size, model) for name in worlds] for model in covered(size)}
    first = min(figures, key=lambda model: sum(each.wrong for each in figures[model]))
    found = []
    for model, each in figures.items():
        worst = max(each, key=lambda figure: figure.wrong)
        behind = [own.wrong - least.wrong for own, least in zip(each, figures[first], strict=True)]
        found.append(
            Trust(
                model,
                each[worlds.index(USUAL)],
                Figure(
                    *_mean([figure.wrong for figure in each]),
                    *_mean([figure.gain for figure in each]),
                    fmean(figure.lost for figure in each),
                ),
                Figure(
                    worst.wrong,
                    0.0,
                    min(figure.gain for figure in each),
                    0.0,
                    max(figure.lost for figure in each),
                ),
                worlds[each.index(worst)],
                *_mean(behind),
            )
        )
    return sorted(found, key=lambda each: each.mean.wrong)


@dataclass(frozen=True)
class Rule:
    """What a rule without any model does in the worlds of `trust`; shares of the whole margin.

    Attributes
    ----------
    name : str
        ``"leave"``, ``"random"`` or ``"spend"``, see `simulator.nulls.nulls`; or ``"best"``, the best move,
        found in other populations than it is valued in.
    usual_wrong, mean_wrong, worst_wrong : float or None
        Margin given to the wrong place; None for a rule that gives no credit.
    usual, usual_se : float
        Gain over leaving the budget in the supplier's world, and its standard error over populations.
    mean, mean_se : float
        The same on average over the worlds, and its standard error over them.
    worst : float
        The least gain in any of them.
    usual_lost, worst_lost : float
        What the best move gains more, in the supplier's world and at most in any.
    """

    name: str
    usual_wrong: float | None
    mean_wrong: float | None
    worst_wrong: float | None
    usual: float
    usual_se: float
    mean: float
    mean_se: float
    worst: float
    usual_lost: float
    worst_lost: float


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
        gain = [world[name]["gain"] for world in worlds.values()]
        found.append(
            Rule(
                name,
                usual["wrong"],
                fmean(wrong) if wrong else None,
                max(wrong, default=None),
                usual["gain"],
                usual["gain_se"],
                *_mean(gain),
                min(gain),
                usual["lost"],
                max(world[name]["lost"] for world in worlds.values()),
            )
        )
    return found


def beats_leaving(deals: int, world: str = USUAL) -> dict[str, bool | None]:
    """Tell per model whether its moves gain in a world, by more than two standard errors.

    Parameters
    ----------
    deals : int
        Deals at hand; looked up by `studied`.
    world : str, default `USUAL`
        Name of a studied world.

    Returns
    -------
    dict of str to bool or None
        Models of `covered`; None where it cannot be told.
    """
    size = studied(deals)
    figures = {model: _figure(world, size, model) for model in covered(size)}
    return {model: told_from_zero(each.gain, each.gain_se) for model, each in figures.items()}


def worlds_better_than_leaving(deals: int) -> dict[str, int]:
    """Return in how many of the worlds of `trust` each model's moves are known to beat leaving the budget."""
    worlds = [name for name in study()["worlds"] if name != CHANCE]
    found = [beats_leaving(deals, world) for world in worlds]
    return {model: sum(each[model] is True for each in found) for model in covered(deals)}


WRONG_SOMEWHERE: Final = 0.9
"""A model is advised against that gives so much of the margin to the wrong place in one of the worlds."""


def recommended(deals: int, among: Collection[str] | None = None) -> Trust:
    """Return the model to decide by with so many deals.

    Parameters
    ----------
    deals : int
        Deals at hand.
    among : collection of str, optional
        Models that come into question; without it all that the study covers.

    Returns
    -------
    Trust
        Of those models that cannot be told from the least wrong one (`Trust.near`), the one with the best
        worst. Where none of `among` is near, the least wrong of them.

    Examples
    --------
    >>> recommended(100, ("linear", "position-based")).model
    'position-based'
    """
    found = [each for each in trust(deals) if among is None or each.model in among]
    return min([each for each in found if each.near] or found[:1], key=lambda each: each.worst.wrong)


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
    return Figure(row["wrong"], row["wrong_se"], row["gain"], row["gain_se"], row["lost"])


def _mean(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean over worlds and its standard error."""
    return fmean(values), stdev(values) / math.sqrt(len(values))
