"""What the supplier's websites report: visitors, visits, forms, and leases of numbers."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracking.storage.column_types import SealedMapping
from tracking.storage.models.calls import Touch
from tracking.storage.models.campaigns import Campaign
from tracking.storage.models.companies import Contact
from tracking.storage.vocabulary import Base, FormState, Hash, Key, Minor, Name


class Site(Base):
    """A web site of the supplier's whose pages show visitors a number each."""

    __tablename__ = "site"
    id: Mapped[Key]
    name: Mapped[Name] = mapped_column(unique=True)
    key: Mapped[str] = mapped_column(String(16), unique=True)
    """What its pages call it by; no secret."""
    origins: Mapped[list[str]]
    """Scheme, host and port of its pages, such as https://www.acme.example; no other may report visits."""
    number: Mapped[str] = mapped_column(String(16))
    """The number that its pages show of themselves, and that the script replaces."""
    consent: Mapped[bool] = mapped_column(default=True)
    """Whether a visitor has to agree before anything tells him from others."""
    hold_minutes: Mapped[int] = mapped_column(default=20)
    """How long after the last page view nobody else is shown a visitor's number."""
    number_cost_minor: Mapped[Minor | None]
    """What a number of the pool costs in a month, in the currency of reports."""
    delay_median_s: Mapped[float | None]
    """Half of the callers dial within so many seconds of seeing their number, by the site's own calls."""
    delay_spread: Mapped[float | None]
    """Standard deviation of the logarithm of that delay."""
    stray_odds: Mapped[float | None]
    """Calls a day to a number by people whom it was not shown to, for each call that a lease brings."""
    fitted_calls: Mapped[int] = mapped_column(default=0)
    fitted_at: Mapped[datetime | None]
    notice_to: Mapped[Name | None]
    """The email address that is told of each form; null: the installation's."""
    notice_language: Mapped[str | None] = mapped_column(String(10))
    created_at: Mapped[datetime]
    __table_args__ = (CheckConstraint("hold_minutes BETWEEN 1 AND 1440", "hold_within_a_day"),)


class Visitor(Base):
    """A browser that has been on a site, known by the token it was given; somebody only after a call."""

    __tablename__ = "visitor"
    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    token_hash: Mapped[Hash] = mapped_column(unique=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    """Who he turned out to be."""
    seen_at: Mapped[datetime] = mapped_column(index=True)
    visits: Mapped[list["WebVisit"]] = relationship(back_populates="visitor", order_by="WebVisit.started_at")


class WebVisit(Base):
    """One visit of a visitor: where he came from, and where he landed."""

    __tablename__ = "web_visit"
    id: Mapped[Key]
    visitor_id: Mapped[int] = mapped_column(ForeignKey("visitor.id"))
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"), index=True)
    channel: Mapped[Name | None]
    utm_source: Mapped[Name | None]
    utm_medium: Mapped[Name | None]
    utm_campaign: Mapped[Name | None]
    landing_page: Mapped[str | None] = mapped_column(String(1000))
    """Host and path, without the query."""
    click_ids: Mapped[dict[str, str] | None] = mapped_column(SealedMapping("web_visit.click_ids"))
    visitor: Mapped[Visitor] = relationship(back_populates="visits")
    campaign: Mapped[Campaign | None] = relationship()
    __table_args__ = (Index("ix_web_visit_visitor_time", "visitor_id", "started_at"),)


class WebForm(Base):
    """A form that somebody sent from a site; what is typed is sealed. Spam is kept, and counts nowhere."""

    __tablename__ = "web_form"
    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    post_key: Mapped[Hash] = mapped_column(unique=True)
    """Tells it from every other; the same again is the same form."""
    received_at: Mapped[datetime] = mapped_column(index=True)
    page: Mapped[str] = mapped_column(String(1000))
    """Host and path of the page it was sent from."""
    state: Mapped[FormState]
    spam_signs: Mapped[list[str]] = mapped_column(default=list)
    """Why it was taken for spam when it came, in the words of `records.web_forms`."""
    told: Mapped[dict[str, str] | None] = mapped_column(SealedMapping("web_form.told"))
    """What its fields say, by what they mean: person, company, email, phone, message, heard_from."""
    others: Mapped[dict[str, str] | None] = mapped_column(SealedMapping("web_form.others"))
    """Its other fields, by their names."""
    came: Mapped[dict[str, str] | None] = mapped_column(SealedMapping("web_form.came"))
    """What tells where its sender came from: address, referrer, tags and click ids."""
    visitor_id: Mapped[int | None] = mapped_column(ForeignKey("visitor.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    touch_id: Mapped[int | None] = mapped_column(ForeignKey("touch.id"), unique=True)
    site: Mapped[Site] = relationship()
    visitor: Mapped[Visitor | None] = relationship()
    contact: Mapped[Contact | None] = relationship()
    touch: Mapped[Touch | None] = relationship()


class Lease(Base):
    """A number of a pool shown to a visitor, from ``starts_at`` to when he was last seen with it."""

    __tablename__ = "lease"
    id: Mapped[Key]
    tracking_number_id: Mapped[int] = mapped_column(ForeignKey("tracking_number.id"))
    visit_id: Mapped[int] = mapped_column(ForeignKey("web_visit.id"), index=True)
    starts_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    visit: Mapped[WebVisit] = relationship()
    __table_args__ = (Index("ix_lease_number_time", "tracking_number_id", "starts_at"),)


class SiteHour(Base):
    """What happened on a site in an hour: sums, of nobody in particular."""

    __tablename__ = "site_hour"
    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    hour: Mapped[datetime]
    views: Mapped[int] = mapped_column(default=0)
    swapped: Mapped[int] = mapped_column(default=0)
    """Page views whose number was replaced."""
    leased: Mapped[int] = mapped_column(default=0)
    """Visitors who were shown a number of the pool that they had not had before."""
    overflow: Mapped[int] = mapped_column(default=0)
    """Visitors for whom no number of the pool was free."""
    unidentified: Mapped[int] = mapped_column(default=0)
    """Page views of people who have not agreed, or whose browser asks not to be followed."""
    bots: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    capped: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Page views that got no number of the pool because their address had half of it."""
    __table_args__ = (UniqueConstraint("site_id", "hour"),)
