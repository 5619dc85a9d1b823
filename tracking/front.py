"""What stands before the application: whom a request comes from, and by which name it may call."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING

from tracking.storage.config import COLLECTOR_PATH, PROVIDERS_PATH, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Networks = Sequence[IPv4Network | IPv6Network]
_PARTS = ("FOR", "PROTO", "HOST", "PORT", "PREFIX", "BY")
_FORWARDED = ("FORWARDED", "X_REAL_IP", *(f"X_FORWARDED_{part}" for part in _PARTS))


def client(peer: str, forwarded_for: str, proxies: Networks) -> str:
    """Return the address that a request comes from.

    It is the last one of X-Forwarded-For that is no named proxy's: what stands further left was written by
    the client.
    """
    hops = [hop.strip() for hop in forwarded_for.split(",")]
    while hops and _is_among(peer, proxies) and _is_address(hops[-1]):
        peer = hops.pop()
    return peer


class NamedProxies:
    """Believes what named proxies say of the client, and takes the same from everybody else."""

    def __init__(self, app: "WSGIApplication", proxies: Networks) -> None:
        self._app = app
        self._proxies = proxies

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        """Answer a request."""
        told = {name: environ.pop(f"HTTP_{name}", "") for name in _FORWARDED}
        peer = str(environ.get("REMOTE_ADDR", ""))
        if _is_among(peer, self._proxies):
            if told["X_FORWARDED_PROTO"] in ("http", "https"):
                environ["wsgi.url_scheme"] = told["X_FORWARDED_PROTO"]
            environ["REMOTE_ADDR"] = client(peer, told["X_FORWARDED_FOR"], self._proxies)
        return self._app(environ, start_response)


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


def _is_among(address: str, networks: Networks) -> bool:
    return _is_address(address) and any(ip_address(address) in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
