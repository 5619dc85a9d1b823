"""Intervals that cover what they promise, and draws that are the same everywhere."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from attribution import Markov, attribute
from attribution.counts import added
from attribution.feeders import opened
from attribution.models import resolve
from attribution.posterior import posterior
from attribution.refit import hashes_of, poisson_weights, refits
from attribution.shares import counted, solved
from attribution.sources import read_all
from attribution.uncertainty import draws, draws_of
from tests.attribution.journey import START
from tests.attribution.market import market
from tests.attribution.oddities import EVERY, oddities

WORLDS = 200
BUYERS = 120
WON = 0.5
FAIR = 0.4


def many_worlds(seed=20260301):
    """Draw 200 small markets at once, each in a currency of its own: nothing is ever added across them.

    Each of a Poisson number of buyers meets the fair, search or both, and half of them order; a deal is worth
    exp(normal) hundreds. The expected credit under linear can be worked out.
    """
    rng = np.random.default_rng(seed)
    touches, orders = [], []
    for world in range(WORLDS):
        currency = "".join(chr(65 + digit) for digit in (world // 676, world // 26 % 26, world % 26))
        for buyer in range(rng.poisson(BUYERS)):
            account = f"{currency} {buyer}"
            stations = ["fair"] if rng.random() < FAIR else []
            stations += ["search"] if not stations or rng.random() < 0.5 else []
            touches += [(account, name, i) for i, name in enumerate(stations)]
            if rng.random() < WON:
                orders.append((account, currency, round(100_00 * float(np.exp(rng.normal())))))
    at = pa.timestamp("us", "UTC")
    return (
        pa.table(
            {
                "touch_id": [f"{account} {name}" for account, name, _ in touches],
                "account_id": [account for account, _, _ in touches],
                "occurred_at": pa.array([START + timedelta(days=i) for _, _, i in touches], at),
                "campaign": [name for _, name, _ in touches],
                "channel": [name for _, name, _ in touches],
                "kind": ["event"] * len(touches),
            }
        ),
        pa.table(
            {
                "conversion_id": [account for account, _, _ in orders],
                "account_id": [account for account, _, _ in orders],
                "converted_at": pa.array([START + timedelta(days=9)] * len(orders), at),
                "value_minor": pa.array([value for _, _, value in orders], pa.int64()),
                "currency": [currency for _, currency, _ in orders],
            }
        ),
    )


def test_nominal_ninety_percent_covers_about_ninety_percent(record_property):
    drawn = draws(*many_worlds(), ["linear"], replicates=400)
    # A fair-goer meets search too in half the cases and then shares: 0.4 x (0.5 + 0.5 x 0.5) of the deals.
    truth = BUYERS * WON * 100_00 * np.exp(0.5) * FAIR * 0.75
    fair = [row for row in drawn.intervals(0.9).to_pylist() if row["campaign"] == "fair"]
    covered = np.mean([row["credit_low"] <= truth <= row["credit_high"] for row in fair])
    record_property("coverage of the nominal 90 % interval", float(covered))
    assert len(fair) == WORLDS
    # Of 200 exact 90 % intervals between 83.5 and 96 % cover with probability 0.997.
    assert 0.835 <= covered <= 0.96


def test_a_source_without_a_deal_may_have_had_one():
    """Three deals of 100 and one source that has none: at most 2.3 deals with nine chances in ten."""
    buyers = np.arange(3)
    expected, drawn = posterior(
        buyers, np.zeros(3, int), np.full(3, 100.0), hashes_of(["a", "b", "c"]), ["fair", "mail"], 4000, 0
    )
    assert expected.tolist() == pytest.approx([300.0, 0.0])
    assert np.mean(drawn[0]) == pytest.approx(350, rel=0.05)  # gamma of 3.5 deals
    assert 0 < np.quantile(drawn[1], 0.9) < 2.3 * 100
    assert (drawn[1] > 0).all()


def test_what_was_taken_back_is_taken_from_every_draw():
    buyers, hashes = np.array([0, 1, 1]), hashes_of(["a", "b"])
    given = np.array([100.0, 100.0, -40.0])
    _, whole = posterior(buyers[:2], np.array([0, 0]), given[:2], hashes, ["fair", "mail"], 50, 0)
    expected, drawn = posterior(buyers, np.array([0, 0, 0]), given, hashes, ["fair", "mail"], 50, 0)
    assert drawn[0] == pytest.approx(whole[0] - 40)
    assert expected[0] == pytest.approx(160)


def test_nothing_sold_is_nothing_drawn():
    nothing = np.zeros(0, int)
    expected, drawn = posterior(nothing, nothing, np.zeros(0), hashes_of([]), ["fair"], 7, 0)
    assert (expected == 0).all()
    assert (drawn == np.zeros((1, 7))).all()


def test_the_draws_are_poisson_of_mean_one():
    hashes = np.arange(20_000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    weights = poisson_weights(hashes, range(10), seed=0)
    for count, expected in enumerate([0.3679, 0.3679, 0.1839, 0.0613]):
        assert np.mean(weights == count) == pytest.approx(expected, abs=0.005)
    assert abs(np.corrcoef(weights[:, 0], weights[:, 1])[0, 1]) < 0.03


def test_every_order_of_rows_draws_the_same():
    some = market(200)
    rng = np.random.default_rng(1)
    shuffled = [table.take(rng.permutation(table.num_rows)) for table in (some.touches, some.conversions)]
    drawn = [
        draws(*tables, ["linear", "markov"], by="channel", replicates=50).intervals()
        for tables in ((some.touches, some.conversions), shuffled)
    ]
    assert all(table.equals(drawn[0]) for table in drawn)


def repeated(table, times, names):
    """Repeat the rows of each account as often as it was drawn, as accounts of their own."""
    rows = [
        {**row, **{name: f"{row[name]}, copy {copy}" for name in names}}
        for row in table.to_pylist()
        for copy in range(int(times[row["account_id"]]))
    ]
    return pa.Table.from_pylist(rows, table.schema)


@pytest.mark.parametrize("model", ["markov", Markov(order=2, states="campaign"), "shapley-coalitions"])
@pytest.mark.parametrize("by", ["channel", "kind"])
def test_a_fit_to_other_accounts_shares_the_same_deals_as_attribution_does(model, by):
    some = market(150)
    # A buyer with two orders, touches of unknown source, and an order nobody tracked.
    second = some.conversions.slice(0, 1).set_column(0, "conversion_id", pa.array(["second order"]))
    nobody = second.set_column(0, "conversion_id", pa.array(["third"])).set_column(
        1, "account_id", pa.array(["x"])
    )
    conversions = pa.concat_tables([some.conversions, second, nobody])
    unknown = pa.array([i % 7 == 0 for i in range(some.touches.num_rows)])
    place = some.touches.schema.get_field_index("channel")
    touches = some.touches.set_column(place, "channel", pc.if_else(unknown, None, some.touches["channel"]))
    names = sorted({*touches["account_id"].to_pylist(), "x"})
    chosen = resolve([model])
    with opened("duckdb", read_all(touches, conversions), chosen, None, [by]) as feeder:
        refit = refits(feeder, chosen, by, pa.string())[0]
    sources = [(name, "EUR") for name in [*sorted({*touches[by].to_pylist()} - {None}), None]]
    found = refit.deals(sources, poisson_weights(refit.hashes, range(3), 5))
    weights = poisson_weights(hashes_of(names), range(3), 5)
    for r in range(3):
        times = dict(zip(names, weights[:, r], strict=True))
        counts = counted(
            repeated(touches, times, ["touch_id", "account_id"]),
            repeated(conversions, times, ["conversion_id", "account_id"]),
            [model],
        )
        rows = attribute(touches, conversions, solved([model], added([counts])), by=by).to_pylist()
        deals = {row[by]: row["conversions"] for row in rows}
        assert found[:, r] == pytest.approx([deals.get(name, 0.0) for name, _ in sources])


def test_an_order_that_no_resample_holds_leaves_the_fit_to_all():
    some = market(40)
    drawn = draws(some.touches, some.conversions.slice(0, 1), ["markov"], by="channel", replicates=30)
    assert np.isfinite(drawn.replicates).all()
    assert drawn.expected.sum() == pytest.approx(drawn.credit.sum()) == pytest.approx(100_00)


def test_intervals_are_drawn_for_a_source_that_is_credited_with_nothing():
    rows = pa.table(
        {"account_id": ["a", "b"], "campaign": ["fair"] * 2, "currency": ["EUR"] * 2, "c0": [5, 7]}
    )
    drawn = draws_of(rows, ["linear"], "campaign", 100, 0, also=[("mail", "EUR"), ("fair", "EUR")])
    assert drawn.sources == (("fair", "EUR"), ("mail", "EUR"))
    assert drawn.credit.tolist() == [[12, 0]]
    assert drawn.replicates[0, 1].min() > 0


def test_another_seed_draws_otherwise():
    some = market(100)
    one, other = (
        draws(some.touches, some.conversions, ["linear"], replicates=20, seed=seed).replicates
        for seed in (0, 1)
    )
    assert not np.array_equal(one, other)


def two_campaigns(fair=30, mail=10):
    names = [f"buyer {i}" for i in range(fair + mail)]
    at = pa.timestamp("us", "UTC")
    touches = pa.table(
        {
            "touch_id": [*names, *(f"{name}, later" for name in names)],
            "account_id": [*names, *names],
            "occurred_at": pa.array([START] * len(names) + [START + timedelta(days=1)] * len(names), at),
            "campaign": ["fair"] * fair + ["mail"] * mail + ["call"] * len(names),
            "channel": ["x"] * 2 * len(names),
            "kind": ["event"] * 2 * len(names),
        }
    )
    conversions = pa.table(
        {
            "conversion_id": names,
            "account_id": names,
            "converted_at": pa.array([START + timedelta(days=9)] * len(names), at),
            "value_minor": pa.array([100] * len(names), pa.int64()),
            "currency": ["EUR"] * len(names),
        }
    )
    return touches, conversions


def test_a_clear_lead_is_a_clear_lead():
    drawn = draws(*two_campaigns(), ["first-touch"], replicates=200)
    assert drawn.beats("fair", "mail", "first-touch", "EUR") > 0.99
    assert drawn.beats("mail", "fair", "first-touch", "EUR") < 0.01
    assert drawn.beats("fair", "fair", "first-touch", "EUR") == 0.5


def test_the_sentence_says_whether_the_model_matters():
    drawn = draws(*two_campaigns(), ["first-touch", "last-touch"], replicates=100)
    assert drawn.decision("EUR").startswith("The models put different sources first")
    assert "first-touch: fair; last-touch: call" in drawn.decision("EUR")
    assert (
        draws(*two_campaigns(), ["first-touch"], replicates=100)
        .decision("EUR")
        .startswith("Every model puts fair first by credit")
    )


def test_return_is_credit_less_cost_by_cost():
    day = START.date()
    costs = pa.table(
        {
            "campaign": ["fair", "fair", "mail"],
            "channel": ["x"] * 3,
            "period_start": [day] * 3,
            "period_end": [day + timedelta(days=30)] * 3,
            "amount_minor": pa.array([1000, 500, 100], pa.int64()),
            "currency": ["EUR"] * 3,
            "category": ["stand"] * 3,
            "direct": [True] * 3,
        }
    )
    drawn = draws(*two_campaigns(), ["first-touch"], replicates=100, costs=costs)
    rows = {row["campaign"]: row for row in drawn.intervals().to_pylist()}
    assert rows["fair"]["roi"] == pytest.approx((3000 - 1500) / 1500)
    assert rows["mail"]["roi"] == pytest.approx((1000 - 100) / 100)
    assert rows["call"]["roi"] is None
    assert rows["fair"]["roi_low"] < 1 < rows["fair"]["roi_high"]
    assert rows["fair"]["rank"] == rows["fair"]["rank_low"] == 1
    # More credit, but less return: mail is the better buy.
    assert drawn.beats("mail", "fair", "first-touch", "EUR") > 0.99


def test_settings_out_of_range_are_refused():
    tables = two_campaigns(2, 2)
    with pytest.raises(ValueError, match="replicates"):
        draws(*tables, ["linear"], replicates=1)
    with pytest.raises(ValueError, match="by is"):
        draws(*tables, ["linear"], by="touch")
    with pytest.raises(ValueError, match="costs are known"):
        draws(*tables, ["linear"], by="kind", costs=tables[0])
    drawn = draws(*tables, ["linear"], replicates=2)
    with pytest.raises(ValueError, match="level"):
        drawn.intervals(level=1)
    with pytest.raises(ValueError, match="was not computed"):
        drawn.beats("fair", "mail", "markov", "EUR")
    with pytest.raises(ValueError, match="no credit in SEK"):
        drawn.beats("fair", "mail", "linear", "SEK")
    with pytest.raises(ValueError, match="no credit in SEK"):
        drawn.decision("SEK")


def test_the_point_of_every_interval_is_the_credit_itself():
    touches, conversions, answers = oddities()
    for by in ("channel", "kind", "ad_material"):
        drawn = draws(touches, conversions, EVERY, by=by, replicates=2, answers=answers)
        found = {
            (model, *source): round(drawn.credit[m, k])
            for m, model in enumerate(drawn.models)
            for k, source in enumerate(drawn.sources)
        }
        table = attribute(touches, conversions, EVERY, by=by, answers=answers)
        expected = {
            (row["model"], row[by], row["currency"]): row["credit_minor"] for row in table.to_pylist()
        }
        assert {key: credit for key, credit in found.items() if credit} == {
            key: credit for key, credit in expected.items() if credit
        }
