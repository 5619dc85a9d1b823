"""What every page shares: who may see it, how it reads and changes data, how it is protected."""

import gzip
import hashlib
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_babel import gettext
from flask_login import current_user
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy import Engine, Select, select
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session
from sqlalchemy.orm.interfaces import ORMOption
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_cookie
from werkzeug.wrappers import Response as AnyResponse

from reports import extras
from tracking import clock
from tracking.access import audit, jobs
from tracking.errors import Conflict, Invalid, NotFound, RateMissing, documents_missing
from tracking.language import formatting
from tracking.records import rates
from tracking.reporting import questions, roi
from tracking.reporting.questions import ReportQuery
from tracking.reporting.snapshots import Preparing, Snapshot
from tracking.storage import db
from tracking.storage.config import (
    COLLECTOR_BYTES,
    COLLECTOR_PATH,
    FORM_BYTES,
    PROVIDERS_PATH,
    Settings,
)
from tracking.storage.models import Account, Call, Deal, Job, User
from tracking.storage.vocabulary import Role
from tracking.telephony.bell import Bell
from tracking.web import credentials

_Result = TypeVar("_Result")
_Row = TypeVar("_Row", Account, Call, Deal)
_View = TypeVar("_View", bound=Callable[..., Any])

_STATIC = Path(__file__).parent / "static"
_LEAST_SQUEEZED = 2000
_RANDOM_BYTES = 100
_LONG = 16
"""Digits of the numbers from which on some are larger than any that a row has."""
_SENDS = "ringtrail-sends"
_SENDS_FOR_S = 12 * 3600

EVERYONE = frozenset(Role)
"""Everybody who has signed in."""
REPS = EVERYONE - {Role.viewer}
MARKETERS = frozenset({Role.marketer, Role.administrator})
ADMINISTRATORS = frozenset({Role.administrator})
PUBLIC: frozenset[Role] = frozenset()
"""The rule of an address that needs no sign-in."""

# Only files of our own, and nothing in a page may run: a script in a caller's name finds no way in.
# Pictures as data: are the style sheet's small signs and the QR code of the second factor.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class DiskFull(HTTPException):
    """What is sent would take the room on the disk that calls need."""

    code = 507
    description = "Insufficient Storage"


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
    """A blueprint whose pages say who may see them."""

    def page(
        self,
        rule: str,
        roles: frozenset[Role],
        *,
        methods: tuple[str, ...] = ("GET",),
        largest: Callable[[], int] | None = None,
        **defaults: str,
    ) -> Callable[[_View], _View]:
        """Declare an address and who may use it; the view's name is its endpoint, ``web.<name>``.

        ``largest`` returns the largest request it takes, in bytes, where files are given to it; ``defaults``
        are arguments of the view that this address does not name.
        """

        def declare(view: _View) -> _View:
            view.roles = roles  # type: ignore[attr-defined]  # functions take attributes; mypy knows none
            view.largest = largest  # type: ignore[attr-defined]  # as above
            self.add_url_rule(rule, view.__name__, view, methods=list(methods), defaults=defaults)
            return view

        return declare


bp = Pages("web", __name__, template_folder="templates", static_folder="static", static_url_path="/assets")
"""All pages; each module of pages adds its own."""
page = bp.page


@bp.before_request
def _admit() -> AnyResponse | None:
    if request.endpoint == "web.static":
        return None
    roles = getattr(current_app.view_functions.get(request.endpoint or ""), "roles", None)
    if roles == PUBLIC:
        return None
    if not current_user.is_authenticated:
        return to_sign_in()
    if roles is None or user().role not in roles:
        abort(403)
    return None


@bp.before_request
def _sound() -> None:
    """Refuse what no page of ours sends: further in it would break, where nobody can say what was wrong."""
    for name, value in [*request.args.items(multi=True), *request.form.items(multi=True)]:
        if "\0" in name + value:
            raise Invalid(name.replace("\0", "")[:40], "contains an invalid character; remove it")
    for name, value in request.args.items(multi=True):
        if len(value) >= _LONG and _is_huge(value):
            raise Invalid(name[:40], "%(told)s is too large", told=value[:40])
    for part in (request.view_args or {}).values():
        if _is_huge(str(part)) or "\0" in str(part):
            abort(404)


