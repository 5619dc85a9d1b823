"""Journeys held in memory: read once, sorted once as whole numbers, for every model that reads them.

An engine for any amount of data sorts whole rows, several times over. Where the touches fit into memory it
is enough to sort who and when: each path is then a run of neighbouring rows, and what a model asks about a
path is a sum over the run. The models' own expressions are the same as on every engine.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from attribution.answers import SelfReported
from attribution.backends import Backend, DuckDB
from attribution.hybrid import Hybrid
from attribution.journeys import KINDS
from attribution.markov import MOST_KEYS, refuse_deep, refuse_many
from attribution.paths import MILESTONES, UNKNOWN, Journeys, Lookback
from attribution.rules import Lookup, Model
from attribution.sorting import Whole, by_group_and_moment, groups, until
from attribution.sources import Source, check_identifiers, check_rows, check_values
from attribution.windows import PATH, Window

MOST_HELD = 20_000_000
"""As many touches are held in memory: about 60 bytes each, and as much again while they are sorted."""

ROWS = 500_000
"""About so many rows of paths are worked on at a time."""

EVER = 2**62
"""A window without end, in microseconds."""


def open_journeys(
    backend: Backend,
    sources: Sequence[Source],
    lookback: Lookback,
    models: Sequence[Model],
    columns: Sequence[str],
) -> Journeys:
    """Open journeys in memory where they fit and nobody's answers are asked for, otherwise on the engine."""
    listening = any(isinstance(model, SelfReported | Hybrid) for model in models)
    if isinstance(backend, DuckDB) and not listening and backend.count(sources[0]) <= MOST_HELD:
        wanted = {*columns, *(name for model in models for name in model.reads)}
        if any("known" in model.windows for model in models):
            wanted.add("channel")
        return Held(backend, sources, lookback, wanted)
    return Journeys(backend, sources, lookback)


