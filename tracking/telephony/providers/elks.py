"""46elks: text messages to numbers of ours; calls of 46elks are not taken yet.

46elks signs nothing. What it is told as the address of a number may hold a user name and a password, which it
sends with each request (basic authentication); without the right password a request is not read.
"""

import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from flask import Blueprint, Request, Response, request
from pydantic import Field, SecretStr

from tracking import clock
from tracking.errors import Invalid
from tracking.storage.config import ProviderSettings, Settings
from tracking.telephony.inbox import Arrival, Inbox
from tracking.telephony.messages import MessageEvent, sent_at
from tracking.telephony.providers import Forged
from tracking.telephony.routing import Routing

PROVIDER = "elks"
TITLE = "46elks"
CARRIES_CALLS = False
# What is entered at 46elks, under its own name; the user name and password go before the host.
ADDRESSES = {"sms_url": "/sms"}
_KEPT = ("id", "from", "to", "created", "direction")


class ElksSettings(ProviderSettings, env_prefix="RINGTRAIL_ELKS_"):
    """Who may report messages as 46elks."""

    password: SecretStr = Field(
        SecretStr(""),
        title="46elks password",
        description="Choose one, and enter the address at 46elks as https://ringtrail:PASSWORD@…",
    )


def obstacle(settings: Settings) -> str:
    """Return what is missing before requests can be verified."""
    return (
        "" if settings.of(ElksSettings).password.get_secret_value() else "RINGTRAIL_ELKS_PASSWORD is not set"
    )


def receive(request: Request, own: ElksSettings, at: datetime) -> Arrival:
    """Verify a request and read it; what was written is not kept."""
    password = own.password.get_secret_value()
    try:
        given = request.authorization
    except ValueError:
        given = None
    shown = (given.password or "") if given and given.type == "basic" else ""
    if not password or not hmac.compare_digest(password.encode(), shown.encode()):
        raise Forged("the password is not the one in RINGTRAIL_ELKS_PASSWORD")
    said = {name: _said(request.form, name) for name in _KEPT}
    if not said["id"] or len(said["id"]) > 64:
        raise Invalid("id", "missing or longer than 64 characters; the message cannot be told from others")
    return Arrival(
        provider=PROVIDER,
        call_id=said["id"],
        report="sms",
        body=json.dumps(said, sort_keys=True),
        received_at=at,
    )


def interpret(body: str, received_at: datetime) -> MessageEvent:
    """Turn a kept request into a message; 46elks writes its moments in UTC."""
    said = json.loads(body)
    try:
        sent = datetime.fromisoformat(said["created"]).replace(tzinfo=UTC) if said["created"] else None
    except ValueError:
        raise Invalid("created", "not a date and time as in ISO 8601") from None
    when = sent_at(sent, received_at)
    return MessageEvent(provider=PROVIDER, ours=said["to"], sender=said["from"], sent_at=when)


def _said(form: Mapping[str, str], name: str) -> str:
    return "".join(c for c in form.get(name, "") if c.isprintable())


def routes(pages: Blueprint, settings: Settings, inbox: Inbox, routing: Routing) -> None:
    """Add the address that 46elks calls."""

    @pages.post("/sms")
    def sms() -> Response:
        arrival = receive(request, settings.of(ElksSettings), clock.now())
        if request.form.get("direction", "incoming") != "incoming":
            return Response(status=204)
        # Nothing is said in return: 46elks would send it to whoever wrote.
        return Response(status=204 if inbox.take(arrival) else 503)
