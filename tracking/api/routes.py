"""How an address of the API is declared: method, access rule, reply; the transaction around its work."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Annotated, Any, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from flask import Response, current_app, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field
from pydantic import StringConstraints as Text
from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from tracking import clock
from tracking.access import audit
from tracking.access.tokens import Scope
from tracking.api import access, problems
from tracking.api.forms import Query
from tracking.errors import Conflict, Invalid
from tracking.records.import_outcome import ImportOutcome
from tracking.storage import db, vault
from tracking.storage.config import Settings
from tracking.storage.models import IdempotencyKey

PREFIX = "/api/v1"
KEPT = timedelta(hours=48)
"""How long a reply is kept for repetitions of its request."""
EXTENSION = "ringtrail_api"

_View = TypeVar("_View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Context:
    """What the work of an address is done with."""

    session: Session
    at: datetime
    settings: Settings


class _Repeatable(BaseModel):
    """Headers of a POST."""

    model_config = ConfigDict(json_schema_extra=Query.model_config["json_schema_extra"])

    key: Annotated[str, Text(pattern=r"^[!-~]{1,200}$")] | None = Field(
        None,
        alias="Idempotency-Key",
        description="The same key with the same body returns the first reply and does nothing again.",
    )


class Section:
    """The addresses of one kind of thing; ``write`` is the scope that changing them takes."""

    def __init__(self, name: str, what: str, *, write: Scope | None = None) -> None:
        self.write = write
        self.blueprint = APIBlueprint(
            "api_" + name.replace(" ", "_"),
            __name__,
            url_prefix=PREFIX,
            abp_tags=[Tag(name=name, description=what)],
        )
        self.blueprint.before_request(_admit)
        for kind in problems.HANDLED:
            self.blueprint.register_error_handler(kind, problems.from_exception)

    def get(self, rule: str, *, scope: Scope = Scope.read) -> Callable[[_View], _View]:
        """Declare an address that only reads."""

        def work(view: _View, context: Callable[[Session], Context], arguments: dict[str, Any]) -> Response:
            with db.reading(_engine()) as session:
                made = context(session)
                reply = _reply(view(made, **arguments), 200)
            if access.has_shown():
                db.commit(_engine(), lambda session: _note(session, f"{_name(view)} in full", made.at))
            return reply

        return self._declare("get", rule, scope, work, {200})

    def post(self, rule: str, *, status: int = 201) -> Callable[[_View], _View]:
        """Declare an address that writes, in one transaction with the note of its idempotency key."""

        def work(view: _View, context: Callable[[Session], Context], arguments: dict[str, Any]) -> Response:
            key = arguments.pop("header").key
            return db.commit(
                _engine(),
                lambda session: _once(
                    session, key, context, lambda: _noted(view, context(session), arguments, status)
                ),
            )

        return self._declare("post", rule, self.write, work, {status}, header=_Repeatable)

    def change(self, rule: str, *, method: str = "patch") -> Callable[[_View], _View]:
        """Declare an address whose repetition changes nothing more: PATCH, or PUT."""

        def work(view: _View, context: Callable[[Session], Context], arguments: dict[str, Any]) -> Response:
            return db.commit(_engine(), lambda session: _noted(view, context(session), arguments, 200))

        return self._declare(method, rule, self.write, work, {200})

    def _declare(
        self,
        method: str,
        rule: str,
        scope: Scope | None,
        work: Callable[..., Response],
        statuses: set[int],
        **headers: type[BaseModel],
    ) -> Callable[[_View], _View]:
        assert scope is not None, f"{rule} has no access rule"

        def declare(view: _View) -> _View:
            hints = get_type_hints(view)
            reply = hints.pop("return")
            if get_origin(reply) is tuple:
                reply = get_args(reply)[0]
                statuses.update({200, 201})
            takes_body = "body" in hints

            @wraps(view)
            def answer(**arguments: Any) -> Response:
                _, settings = current_app.extensions[EXTENSION]
                at = clock.now()
                return work(view, lambda session: Context(session, at, settings), arguments)

            answer.rule = scope.value  # type: ignore[attr-defined]  # functions take attributes; mypy knows none
            answer.takes_body = takes_body  # type: ignore[attr-defined]  # as above
            answer.__annotations__ = hints | headers
            answer.__doc__ = view.__doc__
            declared = getattr(self.blueprint, method)(
                rule,
                operation_id=view.__name__,
                responses=dict.fromkeys(sorted(statuses), reply) | _refusals(takes_body),
                security=[{"token": [scope.value]}],
            )
            declared(answer)
            return view

        return declare


def _engine() -> Engine:
    engine, _ = current_app.extensions[EXTENSION]
    assert isinstance(engine, Engine)
    return engine


def _refusals(takes_body: bool) -> dict[int, dict[str, Any]]:
    schema = {"$ref": "#/components/schemas/Problem"}
    statuses = [400, 401, 403, 404, 409, 422, 503] + ([413, 415] if takes_body else [])
    return {s: {"content": {problems.MEDIA_TYPE: {"schema": schema}}} for s in statuses}


def _admit() -> Response | None:
    engine, settings = current_app.extensions[EXTENSION]
    request.max_content_length = settings.max_request_bytes
    if (refusal := access.check(engine)) is not None:
        return refusal
    if getattr(current_app.view_functions.get(request.endpoint or ""), "takes_body", False):
        _read_body()
    return None


def _read_body() -> None:
    # Read here and not by the framework, which would take a missing or broken body for null.
    text = request.get_data(cache=True)
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("send the body as Content-Type: application/json")
    try:
        body = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is not JSON (RFC 8259, UTF-8)") from error
    if not isinstance(body, dict):
        raise Invalid("body", "not a JSON object; write {...}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def _noted(view: Callable[..., Any], context: Context, arguments: dict[str, Any], status: int) -> Response:
    reply = _reply(view(context, **arguments), status)
    _note(context.session, _name(view) + (" in full" if access.has_shown() else ""), context.at)
    return reply


def _note(session: Session, action: str, at: datetime) -> None:
    audit.note(session, f"token {access.token().name}", action, request.path, at=at)


def _name(view: Callable[..., Any]) -> str:
    return view.__name__.replace("_", " ")


def _reply(result: BaseModel | tuple[BaseModel, ImportOutcome], status: int) -> Response:
    if isinstance(result, tuple):
        result, effect = result
        status = 201 if effect is ImportOutcome.created else 200
    return Response(result.model_dump_json(by_alias=True), status, mimetype="application/json")


def _once(
    session: Session, key: str | None, context: Callable[[Session], Context], work: Callable[[], Response]
) -> Response:
    if key is None:
        return work()
    at, token_id, asked = context(session).at, access.token().id, _fingerprint()
    found = session.scalar(
        select(IdempotencyKey).where(IdempotencyKey.token_id == token_id, IdempotencyKey.key == key)
    )
    if found is not None and found.created_at > at - KEPT:
        if found.request_hash != asked:
            raise Conflict("this Idempotency-Key came with another request before; use a new key")
        reply = Response(found.body, found.status, mimetype="application/json")
        reply.headers["Idempotency-Replayed"] = "true"
        return reply
    if found is not None:
        session.delete(found)
        session.flush()
    # Written before the work: of two requests at once the second waits here, fails on the unique key,
    # is tried again and finds the first one's reply. A refused request rolls its note back.
    note = IdempotencyKey(token_id=token_id, key=key, request_hash=asked, status=0, body="", created_at=at)
    session.add(note)
    session.flush()
    reply = work()
    note.status, note.body = reply.status_code, reply.get_data(as_text=True)
    if note.id % 100 == 0:
        # Now and then, so that no request pays for more than its share of the tidying.
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < at - KEPT))
    return reply


def _fingerprint() -> str:
    # Keyed, because the body may hold a caller's number, which a plain hash would give away to trial.
    body = json.dumps(request.get_json(silent=True), sort_keys=True)
    asked = "\n".join([request.method, request.full_path, hashlib.sha256(body.encode()).hexdigest()])
    return vault.mark("request", asked)
