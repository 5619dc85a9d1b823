"""Campaigns, ad material and tracking numbers on the command line."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from tracking import clock
from tracking.cli.installation import (
    Day,
    Installation,
    Moment,
    Whole,
    counted,
    json_option,
    pass_installation,
)
from tracking.errors import Conflict
from tracking.language import formatting
from tracking.language.words import number_life_words
from tracking.records import campaigns as domain
from tracking.reporting import number_sheets
from tracking.storage import db
from tracking.storage.models import AdMaterial, Campaign, TrackingNumber
from tracking.storage.vocabulary import Direction, Medium
from tracking.telephony import numbers


@click.command("add")
@click.argument("name")
@click.option(
    "--channel",
    required=True,
    help="Channel, such as search, directory, trade show, print, email or referral.",
)
@click.option(
    "--direction",
    type=click.Choice(list(Direction)),
    default=Direction.inbound,
    show_default=True,
    help="Whether buyers come to you (inbound) or you contact them (outbound).",
)
@click.option("--objective", default="", help="Goal, in one sentence.")
@click.option("--starts-on", type=Day(), help="First day.")
@click.option("--ends-on", type=Day(), help="Last day.")
@json_option
@pass_installation
def campaign_add(installation: Installation, /, name: str, channel: str, **details: Any) -> None:
    """Add the campaign NAME."""
    with db.transaction(installation.engine) as session:
        row = domain.add(session, name, channel, at=clock.now(), **details)
    installation.tell(f"campaign {row.name!r} added", id=row.id, name=row.name)


@click.command("list")
@json_option
@pass_installation
def campaign_list(installation: Installation) -> None:
    """List campaigns with their assets."""
    with db.reading(installation.engine) as session:
        rows = [
            {
                "campaign": row.name,
                "channel": row.channel,
                "material": [material.name for material in row.materials],
            }
            for row in session.scalars(select(Campaign).order_by(Campaign.name))
        ]
    installation.show(rows, {"campaign": "Campaign", "channel": "Channel", "material": "Asset"})


@click.command("add")
@click.argument("campaign_name", metavar="CAMPAIGN")
@click.argument("name")
@click.option(
    "--medium",
    type=click.Choice(list(Medium)),
    help="Medium; sets how long a released number cools off. Default: as its kind or channel says.",
)
@click.option("--kind", default="other", help="Kind, such as catalogue, stand or landing page.")
@click.option("--edition", help="Edition, such as Spring 2026.")
@click.option("--print-run", type=Whole(0), help="Print run in copies.")
@click.option("--issued-on", type=Day(), help="Day of publication.")
@click.option("--expires-on", type=Day(), help="Last day of use.")
@json_option
@pass_installation
def material_add(installation: Installation, /, campaign_name: str, name: str, **details: Any) -> None:
    """Add the asset NAME to CAMPAIGN."""
    with db.transaction(installation.engine) as session:
        owner = domain.get(session, campaign_name)
        row = domain.add_material(session, owner, name, at=clock.now(), **details)
    installation.tell(f"asset {row.name!r} added to {campaign_name!r}", id=row.id, name=row.name)


@click.command("add")
@click.argument("e164", metavar="NUMBER")
@click.option("--destination", help="Number to forward to (default: RINGTRAIL_DEFAULT_DESTINATION).")
@click.option(
    "--provider",
    default="twilio",
    show_default=True,
    help="Phone provider; cdr for imported phone system records.",
)
@click.option("--label", default="", help="Name of the number for people.")
@click.option("--main-line", is_flag=True, help="The company's own number; its calls are not credited.")
@json_option
@pass_installation
def number_add(
    installation: Installation,
    e164: str,
    destination: str | None,
    provider: str,
    label: str,
    main_line: bool,
) -> None:
    """Add NUMBER to the inventory."""
    with db.transaction(installation.engine) as session:
        row = numbers.add(
            session,
            e164,
            at=clock.now(),
            provider=provider,
            destination=destination,
            label=label,
            region=installation.settings.region,
            main_line=main_line,
        )
    what = "added as the main line" if main_line else "added to the inventory"
    installation.tell(f"{row.number} {what}", number=row.number, main_line=main_line)


@click.command("main-line")
@click.argument("e164", metavar="NUMBER")
@click.option("--off", is_flag=True, help="No longer the main line.")
@json_option
@pass_installation
def number_main_line(installation: Installation, e164: str, off: bool) -> None:
    """Make NUMBER the main line; calls to it are neither stray nor credited."""
    with db.transaction(installation.engine) as session:
        row = numbers.get(session, e164, installation.settings.region)
        numbers.make_main_line(session, row, not off)
    what = "no longer the main line" if off else "the main line"
    installation.tell(f"{row.number} is {what}", number=row.number, main_line=not off)


@click.command("list")
@json_option
@pass_installation
def number_list(installation: Installation) -> None:
    """List numbers with their assignment or the end of their cooling-off period."""
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
        "state": "Status",
        "campaign": "Campaign",
        "material": "Asset",
        "since": "Since (UTC)",
        "rests_until": "Cooling off until",
        "destination": "Forwards to",
    }
    installation.show(rows, headings, words={"state": number_life_words()})


@click.command("strays")
@click.option("--from", "since", type=Moment(), help="Start (default: a year ago).")
@click.option("--to", "until", type=Moment(), help="End (default: now).")
@json_option
@pass_installation
def number_strays(installation: Installation, since: datetime | None, until: datetime | None) -> None:
    """List calls to numbers that were not assigned: cooling off, available, or not in the inventory."""
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
    headings = {"number": "Dialled", "why": "Why not credited", "calls": "Calls", "last": "Last (UTC)"}
    headings |= {"campaign": "Former campaign", "material": "Asset"}
    installation.show(rows, headings, words={"why": number_life_words()})


@click.command("assign")
@click.argument("e164", metavar="[NUMBER]", required=False)
@click.option("--campaign", "campaign_name", required=True, help="Campaign of the asset.")
@click.option("--material", "material_name", required=True, help="Asset to assign it to.")
@click.option(
    "--from",
    "starts_at",
    type=Moment(),
    help="Start (default: now). An earlier time also credits the calls since then.",
)
@click.option("--to", "ends_at", type=Moment(), help="End, for past assignments.")
@click.option("--close-others", is_flag=True, help="End other assignments by then, even while cooling off.")
@json_option
@pass_installation
def number_assign(
    installation: Installation,
    e164: str | None,
    campaign_name: str,
    material_name: str,
    starts_at: datetime | None,
    ends_at: datetime | None,
    close_others: bool,
) -> None:
    """Assign NUMBER (default: the next available one) to an asset."""
    now = clock.now()
    with db.transaction(installation.engine) as session:
        piece: AdMaterial = domain.material(session, campaign_name, material_name)
        if e164 is None:
            row = numbers.assign_next_free(session, piece, at=starts_at or now)
        else:
            found = numbers.get(session, e164, installation.settings.region)
            try:
                row = numbers.assign(
                    session,
                    found,
                    piece,
                    starts_at=starts_at or now,
                    ends_at=ends_at,
                    close_others=close_others,
                )
            except numbers.Held as held:
                raise Conflict(
                    "%(reason)s; or end that one the day before with --close-others", reason=held.whole
                ) from None
        name, credited = row.tracking_number.number, numbers.calls_of(session, row)
    installation.tell(
        f"{name} assigned to {material_name!r} of {campaign_name!r} from {row.starts_at}; "
        f"{counted(credited, 'call')} credited",
        number=name,
        calls=credited,
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
@click.option("--at", "at", type=Moment(), help="When it was released (default: now).")
@json_option
@pass_installation
def number_release(installation: Installation, e164: str, at: datetime | None) -> None:
    """Release NUMBER from its asset; it still forwards calls while it cools off."""
    now = clock.now()
    with db.transaction(installation.engine) as session:
        found = numbers.get(session, e164, installation.settings.region)
        held = next((a for a in found.assignments if a.ends_at is None), None)
        if held is None:
            raise click.UsageError(f"{found.number} is not assigned")
        row = numbers.release(session, held, at=at or now)
    until = row.quarantined_until
    installation.tell(
        f"{found.number} released; cooling off until {until:%Y-%m-%d}", number=found.number, rests_until=until
    )
