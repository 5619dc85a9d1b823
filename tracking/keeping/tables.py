"""All rows of a database as lines of JSON, and back into a database of either make."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Date,
    Engine,
    Float,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    func,
    insert,
    inspect,
    select,
    text,
    type_coerce,
    update,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.types import BigInteger, TypeEngine

from tracking.errors import Conflict, Invalid
from tracking.storage import db, vault
from tracking.storage.column_types import Moment, Said, Sealed, from_micros, to_micros
from tracking.storage.vocabulary import Base

_SEALED = "sealed "
_PART = 4_000_000
"""Characters of one part of a table: what is held in memory at a time."""
_ROWS = 1000

_TYPES: Mapping[str, TypeEngine[Any]] = {
    "moment": Moment(),
    "bytes": LargeBinary(),
    "json": JSON(none_as_null=True),
    "truth": Boolean(),
    "day": Date(),
    "fraction": Float(),
    "whole": BigInteger(),
    "text": String(),
}
Kinds = Mapping[str, Mapping[str, str]]
"""Of each table its columns, and what each holds."""


def kinds() -> dict[str, dict[str, str]]:
    """Return what the columns of this program's tables hold, tables that others point to first."""
    return {
        table.name: {column.name: _kind(column) for column in table.columns}
        for table in Base.metadata.sorted_tables
    }


def _kind(column: Column[Any]) -> str:
    kind = column.type
    if isinstance(kind, Sealed):
        return _SEALED + kind.purpose
    for name, types in (
        ("moment", Moment),
        ("json", (JSON, Said)),
        ("truth", Boolean),
        ("bytes", LargeBinary),
        ("day", Date),
        ("fraction", Float),
        ("text", String),
    ):
        if isinstance(kind, types):
            return name
    assert kind.python_type is int, f"{column} is of a type that no backup knows"
    return "whole"


def _type(kind: str) -> TypeEngine[Any]:
    return _TYPES["bytes" if kind.startswith(_SEALED) else kind]


def parts(session: Session, name: str) -> Iterator[tuple[bytes, int]]:
    """Return the rows of a table as some lines of JSON at a time, and how many rows those are."""
    table = Base.metadata.tables[name]
    columns = [(column, _kind(column)) for column in table.columns]
    wanted = select(*(type_coerce(column, _type(kind)) for column, kind in columns))
    wanted = wanted.order_by(*table.primary_key.columns)
    lines: list[str] = []
    size = 0
    with session.connection().execution_options(yield_per=_ROWS).execute(wanted) as rows:
        for row in rows:
            values = [_out(value, kind) for value, (_, kind) in zip(row, columns, strict=True)]
            lines.append(json.dumps(values, ensure_ascii=False, separators=(",", ":")))
            size += len(lines[-1])
            if size > _PART:
                yield "\n".join(lines).encode(), len(lines)
                lines, size = [], 0
    if lines:
        yield "\n".join(lines).encode(), len(lines)


