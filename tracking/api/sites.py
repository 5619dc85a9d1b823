"""Websites in the API: which pages may report visits, and the pools of numbers their visitors are shown."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking import collector
from tracking.access.tokens import Scope
from tracking.api.forms import (
    Body,
    ById,
    Flag,
    Line,
    Listing,
    Minor,
    Page,
    PhoneText,
    Shown,
    Whole,
    one,
    page,
)
from tracking.api.routes import Context, Section
from tracking.records import sites
from tracking.storage.models import Site
from tracking.telephony import numbers, pools

routes = Section(
    "sites",
    "The supplier's websites, and the pools of numbers that their visitors are shown.",
    write=Scope.write_campaigns,
)

Minutes = Annotated[Whole, Field(ge=1, le=1440)]
Origins = Annotated[list[Line], Field(min_length=1, max_length=20)]


class SiteQuery(Listing):
    """Which websites: all of them."""


class SiteDetails(Body):
    """What may be said of a website."""

    consent: Flag | None = Field(None, description="Whether visitors must agree first; by default they must.")
    hold_minutes: Minutes | None = Field(
        None, description="How long a number is held after the last page view; by default 20 minutes."
    )
    number_cost_minor: Minor | None = Field(
        None, description="Monthly cost of a number, in the currency of reports."
    )
    notice_to: Line | None = Field(None, description="The email address that is told of each form.")
    notice_language: Line | None = Field(None, description="The language of these emails, such as en or sv.")


class NewSite(SiteDetails):
    """A website to add."""

    name: Line
    origins: Origins = Field(description="Addresses of its pages, such as https://www.acme.example.")
    number: PhoneText = Field(description="The number that its pages show.")


class ChangedSite(SiteDetails):
    """What of a website to change; what is left out stays."""

    name: Line | None = None
    origins: Origins | None = None
    number: PhoneText | None = None


class PoolNumbers(Body):
    """Tracking numbers to put into a pool."""

    numbers: Annotated[list[PhoneText], Field(min_length=1, max_length=100)]


class ShownSite(Shown):
    """A website with its pool."""

    id: int
    name: str
    key: str = Field(description="What its pages call it by; no secret.")
    origins: list[str]
    number: str
    consent: bool
    hold_minutes: int
    number_cost_minor: int | None
    notice_to: str | None
    notice_language: str | None
    snippet: str = Field(description="What is pasted into its pages.")
    form_snippet: str = Field(description="What is pasted into its pages that have forms, besides.")
    pool: list[str]


@routes.get("/sites")
def list_sites(context: Context, query: SiteQuery) -> Page[ShownSite]:
    """List websites by name."""
    rows = select(Site).order_by(Site.name, Site.id)
    return page(context.session, rows, query, lambda site: _show(context, site))


@routes.post("/sites")
def add_site(context: Context, body: NewSite) -> ShownSite:
    """Add a website."""
    told = body.model_dump(exclude_none=True)
    site = sites.add(context.session, told.pop("name"), at=context.at, region=context.settings.region, **told)
    return _show(context, site)


@routes.change("/sites/<int:id>")
def change_site(context: Context, path: ById, body: ChangedSite) -> ShownSite:
    """Change a website."""
    site = one(context.session, Site, path.id)
    told = body.model_dump(exclude_none=True)
    sites.change(context.session, site, region=context.settings.region, **told)
    context.session.flush()
    return _show(context, site)


@routes.post("/sites/<int:id>/numbers")
def add_to_pool(context: Context, path: ById, body: PoolNumbers) -> ShownSite:
    """Put tracking numbers into a website's pool."""
    site = one(context.session, Site, path.id)
    for text in body.numbers:
        row = numbers.get(context.session, text, context.settings.region)
        pools.put(context.session, site, row, at=context.at)
    return _show(context, site)


def _show(context: Context, site: Site) -> ShownSite:
    told = {name: getattr(site, name) for name in ShownSite.model_fields if hasattr(site, name)}
    return ShownSite(
        **told,
        snippet=collector.snippet(site, context.settings.base_url),
        form_snippet=collector.form_snippet(site, context.settings.base_url),
        pool=_pool(context.session, site),
    )


def _pool(session: Session, site: Site) -> list[str]:
    return [row.tracking_number.number for row in pools.numbers_of(session, site)]
