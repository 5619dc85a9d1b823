"""The JSON API, version 1: the same work as the command line and the pages, for other programs."""

from flask import Response, jsonify, request
from flask_openapi.models.info import Info
from flask_openapi.models.security_scheme import SecurityScheme
from flask_openapi.openapi import OpenAPI
from sqlalchemy import Engine
from werkzeug.exceptions import HTTPException

from tracking.api import (
    access,
    answers,
    calls,
    campaigns,
    costs,
    deals,
    experiments,
    links,
    numbers,
    people,
    problems,
    reports,
    sites,
    touches,
    visits,
    web_forms,
)
from tracking.api.routes import EXTENSION, PREFIX
from tracking.storage.config import Settings

SECTIONS = (
    campaigns, links, numbers, calls, answers, people, deals, costs, touches, visits, sites, web_forms,
    experiments,
    reports,
)  # fmt: skip


def register(app: OpenAPI, engine: Engine, settings: Settings) -> None:
    """Put the API and its description into a web application."""
    app.extensions[EXTENSION] = (engine, settings)
    app.info = Info(
        title="Ringtrail",
        version="1",
        description="Which advertising made the telephone ring, and what it earned.",
    )
    app.security_schemes = {
        "token": SecurityScheme(
            type="http", scheme="bearer", description="rt_<prefix>_<secret>; `ringtrail token add` makes one."
        )
    }
    # The framework's own answer to a wrong field repeats what was sent, callers' numbers and all.
    app.validation_error_callback = problems.from_validation
    app.validation_error_model = problems.Problem
    for section in SECTIONS:
        app.register_api(section.routes.blueprint)

    def describe() -> Response:
        ours = {path: item for path, item in app.api_doc["paths"].items() if path.startswith(PREFIX)}
        return jsonify(app.api_doc | {"paths": ours})

    describe.rule = access.PUBLIC  # type: ignore[attr-defined]  # functions take attributes; mypy knows none
    app.add_url_rule(f"{PREFIX}/openapi.json", "api_description", describe)


def refusal(error: HTTPException) -> Response | None:
    """Return the answer to a wrong address or method within the API, to which no part of it belongs."""
    return problems.from_exception(error) if request.path.startswith(f"{PREFIX}/") else None
