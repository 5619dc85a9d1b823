"""Three beliefs in a supplier's words, and how much each weighs on how campaigns may work.

No answer excludes anything: it makes worlds that fit it likelier and leaves some weight to the others.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

from simulator.families import EFFECTIVE, FAMILIES, NONE

UNSURE: Final = "unsure"
# Share of the orders that would come without any advertising, from and to. Assumptions.
ANYWAY: Final[dict[str, tuple[float, float]]] = {"few": (0.15, 0.4), "half": (0.4, 0.65), "most": (0.65, 0.9)}
# Share of the campaigns that do nothing, from and to. Assumptions.
NOTHING: Final[dict[str, tuple[float, float]]] = {"none": (0.0, 0.1), "some": (0.1, 0.4), "many": (0.4, 0.7)}
# How likely each family is if campaigns mostly do this; any scale. Assumptions.
ROLE: Final[dict[str, dict[str, float]]] = {
    "open": {
        "introduction": 4,
        "unseen work": 2,
        "step by step": 1,
        "fading": 1,
        "committee": 0.5,
        "last push": 0.5,
    },
    "convince": {
        "committee": 3,
        "step by step": 3,
        "fading": 2,
        "unseen work": 1,
        "introduction": 0.5,
        "last push": 0.5,
    },
    "close": {
        "last push": 4,
        "fading": 2,
        "step by step": 1,
        "committee": 1,
        "introduction": 0.5,
        "unseen work": 0.5,
    },
}
# How likely it is that no campaign has any effect at all. Assumption.
_NO_EFFECT: Final = {"none": 0.02, "some": 0.1, "many": 0.25, UNSURE: 0.1}
# Weight of the chosen answer; the others share the rest.
_CHOSEN: Final = 0.6

QUESTIONS: Final[dict[str, tuple[str, ...]]] = {
    "anyway": (*ANYWAY, UNSURE),
    "role": (*ROLE, UNSURE),
    "nothing": (*NOTHING, UNSURE),
}


@dataclass(frozen=True)
class Beliefs:
    """What a supplier believes of his market.

    Attributes
    ----------
    anyway : str
        Which part of the orders would come without any advertising: ``"few"``, ``"half"``, ``"most"`` or
        ``"unsure"``.
    role : str
        What campaigns mostly do: ``"open"`` doors, ``"convince"`` step by step, ``"close"``, or ``"unsure"``.
    nothing : str
        How many campaigns do nothing: ``"none"``, ``"some"``, ``"many"`` or ``"unsure"``.

    Raises
    ------
    ValueError
        If an answer is not one of `QUESTIONS`; the message names both.
    """

    anyway: str = UNSURE
    role: str = UNSURE
    nothing: str = UNSURE

    def __post_init__(self) -> None:
        """Refuse answers that are not offered."""
        for question, offered in QUESTIONS.items():
            if (told := getattr(self, question)) not in offered:
                raise ValueError(f"{question} {told!r} is not an answer: choose {', '.join(offered)}")

    def families(self) -> dict[str, float]:
        """Return the weight of each family, adding up to 1."""
        likely = ROLE.get(self.role, dict.fromkeys(EFFECTIVE, 1.0))
        none = _NO_EFFECT[self.nothing]
        whole = sum(likely.values())
        return {
            family: none if family == NONE else (1 - none) * likely[family] / whole for family in FAMILIES
        }

    def world(self, anyway: str, nothing: str) -> float:
        """Return the weight of a world in which the answers would be these."""
        return _weight(self.anyway, anyway, len(ANYWAY)) * _weight(self.nothing, nothing, len(NOTHING))

    def others(self) -> list[Beliefs]:
        """Return the beliefs that differ in one answer."""
        return [
            replace(self, **{field.name: answer})
            for field in fields(self)
            for answer in QUESTIONS[field.name]
            if answer not in (UNSURE, getattr(self, field.name))
        ]


def _weight(told: str, of: str, offered: int) -> float:
    if told == UNSURE:
        return 1 / offered
    return _CHOSEN if told == of else (1 - _CHOSEN) / (offered - 1)
