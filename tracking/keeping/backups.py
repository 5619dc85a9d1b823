"""Backups: made while the service runs, proved by reading them back, restored whole or not at all.

A backup is one file: the rows of all tables as of one moment, and the files beside them. Files are taken
first: an event that leaves the spool meanwhile is in both, which changes nothing, and never in neither. It is
sealed with the master key, which is not in it.
"""

import gzip
import hashlib
import importlib.metadata
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from tracking.errors import Conflict, Invalid
from tracking.keeping import sealedfile, tables
from tracking.storage import db, running
from tracking.storage.config import Settings
from tracking.storage.files import private

ENDING = ".backup"
_PROVED = ".verified"
_STAMP = "ringtrail-%Y%m%dT%H%M%SZ"
_FOLDERS = ("spool", "views", "uploads", "simulations")
"""Folders of the data folder whose files belong to a backup."""
_PART = ".part"
_CUT_OFF_S = 3600
_STAGED = "restoring-"
_LEAST_ROOM = 1_000_000
_GONE = (FileNotFoundError, NotADirectoryError)

Told = Callable[[int, int | None], None]


def _tell_nobody(_done: int, _total: int | None) -> None:
    return


@dataclass(slots=True)
class Contents:
    """What a backup holds."""

    made_at: datetime
    program: str
    schema: str
    key: str
    columns: tables.Kinds = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    """How many there are of each folder."""
    sealed: int = 0
    """Sealed values, each of which opened."""


def create(
    engine: Engine, settings: Settings, *, at: datetime, to: Path | None = None, progress: Told = _tell_nobody
) -> Path:
    """Make a backup of a running installation, prove it by reading it back, and return its file.

    Raises
    ------
    Conflict
        If the disk has no room for it, or there is a file of that name.
    """
    path = to or settings.backups / f"{at.astimezone(UTC).strftime(_STAMP)}{ENDING}"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists():
        raise Conflict("%(path)s already exists; choose another name", path=str(path))
    _drop_parts(path.parent, at)
    draft = path.with_name(f"{path.name}.{os.urandom(4).hex()}{_PART}")
    about = {
        "made_at": at.astimezone(UTC).isoformat(),
        "program": importlib.metadata.version("ringtrail"),
        "schema": max(db.revisions()),
    }
    try:
        with open(draft, "xb", opener=private) as file:
            sealed = sealedfile.Writer(file, about)
            with gzip.GzipFile(fileobj=cast(BinaryIO, sealed), mode="wb", compresslevel=1, mtime=0) as packed:
                _write(
                    engine,
                    settings,
                    packed,
                    lambda done, total: _with_room(file, settings, progress, done, total),
                )
            sealed.finish()
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except OSError as error:
        raise Conflict("%(path)s cannot be written: %(why)s", path=str(path), why=str(error)) from error
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.parent)
    try:
        prove(path, at=at, progress=progress)
    except Invalid:
        # It could not be restored, and the next ones like it would fill the disk.
        path.unlink()
        raise
    return path


def _drop_parts(folder: Path, at: datetime) -> None:
    """Delete what was left of backups that were cut off; one that is being made was written to just now."""
    for part in folder.glob(f"ringtrail-*{ENDING}.*{_PART}"):
        with suppress(OSError):
            if abs(at.timestamp() - part.stat().st_mtime) > _CUT_OFF_S:
                part.unlink()


def _with_room(file: BinaryIO, settings: Settings, progress: Told, done: int, total: int | None) -> None:
    held = os.fstatvfs(file.fileno())
    least = settings.reserved_bytes if held.f_fsid == os.statvfs(settings.data_dir).f_fsid else _LEAST_ROOM
    if held.f_bavail * held.f_frsize < least:
        raise Conflict("the disk is nearly full, and calls need the rest; free some space, then try again")
    progress(done, total)


def _write(engine: Engine, settings: Settings, packed: gzip.GzipFile, progress: Told) -> None:
    sums: dict[str, dict[str, Any]] = {}
    done = 0
    with tarfile.open(fileobj=packed, mode="w|") as tar:

        def add(name: str, content: bytes, rows: int | None = None) -> None:
            nonlocal done
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
            sums[name] = {"sha256": hashlib.sha256(content).hexdigest(), "rows": rows}
            done += len(content)
            progress(done, None)

        add("about.json", json.dumps({"columns": tables.kinds()}).encode())
        for folder in _FOLDERS:
            for path in _files(settings.data_dir / folder):
                with suppress(*_GONE):  # taken into the database meanwhile, or a day old
                    add(f"files/{folder}/{path.name}", path.read_bytes())
        with db.reading(engine) as session:
            for name in tables.kinds():
                for place, (content, rows) in enumerate(tables.parts(session, name)):
                    add(f"tables/{name}/{place:06d}", content, rows)
        content = json.dumps(sums).encode()
        entry = tarfile.TarInfo("checksums.json")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file() and not path.is_symlink())
    except _GONE:
        return []


