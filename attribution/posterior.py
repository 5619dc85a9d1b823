"""What a model would credit had other buyers come: how many, what they order, and how large it may be.

A bootstrap holds only deals that did come. Where values are spread widely its intervals are too narrow: it
cannot know of the large deal that did not happen, has hardly any spread where a source has one to three deals
and none where it has none. Here three things vary instead, each by what all deals say of it:

* the number of a source's deals, a gamma variable of their effective number (their squared sum over the sum
  of their squares, as credit comes in parts of deals);
* the mean logarithm of their values, drawn to that of all deals with the weight of `PRIOR_DEALS`;
* how far the mean of values lies above that of their logarithms (the smearing factor), the same for all
  sources, from all residuals by bootstrap-t.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from attribution.credit import Floats
from attribution.paths import Whole
from attribution.refit import Hashes, hashes_of, poisson_weights

PRIOR_DEALS = 4.0
"""Deals of the whole market that a source's own mean value is weighed against."""
LARGEST_T = 4.0
"""Studentised means beyond it come of a few deals, which tell nothing of the tail."""
MANY = 5_000
"""From so many buyers on a studentised mean is normal."""
AT_ONCE = 1_000_000
"""How many counts of buyers are worked out at a time: 8 MB of doubles."""


def posterior(
    buyer: Whole,
    source: Whole,
    amount: Floats,
    hashes: Hashes,
    names: Sequence[str],
    replicates: int,
    seed: int,
    refitted: Floats | None = None,
    times: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Draw what one model credits to each source of one currency.

    Parameters
    ----------
    buyer, source : ndarray of int, shape (N,)
        Who bought, and what is credited, in an order that is the same whichever way the rows came.
    amount : ndarray of float, shape (N,)
        Credit in minor units. Where it is negative it was taken back: it is added to every draw as it is.
    hashes : ndarray of uint64, shape (B,)
        Of the buyers.
    names : sequence of str, length K
        The sources'; they decide the draws.
    replicates, seed : int
        How many draws, and which.
    refitted : ndarray of float, shape (K,), optional
        Standard deviation of the logarithm of a source's number of deals that fitting the model anew brings.
    times : ndarray of float, shape (B, R), optional
        How often each buyer counts in each resample, where that has been worked out already.

    Returns
    -------
    expected : ndarray of float, shape (K,)
        What the draws are centred on: deals times the source's shrunken mean value.
    drawn : ndarray of float, shape (K, R)
        The draws, above 0 also for a source without a deal.
    """
    fixed: Floats = np.bincount(source, np.minimum(amount, 0), len(names)).astype(float)
    some = amount > 0
    buyer, source, amount = buyer[some], source[some], amount[some]
    value: Floats = np.bincount(buyer, amount, len(hashes)).astype(float)
    if not len(amount):
        return fixed, np.repeat(fixed[:, None], replicates, axis=1)
    share = amount / value[buyer]
    deals, square = (np.bincount(source, power, len(names)) for power in (share, share**2))
    effective = np.divide(deals**2, square, out=np.zeros(len(names)), where=square > 0)
    bought = np.flatnonzero(value)
    log = np.log(value, out=np.zeros(len(value)), where=value > 0)
    overall = log[bought].mean()
    own = np.divide(
        np.bincount(source, share * log[buyer], len(names)),
        deals,
        out=np.full(len(names), overall),
        where=deals > 0,
    )
    pull = effective / (effective + PRIOR_DEALS)
    mean = pull * own + (1 - pull) * overall
    fitted: Floats = np.bincount(buyer, share * mean[source], len(hashes)).astype(float)
    rest = (log - fitted)[bought]
    # Of one deal nobody knows how far others lie from it; a factor of e, which is usual, is assumed.
    freedom = len(rest) - float(pull.sum())
    spread = float(np.sqrt((rest @ rest) / max(1.0, freedom))) if len(rest) > 1 else 1.0
    counted = None if times is None else times[bought]
    smear, smears = _smearing(rest, hashes[bought], replicates, seed, counted)
    # A source without a deal would have come in parts of the usual size.
    each = np.where(
        effective > 0, deals / np.where(effective > 0, effective, 1), deals.sum() / effective.sum()
    )
    extra = np.zeros(len(names)) if refitted is None else refitted
    drawn = np.empty((len(names), replicates))
    for k, digest in enumerate(hashes_of(names)):
        chance = np.random.default_rng([seed, int(digest)])
        count = chance.gamma(effective[k] + 0.5, size=replicates) * each[k]
        worth = mean[k] + chance.normal(size=replicates) * spread / np.sqrt(effective[k] + PRIOR_DEALS)
        drawn[k] = count * np.exp(worth + chance.normal(size=replicates) * extra[k])
    return deals * np.exp(mean) * smear + fixed, drawn * smears + fixed[:, None]


def resamples(hashes: Hashes, replicates: int, seed: int) -> Floats | None:
    """Return how often each buyer counts in each resample; None where too many to hold, or none needed."""
    few = len(hashes) < MANY and len(hashes) * replicates <= AT_ONCE
    return poisson_weights(hashes, range(replicates), seed) if few else None


def _smearing(
    rest: Floats, hashes: Hashes, replicates: int, seed: int, times: Floats | None
) -> tuple[float, Floats]:
    """Return the mean of exp(residual) and draws of it, by bootstrap-t of its logarithm."""
    ratio = np.exp(rest)
    mean = float(ratio.mean())
    error = float(ratio.std()) / mean / np.sqrt(len(ratio))
    if len(ratio) >= MANY:
        student = np.random.default_rng([seed, 0]).normal(size=replicates)
    elif times is not None:
        student = _students(ratio, times)
    else:
        step = max(1, AT_ONCE // len(ratio))
        student = np.concatenate(
            [
                _students(ratio, poisson_weights(hashes, range(start, min(start + step, replicates)), seed))
                for start in range(0, replicates, step)
            ]
        )
    return mean, mean * np.exp(-np.clip(student, -LARGEST_T, LARGEST_T) * error)


def _students(ratio: Floats, times: Floats) -> Floats:
    """Return how many of its own standard errors each resample's mean lies from the mean, in logarithms."""
    count = np.maximum(times.sum(axis=0), 1.0)
    mean = ratio @ times / count
    # Sums of squares about the mean of all: stable, since that lies near each resample's.
    centre = ratio.mean()
    square = ((ratio - centre) ** 2) @ times / count - (mean - centre) ** 2
    error = np.sqrt(np.maximum(square, 0) / count)
    apart = np.log(np.where(mean > 0, mean, centre) / centre)
    found: Floats = np.divide(apart * mean, error, out=np.zeros(len(count)), where=error > 0)
    return found
