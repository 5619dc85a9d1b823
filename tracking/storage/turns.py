"""Whose turn it is to write to SQLite, which lets in one writer at a time and keeps no line of others.

Who waits looks again after some hundredths of a second; one who writes batch after batch would be first each
time. So whoever begins to write holds a mark until he is in, and who has more to write lets them pass.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, make_url

_LOOK_S = 0.002
# Who has not come in by then has been given a turn that he has not used.
_PATIENCE_S = 0.15


def watch(engine: Engine) -> None:
    """Let the connections of an engine mark that they wait to write."""

    @event.listens_for(engine, "connect")
    def connected(_connection: object, record: Any) -> None:
        with suppress(OSError):
            record.info["waiting"] = os.open(_path(engine), os.O_RDWR | os.O_CREAT, 0o600)

    @event.listens_for(engine, "close")
    def closed(_connection: object, record: Any) -> None:
        if (mark := record.info.pop("waiting", None)) is not None:
            os.close(mark)


@contextmanager
def waiting(info: dict[Any, Any]) -> Iterator[None]:
    """Hold the mark of a connection, whose ``info`` this is, while it waits."""
    mark = info.get("waiting")
    if mark is None:
        yield
        return
    # The system takes the mark back if this process dies.
    fcntl.flock(mark, fcntl.LOCK_SH)
    try:
        yield
    finally:
        fcntl.flock(mark, fcntl.LOCK_UN)


def let_others_write(engine: Engine) -> None:
    """Wait until nobody waits to write, for a moment at most."""
    if engine.dialect.name != "sqlite":
        return
    until = time.monotonic() + _PATIENCE_S
    while _somebody_waits(engine) and time.monotonic() < until:
        time.sleep(_LOOK_S)


def _somebody_waits(engine: Engine) -> bool:
    try:
        mark = os.open(_path(engine), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return False
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(mark)
    return False


def _path(engine: Engine) -> Path:
    database = make_url(engine.url).database
    if not database or database == ":memory:":
        raise FileNotFoundError("a database in memory has one writer")
    return Path(f"{database}-waiting")
