"""Advice follows the least favourable model, and is given only where the data bear it."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.advice import Advice, Verdict, advise, what_if
from reports.daily import observed_by_day
from reports.evidence import LEAST_DEALS, LEAST_DEALS_IN_ALL, Evidence, Standing, connected, coverage
from reports.intervals import Resampled, resampled
from reports.maturity import ToCome
from reports.roi import credited, roi
from tests.reports.test_roi import World
from tests.reports.world import UTC, add, days

YEAR = days(date(2026, 1, 1), date(2027, 1, 1))
MODELS = ("first-touch", "last-touch")
# That say that a campaign pays.
PAYS = {Verdict.invest, Verdict.keep}
VERDICTS = PAYS | {Verdict.stop, Verdict.reconsider}


def evidence_of(world: World) -> Evidence:
    rows = roi(world, MODELS[:1], YEAR, currency="EUR").to_pylist()
    return Evidence(coverage(rows), connected(observed_by_day(world, UTC), YEAR.end))


def judged(
    world: World, to_come: dict[str, ToCome] | None = None, **options: frozenset[str]
) -> dict[str, Advice]:
    table = credited(world, MODELS)
    costs: dict[str, int] = {}
    for row in world.rows["costs"]:
        costs[row["campaign"]] = costs.get(row["campaign"], 0) + row["amount_minor"]
    drawn = resampled(dict.fromkeys(MODELS, table), YEAR, costs)
    deals: dict[str, dict[str, float]] = {}
    for row in roi(world, MODELS, YEAR, currency="EUR").to_pylist():
        deals.setdefault(row["campaign"], {})[row["model"]] = row["deals"]
    found = advise(drawn, deals, to_come or {}, evidence_of(world), **options)
    return {advice.campaign: advice for advice in found}


def shop() -> World:
    """Twenty orders of 1,000 from each of three campaigns; two more were met, and nobody bought."""
    world = World()
    for name in ("fair", "mail", "print"):
        add(world, 20, name, 1_000_00, lead="2026-01-10", days=30)
    world.path("one passer-by", "radio").path("another", "poster")
    world.cost("fair", 1_000_00).cost("mail", 13_000_00).cost("print", 20_000_00)
    return world.cost("radio", 5_000_00).cost("poster", 2_000_00)


def test_advice_is_invest_keep_stop_or_wait_by_what_comes_back() -> None:
    found = judged(shop())
    assert {name: advice.verdict.value for name, advice in found.items()} == {
        "fair": "invest",
        "mail": "keep",
        "print": "wait",
        "radio": "stop",
        "poster": "wait",
    }
    assert (found["radio"].most, found["fair"].least) == (0.0, 1.0)
    assert found["poster"].least is None, (
        "2.3 orders of 1,000 may have stayed away by chance: more than 2,000"
    )


def test_a_campaign_that_was_met_is_connected_before_anybody_has_bought() -> None:
    found = judged(World().path("one passer-by", "radio").cost("radio", 5_000_00).cost("TV", 5_000_00))
    assert (found["radio"].verdict, found["radio"].standing) == (Verdict.wait, Standing.nothing)
    assert (found["TV"].verdict, found["TV"].standing) == (Verdict.unconnected, Standing.unconnected)


def test_a_campaign_without_touch_call_or_answer_is_not_judged_whatever_it_cost() -> None:
    found = judged(shop().cost("TV", 90_000_00))["TV"]
    assert (found.verdict, found.standing) == (Verdict.unconnected, Standing.unconnected)
    assert (found.least, found.most) == (None, None)
    heard = {"answer_id": "1", "account_id": "Borealis", "asked_at": YEAR.since, "outcome": "answered"}
    world = shop().cost("TV", 90_000_00)
    world.rows["answers"].append(heard | {"campaign": "TV"})
    assert judged(world)["TV"].verdict == Verdict.stop, "somebody heard of us there"


def test_revenue_that_is_not_connected_may_be_a_campaigns_own() -> None:
    world = shop()
    for number in range(180):
        world.won(f"unseen {number}", 1_000_00)
    assert judged(world)["radio"].verdict == Verdict.wait, "of a quarter that is connected: 2,300 x 4 > 5,000"


def test_few_deals_in_all_or_of_a_campaign_are_too_few() -> None:
    world = add(World(), 19, "fair", 1_000_00, lead="2026-01-10", days=30).cost("fair", 1_00)
    assert judged(world)["fair"].standing == Standing.few_in_all
    world = add(world, 4, "mail", 1_000_00, lead="2026-01-10", days=30).cost("mail", 1_00)
    found = judged(world)
    assert (found["fair"].verdict in PAYS, found["mail"].verdict) == (True, Verdict.wait)
    assert found["mail"].standing == Standing.few_deals
    assert found["mail"].least is None


def test_a_campaign_that_one_model_praises_and_another_condemns_is_reconsidered() -> None:
    world = World()
    for number in range(40):
        path = "fair > search" if number < 28 else "search > fair"
        world.path(f"buyer {number}", path, "2026-01-10")
        world.won(f"buyer {number}", 1_000_00, "2026-02-10")
    found = judged(world.cost("fair", 20_000_00).cost("search", 20_000_00))
    assert {advice.verdict for advice in found.values()} == {Verdict.reconsider}
    assert found["fair"].least is not None
    assert found["fair"].least < 0.1, "12,000 by the last touch"
    assert found["fair"].most is not None
    assert found["fair"].most > 0.9, "28,000 by the first"


def test_what_is_too_young_or_aims_at_something_else_is_not_judged_by_its_return() -> None:
    young = ToCome(leads=10, so_far=10_00, expected=90_00, low=0, high=200_00)
    found = judged(shop(), {"radio": young}, other_aims=frozenset({"print"}))
    assert found["radio"].to_come == 0.9
    assert found["radio"].verdict == Verdict.wait
    assert found["print"].verdict == Verdict.elsewhere


def test_without_a_cost_there_is_no_advice() -> None:
    world = add(World(), 40, "fair", 1_000_00, lead="2026-01-10", days=30)
    assert judged(world)["fair"].verdict == Verdict.unknown


STEPS = st.lists(
    st.tuples(st.sampled_from(["fair", "mail", "?"]), st.sampled_from([0, 1, 100_00]), st.integers(0, 20)),
    max_size=4,
)


@given(STEPS, st.sampled_from([1, 50_00, 10**9]))
def test_below_the_gate_no_campaign_gets_a_verdict(steps: list[tuple[str, int, int]], cost: int) -> None:
    world = World().cost("fair", cost).cost("mail", cost).cost("TV", cost)
    for step, (campaign, value, count) in enumerate(steps):
        for number in range(count):
            world.path(f"{step} {number}", campaign).won(f"{step} {number}", value)
    evidence = evidence_of(world)
    for advice in judged(world).values():
        whole = evidence.coverage
        told = whole.revenue.connected > 0 and whole.deals.connected >= LEAST_DEALS_IN_ALL
        if not (told and advice.campaign in evidence.connected):
            assert advice.verdict not in VERDICTS
            assert advice.pays == {}
        if advice.fewest < LEAST_DEALS:
            assert advice.verdict not in PAYS


def test_a_tie_is_a_tie() -> None:
    credit = np.array([[400.0, 200.0, 100.0]])
    drawn = Resampled(
        ("linear",),
        ("fair", "mail", "TV"),
        credit,
        np.repeat(credit[:, :, None], 9, 2),
        np.array([200.0, 100.0, 100.0]),
    )
    assert drawn.best({"fair", "mail", "TV"}) == {"linear": (("fair", "mail"), 1.0)}
    assert drawn.best({"fair", "TV"}) == {"linear": (("fair",), 1.0)}
    assert drawn.best({"fair"}) == {}, "alone it is before nobody"


def test_moving_money_in_proportion_moves_revenue_in_proportion() -> None:
    credit = np.array([[400.0, 100.0]])
    drawn = Resampled(
        ("linear",), ("fair", "mail"), credit, np.repeat(credit[:, :, None], 9, 2), np.array([100.0] * 2)
    )
    moved = what_if(drawn, {"fair": 150, "mail": 50}, 1.0)[0]
    assert (moved.before, moved.after, moved.low, moved.high, moved.gain) == (500, 650, 150, 150, 1.0)
    slower = what_if(drawn, {"fair": 150, "mail": 50}, 0.5)[0]
    assert slower.after == pytest.approx(400 * 1.5**0.5 + 100 * 0.5**0.5)
