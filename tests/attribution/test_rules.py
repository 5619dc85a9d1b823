"""What each rule gives to whom, in worked examples that can be checked by hand."""

import pytest

from attribution import MODELS, Positions, TimeDecay, attribute
from attribution.models import resolve
from attribution.rules import (
    full_path,
    inverse_j,
    j_shaped,
    position_based,
    u_shaped,
    w_shaped,
)
from tests.attribution.journey import credit, path, tables

RULES = MODELS[: MODELS.index("time-decay")]
PATH = "fair > search > mail > call"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("first-touch", [10000, 0, 0, 0]),
        ("last-touch", [0, 0, 0, 10000]),
        ("last-non-direct", [0, 0, 0, 10000]),
        ("linear", [2500, 2500, 2500, 2500]),
        ("position-based", [4000, 1000, 1000, 4000]),
        ("j-shaped", [2000, 1000, 1000, 6000]),
        ("inverse-j", [6000, 1000, 1000, 2000]),
        (TimeDecay(1), [667, 1333, 2667, 5333]),
        (Positions({"first": 1, "last": 1}), [5000, 0, 0, 5000]),
        (Positions({}, middle=1), [2500, 2500, 2500, 2500]),
    ],
)
def test_fair_search_mail_call(model, expected):
    assert credit(PATH, model) == expected


@pytest.mark.parametrize(
    "model",
    [*(name for name in MODELS if name in RULES), TimeDecay(7), Positions({"lead": 1})],
)
def test_a_single_touch_gets_everything(model):
    assert credit("fair", model) == [10000]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (position_based(), [5000, 5000]),
        (position_based(no_middle="equal"), [5000, 5000]),
        (j_shaped(), [2500, 7500]),
        (j_shaped(no_middle="equal"), [3000, 7000]),
        (inverse_j(), [7500, 2500]),
        (inverse_j(no_middle="equal"), [7000, 3000]),
        (position_based(40, 60, 0), [4000, 6000]),
    ],
)
def test_two_touches_leave_no_middle(model, expected):
    assert credit("fair > call", model) == expected


def test_milestones_take_their_touches():
    # Lead on day 1, opportunity on day 3: search made the lead, call the opportunity.
    path = "fair > search > mail > call > visit > order call"
    assert credit(path, u_shaped(), lead=1.5) == [4000, 4000, 500, 500, 500, 500]
    assert credit(path, w_shaped(), lead=1.5, opportunity=3) == [3000, 3000, 333, 3000, 334, 333]
    assert credit(path, full_path(), lead=1.5, opportunity=3) == [2250, 2250, 500, 2250, 500, 2250]


def test_one_touch_can_hold_several_positions():
    assert credit("fair > mail > call", w_shaped(), lead=0, opportunity=0) == [9000, 500, 500]
    assert credit("fair > mail > call", full_path(), lead=0.5, opportunity=2) == [4500, 1000, 4500]


def test_a_milestone_before_the_first_touch_falls_on_the_first():
    assert credit("fair > mail > call", u_shaped(), lead=-3) == [8000, 1000, 1000]


def test_a_missing_milestone_goes_to_the_next_or_is_spread():
    assert credit("fair > mail > call", w_shaped(), opportunity=1) == [3000, 6000, 1000]
    assert credit("fair > mail > call", w_shaped(missing="spread"), opportunity=1) == [4286, 4285, 1429]
    assert credit("fair > mail > call", w_shaped()) == [3000, 1000, 6000]
    # 22.5 + 22.5 for the fair, 10 for the mail, 22.5 for the call, of 77.5.
    assert credit("fair > mail > call", full_path(missing="spread"), lead=0.5) == [5806, 1291, 2903]
    assert credit("fair > mail > call", w_shaped(missing="spread")) == [7500, 1250, 1250]


def test_only_unknown_milestones_leave_equal_parts():
    assert credit("fair > call", Positions({"lead": 1}, missing="spread")) == [5000, 5000]


def test_milestones_out_of_order_are_put_in_order():
    # The lead is said to be younger than the opportunity: it counts at the opportunity's touch at latest.
    assert credit("fair > mail > call", w_shaped(), lead=2, opportunity=1) == [3000, 6000, 1000]


def test_all_positions_held_and_no_middle():
    assert credit("fair > mail > call", w_shaped(), lead=1, opportunity=2) == [3333, 3334, 3333]
    assert credit("fair > mail > call", w_shaped(no_middle="equal"), lead=1, opportunity=2) == [
        3333,
        3334,
        3333,
    ]


def test_direct_and_unknown_touches_do_not_win_last_non_direct():
    assert credit("fair > mail > direct > -", "last-non-direct") == [0, 10000, 0, 0]
    assert credit("fair > direct > mail > direct", "last-non-direct") == [0, 0, 10000, 0]
    assert credit("direct > - > direct", "last-non-direct") == [0, 0, 10000]


def test_touches_at_the_same_instant_stand_in_order_of_their_identifiers():
    assert credit("fair > mail > call", "first-touch", days=[1, 1, 1]) == [10000, 0, 0]
    assert credit("fair > mail > call", "last-touch", days=[1, 1, 1]) == [0, 0, 10000]


