"""A file of rows, read as a stream: encoding and separator found, every row with its line number.

Memory stays flat however long the file is, and whatever is wrong with a row costs that row alone.
"""

import csv
import io
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from tracking.errors import Invalid, Sentence, say
from tracking.imports import encoding as encodings

# Characters of a line, and lines of a quoted cell: bound what a missing line end or quote swallows.
LONGEST_LINE = 65_536
LONGEST_RECORD_LINES = 100
UNBALANCED = say('has a quotation mark without its partner; double those inside a cell ("")').template
SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
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
    """An open file of rows."""

    def __init__(self, file: BinaryIO, name: str, *, encoding: str = "", separator: str = "") -> None:
        self.name = name
        self._file = file
        self.size = file.seek(0, io.SEEK_END)
        file.seek(0)
        self.encoding = encodings.decoder(encoding) if encoding else encodings.guess(file)
        self.separator = separator
        if not separator:
            first = next((line for _, line in self._lines() if line.strip()), "")
            # The first line has names or quoted cells; the separator is what stands between them.
            bare = "".join(first.split('"')[::2])
            self.separator = max(SEPARATORS, key=lambda mark: bare.count(mark))

    @classmethod
    def open(cls, path: str, *, encoding: str = "", separator: str = "") -> "Table":
        """Open a file by its path, or standard input as ``-``."""
        if path == "-":
            # The encoding is told from the whole file, so that what cannot be read twice is kept aside.
            kept = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
            shutil.copyfileobj(sys.stdin.buffer, kept)
            return cls(kept, "standard input", encoding=encoding, separator=separator)
        try:
            file = Path(path).open("rb")  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise Invalid(
                "file", "cannot open %(path)s: %(reason)s", path=path, reason=error.strerror
            ) from None
        return cls(file, Path(path).name, encoding=encoding, separator=separator)

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
        waiting: deque[tuple[int, str]] = deque()
        while found := waiting.popleft() if waiting else next(lines, None):
            number, line = found
            if not line.strip("\r\n"):
                continue
            cells = self._plain(line)
            if cells is None and width is not None and line.count('"') % 2:
                cells = self._record(line, lines, waiting, width)
            if cells is None:
                yield self._broken(number, line)
            elif any(cells):
                yield Row(number, cells)

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
            return next(csv.reader((text,), delimiter=self.separator, strict=True, skipinitialspace=True), [])
        except csv.Error:
            return None

    def _broken(self, number: int, line: str) -> Broken:
        if len(line) > LONGEST_LINE:
            problem = Invalid(
                "row", "is longer than %(most)s characters; look for a missing line end", most=LONGEST_LINE
            )
        elif "\0" in line:
            problem = Invalid("row", "holds a NUL byte; save the file again as plain text")
        elif encodings.unreadable(line):
            problem = Invalid(
                "row",
                "holds a byte that is not %(encoding)s; name the encoding with --encoding",
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
