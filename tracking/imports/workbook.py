"""Workbooks (.xlsx, .xls, .xlsb, .ods) and packed or HTML tables, turned into lines of text.

A workbook comes from outside and may be made to fill the memory: a sheet of a thousand bytes can name a
cell in its last row and column. It is therefore read by a process of its own, with bounded memory and time,
which writes rows as CSV; so is a page. Dates and figures come by their type: dates as 2026-12-31, figures
with a point.
"""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from html.parser import HTMLParser
from itertools import islice
from typing import Any, BinaryIO, TextIO

from tracking.errors import Invalid
from tracking.imports import words
from tracking.imports.nature import LARGEST, archive

_MEMORY = 2_000_000_000
_SECONDS = 120
_MOST_COLUMNS = 1000
_BOOKS = (".xlsx", ".xls", ".xlsb", ".ods")
_PEEKED = 50
"""Rows of each sheet that decide which of them holds the table."""
# A spreadsheet keeps 15 digits of a figure; of a longer identifier the last ones are lost.
_EXACT = 10**15


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A table as CSV in UTF-8, and which of the sheets it was."""

    text: bytes
    separator: str = ","
    encoding: str = "utf-8"
    sheet: str = ""
    sheets: tuple[str, ...] = ()


def unpacked(file: BinaryIO, name: str, sheet: str = "") -> Unpacked | None:
    """Return the rows of what is no plain text but holds a table; None for plain text."""
    head = file.read(512)
    file.seek(0)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return _workbook(file, name, sheet)
    if head.startswith(b"PK\x03\x04"):
        return _packed(file, name, sheet) or _workbook(file, name, sheet)
    if head.startswith((b"<", b"\xef\xbb\xbf<")) and b"<cdr" in head:
        return _one_a_line(file, name)
    return _workbook(file, name, sheet) if _is_page(head) else None


def _is_page(head: bytes) -> bool:
    bare = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    return bare.startswith((b"<html", b"<!doctype html", b"<table", b"<meta"))


def _packed(file: BinaryIO, name: str, sheet: str) -> Unpacked | None:
    """Return the one CSV file or workbook of an archive, as some services send it."""
    try:
        with archive(file) as opened:
            # What macOS puts beside a file tells of it and is none.
            names = [n for n in opened.namelist() if not n.startswith("__MACOSX/")]
            if "[Content_Types].xml" in names or "mimetype" in names:
                return None
            tables = [n for n in names if n.casefold().endswith((".csv", ".tsv", ".txt", *_BOOKS))]
            if len(tables) != 1:
                raise Invalid(
                    "file",
                    "%(name)s is an archive of %(count)s files; unpack it and choose the one to import",
                    name=name,
                    count=len(names),
                )
            with opened.open(tables[0]) as packed:
                text = packed.read(LARGEST + 1)
    except Invalid:
        raise
    except Exception:
        raise Invalid(
            "file", "%(name)s is a damaged or locked archive; save it again without a password", name=name
        ) from None
    if len(text) > LARGEST:
        raise _too_large(name)
    if tables[0].casefold().endswith(_BOOKS):
        return _workbook(io.BytesIO(text), tables[0], sheet)
    return Unpacked(text, separator="", encoding="")


def _workbook(file: BinaryIO, name: str, sheet: str) -> Unpacked | None:
    file.seek(0)
    content = file.read(LARGEST + 1)
    file.seek(0)
    if len(content) > LARGEST:
        raise _too_large(name)
    try:
        # -P and -s: what lies in the current folder is not imported.
        done = subprocess.run(  # noqa: S603 - our own program; the file comes by standard input
            [sys.executable, "-P", "-s", "-m", __name__, sheet],
            input=content,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _too_large(name) from None
    line, _, text = done.stdout.partition(b"\n")
    told: dict[str, Any] = json.loads(line) if line.startswith(b"{") else {"problem": "memory"}
    match told.get("problem", "memory" if done.returncode else ""):
        case "":
            return Unpacked(text, sheet=told["sheet"], sheets=tuple(told["sheets"]))
        case "memory":
            raise _too_large(name)
        case "text":
            return None
        case "sheet":
            raise Invalid(
                "sheet",
                "no sheet %(sheet)r; sheets: %(known)s",
                sheet=sheet,
                known=", ".join(told["sheets"]),
            )
        case "empty":
            raise Invalid(
                "file", "%(name)s has no sheet with rows; check that it is the right file", name=name
            )
    raise Invalid(
        "file",
        "%(name)s is a workbook that cannot be opened; save it again as .xlsx without a password",
        name=name,
    )


def _too_large(name: str) -> Invalid:
    return Invalid(
        "file",
        "%(name)s is too large for a workbook; delete empty rows and columns, or save the sheet as CSV",
        name=name,
    )


class _Rows(HTMLParser):
    """The cells of the tables of a page, which some systems name .xls."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._cell: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None:
            if not self.rows:
                self.rows.append([])
            self.rows[-1].append(" ".join("".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)


def _one_a_line(file: BinaryIO, name: str) -> Unpacked | None:
    """Return records in XML one to a line, without what stands around them; None where they are so."""
    content = file.read(LARGEST + 1)
    file.seek(0)
    lines = content.splitlines()
    if all(not line or (line.startswith(b"<cdr") and line.rstrip().endswith(b">")) for line in lines):
        return None
    if len(content) > LARGEST:
        raise _too_large(name)
    records = []
    for piece in content.split(b"<cdr")[1:]:
        inside, closed, _ = piece.partition(b"</cdr>")
        if closed and piece[:1].isspace():
            records.append(b"<cdr " + b" ".join(inside.split()) + closed)
        elif piece[:1].isspace():
            records.append(b"<cdr " + b" ".join(piece.partition(b"/>")[0].split()) + b"/>")
    return Unpacked(b"\n".join(records) + b"\n", separator=",", encoding="")


def _page(content: bytes) -> list[list[str]]:
    parser = _Rows()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1251" if b"1251" in content[:1000] else "cp1252", "replace")
    parser.feed(text)
    return parser.rows


def cell_text(value: object) -> str:
    """Return a typed cell as text that can be read in one way only.

    Examples
    --------
    >>> cell_text(46701740605.0), cell_text(12.345), cell_text(1e17), cell_text(True)
    ('46701740605', '12.3450', '1e+17', 'yes')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _figure(float(value))
    if isinstance(value, datetime):
        # Excel counts in days, and its fractions miss the second by a little.
        value = (value + timedelta(milliseconds=500)).replace(microsecond=0)
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.replace(microsecond=0).isoformat()
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return " ".join(str(value).split()) if value else ""


def _figure(value: float) -> str:
    if value == int(value) if abs(value) < 1e300 else False:
        return str(int(value)) if abs(value) < _EXACT else f"{value:.15g}"
    digits = f"{value:.10f}".rstrip("0") if abs(value) < _EXACT else f"{value:.15g}"
    whole, _, part = digits.partition(".")
    # Three digits behind the mark could be thousands; a fourth tells.
    return f"{whole}.{part}0" if len(part) == 3 else f"{whole}.{part}" if part else whole


def _rows_of(book: Any, name: str) -> Iterator[list[str]]:
    sheet = book.get_sheet_by_name(name)
    merged: dict[int, list[tuple[int, int]]] = {}
    # Rows begin with the first column that holds anything; a sheet without one has no beginning.
    for (top, left), (bottom, _) in (sheet.merged_cell_ranges or ()) if sheet.start else ():
        if bottom > top and left >= sheet.start[1]:
            merged.setdefault(top, []).append((left - sheet.start[1], bottom))
    held: dict[int, tuple[int, object]] = {}
    for at, row in enumerate(sheet.iter_rows()):
        row = row[:_MOST_COLUMNS]
        for column, (bottom, value) in list(held.items()):
            if at > bottom:
                del held[column]
            elif column < len(row) and row[column] == "":
                row[column] = value
        for column, bottom in merged.get(at, ()):
            if column < len(row) and _names_rows(row[column]):
                held[column] = bottom, row[column]
        cells = [cell_text(cell) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        yield cells


def _names_rows(value: object) -> bool:
    """Tell whether a cell merged over several rows belongs to each of them: a name or a day, no amount."""
    return isinstance(value, date) or (isinstance(value, str) and any(c.isalpha() for c in value))


def _main(arguments: Sequence[str], content: bytes, out: TextIO) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    if _is_page(content[:512]):
        rows = _page(content)
        out.write(json.dumps({"sheet": "", "sheets": []} if any(rows) else {"problem": "text"}) + "\n")
        _write(rows, 0, out)
        return
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    except Exception:
        out.write('{"problem": "damaged"}\n')
        return
    wanted = arguments[0] if arguments else ""
    seen = [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.visible == python_calamine.SheetVisibleEnum.Visible
        and sheet.typ == python_calamine.SheetTypeEnum.WorkSheet
    ]
    begun = {name: [row for row in islice(_rows_of(book, name), _PEEKED) if any(row)] for name in seen}
    filled = [name for name in seen if begun[name]]
    # The first sheet that has a row of names, else the first with rows: some workbooks begin with a cover.
    headed = [name for name in filled if any(sum(map(words.is_header, row)) >= 3 for row in begun[name])]
    listed = [name for name in filled if len(begun[name]) > 1]
    told: dict[str, Any] = {
        "sheets": filled or seen,
        "sheet": wanted or (headed or listed or filled or [""])[0],
    }
    if wanted and wanted not in book.sheet_names:
        told["problem"] = "sheet"
    elif not told["sheet"]:
        told["problem"] = "empty"
    out.write(json.dumps(told) + "\n")
    if "problem" not in told:
        width = max((len(row) for row in _rows_of(book, told["sheet"])), default=0)
        # A row is as wide as the widest one: a sheet has no rows that are too short.
        _write(_rows_of(book, told["sheet"]), width, out)


def _write(rows: Iterable[Sequence[str]], width: int, out: TextIO) -> None:
    """Write rows as CSV; of more than may be, this process ends before whoever waits has read it."""
    writer, room = csv.writer(out, lineterminator="\n"), LARGEST
    for row in rows:
        room -= sum(map(len, row)) + max(len(row), width)
        if room < 0:
            sys.exit(1)
        writer.writerow([*row, *[""] * (width - len(row))] if row else [])


if __name__ == "__main__":
    _main(sys.argv[1:], sys.stdin.buffer.read(), io.TextIOWrapper(sys.stdout.buffer, "utf-8", newline=""))
