"""From paths and models to the tables of credit: per touch, or added up by a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc

from attribution.answers import Reporting
from attribution.credit import UNIT, Cut, Share, Winner, whole_column
from attribution.hybrid import Blended
from attribution.paths import Journeys
from attribution.rules import Lookup, Model, RuleModel, WeightModel
from attribution.windows import Window

UNATTRIBUTED = "(unattributed)"
"""The campaign of a conversion that no touch precedes within its window."""


NOTHING = Winner(nw.lit(value=False))
"""The cut of a model that gives no credit to touches."""


def cut(
    journeys: Journeys, models: Sequence[Model], keep: Sequence[str]
) -> tuple[nw.LazyFrame[Any], list[Cut]]:
    """Give the paths with everything prepared, and each model's cut of a row."""
    frame = journeys.paths(models, keep)
    # Weights first: their sums sort the rows once more, which costs less while these are narrow.
    weighted = {i: model for i, model in enumerate(models) if isinstance(model, WeightModel)}
    if weighted:
        frame = _prepared(frame, weighted)
        frame = _with_cumulative_weights(journeys, frame, weighted)
    frame = _prepared(frame, {i: model for i, model in enumerate(models) if i not in weighted})
    cuts: list[Cut] = []
    ends: dict[str, nw.Expr] = {}
    for i, model in enumerate(models):
        if isinstance(model, Reporting):
            cuts.append(NOTHING)
            continue
        share = model.cut(f"m{i}") if isinstance(model, RuleModel) else _share_of_weights(f"m{i}")
        if isinstance(share, Share):
            ends |= {
                f"m{i}_from": share.before,
                f"m{i}_to": share.after,
                f"m{i}_of": whole_column(share.total),
            }
            columns = nw.col(f"m{i}_from"), nw.col(f"m{i}_to"), nw.col(f"m{i}_of")
            part = (model.scale(f"m{i}"), nw.lit(0.0)) if isinstance(model, Blended) else (None, None)
            share = Share(*columns, share.exact, *part)
        cuts.append(share)
    return frame.with_columns(**ends) if ends else frame, cuts


def _prepared(frame: nw.LazyFrame[Any], models: Mapping[int, Model]) -> nw.LazyFrame[Any]:
    stages = [model.prepare(f"m{i}") for i, model in models.items()]
    for stage in zip_longest(*stages, fillvalue={}):
        frame = frame.with_columns(**{name: column for part in stage for name, column in part.items()})
    return frame


def _with_cumulative_weights(
    journeys: Journeys, frame: nw.LazyFrame[Any], models: Mapping[int, WeightModel]
) -> nw.LazyFrame[Any]:
    """Turn weights into whole numbers whose sum over a path stays within 2^52, and add them up in order.

    Whole numbers add up to the same sum in any order, which doubles do not.
    """
    scale = nw.lit(float(2**52)) / nw.col("n")
    whole = {f"m{i}_w": (m.weight(f"m{i}") * scale).floor().cast(nw.Int64) for i, m in models.items()}
    frame = frame.with_columns(**whole)
    sums: dict[str, Window] = {}
    for i in models:
        sums |= {f"m{i}_after": Window("so far", f"m{i}_w"), f"m{i}_total": Window("sum", f"m{i}_w")}
    return journeys.over(frame, sums)


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


def totals(journeys: Journeys, models: Sequence[Model], by: str) -> pa.Table:
    """Add up weights and credit by a key and currency."""
    key = "conversion_id" if by == "conversion" else by
    for model in models:
        if isinstance(model, Lookup) and model.total and model.key != by:
            raise ValueError(
                f"{model.shown}: allocation='total' knows only each {model.key}; use by={model.key!r}, "
                "or allocation='journey'"
            )
    rows = added_up(journeys, models, [] if by == "conversion" else [key], [key, "currency"])
    tables, everything = [], _everything(journeys, key)
    for i, model in enumerate(models):
        columns = [rows[key], rows["currency"], rows[f"u{i}"], rows[f"c{i}"]]
        part = pa.table(columns, names=[key, "currency", "units", "credit_minor"])
        if isinstance(model, Lookup) and model.total:
            part = _in_proportion(part, model)
        if isinstance(model, Reporting | Blended):
            part = _with_reported(journeys, model, part, key)
        part = pa.concat_tables([part, _unattributed(everything, part, key).cast(part.schema)])
        conversions = pc.divide(part["units"].cast(pa.float64(), safe=False), float(UNIT))
        part = part.append_column("conversions", conversions)
        part = part.sort_by([(key, "ascending"), ("currency", "ascending")])
        part = part.add_column(0, "model", pa.repeat(pa.scalar(model.shown), part.num_rows))
        tables.append(part.select(["model", key, "currency", "conversions", "credit_minor"]))
    return pa.concat_tables(tables).combine_chunks()


