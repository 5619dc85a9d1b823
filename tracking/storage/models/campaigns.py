"""What was advertised: campaigns, their material, and the numbers and short links that it carries."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracking.storage.vocabulary import (
    Base,
    CurrencyCode,
    Direction,
    Imported,
    Key,
    Medium,
    Minor,
    Name,
    NumberStatus,
)


class Campaign(Base):
    """A marketing activity whose effect is to be known: a fair, a directory entry, a search ad group."""

    __tablename__ = "campaign"
    id: Mapped[Key]
    imported_by: Mapped[Imported]
    name: Mapped[Name] = mapped_column(unique=True)
    channel: Mapped[Name]
    direction: Mapped[Direction] = mapped_column(default=Direction.inbound)
    objective: Mapped[str] = mapped_column(Text, default="")
    targets: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What it aims at, as measure and figure, such as {"leads": 40, "brand searches": 1000}."""
    budget_minor: Mapped[Minor | None]
    currency: Mapped[CurrencyCode | None]
    utm_source: Mapped[Name | None]
    utm_medium: Mapped[Name | None]
    utm_campaign: Mapped[Name | None]
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]
    created_at: Mapped[datetime]
    materials: Mapped[list["AdMaterial"]] = relationship(back_populates="campaign")
    __table_args__ = (CheckConstraint("budget_minor >= 0", "budget_not_negative"),)


class AdMaterial(Base):
    """One piece of a campaign that carries a number: an edition of a catalogue, a stand, a landing page."""

    __tablename__ = "ad_material"
    id: Mapped[Key]
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"), index=True)
    name: Mapped[Name]
    kind: Mapped[Name]
    medium: Mapped[Medium]
    edition: Mapped[Name | None]
    print_run: Mapped[int | None]
    issued_on: Mapped[date | None]
    expires_on: Mapped[date | None]
    created_at: Mapped[datetime]
    campaign: Mapped[Campaign] = relationship(back_populates="materials")
    assignments: Mapped[list["NumberAssignment"]] = relationship(back_populates="ad_material")
    __table_args__ = (
        UniqueConstraint("campaign_id", "name"),
        CheckConstraint("print_run > 0", "print_run_positive"),
        CheckConstraint("expires_on >= issued_on", "expires_after_issue"),
    )


class TrackingNumber(Base):
    """A number of the supplier's that is printed on ad material; it forwards to a destination."""

    __tablename__ = "tracking_number"
    id: Mapped[Key]
    number: Mapped[str] = mapped_column(String(16), unique=True)
    destination: Mapped[str | None] = mapped_column(String(16))
    provider: Mapped[Name]
    status: Mapped[NumberStatus] = mapped_column(default=NumberStatus.active)
    main_line: Mapped[bool] = mapped_column(default=False, server_default=false())
    """The firm's own number, on no ad material: nothing tells what made somebody call it."""
    label: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    assignments: Mapped[list["NumberAssignment"]] = relationship(
        back_populates="tracking_number", order_by="NumberAssignment.starts_at"
    )
    pool: Mapped["PoolNumber | None"] = relationship(back_populates="tracking_number")


class PoolNumber(Base):
    """A tracking number that is or was in a site's pool, shown to one visitor after the other."""

    __tablename__ = "pool_number"
    id: Mapped[Key]
    tracking_number_id: Mapped[int] = mapped_column(ForeignKey("tracking_number.id"), unique=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    added_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    shown_at: Mapped[datetime | None]
    """When a visitor last began to see it."""
    held_until: Mapped[datetime | None]
    """Before this moment nobody else is shown it."""
    lease_id: Mapped[int | None] = mapped_column(BigInteger)
    """The newest lease; it may have been forgotten since."""
    tracking_number: Mapped[TrackingNumber] = relationship(back_populates="pool")
    __table_args__ = (Index("ix_pool_number_site_shown", "site_id", "shown_at"),)


class NumberAssignment(Base):
    """A tracking number on a piece of ad material, from ``starts_at`` up to, not including, ``ends_at``.

    Kept for ever: a call belongs to the assignment whose interval holds the moment it rang. Two intervals
    of one number never overlap; the migration adds a constraint (PostgreSQL) or triggers (SQLite).
    """

    __tablename__ = "number_assignment"
    id: Mapped[Key]
    tracking_number_id: Mapped[int] = mapped_column(ForeignKey("tracking_number.id"))
    ad_material_id: Mapped[int] = mapped_column(ForeignKey("ad_material.id"), index=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    quarantined_until: Mapped[datetime | None]
    tracking_number: Mapped[TrackingNumber] = relationship(back_populates="assignments")
    ad_material: Mapped[AdMaterial] = relationship(back_populates="assignments")
    __table_args__ = (
        CheckConstraint("ends_at >= starts_at", "ends_after_start"),
        CheckConstraint("(ends_at IS NULL) = (quarantined_until IS NULL)", "quarantine_follows_release"),
        Index("ix_number_assignment_number_time", "tracking_number_id", "starts_at"),
        Index(
            "uq_number_assignment_open",
            "tracking_number_id",
            unique=True,
            sqlite_where=text("ends_at IS NULL"),
            postgresql_where=text("ends_at IS NULL"),
        ),
    )


class SourceRule(Base):
    """Tags whose visits are a campaign's; an empty one may be anything."""

    __tablename__ = "source_rule"
    id: Mapped[Key]
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"), index=True)
    utm_source: Mapped[Name]
    utm_medium: Mapped[Name]
    utm_campaign: Mapped[Name]
    created_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("utm_source", "utm_medium", "utm_campaign"),)


class ShortLink(Base):
    """A short address that leads on to a page, with the tags of the ad material that carries it."""

    __tablename__ = "short_link"
    id: Mapped[Key]
    slug: Mapped[Name] = mapped_column(unique=True)
    """What stands behind /l/, in small letters."""
    ad_material_id: Mapped[int] = mapped_column(ForeignKey("ad_material.id"), index=True)
    target: Mapped[str] = mapped_column(String(2000))
    utm_source: Mapped[Name | None]
    utm_medium: Mapped[Name | None]
    utm_campaign: Mapped[Name | None]
    expires_on: Mapped[date | None]
    """The last day on which it leads on."""
    created_at: Mapped[datetime]
    created_by: Mapped[Name]
    ad_material: Mapped[AdMaterial] = relationship()


class LinkCount(Base):
    """How often a short link was followed in a day: by people and, apart, by programs."""

    __tablename__ = "link_count"
    id: Mapped[Key]
    link_id: Mapped[int] = mapped_column(ForeignKey("short_link.id"))
    day: Mapped[date]
    bots: Mapped[bool]
    visits: Mapped[int]
    __table_args__ = (
        UniqueConstraint("link_id", "day", "bots"),
        CheckConstraint("visits >= 0", "not_negative"),
    )


class MaterialPicture(Base):
    """What a piece of ad material looks like."""

    __tablename__ = "material_picture"
    id: Mapped[Key]
    ad_material_id: Mapped[int] = mapped_column(ForeignKey("ad_material.id"), unique=True)
    content_type: Mapped[Name]
    content: Mapped[bytes] = mapped_column(LargeBinary)
