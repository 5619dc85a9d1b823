"""What each transaction changed of the records behind the figures, so that only that is worked out anew.

A mark is written with the change itself: whose journeys it touches, by contact or account, or that it may
touch all. Marks are rows of their own, since a counter in one row would make all writers wait for each other.
"""

import json
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from sqlalchemy import event, inspect, text
from sqlalchemy.orm import ORMExecuteState, Session
from sqlalchemy.orm.attributes import History

# Of each table, what figures are made of; other columns, such as a call's note, leave all figures alone.
_COLUMNS = {
    "account": {"merged_into_id"},
    "ad_material": {"name", "campaign_id"},
    "answer": {"contact_id", "call_id", "asked_at", "outcome", "campaign_id", "channel", "corrects_id"},
    "call": {"contact_id", "started_at", "status", "duration_s", "talk_s", "lead_status", "spam"},
    "campaign": {"name", "channel"},
    "contact": {"account_id", "merged_into_id"},
    "cost": {"campaign_id", "period_start", "period_end", "amount_minor", "currency", "category", "direct"},
    "deal": {
        "account_id", "stage", "amount_minor", "margin_minor", "currency",
        "lead_at", "qualified_at", "opportunity_at", "closed_at",
    },
    "exchange_rate": {"currency", "day", "rate"},
    "touch": {"contact_id", "occurred_at", "kind", "campaign_id", "ad_material_id", "channel", "call_id"},
    "visit_count": {"day", "campaign_id", "channel", "visits"},
}  # fmt: skip
# A new row of these changes no journey before other rows point to it.
_POINTED_TO = frozenset({"account", "ad_material", "campaign", "contact"})
BY_CONTACT = frozenset({"answer", "call", "touch"})
WITHOUT_MARK = frozenset({"account", "contact", "contact_point"})
"""Tables whose new rows change no journey before others point to them."""
_SMALL = frozenset({"cost", "exchange_rate", "visit_count"})
NOTED = "changes_noted"
"""Execution option of a statement whose changes its author notes, since they cannot be told from it."""
# So many marks tell one state of the data from the next for weeks of a busy installation, in a megabyte.
_MARKS = 10_000
# A transaction with a lower number may be committed after one with a higher, but not after so many.
_LATE = 1000
_NEWEST = "FROM data_change WHERE id > (SELECT max(id) FROM data_change) - :late"
_MARK = text("INSERT INTO data_change (nonce, scope) VALUES (:nonce, :scope) RETURNING id")
# Past this a change is no smaller than the whole.
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Change:
    """Whose journeys have changed, and which of the tables that belong to nobody."""

    contacts: frozenset[int] = frozenset()
    accounts: frozenset[int] = frozenset()
    tables: frozenset[str] = frozenset()
    """Names out of cost, exchange_rate and visit_count."""
    everything: bool = False

    def __or__(self, other: Self) -> "Change":
        """Return both changes as one."""
        return Change(
            self.contacts | other.contacts,
            self.accounts | other.accounts,
            self.tables | other.tables,
            self.everything or other.everything,
        )


@dataclass(frozen=True, slots=True)
class Marks:
    """Up to where changes are known: the newest marks that were there, each by its number and its nonce."""

    recent: frozenset[tuple[int, int | None]] = frozenset()

    @property
    def newest(self) -> int:
        """Return the number of the newest; 0 where there is none."""
        return max((number for number, _ in self.recent), default=0)


@dataclass(slots=True)
class _Noting:
    contacts: set[int] = field(default_factory=set)
    accounts: set[int] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    everything: bool = False

    def scope(self) -> str | None:
        if self.everything or len(self.contacts) + len(self.accounts) > _MOST:
            return None
        parts: dict[str, Iterable[Any]] = {
            "contacts": sorted(self.contacts),
            "accounts": sorted(self.accounts),
            "tables": sorted(self.tables),
        }
        return json.dumps({name: part for name, part in parts.items() if part}, separators=(",", ":"))


def note(
    session: Session,
    *,
    contacts: Collection[int] = (),
    accounts: Collection[int] = (),
    tables: Collection[str] = (),
) -> None:
    """Note what the statements of this transaction change that carry the option :data:`NOTED`."""
    noting = _noting(session)
    noting.contacts |= set(contacts)
    noting.accounts |= set(accounts)
    noting.tables |= set(tables)


def marks(session: Session) -> Marks:
    """Return how far the changes that this session sees go."""
    rows = session.execute(text(f"SELECT id, nonce {_NEWEST}"), {"late": _LATE}).all()
    return Marks(frozenset((row.id, row.nonce) for row in rows))


