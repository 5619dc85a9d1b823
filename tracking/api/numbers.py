"""Tracking numbers and who holds them in the API."""

from datetime import datetime

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from tracking.access.tokens import Scope
from tracking.api.forms import (
    Body,
    ById,
    Line,
    Listing,
    Moment,
    NameOf,
    Page,
    PhoneText,
    Query,
    Shown,
    Words,
    e164,
    one,
    page,
)
from tracking.api.problems import naming, pointing_at
from tracking.api.routes import Context, Section
from tracking.errors import Conflict
from tracking.records import campaigns
from tracking.storage.models import AdMaterial, Campaign, NumberAssignment, TrackingNumber
from tracking.storage.vocabulary import NumberStatus
from tracking.telephony import numbers
from tracking.telephony.numbers import NumberLife

routes = Section(
    "numbers", "Telephone numbers for ad material, and who holds them when.", write=Scope.write_campaigns
)


class NumberQuery(Listing):
    """Which tracking numbers."""

    provider: Line | None = None
    status: NumberStatus | None = None


class NewNumber(Body):
    """A number to put into the inventory."""

    number: PhoneText = Field(description="In full, such as +46701740605, or as written in the region.")
    provider: Line
    destination: PhoneText | None = Field(None, description="The number that rings.")
    label: Words = ""
    main_line: bool = Field(
        False,
        description="The firm's own number, on no ad material; its calls are neither stray nor credited.",
    )


class ChangedNumber(Body):
    """What of a number to change; what is left out stays."""

    destination: PhoneText | None = None
    label: Words | None = None
    status: NumberStatus | None = None
    main_line: bool | None = None


class ShownNumber(Shown):
    """A tracking number; it is the supplier's own and shown in full."""

    id: int
    number: str
    destination: str | None
    provider: str
    status: NumberStatus
    main_line: bool
    label: str
    created_at: datetime


class ShownMaterialOf(Shown):
    """The ad material that an assignment belongs to."""

    id: int
    name: str
    campaign_id: int
    campaign: NameOf


class ShownAssignment(Shown):
    """A tracking number on a piece of ad material, from starts_at up to, not including, ends_at."""

    id: int
    tracking_number: ShownNumber
    ad_material: ShownMaterialOf
    starts_at: datetime
    ends_at: datetime | None
    quarantined_until: datetime | None


class ShownStanding(Shown):
    """Where a number stands at a moment, and the assignment that explains it, if any."""

    at: datetime
    life: NumberLife
    assignment: ShownAssignment | None


class FreeQuery(Query):
    """Among which numbers, and when."""

    provider: Line | None = None
    at: Moment | None = Field(None, description="By default now.")


class AtQuery(Query):
    """When."""

    at: Moment | None = Field(None, description="By default now.")


class AssignmentQuery(Listing):
    """Which assignments."""

    number: PhoneText | None = Field(None, description="A tracking number; write + as %2B.")
    campaign: Line | None = Field(None, description="Name of the campaign.")
    open: bool | None = Field(None, description="Those that have no end (true) or have one (false).")


class MaterialNamed(Body):
    """A piece of ad material by the names of its campaign and its own."""

    campaign: Line
    ad_material: Line


class NewAssignment(MaterialNamed):
    """Which number to put on which ad material."""

    number: PhoneText
    starts_at: Moment | None = Field(None, description="By default now; may lie in the past.")
    ends_at: Moment | None = Field(
        None, description="Only for what is over already: it records who held the number then."
    )
    close_others: bool = Field(
        False,
        description="End what the number is on where this begins, and use it though it rests; without it "
        "that is a conflict.",
    )


class NextFree(MaterialNamed):
    """Which ad material is to have the longest idle free number."""

    provider: Line | None = None


class Release(Body):
    """When an assignment ends."""

    at: Moment | None = Field(None, description="By default now.")


@routes.get("/tracking-numbers")
def list_tracking_numbers(context: Context, query: NumberQuery) -> Page[ShownNumber]:
    """List tracking numbers."""
    rows = select(TrackingNumber).order_by(TrackingNumber.number)
    if query.provider is not None:
        rows = rows.where(TrackingNumber.provider == query.provider)
    if query.status is not None:
        rows = rows.where(TrackingNumber.status == query.status)
    return page(context.session, rows, query, ShownNumber.model_validate)


@routes.get("/tracking-numbers/next-free")
def get_next_free_number(context: Context, query: FreeQuery) -> ShownNumber:
    """Show the number that would be assigned next; to take it, POST /assignments/next-free."""
    free = numbers.free(at=query.at or context.at, provider=query.provider)
    row = context.session.scalar(free.limit(1))
    if row is None:
        raise Conflict("no tracking number is free; add one, or release one")
    return ShownNumber.model_validate(row)


