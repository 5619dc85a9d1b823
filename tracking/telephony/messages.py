"""From a message that somebody sent us - SMS or WhatsApp - to a touch of its campaign and company.

Buyers write in several messages what they would say in one call, so those of one sender to one number in one
day (UTC) are one touch, at the moment of the first. What was written is not kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking.errors import Invalid
from tracking.language import channels
from tracking.records import touches
from tracking.records.contacts import Clues
from tracking.records.sources import Sources, Trace, tag, trace
from tracking.records.touches import TouchRecord
from tracking.storage import phone, vault
from tracking.storage.models import AdMaterial, Campaign, Touch
from tracking.storage.vocabulary import TouchKind
from tracking.telephony import numbers

_LONGEST_WAY = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEvent:
    """What a provider says of one message to us; those that we send are told by none."""

    provider: str
    ours: str
    """The number it was sent to."""
    sender: str
    sent_at: datetime
    sender_name: str | None = None
    trace: Trace | None = None
    """What it brought along, such as the advertisement from which it was begun."""


def referred(said: Mapping[str, str]) -> Trace | None:
    """Return what a referral says of the advertisement, or post, from which a message was begun.

    Its address carries tags seldom; the number of the advertisement is the campaign tag then, so that a rule
    can say whose it is.
    """
    if not any(said.values()):
        return None
    paid = said.get("source_type") == "ad" or bool(said.get("ctwa_clid"))
    # What is no address, or no click id, takes nothing from the rest.
    found = Trace()
    for address, click in (
        (said.get("source_url"), said.get("ctwa_clid")),
        (None, said.get("ctwa_clid")),
        (said.get("source_url"), None),
    ):
        try:
            found = trace(address or None, told={"ctwa_clid": click or None})
            break
        except Invalid:
            continue
    if found.utm_campaign:
        return found
    return Trace(
        utm_source=found.utm_source or "facebook",
        utm_medium=found.utm_medium or ("paid social" if paid else "social"),
        utm_campaign=tag(said.get("source_id")) or tag(said.get("headline")),
        click_ids=found.click_ids,
    )


def sent_at(told: datetime | None, received_at: datetime) -> datetime:
    """Return when a message was sent: as told, unless that is in the future or over a month ago."""
    if told is None or not received_at - _LONGEST_WAY <= told <= received_at:
        return received_at
    return told


def record(
    session: Session, events: Sequence[MessageEvent], *, region: str, at: datetime
) -> list[Touch | None]:
    """Make one touch of the messages of a sender to a number in a day, in any order and however often.

    A message from no telephone number, such as a bank's, or from a number of ours makes none.
    """
    told = [(_number(event.ours, region), _number(event.sender, region)) for event in events]
    stock = numbers.holdings(session, {number for pair in told for number in pair if number})
    known = Sources(session) if any(event.trace for event in events) else None
    made: list[Touch | None] = []
    for event, (ours, sender) in zip(events, told, strict=True):
        if ours is None:
            raise Invalid("to", "not a phone number; check the number at the provider")
        if sender is None or sender in stock:
            made.append(None)
            continue
        held = numbers.holder(stock[ours].history, event.sent_at) if ours in stock else None
        campaign = session.get(Campaign, held.campaign_id) if held else None
        material = session.get(AdMaterial, held.ad_material_id) if held else None
        if event.trace and known:
            # The advertisement that a message was begun from says more than the number it came to.
            campaign, material = known.of(event.trace).campaign, None
        made.append(_touch(session, event, (ours, sender), campaign, material, known, at))
    return made


def _number(text: str, region: str) -> str | None:
    return phone.parse(text, region).e164


def _touch(
    session: Session,
    event: MessageEvent,
    between: tuple[str, str],
    campaign: Campaign | None,
    material: AdMaterial | None,
    known: Sources | None,
    at: datetime,
) -> Touch:
    day = event.sent_at.astimezone(UTC).date()
    key = f"message {event.provider} {vault.mark('messages of a day', ' '.join(between))[:32]} {day}"
    there = session.scalar(select(Touch).where(Touch.source_key == key))
    began = event.sent_at
    if there is not None:
        if there.occurred_at <= event.sent_at and (
            event.trace is None or there.click_ids or there.utm_campaign
        ):
            return there
        began = min(there.occurred_at, event.sent_at)
        if event.trace is None:
            # Told late: it was earlier, and the source that a later one brought along stays.
            there.occurred_at = began
            session.flush()
            return there
    channel = None if campaign or event.trace else channels.MESSAGING
    record = TouchRecord(
        source_key=key,
        clues=Clues(phone=between[1], person=event.sender_name),
        occurred_at=began,
        kind=TouchKind.message,
        channel=channel,
        trace=event.trace,
    )
    touch, _ = touches.save(session, record, at=at, campaign=campaign, material=material, sources=known)
    return touch
