"""Experiments on the command line: what a pause could show, what it showed, how often that is right."""

import math
from datetime import date
from typing import Any

import click
from sqlalchemy.orm import Session

from reports.experiments import SETTLE_WEEKS, Finding
from simulator import scenario as scenarios
from simulator.runs import mapper
from tracking import clock
from tracking.access import audit
from tracking.cli.installation import Day, Installation, Number, Whole, fail, json_option, pass_installation
from tracking.language import formatting
from tracking.records import campaigns, experiments
from tracking.records.experiments import LONGEST_WEEKS, Plan
from tracking.reporting import experiments as reporting
from tracking.reporting import experiments_text, snapshots
from tracking.reporting.experiments import Paused, Result
from tracking.reporting.rehearsal import rehearse
from tracking.storage import db
from tracking.storage.models import AdMaterial, Campaign, Experiment, TrackingNumber
from tracking.telephony import numbers

_SETTLE = click.option(
    "--settle",
    type=Whole(0, LONGEST_WEEKS),
    default=SETTLE_WEEKS,
    show_default=True,
    help="Weeks at the start that are not counted: people who saw the campaign still call.",
)


def _paused_options(command: Any) -> Any:
    command = click.option(
        "--region",
        "regions",
        multiple=True,
        help="Pause it in this region only (repeatable); the other regions are compared.",
    )(command)
    command = click.option("--number", help="Pause this tracking number.")(command)
    command = click.option("--material", help="Pause this asset of the campaign only.")(command)
    return click.option(
        "--campaign", help="Pause this campaign; without it, all advertising in the regions."
    )(command)


def _things(
    session: Session,
    installation: Installation,
    campaign: str | None,
    material: str | None,
    number: str | None,
) -> tuple[Campaign | None, AdMaterial | None, TrackingNumber | None]:
    if material is not None:
        if campaign is None:
            raise click.UsageError("--material needs --campaign")
        return None, campaigns.material(session, campaign, material), None
    return (
        campaigns.get(session, campaign) if campaign is not None else None,
        None,
        numbers.get(session, number, installation.settings.region) if number is not None else None,
    )


@click.command("plan")
@_paused_options
@click.option("--from", "starts_on", type=Day(), help="First day of the pause (default: today).")
@_SETTLE
@json_option
@pass_installation
def experiment_plan(
    installation: Installation,
    campaign: str | None,
    material: str | None,
    number: str | None,
    regions: tuple[str, ...],
    starts_on: date | None,
    settle: int,
) -> None:
    """Show what pauses of several lengths would show and cost; nothing is saved."""
    settings, at = installation.settings, clock.now()
    today = at.astimezone(settings.zone).date()
    with db.reading(installation.engine) as session, formatting.speaking(settings, "en"):
        whole, part, line = _things(session, installation, campaign, material, number)
        if not (whole or part or line or regions):
            raise click.UsageError("choose what to pause: --campaign, --material, --number or --region")
        paused = Paused(starts_on or today, whole, regions, part is not None or line is not None)
        taken = snapshots.whole(session, settings, at=at)
        found = reporting.outlook(session, taken, settings, paused, today=today, settle_weeks=settle)
        verdict, design = experiments_text.worth(found), experiments_text.design_words(found.design)
        rows = [
            {
                "weeks": stake.proposal.weeks,
                "expected": round(stake.proposal.expected.total, 1),
                "smallest": _rounded(stake.proposal.smallest),
                "credited": found.credited and _rounded(found.credited.leads * stake.proposal.counted),
                "power": stake.power if installation.as_json else formatting.chance(stake.power),
                "revenue": _money(stake.revenue_minor, settings.currency, installation.as_json),
                "margin": _money(stake.margin_minor, settings.currency, installation.as_json),
                "saved": _money(stake.saved_minor, settings.currency, installation.as_json),
            }
            for stake in found.stakes
        ]
    if installation.as_json:
        installation.tell_json({"worth": verdict, "design": found.design, "proposals": rows})
        return
    headings = {
        "weeks": "Weeks",
        "expected": "Expected leads",
        "smallest": "Smallest visible effect",
        "credited": "Credited leads",
        "power": "Chance to see them",
        "revenue": "Revenue at risk",
        "margin": "Margin at risk",
        "saved": "Cost saved",
    }
    installation.show(rows, headings, f"{verdict}\n{design}")


