"""Forms from the supplier's websites on the command line: listed, shown, and marked as spam."""

from datetime import date, datetime, time, timedelta
from typing import Any

import click

from tracking import clock
from tracking.access import audit
from tracking.cli.installation import IDENTIFIER, Day, Installation, Whole, json_option, pass_installation
from tracking.records import contacts, sites, web_forms
from tracking.storage import db, phone
from tracking.storage.models import WebForm
from tracking.storage.vocabulary import FormState

_BY = "terminal"
_STATES = {"counted": "counted", "nobody": "sender unknown", "spam": "spam"}


@click.command("list")
@click.option("--site", help="Only those of this website.")
@click.option("--state", type=click.Choice(list(FormState)), help="Only those of this status.")
@click.option("--from", "first", type=Day(), help="First day.")
@click.option("--to", "last", type=Day(), help="Last day.")
@click.option(
    "--limit",
    type=Whole(1, 10_000),
    default=50,
    show_default=True,
    help="At most so many, the latest.",
)
@json_option
@pass_installation
def form_list(
    installation: Installation,
    /,
    site: str | None,
    state: str | None,
    first: date | None,
    last: date | None,
    limit: int,
) -> None:
    """List forms from your websites, the latest first; addresses and numbers in part."""
    zone = installation.settings.zone

    def begins(day: date | None) -> datetime | None:
        return datetime.combine(day, time(), zone) if day else None

    with db.reading(installation.engine) as session:
        wanted = web_forms.listed(
            state=FormState(state) if state else None,
            site_id=sites.get(session, site).id if site else None,
            since=begins(first),
            until=begins(last + timedelta(days=1) if last else None),
        )
        rows = [
            {
                "id": row.id,
                "received": row.received_at,
                "site": row.site.name,
                "page": row.page,
                "state": row.state,
                "company": contacts.account_of(session, row.contact).name if row.contact else None,
                "source": _source(row),
                "email": phone.partly((row.told or {}).get("email")),
                "phone": phone.partly((row.told or {}).get("phone")),
            }
            for row in session.scalars(wanted.limit(limit))
        ]
    named = {"id": "Form", "received": "Received (UTC)", "site": "Website", "page": "Page", "state": "Status"}
    named |= {"company": "Company", "source": "Source", "email": "Email", "phone": "Phone"}
    installation.show(rows, named, words={"state": _STATES})


@click.command("show")
@click.argument("form_id", metavar="NUMBER", type=IDENTIFIER)
@click.option("--full", is_flag=True, help="Address and number in full; this goes on the audit trail.")
@json_option
@pass_installation
def form_show(installation: Installation, /, form_id: int, full: bool) -> None:
    """Show what the form NUMBER says."""
    with db.transaction(installation.engine) as session:
        row = web_forms.find(session, form_id)
        meant: dict[str, str | None] = {**(row.told or {})}
        # A field that is only called like one whose meaning is known does not hide it.
        fields = meant | {**(row.others or {})} | meant
        if full and fields:
            audit.note(session, _BY, "number show", f"form {form_id}", at=clock.now())
        elif not full:
            fields |= {name: phone.partly(fields[name]) for name in ("email", "phone") if name in fields}
        told: dict[str, Any] = {
            "id": row.id,
            "received": row.received_at,
            "site": row.site.name,
            "page": row.page,
            "state": row.state,
            "spam_signs": row.spam_signs,
            "source": _source(row),
            "fields": None if web_forms.is_emptied(row) else fields,
        }
    if installation.as_json:
        installation.tell_json(told)
        return
    click.echo(
        f"form {form_id}, {told['received']:%Y-%m-%d %H:%M} UTC, {told['page']}: {_STATES[told['state']]}"
    )
    if told["fields"] is None:
        click.echo("what was entered has been deleted")
    for name, value in (told["fields"] or {}).items():
        click.echo(f"{name}: {value}")


@click.command("spam")
@click.argument("form_id", metavar="NUMBER", type=IDENTIFIER)
@click.option("--undo", is_flag=True, help="Undo the spam mark instead.")
@json_option
@pass_installation
def form_spam(installation: Installation, /, form_id: int, undo: bool) -> None:
    """Mark the form NUMBER as spam: it stays and counts nowhere."""
    with db.transaction(installation.engine) as session:
        row = web_forms.get(session, form_id)
        (web_forms.unmark if undo else web_forms.mark)(session, row)
        audit.note(session, _BY, "form no spam" if undo else "form spam", f"form {form_id}", at=clock.now())
        state = row.state
    installation.tell(f"form {form_id}: {_STATES[state]}", id=form_id, state=state)


def _source(row: WebForm) -> str | None:
    if row.touch is None:
        return None
    return row.touch.campaign.name if row.touch.campaign else row.touch.channel
