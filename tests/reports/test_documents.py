"""Documents: the same story and figures in every form, and nothing that a user typed ever acts."""

import base64
import csv
import io
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pypdf import PdfReader

from reports import charts, documents, workbooks
from reports.parts import Chapter, Chart, Column, Document, Figure, Figures, Points, Table, Unit
from reports.scale import Span, place
from tests import workbooks as reader
from tests.cast import CATALOGUE_NUMBER, STOCKHOLM

EVIL = [
    "<script>alert(1)</script>",
    '=HYPERLINK("https://drift.example/","x")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "-2+3",
    '#eval("1+1") $x^2$ *bold* _it_ `raw` \\ #panic()',
    "</style></p><img src=x onerror=alert(1)>",
    "https://drift.example/",
]
_HEAD, _BODY = ("html", "head", "meta", "title", "style"), ("body", "main", "section", "h1", "h2", "h3", "p")
_PARTS = ("ul", "li", "figure", "img", "div", "table", "thead", "tbody", "tr", "th", "td")
ELEMENTS = {*_HEAD, *_BODY, *_PARTS}
COLUMNS = [
    Column("campaign", "Campaign"),
    Column("cost_minor", "Cost", "money"),
    Column("roi", "ROI", "share"),
    Column("leads", "Leads", "count"),
    Column("day", "First day", "day"),
    Column("at", "Last call", "moment"),
]


def write(unit: Unit, value: Any) -> str:
    if value is None:
        return "–"
    return {"money": f"€{value / 100:,.2f}", "share": f"{value:.1%}"}.get(unit, str(value)) if unit in (
        "money", "share"
    ) else str(value)  # fmt: skip


def story(*names: str, words: str = "Six of twelve bought.") -> Document:
    rows: list[dict[str, Any]] = [
        {
            "campaign": name,
            "cost_minor": 2_000_00,
            "roi": 0.5,
            "leads": 6.5,
            "day": date(2026, 3, 1),
            "at": datetime(2026, 3, 1, 23, 30, tzinfo=UTC),
        }
        for name in names
    ]
    rows.append({"campaign": "(total)", "cost_minor": 2_000_00 * len(names), "roi": None, "leads": 7})
    drawn = charts.trend(
        pa.table(
            {"start": [date(2026, 1, 1), date(2026, 2, 1)], "series": [names[0]] * 2, "value": [1.0, 2.0]}
        )
    )
    table = Table("campaigns", "Campaigns: what they cost", COLUMNS, rows, total=True)
    detail = Table("detail", "Detail", COLUMNS[:1], rows[:1])
    return Document(
        title="Which marketing pays off?",
        subtitle="2026",
        language="en",
        currency="EUR",
        decimals=2,
        made_at=datetime(2026, 11, 25, 12, 0, tzinfo=UTC),
        chapters=[
            Chapter(
                "1. The question",
                [words, Points(["Go on with it."]), Chart("By month", drawn, "campaigns"), table],
            ),
        ],
        annex=[Chapter("Everything", [detail])],
        annex_title="Annex",
        write=write,
    )


def words_of(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages).split())


def test_the_same_figures_stand_in_every_form() -> None:
    made = story("Fair", "Mail")
    for form in (
        documents.html(made),
        documents.text(made),
        documents.mail(made),
        words_of(documents.pdf(made)),
    ):
        for told in (
            "Which marketing pays off?",
            "Six of twelve bought.",
            "Fair",
            "€2,000.00",
            "50.0%",
            "€4,000.00",
        ):
            assert told in form
    sheet = reader.read(workbooks.xlsx(made, STOCKHOLM))["Campaigns what they cost"]
    assert sheet[1][:4] == ["Fair", 2000.0, 0.5, 6.5]
    assert sheet[3][:4] == ["(total)", 4000.0, None, 7.0]


def test_days_and_moments_are_dates_in_the_workbook_and_local() -> None:
    content = workbooks.xlsx(story("Fair"), STOCKHOLM)
    row = reader.read(content)["Campaigns what they cost"][1]
    # Day 46082 of the calendar of workbooks is 1 March 2026; half past eleven in the evening in Greenwich
    # is half past midnight the day after in Stockholm.
    assert row[4] == 46082.0
    assert row[5] == pytest.approx(46083 + 0.5 / 24)
    assert {"#,##0.00 [$EUR]", "0.0%", "yyyy-mm-dd", "yyyy-mm-dd hh:mm"} <= reader.formats(content)


def test_a_currency_without_cents_has_none_anywhere() -> None:
    made = replace(story("Fair"), currency="JPY", decimals=0)
    content = workbooks.xlsx(made, STOCKHOLM)
    assert reader.read(content)["Campaigns what they cost"][1][1] == 200_000.0
    assert "#,##0 [$JPY]" in reader.formats(content)
    assert tables_of(made)["campaigns"][1][1] == "200000"


