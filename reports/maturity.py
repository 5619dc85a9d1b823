"""Conversions still to come: what the leads of a period have yet to bring, since buyers take their time.

A lead that has not bought yet is no failure, only too young to tell: it is censored. The Kaplan-Meier
estimator learns from bought and open leads alike what share has bought how many days after becoming a lead
(Kaplan and Meier 1958). What an open lead of some age may still bring follows from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from attribution.shares import UNIT
from reports.kpis import Ints, Period, ratio
from reports.roi import first_orders

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
_DAY = 86_400_000_000
LONGEST = 1095
"""Days after which a lead counts as lost (an assumption): what is bought later is not foreseen."""
LEAST_AT_RISK = 10
"""The curve ends where fewer leads are left to learn from (an assumption)."""
_EXACT = 5000


@dataclass(frozen=True)
class Curve:
    """What share of leads has bought, by days since becoming a lead.

    Attributes
    ----------
    bought : ndarray of float, shape (H + 1,)
        Share that has bought up to and including day 0, 1, ..., H; never falls.
    """

    bought: Floats

    @property
    def horizon(self) -> int:
        """Return the last day that the curve knows."""
        return len(self.bought) - 1

    def days_until(self, share: float) -> int | None:
        """Return in how many days a share of all who buy at all within the horizon have bought.

        Parameters
        ----------
        share : float
            Above 0, at most 1.

        Returns
        -------
        int or None
            Days; None where nobody buys.
        """
        last = self.bought[-1]
        return None if last == 0 else int(np.argmax(self.bought >= share * last - 1e-12))

    def still(self) -> Floats:
        """Return the chance that a lead that has not bought by day 0, 1, ... does so within the horizon.

        Returns
        -------
        ndarray of float, shape (H + 1,)
            0 to 1; 0 on the last day.
        """
        return _still(self.bought)


def kaplan_meier(events: Floats, censored: Floats) -> Curve:
    """Estimate what share has bought by each day, from those who did and those still open.

    Parameters
    ----------
    events : ndarray, shape (D,)
        How many bought 0, 1, ... days after becoming a lead.
    censored : ndarray, shape (D,)
        How many are so many days old and have not bought.

    Returns
    -------
    Curve
        It ends on the last day with at least :data:`LEAST_AT_RISK` at risk, or with the first day.

    Examples
    --------
    Of four leads one buys on day 1, one is open at day 2, one buys on day 3, one is open at day 4: three
    quarters are left after day 1, and half of the two at risk buy on day 3.

    >>> bought, still_open = np.array([0, 1, 0, 1, 0.0]), np.array([0, 0, 1, 0, 1.0])
    >>> [round(share, 3) for share in _curve(bought, still_open, 4).bought.tolist()]
    [0.0, 0.25, 0.25, 0.625, 0.625]
    """
    at_risk = np.cumsum((events + censored)[::-1])[::-1]
    enough = np.flatnonzero(at_risk >= LEAST_AT_RISK)
    return _curve(events, censored, int(enough[-1]) if enough.size else 0)


def _curve(events: Floats, censored: Floats, horizon: int) -> Curve:
    at_risk = np.cumsum((events + censored)[::-1])[::-1]
    kept = np.divide(events, at_risk, out=np.zeros(len(events)), where=at_risk > 0)
    return Curve(1 - np.cumprod(1 - kept[: horizon + 1]))


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Each of R resamples of the leads: chances still to buy, and what a first order comes to.

    Attributes
    ----------
    still : ndarray of float, shape (H + 1, R)
        As :meth:`Curve.still`.
    mean, square : ndarray of float, shape (R,)
        Mean of the amounts, and of their squares.
    average : float
        Mean of the amounts that were there.
    """

    still: Floats
    mean: Floats
    square: Floats
    average: float


