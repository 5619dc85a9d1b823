"""Calls that ring at Acme Pumps now, for the pages of the rep."""

from datetime import datetime, timedelta

from sqlalchemy import Engine, select

from tests.cast import BOREALIS, CATALOGUE_NUMBER, FAIR_NUMBER
from tracking.records import campaigns, contacts
from tracking.records.contacts import Clues
from tracking.storage import db
from tracking.storage.models import Campaign
from tracking.storage.vocabulary import CallStatus, Medium
from tracking.telephony import calls, numbers
from tracking.telephony.calls import CallEvent

CATALOGUE, FAIR = "Catalogue 2026", "Pump fair"


def advertise(engine: Engine, at: datetime) -> None:
    """Two campaigns, each with a number on its material; Borealis Foods is known by its number."""
    with db.transaction(engine) as session:
        if session.scalar(select(Campaign.id).limit(1)):
            return
        for name, channel, medium, number in (
            (CATALOGUE, "print", Medium.print, CATALOGUE_NUMBER),
            (FAIR, "fair", Medium.fair, FAIR_NUMBER),
        ):
            campaign = campaigns.add(session, name, channel, at=at)
            piece = campaigns.add_material(session, campaign, f"{name}, first", at=at, medium=medium)
            row = numbers.add(session, number, at=at, provider="twilio")
            numbers.assign(session, row, piece, starts_at=at - timedelta(days=400))
        contacts.account_for(session, Clues(company="Borealis Foods", phone=BOREALIS), at=at)


def ring(
    engine: Engine,
    call_id: str,
    at: datetime,
    *,
    caller: str | None = BOREALIS,
    to: str = CATALOGUE_NUMBER,
    status: CallStatus = CallStatus.completed,
    talk_s: int | None = 120,
) -> int:
    """Record a call, and return its number."""
    event = CallEvent(
        provider="twilio",
        provider_call_id=call_id,
        dialled=(to,),
        caller=caller,
        started_at=at,
        status=status,
        talk_s=talk_s,
    )
    with db.transaction(engine) as session:
        return calls.record(session, [event], region="SE")[0].call.id
