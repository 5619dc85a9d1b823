"""Work that takes longer than a page may: put in line, taken up by a worker, watched, stopped.

A worker that dies leaves its job running with an old heartbeat; the next one takes it up again, so a job
must bear being begun twice.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Select, and_, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tracking import clock
from tracking.errors import Conflict, Invalid, NotFound, say
from tracking.storage import db
from tracking.storage.models import Job
from tracking.storage.vocabulary import JobState

SILENCE = timedelta(seconds=60)
"""Without a heartbeat for so long, a worker counts as dead."""
_BEAT_S = 10.0
_WRITE_EVERY_S = 0.5
_TELLING = timedelta(seconds=3)
"""So long a job must have run before its speed tells anything."""
_ATTEMPTS = 3
_OPEN = (JobState.waiting, JobState.running)
_log = logging.getLogger(__name__)

Arguments = Mapping[str, Any]
Kind = Callable[[Arguments, "Progress"], Mapping[str, Any] | None]
"""What does a kind of job: given its arguments and where to tell progress, it returns what came of it."""


class Stopped(Exception):
    """Somebody stopped the job, or another worker has taken it up."""


class Ending(Exception):
    """The worker is to end; the job goes back into the line."""


class Progress:
    """How a running job tells how far it is: ``progress(done, total)``.

    It raises Stopped where somebody stopped the job, and Ending where ``ending`` says that the worker ends.
    """

    def __init__(
        self,
        engine: Engine,
        job_id: int,
        started_at: datetime,
        ending: Callable[[], bool] = lambda: False,
    ) -> None:
        self._engine, self._id, self._started_at = engine, job_id, started_at
        self._ending = ending
        self._told = 0.0
        self._over = threading.Event()

    def __call__(self, done: int, total: int | None = None) -> None:
        """Tell that ``done`` of ``total`` are done, in whatever unit; may be called as often as one likes."""
        if self._over.is_set():
            raise Stopped
        if self._ending():
            raise Ending
        if time.monotonic() - self._told >= _WRITE_EVERY_S:
            self._told = time.monotonic()
            if not self.write(heartbeat_at=clock.now(), done=done, total=total):
                raise Stopped

    def write(self, **values: Any) -> bool:
        """Write to the job, unless it is no longer this worker's; tell whether it still is."""
        mine = and_(Job.id == self._id, Job.state == JobState.running, Job.started_at == self._started_at)

        def work(session: Session) -> bool:
            found = session.execute(update(Job).where(mine).values(**values).returning(Job.id)).all()
            return bool(found)

        still = db.commit(self._engine, work)
        if not still:
            self._over.set()
        return still


def enqueue(session: Session, kind: str, label: str, arguments: Arguments, *, by: str, at: datetime) -> Job:
    """Put a job in line; ``label`` says to people what it is, each in his language if it is a sentence."""
    job = Job(kind=kind, label=label, arguments=dict(arguments), created_by=by, created_at=at)
    session.add(job)
    session.flush()
    return job


def left(job: Job) -> timedelta | None:
    """Return about how long a running job will go on; None where it cannot be told yet."""
    if not (job.total and job.done and job.started_at and job.heartbeat_at):
        return None
    so_far = job.heartbeat_at - job.started_at
    return so_far * max(job.total - job.done, 0) / job.done if so_far >= _TELLING else None


def get(session: Session, job_id: int) -> Job:
    """Return a job, or raise NotFound."""
    job = session.get(Job, job_id)
    if job is None:
        raise NotFound("job %(number)s not found", number=job_id)
    return job


def is_open(job: Job) -> bool:
    """Tell whether a job still waits or runs."""
    return job.state in _OPEN


def is_importing(session: Session) -> bool:
    """Tell whether a file is being imported, or waits to be."""
    wanted = select(Job.id).where(Job.state.in_(_OPEN), Job.kind == "import").limit(1)
    return session.scalar(wanted) is not None


