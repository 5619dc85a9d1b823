"""What stands before the application: whom a request comes from, and by which name it may call."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING

from tracking.storage.config import COLLECTOR_PATH, PROVIDERS_PATH, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PARTS = ("FOR", "PROTO", "HOST", "PORT", "PREFIX", "BY")
_FORWARDED = ("FORWARDED", "X_REAL_IP", *(f"X_FORWARDED_{part}" for part in _PARTS))


class NamedProxies:
    """Believes what named proxies say of the client, and takes the same from everybody else.

    The address is the last one of X-Forwarded-For that is no named proxy's: what stands further left was
    written by the client.
    """

    def __init__(self, app: "WSGIApplication", proxies: Sequence[IPv4Network | IPv6Network]) -> None:
        self._app = app
        self._proxies = proxies

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        """Answer a request."""
        told = {name: environ.pop(f"HTTP_{name}", "") for name in _FORWARDED}
        peer = str(environ.get("REMOTE_ADDR", ""))
        if self._trusts(peer):
            if told["X_FORWARDED_PROTO"] in ("http", "https"):
                environ["wsgi.url_scheme"] = told["X_FORWARDED_PROTO"]
            hops = [hop.strip() for hop in told["X_FORWARDED_FOR"].split(",")]
            while hops and self._trusts(peer) and _is_address(hops[-1]):
                peer = hops.pop()
            environ["REMOTE_ADDR"] = peer
        return self._app(environ, start_response)

    def _trusts(self, address: str) -> bool:
        return _is_address(address) and any(ip_address(address) in network for network in self._proxies)


class Switchboard:
    """Hands requests of telephone providers and of web pages to applications of their own, by whatever name.

    Nothing that pages need (sessions, languages, forms) is then in their way. Their signature says whose they
    are, and is checked over the configured address: a proxy that hands on another name must not silence the
    telephone. Web pages ask under a name of the supplier's own; their origin says whose they are.
    """

    def __init__(
        self,
        app: "WSGIApplication",
        telephone: "WSGIApplication",
        collector: "WSGIApplication",
        settings: Settings,
    ) -> None:
        self._app, self._telephone, self._collector = app, telephone, collector
        self._settings = settings

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        """Answer a request."""
        path = str(environ.get("PATH_INFO", ""))
        if path.startswith(f"{COLLECTOR_PATH}/"):
            return self._collector(environ, start_response)
        if path.startswith(f"{PROVIDERS_PATH}/"):
            environ["HTTP_HOST"] = self._settings.hosts[0]
            return self._telephone(environ, start_response)
        return self._app(environ, start_response)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
