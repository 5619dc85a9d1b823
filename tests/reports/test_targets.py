"""Targets have a period and a pace, and one far outside the trend is told from one within it."""

from datetime import date

import pytest

from reports.targets import Pace, gone, window


def test_a_target_of_a_year_is_due_evenly_over_its_days() -> None:
    first, last = window(date(2026, 7, 1), None, None)
    pace = Pace(target=365, so_far=150, gone=gone(date(2026, 7, 1), first, last))
    assert pace.expected == 182, "on the 182nd day"
    assert pace.reached == pytest.approx(150 / 365)
    assert pace.whole_year == pytest.approx(150 / 182 * 365)


def test_a_campaign_that_runs_for_a_month_has_a_month_for_its_target() -> None:
    first, last = window(date(2026, 6, 15), date(2026, 6, 1), date(2026, 6, 30))
    assert (first, last) == (date(2026, 6, 1), date(2026, 6, 30))
    assert gone(date(2026, 6, 15), first, last) == 0.5
    assert (gone(date(2026, 5, 31), first, last), gone(date(2026, 9, 1), first, last)) == (0.0, 1.0)


def test_what_chance_does_is_neither_ahead_nor_behind() -> None:
    assert [Pace(200, count, 0.5).ahead for count in (79, 80, 120, 121)] == [-1, 0, 0, 1], "100 are due"
    assert Pace(200, None, 0.5).ahead is None, "not recorded is not behind"
    assert [Pace(200, count, 0.5).close for count in (89, 90, 110, 111)] == [False, True, True, False]
    assert [(Pace(11, n, 1.0).ahead, Pace(11, n, 1.0).close) for n in (3.5, 4.7, 8)] == [
        (-1, False),
        (0, False),
        (0, True),
    ]


@pytest.mark.parametrize(("target", "far"), [(100, False), (285, False), (1_000, True), (10, True)])
def test_a_target_far_outside_the_trend_is_told(target: float, far: bool) -> None:
    assert Pace(target, 20, 0.2, last_year=95).far is far


def test_without_a_trend_no_target_is_far_from_it() -> None:
    assert not Pace(1_000, 3, 0.1).far, "a tenth of the first year says nothing"
    assert Pace(1_000, 30, 0.5).far, "half a year does: 60"
    assert Pace(1_000, 0, 1.0).far
    assert not Pace(10, 0, 1.0).far, "none may be chance"
    assert not Pace(1_000, None, 1.0).far
