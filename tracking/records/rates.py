"""Exchange rates: what a currency is worth in that of reports from a day on; amounts converted once."""

from bisect import bisect_right
from collections.abc import Callable
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking.errors import Invalid
from tracking.records import import_outcome
from tracking.records.import_outcome import ImportOutcome
from tracking.storage import money
from tracking.storage.models import ExchangeRate

Converter = Callable[[int, str, date, str], int]
"""Takes minor units, their currency, a day, and words for what they are; returns minor units of reports."""


def save(
    session: Session, currency: str, day: date, rate: float, *, target: str
) -> tuple[ExchangeRate, ImportOutcome]:
    """Say that from ``day`` on one unit of ``currency`` is worth ``rate`` units of ``target``."""
    code = money.currency(currency)
    if code == target:
        raise Invalid("currency", "%(code)s is the report currency and needs no rate", code=code)
    if not 0 < rate < float("inf"):
        raise Invalid(
            "rate",
            "%(rate)s is not a rate; enter the value of 1 %(code)s in %(target)s, above 0",
            rate=rate,
            code=code,
            target=target,
        )
    row = session.scalar(select(ExchangeRate).where(ExchangeRate.currency == code, ExchangeRate.day == day))
    effect = ImportOutcome.unchanged
    if row is None:
        row = ExchangeRate(currency=code, day=day)
        session.add(row)
        effect = ImportOutcome.created
    effect = import_outcome.apply(row, {"rate": rate}, effect)
    session.flush()
    return row, effect


def converter(session: Session, target: str) -> Converter:
    """Return a function that converts amounts at the rate of their day, from the rates as they are now."""
    known: dict[str, list[tuple[date, float]]] = {}
    for row in session.scalars(select(ExchangeRate).order_by(ExchangeRate.day)):
        known.setdefault(row.currency, []).append((row.day, row.rate))

    def convert(minor: int, source: str, day: date, what: str) -> int:
        if source == target:
            return minor
        rates = known.get(source, [])
        index = bisect_right(rates, day, key=lambda pair: pair[0]) - 1
        if index < 0:
            raise Invalid(
                "currency",
                "%(what)s is in %(source)s and has no exchange rate to %(target)s on %(day)s; add "
                "one with `ringtrail rate %(source)s %(day)s RATE`",
                what=what,
                source=source,
                target=target,
                day=day,
            )
        return money.convert(minor, rates[index][1], source, target)

    return convert


def currencies(session: Session, first: str) -> list[str]:
    """Return the currencies to choose among: one, and those that have a rate."""
    rated = select(ExchangeRate.currency).distinct().order_by(ExchangeRate.currency)
    return list(dict.fromkeys([first, *session.scalars(rated)]))
