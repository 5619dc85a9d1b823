"""How long what is kept: by class, tried first, and never much at once unasked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from tracking.access import audit
from tracking.errors import Conflict
from tracking.records import sites
from tracking.storage import changes, db
from tracking.storage.config import Settings
from tracking.storage.models import Answer, Call, Contact, ContactPoint, InboxEvent, Touch, Visitor, WebForm
from tracking.storage.vocabulary import PointKind
from tracking.telephony.inbox import ERASED

EVENTS = "provider events"
NUMBERS = "callers' numbers"
VISITORS = "website visitors"
SHARE = 0.2
"""More of a class than this is taken out only where somebody has said how much it is."""
_ALWAYS = 100
"""So few are taken out whatever share they are, or a new installation would ask each day."""
_FEW = 10
"""Of more than so many, never all go unasked: the clock may be wrong."""
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Due:
    """What of a class is kept for longer than was chosen."""

    name: str
    days: int | None
    """For how long it is kept; 0: for ever; None: nobody has chosen, so for ever too."""
    total: int
    due: int

    @property
    def is_much(self) -> bool:
        """Tell whether so much is due that somebody has to say so first."""
        return self.due > max(_ALWAYS, SHARE * self.total) or self.due == self.total > _FEW


def plan(session: Session, settings: Settings, *, at: datetime) -> list[Due]:
    """Return what would be taken out of each class; nothing is changed."""
    found = []
    for name, days in chosen(settings).items():
        total = due = 0
        for _, held, old in _parts(name, at - timedelta(days=days or 0)):
            total += session.scalar(select(func.count()).where(held)) or 0
            due += (session.scalar(select(func.count()).where(held, old)) or 0) if days else 0
        found.append(Due(name, days, total, due))
    return found


def chosen(settings: Settings) -> dict[str, int | None]:
    """Return for how many days each class is kept."""
    told = {
        EVENTS: settings.keep_events_days,
        NUMBERS: settings.keep_numbers_days,
        VISITORS: settings.keep_visitors_days,
    }
    return {name: int(days) if days.isdecimal() else 0 if days else None for name, days in told.items()}


def apply(
    engine: Engine,
    settings: Settings,
    *,
    at: datetime,
    by: str,
    confirmed: int | None = None,
    progress: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> dict[str, int]:
    """Take out what is kept for longer than was chosen; return how much of each class that was.

    Raises
    ------
    Conflict
        If that is more than a fifth of a class, or all of it, and ``confirmed`` is not how much it is in all.
    """
    with db.reading(engine) as session:
        every = plan(session, settings, at=at)
    whole = sum(one.due for one in every)
    if any(one.is_much for one in every) and confirmed != whole:
        raise Conflict(
            "%(due)s records are due for deletion, more than a fifth of a class or all of it; check "
            "them, then confirm the number %(due)s",
            due=whole,
        )
    gone: dict[str, int] = {}
    if whole:
        told = ", ".join(f"{one.due} {one.name}" for one in every if one.due)
        # First on the trail: cut off in between, it says too much and not too little.
        db.commit(engine, lambda session: audit.note(session, by, "retention apply", told, at=at))
    for one in every:
        if not one.due:
            continue
        until = at - timedelta(days=one.days or 0)
        gone[one.name] = 0
        for place in range(len(_parts(one.name, until))):
            while some := db.commit(engine, lambda s, n=one.name, p=place, u=until: _some(s, n, p, u, at)):  # type: ignore[misc]  # bound for this turn
                gone[one.name] += some
                progress(sum(gone.values()), whole)
    if gone:
        db.leave_no_copy(engine)
    return gone


_Part = tuple[Any, ColumnElement[bool], ColumnElement[bool]]


def _parts(name: str, until: datetime) -> Sequence[_Part]:
    """Return the tables of a class, each with what is held of it and what of that is older."""
    if name == EVENTS:
        held = (InboxEvent.body_hash != ERASED) & InboxEvent.processed_at.is_not(None)
        return [(InboxEvent, held, InboxEvent.received_at < until)]
    if name == VISITORS:
        return [(Visitor, Visitor.contact_id.is_(None), Visitor.seen_at < until)]
    reached = exists().where(
        ContactPoint.contact_id == Contact.id, ContactPoint.kind.in_([PointKind.phone, PointKind.email])
    )
    return [
        (Call, or_(Call.caller.is_not(None), Call.caller_name.is_not(None)), Call.started_at < until),
        (Contact, or_(Contact.name.is_not(None), reached), _is_silent(until)),
        (WebForm, or_(WebForm.told.is_not(None), WebForm.others.is_not(None)), WebForm.received_at < until),
    ]


def _is_silent(until: datetime) -> ColumnElement[bool]:
    """Return whether nothing has been heard of a contact, nor of one merged with it, for so long."""
    other = aliased(Contact)
    merged = exists().where(other.merged_into_id == Contact.id)
    heard = or_(
        exists().where(Touch.contact_id == Contact.id, Touch.occurred_at >= until),
        exists().where(Answer.contact_id == Contact.id, Answer.asked_at >= until),
        exists().where(Call.contact_id == Contact.id, Call.started_at >= until),
    )
    # Of several that count as one, the newest sign counts for all; whoever is merged is left to an erasure.
    return (Contact.created_at < until) & Contact.merged_into_id.is_(None) & ~merged & ~heard


def _some(session: Session, name: str, place: int, until: datetime, at: datetime) -> int:
    kind, held, old = _parts(name, until)[place]
    ids = session.scalars(select(kind.id).where(held, old).order_by(kind.id).limit(_BATCH)).all()
    if not ids:
        return 0
    quiet = {changes.NOTED: True, "synchronize_session": False}
    changes.note(session)
    if kind is Visitor:
        sites.forget(session, ids)
        return len(ids)
    if kind is InboxEvent:
        # The row stays, or a repetition of the report would make the call anew.
        values: dict[str, Any] = {"body": "", "body_hash": ERASED, "error": InboxEvent.error}
    elif kind is WebForm:
        values = {"told": None, "others": None, "came": None}
    elif kind is Call:
        values = {"caller": None, "caller_hash": None, "caller_name": None}
    else:
        values = {"name": None, "name_marks": None}
        # What their browsers would lead back to them by goes with the name.
        sites.forget(session, session.scalars(select(Visitor.id).where(Visitor.contact_id.in_(ids))).all())
        clicked = update(Touch).where(Touch.contact_id.in_(ids), Touch.click_ids.is_not(None))
        session.execute(clicked.values(click_ids=None), execution_options=quiet)
        reached = ContactPoint.kind.in_([PointKind.phone, PointKind.email])
        session.execute(
            delete(ContactPoint).where(ContactPoint.contact_id.in_(ids), reached), execution_options=quiet
        )
    session.execute(update(kind).where(kind.id.in_(ids)).values(values), execution_options=quiet)
    return len(ids)