def now_at(session: Session) -> tuple[int, int]:
    """Return what differs whenever marks have come: the newest, and how many there are just before it."""
    newest, count = session.execute(text(f"SELECT max(id), count(*) {_NEWEST}"), {"late": _LATE}).one()
    return newest or 0, count


def since(session: Session, known: Marks) -> tuple[Change, Marks]:
    """Return what has changed since some marks were read, and the marks as they are.

    Everything has, as far as can be told, where the marks in between are gone or the database is another
    one: one that was restored from a copy, say, and has gone on from there.
    """
    newest = known.newest
    if now_at(session) == (newest, len(known.recent)):
        return Change(), known
    now = marks(session)
    rows = session.execute(
        text("SELECT id, nonce, scope FROM data_change WHERE id > :oldest"), {"oldest": newest - _LATE}
    ).all()
    seen = {(row.id, row.nonce): row.scope for row in rows}
    if known.recent and not any(mark in seen for mark in known.recent if mark[0] == newest):
        return Change(everything=True), now
    change = Change()
    for mark, scope in seen.items():
        if mark not in known.recent:
            change |= _read(scope)
    return change, now


def is_older(session: Session, known: Marks) -> bool:
    """Tell whether a session began to read before some marks were read that this process has seen."""
    number, _ = now_at(session)
    if not 0 < number < known.newest:
        return False
    reach = known.newest - _LATE
    return {mark for mark in marks(session).recent if mark[0] > reach} <= known.recent


def _read(scope: str | None) -> Change:
    if scope is None:
        return Change(everything=True)
    parts = json.loads(scope)
    contacts, accounts, tables = (frozenset(parts.get(n, ())) for n in ("contacts", "accounts", "tables"))
    return Change(contacts, accounts, tables)


def _noting(session: Session) -> _Noting:
    found = session.info.get("noting")
    if found is None:
        found = session.info["noting"] = _Noting()
    assert isinstance(found, _Noting)
    return found


def _flushed(session: Session, _context: object) -> None:
    for rows, is_new in ((session.new, True), (session.dirty, False), (session.deleted, False)):
        for row in rows:
            table = getattr(row, "__tablename__", None)
            if table in _COLUMNS:
                _note_row(_noting(session), row, table, is_new=is_new, is_deleted=rows is session.deleted)


def _note_row(noting: _Noting, row: Any, table: str, *, is_new: bool, is_deleted: bool) -> None:
    attributes = inspect(row).attrs

    def history(name: str) -> History:
        found: History = attributes[name].history
        return found

    def ids(name: str) -> set[int]:
        # What a row pointed to before counts too: its journey has lost something.
        values = [getattr(row, name), *history(name).deleted]
        return {value for value in values if value is not None}

    if is_new and table in _POINTED_TO:
        return
    if not (is_new or is_deleted or any(history(name).has_changes() for name in _COLUMNS[table])):
        return
    if table in BY_CONTACT:
        noting.contacts |= ids("contact_id")
    elif table == "contact":
        noting.contacts |= {row.id} | ids("merged_into_id")
        noting.accounts |= ids("account_id")
    elif table == "deal":
        noting.accounts |= ids("account_id")
    elif table == "account":
        noting.accounts |= {row.id} | ids("merged_into_id")
    elif table in _SMALL:
        noting.tables.add(table)
    else:
        noting.everything = True


def _executed(state: ORMExecuteState) -> None:
    if not (state.is_insert or state.is_update or state.is_delete):
        return
    table = getattr(getattr(state.statement, "table", None), "name", None)
    if table not in _COLUMNS:
        return
    noting = _noting(state.session)
    if state.execution_options.get(NOTED) or (state.is_insert and table in _POINTED_TO):
        return
    given: Any = state.parameters
    rows: list[dict[str, Any]] = given if isinstance(given, list) else [given or {}]
    if state.is_insert and table in BY_CONTACT and all("contact_id" in row for row in rows):
        noting.contacts |= {row["contact_id"] for row in rows}
    else:
        noting.everything = True


def _rolled_back(session: Session) -> None:
    session.info.pop("noting", None)


def _mark(session: Session) -> None:
    session.flush()
    noting = session.info.pop("noting", None)
    if noting is None:
        return
    values = {"nonce": secrets.randbits(62), "scope": noting.scope()}
    mark = session.connection().execute(_MARK, values).scalar_one()
    if mark % _LATE == 0:
        session.execute(text("DELETE FROM data_change WHERE id <= :old"), {"old": mark - _MARKS})


def watch(sessions: type[Session]) -> None:
    """Let every transaction of such sessions leave its mark."""
    event.listen(sessions, "after_flush", _flushed)
    event.listen(sessions, "do_orm_execute", _executed)
    event.listen(sessions, "after_rollback", _rolled_back)
    event.listen(sessions, "before_commit", _mark)
