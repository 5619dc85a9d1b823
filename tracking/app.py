"""The web application: opens the database and joins the parts that answer requests."""

import atexit
import ctypes
import gc
import hmac
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import IO, Any, cast

import pyarrow as pa
from flask import Flask, Request, Response, abort, request
from flask_openapi.openapi import OpenAPI
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import BadRequest, HTTPException, SecurityError

from tracking import api, clock, web
from tracking.collector import Collector
from tracking.front import NamedProxies, Switchboard
from tracking.metrics import KIND, Metrics
from tracking.page_process import PageProcess, Refusals
from tracking.shortlinks import ShortLinks
from tracking.storage import db, kept
from tracking.storage.config import Settings
from tracking.storage.vault import Draft
from tracking.telephony import providers
from tracking.telephony.bell import Bell
from tracking.telephony.inbox import Inbox
from tracking.telephony.routing import Routing
from tracking.web import reachable
from tracking.web.pages import explain
from tracking.web.signin import is_readable

_IN_MEMORY = 500_000
_GIVES_BACK_EVERY_S = 30.0
_log = logging.getLogger(__name__)


class _Request(Request):
    """A request by one of our names, whose files lie on the disk in cipher while they are read."""

    settings: Settings

    @property
    def trusted_hosts(self) -> list[str]:  # type: ignore[override]  # as they are now, not as they were at the start
        """Return the names by which this service may be called."""
        return self.settings.hosts

    @property
    def referrer(self) -> str | None:  # type: ignore[override]  # asked less often than a page is
        """Return the page before this one, where it is told and is an address."""
        told: str | None = super().referrer
        return told if is_readable(told or "") else None

    def _load_form_data(self) -> None:
        super()._load_form_data()
        if None in self.form or None in self.files:
            raise BadRequest  # a field without a name is no field of a form

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        small = total_content_length is not None and total_content_length <= _IN_MEMORY
        return BytesIO() if small else cast(IO[bytes], Draft(self.settings.data_dir))


