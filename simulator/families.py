"""Families of mechanisms: how campaigns may work on buyers, tried on a supplier's own market.

Tables of what was tracked do not tell how campaigns work. Each family sets the effects of the same campaigns
by another mechanism, with sizes drawn from a prior, some of them none; what comes without any advertising is
then brought to what is believed, and the number of orders to that of the data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from simulator.chance import normal, uniform_one
from simulator.fitting import scale_needs
from simulator.habits import CALLED
from simulator.market import World
from simulator.parameters import Scenario
from simulator.ranges import MOST_MET
from simulator.runs import Mapper
from simulator.tally import values

Tree = dict[str, Any]

NONE: Final = "no effect"
# Those in which campaigns have an effect.
EFFECTIVE: Final = ("introduction", "last push", "committee", "fading", "unseen work", "step by step")
FAMILIES: Final = (*EFFECTIVE, NONE)
# Standard deviation of the logarithm of a meeting's effect among campaigns. Assumption: one campaign in three
# works more than twice, or less than half, as well as its like.
SIGMA: Final = 0.8
# A dear meeting works better than a cheap one, but less than in proportion. Assumption.
DEARNESS: Final = 0.5
# d of `Campaign.diminishing`: the next euro brings half of what the average one does. Assumption.
DIMINISHING: Final = 1.0
# A campaign whose every second meeting is tracked does little of the work that nobody sees. Assumption.
_UNSEEN: Final = 4.0
_LOWEST, _HIGHEST = -7.0, 5.0
# Tries at most, how near to the share and the orders is near enough, and tries of the needs for each size of
# effects.
_STEPS: Final = 20
_CLOSE: Final = 0.05
_WAITS: Final = 4
# On a logarithmic scale: orders that are too few, and a span of sizes that is widened again.
_SHORT: Final = 0.4
_NARROW: Final = 0.2


@dataclass(frozen=True)
class Believed:
    """A market under one family.

    Attributes
    ----------
    scenario : Scenario
        The market with effects, everyone answered at once.
    anyway : float
        Share of the orders that would come without any advertising, 0 to 1, as reached. It stays
        above what was asked for where campaigns reach too few.
    orders : int
        Orders in the window, as reached in the market tried.
    """

    scenario: Scenario
    anyway: float
    orders: int


def meetings(scenario: Scenario, name: str) -> float:
    """Return how many meetings a campaign has in the window, for each company in the market, about."""
    campaign = scenario.campaigns[name]
    years = scenario.days / 365
    flights = sum(flight.exposures for flight in campaign.flights if 0 <= flight.from_day < scenario.days)
    if campaign.audience == "all":
        return flights + campaign.per_year * years
    (need,) = scenario.needs.values()
    sizes = scenario.market.sizes.values()
    demand = sum(size.share * size.demand for size in sizes) / sum(size.share for size in sizes)
    open_years = need.lifetime_days * math.exp(need.lifetime_sigma**2 / 2) / 365
    return campaign.per_year * need.per_year * demand * years * open_years


def untracked(scenario: Scenario) -> list[str]:
    """Return the campaigns of which nothing is tracked: how many they meet is a guess."""
    return [
        name
        for name, campaign in scenario.campaigns.items()
        if campaign.number == "none" and not campaign.response
    ]


def rates(scenario: Scenario, draw: int) -> Scenario:
    """Draw how many each campaign meets, of whom only the tracked responses were counted.

    Parameters
    ----------
    scenario : Scenario
        The market, as fitted: with so many meetings as would leave the responses counted.
    draw : int
        Which draw; the same for a campaign's name whatever other campaigns there are.

    Returns
    -------
    Scenario
        The market with other numbers of meetings.

    Notes
    -----
    Of n responses counted, the expected number has the posterior Gamma(n + 1/2, 1) of a Poisson count under
    Jeffreys' prior [1]_. Response rates, and meetings of campaigns to which nothing tracked leads, are taken
    as they are assumed.

    References
    ----------
    .. [1] H. Jeffreys, "Theory of Probability", 3rd edition, 1961, section 3.1.
    """
    tree: Tree = scenario.model_dump()
    for name in {*scenario.campaigns} - {*untracked(scenario)}:
        campaign = tree["campaigns"][name]
        share = campaign["response"] * (1 - scenario.observer.cookie_loss) or CALLED
        counted = meetings(scenario, name) * scenario.accounts * share
        if counted:
            shape = counted + 0.5
            lot = float(normal(np.array([uniform_one(draw, 0, f"rate.{name}")]))[0])
            # Wilson and Hilferty's approximation to a gamma quantile.
            factor = shape * max(0.0, 1 - 1 / (9 * shape) + lot / (3 * math.sqrt(shape))) ** 3 / counted
            campaign["per_year"] = min(MOST_MET, campaign["per_year"] * factor)
            for flight in campaign["flights"]:
                flight["exposures"] = min(MOST_MET, flight["exposures"] * factor)
    return Scenario.model_validate(tree)


def sizes(scenario: Scenario, family: str, draw: int, nothing: float) -> dict[str, float]:
    """Draw how strongly a meeting with each campaign works, relative to the others.

    Parameters
    ----------
    scenario : Scenario
        The market, as fitted.
    family : str
        One of `FAMILIES`.
    draw : int
        Which draw; the same for a campaign's name whatever other campaigns there are.
    nothing : float
        Chance that a campaign does nothing, 0 to 1.

    Returns
    -------
    dict of str to float
        0 for a campaign that does nothing; the others scattered around 1.

    Notes
    -----
    The prior: a log-normal with `SIGMA`, around the square root (`DEARNESS`) of what a meeting costs. Credits
    have no part in it: even those of the model that is right in a family say nothing of how strongly a
    meeting works (docs/reliability.md).
    """
    names = list(scenario.campaigns)
    if family == NONE or not names:
        return dict.fromkeys(names, 0.0)
    met = {name: max(1e-6, meetings(scenario, name)) for name in names}
    centre = log_prices(scenario, met)
    found, lots = {}, {}
    for name in names:
        lot = float(normal(np.array([uniform_one(draw, 0, f"size.{family}.{name}")]))[0])
        size = math.exp(centre[name] + SIGMA * lot)
        if family == "unseen work":
            size *= (1 - min(0.99, scenario.campaigns[name].response)) ** _UNSEEN
        lots[name] = uniform_one(draw, 0, f"nothing.{family}.{name}")
        found[name] = size if lots[name] >= nothing else 0.0
        lots[name] += 1e-9 * size
    if not any(found.values()):
        # In a family with an effect at least one campaign has one.
        only = max(names, key=lambda name: lots[name])
        found[only] = math.exp(centre[only])
    return found


def log_prices(scenario: Scenario, met: Mapping[str, float]) -> dict[str, float]:
    """Return how strongly a meeting with each campaign works by what it costs.

    Parameters
    ----------
    scenario : Scenario
        The market, as fitted.
    met : mapping of str to float
        What `meetings` returned for each campaign.

    Returns
    -------
    dict of str to float
        Mean logarithm of the size, 0 on average.
    """
    prices = {}
    for name, campaign in scenario.campaigns.items():
        cost = campaign.variable_minor / 1000 + campaign.fixed_minor / scenario.accounts
        if cost > 0:
            prices[name] = DEARNESS * math.log(cost * scenario.days / 365 / met[name])
    middle = sum(prices.values()) / len(prices) if prices else 0.0
    # Within a factor of four, so that what one guesses of prices does not decide all.
    return {name: max(-1.4, min(1.4, prices.get(name, middle) - middle)) for name in scenario.campaigns}


def applied(
    scenario: Scenario, family: str, strengths: Mapping[str, float], push: float, draw: int = 0
) -> Scenario:
    """Return the market with the effects of a family.

    Parameters
    ----------
    scenario : Scenario
        The market, as fitted.
    family : str
        One of `FAMILIES`.
    strengths : mapping of str to float
        What `sizes` returned.
    push : float
        Logarithm of the effect of an ordinary meeting; as it rises, what comes unprompted falls.
    draw : int, default 0
        Decides which campaigns open and which close, where that matters.

    Returns
    -------
    Scenario
        Everyone is answered and quoted to at once, so that only campaigns matter.
    """
    tree: Tree = scenario.model_dump()
    tree["desk"] |= {"reps": 0, "junk_per_day": 0.0, "customer_calls_per_day": 0.0}
    tree["sales"]["people"] = 0
    if family == NONE:
        return Scenario.model_validate(tree)
    force, left = math.exp(push), 1 / (1 + math.exp(push))
    stages: set[str] = set()
    for name, campaign in tree["campaigns"].items():
        effect = min(100.0, force * strengths[name])
        impulse, lift, half = _mechanism(family, effect, uniform_one(draw, 0, f"role.{name}") < 0.5)
        campaign["impulse"] |= impulse
        campaign["lift"] |= lift
        campaign["half_life_days"] = half
        campaign["diminishing"] = DIMINISHING
        # What no campaign brings must come unprompted: a stage at which none works keeps all of it.
        stages |= {stage for stage, size in (*impulse.items(), *lift.items()) if size > 0}
    for stage in stages:
        tree["organic"][stage] *= left
    return Scenario.model_validate(tree)


def _mechanism(family: str, effect: float, opens: bool) -> tuple[dict[str, float], dict[str, float], float]:
    """Return impulse and lift by stage, and the half-life of the lift in days."""
    if family == "introduction":
        return {"shortlist": effect}, {}, 14.0
    if family == "last push":
        return {"contact": effect}, {}, 14.0
    if family == "committee":
        # Each meeting wins one more of those who must agree, for as long as the decision takes.
        return {}, {"win": effect}, 365.0
    if family == "fading":
        return {}, {"shortlist": effect, "contact": effect}, 30.0
    if family == "unseen work":
        return {"shortlist": effect}, {"win": effect}, 90.0
    return (
        ({"shortlist": effect, "contact": 0.0} if opens else {"shortlist": 0.0, "contact": effect}),
        {},
        14.0,
    )


def solve(
    scenario: Scenario,
    family: str,
    strengths: Mapping[str, float],
    anyway: float,
    orders: int,
    spread: Mapper,
    *,
    accounts: int,
    seed: int,
) -> Believed:
    """Find how strong the effects are under a belief of how much comes without any advertising.

    Parameters
    ----------
    scenario : Scenario
        The market, as fitted.
    family, strengths
        As for `applied`.
    anyway : float
        Share of the orders that is believed to come without any advertising, 0 to 1.
    orders : int
        Orders in the window, in the whole market.
    spread : Mapper
        Where to run it.
    accounts : int
        Companies to try it on; the number of orders is scaled to them.
    seed : int
        Decides the trials, and the roles of `applied`.

    Returns
    -------
    Believed
        The market. Campaigns that reach few cannot bring much: the share may stay above `anyway`.
    """
    target = max(0.5, orders * accounts / scenario.accounts)
    base, best, nearest = scenario, Believed(scenario, 1.0, 0), math.inf
    low, high, push = _LOWEST, _HIGHEST, (_LOWEST + _HIGHEST) / 2
    waited, part, last = 0, 1.0, 0.0
    for _ in range(_STEPS):
        full = applied(base, family, strengths, push, seed)
        came = _orders(full, accounts, seed, spread)
        without = _orders(full.model_copy(update={"campaigns": {}}), accounts, seed, spread)
        share = without / came if came else 1.0
        off = math.log(target / max(came, 0.5))
        # Orders are counted, the share is only believed.
        gap = max(2 * abs(off), abs(share - anyway) if family != NONE else 0.0)
        if gap < nearest:
            best, nearest = Believed(full, share, came), gap
        if gap < _CLOSE:
            break
        # One need more may bring many orders, where they repeat.
        part = part / 2 if off * last < 0 else min(1.0, part * 1.5)
        base, last, waited = _with_orders(base, math.exp(part * off)), off, waited + 1
        if abs(off) < 0.05 + (high - low) / 12 or waited == _WAITS:
            # Where even more needs bring too few orders, campaigns reach too few to bring so many.
            lacks = waited == _WAITS and off > _SHORT
            low, high = (push, high) if share > anyway and not lacks else (low, push)
            if lacks:
                base = scenario
            if high - low < _NARROW:
                # The needs have moved since the ends were found.
                low, high = max(_LOWEST, low - _NARROW), min(_HIGHEST, high + _NARROW)
            push, waited = (low + high) / 2, 0
    return best


def _with_orders(base: Scenario, factor: float) -> Scenario:
    tree: Tree = base.model_dump()
    scale_needs(tree, factor)
    return Scenario.model_validate(tree)


def _orders(scenario: Scenario, accounts: int, seed: int, spread: Mapper) -> int:
    world = World(scenario, accounts, scenario.days, seed)
    return int(values(world, np.ones((1, len(world.campaigns))), spread).window[0, 0])
