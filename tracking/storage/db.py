"""The database, SQLite or PostgreSQL, set up to lose nothing acknowledged; its schema; transactions."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tracking.errors import Invalid
from tracking.storage import changes, origins, turns, vault

# Migrations that have landed read it here.
from tracking.storage.column_types import Moment as Moment
from tracking.storage.config import Settings

if TYPE_CHECKING:
    from alembic.config import Config

try:
    # The Python of most systems brings an SQLite that can lose writes; this package brings a mended one.
    from pysqlite3 import dbapi2 as sqlite
except ImportError:
    import sqlite3 as sqlite

SQLITE_VERSION: tuple[int, int, int] = sqlite.sqlite_version_info
_Result = TypeVar("_Result")
_BUSY_MS = 5000
_CHECKPOINT_S = 5.0


def sqlite_is_safe(version: tuple[int, int, int]) -> bool:
    """Tell whether this SQLite is free of the WAL-reset race that can lose committed writes.

    The race is in 3.7.0 to 3.51.2; the mend was carried back to 3.50.7 and 3.44.6
    (sqlite.org/wal.html, section on the WAL-reset bug).
    """
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51, 0) or (3, 44, 6) <= version < (3, 45, 0)


def connect(settings: Settings) -> Engine:
    """Open the database of an installation, on the conditions this product relies on."""
    _keep_private(settings.data_dir)
    vault.install(settings.keys, settings.key_file)
    url = make_url(settings.url)
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(settings.url)
    if url.get_backend_name() == "postgresql":
        # The waits are bounded so that a server or session that is stuck cannot hold up the telephone.
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            # An error message must not carry the caller's number it failed on.
            hide_parameters=True,
            connect_args={
                "connect_timeout": 3,
                "options": "-c lock_timeout=3000 -c idle_in_transaction_session_timeout=60000",
            },
        )
    raise Invalid("database_url", f"{url.get_backend_name()!r} is not supported; use sqlite or postgresql")


def _keep_private(folder: Path) -> None:
    """Shut a data folder and what lies in it against others, whatever the umask was when it was made."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    own = [
        found
        for pattern in ("ringtrail.*", "routing.json*", "first-password")
        for found in folder.glob(pattern)
    ]
    for path, mode in [(folder, 0o700), *((path, 0o600) for path in own if path.is_file())]:
        with suppress(OSError):
            # Somebody else's, or gone meanwhile; `ringtrail doctor` names what stays open.
            if path.stat().st_mode & 0o077:
                path.chmod(mode)


