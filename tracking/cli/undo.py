"""Undoing imports on the command line."""

import click
from sqlalchemy import select

from tracking import clock
from tracking.cli.installation import IDENTIFIER, Installation, json_option, pass_installation
from tracking.imports import undo as undoing
from tracking.language.words import import_kind_words
from tracking.storage import db
from tracking.storage.models import ImportRun

_LISTED = 50
_TABLES = {
    "account": "companies",
    "answer": "answers",
    "call": "calls",
    "campaign": "campaigns",
    "contact": "contacts",
    "contact_point": "contact numbers and email addresses",
    "cost": "costs",
    "visit_count": "numbers of web visits",
    "deal": "deals",
    "touch": "touches",
}
_WHY = {
    "edited": "changed since",
    "imported": "changed by a later import",
    "needed": "belongs to a record that is kept",
    "value": "changed since, so not reverted",
}


@click.command("list")
@json_option
@pass_installation
def list_command(installation: Installation) -> None:
    """List the imports so far, the latest first, and which can be undone."""
    at = clock.now()
    with db.reading(installation.engine) as session:
        latest = session.scalars(select(ImportRun).order_by(ImportRun.id.desc()).limit(_LISTED))
        rows = [
            {
                "import": row.id,
                "at": row.finished_at,
                "kind": row.kind,
                "file": row.file_name,
                "created": row.created,
                "updated": row.updated,
                "undone": row.undone_at,
                "can_be_undone": undoing.can_be_undone(row, at),
            }
            for row in latest
        ]
    headings = {"import": "Import", "at": "When (UTC)", "kind": "Kind", "file": "File"}
    headings |= {"created": "Created", "updated": "Updated", "undone": "Undone (UTC)"}
    installation.show(
        rows, headings | {"can_be_undone": "Can be undone"}, words={"kind": import_kind_words()}
    )


@click.command("undo")
@click.argument("number", metavar="IMPORT", type=IDENTIFIER)
@click.option("--dry-run", is_flag=True, help="Only show what would be deleted, reverted and kept.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
@pass_installation
def undo_command(installation: Installation, number: int, dry_run: bool, yes: bool) -> None:
    """Undo IMPORT, by its number in `ringtrail import list`.

    Possible for 30 days. Records that were changed since are kept and named.
    """
    with db.reading(installation.engine) as session:
        plan = undoing.plan(session, number, at=clock.now())
        file = plan.run.file_name
    if not installation.as_json:
        _tell(plan, file)
        if not dry_run and not yes:
            click.confirm("Undo this import?", abort=True)
    if not dry_run:
        plan = db.commit(installation.engine, lambda session: undoing.undo(session, number, at=clock.now()))
    if installation.as_json:
        installation.tell_json(
            {
                "import": number,
                "undone": not dry_run,
                "going": plan.going,
                "restored": plan.restored,
                "staying": plan.staying,
                "named": [{"table": s.table, "name": s.name, "why": s.why} for s in plan.named],
            }
        )
    elif not dry_run:
        click.echo(f"import {number} undone")


def _tell(plan: undoing.Plan, file: str) -> None:
    click.echo(f"{file}:")
    for what, rows in (("deleted", plan.going), ("reverted", plan.restored)):
        for table, count in rows.items():
            click.echo(f"  {_TABLES[table]}: {count} {what}")
    for table, count in plan.staying.items():
        click.echo(f"  {_TABLES[table]}: {count} kept")
    for stay in plan.named:
        click.echo(f"    {_TABLES[stay.table]}, {stay.name!r}: {_WHY[stay.why]}")
    if not (plan.going or plan.restored):
        click.echo("  nothing is left of it to undo")
