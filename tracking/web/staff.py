"""People and programs that are let in: users, API tokens, and the audit trail of what all of them changed."""

from datetime import datetime, time

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response

from tracking import clock
from tracking.access import tokens, users
from tracking.access.tokens import Scope
from tracking.demo import filling
from tracking.errors import Invalid
from tracking.reporting import mail
from tracking.storage.models import ApiToken, AuditEntry, User
from tracking.storage.vocabulary import Role
from tracking.web import forms, pages, signin
from tracking.web.pages import ADMINISTRATORS, Work

_PAGE = 100


@pages.page("/staff", ADMINISTRATORS, methods=("GET", "POST"))
def staff() -> str | tuple[str, int] | Response:
    newcomer, problem = pages.submitted(_add_user)
    if newcomer:
        _send_or_show(newcomer)
        return redirect(url_for("web.staff"), 303)
    with pages.reading() as session:
        everybody = session.scalars(select(User).order_by(User.active.desc(), User.name)).all()
    page = render_template("staff/users.html", users=everybody, roles=roles(), problem=problem)
    return page, 422 if problem else 200


@pages.page("/staff/<int:user_id>", ADMINISTRATORS, methods=("POST",))
def change_user(user_id: int) -> Response:
    def work(job: Work) -> User:
        row = users.get(job.session, user_id)
        closing = {"close": False, "open": True}.get(request.form.get("do", ""))
        users.change(
            job.session,
            row,
            name=forms.text("name"),
            role=forms.text("role"),
            active=closing,
        )
        job.note("user change", f"{row.email}: {row.role}{'' if row.active else ', closed'}")
        return row

    row = pages.change(work)
    flash(gettext("%(name)s updated.", name=row.name))
    return redirect(url_for("web.staff"), 303)


@pages.page("/staff/<int:user_id>/link", ADMINISTRATORS, methods=("POST",))
def invite(user_id: int) -> Response:
    def work(job: Work) -> User:
        row = users.get(job.session, user_id)
        job.note("user link", row.email)
        return row

    _send_or_show(pages.change(work))
    return redirect(url_for("web.staff"), 303)


@pages.page("/tokens", ADMINISTRATORS, methods=("GET", "POST"))
def api_tokens() -> str | tuple[str, int]:
    problem, secret = None, None
    if request.method == "POST":
        try:
            secret = pages.change(lambda job: _add_token(job))
        except Invalid as error:
            problem = error
    with pages.reading() as session:
        rows = session.scalars(select(ApiToken).order_by(ApiToken.id.desc())).all()
    page = render_template(
        "staff/tokens.html",
        tokens=rows,
        scopes=_scopes(),
        secret=secret,
        problem=problem,
        now=clock.now(),
    )
    return page, 422 if problem else 200


@pages.page("/tokens/<prefix>/revoke", ADMINISTRATORS, methods=("POST",))
def revoke_token(prefix: str) -> Response:
    def work(job: Work) -> str:
        row = tokens.revoke(job.session, prefix, at=job.at)
        job.note("token revoke", row.name)
        return row.name

    flash(gettext("Token %(name)s revoked.", name=pages.change(work)))
    return redirect(url_for("web.api_tokens"), 303)


@pages.page("/demo/wipe", ADMINISTRATORS, methods=("POST",))
def wipe_demo() -> Response:
    def work(job: Work) -> None:
        filling.wipe(job.session)
        job.note("demo wipe")

    pages.change(work)
    flash(gettext("Demo data deleted. You can now add your own."))
    return redirect(url_for("web.home"), 303)


@pages.page("/audit", ADMINISTRATORS)
def audit_trail() -> str | tuple[str, int]:
    wanted = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(_PAGE + 1)
    if who := request.args.get("who", "").strip():
        wanted = wanted.where(AuditEntry.actor.contains(who, autoescape=True))
    if what := request.args.get("what", "").strip():
        wanted = wanted.where(AuditEntry.action.contains(what, autoescape=True))
    if before := request.args.get("before", type=int):
        wanted = wanted.where(AuditEntry.id < before)
    with pages.reading() as session:
        rows = session.scalars(wanted).all()
    older = rows[_PAGE - 1].id if len(rows) > _PAGE else None
    return render_template("staff/audit.html", entries=rows[:_PAGE], older=older, who=who, what=what)


def roles() -> list[tuple[str, str, str]]:
    """Return each role, its name and what it may do, in words."""
    return [
        (
            Role.viewer,
            gettext("Viewer"),
            gettext("Can view reports and calls; phone numbers are partly hidden"),
        ),
        (Role.rep, gettext("Sales rep"), gettext("Can also see callers and log calls and answers")),
        (
            Role.marketer,
            gettext("Marketer"),
            gettext("Can also manage campaigns, numbers, costs, companies and deals, and import files"),
        ),
        (
            Role.administrator,
            gettext("Administrator"),
            gettext("Can also manage users and API tokens"),
        ),
    ]


def _scopes() -> list[tuple[str, str]]:
    return [
        (Scope.read, gettext("read everything; phone numbers partly hidden")),
        (Scope.read_personal, gettext("read full phone numbers and email addresses")),
        (Scope.write_campaigns, gettext("change campaigns, assets, numbers and costs")),
        (Scope.write_calls, gettext("add and rate calls, log answers, add touches")),
        (Scope.write_deals, gettext("change deals, exchange rates, companies and contacts")),
    ]


def _add_user(job: Work) -> User:
    row = users.add(
        job.session,
        forms.text("email") or "",
        forms.text("name") or "",
        forms.text("role") or "",
        at=job.at,
    )
    job.note("user add", f"{row.email}: {row.role}")
    return row


def _add_token(job: Work) -> str:
    last = forms.day("expires_on")
    ends = datetime.combine(last, time.max, pages.settings().zone) if last else None
    name = forms.text("name") or ""
    secret = tokens.issue(job.session, name, request.form.getlist("scopes"), at=job.at, expires_at=ends)
    job.note("token add", name)
    return secret


def _send_or_show(user: User) -> None:
    """Send the link for a password, or show it where no mail can be sent."""
    base = pages.settings().base_url
    link = signin.link_for(user, base)
    if not pages.settings().is_public:
        flash(
            gettext(
                "The link leads to %(address)s: only this machine or its network can open it.", address=base
            )
        )
    if mail.is_possible(pages.settings()):
        try:
            mail.send(pages.settings(), signin.invitation(user, link))
        except (OSError, Invalid) as error:
            flash(gettext("The email was not sent (%(why)s).", why=str(error)), "error")
        else:
            flash(gettext("We emailed a password link to %(to)s.", to=user.email))
            return
    flash(
        gettext(
            "Send %(name)s this link. It works once and is valid for three days: %(link)s",
            name=user.name,
            link=link,
        )
    )
