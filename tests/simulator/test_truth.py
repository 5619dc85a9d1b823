"""What each campaign caused, by paired runs."""

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.market import World
from simulator.runs import mapper
from simulator.scenario import load
from simulator.shapley_exact import masks_along, orders_of_joining, shapley, shares_that_add_up
from simulator.truth import EXACT, LABELS, find, spend_minor, values

# A short world with few other callers: the desk's simulation is the slow part and its size does not matter
# here.
SHORT = {
    "warmup_days": 120,
    "tail_days": 60,
    "desk.reps": 1,
    "desk.lines": 2,
    "desk.customer_calls_per_day": 10.0,
    "desk.junk_per_day": 1.0,
}


def truth_of(scenario, accounts=300, days=180, seed=1, workers=1, **options):
    with mapper(workers) as spread:
        return find(World(scenario, accounts, days, seed), spread, **options)


def as_bytes(truth):
    return json.dumps(truth.report, sort_keys=True).encode()


def test_a_placebo_campaign_has_exactly_no_effect():
    report = truth_of(load("placebo", {"desk.reps": 0}), accounts=1000).report
    assert report["all_campaigns"]["orders"] > 0
    assert report["incremental"] == {"orders": 0, "revenue_minor": 0, "margin_minor": 0}
    for campaign in report["campaigns"].values():
        assert (
            campaign["removal"]
            == campaign["first_in"]
            == {"orders": 0, "revenue_minor": 0, "margin_minor": 0}
        )
        assert campaign["removal_margin_se_minor"] == 0.0
        assert campaign["deals"]["anyway"] == sum(campaign["deals"].values())
        assert campaign["spend_minor"]["fixed"] + campaign["spend_minor"]["variable"] > 0


def test_one_placebo_among_real_campaigns_has_exactly_no_effect():
    dead = {"campaigns.email.lift": {}, "desk.reps": 0}
    report = truth_of(load("plain", dead), accounts=1000).report
    assert report["campaigns"]["email"]["removal"]["margin_minor"] == 0
    assert report["incremental"]["margin_minor"] > 0


@pytest.fixture(scope="module")
def short_truth():
    return as_bytes(truth_of(load("plain", SHORT)))


@pytest.mark.parametrize(
    "seen_by_the_tracker_only",
    [
        {"observer.pool.numbers": 2},
        {"observer.pool.policy": "lease"},
        {"observer.answers.asked": 0.01},
        {"observer.answers.decoy": 50.0},
        {"observer.cookie_loss": 0.99},
        {"observer.lost_webhooks": 0.5},
        {"campaigns.email.response": 1.0},
        {"campaigns.email.salience": 9.0},
    ],
    ids=str,
)
def test_what_the_tracker_sees_leaves_the_truth_as_it_was_to_the_byte(seen_by_the_tracker_only, short_truth):
    assert as_bytes(truth_of(load("plain", SHORT | seen_by_the_tracker_only))) == short_truth


def test_exact_shapley_values_add_up_to_the_total_to_the_cent():
    scenario = load("plain", {"desk.reps": 0})
    kept = dict(list(scenario.campaigns.items())[:6])
    report = truth_of(
        scenario.model_copy(update={"campaigns": kept}), accounts=500, exact_shapley=True
    ).report
    for measure in ("revenue_minor", "margin_minor"):
        shares = [campaign["shapley"][measure] for campaign in report["campaigns"].values()]
        assert sum(shares) == report["incremental"][measure]
    assert report["runs"] == 2**6


def test_sampled_shapley_values_add_up_to_the_total_to_the_cent_and_state_their_error():
    report = truth_of(load("plain", {"desk.reps": 0}), permutations=6).report
    campaigns = report["campaigns"].values()
    assert (
        sum(campaign["shapley"]["margin_minor"] for campaign in campaigns)
        == report["incremental"]["margin_minor"]
    )
    assert any(campaign["shapley"]["margin_se_minor"] > 0 for campaign in campaigns)


