"""Who may do what: every address of the API has a rule, and one without a rule lets nobody in."""

from contextlib import suppress

from flask import Response, current_app, g, request
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from tracking import clock
from tracking.access import tokens
from tracking.access.tokens import Scope
from tracking.api import problems
from tracking.storage import db
from tracking.storage.models import ApiToken

PUBLIC = "public"
"""The rule of an address that needs no token."""


def check(engine: Engine) -> Response | None:
    """Refuse a request whose token is missing, wrong, expired, revoked or lacks the scope."""
    rule = getattr(current_app.view_functions.get(request.endpoint or ""), "rule", None)
    if rule == PUBLIC:
        return None
    at = clock.now()
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    token = None
    if kind.casefold() == "bearer":
        with db.reading(engine) as session:
            token = tokens.verify(session, text.strip(), at=at)
    if token is None:
        # One answer for all that is wrong with a token: a guesser learns nothing.
        reply = problems.problem(401, "send Authorization: Bearer and a token that is in force")
        reply.headers["WWW-Authenticate"] = 'Bearer realm="ringtrail", error="invalid_token"'
        return reply
    if rule is None or rule not in token.scopes:
        reply = problems.problem(403, f"this needs a token with the scope {rule}")
        reply.headers["WWW-Authenticate"] = (
            f'Bearer realm="ringtrail", error="insufficient_scope", scope="{rule}"'
        )
        return reply
    g.api_token = token
    if tokens.use_is_due(token, at=at):
        # A note in the margin: it must not fail a request that can be served.
        with suppress(OperationalError), db.transaction(engine) as session:
            tokens.note_use(session, token.id, at=at)
    return None


def token() -> ApiToken:
    """Return the token of this request."""
    found = g.api_token
    assert isinstance(found, ApiToken)
    return found


def shows_in_full(*values: object) -> bool:
    """Tell whether this request may see numbers and addresses in full, and remember whether it sees any."""
    may = Scope.read_personal in token().scopes
    g.in_full = g.get("in_full", False) or (may and any(values))
    return may


def has_shown() -> bool:
    """Tell whether this request has seen numbers or addresses in full."""
    return bool(g.get("in_full", False))
