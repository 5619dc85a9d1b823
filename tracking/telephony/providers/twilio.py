"""Twilio: signed webhooks in, TwiML that lets the telephone ring out, reports on to us of calls and messages.

Of calls three addresses are called: ``voice`` when a number of ours rings (a number's "a call comes in"),
``dial`` when the destination has hung up or not picked up, and ``status`` for the progress of the caller's
leg (the number's "call status changes") and of the leg to the destination. Of messages, ``message``.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Annotated
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

from flask import Blueprint, Request, Response, request
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from tracking import clock
from tracking.errors import Invalid
from tracking.storage.config import PROVIDERS_PATH, ProviderSettings, Settings
from tracking.storage.vocabulary import CallStatus
from tracking.telephony.calls import CallEvent, Course
from tracking.telephony.inbox import Arrival, Inbox
from tracking.telephony.messages import MessageEvent, referred
from tracking.telephony.providers import Forged
from tracking.telephony.routing import Routing

PROVIDER = "twilio"

_HASHES = {"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}
_FORM = "application/x-www-form-urlencoded"
_WORD = re.compile(r"[A-Za-z0-9_-]{0,64}")

# What the leg to the destination, or the Dial as a whole, says of the call.
_OUTCOME = {
    "in-progress": CallStatus.answered,
    "answered": CallStatus.completed,
    "completed": CallStatus.completed,
    "busy": CallStatus.missed,
    "no-answer": CallStatus.missed,
    "failed": CallStatus.missed,
    "canceled": CallStatus.missed,
}
_OVER = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})

# A user of the account's own: a browser, or a desk telephone by SIP that shows no telephone number.
_PARTY = re.compile(r"client:|sips?:(?!\+?\d{7,15}@)", re.IGNORECASE)

# What is entered at Twilio, under its own names, as paths of ours.
ADDRESSES = {"A call comes in": "/voice", "Call status changes": "/status", "A message comes in": "/message"}
# Of a message; what was written is not kept.
_OF_MESSAGE = ("MessageSid", "From", "To", "ProfileName", "ReferralCtwaClid", "ReferralSourceId",
               "ReferralSourceType", "ReferralSourceUrl", "ReferralHeadline")  # fmt: skip

_SORRY = "We are sorry, nobody can take your call at the moment. Please try again later."


class TwilioSettings(ProviderSettings, env_prefix="RINGTRAIL_TWILIO_"):
    """Who may report calls as Twilio."""

    account_sid: str = Field(
        "",
        title="Account SID",
        description="The only Twilio account whose calls are taken. Empty: any with a valid signature.",
    )
    auth_tokens: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        title="Auth tokens",
        description="From the Twilio console. Two, comma separated, while one is being replaced.",
    )
    shared_keys: Annotated[dict[str, SecretStr], NoDecode] = Field(
        {},
        title="Webhook keys",
        description="Only for the newer signature (HMAC-SHA256): id=secret, comma separated.",
    )

    @field_validator("auth_tokens", mode="before")
    @classmethod
    def _split_tokens(cls, value: object) -> object:
        return tuple(t.strip() for t in value.split(",") if t.strip()) if isinstance(value, str) else value

    @field_validator("shared_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [item.strip().partition("=") for item in value.split(",") if item.strip()]
        # Only its place is told: what stands there instead of the id may be the secret.
        for place, (name, _, secret) in enumerate(pairs, 1):
            if not (name and secret):
                raise ValueError(f"key {place} of {len(pairs)} is not of the form id=secret")
        return {name: secret for name, _, secret in pairs}


def obstacle(settings: Settings) -> str:
    """Return what is missing before requests can be verified."""
    own = settings.of(TwilioSettings)
    return "" if own.auth_tokens or own.shared_keys else "RINGTRAIL_TWILIO_AUTH_TOKENS is not set"


# --- Is it Twilio? ---------------------------------------------------------------------------------------


def is_signed(
    url: str, form: Mapping[str, Sequence[str]] | None, body: bytes, signature: str, key: str, algorithm: str
) -> bool:
    """Tell whether ``signature`` was made with ``key`` over this address and form (or, without one, body).

    Twilio signs the address followed by each name and its values, sorted and without repetition; a body
    that is no form is covered by its hash in the query. It is not constant about writing the default port.
    """
    if algorithm.upper() not in _HASHES:
        return False
    if form is None:
        claimed = parse_qs(urlsplit(url).query).get("bodySHA256", [""])[0]
        if not hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), claimed.encode()):
            return False
    made = [sign(spelling, form or {}, key, algorithm) for spelling in _spellings(url)]
    verdicts = [hmac.compare_digest(one.encode(), signature.encode()) for one in made]
    return any(verdicts)


def sign(url: str, form: Mapping[str, Sequence[str]], key: str, algorithm: str = "HMAC_SHA1") -> str:
    """Return the signature of a form that is sent to an address."""
    told = "".join(name + value for name in sorted(form) for value in sorted(set(form[name])))
    digest = hmac.digest(key.encode(), (url + told).encode(), _HASHES[algorithm.upper()])
    return base64.b64encode(digest).decode()


def _spellings(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    if parts.port:
        other = parts.netloc.rpartition(":")[0]
    else:
        other = f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}"
    return parts.geturl(), parts._replace(netloc=other).geturl()


def receive(request: Request, base_url: str, own: TwilioSettings, endpoint: str, at: datetime) -> Arrival:
    """Verify a request and read it, in one step, so that nothing unverified can be read.

    The key of an event is its call (the caller's leg), the endpoint, the leg it speaks of, that leg's
    status and Twilio's sequence number.

    Raises
    ------
    Forged
        If the signature is missing or wrong, or the account is not ours.
    Invalid
        If the request is Twilio's but lacks what tells its call from others.
    """
    signature = request.headers.get("X-Twilio-Signature", "")
    algorithm, keys = _keys(request.headers.get("X-Twilio-Webhooks-Signature-Settings", ""), own)
    if not signature or not keys:
        raise Forged("no signature that a key of ours could have made")
    # Not the address the request shows: a proxy may have changed it, and a forger can write any Host.
    query = request.environ.get("QUERY_STRING", "")
    url = base_url + request.path + (f"?{query}" if query else "")
    body = request.get_data()
    form = request.form.to_dict(flat=False) if request.mimetype == _FORM or not body else None
    if not any(is_signed(url, form, body, signature, key, algorithm) for key in keys):
        raise Forged("the signature is not that of this request")
    form = form or {}
    if endpoint == "message":
        form = {name: form[name] for name in (*_OF_MESSAGE, "AccountSid") if name in form}
    if own.account_sid and _said(form, "AccountSid") != own.account_sid:
        raise Forged("the account is not the one in RINGTRAIL_TWILIO_ACCOUNT_SID")
    return Arrival(
        provider=PROVIDER,
        call_id=_word(form, "MessageSid", required=True) if endpoint == "message" else _call(form),
        report="message" if endpoint == "message" else "/".join(_told_apart(endpoint, form)),
        body=json.dumps({"endpoint": endpoint, "form": form}, sort_keys=True),
        received_at=at,
        dialled=_said(form, "To") if endpoint == "voice" else "",
    )


def _keys(header: str, own: TwilioSettings) -> tuple[str, list[str]]:
    stated = [
        (name.strip(), value.strip()) for name, _, value in (p.partition("=") for p in header.split(","))
    ]
    algorithm = next((v for n, v in stated if n == "algorithm" and v), "HMAC_SHA1").upper()
    # Each algorithm has keys of its own: one must not pass for the other.
    if algorithm == "HMAC_SHA256":
        shared = own.shared_keys.get(next((v for n, v in stated if n == "key"), ""))
        return algorithm, [shared.get_secret_value()] if shared else []
    return algorithm, [token.get_secret_value() for token in own.auth_tokens]


# --- What does it say? -----------------------------------------------------------------------------------


def interpret(body: str, received_at: datetime) -> CallEvent | MessageEvent:
    """Turn a kept request into a report about a call, or into a message.

    Twilio calls the caller's leg completed also where nobody picked up; that somebody did is told by the
    leg to the destination alone. That leg knows the caller's number only as it was shown to the
    destination, and not the number dialled, so it says nothing of either here.
    """
    said = json.loads(body)
    endpoint, form = said["endpoint"], said["form"]
    if endpoint == "message":
        return _message(form, received_at)
    to_destination = bool(_said(form, "ParentCallSid"))
    of_destination = to_destination or endpoint == "dial"
    status = _said(form, "DialCallStatus" if endpoint == "dial" else "CallStatus")
    lasted = _seconds(form, "DialCallDuration" if endpoint == "dial" else "CallDuration")
    stamped = _moment(form)
    over = endpoint == "dial" or status in _OVER
    outcome = _OUTCOME.get(status) if of_destination else None
    answered = outcome in (CallStatus.answered, CallStatus.completed)
    if over and not answered:
        # Nothing here proves that anybody picked up; another report may.
        outcome = CallStatus.missed
    # Each of these moments is one at which the call was already there, so the earliest is taken for its
    # start; for its end only Twilio's own stamp will do, since a report may come late.
    began = (stamped or received_at) - timedelta(seconds=lasted or 0)
    return CallEvent(
        provider=PROVIDER,
        provider_call_id=_call(form),
        dialled=() if to_destination else (_said(form, "To") or _said(form, "Called"),),
        caller=None if to_destination else _said(form, "From") or _said(form, "Caller"),
        caller_name=_said(form, "CallerName")[:200] or None,
        started_at=began,
        status=outcome,
        answered_at=began if answered else None,
        ended_at=stamped if over else None,
        duration_s=lasted if over and not of_destination else None,
        talk_s=lasted if over and answered else None,
        course=None if to_destination else _course(form),
    )


def _message(form: Mapping[str, Sequence[str]], at: datetime) -> MessageEvent:
    # By WhatsApp too, whose parties it names "whatsapp:+46…".
    ours, sender = (_said(form, name).removeprefix("whatsapp:") for name in ("To", "From"))
    told = {"ctwa_clid": "CtwaClid", "source_id": "SourceId", "source_type": "SourceType"}
    told |= {"source_url": "SourceUrl", "headline": "Headline"}
    return MessageEvent(
        provider=PROVIDER,
        ours=ours,
        sender=sender,
        sent_at=at,
        sender_name=_said(form, "ProfileName")[:200] or None,
        trace=referred({name: _said(form, f"Referral{word}") for name, word in told.items()}),
    )


def _course(form: Mapping[str, Sequence[str]]) -> Course:
    """Tell which way a call goes; what a browser or a desk telephone dials is called inbound by Twilio."""
    caller, dialled = _said(form, "From") or _said(form, "Caller"), _said(form, "To") or _said(form, "Called")
    made_here = _said(form, "Direction").casefold().startswith(("outbound", "trunking-terminating"))
    if not made_here and not _PARTY.match(caller):
        return Course.incoming
    return Course.internal if _PARTY.match(dialled) else Course.outgoing


def _call(form: Mapping[str, Sequence[str]]) -> str:
    name = "ParentCallSid" if _said(form, "ParentCallSid") else "CallSid"
    return _word(form, name, required=True)


def _told_apart(endpoint: str, form: Mapping[str, Sequence[str]]) -> list[str]:
    if endpoint == "dial":
        return ["dial", _word(form, "DialCallSid"), _word(form, "DialCallStatus", required=True)]
    if endpoint == "voice":
        return ["voice", _word(form, "CallStatus")]
    words = [_word(form, "CallSid", required=True), _word(form, "CallStatus", required=True)]
    return ["status", *words, _word(form, "SequenceNumber")]


def _word(form: Mapping[str, Sequence[str]], name: str, *, required: bool = False) -> str:
    value = _said(form, name)
    if required and not value:
        raise Invalid(name, "is missing; the request cannot be told from others")
    if not _WORD.fullmatch(value):
        # Not shown: in the wrong field it may be a caller's number.
        raise Invalid(name, "must be up to 64 letters, digits, hyphens or underscores")
    return value


def _said(form: Mapping[str, Sequence[str]], name: str) -> str:
    # Control characters have no place in what a person reads, and PostgreSQL takes no NUL.
    said = next(iter(form.get(name, ())), "")
    return said if said.isprintable() else "".join(c for c in said if c.isprintable())


def _seconds(form: Mapping[str, Sequence[str]], name: str) -> int | None:
    text = _said(form, name)
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,7}", text):
        raise Invalid(name, "is not a whole number of seconds")
    return int(text)


def _moment(form: Mapping[str, Sequence[str]]) -> datetime | None:
    text = _said(form, "Timestamp")
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        raise Invalid("Timestamp", "not a date and time as in RFC 2822") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


# --- What to answer --------------------------------------------------------------------------------------


def forwarding(destination: str | None, settings: Settings) -> ET.Element:
    """Return the TwiML that rings ``destination``, or that says so where there is none."""
    response = ET.Element("Response")
    if destination is None:
        ET.SubElement(response, "Say", language="en-GB").text = _SORRY
        ET.SubElement(response, "Hangup")
        return response
    address = f"{settings.base_url}{PROVIDERS_PATH}/{PROVIDER}"
    dial = ET.SubElement(
        response,
        "Dial",
        # Without this the caller's leg counts, and costs, from the first ring.
        answerOnBridge="true",
        timeout=str(settings.dial_timeout_s),
        action=f"{address}/dial",
        method="POST",
    )
    number = ET.SubElement(
        dial,
        "Number",
        statusCallback=f"{address}/status",
        statusCallbackEvent="initiated ringing answered completed",
        statusCallbackMethod="POST",
    )
    number.text = destination
    return response


def routes(pages: Blueprint, settings: Settings, inbox: Inbox, routing: Routing) -> None:
    """Add the three addresses that Twilio calls."""

    @lru_cache(maxsize=1000)
    def ringing(destination: str | None) -> bytes:
        return _written(forwarding(destination, settings))

    def received(endpoint: str) -> Arrival:
        return receive(request, settings.base_url, settings.of(TwilioSettings), endpoint, clock.now())

    @pages.post("/voice")
    def voice() -> Response:
        arrival = received("voice")
        # Whatever becomes of the event, the telephone rings; taking it also refreshes the routing.
        inbox.take(arrival)
        return _twiml(ringing(routing.destination(arrival.dialled)))

    @pages.post("/dial")
    def dial() -> Response:
        inbox.take(received("dial"))
        response = ET.Element("Response")
        ET.SubElement(response, "Hangup")
        return _twiml(_written(response))

    @pages.post("/status")
    def status() -> tuple[str, int]:
        kept = inbox.take(received("status"))
        return ("", 204) if kept else ("the event could not be kept\n", 503)

    @pages.post("/message")
    def message() -> Response:
        kept = inbox.take(received("message"))
        return _twiml(_written(ET.Element("Response"))) if kept else Response(status=503)


def _written(response: ET.Element) -> bytes:
    written: bytes = ET.tostring(response, encoding="utf-8", xml_declaration=True)
    return written


def _twiml(written: bytes) -> Response:
    return Response(written, content_type="text/xml")