@routes.get("/tracking-numbers/<int:id>")
def get_tracking_number(context: Context, path: ById) -> ShownNumber:
    """Show a tracking number."""
    return ShownNumber.model_validate(one(context.session, TrackingNumber, path.id))


@routes.get("/tracking-numbers/<int:id>/standing")
def get_standing(context: Context, path: ById, query: AtQuery) -> ShownStanding:
    """Tell whether a number is available, assigned, quarantined or disabled at a moment."""
    at = query.at or context.at
    row, history = numbers.inventory(
        context.session, [one(context.session, TrackingNumber, path.id).number]
    ).popitem()[1]
    found = numbers.standing(row, history, at)
    return ShownStanding.model_validate({"at": at, "life": found.life, "assignment": found.assignment})


@routes.post("/tracking-numbers")
def add_tracking_number(context: Context, body: NewNumber) -> ShownNumber:
    """Put a number into the inventory; calls recorded for it before are joined to it."""
    region = context.settings.region
    return ShownNumber.model_validate(
        numbers.add(
            context.session,
            e164(body.number, region, "number"),
            at=context.at,
            provider=body.provider,
            destination=body.destination and e164(body.destination, region, "destination"),
            label=body.label,
            main_line=body.main_line,
        )
    )


@routes.change("/tracking-numbers/<int:id>")
def change_tracking_number(context: Context, path: ById, body: ChangedNumber) -> ShownNumber:
    """Let a number ring somewhere else, label it, or take it into or out of service."""
    row = one(context.session, TrackingNumber, path.id)
    if body.destination is not None:
        target = e164(body.destination, context.settings.region, "destination")
        numbers.forward_to(context.session, row, target)
    row.label = row.label if body.label is None else body.label
    row.status = body.status or row.status
    if body.main_line is not None:
        numbers.make_main_line(context.session, row, body.main_line)
    context.session.flush()
    return ShownNumber.model_validate(row)


@routes.get("/assignments")
def list_assignments(context: Context, query: AssignmentQuery) -> Page[ShownAssignment]:
    """List who holds or held which number, the latest first."""
    rows = select(NumberAssignment).order_by(NumberAssignment.starts_at.desc(), NumberAssignment.id.desc())
    material = selectinload(NumberAssignment.ad_material).selectinload(AdMaterial.campaign)
    rows = rows.options(selectinload(NumberAssignment.tracking_number), material)
    if query.number is not None:
        number = e164(query.number, context.settings.region, "number")
        rows = rows.where(NumberAssignment.tracking_number.has(TrackingNumber.number == number))
    if query.campaign is not None:
        theirs = AdMaterial.campaign.has(Campaign.name == query.campaign)
        rows = rows.where(NumberAssignment.ad_material.has(theirs))
    if query.open is not None:
        rows = rows.where(NumberAssignment.ends_at.is_(None) == query.open)
    return page(context.session, rows, query, ShownAssignment.model_validate)


@routes.get("/assignments/<int:id>")
def get_assignment(context: Context, path: ById) -> ShownAssignment:
    """Show an assignment."""
    return ShownAssignment.model_validate(one(context.session, NumberAssignment, path.id))


@routes.post("/assignments")
def assign_number(context: Context, body: NewAssignment) -> ShownAssignment:
    """Put a number on ad material; calls since then are credited to it."""
    with pointing_at("number"):
        number = numbers.get(context.session, e164(body.number, context.settings.region, "number"))
    try:
        row = numbers.assign(
            context.session,
            number,
            _material(context, body),
            starts_at=body.starts_at or context.at,
            ends_at=body.ends_at,
            close_others=body.close_others,
        )
    except numbers.Held as held:
        raise Conflict("%(reason)s; or end that with close_others", reason=held.whole) from None
    return ShownAssignment.model_validate(row)


@routes.post("/assignments/next-free")
def assign_next_free_number(context: Context, body: NextFree) -> ShownAssignment:
    """Put the longest idle free number on ad material; two requests never get the same one."""
    row = numbers.assign_next_free(
        context.session, _material(context, body), at=context.at, provider=body.provider
    )
    return ShownAssignment.model_validate(row)


@routes.post("/assignments/<int:id>/release", status=200)
def release_assignment(context: Context, path: ById, body: Release) -> ShownAssignment:
    """End an assignment; the number still rings and rests for as long as its medium lives on."""
    with naming({"ends_at": "at"}):
        row = numbers.release(
            context.session, one(context.session, NumberAssignment, path.id), at=body.at or context.at
        )
    return ShownAssignment.model_validate(row)


def _material(context: Context, named: MaterialNamed) -> AdMaterial:
    with pointing_at("ad_material"):
        return campaigns.material(context.session, named.campaign, named.ad_material)
