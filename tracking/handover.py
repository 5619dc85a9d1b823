"""The listening socket, and how it passes from one process of the service to the next without a pause.

It may come from systemd (sd_listen_fds(3)). On SIGHUP the service starts its program a second time, beside
itself and on the same socket. Once that one serves, this one answers what has come and begins anew; once it
serves again, the other one ends. Whoever started the service sees one process with one number throughout, and
a version that does not start replaces nothing.
"""

import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

_FIRST_FD = 3
_STANDS_IN, _STOOD_IN = "LISTEN_STANDS_IN", "LISTEN_STOOD_IN"
"""Which descriptors a stand-in works with, and which one, with its process, ends it."""
_log = logging.getLogger(__name__)


def _at_once() -> None:
    os._exit(0)


class Post:
    """A listening socket, and what this process is to another one that serves on it meanwhile."""

    def __init__(self, host: str, port: int) -> None:
        # Kept for later while there is nobody to answer it: it would end a process that starts.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        self.relieved: Callable[[], None] = _at_once
        """Ends a stand-in; it is called when it is needed no longer."""
        self.alone: Callable[[], None] = lambda: None
        """Is called when a stand-in has ended, to take on what it left."""
        self._ready = -1
        self._stood_in = os.environ.pop(_STOOD_IN, "")
        self._stand_in: tuple[int, int] | None = None
        told = os.environ.pop(_STANDS_IN, "")
        self.stands_in = bool(told)
        if told:
            handed, self._ready, stays = map(int, told.split(","))
            threading.Thread(target=self._await_relief, args=(stays,), daemon=True).start()
            self.listening = socket.socket(fileno=handed)
        else:
            self.listening = _listen(host, port)
        self.listening.setblocking(False)

    def _await_relief(self, stays: int) -> None:
        # The other end is closed by whoever begins to serve, and by the system where that one dies.
        while os.read(stays, 1):
            pass
        self.relieved()

    def serving(self) -> None:
        """Say that this process serves from now on: to whoever waits for it, or stood in for it."""
        if self.stands_in:
            os.write(self._ready, b".")
            os.close(self._ready)
        elif self._stood_in:
            stays, process = map(int, self._stood_in.split(","))
            os.close(stays)
            threading.Thread(target=self._bury, args=(process,), daemon=True).start()

    def _bury(self, process: int) -> None:
        with suppress(ChildProcessError):
            os.waitpid(process, 0)
        self.alone()

    def call_stand_in(self) -> bool:
        """Start this program beside this process; True once it serves, False if it does not start."""
        comes, ready = os.pipe()
        stays, held = os.pipe()
        handed = (self.listening.fileno(), ready, stays)
        process = subprocess.Popen(  # noqa: S603 - our own program
            _program(), env=os.environ | {_STANDS_IN: ",".join(map(str, handed))}, pass_fds=handed
        )
        os.close(ready)
        os.close(stays)
        serves = bool(os.read(comes, 1))
        os.close(comes)
        if serves:
            self._stand_in = held, process.pid
            return True
        os.close(held)
        _log.error("the program does not start anew (exit code %s); this one goes on", process.wait())
        return False

    def begin_anew(self) -> None:
        """Become this program as it is now, on the same socket, which a stand-in serves meanwhile."""
        if self._stand_in is not None:
            held, process = self._stand_in
            # Out of the way of the socket's.
            held = fcntl.fcntl(held, fcntl.F_DUPFD, _FIRST_FD + 1)
            os.environ[_STOOD_IN] = f"{held},{process}"
        os.dup2(self.listening.fileno(), _FIRST_FD)
        os.set_inheritable(_FIRST_FD, True)
        os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        os.execv(sys.executable, _program())  # noqa: S606 - our own program


def _program() -> list[str]:
    return [sys.executable, "-m", "tracking", *sys.argv[1:]]


def _listen(host: str, port: int) -> socket.socket:
    """Return the socket that was handed on to this process, or a new one."""
    if os.environ.pop("LISTEN_PID", "") == str(os.getpid()) and os.environ.pop("LISTEN_FDS", "") == "1":
        return socket.socket(fileno=_FIRST_FD)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)
