"""Calls in the API: listed, judged, and entered by hand."""

import secrets
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import SQLColumnExpression, exists, select
from sqlalchemy.orm import selectinload

from tracking.access.tokens import Scope
from tracking.api import access
from tracking.api.forms import (
    Body,
    ById,
    Currency,
    Flag,
    Line,
    Listing,
    Minor,
    Moment,
    Page,
    PhoneText,
    Shown,
    Whole,
    Words,
    e164,
    page,
)
from tracking.api.problems import naming
from tracking.api.routes import Context, Section
from tracking.errors import Invalid, NotFound
from tracking.records.import_outcome import ImportOutcome
from tracking.storage import phone
from tracking.storage.models import AdMaterial, Answer, Call, Campaign, NumberAssignment, Touch
from tracking.storage.phone import NumberState
from tracking.storage.vocabulary import CallStatus, LeadStatus
from tracking.telephony import calls
from tracking.telephony.calls import MANUAL, CallEvent

routes = Section("calls", "Telephone calls to the supplier's numbers.", write=Scope.write_calls)

Seconds = Annotated[Whole, Field(ge=0, le=2**31 - 1)]
Tags = Annotated[list[Line], Field(max_length=100)]


class CallSort(StrEnum):
    """Orders of calls; a minus means the other way round."""

    started_at = "started_at"
    started_at_down = "-started_at"
    duration_s = "duration_s"
    duration_s_down = "-duration_s"


_ORDERS: dict[CallSort, list[SQLColumnExpression[Any]]] = {
    CallSort.started_at: [Call.started_at, Call.id],
    CallSort.started_at_down: [Call.started_at.desc(), Call.id.desc()],
    CallSort.duration_s: [Call.duration_s.asc().nulls_first(), Call.id],
    CallSort.duration_s_down: [Call.duration_s.desc().nulls_last(), Call.id.desc()],
}


class CallQuery(Listing):
    """Which calls; several conditions must all hold."""

    since: Moment | None = Field(None, alias="from", description="Started at this moment or later.")
    until: Moment | None = Field(None, alias="to", description="Started before this moment.")
    campaign: Line | None = Field(None, description="Name of the campaign whose number was dialled.")
    status: CallStatus | None = None
    lead_status: LeadStatus | None = None
    spam: bool | None = None
    unasked: bool | None = Field(
        None, description='Without (true) or with (false) an entry on "where did you hear about us?".'
    )
    number: PhoneText | None = Field(None, description="The tracking number dialled; write + as %2B.")
    sort: CallSort = CallSort.started_at_down


class Judgement(Body):
    """What a sales rep says of a call; null leaves a field as it is."""

    lead_status: LeadStatus | None = None
    value_minor: Minor | None = None
    currency: Currency | None = Field(None, description="Of value_minor; they go together.")
    note: Words | None = None
    tags: Tags | None = Field(None, description="All tags of the call; what is not named is taken off.")
    spam: Flag | None = Field(None, description="Marks the call and hides it from reports, not from lists.")


class NewCall(Body):
    """A call to enter; entering it again with the same call_key adds what was not known."""

    dialled: PhoneText = Field(description="The number that was rung.")
    caller: PhoneText | None = Field(None, description="Left out where it was withheld.")
    caller_name: Line | None = None
    started_at: Moment
    answered_at: Moment | None = None
    ended_at: Moment | None = None
    status: CallStatus | None = None
    duration_s: Seconds | None = Field(None, description="Ringing and talking.")
    talk_s: Seconds | None = None
    lead_status: LeadStatus | None = None
    value_minor: Minor | None = None
    currency: Currency | None = None
    note: Words = ""
    tags: Tags = Field(default_factory=list)
    call_key: Line | None = Field(None, description="Tells this call from every other; by default made up.")


