"""The tables of the supplier's own office: who works here, who did what, what is kept for whom."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracking.db import Said
from tracking.vocabulary import Base, Hash, JobState, Key, Name, Role


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
    password: Mapped[str | None] = mapped_column(String(255))
    """An argon2id hash; null until the first one is chosen."""
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)
    """What a session names; a new one ends all sessions of the user."""
    tf_primary_method: Mapped[str | None] = mapped_column(String(64))
    tf_totp_secret: Mapped[str | None] = mapped_column(String(255))
    """Encrypted with a key outside the database."""
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(MutableList.as_mutable(JSON()))
    created_at: Mapped[datetime]
    last_login_at: Mapped[datetime | None]
    current_login_at: Mapped[datetime | None]
    last_login_ip: Mapped[str | None] = mapped_column(String(64))
    current_login_ip: Mapped[str | None] = mapped_column(String(64))
    login_count: Mapped[int] = mapped_column(default=0)


class FailedSignIn(Base):
    """A sign-in that was refused, kept as long as it may lead to a pause."""

    __tablename__ = "failed_sign_in"
    id: Mapped[Key]
    email_hash: Mapped[Hash]
    at: Mapped[datetime]
    __table_args__ = (Index("ix_failed_sign_in_email_time", "email_hash", "at"),)


class AuditEntry(Base):
    """Who changed what and when; written with the change itself, and never changed."""

    __tablename__ = "audit_entry"
    id: Mapped[Key]
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[Name] = mapped_column(index=True)
    """The e-mail address of a user, "token NAME", or "terminal"."""
    action: Mapped[Name]
    subject: Mapped[str] = mapped_column(Text, default="")


class CallDesk(Base):
    """Who has the form of a call open, so that two reps who log one call see each other."""

    __tablename__ = "call_desk"
    id: Mapped[Key]
    call_id: Mapped[int] = mapped_column(ForeignKey("call.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    seen_at: Mapped[datetime]
    user: Mapped[User] = relationship()
    __table_args__ = (UniqueConstraint("call_id", "user_id"),)


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
    label: Mapped[str] = mapped_column(Said())
    """What it is, for people."""
    arguments: Mapped[dict[str, Any]]
    state: Mapped[JobState] = mapped_column(default=JobState.waiting)
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    result: Mapped[dict[str, Any] | None]
    error: Mapped[str | None] = mapped_column(Said())
    created_by: Mapped[Name]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    """When its worker last said that it was alive; one that has fallen silent is taken up again."""
    finished_at: Mapped[datetime | None]
    __table_args__ = (Index("ix_job_state_id", "state", "id"),)


class DataChange(Base):
    """A row for each transaction that wrote: what was computed from the data tells by it that it is stale.

    A counter in one row would make all writers wait for each other; rows of their own do not. How many
    there are counts too, since the one with the lower number may be committed later.
    """

    __tablename__ = "data_change"
    id: Mapped[Key]
