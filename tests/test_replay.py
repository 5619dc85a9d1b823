"""Replay: a simulated month comes in ten times as fast as it rang, and nothing of it is lost."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cast import BOREALIS, CATALOGUE_NUMBER, moment
from tests.conftest import KEY
from tests.web.conftest import wait_for
from tracking import clock
from tracking.access import tokens
from tracking.demo import replay
from tracking.errors import Invalid
from tracking.records import campaigns
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.vocabulary import CallStatus, Medium
from tracking.telephony import numbers

AUTH = "12345678901234567890123456789012"


@pytest.fixture(scope="module")
def running(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str, dict[str, str]]]:
    """A service with three numbers on material: its address, a token, and its settings."""
    tmp_path = tmp_path_factory.mktemp("replay")
    shutil.copy(sqlite_template, tmp_path / "ringtrail.db")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    engine = db.connect(Settings(data_dir=tmp_path, key=KEY))
    with db.transaction(engine) as session:
        campaign = campaigns.add(session, "Catalogue", "print", at=moment("2020-01-01"))
        for last in range(5, 8):
            row = numbers.add(session, f"+4670174060{last}", at=moment("2020-01-01"), provider="twilio")
            piece = campaigns.add_material(
                session, campaign, f"Page {last}", at=moment("2020-01-01"), medium=Medium.print
            )
            numbers.assign(session, row, piece, starts_at=moment("2020-01-01"))
        token = tokens.issue(session, "replay", ["read", "read:personal"], at=clock.now())
    engine.dispose()
    told = {
        "RINGTRAIL_DATA_DIR": str(tmp_path),
        "RINGTRAIL_KEY": KEY,
        "RINGTRAIL_BASE_URL": url,
        "RINGTRAIL_TWILIO_AUTH_TOKENS": AUTH,
    }
    with (tmp_path / "server.log").open("w") as log:
        command = [sys.executable, "-m", "tracking", "serve", "--port", str(port), "--threads", "16"]
        server = subprocess.Popen(command, env=os.environ | told, stdout=log, stderr=log)
    try:
        wait_for(url, server, tmp_path / "server.log")
        yield url, token, told
    finally:
        server.terminate()
        server.wait(600)


def test_a_wrong_key_or_token_is_named(running: tuple[str, str, dict[str, str]]) -> None:
    url, token, _ = running
    call = replay.Call("CA1", CATALOGUE_NUMBER, BOREALIS, moment("2026-03-01"), CallStatus.completed, 30, 20)
    with pytest.raises(Invalid, match="refuses the signature"):
        replay.play([call], url, "another key", rate=100, seed=1)
    with pytest.raises(Invalid, match="401"):
        replay.ask(url, "rt_no_token", "calls", {})
    assert replay.ask(url, token, "calls", {}) == []


def test_a_month_at_more_than_ten_times_its_load_loses_nothing(
    running: tuple[str, str, dict[str, str]],
) -> None:
    url, token, told = running
    given = ["--base-url", url, "--token", token, "--accounts", "60", "--days", "30", "--rate", "100"]
    done = subprocess.run(
        [sys.executable, "-m", "tracking", "replay", *given, "--json"],
        env=os.environ | told,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["calls"] > 100
    assert report["requests"] > 5 * report["calls"], "several reports a call, some of them twice"
    assert report["times_the_busiest_hour"] >= 10
    assert (report["refused"], report["differences"]) == (0, [])


def test_what_differs_is_named_field_by_field() -> None:
    call = replay.Call(
        "CA1", CATALOGUE_NUMBER, BOREALIS, moment("2026-03-01 09:00"), CallStatus.completed, 30, 20
    )
    lost = replay.Call("CA2", CATALOGUE_NUMBER, None, moment("2026-03-01 10:00"), CallStatus.missed, 9, 0)
    stored = {
        "provider": "twilio",
        "provider_call_id": "CA1",
        "dialled": CATALOGUE_NUMBER,
        "caller": BOREALIS,
        "started_at": "2026-03-01T09:00:00Z",
        "status": "missed",
        "duration_s": 30,
        "talk_s": 20,
    }
    assert replay.differences([call, lost], [stored]) == [
        {"call": "CA1", "field": "status", "happened": "completed", "stored": "missed"},
        {"call": "CA2", "field": "call", "happened": "it rang", "stored": "nothing"},
    ]
