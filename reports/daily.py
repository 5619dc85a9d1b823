"""Figures by local day: any period is a sum of them, and what changes is added and taken away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reports.kpis import Ints, Period, local_days, ratio

_COUNTS = ("calls", "answered", "missed", "voicemail", "spam", "qualifying_calls", "asked", "answers")
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Activity:
    """What stands beside credit in a report, whichever the model.

    Attributes
    ----------
    costs : pyarrow.Table
        The journey table.
    calls : pyarrow.Table
        As :func:`calls_by_day` returns.
    channels : mapping of str to str
        The channel of each campaign.
    observed : pyarrow.Table
        As :func:`observed_by_day` returns.
    """

    costs: pa.Table
    calls: pa.Table
    channels: Mapping[str, str]
    observed: pa.Table

    @classmethod
    def of(cls, journeys: Any, zone: ZoneInfo) -> "Activity":
        """Return that of journey tables; ``zone`` says where days begin."""
        channels = channels_of(journeys.costs, journeys.calls, journeys.touches)
        calls = calls_by_day(journeys.calls, journeys.answers, zone)
        return cls(journeys.costs, calls, channels, observed_by_day(journeys, zone))


def channels_of(*tables: pa.Table) -> dict[str, str]:
    """Return the channel of each campaign; of several the one in the earlier table."""
    found: dict[str, str] = {}
    for table in tables:
        pairs = table.select(["campaign", "channel"]).drop_null().group_by(["campaign", "channel"])
        for row in pairs.aggregate([]).to_pylist():
            found.setdefault(row["campaign"], row["channel"])
    return found


def credit_by_day(rows: pa.Table, zone: ZoneInfo) -> pa.Table:
    """Add credit up by local day, campaign and goal: all that figures of whole days need.

    Parameters
    ----------
    rows : pyarrow.Table
        From :func:`reports.roi.credited`.
    zone : ZoneInfo
        Where days begin and end.

    Returns
    -------
    pyarrow.Table
        ``day`` (date32), ``goal``, ``first``, ``campaign`` and, summed, each ``units NAME`` and
        ``credit NAME``. Two such tables in a row are the sum of both.
    """
    names = [name for name in rows.column_names if name.startswith(("units ", "credit "))]
    keyed = rows.select(["goal", "first", "campaign", *names])
    # Whole units add up to the same in any order, which shares in doubles do not.
    return _summed(keyed.append_column("day", _days(rows["converted_at"], zone)), names)


def calls_by_day(calls: pa.Table, answers: pa.Table, zone: ZoneInfo) -> pa.Table:
    """Count calls by local day and campaign, and how the telephone was attended.

    Parameters
    ----------
    calls, answers : pyarrow.Table
        Journey tables; ``answers`` needs its ``call_id`` column. Of several answers about a call the last
        one counts.
    zone : ZoneInfo
        Where days begin and end.

    Returns
    -------
    pyarrow.Table
        ``day`` (date32), ``campaign``, ``channel`` and the counts that :func:`desk` adds up. Two such tables
        in a row are the sum of both.
    """
    real, status = pc.invert(calls["spam"]), calls["status"]
    taken = pc.is_in(status, pa.array(["answered", "completed"]))
    lead = pc.fill_null(pc.not_equal(calls["lead_status"], "not_a_lead"), True)
    qualifying = pc.and_(pc.and_(real, taken), pc.and_(calls["first_call"], lead))
    said = answers["outcome"].combine_chunks().cast(pa.string())[::-1]
    told = said.take(
        pc.index_in(calls["call_id"], answers["call_id"].combine_chunks()[::-1]).combine_chunks()
    )
    flags = {
        "calls": real,
        "answered": pc.and_(real, taken),
        "missed": pc.and_(real, pc.equal(status, "missed")),
        "voicemail": pc.and_(real, pc.equal(status, "voicemail")),
        "spam": calls["spam"],
        "qualifying_calls": qualifying,
        "asked": pc.and_(qualifying, pc.is_in(told, pa.array(["answered", "declined"]))),
        "answers": pc.and_(qualifying, pc.fill_null(pc.equal(told, "answered"), False)),
    }
    keys = {
        "day": _days(calls["started_at"], zone),
        "campaign": calls["campaign"],
        "channel": calls["channel"],
    }
    return _summed(pa.table(keys | {name: flags[name].cast(pa.int64()) for name in _COUNTS}), _COUNTS)


def observed_by_day(journeys: Any, zone: ZoneInfo) -> pa.Table:
    """Count touches, calls without spam and answers by local day and campaign: what leads to each.

    Parameters
    ----------
    journeys : object with tables ``touches``, ``calls`` and ``answers``
        Journey tables.
    zone : ZoneInfo
        Where days begin and end.

    Returns
    -------
    pyarrow.Table
        ``day`` (date32), ``campaign`` and ``observed``. Two such tables in a row are the sum of both.
    """
    rung = journeys.calls.select(["started_at", "campaign"]).filter(pc.invert(journeys.calls["spam"]))
    parts = []
    moments = ((journeys.touches, "occurred_at"), (rung, "started_at"), (journeys.answers, "asked_at"))
    for table, moment in moments:
        if "campaign" in table.column_names:
            named = table.filter(pc.is_valid(table["campaign"]))
            days = {"day": _days(named[moment], zone), "campaign": named["campaign"].cast(pa.string())}
            parts.append(pa.table(days | {"observed": pa.array(np.ones(named.num_rows, np.int64))}))
    return _summed(pa.concat_tables(parts), ("observed",))


def desk(calls: pa.Table, period: Period) -> dict[str, float | int | None]:
    """Tell how the telephone was attended and how often the question was asked.

    Parameters
    ----------
    calls : pyarrow.Table
        From :func:`calls_by_day`.
    period : Period
        Calls that rang in it count.

    Returns
    -------
    dict
        ``calls``, ``answered``, ``missed``, ``voicemail``, ``spam``, ``qualifying_calls``, ``asked``,
        ``answers`` (counts) and ``answered_rate``, ``missed_rate``, ``asked_rate``, ``answer_rate``
        (shares; None where there is nothing to divide by). Spam is counted only in ``spam``.

    Notes
    -----
    ``asked`` counts qualifying calls with an answer or a refusal to answer. A call about which nothing was
    logged counts as not asked.
    """
    mine = within(calls, period)
    found = {name: pc.sum(mine[name]).as_py() or 0 for name in _COUNTS}
    return found | {
        "answered_rate": ratio(found["answered"], found["calls"]),
        "missed_rate": ratio(found["missed"], found["calls"]),
        "asked_rate": ratio(found["asked"], found["qualifying_calls"]),
        "answer_rate": ratio(found["answers"], found["asked"]),
    }


def spread(costs: pa.Table, edges: Ints) -> tuple[Ints, Ints, Ints]:
    """Spread each cost evenly over its days, and cut it at some of them.

    Parameters
    ----------
    costs : pyarrow.Table
        The journey table.
    edges : ndarray of int
        Days since 1970, rising: where parts begin, and where the last one ends.

    Returns
    -------
    tuple of ndarray of int
        Row of the cost, number of the part, and minor units: one each where a cost reaches into a part. The
        parts of a cost that lies between the edges add up to it exactly.

    Examples
    --------
    Ten euros spread over 2026, of which the first quarter is asked for:

    >>> costs = {"period_start": [date(2026, 1, 1)], "period_end": [date(2027, 1, 1)], "amount_minor": [1000]}
    >>> [part.tolist() for part in spread(pa.table(costs), np.array([20_454, 20_544]))]
    [[0], [0], [247]]
    """
    start, end = (
        costs[name].cast(pa.int32()).to_numpy().astype(np.int64) for name in ("period_start", "period_end")
    )
    first = np.maximum(np.searchsorted(edges, start, side="right") - 1, 0)
    last = np.minimum(np.searchsorted(edges, end), len(edges) - 1)
    count = np.maximum(last - first, 0)
    row = np.repeat(np.arange(len(start)), count)
    part = np.arange(len(row)) - np.repeat(np.cumsum(count) - count - first, count)
    days = (end - start)[row]
    # Apart, so that no product leaves 64 bits.
    daily, rest = np.divmod(costs["amount_minor"].to_numpy()[row], days)

    def up_to(edge: Ints) -> Ints:
        covered = np.clip(edge - start[row], 0, days)
        found: Ints = daily * covered + (2 * rest * covered + days) // (2 * days)
        return found

    return row, part, up_to(edges[part + 1]) - up_to(edges[part])


def added_up(daily: pa.Table) -> pa.Table:
    """Return a table by day with one row where several had the same day and names."""
    names = [field.name for field in daily.schema if pa.types.is_int64(field.type)]
    return _summed(daily.unify_dictionaries(), names).combine_chunks()


def taken_away(daily: pa.Table) -> pa.Table:
    """Return what takes a table by day away from another that it is appended to."""
    columns = {
        name: pc.negate(column) if pa.types.is_int64(column.type) else column
        for name, column in zip(daily.column_names, daily.columns, strict=True)
    }
    return pa.table(columns)


def within(daily: pa.Table, period: Period) -> pa.Table:
    """Return the rows of a table by day that lie in a period."""
    return placed(daily, edges_of([period]))[0]


def placed(daily: pa.Table, edges: Ints) -> tuple[pa.Table, Ints]:
    """Keep the days from the first edge up to the last, and say between which two each of them lies."""
    days = daily["day"].cast(pa.int32()).to_numpy()
    inside = (days >= edges[0]) & (days < edges[-1])
    return daily.filter(pa.array(inside)), np.searchsorted(edges, days[inside], side="right") - 1


def edges_of(parts: Sequence[Period]) -> Ints:
    """Return the days since 1970 on which adjoining periods begin, and on which the last one ends."""
    return np.array([(day - _EPOCH).days for day in (*(part.start for part in parts), parts[-1].end)])


def _days(moments: pa.ChunkedArray, zone: ZoneInfo) -> pa.Array:
    return pa.array(local_days(moments.cast(pa.int64()).to_numpy(), zone), pa.int32()).cast(pa.date32())


def _summed(table: pa.Table, names: Sequence[str]) -> pa.Table:
    keys = [name for name in table.column_names if name not in names]
    return table.group_by(keys).aggregate([(name, "sum") for name in names]).rename_columns([*keys, *names])
