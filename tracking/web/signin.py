"""Signing in: Flask-Security on the installation's own users, with sessions that the server knows."""

import hmac
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from email.message import EmailMessage
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, g, redirect, request, session, url_for
from flask_babel import get_locale, gettext
from flask_login import current_user, user_logged_in, user_logged_out
from flask_security import (
    MailUtil,
    RoleMixin,
    Security,
    SQLAlchemySessionUserDatastore,
    UserMixin,
    hash_password,
    password_changed,
    password_reset,
    tf_disabled,
    tf_profile_changed,
)
from flask_security.recoverable import generate_reset_password_token
from flask_security.utils import set_request_attr
from flask_wtf import CSRFProtect
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session, scoped_session
from werkzeug.wrappers import Response

from tracking import clock
from tracking.access import audit, sessions, users
from tracking.language import formatting
from tracking.reporting import form_notices, mail, outbox
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import OutgoingMail, User
from tracking.web import credentials, security_messages

# Of Flask-Security's addresses, those that nothing here leads to: a door less to watch.
_UNUSED = frozenset({"security.two_factor_rescue", "security.tf_select", "security.static"})


class SignedIn(User, UserMixin):  # type: ignore[misc]  # moments may be unknown here, not there
    """A user as Flask-Security sees one."""

    session_token = ""

    @property
    def roles(self) -> list[Any]:  # type: ignore[override]  # told there as a column
        """Return the one role in the form that Flask-Security asks for."""
        return [SimpleNamespace(name=self.role.value, get_permissions=frozenset)]

    def get_id(self) -> str:
        """Return what the cookies of this browser carry, beginning a session where there is none."""
        if not self.session_token:
            with db.transaction(current_app.extensions["ringtrail"]["engine"]) as opened:
                self.session_token = sessions.begin(opened, self.id, at=clock.now())
        return self.session_token


class _Datastore(SQLAlchemySessionUserDatastore):
    """Users by any attribute, read in a moment of their own: hashing a password holds no lock.

    What is changed is put into the session of the request, which writes all of it at its end.
    """

    def find_user(self, case_insensitive: bool = False, **kwargs: Any) -> SignedIn | None:
        name, value = kwargs.popitem()
        column = getattr(SignedIn, name)
        same = func.lower(column) == func.lower(value) if case_insensitive else column == value
        with db.reading(current_app.extensions["ringtrail"]["engine"]) as reading:
            return reading.scalar(select(SignedIn).where(same))

    def set_uniquifier(self, user: Any, uniquifier: str | None = None) -> None:
        super().set_uniquifier(user, uniquifier)
        # Whoever has a new password was perhaps not alone with the old one.
        with db.transaction(current_app.extensions["ringtrail"]["engine"]) as ending:
            sessions.end_all(ending, user)
        user.session_token = ""


class _Mail(MailUtil):
    """What Flask-Security wants to say by mail goes in line, with the change that it tells of."""

    def send_mail(
        self,
        template: str,
        subject: str,
        recipient: str | tuple[str, str],
        sender: str | tuple[str, str],
        body: str | None,
        html: str | None,
        **context: Any,
    ) -> None:
        settings: Settings = self.app.extensions["ringtrail"]["settings"]
        if mail.is_possible(settings):
            # Where none can be sent, the page says so, and an administrator can hand out a link.
            people = self.app.extensions["ringtrail"]["people"]
            outbox.put(
                people(), outbox.CHANGED, context["user"].email, str(get_locale() or "en"), at=clock.now()
            )

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self.app = app


