"""Credit against cost: what each campaign cost, what it is credited with, and what that makes of it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution import UNATTRIBUTED, shares
from attribution.counts import COUNTS
from attribution.models import FITTED
from attribution.rules import Model
from attribution.shares import UNIT
from reports.daily import Activity, credit_by_day, edges_of, spread, within
from reports.evidence import connected, is_campaign
from reports.kpis import Period, ratio

UNKNOWN = "(unknown source)"
"""Touches and calls of which nobody can say what caused them."""
OVERHEAD = "(overhead)"
"""Costs that belong to no campaign."""
TOTAL = "(total)"

Credited = Mapping[str, pa.Table]
"""For each model a table as :func:`credited` returns."""
Learned = Mapping[str, Sequence[Model]]
"""For each goal the models as they were fitted to journeys."""
Daily = Mapping[str, pa.Table]
"""For each model a table as :func:`reports.daily.credit_by_day` returns."""

_COUNTS = ("calls", "answered_calls", "leads", "qualified_leads", "customers", "deals")
_MONEY = ("direct_cost_minor", "indirect_cost_minor", "cost_minor", "revenue_minor", "credited_minor")
_RATIOS = (
    "roi",
    "roas",
    "marketing_efficiency",
    "cost_per_lead_minor",
    "cost_per_qualified_lead_minor",
    "acquisition_cost_minor",
)
# Of several (…) lines the order is fixed; campaigns come before, the best earning on top.
_LAST = {UNKNOWN: 1, OVERHEAD: 2, UNATTRIBUTED: 3}
GOALS = {"lead": "leads", "qualified": "qualified_leads", "won": "deals"}
"""What a report counts, by goal of a conversion."""
_KEPT = ("conversion_id", "goal", "account_id", "converted_at", "first", "value_minor")
LINE = (*_KEPT, "campaign")
"""What a row of :func:`credited` says beside figures of models."""

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
        pa.field("customers_per_lead", pa.float64()),
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
        same model and may be fractions; revenue adds up to the won deals exactly. Of it ``credited_minor`` is
        credited to campaigns, and ROI and ROAS are made of that; null where nothing connects what was paid
        for to anybody. ``marketing_efficiency``, of the total alone, is all revenue for each 1 spent.

    Raises
    ------
    attribution.JourneyError
        If a table breaks the contract, or does not hold what a model needs.

    Notes
    -----
    Credit says which touches a model holds responsible, not what would have happened without them. This
    period's cost may earn its revenue in a later one: a young campaign looks worse than it is. Models that
    are fitted to data learn from all conversions, whenever they were.
    """
    rows = credited(journeys, models, lookback_days=lookback_days, half_life_days=half_life_days)
    daily, activity = credit_by_day(rows, period.zone), Activity.of(journeys, period.zone)
    return summed(dict.fromkeys(models, daily), activity, period, currency=currency)


def credited(
    journeys: JourneyTables,
    models: Sequence[str],
    *,
    lookback_days: float | None = None,
    half_life_days: float | None = None,
    fitted: Learned | None = None,
) -> pa.Table:
    """Share every conversion over campaigns, for sums over any period and choice of campaigns.

    Parameters
    ----------
    journeys, models, lookback_days, half_life_days
        As in :func:`roi`.
    fitted : mapping of str to sequence of Model, optional
        For each goal the models as they were fitted to other journeys; by default they are fitted to these.

    Returns
    -------
    pyarrow.Table
        A row per conversion and campaign with ``conversion_id``, ``goal``, ``converted_at``, ``account_id``,
        ``first`` (whether it made its company a customer), ``value_minor``, ``campaign`` (or
        :data:`UNKNOWN`, or ``(unattributed)``) and for each model ``units NAME`` and ``credit NAME`` as in
        `attribution.shares.shares`.

    Raises
    ------
    attribution.JourneyError
        As :func:`roi`.
    """
    conversions = journeys.conversions
    conversions = conversions.append_column("first", first_orders(conversions))
    parts = []
    for goals in _apart(models) if models else []:
        wanted = conversions.filter(pc.is_in(conversions["goal"], pa.array(goals)))
        if wanted.num_rows == 0:
            continue
        touches = journeys.touches
        if fitted is not None:
            # What there is to be learnt from the others has been learnt.
            touches = touches.filter(pc.is_in(touches["account_id"], wanted["account_id"].combine_chunks()))
        part = shares.shares(
            touches,
            wanted.drop_columns(["first"]),
            models if fitted is None else fitted[goals[0]],
            lookback_days=lookback_days,
            half_life_days=half_life_days,
            answers=journeys.answers,
        )
        place = pc.index_in(part["conversion_id"], wanted["conversion_id"].combine_chunks())
        kept = wanted.select(_KEPT).take(place)
        campaign = pc.fill_null(part["campaign"], UNKNOWN).dictionary_encode()
        columns = {name: kept[name] for name in _KEPT} | {"campaign": campaign}
        columns |= {name: part[name] for name in part.column_names[2:]}
        parts.append(pa.table(columns))
    if not parts:
        kinds = {name: conversions.schema.field(name).type for name in _KEPT}
        kinds |= {"campaign": pa.dictionary(pa.int32(), pa.string())}
        kinds |= {f"{kind} {name}": pa.int64() for name in models for kind in ("units", "credit")}
        return pa.schema(list(kinds.items())).empty_table()
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks()