def tables_of(made: Document) -> dict[str, list[list[str]]]:
    with zipfile.ZipFile(io.BytesIO(workbooks.csvs(made, STOCKHOLM))) as archive:
        return {
            name.removesuffix(".csv"): list(csv.reader(io.StringIO(archive.read(name).decode("utf-8-sig"))))
            for name in archive.namelist()
        }


def test_csv_headers_are_pinned_and_figures_are_plain() -> None:
    table = tables_of(story("Fair"))["campaigns"]
    assert table[0] == ["campaign", "cost_minor", "roi", "leads", "day", "at"]
    assert table[1] == ["Fair", "2000.00", "0.5", "6.5", "2026-03-01", "2026-03-02T00:30:00+01:00"]


@pytest.mark.parametrize("typed", EVIL)
def test_what_users_type_never_acts(typed: str) -> None:
    made = story(typed, words=typed)
    for page in (documents.html(made), documents.mail(made)):
        assert set(re.findall(r"<([a-z]\w*)", page)) <= ELEMENTS
        assert "onerror" not in "".join(re.findall(r"<[a-z][^>]*>", page))
    content = workbooks.xlsx(made, STOCKHOLM)
    assert reader.formulas(content) == []
    assert reader.read(content)["Campaigns what they cost"][1][0] == typed
    cell = tables_of(made)["campaigns"][1][0]
    assert cell.removeprefix("'") == typed
    assert not cell.startswith(("=", "+", "-", "@"))
    assert typed.split()[0] in words_of(documents.pdf(made)), "Typst shows it as it was typed"


def test_charts_are_pictures_in_which_nothing_runs() -> None:
    page = documents.html(story("<script>alert(1)</script>"))
    [coded] = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    drawn = base64.b64decode(coded).decode()
    assert "&lt;script&gt;" in drawn
    assert "<script" not in drawn
    assert "http" not in re.sub(r'xmlns[:\w]*="[^"]*"', "", page.replace(coded, "") + drawn), (
        "nothing is fetched"
    )


def test_a_telephone_number_keeps_its_plus() -> None:
    made = story(CATALOGUE_NUMBER)
    assert tables_of(made)["campaigns"][1][0] == CATALOGUE_NUMBER
    assert reader.read(workbooks.xlsx(made, STOCKHOLM))["Campaigns what they cost"][1][0] == CATALOGUE_NUMBER


def test_a_mail_has_no_style_sheet_and_leaves_out_charts_and_details() -> None:
    told = story("Fair").brief()
    page = documents.mail(told)
    assert "<style" not in page
    assert "<img" not in page
    assert "class=" not in re.sub(r'<div class="scroll"', "", page)
    assert 'style="border-collapse' in page
    assert [chapter.title for chapter in told.chapters] == ["1. The question"]
    assert "Detail" not in documents.text(told)


def test_the_annex_is_folded_on_a_page_and_begins_a_sheet_of_its_own_on_paper() -> None:
    made = story("Fair")
    page = documents.body(made, lambda _chart, _name: "")
    assert page.index("Everything</summary>") > page.index("Campaigns: what they cost")
    assert "<details" not in documents.html(made), "a file is printed too, and folds nothing away"
    sheets = [sheet.extract_text() for sheet in PdfReader(io.BytesIO(documents.pdf(made))).pages]
    assert ["Annex" in sheet for sheet in sheets] == [False] * (len(sheets) - 1) + [True]
    assert "Detail" in sheets[-1]


def test_figures_and_returns_stand_in_every_form_and_the_picture_of_a_return_where_there_are_any() -> None:
    """Each 1 brought back 2, between 1 and 4: on a logarithmic scale the middle of the two."""
    columns = [*COLUMNS[:1], Column("span", "Interval", "span"), Column("back", "Back", "back")]
    span = Span(2.0, 1.0, 4.0)
    rows = [{"campaign": "Fair", "span": span, "back": 2.0}, {"campaign": "New", "span": None, "back": None}]
    blocks = [Figures([("Cost", Figure("money", 100_00), "of it")]), Table("returns", "Back", columns, rows)]
    made = replace(story("Fair"), chapters=[Chapter("", blocks)], annex=())
    assert place(2.0) == pytest.approx((place(1.0) + place(4.0)) / 2, abs=0.1)
    assert (place(0.01), place(99.0)) == (place(0.2), place(10.0)), "beyond the scale, at its ends"
    page = documents.html(made)
    assert f'<rect x="{place(1.0)}"' in page
    assert page.count('fill="#6b93c4"') == 1, "what nobody knows has no bar"
    mailed = made.brief()
    for told in (page, documents.text(mailed), documents.mail(mailed), words_of(documents.pdf(made))):
        assert "€100.00" in told
        assert "Fair" in told
    assert "<svg" not in documents.mail(mailed)
    assert tables_of(made)["returns"] == [["campaign", "back"], ["Fair", "2"], ["New", ""]]
    assert reader.read(workbooks.xlsx(made, STOCKHOLM))["Back"][1] == ["Fair", 2.0]


