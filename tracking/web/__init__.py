"""The pages: the latest calls and the ROI of each campaign, side by side under several models."""

import ipaddress
from datetime import date
from urllib.parse import urlsplit

from flask import Blueprint, Response, redirect, render_template, request, url_for
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import joinedload, selectinload
from werkzeug.wrappers import Response as AnyResponse

from tracking import clock, contacts, db, money, phone, reporting, tokens
from tracking.config import Settings
from tracking.errors import Invalid
from tracking.models import Call, Contact, NumberAssignment
from tracking.tokens import Scope
from tracking.vocabulary import Outcome

SHOWN_MODELS = ("first-touch", "last-touch", "linear")
_LATEST = 50
# Nothing but our own style sheet: a script in a caller's name finds no way to run.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def is_loopback(url: str) -> bool:
    """Tell whether an address leads to the machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def blueprint(settings: Settings, engine: Engine) -> Blueprint:
    """Return the pages of an installation.

    On a trial on one's own machine they are open. Anywhere else the browser asks for a password, which is
    a token with the scope ``read``; people, roles and sign-in are yet to come.
    """
    pages = Blueprint(
        "web", __name__, template_folder="templates", static_folder="static", static_url_path="/style"
    )
    pages.add_app_template_filter(lambda minor: _amount(minor, settings.currency), "amount")
    pages.add_app_template_filter(_percent, "percent")
    pages.add_app_template_filter(phone.mask, "mask")
    pages.add_app_template_filter(lambda at: at.astimezone(settings.zone), "local")
    trial = is_loopback(settings.base_url)

    @pages.before_request
    def admit() -> Response | None:
        # The name in the request must be the machine's own too: a foreign page could lead a browser here.
        if trial and is_loopback(f"//{request.host}"):
            return None
        password = request.authorization.password if request.authorization else None
        with db.reading(engine) as session:
            token = tokens.verify(session, password or "", at=clock.now())
            if token is not None and Scope.read in token.scopes:
                return None
        ask = {"WWW-Authenticate": 'Basic realm="Ringtrail: a token as password", charset="UTF-8"'}
        return Response("Sign in with a token as password; `ringtrail token add` makes one.\n", 401, ask)

    @pages.after_request
    def protect(response: Response) -> Response:
        response.headers.update(_HEADERS)
        return response

    @pages.get("/")
    def home() -> AnyResponse:
        return redirect(url_for("web.roi"))

    @pages.get("/calls")
    def calls() -> str:
        newest = (
            select(Call)
            .order_by(Call.started_at.desc(), Call.id.desc())
            .limit(_LATEST)
            .options(
                joinedload(Call.contact).joinedload(Contact.account),
                joinedload(Call.assignment).joinedload(NumberAssignment.ad_material),
                selectinload(Call.answers),
            )
        )
        with db.reading(engine) as session:
            rows = session.scalars(newest).all()
            count = session.scalar(select(func.count(Call.id)))
            # A merged company is shown as the one it turned out to be.
            firms = {row.id: contacts.account_of(session, row.contact).name for row in rows}
            return render_template(
                "calls.html", calls=rows, count=count, firms=firms, said=_said, settings=settings
            )

    @pages.get("/roi")
    def roi() -> str | tuple[str, int]:
        problem, first, last = None, None, None
        try:
            first, last = _day("from"), _day("to")
        except Invalid as error:
            problem = str(error)
        with db.reading(engine) as session:
            today = clock.now().astimezone(settings.zone).date()
            try:
                report = reporting.roi_report(
                    session, settings, SHOWN_MODELS, today=today, first=first, last=last
                )
            except Invalid as error:
                problem = str(error)
                report = reporting.roi_report(session, settings, SHOWN_MODELS, today=today)
        page = render_template("roi.html", report=report, lines=_lines(report), problem=problem)
        return (page, 422) if problem else page

    return pages


def _day(name: str) -> date | None:
    text = request.args.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid(name, "is not a day; write it as 2026-03-01") from None


def _lines(report: reporting.RoiReport) -> list[dict[str, object]]:
    lines: dict[str, dict[str, object]] = {}
    for row in report.table.to_pylist():
        line = lines.setdefault(row["campaign"], {"campaign": row["campaign"], "row": row, "models": {}})
        models = line["models"]
        assert isinstance(models, dict)
        models[row["model"]] = row
    named = [name for name in lines if not name.startswith("(")]
    # The line of the total comes last, the other lines in brackets before it.
    rest = sorted((name for name in lines if name.startswith("(")), key=lambda name: name == "(total)")
    return [lines[name] for name in [*sorted(named), *rest]]


def _said(call: Call) -> str:
    corrected = {answer.corrects_id for answer in call.answers}
    for answer in call.answers:
        if answer.id in corrected:
            continue
        if answer.outcome is Outcome.answered:
            return answer.verbatim or (answer.campaign.name if answer.campaign else answer.channel or "")
        return {Outcome.not_asked: "not asked", Outcome.declined: "would not say"}.get(
            answer.outcome, "unknown"
        )
    return "–"


def _amount(minor: int | None, currency: str) -> str:
    return "–" if minor is None else f"{money.to_major(minor, currency):,}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
