"""Journeys in, credit out: the one function that shares deals over touches, and its explanation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from attribution.backends import open_backend
from attribution.held import open_journeys
from attribution.journeys import JourneyError
from attribution.models import ModelLike, fit, resolve
from attribution.paths import Journeys, Lookback
from attribution.results import UNATTRIBUTED, credits, totals
from attribution.sources import Source, read

BY = ("touch", "campaign", "channel", "kind", "conversion", "ad_material")
By = Literal["touch", "campaign", "channel", "kind", "conversion", "ad_material"]

__all__ = ["BY", "UNATTRIBUTED", "By", "attribute", "explain"]


def attribute(
    touches: Any,
    conversions: Any,
    models: Sequence[ModelLike],
    *,
    lookback_days: Lookback = None,
    by: By = "touch",
    engine: Any = "duckdb",
    half_life_days: float | None = None,
    answers: Any = None,
    output: str | Path | None = None,
) -> pa.Table:
    """Share every conversion over the touches that came before it, under each of several models.

    Parameters
    ----------
    touches, conversions : path, pyarrow.Table, pandas or polars frame
        The tables ``touches`` and ``conversions`` of the contract; a path ends in .parquet or .csv, or is a
        directory of Parquet files. Parquet is read by the engine itself and need not fit into memory.
    models : sequence of str or Model
        Names out of `MODELS`, or configured models such as ``TimeDecay(30)``.
    lookback_days : float, mapping or None, default None
        A touch counts if it happened at most so many days before the conversion. A mapping gives days per
        channel or kind of touch (the channel's wins); the key ``"*"`` stands for all others.
        None is no limit. Touches after the conversion never count.
    by : {"touch", "campaign", "channel", "kind", "conversion", "ad_material"}, default "touch"
        What to add credit up by.
    engine : {"duckdb", "spark", "polars"} or an open DuckDB connection or Spark session, default "duckdb"
        Where the work is done. The result is the same to the cent and to the row. ``"spark"`` needs the
        extra ``ringtrail[spark]`` and Java 17, and reads ``SPARK_REMOTE`` or ``SPARK_MASTER``.
    half_life_days : float or None, default None
        Half-life for the name ``"time-decay"``, in days; needed with that name.
    answers : path, pyarrow.Table, pandas or polars frame, or None, default None
        The table ``answers`` of the contract; needed by ``"self-reported"`` and ``"hybrid"``.
    output : path or None, default None
        With ``by="touch"``: a Parquet file (on Spark a directory) that the engine writes itself, so that the
        credits need not fit into memory. The table returned is then empty.

    Returns
    -------
    pyarrow.Table
        ``by="touch"``: the ``credits`` table, one row per model, conversion and touch: ``model``,
        ``conversion_id``, ``touch_id``, ``campaign``, ``channel``, ``weight`` (0 to 1, adding up to 1),
        ``credit_minor`` (int64, adding up to ``value_minor``), ``currency`` and, where the touches have it,
        ``ad_material``. Otherwise ``model``, the key, ``currency``, ``conversions`` (float64, the sum of
        weights) and ``credit_minor`` (int64, minor units).
        A conversion without a touch is kept under the campaign ``(unattributed)``. A touch of unknown
        source keeps null. Rows are sorted by model as given, then by key (nulls last) and currency.

    Raises
    ------
    JourneyError
        For input that breaks the contract, and for sums or paths too large to be right.
    ValueError
        For an unknown model, key or engine, or a setting out of range.

    Notes
    -----
    Credit says how a rule shares the revenue among the touches that were recorded. It does not say what
    would have happened without them: a campaign that only meets buyers who would have come anyway earns
    credit all the same. Credits in different currencies are never added.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from datetime import datetime, timezone
    >>> day = lambda d: datetime(2026, 3, d, tzinfo=timezone.utc)
    >>> touches = pa.table({"touch_id": ["t1", "t2", "t3"], "account_id": ["Borealis Foods"] * 3,
    ...     "occurred_at": [day(1), day(8), day(9)], "campaign": ["spring fair", "search ads", "search ads"],
    ...     "channel": ["fair", "search", "search"], "kind": ["event", "visit", "call"]})
    >>> won = pa.table({"conversion_id": ["c1"], "account_id": ["Borealis Foods"],
    ...     "converted_at": [day(20)], "value_minor": [1_000_00], "currency": ["EUR"]})
    >>> attribute(touches, won, ["first-touch", "linear"], by="campaign").select(
    ...     ["model", "campaign", "credit_minor"]).to_pylist()
    [{'model': 'first-touch', 'campaign': 'search ads', 'credit_minor': 0},
     {'model': 'first-touch', 'campaign': 'spring fair', 'credit_minor': 100000},
     {'model': 'linear', 'campaign': 'search ads', 'credit_minor': 66667},
     {'model': 'linear', 'campaign': 'spring fair', 'credit_minor': 33333}]
    """
    chosen = resolve(models, half_life_days)
    if by not in BY:
        raise ValueError(f"by is {by!r}; use one of {', '.join(BY)}")
    if output is not None and by != "touch":
        raise ValueError("output is for by='touch'; the other tables are small and returned")
    sources = [read(touches, "touches"), read(conversions, "conversions")]
    if answers is not None:
        sources.append(read(answers, "answers"))
    if by == "ad_material" and by not in sources[0].columns:
        raise JourneyError("the column is missing", "add it to the touches", table="touches", column=by)
    with open_backend(engine) as backend:
        if output is not None:
            journeys = Journeys(backend, sources, lookback_days)
        else:
            journeys = open_journeys(backend, sources, lookback_days, chosen, _asked(by, sources[0]))
        journeys.check(chosen)
        fitted = [fit(model, journeys) for model in chosen]
        if by == "touch":
            return credits(journeys, fitted, output)
        return totals(journeys, fitted, by)


def _asked(by: str, touches: Source) -> list[str]:
    """List the columns that a table of credit shows."""
    if by == "touch":
        return ["conversion_id", "touch_id", "campaign", "channel", *{"ad_material"} & set(touches.columns)]
    return ["conversion_id" if by == "conversion" else by]


def explain(
    touches: Any,
    conversions: Any,
    conversion_id: str | int,
    models: Sequence[ModelLike],
    **options: Any,
) -> pa.Table:
    """Show the journey of one conversion: each touch, and its weight and credit under each model.

    Parameters
    ----------
    touches, conversions : path, pyarrow.Table, pandas or polars frame
        As in `attribute`. All of them are needed: the fitted models learn from every journey.
    conversion_id : str or int
        The conversion to explain.
    models : sequence of str or Model
        As in `attribute`.
    **options
        ``lookback_days``, ``half_life_days``, ``answers`` and ``engine`` as in `attribute`.

    Returns
    -------
    pyarrow.Table
        One row per model and touch, in the order of the journey: ``model``, ``touch_id``, ``occurred_at``,
        ``kind``, ``channel``, ``campaign``, ``weight`` (0 to 1) and ``credit_minor`` (int64 minor units) and
        ``currency``. Touches outside the window do not appear.

    Raises
    ------
    JourneyError
        If there is no such conversion, or the input breaks the contract.

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
    >>> explain(touches, won, "c1", ["linear"]).select(["kind", "channel", "weight"]).to_pylist()
    [{'kind': 'event', 'channel': 'fair', 'weight': 0.5},
     {'kind': 'call', 'channel': 'search', 'weight': 0.5}]
    """
    orders, path = read(conversions, "conversions").rows(), read(touches, "touches").rows()
    order = orders.filter(pc.equal(orders["conversion_id"], conversion_id))
    if not order.num_rows:
        raise JourneyError(
            f"there is no conversion {conversion_id!r}", "check the identifier", table="conversions"
        )
    credit = attribute(path, orders, models, **options)
    mine = credit.filter(pc.equal(credit["conversion_id"], conversion_id))
    mine = mine.append_column("place", pa.array(range(mine.num_rows), pa.int64()))
    seen = path.select(["touch_id", "occurred_at", "kind"])
    # Without a touch, whole numbers as identifiers come back as text.
    seen = seen.set_column(0, "touch_id", seen["touch_id"].cast(mine.schema.field("touch_id").type))
    shown = mine.join(seen, "touch_id").sort_by("place")
    columns = [
        "model",
        "touch_id",
        "occurred_at",
        "kind",
        "channel",
        "campaign",
        "weight",
        "credit_minor",
        "currency",
    ]
    return shown.select(columns).combine_chunks()
