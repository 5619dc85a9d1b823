"""What customers are worth: lifetime value, cost of winning them, payback, growth; from plain averages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from reports.kpis import Period, ratio

_YEAR = 365.25 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class Buying:
    """How customers buy, from all deals won before a moment.

    Attributes
    ----------
    deals, customers : int
        Won deals and the companies that gave them.
    average_sale_minor : float or None
        Minor units a deal; None without deals.
    purchases_per_year : float or None
        Deals per customer and year, each customer observed from its first deal on, for at least a year.
    """

    deals: int
    customers: int
    average_sale_minor: float | None
    purchases_per_year: float | None

    def lifetime_value_minor(self, years: float) -> float | None:
        """Return average sale x purchases per year x years kept.

        Parameters
        ----------
        years : float
            How long a customer is kept, above 0: an assumption.

        Returns
        -------
        float or None
            Minor units; None without deals.

        Examples
        --------
        >>> Buying(10, 5, 2_000_00, 1.5).lifetime_value_minor(4)
        1200000.0
        """
        if self.average_sale_minor is None or self.purchases_per_year is None:
            return None
        return self.average_sale_minor * self.purchases_per_year * years


def buying(conversions: pa.Table, period: Period) -> Buying:
    """Work out how customers buy, from all deals won up to the end of a period.

    Parameters
    ----------
    conversions : pyarrow.Table
        Journey table.
    period : Period
        Its end is the moment up to which customers are observed.

    Returns
    -------
    Buying
        Averages over all customers.

    Notes
    -----
    A customer of three months has had no time to buy again: counted by the year, it would seem to buy four
    times as often as it does. Everybody is therefore counted as observed for a year at least.
    """
    won = conversions.filter(pc.equal(conversions["goal"], "won"))
    won = won.filter(pc.less(won["converted_at"], pa.scalar(period.until, pa.timestamp("us", "UTC"))))
    if won.num_rows == 0:
        return Buying(0, 0, None, None)
    first = won.select(["account_id", "converted_at"])
    first = first.group_by("account_id").aggregate([("converted_at", "min")])
    met = first["converted_at_min"].cast(pa.int64()).to_numpy()
    end = int(period.until.timestamp() * 10**6)
    years = sum(max(1.0, float(end - at) / _YEAR) for at in met)
    average = (pc.sum(won["value_minor"]).as_py() or 0) / won.num_rows
    return Buying(won.num_rows, first.num_rows, average, won.num_rows / years)


def figures(
    total: Mapping[str, Any],
    inbound: Mapping[str, float],
    outbound: Mapping[str, float],
    *,
    visits: int,
    leads_counted: float | None = None,
    revenue_before_minor: int | None,
    habit: Buying,
    years_kept: float,
) -> dict[str, float | None]:
    """Work out the KPIs of a period, named as in :data:`reports.kpis.KPIS`.

    Parameters
    ----------
    total, inbound, outbound : mapping
        Rows of :data:`reports.roi.ROI`: all, and the sums over campaigns of each direction.
    visits : int
        Visits to the site in the period; 0 where none were counted, which leaves their rate unknown.
    leads_counted : float or None
        Leads of the days on which visits were counted; None where those are all days of the period.
    revenue_before_minor : int or None
        Revenue of the same days a year before; None where it was not recorded then.
    habit : Buying
        How customers buy.
    years_kept : float
        How long a customer is kept, above 0.

    Returns
    -------
    dict
        Figures; None where there is nothing to divide by.
    """
    cost, revenue, customers = total["cost_minor"], total["revenue_minor"], total["customers"]
    acquisition = ratio(cost, customers) if cost else None
    value = habit.lifetime_value_minor(years_kept)
    monthly = None
    if habit.average_sale_minor is not None and habit.purchases_per_year is not None:
        monthly = habit.average_sale_minor * habit.purchases_per_year / 12
    credited = inbound["customers"] + outbound["customers"]
    growth = None if revenue_before_minor is None else ratio(revenue - revenue_before_minor, cost)
    return {
        "roi": total["roi"],
        "roas": total["roas"],
        "marketing_efficiency": total["marketing_efficiency"],
        "lifetime_roi": None
        if value is None or total["roi"] is None
        else ratio(credited * value - cost, cost),
        "growth_efficiency": growth,
        "cost_per_call_minor": ratio(cost, total["calls"]) if cost else None,
        "cost_per_lead_minor": ratio(cost, total["leads"]) if cost else None,
        "cost_per_qualified_lead_minor": ratio(cost, total["qualified_leads"]) if cost else None,
        "acquisition_cost_minor": acquisition,
        "inbound_acquisition_cost_minor": _acquisition(inbound),
        "outbound_acquisition_cost_minor": _acquisition(outbound),
        "visitor_to_lead_rate": ratio(total["leads"] if leads_counted is None else leads_counted, visits),
        "customers_per_lead": ratio(customers, total["leads"]),
        "lifetime_value_minor": value,
        "lifetime_to_acquisition": ratio(value, acquisition) if value is not None and acquisition else None,
        "payback_months": ratio(acquisition, monthly) if acquisition is not None and monthly else None,
        "sourced_share": ratio(total["credited_minor"], revenue),
    }


def _acquisition(row: Mapping[str, float]) -> float | None:
    return ratio(row["cost_minor"], row["customers"]) if row["cost_minor"] else None
