"""Journeys as sorted arrays: each path is a run of neighbouring touches.

This is where a store of its own begins: give `Journeys` the touches, conversions and answers of any set of
accounts as Arrow tables, and every rule, count and share below works on just these accounts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from attribution.journeys import KINDS, JourneyError

MILESTONES = ("lead", "qualified", "opportunity")
DAY = 86_400_000_000
"""Microseconds in a day."""
EVER = 2**62
"""A moment that never comes, and a window without end, in microseconds."""
ROWS = 500_000
"""About so many rows of paths are worked on at a time: 4 MB for each column of whole numbers."""
MOST_PAIRS = 20_000_000_000

Whole = npt.NDArray[np.int64]
Names = list[str | None]
Lookback = float | Mapping[str, float] | None


class Paths:
    """Some conversions' paths, one row per conversion and touch, in the order of the paths.

    Parameters
    ----------
    touch, path : ndarray of int, shape (R,)
        Per row: which touch of `of`, and which of these paths.
    size, order, account : ndarray of int, shape (P,)
        Per path: how many touches (1 or more), which conversion (-1: an account that never converted), and
        whose it is.
    of : Journeys
        What the numbers stand for.

    Attributes
    ----------
    first, last : ndarray of int, shape (P,)
        Per path: the rows at which it begins and ends.
    n, k, at : ndarray of int, shape (R,)
        Per row: the length of its path, its place in it from 1, and its moment in microseconds.
    """

    def __init__(
        self, touch: Whole, path: Whole, size: Whole, order: Whole, account: Whole, of: Journeys
    ) -> None:
        self.touch, self.path, self.size = touch, path, size
        self.order, self.account, self.of = order, account, of
        self.last = np.cumsum(size) - 1
        self.first = self.last + 1 - size
        self.n = size[path]
        self.k = np.arange(1, len(path) + 1) - self.first[path]
        self.at = of.at[touch]

    def code(self, key: str) -> Whole:
        """Give the number of each row's channel, campaign, kind or ad material; 0 is unknown."""
        return self.of.codes[key][self.touch]

    def total(self, amounts: Whole) -> Whole:
        """Add whole numbers up by path."""
        return np.add.reduceat(amounts, self.first)

    def greatest(self, amounts: Whole) -> Whole:
        """Give the greatest of each path."""
        return np.maximum.reduceat(amounts, self.first)

    def reached(self, milestone: str) -> Whole:
        """Give for each path how many of its touches lie at or before a milestone; -1 where unknown."""
        moment = self.of.milestones[milestone][self.order]
        count = self.total((self.at <= moment[self.path]).astype(np.int64))
        return np.where(moment == EVER, -1, count)

    def alike(self, code: Whole, codes: int) -> Whole:
        """Count for each row the touches of its path that have the same code."""
        found, place = numbered(self.path.astype(np.int64) * codes + code, len(self.size) * codes)
        return np.bincount(place, minlength=len(found))[place]

    def different(self, code: Whole, codes: int) -> Whole:
        """Count the different codes of each path."""
        found, _ = numbered(self.path.astype(np.int64) * codes + code, len(self.size) * codes)
        return np.bincount(found // codes, minlength=len(self.size))


class Journeys:
    """Touches sorted by account, moment and identifier, and conversions, all as arrays.

    Parameters
    ----------
    touches, conversions : pyarrow.Table
        Tables of the contract, valid (see `attribution.validate`). Moments may be int64 microseconds, names
        dictionaries. ``account_id`` is text or whole numbers, the same in all tables.
    lookback : float, mapping or None
        As in `attribution.attribute`.
    columns : collection of str
        Which columns of touches will be asked for: those that models read, and those that credit is added
        up by.
    answers : pyarrow.Table or None, default None
        For the models that listen to buyers.

    Attributes
    ----------
    at, codes, names
        Per touch its moment (int64) and, by column, a number for its name; ``names[column][0]`` is None.
    owner, moment, value, currency, milestones
        Per conversion its account, moment, value in minor units, currency (a place in `currencies`), and
        moments of the milestones, `EVER` where unknown.
    """

    def __init__(
        self,
        touches: pa.Table,
        conversions: pa.Table,
        lookback: Lookback,
        columns: Collection[str],
        *,
        answers: pa.Table | None = None,
    ) -> None:
        self.lookback = microseconds(lookback)
        if isinstance(lookback, Mapping):
            columns = {*columns, "channel", "kind"}
        tables = [touches, conversions] if answers is None else [touches, conversions, answers]
        (account, owner, *asked), self._accounts = numbered_accounts([t["account_id"] for t in tables])
        self.owner = owner.astype(np.int64)
        self._touch_ids = touches["touch_id"]
        at = moments(touches["occurred_at"])
        self.row = order_of(account, at, self._identify)
        self.at = at[self.row]
        self.codes: dict[str, Whole] = {}
        self.names: dict[str, Names] = {}
        for column in sorted(columns):
            codes, self.names[column] = encode(touches[column])
            self.codes[column] = codes[self.row]
        counts = np.bincount(account, minlength=len(self._accounts))
        self.end = np.cumsum(counts)
        self.start = self.end - counts
        self.moment = moments(conversions["converted_at"])
        self.value = conversions["value_minor"].to_numpy()
        self.currency, self.currencies = encode(conversions["currency"])
        self.milestones = {
            name: moments(conversions[f"{name}_at"])
            if f"{name}_at" in conversions.column_names
            else np.full(len(self.owner), EVER)
            for name in MILESTONES
        }
        self.conversion_ids = conversions["conversion_id"]
        self.answers, self.answered_by = answers, (asked[0] if asked else None)
        self.heard: Any = None

    def _identify(self, rows: Whole) -> pa.Array:
        return self._touch_ids.take(pa.array(rows))

    def account_ids(self, account: Whole) -> pa.Array:
        """Give the identifiers of accounts."""
        return self._accounts.take(pa.array(account))

    def touch_ids(self, touch: Whole) -> pa.Array:
        """Give the identifiers of touches, which must have come with the table."""
        return self._identify(self.row[touch])

    def paths(self) -> Iterator[Paths]:
        """Give the paths of the conversions that have touches in their window, some at a time."""
        return self._paths(np.arange(len(self.owner)), self.owner, self.moment)

    def everyone(self) -> Iterator[Paths]:
        """Give besides one path for each account that never converted: up to its last touch."""
        never = self.end > self.start
        never[self.owner] = False
        quiet = np.flatnonzero(never)
        order = np.append(np.arange(len(self.owner)), np.full(len(quiet), -1))
        moment = np.append(self.moment, self.at[self.end[quiet] - 1])
        return self._paths(order, np.append(self.owner, quiet), moment)

    def _paths(self, order: Whole, account: Whole, moment: Whole) -> Iterator[Paths]:
        start = self.start[account]
        end = until(self.at, start, self.end[account], moment)
        if isinstance(self.lookback, int):
            start = until(self.at, start, end, moment - self.lookback - 1)
        reach = self._reach(self.lookback) if isinstance(self.lookback, dict) else None
        reached = np.cumsum(end - start)
        pairs = int(reached[-1]) if len(reached) else 0
        if pairs > MOST_PAIRS:
            raise JourneyError(
                f"accounts with many touches and many conversions make {pairs} pairs",
                "leave out a switchboard or house account that is no buyer",
                table="touches",
                column="account_id",
            )
        # A path is never split, however long.
        edges = np.searchsorted(reached, np.arange(0, pairs + ROWS, ROWS))
        edges = np.unique(np.append(edges, [0, len(order)]))
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            some = slice(low, high)
            size = end[some] - start[some]
            path = np.repeat(np.arange(high - low, dtype=np.int32), size)
            touch = np.arange(len(path)) + (start[some] - (np.cumsum(size) - size))[path]
            if reach is not None:
                recent = self.at[touch] >= moment[some][path] - reach[touch]
                touch, path = touch[recent], path[recent]
                size = np.bincount(path, minlength=high - low)
            met = size > 0
            if not met.all():
                path = (np.cumsum(met, dtype=np.int32) - 1)[path]
            if len(path):
                yield Paths(touch, path, size[met], order[some][met], account[some][met], self)

    def _reach(self, windows: Mapping[str, int]) -> Whole:
        """Give how long before a conversion each touch may lie: its channel's window, else its kind's."""
        reach = np.full(len(self.at), windows.get("*", EVER))
        for column in ("kind", "channel"):
            known = [
                name if name != "*" and (column == "channel" or name in KINDS) else None
                for name in self.names[column]
            ]
            own = np.array([windows.get(name, -1) if name else -1 for name in known])[self.codes[column]]
            reach = np.where(own >= 0, own, reach)
        return reach


def numbered(cells: Whole, limit: int) -> tuple[Whole, Whole]:
    """Give the different numbers among `cells`, ascending, and for each cell the place of its own.

    Parameters
    ----------
    cells : ndarray of int
        From 0, below `limit`.
    limit : int
        Where it is small, counting replaces sorting.
    """
    if limit <= 4 * len(cells) + 4096:
        met = np.bincount(cells, minlength=limit) > 0
        return np.flatnonzero(met), (np.cumsum(met) - 1)[cells]
    found, place = np.unique(cells, return_inverse=True)
    return found, place


def encode(column: pa.ChunkedArray) -> tuple[Whole, Names]:
    """Give each name in a column a number; 0 is null."""
    codes, names = _coded(column.chunks)
    return codes + 1, [None, *names.to_pylist()]


def taken(names: Names, codes: Whole) -> pa.Array:
    """Give the names that numbers stand for."""
    return pa.array(names, pa.string()).take(pa.array(codes))


def moments(column: pa.ChunkedArray) -> Whole:
    """Give microseconds since 1970, `EVER` where unknown."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    found: Whole = pc.fill_null(column.cast(pa.int64()), EVER).to_numpy()
    return found


def order_of(account: Whole, at: Whole, identify: Callable[[Whole], pa.Array]) -> Whole:
    """Give the order of touches by account, moment and, only where these are the same, identifier."""
    if not len(account):
        return np.zeros(0, np.int64)
    since = at - at.min()
    if not (since % 1_000_000).any():
        since //= 1_000_000
    width, rows = int(since.max()).bit_length(), len(at).bit_length()
    left = 63 - int(account.max()).bit_length() - rows
    if since.min() < 0 or left < 1:
        order = np.lexsort((at, account))
        same = (np.diff(account[order]) == 0) & (np.diff(at[order]) == 0)
    else:
        # Account, as much of the moment as there is room for, and row in one number: plain sorting is several
        # times faster than finding an order. What the number leaves the same is put in order below.
        coarse = max(0, width - left)
        key = account.astype(np.int64) << (width - coarse)
        key |= since >> coarse
        key <<= rows
        key |= np.arange(len(key))
        key.sort()
        order = key & (2**rows - 1)
        key >>= rows
        same = key[1:] == key[:-1]
    if same.any():
        tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
        place = np.cumsum(np.append(True, ~same))[tied]
        table = pa.table({"place": place, "at": at[order[tied]], "id": identify(order[tied])})
        order[tied] = order[tied][
            pc.sort_indices(table, [(name, "ascending") for name in table.column_names])
        ]
    return order


def until(at: Whole, low: Whole, high: Whole, limit: Whole) -> Whole:
    """Find in each run [low, high) of ascending moments the first place after its limit."""
    low, high = low.copy(), high.copy()
    while (open_ := low < high).any():
        middle = (low + high) >> 1
        reached = open_ & (at[np.where(open_, middle, 0)] <= limit)
        low = np.where(reached, middle + 1, low)
        high = np.where(open_ & ~reached, middle, high)
    return low


def numbered_accounts(columns: Sequence[pa.ChunkedArray]) -> tuple[list[Whole], pa.Array]:
    """Give accounts of several tables numbers, and the identifiers that they stand for."""
    sizes = np.cumsum([len(column) for column in columns[:-1]])
    if pa.types.is_integer(columns[0].type):
        numbers = np.concatenate([column.cast(pa.int64()).to_numpy() for column in columns])
        most = int(numbers.max(initial=-1)) + 1
        if numbers.min(initial=0) < 0 or most > 4 * len(numbers) + 1000:
            found, numbers = np.unique(numbers, return_inverse=True)
            return np.split(numbers, sizes), pa.array(found)
        return np.split(numbers, sizes), pa.array(np.arange(most))
    codes, texts = _coded([chunk for column in columns for chunk in column.chunks])
    return np.split(codes, sizes), texts


def _coded(chunks: list[pa.Array]) -> tuple[Whole, pa.Array]:
    """Give texts as numbers, -1 for null, and the texts that they stand for."""
    kind = pa.dictionary(pa.int32(), pa.string())
    whole = pa.chunked_array([chunk.cast(kind) for chunk in chunks], kind).unify_dictionaries()
    codes = [pc.fill_null(chunk.indices, -1).to_numpy() for chunk in whole.chunks]
    texts = whole.chunk(0).dictionary if whole.chunks else pa.array([], pa.string())
    return np.concatenate([np.zeros(0, np.int32), *codes]), texts


def microseconds(lookback: Lookback) -> int | dict[str, int] | None:
    """Turn days into microseconds, and refuse what cannot be a window."""
    if isinstance(lookback, Mapping):
        return {name: _microseconds(days) for name, days in lookback.items()}
    return None if lookback is None else _microseconds(lookback)


def _microseconds(days: float) -> int:
    if not 0 <= days <= 1e6:
        raise ValueError(f"a lookback of {days} days cannot be; use a number from 0 to 1,000,000, or None")
    return round(days * DAY)


def refuse_unknown_windows(lookback: Lookback, channels: Collection[str | None]) -> None:
    """Refuse a window for what is neither a kind of touch nor a channel: it would silently change nothing."""
    if not isinstance(lookback, Mapping):
        return
    for name in lookback:
        if name != "*" and name not in KINDS and name not in channels:
            known = ", ".join([*sorted(channel for channel in channels if channel), *KINDS])
            raise ValueError(
                f"lookback: {name!r} is neither a channel of these touches nor a kind; use {known}"
            )