def _out(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "moment":
        return to_micros(value)
    if kind == "day":
        return value.isoformat()
    if kind == "bytes" or kind.startswith(_SEALED):
        return base64.b64encode(value).decode()
    return value


def _in(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "moment":
        return from_micros(value)
    if kind == "day":
        return date.fromisoformat(value)
    if kind == "bytes" or kind.startswith(_SEALED):
        return base64.b64decode(value, validate=True)
    return value


def rows(part: bytes, columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """Read the rows of a part of a table.

    Raises
    ------
    Invalid
        If they are not what the columns say.
    """
    try:
        found = [json.loads(line) for line in part.decode().split("\n")]
        return [
            {name: _in(value, kind) for value, (name, kind) in zip(row, columns.items(), strict=True)}
            for row in found
        ]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Invalid("backup", "a row cannot be read; use another backup") from error


@contextmanager
def naming(column: str, row: object) -> Iterator[None]:
    """Name the row where a value in it does not open."""
    try:
        yield
    except Invalid:
        raise Invalid(
            "key",
            "%(column)s of row %(row)s is damaged or needs another key; restore that key, or empty the value",
            column=column,
            row=row,
        ) from None


def open_all(table: str, found: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> int:
    """Open every sealed value of some rows, and return how many; raise Invalid naming one that does not."""
    sealed = {name: kind.removeprefix(_SEALED) for name, kind in columns.items() if kind.startswith(_SEALED)}
    opened = 0
    for row in found:
        for name, purpose in sealed.items():
            if row[name] is not None:
                with naming(f"{table}.{name}", row["id"]):
                    vault.unseal_bytes(row[name], purpose)
                opened += 1
    return opened


class Filling:
    """Fills empty tables, of whatever schema the backup has."""

    def __init__(self, connection: Connection, columns: Kinds) -> None:
        self._connection = connection
        bare = MetaData()
        self._tables = {
            name: Table(name, bare, *(Column(column, _type(kind)) for column, kind in told.items()))
            for name, told in columns.items()
        }
        self._own = {name: self._to_itself(name) for name in columns}
        self._later: dict[str, list[dict[str, Any]]] = {}

    def _to_itself(self, name: str) -> list[str]:
        """Return the columns that point to rows of the same table, some of which come later."""
        keys = inspect(self._connection).get_foreign_keys(name)
        return [
            column for key in keys if key["referred_table"] == name for column in key["constrained_columns"]
        ]

    def add(self, name: str, found: list[dict[str, Any]]) -> None:
        """Add rows to a table."""
        for column in self._own[name]:
            for row in found:
                if row[column] is not None:
                    later = {"row": row["id"], "value": row[column], "column": column}
                    self._later.setdefault(name, []).append(later)
                    row[column] = None
        self._connection.execute(insert(self._tables[name]), found)

    def finish(self) -> None:
        """Let rows point to others of their table, and let new rows be numbered after these."""
        for name, later in self._later.items():
            table = self._tables[name]
            for column in {one["column"] for one in later}:
                change = update(table).where(table.c.id == bindparam("row"))
                values = [{"row": o["row"], "value": o["value"]} for o in later if o["column"] == column]
                self._connection.execute(change.values({column: bindparam("value")}), values)
        if self._connection.dialect.name != "postgresql":
            return  # SQLite numbers a row after the largest
        for name, table in self._tables.items():
            if "id" in table.c:
                step = (
                    f"SELECT setval(pg_get_serial_sequence('\"{name}\"', 'id'), max(id)) "  # noqa: S608 - our own names
                    f'FROM "{name}" HAVING max(id) IS NOT NULL'
                )
                self._connection.execute(text(step))


def drop(connection: Connection) -> None:
    """Drop this program's tables, brought up to its schema before, with all that is in them."""
    db.migrate(connection)
    if connection.dialect.name == "postgresql":
        names = ", ".join(f'"{name}"' for name in [*Base.metadata.tables, "alembic_version"])
        connection.execute(text(f"DROP TABLE IF EXISTS {names} CASCADE"))
        functions = (
            "SELECT p.oid::regprocedure::text FROM pg_proc p LEFT JOIN pg_depend d "
            "ON d.objid = p.oid AND d.deptype = 'e' WHERE d.objid IS NULL "
            "AND p.pronamespace = current_schema()::regnamespace AND p.prorettype = 'trigger'::regtype"
        )
        for name in connection.execute(text(functions)).scalars().all():
            connection.execute(text(f"DROP FUNCTION {name}"))
        return
    for table in reversed(Base.metadata.sorted_tables):
        connection.execute(text(f'DROP TABLE IF EXISTS "{table.name}"'))
    connection.execute(text("DROP TABLE IF EXISTS alembic_version"))


def take_back(engine: Engine, schema: str) -> list[str]:
    """Take the schema back to that of an older program; return what that has no room for, by its names.

    Raises
    ------
    Conflict
        If the way back does not lead there; nothing is changed then.
    """
    before = _filled(engine)
    try:
        db.downgrade(engine, schema)
    except SQLAlchemyError as error:
        raise Conflict(
            "cannot downgrade the data to schema %(schema)s; they stay at schema %(own)s",
            schema=schema,
            own=max(db.revisions()),
        ) from error
    after = _filled(engine)
    lost = [f"{name} ({max(columns.values())})" for name, columns in before.items() if name not in after]
    for name, columns in before.items():
        left = after.get(name, columns)
        lost += [f"{name}.{column} ({columns[column]})" for column in columns if column not in left]
    return lost


def _filled(engine: Engine) -> dict[str, dict[str, int]]:
    """Return in how many rows each column of each table holds something; what holds nothing is left out."""
    found: dict[str, dict[str, int]] = {}
    with db.reading(engine) as session:
        connection = session.connection()
        about = inspect(connection)
        for name in set(about.get_table_names()) & set(Base.metadata.tables):
            bare = Table(name, MetaData(), *(Column(one["name"]) for one in about.get_columns(name)))
            counted = select(*(func.count(column).label(column.name) for column in bare.columns))
            held = connection.execute(counted).one()._mapping
            found[name] = {str(column): count for column, count in held.items() if count}
    return {name: columns for name, columns in sorted(found.items()) if columns}


def is_empty(connection: Connection) -> bool:
    """Tell whether a database has none of this program's tables, or nothing in them that people made."""
    there = set(inspect(connection).get_table_names()) & set(Base.metadata.tables)
    return not any(
        connection.execute(text(f'SELECT 1 FROM "{name}" LIMIT 1')).first()  # noqa: S608 - our own names
        for name in there - {"installation"}
    )
