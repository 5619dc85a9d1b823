"""A change of key on a running service: all that is sealed is sealed anew, batch by batch, by the worker.

While it goes on both keys open and find. Which columns there are is told by their type, and how far it is
by the values themselves, each of which says which key sealed it; so it can be cut off and taken up again.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    LargeBinary,
    Row,
    Table,
    bindparam,
    delete,
    func,
    or_,
    select,
    text,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session

from tracking.access import audit
from tracking.errors import Conflict, Invalid
from tracking.keeping import tables
from tracking.records import contacts
from tracking.storage import db, kept, keys, namemarks, vault
from tracking.storage.column_types import Sealed
from tracking.storage.config import Settings
from tracking.storage.models import Contact, ContactPoint, Installation
from tracking.storage.vocabulary import Base
from tracking.telephony import reserve
from tracking.telephony.reserve import Reserve

_log = logging.getLogger(__name__)
_BATCH = 200
"""Values of one transaction: a few milliseconds, so that no call waits for it."""
_ASK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Progress:
    """How many sealed values there are, and how many of them an older key sealed."""

    total: int
    left: int


def sealed_columns() -> Iterator[tuple[Table, list[Column[Any]]]]:
    """Return each table with those of its columns that are sealed, by their type."""
    for table in Base.metadata.sorted_tables:
        if found := [column for column in table.columns if isinstance(column.type, Sealed)]:
            yield table, found


def adopt(session: Session, *, by: str, at: datetime) -> bool:
    """Tell the database which key seals from now on, where there is a new one; return whether there was."""
    ring = vault.installed()
    if session.scalar(select(Installation.key_fingerprint)) == ring.fingerprint:
        return False
    row = session.scalar(select(Installation).with_for_update())
    if row is None or row.key_fingerprint == ring.fingerprint:
        return False
    older = {row.key_fingerprint, *filter(None, row.older_keys.split(","))} - {ring.fingerprint}
    for fingerprint in older:
        if ring.of(fingerprint) is None:
            raise Conflict(
                "the database needs key %(key)s, which is not among those given; restore it", key=fingerprint
            )
    row.key_fingerprint, row.older_keys = ring.fingerprint, ",".join(sorted(older))
    audit.note(session, by, "key change", f"to {ring.fingerprint}", at=at)
    return True


def is_going_on(session: Session) -> bool:
    """Tell whether values wait to be sealed anew."""
    return bool(session.scalar(select(Installation.older_keys)))


def progress(session: Session) -> Progress:
    """Count what is sealed, and what by an older key."""
    total = left = 0
    for table, columns in sealed_columns():
        for column in columns:
            counted = select(func.count(column), func.count().filter(_is_stale(column))).select_from(table)
            one, other = session.execute(counted).one()
            total, left = total + one, left + other
    return Progress(total, left)


def run(
    engine: Engine,
    *,
    at: Callable[[], datetime],
    pause: Callable[[float], bool] = lambda _seconds: False,
) -> int:
    """Seal anew all that an older key sealed; return how many rows that were.

    ``pause`` waits for some seconds and tells whether to stop: as long as a batch has taken, so that others
    come to write in between.
    """
    with db.reading(engine) as session:
        if not is_going_on(session):
            return 0
    _let_others_end(engine, pause)
    done = 0
    for table, columns in sealed_columns():
        last = 0
        while True:
            begun = time.monotonic()
            ids = db.commit(engine, lambda s, t=table, c=columns, i=last: _batch(s, t, c, i))  # type: ignore[misc]  # bound for this turn
            if not ids:
                break
            last, done = ids[-1], done + len(ids)
            if pause(time.monotonic() - begun):
                return done
    with db.reading(engine) as session:
        if progress(session).left:
            return done  # passed over while somebody held them; the next run finds them
    db.commit(engine, lambda session: _finish(session, at()))
    return done


def _finish(session: Session, at: datetime) -> None:
    row = session.scalars(select(Installation).with_for_update()).one()
    if row.key_fingerprint == vault.installed().fingerprint and row.older_keys:
        audit.note(session, "worker", "key change done", f"from {row.older_keys}", at=at)
        row.older_keys = ""


def _is_stale(column: Column[Any]) -> ColumnElement[bool]:
    beginning = func.substr(type_coerce(column, LargeBinary), 1, vault.PREFIX, type_=LargeBinary)
    return beginning != vault.installed().current.mark


def _batch(session: Session, table: Table, columns: Sequence[Column[Any]], after: int) -> list[int]:
    raw = [type_coerce(column, LargeBinary).label(column.name) for column in columns]
    beside = {name for c in columns for name in (c.type.hash_in, c.type.kind_in) if name}  # type: ignore[attr-defined]  # of type Sealed
    wanted = (
        select(table.c.id, *raw, *(table.c[name] for name in sorted(beside)))
        .where(or_(*map(_is_stale, columns)), table.c.id > after)
        .order_by(table.c.id)
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    )
    connection = session.connection()
    rows = connection.execute(wanted).all()
    if not rows:
        return []
    sets: dict[str, Any] = {c.name: bindparam(f"new_{c.name}", type_=LargeBinary) for c in columns}
    found_by = (name for c in columns for name in (c.type.hash_in, c.type.marks_in) if name)  # type: ignore[attr-defined]  # as above
    sets |= {name: bindparam(f"new_{name}") for name in found_by}
    news = []
    for row in rows:
        try:
            news.append(_sealed_anew(row, columns))
        except Invalid as error:
            _log.error("the change of key passes over a value: %s", error)
    if table is ContactPoint.__table__:
        news = _without_twins(session, news, {row.id: row.kind for row in rows})
    if news:
        connection.execute(update(table).where(table.c.id == bindparam("row")).values(sets), news)
    return [row.id for row in rows]


def _sealed_anew(row: Row[Any], columns: Sequence[Column[Any]]) -> dict[str, Any]:
    told = row._mapping
    new: dict[str, Any] = {"row": row.id}
    for column in columns:
        kind, held = column.type, told[column.name]
        assert isinstance(kind, Sealed)
        with tables.naming(str(column), row.id):
            clear = None if held is None else vault.unseal(bytes(held), kind.purpose)
        new[f"new_{column.name}"] = None if clear is None else vault.seal(clear, kind.purpose)
        if kind.hash_in:
            hashed = told[kind.hash_in]
            if hashed is not None and clear is not None:
                name = told[kind.kind_in] if kind.kind_in else kind.kind or kind.purpose
                hashed = vault.lookup_hash(name, clear)
            new[f"new_{kind.hash_in}"] = hashed
        if kind.marks_in:
            new[f"new_{kind.marks_in}"] = namemarks.marks(clear)
    return new


def _without_twins(
    session: Session, news: list[dict[str, Any]], kinds: dict[int, Any]
) -> list[dict[str, Any]]:
    """Let a person who was met under both keys at one moment be one, and return the points that stay."""
    known = select(ContactPoint).where(ContactPoint.value_hash.in_([new["new_value_hash"] for new in news]))
    there = {(point.kind, point.value_hash): point for point in session.scalars(known)}
    kept = []
    for new in news:
        twin = there.get((kinds[new["row"]], new["new_value_hash"]))
        if twin is None or twin.id == new["row"]:
            kept.append(new)
            continue
        mine = contacts.root(session, session.get_one(ContactPoint, new["row"]).contact)
        theirs = contacts.root(session, twin.contact)
        if mine is not theirs:
            contacts.merge(session, Contact, mine.id, theirs.id)
        session.execute(delete(ContactPoint).where(ContactPoint.id == new["row"]))
    return kept


def _let_others_end(engine: Engine, pause: Callable[[float], bool]) -> None:
    """Wait for transactions that began before this: theirs may be the last that knew one key only."""
    if engine.dialect.name != "postgresql":
        return  # one writes at a time, and whoever writes next knows both
    older = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND xact_start < :at AND state <> 'idle'"
    )

    def ask(statement: str, **values: Any) -> Any:
        with engine.connect() as connection:
            return _answer(connection, statement, values)

    began = ask("SELECT clock_timestamp()")
    while ask(older, at=began):
        if pause(_ASK_EVERY_S):
            return
        time.sleep(_ASK_EVERY_S)


def _answer(connection: Connection, statement: str, values: dict[str, Any]) -> Any:
    return connection.execute(text(statement), values).scalar()


def rotate(engine: Engine, settings: Settings, *, by: str, at: datetime) -> str:
    """Make a new key the one that seals, and return its fingerprint; the old one goes on opening.

    Raises
    ------
    Conflict
        If the keys are not in a file of ours, or a change is going on.
    """
    if (path := settings.key_file) is None:
        raise Conflict(
            "the key is in RINGTRAIL_KEY; write a new one there (`ringtrail key` makes one), a space, "
            "and the present one, then restart every process of this service: the worker does the rest"
        )
    with db.reading(engine) as session:
        if is_going_on(session):
            raise Conflict("a key change is already running; see its progress with `ringtrail doctor`")
    keys.write(path, f"{vault.new_master_key()}\n{path.read_text().strip()}\n", replace=True)
    db.commit(engine, lambda session: adopt(session, by=by, at=at))
    return vault.installed().fingerprint


def retire(engine: Engine, settings: Settings, *, by: str, at: datetime) -> str:
    """Make all keys but the one that seals worthless; return the words that stand in the key file then.

    Raises
    ------
    Conflict
        If there is no older key, or something is still sealed with one.
    """
    ring = vault.installed()
    older = [key for key in ring.masters if key is not ring.current]
    if not older:
        raise Conflict("no older key found; create a new one with `ringtrail key rotate`")
    with db.reading(engine) as session:
        stale = progress(session).left if not is_going_on(session) else None
    if stale != 0:
        raise Conflict(
            "some values still need an older key; wait until `ringtrail doctor` reports that the "
            "key change is done"
        )
    kept.renew(settings)
    for path, beginning in _sealed_files(settings):
        if beginning != ring.current.mark:
            raise Conflict(
                "%(path)s still needs an older key; wait until it is imported or discarded, at most one day",
                path=str(path),
            )
    words = settings.key.get_secret_value() or (settings.data_dir / "ringtrail.key").read_text()
    left = [words.split()[0], *(key.kept() for key in ring.all[1:])]
    done = ", ".join(key.fingerprint for key in older)
    # First on the trail: cut off in between, it says too much and not too little.
    db.commit(engine, lambda session: audit.note(session, by, "key retire", done, at=at))
    if settings.key_file is not None:
        keys.write(settings.key_file, "\n".join(left) + "\n", replace=True)
        keys.drop_drafts(settings.key_file)
    return "\n".join(left)


def _sealed_files(settings: Settings) -> Iterator[tuple[Path, bytes]]:
    """Return what is sealed beside the database with how it begins, which says by which key."""
    folders = (settings.spool_dir, settings.views_dir, settings.data_dir / "uploads")
    for path in (*(path for folder in folders for path in folder.glob("*")), settings.data_dir / kept.COPY):
        if path.is_file():
            with path.open("rb") as file:
                yield path, file.read(vault.PREFIX)
    for folder in folders[:2]:
        for _, record in Reserve(path := folder.with_name(f"{folder.name}.reserve")).some(reserve.MOST):
            yield path, record[: vault.PREFIX]
