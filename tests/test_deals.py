"""Deals: a record is added once, brought up to date, and belongs to the company that it names."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.cast import BOREALIS, COBALT, moment
from tracking.errors import Invalid
from tracking.records import contacts, deals
from tracking.records.contacts import Clues
from tracking.records.deals import DealRecord
from tracking.records.import_outcome import ImportOutcome
from tracking.storage import money
from tracking.storage.models import Account, Deal
from tracking.storage.vocabulary import Stage

NOW = moment("2026-06-01")
OPEN = DealRecord(
    external_id="D1",
    clues=Clues(company="Borealis Foods", phone=BOREALIS),
    stage=Stage.opportunity,
    amount_minor=8_700_000,
    currency="EUR",
    name="Two pumps",
    lead_at=moment("2026-03-02"),
    opportunity_at=moment("2026-04-01"),
)
WON = replace(OPEN, stage=Stage.won, closed_at=moment("2026-05-20"), margin_minor=2_000_000)


def save(session: Session, record: DealRecord) -> tuple[Deal, ImportOutcome]:
    return deals.save(session, record, at=NOW)


def test_a_deal_is_added_then_brought_up_to_date_then_left_alone(session: Session) -> None:
    deal, first = save(session, OPEN)
    again, second = save(session, OPEN)
    won, third = save(session, WON)
    _, fourth = save(session, WON)
    assert (first, second, third, fourth) == ("created", "unchanged", "updated", "unchanged")
    assert deal is again is won
    session.expire_all()
    assert (won.stage, won.closed_at, won.margin_minor) == (Stage.won, WON.closed_at, 2_000_000)
    assert (won.lead_at, won.opportunity_at, won.created_at) == (OPEN.lead_at, OPEN.opportunity_at, NOW)


def test_a_record_with_fewer_fields_erases_nothing(session: Session) -> None:
    deal, _ = save(session, WON)
    bare = DealRecord(
        external_id="D1", clues=Clues(), stage=Stage.won, amount_minor=8_800_000, currency="EUR"
    )
    _, effect = save(session, bare)
    assert effect is ImportOutcome.updated
    assert (deal.amount_minor, deal.name, deal.lead_at) == (8_800_000, "Two pumps", WON.lead_at)
    assert (deal.closed_at, deal.margin_minor, deal.account.name) == (
        WON.closed_at,
        2_000_000,
        "Borealis Foods",
    )


def test_a_deal_may_be_lost_reopened_and_worth_nothing_or_less(session: Session) -> None:
    deal, _ = save(session, WON)
    save(session, replace(WON, stage=Stage.lost))
    save(session, replace(OPEN, amount_minor=-500))
    assert (deal.stage, deal.amount_minor) == (Stage.opportunity, -500)


def test_without_an_id_every_record_is_a_deal_of_its_own(session: Session) -> None:
    for _ in range(2):
        assert save(session, replace(OPEN, external_id=None))[1] is ImportOutcome.created
    assert len({deal.account_id for deal in session.scalars(select(Deal))}) == 1


def test_a_deal_known_by_a_number_belongs_to_the_company_that_is_named_later(session: Session) -> None:
    deal, _ = save(session, replace(OPEN, clues=Clues(phone=BOREALIS)))
    _, effect = save(session, OPEN)
    assert effect is ImportOutcome.unchanged, "it is the same company, which now has a name"
    assert contacts.root(session, deal.account).name == "Borealis Foods"


def test_a_deal_moves_to_the_company_that_a_later_record_names(session: Session) -> None:
    deal, _ = save(session, OPEN)
    _, effect = save(session, replace(OPEN, clues=Clues(company="Cobalt Mining", phone=COBALT)))
    assert (effect, deal.account.name) == (ImportOutcome.updated, "Cobalt Mining")
    save(session, replace(OPEN, clues=Clues(phone=BOREALIS)))
    assert deal.account.name == "Cobalt Mining", "a number names no company"


def test_a_deal_of_a_merged_company_is_not_moved_by_the_next_import(session: Session) -> None:
    deal, _ = save(session, OPEN)
    northern = contacts.account_for(session, Clues(company="Northern Foods"), at=NOW)
    contacts.merge(session, Account, deal.account_id, northern.id)
    assert save(session, OPEN)[1] is ImportOutcome.unchanged
    assert contacts.root(session, deal.account) is northern


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"stage": Stage.won}, "closed_at: enter the close date for a deal that is won"),
        ({"stage": Stage.lost}, "closed_at: enter the close date for a deal that is lost"),
        ({"clues": Clues(company=" ")}, "company: this deal has no company; enter a company name, ID"),
        ({"currency": "EURO"}, "currency: 'EURO' is not a currency code"),
        ({"amount_minor": money.LARGEST_MINOR + 1}, "amount_minor: larger than"),
        ({"margin_minor": -money.LARGEST_MINOR - 1}, "margin_minor: larger than"),
        ({"external_id": "x" * 201}, "external_id: must be 1 to 200 characters"),
        ({"external_id": ""}, "external_id: must be 1 to 200 characters"),
    ]
    + [
        (
            {field: NOW.replace(tzinfo=None)},
            f"{field}: 2026-06-01T00:00:00 has no time zone; add an offset",
        )
        for field in ("lead_at", "qualified_at", "opportunity_at", "closed_at")
    ],
)
def test_a_deal_that_cannot_be_is_refused_by_field_and_leaves_nothing(
    session: Session, wrong: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Invalid, match=f"^{reason}"):
        save(session, replace(OPEN, **wrong))
    assert session.scalars(select(Deal)).all() == []
    assert session.scalars(select(Account)).all() == []


def test_an_update_that_cannot_be_leaves_the_deal_as_it_was(session: Session) -> None:
    deal, _ = save(session, OPEN)
    with pytest.raises(Invalid, match="closed_at"):
        save(session, replace(OPEN, stage=Stage.won, amount_minor=1))
    session.flush()
    assert (deal.stage, deal.amount_minor) == (Stage.opportunity, 8_700_000)


def test_a_currency_is_kept_in_capitals(session: Session) -> None:
    assert save(session, replace(OPEN, currency="sek"))[0].currency == "SEK"


def test_an_amount_that_is_not_known_is_none_and_no_zero(session: Session) -> None:
    deal, _ = save(session, replace(OPEN, amount_minor=None))
    assert deal.amount_minor is None
    with pytest.raises(Invalid, match="enter the value of this won deal"):
        save(session, replace(WON, amount_minor=None))
    save(session, replace(OPEN, amount_minor=0))
    assert deal.amount_minor == 0
    save(session, replace(WON, amount_minor=None))
    assert (deal.stage, deal.amount_minor) == (Stage.won, 0), "a sample, given away"
    with pytest.raises(Invalid, match="enter the value of this won deal"):
        deals.change(session, deal, replace(WON, amount_minor=None), at=NOW)
    deals.change(session, deal, replace(OPEN, amount_minor=None), at=NOW)
    assert deal.amount_minor is None
