"""Short links as they are followed: answered from memory, counted behind, also while the database is away.

No page, session or language is in their way, and no thread of the telephone's. What is no link any more, or
never was one, goes on to the pages, which say so in the visitor's language.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tracking.records import links
from tracking.records.links import Counts
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import ShortLink
from tracking.telephony.clerk import Clerk

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_log = logging.getLogger(__name__)

PREFIX = f"{links.PATH}/"
STATE = "ringtrail.link"
"""Where the pages find, in the environment of a request, why it does not lead on: unknown or expired."""
_FRESH_S = 2.0
"""How soon a process follows what another one has changed of a link, in seconds."""
_AGAIN_S = 0.5
"""So often at most an unknown link is looked for in the database, whatever is tried, in seconds."""
_GATHER_S = 1.0
"""For so long visits are gathered before they are written, in seconds."""


@dataclass(frozen=True, slots=True)
class _Link:
    id: int
    address: str
    expires_on: str | None


class ShortLinks:
    """The short links of an installation, in one process, before its pages."""

    def __init__(
        self, pages: "WSGIApplication", engine: Engine, settings: Settings, now: Callable[[], datetime]
    ) -> None:
        self._pages, self._engine, self._settings, self._now = pages, engine, settings, now
        self._file = settings.data_dir / "links.json"
        self._known: Mapping[str, _Link] = self._load()
        self._read_at: float | None = None
        self._reading = threading.Lock()
        self._clerk = Clerk("links", self._work)
        self._state = self._clerk.state
        self._counts: Counts = Counts()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        """Answer a request: lead on, or let the pages say that the link leads nowhere."""
        path, method = str(environ.get("PATH_INFO", "")), environ.get("REQUEST_METHOD")
        if not path.startswith(PREFIX) or method not in ("GET", "HEAD"):
            return self._pages(environ, start_response)
        link = self._find(path.removeprefix(PREFIX).rstrip("/").casefold())
        today = self._now().astimezone(self._settings.zone).date()
        if link is None or (link.expires_on and today > date.fromisoformat(link.expires_on)):
            environ[STATE] = "expired" if link else "unknown"
            # A short name of its own is none of the pages'.
            environ["HTTP_HOST"] = self._settings.hosts[0]
            return self._pages(environ, start_response)
        ahead = str(environ.get("HTTP_SEC_PURPOSE") or environ.get("HTTP_PURPOSE") or "")
        if method == "GET" and "prefetch" not in ahead:
            self._note(link.id, today, links.is_bot(str(environ.get("HTTP_USER_AGENT", ""))))
        start_response(
            "302 Found",
            [
                ("Location", link.address),
                # Asked again each time, or most visits would not be counted.
                ("Cache-Control", "no-store"),
                ("X-Robots-Tag", "noindex"),
                ("Content-Length", "0"),
            ],
        )
        return [b""]

    def refresh(self, session: Session) -> None:
        """Read the links as they are, and keep a copy on the disk."""
        fresh = {
            row.slug: _Link(
                row.id, links.address(row), row.expires_on.isoformat() if row.expires_on else None
            )
            for row in session.scalars(select(ShortLink))
        }
        self._read_at = time.monotonic()
        if fresh != self._known:
            # Replaced, never changed in place: other threads read it meanwhile.
            self._known = fresh
            self._save(fresh)

    def close(self) -> None:
        """Write what was counted, as far as the database takes it."""
        self._clerk.close()
        if self._counts:
            _log.error("%s visits by short links are lost with this process", self._counts.total())

    def _find(self, slug: str) -> _Link | None:
        age = time.monotonic() - self._read_at if self._read_at is not None else float("inf")
        link = self._known.get(slug)
        if link is None and age > _AGAIN_S:
            self._read()
            link = self._known.get(slug)
        elif link is not None and age > _FRESH_S:
            # Behind this request: whoever follows a link does not wait for the database.
            with self._state:
                self._clerk.start()
        return link

    def _read(self) -> None:
        # One at a time: before a database that hangs, the others lead on by what is known.
        if not self._reading.acquire(blocking=False):
            return
        try:
            self._read_at = time.monotonic()
            with db.reading(self._engine) as session:
                self.refresh(session)
        except SQLAlchemyError as error:
            _log.warning("short links are as they were last known: %s", type(error).__name__)
        finally:
            self._reading.release()

    def _note(self, link_id: int, day: date, bot: bool) -> None:
        with self._state:
            self._counts[link_id, day, bot] += 1
            self._clerk.start()

    def _work(self) -> None:
        while True:
            with self._state:
                if not self._clerk.closed:
                    self._state.wait(_GATHER_S)
                counts, self._counts = self._counts, Counts()
            self._read()
            if counts and not self._write(counts):
                with self._state:
                    self._counts.update(counts)
            with self._state:
                if self._clerk.closed or not self._counts:
                    self._clerk.rest()
                    return

    def _write(self, counts: Counts) -> bool:
        try:
            db.commit(self._engine, lambda session: links.count(session, counts))
        except SQLAlchemyError as error:
            _log.warning("visits by short links wait for the database: %s", type(error).__name__)
            return False
        return True

    def _load(self) -> Mapping[str, _Link]:
        try:
            held = json.loads(self._file.read_text())
            return {str(slug): _Link(**link) for slug, link in held.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _save(self, fresh: Mapping[str, _Link]) -> None:
        draft = self._file.with_name(f"{self._file.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            draft.write_text(json.dumps({slug: asdict(link) for slug, link in fresh.items()}, indent=1))
            draft.replace(self._file)
        except OSError as error:
            _log.warning("the copy of the short links could not be written: %s", error)
