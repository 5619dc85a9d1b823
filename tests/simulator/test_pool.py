"""The pool of numbers on a web site agrees with queueing theory, alone and within a simulated world."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.chance import poisson, uniform
from simulator.erlang import erlang_b, reshown
from simulator.market import DAY, WEEK, World
from simulator.pool import NO_NUMBER, Pool, callers_taken_for, mistaken
from simulator.scenario import load
from simulator.sizing import steady

REPLICATIONS = 20
# Everybody comes evenly by day and night, as theory assumes.
EVENLY = {"calendar.days": [1.0] * 7, "calendar.hours": [1.0] * 24, "warmup_days": 0, "tail_days": 0}


def z(results, theory):
    results = np.array(results)
    return abs(results.mean() - theory) / (results.std(ddof=1) / np.sqrt(len(results)))


@pytest.mark.parametrize(("numbers", "load"), [(4, 6.0), (8, 6.0), (12, 6.0)])
def test_a_lease_pool_overflows_as_erlang_b_says(numbers, load):
    # Leases of fixed length: the loss formula holds for any distribution of the holding time.
    views = [steady(seed, "views", load, 5_000) for seed in range(REPLICATIONS)]
    shares = [(Pool(numbers, 1.0).show(moments) == NO_NUMBER).mean() for moments in views]
    assert z(shares, erlang_b(numbers, load)) < 3.5


@pytest.mark.parametrize(("numbers", "views"), [(4, 6.0), (8, 6.0), (12, 6.0)])
def test_a_pool_that_never_runs_out_mistakes_callers_as_the_poisson_tail_says(numbers, views):
    shares = []
    for seed in range(REPLICATIONS):
        moments = steady(seed, "views", views, 5_000)
        shares.append(mistaken(moments, numbers, np.ones(len(moments))))
    assert z(shares, reshown(numbers, views)) < 3.5


def buyers(world, per_day, delay_s):
    """Return, per period, buyers who see a number and call so much later, each with a source of his own."""
    weeks = -(-world.ends // WEEK)
    count = int(poisson(uniform(world.seed, 0, "test.buyers"), per_day * weeks * 7.0)[0])
    at = np.sort(np.floor(uniform(world.seed, 1, "test.at", np.arange(count)) * weeks * WEEK)).astype(
        np.int64
    )
    caller = np.arange(count)
    rows = np.column_stack((caller, caller, caller * 0, at, caller * 0 + delay_s, 1000 + caller))
    return [rows[at // world.period == period] for period in range(world.periods)]


def in_world(settings, delay_s, measure, per_day=20.0):
    """Return a measure of what buyers are taken for, over independent worlds of four weeks."""
    results = []
    for seed in range(REPLICATIONS):
        world = World(load("plain", EVENLY | settings), accounts=1, days=28, seed=seed)
        found = callers_taken_for(world, np.array([1]), buyers(world, per_day, delay_s))
        pairs = [np.column_stack(each) for each in found]
        results.append(measure(np.concatenate(pairs)))
    return results


def test_in_a_world_visitors_find_the_pool_full_as_erlang_b_says():
    lease = {"observer.pool.policy": "lease", "observer.pool.lease_minutes": 60.0}
    pool = lease | {"observer.pool.numbers": 14, "observer.pool.views_per_day": 268.0}
    # 268 others and 20 buyers a day, each holding a number for an hour: 12 erlangs.
    full = in_world(pool, 600, lambda pairs: (pairs[:, 1] == NO_NUMBER).mean())
    assert z(full, erlang_b(14, 12.0)) < 3.5


def test_in_a_world_callers_are_mistaken_as_the_poisson_tail_says():
    pool = {"observer.pool.numbers": 10, "observer.pool.views_per_day": 268.0}
    # 288 visits a day are 6 in half an hour.
    wrong = in_world(pool, 1800, lambda pairs: (pairs[:, 1] != 1000 + pairs[:, 0]).mean())
    assert z(wrong, reshown(10, 6.0)) < 3.5


def test_every_buyer_who_saw_a_number_is_taken_for_somebody():
    world = World(load("plain", EVENLY), accounts=1, days=28, seed=1)
    batches = buyers(world, 20.0, 9 * 86_400)
    found = [np.column_stack(each) for each in callers_taken_for(world, np.array([1]), batches)]
    assert sorted(np.concatenate(found)[:, 0].tolist()) == np.concatenate(batches)[:, 0].tolist()


def by_hand(views, numbers, lease):
    """Say which number each visitor is shown and whom each caller is taken for, second by second.

    `views` are pairs of moment and delay to the call, None for visitors who do not call.
    """
    free_at = [float("-inf")] * numbers
    turn = list(range(-numbers, 0))  # when each number was shown last, counted in views
    visitor_of = [None] * numbers
    shown, taken_for = [], {}
    ends = max((at + (delay or 0) for at, delay in views), default=0)
    for now in range(ends + 1):
        # Calls of this second come before its views, but for those of visitors who see their number in it.
        for late in (False, True):
            for visitor, number in enumerate(shown):
                at, delay = views[visitor]
                if delay is not None and at + delay == now and late == (delay == 0):
                    taken_for[visitor] = NO_NUMBER if number == NO_NUMBER else visitor_of[number]
            if late:
                break
            for visitor, (at, _) in enumerate(views):
                if at == now:
                    free = [number for number in range(numbers) if free_at[number] <= now]
                    longest = min(free, key=lambda number: turn[number], default=NO_NUMBER)
                    shown.append(longest)
                    if longest != NO_NUMBER:
                        free_at[longest], turn[longest] = now + lease, visitor
                        visitor_of[longest] = visitor
    return shown, taken_for


VIEWS = st.lists(st.tuples(st.integers(0, 12), st.none() | st.integers(0, 40)), min_size=1, max_size=25).map(
    # Gaps between views, added up.
    lambda pairs: list(zip(np.cumsum([gap for gap, _ in pairs]).tolist(), [d for _, d in pairs], strict=True))
)


@given(views=VIEWS, numbers=st.integers(1, 5), lease=st.integers(0, 100))
def test_the_sweep_shows_the_numbers_that_are_found_by_hand(views, numbers, lease):
    moments = np.array([at for at, _ in views])
    assert Pool(numbers, lease).show(moments).tolist() == by_hand(views, numbers, lease)[0]


@cache
def quiet_world(numbers, minutes):
    """A world of four weeks in which nobody but buyers visits, in periods of a week each."""
    settings = {"observer.pool.numbers": numbers, "observer.pool.views_per_day": 0.0}
    lease = {"observer.pool.policy": "lease", "observer.pool.lease_minutes": float(minutes)}
    many = {"desk.junk_per_day": 3000.0}
    world = World(load("plain", EVENLY | settings | many | (lease if minutes else {})), 1, 28, 1)
    assert world.period == WEEK
    return world


@given(views=VIEWS, numbers=st.integers(1, 4), minutes=st.integers(0, 30))
def test_callers_are_taken_for_those_who_are_found_by_hand(views, numbers, minutes):
    world = quiet_world(numbers, minutes)
    # In minutes, so that going through them by hand is quick; the first period ends among the views.
    begins = world.period - 40 * 60
    # Who does not call is here a buyer who calls in the last week.
    calls = [delay is not None for _, delay in views]
    rows = np.array(
        [
            (visitor, visitor, 0, begins + at * 60, 14 * DAY if delay is None else delay * 60, visitor)
            for visitor, (at, delay) in enumerate(views)
        ]
    )
    period = rows[:, 3] // world.period
    batches = [rows[period == each] for each in range(world.periods)]
    found = [np.column_stack(each) for each in callers_taken_for(world, np.array([1]), batches)]
    got = {caller: source for caller, source in np.concatenate(found).tolist() if calls[caller]}
    assert got == by_hand(views, numbers, minutes)[1]


def test_a_late_caller_is_taken_for_the_last_visitor_who_saw_the_number():
    # Two numbers: Borealis sees the first, Cobalt the second, Drift the first again.
    borealis, cobalt, drift = Pool(2, 0.0).show(np.array([10, 20, 30])).tolist()
    assert borealis == drift != cobalt
