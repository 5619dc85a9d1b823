"""Other people's engines on the same journeys: where they are right we agree, where not we say why.

What they give stands in tests/data/peers/market.json, which benchmarks/attribution/record_peers.py wrote.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

from attribution import Markov, TimeDecay, attribute
from attribution.markov import removal_effects
from attribution.shapley import Shapley
from tests.attribution.market import market

CLOSE = 1e-9
PEERS = json.loads((Path(__file__).parents[1] / "data" / "peers" / "market.json").read_text("utf-8"))
MAM = "marketing-attribution-models"


@pytest.fixture(scope="module")
def world():
    return market(PEERS["journeys"])


def ours(world, model):
    table = attribute(world.touches, world.conversions, [model], by="channel")
    return dict(zip(table["channel"].to_pylist(), table["conversions"].to_pylist(), strict=True))


def our_effects(world, order=1):
    counted = Counter(zip(world.paths, world.converted, strict=True))
    return removal_effects(
        ((path, count * won, count * (not won)) for (path, won), count in counted.items()), order
    )


def assert_close(found, expected):
    found = {key: value for key, value in found.items() if abs(value) > 0}
    expected = {key: value for key, value in expected.items() if abs(value) > 0}
    assert found.keys() == expected.keys()
    worst = max(abs(found[key] - value) / max(1.0, abs(value)) for key, value in expected.items())
    assert worst < CLOSE


@pytest.mark.parametrize(
    ("model", "peer", "name"),
    [
        ("first-touch", MAM, "first_click"),
        ("last-touch", MAM, "last_click"),
        ("linear", MAM, "linear"),
        ("position-based", MAM, "position_based"),
        (TimeDecay(7), MAM, "time_decay"),
        ("markov", MAM, "markov"),
        ("first-touch", "mta", "first_touch"),
        ("last-touch", "mta", "last_touch"),
        ("linear", "mta", "linear"),
        ("position-based", "mta", "pos_based"),
        ("shapley", "mta", "shapley"),
        (Shapley(), "shapley-attribution", "simplified"),
        ("first-touch", "channelattribution", "first_touch"),
        ("last-touch", "channelattribution", "last_touch"),
        ("linear", "channelattribution", "linear_touch"),
    ],
)
def test_a_peer_gives_the_same_conversions(world, model, peer, name):
    assert_close(ours(world, model), PEERS[peer][name])


@pytest.mark.parametrize(
    ("peer", "name", "order"),
    [
        (MAM, "removal_effects", 1),
        ("mta-audit", "removal_effects", 1),
        *(("do-attribution", f"removal_effects, order {order}", order) for order in (1, 2, 3, 4)),
    ],
)
def test_a_peer_gives_the_same_removal_effects(world, peer, name, order):
    assert_close(our_effects(world, order), PEERS[peer][name])


def test_mta_audit_agrees_on_markov_shares_of_the_total(world):
    effects = PEERS["mta-audit"]["removal_effects"]
    total = sum(world.converted)
    expected = {channel: total * value / sum(effects.values()) for channel, value in effects.items()}
    assert_close(ours(world, Markov(allocation="total")), expected)


# The known-wrong: each differs, and for a reason that can be stated.


def test_channel_attribution_only_nears_the_chain(world):
    theirs = PEERS["channelattribution"]["removal_effects"]
    errors = [abs(theirs[channel] - value) for channel, value in our_effects(world).items()]
    assert 1e-6 < max(errors) < 0.1  # it walks at random where a linear system can be solved


def test_mta_sums_chain_probabilities_over_observed_converting_paths_only(world):
    theirs, effects = PEERS["mta"]["markov"], our_effects(world)
    exact = {channel: value / sum(effects.values()) for channel, value in effects.items()}
    assert max(abs(theirs[channel] - exact[channel]) for channel in exact) > 0.01


def test_do_attribution_values_only_the_exact_set_and_gives_no_answer():
    assert PEERS["do-attribution"]["shapley"] is None


def test_ordered_shapley_credits_journeys_that_never_converted():
    theirs = PEERS["shapley-attribution"]["ordered, five conversions"]
    assert sum(theirs.values()) == pytest.approx(10.0)  # for five conversions
