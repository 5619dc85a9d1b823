"""``ringtrail report document``: the report for stakeholders as a file."""

from datetime import date
from pathlib import Path

import click
from werkzeug.datastructures import MultiDict

from tracking import clock
from tracking.cli.installation import Day, Installation, pass_installation
from tracking.errors import Invalid
from tracking.language import formatting
from tracking.reporting import documents, questions, report_text, roi, snapshots
from tracking.storage import db


@click.command("document")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(documents.FORMATS)),
    default="pdf",
    show_default=True,
    help="File format.",
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write."
)
@click.option(
    "--model",
    "models",
    multiple=True,
    type=click.Choice(roi.REPORTED),
    help="Attribution model (repeatable). Leads and customers use the first one.",
)
@click.option("--campaign", "campaigns", multiple=True, help="Only this campaign (repeatable).")
@click.option("--channel", default="", help="Only campaigns of this channel.")
@click.option("--from", "first", type=Day(), help="First day (default: a year before the last day).")
@click.option("--to", "last", type=Day(), help="Last day (default: today).")
@click.option(
    "--language",
    type=click.Choice(list(formatting.LANGUAGES)),
    default="en",
    show_default=True,
    help="Language of the report.",
)
@pass_installation
def document_command(
    installation: Installation,
    form: str,
    output: Path,
    models: tuple[str, ...],
    campaigns: tuple[str, ...],
    channel: str,
    first: date | None,
    last: date | None,
    language: str,
) -> None:
    """Write the management report: activity, cost, results and decisions."""
    settings, at = installation.settings, clock.now()
    args = MultiDict[str, str](
        [
            *(("model", name) for name in models),
            *(("campaign", name) for name in campaigns),
            ("channel", channel),
            ("from", first.isoformat() if first else ""),
            ("to", last.isoformat() if last else ""),
        ]
    )
    with db.reading(installation.engine) as session, formatting.speaking(settings, language):
        today = at.astimezone(settings.zone).date()
        asked = questions.read(session, settings, today, args, compared=True)
        if asked.problem:
            raise asked.problem
        if unknown := [name for name in campaigns if name not in asked.facts]:
            raise Invalid(
                "campaign",
                "campaign %(unknown)r not found; run `ringtrail campaign list` to see all campaigns",
                unknown=unknown[0],
            )
        snapshot = snapshots.whole(session, settings, at=at)
        made = report_text.report(session, settings, snapshot, asked, at=at)
        content = documents.FORMATS[form].make(made, settings)
    output.write_bytes(content)
    click.echo(f"{output}: {len(content):,} bytes")
