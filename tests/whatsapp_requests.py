"""Meta as the tests play it: webhooks as the documentation of WhatsApp's Cloud API shows them."""

import json
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from tests.cast import BOREALIS, CATALOGUE_NUMBER
from tracking.telephony.providers.whatsapp import WhatsappSettings, sign

SECRET = "an app secret"
TOKEN = "a verify token"
OWN = WhatsappSettings(app_secret=SecretStr(SECRET), verify_token=SecretStr(TOKEN))
ADDRESS = "/providers/whatsapp/webhook"
REFERRAL = {
    "source_url": "https://fb.me/3cr4Wqqkv",
    "source_id": "120226305854810726",
    "source_type": "ad",
    "headline": "Chat with us",
    "body": "Summer succulents are here!",
    "media_type": "image",
    "ctwa_clid": "Aff-n8ZTODiE79d22KtAwQKj9e_mIEOOj27vDVwFjN80dp4_0NiNhEgpGo0AHemvuSoifXaytfTzc",
}


def webhook(
    *messages: dict[str, Any], name: str = "Sheena Nelson", field: str = "messages"
) -> dict[str, Any]:
    """One request with some messages."""
    value: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "metadata": {
            "display_phone_number": CATALOGUE_NUMBER.removeprefix("+"),
            "phone_number_id": "106540352242922",
        },
        "contacts": [{"profile": {"name": name}, "wa_id": BOREALIS.removeprefix("+")}],
        "messages": list(messages),
    }
    changes = [{"value": value, "field": field}]
    return {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": changes}]}


def message(number: int, at: datetime, **more: Any) -> dict[str, Any]:
    """One message to us."""
    return {
        "from": BOREALIS.removeprefix("+"),
        "id": f"wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0R{number}",
        "timestamp": str(int(at.timestamp())),
        "type": "text",
        "text": {"body": "Does it come in another color?"},
        **more,
    }


def request(body: dict[str, Any]) -> tuple[str, bytes, dict[str, str]]:
    """A signed request."""
    sent = json.dumps(body).encode()
    signed = {"X-Hub-Signature-256": sign(sent, SECRET), "Content-Type": "application/json"}
    return ADDRESS, sent, signed


def messages(number: int, at: datetime) -> list[tuple[str, bytes, dict[str, str]]]:
    """Two messages of one buyer, the first begun from an advertisement, and a report on one of ours."""
    first = message(2 * number, at, referral=REFERRAL)
    second = message(2 * number + 1, at.replace(minute=7))
    report = webhook()
    del report["entry"][0]["changes"][0]["value"]["messages"]
    report["entry"][0]["changes"][0]["value"]["statuses"] = [{"id": "wamid.x", "status": "sent"}]
    return [request(webhook(first)), request(webhook(second)), request(report)]