class Held(Journeys):
    """Touches sorted by account, moment and identifier.

    Parameters
    ----------
    engine : DuckDB
        What reads the tables.
    sources : sequence of Source
        Touches and conversions.
    lookback : float, mapping or None
        As in `attribution.attribute`.
    columns : iterable of str
        The columns that will be asked for.
    """

    def __init__(
        self, engine: DuckDB, sources: Sequence[Source], lookback: Lookback, columns: Iterable[str]
    ) -> None:
        self._engine, self._wanted = engine, set(columns)
        super().__init__(engine, sources, lookback)

    def _numbered(self) -> nw.LazyFrame[Any]:
        source = self._sources[1]
        table = pa.Table.from_batches(self._engine.hashed(source, list(source.columns)))
        self._order_hashes = (
            _column(table, "account_hash"),
            (_column(table, "account_check") >> np.uint64(32)).astype(np.uint32),
        )
        table = table.drop_columns(["account_hash", "account_check"])
        for milestone in MILESTONES:
            if f"{milestone}_at" not in table.column_names:
                table = table.append_column(f"{milestone}_at", pa.nulls(table.num_rows, pa.int64()))
        return _framed(table.append_column(PATH, pa.array(np.arange(table.num_rows))))

    def _check_rows(self) -> None:
        check_rows(self.conversions, self._sources[1])
        if self.answers is not None:
            check_rows(self.answers, self._sources[2])
        check_values(self.touches, self._sources[0])
        if self._read():
            check_identifiers(self.touches, self._sources[0])
            # Different identifiers share a hash: no less right, but the identifiers themselves are needed.
            self._wanted.add("touch_id")
            self._read()

    def _read(self) -> bool:
        """Read and sort the touches; tell whether two identifiers may be the same, as their hashes are."""
        keys = sorted(self._wanted & {"campaign", "channel", "kind", "ad_material"})
        if isinstance(self.lookback, Mapping):
            keys = sorted({*keys, "channel", "kind"})
        source = self._sources[0]
        self._names = {key: self._engine.number_names(source, key) for key in keys}
        count, orders = self._engine.count(source), len(self._order_hashes[0])
        hashes, checks = np.empty(count + orders, np.uint64), np.empty(count + orders, np.uint32)
        touch, at = np.empty(count, np.uint64), np.empty(count, np.int64)
        codes = {key: np.empty(count, np.int32) for key in keys}
        ids = []
        done = 0
        named = ["touch_id"] if "touch_id" in self._wanted else []
        for batch in self._engine.hashed(source, ["occurred_at", *named], keys):
            here = slice(done, done + batch.num_rows)
            hashes[here] = _column(batch, "account_hash")
            checks[here] = _column(batch, "account_check") >> np.uint64(32)
            touch[here] = _column(batch, "touch_hash")
            at[here] = _column(batch, "occurred_at")
            for key in keys:
                codes[key][here] = _column(batch, key)
            ids += [batch.column(name) for name in named]
            done = here.stop
        hashes[count:], checks[count:] = self._order_hashes
        group = groups(hashes, checks)
        del hashes, checks
        self._ids = pa.chunked_array(ids, None if ids else pa.string()) if named else None

        def identify(rows: Whole) -> pa.Array | pa.ChunkedArray:
            if self._ids is not None:
                return self._ids.take(pa.array(rows))
            wanted = pa.array(touch[rows])
            found = self._engine.identifiers(source, wanted)
            return found["touch_id"].take(pc.index_in(wanted, found["touch_hash"].combine_chunks()))

        order = by_group_and_moment(group[:count], at, identify)
        if self._ids is not None:
            self._ids = self._ids.take(pa.array(order))
        self._at = at[order]
        self._codes = {key: code[order] for key, code in codes.items()}
        self._account = group[count:].astype(np.int64)
        size = np.bincount(group[:count], minlength=int(group.max()) + 1 if len(group) else 0)
        self._end = np.cumsum(size)
        self._start = self._end - size
        if isinstance(self.lookback, Mapping):
            self._reach = self._reaches(self.lookback)
        touch.sort()
        return bool((touch[1:] == touch[:-1]).any())

    def _reaches(self, windows: Mapping[str, int]) -> Whole:
        """Give how long before a conversion each touch may lie: its channel's window, else its kind's."""
        reach = np.full(len(self._at), windows.get("*", EVER))
        for key in ("kind", "channel"):
            own = [
                windows.get(name, -1) if name and (key == "channel" or name in KINDS) and name != "*" else -1
                for name in self._names[key]
            ]
            mine = np.array(own, dtype=np.int64)[self._codes[key]]
            reach = np.where(mine >= 0, mine, reach)
        return reach

    def _crowded(self, parts: int) -> tuple[int, int]:
        size = (self._end - self._start)[self._account].astype(float)
        return int(size.max(initial=0)), int(size.sum())

    def _runs(self, account: Whole, moment: Whole) -> tuple[Whole, Whole]:
        """Give the first touch of each path, and the one after its last."""
        start = self._start[account]
        end = until(self._at, start, self._end[account], moment)
        if isinstance(self.lookback, int):
            start = until(self._at, start, end, moment - self.lookback - 1)
        return start, end

    def _rows_of(self, start: Whole, end: Whole, moment: Whole) -> tuple[Whole, Whole]:
        """Give the touches of these paths one after the other, and how many each path has."""
        size = end - start
        rows = np.arange(size.sum()) + np.repeat(start - (np.cumsum(size) - size), size)
        if isinstance(self.lookback, Mapping):
            path = np.repeat(np.arange(len(size)), size)
            kept = self._at[rows] >= moment[path] - self._reach[rows]
            rows, size = rows[kept], np.bincount(path[kept], minlength=len(size))
        return rows, size

    def parts(self) -> Iterator[Journeys]:
        """Give the conversions some at a time, so that their paths need little memory."""
        orders = self.conversions.collect("pyarrow").to_arrow()
        for some in _parts(*self._runs(self._account, _column(orders, "converted_at"))):
            part = copy.copy(self)
            part.conversions = _framed(orders.slice(some.start, some.stop - some.start))
            yield part

    def inside(self, orders: nw.LazyFrame[Any], columns: Sequence[str]) -> nw.LazyFrame[Any]:
        """Join `orders` with their accounts' touches inside the window, in the order of their paths."""
        table = orders.collect("pyarrow").to_arrow()
        account, moment = self._account[_column(table, PATH)], _column(table, "converted_at")
        rows, size = self._rows_of(*self._runs(account, moment), moment)
        kept = [
            name
            for name in table.column_names
            if name in self._wanted or name not in ("conversion_id", "account_id", "converted_at")
        ]
        joined = table.select(kept).take(pa.array(np.repeat(np.arange(len(size)), size)))
        joined = joined.append_column("at", pa.array(self._at[rows]))
        if self._ids is not None:
            joined = joined.append_column("touch_id", self._ids.take(pa.array(rows)))
        for key in self._codes:
            code = pa.array(self._codes[key][rows])
            joined = joined.append_column(_code_of(key), code)
            if key in columns:
                joined = joined.append_column(key, pa.array(self._names[key], pa.string()).take(code))
        return _framed(joined)

    def over(
        self, frame: nw.LazyFrame[Any], windows: Mapping[str, Window], order: str | Sequence[str] = "k"
    ) -> nw.LazyFrame[Any]:
        """Add figures about the path of each row: sums over runs of rows, which are in order."""
        table = frame.collect("pyarrow").to_arrow()
        path = _column(table, PATH)
        first = np.flatnonzero(np.diff(path, prepend=-1))
        size = np.diff(first, append=len(path))
        for name, window in windows.items():
            if window.how == "place":
                figure = np.arange(1, len(path) + 1) - np.repeat(first, size)
            elif window.how == "size" and window.key:
                codes = len(self._names[window.key])
                each = np.repeat(np.arange(len(size)), size) * codes + _column(table, _code_of(window.key))
                figure = np.unique_counts(each).counts[np.unique_inverse(each).inverse_indices]
            elif window.how == "size":
                figure = np.repeat(size, size)
            else:
                figure = _summed(window.how, _column(table, window.column), first, size)
            table = table.append_column(name, pa.array(figure))
        return _framed(table)

    def _looked_up(self, frame: nw.LazyFrame[Any], model: Lookup, prefix: str) -> nw.LazyFrame[Any]:
        table = frame.collect("pyarrow").to_arrow()
        weights = [
            model.weights.get(name, model.rest) if name else model.rest for name in self._names[model.key]
        ]
        looked = np.array(weights)[_column(table, _code_of(model.key))]
        return _framed(table.append_column(f"{prefix}_looked", pa.array(looked)))

    def untouched(self) -> nw.LazyFrame[Any]:
        """Give the conversions that no touch precedes within their window."""
        orders = self.conversions.collect("pyarrow").to_arrow()
        account, moment = self._account[_column(orders, PATH)], _column(orders, "converted_at")
        _, size = self._rows_of(*self._runs(account, moment), moment)
        return _framed(orders.filter(pa.array(size == 0)))

    def _everyones(self) -> Iterator[tuple[Whole, Whole, Whole]]:
        """Give the touches of all paths, the size of each, and whether it converted, some at a time.

        An account that never converted has one path, up to its last touch.
        """
        never = self._end > self._start
        never[self._account] = False
        account = np.concatenate([self._account, np.flatnonzero(never)])
        last = self._at[self._end[never] - 1]
        moment = np.concatenate(
            [_column(self.conversions.collect("pyarrow").to_arrow(), "converted_at"), last]
        )
        start, end = self._runs(account, moment)
        for some in _parts(start, end):
            rows, size = self._rows_of(start[some], end[some], moment[some])
            won = (np.arange(some.start, some.stop) < len(self._account)).astype(np.int64)
            yield rows, size[size > 0], won[size > 0]

    def grams(self, key: str, order: int) -> Iterator[tuple[tuple[str | None, ...], float, float, float]]:
        """Count every run of order + 1 touches, and how often it ends a converting or another path."""
        names: list[str | None] = [None, *(name or UNKNOWN for name in self._names[key])]
        if len(names) > MOST_KEYS:
            refuse_many(self.keys(key))
        counted: dict[int, list[int]] = {}
        for rows, size, won in self._everyones():
            last = np.cumsum(size) - 1
            place = np.arange(len(rows)) - np.repeat(last + 1 - size, size)
            code = self._codes[key][rows].astype(np.int64) + 1
            gram = code.copy()
            for back in range(1, order + 1):
                before = np.where(place >= back, np.roll(code, back), 0)
                gram += before * len(names) ** back
            ends = gram[last]
            for column, some in enumerate((gram, ends[won == 1], ends[won == 0])):
                for cell, times in zip(*map(np.ndarray.tolist, np.unique_counts(some)), strict=True):
                    counted.setdefault(cell, [0, 0, 0])[column] += times
            refuse_deep(len(counted))
        merged: dict[tuple[str | None, ...], list[int]] = {}
        for cell, counts in counted.items():
            gram_ = tuple(names[cell // len(names) ** back % len(names)] for back in range(order, -1, -1))
            merged[gram_] = [a + b for a, b in zip(merged.get(gram_, (0, 0, 0)), counts, strict=True)]
        for run, (times, converted, lost) in sorted(merged.items(), key=str):
            yield run, float(times), float(converted), float(lost)

    def keys(self, key: str) -> list[str]:
        """List the sources that occur in any path, in alphabetical order."""
        met = np.zeros(len(self._names[key]), dtype=bool)
        for rows, _, _ in self._everyones():
            met |= np.bincount(self._codes[key][rows], minlength=len(met)) > 0
        return sorted({self._names[key][i] or UNKNOWN for i in np.flatnonzero(met)})

    def coalitions(self, key: str, players: Sequence[str]) -> dict[int, tuple[int, int]]:
        """Count paths and conversions per set of sources met, as bit masks over `players`."""
        place = {name: 1 << i for i, name in enumerate(players)}
        bits = np.array([place.get(name or UNKNOWN, 0) for name in self._names[key]], dtype=np.int64)
        counted: dict[int, tuple[int, int]] = {}
        for rows, size, won in self._everyones():
            if not len(rows):
                continue
            masks = np.bitwise_or.reduceat(bits[self._codes[key][rows]], np.cumsum(size) - size)
            for met in np.unique(masks).tolist():
                paths, wins = counted.get(met, (0, 0))
                mine = masks == met
                counted[met] = paths + int(mine.sum()), wins + int(won[mine].sum())
        counted.pop(0, None)
        return counted


def _framed(table: pa.Table) -> nw.LazyFrame[Any]:
    frame: nw.LazyFrame[Any] = nw.from_native(table).lazy()
    return frame


def _code_of(key: str) -> str:
    return f"{key} code"


def _column(table: pa.Table | pa.RecordBatch, name: str) -> npt.NDArray[Any]:
    column = table.column(name)
    return np.asarray(column.to_numpy() if isinstance(column, pa.ChunkedArray) else column.to_numpy(False))


def _parts(start: Whole, end: Whole) -> Iterator[slice]:
    """Cut paths into parts of about `ROWS` touches together."""
    reached = np.cumsum(end - start)
    marks = np.arange(ROWS, reached[-1] if len(reached) else 0, ROWS)
    edges = np.unique([0, *(np.searchsorted(reached, marks) + 1), len(reached)])
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        yield slice(low, high)


def _summed(how: str, column: Whole, first: Whole, size: Whole) -> Whole:
    if not len(first):
        return column
    if how == "max":
        return np.repeat(np.maximum.reduceat(column, first), size)
    # Over several paths the sum may run over: differences are right all the same.
    running = np.cumsum(column)
    before = running[first] - column[first]
    if how == "sum":
        return np.repeat(running[first + size - 1] - before, size)
    return running - np.repeat(before, size)
