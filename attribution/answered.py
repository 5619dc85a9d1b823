"""What buyers answered: the source named of each conversion, and what belongs to sources that were named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.credit import UNIT, Floats
from attribution.paths import Journeys, Whole, encode, moments

Source = tuple[str | None, str | None]  # campaign, channel
Counts = Mapping[Source, int]


class Answers:
    """For each conversion the account's last answer at or before it, otherwise the first after.

    Parameters
    ----------
    journeys : Journeys
        Journeys that came with a table of answers.

    Attributes
    ----------
    sources : list of (str or None, str or None)
        The campaigns and channels named, S of them; at least one of the two is known.
    source : ndarray of int, shape (C,)
        Per conversion: which of `sources` was named; -1 where nobody answered.
    """

    @classmethod
    def of(cls, journeys: Journeys) -> Answers:
        """Give the answers of journeys, looked up once for all models."""
        if journeys.heard is None:
            journeys.heard = cls(journeys)
        found: Answers = journeys.heard
        return found

    def __init__(self, journeys: Journeys) -> None:
        table, account = journeys.answers, journeys.answered_by
        if table is None or account is None:
            raise ValueError("self-reported and hybrid need the table of answers; pass answers=")
        nothing = pa.chunked_array([pa.nulls(len(table), pa.string())])
        (campaign, campaigns), (channel, channels) = (
            encode(table[name] if name in table.column_names else nothing) for name in ("campaign", "channel")
        )
        answered = pc.fill_null(pc.equal(table["outcome"], "answered"), False).to_numpy()
        # Answers of the same moment stand in the order of their identifiers.
        name = pc.rank(table["answer_id"]).to_numpy()
        rows = np.flatnonzero(answered & ((campaign > 0) | (channel > 0)))
        rows = rows[np.argsort(account[rows], kind="stable")]
        owner = journeys.owner
        start, end = (np.searchsorted(account[rows], owner, side) for side in ("left", "right"))
        size = end - start
        order = np.repeat(np.arange(len(owner)), size)
        row = rows[np.arange(len(order)) + np.repeat(start - (np.cumsum(size) - size), size)]
        away = journeys.moment[order] - moments(table["asked_at"])[row]
        best = np.lexsort((name[row], np.abs(away), away < 0, order))
        order, row = order[best], row[best]
        nearest = np.flatnonzero(np.diff(order, prepend=-1))
        cell, place = np.unique(
            campaign[row].astype(np.int64) * len(channels) + channel[row], return_inverse=True
        )
        self.sources: list[Source] = [
            (campaigns[c // len(channels)], channels[c % len(channels)]) for c in cell.tolist()
        ]
        self.source = np.full(len(owner), -1)
        self.source[order[nearest]] = place[nearest]


@dataclass(frozen=True)
class Reported:
    """What belongs to sources that buyers named, N parts of conversions.

    Parameters
    ----------
    order, source : ndarray of int, shape (N,)
        Of which conversion, and which of `sources`.
    sources : list of (str or None, str or None)
        Campaigns and channels.
    weight, units, credit : ndarray, shape (N,)
        The share of the conversion (0 to 1), the same in parts of 2^-40, and minor units.
    """

    order: Whole
    source: Whole
    sources: Sequence[Source]
    weight: Floats
    units: Whole
    credit: Whole


def reported_parts(journeys: Journeys, pieces: Sequence[tuple[Whole, Any, Counts]]) -> Reported:
    """Cut the part of each conversion beyond `offset` at the counts of the sources named."""
    sources: dict[Source, int] = {}
    columns: list[list[Any]] = [[np.zeros(0, kind)] for kind in (int, int, float, np.int64, np.int64)]
    for order, offset, counts in pieces:
        value, of, reached = journeys.value[order], sum(counts.values()), 0
        size, sign = np.abs(value).astype(float), np.where(value < 0, -1, 1)
        offset = np.broadcast_to(np.asarray(offset, float), len(order))
        rest = 1.0 - offset
        for source, count in _by_name(counts):
            ends = [reached / of * rest + offset, (reached + count) / of * rest + offset]
            units, credit = (
                np.subtract(*(np.floor(end * amount + 0.5).astype(np.int64) for end in reversed(ends)))
                for amount in (float(UNIT), size)
            )
            place = np.full(len(order), sources.setdefault(source, len(sources)))
            for column, values in zip(
                columns, (order, place, count / of * rest, units, credit * sign), strict=True
            ):
                column.append(values)
            reached += count
    order, place, weight, units, credit = map(np.concatenate, columns)
    return Reported(order, place, list(sources), weight, units, credit)


def _by_name(counts: Counts) -> list[tuple[Source, int]]:
    return sorted(counts.items(), key=lambda item: tuple(part or "" for part in item[0]))
