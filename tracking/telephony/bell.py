"""The bell: tells every browser that is open what rings at its user, without a query or a thread for each.

One thread looks at the database twice a second, and at once where a call was reported, while anybody
listens; all browsers are told from memory. Who they are was found out by the application when they first
asked. It is looked up again, for all of them in one query, every two seconds, so that signing out ends what
they hear.
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tracking.access import sessions
from tracking.storage import db
from tracking.storage.models import Answer, Call
from tracking.storage.vocabulary import CallState, Role
from tracking.telephony import ringing
from tracking.telephony.ringing import Ring

PATH = "/bell"
_LOOKS_EVERY_S = 0.5
_PAUSE_S = 0.1
"""So long it lets a webhook be answered before it looks, which it does no more often, whatever comes."""
_RESTS = 9.0
"""It rests so many times as long as a look took of the processor, so that a storm of calls has the most."""
_LOOKS_UP_EVERY_S = 2.0
_KEEPS_OPEN_EVERY_S = 6.0
_HERE_S = 5.0
"""Whoever has not asked for so long has no page open."""
_FORGOTTEN_S = 60.0
_AWAY_PAUSE_S = 2.0
_MOST_CALLS = 20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """What a browser is told, and the mark by which it says that it knows."""

    mark: str
    body: bytes


@dataclass(slots=True)
class _Listener:
    token: str
    user_id: int
    away: bool
    calls: tuple[int, ...]
    """The calls whose forms are open in this browser."""
    heard_at: float
    news: News = field(default=News("", b"{}"))


class Bell:
    """Who listens in this process, and what each is to be told."""

    def __init__(self, engine: Engine, now: Callable[[], datetime]) -> None:
        self._engine, self._now = engine, now
        self._listeners: dict[str, _Listener] = {}
        self._lock = threading.RLock()
        self._told = threading.Event()
        self._thread: threading.Thread | None = None
        self._looked_up = self._kept_open = 0.0
        self.changes = 0
        """Counts up whenever somebody is to be told something new."""
        self.on_change: Callable[[], None] = _nothing

    def listen(self, cookies: str, token: str, user_id: int, *, away: bool, calls: tuple[int, ...]) -> News:
        """Take in a browser that the application knows by its cookies, and return what it is told."""
        with self._lock:
            self._listeners[cookies] = _Listener(token, user_id, away, calls, time.monotonic())
            self._look()
            if self._thread is None:
                # Started when somebody listens and gone when nobody does: nothing outlives a fork or a test.
                self._thread = threading.Thread(target=self._work, name="bell", daemon=True)
                self._thread.start()
            return self._listeners[cookies].news if cookies in self._listeners else News("", b"{}")

    def heard(self, cookies: str, calls: tuple[int, ...]) -> News | None:
        """Return what a browser is told; None where the application has to be asked who it is."""
        found = self._listeners.get(cookies)
        if found is None or found.calls != calls:
            return None
        found.heard_at = time.monotonic()
        return found.news

    def nudge(self) -> None:
        """Look at once: a call was reported, or a form opened."""
        self._looked_up = 0.0
        self._told.set()

    def close(self) -> None:
        """Forget who listens: the server that told them has ended."""
        with self._lock:
            self._listeners, self.on_change = {}, _nothing
        self._told.set()

    def _work(self) -> None:
        pause, took = _LOOKS_EVERY_S, 0.0
        while True:
            self._told.wait(pause)
            self._told.clear()
            time.sleep(min(max(_PAUSE_S, _RESTS * took), _LOOKS_EVERY_S))
            began = time.thread_time()
            with self._lock:
                silent = time.monotonic() - _FORGOTTEN_S
                self._listeners = {k: v for k, v in self._listeners.items() if v.heard_at > silent}
                if not self._listeners:
                    self._thread = None
                    return
                try:
                    self._look()
                    self._keep_open()
                    pause = _LOOKS_EVERY_S
                except SQLAlchemyError as error:
                    _log.error("the database is away (%s); no desk rings", type(error).__name__)
                    pause = _AWAY_PAUSE_S
                except Exception:
                    # One call that cannot be read, or a server that ends, must not silence every desk.
                    _log.exception("the bell failed; it looks again")
                    pause = _AWAY_PAUSE_S
                took = time.thread_time() - began

    def _look(self) -> None:
        at, now = self._now(), time.monotonic()
        with db.reading(self._engine) as session:
            if now - self._looked_up > _LOOKS_UP_EVERY_S:
                self._look_up(session, at)
                self._looked_up = now
            rings = ringing.untaken(session, at=at)
            # Nobody is free or busy where nothing rings.
            busy = ringing.busy(session, at=at) if rings else set()
            open_calls = {call for one in self._listeners.values() for call in one.calls}
            forms = ringing.forms_open(session, open_calls, at=at) if open_calls else {}
            newest = select(Answer.call_id, func.max(Answer.id)).where(Answer.call_id.in_(open_calls))
            saved = (
                {call: answer for call, answer in session.execute(newest.group_by(Answer.call_id)) if call}
                if open_calls
                else {}
            )
            found_open = session.scalars(select(Call).where(Call.id.in_(open_calls))) if open_calls else ()
            states = {call.id: ringing.state(call, at) for call in found_open}
        here = {one.user_id: one.away for one in self._listeners.values() if one.heard_at > now - _HERE_S}
        rung = ringing.rung(rings, here, busy)
        news = {cookies: _news(one, rung, forms, saved, states) for cookies, one in self._listeners.items()}
        if any(found != self._listeners[cookies].news for cookies, found in news.items()):
            for cookies, found in news.items():
                self._listeners[cookies].news = found
            self._tell()

    def _tell(self) -> None:
        self.changes += 1
        self.on_change()

    def _look_up(self, session: Session, at: datetime) -> None:
        """Forget the browsers that have signed out, and those of users who may not log calls any more."""
        tokens = {sessions.hashed(one.token) for one in self._listeners.values()}
        known = sessions.open_ones(session, tokens, at=at)
        kept = {}
        for cookies, one in self._listeners.items():
            user = known.get(sessions.hashed(one.token))
            if user is not None and user.role is not Role.viewer:
                one.away = user.away
                kept[cookies] = one
        if len(kept) < len(self._listeners):
            self._listeners = kept
            self._tell()

    def _keep_open(self) -> None:
        """Say for all forms at once that they are still open."""
        now = time.monotonic()
        forms = {
            (call, one.user_id)
            for one in self._listeners.values()
            for call in one.calls
            if one.heard_at > now - _HERE_S
        }
        if forms and now - self._kept_open > _KEEPS_OPEN_EVERY_S:
            self._kept_open = now
            with db.transaction(self._engine) as session:
                ringing.keep_open(session, forms, at=self._now())


def _nothing() -> None: ...


def _news(
    one: _Listener,
    rung: Mapping[int, Sequence[Ring]],
    forms: Mapping[int, Sequence[tuple[int, str]]],
    saved: Mapping[int, int],
    states: Mapping[int, CallState],
) -> News:
    """Return what one browser is told."""
    told = {
        "user": one.user_id,
        "ringing": [
            {
                "id": ring.key,
                "title": ring.title,
                "dialled": ring.dialled,
                "status": ring.status,
                "practice": ring.only_at is not None,
                "alone": sum(ring in theirs for theirs in rung.values()) == 1,
            }
            for ring in rung.get(one.user_id, ())
        ],
        "open": {
            str(call): {
                "others": [name for user, name in forms.get(call, ()) if user != one.user_id],
                "saved": saved.get(call),
                "state": states.get(call),
            }
            for call in one.calls
        },
    }
    body = json.dumps(told, ensure_ascii=False).encode()
    return News(hashlib.sha256(body).hexdigest()[:16], body)


def calls_of(text: str) -> tuple[int, ...]:
    """Read which calls' forms a browser has open: numbers with commas; what is none is passed over."""
    told = {int(part) for part in text.split(",") if part.isascii() and part.isdecimal() and len(part) < 16}
    return tuple(sorted(told)[:_MOST_CALLS])
