"""Documents and pictures have a glyph for every letter of the four languages, on any machine."""

import io

import pytest
from fontTools.ttLib import TTFont
from pypdf import PdfReader

from reports import charts, fonts, sheets
from tests.reports.test_charts import roi

WORDS = {
    "sv": "Spårningsnummer på annonsmaterialet – mässa i Göteborg",
    "ru": "Подменный номер на рекламном материале: «Ёлка», выставка",
    "zh": "广告物料上的跟踪号码，二维码与检查清单：请拨打电话。",
}


def drawn() -> set[int]:
    """Return the letters for which the fonts have a glyph."""
    files = [
        path
        for folder in fonts.folders()
        for path in folder.glob("*Sans*.[ot]tf")
        if "Italic" not in path.name
    ]
    return {letter for path in files for letter in TTFont(path).getBestCmap()}


def test_every_letter_of_the_languages_has_a_glyph() -> None:
    assert {ord(letter) for words in WORDS.values() for letter in words} <= drawn()


def sheet(title: str) -> sheets.Sheet:
    """Return a sheet with a title."""
    return sheets.Sheet(
        "+46 70 174 06 05",
        "070-174 06 05",
        "tel:+46701740605",
        "https://acme.example/t/1",
        title,
        "",
        (),
        ("",) * 3,
    )


@pytest.mark.parametrize("language", WORDS)
def test_a_sheet_says_it_in_each_language_with_fonts_of_its_own(language: str) -> None:
    page = PdfReader(io.BytesIO(sheets.pdf([sheet(WORDS[language])]))).pages[0]
    assert "".join(WORDS[language].split()) in "".join(page.extract_text().split())
    used = {font["/BaseFont"].rpartition("+")[2] for font in page["/Resources"]["/Font"].values()}
    assert all(name.startswith("NotoSans") for name in used)
    embedded = [
        font["/DescendantFonts"][0]["/FontDescriptor"] for font in page["/Resources"]["/Font"].values()
    ]
    assert all({"/FontFile2", "/FontFile3"} & set(descriptor.get_object()) for descriptor in embedded)


@pytest.mark.parametrize(("one", "other"), [("物料", "号码"), ("номер", "канал")])
def test_a_chart_draws_letters_and_no_boxes(one: str, other: str) -> None:
    # Boxes for missing glyphs would be the same for two words of equal length.
    pictures = [charts.png(charts.roi_by_model(roi((word, "linear", 1.0)))) for word in (one, other)]
    assert pictures[0] != pictures[1]