class ShownCall(Shown):
    """A call; the caller is shown by the last three digits unless the token has read:personal."""

    id: int
    provider: str
    provider_call_id: str
    dialled: str
    tracking_number_id: int | None
    ad_material_id: int | None
    ad_material: str | None
    campaign_id: int | None
    campaign: str | None
    contact_id: int
    account_id: int
    caller: str | None
    caller_state: NumberState
    caller_name: str | None
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    duration_s: int | None
    talk_s: int | None
    status: CallStatus
    lead_status: LeadStatus | None
    value_minor: int | None
    currency: str | None
    note: str
    tags: list[str]
    spam: bool


@routes.get("/calls")
def list_calls(context: Context, query: CallQuery) -> Page[ShownCall]:
    """List calls, the latest first."""
    source = selectinload(Call.assignment).selectinload(NumberAssignment.ad_material)
    rows = select(Call).order_by(*_ORDERS[query.sort])
    rows = rows.options(selectinload(Call.contact), source.selectinload(AdMaterial.campaign))
    if query.since is not None:
        rows = rows.where(Call.started_at >= query.since)
    if query.until is not None:
        rows = rows.where(Call.started_at < query.until)
    if query.campaign is not None:
        rows = rows.where(Call.touch.has(Touch.campaign.has(Campaign.name == query.campaign)))
    if query.status is not None:
        rows = rows.where(Call.status == query.status)
    if query.lead_status is not None:
        rows = rows.where(Call.lead_status == query.lead_status)
    if query.spam is not None:
        rows = rows.where(Call.spam.is_(query.spam))
    if query.unasked is not None:
        logged = exists().where(Answer.call_id == Call.id)
        rows = rows.where(~logged if query.unasked else logged)
    if query.number is not None:
        rows = rows.where(Call.dialled == e164(query.number, context.settings.region, "number"))
    return page(context.session, rows, query, _show)


@routes.get("/calls/<int:id>")
def get_call(context: Context, path: ById) -> ShownCall:
    """Show a call."""
    return _show(find(context, path.id))


@routes.change("/calls/<int:id>")
def judge_call(context: Context, path: ById, body: Judgement) -> ShownCall:
    """Write down a sales rep's judgement of a call."""
    return _show(calls.judge(context.session, find(context, path.id), **body.model_dump(exclude_none=True)))


@routes.post("/calls")
def add_call(context: Context, body: NewCall) -> tuple[ShownCall, ImportOutcome]:
    """Enter a call by hand; it is credited to whoever held the number when it rang."""
    if (body.value_minor is None) != (body.currency is None):
        raise Invalid("value_minor", "enter both amount and currency, or neither")
    given = body.model_dump(exclude={"dialled", "call_key", "tags"})
    event = CallEvent(
        provider=MANUAL,
        provider_call_id=body.call_key or secrets.token_hex(16),
        dialled=(body.dialled,),
        tags=tuple(body.tags),
        **given,
    )
    with naming({"provider_call_id": "call_key"}):
        recorded = calls.record(context.session, [event], region=context.settings.region)[0]
    return _show(recorded.call), recorded.effect


def find(context: Context, call_id: int) -> Call:
    """Return the call of that id."""
    row = context.session.get(Call, call_id)
    if row is None:
        raise NotFound("call %(call_id)s not found", call_id=call_id)
    return row


def _show(row: Call) -> ShownCall:
    full, held = access.shows_in_full(row.caller), row.assignment
    return ShownCall(
        ad_material_id=held.ad_material_id if held else None,
        ad_material=held.ad_material.name if held else None,
        campaign_id=held.ad_material.campaign_id if held else None,
        campaign=held.ad_material.campaign.name if held else None,
        account_id=row.contact.account_id,
        caller=row.caller if full else phone.partly(row.caller),
        caller_name=row.caller_name if full else phone.without_number(row.caller_name),
        **{
            field: getattr(row, field)
            for field in ShownCall.model_fields
            if field in Call.__table__.columns and field not in ("caller", "caller_name")
        },
    )
