"""What holds for any journey, under every model."""

from datetime import timedelta
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attribution import MODELS, Positions, TimeDecay, attribute
from attribution.rules import inverse_j, j_shaped
from tests.attribution.journey import START, credit, path, tables

MODELS_OF_RULES = [
    *MODELS[: MODELS.index("time-decay")],
    TimeDecay(11),
    Positions({"lead": 2, "qualified": 1, "opportunity": 3}, middle=1, missing="spread", no_middle="equal"),
    j_shaped(no_middle="equal", label="j equal"),
    inverse_j(missing="spread", label="inverse spread"),
    "shapley",
]
CHANNELS = ("fair", "search", "call", "direct", "-")
MOMENTS = st.none() | st.integers(-5, 400)

journeys = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from(CHANNELS), st.integers(0, 300)), max_size=9),
        st.integers(-(10**15), 10**15),
        st.sampled_from(["EUR", "JPY", "KWD"]),
        MOMENTS,
        MOMENTS,
        MOMENTS,
        st.integers(0, 350),
    ),
    min_size=1,
    max_size=40,
)


def market(drawn):
    paths = []
    for i, (stations, value, currency, lead, qualified, opportunity, end) in enumerate(drawn):
        stages = {"lead": lead, "qualified": qualified, "opportunity": opportunity}
        text = " > ".join(name for name, _ in stations)
        paths.append(
            path(
                text,
                value,
                days=[day for _, day in stations],
                account=f"buyer {i}",
                currency=currency,
                converted=end,
                **{name: day for name, day in stages.items() if day is not None},
            )
        )
    return tables(*paths)


# One run holds up to forty journeys, so that a few runs try many.
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=journeys, lookback=st.none() | st.integers(0, 200))
def test_credit_adds_up_to_the_minor_unit(drawn, lookback):
    touches, conversions = market(drawn)
    table = attribute(touches, conversions, MODELS_OF_RULES, lookback_days=lookback)
    orders = {row["conversion_id"]: row for row in conversions.to_pylist()}
    moments = {row["touch_id"]: row for row in touches.to_pylist()}
    sums, weights = {}, {}
    for row in table.to_pylist():
        order, touch = orders[row["conversion_id"]], moments.get(row["touch_id"])
        key = row["model"], row["conversion_id"]
        sums[key] = sums.get(key, 0) + row["credit_minor"]
        weights[key] = weights.get(key, 0) + row["weight"]
        assert row["credit_minor"] * order["value_minor"] >= 0
        assert row["weight"] >= 0
        assert row["currency"] == order["currency"]
        if touch:
            assert touch["account_id"] == order["account_id"]
            assert touch["occurred_at"] <= order["converted_at"]
            if lookback is not None:
                assert touch["occurred_at"] >= order["converted_at"] - timedelta(days=lookback)
    assert len(sums) == len(MODELS_OF_RULES) * len(orders)
    for (_, order), total in sums.items():
        assert total == orders[order]["value_minor"]
    assert all(abs(weight - 1) < 1e-12 for weight in weights.values())


def credits_of(paths, *models):
    """Give each path's credits in order, for each model."""
    touches, conversions = tables(*paths)
    table = attribute(touches, conversions, models)
    found = {}
    for row in table.to_pylist():
        found.setdefault(row["model"], {}).setdefault(row["conversion_id"], []).append(row["credit_minor"])
    return [found[model] for model in dict.fromkeys(table["model"].to_pylist())]


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=st.lists(st.tuples(st.integers(1, 10**15), st.integers(1, 9)), min_size=1, max_size=60))
def test_linear_credit_is_the_exact_rounding_of_a_fraction(drawn):
    paths = [path(" > ".join(["call"] * n), value, account=f"{i:03}") for i, (value, n) in enumerate(drawn)]
    [found] = credits_of(paths, "linear")
    for i, (value, n) in enumerate(drawn):
        ends = [int(Fraction(value * k, n) + Fraction(1, 2)) for k in range(n + 1)]
        assert found[f"{i:03} order"] == [ends[k] - ends[k - 1] for k in range(1, n + 1)]


PATHS_IN_TIME = st.tuples(
    st.lists(st.integers(0, 100), min_size=1, max_size=6, unique=True).map(sorted), st.integers(1, 10**9)
)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=st.lists(PATHS_IN_TIME, min_size=1, max_size=40))
def test_time_decay_tends_to_linear_and_to_last_touch(drawn):
    paths = [
        path(" > ".join(["call"] * len(days)), value, days=days, account=f"{i:03}")
        for i, (days, value) in enumerate(drawn)
    ]
    slow, fast = TimeDecay(1e9, label="slow"), TimeDecay(0.001, label="fast")
    slowly, evenly, quickly, last = credits_of(paths, slow, "linear", fast, "last-touch")
    assert quickly == last
    for i, (_, value) in enumerate(drawn):
        pairs = zip(slowly[f"{i:03} order"], evenly[f"{i:03} order"], strict=True)
        assert all(abs(a - b) <= 1 + value * 1e-6 for a, b in pairs)


def test_a_refund_takes_back_exactly_what_the_deal_had_given():
    text = "fair > search > call > mail > fair"
    deals = [path(text, value, account=f"{value}", lead=1) for value in (100_01, -100_01)]
    for found in credits_of(deals, *MODELS_OF_RULES):
        assert found["10001 order"] == [-part for part in found["-10001 order"]]


def test_several_conversions_of_one_account_each_have_their_own_path():
    touches, first = tables(path("fair > search > call", 100, days=[0, 10, 20], converted=15))
    second = first.set_column(0, "conversion_id", pa.array(["second order"]))
    later = pa.array([START + timedelta(days=30)], first.schema.field("converted_at").type)
    second = second.set_column(2, "converted_at", later)
    table = attribute(touches, pa.concat_tables([first, second]), ["last-touch"], by="touch")
    won = {row["conversion_id"]: row["channel"] for row in table.to_pylist() if row["credit_minor"]}
    assert won == {"Borealis Foods order": "search", "second order": "call"}


@pytest.mark.parametrize(
    ("lookback", "expected"),
    [
        (None, [100, 100, 100]),
        (20, [0, 150, 150]),
        (19.5, [0, 0, 300]),
        ({"fair": 400, "*": 5}, [300, 0, 0]),
        ({"fair": 10}, [0, 150, 150]),
        ({"call": 15}, [0, 0, 300]),
        ({"call": 0, "fair": 400}, [300, 0, 0]),
    ],
)
def test_windows_for_all_by_channel_and_by_kind(lookback, expected):
    # Every touch is of kind call; the fair is 40 days before the order, search 20, mail 15.
    assert (
        credit("fair > search > mail", "linear", 300, days=[0, 20, 25], converted=40, lookback_days=lookback)
        == expected
    )


def test_a_window_must_be_a_number_of_days():
    with pytest.raises(ValueError, match="lookback of -1"):
        credit("fair > call", "linear", lookback_days=-1)
    with pytest.raises(ValueError, match="lookback of nan"):
        credit("fair > call", "linear", lookback_days={"fair": float("nan")})
