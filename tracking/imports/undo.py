"""Undoing an import: what it made goes, what it changed comes back, unless something has changed it since."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Engine, Select, Table, and_, delete, exists, or_, select, text, update
from sqlalchemy.orm import Session

from tracking.errors import Conflict, NotFound
from tracking.imports.outcomes import Result
from tracking.storage import db, origins
from tracking.storage.models import (
    Account,
    AdMaterial,
    Answer,
    Call,
    CallDesk,
    CallHolder,
    Campaign,
    Contact,
    ContactPoint,
    Cost,
    Deal,
    Experiment,
    ImportChange,
    ImportHold,
    ImportRun,
    SourceRule,
    Touch,
    VisitCount,
    Visitor,
    WebForm,
    WebVisit,
)
from tracking.storage.vocabulary import Base, PointKind

KEPT = timedelta(days=30)
"""So long an import can be undone; what that needs is thrown away after that."""
_NAMED = 50
"""Rows that stay and are named one by one."""
_MANY = 500

# What an import makes, in the order in which it goes: nothing that stays may point to what has gone.
_MADE: tuple[type[Base], ...] = (
    Answer, Touch, Call, Deal, Cost, VisitCount, ContactPoint, Contact, Account, Campaign,
)  # fmt: skip
_BY_NAME = {table.__tablename__: table for table in _MADE}
# Which column of which table points to which.
_POINTERS: tuple[tuple[type[Base], str, type[Base]], ...] = (
    (Answer, "call_id", Call),
    (Answer, "contact_id", Contact),
    (Answer, "campaign_id", Campaign),
    (Answer, "corrects_id", Answer),
    (Answer, "deal_id", Deal),
    (Touch, "call_id", Call),
    (Touch, "contact_id", Contact),
    (Touch, "campaign_id", Campaign),
    (Call, "contact_id", Contact),
    (Deal, "account_id", Account),
    (Cost, "campaign_id", Campaign),
    (ContactPoint, "contact_id", Contact),
    (Contact, "merged_into_id", Contact),
    (Contact, "account_id", Account),
    (Account, "merged_into_id", Account),
    (AdMaterial, "campaign_id", Campaign),
    (VisitCount, "campaign_id", Campaign),
    (SourceRule, "campaign_id", Campaign),
    (Experiment, "campaign_id", Campaign),
    (WebVisit, "campaign_id", Campaign),
    (CallHolder, "campaign_id", Campaign),
    (CallHolder, "runner_up_campaign_id", Campaign),
    (Visitor, "contact_id", Contact),
    (WebForm, "contact_id", Contact),
)
# What is a part of what: it stays with it.
_PARTS = ((Touch, "call_id", Call), (Answer, "call_id", Call), (ContactPoint, "contact_id", Contact))

_Rows = dict[type[Base], set[int]]
_COUNTS = ("created", "updated", "skipped", "refused")


class Record(Protocol):
    """Puts on record what an import has done so far."""

    def __call__(self, session: Session, more: Mapping[str, int] = ...) -> None:
        """Write the result's counts, and ``more`` than it has yet."""


@dataclass(frozen=True, slots=True)
class Stay:
    """A row that stays as it is: of which table, what it is, and why."""

    table: str
    name: str
    why: str
    """edited, imported, needed or value: see :data:`tracking.language.words`."""


@dataclass(slots=True)
class Plan:
    """What undoing an import would do."""

    run: ImportRun
    going: dict[str, int] = field(default_factory=dict)
    """Rows that go, by table."""
    restored: dict[str, int] = field(default_factory=dict)
    """Rows whose former values come back, by table."""
    staying: dict[str, int] = field(default_factory=dict)
    named: list[Stay] = field(default_factory=list)
    """The first of those that stay."""


