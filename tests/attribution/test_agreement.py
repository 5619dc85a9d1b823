"""Tracked against answered, and how sure the unasked make us."""

import numpy as np
import pyarrow as pa
import pytest

from attribution.agreement import agreement, compared, reported_intervals
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


def test_what_was_tracked_at_the_moment_of_asking_is_the_last_touch_before_it_by_hand_and_at_random():
    rng = np.random.default_rng(3)

    def when(hours):
        return pa.array((1_767_225_600 + hours * 3600) * 1_000_000, pa.timestamp("us", "UTC"))

    names = [None, "fair", "search"]
    who, at, seen = rng.integers(0, 9, 80), rng.integers(0, 40, 80), rng.integers(0, 3, 80)
    asked, moment, told = rng.integers(0, 11, 60), rng.integers(0, 40, 60), rng.integers(0, 3, 60)
    touches = pa.table(
        {
            "account_id": pa.array(who),
            "occurred_at": when(at),
            "campaign": pa.nulls(80, pa.string()),
            "channel": pa.array([names[i] for i in seen], pa.string()),
        }
    )
    table = pa.table(
        {
            "answer_id": pa.array(range(60)),
            "account_id": pa.array(asked),
            "asked_at": when(moment),
            "outcome": ["answered"] * 60,
            "campaign": pa.nulls(60, pa.string()),
            "channel": pa.array([names[i] for i in told], pa.string()),
            "rep": ["Ann"] * 60,
            "call_id": pa.nulls(60, pa.int64()),
        }
    )
    rows = compared(touches, table).to_pylist()
    for i, row in enumerate(rows):
        before = [(at[j], j) for j in range(80) if who[j] == asked[i] and at[j] <= moment[i]]
        tracked = names[seen[max(before)[1]]] if before else None
        answered = names[told[i]]
        assert (row["answer_id"], row["tracked"], row["answered"]) == (str(i), tracked, answered)
        assert row["agreed"] == (tracked == answered if tracked and answered else None)
    assert compared(touches.slice(0, 0), table)["tracked"].null_count == 60
    assert compared(touches, table.slice(0, 0)).num_rows == 0


def test_an_answer_of_a_call_is_set_against_what_the_call_came_by_not_against_what_came_since():
    touches, _ = tables(path("fair > search", account="a"))
    told = answers(("a", "fair", 9)).append_column("rep", pa.array(["Ann"]))
    told = told.set_column(told.column_names.index("call_id"), "call_id", pa.array(["c1"]))
    calls = pa.table({"call_id": ["c1"], "campaign": pa.nulls(1, pa.string()), "channel": ["fair"]})
    assert compared(touches, told).to_pylist()[0]["tracked"] == "search"
    assert compared(touches, told, calls).to_pylist()[0]["agreed"] is True
