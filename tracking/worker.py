"""The worker: every kind of background job, the loop that does them, and the process beside the server."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from types import FrameType
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tracking import clock
from tracking.access import jobs
from tracking.access.jobs import Arguments, Kind, Progress
from tracking.errors import Conflict, Invalid, say
from tracking.imports import kinds
from tracking.imports.uploads import UploadStore
from tracking.keeping import backups, erasure, people, rekeying, retention
from tracking.reporting import journeys, mail, mailing, outbox, schedules, simulations, snapshots
from tracking.storage import db, kept
from tracking.storage.config import Settings
from tracking.storage.models import Job, Site
from tracking.telephony import holders, providers, ringing
from tracking.telephony.inbox import Inbox
from tracking.telephony.routing import Routing
from tracking.web import signin

_LOOK_EVERY_S = 30.0
_TIDIES_EVERY = timedelta(hours=1)
_FITS_EVERY = timedelta(days=1)
_POSTS_EVERY_S = 1.0
_NIGHTLY = 7_214_001
"""By this number workers of one PostgreSQL database take turns to put the jobs of the night in line."""
_SOUND_S = 60.0
"""A worker that ran for so long had no trouble starting."""
_LONGEST_PAUSE_S = 60.0
_ENDS_WITHIN_S = 30.0
_log = logging.getLogger(__name__)


def known(engine: Engine, settings: Settings) -> Mapping[str, Kind]:
    """Return what does each kind of job; whoever adds a kind adds a line here."""
    store = UploadStore(settings.data_dir)

    def bring_in(arguments: Arguments, progress: Progress) -> Mapping[str, Any]:
        upload = store.get(arguments["token"])

        def told(done: int, total: int | None = None) -> None:
            if settings.room() < 0:
                raise Conflict(
                    "the disk is nearly full, and calls need the rest; free some space, then try again"
                )
            progress(done, total)

        return kinds.take(engine, settings, upload, dry_run=arguments["dry_run"], progress=told)

    archive = simulations.Archive(settings.data_dir)

    def own_tables() -> Mapping[str, Any]:
        with db.reading(engine) as session:
            plain = snapshots.whole(session, settings, at=clock.now()).tables
            data = journeys.with_opportunities(session, plain, currency=settings.currency)
        return {name: getattr(data, name) for name in ("touches", "conversions", "answers", "calls", "costs")}

    def send_report(arguments: Arguments, _progress: Progress) -> Mapping[str, Any] | None:
        return mailing.send(engine, settings, arguments, at=clock.now())

    def back_up(_arguments: Arguments, progress: Progress) -> Mapping[str, Any]:
        path = backups.create(engine, settings, at=clock.now(), progress=progress)
        erasure.note_beside(engine, settings)
        gone = backups.thin_out(settings)
        return {"file": str(path), "bytes": path.stat().st_size, "thinned_out": len(gone)}

    def forget(arguments: Arguments, _progress: Progress) -> Mapping[str, Any]:
        def find(session: Session) -> people.Person:
            return people.by_contacts(session, [arguments["contact"]])

        box = Inbox(engine, settings, Routing(settings), providers.interpreters(), clock.now)
        row = erasure.erase(engine, settings, find, by=arguments["by"], at=clock.now(), drain=box.drain)
        return {"receipt": row.receipt}

    def tidy_up(arguments: Arguments, progress: Progress) -> Mapping[str, Any]:
        return retention.apply(
            engine,
            settings,
            at=clock.now(),
            by=arguments["by"],
            confirmed=arguments.get("confirmed"),
            progress=progress,
        )

    return {
        "backup": back_up,
        "erasure": forget,
        "retention": tidy_up,
        "import": bring_in,
        "simulate": lambda arguments, progress: simulations.run(archive, arguments, progress),
        "calibrate": lambda arguments, progress: simulations.fit(archive, own_tables(), arguments, progress),
        "decide": lambda arguments, progress: simulations.decide(archive, own_tables(), arguments, progress),
        schedules.KIND: send_report,
    }


class DueReports:
    """Looks for scheduled reports that are due, now and then, and puts them in line."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine, self._settings = engine, settings
        self._looked = -_LOOK_EVERY_S

    def __call__(self) -> None:
        """Look, unless it was done a moment ago."""
        if time.monotonic() - self._looked < _LOOK_EVERY_S:
            return
        self._looked = time.monotonic()
        try:
            look(self._engine, self._settings, at=clock.now())
        except SQLAlchemyError as error:
            _log.error("the database is away (%s); scheduled reports wait", type(error).__name__)


def look(engine: Engine, settings: Settings, *, at: datetime) -> None:
    """Put scheduled reports that are due in line."""
    with db.reading(engine) as session:
        if not schedules.is_due(session, at=at, zone=settings.zone):
            return
    db.commit(engine, lambda session: schedules.line_up(session, at=at, zone=settings.zone))


