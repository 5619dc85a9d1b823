"""Bases: the journey tables and their credit at one moment, in files that never change.

A base is a folder of Parquet files in ``data_dir/snapshots``: the tables, sorted by account, calls by day,
and what the models credit. It holds identifiers, moments, campaigns and amounts, and no number, name or word
of a person.
"""

import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy.orm import Session

from attribution.models import FITTED
from reports.daily import Activity
from reports.maturity import buying_times
from reports.roi import Learned
from tracking.reporting import credit, journeys
from tracking.reporting.credit import Part, Window
from tracking.reporting.journeys import BY_ACCOUNT, Journeys
from tracking.storage import changes
from tracking.storage.changes import Marks
from tracking.storage.columns import sorted_by
from tracking.storage.config import Settings

try:
    import fcntl
except ImportError:  # pragma: no cover - not on Windows, where a folder in use cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

_Result = TypeVar("_Result")
# Raised whenever the files would be made otherwise from the same data.
_FORMAT = 8
MANY = 200_000
"""A base of so many touches and calls takes some two seconds, for which somebody waits; a larger one is
written beside the pages."""
_KEPT = 2
_MEMORY = 256


class Memory:
    """What has been computed, by key; what was not asked for the longest makes room."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], _Result]) -> _Result:
        """Return what ``make`` gives, made once."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                found: _Result = self._found[key]
                return found
        result = make()
        with self._lock:
            self._found[key] = result
            while len(self._found) > _MEMORY:
                self._found.popitem(last=False)
        return result


class Base:
    """The journey tables at one moment and their credit, in files that are read when they are needed."""

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / "about.json").read_text())
        self.folder = folder
        self.marks = Marks(frozenset((number, nonce) for number, nonce in about["recent"]))
        self.taken_at = datetime.fromisoformat(about["taken_at"])
        self.channels: dict[str, str] = about["channels"]
        self.is_large: bool = about["touches"] + about["calls"] > MANY
        self.memory = Memory()
        # Opened at once: the folder may make room for a newer one while this base is still in use.
        self._files = {path.stem: pa.memory_map(str(path)) for path in folder.glob("*.parquet")}

    def table(self, name: str) -> pa.Table:
        """Return a table, sorted by account where it has one."""
        return self.memory.get(
            ("table", name), lambda: pq.ParquetFile(self._files[name]).read().combine_chunks()
        )

    @cached_property
    def tables(self) -> Journeys:
        """Return the journey tables."""
        return Journeys(**{part.name: self.table(part.name) for part in fields(Journeys)})

    @cached_property
    def goals(self) -> set[str]:
        """Return the goals that somebody has reached."""
        return set(pc.unique(self.tables.conversions["goal"]).to_pylist())

    def credit(self, group: str, window: Window, zone: ZoneInfo) -> Part:
        """Return what a group of models credits."""
        return self.memory.get(("credit", group, window), lambda: self._credit(group, window, zone))

    def lines(self, model: str, window: Window) -> pa.Table:
        """Return what one model credits in each conversion."""
        name = f"lines-{model}-{window}"
        if name in self._files:
            return self.table(name)
        return self.memory.get(("lines", model, window), lambda: credit.lines(self.tables, [model], window))

    def learned(self, models: Sequence[str], window: Window) -> Learned | None:
        """Return fitted models as they are fitted to these journeys; None for rules, which learn nothing."""
        if set(FITTED).isdisjoint(models):
            return None
        counts = self._counts(window)
        return self.memory.get(("learned", *models, window), lambda: credit.fitted_to(counts, models))

    def _counts(self, window: Window) -> pa.Table:
        name = f"counts-{window}"
        if name in self._files:
            return self.table(name)
        return self.memory.get(("counts", window), lambda: credit.counts_of(self.tables, window))

    def _credit(self, group: str, window: Window, zone: ZoneInfo) -> Part:
        name = f"credit-{group}-{window}"
        if f"{name}-daily" in self._files:
            missing = json.loads((self.folder / f"{name}.json").read_text())
            return Part(self.table(f"{name}-daily"), self.table(f"{name}-won"), missing)
        counts = self._counts(window) if group == "fitted" and self.is_large else None
        found = credit.part_of(self.tables, group, window, zone, counts)
        with suppress(OSError):
            # The folder may have made room for a newer one.
            _store(found, self.folder, group, window)
        return found


