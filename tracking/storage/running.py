"""Whether the service runs on a data folder, which a restore must not replace beneath it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tracking.errors import Conflict


@contextmanager
def noted(folder: Path, *, waits: bool) -> Iterator[None]:
    """Let others know meanwhile that this process runs; ``waits`` for a restore to end first."""
    with ExitStack() as held:
        # A disk that takes no file, or a file system without marks, keeps nobody from answering calls.
        with suppress(OSError):
            mark = held.enter_context(_mark(folder))
            # The system takes it back if this process dies.
            fcntl.flock(mark, fcntl.LOCK_SH | (0 if waits else fcntl.LOCK_NB))
        yield


@contextmanager
def stopped(folder: Path) -> Iterator[None]:
    """Refuse while another process runs, and let none begin to work meanwhile."""
    with _mark(folder) as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                "the service is running; stop `ringtrail serve` and `ringtrail work` first"
            ) from None
        except OSError:
            pass  # a file system without marks
        yield


@contextmanager
def _mark(folder: Path) -> Iterator[int]:
    mark = os.open(folder / "ringtrail.running", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield mark
    finally:
        os.close(mark)
