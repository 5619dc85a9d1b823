"""Scenarios say what they assume and refuse what does not fit."""

import re
from importlib import resources

import pytest

from simulator.scenario import ScenarioError, load, names


@pytest.mark.parametrize("name", names())
def test_every_shipped_scenario_loads_and_bears_its_own_name(name):
    scenario = load(name)
    assert scenario.name == name
    assert scenario.description


def test_every_number_of_the_supplier_scenario_says_where_it_comes_from():
    text = (resources.files("simulator") / "scenarios" / "supplier.toml").read_text(encoding="utf-8")
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
        load("supplier", {"observer.cookie_loss": 1.5})


def test_an_override_into_a_table_that_does_not_exist_is_refused():
    with pytest.raises(ScenarioError, match="no table 'desks'"):
        load("supplier", {"desks.reps": 3})


def test_a_desk_with_fewer_lines_than_people_is_refused():
    with pytest.raises(ScenarioError, match=r"lines 2 must be at least reps 3"):
        load("supplier", {"desk.lines": 2})


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


@pytest.mark.parametrize("value", ["[" * 5000, "1" * 5000])
def test_a_scenario_that_no_reader_gets_through_is_refused_in_words(tmp_path, value):
    path = tmp_path / "deep.toml"
    path.write_text(f"seed = {value}")
    with pytest.raises(ScenarioError, match="not TOML"):
        load(path)
