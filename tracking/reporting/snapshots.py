"""The journey tables and the credit worked out from them, as of one moment; a change costs what it touches.

Which accounts have changed since a base was written is known from the marks that transactions leave
(``storage.changes``): a snapshot is the base without their rows, and their rows as they are now. Where many
have changed, a process of its own writes the next base, while snapshots go on from the last one.
"""

import logging
import multiprocessing
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reports.daily import Activity, calls_by_day, channels_of, observed_by_day, taken_away
from reports.maturity import buying_times
from tracking import clock
from tracking.records import contacts, rates
from tracking.reporting import bases, credit, journeys, spending
from tracking.reporting.bases import Base, Memory
from tracking.reporting.credit import GROUPS, Credit, Part, Window
from tracking.reporting.journeys import BY_ACCOUNT, Journeys
from tracking.storage import changes, db
from tracking.storage.changes import Change, Marks
from tracking.storage.columns import Ints, replace_rows, sorted_by
from tracking.storage.config import Settings
from tracking.storage.models import Account, Contact, Cost, Deal, Touch

_Result = TypeVar("_Result")
# So many changed accounts are worked out while somebody waits: some tenths of a second.
_AT_ONCE = 2000
# Past so many changed accounts, which cost some hundredths of a second each time, a new base pays.
_NEW_BASE_AFTER = 500
# A base that only makes pages quicker takes the processor no more often: at a hundred calls a second the next
# one would begin when the last has ended.
_RESTS = timedelta(minutes=1)
# A base that could not be written is tried again after so long: what stands in its way is seldom gone at
# once, and each attempt takes the processor for as long as a base takes.
_AGAIN_AFTER = timedelta(minutes=10)
_INSTALLATIONS = 4


class Preparing(Exception):
    """There is no base yet, and writing one takes longer than anybody waits for a page."""


@dataclass(frozen=True)
class Snapshot:
    """The journey tables as of one moment, and what the models credit."""

    base: Base
    marks: Marks
    taken_at: datetime
    zone: ZoneInfo
    replaced: Ints
    """Accounts, by number, whose rows of the base no longer hold."""
    fresh: Journeys
    """The rows of these as they are, with all costs and visits."""
    stale: bool = False
    """Whether the data have changed since; a newer base is then being written."""
    memory: Memory = field(default_factory=Memory, repr=False)

    @cached_property
    def tables(self) -> Journeys:
        """Return the journey tables."""
        if not self.replaced.size:
            return replace(self.base.tables, costs=self.fresh.costs, visits=self.fresh.visits)
        rows = {
            name: replace_rows(self.base.table(name), self.replaced, getattr(self.fresh, name))
            for name in BY_ACCOUNT
        }
        return replace(self.fresh, **rows)

    @cached_property
    def activity(self) -> Activity:
        """Return costs and calls, of which every period is a sum."""
        calls, channels = self.base.table("calls-daily"), channels_of(self.fresh.costs)
        observed = self.base.table("observed-daily")
        if self.replaced.size:
            parts = (self.fresh, self.base.tables.of(self.replaced))
            new, old = (calls_by_day(part.calls, part.answers, self.zone) for part in parts)
            calls = pa.concat_tables([calls, new, taken_away(old)])
            new, old = (observed_by_day(part, self.zone) for part in parts)
            observed = pa.concat_tables([observed, new, taken_away(old)])
        channels = channels_of(self.fresh.calls, self.fresh.touches) | self.base.channels | channels
        return Activity(self.fresh.costs, calls, channels, observed)

    @cached_property
    def buying_times(self) -> pa.Table:
        """Return when companies became leads and bought first: ``reports.maturity.buying_times``."""
        return replace_rows(
            self.base.table("buying_times"), self.replaced, buying_times(self.fresh.conversions)
        )

    def credit(self, models: Sequence[str], window: Window) -> Credit:
        """Return what models credit, and which of them these data do not support and why."""
        parts: dict[str, Part] = {}
        missing: dict[str, str] = {}
        for model in models:
            part = self._part(credit.group_of(model), window)
            if model in part.missing:
                missing[model] = part.missing[model]
            else:
                parts[model] = part
        return Credit(parts, missing)

    def lines(self, model: str, window: Window) -> pa.Table:
        """Return what one model credits each campaign with in each conversion: ``reports.roi.credited``.

        Raises
        ------
        JourneyError
            Where the data do not hold what the model needs.
        """
        return self.remember(("lines", model, window), lambda: self._lines(model, window))

    def remember(self, key: Hashable, make: Callable[[], _Result]) -> _Result:
        """Return what ``make`` gives, made once for this snapshot as long as memory lasts."""
        return self.memory.get(key, make)

    def _part(self, group: str, window: Window) -> Part:
        return self.remember(("credit", group, window), lambda: self._credit(group, window))

    def _credit(self, group: str, window: Window) -> Part:
        if not self.replaced.size:
            return self.base.credit(group, window, self.zone)
        if self._learns_anew(group):
            return self._anew(group, window)
        base = self.base.credit(group, window, self.zone)
        models = [model for model in GROUPS[group] if model not in base.missing]
        if group == "rules" and base.missing:
            # What stood in their way may be gone.
            return self._anew(group, window)
        fitted = self.base.learned(models, window)
        old, new = (
            credit.lines(part, models, window, fitted)
            for part in (self.base.tables.of(self.replaced), self.fresh)
        )
        return credit.changed(base, old, new, self.zone)

    def _anew(self, group: str, window: Window) -> Part:
        return replace(credit.part_of(self.tables, group, window, self.zone), version=None)

    def _lines(self, model: str, window: Window) -> pa.Table:
        if not self.replaced.size:
            return self.base.lines(model, window)
        if self._learns_anew(credit.group_of(model)):
            return credit.lines(self.tables, [model], window)
        new = credit.lines(self.fresh, [model], window, self.base.learned([model], window))
        return replace_rows(self.base.lines(model, window), self.replaced, new)

    def _learns_anew(self, group: str) -> bool:
        """Tell whether models that are fitted to data are fitted to them as they are.

        Every conversion is shared anew then, which takes long where there are many; but there the few that
        have changed move no weight by much, and the next base is soon written. Of a goal that nobody had
        reached nothing has been learnt.
        """
        if group != "fitted":
            return False
        reached = pc.unique(self.fresh.conversions["goal"]).to_pylist()
        return not self.base.is_large or not self.base.goals.issuperset(reached)


