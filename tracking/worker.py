"""The worker: every kind of background job, and the loop that does them."""

import os
import signal
import threading
from collections.abc import Mapping
from types import FrameType
from typing import Any

from sqlalchemy import Engine

from tracking import jobs
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

    return {"import": bring_in}


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
