"""The supplier's market is one that a supplier would believe: held to ranges, by replication."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from simulator.facts import FACTS, measure
from simulator.market import World
from simulator.runs import mapper
from simulator.scenario import load
from simulator.truth import find

REPLICATIONS = 4


@pytest.fixture(scope="module")
def measured():
    scenario = load("supplier")
    with mapper() as spread:
        markets = [World(scenario, scenario.accounts, scenario.days, seed) for seed in range(REPLICATIONS)]
        return [measure(market, spread, returns=False) for market in markets]


@pytest.mark.parametrize("name", [name for name in FACTS if name != "roi_within"])
def test_the_suppliers_market_lies_within_what_is_known_of_such_markets(measured, name):
    values = [each[name] for each in measured]
    assert FACTS[name].low <= np.mean(values) <= FACTS[name].high, values


def test_most_campaigns_return_between_minus_1_and_5_times_their_cost():
    # Nobody waits, and each market is half as large: what is asked is what campaigns do, not the desk.
    scenario = load("supplier", {"desk.reps": 0, "sales.people": 0})
    with mapper() as spread:
        reports = [find(World(scenario, 1500, 365, seed), spread).report for seed in range(2)]
    for name, entry in reports[0]["campaigns"].items():
        assert entry["incremental_roi"] is not None, name
    told = [entry["incremental_roi"] for report in reports for entry in report["campaigns"].values()]
    inside = np.mean([-1 <= each <= 5 for each in told])
    assert FACTS["roi_within"].low <= inside <= FACTS["roi_within"].high
    # And six thousand more cannot bring three quarters of a million.
    for report in reports:
        spent = sum(sum(entry["spend_minor"].values()) for entry in report["campaigns"].values())
        assert report["incremental"]["margin_minor"] < 6 * spent


def test_the_facts_stand_in_the_document_with_their_sources():
    text = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
    for fact in FACTS.values():
        assert fact.about in text
        assert fact.source in text


def test_the_file_says_that_its_values_are_assumptions_or_whose_they_are():
    text = (resources.files("simulator") / "scenarios" / "supplier.toml").read_text(encoding="utf-8")
    assert text.count("assumption") > 100
