"""What leads have yet to bring: curves that a pencil can check, and a market whose future is known."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from attribution.shares import UNIT
from reports import maturity
from reports.maturity import Maturity, buying_times, kaplan_meier, still_to_come
from reports.roi import credited
from tests.cast import moment
from tests.reports.test_roi import World
from tests.reports.world import add, buyers, days

SPRING = days(date(2026, 1, 1), date(2026, 7, 1))


def to_come(world: World) -> Maturity:
    table = credited(world, ["linear"])
    return still_to_come(buying_times(world.conversions), table, "linear", SPRING, moment("2026-05-31"))


def test_an_open_lead_counts_as_at_risk_until_its_age_and_not_beyond() -> None:
    # Of 40 leads 10 buy on day 1, 10 are open at day 2, 10 buy on day 3, 10 are open at day 4.
    curve = kaplan_meier(np.array([0, 10, 0, 10, 0.0]), np.array([0, 0, 10, 0, 10.0]))
    assert curve.bought.tolist() == pytest.approx([0, 1 / 4, 1 / 4, 5 / 8, 5 / 8])
    assert curve.still().tolist() == pytest.approx([5 / 8, 1 / 2, 1 / 2, 0, 0])
    assert curve.days_until(0.5) == 3


def test_the_curve_ends_where_too_few_are_left_to_learn_from() -> None:
    curve = kaplan_meier(np.array([5, 5, 0, 1.0]), np.array([0, 0, 8, 0.0]))
    assert curve.horizon == 1, "nine are left on day 2"


def test_a_young_campaign_has_its_revenue_still_to_come_and_an_old_one_has_not() -> None:
    # All twenty older leads bought after 100 days; the ten of last month are 30 days old.
    world = buyers(20, "fair", 1_000_00, lead="2026-01-01", days=100)
    add(world, 10, "mail", 0, lead="2026-05-01", days=None)
    found = to_come(world)
    assert found.campaigns["fair"].expected == 0
    assert found.campaigns["fair"].so_far == 20_000_00
    assert found.campaigns["mail"].expected == pytest.approx(10_000_00), "each of the ten will buy"
    assert found.campaigns["mail"].share == 1.0
    assert found.total.share == pytest.approx(1 / 3)


def test_what_is_still_to_come_is_shared_like_the_leads() -> None:
    world = buyers(20, "fair", 1_000_00, lead="2026-01-01", days=100)
    for number in range(10):
        world.path(f"both {number}", "fair > mail", "2026-04-30")
        world.won(f"both {number}", 0, "2026-05-02", "lead")
    found = to_come(world)
    assert found.campaigns["fair"].expected == pytest.approx(5_000_00)
    assert found.campaigns["mail"].expected == pytest.approx(5_000_00)


def test_without_leads_or_without_orders_nothing_is_foreseen() -> None:
    nothing = buyers(0, "fair", 0, lead="2026-01-01", days=None)
    assert to_come(nothing).campaigns == {}
    waiting = buyers(30, "fair", 0, lead="2026-01-01", days=None)
    found = to_come(waiting)
    assert (found.total.expected, found.total.share) == (0, None)


def market(seed: int) -> tuple[pa.Table, datetime, float]:
    """Leads over two years, four in ten of which buy after 20 to 400 days; and what the last ones bring."""
    rng = np.random.default_rng(seed)
    start, now = datetime(2024, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    rows, later = [], 0.0
    for number in range(1500):
        met = start + timedelta(days=float(rng.uniform(0, 731)))
        buys = rng.random() < 0.4
        at = met + timedelta(days=20 + 380 * float(rng.beta(1.5, 3)))
        value = int(rng.lognormal(12, 0.8))
        common = {"account_id": number, "campaign": "fair", "units linear": UNIT}
        lead = {"conversion_id": f"l{number}", "goal": "lead", "converted_at": met, "first": False}
        rows.append(common | lead | {"value_minor": 0})
        if buys and at <= now:
            won = {"conversion_id": f"w{number}", "goal": "won", "converted_at": at, "first": True}
            rows.append(common | won | {"value_minor": value})
        elif buys and met >= datetime(2025, 7, 1, tzinfo=UTC):
            later += value
    table = pa.Table.from_pylist(rows)
    table = table.set_column(
        table.schema.get_field_index("converted_at"),
        "converted_at",
        table["converted_at"].cast(pa.timestamp("us", "UTC")),
    )
    place = table.schema.get_field_index("campaign")
    return table.set_column(place, "campaign", table["campaign"].dictionary_encode()), now, later


def test_the_interval_holds_what_comes_as_often_as_it_says() -> None:
    recent = days(date(2025, 7, 1), date(2026, 1, 1))
    inside, markets = 0, 100
    for seed in range(markets):
        table, now, later = market(seed)
        total = still_to_come(buying_times(table), table, "linear", recent, now, seed=seed).total
        inside += total.low <= later <= total.high
    # 80 of 100 are expected; by chance alone 66 to 92 in all but one of a thousand runs (binomial).
    assert 66 <= inside <= 92


def test_the_longest_delay_is_an_assumption_that_stands_in_one_place() -> None:
    assert maturity.LONGEST == 3 * 365