def _is_huge(text: str) -> bool:
    try:
        return abs(int(text)) >= 1 << 53
    except ValueError:
        return False


@bp.errorhandler(OverflowError)
@bp.errorhandler(DataError)
def _beyond(_error: Exception) -> tuple[str, int]:
    return _problem(Invalid("value", "a number, date or text is too large to store"))


@bp.errorhandler(NotFound)
@bp.errorhandler(Conflict)
@bp.errorhandler(Invalid)
def _problem(error: NotFound | Conflict | Invalid) -> tuple[str, int]:
    status = 404 if isinstance(error, NotFound) else status_of(error)
    return render_template("problem.html", status=status, reason=error), status


@bp.errorhandler(RateMissing)
def _rate_missing(_error: RateMissing) -> tuple[str, int]:
    with reading() as session:
        lacking = rates.lacking(session, settings().currency, settings().zone)
    return render_template("decide/no_rate.html", lacking=lacking), 409


@bp.errorhandler(extras.DocumentsMissing)
def _documents_missing(_error: extras.DocumentsMissing) -> tuple[str, int]:
    reason = documents_missing(extras.COMMAND)
    asked = request.query_string.decode()
    instead = f"{url_for('web.report')}?{asked}" if request.endpoint == "web.report_file" else None
    return render_template("problem.html", status=501, reason=reason, instead=instead), 501


@bp.errorhandler(Preparing)
def _preparing(_error: Preparing) -> str:
    return render_template("decide/preparing.html")


def settings() -> Settings:
    """Return the settings of this installation."""
    found: Settings = current_app.extensions["ringtrail"]["settings"]
    return found


def engine() -> Engine:
    """Return the database of this installation."""
    found: Engine = current_app.extensions["ringtrail"]["engine"]
    return found


def back_words(back: float) -> str:
    """Return what each 1 brought back as an amount of the installation's currency."""
    return formatting.per_unit(back, settings().currency)


def bell() -> Bell:
    """Return what tells the browsers of this process which calls ring."""
    found: Bell = current_app.extensions["ringtrail"]["bell"]
    return found


def today() -> date:
    """Return the local day."""
    return clock.now().astimezone(settings().zone).date()


def reading() -> AbstractContextManager[Session]:
    """Open a session that only reads, from one snapshot."""
    return db.reading(engine())


def change(work: Callable[[Work], _Result]) -> _Result:
    """Do ``work`` in one transaction and put it on record; twice if another wrote the same key first."""

    def transaction(session: Session) -> _Result:
        # The user was loaded in a session that is closed by now; only its plain columns are read.
        job = Work(session, clock.now(), user())
        result = work(job)
        assert job.noted, "a change leaves a trail: call note()"
        return result

    return db.commit(engine(), transaction)


def submitted(work: Callable[[Work], _Result]) -> tuple[_Result | None, Invalid | Conflict | None]:
    """Do ``work`` if the form of this page was sent; return what came of it, or what is wrong with it."""
    if request.method != "POST":
        return None, None
    try:
        return change(work), None
    except (Invalid, Conflict) as error:
        return None, error


def status_of(problem: Exception | None) -> int:
    """Return the status of a page that shows what is wrong, if anything is."""
    return 200 if problem is None else 409 if isinstance(problem, Conflict) else 422


def skipped() -> int:
    """Return how many rows of a long list the address passes over."""
    return max(request.args.get("skip", 0, type=int), 0)


def report_query(session: Session, *, compared: bool = False) -> ReportQuery:
    """Return what the address asks of a report; the model that decides leads."""
    asked = questions.read(session, settings(), today(), request.args, compared=compared)
    return questions.deciding_first(asked)


