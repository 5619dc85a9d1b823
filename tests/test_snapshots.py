"""What was computed from the data tells when it is stale, and is otherwise not computed again."""

import time

import pytest
from sqlalchemy import Engine, func, insert, select, text
from sqlalchemy.orm import Session

from tests.cast import BOREALIS, CATALOGUE_NUMBER, moment
from tracking.errors import Invalid
from tracking.records import answers, campaigns
from tracking.reporting import journeys, snapshots
from tracking.reporting.snapshots import Preparing
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Campaign, DataChange, FailedSignIn, ImportRun
from tracking.storage.vocabulary import CallStatus, Outcome
from tracking.telephony import calls
from tracking.telephony.calls import CallEvent


def changes(engine: Engine) -> int:
    with db.reading(engine) as session:
        return session.scalar(select(func.count()).select_from(DataChange)) or 0


def test_a_transaction_that_changes_what_is_reported_on_leaves_one_mark(engine: Engine) -> None:
    with db.transaction(engine) as session:
        fair = campaigns.add(session, "Fair", "fair", at=moment("2026-01-01"))
        campaigns.add(session, "Mail", "mail", at=moment("2026-01-01"))
    assert changes(engine) == 1
    with db.transaction(engine) as session:
        session.merge(fair).channel = "trade fair"
    assert changes(engine) == 2


def test_rows_written_in_bulk_leave_a_mark_too(engine: Engine) -> None:
    row = {"name": "Fair", "channel": "fair", "targets": {}, "created_at": moment("2026-01-01")}
    with db.transaction(engine) as session:
        session.execute(insert(Campaign.__table__), [row | {"objective": "", "direction": "inbound"}])  # type: ignore[arg-type]  # a table
    assert changes(engine) == 1


def two_fairs(session: Session) -> None:
    campaigns.add(session, "Fair", "fair", at=moment("2026-01-01"))
    campaigns.add(session, "", "fair", at=moment("2026-01-01"))


def test_what_was_taken_back_or_only_read_or_is_not_reported_on_leaves_none(engine: Engine) -> None:
    with pytest.raises(Invalid), db.transaction(engine) as session:
        two_fairs(session)
    with db.reading(engine) as session:
        session.scalars(select(Campaign)).all()
    with db.transaction(engine) as session:
        session.add(FailedSignIn(email_hash="0" * 64, at=moment("2026-01-01")))
        session.add(
            ImportRun(
                kind="calls", file_name="a", finished_at=moment("2026-01-01"),
                created=0, updated=0, skipped=0, refused=0,
            )
        )  # fmt: skip
    assert changes(engine) == 0


def fair(engine: Engine, name: str = "Fair") -> None:
    with db.transaction(engine) as session:
        campaigns.add(session, name, "fair", at=moment("2026-01-01"))


def test_the_same_data_are_written_once_and_a_change_is_seen_at_once(
    engine: Engine, settings: Settings
) -> None:
    early, late = moment("2026-03-01"), moment("2026-03-02")
    with db.reading(engine) as session:
        first = snapshots.current(session, settings, at=early)
        again = snapshots.current(session, settings, at=late)
    assert (first.taken_at, again.taken_at) == (early, early)
    assert first.tables is again.tables
    fair(engine)
    with db.reading(engine) as session:
        changed = snapshots.current(session, settings, at=late)
    assert (changed.taken_at, changed.stale) == (late, False)


def test_a_snapshot_holds_the_journey_tables_without_the_words_of_people(
    engine: Engine, settings: Settings
) -> None:
    caller = answered_call(engine)
    with db.reading(engine) as session:
        kept = snapshots.current(session, settings, at=moment("2026-03-01"))
        told = journeys.export(session, currency="EUR")
    assert kept.tables.touches.equals(told.touches)
    assert kept.tables.calls.equals(told.calls)
    assert kept.tables.answers["verbatim"].to_pylist() == [None]
    files = b"".join(path.read_bytes() for path in kept.folder.iterdir())
    for words in (caller.encode(), caller[-9:].encode(), b"at the trade fair", b"Rita", b"Borealis"):
        assert words not in files


def test_a_computed_table_is_remembered_as_long_as_the_data_stay(engine: Engine, settings: Settings) -> None:
    made = []
    for _ in range(2):
        with db.reading(engine) as session:
            kept = snapshots.current(session, settings, at=moment("2026-03-01"))
        kept.remember("figures", lambda: made.append(1))
    assert made == [1]
    fair(engine)
    with db.reading(engine) as session:
        kept = snapshots.current(session, settings, at=moment("2026-03-01"))
    kept.remember("figures", lambda: made.append(1))
    assert made == [1, 1]


def test_a_model_that_the_data_do_not_support_is_named_with_its_reason(
    engine: Engine, settings: Settings
) -> None:
    answered_call(engine)
    with db.reading(engine) as session:
        kept = snapshots.current(session, settings, at=moment("2026-03-01"))
    found, missing = kept.credit(["linear", "markov"], lookback_days=365, half_life_days=30)
    assert "linear" in found
    assert set(found) | set(missing) == {"linear", "markov"}


def test_where_reading_takes_long_the_last_snapshot_is_shown_until_the_next_is_there(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with db.reading(engine) as session:
        snapshots.current(session, settings, at=moment("2026-03-01"))
    monkeypatch.setattr(snapshots, "_PATIENCE", 0.0)
    fair(engine)
    with db.reading(engine) as session:
        shown = snapshots.current(session, settings, at=moment("2026-03-02"))
    assert (shown.stale, shown.taken_at) == (True, moment("2026-03-01"))
    for _ in range(600):
        with db.reading(engine) as session:
            shown = snapshots.current(session, settings, at=moment("2026-03-02"))
        if not shown.stale:
            break
        time.sleep(0.1)
    assert not shown.stale, "another process has read the data"


def test_with_many_records_nobody_waits_for_the_first_snapshot(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "_MANY", -1)
    with db.reading(engine) as session, pytest.raises(Preparing):
        snapshots.current(session, settings, at=moment("2026-03-01"))
    for _ in range(600):
        time.sleep(0.1)
        if list((settings.data_dir / "snapshots").glob("[!n]*/about.json")):
            break
    with db.reading(engine) as session:
        assert not snapshots.current(session, settings, at=moment("2026-03-01")).stale


def test_old_snapshots_make_room(engine: Engine, settings: Settings) -> None:
    for name in "abcd":
        fair(engine, name)
        with db.reading(engine) as session:
            snapshots.current(session, settings, at=moment("2026-03-01"))
    assert len(list((settings.data_dir / "snapshots").iterdir())) == 2


def test_marks_do_not_pile_up(engine: Engine) -> None:
    with db.transaction(engine) as session:
        for _ in range(10_999):
            session.execute(text("INSERT INTO data_change DEFAULT VALUES"))
    fair(engine)
    assert changes(engine) == 10_000


def answered_call(engine: Engine) -> str:
    with db.transaction(engine) as session:
        event = CallEvent(
            provider="twilio",
            provider_call_id="CA1",
            dialled=(CATALOGUE_NUMBER,),
            caller=BOREALIS,
            caller_name="Borealis",
            started_at=moment("2026-02-01 10:00"),
            status=CallStatus.completed,
        )
        call = calls.record(session, [event], region="SE")[0].call
        answers.log(
            session, Outcome.answered, asked_at=event.started_at, call=call, verbatim="at the trade fair",
            asked_by="Rita",
        )  # fmt: skip
    return BOREALIS
