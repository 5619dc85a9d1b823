"""Touches in the API: the moments at which buying companies met the supplier's marketing."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AliasPath, Field
from pydantic import StringConstraints as Text
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from tracking.access.tokens import Scope
from tracking.api.forms import Body, ById, Id, Line, Listing, Moment, NameOfAny, Page, Shown, one, page
from tracking.api.problems import naming
from tracking.api.references import Whose, source
from tracking.api.routes import Context, Section
from tracking.records import contacts, touches
from tracking.records.import_outcome import ImportOutcome
from tracking.records.sources import UTM, Trace, trace
from tracking.records.touches import TouchRecord
from tracking.storage.models import Campaign, Touch
from tracking.storage.vocabulary import TouchKind

ClickId = Literal["gclid", "gbraid", "wbraid", "msclkid", "yclid", "li_fat_id", "ttclid", "fbclid"]
Line500 = Annotated[str, Text(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
Address = Annotated[str, Text(max_length=2000, pattern=r"^[^\x00-\x1f\x7f]*$")]

routes = Section("touches", "All that attribution sees.", write=Scope.write_calls)


class TouchQuery(Listing):
    """Which touches; several conditions must all hold."""

    kind: TouchKind | None = None
    campaign: Line | None = Field(None, description="Name of the campaign.")
    account_id: Id | None = Field(None, description="Of this account and all that count as the same.")
    since: Moment | None = Field(None, alias="from", description="At this moment or later.")
    until: Moment | None = Field(None, alias="to", description="Before this moment.")


class NewTouch(Body):
    """A touch that another system recorded; the same source_key brings it up to date."""

    source_key: Line = Field(description="Tells this touch from every other.")
    account: Whose
    occurred_at: Moment
    kind: TouchKind
    campaign: Line | None = Field(None, description="Name of the campaign.")
    ad_material: Line | None = Field(None, description="Name of the campaign's ad material.")
    channel: Line | None = Field(None, description="Where no campaign says it.")
    utm_source: Line | None = Field(None, description="UTM tags find the campaign where none is named.")
    utm_medium: Line | None = None
    utm_campaign: Line | None = None
    landing_page: Address | None = Field(
        None,
        description="Address of the first page; its UTM tags and click ids are read, its query is not kept.",
    )
    referrer: Address | None = Field(
        None, description="Where the visitor came from; empty for nowhere, left out where it is not known."
    )
    click_ids: dict[ClickId, Line500] = Field({}, description="Such as gclid, by name.")


class ShownTouch(Shown):
    """A touch."""

    id: int
    contact_id: int
    account_id: int = Field(validation_alias=AliasPath("contact", "account_id"))
    occurred_at: datetime
    kind: TouchKind
    campaign_id: int | None
    campaign: NameOfAny
    ad_material_id: int | None
    ad_material: NameOfAny
    channel: str | None
    utm_source: str | None
    utm_medium: str | None
    utm_campaign: str | None
    landing_page: str | None
    click_ids: dict[str, str] | None
    call_id: int | None
    source_key: str | None


@routes.get("/touches")
def list_touches(context: Context, query: TouchQuery) -> Page[ShownTouch]:
    """List touches in order of time."""
    named = (Touch.contact, Touch.campaign, Touch.ad_material)
    rows = select(Touch).order_by(Touch.occurred_at, Touch.id).options(*map(selectinload, named))
    if query.kind is not None:
        rows = rows.where(Touch.kind == query.kind)
    if query.campaign is not None:
        rows = rows.where(Touch.campaign.has(Campaign.name == query.campaign))
    if query.account_id is not None:
        people = contacts.people_of(contacts.same_company(query.account_id))
        rows = rows.where(Touch.contact_id.in_(people))
    if query.since is not None:
        rows = rows.where(Touch.occurred_at >= query.since)
    if query.until is not None:
        rows = rows.where(Touch.occurred_at < query.until)
    return page(context.session, rows, query, ShownTouch.model_validate)


@routes.get("/touches/<int:id>")
def get_touch(context: Context, path: ById) -> ShownTouch:
    """Show a touch."""
    return ShownTouch.model_validate(one(context.session, Touch, path.id))


@routes.post("/touches")
def save_touch(context: Context, body: NewTouch) -> tuple[ShownTouch, ImportOutcome]:
    """Add a touch, or bring the one with the same source_key up to date."""
    campaign, material = source(context, body.campaign, body.ad_material)
    record = TouchRecord(
        source_key=body.source_key,
        clues=body.account.clues(context.settings.region, "account"),
        occurred_at=body.occurred_at,
        kind=body.kind,
        channel=body.channel,
        trace=_trace(body),
    )
    with naming({"account_id": "account", "touch_id": "source_key"}):
        row, effect = touches.save(
            context.session, record, at=context.at, campaign=campaign, material=material
        )
    context.session.refresh(row)
    return ShownTouch.model_validate(row), effect


def _trace(body: NewTouch) -> Trace | None:
    told = {name: getattr(body, name) for name in UTM} | dict(body.click_ids)
    return trace(body.landing_page, body.referrer, told=told) or None
