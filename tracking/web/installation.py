"""Settings on pages: who the supplier is, its telephone provider and its mail; and whether they work."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from zoneinfo import available_timezones

from babel import Locale
from babel.numbers import get_territory_currencies
from flask import Response, current_app, flash, redirect, render_template, request, url_for
from flask_babel import get_locale, gettext
from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from reports.logo import Logo
from tracking.errors import Conflict, Invalid, NotFound
from tracking.records import logos, rates
from tracking.reporting import mail
from tracking.storage import kept, phone
from tracking.storage.config import Settings
from tracking.storage.environment import Environment
from tracking.storage.models import Call, Cost, Deal, InboxEvent, Touch
from tracking.telephony import numbers, providers
from tracking.web import forms, pages, reachable
from tracking.web.pages import ADMINISTRATORS, PUBLIC, Work

Page = str | tuple[str, int] | AnyResponse
_COMPANY = ("company", "region", "currency", "timezone", "base_url", "short_url")
_PHONE = ("default_destination", "dial_timeout_s")
_LARGEST_FORM = 10_000_000
"""Larger than a logo may be, so that the form can say what is wrong with it."""
_PREFIX = "RINGTRAIL_"
_OUR_PAGE = re.compile(r"/(?:[\w-][\w/-]*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting as a page shows it."""

    kind: type[Environment]
    setting: str
    value: str
    """As its variable would hold it; of a secret nothing."""
    is_secret: bool
    is_set: bool
    given: bool
    """By the environment, so that no page can change it."""

    @property
    def variable(self) -> str:
        """Return the environment variable."""
        return self.kind.variable(self.setting)

    @property
    def name(self) -> str:
        """Return the name of the field in the form."""
        return self.variable.removeprefix(_PREFIX).lower()

    @property
    def label(self) -> str:
        """Return what the field is called."""
        title = self.kind.model_fields[self.setting].title
        return gettext(title) if title else self.setting.replace("_", " ").capitalize()

    @property
    def hint(self) -> str:
        """Return what it is for."""
        told = self.kind.model_fields[self.setting].description
        return gettext(told) if told else ""


def _shown(kind: type[Environment], names: Iterable[str]) -> list[Shown]:
    settings = pages.settings()
    own: Any = settings if kind is Settings else settings.of(kind)  # type: ignore[type-var]  # else a provider's
    found = []
    for name in names:
        field, value = kind.model_fields[name], getattr(own, name)
        secret = "Secret" in str(field.annotation)
        given = settings.is_given(kind, name)
        is_set = bool(value.get_secret_value() if isinstance(value, SecretStr) else value)
        text = "" if secret else _text(value)
        if not (secret or given):
            text = settings.kept.get(kind.variable(name), text)
        found.append(Shown(kind, name, text, secret, is_set, given))
    return found


def _text(value: Any) -> str:
    if isinstance(value, tuple | list | set | frozenset):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _changes(shown: Iterable[Shown]) -> dict[str, tuple[str | None, bool]]:
    """Return what the form changes, by variable: the text, or None for none, and whether to name it."""
    found: dict[str, tuple[str | None, bool]] = {}
    for one in shown:
        text = forms.text(one.name)
        if one.given or (one.name not in request.form and not forms.flag(f"clear_{one.name}")):
            continue
        if one.is_secret:
            if text is None and not forms.flag(f"clear_{one.name}"):
                continue
        elif (text or "") == one.value:
            continue
        if text is not None:
            try:
                one.kind.of_text(one.setting, text)
            except Invalid as error:
                raise Invalid.of(one.name, error.reason) from None
        found[one.variable] = text, not one.is_secret
    return found


def _keep(job: Work, changes: dict[str, tuple[str | None, bool]]) -> None:
    for variable, (text, named) in changes.items():
        kept.put(job.session, variable, text)
        said = "cleared" if text is None else text if named else "set"
        job.note("setting change", f"{variable}: {said}")


def _in_force() -> None:
    """Let what was just saved count in this process; others follow by themselves."""
    with pages.reading() as session:
        kept.refresh(session, pages.settings())


def _saved(endpoint: str) -> AnyResponse:
    _in_force()
    flash(gettext("Saved."))
    return redirect(_came_from() or url_for(endpoint), 303)


def _came_from() -> str | None:
    """Return the page that sent here to set something; None where none did, or it is no page of ours."""
    back = request.args.get("back", "")
    return back if _OUR_PAGE.fullmatch(back) else None


# --- Company ---------------------------------------------------------------------------------------------


