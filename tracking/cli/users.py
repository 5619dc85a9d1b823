"""Users on the command line, for whoever stands before a closed door."""

import secrets

import click
from sqlalchemy import select

from tracking import clock
from tracking.access import audit, sessions, throttle, users
from tracking.cli.installation import Installation, json_option, pass_installation
from tracking.errors import NotFound
from tracking.storage import db
from tracking.storage.models import User
from tracking.storage.vocabulary import Role
from tracking.web import signin


@click.command("list")
@json_option
@pass_installation
def user_list(installation: Installation) -> None:
    """List users."""
    with db.reading(installation.engine) as session:
        rows = [
            {
                "email": row.email,
                "name": row.name,
                "role": row.role.value if row.active else "closed",
                "second_factor": "on" if row.tf_primary_method else "off",
                "last": row.current_login_at,
            }
            for row in session.scalars(select(User).order_by(User.email))
        ]
    columns = {
        "email": "Email",
        "name": "Name",
        "role": "Role",
        "second_factor": "Two-factor authentication",
        "last": "Last sign-in",
    }
    installation.show(rows, columns)


@click.command("add")
@click.argument("email")
@click.option("--name", help="Name (default: the part before the @).")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default="rep",
    show_default=True,
    help="Role of the user.",
)
@pass_installation
def user_add(installation: Installation, email: str, name: str | None, role: str) -> None:
    """Add a user with this EMAIL address and print a one-time password."""
    password = secrets.token_urlsafe(12)
    hashed = signin.hash_for(installation.engine, installation.settings, password)
    with db.transaction(installation.engine) as session:
        row = users.add(session, email, name or email.partition("@")[0], role, at=clock.now())
        row.password = hashed
        audit.note(session, "terminal", "user add", f"{row.email}: {role}", at=clock.now())
    click.echo(f"{row.email} signs in with the password {password} (shown only once)")


@click.command("rescue")
@click.argument("email")
@pass_installation
def user_rescue(installation: Installation, email: str) -> None:
    """Reset the password of the user with this EMAIL address and remove their second factor."""
    password = secrets.token_urlsafe(12)
    hashed = signin.hash_for(installation.engine, installation.settings, password)
    with db.transaction(installation.engine) as session:
        row = session.scalar(select(User).where(User.email == email.strip().casefold()))
        if row is None:
            raise NotFound(
                "user %(email)r not found; run `ringtrail user list` to see all users", email=email
            )
        row.password, row.active = hashed, True
        sessions.end_all(session, row)
        row.tf_primary_method = row.tf_totp_secret = row.mf_recovery_codes = None
        throttle.forget(session, row.email)
        audit.note(session, "terminal", "user rescue", row.email, at=clock.now())
    click.echo(f"{row.email} signs in with the password {password} (shown only once)")
