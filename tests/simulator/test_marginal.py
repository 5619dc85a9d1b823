"""The return of the next euro, against a market in which it is known."""

import math

import numpy as np
import pytest
from scipy import stats

from simulator.marginal import ENOUGH, STEPS, marginal
from simulator.market import World
from simulator.runs import mapper
from simulator.scenario import load
from simulator.truth import find, spend_minor, values

# A need met by e-mail is on the shortlist at once, and no other is.
# An order is worth 100.00 at a margin of a half.
KNOWN = {
    "campaigns.email.impulse": {"shortlist": 200.0},
    "campaigns.email.lift": {},
    "campaigns.email.audience": "researching",
    "campaigns.email.variable_minor": 100_000,
    "organic.shortlist": 0.0,
    "contact.phone": 0.0,
    "observer.pool.views_per_day": 0.0,
    "warmup_days": 0,
    "tail_days": 0,
}
PER_YEAR = 0.5


def market(seed, accounts=1500):
    only = {
        "per_year": 4.0,
        "shortlist_days": 1.0,
        "contact_days": 1e-3,
        "quote_days": 1e-3,
        "quote_sigma": 0.0,
    }
    only |= {
        "decision_days": 1e-3,
        "qualify_rate": 1.0,
        "value_minor": 10_000,
        "value_sigma": 0.0,
        "margin": 0.5,
    }
    only |= {"lifetime_days": 20.0, "lifetime_sigma": 0.0, "repeat_per_year": 0.0}
    needs = {f"needs.repeat_part.{name}": value for name, value in only.items()}
    nothing = {"needs.custom_part.per_year": 0.0, "needs.capital_equipment.per_year": 0.0}
    needs |= {"needs.repeat_part.season": [1.0] * 12}
    reach = {
        f"campaigns.email.industries.{name}": 1.0
        for name in ("water", "food", "chemicals", "mining", "building")
    }
    often = {"campaigns.email.per_year": PER_YEAR * 365 / 20}
    scenario = load("one-touch", KNOWN | needs | nothing | reach | often)
    alone = scenario.model_copy(update={"campaigns": {"email": scenario.campaigns["email"]}})
    return World(alone, accounts, 365, seed)


def worth(scale):
    """Margin a company and year: needs, each met at least once with a chance of 1 - exp(-0.5 scale)."""
    # In 345 days of the year a need has all of its 20 days, in the last 20 it has half of them on average.
    met = 1 - math.exp(-PER_YEAR * scale)
    met_late = np.mean([1 - math.exp(-PER_YEAR * scale * share) for share in np.linspace(0, 1, 2001)])
    demand = 0.6 * 0.7 + 0.3 * 1.2 + 0.1 * 2.2
    return 4.0 * demand * 5_000 * (345 * met + 20 * met_late) / 365


def slope(step):
    """Margin per unit of spend, between so much less and so much more than the 100 of a company and year."""
    return (worth(1 + step) - worth(1 - step)) / (2 * step * 100)


@pytest.mark.parametrize(("accounts", "usual"), [(1500, 0.02), (300, 0.1), (90, 0.4)])
def test_the_return_is_the_known_slope_and_its_error_is_what_markets_show(accounts, usual):
    scores, errors, found, steps = [], [], [], []
    with mapper() as spread:
        for seed in range(60):
            world = market(seed, accounts)
            variable = [cost for _, cost in spend_minor(world)]
            (each,) = marginal(world, variable, spread)
            assert each.moved >= ENOUGH
            found.append(each.returns - slope(each.step))
            errors.append(each.error)
            scores.append(found[-1] / each.error)
            steps.append(each.step)
    assert max(steps, key=steps.count) == usual
    # The mean of 60 z-scores has a standard error of 0.13, their variance times 59 is a chi-squared.
    assert abs(np.mean(scores)) * np.sqrt(60) < 3.5
    assert 0.001 < stats.chi2.sf(np.var(scores, ddof=1) * 59, 59) < 0.999
    assert 0.001 < stats.chi2.sf(np.var(found, ddof=1) / np.mean(np.square(errors)) * 59, 59) < 0.999


def test_a_wide_step_gives_the_mean_slope_which_is_near_that_at_its_middle():
    assert slope(0.4) == pytest.approx(slope(0.02), rel=0.02)


def test_the_step_is_the_smallest_at_which_enough_companies_order_otherwise():
    steps = {}
    with mapper() as spread:
        for accounts in (60, 400, 6000):
            world = market(1, accounts)
            (each,) = marginal(world, [cost for _, cost in spend_minor(world)], spread)
            steps[accounts] = each.step
            smaller = STEPS[: STEPS.index(each.step)]
            for step in smaller:
                tally = values(world, np.array([[1.0], [1 - step], [1 + step]]), spread)
                assert tally.moved[2] < ENOUGH
    assert steps[6000] < steps[400]


def test_where_too_few_move_the_return_is_not_known_and_the_reason_is_told():
    world = World(load("placebo"), accounts=200, days=90, seed=1)
    with mapper() as spread:
        campaigns = find(world, spread, marginal=True).report["campaigns"]
    for name, entry in campaigns.items():
        assert entry["marginal_margin_per_spend"] is None
        assert entry["marginal_margin_per_spend_se"] is None
        assert entry["marginal_moved"] == 0
        booked = entry["spend_minor"]["variable"] == 0
        told = "no variable cost" if booked else "only 0 companies ordered otherwise at ±40% of its spend"
        assert entry["marginal_reason"] == told, name


def test_the_return_is_what_the_two_runs_of_the_step_say():
    world = market(3)
    with mapper() as spread:
        (entry,) = find(world, spread, marginal=True).report["campaigns"].values()
        step = entry["marginal_step"]
        margin = values(world, np.array([[1.0], [1 - step], [1 + step]]), spread).window[:, 2]
    spent = 2 * step * entry["spend_minor"]["variable"]
    assert entry["marginal_margin_per_spend"] == pytest.approx((margin[2] - margin[1]) / spent, abs=1e-6)
