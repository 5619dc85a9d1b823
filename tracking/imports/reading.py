"""A file of rows, read as a stream: encoding, separator and header found, every row with its line number.

A workbook's sheet and a packed table come as text too, by :mod:`tracking.imports.workbook`, so that what
follows knows one kind of table. Memory stays flat however long a text is, and whatever is wrong with a row
costs that row alone.
"""

import csv
import io
import re
import shutil
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, BinaryIO

from tracking.errors import Invalid, Sentence, say
from tracking.imports import encoding as encodings
from tracking.imports import words, workbook
from tracking.imports.nature import refuse_no_table
from tracking.storage import vault

# Characters of a line, and lines of a quoted cell: bound what a missing line end or quote swallows.
LONGEST_LINE = 65_536
LONGEST_RECORD_LINES = 100
UNBALANCED = say('unclosed quotation mark; write quotes inside a cell twice ("")').template
SEPARATORS = (",", ";", "\t", "|")
# Lines that are read at one go: a broken one among them has all read one by one.
_TOGETHER = 200
# Lines in which the header is looked for: reports have up to a dozen above it.
_LOOKED_AT = 40
# Lines of a row of names.
_LONGEST_NAME = 10
_TOLD = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
# What a name is not: a figure, a day, a time, a telephone number, an amount.
_FIGURE = re.compile(r"[+\-\u2212(]?[^\w\s]{0,2}\d[\d\s.,:/\-'+()]*(?:%|[TZ][\d:.+\-Z]*)?")
# So many of them in a line are a record of a table without names; a sum above another one has fewer.
_FIGURES = 5


@dataclass(slots=True)
class Row:
    """The cells of one record, and the physical line it starts on."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that is no row: as much of it as can be shown, and why."""

    line: int
    cells: list[str]
    reason: Sentence


