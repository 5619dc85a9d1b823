"""From the database to the journey tables: who met what when, what it came to, and what it cost."""

from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from attribution import validate
from tests.cast import (
    ACME_DESK,
    BOREALIS,
    BOREALIS_BUYER,
    CATALOGUE_NUMBER,
    COBALT,
    FAIR_NUMBER,
    STOCKHOLM,
    moment,
)
from tracking.errors import Invalid
from tracking.records import answers, campaigns, contacts, costs, deals, touches
from tracking.records.contacts import Clues
from tracking.records.costs import CostRecord
from tracking.records.deals import DealRecord
from tracking.records.touches import TouchRecord
from tracking.reporting import journeys
from tracking.reporting.journeys import Journeys
from tracking.storage.models import Account, Call, ExchangeRate, VisitCount
from tracking.storage.vocabulary import CallStatus, LeadStatus, Medium, Outcome, Stage, TouchKind
from tracking.telephony import calls, numbers
from tracking.telephony.calls import CallEvent

NEW_YEAR = moment("2026-01-01")


@pytest.fixture
def acme(session: Session) -> Session:
    """Acme Pumps with a catalogue and a fair, each with a number of its own."""
    for name, channel, e164, medium in (
        ("Catalogue", "print", CATALOGUE_NUMBER, Medium.print),
        ("Fair", "fair", FAIR_NUMBER, Medium.fair),
    ):
        owner = campaigns.add(session, name, channel, at=NEW_YEAR)
        piece = campaigns.add_material(session, owner, "Spring", at=NEW_YEAR, medium=medium)
        number = numbers.add(session, e164, at=NEW_YEAR, provider="twilio", destination=ACME_DESK)
        numbers.assign(session, number, piece, starts_at=NEW_YEAR)
    return session


def ring(session: Session, when: str, number: str, caller: str | None = BOREALIS) -> Call:
    event = CallEvent(
        provider="twilio",
        provider_call_id=f"{when}{number}{caller}",
        dialled=(number,),
        caller=caller,
        started_at=moment(when),
        status=CallStatus.completed,
        talk_s=60,
    )
    return calls.record(session, [event], region="SE")[0].call


def won(when: str, company: str = "Borealis Foods", **more: object) -> DealRecord:
    record = DealRecord(
        clues=Clues(company=company, phone=BOREALIS),
        stage=Stage.won,
        amount_minor=200_000,
        currency="EUR",
        closed_at=moment(when),
        external_id=f"D{when}",
    )
    return replace(record, **more)  # type: ignore[arg-type]  # the tests' own words


def export(session: Session) -> Journeys:
    session.flush()
    session.expire_all()
    return journeys.export(session, currency="EUR", zone=STOCKHOLM)


def test_the_tables_keep_the_contract(acme: Session) -> None:
    ring(acme, "2026-02-01 09:00", CATALOGUE_NUMBER)
    deals.save(acme, won("2026-03-01"), at=NEW_YEAR)
    tables = export(acme)
    for name in ("touches", "conversions", "costs", "answers", "calls", "visits"):
        assert validate(getattr(tables, name), name).num_rows == getattr(tables, name).num_rows


def test_an_empty_installation_gives_empty_tables_of_the_right_form(session: Session) -> None:
    tables = export(session)
    for name in Journeys.__slots__:
        assert validate(getattr(tables, name), name).num_rows == 0


def test_a_call_is_a_touch_of_the_campaign_that_held_the_number(acme: Session) -> None:
    ring(acme, "2026-02-01 09:00", CATALOGUE_NUMBER)
    (touch,) = export(acme).touches.to_pylist()
    assert (touch["campaign"], touch["channel"], touch["kind"]) == ("Catalogue", "print", "call")
    assert touch["ad_material"] == "Catalogue / Spring"
    assert touch["occurred_at"] == moment("2026-02-01 09:00")


def test_a_call_to_an_unknown_number_is_a_touch_of_unknown_source(acme: Session) -> None:
    ring(acme, "2026-02-01 09:00", "+442079460999")
    (touch,) = export(acme).touches.to_pylist()
    assert (touch["campaign"], touch["channel"]) == (None, None)


def test_spam_stays_a_call_and_is_no_touch(acme: Session) -> None:
    calls.judge(acme, ring(acme, "2026-02-01 09:00", CATALOGUE_NUMBER), spam=True)
    tables = export(acme)
    assert tables.touches.num_rows == 0
    assert tables.calls["spam"].to_pylist() == [True]
    assert tables.conversions.num_rows == 0, "spam makes nobody a lead"


