"""What the supplier's web pages ask for: page views reported, each visitor's number, and forms sent.

It stands apart from pages, API and telephone: no session, no form, no name of a host, threads of its own.
Whoever asks has to be a page of a site that is known. No address is kept: limits work on hashes in memory.
"""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

from tracking.collector import posts, replies
from tracking.collector.crowd import Crowd, is_bot
from tracking.collector.keeper import Keeper, View
from tracking.collector.known import KnownSites, Page
from tracking.collector.refused import Refused
from tracking.errors import Invalid
from tracking.records import sites, sources, web_forms
from tracking.storage import phone
from tracking.storage.config import COLLECTOR_BYTES, COLLECTOR_PATH, FORM_BYTES, Settings
from tracking.storage.models import Site

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SCRIPT = "2"
"""The version of the script; one that has gone out never changes, since pages name its hash."""
_STATIC = Path(__file__).parent / "static"
FORMS = "2"
"""The version of the script for forms."""
_ADDRESS = re.compile(
    COLLECTOR_PATH
    + r"/(?:(?P<version>[0-9]{1,4})/(?P<name>swap|forms)\.js"
    + r"|(?:(?P<site>[0-9a-f]{12})/)?(?P<what>view|form))"
)
_LONGEST = 4000


@dataclass(frozen=True, slots=True)
class _Report:
    """What a page says of a view."""

    page: str
    referrer: str
    token: str | None
    agreed: bool
    found: int
    again: bool
    automated: bool
    quiet: bool


class Collector:
    """The application that answers web pages."""

    def __init__(self, engine: Engine, settings: Settings, now: Callable[[], datetime]) -> None:
        self._now, self._settings = now, settings
        self._known = KnownSites(engine, settings)
        self._crowd = Crowd()
        self.keeper = Keeper(engine, settings)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        """Answer a request."""
        request = Request(environ)
        request.max_content_length = FORM_BYTES if request.path.endswith("/form") else COLLECTOR_BYTES
        with request:
            return self._answer(request)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        found = _ADDRESS.fullmatch(request.path)
        if found is None:
            return _plain(404, "no such address")
        if found["version"]:
            return _script(found["name"], found["version"], request)
        origin = request.headers.get("Origin", "")
        is_form = found["what"] == "form"
        if found["site"]:
            site = self._known.by_key(found["site"])
        elif is_form:
            site = self._known.by_origin(origin)
        else:
            return _plain(404, "no such address")
        if site is None:
            return _plain(404 if found["site"] else 403, "no such website")
        try:
            answer = self._form(request, site, origin) if is_form else self._view(request, site, origin)
        except Refused as refused:
            self.keeper.note(site.id, self._now(), "refused")
            answer = _plain(refused.status, str(refused))
            if is_form and replies.is_browsing(request):
                answer = replies.sorry(self._settings, request, refused.status, str(refused))
        if origin in site.origins:
            answer.headers["Access-Control-Allow-Origin"] = origin
        answer.headers["Vary"] = "Origin"
        return answer

    def _view(self, request: Request, site: Page, origin: str) -> Response:
        if request.method != "POST":
            return _plain(405, "post a page view")
        if origin not in site.origins:
            raise Refused(403, "this website may not report from here; add its address to the website")
        told = _read(request)
        at = self._now()
        address = request.remote_addr or ""
        if told.automated or is_bot(request.headers.get("User-Agent", "")):
            self.keeper.note(site.id, at, "bots")
            return _json({"n": None, "k": "own", "v": None})
        if not self._crowd.may_view(address, told.token):
            raise Refused(429, "too many page views; slow down")
        if told.token is not None and not sites.is_ours(site.key, told.token):
            raise Refused(400, "v: this token is none of ours")
        if sites.origin(told.page) != origin:
            raise Refused(400, "p: this page is not of the website that reports it")
        try:
            sources.trace(told.page, told.referrer)
        except Invalid as error:
            raise Refused(400, str(error)) from error
        asks = request.headers.get("Sec-GPC") == "1" or request.headers.get("DNT") == "1"
        quiet = told.quiet or asks
        token = told.token
        identified = not quiet and (told.agreed or not site.consent)
        if identified and token is None:
            if not self._crowd.may_be_new(address):
                # One address is not a thousand visitors: none of them costs a number or a row.
                self.keeper.note(site.id, at, "refused")
                return _json({"n": None, "k": "own", "v": None})
            token = sites.new_token(site.key)
        shares = (
            not identified
            or token is None
            or not told.found
            or self._crowd.may_hold(address, token, site.key, pool=site.pool, minutes=site.hold_minutes)
        )
        if not shares:
            self.keeper.note(site.id, at, "capped")
        answer = self.keeper.take(
            View(
                site_id=site.id,
                at=at,
                page=told.page,
                referrer=told.referrer,
                token=token if identified else None,
                found=told.found,
                again=told.again,
                fresh=told.token is None,
                shares=shares,
            )
        )
        number = None
        if answer.number is not None:
            shown = phone.show(answer.number)
            number = {"e": answer.number, "i": shown.international, "t": shown.national}
        known = token if identified and answer.kept else None
        said = {"n": number, "k": answer.kind, "v": known}
        return _json(said if answer.kept else said | {"l": 1})

    def _form(self, request: Request, site: Page, origin: str) -> Response:
        if origin not in site.origins:
            raise Refused(403, "this website may not send forms from here; add its address to the website")
        if request.method == "OPTIONS":
            allowed = {"Methods": "POST", "Headers": "content-type", "Max-Age": "86400"}
            return Response(status=204, headers={f"Access-Control-Allow-{k}": v for k, v in allowed.items()})
        if request.method != "POST":
            return _plain(405, "post a form")
        at = self._now()
        taken, alone = self._crowd.may_send(request.remote_addr or "")
        if not taken:
            raise Refused(429, "too many forms from one address; wait an hour")
        sent = posts.read(request, site, origin, at.date().isoformat())
        asks = request.headers.get("Sec-GPC") == "1" or request.headers.get("DNT") == "1"
        signs = [*sent.signs, *([] if alone else [web_forms.RATE])]
        if is_bot(request.headers.get("User-Agent", "")):
            signs.append(web_forms.PROGRAM)
        post = web_forms.Post(
            site_id=site.id,
            post_key=sent.key,
            at=at,
            page=sent.page,
            told=sent.told,
            others=sent.others,
            came=sent.came,
            token=None if asks else sent.token,
            signs=signs,
        )
        # Whether it is spam is not said: who sends some would learn from it.
        if not self.keeper.take(post).kept:
            raise Refused(503, "the form could not be kept; send it again in a while")
        if replies.is_browsing(request):
            return replies.thanks(self._settings, request, sent.after)
        return _json({"ok": True})


