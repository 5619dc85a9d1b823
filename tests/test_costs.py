"""Costs: money, or hours at a rate, over days; a record counts once and what cannot be is refused."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.cast import moment
from tracking.errors import Invalid
from tracking.records import campaigns, costs
from tracking.records.costs import CostRecord
from tracking.records.import_outcome import ImportOutcome
from tracking.storage import money
from tracking.storage.models import Cost
from tracking.storage.vocabulary import Medium

NOW = moment("2026-01-01")
STAND = CostRecord(
    source_key="ledger 17",
    period_start=date(2026, 3, 1),
    period_end=date(2026, 4, 1),
    currency="EUR",
    category="stand",
    amount_minor=2_000_000,
)
WORK = replace(STAND, amount_minor=None, minutes=90, hourly_rate_minor=6_000, category="work", direct=False)


def save(session: Session, record: CostRecord) -> tuple[Cost, ImportOutcome]:
    return costs.save(session, record, campaign=None)


def test_a_cost_is_added_then_brought_up_to_date_then_left_alone(session: Session) -> None:
    effects = [save(session, r)[1] for r in (STAND, STAND, replace(STAND, amount_minor=1), STAND, STAND)]
    assert effects == ["created", "unchanged", "updated", "updated", "unchanged"]
    session.expire_all()
    kept = session.scalars(select(Cost)).one()
    assert (kept.amount_minor, kept.currency, kept.direct) == (2_000_000, "EUR", True)
    assert (kept.period_start, kept.period_end) == (date(2026, 3, 1), date(2026, 4, 1))


def test_without_a_source_key_every_record_is_a_cost_of_its_own(session: Session) -> None:
    for _ in range(2):
        assert save(session, replace(STAND, source_key=None))[1] is ImportOutcome.created
    assert len(session.scalars(select(Cost)).all()) == 2


@pytest.mark.parametrize(
    ("minutes", "rate", "amount"),
    [(90, 6_000, 9_000), (0, 6_000, 0), (60, 0, 0), (1, 6_000, 100), (1, 30, 0), (1, 90, 2), (20, 100, 33)],
)
def test_hours_at_a_rate_are_worth_money_rounded_half_to_even(
    session: Session, minutes: int, rate: int, amount: int
) -> None:
    cost, _ = save(session, replace(WORK, minutes=minutes, hourly_rate_minor=rate))
    assert (cost.amount_minor, cost.minutes, cost.hourly_rate_minor) == (amount, minutes, rate)
    assert not cost.direct


def test_an_amount_beside_the_hours_must_agree_with_them(session: Session) -> None:
    assert save(session, replace(WORK, amount_minor=9_000))[0].amount_minor == 9_000
    with pytest.raises(
        Invalid, match=r"amount: 9001 does not match hours × rate .9000.; enter only one of them"
    ):
        save(session, replace(WORK, amount_minor=9_001))


def test_a_record_of_hours_may_become_one_of_money(session: Session) -> None:
    save(session, WORK)
    cost, effect = save(session, STAND)
    assert (effect, cost.minutes, cost.hourly_rate_minor) == (ImportOutcome.updated, None, None)
    assert (cost.amount_minor, cost.direct) == (2_000_000, True)


def test_a_cost_belongs_to_the_campaign_of_its_ad_material_or_to_none(session: Session) -> None:
    fair, other = (campaigns.add(session, name, "fair", at=NOW) for name in ("Fair", "Other"))
    stand = campaigns.add_material(session, fair, "Stand", at=NOW, medium=Medium.fair)
    overhead, _ = costs.save(session, replace(STAND, source_key="a"), campaign=None)
    own, _ = costs.save(session, replace(STAND, source_key="b"), campaign=None, material=stand)
    assert (overhead.campaign_id, own.campaign_id, own.ad_material_id) == (None, fair.id, stand.id)
    with pytest.raises(Invalid, match="ad_material: 'Stand' does not belong to campaign 'Other'"):
        costs.save(session, STAND, campaign=other, material=stand)
    moved, effect = costs.save(session, replace(STAND, source_key="b"), campaign=other)
    assert (moved, effect, moved.campaign_id, moved.ad_material_id) == (own, "updated", other.id, None)


def test_a_period_covers_at_least_a_day_and_its_end_is_exclusive(session: Session) -> None:
    save(session, replace(STAND, period_end=date(2026, 3, 2)))
    for end in (date(2026, 3, 1), date(2026, 2, 28)):
        with pytest.raises(Invalid, match=f"period_end: the end {end} must be after 2026-03-01"):
            save(session, replace(STAND, period_end=end))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (
            {"amount_minor": -1},
            "amount: must be 0 or more, not -1; reduce the original cost",
        ),
        ({"amount_minor": None}, "amount: enter an amount, or hours and an hourly rate"),
        ({"amount_minor": money.LARGEST_MINOR + 1}, "amount: 1000000000000001 is larger than"),
        ({"minutes": 60}, "hourly_rate: enter both hours and rate"),
        ({"hourly_rate_minor": 60}, "hourly_rate: enter both hours and rate"),
        ({"minutes": -1, "hourly_rate_minor": 1}, "hours: hours and rate must be 0 or more"),
        ({"minutes": 1, "hourly_rate_minor": -1}, "hours: hours and rate must be 0 or more"),
        ({"amount_minor": None, "minutes": 10**9, "hourly_rate_minor": 10**9}, "amount: .* is larger than"),
        ({"currency": "EURO"}, "currency: 'EURO' is not a currency code"),
        ({"category": "  "}, "category: enter a name"),
        ({"category": "x" * 201}, "category: must be 200 characters or fewer"),
        ({"source_key": "x" * 201}, "source_key: must be 1 to 200 characters"),
    ],
)
def test_a_cost_that_cannot_be_is_refused_by_field_and_leaves_nothing(
    session: Session, wrong: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Invalid, match=f"^{reason}"):
        save(session, replace(STAND, **wrong))
    assert session.scalars(select(Cost)).all() == []


def test_a_currency_is_kept_in_capitals(session: Session) -> None:
    assert save(session, replace(STAND, currency="sek"))[0].currency == "SEK"


def test_of_a_cost_over_an_interval_only_its_days_within_are_spent_then(session: Session) -> None:
    """31 of the 62 days of December and January lie in 2026, and February in whole."""
    campaign = campaigns.add(session, "Fair", "fair", at=moment("2026-01-01"))
    for first, end, amount in (
        (date(2025, 12, 1), date(2026, 2, 1), 620_00),
        (date(2026, 2, 1), date(2026, 3, 1), 50_00),
    ):
        record = CostRecord(
            period_start=first, period_end=end, currency="EUR", category="media", amount_minor=amount
        )
        costs.save(session, record, campaign=campaign)
    assert costs.spent(session) == {campaign.id: [("EUR", 670_00)]}
    assert costs.spent(session, date(2026, 1, 1), date(2027, 1, 1)) == {campaign.id: [("EUR", 360_00)]}
    assert costs.spent(session, date(2027, 1, 1), date(2028, 1, 1)) == {}