def test_first_calls_are_told_from_repeated_ones_even_if_told_late(acme: Session) -> None:
    ring(acme, "2026-02-02 09:00", CATALOGUE_NUMBER)
    ring(acme, "2026-02-03 09:00", FAIR_NUMBER)
    assert export(acme).calls["first_call"].to_pylist() == [True, False]
    ring(acme, "2026-02-01 09:00", FAIR_NUMBER)
    rows = export(acme).calls.to_pylist()
    assert [(row["started_at"].day, row["first_call"]) for row in rows] == [(1, True), (2, False), (3, False)]


def test_two_people_of_one_company_make_one_journey_once_their_companies_are_merged(acme: Session) -> None:
    first = ring(acme, "2026-02-01 09:00", FAIR_NUMBER, BOREALIS)
    second = ring(acme, "2026-02-02 09:00", CATALOGUE_NUMBER, BOREALIS_BUYER)
    assert len(set(export(acme).touches["account_id"].to_pylist())) == 2
    contacts.merge(acme, Account, second.contact.account_id, first.contact.account_id)
    tables = export(acme)
    assert set(tables.touches["account_id"].to_pylist()) == {first.contact.account_id}
    assert tables.conversions["goal"].to_pylist() == ["lead"], "one company, one lead"
    contacts.unmerge(acme, Account, second.contact.account_id)
    assert len(set(export(acme).touches["account_id"].to_pylist())) == 2


def test_a_deal_joins_the_calls_made_from_its_contacts_number(acme: Session) -> None:
    call = ring(acme, "2026-02-01 09:00", FAIR_NUMBER)
    deals.save(acme, won("2026-03-01"), at=NEW_YEAR)
    tables = export(acme)
    (deal,) = [row for row in tables.conversions.to_pylist() if row["goal"] == "won"]
    assert deal["account_id"] == tables.touches["account_id"][0].as_py()
    assert deal["value_minor"] == 200_000
    assert deal["lead_at"] == call.started_at, "the company's first inquiry, since the deal names none"


def test_whoever_buys_was_qualified_and_whoever_qualified_was_a_lead(acme: Session) -> None:
    deals.save(acme, won("2026-03-01", opportunity_at=moment("2026-02-10")), at=NEW_YEAR)
    rows = {row["goal"]: row["converted_at"] for row in export(acme).conversions.to_pylist()}
    assert rows == {
        "won": moment("2026-03-01"),
        "qualified": moment("2026-02-10"),
        "lead": moment("2026-02-10"),
    }


def test_a_good_call_qualifies_its_company_and_a_bad_one_makes_no_lead(acme: Session) -> None:
    calls.judge(acme, ring(acme, "2026-02-01 09:00", FAIR_NUMBER), lead_status=LeadStatus.good_lead)
    calls.judge(acme, ring(acme, "2026-02-02 09:00", FAIR_NUMBER, COBALT), lead_status=LeadStatus.not_a_lead)
    rows = [(row["goal"], row["converted_at"].day) for row in export(acme).conversions.to_pylist()]
    assert rows == [("lead", 1), ("qualified", 1)]


def test_lost_and_open_deals_are_no_conversions_of_their_own(acme: Session) -> None:
    deals.save(acme, won("2026-03-01", stage=Stage.lost), at=NEW_YEAR)
    deals.save(acme, won("2026-03-02", stage=Stage.opportunity, closed_at=None), at=NEW_YEAR)
    assert "won" not in export(acme).conversions["goal"].to_pylist()


def test_opportunities_are_told_apart_where_asked_for_also_those_that_were_lost(acme: Session) -> None:
    deals.save(acme, won("2026-03-01", opportunity_at=moment("2026-02-10")), at=NEW_YEAR)
    lost = won("2026-03-02", opportunity_at=moment("2026-02-11"), stage=Stage.lost)
    deals.save(acme, lost, at=NEW_YEAR)
    deals.save(acme, won("2026-03-03"), at=NEW_YEAR)
    whole = journeys.with_opportunities(acme, export(acme), currency="EUR").conversions
    rows = [row for row in whole.to_pylist() if row["goal"] == "opportunity"]
    assert [row["converted_at"].day for row in rows] == [10, 11]
    assert whole.num_rows == export(acme).conversions.num_rows + 2
    validate(whole, "conversions")


