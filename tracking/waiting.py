"""Browsers that wait for the bell: held by the server's loop without a thread, answered from memory."""

import socket
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from waitress.task import Task

from tracking.telephony import bell
from tracking.telephony.bell import Bell, News

_HOLDS_S = 25.0
"""Proxies give up a request that is not answered for longer: after a minute, most of them."""
_MOST_HELD = 500
_MOST_OF_ONE = 120
"""Of one address, such as a proxy's; it may have more connections than that, and others need some."""
_LOOKS_EVERY_S = 1.0


class _Told(Task):  # type: ignore[misc]  # untyped
    """An answer that is written at once, without the application."""

    complete = True

    def __init__(self, channel: Any, request: Any, news: News | None) -> None:
        super().__init__(channel, request)
        self._news = news

    def execute(self) -> None:
        head = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
        body = b""
        if self._news is None:
            self.status = "204 No Content"
        else:
            head += [("Content-Type", "application/json"), ("ETag", f'"{self._news.mark}"')]
            body = self._news.body
        self.response_headers.extend(head)
        self.content_length = len(body)
        self.write(body)


class _Held:
    """One request that waits."""

    def __init__(self, channel: Any, cookies: str, calls: tuple[int, ...], mark: str, until: float) -> None:
        self.channel, self.cookies, self.calls, self.mark = channel, cookies, calls, mark
        self.until = until


class WaitingRoom:
    """Requests for the bell that have come, and those that wait for it to ring."""

    def __init__(self, bell: Bell, otherwise: Callable[[Any], None]) -> None:
        self._bell = bell
        self._otherwise = otherwise
        self._come: deque[Any] = deque()
        self._held: list[_Held] = []
        self._changes = -1
        self._looked = 0.0

    @staticmethod
    def takes(request: Any) -> bool:
        """Tell whether a request is for the bell."""
        return request.path == bell.PATH and request.command == "GET" and not request.error

    def add(self, channel: Any) -> None:
        """Take a request in; it is looked at in the next turn of the loop."""
        self._come.append(channel)

    def turn(self, *, ends: bool = False) -> None:
        """Answer whoever is to be told something, or has waited long enough; all where the service ends."""
        now = time.monotonic()
        come = [self._come.popleft() for _ in range(len(self._come))]
        for channel in come:
            self._take(channel, now)
        if not ends and self._bell.changes == self._changes and now - self._looked < _LOOKS_EVERY_S:
            return
        self._changes, self._looked = self._bell.changes, now
        waiting, self._held = self._held, []
        for held in waiting:
            news = self._bell.heard(held.cookies, held.calls)
            if has_left(held.channel):
                held.channel.handle_close()
            elif news is None:
                self._otherwise(held.channel)
            elif news.mark != held.mark:
                _tell(held.channel, news)
            elif ends or now >= held.until:
                _tell(held.channel, None)
            else:
                self._held.append(held)

    def _take(self, channel: Any, now: float) -> None:
        request = channel.requests[0]
        asked = parse_qs(request.query)
        cookies = request.headers.get("COOKIE", "")
        calls = bell.calls_of(next(iter(asked.get("calls", ())), ""))
        mark = next(iter(asked.get("mark", ())), "")
        news = self._bell.heard(cookies, calls)
        if news is None:
            self._otherwise(channel)
        elif news.mark != mark:
            _tell(channel, news)
        elif self._is_full(channel):
            # It asks again in a second.
            _tell(channel, None)
        else:
            self._held.append(_Held(channel, cookies, calls, mark, now + _HOLDS_S))

    def _is_full(self, channel: Any) -> bool:
        here = Counter(held.channel.addr[0] for held in self._held)
        return len(self._held) >= _MOST_HELD or here[channel.addr[0]] >= _MOST_OF_ONE


def _tell(channel: Any, news: News | None) -> None:
    channel.task_class = lambda channel, request: _Told(channel, request, news)
    try:
        channel.service()
    finally:
        del channel.task_class


def has_left(channel: Any) -> bool:
    """Tell whether the other side has closed its connection; nothing is read from one that waits."""
    line = channel.socket
    try:
        return line is None or not line.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except (BlockingIOError, InterruptedError):
        return False
    except OSError:
        return True
