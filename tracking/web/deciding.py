"""The model that the installation decides by: why it is this one, and how another is chosen."""

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from tracking.reporting import deciding
from tracking.web import forms, pages
from tracking.web.pages import EVERYONE, MARKETERS, Work


def _show(problem: Exception | None = None) -> tuple[str, int]:
    with pages.reading() as session:
        now = deciding.current(session, pages.settings(), pages.today())
    page = render_template(
        "decide/deciding.html",
        now=now,
        why=deciding.reason(now),
        choices=deciding.CHOICES,
        warnings=deciding.warnings(now, (now.model,)),
        problem=problem,
    )
    return page, pages.status_of(problem)


@pages.page("/settings/model", EVERYONE)
def deciding_model() -> tuple[str, int]:
    return _show()


@pages.page("/settings/model", MARKETERS, methods=("POST",))
def choose_model() -> Response | tuple[str, int]:
    def work(job: Work) -> None:
        chosen = forms.text("model")
        deciding.choose(job.session, chosen)
        job.note("model choose", chosen or "recommended")

    _, problem = pages.submitted(work)
    if problem:
        return _show(problem)
    flash(gettext("Saved."))
    return redirect(url_for("web.deciding_model"), 303)
