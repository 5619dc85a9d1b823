"""Experiments: what pausing advertising for some weeks can show, and what it has shown, in leads.

Counts are of whole weeks of seven days, numbered from the first week of the pause, which is week 0; weeks
before it are negative.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np

from reports.weeks import MOST_WEEKS, Design, Expected, Weeks, mean_of, normal, without_pause

LEVEL = 0.9
"""Nominal coverage of intervals: of ten pauses of something without effect one is taken for an effect."""
POWER = 0.8
"""The chance with which the smallest effect that counts as visible is seen."""
DURATIONS = (4, 6, 8, 12, 16, 26)
"""Weeks that are proposed."""
SETTLE_WEEKS = 1
"""Weeks after a change that are left out unless told otherwise: who saw the advertisement still calls (an
assumption)."""


class Finding(StrEnum):
    """What a reading says."""

    effect = "effect"
    """Fewer leads came than without the pause."""
    more = "more"
    """More leads came than without the pause."""
    unclear = "unclear"
    """Its interval holds zero: it cannot be told."""
    unknown = "unknown"
    """There are too few weeks or leads to work out an interval."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a pause has shown: the leads that the campaign brings in as many weeks.

    Attributes
    ----------
    design : Design
        What it was compared with.
    weeks : int
        Weeks of the pause that count, those of settling left out.
    observed : float
        Leads that came in them.
    expected : Expected or None
        What would have come without the pause; None where that is unknown.
    lift, low, high : float or None
        Leads that the pause cost, and the ends of their interval.
    level : float
        Nominal coverage of the interval.
    """

    design: Design
    weeks: int
    observed: float
    expected: Expected | None
    lift: float | None = None
    low: float | None = None
    high: float | None = None
    level: float = LEVEL

    @property
    def finding(self) -> Finding:
        """Return what it says; never an effect where the interval holds zero."""
        if self.low is None or self.high is None:
            return Finding.unknown
        return Finding.effect if self.low > 0 else Finding.more if self.high < 0 else Finding.unclear


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a pause of some weeks could show.

    Attributes
    ----------
    weeks, counted : int
        Length of the pause, and weeks of it that count.
    expected : Expected
        What would come in the weeks that count without a pause.
    smallest : float or None
        Leads in the weeks that count which the campaign would have to bring to be seen with 80 % power
        (:data:`POWER`); None where even a campaign that brings all leads would not be.
    """

    weeks: int
    counted: int
    expected: Expected
    smallest: float | None

    def power(self, effect: float, level: float = LEVEL) -> float:
        """Give the chance to see an effect.

        Parameters
        ----------
        effect : float
            Leads that the campaign brings in the weeks that count, 0 or more; more than are expected count as
            all of them.
        level : float, default 0.9
            Nominal coverage of the reading's interval.

        Returns
        -------
        float
            0 to 1.
        """
        needed = _needed(self.expected, level)
        if needed is None:
            return 0.0
        effect = min(effect, self.expected.total)
        return NormalDist().cdf((effect - needed) / max(_spread(self.expected, effect), 1e-12))


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed of an effect: a normal distribution of the leads that it is.

    Attributes
    ----------
    mean, error : float
        Centre and standard deviation, in leads; ``error`` is above 0.
    """

    mean: float
    error: float

    @classmethod
    def between(cls, low: float, high: float, level: float = LEVEL) -> "Belief":
        """Make a belief of the range that the effect is thought to lie in.

        Parameters
        ----------
        low, high : float
            Ends of the range, in leads; ``low`` is below ``high``.
        level : float, default 0.9
            How sure one is that it lies between them, above 0 and below 1.

        Returns
        -------
        Belief
            Centred between both.

        Raises
        ------
        ValueError
            If ``low`` is not below ``high``.

        Examples
        --------
        >>> Belief.between(0, 80).mean
        40.0
        """
        if not low < high:
            raise ValueError(f"the lower end {low:g} must be below the upper end {high:g}")
        return cls((low + high) / 2, (high - low) / 2 / normal(level))

    def span(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the ends of its central range.

        Parameters
        ----------
        level : float, default 0.9
            What the range holds, above 0 and below 1.

        Returns
        -------
        tuple of float
            Lower and upper end, in leads.
        """
        half = normal(level) * self.error
        return self.mean - half, self.mean + half

    def updated(self, reading: Reading) -> "Belief":
        """Return what is believed after a reading.

        Parameters
        ----------
        reading : Reading
            Its interval is taken as that of a normal distribution around its middle.

        Returns
        -------
        Belief
            Precisions (one by the squared error) add up, means are weighted by them; without an interval
            the belief as it was.

        Examples
        --------
        Two sources that are equally sure meet half-way:

        >>> seen = Reading(Design.before, 8, 60.0, None, lift=20.0, low=0.0, high=40.0)
        >>> round(Belief.between(20, 60).updated(seen).mean, 6)
        30.0
        """
        if reading.low is None or reading.high is None:
            return self
        seen = Belief.between(reading.low, reading.high, reading.level)
        own, other = self.error**-2, seen.error**-2
        return Belief((own * self.mean + other * seen.mean) / (own + other), (own + other) ** -0.5)


