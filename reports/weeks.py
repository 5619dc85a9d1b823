"""Leads by week: what would have come in some weeks, judged by other weeks or by other regions.

Counts vary more than chance alone would have it: their variance is a multiple of their mean, the
*dispersion*, which is estimated from the supplier's own weeks.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_WEEKS = 16
"""Fewer weeks beside the pause do not tell how far weeks differ by chance (an assumption)."""
MOST_WEEKS = 156
"""Weeks before the pause that are looked at: older ones say little about today (an assumption)."""
LEAST_LEADS = 5
"""Fewer leads expected in the pause, or beside it, are no base for a reading (an assumption)."""
_YEAR = 365.25 / 7
_SEASON = (52, 104, 104)
"""Weeks from which on the season has one more wave: one year tells little of it apart from the trend."""
_MOST_MEMORY = 0.6


class Design(StrEnum):
    """What the weeks of the pause are compared with."""

    regions = "regions"
    """The same weeks in regions that go on: season and market cancel out."""
    before = "before"
    """Other weeks, with season and trend: weaker, since nothing shows what else changed in the pause."""


@dataclass(frozen=True, slots=True)
class Weeks:
    """Leads by week, where the pause is, and where nothing was paused at the same time.

    Attributes
    ----------
    place : ndarray of int, shape (N,)
        Number of each week, rising; 0 is the first week of the pause.
    paused : ndarray of float, shape (N,)
        Leads of each week from what is paused: everywhere, or in the regions that pause.
    other : ndarray of float, shape (N,), or None
        Leads of the same weeks in the regions that go on; None where everything pauses.
    """

    place: Ints
    paused: Floats
    other: Floats | None = None

    @property
    def design(self) -> Design:
        """Return what these weeks allow a pause to be compared with."""
        return Design.before if self.other is None else Design.regions


@dataclass(frozen=True, slots=True)
class Expected:
    """What would have come in some weeks without a pause.

    Attributes
    ----------
    total, low, high : float
        Leads, and the ends of the interval of their mean.
    error : float
        Standard error of ``total``.
    dispersion : float
        Variance of a week's leads in multiples of their mean, 1 or more.
    freedom : int
        Degrees of freedom of the dispersion.
    weeks : int
        Weeks that it was worked out from.
    seasonal : bool
        Whether season is taken into account, by a curve or by regions that go on.
    parallel : bool
        False where the regions already drifted apart before the pause.
    """

    total: float
    low: float
    high: float
    error: float
    dispersion: float
    freedom: int
    weeks: int
    seasonal: bool
    parallel: bool = True


def without_pause(
    weeks: Weeks,
    outside: npt.NDArray[np.bool_],
    wanted: Ints,
    inside: npt.NDArray[np.bool_] | None,
    level: float,
) -> Expected | None:
    """Estimate what would come in some weeks without a pause.

    Parameters
    ----------
    weeks : Weeks
        Leads by week.
    outside : ndarray of bool, shape (N,)
        Weeks to judge by.
    wanted : ndarray of int
        Numbers of the weeks that are asked for.
    inside : ndarray of bool, shape (N,), or None
        The same weeks among those that are known; None where they are still to come, so that the regions that
        go on are taken to bring what they brought.
    level : float
        Nominal coverage of the interval, above 0 and below 1.

    Returns
    -------
    Expected or None
        None with fewer than :data:`LEAST_WEEKS` weeks or :data:`LEAST_LEADS` leads.

    Notes
    -----
    With regions that go on, the share that the others had of all leads is carried over to the weeks of the
    pause: a difference in differences of logarithms. Without, a level, a trend and the season (one wave a
    year with a year of weeks, three with two years) are fitted to the other weeks with a logarithmic link and
    a variance proportional to the mean (McCullagh and Nelder, Generalized Linear Models, 1989).
    """
    if int(outside.sum()) < LEAST_WEEKS:
        return None
    if weeks.other is None:
        found = _alone(weeks.place[outside], weeks.paused[outside], wanted, level)
    else:
        beside = weeks.other[outside]
        other = float(weeks.other[inside].sum()) if inside is not None else float(beside.mean() * len(wanted))
        found = _beside(weeks.place[outside], weeks.paused[outside], beside, other, level)
    return found if found is not None and found.total >= LEAST_LEADS else None


def _alone(place: Ints, counts: Floats, wanted: Ints, level: float) -> Expected | None:
    """Fit level, trend and season to weeks, and say what they give in others (quasi-Poisson, log link)."""
    if counts.sum() < LEAST_LEADS:
        return None
    span = int(place.max() - place.min()) + 1
    waves = sum(span >= least for least in _SEASON)
    middle, width = float(place.mean()), max(1.0, float(np.ptp(place)) / 2)
    base, later = (_columns(each, middle, width, waves) for each in (place, wanted))
    found, mean, inverse = _fit(base, counts)
    freedom = len(counts) - base.shape[1]
    dispersion = _dispersion(place, (counts - mean) / np.sqrt(mean), freedom)
    there = np.exp(np.clip(later @ found, -30, 30))
    total, slope = float(there.sum()), there @ later
    error = math.sqrt(dispersion * float(slope @ inverse @ slope))
    return _around(total, error, dispersion, freedom, len(counts), level, seasonal=waves > 0)


def _beside(place: Ints, counts: Floats, other: Floats, other_inside: float, level: float) -> Expected | None:
    """Carry the share that the regions had of each other's leads over to the weeks of the pause."""
    mine, theirs = float(counts.sum()), float(other.sum())
    if min(mine, theirs, other_inside) < LEAST_LEADS:
        return None
    both, share = counts + other, mine / (mine + theirs)
    used = both > 0
    residuals = (counts - both * share)[used] / np.sqrt(both[used] * share * (1 - share))
    freedom = int(used.sum()) - 1
    dispersion = _dispersion(place[used], residuals, freedom)
    total = other_inside * mine / theirs
    error = total * math.sqrt(dispersion * (1 / mine + 1 / theirs + 1 / other_inside))
    # Whether the share moved with time: a score test of a straight line in it.
    apart = place - float(np.average(place, weights=np.maximum(both, 1e-9)))
    drift = float((apart * (counts - both * share)).sum())
    chance = math.sqrt(dispersion * share * (1 - share) * float((both * apart**2).sum()))
    parallel = abs(drift) <= student(0.95, freedom) * chance
    return _around(total, error, dispersion, freedom, len(counts), level, seasonal=True, parallel=parallel)


