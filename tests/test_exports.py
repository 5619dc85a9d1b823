"""Files that people open in a spreadsheet: no text in them acts as a formula, no number loses its sign."""

import csv
import io
import re
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from reports import workbooks
from reports.cells import harmless, meant
from reports.parts import Chapter, Column, Document, Table
from tests import workbooks as reader
from tests.cast import STOCKHOLM
from tests.imports import import_table, table
from tracking.errors import Sentence
from tracking.imports.outcomes import Fault, Refusal, RefusedFile, returned
from tracking.storage import db
from tracking.storage.models import Deal
from tracking.web.calls import as_row

NUMBERS = st.from_regex(r"[+-][1-9][0-9]{0,3}([ .,][0-9]{2,3}){0,4}", fullmatch=True)
SIGNED = st.builds(lambda sign, rest: sign + rest, st.sampled_from("=+-@\t\r\n＝＋－＠ "), st.text())
TEXTS = st.one_of(st.text(), SIGNED, SIGNED, NUMBERS, st.just("-1e-05"), st.text("a1;=+-@'\" \t\r\n"))
# Written with a sign before digits: what reckons or calls has something else in it.
PLAIN = re.compile(r"[+-][0-9]([0-9 .,]*[0-9])?(e[+-]?[0-9]+)?")
ROWS = st.lists(TEXTS, min_size=1, max_size=4)


def acts(cell: str) -> bool:
    """Tell whether a spreadsheet might take a cell, or a part that it splits off, for more than a text."""
    first, *others = re.split(r"[;\t\r\n]", cell)
    parts = (first.strip(), *(part.strip().lstrip('" ') for part in others))
    return cell.startswith(("\t", "\r", "\n")) or any(
        re.match(r"\s*[=+\-@＝＋－＠]", part) and not PLAIN.fullmatch(part) for part in parts
    )


def cells_of(text: str, separator: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


@given(TEXTS)
def test_a_cell_never_acts_and_says_what_it_said(typed: str) -> None:
    written = harmless(typed)
    assert isinstance(written, str)
    assert not acts(written)
    assert written.replace("'", "") == typed.replace("'", "")
    assert harmless(written) == written, "written twice it is the same"
    if "'" not in typed:
        assert meant(written) == typed


def test_where_semicolons_separate_no_part_of_a_cell_acts() -> None:
    assert as_row(("Borealis;=1+1", 'a;"=1+1;', "a\n@x", "ring; +46 70 174 06 05")) == (
        'Borealis;\'=1+1,"a;""\'=1+1;","a\n\'@x",ring; +46 70 174 06 05\r\n'
    )


@given(NUMBERS)
def test_a_number_with_a_sign_is_never_damaged(number: str) -> None:
    assert harmless(number) == number
    assert meant(number) == number


@given(ROWS)
def test_in_the_file_of_calls_nothing_acts(typed: list[str]) -> None:
    [row] = cells_of(as_row(tuple(typed)))
    assert row == [harmless(cell) for cell in typed]
    assert not any(map(acts, row))


@given(ROWS, st.sampled_from([None, ["Company"]]))
def test_in_a_file_of_refused_rows_nothing_acts_and_all_comes_back(
    typed: list[str], header: list[str] | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "refused.csv"
        columns = None if header is None else [f"={place}" for place in range(len(typed))]
        kept = RefusedFile(path, table("a,b\n1,2\n"), columns)
        reason = Sentence("is not an amount", {})
        kept.write(typed, Refusal(2, (Fault("=Amount", typed[0], reason),)))
        kept.close()
        rows = cells_of(path.read_bytes().decode())
    assert not any(acts(cell) for row in rows for cell in row)
    back = returned(None if columns is None else rows[0], rows[-1])
    for cell, came in zip(typed, back, strict=False):
        # An apostrophe that somebody typed before a sign may be ours.
        assert came == cell if "'" not in cell else came.replace("'", "") == cell.replace("'", "")


def document(names: list[str]) -> Document:
    columns = [Column("campaign", "Campaign"), Column("roi", "ROI", "share")]
    rows = [{"campaign": name, "roi": -0.5} for name in names]
    return Document(
        title="Which marketing pays off?",
        subtitle="2026",
        language="en",
        currency="EUR",
        decimals=2,
        made_at=datetime(2026, 11, 25, 12, 0, tzinfo=UTC),
        chapters=[Chapter("1. All", [*names[:1], Table("campaigns", "Campaigns", columns, rows)])],
        write=lambda _unit, value: str(value),
    )


@settings(max_examples=30)
@given(ROWS)
def test_in_the_report_as_csv_and_workbook_nothing_acts(typed: list[str]) -> None:
    made = document(typed)
    with zipfile.ZipFile(io.BytesIO(workbooks.csvs(made, STOCKHOLM))) as archive:
        rows = cells_of(archive.read("campaigns.csv").decode("utf-8-sig"))
    assert [row[0] for row in rows[1:]] == [harmless(cell) for cell in typed]
    assert {row[1] for row in rows[1:]} == {"-0.5"}, "a loss stays a figure"
    assert reader.formulas(workbooks.xlsx(made, STOCKHOLM)) == []


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_company_that_begins_with_a_sign_is_itself_again_after_mending(
    engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "refused.csv"
    text = "deal_id,company,stage,amount,closed_at\nd1,@Home,won,lots,2026-03-01\n"
    assert import_table(engine, "deals", text, refused=path).refused == 1
    saved = path.read_text()
    assert "d1,'@Home,won,lots" in saved
    assert import_table(engine, "deals", saved.replace("lots", "100")).created == 1
    with db.reading(engine) as session:
        [deal] = session.scalars(select(Deal))
        assert deal.account is not None
        assert deal.account.name == "@Home"
