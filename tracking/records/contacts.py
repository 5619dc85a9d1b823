"""Who is this: from a caller's number or a company's name to a contact and its buying company; merging."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from tracking.errors import Conflict, Invalid, NotFound
from tracking.storage import namemarks, phone, vault
from tracking.storage.models import Account, Contact, ContactPoint
from tracking.storage.names import name_key, required
from tracking.storage.vocabulary import PointKind

Point = tuple[PointKind, str]
_Merged = TypeVar("_Merged", Account, Contact)
_OPENED = 20_000
"""So many names at most are opened for one search, the newest first."""


@dataclass(frozen=True, slots=True)
class Clues:
    """What a foreign record says of a buying company and one of its people; all optional.

    ``phone`` is in E.164. Blanks count as nothing said.
    """

    external_id: str | None = None
    company: str | None = None
    domain: str | None = None
    phone: str | None = None
    email: str | None = None
    person: str | None = None
    person_id: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            tidy = required(value, field.name) if value and value.strip() else None
            object.__setattr__(self, field.name, tidy)

    def points(self) -> list[Point]:
        """Return the ways in which the person can be recognised, the most certain first.

        A number comes last: colleagues share their company's.
        """
        given = {
            PointKind.external: self.person_id,
            PointKind.email: self.email and self.email.casefold(),
            PointKind.phone: self.phone,
        }
        return [(kind, value) for kind, value in given.items() if value]


def recognise(session: Session, points: Collection[Point]) -> dict[Point, Contact]:
    """Return the contacts that are known by these points, in one query."""
    by_hash = {
        (kind, known): (kind, value) for kind, value in points for known in vault.lookup_hashes(kind, value)
    }
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
        points=_points(points),
    )
    session.add(contact)
    return contact


def account_for(session: Session, clues: Clues, *, at: datetime) -> Account:
    """Find the buying company that a record speaks of, or add it; what is learnt on the way is kept.

    An id counts more than a name, a name more than a domain, a domain more than a number. A company so
    far known only by a caller's number becomes the one that is named; a number that belongs to another
    named company stays there. A second id or name of a company is kept as a company merged into it, so
    that it is found by either, and the two can be parted.
    """
    points = clues.points()
    known = recognise(session, points)
    people = [known[point] for point in points if point in known]
    by_point = [account_of(session, contact) for contact in people]
    by_id, by_name, account = _look_up(session, clues)
    if account is None and _take_turn(session, clues):
        by_id, by_name, account = _look_up(session, clues)
    if account is None:
        account = next((a for a in by_point if not _contradicts(a, clues)), None)
    if account is None:
        account = Account(created_at=at)
        session.add(account)
    new_id = clues.external_id if by_id is None else None
    new_name = clues.company if by_name is None else None
    if (new_id and account.external_id) or (new_name and account.name):
        session.flush()
        second = Account(external_id=new_id, merged_into_id=account.id, created_at=at)
        if clues.company:
            rename(second, clues.company)
        session.add(second)
    else:
        account.external_id = account.external_id or new_id
        if new_name:
            rename(account, new_name)
    account.domain = account.domain or _domain(clues)
    session.flush()
    for other in filter(None, (*by_point, _find(session, Account.domain, _domain(clues)))):
        if other is not account and other.name is None and other.external_id is None:
            _join(session, other, account)
    if new := [point for point in points if point not in known]:
        contact = next((c for c in people if account_of(session, c) is account), None)
        if contact is not None and _may_be(contact, clues.person):
            contact.points += _points(new)
            contact.name = contact.name or clues.person
        else:
            introduce(session, new, at=at, name=clues.person, account=account)
    session.flush()
    return account


def also_reached(session: Session, account: Account, numbers: Sequence[str], *, at: datetime) -> None:
    """Let a company be known by further telephone numbers, in E.164, that nobody has yet."""
    points = [(PointKind.phone, number) for number in numbers]
    known = recognise(session, points)
    for point in points:
        if point not in known:
            introduce(session, [point], at=at, account=account)
        elif (other := account_of(session, known[point])) is not account and not (
            other.name or other.external_id
        ):
            _join(session, other, account)
    session.flush()


def contact_for(session: Session, clues: Clues, *, at: datetime) -> Contact:
    """Find or add the person a record speaks of; where it names none, the company's unnamed contact."""
    account = account_for(session, clues, at=at)
    known = recognise(session, points := clues.points())
    mine = (c for point in points if (c := known.get(point)) and account_of(session, c) is account)
    return next(mine, None) or unnamed(session, account, at=at, name=clues.person)


