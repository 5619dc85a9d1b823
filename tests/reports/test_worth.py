"""What customers are worth, in figures that a pencil can check."""

from datetime import date
from typing import Any

import pytest

from reports.daily import desk
from reports.definitions import KPIS
from reports.worth import Buying, buying, figures
from tests.reports.test_roi import YEAR, World, attended
from tests.reports.world import days


def row(**told: float) -> dict[str, Any]:
    names = (
        "cost_minor",
        "revenue_minor",
        "credited_minor",
        "calls",
        "leads",
        "qualified_leads",
        "customers",
    )
    return dict.fromkeys(names, 0.0) | dict.fromkeys(("roi", "roas", "marketing_efficiency")) | told


HABIT = Buying(deals=10, customers=5, average_sale_minor=2_000_00, purchases_per_year=1.5)


def test_lifetime_value_is_average_sale_times_purchases_a_year_times_years_kept() -> None:
    found = figures(
        row(
            cost_minor=6_000_00,
            revenue_minor=8_000_00,
            credited_minor=6_000_00,
            customers=4,
            calls=30,
            leads=12,
            roi=0.0,
            roas=1.0,
            marketing_efficiency=4 / 3,
        ),
        row(cost_minor=2_000_00, customers=2),
        row(cost_minor=4_000_00, customers=1),
        visits=480,
        revenue_before_minor=1_000_00,
        habit=HABIT,
        years_kept=4,
    )
    assert found["lifetime_value_minor"] == 12_000_00
    assert found["acquisition_cost_minor"] == 1_500_00, "four customers"
    assert found["lifetime_to_acquisition"] == 8
    assert found["payback_months"] == pytest.approx(6), "1,500 over 250 a month"
    assert found["lifetime_roi"] == 5, "three customers of 12,000 credited to campaigns, for 6,000"
    assert (found["roi"], found["marketing_efficiency"]) == (0.0, 4 / 3), "6,000 credited, 8,000 in all"
    assert found["growth_efficiency"] == pytest.approx(7 / 6), "(8,000 - 1,000) / 6,000"
    assert (found["inbound_acquisition_cost_minor"], found["outbound_acquisition_cost_minor"]) == (
        1_000_00,
        4_000_00,
    )
    assert (found["cost_per_call_minor"], found["cost_per_lead_minor"]) == (200_00, 500_00)
    assert (found["visitor_to_lead_rate"], found["customers_per_lead"]) == (0.025, 1 / 3)
    assert found["sourced_share"] == 0.75


def test_without_data_nothing_is_made_up() -> None:
    nothing = figures(
        row(), row(), row(), visits=0, revenue_before_minor=None, habit=Buying(0, 0, None, None),
        years_kept=5,
    )  # fmt: skip
    assert set(nothing.values()) == {None}


def test_a_new_customer_counts_as_observed_for_a_year_and_an_old_one_for_its_years() -> None:
    world = World().won("Borealis", 100_00, "2024-01-01").won("Borealis", 300_00, "2025-06-01")
    world.won("Cobalt", 200_00, "2025-12-01").won("Drift", 999_00, "2026-01-01")
    habit = buying(world.conversions, days(date(2025, 1, 1), date(2026, 1, 1)))
    assert (habit.deals, habit.customers, habit.average_sale_minor) == (3, 2, 200_00)
    # Borealis two years (731 days), Cobalt one: three deals over three years.
    assert habit.purchases_per_year == pytest.approx(3 / (731 / 365.25 + 1))


def test_every_figure_that_is_computed_is_defined_once() -> None:
    names = [kpi.name for kpi in KPIS]
    assert len(names) == len(set(names))
    computed = figures(row(), row(), row(), visits=0, revenue_before_minor=0, habit=HABIT, years_kept=5)
    rates = {
        name
        for name in desk(attended(World()), YEAR)
        if name in ("answered_rate", "asked_rate", "missed_rate")
    }
    assert set(names) == set(computed) | rates
