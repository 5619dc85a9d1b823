"""All telephone calls of a market, led past one desk and one pool of numbers, and handed back shard by shard.

Only here do companies meet. Their calls pass as a stream, some weeks at a time; before and after they lie in
files, so that memory holds those of some weeks and not all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulator.chance import Integers
from simulator.desk import Callers, Calls, at_once, background_calls, serve, taken_up
from simulator.external_sort import ExternalSort
from simulator.market import WEEK, World
from simulator.pool import call_delays, callers_taken_for
from simulator.runs import Job, Mapper, callers, jobs
from simulator.sources import arrive, remember, site_sources


@dataclass(frozen=True)
class ShardCalls:
    """What became of the callers of one shard.

    Attributes
    ----------
    first : int
        Number of the shard's first caller in the whole world.
    reached : ndarray of int64
        Per caller the wall-clock second at which the enquiry was taken up, `NEVER` if it was not.
    calls : Calls
        Their calls in order of time.
    numbers : ndarray of int64
        The calls' numbers in the whole world, counted by time.
    site_callers, taken_for : ndarray of int64
        Callers, by number, who had seen a number on the web site, and the source of the visitor for whom they
        are taken; `simulator.pool.NO_NUMBER` if they dialled the main number.
    """

    first: int
    reached: Integers
    calls: Calls
    numbers: Integers
    site_callers: Integers
    taken_for: Integers


class CallCenterRun:
    """The calls of a market after they have passed the desk and the pool."""

    def __init__(self, world: World, firsts: list[int], calls: ExternalSort, shown: ExternalSort) -> None:
        self._world, self._firsts, self._calls, self._shown = world, firsts, calls, shown

    def of_shard(self, shard: int) -> ShardCalls:
        """Return what became of the callers of a shard."""
        rows, shown = self._calls.take(shard), self._shown.take(shard)
        first, after = self._firsts[shard : shard + 2]
        calls = Calls.of(rows[:, :-1])
        reached = taken_up(calls, first, after - first)
        return ShardCalls(first, reached, calls, rows[:, -1], shown[:, 0], shown[:, 1])

    def background(self) -> Iterator[tuple[Calls, Integers]]:
        """Return the calls of customers and junk with their numbers, week by week."""
        for week in range(-(-self._world.ends // WEEK)):
            rows = self._calls.take(-1 - week)
            yield Calls.of(rows[:, :-1]), rows[:, -1]


@contextmanager
def run_call_center(world: World, spread: Mapper, folder: Path | None = None) -> Iterator[CallCenterRun]:
    """Lead everybody who telephones, at the scenario's spend, past the desk and the pool.

    Parameters
    ----------
    world : World
        What to run.
    spread : Mapper
        Where to run the shards; desk and pool run in this process.
    folder : Path, optional
        Where the calls lie meanwhile; by default where temporary files are.

    Yields
    ------
    CallCenterRun
        The calls by shard.
    """
    full = np.ones((1, len(world.campaigns)))
    limited = world.scenario.desk.reps > 0
    with ExitStack() as files:

        def sorter(columns: int) -> ExternalSort:
            return files.enter_context(ExternalSort(columns, folder))

        first_tries, further, at_best, viewers = sorter(4), sorter(2), sorter(10), sorter(6)
        firsts = [0]
        for people, views in spread(_callers, jobs(world, full)):
            number = firsts[-1] + np.arange(len(people.account), dtype=np.int64)
            if limited:
                period, owner = people.at // world.period, people.follow_owner
                first_tries.add(period, np.column_stack((number, people.account, people.key, people.at)))
                further.add(period[owner], np.column_stack((number[owner], people.follow_after)))
            else:
                calls = at_once(world, people, number)
                at_best.add(calls.at // world.period, calls.rows())
            views[:, 0] += firsts[-1]
            viewers.add(views[:, 3] // world.period, views)
            firsts.append(firsts[-1] + len(number))

        def shard_of(caller: Integers) -> Integers:
            return np.searchsorted(np.array(firsts), caller, side="right") - 1

        finished, shown, count = sorter(11), sorter(2), 0
        answered = (
            serve(world, _batches(world, first_tries, further)) if limited else _at_best(world, at_best)
        )
        for calls in answered:
            number = count + np.arange(len(calls.at), dtype=np.int64)
            count += len(number)
            group = np.where(calls.caller < 0, -1 - calls.at // WEEK, shard_of(calls.caller))
            finished.add(group, np.column_stack((calls.rows(), number)))
        by_period = (viewers.take(period) for period in range(world.periods))
        for caller, source in callers_taken_for(world, site_sources(world), by_period):
            shown.add(shard_of(caller), np.column_stack((caller, source)))
        yield CallCenterRun(world, firsts, finished, shown)


def _callers(job: Job) -> tuple[Callers, Integers]:
    """Return a shard's callers, and which of them saw a number on the site: rows for the pool."""
    (course,) = job.courses()
    cycle, scale, enquiries = course.cycle, course.scale, course.enquiries
    people = callers(job.world, enquiries)
    memory = remember(cycle.shard, cycle.active(scale), enquiries)
    source = arrive(cycle.shard, enquiries, memory)[enquiries.by_phone]
    site = np.flatnonzero(np.isin(source, site_sources(job.world)))
    account, key, at = people.account[site], people.key[site], people.at[site]
    view = np.maximum(0, at - call_delays(job.world, account, key))
    return people, np.column_stack((site, account, key, view, at - view, source[site]))


def _batches(
    world: World, first_tries: ExternalSort, further: ExternalSort
) -> Iterator[tuple[Integers, Callers]]:
    for period in range(world.periods):
        number, account, key, at = first_tries.take(period).T
        owner, after = further.take(period).T
        # Shards come in the order of their callers' numbers, so these rise.
        yield number, Callers(account, key, at, np.searchsorted(number, owner), after)


def _at_best(world: World, calls: ExternalSort) -> Iterator[Calls]:
    for period in range(world.periods):
        rows = np.concatenate((calls.take(period), background_calls(world, period).rows()))
        yield Calls.of(rows).in_order()
