"""The journey tables and the credit worked out from them, kept as files until the data change.

A snapshot is a folder of Arrow files in ``data_dir/snapshots``, named after the state of the data that it was
taken of. It holds identifiers, moments, campaigns and amounts, and no number, name or word of a person.
"""

import hashlib
import json
import multiprocessing
import os
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from attribution import MODELS, JourneyError
from reports.roi import Credited, credited
from tracking import clock
from tracking.reporting import journeys
from tracking.reporting.journeys import Journeys
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Call, DataChange, Deal, Touch

_Result = TypeVar("_Result")
# Raised whenever the files would be made otherwise from the same data.
_FORMAT = 2
# Seconds for which somebody waits for fresh figures; what takes longer is done beside the pages.
_PATIENCE = 3.0
# With so many touches even the first snapshot is taken beside the pages.
_MANY = 200_000
_KEPT = 2
_MEMORY = 256
_FITTED = ("markov", "shapley", "shapley-coalitions", "self-reported", "hybrid")
_RULES = tuple(name for name in MODELS if name not in _FITTED and name != "custom")

_lock = threading.RLock()
_remembered: OrderedDict[Hashable, Any] = OrderedDict()


class Preparing(Exception):
    """There is no snapshot yet, and taking one takes longer than anybody waits for a page."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The journey tables at one moment."""

    folder: Path
    tables: Journeys
    taken_at: datetime
    stale: bool
    """Whether the data have changed since; a newer snapshot is then being taken."""

    def credit(
        self, models: Sequence[str], *, lookback_days: float, half_life_days: float
    ) -> tuple[Credited, dict[str, str]]:
        """Return each model's credited conversions, and which models these data do not support and why."""
        options = {"lookback_days": lookback_days, "half_life_days": half_life_days}
        window = f"{lookback_days:g}-{half_life_days:g}"
        rules = [name for name in models if name not in _FITTED]
        self._prepare(_RULES if rules else (), "rules", window, options)
        # Fitted models that are asked for together are worked out together, which reads the journeys once.
        fitted = [name for name in models if name in _FITTED and self._kept(name, window) is None]
        self._prepare(fitted, "+".join(fitted), window, options)
        found: dict[str, pa.Table] = {}
        missing: dict[str, str] = {}
        for name in models:
            path = self._kept(name if name in _FITTED else "rules", window)
            assert path is not None, "it has just been worked out"
            if path.suffix == ".txt":
                missing[name] = path.read_text()
            else:
                found[name] = self.remember(("credit", path.name), partial(_read, path))
        return found, missing

    def _kept(self, label: str, window: str) -> Path | None:
        """Return the file that holds a model's credit, or why there is none; None where neither is known."""
        kept = self.folder.glob(f"credit-*-{window}.*")
        mine = (
            path for path in kept if label in path.name.split("-", 1)[1].split(f"-{window}.")[0].split("+")
        )
        return next((path for path in mine if path.suffix in (".arrow", ".txt")), None)

    def _prepare(self, group: Sequence[str], label: str, window: str, options: dict[str, float]) -> None:
        path = self.folder / f"credit-{label}-{window}.arrow"
        if not group or path.exists() or path.with_suffix(".txt").exists():
            return
        try:
            _write(credited(self.tables, group, **options), path)
        except JourneyError as error:
            if label == "rules" or len(group) == 1:
                path.with_suffix(".txt").write_text(str(error))
                return
            # One that these data do not support spoils no other.
            for part in (group[: len(group) // 2], group[len(group) // 2 :]):
                self._prepare(part, "+".join(part), window, options)

    def remember(self, key: Hashable, make: Callable[[], _Result]) -> _Result:
        """Return what ``make`` gives, made once for each snapshot and key as long as memory lasts."""
        whole = (str(self.folder), key)
        with _lock:
            if whole in _remembered:
                _remembered.move_to_end(whole)
                found: _Result = _remembered[whole]
                return found
        result = make()
        with _lock:
            _remembered[whole] = result
            while len(_remembered) > _MEMORY:
                _remembered.popitem(last=False)
        return result


def stamp(session: Session) -> str:
    """Return what differs whenever the data differ."""
    marks = select(func.max(DataChange.id), func.count()).select_from(DataChange)
    # The newest rows tell a database that was restored from an older copy, and has gone on, from itself.
    newest = [session.scalar(select(func.max(table.id))) for table in (Touch, Call, Deal)]
    return "-".join(str(part or 0) for part in (*session.execute(marks).one(), *newest))


def current(session: Session, settings: Settings, *, at: datetime) -> Snapshot:
    """Return the snapshot of the data as they are, or the last one while the next is being taken.

    Raises
    ------
    Preparing
        If there is none yet and the data are many; it is being taken.
    """
    here = settings.data_dir / "snapshots"
    told = stamp(session)
    wanted = here / _name(told, settings)
    if (wanted / "about.json").exists():
        return _open(wanted, stale=False)
    older = _newest(here)
    if older is None:
        many = int(told.split("-")[2]) > _MANY
    else:
        many = json.loads((older / "about.json").read_text())["seconds"] > _PATIENCE
    if many:
        _take_beside(settings)
        if older is None:
            raise Preparing
        return _open(older, stale=True)
    with _lock:
        take(session, settings, at=at)
    return _open(wanted, stale=False)


def take(session: Session, settings: Settings, *, at: datetime, models: Sequence[str] = ()) -> Path:
    """Take a snapshot of the data as they are, with the credit of some models worked out."""
    here = settings.data_dir / "snapshots"
    wanted = here / _name(stamp(session), settings)
    if (wanted / "about.json").exists():
        return wanted
    here.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    tables = journeys.export(session, currency=settings.currency)
    folder = Path(tempfile.mkdtemp(prefix="new-", dir=here))
    nobody = pa.nulls(tables.answers.num_rows, pa.string())
    for name in ("verbatim", "rep"):
        place = tables.answers.schema.get_field_index(name)
        tables = replace(tables, answers=tables.answers.set_column(place, name, nobody))
    for field in fields(tables):
        _write(getattr(tables, field.name), folder / f"{field.name}.arrow")
    options = {"lookback_days": settings.lookback_days, "half_life_days": settings.half_life_days}
    Snapshot(folder, tables, at, stale=False).credit(models, **options)
    about = {"taken_at": at.isoformat(), "seconds": time.perf_counter() - started}
    (folder / "about.json").write_text(json.dumps(about))
    with suppress(OSError):
        # Another process may have been first; both are the same.
        folder.rename(wanted)
    _tidy(here)
    return wanted


def whole(session: Session, settings: Settings, *, at: datetime) -> Snapshot:
    """Return the snapshot of the data as they are, however long it takes."""
    return _open(take(session, settings, at=at), stale=False)


def take_now(settings: Settings) -> None:
    """Take a snapshot in a process of its own, with the credit of every model, behind whoever is waiting."""
    os.nice(10)
    engine = db.open_installed(settings)
    try:
        with db.reading(engine) as session:
            take(session, settings, at=clock.now(), models=(*_RULES, *_FITTED))
    finally:
        engine.dispose()


_beside: dict[str, Any] = {}


def _take_beside(settings: Settings) -> None:
    key = str(settings.data_dir)
    with _lock:
        running = _beside.get(key)
        if running is None or not running.is_alive():
            # A new process: a thread would hold up the telephone's webhooks while it copies rows.
            process = multiprocessing.get_context("spawn").Process(
                target=take_now, args=(settings,), daemon=True
            )
            process.start()
            _beside[key] = process


def _name(told: str, settings: Settings) -> str:
    whole = f"{_FORMAT} {told} {settings.currency} {settings.url}"
    return hashlib.sha256(whole.encode()).hexdigest()[:20]


def _open(folder: Path, *, stale: bool) -> Snapshot:
    def make() -> tuple[Journeys, datetime]:
        about = json.loads((folder / "about.json").read_text())
        tables = {field.name: _read(folder / f"{field.name}.arrow") for field in fields(Journeys)}
        return Journeys(**tables), datetime.fromisoformat(about["taken_at"])

    empty = Snapshot(folder, None, None, stale)  # type: ignore[arg-type]  # only its memory is asked
    tables, taken_at = empty.remember("tables", make)
    return Snapshot(folder, tables, taken_at, stale)


def _newest(here: Path) -> Path | None:
    found = [path.parent for path in here.glob("*/about.json") if not path.parent.name.startswith("new-")]
    return max(found, key=lambda folder: (folder / "about.json").stat().st_mtime, default=None)


def _tidy(here: Path) -> None:
    whole = [path.parent for path in here.glob("*/about.json")]
    whole.sort(key=lambda folder: (folder / "about.json").stat().st_mtime, reverse=True)
    for folder in whole[_KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)


def _write(table: pa.Table, path: Path) -> None:
    new = path.with_name(f"{path.name}.{threading.get_ident()}")
    with pa.OSFile(str(new), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    new.rename(path)


def _read(path: Path) -> pa.Table:
    # Mapped, not read: the pages of the file are shared by all processes and given back when memory is short.
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()
