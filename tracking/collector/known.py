"""The web sites that may report, in memory and on the disk: they are known without the database too."""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from tracking.storage import db, keys
from tracking.storage.config import Settings
from tracking.storage.models import PoolNumber, Site

_FRESH_S = 5.0
"""How old what is known may be while pages report."""
_STRANGE_S = 1.0
"""How old it may be before a key that is not known is looked for again."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """What has to be known of a site to answer its pages."""

    id: int
    key: str
    origins: tuple[str, ...]
    consent: bool
    pool: int
    """Numbers in its pool."""
    hold_minutes: int


class KnownSites:
    """The sites of one installation, in one process."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine, self._file = engine, settings.data_dir / "sites.json"
        self._read_at: float | None = None
        self._sites = self._load()

    def by_key(self, key: str) -> Page | None:
        """Return the site that pages call by this key."""
        age = float("inf") if self._read_at is None else time.monotonic() - self._read_at
        if age > (_FRESH_S if key in self._sites else _STRANGE_S):
            self._refresh()
        return self._sites.get(key)

    def by_origin(self, origin: str) -> Page | None:
        """Return the site of this origin; None where several sites share it."""
        self.by_key("")
        found = [site for site in self._sites.values() if origin in site.origins]
        return found[0] if len(found) == 1 else None

    def _refresh(self) -> None:
        # Also where it fails, or each page view would wait for a database that is away.
        self._read_at = time.monotonic()
        try:
            with db.reading(self._engine) as session:
                in_pool = select(func.count(PoolNumber.id)).where(
                    PoolNumber.site_id == Site.id, PoolNumber.removed_at.is_(None)
                )
                wanted = (Site.id, Site.key, Site.origins, Site.consent, Site.hold_minutes)
                rows = session.execute(select(*wanted, in_pool.scalar_subquery().label("pool"))).all()
        except SQLAlchemyError as error:
            _log.warning("websites are as last known: the database is away (%s)", type(error).__name__)
            return
        fresh = {
            row.key: Page(row.id, row.key, tuple(row.origins), row.consent, row.pool, row.hold_minutes)
            for row in rows
        }
        if fresh != self._sites:
            self._sites = fresh
            try:
                text = json.dumps([asdict(one) for one in fresh.values()])
                keys.write(self._file, text, replace=True)
            except OSError as error:
                _log.warning("the copy of the websites could not be written: %s", error)

    def _load(self) -> Mapping[str, Page]:
        try:
            told = json.loads(self._file.read_text())
            found = [Page(**(one | {"origins": tuple(one["origins"])})) for one in told]
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return {one.key: one for one in found}
