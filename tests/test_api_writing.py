"""Writing through the JSON API: repetitions with a key do nothing again; what is no request is refused."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError

from tests.api_client import Api, fair
from tests.cast import ACME_DESK, FAIR_NUMBER
from tracking.api import problems, routes
from tracking.errors import Invalid
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Campaign, IdempotencyKey

CAMPAIGN = {"name": "Fair 2026", "channel": "fair"}


@pytest.fixture
def api(settings: Settings, engine: Engine) -> Api:
    """A program that may do everything but see callers' numbers in full."""
    return Api(settings, engine)


def test_the_same_key_with_the_same_body_gets_the_first_reply_and_does_nothing(api: Api) -> None:
    first = api.ask("POST", "/campaigns", CAMPAIGN, key="k1")
    turned = dict(reversed(CAMPAIGN.items()))
    again = api.ask("POST", "/campaigns", turned, key="k1")
    assert (again.status_code, again.data) == (201, first.data)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert api.get("/campaigns")["total_records"] == 1
    assert api.refused("POST", "/campaigns", CAMPAIGN, key="k2")["status"] == 409, "another key, another try"


def test_calls_without_a_key_of_their_own_are_told_apart_by_the_idempotency_key(api: Api) -> None:
    call = {"dialled": FAIR_NUMBER, "started_at": "2026-02-01T09:00:00Z"}
    for key in ("k1", "k1", "k2"):
        assert api.ask("POST", "/calls", call, key=key).status_code == 201
    assert api.get("/calls")["total_records"] == 2


def test_the_same_key_with_another_request_is_refused(api: Api) -> None:
    api.ask("POST", "/campaigns", CAMPAIGN, key="k1")
    other = api.refused("POST", "/campaigns", CAMPAIGN | {"name": "Fair 2027"}, key="k1")
    assert (other["status"], "another request" in other["detail"]) == (409, True)
    elsewhere = api.refused("POST", "/answers", {"call_id": 1, "outcome": "declined"}, key="k1")
    assert elsewhere["status"] == 409
    assert api.get("/campaigns")["total_records"] == 1


def test_keys_of_two_tokens_do_not_meet(api: Api) -> None:
    other = api.issue(["write:campaigns"])
    api.ask("POST", "/campaigns", CAMPAIGN, key="k1")
    second = api.ask("POST", "/campaigns", CAMPAIGN | {"name": "Fair 2027"}, key="k1", token=other)
    assert second.status_code == 201


def test_a_refused_request_leaves_its_key_free(api: Api) -> None:
    api.refused(
        "POST", "/campaigns", CAMPAIGN | {"starts_on": "2026-02-01", "ends_on": "2026-01-01"}, key="k1"
    )
    assert api.ask("POST", "/campaigns", CAMPAIGN, key="k1").status_code == 201


def test_two_identical_requests_at_once_do_the_work_once(api: Api, engine: Engine) -> None:
    fair(api)
    released = api.post("/assignments/1/release", {"at": "2026-03-01T00:00:00Z"})
    assert released["ends_at"] == "2026-03-01T00:00:00Z"
    for last in range(8):
        api.post("/tracking-numbers", {"number": f"+4670174061{last}", "provider": "twilio"})
    piece = {"campaign": "Fair 2026", "ad_material": "Stand"}

    def once(number: int) -> tuple[int, bytes]:
        client = api.app.test_client()
        headers = {"Authorization": f"Bearer {api.token}", "Idempotency-Key": f"k{number % 4}"}
        reply = client.post("/api/v1/assignments/next-free", json=piece, headers=headers)
        return reply.status_code, reply.data

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(once, range(32)))
    assert {status for status, _ in replies} == {201}
    assert len({body for _, body in replies}) == 4, "four keys, four numbers taken"
    assert api.get("/assignments?open=true")["total_records"] == 4


def test_a_reply_is_kept_for_two_days_and_then_forgotten(api: Api, engine: Engine) -> None:
    api.ask("POST", "/campaigns", CAMPAIGN, key="k1")
    with db.transaction(engine) as session:
        note = session.scalars(select(IdempotencyKey)).one()
        note.created_at -= timedelta(hours=47)
    assert api.ask("POST", "/campaigns", CAMPAIGN, key="k1").status_code == 201
    with db.transaction(engine) as session:
        note = session.scalars(select(IdempotencyKey)).one()
        note.created_at -= timedelta(hours=1)
    assert api.refused("POST", "/campaigns", CAMPAIGN, key="k1")["status"] == 409, (
        "done anew: the name is taken"
    )