def unnamed(session: Session, account: Account, *, at: datetime, name: str | None = None) -> Contact:
    """Find or add the contact that stands for a company's people of whom nothing is known."""
    point = (PointKind.external, f"account {account.id}")
    contact = recognise(session, [point]).get(point)
    if contact is None or account_of(session, contact) is not account:
        contact = introduce(session, [point], at=at, name=name, account=account)
        session.flush()
    return contact


def rename(account: Account, name: str) -> None:
    """Give a buying company its name."""
    account.name = required(name, "name")
    account.name_key = name_key(name)


def may_name(text: str, *, by_number: bool) -> bool:
    """Tell whether names are looked through for a text.

    Who may not see numbers finds nobody by digits alone: a number may stand where a name should.
    """
    return by_number or any(map(str.isalpha, text))


def named_like(text: str, *, by_number: bool = True) -> ColumnElement[bool]:
    """Return whether a company's name begins with a text, as an interval that an index serves."""
    if not may_name(text, by_number=by_number):
        return false()
    key = name_key(text)
    # No name holds the greatest code point, which stands for nothing.
    return and_(Account.name_key >= key, Account.name_key < f"{key}\U0010ffff")


def is_of(column: InstrumentedAttribute[int], text: str, *, by_number: bool = True) -> ColumnElement[bool]:
    """Return whether a company, or one that counts as the same, has a name that begins with a text."""
    return column.in_(families(select(Account.id).where(named_like(text, by_number=by_number))))


def matching(text: str, region: str, *, by_number: bool = True) -> Select[Account]:
    """Return the companies that a text names: by their name's beginning, domain, id elsewhere or a number.

    Who may not see numbers finds nobody ``by_number``: a hit would tell that it is there.
    """
    conditions: list[ColumnElement[bool]] = [
        named_like(text, by_number=by_number),
        Account.domain == text.casefold(),
        Account.external_id == text,
    ]
    if by_number and (e164 := phone.parse(text, region).e164):
        known = (
            select(Contact.account_id)
            .join(ContactPoint)
            .where(
                ContactPoint.kind == PointKind.phone,
                ContactPoint.value_hash.in_(vault.lookup_hashes(PointKind.phone, e164)),
            )
        )
        conditions.append(Account.id.in_(known))
    by_name = (Account.name_key.is_(None), Account.name_key, Account.id)
    return select(Account).where(or_(*conditions)).order_by(*by_name)


def called(session: Session, text: str, *, most: int) -> list[int]:
    """Return up to ``most`` contacts, the newest first, whose name has a text from a word's beginning on."""
    wanted = namemarks.may_hold(Contact.name_marks, text)
    if wanted is None:
        return []
    # Only what the marks leave is opened, and no more of it than takes a moment.
    some = select(Contact.id, Contact.name).where(wanted).order_by(Contact.id.desc()).limit(_OPENED)
    rows = session.execute(some.execution_options(yield_per=1000))
    return [row.id for row in islice((row for row in rows if namemarks.holds(row.name, text)), most)]


def root(session: Session, row: _Merged) -> _Merged:
    """Return the company (or contact) that ``row`` was merged into, or itself."""
    while row.merged_into_id is not None:
        row = session.get_one(type(row), row.merged_into_id)
    return row


def family(session: Session, account: Account) -> list[Account]:
    """Return a company and all that were merged into it, directly or by way of others."""
    found, step = [account], [account.id]
    while step:
        rows = session.scalars(
            select(Account).where(Account.merged_into_id.in_(step)).order_by(Account.id)
        ).all()
        found += rows
        step = [row.id for row in rows]
    return found


def families(wanted: Select[int], kind: type[Account] | type[Contact] = Account) -> Select[int]:
    """Return the query for all companies (or people) that count as the same as some, over any steps."""
    same = select(kind.id, kind.merged_into_id).where(kind.id.in_(wanted)).cte(recursive=True)
    same = same.union(select(kind.id, kind.merged_into_id).join(same, kind.id == same.c.merged_into_id))
    all_of = select(same.c.id).where(same.c.merged_into_id.is_(None)).cte(recursive=True)
    all_of = all_of.union(select(kind.id).join(all_of, kind.merged_into_id == all_of.c.id))
    return select(all_of.c.id)


def same_company(account_id: int) -> Select[int]:
    """Return the query for a company and all that count as the same."""
    return families(select(Account.id).where(Account.id == account_id))


def people_of(companies: Select[int]) -> Select[int]:
    """Return the query for the people who count to some companies, whoever they were merged into or with."""
    there = select(Contact.id).where(Contact.account_id.in_(companies), Contact.merged_into_id.is_(None))
    all_of = there.cte(recursive=True)
    all_of = all_of.union(select(Contact.id).join(all_of, Contact.merged_into_id == all_of.c.id))
    return select(all_of.c.id)