def test_sampled_shapley_values_agree_with_the_exact_ones_within_their_error():
    scenario = load("plain", {"desk.reps": 0})
    kept = dict(list(scenario.campaigns.items())[:5])
    scenario = scenario.model_copy(update={"campaigns": kept})
    exact = truth_of(scenario, accounts=400, exact_shapley=True).report["campaigns"]
    sampled = truth_of(scenario, accounts=400, permutations=40).report["campaigns"]
    for name in kept:
        gap = sampled[name]["shapley"]["margin_minor"] - exact[name]["shapley"]["margin_minor"]
        assert abs(gap) <= 4 * sampled[name]["shapley"]["margin_se_minor"] + 1


def test_more_than_eight_campaigns_are_not_divided_exactly():
    with pytest.raises(ValueError, match=f"beyond {EXACT}"):
        truth_of(load("plain"), exact_shapley=True)


def test_the_same_seed_gives_the_same_truth_with_one_worker_and_with_two():
    scenario = load("plain", SHORT)
    one, two = truth_of(scenario, marginal=True), truth_of(scenario, marginal=True, workers=2)
    assert as_bytes(one) == as_bytes(two)
    assert (one.deals == two.deals).all()


def test_the_truth_of_many_shards_is_the_sum_over_them(monkeypatch, short_truth):
    monkeypatch.setattr("simulator.runs.SHARD", 70)
    assert as_bytes(truth_of(load("plain", SHORT))) == short_truth


def test_the_share_of_the_effect_after_the_window_is_stated():
    quiet = {"desk.reps": 0, "tail_days": 120}
    world = World(load("plain", quiet), accounts=1500, days=180, seed=1)
    fair = world.campaigns.index("trade_fair")
    without = np.ones(9)
    without[fair] = 0.0
    with mapper() as spread:
        found = values(world, np.array([np.ones(9), without]), spread)
        report = find(world, spread).report
    whole = int(found.counted[0][2] - found.counted[1][2])
    late = int(found.late[0][2] - found.late[1][2])
    # Orders come forward out of the tail, too, so that what comes in it may be fewer.
    assert whole > 0
    assert late != 0
    entry = report["campaigns"]["trade_fair"]
    assert entry["removal"]["margin_minor"] == whole
    assert entry["late_share_of_margin"] == round(late / whole, 6)
    assert report["tail_days"] == 120


# Every need is met sooner or later, and nobody orders twice.
MET = {
    f"needs.{kind}.{name}": value
    for kind in ("repeat_part", "custom_part", "capital_equipment")
    for name, value in {
        "shortlist_days": 5.0, "contact_days": 10.0, "quote_days": 1.0, "decision_days": 5.0,
        "lifetime_days": 5_000.0, "lifetime_sigma": 0.0, "repeat_per_year": 0.0,
    }.items()
}  # fmt: skip
HURRY = MET | {
    "desk.reps": 0,
    "organic.shortlist": 1.0,
    "warmup_days": 60,
    "tail_days": 400,
    "campaigns.print_catalogue.value_lift": 0.0,
    "campaigns.display.per_year": 0.0,
    "campaigns.display.lift": {"contact": 50.0},
    "campaigns.display.impulse": {"contact": 5.0},
}


def test_orders_that_only_come_earlier_are_no_gain():
    last_days = {"campaigns.display.flights": [{"from_day": 100, "to_day": 120, "exposures": 5.0}]}
    world = World(load("plain", HURRY | last_days), accounts=500, days=120, seed=1)
    without = np.ones(9)
    without[world.campaigns.index("display")] = 0.0
    with mapper() as spread:
        found = values(world, np.vstack([np.ones(9), without]), spread)
    # More orders in the window, as many fewer after it.
    assert found.window[0][0] > found.window[1][0]
    assert (found.counted[0] == found.counted[1]).all()


def test_what_was_spent_before_the_window_is_no_part_of_the_effect():
    before = {"campaigns.display.flights": [{"from_day": -60, "to_day": 0, "exposures": 5.0}]}
    report = truth_of(load("plain", HURRY | before), accounts=300, days=120).report
    assert set(report["campaigns"]["display"]["removal"].values()) == {0}
    assert report["estimand"].startswith("margin caused by the spend of the window")


