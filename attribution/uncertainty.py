"""How far the figures can be trusted: what other buyers would have changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from attribution import kernel
from attribution.credit import Floats
from attribution.engine import By, fitted, identifiers
from attribution.feeders import opened
from attribution.journeys import UNATTRIBUTED
from attribution.models import ModelLike, resolve
from attribution.paths import Lookback, Whole, encode
from attribution.posterior import posterior, resamples
from attribution.refit import Refit, hashes_of, poisson_weights, refits
from attribution.rules import Model
from attribution.sources import Source, read, read_all

REFITS = 100
"""How often a fitted model is fitted anew, at most: enough for the standard deviation of a logarithm."""

Pair = tuple[str | None, str]  # source, currency


@dataclass(frozen=True)
class Draws:
    """Credit per model and source, and what it would be had other buyers come.

    Attributes
    ----------
    models : tuple of str
        Labels of the models, M of them.
    by : str
        What the sources are: campaign, channel, kind or ad_material.
    sources : tuple of (str or None, str)
        Source and currency, K pairs, sorted.
    credit : ndarray of float, shape (M, K)
        Credit in minor units.
    expected : ndarray of float, shape (M, K)
        What the draws are centred on: the same credit with each source's mean deal drawn towards that of all.
    replicates : ndarray of float, shape (M, K, R)
        Credit in minor units in each of R draws.
    cost : ndarray of float, shape (K,)
        Cost in minor units of the same currency; NaN where none is known.
    """

    models: tuple[str, ...]
    by: str
    sources: tuple[tuple[str | None, str], ...]
    credit: Floats
    expected: Floats
    replicates: Floats
    cost: Floats

    def intervals(self, level: float = 0.9) -> pa.Table:
        """Give credit, return and rank of every source with intervals.

        Parameters
        ----------
        level : float, default 0.9
            Nominal coverage, above 0 and below 1.

        Returns
        -------
        pyarrow.Table
            One row per model, source and currency: ``model``, the key, ``currency``, ``credit_minor`` with
            ``credit_expected``, ``credit_low`` and ``credit_high`` (float64, minor units), ``roi``,
            ``roi_low``, ``roi_high`` ((credit - cost) / cost; null without cost), ``rank`` with ``rank_low``
            and ``rank_high`` (int64, 1 is the most credit within model and currency). Where one deal is far
            larger than the others, the credit itself can lie outside: ``credit_expected`` is what the
            interval is about.

        Raises
        ------
        ValueError
            For a level outside 0 to 1.

        Notes
        -----
        An interval says how much the figure depends on which accounts happened to come. It knows nothing of
        touches that were never recorded, nor of a rule that misjudges them. Markov and shapley-coalitions
        are fitted anew to resamples; self-reported and hybrid keep the fit to all accounts.
        """
        if not 0 < level < 1:
            raise ValueError(f"level is {level}; use a number between 0 and 1, such as 0.9")
        ends = [(1 - level) / 2, (1 + level) / 2]
        ranks, drawn = self._ranks(self.credit[:, :, None])[:, :, 0], self._ranks(self.replicates)
        low, high = np.quantile(self.replicates, ends, axis=2)
        rank_low, rank_high = np.quantile(drawn, ends, axis=2, method="inverted_cdf")
        unpaid = np.tile(~(self.cost > 0), len(self.models))
        cost = np.where(self.cost > 0, self.cost, 1.0)
        sources, currencies = zip(*self.sources, strict=True) if self.sources else ((), ())
        columns: dict[str, Any] = {
            "model": np.repeat(np.array(self.models), len(self.sources)),
            self.by: sources * len(self.models),
            "currency": currencies * len(self.models),
            "credit_minor": np.rint(self.credit).ravel(),
        }
        for name, figure in (("expected", self.expected), ("low", low), ("high", high)):
            columns[f"credit_{name}"] = figure.ravel()
        for name, figure in (("roi", self.credit), ("roi_low", low), ("roi_high", high)):
            columns[name] = pa.array(((figure - cost) / cost).ravel(), mask=unpaid)
        for name, figure in (("rank", ranks), ("rank_low", rank_low), ("rank_high", rank_high)):
            columns[name] = figure.ravel()
        whole, real = pa.int64(), pa.float64()
        kinds = [pa.string()] * 3 + [whole] + [real] * 6 + [whole] * 3
        return pa.table(columns).cast(pa.schema(list(zip(columns, kinds, strict=True))))

    def beats(self, one: str | None, other: str | None, model: str, currency: str) -> float:
        """Give the share of replicates in which `one` has more credit than `other`, ties counting half.

        Parameters
        ----------
        one, other : str or None
            The two sources.
        model : str
            Label of the model.
        currency : str
            Currency in which both have credit.

        Returns
        -------
        float
            Between 0 and 1. With costs known for both, return on cost is compared instead of credit.

        Raises
        ------
        ValueError
            For a source, model or currency that does not occur.
        """
        if model not in self.models:
            raise ValueError(f"{model!r} was not computed; use one of {', '.join(self.models)}")
        for source in (one, other):
            if (source, currency) not in self.sources:
                raise ValueError(f"{source!r} has no credit in {currency}")
        m = self.models.index(model)
        a, b = self.sources.index((one, currency)), self.sources.index((other, currency))
        merit = self._merit(self.replicates)
        if np.isnan(merit[m, [a, b]]).any():
            merit = self.replicates
        return float(np.mean(merit[m, a] > merit[m, b]) + np.mean(merit[m, a] == merit[m, b]) / 2)

    def decision(self, currency: str) -> str:
        """Say in a sentence whether the choice of model changes which source is best.

        Parameters
        ----------
        currency : str
            Currency to look at.

        Returns
        -------
        str
            Which source each model puts first (by return on cost where all costs are known, by credit
            otherwise), and in what share of replicates it stays first under the model that is least sure.

        Raises
        ------
        ValueError
            For a currency that does not occur.
        """
        here = [k for k, (source, c) in enumerate(self.sources) if c == currency and source != UNATTRIBUTED]
        if not here:
            raise ValueError(f"there is no credit in {currency}")
        merit, point = self._merit(self.replicates)[:, here], self._merit(self.credit)[:, here]
        measure = "return on cost"
        if np.isnan(point).any():
            merit, point, measure = self.replicates[:, here], self.credit[:, here], "credit"
        first = point.argmax(axis=1)
        sure = [float(np.mean(merit[m].argmax(axis=0) == best)) for m, best in enumerate(first)]
        names = [self.sources[here[best]][0] or "(unknown)" for best in first]
        if len(set(names)) == 1:
            least = f"{min(sure):.0%} of random resamples"
            return f"Every model puts {names[0]} first by {measure}, in at least {least}."
        sides = "; ".join(
            f"{', '.join(m for m, n in zip(self.models, names, strict=True) if n == name)}: {name}"
            for name in dict.fromkeys(names)
        )
        return (
            f"The models put different sources first by {measure} ({sides}), each in at least "
            f"{min(sure):.0%} of random resamples."
        )

    def _merit(self, credit: Floats) -> Floats:
        cost = np.where(self.cost > 0, self.cost, np.nan)
        return credit / (cost[:, None] if credit.ndim == 3 else cost)

    def _ranks(self, credit: Floats) -> npt.NDArray[np.int64]:
        ranks = np.zeros(credit.shape, dtype=np.int64)
        currencies = np.array([currency for _, currency in self.sources])
        for currency in dict.fromkeys(currencies.tolist()):
            mine = np.flatnonzero(currencies == currency)
            for k in mine:
                ranks[:, k] = 1 + (credit[:, mine] > credit[:, k : k + 1]).sum(axis=1)
        return ranks


def draws(
    touches: Any,
    conversions: Any,
    models: Sequence[ModelLike],
    *,
    by: By = "campaign",
    replicates: int = 500,
    seed: int = 0,
    costs: Any = None,
    lookback_days: Lookback = None,
    half_life_days: float | None = None,
    answers: Any = None,
    engine: Any = "duckdb",
) -> Draws:
    """Attribute, and draw what would be credited had other accounts come, as often as wished.

    Parameters
    ----------
    touches, conversions, models, lookback_days, half_life_days, answers, engine
        As in `attribution.attribute`.
    by : {"campaign", "channel", "kind", "ad_material"}, default "campaign"
        What the sources are.
    replicates : int, default 500
        How many times, 2 to 100,000. 90 % intervals need some hundreds.
    seed : int, default 0
        Another seed gives other draws.
    costs : path, table or None, default None
        The table ``costs`` of the contract, for returns; with ``by`` campaign or channel.

    Returns
    -------
    Draws
        Credits and draws, with methods for intervals, comparisons and a plain sentence.

    Raises
    ------
    JourneyError
        For input that breaks the contract.
    ValueError
        For a setting out of range.

    Notes
    -----
    An account counts once, with all its deals: what one buyer does hangs together. See
    `attribution.posterior` for what is drawn.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from datetime import datetime, timezone
    >>> day = lambda d: datetime(2026, 3, d, tzinfo=timezone.utc)
    >>> names = [f"buyer {i}" for i in range(40)]
    >>> touches = pa.table({"touch_id": names, "account_id": names, "occurred_at": [day(1)] * 40,
    ...     "campaign": ["fair"] * 30 + ["mail"] * 10, "channel": ["x"] * 40, "kind": ["event"] * 40})
    >>> won = pa.table({"conversion_id": names, "account_id": names, "converted_at": [day(9)] * 40,
    ...     "value_minor": [100] * 40, "currency": ["EUR"] * 40})
    >>> drawn = draws(touches, won, ["linear"], replicates=200)
    >>> drawn.beats("fair", "mail", "linear", "EUR")
    1.0
    >>> drawn.decision("EUR")
    'Every model puts fair first by credit, in at least ...'
    """
    if not 2 <= replicates <= 100_000:
        raise ValueError(f"replicates is {replicates}; use 2 to 100,000")
    if by in ("touch", "conversion"):
        raise ValueError(f"by is {by!r}; intervals are for campaign, channel, kind or ad_material")
    if costs is not None and by not in ("campaign", "channel"):
        raise ValueError("costs are known per campaign and channel; use by='campaign' or by='channel'")
    chosen = resolve(models, half_life_days)
    sources = read_all(touches, conversions, answers)
    with opened(engine, sources, chosen, lookback_days, [by]) as feeder:
        rows = credit_by_account(feeder, sources, fitted(feeder, chosen), by)
        refitted = refits(feeder, chosen, by, identifiers(sources)["account_id"])
    return draws_of(rows, [model.shown for model in chosen], by, replicates, seed, costs, refitted)


def credit_by_account(feeder: Any, sources: Sequence[Source], models: Sequence[Model], by: str) -> pa.Table:
    """Add credit up as `draws_of` wants it, under models that are ready to share."""
    for model in models:
        if getattr(model, "total", False):
            raise ValueError(f"{model.shown}: allocation='total' belongs to no account; use 'journey'")
    account, text = identifiers(sources)["account_id"], pa.string()
    figures = [(f"c{i}", pa.int64()) for i in range(len(models))]
    schema = pa.schema([("account_id", account), (by, text), ("currency", text), *figures])
    return feeder.apply(partial(kernel.by_account, models=models, schema=schema), schema)


def draws_of(
    rows: pa.Table,
    models: Sequence[str],
    by: str,
    replicates: int,
    seed: int,
    costs: Any = None,
    refitted: Mapping[int, Refit] = MappingProxyType({}),
    also: Sequence[Pair] = (),
) -> Draws:
    """Draw from credit that has been added up per account already.

    Parameters
    ----------
    rows : pyarrow.Table
        ``account_id``, the column named by `by`, ``currency``, and credit in minor units as ``c0``, ``c1``,
        ... for the models in turn.
    models : sequence of str
        Labels of the models.
    by, replicates, seed, costs
        As in `draws`.
    refitted : mapping of int to Refit, default empty
        Models, by their place, whose fit varies with the accounts; the others keep their weights.
    also : sequence of (str or None, str), default empty
        Sources and currencies to draw for although nothing is credited to them.

    Returns
    -------
    Draws
        Credits and draws.
    """
    sources, source = _sources(rows, by, also)
    accounts = rows["account_id"].dictionary_encode().combine_chunks()
    hashes = hashes_of(accounts.dictionary.to_pylist())
    # Buyers by their hashes, and rows by buyer and source: sums of doubles depend on their order.
    place = np.empty(len(hashes), np.int64)
    place[np.argsort(hashes, kind="stable")] = np.arange(len(hashes))
    hashes, buyer = np.sort(hashes), place[accounts.indices.to_numpy()]
    order = np.lexsort((source, buyer))
    buyer, source = buyer[order], source[order]
    shape = (len(models), len(sources))
    credit, expected, drawn = np.zeros(shape), np.zeros(shape), np.zeros((*shape, replicates))
    money = np.array([currency for _, currency in sources])
    times = resamples(hashes, replicates, seed)
    for m in range(len(models)):
        amount = rows[f"c{m}"].to_numpy().astype(float)[order]
        credit[m] = np.bincount(source, amount, len(sources))
        extra = _varying(refitted[m], sources, replicates, seed) if m in refitted else None
        for currency in dict.fromkeys(money.tolist()):
            here = np.flatnonzero(money == currency)
            mine = (money == currency)[source] & (amount != 0)
            expected[m, here], drawn[m, here] = posterior(
                buyer[mine],
                np.searchsorted(here, source[mine]),
                amount[mine],
                hashes,
                [f"{currency} {sources[k][0] or ''}" for k in here],
                replicates,
                seed,
                None if extra is None else extra[here],
                times,
            )
    return Draws(tuple(models), by, tuple(sources), credit, expected, drawn, _costs(costs, by, sources))


def _varying(refit: Refit, sources: Sequence[Pair], replicates: int, seed: int) -> Floats:
    """Return how far the logarithm of each source's number of deals varies with the fit."""
    times = poisson_weights(refit.hashes, range(min(replicates, REFITS)), seed)
    deals = refit.deals(sources, times)
    mean = deals.mean(axis=1)
    apart = np.divide(deals.std(axis=1), mean, out=np.zeros(len(mean)), where=mean > 0)
    found: Floats = np.sqrt(np.log1p(apart**2))
    return found


def _sources(rows: pa.Table, by: str, also: Sequence[Pair]) -> tuple[list[Pair], Whole]:
    """Return the sources with their currencies, what has none last, and for each row the place of its own."""
    (name, names), (money, currencies) = (
        encode(rows[column].cast(pa.string())) for column in (by, "currency")
    )
    shape = (len(names), len(currencies))
    met, place = np.unique(np.ravel_multi_index((name, money), shape), return_inverse=True)
    found: list[Any] = [(names[n], currencies[m]) for n, m in zip(*np.unravel_index(met, shape), strict=True)]
    every = sorted({*found, *also}, key=lambda pair: (pair[0] is None, pair[0] or "", pair[1]))
    return every, np.array([every.index(pair) for pair in found], np.int64)[place]


def _costs(costs: Any, by: str, sources: Sequence[Pair]) -> Floats:
    if costs is None:
        return np.full(len(sources), np.nan)
    rows = read(costs, "costs").rows().group_by([by, "currency"]).aggregate([("amount_minor", "sum")])
    spent = {
        (source, currency): amount
        for source, currency, amount in zip(*rows.to_pydict().values(), strict=True)
    }
    return np.array([float(spent.get(pair, np.nan)) for pair in sources])
