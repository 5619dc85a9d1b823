"""What a supplier advertises, as one YAML file: campaigns, ad material, numbers and who held them when."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, tzinfo
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking.errors import Invalid
from tracking.imports import yaml_file
from tracking.records import campaigns
from tracking.storage import money, phone
from tracking.storage.models import AdMaterial, Campaign, NumberAssignment, TrackingNumber
from tracking.storage.vocabulary import Direction, Medium
from tracking.telephony import numbers

_Words = Annotated[str, Field(min_length=1, max_length=200)]
_When = datetime | date


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class _Held(_Part):
    number: _Words
    since: _When = Field(alias="from")
    until: _When | None = None
    destination: _Words | None = None
    provider: _Words | None = None


class _Material(_Part):
    name: _Words
    medium: Medium | None = None
    kind: _Words = "other"
    edition: _Words | None = None
    print_run: int | None = None
    issued_on: date | None = None
    expires_on: date | None = None
    numbers: list[_Held] = []


class _Campaign(_Part):
    name: _Words
    channel: _Words
    direction: Direction = Direction.inbound
    objective: str = ""
    targets: dict[str, float] = {}
    budget: str | int | float | None = None
    currency: _Words | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    utm_source: _Words | None = None
    utm_medium: _Words | None = None
    utm_campaign: _Words | None = None
    materials: list[_Material] = []


class Document(_Part):
    """A supplier's advertising; ``provider`` and ``destination`` hold for the numbers that name none."""

    provider: _Words = "file"
    destination: _Words | None = None
    main_lines: list[_Words] = []
    """The firm's own numbers, which stand on no ad material."""
    campaigns: list[_Campaign] = []


def read(path: Path) -> Document:
    """Read a supplier file, or raise Invalid naming every wrong entry."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Invalid("file", "cannot open %(path)s: %(reason)s", path=path, reason=error.strerror) from None
    return parse(content, path.name)


def parse(content: bytes, name: str) -> Document:
    """Read the content of a supplier file called ``name``, or raise Invalid naming every wrong entry."""
    try:
        found = yaml_file.load(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Invalid("file", "%(name)s is not YAML: %(error)s", name=name, error=error) from None
    try:
        return Document.model_validate(found)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise Invalid("file", f"{name}: " + "; ".join(wrong)) from None


def save(
    session: Session, document: Document, *, at: datetime, region: str, zone: tzinfo
) -> Mapping[str, int]:
    """Add what is not there yet, and return how much that was; what is there stays as it is.

    An assignment is known by its number and beginning. One that goes on and has an end in the file is
    released there.
    """
    added = {"campaigns": 0, "materials": 0, "numbers": 0, "assignments": 0}
    for written in document.main_lines:
        _main_line(session, written, document.provider, at, region, added)
    known = campaigns.named(session, [entry.name for entry in document.campaigns])
    for entry in document.campaigns:
        campaign = known.get(entry.name)
        if campaign is None:
            campaign = _campaign(session, entry, at)
            added["campaigns"] += 1
        pieces = {piece.name: piece for piece in campaign.materials}
        for part in entry.materials:
            piece = pieces.get(part.name)
            if piece is None:
                details = part.model_dump(exclude={"name", "numbers"})
                piece = campaigns.add_material(session, campaign, part.name, at=at, **details)
                added["materials"] += 1
            for held in part.numbers:
                number = _number(session, held, document, at, region, added)
                added["assignments"] += _assign(session, number, piece, held, zone)
    return added


def _campaign(session: Session, entry: _Campaign, at: datetime) -> Campaign:
    details = entry.model_dump(exclude={"name", "channel", "budget", "currency", "materials"})
    if (entry.budget is None) != (entry.currency is None):
        raise Invalid(
            "budget", "campaign %(name)r: enter both budget and currency, or neither", name=entry.name
        )
    if entry.budget is not None and entry.currency is not None:
        currency = money.currency(entry.currency)
        details |= {
            "budget_minor": money.to_minor(str(entry.budget), currency, "budget"),
            "currency": currency,
        }
    return campaigns.add(session, entry.name, entry.channel, at=at, **details)


def _number(
    session: Session, held: _Held, document: Document, at: datetime, region: str, added: dict[str, int]
) -> TrackingNumber:
    e164 = _in_full(held.number, "number", region)
    target = held.destination or document.destination
    found = session.scalar(select(TrackingNumber).where(TrackingNumber.number == e164))
    if found is not None:
        return found
    added["numbers"] += 1
    return numbers.add(
        session,
        e164,
        at=at,
        provider=held.provider or document.provider,
        destination=_in_full(target, "destination", region) if target else None,
    )


def _main_line(
    session: Session, written: str, provider: str, at: datetime, region: str, added: dict[str, int]
) -> None:
    e164 = _in_full(written, "main_lines", region)
    found = session.scalar(select(TrackingNumber).where(TrackingNumber.number == e164))
    if found is None:
        numbers.add(session, e164, at=at, provider=provider, main_line=True)
        added["numbers"] += 1
    elif not found.main_line:
        numbers.make_main_line(session, found, True)


def _assign(session: Session, number: TrackingNumber, piece: AdMaterial, held: _Held, zone: tzinfo) -> int:
    starts_at = _moment(held.since, zone)
    ends_at = _moment(held.until, zone) if held.until else None
    known = session.scalar(
        select(NumberAssignment).where(
            NumberAssignment.tracking_number_id == number.id,
            NumberAssignment.ad_material_id == piece.id,
            NumberAssignment.starts_at == starts_at,
        )
    )
    if known is None:
        numbers.assign(session, number, piece, starts_at=starts_at, ends_at=ends_at)
        return 1
    if known.ends_at is None and ends_at is not None:
        numbers.release(session, known, at=ends_at)
    return 0


def _in_full(written: str, field: str, region: str) -> str:
    try:
        return phone.require(written, region, field)
    except Invalid as error:
        raise Invalid.of(field, error.reason) from None


def _moment(when: _When, zone: tzinfo) -> datetime:
    moment = when if isinstance(when, datetime) else datetime.combine(when, time())
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
