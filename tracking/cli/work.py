"""The processes that ``ringtrail serve`` starts beside itself: one does jobs, one answers pages."""

import logging

import click
from sqlalchemy.exc import SQLAlchemyError

from tracking import logs
from tracking.cli.installation import Installation, pass_installation
from tracking.storage import db, kept, running


@click.command()
@click.option(
    "--beside", type=int, hidden=True, help="Process that started this one and ends it with itself."
)
@pass_installation
def work(installation: Installation, beside: int | None) -> None:
    """Run background jobs, such as imports, until stopped.

    `ringtrail serve` starts a worker of its own. With PostgreSQL, several workers share the jobs.
    """
    from tracking import worker

    logs.begin(logging.INFO)
    settings = installation.settings
    with running.noted(settings.data_dir, waits=True):
        worker.run(installation.engine, settings, parent=beside)


@click.command("_pages")
@click.argument("lines")
@pass_installation
def pages(installation: Installation, lines: str) -> None:
    """Answer pages and the API over LINES, for the `ringtrail serve` that started this."""
    from tracking.app import close, create_app, settle
    from tracking.page_process import answer

    logs.begin(logging.WARNING)
    settings = installation.settings
    try:
        engine = installation.engine
    except SQLAlchemyError:
        engine = db.connect(settings)
    app = create_app(settings, engine, is_away=installation.away is not None)
    settle()
    with running.noted(settings.data_dir, waits=False), kept.Following(engine, settings):
        answer(app.wsgi_app, app.extensions["ringtrail"]["refused"], [int(line) for line in lines.split(",")])
    close(app)