def added_up(
    journeys: Journeys, models: Sequence[Model], keep: Sequence[str], keys: Sequence[str]
) -> pa.Table:
    """Add what touches get up by `keys`: ``u0``, ``c0``, ... units and credit of the models in turn."""
    size, sign = nw.col("size"), nw.col("sign")
    names = [f"{figure}{i}" for i in range(len(models)) for figure in ("u", "c")]
    tables = []
    for part in journeys.parts():
        frame, cuts = cut(part, models, keep)
        figures = {f"u{i}": share.units() for i, share in enumerate(cuts)}
        figures |= {f"c{i}": share.credit(size, sign) for i, share in enumerate(cuts)}
        tables.append(summed(frame.select(*keys, **figures), keys, names))
    if len(tables) == 1:
        return tables[0]
    together = pa.concat_tables(tables).group_by(list(keys)).aggregate([(name, "sum") for name in names])
    return together.rename_columns([*keys, *names])


def by_account(journeys: Journeys, models: Sequence[Model], key: str) -> pa.Table:
    """Add credit up by account, key and currency: columns ``c0``, ``c1``, ... for the models in turn."""
    for model in models:
        if isinstance(model, Lookup) and model.total:
            raise ValueError(f"{model.shown}: allocation='total' belongs to no account; use 'journey'")
    size, sign = nw.col("size"), nw.col("sign")
    names = [f"c{i}" for i in range(len(models))]
    keys = ["account_id", key, "currency"]
    tables = [added_up(journeys, models, [key], keys).select([*keys, *names])]
    values = {name: nw.col("value_minor") for name in names}
    orders = journeys.conversions.select("account_id", "currency", nw.lit(UNATTRIBUTED).alias(key), **values)
    everything = summed(orders, keys, names)
    for i, model in enumerate(models):
        if isinstance(model, Reporting | Blended):
            told, share = reported(journeys, model)
            told = _with_key(told, key)
            zero = {name: nw.lit(0, nw.Int64) for name in names}
            tables.append(
                summed(told.select(*keys, **{**zero, f"c{i}": share.credit(size, sign)}), keys, names)
            )
    given = pa.concat_tables(tables)
    # What nothing explains is the account's value less what has been given.
    owners = ["account_id", "currency"]
    shared = given.group_by(owners).aggregate([(name, "sum") for name in names])
    left = everything.join(shared, owners, join_type="left outer")
    rest = {name: pc.subtract(left[name], pc.fill_null(left[f"{name}_sum"], 0)) for name in names}
    left = pa.table({**{name: left[name] for name in keys}, **rest})
    some = pc.not_equal(left[names[0]], 0)
    for name in names[1:]:
        some = pc.or_(some, pc.not_equal(left[name], 0))
    return pa.concat_tables([given, left.filter(some).cast(given.schema)])


def summed(frame: nw.LazyFrame[Any], keys: Sequence[str], names: Sequence[str]) -> pa.Table:
    """Add columns of whole numbers up by `keys`."""
    grouped = frame.group_by(*keys).agg(*(nw.col(name).sum() for name in names))
    grouped = grouped.select(*keys, *(nw.col(name).cast(nw.Int64) for name in names))
    return plain(grouped.collect("pyarrow").to_arrow())


def _with_key(told: nw.LazyFrame[Any], key: str) -> nw.LazyFrame[Any]:
    if key == "kind":
        return told.with_columns(kind=nw.lit("answer"))
    return told.with_columns(ad_material=nw.lit(None, nw.String)) if key == "ad_material" else told


def reported(journeys: Journeys, model: Reporting | Blended) -> tuple[nw.LazyFrame[Any], Share]:
    """Give what goes to reported sources: rows with size and sign, and their cut."""
    value = nw.col("value_minor")
    orders = journeys.conversions.select(
        "conversion_id",
        "account_id",
        "currency",
        size=value.abs().cast(nw.Float64),
        sign=nw.when(value < 0).then(nw.lit(-1.0)).otherwise(nw.lit(1.0)),
    )
    frame = model.rows(journeys).join(orders, on="conversion_id", how="inner")
    rest = nw.lit(1.0) - nw.col("offset")
    return frame, Share(nw.col("from"), nw.col("to"), nw.col("of"), False, rest, nw.col("offset"))


