"""The thread that writes for all others of a process, so that waiting for the database has an end."""

import threading
from collections.abc import Callable


class Clerk:
    """A thread that is there while there is work: nothing outlives a fork or a test.

    ``state`` guards what it shares with those it works for.
    """

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self.state = threading.Condition()
        self.closed = False
        self._name, self._work = name, work
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Let it work, if it does not yet; the state is held."""
        if self._thread is None and not self.closed:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def rest(self) -> None:
        """Say that it ends, from within it; the state is held."""
        self._thread = None

    def close(self) -> None:
        """Let it finish, and wait for that; it does not start again."""
        with self.state:
            self.closed = True
            self.state.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()
