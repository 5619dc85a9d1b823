"""The newest market in which moves of budget were tried, and where it does not match the data."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking.access import jobs
from tracking.reporting.simulations import Archive
from tracking.storage.models import Job
from tracking.storage.vocabulary import JobState
from tracking.web import pages
from tracking.web.scenario_words import figure_words

_LOOKED_AT = 20


def latest(session: Session) -> tuple[Job | None, Job | None, dict[str, Any] | None]:
    """Return the job that tries moves now, one that failed since the newest result, and that result."""
    query = select(Job).where(Job.kind == "decide").order_by(Job.id.desc()).limit(_LOOKED_AT)
    running, failed, archive = None, None, Archive(pages.settings().data_dir)
    for job in session.scalars(query):
        if jobs.is_open(job):
            running = running or job
        elif job.state == JobState.failed:
            failed = failed or job
        elif job.state == JobState.done and (result := archive.get(job.arguments["token"])):
            return running, failed, result | {"job_id": job.id, "made_at": job.created_at}
    return running, failed, None


def misfits(found: dict[str, Any]) -> list[str]:
    """Return the figures in which the market that moves were tried in does not match our data."""
    from simulator.fitting import poor

    words = figure_words()
    return [words.get(name, name) for name in poor({**found["fitted"], **found["held_out"]})]


def latest_misfits(session: Session) -> list[str]:
    """Return the same of the newest market that moves were tried in; nothing where there is none."""
    found = latest(session)[2]
    return misfits(found) if found else []
