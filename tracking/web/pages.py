"""What every page shares: who may see it, how it reads and changes data, how it is protected."""

import gzip
import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import Engine, Select, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.interfaces import ORMOption
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from reports import extras
from tracking import clock
from tracking.access import audit
from tracking.errors import Conflict, Invalid, NotFound, documents_missing
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Account, Call, Deal, User
from tracking.storage.vocabulary import Role

_Result = TypeVar("_Result")
_Row = TypeVar("_Row", Account, Call, Deal)
_View = TypeVar("_View", bound=Callable[..., Any])

_STATIC = Path(__file__).parent / "static"
_LEAST_SQUEEZED = 2000
_RANDOM_BYTES = 100

EVERYONE = frozenset(Role)
"""Everybody who has signed in."""
REPS = EVERYONE - {Role.viewer}
MARKETERS = frozenset({Role.marketer, Role.administrator})
ADMINISTRATORS = frozenset({Role.administrator})
PUBLIC: frozenset[Role] = frozenset()
"""The rule of an address that needs no sign-in."""

# Only files of our own, and nothing in a page may run: a script in a caller's name finds no way in.
# Pictures as data: are Pico's icons and the QR code of the second factor.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass
class Work:
    """One change in the making: a transaction, the moment, who does it, and what is put on record."""

    session: Session
    at: datetime
    user: User
    noted: bool = field(default=False, init=False)

    def note(self, action: str, subject: str = "") -> None:
        """Put on record what is done, as noun and verb, and to which record; never a caller's number."""
        audit.note(self.session, self.user.email, action, subject, at=self.at)
        self.noted = True


class Pages(Blueprint):
    """The pages of one installation."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        super().__init__(
            "web", __name__, template_folder="templates", static_folder="static", static_url_path="/assets"
        )
        self.settings = settings
        self.engine = engine
        self.before_request(self._admit)
        self.register_error_handler(NotFound, lambda error: self._problem(error, 404))
        self.register_error_handler(Conflict, lambda error: self._problem(error, 409))
        self.register_error_handler(Invalid, lambda error: self._problem(error, 422))
        self.register_error_handler(
            extras.DocumentsMissing, lambda _: self._problem(documents_missing(extras.COMMAND), 501)
        )

    def page(
        self,
        rule: str,
        roles: frozenset[Role],
        *,
        methods: tuple[str, ...] = ("GET",),
        largest: int | None = None,
    ) -> Callable[[_View], _View]:
        """Declare an address and who may use it; the view's name is its endpoint, ``web.<name>``.

        ``largest`` is the largest request it takes, in bytes, where files are given to it.
        """

        def declare(view: _View) -> _View:
            view.roles = roles  # type: ignore[attr-defined]  # functions take attributes; mypy knows none
            view.largest = largest  # type: ignore[attr-defined]  # as above
            self.add_url_rule(rule, view.__name__, view, methods=list(methods))
            return view

        return declare

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that only reads, from one snapshot."""
        with db.reading(self.engine) as session:
            yield session

    def change(self, work: Callable[[Work], _Result]) -> _Result:
        """Do ``work`` in one transaction and put it on record; twice if another wrote the same key first."""

        def whole(session: Session) -> _Result:
            # The user was loaded in a session that is closed by now; only its plain columns are read.
            job = Work(session, clock.now(), user())
            result = work(job)
            assert job.noted, "a change leaves a trail: call note()"
            return result

        return db.commit(self.engine, whole)

    def today(self) -> date:
        """Return the local day."""
        return clock.now().astimezone(self.settings.zone).date()

    def _admit(self) -> AnyResponse | None:
        view = current_app.view_functions.get(request.endpoint or "")
        if request.endpoint == "web.static":
            return None
        roles = getattr(view, "roles", None)
        if roles == PUBLIC:
            return None
        if not current_user.is_authenticated:
            return to_sign_in()
        if roles is None or user().role not in roles:
            abort(403)
        return None

    @staticmethod
    def _problem(error: Exception, status: int) -> tuple[str, int]:
        return render_template("problem.html", status=status, reason=error), status


def some_of(
    session: Session, kind: type[_Row], wanted: Select[Any], skip: int, limit: int, *options: ORMOption
) -> list[_Row]:
    """Return some rows of a long list, in its order.

    Their ids are found first: of the rows that are passed over, nothing else is read.
    """
    ids = session.scalars(wanted.with_only_columns(kind.id).offset(skip).limit(limit)).all()
    rows = session.scalars(select(kind).where(kind.id.in_(ids)).options(*options)).unique()
    found = {row.id: row for row in rows}
    return [found[row_id] for row_id in ids]


def make_room() -> None:
    """Let an address take a request as large as it declares; before anything reads the form."""
    largest = getattr(current_app.view_functions.get(request.endpoint or ""), "largest", None)
    if largest is not None:
        request.max_content_length = largest


def user() -> User:
    """Return who has signed in; detached, so only its columns can be read."""
    found = current_user._get_current_object()
    assert isinstance(found, User)
    return found


def may(endpoint: str) -> bool:
    """Tell whether who has signed in may open an address; the menu shows nothing else."""
    roles: frozenset[Role] = getattr(current_app.view_functions.get(endpoint), "roles", PUBLIC)
    return bool(current_user.is_authenticated) and user().role in roles


def to_sign_in() -> AnyResponse:
    """Lead to the sign-in page and back; a part of a page that is fetched by itself leads the whole page."""
    if request.headers.get("HX-Request"):
        return Response(status=401, headers={"HX-Redirect": url_for("security.login")})
    back = request.full_path.rstrip("?") if request.method == "GET" else "/"
    return redirect(url_for("security.login", next=back))


def protect(response: Response) -> Response:
    """Add the headers that keep foreign scripts, frames and caches away from a page."""
    if request.path.startswith("/api/") or request.blueprint == "twilio":
        return response
    response.headers.update(_HEADERS)
    if request.endpoint == "web.static" and request.args.get("v"):
        # The address names the content, so it never changes.
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    elif request.endpoint != "web.static":
        response.headers["Cache-Control"] = "no-store"
    return response


def squeeze(response: Response) -> Response:
    """Send a page compressed to a browser that takes it so: many figures in a tenth of the bytes."""
    takes_it = request.accept_encodings.quality("gzip") > 0 and response.mimetype == "text/html"
    if not takes_it or response.is_streamed or len(response.get_data()) < _LEAST_SQUEEZED:
        return response
    room = BytesIO()
    # Of a page that holds both a secret and words from the address, the length would tell whether they
    # agree; so it is lengthened at random, in a field of the format that browsers pass over.
    with gzip.GzipFile("x" * secrets.randbelow(_RANDOM_BYTES), "wb", fileobj=room, mtime=0) as file:
        file.write(response.get_data())
    response.set_data(room.getvalue())
    response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    return response


def explain(error: HTTPException) -> AnyResponse | tuple[str, int]:
    """Answer with a page for people, and leave alone what belongs to programs."""
    if request.path.startswith("/webhooks/"):
        return error.get_response()
    reasons = {
        403: gettext("Your role does not allow this. An administrator can change it."),
        404: gettext("There is nothing at this address. It may have been mistyped or taken away."),
        413: gettext("That is larger than this service takes."),
        500: gettext("This page could not be made; the service's log says why. What was saved stays saved."),
    }
    status = error.code or 500
    reason = reasons.get(status) or error.description or error.name
    return render_template("problem.html", status=status, reason=reason), status


def asset(name: str) -> str:
    """Return the address of a static file; it names the content, so browsers keep it for ever."""
    return url_for("web.static", filename=name, v=_digest(name))


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:12]
