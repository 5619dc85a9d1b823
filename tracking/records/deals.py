"""Deals: sales in the making, from a CRM's export or entered by hand, with the moments of their stages."""

import re
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
from tracking.storage.names import folded_id
from tracking.storage.vocabulary import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class DealRecord:
    """What one record says of a deal; amounts in whole minor units of ``currency``."""

    clues: Clues
    stage: Stage
    amount_minor: int | None
    """None: nothing is said, and what is known stays; a deal that is won needs one."""
    currency: str | None
    """None: that of the deal as it is known."""
    currency_named: bool = True
    """Whether the record names its currency; one that was only assumed never changes a deal's."""
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
    deal = find(session, record.external_id) if record.external_id else None
    _check(record, deal)
    code = money.currency(record.currency) if record.currency else None
    if deal is None and code is None:
        raise Invalid("currency", "enter the currency of this new deal, such as EUR")
    if deal is not None and not record.currency_named and code != deal.currency:
        if record.amount_minor is not None:
            raise Invalid(
                "currency",
                "missing, but the deal is in %(currency)s; add a currency column, or set the "
                "currency of the file",
                currency=deal.currency,
            )
        code = None
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


def find(session: Session, external_id: str) -> Deal | None:
    """Return the deal of another system by the id it has there, however files write that id.

    Salesforce writes 15 characters that capitals tell apart, or the same 15 and three that spell which of
    them are capitals. Of other ids capitals and blanks tell nothing apart.

    Raises
    ------
    Conflict
        If several deals have ids that differ only in capitals or blanks.
    """
    exact = session.scalar(select(Deal).where(Deal.external_id == external_id))
    if exact is not None:
        return exact
    if short := _salesforce(external_id):
        forms = {short, short + _checksum(short)}
        return session.scalar(select(Deal).where(Deal.external_id.in_(forms)))
    alike = session.scalars(select(Deal).where(Deal.external_key == folded_id(external_id)).limit(2)).all()
    if len(alike) > 1:
        raise Conflict(
            "%(first)r and %(second)r are both deals; use one of these IDs exactly",
            first=alike[0].external_id,
            second=alike[1].external_id,
        )
    return alike[0] if alike else None


_SALESFORCE = re.compile(r"[a-zA-Z0-9]{5}0[a-zA-Z0-9]{9}(?:[A-Z0-5]{3})?")


def _salesforce(external_id: str) -> str | None:
    """Return the 15 characters of what is an id of Salesforce."""
    if not _SALESFORCE.fullmatch(external_id) or external_id.isdigit():
        return None
    short, check = external_id[:15], external_id[15:]
    return short if not check or check == _checksum(short) else None


def _checksum(short: str) -> str:
    """Return the three characters that say which of 15 are capitals, five bits each."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    return "".join(
        letters[
            sum(
                1 << place
                for place, character in enumerate(short[at : at + 5])
                if character.isupper() and character.isascii()
            )
        ]
        for at in (0, 5, 10)
    )


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
        raise Invalid("closed_at", "enter the close date for a deal that is %(stage)s", stage=record.stage)
    if record.external_id:
        taken = select(Deal.id).where(Deal.external_id == record.external_id, Deal.id != deal.id)
        if session.scalar(taken) is not None:
            raise Conflict(
                "a deal with ID %(external_id)r already exists; edit that one", external_id=record.external_id
            )
    if record.stage is Stage.won and record.amount_minor is None:
        raise Invalid("amount", "enter the value of this won deal, or 0")
    if record.currency is None:
        raise Invalid("currency", "enter a currency code such as EUR")
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
            raise Invalid(
                name, "%(value)s has no time zone; add an offset such as +01:00", value=value.isoformat()
            )
    closed_at = record.closed_at or (deal and deal.closed_at)
    if record.stage in (Stage.won, Stage.lost) and closed_at is None:
        raise Invalid("closed_at", "enter the close date for a deal that is %(stage)s", stage=record.stage)
    if record.external_id is not None and not 1 <= len(record.external_id) <= 200:
        raise Invalid(
            "external_id", "must be 1 to 200 characters (now %(length)s)", length=len(record.external_id)
        )
    known = record.amount_minor is not None or (deal is not None and deal.amount_minor is not None)
    if record.stage is Stage.won and not known:
        raise Invalid("amount", "enter the value of this won deal, or 0")
    for name in ("amount_minor", "margin_minor"):
        if abs(getattr(record, name) or 0) > money.LARGEST_MINOR:
            raise Invalid(
                name, "larger than %(most)s minor units; check the decimal point", most=money.LARGEST_MINOR
            )
    if deal is None and record.clues == Clues():
        raise Invalid("company", "this deal has no company; enter a company name, ID, phone number or email")
