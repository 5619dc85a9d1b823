"""Hold-outs: a campaign that does not run in some regions for some weeks, so that its absence can be seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.parameters import Campaign, Pause, Scenario, ScenarioError
from simulator.world import World

_WEEK_DAYS = 7


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
    pause = Pause(from_day=first, to_day=last, regions=list(regions))
    held = scenario.campaigns[campaign]
    paused = held.model_copy(update={"pauses": [*held.pauses, pause]})
    return scenario.model_copy(update={"campaigns": scenario.campaigns | {campaign: paused}})


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
