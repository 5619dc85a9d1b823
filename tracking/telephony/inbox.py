"""What providers send, kept before it is interpreted, for ever, and interpreted as often as need be.

An arrival is durable when :meth:`Inbox.take` returns True: in the database or, while that is away, in the
spool or its reserve. What no disk takes is held in memory until one does. Arrivals that come at the same
time share one transaction, so that they also share its wait for the disk.
"""

import json
import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Engine, Select, bindparam, func, insert, or_, select, tuple_
from sqlalchemy import exc as sql
from sqlalchemy.orm import Session

from tracking.errors import Invalid
from tracking.records.import_outcome import ImportOutcome
from tracking.storage import db, phone, rows, vault
from tracking.storage.column_types import to_micros
from tracking.storage.config import Settings
from tracking.storage.models import Call, InboxEvent
from tracking.telephony import bulk, messages, numbers
from tracking.telephony.calls import CallEvent, Course
from tracking.telephony.clerk import Clerk
from tracking.telephony.messages import MessageEvent
from tracking.telephony.numbers import Ours
from tracking.telephony.routing import Routing
from tracking.telephony.spool import Kept, Spool

_log = logging.getLogger(__name__)

# How long an arrival waits for the database, in seconds, before it goes to the spool. The strictest telephone
# provider hangs up after five; a caller hears nothing until the answer. A judgement.
PATIENCE_S = 0.5
# How long the database is left alone after it failed, in seconds, before spooled arrivals are tried again.
_PAUSE_S = 1.0
# How long the clerk waits for more, in seconds, before its thread ends: to begin one costs like an event.
_LINGERS_S = 1.0
# How long the spool is taken for empty once it was seen to be, in seconds. What this process puts there it
# knows; another one that ended may have left some.
_EMPTY_FOR_S = 1.0
# Arrivals that are held in memory while no disk takes them. Bounds what that costs: some 30 MB.
_MOST_HELD = 10_000
# Arrivals that share a transaction and its wait for the disk. Bounds how many are done again, each by itself,
# when one of them is bad.
_BATCH = 64

# The database cannot be reached, is locked or is full: the arrivals are not to blame.
_AWAY = (sql.OperationalError, sql.InterfaceError, sql.TimeoutError)

_Item = TypeVar("_Item")
_WAITING = (InboxEvent.processed_at.is_(None), InboxEvent.error.is_(None))
# Of the table rather than its class, and made once: the telephone waits for these.
_TABLE = InboxEvent.metadata.tables[InboxEvent.__tablename__]
_INSERT = insert(_TABLE)
_ANY_WAITING = select(_TABLE.c.id).where(_TABLE.c.processed_at.is_(None), _TABLE.c.error.is_(None)).limit(1)
_COLUMNS = [column.key for column in _TABLE.c if column.key != "id"]
ERASED = "erased"
"""Stands as the reason why a report is done with, and as its body's hash: its body was taken out."""
# Stands as the reason why a report that is done with made no call.
_NOT_INCOMING = "no incoming call"
# The same of a message, which came from no telephone number that is not ours.
_NO_SENDER = "no message of a buyer"

Interpreter = Callable[[str, datetime], CallEvent | MessageEvent]
"""Turns a kept body and the moment it came into a report about a call, or into a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One report as a provider sent it.

    ``call_id`` and ``report`` together tell it from every other report of the provider; the same pair
    again is the same report told twice. ``body`` is all that is needed to interpret it. ``dialled`` is
    given where the answer depends on it.
    """

    provider: str
    call_id: str
    report: str
    body: str
    received_at: datetime
    dialled: str = ""

    @property
    def event_key(self) -> str:
        """Return what tells this report from the provider's others."""
        return f"{self.call_id}/{self.report}"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is kept and not yet a call: failed, waiting for its call's first report, spooled, unreadable."""

    failed: int
    waiting: int
    spooled: int
    unreadable: int


