"""Taking a person out: of calls, answers, the inbox, files and texts, for good, with a receipt.

The company's touches stay without the person, so journeys and revenue go on adding up. Who was taken out is
remembered by keyed hashes, in the database and in a file beside it and beside the backups: whoever restores a
backup of before forgets him again.
"""

import json
import logging
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Engine,
    String,
    Table,
    Text,
    cast,
    delete,
    literal,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from tracking.access import audit
from tracking.errors import Invalid, NotFound
from tracking.imports.uploads import UploadStore
from tracking.keeping import backups, people
from tracking.keeping.backups import Contents
from tracking.keeping.people import Person
from tracking.records import sites
from tracking.storage import changes, db, keys, namemarks, vault
from tracking.storage.column_types import Said, Sealed, SealedList, SealedSaid
from tracking.storage.config import Settings
from tracking.storage.models import (
    Answer,
    Call,
    Contact,
    ContactPoint,
    Erasure,
    IdempotencyKey,
    ImportChange,
    InboxEvent,
    Touch,
    Visitor,
    WebForm,
)
from tracking.storage.vocabulary import Base, TouchKind
from tracking.telephony.inbox import ERASED
from tracking.telephony.spool import Spool

_log = logging.getLogger(__name__)

LIST = "erasures.jsonl"
_GONE = "…"
_KEPT = frozenset(
    {"audit_entry", "audit_head", "erasure", "data_change", "tracking_number", "app_user", "installation"}
)
"""Tables that no text is taken out of: the trail names no caller and never changes; users do not call."""
_OF_THINGS = frozenset(
    {"account", "ad_material", "campaign", "contact", "indicator", "setting", "source_rule", "visit_count"}
)
"""Tables whose texts name things, some of them after people: only numbers and addresses leave them."""
_TOLD = frozenset({"receipt", "at", "by", "hashes", "removed"})
"""What the list says of each erasure."""
_TREATED = frozenset({"contact_point.value", "call.caller", "inbox_event.body"})
"""Sealed columns that have a treatment of their own; every other is opened and looked through."""


@dataclass(slots=True)
class Traces:
    """Where a person is named besides the rows that are his."""

    events: list[int] = field(default_factory=list)
    texts: list[tuple[Table, Column[Any], Any]] = field(default_factory=list)
    """Table, column and key of the row."""
    replies: list[int] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def traces(session: Session, settings: Settings, person: Person) -> Traces:
    """Look for a person in all that was received, in every text of every table, and in files."""
    found = Traces()
    named = person.in_text()
    keys_of_calls = {
        (call.provider, call.provider_call_id)
        for call in session.scalars(select(Call).where(Call.id.in_(person.calls)))
    }
    events = select(InboxEvent.id, InboxEvent.provider, InboxEvent.event_key, InboxEvent.body)
    for row in session.execute(events.where(InboxEvent.body_hash != ERASED).execution_options(yield_per=500)):
        of_a_call = (row.provider, row.event_key.rpartition("/")[0]) in keys_of_calls
        if of_a_call or (named and named.search(row.body)):
            found.events.append(row.id)
    looked_for_in = _looked_for(person)
    for table, column in _columns():
        if (looked_for := looked_for_in[table.name in _OF_THINGS]) is None:
            continue
        for key, value in _suspects(session, table, column, person):
            if table is IdempotencyKey.__table__:
                if looked_for.search(_unescaped(value)):
                    found.replies.append(key)
            elif _without(value, looked_for, unique=False) != value:
                found.texts.append((table, column, key))
    if named is not None:
        found.files = [path for path, text in _texts_of_files(settings) if named.search(text)]
    return found


def _looked_for(person: Person) -> Mapping[bool, re.Pattern[str] | None]:
    """Return what finds a person in the names of things, and in all else."""
    return {True: person.in_text(), False: person.in_notes()}


