"""Keys to the JSON API: issued once, stored only as a hash, limited by scopes, ended by date or by hand."""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking.errors import Conflict, Invalid, NotFound
from tracking.storage.models import ApiToken
from tracking.storage.names import required


class Scope(StrEnum):
    """What the bearer of a token may do."""

    read = "read"
    """See everything, telephone numbers and e-mail addresses of contacts only in part."""
    read_personal = "read:personal"
    """See telephone numbers and e-mail addresses of contacts in full."""
    write_campaigns = "write:campaigns"
    """Change campaigns, ad material, tracking numbers, assignments and costs."""
    write_calls = "write:calls"
    """Record and judge calls, log answers, add touches."""
    write_deals = "write:deals"
    """Change deals and exchange rates; name and merge accounts and contacts."""


# A use is written down at most this often, so that reading does not turn into writing.
_NOTED_EVERY = timedelta(minutes=10)
# Compared against where no token has the prefix, so that the time taken does not tell whether one has.
_NOBODY = hashlib.sha256(b"nobody").hexdigest()


def issue(
    session: Session,
    name: str,
    scopes: Collection[str],
    *,
    at: datetime,
    expires_at: datetime | None = None,
) -> str:
    """Make a token and return its text, ``rt_<prefix>_<secret>``, which cannot be shown again."""
    known = {scope.value for scope in Scope}
    if unknown := sorted(set(scopes) - known):
        raise Invalid(
            "scopes",
            "%(name)r is not a scope; use one of: %(known)s",
            name=unknown[0],
            known=", ".join(sorted(known)),
        )
    if not scopes:
        raise Invalid("scopes", "choose at least one scope: %(known)s", known=", ".join(sorted(known)))
    if expires_at is not None and expires_at.tzinfo is None:
        raise Invalid(
            "expires_at",
            "%(expires_at)s has no time zone; add an offset such as +01:00",
            expires_at=expires_at.isoformat(),
        )
    if expires_at is not None and expires_at <= at:
        raise Invalid(
            "expires_at",
            "%(expires_at)s is in the past; enter a later time",
            expires_at=expires_at.isoformat(),
        )
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    session.add(
        ApiToken(
            name=required(name, "name"),
            prefix=prefix,
            # A fast hash suffices, and nothing slower would: 256 random bits cannot be guessed.
            secret_hash=hashlib.sha256(secret.encode()).hexdigest(),
            scopes=sorted(set(scopes)),
            created_at=at,
            expires_at=expires_at,
        )
    )
    session.flush()
    return f"rt_{prefix}_{secret}"


def verify(session: Session, text: str, *, at: datetime) -> ApiToken | None:
    """Return the token that ``text`` opens at this moment; None where it is wrong, expired or revoked."""
    mark, _, rest = text.partition("_")
    prefix, _, secret = rest.partition("_")
    row = session.scalar(select(ApiToken).where(ApiToken.prefix == prefix)) if _plain(prefix) else None
    digest = hashlib.sha256(secret.encode(errors="replace")).hexdigest()
    matches = hmac.compare_digest(digest, row.secret_hash if row else _NOBODY)
    if mark != "rt" or row is None or not matches or row.revoked_at is not None:
        return None
    return None if row.expires_at is not None and row.expires_at <= at else row


def use_is_due(token: ApiToken, *, at: datetime) -> bool:
    """Tell whether the last use on record is old enough to be written anew."""
    return token.last_used_at is None or at - token.last_used_at >= _NOTED_EVERY


def note_use(session: Session, token_id: int, *, at: datetime) -> None:
    """Write down that a token was used."""
    session.get_one(ApiToken, token_id).last_used_at = at


def revoke(session: Session, prefix: str, *, at: datetime) -> ApiToken:
    """Make a token worthless from now on."""
    row = session.scalar(select(ApiToken).where(ApiToken.prefix == prefix))
    if row is None:
        raise NotFound(
            "token %(prefix)r not found; enter the part between the two underscores", prefix=prefix
        )
    if row.revoked_at is not None:
        raise Conflict(
            "token %(prefix)s was already revoked at %(revoked_at)s",
            prefix=prefix,
            revoked_at=row.revoked_at.isoformat(),
        )
    row.revoked_at = at
    session.flush()
    return row


def _plain(prefix: str) -> bool:
    return prefix.isascii() and prefix.isalnum() and len(prefix) <= 12
