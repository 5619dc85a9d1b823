"""Campaigns and ad material in the API."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import SQLColumnExpression, select
from sqlalchemy.orm import selectinload

from tracking.access.tokens import Scope
from tracking.api.forms import (
    Body,
    ById,
    Currency,
    Day,
    Line,
    Listing,
    Minor,
    NameOf,
    Page,
    Shown,
    Whole,
    Words,
    one,
    page,
)
from tracking.api.problems import pointing_at
from tracking.api.routes import Context, Section
from tracking.language import channels
from tracking.records import campaigns
from tracking.storage.models import AdMaterial, Campaign
from tracking.storage.vocabulary import Direction, Medium

routes = Section(
    "campaigns",
    "Marketing activities, and the ad material that carries their numbers.",
    write=Scope.write_campaigns,
)

Figure = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Targets = Annotated[dict[Line, Figure], Field(max_length=50)]


class CampaignSort(StrEnum):
    """Orders of campaigns; a minus means the other way round."""

    name = "name"
    created_at = "created_at"
    created_at_down = "-created_at"


_ORDERS: dict[CampaignSort, list[SQLColumnExpression[Any]]] = {
    CampaignSort.name: [Campaign.name],
    CampaignSort.created_at: [Campaign.created_at, Campaign.id],
    CampaignSort.created_at_down: [Campaign.created_at.desc(), Campaign.id.desc()],
}


class CampaignQuery(Listing):
    """Which campaigns."""

    name: Line | None = None
    channel: Line | None = None
    direction: Direction | None = None
    sort: CampaignSort = CampaignSort.name


class CampaignDetails(Body):
    """What may be said of a campaign."""

    direction: Direction | None = None
    objective: Words | None = None
    targets: Targets | None = Field(None, description="Measure and figure, such as leads: 40.")
    budget_minor: Minor | None = None
    currency: Currency | None = Field(None, description="Of the budget.")
    utm_source: Line | None = None
    utm_medium: Line | None = None
    utm_campaign: Line | None = None
    starts_on: Day | None = None
    ends_on: Day | None = Field(None, description="The last day covered.")


class NewCampaign(CampaignDetails):
    """A campaign to add."""

    name: Line
    channel: Line


class ChangedCampaign(CampaignDetails):
    """What of a campaign to change; what is left out stays."""

    name: Line | None = None
    channel: Line | None = None


class ShownCampaign(Shown):
    """A campaign."""

    id: int
    name: str
    channel: str
    direction: Direction
    objective: str
    targets: dict[str, float]
    budget_minor: int | None
    currency: str | None
    utm_source: str | None
    utm_medium: str | None
    utm_campaign: str | None
    starts_on: date | None
    ends_on: date | None
    created_at: datetime


class MaterialQuery(Listing):
    """Which ad material."""

    campaign: Line | None = Field(None, description="Name of the campaign.")
    medium: Medium | None = None


class NewMaterial(Body):
    """A piece of ad material to add to a campaign."""

    campaign: Line = Field(description="Name of the campaign.")
    name: Line
    medium: Medium | None = Field(None, description="By default as its kind or the campaign's channel says.")
    kind: Line = "other"
    edition: Line | None = None
    print_run: Annotated[Whole, Field(ge=1, le=2**31 - 1)] | None = None
    issued_on: Day | None = None
    expires_on: Day | None = None


class ShownMaterial(Shown):
    """A piece of ad material."""

    id: int
    campaign_id: int
    campaign: NameOf
    name: str
    kind: str
    medium: Medium
    edition: str | None
    print_run: int | None
    issued_on: date | None
    expires_on: date | None
    created_at: datetime


@routes.get("/campaigns")
def list_campaigns(context: Context, query: CampaignQuery) -> Page[ShownCampaign]:
    """List campaigns."""
    rows = select(Campaign).order_by(*_ORDERS[query.sort])
    for column, wanted in (
        (Campaign.name, query.name),
        (Campaign.channel, query.channel and channels.canonical(query.channel)),
        (Campaign.direction, query.direction),
    ):
        if wanted is not None:
            rows = rows.where(column == wanted)
    return page(context.session, rows, query, ShownCampaign.model_validate)


@routes.get("/campaigns/<int:id>")
def get_campaign(context: Context, path: ById) -> ShownCampaign:
    """Show a campaign."""
    return ShownCampaign.model_validate(one(context.session, Campaign, path.id))


@routes.post("/campaigns")
def add_campaign(context: Context, body: NewCampaign) -> ShownCampaign:
    """Add a campaign; its name is its identity in imports and reports, so it is unique."""
    details = body.model_dump(exclude_none=True)
    return ShownCampaign.model_validate(campaigns.add(context.session, at=context.at, **details))


@routes.change("/campaigns/<int:id>")
def change_campaign(context: Context, path: ById, body: ChangedCampaign) -> ShownCampaign:
    """Change what is said of a campaign."""
    details = body.model_dump(exclude_none=True)
    return ShownCampaign.model_validate(
        campaigns.change(context.session, one(context.session, Campaign, path.id), **details)
    )


@routes.get("/ad-materials")
def list_ad_materials(context: Context, query: MaterialQuery) -> Page[ShownMaterial]:
    """List ad material."""
    rows = select(AdMaterial).join(Campaign).order_by(Campaign.name, AdMaterial.name)
    rows = rows.options(selectinload(AdMaterial.campaign))
    if query.campaign is not None:
        rows = rows.where(Campaign.name == query.campaign)
    if query.medium is not None:
        rows = rows.where(AdMaterial.medium == query.medium)
    return page(context.session, rows, query, ShownMaterial.model_validate)


@routes.get("/ad-materials/<int:id>")
def get_ad_material(context: Context, path: ById) -> ShownMaterial:
    """Show a piece of ad material."""
    return ShownMaterial.model_validate(one(context.session, AdMaterial, path.id))


@routes.post("/ad-materials")
def add_ad_material(context: Context, body: NewMaterial) -> ShownMaterial:
    """Add a piece of ad material to a campaign; its name is unique within the campaign."""
    with pointing_at("campaign"):
        campaign = campaigns.get(context.session, body.campaign)
    details = body.model_dump(exclude={"campaign"}, exclude_none=True)
    return ShownMaterial.model_validate(
        campaigns.add_material(context.session, campaign, at=context.at, **details)
    )
