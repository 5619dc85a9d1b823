"""The ROI report as every edge gives it: one snapshot of the data, the same defaults everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
from sqlalchemy.orm import Session

from attribution import MODELS, JourneyError
from reports.kpis import Period
from reports.roi import roi
from tracking import journeys
from tracking.config import Settings
from tracking.errors import Invalid

DEFAULT_DAYS = 365
# "custom" has no weights of its own; a report names only models that a name alone describes.
REPORTED = tuple(name for name in MODELS if name != "custom")


@dataclass(frozen=True, slots=True)
class RoiReport:
    """An ROI table (columns of reports.roi.ROI) and what it was made with."""

    table: pa.Table
    models: tuple[str, ...]
    period: Period
    lookback_days: float
    currency: str
    unavailable: dict[str, str]
    """Models that these data do not support, and why."""

    @property
    def last_day(self) -> date:
        """Return the last day covered."""
        return self.period.end - timedelta(days=1)


def period_of(settings: Settings, today: date, first: date | None, last: date | None) -> Period:
    """Return the local days from ``first`` to ``last``, both covered; by default the year up to today."""
    last = last or today
    first = first or last - timedelta(days=DEFAULT_DAYS - 1)
    if last < first:
        raise Invalid("to", f"{last} lies before the first day, {first}; exchange them")
    return Period(first, last + timedelta(days=1), settings.zone)


def roi_report(
    session: Session,
    settings: Settings,
    models: Sequence[str],
    *,
    today: date,
    first: date | None = None,
    last: date | None = None,
    lookback_days: float | None = None,
) -> RoiReport:
    """Set each campaign's credited revenue against its cost, under each of ``models``.

    A model that needs what the data do not hold (answers, several channels) is named in ``unavailable``;
    it spoils no other.

    Raises
    ------
    Invalid
        If a model is unknown, or none of them can be computed.
    """
    if unknown := [name for name in models if name not in REPORTED]:
        raise Invalid("model", f"{unknown[0]!r} is no attribution model; choose among {', '.join(REPORTED)}")
    wanted = tuple(dict.fromkeys(models))
    period = period_of(settings, today, first, last)
    days = lookback_days or settings.lookback_days
    tables = journeys.export(session, currency=settings.currency)
    parts, unavailable = _tables(tables, wanted, period, settings, days)
    if not parts:
        raise Invalid("model", "; ".join(f"{name}: {reason}" for name, reason in unavailable.items()))
    shown = tuple(name for name in wanted if name not in unavailable)
    return RoiReport(pa.concat_tables(parts), shown, period, days, settings.currency, unavailable)


def _tables(
    tables: journeys.Journeys, models: tuple[str, ...], period: Period, settings: Settings, days: float
) -> tuple[list[pa.Table], dict[str, str]]:
    try:
        table = roi(
            tables,
            models,
            period,
            currency=settings.currency,
            lookback_days=days,
            half_life_days=settings.half_life_days,
        )
        return [table], {}
    except JourneyError as error:
        if len(models) == 1:
            return [], {models[0]: str(error)}
    # All in one pass is the fast way; only where one of them cannot be computed, each goes alone.
    parts: list[pa.Table] = []
    unavailable: dict[str, str] = {}
    for model in models:
        part, reason = _tables(tables, (model,), period, settings, days)
        parts += part
        unavailable |= reason
    return parts, unavailable
