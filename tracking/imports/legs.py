"""Reports about calls from a file, recorded in one go, with an outcome for each row."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from tracking import calls
from tracking.calls import CallEvent
from tracking.effects import Effect
from tracking.imports.outcomes import KNOWN, Skip
from tracking.models import Call

ANOTHER_LEG = Skip("another leg of a call in this file")


def record_rows(
    session: Session, events: Sequence[CallEvent], region: str
) -> list[tuple[Effect | Skip, Call]]:
    """Record calls; of several rows of one call, the first gets the outcome."""
    recorded = {
        (done.call.provider, done.call.provider_call_id): done
        for done in calls.record(session, events, region=region)
    }
    seen: set[tuple[str, str]] = set()
    outcomes: list[tuple[Effect | Skip, Call]] = []
    for event in events:
        key = (event.provider, event.provider_call_id)
        done = recorded[key]
        if done.effect is Effect.unchanged:
            outcomes.append((KNOWN, done.call))
        else:
            outcomes.append((ANOTHER_LEG if key in seen else done.effect, done.call))
        seen.add(key)
    return outcomes
