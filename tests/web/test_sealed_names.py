"""Names of people are kept as their numbers are: in no file, row or log in clear, and found all the same."""

import logging
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select, text

from tests.cast import BOREALIS, CATALOGUE_NUMBER, COBALT, moment
from tests.conftest import ON_BOTH
from tests.twilio_requests import incoming, post, sid, with_twilio
from tests.web.people import form
from tests.web.ringing import advertise
from tests.web.test_imports import give, started, tried
from tracking import clock, worker
from tracking.access import jobs, tokens
from tracking.app import create_app
from tracking.imports.outcomes import RefusedFile
from tracking.keeping import erasure, people
from tracking.records import contacts
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Account, Call, Contact, ImportRun, Job
from tracking.storage.vocabulary import Base, PointKind

Enter = Callable[[str], FlaskClient]
CANARY = "Kanarienvogel"
"""A family name that stands nowhere else."""


def in_clear(engine: Engine, settings: Settings) -> list[str]:
    """Return where the canary stands: in files of the data folder, or in rows of a dump."""
    found = [
        str(path.relative_to(settings.data_dir))
        for path in settings.data_dir.rglob("*")
        if path.is_file() and CANARY.casefold().encode() in path.read_bytes().lower()
    ]
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            for table in Base.metadata.sorted_tables:
                rows = connection.execute(text(f'SELECT t::text FROM "{table.name}" AS t')).scalars()
                found += [table.name for row in rows if CANARY.casefold() in row.casefold()]
    return found


