"""The telephone desk agrees with queueing theory where theory has an answer, and with common sense
elsewhere."""

import datetime as dt

import numpy as np
import pytest

from simulator.chance import exponential, uniform
from simulator.desk import ABANDONED, ANSWERED, ENQUIRY, FOLLOW_UP, MISSED, VOICEMAIL, Callers, answer
from simulator.erlang import erlang_b, erlang_c, mean_wait
from simulator.hazard import NEVER
from simulator.market import DAY, WEEK, World
from simulator.scenario import load

ROUND_THE_CLOCK = {
    "desk.open_hour": 0.0,
    "desk.close_hour": 24.0,
    "desk.open_days": [0, 1, 2, 3, 4, 5, 6],
    "desk.holidays": [],
    "desk.voicemail": 0.0,
    "desk.retry": 0.0,
    "desk.talk_law": "exponential",
    "desk.talk_s": 240.0,
    "desk.patience_s": 1e9,
    "calendar.days": [1.0] * 7,
    "calendar.hours": [1.0] * 24,
    "warmup_days": 0,
    "tail_days": 400,
}
REPLICATIONS = 20


def at_rate(world, load_erlangs, count):
    """Callers at a steady rate that offers the stated load; talk takes 240 seconds on average."""
    gaps = exponential(uniform(world.seed, 0, "test.arrivals", np.arange(count))) * 240.0 / load_erlangs
    at = np.floor(np.cumsum(gaps)).astype(np.int64)
    who = np.arange(count, dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    return Callers(who, none_like(who), at, none, none)


def none_like(column):
    return np.zeros(len(column), dtype=np.int64)


def replicate(desk, load_erlangs, measure, count=2000):
    """Return a measure over the settled part of independent replications."""
    results = []
    for seed in range(REPLICATIONS):
        world = World(load("plain", ROUND_THE_CLOCK | desk), accounts=1, days=365, seed=seed)
        _, calls = answer(world, at_rate(world, load_erlangs, count), background=False)
        # The desk opens empty; the first tenth of the calls is left out.
        results.append(measure(calls, calls.at >= np.quantile(calls.at, 0.1)))
    return np.array(results)


def z(results, theory):
    return abs(results.mean() - theory) / (results.std(ddof=1) / np.sqrt(len(results)))


@pytest.mark.parametrize(("lines", "load_erlangs"), [(2, 1.5), (4, 4.0), (8, 5.0)])
@pytest.mark.parametrize("law", ["exponential", "lognormal"])
def test_without_a_queue_the_share_of_engaged_calls_is_erlang_b(lines, load_erlangs, law):
    # The lognormal law is given the same mean: the loss formula does not see the shape.
    sigma = 0.8
    shape = {"desk.talk_law": law, "desk.talk_sigma": sigma}
    if law == "lognormal":
        shape["desk.talk_s"] = 240.0 / np.exp(sigma**2 / 2)
    lost = replicate(
        {"desk.reps": lines, "desk.lines": lines} | shape,
        load_erlangs,
        lambda calls, settled: (calls.status[settled] == MISSED).mean(),
    )
    assert z(lost, erlang_b(lines, load_erlangs)) < 3.5


def test_with_endless_patience_waiting_is_erlang_c():
    desk = {"desk.reps": 3, "desk.lines": 20_000}
    waited = replicate(desk, 2.0, lambda calls, settled: (calls.wait_s[settled] > 0).mean())
    assert z(waited, erlang_c(3, 2.0)) < 3.5
    wait = replicate(desk, 2.0, lambda calls, settled: calls.wait_s[settled].mean())
    assert z(wait, mean_wait(3, 2.0, 240.0)) < 3.5


def test_people_are_busy_as_much_as_the_load_they_carry():
    def busy(calls, _):
        return calls.talk_s.sum() / (3 * (calls.at[-1] - calls.at[0]))

    used = replicate({"desk.reps": 3, "desk.lines": 20_000}, 2.0, busy)
    assert z(used, 2.0 / 3) < 3.5


def test_littles_law_holds_for_the_queue():
    def difference(calls, settled):
        begins, ends = calls.at[settled][0], calls.at[-1]
        looks = np.arange(begins, ends, 60)
        length = np.searchsorted(np.sort(calls.at), looks, side="right") - np.searchsorted(
            np.sort(calls.at + calls.wait_s), looks, side="right"
        )
        rate = settled.sum() / (ends - begins)
        return length.mean() - rate * calls.wait_s[settled].mean()

    gap = replicate({"desk.reps": 3, "desk.lines": 20_000}, 2.4, difference)
    assert z(gap, 0.0) < 3.5


def test_every_call_ends_in_exactly_one_way_and_every_caller_rings():
    world = World(load("plain", {"warmup_days": 0, "tail_days": 30}), accounts=10, days=60, seed=1)
    callers = at_rate(world, 4.0, 2000)
    reached, calls = answer(world, callers)
    assert np.isin(calls.status, [ANSWERED, MISSED, ABANDONED, VOICEMAIL]).all()
    first = (calls.purpose == ENQUIRY) & (calls.attempt == 0)
    assert sorted(calls.caller[first].tolist()) == list(range(2000))
    answered = np.zeros(2000, dtype=bool)
    answered[calls.caller[(calls.purpose == ENQUIRY) & (calls.status == ANSWERED)]] = True
    messages = np.zeros(2000, dtype=bool)
    messages[calls.caller[(calls.purpose == ENQUIRY) & (calls.status == VOICEMAIL)]] = True
    assert (reached[answered] < NEVER).all()
    assert ((reached < NEVER) <= (answered | messages)).all()
    assert (calls.talk_s[calls.status != ANSWERED] == 0).all()
    assert (np.diff(calls.at) >= 0).all()


def test_outside_hours_and_on_holidays_nobody_answers():
    scenario = load("plain", {"warmup_days": 0, "tail_days": 7, "desk.holidays": [dt.date(2025, 1, 8)]})
    world = World(scenario, accounts=10, days=28, seed=1)
    _, calls = answer(world, at_rate(world, 1.0, 1500))
    answered = calls.status == ANSWERED
    rang = calls.at + calls.wait_s
    # The window opens on Monday, 6 January 2025.
    weekday, hour = calls.at // DAY % 7, calls.at % DAY / 3600
    assert (weekday[answered] < 5).all()
    assert ((hour[answered] >= 8) & (hour[answered] < 17)).all()
    assert not (answered & (rang // DAY == 2)).any()
    assert answered.sum() > 100


def test_someone_who_leaves_a_message_is_called_back_at_the_next_opening():
    certain = {"desk.voicemail": 1.0, "desk.call_back": 1.0, "desk.holidays": [], "warmup_days": 0}
    world = World(load("plain", certain), accounts=1, days=28, seed=1)
    none = np.zeros(0, dtype=np.int64)
    saturday = np.array([5 * DAY + 12 * 3600], dtype=np.int64)
    zero = np.zeros(1, dtype=np.int64)
    reached, calls = answer(world, Callers(zero, zero, saturday, none, none), background=False)
    assert calls.status.tolist() == [VOICEMAIL]
    assert reached[0] == WEEK + 8 * 3600 + 600


def test_borealis_foods_tries_again_until_somebody_answers():
    # Everyone tries again without fail: more are reached than with one try, by far more than chance.
    keen = {"desk.reps": 1, "desk.lines": 1, "desk.voicemail": 0.0, "desk.retry": 1.0, "warmup_days": 0}
    shares = []
    for attempts in (1, 20):
        world = World(load("plain", keen | {"desk.attempts": attempts}), accounts=10, days=60, seed=3)
        reached, _ = answer(world, at_rate(world, 0.5, 1000))
        shares.append((reached < NEVER).mean())
    once, often = shares
    error = np.sqrt((once * (1 - once) + often * (1 - often)) / 1000)
    assert (often - once) / error > 3.5


def test_a_reached_caller_rings_again_while_waiting_for_the_quote():
    world = World(load("plain", ROUND_THE_CLOCK | {"desk.reps": 5, "desk.lines": 5}), 1, 28, 1)
    one = np.array([1000], dtype=np.int64)
    zero = np.zeros(1, dtype=np.int64)
    follow = np.array([500, 900], dtype=np.int64)
    _, calls = answer(world, Callers(zero, zero, one, np.array([0, 0]), follow), background=False)
    assert calls.purpose.tolist() == [ENQUIRY, FOLLOW_UP, FOLLOW_UP]
    assert calls.at.tolist() == [1000, 1500, 1900]


def test_more_demand_means_more_lost_calls():
    lost = [
        replicate(
            {"desk.reps": 2, "desk.lines": 2}, demand, lambda c, s: (c.status[s] == MISSED).mean(), 500
        ).mean()
        for demand in (0.5, 1.0, 2.0)
    ]
    assert lost == sorted(lost)


def test_a_desk_without_limits_answers_everyone_at_once():
    world = World(load("plain", {"desk.reps": 0, "warmup_days": 0}), accounts=10, days=28, seed=1)
    callers = at_rate(world, 3.0, 500)
    reached, calls = answer(world, callers)
    assert (reached == callers.at).all()
    assert (calls.status == ANSWERED).all()
    assert (calls.wait_s == 0).all()
