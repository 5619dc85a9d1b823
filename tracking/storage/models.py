"""Every table, in reading order: what was advertised, who called, what was said, who works here."""

import hashlib
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
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from tracking.storage import namemarks, origins
from tracking.storage.column_types import Said, Sealed, SealedList, SealedMapping, SealedSaid
from tracking.storage.names import folded_id
from tracking.storage.phone import NumberState
from tracking.storage.vocabulary import (
    Base,
    CallStatus,
    Certainty,
    CurrencyCode,
    Direction,
    ExperimentState,
    FormState,
    Hash,
    Imported,
    JobState,
    Key,
    LeadStatus,
    MatchedName,
    Medium,
    Minor,
    Name,
    NumberStatus,
    Outcome,
    PointKind,
    Role,
    Stage,
    TouchKind,
)


class Installation(Base):
    """One row: the fingerprint of the key that seals this database, and what was decided for all."""

    __tablename__ = "installation"
    id: Mapped[Key]
    key_fingerprint: Mapped[str] = mapped_column(String(16))
    first_key: Mapped[Hash | None]
    """Tells whether the oldest key is the one it was: hashes that never change are made with it."""
    older_keys: Mapped[str] = mapped_column(Text, default="")
    """Fingerprints of keys that still seal values here, by commas, until all are sealed anew."""
    deciding_model: Mapped[str | None] = mapped_column(String(40))
    """The attribution model to decide by; without it, what the study recommends."""
    logo: Mapped[bytes | None] = mapped_column(LargeBinary)
    logo_type: Mapped[str | None] = mapped_column(String(20))
    """The media type of the supplier's logo, such as image/png."""


class Setting(Base):
    """What an administrator set on a page, in the words of its environment variable; sealed."""

    __tablename__ = "setting"
    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    """The variable that would say the same, such as RINGTRAIL_BASE_URL."""
    value: Mapped[str] = mapped_column(Sealed("setting.value"))


# --- What was advertised ---------------------------------------------------------------------------------


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


# --- Who buys --------------------------------------------------------------------------------------------


class Account(Base):
    """A buying company; merged ones point to the company they turned out to be, and can be parted again."""

    __tablename__ = "account"
    id: Mapped[Key]
    imported_by: Mapped[Imported]
    name: Mapped[Name | None]
    name_key: Mapped[str | None] = mapped_column(MatchedName, index=True)
    """The name as it is matched: NFKC, case folded, single spaces; ordered by code points."""
    external_id: Mapped[Name | None] = mapped_column(unique=True)
    domain: Mapped[Name | None]
    industry: Mapped[Name | None]
    region: Mapped[Name | None]
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime]
    contacts: Mapped[list["Contact"]] = relationship(back_populates="account")
    __table_args__ = (
        CheckConstraint("merged_into_id <> id", "not_merged_into_itself"),
        # The companies that a list shows, in its order, and which of them bear one name or domain.
        Index("ix_account_merged_name", "merged_into_id", "name_key", "id"),
        Index("ix_account_domain", "domain", "merged_into_id"),
    )


class Contact(Base):
    """A person at a buying company, or somebody of whom only a call is known."""

    __tablename__ = "contact"
    id: Mapped[Key]
    imported_by: Mapped[Imported]
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    name: Mapped[str | None] = mapped_column(Sealed("contact.name", marks_in="name_marks"))
    name_marks: Mapped[str | None] = mapped_column(Text)
    """What the name is found by: keyed hashes of how its words begin."""
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))
    created_at: Mapped[datetime]
    account: Mapped[Account] = relationship(back_populates="contacts")
    points: Mapped[list["ContactPoint"]] = relationship(back_populates="contact")
    __table_args__ = (
        CheckConstraint("merged_into_id <> id", "not_merged_into_itself"),
        # Nearly all are not merged, which no database shall think few.
        Index(
            "ix_contact_merged_into_id",
            "merged_into_id",
            sqlite_where=text("merged_into_id IS NOT NULL"),
            postgresql_where=text("merged_into_id IS NOT NULL"),
        ),
    )

    @validates("name")
    def _mark(self, _: str, name: str | None) -> str | None:
        self.name_marks = namemarks.marks(name)
        return name


