"""Users: who may sign in, and as what."""

import secrets
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracking.access import sessions
from tracking.errors import Conflict, Invalid, NotFound
from tracking.storage.models import User
from tracking.storage.names import required
from tracking.storage.vocabulary import Role


def add(session: Session, email: str, name: str, role: str, *, at: datetime) -> User:
    """Add somebody who may sign in once a password is chosen.

    Raises
    ------
    Invalid
        If the address, the name or the role cannot be used.
    Conflict
        If somebody has the address already.
    """
    address = required(email, "email").casefold()
    user, _, host = address.partition("@")
    if not user or not host or address.split() != [address]:
        raise Invalid(
            "email", "%(email)r is not an email address; enter one such as anna@acme.example", email=email
        )
    if session.scalar(select(User).where(User.email == address)):
        raise Conflict("%(address)s is already a user; edit that user instead", address=address)
    row = User(
        email=address,
        name=required(name, "name"),
        role=_role(role),
        fs_uniquifier=secrets.token_hex(16),
        created_at=at,
    )
    session.add(row)
    session.flush()
    return row


def change(
    session: Session,
    user: User,
    *,
    name: str | None = None,
    role: str | None = None,
    active: bool | None = None,
) -> None:
    """Rename, move to another role, close or open again; None leaves as it is.

    Raises
    ------
    Conflict
        If nobody would be left who can let others in.
    """
    if name is not None:
        user.name = required(name, "name")
    leaves = user.role is Role.administrator and user.active
    if role is not None:
        user.role = _role(role)
    if active is not None:
        user.active = active
        if not active:
            sessions.end_all(session, user)
    session.flush()
    if leaves and not _administrators(session):
        raise Conflict(
            "%(email)s is the only administrator; make another user administrator first", email=user.email
        )


def get(session: Session, user_id: int) -> User:
    """Return a user by number."""
    row = session.get(User, user_id)
    if row is None:
        raise NotFound("user %(number)s not found", number=user_id)
    return row


def any_yet(session: Session) -> bool:
    """Tell whether anybody can sign in at all."""
    return session.scalar(select(User.id).limit(1)) is not None


def _administrators(session: Session) -> int:
    held = select(func.count(User.id)).where(User.role == Role.administrator, User.active)
    return session.scalar(held) or 0


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise Invalid(
            "role", "%(text)r is not a role; use one of: %(known)s", text=text, known=", ".join(Role)
        ) from None
