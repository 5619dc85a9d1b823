"""What campaigns may cause under beliefs, and which test would change the decision, by pencil."""

from dataclasses import replace

import numpy as np
import pytest

from simulator.beliefs import ANYWAY, NOTHING, UNSURE, Beliefs
from simulator.decide import Cell, Trial
from simulator.families import EFFECTIVE, NONE
from simulator.information import LARGE, effects, otherwise, pauses

MOVES = [("a", "b"), ("b", "a")]
PAIRS = [(anyway, nothing) for anyway in ANYWAY for nothing in NOTHING]
SURE_OF_NOTHING = Beliefs(UNSURE, UNSURE, UNSURE)


def trial(brings, leads=400.0, spend=0):
    """Make a trial in which a's leads in a family say whether money should go to a, for 50 either way."""
    cells = []
    for family, a in brings.items():
        for number, (anyway, nothing) in enumerate(PAIRS):
            for finding in (True, False):
                gain = (50.0 if a < 100 else -50.0) + (-1) ** number
                cells.append(
                    Cell(
                        family,
                        anyway,
                        nothing,
                        finding,
                        0.5,
                        gains=(gain, -gain),
                        caused=(2 * a, 20.0),
                        brought=(a, 5.0),
                        leads=leads,
                    )
                )
    costs = {"a": spend, "b": spend}
    return Trial(MOVES, 100, 10_000, {"linear": ("a", "b")}, [], [], [], cells, campaigns=costs, days=364)


def half(low, high):
    """Let a bring so many leads in three families, and so many in the other three."""
    return {family: low if number % 2 else high for number, family in enumerate(EFFECTIVE)}


def test_the_estimate_is_the_mean_over_worlds_and_its_range_holds_their_weight():
    found = {each.campaign: each for each in effects(trial(half(0.0, 200.0)), SURE_OF_NOTHING)}
    none = SURE_OF_NOTHING.families()[NONE]
    # Half of the families that have an effect say 400, the other half 0, as does no effect at all.
    assert found["a"].mean == pytest.approx(200 * (1 - none))
    # The upper end is on a scale of square roots and judged by the other worlds, so that it is about 400.
    assert (found["a"].low, found["a"].high) == (0, pytest.approx(400, rel=0.02))
    assert found["b"].mean == pytest.approx(20 * (1 - none))
    # A campaign to which nothing tracked leads says so and stands last, however large its estimate.
    guessed = effects(replace(trial(half(0.0, 200.0)), untracked=["a"]), SURE_OF_NOTHING)
    assert [(each.campaign, each.tracked) for each in guessed] == [("b", True), ("a", False)]
    alone = effects(trial(half(0.0, 200.0)), SURE_OF_NOTHING, without=(NONE,))
    assert {each.campaign: each.mean for each in alone} == pytest.approx({"a": 200, "b": 20})
    # With most of the weight on one value the range is that value.
    certain = effects(trial(half(200.0, 200.0)), SURE_OF_NOTHING, without=(NONE,), level=0.5)
    assert (certain[0].campaign, certain[0].low, certain[0].high) == ("a", *2 * (pytest.approx(400),))


def test_ranges_hold_large_effects_as_often_as_small_ones():
    # In each world one campaign of twenty is large, at sizes that scatter evenly; which one, chance decides.
    random = np.random.default_rng(3)
    worlds = [(family, *pair) for family in EFFECTIVE for pair in PAIRS * 4]
    names, cells, truths = [f"c{n}" for n in range(20)], [], []
    for family, anyway, nothing in worlds * 2:
        caused = 10 * random.random(20)
        caused[random.integers(20)] = random.uniform(100, 500)
        truths.append(caused)
        cells.append(Cell(family, anyway, nothing, True, 0.5, (), caused=tuple(caused)))
    half = len(worlds)
    tried = Trial(MOVES, 100, 1_000, {}, [], [], [], cells[:half], campaigns=dict.fromkeys(names, 0))
    found = {each.campaign: each for each in effects(tried, SURE_OF_NOTHING)}
    true = np.array(truths[half:])
    low, high = (np.array([getattr(found[name], end) for name in names]) for end in ("low", "high"))
    holds, large = (true >= low) & (true <= high), true >= LARGE * tried.margin_minor
    # Of 216 other worlds; four standard errors of a share of 0.9.
    assert large.sum() == half
    assert abs(holds[large].mean() - 0.9) < 4 * np.sqrt(0.09 / half)
    # Nine in ten of the weight alone would hold none of them: in most worlds a campaign is small.
    assert np.quantile(np.array(truths[:half]), 0.95, axis=0).mean() < 300


