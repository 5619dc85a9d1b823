"""Building a market from tables and fitting the rest, where the true values are known."""

import datetime as dt
import math

import numpy as np
import pyarrow.compute as pc
import pytest
from scipy import stats

from simulator.fitting import PARAMETERS, UNTOLD, describe, fit, poor, shifted
from simulator.market import World
from simulator.moments import FITTED, HELD_OUT, compute
from simulator.own import build
from simulator.own_file import as_toml, value_rows
from simulator.runs import mapper
from simulator.scenario import load
from simulator.write import tables

TRUE = {"qualify": 0.5, "decision": 0.4, "needs": -0.9}
ACCOUNTS = 150


@pytest.fixture(scope="module")
def base():
    return load("plain", {"desk.reps": 0})


@pytest.fixture(scope="module")
def known(base):
    """A market built from tables, with values shifted to where we know them."""
    with mapper() as spread:
        seen = tables(World(base, ACCOUNTS, 365, 5), spread)
    return shifted(build(seen, accounts=ACCOUNTS).scenario, TRUE)


@pytest.fixture(scope="module")
def found(known):
    with mapper() as spread:
        data = tables(World(known, ACCOUNTS, 365, 77), spread)
        return fit(data, spread, accounts=ACCOUNTS, trials=2)


def test_values_are_found_again_within_their_errors(found, known):
    (need,), (true,) = found.scenario.needs.values(), known.needs.values()
    for name, fitted, truth in (
        ("needs", math.log(need.per_year), math.log(true.per_year)),
        ("decision", math.log(need.decision_days), math.log(true.decision_days)),
        ("repeat", math.log(need.repeat_per_year), math.log(true.repeat_per_year)),
    ):
        error = found.estimates[name][1]
        assert error is None or abs(fitted - truth) < 4 * error, name
    # From 19 orders only the rate of needs is told; what is not told has no error.
    assert found.estimates["needs"][1] < 1.5


def test_what_was_fitted_fits_and_what_was_held_out_is_reported(found):
    assert set(found.fitted) == set(FITTED)
    assert set(found.held_out) <= set(HELD_OUT)
    off = [difference for _, _, difference in found.fitted.values()]
    # Each is given in its own errors, so the sum of their squares is that of a chi-squared test.
    assert stats.chi2.sf(np.square(off).sum(), len(off)) > 0.001


def test_a_market_that_is_not_that_of_the_tables_says_in_which_figures(known):
    with mapper() as spread:
        data = tables(World(known, ACCOUNTS, 365, 77), spread)
        alike = describe(data, known, spread)
        other = known.model_copy(update={"contact": known.contact.model_copy(update={"phone": 0.05})})
        silent = describe(data, other, spread)
    assert set(alike) <= {*FITTED, *HELD_OUT}
    # Where nothing differs, more than three standard errors are rare.
    assert len(poor(alike)) <= 1
    assert "phone_share" in poor(silent)


def test_as_many_orders_are_simulated_as_there_are(found):
    in_data, simulated, _ = found.fitted["orders"]
    assert math.exp(in_data) == pytest.approx(found.own.orders)
    assert simulated == pytest.approx(in_data, abs=0.2)


