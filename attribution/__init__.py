"""Attribution: which touches earned a deal, under every model the field uses, exact to the cent."""

from attribution.engine import UNATTRIBUTED, attribute, explain
from attribution.journeys import (
    ANSWERS,
    CALLS,
    CONVERSIONS,
    COSTS,
    CREDITS,
    TOUCHES,
    VISITS,
    JourneyError,
)
from attribution.markov import Markov
from attribution.models import MODELS
from attribution.positions import Positions
from attribution.rules import TimeDecay
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
