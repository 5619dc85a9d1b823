"""Workbooks read back as a spreadsheet would, with nothing but the standard library."""

import io
import re
import zipfile
from typing import Any
from xml.etree import ElementTree

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read(content: bytes) -> dict[str, list[list[Any]]]:
    """Return each sheet's rows: text as str, figures as float, cells without content as None."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        names = [s.attrib["name"] for s in _tree(book, "xl/workbook.xml").iter(f"{_MAIN}sheet")]
        texts = [
            "".join(t.text or "" for t in item.iter(f"{_MAIN}t"))
            for item in _tree(book, "xl/sharedStrings.xml").iter(f"{_MAIN}si")
        ]
        return {
            name: _rows(_tree(book, f"xl/worksheets/sheet{place}.xml"), texts)
            for place, name in enumerate(names, 1)
        }


def formulas(content: bytes) -> list[str]:
    """Return all formulas and links of a workbook."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        sheets = [book.read(n).decode() for n in book.namelist() if n.startswith("xl/worksheets/sheet")]
    return [found for sheet in sheets for found in re.findall(r"<f>.*?</f>|<hyperlink .*?>", sheet)]


def formats(content: bytes) -> set[str]:
    """Return the formats of figures that a workbook declares."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return {f.attrib["formatCode"] for f in _tree(book, "xl/styles.xml").iter(f"{_MAIN}numFmt")}


def _tree(book: zipfile.ZipFile, name: str) -> ElementTree.Element:
    return ElementTree.fromstring(book.read(name))


def _rows(sheet: ElementTree.Element, texts: list[str]) -> list[list[Any]]:
    rows = []
    for row in sheet.iter(f"{_MAIN}row"):
        cells: list[Any] = []
        for cell in row.iter(f"{_MAIN}c"):
            place = _place(cell.attrib["r"])
            cells += [None] * (place - len(cells))
            value = cell.find(f"{_MAIN}v")
            told = None if value is None else value.text
            if told is None:
                cells.append(None)
            else:
                cells.append(texts[int(told)] if cell.attrib.get("t") == "s" else float(told))
        rows.append(cells)
    return rows


def _place(address: str) -> int:
    place = 0
    for letter in re.match(r"[A-Z]+", address)[0]:  # type: ignore[index]  # every address begins so
        place = place * 26 + ord(letter) - 64
    return place - 1