def test_amounts_in_other_currencies_are_converted_at_the_rate_of_their_day(acme: Session) -> None:
    acme.add_all(
        [
            ExchangeRate(currency="SEK", day=date(2026, 1, 1), rate=0.09),
            ExchangeRate(currency="SEK", day=date(2026, 3, 1), rate=0.1),
        ]
    )
    deals.save(acme, won("2026-02-28", currency="SEK", amount_minor=1_000_00), at=NEW_YEAR)
    deals.save(acme, won("2026-03-01", currency="SEK", amount_minor=1_000_00), at=NEW_YEAR)
    rows = [row for row in export(acme).conversions.to_pylist() if row["goal"] == "won"]
    assert [row["value_minor"] for row in rows] == [90_00, 100_00]
    assert {row["currency"] for row in rows} == {"EUR"}


@pytest.mark.parametrize(
    ("zone", "closed", "value"),
    [
        ("Europe/Stockholm", "2026-02-28 23:30", 100_00),
        ("America/New_York", "2026-03-01 03:30", 90_00),
        ("Pacific/Auckland", "2026-02-28 12:00", 100_00),
    ],
    ids=["half past midnight on 1 March", "half past ten in the evening of 28 February", "1 March, 01:00"],
)
def test_the_day_of_a_rate_is_the_suppliers_own(acme: Session, zone: str, closed: str, value: int) -> None:
    for day, rate in ((date(2026, 1, 1), 0.09), (date(2026, 3, 1), 0.1)):
        acme.add(ExchangeRate(currency="SEK", day=day, rate=rate))
    deals.save(acme, won(closed, currency="SEK", amount_minor=1_000_00), at=NEW_YEAR)
    told = journeys.export(acme, currency="EUR", zone=ZoneInfo(zone)).conversions
    assert [row["value_minor"] for row in told.to_pylist() if row["goal"] == "won"] == [value]


def test_a_currency_without_a_rate_is_refused_with_the_command_that_adds_one(acme: Session) -> None:
    deals.save(acme, won("2026-03-01", currency="SEK"), at=NEW_YEAR)
    with pytest.raises(Invalid, match=r"currency: deal \d+ is in SEK .*`ringtrail rate SEK 2026-03-01 RATE`"):
        export(acme)


def test_only_the_standing_answer_of_a_call_is_exported(acme: Session) -> None:
    call = ring(acme, "2026-02-01 09:00", CATALOGUE_NUMBER)
    answers.log(acme, Outcome.not_asked, asked_at=call.started_at, asked_by="Mia", call=call)
    fair = campaigns.get(acme, "Fair")
    answers.log(acme, Outcome.answered, asked_at=call.started_at, asked_by="Mia", call=call, campaign=fair)
    tables = export(acme)
    (row,) = tables.answers.to_pylist()
    assert (row["outcome"], row["campaign"], row["channel"]) == ("answered", "Fair", "fair")
    assert (row["call_id"], row["rep"]) == (call.id, "Mia")
    assert tables.touches["campaign"].to_pylist() == ["Catalogue"], "what was tracked stays"


def test_costs_touches_and_visits_carry_their_campaign_and_channel(acme: Session) -> None:
    fair = campaigns.get(acme, "Fair")
    spent = CostRecord(
        period_start=date(2026, 1, 1),
        period_end=date(2026, 4, 1),
        currency="EUR",
        category="stand",
        amount_minor=1_000_00,
    )
    costs.save(acme, spent, campaign=fair)
    costs.save(acme, replace(spent, category="office", direct=False), campaign=None)
    seen = TouchRecord(
        source_key="w1",
        clues=Clues(external_id="B-1"),
        occurred_at=moment("2026-02-03"),
        kind=TouchKind.visit,
        channel="organic",
    )
    touches.save(acme, seen, at=NEW_YEAR, campaign=None)
    acme.add(VisitCount(day=date(2026, 2, 3), campaign_id=fair.id, visits=12))
    tables = export(acme)
    assert [(r["campaign"], r["channel"], r["direct"]) for r in tables.costs.to_pylist()] == [
        ("Fair", "fair", True),
        (None, None, False),
    ]
    assert [(r["campaign"], r["channel"]) for r in tables.touches.to_pylist()] == [(None, "organic")]
    assert tables.visits.to_pylist() == [
        {"day": date(2026, 2, 3), "campaign": "Fair", "channel": "fair", "visits": 12}
    ]
