"""Journeys in, credit out: all models in one pass over the windows, on DuckDB, Polars or Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc

from attribution.backends import Backend, open_backend, write_long
from attribution.credit import LARGEST_DENOMINATOR, UNIT, Cut, Share
from attribution.journeys import KINDS, JourneyError
from attribution.models import ModelLike, resolve
from attribution.rules import DAY, Model, RuleModel, WeightModel
from attribution.sources import Source, check_rows, read

UNATTRIBUTED = "(unattributed)"
"""The campaign of a conversion that no touch precedes within its window."""

BY = ("touch", "campaign", "channel", "kind", "conversion", "ad_material")
By = Literal["touch", "campaign", "channel", "kind", "conversion", "ad_material"]
Lookback = float | Mapping[str, float] | None

MILESTONES = ("lead", "qualified", "opportunity")
DIRECT = ("direct",)
PATH = ("conversion_id",)
ORDER = ("at", "touch_id")


def attribute(
    touches: Any,
    conversions: Any,
    models: Sequence[ModelLike],
    *,
    lookback_days: Lookback = None,
    by: By = "touch",
    engine: Any = "duckdb",
    half_life_days: float | None = None,
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
    output : path or None, default None
        With ``by="touch"``: a Parquet file (on Spark a directory) that the engine writes itself, so that the
        credits need not fit into memory. The table returned is then empty.

    Returns
    -------
    pyarrow.Table
        ``by="touch"``: the ``credits`` table, one row per model, conversion and touch: ``model``,
        ``conversion_id``, ``touch_id``, ``campaign``, ``channel``, ``weight`` (0 to 1, adding up to 1),
        ``credit_minor`` (int64, adding up to ``value_minor``), ``currency`` and, where the touches have it,
        ``ad_material``. Otherwise ``model``, the key, ``currency``, ``conversions`` (float64, the sum of weights) and ``credit_minor``.
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
    sources = read(touches, "touches"), read(conversions, "conversions")
    if by == "ad_material" and by not in sources[0].columns:
        raise JourneyError("the column is missing", "add it to the touches", table="touches", column=by)
    with open_backend(engine) as backend:
        journeys = Journeys(backend, *sources, lookback_days)
        journeys.check(chosen)
        if by == "touch":
            return journeys.credits(chosen, output)
        return journeys.totals(chosen, by)


class Journeys:
    """Touches and conversions opened on one engine, ready to be cut into paths."""

    def __init__(self, backend: Backend, touches: Source, conversions: Source, lookback: Lookback) -> None:
        self.backend = backend
        self.touch_columns = touches.columns
        self.touches = backend.load(touches)
        self.conversions = backend.load(conversions)
        self.lookback = lookback
        self._sources = touches, conversions
        missing = [m for m in MILESTONES if f"{m}_at" not in conversions.columns]
        if missing:
            self.conversions = self.conversions.with_columns(
                **{f"{m}_at": nw.lit(None, nw.Int64) for m in missing}
            )

    def check(self, models: Sequence[Model]) -> None:
        """Refuse rows that break the contract, and figures too large to stay exact."""
        check_rows(self.touches, self._sources[0])
        check_rows(self.conversions, self._sources[1])
        size = nw.col("value_minor").abs().cast(nw.Float64).sum()
        for row in self.conversions.group_by("currency").agg(size.alias("size")).collect("pyarrow").rows():
            if row[1] >= 9.2e18:
                raise JourneyError(
                    f"the values in {row[0]} add up to {row[1]:.3g} minor units, beyond 9.2e18",
                    "share fewer conversions at a time, or give values in whole units",
                    table="conversions",
                    column="value_minor",
                )
        coarse = max((m.parts for m in models if isinstance(m, RuleModel)), default=1)
        if coarse > 1:
            self._check_length(coarse)

    def _check_length(self, parts: int) -> None:
        counts = self.touches.group_by("account_id").agg(nw.len().alias("n"))
        longest = counts.select(nw.col("n").max()).collect("pyarrow").item()
        if longest is not None and longest * parts >= LARGEST_DENOMINATOR:
            raise JourneyError(
                f"one account has {longest} touches, too many to share in {parts} parts exactly",
                "set lookback_days, use rounder shares, or leave out a switchboard that is no buyer",
                table="touches",
                column="account_id",
            )

    def paths(self, models: Sequence[Model], keep: Sequence[str] = ()) -> nw.LazyFrame[Any]:
        """Join each conversion with the touches in its window, and number them."""
        wanted = frozenset().union(*(model.windows for model in models))
        needs = {"channel"} if "known" in wanted else set()
        for model in models:
            needs |= model.reads
        touch_columns = list(dict.fromkeys(["touch_id", "account_id", "occurred_at", *keep, *sorted(needs)]))
        if isinstance(self.lookback, Mapping):
            touch_columns = list(dict.fromkeys([*touch_columns, "channel", "kind"]))
        milestones = [m for m in MILESTONES if f"{m}_k" in wanted]
        columns = ["conversion_id", "account_id", "converted_at", "value_minor", "currency"]
        joined = self.conversions.select(*columns, *(f"{m}_at" for m in milestones)).join(
            self.touches.select(*touch_columns).rename({"occurred_at": "at"}), on="account_id", how="inner"
        )
        inside = self._inside(joined)
        flags: dict[str, nw.Expr] = {}
        if "known" in wanted:
            known = ~nw.col("channel").is_null() & ~nw.col("channel").is_in(DIRECT)
            flags["known"] = nw.when(known).then(nw.lit(1)).otherwise(nw.lit(0))
        for m in milestones:
            reached = nw.col("at") <= nw.col(f"{m}_at")
            flags[f"{m}_reached"] = nw.when(reached).then(nw.lit(1)).otherwise(nw.lit(0))
        if flags:
            inside = inside.with_columns(**flags)
        numbered = {
            "k": nw.col("conversion_id").cum_count().over(*PATH, order_by=ORDER).cast(nw.Float64),
            "n": nw.col("conversion_id").count().over(*PATH).cast(nw.Float64),
        }
        if "last_at" in wanted:
            numbered["last_at"] = nw.col("at").max().over(*PATH)
        if "known" in wanted:
            numbered["known_k"] = nw.col("known").cum_sum().over(*PATH, order_by=ORDER).cast(nw.Float64)
            numbered["known_n"] = nw.col("known").sum().over(*PATH).cast(nw.Float64)
        for m in milestones:
            numbered[f"{m}_k"] = nw.col(f"{m}_reached").sum().over(*PATH).cast(nw.Float64)
        size = nw.col("value_minor").abs().cast(nw.Float64)
        sign = nw.when(nw.col("value_minor") < 0).then(nw.lit(-1.0)).otherwise(nw.lit(1.0))
        result = inside.with_columns(**numbered, size=size, sign=sign)
        return result.with_columns(known=nw.col("known") == 1) if "known" in wanted else result

    def _inside(self, joined: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        before = joined.filter(nw.col("at") <= nw.col("converted_at"))
        if self.lookback is None:
            return before
        if not isinstance(self.lookback, Mapping):
            return before.filter(nw.col("at") >= nw.col("converted_at") - _microseconds(self.lookback))
        rest = self.lookback.get("*")
        allowed = nw.lit(None if rest is None else _microseconds(rest), nw.Int64)
        names = [name for name in self.lookback if name != "*"]
        # The later condition wraps the earlier: kinds first, so that a channel's window wins.
        for column in ("kind", "channel"):
            for name in names:
                if (name in KINDS) is (column == "kind") or column == "channel":
                    days = nw.lit(_microseconds(self.lookback[name]))
                    allowed = nw.when(nw.col(column) == name).then(days).otherwise(allowed)
        recent = nw.col("at") >= nw.col("converted_at") - nw.col("window")
        kept = before.with_columns(window=allowed).filter(nw.col("window").is_null() | recent)
        return kept.drop("window")

    def cut(self, models: Sequence[Model], keep: Sequence[str]) -> tuple[nw.LazyFrame[Any], list[Cut]]:
        """Give the paths with everything prepared, and each model's cut of a row."""
        frame = self.paths(models, keep)
        stages = [model.prepare(f"m{i}") for i, model in enumerate(models)]
        for stage in zip_longest(*stages, fillvalue={}):
            frame = frame.with_columns(**{name: column for part in stage for name, column in part.items()})
        weighted = {i: model for i, model in enumerate(models) if isinstance(model, WeightModel)}
        if weighted:
            frame = _with_cumulative_weights(frame, weighted)
        cuts: list[Cut] = []
        ends: dict[str, nw.Expr] = {}
        for i, model in enumerate(models):
            share = model.cut(f"m{i}") if isinstance(model, RuleModel) else _share_of_weights(f"m{i}")
            if isinstance(share, Share):
                ends |= {f"m{i}_from": share.before, f"m{i}_to": share.after, f"m{i}_of": share.total}
                share = Share(nw.col(f"m{i}_from"), nw.col(f"m{i}_to"), nw.col(f"m{i}_of"), share.exact)
            cuts.append(share)
        return frame.with_columns(**ends) if ends else frame, cuts

    def totals(self, models: Sequence[Model], by: By) -> pa.Table:
        """Add up weights and credit by a key and currency."""
        key = "conversion_id" if by == "conversion" else by
        frame, cuts = self.cut(models, [] if by == "conversion" else [key])
        size, sign = nw.col("size"), nw.col("sign")
        parts = {f"u{i}": cut.units() for i, cut in enumerate(cuts)}
        parts |= {f"c{i}": cut.credit(size, sign) for i, cut in enumerate(cuts)}
        grouped = (
            frame.select(key, "currency", **parts)
            .group_by(key, "currency")
            .agg(*(nw.col(name).sum() for name in parts))
            .select(key, "currency", *(nw.col(name).cast(nw.Int64) for name in parts))
        )
        rows = _plain(grouped.collect("pyarrow").to_arrow())
        return self._long(rows, models, key, by)

    def _long(self, rows: pa.Table, models: Sequence[Model], key: str, by: By) -> pa.Table:
        left = self._unattributed(rows, key, by)
        tables = []
        for i, model in enumerate(models):
            columns = {key: rows[key], "currency": rows["currency"]}
            units, credit = rows[f"u{i}"].cast(pa.int64()), rows[f"c{i}"].cast(pa.int64())
            part = pa.table({**columns, "units": units, "credit_minor": credit})
            if left is not None:
                part = pa.concat_tables([part, left.cast(part.schema)])
            # A double holds 2^53: whole conversions and the rest are divided apart.
            conversions = pc.divide(part["units"].cast(pa.float64(), safe=False), float(UNIT))
            part = part.append_column("conversions", conversions)
            part = part.select([key, "currency", "conversions", "credit_minor"])
            part = part.sort_by([(key, "ascending"), ("currency", "ascending")])
            part = part.add_column(0, "model", pa.repeat(pa.scalar(model.shown), part.num_rows))
            tables.append(part)
        return pa.concat_tables(tables).combine_chunks()

    def _unattributed(self, rows: pa.Table, key: str, by: By) -> pa.Table | None:
        """Find what no touch explains: by subtraction, so that the paths are built only once."""
        if by == "conversion":
            left = (
                self.conversions.select("conversion_id", "currency", "value_minor")
                .collect("pyarrow")
                .to_arrow()
            )
            mask = pc.invert(pc.is_in(left["conversion_id"], value_set=rows["conversion_id"]))
            left = left.filter(mask)
            units = pa.repeat(pa.scalar(UNIT, pa.int64()), left.num_rows)
            columns = [left["conversion_id"], left["currency"], units, left["value_minor"]]
            return pa.table(columns, names=[key, "currency", "units", "credit_minor"])
        everything = (
            self.conversions.group_by("currency")
            .agg(nw.len().alias("count"), nw.col("value_minor").sum().alias("value"))
            .select("currency", nw.col("count").cast(nw.Int64), nw.col("value").cast(nw.Int64))
            .collect("pyarrow")
        )
        shared = rows.group_by("currency").aggregate([("u0", "sum"), ("c0", "sum")]).to_pylist()
        given = {row["currency"]: (row["u0_sum"], row["c0_sum"]) for row in shared}
        currencies, units_left, values_left = [], [], []
        for currency, count, value in everything.rows():
            units, credit = given.get(currency, (0, 0))
            if count * UNIT > units:
                currencies.append(currency)
                units_left.append(count * UNIT - units)
                values_left.append(value - credit)
        if not currencies:
            return None
        names = pa.array([UNATTRIBUTED] * len(currencies), pa.string())
        return pa.table(
            {
                key: names,
                "currency": pa.array(currencies, pa.string()),
                "units": pa.array(units_left, pa.int64()),
                "credit_minor": pa.array(values_left, pa.int64()),
            }
        )

    def credits(self, models: Sequence[Model], output: str | Path | None) -> pa.Table:
        """Give the credits table of the contract, or have the engine write it."""
        material = ["ad_material"] if "ad_material" in self.touch_columns else []
        keep = ["campaign", "channel", *material]
        frame, cuts = self.cut(models, keep)
        size, sign = nw.col("size"), nw.col("sign")
        parts = {f"w{i}": cut.weight() for i, cut in enumerate(cuts)}
        parts |= {f"c{i}": cut.credit(size, sign) for i, cut in enumerate(cuts)}
        wide = frame.select("conversion_id", "touch_id", *keep, "currency", "k", **parts)
        wide = nw.concat([wide, self._untouched(wide, len(models))], how="vertical")
        if output is not None:
            write_long(self.backend, wide, [m.shown for m in models], material, output)
            wide = wide.head(0)
        rows = _plain(wide.collect("pyarrow").to_arrow())
        rows = rows.sort_by([("conversion_id", "ascending"), ("k", "ascending")])
        tables = []
        for i, model in enumerate(models):
            named = {
                "model": pa.repeat(pa.scalar(model.shown), rows.num_rows),
                "conversion_id": rows["conversion_id"],
                "touch_id": rows["touch_id"],
                "campaign": rows["campaign"],
                "channel": rows["channel"],
                "weight": rows[f"w{i}"],
                "credit_minor": rows[f"c{i}"].cast(pa.int64()),
                "currency": rows["currency"],
            }
            named |= {name: rows[name] for name in material}
            tables.append(pa.table(named))
        return pa.concat_tables(tables).combine_chunks()

    def _untouched(self, wide: nw.LazyFrame[Any], models: int) -> nw.LazyFrame[Any]:
        reached = self.conversions.select("conversion_id", "account_id", "converted_at").join(
            self.touches.select("account_id", "channel", "kind", at=nw.col("occurred_at")),
            on="account_id",
            how="inner",
        )
        reached = self._inside(reached).select("conversion_id").unique()
        alone = self.conversions.join(reached, on="conversion_id", how="anti")
        schema = wide.collect_schema()
        columns = {
            "conversion_id": nw.col("conversion_id"),
            "touch_id": nw.lit(None, schema["touch_id"]),
            "campaign": nw.lit(UNATTRIBUTED),
            "channel": nw.lit(None, nw.String),
            "ad_material": nw.lit(None, nw.String),
            "currency": nw.col("currency"),
            "k": nw.lit(1.0),
        }
        columns |= {f"w{i}": nw.lit(1.0) for i in range(models)}
        columns |= {f"c{i}": nw.col("value_minor") for i in range(models)}
        return alone.select(**{name: columns[name] for name in schema})