def _members(file: BinaryIO, progress: Told) -> Iterator[tuple[str, bytes]]:
    """Return the members of a backup with their content; raise Invalid where one is not what was written."""
    sums: dict[str, str] = {}
    told: dict[str, dict[str, Any]] | None = None
    done = 0
    try:
        with (
            gzip.GzipFile(fileobj=io.BufferedReader(sealedfile.Reader(file)), mode="rb") as packed,
            tarfile.open(fileobj=packed, mode="r|") as tar,
        ):
            for entry in tar:
                held = tar.extractfile(entry)
                content = held.read() if held else b""
                if entry.name == "checksums.json":
                    told = json.loads(content)
                    continue
                sums[entry.name] = hashlib.sha256(content).hexdigest()
                done += len(content)
                progress(done, None)
                yield entry.name, content
            # To the very end: only the last frame says that the file is whole.
            while packed.read(1 << 16):
                pass
    except (tarfile.TarError, EOFError, OSError, json.JSONDecodeError) as error:
        raise Invalid("backup", "the file is damaged; use another backup") from error
    if told is None or {name: one["sha256"] for name, one in told.items()} != sums:
        raise Invalid("backup", "the contents do not match the checksums; use another backup")


def verify(path: Path, *, progress: Told = _tell_nobody) -> Contents:
    """Read a backup to its end: every byte, row and sealed value.

    Raises
    ------
    Invalid
        Saying what is wrong with it.
    """
    with _opened(path) as file:
        told = sealedfile.about(file)
        file.seek(0)
        found = Contents(
            datetime.fromisoformat(told["made_at"]), told["program"], told["schema"], told["key"]
        )
        for name, content in _members(file, progress):
            kind, _, rest = name.partition("/")
            if name == "about.json":
                found.columns = json.loads(content)["columns"]
            elif kind == "tables":
                table = rest.partition("/")[0]
                rows = tables.rows(content, found.columns[table])
                found.rows[table] = found.rows.get(table, 0) + len(rows)
                found.sealed += tables.open_all(table, rows, found.columns[table])
            else:
                folder = rest.partition("/")[0]
                found.files[folder] = found.files.get(folder, 0) + 1
    return found


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise Invalid("backup", "%(path)s cannot be read: %(why)s", path=str(path), why=str(error)) from error


def prove(path: Path, *, at: datetime, progress: Told = _tell_nobody) -> Contents:
    """Verify a backup and note beside it that it was."""
    found = verify(path, progress=progress)
    note = {"at": at.astimezone(UTC).isoformat(), "size": path.stat().st_size}
    beside = path.with_name(path.name + _PROVED)
    with suppress(OSError):  # a backup on a disc that takes nothing more is as good
        beside.write_text(json.dumps(note))
    return found


@dataclass(frozen=True, slots=True)
class Proved:
    """A backup that was verified."""

    path: Path
    made_at: datetime


def proved(settings: Settings) -> list[Proved]:
    """Return the backups that were verified and have the size they had then, the newest first."""
    found = []
    for beside in settings.backups.glob(f"*{ENDING}{_PROVED}"):
        path = beside.with_name(beside.name.removesuffix(_PROVED))
        try:
            note = json.loads(beside.read_text())
            with path.open("rb") as file:
                made_at = datetime.fromisoformat(sealedfile.about(file)["made_at"])
            if path.stat().st_size == note["size"]:
                found.append(Proved(path, made_at))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return sorted(found, key=lambda one: one.made_at, reverse=True)


def thin_out(settings: Settings) -> list[Path]:
    """Delete verified backups that no day, week or month keeps; return them. The newest always stays.

    What was not verified, or has another name than ours give, is left alone.
    """
    every = [one for one in proved(settings) if one.path.name == _own_name(one.made_at)]
    kept: set[Path] = {one.path for one in every[:1]}
    local = {one.path: one.made_at.astimezone(settings.zone).date() for one in every}
    periods: tuple[Callable[[date], date], ...] = (
        lambda day: day,
        lambda day: day - timedelta(days=day.weekday()),
        lambda day: day.replace(day=1),
    )
    for period, most in zip(periods, map(int, settings.backup_keep.split(",")), strict=True):
        newest: dict[Any, Path] = {}
        for one in every:
            newest.setdefault(period(local[one.path]), one.path)
        kept |= set(list(newest.values())[:most])
    gone = [one.path for one in every if one.path not in kept]
    for path in gone:
        path.unlink(missing_ok=True)
        path.with_name(path.name + _PROVED).unlink(missing_ok=True)
    return gone