class ContactPoint(Base):
    """A number, address or foreign id of a contact: sealed, and found again by its keyed hash."""

    __tablename__ = "contact_point"
    id: Mapped[Key]
    imported_by: Mapped[Imported]
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    kind: Mapped[PointKind]
    value: Mapped[str] = mapped_column(Sealed("contact_point.value", hash_in="value_hash", kind_in="kind"))
    value_hash: Mapped[Hash]
    contact: Mapped[Contact] = relationship(back_populates="points")
    __table_args__ = (UniqueConstraint("kind", "value_hash"),)


# --- What happened ---------------------------------------------------------------------------------------


class InboxEvent(Base):
    """What a provider sent, kept before it is interpreted, so that it can be interpreted again."""

    __tablename__ = "inbox_event"
    id: Mapped[Key]
    provider: Mapped[Name]
    event_key: Mapped[Name]
    received_at: Mapped[datetime] = mapped_column(index=True)
    body: Mapped[str] = mapped_column(Sealed("inbox_event.body", hash_in="body_hash"))
    body_hash: Mapped[Hash]
    processed_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(Text)
    conflicts: Mapped[int] = mapped_column(default=0)
    """How often the same key came with another body; the first one counts."""
    __table_args__ = (
        UniqueConstraint("provider", "event_key"),
        # Nearly always empty; it finds what waits without reading what is done.
        Index(
            "ix_inbox_event_unprocessed",
            "provider",
            "event_key",
            sqlite_where=text("processed_at IS NULL"),
            postgresql_where=text("processed_at IS NULL"),
        ),
    )


class Call(Base):
    """One telephone call to a number of ours, whichever number it was."""

    __tablename__ = "call"
    id: Mapped[Key]
    imported_by: Mapped[Imported]
    provider: Mapped[Name]
    provider_call_id: Mapped[Name]
    dialled: Mapped[str] = mapped_column(String(80), index=True)
    """E.164, or the digits as they came where they are no number (an extension)."""
    tracking_number_id: Mapped[int | None] = mapped_column(ForeignKey("tracking_number.id"))
    assignment_id: Mapped[int | None] = mapped_column(ForeignKey("number_assignment.id"))
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    caller: Mapped[str | None] = mapped_column(
        Sealed("call.caller", hash_in="caller_hash", kind=PointKind.phone)
    )
    caller_hash: Mapped[Hash | None]
    caller_state: Mapped[NumberState]
    caller_name: Mapped[str | None] = mapped_column(Sealed("call.caller_name"))
    started_at: Mapped[datetime] = mapped_column(index=True)
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    duration_s: Mapped[int | None]
    talk_s: Mapped[int | None]
    status: Mapped[CallStatus]
    lead_status: Mapped[LeadStatus | None]
    value_minor: Mapped[Minor | None]
    currency: Mapped[CurrencyCode | None]
    note: Mapped[str] = mapped_column(Text, default="")
    tags: Mapped[list[str]] = mapped_column(default=list)
    spam: Mapped[bool] = mapped_column(default=False)
    tracking_number: Mapped[TrackingNumber | None] = relationship()
    assignment: Mapped[NumberAssignment | None] = relationship()
    contact: Mapped[Contact] = relationship()
    touch: Mapped["Touch"] = relationship(back_populates="call")
    answers: Mapped[list["Answer"]] = relationship(back_populates="call", order_by="Answer.id")
    holder: Mapped["CallHolder | None"] = relationship(back_populates="call")
    __table_args__ = (
        UniqueConstraint("provider", "provider_call_id"),
        # Each with the moment, so that the newest of those asked for are read and no others.
        Index("ix_call_number_time", "tracking_number_id", "started_at"),
        Index("ix_call_assignment_time", "assignment_id", "started_at"),
        Index("ix_call_contact_time", "contact_id", "started_at"),
        Index("ix_call_caller_time", "caller_hash", "started_at"),
        Index("ix_call_status_time", "status", "started_at"),
        Index("ix_call_lead_time", "lead_status", "started_at"),
        Index(
            "ix_call_spam_time",
            "started_at",
            sqlite_where=text("spam IS 1"),
            postgresql_where=text("spam IS true"),
        ),
        CheckConstraint("duration_s >= 0", "duration_not_negative"),
        CheckConstraint("talk_s >= 0", "talk_not_negative"),
    )


