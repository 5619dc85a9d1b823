"""Storage: what the database promises, on SQLite and on PostgreSQL alike."""

import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, delete, event, func, inspect, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from tests.cast import BOREALIS, CATALOGUE_NUMBER, COBALT, moment
from tracking import migrations
from tracking.access import audit, users
from tracking.errors import Invalid, say
from tracking.imports.values import content_key
from tracking.records import contacts
from tracking.storage import changes, db, turns, vault
from tracking.storage.column_types import from_micros, micros, to_micros
from tracking.storage.config import Settings
from tracking.storage.models import Answer, AuditEntry, Call, Campaign, ContactPoint, InboxEvent, Job
from tracking.storage.vocabulary import Base, Direction, JobState, Outcome, PointKind
from tracking.telephony import calls
from tracking.telephony.calls import CallEvent

only_sqlite = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
only_postgres = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)


def campaign(name: str) -> Campaign:
    return Campaign(name=name, channel="fair", created_at=moment("2026-01-01"))


def test_the_migrations_make_exactly_the_tables_that_the_models_describe(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_schema_can_be_taken_down_and_put_up_again(engine: Engine) -> None:
    db.downgrade(engine, "base")
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    db.upgrade(engine)
    assert set(inspect(engine).get_table_names()) == {"alembic_version", *Base.metadata.tables}


def test_what_jobs_were_called_before_sentences_were_kept_is_still_read(engine: Engine) -> None:
    at = moment("2026-01-01")
    db.downgrade(engine, "0002")
    old = "Import \"café\" {'template': 1}"
    with engine.begin() as connection:
        told = {
            "kind": "import", "label": old, "arguments": "{}", "state": "failed", "done": 0,
            "created_by": "x", "created_at": at if engine.dialect.name == "postgresql" else to_micros(at),
        }  # fmt: skip
        names = ", ".join(told)
        places = ", ".join(f":{name}" for name in told)
        connection.execute(text(f"INSERT INTO job ({names}) VALUES ({places})"), told)
    db.upgrade(engine)
    with db.transaction(engine) as session:
        row = session.scalars(select(Job)).one()
        assert (row.label, row.error) == (old, None)
        row.error = say("the mail server rejected %(who)s", who="x")
    db.downgrade(engine, "0002")
    with engine.connect() as connection:
        kept = connection.execute(text("SELECT label, error FROM job")).one()
    assert tuple(kept) == (old, "the mail server rejected %(who)s")
    db.upgrade(engine)


def test_attempts_of_open_jobs_and_calls_entered_by_people_are_brought_along(engine: Engine) -> None:
    at = moment("2026-01-01")
    with db.transaction(engine) as session:
        tried = Job(kind="import", label="x", arguments={}, created_by="x", created_at=at, attempts=2)
        ended = Job(kind="import", label="y", arguments={}, created_by="x", created_at=at)
        ended.state, ended.result = JobState.done, {"imported": 3}
        session.add_all([tried, ended])
        for key in ("1", "2"):
            event = CallEvent(
                provider="by hand",
                provider_call_id=key,
                dialled=("+46701740605",),
                caller=None,
                started_at=at,
            )
            calls.record(session, [event, replace(event, provider="manual")][: int(key)], region="SE")
    db.downgrade(engine, "0004")
    db.upgrade(engine)
    with db.reading(engine) as session:
        jobs = session.scalars(select(Job).order_by(Job.id)).all()
        assert [(job.attempts, job.result) for job in jobs] == [(2, None), (0, {"imported": 3})]
        entered = session.execute(select(Call.provider_call_id, Call.provider).order_by(Call.id)).all()
    assert {tuple(row) for row in entered} == {("1", "manual"), ("2", "by hand"), ("2", "manual")}


def test_channels_written_before_go_by_their_standard_names_and_figures_are_made_anew(engine: Engine) -> None:
    at = moment("2026-01-01")
    with db.transaction(engine) as session:
        rows = [
            Campaign(name=name, channel=name, direction=Direction.inbound, created_at=at)
            for name in ("Fachmesse", "LinkedIn", "fair", "Organic search")
        ]
        session.add_all(rows)
        asked = contacts.introduce(session, [], at=at, name="Anna")
        answer = {"contact": asked, "asked_at": at, "outcome": Outcome.answered}
        session.add(Answer(channel="recommendation", **answer))
        session.add(Answer(verbatim="recommendation", **answer))
    with db.reading(engine) as session:
        known = changes.marks(session)
    db.downgrade(engine, "0008")
    db.upgrade(engine)
    with db.reading(engine) as session:
        found = dict(session.execute(select(Campaign.name, Campaign.channel)).all())
        told = session.execute(select(Answer.channel, Answer.verbatim).order_by(Answer.id)).all()
        assert changes.since(session, known)[0].everything
    assert found == {
        "Fachmesse": "fair",
        "LinkedIn": "LinkedIn",
        "fair": "fair",
        "Organic search": "organic search",
    }
    assert told == [("referral", None), (None, "recommendation")]


@only_sqlite
@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("busy_timeout", 5000),
        ("trusted_schema", 0),
        ("journal_size_limit", 67108864),
    ],
)
def test_sqlite_is_opened_so_that_nothing_acknowledged_is_lost(
    engine: Engine, pragma: str, value: object
) -> None:
    with engine.connect() as connection:
        assert connection.execute(text(f"PRAGMA {pragma}")).scalar() == value


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 0), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 4), True),
    ],
)
def test_libraries_that_can_lose_writes_are_known(version: tuple[int, int, int], safe: bool) -> None:
    assert db.sqlite_is_safe(version) is safe


