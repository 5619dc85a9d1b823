"""The report for stakeholders: figures checkable by hand, alike as a page, PDF, workbook and CSV."""

import csv
import io
import re
import zipfile
from collections.abc import Callable
from datetime import date

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import Engine

from tests import workbooks as reader
from tests.conftest import KEY
from tests.web.people import form
from tests.web.test_decide import supplier, text
from tracking import clock
from tracking.cli import ringtrail
from tracking.demo import filling
from tracking.records import annotations
from tracking.records.annotations import Event, Reading
from tracking.storage import db
from tracking.storage.config import Settings

Enter = Callable[[str], FlaskClient]
ON_SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
YEAR = "from=2026-01-01&to=2026-12-31"
MODELS = "&model=linear&model=first-touch&model=last-touch"
SCRIPT = "<script>alert(1)</script>"
FORMULA = '=HYPERLINK("https://drift.example/","x")'
# Twelve companies met a fair (2,000) and then a mailing (4,500); six bought for 1,000 each. Under the linear
# model each of the two is credited with 3,000: the fair returned half of its cost, the mailing lost a third.
BY_HAND = {
    "Fair": ("€3,000", "50.0%"),
    "Mail": ("€3,000", "-33.3%"),
    "Total": ("€6,000", "-7.7%"),
}
FIGURES = ("€6,500", "€541.67", "€1,083", "Data as of", "80%")
"""Cost, cost per lead (6,500 / 12) and cost of acquisition (6,500 / 6)."""


