"""What came by files and programs: tokens of the API, imports and what they changed."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tracking.storage import origins
from tracking.storage.column_types import Sealed
from tracking.storage.vocabulary import Base, Hash, Key, Name


class ApiToken(Base):
    """A key to the JSON API; only its hash is kept."""

    __tablename__ = "api_token"
    id: Mapped[Key]
    name: Mapped[Name]
    prefix: Mapped[str] = mapped_column(String(12), unique=True)
    secret_hash: Mapped[Hash]
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class IdempotencyKey(Base):
    """The reply to a request that named a key, so that its repetition gets the same and does nothing."""

    __tablename__ = "idempotency_key"
    id: Mapped[Key]
    token_id: Mapped[int] = mapped_column(ForeignKey("api_token.id"))
    key: Mapped[Name]
    request_hash: Mapped[Hash]
    status: Mapped[int]
    body: Mapped[str] = mapped_column(Sealed("idempotency_key.body"))
    created_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("token_id", "key"),)


class ImportRun(Base):
    """One import of a file: what it was and what came of it."""

    __tablename__ = "import_run"
    id: Mapped[Key]
    kind: Mapped[Name]
    file_name: Mapped[str] = mapped_column(Sealed("import_run.file_name"))
    """Sealed: files are named after whom they tell of."""
    finished_at: Mapped[datetime]
    created: Mapped[int]
    updated: Mapped[int]
    skipped: Mapped[int]
    refused: Mapped[int]
    undone_at: Mapped[datetime | None]


class ImportChange(Base):
    """What an import changed of a row that it has not made: the values before and after; see `origins`."""

    __tablename__ = "import_change"
    id: Mapped[Key]
    run_id: Mapped[int] = mapped_column(ForeignKey("import_run.id"), index=True)
    table_name: Mapped[str] = mapped_column(String(40))
    row_id: Mapped[int] = mapped_column(BigInteger)
    body: Mapped[str] = mapped_column(Sealed(origins.PURPOSE))
    __table_args__ = (Index("ix_import_change_row", "table_name", "row_id"),)


class ImportHold(Base):
    """A row that an import has made and that something else has changed since."""

    __tablename__ = "import_hold"
    id: Mapped[Key]
    run_id: Mapped[int] = mapped_column(index=True)
    table_name: Mapped[str] = mapped_column(String(40))
    row_id: Mapped[int] = mapped_column(BigInteger)
    __table_args__ = (UniqueConstraint("table_name", "row_id"),)


class ImportMapping(Base):
    """Which column means what in files with these headers, as a user told it once."""

    __tablename__ = "import_mapping"
    id: Mapped[Key]
    kind: Mapped[Name]
    header_hash: Mapped[Hash]
    mapping: Mapped[dict[str, Any]]
    __table_args__ = (UniqueConstraint("kind", "header_hash"),)