def _columns() -> Iterator[tuple[Table, Column[Any]]]:
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            kind = column.type
            if table.name in _KEPT or f"{table.name}.{column.name}" in _TREATED or column.primary_key:
                continue
            if isinstance(kind, Sealed | Said | JSON) or type(kind) in (String, Text):
                yield table, column


def _is_unique(table: Table, column: Column[Any]) -> bool:
    named = [c for c in table.constraints if type(c).__name__ == "UniqueConstraint"]
    return bool(column.unique) or any(column.name in one.columns for one in named)  # type: ignore[attr-defined]  # they have columns


def _plain_type(column: Column[Any]) -> TypeEngine[Any] | None:
    """Return as what a sentence is read and written with its values apart; None for other columns."""
    match column.type:
        case SealedSaid() as kind:
            return SealedList(kind.purpose)
        case Sealed() as kind if column is ImportChange.__table__.c.body:
            return SealedList(kind.purpose)
        case Said() | JSON():
            return JSON()
    return None


def _suspects(
    session: Session, table: Table, column: Column[Any], person: Person
) -> Iterator[tuple[Any, Any]]:
    key = table.primary_key.columns.values()[0]
    kind = column.type
    value = type_coerce(column, plain) if (plain := _plain_type(column)) else column
    wanted = select(key, value).where(column.is_not(None)).execution_options(yield_per=500)
    tails = person.tails()
    # JSON holds letters beyond ASCII escaped, and SQLite does not know their capitals.
    if not isinstance(kind, Sealed) and all(map(str.isascii, tails)):
        # The database passes over nearly all rows; what is left is looked at closely.
        text: ColumnElement[Any] = column.cast(String) if isinstance(kind, Said | JSON) else column
        wanted = wanted.where(or_(*(text.icontains(tail, autoescape=True) for tail in tails)))
    for row in session.execute(wanted):
        yield row[0], row[1]


def _unescaped(text: str) -> str:
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        return text


def _without(value: Any, named: re.Pattern[str], *, unique: bool) -> Any:
    """Return a text, or what is made of texts, without what names a person."""
    if isinstance(value, str):
        # Of what tells a row from others something stays that does so too.
        return named.sub(lambda m: vault.mark("erased", m[0])[:12] if unique else _GONE, value)
    if isinstance(value, list):
        return [_without(one, named, unique=unique) for one in value]
    if isinstance(value, dict):
        return {
            _without(k, named, unique=unique): _without(v, named, unique=unique) for k, v in value.items()
        }
    return value


