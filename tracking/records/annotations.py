"""What stands beside our marketing on the axis of time: figures that are watched, and what happened."""

from dataclasses import dataclass
from datetime import date
from math import isfinite

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tracking.errors import Conflict, Invalid, NotFound
from tracking.storage.models import Annotation, Indicator
from tracking.storage.names import required, tidy


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One figure of an indicator on a day, such as 1,240 brand searches, and where it comes from."""

    name: str
    day: date
    value: float
    unit: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened beside our marketing; without a last day it is one day or goes on."""

    title: str
    starts_on: date
    ends_on: date | None = None
    note: str = ""


def save_reading(session: Session, reading: Reading, *, row: Indicator | None = None) -> Indicator:
    """Add a reading of an indicator, or change one; each indicator has one figure a day and one unit."""
    name, unit = required(reading.name, "name"), required(reading.unit, "unit")
    if not isfinite(reading.value):
        raise Invalid(
            "value", "%(value)s is not a number; enter digits, such as 1240 or 4.6", value=reading.value
        )
    own = row.id if row is not None else None
    same = select(Indicator).where(
        Indicator.name == name, Indicator.day == reading.day, Indicator.id != (own or 0)
    )
    if session.scalar(same) is not None:
        raise Conflict("%(name)s already has a value for %(day)s; edit that one", name=name, day=reading.day)
    other = select(Indicator.unit).where(Indicator.name == name, Indicator.id != (own or 0)).limit(1)
    known = session.scalar(other)
    if known is not None and known != unit:
        raise Invalid(
            "unit",
            "the unit %(unit)r does not match %(known)r, the unit of the other values of %(name)s",
            unit=unit,
            known=known,
            name=name,
        )
    row = row or Indicator()
    row.name, row.day, row.value, row.unit, row.source = (
        name,
        reading.day,
        reading.value,
        unit,
        reading.source.strip(),
    )
    session.add(row)
    session.flush()
    return row


def save_event(session: Session, event: Event, *, row: Annotation | None = None) -> Annotation:
    """Add an annotation, or change one."""
    title = required(event.title, "title")
    if event.ends_on is not None and event.ends_on < event.starts_on:
        raise Invalid(
            "ends_on",
            "the last day, %(ends_on)s, is before the first day, %(starts_on)s",
            ends_on=event.ends_on,
            starts_on=event.starts_on,
        )
    row = row or Annotation()
    row.title, row.starts_on, row.ends_on, row.note = (
        title,
        event.starts_on,
        event.ends_on,
        event.note.strip(),
    )
    session.add(row)
    session.flush()
    return row


def reading(session: Session, number: int) -> Indicator:
    """Return one reading of an indicator, or raise NotFound."""
    row = session.get(Indicator, number)
    if row is None:
        raise NotFound("value %(number)s not found; it may have been deleted", number=number)
    return row


def event(session: Session, number: int) -> Annotation:
    """Return one annotation, or raise NotFound."""
    row = session.get(Annotation, number)
    if row is None:
        raise NotFound("annotation %(number)s not found; it may have been deleted", number=number)
    return row


def remove(session: Session, row: Indicator | Annotation) -> None:
    """Delete a reading or an annotation."""
    session.delete(row)
    session.flush()


def indicators(session: Session) -> list[str]:
    """Return the names of all indicators, in alphabetical order."""
    return list(session.scalars(select(Indicator.name).distinct().order_by(Indicator.name)))


def readings(
    session: Session, *, name: str | None = None, first: date | None = None, last: date | None = None
) -> list[Indicator]:
    """Return figures of indicators between two days, both covered, newest first."""
    query = select(Indicator).order_by(Indicator.day.desc(), Indicator.name)
    if name is not None:
        query = query.where(Indicator.name == tidy(name))
    if first is not None:
        query = query.where(Indicator.day >= first)
    if last is not None:
        query = query.where(Indicator.day <= last)
    return list(session.scalars(query))


def events(session: Session, *, first: date | None = None, last: date | None = None) -> list[Annotation]:
    """Return what happened between two days, both covered, newest first."""
    query = select(Annotation).order_by(Annotation.starts_on.desc(), Annotation.id)
    if last is not None:
        query = query.where(Annotation.starts_on <= last)
    if first is not None:
        ended = or_(Annotation.ends_on >= first, Annotation.starts_on >= first)
        query = query.where(ended)
    return list(session.scalars(query))