def _drawn(
    events: Floats, censored: Floats, horizon: int, amounts: Floats, replicates: int, rng: np.random.Generator
) -> _Drawn:
    # Each lead counting Poisson times, the leads of a day count Poisson times their number.
    counts = np.stack([events, censored])
    days = np.nonzero(counts)
    times = np.zeros((replicates, *counts.shape))
    # Of very many amounts a part is enough: its mean varies little, and if anything a little too much.
    size = min(amounts.size, _EXACT)
    mean, square = np.zeros(replicates), np.zeros(replicates)
    for r in range(replicates):
        times[r][days] = rng.poisson(counts[days])
        if size:
            picked = rng.choice(amounts, size)
            mean[r], square[r] = picked.mean(), (picked**2).mean()
    at_risk = np.cumsum(times.sum(axis=1)[:, ::-1], axis=1)[:, ::-1]
    kept = np.divide(times[:, 0], at_risk, out=np.zeros_like(at_risk), where=at_risk > 0)[:, : horizon + 1]
    still = _still(1 - np.cumprod(1 - kept, axis=1)).T
    average = float(amounts.mean()) if amounts.size else 0.0
    return _Drawn(still, mean, square, average)


def _still(bought: Floats) -> Floats:
    rest = bought[..., -1:] - bought
    still: Floats = np.divide(rest, 1 - bought, out=np.zeros_like(rest), where=bought < 1)
    return still


@dataclass(frozen=True, slots=True)
class ToCome:
    """What the leads of a campaign have brought and may still bring; first orders, minor units.

    Attributes
    ----------
    leads : float
        Leads of the period, credited.
    so_far : float
        Value of the first orders of these leads up to now.
    expected, low, high : float
        Value of first orders still to come, and the ends of its 80 % interval.
    """

    leads: float
    so_far: float
    expected: float
    low: float
    high: float

    @property
    def share(self) -> float | None:
        """Return what share of the revenue of these leads is still to come; None where there is none."""
        return ratio(self.expected, self.so_far + self.expected)


@dataclass(frozen=True)
class Maturity:
    """How long leads take to buy, and what each campaign's leads of a period may still bring."""

    curve: Curve
    campaigns: Mapping[str, ToCome]
    total: ToCome


def buying_times(conversions: pa.Table) -> pa.Table:
    """Say of each company that became a lead when it did, and when and for how much it bought first.

    Parameters
    ----------
    conversions : pyarrow.Table
        The journey table.

    Returns
    -------
    pyarrow.Table
        ``account_id``, ``lead_at``, ``bought_at`` (int64, microseconds since 1970) and ``value_minor``; the
        last two are null where nothing was bought.
    """
    goal, at = conversions["goal"], conversions["converted_at"].cast(pa.int64())
    rows = pa.table({"account_id": conversions["account_id"], "at": at, "value": conversions["value_minor"]})
    leads = rows.filter(pc.equal(goal, "lead")).group_by("account_id").aggregate([("at", "min")])
    orders = rows.filter(first_orders(conversions))
    place = pc.index_in(leads["account_id"], orders["account_id"].combine_chunks())
    columns = [leads["account_id"], leads["at_min"], orders["at"].take(place), orders["value"].take(place)]
    return pa.table(columns, names=["account_id", "lead_at", "bought_at", "value_minor"])