@pytest.mark.parametrize("name", ["plain", "supplier"])
def test_with_nobody_waiting_no_effect_is_below_0(name):
    nobody_waits = {"desk.reps": 0, "sales.people": 0, "warmup_days": 180, "tail_days": 180}
    # An order that comes earlier may come before the catalogue that would have made it larger.
    nobody_waits |= {"campaigns.print_catalogue.value_lift": 0.0}
    report = truth_of(load(name, nobody_waits), accounts=500, permutations=4).report
    for campaign in report["campaigns"].values():
        for allocation in ("removal", "first_in", "shapley"):
            assert campaign[allocation]["margin_minor"] >= 0
        assert "below_zero" not in campaign


def test_every_deal_bears_one_label_per_campaign():
    truth = truth_of(load("plain", {"desk.reps": 0}), accounts=800, days=365)
    names = list(truth.report["campaigns"])
    assert truth.deals.shape[1] == 2 + len(names)
    for position, name in enumerate(names):
        counts = np.bincount(truth.deals[:, 2 + position], minlength=len(LABELS)).tolist()
        assert dict(zip(LABELS, counts, strict=True)) == truth.report["campaigns"][name]["deals"]
    earlier = sum(campaign["deals"]["earlier"] for campaign in truth.report["campaigns"].values())
    grew = sum(campaign["deals"]["grew"] for campaign in truth.report["campaigns"].values())
    assert earlier > 0
    assert grew > 0


def test_a_crowded_desk_can_lose_by_one_campaign_what_another_brings():
    # One line and one person: the others' callers keep a campaign's callers waiting, so the whole is less
    # than with room.
    def orders(reps):
        desk = SHORT | {"desk.reps": reps, "desk.lines": reps, "desk.customer_calls_per_day": 50.0}
        world = World(load("plain", desk), accounts=800, days=180, seed=1)
        with mapper() as spread:
            return values(world, np.ones((1, 9)), spread).window[0][0]

    assert orders(1) < orders(50)


def test_spend_follows_the_scale_and_fixed_cost_is_paid_in_full_or_not_at_all():
    world = World(load("plain"), accounts=1000, days=365, seed=1)
    fair = world.campaigns.index("trade_fair")
    scale = np.ones(9)
    assert spend_minor(world, scale)[fair] == (4_500_000, 100_000)
    scale[fair] = 0.5
    assert spend_minor(world, scale)[fair] == (4_500_000, 50_000)
    scale[fair] = 0
    assert spend_minor(world, scale)[fair] == (0, 0)


def test_no_spend_at_all_is_the_baseline():
    world = World(load("plain", {"desk.reps": 0}), accounts=300, days=365, seed=1)
    with mapper() as spread:
        tally = values(world, np.vstack([np.ones(9), np.zeros(9)]), spread)
        report = find(world, spread).report
    assert tally.counted[1].tolist() == list(report["baseline"].values())


@given(st.lists(st.fractions(-1000, 1000, max_denominator=97), min_size=1, max_size=9))
def test_rounded_shares_add_up_and_are_never_a_whole_unit_off(parts):
    total = sum(parts)
    last = Fraction(total.__ceil__()) - total
    parts = [*parts, last]
    rounded = shares_that_add_up(parts, int(sum(parts)))
    assert sum(rounded) == sum(parts)
    assert all(abs(whole - part) < 1 for whole, part in zip(rounded, parts, strict=True))


@given(st.lists(st.integers(-(10**9), 10**9), min_size=16, max_size=16))
def test_shapley_values_are_efficient_and_give_a_dummy_nothing(worths):
    worth = dict(enumerate(worths))
    assert sum(shapley(worth, 4)) == worth[15] - worth[0]
    # Player 4 changes nothing: its share is 0 and the others keep theirs.
    with_dummy = {mask: worth[mask & 15] for mask in range(32)}
    assert shapley(with_dummy, 5) == [*shapley(worth, 4), Fraction(0)]


def test_coalitions_along_an_order_grow_by_one():
    assert masks_along([2, 0, 1]) == [0b000, 0b100, 0b101, 0b111]
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders_of_joining("abcd", 5, seed=3))


def test_who_joins_too_leaves_the_order_of_the_others_as_it_was():
    for few, more in zip(
        orders_of_joining("abcd", 6, seed=3), orders_of_joining("axbcd", 6, seed=3), strict=True
    ):
        assert ["abcd"[place] for place in few] == ["axbcd"[place] for place in more if place != 1]
