"""A change of key on a running service: nothing is lost, nothing is met twice, and it bears being cut off."""

from collections.abc import Iterator
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine, LargeBinary, select, type_coerce, update

from tests.cast import BOREALIS, CATALOGUE_NUMBER, moment
from tests.conftest import ON_BOTH, connect
from tests.imports import ON_SQLITE
from tracking.access import audit
from tracking.errors import Conflict, Invalid
from tracking.imports.values import content_key
from tracking.keeping import rekeying
from tracking.records import contacts
from tracking.storage import db, kept, keys, vault
from tracking.storage.config import Settings
from tracking.storage.models import Call, Contact, ContactPoint, OutgoingMail, User
from tracking.storage.vocabulary import PointKind, Role
from tracking.telephony import calls, inbox
from tracking.telephony.calls import CallEvent
from tracking.telephony.reserve import Reserve
from tracking.telephony.spool import Spool

CALLERS = [f"+4420794600{n:02d}" for n in range(10, 60)]
PHONE = PointKind.phone


def now() -> datetime:
    """The moment of these tests."""
    return moment("2026-11-29 12:00")


@pytest.fixture
def house(settings: Settings) -> Iterator[tuple[Settings, Engine]]:
    """An installation whose key lies in a file, as that of most does."""
    own = settings.model_copy(update={"key": type(settings.key)("")})
    own.__dict__.pop("keys", None)
    (own.data_dir / "ringtrail.key").write_text(settings.key.get_secret_value())
    engine = connect(own)
    yield own, engine
    engine.dispose()
    vault.install(settings.keys)


def fill(engine: Engine) -> None:
    """Let fifty people call, each once, and keep something of each kind of sealed value."""
    events = [
        CallEvent(
            provider="cdr", provider_call_id=f"call {n}", dialled=(CATALOGUE_NUMBER,), caller=caller,
            started_at=moment("2026-03-01 09:00"), talk_s=60, caller_name=f"Anna Lindqvist {n}",
        )
        for n, caller in enumerate(CALLERS)
    ]  # fmt: skip
    with db.transaction(engine) as session:
        calls.record(session, events, region="SE")
        arrival = inbox.Arrival(provider="cdr", call_id="x", report="over", body="{}", received_at=now())
        session.add_all(inbox.store(session, [arrival]))
        moments = {"created_at": now(), "not_before": now()}
        session.add(OutgoingMail(kind="k", address="anna@acme.example", language="en", **moments))
        user = User(
            email="anna@acme.example", name="Anna", role=Role.viewer, fs_uniquifier="1", created_at=now()
        )
        user.tf_totp_secret, user.mf_recovery_codes = "secret", ["dddd-eeee-ffff"]
        session.add(user)
        audit.note(session, "terminal", "campaign add", "Catalogue", at=now())


def everything(engine: Engine) -> list[object]:
    """Return what the sealed values are in clear."""
    with db.reading(engine) as session:
        return [
            session.execute(select(*columns).select_from(table).order_by(table.c.id)).all()
            for table, columns in rekeying.sealed_columns()
        ]


def found(engine: Engine) -> list[str]:
    """Return the callers that are recognised by their number, all of whom are found by name."""
    with db.reading(engine) as session:
        assert len(contacts.called(session, "lindqvist", most=100)) == len(CALLERS)
        return sorted(value for _, value in contacts.recognise(session, [(PHONE, c) for c in CALLERS]))


def left(engine: Engine) -> int:
    with db.reading(engine) as session:
        return rekeying.progress(session).left


@ON_BOTH
def test_all_that_is_sealed_is_sealed_anew_and_found_all_the_while(house: tuple[Settings, Engine]) -> None:
    settings, engine = house
    fill(engine)
    before, row_key = everything(engine), content_key(BOREALIS, "09:00")
    old = vault.installed().fingerprint
    assert rekeying.rotate(engine, settings, by="terminal", at=now()) != old
    total = left(engine)
    assert total > 100
    stops = count()
    # Stopped after the first batch, as by a kill, then taken up again.
    rekeying.run(engine, at=now, pause=lambda _: next(stops) == 0)
    assert 0 < left(engine) < total
    assert everything(engine) == before
    assert found(engine) == CALLERS, "some by the old hash, some by the new one"
    assert rekeying.run(engine, at=now) > 0
    assert left(engine) == 0
    assert (everything(engine), found(engine)) == (before, CALLERS)
    assert content_key(BOREALIS, "09:00") == row_key, "a file imported again is known again"
    with db.reading(engine) as session:
        assert audit.broken(session) == ""
        assert not rekeying.is_going_on(session)
        hashes = session.scalars(select(Call.caller_hash)).all()
    assert set(hashes) == {vault.lookup_hash(PHONE, caller) for caller in CALLERS}
    rekeying.retire(engine, settings, by="terminal", at=now())
    assert (everything(engine), found(engine)) == (before, CALLERS)
    assert content_key(BOREALIS, "09:00") == row_key
    with db.reading(engine) as session:
        assert audit.broken(session) == ""
    db.open_installed(settings).dispose()


