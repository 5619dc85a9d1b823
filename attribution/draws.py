"""How often each account counts in a resample: a hash of account, replicate and seed.

So it is the same on every engine, in every order of rows, and for every model that is asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from math import factorial
from typing import Any

import numpy as np
import numpy.typing as npt

# Probabilities that a Poisson variable of mean 1 is at most 0, 1, 2, ...; beyond 18 they are 1 in doubles.
_POISSON = np.cumsum([np.exp(-1.0) / factorial(k) for k in range(18)])


def hashes_of(accounts: Sequence[Any]) -> npt.NDArray[np.uint64]:
    """Give 64 bits for each account, the same wherever and whenever it is asked about."""
    digests = [int.from_bytes(blake2b(str(account).encode(), digest_size=8).digest()) for account in accounts]
    return np.array(digests, dtype=np.uint64)


def poisson_weights(hashes: npt.NDArray[np.uint64], replicates: range, seed: int) -> npt.NDArray[np.float64]:
    """Give how often each account counts in each replicate: Poisson of mean 1, by hash."""
    rounds = np.array([r + (seed << 20) for r in replicates], dtype=np.uint64)
    mixed = _mix(hashes[:, None] ^ _mix(rounds + np.uint64(0x9E3779B97F4A7C15))[None, :])
    uniform = (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53
    return np.searchsorted(_POISSON, uniform, side="right").astype(np.float64)


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scatter 64 bits (the finaliser of SplitMix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
