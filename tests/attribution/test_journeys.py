"""Bad input is refused with table, row, column, value and remedy; nothing is guessed and nothing lost."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution import JourneyError, Positions, attribute, explain, validate
from attribution.journeys import SCHEMAS
from tests.attribution.journey import path, tables


def good():
    return tables(path("fair > search > call"), path("mail", account="Cobalt Mining"))


def replaced(table, column, row, value):
    values = table[column].to_pylist()
    values[row - 1] = value
    kind = table.schema.field(column).type
    return table.set_column(table.schema.get_field_index(column), column, pa.array(values, kind))


@pytest.mark.parametrize(
    ("which", "column", "row", "value", "reason"),
    [
        ("touches", "kind", 2, "cal", "is not a known kind"),
        ("touches", "account_id", 3, None, "is missing"),
        ("touches", "occurred_at", 1, None, "is missing"),
        ("touches", "touch_id", 3, "Borealis Foods 1", "stands already in row 1"),
        ("conversions", "currency", 2, "euro", "is not a currency code"),
        ("conversions", "value_minor", 1, 10**15 + 1, "is beyond 10"),
        ("conversions", "value_minor", 1, -(10**15) - 1, "is beyond 10"),
        ("conversions", "conversion_id", 2, "Borealis Foods order", "stands already in row 1"),
    ],
)
@pytest.mark.parametrize("by_file", [False, True])
def test_one_bad_row_is_named(tmp_path, which, column, row, value, reason, by_file):
    both = dict(zip(("touches", "conversions"), good(), strict=True))
    both[which] = replaced(both[which], column, row, value)
    if by_file:
        for name, table in both.items():
            pq.write_table(table, tmp_path / f"{name}.parquet")
            both[name] = tmp_path / f"{name}.parquet"
    with pytest.raises(JourneyError, match=reason) as caught:
        attribute(both["touches"], both["conversions"], ["linear"])
    error = caught.value
    assert (error.table, error.row, error.column, error.value) == (which, row, column, value)
    assert f"{which}, row {row}, column {column}" in str(error)
    assert error.remedy in str(error)


def test_a_missing_column_and_a_wrong_type_are_named():
    touches, conversions = good()
    with pytest.raises(JourneyError, match="channel: the column is missing"):
        attribute(touches.drop_columns(["channel"]), conversions, ["linear"])
    with pytest.raises(JourneyError, match="kind: the type is int64"):
        validate(touches.set_column(5, "kind", pa.array([1] * 4)), "touches")
    naive = touches["occurred_at"].cast(pa.timestamp("us"))
    with pytest.raises(JourneyError, match="no time zone"):
        validate(touches.set_column(2, "occurred_at", naive), "touches")


@pytest.mark.parametrize("amount", [12.5, float("nan"), float("inf")])
def test_an_amount_is_a_whole_number(amount):
    _, conversions = good()
    amounts = pa.array([1.0, amount])
    with pytest.raises(JourneyError, match="is not a whole number") as caught:
        validate(conversions.set_column(3, "value_minor", amounts), "conversions")
    assert caught.value.row == 2
    whole = validate(conversions.set_column(3, "value_minor", pa.array([1.0, 2.0])), "conversions")
    assert whole["value_minor"].to_pylist() == [1, 2]


def cost(**changed):
    row = {
        "campaign": "fair",
        "channel": "fair",
        "period_start": date(2026, 3, 1),
        "period_end": date(2026, 3, 2),
        "amount_minor": 5,
        "currency": "EUR",
        "category": None,
        "direct": True,
    }
    return pa.Table.from_pylist([row | changed], SCHEMAS["costs"])


def test_costs_are_not_negative_and_periods_end_after_they_start():
    assert validate(cost(), "costs").num_rows == 1
    with pytest.raises(JourneyError, match="-5 is negative"):
        validate(cost(amount_minor=-5), "costs")
    with pytest.raises(JourneyError, match="does not lie after period_start"):
        validate(cost(period_end=date(2026, 3, 1)), "costs")


def test_unknown_words_of_other_tables_are_refused():
    now = datetime(2026, 3, 1, tzinfo=UTC)
    answer = {"answer_id": "a", "account_id": "b", "asked_at": now, "outcome": "maybe"}
    with pytest.raises(JourneyError, match="is not a known outcome"):
        validate(pa.Table.from_pylist([answer]), "answers")
    call = dict.fromkeys(SCHEMAS["calls"].names) | {
        "call_id": "c",
        "started_at": now,
        "status": "engaged",
        "duration_s": 3,
        "talk_s": 2,
        "first_call": True,
        "spam": False,
    }
    with pytest.raises(JourneyError, match="is not a known status"):
        validate(pa.Table.from_pylist([call], SCHEMAS["calls"]), "calls")
    with pytest.raises(JourneyError, match="not a table of the contract"):
        validate(cost(), "cost")


def test_a_goal_that_is_not_one_is_refused_and_none_is_won():
    touches, conversions = good()
    goals = conversions.append_column("goal", pa.array(["won", "sold"]))
    with pytest.raises(JourneyError, match="'sold' is not a known goal"):
        attribute(touches, goals, ["linear"])


CSV = "touch_id,account_id,occurred_at,campaign,channel,kind\n"


@pytest.mark.parametrize(
    ("line", "column", "remedy"),
    [
        ("t2,Drift,2026-03-02T10:00:00,fair,fair,call", "occurred_at", "add the time zone"),
        ("t2,Drift,yesterday,fair,fair,call", "occurred_at", "Invalid isoformat"),
        ("t2,Drift,2026-03-02T10:00:00Z,fair,fair,phone", "kind", "use one of call"),
    ],
)
def test_a_bad_line_of_csv_is_named(tmp_path, line, column, remedy):
    file = tmp_path / "touches.csv"
    file.write_text(f"{CSV}t1,Drift,2026-03-02T10:00:00+01:00,fair,fair,call\n{line}\n")
    with pytest.raises(JourneyError, match=remedy) as caught:
        attribute(file, good()[1], ["linear"])
    assert (caught.value.row, caught.value.column) == (2, column)


def test_csv_reads_empty_sources_as_unknown_and_any_time_zone(tmp_path):
    file = tmp_path / "touches.csv"
    file.write_text(f"\ufeff{CSV}t1,Borealis Foods,2026-03-01T10:00:00+01:00,,,call\n", encoding="utf-8")
    table = attribute(file, good()[1], ["linear"], by="campaign")
    assert table["campaign"].to_pylist() == ["(unattributed)", None]
    assert table["credit_minor"].to_pylist() == [100_00, 100_00]


def test_files_that_are_not_there_or_not_tables_say_so(tmp_path):
    conversions = good()[1]
    with pytest.raises(JourneyError, match="there is no file"):
        attribute(tmp_path / "nothing.parquet", conversions, ["linear"])
    with pytest.raises(JourneyError, match="there is no file"):
        attribute(tmp_path / "nothing.csv", conversions, ["linear"])
    with pytest.raises(JourneyError, match=r"neither \.csv nor \.parquet"):
        attribute(tmp_path / "touches.xlsx", conversions, ["linear"])
    (tmp_path / "bad.parquet").write_bytes(b"not parquet")
    with pytest.raises(JourneyError, match="cannot be read"):
        attribute(tmp_path / "bad.parquet", conversions, ["linear"])


def test_unknown_settings_say_what_is_known():
    touches, conversions = good()
    with pytest.raises(ValueError, match="is not a model"):
        attribute(touches, conversions, ["last-click"])
    with pytest.raises(ValueError, match="needs half_life_days"):
        attribute(touches, conversions, ["time-decay"])
    with pytest.raises(ValueError, match="custom needs shares"):
        attribute(touches, conversions, ["custom"])
    with pytest.raises(ValueError, match="no model"):
        attribute(touches, conversions, [])
    with pytest.raises(ValueError, match="two models are called 'linear'"):
        attribute(touches, conversions, ["linear", "linear"])
    with pytest.raises(ValueError, match="by is 'moon'"):
        attribute(touches, conversions, ["linear"], by="moon")
    with pytest.raises(ValueError, match="is not an engine"):
        attribute(touches, conversions, ["linear"], engine="oracle")
    with pytest.raises(ValueError, match="output is for"):
        attribute(touches, conversions, ["linear"], by="campaign", output="x.parquet")
    with pytest.raises(JourneyError, match="ad_material: the column is missing"):
        attribute(touches, conversions, ["linear"], by="ad_material")
    with pytest.raises(JourneyError, match="there is no conversion 'x'"):
        explain(touches, conversions, "x", ["linear"])


@pytest.mark.parametrize("kind", [pa.string(), pa.int64()])
def test_an_order_without_any_touch_is_explained_as_unattributed(kind):
    touches, conversions = tables(path("", converted=3))
    touches = touches.set_column(0, "touch_id", pa.array([], kind))
    (row,) = explain(touches, conversions, "Borealis Foods order", ["linear"]).to_pylist()
    assert (row["touch_id"], row["campaign"], row["credit_minor"]) == (None, "(unattributed)", 100_00)


def test_touches_after_the_order_never_count():
    touches, conversions = tables(path("fair > search > call", converted=1))
    table = attribute(touches, conversions, ["last-touch"], by="channel")
    assert dict(zip(table["channel"].to_pylist(), table["credit_minor"].to_pylist(), strict=True)) == {
        "fair": 0,
        "search": 100_00,
    }


def test_values_of_nothing_and_currencies_without_cents():
    touches, conversions = tables(
        path("fair > call", 0), path("fair > mail > call", 1, account="a", currency="JPY")
    )
    table = attribute(touches, conversions, ["linear"], by="conversion")
    assert table["credit_minor"].to_pylist() == [0, 1]
    assert table["conversions"].to_pylist() == [1.0, 1.0]


def test_sums_beyond_64_bits_are_refused_not_wrapped():
    touches, conversions = tables(*(path("call", 10**15, account=f"{i}") for i in range(3)))
    many = pa.concat_tables([conversions] * 3100)
    ids = pa.array([f"order {i}" for i in range(many.num_rows)])
    many = many.set_column(0, "conversion_id", ids)
    with pytest.raises(JourneyError, match=r"EUR add up to 9.3e\+18"):
        attribute(touches, many, ["linear"])


def switchboard(touches):
    """One account with so many touches, a second apart, and one order of 10^15."""
    start = 1_770_000_000_000_000
    at = pa.array(range(start, start + touches * 1_000_000, 1_000_000), pa.timestamp("us", "UTC"))
    name = pa.repeat(pa.scalar("switchboard"), touches)
    calls = pa.table(
        {
            "touch_id": pa.array(range(touches), pa.int64()),
            "account_id": name,
            "occurred_at": at,
            "campaign": name,
            "channel": name,
            "kind": pa.repeat(pa.scalar("call"), touches),
        }
    )
    _, order = tables(path("", 10**15, account="switchboard", converted=9999))
    return calls, order


def test_a_million_touches_on_one_switchboard_are_shared_exactly():
    table = attribute(*switchboard(1_000_000), ["linear", "w-shaped"], by="channel")
    assert table["credit_minor"].to_pylist() == [10**15, 10**15]


def test_shares_too_fine_for_an_exact_fraction_add_up_all_the_same():
    # 1000 parts times 70,000 touches exceed 2^26: each cut is the nearest double, and still they telescope.
    fine = Positions({"first": 499, "last": 500}, middle=1)
    credit = attribute(*switchboard(70_000), [fine])["credit_minor"].to_pylist()
    assert sum(credit) == 10**15
    assert abs(credit[0] - 499 * 10**12) <= 1


def test_a_hundred_thousand_campaigns_are_credited_each():
    n = 100_000
    calls, order = switchboard(n)
    calls = calls.set_column(3, "campaign", pa.array([f"campaign {i:06}" for i in range(n)]))
    table = attribute(calls, order, ["linear"], by="campaign")
    assert table.num_rows == n
    assert set(table["credit_minor"].to_pylist()) == {10**10}


def test_whole_numbers_and_frames_of_other_libraries_are_read():
    import polars as pl

    calls, order = switchboard(3)
    expected = attribute(calls, order, ["linear"])
    assert attribute(pl.DataFrame(calls), pl.DataFrame(order), ["linear"]).equals(expected)
    assert attribute(pl.DataFrame(calls).lazy(), order, ["linear"]).equals(expected)
    assert expected["touch_id"].to_pylist() == [0, 1, 2]
