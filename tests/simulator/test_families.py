"""Families of mechanisms, beliefs and the moves weighed by them."""

import json

import numpy as np
import pytest

from simulator.advise import advise
from simulator.beliefs import ANYWAY, NOTHING, QUESTIONS, ROLE, Beliefs
from simulator.decide import Cell, Trial, as_plain, from_plain, try_moves
from simulator.families import (
    EFFECTIVE,
    FAMILIES,
    NONE,
    SIGMA,
    applied,
    meetings,
    rates,
    sizes,
    solve,
    untracked,
)
from simulator.habits import CALLED
from simulator.market import World
from simulator.moves import tried
from simulator.own import build
from simulator.own_moves import credited, expected, movable
from simulator.runs import mapper
from simulator.scenario import load
from simulator.write import tables

ACCOUNTS = 200


@pytest.fixture(scope="module")
def data():
    with mapper() as spread:
        return tables(World(load("plain", {"desk.reps": 0}), ACCOUNTS, 365, 5), spread)


@pytest.fixture(scope="module")
def own(data):
    return build(data, accounts=ACCOUNTS)


def test_sizes_are_keyed_by_the_campaigns_name(own):
    scenario = own.scenario
    whole = sizes(scenario, "introduction", 3, 0.3)
    fewer = {name: each for name, each in scenario.campaigns.items() if name != "email"}
    part = sizes(scenario.model_copy(update={"campaigns": fewer}), "introduction", 3, 0.3)
    # The prior is centred on the campaigns there are; what is drawn for each is the same.
    ratios = [part[name] / whole[name] for name in fewer if whole[name]]
    assert max(ratios) / min(ratios) < 4.1
    assert [name for name in fewer if not whole[name]] == [name for name in fewer if not part[name]]


def test_as_many_campaigns_do_nothing_as_is_believed(own):
    drawn = [sizes(own.scenario, "committee", draw, 0.4) for draw in range(200)]
    share = np.mean([not size for each in drawn for size in each.values()])
    count = 200 * len(drawn[0])
    assert abs(share - 0.4) < 4 * np.sqrt(0.24 / count)
    assert all(any(each.values()) for each in drawn), "in a family with an effect at least one has one"
    assert not any(sizes(own.scenario, NONE, 1, 0.0).values())


def test_sizes_scatter_around_what_a_meeting_costs(own):
    drawn = [sizes(own.scenario, "committee", draw, 0.0) for draw in range(300)]
    for name in own.scenario.campaigns:
        spread = np.std(np.log([each[name] for each in drawn]), ddof=1)
        # Four standard errors of a standard deviation of 300 draws.
        assert abs(spread - SIGMA) < 4 * SIGMA / np.sqrt(600)


def test_meetings_scatter_as_much_as_the_responses_counted_leave_open(own):
    scenario = own.scenario
    drawn = [rates(scenario, draw) for draw in range(300)]
    for name, campaign in scenario.campaigns.items():
        met = meetings(scenario, name)
        factors = np.array([meetings(each, name) / met for each in drawn])
        if name in untracked(scenario):
            assert (factors == 1).all(), name
            continue
        # A click in so many is lost; where only calls were seen, one meeting in twenty ends in one.
        share = campaign.response * (1 - scenario.observer.cookie_loss) or CALLED
        seen = met * ACCOUNTS * share
        # Of n responses counted the expected number is n + 1/2, give or take its root; four standard errors.
        spread = np.sqrt(seen + 0.5) / seen
        assert abs(factors.mean() - (seen + 0.5) / seen) < 4 * spread / np.sqrt(300), name
        assert abs(factors.std(ddof=1) - spread) < 4 * spread * np.sqrt((1 + 3 / seen) / 600), name


