"""The kernel: journeys and models in, credit out, as Arrow tables that add up over sets of accounts.

These functions know nothing of files, engines or clusters. Each works on the `Journeys` of any set of
accounts; tables of several sets are put together, and added up, by whoever made the sets (see
`attribution.feeders`). docs/models.md says how a store uses them for the accounts that changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from attribution.counts import COUNTS, UNKNOWN, Weights, added
from attribution.credit import UNIT, Cut, added_up
from attribution.journeys import UNATTRIBUTED
from attribution.paths import Journeys, Names, Paths, Whole, encode, numbered, taken
from attribution.rules import Model

COLUMNS = ("campaign", "channel", "kind", "ad_material")
"""The touches' columns of names."""


def columns(models: Sequence[Model], keys: Sequence[str] = ()) -> set[str]:
    """Name the touches' columns that models read and that `keys` are."""
    return set().union(*(model.reads for model in models)) | set(COLUMNS) & set(keys)


def count(journeys: Journeys, models: Sequence[Model]) -> pa.Table:
    """Count what the fitted ones among `models` learn from, as `COUNTS`."""
    counts = [model.count(journeys) for model in models if model.fitted]
    return pa.concat_tables(counts or [COUNTS.empty_table()])


def fit(models: Sequence[Model], counts: pa.Table) -> list[Model]:
    """Solve the fitted ones for the sum of all counts; rules stay as they are."""
    learned = added([counts])
    return [
        model.solve(learned.filter(pc.equal(learned["model"], model.shown))) if model.fitted else model
        for model in models
    ]


@dataclass(frozen=True)
class Sums:
    """Units and credit by owner and name, N cells for M models.

    Attributes
    ----------
    owner, code : ndarray of int, shape (N,)
        Whose, and of which of `names`.
    names : list of str or None
        Names of sources.
    units, credit : ndarray of int64, shape (M, N)
        Parts of conversions in 2^-40, and minor units.
    given : ndarray of bool, shape (M, N)
        Whether a model says anything of the cell, be it zero.
    """

    owner: Whole
    code: Whole
    names: Names
    units: Whole
    credit: Whole
    given: npt.NDArray[np.bool_]

    def name(self) -> pa.Array:
        """Give the name of each cell."""
        return taken(self.names, self.code)

    def figures(self, *, zero: bool = False) -> list[pa.Array]:
        """Give units and credit of the models in turn; null, or zero, where a model says nothing."""
        return [
            pa.array(figure, mask=None if zero else ~given)
            for units, credit, given in zip(self.units, self.credit, self.given, strict=True)
            for figure in (units, credit)
        ]


