"""Background jobs: which there are, how far each is, and how to stop one."""

from flask import Response as Answer
from flask import flash, redirect, render_template, url_for
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response

from tracking.access import jobs
from tracking.errors import RateMissing
from tracking.language.words import job_state_words
from tracking.reporting.snapshots import Preparing
from tracking.storage.models import Job
from tracking.web import pages
from tracking.web.pages import EVERYONE, MARKETERS, Work

_PAGE = 50


@pages.page("/jobs", MARKETERS)
def job_list() -> str:
    with pages.reading() as session:
        rows = session.scalars(select(Job).order_by(Job.id.desc()).limit(_PAGE)).all()
        return render_template("jobs/list.html", jobs=rows, states=dict(job_state_words()))


@pages.page("/jobs/<int:job_id>", MARKETERS)
def job_page(job_id: int) -> Response:
    with pages.reading() as session:
        row = jobs.get(session, job_id)
        page = render_template(
            "jobs/job.html", job=row, states=dict(job_state_words()), live=jobs.is_open(row)
        )
        return pages.follow(page, row)


@pages.page("/jobs/<int:job_id>/stop", MARKETERS, methods=("POST",))
def stop_job(job_id: int) -> Response:
    def work(job: Work) -> None:
        row = jobs.get(job.session, job_id)
        jobs.stop(job.session, row, at=job.at)
        job.note("job stop", f"{row.id}: {row.kind}")

    pages.change(work)
    flash(gettext("Job stopped. Work already done is kept."))
    return redirect(url_for("web.job_page", job_id=job_id), 303)


@pages.page("/figures/ready", EVERYONE)
def figures_ready() -> Answer:
    """Tell a page of figures that newer ones are there; while they are being worked out, nothing."""
    with pages.reading() as session:
        try:
            waits = jobs.is_importing(session) or pages.current_snapshot(session).stale
        except (Preparing, RateMissing):
            waits = True
    return Answer(status=204) if waits else Answer("ready", mimetype="text/plain")