def test_a_row_may_hold_a_figure_of_another_unit() -> None:
    table = Table("mixed", "Mixed", COLUMNS[:2], [{"campaign": "ROI", "cost_minor": Figure("share", 0.25)}])
    made = replace(story("Fair"), chapters=[Chapter("One", [table])])
    assert "25.0%" in documents.text(made)
    assert reader.read(workbooks.xlsx(made, STOCKHOLM))["Mixed"][1] == ["ROI", 0.25]
    assert tables_of(made)["mixed"][1] == ["ROI", "0.25"]


def test_sheets_with_the_same_long_or_strange_title_stay_apart() -> None:
    strange = ["[Sales]: north/south?" + "x" * 40] * 3 + ["'", "'quoted'"]
    tables = [Table(f"t{i}", title, COLUMNS[:1], []) for i, title in enumerate(strange)]
    made = replace(story("Fair"), chapters=[Chapter("One", tables)], annex=())
    names = list(reader.read(workbooks.xlsx(made, STOCKHOLM)))
    assert len(names) == len({name.casefold() for name in names}) == 6
    assert all(0 < len(name) <= 31 and not set(name) & set("[]:*?/\\") for name in names)


def test_the_same_document_gives_the_same_files() -> None:
    one, other = story("Fair"), story("Fair")
    assert documents.pdf(one) == documents.pdf(other)
    assert workbooks.csvs(one, STOCKHOLM) == workbooks.csvs(other, STOCKHOLM)
    assert documents.html(one) == documents.html(other)


def test_a_pdf_says_its_title_and_language_and_what_its_charts_show() -> None:
    content = documents.pdf(replace(story("Fair"), language="zh"))
    told = PdfReader(io.BytesIO(content))
    assert told.metadata is not None
    assert told.metadata.title == "Which marketing pays off?"
    assert told.trailer["/Root"]["/Lang"] == "zh"
    assert "By month" in documents.html(story("Fair"))


@pytest.mark.parametrize(
    ("language", "words"),
    [("ru", "Какая реклама окупается?"), ("zh", "哪些广告有回报？"), ("sv", "Vilken reklam lönar sig?")],
)
def test_words_of_every_language_come_out_as_letters_not_boxes(
    language: str, words: str, tmp_path: Path
) -> None:
    made = replace(story(words, words=words), title=words, language=language)
    content = documents.pdf(made)
    assert words_of(content).count(words.split()[0]) >= 3
    if (fonts := shutil.which("pdffonts")) is None:
        return
    (tmp_path / "made.pdf").write_bytes(content)
    told = subprocess.run([fonts, tmp_path / "made.pdf"], capture_output=True, text=True, check=True).stdout
    assert all(" yes yes yes" in line for line in told.splitlines()[2:]), (
        "embedded, a part only, with its text"
    )


def test_words_of_a_table_on_paper_do_not_lie_over_each_other(tmp_path: Path) -> None:
    if (pdftotext := shutil.which("pdftotext")) is None:
        return
    heads = ["Кампания", "Канал", "Цель", "Прямые расходы", "Звонки", "Лиды", "Квалифицированные лиды",
             "Стоимость лида", "Стоимость квалифицированного лида", "每合格线索成本"]  # fmt: skip
    columns = [
        Column(f"c{place}", head, "money" if place > 2 else "text") for place, head in enumerate(heads)
    ]
    row: dict[str, Any] = {column.name: 1_234_567_89 for column in columns}
    row |= {"c0": "Ausstellung Prozesspumpen", "c1": "paid search", "c2": "Enquiries from companies"}
    table = Table("wide", "Wide", columns, [row] * 3, total=True)
    made = replace(story("Fair"), chapters=[Chapter("1.", [table])], annex=())
    (tmp_path / "made.pdf").write_bytes(documents.pdf(made))
    boxes = subprocess.run(
        [pdftotext, "-bbox", tmp_path / "made.pdf", "-"], capture_output=True, text=True, check=True
    ).stdout
    box = re.compile(r'xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">(.*?)<')
    words = [(*map(float, found[:4]), found[4]) for found in box.findall(boxes)]
    assert len(words) > 40
    over = [
        (one[4], other[4])
        for place, one in enumerate(words)
        for other in words[:place]
        if min(one[2], other[2]) - max(one[0], other[0]) > 0.5
        and min(one[3], other[3]) - max(one[1], other[1]) > 3
    ]
    assert over == []


def test_a_document_without_tables_is_a_document_too() -> None:
    made = replace(story("Fair"), chapters=[Chapter("Nothing", ["Nothing was recorded."])], annex=())
    assert "Nothing was recorded." in words_of(documents.pdf(made))
    assert list(reader.read(workbooks.xlsx(made, STOCKHOLM))) == ["Which marketing pays off"]
    assert tables_of(made) == {}
