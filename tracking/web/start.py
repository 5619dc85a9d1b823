"""The start of a new installation: a list of steps, each begun from here and leading back here."""

from flask import Response, abort, make_response, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from tracking.storage.models import Call
from tracking.telephony.calls import PRACTICE
from tracking.web import pages, steps
from tracking.web.pages import EVERYONE


@pages.page("/start", EVERYONE)
def start() -> str:
    with pages.reading() as session:
        return steps.page(session)


@pages.page("/start/<step>", EVERYONE, methods=("POST",))
def begin_step(step: str) -> AnyResponse:
    """Lead to where a step is done; once it is, its form leads back."""
    if step not in steps.STEPS:
        abort(404)
    return redirect(steps.begin(step), 303)


@pages.page("/first-call", EVERYONE)
def first_call() -> Response:
    with pages.reading() as session:
        come = session.scalar(select(Call.id).where(Call.provider != PRACTICE).limit(1)) is not None
    answer = make_response(render_template("decide/_waiting.html", refused=steps.refused()))
    if come:
        answer.headers["HX-Redirect"] = url_for("web.home")
    return answer


@pages.bp.after_request
def lead_back(response: Response) -> Response:
    """Lead back to the list whoever has just finished a step that he began there."""
    if request.method == "POST" and response.status_code == 303 and steps.finishes(request.endpoint):
        response.location = url_for("web.start")
    return response
