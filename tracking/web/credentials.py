"""What people prove themselves by - passwords, codes, recovery codes - and how often each may be tried."""

import hmac
import re
import secrets
from typing import Any

from flask import Flask, Response, current_app, g, request
from flask.sessions import SecureCookieSessionInterface
from flask_babel import get_locale, gettext
from flask_login import current_user
from flask_security import (
    ChangePasswordForm,
    ForgotPasswordForm,
    LoginForm,
    PasswordUtil,
    Totp,
    TwoFactorVerifyCodeForm,
    VerifyForm,
)
from flask_security.forms import Form
from flask_security.recovery_codes import MfRecoveryCodesUtil, MfRecoveryForm
from flask_security.utils import validate_redirect_url
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session
from zxcvbn import zxcvbn

from tracking import clock
from tracking.access import audit, throttle
from tracking.access.throttle import Origin
from tracking.reporting import mail, outbox
from tracking.storage import db, vault
from tracking.storage.config import Settings
from tracking.storage.models import User

KNOWN_FOR_S = 365 * 24 * 3600
"""How long a device stays known to the accounts that signed in from it."""
_ACCOUNTS = 10
"""Accounts that a device is known to: the reps who share a desk."""
_READ = 72
"""Characters of a password that its judge reads; more of them make no password worse."""
_GUESSABLE = 3
"""What zxcvbn scores below this falls to 10^8 guesses (Wheeler, USENIX Security 2016)."""


_HERE = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?")


def _engine() -> Engine:
    found: Engine = current_app.extensions["ringtrail"]["engine"]
    return found


# --- Cookies ---------------------------------------------------------------------------------------------


def is_secure() -> bool:
    """Tell whether cookies go over https alone: where the public address is one.

    Whoever sets that address on a page does so on this machine, and must not lose the page by it.
    """
    settings: Settings = current_app.extensions["ringtrail"]["settings"]
    https = settings.base_url.startswith("https:")
    if not https or settings.is_given(Settings, "base_url"):
        return https
    here = _HERE.fullmatch(request.environ.get("HTTP_HOST", "")) and request.remote_addr in (
        "127.0.0.1",
        "::1",
    )
    return not here


class SessionCookie(SecureCookieSessionInterface):
    """The cookie of the session, by another name where it goes over https alone."""

    def get_cookie_name(self, app: Flask) -> str:
        """Return a name that, over https, no other host of the same domain can set."""
        return "__Host-ringtrail" if is_secure() else "ringtrail"

    def get_cookie_secure(self, app: Flask) -> bool:
        """Tell whether it goes over https alone."""
        return is_secure()


def keep_to_https(response: Response) -> Response:
    """Say the same of the cookie that keeps somebody signed in, whose making asks nobody."""
    if is_secure():
        held = response.headers.getlist("Set-Cookie")
        response.headers.setlist("Set-Cookie", [c if "; Secure" in c else f"{c}; Secure" for c in held])
    return response


# --- Devices that an account knows -----------------------------------------------------------------------


def _cookie() -> str:
    return "__Host-ringtrail-known" if is_secure() else "ringtrail-known"


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="known device")


def _known() -> dict[str, str]:
    """Return the marks of this device by account, as its signed cookie says."""
    try:
        held = _signer().loads(request.cookies.get(_cookie(), ""), max_age=KNOWN_FOR_S)
    except BadData:
        return {}
    return {str(name): str(mark) for name, mark in held.items()} if isinstance(held, dict) else {}


def _account(email: str) -> str:
    return vault.mark("known device", email.strip().casefold())[:32]


def origin(email: str) -> Origin:
    """Return where this request comes from, as an account sees it."""
    return Origin(request.remote_addr or "", _known().get(_account(email), ""))


def remember_device(email: str) -> None:
    """Let the account know this device from now on; called once its user has proved himself in full."""
    marks = _known()
    name = _account(email)
    mark = marks.pop(name, None) or secrets.token_urlsafe(12)
    g.known_device = dict([*marks.items(), (name, mark)][-_ACCOUNTS:])


def keep_device(response: Response) -> Response:
    """Send the cookie of a device that has become known."""
    if marks := g.pop("known_device", None):
        response.set_cookie(
            _cookie(),
            _signer().dumps(marks),
            max_age=KNOWN_FOR_S,
            httponly=True,
            samesite="Lax",
            secure=is_secure(),
        )
    return response


# --- Trying ----------------------------------------------------------------------------------------------


def _admit(what: str, email: str) -> bool:
    """Count a try before it is judged; in a transaction of its own, since judging takes long."""
    at, place = clock.now(), origin(email)
    return db.commit(_engine(), lambda session: throttle.admit(session, what, email, place, at=at))


def _judged(what: str, user: Any, right: bool) -> None:
    """Put on record how a try ended, and let right ones count for nothing."""
    at = clock.now()
    name = user.email if user is not None else "unknown address"

    def work(session: Session) -> None:
        if right and user is not None:
            throttle.succeeded(session, what, user.email, origin(user.email))
        if not right:
            audit.note(session, name, f"{what} refused", f"from {request.remote_addr}", at=at)

    db.commit(_engine(), work)


