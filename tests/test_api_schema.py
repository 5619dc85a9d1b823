"""The JSON API does what its own description says, whatever is sent: no fault, no undescribed reply."""

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis
from schemathesis import GenerationMode, checks
from sqlalchemy import Engine

from tests.api_client import Api, fair
from tests.cast import BOREALIS
from tracking.access.tokens import Scope
from tracking.api import problems
from tracking.storage.config import Settings

CHECKS: list[Any] = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
# The same requests in every run; more of them by hand, with the number raised.
BOUNDED = hypothesis(
    max_examples=6,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


# What is refused is refused before a database is asked; what is taken, each has to take.
@pytest.mark.parametrize(
    ("settings", "mode"),
    [
        ("sqlite", GenerationMode.POSITIVE),
        ("sqlite", GenerationMode.NEGATIVE),
        ("postgresql", GenerationMode.POSITIVE),
    ],
    indirect=["settings"],
)
def test_every_address_answers_as_described(settings: Settings, engine: Engine, mode: GenerationMode) -> None:
    api = Api(settings, engine, list(Scope))
    fair(api)
    api.post("/answers", {"call_id": 1, "outcome": "answered", "verbatim": "the fair"})
    api.post("/costs", {"period_start": "2026-02-01", "period_end": "2026-03-01", "currency": "EUR",
                        "category": "stand", "amount_minor": 5})  # fmt: skip
    api.post(
        "/deals", {"account": {"phone": BOREALIS}, "stage": "lead", "amount_minor": 5, "currency": "EUR"}
    )
    headers = {"Authorization": f"Bearer {api.token}"}
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", api.app)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 45

    # What PostgreSQL takes otherwise than SQLite shows in the first few.
    bounded = BOUNDED if engine.name == "sqlite" else hypothesis(BOUNDED, max_examples=2)
    for operation in operations:
        # Half of the requests go to what is there; made-up ids lead nowhere.
        known = {"id": 1} if "{id}" in operation.path and mode is GenerationMode.POSITIVE else None

        @bounded
        @given(case=operation.as_strategy(mode, path_parameters=known))
        def ask(case: Any) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS)

        ask()


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_the_guide_names_every_address_scope_and_problem(settings: Settings, engine: Engine) -> None:
    guide = (Path(__file__).parents[1] / "docs" / "api.md").read_text()
    spec = Api(settings, engine).client.get("/api/v1/openapi.json").json
    assert spec is not None
    for path in spec["paths"]:
        assert f"`{path.removeprefix('/api/v1')}`" in guide, path
    for scope in Scope:
        assert f"`{scope}`" in guide
    for status, (kind, _) in problems.KINDS.items():
        assert f"| {status} | `urn:ringtrail:problem:{kind}` |" in guide