def _with_cumulative_weights(
    frame: nw.LazyFrame[Any], models: Mapping[int, WeightModel]
) -> nw.LazyFrame[Any]:
    """Turn weights into whole numbers whose sum over a path stays below 2^52, and add them up in order.

    Whole numbers add up to the same sum in any order, which doubles do not.
    """
    scale = nw.lit(float(2**52)) / nw.col("n")
    whole = {f"m{i}_w": (m.weight(f"m{i}") * scale).floor().cast(nw.Int64) for i, m in models.items()}
    frame = frame.with_columns(**whole)
    sums: dict[str, nw.Expr] = {}
    for i in models:
        sums[f"m{i}_after"] = nw.col(f"m{i}_w").cum_sum().over(*PATH, order_by=ORDER)
        sums[f"m{i}_total"] = nw.col(f"m{i}_w").sum().over(*PATH)
    return frame.with_columns(**sums)


def _share_of_weights(prefix: str) -> Share:
    weight, after, total = (nw.col(f"{prefix}_{name}").cast(nw.Float64) for name in ("w", "after", "total"))
    # Nothing but zero weights says nothing about the touches: they share equally.
    none = nw.col(f"{prefix}_total") == 0
    return Share(
        nw.when(none).then(nw.col("k") - 1.0).otherwise(after - weight),
        nw.when(none).then(nw.col("k")).otherwise(after),
        nw.when(none).then(nw.col("n")).otherwise(total),
        exact=False,
    )


def _plain(table: pa.Table) -> pa.Table:
    """Give every engine's text one type."""
    kinds = [
        pa.string() if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) else kind
        for kind in table.schema.types
    ]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))


def _microseconds(days: float) -> int:
    if not 0 <= days < 1e6:
        raise ValueError(f"a lookback of {days} days cannot be; use a number from 0 to 1,000,000, or None")
    return round(days * DAY)
