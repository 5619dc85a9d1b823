"""Who meets what, when and where: audiences, hold-outs, regions, roles, and what moves demand."""

import re

import numpy as np
import pytest

from simulator.desk import background_calls
from simulator.holdout import running_share, without
from simulator.market import DAY, Week, World, populate, reach
from simulator.meetings import AUDIENCES
from simulator.ranges import ROLES, ScenarioError
from simulator.scenario import load
from simulator.truth import spend_minor

ACCOUNTS = 2000


def shard(overrides, seed=3, layers=1):
    world = World(load("plain", overrides), ACCOUNTS, 365, seed)
    return populate(world, 0, ACCOUNTS, layers)


def met(found, campaign):
    """Return the rows of a shard's meetings with a campaign."""
    return np.flatnonzero(found.exposures.campaign == found.world.campaigns.index(campaign))


def test_an_audience_that_nobody_knows_is_refused_with_those_there_are():
    with pytest.raises(ScenarioError, match=rf"campaigns\.email.*{re.escape(', '.join(AUDIENCES))}"):
        load("plain", {"campaigns.email.audience": "everybody"})


def test_meetings_grow_by_the_stated_form_and_by_less_the_more_is_spent():
    email = load("plain", {"campaigns.email.diminishing": 2.0}).campaigns["email"]
    # (1 + 2) s / (1 + 2 s)
    assert [reach(email, scale) for scale in (0, 0.5, 1, 4)] == pytest.approx([0, 0.75, 1, 4 / 3])
    found = shard({}, layers=4)
    at = found.exposures.threshold[met(found, "email")]
    once, fourfold = ((at < reach(email, scale)).sum() for scale in (1, 4))
    # A third more of some 20,000 meetings, each drawn by itself.
    assert abs(fourfold / once - 4 / 3) < 4 * np.sqrt(1 / 3 / once)


def test_a_hold_out_takes_away_the_meetings_of_its_regions_and_weeks_and_no_other_byte():
    world = World(load("plain"), ACCOUNTS, 364, 3)
    held = World(without(world.scenario, "email", ["north", "east"], 10, 20), ACCOUNTS, 364, 3)
    plain, paused = (populate(each, 0, ACCOUNTS) for each in (world, held))
    rows = met(plain, "email")
    day = (Week(world).wall(plain.exposures.at[rows]) - world.opens) / DAY
    region = np.array(list(world.scenario.market.regions))[plain.region[plain.exposures.owner[rows]]]
    gone = np.isin(region, ["north", "east"]) & (day >= 70) & (day < 140)
    assert 0 < gone.sum() < len(rows)
    kept = np.delete(np.arange(len(plain.exposures)), rows[gone])
    for column in ("owner", "campaign", "at", "threshold", "key", "person", "need"):
        assert (getattr(plain.exposures, column)[kept] == getattr(paused.exposures, column)).all()
    assert (plain.needs.onset == paused.needs.onset).all()


def test_a_hold_out_saves_the_variable_cost_of_what_does_not_run():
    world = World(load("plain"), 1000, 364, 3)
    held = World(without(world.scenario, "email", ["north", "east"], 10, 20), 1000, 364, 3)
    # North and east are 0.4 of the companies, ten weeks of 52 the time.
    left = 1 - 0.4 * 10 / 52
    assert running_share(held, held.scenario.campaigns["email"]) == pytest.approx(left, abs=0.002)
    place = world.campaigns.index("email")
    assert spend_minor(held)[place][1] == pytest.approx(left * spend_minor(world)[place][1], rel=0.002)


@pytest.mark.parametrize(
    ("campaign", "regions", "weeks", "said"),
    [
        ("telepathy", ["north"], (1, 2), "choose one of search_ads"),
        ("email", ["mars"], (1, 2), "choose among north"),
        ("email", ["north"], (5, 5), "must be later"),
    ],
)
def test_a_hold_out_that_cannot_be_is_refused_with_what_could(campaign, regions, weeks, said):
    with pytest.raises(ScenarioError, match=said):
        without(load("plain"), campaign, regions, *weeks)


