"""Accounts (buying companies) and contacts (their people) in the API: named, merged and parted."""

from datetime import datetime

from pydantic import Field
from sqlalchemy import false, select
from sqlalchemy.orm import selectinload

from tracking.access.tokens import Scope
from tracking.api import access
from tracking.api.forms import (
    Body,
    BodyId,
    ById,
    Id,
    Line,
    Listing,
    Page,
    Shown,
    one,
    page,
)
from tracking.api.problems import pointing_at
from tracking.api.routes import Context, Section
from tracking.records import contacts
from tracking.storage import phone
from tracking.storage.models import Account, Contact
from tracking.storage.names import name_key
from tracking.storage.vocabulary import PointKind

routes = Section("accounts and contacts", "Buying companies and the people at them.", write=Scope.write_deals)


class AccountQuery(Listing):
    """Which accounts."""

    name: Line | None = Field(None, description="Compared without regard to case and spacing.")
    merged: bool | None = Field(None, description="Those that count as another (true) or do not (false).")


class ContactQuery(Listing):
    """Which contacts."""

    account_id: Id | None = Field(None, description="Of this account and all that count as the same.")
    merged: bool | None = Field(None, description="Those that count as another (true) or do not (false).")


class Name(Body):
    """A name to give."""

    name: Line


class Into(Body):
    """Which one it turned out to be."""

    into: BodyId


class ShownAccount(Shown):
    """A buying company; so far unnamed where only calls are known of it."""

    id: int
    name: str | None
    external_id: str | None
    domain: str | None
    industry: str | None
    region: str | None
    merged_into_id: int | None = Field(description="The account that this one counts as.")
    created_at: datetime


class ShownPoint(Shown):
    """A way to recognise a contact; shown in part unless the token has read:personal."""

    kind: PointKind
    value: str | None


class ShownContact(Shown):
    """A person at a buying company."""

    id: int
    account_id: int
    name: str | None
    points: list[ShownPoint]
    merged_into_id: int | None = Field(description="The contact that this one counts as.")
    created_at: datetime


@routes.get("/accounts")
def list_accounts(context: Context, query: AccountQuery) -> Page[ShownAccount]:
    """List buying companies."""
    rows = select(Account).order_by(Account.id)
    if query.name is not None:
        may = contacts.may_name(query.name, by_number=access.shows_in_full())
        rows = rows.where(Account.name_key == name_key(query.name) if may else false())
    if query.merged is not None:
        rows = rows.where(Account.merged_into_id.is_not(None) == query.merged)
    return page(context.session, rows, query, _show_account)


@routes.get("/accounts/<int:id>")
def get_account(context: Context, path: ById) -> ShownAccount:
    """Show a buying company."""
    return _show_account(one(context.session, Account, path.id))


@routes.change("/accounts/<int:id>")
def name_account(context: Context, path: ById, body: Name) -> ShownAccount:
    """Give a buying company its name."""
    row = one(context.session, Account, path.id)
    contacts.rename(row, body.name)
    context.session.flush()
    return _show_account(row)


@routes.post("/accounts/<int:id>/merge", status=200)
def merge_account(context: Context, path: ById, body: Into) -> ShownAccount:
    """Let a buying company count as another from now on; nothing is rewritten."""
    row = one(context.session, Account, path.id)
    with pointing_at("into"):
        contacts.merge(context.session, Account, path.id, body.into)
    return _show_account(row)


@routes.post("/accounts/<int:id>/unmerge", status=200)
def unmerge_account(context: Context, path: ById) -> ShownAccount:
    """Part a buying company from the one it was merged into."""
    row = one(context.session, Account, path.id)
    contacts.unmerge(context.session, Account, path.id)
    return _show_account(row)


@routes.get("/contacts")
def list_contacts(context: Context, query: ContactQuery) -> Page[ShownContact]:
    """List contacts."""
    rows = select(Contact).order_by(Contact.id).options(selectinload(Contact.points))
    if query.account_id is not None:
        people = contacts.people_of(contacts.same_company(query.account_id))
        rows = rows.where(Contact.id.in_(people))
    if query.merged is not None:
        rows = rows.where(Contact.merged_into_id.is_not(None) == query.merged)
    return page(context.session, rows, query, _show_contact)


@routes.get("/contacts/<int:id>")
def get_contact(context: Context, path: ById) -> ShownContact:
    """Show a contact."""
    return _show_contact(one(context.session, Contact, path.id))


@routes.change("/contacts/<int:id>")
def name_contact(context: Context, path: ById, body: Name) -> ShownContact:
    """Give a contact a name."""
    row = one(context.session, Contact, path.id)
    row.name = body.name
    context.session.flush()
    return _show_contact(row)


@routes.post("/contacts/<int:id>/merge", status=200)
def merge_contact(context: Context, path: ById, body: Into) -> ShownContact:
    """Let a contact count as another from now on; nothing is rewritten."""
    row = one(context.session, Contact, path.id)
    with pointing_at("into"):
        contacts.merge(context.session, Contact, path.id, body.into)
    return _show_contact(row)


@routes.post("/contacts/<int:id>/unmerge", status=200)
def unmerge_contact(context: Context, path: ById) -> ShownContact:
    """Part a contact from the one it was merged into."""
    row = one(context.session, Contact, path.id)
    contacts.unmerge(context.session, Contact, path.id)
    return _show_contact(row)


def _show_account(row: Account) -> ShownAccount:
    shown, name = ShownAccount.model_validate(row), phone.without_number(row.name)
    return shown if access.shows_in_full(name != row.name) else shown.model_copy(update={"name": name})


def _show_contact(row: Contact) -> ShownContact:
    shown = ShownContact.model_validate(row)
    if access.shows_in_full(*(p.value for p in shown.points if p.kind is not PointKind.external)):
        return shown
    points = [
        # A foreign id says nothing outside the system that gave it.
        point
        if point.kind is PointKind.external
        else point.model_copy(update={"value": phone.partly(point.value)})
        for point in shown.points
    ]
    return shown.model_copy(update={"name": phone.without_number(row.name), "points": points})
