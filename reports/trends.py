"""Figures by week, month, quarter or year, and the periods to compare a period with."""

from collections.abc import Collection
from datetime import date, timedelta
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution import UNATTRIBUTED
from attribution.shares import UNIT
from reports.daily import Activity, edges_of, placed, spread
from reports.evidence import connected
from reports.kpis import Ints, Period, ratio
from reports.roi import GOALS, OVERHEAD, UNKNOWN

Step = Literal["week", "month", "quarter", "year"]
STEPS: tuple[Step, ...] = ("week", "month", "quarter", "year")
_MONTHS = {"month": 1, "quarter": 3, "year": 12}

TREND = pa.schema(
    [
        pa.field("start", pa.date32(), nullable=False),
        pa.field("end", pa.date32(), nullable=False),
        pa.field("cost_minor", pa.int64(), nullable=False),
        pa.field("revenue_minor", pa.int64(), nullable=False),
        pa.field("credited_minor", pa.int64(), nullable=False),
        pa.field("calls", pa.int64(), nullable=False),
        pa.field("answered_calls", pa.int64(), nullable=False),
        pa.field("leads", pa.float64(), nullable=False),
        pa.field("qualified_leads", pa.float64(), nullable=False),
        pa.field("deals", pa.float64(), nullable=False),
        pa.field("customers", pa.float64(), nullable=False),
        pa.field("roi", pa.float64()),
    ]
)
"""Columns of a trend; ``end`` is exclusive, amounts are minor units, ``roi`` a fraction or null."""


def spans(period: Period, step: Step) -> list[Period]:
    """Cut a period at the starts of weeks (Mondays), months, quarters or years.

    Parameters
    ----------
    period : Period
        What to cut.
    step : {"week", "month", "quarter", "year"}
        How long the parts are; the first and the last may be shorter.

    Returns
    -------
    list of Period
        Adjoining parts that make up the period.

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> winter = Period(date(2025, 12, 15), date(2026, 2, 10), ZoneInfo("UTC"))
    >>> [str(part.start) for part in spans(winter, "month")]
    ['2025-12-15', '2026-01-01', '2026-02-01']
    """
    cuts = [period.start]
    while (after := following(cuts[-1], step)) < period.end:
        cuts.append(after)
    ends = [*cuts[1:], period.end]
    return [Period(start, end, period.zone) for start, end in zip(cuts, ends, strict=True)]


