"""Who meets which campaign when: audiences, schedules, pauses, and the people of the buying group.

Meetings happen whatever else happens: each is fixed by the key of its draw, never by another campaign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from simulator.chance import Floats, Integers, poisson, ragged, uniform
from simulator.ranges import ROLES, ScenarioError
from simulator.world import DAY, YEAR_DAYS, Week, World

if TYPE_CHECKING:
    from simulator.parameters import Campaign

# Room in a meeting's key: so many meetings in a flight or a need, and so many whole multiples of the spend.
_MEETINGS: Final = 4096
_LAYERS: Final = 64


@dataclass(frozen=True)
class Needs:
    """Needs, one per position; ordered by company. Moments are seconds of activity time."""

    owner: Integers  # position of the company in its shard
    account: Integers  # company id
    kind: Integers  # position in scenario.needs
    index: Integers  # how-manieth need of this company, over all kinds
    onset: Integers
    deadline: Integers  # when it ends without us

    def __len__(self) -> int:
        return len(self.owner)


@dataclass(frozen=True)
class Exposures:
    """Meetings of a company with a campaign, one per position. Moments are seconds of activity time."""

    owner: Integers  # position of the company in its shard
    account: Integers
    campaign: Integers  # position in world.campaigns
    need: Integers  # position of the need that was being researched, -1 for a campaign that reaches all
    at: Integers
    threshold: Floats  # the meeting happens when `reach` of the campaign's spend scale is above this
    key: Integers  # unique among the company's meetings with this campaign
    person: Integers  # who of the buying group met it
    told: Integers  # which other member heard of it, -1 if none

    def __len__(self) -> int:
        return len(self.owner)


Columns = tuple[Integers, Integers, Integers, Integers, Integers, Floats, Integers]


def _pushed(
    world: World,
    ids: Integers,
    needs: Needs,
    reach: Floats,
    position: int,
    name: str,
    campaign: Campaign,
    layer: int,
) -> Columns:
    flights = [
        (world.opens + flight.from_day * DAY, world.opens + flight.to_day * DAY, flight.exposures)
        for flight in campaign.flights
    ]
    if campaign.per_year:
        flights.append((0.0, float(world.closes), campaign.per_year * world.closes / DAY / YEAR_DAYS))
    owners, times, marks, keys = [], [], [], []
    for number, (begins, stops, exposures) in enumerate(flights):
        concern = f"meet.{name}.{layer}.{number}"
        owner, index = ragged(poisson(uniform(world.seed, ids, f"{concern}.count"), exposures * reach))
        at = begins + (stops - begins) * uniform(world.seed, ids[owner], f"{concern}.at", index)
        mark = uniform(world.seed, ids[owner], f"{concern}.mark", index)
        within = (at >= 0) & (at < world.closes)
        owners.append(owner[within])
        times.append(np.floor(at[within]).astype(np.int64))
        marks.append(layer + mark[within])
        keys.append((np.int64(number) * _LAYERS + layer) * _MEETINGS + _within_room(name, index)[within])
    if not owners:
        return _empty_columns()
    owner = np.concatenate(owners)
    campaigns = np.full(len(owner), position, dtype=np.int64)
    nobody = np.full(len(owner), -1, dtype=np.int64)
    return (
        owner,
        ids[owner],
        campaigns,
        nobody,
        np.concatenate(times),
        np.concatenate(marks),
        np.concatenate(keys),
    )


def _searched(
    world: World,
    ids: Integers,
    needs: Needs,
    reach: Floats,
    position: int,
    name: str,
    campaign: Campaign,
    layer: int,
) -> Columns:
    stops = np.minimum(needs.deadline, world.closes)
    years = np.maximum(stops - needs.onset, 0) / (DAY * YEAR_DAYS)
    concern = f"meet.{name}.{layer}"
    counts = poisson(
        uniform(world.seed, needs.account, f"{concern}.count", needs.index),
        campaign.per_year * years * reach[needs.owner],
    )
    need, index = ragged(counts)
    key = (needs.index[need] * _LAYERS + layer) * _MEETINGS + _within_room(name, index)
    account = needs.account[need]
    span = (stops - needs.onset)[need]
    at = needs.onset[need] + np.floor(span * uniform(world.seed, account, f"{concern}.at", key)).astype(
        np.int64
    )
    mark = layer + uniform(world.seed, account, f"{concern}.mark", key)
    return needs.owner[need], account, np.full(len(need), position, dtype=np.int64), need, at, mark, key


def not_paused(world: World, campaign: Campaign, region: Integers, met: Columns) -> Columns:
    """Leave out the meetings that fall into a pause of their campaign."""
    if not campaign.pauses:
        return met
    owner, at = met[0], met[4]
    wall = Week(world).wall(at)
    runs = np.ones(len(at), dtype=bool)
    names = list(world.scenario.market.regions)
    for pause in campaign.pauses:
        here = np.array([not pause.regions or each in pause.regions for each in names])[region[owner]]
        begins, stops = (world.opens + day * DAY for day in (pause.from_day, pause.to_day))
        runs &= ~(here & (wall >= begins) & (wall < stops))
    owner, account, campaigns, need, at, mark, key = met
    return owner[runs], account[runs], campaigns[runs], need[runs], at[runs], mark[runs], key[runs]


def people(
    world: World, name: str, campaign: Campaign, group: Integers, met: Columns
) -> tuple[Integers, Integers]:
    """Return who of the buying group met the campaign, and which other member is told, -1 if none."""
    owner, account, key = met[0], met[1], met[6]
    size = group[owner]
    share = uniform(world.seed, account, f"see.{name}.who", key)
    if campaign.roles:
        weights = np.array([campaign.roles.get(ROLES[n % len(ROLES)], 1.0) for n in range(int(group.max()))])
        upto = np.cumsum(weights)
        # A group in which nobody of these roles sits is met through whoever is there.
        whole = upto[size - 1]
        person = np.where(
            whole > 0, np.searchsorted(upto, share * whole, side="right"), np.floor(share * size)
        ).astype(np.int64)
        person = np.minimum(person, size - 1)
    else:
        person = np.floor(share * size).astype(np.int64)
    told = np.full(len(owner), -1, dtype=np.int64)
    chance = world.scenario.market.colleagues_told
    if chance:
        tells = (uniform(world.seed, account, f"tell.{name}.colleague", key) < chance) & (size > 1)
        step = 1 + np.floor(uniform(world.seed, account, f"tell.{name}.whom", key) * (size - 1)).astype(
            np.int64
        )
        told = np.where(tells, (person + step) % size, -1)
    return person, told


def reach(campaign: Campaign, scale: float) -> float:
    """Return how many meetings a campaign has at so many times its spend, as a multiple of the scenario's.

    Parameters
    ----------
    campaign : Campaign
        Its `diminishing` is d, 0 or more.
    scale : float
        Spend as a multiple s of the scenario's, 0 or more.

    Returns
    -------
    float
        (1 + d)s / (1 + ds): 0 without spend, 1 at the scenario's spend, never above (1 + d)/d. At the
        scenario's spend the next euro brings 1/(1 + d) of what the average one brings.

    Examples
    --------
    >>> from simulator.scenario import load
    >>> once = load("supplier", {"campaigns.email.diminishing": 1.0}).campaigns["email"]
    >>> [reach(once, scale) for scale in (0.0, 1.0, 3.0)]
    [0.0, 1.0, 1.5]
    """
    return (1.0 + campaign.diminishing) * scale / (1.0 + campaign.diminishing * scale)


def _within_room(name: str, index: Integers) -> Integers:
    """Return the numbers of meetings as they are, where their keys have room for all of them."""
    if index.max(initial=0) >= _MEETINGS:
        raise ScenarioError(
            f"campaigns.{name}: some companies meet it {index.max() + 1} times in one flight; at most"
            f" {_MEETINGS} fit: lower per_year, exposures or the multipliers of industries"
        )
    return index


def _empty_columns() -> Columns:
    empty: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    return empty, empty, empty, empty, empty, np.zeros(0), empty


@dataclass(frozen=True)
class Audience:
    """Whom a campaign can reach.

    Attributes
    ----------
    about : str
        Who that is.
    flights : bool
        Whether such a campaign may run in flights rather than all year.
    lay : callable
        Lays out its meetings: world, ids of the companies, their needs, their multipliers of the exposures,
        position and name of the campaign, the campaign, and the whole multiple of the spend.
    """

    about: str
    flights: bool
    lay: Callable[[World, Integers, Needs, Floats, int, str, Campaign, int], Columns]


AUDIENCES: Final = {
    "all": Audience("companies at any time", True, _pushed),
    "researching": Audience("companies while a need is open", False, _searched),
}
"""All audiences; one more needs nothing but an entry here."""
