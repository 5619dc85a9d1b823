"""Journeys in, credit out: the one function that shares deals over touches, and its explanation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from attribution import kernel
from attribution.counts import COUNTS
from attribution.feeders import Feeder, opened
from attribution.journeys import UNATTRIBUTED, JourneyError
from attribution.models import ModelLike, resolve
from attribution.paths import Lookback
from attribution.rules import Model
from attribution.sources import Source, read, read_all

By = Literal["touch", "campaign", "channel", "kind", "conversion", "ad_material"]
BY = get_args(By)

__all__ = ["BY", "UNATTRIBUTED", "By", "attribute", "explain", "fitted"]


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
        None is no limit. Touches after the conversion never count. A name that is neither a kind nor a
        channel of these touches is refused.
    by : {"touch", "campaign", "channel", "kind", "conversion", "ad_material"}, default "touch"
        What to add credit up by.
    engine : {"duckdb", "spark"} or an open DuckDB connection or Spark session, default "duckdb"
        What reads files of more than 20 million touches: DuckDB, in buckets of accounts on its disk; or what
        reads all files: Spark. The result is the same to the cent and to the row. ``"spark"`` needs the
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
        ``conversion_id``, ``touch_id``, ``campaign``, ``channel``, ``weight`` (0 to 1, adding up to 1; with
        ``allocation="total"`` the conversions that its source is worth, spread over the source's touches),
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
    for model in chosen:
        _refuse_total(model, by, output)
    sources = read_all(touches, conversions, answers)
    if by == "ad_material" and by not in sources[0].columns:
        raise JourneyError("the column is missing", "add it to the touches", table="touches", column=by)
    material = by == "touch" and "ad_material" in sources[0].columns
    keys = (
        ["touch_id", "campaign", "channel", *(["ad_material"] if material else [])] if by == "touch" else [by]
    )
    with opened(engine, sources, chosen, lookback_days, keys) as feeder:
        ready = fitted(feeder, chosen)
        if by == "touch":
            return _credits(feeder, ready, identifiers(sources), material, output)
        kinds = identifiers(sources) | dict.fromkeys(kernel.COLUMNS, pa.string())
        key = "conversion_id" if by == "conversion" else by
        named = [(key, kinds[key]), ("currency", pa.string())]
        schema = pa.schema([*named, *kernel.figure_fields(ready)])
        rows = feeder.apply(partial(kernel.by_key, models=ready, schema=schema), schema, by=2)
        return kernel.totals(rows, ready)


def fitted(feeder: Feeder, models: Sequence[Model]) -> list[Model]:
    """Count what models learn from over all journeys, and solve them."""
    if not any(model.fitted for model in models):
        return list(models)
    return kernel.fit(models, feeder.apply(partial(kernel.count, models=models), COUNTS, by=2))


def identifiers(sources: Sequence[Source]) -> dict[str, pa.DataType]:
    """Give the types of identifiers: text, or whole numbers."""
    kinds = {name: kind for source in sources for name, kind in source.columns.items()}
    return {
        name: pa.int64() if pa.types.is_integer(kinds[name]) else pa.string()
        for name in ("touch_id", "conversion_id", "account_id")
    }


def _refuse_total(model: Model, by: str, output: Any) -> None:
    """Refuse to spread the sum of all conversions over what its sources are not."""
    if getattr(model, "allocation", None) != "total":
        return
    (states,) = model.reads
    if by not in ("touch", states):
        raise ValueError(
            f"{model.shown}: allocation='total' knows only each {states} and its touches; use by={states!r} "
            "or by='touch', or allocation='journey'"
        )
    if output is not None:
        raise ValueError(
            f"{model.shown}: allocation='total' by touch is returned, not written; leave out output"
        )


def _credits(
    feeder: Feeder,
    models: Sequence[Model],
    kinds: dict[str, pa.DataType],
    material: bool,
    output: str | Path | None,
) -> pa.Table:
    schema = kernel.wide_schema(models, kinds, material)
    wide = partial(kernel.by_touch, models=models, schema=schema)
    if output is None:
        return kernel.long(kernel.in_order(feeder.apply(wide, schema)), models)
    nothing = kernel.long(schema.empty_table(), models)
    feeder.write(lambda journeys: kernel.long(wide(journeys), models), nothing.schema, Path(output))
    return nothing


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
    won, path = read(conversions, "conversions").rows(), read(touches, "touches").rows()
    place = pc.index(won["conversion_id"].cast(pa.string()), str(conversion_id)).as_py()
    if place < 0:
        reason = f"there is no conversion {conversion_id!r}"
        raise JourneyError(reason, "check the identifier", table="conversions")
    mine, chosen = won.slice(place, 1), resolve(models, options.pop("half_life_days", None))
    if not any(model.fitted for model in chosen):
        # A rule looks at one account alone.
        own = mine["account_id"].combine_chunks()
        path, won = (rows.filter(pc.is_in(rows["account_id"], value_set=own)) for rows in (path, won))
    credit = attribute(path, won, chosen, **options)
    credit = credit.filter(pc.equal(credit["conversion_id"], mine["conversion_id"][0]))
    seen = pc.index_in(credit["touch_id"], path["touch_id"].combine_chunks())
    figures = {"model": credit["model"], "touch_id": credit["touch_id"]}
    figures |= {name: path[name].take(seen) for name in ("occurred_at", "kind")}
    figures |= {name: credit[name] for name in ("channel", "campaign", "weight", "credit_minor", "currency")}
    return pa.table(figures).combine_chunks()
