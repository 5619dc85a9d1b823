"""Processes killed in the middle of what removes or replaces data: what they leave is whole, or goes on."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select

from tests.api_client import Api
from tests.cast import FAIR_NUMBER
from tests.imports import NOW, ON_SQLITE, advertise, import_table
from tests.test_erasure import AT, api, left_in, take_out
from tests.test_erasure import everything as all_kept
from tests.test_retention import fill
from tracking.errors import Conflict, NotFound
from tracking.imports import undo
from tracking.imports.outcomes import Result
from tracking.keeping import backups, erasure, retention
from tracking.storage import db, running
from tracking.storage.config import Settings
from tracking.storage.models import AuditEntry, Call, Erasure, ImportRun, InboxEvent
from tracking.telephony.inbox import ERASED

__all__ = ["api"]
_WRITES = ("INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "PRAGMA wal")
_FILES = {"os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir"}


def dies(step: int, act: Callable[[], object]) -> bool:
    """Do something in another process that is killed before its so many-eth change; tell whether it was."""
    if (child := os.fork()) == 0:
        left = step

        def count() -> None:
            nonlocal left
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

        def execute(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith(_WRITES):
                count()

        def touch(name: str, args: tuple[Any, ...]) -> None:
            if name in _FILES or (name == "open" and args[2] & os.O_CREAT):
                count()

        event.listen(Engine, "before_cursor_execute", execute)
        event.listen(Engine, "commit", lambda _connection: count())
        sys.addaudithook(touch)
        try:
            act()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
    _, state = os.waitpid(child, 0)
    assert state in (0, signal.SIGKILL)
    return state != 0


def at_each(settings: Settings, tmp_path: Path, every: int, act: Callable[[Settings, Engine], object]) -> Any:
    """Hand out an installation for each change at which something can be killed, after it was; then whole."""
    step, cut = 1, True
    while cut:
        folder = tmp_path / f"step {step}"
        shutil.copytree(settings.data_dir, folder, ignore=shutil.ignore_patterns("step *"))
        own = settings.model_copy(update={"data_dir": folder})

        def start(own: Settings = own) -> None:
            engine = db.connect(own)
            act(own, engine)

        cut = dies(step, start)
        engine = db.connect(own)
        yield own, engine, cut
        engine.dispose()
        shutil.rmtree(folder)
        step += every


@ON_SQLITE
def test_an_erasure_that_is_cut_off_anywhere_is_whole_or_is_done_by_repeating_it(
    settings: Settings, engine: Engine, api: Api, tmp_path: Path
) -> None:
    engine.dispose()
    for own, held, _ in at_each(settings, tmp_path, 19, take_out):
        try:
            take_out(own, held)
        except NotFound:
            erasure.settle(held, own)  # as the worker does each hour
        assert left_in(all_kept(own, held)) == []
        with db.reading(held) as session:
            receipts = session.scalars(select(Erasure.receipt)).all()
        assert len(receipts) == 1
        assert set(erasure.listed(own)) == set(receipts)
        held_bytes = b"".join(path.read_bytes() for path in own.data_dir.rglob("*") if path.is_file())
        assert b"Ada wants 20 pumps" not in held_bytes
        assert b"Ada at the fair" not in held_bytes


@ON_SQLITE
def test_a_restore_that_is_cut_off_anywhere_leaves_the_old_data_or_the_new_ones_without_the_erased(
    settings: Settings, engine: Engine, api: Api, tmp_path: Path
) -> None:
    path = backups.create(engine, settings, at=AT)
    take_out(settings, engine)
    before = all_kept(settings, engine)
    engine.dispose()

    def again(own: Settings, held: Engine) -> object:
        return erasure.restore(held, own, path, at=AT, replace=True)

    for own, held, cut in at_each(settings, tmp_path, 109, again):
        after = all_kept(own, held)
        assert left_in(after) == []
        assert after == before or backups.cut_off(own) or not cut, "doctor names it"
        again(own, held)
        assert not backups.cut_off(own)
        assert left_in(all_kept(own, held)) == []


@ON_SQLITE
def test_whatever_retention_deletes_is_on_the_trail_first_and_the_rest_goes_next_time(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    fill(engine, [500, 401, 399, 10])
    engine.dispose()
    days = {"keep_events_days": "30", "keep_numbers_days": "400"}

    def tidy(own: Settings, held: Engine) -> object:
        return retention.apply(held, own.model_copy(update=days), at=AT, by="worker")

    for own, held, _ in at_each(settings, tmp_path, 10, tidy):
        with db.reading(held) as session:
            is_whole = session.scalar(select(func.count()).where(InboxEvent.body_hash != ERASED)) == 4
            on_trail = session.scalars(select(AuditEntry.action)).all()
            assert is_whole or "retention apply" in on_trail
        tidy(own, held)
        assert tidy(own, held) == {}


@ON_SQLITE
def test_an_import_that_is_killed_anywhere_says_what_it_took_and_goes_on_or_is_undone(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    advertise(engine)
    engine.dispose()
    rows = [f"pbx,{n},2026-03-01 10:00,+44207946{n:04d},{FAIR_NUMBER},60" for n in range(120)]
    text = "\n".join(["provider,call_id,started_at,caller,dialled,talk_s", *rows])

    def counts(held: Engine, run: int) -> tuple[int | None, int]:
        with db.reading(held) as session:
            there = session.scalar(select(func.count(Call.id)).where(Call.imported_by == run)) or 0
            return session.scalar(select(ImportRun.created).where(ImportRun.id == run)), there

    def bring_in(_own: Settings, held: Engine) -> Result:
        return import_table(held, "calls", text)

    taken = set()
    for own, held, cut in at_each(settings, tmp_path, 7, bring_in):
        told, there = counts(held, 1)
        assert (told or 0) == there
        taken.add(there)
        assert bring_in(own, held).created == 120 - there
        if cut and told is not None:
            with db.transaction(held) as session:
                assert undo.undo(session, 1, at=NOW).going.get("call", 0) == there
    assert taken >= {100, 120}, "killed between two batches too"


@ON_SQLITE
def test_nothing_is_restored_while_the_service_runs(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    path = backups.create(engine, settings, at=AT)
    with running.noted(tmp_path / "nowhere", waits=True):
        pass  # where the disk takes no mark, the service runs all the same
    with (
        running.noted(settings.data_dir, waits=False),
        pytest.raises(Conflict, match="the service is running; stop"),
    ):
        backups.restore(engine, settings, path, at=AT, replace=True)
    backups.restore(engine, settings, path, at=AT, replace=True)
