"""Credit against cost: worked examples that can be checked with a pencil."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution import ANSWERS, CALLS, CONVERSIONS, COSTS, TOUCHES
from reports.daily import calls_by_day, desk, edges_of, spread
from reports.kpis import Period
from reports.roi import OVERHEAD, TOTAL, UNKNOWN, roi
from tests.cast import moment

YEAR = Period(date(2026, 1, 1), date(2027, 1, 1), ZoneInfo("UTC"))


@dataclass
class World:
    """Journey tables, written row by row."""

    rows: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"touches": [], "conversions": [], "costs": [], "calls": [], "answers": []}
    )

    def path(self, account: str, path: str, start: str = "2026-02-01") -> "World":
        """Add touches a day apart, written "fair > search > call"; "?" is a touch of unknown source."""
        for day, campaign in enumerate(path.split(" > ")):
            self.rows["touches"].append(
                {
                    "touch_id": f"{account} {day}",
                    "account_id": account,
                    "occurred_at": moment(start) + timedelta(days=day),
                    "campaign": None if campaign == "?" else campaign,
                    "channel": None if campaign == "?" else f"{campaign} channel",
                    "kind": "visit",
                }
            )
        return self

    def won(self, account: str, value_minor: int, when: str = "2026-06-01", goal: str = "won") -> "World":
        self.rows["conversions"].append(
            {
                "conversion_id": f"{goal} {account} {when}",
                "account_id": account,
                "goal": goal,
                "converted_at": moment(when),
                "value_minor": value_minor,
                "currency": "EUR",
            }
        )
        return self

    def cost(self, campaign: str | None, amount_minor: int, *, direct: bool = True, **days: date) -> "World":
        self.rows["costs"].append(
            {
                "campaign": campaign,
                "channel": None,
                "period_start": days.get("start", date(2026, 1, 1)),
                "period_end": days.get("end", date(2027, 1, 1)),
                "amount_minor": amount_minor,
                "currency": "EUR",
                "category": "media",
                "direct": direct,
            }
        )
        return self

    def call(self, campaign: str | None, when: str = "2026-02-01", **more: Any) -> "World":
        row = {
            "call_id": f"c{len(self.rows['calls'])}",
            "account_id": "Borealis",
            "started_at": moment(when),
            "campaign": campaign,
            "channel": None,
            "status": "completed",
            "duration_s": 60,
            "talk_s": 50,
            "first_call": True,
            "lead_status": None,
            "spam": False,
        }
        self.rows["calls"].append(row | more)
        return self

    def __getattr__(self, name: str) -> pa.Table:
        schemas = {
            "touches": TOUCHES,
            "conversions": CONVERSIONS,
            "costs": COSTS,
            "calls": CALLS,
            "answers": ANSWERS,
        }
        if name not in schemas:
            raise AttributeError(name)
        return pa.Table.from_pylist(self.rows[name], schema=schemas[name])


def report(world: World, model: str = "linear", period: Period = YEAR, **options: Any) -> dict[str, Any]:
    table = roi(world, [model], period, currency="EUR", **options)
    return {row["campaign"]: row for row in table.to_pylist()}


def test_a_cost_of_1000_and_a_revenue_of_2000_are_a_roi_of_100_percent() -> None:
    rows = report(World().path("Borealis", "fair").won("Borealis", 2_000_00).cost("fair", 1_000_00))
    assert rows["fair"]["roi"] == 1.0
    assert rows["fair"]["roas"] == 2.0


def test_a_cost_of_25750_and_a_revenue_of_87000_are_a_roi_of_237_86_percent() -> None:
    rows = report(World().path("Borealis", "fair").won("Borealis", 87_000_00).cost("fair", 25_750_00))
    assert f"{rows['fair']['roi']:.2%}" == "237.86%"


@pytest.mark.parametrize(
    ("model", "fair", "search"),
    [("first-touch", 1_000_01, 0), ("last-touch", 0, 1_000_01), ("linear", 333_34, 666_67)],
)
def test_each_model_shares_the_revenue_of_fair_search_search_its_own_way(
    model: str, fair: int, search: int
) -> None:
    world = World().path("Borealis", "fair > search > search").won("Borealis", 1_000_01)
    rows = report(world, model)
    assert rows.get("fair", {"revenue_minor": 0})["revenue_minor"] == fair
    assert rows.get("search", {"revenue_minor": 0})["revenue_minor"] == search
    assert rows[TOTAL]["revenue_minor"] == 1_000_01


def test_a_deal_nobody_touched_is_reported_not_lost() -> None:
    rows = report(World().path("Borealis", "fair").won("Borealis", 100_00).won("Cobalt", 50_00))
    assert rows["(unattributed)"]["revenue_minor"] == 50_00
    assert rows["(unattributed)"]["deals"] == 1
    assert rows[TOTAL]["revenue_minor"] == 150_00


def test_a_touch_of_unknown_source_keeps_its_share_and_its_name() -> None:
    rows = report(World().path("Borealis", "fair > ?").won("Borealis", 100_00))
    assert (rows["fair"]["revenue_minor"], rows[UNKNOWN]["revenue_minor"]) == (50_00, 50_00)
    assert "(unattributed)" not in rows


def test_a_touch_before_the_lookback_window_earns_nothing() -> None:
    world = World().path("Borealis", "fair", "2026-01-01").path("Cobalt", "fair", "2026-05-25")
    world.won("Borealis", 100_00).won("Cobalt", 30_00)
    rows = report(world, lookback_days=30)
    assert (rows["fair"]["revenue_minor"], rows["(unattributed)"]["revenue_minor"]) == (30_00, 100_00)


def test_only_conversions_and_calls_of_the_period_count_but_touches_of_any_time() -> None:
    spring = Period(date(2026, 4, 1), date(2026, 7, 1), ZoneInfo("UTC"))
    world = World().path("Borealis", "fair", "2026-01-05")
    world.won("Borealis", 100_00, "2026-03-31").won("Borealis", 70_00, "2026-04-01")
    world.won("Borealis", 9_00, "2026-07-01").call("fair", "2026-03-31").call("fair", "2026-06-30")
    rows = report(world, period=spring)
    assert (rows["fair"]["revenue_minor"], rows["fair"]["calls"]) == (70_00, 1)


def test_a_day_ends_at_local_midnight_not_at_that_of_utc() -> None:
    world = World().path("Borealis", "fair", "2026-01-05").won("Borealis", 100_00, "2026-03-31 22:30")
    april = {"start": date(2026, 4, 1), "end": date(2026, 5, 1)}
    stockholm = report(world, period=Period(**april, zone=ZoneInfo("Europe/Stockholm")))
    utc = report(world, period=Period(**april, zone=ZoneInfo("UTC")))
    assert stockholm[TOTAL]["revenue_minor"] == 100_00
    assert utc[TOTAL]["revenue_minor"] == 0


def test_direct_and_indirect_costs_make_the_cost_and_overhead_stands_apart() -> None:
    world = World().cost("fair", 800_00).cost("fair", 200_00, direct=False).cost(None, 300_00, direct=False)
    rows = report(world)
    assert (rows["fair"]["direct_cost_minor"], rows["fair"]["indirect_cost_minor"]) == (800_00, 200_00)
    assert rows["fair"]["cost_minor"] == 1_000_00
    assert rows[OVERHEAD]["cost_minor"] == 300_00
    assert rows[TOTAL]["cost_minor"] == 1_300_00


def test_the_roi_of_the_total_is_made_of_what_campaigns_are_credited_with() -> None:
    world = World().path("Borealis", "fair").won("Borealis", 150_00).won("Cobalt", 650_00)
    world.path("Drift", "?").won("Drift", 200_00).cost("fair", 100_00)
    rows = report(world)
    total = rows[TOTAL]
    assert (total["revenue_minor"], total["credited_minor"]) == (1_000_00, 150_00)
    assert (total["roi"], total["roas"]) == (0.5, 1.5), "(150 - 100) / 100"
    assert total["marketing_efficiency"] == 10, "all revenue for each 1 spent"
    assert rows["fair"]["marketing_efficiency"] is None, "other campaigns brought some of it"
    assert (rows[UNKNOWN]["credited_minor"], rows["(unattributed)"]["credited_minor"]) == (0, 0)


def test_a_campaign_that_nothing_was_recorded_of_has_no_roi_and_neither_has_a_total_of_such() -> None:
    world = World().cost("fair", 800_00).cost(None, 300_00).won("Borealis", 5_000_00)
    rows = report(world)
    assert [rows[line]["roi"] for line in ("fair", OVERHEAD, TOTAL)] == [None, None, None]
    assert [rows[line]["roas"] for line in ("fair", OVERHEAD, TOTAL)] == [None, None, None]
    called = report(world.call("fair"))
    assert (called["fair"]["roi"], called[TOTAL]["roi"], called[OVERHEAD]["roi"]) == (-1.0, -1.0, None)


def test_without_cost_there_is_no_roi_rather_than_an_infinite_one_and_no_lead_is_free() -> None:
    world = World().path("Borealis", "fair").won("Borealis", 100_00).won("Borealis", 0, goal="lead")
    rows = report(world)
    assert rows["fair"]["roi"] is None
    assert rows["fair"]["roas"] is None
    assert rows["fair"]["cost_per_lead_minor"] is None


def test_leads_customers_and_their_cost_follow_the_same_model_as_the_revenue() -> None:
    world = World().path("Borealis", "fair > search").path("Cobalt", "fair")
    for account in ("Borealis", "Cobalt"):
        world.won(account, 0, "2026-03-01", "lead")
    world.won("Borealis", 0, "2026-03-02", "qualified").won("Borealis", 500_00).cost("fair", 300_00)
    fair = report(world)["fair"]
    assert (fair["leads"], fair["qualified_leads"], fair["customers"]) == (1.5, 0.5, 0.5)
    assert fair["cost_per_lead_minor"] == 200_00
    assert fair["cost_per_qualified_lead_minor"] == 600_00
    assert fair["acquisition_cost_minor"] == 600_00
    assert fair["customers_per_lead"] == pytest.approx(1 / 3)


def test_a_repeat_order_is_revenue_but_no_new_customer() -> None:
    world = World().path("Borealis", "fair", "2025-02-01").won("Borealis", 500_00, "2025-06-01")
    world.won("Borealis", 300_00, "2026-06-01")
    fair = report(world)["fair"]
    assert (fair["revenue_minor"], fair["deals"], fair["customers"]) == (300_00, 1.0, 0.0)


def test_spam_is_no_call_and_a_missed_call_is_one() -> None:
    world = World().call("fair").call("fair", status="missed").call("fair", spam=True).call(None)
    rows = report(world)
    assert (rows["fair"]["calls"], rows["fair"]["answered_calls"]) == (2, 1)
    assert rows[UNKNOWN]["calls"] == 1


def test_all_models_stand_in_one_table_and_agree_on_the_total() -> None:
    world = World().path("Borealis", "fair > search > print").won("Borealis", 100_01)
    table = roi(world, ["first-touch", "last-touch", "linear"], YEAR, currency="EUR")
    totals = [row for row in table.to_pylist() if row["campaign"] == TOTAL]
    assert [row["model"] for row in totals] == ["first-touch", "last-touch", "linear"]
    assert {row["revenue_minor"] for row in totals} == {100_01}


def test_an_empty_world_is_an_empty_report_not_an_error() -> None:
    assert report(World()).keys() == {TOTAL}


@given(
    amount=st.integers(0, 10**12),
    start=st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    days=st.integers(1, 800),
    cuts=st.lists(st.integers(-30, 830), max_size=5),
)
def test_a_cost_spread_over_adjoining_periods_adds_up_to_the_cent(
    amount: int, start: date, days: int, cuts: list[int]
) -> None:
    end = start + timedelta(days=days)
    edges = sorted({start + timedelta(days=cut) for cut in cuts} | {start, end})
    periods = [Period(a, b, ZoneInfo("UTC")) for a, b in pairwise(edges)]
    costs = pa.table({"period_start": [start], "period_end": [end], "amount_minor": [amount]})
    _, _, shares = spread(costs, edges_of(periods))
    assert sum(shares) == amount
    assert min(shares) >= 0


def test_a_period_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="ends on 2026-01-01, which is not after its start, 2026-01-01"):
        Period(date(2026, 1, 1), date(2026, 1, 1), ZoneInfo("UTC"))


def attended(world: World, *outcomes: str | None) -> pa.Table:
    """Calls by day, each with what came of asking; None: nobody logged it."""
    rows = [(f"c{i}", outcome) for i, outcome in enumerate(outcomes) if outcome]
    kinds = pa.schema([("call_id", pa.string()), ("outcome", pa.string())])
    answers = pa.table([[c for c, _ in rows], [o for _, o in rows]], schema=kinds)
    return calls_by_day(world.calls, answers, YEAR.zone)


def test_the_asked_rate_is_calls_asked_over_answered_first_calls_that_may_be_leads() -> None:
    world = World().call("fair").call("fair").call("fair").call("fair")
    world.call("fair", status="missed").call("fair", first_call=False).call("fair", spam=True)
    world.call("fair", lead_status="not_a_lead")
    figures = desk(attended(world, "answered", "declined", "not_asked", None, None, "answered"), YEAR)
    assert (figures["qualifying_calls"], figures["asked"], figures["answers"]) == (4, 2, 1)
    assert (figures["asked_rate"], figures["answer_rate"]) == (0.5, 0.5)
    assert (figures["calls"], figures["answered"], figures["missed"], figures["spam"]) == (7, 6, 1, 1)


def test_without_calls_the_rates_are_undefined_not_zero() -> None:
    figures = desk(attended(World()), YEAR)
    assert (figures["calls"], figures["asked_rate"], figures["answered_rate"]) == (0, None, None)
