"""Legs that go out, remembered from one file to the next: a call may lie on both sides of the border.

Only another file may tell whether a leg belongs to a call that came in and was passed on, or to one that went
out. So those near the ends of a file are kept, without a telephone number.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking.storage import vault
from tracking.storage.models import ImportMapping
from tracking.storage.vocabulary import CallStatus
from tracking.telephony.calls import CallEvent

_KIND = "outgoing legs"
_NEAR = timedelta(hours=2)
_MOST = 500


class Borders:
    """The outgoing legs near the ends of the files of one system."""

    def __init__(self) -> None:
        self._legs: dict[str, list[Any]] = {}
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._key = ""
        self._changed = False

    def begin(self, session: Session, system: str) -> Iterator[CallEvent]:
        """Yield the legs of earlier files."""
        self._key = vault.mark("import headers", system)
        if (row := self._row(session)) is not None:
            self._legs = dict(row.mapping)
            for call_id, (provider, started, status, answered, ended, duration, talk) in self._legs.items():
                yield CallEvent(
                    provider=provider,
                    provider_call_id=call_id,
                    dialled=(),
                    caller=None,
                    started_at=datetime.fromisoformat(started),
                    status=CallStatus(status),
                    answered_at=answered and datetime.fromisoformat(answered),
                    ended_at=ended and datetime.fromisoformat(ended),
                    duration_s=duration,
                    talk_s=talk,
                )

    def saw(self, started: datetime) -> None:
        """Learn how far the file reaches."""
        self._first = min(self._first or started, started)
        self._last = max(self._last or started, started)

    def note(self, leg: CallEvent) -> None:
        """Keep a leg, as long as it is near an end of the file."""
        moments = (leg.started_at, leg.answered_at, leg.ended_at)
        started, answered, ended = (moment and moment.isoformat() for moment in moments)
        self._legs[leg.provider_call_id] = [
            leg.provider, started, leg.status, answered, ended, leg.duration_s, leg.talk_s
        ]  # fmt: skip
        self._changed = True
        if len(self._legs) > 2 * _MOST:
            self._shorten()

    def remember(self, session: Session) -> None:
        """Keep the legs for the next file; a dry run takes it back with the rest."""
        if not self._changed:
            return
        # Again with each batch: one that is undone and done anew takes the legs with it.
        self._shorten()
        if (row := self._row(session)) is None:
            session.add(ImportMapping(kind=_KIND, header_hash=self._key, mapping=dict(self._legs)))
        else:
            row.mapping = dict(self._legs)

    def _shorten(self) -> None:
        """Let go of legs inside the file, and of the oldest."""
        kept = {
            call_id: leg
            for call_id, leg in self._legs.items()
            if not self._inside(datetime.fromisoformat(leg[1]))
        }
        self._legs = dict(sorted(kept.items(), key=lambda entry: entry[1][1])[-_MOST:])

    def _inside(self, started: datetime) -> bool:
        if self._first is None or self._last is None:
            return False
        return self._first + _NEAR < started < self._last - _NEAR

    def _row(self, session: Session) -> ImportMapping | None:
        return session.scalar(
            select(ImportMapping).where(ImportMapping.kind == _KIND, ImportMapping.header_hash == self._key)
        )