def stop(session: Session, job: Job, *, at: datetime) -> None:
    """Stop a job that waits or runs; what it has done so far stays."""
    ended = (
        update(Job)
        .where(Job.id == job.id, Job.state.in_(_OPEN))
        .values(state=JobState.stopped, finished_at=at)
        .returning(Job.id)
    )
    if not session.execute(ended).all():
        raise Conflict("job %(number)s has already finished", number=job.id)
    session.refresh(job)


def claim(session: Session, *, at: datetime) -> Job | None:
    """Take the job that has waited longest, or one whose worker has fallen silent; None where none waits.

    Workers of PostgreSQL pass over what another is taking; SQLite lets in one at a time anyway. A job whose
    worker has died three times is not tried again.
    """
    while True:
        job = session.scalar(_takeable(at).order_by(Job.id).limit(1).with_for_update(skip_locked=True))
        if job is None:
            return None
        if job.attempts >= _ATTEMPTS:
            job.state, job.finished_at = JobState.failed, at
            job.error = say(
                "the worker crashed %(times)s times; see the log of `ringtrail work`", times=job.attempts
            )
            session.flush()
            continue
        job.state, job.started_at, job.heartbeat_at = JobState.running, at, at
        job.done, job.total, job.attempts = 0, None, job.attempts + 1
        session.flush()
        return job


def work(engine: Engine, kinds: Mapping[str, Kind], ending: Callable[[], bool] = lambda: False) -> bool:
    """Do one job, if one waits; tell whether there was one. It goes back where ``ending`` says so."""
    with db.reading(engine) as session:
        # Looking costs no lock, so an idle worker disturbs nobody.
        if session.scalar(_takeable(clock.now()).limit(1)) is None:
            return False
    job = db.commit(engine, lambda session: claim(session, at=clock.now()))
    if job is None:
        return False
    assert job.started_at is not None
    progress = Progress(engine, job.id, job.started_at, ending)
    ended: dict[str, Any] = {"state": JobState.done}
    with _Heart(progress):
        try:
            if job.kind not in kinds:
                raise Invalid("kind", "this worker does not support %(kind)r jobs", kind=job.kind)
            result = kinds[job.kind](job.arguments, progress)
            ended["result"] = None if result is None else dict(result)
        except Stopped:
            return True
        except Ending:
            # The worker ends in good order, so this counts as no attempt.
            progress.write(state=JobState.waiting, attempts=job.attempts - 1, done=0, total=None)
            return True
        except (Invalid, Conflict, NotFound) as error:
            ended = {"state": JobState.failed, "error": error.whole, "result": None}
        except Exception as error:  # the worker goes on whatever a job does
            _log.exception("job %s (%s) failed", job.id, job.kind)
            broken = say("%(kind)s; see the log for details", kind=type(error).__name__)
            ended = {"state": JobState.failed, "error": broken, "result": None}
    progress.write(finished_at=clock.now(), heartbeat_at=clock.now(), **ended)
    return True


def work_until(
    engine: Engine,
    kinds: Mapping[str, Kind],
    over: Callable[[float], bool],
    between: Callable[[], None] = lambda: None,
) -> None:
    """Do jobs as they come, until ``over``, which waits for the seconds it is given, says so."""
    pause = 0.0
    while not over(pause):
        between()
        try:
            pause = 0.0 if work(engine, kinds, lambda: over(0.0)) else 0.5
        except SQLAlchemyError as error:
            _log.error("the database is away (%s); jobs wait", type(error).__name__)
            pause = 5.0


def _takeable(at: datetime) -> Select[Job]:
    # Also one of a time to come, from before the clock was put right.
    silent = and_(
        Job.state == JobState.running,
        or_(Job.heartbeat_at < at - SILENCE, Job.heartbeat_at > at + SILENCE),
    )
    return select(Job).where(or_(Job.state == JobState.waiting, silent))


class _Heart:
    """Beats while a job runs, also where the job itself has nothing to tell for long."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._still = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._still.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._still.wait(_BEAT_S):
            try:
                if not self._progress.write(heartbeat_at=clock.now()):
                    return
            except SQLAlchemyError as error:
                _log.warning("no heartbeat: the database is away (%s)", type(error).__name__)
