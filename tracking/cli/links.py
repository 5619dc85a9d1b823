"""Short links on the command line."""

from datetime import date
from typing import Any

import click
from sqlalchemy import select

from tracking import clock
from tracking.access import audit
from tracking.cli.installation import Day, Installation, json_option, pass_installation
from tracking.records import campaigns, links
from tracking.records.sources import UTM
from tracking.storage import db
from tracking.storage.models import ShortLink


@click.command("add")
@click.argument("campaign_name", metavar="CAMPAIGN")
@click.argument("material_name", metavar="ASSET")
@click.argument("target")
@click.option("--slug", help="Name of the link, such as pumps-2026 (default: six random letters).")
@click.option("--utm-source", help="Source (default: the campaign's).")
@click.option("--utm-medium", help="Medium (default: the campaign's).")
@click.option("--utm-campaign", help="Campaign tag (default: the campaign's).")
@click.option("--until", "expires_on", type=Day(), help="Last day.")
@json_option
@pass_installation
def link_add(
    installation: Installation,
    /,
    campaign_name: str,
    material_name: str,
    target: str,
    slug: str | None,
    expires_on: date | None,
    **tags: str | None,
) -> None:
    """Add a short link of ASSET that leads to the page TARGET."""
    at = clock.now()
    with db.transaction(installation.engine) as session:
        piece = campaigns.material(session, campaign_name, material_name)
        row = links.add(
            session, piece, target, slug=slug, tags=tags, expires_on=expires_on, at=at, by="terminal"
        )
        audit.note(session, "terminal", "link add", f"{row.slug}: {row.target}", at=at)
        address, leads_to = _address(installation, row), links.address(row)
    installation.tell(f"{address} leads to {leads_to}", address=address, leads_to=leads_to)


@click.command("change")
@click.argument("slug")
@click.option("--target", help="The page it leads to.")
@click.option("--utm-source", help="Source; empty to remove it.")
@click.option("--utm-medium", help="Medium; empty to remove it.")
@click.option("--utm-campaign", help="Campaign tag; empty to remove it.")
@click.option("--until", "expires_on", type=Day(), help="Last day.")
@click.option("--for-ever", "for_ever", is_flag=True, help="Remove the last day.")
@json_option
@pass_installation
def link_change(
    installation: Installation,
    /,
    slug: str,
    target: str | None,
    expires_on: date | None,
    for_ever: bool,
    **tags: str | None,
) -> None:
    """Change where the short link SLUG leads, its tags or its last day."""
    at = clock.now()
    with db.transaction(installation.engine) as session:
        row = links.get(session, slug)
        details: dict[str, Any] = {name: value for name, value in tags.items() if value is not None}
        if target:
            details["target"] = target
        if expires_on or for_ever:
            details["expires_on"] = None if for_ever else expires_on
        links.change(session, row, **details)
        audit.note(session, "terminal", "link change", f"{row.slug}: {row.target}", at=at)
        address, leads_to = _address(installation, row), links.address(row)
    installation.tell(f"{address} leads to {leads_to}", address=address, leads_to=leads_to)


@click.command("list")
@json_option
@pass_installation
def link_list(installation: Installation) -> None:
    """List short links with their visits."""
    with db.reading(installation.engine) as session:
        found = session.scalars(select(ShortLink).order_by(ShortLink.slug)).all()
        followed = links.followed(session, [row.id for row in found])
        rows = [
            {
                "address": _address(installation, row),
                "campaign": row.ad_material.campaign.name,
                "material": row.ad_material.name,
                "target": row.target,
                "tags": " / ".join(filter(None, (getattr(row, name) for name in UTM))),
                "until": row.expires_on,
                "visits": followed[row.id].people,
                "bots": followed[row.id].bots,
            }
            for row in found
        ]
    headings = {"address": "Address", "campaign": "Campaign", "material": "Asset", "target": "Leads to"}
    installation.show(
        rows, headings | {"tags": "UTM tags", "until": "Last day", "visits": "Visits", "bots": "By programs"}
    )


def _address(installation: Installation, row: ShortLink) -> str:
    return f"{installation.settings.links_url}{links.PATH}/{row.slug}"