def _texts_of_files(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Return the files of the spool and the uploads with what they say."""
    yield from Spool(settings.spool_dir).every()
    yield from Spool(settings.views_dir).every()
    store = UploadStore(settings.data_dir)
    for path in store.every():
        yield path, store.as_text(path)


def erase(
    engine: Engine,
    settings: Settings,
    find: Callable[[Session], Person],
    *,
    by: str,
    at: datetime,
    drain: Callable[[], int] = lambda: 0,
) -> Erasure:
    """Take out whom ``find`` finds; return the receipt. ``drain`` empties the spool into the inbox."""
    listed(settings)  # lest it be found unreadable only once he is gone
    drain()
    receipt = secrets.token_hex(8)
    row = None
    while row is None:
        row = _erase_once(engine, settings, find, receipt=receipt, by=by, at=at)
    settle(engine, settings)
    return row


def _erase_once(
    engine: Engine,
    settings: Settings,
    find: Callable[[Session], Person],
    *,
    receipt: str,
    by: str,
    at: datetime,
) -> Erasure | None:
    """Take a person out; None where more of him came in while he was looked for."""
    with db.reading(engine) as session:
        person = find(session)
        found = traces(session, settings, person)

    def work(session: Session) -> Erasure | None:
        if find(session) != person:
            return None
        removed = _take_out(session, person, found, at)
        row = Erasure(
            receipt=receipt,
            at=at,
            by=by,
            removed=removed,
            hashes=[f"{k}:{h}" for k, h in sorted(person.hashes)],
        )
        session.add(row)
        # The receipt, not the person: the trail is kept longer than he is.
        audit.note(session, by, "person erase", f"receipt {receipt}", at=at)
        session.flush()
        # Before the commit: cut off in between, he is found still, and erasing again goes on.
        _drop_files(settings, found.files)
        return row

    return db.commit(engine, work)


def settle(engine: Engine, settings: Settings) -> None:
    """See through what an erasure leaves to be done; whatever keeps it from that, the worker repeats it."""
    db.leave_no_copy(engine)
    try:
        note_beside(engine, settings)
    except (OSError, Invalid) as error:
        _log.error("the list of erasures could not be written, the worker tries again each hour: %s", error)


def _take_out(session: Session, person: Person, found: Traces, at: datetime) -> dict[str, int]:
    # Figures are made of none of these columns.
    quiet = {changes.NOTED: True, "synchronize_session": False}
    changes.note(session)
    # Before the rows that are his, of which more goes than his number.
    connection = session.connection()
    looked_for_in = _looked_for(person)
    for table, column, key in found.texts:
        where = table.primary_key.columns.values()[0] == key
        plain = _plain_type(column)
        # As it stands now: somebody may have written on since it was found.
        held = select(type_coerce(column, plain) if plain else column).where(where).with_for_update()
        value, looked_for = connection.scalar(held), looked_for_in[table.name in _OF_THINGS]
        if value is None or looked_for is None:
            continue
        left = _without(value, looked_for, unique=_is_unique(table, column))
        values = {column.name: type_coerce(left, plain) if plain else left}
        if isinstance(column.type, Sealed) and column.type.marks_in:
            values[column.type.marks_in] = namemarks.marks(left)
        connection.execute(update(table).where(where).values(values))
    mine = session.scalars(select(ContactPoint).where(ContactPoint.contact_id.in_(person.contacts))).all()
    points = [point.id for point in mine if not people.is_companys(point)]
    answered = or_(Answer.contact_id.in_(person.contacts), Answer.call_id.in_(person.calls))
    words = session.scalars(select(Answer.id).where(answered, Answer.verbatim.is_not(None))).all()
    names = select(Contact.id).where(Contact.id.in_(person.contacts), Contact.name.is_not(None))
    named = session.scalars(names).all()
    session.execute(delete(ContactPoint).where(ContactPoint.id.in_(points)), execution_options=quiet)
    steps: list[Any] = [
        update(Contact).where(Contact.id.in_(named)).values(name=None, name_marks=None),
        update(Call)
        .where(Call.id.in_(person.calls))
        .values(caller=None, caller_hash=None, caller_name=None, note=""),
        update(Answer).where(Answer.id.in_(words)).values(verbatim=None),
        update(Touch)
        .where(Touch.contact_id.in_(person.contacts), Touch.click_ids.is_not(None))
        .values(click_ids=None),
        # What was typed goes whole: the rest of a form names its sender too.
        update(WebForm).where(WebForm.id.in_(person.forms)).values(told=None, others=None, came=None),
        # The key of a message holds a mark of both numbers, by which a number could be tried.
        update(Touch)
        .where(Touch.contact_id.in_(person.contacts), Touch.kind == TouchKind.message)
        .values(source_key=literal("erased message ") + cast(Touch.id, String)),
    ]
    for place in range(0, len(found.events), 500):
        some = found.events[place : place + 500]
        # The row stays, or a repetition of the report would make the call anew.
        gone = {"body": "", "body_hash": ERASED, "processed_at": at, "error": ERASED}
        steps.append(update(InboxEvent).where(InboxEvent.id.in_(some)).values(gone))
    for step in steps:
        session.execute(step, execution_options=quiet)
    session.execute(
        delete(IdempotencyKey).where(IdempotencyKey.id.in_(found.replies)), execution_options=quiet
    )
    browsers = session.scalars(select(Visitor.id).where(Visitor.contact_id.in_(person.contacts))).all()
    sites.forget(session, browsers)
    return {
        "names": len(named),
        "phone numbers and email addresses": len(points),
        "calls": len(person.calls),
        "words of answers": len(words),
        "reports of providers": len(found.events),
        "browsers": len(browsers),
        "forms": len(person.forms),
        "texts": len(found.texts),
        "replies of the API": len(found.replies),
        "files": len(found.files),
    }


def _drop_files(settings: Settings, files: list[Path]) -> None:
    store = UploadStore(settings.data_dir)
    for path in files:
        path.unlink(missing_ok=True)
        if path.parent.name == "uploads":
            store.drop(path.name.partition(".")[0])


# --- Who was taken out, remembered beside the database -----------------------------------------------------


def note_beside(engine: Engine, settings: Settings) -> None:
    """Write who was taken out into a file beside the database, and one beside the backups."""
    told = listed(settings)
    with db.reading(engine) as session:
        for row in session.scalars(select(Erasure)):
            told[row.receipt] = _plain(row)
    if not told:
        return
    text = "".join(json.dumps(told[receipt], sort_keys=True) + "\n" for receipt in sorted(told))
    for folder in (settings.data_dir, settings.backups):
        keys.write(folder / LIST, text, replace=True)


def _plain(row: Erasure) -> dict[str, Any]:
    return {
        "receipt": row.receipt,
        "at": row.at.isoformat(),
        "by": row.by,
        "hashes": row.hashes,
        "removed": row.removed,
    }


def listed(settings: Settings, *folders: Path) -> dict[str, dict[str, Any]]:
    """Return who was taken out, by receipt, as the files say."""
    found: dict[str, dict[str, Any]] = {}
    for folder in (settings.data_dir, settings.backups, *folders):
        try:
            for line in (folder / LIST).read_text().splitlines():
                told = json.loads(line)
                if not told.keys() >= _TOLD:
                    raise ValueError
                found[told["receipt"]] = told
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError, AttributeError, TypeError):
            raise Invalid(
                "erasures",
                "%(file)s cannot be read; restore this file before the backup",
                file=str(folder / LIST),
            ) from None
    return found


def restore(
    engine: Engine, settings: Settings, path: Path, *, at: datetime, replace: bool
) -> tuple[Contents, int]:
    """Restore a backup without whoever was taken out since; return how many those were."""
    told = listed(settings, path.parent)
    try:
        with db.reading(engine) as session:
            told |= {row.receipt: _plain(row) for row in session.scalars(select(Erasure))}
    except SQLAlchemyError:
        pass  # nothing is there yet, or a schema of before anybody could be taken out
    again = 0

    def forget(session: Session, staged: Settings, found: Contents) -> None:
        nonlocal again
        again = sum(
            _forget_again(session, staged, one, at)
            for one in sorted(told.values(), key=lambda one: str(one["at"]))
        )
        made = f"made {found.made_at:%Y-%m-%d %H:%M} UTC, {again} people taken out again"
        audit.note(session, "terminal", "backup restore", made, at=at)

    found = backups.restore(engine, settings, path, at=at, replace=replace, then=forget)
    settle(engine, settings)
    return found, again


def _forget_again(session: Session, settings: Settings, told: dict[str, Any], at: datetime) -> bool:
    person = people.by_hashes(session, {tuple(one.split(":", 1)) for one in told["hashes"]})
    if person.is_anybody:
        found = traces(session, settings, person)
        _take_out(session, person, found, at)
        _drop_files(settings, found.files)
    if session.scalar(select(Erasure.id).where(Erasure.receipt == told["receipt"])) is None:
        kept = {name: told[name] for name in ("receipt", "by", "hashes", "removed")}
        session.add(Erasure(at=datetime.fromisoformat(told["at"]), **kept))
    return person.is_anybody


def receipt_of(session: Session, receipt: str) -> Erasure:
    """Return what a receipt says."""
    row = session.scalar(select(Erasure).where(Erasure.receipt == receipt))
    if row is None:
        raise NotFound("receipt %(receipt)s not found", receipt=receipt)
    return row
