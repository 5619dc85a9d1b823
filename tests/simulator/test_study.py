"""A market in a folder: made, scored, watched and stopped."""

import pytest

from simulator.market import World
from simulator.scenario import load
from simulator.score import SCORED
from simulator.study import STEPS, TRUTH_FILES, score, simulate

SHORT = {"desk.reps": 0, "warmup_days": 60, "tail_days": 30}


@pytest.fixture
def world():
    return World(load("plain", SHORT), accounts=120, days=90, seed=2)


class StoppedError(Exception):
    """What a job raises to stop."""


def test_a_market_is_made_and_scored_and_tells_how_far_it_is(tmp_path, world):
    told = []
    done = simulate(world, tmp_path, progress=lambda step, share: told.append((step, share)))
    report, scores, nulls = score(
        tmp_path, seeds=3, resampled=True, progress=lambda step, share: told.append((step, share))
    )
    assert {name: value for name, value in report.items() if name != "expectation"} == done.report
    assert report["expectation"]["seeds"] == 3
    assert {each.model for each in scores} == set(SCORED)
    assert {each.allocation for each in scores} == {"shapley"}
    assert [each.name for each in nulls] == ["leave", "random", "spend"]
    # What is done without a model is valued as the models are: leaving gains nothing, on any seed.
    assert (nulls[0].followed.gain, nulls[0].followed.gain_se) == (0, 0)
    for each in scores:
        more = nulls[0].followed.regret - each.followed.regret
        assert each.followed.gain == pytest.approx(more)
    assert {step for step, _ in told} == set(STEPS)
    assert all(0 <= each.covered <= 1 for each in scores)
    for step in STEPS:
        shares = [share for each, share in told if each == step]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0


def test_with_a_limited_desk_the_share_told_ends_at_one_too(tmp_path, world):
    told = []
    crowded = World(load("plain", SHORT | {"desk.reps": 1, "desk.lines": 2}), 120, 90, 2)
    simulate(crowded, tmp_path, progress=lambda step, share: told.append((step, share)))
    for step in ("tables", "truth"):
        shares = [share for each, share in told if each == step]
        assert shares.count(1.0) == 1
        assert shares[-1] == 1.0


@pytest.mark.parametrize("where", ["tables", "truth"])
def test_a_market_that_is_stopped_leaves_the_folder_as_it_was(tmp_path, world, where):
    def stop(step, _):
        if step == where:
            raise StoppedError

    (tmp_path / "truth.json").write_text("{}", encoding="utf-8")
    with pytest.raises(StoppedError):
        simulate(world, tmp_path, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["truth.json"]


def test_tables_without_truth_leave_no_truth_of_an_earlier_market(tmp_path, world):
    simulate(world, tmp_path)
    assert all((tmp_path / name).exists() for name in TRUTH_FILES)
    assert simulate(world, tmp_path, truth="none").report is None
    assert not any((tmp_path / name).exists() for name in TRUTH_FILES)


def test_two_workers_can_be_stopped(tmp_path, world):
    def stop(_step, _share):
        raise StoppedError

    with pytest.raises(StoppedError):
        simulate(world, tmp_path, workers=2, progress=stop)
    assert list(tmp_path.iterdir()) == []
