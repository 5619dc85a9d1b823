"""Who works here, who did what, and what is stored for whom."""

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
)
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracking.storage.column_types import Said, Sealed, SealedList, SealedSaid
from tracking.storage.vocabulary import Base, Hash, JobState, Key, Name, Role


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
