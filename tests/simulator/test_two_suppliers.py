"""Two suppliers' tables go the whole way: the demo's pumps, and wear parts sold quite otherwise."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from simulator.advise import advise
from simulator.beliefs import Beliefs
from simulator.decide import decide
from simulator.families import EFFECTIVE, NONE
from simulator.fitting import fit, shifted
from simulator.information import effects
from simulator.market import World
from simulator.runs import mapper
from simulator.scenario import load
from simulator.write import tables
from tracking.demo.acme import MARKET

WEAR_PARTS = Path(__file__).parents[1] / "data" / "markets" / "wear_parts.toml"
SUPPLIERS = {"pumps": ("supplier", MARKET, 200), "wear parts": (WEAR_PARTS, {}, 80)}
SEEDS = 4


@pytest.fixture(scope="module", params=SUPPLIERS)
def supplier(request):
    """Give a supplier's tables and the market fitted to them."""
    source, differs, accounts = SUPPLIERS[request.param]
    with mapper() as spread:
        seen = tables(World(load(source, differs), accounts, 365, 5), spread)
        return seen, fit(seen, spread, accounts=accounts, trials=4)


@pytest.fixture(scope="module")
def simulated(supplier):
    """Give the tables of the fitted market under some seeds."""
    scenario = supplier[1].scenario
    with mapper() as spread:
        return [
            tables(World(scenario, scenario.accounts, scenario.days, seed), spread) for seed in range(SEEDS)
        ]


def won(data, found):
    """List the orders of the window."""
    rows = [row for row in data["conversions"].to_pylist() if row["goal"] == "won"]
    return [row for row in rows if found.own.first <= row["converted_at"] < found.own.last]


def responses(data, found):
    """Count what is tracked of each campaign in the window."""
    rows = data["touches"].to_pylist()
    known = found.scenario.campaigns
    inside = [row for row in rows if found.own.first <= row["occurred_at"] < found.own.last]
    return Counter(row["campaign"] for row in inside if row["campaign"] in known and row["kind"] != "call")


def test_values_costs_and_answers_are_exactly_those_of_the_tables(supplier):
    data, found = supplier
    (need,) = found.scenario.needs.values()
    every = [row for row in data["conversions"].to_pylist() if row["goal"] == "won"]
    assert found.own.orders == len(won(data, found))
    assert need.value_minor == pytest.approx(
        math.exp(np.median([math.log(row["value_minor"]) for row in every])), abs=1
    )
    margin = sum(row["margin_minor"] for row in every) / sum(row["value_minor"] for row in every)
    assert need.margin == pytest.approx(margin, abs=1e-4)
    assert found.scenario.currency == every[0]["currency"]
    answers = [row for row in data["answers"].to_pylist() if row["asked_at"] >= found.own.first]
    asked = [row["outcome"] != "not_asked" for row in answers]
    assert found.scenario.observer.answers.asked == pytest.approx(np.mean(asked), abs=1e-4)
    for name, campaign in found.scenario.campaigns.items():
        paid = sum(row["amount_minor"] for row in data["costs"].to_pylist() if row["campaign"] == name)
        movable = campaign.variable_minor * found.scenario.accounts / 1000
        assert campaign.fixed_minor + movable == pytest.approx(paid, rel=0.01), name


def test_the_season_is_that_of_the_orders_drawn_to_its_mean(supplier):
    data, found = supplier
    (need,) = found.scenario.needs.values()
    months = Counter(row["converted_at"].month for row in won(data, found))
    mean = found.own.orders / 12
    # As if two ordinary months more had been seen of each, so a third of the difference is left.
    assert need.season == pytest.approx([(months[m] + 2 * mean) / (3 * mean) for m in range(1, 13)], abs=2e-3)


def test_the_fitted_market_shows_what_the_tables_show(supplier, simulated):
    data, found = supplier

    def figures(seen):
        orders = won(seen, found)
        return {
            "orders": len(orders),
            "value": float(np.mean([math.log(row["value_minor"]) for row in orders])),
            "asked": float(np.mean([row["outcome"] != "not_asked" for row in seen["answers"].to_pylist()])),
            "touches": sum(responses(seen, found).values()),
        } | {f"touches of {name}": responses(seen, found)[name] for name in found.scenario.campaigns}

    here, there = figures(data), [figures(each) for each in simulated]
    for name, value in here.items():
        drawn = np.array([each[name] for each in there], dtype=float)
        # A count varies at least as chance does; the tables are one market more.
        spread = max(float(np.std(drawn, ddof=1)), math.sqrt(value) if "touches" in name else 0.0)
        assert abs(value - drawn.mean()) <= 4 * spread * math.sqrt(1 + 1 / SEEDS), (name, value, drawn)


def test_effects_and_a_move_are_answered_under_stated_beliefs(supplier):
    data, found = supplier
    with mapper() as spread:
        trial = decide(data, found.scenario, spread, draws=2)
    assert len(trial.cells) == 2 * len(EFFECTIVE)
    beliefs = Beliefs(anyway="half", role="open", nothing="some")
    estimated = effects(trial, beliefs)
    assert {each.campaign for each in estimated} == set(found.scenario.campaigns)
    for each in estimated:
        assert each.low <= each.mean <= each.high, each
    # Half of the orders come anyway, and no effect at all is believed too: campaigns together cause some.
    together = sum(each.mean for each in estimated) / trial.margin_minor
    assert 0.1 < together < 1.5
    advice = advise(trial, beliefs)
    assert advice.verdict in ("do", "test", "leave", "unclear")
    assert advice.row.move in trial.moves
    assert set(advice.row.by_family) == {*EFFECTIVE, NONE}
    assert all(advise(trial, other).row.move in trial.moves for other in beliefs.others())


@pytest.mark.parametrize("supplier", ["wear parts"], indirect=True)
def test_known_values_are_found_again(supplier):
    found = supplier[1]
    known = shifted(found.scenario, {"needs": -0.3, "phone": 0.4, "qualify": -0.4})
    with mapper() as spread:
        seen = tables(World(known, known.accounts, known.days, 77), spread)
        again = fit(seen, spread, accounts=known.accounts, trials=4)
    (need,), (true,) = again.scenario.needs.values(), known.needs.values()
    shares = (again.scenario.contact.phone, known.contact.phone), (need.qualify_rate, true.qualify_rate)
    gaps = {
        "needs": math.log(need.per_year / true.per_year),
        "decision": math.log(need.decision_days / true.decision_days),
        "lifetime": math.log(need.lifetime_days / true.lifetime_days),
        "repeat": math.log(need.repeat_per_year / true.repeat_per_year),
    } | {
        name: math.log(here / (1 - here) / (there / (1 - there)))
        for name, (here, there) in zip(("phone", "qualify"), shares, strict=True)
    }
    for name, gap in gaps.items():
        error = again.estimates[name][1]
        assert error is None or abs(gap) < 3 * error, name
    # With some 80 orders only the two rates are told to within a factor of 1.65.
    assert abs(gaps["needs"]) < 0.5
    assert abs(gaps["repeat"]) < 0.5
