"""What the JSON API shows of people: a caller's number in part, unless the token may see it in full."""

import pytest
from sqlalchemy import Engine, select

from tests.api_client import EVERYTHING, Api, fair
from tests.cast import BOREALIS, COBALT, DRIFT, FAIR_NUMBER
from tests.conftest import ON_BOTH
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import AuditEntry

EMAIL = "buyer@borealis.example"


@pytest.fixture
def api(settings: Settings, engine: Engine) -> Api:
    """A program that may do everything but see callers' numbers in full."""
    return Api(settings, engine)


def spellings(number: str) -> list[str]:
    """Return a British number as people and exchanges write it; each would give the caller away."""
    digits = number.removeprefix("+44")
    return [
        number,
        f"0044{digits}",
        f"0{digits}",
        f"020 {digits[2:6]} {digits[6:]}",
        f"+44 20 {digits[2:6]} {digits[6:]}",
    ]


def every_reply(api: Api) -> list[str]:
    """Ask for all there is to be read."""
    texts = []
    for rule in api.app.url_map.iter_rules():
        if rule.rule.startswith("/api/v1/") and "GET" in (rule.methods or set()):
            path = rule.rule.removeprefix("/api/v1")
            texts += [api.ask("GET", path.replace("<int:id>", str(i))).text for i in (1, 2, 3)]
    return texts


def test_a_callers_number_is_in_no_reply_without_the_scope(api: Api) -> None:
    fair(api)
    api.post("/calls", {"dialled": FAIR_NUMBER, "caller": DRIFT, "caller_name": DRIFT,
                        "started_at": "2026-02-20T09:00:00Z", "call_key": "name"})  # fmt: skip
    whose = {"company": "Borealis Foods", "phone": "020 7946 0001", "email": EMAIL}
    whose["phone"] = "+44 20 7946 0001"
    api.post("/deals", {"account": whose, "stage": "lead", "amount_minor": 1, "currency": "EUR"})
    touch = {"source_key": "badge", "kind": "event", "occurred_at": "2026-02-03T10:00:00Z"}
    api.post("/touches", touch | {"account": whose})
    replies = every_reply(api)
    assert len(replies) > 80
    for number in (BOREALIS, COBALT, DRIFT, EMAIL):
        assert not any(number in text or number.lstrip("+") in text for text in replies)
    assert any("…001" in text for text in replies)
    assert any("…@borealis.example" in text for text in replies)


def test_the_scope_opens_the_number(api: Api) -> None:
    fair(api)
    full = api.issue(["read", "read:personal"])
    shown = api.ask("GET", "/calls?sort=started_at", token=full).json
    assert shown is not None
    assert [call["caller"] for call in shown["items"]] == [BOREALIS, COBALT, BOREALIS]
    points = api.ask("GET", "/contacts/1", token=full).json
    assert points is not None
    assert points["points"] == [{"kind": "phone", "value": BOREALIS}]
    assert api.get("/contacts/1")["points"] == [{"kind": "phone", "value": "…001"}]


@ON_BOTH
def test_whoever_sees_numbers_in_full_is_put_on_record(api: Api, engine: Engine) -> None:
    fair(api)
    full = api.issue(["read", "read:personal"])
    api.get("/calls")
    for path in ("/calls?spam=false", "/contacts/1", "/accounts/1", "/campaigns", "/calls/999"):
        api.ask("GET", path, token=full)
    with db.reading(engine) as session:
        seen = select(AuditEntry.action, AuditEntry.subject).where(AuditEntry.action.endswith("in full"))
        assert [tuple(row) for row in session.execute(seen.order_by(AuditEntry.id))] == [
            ("list calls in full", "/api/v1/calls"),
            ("get contact in full", "/api/v1/contacts/1"),
        ]


def test_a_withheld_number_is_shown_as_such(api: Api) -> None:
    call = api.post("/calls", {"dialled": FAIR_NUMBER, "started_at": "2026-02-20T09:00:00Z"})
    assert (call["caller"], call["caller_state"]) == (None, "withheld")
    odd = {"dialled": FAIR_NUMBER, "caller": "ext 4711", "started_at": "2026-02-20T09:00:00Z"}
    call = api.post("/calls", odd)
    assert (call["caller"], call["caller_state"]) == ("…711", "malformed")


def test_a_refusal_never_repeats_a_callers_number(api: Api) -> None:
    fair(api)
    api.post("/campaigns", {"name": "Search", "channel": "search"})
    deal = {"stage": "lead", "amount_minor": 1, "currency": "EUR"}
    for number in spellings(BOREALIS):
        broken = f"{number} x"
        for method, path, body in (
            ("POST", "/calls", {"dialled": FAIR_NUMBER, "caller": number, "started_at": number}),
            ("POST", "/calls", {"dialled": FAIR_NUMBER, "caller": [number], "started_at": None}),
            ("POST", "/calls", {number: 1, "caller": number}),
            ("POST", "/calls", {"caller": {number: number}}),
            ("POST", "/calls", {"dialled": FAIR_NUMBER, "caller": number * 9, "started_at": "2026-01-01"}),
            ("POST", "/deals", deal | {"account": {"phone": broken}}),
            ("POST", "/deals", deal | {"account": {"phone": number}, "stage": number}),
            ("POST", "/deals", deal | {"account": {"phone": number}, "stage": "won"}),
            ("POST", "/answers", {"call_id": 1, "outcome": "declined", "verbatim": number, "channel": "x"}),
            ("POST", "/answers", {"call_id": 1, "outcome": number, "verbatim": number}),
            ("POST", "/answers", {"call_id": 1, "outcome": "answered", "verbatim": number * 500}),
            ("PATCH", "/calls/1", {"note": number, "value_minor": 5}),
            ("PATCH", "/contacts/1", {"name": number, "phone": number}),
            ("POST", "/touches", {"account": {"phone": broken}, "kind": "call"}),
            ("POST", "/tracking-numbers", {"number": broken, "provider": "p"}),
            ("POST", "/tracking-numbers", {"number": FAIR_NUMBER, "provider": "p", "destination": broken}),
        ):
            reply = api.ask(method, path, body)
            assert reply.status_code == 422, (path, body)
            assert number not in reply.text, (path, body)
        for query in ({"number": broken}, {number: "1"}, {"from": number}, {"status": number}):
            headers = {"Authorization": f"Bearer {api.token}"}
            reply = api.client.get("/api/v1/calls", query_string=query, headers=headers)
            assert reply.status_code == 422, query
            assert number not in reply.text, query


def test_a_token_is_in_no_reply(api: Api) -> None:
    fair(api)
    secret = api.token.split("_", 2)[2]
    assert not any(secret in text for text in every_reply(api))
    for wrong in (api.token[:-1], f"{api.token}x"):
        assert secret[:-1] not in api.ask("GET", "/calls", token=wrong).text


def test_reading_in_full_is_no_right_to_read_nor_to_write(api: Api) -> None:
    only = api.issue(["read:personal"])
    assert api.ask("GET", "/calls", token=only).status_code == 403
    assert "read:personal" not in EVERYTHING
