"""What the data bear: how much is connected to campaigns, and whether a verdict may be given at all.

Every page, file, command and program asks here before it says that a campaign pays, leads or should end. A
campaign that nothing was recorded of has not done nothing: nobody can tell.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from reports.kpis import ratio

LEAST_DEALS_IN_ALL = 20.0
"""With fewer deals connected to campaigns no campaign is judged (docs/verdicts.md)."""
LEAST_DEALS = 5.0
"""With fewer deals credited to it a campaign is not said to pay (docs/verdicts.md)."""
UNSEEN_DEALS = 2.3
"""Where so many deals are expected, none comes in one case of ten: -ln 0.1."""


class Standing(StrEnum):
    """Whether a campaign can be judged by what is credited to it, and if not, what stands in the way."""

    enough = "enough"
    few_deals = "few_deals"
    """It is connected, but too few deals are credited to it."""
    few_in_all = "few_in_all"
    """Too few deals are connected to any campaign."""
    unconnected = "unconnected"
    """No call, other touch or answer leads to it."""
    nothing = "nothing"
    """No revenue is connected to any campaign."""


@dataclass(frozen=True, slots=True)
class Part:
    """How much of something is connected to campaigns.

    Attributes
    ----------
    connected, of : float
        What is, and all of it, in the same unit.
    """

    connected: float = 0.0
    of: float = 0.0

    @property
    def share(self) -> float | None:
        """Return the share that is connected; None of nothing."""
        return ratio(self.connected, self.of)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a period is connected to campaigns.

    Attributes
    ----------
    revenue, calls, deals : Part
        Won revenue in minor units, calls without spam, won deals.
    """

    revenue: Part = Part()
    calls: Part = Part()
    deals: Part = Part()


@dataclass(frozen=True)
class Evidence:
    """What is connected in a period, in all and campaign by campaign: the gate before every verdict.

    Attributes
    ----------
    coverage : Coverage
        Of all campaigns, whichever are shown.
    connected : frozenset of str
        Campaigns that a touch, call or answer leads to.
    """

    coverage: Coverage = Coverage()
    connected: frozenset[str] = frozenset()

    def whole(self) -> Standing:
        """Say whether any campaign can be judged.

        Returns
        -------
        Standing
            ``enough``, ``few_in_all`` or ``nothing``.
        """
        if not self.coverage.revenue.connected > 0:
            return Standing.nothing
        return Standing.enough if self.coverage.deals.connected >= LEAST_DEALS_IN_ALL else Standing.few_in_all

    def standing(self, campaign: str, deals: float) -> Standing:
        """Say whether a campaign can be judged, or what stands in the way.

        Parameters
        ----------
        campaign : str
            Its name.
        deals : float
            Most deals that any model in question credits to it.

        Returns
        -------
        Standing
            The most elementary of what is missing.
        """
        if campaign not in self.connected:
            return Standing.unconnected
        if (whole := self.whole()) is not Standing.enough:
            return whole
        return Standing.enough if deals >= LEAST_DEALS else Standing.few_deals


def is_campaign(line: str) -> bool:
    """Tell whether a line of a report is a campaign, not one of the lines in brackets.

    Parameters
    ----------
    line : str
        Such as "Fair" or "(total)".

    Returns
    -------
    bool
        Whether it is one.
    """
    return not line.startswith("(")


def coverage(rows: Iterable[Mapping[str, Any]]) -> Coverage:
    """Say how much of a period is connected to campaigns.

    Parameters
    ----------
    rows : iterable of mapping
        Rows of :data:`reports.roi.ROI` under one model, of all campaigns, with their total.

    Returns
    -------
    Coverage
        What is credited to campaigns, of all that there was.

    Examples
    --------
    >>> rows = [{"campaign": "Fair", "revenue_minor": 30, "calls": 1, "deals": 1.0},
    ...         {"campaign": "(total)", "revenue_minor": 40, "calls": 4, "deals": 2.0}]
    >>> coverage(rows).revenue.share, coverage(rows).calls.share, coverage(rows).deals.share
    (0.75, 0.25, 0.5)
    """
    names = ("revenue_minor", "calls", "deals")
    found, whole = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for row in rows:
        kept = found if is_campaign(row["campaign"]) else whole if row["campaign"] == "(total)" else {}
        for name in kept:
            kept[name] += row[name]
    return Coverage(*(Part(found[name], whole[name]) for name in names))


def connected(observed: pa.Table, end: date) -> frozenset[str]:
    """Return the campaigns that a touch, call or answer leads to.

    Parameters
    ----------
    observed : pyarrow.Table
        From :func:`reports.daily.observed_by_day`.
    end : datetime.date
        What came on this day or later does not count.

    Returns
    -------
    frozenset of str
        Names.
    """
    before = observed.filter(pc.less(observed["day"], end)).group_by("campaign")
    sums = before.aggregate([("observed", "sum")]).to_pylist()
    return frozenset(row["campaign"] for row in sums if row["observed_sum"] > 0)