def test_a_stage_at_which_no_campaign_works_keeps_all_that_comes_unprompted(own):
    scenario, name = own.scenario, next(iter(own.scenario.campaigns))
    alone = dict.fromkeys(scenario.campaigns, 0.0) | {name: 1.0}
    before = scenario.organic
    for draw in range(8):
        found = applied(scenario, "step by step", alone, 2.0, draw)
        (works,) = {stage for stage, size in found.campaigns[name].impulse.items() if size}
        after = found.organic
        kept = {"shortlist": "contact", "contact": "shortlist"}[works]
        assert getattr(after, works) < getattr(before, works)
        assert getattr(after, kept) == getattr(before, kept)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_comes_to_the_belief_and_to_the_orders_of_the_data(own, family):
    strengths = sizes(own.scenario, family, 4, 0.2)
    with mapper() as spread:
        found = solve(own.scenario, family, strengths, 0.5, own.orders, spread, accounts=ACCOUNTS, seed=9)
    assert found.orders == pytest.approx(own.orders, rel=0.03)
    assert found.anyway == (1.0 if family == NONE else pytest.approx(0.5, abs=0.05))
    assert found.scenario.desk.reps == 0


def test_where_nothing_has_an_effect_no_move_gains_anything(own):
    scenario = applied(own.scenario, NONE, sizes(own.scenario, NONE, 1, 0.0), 0.0)
    with mapper() as spread:
        found = tried(World(scenario, ACCOUNTS, 365, 1), [("display", "email", 0.5, 1.0)], spread)
    assert found.gained.tolist() == [0.0]
    assert not any((*found.lost, *found.brought))


def test_moves_shift_the_same_amount_and_leave_booked_costs_alone(own):
    spend, amount = movable(own.scenario, ACCOUNTS)
    assert all(cost >= amount for cost in spend.values())
    assert {"directory", "webinar"}.isdisjoint(spend), "these are booked"
    assert "referral" not in spend, "of it nothing is tracked"


def test_all_orders_are_counted_and_their_margin_credited(own, data):
    orders, margin = credited(data, own.scenario, ("linear", "last-touch"))
    assert orders == own.orders
    assert sum(margin["linear"].values()) == sum(margin["last-touch"].values())


def test_expected_gain_weighs_the_next_euro_not_the_average_one():
    spend = {"a": 1_000, "b": 1_000, "c": 1_000}
    # c returns 1.0 and gives up 100; a returns 3.0, of which the next 100 bring half: 150.
    assert expected({"a": 3_000, "b": 2_000, "c": 1_000}, spend, 100) == ("c", "a")
    # Twice the return is not enough where the next euro brings half.
    assert expected({"a": 2_000, "b": 1_500, "c": 1_000}, spend, 100) is None


def test_moves_are_tried_and_kept_as_plain_figures(own, data):
    _, margin = credited(data, own.scenario, ("linear",))
    told = []
    with mapper() as spread:
        trial = try_moves(
            own.scenario, own.orders, 1_000_000, margin, spread, draws=2, on_progress=told.append
        )
    assert told[-1] == 1.0
    assert len(trial.cells) == 2 * len(EFFECTIVE)
    assert {cell.finding for cell in trial.cells} == {True, False}
    kept = from_plain(json.loads(json.dumps(as_plain(trial))))
    assert (kept.moves, kept.campaigns, kept.days) == (trial.moves, trial.campaigns, trial.days)
    assert list(trial.campaigns) == list(own.scenario.campaigns)
    for cell, again in zip(trial.cells, kept.cells, strict=True):
        # Each campaign is left out once; nobody enquires who would not have, so at most all leads are its.
        assert len(cell.caused) == len(cell.brought) == len(trial.campaigns)
        assert all(each <= cell.leads for each in cell.brought)
        assert again.caused == pytest.approx(cell.caused, abs=0.1)
    # With one world to value by, no standard error is known and nothing is claimed.
    assert advise(trial, Beliefs()).verdict == "unclear"


# --- Beliefs --------------------------------------------------------------------------------------------


def test_weights_add_up_and_follow_the_answers():
    for role in QUESTIONS["role"]:
        weights = Beliefs(role=role).families()
        assert sum(weights.values()) == pytest.approx(1)
        assert all(weights.values()), "no answer excludes anything"
    assert max(ROLE["close"], key=lambda each: Beliefs(role="close").families()[each]) == "last push"
    for told in QUESTIONS["anyway"]:
        spread = [Beliefs(anyway=told).world(anyway, nothing) for anyway in ANYWAY for nothing in NOTHING]
        assert sum(spread) == pytest.approx(1)


