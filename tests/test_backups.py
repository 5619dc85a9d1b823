"""Backups: made while the service runs, proved by reading, restored whole, and the figures are the same."""

import base64
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, select, text, update
from sqlalchemy.orm import Session

from tests.api_client import Api, fair
from tests.cast import BOREALIS, moment
from tests.conftest import DATABASES, KEY, ON_BOTH
from tracking.errors import Conflict, Invalid, say
from tracking.imports.uploads import UploadStore
from tracking.keeping import backups, rekeying, sealedfile, tables
from tracking.records import contacts
from tracking.storage import db, vault
from tracking.storage.config import Settings
from tracking.storage.models import (
    Account,
    AuditEntry,
    Call,
    Campaign,
    Contact,
    Experiment,
    Job,
    MaterialPicture,
    User,
)
from tracking.storage.vocabulary import Role
from tracking.telephony.spool import Spool

ON_SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
AT = moment("2026-11-29 02:00")
FIGURES = "/reports/roi?model=linear&from=2026-01-01&to=2026-12-31"


def fill(settings: Settings, engine: Engine) -> Api:
    """Let something of every kind be there: journeys, people, a picture, a merged company, files."""
    api = Api(settings, engine)
    fair(api)
    whose = {"company": "Borealis Foods", "phone": BOREALIS}
    for number, (amount, stage) in enumerate([(120_000, "won"), (45_050, "won"), (1, "lead")]):
        closed = {"closed_at": "2026-03-01T10:00:00Z"} if stage == "won" else {}
        deal = {"account": whose, "stage": stage, "amount_minor": amount, "currency": "EUR"}
        api.post("/deals", deal | closed | {"external_id": f"D{number}"})
    cost = {
        "campaign": "Fair 2026",
        "period_start": "2026-02-01",
        "period_end": "2026-03-01",
        "category": "stand",
    }
    api.post("/costs", cost | {"amount_minor": 90_000, "currency": "EUR"})
    with db.transaction(engine) as session:
        # One that points to a later row of its own table, as merging does.
        first, second = Account(created_at=AT), Account(created_at=AT)
        session.add_all([first, second])
        session.flush()
        contacts.merge(session, Account, first.id, second.id)
        user = User(email="anna@acme.example", name='Ånna "and" ,\n', role=Role.viewer, created_at=AT)
        user.fs_uniquifier = "1"
        user.mf_recovery_codes = ["dddd-eeee-ffff"]
        session.add(user)
        session.add(MaterialPicture(ad_material_id=1, content_type="image/png", content=bytes(range(256))))
        campaign = session.scalars(select(Campaign)).one()
        campaign.targets = {"leads": 40}
    Spool(settings.spool_dir).put("1", "an event that no database has yet")
    with (settings.data_dir / "deals.csv").open("wb+") as file:
        file.write(b"company,amount\nBorealis Foods,1\n")
        file.seek(0)
        UploadStore(settings.data_dir).put(file, "deals.csv", by="anna@acme.example", at=AT)
    return api


def roi(api: Api) -> object:
    """Return the figures, but for when they were asked."""
    return {name: value for name, value in api.get(FIGURES).items() if name != "data_until"}


def rows(engine: Engine) -> dict[str, list[str]]:
    """Return all rows of all tables, sealed values as they lie there."""
    with db.reading(engine) as session:
        return {
            name: [line for part, _ in tables.parts(session, name) for line in part.decode().split("\n")]
            for name in tables.kinds()
        }


def files(settings: Settings) -> dict[str, bytes]:
    """Return what lies in the spool and among the uploads."""
    found = [path for folder in ("spool", "uploads") for path in (settings.data_dir / folder).glob("*")]
    return {path.name: path.read_bytes() for path in found}


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path, postgres: str) -> Iterator[Settings]:
    """A new machine with a copy of the key and nothing else: without so much as a table."""
    folder = tmp_path / "elsewhere"
    if request.param == "sqlite":
        yield Settings(data_dir=folder, key=KEY)
        return
    from tests.conftest import _admin

    _admin(postgres, "DROP DATABASE IF EXISTS elsewhere WITH (FORCE)", "CREATE DATABASE elsewhere")
    yield Settings(data_dir=folder, key=KEY, database_url=postgres.replace("/postgres?", "/elsewhere?"))


