"""The process that answers pages and the API, beside the one that answers the telephone.

Each has an interpreter of its own, so no report takes it from a call, and one that takes all memory or never
ends takes no call with it. The telephone's process has the only socket. It reads each request whole, hands it
on over a line (a pair of sockets of these two alone) and passes the answer back as it comes.

On a line go, there: the request's environment with what was refused, its body in pieces, an empty piece;
back: status and headers, the answer in pieces, an empty piece, and whether the answer is whole.
"""

import io
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import Headers
from werkzeug.test import run_wsgi_app

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed import WriteableBuffer
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

OWN = frozenset(("/bell", "/livez", "/metrics", "/readyz", "/reachable"))
"""What the telephone's process answers itself: who has a page open, and how it is."""
Refusals = dict[str, tuple[datetime, str]]
"""Of each provider, when a request was refused last, and why: its own process knows, pages show it."""
_READS_ONLY = ("GET", "HEAD", "OPTIONS")
_PIECE = 1 << 16
_SOON_S = 5.0
"""It is started with the first page, or so long after the telephone: that one comes first."""
_AGAIN_S = 5.0
"""Having died, it is started again no more often."""
_ENDS_WITHIN_S = 5.0
_NICENESS = 5
"""Where both want the processor, the telephone's process has three times as much of it."""
_SORRY = b"The pages are starting again. Calls are answered meanwhile. Please try again in a few seconds.\n"
_log = logging.getLogger(__name__)


class PageProcess:
    """The other process, as an application: it answers what is handed on to it.

    ``changed`` is called after each request that may have changed something, before it is answered, so that
    the next call goes by what a page has just said.
    """

    def __init__(self, threads: int, command: Sequence[str] = ()) -> None:
        self._threads = threads
        self._command = list(command) or [sys.executable, "-m", "tracking", "_pages"]
        self.changed: Callable[[], None] = lambda: None
        self.refused: Refusals = {}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._over = False
        self._lines: queue.LifoQueue[Connection] = queue.LifoQueue()

    def __enter__(self) -> None:
        timer = threading.Timer(_SOON_S, self._ready)
        timer.daemon = True
        timer.start()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._over = True
        if self._process is None:
            return
        for _line in range(self._threads):
            try:
                self._lines.get_nowait().close()
            except queue.Empty:
                break
        try:
            self._process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def before(self, app: "WSGIApplication") -> "WSGIApplication":
        """Return what answers as the other process does, and as this process's ``app`` what is its own."""

        def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
            return (app if environ["PATH_INFO"] in OWN else self)(environ, start_response)

        return answer

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        """Answer a request as the other process does."""
        lines = self._ready()
        if lines is None:
            return _sorry(start_response)
        line = lines.get()
        try:
            told = {name: value for name, value in environ.items() if isinstance(value, str)}
            line.send((told, self.refused))
            for piece in iter(partial(environ["wsgi.input"].read, _PIECE), b""):
                line.send_bytes(piece)
            line.send_bytes(b"")
            status, headers = line.recv()
        except (EOFError, OSError):
            lines.put(line)
            _log.error("a page was not answered: the process of the pages has ended")
            return _sorry(start_response)
        if environ["REQUEST_METHOD"] not in _READS_ONLY:
            self.changed()
        start_response(status, headers)
        return _Answer(line, lines)

    def _ready(self) -> "queue.LifoQueue[Connection] | None":
        """Return the lines to a process that lives; None where it has just died, or this one ends."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                if self._over or (self._process and time.monotonic() - self._began < _AGAIN_S):
                    return None
                if self._process:
                    _log.error("the pages' process has ended by itself; another one is started")
                self._start()
            return self._lines

    def _start(self) -> None:
        pairs = [Pipe() for _ in range(self._threads)]
        theirs = [there.fileno() for _, there in pairs]
        # Whoever waits for a line of the process before gets one that is closed, and says sorry.
        self._lines = queue.LifoQueue()
        for here, _ in pairs:
            self._lines.put(here)
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [*self._command, ",".join(map(str, theirs))], pass_fds=theirs
        )
        self._began = time.monotonic()
        for _, there in pairs:
            there.close()


class _Answer:
    """The pieces of an answer; the line is free for the next one once all have come."""

    def __init__(self, line: Connection, lines: "queue.LifoQueue[Connection]") -> None:
        self._line, self._lines = line, lines
        self._pieces = self._read()

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def _read(self) -> Iterator[bytes]:
        yield from iter(self._line.recv_bytes, b"")
        if not self._line.recv():
            raise EOFError("the answer ends amid its pieces")

    def close(self) -> None:
        """Take what is left where the client has gone."""
        try:
            for _ in self._pieces:
                pass
        except (EOFError, OSError):
            pass
        finally:
            self._lines.put(self._line)


def _sorry(start_response: "StartResponse") -> list[bytes]:
    head = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(_SORRY)))]
    start_response("503 Service Unavailable", [*head, ("Retry-After", "5"), ("Cache-Control", "no-store")])
    return [_SORRY]


class _Body(io.RawIOBase):
    """A request's body as it comes over a line."""

    def __init__(self, line: Connection) -> None:
        self._line, self._left = line, memoryview(b"")
        self._ends = False

    def readable(self) -> bool:
        return True

    def readinto(self, room: "WriteableBuffer") -> int:
        if not self._left and not self._ends:
            self._left = memoryview(self._line.recv_bytes())
            self._ends = not self._left
        view = memoryview(room).cast("B")
        size = min(len(view), len(self._left))
        view[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


def answer(app: "WSGIApplication", refused: Refusals, lines: Sequence[int]) -> None:
    """Answer what comes over lines, given by their descriptors, until the other process closes them."""
    # It ends when the telephone's process does, which has answered by then what has come.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICENESS)
    threads = [
        threading.Thread(target=_serve, args=(app, refused, Connection(line)), name="pages", daemon=True)
        for line in lines
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _serve(app: "WSGIApplication", refused: Refusals, line: Connection) -> None:
    try:
        while True:
            environ, told = line.recv()
            if told != refused:
                refused.clear()
                refused.update(told)
            _answer(app, line, environ)
    except (EOFError, OSError):
        return
    except BaseException:
        # A line without a thread would keep whoever gets it waiting; a process that ends is replaced.
        _log.exception("the pages' process cannot go on")
        os._exit(1)


def _answer(app: "WSGIApplication", line: Connection, environ: dict[str, Any]) -> None:
    body = io.BufferedReader(_Body(line), _PIECE)
    environ |= {
        "wsgi.version": (1, 0),
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    whole = False
    try:
        pieces, status, headers = run_wsgi_app(app, environ)
    except Exception:
        _log.exception("a page failed")
        pieces, status, headers = iter(()), "500 Internal Server Error", Headers({"Content-Length": "0"})
    while body.read(_PIECE):
        pass
    line.send((status, list(headers)))
    try:
        for piece in filter(None, pieces):
            line.send_bytes(piece)
        whole = True
    except Exception:
        _log.exception("a page failed amid its answer")
    finally:
        getattr(pieces, "close", lambda: None)()
    line.send_bytes(b"")
    line.send(whole)