@contextmanager
def recording(where: Engine | Session, result: Result, at: datetime) -> Iterator[Record]:
    """Put an import on record, let all that is written meanwhile come from it, and hand out what counts it.

    In a session it is a part of its transaction; on an engine it is known before the first row is written,
    so that one that broke off can be undone too.
    """
    run = ImportRun(
        kind=result.kind,
        file_name=result.file[:200],
        finished_at=at,
        created=0,
        updated=0,
        skipped=0,
        refused=0,
    )

    def begin(session: Session) -> None:
        _forget_old(session, at)
        session.add(run)
        session.flush()

    def count(session: Session, more: Mapping[str, int] = MappingProxyType({})) -> None:
        counts = {name: getattr(result, name) + more.get(name, 0) for name in _COUNTS}
        # By the table: nothing else of the session is flushed for it.
        rows = _table(ImportRun)
        session.execute(update(rows).where(rows.c.id == run.id).values(**counts))

    if isinstance(where, Session):
        begin(where)
    else:
        db.commit(where, begin)
    result.run_id = run.id
    with origins.of(run.id):
        yield count


def can_be_undone(run: ImportRun, at: datetime) -> bool:
    """Tell whether an import is young enough, of a kind that can be undone, and has not been."""
    return run.undone_at is None and run.kind != "supplier" and run.finished_at > at - KEPT


def plan(session: Session, run_id: int, *, at: datetime) -> Plan:
    """Say what would go, what would come back and what would stay; nothing is written."""
    run = session.get(ImportRun, run_id)
    if run is None:
        raise NotFound("import %(number)s not found", number=run_id)
    if run.undone_at is not None:
        raise Conflict("import %(number)s has already been undone", number=run_id)
    if not can_be_undone(run, at):
        raise Conflict(
            "import %(number)s of %(name)s cannot be undone: only record files can, within %(days)s days",
            number=run_id,
            name=run.file_name,
            days=KEPT.days,
        )
    return _work_out(session, run)[0]


def undo(session: Session, run_id: int, *, at: datetime) -> Plan:
    """Take back what an import did, as far as nothing else has changed it since; what stays is yours."""
    run = plan(session, run_id, at=at).run
    found, back, staying = _work_out(session, run)
    for table, row_id, values in back:
        rows = _table(table)
        session.execute(update(rows).where(rows.c.id == row_id).values(**values))
    for table in _MADE:
        rows = _table(table)
        for some in _chunks(staying.get(table, ())):
            session.execute(update(rows).where(rows.c.id.in_(some)).values(imported_by=None))
    gone = select(Call.id).where(Call.imported_by == run.id)
    for table in (CallDesk, CallHolder):
        session.execute(delete(table).where(table.call_id.in_(gone)), execution_options=_BLIND)
    for table in _MADE:
        # Answers that correct one another, and merged companies, point to rows of their own table.
        _let_go(session, table, run.id)
        session.execute(delete(table).where(_of(table) == run.id), execution_options=_BLIND)
    session.execute(delete(ImportChange).where(ImportChange.run_id == run.id), execution_options=_BLIND)
    session.execute(delete(ImportHold).where(ImportHold.run_id == run.id), execution_options=_BLIND)
    run.undone_at = at
    session.flush()
    return found


_BLIND = {"synchronize_session": False}


def _let_go(session: Session, table: type[Base], run_id: int) -> None:
    for child, column, parent in _POINTERS:
        if child is parent is table:
            own = update(table).where(_of(table) == run_id).values({column: None})
            session.execute(own, execution_options=_BLIND)


