"""Markov attribution: what share of conversions would a chain of touches lose without a channel.

Paths become a chain START > channel > ... > CONVERSION or NULL. Removing a channel sends whatever flows into
it to NULL; the removal effect is the share of the conversion probability that is lost. Everything is solved,
nothing is sampled: if h is the probability of ever entering the channel's states and c the probability of
converting from there, what is lost is h c.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.counts import (
    SEPARATOR,
    UNKNOWN,
    Weights,
    counted,
    escaped,
    figures,
    joined,
    tallied,
    unescaped,
)
from attribution.credit import Floats
from attribution.journeys import JourneyError
from attribution.paths import Journeys, Paths, Whole, encode
from attribution.rules import Model

LARGEST_DENSE = 2500
MOST_KEYS = 2500
MOST_SWEEPS = 20_000
MOST_MOVES = 4_000_000
"""As many different moves are held: 20 sources at order 4 have 3.2 million."""

MOST_WORK = 200_000_000
"""Moves times sources: the most takes minutes."""

CELLS = 4_000_000
"""So many figures, moves times sources, are worked on at a time."""

Run = tuple[str | None, ...]


@dataclass(frozen=True, kw_only=True)
class Markov(Model):
    """Removal effects of an absorbing chain of order 1 to 4, exact.

    Parameters
    ----------
    order : int, default 1
        How many touches a state remembers, 1 to 4.
    states : {"channel", "campaign"}, default "channel"
        What a state is.
    allocation : {"journey", "total"}, default "journey"
        ``"journey"`` shares each conversion over its own touches in proportion to their removal effects, so
        that every deal is earned by those who met the buyer. ``"total"`` shares the sum of all conversions
        in proportion to the removal effects (Anderl et al., ChannelAttribution), whoever met whom; added up
        by `states`, or by touch, where each source's credit is spread evenly over its touches.

    Raises
    ------
    ValueError
        For an order outside 1 to 4 or an unknown setting.

    Notes
    -----
    A removal effect is a property of the fitted chain. It is not the effect of switching a campaign off.

    Counts: a key holds the run of order + 1 sources that ends at a touch, oldest first, nothing before the
    start; how often it occurs, and how often it ends a converting path or another.

    References
    ----------
    .. [1] E. Anderl, I. Becker, F. von Wangenheim, J. H. Schumann, "Mapping the customer journey",
       International Journal of Research in Marketing 33(3), 2016, 457-474.

    Examples
    --------
    >>> Markov(order=2, label="markov, two touches deep").shown
    'markov, two touches deep'
    """

    order: int = 1
    states: Literal["channel", "campaign"] = "channel"
    allocation: Literal["journey", "total"] = "journey"
    fitted: ClassVar[bool] = True
    everyone: ClassVar[bool] = True
    called: str = field(default="markov", init=False)

    def __post_init__(self) -> None:
        if self.order not in (1, 2, 3, 4):
            raise ValueError(f"order is {self.order!r}; use 1, 2, 3 or 4")
        self.check("states", "channel", "campaign")
        self.check("allocation", "journey", "total")

    @property
    def reads(self) -> frozenset[str]:
        """Names of the touches' columns that the model reads."""
        return frozenset({self.states})

    def runs(self, paths: Paths) -> tuple[Whole, Whole, Whole]:
        """Give for each row the number of the run that it ends: digits are codes of sources, 0 the start."""
        base = len(paths.of.names[self.states]) + 1
        run = code = paths.code(self.states).astype(np.int64) + 1
        for back in range(1, self.order + 1):
            before = np.append(np.zeros(back, np.int64), code[:-back])[: len(code)]
            run = run + np.where(paths.k > back, before, 0) * base**back
        return paths.path, run, paths.k == paths.n

    def count(self, journeys: Journeys, *, apart: bool = False) -> pa.Table:
        """Count every run, and how often it ends a converting path or another."""
        names = [UNKNOWN if name is None else name for name in journeys.names[self.states]]
        base = len(names) + 1
        if base ** (self.order + 1) >= 2**62:
            # More sources than a chain can tell apart: their names alone let solve() say so.
            zero = np.zeros(len(names), np.int64)
            return counted(self.shown, [escaped(name) for name in names], zero + 1, zero, zero)
        texts = pa.array(["", *map(escaped, names)])

        def keys(runs: Whole) -> Any:
            digits = [texts.take(pa.array(runs // base**back % base)) for back in range(self.order, -1, -1)]
            return pc.binary_join_element_wise(*digits, SEPARATOR)

        return tallied(
            journeys, self.shown, self.runs, keys, base ** (self.order + 1), apart=apart, most=MOST_MOVES
        )

    def solve(self, counts: pa.Table) -> Weights:
        """Solve the chain of these runs."""
        names, runs = read_runs(counts["key"])
        effects = solve_chain(names, runs, *figures(counts))
        return Weights(
            label=self.label,
            called=self.name,
            key=self.states,
            weights=effects,
            total=self.allocation == "total",
        )


def read_runs(keys: pa.ChunkedArray) -> tuple[list[str], Whole]:
    """Read keys of counts: the names in order, and per key the codes of its run, 0 for the start."""
    flat, listed = encode(pc.list_flatten(pc.split_pattern(keys, SEPARATOR)))
    sources = [unescaped(name or "") for name in listed]
    names = sorted({*sources} - {""})
    code = {name: i for i, name in enumerate(["", *names])}
    codes = np.array([code[name] for name in sources], np.int64)[flat]
    return names, codes.reshape(len(keys), -1) if len(keys) else np.zeros((0, 2), np.int64)


def removal_effects(paths: Iterable[tuple[Sequence[str], float, float]], order: int = 1) -> dict[str, float]:
    """Give the exact removal effect of every channel in paths counted by outcome.

    Parameters
    ----------
    paths : iterable of (sequence of str, float, float)
        Each path with how often it converted and how often it did not (>= 0).
    order : int, default 1
        How many touches a state remembers, at least 1.

    Returns
    -------
    dict of str to float
        Removal effect per channel, between 0 and 1, in alphabetical order. They do not add up to 1.

    Raises
    ------
    JourneyError
        If no path converts, or there are fewer than two channels to compare.

    Examples
    --------
    >>> effects = removal_effects([("ABABBA", 1, 0), ("ABBAA", 1, 0), ("AA", 1, 0)])
    >>> {channel: round(effect, 12) for channel, effect in effects.items()}
    {'A': 1.0, 'B': 0.5}
    """
    counts: dict[Run, list[float]] = {}
    for path, converted, lost in paths:
        if not path or not converted + lost:
            continue
        padded: Run = (None,) * order + tuple(path)
        for end in range(order, len(padded)):
            last = end == len(padded) - 1
            row = counts.setdefault(padded[end - order : end + 1], [0.0, 0.0, 0.0])
            row[0] += converted + lost
            row[1] += converted if last else 0
            row[2] += lost if last else 0
    names, runs = read_runs(pa.chunked_array([[joined(run) for run in counts]], pa.string()))
    return solve_chain(names, runs, *np.array([*counts.values()]).reshape(-1, 3).T)


def solve_chain(names: list[str], runs: Whole, times: Any, won: Any, lost: Any) -> dict[str, float]:
    """Give removal effects from how often each run of touches occurs, and how often it ends a path.

    Parameters
    ----------
    names : list of str
        The sources, sorted, K of them.
    runs : ndarray of int, shape (R, order + 1)
        The run of touches that each move ends, oldest first: 1 to K, 0 before the start.
    times, won, lost : ndarray, shape (R,)
        How often it occurs, and how often it ends a converting path or another.

    Returns
    -------
    dict of str to float
        Removal effect per source, between 0 and 1.

    Raises
    ------
    JourneyError
        If no path converts, if there are fewer than two sources, or more than can be told apart or solved.
    """
    if len(names) > MOST_KEYS:
        raise JourneyError(
            "there are more sources than a chain can tell apart",
            "use channels as states, or group small sources",
        )
    refuse_deep(len(runs))
    some = times > 0
    runs, times, won, lost = runs[some], times[some], won[some], lost[some]
    if not won.sum():
        raise JourneyError(
            "no path ends in a conversion, so no removal effect is defined",
            "use more data or a longer lookback, or a rule model",
        )
    met = np.unique(runs[:, -1])
    keys = [names[code - 1] for code in met.tolist()]
    if len(keys) < 2:
        raise JourneyError(
            "every touch has the same source, so there is nothing to compare it with",
            "use first-touch, last-touch or linear, or campaigns as states",
        )
    power = (len(names) + 1) ** np.arange(runs.shape[1] - 2, -1, -1, dtype=np.int64)
    source, target = runs[:, :-1] @ power, runs[:, 1:] @ power
    states, target = np.unique(target, return_inverse=True)
    size = len(states)
    begins = source == 0
    place = np.minimum(np.searchsorted(states, source), size - 1)
    converted, ended = np.bincount(target, won, size), np.bincount(target, won + lost, size)
    outflow = ended + np.bincount(place[~begins], times[~begins], size)
    if not outflow.all() or (states[place[~begins]] != source[~begins]).any():
        raise JourneyError("the chain has a state that leads nowhere", "count the ends of all paths")
    first = np.bincount(target[begins], times[begins], size)
    first = first / first.sum()
    rows, columns = place[~begins], target[~begins]
    share = times[~begins] / outflow[rows]
    key_of = states % (len(names) + 1)
    members = [np.flatnonzero(key_of == code) for code in met]
    moves = rows, columns, share
    if size <= LARGEST_DENSE:
        effects = _direct(moves, converted / outflow, first, members)
    else:
        refuse_deep(len(runs), len(keys))
        effects = _swept(moves, converted / outflow, first, members)
    return {key: float(value) for key, value in zip(keys, effects, strict=True)}


def refuse_deep(moves: int, keys: int = 1) -> None:
    """Refuse a chain that remembers more than fits into memory or is solved in minutes."""
    if moves > MOST_MOVES or moves * keys > MOST_WORK:
        raise JourneyError(
            "the chain has too many moves to be solved for each of its sources",
            "use a lower order, channels as states, or group small sources",
        )


Moves = tuple[Whole, Whole, Floats]  # from which state, to which, and what share of all that leave it


def _direct(moves: Moves, convert: Floats, first: Floats, members: list[Whole]) -> Floats:
    """Lost share per key by one inverse: u_G (N_GG)^-1 c_G, with u = first N and c = N convert."""
    rows, columns, share = moves
    stay = np.zeros((len(first), len(first)))
    np.add.at(stay, (rows, columns), share)
    inverse = np.linalg.inv(np.eye(len(first)) - stay)
    entered, converting = first @ inverse, inverse @ convert
    everything = first @ converting
    lost = [entered[g] @ np.linalg.solve(inverse[np.ix_(g, g)], converting[g]) for g in members]
    return np.clip(np.array(lost) / everything, 0.0, 1.0)


def _swept(moves: Moves, convert: Floats, first: Floats, members: list[Whole]) -> Floats:
    """Lost share per key where the chain is too large for an inverse."""
    order = np.argsort(moves[0], kind="stable")
    rows, columns, share = (column[order] for column in moves)
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    rows, share = rows[starts], share[:, None]

    def converting(removed: list[Whole]) -> Floats:
        """Chance to convert without each group of states: x = convert + stay x with the group's held at 0."""
        alive = np.ones((len(first), len(removed)))
        for code, group in enumerate(removed):
            alive[group, code] = 0.0
        x = target = convert[:, None] * alive
        for _ in range(MOST_SWEEPS):
            following = target.copy()
            following[rows] += alive[rows] * np.add.reduceat(share * x[columns], starts)
            change = np.abs(following - x).max()
            x = following
            if change < 1e-17:
                reached: Floats = first @ x
                return reached
        raise JourneyError(
            "the chain does not settle: some paths are extremely long",
            "set lookback_days, or use order 1",
        )

    step = max(1, CELLS // max(len(first), len(columns)))
    without = [converting(members[low : low + step]) for low in range(0, len(members), step)]
    return np.clip(1.0 - np.concatenate(without) / converting([np.zeros(0, int)]), 0.0, 1.0)
