"""What the models credit, by day and by won deal: any period is a sum of it, and a change adds to it."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from attribution import MODELS, JourneyError
from attribution.models import FITTED
from reports.daily import added_up, credit_by_day, taken_away
from reports.roi import LINE, Learned, counted, credited, learned
from tracking.reporting.journeys import Journeys
from tracking.storage.columns import replace_rows, sorted_by

# What is worked out in one pass over the journeys. "custom" has no weights of its own to be reported.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "rules": tuple(name for name in MODELS if name not in FITTED and name != "custom"),
    "fitted": FITTED,
}
FRONT = ("position-based", "linear")
"""The models that pages put first: of what their leads may still bring each line is needed."""


_SAFE = 2.0**62


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
    """What some models credit: by day as ``reports.daily.credit_by_day``, and each won deal by account."""

    daily: pa.Table
    won: pa.Table
    missing: Mapping[str, str] = field(default_factory=dict)
    """Models of the group that these data do not support, and why."""
    version: str | None = ""
    """Differs among snapshots of a base where ``won`` does; None: no other snapshot has the same."""
    front: Mapping[str, pa.Table] = field(default_factory=dict)
    """What each of :data:`FRONT` credits in each conversion, where all of it was worked out."""


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
    def version(self) -> tuple[tuple[str, str | None], ...]:
        """Return what differs among snapshots of a base where the credit of won deals does."""
        return tuple((model, part.version) for model, part in self.parts.items())

    @property
    def is_shared(self) -> bool:
        """Tell whether other snapshots of the base may have the same credit of won deals."""
        return all(part.version is not None for part in self.parts.values())


def group_of(model: str) -> str:
    """Return the name of the group that a model is worked out in."""
    return "fitted" if model in FITTED else "rules"


def lines(tables: Journeys, models: Sequence[str], window: Window, fitted: Learned | None = None) -> pa.Table:
    """Return what models credit each campaign with in each conversion, by account.

    Models that are fitted to data are fitted to these journeys, unless they come as ``fitted`` to others.

    Raises
    ------
    JourneyError
        Where the data do not hold what a model needs.
    """
    days = {"lookback_days": window.lookback_days, "half_life_days": window.half_life_days}
    return sorted_by(credited(tables, models, **days, fitted=fitted), "account_id")


def counts_of(tables: Journeys, window: Window) -> pa.Table:
    """Count what the fitted models learn from journeys."""
    parts = [counted(part, FITTED, lookback_days=window.lookback_days) for part in tables.parts()]
    return pa.concat_tables(parts)


def fitted_to(counts: pa.Table, models: Sequence[str]) -> Learned:
    """Fit some models to what :func:`counts_of` gave; raises as :func:`lines`."""
    return learned(models, counts.filter(pc.is_in(counts["model"], pa.array(models))))


def part_of(
    tables: Journeys, group: str, window: Window, zone: ZoneInfo, counts: pa.Table | None = None
) -> Part:
    """Work out what a group of models credits, without those that the data do not support.

    Fitted models are fitted to ``counts``, from :func:`counts_of`; without them to all journeys in memory.
    """
    models, missing = GROUPS[group], {}
    try:
        return _part(tables, models, window, zone, counts)
    except JourneyError:
        # One that these data do not support spoils no other.
        missing = {model: reason for model in models if (reason := _obstacle(tables, model, window, counts))}
        left = [model for model in models if model not in missing]
        return replace(_part(tables, left, window, zone, counts), missing=missing)


def _part(
    tables: Journeys, models: Sequence[str], window: Window, zone: ZoneInfo, counts: pa.Table | None
) -> Part:
    daily, won = [], []
    front: dict[str, list[pa.Table]] = {model: [] for model in FRONT if model in models}
    for rows in _lines(tables, models, window, counts):
        daily.append(credit_by_day(rows, zone))
        won.append(_won(rows))
        for model, parts in front.items():
            parts.append(rows.select([*LINE, f"units {model}", f"credit {model}"]))
    return Part(
        added_up(pa.concat_tables(daily)),
        _together(won),
        front={model: _together(parts) for model, parts in front.items()},
    )


def _lines(
    tables: Journeys, models: Sequence[str], window: Window, counts: pa.Table | None
) -> Iterator[pa.Table]:
    """Yield what models credit in each conversion, some accounts at a time where that makes no difference."""
    learn = not set(FITTED).isdisjoint(models)
    fitted = fitted_to(counts, models) if learn and counts is not None else None
    # A sum that no whole number holds is refused where it is seen as a whole.
    worth = pc.sum(pc.abs(tables.conversions["value_minor"]).cast(pa.float64())).as_py() or 0.0
    for part in [tables] if (learn and fitted is None) or worth > _SAFE else tables.parts():
        yield lines(part, models, window, fitted)


def _together(parts: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks()


def changed(base: Part, old: pa.Table, new: pa.Table, zone: ZoneInfo) -> Part:
    """Return a part in which some accounts have other rows of :func:`lines` than they had."""
    daily = pa.concat_tables([base.daily, credit_by_day(new, zone), taken_away(credit_by_day(old, zone))])
    daily, before, after = daily.unify_dictionaries(), _won(old), _won(new)
    if _same(before, after):
        return Part(daily, base.won, base.missing, base.version)
    accounts = pc.unique(pa.concat_tables([before, after])["account_id"]).to_numpy()
    assert base.version is not None, "it is the base's own"
    version = _digest([base.version.encode(), *map(_bytes, (before, after))])
    return Part(daily, replace_rows(base.won, accounts, after), base.missing, version)


def _obstacle(tables: Journeys, model: str, window: Window, counts: pa.Table | None) -> str | None:
    try:
        for _ in _lines(tables, [model], window, counts):
            pass
    except JourneyError as error:
        return str(error)
    return None


def _won(rows: pa.Table) -> pa.Table:
    return rows.filter(pc.equal(rows["goal"], "won"))


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