def register(app: Flask, engine: Engine, settings: Settings) -> CSRFProtect:
    """Give the application sign-in, and return the guard against forged forms."""
    # What people prove themselves by outlasts a change of key; cookies and links do not: who knows the old
    # key could make some.
    secret, lasting = settings.keys.current.session, settings.keys.first.session
    app.session_interface = credentials.SessionCookie()
    app.after_request(credentials.keep_to_https)
    app.config.update(
        SECRET_KEY=secret.hex(),
        SESSION_COOKIE_SAMESITE="Lax",
        REMEMBER_COOKIE_SAMESITE="Lax",
        REMEMBER_COOKIE_HTTPONLY=True,
        REMEMBER_COOKIE_DURATION=sessions.LASTS,
        # A form may stand open for a day beside the telephone; the session bounds it.
        WTF_CSRF_TIME_LIMIT=None,
        SECURITY_PASSWORD_SALT=_derived(lasting, "password"),
        SECURITY_TOTP_SECRETS={"1": _derived(lasting, "totp")},
        SECURITY_TOTP_ISSUER="Ringtrail",
        SECURITY_PASSWORD_HASH="argon2",
        SECURITY_PASSWORD_LENGTH_MIN=12,
        SECURITY_PASSWORD_CONFIRM_REQUIRED=False,
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False, "test_environment": True},
        # What Flask-Security says stands in our catalogs, and its mails are our own.
        SECURITY_I18N_DIRNAME=[str(formatting.TRANSLATIONS)],
        SECURITY_I18N_DOMAIN="messages",
        SECURITY_EMAIL_HTML=False,
        SECURITY_EMAIL_SENDER="ringtrail",
        SECURITY_RETURN_GENERIC_RESPONSES=True,
        SECURITY_LOGIN_URL="/sign-in",
        SECURITY_LOGOUT_URL="/sign-out",
        SECURITY_LOGOUT_METHODS=["POST"],
        SECURITY_CHANGEABLE=True,
        SECURITY_CHANGE_URL="/account/password",
        SECURITY_POST_CHANGE_VIEW="/account",
        SECURITY_RECOVERABLE=True,
        SECURITY_RESET_URL="/password",
        SECURITY_RESET_PASSWORD_WITHIN=timedelta(days=3),
        SECURITY_POST_RESET_VIEW="/sign-in",
        SECURITY_POST_LOGIN_VIEW="/",
        SECURITY_POST_LOGOUT_VIEW="/sign-in",
        SECURITY_TRACKABLE=True,
        SECURITY_TWO_FACTOR=True,
        SECURITY_TWO_FACTOR_ENABLED_METHODS=["authenticator"],
        SECURITY_TWO_FACTOR_SETUP_URL="/account/second-factor",
        SECURITY_TWO_FACTOR_TOKEN_VALIDATION_URL="/sign-in/code",
        SECURITY_TWO_FACTOR_POST_SETUP_VIEW="/account",
        # Seconds by which a clock may be off: three codes are right at a time, each once.
        SECURITY_TWO_FACTOR_AUTHENTICATOR_VALIDITY=30,
        SECURITY_TWO_FACTOR_RESCUE_EMAIL=False,
        SECURITY_API_ENABLED_METHODS=["session"],
        SECURITY_MULTI_FACTOR_RECOVERY_CODES=True,
        SECURITY_MULTI_FACTOR_RECOVERY_CODES_URL="/account/recovery-codes",
        SECURITY_MULTI_FACTOR_RECOVERY_URL="/sign-in/recovery",
        SECURITY_JOIN_USER_ROLES=False,
        SECURITY_DATETIME_FACTORY=clock.now,
        **{f"SECURITY_MSG_{key}": said for key, said in security_messages.MESSAGES.items()},
    )
    people: scoped_session[Session] = scoped_session(
        lambda: Session(engine, expire_on_commit=False),  # type: ignore[arg-type]  # any maker will do
        scopefunc=_scope,
    )
    app.extensions["ringtrail"]["people"] = people
    security = Security(
        app,
        _Datastore(people, SignedIn, RoleMixin),
        login_form=credentials.SignInForm,
        verify_form=credentials.CurrentPassword,
        change_password_form=credentials.NewPassword,
        forgot_password_form=credentials.Forgotten,
        two_factor_verify_code_form=credentials.CodeForm,
        mf_recovery_form=credentials.RecoveryForm,
        mail_util_cls=_Mail,
        password_util_cls=credentials.Passwords,
        totp_cls=credentials.Codes,
        mf_recovery_codes_util_cls=credentials.RecoveryCodes,
    )
    # Programs have tokens of the API, which end and are limited; no other key is handed out here.
    security.want_json(lambda _request: False)
    guard = CSRFProtect(app)
    app.add_template_global(lambda: mail.is_possible(settings), "mail_is_possible")
    app.before_request(_keep_to_ours)
    app.after_request(credentials.keep_device)
    _know_sessions(app, engine)
    _put_on_record(app, people)

    @app.teardown_appcontext
    def close(_error: BaseException | None) -> None:
        people.remove()

    return guard


def _keep_to_ours() -> Response | None:
    if request.endpoint in _UNUSED:
        abort(404)
    if request.blueprint == "security" and not is_readable(told := request.values.get("next", "")):
        # Flask-Security would fail over it.
        reason = gettext(
            "%(told)r is not a web address; enter one such as https://calls.acme.example", told=told[:80]
        )
        abort(400, reason)
    at_code = request.endpoint == "security.two_factor_token_validation"
    setting_up = session.get("tf_state") == "validating_profile" and session.get("tf_primary_method")
    if at_code and not setting_up and current_user.is_authenticated:
        # There Flask-Security signs out whoever has no code to give; a link from elsewhere must not.
        return redirect(url_for("web.account"), 303)
    return None


def is_readable(address: str) -> bool:
    """Tell whether programs can read an address, which may be a path or empty."""
    try:
        urlsplit(address).port  # noqa: B018 - read when it is asked for
    except ValueError:
        return False
    return True