class Table:
    """An open file of rows; ``header`` is the line its names stand in, where it is told, counted from 1."""

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        *,
        encoding: str = "",
        separator: str = "",
        header: int = 0,
        sheet: str = "",
    ) -> None:
        self.name = name
        self._file = file
        self.sheet = ""
        self.sheets: tuple[str, ...] = ()
        file.seek(0)
        if found := workbook.unpacked(file, name, sheet):
            self._file = file = io.BytesIO(found.text)
            self.sheet, self.sheets = found.sheet, found.sheets
            encoding, separator = found.encoding or encoding, found.separator or separator
        self.size = file.seek(0, io.SEEK_END)
        file.seek(0)
        self.encoding = encodings.decoder(encoding) if encoding else encodings.guess(file)
        self.separator = separator
        self.preamble: list[str] = []
        """The lines above the header."""
        self.until: int | None = None
        """The line at which another table begins, if one does."""
        self._first = 1
        self._find_header(list(islice(self._lines(), _LOOKED_AT)), header)

    def _find_header(self, lines: list[tuple[int, str]], told: int) -> None:
        """Tell by content where the names stand and what separates them."""
        filled = [(number, line) for number, line in _records(lines) if line.strip()]
        if filled and not self.separator and (mark := _TOLD.fullmatch(filled[0][1].strip("\r\n "))):
            self.separator = mark[1]
        if filled and _TOLD.fullmatch(filled[0][1].strip("\r\n ").rstrip(",;")):
            filled = filled[1:]  # an instruction to a spreadsheet
        record = next((number for number, line in filled if self._is_record(line)), _LOOKED_AT)
        ways = [
            _Header.among([(number, self._roughly(line, mark)) for number, line in filled], mark, record)
            for mark in ([self.separator] if self.separator else SEPARATORS)
        ]
        best = max(ways, key=lambda way: (way.known, way.width))
        self.separator = best.separator
        self._first = told or best.line
        header = next((line for number, line in filled if number == self._first), "")
        self._width = len(self._roughly(header, self.separator))
        above = [self._roughly(line, self.separator) for number, line in filled if number < self._first]
        self.preamble = [", ".join(cell.strip() for cell in cells if cell.strip()) for cells in above]

    def _is_record(self, line: str) -> bool:
        """Tell whether a line is a record by its figures, whatever separates its cells."""
        return any(_figures(self._roughly(line, mark)) >= _FIGURES for mark in SEPARATORS)

    @property
    def header_line(self) -> int:
        """Return the line at which the table begins."""
        return self._first

    @staticmethod
    def _roughly(line: str, separator: str) -> list[str]:
        try:
            return next(
                csv.reader(
                    (line[:LONGEST_LINE].replace("\0", ""),), delimiter=separator, skipinitialspace=True
                ),
                [],
            )
        except csv.Error:
            return []

    @classmethod
    def open(cls, path: str, **said: Any) -> "Table":
        """Open a file by its path, or standard input as ``-``; refuse what is no table."""
        if path == "-":
            # The encoding is told from the whole file, so that what cannot be read twice is kept aside.
            kept = vault.draft(Path(tempfile.gettempdir()))
            shutil.copyfileobj(sys.stdin.buffer, kept)
            refuse_no_table(kept, "standard input")
            return cls(kept, "standard input", **said)
        try:
            file = Path(path).open("rb")  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise Invalid(
                "file", "cannot open %(path)s: %(reason)s", path=path, reason=error.strerror
            ) from None
        try:
            refuse_no_table(file, Path(path).name)
            return cls(file, Path(path).name, **said)
        except Invalid:
            file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def done(self) -> int:
        """Return how many bytes have been read."""
        return self._file.tell()

    def head(self, count: int = 50) -> list[Row]:
        """Return the first rows that can be read, to tell the format by."""
        return list(islice((row for row in self.rows() if isinstance(row, Row)), count))

    def rows(self, *, width: int | None = None) -> Iterator[Row | Broken]:
        """Read the file from its beginning.

        With ``width``, the number of cells that every row has, a quoted cell may hold line breaks: a record
        goes on over the next lines if that completes it. Where it does not, the line it began on is broken,
        and reading goes on with the next, so that one stray quotation mark costs one row and not the rest.
        """
        lines = self._lines()
        if self.until is not None:
            lines = takewhile(lambda line: line[0] < (self.until or 0), lines)
        waiting: deque[tuple[int, str]] = deque()
        while block := list(islice(lines, _TOGETHER)):
            if (rows := self._whole(block)) is not None:
                yield from rows
                continue
            waiting.extend(block)
            while waiting:
                number, line = waiting.popleft()
                if number < self._first or not line.strip("\r\n"):
                    continue
                cells = self._plain(line)
                if cells is None and (width or number == self._first) and line.count('"') % 2:
                    cells = self._record(line, lines, waiting, width or self._width)
                if cells is None:
                    yield self._broken(number, line)
                elif any(cells):
                    yield Row(number, cells)

    def _whole(self, block: Sequence[tuple[int, str]]) -> list[Row] | None:
        """Read lines at one go; None where one of them is no row by itself, or has to be looked at closer."""
        if block[0][0] < self._first:
            return None
        texts = [text for _, text in block]
        together = "".join(texts)
        if "\0" in together or max(map(len, texts)) > LONGEST_LINE or encodings.unreadable(together):
            return None
        if not together.isascii() and self.encoding in encodings.SINGLE_BYTE:
            return None
        try:
            read = list(csv.reader(texts, delimiter=self.separator, strict=True, skipinitialspace=True))
        except csv.Error:
            return None
        # A record of several lines leaves fewer records than lines.
        if len(read) != len(texts):
            return None
        return [Row(number, cells) for (number, _), cells in zip(block, read, strict=True) if any(cells)]

    def _record(
        self, text: str, lines: Iterator[tuple[int, str]], waiting: deque[tuple[int, str]], width: int
    ) -> list[str] | None:
        for taken in range(LONGEST_RECORD_LINES):
            if taken == len(waiting):
                if (following := next(lines, None)) is None:
                    return None
                waiting.append(following)
            text += waiting[taken][1]
            if len(text) > LONGEST_LINE:
                return None
            if text.count('"') % 2 == 0:
                cells = self._plain(text)
                if cells is None or len(cells) != width:
                    return None
                for _ in range(taken + 1):
                    waiting.popleft()
                return cells
        return None

    def _plain(self, text: str) -> list[str] | None:
        if len(text) > LONGEST_LINE or "\0" in text or encodings.unreadable(text):
            return None
        try:
            cells = next(
                csv.reader((text,), delimiter=self.separator, strict=True, skipinitialspace=True), []
            )
        except csv.Error:
            return None
        if not text.isascii() and self.encoding in encodings.SINGLE_BYTE:
            # A file put together of two may hold both encodings.
            return [encodings.mended(cell, self.encoding) for cell in cells]
        return cells

    def _broken(self, number: int, line: str) -> Broken:
        if len(line) > LONGEST_LINE:
            problem = Invalid(
                "row", "longer than %(most)s characters; a line break may be missing", most=LONGEST_LINE
            )
        elif "\0" in line:
            problem = Invalid("row", "contains a NUL byte; save the file as plain text")
        elif encodings.unreadable(line):
            problem = Invalid(
                "row",
                "not valid %(encoding)s; set the encoding with --encoding",
                encoding=self.encoding,
            )
        else:
            problem = Invalid("row", UNBALANCED)
        shown = line[:LONGEST_LINE].rstrip("\r\n").replace('"', "").replace("\0", "")
        return Broken(number, encodings.shown(shown).split(self.separator), problem.reason)

    def _lines(self) -> Iterator[tuple[int, str]]:
        """Yield the lines with their ends; of an over-long one, only its beginning."""
        self._file.seek(0)
        text = io.TextIOWrapper(self._file, encoding=self.encoding, errors="ringtrail-mark", newline="")
        try:
            number = 0
            while line := text.readline(LONGEST_LINE + 1):
                number += 1
                if number == 1:
                    line = line.removeprefix("\ufeff")
                yield number, line
                while len(line) > LONGEST_LINE and not line.endswith(("\n", "\r")):
                    line = text.readline(LONGEST_LINE + 1)
        finally:
            # The wrapper would close the file with itself.
            text.detach()


