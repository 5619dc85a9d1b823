"""Attribution: which touches earned a deal, under every model the field uses, exact to the cent."""

from attribution.engine import attribute, explain
from attribution.journeys import (
    ANSWERS,
    CALLS,
    CONVERSIONS,
    COSTS,
    CREDITS,
    TOUCHES,
    UNATTRIBUTED,
    VISITS,
    JourneyError,
)
from attribution.markov import Markov
from attribution.models import MODELS
from attribution.rules import Positions, TimeDecay
from attribution.validation import validate

__all__ = [
    "ANSWERS",
    "CALLS",
    "CONVERSIONS",
    "COSTS",
    "CREDITS",
    "MODELS",
    "TOUCHES",
    "UNATTRIBUTED",
    "VISITS",
    "JourneyError",
    "Markov",
    "Positions",
    "TimeDecay",
    "attribute",
    "explain",
    "validate",
]
