"""People in the data: one handed out or taken out, how long what is kept, the record of processing."""

import json
from pathlib import Path
from typing import Any

import click

from tracking import clock
from tracking.access import audit
from tracking.cli.installation import Installation, json_option, pass_installation
from tracking.errors import Conflict
from tracking.keeping import erasure, people, processing, retention
from tracking.storage import db
from tracking.telephony import providers
from tracking.telephony.inbox import Inbox
from tracking.telephony.routing import Routing


@click.command()
@click.argument("person")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="By default printed.")
@pass_installation
def person_export(installation: Installation, person: str, output: Path | None) -> None:
    """Hand out all that is kept of PERSON, a telephone number, an e-mail address or "contact 17", as JSON."""
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
    output.write_text(text + "\n", encoding="utf-8")
    click.echo(f"{output} holds all that is kept of this person", err=True)


@click.command()
@click.argument("person")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_installation
def person_erase(installation: Installation, person: str, dry_run: bool, yes: bool) -> None:
    """Take PERSON out for good: a telephone number, an e-mail address or "contact 17"; prints a receipt.

    Calls and touches stay without the person, so the figures do not change.
    """
    settings, engine = installation.settings, installation.engine
    with db.reading(engine) as session:
        found = people.by_text(session, person, settings.region)
        told = people.summary(session, found)
        marks = erasure.traces(session, settings, found)
    names = ", ".join(told["names"]) or "no name is known"
    firms = ", ".join(name or f"company {number}" for number, name in told["companies"])
    words = (
        f"{names}; of {firms or 'no company'}; {told['calls']} calls, {told['answers']} answers, "
        f"{len(marks.events)} reports of providers, {len(marks.texts)} texts, {len(marks.files)} files"
    )
    if dry_run:
        installation.tell(f"Would be taken out: {words}", **told, reports=len(marks.events))
        return
    if not yes and not click.confirm(f"{words}. Take this person out for good?", err=True):
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
@click.option("--apply", "confirmed", type=int, metavar="COUNT", help="Take out COUNT records, as it says.")
@json_option
@pass_installation
def retention_command(installation: Installation, confirmed: int | None) -> None:
    """Say what is kept for longer than was chosen; nothing is changed without --apply.

    RINGTRAIL_KEEP_EVENTS_DAYS and RINGTRAIL_KEEP_NUMBERS_DAYS choose. The worker does it each day by itself,
    unless it is more than a fifth of its kind.
    """
    settings, engine = installation.settings, installation.engine
    if confirmed is None:
        with db.reading(engine) as session:
            every = retention.plan(session, settings, at=clock.now())
        rows: list[dict[str, Any]] = [
            {"what": o.name, "days": o.days or "for ever", "kept": o.total, "due": o.due} for o in every
        ]
        heads = {"what": "What", "days": "Kept for (days)", "kept": "Kept", "due": "Would go"}
        installation.show(rows, heads)
        return
    with db.reading(engine) as session:
        whole = sum(one.due for one in retention.plan(session, settings, at=clock.now()))
    if whole != confirmed:
        raise Conflict("%(due)s records would go, not %(told)s; look once more", due=whole, told=confirmed)
    gone = retention.apply(engine, settings, at=clock.now(), by="terminal", confirmed=confirmed)
    told = ", ".join(f"{count} {name}" for name, count in gone.items()) or "nothing"
    installation.tell(f"taken out: {told}", **gone)


@click.command()
@pass_installation
def privacy(installation: Installation) -> None:
    """Print the record of processing: what is kept of whom, why, for how long, who sees it."""
    with db.reading(installation.engine) as session:
        parts = processing.record(session, installation.settings, at=clock.now())
    for title, lines in parts:
        click.echo(f"\n{title}\n")
        for name, text in lines:
            click.echo(f"- {name}: {text}")
