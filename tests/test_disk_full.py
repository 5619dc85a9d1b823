"""A disk that is really full: the telephone rings, and nothing that was acknowledged is lost."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine, func, select

from tests.cast import ACME_DESK, BOREALIS, CATALOGUE_NUMBER, moment
from tests.conftest import KEY
from tests.twilio_requests import incoming, post, progress, sid, with_twilio
from tracking.app import create_app
from tracking.storage import db, vault
from tracking.storage.config import Settings
from tracking.storage.models import Call, InboxEvent
from tracking.telephony import numbers, reserve
from tracking.telephony.inbox import Inbox
from tracking.telephony.reserve import Reserve
from tracking.telephony.spool import Spool

NINE = moment("2026-03-02 09:00")
SIZE_MB = 6


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    become = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    owned = f"size={SIZE_MB}m,mode=0700,uid={os.geteuid()}"
    mount = [*become, "mount", "-t", "tmpfs", "-o", owned, "tmpfs", str(folder)]
    if subprocess.run(mount, check=False).returncode:
        assert os.environ.get("CI") != "true", "the build server has to be able to mount a small disk"
        pytest.skip("nobody lets us mount a small disk; run as root")
    yield folder
    subprocess.run([*become, "umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def acme(small_disk: Path, sqlite_template: Path) -> Iterator[tuple[Settings, Engine]]:
    """Acme on the small disk, with its catalogue number."""
    shutil.copy(sqlite_template, small_disk / "ringtrail.db")
    settings = with_twilio(Settings(data_dir=small_disk, key=KEY, default_destination=ACME_DESK))
    engine = db.connect(settings)
    with db.transaction(engine) as session:
        numbers.add(session, CATALOGUE_NUMBER, at=moment("2026-01-01"), provider="twilio")
    yield settings, engine
    engine.dispose()


def fill(folder: Path) -> Path:
    """Leave no byte free."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (100_000, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    assert shutil.disk_usage(folder).free == 0
    return ballast


def inbox(app: Flask) -> Inbox:
    found = app.extensions["ringtrail"]["inbox"]
    assert isinstance(found, Inbox)
    return found


def ring(app: Flask, call: int) -> None:
    reply = post(app.test_client(), "voice", incoming(sid(call)))
    assert reply.status_code == 200
    assert ACME_DESK in reply.text


def report(app: Flask, call: int) -> int:
    told = progress(sid(call), "completed", NINE + timedelta(minutes=call), 1, 30)
    return post(app.test_client(), "status", told).status_code


def kept(engine: Engine) -> set[str]:
    with db.reading(engine) as session:
        assert session.scalar(select(func.count(InboxEvent.id)).where(InboxEvent.error.is_not(None))) == 0
        return set(session.scalars(select(Call.provider_call_id)))


def test_on_a_full_disk_calls_ring_and_a_process_that_dies_then_loses_nothing_acknowledged(
    acme: tuple[Settings, Engine], small_disk: Path
) -> None:
    settings, engine = acme
    app = create_app(settings, engine)
    inbox(app).prepare()
    ring(app, 0)
    ballast = fill(small_disk)
    for call in range(1, 150):
        ring(app, call)
        assert report(app, call) == 204
    waiting = inbox(app).backlog().spooled
    assert waiting > 200, "the database takes a few, into room that it has already"
    for path in small_disk.rglob("*"):
        assert BOREALIS.strip("+").encode() not in (path.read_bytes() if path.is_file() else b"")

    # Never closed: what a process that is killed leaves behind is what lies on the disk now.
    ballast.unlink()
    after = db.connect(settings)
    again = create_app(settings, after)
    inbox(again).drain()
    inbox(again).close()
    assert kept(after) == {sid(call) for call in range(150)}
    assert inbox(again).backlog().spooled == 0
    assert not any((small_disk / "spool.reserve").read_bytes()[32:]), "nothing of it is left in the reserve"
    inbox(app).close()
    after.dispose()


