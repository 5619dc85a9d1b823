"""The server: waitress, which reads a request whole before a thread takes it, with what a telephone asks for.

Requests of telephone providers have threads of their own. Whoever sends slowly, keeps connections open or
sends what nobody asked for costs no thread and little memory, and makes room for others when there are many.
"""

import copy
import re
import resource
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.buffers import TempfileBasedBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.utilities import BadRequest

from tracking.front import Networks
from tracking.handover import Post
from tracking.lanes import Lanes, is_call
from tracking.storage.vault import Draft
from tracking.telephony.bell import Bell
from tracking.telephony.inbox import Inbox

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_MOST_CONNECTIONS = 1000
"""Connections at once; past it the one that has been silent longest makes room."""
_MOST_OF_ONE = 200
"""Connections at once of one address; as many as an office behind one line opens."""
_IDLE_S = 75
_MOST_AHEAD = 8
"""Requests that a connection may send before the first is answered; browsers send one."""
_PIECE = 512
"""Bytes that are looked at at once for requests sent ahead."""
_STALLS_S = 60.0
"""How long somebody may take nothing of an answer."""
_HEAD_S = 20.0
"""Within this a request's head has to be there."""
_LONGEST_HEAD = 32_768
"""Bytes of a head, as nginx takes it too: all connections wait while one is looked through."""
_ACCEPTED = 50
"""Connections that are taken at one turn of the loop: a turn costs time for each that is open."""
_GRACE_S = 30.0
_SLOWEST = 10_000
"""Bytes of a body a second, on average, after a time of grace."""
_SWITCHES_EVERY_S = 0.0005
"""How long a thread keeps the interpreter from others; a telephone request asks for it some ten times."""
_DRAIN_S = 5.0
"""How long requests that are being served may take when the service ends."""
_LINGER_S = 0.5
"""How long a connection without a request is kept when the service ends."""

_CODING = re.compile(rb"^transfer-encoding:[ \t]*(.*?)[ \t]*\r$", re.IGNORECASE | re.MULTILINE)
_FOLDED = re.compile(rb"\r\n[ \t]")
"""A line that goes on on the next one: a proxy may read a field of its own there."""

Largest = Callable[[str, str, str], int]
"""How many bytes of a body to read, given method, path and cookies: decided before the first of them."""


class _Request(HTTPRequestParser):  # type: ignore[misc]  # untyped
    """A request whose body is read as far as whoever sends it may send one."""

    # A head that cannot be read is answered too, and has none of these.
    path, command, query = "", "", ""
    completed = False
    largest: Largest
    ends = False
    """Whether the service ends, so that each connection does after its answer."""

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.adj: Any = adj
        self.began = time.monotonic()

    def received(self, data: bytes) -> int:
        """Take what came; who has sent all is not told to go on, and a line within a body has an end too."""
        consumed: int = super().received(data)
        if self.completed:
            self.expect_continue = False
        elif self.chunked and len(self.body_rcv.control_line) + len(self.body_rcv.trailer) > _LONGEST_HEAD:
            self.error, self.completed = BadRequest("a line of the body has no end"), True
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError:
            # Such as a host with half a bracket, or a length of thousands of digits.
            raise ParsingError("the head cannot be read") from None
        # What a proxy may take to end elsewhere than here would be read as somebody else's next request.
        told = [coding.lower() for coding in _CODING.findall(header_plus)]
        clear = not told or (told == [b"chunked"] and self.chunked and "CONTENT_LENGTH" not in self.headers)
        if self.version not in ("1.0", "1.1") or _FOLDED.search(header_plus) or not clear:
            raise ParsingError("where the request ends is not clear")
        if type(self).ends:
            self.connection_close, self.headers["CONNECTION"] = True, "close"
        if self.content_length or self.chunked:
            most = type(self).largest(self.command, self.path, self.headers.get("COOKIE", ""))
            self.adj = copy.copy(self.adj)
            self.adj.max_request_body_size = most + 1

    def is_late(self) -> bool:
        """Tell whether it takes longer than anybody honest would."""
        took = time.monotonic() - self.began
        most: float = _GRACE_S + self.body_bytes_received / _SLOWEST if self.headers_finished else _HEAD_S
        return took > most


