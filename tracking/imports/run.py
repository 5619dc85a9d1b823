"""One import of a file: in batches, every row accounted for as created, updated, skipped or refused."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from tracking.errors import Conflict, Invalid, NotFound, Sentence, say
from tracking.imports import undo, writing
from tracking.imports.outcomes import (
    REFUSALS_SHOWN,
    Fault,
    Outcome,
    Refusal,
    RefusedFile,
    Result,
    Skip,
    returned,
)
from tracking.imports.reading import UNBALANCED, Broken, Row, Table
from tracking.records.import_outcome import ImportOutcome
from tracking.storage import db, rows, turns

_NAMED = 20
"""Rows passed over that the result names."""
_Record = TypeVar("_Record")
Progress = Callable[[int, int], None]


class Format(Protocol[_Record]):
    """One kind of file: how its rows are read and where they go."""

    kind: str
    """What is imported: cdr, calls, deals, costs or touches."""
    name: str
    """The format as its makers call it."""
    header: Sequence[str] | None
    """The names in the file's first line; None where it has none."""
    notes: Sequence[Sentence]
    """What was found out about the file, and what follows from it."""

    def begin(self, session: Session) -> None:
        """Look up what all rows need."""

    def read(self, cells: Sequence[str]) -> _Record | Skip:
        """Read a row, or raise Invalid."""

    def passed_over(self, cells: Sequence[str]) -> Skip | None:
        """Return why a row of the file is none, such as one of totals."""

    def place(self, cells: Sequence[str], name: str) -> tuple[str, str]:
        """Return the column's name and the row's value for the field that an error names."""

    def also_wrong(self, cells: Sequence[str], first: Invalid) -> Sequence[Invalid]:
        """Return what else is wrong with a row than what it was refused for."""

    def save(self, session: Session, records: Sequence[_Record], at: datetime) -> Sequence[Outcome]:
        """Take records into the domain; one outcome for each."""

    def added(self) -> Sequence[str]:
        """Return the names of the campaigns that did not exist before."""

    def mended(self, cells: Sequence[str]) -> Sequence[str] | None:
        """Return a row of another width than the header's put right; None where nothing explains it."""

    def remarks(self) -> Sequence[Sentence]:
        """Return what should be known of the file as a whole, once its rows are read."""


def run(
    engine: Engine,
    table: Table,
    form: Format[Any],
    *,
    at: datetime,
    dry_run: bool = False,
    strict: bool = False,
    piecemeal: bool = False,
    refused: Path | BinaryIO | None = None,
    shown: int = REFUSALS_SHOWN,
    progress: Progress = lambda done, rows: None,
) -> Result:
    """Import the rows of ``table``; the good ones are all taken or, with ``strict``, all or none.

    A dry run does everything and takes it back at the end. It and ``strict`` need one transaction for the
    whole file and keep other writers waiting for as long; otherwise each batch is one. A ``piecemeal`` dry
    run takes back batch after batch and lets others write in between; a row that repeats one of an earlier
    batch then counts as created once more. ``progress`` is told the bytes and the rows read; where it
    raises, what was taken so far stays, and is on record. Of the refused rows, the first ``shown`` are
    returned.
    """
    with writing.seldom_collected():
        return _run(engine, table, form, at, dry_run, strict, piecemeal, refused, shown, progress)


