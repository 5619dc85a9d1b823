"""What each key performance indicator means: formula, unit, source, and what it hides."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kpi:
    """One indicator, as it is explained wherever it is shown.

    Parameters
    ----------
    name : str
        Column name in tables.
    label : str
        Heading for people.
    formula : str
        Numerator and denominator in words.
    unit : str
        Unit of the figure.
    hides : str
        What the figure does not show.
    source : str
        Which records it is made of.
    """

    name: str
    label: str
    formula: str
    unit: str
    hides: str
    source: str = "calls, deals and costs"


KPIS: tuple[Kpi, ...] = (
    Kpi(
        "roi",
        "ROI",
        "(credited revenue − cost) / cost, direct and indirect",
        "share; 1.0 = 100%",
        "uses revenue, not margin; credit follows a rule and does not prove cause",
    ),
    Kpi(
        "roas", "ROAS", "credited revenue / cost", "ratio", "see ROI; at 1.0 the campaign earns back its cost"
    ),
    Kpi(
        "marketing_efficiency",
        "Marketing efficiency",
        "revenue of all won deals / cost: all revenue per 1 spent, whatever its source",
        "ratio",
        "includes revenue that would have come without marketing; compares years, not campaigns",
    ),
    Kpi(
        "cost_per_lead_minor",
        "Cost per lead",
        "cost / leads (for a campaign: leads credited to it; in total: all leads)",
        "minor units of the currency",
        "leads differ in value; see cost per qualified lead",
    ),
    Kpi(
        "cost_per_qualified_lead_minor",
        "Cost per qualified lead",
        "cost / qualified leads (for a campaign: those credited to it; in total: all)",
        "minor units of the currency",
        "depends on reps rating their calls",
    ),
    Kpi(
        "acquisition_cost_minor",
        "Customer acquisition cost (CAC)",
        "cost / new customers (companies with their first won deal in the period)",
        "minor units of the currency",
        "excludes sales salaries unless you add them as a cost",
    ),
    Kpi(
        "customers_per_lead",
        "Customers per lead",
        "new customers / leads, both credited in the period",
        "ratio",
        "above 1 where customers were an earlier period's leads",
    ),
    Kpi(
        "answered_rate",
        "Answer rate",
        "answered calls / calls, excluding spam",
        "share",
        "does not show how long callers waited",
        "calls",
    ),
    Kpi(
        "asked_rate",
        "Ask rate",
        "calls where the rep asked how the caller heard about us / eligible calls (answered, the "
        'caller\'s first, not spam and not marked "not a lead")',
        "share",
        "asking does not guarantee an answer; see the share who answered",
        "calls and answers",
    ),
    Kpi(
        "cost_per_call_minor",
        "Cost per call",
        "cost / calls, excluding spam",
        "minor units of the currency",
        "a call is not a lead; touches without a call are not counted",
        "calls and costs",
    ),
    Kpi(
        "outbound_acquisition_cost_minor",
        "CAC, outbound",
        "cost of outbound campaigns / customers credited to them",
        "minor units of the currency",
        "also counts customers who would have bought anyway",
    ),
    Kpi(
        "inbound_acquisition_cost_minor",
        "CAC, inbound",
        "cost of inbound campaigns / customers credited to them",
        "minor units of the currency",
        "excludes sales salaries unless you add them as a cost",
    ),
    Kpi(
        "visitor_to_lead_rate",
        "Visitor-to-lead rate",
        "leads / website visits, both from the first to the last day with a count in the period",
        "share",
        "one buyer may visit many times, and many leads never visit",
        "visit counts, calls, forms and messages",
    ),
    Kpi(
        "missed_rate",
        "Missed call rate",
        "missed calls / calls, excluding spam (voicemail counts as neither answered nor missed)",
        "share",
        "does not show who called back later",
        "calls",
    ),
    Kpi(
        "lifetime_value_minor",
        "Customer lifetime value (LTV)",
        "average order × orders per customer per year × customer lifetime in years",
        "minor units of the currency",
        "uses revenue, not margin; the lifetime is your assumption",
        "all won deals; lifetime as entered on this page",
    ),
    Kpi(
        "lifetime_to_acquisition",
        "LTV to CAC ratio",
        "LTV / CAC",
        "ratio",
        "a ratio of two averages; a few large customers can change it",
    ),
    Kpi(
        "payback_months",
        "CAC payback",
        "CAC / (average order × orders per customer per year / 12)",
        "months",
        "uses revenue, so production and delivery costs are not included",
    ),
    Kpi(
        "lifetime_roi",
        "Lifetime ROI",
        "(new customers credited to campaigns × LTV − cost) / cost",
        "share; 1.0 = 100%",
        "projects today's averages years ahead; use it alongside ROI",
    ),
    Kpi(
        "sourced_share",
        "Marketing-sourced revenue share",
        "credited revenue / revenue of all deals won in the period",
        "share",
        "sourced does not mean caused; unrecorded touches are missing",
    ),
    Kpi(
        "growth_efficiency",
        "Sales growth per 1 spent",
        "(revenue of all won deals − the same period a year earlier) / cost",
        "ratio",
        "counts all growth, including the market's; unknown in the first year of recording",
    ),
)
