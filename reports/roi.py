"""Credit against cost: what each campaign cost, what it is credited with, and what that makes of it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from attribution import UNATTRIBUTED, attribute
from reports.kpis import Period, ratio

UNKNOWN = "(unknown source)"
"""Touches and calls of which nobody can say what caused them."""
OVERHEAD = "(overhead)"
"""Costs that belong to no campaign."""
TOTAL = "(total)"

_COUNTS = ("calls", "answered_calls", "leads", "qualified_leads", "customers", "deals")
_MONEY = ("direct_cost_minor", "indirect_cost_minor", "cost_minor", "revenue_minor")
_RATIOS = ("roi", "roas", "cost_per_lead_minor", "cost_per_qualified_lead_minor", "acquisition_cost_minor")

ROI = pa.schema(
    [
        pa.field("model", pa.string(), nullable=False),
        pa.field("campaign", pa.string(), nullable=False),
        pa.field("channel", pa.string()),
        pa.field("currency", pa.string(), nullable=False),
        *(pa.field(name, pa.int64(), nullable=False) for name in _MONEY),
        *(pa.field(name, pa.int64(), nullable=False) for name in _COUNTS[:2]),
        *(pa.field(name, pa.float64(), nullable=False) for name in _COUNTS[2:]),
        *(pa.field(name, pa.float64()) for name in _RATIOS),
        pa.field("lead_to_customer_rate", pa.float64()),
    ]
)
"""Columns of the ROI table; amounts in whole minor units, shares as fractions, None where undefined."""


class JourneyTables(Protocol):
    """Journey tables of one supplier, each a :class:`pyarrow.Table` that keeps the contract."""

    @property
    def touches(self) -> pa.Table:
        """Every touch, whenever it was."""

    @property
    def conversions(self) -> pa.Table:
        """Leads, qualified leads and won deals."""

    @property
    def costs(self) -> pa.Table:
        """What was spent."""

    @property
    def calls(self) -> pa.Table:
        """Every call, spam included."""

    @property
    def answers(self) -> pa.Table:
        """What callers said brought them."""


def roi(
    journeys: JourneyTables,
    models: Sequence[str],
    period: Period,
    *,
    currency: str,
    lookback_days: float | None = None,
    half_life_days: float | None = None,
) -> pa.Table:
    """Set what each campaign is credited with against what it cost, under each model.

    Parameters
    ----------
    journeys : JourneyTables
        Journey tables, all amounts in ``currency``.
    models : sequence of str
        Names out of ``attribution.MODELS``; the first comes first.
    period : Period
        Conversions and calls count by their moment, costs by the days they are spread over. Touches count
        whenever they were, within the lookback window of a conversion.
    currency : str
        ISO 4217 code of all amounts.
    lookback_days : float, optional
        Days before a conversion in which a touch can earn credit, above 0; by default without limit.
    half_life_days : float, optional
        Half-life of the model ``time-decay`` in days, above 0; needed with that model.

    Returns
    -------
    pyarrow.Table
        Columns as in :data:`ROI`. For each model one row per campaign, by falling revenue, then
        ``(unknown source)``, ``(overhead)``, ``(unattributed)`` (deals that nobody's touch preceded; left
        out where empty) and ``(total)``. Leads, qualified leads, customers and deals are credited by the
        same model and may be fractions; revenue adds up to the won deals exactly.

    Raises
    ------
    attribution.JourneyError
        If a table breaks the contract, or does not hold what a model needs.

    Notes
    -----
    Credit says which touches a model holds responsible, not what would have happened without them. This
    period's cost may earn its revenue in a later one: a young campaign looks worse than it is.
    """
    cells: dict[str, dict[str, dict[str, Any]]] = {m: defaultdict(lambda: defaultdict(int)) for m in models}
    conversions = journeys.conversions
    now = conversions.filter(period.holds(conversions["converted_at"]))
    goals = {
        "deals": now.filter(pc.equal(now["goal"], "won")),
        "customers": _first_deals(conversions, now),
        "leads": now.filter(pc.equal(now["goal"], "lead")),
        "qualified_leads": now.filter(pc.equal(now["goal"], "qualified")),
    }
    for name, wanted in goals.items():
        if wanted.num_rows == 0:
            continue
        table = attribute(
            journeys.touches,
            wanted,
            models,
            lookback_days=lookback_days,
            half_life_days=half_life_days,
            answers=journeys.answers,
            by="campaign",
        )
        for row in table.to_pylist():
            cell = cells[row["model"]][row["campaign"] or UNKNOWN]
            cell[name] += row["conversions"]
            if name == "deals":
                cell["revenue_minor"] += row["credit_minor"]
    shared = _shared(journeys, period)
    channels = _channels(journeys)
    rows: list[dict[str, Any]] = []
    for model, campaigns in cells.items():
        for campaign, cell in shared.items():
            campaigns[campaign].update(cell)
        rows += _rows(model, campaigns, channels, currency)
    return pa.Table.from_pylist(rows, schema=ROI)


def _first_deals(conversions: pa.Table, now: pa.Table) -> pa.Table:
    """Return the won deals of the period that made their company a customer."""
    won = conversions.filter(pc.equal(conversions["goal"], "won"))
    won = won.sort_by([("converted_at", "ascending"), ("conversion_id", "ascending")])
    first: dict[Any, str] = {}
    for account, conversion in zip(
        won["account_id"].to_pylist(), won["conversion_id"].to_pylist(), strict=True
    ):
        first.setdefault(account, conversion)
    return now.filter(pc.is_in(now["conversion_id"], pa.array(list(first.values()), pa.string())))


def _shared(journeys: JourneyTables, period: Period) -> dict[str, dict[str, int]]:
    """Return what does not depend on the model: costs and calls by campaign."""
    cells: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for cost in journeys.costs.to_pylist():
        part = period.share(cost["amount_minor"], cost["period_start"], cost["period_end"])
        if part == 0:
            continue
        cell = cells[cost["campaign"] or OVERHEAD]
        cell["cost_minor"] += part
        cell["direct_cost_minor" if cost["direct"] else "indirect_cost_minor"] += part
    calls = journeys.calls
    ours = calls.filter(pc.and_(period.holds(calls["started_at"]), pc.invert(calls["spam"])))
    answered = pc.is_in(ours["status"], pa.array(["answered", "completed"]))
    counted = pa.table({"campaign": ours["campaign"], "answered": answered.cast(pa.int64())})
    for row in (
        counted.group_by("campaign").aggregate([("answered", "sum"), ("answered", "count")]).to_pylist()
    ):
        cell = cells[row["campaign"] or UNKNOWN]
        cell["calls"] += row["answered_count"]
        cell["answered_calls"] += row["answered_sum"]
    return cells


def _channels(journeys: JourneyTables) -> dict[str, str]:
    channels: dict[str, str] = {}
    for table in (journeys.costs, journeys.calls, journeys.touches):
        pairs = table.select(["campaign", "channel"]).group_by(["campaign", "channel"]).aggregate([])
        for row in pairs.to_pylist():
            if row["campaign"] and row["channel"]:
                channels.setdefault(row["campaign"], row["channel"])
    return channels


def _rows(
    model: str, campaigns: dict[str, dict[str, Any]], channels: dict[str, str], currency: str
) -> Iterable[dict[str, Any]]:
    # Of several (…) lines the order is fixed; campaigns come first, the best earning on top.
    last = {UNKNOWN: 1, OVERHEAD: 2, UNATTRIBUTED: 3}
    total: dict[str, Any] = defaultdict(int)
    for cell in campaigns.values():
        for name in (*_COUNTS, *_MONEY):
            total[name] += cell.get(name, 0)
    order = sorted(campaigns, key=lambda c: (last.get(c, 0), -campaigns[c].get("revenue_minor", 0), c))
    for campaign in [*order, TOTAL]:
        cell = total if campaign == TOTAL else campaigns[campaign]
        figures = {name: cell.get(name, 0) for name in (*_COUNTS, *_MONEY)}
        cost, revenue = figures["cost_minor"], figures["revenue_minor"]
        yield {
            "model": model,
            "campaign": campaign,
            "channel": channels.get(campaign),
            "currency": currency,
            **figures,
            "roi": ratio(revenue - cost, cost),
            "roas": ratio(revenue, cost),
            # Where no cost is known, a lead was not free: its cost is unknown.
            "cost_per_lead_minor": ratio(cost, figures["leads"]) if cost else None,
            "cost_per_qualified_lead_minor": ratio(cost, figures["qualified_leads"]) if cost else None,
            "acquisition_cost_minor": ratio(cost, figures["customers"]) if cost else None,
            "lead_to_customer_rate": ratio(figures["customers"], figures["leads"]),
        }