class Touch(Base):
    """One moment at which a buying company met our marketing: all that attribution sees."""

    __tablename__ = "touch"
    id: Mapped[Key]
    imported_by: Mapped[Imported]
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    occurred_at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[TouchKind]
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"))
    ad_material_id: Mapped[int | None] = mapped_column(ForeignKey("ad_material.id"), index=True)
    channel: Mapped[Name | None]
    """Named only where no campaign says it."""
    call_id: Mapped[int | None] = mapped_column(ForeignKey("call.id"), unique=True)
    source_key: Mapped[Name | None] = mapped_column(unique=True)
    utm_source: Mapped[Name | None]
    utm_medium: Mapped[Name | None]
    utm_campaign: Mapped[Name | None]
    landing_page: Mapped[str | None] = mapped_column(String(1000))
    """Host and path, without the query."""
    click_ids: Mapped[dict[str, str] | None] = mapped_column(SealedMapping("touch.click_ids"))
    """What advertising systems know the click by, such as gclid."""
    contact: Mapped[Contact] = relationship()
    campaign: Mapped[Campaign | None] = relationship()
    ad_material: Mapped[AdMaterial | None] = relationship()
    call: Mapped[Call | None] = relationship(back_populates="touch")
    __table_args__ = (
        Index("ix_touch_contact_time", "contact_id", "occurred_at"),
        Index("ix_touch_campaign_time", "campaign_id", "occurred_at"),
    )


class Answer(Base):
    """What came of asking "where did you hear about us?"; it never overwrites what was tracked.

    A correction is a row of its own that names the row it corrects.
    """

    __tablename__ = "answer"
    id: Mapped[Key]
    imported_by: Mapped[Imported]
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    call_id: Mapped[int | None] = mapped_column(ForeignKey("call.id"), index=True)
    deal_id: Mapped[int | None] = mapped_column(ForeignKey("deal.id"), index=True)
    asked_at: Mapped[datetime] = mapped_column(index=True)
    asked_by: Mapped[Name | None] = mapped_column(index=True)
    entered_at: Mapped[datetime | None]
    entered_by: Mapped[Name | None]
    """Who wrote this row, where that is somebody other than who asked, and when."""
    outcome: Mapped[Outcome]
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"))
    channel: Mapped[Name | None]
    verbatim: Mapped[str | None] = mapped_column(String(2000))
    corrects_id: Mapped[int | None] = mapped_column(ForeignKey("answer.id"), unique=True)
    source_key: Mapped[Name | None] = mapped_column(unique=True)
    contact: Mapped[Contact] = relationship()
    call: Mapped[Call | None] = relationship(back_populates="answers")
    deal: Mapped["Deal | None"] = relationship()
    campaign: Mapped[Campaign | None] = relationship()
    __table_args__ = (
        CheckConstraint(
            "outcome = 'answered' OR (campaign_id IS NULL AND channel IS NULL)", "only_answers_name_a_source"
        ),
    )


class Deal(Base):
    """A sale in the making, with the moments at which it reached each stage."""

    __tablename__ = "deal"
    id: Mapped[Key]
    imported_by: Mapped[Imported]
    external_id: Mapped[Name | None] = mapped_column(unique=True)
    external_key: Mapped[Name | None] = mapped_column(index=True)
    """The id without capitals and blanks, by which it is found however it is written."""
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    name: Mapped[str] = mapped_column(Text, default="")
    stage: Mapped[Stage]
    lead_at: Mapped[datetime | None]
    qualified_at: Mapped[datetime | None]
    opportunity_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None] = mapped_column(index=True)
    amount_minor: Mapped[Minor | None]
    """None: not known yet, which no deal that is won may be."""
    margin_minor: Mapped[Minor | None]
    currency: Mapped[CurrencyCode]
    created_at: Mapped[datetime]
    account: Mapped[Account] = relationship()
    __table_args__ = (
        CheckConstraint("stage NOT IN ('won', 'lost') OR closed_at IS NOT NULL", "closed_deals_have_a_date"),
        CheckConstraint("stage <> 'won' OR amount_minor IS NOT NULL", "won_deals_have_an_amount"),
    )

    @validates("external_id")
    def _fold(self, _: str, external_id: str | None) -> str | None:
        self.external_key = folded_id(external_id) if external_id else None
        return external_id


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


