"""Running a world, whole or shard by shard, on one core, on several or on Spark, with the same result.

Shards are runs of company ids and depend on nothing else, so who computes them does not matter. Only the
telephone desk and those who write quotes need all companies together: what the shards want of them is brought
there, and what became of it is handed back.
"""

from __future__ import annotations

import math
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from itertools import islice
from multiprocessing import get_context
from typing import Any, Final, Literal, Protocol, TypeVar

import numpy as np

from simulator.chance import Floats, Integers
from simulator.cycle import PHONE, Cycle, Enquiries, Outcome
from simulator.desk import Callers, answer
from simulator.hazard import NEVER
from simulator.market import Week, World, populate
from simulator.office import Requests, write_quotes
from simulator.orders import Orders

# Large enough to keep numpy busy, small enough that sums of hazards stay far inside 64 bits and memory stays
# small.
SHARD: Final = 4096

Engine = Literal["local", "spark"]
OnProgress = Callable[[float], None]
Item = TypeVar("Item")
Result = TypeVar("Result")


class Mapper(Protocol):
    """Applies a function to items and yields the results in the order of the items."""

    def __call__(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` for each item."""


@contextmanager
def mapper(workers: int = 1, engine: Engine = "local") -> Iterator[Mapper]:
    """Open the means of computing shards.

    Parameters
    ----------
    workers : int, default 1
        Processes, 1 or more; with 1 everything runs in this process.
    engine : {"local", "spark"}, default "local"
        ``"spark"`` sends the shards to the Spark session at hand, or to a local one with `workers` cores.

    Yields
    ------
    Mapper
        Results come in the order of the items whatever finishes first, and few are held at a time.

    Raises
    ------
    RuntimeError
        If Spark is asked for and pyspark is not installed.
    """
    if engine == "spark":
        with _spark(workers) as spread:
            yield spread
    elif workers <= 1:
        yield _here
    else:
        # Spawned, not forked: a forked child could inherit a lock that a thread of DuckDB or Arrow holds.
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
        try:

            def spread(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
                pending: deque[Future[Result]] = deque()
                for item in items:
                    pending.append(pool.submit(function, item))
                    if len(pending) > 2 * workers:
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()

            yield spread
        finally:
            # Whoever stops half-way waits only for the shards that are being computed.
            pool.shutdown(cancel_futures=True)


def counted(spread: Mapper, on_progress: OnProgress, total: int) -> Mapper:
    """Return a mapper that tells after each result what share of `total` results is there.

    Parameters
    ----------
    spread : Mapper
        Where the work is done.
    on_progress : callable
        Is given the share, 0 to 1, in this process. An exception that it raises stops the work.
    total : int
        Results expected over all uses of the mapper.

    Returns
    -------
    Mapper
        Yields what `spread` yields.
    """
    done = 0

    def over(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        nonlocal done
        for result in spread(function, items):
            done += 1
            on_progress(min(1.0, done / total))
            yield result

    return over


def silent(_share: float) -> None:
    """Tell nobody how far the work is."""


def _here(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    return (function(item) for item in items)


@contextmanager
def _spark(workers: int) -> Iterator[Mapper]:
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise RuntimeError("engine 'spark' needs pyspark: install ringtrail[spark], and Java 17") from None
    held = SparkSession.getActiveSession()
    if held is None:
        # Spark starts "python3" and looks for modules where that one does, unless told to do as we do.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    session = held or (
        SparkSession.builder.master(f"local[{workers}]")
        .appName("ringtrail simulator")
        .config("spark.ui.enabled", "false")
        .config("spark.executorEnv.PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    context: Any = session.sparkContext

    def spread(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        # A few shards at a time: all at once would bring every result to this process together, and Spark's
        # own local iterator computes one partition after the other.
        waiting = iter(items)
        while batch := list(islice(waiting, 2 * int(context.defaultParallelism))):
            yield from context.parallelize(batch, len(batch)).map(function).collect()

    try:
        yield spread
    finally:
        if held is None:
            session.stop()


@dataclass(frozen=True)
class Job:
    """One shard to run under several spend vectors.

    Attributes
    ----------
    world : World
        Scenario, size, window and seed.
    first, count : int
        The companies, by id.
    scales : ndarray of float64, shape (runs, campaigns)
        Spend per run and campaign, as a multiple of the scenario's.
    reached : list of ndarray of int64, optional
        Per run when the shard's telephone enquiries were taken up, in wall-clock seconds; None = at once.
    written : list of ndarray of int64, optional
        Per run when the quotes of `Course.wanted` were written, in wall-clock seconds; None = at once.
    """

    world: World
    first: int
    count: int
    scales: Floats
    reached: list[Integers] | None = None
    written: list[Integers] | None = None

    def courses(self) -> Iterator[Course]:
        """Run the cycle up to the answered contact, once per spend vector."""
        layers = max(1, math.ceil(float(self.scales.max(initial=1.0))))
        cycle = Cycle(populate(self.world, self.first, self.count, layers))
        week = Week(self.world)
        for number, scale in enumerate(self.scales):
            outcome, enquiries = cycle.enquire(scale)
            reached = outcome.contact_at
            if self.reached is not None:
                reached = reached.copy()
                rows = enquiries.by_phone
                heard = np.minimum(self.reached[number], self.world.ends)
                moment = np.where(self.reached[number] < NEVER, week.activity(heard), NEVER)
                need = enquiries.need[rows]
                reached[need[need >= 0]] = np.maximum(moment[need >= 0], reached[need[need >= 0]])
            course = Course(cycle, scale, outcome, enquiries, reached)
            yield course if self.written is None else course.with_quotes(self.written[number])


@dataclass(frozen=True)
class Course:
    """A shard's cycles under one spend vector, run up to the answered contact.

    Attributes
    ----------
    cycle : Cycle
        The cycles.
    scale : ndarray of float64
        The spend vector.
    outcome : Outcome
        Shortlist and contact moments.
    enquiries : Enquiries
        First contacts.
    reached : ndarray of int64
        Per need when somebody took the enquiry up, in seconds of activity time.
    written : ndarray of int64 or None
        Per need when its quote was written, in seconds of activity time; None = nobody waits for that.
    """

    cycle: Cycle
    scale: Floats
    outcome: Outcome
    enquiries: Enquiries
    reached: Integers
    written: Integers | None = None

    def finish(self) -> tuple[Outcome, Orders]:
        """Run the cycles to their end."""
        return self.cycle.finish(self.scale, self.outcome, self.reached, self.written)

    def wanted(self) -> tuple[Integers, Requests]:
        """Return the needs that want a quote, and the requests."""
        needs, world = self.cycle.shard.needs, self.cycle.world
        asked = self.cycle.qualified(self.outcome, self.reached)
        rows = np.flatnonzero(asked < world.ends)
        week = Week(world)
        at, ends = week.wall(asked[rows]), week.wall(needs.deadline[rows])
        work = self.cycle.work_s[rows]
        return rows, Requests(needs.account[rows], needs.index[rows], at, work, ends)

    def with_quotes(self, written: Integers) -> Course:
        """Return the same with the moments at which the wanted quotes were written."""
        rows, _ = self.wanted()
        asked = self.cycle.qualified(self.outcome, self.reached)
        done = np.full(len(asked), NEVER)
        there = written < NEVER
        moment = Week(self.cycle.world).activity(np.where(there, written, 0))
        # A moment read on one clock and then on the other can be a second early.
        done[rows] = np.where(there, np.maximum(moment, asked[rows]), NEVER)
        return replace(self, written=done)


def jobs(world: World, scales: Floats, reached: list[list[Integers]] | None = None) -> list[Job]:
    """Cut a world into shards; `reached` is per shard and run."""
    firsts = range(0, world.accounts, SHARD)
    return [
        Job(world, first, min(SHARD, world.accounts - first), scales, reached[number] if reached else None)
        for number, first in enumerate(firsts)
    ]


def callers(world: World, enquiries: Enquiries) -> Callers:
    """Return the telephone enquiries of a shard on the wall clock."""
    rows = enquiries.by_phone
    place = np.cumsum(enquiries.mode == PHONE) - 1
    return Callers(
        enquiries.account[rows],
        enquiries.key[rows],
        Week(world).wall(enquiries.at[rows]),
        place[enquiries.follow_owner],
        enquiries.follow_after,
    )


def _shard_callers(job: Job) -> list[Callers]:
    return [callers(job.world, course.enquiries) for course in job.courses()]


def _shard_requests(job: Job) -> list[Requests]:
    return [course.wanted()[1] for course in job.courses()]


def _written(task: tuple[World, Requests]) -> Integers:
    return write_quotes(*task)


def with_quotes(world: World, ready: Sequence[Job], spread: Mapper) -> list[Job]:
    """Return the jobs with the moments at which their quotes were written, where people write them.

    Parameters
    ----------
    world : World
        With ``sales.people = 0`` nobody waits, and the jobs are returned as they are.
    ready : sequence of Job
        All shards in order, with `reached` where the desk is limited.
    spread : Mapper
        Where to run it.

    Returns
    -------
    list of Job
        In the same order.
    """
    if not world.scenario.sales.people:
        return list(ready)
    by_shard = list(spread(_shard_requests, ready))
    runs = range(len(by_shard[0]))
    tasks = [(world, _join([shard[run] for shard in by_shard])) for run in runs]
    cuts = [np.cumsum([len(shard[run].at) for shard in by_shard])[:-1] for run in runs]
    parts = [np.split(each, cut) for each, cut in zip(spread(_written, tasks), cuts, strict=True)]
    return [replace(job, written=[parts[run][shard] for run in runs]) for shard, job in enumerate(ready)]


def _join(parts: Sequence[Requests]) -> Requests:
    return Requests(
        *(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Requests))
    )


def _answer_reached(task: tuple[World, Callers]) -> Integers:
    return answer(*task)[0]


def _merge(parts: Sequence[Callers]) -> Callers:
    offsets = np.cumsum([0, *(len(part.account) for part in parts)])
    return Callers(
        np.concatenate([part.account for part in parts]),
        np.concatenate([part.key for part in parts]),
        np.concatenate([part.at for part in parts]),
        np.concatenate(
            [part.follow_owner + offset for part, offset in zip(parts, offsets[:-1], strict=True)]
        ),
        np.concatenate([part.follow_after for part in parts]),
    )


def results(world: World, runs: int) -> int:
    """Return how many results a mapper yields when so many runs are paired."""
    shards = -(-world.accounts // SHARD)
    calls = shards + runs if world.scenario.desk.reps else 0
    quotes = shards + runs if world.scenario.sales.people else 0
    return shards + calls + quotes


def paired(
    world: World, scales: Floats, function: Callable[[Job], Result], spread: Mapper
) -> Iterator[Result]:
    """Run a world under several spend vectors that share all chance.

    Parameters
    ----------
    world : World
        What to run.
    scales : ndarray of float64, shape (runs, campaigns)
        Spend per run and campaign.
    function : callable
        What to learn of a shard, from a `Job` whose `reached` is set.
    spread : Mapper
        Where to run it.

    Yields
    ------
    object
        What `function` returns, per shard in order.

    Notes
    -----
    With a limited desk, each run puts all its callers through a desk of its own: a campaign's calls may make
    those of another wait, and that is part of the truth; so it is with the quotes. With ``desk.reps = 0`` or
    ``sales.people = 0`` nobody waits there and that step falls away.
    """
    yield from spread(function, with_quotes(world, _reached(world, scales, spread), spread))


def _reached(world: World, scales: Floats, spread: Mapper) -> list[Job]:
    """Return the jobs with the moments at which their callers were answered, where the desk is limited."""
    if world.scenario.desk.reps == 0:
        return jobs(world, scales)
    by_shard = list(spread(_shard_callers, jobs(world, scales)))
    desks = [(world, _merge([part[run] for part in by_shard])) for run in range(len(scales))]
    cuts = [np.cumsum([len(part[run].account) for part in by_shard])[:-1] for run in range(len(scales))]
    answers = [
        np.split(reached, cut) for reached, cut in zip(spread(_answer_reached, desks), cuts, strict=True)
    ]
    reached = [[answers[run][shard] for run in range(len(scales))] for shard in range(len(by_shard))]
    return jobs(world, scales, reached)
