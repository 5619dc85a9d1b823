"""Telephone providers: one file each, which turns their words into ours and answers in theirs.

A file in this package is a provider: its name is the provider's, :class:`Provider` says what it defines.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Protocol, cast

from tracking import clock
from tracking.errors import Invalid
from tracking.storage.config import PROVIDERS_PATH, ProviderSettings, Settings
from tracking.telephony.calls import CallEvent
from tracking.telephony.inbox import Inbox, Interpreter
from tracking.telephony.messages import MessageEvent
from tracking.telephony.routing import Routing

if TYPE_CHECKING:
    from flask import Blueprint, Flask

_MOST_FIELDS = 300
"""Fields of a form; providers send some forty."""
_log = logging.getLogger(__name__)
_refusals = logging.getLogger(f"{__name__}.refusals")


class Sparing(logging.Filter):
    """Lets a few messages a minute through, and says with the next one how many more there were."""

    MOST = 10
    WITHIN_S = 60.0

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._began, self._seen = now(), 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a message is to be written."""
        if self._now() - self._began >= self.WITHIN_S:
            unsaid, self._began, self._seen = self._seen - self.MOST, self._now(), 0
            if unsaid > 0:
                record.msg = f"{record.msg} ({unsaid} more like it since the last one)"
        self._seen += 1
        return self._seen <= self.MOST


_refusals.addFilter(Sparing())


class Forged(Exception):
    """A request that nothing proves to come from the provider; it gets 403 and is not read."""


class Provider(Protocol):
    """What the file of a provider defines.

    It may define ``ADDRESSES`` too: what is to be entered at the provider, by its own words, as paths;
    ``TITLE``, how it writes its own name; and ``CARRIES_CALLS``, false where it brings messages alone. A
    class of :class:`ProviderSettings` in it shows on the page of settings by itself.
    """

    def routes(self, pages: "Blueprint", settings: Settings, inbox: Inbox, routing: Routing) -> None:
        """Add the addresses that the provider calls.

        Each verifies and reads its request in one step, which raises Forged or Invalid, gives it to the
        inbox, and answers in the provider's language; ``routing`` says what is to ring. ``settings`` change
        while it serves, so each request asks them.
        """

    def interpret(self, body: str, received_at: datetime) -> CallEvent | MessageEvent:
        """Turn a kept request into a report about a call, or into a message."""

    def obstacle(self, settings: Settings) -> str:
        """Return what is missing before its requests can be verified; empty where nothing is."""


def settings_of(name: str) -> tuple[type[ProviderSettings], ...]:
    """Return what a provider is told from outside; found by lying in its file."""
    file = import_module(f"{__name__}.{name}")
    kinds = [
        kind for kind in vars(file).values() if isinstance(kind, type) and kind.__module__ == file.__name__
    ]
    return tuple(kind for kind in kinds if issubclass(kind, ProviderSettings))


def addresses_of(name: str) -> Mapping[str, str]:
    """Return what is to be entered at a provider, by the provider's words: paths of its addresses."""
    told: Mapping[str, str] = getattr(import_module(f"{__name__}.{name}"), "ADDRESSES", {})
    return {words: f"{PROVIDERS_PATH}/{name}{path}" for words, path in told.items()}


def title_of(name: str) -> str:
    """Return how a provider writes its own name."""
    return str(getattr(import_module(f"{__name__}.{name}"), "TITLE", name.capitalize()))


def names() -> tuple[str, ...]:
    """Return the names of the providers."""
    return tuple(sorted(module.name for module in iter_modules(__path__)))


def every() -> Mapping[str, Provider]:
    """Return the providers by name."""
    return {name: cast(Provider, import_module(f"{__name__}.{name}")) for name in names()}


def of_calls() -> Mapping[str, Provider]:
    """Return those that carry calls, by name."""
    return {name: one for name, one in every().items() if getattr(one, "CARRIES_CALLS", True)}


def interpreters() -> Mapping[str, Interpreter]:
    """Return how to read again what each provider sent."""
    return {name: provider.interpret for name, provider in every().items()}


def register(
    app: "Flask",
    settings: Settings,
    inbox: Inbox,
    routing: Routing,
    refused: dict[str, tuple[datetime, str]],
) -> None:
    """Add the addresses of each provider, below ``/providers/<name>``.

    In ``refused`` stands of each provider when a request was refused last, and why.
    """
    from flask import Blueprint, abort, request

    @app.before_request
    def refuse_many_fields() -> None:
        # Each is read and signed before the request can be told from an honest one.
        if (
            request.mimetype == "application/x-www-form-urlencoded"
            and request.get_data().count(b"&") >= _MOST_FIELDS
        ):
            abort(413)

    def forged(error: Exception) -> tuple[str, int]:
        # Anybody can send these, as fast as he likes; the disk of the log is the one that calls need.
        _refusals.warning("refused a request to %s: %s", request.path, error)
        refused[str(request.blueprint)] = clock.now(), str(error)
        return "forbidden: this request does not carry a valid signature\n", 403

    for name, provider in every().items():
        if obstacle := provider.obstacle(settings):
            _log.info("every request of %s is refused: %s", name, obstacle)
        pages = Blueprint(name, __name__, url_prefix=f"{PROVIDERS_PATH}/{name}")
        pages.register_error_handler(Forged, forged)
        pages.register_error_handler(Invalid, lambda error: (f"{error}\n", 400))
        provider.routes(pages, settings, inbox, routing)
        app.register_blueprint(pages)
