"""Companies, needs and meetings with campaigns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.market import DAY, WEEK, Week, World, populate
from simulator.scenario import load


@pytest.fixture(scope="module")
def world():
    return World(load("plain"), accounts=4000, days=365, seed=7)


@pytest.fixture(scope="module")
def shard(world):
    return populate(world, 0, 4000)


def test_a_company_is_the_same_in_whatever_shard_it_is_laid_out(world, shard):
    small = populate(world, 1000, 50)
    inside = (shard.needs.account >= 1000) & (shard.needs.account < 1050)
    assert (shard.needs.onset[inside] == small.needs.onset).all()
    assert (shard.needs.deadline[inside] == small.needs.deadline).all()
    met = (shard.exposures.account >= 1000) & (shard.exposures.account < 1050)
    whole = sorted(
        zip(shard.exposures.campaign[met], shard.exposures.at[met], shard.exposures.key[met], strict=True)
    )
    part = sorted(zip(small.exposures.campaign, small.exposures.at, small.exposures.key, strict=True))
    assert whole == part
    assert (shard.group[1000:1050] == small.group).all()


def test_taking_a_campaign_out_of_the_scenario_moves_no_meeting_of_another(world, shard):
    fewer = load("plain")
    kept = {name: campaign for name, campaign in fewer.campaigns.items() if name != "email"}
    other = populate(World(fewer.model_copy(update={"campaigns": kept}), 4000, 365, 7), 0, 4000)
    for position, name in enumerate(kept):
        before = shard.exposures.at[shard.exposures.campaign == world.campaigns.index(name)]
        assert (before == other.exposures.at[other.exposures.campaign == position]).all()


def test_more_spend_only_adds_meetings(world):
    once, twice = populate(world, 0, 500), populate(world, 0, 500, layers=2)
    low = twice.exposures.threshold < 1.0
    assert sorted(once.exposures.at) == sorted(twice.exposures.at[low])
    count = (~low).sum()
    # The second layer is as large as the first: the difference of two Poisson counts, tested by its own
    # spread.
    assert abs(count - low.sum()) < 4 * np.sqrt(count + low.sum())


def test_needs_arrive_at_the_stated_rate_of_each_kind(world, shard):
    years = world.ends / DAY / 365
    sizes = list(world.scenario.market.sizes.values())
    demand = np.array([size.demand for size in sizes])[shard.size].sum()
    for position, need in enumerate(world.scenario.needs.values()):
        months = (np.datetime64("2024-01-07") + np.arange(world.ends // DAY)).astype("datetime64[M]").astype(
            int
        ) % 12
        season = np.array(need.season)
        expected = demand * need.per_year * years * (season / season.mean())[months].mean()
        seen = (shard.needs.kind == position).sum()
        assert abs(seen - expected) < 4 * np.sqrt(expected)


def test_arrivals_are_uniform_given_their_number():
    # Lewis' conditional-uniform test of a Poisson process, on a season without peaks so that the intensity is
    # constant. Moments are whole seconds of about a year: rounding shifts the distribution by one part in 30
    # million.
    flat = load("plain", {"needs.custom_part.season": [1.0] * 12})
    world = World(flat, 4000, 365, 3)
    needs = populate(world, 0, 4000).needs
    kind = list(flat.needs).index("custom_part")
    onset = np.sort(needs.onset[needs.kind == kind]) / world.ends
    assert stats.kstest(onset, "uniform").pvalue > 0.001
    # Spacings after the transformation: a process with bunches or gaps passes the first test and fails this
    # one.
    logs = -np.log(onset[:-1] / onset[1:]) * np.arange(1, len(onset))
    assert stats.kstest(logs[100:], "expon").pvalue > 0.001


def test_needs_follow_the_season():
    peaked = load("plain", {"needs.custom_part.season": [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]})
    world = World(peaked, 2000, 365, 3)
    needs = populate(world, 0, 2000).needs
    onset = needs.onset[needs.kind == list(peaked.needs).index("custom_part")]
    start = np.datetime64("2024-01-07T00:00:00")
    months = (start + onset.astype("timedelta64[s]")).astype("datetime64[M]").astype(int) % 12
    assert set(months.tolist()) == {5}


def test_searchers_meet_search_advertisements_only_while_a_need_is_open(world, shard):
    searched = np.flatnonzero(shard.exposures.need >= 0)
    need = shard.exposures.need[searched]
    assert len(searched) > 0
    assert (shard.exposures.at[searched] >= shard.needs.onset[need]).all()
    assert (shard.exposures.at[searched] < shard.needs.deadline[need]).all()


def test_a_fair_is_a_pulse(world, shard):
    fair = world.campaigns.index("trade_fair")
    days = (shard.exposures.at[shard.exposures.campaign == fair] - world.opens) // DAY
    assert set(np.unique(days).tolist()) == {-300, -299, -298, -120, -119, -118, 65, 66, 67, 245, 246, 247}


def test_the_week_maps_to_the_wall_clock_and_back(world):
    week = Week(world)
    activity = np.arange(0, 3 * WEEK, 997, dtype=np.int64)
    wall = week.wall(activity)
    assert (np.diff(wall) >= 0).all()
    # A second of quiet night covers many on the wall, so the way back is exact only to what one wall second
    # holds.
    assert np.abs(week.activity(wall) - activity).max() <= 2
    assert week.wall(np.array([WEEK]))[0] == WEEK


def test_activity_falls_into_working_hours_as_the_calendar_says(world):
    wall = Week(world).wall(np.arange(0, WEEK, 60, dtype=np.int64))
    # The supplier's warm-up opens on a Sunday.
    weekday = (wall // DAY + 6) % 7
    hour = wall % DAY // 3600
    calendar = world.scenario.calendar
    weights = np.outer(calendar.days, calendar.hours)
    share = weights[:5, 7:18].sum() / weights.sum()
    # Looked at once a minute: each of the ten edges of a working day is seen to within one look.
    assert ((weekday < 5) & (hour >= 7) & (hour < 18)).mean() == pytest.approx(share, abs=10 / (WEEK / 60))


@given(wall=st.integers(0, 4 * WEEK), activity=st.integers(0, 2 * WEEK))
def test_a_single_moment_moves_as_many_do(wall, activity):
    week = Week(World(load("plain"), accounts=1, days=1, seed=1))
    many = week.wall(week.activity(np.array([wall])) + activity)
    assert week.later(wall, activity) == many[0]
