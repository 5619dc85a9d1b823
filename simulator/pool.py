"""The pool of telephone numbers that a web site shows to its visitors in turn, each on lease.

Visitors meet here: a number shown to one is later shown to another, and a caller who dials late is taken for
whoever was shown the number last. Views pass in order of time, so one sweep over them settles everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from simulator.chance import Floats, Integers, lognormal, poisson, ragged, uniform
from simulator.market import WEEK, World
from simulator.sources import pick, source_names

# What a caller is taken for who was shown the main number because all others were on lease.
NO_NUMBER: Final = -1
_HOUR: Final = 3600


class Pool:
    """Numbers shown in turn: always the one unused longest, never one that is on lease.

    Parameters
    ----------
    numbers : int
        Pool size, 1 or more.
    lease : float
        How long a number is kept for the visitor it was shown to, in the unit of the views' moments; 0 = not
        at all, so that the pool never runs out.
    """

    def __init__(self, numbers: int, lease: float) -> None:
        self._lease = lease
        # All leases are equally long, so numbers come free in the order in which they were shown.
        self._line: deque[tuple[float, int]] = deque((-np.inf, number) for number in range(numbers))

    def show(self, moments: Integers | Floats) -> Integers:
        """Show each visitor a number.

        Parameters
        ----------
        moments : ndarray
            When they come, rising, and not before those of an earlier call.

        Returns
        -------
        ndarray of int64
            Positions of the numbers shown, `NO_NUMBER` where all were on lease. A lease that ends in a second
            ends before that second's views.
        """
        line, lease = self._line, self._lease
        shown = []
        for at in moments.tolist():
            free_at, number = line[0]
            if free_at <= at:
                line.popleft()
                line.append((at + lease, number))
                shown.append(number)
            else:
                shown.append(NO_NUMBER)
        return np.array(shown, dtype=np.int64)


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
    calls = views + delays
    on_record = calls <= views[-1]
    # Without leases a number comes round again after as many views as there are numbers.
    shown_again = np.append(views[numbers:], np.full(min(numbers, len(views)), np.inf))
    return float((shown_again < calls)[on_record].sum()) / max(1, int(on_record.sum()))


def call_delays(world: World, account: Integers, key: Integers) -> Integers:
    """Return how many seconds pass from seeing a number on the site to calling it, per enquiry."""
    pool = world.scenario.observer.pool
    share = uniform(world.seed, account, "pool.delay", key)
    minutes = lognormal(share, pool.call_delay_minutes, pool.call_delay_sigma)
    return np.rint(minutes * 60).astype(np.int64)


def callers_taken_for(
    world: World, others: Integers, batches: Iterable[Integers]
) -> Iterator[tuple[Integers, Integers]]:
    """Show numbers to all visitors of a world, and say what each caller among them is taken for.

    Parameters
    ----------
    world : World
        Its scenario's `observer.pool` says how many numbers there are, how long they are kept, and how many
        others visit the site.
    others : ndarray of int64
        Sources that the other visitors come through, evenly.
    batches : iterable of ndarray of int64, shape (callers, 6)
        Per `World.period` from the start of the warm-up the buyers who see a number in it and then call:
        caller, company, key, moment of the view in wall-clock seconds, seconds to the call, source.

    Yields
    ------
    caller, source : ndarray of int64
        After each period, who called in it, and the source of the visitor who was shown the number last;
        `NO_NUMBER` for those who were shown the main number.

    Notes
    -----
    Other visitors come at random at the scenario's rate, more in busy hours, in the rhythm of buyers. Their
    draws are keyed by hour, so they are the same whoever else comes. Who calls in the second of a view was
    there before it.
    """
    settings = world.scenario.observer.pool
    pool = Pool(settings.numbers, settings.lease_minutes * 60 if settings.policy == "lease" else 0.0)
    last = np.full(settings.numbers, NO_NUMBER, dtype=np.int64)
    # Calls to come: caller, number, moment of the call, moment of the view.
    waiting = np.zeros((0, 4), dtype=np.int64)
    for period, buyers in enumerate(batches):
        at, caller, delay, source = _views(world, others, period, buyers).T
        number = pool.show(at)
        main = caller[(caller >= 0) & (number == NO_NUMBER)]
        buying = np.flatnonzero((caller >= 0) & (number >= 0))
        new = np.column_stack((caller, number, at + delay, at))[buying]
        waiting = np.concatenate((waiting, new))
        due = waiting[:, 2] < (period + 1) * world.period
        last, found = _last_shown(at, number, source, last, waiting[due])
        yield np.append(main, waiting[due, 0]), np.append(np.full(len(main), NO_NUMBER), found)
        waiting = waiting[~due]
    # Who saw a number in the last days still calls.
    yield waiting[:, 0], last[waiting[:, 1]]


def _last_shown(
    at: Integers, number: Integers, source: Integers, last: Integers, calls: Integers
) -> tuple[Integers, Integers]:
    """Return per number the source of its last view, and per call that of the last view before it.

    The views are those of a period, in order; `last` is what was shown before them.
    """
    _, numbers, moment, seen = calls.T
    # How many views of the period come before the call: its own, and all others of that second, always do.
    before = np.where(
        moment == seen, np.searchsorted(at, moment, side="right"), np.searchsorted(at, moment, side="left")
    )
    rows = np.flatnonzero(number >= 0)
    order = rows[np.argsort(number[rows], kind="stable")]
    # Views by number and time, with what was shown before the period in front of each number's.
    size = len(at) + 1
    keys = np.concatenate((np.arange(len(last)) * size, number[order] * size + order + 1))
    place = np.argsort(keys, kind="stable")
    sources = np.concatenate((last, source[order]))[place]
    keys = keys[place]

    def of(numbers: Integers, before: Integers) -> Integers:
        return np.asarray(sources[np.searchsorted(keys, numbers * size + before, side="right") - 1])

    everyone = np.arange(len(last))
    return of(everyone, np.full(len(last), len(at))), of(numbers, before)


def _views(world: World, others: Integers, period: int, buyers: Integers) -> Integers:
    """Lay out the views of a period in order: moment, caller or -1, seconds to the call, source."""
    calendar, seed = world.scenario.calendar, world.seed
    first = (world.scenario.start.toordinal() - world.scenario.warmup_days - 1) % 7
    weights = np.outer(np.roll(np.asarray(calendar.days), -first), np.asarray(calendar.hours)).ravel()
    length = world.period // _HOUR
    hours = period * length + np.arange(length, dtype=np.int64)
    a_week = world.scenario.observer.pool.views_per_day * 7 * weights / weights.sum()
    mean = np.tile(a_week, world.period // WEEK)
    owner, index = ragged(poisson(uniform(seed, hours, "pool.count"), mean))
    hour = hours[owner]
    at = hour * _HOUR + np.floor(uniform(seed, hour, "pool.at", index) * _HOUR).astype(np.int64)
    names = source_names(world)
    source = others[pick(seed, hour, "pool.source", index, [names[other] for other in others])]
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