@ON_BOTH
@pytest.mark.parametrize("elsewhere", DATABASES, indirect=True)
def test_what_was_lost_is_there_again_to_the_row_and_the_cent_on_either_database(
    settings: Settings, engine: Engine, elsewhere: Settings
) -> None:
    api = fill(settings, engine)
    figures, held, beside = roi(api), rows(engine), files(settings)
    path = backups.create(engine, settings, at=AT)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    content = path.read_bytes()
    assert not any(
        word in content for word in (KEY.encode(), b"Borealis", b"anna@acme", BOREALIS[3:].encode())
    )
    engine2 = db.connect(elsewhere)
    found = backups.restore(engine2, elsewhere, path, at=AT, replace=False)
    engine2.dispose()
    engine2 = db.open_installed(elsewhere)
    assert rows(engine2) == held
    assert files(elsewhere) == beside
    assert found.rows == {name: len(some) for name, some in held.items() if some}
    assert roi(Api(elsewhere, engine2)) == figures
    with db.transaction(engine2) as session:
        session.add(later := Account(created_at=AT))
        session.flush()
        assert later.id > max(json.loads(row)[0] for row in held["account"]), "new rows are numbered on"
    with pytest.raises(Exception, match="audit trail"), db.transaction(engine2) as session:
        session.execute(text("DELETE FROM audit_entry"))
    engine2.dispose()


