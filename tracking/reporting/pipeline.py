"""The pipeline by campaign: open deals, credited as they would be if they were won now."""

from dataclasses import replace
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


def by_campaign(
    session: Session, settings: Settings, snapshot: Snapshot, asked: ReportQuery, *, at: datetime
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return open deals and what they are worth by campaign, and currencies without a rate, left out.

    The most first, by the model that decides; the last lines are in brackets: of unknown source, and of
    companies without a recorded touch.
    """
    roots = contacts.roots(session, Account)
    convert = rates.converter(session, settings.currency)
    columns = (Deal.id, Deal.account_id, Deal.amount_minor, Deal.currency)
    deals = session.execute(select(*columns).where(Deal.stage.in_(_OPEN))).all()
    day = at.astimezone(settings.zone).date()
    rows, unrated = [], set()
    for deal in deals:
        try:
            value = convert(deal.amount_minor, deal.currency, day, f"deal {deal.id}")
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
    if not rows:
        return [], sorted(unrated)
    model = asked.deciding.model
    conversions = pa.Table.from_pylist(rows, schema=snapshot.tables.conversions.schema)
    shared = credited(
        replace(snapshot.tables, conversions=conversions),
        [model],
        lookback_days=asked.question.lookback_days,
        half_life_days=settings.half_life_days,
    )
    units, credit = f"units {model}", f"credit {model}"
    sums = shared.group_by("campaign").aggregate([(units, "sum"), (credit, "sum")]).to_pylist()
    found = [
        {
            "campaign": row["campaign"],
            "deals": row[f"{units}_sum"] / UNIT,
            "value_minor": row[f"{credit}_sum"],
        }
        for row in sums
        if row[f"{units}_sum"]
    ]
    found.sort(key=lambda row: (not is_campaign(row["campaign"]), -row["value_minor"], row["campaign"]))
    return found, sorted(unrated)