def words_of(content: bytes) -> str:
    pages = PdfReader(io.BytesIO(content)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def beside(engine: Engine) -> None:
    with db.transaction(engine) as session:
        annotations.save_event(session, Event(title="A competitor cut prices", starts_on=date(2026, 3, 5)))
        annotations.save_reading(
            session, Reading(name="Brand searches", day=date(2026, 3, 31), value=800, unit="searches a month")
        )


def test_the_report_tells_its_story_with_figures_checkable_by_hand(signed_in: Enter, engine: Engine) -> None:
    supplier(engine)
    beside(engine)
    page = text(signed_in("viewer").get(f"/report?{YEAR}{MODELS}").text.split("<main")[1])
    for said in FIGURES:
        assert said in page, said
    for name, (revenue, roi) in BY_HAND.items():
        assert re.search(
            rf"{re.escape(name)} linear €[\d,]+ [\d.]+ [\d.]+ {revenue} {revenue} {re.escape(roi)}", page
        ), name
    places = [
        page.index(f" {said} ")
        for said in (
            "Which marketing pays off? · Jan 1, 2026 to Dec 31, 2026 Too early to tell",
            "Return per €1 spent",
            "What we do not know yet",
            "Activity and cost",
            "Results",
            "Data quality",
            "Annex",
            "The period in figures",
            "ROI by model",
            "How the metrics are calculated",
        )
    ]
    assert places == sorted(places)
    assert page.index("Judge by targets: Fair.") < page.index("Activity and cost"), "on the first page"
    assert "12 new leads and 6 new customers. Deals worth €6,000 were won" in page
    assert "Connected to campaigns: 100.0% of the revenue, 100.0% of the deals." in page
    assert (
        "Too early to tell which campaigns pay off: 6 deals are connected to campaigns, 20 are needed."
    ) in page
    assert "brand searches 2026 1,000 800 – – 80.0%" in page
    assert "A competitor cut prices" in page
    assert "(credited revenue − cost) / cost" in page
    assert "Revenue without a touch (linear) 0.0%" in page


@ON_SQLITE
def test_pdf_workbook_and_csv_hold_the_same_figures(signed_in: Enter, engine: Engine) -> None:
    supplier(engine)
    client = signed_in("viewer")
    answer = client.get(f"/report/pdf?{YEAR}{MODELS}")
    assert answer.mimetype == "application/pdf"
    assert answer.headers["Content-Disposition"] == "attachment; filename=ringtrail-2026-01-01-2026-12-31.pdf"
    told = words_of(answer.data)
    for name, (revenue, roi) in BY_HAND.items():
        assert re.search(
            rf"{re.escape(name)} linear €[\d,]+ [\d.]+ [\d.]+ {revenue} {revenue} {re.escape(roi)}", told
        ), name
    book = reader.read(client.get(f"/report/xlsx?{YEAR}{MODELS}").data)
    head, *rows = book["ROI by campaign and model"]
    found = {(row[0], row[1]): (row[head.index("Revenue")], row[head.index("ROI")]) for row in rows}
    assert found["Fair", "linear"] == (3000.0, 0.5)
    assert found["Mail", "linear"] == (3000.0, pytest.approx(-1 / 3))
    assert found["Fair", "first-touch"] == (6000.0, 2.0)
    with zipfile.ZipFile(io.BytesIO(client.get(f"/report/csv?{YEAR}{MODELS}").data)) as archive:
        lines = list(csv.DictReader(io.StringIO(archive.read("roi.csv").decode("utf-8-sig"))))
        assert "definitions.csv" in archive.namelist()
    [fair] = [row for row in lines if row["campaign"] == "Fair" and row["model"] == "linear"]
    assert (fair["cost_minor"], fair["revenue_minor"], fair["roi"]) == ("2000.00", "3000.00", "0.5")


@ON_SQLITE
def test_the_file_needs_no_other_and_names_its_language(signed_in: Enter, engine: Engine) -> None:
    supplier(engine)
    page = signed_in("viewer").get(f"/report/html?{YEAR}&language=en").text
    assert page.startswith("<!doctype html>")
    assert '<html lang="en">' in page
    assert page.count("data:image/svg+xml;base64,") == 3
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert "<script" not in page


@ON_SQLITE
@pytest.mark.parametrize(
    ("language", "model"), [("en", "linear"), ("sv", "linjär"), ("ru", "линейная"), ("zh", "线性")]
)
def test_the_report_comes_in_every_language(
    signed_in: Enter, engine: Engine, language: str, model: str
) -> None:
    supplier(engine)
    client = signed_in("viewer")
    page = client.get(f"/report?{YEAR}&language={language}").text
    assert f'<article class="report" lang="{language}' in page
    assert f'<option value="{language}" lang="{language}" selected>' in page
    content = client.get(f"/report/pdf?{YEAR}&language={language}").data
    assert model in words_of(content)


@ON_SQLITE
def test_names_that_are_script_formula_or_markup_stay_names(signed_in: Enter, engine: Engine) -> None:
    supplier(engine, fair=SCRIPT, mail=FORMULA)
    client = signed_in("viewer")
    for path in ("/report", "/report/html"):
        page = client.get(f"{path}?{YEAR}").text
        assert SCRIPT not in page
        assert "&lt;script&gt;alert(1)" in page
    content = client.get(f"/report/xlsx?{YEAR}").data
    assert reader.formulas(content) == []
    assert FORMULA in [row[0] for row in reader.read(content)["ROI by campaign and model"]]
    with zipfile.ZipFile(io.BytesIO(client.get(f"/report/csv?{YEAR}").data)) as archive:
        rows = [
            r
            for n in archive.namelist()
            for r in csv.reader(io.StringIO(archive.read(n).decode("utf-8-sig")))
        ]
    assert [cell for row in rows for cell in row if cell.startswith(("=", "@"))] == []
    assert "HYPERLINK" in words_of(client.get(f"/report/pdf?{YEAR}").data)


@ON_SQLITE
def test_filters_leave_campaigns_out_of_every_table_of_campaigns(signed_in: Enter, engine: Engine) -> None:
    supplier(engine)
    book = reader.read(signed_in("viewer").get(f"/report/xlsx?{YEAR}&campaign=Mail").data)
    for sheet in ("ROI by campaign and model", "Campaigns and their cost", "Recommendations by campaign"):
        names = {row[0] for row in book[sheet][1:]}
        assert "Mail" in names
        assert "Fair" not in names, sheet


@ON_SQLITE
def test_what_is_wrong_in_the_address_is_named(signed_in: Enter, engine: Engine) -> None:
    supplier(engine)
    client = signed_in("viewer")
    assert client.get("/report?model=guess").status_code == 422
    assert client.get("/report/pdf?model=guess").status_code == 422
    assert client.get("/report/doc").status_code == 404


@ON_SQLITE
def test_an_installation_without_anything_has_a_report_that_says_so(signed_in: Enter) -> None:
    client = signed_in("viewer")
    page = client.get("/report").text
    assert "No campaigns to assess in this period" in page
    assert client.get("/report/pdf").data.startswith(b"%PDF")
    assert client.get("/report/xlsx").data.startswith(b"PK")


@ON_SQLITE
def test_a_report_of_a_long_name_can_be_kept_as_a_view(signed_in: Enter, engine: Engine) -> None:
    supplier(engine)
    client = signed_in("viewer")
    page = client.get(f"/report?{YEAR}").text
    client.post("/views", data=form(page, name="Board", path=f"/report?{YEAR}"))
    assert "Board" in client.get("/views").text


@ON_SQLITE
def test_the_command_writes_the_same_report(engine: Engine, settings: Settings) -> None:
    supplier(engine)
    environment = {"RINGTRAIL_DATA_DIR": str(settings.data_dir), "RINGTRAIL_KEY": KEY}
    for kind in ("pdf", "xlsx", "html", "csv"):
        target = settings.data_dir / f"report.{kind}"
        command = [
            "report",
            "document",
            "--format",
            kind,
            "-o",
            str(target),
            "--from",
            "2026-01-01",
            "--to",
            "2026-12-31",
        ]
        told = CliRunner().invoke(ringtrail, command, env=environment, catch_exceptions=False)
        assert told.exit_code == 0, told.output
    assert "€541.67" in words_of((settings.data_dir / "report.pdf").read_bytes())
    book = reader.read((settings.data_dir / "report.xlsx").read_bytes())
    assert ["Fair", "linear", 2000.0] in [row[:3] for row in book["ROI by campaign and model"]]


@ON_SQLITE
def test_of_the_demo_the_first_page_decides_and_four_at_most_tell_the_story(
    signed_in: Enter, engine: Engine
) -> None:
    """The annex begins a sheet of its own: those before it are the story. Russian takes the most room."""
    filling.fill(engine, clock.now(), accounts=25)
    content = signed_in("viewer").get("/report/pdf?language=ru").data
    sheets = [sheet.extract_text() for sheet in PdfReader(io.BytesIO(content)).pages]
    [annex] = [place for place, words in enumerate(sheets) if words.startswith("Приложение")]
    assert 1 < annex <= 4
    for name in ("Website", "Product catalogue", "Чего мы пока не знаем"):
        assert name in sheets[0], name
    assert "Чего мы пока не знаем" not in "".join(sheets[1:annex])