@ON_BOTH
def test_a_backup_is_of_one_moment_while_others_write(
    settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = fill(settings, engine)
    held = rows(engine)
    begin = tables.parts

    def meanwhile(session: Session, name: str) -> Iterator[tuple[bytes, int]]:
        if name == "contact":
            api.post("/campaigns", {"name": "Later", "channel": "fair"})
            with db.transaction(engine) as other:
                other.execute(update(Call).values(note="changed"))
        return begin(session, name)

    monkeypatch.setattr(tables, "parts", meanwhile)
    path = backups.create(engine, settings, at=AT)
    monkeypatch.undo()
    assert backups.verify(path).rows["campaign"] == 1
    backups.restore(engine, settings, path, at=AT, replace=True)
    assert rows(engine) == held


@ON_BOTH
def test_nothing_is_replaced_unasked_and_a_restore_that_is_cut_off_changes_nothing(
    settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = fill(settings, engine)
    path = backups.create(engine, settings, at=AT)
    api.post("/campaigns", {"name": "Later", "channel": "fair"})
    held = rows(engine)
    with pytest.raises(Conflict, match="--replace"):
        backups.restore(engine, settings, path, at=AT, replace=False)
    add = tables.Filling.add

    def dies(self: tables.Filling, name: str, found: list[dict[str, object]]) -> None:
        if name == "call":
            raise KeyboardInterrupt
        add(self, name, found)

    monkeypatch.setattr(tables.Filling, "add", dies)
    with pytest.raises(KeyboardInterrupt):
        backups.restore(engine, settings, path, at=AT, replace=True)
    monkeypatch.undo()
    assert rows(engine) == held
    assert not list(settings.data_dir.glob("restoring-*"))
    # An event that came since is not in the backup, and stays.
    Spool(settings.spool_dir).put("2", "an event of today")
    backups.restore(engine, settings, path, at=AT, replace=True)
    assert len(rows(engine)["campaign"]) == 1
    assert len(files(settings)) == 4
    db.open_installed(settings).dispose()


@ON_SQLITE
def test_whatever_happens_to_a_backup_is_told(settings: Settings, engine: Engine, tmp_path: Path) -> None:
    fill(settings, engine)
    content = backups.create(engine, settings, at=AT).read_bytes()
    line = content.index(b"\n")
    broken = {
        "cut": content[:-1],
        "without its last frame": content[: line + 1],
        "longer": content + b"\0",
        "changed": content[:-20] + bytes([content[-20] ^ 1]) + content[-19:],
        "no day": content.replace(b"2026-11-29T", b"2026-13-29T", 1),
        "a day without its zone": content.replace(b"+00:00", b"", 1),
        "a number for a day": content.replace(b'"2026-11-29T02:00:00+00:00"', b"20261129", 1),
        "another day": content.replace(b"2026-11-29", b"2026-11-28", 1),
        "empty": b"",
        "another file": b"company,amount\n" * 100,
        "json": b'{"file": "Ringtrail backup 1"}\n',
    }
    for name, changed in broken.items():
        path = tmp_path / f"{name}.backup"
        path.write_bytes(changed)
        with pytest.raises(Invalid, match=r"use another backup|not a Ringtrail backup"):
            backups.verify(path)
    with pytest.raises(Invalid, match="cannot be read"):
        backups.verify(tmp_path / "nowhere.backup")


@ON_SQLITE
def test_a_backup_that_cannot_be_proved_names_the_row_and_is_not_left_behind(
    settings: Settings, engine: Engine
) -> None:
    fill(settings, engine)
    settings.backups.mkdir()
    part = settings.backups / "ringtrail-20261128T020000Z.backup.0a1b2c3d.part"
    part.write_bytes(b"half")
    os.utime(part, (AT.timestamp() - 7200,) * 2)
    with db.transaction(engine) as session:
        session.execute(text("UPDATE contact SET name = x'0200' WHERE id = 1"))
    with pytest.raises(Invalid, match=r"contact\.name of row 1 is damaged or needs another key"):
        backups.create(engine, settings, at=AT)
    assert list(settings.backups.iterdir()) == [], "nor what an earlier one left that was cut off"


@ON_SQLITE
def test_nothing_is_restored_that_the_keys_which_are_there_would_not_open(
    settings: Settings, engine: Engine
) -> None:
    fill(settings, engine)
    path = backups.create(engine, settings, at=AT)
    held = rows(engine)
    # All values open, yet the oldest key is gone, by which rows are known again.
    vault.install(vault.Keys.from_text(f"{KEY} {vault.new_master_key()}"))
    try:
        with pytest.raises(Invalid, match="the oldest key is not the one it was"):
            backups.restore(engine, settings, path, at=AT, replace=True)
    finally:
        vault.install(settings.keys)
    assert rows(engine) == held


@ON_SQLITE
def test_without_its_key_a_backup_says_which_key_it_needs(settings: Settings, engine: Engine) -> None:
    path = backups.create(engine, settings, at=AT)
    vault.install(vault.Keys.from_text(vault.new_master_key()))
    with pytest.raises(Invalid, match=f"needs key {settings.keys.fingerprint}, which is missing"):
        backups.verify(path)
    vault.install(settings.keys)


@ON_SQLITE
def test_a_backup_of_before_a_change_of_key_is_restored_and_sealed_anew(
    settings: Settings, engine: Engine
) -> None:
    fill(settings, engine)
    path = backups.create(engine, settings, at=AT)
    words = f"{vault.new_master_key()} {KEY}"
    vault.install(vault.Keys.from_text(words))
    backups.restore(engine, settings, path, at=AT, replace=True)
    with db.transaction(engine) as session:
        assert rekeying.adopt(session, by="worker", at=AT)
    rekeying.run(engine, at=lambda: AT)
    with db.reading(engine) as session:
        assert rekeying.progress(session).left == 0
        assert session.scalars(select(Call.caller).limit(1)).one() == BOREALIS
    vault.install(settings.keys)


@ON_BOTH
def test_a_backup_of_an_older_program_is_brought_up_to_this_one_and_one_of_a_newer_is_refused(
    settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fill(settings, engine)
    # As the program of schema 0008 would have written it: without what came later.
    first = db.connect(Settings(data_dir=tmp_path / "0008", key=KEY))
    db.upgrade(first, "0008")
    old = {
        name: {column["name"]: columns[column["name"]] for column in inspect(first).get_columns(name)}
        for name, columns in tables.kinds().items()
        if inspect(first).has_table(name)
    }
    first.dispose()
    old["app_user"] |= {"tf_totp_secret": "text", "mf_recovery_codes": "json"}
    old["import_run"]["file_name"] = old["contact"]["name"] = old["call"]["caller_name"] = "text"
    old["job"] |= {"label": "json", "error": "json"}
    with db.transaction(engine) as session:
        user = session.scalars(select(User)).one()
        user.tf_totp_secret = '{"v":1}'
        contacts.introduce(session, [], at=AT, name="Ada Byron")
        session.add(Job(kind="backup", label=say("Backup"), arguments={}, created_by="x", created_at=AT))
    write = tables.parts

    def as_before(session: Session, name: str) -> Iterator[tuple[bytes, int]]:
        names = list(tables.kinds.__wrapped__()[name])  # type: ignore[attr-defined]  # set below
        for part, count in write(session, name):
            lines = []
            for line in part.decode().split("\n"):
                row = dict(zip(names, json.loads(line), strict=True))
                if name == "app_user":
                    code = vault.seal("dddd-eeee-ffff", "recovery code").hex()
                    row |= {"tf_totp_secret": '{"v":1}', "mf_recovery_codes": [code, "aaaa-bbbb-cccc"]}
                for column in {"contact": ["name"], "call": ["caller_name"], "job": ["label"]}.get(name, ()):
                    if row[column] is not None:
                        told = vault.unseal(base64.b64decode(row[column]), f"{name}.{column}")
                        row[column] = json.loads(told) if name == "job" else told
                lines.append(json.dumps([row[column] for column in old[name]]))
            yield "\n".join(lines).encode(), count

    now = tables.kinds

    def kinds() -> dict[str, dict[str, str]]:
        return old

    kinds.__wrapped__ = now  # type: ignore[attr-defined]  # read above
    known = db.revisions()
    monkeypatch.setattr(tables, "kinds", kinds)
    monkeypatch.setattr(tables, "parts", as_before)
    monkeypatch.setattr(db, "revisions", lambda: {"0008"})
    path = backups.create(engine, settings, at=AT)
    monkeypatch.undo()
    backups.restore(engine, settings, path, at=AT, replace=True)
    assert db.revision(engine)[0] == max(known)
    with db.reading(engine) as session:
        user = session.scalars(select(User)).one()
        assert (user.tf_totp_secret, user.mf_recovery_codes) == (
            '{"v":1}',
            ["dddd-eeee-ffff", "aaaa-bbbb-cccc"],
        )
        assert session.scalars(select(AuditEntry)).first() is not None
        assert len(contacts.called(session, "byron", most=2)) == 1
        assert session.scalars(select(Job.label)).all() == ["Backup"]
    monkeypatch.setattr(db, "revisions", lambda: {*known, "9999"})
    newer = backups.create(engine, settings, at=AT + timedelta(days=1))
    monkeypatch.undo()
    with pytest.raises(Invalid, match=r"schema 9999.*Install that version or a newer one"):
        backups.restore(engine, settings, newer, at=AT, replace=True)


def test_the_data_go_back_to_an_older_program_and_what_it_has_no_room_for_is_named(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    fill(settings, engine)
    with db.transaction(engine) as session:
        session.add(Contact(account=Account(created_at=AT), created_at=AT, name="Ada Byron"))
        at = {"created_by": "anna@acme.example", "created_at": AT}
        days = {"starts_on": AT.date(), "ends_on": AT.date(), "settle_weeks": 0}
        session.add(Experiment(name="Pause", **days, **at))
    path = backups.create(engine, settings, at=AT)
    backups.restore(engine, settings, path, at=AT, replace=True)
    try:
        lost = tables.take_back(engine, "0019")
        assert lost == ["experiment (1)", "contact.name_marks (1)"]
        first = db.connect(Settings(data_dir=tmp_path / "0019", key=KEY))
        db.upgrade(first, "0019")
        wanted, found = (
            {t: names_of(one, t) for t in inspect(one).get_table_names()} for one in (first, engine)
        )
        assert found == wanted
        first.dispose()
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT name FROM contact WHERE name IS NOT NULL")) == "Ada Byron"
        with pytest.raises(Invalid, match=r"is at schema 0019, this program wants"):
            db.open_installed(settings)
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        for opened in (db.open_installed, db.install):
            with pytest.raises(Invalid, match=r"newer than this version .*--schema"):
                opened(settings)
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0019'"))
    finally:
        db.upgrade(engine)
    assert db.mend(engine) == ([], [])


def names_of(engine: Engine, table: str) -> set[str]:
    """Return the columns of a table."""
    return {column["name"] for column in inspect(engine).get_columns(table)}


@ON_SQLITE
def test_days_weeks_and_months_keep_their_last_backup_and_nothing_else_is_deleted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings.model_copy(update={"backup_keep": "3,2,2"})
    settings.backups.mkdir()
    made = [moment("2026-11-29 02:00") - timedelta(days=n) for n in range(60)]
    vault.install(settings.keys)
    for at in made:
        path = settings.backups / at.strftime("ringtrail-%Y%m%dT%H%M%SZ.backup")
        told = {"made_at": at.isoformat(), "program": "1", "schema": "0015"}
        with path.open("wb") as file:
            sealedfile.Writer(file, told).finish()
        note = {"at": at.isoformat(), "size": path.stat().st_size}
        path.with_name(f"{path.name}.verified").write_text(json.dumps(note))
    (settings.backups / "before the fair.backup").write_bytes(b"kept by hand")
    gone = backups.thin_out(settings)
    left = sorted(path.name[10:18] for path in settings.backups.glob("ringtrail-*.backup"))
    # Three days; the last of two weeks (of Monday 23 and 16); the last of two months.
    assert left == ["20261031", "20261122", "20261127", "20261128", "20261129"]
    assert len(gone) == 55
    assert (settings.backups / "before the fair.backup").exists()
    assert backups.thin_out(settings) == []


@ON_SQLITE
def test_a_backup_is_due_each_night_and_not_before_the_first_one(settings: Settings) -> None:
    settings.backups.mkdir()
    founded = moment("2026-11-28 10:00").timestamp()
    os.utime(settings.backups, (founded, founded))

    def due(at: str) -> bool:
        return backups.is_due(settings, at=moment(at))

    # 02:00 in Stockholm is 01:00 UTC.
    assert [due(f"2026-11-{day}") for day in ("28 10:05", "29 00:59", "29 01:00")] == [False, False, True]
    never = settings.model_copy(update={"backup_at": ""})
    assert not backups.is_due(never, at=moment("2026-11-29 12:00"))


@ON_SQLITE
def test_a_full_disk_ends_a_backup_with_words_and_leaves_no_half(settings: Settings, engine: Engine) -> None:
    full = settings.model_copy(update={"reserved_bytes": 1 << 60})
    with pytest.raises(Conflict, match="the disk is nearly full"):
        backups.create(engine, full, at=AT)
    assert list(full.backups.iterdir()) == []
