"""A scenario built from a supplier's own journey tables, with a word for each value on where it comes from.

What tables of tracked touches cannot tell stays an assumption and says so; campaigns have no effect here,
since tables show who met what, not what would have happened otherwise. `simulator.fitting` fits the rest,
`simulator.families` tries effects.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from simulator.own_reader import Reader, completed
from simulator.own_tables import BASE, UNSEEN_FACTOR, YEAR, Builder, Origin, Tree
from simulator.parameters import Scenario
from simulator.scenario import load

__all__ = ["BASE", "UNSEEN_FACTOR", "Origin", "Own", "Tree", "build", "completed", "with_scenario"]


@dataclass(frozen=True)
class Own:
    """A market built from tables.

    Attributes
    ----------
    scenario : Scenario
        The market, its campaigns without effect; `Scenario.accounts` and `Scenario.days` state its size.
    origins : dict of str to (str, str)
        Per dotted key, or the beginning of one, where its value comes from and in what way; what is not
        named is an assumption.
    orders : int
        Orders won in the window.
    first, last : datetime
        The window in the data; the end is exclusive.
    """

    scenario: Scenario
    origins: dict[str, tuple[Origin, str]]
    orders: int
    first: dt.datetime
    last: dt.datetime

    def origin(self, key: str) -> tuple[Origin, str]:
        """Return where a value comes from, by its dotted key."""
        path = key.split(".")
        while path:
            if found := self.origins.get(".".join(path)):
                return found
            path.pop()
        return ("assumption", "")


def build(data: Mapping[str, pa.Table], *, accounts: int | None = None, base: Scenario | None = None) -> Own:
    """Build a market from a supplier's tables.

    Parameters
    ----------
    data : mapping of str to pyarrow.Table
        ``conversions`` of the journey contract, and of ``touches``, ``answers``, ``calls`` and ``costs``
        whatever there is. The window is the last year of them.
    accounts : int, optional
        Companies in the market; without it `UNSEEN_FACTOR` times those seen.
    base : Scenario, optional
        Whose values stand where tables tell nothing; default `BASE`. Its campaigns are not used.

    Returns
    -------
    Own
        The market and where each value comes from.

    Raises
    ------
    ValueError
        If the tables hold no order.

    Notes
    -----
    Exposures follow from tracked responses by the response rate of `HABITS`, an assumption; so do the
    meetings that nothing tracked. All times are UTC.
    """
    whole = completed(data)
    ask = Reader(whole)
    won = "goal = 'won' or goal is null"
    count, first, last = ask.row(
        f"select count(*) filter (where {won}), min(converted_at), max(converted_at) from conversions"  # noqa: S608 - of our own words
    )
    if not len(whole["conversions"]):
        raise ValueError("conversions is empty: there is nothing to fit to")
    if not count:
        raise ValueError("conversions holds no order (goal won): there is nothing to fit to")
    for name, when in (("touches", "occurred_at"), ("calls", "started_at")):
        begun, over = ask.row(f"select min({when}), max({when}) from {name}")  # noqa: S608 - of our own words
        if begun is not None:
            first, last = min(first, begun), max(last, over)
    ends = dt.datetime.combine(last.date(), dt.time(), dt.UTC) + dt.timedelta(days=1)
    days = min(YEAR, max(30, (ends.date() - first.date()).days))
    opens = ends - dt.timedelta(days=days)
    tree = _plain(base or load(BASE))
    origins: dict[str, tuple[Origin, str]] = {}
    built = Builder(ask, tree, origins, opens, ends, days, first)
    built.size(accounts)
    orders = built.need()
    built.desk()
    built.answers()
    built.campaigns()
    return Own(Scenario.model_validate(tree), origins, orders, opens, ends)


def _plain(base: Scenario) -> Tree:
    """Return the values of a scenario that say nothing of its own firm."""
    tree: Tree = base.model_dump()
    tree |= {"name": "calibrated", "description": "A market built from our own tables", "campaigns": {}}
    tree["organic"]["saturation"] = 0.0
    # A year before and a year after, whatever the other firm's cycle asks for.
    tree |= {"warmup_days": YEAR, "tail_days": YEAR}
    tree["economy"]["shocks"] = []
    return tree


def with_scenario(own: Own, scenario: Scenario, origins: Mapping[str, tuple[Origin, str]]) -> Own:
    """Return the market with other values, and where those come from."""
    return replace(own, scenario=scenario, origins=own.origins | dict(origins))
