"""Page views and forms, written by one clerk a process: those that come together share a transaction.

Whoever reported a view waits a bounded time for its number. While the database is away views and forms lie in
a spool and pages keep their own number; afterwards they are counted, and nobody is shown anything for them.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy import exc as sql
from sqlalchemy.orm import Session

from tracking.records import referrers, sites, sources, visits, web_forms
from tracking.records.sources import Sources
from tracking.records.web_forms import Post
from tracking.reporting import form_notices
from tracking.storage import db
from tracking.storage.column_types import to_micros
from tracking.storage.config import Settings
from tracking.storage.models import Site
from tracking.storage.vocabulary import FormState
from tracking.telephony import pools
from tracking.telephony.clerk import Clerk
from tracking.telephony.spool import Kept, Spool

PATIENCE_S = 1.0
"""How long a page waits for its number; it shows its own meanwhile, and asks once more. A judgement."""
_PAUSE_S = 1.0
_BATCH = 64
_SOURCES_FOR_S = 2.0
"""How long campaigns and rules are remembered between batches."""
_AWAY = (sql.OperationalError, sql.InterfaceError, sql.TimeoutError)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One page view; ``token`` is None for a visitor who may not be told from others."""

    site_id: int
    at: datetime
    page: str
    referrer: str
    token: str | None
    found: int
    """Places on the page that show its number."""
    again: bool
    """Whether the page asks once more for a view that it has reported."""
    fresh: bool = False
    """Whether the token was made for this view, so that nothing can be known of its visitor."""
    shares: bool = True
    """Whether its address leaves others something of the pool, and so may have a number of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The number to show, and whose it is: of the ``pool``, the source's ``static`` one, or the page's."""

    number: str | None = None
    kind: str = "own"
    kept: bool = True
    """Whether the visitor is known from now on."""


_OWN = Answer(kept=False)
_Sums = dict[tuple[int, datetime], Counter[str]]
_Item = tuple[View | Post, Future[Answer]]


