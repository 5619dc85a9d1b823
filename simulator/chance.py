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
from scipy import stats
from scipy.special import ndtri

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
_LARGE: Final = 500
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
    return np.asarray(np.asarray(median) * np.exp(np.asarray(sigma) * ndtri(share)), dtype=np.float64)


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
    # exp(-mean) must not vanish; beyond that SciPy's inversion is exact too, and a hundred times slower.
    large = means > _LARGE
    counts[large] = stats.poisson.ppf(share[large], means[large])
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
