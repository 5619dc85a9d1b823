"""What rings at whoever has a page open, and the switch by which he says that calls shall not."""

from flask import Response, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as AnyResponse

from tracking.access import users
from tracking.telephony import bell as bells
from tracking.web import forms, pages
from tracking.web.pages import REPS, Work, user


@pages.page(bells.PATH, REPS)
def bell() -> Response:
    """Tell what rings at once; on our own server a browser that is known waits there, not here."""
    found = pages.bell().listen(
        request.headers.get("Cookie", ""),
        current_user.session_token,
        user().id,
        away=user().away,
        calls=bells.calls_of(request.args.get("calls", "")),
    )
    if request.args.get("mark") == found.mark:
        return Response(status=204)
    return Response(found.body, mimetype="application/json", headers={"ETag": f'"{found.mark}"'})


@pages.page("/away", REPS, methods=("POST",))
def away() -> AnyResponse:
    """Let calls ring at others, or here again."""

    def work(job: Work) -> None:
        row = users.get(job.session, job.user.id)
        row.away = forms.flag("away")
        job.note("user away" if row.away else "user back", row.email)

    pages.change(work)
    pages.bell().nudge()
    return redirect(pages.came_from() or url_for("web.desk"), 303)
