"""Threads that answer requests, in rows of their own: telephone providers and short links pass pages by."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

from waitress.task import ThreadedTaskDispatcher

from tracking.access.throttle import Origin
from tracking.front import Networks, client
from tracking.page_process import OWN
from tracking.records.links import PATH as LINKS_PATH
from tracking.storage.config import COLLECTOR_PATH, PROVIDERS_PATH
from tracking.telephony.bell import Bell
from tracking.telephony.inbox import Inbox
from tracking.waiting import WaitingRoom, has_left

COLLECTOR_THREADS = 8
"""Threads for web pages that report visits; they wait for one clerk, who writes for all of them at once."""
QUICK_THREADS = 4
"""Threads for short links and for what asks how the service is: no report stands in their way."""
TELEPHONE_THREADS = 64
"""Threads for requests of telephone providers alone. Each waits at most half a second for a transaction; one
takes in 64, so that as many may wait and a storm does not queue before it."""
_AT_WORK = 16
"""Telephone requests that are worked on at once, besides those that wait for the database: all threads share
one interpreter, and the loop that hears everybody has to ask each of these for it."""


class _Turn:
    """A request and what is done before and after it is answered, as the threads of a lane take it."""

    def __init__(
        self, channel: Any, client: str, before: Callable[[], object], after: Callable[[], object]
    ) -> None:
        self.channel, self.client = channel, client
        self._before, self._after = before, after
        self.cancel = channel.cancel

    def service(self) -> None:
        self._before()
        try:
            self.channel.service()
        finally:
            self._after()


class _Unmade:
    """A page that nobody waits for any more."""

    close_on_finish = True

    def __init__(self, *_: object) -> None: ...

    def service(self) -> None: ...


class _Line:
    """Requests that wait for a thread, one of each client in turn: who sends many waits for himself.

    It counts as empty while as many are worked on as may be.
    """

    def __init__(self, most: float) -> None:
        self.free = most
        self._of: dict[str, deque[_Turn]] = {}

    def __bool__(self) -> bool:
        return bool(self._of) and self.free > 0

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def append(self, turn: _Turn) -> None:
        self._of.setdefault(turn.client, deque()).append(turn)

    def popleft(self) -> _Turn:
        self.free -= 1
        client = next(iter(self._of))
        theirs = self._of.pop(client)
        turn = theirs.popleft()
        if theirs:
            self._of[client] = theirs
        return turn


class _Lane(ThreadedTaskDispatcher):  # type: ignore[misc]  # untyped
    """A row of threads, of which so many at most work on a request at once."""

    def __init__(self, threads: int, most: float = inf) -> None:
        super().__init__()
        self.queue = _Line(most)
        self.set_thread_count(threads)

    def free(self, by: int = 1) -> None:
        """Let another request be worked on, or count one that is again."""
        with self.lock:
            self.queue.free += by
            self.queue_cv.notify()


class Lanes:
    """Rows of threads: requests of telephone providers and short links do not queue behind pages and reports.

    Who waits for the bell has no thread at all.
    """

    def __init__(
        self, threads: int, bell: Bell | None, inbox: Inbox | None = None, proxies: Networks = ()
    ) -> None:
        # That requests wait for a thread is no news, and each would write a line.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        # Unless it is told when one only waits, as many are worked on as wait.
        self._telephone = _Lane(TELEPHONE_THREADS, _AT_WORK if inbox else inf)
        if inbox is not None:
            inbox.aside = self._aside
        self._collector, self._quick, self._pages = map(_Lane, (COLLECTOR_THREADS, QUICK_THREADS, threads))
        self.waiting = WaitingRoom(bell, self._add_quick) if bell else None
        self._proxies = proxies

    def add_task(self, channel: Any) -> None:
        """Put a connection whose next request has come in line for a thread."""
        request = channel.requests[0]
        if self.waiting and self.waiting.takes(request):
            self.waiting.add(channel)
            return
        path = request.path or ""
        if path in OWN or path.startswith(f"{LINKS_PATH}/"):
            self._add_quick(channel)
        elif path.startswith(f"{COLLECTOR_PATH}/"):
            self._collector.add_task(self._turn(channel))
        elif is_call(request):
            self._telephone.add_task(self._turn(channel, after=self._telephone.free))
        else:
            self._pages.add_task(self._turn(channel, lambda: _unless_left(channel)))

    def _add_quick(self, channel: Any) -> None:
        self._quick.add_task(self._turn(channel))

    def _turn(
        self,
        channel: Any,
        before: Callable[[], object] = lambda: None,
        after: Callable[[], object] = lambda: None,
    ) -> _Turn:
        told = channel.requests[0].headers.get("X_FORWARDED_FOR", "")
        # Of IPv6 a client has a whole network.
        network = Origin(client(channel.addr[0], told, self._proxies)).network
        return _Turn(channel, network, before, after)

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """Wait in the middle of a telephone request, while another one is worked on."""
        self._telephone.free()
        try:
            yield
        finally:
            self._telephone.free(-1)

    def shutdown(self) -> None:
        """Have all threads end."""
        self._telephone.queue.free = inf
        for lane in (self._telephone, self._collector, self._quick, self._pages):
            lane.shutdown(timeout=1)


def _unless_left(channel: Any) -> None:
    if channel.requests[0].command == "GET" and has_left(channel):
        channel.task_class = _Unmade


def is_call(request: Any) -> bool:
    """Tell whether a request is a telephone provider's, by its address."""
    return bool((request.path or "").startswith(f"{PROVIDERS_PATH}/"))
