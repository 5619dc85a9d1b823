"""What is assumed of a channel, since no table tells it: whom it reaches, and what is seen of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class Habit:
    """What is assumed of a channel: nothing of it is in a table.

    Attributes
    ----------
    audience : {"all", "researching"}
        Whom it reaches.
    response : float
        Tracked responses per meeting, 0 to 1.
    """

    audience: Literal["all", "researching"]
    response: float


# Where no response is tracked: one meeting in twenty ends in a call on the campaign's number. Assumption.
CALLED: Final = 0.05
# By words in the name of the channel, first match; all assumptions.
HABITS: Final[tuple[tuple[tuple[str, ...], Habit], ...]] = (
    (("paid search", "search ad", "ppc", "search"), Habit("researching", 0.6)),
    (("directory", "marketplace", "portal"), Habit("researching", 0.25)),
    (("referral", "recommend", "partner", "word of mouth"), Habit("researching", 0.3)),
    (("webinar", "seminar", "training"), Habit("all", 0.95)),
    (("trade", "fair", "show", "exhibition", "event"), Habit("all", 0.5)),
    (("email", "e-mail", "newsletter"), Habit("all", 0.08)),
    (("messag", "whatsapp", "sms", "chat"), Habit("all", 0.15)),
    (("display", "banner", "programmatic"), Habit("all", 0.02)),
    (("social", "video"), Habit("all", 0.03)),
    (("print", "catalog", "magazine", "mail"), Habit("all", 0.05)),
    (("radio", "television", "tv", "billboard"), Habit("all", 0.01)),
)
_OTHERWISE: Final = Habit("all", 0.2)


def habit(channel: str | None) -> Habit:
    """Return what is assumed of a channel, by words in its name.

    Examples
    --------
    >>> habit("Paid search").audience
    'researching'
    """
    told = (channel or "").casefold()
    return next((each for names, each in HABITS if any(name in told for name in names)), _OTHERWISE)
