"""WhatsApp: messages to a business number by Meta's Cloud API, with the advertisement they were begun from.

Meta asks once, by GET, whether the address knows a token (the handshake). After that it posts signed JSON,
which may hold several messages; reports on messages of ours are none. A message that somebody begins from an
advertisement that leads to WhatsApp has a referral, the first one only.
"""

import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Request, Response, request
from pydantic import Field, SecretStr

from tracking import clock
from tracking.errors import Invalid
from tracking.storage.config import ProviderSettings, Settings
from tracking.telephony.inbox import Arrival, Inbox
from tracking.telephony.messages import MessageEvent, referred, sent_at
from tracking.telephony.providers import Forged
from tracking.telephony.routing import Routing

_log = logging.getLogger(__name__)
PROVIDER = "whatsapp"
TITLE = "WhatsApp"
CARRIES_CALLS = False
# What is entered at Meta, under its own name.
ADDRESSES = {"Callback URL": "/webhook"}
_REFERRAL = ("source_url", "source_type", "source_id", "headline", "ctwa_clid")
_LONGEST_ID = 180


class WhatsappSettings(ProviderSettings, env_prefix="RINGTRAIL_WHATSAPP_"):
    """Who may report messages as Meta."""

    app_secret: SecretStr = Field(
        SecretStr(""),
        title="WhatsApp app secret",
        description="The secret of your app at Meta, with which it signs its requests.",
    )
    verify_token: SecretStr = Field(
        SecretStr(""),
        title="WhatsApp verify token",
        description="Choose one, and enter the same at Meta next to the callback URL.",
    )


def obstacle(settings: Settings) -> str:
    """Return what is missing before requests can be verified."""
    own = settings.of(WhatsappSettings)
    return "" if own.app_secret.get_secret_value() else "RINGTRAIL_WHATSAPP_APP_SECRET is not set"


def sign(body: bytes, secret: str) -> str:
    """Return what Meta's header says of a body that it sends."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def receive(request: Request, own: WhatsappSettings, at: datetime) -> list[Arrival]:
    """Verify a request and read it, in one step; what was written in the messages is not kept.

    Raises
    ------
    Forged
        If the signature is missing or wrong.
    Invalid
        If the request is Meta's but lacks what tells its messages from others.
    """
    secret, body = own.app_secret.get_secret_value(), request.get_data()
    given = request.headers.get("X-Hub-Signature-256", "")
    if not secret or not hmac.compare_digest(sign(body, secret).encode(), given.encode()):
        raise Forged("the signature is not that of this request")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Invalid("body", "not JSON") from None
    arrivals, wrong = [], None
    for message in _messages(said):
        try:
            arrivals.append(_arrival(message, at))
        except Invalid as error:
            # Nothing tells it from others; those beside it are taken.
            _log.warning("a WhatsApp message is left out: %s", error)
            wrong = error
    if wrong is not None and not arrivals:
        raise wrong
    return arrivals


def _messages(said: Any) -> Iterator[dict[str, Any]]:
    """Yield the messages to us, each with the number it was sent to and who wrote."""
    for entry in _dicts(said.get("entry") if isinstance(said, dict) else None):
        for change in _dicts(entry.get("changes")):
            value = change.get("value")
            # Echoes are what we send from the telephone, statuses what became of it.
            if change.get("field") != "messages" or not isinstance(value, dict):
                continue
            names = {
                _text(one.get("wa_id")): _text((one.get("profile") or {}).get("name"))
                for one in _dicts(value.get("contacts"))
                if isinstance(one.get("profile") or {}, dict)
            }
            ours = value.get("metadata")
            for message in _dicts(value.get("messages")):
                sender, referral = _text(message.get("from")), message.get("referral")
                yield {
                    "id": _text(message.get("id")),
                    "to": _text(ours.get("display_phone_number")) if isinstance(ours, dict) else "",
                    "from": sender,
                    "name": names.get(sender, ""),
                    "timestamp": _text(message.get("timestamp")),
                    "referral": {name: _text(referral.get(name)) for name in _REFERRAL}
                    if isinstance(referral, dict)
                    else {},
                }


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
    return "".join(c for c in text if c.isprintable())[:1000]


def _arrival(message: dict[str, Any], at: datetime) -> Arrival:
    if not message["id"] or len(message["id"]) > _LONGEST_ID:
        raise Invalid("id", "missing or too long; the message cannot be told from others")
    return Arrival(
        provider=PROVIDER,
        call_id=message["id"],
        report="message",
        body=json.dumps(message, sort_keys=True),
        received_at=at,
    )


def interpret(body: str, received_at: datetime) -> MessageEvent:
    """Turn a kept message into a touch in the making."""
    said = json.loads(body)
    stamp = said["timestamp"]
    if stamp and not (stamp.isdecimal() and len(stamp) < 12):
        raise Invalid("timestamp", "not a number of seconds since 1970")
    sent = datetime.fromtimestamp(int(stamp), UTC) if stamp else None
    return MessageEvent(
        provider=PROVIDER,
        ours=international(said["to"]),
        sender=international(said["from"]),
        sent_at=sent_at(sent, received_at),
        sender_name=said["name"][:200] or None,
        trace=referred(said["referral"]),
    )


def international(number: str) -> str:
    """Return a number as WhatsApp writes it, with the plus that it leaves out."""
    digits = "".join(c for c in number if c.isdecimal())
    return f"+{digits}" if digits else ""


def routes(pages: Blueprint, settings: Settings, inbox: Inbox, routing: Routing) -> None:
    """Add the address that Meta calls."""

    @pages.get("/webhook")
    def handshake() -> Response:
        own = settings.of(WhatsappSettings).verify_token.get_secret_value()
        given = request.args.get("hub.verify_token", "")
        right = own and hmac.compare_digest(own.encode(), given.encode())
        if not right or request.args.get("hub.mode") != "subscribe":
            raise Forged("the verify token is not the one in RINGTRAIL_WHATSAPP_VERIFY_TOKEN")
        return Response(request.args.get("hub.challenge", "")[:200], content_type="text/plain")

    @pages.post("/webhook")
    def webhook() -> Response:
        arrivals = receive(request, settings.of(WhatsappSettings), clock.now())
        # All are tried, whatever becomes of one: Meta sends the whole request again.
        kept = [inbox.take(arrival) for arrival in arrivals]
        return Response(status=200 if all(kept) else 503)
