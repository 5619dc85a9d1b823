"""Campaigns, ad material and tracking numbers on the command line."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from tracking import clock
from tracking.cli.installation import Day, Installation, Moment, json_option, pass_installation
from tracking.language import formatting
from tracking.records import campaigns as domain
from tracking.reporting import number_sheets
from tracking.storage import db
from tracking.storage.models import AdMaterial, Campaign, TrackingNumber
from tracking.storage.vocabulary import Direction, Medium
from tracking.telephony import numbers


@click.command("add")
@click.argument("name")
@click.option("--channel", required=True, help="Such as search, directory, fair, print, email, referral.")
@click.option("--direction", type=click.Choice(list(Direction)), default=Direction.inbound, show_default=True)
@click.option("--objective", default="", help="What it is for, in words.")
@click.option("--starts-on", type=Day())
@click.option("--ends-on", type=Day())
@json_option
@pass_installation
def campaign_add(installation: Installation, /, name: str, channel: str, **details: Any) -> None:
    """Add campaign NAME."""
    with db.transaction(installation.engine) as session:
        row = domain.add(session, name, channel, at=clock.now(), **details)
    installation.tell(f"campaign {row.name!r} added", id=row.id, name=row.name)


@click.command("list")
@json_option
@pass_installation
def campaign_list(installation: Installation) -> None:
    """List campaigns with their ad material."""
    with db.reading(installation.engine) as session:
        rows = [
            {
                "campaign": row.name,
                "channel": row.channel,
                "material": [material.name for material in row.materials],
            }
            for row in session.scalars(select(Campaign).order_by(Campaign.name))
        ]
    installation.show(rows, {"campaign": "Campaign", "channel": "Channel", "material": "Ad material"})


@click.command("add")
@click.argument("campaign_name", metavar="CAMPAIGN")
@click.argument("name")
@click.option(
    "--medium", type=click.Choice(list(Medium)), required=True, help="Decides how long its number rests."
)
@click.option("--kind", default="other", help="Such as catalogue, stand, landing page.")
@click.option("--edition")
@click.option("--print-run", type=int)
@click.option("--issued-on", type=Day())
@click.option("--expires-on", type=Day())
@json_option
@pass_installation
def material_add(installation: Installation, /, campaign_name: str, name: str, **details: Any) -> None:
    """Add ad material NAME to CAMPAIGN."""
    with db.transaction(installation.engine) as session:
        owner = domain.get(session, campaign_name)
        row = domain.add_material(session, owner, name, at=clock.now(), **details)
    installation.tell(f"ad material {row.name!r} added to {campaign_name!r}", id=row.id, name=row.name)


@click.command("add")
@click.argument("e164", metavar="NUMBER")
@click.option("--destination", help="Number that rings; by default RINGTRAIL_DEFAULT_DESTINATION.")
@click.option(
    "--provider", default="twilio", show_default=True, help="Who carries it; cdr for an exchange of your own."
)
@click.option("--label", default="")
@json_option
@pass_installation
def number_add(
    installation: Installation, e164: str, destination: str | None, provider: str, label: str
) -> None:
    """Put NUMBER into the inventory."""
    with db.transaction(installation.engine) as session:
        row = numbers.add(
            session,
            e164,
            at=clock.now(),
            provider=provider,
            destination=destination,
            label=label,
            region=installation.settings.region,
        )
    installation.tell(f"{row.number} is in the inventory", number=row.number)


@click.command("list")
@json_option
@pass_installation
def number_list(installation: Installation) -> None:
    """List numbers with what they are on, or until when they rest."""
    now = clock.now()
    rows = []
    with db.reading(installation.engine) as session:
        for row in session.scalars(select(TrackingNumber).order_by(TrackingNumber.number)):
            standing = numbers.standing(row, row.assignments, now)
            held = standing.assignment
            rows.append(
                {
                    "number": row.number,
                    "state": standing.life,
                    "campaign": held.ad_material.campaign.name if held else None,
                    "material": held.ad_material.name if held else None,
                    "since": held.starts_at if held else None,
                    "rests_until": held.quarantined_until if held else None,
                    "destination": row.destination,
                }
            )
    headings = {
        "number": "Number",
        "state": "State",
        "campaign": "Campaign",
        "material": "Ad material",
        "since": "Since (UTC)",
        "rests_until": "Rests until",
        "destination": "Rings at",
    }
    installation.show(rows, headings)


@click.command("strays")
@click.option("--from", "since", type=Moment(), help="By default a year ago.")
@click.option("--to", "until", type=Moment(), help="By default now.")
@json_option
@pass_installation
def number_strays(installation: Installation, since: datetime | None, until: datetime | None) -> None:
    """List calls to numbers that were on no ad material when they rang: at rest, free, or not ours."""
    until = until or clock.now()
    since = since or until - timedelta(days=365)
    with db.reading(installation.engine) as session:
        rows = [
            {
                "number": stray.dialled,
                "why": stray.life or "not in the inventory",
                "calls": stray.calls,
                "last": stray.last_at,
                "campaign": stray.former.ad_material.campaign.name if stray.former else None,
                "material": stray.former.ad_material.name if stray.former else None,
            }
            for stray in numbers.strays(session, since, until)
        ]
    headings = {"number": "Dialled", "why": "Why credited to nobody", "calls": "Calls", "last": "Last (UTC)"}
    installation.show(rows, headings | {"campaign": "Formerly", "material": "Ad material"})


@click.command("assign")
@click.argument("e164", metavar="[NUMBER]", required=False)
@click.option("--campaign", "campaign_name", required=True)
@click.option("--material", "material_name", required=True)
@click.option(
    "--from", "starts_at", type=Moment(), help="By default now; a past moment credits the calls since then."
)
@click.option("--to", "ends_at", type=Moment(), help="For history: when the number was taken off again.")
@json_option
@pass_installation
def number_assign(
    installation: Installation,
    e164: str | None,
    campaign_name: str,
    material_name: str,
    starts_at: datetime | None,
    ends_at: datetime | None,
) -> None:
    """Put NUMBER, or without it the next free one, on ad material."""
    now = clock.now()
    with db.transaction(installation.engine) as session:
        piece: AdMaterial = domain.material(session, campaign_name, material_name)
        if e164 is None:
            row = numbers.assign_next_free(session, piece, at=starts_at or now)
        else:
            found = numbers.get(session, e164, installation.settings.region)
            row = numbers.assign(session, found, piece, starts_at=starts_at or now, ends_at=ends_at)
        name = row.tracking_number.number
    installation.tell(
        f"{name} is on {material_name!r} of {campaign_name!r} from {row.starts_at}", number=name
    )


@click.command("sheet")
@click.argument("e164", metavar="NUMBER")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="PDF to write."
)
@click.option(
    "--language",
    type=click.Choice(list(formatting.LANGUAGES)),
    default="en",
    show_default=True,
    help="Language of the sheet.",
)
@pass_installation
def number_sheet(installation: Installation, e164: str, output: Path, language: str) -> None:
    """Write the sheet of NUMBER for the printer: the number, its QR codes and what to check."""
    settings = installation.settings
    with db.reading(installation.engine) as session, formatting.speaking(settings, language):
        found = numbers.get(session, e164, settings.region)
        held = next((a for a in found.assignments if a.ends_at is None), None)
        content = number_sheets.pdf(session, settings, [(found, held)])
    output.write_bytes(content)
    click.echo(f"{output}: {len(content):,} bytes")


@click.command("release")
@click.argument("e164", metavar="NUMBER")
@click.option("--at", "at", type=Moment(), help="By default now.")
@json_option
@pass_installation
def number_release(installation: Installation, e164: str, at: datetime | None) -> None:
    """Take NUMBER off its ad material; it goes on ringing and rests before it is used again."""
    now = clock.now()
    with db.transaction(installation.engine) as session:
        found = numbers.get(session, e164, installation.settings.region)
        held = next((a for a in found.assignments if a.ends_at is None), None)
        if held is None:
            raise click.UsageError(f"{found.number} is on no ad material")
        row = numbers.release(session, held, at=at or now)
    until = row.quarantined_until
    installation.tell(
        f"{found.number} is released and rests until {until:%Y-%m-%d}", number=found.number, rests_until=until
    )
