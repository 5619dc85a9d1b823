"""Models scored against a known truth."""

import math
from fractions import Fraction

import pytest
from scipy import stats

from simulator.coverage import measure
from simulator.market import World
from simulator.moves import advised, moves
from simulator.runs import mapper
from simulator.scenario import load
from simulator.score import SCORED, compare, credits, read, score, true_margin
from simulator.truth import find, spend_minor
from simulator.write import tables, write, write_truth

SHORT = {"desk.reps": 0, "warmup_days": 120, "tail_days": 30}


@pytest.fixture(scope="module")
def world():
    return World(load("plain", SHORT), accounts=800, days=240, seed=2)


def report_of(caused, total=1000, baseline=400):
    """A truth in which the named campaigns caused so much margin."""
    campaigns = {name: {"removal": {"margin_minor": margin}} for name, margin in caused.items()}
    return {
        "window": {"margin_minor": total},
        "incremental": {"margin_minor": total - baseline},
        "campaigns": campaigns,
    }


def test_a_score_by_pencil(world):
    # Of 1,000: the fair caused 400, e-mail 200, nobody 400. The model says fair 100, e-mail 600, direct 300.
    report = report_of({"trade_fair": 400, "email": 200})
    got = compare("linear", {"trade_fair": 100, "email": 600, "(direct)": 300}, report, world)
    # Gaps: fair -0.3, e-mail +0.4, nobody -0.1.
    assert got.share_error == pytest.approx(0.8 / 3)
    assert got.total_variation == pytest.approx(0.4)
    assert got.credited == pytest.approx(0.7)
    assert got.caused == pytest.approx(0.6)
    assert got.rank_agreement == -1.0
    assert got.log_error == pytest.approx((math.log(4) + math.log(3)) / 2)
    assert got.by_channel == pytest.approx({"trade fair": -0.3, "email": 0.4, "(no campaign)": -0.1})
    assert got.followed is None


def test_a_model_that_tells_the_truth_has_no_error(world):
    report = report_of({"trade_fair": 400, "email": 200})
    got = compare("oracle", {"trade_fair": 400, "email": 200, None: 400}, report, world)
    assert got.share_error == got.total_variation == got.log_error == 0
    assert got.rank_agreement == 1.0


def test_campaigns_that_caused_nothing_cannot_be_compared_by_ratio(world):
    got = compare("linear", {"trade_fair": 100}, report_of({"trade_fair": 0, "email": 600}), world)
    assert got.log_error is None
    assert got.unmeasured == 2


def test_removals_are_scaled_to_the_total_and_shapley_values_are_taken_as_they_are():
    assert true_margin(report_of({"trade_fair": 100, "email": 50})) == {"trade_fair": 400, "email": 200}
    report = report_of({"trade_fair": 100, "email": 50})
    for entry, share in zip(report["campaigns"].values(), (450, 150), strict=True):
        entry["shapley"] = {"margin_minor": share}
    assert true_margin(report) == {"trade_fair": 450, "email": 150}
    assert (
        sum(Fraction(part) for part in true_margin(report_of({"trade_fair": 7, "email": 4})).values()) == 600
    )


def test_the_regret_is_what_the_best_move_would_have_brought_more(world):
    gains = {("display", "email"): 70, ("email", "display"): -30, ("display", "search_ads"): 100}
    seeds = [gains, gains]
    report = report_of({"display": 100, "email": 500})
    # Returns on spend: next to nothing for display, one for one elsewhere, a hundred for one for e-mail.
    credit = {name: sum(cost) for name, cost in zip(world.campaigns, spend_minor(world), strict=True)}
    credit |= {"display": 1, "email": 100 * credit["email"]}
    got = compare("linear", credit, report, world, seeds)
    assert got.move == ("display", "email")
    assert got.followed.regret == 30


def test_a_model_without_an_opinion_moves_nothing(world):
    assert advised({}, world) is None
    seeds = [{("display", "email"): 70}] * 2
    got = compare("none", {}, report_of({"email": 600}), world, seeds).followed
    assert (got.gain, got.regret) == (0, 70)


