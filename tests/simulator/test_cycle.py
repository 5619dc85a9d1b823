"""From need to order: hazards, competing ends, and what a campaign can and cannot do."""

import numpy as np
import pytest

from simulator.cycle import LOST, NO_DECISION, OPEN, WON, Cycle, at_once
from simulator.hazard import NEVER, Stage
from simulator.market import DAY, Exposures, Needs, Shard, Week, World, populate
from simulator.scenario import load


def run(world, scale, count=None):
    cycle = Cycle(populate(world, 0, count or world.accounts))
    outcome, enquiries = cycle.enquire(scale)
    full, orders = cycle.finish(scale, outcome, at_once(outcome))
    return cycle.shard, full, orders, enquiries


@pytest.fixture(scope="module")
def world():
    return World(load("plain", {"desk.reps": 0}), accounts=1500, days=365, seed=4)


def one_need(met_at, *, impulse=0.0, lift=0.0, organic=1.0, saturation=0.0):
    """Borealis Foods has one need on day 0 and meets the fair at the given moments, in days."""
    fair = {
        "campaigns.trade_fair.impulse": {"contact": impulse},
        "campaigns.trade_fair.lift": {"contact": lift},
    }
    rest = {
        "organic.contact": organic,
        "organic.saturation": saturation,
        "campaigns.trade_fair.half_life_days": 10.0,
    }
    world = World(load("one-touch", fair | rest), accounts=1, days=365, seed=0)
    column = np.zeros(1, dtype=np.int64)
    needs = Needs(column, column, column, column, column, column + 300 * DAY)
    count = len(met_at)
    zeros = np.zeros(count, dtype=np.int64)
    at = np.array([round(day * DAY) for day in met_at], dtype=np.int64)
    meetings = Exposures(
        zeros, zeros, zeros + 1, zeros - 1, at, np.zeros(count), np.arange(count), zeros, zeros - 1
    )
    return Shard(world, column, column, column, column, column + 1, needs, meetings)


def waited(shard, share, mean_days=100.0, active=True):
    """Return after how many days the contact comes whose uniform is `share`."""
    stage = Stage(shard, "contact", np.array([mean_days]), np.array([share]))
    moment = stage.crossing(np.full(len(shard.exposures), active), np.zeros(1, dtype=np.int64))[0]
    return None if moment == NEVER else moment / DAY


HALF = 1 - np.exp(-0.5)  # the uniform whose exponential wait is half a mean: 50 days of 100


def test_without_meetings_the_wait_is_the_organic_one():
    assert waited(one_need([]), HALF) == pytest.approx(50, abs=1e-4)


def test_twice_the_organic_weight_halves_the_wait():
    assert waited(one_need([], organic=2.0), HALF) == pytest.approx(25, abs=1e-4)


def test_without_organic_demand_nobody_comes_unprompted():
    assert waited(one_need([], organic=0.0), HALF) is None


def test_a_push_greater_than_what_is_missing_brings_the_contact_at_the_meeting():
    # fair (day 20): 20 days gathered, 50 wanted, a push of 0.4 means = 40 days.
    assert waited(one_need([20], impulse=0.4), HALF) == 20


def test_a_push_smaller_than_what_is_missing_brings_the_contact_forward():
    # fair (day 20) with a push of 0.1 means = 10 days: 50 days are gathered on day 40.
    assert waited(one_need([20], impulse=0.1), HALF) == pytest.approx(40, abs=1e-4)


def test_a_lift_halves_twice_and_ends():
    # fair (day 0), lift 2, half-life 10: 10 days at 3, 10 at 2 gather 50 days on day 20.
    assert waited(one_need([0], lift=2.0), HALF) == pytest.approx(20, abs=1e-4)
    # lift 1: 10 days at 2, 10 at 1.5, 10 at 1.25 gather 47.5 by day 30, and the rest comes at 1.
    assert waited(one_need([0], lift=1.0), HALF) == pytest.approx(32.5, abs=1e-4)


def test_two_meetings_add_up_and_a_ceiling_holds_them_back():
    assert waited(one_need([0, 0], lift=1.0), HALF) == pytest.approx(20, abs=1e-4)
    # A ceiling of 1: a joint lift of 2 becomes 1 - exp(-2), of 1 becomes 1 - exp(-1), of 0.5 becomes 1 -
    # exp(-0.5).
    steps = [1 + 1 - np.exp(-2), 1 + 1 - np.exp(-1), 1 + 1 - np.exp(-0.5)]
    rest = 30 + (50 - 10 * sum(steps))
    assert waited(one_need([0, 0], lift=1.0, saturation=1.0), HALF) == pytest.approx(rest, abs=0.01)


