"""The ``ringtrail`` command: everything the service does, from a terminal."""

import ast
import gc
import os
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click

from tracking.cli.installation import fail
from tracking.errors import Conflict, Invalid, NotFound


class Commands(click.Group):
    """A group that knows where each command is written, and runs its module only when it is called.

    The libraries that some commands need take longer to load than most others take to run. What a command
    is for is read from the source of its module.
    """

    def __init__(self, purpose: str, places: Mapping[str, "str | Commands"], **options: Any) -> None:
        super().__init__(help=purpose, **options)
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they are given; our own processes start those with _."""
        return [name for name in self.places if not name.startswith("_")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Read the command's module."""
        place = self.places.get(cmd_name)
        if not isinstance(place, str):
            return place
        module, _, function = place.partition(":")
        command = getattr(import_module(f"tracking.cli.{module}"), function)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say what each command is for, without reading its module."""
        room = formatter.width - 6 - max(map(len, self.places))
        listed = [click.Command(name, help=_purpose(self.places[name])) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(str(one.name), one.get_short_help_str(room)) for one in listed])


def _purpose(place: str | Commands) -> str:
    if isinstance(place, Commands):
        return place.help or ""
    module, _, function = place.partition(":")
    spec = find_spec(f"tracking.cli.{module}")
    source = getattr(spec and spec.loader, "get_source", lambda _: None)(f"tracking.cli.{module}")
    written = (node for node in ast.parse(source or "").body if isinstance(node, ast.FunctionDef))
    return next((ast.get_docstring(node) or "" for node in written if node.name == function), "")


@click.pass_context
def _new_key(context: click.Context) -> None:
    from tracking.storage.keys import new_master_key

    if context.invoked_subcommand is None:
        click.echo(new_master_key())


ringtrail = Commands(
    """Find out which marketing makes the phone ring, and what it earns.

    Settings come from RINGTRAIL_… variables; `ringtrail doctor` shows them. Exit codes: 0 success, 1
    finished with problems (rejected rows, something needs attention), 2 failed.
    """,
    {
        "answer": Commands(
            'Add answers to "How did you hear about us?", and match their words with sources.',
            {name: f"answers:answer_{name}" for name in ("add", "match", "words")},
        ),
        "attribute": "attribute:attribute_command",
        "backup": Commands(
            "Create, verify and restore encrypted backups.",
            {name: f"backup:{name}" for name in ("create", "restore", "verify")},
        ),
        "campaign": Commands(
            "Manage campaigns.",
            {"add": "numbers:campaign_add", "list": "numbers:campaign_list"},
        ),
        "db": Commands("Manage the database.", {"upgrade": "admin:upgrade"}),
        "demo": "admin:demo",
        "doctor": "admin:doctor",
        "experiment": Commands(
            "Pause advertising for some weeks and see which leads are missing.",
            {
                name: f"experiment:experiment_{name}"
                for name in ("add", "cancel", "end", "list", "plan", "read", "simulate", "start")
            },
        ),
        "explain": "attribute:explain_command",
        "export": "report:export",
        "form": Commands(
            "List the forms from your websites, and mark spam.",
            {name: f"web_forms:form_{name}" for name in ("list", "show", "spam")},
        ),
        "import": Commands(
            """Import call records, call logs, deals, costs, touches and web visits.

            Use - as FILE for standard input. You can import a file again: existing records are skipped.
            Exit codes: 0 all rows imported, 1 rows rejected, 2 the file or an option is not valid.
            """,
            {
                name: f"imports:{name}"
                for name in ("calls", "cdr", "costs", "deals", "supplier", "template", "touches", "visits")
            }
            | {"list": "undo:list_command", "undo": "undo:undo_command"},
        ),
        "inbox": Commands(
            "Manage stored provider events.",
            {"drain": "admin:inbox_drain", "replay": "admin:inbox_replay"},
        ),
        "key": Commands(
            """Print a new master key for RINGTRAIL_KEY, or change the key of an installation.

            Store it separately from the database and its backups.
            """,
            {name: f"keys:{name}" for name in ("reseal", "retire", "rotate")},
            invoke_without_command=True,
            callback=_new_key,
        ),
        "link": Commands(
            "Manage short links, which lead to your website with a campaign's UTM tags.",
            {name: f"links:link_{name}" for name in ("add", "change", "list")},
        ),
        "market": Commands(
            "Build a market from your own data, and find out which move of budget is good in it.",
            {"fit": "market:fit", "decide": "market:decide"},
        ),
        "material": Commands(
            "Manage assets, the pieces of a campaign that carry numbers.", {"add": "numbers:material_add"}
        ),
        "number": Commands(
            "Manage tracking numbers and their assignment to assets.",
            {
                name: f"numbers:number_{name.replace('-', '_')}"
                for name in ("add", "assign", "list", "main-line", "release", "sheet", "strays")
            },
        ),
        "person": Commands(
            "Export or erase the personal data of one person.",
            {name: f"people:person_{name}" for name in ("erase", "export")},
        ),
        "privacy": "people:privacy",
        "rate": "report:rate_command",
        "replay": "replay:replay_command",
        "report": Commands(
            "Report what campaigns cost and earned.",
            {
                "answers": "answers:answers_command",
                "document": "document:document_command",
                "kpis": "report:kpis_command",
                "landing": "report:landing_command",
                "model": "report:model_command",
                "roi": "report:roi_command",
            },
        ),
        "retention": "people:retention_command",
        "score": "score:score",
        "serve": "admin:serve",
        "simulate": "simulate:simulate",
        "site": Commands(
            "Manage websites, and the pools of numbers that their visitors are shown.",
            {name: f"sites:site_{name}" for name in ("add", "change", "list", "pool", "show")},
        ),
        "size-desk": "sizing:size_desk",
        "size-pool": "sizing:size_pool",
        "token": Commands(
            "Manage API tokens.", {name: f"admin:token_{name}" for name in ("add", "list", "revoke")}
        ),
        "user": Commands(
            "Manage users.",
            {name: f"users:user_{name}" for name in ("add", "list", "rescue")},
        ),
        "visits": Commands(
            "Show where web visits come from, and match them with campaigns.",
            {name: f"visits:visits_{name}" for name in ("match", "remove", "show", "unmatched")},
        ),
        "work": "work:work",
        "_pages": "work:pages",
    },
    context_settings={"help_option_names": ["-h", "--help"]},
)
click.version_option(package_name="ringtrail")(ringtrail)


def main() -> None:
    """Run the command; what can be put right by the user ends in one line, not in a traceback."""
    # What it writes holds callers' numbers, and keys.
    os.umask(0o077)
    # What is made while libraries load stays; looking for garbage in it took an eighth of the start.
    gc.set_threshold(50_000)
    try:
        ringtrail()
    except (Invalid, NotFound, Conflict) as error:
        fail(str(error))
    except Exception as error:
        # Not at the top: whatever raised one of these has loaded its library, and --help needs neither.
        from sqlalchemy.exc import SQLAlchemyError

        from attribution import JourneyError
        from reports.extras import DocumentsMissing

        if isinstance(error, JourneyError | DocumentsMissing):
            fail(str(error))
        if isinstance(error, SQLAlchemyError):
            fail(f"database: {str(error).splitlines()[0]}; run `ringtrail doctor` for details")
        if isinstance(error, OSError) and error.filename is not None:
            fail(f"{error.filename}: {error.strerror}; check the path and its permissions")
        raise