class _Channel(HTTPChannel):  # type: ignore[misc]  # untyped
    """A connection, which may send a few requests ahead; after those it is closed."""

    def received(self, data: bytes) -> bool:
        """Take what came."""
        whole = self.request is not None and self.request.headers_finished
        size = len(data) if whole else _PIECE
        for start in range(0, len(data), size):
            super().received(data[start : start + size])
            with self.requests_lock:
                if len(self.requests) >= _MOST_AHEAD:
                    last = self.requests[-1]
                    last.connection_close, last.headers["CONNECTION"] = True, "close"
                    break
        return bool(data)


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
        inbox: Inbox | None = None,
        proxies: Networks = (),
    ) -> None:
        # What does not fit into memory, of requests and of answers, holds callers' numbers.
        TempfileBasedBuffer.newfile = lambda _buffer: Draft(drafts)
        adjustments = Adjustments(
            threads=threads,
            channel_timeout=_IDLE_S,
            cleanup_interval=5,
            connection_limit=1 << 30,
            max_request_header_size=_LONGEST_HEAD,
            backlog=1024,
            ident="",
            clear_untrusted_proxy_headers=False,
            # Whoever breaks connections off would fill the log.
            log_socket_errors=False,
        )
        self._parser: type[_Request] = type("Request", (_Request,), {"largest": staticmethod(largest)})
        self.channel_class = type("Channel", (_Channel,), {"parser_class": self._parser})
        lanes = Lanes(threads, bell, inbox, proxies)
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
        """Take the connections that wait, and make room for each where there are many."""
        for _ in range(_ACCEPTED):
            before = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == before:
                return
            *others, new = self.active_channels.values()
            of_one = [channel for channel in others if channel.addr[0] == new.addr[0]]
            if len(of_one) >= _MOST_OF_ONE:
                _make_room(of_one)
            elif len(others) >= _MOST_CONNECTIONS:
                _make_room(others)

    def maintenance(self, now: float) -> None:
        """Close what is idle for long, and what sends or takes more slowly than anybody honest."""
        super().maintenance(now)
        for channel in list(self.active_channels.values()):
            if channel.request is not None and channel.request.is_late():
                channel.will_close = True
            elif channel.total_outbufs_len and now - channel.last_activity > _STALLS_S:
                # A thread may wait for room to write: it is told.
                channel.handle_close()


def _make_room(channels: "list[Any]") -> None:
    """Close one of some connections, told from the oldest to the newest.

    The one that has been silent longest, of those that have been looked at; where none is silent, the last
    one of whoever has most, and a telephone request that has come only where there is nothing else.
    """
    if silent := [channel for channel in channels[: -2 * _ACCEPTED] if not channel.requests]:
        min(silent, key=lambda channel: channel.last_activity).handle_close()
    else:
        most, _ = Counter(channel.addr[0] for channel in channels).most_common(1)[0]
        theirs = [channel for channel in channels if channel.addr[0] == most]
        spare = [c for c in theirs if not (c.requests and is_call(c.requests[0]))]
        (spare or theirs)[-1].handle_close()


def serve(server: Server, post: Post, meanwhile: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; on SIGHUP begin this program anew, while another one stands in for it.

    ``meanwhile`` ends what runs beside, before the program is begun anew.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * _MOST_CONNECTIONS
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most)
    )
    renewing, again, over = threading.Lock(), False, False

    def end(*_: object) -> None:
        nonlocal over
        over = True
        server.end()

    def renew() -> None:
        nonlocal again
        with renewing:
            again = post.call_stand_in()
        if again:
            server.end()

    def hang_up(*_: object) -> None:
        # Two at once are one: both want what is there by now.
        if not (renewing.locked() or again or post.stands_in):
            threading.Thread(target=renew, daemon=True).start()

    sys.setswitchinterval(_SWITCHES_EVERY_S)
    post.relieved = server.end
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGHUP, hang_up)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    post.serving()
    server.run()
    if again and not over:
        meanwhile()
        post.begin_anew()
