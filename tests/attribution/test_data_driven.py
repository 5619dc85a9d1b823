"""Markov chains and Shapley values that can be checked by hand, and what they refuse."""

import numpy as np
import pytest

from attribution import JourneyError, Markov, attribute
from attribution.markov import removal_effects, solve_chain
from attribution.shapley import Shapley, ShapleyCoalitions, coalition_values
from tests.attribution.journey import path, tables


def lost(text, account):
    """An account with touches and no order."""
    touches, _ = path(text, account=account)
    return touches, []


def test_a_chain_solved_by_hand():
    # fair > call wins, fair loses: from fair half the buyers go on. Without either channel nobody buys.
    assert removal_effects([(("fair", "call"), 1, 0), (("fair",), 0, 1)]) == {"call": 1.0, "fair": 1.0}
    # Two ways to the order, equally often: each is needed for half of them.
    effects = removal_effects([(("fair",), 1, 0), (("mail",), 1, 0)])
    assert effects == pytest.approx({"fair": 0.5, "mail": 0.5})


def test_staying_with_a_channel_changes_nothing_at_order_one():
    once = removal_effects([("AB", 2, 1), ("BA", 1, 2), ("A", 1, 1)])
    again = removal_effects([("AAAB", 2, 1), ("BBA", 1, 2), ("A", 1, 1)])
    assert again == pytest.approx(once, abs=1e-12)


def test_accounts_that_never_order_matter():
    # A third of buyers each start with fair, mail and call; from call every second one orders: P = 2/3.
    # Lost without fair 1/6, mail 1/3, call 1/3 of all: effects 1/4, 1/2, 1/2; of 200.00 that is 40, 80, 80.
    paths = [path("fair > call", account="a"), path("mail", account="b"), lost("call", "c")]
    touches, conversions = tables(*paths)
    total = attribute(touches, conversions, [Markov(allocation="total")], by="channel")
    credit = dict(zip(total["channel"].to_pylist(), total["credit_minor"].to_pylist(), strict=True))
    assert credit == {"call": 8000, "fair": 4000, "mail": 8000}


def test_journey_allocation_keeps_each_deal_with_those_who_met_the_buyer():
    paths = [path("fair > call", account="a"), path("mail", account="b"), lost("call", "c")]
    touches, conversions = tables(*paths)
    table = attribute(touches, conversions, ["markov"])
    credit = {(row["conversion_id"][0], row["channel"]): row["credit_minor"] for row in table.to_pylist()}
    assert credit == {("a", "fair"): 3333, ("a", "call"): 6667, ("b", "mail"): 10000}


def test_a_touch_of_unknown_source_weighs_what_the_chain_lost_without_it():
    # Unknown > call orders, unknown alone does not, mail orders. Start: 2/3 to unknown, 1/3 to mail; half of
    # those go on to call. Won 2/3; without unknown or call 1/3, without mail 1/3: all weigh the same.
    paths = [path("- > call", account="a"), path("mail", account="b"), lost("-", "c")]
    touches, conversions = tables(*paths)
    table = attribute(touches, conversions, ["markov"])
    credit = {(row["conversion_id"][0], row["channel"]): row["credit_minor"] for row in table.to_pylist()}
    assert credit == {("a", None): 5000, ("a", "call"): 5000, ("b", "mail"): 10000}


def test_higher_orders_remember_how_the_buyer_came():
    # After fair > call everyone orders, after mail > call nobody: order 1 cannot tell, order 2 can.
    paths = [(("fair", "call"), 10, 0), (("mail", "call"), 0, 10)]
    assert removal_effects(paths, 1)["mail"] == pytest.approx(0.5)
    assert removal_effects(paths, 2)["mail"] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("size", [1, 10_000])
def test_large_chains_are_swept_to_the_same_digits(monkeypatch, size):
    paths = [
        (f"{a}{b}{c}", (ord(a) * 7 + ord(c)) % 5, ord(b) % 7) for a in "abcdef" for b in "bdf" for c in "aceg"
    ]
    exact = removal_effects(paths, 3)
    monkeypatch.setattr("attribution.markov.LARGEST_DENSE", size)
    assert removal_effects(paths, 3) == pytest.approx(exact, abs=1e-12)


def test_chains_without_conversion_contrast_or_end_are_refused():
    with pytest.raises(JourneyError, match="no path ends in a conversion"):
        removal_effects([("AB", 0, 1)])
    with pytest.raises(JourneyError, match="every touch has the same source"):
        removal_effects([("AA", 1, 1)])
    with pytest.raises(JourneyError, match="leads nowhere"):
        # A move from A to B, from which no path goes on and at which none ends.
        solve_chain(["A", "B"], np.array([[0, 1], [1, 2]]), *np.array([[1, 1], [1, 0], [0, 0]]))
    with pytest.raises(JourneyError, match="more sources than a chain can tell apart"):
        removal_effects([((f"{i}",), 1, 0) for i in range(2501)])