def _run(
    engine: Engine,
    table: Table,
    form: Format[Any],
    at: datetime,
    dry_run: bool,
    strict: bool,
    piecemeal: bool,
    refused: Path | BinaryIO | None,
    shown: int,
    progress: Progress,
) -> Result:
    result = Result(form.kind, table.name, form.name, table.encoding, table.separator, dry_run, shown=shown)
    result.notes = list(form.notes)
    kept = RefusedFile(refused, table, form.header) if refused else None
    try:
        if dry_run and piecemeal:
            result.taken = False
            with db.reading(engine) as reader:
                form.begin(reader)
            pace = writing.Pace()
            for batch in _batches(table, form, pace):
                turns.let_others_write(engine)
                outcomes = writing.attempt(engine, partial(_save, form, batch, at), pace, len(batch))
                _count(batch, outcomes, form, result, kept)
                progress(table.done, result.rows)
            result.conclude(form.added(), form.remarks())
            return result
        if dry_run or strict:
            with (
                Session(engine, expire_on_commit=False) as session,
                session.begin() as whole,
                undo.recording(session, result, at) as log,
            ):
                form.begin(session)
                for batch in _batches(table, form, writing.Pace()):
                    _count(batch, _save(form, batch, at, session), form, result, kept)
                    rows.write(session)
                    # What is flushed need not be remembered; a large file would fill the memory.
                    session.expunge_all()
                    progress(table.done, result.rows)
                result.conclude(form.added(), form.remarks())
                if dry_run or result.refused:
                    result.taken = False
                    whole.rollback()
                else:
                    log(session)
            return result
        with db.reading(engine) as reader:
            form.begin(reader)
        with undo.recording(engine, result, at) as log:
            try:
                with writing.Writer[_Batch](engine) as writer:
                    try:
                        for batch in _batches(table, form, writer.pace):
                            # The database writes a batch while the next one is read.
                            if (done := writer.finish()) is not None:
                                _count(*done, form, result, kept)
                                progress(table.done, result.rows)
                            writer.begin(batch, len(batch), partial(_save_counted, form, batch, at, log))
                    finally:
                        if (done := writer.finish()) is not None:
                            _count(*done, form, result, kept)
                progress(table.done, result.rows)
            except Exception:
                with suppress(SQLAlchemyError):
                    db.commit(engine, log)
                raise
            result.conclude(form.added(), form.remarks())
            db.commit(engine, log)
        return result
    finally:
        if kept:
            kept.close()


def each(
    session: Session, records: Sequence[_Record], save: Callable[[_Record], ImportOutcome | Skip]
) -> list[Outcome]:
    """Save records one by one, so that what is refused halfway leaves nothing behind."""
    outcomes: list[Outcome] = []
    for record in records:
        try:
            outcomes.append(_once(session, record, save))
        except (Invalid, Conflict, NotFound) as error:
            outcomes.append(error if isinstance(error, Invalid) else Invalid.of("row", error.whole))
        except (IntegrityError, DataError) as error:
            # Another writer may have added the same key since we looked; the second look finds it.
            try:
                outcomes.append(_once(session, record, save))
            except (IntegrityError, DataError):
                outcomes.append(Invalid("row", "the database rejected it: %(reason)s", reason=error.orig))
    return outcomes


def _once(
    session: Session, record: _Record, save: Callable[[_Record], ImportOutcome | Skip]
) -> ImportOutcome | Skip:
    with session.begin_nested():
        return save(record)


@dataclass(slots=True)
class _Batch:
    rows: list[tuple[Row, Any]] = field(default_factory=list)
    refused: list[tuple[Sequence[str], Refusal]] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    passed_over: list[Row] = field(default_factory=list)
    """Of the skipped, the rows that are none: of totals, or below the table."""

    def __len__(self) -> int:
        return len(self.rows) + len(self.refused) + len(self.skipped)


def _batches(table: Table, form: Format[Any], pace: writing.Pace) -> Iterator[_Batch]:
    header = form.header
    rows = table.rows(width=len(header) if header is not None else None)
    if header is not None:
        next(rows)
    batch = _Batch()
    below: list[Row] = []
    for row in rows:
        if isinstance(row, Row) and len(below) < _LONGEST_FOOTER and _lone(row, header):
            below.append(row)
            continue
        # What looked like a line below the table has a row behind it.
        for each in (*below, row):
            _admit(each, form, batch, table.separator)
        below.clear()
        if len(batch) >= pace.rows:
            yield batch
            batch = _Batch()
    for last in below:
        whole = header is not None and len(last.cells) == len(header)
        batch.skipped.append((form.passed_over(last.cells) if whole else None) or _BELOW)
        batch.passed_over.append(last)
    yield batch


_BELOW = Skip("line below the table")
_LONGEST_FOOTER = 50


