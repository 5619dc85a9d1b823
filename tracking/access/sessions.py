"""Signed-in browsers, known to the server, so that signing out ends what a cookie opens, copies included."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, and_, delete, select
from sqlalchemy.orm import Session

from tracking.storage.models import OpenSession, User

_ASTRAY = timedelta(days=1)
_User = TypeVar("_User", bound=User)

LASTS = timedelta(days=30)
"""How long a browser stays signed in at most, also one that keeps its user signed in."""


def begin(session: Session, user_id: int, *, at: datetime) -> str:
    """Let a browser in, and return the token that its cookies carry."""
    token = secrets.token_urlsafe(32)
    session.execute(delete(OpenSession).where(OpenSession.expires_at <= at))
    session.add(
        OpenSession(token_hash=hashed(token), user_id=user_id, opened_at=at, expires_at=at + LASTS),
    )
    return token


def end(session: Session, token: str) -> None:
    """Make a token worthless, and with it every cookie that carries it."""
    session.execute(delete(OpenSession).where(OpenSession.token_hash == hashed(token)))


def end_all(session: Session, user: User) -> None:
    """Make every token of a user worthless, and links for a password and half sign-ins with them."""
    user.fs_uniquifier = secrets.token_hex(16)
    session.execute(delete(OpenSession).where(OpenSession.user_id == user.id))


def end_others(session: Session, user_id: int, token: str) -> None:
    """Make every token of a user worthless but one."""
    others = (OpenSession.user_id == user_id, OpenSession.token_hash != hashed(token))
    session.execute(delete(OpenSession).where(*others))


def holding(kind: type[_User], token: str, *, at: datetime) -> Select[_User]:
    """Return the query for who is let in by a token at a moment."""
    return (
        select(kind)
        .join(OpenSession, OpenSession.user_id == kind.id)
        .where(OpenSession.token_hash == hashed(token), _is_open(at), kind.active)
    )


def _is_open(at: datetime) -> ColumnElement[bool]:
    # One that lasts longer was opened while the clock was ahead; a day, since clocks are put right by less.
    return and_(OpenSession.expires_at > at, OpenSession.expires_at < at + LASTS + _ASTRAY)


def open_ones(session: Session, hashes: Collection[str], *, at: datetime) -> dict[str, User]:
    """Return who is let in by the tokens of these hashes; those that let nobody in are left out."""
    wanted = (
        select(OpenSession.token_hash, User)
        .join(User, User.id == OpenSession.user_id)
        .where(OpenSession.token_hash.in_(hashes), _is_open(at), User.active)
    )
    return {row.token_hash: row.User for row in session.execute(wanted)}


def hashed(token: str) -> str:
    """Return what is kept of a token."""
    # A fast hash suffices: 256 random bits cannot be guessed.
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