def store(session: Session, arrivals: Sequence[Arrival]) -> list[InboxEvent]:
    """Return the rows of arrivals that need interpreting; those without a number are to be written.

    Of two bodies with the same key the first counts, and the other is counted as a conflict. A repetition
    that came earlier than the one we know (it lay in the spool) takes the moment back to its own.
    """
    wanted: dict[str, set[str]] = {}
    for arrival in arrivals:
        wanted.setdefault(arrival.provider, set()).add(arrival.event_key)
    known = [
        event_id
        for provider, event_keys in wanted.items()
        for event_id in rows.find(session, _known, event_keys, provider=provider).scalars()
    ]
    held = session.scalars(select(InboxEvent).where(InboxEvent.id.in_(known))) if known else ()
    found = {(row.provider, row.event_key): row for row in held}
    news: dict[tuple[str, str], InboxEvent] = {}
    for arrival in arrivals:
        name = (arrival.provider, arrival.event_key)
        digests = vault.lookup_hashes("inbox_event.body", arrival.body)
        row = found.get(name)
        if row is None:
            row = found[name] = news[name] = InboxEvent(
                provider=arrival.provider,
                event_key=arrival.event_key,
                received_at=arrival.received_at,
                body=arrival.body,
                body_hash=digests[0],
                attempts=0,
                conflicts=0,
            )
        elif row.body_hash == ERASED:
            continue
        elif row.body_hash not in digests:
            row.conflicts += 1
        elif arrival.received_at < row.received_at:
            row.received_at = arrival.received_at
            news[name] = row
    return list(news.values())


@cache
def _known(dialect: str) -> Select[Any]:
    keys = rows.among_wanted(dialect, _TABLE.c.event_key)
    return select(_TABLE.c.id).where(_TABLE.c.provider == bindparam("provider"), keys)