def create_app(
    settings: Settings,
    engine: Engine | None = None,
    *,
    is_away: bool = False,
    pages: PageProcess | None = None,
) -> Flask:
    """Return the application of one installation; it starts, and answers calls, without its database too.

    Whoever gives the ``engine`` closes it. One that is known to lead nowhere (``is_away``) is not asked.
    Where there is a process for ``pages``, it answers them.
    """
    app = OpenAPI("tracking", doc_ui=False)
    telephone = Flask("telephone", static_folder=None)
    # An address with two slashes is none of ours; to lead on to the other one, the request would say where.
    app.url_map.merge_slashes = telephone.url_map.merge_slashes = False
    for one in (app, telephone):
        one.request_class = type("Request", (_Request,), {"settings": settings})
        one.config["MAX_CONTENT_LENGTH"] = settings.max_request_bytes
    engine = engine or db.connect(settings)
    followed = ShortLinks(pages.before(app.wsgi_app) if pages else app.wsgi_app, engine, settings, clock.now)
    collector = Collector(engine, settings, clock.now)
    switchboard = Switchboard(followed, telephone.wsgi_app, collector, settings)
    routing = Routing(settings)
    bell = Bell(engine, clock.now)
    inbox = Inbox(engine, settings, routing, providers.interpreters(), clock.now, bell.nudge)
    metrics = Metrics(settings, engine, inbox)
    watched = metrics.watch(NamedProxies(switchboard, settings.trusted_proxies))
    app.wsgi_app = watched  # type: ignore[method-assign,assignment]  # as Flask does it
    refused: Refusals = pages.refused if pages else {}
    app.extensions["ringtrail"] = {
        "settings": settings,
        "engine": engine,
        "inbox": inbox,
        "telephone": telephone,
        "bell": bell,
        "links": followed,
        "collector": collector,
        "refused": refused,
    }
    kept.recall(settings)
    taken = settings.kept

    def refresh() -> None:
        nonlocal taken
        with db.reading(engine) as session:
            kept.refresh(session, settings)
            routing.refresh(session)
            followed.refresh(session)
        if settings.kept != taken:
            # What was refused by the settings before is no news.
            taken = settings.kept
            refused.clear()

    def follow() -> None:
        bell.nudge()
        with suppress(SQLAlchemyError):
            refresh()

    if pages:
        pages.changed = follow
    try:
        if not is_away:
            refresh()
    except SQLAlchemyError as error:
        _log.error("the database is away (%s); calls ring by the last known routing", type(error).__name__)
    # Beside the first calls, however much lies there: none of them waits for it.
    inbox.start()
    collector.keeper.start()
    providers.register(telephone, settings, inbox, routing, refused)
    api.register(app, engine, settings)
    web.register(app, engine, settings)

    @app.errorhandler(SecurityError)
    def refuse_host(_error: SecurityError) -> Any:
        # Not a page: it would need addresses, and this request came by none of ours.
        words = (
            "this service does not go by that name; open it on its own machine as http://127.0.0.1 and set "
            "the public address under Settings, or set RINGTRAIL_BASE_URL or RINGTRAIL_TRUSTED_HOSTS"
        )
        return f"{words}\n", 400, {"Content-Type": "text/plain; charset=utf-8"}

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> Any:
        return api.refusal(error) or explain(error)

    @app.get("/livez")
    def livez() -> dict[str, Any]:
        return {"status": "ok"}

    @app.get(reachable.PATH)
    def is_reachable() -> Response:
        # Proves that this installation answers, to whoever knows its key.
        nonce = request.args.get("nonce", "")[: reachable.LONGEST]
        return Response(reachable.proof(nonce), content_type="text/plain")

    @app.get("/readyz")
    def readyz() -> tuple[dict[str, Any], int]:
        try:
            at, wanted = db.revision(engine)
            backlog = inbox.backlog()
            # Health checks come also on days without a call, and keep the copy on the disk fresh.
            refresh()
        except SQLAlchemyError:
            return {"status": "the database is away; calls ring by the last known routing"}, 503
        if at != wanted:
            return {"status": "the schema is not this program's; run `ringtrail db upgrade`"}, 503
        return {"status": "ok", "inbox": backlog}, 200

    @app.get("/metrics")
    def show_metrics() -> Response:
        token = settings.metrics_token.get_secret_value()
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not token or not hmac.compare_digest(token.encode(), shown.encode()):
            abort(404)
        return Response(metrics.page(), content_type=KIND)

    @app.after_request
    @telephone.after_request
    def insist(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Cache-Control", "no-store")
        if settings.base_url.startswith("https:"):
            response.headers["Strict-Transport-Security"] = "max-age=63072000"
        return response

    return app


def close(app: Flask) -> None:
    """Write what an application holds in memory, as far as the database takes it."""
    held = app.extensions["ringtrail"]
    held["inbox"].close()
    held["links"].close()
    held["collector"].keeper.close()


def settle() -> None:
    """Take what is loaded for permanent, in a process that serves one application until it ends.

    Arrow's own allocator would keep what each report gives back: a service that had answered 4,200 calls
    beside reports held 540 MB, and 360 with that of the system, at the same speed. That one keeps free what
    lies between pieces in use, more with each report, until it is asked to give it back.

    A full collection of garbage would walk all of it, some 300,000 objects, amid somebody's request.
    Collections of young objects, as often as Python's own default has them, catch what lives for one
    request, so full ones may come ten times as seldom.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    with suppress(AttributeError, OSError):  # of glibc alone
        threading.Thread(target=_give_back, args=(ctypes.CDLL(None).malloc_trim,), daemon=True).start()
    gc.collect()
    gc.freeze()
    # Else what DuckDB has loaded is reported as lost when the program ends.
    atexit.register(gc.unfreeze)
    gc.set_threshold(700, 10, 100)


def _give_back(trim: Callable[[int], object]) -> None:
    while True:
        time.sleep(_GIVES_BACK_EVERY_S)
        trim(0)
