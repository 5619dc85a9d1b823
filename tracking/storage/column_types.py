"""Types of columns: moments, sentences, and what only stands encrypted."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, LargeBinary, extract
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from tracking.errors import Invalid, Sentence, unpacked
from tracking.storage import vault

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Return the microseconds since 1970 of an aware moment."""
    return (moment - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the moment that lies ``micros`` microseconds after 1970, in UTC."""
    return EPOCH + timedelta(microseconds=micros)


class Moment(TypeDecorator[datetime]):
    """An aware moment: ``timestamptz`` on PostgreSQL, microseconds since 1970 on SQLite, UTC in Python."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type."""
        # SQLite has no type for moments: text would sort wrongly once one writer omits the microseconds.
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse naive times; hand aware ones on."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise Invalid("moment", f"{value.isoformat()} has no time zone; add an offset such as +01:00")
        return to_micros(value) if dialect.name == "sqlite" else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return UTC."""
        if value is None:
            return None
        return from_micros(value) if dialect.name == "sqlite" else value.astimezone(UTC)


class Said(TypeDecorator[str]):
    """What is said to people: a sentence, which every reader gets in his language, or somebody's own text."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """Keep a sentence with its values, and a text as it is."""
        return value.packed() if isinstance(value, Sentence) else value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Return a sentence as one again."""
        return unpacked(value) if isinstance(value, dict) else value


class micros(FunctionElement[int]):  # noqa: N801 - an SQL function, named as functions are
    """A moment column as microseconds since 1970, without a Python object a row: for the journey tables."""

    inherit_cache = True
    type = BigInteger()


@compiles(micros)
def _micros(element: micros, compiler: SQLCompiler, **kw: Any) -> str:
    (column,) = element.clauses
    return f"CAST({compiler.process(extract('epoch', column), **kw)} * 1000000 AS BIGINT)"


@compiles(micros, "sqlite")
def _micros_sqlite(element: micros, compiler: SQLCompiler, **kw: Any) -> str:
    (column,) = element.clauses
    return str(compiler.process(column, **kw))


class Sealed(TypeDecorator[Any]):
    """Text that the database holds only encrypted; ``purpose`` binds the value to its column.

    Where it is found by its keyed hash, ``hash_in`` names the column of that hash, and ``kind``, or the
    column ``kind_in``, what it is hashed as; where by its words, ``marks_in`` names the column of their
    :mod:`marks <tracking.storage.namemarks>`. A change of key finds columns by this type.
    """

    impl = LargeBinary
    cache_ok = True

    def __init__(
        self, purpose: str, *, hash_in: str = "", kind: str = "", kind_in: str = "", marks_in: str = ""
    ) -> None:
        super().__init__()
        self.purpose, self.hash_in, self.kind, self.kind_in = purpose, hash_in, kind, kind_in
        self.marks_in = marks_in

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        """Encrypt."""
        return None if value is None else vault.seal(value, self.purpose)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Decrypt."""
        return None if value is None else vault.unseal(bytes(value), self.purpose)


class SealedList(Sealed):
    """A list of texts that the database holds only encrypted."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        """Encrypt."""
        return super().process_bind_param(None if value is None else json.dumps(value), dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Decrypt."""
        text = super().process_result_value(value, dialect)
        return None if text is None else json.loads(text)


class SealedMapping(SealedList):
    """Texts by name that the database holds only encrypted; none at all is null."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        """Encrypt."""
        return super().process_bind_param(value or None, dialect)


class SealedSaid(SealedList):
    """What is said to people, as :class:`Said` keeps it, where it may name files, and those people."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        """Encrypt."""
        return super().process_bind_param(value.packed() if isinstance(value, Sentence) else value, dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Decrypt."""
        said = super().process_result_value(value, dialect)
        return unpacked(said) if isinstance(said, dict) else said


# SQLite numbers rows only in a column of type INTEGER.
RowId = BigInteger().with_variant(Integer, "sqlite")
