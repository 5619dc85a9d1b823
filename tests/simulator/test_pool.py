"""The pool of numbers on a web site agrees with queueing theory, alone and within a simulated world."""

import numpy as np
import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st

from simulator.chance import poisson, uniform
from simulator.erlang import erlang_b, reshown
from simulator.market import WEEK, World
from simulator.pool import NO_NUMBER, Pool, callers_taken_for, mistaken, overflow
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
    shares = [overflow(steady(seed, "views", load, 5_000), numbers, 1.0) for seed in range(REPLICATIONS)]
    assert z(shares, erlang_b(numbers, load)) < 3.5


@pytest.mark.parametrize(("numbers", "views"), [(4, 6.0), (8, 6.0), (12, 6.0)])
def test_a_pool_that_never_runs_out_mistakes_callers_as_the_poisson_tail_says(numbers, views):
    shares = []
    for seed in range(REPLICATIONS):
        moments = steady(seed, "views", views, 5_000)
        shares.append(mistaken(moments, numbers, np.ones(len(moments))))
    assert z(shares, reshown(numbers, views)) < 3.5


def buyers(world, per_day, delay_s):
    """Return, per week, buyers who see a number and call so much later, each with a source of his own."""
    weeks = -(-world.ends // WEEK)
    count = int(poisson(uniform(world.seed, 0, "test.buyers"), per_day * weeks * 7.0)[0])
    at = np.sort(np.floor(uniform(world.seed, 1, "test.at", np.arange(count)) * weeks * WEEK)).astype(
        np.int64
    )
    caller = np.arange(count)
    rows = np.column_stack((caller, caller, caller * 0, at, caller * 0 + delay_s, 1000 + caller))
    return [rows[at // WEEK == week] for week in range(weeks)]


def in_world(settings, delay_s, measure, per_day=20.0):
    """Return a measure of what buyers are taken for, over independent worlds of four weeks."""
    results = []
    for seed in range(REPLICATIONS):
        world = World(load("supplier", EVENLY | settings), accounts=1, days=28, seed=seed)
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
    world = World(load("supplier", EVENLY), accounts=1, days=28, seed=1)
    weeks = buyers(world, 20.0, 9 * 86_400)
    found = [np.column_stack(each) for each in callers_taken_for(world, np.array([1]), weeks)]
    assert sorted(np.concatenate(found)[:, 0].tolist()) == np.concatenate(weeks)[:, 0].tolist()


@given(
    gaps=st.lists(st.integers(1, 30), min_size=1, max_size=40),
    numbers=st.integers(1, 5),
    lease=st.integers(1, 100),
)
def test_a_number_on_lease_is_shown_to_nobody_else(gaps, numbers, lease):
    environment = simpy.Environment()
    pool = Pool(environment, numbers, lease)
    shown: dict[int, float] = {}
    for visitor, gap in enumerate(gaps):
        environment.run(until=environment.now + gap)
        number = pool.show(visitor)
        if number is None:
            assert len(shown) == numbers
            assert all(environment.now - at <= lease for at in shown.values())
        else:
            assert environment.now - shown.get(number, -lease) >= lease
            assert pool.taken_for(number) == visitor
            shown[number] = environment.now


def test_a_late_caller_is_taken_for_the_last_visitor_who_saw_the_number():
    # Two numbers: Borealis sees the first, Cobalt the second, Drift the first again.
    pool = Pool(simpy.Environment(), 2, 0.0)
    borealis, cobalt, drift = (pool.show(visitor) for visitor in (10, 20, 30))
    assert borealis == drift != cobalt
    assert pool.taken_for(borealis) == 30
    assert pool.taken_for(cobalt) == 20
