"""The server: waitress, which reads a request whole before a thread takes it, with what a telephone asks for.

Requests of telephone providers have threads of their own. Whoever sends slowly, keeps connections open or
sends what nobody asked for costs no thread and little memory, and makes room for others when there are many.
A listening socket may be handed on: from systemd (sd_listen_fds(3)), or to the next version on SIGHUP.
"""

import copy
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.buffers import TempfileBasedBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from tracking.storage.config import COLLECTOR_PATH, PROVIDERS_PATH
from tracking.storage.vault import Draft
from tracking.telephony.bell import Bell
from tracking.waiting import WaitingRoom

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

COLLECTOR_THREADS = 8
"""Threads for web pages that report visits; they wait for one clerk, who writes for all of them at once."""
TELEPHONE_THREADS = 16
"""Threads for requests of telephone providers alone. Each waits at most half a second for the database."""
_MOST_CONNECTIONS = 1000
"""Connections at once; past it the one that has been silent longest makes room."""
_MOST_OF_ONE = 200
"""Connections at once of one address; as many as an office behind one line opens."""
_IDLE_S = 75
_HEAD_S = 20.0
"""Within this a request's head has to be there."""
_GRACE_S = 30.0
_SLOWEST = 10_000
"""Bytes of a body a second, on average, after a time of grace."""
_DRAIN_S = 5.0
"""How long requests that are being served may take when the service ends."""
_LINGER_S = 0.5
"""How long a connection without a request is kept when the service ends."""
_FIRST_FD = 3

Largest = Callable[[str, str, str], int]
"""How many bytes of a body to read, given method, path and cookies: decided before the first of them."""


class _Request(HTTPRequestParser):  # type: ignore[misc]  # untyped
    """A request whose body is read as far as whoever sends it may send one."""

    largest: Largest
    ends = False
    """Whether the service ends, so that each connection does after its answer."""

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.adj: Any = adj
        self.began = time.monotonic()

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        most = type(self).largest(self.command, self.path, self.headers.get("COOKIE", ""))
        if type(self).ends:
            self.connection_close, self.headers["CONNECTION"] = True, "close"
        self.adj = copy.copy(self.adj)
        self.adj.max_request_body_size = most + 1

    def is_late(self) -> bool:
        """Tell whether it takes longer than anybody honest would."""
        took = time.monotonic() - self.began
        most: float = _GRACE_S + self.body_bytes_received / _SLOWEST if self.headers_finished else _HEAD_S
        return took > most


class _Lanes:
    """Three rows of threads: providers' requests queue neither behind pages nor behind page views.

    Who waits for the bell has no thread at all.
    """

    def __init__(self, threads: int, bell: Bell | None) -> None:
        # That requests wait for a thread is no news, and each would write a line.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._telephone, self._others = ThreadedTaskDispatcher(), ThreadedTaskDispatcher()
        self._collector = ThreadedTaskDispatcher()
        self._telephone.set_thread_count(TELEPHONE_THREADS)
        self._collector.set_thread_count(COLLECTOR_THREADS)
        self._others.set_thread_count(threads)
        self.waiting = WaitingRoom(bell, self._others.add_task) if bell else None

    def add_task(self, channel: Any) -> None:
        request = channel.requests[0]
        if self.waiting and self.waiting.takes(request):
            self.waiting.add(channel)
            return
        path = request.path or ""
        lane = self._others
        if path.startswith(f"{PROVIDERS_PATH}/"):
            lane = self._telephone
        elif path.startswith(f"{COLLECTOR_PATH}/"):
            lane = self._collector
        lane.add_task(channel)

    def shutdown(self) -> None:
        for lane in (self._telephone, self._collector, self._others):
            lane.shutdown(timeout=1)


