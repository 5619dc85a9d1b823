"""Reports about calls from a file, recorded in one go, with an outcome for each row."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from tracking.imports.outcomes import KNOWN, Skip
from tracking.records.import_outcome import ImportOutcome
from tracking.telephony import bulk
from tracking.telephony.bulk import Filed
from tracking.telephony.calls import CallEvent

ANOTHER_LEG = Skip("another leg of a call in this file")


def record_rows(
    session: Session, events: Sequence[CallEvent], region: str
) -> list[tuple[ImportOutcome | Skip, Filed]]:
    """Record calls; of several rows of one call, the first gets the outcome."""
    filed = bulk.record(session, events, region=region)
    seen: set[tuple[str, str]] = set()
    outcomes: list[tuple[ImportOutcome | Skip, Filed]] = []
    for event in events:
        key = (event.provider, event.provider_call_id)
        done = filed[key]
        if done.effect is ImportOutcome.unchanged:
            outcomes.append((KNOWN, done))
        else:
            outcomes.append((ANOTHER_LEG if key in seen else done.effect, done))
        seen.add(key)
    return outcomes