def counted(
    journeys: JourneyTables, models: Sequence[str], *, lookback_days: float | None = None
) -> pa.Table:
    """Count what models learn from journeys, goal by goal.

    Parameters
    ----------
    journeys, models, lookback_days
        As in :func:`roi`; the models are fitted ones.

    Returns
    -------
    pyarrow.Table
        ``goal``, and the columns of `attribution.counts.COUNTS`.

    Raises
    ------
    attribution.JourneyError
        As :func:`roi`.
    """
    parts = []
    for goal in GOALS:
        reached = journeys.conversions.filter(pc.equal(journeys.conversions["goal"], goal))
        if reached.num_rows:
            options = {"lookback_days": lookback_days, "answers": journeys.answers}
            counts = shares.counted(journeys.touches, reached, models, **options)
            parts.append(counts.append_column("goal", pa.repeat(goal, counts.num_rows)))
    return pa.concat_tables(parts) if parts else COUNTS.append(pa.field("goal", pa.string())).empty_table()


def learned(models: Sequence[str], counts: pa.Table) -> Learned:
    """Fit models to what :func:`counted` gave.

    Parameters
    ----------
    models : sequence of str
        The models that were counted for.
    counts : pyarrow.Table
        As :func:`counted`.

    Returns
    -------
    mapping of str to sequence of Model
        For :func:`credited`; goals that nobody had reached are left out.

    Raises
    ------
    attribution.JourneyError
        As :func:`roi`.
    """
    found = {}
    for goal in pc.unique(counts["goal"]).to_pylist():
        mine = counts.filter(pc.equal(counts["goal"], goal)).select(COUNTS.names)
        found[goal] = shares.solved(models, mine)
    return found


def _apart(models: Sequence[str]) -> list[list[str]]:
    """Return the goals that are worked out together."""
    # A rule looks at one conversion at a time, so that one pass does for all goals; a model that is fitted
    # to data learns what leads to leads from leads, and to deals from deals.
    goals = list(GOALS)
    return [goals] if set(FITTED).isdisjoint(models) else [[goal] for goal in goals]


def summed(
    tables: Daily,
    activity: Activity,
    period: Period,
    *,
    currency: str,
    campaigns: Collection[str] | None = None,
) -> pa.Table:
    """Add credit and cost up by campaign for a period.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
        For each model a table of :func:`reports.daily.credit_by_day` that holds it.
    activity : Activity
        Costs and calls.
    period, currency
        As in :func:`roi`.
    campaigns : collection of str, optional
        Names to keep, lines in brackets included; by default all. The total is over what is kept.

    Returns
    -------
    pyarrow.Table
        As :func:`roi`.
    """
    shared, credit = _shared(activity, period), _credit(tables, period)
    observed = connected(activity.observed, period.end)
    rows: list[dict[str, Any]] = []
    for model in tables:
        cells: dict[str, dict[str, Any]] = defaultdict(lambda: defaultdict(int))
        for campaign, cell in credit[model].items():
            cells[campaign] |= cell
        for campaign, spent in shared.items():
            cells[campaign].update(spent)
        kept = {name: cell for name, cell in cells.items() if campaigns is None or name in campaigns}
        rows += _rows(model, kept, activity.channels, currency, observed)
    return pa.Table.from_pylist(rows, schema=ROI)


def by_table(tables: Credited) -> list[tuple[pa.Table, list[str]]]:
    """Return each table once, with the models that are asked of it, so that it is read once for all."""
    found: dict[int, tuple[pa.Table, list[str]]] = {}
    for model, table in tables.items():
        found.setdefault(id(table), (table, []))[1].append(model)
    return list(found.values())


def _credit(tables: Daily, period: Period) -> dict[str, dict[str, dict[str, Any]]]:
    """Return what each model credits each campaign with in the period."""
    result: dict[str, dict[str, dict[str, Any]]] = {}
    for table, models in by_table(tables):
        columns = [f"{kind} {model}" for model in models for kind in ("units", "credit")]
        chosen = within(table.select(["day", "goal", "first", "campaign", *columns]), period)
        sums = chosen.group_by(["goal", "first", "campaign"]).aggregate([(name, "sum") for name in columns])
        rows = sums.to_pylist()
        result |= {model: _cells(rows, model) for model in models}
    return result


