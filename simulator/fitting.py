"""Fitting the rest of a market built from one's own tables, by simulated moments.

The market is simulated again and again with other values until its tables show the same figures as the real
ones. Because every draw is keyed, the same accidents recur in each trial and the figures move smoothly with
the values. The number of companies is that of the market, so that chance in the simulation is as large as
chance in the data.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from simulator.chance import Floats
from simulator.least_squares import least_squares, precision
from simulator.market import World
from simulator.moments import FITTED, HELD_OUT, compute
from simulator.own import Origin, Own, Tree, build, completed, with_scenario
from simulator.parameters import Scenario
from simulator.ranges import MOST_MET
from simulator.runs import Mapper
from simulator.write import tables

# A value whose standard error is larger than this, on the scale it is fitted on, is called unidentified: on
# the logarithmic scale it may then as well be half as large or twice.
UNIDENTIFIED: Final = 0.5
# Told in every report instead of a standard error as wide as the range in which a value is sought.
UNTOLD: Final = "cannot be told from these tables"
# A figure farther off than so many standard errors is one that the market does not describe.
POOR: Final = 3.0
# Companies simulated at most in a trial; a larger market is fitted on a part of it.
MOST: Final = 5_000
# Step for the numerical derivatives: large enough to be seen through the accidents of a finite market.
_STEP: Final = 0.25
_WEIGHING: Final = 6
# Orders come in whole numbers and by chance, so that the rate of needs is set in several steps.
_CORRECTIONS: Final = 6
# Shifts on the logarithmic scale stay within a factor of 12.
_LIMIT: Final = 2.5


def _logit(share: float) -> float:
    share = min(max(share, 1e-3), 1 - 1e-3)
    return math.log(share / (1 - share))


def _shifted_share(share: float, value: float) -> float:
    # What is certain, or never, stays so: on this scale it has no place.
    return share if value == 0.0 or share in (0.0, 1.0) else 1 / (1 + math.exp(-_logit(share) - value))


def _need(tree: Tree) -> Tree:
    (need,) = tree["needs"].values()
    found: Tree = need
    return found


def _scale_searches(tree: Tree, factor: float) -> None:
    """Keep the number of meetings of searchers as it is in the data when needs grow by a factor."""
    for campaign in tree["campaigns"].values():
        if campaign["audience"] == "researching":
            campaign["per_year"] = min(MOST_MET, campaign["per_year"] / factor)
    visits = tree["observer"]["organic_visits"]
    tree["observer"]["organic_visits"] = min(50.0, visits / factor)


def scale_needs(tree: Tree, factor: float) -> None:
    """Let so many times as many needs arise, with as many meetings and visits in all as before."""
    need = _need(tree)
    before = need["per_year"]
    need["per_year"] = min(50.0, before * factor)
    if before:
        _scale_searches(tree, need["per_year"] / before)


def _phone(tree: Tree, value: float) -> None:
    contact = tree["contact"]
    before = contact["phone"]
    after = _shifted_share(before, value)
    # The other ways of contact give or take in proportion.
    for other in ("form", "message"):
        contact[other] *= (1 - after) / max(1e-9, 1 - before)
    contact["phone"] = after


def _customers(tree: Tree, value: float) -> None:
    tree["desk"]["customer_calls_per_day"] *= math.exp(value)


def _qualify(tree: Tree, value: float) -> None:
    need = _need(tree)
    need["qualify_rate"] = _shifted_share(need["qualify_rate"], value)


def _decision(tree: Tree, value: float) -> None:
    _need(tree)["decision_days"] *= math.exp(value)


def _lifetime(tree: Tree, value: float) -> None:
    need = _need(tree)
    need["lifetime_days"] *= math.exp(value)
    for campaign in tree["campaigns"].values():
        # Searches are counted per year of open need; their number is that of the data.
        if campaign["audience"] == "researching":
            campaign["per_year"] = min(MOST_MET, campaign["per_year"] / math.exp(value))


def _repeat(tree: Tree, value: float) -> None:
    need = _need(tree)
    need["repeat_per_year"] = min(50.0, need["repeat_per_year"] * math.exp(value))


# What is fitted, each a shift from the market as built, 0 = as it stands there: which value and on what
# scale, the figures that must be known for it, and what it changes.
PARAMETERS: Final[dict[str, tuple[str, tuple[str, ...], Callable[[Tree, float], None]]]] = {
    "needs": (
        "needs.order.per_year, factor exp(x)",
        ("orders",),
        lambda tree, x: scale_needs(tree, math.exp(x)),
    ),
    "phone": ("contact.phone, logistic shift", ("phone_share",), _phone),
    "qualify": ("needs.order.qualify_rate, logistic shift", ("qualified_rate",), _qualify),
    "decision": ("needs.order.decision_days, factor exp(x)", ("cycle_median", "won_rate"), _decision),
    "lifetime": ("needs.order.lifetime_days, factor exp(x)", ("cycle_median", "won_rate"), _lifetime),
    "repeat": ("needs.order.repeat_per_year, factor exp(x)", ("repeat_share",), _repeat),
    "customers": ("desk.customer_calls_per_day, factor exp(x)", ("calls_per_account",), _customers),
}


@dataclass(frozen=True)
class Fit:
    """A fitted market and how far to trust it.

    Attributes
    ----------
    own : Own
        The market with the fitted values, and where each comes from.
    estimates : dict of str to (float, float or None)
        Per fitted value the shift from the market as built and its standard error. None where these tables
        cannot tell it: the error is wider than the range of a shift, or the shift at its end.
    left_out : list of str
        Values that were not fitted, because the tables hold no figure that would tell.
    unidentified : list of str
        Fitted values that the tables say too little about; they are as good as assumed.
    tied : list of (str, str)
        Pairs of values that the tables cannot tell from each other.
    fitted, held_out : dict of str to (float, float, float)
        Per figure: in the data, in the fitted simulation, and their difference in standard errors.
    runs : int
        Markets simulated.
    """

    own: Own
    estimates: dict[str, tuple[float, float | None]]
    left_out: list[str]
    unidentified: list[str]
    tied: list[tuple[str, str]]
    fitted: dict[str, tuple[float, float, float]]
    held_out: dict[str, tuple[float, float, float]]
    runs: int

    @property
    def scenario(self) -> Scenario:
        """The market with the fitted values."""
        return self.own.scenario


def shifted(base: Scenario, shifts: Mapping[str, float]) -> Scenario:
    """Return a market with values shifted.

    Parameters
    ----------
    base : Scenario
        Where to start; of one kind of need.
    shifts : mapping of str to float
        Shift per name in `PARAMETERS`, on its own scale; 0 leaves it as it is.

    Returns
    -------
    Scenario
        Checked anew.
    """
    tree: Tree = base.model_dump()
    for name, value in shifts.items():
        PARAMETERS[name][2](tree, float(value))
    return Scenario.model_validate(tree)


def fit(
    data: Mapping[str, pa.Table],
    spread: Mapper,
    *,
    accounts: int | None = None,
    base: Scenario | None = None,
    seed: int = 0,
    trials: int = 6,
) -> Fit:
    """Build a market from journey tables and fit what they tell of the rest.

    Parameters
    ----------
    data : mapping of str to pyarrow.Table
        As for `simulator.own.build`.
    spread : Mapper
        Where to run it.
    accounts : int, optional
        Companies in the market, as for `simulator.own.build`.
    base : Scenario, optional
        As for `simulator.own.build`.
    seed : int, default 0
        Decides all trials alike.
    trials : int, default 6
        Steps of the optimiser at most, each with one run per value besides.

    Returns
    -------
    Fit
        The market, the estimates with standard errors, and the figures fitted and held out.

    Raises
    ------
    ValueError
        If the tables hold no order.

    Notes
    -----
    Differences between data and simulation are weighed by how much each figure varies between markets of the
    simulated size. Standard errors describe that noise, not the error of the model itself; a held-out
    difference beyond about 3 says that the model does not describe the data. Last, the rate of needs is set
    so that the simulated number of orders is that of the data.

    References
    ----------
    .. [1] D. McFadden, "A method of simulated moments", Econometrica 57, 1989.
    """
    own = build(data, accounts=accounts, base=base)
    lab = _Laboratory(own.scenario, spread, seed)
    target = lab.compute(completed(data), own.first)
    known = [name for name in FITTED if math.isfinite(target[name])]
    names = [name for name, (_, needed, _) in PARAMETERS.items() if all(each in known for each in needed)]
    if not own.scenario.desk.reps and "customers" in names:
        names.remove("customers")
    # Near the data first, so that chance is measured in a market of about their size.
    close = lab.near(target["orders"])
    noise = lab.noise(close)

    def residuals(values: Floats) -> Floats:
        seen = lab.simulate(close | dict(zip(names, values, strict=True)))
        gaps = [(seen[name] - target[name]) / noise[name] for name in known]
        # Where the simulation shows nothing to compute a figure from, it is as far off as can be.
        return np.asarray(np.nan_to_num(np.array(gaps), nan=50.0), dtype=np.float64)

    def slopes(values: Floats, here: Floats) -> Floats:
        steps = _STEP * np.eye(len(names))
        return np.column_stack([(residuals(values + step) - here) / _STEP for step in steps])

    start = np.array([close.get(name, 0.0) for name in names])
    best, jacobian = least_squares(residuals, slopes, start, limit=_LIMIT, trials=trials)
    values = dict(zip(names, map(float, best), strict=True))
    found, ties = precision(jacobian, names)
    errors = {
        name: found[name] if found[name] < _LIMIT and abs(values[name]) < _LIMIT else None for name in names
    }
    values, final = lab.with_orders(values, target["orders"])

    unidentified = [name for name, error in errors.items() if error is None or error > UNIDENTIFIED]
    return Fit(
        own=with_scenario(own, shifted(own.scenario, values), _origins(values, errors)),
        estimates={name: (values[name], errors[name]) for name in names},
        left_out=[name for name in PARAMETERS if name not in names],
        unidentified=unidentified,
        tied=ties,
        fitted=_compared(FITTED, target, final, noise),
        held_out=_compared(HELD_OUT, target, final, noise),
        runs=lab.runs,
    )


def describe(
    data: Mapping[str, pa.Table], scenario: Scenario, spread: Mapper, *, seed: int = 0
) -> dict[str, tuple[float, float, float]]:
    """Compare a market with the tables that it is to describe.

    Parameters
    ----------
    data : mapping of str to pyarrow.Table
        As for `fit`.
    scenario : Scenario
        The market.
    spread : Mapper
        Where to run it.
    seed : int, default 0
        Decides the markets simulated.

    Returns
    -------
    dict of str to (float, float, float)
        As `Fit.fitted` and `Fit.held_out`, together.
    """
    lab = _Laboratory(scenario, spread, seed)
    begin = dt.datetime.combine(scenario.start, dt.time(), dt.UTC)
    target = lab.compute(completed(data), begin)
    return _compared({**FITTED, **HELD_OUT}, target, lab.simulate({}), lab.noise({}))


def poor(figures: Mapping[str, tuple[float | None, float | None, float | None]]) -> list[str]:
    """Name the figures in which a market does not describe the data.

    Parameters
    ----------
    figures : mapping of str to (float, float, float)
        In the data, in the simulation, and their difference in standard errors; None for what is not known.

    Returns
    -------
    list of str
        Those farther off than `POOR` standard errors, or that the simulation does not show at all.

    Examples
    --------
    >>> poor({"won_rate": (0.2, 0.5, 4.1), "orders": (4.0, 4.1, 0.3), "repeat_share": (0.3, None, None)})
    ['won_rate', 'repeat_share']
    """
    found = []
    for name, (here, _, off) in figures.items():
        known = off is not None and math.isfinite(off)
        if here is not None and (not known or abs(off or 0.0) > POOR):
            found.append(name)
    return found


def _compared(
    group: Mapping[str, object],
    target: Mapping[str, float],
    final: Mapping[str, float],
    noise: Mapping[str, float],
) -> dict[str, tuple[float, float, float]]:
    return {
        name: (target[name], final[name], (final[name] - target[name]) / noise[name])
        for name in group
        if math.isfinite(target[name])
    }


class _Laboratory:
    """Simulates the market with shifted values and computes its figures."""

    def __init__(self, scenario: Scenario, spread: Mapper, seed: int) -> None:
        self._scenario, self._spread, self._seed = scenario, spread, seed
        self._accounts = min(MOST, scenario.accounts)
        self.runs = 0

    def compute(self, data: Mapping[str, pa.Table], begin: dt.datetime) -> dict[str, float]:
        return compute(data, begin, begin + dt.timedelta(days=self._scenario.days))

    def simulate(self, shifts: Mapping[str, float], number: int | None = None) -> dict[str, float]:
        self.runs += 1
        seed = self._seed if number is None else number
        scenario = shifted(self._scenario, shifts)
        world = World(scenario, self._accounts, scenario.days, seed)
        begin = dt.datetime.combine(scenario.start, dt.time(), dt.UTC)
        found = self.compute(tables(world, self._spread), begin)
        found["orders"] += math.log(self._scenario.accounts / self._accounts)
        return found

    def near(self, orders: float) -> dict[str, float]:
        """Return a shift of the needs under which about as many orders come as in the data."""
        value = 0.0
        for _ in range(2):
            seen = self.simulate({"needs": value})["orders"]
            value = float(np.clip(value + (orders - seen if math.isfinite(seen) else 1.0), -2.0, 2.0))
        return {"needs": value}

    def with_orders(
        self, values: dict[str, float], orders: float
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Return the values with needs under which as many orders come as in the data, and the figures."""
        best, part = (values, self.simulate(values)), 1.0
        for _ in range(_CORRECTIONS):
            tried, seen = best
            gap = orders - seen["orders"]
            if gap == 0.0 or not math.isfinite(gap) or "needs" not in tried:
                break
            further = tried | {"needs": tried["needs"] + part * gap}
            found = self.simulate(further)
            if abs(orders - found["orders"]) < abs(gap):
                best = further, found
            else:
                # One need more may bring many orders, where they repeat.
                part /= 2
        return best

    def noise(self, shifts: Mapping[str, float]) -> dict[str, float]:
        draws = [self.simulate(shifts, self._seed + 1 + number) for number in range(_WEIGHING)]
        # The data are one market and the simulation another: their difference varies as two do.
        return {
            name: math.sqrt(2) * max(1e-3, _spread_of([draw[name] for draw in draws]))
            for name in {**FITTED, **HELD_OUT}
        }


def _spread_of(values: list[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.std(finite, ddof=1)) if len(finite) > 1 else 1.0


def _origins(
    values: Mapping[str, float], errors: Mapping[str, float | None]
) -> dict[str, tuple[Origin, str]]:
    """Say of each value that was fitted where it comes from."""
    said: dict[str, tuple[Origin, str]] = {}
    for name, shift in values.items():
        key = PARAMETERS[name][0].split(",")[0]
        if (error := errors[name]) is None:
            told = f"; {UNTOLD}"
        else:
            doubt = "; the tables say too little about it" if error > UNIDENTIFIED else ""
            told = f", standard error {error:.2f}{doubt}"
        said[key] = ("fitted", f"shift {shift:+.2f}{told}")
    return said
