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
from reports.kpis import Period, ratio

Floats = npt.NDArray[np.float64]
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
        open_share = 1 - self.bought
        rest = self.bought[-1] - self.bought
        still: Floats = np.divide(rest, open_share, out=np.zeros_like(rest), where=open_share > 0)
        return still


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


def _redrawn(events: Floats, censored: Floats, horizon: int, rng: np.random.Generator) -> Curve:
    # Each lead counting Poisson times, the leads of a day count Poisson times their number.
    return _curve(rng.poisson(events).astype(float), rng.poisson(censored).astype(float), horizon)


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


def still_to_come(
    table: pa.Table, model: str, period: Period, at: datetime, *, replicates: int = 200, seed: int = 0
) -> Maturity:
    """Foresee the first orders that the leads of a period have yet to bring.

    Parameters
    ----------
    table : pyarrow.Table
        From :func:`reports.roi.credited`, holding ``model``.
    model : str
        By which leads are credited to campaigns.
    period : Period
        Leads that came in it count; the delays are learnt from all leads.
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
    # Of a wide table only what is needed is copied.
    units = f"units {model}"
    table = table.select(["goal", "first", "account_id", "converted_at", "value_minor", "campaign", units])
    leads = _one_each(table, "lead", now)
    orders = _one_each(table.filter(table["first"]), "won", now)
    place = pc.index_in(leads["account_id"], orders["account_id"].combine_chunks())
    has = pc.is_valid(place).to_numpy(zero_copy_only=False).astype(bool)
    met = leads["at"].to_numpy()
    bought_at, value = np.full(len(met), now), np.zeros(len(met))
    found = place.drop_null()
    bought_at[has] = orders["at"].to_numpy()[found.to_numpy()]
    value[has] = orders["value_minor"].to_numpy()[found.to_numpy()]
    age = np.clip((bought_at - met) // _DAY, 0, LONGEST).astype(np.int64)
    # Who buys after the horizon was open all through it.
    events = np.bincount(age[has], minlength=LONGEST + 1).astype(float)
    censored = np.bincount(age[~has], minlength=LONGEST + 1).astype(float)
    curve = kaplan_meier(events, censored)
    rng = np.random.default_rng(seed)
    amounts = value[has]
    drawn = [
        (_redrawn(events, censored, curve.horizon, rng).still(), *_moments(amounts, rng))
        for _ in range(replicates)
    ]
    rows = table.filter(pc.equal(table["goal"], "lead"))
    rows = rows.filter(period.holds(rows["converted_at"]))
    mine = pc.index_in(rows["account_id"], leads["account_id"].combine_chunks())
    rows = rows.filter(pc.is_valid(mine))
    mine = mine.drop_null().to_numpy()
    weight = rows[units].to_numpy() / UNIT
    codes = rows["campaign"].combine_chunks()
    names = codes.dictionary.to_pylist() if rows.num_rows else []
    code = codes.indices.to_numpy() if rows.num_rows else np.zeros(0, dtype=int)
    average = float(amounts.mean()) if amounts.size else 0.0
    campaigns = {}
    for i, name in enumerate(names):
        here = code == i
        if here.any():
            campaigns[name] = _to_come(
                weight[here], age[mine[here]], has[mine[here]], value[mine[here]], curve, average, drawn, rng
            )
    accounts, where = np.unique(mine, return_index=True)
    ones = np.ones(len(where))
    total = _to_come(ones, age[accounts], has[accounts], value[accounts], curve, average, drawn, rng)
    return Maturity(curve, campaigns, total)


def _one_each(table: pa.Table, goal: str, now: int) -> pa.Table:
    """Return one row per account that reached the goal by now."""
    chosen = table.filter(pc.equal(table["goal"], goal)).select(["account_id", "converted_at", "value_minor"])
    at = chosen["converted_at"].cast(pa.int64())
    chosen = chosen.append_column("at", at).filter(pc.less_equal(at, now))
    grouped = chosen.group_by("account_id").aggregate([("at", "min"), ("value_minor", "max")])
    return grouped.rename_columns(["account_id", "at", "value_minor"])


def _moments(amounts: Floats, rng: np.random.Generator) -> tuple[float, float]:
    """Return mean and mean square of the amounts in a resample."""
    if not amounts.size:
        return 0.0, 0.0
    # Of very many amounts a part is enough: its mean varies little, and if anything a little too much.
    picked = rng.choice(amounts, min(amounts.size, _EXACT))
    return float(picked.mean()), float((picked**2).mean())


def _to_come(
    weight: Floats,
    age: npt.NDArray[np.int64],
    has: npt.NDArray[np.bool_],
    value: Floats,
    curve: Curve,
    average: float,
    drawn: list[tuple[Floats, float, float]],
    rng: np.random.Generator,
) -> ToCome:
    so_far = float((weight * value)[has].sum())
    waiting = ~has & (age <= curve.horizon)
    days = age[waiting]
    once = np.bincount(days, weights=weight[waiting], minlength=curve.horizon + 1)
    twice = np.bincount(days, weights=weight[waiting] ** 2, minlength=curve.horizon + 1)
    expected = float(once @ curve.still()) * average
    outcomes = np.zeros(len(drawn))
    for r, (still, mean, square) in enumerate(drawn):
        center = float(once @ still) * mean
        spread = float(twice @ still) * square - float(twice @ still**2) * mean**2
        # A sum of a few large orders leans to the right, as a gamma variable does.
        if center > 0 and spread > 0:
            outcomes[r] = rng.gamma(center**2 / spread, spread / center)
        else:
            outcomes[r] = center
    low, high = np.quantile(outcomes, [0.1, 0.9]) if len(outcomes) else (expected, expected)
    return ToCome(float(weight.sum()), so_far, expected, float(low), float(high))
