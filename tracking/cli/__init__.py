"""The ``ringtrail`` command: everything the service does, from a terminal."""

from importlib import import_module

import click
from sqlalchemy.exc import SQLAlchemyError

from attribution import JourneyError
from reports.extras import DocumentsMissing
from tracking.cli.installation import fail
from tracking.errors import Conflict, Invalid, NotFound

# Where each command is written; read only when it is called, since the numerical libraries that some of
# them need take longer to load than most of the others take to run.
_COMMANDS = {
    "attribute": "attribute:attribute_command",
    "calibrate": "simulate:calibrate",
    "campaign": "numbers:campaign",
    "db": "admin:database",
    "demo": "admin:demo",
    "doctor": "admin:doctor",
    "explain": "attribute:explain_command",
    "export": "report:export",
    "import": "imports:group",
    "inbox": "admin:inbox",
    "key": "admin:key",
    "material": "numbers:material",
    "number": "numbers:number",
    "rate": "report:rate_command",
    "replay": "replay:replay_command",
    "report": "report:report",
    "score": "simulate:score",
    "serve": "admin:serve",
    "simulate": "simulate:simulate",
    "size-desk": "sizing:size_desk",
    "size-pool": "sizing:size_pool",
    "token": "admin:token",
    "user": "users:user",
    "work": "work:work",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command = getattr(import_module(f"tracking.cli.{module}"), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ringtrail")
def ringtrail() -> None:
    """Find out which advertising makes the telephone ring, and what it earns.

    Settings come from RINGTRAIL_… variables; `ringtrail doctor` shows them. Exit codes: 0 done, 1 done with
    findings (rows refused, something needs attention), 2 not done.
    """


def main() -> None:
    """Run the command; what can be put right by the user ends in one line, not in a traceback."""
    try:
        ringtrail()
    except (Invalid, NotFound, Conflict, JourneyError, DocumentsMissing) as error:
        fail(str(error))
    except SQLAlchemyError as error:
        fail(f"database: {str(error).splitlines()[0]}; `ringtrail doctor` may say more")