@pages.page("/settings/company", ADMINISTRATORS, methods=("GET", "POST"), largest=lambda: _LARGEST_FORM)
def company_settings() -> Page:
    problem: Exception | None = None
    if request.method == "POST":
        try:
            changes, logo = _changes(_shown(Settings, _COMPANY)), _uploaded()
            if changes or logo is not None or forms.flag("clear_logo"):
                pages.change(lambda job: _keep_company(job, changes, logo))
            return _saved("web.company_settings")
        except (Invalid, Conflict) as error:
            problem = error
    with pages.reading() as session:
        logo = logos.current(session)
    locale = get_locale() or Locale("en")
    countries = {code: str(locale.territories.get(code, code)) for code in phone.REGIONS}
    in_use = {code for country in countries for code in get_territory_currencies(country)}
    fields = {one.name: one for one in _shown(Settings, _COMPANY)}
    page = render_template(
        "settings/company.html",
        fields=fields,
        logo=logo,
        problem=problem,
        typed=request.form if problem else {},
        countries=sorted(countries.items(), key=lambda pair: pair[1]),
        currencies=[
            (code, f"{code}, {locale.currencies.get(code, code)}")
            for code in sorted(in_use | {pages.settings().currency})
        ],
        zones=[(name, name) for name in sorted(_zones() | {pages.settings().timezone})],
        is_public=pages.settings().is_public,
    )
    return page, pages.status_of(problem)


def _zones() -> set[str]:
    """Return the time zones that are places, and UTC."""
    return {name for name in available_timezones() if "/" in name and not name.startswith("Etc/")} | {"UTC"}


def _uploaded() -> Logo | None:
    file = request.files.get("logo")
    return logos.accept(file.read(logos.LARGEST + 1)) if file and file.filename else None


def _keep_company(job: Work, changes: dict[str, tuple[str | None, bool]], logo: Logo | None) -> None:
    code, _ = changes.get("RINGTRAIL_CURRENCY", (None, True))
    if code and (foreign := rates.in_the_way(job.session, code)):
        raise Invalid(
            "currency",
            "cannot be changed to %(code)s: %(what)s. Amounts cannot be converted afterwards",
            code=code,
            what=foreign,
        )
    if "RINGTRAIL_TIMEZONE" in changes and _has_records(job.session) and not forms.flag("sure"):
        raise Invalid(
            "timezone",
            "moves what happened near midnight to another day, so earlier reports can change. Tick "
            "the box below to confirm",
        )
    _keep(job, changes)
    if logo is not None:
        logos.put(job.session, logo)
        job.note("logo change", f"{logo.media_type}, {len(logo.content)} bytes")
    elif forms.flag("clear_logo"):
        logos.put(job.session, None)
        job.note("logo change", "removed")


def _has_records(session: Session) -> bool:
    return any(session.scalar(select(table.id).limit(1)) is not None for table in (Call, Touch, Deal, Cost))


@pages.page("/logo/picture", PUBLIC)
def logo() -> Response:
    with pages.reading() as session:
        found = logos.current(session)
    if found is None:
        raise NotFound(gettext("Logo not found."))
    # An SVG that is opened by itself is a page of ours: it may be drawn, and nothing else.
    held = {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
    }
    return Response(found.content, mimetype=found.media_type, headers=held)


@pages.page("/settings/company/check", ADMINISTRATORS, methods=("POST",))
def check_address() -> AnyResponse:
    """Open the public address as anybody would, and see whether it is this installation that answers."""
    said, good = reachable.ask(pages.settings().base_url)
    flash(said, "message" if good else "error")
    return redirect(url_for("web.company_settings"), 303)


# --- Telephone -------------------------------------------------------------------------------------------


@pages.page("/settings/phone", ADMINISTRATORS, methods=("GET", "POST"))
def phone_settings() -> Page:
    shown = {name: _of_provider(name) for name in providers.names()}
    every = [*_shown(Settings, _PHONE), *(one for group in shown.values() for one in group)]
    refused: dict[str, tuple[datetime, str]] = current_app.extensions["ringtrail"]["refused"]
    problem: Exception | None = None
    if request.method == "POST":
        try:
            if changes := _changes(every):
                pages.change(lambda job: _keep_phone(job, changes))
                refused.clear()
            return _saved("web.phone_settings")
        except (Invalid, Conflict) as error:
            problem = error
    with pages.reading() as session:
        latest = dict(
            session.execute(
                select(InboxEvent.provider, func.max(InboxEvent.received_at)).group_by(InboxEvent.provider)
            ).all()
        )
        rings = numbers.always_ring(session, list(providers.of_calls()), pages.settings().default_destination)
    base = pages.settings().base_url
    page = render_template(
        "settings/phone.html",
        fields=_shown(Settings, _PHONE),
        providers=[
            {
                "name": name,
                "title": providers.title_of(name),
                "calls": name in providers.of_calls(),
                "fields": shown[name],
                "obstacle": provider.obstacle(pages.settings()),
                "addresses": [(words, base + path) for words, path in providers.addresses_of(name).items()],
                "latest": latest.get(name),
                "refused": refused.get(name),
            }
            for name, provider in providers.every().items()
        ],
        problem=problem,
        typed=request.form if problem else {},
        is_public=pages.settings().is_public,
        rings=rings,
    )
    return page, pages.status_of(problem)


