"""Draws are keyed by names: a campaign without effect changes nothing of the others, wherever it stands."""

from functools import cache

import numpy as np
import pyarrow.compute as pc
import pytest

from simulator.cycle import Cycle
from simulator.market import World, populate
from simulator.runs import mapper
from simulator.scenario import load
from simulator.truth import find
from simulator.write import tables

CROWDED = {
    "warmup_days": 45,
    "tail_days": 30,
    "desk.reps": 1,
    "desk.lines": 2,
    "desk.customer_calls_per_day": 30.0,
    "desk.junk_per_day": 6.0,
    "observer.pool.views_per_day": 20.0,
    # Two campaigns bring calls without a need, which must be told apart whatever campaigns there are.
    "campaigns.email.idle_enquiry": 0.05,
    "campaigns.trade_fair.idle_enquiry": 0.2,
}
ROOMY = CROWDED | {"desk.reps": 200, "desk.lines": 200}
PLACES = {"first": 0, "in the middle": 4, "last": 9}


def with_placebo(place, settings, name="plain", **changes):
    """Add to the market's campaigns one that is met by everybody and does nothing."""
    scenario = load(name, settings)
    nothing = {
        "impulse": {}, "lift": {}, "value_lift": 0.0, "response": 0.0, "brand_echo": 0.0, "number": "none",
        "salience": 0.0, "idle_enquiry": 0.0, "audience": "all", "per_year": 12.0,
    }  # fmt: skip
    told = scenario.campaigns["email"].model_dump() | nothing | changes
    placebo = type(scenario.campaigns["email"]).model_validate(told)
    names = list(scenario.campaigns.items())
    names.insert(place, ("placebo", placebo))
    return scenario.model_copy(update={"campaigns": dict(names)})


def outcome(scenario, seed):
    world = World(scenario, accounts=200, days=60, seed=seed)
    with mapper() as spread:
        truth, seen = find(world, spread, permutations=2), tables(world, spread)
    deals = {name: truth.deals[:, 2 + place] for place, name in enumerate(world.campaigns)}
    return truth, deals, seen


@cache
def without_it(seed):
    return outcome(load("plain", CROWDED), seed)


def of_others(seen):
    """Return the tables without rows of the placebo and without ids that merely count."""
    found = {}
    for name, table in seen.items():
        if "campaign" in table.schema.names:
            table = table.filter(pc.not_equal(pc.fill_null(table["campaign"], ""), "placebo"))
        found[name] = table.drop_columns(
            [each for each in ("touch_id", "call_id") if each in table.schema.names]
        )
    return found


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_campaign_without_effect_changes_no_other_byte_at_a_crowded_desk(place):
    for seed in range(3):
        truth, deals, seen = without_it(seed)
        with_it, their_deals, seen_with_it = outcome(with_placebo(place, CROWDED), seed)
        campaigns = dict(with_it.report["campaigns"])
        placebo = campaigns.pop("placebo")
        assert placebo["removal"]["margin_minor"] == placebo["shapley"]["margin_minor"] == 0
        assert campaigns == truth.report["campaigns"]
        for name in ("all_campaigns", "baseline", "incremental"):
            assert with_it.report[name] == truth.report[name]
        assert all((their_deals[name] == deals[name]).all() for name in deals)
        assert of_others(seen_with_it) == of_others(seen)
        assert seen["calls"] == seen_with_it["calls"]
        assert seen["touches"] == seen_with_it["touches"]


def test_nor_does_it_where_groups_agree_and_quotes_wait_for_their_turn():
    busy = CROWDED | {"sales.people": 1, "campaigns.email.roles": {}, "campaigns.email.reaches": 1.0}
    truth, deals, seen = outcome(load("supplier", busy), 1)
    with_it, their_deals, seen_with_it = outcome(with_placebo(4, busy, "supplier"), 1)
    campaigns = dict(with_it.report["campaigns"])
    assert campaigns.pop("placebo")["shapley"]["margin_minor"] == 0
    assert campaigns == truth.report["campaigns"]
    assert all((their_deals[name] == deals[name]).all() for name in deals)
    assert of_others(seen_with_it) == of_others(seen)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_its_enquiries_without_a_need_leave_those_of_others_as_they_were(place):
    for seed in range(3):
        cycles, scenarios = [], (load("plain", CROWDED), with_placebo(place, CROWDED, idle_enquiry=0.3))
        for scenario in scenarios:
            world = World(scenario, accounts=600, days=90, seed=seed)
            enquiries = Cycle(populate(world, 0, 600)).enquire(np.ones(len(world.campaigns)))[1]
            columns = (enquiries.account, enquiries.need, enquiries.key, enquiries.mode, enquiries.at)
            cycles.append(set(zip(*(column.tolist() for column in columns), strict=True)))
            assert len(cycles[-1]) == len(enquiries.at)
        assert cycles[0] < cycles[1]


def test_where_its_callers_keep_nobody_waiting_the_truth_is_the_same_to_the_byte():
    for seed in range(2):
        truth, deals, _ = outcome(load("plain", ROOMY), seed)
        with_it, their_deals, _ = outcome(with_placebo(4, ROOMY, idle_enquiry=0.3), seed)
        campaigns = dict(with_it.report["campaigns"])
        assert campaigns.pop("placebo")["removal"] == {"orders": 0, "revenue_minor": 0, "margin_minor": 0}
        assert campaigns == truth.report["campaigns"]
        assert all((their_deals[name] == deals[name]).all() for name in deals)


def test_the_order_of_campaigns_in_the_file_does_not_matter():
    scenario = load("plain", CROWDED)
    turned = scenario.model_copy(update={"campaigns": dict(reversed(scenario.campaigns.items()))})
    one, other = without_it(1)[0].report, outcome(turned, 1)[0].report
    assert one["baseline"] == other["baseline"]
    for name, entry in one["campaigns"].items():
        # Where shares are rounded to add up, the last cent goes to who stands first.
        ours, theirs = (dict(each) for each in (entry, other["campaigns"][name]))
        assert abs(ours.pop("shapley")["margin_minor"] - theirs.pop("shapley")["margin_minor"]) <= 1
        assert ours == theirs