def take(session: Session, settings: Settings, *, at: datetime, groups: Sequence[str] = ()) -> Path:
    """Write a base of the data as they are, with what some groups of models credit."""
    here = folder_of(settings)
    here.mkdir(parents=True, exist_ok=True)
    _tidy(here)
    with (
        tempfile.TemporaryDirectory(prefix="new-", dir=here, ignore_cleanup_errors=True) as name,
        _filling(Path(name)) as folder,
    ):
        marks = changes.marks(session)
        tables = _sorted(wordless(journeys.export(session, currency=settings.currency, zone=settings.zone)))
        for part in fields(tables):
            _write(getattr(tables, part.name), folder / f"{part.name}.parquet")
        activity = Activity.of(tables, settings.zone)
        _write(activity.calls, folder / "calls-daily.parquet")
        _write(activity.observed, folder / "observed-daily.parquet")
        _write(sorted_by(buying_times(tables.conversions), "account_id"), folder / "buying_times.parquet")
        window, counts = Window(settings.lookback_days, settings.half_life_days), None
        if "fitted" in groups and tables.touches.num_rows + tables.calls.num_rows > MANY:
            counts = credit.counts_of(tables, window)
            _write(counts, folder / f"counts-{window}.parquet")
        for group in groups:
            _store(credit.part_of(tables, group, window, settings.zone, counts), folder, group, window)
        about = {
            "recent": list(marks.recent),
            "taken_at": at.isoformat(),
            "touches": tables.touches.num_rows,
            "calls": tables.calls.num_rows,
            "channels": dict(activity.channels),
        }
        (folder / "about.json").write_text(json.dumps(about))
        # The name says what the files are made for; its end sets apart those of one state written twice.
        wanted = here / f"{_name(settings)}-{folder.name.removeprefix('new-')}"
        folder.rename(wanted)
    _tidy(here)
    return wanted


def _store(part: Part, folder: Path, group: str, window: Window) -> None:
    name = f"credit-{group}-{window}"
    (folder / f"{name}.json").write_text(json.dumps(dict(part.missing)))
    for model, rows in part.front.items():
        _write(rows, folder / f"lines-{model}-{window}.parquet")
    # The one that is looked for comes last.
    for kind in ("won", "daily"):
        _write(getattr(part, kind), folder / f"{name}-{kind}.parquet")


def _write(table: pa.Table, path: Path) -> None:
    new = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    # A third of the bytes of plain columns for a tenth of the time that reading the rows took (measured).
    pq.write_table(table, new, compression="lz4")
    new.rename(path)


def _sorted(tables: Journeys) -> Journeys:
    return replace(tables, **{name: sorted_by(getattr(tables, name), "account_id") for name in BY_ACCOUNT})


def wordless(tables: Journeys) -> Journeys:
    """Return the tables without whose words answers are."""
    answers = tables.answers
    for name in ("verbatim", "rep"):
        nobody = pa.nulls(answers.num_rows, pa.string())
        answers = answers.set_column(answers.schema.get_field_index(name), name, nobody)
    return replace(tables, answers=answers)


def folder_of(settings: Settings) -> Path:
    """Return where the bases of an installation are."""
    return settings.data_dir / "snapshots"


def _name(settings: Settings) -> str:
    made_for = f"{_FORMAT} {settings.currency} {settings.url} {settings.timezone}"
    return hashlib.sha256(made_for.encode()).hexdigest()[:20]


def newest(settings: Settings) -> Path | None:
    """Return the newest base of an installation."""
    here, name = folder_of(settings), _name(settings)
    found = [path.parent for path in here.glob(f"{name}-*/about.json")]
    return max(found, key=_written_at, default=None)


def _written_at(folder: Path) -> float:
    return (folder / "about.json").stat().st_mtime


@contextmanager
def _filling(folder: Path) -> Iterator[Path]:
    """Hold the lock of a folder while it is filled; the system lets go of it when the process ends."""
    with (folder / "lock").open("w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder


def _tidy(here: Path) -> None:
    """Remove bases that newer ones replace, and what a process that died left unfinished."""
    bases = sorted((path.parent for path in here.glob("*/about.json")), key=_written_at, reverse=True)
    for folder in bases[_KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)
    for folder in here.glob("new-*"):
        with suppress(BlockingIOError), _filling(folder):
            shutil.rmtree(folder, ignore_errors=True)
