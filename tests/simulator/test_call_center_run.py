"""Calls of all shards pass one desk as a stream, and come back as if they had all been held at once."""

from dataclasses import fields

import numpy as np
import pytest

from simulator.call_center_run import run_call_center
from simulator.desk import Calls, answer
from simulator.hazard import NEVER
from simulator.market import World
from simulator.runs import callers, jobs, mapper
from simulator.scenario import load

SMALL = {"warmup_days": 60, "tail_days": 30, "desk.lines": 3}


def led_through(world):
    """Return what became of each caller by number, and all calls with their numbers."""
    with mapper() as spread, run_call_center(world, spread) as exchanged:
        shards = len(jobs(world, np.ones((1, len(world.campaigns)))))
        rung = [exchanged.of_shard(shard) for shard in range(shards)]
        parts = [(each.calls, each.numbers) for each in rung] + list(exchanged.background())
    numbers = np.concatenate([numbers for _, numbers in parts])
    rows = np.concatenate([calls.rows() for calls, _ in parts])[np.argsort(numbers)]
    assert np.sort(numbers).tolist() == list(range(len(numbers)))
    return np.concatenate([each.reached for each in rung]), Calls.of(rows)


def same(one, other, but=()):
    names = [each.name for each in fields(Calls) if each.name not in but]
    return all((getattr(one, name) == getattr(other, name)).all() for name in names)


@pytest.mark.parametrize("reps", [0, 1])
def test_calls_led_past_the_desk_as_a_stream_are_those_held_in_memory(reps):
    world = World(load("plain", SMALL | {"desk.reps": reps}), accounts=300, days=120, seed=4)
    (course,) = jobs(world, np.ones((1, 9)))[0].courses()
    enquiries = course.enquiries
    reached, calls = answer(world, callers(world, enquiries))
    streamed, numbered = led_through(world)
    assert len(numbered.at) > 500
    assert same(numbered, calls)
    if reps:
        assert (streamed == reached).all()
        assert 0 < (streamed == NEVER).sum() < len(streamed) / 2


def test_how_the_market_is_cut_into_shards_changes_no_call(monkeypatch):
    world = World(load("plain", SMALL | {"desk.reps": 1}), accounts=300, days=120, seed=4)
    reached, whole = led_through(world)
    monkeypatch.setattr("simulator.runs.SHARD", 70)
    again, parts = led_through(world)
    # Callers are counted shard by shard, so their numbers follow the cut; nothing else does.
    assert (np.sort(reached) == np.sort(again)).all()
    assert same(whole, parts, but=("caller",))


def test_calls_are_numbered_by_time():
    world = World(load("plain", SMALL | {"desk.reps": 1}), accounts=200, days=60, seed=4)
    _, calls = led_through(world)
    assert (np.diff(calls.at) >= 0).all()
