"""Many new rows at once, given by columns and written past the ORM, as each database takes them fastest.

SQLite repeats one statement for all of them, PostgreSQL reads them by COPY. Either costs a third of an insert
by the ORM and of the conversions that it makes for each cell. What is given waits until it is looked for or
the transaction ends, so that the thread that ends it can do the writing beside other work.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    ColumnElement,
    Connection,
    Enum,
    Executable,
    FromClause,
    Result,
    String,
    TextClause,
    any_,
    bindparam,
    event,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, ORMExecuteState, Session

from tracking.storage import changes, vault
from tracking.storage.column_types import EPOCH, Moment, Sealed
from tracking.storage.vocabulary import Base

_WAITING = "rows waiting"


def insert(session: Session, table: type[Base], columns: Mapping[str, Sequence[Any]]) -> None:
    """Add rows whose values stand in ``columns``, all of one length; the others have the model's defaults.

    What is new is noted for the figures, for tables whose rows belong to a contact.
    """
    values = list(columns.values())
    if not values or not values[0]:
        return
    mapped = table.__table__
    if table.__tablename__ in changes.BY_CONTACT:
        changes.note(session, contacts=set(columns["contact_id"]))
    elif table.__tablename__ not in changes.WITHOUT_MARK:
        raise TypeError(f"rows of {table.__tablename__} are noted by the ORM; add them by it")
    whole = {**columns, **_defaults(mapped, columns, len(values[0]))}
    connection = session.connection()
    dialect = connection.dialect.name
    stored = [
        convert(column) if (convert := _conversion(mapped.c[name].type, dialect)) else column
        for name, column in whole.items()
    ]
    step = _many if dialect == "sqlite" else _copy
    waiting = session.info.setdefault(_WAITING, [])
    waiting.append(partial(step, table.__tablename__, tuple(whole), list(zip(*stored, strict=True))))


def write(session: Session) -> None:
    """Write what :func:`insert` was given; statements that could see it, and the commit, do so themselves."""
    if waiting := session.info.pop(_WAITING, None):
        connection = session.connection()
        for step in waiting:
            step(connection)


def among(
    session: Session, column: InstrumentedAttribute[Any], wanted: Collection[str]
) -> ColumnElement[bool]:
    """Return whether a column holds one of many texts, which go to the database as one value."""
    if session.get_bind().dialect.name == "sqlite":
        return column.in_(select(func.json_each(json.dumps(list(wanted))).table_valued("value").c.value))
    return column == any_(literal(list(wanted), ARRAY(String)))


def among_wanted(dialect: str, column: Any) -> ColumnElement[bool]:
    """Return whether a column holds one of the texts that :func:`find` is given."""
    each: ColumnElement[bool] = (
        column.in_(select(func.json_each(bindparam("wanted")).table_valued("value").c.value))
        if dialect == "sqlite"
        else column == any_(bindparam("wanted", type_=ARRAY(String)))
    )
    return each


def find(
    session: Session, query: Callable[[str], Executable], wanted: Collection[str], **more: object
) -> Result[Any]:
    """Return what a query finds of many texts; ``query`` makes it by the kind of database, and keeps it.

    A query that is made anew for each request costs more than to execute it does.
    """
    if session.autoflush:
        session.flush()
    write(session)
    connection = session.connection()
    dialect = connection.dialect.name
    told = json.dumps(list(wanted)) if dialect == "sqlite" else list(wanted)
    return connection.execute(query(dialect), {"wanted": told, **more})


def free_ids(session: Session, counts: Mapping[type[Base], int]) -> list[Sequence[int]]:
    """Reserve so many row numbers of each table, so that rows which point to one another go in together."""
    if session.autoflush:
        session.flush()
    write(session)
    connection = session.connection()
    names = tuple(table.__tablename__ for table in counts)
    if connection.dialect.name == "postgresql":
        told = {f"n{place}": count for place, count in enumerate(counts.values())}
        return [found or () for found in connection.execute(_next(names), told).one()]
    # The transaction is the only one that writes until it ends (BEGIN IMMEDIATE).
    last = connection.execute(_last(names)).one()
    return [range((at or 0) + 1, (at or 0) + 1 + n) for at, n in zip(last, counts.values(), strict=True)]


@cache
def _next(names: tuple[str, ...]) -> TextClause:
    # Others insert meanwhile: only numbers from the sequence are never given twice. One past the largest
    # row would be theirs as well, and its insert would fail after ours, or ours after theirs.
    each = (
        f"ARRAY(SELECT nextval(pg_get_serial_sequence('\"{name}\"', 'id'))"  # noqa: S608 - our own names
        f" FROM generate_series(1, :n{place}))"
        for place, name in enumerate(names)
    )
    return text(f"SELECT {', '.join(each)}")


@cache
def _last(names: tuple[str, ...]) -> TextClause:
    return text("SELECT " + ", ".join(f'(SELECT max(id) FROM "{name}")' for name in names))  # noqa: S608 - our own names


def _defaults(mapped: FromClause, given: Collection[str], count: int) -> dict[str, list[Any]]:
    """Return the columns that the model fills where nobody does, but for those that stay null."""
    found = {}
    for column in mapped.columns:
        if column.name not in given and (default := column.default) is not None:
            arg: Any = default.arg
            values = [arg(None) if default.is_callable else arg for _ in range(count)]
            if any(value is not None for value in values):
                found[column.name] = values
    return found


def _conversion(kind: Any, dialect: str) -> Callable[[Sequence[Any]], list[Any]] | None:
    """Return how a column's values become what the driver takes; None where they are that already."""
    if isinstance(kind, Moment):
        return _micros if dialect == "sqlite" else None
    if isinstance(kind, Sealed):
        purpose = kind.purpose
        return lambda values: [None if v is None else vault.seal_again(v, purpose) for v in values]
    if isinstance(kind, Enum):
        names: dict[Any, str | None] = {member: member.name for member in kind.enum_class or ()}
        names[None] = None
        return lambda values: [names[value] for value in values]
    if isinstance(kind, JSON):
        return lambda values: ["[]" if value == [] else json.dumps(value) for value in values]
    if isinstance(kind, Boolean) and dialect == "sqlite":
        return lambda values: [None if value is None else int(value) for value in values]
    return None


