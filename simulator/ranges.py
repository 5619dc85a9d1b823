"""Ranges that parameters of a market may lie in, and the error that names what does not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Share: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]
Weight: TypeAlias = Annotated[float, Field(ge=0.0, le=1_000.0)]
Days: TypeAlias = Annotated[float, Field(gt=0.0, le=100_000.0)]
# Standard deviation of a logarithm: at 2, one draw in forty is more than 50 times the median.
Sigma: TypeAlias = Annotated[float, Field(ge=0.0, le=2.0)]
# Up to ten billion in the currency's main unit.
Money: TypeAlias = Annotated[float, Field(ge=0.0, le=1e12)]


def not_all_zero(weights: Iterable[float]) -> None:
    """Refuse weights among which nothing could be chosen."""
    if not any(weights):
        raise ValueError("at least one weight must be above 0")


def _weighed(weights: dict[str, float]) -> dict[str, float]:
    not_all_zero(weights.values())
    return weights


def weighed_list(weights: list[float]) -> list[float]:
    """Return weights as they are, not all of them 0."""
    not_all_zero(weights)
    return weights


Multiplier: TypeAlias = Annotated[float, Field(ge=0.0, le=10.0)]
Weights: TypeAlias = Annotated[dict[str, Weight], Field(min_length=1), AfterValidator(_weighed)]

# A clock that stands still for hours could not be turned back.
Activity: TypeAlias = Annotated[float, Field(ge=1e-3, le=1_000.0)]

# Meetings with one campaign, of a company and a year or a flight, at most.
MOST_MET: Final = 200.0

# Roles in a buying group: person number n of a company has the role n modulo five.
ROLES: Final = ("engineer", "purchasing", "plant manager", "finance", "maintenance")
# The waits of the buying cycle in their order, each with the parameter of a need that says how long it takes.
STAGES: Final = {"shortlist": "shortlist_days", "contact": "contact_days", "win": "decision_days"}


def _of_stages(effects: dict[str, float]) -> dict[str, float]:
    if unknown := set(effects) - set(STAGES):
        raise ValueError(f"no stage {sorted(unknown)}: stages are {', '.join(STAGES)}")
    return effects


# What one meeting does to each stage, 0 where it is not named.
Effects: TypeAlias = Annotated[dict[str, Weight], AfterValidator(_of_stages)]


class ScenarioError(ValueError):
    """A scenario that cannot be read or run, with the key, the value and what would be right."""


class Part(BaseModel):
    """A table of a scenario: no unknown key, no infinite number, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
