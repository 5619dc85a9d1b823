"""Ready touches from elsewhere: web visits, forms, messages and fairs that another system has recorded."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking.errors import Invalid
from tracking.language import channels
from tracking.records import contacts, import_outcome
from tracking.records.campaigns import of_campaign
from tracking.records.contacts import Clues
from tracking.records.import_outcome import ImportOutcome
from tracking.records.sources import UTM, Sources, Trace
from tracking.storage.models import AdMaterial, Campaign, Touch
from tracking.storage.names import source_name
from tracking.storage.vocabulary import TouchKind


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchRecord:
    """What one record says of a touch; ``source_key`` tells it from every other."""

    source_key: str
    clues: Clues
    occurred_at: datetime
    kind: TouchKind
    channel: str | None = None
    trace: Trace | None = None
    """What it brought along: tags, click ids, the landing page."""


def save(
    session: Session,
    record: TouchRecord,
    *,
    at: datetime,
    campaign: Campaign | None,
    material: AdMaterial | None = None,
    sources: Sources | None = None,
) -> tuple[Touch, ImportOutcome]:
    """Add a touch, or bring the one with the same source key up to date.

    Where neither campaign nor channel is told, its trace tells them.
    """
    if record.occurred_at.tzinfo is None:
        raise Invalid(
            "occurred_at",
            "%(occurred_at)s has no time zone; add an offset such as +01:00",
            occurred_at=record.occurred_at.isoformat(),
        )
    if not 1 <= len(record.source_key) <= 200:
        raise Invalid(
            "touch_id", "must be 1 to 200 characters (now %(length)s)", length=len(record.source_key)
        )
    campaign = of_campaign(campaign, material)
    channel = record.channel if record.channel and record.channel.strip() else None
    trace = record.trace
    if campaign is None and trace:
        came = (sources or Sources(session)).of(trace)
        campaign, channel = came.campaign, None if came.campaign else channel or came.channel
    channel = channels.canonical(source_name(channel, "channel")) if channel else None
    touch = session.scalar(select(Touch).where(Touch.source_key == record.source_key))
    if touch is not None and touch.call_id is not None:
        raise Invalid(
            "touch_id", "%(source_key)r belongs to a call; edit the call", source_key=record.source_key
        )
    if touch is None and record.clues == Clues():
        raise Invalid("account_id", "this touch has no company; enter a company ID, phone number or email")
    effect = ImportOutcome.unchanged
    if touch is None:
        touch = Touch(
            source_key=record.source_key, contact=contacts.contact_for(session, record.clues, at=at)
        )
        session.add(touch)
        effect = ImportOutcome.created
    elif record.clues != Clues():
        person = contacts.contact_for(session, record.clues, at=at)
        if contacts.account_of(session, person) is not contacts.account_of(session, touch.contact):
            touch.contact, effect = person, ImportOutcome.updated
    # A record without these takes nothing back that another has told.
    kept: dict[str, object] = {}
    if trace is not None:
        kept = {name: getattr(trace, name) for name in (*UTM, "landing_page")}
        kept["click_ids"] = dict(trace.click_ids)
    given = {
        "occurred_at": record.occurred_at,
        "kind": record.kind,
        "campaign_id": campaign.id if campaign else None,
        "ad_material_id": material.id if material else None,
        "channel": channel,
    } | {name: value for name, value in kept.items() if value}
    effect = import_outcome.apply(touch, given, effect)
    session.flush()
    return touch, effect