def account_of(session: Session, contact: Contact) -> Account:
    """Return the buying company that a contact counts to, however often either was merged."""
    return root(session, root(session, contact).account)


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
    found = _locked(session, kind, {source_id, target_id})
    for wanted in (source_id, target_id):
        if wanted not in found:
            raise _none(kind, wanted)
    # Whoever merges holds both ends of the new chain, so that two merges at once cannot close a ring;
    # while the end was waited for, it may have become another.
    end = None
    while (at := _end(session, kind, target_id)) != end:
        end = at
        found |= _locked(session, kind, {source_id, target_id, end})
    source = found[source_id]
    if source.merged_into_id is not None:
        raise Conflict(
            "%(one)s is merged into %(other)s; undo that merge first",
            one=source_id,
            other=source.merged_into_id,
        )
    if end == source_id:
        if kind is Account:
            raise Invalid(
                "into", "company %(other)s is already merged into %(one)s", one=source_id, other=target_id
            )
        raise Invalid(
            "into", "contact %(other)s is already merged into %(one)s", one=source_id, other=target_id
        )
    source.merged_into_id = target_id
    session.flush()


def unmerge(session: Session, kind: type[_Merged], source_id: int) -> None:
    """Part what was merged."""
    source = _locked(session, kind, {source_id}).get(source_id)
    if source is None:
        raise _none(kind, source_id)
    if source.merged_into_id is None:
        raise Conflict("%(one)s is not merged", one=source_id)
    source.merged_into_id = None
    session.flush()


def _none(kind: type[_Merged], number: int) -> NotFound:
    if kind is Account:
        return NotFound("company %(number)s not found", number=number)
    return NotFound("contact %(number)s not found", number=number)


def _merged_ids(kind: type[_Merged]) -> Select[*tuple[Any, ...]]:
    return select(kind.id, kind.merged_into_id).where(kind.merged_into_id.is_not(None))


def _locked(session: Session, kind: type[_Merged], ids: set[int]) -> dict[int, _Merged]:
    # In the order of ids, so that two who lock the same rows do not wait for each other; read anew, since
    # the session may hold them as they were before the wait.
    rows = select(kind).where(kind.id.in_(ids)).order_by(kind.id).with_for_update()
    return {row.id: row for row in session.scalars(rows.execution_options(populate_existing=True))}


def _end(session: Session, kind: type[_Merged], start: int) -> int:
    """Return the id at the end of a chain as the database has it now, whatever the session remembers."""
    into = start
    while (step := session.scalar(select(kind.merged_into_id).where(kind.id == into))) is not None:
        into = step
    return into


def _join(session: Session, nameless: Account, account: Account) -> None:
    try:
        merge(session, Account, nameless.id, account.id)
    except (Conflict, Invalid):
        # Somebody merged it in the meantime: it has found its company.
        return


def _take_turn(session: Session, clues: Clues) -> bool:
    """Wait for whoever is adding a company of this name or domain, and tell whether to look again.

    Neither is unique, so no key keeps two records that name a new company at one moment from adding it
    twice. SQLite lets in one writer at a time anyway.
    """
    named = [clue for clue in (name_key(clues.company or ""), _domain(clues)) if clue]
    if not named or session.get_bind().dialect.name != "postgresql":
        return False
    for clue in named:
        key = int(vault.mark("company", clue)[:15], 16)
        session.execute(select(func.pg_advisory_xact_lock(key)))
    return True


def _look_up(session: Session, clues: Clues) -> tuple[Account | None, Account | None, Account | None]:
    """Return the company of this id, the one of this name, and of all clues the one that counts most."""
    by_id = _find(session, Account.external_id, clues.external_id)
    by_name = _find(session, Account.name_key, name_key(clues.company or ""))
    return by_id, by_name, by_id or by_name or _find(session, Account.domain, _domain(clues))


def _find(session: Session, column: InstrumentedAttribute[str | None], value: str | None) -> Account | None:
    if not value:
        return None
    found = session.scalar(select(Account).where(column == value).order_by(Account.id).limit(1))
    return found and root(session, found)


def _domain(clues: Clues) -> str | None:
    return clues.domain and clues.domain.casefold()


def _contradicts(account: Account, clues: Clues) -> bool:
    other_id = clues.external_id and account.external_id and account.external_id != clues.external_id
    other_name = clues.company and account.name and account.name_key != name_key(clues.company)
    return bool(other_id or other_name)


def _may_be(contact: Contact, person: str | None) -> bool:
    return not person or not contact.name or name_key(contact.name) == name_key(person)


def _points(points: Collection[Point]) -> list[ContactPoint]:
    return [
        ContactPoint(kind=kind, value=value, value_hash=vault.lookup_hash(kind, value))
        for kind, value in points
    ]
