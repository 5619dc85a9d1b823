"""Advice follows the least favourable model, and waits for what is still to come."""

from datetime import date

import numpy as np
import pytest

from reports.advice import Advice, Verdict, advise, what_if
from reports.intervals import Resampled, resampled
from reports.maturity import ToCome
from reports.roi import credited
from tests.reports.test_roi import World
from tests.reports.world import add, days

YEAR = days(date(2026, 1, 1), date(2027, 1, 1))


def judged(
    world: World, to_come: dict[str, ToCome] | None = None, **options: frozenset[str]
) -> dict[str, Advice]:
    models = ["first-touch", "last-touch"]
    table = credited(world, models)
    costs: dict[str, int] = {}
    for row in world.rows["costs"]:
        costs[row["campaign"]] = costs.get(row["campaign"], 0) + row["amount_minor"]
    drawn = resampled(dict.fromkeys(models, table), YEAR, costs)
    deals = {name: dict.fromkeys(models, 20.0) for name in drawn.campaigns}
    return {advice.campaign: advice for advice in advise(drawn, deals, to_come or {}, **options)}


def shop() -> World:
    """Twenty orders of 1,000 from each of three campaigns, and one campaign that brought nothing."""
    world = World()
    for name in ("fair", "mail", "print"):
        add(world, 20, name, 1_000_00, lead="2026-01-10", days=30)
    world.cost("fair", 1_000_00).cost("mail", 12_000_00).cost("print", 20_000_00).cost("radio", 500_00)
    return world


def test_advice_is_invest_keep_reconsider_or_stop_by_what_comes_back() -> None:
    found = judged(shop())
    assert {name: advice.verdict.value for name, advice in found.items()} == {
        "fair": "invest",
        "mail": "keep",
        "print": "reconsider",
        "radio": "stop",
    }
    assert found["radio"].most == 0.0
    assert found["fair"].least == 1.0


def test_a_campaign_that_one_model_praises_and_another_condemns_is_reconsidered() -> None:
    world = World()
    for number in range(20):
        world.path(f"buyer {number}", "fair > search", "2026-01-10")
        world.won(f"buyer {number}", 1_000_00, "2026-02-10")
    found = judged(world.cost("fair", 1_000_00).cost("search", 1_000_00))
    assert {advice.verdict for advice in found.values()} == {Verdict.reconsider}
    assert (found["fair"].least, found["fair"].most) == (0.0, 1.0)


def test_what_is_too_young_or_aims_at_something_else_is_not_judged_by_its_return() -> None:
    young = ToCome(leads=10, so_far=10_00, expected=90_00, low=0, high=200_00)
    found = judged(shop(), {"radio": young}, other_aims=frozenset({"print"}))
    assert found["radio"].to_come == 0.9
    assert found["radio"].verdict == Verdict.wait
    assert found["print"].verdict == Verdict.elsewhere


def test_without_a_cost_there_is_no_advice() -> None:
    world = add(World(), 20, "fair", 1_000_00, lead="2026-01-10", days=30)
    assert judged(world)["fair"].verdict == Verdict.unknown


def test_moving_money_in_proportion_moves_revenue_in_proportion() -> None:
    credit = np.array([[400.0, 100.0]])
    drawn = Resampled(
        ("linear",), ("fair", "mail"), credit, np.repeat(credit[:, :, None], 9, 2), np.array([100.0] * 2)
    )
    moved = what_if(drawn, {"fair": 150, "mail": 50}, 1.0)[0]
    assert (moved.before, moved.after, moved.low, moved.high, moved.gain) == (500, 650, 150, 150, 1.0)
    slower = what_if(drawn, {"fair": 150, "mail": 50}, 0.5)[0]
    assert slower.after == pytest.approx(400 * 1.5**0.5 + 100 * 0.5**0.5)
