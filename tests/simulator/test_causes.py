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


def causes_of(settings, name, accounts, seed=1, **options):
    world = World(load("plain", settings), accounts, 120, seed)
    with mapper() as spread:
        return world, find(world, spread, **options).report["campaigns"][name]


def test_a_campaign_whose_calls_keep_buyers_waiting_loses_all_of_it_by_that():
    world, entry = causes_of(CROWDED | IDLE, "email", 800)
    loss = entry["removal"]["margin_minor"]
    causes = entry["below_zero"]["removal"]
    assert loss < 0
    assert causes == {"waiting": loss, "answered_at_once": 0}
    with mapper() as spread:
        calm = find(answered_at_once(world), spread).report["campaigns"]["email"]
    assert calm["removal"]["margin_minor"] == 0


def test_the_parts_of_an_effect_add_up_in_every_allocation():
    useful = IDLE | {"campaigns.email.lift": {"shortlist": 0.05}}
    _, entry = causes_of(CROWDED | useful, "email", 800, permutations=2)
    assert set(entry["below_zero"]) >= {"removal", "shapley"}
    for allocation, causes in entry["below_zero"].items():
        assert sum(causes.values()) == entry[allocation]["margin_minor"] < 0
        # Whoever is answered at once is never lost by it.
        assert causes["answered_at_once"] > 0


@pytest.mark.parametrize("seed", range(3))
def test_an_effect_of_0_or_more_needs_no_cause(seed):
    world = World(load("plain", {"desk.reps": 0}), 300, 120, seed)
    with mapper() as spread:
        campaigns = find(world, spread).report["campaigns"]
    for entry in campaigns.values():
        below = {each for each in ("removal", "first_in") if entry[each]["margin_minor"] < 0}
        assert set(entry.get("below_zero", {})) == below