def _work_out(
    session: Session, run: ImportRun
) -> tuple[Plan, list[tuple[type[Base], int, dict[str, Any]]], _Rows]:
    back, kept_values = _former_values(session, run.id)
    why: dict[tuple[type[Base], int], str] = {}
    for table, row_id, reason in _changed_since(session, run.id):
        why.setdefault((table, row_id), reason)
    for table, row_id in _pointed_to(session, run.id, back):
        why.setdefault((table, row_id), "needed")
    staying: _Rows = defaultdict(set)
    fresh: _Rows = defaultdict(set)
    for table, row_id in why:
        fresh[table].add(row_id)
    while any(fresh.values()):
        for table, ids in fresh.items():
            staying[table] |= ids
        fresh = _drawn_along(session, run.id, fresh, staying)
        for table, ids in fresh.items():
            for row_id in ids:
                why.setdefault((table, row_id), "needed")
    found = Plan(run)
    for table in _MADE:
        made = _count(session, select(_id(table)).where(_of(table) == run.id))
        if made - len(staying.get(table, ())):
            found.going[table.__tablename__] = made - len(staying.get(table, ()))
    found.restored = dict(Counter(table.__tablename__ for table, _ in {(t, row) for t, row, _ in back}))
    found.staying = {table.__tablename__: len(ids) for table, ids in staying.items() if ids}
    for table, row_id in sorted(kept_values, key=lambda pair: (pair[0].__tablename__, pair[1])):
        name = table.__tablename__
        found.staying[name] = found.staying.get(name, 0) + 1
        found.named.append(Stay(name, _name(session, table, row_id), "value"))
    order = {table: place for place, table in enumerate(_MADE)}
    for (table, row_id), reason in sorted(
        why.items(), key=lambda e: (e[1] == "needed", order[e[0][0]], e[0][1])
    ):
        if len(found.named) >= _NAMED:
            break
        found.named.append(Stay(table.__tablename__, _name(session, table, row_id), reason))
    return found, back, staying


def _former_values(
    session: Session, run_id: int
) -> tuple[list[tuple[type[Base], int, dict[str, Any]]], set[tuple[type[Base], int]]]:
    """Return the values that come back, the last change first, and the rows that have changed since."""
    now: dict[tuple[type[Base], int], dict[str, Any]] = {}
    back: list[tuple[type[Base], int, dict[str, Any]]] = []
    kept: set[tuple[type[Base], int]] = set()
    changes = session.scalars(
        select(ImportChange).where(ImportChange.run_id == run_id).order_by(ImportChange.id.desc())
    )
    for change in changes:
        table = _BY_NAME[change.table_name]
        key = (table, change.row_id)
        if key not in now:
            row = session.get(table, change.row_id)
            now[key] = (
                {} if row is None else {c.key: origins.plain(getattr(row, c.key)) for c in _columns(table)}
            )
        state, body = now[key], json.loads(change.body)
        if not state:
            continue
        same = {name for name, value in body["after"].items() if state[name] == value}
        if same != body["after"].keys():
            kept.add(key)
        values = {name: body["before"][name] for name in same}
        state.update(values)
        if values:
            back.append((table, change.row_id, {name: origins.restored(v) for name, v in values.items()}))
    return back, kept


def _changed_since(session: Session, run_id: int) -> Iterator[tuple[type[Base], int, str]]:
    for table in _MADE:
        for source, reason in ((ImportHold, "edited"), (ImportChange, "imported")):
            others = source.run_id == run_id if source is ImportHold else source.run_id != run_id
            rows = (
                select(_id(table))
                .join(source, and_(source.table_name == table.__tablename__, source.row_id == _id(table)))
                .where(_of(table) == run_id, others)
                .distinct()
            )
            for row_id in session.scalars(rows):
                yield table, row_id, reason


def _pointed_to(
    session: Session, run_id: int, back: Iterable[tuple[type[Base], int, dict[str, Any]]]
) -> Iterator[tuple[type[Base], int]]:
    """Find what rows that the import has not made point to, unless they pointed elsewhere before it."""
    undone: dict[tuple[type[Base], str], set[int]] = defaultdict(set)
    for table, row_id, values in back:
        for name in values:
            undone[table, name].add(row_id)
    for child, column, parent in _POINTERS:
        pointer = getattr(child, column)
        foreign = _not_of(child, run_id)
        mine = select(_id(parent)).where(_of(parent) == run_id)
        changed = exists().where(
            ImportChange.run_id == run_id,
            ImportChange.table_name == child.__tablename__,
            ImportChange.row_id == _id(child),
        )
        yield from (
            (parent, row_id)
            for row_id in session.scalars(
                select(pointer).where(pointer.in_(mine), foreign, ~changed).distinct()
            )
        )
        for child_id, row_id in session.execute(
            select(_id(child), pointer).where(pointer.in_(mine), foreign, changed)
        ):
            if child_id not in undone[child, column]:
                yield parent, row_id
    # A later call was recognised by the number that the import told.
    later = exists().where(
        Call.caller_hash == ContactPoint.value_hash,
        Call.contact_id == ContactPoint.contact_id,
        _not_of(Call, run_id),
    )
    known = select(ContactPoint.id).where(
        ContactPoint.imported_by == run_id,
        or_(
            and_(ContactPoint.kind == PointKind.phone, later),
            # By which of them a form was recognised is sealed in it.
            exists().where(WebForm.contact_id == ContactPoint.contact_id),
        ),
    )
    yield from ((ContactPoint, row_id) for row_id in session.scalars(known))