class Inbox:
    """The inbox of one installation, in one process; ``told`` is called whenever something was recorded."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        routing: Routing,
        interpreters: Mapping[str, Interpreter],
        now: Callable[[], datetime],
        told: Callable[[], None] = lambda: None,
    ) -> None:
        self._told = told
        self.aside: Callable[[], AbstractContextManager[None]] = nullcontext
        """Entered while a request only waits, so that another may be worked on meanwhile."""
        self._engine = engine
        self._settings = settings
        self._routing = routing
        self._interpreters = interpreters
        self._now = now
        self._spool = Spool(settings.spool_dir)
        self._clerk = Clerk("inbox", self._work)
        self._state = self._clerk.state
        self._queue: list[tuple[Arrival, Future[None]]] = []
        self._held: deque[Arrival] = deque()
        self._putting = threading.Lock()
        self._busy_since: float | None = None
        self._away = False
        self._empty_at: float | None = None

    def take(self, arrival: Arrival) -> bool:
        """Keep an arrival within a bounded time; False if neither database nor spool could.

        Then it is held in memory, and kept as soon as there is room. Whoever can be asked to send it again
        is, since it would be lost with this process.
        """
        if (kept := self._hand_over(arrival)) is not None:
            try:
                with self.aside():
                    kept.result(PATIENCE_S)
                return True
            except Exception as error:
                # Given up here, it may still be written in the end: the key makes that harmless.
                kept.cancel()
                _log.warning("the database does not take events (%s); they go to the spool", _where(error))
        try:
            with self.aside():
                self._put_aside(arrival)
        except OSError as error:
            return self._hold(arrival, error)
        return True

    def drain(self) -> int:
        """Take what lies in the spool into the inbox; return how many events that were."""
        taken = 0
        while some := self._drain_some():
            taken += some
        return taken

    def prepare(self) -> None:
        """Set room aside for what arrives on a full disk."""
        try:
            self._spool.prepare()
        except OSError as error:
            _log.error("no reserve for a full disk could be set aside: %s", error)

    def start(self) -> None:
        """Begin to take what lies in the spool, behind whatever arrives meanwhile."""
        with self._state:
            if not self._spool.is_empty():
                self._wake_clerk()

    def replay(self, *, everything: bool = False) -> int:
        """Interpret the events that are not processed yet, or all of them again; return how many."""
        last, done = 0, 0
        while True:
            wanted = select(InboxEvent.id).where(InboxEvent.id > last, InboxEvent.body_hash != ERASED)
            wanted = wanted.order_by(InboxEvent.id).limit(_BATCH)
            if not everything:
                wanted = wanted.where(InboxEvent.processed_at.is_(None))
            with db.reading(self._engine) as session:
                ids = session.scalars(wanted).all()
            if not ids:
                return done
            self._each_if_not_all(ids, self._again, self._mark)
            last, done = ids[-1], done + len(ids)

    def backlog(self) -> Backlog:
        """Count what is kept and not yet a call."""
        open_ = select(func.count()).select_from(InboxEvent).where(InboxEvent.processed_at.is_(None))
        with db.reading(self._engine) as session:
            failed = session.scalar(open_.where(InboxEvent.error.is_not(None))) or 0
            waiting = session.scalar(open_.where(InboxEvent.error.is_(None))) or 0
        return Backlog(failed, waiting, *self.spooled())

    def spooled(self) -> tuple[int, int]:
        """Count what waits for the database, and what cannot be read; the database is not asked."""
        spooled, unreadable = self._spool.count()
        return spooled + len(self._held), unreadable

    def turned_away(self) -> int:
        """Count the reports that were read and speak of outgoing or internal calls."""
        told = select(func.count()).where(
            InboxEvent.error == _NOT_INCOMING, InboxEvent.processed_at.is_not(None)
        )
        with db.reading(self._engine) as session:
            return session.scalar(told) or 0

    def close(self) -> None:
        """Stop trying to empty the spool; what lies there is taken at the next start."""
        self._clerk.close()
        self._put_down()
        if self._held:
            _log.error("%s events that no disk took are lost with this process", len(self._held))

    # --- One clerk a process writes, so that waiting for the database has an end for those who ask. ------

    def _hand_over(self, arrival: Arrival) -> Future[None] | None:
        with self._state:
            hangs = self._busy_since is not None and time.monotonic() - self._busy_since > PATIENCE_S
            if hangs or self._away:
                # A queue before a database that hangs would only make every caller wait. That it is back
                # shows when the clerk can empty the spool.
                return None
            kept: Future[None] = Future()
            self._queue.append((arrival, kept))
            self._wake_clerk()
        return kept

    def _put_aside(self, arrival: Arrival) -> None:
        self._write(arrival)
        with self._state:
            self._empty_at = None
            self._wake_clerk()

    def _spool_is_empty(self) -> bool:
        """Tell whether nothing lies in the spool; looked up now and then, as it keeps callers waiting."""
        now = time.monotonic()
        if self._empty_at is None or now - self._empty_at > _EMPTY_FOR_S:
            self._empty_at = now if self._spool.is_empty() else None
        return self._empty_at is not None

    def _write(self, arrival: Arrival) -> None:
        text = {**asdict(arrival), "received_at": arrival.received_at.isoformat()}
        self._spool.put(f"{to_micros(arrival.received_at):020d}", json.dumps(text))

    def _hold(self, arrival: Arrival, error: OSError) -> bool:
        with self._state:
            if len(self._held) >= _MOST_HELD:
                _log.error("an event of %s is lost: no disk takes it: %s", arrival.provider, error)
            else:
                _log.error("an event of %s is held in memory: no disk takes it: %s", arrival.provider, error)
                self._held.append(arrival)
            self._wake_clerk()
        return False

    def _put_down(self) -> None:
        """Bring what is held in memory to the spool, as far as there is room."""
        with self._putting, suppress(OSError):
            while self._held:
                self._write(self._held[0])
                self._held.popleft()

    def _wake_clerk(self) -> None:
        self._clerk.start()
        self._state.notify_all()

    def _work(self) -> None:
        while True:
            with self._state:
                self._busy_since = None
                batch = [item for item in self._queue[:_BATCH] if item[1].set_running_or_notify_cancel()]
                del self._queue[:_BATCH]
                drained = self._spool_is_empty() and not self._held
                if not batch and not self._queue and (self._clerk.closed or drained):
                    self._away = False
                    if not self._clerk.closed:
                        told = self._state.wait(_LINGERS_S)
                        # What comes just as the wait runs out tells nobody.
                        if told or self._queue or self._held or self._empty_at is None:
                            continue
                    self._clerk.rest()
                    return
                self._busy_since = time.monotonic()
            try:
                if batch:
                    self._serve(batch)
                if not drained:
                    self._drain_some()
                self._away = False
            except Exception as error:
                _log.warning("the spool stays full: %s", _where(error))
                with self._state:
                    self._busy_since, self._away, self._empty_at = None, True, None
                    if not self._queue and not self._clerk.closed:
                        self._state.wait(_PAUSE_S)

    def _serve(self, batch: Sequence[tuple[Arrival, Future[None]]]) -> None:
        arrivals = [arrival for arrival, _ in batch]
        try:
            if dialled := self._routing.unsure({a.dialled for a in arrivals if a.dialled}):
                # Reading waits for no writer, so the answer is fresh even where the event must be spooled.
                with self._engine.connect().execution_options(sqlite_begin="DEFERRED") as connection:
                    self._routing.refresh(connection, dialled)
            self._keep(arrivals)
        except Exception as error:
            for _, kept in batch:
                kept.set_exception(error)
            raise
        for _, kept in batch:
            kept.set_result(None)

    def _drain_some(self) -> int:
        self._put_down()
        found: dict[Kept, Arrival] = {}
        for path, text in self._spool.some(_BATCH):
            try:
                said = json.loads(text)
                received_at = datetime.fromisoformat(said.pop("received_at"))
                found[path] = _whole(Arrival(**said, received_at=received_at), self._interpreters)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                self._spool.set_apart(path)
        if found:
            self._keep(list(found.values()))
            self._spool.discard(found)
            return len(found)
        with self._putting:
            # The disk beside us is full, and the database may have one of its own.
            held = [self._held[at] for at in range(min(len(self._held), _BATCH))]
            if held:
                self._keep(held)
            for _ in held:
                self._held.popleft()
        return len(held)

    # --- Interpreting ------------------------------------------------------------------------------------

    def _keep(self, arrivals: Sequence[Arrival]) -> None:
        # In one order everywhere, so that two processes with the same events do not block each other.
        ordered = sorted(arrivals, key=lambda a: (a.provider, a.event_key, a.received_at))
        self._each_if_not_all(ordered, self._store_and_interpret, self._store_and_mark)
        self._told()

    def _each_if_not_all(
        self,
        items: Sequence[_Item],
        work: Callable[[Session, Sequence[_Item]], Sequence[int]],
        fail: Callable[[Session, _Item, Exception], None],
    ) -> None:
        """Do ``work`` on all items in one transaction; if one of them spoils it, on each in its own."""
        try:
            waited = db.commit(self._engine, lambda session: work(session, items))
        except _AWAY:
            raise
        except Exception as error:
            if len(items) == 1:
                reason = error
                db.commit(self._engine, lambda session: fail(session, items[0], reason))
                return
            for item in items:
                self._each_if_not_all([item], work, fail)
        else:
            if waited:
                self._each_if_not_all(waited, self._again, self._mark)

    def _store_and_interpret(self, session: Session, arrivals: Sequence[Arrival]) -> Sequence[int]:
        return self._interpret(session, store(session, arrivals))

    def _store_and_mark(self, session: Session, arrival: Arrival, error: Exception) -> None:
        rows = store(session, [arrival])
        for row in rows:
            _mark_failed(row, error)
        _write(session, rows)

    def _again(self, session: Session, ids: Sequence[int]) -> Sequence[int]:
        rows = select(InboxEvent).where(InboxEvent.id.in_(ids)).order_by(InboxEvent.id)
        return self._interpret(session, session.scalars(rows).all())

    def _mark(self, session: Session, event_id: int, error: Exception) -> None:
        _mark_failed(session.get_one(InboxEvent, event_id), error)

    def _interpret(self, session: Session, rows: Sequence[InboxEvent]) -> Sequence[int]:
        """Record what can be; return the events that waited for one of these and can be read now."""
        read: list[tuple[InboxEvent, CallEvent]] = []
        written: list[tuple[InboxEvent, MessageEvent]] = []
        for row in rows:
            try:
                event = self._interpreters[row.provider](row.body, row.received_at)
            except Exception as error:
                _mark_failed(row, error)
            else:
                written.append((row, event)) if isinstance(event, MessageEvent) else read.append((row, event))
        # A report that names no number of ours cannot open a call; it waits for one that does.
        first = [event for _, event in read if event.dialled]
        parsed = {event: self._numbers(event) for event in first}
        stock = numbers.holdings(session, {e164 for pair in parsed.values() for e164 in pair[0] | pair[1]})
        outward = self._outward(parsed, stock)
        called = {_key(event) for event in first} - outward
        later = {_key(event) for _, event in read if not event.dialled} - called - outward
        if later:
            known = select(Call.provider, Call.provider_call_id).where(
                tuple_(Call.provider, Call.provider_call_id).in_(later)
            )
            called |= set(session.execute(known).all())
            outward |= {key for key in later - called if session.scalar(_turned_away(*key))}
        ready = [(row, event) for row, event in read if _key(event) in called]
        ready.sort(key=lambda pair: not pair[1].dialled)
        # Written before they are true, so that one INSERT says it all: if it fails, nothing is written.
        for row, _ in read:
            row.attempts, row.processed_at, row.error = row.attempts + 1, None, None
        for row, _ in ready:
            row.processed_at = self._now()
        for row, event in read:
            if _key(event) in outward:
                row.processed_at, row.error = self._now(), _NOT_INCOMING
        self._file(session, written)
        _write(session, rows)
        settled = {_key(event) for event in first} & outward
        if ready:
            with session.no_autoflush:
                told = [event for _, event in ready]
                filed = bulk.record(session, told, region=self._settings.region, stock=stock)
            settled |= {key for key, call in filed.items() if call.effect is ImportOutcome.created}
        return (
            self._waiting(session, settled) if settled and session.connection().scalar(_ANY_WAITING) else []
        )

    def _file(self, session: Session, written: Sequence[tuple[InboxEvent, MessageEvent]]) -> None:
        """Make touches of messages; one that makes none, having no sender of its own, is done with too."""
        told = [event for _, event in written]
        region, at = self._settings.region, self._now()
        made = messages.record(session, told, region=region, at=at) if told else []
        for (row, _), touch in zip(written, made, strict=True):
            row.attempts, row.processed_at = row.attempts + 1, at
            row.error = None if touch else _NO_SENDER

    @staticmethod
    def _outward(
        parsed: Mapping[CallEvent, tuple[set[str], set[str]]], stock: Mapping[str, Ours]
    ) -> set[tuple[str, str]]:
        """Return the calls that nobody made to us: by their course, or from a number of ours to another's."""
        ours = stock.keys()
        said = {_key(event) for event in parsed if event.course not in (None, Course.incoming)}
        shown = {_key(e) for e, (caller, dialled) in parsed.items() if caller & ours and not dialled & ours}
        return said | shown

    def _numbers(self, event: CallEvent) -> tuple[set[str], set[str]]:
        caller, *dialled = (
            phone.parse(d, self._settings.region).e164 for d in (event.caller, *event.dialled)
        )
        return {caller or ""} - {""}, {e164 for e164 in dialled if e164}

    def _waiting(self, session: Session, settled: Iterable[tuple[str, str]]) -> Sequence[int]:
        theirs = [
            (InboxEvent.provider == provider)
            & InboxEvent.event_key.startswith(f"{call_id}/", autoescape=True)
            for provider, call_id in settled
        ]
        return session.scalars(select(InboxEvent.id).where(*_WAITING, or_(*theirs))).all()


