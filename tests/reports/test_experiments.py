"""Experiments: what a pause can show, what it has shown, and how often that is right."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from reports.experiments import Belief, Finding, Reading, propose, read, shortest
from reports.weeks import Design, Weeks, mean_of, student

STEADY = 10.0


def weeks(paused, other=None, *, before):
    """Return weeks of which so many come before the pause."""
    place = np.arange(-before, len(paused) - before)
    return Weeks(
        place, np.array(paused, dtype=float), None if other is None else np.array(other, dtype=float)
    )


def alternating(mean, number):
    """Return counts one above and one below a mean in turn: hardly any variance, and no trend."""
    return [mean + (-1) ** week for week in range(number)]


def drawn(rng, mean, dispersion):
    """Draw counts whose variance is a multiple of their mean: a gamma mixture of Poisson laws."""
    mean = np.asarray(mean, dtype=float)
    return rng.poisson(rng.gamma(mean / (dispersion - 1), dispersion - 1)).astype(float)


# --- Worked by hand -------------------------------------------------------------------------------------


def test_what_is_missing_against_the_weeks_before_is_the_lift() -> None:
    found = read(weeks([*alternating(10, 40), 10, 4, 4, 4, 4], before=40), 5)
    assert found.design is Design.before
    assert (found.weeks, found.observed) == (4, 16.0), "the first week settles"
    assert found.expected is not None
    assert found.expected.total == pytest.approx(40, abs=0.5)
    assert found.lift == pytest.approx(24, abs=0.5)
    assert found.finding is Finding.effect


def test_regions_that_go_on_say_what_would_have_come() -> None:
    # Twice as many leads everywhere in the pause: the season, which the regions share.
    told = weeks([10] * 20 + [12] * 4, [20] * 20 + [40] * 4, before=20)
    found = read(told, 4, settle=0)
    assert found.design is Design.regions
    assert found.expected is not None
    assert found.expected.total == pytest.approx(160 * 200 / 400)
    assert found.lift == pytest.approx(80 - 48)
    assert found.finding is Finding.effect


def test_the_interval_of_a_reading_by_regions_is_that_of_its_formula() -> None:
    told = weeks([10] * 20 + [12] * 4, [20] * 20 + [40] * 4, before=20)
    found = read(told, 4, settle=0)
    t = stats.t.ppf(0.95, 19)
    # The share is the same in all weeks, so that the dispersion is at its least, 1.
    factor = math.exp(t * math.sqrt(1 / 200 + 1 / 400 + 1 / 160))
    low, high = (
        48 + t * t / 2 - math.sqrt(48 * t * t + t**4 / 4),
        48 + t * t / 2 + math.sqrt(48 * t * t + t**4 / 4),
    )
    assert found.low == pytest.approx(32 - math.hypot(80 - 80 / factor, high - 48), rel=1e-3)
    assert found.high == pytest.approx(32 + math.hypot(80 * factor - 80, 48 - low), rel=1e-3)


def test_the_weeks_after_a_pause_count_once_they_have_settled() -> None:
    before, pause, after = alternating(10, 30), [10, 5, 5], [0, 10, 10, 10]
    with_after = read(weeks(before + pause + after, before=30), 3)
    assert with_after.expected is not None
    assert with_after.expected.weeks == 33
    assert with_after.expected.total == pytest.approx(20, abs=0.5), "the week of settling, 0, is left out"


def test_no_lead_in_the_pause_is_still_an_interval() -> None:
    found = read(weeks(alternating(10, 40) + [0] * 5, before=40), 5)
    assert found.lift == pytest.approx(40, abs=0.5)
    assert found.low is not None
    assert found.low < found.lift


def test_an_interval_that_holds_zero_is_no_effect() -> None:
    found = read(weeks([*alternating(10, 40), 10, 9, 9, 10, 9], before=40), 5)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high
    assert found.finding is Finding.unclear


def test_more_leads_without_it_are_said_to_be_more() -> None:
    found = read(weeks(alternating(10, 40) + [25] * 5, before=40), 5)
    assert found.finding is Finding.more


@pytest.mark.parametrize(
    ("told", "length"),
    [
        (weeks([10] * 20, before=15), 5),
        (weeks([0] * 40 + [0] * 5, before=40), 5),
        (weeks([10] * 40 + [10], before=40), 1),
        (weeks([1] * 20 + [1] * 4, [0] * 24, before=20), 4),
    ],
    ids=["15 weeks", "no leads", "only settling", "no leads elsewhere"],
)
def test_with_too_little_to_go_by_nothing_is_said(told: Weeks, length: int) -> None:
    found = read(told, length)
    assert (found.finding, found.lift, found.low) == (Finding.unknown, None, None)


def test_less_than_a_year_of_weeks_knows_no_season() -> None:
    known = [read(weeks(alternating(10, before) + [10] * 5, before=before), 5) for before in (40, 60)]
    assert [each.expected.seasonal for each in known if each.expected] == [False, True]


def test_season_and_trend_are_not_taken_for_an_effect() -> None:
    place = np.arange(-120, 12)
    mean = 30 * np.exp(0.003 * place + 0.4 * np.sin(2 * np.pi * place * 7 / 365.25))
    found = read(Weeks(place, mean), 12)
    assert found.lift == pytest.approx(0, abs=1e-6)


def test_regions_that_drift_apart_are_noticed() -> None:
    place = range(60)
    drifting = read(weeks([20 + week // 2 for week in place], [40] * 60, before=52), 8)
    level = read(weeks([20] * 60, [40] * 60, before=52), 8)
    assert [each.expected.parallel for each in (drifting, level) if each.expected] == [False, True]


def test_weeks_that_resemble_the_week_before_make_a_wider_interval() -> None:
    wave = [8, 8, 8, 8, 12, 12, 12, 12] * 6
    turns = [8, 12] * 24
    slow, fast = (read(weeks(each + [10] * 5, before=48), 5) for each in (wave, turns))
    assert slow.expected
    assert fast.expected
    assert slow.expected.dispersion > 2 * fast.expected.dispersion


# --- Planning -------------------------------------------------------------------------------------------


def test_the_smallest_effect_that_shows_is_a_smaller_share_of_a_longer_pause() -> None:
    proposals = propose(weeks(alternating(STEADY, 60), before=60))
    shares = [each.smallest / each.expected.total for each in proposals if each.smallest is not None]
    assert len(shares) == len(proposals) == 6
    assert shares == sorted(shares, reverse=True)


def test_at_the_smallest_effect_the_power_is_the_one_that_was_asked_for() -> None:
    [found] = propose(weeks(alternating(STEADY, 60), before=60), durations=(8,), power=0.8)
    assert found.smallest is not None
    assert found.power(found.smallest) == pytest.approx(0.8, abs=1e-3)
    assert found.power(0.0) < 0.1 < 0.5 < found.power(found.expected.total)


def test_a_campaign_too_small_to_be_seen_gets_no_proposal() -> None:
    proposals = propose(weeks(alternating(STEADY, 60), before=60))
    assert shortest(proposals, 0.05) is None
    large = shortest(proposals, 6.0)
    assert large is not None
    assert large.weeks == 4


def test_of_few_weeks_nothing_is_proposed() -> None:
    assert propose(weeks([10] * 12, before=12)) == []


def test_weeks_still_to_come_before_the_pause_are_bridged() -> None:
    told = Weeks(np.arange(-60, -4), np.full(56, STEADY))
    [found] = propose(told, durations=(5,))
    assert found.expected.total == pytest.approx(4 * STEADY)


# --- Beliefs --------------------------------------------------------------------------------------------


def test_a_belief_and_a_reading_are_weighted_by_their_precision() -> None:
    seen = Reading(Design.before, 8, 60.0, None, lift=10.0, low=0.0, high=20.0)
    after = Belief.between(0, 80).updated(seen)
    # Four times as wide: a sixteenth of the precision.
    assert after.mean == pytest.approx((16 * 10 + 40) / 17)
    assert after.error == pytest.approx(seen.high / 2 / 1.6449 / math.sqrt(1 + 1 / 16), rel=1e-3)  # type: ignore[operator]


def test_a_reading_without_an_interval_leaves_the_belief_as_it_was() -> None:
    belief = Belief.between(0, 80)
    assert belief.updated(Reading(Design.before, 0, 0.0, None)) == belief
    assert belief.span() == pytest.approx((0, 80))


def test_a_belief_whose_ends_are_exchanged_is_refused() -> None:
    with pytest.raises(ValueError, match="the lower end 8 must be below the upper end 2"):
        Belief.between(8, 2)


# --- Held against theory and chance ---------------------------------------------------------------------


@pytest.mark.parametrize("freedom", [8, 15, 50, 300])
@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_students_quantile_is_scipys(level: float, freedom: int) -> None:
    assert student(level, freedom) == pytest.approx(stats.t.ppf((1 + level) / 2, freedom), rel=1e-3)


def test_the_interval_of_a_mean_is_where_the_count_is_no_surprise() -> None:
    told = read(weeks([10] * 20 + [12] * 4, [20] * 20 + [40] * 4, before=20), 4, settle=0).expected
    assert told is not None
    t = student(0.9, told.freedom)
    for end in mean_of(48, told, 0.9):
        assert abs(48 - end) / math.sqrt(told.dispersion * end) == pytest.approx(t)


@given(
    st.lists(st.integers(0, 40), min_size=20, max_size=130),
    st.integers(1, 12),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_whatever_came_an_interval_is_finite_and_holds_its_lift(
    counts: list[int], length: int, by_regions: bool, seed: int
) -> None:
    other = np.random.default_rng(seed).integers(0, 30, len(counts)) if by_regions else None
    found = read(weeks(counts, other, before=len(counts) - length), length)
    if found.finding is not Finding.unknown:
        assert found.low is not None
        assert found.lift is not None
        assert found.high is not None
        assert -math.inf < found.low <= found.lift <= found.high < math.inf


@pytest.mark.parametrize("by_regions", [False, True])
@pytest.mark.parametrize("effect", [0.0, 0.3])
def test_nine_of_ten_intervals_hold_the_effect(by_regions: bool, effect: float) -> None:
    """A z-test with few leads, dispersion, season and trend: 3.3 errors off happen once in 1,000."""
    rng, runs, held, wrong = np.random.default_rng(5), 400, 0, 0
    place = np.arange(-104, 9)
    mean = 6 * np.exp(0.002 * place + 0.3 * np.sin(2 * np.pi * place * 7 / 365.25))
    inside = place >= 1
    for _ in range(runs):
        paused = drawn(rng, np.where(place >= 0, mean * (1 - effect), mean), 1.6)
        found = read(Weeks(place, paused, drawn(rng, mean, 1.6) if by_regions else None), 9)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= effect * mean[inside].sum() <= found.high
        wrong += effect == 0 and found.finding is not Finding.unclear
    error = math.sqrt(0.9 * 0.1 / runs)
    assert abs(held / runs - 0.9) < 3.3 * error
    assert wrong / runs < 0.1 + 3.3 * error


def test_the_power_of_a_plan_is_how_often_the_effect_is_seen() -> None:
    """A z-test on plans and readings of the same weeks: the difference of two means, pair by pair."""
    rng, runs = np.random.default_rng(6), 300
    place, mean, effect = np.arange(-104, 9), 12.0, 0.3
    apart = []
    for _ in range(runs):
        before = drawn(rng, np.full(104, mean), 1.6)
        [plan] = propose(Weeks(place[:104], before), durations=(9,))
        paused = np.concatenate([before, drawn(rng, np.full(9, mean * (1 - effect)), 1.6)])
        seen = read(Weeks(place, paused), 9).finding is Finding.effect
        apart.append(seen - plan.power(effect * mean * 8))
    assert abs(np.mean(apart)) < 3.3 * np.std(apart, ddof=1) / math.sqrt(runs)