_lock = threading.RLock()
_current: OrderedDict[str, Snapshot] = OrderedDict()
_beside: dict[str, tuple[Any, datetime]] = {}


def current(session: Session, settings: Settings, *, at: datetime) -> Snapshot:
    """Return the data as they are, or as they were a moment ago while a new base is being written.

    Raises
    ------
    Preparing
        If there is no base yet and the data are many; it is being written.
    RateMissing
        If an amount is in a currency without an exchange rate on its day.
    """
    with _lock:
        return _latest(session, settings, at, patient=False)


def whole(session: Session, settings: Settings, *, at: datetime) -> Snapshot:
    """Return the data as they are, however long it takes."""
    with _lock:
        return _latest(session, settings, at, patient=True)


def _latest(session: Session, settings: Settings, at: datetime, *, patient: bool) -> Snapshot:
    key = str(bases.folder_of(settings))
    known = _current.get(key)
    if known is not None and changes.is_older(session, known.marks):
        # Whoever asked meanwhile has been shown what this session does not see yet.
        return known
    newest = bases.newest(settings)
    if newest is not None and (known is None or known.base.folder != newest):
        known = _of(Base(newest), settings)
    if known is None:
        many = session.scalar(select(func.max(Touch.id))) or 0
        if not patient and many > bases.MANY:
            rates.require_all(session, settings.currency, settings.zone)
            _take_beside(settings, at)
            raise Preparing
        found = _anew(session, settings, at)
    else:
        change, marks = changes.since(session, known.marks)
        found = (
            known if marks == known.marks else _after(session, settings, known, change, marks, at, patient)
        )
    if not found.stale:
        _current[key] = found
        _current.move_to_end(key)
        while len(_current) > _INSTALLATIONS:
            _current.popitem(last=False)
    return found


