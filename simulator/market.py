"""Who could buy, what they come to need, and which campaigns reach them when.

Everything here happens to a company whatever else happens: needs arise and advertisements are met at moments
fixed by the key of the draw, never by the course of another campaign. What the meetings bring about is
`simulator.cycle`.

Moments are whole seconds of *activity time*, counted from the start of the warm-up: a clock on which buyers
are evenly active all week. `Week` turns it into the wall clock.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.chance import Floats, Integers, choose, lognormal, poisson, ragged, uniform
from simulator.parameters import Campaign, Scenario, ScenarioError

DAY: Final = 86_400
WEEK: Final = 7 * DAY
YEAR_DAYS: Final = 365.0
# Calls and views that pass the desk and the pool together, about: some 10 MB, and enough to keep numpy busy.
_TOGETHER: Final = 20_000
# Room in a meeting's key: so many meetings in a flight or a need, and so many whole multiples of the spend.
_MEETINGS: Final = 4096
_LAYERS: Final = 64
# A lift halves twice and ends at the third half-life; this is what the halving staircase leaves to remember.
MEMORY_HALVES: Final = 3


@dataclass(frozen=True)
class World:
    """A scenario made concrete: how many companies, how long, and which chance.

    Attributes
    ----------
    scenario : Scenario
        The parameters.
    accounts : int
        Companies, 1 or more.
    days : int
        Length of the reporting window in days, 1 or more.
    seed : int
        Decides every draw.
    """

    scenario: Scenario
    accounts: int
    days: int
    seed: int

    @property
    def opens(self) -> int:
        """First second of the reporting window, on the wall clock."""
        return self.scenario.warmup_days * DAY

    @property
    def closes(self) -> int:
        """First second after the reporting window, on the wall clock; all campaigns stop about here."""
        return self.opens + self.days * DAY

    @property
    def ends(self) -> int:
        """Last second simulated, the end of the tail."""
        return self.closes + self.scenario.tail_days * DAY

    @property
    def period(self) -> int:
        """Seconds whose calls pass the desk and the pool together: whole weeks, fewer with more calls."""
        desk, pool = self.scenario.desk, self.scenario.observer.pool
        # About as many calls are enquiries as come from customers.
        calls = 2 * desk.customer_calls_per_day * self.accounts / 1000 + desk.junk_per_day
        return WEEK * max(1, int(_TOGETHER / max(1.0, 7 * (calls + pool.views_per_day))))

    @property
    def periods(self) -> int:
        """How many periods the world has, the last one perhaps in part."""
        return -(-self.ends // self.period)

    @property
    def campaigns(self) -> list[str]:
        """Names of the campaigns in the scenario's order, which is the order of every spend vector."""
        return list(self.scenario.campaigns)


class Week:
    """The map between activity time and the wall clock, the same every week and strictly rising."""

    def __init__(self, world: World) -> None:
        calendar = world.scenario.calendar
        first = (world.scenario.start.toordinal() - world.scenario.warmup_days - 1) % 7
        weights = np.outer(np.roll(np.asarray(calendar.days), -first), np.asarray(calendar.hours)).ravel()
        self._active = np.concatenate(([0.0], np.cumsum(weights) / weights.sum())) * WEEK
        self._wall = np.arange(len(weights) + 1) * 3600.0
        self._active_one, self._wall_one = self._active.tolist(), self._wall.tolist()

    def wall(self, activity: Integers) -> Integers:
        """Return wall-clock seconds since the start of the warm-up for seconds of activity time."""
        weeks, rest = np.divmod(activity, WEEK)
        return np.asarray(weeks * WEEK + np.rint(np.interp(rest, self._active, self._wall)).astype(np.int64))

    def activity(self, wall: Integers) -> Integers:
        """Return seconds of activity time for wall-clock seconds since the start of the warm-up."""
        weeks, rest = np.divmod(wall, WEEK)
        return np.asarray(weeks * WEEK + np.rint(np.interp(rest, self._wall, self._active)).astype(np.int64))

    def later(self, wall: int, activity: int) -> int:
        """Return the wall-clock second that lies so many seconds of activity time after another one.

        The same as by `activity` and `wall`, for a single moment and without building arrays.
        """
        return _carry(
            _carry(wall, self._wall_one, self._active_one) + activity, self._active_one, self._wall_one
        )


def _carry(moment: int, clock: list[float], other: list[float]) -> int:
    """Return a moment on another clock, given both clocks' readings at the hours of a week."""
    weeks, rest = divmod(moment, WEEK)
    hour = bisect_right(clock, rest) - 1
    slope = (other[hour + 1] - other[hour]) / (clock[hour + 1] - clock[hour])
    return weeks * WEEK + round(slope * (rest - clock[hour]) + other[hour])


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
    threshold: Floats  # the meeting happens when the campaign's spend scale is above this
    key: Integers  # unique among the company's meetings with this campaign

    def __len__(self) -> int:
        return len(self.owner)


@dataclass(frozen=True)
class Shard:
    """A run of companies with all that happens to them from outside: a pure function of ids and world."""

    world: World
    accounts: Integers
    industry: Integers
    region: Integers
    size: Integers
    group: Integers  # people in the buying group, 1 or more
    needs: Needs
    exposures: Exposures


