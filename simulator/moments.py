"""Figures that a simulated and a real set of journey tables can be compared by."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final

import duckdb
import pyarrow as pa

# Name, what it is, and the SQL that computes it from tables cut to the window; all on comparable scales.
FITTED: Final = {
    "orders": (
        "orders, logarithm",
        "select ln(count(*)) from conversions where goal = 'won' having count(*) > 0",
    ),
    "phone_share": (
        "first calls per first call, form and message",
        # Of two tables: where one is missing, its share is not none.
        """select n / (n + m) from (select count(*) as n from calls where first_call),
             (select count(*) as m from touches where kind in ('form', 'message'))
             where exists (from calls) and exists (from touches)""",
    ),
    "calls_per_account": (
        "calls per known calling company, logarithm",
        "select ln(count(*) / count(distinct account_id)) from calls where account_id is not null",
    ),
    "qualified_rate": (
        "companies with a qualified lead per company with a lead",
        """select count(distinct account_id) filter (where goal = 'qualified')
             / count(distinct account_id) filter (where goal = 'lead') from conversions""",
    ),
    "won_rate": (
        "first orders per opportunity",
        """select count(*) filter (where goal = 'won' and opportunity_at is not null)
             / count(*) filter (where goal = 'opportunity') from conversions""",
    ),
    "cycle_median": (
        "median days from opportunity to order, logarithm",
        """select ln(median(epoch(converted_at - opportunity_at) / 86400 + 0.1)) from conversions
             where goal = 'won' and opportunity_at is not null""",
    ),
    "repeat_share": (
        "share of orders of companies that ordered in the window before",
        "select 1 - count(distinct account_id) / count(*) from conversions where goal = 'won'",
    ),
}
HELD_OUT: Final = {
    "clicks_per_account": (
        "visits, forms, messages and events per company that left any, logarithm",
        "select ln(count(*) / count(distinct account_id)) from touches where kind <> 'call'",
    ),
    "asked_share": (
        "share of enquirers who were asked for their source",
        "select avg((outcome <> 'not_asked')::int) from answers",
    ),
    "missed_share": (
        "share of known companies' calls without an answer",
        "select avg((status in ('missed', 'voicemail'))::int) from calls where account_id is not null",
    ),
    "talk_median": (
        "median seconds of talk, logarithm",
        "select ln(median(talk_s)) from calls where talk_s > 0 and account_id is not null",
    ),
    "visit_share": ("share of touches that are visits", "select avg((kind = 'visit')::int) from touches"),
    "opportunity_rate": (
        "companies with an opportunity per company with a qualified lead",
        """select count(distinct account_id) filter (where goal = 'opportunity')
             / count(distinct account_id) filter (where goal = 'qualified') from conversions""",
    ),
    "cycle_upper": (
        "upper quartile of days from opportunity to order, logarithm",
        """select ln(quantile_cont(epoch(converted_at - opportunity_at) / 86400 + 0.1, 0.75)) from conversions
             where goal = 'won' and opportunity_at is not null""",
    ),
    "first_call_share": (
        "share of known companies' calls that are first calls",
        "select avg((first_call)::int) from calls where account_id is not null",
    ),
}
TABLES: Final = ("touches", "conversions", "answers", "calls")
_WHEN: Final = {
    "touches": "occurred_at",
    "conversions": "converted_at",
    "answers": "asked_at",
    "calls": "started_at",
}


LOGARITHMS: Final = frozenset(
    {"orders", "calls_per_account", "cycle_median", "clicks_per_account", "talk_median", "cycle_upper"}
)
"""Figures that are compared by their logarithm; people read them without."""


def compute(tables: Mapping[str, pa.Table], start: dt.datetime, end: dt.datetime) -> dict[str, float]:
    """Compute all figures inside a window.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
        ``touches``, ``conversions``, ``answers`` and ``calls`` of the journey contract.
    start, end : datetime
        Aware moments; the end is exclusive.

    Returns
    -------
    dict of str to float
        One figure per name in `FITTED` and `HELD_OUT`; not-a-number where the window holds nothing to compute
        it from.

    Notes
    -----
    Companies that were never seen are in no table, so rates are per company seen, not per company in the
    market.
    """
    with duckdb.connect() as connection:
        connection.execute("set threads to 1")
        connection.execute("set timezone to 'UTC'")
        for name in TABLES:
            connection.register(f"all_{name}", tables[name])
            when = _WHEN[name]
            # Names come from the constants above, never from outside.
            connection.execute(
                f"create temp table {name} as select * from all_{name} where {when} >= ? and {when} < ?",  # noqa: S608
                [start, end],
            )
        figures = {}
        for name, (_, query) in {**FITTED, **HELD_OUT}.items():
            row = connection.execute(query).fetchone()
            figures[name] = float("nan") if row is None or row[0] is None else float(row[0])
    return figures
