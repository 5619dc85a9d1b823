"""Hold-outs by time and region: what is not met has no effect, and nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest

from simulator.holdouts import HoldOut, every_year, hold_out
from simulator.market import DAY, Week, World, populate
from simulator.runs import mapper
from simulator.scenario import load

QUIET = {"desk.reps": 0}
HALF = frozenset({"north", "west"})


def market(name="plain", accounts=300, days=210, seed=3):
    return World(load(name, QUIET), accounts, days, seed)


def run(world, held):
    with mapper() as spread:
        return hold_out(world, held, spread)


def test_meetings_are_left_out_in_the_days_and_regions_of_the_hold_out_and_nowhere_else() -> None:
    world = market()
    held = HoldOut("email", 30, 90, HALF)
    whole = populate(world, 0, 300)
    without = populate(replace(world, scenario=held.within(world.scenario)), 0, 300)
    wall = Week(world).wall(whole.exposures.at)
    names = list(world.scenario.market.regions)
    region = np.array(names)[whole.region[whole.exposures.owner]]
    gone = (wall >= world.opens + 30 * DAY) & (wall < world.opens + 90 * DAY)
    gone &= np.isin(region, sorted(HALF)) & (whole.exposures.campaign == world.campaigns.index("email"))
    assert 0 < gone.sum() < len(gone)
    assert np.array_equal(without.exposures.key, whole.exposures.key[~gone])
    assert np.array_equal(without.exposures.at, whole.exposures.at[~gone])


def test_leads_before_a_hold_out_and_in_other_regions_stay_as_they_were() -> None:
    world = market()
    found = run(world, HoldOut("search_ads", 105, 175, HALF))
    plain = run(world, HoldOut("whatsapp", 105, 175, HALF))
    assert found.lost[found.place >= 0].any()
    assert found.lost[found.place < 0].sum() == 0
    assert np.array_equal(found.other, plain.other)
    assert found.place.tolist() == list(range(-15, 15))


def test_all_advertising_is_held_out_at_once() -> None:
    one, everything = (run(market(), HoldOut(name, 70, 140)) for name in ("search_ads", None))
    assert everything.lost.sum() > one.lost.sum()
    world = market()
    world = replace(world, scenario=HoldOut(None, 0, 210, HALF).within(world.scenario))
    shard = populate(world, 0, 300)
    names = np.array(list(world.scenario.market.regions))
    opens, closes = Week(world).activity(np.array([world.opens, world.closes]))
    inside = (shard.exposures.at >= opens) & (shard.exposures.at < closes)
    assert inside.any()
    assert not np.isin(names[shard.region[shard.exposures.owner[inside]]], sorted(HALF)).any()


def test_holding_out_what_has_no_effect_costs_no_lead() -> None:
    found = run(market("placebo"), HoldOut("search_ads", 70, 140))
    assert found.paused.sum() > 0
    assert not found.lost.any()
    assert not found.other.any(), "everywhere is held out"


def test_a_lead_is_counted_when_the_desk_takes_it_up() -> None:
    at_once = run(market(), HoldOut("search_ads", 70, 140))
    desk = run(World(load("plain"), 300, 210, 3), HoldOut("search_ads", 70, 140))
    assert 0 < desk.paused.sum() < at_once.paused.sum()


def test_fairs_and_mailings_come_back_every_year() -> None:
    scenario = load("plain", QUIET)
    longer = every_year(scenario, 800)
    days = [flight.from_day for flight in longer.campaigns["trade_fair"].flights]
    assert days == [-300, -120, 65, 245, 430, 610, 795]
    assert longer.campaigns["email"] == scenario.campaigns["email"]


@pytest.mark.parametrize(
    ("held", "problem"),
    [
        (HoldOut("radio", 10, 20), "campaign 'radio' is not in scenario plain"),
        (HoldOut("email", 10, 20, frozenset({"moon"})), "region 'moon' is not in scenario plain"),
        (
            HoldOut("email", 10, 20, frozenset({"north", "west", "south", "east"})),
            "leave one to compare with",
        ),
        (HoldOut("email", 200, 220), "must lie within 210 days"),
    ],
)
def test_a_hold_out_that_the_market_cannot_have_is_refused(held: HoldOut, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        run(market(accounts=5), held)