@click.command("add")
@click.argument("name")
@_paused_options
@click.option("--from", "starts_on", type=Day(), required=True, help="First day of the pause.")
@click.option("--weeks", type=Whole(1, LONGEST_WEEKS), required=True, help="Length of the pause.")
@_SETTLE
@click.option("--at-least", "belief_low", type=Number(), help="Leads a week you believe it brings, at least.")
@click.option("--at-most", "belief_high", type=Number(), help="Leads a week you believe it brings, at most.")
@click.option("--note", default="", help="Note.")
@json_option
@pass_installation
def experiment_add(
    installation: Installation,
    /,
    name: str,
    campaign: str | None,
    material: str | None,
    number: str | None,
    regions: tuple[str, ...],
    settle: int,
    **told: Any,
) -> None:
    """Add the experiment NAME to the plans."""
    at = clock.now()
    with db.transaction(installation.engine) as session:
        whole, part, line = _things(session, installation, campaign, material, number)
        plan = Plan(
            name=name,
            campaign=whole,
            material=part,
            number=line,
            regions=regions,
            settle_weeks=settle,
            **told,
        )
        row = experiments.save(session, plan, by="terminal", at=at)
        audit.note(session, "terminal", "experiment add", row.name, at=at)
        facts = {"id": row.id, "name": row.name, "from": row.starts_on, "to": row.ends_on}
    installation.tell(f"experiment {name!r} planned from {facts['from']} to {facts['to']}", **facts)


@click.command("list")
@json_option
@pass_installation
def experiment_list(installation: Installation) -> None:
    """List experiments with their results."""
    settings, at = installation.settings, clock.now()
    today = at.astimezone(settings.zone).date()
    with db.reading(installation.engine) as session, formatting.speaking(settings, "en"):
        rows = experiments.every(session)
        taken = snapshots.whole(session, settings, at=at) if rows else None
        lines = [
            {
                "name": row.name,
                "paused": experiments_text.paused_words(row),
                "from": row.starts_on,
                "to": row.ends_on,
                "state": row.state,
                "result": experiments_text.verdict(
                    reporting.result(session, taken, settings, row, today=today), row
                ),
            }
            for row in rows
            if taken is not None
        ]
    headings = {name: name.title() for name in ("name", "paused", "from", "to", "state", "result")}
    installation.show(lines, headings)


@click.command("start")
@click.argument("name")
@click.option("--on", "day", type=Day(), help="First day of the pause (default: as planned).")
@pass_installation
def experiment_start(installation: Installation, name: str, day: date | None) -> None:
    """Say that the pause of NAME has begun."""
    _step(installation, name, "start", day)


@click.command("end")
@click.argument("name")
@click.option("--on", "day", type=Day(), help="Last day of the pause (default: today).")
@pass_installation
def experiment_end(installation: Installation, name: str, day: date | None) -> None:
    """Say that the pause of NAME is over."""
    _step(installation, name, "end", day)


@click.command("cancel")
@click.argument("name")
@pass_installation
def experiment_cancel(installation: Installation, name: str) -> None:
    """Give NAME up; it will not be read."""
    _step(installation, name, "cancel", None)


def _step(installation: Installation, name: str, step: str, day: date | None) -> None:
    at = clock.now()
    today = at.astimezone(installation.settings.zone).date()
    with db.transaction(installation.engine) as session:
        row = experiments.named(session, name)
        if step == "cancel":
            experiments.cancel(session, row)
        else:
            begins = step == "start"
            done = experiments.start if begins else experiments.end
            done(session, row, day or (row.starts_on if begins else today))
        audit.note(session, "terminal", f"experiment {step}", row.name, at=at)
        said = f"experiment {row.name!r} is {row.state}: {row.starts_on} to {row.ends_on}"
    click.echo(said)


@click.command("read")
@click.argument("name")
@json_option
@pass_installation
def experiment_read(installation: Installation, name: str) -> None:
    """Show what the pause of NAME has shown."""
    settings, at = installation.settings, clock.now()
    today = at.astimezone(settings.zone).date()
    with db.reading(installation.engine) as session, formatting.speaking(settings, "en"):
        row = experiments.named(session, name)
        taken = snapshots.whole(session, settings, at=at)
        found = reporting.result(session, taken, settings, row, today=today)
        verdict, warnings = experiments_text.verdict(found, row), experiments_text.warnings(found, settings)
        beside, design = experiments_text.beside(found), experiments_text.design_words(found.reading.design)
    if installation.as_json:
        installation.tell_json(_document(row, found, verdict, warnings))
        return
    for sentence in filter(None, (verdict, beside, design, *warnings)):
        click.echo(sentence)
    if found.before is not None and found.after is not None:
        for label, belief in (("Believed before", found.before), ("Both together", found.after)):
            low, high = belief.span()
            click.echo(f"{label}: {belief.mean:.0f} leads, between {low:.0f} and {high:.0f}.")