@ON_BOTH
def test_a_running_service_takes_the_new_key_before_anything_is_found_by_it_alone(
    house: tuple[Settings, Engine],
) -> None:
    settings, engine = house
    fill(engine)
    # What the service has in its memory is the old key; another process changes the file.
    ring = vault._ring
    vault.install(vault.installed(), settings.key_file)
    rekeying.rotate(engine, settings, by="terminal", at=now())
    rekeying.run(engine, at=now)
    vault._ring = ring
    again = CallEvent(
        provider="cdr", provider_call_id="later", dialled=(CATALOGUE_NUMBER,), caller=CALLERS[3],
        started_at=moment("2026-11-29 10:00"),
    )  # fmt: skip
    with db.transaction(engine) as session:
        (recorded,) = calls.record(session, [again], region="SE")
        first = session.scalars(select(Call).where(Call.provider_call_id == "call 3")).one()
        assert recorded.call.contact_id == first.contact_id
        assert recorded.call.caller_hash == first.caller_hash
    assert left(engine) == 0


@ON_BOTH
def test_what_began_with_the_old_key_ends_with_it_and_is_sealed_anew(house: tuple[Settings, Engine]) -> None:
    settings, engine = house
    fill(engine)
    vault.install(vault.installed(), settings.key_file)
    old, first = vault.installed().fingerprint, Path(settings.key_file or "").read_text()
    again = CallEvent(
        provider="cdr", provider_call_id="later", dialled=(CATALOGUE_NUMBER,), caller=CALLERS[3],
        started_at=moment("2026-11-29 10:00"), caller_name="Bo",
    )  # fmt: skip
    with db.transaction(engine) as session:
        session.execute(select(1))
        with vault.steady():
            # Another process has made a new key, and waits for this transaction to say so in the database.
            keys.write(Path(settings.key_file or ""), f"{vault.new_master_key()}\n{first}", replace=True)
            assert vault.installed().fingerprint == old
            calls.record(session, [again], region="SE")
        assert vault.installed().fingerprint != old
    db.commit(engine, lambda session: rekeying.adopt(session, by="terminal", at=now()))
    rekeying.run(engine, at=now)
    assert left(engine) == 0
    assert found(engine) == CALLERS, "the caller was recognised, and is one still"


@ON_BOTH
def test_who_was_met_under_both_keys_at_one_moment_is_one(house: tuple[Settings, Engine]) -> None:
    settings, engine = house
    fill(engine)
    rekeying.rotate(engine, settings, by="terminal", at=now())
    with db.transaction(engine) as session:
        # A process that had begun before the change ends after it.
        twin = Contact(account=contacts.Account(created_at=now()), created_at=now())
        hashed = vault.lookup_hash(PHONE, CALLERS[0])
        twin.points = [ContactPoint(kind=PHONE, value=CALLERS[0], value_hash=hashed)]
        session.add(twin)
        session.flush()
        number = twin.id
    rekeying.run(engine, at=now)
    with db.reading(engine) as session:
        held = session.scalars(select(ContactPoint).where(ContactPoint.contact_id == number)).one()
        first = session.scalars(select(Call).where(Call.provider_call_id == "call 0")).one()
        assert contacts.root(session, first.contact).id == number
        assert held.value == CALLERS[0]


@ON_BOTH
def test_values_of_before_each_kind_had_a_key_of_its_own_open_and_are_sealed_anew(
    house: tuple[Settings, Engine],
) -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    settings, engine = house
    fill(engine)
    key, nonce = vault.installed().current, b"n" * 12
    old = nonce + AESGCM(key.sealing).encrypt(nonce, BOREALIS.encode(), b"call.caller")
    assert vault.unseal(old, "call.caller") == BOREALIS
    with db.transaction(engine) as session:
        raw = update(Call.__table__).where(Call.__table__.c.provider_call_id == "call 1")  # type: ignore[arg-type]  # mapped tables are tables
        session.connection().execute(raw.values(caller=type_coerce(old, LargeBinary)))
    rekeying.rotate(engine, settings, by="terminal", at=now())
    rekeying.run(engine, at=now)
    with db.reading(engine) as session:
        assert session.scalars(select(Call.caller).where(Call.provider_call_id == "call 1")).one() == BOREALIS
    assert left(engine) == 0


def test_each_kind_of_value_has_a_key_of_its_own(settings: Settings) -> None:
    key = settings.keys.current
    assert key.cipher("call.caller") is key.cipher("call.caller")
    nonce, clear = b"n" * 12, b"number"
    forms = {
        key.cipher(kind).encrypt(nonce, clear, b"") for kind in ("call.caller", "spool", "upload 1", "k")
    }
    assert len(forms) == 4
    assert key.cipher("upload 1").encrypt(nonce, clear, b"") in forms, "what follows binds, and makes no key"


def test_every_sealed_column_takes_part_whoever_adds_it() -> None:
    named = {
        f"{table.name}.{column.name}" for table, columns in rekeying.sealed_columns() for column in columns
    }
    assert {"call.caller", "contact_point.value", "inbox_event.body", "app_user.tf_totp_secret"} <= named


