"""Credit kept apart by conversion: the table from which any period, filter and resample is a mere sum."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from attribution import kernel
from attribution.counts import COUNTS
from attribution.credit import UNIT
from attribution.engine import fitted, identifiers
from attribution.feeders import opened
from attribution.models import ModelLike, resolve
from attribution.paths import Lookback
from attribution.rules import Model
from attribution.sources import read_all

__all__ = ["UNIT", "counted", "shares", "solved"]


def counted(
    touches: Any,
    conversions: Any,
    models: Sequence[ModelLike],
    *,
    lookback_days: Lookback = None,
    answers: Any = None,
    engine: Any = "duckdb",
) -> pa.Table:
    """Count what models that are fitted learn from journeys.

    Parameters
    ----------
    touches, conversions, models, lookback_days, answers, engine
        As in `attribution.attribute`.

    Returns
    -------
    pyarrow.Table
        Columns of `attribution.counts.COUNTS`; counts of other accounts can be added to them.

    Raises
    ------
    JourneyError, ValueError
        As `attribution.attribute`.
    """
    chosen = resolve(models)
    sources = read_all(touches, conversions, answers)
    with opened(engine, sources, chosen, lookback_days, ["campaign"]) as feeder:
        return feeder.apply(partial(kernel.count, models=chosen), COUNTS, by=2)


def solved(models: Sequence[ModelLike], counts: pa.Table) -> list[Model]:
    """Fit models to what :func:`counted` gave, so that `shares` applies them to whichever journeys.

    Parameters
    ----------
    models : sequence of str or Model
        As in `attribution.attribute`.
    counts : pyarrow.Table
        As :func:`counted`, for these models.

    Returns
    -------
    list of Model
        The models in turn; rules stay as they are.

    Raises
    ------
    JourneyError
        Where the counts do not hold what a model needs.
    """
    return kernel.fit(resolve(models), counts)


def shares(
    touches: Any,
    conversions: Any,
    models: Sequence[ModelLike],
    *,
    lookback_days: Lookback = None,
    half_life_days: float | None = None,
    answers: Any = None,
    engine: Any = "duckdb",
) -> pa.Table:
    """Share every conversion over the campaigns that touched its account, a row for each two.

    Parameters
    ----------
    touches, conversions, models, lookback_days, half_life_days, answers, engine
        As in `attribution.attribute`.

    Returns
    -------
    pyarrow.Table
        ``conversion_id``, ``campaign`` (null: unknown source; ``(unattributed)``: what no touch explains)
        and for each model ``units NAME`` (int64, parts of a conversion in 1 / :data:`UNIT`, adding up to
        :data:`UNIT` per conversion) and ``credit NAME`` (int64 minor units, adding up to its value).

    Raises
    ------
    JourneyError
        As `attribution.attribute`.
    ValueError
        As `attribution.attribute`; and for a model with ``allocation='total'``, which knows no conversion.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from datetime import datetime, timezone
    >>> day = lambda d: datetime(2026, 3, d, tzinfo=timezone.utc)
    >>> touches = pa.table({"touch_id": ["t1", "t2"], "account_id": ["Borealis Foods"] * 2,
    ...     "occurred_at": [day(1), day(8)], "campaign": ["spring fair", "search ads"],
    ...     "channel": ["fair", "search"], "kind": ["event", "call"]})
    >>> won = pa.table({"conversion_id": ["c1"], "account_id": ["Borealis Foods"],
    ...     "converted_at": [day(20)], "value_minor": [1_000_00], "currency": ["EUR"]})
    >>> shares(touches, won, ["linear"]).sort_by("campaign").select(["campaign", "credit linear"]).to_pylist()
    [{'campaign': 'search ads', 'credit linear': 50000}, {'campaign': 'spring fair', 'credit linear': 50000}]
    """
    chosen = resolve(models, half_life_days)
    for model in chosen:
        if getattr(model, "allocation", None) == "total":
            raise ValueError(f"{model.shown}: allocation='total' belongs to no conversion; use 'journey'")
    sources = read_all(touches, conversions, answers)
    named = [("conversion_id", identifiers(sources)["conversion_id"]), ("campaign", pa.string())]
    schema = pa.schema([*named, *kernel.figure_fields(chosen)])
    with opened(engine, sources, chosen, lookback_days, ["campaign"]) as feeder:
        ready = fitted(feeder, chosen)
        rows = feeder.apply(partial(kernel.by_conversion, models=ready, schema=schema), schema)
    shown = [f"{kind} {model.shown}" for model in chosen for kind in ("units", "credit")]
    return rows.rename_columns(["conversion_id", "campaign", *shown]).combine_chunks()
