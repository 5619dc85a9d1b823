"""What campaigns may cause under stated beliefs, and which pause of one would change the decision most.

Both weigh the worlds in which `simulator.decide` tried moves. A pause shows leads that are missing, give or
take chance; worlds in which so many would be missing gain weight, and another move may then be best.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import NormalDist
from typing import Final

import numpy as np

from simulator.advise import Gain
from simulator.beliefs import Beliefs
from simulator.certainty import told_from_zero
from simulator.chance import Flags, Floats
from simulator.decide import Cell, Trial, within_family
from simulator.families import EFFECTIVE, NONE

# From this share of the margin on an effect is large.
LARGE: Final = 0.05
# How often ranges held the truth, as `benchmarks.simulator.robust --write` found.
HELD: Final = Path(__file__).with_name("effect_ranges.json")
# Spread that is none, and standard deviations beyond which no upper end is looked for.
_TINY: Final = 1e-9
_FARTHEST: Final = 10.0
# Weeks of a pause that are tried.
WEEKS: Final = (12, 26)
# Variance of the leads of a week in multiples of their mean. Assumption: weeks vary half as much again as by
# chance alone.
DISPERSION: Final = 1.5
# Points by which chance in what a pause shows is gone through.
_POINTS: Final = 9


@dataclass(frozen=True)
class Effect:
    """What a campaign may cause under stated beliefs: margin lost without it, in minor units.

    Attributes
    ----------
    campaign : str
        Its name.
    mean, low, high : float
        Mean, and ends of the range that holds so much of the weight as was asked for.
    tracked : bool
        Whether anything tracked leads to it; otherwise how many it reaches is a guess.
    """

    campaign: str
    mean: float
    low: float
    high: float
    tracked: bool = True


@dataclass(frozen=True)
class Otherwise:
    """What the estimate of a campaign's effect would be under beliefs that differ in one answer.

    Attributes
    ----------
    beliefs : Beliefs
        The beliefs.
    mean : float
        The estimate, in minor units.
    """

    beliefs: Beliefs
    mean: float


@dataclass(frozen=True)
class Pause:
    """A pause of a campaign as a test.

    Attributes
    ----------
    campaign : str
        What pauses, everywhere.
    weeks : int
        For how long.
    gain : Gain
        Margin that a decision with its result gains over one without, in a year, in minor units.
    cost : float
        Margin lost in the pause on average, less the movable costs saved, in minor units; below 0 it saves.
    """

    campaign: str
    weeks: int
    gain: Gain
    cost: float

    @property
    def worth_it(self) -> bool | None:
        """Whether its gain is larger than its cost, by two standard errors; None where it cannot be told."""
        return told_from_zero(self.gain.mean - max(0.0, self.cost), self.gain.error)


def effects(
    trial: Trial, beliefs: Beliefs, *, level: float = 0.9, without: Sequence[str] = ()
) -> list[Effect]:
    """Estimate what each campaign causes under stated beliefs.

    Parameters
    ----------
    trial : Trial
        What `try_moves` returned.
    beliefs : Beliefs
        What is believed.
    level : float, default 0.9
        Weight of the worlds within the range.
    without : sequence of str, optional
        Families that get no weight.

    Returns
    -------
    list of Effect
        Most first, those to which nothing tracked leads last; empty for a trial without `Cell.caused`.

    Notes
    -----
    The lower end leaves half of the rest of the weight below it. For the upper end, effects are taken on the
    scale of their square roots, on which their spread depends little on their size, and it lies k standard
    deviations above the mean. One k serves all campaigns: the smallest with which, of the worlds tried in
    which a campaign causes `LARGE` of the margin or more, the range holds so much of the weight; each world
    is judged by the others. So large effects are held as often as small ones, which a plain range of the
    weights does not reach, since in most worlds they are small. A campaign that with this k has no large
    effect in its range has one by the k of such campaigns. docs/reliability.md says how often ranges hold the
    truth, within the prior and outside; they are no better than the beliefs.
    """
    cells = [cell for cell in trial.cells if cell.caused]
    if not cells:
        return []
    weights = {name: each for name, each in beliefs.families().items() if name not in without}
    whole = sum(weights.values())
    weight = _weights(cells, beliefs, weights) / whole
    # Where no campaign has any effect, there is none.
    weight = np.append(weight, weights.get(NONE, 0.0) / whole)
    table = np.vstack([np.array([cell.caused for cell in cells]), np.zeros(len(trial.campaigns))])
    mean, low = weight @ table, _quantile(table, weight, (1 - level) / 2)
    high = np.maximum(mean, _upper_ends(table, weight, low, level, LARGE * trial.margin_minor))
    found = zip(trial.campaigns, mean, np.minimum(low, mean), high, strict=True)
    return sorted(
        (
            Effect(name, float(middle), float(bottom), float(top), name not in trial.untracked)
            for name, middle, bottom, top in found
        ),
        key=lambda each: (not each.tracked, -each.mean),
    )


def _upper_ends(table: Floats, weight: Floats, low: Floats, level: float, large: float) -> Floats:
    """Return the upper end of each campaign's range."""
    root = np.sqrt(np.maximum(table, 0.0))
    mean = weight @ root
    deviation = np.sqrt(np.maximum(weight @ root**2 - mean**2, 0.0))
    # What the other worlds would have said of each.
    rest = (1 - weight)[:, np.newaxis]
    others = (mean - weight[:, np.newaxis] * root) / rest
    square = (weight @ root**2 - weight[:, np.newaxis] * root**2) / rest
    spread = np.sqrt(np.maximum(square - others**2, 0.0))
    gap = root - others
    steps = np.where(
        spread > _TINY * root, gap / np.maximum(spread, _TINY), np.where(gap > _TINY * root, np.inf, 0.0)
    )
    # What lies below the range is missed whatever its upper end.
    steps = np.where(table < low, np.inf, steps)
    every = np.broadcast_to(weight[:, np.newaxis], table.shape)

    def factor(rows: Flags) -> float:
        held = np.minimum(steps[rows], _FARTHEST)
        if not held.size:
            return 0.0
        # The market itself is one world more, which may lie beyond all that were tried.
        mass = np.where(rows, every, 0.0).sum(axis=1)
        share = min(1.0, level * (1 + float(mass @ mass) / float(mass.sum()) ** 2))
        return float(_quantile(held[:, np.newaxis], every[rows], share)[0])

    def reaches(k: float, middle: Floats, wide: Floats) -> Floats:
        return np.asarray(np.maximum(middle + k * wide, 0.0) ** 2)

    k = factor(table >= large)
    ends = reaches(k, mean, deviation)
    small = reaches(factor(reaches(k, others, spread) < large), mean, deviation)
    return np.where(ends >= large, ends, np.minimum(small, large))