def _document(row: Experiment, found: Result, verdict: str, warnings: list[str]) -> dict[str, Any]:
    reading = found.reading
    return {
        "name": row.name,
        "state": row.state,
        "result": verdict,
        "finding": reading.finding,
        "design": reading.design,
        "weeks": reading.weeks,
        "observed": reading.observed,
        "expected": reading.expected and reading.expected.total,
        "lift": reading.lift,
        "low": reading.low,
        "high": reading.high,
        "level": reading.level,
        "credited": found.credited_leads,
        "believed_before": found.before and list(found.before.span()),
        "believed_after": found.after and list(found.after.span()),
        "warnings": warnings,
        "channels": found.channels,
    }


@click.command("simulate")
@click.argument("scenario")
@click.option("--campaign", help="Campaign of the scenario to pause (default: all of them).")
@click.option("--region", "regions", multiple=True, help="Pause it in this region only (repeatable).")
@click.option(
    "--weeks",
    type=Whole(2, LONGEST_WEEKS),
    default=12,
    show_default=True,
    help="Length of the pause.",
)
@click.option(
    "--before", type=Whole(1, 200), default=104, show_default=True, help="Weeks recorded before it."
)
@click.option("--after", type=Whole(0, 104), default=0, show_default=True, help="Weeks recorded after it.")
@_SETTLE
@click.option(
    "--accounts", type=Whole(1), default=1000, show_default=True, help="Number of buying companies."
)
@click.option("--markets", type=Whole(2), default=40, show_default=True, help="Number of simulated markets.")
@click.option("--seed", type=Whole(0), default=1, show_default=True, help="Seed of the first market.")
@json_option
@pass_installation
def experiment_simulate(
    installation: Installation,
    scenario: str,
    campaign: str | None,
    regions: tuple[str, ...],
    weeks: int,
    before: int,
    after: int,
    settle: int,
    accounts: int,
    markets: int,
    seed: int,
) -> None:
    """Show how often such an experiment is right in simulated markets.

    SCENARIO is a name from `ringtrail simulate --list` or a TOML file.
    """
    try:
        market = scenarios.load(scenario)
        with mapper() as spread:
            found = rehearse(
                market,
                campaign,
                spread,
                accounts=accounts,
                seeds=range(seed, seed + markets),
                weeks=weeks,
                before=before,
                after=after,
                regions=frozenset(regions),
                settle=settle,
            )
    except ValueError as error:
        fail(str(error))
    read = len(found.read)
    facts: dict[str, Any] = {
        "markets": markets,
        "effect": found.effect,
        "effect_error": found.effect_error,
        "expected": math.fsum(one.expected.total for one in found.read if one.expected) / read
        if read
        else None,
        "read": read,
        "covered": found.covered,
        "said_effect": found.found(Finding.effect),
        "said_more": found.found(Finding.more),
        "said_unclear": found.found(Finding.unclear),
        "planned_power": math.fsum(found.power) / len(found.power) if found.power else None,
    }
    if installation.as_json:
        installation.tell_json(facts)
        return
    click.echo(f"True effect: {found.effect:.1f} leads in the weeks that count (± {found.effect_error:.1f}).")
    if not read:
        click.echo("No reading has an interval: too few weeks or leads.")
        return
    click.echo(f"Expected without the pause: {facts['expected']:.0f} leads.")
    click.echo(f"90% intervals that contain the true effect: {found.covered} of {read}.")
    click.echo(f"Readings that say it brings leads: {facts['said_effect']} of {read}.")
    click.echo(f"Readings that say more leads came without it: {facts['said_more']} of {read}.")
    click.echo(f"Readings that cannot tell: {facts['said_unclear']} of {read}.")
    if facts["planned_power"] is not None:
        click.echo(f"Chance to see it according to the plans: {facts['planned_power']:.0%}.")


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 1)


def _money(minor: float | None, currency: str, as_json: bool) -> Any:
    if as_json:
        return None if minor is None else round(minor)
    return formatting.amount(None if minor is None else round(minor), currency)
