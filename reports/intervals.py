"""How far ROI would vary with other buyers, and whether the model changes which campaign is best."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from attribution.uncertainty import draws_of
from reports.evidence import is_campaign
from reports.kpis import Period
from reports.roi import Credited, by_table

Floats = npt.NDArray[np.float64]
REPLICATES = 200
_MONEY = "-"  # all amounts are in the currency of the report


@dataclass(frozen=True)
class Resampled:
    """Credited revenue per model and campaign, and what it would be with other buyers.

    Attributes
    ----------
    models, campaigns : tuple of str
        M models and K campaigns, lines in brackets included.
    credit : ndarray of float, shape (M, K)
        Credited revenue in minor units.
    replicates : ndarray of float, shape (M, K, R)
        The same in each of R draws of buying companies (:mod:`attribution.posterior`).
    cost : ndarray of float, shape (K,)
        Cost in minor units; NaN where none is known.
    """

    models: tuple[str, ...]
    campaigns: tuple[str, ...]
    credit: Floats
    replicates: Floats
    cost: Floats
    _found: dict[float, Floats] = field(default_factory=dict, init=False, repr=False, compare=False)

    def roi(self, model: str, campaign: str, level: float = 0.8) -> tuple[float, float] | None:
        """Give the interval of a campaign's ROI.

        Parameters
        ----------
        model, campaign : str
            Which.
        level : float, default 0.8
            Nominal coverage, above 0 and below 1.

        Returns
        -------
        tuple of float or None
            Its ends as fractions; None without a cost.
        """
        m, k = self.models.index(model), self._places.get(campaign)
        if k is None or not self._paid[k]:
            return None
        return _roi(self._ends(level)[:, m, k], self.cost[k])

    def total(self, model: str, cost: float, level: float = 0.8) -> tuple[float, float] | None:
        """Give the interval of the ROI of all campaigns together.

        Parameters
        ----------
        model : str
            Which.
        cost : float
            All costs in minor units, with those that belong to no campaign.
        level : float, default 0.8
            Nominal coverage, above 0 and below 1.

        Returns
        -------
        tuple of float or None
            Its ends as fractions; None without a cost.
        """
        named = [k for k, campaign in enumerate(self.campaigns) if is_campaign(campaign)]
        if not cost > 0 or not named:
            return None
        sums = self.replicates[self.models.index(model), named].sum(axis=0)
        return _roi(_between(sums, level), cost)

    def _ends(self, level: float) -> Floats:
        # All at once: a quantile costs more to ask for than to find.
        if level not in self._found:
            self._found[level] = _between(self.replicates, level)
        return self._found[level]

    def chance(self, model: str, campaign: str, least: float) -> float:
        """Give the share of resamples in which a campaign's ROI exceeds a figure.

        Parameters
        ----------
        model, campaign : str
            Which; the campaign has a cost.
        least : float
            The ROI to exceed, as a fraction; 0 means more than its cost.

        Returns
        -------
        float
            0 to 1.
        """
        m, k = self.models.index(model), self.campaigns.index(campaign)
        return float(np.mean(self.replicates[m, k] / self.cost[k] - 1 > least))

    def best(self, campaigns: Collection[str]) -> dict[str, tuple[tuple[str, ...], float]]:
        """Give for each model the campaigns with the highest ROI, and how surely they are first.

        Parameters
        ----------
        campaigns : collection of str
            Those that are compared.

        Returns
        -------
        dict
            Model to the campaigns that share the first place, by name, and the share of resamples in which
            none of the others reaches them; empty where fewer than two of the campaigns have a cost.
        """
        paid = [k for k in np.flatnonzero(self._paid) if self.campaigns[k] in campaigns]
        if len(paid) < 2:
            return {}
        found = {}
        for m, model in enumerate(self.models):
            point = self.credit[m, paid] / self.cost[paid]
            drawn = self.replicates[m, paid] / self.cost[paid][:, None]
            first = point == point.max()
            others = drawn[~first].max(axis=0, initial=-np.inf)
            names = tuple(sorted(self.campaigns[k] for k, top in zip(paid, first, strict=True) if top))
            found[model] = (names, float(np.mean(drawn[first].max(axis=0) > others)))
        return found

    @cached_property
    def _places(self) -> dict[str, int]:
        return {campaign: place for place, campaign in enumerate(self.campaigns)}

    @cached_property
    def _paid(self) -> npt.NDArray[np.bool_]:
        return np.nan_to_num(self.cost) > 0


def resampled(
    tables: Credited,
    period: Period,
    costs: Mapping[str, int],
    *,
    campaigns: Collection[str] | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Resampled:
    """Draw what each model would credit in a period had other companies bought.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
        For each model a table of :func:`reports.roi.credited` that holds it; goals other than deals may be
        left out.
    period : Period
        Deals won in it count.
    costs : mapping of str to int
        Minor units by campaign.
    campaigns : collection of str, optional
        Names to keep; by default all.
    replicates : int, default 200
        2 to 100,000; 80 % intervals need some hundreds.
    seed : int, default 0
        Another seed gives other draws.

    Returns
    -------
    Resampled
        Credits and replicates.

    Notes
    -----
    An interval covers which buyers happened to come, not touches that nobody recorded, nor a rule that
    misjudges them. Models fitted to data keep the weights that all data gave them.
    """
    names: set[str] = {name for name in costs if campaigns is None or name in campaigns}
    models = list(tables)
    parts = []
    for table, some in by_table(tables):
        won = table.filter(pc.and_(pc.equal(table["goal"], "won"), period.holds(table["converted_at"])))
        if campaigns is not None:
            kept = pa.array(sorted(campaigns), pa.string())
            won = won.filter(pc.is_in(won["campaign"].cast(pa.string()), kept))
        parts.append((won, some))
    rows = _by_account(parts, models)
    found = draws_of(rows, models, "campaign", replicates, seed, also=[(name, _MONEY) for name in names])
    order = tuple(source or "" for source, _ in found.sources)
    cost = np.array([float(costs.get(name, np.nan)) for name in order])
    return Resampled(tuple(tables), order, found.credit, found.replicates, cost)


def _by_account(parts: Sequence[tuple[pa.Table, list[str]]], models: Sequence[str]) -> pa.Table:
    """Add credit up by account and campaign, over all tables: a company counts alike in each model."""
    whole = pa.concat_tables([won.select(["account_id", "campaign"]) for won, _ in parts])
    accounts = whole["account_id"].combine_chunks().dictionary_encode()
    campaigns = whole["campaign"].cast(pa.string()).combine_chunks().dictionary_encode()
    width = max(1, len(campaigns.dictionary))
    keys = accounts.indices.to_numpy().astype(np.int64) * width + campaigns.indices.to_numpy()
    found, place = np.unique(keys, return_inverse=True)
    columns = {
        "account_id": accounts.dictionary.take(pa.array(found // width)).cast(pa.string()),
        "campaign": campaigns.dictionary.take(pa.array(found % width)),
        "currency": pa.repeat(pa.scalar(_MONEY), len(found)),
    }
    start = 0
    for won, some in parts:
        mine = place[start : start + won.num_rows]
        start += won.num_rows
        for model in some:
            # Sums of whole minor units below 2^53 are exact in doubles.
            amounts = won[f"credit {model}"].to_numpy()
            columns[f"c{models.index(model)}"] = pa.array(np.bincount(mine, amounts, len(found)))
    return pa.table(columns)


def _between(replicates: Floats, level: float) -> Floats:
    """Return the two ends that hold a share of the replicates, which lie along the last axis."""
    found: Floats = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2], axis=-1)
    return found


def _roi(ends: Floats, cost: float) -> tuple[float, float]:
    low, high = ends
    return float(low / cost - 1), float(high / cost - 1)