def _around(
    total: float,
    error: float,
    dispersion: float,
    freedom: int,
    weeks: int,
    level: float,
    *,
    seasonal: bool,
    parallel: bool = True,
) -> Expected:
    factor = math.exp(min(50.0, student(level, freedom) * error / total))
    return Expected(
        total, total / factor, total * factor, error, dispersion, freedom, weeks, seasonal, parallel
    )


def _columns(place: Ints, middle: float, width: float, waves: int) -> Floats:
    columns = [np.ones(len(place)), (place - middle) / width]
    for wave in range(1, waves + 1):
        angle = 2 * np.pi * wave * place / _YEAR
        columns += [np.sin(angle), np.cos(angle)]
    return np.column_stack(columns)


def _fit(base: Floats, counts: Floats) -> tuple[Floats, Floats, Floats]:
    """Fit counts by iterated weighted least squares: coefficients, means and the inverse information."""
    mean = (counts + counts.mean()) / 2
    found: Floats = np.zeros(base.shape[1])
    for _ in range(50):
        told = np.log(mean) + (counts - mean) / mean
        found = np.linalg.lstsq(base * np.sqrt(mean)[:, None], told * np.sqrt(mean), rcond=None)[0]
        new = np.exp(np.clip(base @ found, -30, 30))
        done = bool(np.max(np.abs(new - mean) / mean) < 1e-10)
        mean = new
        if done:
            break
    return found, mean, np.linalg.pinv((base * mean[:, None]).T @ base)


def _dispersion(place: Ints, residuals: Floats, freedom: int) -> float:
    """Return Pearson's dispersion, larger where a week resembles the one before: then sums vary more."""
    plain = max(1.0, float((residuals**2).sum()) / max(1, freedom))
    follows = np.flatnonzero(np.diff(place) == 1)
    whole = float((residuals**2).sum())
    if len(follows) < LEAST_WEEKS or whole == 0:
        return plain
    memory = float((residuals[follows] * residuals[follows + 1]).sum()) / whole
    memory = min(max(memory, 0.0), _MOST_MEMORY)
    return plain * (1 + memory) / (1 - memory)


def mean_of(observed: float, expected: Expected, level: float) -> tuple[float, float]:
    """Return the interval of the mean behind a count whose variance is a multiple of it.

    Parameters
    ----------
    observed : float
        The count, 0 or more.
    expected : Expected
        Whose dispersion is taken.
    level : float
        Nominal coverage, above 0 and below 1.

    Returns
    -------
    tuple of float
        Its ends: the score interval, which is no point even where nothing was counted.
    """
    c = student(level, expected.freedom) ** 2 * expected.dispersion
    half = math.sqrt(c * observed + c * c / 4)
    return observed + c / 2 - half, observed + c / 2 + half


def normal(level: float) -> float:
    """Return the two-sided quantile of the normal distribution.

    Parameters
    ----------
    level : float
        What lies between minus and plus it, above 0 and below 1.

    Returns
    -------
    float
        1.96 for 0.95.
    """
    return NormalDist().inv_cdf((1 + level) / 2)


def student(level: float, freedom: int) -> float:
    """Return the two-sided quantile of Student's t, by its expansion in powers of 1 / freedom.

    Parameters
    ----------
    level : float
        What lies between minus and plus it, above 0 and below 1.
    freedom : int
        Degrees of freedom; fewer than 8 count as 8, where the expansion is right to a thousandth.

    Returns
    -------
    float
        2.306 for 0.95 and 8.
    """
    z, n = normal(level), max(8, freedom)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(n) ** (power + 1) for power, term in enumerate(terms))
