"""The tables of a document for spreadsheets: a workbook with real figures, and CSV files for programs."""

import csv
import io
import re
import zipfile
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import xlsxwriter

from reports.cells import harmless
from reports.documents import photograph
from reports.parts import Chart, Document, Figure, Figures, Points, Table, cell

_LONGEST_NAME = 31
_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_WIDEST = 60
_LOOKS: dict[str, dict[str, Any]] = {
    "title": {"bold": True, "font_size": 16},
    "chapter": {"bold": True, "font_size": 13},
    "head": {"bold": True, "bottom": 1, "text_wrap": True},
    "text": {"text_wrap": True},
}
# An archive notes when its files were made; a fixed moment makes the same tables the same file.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def csvs(document: Document, zone: ZoneInfo) -> bytes:
    """Return the tables of a document as CSV files in a ZIP archive.

    Parameters
    ----------
    document : Document
        Its tables, one file each, named after the table.
    zone : zoneinfo.ZoneInfo
        In which moments are written, with their offset.

    Returns
    -------
    bytes
        The archive. Headers are the names of the columns, the same in every language; money is in whole
        units of the currency with all its decimals, shares are fractions, days are ISO 8601. A table whose
        rows are of several units has a column ``unit``.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for table in document.tables:
            # Without the mark, spreadsheets take UTF-8 for something else.
            content = "\N{ZERO WIDTH NO-BREAK SPACE}" + _csv(document, table.told, zone)
            archive.writestr(zipfile.ZipInfo(f"{table.name}.csv", _EPOCH), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _csv(document: Document, table: Table, zone: ZoneInfo) -> str:
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow([column.name for column in table.columns])
    for row in table.rows:
        figures = [cell(column, row) for column in table.columns]
        writer.writerow([harmless(_plain(document, figure, zone)) for figure in figures])
    return lines.getvalue()


def _plain(document: Document, figure: Figure, zone: ZoneInfo) -> Any:
    if figure.value is None:
        return ""
    if figure.unit == "money":
        return Decimal(round(figure.value)).scaleb(-document.decimals)
    if figure.unit == "moment":
        return figure.value.astimezone(zone).isoformat(timespec="seconds")
    if isinstance(figure.value, float):
        # Sums of many shares carry the dust of their last binary digits.
        return f"{figure.value:.10g}"
    return figure.value


def xlsx(document: Document, zone: ZoneInfo) -> bytes:
    """Return a document as a workbook: its words and charts on the first sheet, each table on its own.

    Parameters
    ----------
    document : Document
        What to write.
    zone : zoneinfo.ZoneInfo
        In which moments are written; workbooks know no time zones.

    Returns
    -------
    bytes
        The file. Figures are numbers with a format, days are dates, and text is text: nothing in it becomes
        a formula or a link, and a telephone number keeps its ``+``.
    """
    out = io.BytesIO()
    told = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, told | {"strings_to_numbers": False, "remove_timezone": True}) as book:
        made = document.made_at.astimezone(zone).replace(tzinfo=None)
        book.set_properties(
            {
                "title": document.title,
                "subject": document.subtitle,
                "created": made,
                "company": document.supplier,
            }
        )
        forms = _Forms(book, document)
        names: set[str] = set()
        _story(book.add_worksheet(_name(document.title, names)), document, forms)
        for table in document.tables:
            _sheet(book.add_worksheet(_name(table.title, names)), document, table.told, forms, zone)
    return out.getvalue()


class _Forms:
    """The formats of a workbook, made once each."""

    def __init__(self, book: Any, document: Document) -> None:
        places = "." + "0" * document.decimals if document.decimals else ""
        self._numbers = {
            "money": f"#,##0{places} [${document.currency}]",
            "share": "0.0%",
            "chance": "0%",
            "change": "+0.0%;-0.0%;0.0%",
            "ratio": "#,##0.00",
            "back": "#,##0.00",
            "months": "#,##0.0",
            "whole": "#,##0",
            "count": "#,##0.0#",
            "day": "yyyy-mm-dd",
            "moment": "yyyy-mm-dd hh:mm",
        }
        self._made: dict[tuple[str, bool], Any] = {}
        self._add: Callable[[dict[str, Any]], Any] = book.add_format

    def of(self, name: str, *, bold: bool = False) -> Any:
        """Return the format of a unit, or of "title", "head", "words"."""
        if (name, bold) not in self._made:
            looks: dict[str, Any] = {"valign": "top", "bold": bold}
            looks |= _LOOKS.get(name) or {"num_format": self._numbers.get(name, "General")}
            self._made[name, bold] = self._add(looks)
        return self._made[name, bold]


def _story(sheet: Any, document: Document, forms: _Forms) -> None:
    sheet.set_column(0, 0, 110)
    sheet.hide_gridlines(2)
    sheet.write_string(0, 0, document.title, forms.of("title"))
    who = " · ".join(filter(None, (document.supplier, document.subtitle)))
    sheet.write_string(1, 0, who, forms.of("text"))
    sheet.write_string(2, 0, document.headline, forms.of("chapter"))
    place = 4
    for chapter in [*document.chapters, *document.annex]:
        if chapter.title:
            sheet.write_string(place, 0, chapter.title, forms.of("chapter"))
            place += 1
        for block in chapter.blocks:
            match block:
                case str():
                    lines = [block]
                case Points():
                    lines = [*filter(None, [block.title]), *(f"• {point}" for point in block.texts)]
                case Figures():
                    lines = [
                        f"{label}: {document.write(figure.unit, figure.value)} {words}".strip()
                        for label, figure, words in block.items
                    ]
                case Chart():
                    picture = photograph(block)
                    options = {
                        "image_data": picture,
                        "description": block.title,
                        "x_scale": 0.5,
                        "y_scale": 0.5,
                    }
                    sheet.insert_image(place, 0, "chart.png", options)
                    # Rows are 20 pixels high; a PNG states its height in bytes 20 to 23.
                    place += int.from_bytes(picture.getvalue()[20:24]) // 40 + 2
                    lines = [block.note] if block.note else []
                case _:
                    lines = []
            for line in lines:
                sheet.write_string(place, 0, line, forms.of("text"))
                place += 1
        place += 1


def _sheet(sheet: Any, document: Document, table: Table, forms: _Forms, zone: ZoneInfo) -> None:
    sheet.freeze_panes(1, 1)
    for place, column in enumerate(table.columns):
        sheet.write_string(0, place, column.label, forms.of("head"))
        longest = max(
            [len(column.label), *(len(str(row.get(column.name) or "")) for row in table.rows)]
            if column.unit == "text"
            else [12, len(column.label)]
        )
        sheet.set_column(place, place, min(longest + 2, _WIDEST))
    for line, row in enumerate(table.rows, 1):
        bold = table.total and line == len(table.rows)
        for place, column in enumerate(table.columns):
            _write(sheet, line, place, cell(column, row), document, forms, zone, bold=bold)


def _write(
    sheet: Any,
    line: int,
    place: int,
    figure: Figure,
    document: Document,
    forms: _Forms,
    zone: ZoneInfo,
    *,
    bold: bool,
) -> None:
    unit, value = figure.unit, figure.value
    form = forms.of(unit, bold=bold)
    if value is None:
        return
    if unit == "text":
        sheet.write_string(line, place, str(value), form)
    elif unit in ("day", "moment"):
        local = value.astimezone(zone).replace(tzinfo=None) if isinstance(value, datetime) else value
        sheet.write_datetime(line, place, local, form)
    elif unit == "money":
        sheet.write_number(line, place, float(Decimal(round(value)).scaleb(-document.decimals)), form)
    else:
        if unit == "count" and value == int(value):
            form = forms.of("whole", bold=bold)
        sheet.write_number(line, place, value, form)


def _name(title: str, taken: set[str]) -> str:
    """Return a sheet's name as workbooks allow it: short, of allowed characters, not used yet."""
    bare = " ".join(_FORBIDDEN.sub(" ", title).split()).strip("'")[:_LONGEST_NAME].strip("' ") or "-"
    name, number = bare, 2
    while name.casefold() in taken:
        mark = f" {number}"
        name, number = bare[: _LONGEST_NAME - len(mark)] + mark, number + 1
    taken.add(name.casefold())
    return name
