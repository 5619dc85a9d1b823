"""Exchange rates: what a currency is worth in that of reports from a day on; amounts converted once."""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from tracking.errors import Invalid, RateMissing, Sentence, say
from tracking.records import import_outcome
from tracking.records.import_outcome import ImportOutcome
from tracking.storage import money
from tracking.storage.models import Call, Campaign, Cost, Deal, ExchangeRate
from tracking.storage.vocabulary import Stage

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


def converter(session: Session, target: str, zone: ZoneInfo) -> Converter:
    """Return a function that converts amounts at the rate of their day, from the rates as they are now.

    Days are those of ``zone``, as in every figure.
    """
    known: dict[str, list[tuple[date, float]]] = {}
    for row in session.scalars(select(ExchangeRate).order_by(ExchangeRate.day)):
        known.setdefault(row.currency, []).append((row.day, row.rate))

    @cache
    def earliest() -> dict[str, date]:
        return {lack.currency: lack.day for lack in lacking(session, target, zone)}

    def convert(minor: int, source: str, day: date, what: str) -> int:
        if source == target:
            return minor
        rates = known.get(source, [])
        index = bisect_right(rates, day, key=lambda pair: pair[0]) - 1
        if index < 0:
            needed = min(day, earliest().get(source, day))
            raise RateMissing(what=what, source=source, target=target, day=day, needed=needed)
        return money.convert(minor, rates[index][1], source, target)

    return convert


class Lack(NamedTuple):
    """A currency whose earliest amounts have no rate: from which day on one is needed, and for how many."""

    currency: str
    day: date
    amounts: int


def lacking(session: Session, target: str, zone: ZoneInfo) -> list[Lack]:
    """Return the currencies of won deals and costs that have no rate on the day of some of them."""
    since = first_days(session)
    foreign: set[str] = set()
    for table in (Deal, Cost):
        foreign |= set(session.scalars(select(table.currency).where(table.currency != target).distinct()))
    found = []
    for code in sorted(foreign):
        deals = select(func.min(Deal.closed_at), func.count()).where(
            Deal.currency == code,
            Deal.stage == Stage.won,
            or_(Deal.amount_minor.is_not(None), Deal.margin_minor.is_not(None)),
        )
        costs = select(func.min(Cost.period_start), func.count()).where(Cost.currency == code)
        if first := since.get(code):
            deals = deals.where(Deal.closed_at < datetime.combine(first, time(), zone))
            costs = costs.where(Cost.period_start < first)
        (closed, sold), (spent, bought) = session.execute(deals).one(), session.execute(costs).one()
        days = [*([closed.astimezone(zone).date()] if closed else []), *([spent] if spent else [])]
        if days:
            found.append(Lack(code, min(days), sold + bought))
    return found


def require_all(session: Session, target: str, zone: ZoneInfo) -> None:
    """Refuse where an amount of the figures has no rate on its day."""
    for lack in lacking(session, target, zone):
        raise RateMissing(
            what="an amount", source=lack.currency, target=target, day=lack.day, needed=lack.day
        )


def not_reached(session: Session, target: str, days: Mapping[str, date]) -> dict[str, date]:
    """Return those currencies and days for which there is no rate."""
    since = first_days(session)
    return {
        code: day
        for code, day in sorted(days.items())
        if code != target and (code not in since or day < since[code])
    }


def first_days(session: Session) -> dict[str, date]:
    """Return the day from which on each currency has a rate."""
    query = select(ExchangeRate.currency, func.min(ExchangeRate.day)).group_by(ExchangeRate.currency)
    return {code: day for code, day in session.execute(query)}  # noqa: C416 - rows are no tuples to mypy


def in_the_way(session: Session, code: str) -> Sentence | None:
    """Return why reports cannot change to a currency; None where nothing speaks against it."""
    if session.scalar(select(ExchangeRate.id).limit(1)) is not None:
        return say("there are exchange rates to the present currency")
    for table, named in (
        (Deal, say("deals")),
        (Cost, say("costs")),
        (Campaign, say("budgets")),
        (Call, say("values of calls")),
    ):
        other = session.scalar(select(table.currency).where(table.currency != code).limit(1))
        if other is not None:
            return say("there are %(things)s in %(other)s", things=named, other=other)
    return None


def currencies(session: Session, first: str) -> list[str]:
    """Return the currencies to choose among: one, and those that have a rate."""
    rated = select(ExchangeRate.currency).distinct().order_by(ExchangeRate.currency)
    return list(dict.fromkeys([first, *session.scalars(rated)]))