class CallHolder(Base):
    """Who is likely to have made a call to a number of a pool: of all who were shown it, by how long before.

    Written as of the call and kept, since those who were shown a number are forgotten in time.
    """

    __tablename__ = "call_holder"
    id: Mapped[Key]
    call_id: Mapped[int] = mapped_column(ForeignKey("call.id"), unique=True)
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"), index=True)
    started_at: Mapped[datetime] = mapped_column(index=True)
    """When it rang, as far as was known."""
    certainty: Mapped[Certainty]
    holders: Mapped[int]
    """How many visitors had been shown the number within reach."""
    likelihood: Mapped[float]
    """Of the likeliest source, 0 to 1; of all holders that share it together."""
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"), index=True)
    channel: Mapped[Name | None]
    runner_up: Mapped[float | None]
    """The likelihood of the next source; null where all holders share one."""
    runner_up_campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"))
    runner_up_channel: Mapped[Name | None]
    visitor_likelihood: Mapped[float]
    """Of the likeliest single visitor."""
    visitor_id: Mapped[int | None] = mapped_column(ForeignKey("visitor.id"), index=True)
    last_shown_at: Mapped[datetime | None]
    last_page: Mapped[str | None] = mapped_column(String(1000))
    """Where the number was last shown before the call: host and path."""
    call: Mapped[Call] = relationship(back_populates="holder")
    campaign: Mapped[Campaign | None] = relationship(foreign_keys=campaign_id)
    runner_up_campaign: Mapped[Campaign | None] = relationship(foreign_keys=runner_up_campaign_id)


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


# --- Who may ask -----------------------------------------------------------------------------------------


class ApiToken(Base):
    """A key to the JSON API; only its hash is kept."""

    __tablename__ = "api_token"
    id: Mapped[Key]
    name: Mapped[Name]
    prefix: Mapped[str] = mapped_column(String(12), unique=True)
    secret_hash: Mapped[Hash]
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class IdempotencyKey(Base):
    """The reply to a request that named a key, so that its repetition gets the same and does nothing."""

    __tablename__ = "idempotency_key"
    id: Mapped[Key]
    token_id: Mapped[int] = mapped_column(ForeignKey("api_token.id"))
    key: Mapped[Name]
    request_hash: Mapped[Hash]
    status: Mapped[int]
    body: Mapped[str] = mapped_column(Sealed("idempotency_key.body"))
    created_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("token_id", "key"),)


class ImportRun(Base):
    """One import of a file: what it was and what came of it."""

    __tablename__ = "import_run"
    id: Mapped[Key]
    kind: Mapped[Name]
    file_name: Mapped[str] = mapped_column(Sealed("import_run.file_name"))
    """Sealed: files are named after whom they tell of."""
    finished_at: Mapped[datetime]
    created: Mapped[int]
    updated: Mapped[int]
    skipped: Mapped[int]
    refused: Mapped[int]
    undone_at: Mapped[datetime | None]


class ImportChange(Base):
    """What an import changed of a row that it has not made: the values before and after; see `origins`."""

    __tablename__ = "import_change"
    id: Mapped[Key]
    run_id: Mapped[int] = mapped_column(ForeignKey("import_run.id"), index=True)
    table_name: Mapped[str] = mapped_column(String(40))
    row_id: Mapped[int] = mapped_column(BigInteger)
    body: Mapped[str] = mapped_column(Sealed(origins.PURPOSE))
    __table_args__ = (Index("ix_import_change_row", "table_name", "row_id"),)


class ImportHold(Base):
    """A row that an import has made and that something else has changed since."""

    __tablename__ = "import_hold"
    id: Mapped[Key]
    run_id: Mapped[int] = mapped_column(index=True)
    table_name: Mapped[str] = mapped_column(String(40))
    row_id: Mapped[int] = mapped_column(BigInteger)
    __table_args__ = (UniqueConstraint("table_name", "row_id"),)


# --- Who works here, who did what, what is stored for whom ------------------------------------------------


