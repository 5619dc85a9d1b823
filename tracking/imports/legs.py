"""Reports about calls from a file, recorded in one go, with an outcome for each row."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from tracking import calls
from tracking.calls import CallEvent
from tracking.effects import Effect
from tracking.imports.outcomes import KNOWN, Outcome, Skip

ANOTHER_LEG = Skip("another leg of a call in this file")


def save_calls(session: Session, events: Sequence[CallEvent], region: str) -> list[Outcome]:
    """Record calls; of several rows of one call, the first gets the outcome."""
    effects: dict[tuple[str, str], Outcome] = {
        (done.call.provider, done.call.provider_call_id): KNOWN
        if done.effect is Effect.unchanged
        else done.effect
        for done in calls.record(session, events, region=region)
    }
    outcomes: list[Outcome] = []
    for event in events:
        key = (event.provider, event.provider_call_id)
        outcomes.append(effects[key])
        effects[key] = KNOWN if effects[key] is KNOWN else ANOTHER_LEG
    return outcomes