def _after(
    session: Session,
    settings: Settings,
    known: Snapshot,
    change: Change,
    marks: Marks,
    at: datetime,
    patient: bool,
) -> Snapshot:
    """Return the snapshot that a change makes of another one."""
    converted = "exchange_rate" in change.tables and _converts(session, settings)
    accounts = np.empty(0, np.int64) if change.everything else _accounts(session, change)
    if not (change.everything or converted or len(accounts) > _AT_ONCE):
        following = _changed(session, settings, known, accounts, change.tables, marks, at)
        if len(following.replaced) > _NEW_BASE_AFTER:
            _take_beside(settings, at, rests=_RESTS)
        return following
    if patient or not known.base.is_large:
        return _anew(session, settings, at)
    # The process beside would fail over an amount without a rate, and nobody would hear of it.
    rates.require_all(session, settings.currency, settings.zone)
    _take_beside(settings, at)
    return replace(known, stale=True)


def _changed(
    session: Session,
    settings: Settings,
    known: Snapshot,
    accounts: Ints,
    tables: Collection[str],
    marks: Marks,
    at: datetime,
) -> Snapshot:
    companies = contacts.roots(session, Account)
    theirs = [account for account in accounts.tolist() if account not in companies]
    rows = (
        journeys.export_of(session, theirs, currency=settings.currency, zone=settings.zone)
        if theirs
        else None
    )
    fresh = {}
    for name in BY_ACCOUNT:
        table = replace_rows(
            sorted_by(getattr(known.fresh, name), "account_id"), accounts,
            known.base.table(name).slice(0, 0) if rows is None else getattr(bases.wordless(rows), name),
        )  # fmt: skip
        fresh[name] = table.combine_chunks()
    small = {
        "costs": spending.costs(session, currency=settings.currency, zone=settings.zone)
        if "cost" in tables
        else known.fresh.costs,
        "visits": spending.visits(session) if "visit_count" in tables else known.fresh.visits,
    }
    return Snapshot(
        known.base, marks, at, known.zone, np.union1d(known.replaced, accounts), Journeys(**fresh, **small)
    )


def _accounts(session: Session, change: Change) -> Ints:
    """Return the accounts, as what they count as and as themselves, whose journeys a change touches."""
    people, companies = contacts.roots(session, Contact), contacts.roots(session, Account)
    ids = sorted(change.contacts | {people[contact] for contact in change.contacts if contact in people})
    accounts = set(change.accounts)
    for start in range(0, len(ids), 10_000):
        part = ids[start : start + 10_000]
        accounts |= set(session.scalars(select(Contact.account_id).where(Contact.id.in_(part))))
    accounts |= {companies[account] for account in accounts if account in companies}
    return np.array(sorted(accounts), dtype=np.int64)


def _converts(session: Session, settings: Settings) -> bool:
    """Tell whether any amount is in another currency than that of reports."""
    foreign = (
        select(table.id).where(table.currency.is_not(None), table.currency != settings.currency).limit(1)
        for table in (Deal, Cost)
    )
    return any(session.scalar(query) is not None for query in foreign)


def take_now(settings: Settings) -> None:
    """Write a base in a process of its own, with what every model credits, behind whoever is waiting."""
    os.nice(10)
    engine = db.open_installed(settings)
    try:
        with db.reading(engine) as session:
            bases.take(session, settings, at=clock.now(), groups=tuple(GROUPS))
    except Exception as error:
        logging.getLogger(__name__).exception("no new base; the next attempt is in %s", _AGAIN_AFTER)
        raise SystemExit(1) from error
    finally:
        engine.dispose()


def _take_beside(settings: Settings, at: datetime, rests: timedelta = timedelta(0)) -> None:
    key = str(bases.folder_of(settings))
    with _lock:
        process, started = _beside.get(key, (None, at))
        if process is not None and process.is_alive():
            return
        if process is not None and at - started < (_AGAIN_AFTER if process.exitcode else rests):
            return
        # A new process: a thread would hold up the telephone's webhooks while it copies rows.
        process = multiprocessing.get_context("spawn").Process(target=take_now, args=(settings,), daemon=True)
        process.start()
        _beside[key] = process, at


def _anew(session: Session, settings: Settings, at: datetime) -> Snapshot:
    return _of(Base(bases.take(session, settings, at=at)), settings)


def _of(base: Base, settings: Settings) -> Snapshot:
    nobody = np.empty(0, np.int64)
    costs, visits = base.table("costs"), base.table("visits")
    fresh = replace(base.tables.of(nobody), costs=costs, visits=visits)
    return Snapshot(base, base.marks, base.taken_at, settings.zone, nobody, fresh)
