"""Markov attribution: what share of conversions would a chain of touches lose without a channel.

Paths become a chain START > channel > ... > CONVERSION or NULL. Removing a channel sends whatever flows into
it to NULL; the removal effect is the share of the conversion probability that is lost. Everything is solved,
nothing is sampled: if h is the probability of ever entering the channel's states and c the probability of
converting from there, what is lost is h c.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import scipy.sparse

from attribution.journeys import JourneyError
from attribution.rules import Lookup, Model

if TYPE_CHECKING:
    from attribution.paths import Journeys

UNKNOWN = "(unknown)"
"""The state of a touch whose source is not known."""

LARGEST_DENSE = 2500
MOST_KEYS = 2500
MOST_SWEEPS = 20_000
MOST_MOVES = 4_000_000
"""As many different moves are held: 20 sources at order 4 have 3.2 million."""

MOST_WORK = 200_000_000
"""Moves times sources: 40 million took 40 s of processor time, so the most takes minutes."""

CELLS = 4_000_000
"""So many figures, states times sources, are worked on at a time."""

Gram = tuple[str | None, ...]


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
        in proportion to the removal effects (Anderl et al.), whoever met whom; only with ``by`` equal to
        `states`.

    Raises
    ------
    ValueError
        For an order outside 1 to 4 or an unknown setting.

    Notes
    -----
    A removal effect is a property of the fitted chain. It is not the effect of switching a campaign off.

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

    def __post_init__(self) -> None:
        if self.order not in (1, 2, 3, 4):
            raise ValueError(f"order is {self.order!r}; use 1, 2, 3 or 4")
        if self.states not in ("channel", "campaign"):
            raise ValueError(f"states is {self.states!r}; use 'channel' or 'campaign'")
        if self.allocation not in ("journey", "total"):
            raise ValueError(f"allocation is {self.allocation!r}; use 'journey' or 'total'")

    @property
    def name(self) -> str:
        """The model's name in the contract."""
        return "markov"

    @property
    def reads(self) -> frozenset[str]:
        """Names of the touches' own columns that the model reads."""
        return frozenset({self.states})

    def fit(self, journeys: Journeys) -> Lookup:
        """Count transitions in the engine, solve the chain here."""
        return self.weigh(journeys.grams(self.states, self.order))

    def weigh(self, grams: Iterable[tuple[Gram, float, float, float]]) -> Lookup:
        """Solve the chain of these transitions."""
        effects = chain_effects(grams, self.order)
        return Lookup(
            label=self.label,
            called=self.name,
            key=self.states,
            weights=effects,
            unknown=effects.get(UNKNOWN, 0.0),
            total=self.allocation == "total",
        )


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
    >>> removal_effects([("ABABBA", 1, 0), ("ABBAA", 1, 0), ("AA", 1, 0)])
    {'A': 1.0, 'B': 0.5...}
    """
    counts: dict[Gram, list[float]] = {}
    for path, converted, lost in paths:
        if not path or not converted + lost:
            continue
        padded: Gram = (None,) * order + tuple(path)
        for end in range(order, len(padded)):
            last = end == len(padded) - 1
            row = counts.setdefault(padded[end - order : end + 1], [0.0, 0.0, 0.0])
            row[0] += converted + lost
            row[1] += converted if last else 0
            row[2] += lost if last else 0
    return chain_effects(((gram, row[0], row[1], row[2]) for gram, row in counts.items()), order)


def chain_effects(grams: Iterable[tuple[Gram, float, float, float]], order: int) -> dict[str, float]:
    """Give removal effects from how often each run of order + 1 touches occurs, and how often it ends a path.

    Each item holds the run (oldest first, None before the start), its occurrences, the conversions at its
    end, and the paths lost there.
    """
    moves: dict[tuple[Gram, Gram], float] = {}
    ends: dict[Gram, list[float]] = {}
    for gram, count, converted, lost in grams:
        refuse_deep(len(moves))
        move = (gram[:-1], gram[1:])
        moves[move] = moves.get(move, 0.0) + count
        end = ends.setdefault(gram[1:], [0.0, 0.0])
        end[0] += converted
        end[1] += lost
    if not sum(end[0] for end in ends.values()):
        raise JourneyError(
            "no path ends in a conversion, so no removal effect is defined",
            "use more data or a longer lookback, or a rule model",
        )
    keys = sorted({gram[-1] or UNKNOWN for gram in ends})
    if len(keys) < 2:
        raise JourneyError(
            f"every touch has the same source, {keys[0]!r}, so there is nothing to compare it with",
            "use first-touch, last-touch or linear, or campaigns as states",
        )
    refuse_many(keys)
    return _solve(moves, ends, keys, order)


def refuse_many(keys: Sequence[str]) -> None:
    """Refuse more sources than a chain can tell apart."""
    if len(keys) > MOST_KEYS:
        raise JourneyError(
            f"{len(keys)} sources are more than the {MOST_KEYS} that a chain can tell apart",
            "use channels as states, or group small sources",
        )


def refuse_deep(moves: int, keys: int = 1) -> None:
    """Refuse a chain that remembers more than fits into memory or is solved in minutes."""
    if moves > MOST_MOVES or moves * keys > MOST_WORK:
        raise JourneyError(
            f"the chain of {moves} moves is too large to be solved for each of its sources",
            "use a lower order, channels as states, or group small sources",
        )


def _solve(
    moves: Mapping[tuple[Gram, Gram], float],
    ends: Mapping[Gram, Sequence[float]],
    keys: list[str],
    order: int,
) -> dict[str, float]:
    states = sorted(ends, key=lambda gram: tuple(part or "" for part in gram))
    place = {gram: i for i, gram in enumerate(states)}
    code = {key: i for i, key in enumerate(keys)}
    key_of = np.array([code[gram[-1] or UNKNOWN] for gram in states])
    start: Gram = (None,) * order
    size = len(states)
    first = np.zeros(size)
    rows, columns, counts = [], [], []
    outflow = np.array([sum(ends[gram]) for gram in states], dtype=float)
    for (source, target), count in moves.items():
        if source == start:
            first[place[target]] += count
        else:
            rows.append(place[source])
            columns.append(place[target])
            counts.append(count)
            outflow[place[source]] += count
    if not outflow.all():
        raise JourneyError("the chain has a state that leads nowhere", "count the ends of all paths")
    stay = scipy.sparse.csr_array((counts, (rows, columns)), shape=(size, size), dtype=float)
    stay = scipy.sparse.diags_array(1.0 / outflow) @ stay
    convert = np.array([ends[gram][0] for gram in states]) / outflow
    first /= first.sum()
    members = [np.flatnonzero(key_of == code) for code in range(len(keys))]
    if size <= LARGEST_DENSE:
        lost = _direct(stay.toarray(), convert, first, members)
    else:
        refuse_deep(len(moves), len(keys))
        whole = _reached(stay.tocsr(), convert, first, [np.zeros(0, dtype=int)])
        step = max(1, CELLS // size)
        without = [
            _reached(stay.tocsr(), convert, first, members[low : low + step])
            for low in range(0, len(members), step)
        ]
        lost = np.clip(1.0 - np.concatenate(without) / whole, 0.0, 1.0)
    return {key: float(value) for key, value in zip(keys, lost, strict=True)}


def _direct(stay: Any, convert: Any, first: Any, members: list[Any]) -> Any:
    """Lost share per key by one inverse: u_G (N_GG)^-1 c_G, with u = first N and c = N convert."""
    inverse = np.linalg.inv(np.eye(len(first)) - stay)
    entered, converting = first @ inverse, inverse @ convert
    everything = first @ converting
    lost = [entered[g] @ np.linalg.solve(inverse[np.ix_(g, g)], converting[g]) for g in members]
    return np.clip(np.array(lost) / everything, 0.0, 1.0)


def _reached(stay: Any, convert: Any, first: Any, removed: list[Any]) -> Any:
    """Chance to convert without each group of states: x = convert + stay x with the group's held at 0."""
    kept = np.ones((len(first), len(removed)))
    for code, group in enumerate(removed):
        kept[group, code] = 0.0
    target = convert[:, None] * kept
    x = target.copy()
    for _ in range(MOST_SWEEPS):
        following = target + kept * (stay @ x)
        change = np.abs(following - x).max()
        x = following
        if change < 1e-17:
            return first @ x
    raise JourneyError(
        "the chain does not settle: some paths are extremely long",
        "set lookback_days, or use order 1",
    )