def current_snapshot(session: Session) -> Snapshot:
    """Return the tables that reports are made of; while they are being read, a page says so."""
    return roi.snapshot(session, settings(), at=clock.now())


def follow(page: str, job: Job) -> Response:
    """Answer with a page that follows a job; once it is over, who only asked how far it is gets all anew."""
    answer = make_response(page)
    if request.headers.get("HX-Request") and not jobs.is_open(job):
        answer.headers["HX-Refresh"] = "true"
    return answer


def came_from() -> str:
    """Return the page that a form was sent from, as path and query here; "" where none is told."""
    told = urlsplit(request.referrer or "")
    # Whatever host is told, it leads nowhere else.
    return urlunsplit(("", "", f"/{told.path.lstrip('/')}", told.query, "")) if told.path else ""


def sees_numbers() -> bool:
    """Tell whether who has signed in may have callers' numbers shown in full."""
    return user().role is not Role.viewer


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
    """Let whoever may use an address send as much as it declares; before anything reads the form."""
    view = current_app.view_functions.get(request.endpoint or "")
    largest = getattr(view, "largest", None)
    if largest is None or not current_user.is_authenticated or user().role not in getattr(view, "roles", ()):
        return
    if (request.content_length or 0) > max(settings().room(), settings().max_request_bytes):
        raise DiskFull
    request.max_content_length = largest()


def largest_of(app: Flask) -> Callable[[str, str, str], int]:
    """Return what tells the server how much to read of a request, by method, path and cookies.

    It is asked before a byte of the body is read, and for each request, so it looks into no database: a
    signed cookie, which a page gives to those who may send files, says so.
    """
    found: Settings = app.extensions["ringtrail"]["settings"]

    def most(method: str, path: str, cookies: str) -> int:
        if path.startswith(f"{PROVIDERS_PATH}/"):
            return found.max_request_bytes
        if path.startswith(f"{COLLECTOR_PATH}/"):
            return FORM_BYTES if path.endswith("/form") else COLLECTOR_BYTES
        try:
            endpoint, _ = app.url_map.bind("").match(path, method=method)
        except HTTPException:
            return found.max_request_bytes
        largest: Callable[[], int] | None = getattr(app.view_functions[endpoint], "largest", None)
        with app.app_context():
            if largest is None or not _may_send(parse_cookie(cookies).get(_SENDS, ""), _SENDS_FOR_S):
                return found.max_request_bytes
            # On its way it lies on the disk three times: as received, as part of a form, and as kept.
            return max(found.max_request_bytes, min(largest(), found.room() // 3))

    return most


def _may_send(cookie: str, age_s: int) -> bool:
    try:
        return bool(_sends().loads(cookie, max_age=age_s))
    except BadData:
        return False


def _sends() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="sends files")


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


def for_programs() -> bool:
    """Tell whether a request is to what belongs to programs: telephone providers and the API."""
    return request.path.startswith(current_app.extensions["ringtrail"]["programs"])


def protect(response: Response) -> Response:
    """Add the headers that keep foreign scripts, frames and caches away, on every reply, errors included."""
    is_page = request.blueprint == "web" and request.endpoint != "web.static"
    held = request.cookies.get(_SENDS, "")
    if is_page and may("web.import_list") and not _may_send(held, _SENDS_FOR_S // 2):
        response.set_cookie(
            _SENDS,
            _sends().dumps(True),
            _SENDS_FOR_S,
            secure=credentials.is_secure(),
            httponly=True,
            samesite="Lax",
        )
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint in ("web.static", "web.logo") and request.args.get("v"):
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
    if for_programs():
        return error.get_response()
    reasons = {
        403: gettext("You need a different role for this page. Ask an administrator."),
        404: gettext("Check the address. The page may have been deleted."),
        413: gettext("The file is larger than this server accepts."),
        507: gettext("The server's disk is nearly full, and calls need the rest. Free some space first."),
        500: gettext(
            "This page could not be loaded. Your saved data is safe. Details are in the server log."
        ),
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