def still_to_come(
    leads: pa.Table,
    table: pa.Table,
    model: str,
    period: Period,
    at: datetime,
    *,
    replicates: int = 200,
    seed: int = 0,
) -> Maturity:
    """Foresee the first orders that the leads of a period have yet to bring.

    Parameters
    ----------
    leads : pyarrow.Table
        From :func:`buying_times`; the delays are learnt from all of them.
    table : pyarrow.Table
        From :func:`reports.roi.credited`, holding ``model``.
    model : str
        By which leads are credited to campaigns.
    period : Period
        Leads that came in it count.
    at : datetime
        Now: until when buying would be known.
    replicates : int, default 200
        For the interval.
    seed : int, default 0
        Another seed gives other draws.

    Returns
    -------
    Maturity
        By campaign, lines in brackets included.

    Notes
    -----
    Assumes that the leads of all campaigns take equally long, that today's leads buy like former ones, and
    that orders are as large. Repeat orders are left out. The interval holds both what the curve may be and
    chance in who buys what; of many resamples it is the middle 80 %.
    """
    now = int(at.timestamp() * 10**6)
    met, bought_at = leads["lead_at"].to_numpy(), pc.fill_null(leads["bought_at"], now + 1).to_numpy()
    has = bought_at <= now
    value = np.where(has, pc.fill_null(leads["value_minor"], 0).to_numpy(), 0).astype(float)
    age = np.clip((np.minimum(bought_at, now) - met) // _DAY, 0, LONGEST)
    known = met <= now
    # Who buys after the horizon was open all through it.
    events, censored = (
        np.bincount(age[known & those], minlength=LONGEST + 1).astype(float) for those in (has, ~has)
    )
    curve = kaplan_meier(events, censored)
    rng = np.random.default_rng(seed)
    drawn = _drawn(events, censored, curve.horizon, value[known & has], replicates, rng)
    # Of a wide table only what is needed is copied.
    units = f"units {model}"
    mine = pc.and_(pc.equal(table["goal"], "lead"), period.holds(table["converted_at"]))
    rows = table.select(["account_id", "campaign", units]).filter(mine)
    lead = pc.index_in(rows["account_id"], leads["account_id"].combine_chunks()).to_numpy()
    rows, lead = rows.filter(pa.array(known[lead])), lead[known[lead]]
    campaigns = rows["campaign"].cast(pa.string()).combine_chunks().dictionary_encode()
    names = campaigns.dictionary.to_pylist()
    # The total is one more line, in which each lead counts once.
    everyone = np.flatnonzero(np.bincount(lead))
    line = np.concatenate([campaigns.indices.to_numpy(), np.full(len(everyone), len(names))])
    weight = np.concatenate([rows[units].to_numpy() / UNIT, np.ones(len(everyone))])
    lead = np.concatenate([lead, everyone])
    *found, total = _to_come(line, weight, age[lead], has[lead], value[lead], curve, drawn, rng) or [
        ToCome(0, 0, 0, 0, 0)
    ]
    return Maturity(curve, dict(zip(names, found, strict=True)), total)


def _to_come(
    line: Ints,
    weight: Floats,
    age: Ints,
    has: Bools,
    value: Floats,
    curve: Curve,
    drawn: _Drawn,
    rng: np.random.Generator,
) -> list[ToCome]:
    """Foresee what the leads of each line may still bring; each lead is given with its weight in the line."""
    lines = int(line.max(initial=-1)) + 1
    waiting = ~has & (age <= curve.horizon)
    # Of the few ages there are, those that occur; to sort them would take longer than all the rest.
    days = np.flatnonzero(np.bincount(age[waiting]))
    cell, still = line[waiting] * len(days) + np.searchsorted(days, age[waiting]), drawn.still[days]

    def by_day(weights: Floats) -> Floats:
        return np.bincount(cell, weights, lines * len(days)).astype(float).reshape(lines, len(days))

    once, twice = by_day(weight[waiting]), by_day(weight[waiting] ** 2)
    expected = once @ curve.still()[days] * drawn.average
    center = once @ still * drawn.mean
    spread = twice @ still * drawn.square - twice @ still**2 * drawn.mean**2
    # A sum of a few large orders leans to the right, as a gamma variable does.
    by_chance = (center > 0) & (spread > 0)
    outcomes = center.copy()
    center, spread = center[by_chance], spread[by_chance]
    outcomes[by_chance] = rng.gamma(center**2 / spread, spread / center)
    low, high = np.quantile(outcomes, [0.1, 0.9], axis=1) if outcomes.shape[1] else (expected, expected)
    leads = np.bincount(line, weight, lines)
    so_far = np.bincount(line[has], (weight * value)[has], lines)
    found = np.stack([leads, so_far, expected, low, high], axis=1)
    return [ToCome(*figures) for figures in found.tolist()]