def _sqlite_engine(url: str) -> Engine:
    if (path := make_url(url).database) and path != ":memory:":
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(OSError):
            # What SQLite puts beside its file takes after it.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    args: dict[str, Any] = {"timeout": 5.0, "isolation_level": None}
    if hasattr(sqlite, "LEGACY_TRANSACTION_CONTROL"):
        # The standard library changes its default in Python 3.16; our own BEGIN needs the old one.
        args["autocommit"] = sqlite.LEGACY_TRANSACTION_CONTROL
    engine = create_engine(url, module=sqlite, connect_args=args, hide_parameters=True)
    # WAL on a vulnerable library can lose committed writes; the rollback journal cannot.
    journal = "wal" if sqlite_is_safe(SQLITE_VERSION) else "truncate"
    wanted = {
        "foreign_keys": 1,
        "journal_mode": journal,
        "synchronous": 2,
        "trusted_schema": 0,
        "busy_timeout": _BUSY_MS,
        # What is changed or deleted leaves no copy in the file, or an erasure would not be one.
        "secure_delete": 1,
    }

    @event.listens_for(engine, "connect")
    def pragmas(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for name, value in wanted.items():
            cursor.execute(f"PRAGMA {name}={value}").fetchall()
            held = cursor.execute(f"PRAGMA {name}").fetchone()[0]
            if held != value:
                raise Invalid("database_url", f"SQLite keeps {name} at {held}, not {value}; use a local disk")
        cursor.execute("PRAGMA journal_size_limit=67108864").fetchall()
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A deferred transaction that reads and then writes fails at once when another wrote in between.
        mode = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
        with turns.waiting(connection.info):
            connection.exec_driver_sql(f"BEGIN {mode}")

    turns.watch(engine)
    return engine


changes.watch(Session)
origins.watch(Session)


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """Open a session whose work is committed at the end, or not at all."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """Open a session that only reads, from one snapshot, and blocks no writer."""
    options = {"sqlite_begin": "DEFERRED"}
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}  # type: ignore[dict-item]  # options are of any type
    with engine.connect().execution_options(**options) as connection, Session(connection) as session:
        yield session


def commit(engine: Engine, work: Callable[[Session], _Result]) -> _Result:
    """Do ``work`` in a transaction, and once more if another process wrote the same key first.

    Two identical requests race; the loser of the unique key finds the winner's row at the second try.
    """
    try:
        with transaction(engine) as session:
            return work(session)
    except IntegrityError:
        with transaction(engine) as session:
            return work(session)


def leave_no_copy(engine: Engine) -> None:
    """Let what was deleted before go from SQLite's log of changes too; wait a while for who still reads."""
    if engine.dialect.name != "sqlite":
        return
    connection = engine.raw_connection()
    # Beside any transaction, in which a checkpoint is refused.
    ask = connection.cursor().execute
    try:
        # Waiting for readers, it would keep writers out.
        ask("PRAGMA busy_timeout=0")
        until = time.monotonic() + _CHECKPOINT_S
        while ask("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        ask(f"PRAGMA busy_timeout={_BUSY_MS}")
        connection.close()


def _alembic(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "tracking:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema up to ``revision``, in one transaction."""
    with engine.begin() as connection:
        migrate(connection, revision)
    # A step may have sealed what stood in clear.
    leave_no_copy(engine)


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring the schema up to ``revision`` within somebody's transaction."""
    # Alembic takes as long to load as all else here, and only a change of the schema needs it.
    from alembic import command

    command.upgrade(_alembic(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to ``revision``; the data of what is dropped are gone."""
    from alembic import command

    with engine.begin() as connection:
        command.downgrade(_alembic(connection), revision)


def revision(engine: Engine) -> tuple[str | None, str | None]:
    """Return the schema revision the database is at, and the one this program wants."""
    with reading(engine) as session:
        at = None
        if inspect(session.connection()).has_table("alembic_version"):
            at = session.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return at, max(revisions())


def revisions() -> set[str]:
    """Return the schema revisions that this program knows."""
    # Migrations are a row without branches, and each file is named after its number.
    files = resources.files("tracking.migrations").joinpath("versions").iterdir()
    return {file.name.partition("_")[0] for file in files if file.name[:1].isdigit()}


def mend(engine: Engine) -> tuple[list[str], list[str]]:
    """Compare the tables with what the program works on; add what can be added, and return that and the rest.

    A database may say that it is at a schema and lack parts of it: a migration may have been changed after
    it had run there, or somebody may have dropped an index by hand.
    """
    from alembic import autogenerate, operations
    from alembic.migration import MigrationContext

    from tracking.storage.models import Installation

    tables = Installation.metadata
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        wanted = autogenerate.produce_migrations(context, tables).upgrade_ops
        operator = operations.Operations(context)
        added: list[str] = []
        for step in _single_steps(wanted):
            if _can_be_added(step):
                operator.invoke(step)
                added.append(_in_words(step))
        left = autogenerate.produce_migrations(context, tables).upgrade_ops
        return added, [_in_words(step) for step in _single_steps(left)]


def _single_steps(steps: Any) -> "Iterator[Any]":
    for step in getattr(steps, "ops", None) or ():
        if hasattr(step, "ops"):
            yield from _single_steps(step)
        else:
            yield step


def _can_be_added(step: Any) -> bool:
    from alembic.operations import ops

    if isinstance(step, ops.AddColumnOp):
        # What has to hold a value that nobody can know any more is left to people.
        return bool(step.column.nullable)
    return isinstance(step, ops.CreateTableOp | ops.CreateIndexOp)


def _in_words(step: Any) -> str:
    told = step.to_diff_tuple()
    verb, things = str(told[0]).replace("_", " "), [part for part in told[1:] if part is not None]
    names = [str(getattr(thing, "name", thing)) for thing in things]
    return f"{verb} {'.'.join(names)}"


def install(settings: Settings) -> Engine:
    """Open the database, create or upgrade its schema, and note which key it is sealed with."""
    engine = connect(settings)
    try:
        _refuse_newer(settings, *revision(engine))
    except BaseException:
        engine.dispose()
        raise
    upgrade(engine)
    with engine.begin() as connection:
        if not sealed_with(connection):
            mark = "INSERT INTO installation (id, key_fingerprint, older_keys) VALUES (1, :fingerprint, '')"
            connection.execute(text(mark), {"fingerprint": settings.keys.fingerprint})
        # Also of one that was made before this was written down.
        first = "UPDATE installation SET first_key = :first WHERE first_key IS NULL"
        connection.execute(text(first), {"first": vault.mark("installation", "")})
    return engine


def open_installed(settings: Settings) -> Engine:
    """Open a database that :func:`install` made; refuse another schema, and a key that does not fit."""
    engine = connect(settings)
    try:
        _check_installed(engine, settings)
    except BaseException:
        engine.dispose()
        raise
    return engine


def may_be_there(settings: Settings) -> bool:
    """Tell whether a database may be there, without making one."""
    url = make_url(settings.url)
    return url.get_backend_name() != "sqlite" or Path(url.database or "").is_file()


def _check_installed(engine: Engine, settings: Settings) -> None:
    at, wanted = revision(engine)
    _refuse_newer(settings, at, wanted)
    if at != wanted:
        state = "has no tables yet" if at is None else f"is at schema {at}, this program wants {wanted}"
        raise Invalid("database", f"{redact(settings.url)} {state}; run `ringtrail db upgrade`")
    # Reading only: whoever holds the lock of all writers does not hold up a start.
    with reading(engine) as session:
        check_keys(session.connection(), settings)


def check_keys(connection: Connection, settings: Settings) -> None:
    """Raise Invalid where the keys of this process are not those that a database needs."""
    needed = sealed_with(connection)
    first = connection.execute(text("SELECT first_key FROM installation")).scalar()
    ring = vault.installed()
    if missing := [fingerprint for fingerprint in needed if ring.of(fingerprint) is None]:
        raise Invalid(
            "key",
            f"{redact(settings.url)} is sealed with key {missing[0]}, this is {ring.fingerprint}; "
            "restore the key that belongs to it",
        )
    if first is not None and first != vault.mark("installation", ""):
        raise Invalid(
            "key", "the oldest key is not the one it was; write the newest first and the oldest last"
        )


def _refuse_newer(settings: Settings, at: str | None, wanted: str | None) -> None:
    if at is not None and at not in revisions():
        raise Invalid(
            "database",
            f"{redact(settings.url)} is at schema {at}, which is newer than this version (schema {wanted}); "
            f"install that version again, or restore a backup there with `--schema {wanted}`",
        )


def sealed_with(connection: Connection) -> list[str]:
    """Return the fingerprints of the keys that a database needs, that of the one which seals first."""
    row = connection.execute(text("SELECT key_fingerprint, older_keys FROM installation")).one_or_none()
    return [] if row is None else [row.key_fingerprint, *filter(None, row.older_keys.split(","))]


def redact(url: str) -> str:
    """Show a database address without its password."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", url)
