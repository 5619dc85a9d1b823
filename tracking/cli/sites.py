"""Websites on the command line: which pages may report, their snippet and their pool of numbers."""

import click
from sqlalchemy import select

from tracking import clock, collector
from tracking.cli.installation import Installation, counted, json_option, pass_installation
from tracking.records import sites
from tracking.storage import db
from tracking.storage.models import Site
from tracking.telephony import numbers, pools


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
@click.option(
    "--consent/--no-consent", default=True, show_default=True, help="Whether visitors must agree first."
)
@click.option(
    "--hold-minutes",
    default=20,
    show_default=True,
    help="Minutes a number is held after the last page view.",
)
@json_option
@pass_installation
def site_add(
    installation: Installation,
    /,
    name: str,
    origins: tuple[str, ...],
    number: str,
    consent: bool,
    hold_minutes: int,
) -> None:
    """Add the website NAME and print the snippet for its pages."""
    with db.transaction(installation.engine) as session:
        site = sites.add(
            session,
            name,
            at=clock.now(),
            origins=origins,
            number=number,
            consent=consent,
            hold_minutes=hold_minutes,
            region=installation.settings.region,
        )
        snippet = collector.snippet(site, installation.settings.base_url)
    installation.tell(f"website {site.name!r} added\n{snippet}", id=site.id, key=site.key, snippet=snippet)


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
        health = pools.health(session, site, at=clock.now())
        pool = [row.tracking_number.number for row in pools.numbers_of(session, site)]
        snippet = collector.snippet(site, installation.settings.base_url)
    sizes = [
        {"for": f"at most {loss:.0%}", "numbers": size.numbers, "loss": round(size.loss, 4)}
        for loss, size in health.wanted
    ]
    if installation.as_json:
        installation.tell("", key=site.key, snippet=snippet, pool=pool, load=health.load, sizes=sizes)
        return
    click.echo(snippet)
    click.echo(f"pool: {', '.join(pool) or 'no numbers; add some with `ringtrail site pool`'}")
    if health.now is not None:
        click.echo(
            f"busiest hour: {counted(health.busiest, 'visitor')}, {health.load:.1f} numbers in use at once; "
            f"{health.now.loss:.1%} get none"
        )
    if sizes:
        installation.show(sizes, {"for": "Visitors without a number", "numbers": "Numbers", "loss": "Loss"})


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
