"""Reports in the API: the same tables as on the command line and the pages."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated

from pydantic import Field
from werkzeug.exceptions import ServiceUnavailable

from tracking.api.forms import Day, Query, Shown
from tracking.api.routes import Context, Section
from tracking.reporting import deciding, heard, landing, snapshots
from tracking.reporting import roi as reporting
from tracking.reporting.credit import Window
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
    customers_per_lead: float | None


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


class DaysQuery(Query):
    """Which days."""

    since: Day | None = Field(
        None, alias="from", description="The first day covered; by default a year before the last."
    )
    until: Day | None = Field(None, alias="to", description="The last day covered; by default today.")


class AgreementLine(Shown):
    """How often answers and tracking agree."""

    of: str | None = Field(description="The rep, tracked channel or month; null: no rep is named.")
    entries: int
    asked: int
    answered: int
    comparable: int = Field(description="Answers that name a source, where one was tracked too.")
    agreed: int
    asked_rate: float | None
    agreed_rate: float | None = Field(description="agreed / comparable; null without any.")


class Cell(Shown):
    """How many were tracked by one channel and named another, or the same."""

    tracked: str = Field(description="A channel, or untracked.")
    answered: str = Field(description="A channel, or: words only, unknown, declined.")
    answers: int


class AnswersAndTracking(Shown):
    """What buyers answer beside what was tracked; every entry that stands counts once."""

    first_day: date
    last_day: date
    data_until: datetime
    total: AgreementLine
    cells: list[Cell]
    by_rep: list[AgreementLine]
    by_channel: list[AgreementLine]
    by_month: list[AgreementLine]


@routes.get("/reports/answers")
def report_answers(context: Context, query: DaysQuery) -> AnswersAndTracking:
    """Set what buyers answer against what was tracked, by channel, rep and month."""
    today = context.at.astimezone(context.settings.zone).date()
    period = reporting.period_of(context.settings, today, query.since, query.until)
    found = heard.heard(context.session, _snapshot(context), period)
    return AnswersAndTracking(
        first_day=period.start,
        last_day=period.end - timedelta(days=1),
        data_until=found.taken_at,
        total=AgreementLine.model_validate(found.total),
        cells=[
            Cell(tracked=tracked, answered=answered, answers=count)
            for (tracked, answered), count in sorted(found.cells.items())
        ],
        by_rep=[AgreementLine.model_validate(line) for line in found.by_rep],
        by_channel=[AgreementLine.model_validate(line) for line in found.by_channel],
        by_month=[AgreementLine.model_validate(line) for line in found.by_month],
    )


class LandingQuery(DaysQuery):
    """Landing pages or UTM tags, and which days."""

    by: landing.By = Field(landing.By.landing_page, description="Landing pages, or UTM tags.")


class LandingLine(Shown):
    """What one landing page or set of UTM tags has brought."""

    of: str = Field(description="Host and path; or source, medium and campaign, with * where one is missing.")
    touches: int
    companies: int
    leads: float
    deals: float
    credit_minor: int


class LandingReport(Shown):
    """What landing pages or UTM tags have brought, most revenue first."""

    first_day: date
    last_day: date
    data_until: datetime
    model: str = Field(description="A rule; where the installation decides by a fitted model, linear.")
    currency: str
    rows: list[LandingLine]


@routes.get("/reports/landing")
def report_landing(context: Context, query: LandingQuery) -> LandingReport:
    """Show the leads, deals and revenue credited to landing pages or UTM tags."""
    settings, taken = context.settings, _snapshot(context)
    today = context.at.astimezone(settings.zone).date()
    period = reporting.period_of(settings, today, query.since, query.until)
    model = landing.model_for(deciding.current(context.session, settings, today).model)
    window = Window(settings.lookback_days, settings.half_life_days)
    lines = landing.brought(context.session, taken, period, model, window, query.by)
    return LandingReport(
        first_day=period.start,
        last_day=period.end - timedelta(days=1),
        data_until=taken.taken_at,
        model=model,
        currency=settings.currency,
        rows=[LandingLine.model_validate(line) for line in lines],
    )


def _snapshot(context: Context) -> snapshots.Snapshot:
    try:
        return snapshots.current(context.session, context.settings, at=context.at)
    except snapshots.Preparing:
        raise ServiceUnavailable(
            "the figures are being worked out for the first time; ask again in a minute", retry_after=60
        ) from None


@routes.get("/reports/roi")
def report_roi(context: Context, query: RoiQuery) -> Roi:
    """Set each campaign's credited revenue against its cost."""
    settings, taken = context.settings, _snapshot(context)
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
