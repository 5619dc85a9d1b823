"""The ``ringtrail`` command: everything the service does, from a terminal."""

import click
from sqlalchemy.exc import SQLAlchemyError

from attribution import JourneyError
from tracking.cli import admin, numbers, report
from tracking.cli.installation import fail
from tracking.errors import Conflict, Invalid, NotFound


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ringtrail")
def ringtrail() -> None:
    """Find out which advertising makes the telephone ring, and what it earns.

    Settings come from RINGTRAIL_… variables; `ringtrail doctor` shows them. Exit codes: 0 done, 1 done with
    findings (rows refused, something needs attention), 2 not done.
    """


for command in (
    admin.database,
    admin.doctor,
    admin.inbox,
    admin.key,
    admin.serve,
    admin.token,
    numbers.campaign,
    numbers.material,
    numbers.number,
    report.export,
    report.rate_command,
    report.report,
):
    ringtrail.add_command(command)


def main() -> None:
    """Run the command; what can be put right by the user ends in one line, not in a traceback."""
    try:
        ringtrail()
    except (Invalid, NotFound, Conflict, JourneyError) as error:
        fail(str(error))
    except SQLAlchemyError as error:
        fail(f"database: {str(error).splitlines()[0]}; `ringtrail doctor` may say more")
