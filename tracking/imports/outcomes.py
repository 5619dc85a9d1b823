"""What came of each row of a file: counts, reasons, and the refused rows as a file to mend."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from reports.cells import harmless, meant
from tracking.errors import Invalid, Sentence
from tracking.imports.reading import Table
from tracking.records.import_outcome import ImportOutcome
from tracking.storage.files import private

REFUSALS_SHOWN = 100
_ERROR = "error"
_RETURNED = "error: "
_LINE = re.compile(rf"(?:{_RETURNED})?line (\d+): ")


@dataclass(frozen=True, slots=True)
class Skip:
    """A row that changes nothing, and why."""

    reason: str


Outcome = ImportOutcome | Skip | Invalid
KNOWN = Skip("already imported")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a cell."""

    column: str
    value: str
    reason: Sentence

    def __str__(self) -> str:
        shown = self.value if len(self.value) <= 60 else self.value[:59] + "…"
        return f"{self.column} {shown!r}: {self.reason}"

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"column": self.column, "value": self.value, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that was not taken, and all that is wrong with it: first what it was refused for."""

    line: int
    faults: tuple[Fault, ...]
    cells: tuple[str, ...] = ()
    """The whole row, to be mended."""

    @property
    def column(self) -> str:
        """Return the column that it was refused for."""
        return self.faults[0].column

    @property
    def value(self) -> str:
        """Return what stands there."""
        return self.faults[0].value

    @property
    def reason(self) -> Sentence:
        """Return what is wrong with that."""
        return self.faults[0].reason

    def __str__(self) -> str:
        return f"line {self.line}: " + "; ".join(map(str, self.faults))

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values, without its cells."""
        first, *also = (fault.as_json() for fault in self.faults)
        return {"line": self.line} | first | ({"also": also} if also else {})


@dataclass(slots=True)
class Result:
    """What came of an import; the four counts add up to the rows of the file."""

    kind: str
    file: str
    format: str
    encoding: str
    separator: str
    dry_run: bool
    taken: bool = True
    """False where nothing was written: a dry run, or refused rows under ``strict``."""
    created: int = 0
    updated: int = 0
    skipped: int = 0
    refused: int = 0
    skip_reasons: Counter[str] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)
    """The first ones, at most ``shown``."""
    shown: int = REFUSALS_SHOWN
    campaigns_created: list[str] = field(default_factory=list)
    notes: list[Sentence] = field(default_factory=list)
    """What was found out about the file, and what follows from it."""
    run_id: int | None = None
    """The number of the import, by which it can be undone."""
    passed_over: list[Sentence] = field(default_factory=list)
    """The first rows that are none: of totals, or below the table."""

    @property
    def rows(self) -> int:
        """Return how many rows the file has, its header apart."""
        return self.created + self.updated + self.skipped + self.refused

    def count(self, outcome: ImportOutcome | Skip) -> None:
        """Count a row that was taken."""
        if outcome is ImportOutcome.created:
            self.created += 1
        elif outcome is ImportOutcome.updated:
            self.updated += 1
        else:
            self.skipped += 1
            self.skip_reasons[outcome.reason if isinstance(outcome, Skip) else KNOWN.reason] += 1

    def conclude(self, campaigns: Sequence[str], remarks: Sequence[Sentence]) -> None:
        """Take what is known once all rows are read."""
        self.campaigns_created = sorted(campaigns)
        self.notes.extend(remarks)

    def as_json(self) -> dict[str, Any]:
        """Return the result as plain values."""
        return {
            "kind": self.kind,
            "file": self.file,
            "format": self.format,
            "encoding": self.encoding,
            "separator": self.separator,
            "dry_run": self.dry_run,
            "taken": self.taken,
            "import": self.run_id if self.taken else None,
            "rows": self.rows,
            "created": self.created,
            "updated": self.updated,
            "skipped": self.skipped,
            "refused": self.refused,
            "skip_reasons": dict(self.skip_reasons),
            "campaigns_created": self.campaigns_created,
            "notes": [*self.notes, *self.passed_over],
            "refusals": [refusal.as_json() for refusal in self.refusals],
        }


class RefusedFile:
    """The refused rows as a file of the same format, with a column that says what to mend.

    People open it in a spreadsheet: what that would take for a formula stands behind an apostrophe, which
    ``returned`` takes off again. It goes to a path, or into an open file, which stays open.
    """

    def __init__(self, path: Path | BinaryIO, table: Table, header: Sequence[str] | None) -> None:
        self._path, self._table, self._header = path, table, header
        if isinstance(path, Path) and not path.parent.is_dir():
            raise Invalid(
                "refused",
                "cannot write %(path)s: folder %(parent)s does not exist",
                path=path,
                parent=path.parent,
            )
        self._file: TextIO | None = None

    def write(self, cells: Sequence[str], refusal: Refusal) -> None:
        """Add a row."""
        if self._header is None:
            self.again([*returned(None, cells), _RETURNED + str(refusal)])
        else:
            kept = list(_without_error(self._header, cells))
            kept += [""] * (len(_without_error(self._header, self._header)) - len(kept))
            self.again([*kept, str(refusal)])

    def again(self, row: Sequence[str]) -> None:
        """Add a row as it stood in such a file."""
        if self._file is None:
            self._file = self._opened()
            self._rows = csv.writer(self._file, delimiter=self._table.separator)
            if self._header is not None:
                header = _without_error(self._header, self._header)
                self._rows.writerow([harmless(cell) for cell in (*header, _ERROR)])
        self._rows.writerow([harmless(cell) for cell in row])

    def _opened(self) -> TextIO:
        encoding, errors = self._table.encoding, "backslashreplace"
        if not isinstance(self._path, Path):
            return io.TextIOWrapper(self._path, encoding=encoding, errors=errors, newline="")
        try:
            return open(self._path, "w", encoding=encoding, errors=errors, newline="", opener=private)
        except OSError as error:
            raise Invalid(
                "refused", "cannot write %(path)s: %(reason)s", path=self._path, reason=error.strerror
            ) from None

    def close(self) -> None:
        """Finish the file; without refused rows there is none."""
        if isinstance(self._path, Path):
            if self._file is not None:
                self._file.close()
        elif isinstance(self._file, io.TextIOWrapper):
            self._file.detach()


def refused_line(row: Sequence[str]) -> int | None:
    """Return the line that a row of a file of refused rows had in its file."""
    told = _LINE.match(row[-1]) if row else None
    return int(told[1]) if told else None


def returned(header: Sequence[str] | None, cells: Sequence[str]) -> list[str]:
    """Return a row as it was before an earlier import refused it; without header, its reason is dropped."""
    if header is None:
        back = bool(cells) and cells[-1].startswith(_RETURNED)
        return [meant(cell) for cell in cells[:-1]] if back else list(cells)
    return [meant(cell) for cell in cells] if _tells_errors(header) else list(cells)


def _tells_errors(header: Sequence[str]) -> bool:
    return bool(header) and header[-1].strip().casefold() == _ERROR


def _without_error(header: Sequence[str], cells: Sequence[str]) -> Sequence[str]:
    return cells[: len(header) - 1] if _tells_errors(header) else cells