def test_the_fitted_market_is_a_file_that_says_where_each_value_comes_from(found, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(as_toml(found.own), encoding="utf-8")
    assert load(path) == found.scenario
    text = path.read_text(encoding="utf-8")
    assert "# Cannot be identified: the effects of campaigns" in text
    assert f"accounts = {ACCOUNTS}  # from the data: as given" in text
    for name in found.estimates:
        origin, how = found.own.origin(PARAMETERS[name][0].split(",")[0])
        assert origin == "fitted"
        assert ("too little" in how or UNTOLD in how) == (name in found.unidentified)
    for line in text.splitlines():
        if " = " in line and not line.startswith(("#", "name", "description")):
            assert any(f"# {word}" in line for word in ("from the data", "fitted", "assumption")), line
    rows = {row["key"]: row for row in value_rows(found.own)}
    assert rows["needs.order.value_minor"]["origin"] == "data"
    assert rows["campaigns.email.response"]["origin"] == "assumption"


def test_no_campaign_of_the_fitted_market_has_an_effect(found):
    for campaign in found.scenario.campaigns.values():
        assert not any((campaign.value_lift, *campaign.impulse.values(), *campaign.lift.values()))


def numbers(tree):
    """List every number of a scenario, however deep."""
    if isinstance(tree, dict):
        return [number for branch in tree.values() for number in numbers(branch)]
    if isinstance(tree, list):
        return [number for branch in tree for number in numbers(branch)]
    return [tree] if isinstance(tree, int | float) else []


@pytest.mark.parametrize("name", list(PARAMETERS))
def test_no_shift_leaves_the_market_as_it_is(known, name):
    assert numbers(shifted(known, {name: 0.0}).model_dump()) == pytest.approx(numbers(known.model_dump()))


def test_more_needs_leave_the_number_of_meetings_as_it_was(known):
    more = shifted(known, {"needs": math.log(2)})
    assert more.needs["order"].per_year == pytest.approx(2 * known.needs["order"].per_year)
    search = "search_ads"
    assert more.campaigns[search].per_year == pytest.approx(known.campaigns[search].per_year / 2)
    assert more.campaigns["email"].per_year == known.campaigns["email"].per_year


def test_orders_alone_are_enough_for_a_partial_fit(known):
    with mapper() as spread:
        data = tables(World(known, 60, 365, 7), spread)
        won = data["conversions"].filter(pc.equal(data["conversions"]["goal"], "won"))
        alone = {"conversions": won}
        found = fit(alone, spread, accounts=60, trials=1)
    assert "needs" in found.estimates
    assert {"phone", "qualify", "customers"} <= set(found.left_out)
    assert not found.scenario.campaigns


def test_one_order_tells_no_rate_and_no_huge_error_stands_for_that(known):
    with mapper() as spread:
        data = tables(World(known, 40, 365, 7), spread)
        won = data["conversions"].filter(pc.equal(data["conversions"]["goal"], "won"))
        found = fit({"conversions": won.slice(0, 1)}, spread, accounts=20, trials=1)
    assert found.estimates["needs"][1] is None
    assert "needs" in found.unidentified
    assert UNTOLD in found.own.origin("needs.order.per_year")[1]


def test_tables_without_conversions_cannot_be_fitted_to(base):
    with mapper() as spread:
        data = tables(World(base, 20, 30, 1), spread)
        data["conversions"] = data["conversions"].slice(0, 0)
        with pytest.raises(ValueError, match="conversions is empty"):
            fit(data, spread)


def test_figures_by_pencil(base):
    with mapper() as spread:
        seen = tables(World(base, 200, 90, 3), spread)
    start = dt.datetime(2025, 1, 6, tzinfo=dt.UTC)
    figures = compute(seen, start, start + dt.timedelta(days=90))
    leads = [
        row
        for row in seen["conversions"].to_pylist()
        if row["goal"] == "lead" and row["converted_at"] >= start
    ]
    good = [
        row
        for row in seen["conversions"].to_pylist()
        if row["goal"] == "qualified" and row["converted_at"] >= start
    ]
    assert figures["qualified_rate"] == pytest.approx(
        len({row["account_id"] for row in good}) / len({row["account_id"] for row in leads})
    )
    calls = [row for row in seen["calls"].to_pylist() if row["account_id"] and row["started_at"] >= start]
    assert figures["calls_per_account"] == pytest.approx(
        math.log(len(calls) / len({row["account_id"] for row in calls}))
    )


def test_a_window_with_nothing_in_it_gives_no_figures(base):
    with mapper() as spread:
        seen = tables(World(base, 50, 30, 3), spread)
    never = dt.datetime(1999, 1, 1, tzinfo=dt.UTC)
    assert math.isnan(compute(seen, never, never + dt.timedelta(days=1))["talk_median"])