def _quantile(table: Floats, weight: Floats, share: float) -> Floats:
    """Return of each column the least value up to which so much of the weight lies."""
    found = []
    for column in table.T:
        order = np.argsort(column, kind="stable")
        below = np.cumsum(weight[order])
        place = int(np.searchsorted(below, share * below[-1] - 1e-12))
        found.append(column[order][min(len(order) - 1, place)])
    return np.array(found)


@cache
def held() -> Mapping[str, float]:
    """Return how often ranges held the true effect in markets simulated for it.

    Returns
    -------
    mapping of str to float
        ``markets``, and the share of ranges that held under ``inside_all`` and ``inside_large``, or
        ``outside_all`` and ``outside_large`` where the family of the market had no weight. Each with
        ``_error``, its standard error over markets, and ``_count``, the number of ranges. Large is `LARGE` of
        the orders or more.
    """
    found: dict[str, float] = json.loads(HELD.read_text("utf-8"))
    return found


def otherwise(trial: Trial, beliefs: Beliefs) -> dict[str, tuple[Otherwise, Otherwise]]:
    """Say between what each estimate would lie if one of the answers were another.

    Parameters
    ----------
    trial : Trial
        What `try_moves` returned.
    beliefs : Beliefs
        What is believed.

    Returns
    -------
    dict of str to (Otherwise, Otherwise)
        Per campaign the lowest and the highest; empty for a trial without `Cell.caused`.
    """
    found: dict[str, list[Otherwise]] = {}
    for other in beliefs.others():
        for each in effects(trial, other):
            found.setdefault(each.campaign, []).append(Otherwise(other, each.mean))
    return {
        name: (min(all_, key=lambda each: each.mean), max(all_, key=lambda each: each.mean))
        for name, all_ in found.items()
    }


