"""Deals: sales in the making, from a CRM's export or entered by hand, with the moments of their stages."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking.errors import Conflict, Invalid
from tracking.records import contacts, import_outcome
from tracking.records.contacts import Clues
from tracking.records.import_outcome import ImportOutcome
from tracking.storage import money
from tracking.storage.models import Deal
from tracking.storage.vocabulary import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class DealRecord:
    """What one record says of a deal; amounts in whole minor units of ``currency``."""

    clues: Clues
    stage: Stage
    amount_minor: int
    currency: str
    external_id: str | None = None
    name: str = ""
    lead_at: datetime | None = None
    qualified_at: datetime | None = None
    opportunity_at: datetime | None = None
    closed_at: datetime | None = None
    margin_minor: int | None = None


def save(session: Session, record: DealRecord, *, at: datetime) -> tuple[Deal, ImportOutcome]:
    """Add a deal, or bring the one with the same external id up to date.

    A later record counts as the newer truth about stage, amount, dates and, where it names one, company;
    what it leaves out stays.
    """
    deal = None
    if record.external_id:
        deal = session.scalar(select(Deal).where(Deal.external_id == record.external_id))
    _check(record, deal)
    code = money.currency(record.currency)
    effect = ImportOutcome.unchanged
    if deal is None:
        account = contacts.account_for(session, record.clues, at=at)
        deal = Deal(external_id=record.external_id, account=account, created_at=at)
        session.add(deal)
        effect = ImportOutcome.created
    elif record.clues != Clues():
        account = contacts.account_for(session, record.clues, at=at)
        named = record.clues.company or record.clues.external_id
        if named and account is not contacts.root(session, deal.account):
            deal.account, effect = account, ImportOutcome.updated
    given = {
        "name": record.name or None,
        "stage": record.stage,
        "lead_at": record.lead_at,
        "qualified_at": record.qualified_at,
        "opportunity_at": record.opportunity_at,
        "closed_at": record.closed_at,
        "amount_minor": record.amount_minor,
        "margin_minor": record.margin_minor,
        "currency": code,
    }
    effect = import_outcome.apply(deal, {k: v for k, v in given.items() if v is not None}, effect)
    session.flush()
    return deal, effect


def change(session: Session, deal: Deal, record: DealRecord, *, at: datetime) -> Deal:
    """Let a deal say what ``record`` says, also where that is nothing; without clues its company stays.

    Raises
    ------
    Conflict
        If another deal has the external id.
    """
    _check(record, deal)
    # What the form shows empty is meant empty, so the former closing day is no stand-in.
    if record.stage in (Stage.won, Stage.lost) and record.closed_at is None:
        raise Invalid("closed_at", "a deal that is %(stage)s needs the day it was closed", stage=record.stage)
    if record.external_id:
        taken = select(Deal.id).where(Deal.external_id == record.external_id, Deal.id != deal.id)
        if session.scalar(taken) is not None:
            raise Conflict(
                "there is a deal %(external_id)r already; change that one", external_id=record.external_id
            )
    code = money.currency(record.currency)
    if record.clues != Clues():
        deal.account = contacts.account_for(session, record.clues, at=at)
    for name in _FIELDS:
        setattr(deal, name, getattr(record, name))
    deal.currency = code
    session.flush()
    return deal


_FIELDS = (
    "name",
    "stage",
    "lead_at",
    "qualified_at",
    "opportunity_at",
    "closed_at",
    "amount_minor",
    "margin_minor",
    "external_id",
)


def _check(record: DealRecord, deal: Deal | None) -> None:
    moments = ("lead_at", "qualified_at", "opportunity_at", "closed_at")
    for name in moments:
        value = getattr(record, name)
        if value is not None and value.tzinfo is None:
            raise Invalid(name, "%(value)s names no time zone; give an offset", value=value.isoformat())
    closed_at = record.closed_at or (deal and deal.closed_at)
    if record.stage in (Stage.won, Stage.lost) and closed_at is None:
        raise Invalid("closed_at", "a deal that is %(stage)s needs the day it was closed", stage=record.stage)
    if record.external_id is not None and not 1 <= len(record.external_id) <= 200:
        raise Invalid(
            "external_id", "has %(length)s characters; give 1 to 200", length=len(record.external_id)
        )
    for name in ("amount_minor", "margin_minor"):
        if abs(getattr(record, name) or 0) > money.LARGEST_MINOR:
            raise Invalid(
                name, "is larger than %(most)s minor units; check the decimal mark", most=money.LARGEST_MINOR
            )
    if deal is None and record.clues == Clues():
        raise Invalid(
            "company", "nothing says whose deal this is; give a company, an id, a number or an e-mail"
        )
