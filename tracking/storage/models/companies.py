"""Who buys: companies, their people and how to reach them, and deals."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from tracking.storage import namemarks
from tracking.storage.column_types import Sealed
from tracking.storage.names import folded_id
from tracking.storage.vocabulary import (
    Base,
    CurrencyCode,
    Hash,
    Imported,
    Key,
    MatchedName,
    Minor,
    Name,
    PointKind,
    Stage,
)


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
