"""The shapes of requests and replies that resources share: texts, moments, amounts, pages."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic import StringConstraints as Text
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from tracking.errors import Invalid, NotFound
from tracking.storage import money, phone
from tracking.storage.vocabulary import Base

_Item = TypeVar("_Item")
_Row = TypeVar("_Row")
_Table = TypeVar("_Table", bound=Base)
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _written(value: object) -> object:
    # Pydantic would also take a bare number and guess between seconds and milliseconds.
    if not isinstance(value, str | date) or (isinstance(value, str) and not value[:4].isdigit()):
        raise ValueError("is not written as in RFC 3339; write 2026-03-01 or 2026-03-01T09:00:00+01:00")
    if isinstance(value, str) and value[4:5] != "-":
        raise ValueError("is not written as in RFC 3339; write 2026-03-01 or 2026-03-01T09:00:00+01:00")
    return value


def _moment_in_range(value: datetime) -> datetime:
    if not _EARLIEST <= value < _LATEST:
        raise ValueError("lies outside the years 1970 to 2199; check the year")
    return value.astimezone(UTC)


def _day_in_range(value: date) -> date:
    if not _EARLIEST.date() <= value < _LATEST.date():
        raise ValueError("lies outside the years 1970 to 2199; check the year")
    return value


# NUL is refused because PostgreSQL cannot store it; other control characters have no place on one line.
Line = Annotated[str, Text(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Words = Annotated[str, Text(max_length=10_000, pattern=r"^[^\x00]*$")]
PhoneText = Annotated[str, Text(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]
Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_moment_in_range)]
Day = Annotated[date, BeforeValidator(_written), AfterValidator(_day_in_range)]
Whole = Annotated[int, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Minor = Annotated[int, Field(strict=True, ge=0, le=money.LARGEST_MINOR)]
SignedMinor = Annotated[int, Field(strict=True, ge=-money.LARGEST_MINOR, le=money.LARGEST_MINOR)]
Currency = Annotated[str, Text(pattern=r"^[A-Z]{3}$"), AfterValidator(money.currency)]
Id = Annotated[int, Field(ge=1, le=2**53)]
NameOf = Annotated[str, BeforeValidator(lambda row: getattr(row, "name", row))]
"""The name of the row that a relationship leads to."""
NameOfAny = Annotated[str | None, BeforeValidator(lambda row: getattr(row, "name", row))]
"""The same, where there may be none."""
BodyId = Annotated[int, Field(strict=True, ge=1, le=2**53)]


class Body(BaseModel):
    """The JSON object of a request; a field it does not know is refused, null counts as left out."""

    model_config = ConfigDict(extra="forbid")


def _without_null(schema: dict[str, Any]) -> None:
    # A query has no null: leaving a parameter out is the only way not to give it.
    for name, field in schema.get("properties", {}).items():
        kept = [option for option in field.get("anyOf", []) if option != {"type": "null"}]
        if len(kept) == 1:
            schema["properties"][name] = {k: v for k, v in field.items() if k != "anyOf"} | kept[0]
        if field.get("default", ...) is None:
            schema["properties"][name].pop("default")


class Query(BaseModel):
    """The query of a request; a parameter it does not know is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_without_null)


class Listing(Query):
    """The query of a list."""

    page: int = Field(1, ge=1, le=1_000_000)
    per_page: int = Field(100, ge=1, le=250)


class ById(BaseModel):
    """The path of one thing."""

    id: Id


class Shown(BaseModel):
    """A row as it is shown; moments in UTC, amounts in whole minor units of the currency beside them."""

    model_config = ConfigDict(from_attributes=True)


class Page(BaseModel, Generic[_Item]):
    """One page of a list."""

    page: int
    per_page: int
    total_pages: int
    total_records: int
    items: list[_Item]


def page(session: Session, rows: Select[_Row], query: Listing, show: Callable[[_Row], _Item]) -> Page[_Item]:
    """Read one page of ``rows``, whose order must end with a unique column so that pages never overlap."""
    total = session.scalar(select(func.count()).select_from(rows.order_by(None).subquery())) or 0
    found = session.scalars(rows.limit(query.per_page).offset((query.page - 1) * query.per_page))
    return Page(
        page=query.page,
        per_page=query.per_page,
        total_pages=-(-total // query.per_page),
        total_records=total,
        items=[show(row) for row in found],
    )


def one(session: Session, kind: type[_Table], number: int) -> _Table:
    """Return the row of this number."""
    row = session.get(kind, number)
    if row is None:
        what = kind.__tablename__.rpartition("number_")[2].replace("_", " ")
        raise NotFound("%(what)s %(number)s not found", what=what, number=number)
    return row


def e164(text: str, region: str, field: str) -> str:
    """Read a telephone number; a refusal does not repeat it."""
    number = phone.parse(text, region).e164
    if number is None:
        raise Invalid(
            field, "is no telephone number; write it in full, with + (in a query %2B) and country code"
        )
    return number
