"""Tracked against answered, and how sure the unasked make us."""

import numpy as np
import pyarrow as pa
import pytest

from attribution.agreement import agreement, reported_intervals
from tests.attribution.journey import path, tables
from tests.attribution.test_answers import answers

PATHS = [path("fair > call", account=name) for name in ("a", "b", "c")] + [path("", account="d")]
TOLD = answers(("a", "call", 1), ("b", "fair", 1), ("c", None, 1), ("d", "colleague", 1))


def test_tracked_against_answered():
    touches, conversions = tables(*PATHS)
    assert agreement(touches, conversions, TOLD).to_pylist() == [
        {"tracked": "(untracked)", "answered": "colleague", "conversions": 1},
        {"tracked": "call", "answered": "call", "conversions": 1},
        {"tracked": "call", "answered": "fair", "conversions": 1},
        {"tracked": "call", "answered": None, "conversions": 1},
    ]


def test_by_rep_with_the_rate_of_asking():
    touches, conversions = tables(*PATHS)
    told = TOLD.append_column("rep", pa.array(["Ann", "Ann", "Ann", "Bo"]))
    ann, bo = agreement(touches, conversions, told, by="rep").to_pylist()
    assert (ann["rep"], ann["tracked"], ann["accounts"], ann["asked"]) == ("Ann", "call", 3, 2)
    assert ann["asked_rate"] == pytest.approx(2 / 3)
    assert ann["agreed_rate"] == 0.5
    assert (bo["tracked"], bo["agreed"]) == ("(untracked)", 0)
    with pytest.raises(ValueError, match="by is"):
        agreement(touches, conversions, told, by="moon")


def test_all_answered_leaves_no_doubt_and_more_silence_more():
    touches, conversions = tables(*(path("call", account=f"{i}") for i in range(40)))

    def width(asked):
        told = answers(*((f"{i}", "fair" if i % 2 else "mail", 1) for i in range(asked)))
        row = reported_intervals(touches, conversions, told).to_pylist()[0]
        assert row["estimated"] == pytest.approx(20)
        return row["high"] - row["low"]

    assert width(40) == 0 < width(30) < width(10)


def test_nine_of_ten_intervals_hold_the_number_that_would_have_been_named(record_property):
    rng = np.random.default_rng(4)
    touches, conversions = tables(*(path("call", account=f"{i}") for i in range(150)))
    covered = []
    for _ in range(40):
        named = rng.random(150) < 0.3
        asked = np.flatnonzero(rng.random(150) < 0.4)
        told = answers(*((f"{i}", "fair" if named[i] else "mail", 1) for i in asked))
        [fair] = [
            r for r in reported_intervals(touches, conversions, told).to_pylist() if r["channel"] == "fair"
        ]
        covered.append(fair["low"] <= named.sum() <= fair["high"])
    record_property("coverage of the nominal 90 % interval of self-reported", float(np.mean(covered)))
    # Of 40 exact 90 % intervals at least 31 cover with probability 0.995.
    assert sum(covered) >= 31