def _micros(values: Sequence[datetime | None]) -> list[int | None]:
    found: list[int | None] = []
    for value in values:
        if value is None:
            found.append(None)
        else:
            since = value - EPOCH
            found.append((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)
    return found


def _many(table: str, names: tuple[str, ...], found: list[tuple[Any, ...]], connection: Connection) -> None:
    marks = ", ".join("?" * len(names))
    connection.exec_driver_sql(f"INSERT INTO {_named(table, names)} VALUES ({marks})", found)  # noqa: S608 - our own names


def _named(table: str, names: tuple[str, ...]) -> str:
    return f'"{table}" ({", ".join(names)})'


def _copy(table: str, names: tuple[str, ...], found: list[tuple[Any, ...]], connection: Connection) -> None:
    statement = f"COPY {_named(table, names)} FROM STDIN"
    driver: Any = connection.connection.cursor()
    module: Any = connection.dialect.loaded_dbapi
    try:
        with driver as cursor, cursor.copy(statement) as lines:
            for row in found:
                lines.write_row(row)
    except module.IntegrityError as error:
        raise IntegrityError(statement, None, error, hide_parameters=True) from error
    except module.DataError as error:
        raise DataError(statement, None, error, hide_parameters=True) from error


def _executed(state: ORMExecuteState) -> None:
    write(state.session)


def _flushed(session: Session, _context: object, _instances: object) -> None:
    write(session)


def _forgotten(session: Session) -> None:
    session.info.pop(_WAITING, None)


event.listen(Session, "do_orm_execute", _executed)
event.listen(Session, "before_flush", _flushed)
event.listen(Session, "before_commit", write)
event.listen(Session, "after_rollback", _forgotten)
