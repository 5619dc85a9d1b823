"""Signing in: Flask-Security on the installation's own users, with a pause after wrong passwords."""

import hmac
import secrets
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from email.message import EmailMessage
from types import SimpleNamespace
from typing import Any

from flask import Flask, current_app, g, has_request_context, request
from flask_babel import force_locale, get_locale, gettext
from flask_login import current_user
from flask_security import (
    LoginForm,
    MailUtil,
    RoleMixin,
    Security,
    SQLAlchemySessionUserDatastore,
    UserMixin,
    hash_password,
)
from flask_security.recoverable import generate_reset_password_token
from flask_wtf import CSRFProtect
from sqlalchemy import Engine
from sqlalchemy.orm import Session, scoped_session

from tracking import clock
from tracking.access import audit, users
from tracking.language import formatting
from tracking.reporting import mail
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import User


class SignedIn(User, UserMixin):  # type: ignore[misc]  # moments may be unknown here, not there
    """A user as Flask-Security sees one."""

    @property
    def roles(self) -> list[Any]:  # type: ignore[override]  # told there as a column
        """Return the one role in the form that Flask-Security asks for."""
        return [SimpleNamespace(name=self.role.value, get_permissions=frozenset)]


class _Datastore(SQLAlchemySessionUserDatastore):
    """Users by any attribute; they have no roles to join."""


class _Mail(MailUtil):
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
        if not mail.is_possible(settings):
            return  # the page says so, and an administrator can hand out a link
        if "reset_link" in context:
            mail.send(settings, invitation(context["user"], context["reset_link"]))
            return
        message = EmailMessage()
        with in_language_of(context["user"]):
            message["Subject"] = gettext("Your password for Ringtrail has been changed")
            link = f"{settings.base_url}/password"
            words = gettext("If it was not you, choose a new one at once at %(link)s", link=link)
        message["To"] = str(recipient)
        message.set_content(f"{words}\n")
        mail.send(settings, message)

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self.app = app


class _SignIn(LoginForm):
    """The sign-in form; an address that was tried too often waits, whoever asks."""

    def validate(self, **kwargs: Any) -> bool:
        engine: Engine = current_app.extensions["ringtrail"]["engine"]
        email, at = self.email.data or "", clock.now()
        with db.reading(engine) as session:
            paused = users.is_paused(session, email, at=at)
        if paused:
            minutes = int(users.PAUSE.total_seconds() // 60)
            self.form_errors.append(
                gettext("Too many wrong passwords for this address. Try again in %(n)d minutes.", n=minutes)
            )
            return False
        fine: bool = super().validate(**kwargs)
        # What Flask-Security has read is let go first: on SQLite one connection writes at a time.
        _release()
        with db.transaction(engine) as session:
            if fine:
                users.forget_failures(session, email)
            else:
                users.note_failure(session, email, at=at)
        return fine


def _release() -> None:
    current_app.extensions["ringtrail"]["people"].rollback()


def register(app: Flask, engine: Engine, settings: Settings) -> CSRFProtect:
    """Give the application sign-in, and return the guard against forged forms."""
    secret = settings.keys.session
    secure = settings.base_url.startswith("https:")
    app.config.update(
        SECRET_KEY=secret.hex(),
        SESSION_COOKIE_NAME="ringtrail",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=secure,
        REMEMBER_COOKIE_SAMESITE="Lax",
        REMEMBER_COOKIE_SECURE=secure,
        REMEMBER_COOKIE_HTTPONLY=True,
        # A form may stand open for a day beside the telephone; the session bounds it.
        WTF_CSRF_TIME_LIMIT=None,
        SECURITY_PASSWORD_SALT=_derived(secret, "password"),
        SECURITY_TOTP_SECRETS={"1": _derived(secret, "totp")},
        SECURITY_TOTP_ISSUER="Ringtrail",
        SECURITY_PASSWORD_HASH="argon2",
        SECURITY_PASSWORD_LENGTH_MIN=12,
        SECURITY_PASSWORD_CONFIRM_REQUIRED=False,
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False, "test_environment": True},
        # What Flask-Security says stands in our catalogs, and its mails are our own.
        SECURITY_I18N_DIRNAME=[str(formatting.TRANSLATIONS)],
        SECURITY_I18N_DOMAIN="messages",
        SECURITY_EMAIL_HTML=False,
        SECURITY_EMAIL_SENDER=settings.mail_from or "ringtrail",
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
        SECURITY_MULTI_FACTOR_RECOVERY_CODES=True,
        SECURITY_MULTI_FACTOR_RECOVERY_CODES_URL="/account/recovery-codes",
        SECURITY_MULTI_FACTOR_RECOVERY_URL="/sign-in/recovery",
        SECURITY_JOIN_USER_ROLES=False,
        SECURITY_DATETIME_FACTORY=clock.now,
    )
    people: scoped_session[Session] = scoped_session(lambda: _session(engine), scopefunc=_scope)  # type: ignore[arg-type]  # any maker will do
    app.extensions["ringtrail"]["people"] = people
    store = _Datastore(people, SignedIn, RoleMixin)
    Security(app, store, login_form=_SignIn, mail_util_cls=_Mail)
    guard = CSRFProtect(app)
    app.jinja_env.globals["mail_is_possible"] = mail.is_possible(settings)

    @app.before_request
    def know_the_user() -> None:
        # A page opens its own transaction; the one that read the user must not hold it up.
        if request.blueprint == "web" and request.endpoint != "web.static":
            bool(current_user.is_authenticated)
            people.remove()

    @app.teardown_appcontext
    def close(_error: BaseException | None) -> None:
        people.remove()

    return guard


def _derived(secret: bytes, purpose: str) -> str:
    return hmac.new(secret, purpose.encode(), "sha256").hexdigest()


def _scope() -> int:
    return id(g._get_current_object())


def _session(engine: Engine) -> Session:
    # Reading must not queue for SQLite's one place to write; what Flask-Security writes comes by POST.
    writes = has_request_context() and request.blueprint == "security" and request.method == "POST"
    bind = engine if writes else engine.execution_options(sqlite_begin="DEFERRED")
    return Session(bind, expire_on_commit=False)


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


def hash_for(engine: Engine, settings: Settings, password: str) -> str:
    """Return what is stored of a password: an argon2id hash."""
    app = Flask(__name__)
    app.extensions["ringtrail"] = {"settings": settings, "engine": engine}
    register(app, engine, settings)
    with app.app_context():
        hashed: str = hash_password(password)
    return hashed


def in_language_of(user: User) -> AbstractContextManager[None]:
    """Speak the language that a user has chosen, whoever asks; else that of the page."""
    found: AbstractContextManager[None] = force_locale(user.language or str(get_locale() or "en"))
    return found


def invitation(user: User, link: str) -> EmailMessage:
    """Return the mail with the link for a password."""
    message = EmailMessage()
    message["To"] = user.email
    with in_language_of(user):
        message["Subject"] = gettext("Your password for Ringtrail")
        words = gettext("Choose your password within three days at %(link)s", link=link)
    message.set_content(f"{words}\n")
    return message


def link_for(user: User, base_url: str) -> str:
    """Return where a user chooses a password, good for three days; needs an application context."""
    token = generate_reset_password_token(user)  # type: ignore[no-untyped-call]
    return f"{base_url}/password/{token}"
