"""The log: words on a terminal, else one JSON object a line; of faults kind and place, never a value."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime


class _Lines(logging.Formatter):
    """One line an entry, for whatever collects logs."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and (error := record.exc_info[1]):
            entry |= {"error": type(error).__name__, "at": _places(error)}
        return json.dumps(entry, ensure_ascii=False)


class _Words(logging.Formatter):
    """What a person reads, on a terminal that obeys what it is sent: nothing but text goes there."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        said = super().formatMessage(record)
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in said)

    def formatException(self, ei: object) -> str:  # noqa: N802 - the name is logging's
        error = ei[1] if isinstance(ei, tuple) else None
        return f"{type(error).__name__} at {_places(error)}" if isinstance(error, BaseException) else ""


def _places(error: BaseException) -> str:
    # What an exception says may quote what somebody sent, callers' numbers among it.
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{f.filename.rpartition('/')[2]}:{f.lineno}" for f in reversed(frames[-8:]))


def begin(level: int) -> None:
    """Write the log of this process to standard error."""
    handler = logging.StreamHandler()
    words = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    handler.setFormatter(_Words(words) if sys.stderr.isatty() else _Lines())
    logging.basicConfig(level=level, handlers=[handler])