def _know_sessions(app: Flask, engine: Engine) -> None:
    """Let a cookie open what the server knows to be open, and nothing else: neither header nor query."""

    def load(token: str) -> SignedIn | None:
        with db.reading(engine) as reading:
            user = reading.scalar(sessions.holding(SignedIn, str(token), at=clock.now()))
        if user is not None:
            user.session_token = token
            set_request_attr("fs_authn_via", "session")
            set_request_attr("fs_paa", session.get("fs_paa", 0))
        return user

    def ended(_app: Flask, user: SignedIn, **_: Any) -> None:
        if token := getattr(user, "session_token", ""):
            with db.transaction(engine) as ending:
                sessions.end(ending, token)
                audit.note(ending, user.email, "sign out", f"from {request.remote_addr}", at=clock.now())
            user.session_token = ""

    app.login_manager.user_loader(load)  # type: ignore[attr-defined]  # Flask-Login's own
    app.login_manager.request_loader(lambda _request: None)  # type: ignore[attr-defined]  # as above
    user_logged_out.connect(ended, app, weak=False)


def _put_on_record(app: Flask, people: "scoped_session[Session]") -> None:
    """Write sign-ins and changes of what people prove themselves by into the audit trail, with the change."""

    def noting(action: str) -> Callable[..., None]:
        def note(_app: Flask, user: SignedIn, **_: Any) -> None:
            audit.note(people(), user.email, action, f"from {request.remote_addr}", at=clock.now())

        return note

    def known(_app: Flask, user: SignedIn, **_: Any) -> None:
        credentials.remember_device(user.email)

    def others_end(_app: Flask, user: SignedIn, **_: Any) -> None:
        sessions.end_others(people(), user.id, user.session_token)

    user_logged_in.connect(known, app, weak=False)
    tf_profile_changed.connect(others_end, app, weak=False)
    tf_disabled.connect(others_end, app, weak=False)
    for signal, action in (
        (user_logged_in, "sign in"),
        (password_changed, "password change"),
        (password_reset, "password reset"),
        (tf_profile_changed, "second factor change"),
        (tf_disabled, "second factor off"),
    ):
        signal.connect(noting(action), app, weak=False)


def _derived(secret: bytes, purpose: str) -> str:
    return hmac.new(secret, purpose.encode(), "sha256").hexdigest()


def _scope() -> int:
    return id(g._get_current_object())


def first_administrator(engine: Engine, settings: Settings, *, at: datetime) -> str | None:
    """Add the first administrator where there is no user yet, and return the password, told only here."""
    with db.reading(engine) as session:
        if users.any_yet(session):
            return None
    password = secrets.token_urlsafe(12)
    hashed = hash_for(engine, settings, password)
    with db.transaction(engine) as session:
        row = users.add(session, settings.first_administrator, "Administrator", "administrator", at=at)
        row.password = hashed
        audit.note(session, "terminal", "user add", row.email, at=at)
    return password


def bare(engine: Engine, settings: Settings) -> Flask:
    """Return an application without addresses, for what needs its keys only: hashes and links."""
    app = Flask(__name__)
    app.extensions["ringtrail"] = {"settings": settings, "engine": engine}
    formatting.register(app, settings)
    register(app, engine, settings)
    return app


def hash_for(engine: Engine, settings: Settings, password: str) -> str:
    """Return what is stored of a password: an argon2id hash."""
    with bare(engine, settings).app_context():
        hashed: str = hash_password(password)
    return hashed


def composer(engine: Engine, settings: Settings) -> outbox.Compose:
    """Return what makes the mails that were put in line by requests."""
    app = bare(engine, settings)

    def compose(row: OutgoingMail) -> EmailMessage | None:
        if row.kind == outbox.FORM:
            with app.app_context(), formatting.spoken(row.language), db.reading(engine) as reading:
                return form_notices.letter(reading, settings, row)
        with db.reading(engine) as reading:
            user = reading.scalar(select(User).where(User.email == row.address.casefold(), User.active))
        if user is None:
            return None
        with app.app_context(), formatting.spoken(row.language):
            if row.kind == outbox.LINK:
                return invitation(user, link_for(user, settings.base_url))
            return _changed(user, settings.base_url)

    return compose


def _changed(user: User, base_url: str) -> EmailMessage:
    message = EmailMessage()
    message["To"] = user.email
    with in_language_of(user):
        message["Subject"] = gettext("Your password for Ringtrail has been changed")
        words = gettext(
            "If this was not you, choose a new password now: %(link)s", link=f"{base_url}/password"
        )
    message.set_content(f"{words}\n")
    return message


def in_language_of(user: User) -> AbstractContextManager[None]:
    """Speak the language that a user has chosen, whoever asks; else that of the page."""
    return formatting.spoken(user.language or str(get_locale() or "en"))


def invitation(user: User, link: str) -> EmailMessage:
    """Return the mail with the link for a password."""
    message = EmailMessage()
    message["To"] = user.email
    with in_language_of(user):
        message["Subject"] = gettext("Your password for Ringtrail")
        words = gettext("Choose your password within three days: %(link)s", link=link)
    message.set_content(f"{words}\n")
    return message


def link_for(user: User, base_url: str) -> str:
    """Return where a user chooses a password, good for three days; needs an application context."""
    token = generate_reset_password_token(user)  # type: ignore[no-untyped-call]
    return f"{base_url}/password/{token}"
