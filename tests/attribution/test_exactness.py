"""Removal effects against the same chain solved in fractions, where nothing is ever rounded."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from attribution.markov import removal_effects
from tests.attribution.market import market

START, WON, LOST = ("start",), ("won",), ("lost",)


def counted(paths, order):
    """Count moves between states, a state being the last touches of a path, as many as the order."""
    moves = {}
    for path, converted, lost in paths:
        states = [START, *(tuple(path[max(0, i - order) : i]) for i in range(1, len(path) + 1))]
        # A state at a path's beginning is shorter than the order and therefore a state of its own.
        steps = [(one, other, converted + lost) for one, other in pairwise(states)]
        for one, other, times in [*steps, (states[-1], WON, converted), (states[-1], LOST, lost)]:
            if times:
                row = moves.setdefault(one, {})
                row[other] = row.get(other, 0) + times
    return moves


def chance_to_win(moves, removed=None):
    """Solve x = P x + w by elimination; whatever flows into `removed` is lost."""
    kept = [state for state in moves if state == START or state[-1] != removed]
    place = {state: i for i, state in enumerate(kept)}
    rows = []
    for state in kept:
        out = sum(moves[state].values())
        row = [Fraction(0)] * len(kept) + [Fraction(moves[state].get(WON, 0), out)]
        row[place[state]] += 1
        for other, times in moves[state].items():
            if other in place:
                row[place[other]] -= Fraction(times, out)
        rows.append(row)
    # The start stands first and is solved for last: from the bottom up, each row clears its column above.
    for i in range(len(rows) - 1, -1, -1):
        pivot = next(j for j in range(i, -1, -1) if rows[j][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for j in range(i):
            factor = rows[j][i]
            if factor:
                rows[j] = [a - factor * b for a, b in zip(rows[j], rows[i], strict=True)]
    return rows[place[START]][-1]


def exact_effects(paths, order=1):
    moves = counted(paths, order)
    everything = chance_to_win(moves)
    channels = sorted({channel for path, _, _ in paths for channel in path})
    return {channel: 1 - chance_to_win(moves, channel) / everything for channel in channels}


def assert_exact(paths, order=1):
    found, expected = removal_effects(paths, order), exact_effects(paths, order)
    assert found.keys() == expected.keys()
    for channel, effect in expected.items():
        # Less than 1e-12 of the effect itself, however small it is.
        assert abs(Fraction(found[channel]) - effect) <= effect * Fraction(1, 10**12), channel


def test_the_fractions_give_what_can_be_worked_out_by_hand():
    # fair > call wins and fair > call > mail loses: half of those who call. Without mail nothing is lost.
    paths = [("fc", 1, 0), ("fcm", 0, 1), ("m", 1, 1)]
    # Start: 2/4 to fair, 2/4 to mail. Call wins 1 of 2, passes 1 of 2 on to mail; mail wins 1 of 3.
    # Won: 1/2 (1/2 + 1/2 1/3) + 1/2 1/3 = 1/2; without fair or call 1/6, without mail 1/4.
    assert exact_effects(paths) == {"f": Fraction(2, 3), "c": Fraction(2, 3), "m": Fraction(1, 2)}
    assert_exact(paths)


@pytest.mark.parametrize("seed", range(8))
def test_small_chains_are_exact_to_twelve_digits(seed):
    rng = np.random.default_rng(seed)
    names = "abcdefgh"[: 2 + seed]
    paths = [
        (
            "".join(names[i] for i in rng.integers(0, len(names), rng.integers(1, 9))),
            int(rng.integers(0, 4)),
            int(rng.integers(0, 40)),
        )
        for _ in range(60)
    ]
    assert_exact(paths)


def test_a_chain_of_forty_channels_is_exact_to_twelve_digits():
    rng = np.random.default_rng(40)
    # Some channels a thousand times rarer than others, conversions one in a hundred.
    pull = 10.0 ** -rng.uniform(0, 3, 40)
    paths = [
        (
            tuple(f"channel {i:02}" for i in rng.choice(40, rng.integers(1, 12), p=pull / pull.sum())),
            int(rng.random() < 0.01),
            1,
        )
        for _ in range(2000)
    ]
    assert_exact(paths)


def test_a_chain_that_hardly_ever_ends_is_exact_to_twelve_digits():
    # A visitor who goes to and fro five thousand times before he orders or gives up.
    assert_exact([(("ad", "shop") * 5000, 1, 1), (("ad", "mail"), 1, 3), (("mail", "shop"), 0, 2)])


@pytest.mark.parametrize("order", [2, 3])
def test_higher_orders_are_exact_to_twelve_digits(order):
    some = market(60)
    paths = [(path[:6], int(won), int(not won)) for path, won in zip(some.paths, some.converted, strict=True)]
    assert_exact(paths, order)