def test_a_key_is_retired_only_when_nothing_needs_it(house: tuple[Settings, Engine]) -> None:
    settings, engine = house
    fill(engine)
    with pytest.raises(Conflict, match="no older key found"):
        rekeying.retire(engine, settings, by="terminal", at=now())
    Spool(settings.spool_dir).put("1", "an event")
    rekeying.rotate(engine, settings, by="terminal", at=now())
    with pytest.raises(Conflict, match="still need an older key"):
        rekeying.retire(engine, settings, by="terminal", at=now())
    with pytest.raises(Conflict, match="a key change is already running"):
        rekeying.rotate(engine, settings, by="terminal", at=now())
    rekeying.run(engine, at=now)
    with pytest.raises(Conflict, match=r"spool.*still needs an older key"):
        rekeying.retire(engine, settings, by="terminal", at=now())
    spool = Spool(settings.spool_dir)
    spool.discard([path for path, text in spool.some(9) if text == "an event"])
    old = (settings.data_dir / "ringtrail.key").read_text().split()[1]
    rekeying.retire(engine, settings, by="terminal", at=now())
    assert old not in (settings.data_dir / "ringtrail.key").read_text()
    assert rekeying.rotate(engine, settings, by="terminal", at=now()), "and may be changed again"
    rekeying.run(engine, at=now)
    with db.reading(engine) as session:
        assert audit.broken(session) == ""


@ON_BOTH
def test_a_damaged_value_is_named_and_holds_up_no_other(
    house: tuple[Settings, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, engine = house
    said = list[str]()
    monkeypatch.setattr(rekeying._log, "error", lambda words, *told: said.append(words % told))
    fill(engine)
    with db.transaction(engine) as session:
        raw = update(Call.__table__).where(Call.__table__.c.provider_call_id == "call 1")  # type: ignore[arg-type]  # mapped tables are tables
        session.connection().execute(raw.values(caller=type_coerce(b"\x02damaged", LargeBinary)))
        number = session.scalar(select(Call.id).where(Call.provider_call_id == "call 1"))
    rekeying.rotate(engine, settings, by="terminal", at=now())
    rekeying.run(engine, at=now)
    assert left(engine) == 1 + 1, "the caller's name stays with the number until that is put right"
    assert f"call.caller of row {number} is damaged" in "".join(said)


@ON_SQLITE
def test_what_lies_beside_the_database_opens_when_a_key_is_retired_or_keeps_it(
    house: tuple[Settings, Engine],
) -> None:
    settings, engine = house
    settings.adopt({"RINGTRAIL_COMPANY": "Acme Pumps"})
    with db.transaction(engine) as session:
        kept.put(session, "RINGTRAIL_COMPANY", "Acme Pumps")
        settings.adopt({})
        kept.refresh(session, settings)
    reserve = Reserve(settings.data_dir / "spool.reserve")
    reserve.prepare()
    reserve.put(vault.seal("an event", "spool"))
    rekeying.rotate(engine, settings, by="terminal", at=now())
    rekeying.run(engine, at=now)
    with pytest.raises(Conflict, match=r"spool\.reserve still needs an older key"):
        rekeying.retire(engine, settings, by="terminal", at=now())
    reserve.discard([place for place, _ in reserve.some(1)])
    # What a change of key has left that was cut off, and a copy that somebody made.
    draft, copy = (settings.data_dir / f"ringtrail.key.{name}" for name in ("0123456789ab", "copy"))
    for path in (draft, copy):
        path.write_text("")
    rekeying.retire(engine, settings, by="terminal", at=now())
    assert (draft.exists(), copy.exists()) == (False, True)
    settings.adopt({})
    kept.recall(settings)
    assert settings.company == "Acme Pumps", "also while the database is away"


def test_keys_in_the_environment_are_changed_by_words_and_the_database_learns_it(
    settings: Settings, engine: Engine
) -> None:
    fill(engine)
    old = settings.key.get_secret_value()
    with pytest.raises(Conflict, match="RINGTRAIL_KEY"):
        rekeying.rotate(engine, settings, by="terminal", at=now())
    words = f"{vault.new_master_key()} {old}"
    both = Settings(data_dir=settings.data_dir, key=words, database_url=settings.database_url)
    opened = db.open_installed(both)
    with db.transaction(opened) as session:
        assert rekeying.adopt(session, by="worker", at=now())
    rekeying.run(opened, at=now)
    assert left(opened) == 0
    opened.dispose()
    with pytest.raises(Invalid, match="restore the key that belongs to it"):
        db.open_installed(settings)
    vault.install(settings.keys)


def test_keys_in_the_wrong_order_are_refused(settings: Settings, tmp_path: Path) -> None:
    db.install(settings).dispose()
    wrong = f"{settings.key.get_secret_value()} {vault.new_master_key()}"
    with pytest.raises(Invalid, match="write the newest first and the oldest last"):
        db.open_installed(Settings(data_dir=tmp_path, key=wrong, database_url=settings.database_url))
    vault.install(settings.keys)