def test_where_nothing_is_left_calls_ring_and_who_can_ask_again_is_told_to(
    acme: tuple[Settings, Engine], small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, engine = acme
    app = create_app(settings, engine)
    monkeypatch.setattr(reserve, "MOST", 20_000)
    inbox(app).prepare()
    ballast = fill(small_disk)
    answers = []
    for call in range(100):
        ring(app, call)
        answers.append(report(app, call))
    assert answers[0] == 204
    assert answers[-1] == 503, "said openly: this one is on no disk"
    ballast.unlink()
    # What was held in memory is written once there is room, by whoever is first.
    inbox(app).close()
    inbox(app).drain()
    assert kept(engine) == {sid(call) for call in range(100)}


# --- The reserve by itself -------------------------------------------------------------------------------


def test_the_reserve_gives_back_in_order_what_it_took_and_is_used_again(tmp_path: Path) -> None:
    one, other = Reserve(tmp_path / "reserve"), Reserve(tmp_path / "reserve")
    with pytest.raises(OSError, match="No such file"):
        one.put(b"before it is there")
    one.prepare()
    for text in (b"first", b"second", b"third"):
        one.put(text)
    assert [record for _, record in other.some(2)] == [b"first", b"second"]
    places = [place for place, _ in other.some(2)]
    other.discard(places)
    assert [record for _, record in one.some(9)] == [b"third"]
    one.discard([place for place, _ in one.some(9)])
    assert one.is_empty()
    one.put(b"fourth")
    other.discard(places)
    assert [record for _, record in one.some(9)] == [b"fourth"], "a place of before names nothing any more"


def test_a_reserve_that_is_full_says_so_and_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserve, "MOST", 1000)
    small = Reserve(tmp_path / "reserve")
    small.prepare()
    # 32 bytes say what is where; each record has 4 for its size.
    for number in range(9):
        small.put(b"%d" % number * 100)
    with pytest.raises(OSError, match="the reserve is full too"):
        small.put(b"9" * 100)
    assert [record for _, record in small.some(99)] == [b"%d" % number * 100 for number in range(9)]
    assert (tmp_path / "reserve").stat().st_size == 1000


def test_what_no_key_opens_leaves_the_reserve_and_holds_up_nothing(
    acme: tuple[Settings, Engine], small_disk: Path
) -> None:
    settings, engine = acme
    spool = Spool(settings.spool_dir)
    spool.prepare()
    set_aside = Reserve(settings.data_dir / "spool.reserve")
    set_aside.put(b"no key of ours sealed this")
    set_aside.put(vault.seal("[]", "spool"))
    app = create_app(settings, engine)
    ring(app, 1)
    inbox(app).close()
    inbox(app).drain()
    assert inbox(app).backlog().unreadable == 2
    assert set_aside.is_empty()
    assert kept(engine) == {sid(1)}


@pytest.mark.parametrize("odd", ["garbage", "cut off", "empty", "a pipe", "a folder", "a damaged record"])
def test_an_odd_reserve_stops_nothing_and_is_kept_beside_a_new_one(
    acme: tuple[Settings, Engine], small_disk: Path, odd: str
) -> None:
    settings, engine = acme
    path = small_disk / "spool.reserve"
    if odd == "a folder":
        path.mkdir()
    elif odd == "a pipe":
        os.mkfifo(path)
    else:
        Reserve(path).prepare()
        Reserve(path).put(b"an event")
        held = path.read_bytes()
        damaged = held[:32] + b"\xff\xff\xff\xff" + held[36:]
        path.write_bytes({"garbage": b"?" * 99, "cut off": held[:40], "empty": b""}.get(odd, damaged))
    app = create_app(settings, engine)
    inbox(app).prepare()
    ring(app, 1)
    inbox(app).close()
    inbox(app).drain()
    inbox(app).prepare()
    assert kept(engine) == {sid(1)}
    assert Reserve(path).is_empty()
    assert path.stat().st_size > 100_000
    Reserve(path).put(b"another")
    assert [record for _, record in Reserve(path).some(9)] == [b"another"]


def test_a_reserve_that_was_small_grows_while_nothing_lies_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "reserve"
    monkeypatch.setattr(reserve, "MOST", 100)
    Reserve(path).prepare()
    Reserve(path).put(b"in the small one")
    monkeypatch.setattr(reserve, "MOST", 1000)
    Reserve(path).prepare()
    assert path.stat().st_size == 100, "something lies in it"
    Reserve(path).discard([place for place, _ in Reserve(path).some(9)])
    Reserve(path).prepare()
    assert path.stat().st_size == 1000