def _own_name(made_at: datetime) -> str:
    return f"{made_at.astimezone(UTC).strftime(_STAMP)}{ENDING}"


def is_due(settings: Settings, *, at: datetime) -> bool:
    """Tell whether the time of the daily backup has come since the last one, or since there is a folder."""
    if not settings.backup_at:
        return False
    settings.backups.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A new installation waits for its first night; the folder is as old as it is.
    last = datetime.fromtimestamp(settings.backups.stat().st_mtime, UTC)
    # One of a day to come was made while the clock was ahead.
    if made := [one for one in proved(settings) if one.made_at <= at]:
        last = made[0].made_at
    local = at.astimezone(settings.zone)
    when = time.fromisoformat(settings.backup_at)
    due = datetime.combine(local.date(), when, settings.zone)
    if due > at:
        due = datetime.combine(local.date() - timedelta(days=1), when, settings.zone)
    return last < due


def restore(
    engine: Engine,
    settings: Settings,
    path: Path,
    *,
    at: datetime,
    replace: bool,
    progress: Told = _tell_nobody,
    then: Callable[[Session, Settings, Contents], None] = lambda _session, _staged, _found: None,
) -> Contents:
    """Put an installation back as a backup has it, at this program's schema: all of it, or nothing.

    Events that lie in the spool stay and are taken in afterwards. ``then`` ends the transaction; it gets
    settings whose data folder holds the files of the backup.

    Raises
    ------
    Invalid
        If the backup cannot be used: damaged, of another key, of a newer program.
    Conflict
        If something is there already and ``replace`` does not allow for it, or the service runs.
    """
    with running.stopped(settings.data_dir):
        for left in cut_off(settings):
            _remove(left)
        found = verify(path, progress=progress)
        if found.schema not in db.revisions():
            raise Invalid(
                "backup",
                "this backup is from Ringtrail %(program)s (schema %(schema)s), which is newer than "
                "this version (schema %(own)s). Install that version or a newer one and restore there; with "
                "`--schema %(own)s` this version can use the data afterwards",
                program=found.program,
                schema=found.schema,
                own=max(db.revisions()),
            )
        staged = settings.data_dir / f"{_STAGED}{os.urandom(4).hex()}"
        try:
            with engine.begin() as connection:
                if not replace and not tables.is_empty(connection):
                    raise Conflict(
                        "the database already holds data; add --replace to overwrite it with the backup"
                    )
                if connection.dialect.has_table(connection, "alembic_version"):
                    tables.drop(connection)
                db.migrate(connection, found.schema)
                _fill(connection, path, found, staged, progress)
                db.migrate(connection)
                db.check_keys(connection, settings)
                with Session(connection) as session:
                    then(session, settings.model_copy(update={"data_dir": staged}), found)
                    session.commit()
            _place(staged, settings)
        finally:
            _remove(staged)
        return found


def cut_off(settings: Settings) -> list[Path]:
    """Return what restores left that were cut off: files that are not in their place."""
    return sorted(settings.data_dir.glob(f"{_STAGED}*"))


def _fill(connection: Connection, path: Path, found: Contents, staged: Path, progress: Told) -> None:
    filling = tables.Filling(connection, found.columns)
    with _opened(path) as file:
        for name, content in _members(file, progress):
            kind, _, rest = name.partition("/")
            folder, _, last = rest.partition("/")
            if kind == "tables":
                filling.add(folder, tables.rows(content, found.columns[folder]))
            elif kind == "files" and folder in _FOLDERS and last == Path(last).name:
                (staged / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
                with open(staged / folder / last, "wb", opener=private) as kept:
                    kept.write(content)
                    os.fsync(kept.fileno())
    filling.finish()


def _place(staged: Path, settings: Settings) -> None:
    for folder in _FOLDERS:
        into = settings.data_dir / folder
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in _files(staged / folder):
            path.replace(into / path.name)
        _sync(into)


def _remove(staged: Path) -> None:
    for folder in _FOLDERS:
        for path in _files(staged / folder):
            path.unlink(missing_ok=True)
        with suppress(OSError):
            (staged / folder).rmdir()
    with suppress(OSError):
        staged.rmdir()


def _sync(folder: Path) -> None:
    held = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)
