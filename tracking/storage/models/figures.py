"""What figures are made of besides: costs, rates, visits by the day, what else went on, experiments."""

import hashlib
from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracking.storage.models.campaigns import AdMaterial, Campaign, TrackingNumber
from tracking.storage.vocabulary import Base, CurrencyCode, ExperimentState, Hash, Imported, Key, Minor, Name


class Cost(Base):
    """Money, or hours at a rate, spent over an interval of days (``period_end`` exclusive)."""

    __tablename__ = "cost"
    id: Mapped[Key]
    imported_by: Mapped[Imported]
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"), index=True)
    ad_material_id: Mapped[int | None] = mapped_column(ForeignKey("ad_material.id"))
    period_start: Mapped[date] = mapped_column(index=True)
    period_end: Mapped[date]
    amount_minor: Mapped[Minor]
    currency: Mapped[CurrencyCode]
    minutes: Mapped[int | None]
    hourly_rate_minor: Mapped[Minor | None]
    category: Mapped[Name]
    direct: Mapped[bool] = mapped_column(default=True)
    note: Mapped[str] = mapped_column(Text, default="")
    source_key: Mapped[Name | None] = mapped_column(unique=True)
    campaign: Mapped[Campaign | None] = relationship()
    __table_args__ = (
        CheckConstraint("period_end > period_start", "ends_after_start"),
        CheckConstraint("amount_minor >= 0", "not_negative"),
        CheckConstraint("(minutes IS NULL) = (hourly_rate_minor IS NULL)", "hours_have_a_rate"),
    )


class ExchangeRate(Base):
    """What one unit of ``currency`` is worth in the currency of reports, from ``day`` on."""

    __tablename__ = "exchange_rate"
    id: Mapped[Key]
    currency: Mapped[CurrencyCode]
    day: Mapped[date]
    rate: Mapped[float]
    __table_args__ = (UniqueConstraint("currency", "day"), CheckConstraint("rate > 0", "positive"))


def _told_of_visits(context: Any) -> str:
    given = context.get_current_parameters()
    told = [
        given.get(name)
        for name in ("site", "counted_by", "channel", "utm_source", "utm_medium", "utm_campaign")
    ]
    by_tags = any(told[3:])
    whole = [*(value or "" for value in told), "" if by_tags else str(given.get("campaign_id") or "")]
    return hashlib.sha256("\x1f".join(whole).encode()).hexdigest()


class VisitCount(Base):
    """Visits to the supplier's site in a day, by campaign and channel: a sum, of nobody in particular."""

    __tablename__ = "visit_count"
    id: Mapped[Key]
    imported_by: Mapped[Imported]
    day: Mapped[date]
    told: Mapped[Hash] = mapped_column(default=_told_of_visits)
    """Of all that tells a row from others of its day: in one column, since no null equals another."""
    site: Mapped[Name] = mapped_column(default="")
    """Which of several sites; those of different sites add up."""
    counted_by: Mapped[Name] = mapped_column(default="")
    """The system that counted, such as GA4."""
    breakdown: Mapped[str] = mapped_column(String(40), default="")
    """By what it counted: a day of a site is counted once, not by channel and by campaign besides."""
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"), index=True)
    channel: Mapped[Name | None]
    utm_source: Mapped[Name | None]
    utm_medium: Mapped[Name | None]
    utm_campaign: Mapped[Name | None]
    visits: Mapped[int]
    campaign: Mapped[Campaign | None] = relationship()
    __table_args__ = (UniqueConstraint("day", "told"), CheckConstraint("visits >= 0", "not_negative"))


class Indicator(Base):
    """A figure watched beside the numbers: brand searches, customer satisfaction."""

    __tablename__ = "indicator"
    id: Mapped[Key]
    name: Mapped[Name]
    day: Mapped[date]
    value: Mapped[float]
    unit: Mapped[Name]
    source: Mapped[str] = mapped_column(Text, default="")
    __table_args__ = (UniqueConstraint("name", "day"),)


class Annotation(Base):
    """Something that happened beside our marketing and may explain a figure: a competitor's move."""

    __tablename__ = "annotation"
    id: Mapped[Key]
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]
    title: Mapped[Name]
    note: Mapped[str] = mapped_column(Text, default="")
    __table_args__ = (CheckConstraint("ends_on >= starts_on", "ends_after_start"),)


class Experiment(Base):
    """Advertising that is paused for some weeks to see what is missing then."""

    __tablename__ = "experiment"
    id: Mapped[Key]
    name: Mapped[Name] = mapped_column(unique=True)
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"), index=True)
    ad_material_id: Mapped[int | None] = mapped_column(ForeignKey("ad_material.id"), index=True)
    tracking_number_id: Mapped[int | None] = mapped_column(ForeignKey("tracking_number.id"), index=True)
    regions: Mapped[list[str]] = mapped_column(default=list)
    """Where it is paused; empty: everywhere. The other regions are the comparison."""
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    """The last day of the pause, as planned or as it was."""
    settle_weeks: Mapped[int]
    belief_low: Mapped[float | None]
    belief_high: Mapped[float | None]
    """Leads a week that the paused advertising is thought to bring, before the experiment."""
    state: Mapped[ExperimentState] = mapped_column(default=ExperimentState.planned)
    note: Mapped[str] = mapped_column(Text, default="")
    created_by: Mapped[Name]
    created_at: Mapped[datetime]
    campaign: Mapped[Campaign | None] = relationship()
    ad_material: Mapped[AdMaterial | None] = relationship()
    tracking_number: Mapped[TrackingNumber | None] = relationship()
    __table_args__ = (
        CheckConstraint("ends_on >= starts_on", "ends_after_start"),
        CheckConstraint("settle_weeks >= 0", "settle_not_negative"),
        CheckConstraint("belief_low < belief_high", "belief_runs_upward"),
    )
