"""What a monitor reads: how many requests came, how long they took, what waits and what is away."""

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import GC_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from tracking.storage import db
from tracking.storage.config import PROVIDERS_PATH, Settings
from tracking.telephony.inbox import Inbox

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
KIND = CONTENT_TYPE_LATEST


class Metrics:
    """The figures of one process; none names a person, a number or an address."""

    def __init__(self, settings: Settings, engine: Engine, inbox: Inbox) -> None:
        self._registry = CollectorRegistry()
        for beside in (PROCESS_COLLECTOR, GC_COLLECTOR, _State(settings, engine, inbox)):
            self._registry.register(beside)
        self._answers = Counter(
            "ringtrail_requests",
            "Requests answered, by who asks and by status.",
            ("asked_by", "status"),
            registry=self._registry,
        )
        self._waits = Histogram(
            "ringtrail_request_seconds",
            "Seconds from the request, read whole, to its answer.",
            ("asked_by",),
            buckets=_BOUNDS_S,
            registry=self._registry,
        )

    def watch(self, app: "WSGIApplication") -> "WSGIApplication":
        """Return the application with its answers counted."""

        def counted(environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
            who, began, status = _who(str(environ.get("PATH_INFO", ""))), time.perf_counter(), "500"

            def start(line: str, headers: list[tuple[str, str]], *more: object) -> object:
                nonlocal status
                status = line[:3]
                return start_response(line, headers, *more)  # type: ignore[arg-type]  # handed on as it came

            try:
                return app(environ, start)  # type: ignore[arg-type]  # as above
            finally:
                self._answers.labels(who, status).inc()
                self._waits.labels(who).observe(time.perf_counter() - began)

        return counted

    def page(self) -> bytes:
        """Return the figures as Prometheus reads them."""
        return generate_latest(self._registry)


def _who(path: str) -> str:
    if path.startswith(f"{PROVIDERS_PATH}/"):
        return "telephone"
    return "api" if path.startswith("/api/") else "page"


class _State(Collector):
    """What is looked up when somebody asks."""

    def __init__(self, settings: Settings, engine: Engine, inbox: Inbox) -> None:
        self._settings, self._engine, self._inbox = settings, engine, inbox

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: that would open the database."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Look at database, inbox, spool and disk."""
        waiting = GaugeMetricFamily(
            "ringtrail_events_waiting", "Events kept and not yet a call, by why.", labels=("why",)
        )
        spooled, unreadable = self._inbox.spooled()
        waiting.add_metric(["spooled"], spooled)
        waiting.add_metric(["unreadable"], unreadable)
        up, current = 1, 0
        try:
            at, wanted = db.revision(self._engine)
            current = int(at == wanted)
            backlog = self._inbox.backlog()
            waiting.add_metric(["failed"], backlog.failed)
            waiting.add_metric(["waits_for_its_call"], backlog.waiting)
        except SQLAlchemyError:
            up = 0
        yield waiting
        yield _gauge("ringtrail_database_up", "1 if the database answers.", up)
        yield _gauge("ringtrail_schema_current", "1 if the schema is this program's.", current)
        yield _gauge("ringtrail_free_bytes", "Bytes before imports stop.", self._settings.room())


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=value)
