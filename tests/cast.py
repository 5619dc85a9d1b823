"""The standing cast of the tests, and the moments and numbers they use.

Acme Pumps is the supplier we work for. Borealis Foods is a buyer met at a trade fair who calls three times.
Cobalt Mining is a buyer nobody tracked who says "a colleague". Drift is an outsider who must never see
Acme's calls. All numbers come from ranges reserved for fiction.
"""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from tracking import clock

ACME_DESK = "+46701740690"
CATALOGUE_NUMBER = "+46701740605"
FAIR_NUMBER = "+46701740606"
SEARCH_NUMBER = "+46701740607"
BOREALIS = "+442079460001"
BOREALIS_BUYER = "+442079460002"
COBALT = "+442079460003"
DRIFT = "+12025550123"
STOCKHOLM = ZoneInfo("Europe/Stockholm")
"""Where an installation is that says nothing else: pages and commands mean the day there."""


def moment(text: str) -> datetime:
    """Return a moment in UTC, written as 2026-03-01 or 2026-03-01 09:00."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def today() -> date:
    """Return the day that pages and commands mean; between 23:00 and midnight in UTC it has begun."""
    return clock.now().astimezone(STOCKHOLM).date()