def _pause() -> str:
    minutes = int(throttle.PAUSE.total_seconds() // 60)
    said: str = gettext(
        "Too many attempts. Try again in %(n)d minutes, or from a device you have signed in from before.",
        n=minutes,
    )
    return said


class SignInForm(LoginForm):
    """The sign-in form; who tried too often waits, whether or not anybody has the address."""

    def validate_next(self, field: Any) -> None:
        """Pass over a place that is not ours: whoever's password is right has not tried in vain."""
        if field.data and not validate_redirect_url(field.data):
            field.data = ""

    def validate(self, **kwargs: Any) -> bool:
        """Judge a password."""
        email = (self.email.data or "")[:320]
        if not _admit("password", email):
            self.form_errors.append(_pause())
            return False
        fine: bool = super().validate(**kwargs)
        _judged("password", self.user, fine)
        return fine


class CurrentPassword(VerifyForm):
    """Who has signed in proves it again."""

    def validate(self, **kwargs: Any) -> bool:
        """Judge the password of who has signed in."""
        if not _admit("password", self.user.email):
            self.form_errors.append(_pause())
            return False
        fine: bool = super().validate(**kwargs)
        _judged("password", self.user, fine)
        return fine


class NewPassword(ChangePasswordForm):
    """A new password for the current one."""

    def validate(self, **kwargs: Any) -> bool:
        """Judge the new password, which is no secret yet, then the current one."""
        if not Form.validate(self, **kwargs):
            return False
        user = current_user._get_current_object()
        wrong, _ = current_app.extensions["security"].password_util.validate(
            self.new_password.data, False, user=user
        )
        if wrong:
            self.new_password.errors.extend(wrong)
            return False
        if not _admit("password", user.email):
            self.form_errors.append(_pause())
            return False
        fine: bool = super().validate(**kwargs)
        _judged("password", user, fine)
        return fine


class Forgotten(ForgotPasswordForm):
    """Asks for a link; whether anybody has the address is found out later, by who sends the mail."""

    def validate(self, **kwargs: Any) -> bool:
        """Put a mail in line; never true, so that every address is answered alike."""
        email = (self.email.data or "").strip()[:320]
        if email and mail.is_possible(current_app.extensions["ringtrail"]["settings"]):
            at, place, language = clock.now(), origin(email), str(get_locale() or "en")

            def work(session: Session) -> bool:
                if not throttle.admit(session, "link", email, place, at=at):
                    return False
                outbox.put(session, outbox.LINK, email, language, at=at)
                return True

            # Too many are answered alike too: the mails before are on their way.
            db.commit(_engine(), work)
        return False


class CodeForm(TwoFactorVerifyCodeForm):
    """A code from the app."""

    def validate(self, **kwargs: Any) -> bool:
        """Judge a code."""
        assert self.user is not None
        if not _admit("code", self.user.email):
            self.form_errors.append(_pause())
            return False
        fine: bool = super().validate(**kwargs)
        _judged("code", self.user, fine)
        return fine


class RecoveryForm(MfRecoveryForm):
    """A recovery code in its stead."""

    def validate(self, **kwargs: Any) -> bool:
        """Judge a recovery code, and use it up."""
        assert self.user is not None
        if not _admit("code", self.user.email):
            self.form_errors.append(_pause())
            return False
        fine: bool = super().validate(**kwargs)
        _judged("code", self.user, fine)
        return fine


# --- What is right ---------------------------------------------------------------------------------------


class Passwords(PasswordUtil):
    """Which passwords will do: long, and none that a guesser tries early."""

    def validate(self, password: str, is_register: bool, **kwargs: Any) -> tuple[list[str] | None, str]:
        """Return what is wrong with a password, if anything is, and the password in normal form."""
        wrong, normal = super().validate(password, is_register, **kwargs)
        user = kwargs.get("user")
        email, name = getattr(user, "email", ""), getattr(user, "name", "")
        ours = ["ringtrail", email, *email.replace("@", ".").split("."), name, *name.split()]
        if not wrong and zxcvbn(normal[:_READ], [word for word in ours if word])["score"] < _GUESSABLE:
            wrong = [gettext("This password is too easy to guess. Choose another one.")]
        return wrong, normal


class Codes(Totp):
    """Codes from the app, each good once."""

    def get_last_counter(self, user: Any) -> int | None:
        """Return the half minute whose code was taken last."""
        found: int | None = user.tf_last_counter
        return found

    def verify_totp(self, token: str, totp_secret: str, user: Any, window: int = 0) -> bool:
        """Tell whether a code is right, and take it: of two requests with one code the second is refused."""
        g.code_match = None
        if not super().verify_totp(token, totp_secret, user, window):
            return False
        match = g.pop("code_match", None)
        if match is None:
            return False
        newer = User.tf_last_counter.is_(None) | (User.tf_last_counter < match.counter)
        take = update(User).where(User.id == user.id, newer).values(tf_last_counter=match.counter)
        with db.transaction(_engine()) as session:
            return bool(session.execute(take.returning(User.id)).all())

    def set_last_counter(self, user: Any, tmatch: Any) -> None:
        """Hand on which code it was."""
        g.code_match = tmatch


class RecoveryCodes(MfRecoveryCodesUtil):
    """Recovery codes, sealed in the database by the type of their column, each good once."""

    def create_recovery_codes(self, user: Any) -> list[str]:
        """Make new codes in the place of those before, and put that on record."""
        made: list[str] = super().create_recovery_codes(user)
        people = current_app.extensions["ringtrail"]["people"]
        audit.note(people(), user.email, "recovery codes new", f"from {request.remote_addr}", at=clock.now())
        return made

    def check_recovery_code(self, user: Any, code: str) -> bool:
        """Tell whether a code is right, and take it: of two requests with one code the second finds none."""
        given = code.strip().lower().encode()
        with db.transaction(_engine()) as session:
            row = session.scalars(select(User).where(User.id == user.id).with_for_update()).one()
            kept = list(row.mf_recovery_codes or [])
            right = [i for i, c in enumerate(kept) if hmac.compare_digest(c.encode(), given)]
            if right:
                row.mf_recovery_codes = [c for i, c in enumerate(kept) if i not in right]
        return bool(right)

    def delete_recovery_code(self, user: Any, code: str) -> bool:
        """Do nothing: a code is taken when it is checked."""
        return True
