"""Where web visits come from, on the command line, and whose campaigns they are."""

from datetime import date, timedelta

import click

from tracking import clock
from tracking.cli.installation import Day, Installation, counted, json_option, pass_installation
from tracking.errors import Invalid
from tracking.records import campaigns, matching, visits
from tracking.records.sources import UTM
from tracking.storage import db


@click.command("show")
@click.option("--from", "first", type=Day(), help="First day.")
@click.option("--to", "last", type=Day(), help="Last day.")
@json_option
@pass_installation
def visits_show(installation: Installation, first: date | None, last: date | None) -> None:
    """Show visits by channel and campaign, and which system counted them."""
    end = last + timedelta(days=1) if last else None
    with db.reading(installation.engine) as session:
        rows = [
            {"channel": channel or "(unknown)", "campaign": campaign or "", "visits": count}
            for channel, campaign, count in visits.by_source(session, first, end)
        ]
        systems = visits.counted(session, first, end)
    installation.show(rows, {"channel": "Channel", "campaign": "Campaign", "visits": "Visits"})
    if installation.as_json:
        return
    if not systems:
        click.echo("no visits counted in this period; import them with `ringtrail import visits`")
    for one in systems:
        site = f" of {one.site}" if one.site else ""
        how = f", by {one.breakdown}" if one.breakdown else ""
        click.echo(
            f"{counted(one.visits, 'visit')}{site} from {one.counted_by or '?'}{how}, "
            f"{one.first} to {one.last}"
        )


@click.command("unmatched")
@json_option
@pass_installation
def visits_unmatched(installation: Installation) -> None:
    """List UTM tags of visits and touches that match no campaign, or several."""
    with db.reading(installation.engine) as session:
        rows = [
            {
                **{name: one.tags[name] or "" for name in UTM},
                "channel": one.channel or "",
                "visits": one.visits,
                "touches": one.touches,
                "candidates": ", ".join(one.candidates),
            }
            for one in matching.unmatched(session, installation.settings.zone)
        ]
    named = {name: name for name in UTM} | {
        "channel": "Channel",
        "visits": "Visits",
        "touches": "Touches",
        "candidates": "Fits several",
    }
    installation.show(rows, named)


@click.command("match")
@click.argument("campaign_name", metavar="CAMPAIGN")
@click.option("--utm-source", help="Source, such as google.")
@click.option("--utm-medium", help="Medium, such as cpc.")
@click.option("--utm-campaign", help="Campaign tag, such as pumps-2026.")
@click.option("--channel", help="Add CAMPAIGN as a new campaign with this channel.")
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@json_option
@pass_installation
def visits_match(
    installation: Installation, /, campaign_name: str, channel: str | None, dry_run: bool, **tags: str | None
) -> None:
    """Match visits and touches that carry these UTM tags with CAMPAIGN, past and future ones."""
    if not any((value or "").strip() for value in tags.values()):
        raise Invalid("utm_campaign", "enter at least one UTM tag: source, medium or campaign")
    if dry_run:
        with db.reading(installation.engine) as session:
            found = None if channel else campaigns.get(session, campaign_name)
            seen = matching.preview(session, tags, found)
        installation.tell(
            f"{counted(seen.visits, 'visit')} and {counted(seen.touches, 'touch', 'touches')} would get "
            f"campaign {campaign_name!r}; of the latest {counted(seen.looked_at, 'visit')}, "
            f"{seen.after} would have a campaign (now {seen.before})",
            visits=seen.visits,
            touches=seen.touches,
            looked_at=seen.looked_at,
            before=seen.before,
            after=seen.after,
        )
        return
    with db.transaction(installation.engine) as session:
        if channel:
            campaigns.add(session, campaign_name, channel, at=clock.now())
        row = campaigns.get(session, campaign_name)
        days, touches = matching.match(session, row, tags, at=clock.now())
    installation.tell(
        f"{counted(days, 'visit')} and {counted(touches, 'touch', 'touches')} matched with "
        f"campaign {campaign_name!r}",
        visits=days,
        touches=touches,
    )


@click.command("remove")
@click.option("--from", "first", type=Day(), required=True, help="First day.")
@click.option("--to", "last", type=Day(), required=True, help="Last day.")
@click.option("--site", default="", help="Name of the site, where you have several.")
@click.option("--counted-by", help="Only those of one system, such as GA4.")
@json_option
@pass_installation
def visits_remove(
    installation: Installation, first: date, last: date, site: str, counted_by: str | None
) -> None:
    """Remove the visits of some days, so that those of another system can be imported."""
    if last < first:
        raise Invalid("to", "the last day is before the first day; swap them")
    with db.transaction(installation.engine) as session:
        gone = visits.remove(session, first, last + timedelta(days=1), site=site, counted_by=counted_by)
    installation.tell(f"{counted(gone, 'visit')} removed", visits=gone)
