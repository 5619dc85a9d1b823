"""Deals and the exchange rates that reports convert them at, in the API."""

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
    Id,
    Line,
    Listing,
    Moment,
    NameOfAny,
    Page,
    Shown,
    SignedMinor,
    Words,
    one,
    page,
)
from tracking.api.problems import naming
from tracking.api.references import Whose
from tracking.api.routes import Context, Section
from tracking.records import deals, rates
from tracking.records.deals import DealRecord
from tracking.records.import_outcome import ImportOutcome
from tracking.storage.models import Deal, ExchangeRate
from tracking.storage.vocabulary import Stage

routes = Section("deals", "Sales in the making, and exchange rates.", write=Scope.write_deals)

Rate = Annotated[float, Field(strict=True, gt=0, le=1e12, allow_inf_nan=False)]


class DealSort(StrEnum):
    """Orders of deals; a minus means the other way round."""

    id = "id"
    closed_at = "closed_at"
    closed_at_down = "-closed_at"


_ORDERS: dict[DealSort, list[SQLColumnExpression[Any]]] = {
    DealSort.id: [Deal.id],
    DealSort.closed_at: [Deal.closed_at.asc().nulls_last(), Deal.id],
    DealSort.closed_at_down: [Deal.closed_at.desc().nulls_first(), Deal.id.desc()],
}


class DealQuery(Listing):
    """Which deals; several conditions must all hold."""

    stage: Stage | None = None
    account_id: Id | None = None
    external_id: Line | None = None
    since: Moment | None = Field(None, alias="from", description="Closed at this moment or later.")
    until: Moment | None = Field(None, alias="to", description="Closed before this moment.")
    sort: DealSort = DealSort.id


class NewDeal(Body):
    """A deal as it stands now; the one with the same external_id is brought up to date."""

    account: Whose
    stage: Stage
    amount_minor: SignedMinor | None = Field(
        None, description="Without it what is known stays; needed where the stage is won."
    )
    currency: Currency
    external_id: Line | None = Field(None, description="The deal's id in your CRM; without it each is new.")
    name: Words = ""
    lead_at: Moment | None = None
    qualified_at: Moment | None = None
    opportunity_at: Moment | None = None
    closed_at: Moment | None = Field(None, description="Needed where the stage is won or lost.")
    margin_minor: SignedMinor | None = None


class ShownDeal(Shown):
    """A deal."""

    id: int
    external_id: str | None
    account_id: int
    account: NameOfAny
    name: str
    stage: Stage
    lead_at: datetime | None
    qualified_at: datetime | None
    opportunity_at: datetime | None
    closed_at: datetime | None
    amount_minor: int | None
    margin_minor: int | None
    currency: str
    created_at: datetime


class RateQuery(Listing):
    """Which exchange rates."""

    currency: Currency | None = None


class NewRate(Body):
    """What one unit of a currency is worth in the currency of reports, from a day on."""

    currency: Currency
    day: Day
    rate: Rate


class ShownRate(Shown):
    """What one unit of a currency is worth in the currency of reports, from a day on."""

    id: int
    currency: str
    day: date
    rate: float


@routes.get("/deals")
def list_deals(context: Context, query: DealQuery) -> Page[ShownDeal]:
    """List deals."""
    rows = select(Deal).order_by(*_ORDERS[query.sort]).options(selectinload(Deal.account))
    for column, wanted in (
        (Deal.stage, query.stage),
        (Deal.account_id, query.account_id),
        (Deal.external_id, query.external_id),
    ):
        if wanted is not None:
            rows = rows.where(column == wanted)
    if query.since is not None:
        rows = rows.where(Deal.closed_at >= query.since)
    if query.until is not None:
        rows = rows.where(Deal.closed_at < query.until)
    return page(context.session, rows, query, ShownDeal.model_validate)


@routes.get("/deals/<int:id>")
def get_deal(context: Context, path: ById) -> ShownDeal:
    """Show a deal."""
    return ShownDeal.model_validate(one(context.session, Deal, path.id))


@routes.post("/deals")
def save_deal(context: Context, body: NewDeal) -> tuple[ShownDeal, ImportOutcome]:
    """Add a deal, or bring the one with the same external_id up to date."""
    record = DealRecord(
        clues=body.account.clues(context.settings.region, "account"), **body.model_dump(exclude={"account"})
    )
    with naming({"company": "account"}):
        row, effect = deals.save(context.session, record, at=context.at)
    return ShownDeal.model_validate(row), effect


@routes.get("/exchange-rates")
def list_exchange_rates(context: Context, query: RateQuery) -> Page[ShownRate]:
    """List exchange rates."""
    rows = select(ExchangeRate).order_by(ExchangeRate.currency, ExchangeRate.day)
    if query.currency is not None:
        rows = rows.where(ExchangeRate.currency == query.currency)
    return page(context.session, rows, query, ShownRate.model_validate)


@routes.post("/exchange-rates")
def save_exchange_rate(context: Context, body: NewRate) -> tuple[ShownRate, ImportOutcome]:
    """Add an exchange rate, or mend the one of the same currency and day."""
    row, effect = rates.save(
        context.session, body.currency, body.day, body.rate, target=context.settings.currency
    )
    return ShownRate.model_validate(row), effect
