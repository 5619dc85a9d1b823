"""``ringtrail work``: the process that does background jobs."""

import logging

import click

from tracking import logs, worker
from tracking.cli.installation import Installation, pass_installation
from tracking.storage import running


@click.command()
@click.option(
    "--beside", type=int, hidden=True, help="Process that started this one and ends it with itself."
)
@pass_installation
def work(installation: Installation, beside: int | None) -> None:
    """Run background jobs, such as imports, until stopped.

    `ringtrail serve` starts a worker of its own. With PostgreSQL, several workers share the jobs.
    """
    logs.begin(logging.INFO)
    settings = installation.settings
    with running.noted(settings.data_dir, waits=True):
        worker.run(installation.engine, settings, parent=beside)