class Nightly:
    """Puts the backup of the night in line, and with it what is kept for longer than was chosen."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine, self._settings = engine, settings
        self._looked = -_LOOK_EVERY_S
        self._tidied: date | None = None

    def __call__(self) -> None:
        """Look, unless it was done a moment ago."""
        if time.monotonic() - self._looked < _LOOK_EVERY_S:
            return
        self._looked = time.monotonic()
        try:
            if backups.is_due(self._settings, at=clock.now()):
                self._line_up("backup", say("Backup"))
            today = clock.now().astimezone(self._settings.zone).date()
            if self._tidied != today:
                self._tidied = today
                with db.reading(self._engine) as session:
                    every = retention.plan(session, self._settings, at=clock.now())
                if any(one.due for one in every):
                    self._line_up("retention", say("Delete data past its retention period"))
        except (SQLAlchemyError, OSError) as error:
            _log.error("backup and retention wait: %s", type(error).__name__)

    def _line_up(self, kind: str, label: str) -> None:
        def work(session: Session) -> None:
            if self._engine.dialect.name == "postgresql":
                # Two workers look at one moment; SQLite lets in one writer at a time anyway.
                session.execute(select(func.pg_advisory_xact_lock(_NIGHTLY)))
            newest = session.scalar(select(Job).where(Job.kind == kind).order_by(Job.id.desc()).limit(1))
            # One that failed is tried again after an hour, not at every look.
            if newest is None or not (
                jobs.is_open(newest) or abs(clock.now() - newest.created_at) < _TIDIES_EVERY
            ):
                jobs.enqueue(session, kind, label, {"by": "worker"}, by="worker", at=clock.now())

        db.commit(self._engine, work)


def run(engine: Engine, settings: Settings, *, parent: int | None = None) -> None:
    """Do jobs until a signal comes, or until the process ``parent`` that started this one is gone."""
    told = threading.Event()
    store = UploadStore(settings.data_dir)
    tidied: datetime | None = None

    def end(_signal: int, _frame: FrameType | None) -> None:
        told.set()

    def ends(pause: float) -> bool:
        return told.wait(pause) or (parent is not None and os.getppid() != parent)

    def between() -> None:
        nonlocal tidied
        due_reports()
        nightly()
        if tidied is None or abs(clock.now() - tidied) > _TIDIES_EVERY:
            tidied = clock.now()
            store.tidy(tidied)
            erasure.settle(engine, settings)
            with db.transaction(engine) as session:
                ringing.clear_practice(session, before=tidied - ringing.LONGEST_RINGING)
                for site in session.scalars(select(Site)):
                    if site.fitted_at is None or abs(tidied - site.fitted_at) > _FITS_EVERY:
                        holders.fit(session, site, at=tidied)

    due_reports, nightly = DueReports(engine, settings), Nightly(engine, settings)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    # Beside the jobs: who waits for a link does not wait for an import.
    threading.Thread(target=_post, args=(engine, settings, told), name="post", daemon=True).start()
    threading.Thread(target=_rekey, args=(engine, told), name="rekey", daemon=True).start()
    with kept.Following(engine, settings):
        jobs.work_until(engine, known(engine, settings), ends, between)


def _post(engine: Engine, settings: Settings, over: threading.Event) -> None:
    compose = signin.composer(engine, settings)
    pause = _POSTS_EVERY_S
    while not over.wait(pause):
        try:
            if mail.is_possible(settings):
                outbox.deliver(engine, settings, compose, at=clock.now())
            pause = _POSTS_EVERY_S
        except SQLAlchemyError as error:
            _log.error("the database is away (%s); mails wait", type(error).__name__)
            pause = _LOOK_EVERY_S


def _rekey(engine: Engine, over: threading.Event) -> None:
    """See a change of key through, beside the jobs."""
    while not over.is_set():
        try:
            db.commit(engine, lambda session: rekeying.adopt(session, by="worker", at=clock.now()))
            rekeying.run(engine, at=clock.now, pause=over.wait)
        except (SQLAlchemyError, Conflict, Invalid) as error:
            _log.error("the change of key waits: %s", type(error).__name__)
        over.wait(_LOOK_EVERY_S)


class Beside:
    """A worker in a process of its own: started again wherever it dies, ended with this one."""

    def __init__(self, command: Sequence[str] = ()) -> None:
        told = [sys.executable, "-m", "tracking", "work", "--beside", str(os.getpid())]
        self._command = list(command) or told
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()

    def __enter__(self) -> None:
        self._start()
        threading.Thread(target=self._keep, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        if os.getpid() != self._owner:
            return  # a fork that ends; the worker is not its
        with self._lock:
            self._over.set()
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            # Its job is taken up again by the next worker.
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        with self._lock:
            if not self._over.is_set():
                self._process = subprocess.Popen(self._command)  # noqa: S603 - our own program

    def _keep(self) -> None:
        pause, begun = 1.0, time.monotonic()
        while self._process is not None:
            self._process.wait()
            if self._over.is_set():
                return
            _log.error("the worker has ended by itself; another one is started")
            pause = 1.0 if time.monotonic() - begun > _SOUND_S else min(pause * 2, _LONGEST_PAUSE_S)
            if self._over.wait(pause):
                return
            self._start()
            begun = time.monotonic()
