"""What any model has to beat, by pencil and in a market."""

import pytest

from simulator.expectation import followed
from simulator.market import World
from simulator.moves import best, elsewhere, moves, worth
from simulator.nulls import by_spend, nulls
from simulator.runs import mapper
from simulator.scenario import load
from simulator.score import compare
from simulator.truth import find, spend_minor

HERE = {("display", "email"): 70, ("email", "display"): -30, ("display", "search_ads"): 110}
THERE = {("display", "email"): 60, ("email", "display"): -40, ("display", "search_ads"): 10}


@pytest.fixture(scope="module")
def world():
    return World(load("plain", {"desk.reps": 0, "warmup_days": 60, "tail_days": 0}), 300, 120, 2)


def report_of(caused, total=1000, baseline=400):
    return {
        "window": {"margin_minor": total},
        "incremental": {"margin_minor": total - baseline},
        "campaigns": {name: {"shapley": {"margin_minor": margin}} for name, margin in caused.items()},
    }


def test_the_gain_and_the_regret_of_no_move_and_of_a_random_one(world):
    found = {each.name: each.followed for each in nulls(world, report_of({"email": 600}), [HERE, THERE])}
    # The move that is best here gains 10 there; leaving gains 0, a random move (60 - 40 + 10) / 3 = 10.
    assert (found["leave"].gain, found["leave"].regret) == (0, 10)
    assert (found["random"].gain, found["random"].regret) == (10, 0)
    assert found["spend"] == found["leave"]
    # One seed to value on has no standard error, and so nothing is told from leaving.
    assert found["random"].gain_se is None
    assert found["random"].beats_leaving is None


def test_where_every_move_loses_the_best_is_to_leave_it(world):
    losing = {("display", "email"): -10, ("email", "display"): -30}
    assert best(losing) is None
    assert worth(losing, best(losing)) == 0
    rules = nulls(world, report_of({"email": 600}), [losing, losing])
    found = {each.name: each.followed for each in rules}
    assert found["leave"].regret == 0
    assert found["random"].regret == 20


def test_without_moves_there_is_no_regret_and_without_credit_no_share(world):
    leave, random, spend = nulls(world, report_of({"email": 600}))
    assert leave.followed is None
    assert leave.total_variation is random.total_variation is None
    assert 0 < spend.total_variation <= 1


def test_by_share_of_spend_the_whole_margin_goes_to_the_campaigns(world):
    costs = {name: sum(each) for name, each in zip(world.campaigns, spend_minor(world), strict=True)}
    shared = by_spend(world, 1_000_000)
    assert sum(shared.values()) == pytest.approx(1_000_000, abs=len(costs))
    dearest = max(costs, key=costs.get)
    assert shared[dearest] == round(1_000_000 * costs[dearest] / sum(costs.values()))


def test_a_model_beats_leaving_only_if_its_move_gains_on_other_seeds(world):
    costs = {name: sum(each) for name, each in zip(world.campaigns, spend_minor(world), strict=True)}
    report = report_of({"email": 600})

    def scored(low, high):
        credit = costs | {low: 1, high: 100 * costs[high]}
        return compare("linear", credit, report, world, [HERE, THERE, THERE])

    good, bad = scored("display", "email"), scored("email", "display")
    assert good.move == ("display", "email")
    # Where it is valued, it is also the best of the others: 60 + 70 beats 110 + 10.
    assert (good.followed.gain, good.followed.regret, good.followed.beats_leaving) == (60, 0, True)
    assert (bad.followed.gain, bad.followed.regret, bad.followed.beats_leaving) == (-40, 100, False)


def test_the_best_of_many_moves_gains_less_on_a_seed_on_which_it_was_not_chosen(world):
    promised = kept = 0
    with mapper() as spread:
        for seed in range(6):
            here = World(world.scenario, 300, 120, seed)
            found, other = moves(here, spread), moves(elsewhere(here), spread)
            promised += worth(found, best(found))
            kept += worth(other, best(found))
            # Nothing but the seed differs.
            assert set(found) == set(other)
    assert kept < promised


def test_in_a_placebo_world_nothing_is_lost_by_any_rule():
    calm = World(load("placebo", {"warmup_days": 60, "tail_days": 0}), 200, 90, 1)
    with mapper() as spread:
        gains = [moves(calm, spread), moves(elsewhere(calm), spread)]
        found = nulls(calm, find(calm, spread).report, gains)
    assert all(each.followed.gain == each.followed.regret == 0 for each in found)
    # No campaign caused anything, so that sharing the margin out by spend is wrong throughout.
    assert found[2].total_variation == pytest.approx(1.0)


def test_a_rule_needs_a_seed_to_value_it_on():
    with pytest.raises(ValueError, match="1 seeds must leave"):
        followed([HERE], lambda gains: 0.0)
