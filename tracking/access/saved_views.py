"""Saved views: a page with its filters under a name, a user's own or shared with all."""

from urllib.parse import parse_qs, urlsplit

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from tracking.errors import Conflict, Invalid, NotFound
from tracking.storage import phone
from tracking.storage.models import SavedView
from tracking.storage.names import required

_LONGEST = 2000


def save(session: Session, user_id: int, name: str, path: str, *, shared: bool) -> SavedView:
    """Keep an address of this service under a name; the same name again means the new address."""
    name = required(name, "name")
    if not path.startswith("/") or path.startswith(("//", "/\\")) or not path.isprintable():
        raise Invalid(
            "path", "%(path)r is not a page here; save the view from the report itself", path=path[:80]
        )
    if len(path) > _LONGEST:
        raise Invalid(
            "path",
            "too many filters (%(length)s characters, at most %(most)s); choose fewer",
            length=len(path),
            most=_LONGEST,
        )
    row = session.scalar(select(SavedView).where(SavedView.user_id == user_id, SavedView.name == name))
    if row is None:
        row = SavedView(user_id=user_id, name=name)
        session.add(row)
    row.path, row.shared = path, shared
    session.flush()
    return row


def keep(session: Session, user_id: int, path: str) -> None:
    """Keep what a user has chosen for the ROI page, in place of what was chosen before; it has no name."""
    row = session.scalar(select(SavedView).where(SavedView.user_id == user_id, SavedView.name == ""))
    if row is None:
        row = SavedView(user_id=user_id, name="")
        session.add(row)
    row.path = path[:_LONGEST]
    session.flush()


def kept(session: Session, user_id: int) -> str:
    """Return what a user has chosen for the ROI page; "" where nothing."""
    return (
        session.scalar(select(SavedView.path).where(SavedView.user_id == user_id, SavedView.name == "")) or ""
    )


def visible(session: Session, user_id: int, prefix: str = "/", *, by_number: bool = True) -> list[SavedView]:
    """Return a user's own views and those shared by others, of pages whose address begins so, by name.

    Who may not see numbers gets none of others that looks for one ``by_number``.
    """
    query = (
        select(SavedView)
        .where(or_(SavedView.user_id == user_id, SavedView.shared))
        .where(SavedView.path.startswith(prefix, autoescape=True), SavedView.name != "")
        .options(joinedload(SavedView.user))
        .order_by(SavedView.name, SavedView.id)
    )
    return [
        row
        for row in session.scalars(query)
        if by_number or row.user_id == user_id or not _looks_for_number(row.path)
    ]


def _looks_for_number(path: str) -> bool:
    return any(phone.without_number(told) != told for told in parse_qs(urlsplit(path).query).get("q", ()))


def remove(session: Session, number: int, *, user_id: int, any_owner: bool) -> SavedView:
    """Delete a view; only its owner may, or somebody who may delete any."""
    row = session.get(SavedView, number)
    if row is None or (row.user_id != user_id and not row.shared and not any_owner):
        raise NotFound("view %(number)s not found; it may have been deleted", number=number)
    if row.user_id != user_id and not any_owner:
        raise Conflict("the view %(name)r belongs to someone else; ask its owner to delete it", name=row.name)
    session.delete(row)
    session.flush()
    return row
