"""Websites on the command line: which pages may report, their snippet and their pool of numbers."""

from collections.abc import Callable, Mapping
from typing import Any

import click
from sqlalchemy import select

from tracking import clock, collector
from tracking.access import audit
from tracking.cli.installation import Installation, Whole, counted, json_option, pass_installation
from tracking.errors import Invalid
from tracking.language import formatting
from tracking.records import sites
from tracking.reporting import form_notices
from tracking.storage import db, money
from tracking.storage.models import Site
from tracking.telephony import numbers, pools


def _details(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what may be said of a website to a command."""
    options = (
        click.option("--consent/--no-consent", default=None, help="Whether visitors must agree first."),
        click.option(
            "--hold-minutes", type=Whole(1), help="Minutes a number is held after the last page view."
        ),
        click.option("--number-cost", help="Monthly cost of a number, in the currency of reports."),
        click.option("--notice-to", help="Email address that gets an email for each form; empty: none."),
        click.option(
            "--notice-language",
            type=click.Choice(formatting.LANGUAGES),
            help="Language of these emails, unless the address is a user's.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _told(installation: Installation, given: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in given.items() if value is not None and value != ()}
    if (cost := told.pop("number_cost", None)) is not None:
        told["number_cost_minor"] = (
            money.to_minor(cost, installation.settings.currency, "number_cost") if cost.strip() else None
        )
    return told


@click.command("add")
@click.argument("name")
@click.option(
    "--origin",
    "origins",
    multiple=True,
    required=True,
    help="Address of its pages, such as https://www.acme.example; may be given several times.",
)
@click.option("--number", required=True, help="The number that its pages show.")
@_details
@json_option
@pass_installation
def site_add(installation: Installation, /, name: str, **given: Any) -> None:
    """Add the website NAME and print the snippet for its pages."""
    at = clock.now()
    with db.transaction(installation.engine) as session:
        told = _told(installation, given)
        site = sites.add(session, name, at=at, region=installation.settings.region, **told)
        audit.note(session, "terminal", "site add", site.name, at=at)
        snippet = collector.snippet(site, installation.settings.base_url)
    installation.tell(f"website {site.name!r} added\n{snippet}", id=site.id, key=site.key, snippet=snippet)


@click.command("change")
@click.argument("name")
@click.option("--name", "new_name", help="Another name.")
@click.option(
    "--origin", "origins", multiple=True, help="Address of its pages; all that it has, each by an option."
)
@click.option("--number", help="The number that its pages show.")
@_details
@json_option
@pass_installation
def site_change(installation: Installation, /, name: str, new_name: str | None, **given: Any) -> None:
    """Change the website NAME; what is not given stays."""
    told = _told(installation, given) | ({"name": new_name} if new_name is not None else {})
    if not told:
        raise Invalid("option", "give at least one option; see `ringtrail site change --help`")
    with db.transaction(installation.engine) as session:
        site = sites.get(session, name)
        sites.change(session, site, region=installation.settings.region, **told)
        session.flush()
        audit.note(session, "terminal", "site change", site.name, at=clock.now())
        snippet = collector.snippet(site, installation.settings.base_url)
    installation.tell(f"website {site.name!r} changed\n{snippet}", id=site.id, key=site.key, snippet=snippet)


@click.command("list")
@json_option
@pass_installation
def site_list(installation: Installation) -> None:
    """List websites and how their pools are doing."""
    at = clock.now()
    with db.reading(installation.engine) as session:
        rows = []
        for site in session.scalars(select(Site).order_by(Site.name)):
            health = pools.health(session, site, at=at)
            rows.append(
                {
                    "site": site.name,
                    "origins": site.origins,
                    "number": site.number,
                    "pool": health.numbers,
                    "held": health.held,
                    "loss": None if health.now is None else round(health.now.loss, 4),
                    "silent_since": health.silent_since and health.silent_since.isoformat(),
                }
            )
    named = {"site": "Website", "origins": "Addresses", "number": "Number", "pool": "Pool", "held": "Held"}
    installation.show(rows, named | {"loss": "Expected loss", "silent_since": "Silent since"})


@click.command("show")
@click.argument("name")
@json_option
@pass_installation
def site_show(installation: Installation, /, name: str) -> None:
    """Show the snippet of the website NAME, its pool, and the sizes it would need."""
    with db.reading(installation.engine) as session:
        site = sites.get(session, name)
        health = pools.health(session, site, at=clock.now(), replays=True)
        pool = [row.tracking_number.number for row in pools.numbers_of(session, site)]
        snippet = collector.snippet(site, installation.settings.base_url)
        asks = collector.form_snippet(site, installation.settings.base_url)
        told = form_notices.address(site, installation.settings)
    sizes = [
        {"by": how, "for": f"at most {loss:.0%}", "numbers": size.numbers, "loss": round(size.loss, 4)}
        for how, found in (("busiest hour (Erlang B)", health), ("own visitors replayed", health.replay))
        for loss, size in (found.wanted if found else ())
    ]
    if installation.as_json:
        shown = {"key": site.key, "snippet": snippet, "form_snippet": asks, "notice_to": told}
        installation.tell("", **shown, pool=pool, load=health.load, sizes=sizes)
        return
    click.echo(f"{snippet}\nfor pages with forms besides:\n{asks}")
    click.echo(f"email for each form: {told or 'none'}")
    click.echo(f"pool: {', '.join(pool) or 'no numbers; add some with `ringtrail site pool`'}")
    if health.now is not None:
        click.echo(
            f"busiest hour: {counted(health.busiest, 'visitor')}, {health.load:.1f} numbers in use at once; "
            f"{health.now.loss:.1%} get none"
        )
    if health.replay is not None and health.replay.now is not None:
        click.echo(
            f"replayed: {counted(health.replay.visitors, 'visitor')} of {health.replay.days:.0f} days; "
            f"{health.replay.now.loss:.1%} get none"
        )
    if sizes:
        installation.show(
            sizes, {"by": "By", "for": "Visitors without a number", "numbers": "Numbers", "loss": "Loss"}
        )


@click.command("pool")
@click.argument("name")
@click.argument("numbers_", metavar="NUMBER...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Remove them from the pool instead.")
@json_option
@pass_installation
def site_pool(installation: Installation, /, name: str, numbers_: tuple[str, ...], remove: bool) -> None:
    """Put tracking numbers into the pool of the website NAME."""
    at = clock.now()
    with db.transaction(installation.engine) as session:
        site = sites.get(session, name)
        for text in numbers_:
            row = numbers.get(session, text, installation.settings.region)
            if remove:
                pools.remove(session, row, at=at)
            else:
                pools.put(session, site, row, at=at)
        size = len(pools.numbers_of(session, site))
    installation.tell(
        f"the pool of {site.name!r} now has {counted(size, 'number')}", site=site.name, pool=size
    )
