"""People in the data: one handed out or taken out, how long what is kept, the record of processing."""

import json
from pathlib import Path
from typing import Any

import click

from tracking import clock
from tracking.access import audit
from tracking.cli.installation import Installation, counted, json_option, pass_installation
from tracking.errors import Conflict
from tracking.keeping import erasure, people, processing, retention
from tracking.storage import db
from tracking.storage.files import private
from tracking.telephony import providers
from tracking.telephony.inbox import Inbox
from tracking.telephony.routing import Routing


@click.command()
@click.argument("person")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file (default: standard output).",
)
@pass_installation
def person_export(installation: Installation, person: str, output: Path | None) -> None:
    """Export all data of PERSON as JSON: a phone number, an email address, "contact 17" or "form 17"."""
    settings = installation.settings
    with db.reading(installation.engine) as session:
        found = people.by_text(session, person, settings.region)
        told = people.export(session, found, erasure.traces(session, settings, found).events)
    text = json.dumps(told, ensure_ascii=False, indent=2)
    with db.transaction(installation.engine) as session:
        whose = ", ".join(f"contact {number}" for number in sorted(found.contacts))
        audit.note(session, "terminal", "person export", whose, at=clock.now())
    if output is None:
        click.echo(text)
        return
    try:
        with open(output, "w", encoding="utf-8", opener=private) as file:
            file.write(text + "\n")
    except OSError as error:
        raise Conflict("%(path)s cannot be written: %(why)s", path=str(output), why=str(error)) from error
    click.echo(f"{output} holds all personal data of this person", err=True)


@click.command()
@click.argument("person")
@click.option("--dry-run", is_flag=True, help="Show what would be erased.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
@pass_installation
def person_erase(installation: Installation, person: str, dry_run: bool, yes: bool) -> None:
    """Erase PERSON for good, with a receipt: a phone number, an email address, "contact 17" or "form 17".

    Calls and touches stay without personal data, so the figures do not change.
    """
    settings, engine = installation.settings, installation.engine
    with db.reading(engine) as session:
        found = people.by_text(session, person, settings.region)
        told = people.summary(session, found)
        marks = erasure.traces(session, settings, found)
    names = ", ".join(told["names"]) or "Unnamed contact"
    firms = ", ".join(name or f"company {number}" for number, name in told["companies"])
    words = (
        f"{names}; of {firms or 'no company'}; {counted(told['calls'], 'call')}, "
        f"{counted(told['answers'], 'answer')}, {counted(told['forms'], 'form')}, "
        f"{counted(len(marks.events), 'provider event')}, {counted(len(marks.texts), 'text')}, "
        f"{counted(len(marks.files), 'file')}"
    )
    if dry_run:
        installation.tell(f"Would be erased: {words}", **told, reports=len(marks.events))
        return
    if not yes and not click.confirm(f"{words}. Erase this person permanently?", err=True):
        raise Conflict("nothing was changed")
    box = Inbox(engine, settings, Routing(settings), providers.interpreters(), clock.now)
    row = erasure.erase(
        engine,
        settings,
        lambda session: people.by_text(session, person, settings.region),
        by="terminal",
        at=clock.now(),
        drain=box.drain,
    )
    gone = ", ".join(f"{count} {name}" for name, count in row.removed.items() if count)
    installation.tell(
        f"Receipt {row.receipt} of {row.at:%Y-%m-%d %H:%M} UTC: {gone}",
        receipt=row.receipt,
        at=row.at,
        by=row.by,
        removed=row.removed,
    )


@click.command()
@click.option(
    "--apply", "confirmed", type=int, metavar="COUNT", help="Delete the COUNT records that are due."
)
@json_option
@pass_installation
def retention_command(installation: Installation, confirmed: int | None) -> None:
    """Show what is past its retention period; nothing is changed without --apply.

    Set the periods with RINGTRAIL_KEEP_EVENTS_DAYS and RINGTRAIL_KEEP_NUMBERS_DAYS. The worker deletes what
    is due every day, unless it is more than a fifth of a class, or all of it.
    """
    settings, engine = installation.settings, installation.engine
    if confirmed is None:
        with db.reading(engine) as session:
            every = retention.plan(session, settings, at=clock.now())
        rows: list[dict[str, Any]] = [
            {"what": o.name, "days": o.days or "forever", "kept": o.total, "due": o.due} for o in every
        ]
        heads = {"what": "What", "days": "Retention (days)", "kept": "Stored", "due": "Due for deletion"}
        installation.show(rows, heads)
        return
    with db.reading(engine) as session:
        whole = sum(one.due for one in retention.plan(session, settings, at=clock.now()))
    if whole != confirmed:
        raise Conflict(
            "%(due)s records are due for deletion, not %(told)s; check the list again",
            due=whole,
            told=confirmed,
        )
    gone = retention.apply(engine, settings, at=clock.now(), by="terminal", confirmed=confirmed)
    told = ", ".join(f"{count} {name}" for name, count in gone.items()) or "nothing"
    installation.tell(f"deleted: {told}", **gone)


@click.command()
@pass_installation
def privacy(installation: Installation) -> None:
    """Print the record of processing activities: what is stored, why, for how long and who sees it."""
    with db.reading(installation.engine) as session:
        parts = processing.record(session, installation.settings, at=clock.now())
    for title, lines in parts:
        click.echo(f"\n{title}\n")
        for name, text in lines:
            click.echo(f"- {name}: {text}")
