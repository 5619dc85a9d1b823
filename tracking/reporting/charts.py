"""The charts of reports, in the language that is being spoken."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pyarrow as pa
from flask_babel import gettext

from reports import charts
from reports.trends import Step, beginning, following
from tracking.language.words import chart_locale, chart_words
from tracking.reporting.roi import Comparison
from tracking.storage import money
from tracking.storage.models import Annotation, Indicator

MOST_DRAWN = 7
"""More models than this make a chart that nobody can read; the table shows all."""


def roi_by_model(
    found: Comparison, campaigns: Collection[str], unsure: Collection[str] = ()
) -> charts.Spec | None:
    """Return the chart of some campaigns of a comparison; None where none of them has an ROI.

    Of those of which it is too early to tell only the intervals are drawn.
    """
    models = found.models[:MOST_DRAWN]
    rows = [row for row in found.table.to_pylist() if row["model"] in models and row["campaign"] in campaigns]
    if not any(row["roi"] is not None and not row["campaign"].startswith("(") for row in rows):
        return None
    known = [row | {"roi": None} if row["campaign"] in unsure else row for row in rows]
    table = type(found.table).from_pylist(known, schema=found.table.schema)
    return charts.roi_by_model(table, words=chart_words(), locale=chart_locale())


def still_to_come(found: Comparison, currency: str) -> charts.Spec | None:
    """Return the chart of revenue so far and still to come; None where there is neither."""

    def major(minor: float) -> float:
        return float(money.to_major(round(minor), currency))

    rows = [
        {
            "campaign": name,
            "revenue": major(c.so_far),
            "expected": major(c.expected),
            "low": major(c.low),
            "high": major(c.high),
        }
        for name, c in sorted(found.maturity.campaigns.items())
        if not name.startswith("(") and (c.so_far or c.expected)
    ]
    if not rows:
        return None
    return charts.still_to_come(rows, title=currency, words=chart_words(), locale=chart_locale())


def revenue_and_cost(table: pa.Table, currency: str, step: Step, events: Sequence[Annotation]) -> charts.Spec:
    """Return the chart of a trend's amounts, in whole units of money."""
    columns = {"revenue_minor": gettext("Revenue"), "cost_minor": gettext("Cost")}
    return _trend(_series(table, columns, currency, step), events, title=currency, money=True)


def calls_leads_and_customers(
    table: pa.Table, currency: str, step: Step, events: Sequence[Annotation]
) -> charts.Spec:
    """Return the chart of a trend's counts."""
    columns = {"calls": gettext("Calls"), "leads": gettext("Leads"), "customers": gettext("New customers")}
    return _trend(_series(table, columns, currency, step), events, title=gettext("count"))


def indicator(readings: Sequence[Indicator], events: Sequence[Annotation]) -> charts.Spec:
    """Return the chart of one indicator's readings, given in the order of time."""
    rows = [{"start": r.day, "series": r.name, "value": r.value, "whole": True} for r in readings]
    return _trend(rows, events, title=readings[0].unit)


def is_complete(row: Mapping[str, Any], step: Step) -> bool:
    """Tell whether a row of a trend covers all of its week, month, quarter or year."""
    start, end = row["start"], row["end"]
    return bool(beginning(start, step) == start and following(start, step) == end)


def _trend(
    rows: list[dict[str, Any]], events: Sequence[Annotation], *, title: str, money: bool = False
) -> charts.Spec:
    kinds = [("start", pa.date32()), ("series", pa.string()), ("value", pa.float64()), ("whole", pa.bool_())]
    marks = [{"starts_on": e.starts_on, "ends_on": e.ends_on, "title": e.title} for e in events]
    table = pa.Table.from_pylist(rows, schema=pa.schema(kinds))
    return charts.trend(table, marks, title=title, money=money, words=chart_words(), locale=chart_locale())


def _series(table: pa.Table, columns: Mapping[str, str], currency: str, step: Step) -> list[dict[str, Any]]:
    """Return columns of a trend as rows for a chart: amounts in whole units of money, one series a column."""
    rows = []
    for row in table.to_pylist():
        for column, label in columns.items():
            value = row[column]
            if column.endswith("_minor"):
                value = float(money.to_major(value, currency))
            figure = None if value is None else float(value)
            rows.append(
                {"start": row["start"], "series": label, "value": figure, "whole": is_complete(row, step)}
            )
    return rows
