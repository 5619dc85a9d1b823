"""The journey tables that belong to no company: what was spent, and visits."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from attribution import COSTS, VISITS
from reports.kpis import Period
from tracking.records import rates
from tracking.records.visits import counts
from tracking.storage.columns import in_form, read
from tracking.storage.models import Campaign, Cost, VisitCount


def costs(session: Session, *, currency: str, zone: ZoneInfo) -> pa.Table:
    """Read what was spent, in ``currency``; raises as ``journeys.export``."""
    convert = rates.converter(session, currency, zone)
    query = (
        select(Cost, Campaign.name, Campaign.channel)
        .outerjoin(Campaign, Campaign.id == Cost.campaign_id)
        .order_by(Cost.id)
    )
    rows = session.execute(query).all()
    amounts = [convert(c.amount_minor, c.currency, c.period_start, f"cost {c.id}") for c, _, _ in rows]
    return in_form(
        COSTS,
        campaign=pa.array([name for _, name, _ in rows], pa.string()),
        channel=pa.array([channel for _, _, channel in rows], pa.string()),
        period_start=pa.array([cost.period_start for cost, _, _ in rows], pa.date32()),
        period_end=pa.array([cost.period_end for cost, _, _ in rows], pa.date32()),
        amount_minor=pa.array(amounts, pa.int64()),
        currency=pa.repeat(currency, len(rows)),
        category=pa.array([cost.category for cost, _, _ in rows], pa.string()),
        direct=pa.array([cost.direct for cost, _, _ in rows], pa.bool_()),
    )


def visits(session: Session) -> pa.Table:
    """Read the visits of each day, by campaign."""
    channel: ColumnElement[str | None] = func.coalesce(Campaign.channel, VisitCount.channel)
    columns = (VisitCount.id, VisitCount.day, Campaign.name, channel.label("channel"), VisitCount.visits)
    query = select(*columns).outerjoin(Campaign, Campaign.id == VisitCount.campaign_id)
    query = query.where(counts())
    kinds = {"day": pa.date32(), "name": pa.string(), "channel": pa.string()}
    rows = read(session, query, kinds)
    return in_form(
        VISITS, day=rows["day"], campaign=rows["name"], channel=rows["channel"], visits=rows["visits"]
    )


def visits_in(table: pa.Table, period: Period) -> tuple[int, Period | None]:
    """Return the visits of a period, and its days from the first count to the last, if there is one."""
    mine = pc.and_(pc.greater_equal(table["day"], period.start), pc.less(table["day"], period.end))
    table = table.filter(mine)
    if not table.num_rows:
        return 0, None
    days = pc.min_max(table["day"]).as_py()
    return pc.sum(table["visits"]).as_py(), Period(days["min"], days["max"] + timedelta(days=1), period.zone)
