"""Short links of ad material in the API."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic import StringConstraints as Text
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from tracking.access.tokens import Scope
from tracking.api import access
from tracking.api.forms import Body, BodyId, ById, Day, Id, Line, Listing, NameOf, Page, Shown, one, page
from tracking.api.routes import Context, Section
from tracking.records import links
from tracking.records.sources import UTM
from tracking.storage.models import AdMaterial, ShortLink

routes = Section(
    "short links", "Short addresses that lead on, with a campaign's tags.", write=Scope.write_campaigns
)

Target = Annotated[str, Text(min_length=1, max_length=2000, pattern=r"^[^\x00-\x1f\x7f]*$")]


class LinkQuery(Listing):
    """Which links."""

    ad_material_id: Id | None = None


class NewLink(Body):
    """A link; without a slug it gets six letters, without tags those of its campaign."""

    ad_material_id: BodyId
    target: Target = Field(description="The page it leads to, http or https.")
    slug: Line | None = None
    utm_source: Line | None = None
    utm_medium: Line | None = None
    utm_campaign: Line | None = None
    expires_on: Day | None = Field(None, description="The last day on which it leads on.")


class ChangedLink(Body):
    """What is to be otherwise; what is left out stays."""

    target: Target | None = None
    utm_source: Line | None = None
    utm_medium: Line | None = None
    utm_campaign: Line | None = None
    expires_on: Day | None = None


class ShownLink(Shown):
    """A link, and how often it was followed."""

    id: int
    slug: str
    ad_material_id: int
    ad_material: NameOf
    target: str
    utm_source: str | None
    utm_medium: str | None
    utm_campaign: str | None
    expires_on: date | None
    created_at: datetime
    created_by: str
    address: Annotated[str, BeforeValidator(str)] = Field("", description="What is printed.")
    visits: int = Field(0, description="By people.")
    bot_visits: int = Field(0, description="By programs.")


@routes.get("/short-links")
def list_short_links(context: Context, query: LinkQuery) -> Page[ShownLink]:
    """List short links."""
    rows = select(ShortLink).order_by(ShortLink.id).options(selectinload(ShortLink.ad_material))
    if query.ad_material_id is not None:
        rows = rows.where(ShortLink.ad_material_id == query.ad_material_id)
    return page(context.session, rows, query, lambda row: _shown(context, row))


@routes.get("/short-links/<int:id>")
def get_short_link(context: Context, path: ById) -> ShownLink:
    """Show a short link."""
    return _shown(context, one(context.session, ShortLink, path.id))


@routes.post("/short-links")
def add_short_link(context: Context, body: NewLink) -> ShownLink:
    """Add a short link to ad material."""
    row = links.add(
        context.session,
        one(context.session, AdMaterial, body.ad_material_id),
        body.target,
        slug=body.slug,
        tags={name: getattr(body, name) for name in UTM},
        expires_on=body.expires_on,
        at=context.at,
        by=f"token {access.token().name}",
    )
    return _shown(context, row)


@routes.change("/short-links/<int:id>")
def change_short_link(context: Context, path: ById, body: ChangedLink) -> ShownLink:
    """Change where a short link leads, its tags or its last day."""
    row = one(context.session, ShortLink, path.id)
    links.change(context.session, row, **body.model_dump(exclude_none=True))
    return _shown(context, row)


def _shown(context: Context, row: ShortLink) -> ShownLink:
    found = links.followed(context.session, [row.id])[row.id]
    shown = ShownLink.model_validate(row, from_attributes=True)
    shown.address = f"{context.settings.links_url}{links.PATH}/{row.slug}"
    shown.visits, shown.bot_visits = found.people, found.bots
    return shown
