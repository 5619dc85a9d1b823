"""One specification draws the page and the document; what is not known is not drawn."""

from datetime import date

import altair
import jsonschema
import pyarrow as pa
import pytest

from reports import charts


def roi(*rows: tuple[str, str, float | None]) -> pa.Table:
    told = [
        {"campaign": c, "model": m, "roi": r, "roi_low": r and r - 0.5, "roi_high": r and r + 0.5}
        for c, m, r in rows
    ]
    return pa.Table.from_pylist(told)


MONTHS = pa.Table.from_pylist(
    [
        {"start": date(2026, month, 1), "series": "Calls", "value": 3.0 * month, "whole": month < 3}
        for month in (1, 2, 3)
    ]
)
FAIR = {"starts_on": date(2026, 2, 3), "ends_on": date(2026, 2, 6), "title": "Fair"}


@pytest.mark.parametrize(
    "spec",
    [
        charts.roi_by_model(roi(("Fair", "linear", 1.0), ("Mail", "linear", -0.5))),
        charts.trend(MONTHS, [FAIR], title="EUR", money=True),
        charts.trend(MONTHS.drop_columns(["whole"])),
        charts.still_to_come(
            [{"campaign": "Fair", "revenue": 10.0, "expected": 5.0, "low": 1.0, "high": 9.0}], title="EUR"
        ),
        charts.against_truth(
            pa.table({"campaign": ["Fair"] * 2, "model": ["truth", "linear"], "value": [0.5, 0.2]}), "truth"
        ),
    ],
    ids=["roi", "trend with notes", "trend", "still to come", "against the truth"],
)
def test_every_chart_is_one_that_the_schema_of_vega_lite_knows(spec: charts.Spec) -> None:
    altair.LayerChart.validate(spec)


def test_the_schema_of_vega_lite_refuses_a_misspelt_channel() -> None:
    spec = charts.trend(MONTHS)
    spec["layer"][0]["encoding"]["colour"] = spec["layer"][0]["encoding"].pop("color")
    with pytest.raises(jsonschema.ValidationError, match="colour"):
        altair.LayerChart.validate(spec)


def drawn(spec: charts.Spec) -> list[dict[str, object]]:
    return [row for rows in spec["datasets"].values() for row in rows]


def test_a_mark_stands_for_each_campaign_and_model_and_none_for_lines_in_brackets() -> None:
    table = roi(("Fair", "linear", 1.0), ("Fair", "last-touch", 2.0), ("(total)", "linear", 1.5))
    rows = [row for row in drawn(charts.roi_by_model(table)) if "campaign" in row]
    assert [(row["campaign"], row["model"], row["roi"]) for row in rows] == [
        ("Fair", "linear", 1.0),
        ("Fair", "last-touch", 2.0),
    ]
    assert [(row["low"], row["high"]) for row in rows] == [(0.5, 1.5), (1.5, 2.5)]


def test_a_campaign_without_a_known_cost_has_no_mark() -> None:
    spec = charts.roi_by_model(roi(("Fair", "linear", None), ("Mail", "linear", 0.0)))
    assert {row["campaign"] for row in drawn(spec) if "campaign" in row} == {"Mail"}


def test_a_return_is_placed_by_what_each_1_brought_back_and_an_unsure_one_shown_by_its_interval_alone() -> (
    None
):
    """ROI 100 % is 2 for each 1; nothing back at all lies at the end of the scale, which has no zero."""
    table = roi(("Fair", "linear", 1.0), ("Mail", "linear", -1.0))
    rows = {row["campaign"]: row for row in drawn(charts.roi_by_model(table)) if "campaign" in row}
    assert rows["Fair"]["roi back"] == 2.0
    assert rows["Mail"]["roi back"] == 0.1
    place = table.column_names.index("roi")
    unsure = table.set_column(place, table.schema.field("roi"), pa.nulls(2, table.schema.field("roi").type))
    spec = charts.roi_by_model(unsure)
    assert [(row["roi"], row["low"]) for row in drawn(spec) if "campaign" in row] == [
        (None, 0.5),
        (None, -1.5),
    ]
    assert "symbol mark container" not in charts.svg(spec), "a group of no marks has no name"


def test_the_same_specification_becomes_a_picture_of_both_kinds_with_its_words() -> None:
    spec = charts.roi_by_model(roi(("Fair <b>", "linear", 1.0)), words={"linear": "jämn fördelning"})
    picture = charts.svg(spec)
    assert "jämn fördelning" in picture
    assert "Fair &lt;b&gt;" in picture
    assert charts.png(spec).startswith(b"\x89PNG")