def test_two_touches_at_the_last_instant_share_even_under_a_short_half_life():
    assert credit("fair > mail > call", TimeDecay(1e-6), days=[0, 1, 1]) == [0, 5000, 5000]


def test_a_half_life_of_a_day_gives_one_third_to_yesterday():
    assert credit("fair > call", TimeDecay(1)) == [3333, 6667]
    assert credit("fair > call", TimeDecay(1), days=[0, 0.5], value=10**15) == [
        414213562373095,
        585786437626905,
    ]


def test_the_time_between_last_touch_and_order_changes_nothing():
    late = credit("fair > call", TimeDecay(7), days=[0, 7], converted=900)
    assert late == credit("fair > call", TimeDecay(7), days=[0, 7], converted=7) == [3333, 6667]


@pytest.mark.parametrize("half_life", [0, -1, float("nan"), float("inf")])
def test_a_half_life_must_be_positive(half_life):
    with pytest.raises(ValueError, match="half-life"):
        TimeDecay(half_life)


@pytest.mark.parametrize(
    ("shares", "options", "message"),
    [
        ({"second": 1}, {}, "not a position"),
        ({"first": -1}, {}, "not a share"),
        ({"first": float("nan")}, {}, "not a share"),
        ({"first": 0}, {}, "every share is zero"),
        ({"first": 0.33333, "last": 0.66667}, {}, "common denominator"),
        ({"first": 1}, {"no_middle": "nobody"}, "no_middle"),
        ({"first": 1}, {"missing": "nobody"}, "missing"),
    ],
)
def test_shares_that_cannot_be_are_refused(shares, options, message):
    with pytest.raises(ValueError, match=message):
        Positions(shares, **options)


def test_the_shortest_half_life_is_a_microsecond():
    assert credit("fair > call", TimeDecay(1 / 86_400_000_000)) == [0, 10000]
    with pytest.raises(ValueError, match="half-life"):
        TimeDecay(0.9 / 86_400_000_000)


def test_the_largest_values_are_cut_exactly():
    # The nearest double to value x 2/7 or the like would round the wrong way here.
    assert credit("a > b > c > d > e > f > g", "linear", 916592554177596) == [
        130941793453942,
        130941793453943,
        130941793453942,
        130941793453942,
        130941793453942,
        130941793453943,
        130941793453942,
    ]
    seventh = Positions({"first": 1, "last": 1}, middle=5)
    assert credit("a > b > c > d > e > f > g", seventh, 916592554177596) == [
        130941793453942,
        130941793453943,
        130941793453942,
        130941793453942,
        130941793453942,
        130941793453943,
        130941793453942,
    ]


def test_models_keep_their_names_and_take_labels():
    makers = {
        "position-based": position_based,
        "u-shaped": u_shaped,
        "w-shaped": w_shaped,
        "full-path": full_path,
        "j-shaped": j_shaped,
        "inverse-j": inverse_j,
    }
    for name, maker in makers.items():
        assert (maker().name, maker().shown, maker().label) == (name, name, "")
        labelled = maker(label="ours", no_middle="equal", missing="spread")
        assert (labelled.name, labelled.shown) == (name, "ours")
        assert (labelled.no_middle, labelled.missing) == ("equal", "spread")
    rules = resolve(["first-touch", "last-touch", "last-non-direct", "linear"])
    assert [rule.name for rule in [*rules, TimeDecay(1), Positions({"first": 1})]] == [
        "first-touch",
        "last-touch",
        "last-non-direct",
        "linear",
        "time-decay",
        "custom",
    ]


def test_denominators_are_the_smallest_whole_parts():
    assert [
        maker().parts for maker in (position_based, u_shaped, w_shaped, full_path, j_shaped, inverse_j)
    ] == [
        5,
        5,
        10,
        40,
        5,
        5,
    ]
    assert Positions({"first": 500, "last": 499}, middle=1).parts == 1000


def test_weights_and_conversions_are_the_same_shares():
    touches, conversions = tables(path("fair > search > call", lead=1, opportunity=1))
    models = ["first-touch", "linear", "w-shaped", TimeDecay(1)]
    touch = attribute(touches, conversions, models)
    weights = [0, 0, 0] + [1 / 3] * 3 + [0.3, 0.6, 0.1] + [1 / 7, 2 / 7, 4 / 7]
    weights[0] = 1
    assert touch["weight"].to_pylist() == pytest.approx(weights, abs=1e-12)
    by_channel = attribute(touches, conversions, models, by="channel")
    found = {(row["model"], row["channel"]): row["conversions"] for row in by_channel.to_pylist()}
    assert len(found) == 12
    for row in touch.to_pylist():
        assert found[row["model"], row["channel"]] == pytest.approx(row["weight"], abs=1e-12)
    sums = by_channel.group_by("model").aggregate([("conversions", "sum")])
    assert sums["conversions_sum"].to_pylist() == [1.0] * 4