def following(day: date, step: Step) -> date:
    """Return the first day after another on which a week (a Monday), month, quarter or year begins.

    Parameters
    ----------
    day : datetime.date
        Any.
    step : {"week", "month", "quarter", "year"}
        What begins.

    Returns
    -------
    datetime.date
        A later day than ``day``.

    Examples
    --------
    >>> str(following(date(2026, 11, 30), "week")), str(following(date(2026, 11, 30), "quarter"))
    ('2026-12-07', '2027-01-01')
    """
    if step == "week":
        return day + timedelta(days=7 - day.weekday())
    months = _MONTHS[step]
    place = day.year * 12 + (day.month - 1) // months * months + months
    return date(place // 12, place % 12 + 1, 1)


def beginning(day: date, step: Step) -> date:
    """Return the first day of the week, month, quarter or year in which a day lies.

    Parameters
    ----------
    day : datetime.date
        Any.
    step : {"week", "month", "quarter", "year"}
        What begins.

    Returns
    -------
    datetime.date
        The day itself, or an earlier one.

    Examples
    --------
    >>> str(beginning(date(2026, 11, 25), "week")), str(beginning(date(2026, 11, 25), "quarter"))
    ('2026-11-23', '2026-10-01')
    """
    if step == "week":
        return day - timedelta(days=day.weekday())
    months = _MONTHS[step]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def preceding(period: Period) -> Period:
    """Return the period of as many days just before.

    Parameters
    ----------
    period : Period
        Any.

    Returns
    -------
    Period
        It ends where the other starts.
    """
    return Period(period.start - (period.end - period.start), period.start, period.zone)


def year_before(period: Period) -> Period:
    """Return the same days a year earlier; of a 29th of February, the 28th.

    Parameters
    ----------
    period : Period
        Any.

    Returns
    -------
    Period
        Of the same days, as many but for leap days.

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> leap = Period(date(2024, 2, 1), date(2024, 3, 1), ZoneInfo("UTC"))
    >>> str(year_before(leap).start), str(year_before(leap).end)
    ('2023-02-01', '2023-03-01')
    """
    return Period(_year_earlier(period.start), _year_earlier(period.end), period.zone)


def trend(
    table: pa.Table,
    model: str,
    activity: Activity,
    parts: list[Period],
    *,
    campaigns: Collection[str] | None = None,
) -> pa.Table:
    """Add up what a model credits, what was spent and who called, part by part.

    Parameters
    ----------
    table : pyarrow.Table
        From :func:`reports.daily.credit_by_day`, holding ``model``.
    model : str
        The model by which leads, deals and revenue are credited where ``campaigns`` leaves some out.
    activity : Activity
        Costs and calls.
    parts : list of Period
        Adjoining parts, as from :func:`spans`.
    campaigns : collection of str, optional
        Names to keep, lines in brackets included; by default all.

    Returns
    -------
    pyarrow.Table
        Columns as in :data:`TREND`, a row for each part.
    """
    names = ("leads", "qualified_leads", "deals", "customers", "revenue_minor", "credited_minor", "calls")
    sums = {name: np.zeros(len(parts), dtype=np.int64) for name in (*names, "answered_calls", "cost_minor")}
    edges = edges_of(parts)
    units, credit = f"units {model}", f"credit {model}"
    wanted, place = placed(table.select(["day", "goal", "first", "campaign", units, credit]), edges)
    wanted, place = _only(wanted, place, campaigns, UNATTRIBUTED)
    named = pc.invert(pc.starts_with(wanted["campaign"].cast(pa.string()), "("))
    wanted = wanted.append_column("part", pa.array(place)).append_column("named", named)
    grouped = wanted.group_by(["goal", "first", "named", "part"]).aggregate([(units, "sum"), (credit, "sum")])
    for row in grouped.to_pylist():
        sums[GOALS[row["goal"]]][row["part"]] += row[f"{units}_sum"]
        if row["goal"] == "won":
            sums["revenue_minor"][row["part"]] += row[f"{credit}_sum"]
            sums["credited_minor"][row["part"]] += row[f"{credit}_sum"] if row["named"] else 0
            sums["customers"][row["part"]] += row[f"{units}_sum"] if row["first"] else 0
    calls, place = _only(*placed(activity.calls, edges), campaigns, UNKNOWN)
    for name, column in (("calls", "calls"), ("answered_calls", "answered")):
        np.add.at(sums[name], place, calls[column].to_numpy())
    of, place, amount = spread(activity.costs, edges)
    costs = activity.costs.take(pa.array(of)).append_column("minor", pa.array(amount))
    costs, place = _only(costs, place, campaigns, OVERHEAD)
    np.add.at(sums["cost_minor"], place, costs["minor"].to_numpy())
    observed = connected(activity.observed, parts[-1].end)
    told = bool(observed if campaigns is None else observed & set(campaigns))
    rows = []
    for i, part in enumerate(parts):
        row = {name: int(values[i]) for name, values in sums.items()}
        row |= {name: row[name] / UNIT for name in ("leads", "qualified_leads", "deals", "customers")}
        row["roi"] = ratio(row["credited_minor"] - row["cost_minor"], row["cost_minor"]) if told else None
        rows.append({"start": part.start, "end": part.end, **row})
    return pa.Table.from_pylist(rows, schema=TREND)


def _only(
    table: pa.Table, place: Ints, campaigns: Collection[str] | None, nobody: str
) -> tuple[pa.Table, Ints]:
    """Keep the rows of some campaigns; ``nobody`` is the line of those that belong to none."""
    if campaigns is None:
        return table, place
    names = pc.fill_null(table["campaign"].cast(pa.string()), nobody)
    kept = pc.is_in(names, pa.array(sorted(campaigns), pa.string()))
    return table.filter(kept), place[kept.to_numpy().astype(bool)]


def _year_earlier(day: date) -> date:
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)