def sums(journeys: Journeys, models: Sequence[Model], key: str | None, owner: Whole, owners: int) -> Sums:
    """Add up what touches, buyers' answers and nobody get, by owner and name.

    Parameters
    ----------
    journeys : Journeys
        The journeys.
    models : sequence of Model
        Models that are ready to share, M of them.
    key : {"campaign", "channel", "kind", "ad_material"} or None
        Whose names; None adds up by owner alone.
    owner : ndarray of int, shape (C,)
        For each conversion the number, below `owners`, under which it is added up: itself, its account, its
        currency.
    owners : int
        How many owners there are.
    """
    names: Names = [*journeys.names[key], UNATTRIBUTED] if key else [None]
    codes = {name: i for i, name in enumerate(names)}
    reported = [model.reported(journeys) for model in models]
    labels = [
        [] if told is None else [codes.setdefault(_label(s, key), len(codes)) for s in told.sources]
        for told in reported
    ]
    names = list(codes)
    width = len(names)
    nobody = codes.get(UNATTRIBUTED, 0)
    count = len(models)
    parts: list[tuple[Whole, Any, Whole]] = []  # cells, which models say so, figures
    everyone = np.arange(count)
    touched = np.zeros(len(journeys.owner), bool)
    for paths in journeys.paths():
        touched[paths.order] = True
        cell = owner[paths.order][paths.path] * width + (paths.code(key) if key else 0)
        found, place = numbered(cell, owners * width)
        figures = np.zeros((2, count, len(found)), np.int64)
        value = journeys.value[paths.order]
        for i, cut in _cuts(paths, models):
            figures[0, i] = added_up(place, cut.units(), len(found))
            figures[1, i] = added_up(place, cut.credit(value), len(found))
        parts.append((found, everyone, figures))
    silent = [i for i, told in enumerate(reported) if told is None]
    for which in filter(None, [silent, *([i] for i in range(count) if i not in silent)]):
        told, alone = reported[which[0]], ~touched
        if told is not None:
            alone[told.order] = False
            cell = owner[told.order] * width + np.array(labels[which[0]], np.int64)[told.source]
            parts.append(_part(cell, which, told.units, told.credit))
        order = np.flatnonzero(alone)
        parts.append(
            _part(owner[order] * width + nobody, which, np.full(len(order), UNIT), journeys.value[order])
        )
    cells = np.unique(np.concatenate([np.zeros(0, np.int64), *(part[0] for part in parts)]))
    total = np.zeros((2, count, len(cells)), np.int64)
    given = np.zeros((count, len(cells)), bool)
    for found, which, figures in parts:
        place = np.searchsorted(cells, found)
        total[:, np.asarray(which)[:, None], place] += figures
        given[np.asarray(which)[:, None], place] = True
    return Sums(cells // width, cells % width, names, total[0], total[1], given)


def _cuts(paths: Paths, models: Sequence[Model]) -> Iterator[tuple[int, Cut]]:
    """Cut paths under each model in turn that gives touches something."""
    for i, model in enumerate(models):
        weights = model.weigh(paths)
        if weights is not None:
            yield i, Cut(paths, weights, model.scale(paths))


def _part(cell: Whole, which: Sequence[int], units: Whole, credit: Whole) -> tuple[Any, Any, Any]:
    found, place = np.unique(cell, return_inverse=True)
    one = np.stack([added_up(place, amounts, len(found)) for amounts in (units, credit)])
    return found, which, np.repeat(one[:, None], len(which), axis=1)


def _label(source: tuple[str | None, str | None], key: str | None) -> str | None:
    """Name a reported source the way its key does."""
    return {"campaign": source[0], "channel": source[1], "kind": "answer"}.get(key or "")


def figure_fields(models: Sequence[Model]) -> list[pa.Field]:
    """Name the figures of models: ``u0``, ``c0``, ``u1``, ..."""
    return [pa.field(f"{figure}{i}", pa.int64()) for i in range(len(models)) for figure in ("u", "c")]


def by_key(journeys: Journeys, models: Sequence[Model], schema: pa.Schema) -> pa.Table:
    """Add up by the key and currency that `schema` begins with; null where a model says nothing."""
    key = schema.names[0]
    if key == "conversion_id":
        found = sums(journeys, models, None, np.arange(len(journeys.owner)), len(journeys.owner))
        names, money = journeys.conversion_ids.take(pa.array(found.owner)), journeys.currency[found.owner]
    else:
        found = sums(journeys, models, key, journeys.currency.astype(np.int64), len(journeys.currencies))
        names, money = found.name(), found.owner
    return pa.table([names, taken(journeys.currencies, money), *found.figures()], schema=schema)


def by_conversion(journeys: Journeys, models: Sequence[Model], schema: pa.Schema) -> pa.Table:
    """Add up by conversion and campaign: ``conversion_id``, ``campaign`` and figures, zero where none."""
    found = sums(journeys, models, "campaign", np.arange(len(journeys.owner)), len(journeys.owner))
    ids = journeys.conversion_ids.take(pa.array(found.owner))
    return pa.table([ids, found.name(), *found.figures(zero=True)], schema=schema)


def by_account(journeys: Journeys, models: Sequence[Model], schema: pa.Schema) -> pa.Table:
    """Add credit up by ``account_id``, the key that `schema` names second, and ``currency``."""
    money = len(journeys.currencies)
    owner = journeys.owner * money + journeys.currency
    found = sums(journeys, models, schema.names[1], owner, int(owner.max(initial=-1)) + 1)
    account = journeys.account_ids(found.owner // money)
    currency = taken(journeys.currencies, found.owner % money)
    return pa.table([account, found.name(), currency, *found.credit], schema=schema)


def totals(table: pa.Table, models: Sequence[Model]) -> pa.Table:
    """Give the rows of each model in turn, out of figures by key and currency added up over everyone."""
    key = table.column_names[0]
    # Names come in the order of their text, which no part of the journeys knows by itself.
    table = table.sort_by([(key, "ascending"), ("currency", "ascending")])
    tables = []
    for i, model in enumerate(models):
        rows = table.select([key, "currency", f"u{i}", f"c{i}"]).rename_columns([key, *SUMMED])
        part = rows.filter(rows["units"].is_valid()) if rows["units"].null_count else rows
        if isinstance(model, Weights) and model.total:
            part = _in_proportion(part, model)
        conversions = pc.divide(part["units"].cast(pa.float64(), safe=False), float(UNIT))
        part = part.set_column(2, "conversions", conversions)
        tables.append(part.add_column(0, "model", pa.repeat(pa.scalar(model.shown), part.num_rows)))
    return pa.concat_tables(tables).combine_chunks()


SUMMED = ("currency", "units", "credit_minor")
"""What stands beside a key in sums of one model."""


def _in_proportion(rows: pa.Table, model: Weights) -> pa.Table:
    """Share each currency's sums over the sources in proportion to the model's weights."""
    key = model.key
    nobody = pc.fill_null(pc.equal(rows[key], UNATTRIBUTED), False)
    met = rows.filter(pc.invert(nobody))
    sources = {
        (None if name == UNKNOWN else name): round(weight * 2**40) for name, weight in model.weights.items()
    }
    # What is unknown comes last, as in every table.
    order = sorted(sources, key=lambda name: (name is None, name or ""))
    ends = [0, *accumulate(sources[name] for name in order)]
    whole = met.group_by("currency").aggregate([(figure, "sum") for figure in SUMMED[1:]])
    shared = [
        pa.table(
            [order, [currency] * len(order), *(_cut_up(amount, ends) for amount in amounts)],
            schema=rows.schema,
        )
        for currency, *amounts in zip(*whole.to_pydict().values(), strict=True)
    ]
    both = pa.concat_tables([*shared, rows.filter(nobody)])
    return both.sort_by([(key, "ascending"), ("currency", "ascending")])


def _cut_up(amount: int, ends: Sequence[int]) -> list[int]:
    """Cut a whole number at shares of it that add up, halves rounded up."""
    reached = [(2 * amount * end + ends[-1]) // (2 * ends[-1]) for end in ends]
    return [high - low for low, high in pairwise(reached)]


def wide_schema(models: Sequence[Model], kinds: dict[str, pa.DataType], material: bool) -> pa.Schema:
    """Give the columns of `by_touch`."""
    text = pa.string()
    return pa.schema(
        [
            ("conversion_id", kinds["conversion_id"]),
            ("touch_id", kinds["touch_id"]),
            ("campaign", text),
            ("channel", text),
            ("currency", text),
            *([("ad_material", text)] if material else []),
            ("place", pa.int64()),
            *(
                (f"{figure}{i}", pa.float64() if figure == "w" else pa.int64())
                for i in range(len(models))
                for figure in ("w", "c")
            ),
        ]
    )


AFTER = 2**31
"""The place of what buyers named, after all touches."""


def by_touch(journeys: Journeys, models: Sequence[Model], schema: pa.Schema) -> pa.Table:
    """Give a row per conversion and touch, or source named, with weight and credit under every model."""
    tables = []
    touched = np.zeros(len(journeys.owner), bool)
    for paths in journeys.paths():
        touched[paths.order] = True
        names = [n for n in ("campaign", "channel", "ad_material") if n in schema.names]
        figures: dict[str, Any] = {name: taken(journeys.names[name], paths.code(name)) for name in names}
        figures |= {"touch_id": journeys.touch_ids(paths.touch), "place": paths.k}
        for i, cut in _cuts(paths, models):
            figures |= {f"w{i}": cut.weight(), f"c{i}": cut.credit(journeys.value[paths.order])}
        tables.append(_rows(journeys, paths.order[paths.path], figures, schema))
    alone = np.flatnonzero(~touched)
    left: dict[str, Any] = {}
    for i, model in enumerate(models):
        named = np.zeros(len(touched), bool)
        told = model.reported(journeys)
        if told is not None:
            named[told.order] = True
            campaign, channel = (taken([s[j] for s in told.sources], told.source) for j in (0, 1))
            figures = {"campaign": campaign, "channel": channel, "place": np.full(len(told.order), AFTER)}
            figures |= {f"w{i}": told.weight, f"c{i}": told.credit}
            rows = _rows(journeys, told.order, figures, schema)
            tables.append(rows.sort_by([("campaign", "ascending"), ("channel", "ascending")]))
        left[f"w{i}"] = pa.array(np.ones(len(alone)), mask=named[alone])
        left[f"c{i}"] = pa.array(journeys.value[alone], mask=named[alone])
    nobody = {
        "campaign": pa.repeat(pa.scalar(UNATTRIBUTED), len(alone)),
        "place": np.ones(len(alone), np.int64),
    }
    tables.append(_rows(journeys, alone, nobody | left, schema))
    return pa.concat_tables(tables)


def _rows(journeys: Journeys, order: Whole, given: dict[str, Any], schema: pa.Schema) -> pa.Table:
    given = given | {
        "conversion_id": journeys.conversion_ids.take(pa.array(order)),
        "currency": taken(journeys.currencies, journeys.currency[order]),
    }
    arrays = [
        given[field.name] if field.name in given else pa.nulls(len(order), field.type) for field in schema
    ]
    return pa.table(arrays, schema=schema)


def in_order(wide: pa.Table) -> pa.Table:
    """Sort rows of `by_touch` by conversion, and within each by their place."""
    ids = wide["conversion_id"].combine_chunks().dictionary_encode()
    ids = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    rank = pc.rank(ids.dictionary).to_numpy()[ids.indices.to_numpy()]
    return wide.take(pa.array(np.lexsort((wide["place"].to_numpy(), rank))))


def long(wide: pa.Table, models: Sequence[Model]) -> pa.Table:
    """Give the credits of each model in turn, as the contract has them."""
    tables = []
    names = ["conversion_id", "touch_id", "campaign", "channel"]
    after = [name for name in ("currency", "ad_material") if name in wide.column_names]
    for i, model in enumerate(models):
        rows = wide.select([*names, f"w{i}", f"c{i}", *after]).rename_columns(
            [*names, "weight", "credit_minor", *after]
        )
        rows = rows.filter(rows["weight"].is_valid()) if rows["weight"].null_count else rows
        if isinstance(model, Weights) and model.total:
            rows = _spread(rows, model)
        tables.append(rows.add_column(0, "model", pa.repeat(pa.scalar(model.shown), rows.num_rows)))
    return pa.concat_tables(tables).combine_chunks()


def _spread(rows: pa.Table, model: Weights) -> pa.Table:
    """Spread what `_in_proportion` gives each source evenly over its touches, in the order of the rows."""
    met = pc.or_(
        rows["touch_id"].is_valid(), pc.invert(pc.fill_null(pc.equal(rows["campaign"], UNATTRIBUTED), False))
    )
    touches = rows.filter(met)
    (key, names), (money, currencies) = encode(touches[model.key]), encode(touches["currency"])
    # Units are not in the rows: those of a conversion add up to one.
    found = touches.group_by("currency").aggregate(
        [("conversion_id", "count_distinct"), ("credit_minor", "sum")]
    )
    units = pc.multiply(found["conversion_id_count_distinct"], UNIT)
    columns = [pa.nulls(len(found), pa.string()), found["currency"], units, found["credit_minor_sum"]]
    weight, amount = np.zeros(len(touches)), np.zeros(len(touches), np.int64)
    unmet = []
    for row in _in_proportion(pa.table(columns, names=[model.key, *SUMMED]), model).to_pylist():
        name, currency, shared, credit = row.values()
        code = names.index(name) if name in names else -1
        mine = np.flatnonzero((key == code) & (money == currencies.index(currency)))
        if len(mine):
            amount[mine] = _cut_up(credit, range(len(mine) + 1))
            weight[mine] = shared / UNIT / len(mine)
        elif shared:
            here = {model.key: name, "currency": currency}
            unmet.append(here | {"weight": shared / UNIT, "credit_minor": credit})
    for name, column in (("weight", weight), ("credit_minor", amount)):
        touches = touches.set_column(touches.column_names.index(name), name, pa.array(column))
    return pa.concat_tables([touches, rows.filter(pc.invert(met)), pa.Table.from_pylist(unmet, rows.schema)])
