"""One's own account: name, language, look, shortcuts, password and second factor."""

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext, refresh
from flask_login import logout_user
from werkzeug.wrappers import Response

from tracking.access import sessions, users
from tracking.errors import Invalid
from tracking.language.formatting import LANGUAGES
from tracking.storage.models import User
from tracking.web import forms, pages
from tracking.web.pages import EVERYONE, Work, user


@pages.page("/account", EVERYONE, methods=("GET", "POST"))
def account() -> tuple[str, int] | Response:
    saved, problem = pages.submitted(_save)
    if saved:
        refresh()
        flash(gettext("Saved."))
        return redirect(url_for("web.account"), 303)
    page = render_template("account.html", me=user(), problem=problem)
    return page, pages.status_of(problem)


@pages.page("/account/sign-out-everywhere", EVERYONE, methods=("POST",))
def sign_out_everywhere() -> Response:
    def work(job: Work) -> None:
        sessions.end_all(job.session, users.get(job.session, job.user.id))
        job.note("user sign out everywhere", job.user.email)

    pages.change(work)
    logout_user()
    return redirect(url_for("security.login"), 303)


def _save(job: Work) -> User:
    row = users.get(job.session, job.user.id)
    language, theme = forms.text("language"), forms.text("theme")
    if language is not None and language not in LANGUAGES:
        raise Invalid(
            "language",
            "%(language)r is not available; use one of: %(known)s",
            language=language,
            known=", ".join(LANGUAGES),
        )
    if theme not in (None, "light", "dark"):
        raise Invalid("theme", "%(theme)r is not a theme; use light, dark or same as browser", theme=theme)
    users.change(job.session, row, name=forms.text("name") or "")
    row.language, row.theme, row.shortcuts = language, theme, forms.flag("shortcuts")
    job.note("account change", row.email)
    return row
