"""Another program as the tests play it: a token and requests to the JSON API of an installation."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Engine
from werkzeug.test import TestResponse

from tests.cast import BOREALIS, COBALT, FAIR_NUMBER, moment
from tracking.access import tokens
from tracking.access.tokens import Scope
from tracking.app import create_app
from tracking.storage import db
from tracking.storage.config import Settings

EVERYTHING = [scope.value for scope in Scope if scope is not Scope.read_personal]
LONG_AGO = moment("2020-01-01")


class Api:
    """A program that holds a token with these scopes."""

    def __init__(self, settings: Settings, engine: Engine, scopes: Iterable[str] = EVERYTHING) -> None:
        self.engine = engine
        self.app = create_app(settings, engine)
        self.client = self.app.test_client()
        self.token = self.issue(scopes)

    def issue(self, scopes: Iterable[str]) -> str:
        """Make a token."""
        with db.transaction(self.engine) as session:
            return tokens.issue(session, "a program", list(scopes), at=LONG_AGO)

    def ask(
        self, method: str, path: str, body: object = None, *, token: str | None = None, key: str | None = None
    ) -> TestResponse:
        """Send a request to an address below /api/v1."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return self.client.open(f"/api/v1{path}", method=method, json=body, headers=headers)

    def get(self, path: str) -> Any:
        """Read what must be there."""
        reply = self.ask("GET", path)
        assert reply.status_code == 200, reply.text
        return reply.json

    def post(self, path: str, body: object = None) -> Any:
        """Write what must be taken."""
        reply = self.ask("POST", path, body)
        assert reply.status_code in (200, 201), reply.text
        return reply.json

    def patch(self, path: str, body: object) -> Any:
        """Change what must be taken."""
        reply = self.ask("PATCH", path, body)
        assert reply.status_code == 200, reply.text
        return reply.json

    def refused(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        """Send what must be refused; the problem."""
        reply = self.ask(method, path, body, **more)
        assert reply.content_type == "application/problem+json", reply.text
        assert reply.json is not None
        assert reply.json["status"] == reply.status_code >= 400
        return reply.json


def fair(api: Api) -> None:
    """Acme shows at a fair, its number on the stand; Borealis calls twice, Cobalt once."""
    api.post("/campaigns", {"name": "Fair 2026", "channel": "fair"})
    api.post("/ad-materials", {"campaign": "Fair 2026", "name": "Stand", "medium": "fair"})
    api.post("/tracking-numbers", {"number": FAIR_NUMBER, "provider": "twilio"})
    held = {"number": FAIR_NUMBER, "campaign": "Fair 2026", "ad_material": "Stand"}
    api.post("/assignments", held | {"starts_at": "2026-02-01T00:00:00Z"})
    for caller, day, status in (
        (BOREALIS, "2026-02-10", "completed"),
        (COBALT, "2026-02-11", "missed"),
        (BOREALIS, "2026-02-12", "completed"),
    ):
        call = {"dialled": FAIR_NUMBER, "caller": caller, "status": status}
        api.post("/calls", call | {"started_at": f"{day}T10:00:00+01:00", "call_key": day})
