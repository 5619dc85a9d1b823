"""Hold-outs: advertising that is not met for some days, everywhere or in some regions, and its effect.

A market with a hold-out and the same market without it share all chance, so that the difference between them
is the effect of what was held out, company by company.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from simulator.chance import Flags, Floats, Integers
from simulator.parameters import Campaign, Flight, Pause, Scenario, ScenarioError
from simulator.world import DAY, WEEK, World

if TYPE_CHECKING:
    from simulator.runs import Job, Mapper

_WEEK_DAYS: Final = 7
_YEAR: Final = 365


@dataclass(frozen=True)
class HoldOut:
    """Advertising that nobody meets for a while; what was met before goes on to have its effect.

    Attributes
    ----------
    campaign : str or None
        The name of a campaign of the scenario; None: all of them.
    from_day, to_day : int
        First day, and first day no longer held out, counted from the start of the window.
    regions : frozenset of str
        Where; empty: everywhere.
    """

    campaign: str | None
    from_day: int
    to_day: int
    regions: frozenset[str] = frozenset()

    def within(self, scenario: Scenario) -> Scenario:
        """Return the scenario with this held out and all else the same."""
        names = list(scenario.campaigns) if self.campaign is None else [self.campaign]
        pause = Pause(from_day=self.from_day, to_day=self.to_day, regions=sorted(self.regions))
        return _paused(scenario, names, pause)

    def among(self, names: Sequence[str], region: Integers) -> Flags:
        """Return which companies it concerns.

        Parameters
        ----------
        names : sequence of str
            The regions of the scenario.
        region : ndarray of int64
            Position in `names`, per company.

        Returns
        -------
        ndarray of bool
            True where the company's region is held out.
        """
        held = np.array([not self.regions or name in self.regions for name in names])
        return np.asarray(held[region])


@dataclass(frozen=True)
class HeldOut:
    """Leads by week with a hold-out, and how many of them it cost.

    Attributes
    ----------
    place : ndarray of int64, shape (N,)
        Number of the week; 0 is the first one of the hold-out.
    paused, other : ndarray of float64, shape (N,)
        Leads from where the campaign is held out, and from elsewhere.
    lost : ndarray of float64, shape (N,)
        Leads that came there in the same market without the hold-out, less those that came with it.
    """

    place: Integers
    paused: Floats
    other: Floats
    lost: Floats


def hold_out(world: World, held: HoldOut, spread: Mapper) -> HeldOut:
    """Run a market with a hold-out and without it, and count leads by week.

    Parameters
    ----------
    world : World
        What to run; its window holds the hold-out.
    held : HoldOut
        What is held out.
    spread : Mapper
        Where to run it.

    Returns
    -------
    HeldOut
        For all whole weeks of the window, counted from the first day of the hold-out.

    Raises
    ------
    ValueError
        If the scenario has no such campaign or region, or the days lie outside the window.

    Notes
    -----
    A lead is an enquiry that was taken up.
    """
    _check(world, held)
    paused = replace(world, scenario=held.within(world.scenario))
    with_it, plain = (_by_week(each, held, spread) for each in (paused, world))
    first, last = -(held.from_day // 7), (world.days - held.from_day) // 7
    place = np.arange(first, last, dtype=np.int64)
    return HeldOut(place, with_it[0], with_it[1], plain[0] - with_it[0])


def every_year(scenario: Scenario, days: int) -> Scenario:
    """Return a scenario whose fairs and mailings come back every year.

    Parameters
    ----------
    scenario : Scenario
        Any; its flights of the first year of the window are taken as those of each year.
    days : int
        Length of the window, 1 or more.

    Returns
    -------
    Scenario
        The same, with further flights in the years after the first. Shipped scenarios name those of one
        year, so that longer ones would lose their fairs on the way, which looks like a trend.
    """
    campaigns = {
        name: campaign.model_copy(update={"flights": _repeated(campaign.flights, days)})
        for name, campaign in scenario.campaigns.items()
    }
    return scenario.model_copy(update={"campaigns": campaigns})


def _repeated(flights: Sequence[Flight], days: int) -> list[Flight]:
    more = [
        flight.model_copy(update={"from_day": flight.from_day + year, "to_day": flight.to_day + year})
        for year in range(_YEAR, days, _YEAR)
        for flight in flights
        if 0 <= flight.from_day < _YEAR and flight.from_day + year < days
    ]
    return [*flights, *more]


def without(
    scenario: Scenario, campaign: str, regions: Sequence[str], from_week: int, to_week: int
) -> Scenario:
    """Return the scenario with a campaign off in some regions for some weeks.

    Parameters
    ----------
    scenario : Scenario
        The market.
    campaign : str
        Name of the campaign.
    regions : sequence of str
        Names out of ``scenario.market.regions``; empty = everywhere.
    from_week, to_week : int
        First week, counted from 0 at the start of the window, and the week before which it runs again.

    Returns
    -------
    Scenario
        The same market in all else: needs, other campaigns and all chance, so that two runs with one seed
        differ by the pause alone. Its variable cost falls with it, see `simulator.truth.spend_minor`.

    Raises
    ------
    ScenarioError
        If there is no such campaign or region, or the weeks run backwards.

    Examples
    --------
    >>> from simulator.scenario import load
    >>> held = without(load("supplier"), "email", ["north"], 10, 18)
    >>> held.campaigns["email"].pauses[0].to_day
    126.0
    """
    if campaign not in scenario.campaigns:
        raise ScenarioError(f"no campaign {campaign!r}: choose one of {', '.join(scenario.campaigns)}")
    if unknown := set(regions) - set(scenario.market.regions):
        raise ScenarioError(f"no region {sorted(unknown)}: choose among {', '.join(scenario.market.regions)}")
    if to_week <= from_week:
        raise ScenarioError(f"to_week {to_week} must be later than from_week {from_week}")
    first, last = from_week * _WEEK_DAYS, to_week * _WEEK_DAYS
    return _paused(scenario, [campaign], Pause(from_day=first, to_day=last, regions=list(regions)))


def _paused(scenario: Scenario, names: Sequence[str], pause: Pause) -> Scenario:
    held = {name: scenario.campaigns[name] for name in names}
    off = {name: each.model_copy(update={"pauses": [*each.pauses, pause]}) for name, each in held.items()}
    return scenario.model_copy(update={"campaigns": scenario.campaigns | off})


def running_share(world: World, campaign: Campaign) -> float:
    """Return what share of a campaign's variable cost in the window its pauses leave, 0 to 1.

    Parameters
    ----------
    world : World
        Window and regions.
    campaign : Campaign
        Schedule, regions and pauses.

    Returns
    -------
    float
        Expected meetings outside the pauses over those without any pause, day by day and region by region.
    """
    if not campaign.pauses:
        return 1.0
    day = np.arange(world.days) + 0.5
    each_day = np.full(world.days, campaign.per_year / 365.0)
    for flight in campaign.flights:
        each_day += (
            flight.exposures
            / (flight.to_day - flight.from_day)
            * ((day >= flight.from_day) & (day < flight.to_day))
        )
    left = whole = 0.0
    for region, companies in world.scenario.market.regions.items():
        runs = np.ones(world.days, dtype=bool)
        for pause in campaign.pauses:
            if not pause.regions or region in pause.regions:
                runs &= ~((day >= pause.from_day) & (day < pause.to_day))
        weight = companies * campaign.regions.get(region, 1.0)
        left += weight * float(each_day[runs].sum())
        whole += weight * float(each_day.sum())
    return left / whole if whole else 1.0


def _check(world: World, held: HoldOut) -> None:
    scenario = world.scenario
    if held.campaign is not None and held.campaign not in scenario.campaigns:
        known = ", ".join(scenario.campaigns)
        raise ValueError(
            f"campaign {held.campaign!r} is not in scenario {scenario.name}; use one of: {known}"
        )
    if unknown := sorted(held.regions - set(scenario.market.regions)):
        known = ", ".join(scenario.market.regions)
        raise ValueError(f"region {unknown[0]!r} is not in scenario {scenario.name}; use some of: {known}")
    if held.regions >= set(scenario.market.regions):
        raise ValueError("all regions are held out; leave one to compare with, or name none")
    if not 0 <= held.from_day < held.to_day <= world.days:
        raise ValueError(
            f"days {held.from_day} to {held.to_day} of the hold-out must lie within {world.days} days"
        )


def _by_week(world: World, held: HoldOut, spread: Mapper) -> Floats:
    from simulator.runs import paired

    counts = paired(world, np.ones((1, len(world.campaigns))), _Count(held), spread)
    return np.asarray(sum(counts), dtype=np.float64)


@dataclass(frozen=True)
class _Count:
    """Counts the leads of a shard: a function that other processes can be given."""

    held: HoldOut

    def __call__(self, job: Job) -> Floats:
        """Return leads by week, held out and elsewhere."""
        from simulator.hazard import NEVER
        from simulator.world import Week

        world, held = job.world, self.held
        week = Week(world)
        course = next(iter(job.courses()))
        cycle, enquiries = course.cycle, course.enquiries
        heard = week.wall(enquiries.at)
        if job.reached is not None:
            rows = enquiries.by_phone
            heard[rows] = np.where(job.reached[0] < NEVER, np.maximum(heard[rows], job.reached[0]), NEVER)
        first, last = -(held.from_day // 7), (world.days - held.from_day) // 7
        place = (heard - world.opens - held.from_day * DAY) // WEEK - first
        inside = (place >= 0) & (place < last - first)
        shard = cycle.shard
        there = held.among(list(world.scenario.market.regions), shard.region)[
            enquiries.account - shard.accounts[0]
        ]
        return np.stack(
            [
                np.bincount(place[inside & of], minlength=last - first).astype(np.float64)
                for of in (there, ~there)
            ]
        )
