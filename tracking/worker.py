"""The worker: every kind of background job, and the loop that does them."""

import os
import signal
import threading
from collections.abc import Mapping
from types import FrameType
from typing import Any

from sqlalchemy import Engine

from tracking import clock, db, jobs, journeys, simulations, snapshots
from tracking.config import Settings
from tracking.imports import kinds
from tracking.imports.uploads import Shelf
from tracking.jobs import Arguments, Kind, Progress


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

    return {
        "import": bring_in,
        "simulate": lambda arguments, progress: simulations.run(archive, arguments, progress),
        "calibrate": fit,
    }


def run(engine: Engine, settings: Settings, *, parent: int | None = None) -> None:
    """Do jobs until a signal comes, or until the process ``parent`` that started this one is gone."""
    told = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        told.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    jobs.work_until(
        engine,
        known(engine, settings),
        lambda pause: told.wait(pause) or (parent is not None and os.getppid() != parent),
    )
