"""The master key: made, changed on a running service, retired."""

import click

from tracking import clock
from tracking.cli.installation import Installation, pass_installation
from tracking.errors import Conflict
from tracking.keeping import rekeying
from tracking.storage import db


@click.command()
@pass_installation
def rotate(installation: Installation) -> None:
    """Make a new key the one that seals; the service goes on, and its worker seals all values anew.

    The old key stays in the key file and goes on opening, also backups of before.
    """
    settings = installation.settings
    new = rekeying.rotate(installation.engine, settings, by="terminal", at=clock.now())
    click.echo(
        f"{settings.key_file} now begins with key {new}. Copy that file to where you keep a copy of it.\n"
        "The worker seals what is kept anew; `ringtrail doctor` says how far it is. Send the service SIGHUP, "
        "so that cookies and links are signed with the new key too: everybody signs in once more."
    )


@click.command()
@pass_installation
def reseal(installation: Installation) -> None:
    """Seal anew at once what an older key sealed, as the worker does; may be cut off and begun again."""
    db.commit(installation.engine, lambda session: rekeying.adopt(session, by="terminal", at=clock.now()))
    rows = rekeying.run(installation.engine, at=clock.now)
    with db.reading(installation.engine) as session:
        left = rekeying.progress(session).left if rekeying.is_going_on(session) else 0
    click.echo(f"{rows} rows are sealed anew, {left} values are left")
    raise SystemExit(1 if left else 0)


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_installation
def retire(installation: Installation, yes: bool) -> None:
    """Take older keys out of the key file once nothing is sealed with them; older backups open no more."""
    words = "Backups that were made before the change of key cannot be opened any more. Go on?"
    if not yes and not click.confirm(words):
        raise Conflict("nothing was changed; keep the older keys for as long as you keep those backups")
    settings = installation.settings
    kept = rekeying.retire(installation.engine, settings, by="terminal", at=clock.now())
    if settings.key_file is not None:
        click.echo(f"{settings.key_file} holds one key that opens. Copy it to where you keep a copy of it.")
        return
    click.echo("Set RINGTRAIL_KEY to these words, between quotes, and restart every process:", err=True)
    click.echo(" ".join(kept.split()))