def test_moves_keep_the_budget_and_leave_booked_campaigns_alone(world):
    with mapper() as spread:
        gains = moves(world, spread)
    variable = {name for name, (_, cost) in zip(world.campaigns, spend_minor(world), strict=True) if cost}
    assert {giver for giver, _ in gains} == variable
    assert "directory" not in variable
    assert len(gains) == len(variable) * (len(variable) - 1)


def test_in_a_placebo_world_no_move_costs_anything():
    world = World(load("placebo", SHORT), accounts=400, days=180, seed=1)
    with mapper() as spread:
        gains = moves(world, spread)
        seen, report = tables(world, spread), find(world, spread).report
        scores = score(world, seen, report, models=["linear", "first-touch"], gains=[gains, gains])
    assert set(gains.values()) == {0}
    assert all(each.followed.regret == 0 for each in scores)
    assert not any(each.followed.beats_leaving for each in scores)
    # And yet the models hand out credit.
    assert all(each.caused == 0.0 for each in scores)
    assert min(each.credited for each in scores) > 0


def test_in_the_world_of_one_touch_no_model_errs():
    world = World(load("one-touch"), accounts=600, days=365, seed=1)
    with mapper() as spread:
        report = find(world, spread, exact_shapley=True).report
        scores = score(world, tables(world, spread), report)
    assert [each.model for each in scores if each.total_variation > 0] == []
    assert len(scores) == len(SCORED)


POPULAR = ("first-touch", "last-touch", "linear", "position-based", "time-decay")


@pytest.mark.parametrize(
    ("name", "right", "accounts"),
    [
        ("introduction", "first-touch", 400),
        ("breakdown", "last-touch", 150),
        ("committee", "linear", 600),
        ("bookends", "position-based", 250),
        ("fading", "time-decay", 400),
    ],
)
def test_each_popular_model_is_right_in_the_world_that_works_as_it_assumes(name, right, accounts):
    # Other visitors of the web site cost time and change no path here.
    scenario = load(name, {"desk.reps": 0, "observer.pool.views_per_day": 0})
    # Elsewhere effects add up, so that removals say the same as Shapley values, in fewer runs.
    meetings_need_each_other = name in ("bookends", "fading")
    wrong = {model: [] for model in POPULAR}
    with mapper(1) as spread:
        for seed in range(5):
            market = World(scenario, accounts, scenario.days, seed)
            report = find(market, spread, exact_shapley=meetings_need_each_other).report
            for model, credit in credits(tables(market, spread), POPULAR).items():
                wrong[model].append(compare(model, credit, report, market).total_variation)
    for model in set(POPULAR) - {right}:
        # Markets are independent, models of one market are not: so a paired test on its five markets.
        gaps = [mine - best for mine, best in zip(wrong[model], wrong[right], strict=True)]
        assert stats.ttest_1samp(gaps, 0, alternative="greater").pvalue < 0.01, (model, wrong)


def test_a_written_market_is_scored_as_it_was_simulated(tmp_path, world):
    with mapper() as spread:
        write(world, tmp_path, spread)
        truth = find(world, spread)
        write_truth(world, truth, tmp_path)
        held = score(world, tables(world, spread), truth.report, models=["linear"])
    again, seen, report = read(tmp_path)
    assert again == world
    assert score(again, seen, report, models=["linear"]) == held


def test_a_directory_without_a_market_is_refused_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"simulate SCENARIO --out"):
        read(tmp_path)


def test_coverage_counts_intervals_that_hold_the_long_run():
    scenario = load("one-touch", {"days": 180})
    with mapper() as spread:
        (found,) = measure(
            scenario, spread, accounts=300, markets=4, models=["linear"], population=3000, replicates=50
        )
    # Three campaigns in four markets. The levels reached are measured at length in docs/which-model.md.
    assert found.intervals == 12
    assert 0 <= found.truth <= 1
    # In this world the model is the truth, so its intervals hold both or neither as far as the long run
    # agrees.
    assert found.own == found.truth
