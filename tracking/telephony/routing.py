"""Where a call to one of our numbers is to ring, also while the database is away."""

import json
import logging
import os
import threading
import time
from collections.abc import Collection, Mapping

from sqlalchemy import Connection, bindparam, or_, select
from sqlalchemy.orm import Session

from tracking.storage import keys, phone
from tracking.storage.config import Settings
from tracking.storage.models import TrackingNumber

_log = logging.getLogger(__name__)

# How old the copy on the disk may grow while calls or health checks come in, in seconds.
_WHOLE_EVERY_S = 60.0
# How long a number's destination is taken for what it was when it was read, in seconds.
_FRESH_S = 0.2

# The main line that is carried elsewhere is where calls end, and leads nowhere.
_ALL = select(TrackingNumber.number, TrackingNumber.destination).where(
    or_(TrackingNumber.main_line.is_(False), TrackingNumber.destination.is_not(None))
)
_THESE = _ALL.where(TrackingNumber.number.in_(bindparam("asked", expanding=True)))


class Routing:
    """The destinations of our numbers as they were last read, in memory and on the disk.

    The copy on the disk holds our own numbers only, no caller's; a process that starts while the
    database is away begins with it.
    """

    def __init__(self, settings: Settings) -> None:
        self._file = settings.data_dir / "routing.json"
        self._settings = settings
        self._known: Mapping[str, str | None] = self._load()
        self._read_at: float | None = None
        self._seen: dict[str, float] = {}

    def destination(self, dialled: str) -> str | None:
        """Return the number to ring for a call to ``dialled``: its own, else the default desk, else None."""
        known = self._known
        e164 = phone.parse(dialled, self._settings.region).e164 or ""
        # A destination that is a tracking number itself would bring the call back to us, for ever.
        candidates = (known.get(e164), self._settings.default_destination)
        return next((d for d in candidates if d and d not in known and d != e164), None)

    def unsure(self, dialled: Collection[str]) -> set[str]:
        """Return those of these numbers whose destination is to be read again before a call to them rings."""
        if not dialled or self._read_at is None or time.monotonic() - self._read_at > _WHOLE_EVERY_S:
            return set(dialled)
        since = time.monotonic() - _FRESH_S
        return {number for number in dialled if self._seen.get(number, since) <= since}

    def refresh(self, database: Session | Connection, dialled: Collection[str] = ()) -> None:
        """Read the destinations of these numbers, and from time to time of all; keep a copy on the disk."""
        began = time.monotonic()
        whole = self._read_at is None or began - self._read_at > _WHOLE_EVERY_S
        if whole:
            fresh = dict(database.execute(_ALL).all())
            self._read_at = began
        else:
            asked = {e164 for d in dialled if (e164 := phone.parse(d, self._settings.region).e164)}
            if not asked:
                return
            found = dict(database.execute(_THESE, {"asked": list(asked)}).all())
            fresh = {n: d for n, d in self._known.items() if n not in asked} | found
        still = {number: at for number, at in self._seen.items() if at > began - _FRESH_S}
        self._seen = still | dict.fromkeys(dialled, began)
        if fresh != self._known:
            # Replaced, never changed in place: other threads read it meanwhile.
            self._known = fresh
            self._save(fresh)

    def _load(self) -> Mapping[str, str | None]:
        try:
            held = json.loads(keys.read(self._file))
            return {str(number): destination and str(destination) for number, destination in held.items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def _save(self, fresh: Mapping[str, str | None]) -> None:
        draft = self._file.with_name(f"{self._file.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            with draft.open("w") as file:
                json.dump(fresh, file, indent=1, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._file)
        except OSError as error:
            _log.warning("the copy of the routing could not be written: %s", error)
