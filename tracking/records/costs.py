"""Costs: money or hours spent on a campaign over an interval of days, direct or indirect."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from tracking.errors import Invalid
from tracking.records import import_outcome
from tracking.records.campaigns import of_campaign
from tracking.records.import_outcome import ImportOutcome
from tracking.storage import money
from tracking.storage.models import AdMaterial, Campaign, Cost
from tracking.storage.names import required


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRecord:
    """What one record says of a cost: an amount, or minutes of work and an hourly rate, in minor units.

    ``period_end`` is the first day no longer covered. ``source_key`` tells the record from every other,
    so that taking it twice changes nothing.
    """

    period_start: date
    period_end: date
    currency: str
    category: str
    direct: bool = True
    amount_minor: int | None = None
    minutes: int | None = None
    hourly_rate_minor: int | None = None
    note: str = ""
    source_key: str | None = None


def save(
    session: Session, record: CostRecord, *, campaign: Campaign | None, material: AdMaterial | None = None
) -> tuple[Cost, ImportOutcome]:
    """Add a cost, or bring the one with the same source key up to date; without a campaign it is overhead."""
    if record.source_key is not None and not 1 <= len(record.source_key) <= 200:
        raise Invalid(
            "source_key", "must be 1 to 200 characters (now %(length)s)", length=len(record.source_key)
        )
    given = _given(record, campaign, material)
    cost = None
    if record.source_key:
        cost = session.scalar(select(Cost).where(Cost.source_key == record.source_key))
    effect = ImportOutcome.unchanged
    if cost is None:
        cost = Cost(source_key=record.source_key)
        session.add(cost)
        effect = ImportOutcome.created
    effect = import_outcome.apply(cost, given, effect)
    session.flush()
    return cost, effect


ANY_REPORT = "ad-"
"""What the source keys begin with that stand for reports of advertising systems."""
OTHER_REPORT = "ad-report-"
"""The same, of reports of which the system is not known."""


def restate(session: Session, record: CostRecord, *, campaign: Campaign | None, source: str) -> ImportOutcome:
    """Take what an advertising system says of a campaign from a day on for what it said of it before.

    ``source`` begins the source keys of all that the system said. A period of the campaign that overlaps
    another one of the same system would count twice, and is refused; so is one that a report of no known
    system may have told already.
    """
    systems = (ANY_REPORT,) if source == OTHER_REPORT else (source, OTHER_REPORT)
    of_source = select(Cost).where(
        Cost.campaign_id == (campaign.id if campaign else None),
        or_(*(Cost.source_key.startswith(system, autoescape=True) for system in systems)),
    )
    overlapping = of_source.where(
        Cost.source_key != record.source_key,
        Cost.currency == record.currency,
        Cost.period_start < record.period_end,
        Cost.period_end > record.period_start,
    )
    if (other := session.scalar(overlapping.limit(1))) is not None:
        raise Invalid(
            "period",
            "%(start)s to %(last)s of this campaign is already stored as one cost; delete that "
            "cost, or export the same days again",
            start=other.period_start,
            last=other.period_end - timedelta(days=1),
        )
    known = session.scalar(select(Cost.id).where(Cost.source_key == record.source_key))
    # Before sources had names, equal rows were known by their content.
    nameless = select(Cost).where(
        Cost.campaign_id == (campaign.id if campaign else None),
        Cost.period_start == record.period_start,
        Cost.period_end == record.period_end,
        Cost.currency == record.currency,
        Cost.amount_minor == record.amount_minor,
        Cost.source_key.startswith("row-"),
    )
    if known is None and (former := session.scalar(nameless.limit(1))) is not None:
        former.source_key = record.source_key
        session.flush()
    return save(session, record, campaign=campaign)[1]


def change(
    session: Session,
    cost: Cost,
    record: CostRecord,
    *,
    campaign: Campaign | None,
    material: AdMaterial | None = None,
) -> Cost:
    """Let a cost say what ``record`` says; where it came from stays."""
    import_outcome.apply(cost, _given(record, campaign, material), ImportOutcome.unchanged)
    session.flush()
    return cost


def _given(record: CostRecord, campaign: Campaign | None, material: AdMaterial | None) -> dict[str, object]:
    amount = _amount(record)
    if amount > money.LARGEST_MINOR:
        raise Invalid(
            "amount",
            "%(amount)s is larger than %(most)s minor units; check it",
            amount=amount,
            most=money.LARGEST_MINOR,
        )
    campaign = of_campaign(campaign, material)
    if record.period_end <= record.period_start:
        raise Invalid(
            "period_end",
            "the end %(end)s must be after %(start)s (the end day itself is not included)",
            end=record.period_end,
            start=record.period_start,
        )
    return {
        "campaign_id": campaign.id if campaign else None,
        "ad_material_id": material.id if material else None,
        "period_start": record.period_start,
        "period_end": record.period_end,
        "amount_minor": amount,
        "currency": money.currency(record.currency),
        "minutes": record.minutes,
        "hourly_rate_minor": record.hourly_rate_minor,
        "category": required(record.category, "category"),
        "direct": record.direct,
        "note": record.note,
    }


def spent(
    session: Session, first: date | None = None, end: date | None = None
) -> dict[int | None, list[tuple[str, int]]]:
    """Return what was spent on each campaign, per currency in minor units; None: overhead.

    Of a cost over an interval that reaches beyond the days asked for counts the part of its days in them.
    """
    columns = (Cost.campaign_id, Cost.currency)
    whole = select(*columns, func.sum(Cost.amount_minor)).group_by(*columns)
    sums: dict[tuple[int | None, str], int] = {}
    if first is not None and end is not None:
        within = (Cost.period_start >= first) & (Cost.period_end <= end)
        whole = whole.where(within)
        crossing = select(*columns, Cost.amount_minor, Cost.period_start, Cost.period_end).where(
            ~within, Cost.period_start < end, Cost.period_end > first
        )
        for campaign_id, currency, amount, start, last in session.execute(crossing):
            days = (min(last, end) - max(start, first)).days
            part = round(Fraction(amount * days, (last - start).days))
            sums[campaign_id, currency] = sums.get((campaign_id, currency), 0) + part
    for campaign_id, currency, total in session.execute(whole):
        sums[campaign_id, currency] = sums.get((campaign_id, currency), 0) + int(total)
    found: dict[int | None, list[tuple[str, int]]] = {}
    for (campaign_id, currency), total in sorted(sums.items(), key=lambda item: item[0][1]):
        found.setdefault(campaign_id, []).append((currency, total))
    return found


def _amount(record: CostRecord) -> int:
    if (record.minutes is None) != (record.hourly_rate_minor is None):
        raise Invalid("hourly_rate", "enter both hours and rate, or neither")
    if record.minutes is not None and record.hourly_rate_minor is not None:
        if record.minutes < 0 or record.hourly_rate_minor < 0:
            raise Invalid("hours", "hours and rate must be 0 or more")
        worth = Decimal(record.minutes) * record.hourly_rate_minor / 60
        amount = int(worth.to_integral_value(ROUND_HALF_EVEN))
        if record.amount_minor is not None and record.amount_minor != amount:
            raise Invalid(
                "amount",
                "%(given)s does not match hours × rate (%(amount)s); enter only one of them",
                given=record.amount_minor,
                amount=amount,
            )
        return amount
    if record.amount_minor is None:
        raise Invalid("amount", "enter an amount, or hours and an hourly rate")
    if record.amount_minor < 0:
        raise Invalid(
            "amount",
            "must be 0 or more, not %(amount)s; reduce the original cost to record a refund",
            amount=record.amount_minor,
        )
    return record.amount_minor
