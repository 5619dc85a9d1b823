"""46elks as the tests play it: messages as its documentation shows them, with fictional numbers."""

from base64 import b64encode
from datetime import datetime

from pydantic import SecretStr

from tests.cast import BOREALIS, CATALOGUE_NUMBER
from tracking.telephony.providers.elks import ElksSettings

PASSWORD = "a long password"
SIGNED = False
OWN = ElksSettings(password=SecretStr(PASSWORD))


def messages(number: int, at: datetime) -> list[tuple[str, dict[str, str], dict[str, str]]]:
    """Two messages of one buyer: address, form and headers."""
    shown = b64encode(f"ringtrail:{PASSWORD}".encode()).decode()
    return [
        (
            "/providers/elks/sms",
            {
                "direction": "incoming",
                "id": f"sf{number:030x}{place}",
                "from": BOREALIS,
                "to": CATALOGUE_NUMBER,
                "created": at.replace(tzinfo=None, minute=place).isoformat(timespec="microseconds"),
                "message": "Hello how are you?",
            },
            {"Authorization": f"Basic {shown}"},
        )
        for place in (0, 7)
    ]
