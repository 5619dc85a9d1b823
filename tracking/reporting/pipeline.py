"""The pipeline by campaign: open deals, credited as they would be if they were won now."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import select
from sqlalchemy.orm import Session

from attribution.shares import UNIT
from reports.evidence import is_campaign
from reports.roi import credited
from tracking.errors import Invalid
from tracking.records import contacts, rates
from tracking.reporting.questions import ReportQuery
from tracking.reporting.snapshots import Snapshot
from tracking.storage.config import Settings
from tracking.storage.models import Account, Deal
from tracking.storage.vocabulary import Stage

_OPEN = (Stage.lead, Stage.qualified, Stage.opportunity)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Open deals by campaign; how many have no amount, and the currencies without a rate, left out."""

    rows: list[dict[str, Any]]
    without_amount: int
    unrated: list[str]


def by_campaign(
    session: Session, settings: Settings, snapshot: Snapshot, asked: ReportQuery, *, at: datetime
) -> Pipeline:
    """Return open deals and what they are worth by campaign.

    The most first, by the model that decides; the last lines are in brackets: of unknown source, and of
    companies without a recorded touch.
    """
    roots = contacts.roots(session, Account)
    convert = rates.converter(session, settings.currency, settings.zone)
    columns = (Deal.id, Deal.account_id, Deal.amount_minor, Deal.currency)
    deals = session.execute(select(*columns).where(Deal.stage.in_(_OPEN))).all()
    day = at.astimezone(settings.zone).date()
    rows, unrated = [], set()
    for deal in deals:
        try:
            value = deal.amount_minor and convert(deal.amount_minor, deal.currency, day, f"deal {deal.id}")
        except Invalid:
            unrated.add(deal.currency)
            continue
        account = roots.get(deal.account_id, deal.account_id)
        rows.append(
            {
                "conversion_id": f"deal {deal.id}",
                "account_id": account,
                "goal": "won",
                "converted_at": at,
                "value_minor": value,
                "currency": settings.currency,
            }
        )
    model = asked.deciding.model

    def shared(some: list[dict[str, Any]]) -> dict[str, tuple[float, int]]:
        if not some:
            return {}
        conversions = pa.Table.from_pylist(some, schema=snapshot.tables.conversions.schema)
        table = credited(
            replace(snapshot.tables, conversions=conversions),
            [model],
            lookback_days=asked.question.lookback_days,
            half_life_days=settings.half_life_days,
        )
        units, credit = f"units {model}", f"credit {model}"
        sums = table.group_by("campaign").aggregate([(units, "sum"), (credit, "sum")]).to_pylist()
        return {
            row["campaign"]: (row[f"{units}_sum"] / UNIT, row[f"{credit}_sum"])
            for row in sums
            if row[f"{units}_sum"]
        }

    # The value of a deal without an amount is not 0 but unknown: it is a deal, and in no sum of money.
    nameless = [row | {"value_minor": 0} for row in rows if row["value_minor"] is None]
    known = shared([row for row in rows if row["value_minor"] is not None])
    unknown = shared(nameless)
    found: list[dict[str, Any]] = [
        {
            "campaign": campaign,
            "deals": known.get(campaign, (0.0, 0))[0] + unknown.get(campaign, (0.0, 0))[0],
            "without_amount": unknown.get(campaign, (0.0, 0))[0],
            "value_minor": known[campaign][1] if campaign in known else None,
        }
        for campaign in known.keys() | unknown.keys()
    ]
    found.sort(
        key=lambda row: (not is_campaign(row["campaign"]), -(row["value_minor"] or 0), row["campaign"])
    )
    return Pipeline(found, len(nameless), sorted(unrated))
