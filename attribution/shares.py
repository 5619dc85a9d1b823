"""Credit kept apart by conversion: the table from which any period, filter and resample is a mere sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc

from attribution.answers import Reporting
from attribution.backends import open_backend
from attribution.credit import UNIT
from attribution.held import open_journeys
from attribution.hybrid import Blended
from attribution.models import ModelLike, fit, resolve
from attribution.paths import Journeys, Lookback
from attribution.results import UNATTRIBUTED, added_up, plain, reported, summed
from attribution.rules import Lookup, Model
from attribution.sources import read

__all__ = ["UNIT", "shares"]


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
        if isinstance(model, Lookup) and model.total:
            raise ValueError(f"{model.shown}: allocation='total' belongs to no conversion; use 'journey'")
    sources = [read(touches, "touches"), read(conversions, "conversions")]
    if answers is not None:
        sources.append(read(answers, "answers"))
    with open_backend(engine) as backend:
        journeys = open_journeys(backend, sources, lookback_days, chosen, ["conversion_id", "campaign"])
        journeys.check(chosen)
        return _by_conversion(journeys, [fit(model, journeys) for model in chosen])


def _by_conversion(journeys: Journeys, models: Sequence[Model]) -> pa.Table:
    keys = ["conversion_id", "campaign"]
    size, sign = nw.col("size"), nw.col("sign")
    names = [f"{kind}{i}" for i in range(len(models)) for kind in ("u", "c")]
    tables = [added_up(journeys, models, ["campaign"], keys)]
    for i, model in enumerate(models):
        if isinstance(model, Reporting | Blended):
            told, share = reported(journeys, model)
            mine = {name: nw.lit(0, nw.Int64) for name in names}
            mine |= {f"u{i}": share.units(), f"c{i}": share.credit(size, sign)}
            tables.append(summed(told.select(*keys, **mine), keys, names))
    given = pa.concat_tables(tables)
    whole = journeys.conversions.select(
        "conversion_id",
        **{name: nw.lit(UNIT, nw.Int64) if name[0] == "u" else nw.col("value_minor") for name in names},
    )
    everything = plain(whole.collect("pyarrow").to_arrow())
    # What nothing explains is the conversion less what has been given.
    sums = given.group_by("conversion_id").aggregate([(name, "sum") for name in names])
    left = everything.join(sums, "conversion_id", join_type="left outer")
    rest = {name: pc.subtract(left[name], pc.fill_null(left[f"{name}_sum"], 0)) for name in names}
    some = pc.greater(rest[names[0]], 0)
    for name in names[2::2]:
        some = pc.or_(some, pc.greater(rest[name], 0))
    nobody = pa.repeat(pa.scalar(UNATTRIBUTED), left.num_rows)
    over = pa.table({"conversion_id": left["conversion_id"], "campaign": nobody, **rest}).filter(some)
    result = pa.concat_tables([given, over.cast(given.schema)])
    shown = [f"{kind} {model.shown}" for model in models for kind in ("units", "credit")]
    return result.rename_columns(["conversion_id", "campaign", *shown]).combine_chunks()
