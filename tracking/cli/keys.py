"""The master key: made, changed on a running service, retired."""

import click

from tracking import clock
from tracking.cli.installation import Installation, counted, pass_installation
from tracking.errors import Conflict
from tracking.keeping import rekeying
from tracking.storage import db


@click.command()
@pass_installation
def rotate(installation: Installation) -> None:
    """Create a new master key; the worker re-encrypts all values while the service runs.

    The old key stays in the key file and still opens values and older backups.
    """
    settings = installation.settings
    new = rekeying.rotate(installation.engine, settings, by="terminal", at=clock.now())
    click.echo(
        f"{settings.key_file} now starts with key {new}. Copy the file to where you keep its backup.\n"
        "The worker re-encrypts stored values; see the progress with `ringtrail doctor`. Send the service "
        "SIGHUP to sign cookies and links with the new key too: all users have to sign in again."
    )


@click.command()
@pass_installation
def reseal(installation: Installation) -> None:
    """Re-encrypt now what an older key encrypted, as the worker does; you can interrupt and repeat it."""
    db.commit(installation.engine, lambda session: rekeying.adopt(session, by="terminal", at=clock.now()))
    rows = rekeying.run(installation.engine, at=clock.now)
    with db.reading(installation.engine) as session:
        left = rekeying.progress(session).left if rekeying.is_going_on(session) else 0
    click.echo(f"{counted(rows, 'row')} re-encrypted, {counted(left, 'value')} left")
    raise SystemExit(1 if left else 0)


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@pass_installation
def retire(installation: Installation, yes: bool) -> None:
    """Remove older keys once nothing needs them; older backups cannot be opened after that."""
    words = "Backups made before the key change can no longer be opened. Continue?"
    if not yes and not click.confirm(words):
        raise Conflict("nothing was changed; keep the older keys for as long as you keep those backups")
    settings = installation.settings
    kept = rekeying.retire(installation.engine, settings, by="terminal", at=clock.now())
    if settings.key_file is not None:
        click.echo(
            f"{settings.key_file} now holds one active key. Copy the file to where you keep its backup."
        )
        return
    click.echo("Set RINGTRAIL_KEY to these words, between quotes, and restart every process:", err=True)
    click.echo(" ".join(kept.split()))
