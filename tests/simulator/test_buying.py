"""Who decides, against whom, how long a quote takes, and how customers order again."""

import numpy as np
import pyarrow.compute as pc
import pytest

from simulator.agreement import Agreement
from simulator.causes import answered_at_once
from simulator.cycle import LOST, WON, Cycle, at_once
from simulator.hazard import NEVER
from simulator.market import DAY, World, populate
from simulator.office import Requests, write_quotes
from simulator.runs import mapper
from simulator.scenario import ScenarioError, load
from simulator.truth import find
from simulator.write import tables

# Needs that wait for whatever comes, without seasons, so that only the mechanism at hand decides.
LASTING = {
    f"needs.{kind}.{name}": value
    for kind in ("repeat_part", "custom_part", "capital_equipment")
    for name, value in {"lifetime_days": 5_000.0, "lifetime_sigma": 0.0, "qualify_rate": 1.0}.items()
} | {"desk.reps": 0, "organic.shortlist": 1.0, "organic.contact": 1.0, "organic.win": 1.0}
KINDS = ("repeat_part", "custom_part", "capital_equipment")


def each_need(**values):
    return {f"needs.{kind}.{name}": value for kind in KINDS for name, value in values.items()}


def run(overrides, accounts=1500, scale=None, seed=5):
    world = World(load("plain", LASTING | overrides), accounts, 365, seed)
    cycle = Cycle(populate(world, 0, accounts))
    scale = np.ones(9) if scale is None else scale
    outcome, _ = cycle.enquire(scale)
    full, orders = cycle.finish(scale, outcome, at_once(outcome))
    return cycle.shard, full, orders


def decided(full):
    """Return how many needs were decided, and which share of them we won."""
    won, lost = (full.status == WON).sum(), ((full.status == LOST) & (full.quote_at < NEVER)).sum()
    return won + lost, won / (won + lost)


def test_against_n_rivals_at_their_prices_one_order_in_n_plus_1_is_ours():
    count, share = decided(run(each_need(rivals=2.0))[1])
    # The mean of 1 / (1 + N) for a Poisson N of mean 2.
    expected = (1 - np.exp(-2)) / 2
    assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / count)


def test_a_higher_price_loses_orders_and_wins_none():
    usual = run(each_need(rivals=2.0, price_elasticity=3.0))[1]
    dearer = run(each_need(rivals=2.0, price_elasticity=3.0) | {"market.price_level": 1.2})[1]
    assert decided(dearer)[1] < decided(usual)[1]
    assert not ((dearer.status == WON) & (usual.status != WON)).any()


@pytest.mark.parametrize("people", [1, 2, 5])
def test_the_last_of_k_people_agrees_after_the_sum_of_1_over_k_means(people):
    shard = run({}, accounts=800)[0]
    count = len(shard.needs)
    group = Agreement(shard, np.full(count, 20.0), np.full(count, people))
    nobody_meets_anything = np.zeros(len(shard.exposures), dtype=bool)
    wait = group.crossing(nobody_meets_anything, np.zeros(count, dtype=np.int64)) / DAY
    assert (wait < 3 * 365).all()
    squares = sum(1 / k**2 for k in range(1, people + 1))
    gap = wait.mean() - 20 * sum(1 / k for k in range(1, people + 1))
    assert abs(gap) < 4 * 20 * np.sqrt(squares / count)


def test_the_larger_the_group_that_must_agree_the_fewer_orders():
    short = each_need(lifetime_days=60.0, deciders=8)
    shard, full, _ = run(short, accounts=4000)
    quoted = full.quote_at < NEVER
    group = np.minimum(shard.group[shard.needs.owner], 8)
    rate = [(full.status == WON)[quoted & (group == size)].mean() for size in (1, 3, 5)]
    assert rate[0] > rate[1] > rate[2]


def test_a_meeting_convinces_who_met_it_and_who_was_told():
    shard = run({"market.colleagues_told": 0.0})[0]
    needs, count = shard.needs, len(shard.needs)
    # The decider who never meets anything waits as if nobody did.
    scenario = shard.world.scenario
    push = {"campaigns.email.impulse": {"win": 50.0}, "campaigns.email.lift": {}}
    pushed = World(load("plain", LASTING | push), shard.world.accounts, 365, 5)
    met = populate(pushed, 0, pushed.accounts)
    all_of_it = met.exposures.campaign == list(scenario.campaigns).index("email")
    start = np.zeros(count, dtype=np.int64)
    two = Agreement(met, np.full(count, 1e4), np.full(count, 2)).crossing(all_of_it, start)
    for need in np.flatnonzero(shard.group[needs.owner] >= 2)[:200]:
        own = all_of_it & (met.exposures.owner == needs.owner[need])
        own &= met.exposures.at < needs.deadline[need]
        convinced = {0, 1} <= set(met.exposures.person[own].tolist())
        # Ten thousand days of waiting by oneself leave hardly anybody convinced in three years.
        if not convinced:
            assert two[need] > 60 * DAY


def test_a_tender_asks_who_is_on_the_list_by_its_day_and_decides_on_its_day():
    tender = each_need(tender=1.0, tender_days=30.0, decision_days=40.0, quote_sigma=0.0)
    shard, full, _ = run(tender)
    invited = full.contact_at < NEVER
    assert 0 < invited.sum() < len(shard.needs)
    assert (full.shortlist_at[invited] <= full.contact_at[invited]).all()
    won = full.won_at < NEVER
    assert set(((full.won_at - full.quote_at)[won] / DAY).tolist()) == {40.0}
    # What is met after the quote changes no tender; what brings us onto the list does.
    lift = {"shortlist": 0.1, "contact": 0.15, "win": 0.25}
    after = run(tender | {"campaigns.email.lift": lift | {"win": 100.0}})[1]
    before = run(tender | {"campaigns.email.lift": lift | {"shortlist": 100.0}})[1]
    assert (after.won_at == full.won_at).all()
    assert (before.contact_at < NEVER).sum() > invited.sum()