@dataclass(frozen=True, slots=True)
class _Header:
    """Where the names of a table stand, if ``separator`` separates its cells."""

    line: int
    separator: str
    known: int
    """How many of the names are names of columns."""
    width: int

    @classmethod
    def among(cls, rows: Sequence[tuple[int, Sequence[str]]], separator: str, record: int) -> "_Header":
        """Find the first row with three known names, else two, else the first row as wide as most.

        Below the line of the first record, one or two known words are chance.
        """
        widths = Counter(len(cells) for _, cells in rows if len(cells) > 1)
        width = max(widths, key=lambda wide: (widths[wide], wide), default=1)
        scores = [(number, _names(cells), len(cells)) for number, cells in rows]
        for least in (3, 2):
            for at, (number, known, wide) in enumerate(scores):
                if least == 2 and number > record:
                    break
                if known >= least and (least == 3 or known * 2 >= wide):
                    # Of two lines of names the second says more where one of the first stands over several.
                    if scores[at + 1 : at + 2] and scores[at + 1][1] > known:
                        number, known, _ = scores[at + 1]
                    return cls(number, separator, known, width)
        shaped = [
            (number, cells) for number, cells in rows if len(cells) == width and not cells[0].startswith("#")
        ]
        first = shaped[0][0] if shaped else rows[0][0] if rows else 1
        # What stands above a table without known names is passed over only if it is no row of it.
        above = [cells for number, cells in rows if number < first]
        if any(sum(1 for cell in cells if cell.strip()) > 1 for cells in above) and rows:
            first = rows[0][0]
        known = {number: known for number, known, _ in scores}.get(first, 0) if first <= record else 0
        return cls(first, separator, known, width)


def _records(lines: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Join lines that a quotation mark holds together: a name may have a line break in it."""
    found: list[tuple[int, str]] = []
    open_since = 0
    for number, line in lines:
        if found and open_since and number - open_since < _LONGEST_NAME and found[-1][1].count('"') % 2:
            found[-1] = (found[-1][0], found[-1][1] + line)
        else:
            found.append((number, line))
        open_since = found[-1][0] if found[-1][1].count('"') % 2 else 0
    return found


def _names(cells: Sequence[str]) -> int:
    """Count the names of columns in a row; a row that holds a figure or a day is no row of names."""
    if _figures(cells):
        return 0
    return len({words.fold(cell) for cell in cells if words.is_header(cell)})


def _figures(cells: Sequence[str]) -> int:
    return sum(1 for cell in cells if cell and _FIGURE.fullmatch(cell.strip()[:60]))