def _cells(rows: list[dict[str, Any]], model: str) -> dict[str, dict[str, Any]]:
    cells: dict[str, dict[str, Any]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        cell, whole = cells[row["campaign"]], row[f"units {model}_sum"]
        cell[GOALS[row["goal"]]] += whole
        if row["goal"] == "won":
            cell["revenue_minor"] += row[f"credit {model}_sum"]
            cell["customers"] += whole if row["first"] else 0
    for cell in cells.values():
        for name in ("leads", "qualified_leads", "customers", "deals"):
            cell[name] = cell[name] / UNIT
    return {name: cell for name, cell in cells.items() if any(cell.values())}


def first_orders(conversions: pa.Table) -> pa.Array:
    """Say of each conversion whether it is the won deal that made its company a customer."""
    won = pc.equal(conversions["goal"], "won")
    order = conversions.select(["account_id", "converted_at", "conversion_id"])
    order = order.append_column("row", pa.array(np.arange(conversions.num_rows))).filter(won)
    order = order.sort_by([("converted_at", "ascending"), ("conversion_id", "ascending")])
    accounts = order["account_id"].combine_chunks().dictionary_encode()
    _, places = np.unique(accounts.indices.to_numpy(zero_copy_only=False), return_index=True)
    flags = np.zeros(conversions.num_rows, dtype=bool)
    flags[order["row"].to_numpy()[places]] = True
    return pa.array(flags)


def _shared(activity: Activity, period: Period) -> dict[str, dict[str, int]]:
    """Return what does not depend on the model: costs and calls by campaign."""
    cells: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    row, _, amount = spread(activity.costs, edges_of([period]))
    spent = activity.costs.select(["campaign", "direct"]).take(pa.array(row))
    spent = spent.append_column("minor", pa.array(amount)).filter(pa.array(amount != 0))
    for cost in spent.group_by(["campaign", "direct"]).aggregate([("minor", "sum")]).to_pylist():
        cell = cells[cost["campaign"] or OVERHEAD]
        cell["cost_minor"] += cost["minor_sum"]
        cell["direct_cost_minor" if cost["direct"] else "indirect_cost_minor"] += cost["minor_sum"]
    calls = (
        within(activity.calls, period).group_by("campaign").aggregate([("calls", "sum"), ("answered", "sum")])
    )
    for call in calls.to_pylist():
        if call["calls_sum"]:
            cell = cells[call["campaign"] or UNKNOWN]
            cell["calls"] += call["calls_sum"]
            cell["answered_calls"] += call["answered_sum"]
    return cells


def _rows(
    model: str,
    campaigns: dict[str, dict[str, Any]],
    channels: Mapping[str, str],
    currency: str,
    observed: Collection[str],
) -> Iterable[dict[str, Any]]:
    total: dict[str, Any] = defaultdict(int)
    for name, cell in campaigns.items():
        cell["credited_minor"] = cell.get("revenue_minor", 0) if is_campaign(name) else 0
        for name in (*_COUNTS, *_MONEY):
            total[name] += cell.get(name, 0)
    order = sorted(campaigns, key=lambda c: (_LAST.get(c, 0), -campaigns[c].get("revenue_minor", 0), c))
    for campaign in [*order, TOTAL]:
        cell = total if campaign == TOTAL else campaigns[campaign]
        figures = {name: cell.get(name, 0) for name in (*_COUNTS, *_MONEY)}
        cost, credit = figures["cost_minor"], figures["credited_minor"]
        # Of what nothing was recorded, nobody can tell what came back: it is not a loss of everything.
        told = any(map(observed.__contains__, campaigns)) if campaign == TOTAL else campaign in observed
        yield {
            "model": model,
            "campaign": campaign,
            "channel": channels.get(campaign),
            "currency": currency,
            **figures,
            "roi": ratio(credit - cost, cost) if told else None,
            "roas": ratio(credit, cost) if told else None,
            "marketing_efficiency": ratio(figures["revenue_minor"], cost) if campaign == TOTAL else None,
            # Where no cost is known, a lead was not free: its cost is unknown.
            "cost_per_lead_minor": ratio(cost, figures["leads"]) if cost else None,
            "cost_per_qualified_lead_minor": ratio(cost, figures["qualified_leads"]) if cost else None,
            "acquisition_cost_minor": ratio(cost, figures["customers"]) if cost else None,
            "customers_per_lead": ratio(figures["customers"], figures["leads"]),
        }
