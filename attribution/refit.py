"""Fitted models within resamples: what the fit would have been, had other accounts come.

A chain or a game is fitted to counts, and counts add up over accounts. Kept apart by account, they can be
added up again with each account counted 0, 1, 2, ... times, the model fitted to them, the deals shared anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import scipy.sparse

from attribution.draws import hashes_of
from attribution.journeys import JourneyError
from attribution.markov import Markov
from attribution.paths import Journeys
from attribution.rules import Lookup
from attribution.shapley import MOST_PLAYERS, ShapleyCoalitions
from attribution.windows import PATH

Floats = npt.NDArray[np.float64]
Source = tuple[str | None, str]


class Refit:
    """Counts and deals of every account, from which a model can be fitted and applied again.

    Parameters
    ----------
    journeys : Journeys
        The journeys, open.
    model : Markov or ShapleyCoalitions
        The model, not fitted.
    by : str
        What credit is added up by.

    Attributes
    ----------
    hashes : ndarray of uint64, shape (A,)
        The accounts that have touches.
    """

    def __init__(self, journeys: Journeys, model: Markov | ShapleyCoalitions, by: str) -> None:
        self._model = model
        counted: list[tuple[Any, Any, list[float]]]
        if isinstance(model, Markov):
            self._key = model.states
            runs = journeys.account_grams(model.states, model.order)
            counted = [(account, gram, counts) for account, gram, *counts in runs]
        else:
            self._key = model.players
            self._players = journeys.keys(model.players)
            met = journeys.account_coalitions(model.players, self._players[:MOST_PLAYERS])
            counted = [(account, mask, counts) for account, mask, *counts in met]
        counted.sort(key=str)
        owners = {account: i for i, account in enumerate(dict.fromkeys(row[0] for row in counted))}
        self._cells = {cell: i for i, cell in enumerate(dict.fromkeys(row[1] for row in counted))}
        place = [owners[row[0]] for row in counted], [self._cells[row[1]] for row in counted]
        size = (len(owners), len(self._cells))
        self.hashes = hashes_of(list(owners))
        amounts = np.array([row[2] for row in counted], dtype=float).T
        self._counts = [scipy.sparse.csr_array((some, place), shape=size).T.tocsr() for some in amounts]
        self._deals(journeys, by, owners)
        self._whole = self._fitted(np.ones((size[0], 1)))[:, 0]

    def _deals(self, journeys: Journeys, by: str, owners: dict[Any, int]) -> None:
        """Keep how many touches of which source and key each deal has."""
        keys = list(dict.fromkeys([self._key, by]))
        frame = journeys.paths([], keys).group_by(PATH, "conversion_id", "account_id", "currency", *keys)
        rows = frame.agg(nw.len().alias("touches"), nw.col("value_minor").max()).collect("pyarrow").to_arrow()
        columns = ("conversion_id", "account_id", "currency", self._key, by, "touches", "value_minor")
        listed = sorted(zip(*(rows[name].to_pylist() for name in columns), strict=True), key=str)
        deals = {deal: i for i, deal in enumerate(dict.fromkeys(row[0] for row in listed))}
        # A column for each source of the model, key and currency in which it is credited.
        parts = {part: i for i, part in enumerate(dict.fromkeys((row[3], row[4], row[2]) for row in listed))}
        self._parts = list(parts)
        place = [deals[row[0]] for row in listed], [parts[row[3], row[4], row[2]] for row in listed]
        touches = np.array([row[5] for row in listed], dtype=float)
        shape = (len(deals), len(parts))
        self._touches = scipy.sparse.csr_array((touches, place), shape=shape)
        self._pulls = self._touches
        if isinstance(self._model, ShapleyCoalitions):
            # The touches of one source in one path share its weight.
            met: dict[tuple[Any, Any], float] = {}
            for row, times in zip(listed, touches, strict=True):
                met[row[0], row[3]] = met.get((row[0], row[3]), 0.0) + times
            shared = [times / met[row[0], row[3]] for row, times in zip(listed, touches, strict=True)]
            self._pulls = scipy.sparse.csr_array((shared, place), shape=shape)
        self._value, self._owner = np.zeros(len(deals)), np.zeros(len(deals), dtype=np.int64)
        for deal, account, *_, value in listed:
            self._value[deals[deal]], self._owner[deals[deal]] = value, owners[account]

    def _fitted(self, times: Floats) -> Floats:
        """Fit to accounts counted so often, a column for each resample; give the weight of every part."""
        counts = np.array([some @ times for some in self._counts])
        weights = np.empty((len(self._parts), times.shape[1]))
        for r in range(times.shape[1]):
            cells = [(cell, *counts[:, i, r]) for cell, i in self._cells.items() if counts[0, i, r]]
            try:
                model = self._weigh(cells)
            except JourneyError:
                # No deal, or a single source, in this resample: nothing can be learned from it.
                weights[:, r] = self._whole
                continue
            weights[:, r] = [
                model.unknown if source is None else model.weights.get(source, model.rest)
                for source, _, _ in self._parts
            ]
        return weights

    def _weigh(self, cells: list[Any]) -> Lookup:
        if isinstance(self._model, Markov):
            return self._model.weigh(cells)
        return self._model.weigh(self._players, {cell: (count, won) for cell, count, won in cells})

    def credit(self, sources: Sequence[Source], times: Floats) -> Floats:
        """Give credit in minor units, unrounded, per source and resample.

        Parameters
        ----------
        sources : sequence of (str or None, str)
            Key and currency, K pairs.
        times : ndarray of float, shape (A, R)
            How often each account counts in each resample, in the order of `hashes`.

        Returns
        -------
        ndarray of float, shape (K, R)
            Credit from touches; what no touch explains is not in it.
        """
        pull = self._fitted(times)
        together = self._pulls @ pull
        value = self._value[:, None] * times[self._owner]
        some = together > 0
        each = np.divide(value, together, out=np.zeros_like(value), where=some)
        # A deal whose sources all weigh nothing is shared equally by its touches.
        even = np.where(some, 0.0, value) / self._touches.sum(axis=1)[:, None]
        parts = pull * (self._pulls.T @ each) + self._touches.T @ even
        place = {source: i for i, source in enumerate(sources)}
        credit = np.zeros((len(sources), times.shape[1]))
        for (_, key, currency), amount in zip(self._parts, parts, strict=True):
            credit[place[key, currency]] += amount
        return credit


def refits(journeys: Journeys, models: Sequence[Any], by: str) -> dict[int, Refit]:
    """Prepare the models among `models` whose fit varies with the accounts that came."""
    return {
        i: Refit(journeys, model, by)
        for i, model in enumerate(models)
        if isinstance(model, Markov | ShapleyCoalitions)
    }