def test_a_range_reckons_with_a_world_beyond_all_that_were_tried():
    # Of 18 worlds one causes 4,000 and the others 400. The market itself is one more: 90 % of 19 are all 18.
    cells = [
        Cell(family, *PAIRS[0], True, 0.5, (), caused=(4_000.0 if (family, number) == odd else 400.0,))
        for odd in [(EFFECTIVE[0], 0)]
        for family in EFFECTIVE
        for number in range(3)
    ]
    tried = Trial(MOVES, 100, 1_000, {}, [], [], [], cells, campaigns={"a": 0})
    (found,) = effects(tried, SURE_OF_NOTHING, without=(NONE,))
    assert found.high > 4_000
    (found,) = effects(tried, SURE_OF_NOTHING, without=(NONE,), level=0.85)
    assert found.high < 1_000


def test_estimates_are_told_under_the_answers_that_make_them_lowest_and_highest():
    worlds = trial(half(0.0, 200.0))
    lowest, highest = otherwise(worlds, SURE_OF_NOTHING)["a"]
    means = {str(other): effects(worlds, other) for other in SURE_OF_NOTHING.others()}
    told = {key: next(each.mean for each in found if each.campaign == "a") for key, found in means.items()}
    assert lowest.mean == min(told.values()) == told[str(lowest.beliefs)]
    assert highest.mean == max(told.values()) == told[str(highest.beliefs)]
    assert lowest.mean < effects(worlds, SURE_OF_NOTHING)[0].mean < highest.mean


def test_a_trial_from_before_effects_were_kept_has_none():
    held = Trial(MOVES, 100, 10_000, {}, [], [], [], [Cell("committee", "few", "none", True, 0.5, (1, 2))])
    assert effects(held, SURE_OF_NOTHING) == []
    assert otherwise(held, SURE_OF_NOTHING) == {}
    assert pauses(held, SURE_OF_NOTHING) == []


def test_a_pause_that_tells_the_worlds_apart_is_worth_what_the_wrong_decisions_cost():
    found = {each.campaign: each for each in pauses(trial(half(0.0, 200.0)), SURE_OF_NOTHING)}
    none = SURE_OF_NOTHING.families()[NONE]
    # Of 400 leads a year 92 come in twelve weeks; 46 of them missing are more than three times the chance in
    # the comparison, the square root of 1.5 x 92 x 1.23. So the move is right in nearly all worlds, and
    # without the pause in half of them: 100 better in that half. Longer would say no more, and cost more.
    assert found["a"].weeks == 12
    assert found["a"].gain.mean == pytest.approx(50 * (1 - none), rel=0.05)
    assert found["a"].gain.error > 0
    assert found["a"].worth_it is True
    # What b brings is the same in every world, so that its pause says nothing.
    assert found["b"].gain.mean == 0
    assert found["b"].worth_it is False
    # Twelve weeks of a cost their part of the 200 that a brings in a year, and save nothing.
    assert found["a"].cost == pytest.approx(200 * (1 - none) * 84 / 364)


def test_a_pause_saves_the_movable_costs_and_says_little_among_many_leads():
    cheap = {each.campaign: each for each in pauses(trial(half(0.0, 200.0), spend=1000), SURE_OF_NOTHING)}
    assert cheap["a"].cost == pytest.approx((200 * 0.9 - 1000) * 84 / 364)
    assert cheap["a"].worth_it is True
    noisy = {each.campaign: each for each in pauses(trial(half(0.0, 200.0), leads=1e6), SURE_OF_NOTHING)}
    assert noisy["a"].gain.mean < 0.1 * cheap["a"].gain.mean


def test_where_no_budget_can_be_moved_no_test_changes_the_decision():
    nothing = Trial([], 0, 10_000, {"linear": None}, ["fair"], [], [], [])
    assert pauses(nothing, SURE_OF_NOTHING) == []