def test_a_campaign_switched_off_leaves_the_wait_as_it_was():
    assert waited(one_need([20], impulse=0.4, lift=2.0), HALF, active=False) == pytest.approx(50, abs=1e-4)


def test_every_need_ends_in_exactly_one_way(world):
    shard, full, orders, _ = run(world, np.ones(9))
    assert (np.bincount(full.status, minlength=4)[[WON, LOST, NO_DECISION, OPEN]] > 0).all()
    won = full.status == WON
    assert (full.won_at[won] < shard.needs.deadline[won]).all()
    assert (full.won_at[~won] == NEVER).all()
    assert (full.ended_at[full.status == OPEN] >= world.ends).all()
    assert np.isin(orders.need, np.flatnonzero(won)).all()
    assert (np.bincount(orders.need[orders.repeat == 0], minlength=len(won)) == won).all()


def test_the_stages_follow_each_other(world):
    _, full, _, _ = run(world, np.ones(9))
    for before, after in (
        (full.shortlist_at, full.contact_at),
        (full.contact_at, full.reached_at),
        (full.reached_at, full.quote_at),
        (full.quote_at, full.won_at),
    ):
        came = after < NEVER
        assert came.any()
        assert (before[came] <= after[came]).all()


def test_with_every_caller_answered_nobody_is_lost_by_adding_a_campaign(world):
    everything = np.ones(9)
    _, with_all, _, _ = run(world, everything)
    for left_out in range(9):
        scale = everything.copy()
        scale[left_out] = 0.0
        _, without, _, _ = run(world, scale)
        assert (with_all.won_at <= without.won_at).all(), world.campaigns[left_out]
        assert (with_all.contact_at <= without.contact_at).all()


def test_more_spend_loses_nobody_either(world):
    _, once, _, _ = run(world, np.ones(9))
    _, more, _, _ = run(world, np.full(9, 1.7), count=1500)
    # The number of layers laid out differs between the two and must not matter.
    assert more.won_at.shape == once.won_at.shape
    assert (more.won_at <= once.won_at).all()


def test_orders_grow_with_a_campaign_that_makes_them_grow():
    base = load("plain", {"desk.reps": 0, "campaigns.print_catalogue.lift": {}})
    world = World(base, accounts=800, days=365, seed=2)
    scale = np.ones(9)
    _, _, orders, _ = run(world, scale)
    scale[world.campaigns.index("print_catalogue")] = 0
    _, _, without, _ = run(world, scale)
    assert (orders.at == without.at).all()
    ratio = orders.value_minor / without.value_minor
    assert set(np.round(ratio, 2)) == {1.0, 1.1}


def test_the_mean_time_to_contact_is_the_stated_one():
    # With long-lived needs and no campaigns the wait from shortlist to contact is exponential with the stated
    # mean.
    calm = {
        "warmup_days": 0,
        "needs.custom_part.lifetime_days": 100_000.0,
        "needs.custom_part.lifetime_sigma": 0.0,
        "organic.shortlist": 1.0,
        "organic.contact": 1.0,
    }
    world = World(load("plain", calm), accounts=4000, days=365, seed=9)
    shard, full, _, _ = run(world, np.zeros(9))
    kind = list(world.scenario.needs).index("custom_part")
    early = (shard.needs.kind == kind) & (shard.needs.onset < 200 * DAY)
    wait = (full.contact_at - full.shortlist_at)[early] / DAY
    assert abs(wait.mean() - 25) < 4 * 25 / np.sqrt(early.sum())


def test_enquiries_without_a_need_come_only_from_the_campaigns_that_cause_them():
    world = World(load("plain", {"desk.reps": 0, "warmup_days": 0}), accounts=1500, days=365, seed=4)
    _, _, _, enquiries = run(world, np.ones(9))
    assert (enquiries.need == -1).sum() > 0
    scale = np.ones(9)
    scale[world.campaigns.index("trade_fair")] = 0
    _, _, _, without = run(world, scale)
    assert (without.need == -1).sum() == 0


def test_wall_clock_order_is_activity_order(world):
    _, full, _, _ = run(world, np.ones(9))
    won = np.sort(full.won_at[full.won_at < NEVER])
    assert (np.diff(Week(world).wall(won)) >= 0).all()