def test_other_beliefs_differ_in_one_answer():
    told = Beliefs(anyway="half", nothing="some")
    others = told.others()
    assert len(others) == 2 + 3 + 2
    assert len(Beliefs().others()) == 3 + 3 + 3, "nothing is answered until somebody answers"
    assert all(
        sum(a != b for a, b in zip(vars(each).values(), vars(told).values(), strict=True)) == 1
        for each in others
    )


def test_an_answer_that_is_not_offered_is_refused_by_name():
    with pytest.raises(ValueError, match="anyway 'maybe' is not an answer: choose few, half, most, unsure"):
        Beliefs(anyway="maybe")


# --- Advice: one move that gains as stated under each family, the other the reverse ----------------------


def trial(gains, noise=1.0):
    """Make a trial in which the move from a to b gains so much under each family, give or take."""
    pairs = [(anyway, nothing) for anyway in ANYWAY for nothing in NOTHING]
    cells = []
    for family, gain in gains.items():
        for number, (anyway, nothing) in enumerate(pairs):
            for finding in (True, False):
                there = gain + noise * (-1) ** number
                cells.append(Cell(family, anyway, nothing, finding, 0.5, (there, -there)))
    moves = [("a", "b"), ("b", "a")]
    return Trial(moves, 100, 10_000, {"linear": ("a", "b"), "markov": None}, [], [], [], cells)


def alike(gain):
    return dict.fromkeys(EFFECTIVE, gain)


def test_what_gains_under_every_family_is_to_be_done():
    found = advise(trial(alike(50.0)), Beliefs())
    assert found.verdict == "do"
    assert found.better_than_leaving is True
    assert found.row.move == ("a", "b")
    assert found.row.models == ["linear"]
    none = found.weights[NONE]
    assert found.row.overall.mean == pytest.approx(50 * (1 - none), rel=0.1)
    assert found.row.regret["committee"] == pytest.approx(0)


def test_what_one_belief_supports_is_to_be_tested():
    found = advise(trial(alike(0.0) | {"introduction": 200.0}), Beliefs())
    assert found.verdict == "test"
    assert found.better_than_leaving is None


def test_what_gains_under_most_but_loses_much_under_one_is_to_be_tested():
    found = advise(trial(alike(50.0) | {"last push": -100.0}), Beliefs())
    assert found.verdict == "test"
    assert found.row.regret["last push"] == pytest.approx(200, rel=0.2)


def test_where_every_move_gains_next_to_nothing_the_budget_is_left():
    found = advise(trial(alike(0.0), noise=0.5), Beliefs())
    assert found.verdict == "leave"
    assert found.better_than_leaving is False


def test_where_chance_hides_it_nothing_is_claimed():
    assert advise(trial(alike(1.0), noise=500.0), Beliefs()).verdict == "unclear"


def test_beliefs_change_the_advice_and_families_can_be_left_out():
    gains = alike(-30.0) | {"introduction": 400.0}
    assert advise(trial(gains), Beliefs(role="open")).row.move == ("a", "b")
    assert advise(trial(gains), Beliefs(role="close")).row.move == ("b", "a")
    left = advise(trial(gains), Beliefs(), without=("introduction",))
    assert left.row.move == ("b", "a")
    assert left.verdict == "do"
    assert left.weights["introduction"] == 0


def test_a_random_move_stands_beside_the_others_and_gains_what_all_gain_on_average():
    rows = advise(trial(alike(50.0)), Beliefs()).rows
    assert rows[-1].move is None
    assert rows[-1].overall.mean == pytest.approx(0, abs=1e-9)


def test_where_no_budget_can_be_moved_the_advice_is_to_leave_it():
    nothing = Trial([], 0, 10_000, {"linear": None}, ["fair"], [], [], [])
    found = advise(nothing, Beliefs())
    assert found.row is None
    assert found.better_than_leaving is False