def _read(request: Request) -> _Report:
    try:
        body = request.get_data(cache=False)
        told = json.loads(body)
    except RequestEntityTooLarge as error:
        raise Refused(413, f"larger than {COLLECTOR_BYTES} bytes") from error
    except ClientDisconnected as error:
        raise Refused(400, "the body was cut off") from error
    except (ValueError, RecursionError) as error:
        raise Refused(400, "the body is not JSON") from error
    if not isinstance(told, dict):
        raise Refused(400, "the body is not an object")

    def text(name: str) -> str:
        value = told.get(name)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > _LONGEST or not _is_text(value):
            raise Refused(400, f"{name}: write a text of at most {_LONGEST} characters")
        return value

    def whole(name: str) -> int:
        value = told.get(name, 0)
        if not isinstance(value, int) or not 0 <= value <= 10_000:
            raise Refused(400, f"{name}: write a whole number from 0 to 10000")
        return int(value)

    page = text("p")
    if not page:
        raise Refused(400, "p: name the page")
    try:
        sites.origin(page)
    except Invalid as error:
        raise Refused(400, "p: write the address of the page") from error
    return _Report(
        page=page,
        referrer=text("r"),
        token=text("v") or None,
        agreed=bool(whole("c")),
        found=whole("f"),
        again=bool(whole("a")),
        automated=bool(whole("w")),
        quiet=bool(whole("q")),
    )


def _is_text(value: str) -> bool:
    """Tell whether databases take it: JSON can name halves of characters, which nothing can write."""
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


def _json(value: dict[str, Any]) -> Response:
    return Response(
        json.dumps(value),
        content_type="application/json",
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
    )


def _plain(status: int, text: str) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(f"{text}\n", status, headers=headers, content_type="text/plain; charset=utf-8")


@cache
def script(name: str = "swap", version: str = SCRIPT) -> bytes | None:
    """Return the script of a version; None where there never was such a one."""
    try:
        return (_STATIC / f"{name}-{version}.js").read_bytes()
    except OSError:
        return None


def snippet(site: Site, base_url: str) -> str:
    """Return what is pasted into the pages of a site."""
    shown = phone.show(site.number)
    told = f'data-site="{site.key}" data-number="{shown.international}" data-national="{shown.national}"'
    return _tag("swap", SCRIPT, base_url, told)


def form_snippet(site: Site, base_url: str) -> str:
    """Return what is pasted into the pages of a site that have forms, besides the other snippet."""
    return _tag("forms", FORMS, base_url, f'data-site="{site.key}"')


def _tag(name: str, version: str, base_url: str, told: str) -> str:
    digest = base64.b64encode(hashlib.sha384(script(name, version) or b"").digest()).decode()
    return (
        f'<script src="{base_url}{COLLECTOR_PATH}/{version}/{name}.js" integrity="sha384-{digest}" '
        f'crossorigin="anonymous" defer\n  {told}></script>'
    )


@cache
def _squeezed(name: str, version: str) -> bytes:
    return gzip.compress(script(name, version) or b"", mtime=0)


def _script(name: str, version: str, request: Request) -> Response:
    body = script(name, version)
    if body is None:
        return _plain(404, "no such version of the script")
    answer = Response(body, content_type="text/javascript; charset=utf-8")
    if request.accept_encodings.quality("gzip") > 0:
        answer.set_data(_squeezed(name, version))
        answer.headers["Content-Encoding"] = "gzip"
    answer.headers |= {
        "Cache-Control": "public, max-age=31536000, immutable",
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Encoding",
    }
    return answer
