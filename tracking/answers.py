"""Where did you hear about us?: asked or not, answered or declined, each time a row of its own."""

import re
import unicodedata
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking.errors import Conflict, Invalid
from tracking.models import Answer, Call, Campaign, Contact
from tracking.names import required
from tracking.vocabulary import Outcome

LONGEST_VERBATIM = 2000

# Control and format characters and halves of characters can break a database, a terminal or the order of
# a line; the two joiners are part of how Persian, Hindi and emoji are spelt.
_UNSEEN = frozenset({"Cc", "Cf", "Cs"})
_KEPT = frozenset("\n\t\u200c\u200d")


def log(
    session: Session,
    outcome: Outcome,
    *,
    asked_at: datetime,
    asked_by: str | None = None,
    call: Call | None = None,
    contact: Contact | None = None,
    campaign: Campaign | None = None,
    channel: str | None = None,
    verbatim: str | None = None,
    source_key: str | None = None,
) -> Answer:
    """Write down what came of asking; a second entry for a call corrects the first and keeps it.

    What comes again with the same ``source_key`` changes nothing. The caller's own words go into
    ``verbatim``, what they were taken to mean into ``campaign`` or ``channel``. The tracked source of the
    call stays as it is, whatever is answered.
    """
    if call is None and contact is None:
        raise Invalid("call", "an answer belongs to a call or a contact; name one")
    if asked_at.tzinfo is None:
        raise Invalid("asked_at", f"{asked_at.isoformat()} names no time zone; give an offset")
    channel, asked_by = _name(channel, "channel"), _name(asked_by, "asked_by")
    if outcome is not Outcome.answered and (campaign is not None or channel is not None):
        raise Invalid(
            "outcome", f"{outcome} names no source; leave campaign and channel out, or say answered"
        )
    words = _clean(verbatim or "") or None
    if outcome is Outcome.answered and not (words or campaign or channel):
        raise Invalid("verbatim", "an answer needs the caller's words, a campaign or a channel")
    if source_key and (same := session.scalar(select(Answer).where(Answer.source_key == source_key))):
        return same
    earlier = _standing(session, call) if call is not None else None
    person = call.contact if call is not None else contact
    answer = Answer(
        contact=person,
        call=call,
        asked_at=asked_at,
        asked_by=asked_by,
        outcome=outcome,
        campaign=campaign,
        channel=channel,
        verbatim=words,
        corrects_id=earlier.id if earlier else None,
        source_key=source_key,
    )
    session.add(answer)
    session.flush()
    return answer


def _standing(session: Session, call: Call) -> Answer | None:
    # The call's row is locked, so that two reps who log it at once correct one another in turn.
    session.execute(select(Call.id).where(Call.id == call.id).with_for_update())
    of_call = (Answer.call_id == call.id, Answer.corrects_id.is_not(None))
    corrected = select(Answer.corrects_id).where(*of_call)
    found = session.scalars(
        select(Answer).where(Answer.call_id == call.id, Answer.id.not_in(corrected))
    ).all()
    if len(found) > 1:
        raise Conflict(f"call {call.id} has {len(found)} standing answers; run `ringtrail doctor`")
    return found[0] if found else None


def _name(text: str | None, field: str) -> str | None:
    return required(text, field) if text and text.strip() else None


def _clean(words: str) -> str:
    text = unicodedata.normalize("NFC", re.sub(r"\r\n?", "\n", words))
    text = "".join(c for c in text if c in _KEPT or unicodedata.category(c) not in _UNSEEN).strip()
    if len(text) > LONGEST_VERBATIM:
        raise Invalid("verbatim", f"has {len(text)} characters; the longest kept is {LONGEST_VERBATIM}")
    return text
