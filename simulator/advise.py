"""Which move of budget is good under most beliefs of how campaigns work, and which beliefs it hangs on.

The move is chosen on some of the worlds that were tried and valued on others, so that its gain owes nothing
to having been chosen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from simulator.beliefs import Beliefs
from simulator.chance import Floats
from simulator.decide import Trial, within_family
from simulator.families import EFFECTIVE, FAMILIES, NONE
from simulator.moves import Move

# The best moves by the worlds for finding that are shown beside the models'.
_BEST: Final = 3
# A gain or a loss counts as clear beyond so many standard errors.
CLEAR: Final = 2.0
# Up to this share of the margin nothing is worth a change.
TRIFLE: Final = 0.002
# Under no family may the advised move clearly lose more than this part of what it gains on average.
_LITTLE: Final = 0.5

Verdict = Literal["do", "test", "leave", "unclear"]


@dataclass(frozen=True)
class Gain:
    """A margin in minor units with its standard error; None with a single world."""

    mean: float
    error: float | None

    @property
    def sign(self) -> int:
        """1 for a clear gain, -1 for a clear loss, 0 where it cannot be told."""
        if self.error is None or abs(self.mean) <= CLEAR * self.error:
            return 0
        return 1 if self.mean > 0 else -1


@dataclass(frozen=True)
class Row:
    """One move under every family.

    Attributes
    ----------
    move : (str, str) or None
        None for the mean over all moves, which is what a random one gains.
    models : list of str
        The models whose move it is.
    by_family : dict of str to Gain
        On the worlds for valuing.
    regret : dict of str to float
        Per family what it gains less than that family's best move, found on other worlds; never below 0.
    overall : Gain
        Mean over the families by their weights.
    supported : float
        Weight of the families under which it clearly gains, 0 to 1.
    verdict : {"do", "test", "leave", "unclear"}
        `do`: it gains under most and loses little under the rest. `test`: it clearly gains under some.
        `leave`: it gains nothing worth a change. `unclear`: chance hides what it does.
    """

    move: Move | None
    models: list[str]
    by_family: dict[str, Gain]
    regret: dict[str, float]
    overall: Gain
    supported: float
    verdict: Verdict


@dataclass(frozen=True)
class Advice:
    """What to do under stated beliefs.

    Attributes
    ----------
    beliefs : Beliefs
        Under which it holds.
    weights : dict of str to float
        Per family.
    row : Row or None
        The move found best; None where no budget can be moved.
    rows : list of Row
        The models' moves and the best ones, most gain first; last the random one.
    """

    beliefs: Beliefs
    weights: dict[str, float]
    row: Row | None
    rows: list[Row]

    @property
    def verdict(self) -> Verdict:
        """The verdict on the move found best."""
        return self.row.verdict if self.row else "leave"

    @property
    def better_than_leaving(self) -> bool | None:
        """Whether it is better than leaving the budget; None where it cannot be told."""
        return {"do": True, "leave": False, "test": None, "unclear": None}[self.verdict]


def advise(trial: Trial, beliefs: Beliefs, without: Sequence[str] = ()) -> Advice:
    """Weigh what was tried by beliefs.

    Parameters
    ----------
    trial : Trial
        What `try_moves` returned.
    beliefs : Beliefs
        What is believed.
    without : sequence of str, optional
        Families that get no weight.

    Returns
    -------
    Advice
        The best move and how good it is.
    """
    weights = {name: 0.0 if name in without else each for name, each in beliefs.families().items()}
    whole = sum(weights.values())
    weights = {name: each / whole for name, each in weights.items()}
    if not trial.moves or not trial.cells:
        return Advice(beliefs, weights, None, [])
    finding, valuing = (_Means(trial, beliefs, weights, half) for half in (True, False))
    ranked = np.argsort(-finding.overall())
    candidates = [trial.moves[position] for position in ranked[:_BEST]]
    candidates += [move for move in trial.by_model.values() if move is not None and move not in candidates]
    candidates = list(dict.fromkeys(candidates))
    place = {move: position for position, move in enumerate(trial.moves)}
    rows = []
    for move in candidates:
        picked = np.zeros(len(trial.moves))
        picked[place[move]] = 1.0
        rows.append(_row(trial, weights, finding, valuing, picked, move))
    best = rows[0]
    rows.sort(key=lambda row: -row.overall.mean)
    anything = np.full(len(trial.moves), 1 / len(trial.moves))
    rows.append(_row(trial, weights, finding, valuing, anything, None))
    return Advice(beliefs, weights, best, rows)


class _Means:
    """Mean gains over the worlds of one half, weighed by beliefs."""

    def __init__(self, trial: Trial, beliefs: Beliefs, weights: Mapping[str, float], finding: bool) -> None:
        self._weights = weights
        self._gains, self._of = {}, {}
        for family in EFFECTIVE:
            cells = [each for each in trial.cells if each.family == family and each.finding == finding]
            self._gains[family] = np.array([each.gains for each in cells])
            self._of[family] = within_family(cells, beliefs)

    def family(self, family: str, moves: Floats) -> Gain:
        """Return the gain of a mixture of moves under one family."""
        if family == NONE:
            return Gain(0.0, 0.0)
        gains, weight = self._gains[family] @ moves, self._of[family]
        mean = float(weight @ gains)
        spread = float((weight**2) @ (gains - mean) ** 2)
        # As many worlds as count, as in the mean of a sample.
        effective = 1 / float(weight @ weight)
        error = math.sqrt(spread * effective / (effective - 1)) if effective > 1.5 else None
        return Gain(mean, error)

    def all(self, family: str) -> Floats:
        """Return the gain of every move under one family."""
        return np.asarray(self._of[family] @ self._gains[family], dtype=np.float64)

    def overall(self) -> Floats:
        """Return the gain of every move over the families."""
        return np.asarray(sum(self._weights[family] * self.all(family) for family in EFFECTIVE))


def _row(
    trial: Trial,
    weights: Mapping[str, float],
    finding: _Means,
    valuing: _Means,
    picked: Floats,
    move: Move | None,
) -> Row:
    by_family = {family: valuing.family(family, picked) for family in FAMILIES}
    regret = {NONE: 0.0}
    for family in EFFECTIVE:
        best = float(valuing.all(family)[int(np.argmax(finding.all(family)))])
        regret[family] = max(0.0, best, by_family[family].mean) - by_family[family].mean
    mean = sum(weights[family] * gain.mean for family, gain in by_family.items())
    errors = [(weights[family] * (gain.error or 0.0)) ** 2 for family, gain in by_family.items()]
    known = all(gain.error is not None for family, gain in by_family.items() if weights[family])
    overall = Gain(mean, math.sqrt(sum(errors)) if known else None)
    supported = sum(weights[family] for family, gain in by_family.items() if gain.sign > 0)
    return Row(
        move,
        [model for model, each in trial.by_model.items() if move is not None and each == move],
        by_family,
        regret,
        overall,
        supported,
        _verdict(overall, by_family, weights, supported, trial.margin_minor),
    )


def _verdict(
    overall: Gain, by_family: Mapping[str, Gain], weights: Mapping[str, float], supported: float, margin: int
) -> Verdict:
    weighed = [gain for family, gain in by_family.items() if weights[family] > 0]
    loss = max((-gain.mean for gain in weighed if gain.sign < 0), default=0.0)
    if overall.sign > 0 and supported >= 0.5 and loss <= _LITTLE * overall.mean:
        return "do"
    if any(gain.sign > 0 for gain in weighed) and overall.mean > 0:
        return "test"
    if overall.error is not None and overall.mean + CLEAR * overall.error < TRIFLE * margin:
        return "leave"
    return "unclear"