def _with_reported(journeys: Journeys, model: Reporting | Blended, part: pa.Table, key: str) -> pa.Table:
    frame, share = reported(journeys, model)
    frame = _with_key(frame, key)
    told = (
        frame.select(
            key, "currency", units=share.units(), credit_minor=share.credit(nw.col("size"), nw.col("sign"))
        )
        .group_by(key, "currency")
        .agg(nw.col("units").sum(), nw.col("credit_minor").sum())
        .select(key, "currency", nw.col("units").cast(nw.Int64), nw.col("credit_minor").cast(nw.Int64))
    )
    both = pa.concat_tables([part, plain(told.collect("pyarrow").to_arrow()).cast(part.schema)])
    summed = both.group_by([key, "currency"]).aggregate([("units", "sum"), ("credit_minor", "sum")])
    return summed.rename_columns([key, "currency", "units", "credit_minor"])


def _in_proportion(rows: pa.Table, model: Lookup) -> pa.Table:
    """Share each currency's sums over the sources in proportion to the model's weights."""
    shared: list[dict[str, Any]] = []
    sums = rows.group_by("currency").aggregate([("units", "sum"), ("credit_minor", "sum")]).to_pylist()
    sources: dict[str | None, int] = {key: round(w * 2**40) for key, w in sorted(model.weights.items())}
    if None in rows[model.key].to_pylist():
        sources[None] = round(model.unknown * 2**40)
    whole = sum(sources.values())
    for row in sums:
        reached = 0
        for key, weight in sources.items():
            here = {model.key: key, "currency": row["currency"]}
            for name in ("units", "credit_minor"):
                amount = row[f"{name}_sum"]
                here[name] = _rounded(amount * (reached + weight), whole) - _rounded(amount * reached, whole)
            shared.append(here)
            reached += weight
    return pa.Table.from_pylist(shared, rows.schema)


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def _everything(journeys: Journeys, key: str) -> list[tuple[Any, ...]]:
    """Count conversions and add up their values, by currency or one by one."""
    values = nw.col("value_minor")
    columns = ["conversion_id", "currency"] if key == "conversion_id" else ["currency"]
    counted = (
        journeys.conversions.group_by(*columns)
        .agg(nw.len().alias("count"), values.sum().alias("value"))
        .select(*columns, nw.col("count").cast(nw.Int64), nw.col("value").cast(nw.Int64))
        .collect("pyarrow")
    )
    return list(counted.rows())


def _unattributed(everything: list[tuple[Any, ...]], part: pa.Table, key: str) -> pa.Table:
    """Find what nothing explains: by subtraction, which spares a second join."""
    label = "conversion_id" if key == "conversion_id" else "currency"
    given: dict[Any, tuple[int, int]] = {}
    for name, units, credit in zip(
        *(part[c].to_pylist() for c in (label, "units", "credit_minor")), strict=True
    ):
        before = given.get(name, (0, 0))
        given[name] = before[0] + units, before[1] + credit
    left_over: list[dict[str, Any]] = []
    for *names, count, value in everything:
        units, credit = given.get(names[0], (0, 0))
        if count * UNIT > units:
            amounts = {"units": count * UNIT - units, "credit_minor": value - credit}
            place = names[0] if label == "conversion_id" else UNATTRIBUTED
            left_over.append({key: place, "currency": names[-1], **amounts})
    return pa.Table.from_pylist(left_over, part.schema)


