"""``ringtrail work``: the process that does background jobs."""

import logging

import click

from tracking import worker
from tracking.cli.installation import Installation, pass_installation


@click.command()
@click.option(
    "--beside", type=int, hidden=True, help="Process that started this one and ends it with itself."
)
@pass_installation
def work(installation: Installation, beside: int | None) -> None:
    """Do background jobs - imports and other long work - until stopped.

    `ringtrail serve` starts one by itself; with PostgreSQL, more of them share the jobs.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    worker.run(installation.engine, installation.settings, parent=beside)
