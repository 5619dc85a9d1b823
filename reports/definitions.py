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
        "(credited revenue - cost) / cost, direct and indirect cost together",
        "share; 1.0 is 100 %",
        "revenue is not margin, and credit is a convention, not proof of cause",
    ),
    Kpi("roas", "ROAS", "credited revenue / cost", "ratio", "as ROI; 1.0 means cost and revenue are equal"),
    Kpi(
        "marketing_efficiency",
        "Marketing efficiency",
        "revenue of all deals won / cost: revenue per 1 spent, whatever brought it",
        "ratio",
        "counts what would have come without marketing; it compares years, not campaigns",
    ),
    Kpi(
        "cost_per_lead_minor",
        "Cost per lead",
        "cost / leads; of a campaign those credited to it, in all every lead",
        "minor units of the currency",
        "leads differ in worth; see cost per qualified lead",
    ),
    Kpi(
        "cost_per_qualified_lead_minor",
        "Cost per qualified lead",
        "cost / qualified leads; of a campaign those credited to it, in all every one",
        "minor units of the currency",
        "depends on reps judging their calls",
    ),
    Kpi(
        "acquisition_cost_minor",
        "Cost of acquisition",
        "cost / customers won, a customer being a buying company with its first won deal in the period",
        "minor units of the currency",
        "leaves out sales pay unless it was entered as a cost",
    ),
    Kpi(
        "lead_to_customer_rate",
        "Lead-to-customer rate",
        "customers won / leads, both credited in the period",
        "share",
        "this period's customers were often an earlier period's leads",
    ),
    Kpi(
        "answered_rate",
        "Answered rate",
        "calls answered / calls, spam left out",
        "share",
        "says nothing of how long callers waited",
        "calls",
    ),
    Kpi(
        "asked_rate",
        "Asked rate",
        "qualifying calls in which the rep asked where the caller heard of us / qualifying calls; a call "
        "qualifies if it was answered, is the caller's first and is neither spam nor judged not a lead",
        "share",
        "asking is not answering; see the share of answers among those asked",
        "calls and answers",
    ),
    Kpi(
        "cost_per_call_minor",
        "Cost per call",
        "cost / calls, spam left out",
        "minor units of the currency",
        "a call is not a lead; touches without a call are not counted",
        "calls and costs",
    ),
    Kpi(
        "outbound_acquisition_cost_minor",
        "Cost of acquisition, outbound",
        "cost of outbound campaigns / customers credited to them",
        "minor units of the currency",
        "who was called and would have come anyway counts as won by the call",
    ),
    Kpi(
        "inbound_acquisition_cost_minor",
        "Cost of acquisition, inbound",
        "cost of inbound campaigns / customers credited to them",
        "minor units of the currency",
        "leaves out sales pay unless it was entered as a cost",
    ),
    Kpi(
        "visitor_to_lead_rate",
        "Visitor-to-lead rate",
        "leads / visits to the site in the period",
        "share",
        "one buyer visits many times, and many leads never visit",
        "visit counts, calls, forms and messages",
    ),
    Kpi(
        "missed_rate",
        "Missed rate",
        "calls missed / calls, spam left out; voicemail is neither answered nor missed",
        "share",
        "says nothing of who called again",
        "calls",
    ),
    Kpi(
        "lifetime_value_minor",
        "Customer lifetime value",
        "average sale x purchases per customer and year x years a customer is kept",
        "minor units of the currency",
        "revenue, not margin; the years kept are an assumption of the installation",
        "won deals of all time; years kept is entered on the page",
    ),
    Kpi(
        "lifetime_to_acquisition",
        "Lifetime value : cost of acquisition",
        "customer lifetime value / cost of acquisition",
        "ratio",
        "both parts are averages; a few large customers move it",
    ),
    Kpi(
        "payback_months",
        "Payback",
        "cost of acquisition / (average sale x purchases per customer and year / 12)",
        "months",
        "counts revenue, so costs of making and delivering come on top",
    ),
    Kpi(
        "lifetime_roi",
        "Lifetime ROI",
        "(new customers credited to campaigns x customer lifetime value - cost) / cost",
        "share; 1.0 is 100 %",
        "looks years ahead on the strength of today's averages; read it beside ROI, not instead",
    ),
    Kpi(
        "sourced_share",
        "Marketing-sourced share of sales",
        "revenue credited to campaigns / revenue of all deals won in the period",
        "share",
        "sourced is not caused; and what was never recorded is not in it",
    ),
    Kpi(
        "growth_efficiency",
        "Sales growth per 1 spent",
        "(revenue of all deals won - that of the same days a year before) / cost",
        "ratio",
        "counts all growth, also that of the market; unknown in the first year of recording",
    ),
)
