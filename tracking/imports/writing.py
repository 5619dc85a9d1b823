"""Batches of a file into the database: each a short transaction, ended beside the reading of the next."""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, Generic, Self, TypeVar

from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tracking.storage import db, rows, turns, vault

BATCH = 4000
"""Rows of the largest transaction; more gain little."""
# Rows of the first batch, before anything is known of this database's speed.
_FIRST = 100
_LOCK_S = 0.08
"""How long the writing of a batch may keep others waiting, its commit apart."""
_WORK_S = 0.04
"""How much work a batch holds in any case: on a busy machine smaller ones make all wait longer, not less."""
# New objects after which Python looks for cycles.
_OBJECTS = 200_000

_BEGUN = text("SELECT 1")

_Batch = TypeVar("_Batch")
Outcomes = Sequence[Any]
Work = Callable[[Session], Outcomes]


class Pace:
    """How many rows the next batch takes, so that none keeps other writers waiting for long."""

    def __init__(self) -> None:
        self._begun = self._worked = 0.0
        self.rows = min(_FIRST, BATCH)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Measure what is done from when other writers begin to wait."""
        self._begun, begun = time.monotonic(), time.thread_time()
        yield
        self._worked = time.thread_time() - begun

    @contextmanager
    def written(self, count: int) -> Iterator[None]:
        """Measure the writing of rows. The commit follows, which takes as long for a few rows as for many."""
        begun = time.thread_time()
        yield
        took, worked = time.monotonic() - self._begun, self._worked + time.thread_time() - begun
        # By halves and doubles at most: a single batch may have waited for something else.
        fit = int(count * max(_LOCK_S / max(took, 1e-6), _WORK_S / max(worked, 1e-6)))
        self.rows = max(min(fit, self.rows * 2, BATCH), self.rows // 2, 1)


class Writer(Generic[_Batch]):
    """Takes batches into the database, each in a transaction that ends beside the reading of the next."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self.pace = engine, Pace()
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._batch: _Batch | None = None
        self._work: Work = lambda session: ()
        self._outcomes: Outcomes = ()
        self._ending: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def begin(self, batch: _Batch, count: int, work: Work) -> None:
        """Do the work of a batch, and leave what needs the database alone to go on by itself."""
        turns.let_others_write(self._engine)
        session = Session(self._engine, expire_on_commit=False)
        try:
            # PostgreSQL knows of a transaction from its first statement on.
            session.execute(_BEGUN)
            with self.pace.locked(), vault.steady():
                self._outcomes = work(session)
                # The same keys until the end: in the other thread too.
                within = copy_context()
            # What holds for the import, such as which one it is, holds for what is written here too.
            self._ending = self._pool.submit(within.run, self._end, session, count)
        except IntegrityError:
            session.close()
            self._outcomes = db.commit(self._engine, work)
        except BaseException:
            session.close()
            raise
        self._batch, self._work = batch, work

    def finish(self) -> tuple[_Batch, Outcomes] | None:
        """Wait until the last batch is stored, and return what came of it; None where there is none."""
        batch, self._batch = self._batch, None
        ending, self._ending = self._ending, None
        if ending is not None:
            try:
                ending.result()
            except IntegrityError:
                # Another process wrote the same key first; the second look finds it.
                self._outcomes = db.commit(self._engine, self._work)
        return None if batch is None else (batch, self._outcomes)

    def _end(self, session: Session, count: int) -> None:
        with session:
            with self.pace.written(count):
                rows.write(session)
            session.commit()


def attempt(engine: Engine, work: Work, pace: Pace, count: int) -> Outcomes:
    """Do the work of a batch and take it back."""
    with Session(engine, expire_on_commit=False) as session, session.begin() as whole:
        session.connection()
        with pace.locked():
            outcomes = work(session)
        with pace.written(count):
            rows.write(session)
        whole.rollback()
        return outcomes


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Let Python look for cycles seldom: rows have none, and looking takes a quarter of the time."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