def test_a_large_chain_is_worked_on_in_blocks_and_refused_where_it_would_take_hours(monkeypatch):
    paths = [(f"{a}{b}{c}", len({a, b, c}), 2) for a in "abcdef" for b in "bdf" for c in "aceg"]
    exact = removal_effects(paths, 3)
    monkeypatch.setattr("attribution.markov.LARGEST_DENSE", 1)
    monkeypatch.setattr("attribution.markov.CELLS", 1)
    assert removal_effects(paths, 3) == pytest.approx(exact, abs=1e-12)
    monkeypatch.setattr("attribution.markov.MOST_WORK", 100)
    with pytest.raises(
        JourneyError, match="too many moves to be solved for each of its sources; use a lower"
    ):
        removal_effects(paths, 3)


def test_a_chain_of_too_many_moves_is_refused_while_it_is_counted(monkeypatch):
    monkeypatch.setattr("attribution.markov.MOST_MOVES", 3)
    touches, conversions = tables(path("fair > call > mail > fair > mail"))
    with pytest.raises(JourneyError, match="use a lower order"):
        attribute(touches, conversions, [Markov(order=2)])


def test_totals_need_the_key_of_the_chain():
    touches, conversions = tables(path("fair > call"))
    with pytest.raises(ValueError, match="use by='channel'"):
        attribute(touches, conversions, [Markov(allocation="total")], by="campaign")
    with pytest.raises(ValueError, match="leave out output"):
        attribute(touches, conversions, [Markov(allocation="total")], output="credits.parquet")


def test_the_total_of_a_source_is_spread_evenly_over_its_touches():
    # As above fair, mail and call earn 40, 80 and 80; call has two touches in the order of a.
    paths = [path("fair > call", account="a"), path("mail", account="b"), lost("call", "c")]
    touches, conversions = tables(*paths, path("", 7, account="d"))
    table = attribute(touches, conversions, [Markov(allocation="total")])
    found = {(row["conversion_id"], row["channel"]): row["credit_minor"] for row in table.to_pylist()}
    assert found == {
        ("a order", "fair"): 4000,
        ("a order", "call"): 8000,
        ("b order", "mail"): 8000,
        ("d order", None): 7,
    }
    assert table["weight"].to_pylist() == pytest.approx([0.4, 0.8, 0.8, 1.0])
    twice = [path("fair > call > call", account="a"), *paths[1:]]
    table = attribute(*tables(*twice), [Markov(allocation="total")])
    assert [row["credit_minor"] for row in table.to_pylist() if row["channel"] == "call"] == [4000, 4000]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Markov(order=5),
        lambda: Markov(states="moon"),
        lambda: Markov(allocation="moon"),
        lambda: Shapley(players="moon"),
        lambda: ShapleyCoalitions(players="moon"),
        lambda: ShapleyCoalitions(unseen="moon"),
    ],
)
def test_unknown_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="use "):
        wrong()


def test_unique_channels_share_equally_however_often_they_occur():
    touches, conversions = tables(path("fair > call > call > call > call", 100_00))
    table = attribute(touches, conversions, ["shapley"])
    assert table["credit_minor"].to_pylist() == [5000, 1250, 1250, 1250, 1250]


def test_coalitions_by_hand():
    # Alone fair orders 2 of 10, mail 0 of 10, together 5 of 10: fair adds (0.2 + 0.5) / 2.
    values = coalition_values(["fair", "mail"], {0b01: (10, 2), 0b10: (10, 0), 0b11: (10, 5)})
    assert values == pytest.approx({"fair": 0.35, "mail": 0.15})


def test_a_set_nobody_met_takes_the_rate_within_it_or_zero():
    seen = {0b01: (10, 4), 0b10: (10, 2)}
    assert coalition_values(["fair", "mail"], seen) == pytest.approx({"fair": 0.25, "mail": 0.05})
    assert coalition_values(["fair", "mail"], seen, "zero") == pytest.approx({"fair": 0.1, "mail": -0.1})


def test_twenty_players_are_exact_and_twenty_one_too_many():
    players = [f"{i}" for i in range(20)]
    values = coalition_values(players, {1 << i: (10, i % 3 + 1) for i in range(20)}, "zero")
    assert sum(values.values()) == pytest.approx(0, abs=1e-12)
    with pytest.raises(JourneyError, match="use the model shapley"):
        coalition_values([*players, "20"], {1: (1, 1)})
    with pytest.raises(JourneyError, match="fewer than two"):
        coalition_values(["fair"], {1: (1, 1)})
    with pytest.raises(JourneyError, match="no path ends"):
        coalition_values(["fair", "mail"], {1: (1, 0)})