def test_regions_differ_in_what_they_need_and_in_what_reaches_them():
    found = shard({"market.region_demand": {"north": 0.0}, "campaigns.email.regions": {"west": 0.0}})
    names = list(found.world.scenario.market.regions)
    assert names.index("north") not in found.region[found.needs.owner]
    assert names.index("west") in found.region[found.needs.owner]
    assert names.index("west") not in found.region[found.exposures.owner[met(found, "email")]]


def test_a_campaign_meets_the_roles_it_is_made_for():
    only = {role: 0.0 for role in ROLES if role != "purchasing"}
    found = shard({"campaigns.email.roles": only})
    rows = met(found, "email")
    group = found.group[found.exposures.owner[rows]]
    # In a group of one sits an engineer, who then meets it.
    assert set(found.exposures.person[rows][group > 1] % len(ROLES)) == {ROLES.index("purchasing")}
    assert set(found.exposures.person[rows][group == 1]) == {0}


def test_who_is_told_is_another_member_of_the_group():
    found = shard({"market.colleagues_told": 0.5})
    meetings, group = found.exposures, found.group[found.exposures.owner]
    told = meetings.told >= 0
    assert (meetings.told[told] != meetings.person[told]).all()
    assert (meetings.told < group).all()
    several = group > 1
    assert abs(told[several].mean() - 0.5) < 4 * np.sqrt(0.25 / several.sum())
    assert not told[~several].any()


def test_a_shock_changes_demand_in_its_days_and_in_no_other():
    # Without seasons, so that days differ by the shock alone.
    flat = {f"needs.{kind}.season": [1.0] * 12 for kind in load("plain").needs}
    halved = shard(flat | {"economy.shocks": [{"from_day": 0, "to_day": 365, "demand": 0.5}]})
    opens, closes = halved.world.opens, halved.world.closes
    inside = ((halved.needs.onset >= opens) & (halved.needs.onset < closes)).sum()
    before = (halved.needs.onset < opens).sum()
    # Poisson counts of a year each: twice the one less the other has the variance 4a + b.
    assert abs(2 * inside - before) < 4 * np.sqrt(4 * inside + before)


def test_the_economy_and_unlike_companies_make_arrivals_vary_more_than_a_poisson_process():
    flat = {f"needs.{kind}.season": [1.0] * 12 for kind in load("plain").needs}

    def dispersion(overrides):
        found = shard(flat | overrides)
        month = np.bincount(found.needs.onset // (30 * DAY))[:-1]
        company = np.bincount(found.needs.owner[found.size[found.needs.owner] == 0], minlength=ACCOUNTS)
        company = company[found.size == 0]
        return month.var() / month.mean(), company.var() / company.mean()

    poisson, economy, unlike = (
        dispersion(each) for each in ({}, {"economy.month_sigma": 0.3}, {"market.demand_sigma": 0.7})
    )
    # About 1 of a Poisson process, within 4 standard errors of a variance over 36 months and 1,200 companies.
    assert poisson[0] < 1 + 4 * np.sqrt(2 / 35)
    assert abs(poisson[1] - 1) < 4 * np.sqrt(2 / 1200)
    assert economy[0] > 1 + 4 * np.sqrt(2 / 35)
    assert unlike[1] > 1 + 4 * np.sqrt(2 / 1200)


def test_some_days_bring_more_calls_than_chance_alone_would():
    def ratio(sigma):
        calm = {"desk.customer_calls_per_day": 10.0, "desk.day_sigma": sigma}
        world = World(load("plain", calm), ACCOUNTS, 365, 3)
        calls = np.concatenate([background_calls(world, period).at for period in range(world.periods)])
        day = np.bincount(calls // (7 * DAY))[:104]
        return day.var(ddof=1) / day.mean()

    assert abs(ratio(0.0) - 1) < 4 * np.sqrt(2 / 103)
    assert ratio(0.5) > 1 + 4 * np.sqrt(2 / 103)