def _write(session: Session, rows: Iterable[InboxEvent]) -> None:
    """Write those rows that are not in the database yet, without what an object of the session costs."""
    if new := [row for row in rows if row.id is None]:
        values = [{name: getattr(row, name) for name in _COLUMNS} for row in new]
        session.connection().execute(_INSERT, values)


def _key(call: CallEvent | Call) -> tuple[str, str]:
    return call.provider, call.provider_call_id


def _turned_away(provider: str, call_id: str) -> Select[int]:
    return (
        select(InboxEvent.id)
        .where(
            InboxEvent.provider == provider,
            # The keys of a call's reports, as a stretch of the index.
            InboxEvent.event_key > f"{call_id}/",
            InboxEvent.event_key < f"{call_id}0",
            InboxEvent.error == _NOT_INCOMING,
            InboxEvent.processed_at.is_not(None),
        )
        .limit(1)
    )


def _whole(arrival: Arrival, known: Mapping[str, Interpreter]) -> Arrival:
    """Return an arrival that the database can keep, or raise ValueError: one that never can holds up all."""
    texts = (arrival.provider, arrival.call_id, arrival.report, arrival.body, arrival.dialled)
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a field is no text")
    key = arrival.event_key
    if arrival.received_at.tzinfo is None or arrival.provider not in known or len(key) > 200 or "\0" in key:
        raise ValueError("no provider of ours sent this")
    return arrival


def _mark_failed(row: InboxEvent, error: Exception) -> None:
    row.attempts, row.processed_at, row.error = row.attempts + 1, None, _where(error)
    _log.error("an event of %s could not be interpreted: %s", row.provider, row.error)


def _where(error: Exception) -> str:
    # Our own refusals say what is wrong and name no caller; others may quote values, so only their place
    # is told.
    if isinstance(error, Invalid):
        return str(error)
    places = traceback.extract_tb(error.__traceback__)
    place = f" at {places[-1].filename.rpartition('/')[2]}:{places[-1].lineno}" if places else ""
    return f"{type(error).__name__}{place}"
