"""Which import a row comes from, and what has changed it since: what an import that is undone needs to know.

Rows that an import makes carry its number. Of a row that it changes, the former and the new values are
kept, sealed. When anything else changes a row that an import has made, that is put on record.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from typing import Any

from sqlalchemy import event, inspect, text
from sqlalchemy.orm import Session

from tracking.storage import vault

PURPOSE = "import_change.body"
COLUMN = "imported_by"
_run: ContextVar[int | None] = ContextVar("import run", default=None)

_CHANGED = text(
    "INSERT INTO import_change (run_id, table_name, row_id, body) VALUES (:run, :table, :row, :body)"
)
_HELD = text(
    "INSERT INTO import_hold (run_id, table_name, row_id) VALUES (:run, :table, :row) "
    "ON CONFLICT (table_name, row_id) DO NOTHING"
)


def current() -> int | None:
    """Return the number of the import that is under way in this thread."""
    return _run.get()


@contextmanager
def of(run_id: int) -> Iterator[None]:
    """Let all rows that are written meanwhile come from an import."""
    before = _run.set(run_id)
    try:
        yield
    finally:
        _run.reset(before)


def plain(value: Any) -> Any:
    """Return the value of a column as JSON can hold it."""
    if isinstance(value, datetime):
        return {"moment": value.isoformat()}
    if isinstance(value, date):
        return {"day": value.isoformat()}
    return str(value) if isinstance(value, str) else value


def restored(value: Any) -> Any:
    """Return the value of a column that :func:`plain` gave."""
    if isinstance(value, dict) and "moment" in value:
        return datetime.fromisoformat(value["moment"])
    if isinstance(value, dict) and "day" in value:
        return date.fromisoformat(value["day"])
    return value


def _flushed(session: Session, _context: object) -> None:
    run = current()
    for row in session.dirty:
        table = row.__tablename__
        if COLUMN not in inspect(type(row)).column_attrs:
            continue
        made_by = getattr(row, COLUMN)
        if run is None:
            if made_by is not None and _changes(row)[1]:
                session.connection().execute(_HELD, {"run": made_by, "table": table, "row": row.id})
        elif made_by != run:
            before, after = _changes(row)
            if after:
                body = vault.seal(json.dumps({"before": before, "after": after}), PURPOSE)
                told = {"run": run, "table": table, "row": row.id, "body": body}
                session.connection().execute(_CHANGED, told)


def _changes(row: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    state = inspect(row)
    for column in state.mapper.column_attrs:
        history = state.attrs[column.key].history
        if history.has_changes():
            before[column.key] = plain(history.deleted[0] if history.deleted else None)
            after[column.key] = plain(history.added[0] if history.added else None)
    return before, after


def watch(sessions: type[Session]) -> None:
    """Put on record what such sessions change."""
    event.listen(sessions, "after_flush", _flushed)
