"""Chance without a stream: every draw is a pure function of what it decides.

A generator that hands out numbers in turn cannot be used for paired runs: take one campaign away and every
later draw means something else. Here a draw is looked up by its key (seed, account, concern, index), so two
runs that differ in one campaign share every other accident, and a shard of accounts may be computed anywhere
in any order.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Words: TypeAlias = NDArray[np.uint64]
Flags: TypeAlias = NDArray[np.bool_]

# The constants of splitmix64: an odd increment with well-spread bits and the two multipliers of its
# finaliser.
_STEP: Final = 0x9E3779B97F4A7C15
_FIRST: Final = 0xBF58476D1CE4E5B9
_SECOND: Final = 0x94D049BB133111EB
_MASK: Final = (1 << 64) - 1
# Up to this mean, counts are found by adding up probabilities from 0; exp(-mean) vanishes only beyond 700.
_LARGE: Final = 500
# Standard deviations around a mean beyond which no double above 0 or below 1 falls.
_REACH: Final = 12
# Multipliers that keep account and index apart before they are mixed; any odd 64-bit numbers would do.
_ACCOUNT: Final = 0xD1342543DE82EF95
_INDEX: Final = 0xA0761D6478BD642F


def _mix(word: Words) -> Words:
    word = (word ^ (word >> np.uint64(30))) * np.uint64(_FIRST)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(_SECOND)
    return word ^ (word >> np.uint64(31))


def _mix_one(word: int) -> int:
    word = ((word ^ (word >> 30)) * _FIRST) & _MASK
    word = ((word ^ (word >> 27)) * _SECOND) & _MASK
    return word ^ (word >> 31)


@lru_cache(maxsize=4096)
def _root(seed: int, concern: str) -> int:
    # crc32 is stable between processes and Python versions, which hash() is not.
    return _mix_one((seed * _STEP + zlib.crc32(concern.encode()) * _FIRST + _STEP) & _MASK)


def words(seed: int, account: ArrayLike, concern: str, index: ArrayLike = 0) -> Words:
    """Hash keys into 64-bit words.

    Parameters
    ----------
    seed : int
        The world's seed, any integer.
    account : array_like of int
        Whose draw it is; any integers, broadcast against `index`.
    concern : str
        What is decided, for example ``"need.value"``. A new concern disturbs no old one.
    index : array_like of int, default 0
        The how-manieth draw of this concern for this account.

    Returns
    -------
    ndarray of uint64
        One word per key, in the broadcast shape of `account` and `index`.
    """
    accounts = np.atleast_1d(np.asarray(account, dtype=np.int64)).astype(np.uint64)
    indexes = np.atleast_1d(np.asarray(index, dtype=np.int64)).astype(np.uint64)
    # Two rounds, one per coordinate: with a single round (account, index) pairs on a line would share a word.
    inner = _mix(np.uint64(_root(seed, concern)) + accounts * np.uint64(_ACCOUNT))
    return _mix(inner + (indexes + np.uint64(1)) * np.uint64(_INDEX))


def uniform(seed: int, account: ArrayLike, concern: str, index: ArrayLike = 0) -> Floats:
    """Draw uniforms from the open interval (0, 1), 53 bits each.

    Parameters
    ----------
    seed, account, concern, index
        The key, as for `words`.

    Returns
    -------
    ndarray of float64
        Numbers (k + 1/2) / 2**53 rounded inside (0, 1): never 0 and never 1, so that every inverse
        distribution function stays finite.

    Notes
    -----
    The same key always gives the same number, and that is the point: never use one key for two decisions.

    Examples
    --------
    >>> float(uniform(1, 7, "need.value")[0]) == float(uniform(1, [6, 7], "need.value")[1])
    True
    >>> bool(uniform(1, 7, "need.value")[0] == uniform(1, 7, "need.onset")[0])
    False
    """
    top = (words(seed, account, concern, index) >> np.uint64(11)).astype(np.float64)
    # (2**53 - 1 + 1/2) rounds to 2**53, which would be 1.0: hold the last value just below.
    return np.minimum((top + 0.5) * 2.0**-53, 1.0 - 2.0**-53)


def uniform_one(seed: int, account: int, concern: str, index: int = 0) -> float:
    """Draw one uniform, the same as `uniform` gives for the key, without building arrays.

    Parameters
    ----------
    seed, account, concern, index
        The key, as for `words`, all single values.

    Returns
    -------
    float
        In the open interval (0, 1).

    Examples
    --------
    >>> uniform_one(3, 11, "desk.patience", 2) == float(uniform(3, 11, "desk.patience", 2)[0])
    True
    """
    inner = _mix_one((_root(seed, concern) + account * _ACCOUNT) & _MASK)
    word = _mix_one((inner + (index + 1) * _INDEX) & _MASK)
    return min(((word >> 11) + 0.5) * 2.0**-53, 1.0 - 2.0**-53)


def exponential(share: Floats) -> Floats:
    """Turn uniforms into exponential waits of mean 1.

    Parameters
    ----------
    share : ndarray of float64
        Uniforms in (0, 1).

    Returns
    -------
    ndarray of float64
        Positive and finite, rising with `share`.
    """
    return np.asarray(-np.log1p(-share), dtype=np.float64)


# Wichura's rational approximations to the normal quantile, numerator and denominator, highest power first:
# for the middle, for tails down to exp(-25), and beyond.
_MIDDLE: Final = np.array(
    [
        [2.5090809287301226727e3, 5.2264952788528545610e3],
        [3.3430575583588128105e4, 2.8729085735721942674e4],
        [6.7265770927008700853e4, 3.9307895800092710610e4],
        [4.5921953931549871457e4, 2.1213794301586595867e4],
        [1.3731693765509461125e4, 5.3941960214247511077e3],
        [1.9715909503065514427e3, 6.8718700749205790830e2],
        [1.3314166789178437745e2, 4.2313330701600911252e1],
        [3.3871328727963666080e0, 1.0],
    ]
)
_TAIL: Final = np.array(
    [
        [7.74545014278341407640e-4, 1.05075007164441684324e-9],
        [2.27238449892691845833e-2, 5.47593808499534494600e-4],
        [2.41780725177450611770e-1, 1.51986665636164571966e-2],
        [1.27045825245236838258e0, 1.48103976427480074590e-1],
        [3.64784832476320460504e0, 6.89767334985100004550e-1],
        [5.76949722146069140550e0, 1.67638483018380384940e0],
        [4.63033784615654529590e0, 2.05319162663775882187e0],
        [1.42343711074968357734e0, 1.0],
    ]
)
_FAR: Final = np.array(
    [
        [2.01033439929228813265e-7, 2.04426310338993978564e-15],
        [2.71155556874348757815e-5, 1.42151175831644588870e-7],
        [1.24266094738807843860e-3, 1.84631831751005468180e-5],
        [2.65321895265761230930e-2, 7.86869131145613259100e-4],
        [2.96560571828504891230e-1, 1.48753612908506148525e-2],
        [1.78482653991729133580e0, 1.36929880922735805310e-1],
        [5.46378491116411436990e0, 5.99832206555887937690e-1],
        [6.65790464350110377720e0, 1.0],
    ]
)


def _ratio(rational: Floats, at: Floats) -> Floats:
    above, below = (np.full_like(at, highest) for highest in rational[0])
    for over, under in rational[1:]:
        above *= at
        above += over
        below *= at
        below += under
    return above / below


def normal(share: Floats) -> Floats:
    """Turn uniforms into standard normal values.

    Parameters
    ----------
    share : ndarray of float64
        Uniforms in (0, 1).

    Returns
    -------
    ndarray of float64
        Finite values, rising with `share`, exact to about 16 digits.

    References
    ----------
    .. [1] M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied
       Statistics 37, 1988; `statistics.NormalDist.inv_cdf` takes the same for one value.

    Examples
    --------
    >>> normal(np.array([0.025, 0.5, 0.975])).round(4).tolist()
    [-1.96, 0.0, 1.96]
    """
    middle = share - 0.5
    value = middle * _ratio(_MIDDLE, 0.180625 - middle * middle)
    outside = np.flatnonzero(np.abs(middle) > 0.425)
    if len(outside):
        depth = np.sqrt(-np.log(np.minimum(share[outside], 1.0 - share[outside])))
        tail = np.where(depth <= 5.0, _ratio(_TAIL, depth - 1.6), _ratio(_FAR, depth - 5.0))
        value[outside] = np.copysign(tail, middle[outside])
    return value


def lognormal(share: Floats, median: ArrayLike, sigma: ArrayLike) -> Floats:
    """Turn uniforms into lognormal values.

    Parameters
    ----------
    share : ndarray of float64
        Uniforms in (0, 1).
    median : array_like
        Median of the result, in the result's unit; must be positive.
    sigma : array_like
        Standard deviation of the logarithm, no unit, 0 or more; 0 gives the median exactly.

    Returns
    -------
    ndarray of float64
        Positive values, rising with `share`.

    Examples
    --------
    >>> lognormal(np.array([0.5]), 30.0, 0.8).tolist()
    [30.0]
    """
    return np.asarray(np.asarray(median) * np.exp(np.asarray(sigma) * normal(share)), dtype=np.float64)


def poisson_probabilities(mean: float) -> tuple[int, Floats]:
    """Return the probabilities of a Poisson count, but for counts too unlikely to matter.

    Parameters
    ----------
    mean : float
        Expected count, 0 or more.

    Returns
    -------
    first : int
        The least count listed.
    probabilities : ndarray of float64
        Of `first` and the counts after it; they add up to 1. Counts left out have less than 1e-30 together.
    """
    # From the likeliest count outwards by ratios of neighbours: no factorial, and nothing vanishes early.
    peak = int(mean)
    reach = int(_REACH * (np.sqrt(mean) + _REACH))
    first = max(0, peak - reach)
    below = np.cumprod(np.arange(peak, first, -1) / mean)[::-1] if peak else np.zeros(0)
    above = np.cumprod(mean / np.arange(peak + 1, peak + reach + 1))
    weights = np.concatenate((below, [1.0], above))
    return first, weights / weights.sum()


def poisson(share: Floats, mean: ArrayLike) -> Integers:
    """Turn uniforms into Poisson counts by inversion.

    Parameters
    ----------
    share : ndarray of float64
        Uniforms in (0, 1).
    mean : array_like
        Expected counts, 0 or more, broadcast against `share`.

    Returns
    -------
    ndarray of int64
        Counts, rising with `share` and with `mean`: a higher mean never gives fewer.

    Examples
    --------
    >>> poisson(np.array([0.3, 0.5, 0.99]), 1.0).tolist()
    [0, 1, 4]
    """
    share, means = np.broadcast_arrays(share, np.asarray(mean, dtype=np.float64))
    counts = np.zeros(share.shape, dtype=np.int64)
    large = means > _LARGE
    for each in np.unique(means[large]) if large.any() else ():
        rows = means == each
        first, probabilities = poisson_probabilities(float(each))
        counts[rows] = first + np.searchsorted(np.cumsum(probabilities), share[rows])
    term = np.exp(-means)
    below = term.copy()
    live = np.flatnonzero((share > below) & ~large)
    terms, belows, shares, rates = term[live], below[live], share[live], means[live]
    step = 0
    # Only the rows still above their distribution function go round again; the bound is never reached.
    while live.size and step < 4 * _LARGE:
        step += 1
        terms = terms * rates / step
        belows = belows + terms
        counts[live] += 1
        # Once the terms vanish the sum can stall below a uniform that is nearly 1.
        on = (shares > belows) & ((terms > 0.0) | (step < rates))
        live, terms, belows, shares, rates = live[on], terms[on], belows[on], shares[on], rates[on]
    return counts


def choose(share: Floats, weights: ArrayLike) -> Integers:
    """Choose among options by weight.

    Parameters
    ----------
    share : ndarray of float64
        Uniforms in (0, 1).
    weights : array_like
        One non-negative weight per option, any scale, not all zero.

    Returns
    -------
    ndarray of int64
        Option numbers from 0.

    Examples
    --------
    >>> choose(np.array([0.1, 0.49, 0.51, 0.9]), [1, 1, 2]).tolist()
    [0, 1, 2, 2]
    """
    limits = np.cumsum(np.asarray(weights, dtype=np.float64))
    return np.asarray(
        np.searchsorted(limits, share * limits[-1], side="right").clip(0, len(limits) - 1), dtype=np.int64
    )


def ragged(counts: Integers) -> tuple[Integers, Integers]:
    """Spread counts out into rows.

    Parameters
    ----------
    counts : ndarray of int64
        How many rows each owner has, 0 or more.

    Returns
    -------
    owner : ndarray of int64
        For each row the position of its owner.
    index : ndarray of int64
        For each row its number within the owner, from 0.

    Examples
    --------
    >>> [part.tolist() for part in ragged(np.array([2, 0, 1]))]
    [[0, 0, 2], [0, 1, 0]]
    """
    owner = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    starts = np.cumsum(counts) - counts
    return owner, np.arange(len(owner), dtype=np.int64) - starts[owner]
