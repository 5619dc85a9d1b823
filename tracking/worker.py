"""The worker: every kind of background job, and the loop that does them."""

import logging
import os
import signal
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from types import FrameType
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from tracking import clock, db, jobs, journeys, schedules, simulations, snapshots
from tracking.config import Settings
from tracking.imports import kinds
from tracking.imports.uploads import Shelf
from tracking.jobs import Arguments, Kind, Progress
from tracking.web import mailing

_LOOK_EVERY_S = 30.0
_log = logging.getLogger(__name__)


def known(engine: Engine, settings: Settings) -> Mapping[str, Kind]:
    """Return what does each kind of job; whoever adds a kind adds a line here."""
    shelf = Shelf(settings.data_dir)

    def bring_in(arguments: Arguments, progress: Progress) -> Mapping[str, Any]:
        upload = shelf.get(arguments["token"])
        return kinds.take(engine, settings, upload, dry_run=arguments["dry_run"], progress=progress)

    archive = simulations.Archive(settings.data_dir)

    def fit(arguments: Arguments, progress: Progress) -> Mapping[str, Any]:
        with db.reading(engine) as session:
            plain = snapshots.whole(session, settings, at=clock.now()).tables
            data = journeys.with_opportunities(session, plain, currency=settings.currency)
        own = {name: getattr(data, name) for name in ("touches", "conversions", "answers", "calls")}
        return simulations.fit(archive, own, arguments, progress)

    def send_report(arguments: Arguments, _progress: Progress) -> Mapping[str, Any] | None:
        return mailing.send(engine, settings, arguments, at=clock.now())

    return {
        "import": bring_in,
        "simulate": lambda arguments, progress: simulations.run(archive, arguments, progress),
        "calibrate": fit,
        schedules.KIND: send_report,
    }


class Lookout:
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


def run(engine: Engine, settings: Settings, *, parent: int | None = None) -> None:
    """Do jobs until a signal comes, or until the process ``parent`` that started this one is gone."""
    told = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        told.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    lookout = Lookout(engine, settings)

    def over(pause: float) -> bool:
        lookout()
        return told.wait(pause) or (parent is not None and os.getppid() != parent)

    jobs.work_until(engine, known(engine, settings), over)
