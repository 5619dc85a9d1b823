"""Scenarios say what they assume and refuse what does not fit."""

import re
from importlib import resources

import numpy as np
import pytest

from simulator.cycle import Cycle, at_once
from simulator.market import World, populate
from simulator.scenario import ScenarioError, load, names


@pytest.mark.parametrize("name", names())
def test_every_shipped_scenario_loads_and_bears_its_own_name(name):
    scenario = load(name)
    assert scenario.name == name
    assert scenario.description


@pytest.mark.parametrize("file", ["supplier.toml", "bases/plain.toml"])
def test_every_number_of_the_supplier_scenario_says_where_it_comes_from(file):
    text = (resources.files("simulator") / "scenarios" / file).read_text(encoding="utf-8")
    bare, stated_above = [], False
    for line in text.splitlines():
        if line.startswith("#"):
            stated_above = "assumption" in line or "secondary" in line
        elif re.match(r"^\w+ = [-\d\[{]", line):
            stated = "assumption" in line or "secondary" in line or "days" in line or "source" in line
            if not stated and not stated_above and "#" not in line:
                bare.append(line)
            stated_above = False
    assert bare == []


def test_an_unknown_key_is_refused_by_its_name(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('extends = "supplier"\n[desk]\nrepz = 3\n', encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"desk\.repz"):
        load(path)


def test_a_value_out_of_range_is_named_with_its_key():
    with pytest.raises(ScenarioError, match=r"observer\.cookie_loss = 1\.5.*less than or equal to 1"):
        load("plain", {"observer.cookie_loss": 1.5})


def test_an_override_into_a_table_that_does_not_exist_is_refused():
    with pytest.raises(ScenarioError, match="no table 'desks'"):
        load("plain", {"desks.reps": 3})


def test_a_desk_with_fewer_lines_than_people_is_refused():
    with pytest.raises(ScenarioError, match=r"lines 2 must be at least reps 3"):
        load("plain", {"desk.lines": 2})


def test_an_unknown_scenario_names_those_that_exist():
    with pytest.raises(ScenarioError, match=r"one of .*supplier"):
        load("atlantis")


def test_broken_toml_is_reported_with_its_line(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("name = \n", encoding="utf-8")
    with pytest.raises(ScenarioError, match="line 1"):
        load(path)


def test_scenarios_that_extend_each_other_in_a_circle_are_refused(tmp_path):
    (tmp_path / "a.toml").write_text('extends = "b.toml"\n', encoding="utf-8")
    (tmp_path / "b.toml").write_text('extends = "a.toml"\n', encoding="utf-8")
    with pytest.raises(ScenarioError, match="circle"):
        load(tmp_path / "a.toml")


def test_only_keeps_the_named_campaigns_and_refuses_unknown_ones(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('extends = "supplier"\nonly = ["email"]\n', encoding="utf-8")
    assert list(load(path).campaigns) == ["email"]
    path.write_text('extends = "supplier"\nonly = ["telepathy"]\n', encoding="utf-8")
    with pytest.raises(ScenarioError, match="telepathy"):
        load(path)


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("needs.repeat_part.decision_days", float("inf"), "finite"),
        ("needs.repeat_part.value_minor", 1e300, "less than or equal to"),
        ("needs.repeat_part.season", [0.0] * 12, "at least one weight must be above 0"),
        ("market.industries", {"water": 0.0}, "at least one weight must be above 0"),
        ("market.regions", {"north": float("nan")}, "finite"),
        ("campaigns.email.flights", [{"from_day": 5000, "to_day": 5001, "exposures": 1}], "less than"),
        ("campaigns.email.lift", {"win": 1e300}, "less than or equal to 1000"),
        ("campaigns.email.variable_minor", 1e300, "less than or equal to"),
        ("desk.talk_sigma", 40.0, "less than or equal to 2"),
        ("start", "0001-01-01", "greater than or equal to 1970-01-01"),
    ],
    ids=str,
)
def test_a_value_that_no_market_can_have_is_refused_with_its_key(key, value, remedy):
    with pytest.raises(ScenarioError, match=rf"{re.escape(key)}.*{remedy}"):
        load("plain", {key: value})


@pytest.mark.parametrize("part", ["via", "answers"])
def test_weights_that_are_all_zero_are_refused(part):
    kept = {"asked": 0.5, "declined": 0.0}
    weights = load("plain").observer.model_dump()[part]
    with pytest.raises(ScenarioError, match=rf"observer\.{part}.*at least one weight"):
        load("plain", {f"observer.{part}": {name: kept.get(name, 0.0) for name in weights}})


def test_a_file_in_another_encoding_is_refused_with_the_remedy(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes('name = "Öresund"\n'.encode("latin-1"))
    with pytest.raises(ScenarioError, match=r"mine\.toml: byte 8 is not UTF-8: save"):
        load(path)


def test_more_meetings_than_can_be_told_apart_are_refused_by_the_campaign():
    everywhere = dict.fromkeys(load("plain").market.industries, 10.0)
    scenario = load("plain", {"campaigns.email.per_year": 200.0, "campaigns.email.industries": everywhere})
    with pytest.raises(ScenarioError, match=r"campaigns\.email: .* times in one flight"):
        populate(World(scenario, accounts=2, days=1500, seed=1), 0, 2)


def test_hazards_too_large_to_add_up_are_refused_by_the_stage():
    scenario = load("plain", {"organic.win": 1000.0, "needs.repeat_part.per_year": 50.0})
    market = World(scenario, accounts=100, days=365, seed=1)
    cycle = Cycle(populate(market, 0, 100))
    outcome, _ = cycle.enquire(np.ones(9))
    with pytest.raises(ScenarioError, match=r"lower organic\.win"):
        cycle.finish(np.ones(9), outcome, at_once(outcome))


def test_what_is_wrong_between_tables_is_told_without_the_whole_scenario():
    with pytest.raises(ScenarioError, match=r"^supplier: campaigns\.email\.roles names \['boss'\]"):
        load("supplier", {"campaigns.email.roles": {"boss": 1.0}})