class Keeper:
    """Keeps what the pages of one installation report, in one process."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine, self._settings = engine, settings
        self._spool = Spool(settings.views_dir)
        self._clerk = Clerk("page views", self._work)
        self._state = self._clerk.state
        self._queue: list[_Item] = []
        self._sums: _Sums = {}
        self._busy_since: float | None = None
        self._away = False
        self._summed_at = 0.0
        self._sources: tuple[float, Sources] | None = None

    def take(self, view: View | Post) -> Answer:
        """Keep a view, or a form, and return what to show, within a bounded time.

        Of a form the answer says whether it is kept, in the database or on the disk.
        """
        with self._state:
            hangs = self._busy_since is not None and time.monotonic() - self._busy_since > PATIENCE_S
            told: Future[Answer] | None = None
            if not hangs and not self._away:
                told = Future()
                self._queue.append((view, told))
                self._wake()
        if told is not None:
            try:
                return told.result(PATIENCE_S)
            except Exception as error:
                # One that has begun may be written all the same, and is then not spooled besides.
                if not told.cancel() and isinstance(view, View):
                    return _OWN
                _log.warning("the database takes no page views (%s)", type(error).__name__)
        return self._put_aside(view)

    def note(self, site_id: int, at: datetime, what: str) -> None:
        """Count something that is kept as a sum only; it is written with what comes next, or in a second."""
        with self._state:
            self._sums.setdefault((site_id, _hour(at)), Counter())[what] += 1
            self._wake()

    def start(self) -> None:
        """Begin to take what lies in the spool."""
        with self._state:
            if not self._spool.is_empty():
                self._wake()

    def drain(self) -> int:
        """Count what lies in the spool; return how many views that were."""
        taken = 0
        while some := self._drain_some():
            taken += some
        return taken

    def close(self) -> None:
        """Write what is left, and end; what the database does not take stays in the spool."""
        self._clerk.close()

    def _put_aside(self, view: View | Post) -> Answer:
        is_form = isinstance(view, Post)
        try:
            if self._settings.room() < 0:
                raise OSError("the rest of the disk is for calls")
            said = {**asdict(view), "at": view.at.isoformat()}
            self._spool.put(f"{to_micros(view.at):020d}", json.dumps({"form": said} if is_form else said))
        except OSError as error:
            _log.error("a %s is lost: no disk takes it: %s", "form" if is_form else "page view", error)
            return _OWN
        with self._state:
            self._wake()
        return Answer(kept=is_form)

    def _wake(self) -> None:
        self._clerk.start()
        self._state.notify_all()

    def _work(self) -> None:
        while True:
            with self._state:
                self._busy_since = None
                # Sums alone wait, so that a flood of what is refused costs one write a second.
                while self._sums and not self._queue and not self._clerk.closed:
                    left = self._summed_at + _PAUSE_S - time.monotonic()
                    if left <= 0:
                        break
                    self._state.wait(left)
                batch = [item for item in self._queue[:_BATCH] if item[1].set_running_or_notify_cancel()]
                del self._queue[:_BATCH]
                sums, self._sums = self._sums, {}
                self._summed_at = time.monotonic() if sums else self._summed_at
                if (
                    not batch
                    and not self._queue
                    and not sums
                    and (self._clerk.closed or self._spool.is_empty())
                ):
                    self._clerk.rest()
                    self._away = False
                    return
                self._busy_since = time.monotonic()
            try:
                if batch or sums:
                    self._serve(batch, sums)
                self._drain_some()
                self._away = False
            except Exception as error:
                _log.warning("page views wait in the spool (%s)", type(error).__name__)
                with self._state:
                    self._busy_since, self._away = None, True
                    for key, counted in sums.items():
                        self._sums.setdefault(key, Counter()).update(counted)
                    if self._clerk.closed:
                        self._clerk.rest()
                        return
                    self._state.wait(_PAUSE_S)

    def _serve(self, batch: Sequence[_Item], sums: _Sums) -> None:
        try:
            answers = self._write([view for view, _ in batch], sums)
        except _AWAY:
            for view, told in batch:
                told.set_result(self._put_aside(view))
            raise
        except Exception:
            if len(batch) == 1 and not sums:
                _log.exception("a page view could not be kept")
                [(view, told)] = batch
                # A form is worth a second look: what the spool cannot take either is set apart there.
                told.set_result(self._put_aside(view) if isinstance(view, Post) else _OWN)
                return
            # One of them spoils the transaction; each is written by itself.
            away = None
            for item in batch:
                try:
                    self._serve([item], {})
                except _AWAY as error:
                    away = error
            if away is not None:
                raise away from None
            if sums:
                self._write([], sums)
            return
        for (_, told), answer in zip(batch, answers, strict=True):
            told.set_result(answer)

    def _drain_some(self) -> int:
        found: dict[Kept, View | Post] = {}
        for path, text in self._spool.some(_BATCH):
            try:
                found[path] = _kept(json.loads(text))
            except (ValueError, TypeError, KeyError):
                self._spool.set_apart(path)
        if found:
            try:
                self._write(list(found.values()), {}, late=True)
                self._spool.discard(found)
            except _AWAY:
                raise
            except Exception:
                self._drain_each(found)
        return len(found)

    def _drain_each(self, found: Mapping[Kept, View | Post]) -> None:
        """Write each by itself, since one of them spoils the transaction, and set that one apart."""
        for path, view in found.items():
            try:
                self._write([view], {}, late=True)
                self._spool.discard([path])
            except _AWAY:
                raise
            except Exception:
                _log.exception("a page view of the spool could not be kept")
                self._spool.set_apart(path)

    # --- Within one transaction -------------------------------------------------------------------------

    def _write(self, views: Sequence[View | Post], sums: _Sums, *, late: bool = False) -> list[Answer]:
        def work(session: Session) -> list[Answer]:
            batch = _Batch(session, self._known_sources(session), self._settings, late=late)
            for (site_id, hour), counted in sums.items():
                batch.sums.setdefault((site_id, hour), Counter()).update(counted)
            answers = [batch.send(one) if isinstance(one, Post) else batch.take(one) for one in views]
            batch.count()
            return answers

        try:
            return db.commit(self._engine, work)
        except Exception:
            # The campaigns that it knew went with the transaction.
            self._sources = None
            raise

    def _known_sources(self, session: Session) -> Sources:
        if self._sources is None or time.monotonic() - self._sources[0] > _SOURCES_FOR_S:
            self._sources = (time.monotonic(), Sources(session))
        return self._sources[1]


class _Batch:
    """Page views that are written together; what is only counted is counted once for all of them."""

    def __init__(self, session: Session, known: Sources, settings: Settings, *, late: bool) -> None:
        self._session, self._known, self._settings, self._late = session, known, settings, late
        self.sums: _Sums = {}
        self._visits: Counter[visits.OneVisit] = Counter()
        self._sites: dict[int, Site | None] = {}
        self._pools: dict[int, bool] = {}

    def take(self, view: View) -> Answer:
        """Keep one page view."""
        site = self._site(view.site_id)
        if site is None:
            return _OWN
        counted = self.sums.setdefault((view.site_id, _hour(view.at)), Counter())
        trace = sources.trace(view.page, view.referrer)
        source = self._known.of(trace)
        home = {referrers.host(referrers.address(origin)) for origin in site.origins}
        abroad = bool(view.referrer) and referrers.host(referrers.address(view.referrer)) not in home
        arrives = trace.tagged or bool(trace.click_ids) or abroad
        counted["views"] += not view.again
        answer = Answer()
        if view.token is None:
            counted["unidentified"] += not view.again
            begins = arrives or not view.referrer
            campaign_id = source.campaign.id if source.campaign else None
        else:
            fresh = view.fresh and not self._late
            who = sites.visitor(self._session, site, view.token, at=view.at, fresh=fresh)
            visit, begins = sites.visit(
                self._session, who, trace, source, at=view.at, arrives=arrives, fresh=fresh
            )
            campaign_id = visit.campaign_id
            if view.found and view.shares and not self._late and self._has_pool(site):
                shown = pools.lease(self._session, site, visit, at=view.at, fresh=fresh)
                counted["leased"] += shown.begins
                counted["overflow"] += shown.number is None and begins
                answer = Answer(shown.number, "pool") if shown.number else answer
        # Whoever agrees late has been counted already, as one of those who may not be told apart.
        if begins and not view.again:
            day = view.at.astimezone(self._settings.zone).date()
            self._visits[visits.one(day, site.name, trace, source)] += 1
        if answer.number is None and view.found and not self._late and campaign_id is not None:
            number = pools.static_number(self._session, campaign_id)
            answer = Answer(number, "static") if number else answer
        # Whoever agrees only now has been counted, if he was shown the number of his source before.
        shown_before = view.again and (
            answer.kind != "pool"
            or (campaign_id is not None and pools.static_number(self._session, campaign_id) is not None)
        )
        counted["swapped"] += answer.number is not None and not shown_before
        return answer

    def send(self, post: Post) -> Answer:
        """Keep one form, and put the mail that tells of it in line."""
        site = self._site(post.site_id)
        if site is None:
            return _OWN
        settings = self._settings
        row, new = web_forms.keep(self._session, site, post, region=settings.region, known=self._known)
        if new and row.state is not FormState.spam:
            form_notices.announce(self._session, settings, row)
        return Answer()

    def _site(self, site_id: int) -> Site | None:
        if site_id not in self._sites:
            self._sites[site_id] = self._session.get(Site, site_id)
        return self._sites[site_id]

    def _has_pool(self, site: Site) -> bool:
        if site.id not in self._pools:
            self._pools[site.id] = pools.has_numbers(self._session, site)
        return self._pools[site.id]

    def count(self) -> None:
        """Write the sums, in one order everywhere, so that two processes do not block each other."""
        for (site_id, hour), counted in sorted(self.sums.items()):
            if self._site(site_id) is not None:
                sites.count(self._session, site_id, hour, counted)
        for one, number in sorted(self._visits.items(), key=lambda pair: (pair[0].day, pair[0].told)):
            visits.add(self._session, one, number)


def _kept(said: dict[str, Any]) -> View | Post:
    kind, told = (Post, said["form"]) if "form" in said else (View, said)
    return kind(**(told | {"at": datetime.fromisoformat(told["at"])}))


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
