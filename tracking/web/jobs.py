"""Background jobs: which there are, how far each is, and how to stop one."""

from flask import flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response

from tracking.access import jobs
from tracking.storage.models import Job
from tracking.storage.vocabulary import JobState
from tracking.web.pages import MARKETERS, Pages, Work

_PAGE = 50


def add(pages: Pages) -> None:
    """Add the pages of jobs."""

    @pages.page("/jobs", MARKETERS)
    def job_list() -> str:
        with pages.reading() as session:
            rows = session.scalars(select(Job).order_by(Job.id.desc()).limit(_PAGE)).all()
            return render_template("jobs/list.html", jobs=rows, states=dict(state_words()))

    @pages.page("/jobs/<int:job_id>", MARKETERS)
    def job_page(job_id: int) -> Response:
        with pages.reading() as session:
            row = jobs.get(session, job_id)
            page = render_template("jobs/job.html", job=row, states=dict(state_words()), live=is_open(row))
            return watched(page, row)

    @pages.page("/jobs/<int:job_id>/stop", MARKETERS, methods=("POST",))
    def stop_job(job_id: int) -> Response:
        def work(job: Work) -> None:
            row = jobs.get(job.session, job_id)
            jobs.stop(job.session, row, at=job.at)
            job.note("job stop", f"{row.id}: {row.label}")

        pages.change(work)
        flash(gettext("The job is stopped. What it has done so far stays."))
        return redirect(url_for("web.job_page", job_id=job_id), 303)


def watched(page: str, job: Job) -> Response:
    """Answer with a page that follows a job; once it is over, who only asked how far it is gets all anew."""
    answer = make_response(page)
    if request.headers.get("HX-Request") and not is_open(job):
        answer.headers["HX-Refresh"] = "true"
    return answer


def is_open(job: Job) -> bool:
    """Tell whether a job still waits or runs."""
    return job.state in (JobState.waiting, JobState.running)


def state_words() -> list[tuple[str, str]]:
    """Return the states of a job with their names."""
    return [
        (JobState.waiting, gettext("waiting")),
        (JobState.running, gettext("running")),
        (JobState.done, gettext("done")),
        (JobState.failed, gettext("failed")),
        (JobState.stopped, gettext("stopped")),
    ]
