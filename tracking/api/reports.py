"""Reports in the API: the same tables as on the command line and the pages."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated

from pydantic import Field
from werkzeug.exceptions import ServiceUnavailable

from tracking.api.forms import Day, Query, Shown
from tracking.api.routes import Context, Section
from tracking.reporting import deciding, snapshots
from tracking.reporting import roi as reporting
from tracking.storage.config import LONGEST_LOOKBACK_DAYS

routes = Section("reports", "What campaigns cost and earned.")


Days = Annotated[float, Field(gt=0, le=LONGEST_LOOKBACK_DAYS, allow_inf_nan=False)]
ModelName = Annotated[str, Field(json_schema_extra={"enum": list(reporting.REPORTED)})]


class RoiQuery(Query):
    """Which models, which days."""

    model: list[ModelName] | None = Field(
        None,
        min_length=1,
        max_length=len(reporting.REPORTED),
        description="By default the model that the installation decides by.",
    )
    since: Day | None = Field(
        None, alias="from", description="The first day covered; by default a year before the last."
    )
    until: Day | None = Field(None, alias="to", description="The last day covered; by default today.")
    lookback_days: Days | None = Field(
        None,
        description="Days before a conversion in which a touch earns credit; by default as configured.",
    )


class RoiRow(Shown):
    """What one campaign cost and is credited with under one model; null where a ratio is undefined."""

    model: str
    campaign: str = Field(description="A name, or (unknown source), (overhead), (unattributed), (total).")
    channel: str | None
    direct_cost_minor: int
    indirect_cost_minor: int
    cost_minor: int
    revenue_minor: int = Field(description="Credited; the rows above the total add up to the won deals.")
    credited_minor: int = Field(description="What of it is credited to campaigns.")
    calls: int
    answered_calls: int
    leads: float
    qualified_leads: float
    customers: float
    deals: float
    roi: float | None = Field(
        description="(credited revenue - cost) / cost; null where nothing connects the cost to anybody."
    )
    roas: float | None = Field(description="credited revenue / cost.")
    marketing_efficiency: float | None = Field(description="revenue / cost; of the total alone.")
    cost_per_lead_minor: float | None
    cost_per_qualified_lead_minor: float | None
    acquisition_cost_minor: float | None
    lead_to_customer_rate: float | None


class Connected(Shown):
    """How much of something is connected to campaigns."""

    connected: float
    of: float
    share: float | None


class Coverage(Shown):
    """How much of the period is connected to campaigns: what every figure rests on."""

    revenue: Connected = Field(description="In minor units.")
    calls: Connected
    deals: Connected
    unconnected: list[str] = Field(
        description="Campaigns with a cost that no touch, call or answer leads to: not to be judged."
    )


class Roi(Shown):
    """Credit against cost; amounts in whole minor units of the currency."""

    first_day: date
    last_day: date
    time_zone: str = Field(description="Of the days.")
    currency: str
    lookback_days: float
    data_until: datetime = Field(description="The data are as of this moment.")
    unavailable: Mapping[str, str] = Field(description="Models that these data do not support, and why.")
    connected: Coverage
    rows: list[RoiRow]


@routes.get("/reports/roi")
def report_roi(context: Context, query: RoiQuery) -> Roi:
    """Set each campaign's credited revenue against its cost."""
    settings = context.settings
    try:
        taken = snapshots.current(context.session, settings, at=context.at)
    except snapshots.Preparing:
        raise ServiceUnavailable(
            "the figures are being worked out for the first time; ask again in a minute", retry_after=60
        ) from None
    today = context.at.astimezone(settings.zone).date()
    report = reporting.roi_report(
        taken,
        settings,
        query.model or [deciding.current(context.session, settings, today).model],
        today=today,
        first=query.since,
        last=query.until,
        lookback_days=query.lookback_days,
    )
    return Roi(
        first_day=report.period.start,
        last_day=report.last_day,
        time_zone=settings.timezone,
        currency=report.currency,
        lookback_days=report.lookback_days,
        data_until=report.taken_at,
        unavailable=report.unavailable,
        connected=Coverage.model_validate(report.connected),
        rows=[RoiRow.model_validate(row) for row in report.table.to_pylist()],
    )