def _drawn_along(session: Session, run_id: int, fresh: _Rows, staying: _Rows) -> _Rows:
    """Return what stays because of what stays: what it points to, and its parts."""
    more: _Rows = defaultdict(set)
    for child, column, parent in _POINTERS:
        for some in _chunks(fresh.get(child, ())):
            pointed = select(getattr(child, column)).join(parent, _id(parent) == getattr(child, column))
            if child is not parent:
                rows = pointed.where(_id(child).in_(some), _of(parent) == run_id)
            else:
                ids = select(getattr(child, column)).where(_id(child).in_(some))
                rows = select(_id(parent)).where(_id(parent).in_(ids), _of(parent) == run_id)
            more[parent] |= set(session.scalars(rows)) - staying[parent]
    for part, column, whole in _PARTS:
        for some in _chunks(fresh.get(whole, ())):
            rows = select(_id(part)).where(getattr(part, column).in_(some), _of(part) == run_id)
            more[part] |= set(session.scalars(rows)) - staying[part]
    return more


def _name(session: Session, table: type[Base], row_id: int) -> str:
    row: Any = session.get(table, row_id)
    match row:
        case Deal():
            return row.name or row.external_id or str(row_id)
        case Account() | Contact() | Campaign():
            return row.name or str(row_id)
        case Call():
            return f"{row.started_at:%Y-%m-%d %H:%M} UTC, {row.dialled}"
        case Touch():
            return f"{row.occurred_at:%Y-%m-%d %H:%M} UTC, {row.kind}"
        case Answer():
            return row.verbatim or f"{row.asked_at:%Y-%m-%d %H:%M} UTC"
        case Cost():
            return f"{row.campaign.name if row.campaign else row.category}, {row.period_start}"
        case VisitCount():
            return f"{row.day}, {row.utm_campaign or row.channel or row.counted_by}"
    return str(row_id)


def _forget_old(session: Session, at: datetime) -> None:
    old = select(ImportRun.id).where(ImportRun.finished_at < at - KEPT)
    for table in (ImportChange, ImportHold):
        session.execute(delete(table).where(table.run_id.in_(old)), execution_options=_BLIND)


def _count(session: Session, rows: Select[Any]) -> int:
    return session.scalar(select(text("count(*)")).select_from(rows.subquery())) or 0


def _id(table: type[Base]) -> Any:
    return table.id  # type: ignore[attr-defined]  # every table has one


def _of(table: type[Base]) -> Any:
    return table.imported_by  # type: ignore[attr-defined]  # of those that imports make


def _not_of(table: type[Base], run_id: int) -> ColumnElement[bool]:
    if not hasattr(table, origins.COLUMN):
        return _id(table).is_not(None)  # type: ignore[no-any-return]  # as above
    return or_(_of(table).is_(None), _of(table) != run_id)


def _table(table: type[Base]) -> Table:
    found = table.__table__
    assert isinstance(found, Table)
    return found


def _columns(table: type[Base]) -> Any:
    return table.__mapper__.column_attrs


def _chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    whole = sorted(ids)
    for start in range(0, len(whole), _MANY):
        yield whole[start : start + _MANY]