def office(people, at_h, work_h, deadline_h=10_000):
    """Write quotes asked for so many hours after Monday, 6 January 2025, midnight."""
    world = World(load("plain", {"warmup_days": 0, "sales.people": people}), 10, 30, 1)
    at = np.array(at_h, dtype=np.int64) * 3600
    each = np.arange(len(at))
    work = np.array(work_h, dtype=np.int64) * 3600
    written = write_quotes(world, Requests(each, each, at, work, np.full(len(at), deadline_h * 3600)))
    return [None if moment == NEVER else moment / 3600 for moment in written]


def test_quotes_are_written_one_after_the_other_while_the_office_is_open():
    # Open from 8 to 17: asked for on Monday at 9 and 10, three hours each.
    assert office(1, [9, 10], [3, 3]) == [12, 15]
    assert office(2, [9, 10], [3, 3]) == [12, 13]
    # From Monday 16:00, two hours: one on Monday, one on Tuesday.
    assert office(1, [16], [2]) == [24 + 9]
    # On Saturday nobody is there.
    assert office(1, [5 * 24 + 12], [1]) == [7 * 24 + 9]
    # What takes no time is there at once.
    assert office(1, [16], [0]) == [16]


def test_nobody_writes_to_who_has_decided_meanwhile():
    assert office(1, [9, 10], [8, 1], deadline_h=16) == [17, None]


def test_people_who_write_need_an_office_that_opens():
    with pytest.raises(ScenarioError, match="the desk never opens"):
        load("plain", {"sales.people": 1, "desk.reps": 0, "desk.open_days": []})


def test_quotes_that_keep_others_waiting_explain_an_effect_below_0():
    # E-mail brings enquiries about parts that rivals always get, each of which takes a day to answer. What
    # we do sell is asked for unprompted.
    crowd = each_need(shortlist_days=0.5, contact_days=0.5, quote_hours=2.0) | {
        "sales.people": 1,
        "warmup_days": 60,
        "tail_days": 60,
        "desk.reps": 0,
        "organic.saturation": 0.0,
        "campaigns.email.lift": {"shortlist": 500.0},
        "needs.repeat_part.shortlist_days": 5_000.0,
        "needs.repeat_part.per_year": 4.0,
        "needs.repeat_part.quote_hours": 12.0,
        "needs.repeat_part.rivals": 50.0,
    }
    world = World(load("plain", crowd), 500, 120, 1)
    with mapper() as spread:
        entry = find(world, spread).report["campaigns"]["email"]
        calm = find(answered_at_once(world), spread).report["campaigns"]["email"]
    assert entry["removal"]["margin_minor"] < 0
    causes = entry["below_zero"]["removal"]
    assert causes["answered_at_once"] == calm["removal"]["margin_minor"] >= 0
    assert sum(causes.values()) == entry["removal"]["margin_minor"]


def test_a_crowded_office_gives_the_same_files_on_any_shards(monkeypatch):
    settings = {"sales.people": 1, "warmup_days": 60, "tail_days": 30} | each_need(quote_hours=6.0)
    world = World(load("plain", settings), 250, 120, 2)
    with mapper() as spread:
        whole = tables(world, spread)
        monkeypatch.setattr("simulator.runs.SHARD", 70)
        assert tables(world, spread)["conversions"].sort_by("conversion_id") == whole["conversions"].sort_by(
            "conversion_id"
        )


def test_repeat_orders_are_won_or_lost_and_leave_a_call_and_a_lead():
    again = each_need(repeat_win=0.6, repeat_phone=1.0) | {"observer.lost_webhooks": 0.0}
    _, _, orders = run(again)
    count = len(orders.reorders.won)
    assert abs(orders.reorders.won.mean() - 0.6) < 4 * np.sqrt(0.24 / count)
    assert (orders.repeat > 0).sum() == orders.reorders.won.sum()
    assert (orders.asked_at[orders.repeat > 0] < orders.at[orders.repeat > 0]).all()
    assert (orders.asked_at[orders.repeat == 0] == NEVER).all()
    with mapper() as spread:
        seen = tables(World(load("plain", LASTING | again), 400, 365, 5), spread)
        silent = tables(World(load("plain", LASTING | each_need(repeat_win=0.6)), 400, 365, 5), spread)
    assert seen["calls"].num_rows > silent["calls"].num_rows
    assert pc.count_distinct(seen["calls"]["call_id"]).as_py() == seen["calls"].num_rows
    won = seen["conversions"].filter(pc.equal(seen["conversions"]["goal"], "won"))
    assert won["lead_at"].null_count < won.num_rows / 10
    # Leads of lost repeat orders are there, too.
    leads = seen["conversions"].filter(pc.equal(seen["conversions"]["goal"], "lead")).num_rows
    without = silent["conversions"].filter(pc.equal(silent["conversions"]["goal"], "lead")).num_rows
    repeats = won.num_rows - pc.sum(pc.ends_with(won["conversion_id"], "-0")).as_py()
    assert leads - without > repeats
