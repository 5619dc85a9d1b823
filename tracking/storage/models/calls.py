"""What happened: what providers report, calls and who takes them, touches and answers."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracking.storage.column_types import Sealed, SealedMapping
from tracking.storage.models.campaigns import AdMaterial, Campaign, NumberAssignment, TrackingNumber
from tracking.storage.models.companies import Contact, Deal
from tracking.storage.models.office import User
from tracking.storage.phone import NumberState
from tracking.storage.vocabulary import (
    Base,
    CallStatus,
    Certainty,
    CurrencyCode,
    Hash,
    Imported,
    Key,
    LeadStatus,
    Minor,
    Name,
    Outcome,
    PointKind,
    TouchKind,
)


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
    deal: Mapped[Deal | None] = relationship()
    campaign: Mapped[Campaign | None] = relationship()
    __table_args__ = (
        CheckConstraint(
            "outcome = 'answered' OR (campaign_id IS NULL AND channel IS NULL)", "only_answers_name_a_source"
        ),
    )


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
