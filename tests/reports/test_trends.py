"""Parts of a period add up to the whole, and periods are compared with those of the same days."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.daily import Activity, credit_by_day
from reports.roi import TOTAL, credited, summed
from reports.trends import STEPS, preceding, spans, trend, year_before
from tests.reports.test_roi import World
from tests.reports.world import days


@given(
    start=st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    length=st.integers(1, 900),
    step=st.sampled_from(STEPS),
)
def test_the_parts_of_a_period_adjoin_and_make_it_up(start: date, length: int, step: str) -> None:
    whole = days(start, date.fromordinal(start.toordinal() + length))
    parts = spans(whole, step)  # type: ignore[arg-type]  # out of STEPS
    assert (parts[0].start, parts[-1].end) == (whole.start, whole.end)
    assert all(a.end == b.start for a, b in pairwise(parts))


def test_weeks_begin_on_monday_and_quarters_in_january_april_july_october() -> None:
    whole = days(date(2026, 1, 1), date(2027, 1, 1))
    assert {part.start.weekday() for part in spans(whole, "week")[1:]} == {0}
    assert [part.start.month for part in spans(whole, "quarter")] == [1, 4, 7, 10]


def test_the_sum_of_the_months_is_the_total_of_the_report() -> None:
    world = World().path("Borealis", "fair > search").won("Borealis", 100_01, "2026-03-31")
    world.path("Cobalt", "fair").won("Cobalt", 70_00, "2026-04-01").won("Cobalt", 0, "2026-02-02", "lead")
    world.cost("fair", 365_00).cost(None, 12_34).call("fair", "2026-05-05").call(
        None, "2026-12-31", spam=True
    )
    year = days(date(2026, 1, 1), date(2027, 1, 1))
    table = credit_by_day(credited(world, ["linear"]), year.zone)
    activity = Activity.of(world, year.zone)
    rows = trend(table, "linear", activity, spans(year, "month")).to_pylist()
    whole = summed({"linear": table}, activity, year, currency="EUR").to_pylist()
    total = next(row for row in whole if row["campaign"] == TOTAL)
    for name in ("cost_minor", "revenue_minor", "calls", "answered_calls", "leads", "deals", "customers"):
        assert sum(row[name] for row in rows) == pytest.approx(total[name]), name
    assert (rows[2]["revenue_minor"], rows[3]["revenue_minor"]) == (100_01, 70_00)


def test_a_trend_of_some_campaigns_counts_what_the_model_credits_them() -> None:
    world = World().path("Borealis", "fair > search").won("Borealis", 100_00).cost("fair", 10_00)
    year = days(date(2026, 1, 1), date(2027, 1, 1))
    table, activity = credit_by_day(credited(world, ["linear"]), year.zone), Activity.of(world, year.zone)
    rows = trend(table, "linear", activity, [year], campaigns={"fair"}).to_pylist()
    assert [(row["revenue_minor"], row["cost_minor"], row["roi"]) for row in rows] == [(50_00, 10_00, 4.0)]


def test_the_period_before_has_as_many_days_and_last_year_the_same_days() -> None:
    march = days(date(2026, 3, 1), date(2026, 4, 1))
    assert (preceding(march).start, preceding(march).end) == (date(2026, 1, 29), date(2026, 3, 1))
    assert (year_before(march).start, year_before(march).end) == (date(2025, 3, 1), date(2025, 4, 1))