def _admit(row: Row | Broken, form: Format[Any], batch: _Batch, separator: str) -> None:
    """Read a row, or put on record why it cannot be."""
    if isinstance(row, Broken) and (cells := _unquoted(row, form)) is not None:
        row = Row(row.line, list(cells))
    if isinstance(row, Broken):
        fault = Fault("row", separator.join(row.cells), row.reason)
        batch.refused.append((row.cells, Refusal(row.line, (fault,), tuple(row.cells))))
    else:
        _read(row, form, batch)


def _unquoted(row: Broken, form: Format[Any]) -> Sequence[str] | None:
    """Return the cells of a line whose only fault is a quotation mark that its system does not double."""
    return form.mended(row.cells) if row.reason.template == UNBALANCED else None


def _lone(row: Row, header: Sequence[str] | None) -> bool:
    """Tell whether a row has but one filled cell, as a line of text below a table has."""
    if header is None or len(header) <= 2:
        return False
    filled = 0
    for cell in row.cells:
        if cell and not cell.isspace():
            filled += 1
            if filled > 1:
                return False
    return filled == 1


def _read(row: Row, form: Format[Any], batch: _Batch) -> None:
    cells = row.cells
    try:
        if form.header is not None and len(cells) != len(form.header):
            cells = list(form.mended(cells) or cells)
            if any(cells[len(form.header) :]) or len(cells) < len(form.header):
                raise Invalid(
                    "row",
                    "%(found)s columns but the header has %(wanted)s; quote any cell that contains "
                    "the separator",
                    found=len(cells),
                    wanted=len(form.header),
                )
            cells = cells[: len(form.header)]
        cells = returned(form.header, cells)
        if (skip := form.passed_over(cells)) is not None:
            batch.skipped.append(skip)
            batch.passed_over.append(row)
            return
        record = form.read(cells)
    except Invalid as error:
        others = () if error.field == "row" else form.also_wrong(cells, error)
        batch.refused.append((row.cells, _refusal(row, form, error, *others)))
        return
    if isinstance(record, Skip):
        batch.skipped.append(record)
    else:
        batch.rows.append((row, record))


def _save(form: Format[Any], batch: _Batch, at: datetime, session: Session) -> Sequence[Outcome]:
    return form.save(session, [record for _, record in batch.rows], at) if batch.rows else ()


def _save_counted(
    form: Format[Any], batch: _Batch, at: datetime, log: undo.Record, session: Session
) -> Sequence[Outcome]:
    """Save a batch with its counts, which are true also of an import that is killed after it."""
    outcomes = _save(form, batch, at, session)
    more = Counter(one.value for one in outcomes if isinstance(one, ImportOutcome))
    more["refused"] = len(batch.refused) + sum(isinstance(one, Invalid) for one in outcomes)
    more["skipped"] = len(batch) - more["created"] - more["updated"] - more["refused"]
    log(session, more)
    return outcomes


def _count(
    batch: _Batch,
    outcomes: Sequence[Outcome],
    form: Format[Any],
    result: Result,
    kept: RefusedFile | None,
) -> None:
    for (row, _), outcome in zip(batch.rows, outcomes, strict=True):
        if isinstance(outcome, Invalid):
            batch.refused.append((row.cells, _refusal(row, form, outcome)))
        else:
            result.count(outcome)
    for skip in batch.skipped:
        result.count(skip)
    for over in batch.passed_over[: max(_NAMED - len(result.passed_over), 0)]:
        first = ", ".join([cell.strip() for cell in over.cells if cell.strip()][:4])
        result.passed_over.append(
            say("line %(line)s is skipped: %(first)s", line=over.line, first=first[:80])
        )
    result.refused += len(batch.refused)
    for cells, refusal in sorted(batch.refused, key=lambda entry: entry[1].line):
        if len(result.refusals) < result.shown:
            result.refusals.append(refusal)
        if kept:
            kept.write(cells, refusal)


def _refusal(row: Row, form: Format[Any], *errors: Invalid) -> Refusal:
    faults = (Fault(*form.place(row.cells, error.field), error.reason) for error in errors)
    return Refusal(row.line, tuple(faults), tuple(row.cells))
