"""How many numbers, how many people: the formulas, and simulations that agree with them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.chance import exponential, uniform
from simulator.erlang import erlang_b, erlang_c, mean_wait, reshown
from simulator.sizing import desk_for, engaged, pool_for, smallest, steady, waiting

REPLICATIONS = 20


def z(results, theory):
    results = np.array(results)
    return abs(results.mean() - theory) / (results.std(ddof=1) / np.sqrt(len(results)))


@given(servers=st.integers(1, 30), load=st.floats(0.01, 40))
def test_erlang_b_is_the_truncated_poisson_distribution(servers, load):
    terms = [load**k / math.factorial(k) for k in range(servers + 1)]
    assert erlang_b(servers, load) == pytest.approx(terms[-1] / sum(terms), rel=1e-9)


def test_one_person_at_half_load_makes_half_the_callers_wait():
    # M/M/1: the chance to wait is the load, the mean wait is load / (1 - load) talk times.
    assert erlang_c(1, 0.5) == pytest.approx(0.5)
    assert mean_wait(1, 0.5, 240.0) == pytest.approx(240.0)


def test_an_overloaded_desk_never_catches_up():
    assert erlang_c(2, 2.0) == 1.0
    assert mean_wait(2, 2.0, 1.0) == math.inf


@pytest.mark.parametrize("call", [lambda: erlang_b(-1, 1), lambda: erlang_c(0, 1), lambda: reshown(0, 1)])
def test_sizes_that_cannot_be_are_refused(call):
    with pytest.raises(ValueError, match="must"):
        call()


@pytest.mark.parametrize(("simulated", "law"), [(engaged, erlang_b), (waiting, erlang_c)])
def test_callers_are_lost_as_erlang_b_says_without_a_queue_and_wait_as_erlang_c_says_in_one(simulated, law):
    shares = []
    for seed in range(REPLICATIONS):
        talk = exponential(uniform(seed, 0, "talk", np.arange(10_000)))
        shares.append(simulated(steady(seed, "calls", 5.0, 10_000), talk, 7))
    assert z(shares, law(7, 5.0)) < 3.5


def test_three_callers_and_one_person_by_pencil():
    # Talks of 2 begin at 0, 2 and 10: the second caller, at 1, waits; the third, at 10, does not.
    arrivals, talk = np.array([0.0, 1.0, 10.0]), np.array([2.0, 2.0, 2.0])
    assert waiting(arrivals, talk, 1) == pytest.approx(1 / 3)
    assert engaged(arrivals, talk, 1) == pytest.approx(1 / 3)


@given(target=st.floats(1e-6, 1.0), load=st.floats(0.1, 100))
def test_the_size_found_is_the_smallest_that_will_do(target, load):
    size = smallest(lambda lines: erlang_b(lines, load), target)
    assert erlang_b(size, load) <= target
    assert size == 1 or erlang_b(size - 1, load) > target


def test_a_loss_that_cannot_be_reached_is_refused():
    with pytest.raises(ValueError, match="no size up to 5"):
        smallest(lambda _: 0.5, 0.1, limit=5)
    with pytest.raises(ValueError, match="above 0"):
        smallest(lambda _: 0.0, 0.0)


def test_a_pool_for_sixty_views_an_hour_and_six_minutes_needs_thirteen_numbers():
    # P(Poisson(6) >= 13) = 0.0088 and P(Poisson(6) >= 12) = 0.0201.
    sizes = pool_for(60, 0.1, 0.01)
    needed = next(size for size in sizes if size.theory <= 0.01)
    assert needed.count == 13
    assert [size.count for size in sizes] == sorted({size.count for size in sizes})


def test_a_desk_for_thirty_calls_of_four_minutes_needs_five_people():
    sizes = desk_for(30, 4, 0.05, calls=2000)
    assert next(size for size in sizes if size.theory <= 0.05).count == 5
    # Where callers wait, they also stand in each other's way.
    sizes = desk_for(30, 4, 0.05, queue=True, calls=2000)
    assert next(size for size in sizes if size.theory <= 0.05).count == 6


@pytest.mark.parametrize("find", [lambda: pool_for(60, 0.1, 0.01), lambda: desk_for(30, 4, 0.05)])
def test_each_size_is_simulated_as_theory_says_within_its_own_error(find):
    for size in find():
        # Where nothing was lost in any run there is no error to measure by.
        assert abs(size.simulated - size.theory) < 3.5 * size.error or size.theory < 1e-4, size


def test_sizing_nothing_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        pool_for(0, 0.1, 0.01)
    with pytest.raises(ValueError, match="above 0"):
        desk_for(30, 0, 0.05)