def _keep_phone(job: Work, changes: dict[str, tuple[str | None, bool]]) -> None:
    text, _ = changes.get("RINGTRAIL_DEFAULT_DESTINATION", (None, True))
    if text:
        e164 = phone.require(text, "ZZ", "default_destination")
        numbers.refuse_loop(job.session, e164, field="default_destination")
    _keep(job, changes)


def _of_provider(name: str) -> list[Shown]:
    kinds = providers.settings_of(name)
    return [one for kind in kinds for one in _shown(kind, kind.model_fields)]


# --- Mail ------------------------------------------------------------------------------------------------


@pages.page("/settings/mail", ADMINISTRATORS, methods=("GET", "POST"))
def mail_settings() -> Page:
    server, sender, notices = _shown(Settings, ("smtp_url", "mail_from", "form_notices"))
    problem: Exception | None = None
    if request.method == "POST":
        try:
            changes = _changes([sender, notices])
            if not server.given and (told := _server_address()) != _smtp_url():
                changes[server.variable] = told or None, False
            if changes:
                pages.change(lambda job: _keep(job, changes))
            return _saved("web.mail_settings")
        except (Invalid, Conflict) as error:
            problem = error
    parts = urlsplit(_smtp_url())
    page = render_template(
        "settings/mail.html",
        server=server,
        sender=sender,
        notices=notices,
        host=parts.hostname or "",
        port=parts.port or "",
        security=parts.scheme or "smtp",
        user=unquote(parts.username or ""),
        has_password=bool(parts.password),
        possible=mail.is_possible(pages.settings()),
        to=pages.user().email,
        problem=problem,
        typed=request.form if problem else {},
    )
    return page, pages.status_of(problem)


def _smtp_url() -> str:
    return pages.settings().smtp_url.get_secret_value()


def _server_address() -> str:
    """Return the mail server that the form describes, as its variable holds it; empty for none."""
    host = forms.text("smtp_host")
    if host is None:
        return ""
    try:
        named = urlsplit(f"//{host}").netloc == host and host.count(":") != 1 and "@" not in host
    except ValueError:
        named = False
    if not named:
        raise Invalid(
            "smtp_host", "%(told)r is not a server name; enter one such as mail.acme.example", told=host
        )
    port = forms.whole("smtp_port")
    if port is not None and not 0 < port < 65536:
        raise Invalid("smtp_port", "%(port)s is not a port; enter 587, 465 or 25", port=port)
    scheme = request.form.get("smtp_security", "smtp")
    if scheme not in ("smtp", "smtps"):
        raise Invalid(
            "smtp_security",
            "%(told)r is not an option; use one of: %(known)s",
            told=scheme,
            known="smtp, smtps",
        )
    user, password = forms.text("smtp_user") or "", request.form.get("smtp_password", "")
    held = urlsplit(_smtp_url())
    stays = not password and not forms.flag("clear_smtp_password") and user == unquote(held.username or "")
    if stays and held.password:
        if host.strip("[]").casefold() != held.hostname:
            # Else whoever may set the server could have it told to one of his own.
            raise Invalid("smtp_password", "enter the password again; it is kept for the same server only")
        password = unquote(held.password)
    if password and not user:
        raise Invalid("smtp_user", "enter a user name; a password needs one")
    login = f"{quote(user, safe='')}{':' + quote(password, safe='') if password else ''}@" if user else ""
    return f"{scheme}://{login}{host}{f':{port}' if port else ''}"


@pages.page("/settings/mail/test", ADMINISTRATORS, methods=("POST",))
def send_test_mail() -> AnyResponse:
    message = EmailMessage()
    message["To"] = pages.user().email
    message["Subject"] = gettext("A test email from Ringtrail")
    message.set_content(gettext("Ringtrail can send email. You do not need to do anything.") + "\n")
    try:
        refused = mail.send(pages.settings(), message)
    except (OSError, Invalid) as error:
        flash(gettext("The email was not sent (%(why)s).", why=str(error)), "error")
    else:
        if refused:
            flash(gettext("The mail server rejected %(to)s.", to=pages.user().email), "error")
        else:
            flash(
                gettext(
                    "The mail server accepted a test email to %(to)s. Check that it arrives.",
                    to=pages.user().email,
                )
            )
    return redirect(url_for("web.mail_settings"), 303)