def populate(world: World, first: int, count: int, layers: int = 1) -> Shard:
    """Lay out a run of companies, their needs and the campaigns they meet.

    Parameters
    ----------
    world : World
        Scenario, window and seed.
    first : int
        Id of the first company, 0 or more.
    count : int
        Number of companies, 1 or more.
    layers : int, default 1
        Highest spend scale to lay out meetings for, in whole multiples of the scenario's spend. A higher
        number adds meetings with a `threshold` of 1 or more and changes none of the others.

    Returns
    -------
    Shard
        Companies with ids from `first`, each the same in whatever shard it is laid out.
    """
    scenario, seed = world.scenario, world.seed
    ids = np.arange(first, first + count, dtype=np.int64)
    industry = choose(uniform(seed, ids, "account.industry"), list(scenario.market.industries.values()))
    region = choose(uniform(seed, ids, "account.region"), list(scenario.market.regions.values()))
    sizes = list(scenario.market.sizes.values())
    size = choose(uniform(seed, ids, "account.size"), [each.share for each in sizes])
    group = 1 + poisson(
        uniform(seed, ids, "account.group"), np.array([each.group_mean - 1 for each in sizes])[size]
    )
    demand = np.array([each.demand for each in sizes])[size]
    needs = _needs(world, ids, demand)
    names = list(scenario.market.industries)
    parts = []
    for position, (name, campaign) in enumerate(scenario.campaigns.items()):
        reach = np.array([campaign.industries.get(each, 1.0) for each in names])[industry]
        for layer in range(layers):
            lay = _searched if campaign.audience == "researching" else _pushed
            parts.append(lay(world, ids, needs, reach, position, name, campaign, layer))
    exposures = (
        Exposures(*(np.concatenate(column) for column in zip(*parts, strict=True))) if parts else _none()
    )
    return Shard(world, ids, industry, region, size, group, needs, exposures)


def _none() -> Exposures:
    empty = np.zeros(0, dtype=np.int64)
    return Exposures(empty, empty, empty, empty, empty, np.zeros(0), empty)


def _season(world: World, months: list[float]) -> tuple[Floats, Floats]:
    """Return day boundaries in seconds and the seasonal intensity accumulated to them, in average years."""
    start = np.datetime64(world.scenario.start) - np.timedelta64(world.scenario.warmup_days, "D")
    days = start + np.arange(world.ends // DAY)
    month = days.astype("datetime64[M]").astype(np.int64) % 12
    weights = np.asarray(months, dtype=np.float64)
    daily = (weights / weights.mean())[month] / YEAR_DAYS
    edges = np.arange(len(days) + 1, dtype=np.float64) * DAY
    return edges, np.asarray(np.concatenate(([0.0], np.cumsum(daily))), dtype=np.float64)


def _needs(world: World, ids: Integers, demand: Floats) -> Needs:
    seed = world.seed
    owners, kinds, onsets, ends = [], [], [], []
    for position, (name, need) in enumerate(world.scenario.needs.items()):
        edges, mass = _season(world, need.season)
        counts = poisson(uniform(seed, ids, f"need.{name}.count"), demand * need.per_year * mass[-1])
        owner, index = ragged(counts)
        # Given their number, the moments of a Poisson process are independent draws from its intensity.
        drawn = uniform(seed, ids[owner], f"need.{name}.onset", index)
        onset = np.floor(np.interp(drawn * mass[-1], mass, edges)).astype(np.int64)
        life = lognormal(
            uniform(seed, ids[owner], f"need.{name}.lifetime", index), need.lifetime_days, need.lifetime_sigma
        )
        owners.append(owner)
        kinds.append(np.full(len(owner), position, dtype=np.int64))
        onsets.append(onset)
        ends.append(onset + 1 + np.floor(life * DAY).astype(np.int64))
    owner, kind, onset, deadline = (np.concatenate(column) for column in (owners, kinds, onsets, ends))
    order = np.lexsort((kind, onset, owner))
    owner = owner[order]
    index = np.arange(len(owner)) - np.searchsorted(owner, owner, side="left")
    return Needs(owner, ids[owner], kind[order], index, onset[order], deadline[order])


_Columns = tuple[Integers, Integers, Integers, Integers, Integers, Floats, Integers]


def _pushed(
    world: World,
    ids: Integers,
    needs: Needs,
    reach: Floats,
    position: int,
    name: str,
    campaign: Campaign,
    layer: int,
) -> _Columns:
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
) -> _Columns:
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


def _within_room(name: str, index: Integers) -> Integers:
    """Return the numbers of meetings as they are, where their keys have room for all of them."""
    if index.max(initial=0) >= _MEETINGS:
        raise ScenarioError(
            f"campaigns.{name}: some companies meet it {index.max() + 1} times in one flight; at most"
            f" {_MEETINGS} fit: lower per_year, exposures or the multipliers of industries"
        )
    return index


def _empty_columns() -> _Columns:
    empty: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    return empty, empty, empty, empty, empty, np.zeros(0), empty
