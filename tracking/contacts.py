"""Who is this: from a caller's number or a company's name to a contact and its buying company; merging."""

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session, joinedload

from tracking import vault
from tracking.errors import Conflict, Invalid, NotFound
from tracking.models import Account, Contact, ContactPoint
from tracking.vocabulary import PointKind

Point = tuple[PointKind, str]
_Merged = TypeVar("_Merged", Account, Contact)


@dataclass(frozen=True, slots=True)
class Clues:
    """What a foreign record says of a buying company and one of its people; all optional."""

    external_id: str | None = None
    company: str | None = None
    domain: str | None = None
    phone: str | None = None
    email: str | None = None
    person: str | None = None
    person_id: str | None = None

    def points(self) -> list[Point]:
        """Return the ways in which the person can be recognised."""
        given = {
            PointKind.phone: self.phone,
            PointKind.email: self.email and self.email.strip().casefold(),
            PointKind.external: self.person_id,
        }
        return [(kind, value) for kind, value in given.items() if value]


def recognise(session: Session, points: Collection[Point]) -> dict[Point, Contact]:
    """Return the contacts that are known by these points, in one query."""
    by_hash = {(kind, vault.lookup_hash(kind, value)): (kind, value) for kind, value in points}
    if not by_hash:
        return {}
    rows = session.scalars(
        select(ContactPoint)
        .where(tuple_(ContactPoint.kind, ContactPoint.value_hash).in_(list(by_hash)))
        .options(joinedload(ContactPoint.contact).joinedload(Contact.account))
    )
    return {by_hash[row.kind, row.value_hash]: row.contact for row in rows}


def introduce(
    session: Session,
    points: Collection[Point],
    *,
    at: datetime,
    name: str | None = None,
    account: Account | None = None,
) -> Contact:
    """Add a contact; without ``account`` it gets a buying company of its own, to be named or merged later."""
    contact = Contact(
        name=name,
        account=account or Account(created_at=at),
        created_at=at,
        points=[
            ContactPoint(kind=kind, value=value, value_hash=vault.lookup_hash(kind, value))
            for kind, value in points
        ],
    )
    session.add(contact)
    return contact


def account_for(session: Session, clues: Clues, *, at: datetime) -> Account:
    """Find the buying company that a record speaks of, or add it; what is learnt on the way is kept.

    An id counts more than a name, a name more than a number. A company so far known only by a caller's
    number becomes the one that is named; a number that belongs to another named company stays there.
    """
    points = clues.points()
    known = recognise(session, points)
    by_point = [root(session, contact.account) for contact in known.values()]
    account = _by_id(session, clues.external_id) or _by_name(session, clues.company)
    account = account or _by_domain(session, clues.domain)
    nameless = clues.company is None and clues.external_id is None
    if account is None:
        account = next((a for a in by_point if nameless or a.name is None), None)
    if account is None:
        account = Account(created_at=at)
        session.add(account)
    account.external_id = account.external_id or clues.external_id
    if account.name is None and clues.company:
        rename(account, clues.company)
    account.domain = account.domain or (clues.domain and clues.domain.casefold())
    session.flush()
    for other in by_point:
        if other is not account and other.name is None and other.external_id is None:
            other.merged_into_id = account.id
    if new := [point for point in points if point not in known]:
        contact = next(iter(known.values()), None)
        if contact is not None and root(session, contact.account) is account:
            contact.points += [
                ContactPoint(kind=kind, value=value, value_hash=vault.lookup_hash(kind, value))
                for kind, value in new
            ]
            contact.name = contact.name or clues.person
        else:
            introduce(session, new, at=at, name=clues.person, account=account)
    session.flush()
    return account


def contact_for(session: Session, clues: Clues, *, at: datetime) -> Contact:
    """Find or add the person a record speaks of; where it names none, the company's unnamed contact."""
    account = account_for(session, clues, at=at)
    points = clues.points() or [(PointKind.external, f"account {account.id}")]
    known = recognise(session, points)
    for point in points:
        if (contact := known.get(point)) and root(session, contact.account) is account:
            return contact
    contact = introduce(
        session, [p for p in points if p not in known], at=at, name=clues.person, account=account
    )
    session.flush()
    return contact


def rename(account: Account, name: str) -> None:
    """Give a buying company its name."""
    account.name = " ".join(name.split())[:200]
    account.name_key = name_key(name)


def name_key(name: str) -> str:
    """Return a company's name as it is matched: compatibility forms, case and spacing folded."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())[:200]


def root(session: Session, account: Account) -> Account:
    """Return the company that ``account`` was merged into, or itself."""
    while account.merged_into_id is not None:
        account = session.get_one(Account, account.merged_into_id)
    return account


def roots(session: Session, kind: type[_Merged]) -> Mapping[int, int]:
    """Return for each merged account (or contact) the one it counts as; others count as themselves."""
    step = {row.id: row.merged_into_id for row in session.execute(_merged_ids(kind))}
    end: dict[int, int] = {}
    for start in step:
        at = start
        while at in step:
            at = step[at]
        end[start] = at
    return end


def merge(session: Session, kind: type[_Merged], source_id: int, target_id: int) -> None:
    """Let one account (or contact) count as another from now on; nothing else is rewritten."""
    # Both chains are locked in a fixed order, so that two merges at once cannot close a ring.
    rows = session.scalars(
        select(kind).where(kind.id.in_([source_id, target_id])).order_by(kind.id).with_for_update()
    )
    found = {row.id: row for row in rows}
    for wanted in (source_id, target_id):
        if wanted not in found:
            raise NotFound(f"there is no {kind.__tablename__} {wanted}")
    source = found[source_id]
    if source.merged_into_id is not None:
        raise Conflict(
            f"{kind.__tablename__} {source_id} is merged into {source.merged_into_id}; part them first"
        )
    if roots(session, kind).get(target_id, target_id) == source_id:
        raise Invalid("into", f"{kind.__tablename__} {target_id} counts as {source_id} itself")
    source.merged_into_id = target_id
    session.flush()


def unmerge(session: Session, kind: type[_Merged], source_id: int) -> None:
    """Part what was merged."""
    source = session.get(kind, source_id)
    if source is None:
        raise NotFound(f"there is no {kind.__tablename__} {source_id}")
    if source.merged_into_id is None:
        raise Conflict(f"{kind.__tablename__} {source_id} is not merged")
    source.merged_into_id = None
    session.flush()


def _merged_ids(kind: type[_Merged]) -> Select[*tuple[Any, ...]]:
    return select(kind.id, kind.merged_into_id).where(kind.merged_into_id.is_not(None))


def _by_id(session: Session, external_id: str | None) -> Account | None:
    if not external_id:
        return None
    found = session.scalar(select(Account).where(Account.external_id == external_id))
    return found and root(session, found)


def _by_name(session: Session, company: str | None) -> Account | None:
    if not company or not name_key(company):
        return None
    named = select(Account).where(Account.name_key == name_key(company)).order_by(Account.id).limit(1)
    found = session.scalar(named)
    return found and root(session, found)


def _by_domain(session: Session, domain: str | None) -> Account | None:
    if not domain:
        return None
    found = session.scalar(
        select(Account).where(Account.domain == domain.casefold()).order_by(Account.id).limit(1)
    )
    return found and root(session, found)
