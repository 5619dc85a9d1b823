"""Costs in the API: money or hours spent on a campaign over an interval of days."""

from datetime import date
from typing import Annotated

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from tracking.access.tokens import Scope
from tracking.api.forms import (
    Body,
    ById,
    Currency,
    Day,
    Flag,
    Line,
    Listing,
    Minor,
    NameOfAny,
    Page,
    Shown,
    Whole,
    Words,
    one,
    page,
)
from tracking.api.problems import naming
from tracking.api.references import source
from tracking.api.routes import Context, Section
from tracking.records import costs
from tracking.records.costs import CostRecord
from tracking.records.import_outcome import ImportOutcome
from tracking.storage.models import Campaign, Cost

routes = Section("costs", "Money or hours spent on campaigns.", write=Scope.write_campaigns)

# The domain speaks of amounts and hours as imports do; the fields here carry their units.
_NAMES = {"amount": "amount_minor", "hours": "minutes", "hourly_rate": "hourly_rate_minor"}


class CostQuery(Listing):
    """Which costs; several conditions must all hold."""

    campaign: Line | None = Field(None, description="Name of the campaign.")
    category: Line | None = None
    direct: bool | None = None
    since: Day | None = Field(None, alias="from", description="Covering this day or a later one.")
    until: Day | None = Field(None, alias="to", description="Covering a day before this one.")


class NewCost(Body):
    """An amount, or minutes of work and an hourly rate; the same source_key brings it up to date."""

    campaign: Line | None = Field(None, description="Name of the campaign; without one it is overhead.")
    ad_material: Line | None = Field(None, description="Name of the campaign's ad material.")
    period_start: Day
    period_end: Day = Field(description="The first day no longer covered.")
    currency: Currency
    category: Line
    direct: Flag = True
    amount_minor: Minor | None = None
    minutes: Annotated[Whole, Field(ge=0, le=2**31 - 1)] | None = None
    hourly_rate_minor: Annotated[Minor, Field(le=10**9)] | None = None
    note: Words = ""
    source_key: Line | None = Field(None, description="Tells this cost from every other.")


class ShownCost(Shown):
    """A cost; the amount is minutes x rate where those are given."""

    id: int
    campaign_id: int | None
    campaign: NameOfAny
    ad_material_id: int | None
    period_start: date
    period_end: date
    amount_minor: int
    currency: str
    minutes: int | None
    hourly_rate_minor: int | None
    category: str
    direct: bool
    note: str
    source_key: str | None


@routes.get("/costs")
def list_costs(context: Context, query: CostQuery) -> Page[ShownCost]:
    """List costs by their first day."""
    rows = select(Cost).order_by(Cost.period_start, Cost.id).options(selectinload(Cost.campaign))
    if query.campaign is not None:
        rows = rows.where(Cost.campaign.has(Campaign.name == query.campaign))
    if query.category is not None:
        rows = rows.where(Cost.category == query.category)
    if query.direct is not None:
        rows = rows.where(Cost.direct.is_(query.direct))
    if query.since is not None:
        rows = rows.where(Cost.period_end > query.since)
    if query.until is not None:
        rows = rows.where(Cost.period_start < query.until)
    return page(context.session, rows, query, ShownCost.model_validate)


@routes.get("/costs/<int:id>")
def get_cost(context: Context, path: ById) -> ShownCost:
    """Show a cost."""
    return ShownCost.model_validate(one(context.session, Cost, path.id))


@routes.post("/costs")
def save_cost(context: Context, body: NewCost) -> tuple[ShownCost, ImportOutcome]:
    """Add a cost, or bring the one with the same source_key up to date."""
    campaign, material = source(context, body.campaign, body.ad_material)
    record = CostRecord(**body.model_dump(exclude={"campaign", "ad_material"}))
    with naming(_NAMES):
        row, effect = costs.save(context.session, record, campaign=campaign, material=material)
    context.session.refresh(row)
    return ShownCost.model_validate(row), effect