def test_the_sqlite_library_in_use_is_a_safe_one() -> None:
    assert db.sqlite_is_safe(db.SQLITE_VERSION)


def can_write_now(path: Path) -> bool:
    other = db.sqlite.connect(path, timeout=0, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE").execute("ROLLBACK")
    except db.sqlite.OperationalError as error:
        return "locked" not in str(error)
    finally:
        other.close()
    return True


@only_sqlite
def test_a_writer_takes_its_turn_before_it_reads(engine: Engine, settings: Settings) -> None:
    path = settings.data_dir / "ringtrail.db"
    with db.transaction(engine) as session:
        assert session.scalars(select(Campaign)).all() == []
        assert not can_write_now(path), "a transaction that has only read so far already holds the pen"
    assert can_write_now(path)


@only_sqlite
def test_a_reader_keeps_no_writer_waiting(engine: Engine, settings: Settings) -> None:
    with db.reading(engine) as session:
        assert session.scalars(select(Campaign)).all() == []
        assert can_write_now(settings.data_dir / "ringtrail.db")


@only_sqlite
def test_who_waits_to_write_is_seen_by_who_has_more_to_write(engine: Engine) -> None:
    def write() -> None:
        with db.transaction(engine) as session:
            session.add(campaign("Fair"))

    assert not turns._somebody_waits(engine)
    with ThreadPoolExecutor(1) as pool:
        with db.transaction(engine) as session:
            session.connection()
            waiting = pool.submit(write)
            while not turns._somebody_waits(engine):
                assert not waiting.done(), "it wrote beside another"
        waiting.result()
    assert not turns._somebody_waits(engine)
    with db.reading(engine) as session:
        assert session.scalar(select(func.count(Campaign.id))) == 1


def test_a_reader_sees_one_moment_even_while_others_write(engine: Engine) -> None:
    with db.transaction(engine) as session:
        session.add(campaign("Fair"))
    rows = select(func.count(Campaign.id))
    with db.reading(engine) as reader:
        assert reader.scalar(rows) == 1
        with db.transaction(engine) as writer:
            writer.add(campaign("Catalogue"))
        assert reader.scalar(rows) == 1, "a report adds up although a row came meanwhile"
    with db.reading(engine) as reader:
        assert reader.scalar(rows) == 2


def test_what_fails_halfway_leaves_nothing(engine: Engine) -> None:
    def half(session: Session) -> None:
        session.add(campaign("Fair"))
        session.flush()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        db.commit(engine, half)
    with db.reading(engine) as session:
        assert session.scalars(select(Campaign)).all() == []


def test_of_two_that_write_one_key_the_loser_finds_the_winners_row(engine: Engine) -> None:
    turns = iter(["the winner comes in between", "the second try"])

    def enter(session: Session) -> str:
        turn = next(turns)
        found = session.scalar(select(Campaign).where(Campaign.name == "Fair"))
        if found is not None:
            return f"{turn} finds {found.name}"
        session.add(campaign("Fair"))
        if turn.startswith("the winner"):
            session.add(campaign("Fair"))
        session.flush()
        return turn

    with db.transaction(engine) as session:
        session.add(campaign("Fair"))
    assert db.commit(engine, enter) == "the winner comes in between finds Fair"
    with db.transaction(engine) as session:
        session.execute(delete(Campaign))
    turns = iter(["the winner comes in between", "the second try"])
    assert db.commit(engine, enter) == "the second try"


def test_a_moment_without_a_zone_is_refused(session: Session) -> None:
    session.add(Campaign(name="Fair", channel="fair", created_at=datetime(2026, 1, 1)))  # noqa: DTZ001 - the point
    with pytest.raises(Exception, match="has no time zone"):
        session.flush()


def test_moments_keep_their_microseconds_and_come_back_in_utc(session: Session) -> None:
    written = datetime.fromisoformat("2026-03-29T02:30:00.123456+01:00")
    session.add(Campaign(name="Fair", channel="fair", created_at=written))
    session.flush()
    session.expire_all()
    read = session.scalars(select(Campaign)).one().created_at
    assert read == written
    assert read.isoformat() == "2026-03-29T01:30:00.123456+00:00"
    exported = session.scalar(select(micros(Campaign.created_at)))
    assert exported == to_micros(written)
    assert from_micros(exported) == written


def test_foreign_keys_hold(session: Session) -> None:
    session.add(ContactPoint(contact_id=99, kind=PointKind.email, value="a@example.com", value_hash="0" * 64))
    with pytest.raises(IntegrityError):
        session.flush()


KNOWN = [BOREALIS, COBALT, *(f"+4420794602{i:02d}" for i in range(50))]


def store_known_numbers(engine: Engine) -> None:
    with db.transaction(engine) as session:
        calls.record(
            session,
            [
                CallEvent(
                    provider="twilio",
                    provider_call_id=f"CA{i}",
                    dialled=(CATALOGUE_NUMBER,),
                    caller=number,
                    started_at=moment("2026-03-01 09:00"),
                )
                for i, number in enumerate(KNOWN)
            ],
            region="SE",
        )
        session.add(
            InboxEvent(
                provider="twilio",
                event_key="CA1",
                received_at=moment("2026-03-01"),
                body=f"From={BOREALIS}",
                body_hash="0" * 64,
            )
        )


@only_sqlite
def test_the_database_file_holds_no_callers_number(engine: Engine, settings: Settings) -> None:
    store_known_numbers(engine)
    found = stored = 0
    for path in settings.data_dir.glob("ringtrail.db*"):
        content = path.read_bytes()
        stored += content.count(CATALOGUE_NUMBER.encode())
        for number in KNOWN:
            digits = number.lstrip("+")
            found += content.count(digits.encode()) + content.count(digits[2:].encode())
    assert stored, "our own number stands in the clear, so the search would have found the others"
    assert found == 0


@only_postgres
def test_a_dump_of_every_row_holds_no_callers_number(engine: Engine) -> None:
    store_known_numbers(engine)
    with engine.connect() as connection:
        rows = [
            str(row)
            for table in Base.metadata.sorted_tables
            for row in connection.execute(text(f'SELECT t::text FROM "{table.name}" AS t'))
        ]
    content = "\n".join(rows)
    assert CATALOGUE_NUMBER in content
    assert [number for number in KNOWN if number.lstrip("+")[2:] in content] == []


def test_a_sealed_number_is_found_again_and_opened(session: Session) -> None:
    person = contacts.introduce(session, [(PointKind.phone, BOREALIS)], at=moment("2026-03-01"))
    session.flush()
    session.expire_all()
    found = contacts.recognise(session, [(PointKind.phone, BOREALIS), (PointKind.phone, COBALT)])
    assert list(found) == [(PointKind.phone, BOREALIS)]
    assert found[PointKind.phone, BOREALIS] is person
    assert person.points[0].value == BOREALIS


def test_a_number_sealed_twice_looks_different_and_opens_for_its_column_only(
    settings: Settings,
) -> None:
    vault.install(settings.keys)
    first, second = vault.seal(BOREALIS, "call.caller"), vault.seal(BOREALIS, "call.caller")
    assert first != second
    assert vault.unseal(first, "call.caller") == BOREALIS
    with pytest.raises(Invalid, match="did not seal"):
        vault.unseal(first, "contact_point.value")


def test_without_the_key_nobody_recognises_a_number(settings: Settings) -> None:
    vault.install(settings.keys)
    ours = vault.lookup_hash("phone", BOREALIS)
    vault.install(vault.Keys.from_text(vault.new_master_key()))
    theirs = vault.lookup_hash("phone", BOREALIS)
    vault.install(settings.keys)
    assert ours != theirs


def test_a_key_that_does_not_fit_is_refused_before_anything_is_written(
    settings: Settings,
) -> None:
    other = settings.model_copy(update={"key": type(settings.key)(vault.new_master_key())})
    other.__dict__.pop("keys", None)
    with pytest.raises(Invalid, match="restore the key that belongs to it"):
        db.open_installed(other)
    vault.install(settings.keys)


def test_the_key_file_is_made_once_and_read_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "ringtrail.key"
    first, second = vault.Keys.from_file(path), vault.Keys.from_file(path)
    assert first == second
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert first.fingerprint not in path.read_text()


@pytest.mark.parametrize(
    ("text", "reason"), [("not base64!", "not base64"), ("c2hvcnQ=", "has 5 bytes, not 32")]
)
def test_a_wrong_master_key_is_named_with_the_remedy(text: str, reason: str) -> None:
    with pytest.raises(Invalid, match=rf"{reason}.*ringtrail key"):
        vault.Keys.from_text(text)


def test_an_old_schema_is_told_with_the_command_that_mends_it(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(Invalid, match=r"has no tables yet; run `ringtrail db upgrade`"):
        db.open_installed(settings)
    db.install(settings).dispose()
    db.install(settings).dispose()
    db.open_installed(settings).dispose()


def test_a_database_of_another_make_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="use sqlite or postgresql"):
        db.connect(Settings(data_dir=tmp_path, database_url="mysql://localhost/x"))


def test_a_password_is_never_shown() -> None:
    assert (
        db.redact("postgresql://acme:secret@db:5432/ringtrail") == "postgresql://acme:***@db:5432/ringtrail"
    )


def test_the_call_table_takes_no_negative_duration(session: Session) -> None:
    store = [
        CallEvent(
            provider="cdr", provider_call_id="1", dialled=("1",), caller=None, started_at=moment("2026-01-01")
        )
    ]
    call = calls.record(session, store, region="SE")[0].call
    call.duration_s = -1
    with pytest.raises(IntegrityError):
        session.flush()


def test_the_standard_library_would_have_been_refused_wal_if_it_is_old() -> None:
    """Why another SQLite is brought along: this machine's own may be one that loses writes."""
    assert db.sqlite_is_safe(sqlite3.sqlite_version_info) or db.sqlite is not sqlite3


def test_the_key_of_a_record_without_an_id_cannot_be_made_without_our_key(settings: Settings) -> None:
    vault.install(settings.keys)
    ours = content_key(BOREALIS, "2026-03-01 09:00")
    assert ours == content_key(BOREALIS, "2026-03-01 09:00")
    vault.install(vault.Keys.from_text(vault.new_master_key()))
    theirs = content_key(BOREALIS, "2026-03-01 09:00")
    vault.install(settings.keys)
    assert ours != theirs, "or trying all numbers would tell which one called"


def test_the_revision_this_program_wants_is_the_last_that_alembic_would_go_to(tmp_path: Path) -> None:
    engine = db.connect(Settings(data_dir=tmp_path))
    assert db.revision(engine)[0] is None, "a new database has none"
    db.upgrade(engine)
    at, wanted = db.revision(engine)
    assert at == wanted
    db.downgrade(engine, "0001")
    assert db.revision(engine) == ("0001", wanted)
    engine.dispose()


# --- The schema is what it says --------------------------------------------------------------------------


def test_a_migration_that_has_landed_is_never_edited() -> None:
    """Databases have run it as it was; what is to be otherwise is a new migration, which adds its line."""
    folder = Path(migrations.__file__).parent
    landed = dict(reversed(line.split()) for line in (folder / "landed.txt").read_text().splitlines())
    files = {path.name: sha256(path.read_bytes()).hexdigest() for path in (folder / "versions").glob("0*.py")}
    assert files == landed


def test_what_a_database_lacks_of_its_schema_is_added_and_named(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_audit_entry_at"))
        connection.execute(text("ALTER TABLE app_user DROP COLUMN theme"))
        connection.execute(text("DROP TABLE saved_view"))
    try:
        added, left = db.mend(engine)
        assert sorted(added) == [
            "add column app_user.theme",
            "add index ix_audit_entry_at",
            "add index ix_saved_view_user_id",
            "add table saved_view",
        ]
        assert left == []
        assert db.mend(engine) == ([], [])
    finally:
        db.downgrade(engine, "base")
        db.upgrade(engine)


def test_what_cannot_be_added_is_named(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE app_user DROP COLUMN shortcuts"))
        connection.execute(text("ALTER TABLE job ADD COLUMN extra INTEGER"))
    try:
        added, left = db.mend(engine)
        assert added == []
        assert sorted(left) == ["add column app_user.shortcuts", "remove column job.extra"]
    finally:
        db.downgrade(engine, "base")
        db.upgrade(engine)


def test_an_upgrade_that_is_cut_off_at_any_statement_leaves_what_was_there(engine: Engine) -> None:
    """It is one transaction: whenever it ends, the schema is the old one, and the next upgrade is whole.

    On SQLite it is cut off at every statement, on PostgreSQL, to save time, at each fifth.
    """
    step = 1 if engine.name == "sqlite" else 5
    db.downgrade(engine, "0005")
    before = set(inspect(engine).get_table_names())
    seen, last = 0, [1]

    def cut(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal seen
        seen += statement.split()[0].upper() in ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE")
        if seen == last[0]:
            raise ConnectionAbortedError

    event.listen(engine, "before_cursor_execute", cut)
    try:
        for last[0] in count(1, step):
            seen = 0
            try:
                db.upgrade(engine)
            except ConnectionAbortedError:
                event.remove(engine, "before_cursor_execute", cut)
                assert set(inspect(engine).get_table_names()) == before
                assert db.revision(engine)[0] == "0005"
                event.listen(engine, "before_cursor_execute", cut)
            else:
                break
    finally:
        event.remove(engine, "before_cursor_execute", cut)
    assert last[0] > 10
    assert db.mend(engine) == ([], [])


@only_sqlite
def test_a_data_folder_and_its_files_are_shut_against_others_whatever_the_umask(settings: Settings) -> None:
    folder = settings.data_dir / "acme"
    old = os.umask(0)
    try:
        folder.mkdir(0o777)
        (folder / "routing.json").write_text("{}")
        told = settings.model_copy(update={"data_dir": folder})
        engine = db.install(told)
        with db.transaction(engine) as session:
            session.add(campaign("Fair"))
            open_files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        engine.dispose()
    finally:
        os.umask(old)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {"ringtrail.db", "ringtrail.db-wal", "routing.json"} <= open_files.keys()
    assert set(open_files.values()) == {0o600}


# --- The audit trail -------------------------------------------------------------------------------------


def written(engine: Engine, many: int) -> None:
    for n in range(many):
        with db.transaction(engine) as session:
            audit.note(session, "anna@acme.example", "campaign add", f"Fair {n}", at=moment("2026-01-01"))


def test_nothing_on_the_audit_trail_can_be_changed_or_taken_away(engine: Engine) -> None:
    written(engine, 2)
    for statement in ("UPDATE audit_entry SET actor = 'x'", "DELETE FROM audit_entry"):
        with pytest.raises(DBAPIError, match="never changed"), engine.begin() as connection:
            connection.execute(text(statement))


TAMPERED = {
    "UPDATE audit_entry SET actor = 'x' WHERE place = 2": "entry 2 is not what was written",
    "UPDATE audit_entry SET seal = NULL, place = NULL WHERE place = 2": "entry 2 is missing",
    "DELETE FROM audit_entry WHERE place = 2": "entry 2 is missing",
    "DELETE FROM audit_entry WHERE place = 3": "the trail ends at entry 2, not at entry 3",
    "DELETE FROM audit_entry": "the trail ends at entry 0, not at entry 3",
    "DELETE FROM audit_head": "the trail ends at entry 3, not at entry 0",
    "DELETE FROM audit_entry WHERE place = 3; UPDATE audit_head SET place = 2, seal = "
    "(SELECT seal FROM audit_entry WHERE place = 2)": "the trail ends at entry 2, and was not left there",
    "DELETE FROM audit_entry; DELETE FROM audit_head": "there is no entry, though there are users",
}


@pytest.mark.parametrize("statement", TAMPERED)
def test_who_owns_the_database_and_not_the_key_cannot_hide_a_change(engine: Engine, statement: str) -> None:
    written(engine, 3)
    with db.transaction(engine) as session:
        users.add(session, "anna@acme.example", "Anna", "administrator", at=moment("2026-01-01"))
    with db.reading(engine) as session:
        assert audit.broken(session) == ""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_update"))
        else:
            held = connection.execute(
                text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            ).all()
            for name, _ in held:
                connection.execute(text(f"DROP TRIGGER {name}"))
        for part in statement.split("; "):
            connection.execute(text(part))
        if engine.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE audit_entry ENABLE TRIGGER audit_entry_update"))
    with db.reading(engine) as session:
        assert audit.broken(session) == TAMPERED[statement]
    if statement != "DELETE FROM audit_entry; DELETE FROM audit_head":
        written(engine, 1)
        with db.reading(engine) as session:
            assert audit.broken(session) != "", "what is written afterwards hides nothing"


def test_a_trail_that_an_older_version_left_goes_on(engine: Engine) -> None:
    with pytest.MonkeyPatch.context() as older:
        older.setattr(audit, "_KINDS", ("audit",))
        older.setattr(audit, "_ends", lambda _place, seal: [seal])
        written(engine, 2)
    with db.reading(engine) as session:
        assert audit.broken(session) == ""
    written(engine, 2)
    with db.reading(engine) as session:
        assert audit.broken(session) == ""


def test_what_many_write_at_once_is_one_chain(engine: Engine) -> None:
    with ThreadPoolExecutor(6) as crowd:
        list(crowd.map(lambda _: written(engine, 5), range(6)))
    with db.reading(engine) as session:
        assert audit.broken(session) == ""
        assert session.scalar(select(func.max(AuditEntry.place))) == 30
