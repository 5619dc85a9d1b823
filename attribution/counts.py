"""What fitted models learn from: counts by name, which can be added, and subtracted again.

Every fitted model counts in the same form, so that any store can keep the counts of some accounts, add those
of others, and take away what has changed: the sum is what `solve` needs, however it came about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.credit import whole
from attribution.paths import Journeys, Paths, Whole, numbered
from attribution.rules import Model

COUNTS = pa.schema(
    [
        ("model", pa.string()),
        ("key", pa.string()),
        ("times", pa.int64()),
        ("won", pa.int64()),
        ("lost", pa.int64()),
    ]
)
"""``model`` is its label; ``key`` says what was counted, as its model defines: names joined by `joined`;
``times`` how often, ``won`` and ``lost`` how many of these ended in a conversion or without one."""

TALLY = pa.schema([(name, pa.int64()) for name in ("account", "cell", *COUNTS.names[2:])])
"""Counts before cells get their keys."""

UNKNOWN = "(unknown)"
"""The name of a touch's source that is not known."""

SEPARATOR = "\x1f"


def counted(model: str, keys: Sequence[str] | pa.Array, times: Whole, won: Whole, lost: Whole) -> pa.Table:
    """Give counts of one model their form."""
    return pa.table([pa.repeat(pa.scalar(model), len(keys)), keys, times, won, lost], schema=COUNTS)


Events = Callable[[Paths], tuple[Whole, Whole, Whole]]


def tallied(
    journeys: Journeys,
    model: str,
    events: Events,
    keys: Callable[[Whole], pa.Array],
    limit: int,
    *,
    apart: bool,
    most: int = 2**62,
) -> pa.Table:
    """Count events of all paths, those of accounts that never converted included.

    Parameters
    ----------
    journeys : Journeys
        The journeys.
    model : str
        Label of the model that learns from them.
    events : function of Paths
        Gives for each event its path, its cell (a number from 0), and whether it is the path's last.
    keys : function of cells
        Gives the key of each cell.
    limit : int
        Cells are below it.
    apart : bool
        Whether each account is counted by itself: the numbers of accounts then stand first, as ``account``.
    most : int
        After so many different cells counting stops: solving them would be refused.
    """
    counts = TALLY.empty_table()
    for paths in journeys.everyone():
        path, cell, last = events(paths)
        won = paths.order[path] >= 0
        found, place = numbered(cell, limit)
        owner = np.zeros_like(found)
        if apart:
            pair, place = np.unique(paths.account[path] * len(found) + place, return_inverse=True)
            owner, found = pair // len(found), found[pair % len(found)]
        some = [
            np.bincount(place[rows], minlength=len(found)) for rows in (slice(None), last & won, last & ~won)
        ]
        counts = _summed(pa.concat_tables([counts, pa.table([owner, found, *some], schema=TALLY)]), 2)
        if len(counts) > most:
            break  # solve() says what to do
    cells, place = np.unique(counts["cell"], return_inverse=True)
    columns = [
        pa.repeat(pa.scalar(model), len(counts)),
        keys(cells).take(pa.array(place)),
        *counts.columns[2:],
    ]
    if apart:
        return pa.table([counts["account"], *columns], names=["account", *COUNTS.names])
    return pa.table(columns, schema=COUNTS)


def _summed(rows: pa.Table, by: int) -> pa.Table:
    """Add figures up by the first `by` columns."""
    names = rows.column_names
    return rows.group_by(names[:by]).aggregate([(name, "sum") for name in names[by:]]).rename_columns(names)


def added(counts: Iterable[pa.Table], taken: Iterable[pa.Table] = ()) -> pa.Table:
    """Add counts up, and take others away.

    Parameters
    ----------
    counts, taken : iterable of pyarrow.Table
        In the form of `COUNTS`.

    Returns
    -------
    pyarrow.Table
        Their sum less `taken`, without rows of nothing but zeros.
    """
    names, less = COUNTS.names[2:], pa.concat_tables([COUNTS.empty_table(), *taken])
    minus = pa.table([*less.columns[:2], *(pc.negate(less[name]) for name in names)], schema=COUNTS)
    summed = _summed(pa.concat_tables([minus, *counts]), 2)
    return summed.filter(reduce(pc.or_, (pc.not_equal(summed[name], 0) for name in names)))


def figures(counts: pa.Table) -> tuple[Whole, Whole, Whole]:
    """Give the three columns of figures."""
    times, won, lost = (counts[name].to_numpy() for name in COUNTS.names[2:])
    return times, won, lost


def joined(names: Iterable[str | None]) -> str:
    """Make one key of several names; nothing, which no name is, stands for None."""
    return SEPARATOR.join(escaped(name or "") for name in names)


def parted(key: str) -> list[str]:
    """Give back the names of a key."""
    return [unescaped(part) for part in key.split(SEPARATOR)]


def escaped(name: str) -> str:
    """Hide what parts names, in the odd name that holds it."""
    return name.replace("\\", "\\\\").replace(SEPARATOR, "\\s")


def unescaped(part: str) -> str:
    """Give back the name."""
    if "\\" not in part:
        return part
    return "\\".join(piece.replace("\\s", SEPARATOR) for piece in part.split("\\\\"))


@dataclass(frozen=True, kw_only=True)
class Weights(Model):
    """A model that has been fitted: a weight per source.

    Parameters
    ----------
    called : str
        Name of the model that was fitted.
    key : str
        The touches' column of sources.
    weights : mapping of str to float
        Weight per source, 0 to 1; a source without one weighs nothing.
    shared : bool, default False
        Whether the touches of one source in one path share its weight.
    total : bool, default False
        Whether the sum of all conversions is shared in proportion to the weights, whoever met whom.
    """

    called: str = field()
    key: str
    weights: Mapping[str, float] = field(default_factory=dict)
    shared: bool = False
    total: bool = False

    @property
    def reads(self) -> frozenset[str]:
        """Names of the touches' columns that the model reads."""
        return frozenset({self.key})

    def weigh(self, paths: Paths) -> Whole:
        """Look each touch's source up."""
        names = paths.of.names[self.key]
        looked = np.array([self.weights.get(name or UNKNOWN, 0.0) for name in names])
        code = paths.code(self.key)
        weight = looked[code]
        return whole(weight / paths.alike(code, len(names)) if self.shared else weight, paths)
