"""Refusals as problem details (RFC 9457) that name the field and the remedy and echo nothing personal."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Response
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from tracking.errors import Conflict, Invalid, NotFound, RateMissing

MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """One field that cannot be taken, and why."""

    field: str
    reason: str


class Problem(BaseModel):
    """Why a request was refused."""

    type: str = Field(description="Name of the kind of problem, a URN; the list is in docs/api.md.")
    title: str
    status: int
    detail: str
    errors: list[FieldError] = Field(default_factory=list)


# Status: the last word of the URN, the title.
KINDS = {
    400: ("malformed", "Malformed request"),
    401: ("unauthenticated", "A valid token is required"),
    403: ("forbidden", "The token does not allow this"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "Method not allowed"),
    409: ("conflict", "Conflict"),
    413: ("too-large", "The request is too large"),
    415: ("media-type", "The body must be JSON"),
    422: ("invalid", "Invalid request"),
    500: ("failure", "Internal error"),
    503: ("unavailable", "Service unavailable"),
}

_OUTSIDE = {
    404: "address not found; see /api/v1/openapi.json",
    405: "method not allowed here; see /api/v1/openapi.json",
    413: "the body is too large; send less at once",
    500: "internal error; see the server log for details",
}

_PYDANTIC = {
    "extra_forbidden": "unknown field; check the spelling",
    "missing": "is missing",
    "timezone_aware": "has no time zone; add an offset, such as 2026-03-01T09:00:00+01:00",
    "string_too_short": "is too short",
}
# A key that a client made up may itself be a telephone number; only what looks like a field is repeated.
_FIELD = re.compile(r"[A-Za-z_][A-Za-z_-]{0,39}")
_E164 = re.compile(r"\+\d{3,12}(\d{3})")


def problem(status: int, detail: str, errors: list[FieldError] | None = None) -> Response:
    """Compose a refusal; whatever looks like a telephone number is cut to its last three digits."""
    kind, title = KINDS.get(status, KINDS[400] if status < 500 else KINDS[500])
    body = Problem(
        type=f"urn:ringtrail:problem:{kind}",
        title=title,
        status=status,
        detail=_masked(detail),
        errors=[FieldError(field=_masked(e.field), reason=_masked(e.reason)) for e in errors or []],
    )
    return Response(body.model_dump_json(), status, mimetype=MEDIA_TYPE)


def from_validation(error: ValidationError) -> Response:
    """Turn pydantic's findings into a refusal, without the input that pydantic would repeat."""
    found = [FieldError(field=_path(e["loc"]), reason=_reason(e)) for e in error.errors(include_url=False)]
    return problem(422, "; ".join(f"{e.field} {e.reason}" for e in found[:3]), found)


HANDLED = (
    Invalid,
    NotFound,
    Conflict,
    IntegrityError,
    OperationalError,
    DataError,
    OverflowError,
    HTTPException,
)
"""What :func:`from_exception` answers; all else is a fault of ours."""


def from_exception(error: Exception) -> Response:
    """Turn an error of the domain, the database or the web server into a refusal."""
    match error:
        case RateMissing():
            told = (
                f"figures wait for an exchange rate: 1 {error.currency}, valid from {error.needed} or "
                "before; send it to /api/v1/exchange-rates"
            )
            return problem(422, f"{error.field}: {told}", [FieldError(field=error.field, reason=told)])
        case Invalid():
            return problem(422, str(error), [FieldError(field=error.field, reason=error.reason)])
        case NotFound():
            return problem(404, str(error))
        case Conflict():
            return problem(409, str(error))
        case IntegrityError() if _is_duplicate(error):
            return problem(
                409, "another request wrote the same thing at the same moment; send this one again"
            )
        case OperationalError():
            response = problem(503, "the database does not answer; send the request again in a moment")
            response.headers["Retry-After"] = "5"
            return response
        case DataError() | OverflowError():
            return problem(422, "a number, date or text is too large to store")
        case HTTPException():
            # What comes with an answer of its own is that answer, composed where it was raised.
            if isinstance(error.response, Response):
                return error.response
            reply = problem(error.code or 500, _OUTSIDE.get(error.code or 500) or error.description or "")
            if isinstance(error, MethodNotAllowed):
                reply.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
            return reply
    raise error


@contextmanager
def naming(fields: dict[str, str]) -> Iterator[None]:
    """Name a field that the domain calls otherwise as the request does."""
    try:
        yield
    except Invalid as error:
        raise Invalid.of(fields.get(error.field, error.field), error.reason) from error


@contextmanager
def pointing_at(field: str) -> Iterator[None]:
    """Refuse a request whose ``field`` points to nothing; 404 is kept for the address itself."""
    try:
        yield
    except NotFound as error:
        raise Invalid(field, str(error)) from error


def _reason(error: ErrorDetails) -> str:
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, Invalid):
        return cause.reason
    if isinstance(cause, ValueError):
        return str(cause)
    return _PYDANTIC.get(error["type"], error["msg"])


def _path(loc: tuple[int | str, ...]) -> str:
    parts = [str(p) if isinstance(p, int) or _FIELD.fullmatch(p) else "(unknown)" for p in loc]
    return ".".join(parts) or "body"


def _masked(text: str) -> str:
    return _E164.sub(r"…\1", text)


def _is_duplicate(error: IntegrityError) -> bool:
    return getattr(error.orig, "sqlstate", None) in {"23505", "23P01"} or "UNIQUE constraint" in str(
        error.orig
    )
