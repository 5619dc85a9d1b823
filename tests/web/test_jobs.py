"""Background jobs: each done once, watched, stopped, and taken up again where a worker died."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.conftest import KEY
from tests.web.people import form
from tracking import clock
from tracking.access import jobs
from tracking.access.jobs import Arguments, Progress
from tracking.errors import Conflict, Invalid
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Job
from tracking.storage.vocabulary import JobState

Enter = Callable[[str], FlaskClient]


def put(engine: Engine, kind: str = "count", label: str = "Count to three", **arguments: Any) -> int:
    def work(session: Session) -> int:
        row = jobs.enqueue(session, kind, label, arguments, by="mikael@acme.example", at=clock.now())
        return row.id

    return db.commit(engine, work)


def row(engine: Engine, job_id: int) -> Job:
    with db.reading(engine) as session:
        found = jobs.get(session, job_id)
        session.expunge(found)
        return found


def count(arguments: Arguments, progress: Progress) -> Mapping[str, Any]:
    for done in range(arguments["to"]):
        progress(done, arguments["to"])
    return {"counted": arguments["to"]}


def test_jobs_are_done_one_by_one_in_the_order_they_came(engine: Engine) -> None:
    first, second = put(engine, to=3), put(engine, to=5)
    assert jobs.work(engine, {"count": count})
    assert (row(engine, first).state, row(engine, second).state) == (JobState.done, JobState.waiting)
    assert row(engine, first).result == {"counted": 3}
    assert jobs.work(engine, {"count": count})
    assert not jobs.work(engine, {"count": count}), "nothing waits any more"
    assert row(engine, second).result == {"counted": 5}


def test_a_job_whose_worker_fell_silent_is_taken_up_again_and_given_up_after_three(engine: Engine) -> None:
    job_id = put(engine, to=1)
    at = clock.now()
    for begun in range(3):
        at += jobs.SILENCE + timedelta(seconds=1)
        with db.transaction(engine) as session:
            claimed = jobs.claim(session, at=at)
            assert claimed is not None
            assert claimed.attempts == begun + 1
        with db.transaction(engine) as session:
            assert jobs.claim(session, at=at + timedelta(seconds=30)) is None, "its worker is alive"
    with db.transaction(engine) as session:
        assert jobs.claim(session, at=at + jobs.SILENCE + timedelta(seconds=1)) is None
    failed = row(engine, job_id)
    assert failed.state is JobState.failed
    assert "crashed 3 times" in (failed.error or "")


def test_a_worker_that_was_thought_dead_does_not_write_into_the_job_of_the_next(engine: Engine) -> None:
    job_id = put(engine, to=1)
    with db.transaction(engine) as session:
        first = jobs.claim(session, at=clock.now())
    assert first is not None
    assert first.started_at is not None
    late = Progress(engine, job_id, first.started_at)
    with db.transaction(engine) as session:
        later = clock.now() + jobs.SILENCE * 2
        assert jobs.claim(session, at=later) is not None
    with pytest.raises(jobs.Stopped):
        late(1, 1)
    assert row(engine, job_id).done == 0


def test_a_running_job_stops_where_it_next_tells_its_progress(engine: Engine) -> None:
    job_id = put(engine, to=3)

    def stopped_halfway(_arguments: Arguments, progress: Progress) -> None:
        with db.transaction(engine) as session:
            jobs.stop(session, jobs.get(session, job_id), at=clock.now())
        progress(1, 3)
        raise AssertionError("it went on")

    jobs.work(engine, {"count": stopped_halfway})
    assert row(engine, job_id).state is JobState.stopped
    with db.transaction(engine) as session, pytest.raises(Conflict, match="has already finished"):
        jobs.stop(session, jobs.get(session, job_id), at=clock.now())


def test_a_job_of_a_worker_that_ends_in_good_order_waits_for_the_next_one(engine: Engine) -> None:
    job_id = put(engine, to=3)
    for _ in range(4):
        assert jobs.work(engine, {"count": count}, lambda: True)
        waiting = row(engine, job_id)
        assert (waiting.state, waiting.attempts, waiting.done) == (JobState.waiting, 0, 0)
    assert jobs.work(engine, {"count": count})
    assert row(engine, job_id).result == {"counted": 3}


def test_what_fails_says_why_and_the_next_job_is_done(engine: Engine) -> None:
    def fail(arguments: Arguments, _progress: Progress) -> None:
        if arguments["to"]:
            raise Invalid("file", "is empty; choose another")
        raise RuntimeError("a secret of the program")

    known, unforeseen, foreign, last = put(engine, to=1), put(engine, to=0), put(engine, "dance"), put(engine)
    for _ in range(4):
        jobs.work(
            engine,
            {"count": fail}
            if row(engine, foreign).state is JobState.waiting
            else {"count": lambda _a, _p: {}},
        )
    assert row(engine, known).error == "file: is empty; choose another"
    assert row(engine, unforeseen).error == "RuntimeError; see the log for details"
    assert "does not support" in (row(engine, foreign).error or "")
    assert row(engine, last).state is JobState.done


def test_the_pages_show_jobs_and_stop_one(signed_in: Enter, engine: Engine) -> None:
    client = signed_in("marketer")
    assert "No background jobs yet" in client.get("/jobs").text
    job_id = put(engine, label='<script>alert(1)</script>" onload="alert(2)')
    for path in ("/jobs", f"/jobs/{job_id}"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page
        assert "waiting" in page
    token = form(client.get("/jobs").text)
    assert client.post(f"/jobs/{job_id}/stop", data=token).status_code == 303
    assert row(engine, job_id).state is JobState.stopped
    assert client.post(f"/jobs/{job_id}/stop", data=token).status_code == 409
    assert client.get("/jobs/999").status_code == 404


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_the_worker_process_does_a_job_and_ends_when_told(engine: Engine, settings: Settings) -> None:
    job_id = put(engine, "dance")
    told = {"RINGTRAIL_DATA_DIR": str(settings.data_dir), "RINGTRAIL_KEY": KEY}
    worker = subprocess.Popen([sys.executable, "-m", "tracking", "work"], env=os.environ | told)
    try:
        until(lambda: row(engine, job_id).state is JobState.failed)
    finally:
        worker.send_signal(signal.SIGTERM)
        ended = worker.wait(600)
    assert ended == 0


def worker_of(server: int) -> int | None:
    """Return the process of the worker beside a server."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = entry.read_bytes().decode().split("\0")
            if words[-3:-1] == ["--beside", str(server)]:
                return int(entry.parent.name)
    return None