def test_what_happened_beside_the_figures_is_drawn_on_the_axis_of_time() -> None:
    table = pa.Table.from_pylist(
        [{"start": date(2026, month, 1), "series": "Calls", "value": 3.0 * month} for month in (1, 2, 3)]
    )
    strike = {"starts_on": date(2026, 2, 3), "ends_on": None, "title": "Strike at the port"}
    spec = charts.trend(table, [strike], title="calls")
    [note] = spec["datasets"]["notes"]
    assert (note["title"], note["start"], note["end"]) == (
        "Strike at the port", "2026-02-03T00:00:00", "2026-02-03T00:00:00",
    )  # fmt: skip
    assert "Strike at the port" in charts.svg(spec)


def test_what_began_before_the_first_day_or_goes_on_is_drawn_within_the_days_but_told_whole() -> None:
    rival = {"starts_on": date(2025, 10, 1), "ends_on": date(2027, 1, 1), "title": "A rival cuts prices"}
    [note] = charts.trend(MONTHS, [rival])["datasets"]["notes"]
    assert (note["left"], note["right"]) == ("2026-01-01T00:00:00", "2026-03-01T00:00:00")
    assert (note["start"], note["end"]) == ("2025-10-01T00:00:00", "2027-01-01T00:00:00")


def test_names_of_what_happened_soon_after_each_other_stand_on_lines_of_their_own() -> None:
    told = [{"starts_on": date(2026, 2, day), "ends_on": None, "title": f"Event {day}"} for day in (3, 1, 2)]
    notes = charts.trend(MONTHS, told)["datasets"]["notes"]
    assert [(note["title"], note["top"]) for note in notes] == [
        ("Event 1", 14),
        ("Event 2", 28),
        ("Event 3", 0),
    ]


def test_figures_keep_below_the_names_of_what_happened() -> None:
    told = [{"starts_on": date(2026, 2, 1), "ends_on": None, "title": str(place)} for place in range(9)]
    spec = charts.trend(MONTHS, told)
    names = [note["top"] for note in spec["datasets"]["notes"] if note["named"]]
    assert len(names) == 6, "the latest; the others are told by pointing at them"
    ranges = [
        layer["encoding"]["y"]["scale"]["range"]
        for layer in spec["layer"]
        if layer["data"] == {"name": "whole"}
    ]
    assert ranges[0] == ranges[1] == [spec["height"], max(names) + 14]


def test_a_name_near_the_right_edge_is_written_to_the_left_of_its_mark() -> None:
    told = [
        {"starts_on": day, "ends_on": None, "title": "x"} for day in (date(2026, 1, 9), date(2026, 2, 25))
    ]
    assert [note["late"] for note in charts.trend(MONTHS, told)["datasets"]["notes"]] == [False, True]


def test_a_part_of_a_month_is_a_hollow_mark_beside_the_line() -> None:
    months = [(date(2026, 1, 20), 1.0, False), (date(2026, 2, 1), 8.0, True), (date(2026, 3, 1), 9.0, True)]
    rows = [{"start": start, "series": "Calls", "value": v, "whole": w} for start, v, w in months]
    *_, line, marks, hollow = charts.trend(pa.Table.from_pylist(rows))["layer"]
    values = [
        [row["value"] for row in charts.trend(pa.Table.from_pylist(rows))["datasets"][layer["data"]["name"]]]
        for layer in (line, marks, hollow)
    ]
    assert values == [[8.0, 9.0], [8.0, 9.0], [1.0]]
    assert [layer["mark"].get("filled") for layer in (line, marks, hollow)] == [None, True, False]


def test_a_chart_of_nothing_is_still_a_chart() -> None:
    nothing = pa.table({"start": pa.array([], pa.date32()), "series": pa.array([], pa.string())})
    nothing = nothing.append_column("value", pa.array([], pa.float64()))
    for spec in (charts.trend(nothing), charts.still_to_come([]), charts.roi_by_model(roi())):
        assert charts.svg(spec).startswith("<svg")


def test_what_a_model_says_stands_beside_the_truth_of_the_same_campaign() -> None:
    rows = [("Fair", "truth", 0.5), ("Fair", "linear", 0.2), ("Mail", "truth", 0.1), ("Mail", "linear", None)]
    table = pa.Table.from_pylist([{"campaign": c, "model": m, "value": v} for c, m, v in rows])
    spec = charts.against_truth(table, "truth", title="share", words={"linear": "jämn"})
    marks = {(row["campaign"], row["model"]): row["value"] for row in drawn(spec)}
    assert marks == {("Fair", "truth"): 0.5, ("Fair", "jämn"): 0.2, ("Mail", "truth"): 0.1}
    assert "jämn" in charts.svg(spec)