def test_old_replies_are_tidied_away(api: Api, engine: Engine) -> None:
    for number in range(99):
        rate = {"currency": "SEK", "day": "2026-01-01", "rate": 0.09}
        api.ask("POST", "/exchange-rates", rate, key=f"k{number}")
    with db.transaction(engine) as session:
        for note in session.scalars(select(IdempotencyKey)):
            note.created_at -= routes.KEPT
    api.ask("POST", "/campaigns", CAMPAIGN, key="the hundredth".replace(" ", "-"))
    with db.reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(IdempotencyKey)) == 1


def test_a_kept_reply_is_sealed_in_the_database(api: Api, engine: Engine) -> None:
    api.ask("POST", "/campaigns", CAMPAIGN, key="k1")
    with engine.connect() as connection:
        body = connection.exec_driver_sql("SELECT body FROM idempotency_key").scalar_one()
    assert b"Fair 2026" not in bytes(body)


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"\xff\xfe{}", "application/json", 400),
        (b'{"rate": NaN}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b'"{}"', "application/json", 422),
        (b"{}", "text/plain", 415),
        (b"name=Fair", "application/x-www-form-urlencoded", 415),
        (b" " * 300_000, "application/json", 413),
    ],
)
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_body_that_is_no_json_object_is_refused(
    api: Api, body: bytes, media_type: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {api.token}", "Content-Type": media_type}
    reply = api.client.post("/api/v1/campaigns", data=body, headers=headers)
    assert (reply.status_code, reply.content_type) == (status, "application/problem+json"), reply.text


def test_replies_are_never_kept_by_caches_on_the_way(api: Api) -> None:
    for reply in (api.ask("GET", "/calls"), api.ask("GET", "/calls/1"), api.ask("GET", "/calls", token="x")):
        assert reply.headers["Cache-Control"] == "no-store"


def test_a_method_that_an_address_does_not_take_is_refused_with_those_it_takes(api: Api) -> None:
    reply = api.ask("DELETE", "/calls/1")
    assert (reply.status_code, reply.content_type) == (405, "application/problem+json")
    assert {"GET", "PATCH"} <= set(reply.headers["Allow"].split(", "))


def test_a_database_that_is_away_is_told_as_a_passing_fault() -> None:
    reply = problems.from_exception(OperationalError("SELECT 1", {}, Exception("gone: +442079460001")))
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
    assert b"gone" not in reply.data


def test_problems_say_what_kind_they_are() -> None:
    reply = problems.from_exception(Invalid("ends_on", "lies before the first day"))
    assert json.loads(reply.data) == {
        "type": "urn:ringtrail:problem:invalid",
        "title": "Invalid request",
        "status": 422,
        "detail": "ends_on: lies before the first day",
        "errors": [{"field": "ends_on", "reason": "lies before the first day"}],
    }


def test_a_transaction_that_fails_leaves_nothing(api: Api, engine: Engine) -> None:
    api.post("/campaigns", CAMPAIGN)
    api.refused("POST", "/ad-materials", {"campaign": "Fair 2026", "name": "x", "medium": "fair",
                                          "issued_on": "2026-02-01", "expires_on": "2026-01-01"})  # fmt: skip
    with db.reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(Campaign)) == 1
    assert api.get("/ad-materials")["total_records"] == 0


def test_a_number_is_given_for_the_past_and_the_main_line_is_told(api: Api) -> None:
    fair(api)
    api.post("/ad-materials", {"campaign": "Fair 2026", "name": "Wall", "medium": "fair"})
    wall = {"number": FAIR_NUMBER, "campaign": "Fair 2026", "ad_material": "Wall"}
    wall |= {"starts_at": "2026-02-12T00:00:00Z"}
    problem = api.refused("POST", "/assignments", wall)
    assert problem["status"] == 409
    assert "close_others" in problem["detail"]
    held = api.post("/assignments", wall | {"close_others": True})
    first = api.get("/assignments")["items"][1]
    assert first["ends_at"] == held["starts_at"] == "2026-02-12T00:00:00Z"
    main = api.post("/tracking-numbers", {"number": ACME_DESK, "provider": "cdr", "main_line": True})
    assert main["main_line"]
    assert api.get(f"/tracking-numbers/{main['id']}/standing")["life"] == "main_line"
    assert not api.patch(f"/tracking-numbers/{main['id']}", {"main_line": False})["main_line"]