@ON_BOTH
def test_the_name_of_a_contact_is_nowhere_in_clear(
    settings: Settings,
    engine: Engine,
    office: Flask,
    signed_in: Enter,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It comes by a call, the API, the desk, a row of a file, and the names of files."""
    caplog.set_level(logging.DEBUG, logger="tracking")
    advertise(engine, clock.now())
    calls = create_app(with_twilio(settings), engine)
    fields = incoming(sid(1)) | {"CallerName": f"Anna {CANARY}"}
    assert post(calls.test_client(), "voice", fields).status_code == 200
    calls.extensions["ringtrail"]["inbox"].close()
    with db.transaction(engine) as session:
        secret = tokens.issue(session, "other", ("read", "write:deals"), at=clock.now())
        call = session.scalars(select(Call)).one()
        assert call.caller_name == f"Anna {CANARY}"
        contact_id, call_id = call.contact_id, call.id
    told = {"Authorization": f"Bearer {secret}"}
    path = f"/api/v1/contacts/{contact_id}"
    answer = office.test_client().patch(path, json={"name": f"Ann {CANARY}"}, headers=told)
    assert (answer.status_code, answer.get_json()["name"]) == (200, f"Ann {CANARY}")
    rep, marketer = signed_in("rep"), signed_in("marketer")
    fields = {"caller": COBALT, "caller_name": f"Bo {CANARY}", "dialled": CATALOGUE_NUMBER}
    page = rep.get("/calls/new").text
    started_at = f"{clock.now() - timedelta(hours=3):%Y-%m-%dT%H:%M}"
    answer = rep.post("/calls/new", data=form(page, **fields, started_at=started_at))
    assert answer.status_code == 303
    rows = (
        "Call ID,Name,Phone Number,Start Time,Tracking Number,Call Status,Duration\n"
        f"c1,Cecilia {CANARY},{BOREALIS[:-1]}9,2026-03-01 09:00:00,{CATALOGUE_NUMBER},answered,60\n"
    )
    _, at = give(marketer, rows, f"{CANARY} {BOREALIS}.csv")
    tried(marketer, engine, settings, at)
    started(marketer, at)
    assert jobs.work(engine, worker.known(engine, settings))
    give(marketer, "nothing\n", f"{CANARY} again.csv")
    assert CANARY in marketer.get("/imports").text
    with db.reading(engine) as session:
        assert any(CANARY in str(label) for label in session.scalars(select(Job.label)))
        assert [CANARY in name for name in session.scalars(select(ImportRun.file_name))] == [True]
        run_id = session.scalars(select(ImportRun.id)).one()
        names = sorted(filter(None, session.scalars(select(Contact.name))))
    assert names == [f"Ann {CANARY}", f"Bo {CANARY}", f"Cecilia {CANARY}"]
    found = marketer.get("/calls", query_string={"q": CANARY[:5]}).text
    assert f"/calls/{call_id}" in found
    page = marketer.get(f"/imports/runs/{run_id}/undo").text
    assert marketer.post(f"/imports/runs/{run_id}/undo", data=form(page)).status_code == 303
    assert in_clear(engine, settings) == []
    assert CANARY not in caplog.text


NAMES = ("Anna Lindqvist", "Bo Ek", "Åsa Öberg-Lind", "O'Brien, Pat", "王小明", "Li Wei")


@ON_BOTH
@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("lindqvist", ["Anna Lindqvist"]),
        ("LIND", ["Anna Lindqvist", "Åsa Öberg-Lind"]),
        ("anna  lindq", ["Anna Lindqvist"]),
        ("Linz", []),
        ("bo", ["Bo Ek"]),
        ("åsa", ["Åsa Öberg-Lind"]),
        ("o'brien", ["O'Brien, Pat"]),
        ("小明", ["王小明"]),
        ("li wei", ["Li Wei"]),
        ("-", []),
    ],
)
def test_a_name_is_found_by_how_its_words_begin(engine: Engine, typed: str, found: list[str]) -> None:
    with db.transaction(engine) as session:
        for name in NAMES:
            contacts.introduce(session, [], at=moment("2026-03-01"), name=name)
    with db.reading(engine) as session:
        ids = contacts.called(session, typed, most=10)
        names = session.scalars(select(Contact.name).where(Contact.id.in_(ids)).order_by(Contact.id)).all()
    assert names == found


@ON_BOTH
def test_an_upgrade_seals_the_names_that_stood_in_clear_and_a_downgrade_opens_them(
    engine: Engine, settings: Settings
) -> None:
    at = moment("2026-03-01")
    with db.transaction(engine) as session:
        contact = Contact(account=Account(created_at=at), created_at=at, name=f"Anna {CANARY}")
        session.add(contact)
        jobs.enqueue(session, "import", f"Import {CANARY}.csv", {}, by="anna@acme.example", at=at)
    db.downgrade(engine, "0021")
    try:
        with engine.connect() as connection:
            assert connection.execute(text("SELECT name FROM contact")).scalars().all() == [f"Anna {CANARY}"]
        assert in_clear(engine, settings) != []
    finally:
        db.upgrade(engine)
    assert in_clear(engine, settings) == []
    with db.reading(engine) as session:
        assert session.scalars(select(Contact.name)).all() == [f"Anna {CANARY}"]
        assert len(contacts.called(session, CANARY, most=10)) == 1
        assert session.scalars(select(Job.label)).all() == [f"Import {CANARY}.csv"]


@ON_BOTH
def test_who_was_taken_out_is_found_by_no_name(engine: Engine, settings: Settings) -> None:
    at = moment("2026-03-01")
    with db.transaction(engine) as session:
        point = (PointKind.phone, BOREALIS)
        contact = contacts.introduce(session, [point], at=at, name=f"Anna {CANARY}")
        session.flush()
        contact_id = contact.id
    erasure.erase(
        engine,
        settings,
        lambda session: people.by_contacts(session, [contact_id]),
        by="anna@acme.example",
        at=at,
    )
    with db.reading(engine) as session:
        assert contacts.called(session, CANARY, most=10) == []
        assert session.execute(select(Contact.name, Contact.name_marks)).all() == [(None, None)]


def test_rejected_rows_are_on_the_disk_in_cipher_only_also_on_the_way(
    settings: Settings, engine: Engine, signed_in: Enter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A worker that is killed on the way would leave them there for ever."""
    seen: list[int] = []
    close = RefusedFile.close

    def closed(self: RefusedFile) -> None:
        close(self)
        # Also those without a name, which are in the way of nobody and on the disk all the same.
        files = [*Path("/proc/self/fd").glob("*"), *settings.data_dir.rglob("*")]
        there = [path for path in files if path.is_file()]
        seen.append(sum(f"lots {CANARY}".encode() in path.read_bytes() for path in there))

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(RefusedFile, "close", closed)
    marketer = signed_in("marketer")
    rows = f"Deal ID,Deal name,Deal stage,Amount,Associated company\nd1,{CANARY},won,lots {CANARY},Borealis\n"
    _, at = give(marketer, rows)
    tried(marketer, engine, settings, at)
    assert f"lots {CANARY}" in marketer.get(f"{at}/refused.csv").text
    assert seen == [0]
