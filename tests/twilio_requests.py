"""Twilio as the tests play it: its requests, signed by its own package."""

from datetime import datetime, timedelta
from email.utils import format_datetime
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from flask.testing import FlaskClient
from pydantic import SecretStr
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from tests.cast import ACME_DESK, BOREALIS, CATALOGUE_NUMBER
from tracking.storage.config import Settings
from tracking.telephony.providers.twilio import TwilioSettings

TOKEN = "12345678901234567890123456789012"
BASE = "https://calls.acme.example"
ACCOUNT = "AC" + "0" * 32

Form = dict[str, str]


def sid(number: int) -> str:
    """The id of a call."""
    return f"CA{number:032x}"


OWN = TwilioSettings(auth_tokens=(SecretStr(TOKEN),))


def with_twilio(settings: Settings, *, base_url: str = BASE, **own: object) -> Settings:
    """The same installation, with Twilio set up."""
    twilio = OWN.model_copy(update=own)
    return settings.model_copy(update={"base_url": base_url, "providers": (twilio,)})


def incoming(
    call: str, *, caller: str = BOREALIS, to: str = CATALOGUE_NUMBER, status: str = "ringing"
) -> Form:
    """The request for instructions when one of our numbers rings."""
    return {
        "CallSid": call,
        "AccountSid": ACCOUNT,
        "From": caller,
        "To": to,
        "Caller": caller,
        "Called": to,
        "CallStatus": status,
        "Direction": "inbound",
        "ApiVersion": "2010-04-01",
        "FromCity": "",
        "FromCountry": "GB",
    }


def dial_ended(call: str, status: str, seconds: int | None = None, **more: str) -> Form:
    """The request after the destination has hung up, or not picked up."""
    form = incoming(call, status="in-progress", **more) | {
        "DialCallStatus": status,
        "DialCallSid": "CAd" + call[3:],
    }
    return form if seconds is None else form | {"DialCallDuration": str(seconds)}


def progress(
    call: str, status: str, at: datetime, sequence: int, seconds: int | None = None, **more: str
) -> Form:
    """A report on the caller's leg."""
    form = incoming(call, status=status, **more) | _callback(at, sequence)
    return form if seconds is None else form | {"CallDuration": str(seconds)}


def destination(call: str, status: str, at: datetime, sequence: int, seconds: int | None = None) -> Form:
    """A report on the leg to the destination, which shows the caller's number and not the number dialled."""
    form = incoming("CAd" + call[3:], to=ACME_DESK, status=status) | _callback(at, sequence)
    form |= {"ParentCallSid": call, "Direction": "outbound-dial"}
    return form if seconds is None else form | {"CallDuration": str(seconds)}


def _callback(at: datetime, sequence: int) -> Form:
    return {
        "Timestamp": format_datetime(at),
        "SequenceNumber": str(sequence),
        "CallbackSource": "call-progress-events",
    }


def signature(
    form: Form, *, endpoint: str, key: str = TOKEN, algorithm: str | None = None, base: str = BASE
) -> str:
    """What Twilio's package signs a request with."""
    made = RequestValidator(key).compute_signature(
        f"{base}/providers/twilio/{endpoint}", MultiDict(form), algorithm
    )
    return str(made)


def reports_of_a_call(number: int, at: datetime) -> list[tuple[str, Form, dict[str, str]]]:
    """All that Twilio tells of an answered call, in its order: address, form and signature."""
    call = sid(number)
    told = [
        ("voice", incoming(call)),
        ("status", destination(call, "in-progress", at + timedelta(seconds=12), 2)),
        ("status", destination(call, "completed", at + timedelta(seconds=72), 3, 60)),
        ("dial", dial_ended(call, "completed", 60)),
        ("status", progress(call, "completed", at + timedelta(seconds=73), 0, 61)),
    ]
    return [
        (f"/providers/twilio/{endpoint}", form, {"X-Twilio-Signature": signature(form, endpoint=endpoint)})
        for endpoint, form in told
    ]


def post(client: FlaskClient, endpoint: str, form: Form) -> TestResponse:
    """Send a signed request."""
    return client.post(
        f"/providers/twilio/{endpoint}",
        data=form,
        headers={"X-Twilio-Signature": signature(form, endpoint=endpoint)},
    )


def send(url: str, endpoint: str, form: Form) -> None:
    """Send a signed request to a server that runs."""
    headers = {"X-Twilio-Signature": signature(form, endpoint=endpoint, base=url)}
    request = Request(f"{url}/providers/twilio/{endpoint}", data=urlencode(form).encode(), headers=headers)
    with urlopen(request, timeout=120) as reply:
        assert reply.status in (200, 204)


def messages(number: int, at: datetime) -> list[tuple[str, Form, dict[str, str]]]:
    """Two messages of one buyer: address, form and signature; Twilio does not say when they were sent."""
    told = []
    for place in range(2):
        form = {
            "MessageSid": f"SM{number:030x}{place:02x}",
            "AccountSid": ACCOUNT,
            "From": BOREALIS,
            "To": CATALOGUE_NUMBER,
            "Body": "Do you have it in stock?",
            "NumMedia": "0",
        }
        told.append((form, signature(form, endpoint="message")))
    return [("/providers/twilio/message", form, {"X-Twilio-Signature": signed}) for form, signed in told]
