"""Fitting a scenario to one's own journey tables by simulated moments.

The market is simulated again and again with other parameters until its tables show the same figures as the
real ones. Because every draw is keyed, the same accidents recur in each trial and the figures move smoothly
with the parameters.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.chance import Floats
from simulator.least_squares import least_squares, precision
from simulator.market import World
from simulator.moments import FITTED, HELD_OUT, compute
from simulator.parameters import Scenario
from simulator.runs import Mapper
from simulator.write import tables

# A parameter whose standard error is larger than this, on the scale it is fitted on, is called unidentified:
# on the logarithmic scale it may then as well be half as large or twice.
UNIDENTIFIED: Final = 0.5
# Step for the numerical derivatives: large enough to be seen through the accidents of a finite
# market.
_STEP: Final = 0.25
_WEIGHING: Final = 6
# Shifts on the logarithmic scale stay within a factor of 12.
_LIMIT: Final = 2.5

Tree = dict[str, Any]


def _logit(share: float) -> float:
    share = min(max(share, 1e-3), 1 - 1e-3)
    return math.log(share / (1 - share))


def _share(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def _each_need(key: str, change: Callable[[float], float]) -> Callable[[Tree], None]:
    def apply(tree: Tree) -> None:
        for need in tree["needs"].values():
            need[key] = change(need[key])

    return apply


def _asked(value: float) -> Callable[[Tree], None]:
    def apply(tree: Tree) -> None:
        answers = tree["observer"]["answers"]
        answers["asked"] = _share(_logit(answers["asked"]) + value)

    return apply


def _phone(value: float) -> Callable[[Tree], None]:
    def apply(tree: Tree) -> None:
        contact = tree["contact"]
        before = contact["phone"]
        after = _share(_logit(before) + value)
        # The other ways of contact give or take in proportion.
        for other in ("form", "message"):
            contact[other] *= (1 - after) / max(1e-9, 1 - before)
        contact["phone"] = after

    return apply


def _desk(key: str) -> Callable[[float], Callable[[Tree], None]]:
    def change(value: float) -> Callable[[Tree], None]:
        def apply(tree: Tree) -> None:
            tree["desk"][key] *= math.exp(value)

        return apply

    return change


def _responses(value: float) -> Callable[[Tree], None]:
    def apply(tree: Tree) -> None:
        for campaign in tree["campaigns"].values():
            campaign["response"] = min(1.0, campaign["response"] * math.exp(value))
        tree["observer"]["organic_visits"] *= math.exp(value)

    return apply


# What is fitted: each a shift from the base scenario, on the logarithmic or logistic scale, 0 = as it stands
# there.
PARAMETERS: Final[dict[str, tuple[str, Callable[[float], Callable[[Tree], None]]]]] = {
    "asked": ("observer.answers.asked, logistic shift", _asked),
    "phone": ("contact.phone, logistic shift", _phone),
    "responses": ("campaigns.*.response and observer.organic_visits, factor exp(x)", _responses),
    "qualify": (
        "needs.*.qualify_rate, logistic shift",
        lambda x: _each_need("qualify_rate", lambda share: _share(_logit(share) + x)),
    ),
    "decision": (
        "needs.*.decision_days, factor exp(x)",
        lambda x: _each_need("decision_days", lambda d: d * math.exp(x)),
    ),
    "lifetime": (
        "needs.*.lifetime_days, factor exp(x)",
        lambda x: _each_need("lifetime_days", lambda d: d * math.exp(x)),
    ),
    "talk": ("desk.talk_s, factor exp(x)", _desk("talk_s")),
    "customers": ("desk.customer_calls_per_day, factor exp(x)", _desk("customer_calls_per_day")),
}
# Said in every report, because no fit to what was tracked can tell them from each other.
NEVER_IDENTIFIED: Final = (
    "the effects of campaigns (impulse, lift, value_lift) and organic demand: tables of what was tracked show"
    " who met what, not what would have happened otherwise; these values stay as in the base scenario",
    "the number of companies in the market: companies never seen are in no table",
)


@dataclass(frozen=True)
class Fit:
    """A fitted scenario and how far to trust it.

    Attributes
    ----------
    scenario : Scenario
        The base scenario with the fitted values.
    estimates : dict of str to (float, float)
        Per parameter the shift from the base scenario and its standard error.
    unidentified : list of str
        Parameters the tables say too little about.
    tied : list of (str, str)
        Pairs of parameters that the tables cannot tell from each other.
    fitted, held_out : dict of str to (float, float, float)
        Per figure: in the data, in the fitted simulation, and their difference in standard errors.
    runs : int
        Markets simulated.
    """

    scenario: Scenario
    estimates: dict[str, tuple[float, float]]
    unidentified: list[str]
    tied: list[tuple[str, str]]
    fitted: dict[str, tuple[float, float, float]]
    held_out: dict[str, tuple[float, float, float]]
    runs: int


def shifted(base: Scenario, shifts: Mapping[str, float]) -> Scenario:
    """Return the base scenario with parameters shifted.

    Parameters
    ----------
    base : Scenario
        Where to start.
    shifts : mapping of str to float
        Shift per name in `PARAMETERS`, on its own scale; 0 leaves it as it is.

    Returns
    -------
    Scenario
        Checked anew.

    Examples
    --------
    >>> from simulator.scenario import load
    >>> shifted(load("supplier"), {"talk": 0.0}).desk.talk_s
    180.0
    """
    tree: Tree = base.model_dump()
    for name, value in shifts.items():
        PARAMETERS[name][1](float(value))(tree)
    return Scenario.model_validate(tree)


def fit(
    data: Mapping[str, pa.Table],
    base: Scenario,
    spread: Mapper,
    *,
    accounts: int = 1000,
    seed: int = 0,
    trials: int = 12,
) -> Fit:
    """Fit a scenario to journey tables.

    Parameters
    ----------
    data : mapping of str to pyarrow.Table
        ``touches``, ``conversions``, ``answers`` and ``calls`` of the journey contract. The window is from
        the first to the last conversion.
    base : Scenario
        Where to start and what to keep of all that is not fitted.
    spread : Mapper
        Where to run it.
    accounts : int, default 1000
        Companies simulated per trial.
    seed : int, default 0
        Decides all trials alike.
    trials : int, default 12
        Steps of the optimiser at most, each with one run per parameter besides.

    Returns
    -------
    Fit
        The scenario, the estimates with standard errors, and the figures fitted and held out.

    Raises
    ------
    ValueError
        If the tables hold no conversions, or too little to compute a figure that is fitted.

    Notes
    -----
    Differences between data and simulation are weighed by how much each figure varies between markets of the
    simulated size. Standard errors describe that noise, not the error of the model itself; a held-out
    difference beyond about 3 says that the model does not describe the data.

    References
    ----------
    .. [1] D. McFadden, "A method of simulated moments", Econometrica 57, 1989.
    """
    target, start, days = _target(data, base)
    trial = _Trial(start, days, accounts, spread)
    noise = _noise(trial, seed)
    names = list(PARAMETERS)

    def residuals(values: Floats) -> Floats:
        seen = trial.simulate(dict(zip(names, values, strict=True)), seed)
        gaps = [(seen[name] - target[name]) / noise[name] for name in FITTED]
        # Where the simulation shows nothing to compute a figure from, it is as far off as can be.
        return np.asarray(np.nan_to_num(np.array(gaps), nan=50.0), dtype=np.float64)

    def slopes(values: Floats, here: Floats) -> Floats:
        steps = _STEP * np.eye(len(names))
        return np.column_stack([(residuals(values + step) - here) / _STEP for step in steps])

    best, jacobian = least_squares(residuals, slopes, np.zeros(len(names)), limit=_LIMIT, trials=trials)
    values = dict(zip(names, map(float, best), strict=True))
    errors, ties = precision(jacobian, names)
    final = trial.simulate(values, seed)

    def compared(group: Mapping[str, object]) -> dict[str, tuple[float, float, float]]:
        return {
            name: (target[name], final[name], (final[name] - target[name]) / noise[name]) for name in group
        }

    return Fit(
        scenario=shifted(start, values).model_copy(update={"name": "calibrated", "days": days}),
        estimates={name: (values[name], errors[name]) for name in names},
        unidentified=[name for name in names if errors[name] > UNIDENTIFIED],
        tied=ties,
        fitted=compared(FITTED),
        held_out=compared(HELD_OUT),
        runs=trial.runs,
    )


def _target(data: Mapping[str, pa.Table], base: Scenario) -> tuple[dict[str, float], Scenario, int]:
    """Return the figures of the tables, and the base scenario and number of days to simulate them with."""
    when = data["conversions"]["converted_at"]
    if len(when) == 0:
        raise ValueError("conversions is empty: there is nothing to fit to")
    span = pc.min_max(when).as_py()
    days = max(30, (span["max"] - span["min"]).days + 1)
    target = compute(data, span["min"], span["max"] + dt.timedelta(seconds=1))
    if missing := [name for name in FITTED if not math.isfinite(target[name])]:
        raise ValueError(f"the tables hold too little to compute {', '.join(missing)}")
    return target, base.model_copy(update={"start": span["min"].date()}), days


@dataclass
class _Trial:
    """Markets simulated for a fit, counted."""

    start: Scenario
    days: int
    accounts: int
    spread: Mapper
    runs: int = 0

    def simulate(self, shifts: Mapping[str, float], number: int) -> dict[str, float]:
        """Return the figures of a market with parameters shifted, under a seed."""
        self.runs += 1
        world = World(shifted(self.start, shifts), self.accounts, self.days, number)
        begin = dt.datetime.combine(self.start.start, dt.time(), dt.UTC)
        return compute(tables(world, self.spread), begin, begin + dt.timedelta(days=self.days))


def _noise(trial: _Trial, seed: int) -> dict[str, float]:
    """Return per figure how far data and simulation differ by chance alone."""
    draws = [trial.simulate({}, seed + 1 + number) for number in range(_WEIGHING)]
    # The data are one market and the simulation another: their difference varies as two do.
    return {
        name: math.sqrt(2) * max(1e-4, float(np.nanstd([draw[name] for draw in draws], ddof=1)))
        for name in {**FITTED, **HELD_OUT}
    }


def as_toml(found: Fit) -> str:
    """Write a fitted scenario as TOML, with what was fitted said at the top.

    Parameters
    ----------
    found : Fit
        What `fit` returned.

    Returns
    -------
    str
        A whole scenario, good for `simulator.scenario.load`.
    """
    lines = [
        "# Fitted to journey tables by simulated moments; all other values are those of the base scenario.",
        "#",
    ]
    for name, (shift, error) in found.estimates.items():
        doubt = "  NOT IDENTIFIED by these tables" if name in found.unidentified else ""
        lines.append(f"# {PARAMETERS[name][0]}: {shift:+.3f}, standard error {error:.3f}{doubt}")
    lines += [f"# Cannot be identified: {text}." for text in NEVER_IDENTIFIED]
    return "\n".join(lines) + "\n\n" + _toml(found.scenario.model_dump(mode="python"), "")


def _toml(table: Mapping[str, Any], path: str) -> str:
    lines, below = [], []
    for key, value in table.items():
        if isinstance(value, Mapping):
            place = f"{path}.{_key(key)}" if path else _key(key)
            below.append(f"\n[{place}]\n{_toml(value, place)}")
        elif value is not None:
            lines.append(f"{_key(key)} = {_value(value)}\n")
    return "".join(lines + below)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)


def _value(value: object) -> str:
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, list):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(str(k))} = {_value(v)}" for k, v in value.items()) + " }"
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