class Server(TcpWSGIServer):  # type: ignore[misc]  # untyped
    """Serves an application on a socket that listens, until it is told to end."""

    def __init__(
        self,
        application: "WSGIApplication",
        listening: socket.socket,
        *,
        threads: int,
        largest: Largest,
        drafts: Path,
        bell: Bell | None = None,
    ) -> None:
        # What does not fit into memory, of requests and of answers, holds callers' numbers.
        TempfileBasedBuffer.newfile = lambda _buffer: Draft(drafts)
        adjustments = Adjustments(
            threads=threads,
            channel_timeout=_IDLE_S,
            cleanup_interval=5,
            connection_limit=1 << 30,
            backlog=1024,
            ident="",
            clear_untrusted_proxy_headers=False,
            # Whoever breaks connections off would fill the log.
            log_socket_errors=False,
        )
        self._parser: type[_Request] = type("Request", (_Request,), {"largest": staticmethod(largest)})
        self.channel_class = type("Channel", (HTTPChannel,), {"parser_class": self._parser})
        lanes = _Lanes(threads, bell)
        self._waiting, self._bell = lanes.waiting, bell
        super().__init__(
            application,
            {},
            True,
            listening,
            dispatcher=lanes,
            adj=adjustments,
            sockinfo=(listening.family, listening.type, listening.proto, listening.getsockname()),
            bind_socket=False,
        )
        if bell is not None:
            bell.on_change = self.pull_trigger

    def end(self) -> None:
        """Have :meth:`run` serve what has come and return."""
        self._parser.ends = True
        self.pull_trigger()

    def run(self) -> None:
        """Serve, and end in good order: what has come is answered, what has not stays with the socket."""
        while not self._parser.ends:
            wasyncore.loop(timeout=1, map=self._map, use_poll=True, count=1)
            if self._waiting:
                self._waiting.turn()
        self.del_channel()
        began = time.monotonic()
        while self.active_channels and (took := time.monotonic() - began) < _DRAIN_S:
            wasyncore.loop(timeout=0.05, map=self._map, use_poll=True, count=1)
            if self._waiting:
                self._waiting.turn(ends=True)
            for channel in list(self.active_channels.values()):
                # Not at once: a request may be on its way on a connection that was kept open for it.
                if took > _LINGER_S and not channel.requests and channel.request is None:
                    channel.close_when_flushed = True
        self.task_dispatcher.shutdown()
        for channel in list(self.active_channels.values()):
            channel.handle_close()
        if self._bell is not None:
            self._bell.close()
        self.trigger.close()

    def handle_accept(self) -> None:
        """Take a connection, and make room for it where there are many."""
        super().handle_accept()
        channels = list(self.active_channels.values())
        if not channels:
            return
        newest = max(channels, key=lambda channel: channel.creation_time)
        of_one = Counter(channel.addr[0] for channel in channels)[newest.addr[0]]
        if of_one > _MOST_OF_ONE:
            _make_room([channel for channel in channels if channel.addr[0] == newest.addr[0]])
        elif len(channels) > _MOST_CONNECTIONS:
            _make_room(channels)

    def maintenance(self, now: float) -> None:
        """Close what is idle for long, and what sends more slowly than anybody honest."""
        super().maintenance(now)
        for channel in list(self.active_channels.values()):
            if channel.request is not None and channel.request.is_late():
                channel.will_close = True


def _make_room(channels: "list[Any]") -> None:
    # Of those that nothing is being done for, the one that has been silent longest.
    if silent := [channel for channel in channels if not channel.requests]:
        min(silent, key=lambda channel: channel.last_activity).handle_close()


def listen(host: str, port: int) -> socket.socket:
    """Return the socket that was handed on to this process, or a new one."""
    if os.environ.pop("LISTEN_PID", "") == str(os.getpid()) and os.environ.pop("LISTEN_FDS", "") == "1":
        handed = socket.socket(fileno=_FIRST_FD)
        handed.setblocking(False)
        return handed
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=1024)
    listening.setblocking(False)
    return listening


def serve(server: Server, listening: socket.socket, meanwhile: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; on SIGHUP begin this program anew on the same socket, losing no request.

    ``meanwhile`` ends what runs beside, before the program is begun anew.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * _MOST_CONNECTIONS
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most)
    )
    again = False

    def end(number: int, _frame: FrameType | None) -> None:
        nonlocal again
        again = number == signal.SIGHUP
        server.end()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    server.run()
    if again:
        meanwhile()
        os.dup2(listening.fileno(), _FIRST_FD)
        os.set_inheritable(_FIRST_FD, True)
        os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
        os.execv(sys.executable, [sys.executable, "-m", "tracking", *sys.argv[1:]])  # noqa: S606 - our own program
