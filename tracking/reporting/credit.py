"""What the models credit, by day and by won deal: any period is a sum of it, and a change adds to it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from attribution import MODELS
from attribution.models import FITTED
from reports.roi import by_day, credited, taken_away
from tracking.reporting.journeys import Journeys
from tracking.storage.columns import replace_rows, sorted_by

RULES = tuple(name for name in MODELS if name not in FITTED and name != "custom")
# A rule looks at one journey at a time, so all rules are worked out in one pass; a model that is fitted to
# data goes alone, since one that the data do not support shall spoil no other.
GROUPS: Mapping[str, tuple[str, ...]] = {"rules": RULES} | {name: (name,) for name in FITTED}


@dataclass(frozen=True, slots=True)
class Window:
    """What a touch must keep to in order to earn credit, in days."""

    lookback_days: float
    half_life_days: float

    def __str__(self) -> str:
        """Return it as a part of a file's name."""
        return f"{self.lookback_days:g}-{self.half_life_days:g}"


@dataclass(frozen=True, slots=True)
class Part:
    """What some models credit: by day as ``reports.roi.by_day``, and each won deal by account."""

    daily: pa.Table
    won: pa.Table
    version: str = ""
    """Differs where ``won`` does."""


@dataclass(frozen=True, slots=True)
class Credit:
    """What each of several models credits, and which models these data do not support and why."""

    parts: Mapping[str, Part]
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def daily(self) -> dict[str, pa.Table]:
        """Return for each model its credit by day."""
        return {model: part.daily for model, part in self.parts.items()}

    @property
    def won(self) -> dict[str, pa.Table]:
        """Return for each model its credit of each won deal."""
        return {model: part.won for model, part in self.parts.items()}

    @property
    def version(self) -> tuple[tuple[str, str], ...]:
        """Return what differs where the credit of won deals does."""
        return tuple((model, part.version) for model, part in self.parts.items())


def group_of(model: str) -> str:
    """Return the name of the group that a model is worked out in."""
    return model if model in FITTED else "rules"


def lines(tables: Journeys, models: Sequence[str], window: Window) -> pa.Table:
    """Return what models credit each campaign with in each conversion, by account.

    Raises
    ------
    JourneyError
        Where the data do not hold what a model needs.
    """
    rows = credited(tables, models, lookback_days=window.lookback_days, half_life_days=window.half_life_days)
    return sorted_by(rows, "account_id")


def part_of(rows: pa.Table, zone: ZoneInfo, version: str = "") -> Part:
    """Add the rows of :func:`lines` up."""
    return Part(by_day(rows, zone), rows.filter(pc.equal(rows["goal"], "won")), version)


def changed(base: Part, old: pa.Table, new: pa.Table, zone: ZoneInfo) -> Part:
    """Return a part in which some accounts have other rows than they had."""
    before, after = part_of(old, zone), part_of(new, zone)
    daily = _joined([base.daily, after.daily, taken_away(before.daily)])
    if _same(before.won, after.won):
        return Part(daily, base.won, base.version)
    accounts = pc.unique(pa.concat_tables([before.won, after.won])["account_id"]).to_numpy()
    won = replace_rows(base.won, accounts, after.won)
    return Part(daily, won, _digest([base.version.encode(), *map(_bytes, (before.won, after.won))]))


def _joined(tables: Iterable[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).unify_dictionaries()


def _same(one: pa.Table, other: pa.Table) -> bool:
    return one.num_rows == other.num_rows and _bytes(one) == _bytes(other)


def _bytes(table: pa.Table) -> bytes:
    order = [(name, "ascending") for name in ("account_id", "conversion_id", "campaign")]
    plain = table.set_column(
        table.column_names.index("campaign"), "campaign", table["campaign"].cast(pa.string())
    )
    return repr(plain.sort_by(order).to_pylist()).encode()


def _digest(parts: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()[:20]
