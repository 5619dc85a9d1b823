"""Absence is not a value: empty text is missing text at every boundary, and odd input gives a clear word."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution import JourneyError, Markov, attribute, explain, feeders, validate
from attribution.answers import Hybrid
from attribution.rules import u_shaped
from tests.attribution.journey import credit, path, tables
from tests.attribution.test_answers import answers, by_channel


def with_column(table, name, values, kind=None):
    place = table.schema.get_field_index(name)
    array = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values, kind)
    return table.append_column(name, array) if place < 0 else table.set_column(place, name, array)


def rows(table, *names):
    return [tuple(row[name] for name in names) for row in table.to_pylist()]


@pytest.mark.parametrize("way", ["memory", "file", "buckets"])
def test_empty_text_and_null_are_one_unknown_source(tmp_path, monkeypatch, way):
    touches, conversions = tables(path("fair > - > -"))
    for name in ("campaign", "channel"):
        touches = with_column(touches, name, ["fair", "", None], pa.string())
    given = [touches, conversions]
    if way != "memory":
        given = [tmp_path / "touches.parquet", tmp_path / "conversions.parquet"]
        for table, file in zip((touches, conversions), given, strict=True):
            pq.write_table(table, file)
    monkeypatch.setattr(feeders, "MOST_HELD", 0 if way == "buckets" else 100)
    table = attribute(*given, ["linear", "shapley"], by="channel")
    assert rows(table, "model", "channel", "credit_minor") == [
        ("linear", "fair", 3333),
        ("linear", None, 6667),
        ("shapley", "fair", 5000),
        ("shapley", None, 5000),
    ]


@pytest.mark.parametrize("column", ["touch_id", "account_id"])
@pytest.mark.parametrize("by_file", [False, True])
def test_an_empty_identifier_is_a_missing_one(tmp_path, column, by_file):
    touches, conversions = tables(path("fair > call"))
    touches = with_column(touches, column, ["", "x"], pa.string())
    if by_file:
        pq.write_table(touches, tmp_path / "touches.parquet")
        touches = tmp_path / "touches.parquet"
    with pytest.raises(JourneyError, match=rf"row 1, column {column}: .* is missing"):
        attribute(touches, conversions, ["linear"])


def test_an_answer_without_a_channel_confirms_by_campaign():
    told = answers(("a", "", 1))
    told = with_column(told, "outcome", ["answered"])
    told = with_column(told, "campaign", ["spring fair"], pa.string())
    touches, conversions = tables(path("fair > call", account="a"))
    touches = with_column(touches, "campaign", ["spring fair", "search ads"])
    model = Hybrid(prior=u_shaped(50, 50, 0), truthful=0.8)
    table = attribute(touches, conversions, [model], answers=told, by="campaign")
    # The prior knows no lead, so that first and last touch hold half each: 0.8 against 0.2.
    assert rows(table, "campaign", "credit_minor") == [("search ads", 2000), ("spring fair", 8000)]


def test_an_answer_that_names_nothing_is_none():
    told = with_column(answers(("a", "fair", 1), ("a", "", 2)), "outcome", ["answered", "answered"])
    assert by_channel([path("call", account="a")], told, "self-reported") == {"fair": 10000}


def test_the_next_known_milestone_counts_whether_or_not_the_model_uses_it():
    # No lead is known, but the opportunity is, at the mail: it takes the lead's share, not the last touch.
    text = "fair > search > mail > call"
    assert credit(text, "u-shaped", opportunity=2) == [4000, 1000, 4000, 1000]
    assert credit(text, "u-shaped", qualified=1, opportunity=2) == [4000, 4000, 1000, 1000]
    assert credit(text, "u-shaped") == [4000, 1000, 1000, 4000]
    assert credit(text, u_shaped(missing="spread"), opportunity=2) == [6667, 1111, 1111, 1111]


def test_no_conversions_and_no_touches_give_empty_tables():
    touches, conversions = tables(path("fair > call"))
    for models in (["linear", "shapley"], ["linear"]):
        for by in ("touch", "campaign", "conversion"):
            assert attribute(touches, conversions.slice(0, 0), models, by=by).num_rows == 0
    table = attribute(touches.slice(0, 0), conversions, ["linear"], by="channel")
    assert rows(table, "channel", "credit_minor") == [("(unattributed)", 10000)]
    with pytest.raises(JourneyError, match="no path ends in a conversion"):
        attribute(touches, conversions.slice(0, 0), ["markov"], by="channel")


def test_whole_numbers_as_identifiers_are_explained():
    touches, conversions = tables(path("fair > call"))
    touches = with_column(touches, "touch_id", [7, 3], pa.uint32())
    conversions = with_column(conversions, "conversion_id", [9], pa.int16())
    for asked in (9, "9"):
        found = explain(touches, conversions, asked, ["linear"])
        assert rows(found, "touch_id", "channel", "credit_minor") == [(7, "fair", 5000), (3, "call", 5000)]
    for unknown in ("8", "x", 8):
        with pytest.raises(JourneyError, match="there is no conversion"):
            explain(touches, conversions, unknown, ["linear"])
    texts = with_column(conversions, "conversion_id", ["9"])
    assert explain(touches, texts, 9, ["linear"]).num_rows == 2
    accounts = with_column(touches, "account_id", [-5, -5]), with_column(conversions, "account_id", [-5])
    assert rows(attribute(*accounts, ["linear"]), "touch_id", "credit_minor") == [(7, 5000), (3, 5000)]


def test_decimals_and_unsigned_numbers_are_read_or_refused(tmp_path):
    touches, conversions = tables(path("fair > call"))
    whole = pa.array([Decimal("10000.00")])
    for value in (whole, pa.array([10000], pa.uint64())):
        pq.write_table(with_column(conversions, "value_minor", value), tmp_path / "c.parquet")
        assert attribute(touches, tmp_path / "c.parquet", ["last-touch"])["credit_minor"].to_pylist() == [
            0,
            10000,
        ]
    half = pa.array([Decimal("1000.50")])
    with pytest.raises(JourneyError, match=r"row 1, column value_minor: .* is not a whole number"):
        validate(with_column(conversions, "value_minor", half), "conversions")
    with pytest.raises(JourneyError, match=r"row 1, column value_minor: .* is too large"):
        validate(with_column(conversions, "value_minor", [2**63], pa.uint64()), "conversions")


def test_a_column_that_stands_twice_is_refused(tmp_path):
    touches, conversions = tables(path("fair > call"))
    twice = touches.append_column("channel", touches["campaign"])
    with pytest.raises(JourneyError, match="channel: the column stands 2 times"):
        attribute(twice, conversions, ["linear"])
    file = tmp_path / "touches.csv"
    file.write_text("touch_id,account_id,occurred_at,campaign,channel,kind,kind\n")
    with pytest.raises(JourneyError, match="kind: the column stands 2 times"):
        attribute(file, conversions, ["linear"])


def test_a_source_named_like_the_line_of_nobody_is_refused():
    touches, conversions = tables(path("fair > call"))
    named = with_column(touches, "campaign", ["(unattributed)", "x"])
    with pytest.raises(JourneyError, match=r"row 1, column campaign: .* give it another name"):
        attribute(named, conversions, ["linear"])


@pytest.mark.parametrize(
    ("text", "value"), [("0x10", None), ("1e3", None), ("+16", 16), ("-16", -16), (" 16", 16)]
)
def test_amounts_in_csv_are_digits(tmp_path, text, value):
    file = tmp_path / "conversions.csv"
    file.write_text(
        "conversion_id,account_id,converted_at,value_minor,currency\n"
        f"c1,Borealis Foods,2026-03-09T10:00:00Z,{text},EUR\n"
    )
    touches, _ = tables(path("fair"))
    if value is None:
        with pytest.raises(JourneyError, match=r"row 1, column value_minor: .* in digits"):
            attribute(touches, file, ["linear"])
    else:
        assert attribute(touches, file, ["linear"])["credit_minor"].to_pylist() == [value]


def test_frames_in_other_zones_mean_the_same_moments():
    import polars as pl

    touches, conversions = tables(path("fair > call", days=[0, 1], converted=1))
    expected = attribute(touches, conversions, ["last-touch"])
    berlin = pl.DataFrame(touches).with_columns(pl.col("occurred_at").dt.convert_time_zone("Europe/Berlin"))
    assert attribute(berlin, conversions, ["last-touch"]).equals(expected)
    assert attribute(berlin.lazy(), pl.DataFrame(conversions), ["last-touch"]).equals(expected)
    assert attribute(touches.to_pandas(), conversions.to_pandas(), ["last-touch"]).equals(expected)


def test_a_window_for_what_does_not_exist_is_refused(tmp_path):
    touches, conversions = tables(path("fair > search > call"))
    pq.write_table(touches, tmp_path / "touches.parquet")
    for given in (touches, tmp_path / "touches.parquet"):
        with pytest.raises(ValueError, match="'serch' is neither a channel of these touches nor a kind"):
            attribute(given, conversions, ["linear"], lookback_days={"serch": 3})


def test_a_source_that_no_journey_to_an_order_shows_keeps_its_part_of_the_total():
    # From the fair one of two goes on to call, where one of three orders; the other order is by mail.
    some = [path("fair > call", account="a"), path("call", account="b"), path("mail", account="c")]
    lost = (some[0][0], [])
    touches, conversions = tables(lost, some[1], some[2])
    table = attribute(touches, conversions, [Markov(allocation="total")])
    assert sum(table["credit_minor"].to_pylist()) == 20000
    (alone,) = [row for row in table.to_pylist() if row["conversion_id"] is None]
    assert (alone["channel"], alone["touch_id"]) == ("fair", None)
    assert alone["credit_minor"] > 0
    assert validate(table, "credits").num_rows == table.num_rows


def test_moments_far_apart_are_sorted_all_the_same():
    at = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)]
    touches, conversions = tables(path("fair > call"))
    touches = with_column(touches, "occurred_at", at[::-1], touches.schema.field("occurred_at").type)
    conversions = with_column(conversions, "converted_at", at[1:], touches.schema.field("occurred_at").type)
    assert attribute(touches, conversions, ["first-touch"])["touch_id"][0].as_py() == "Borealis Foods 2"
    assert np.sum(attribute(touches, conversions, ["linear"])["credit_minor"]) == 10000