class User(Base):
    """Somebody who signs in: an address, a password, one role. Whoever leaves is closed, never deleted."""

    __tablename__ = "app_user"
    id: Mapped[Key]
    email: Mapped[Name] = mapped_column(unique=True)
    name: Mapped[Name]
    role: Mapped[Role]
    active: Mapped[bool] = mapped_column(default=True)
    language: Mapped[str | None] = mapped_column(String(10))
    theme: Mapped[str | None] = mapped_column(String(5))
    """"light" or "dark"; null: as the browser says."""
    shortcuts: Mapped[bool] = mapped_column(default=True)
    """Whether single keys do things; who dictates or uses a screen reader may turn them off (WCAG 2.1.4)."""
    away: Mapped[bool] = mapped_column(default=False)
    """Said by the user: calls are not to ring here."""
    password: Mapped[str | None] = mapped_column(String(255))
    """An argon2id hash; null until the first one is chosen."""
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)
    """What a session names; a new one ends all sessions of the user."""
    tf_primary_method: Mapped[str | None] = mapped_column(String(64))
    tf_totp_secret: Mapped[str | None] = mapped_column(Sealed("app_user.tf_totp_secret"))
    tf_last_counter: Mapped[int | None] = mapped_column(BigInteger)
    """The half minute whose code was taken last; none is taken twice."""
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(
        MutableList.as_mutable(SealedList("app_user.mf_recovery_codes"))
    )
    created_at: Mapped[datetime]
    last_login_at: Mapped[datetime | None]
    current_login_at: Mapped[datetime | None]
    last_login_ip: Mapped[str | None] = mapped_column(String(64))
    current_login_ip: Mapped[str | None] = mapped_column(String(64))
    login_count: Mapped[int] = mapped_column(default=0)


class OpenSession(Base):
    """A browser that has signed in; signing out deletes the row, and with it all that the cookies open."""

    __tablename__ = "open_session"
    id: Mapped[Key]
    token_hash: Mapped[Hash] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), index=True)
    opened_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Tries(Base):
    """How often something secret was tried, for one account, place or device: see `access.throttle`."""

    __tablename__ = "tries"
    key: Mapped[Hash] = mapped_column(primary_key=True)
    account: Mapped[Hash | None] = mapped_column(index=True)
    count: Mapped[int]
    since: Mapped[datetime] = mapped_column(index=True)


class OutgoingMail(Base):
    """A mail that is to go out; what it says is made when it goes, so that no link is kept here."""

    __tablename__ = "outgoing_mail"
    id: Mapped[Key]
    kind: Mapped[Name]
    address: Mapped[str] = mapped_column(Sealed("outgoing_mail.address"))
    language: Mapped[str] = mapped_column(String(10))
    """That of the page, for those who have chosen none."""
    created_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime] = mapped_column(index=True)
    form_id: Mapped[int | None] = mapped_column(ForeignKey("web_form.id"), index=True)
    """The form that it tells of."""


class AuditEntry(Base):
    """Who did what and when; written with the act itself, never changed, each sealed to the one before."""

    __tablename__ = "audit_entry"
    id: Mapped[Key]
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[Name] = mapped_column(index=True)
    """The e-mail address of a user, "token NAME", or "terminal"."""
    action: Mapped[Name]
    subject: Mapped[str] = mapped_column(Text, default="")
    place: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    """Its place in the chain, from 1; null where it was written before there was one."""
    seal: Mapped[Hash | None]
    """A keyed hash of this entry and of the seal before it: see `access.audit`."""


class AuditHead(Base):
    """The one row that knows the last link of the audit trail's chain."""

    __tablename__ = "audit_head"
    id: Mapped[Key]
    place: Mapped[int]
    seal: Mapped[Hash]


class Erasure(Base):
    """A person who was taken out, by keyed hashes, so that a restored backup forgets him too."""

    __tablename__ = "erasure"
    id: Mapped[Key]
    receipt: Mapped[str] = mapped_column(String(32), unique=True)
    at: Mapped[datetime]
    by: Mapped[Name]
    hashes: Mapped[list[str]]
    """Of each of his numbers and addresses, by each key of that day: kind and keyed hash."""
    removed: Mapped[dict[str, Any]]
    """How much of each kind went."""