def read(weeks: Weeks, length: int, *, settle: int = SETTLE_WEEKS, level: float = LEVEL) -> Reading:
    """Read what a pause has shown.

    Parameters
    ----------
    weeks : Weeks
        Leads of whole weeks, before, in and after the pause.
    length : int
        Weeks of the pause that are over, 0 or more.
    settle : int, default 1
        Weeks at the beginning of the pause, and after its end, that are left out.
    level : float, default 0.9
        Nominal coverage of the interval, above 0 and below 1.

    Returns
    -------
    Reading
        Without an interval where fewer than :data:`LEAST_WEEKS` weeks or :data:`LEAST_LEADS` leads say what
        would have come.

    Notes
    -----
    What would have come is estimated by regions that go on, or from other weeks
    (:func:`reports.weeks.without_pause`). Its interval and that of the mean of the leads that came are joined
    by their recovered variances (Zou and Donner, Statistics in Medicine 27, 2008): both ends hold also where
    few leads or none came. It shows nothing of leads that come later than the pause, nor what else happened
    in it.
    """
    inside = (weeks.place >= settle) & (weeks.place < length)
    outside = (weeks.place < 0) | (weeks.place >= length + settle)
    outside &= weeks.place >= -MOST_WEEKS
    counted, observed = int(inside.sum()), float(weeks.paused[inside].sum())
    expected = without_pause(weeks, outside, weeks.place[inside], inside, level) if counted else None
    if expected is None:
        return Reading(weeks.design, counted, observed, None, level=level)
    lift, low, high = _difference(expected, observed, level)
    return Reading(weeks.design, counted, observed, expected, lift, low, high, level)


def propose(
    weeks: Weeks,
    *,
    durations: Sequence[int] = DURATIONS,
    settle: int = SETTLE_WEEKS,
    level: float = LEVEL,
    power: float = POWER,
) -> list[Proposal]:
    """Work out what pauses of several lengths could show.

    Parameters
    ----------
    weeks : Weeks
        Leads of whole weeks before the pause; those still to come are missing at the end.
    durations : sequence of int
        Lengths in weeks, each above ``settle``.
    settle : int, default 1
        Weeks at the beginning that are left out.
    level : float, default 0.9
        Nominal coverage of the reading's interval: its complement is the rate of false alarms.
    power : float, default 0.8
        The chance with which an effect is to be seen.

    Returns
    -------
    list of Proposal
        One for each length; empty where too little is known to tell.
    """
    found = []
    outside = (weeks.place < 0) & (weeks.place >= -MOST_WEEKS)
    for length in durations:
        wanted = np.arange(settle, length)
        expected = without_pause(weeks, outside, wanted, None, level) if len(wanted) else None
        if expected is not None:
            found.append(Proposal(length, len(wanted), expected, _smallest(expected, level, power)))
    return found


def shortest(proposals: Sequence[Proposal], per_week: float) -> Proposal | None:
    """Return the shortest pause that would show an effect of some leads a week.

    Parameters
    ----------
    proposals : sequence of Proposal
        From :func:`propose`.
    per_week : float
        Leads a week that the campaign is credited with, or thought to bring.

    Returns
    -------
    Proposal or None
        None where none of them would show it with 80 % power.
    """
    for each in sorted(proposals, key=lambda one: one.weeks):
        if each.smallest is not None and each.smallest <= per_week * each.counted:
            return each
    return None


def _difference(expected: Expected, observed: float, level: float) -> tuple[float, float, float]:
    lift = expected.total - observed
    low, high = mean_of(observed, expected, level)
    return (
        lift,
        lift - math.hypot(expected.total - expected.low, high - observed),
        lift + math.hypot(expected.high - expected.total, observed - low),
    )


def _needed(expected: Expected, level: float) -> float | None:
    """Return the estimated lift from which on the interval lies above zero."""
    if _difference(expected, 0.0, level)[1] <= 0:
        return None
    return _root(lambda lift: _difference(expected, expected.total - lift, level)[1], expected.total)


def _spread(expected: Expected, effect: float) -> float:
    return math.sqrt(expected.dispersion * max(0.0, expected.total - effect) + expected.error**2)


def _smallest(expected: Expected, level: float, power: float) -> float | None:
    needed = _needed(expected, level)
    if needed is None:
        return None
    enough = NormalDist().inv_cdf(power)

    def beyond(effect: float) -> float:
        return effect - needed - enough * _spread(expected, effect)

    return _root(beyond, expected.total) if beyond(expected.total) >= 0 else None


def _root(function: Callable[[float], float], top: float) -> float:
    low, high = 0.0, top
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if function(middle) > 0 else (middle, high)
    return high
