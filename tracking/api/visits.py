"""Numbers of web visits in the API: by day, campaign and channel; they belong to no company."""

from datetime import date, timedelta
from typing import Annotated

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from tracking.access.tokens import Scope
from tracking.api.forms import Body, Day, Line, Listing, NameOfAny, Page, Shown, Whole, page
from tracking.api.routes import Context, Section
from tracking.errors import Invalid
from tracking.records import visits
from tracking.records.import_outcome import ImportOutcome
from tracking.records.visits import VisitRecord
from tracking.storage.models import Campaign, VisitCount

routes = Section("visits", "How many visits a website had, by day and source.", write=Scope.write_calls)


class VisitQuery(Listing):
    """Which counts; several conditions must all hold."""

    campaign: Line | None = Field(None, description="Name of the campaign.")
    channel: Line | None = None
    since: Day | None = Field(None, alias="from", description="On this day or later.")
    until: Day | None = Field(None, alias="to", description="Before this day.")


class NewVisits(Body):
    """The visits of a day; the same day, site, system, channel and tags again replace the count."""

    day: Day
    visits: Annotated[Whole, Field(ge=0, le=10**9)]
    channel: Line | None = Field(None, description="Found by the tags where it is left out.")
    utm_source: Line | None = None
    utm_medium: Line | None = None
    utm_campaign: Line | None = Field(None, description="Or the campaign's name; both find the campaign.")
    site: Line | None = Field(None, description="Which of several sites; their visits add up.")
    counted_by: Line = Field("API", description="The system that counted; a day of a site is counted by one.")


class ShownVisits(Shown):
    """A count."""

    id: int
    day: date
    visits: int
    campaign_id: int | None
    campaign: NameOfAny
    channel: str | None
    utm_source: str | None
    utm_medium: str | None
    utm_campaign: str | None
    site: str
    counted_by: str


@routes.get("/visits")
def list_visits(context: Context, query: VisitQuery) -> Page[ShownVisits]:
    """List counts of visits by day."""
    rows = (
        select(VisitCount).order_by(VisitCount.day, VisitCount.id).options(selectinload(VisitCount.campaign))
    )
    if query.campaign is not None:
        rows = rows.where(VisitCount.campaign.has(Campaign.name == query.campaign))
    if query.channel is not None:
        rows = rows.where(VisitCount.channel == query.channel)
    if query.since is not None:
        rows = rows.where(VisitCount.day >= query.since)
    if query.until is not None:
        rows = rows.where(VisitCount.day < query.until)
    return page(context.session, rows, query, ShownVisits.model_validate)


@routes.post("/visits")
def save_visits(context: Context, body: NewVisits) -> tuple[ShownVisits, ImportOutcome]:
    """Add the visits of a day, or replace them."""
    told = body.model_dump(exclude={"day", "site"})
    record = VisitRecord(start=body.day, end=body.day + timedelta(days=1), site=body.site or "", **told)
    (effect,) = visits.save(context.session, [record])
    if isinstance(effect, Invalid):
        raise Invalid.of("day" if effect.field == "period" else effect.field, effect.reason)
    wanted = visits.key(visits.checked(record))
    same = select(VisitCount).where(VisitCount.day == body.day)
    row = next(each for each in context.session.scalars(same) if visits.key(each) == wanted)
    context.session.refresh(row)
    return ShownVisits.model_validate(row), effect
