"""The pool of telephone numbers that a web site shows to its visitors in turn, each on lease.

A discrete-event simulation (SimPy), since visitors meet here: a number shown to one is later shown
to another, and a caller who dials late is taken for whoever was shown the number last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import Any, Final

import numpy as np
import simpy

from simulator.chance import Floats, Integers, lognormal, poisson, ragged, uniform
from simulator.market import WEEK, World

# What a caller is taken for who was shown the main number because all others were on lease.
NO_NUMBER: Final = -1
_HOUR: Final = 3600


class Pool:
    """Numbers shown in turn: always the one unused longest, never one that is on lease.

    Parameters
    ----------
    environment : simpy.Environment
        Whose clock the leases run on.
    numbers : int
        Pool size, 1 or more.
    lease : float
        How long a number is kept for the visitor it was shown to, in units of that clock; 0 = not at all, so
        that the pool never runs out.
    """

    def __init__(self, environment: simpy.Environment, numbers: int, lease: float) -> None:
        self._environment, self._lease = environment, lease
        self._free = deque(range(numbers))
        self._shown_to = [NO_NUMBER] * numbers

    def show(self, visitor: int) -> int | None:
        """Show a visitor a number and return which, or None if all are on lease."""
        if not self._free:
            return None
        number = self._free.popleft()
        self._shown_to[number] = visitor
        if self._lease:
            # A timeout with a callback costs less than half of a process of its own.
            end = self._environment.timeout(self._lease)
            assert end.callbacks is not None
            end.callbacks.append(lambda _: self._free.append(number))
        else:
            self._free.append(number)
        return number

    def taken_for(self, number: int) -> int:
        """Return the visitor whom a caller on this number is taken for: the last one it was shown to."""
        return self._shown_to[number]


def overflow(views: Floats, numbers: int, lease: float) -> float:
    """Simulate a pool with leases and say how often it is full.

    Parameters
    ----------
    views : ndarray of float64
        Rising moments of the views.
    numbers : int
        Pool size, 1 or more.
    lease : float
        How long a number is held, in the unit of `views`, above 0.

    Returns
    -------
    float
        Share of views that get the main number; in theory Erlang's loss formula with load rate x lease.
    """
    environment = simpy.Environment()
    pool = Pool(environment, numbers, lease)
    full = 0

    def visitors() -> Generator[simpy.Event, Any, None]:
        nonlocal full
        for visitor, at in enumerate(views.tolist()):
            yield environment.timeout(at - environment.now)
            full += pool.show(visitor) is None

    environment.process(visitors())
    environment.run()
    return full / max(1, len(views))


def mistaken(views: Floats, numbers: int, delays: Floats) -> float:
    """Simulate a pool that never runs out and say how often a caller is taken for somebody else.

    Parameters
    ----------
    views : ndarray of float64
        Rising moments of the views.
    numbers : int
        Pool size, 1 or more.
    delays : ndarray of float64
        Per view the time to the call, in the unit of `views`.

    Returns
    -------
    float
        Share of calls whose number had meanwhile been shown to another visitor. Calls so late that the record
        ends first are left out.
    """
    environment = simpy.Environment()
    pool = Pool(environment, numbers, 0.0)
    wrong = calls = 0

    def call(visitor: int, number: int) -> None:
        nonlocal wrong, calls
        calls += 1
        wrong += pool.taken_for(number) != visitor

    def visitors() -> Generator[simpy.Event, Any, None]:
        for visitor, (at, delay) in enumerate(zip(views.tolist(), delays.tolist(), strict=True)):
            yield environment.timeout(at - environment.now)
            number = pool.show(visitor)
            assert number is not None
            if at + delay <= views[-1]:
                _after(environment, delay, partial(call, visitor, number))

    environment.process(visitors())
    environment.run()
    return wrong / max(1, calls)


def _after(environment: simpy.Environment, delay: float, action: Callable[[], None]) -> None:
    event = environment.timeout(delay)
    assert event.callbacks is not None
    event.callbacks.append(lambda _: action())


def call_delays(world: World, account: Integers, key: Integers) -> Integers:
    """Return how many seconds pass from seeing a number on the site to calling it, per enquiry."""
    pool = world.scenario.observer.pool
    share = uniform(world.seed, account, "pool.delay", key)
    minutes = lognormal(share, pool.call_delay_minutes, pool.call_delay_sigma)
    return np.rint(minutes * 60).astype(np.int64)


def callers_taken_for(
    world: World, others: Integers, weeks: Iterable[Integers]
) -> Iterator[tuple[Integers, Integers]]:
    """Show numbers to all visitors of a world, and say what each caller among them is taken for.

    Parameters
    ----------
    world : World
        Its scenario's `observer.pool` says how many numbers there are, how long they are kept, and how many
        others visit the site.
    others : ndarray of int64
        Sources that the other visitors come through, evenly.
    weeks : iterable of ndarray of int64, shape (callers, 6)
        Per week from the start of the warm-up the buyers who see a number in it and then call: caller,
        company, key, moment of the view in wall-clock seconds, seconds to the call, source.

    Yields
    ------
    caller, source : ndarray of int64
        After each week, who called in it, and the source of the visitor who was shown the number last;
        `NO_NUMBER` for those who were shown the main number.

    Notes
    -----
    Other visitors come at random at the scenario's rate, more in busy hours, in the rhythm of buyers. Their
    draws are keyed by hour, so they are the same whoever else comes.
    """
    environment = simpy.Environment()
    settings = world.scenario.observer.pool
    lease = settings.lease_minutes * 60 if settings.policy == "lease" else 0.0
    pool = Pool(environment, settings.numbers, lease)
    found: list[tuple[int, int]] = []

    def call(caller: int, number: int) -> None:
        found.append((caller, pool.taken_for(number)))

    def visitors(views: list[list[int]]) -> Generator[simpy.Event, Any, None]:
        for at, caller, delay, source in views:
            if at > environment.now:
                yield environment.timeout(at - environment.now)
            number = pool.show(source)
            if caller < 0:
                continue
            if number is None:
                found.append((caller, NO_NUMBER))
            else:
                _after(environment, delay, partial(call, caller, number))

    for week, buyers in enumerate(weeks):
        environment.process(visitors(_views(world, others, week, buyers).tolist()))
        environment.run(until=(week + 1) * WEEK)
        yield _columns(found)
        found.clear()
    # Who saw a number in the last days still calls.
    environment.run()
    yield _columns(found)


def _columns(found: list[tuple[int, int]]) -> tuple[Integers, Integers]:
    table = np.array(found, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _views(world: World, others: Integers, week: int, buyers: Integers) -> Integers:
    """Lay out the views of a week in order: moment, caller or -1, seconds to the call, source."""
    calendar, seed = world.scenario.calendar, world.seed
    first = (world.scenario.start.toordinal() - world.scenario.warmup_days - 1) % 7
    weights = np.outer(np.roll(np.asarray(calendar.days), -first), np.asarray(calendar.hours)).ravel()
    hours = week * 168 + np.arange(168, dtype=np.int64)
    mean = world.scenario.observer.pool.views_per_day * 7 * weights / weights.sum()
    owner, index = ragged(poisson(uniform(seed, hours, "pool.count"), mean))
    hour = hours[owner]
    at = hour * _HOUR + np.floor(uniform(seed, hour, "pool.at", index) * _HOUR).astype(np.int64)
    source = others[np.floor(uniform(seed, hour, "pool.source", index) * len(others)).astype(np.int64)]
    nobody = np.full(len(at), -1, dtype=np.int64)
    zero = np.zeros(len(at), dtype=np.int64)
    own = buyers[:, 0] * 0
    rows = np.concatenate(
        (
            np.column_stack((at, nobody, zero, source, nobody, hour, index)),
            np.column_stack((buyers[:, 3], buyers[:, 0], buyers[:, 4], buyers[:, 5], own, buyers[:, 1:3])),
        )
    )
    # Views of the same second follow each other by what they are, not by how the table was built.
    order = np.lexsort((rows[:, 6], rows[:, 5], rows[:, 4], rows[:, 0]))
    return rows[order][:, :4]
