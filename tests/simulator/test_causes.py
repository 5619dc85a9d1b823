"""Why an effect is below 0: computed, not asserted."""

import pytest

from simulator.causes import answered_at_once
from simulator.market import World
from simulator.runs import mapper
from simulator.scenario import load
from simulator.truth import find

# One person and one line: whoever rings about nothing takes the place of a buyer.
CROWDED = {
    "warmup_days": 60,
    "tail_days": 60,
    "desk.reps": 1,
    "desk.lines": 1,
    "desk.retry": 0.2,
    "desk.voicemail": 0.0,
    "desk.customer_calls_per_day": 0.0,
    "desk.junk_per_day": 0.0,
    "contact.phone": 1.0,
    "contact.form": 0.0,
    "contact.message": 0.0,
    "observer.pool.views_per_day": 0.0,
}
# E-mail makes everybody ring at once and brings no order.
IDLE = {
    "campaigns.email.idle_enquiry": 1.0,
    "campaigns.email.lift": {},
    "campaigns.email.impulse": {},
    "campaigns.email.per_year": 60.0,
}
# Needs last until they are met, so that nobody can be won who would not have come anyway.
LASTING = {
    f"needs.{kind}.{name}": value
    for kind in ("repeat_part", "custom_part", "capital_equipment")
    for name, value in {"lifetime_days": 5_000.0, "lifetime_sigma": 0.0, "repeat_per_year": 0.0}.items()
}
# Display runs in the weeks before the window only and makes buyers hurry.
HURRY = LASTING | {
    "desk.reps": 0,
    "warmup_days": 120,
    "tail_days": 60,
    "campaigns.display.per_year": 0.0,
    "campaigns.display.flights": [{"from_day": -30, "to_day": 0, "exposures": 6.0}],
    "campaigns.display.impulse": {"contact": 3.0},
    "campaigns.display.lift": {"win": 8.0},
}


def causes_of(settings, name, accounts, seed=1, **options):
    world = World(load("supplier", settings), accounts, 120, seed)
    with mapper() as spread:
        return world, find(world, spread, **options).report["campaigns"][name]


def parts(causes):
    return sum(causes[cause][fate] for cause in causes for fate in ("never", "before_window", "after_window"))


def test_a_campaign_whose_calls_keep_buyers_waiting_loses_all_of_it_by_that():
    world, entry = causes_of(CROWDED | IDLE, "email", 800)
    loss = entry["removal"]["margin_minor"]
    causes = entry["below_zero"]["removal"]
    assert loss < 0
    assert causes["waiting"]["margin_minor"] == loss == parts(causes)
    assert causes["waiting"]["never"] < 0
    assert set(causes["answered_at_once"].values()) == {0}
    with mapper() as spread:
        calm = find(answered_at_once(world), spread).report["campaigns"]["email"]
    assert calm["removal"]["margin_minor"] == 0


def test_a_campaign_that_only_brings_orders_forward_out_of_the_window_has_no_callers_to_blame():
    _, entry = causes_of(HURRY, "display", 1500)
    loss = entry["removal"]["margin_minor"]
    causes = entry["below_zero"]["removal"]
    assert loss < 0
    assert set(causes["waiting"].values()) == {0}
    assert causes["answered_at_once"]["margin_minor"] == loss == parts(causes)
    # Nobody is lost by it: the orders came, only before the window opened.
    assert causes["answered_at_once"]["never"] >= 0
    assert causes["answered_at_once"]["before_window"] < loss


def test_both_causes_stand_side_by_side_in_every_allocation_and_add_up():
    both = HURRY | CROWDED | {"warmup_days": 120, "campaigns.display.idle_enquiry": 0.3}
    _, entry = causes_of(both, "display", 800, permutations=2)
    assert set(entry["below_zero"]) >= {"removal"}
    for allocation, causes in entry["below_zero"].items():
        assert parts(causes) == entry[allocation]["margin_minor"] < 0
        for cause in causes.values():
            assert cause["margin_minor"] == cause["never"] + cause["before_window"] + cause["after_window"]
    assert entry["below_zero"]["removal"]["answered_at_once"]["before_window"] < 0
    assert any(entry["below_zero"]["removal"]["waiting"].values())


@pytest.mark.parametrize("seed", range(3))
def test_an_effect_of_0_or_more_needs_no_cause(seed):
    world = World(load("supplier", {"desk.reps": 0}), 300, 120, seed)
    with mapper() as spread:
        campaigns = find(world, spread).report["campaigns"]
    for entry in campaigns.values():
        below = {each for each in ("removal", "first_in") if entry[each]["margin_minor"] < 0}
        assert set(entry.get("below_zero", {})) == below
