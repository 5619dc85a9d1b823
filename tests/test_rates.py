"""Exchange rates: an amount is converted once, at the rate in force on its day."""

from datetime import date

import pytest
from sqlalchemy.orm import Session

from tests.cast import STOCKHOLM
from tracking.errors import Invalid
from tracking.records import rates
from tracking.records.import_outcome import ImportOutcome


def test_a_rate_holds_from_its_day_until_the_next_one(session: Session) -> None:
    rates.save(session, "SEK", date(2026, 1, 1), 0.09, target="EUR")
    rates.save(session, "SEK", date(2026, 3, 1), 0.1, target="EUR")
    convert = rates.converter(session, "EUR", STOCKHOLM)
    assert convert(1_000_00, "SEK", date(2026, 1, 1), "a deal") == 90_00
    assert convert(1_000_00, "SEK", date(2026, 2, 28), "a deal") == 90_00
    assert convert(1_000_00, "SEK", date(2026, 3, 1), "a deal") == 100_00
    assert convert(1_000_00, "EUR", date(1999, 1, 1), "a deal") == 1_000_00


def test_decimals_differ_between_currencies(session: Session) -> None:
    rates.save(session, "JPY", date(2026, 1, 1), 0.006, target="EUR")
    rates.save(session, "KWD", date(2026, 1, 1), 3.0, target="EUR")
    convert = rates.converter(session, "EUR", STOCKHOLM)
    assert convert(10_000, "JPY", date(2026, 1, 1), "a deal") == 60_00
    assert convert(1_000, "KWD", date(2026, 1, 1), "a deal") == 3_00


def test_a_day_before_the_first_rate_is_refused_with_the_command_that_helps(session: Session) -> None:
    rates.save(session, "SEK", date(2026, 1, 1), 0.09, target="EUR")
    with pytest.raises(Invalid, match=r"deal 7 is in SEK .* on 2025-12-31; add one with `ringtrail rate SEK"):
        rates.converter(session, "EUR", STOCKHOLM)(1, "SEK", date(2025, 12, 31), "deal 7")


def test_a_mended_rate_replaces_the_one_of_its_day(session: Session) -> None:
    assert rates.save(session, "SEK", date(2026, 1, 1), 0.09, target="EUR")[1] is ImportOutcome.created
    assert rates.save(session, "SEK", date(2026, 1, 1), 0.09, target="EUR")[1] is ImportOutcome.unchanged
    row, effect = rates.save(session, "sek", date(2026, 1, 1), 0.1, target="EUR")
    assert (row.rate, effect) == (0.1, ImportOutcome.updated)


@pytest.mark.parametrize(
    ("currency", "rate", "reason"),
    [
        ("EUR", 1.0, "needs no rate"),
        ("SEK", 0.0, "above 0"),
        ("SEK", float("inf"), "above 0"),
        ("XYZ", 1.0, "not a currency code"),
    ],
)
def test_what_is_no_rate_is_refused(session: Session, currency: str, rate: float, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        rates.save(session, currency, date(2026, 1, 1), rate, target="EUR")