class CallDesk(Base):
    """Who has the form of a call open, so that two reps who log one call see each other."""

    __tablename__ = "call_desk"
    id: Mapped[Key]
    call_id: Mapped[int] = mapped_column(ForeignKey("call.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    seen_at: Mapped[datetime]
    taken_at: Mapped[datetime | None]
    """When the user began to work on it; null for a form that came up by itself and was only looked at."""
    user: Mapped[User] = relationship()
    __table_args__ = (UniqueConstraint("call_id", "user_id"),)


class PracticeCall(Base):
    """A call that somebody lets ring to try it out: apart from all calls, so that nothing can count it."""

    __tablename__ = "practice_call"
    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), index=True)
    assignment_id: Mapped[int | None] = mapped_column(ForeignKey("number_assignment.id"))
    started_at: Mapped[datetime]
    user: Mapped[User] = relationship()
    assignment: Mapped[NumberAssignment | None] = relationship()


class MaterialPicture(Base):
    """What a piece of ad material looks like."""

    __tablename__ = "material_picture"
    id: Mapped[Key]
    ad_material_id: Mapped[int] = mapped_column(ForeignKey("ad_material.id"), unique=True)
    content_type: Mapped[Name]
    content: Mapped[bytes] = mapped_column(LargeBinary)


class SavedView(Base):
    """A page with its filters under a name, a user's own or shared with all."""

    __tablename__ = "saved_view"
    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), index=True)
    name: Mapped[Name]
    path: Mapped[str] = mapped_column(Text)
    """The address without host: path and query."""
    shared: Mapped[bool] = mapped_column(default=False)
    user: Mapped[User] = relationship()
    __table_args__ = (UniqueConstraint("user_id", "name"),)


class ReportSchedule(Base):
    """A report that goes out by mail: to whom, how often, and how it went last time."""

    __tablename__ = "report_schedule"
    id: Mapped[Key]
    name: Mapped[Name]
    recipients: Mapped[list[str]]
    cadence: Mapped[str] = mapped_column(String(16))
    language: Mapped[str] = mapped_column(String(10))
    options: Mapped[dict[str, Any]]
    """What the report is made of, as the query of its page: models, filters, attachments."""
    next_on: Mapped[date]
    """The day on which it is due next; it moves on before the mail goes out, so that none goes out twice."""
    not_before: Mapped[datetime | None]
    """It is in line or has failed: before this moment it is not put in line again."""
    last_sent_at: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(Said())
    created_by: Mapped[Name]
    __table_args__ = (CheckConstraint("cadence IN ('weekly', 'monthly', 'quarterly')", "cadence_known"),)


class ImportMapping(Base):
    """Which column means what in files with these headers, as a user told it once."""

    __tablename__ = "import_mapping"
    id: Mapped[Key]
    kind: Mapped[Name]
    header_hash: Mapped[Hash]
    mapping: Mapped[dict[str, Any]]
    __table_args__ = (UniqueConstraint("kind", "header_hash"),)


class Job(Base):
    """Work that takes longer than a page may: an import, a simulation, a report to mail."""

    __tablename__ = "job"
    id: Mapped[Key]
    kind: Mapped[Name]
    label: Mapped[str] = mapped_column(SealedSaid("job.label"))
    """What it is, for people; sealed, since files are named after whom they tell of."""
    arguments: Mapped[dict[str, Any]]
    state: Mapped[JobState] = mapped_column(default=JobState.waiting)
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    attempts: Mapped[int] = mapped_column(default=0)
    """How often a worker has begun it."""
    result: Mapped[dict[str, Any] | None]
    error: Mapped[str | None] = mapped_column(SealedSaid("job.error"))
    created_by: Mapped[Name]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    """When its worker last said that it was alive; one that has fallen silent is taken up again."""
    finished_at: Mapped[datetime | None]
    __table_args__ = (Index("ix_job_state_id", "state", "id"),)


class DataChange(Base):
    """The mark of a transaction that wrote what figures are made of; see ``storage.changes``."""

    __tablename__ = "data_change"
    id: Mapped[Key]
    nonce: Mapped[int | None] = mapped_column(BigInteger)
    """Tells marks of one number apart in a database and in a copy of it that has gone on."""
    scope: Mapped[str | None] = mapped_column(Text)
    """Whose journeys changed, as JSON; null: perhaps everybody's."""
