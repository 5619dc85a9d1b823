"""Fitted models within resamples: what the fit would have been, had other accounts come.

A chain or a game is fitted to counts, and counts add up over accounts. Kept apart by account, they can be
added up again with each account counted 0, 1, 2, ... times, the model fitted to them, and the same deals
shared by what it learned then.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import blake2b
from math import factorial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from attribution.counts import COUNTS, UNKNOWN, counted, figures
from attribution.credit import Floats
from attribution.journeys import JourneyError
from attribution.paths import Journeys, encode, taken
from attribution.rules import Model

Source = tuple[str | None, str]
Hashes = npt.NDArray[np.uint64]

# Probabilities that a Poisson variable of mean 1 is at most 0, 1, 2, ...; beyond 18 they are 1 in doubles.
_POISSON = np.cumsum([np.exp(-1.0) / factorial(k) for k in range(18)])


def hashes_of(accounts: Sequence[Any]) -> Hashes:
    """Give 64 bits for each account, the same wherever and whenever it is asked about."""
    digests = [int.from_bytes(blake2b(str(account).encode(), digest_size=8).digest()) for account in accounts]
    return np.array(digests, dtype=np.uint64)


def poisson_weights(hashes: Hashes, replicates: range, seed: int) -> Floats:
    """Give how often each account counts in each replicate: Poisson of mean 1, by hash.

    A hash of account, replicate and seed: the same on every engine, in every order of rows, for every model.
    """
    rounds = np.array([r + (seed << 20) for r in replicates], dtype=np.uint64)
    mixed = _mix(hashes[:, None] ^ _mix(rounds + np.uint64(0x9E3779B97F4A7C15))[None, :])
    uniform = (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53
    return np.searchsorted(_POISSON, uniform, side="right").astype(np.float64)


def _mix(x: Hashes) -> Hashes:
    """Scatter 64 bits (the finaliser of SplitMix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def counts_by_account(journeys: Journeys, model: Any, schema: pa.Schema) -> pa.Table:
    """Count what a model learns from, each account by itself: ``account_id``, then `COUNTS`."""
    counts = model.count(journeys, apart=True)
    owner = journeys.account_ids(counts["account"].to_numpy())
    return pa.table([owner.cast(schema.types[0]), *counts.columns[1:]], schema=schema)


def deals(journeys: Journeys, model: Model, by: str, schema: pa.Schema) -> pa.Table:
    """Count the touches that each conversion has of each source of `model` and name of `by`."""
    (key,) = model.reads
    tables = []
    for paths in journeys.paths():
        shape = (len(paths.size), len(journeys.names[key]), len(journeys.names[by]))
        cell = np.ravel_multi_index((paths.path, paths.code(key), paths.code(by)), shape)
        cell, times = np.unique(cell, return_counts=True)
        path, source, name = np.unravel_index(cell, shape)
        order = paths.order[path]
        columns = [
            journeys.conversion_ids.take(pa.array(order)).cast(pa.string()),
            taken(journeys.currencies, journeys.currency[order]),
            taken(journeys.names[key], source),
            taken(journeys.names[by], name),
            times,
        ]
        tables.append(pa.table(columns, schema=schema))
    return pa.concat_tables([schema.empty_table(), *tables])


class Refit:
    """Counts and deals of every account, from which a model can be fitted and applied again.

    Parameters
    ----------
    model : Markov or ShapleyCoalitions
        The model, not fitted.
    counts : pyarrow.Table
        As `counts_by_account` gives them.
    shared : pyarrow.Table
        As `deals` gives them.

    Attributes
    ----------
    hashes : ndarray of uint64, shape (A,)
        The accounts that have touches.
    """

    def __init__(self, model: Any, counts: pa.Table, shared: pa.Table) -> None:
        self._model = model
        # Sums of doubles depend on their order, which must not depend on that of the rows given.
        shared = shared.sort_by([(name, "ascending") for name in ("conversion_id", "source", "name")])
        owner, accounts = encode(counts["account_id"].cast(pa.string()))
        cell, keys = encode(counts["key"])
        self._keys = pa.array(keys[1:], pa.string())
        self._owner, self._cell = owner - 1, cell - 1
        self._figures = np.array(figures(counts))
        self.hashes = hashes_of(accounts[1:])
        deal, ids = encode(shared["conversion_id"])
        source, sources = encode(shared["source"])
        name, names = encode(shared["name"])
        money, currencies = encode(shared["currency"])
        part = np.ravel_multi_index((source, name, money), (len(sources), len(names), len(currencies)))
        found, self._part = np.unique(part, return_inverse=True)
        # A part for each source of the model, key and currency in which it is credited.
        key, name, money = np.unravel_index(found, (len(sources), len(names), len(currencies)))
        self._parts = [
            (sources[s], names[n], currencies[m]) for s, n, m in zip(key, name, money, strict=True)
        ]
        self._deal, self._deals = deal - 1, len(ids) - 1
        self._touches = shared["touches"].to_numpy().astype(float)
        # The touches of one source in one path may share its weight.
        alike = np.unique(self._deal.astype(np.int64) * len(sources) + source, return_inverse=True)[1]
        self._alike = np.bincount(alike, self._touches)[alike]
        self._whole = self._weights(np.ones(len(self.hashes)))

    def _weights(self, times: Floats, otherwise: Floats | None = None) -> Floats:
        """Fit to accounts counted so often; give the weight of every part."""
        tallies = np.array(
            [np.bincount(self._cell, f * times[self._owner], len(self._keys)) for f in self._figures]
        )
        some = np.flatnonzero(tallies[0])
        keys = self._keys.take(pa.array(some))
        try:
            model = self._model.solve(counted(self._model.shown, keys, *tallies[:, some].astype(np.int64)))
        except JourneyError:
            # No deal, or a single source, in this resample: nothing can be learned from it.
            if otherwise is None:
                raise
            return otherwise
        self._shares = model.shared
        return np.array([model.weights.get(source or UNKNOWN, 0.0) for source, _, _ in self._parts])

    def deals(self, sources: Sequence[Source], times: Floats) -> Floats:
        """Share the deals as they are under the fits to other accounts.

        Parameters
        ----------
        sources : sequence of (str or None, str)
            Key and currency, K pairs.
        times : ndarray of float, shape (A, R)
            How often each account counts in each fit, in the order of `hashes`.

        Returns
        -------
        ndarray of float, shape (K, R)
            Deals with touches, in parts, per source and fit.
        """
        place = {source: i for i, source in enumerate(sources)}
        where = np.array([place[key, currency] for _, key, currency in self._parts], np.int64)[self._part]
        found = np.zeros((len(sources), times.shape[1]))
        for r in range(times.shape[1]):
            weights = self._weights(times[:, r], self._whole)
            pull = weights[self._part] * self._touches / (self._alike if self._shares else 1.0)
            together = np.bincount(self._deal, pull, self._deals)
            # A deal whose sources all weigh nothing is shared equally by its touches.
            pull = np.where(together[self._deal] > 0, pull, self._touches)
            found[:, r] = np.bincount(where, pull / np.bincount(self._deal, pull)[self._deal], len(sources))
        return found


def refits(feeder: Any, models: Sequence[Model], by: str, account: pa.DataType) -> dict[int, Refit]:
    """Prepare the models among `models` whose fit varies with the accounts that came."""
    counts = pa.schema([("account_id", account), *COUNTS])
    names = [(name, pa.string()) for name in ("conversion_id", "currency", "source", "name")]
    shared = pa.schema([*names, ("touches", pa.int64())])
    return {
        i: Refit(
            model,
            feeder.apply(partial(counts_by_account, model=model, schema=counts), counts),
            feeder.apply(partial(deals, model=model, by=by, schema=shared), shared),
        )
        for i, model in enumerate(models)
        if model.fitted and model.everyone
    }