def pauses(trial: Trial, beliefs: Beliefs) -> list[Pause]:
    """Say what a pause of each campaign would be worth to the decision.

    Parameters
    ----------
    trial : Trial
        What `try_moves` returned.
    beliefs : Beliefs
        What is believed.

    Returns
    -------
    list of Pause
        One per campaign, of the length that is worth most after its cost, most first; empty for a trial
        without `Cell.brought` or without moves.

    Notes
    -----
    The worlds for valuing take turns at being true. In each, what a pause shows is its share of the leads
    that the campaign brings in the window, with the variance of a comparison of so many weeks with a year
    (`DISPERSION`). Weights of the worlds for finding follow by Bayes' rule, and the move that is then best is
    valued in the true world, against the move that was best before. So chance in the simulation does not
    count as information. A pause is taken to show its share of a year's leads at once; a campaign with a long
    memory shows less.
    """
    finding = [cell for cell in trial.cells if cell.finding and cell.brought]
    valuing = [cell for cell in trial.cells if not cell.finding and cell.brought]
    if not finding or not valuing or not trial.moves:
        return []
    families = beliefs.families()
    prior = _weights(finding, beliefs, families)
    gains = np.array([cell.gains for cell in finding])
    before = _choice(prior @ gains)
    found = []
    for place, (name, variable) in enumerate(trial.campaigns.items()):
        tried = [
            _pause(trial, name, place, variable, weeks, finding, valuing, prior, gains, before, beliefs)
            for weeks in WEEKS
        ]
        found.append(max(tried, key=lambda each: each.gain.mean - max(0.0, each.cost)))
    return sorted(found, key=lambda each: -(each.gain.mean - max(0.0, each.cost)))


def _pause(
    trial: Trial,
    name: str,
    place: int,
    variable: int,
    weeks: int,
    finding: list[Cell],
    valuing: list[Cell],
    prior: Floats,
    gains: Floats,
    before: int | None,
    beliefs: Beliefs,
) -> Pause:
    share = 7 * weeks / trial.days
    shown = np.array([cell.brought[place] for cell in finding]) * share
    normal = NormalDist()
    points = [normal.inv_cdf((number + 0.5) / _POINTS) for number in range(_POINTS)]
    differences = []
    for cell in valuing:
        error = math.sqrt(max(1.0, DISPERSION * cell.leads * share * (1 + share)))
        after = []
        for point in points:
            seen = cell.brought[place] * share + point * error
            likely = -0.5 * ((seen - shown) / error) ** 2
            after.append(_worth(cell, _choice((prior * np.exp(likely - likely.max())) @ gains)))
        differences.append(sum(after) / _POINTS - _worth(cell, before))
    families = beliefs.families()
    weight = _weights(valuing, beliefs, families)
    caused = np.array([cell.caused[place] for cell in valuing])
    cost = float(weight @ caused) * share - variable * share
    return Pause(name, weeks, _mean(np.array(differences), weight, valuing), cost)


def _mean(values: Floats, weight: Floats, cells: Sequence[Cell]) -> Gain:
    """Return a weighted mean with its standard error over worlds, family by family."""
    variance = 0.0
    for family in EFFECTIVE:
        rows = np.array([cell.family == family for cell in cells])
        own = weight[rows]
        if not own.sum():
            continue
        part = own / own.sum()
        effective = 1 / float(part @ part)
        if effective <= 1.5:
            return Gain(float(weight @ values), None)
        spread = float((part**2) @ (values[rows] - part @ values[rows]) ** 2) * effective / (effective - 1)
        variance += float(own.sum()) ** 2 * spread
    return Gain(float(weight @ values), math.sqrt(variance))


def _weights(cells: Sequence[Cell], beliefs: Beliefs, families: Mapping[str, float]) -> Floats:
    """Return the weight of each world; together those of the families with an effect."""
    weight = np.zeros(len(cells))
    for family in EFFECTIVE:
        rows = [row for row, cell in enumerate(cells) if cell.family == family]
        if rows:
            weight[rows] = families.get(family, 0.0) * within_family([cells[row] for row in rows], beliefs)
    return weight


def _choice(gains: Floats) -> int | None:
    best = int(np.argmax(gains))
    return best if gains[best] > 0 else None


def _worth(cell: Cell, move: int | None) -> float:
    return 0.0 if move is None else cell.gains[move]