def until(found: Callable[[], object]) -> object:
    # A bound for what is lost, not a speed to keep: the machine may have other work.
    for _ in range(6000):
        if value := found():
            return value
        time.sleep(0.1)
    raise AssertionError("it did not come within 10 minutes")


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_the_server_keeps_a_worker_and_ends_it_with_itself(engine: Engine, settings: Settings) -> None:
    told = {"RINGTRAIL_DATA_DIR": str(settings.data_dir), "RINGTRAIL_KEY": KEY}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tracking", "serve", "--port", str(port)]
    server = subprocess.Popen(command, env=os.environ | told)
    try:
        first = until(lambda: worker_of(server.pid))
        assert isinstance(first, int)
        os.kill(first, signal.SIGKILL)
        # A process that was killed is still listed until the system has taken it down.
        until(lambda: worker_of(server.pid) != first)
        second = until(lambda: worker_of(server.pid))
        assert second != first
        job_id = put(engine, "dance")
        until(lambda: row(engine, job_id).state is JobState.failed)
    finally:
        server.terminate()
        # Awaited here, so that a failure leaves no process to the tests that follow.
        ended = server.wait(600)
    assert ended == 0
    assert not Path(f"/proc/{second}").exists()


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_worker_ends_when_its_server_is_killed(engine: Engine, settings: Settings) -> None:
    told = {"RINGTRAIL_DATA_DIR": str(settings.data_dir), "RINGTRAIL_KEY": KEY}
    parent = (
        "import os, signal, subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-m', 'tracking', 'work', '--beside', str(os.getpid())])\n"
        "signal.pause()"
    )
    server = subprocess.Popen([sys.executable, "-c", parent], env=os.environ | told)
    try:
        found = until(lambda: worker_of(server.pid))
    finally:
        server.kill()
        server.wait(600)
    until(lambda: not Path(f"/proc/{found}").exists())


def test_a_running_import_shows_its_rows_and_how_long_it_will_go_on(engine: Engine, signed_in: Enter) -> None:
    begun = clock.now()
    with db.transaction(engine) as session:
        job = jobs.enqueue(session, "import", "Import calls.csv", {}, by="mikael@acme.example", at=begun)
        job.state, job.started_at, job.heartbeat_at, job.total = JobState.running, begun, begun, 400_000
    client = signed_in("marketer")
    assert "left" not in client.get(f"/jobs/{job.id}").text, "nothing is known before the first rows"
    with db.transaction(engine) as session:
        job = jobs.get(session, job.id)
        job.done, job.heartbeat_at = 100_000, begun + timedelta(seconds=60)
    page = client.get(f"/jobs/{job.id}").text
    assert "100,000 of about 400,000 rows · about 3 minutes left" in page
    assert jobs.left(job) == timedelta(minutes=3)
