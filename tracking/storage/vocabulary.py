"""The words that tables share: states as enumerations, column types, the declarative base."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, Date, Enum, MetaData, String
from sqlalchemy.orm import DeclarativeBase, mapped_column

from tracking.storage import origins
from tracking.storage.column_types import Moment, RowId
from tracking.storage.phone import NumberState


class Direction(StrEnum):
    """Whether a campaign waits to be found or goes out to the buyer."""

    inbound = "inbound"
    outbound = "outbound"


class Medium(StrEnum):
    """What carries a piece of ad material; it decides how long its number rests after use."""

    online = "online"
    email = "email"
    print = "print"
    fair = "fair"
    other = "other"


class NumberStatus(StrEnum):
    """Whether a tracking number is in service at its provider."""

    pending = "pending"
    active = "active"
    disabled = "disabled"


class CallStatus(StrEnum):
    """How far a call came; it only moves forward: ringing; answered, missed or voicemail; completed."""

    ringing = "ringing"
    answered = "answered"
    missed = "missed"
    voicemail = "voicemail"
    completed = "completed"


class CallState(StrEnum):
    """How a call stands at a moment: its status, or that it must be over and its end was never reported."""

    ringing = "ringing"
    answered = "answered"
    missed = "missed"
    voicemail = "voicemail"
    completed = "completed"
    unreported = "unreported"


class Certainty(StrEnum):
    """How sure it is which visitor called a number of a pool."""

    sure = "sure"
    likely = "likely"
    unknown = "unknown"
    """Visitors had seen the number, and none is likely enough."""
    nobody = "nobody"
    """No visitor within reach had been shown it."""


class FormState(StrEnum):
    """Whether a form counts."""

    counted = "counted"
    nobody = "nobody"
    """It says nothing by which its sender could be known, and so it is no company's."""
    spam = "spam"


class LeadStatus(StrEnum):
    """The sales rep's judgement of a call."""

    good_lead = "good_lead"
    not_a_lead = "not_a_lead"


class TouchKind(StrEnum):
    """The kinds of touch of the journey tables."""

    call = "call"
    visit = "visit"
    form = "form"
    message = "message"
    event = "event"
    answer = "answer"
    other = "other"


class Outcome(StrEnum):
    """What became of the question "where did you hear about us?"."""

    answered = "answered"
    not_asked = "not_asked"
    declined = "declined"
    unknown = "unknown"


class PointKind(StrEnum):
    """A way to recognise a contact."""

    phone = "phone"
    email = "email"
    external = "external"


class Stage(StrEnum):
    """How far a deal came."""

    lead = "lead"
    qualified = "qualified"
    opportunity = "opportunity"
    won = "won"
    lost = "lost"


class ExperimentState(StrEnum):
    """How far an experiment came."""

    planned = "planned"
    running = "running"
    ended = "ended"
    cancelled = "cancelled"


class Role(StrEnum):
    """What somebody who signs in may do; each may do what those before it may."""

    viewer = "viewer"
    """See reports and records, telephone numbers and e-mail addresses in part."""
    rep = "rep"
    """See who calls, log calls and answers."""
    marketer = "marketer"
    """Keep campaigns, numbers, costs, companies and deals; import files; schedule reports."""
    administrator = "administrator"
    """Let people and programs in and out, see the audit trail."""


class JobState(StrEnum):
    """How far a job came."""

    waiting = "waiting"
    running = "running"
    done = "done"
    failed = "failed"
    stopped = "stopped"


Imported = Annotated[int | None, mapped_column(default=origins.current)]
"""The import that has made a row, if one has."""
Key = Annotated[int, mapped_column(RowId, primary_key=True)]
Name = Annotated[str, mapped_column(String(200))]
MatchedName = String(200).with_variant(String(200, collation="C"), "postgresql")
"""Ordered and compared by code points on every database, so that one index serves names that begin alike."""
Minor = Annotated[int, mapped_column(BigInteger)]
CurrencyCode = Annotated[str, mapped_column(String(3))]
Hash = Annotated[str, mapped_column(String(64))]


def _states(kind: type[StrEnum]) -> Enum:
    return Enum(kind, native_enum=False, create_constraint=True, length=16, name=kind.__name__.lower())


class Base(DeclarativeBase):
    """All tables; constraint names follow one convention, so that migrations never guess."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - read once by SQLAlchemy
        datetime: Moment(),
        date: Date(),
        dict[str, Any]: JSON(),
        list[str]: JSON(),
        Direction: _states(Direction),
        Medium: _states(Medium),
        NumberStatus: _states(NumberStatus),
        CallStatus: _states(CallStatus),
        Certainty: _states(Certainty),
        FormState: _states(FormState),
        LeadStatus: _states(LeadStatus),
        TouchKind: _states(TouchKind),
        Outcome: _states(Outcome),
        PointKind: _states(PointKind),
        Stage: _states(Stage),
        ExperimentState: _states(ExperimentState),
        NumberState: _states(NumberState),
        Role: _states(Role),
        JobState: _states(JobState),
    }