def credits(journeys: Journeys, models: Sequence[Model], output: str | Path | None) -> pa.Table:
    """Give the credits table of the contract, or have the engine write it."""
    for model in models:
        if isinstance(model, Lookup) and model.total:
            raise ValueError(f"{model.shown}: allocation='total' has no credit per touch; use 'journey'")
    material = ["ad_material"] if "ad_material" in journeys.touch_columns else []
    keep = ["campaign", "channel", *material]
    if output is not None or any(isinstance(model, Reporting | Blended) for model in models):
        wide = journeys.backend.keep(_wide(journeys, models, keep), "wide")
    else:
        wide = nw.from_native(
            pa.concat_tables(
                plain(_wide(part, models, keep).collect("pyarrow").to_arrow()) for part in journeys.parts()
            )
        ).lazy()
    if output is not None:
        whole = [_credits_of(journeys, model, i, wide, material) for i, model in enumerate(models)]
        nw.concat(whole, how="vertical").drop("place").sink_parquet(str(output))
        wide = wide.head(0)
    rows = plain(wide.collect("pyarrow").to_arrow())
    rows = rows.sort_by([("conversion_id", "ascending"), ("k", "ascending")])
    tables = []
    for i, model in enumerate(models):
        if isinstance(model, Reporting | Blended):
            tables.append(_collected(_credits_of(journeys, model, i, wide, material), output is None))
        else:
            tables.append(_split(rows, model, i, material))
    return pa.concat_tables(tables).combine_chunks()


def _wide(journeys: Journeys, models: Sequence[Model], keep: Sequence[str]) -> nw.LazyFrame[Any]:
    """Give a row per touch and conversion with weight and credit under every model."""
    frame, cuts = cut(journeys, models, keep)
    size, sign = nw.col("size"), nw.col("sign")
    parts = {f"w{i}": share.weight() for i, share in enumerate(cuts)}
    parts |= {f"c{i}": share.credit(size, sign) for i, share in enumerate(cuts)}
    wide = frame.select("conversion_id", "touch_id", *keep, "currency", "k", **parts)
    return nw.concat([wide, _untouched(journeys, wide, len(models))], how="vertical")


def _collected(frame: nw.LazyFrame[Any], filled: bool) -> pa.Table:
    table = plain((frame if filled else frame.head(0)).collect("pyarrow").to_arrow())
    order = ("conversion_id", "place", "campaign", "channel")
    return table.sort_by([(name, "ascending") for name in order]).drop_columns(["place"])


def _split(rows: pa.Table, model: Model, i: int, material: Sequence[str]) -> pa.Table:
    """Take one model's columns out of all: in memory this costs no second pass over the windows."""
    return pa.table(
        {
            "model": pa.repeat(pa.scalar(model.shown), rows.num_rows),
            **{name: rows[name] for name in ("conversion_id", "touch_id", "campaign", "channel")},
            "weight": rows[f"w{i}"],
            "credit_minor": rows[f"c{i}"],
            **{name: rows[name] for name in ("currency", *material)},
        }
    )


def _credits_of(
    journeys: Journeys, model: Model, i: int, wide: nw.LazyFrame[Any], material: Sequence[str]
) -> nw.LazyFrame[Any]:
    """Give one model's credits: from touches, from reported sources, and what neither explains."""
    schema = wide.collect_schema()
    nothing = [nw.lit(None, schema[name]).alias(name) for name in material]
    own = wide
    told = None
    if isinstance(model, Reporting | Blended):
        frame, share = reported(journeys, model)
        told = frame.select(
            nw.lit(model.shown).alias("model"),
            "conversion_id",
            nw.lit(None, schema["touch_id"]).alias("touch_id"),
            "campaign",
            "channel",
            share.weight().alias("weight"),
            share.credit(nw.col("size"), nw.col("sign")).alias("credit_minor"),
            "currency",
            *nothing,
            nw.lit(float(2**31)).alias("place"),
        )
        explained = frame.select("conversion_id").unique()
        alone = wide.filter(nw.col("touch_id").is_null()).join(explained, on="conversion_id", how="anti")
        own = alone
        if isinstance(model, Blended):
            own = nw.concat([wide.filter(~nw.col("touch_id").is_null()), alone], how="vertical")
    mine = own.select(
        nw.lit(model.shown).alias("model"),
        "conversion_id",
        "touch_id",
        "campaign",
        "channel",
        nw.col(f"w{i}").alias("weight"),
        nw.col(f"c{i}").cast(nw.Int64).alias("credit_minor"),
        "currency",
        *material,
        nw.col("k").alias("place"),
    )
    return mine if told is None else nw.concat([mine, told], how="vertical")


def _untouched(journeys: Journeys, wide: nw.LazyFrame[Any], models: int) -> nw.LazyFrame[Any]:
    """Give the rows of conversions that no touch explains."""
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
    return journeys.untouched().select(**{name: columns[name] for name in schema})


def plain(table: pa.Table) -> pa.Table:
    """Give every engine's text one type."""
    kinds = [
        pa.string() if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) else kind
        for kind in table.schema.types
    ]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))
