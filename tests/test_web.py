"""The pages: what they show, to whom, and that nothing in them can run."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from tests.cast import BOREALIS, CATALOGUE_NUMBER, moment
from tracking import answers, calls, campaigns, db, numbers, tokens
from tracking.app import create_app
from tracking.calls import CallEvent
from tracking.config import Settings
from tracking.vocabulary import CallStatus, Medium, Outcome
from tracking.web import is_loopback

SCRIPT = "<script>alert(1)</script>"


def open_app(settings: Settings, engine: Engine) -> Iterator[FlaskClient]:
    app = create_app(settings, engine)
    yield app.test_client()
    app.extensions["ringtrail"]["inbox"].close()


@pytest.fixture
def trial(settings: Settings, engine: Engine) -> Iterator[FlaskClient]:
    """A browser on the machine that runs the trial."""
    yield from open_app(settings, engine)


@pytest.fixture
def public(settings: Settings, engine: Engine) -> Iterator[FlaskClient]:
    """A browser somewhere, and an installation that everybody can reach."""
    yield from open_app(settings.model_copy(update={"base_url": "https://calls.example.com"}), engine)


def ring(engine: Engine, name: str = "Borealis", said: str | None = None) -> None:
    with db.transaction(engine) as session:
        event = CallEvent(
            provider="twilio",
            provider_call_id="CA1",
            dialled=(CATALOGUE_NUMBER,),
            caller=BOREALIS,
            caller_name=name,
            started_at=moment("2026-03-29 00:30"),
            status=CallStatus.completed,
            talk_s=95,
        )
        number = numbers.add(session, CATALOGUE_NUMBER, at=event.started_at, provider="twilio")
        owner = campaigns.add(session, f"Catalogue {name}", "print", at=event.started_at)
        piece = campaigns.add_material(session, owner, "Spring", at=event.started_at, medium=Medium.print)
        numbers.assign(session, number, piece, starts_at=moment("2026-01-01"))
        call = calls.record(session, [event], region="SE")[0].call
        if said:
            answers.log(session, Outcome.answered, asked_at=event.started_at, call=call, verbatim=said)


def test_the_first_page_of_an_empty_installation_says_what_to_do_next(trial: FlaskClient) -> None:
    page = trial.get("/", follow_redirects=True)
    assert page.status_code == 200
    assert "ringtrail import cdr FILE" in page.text
    assert "ringtrail number assign" in trial.get("/calls").text


def test_a_call_is_listed_with_its_campaign_and_the_callers_last_digits_only(
    trial: FlaskClient, engine: Engine
) -> None:
    ring(engine, said="saw you at the fair")
    page = trial.get("/calls").text
    assert "Catalogue Borealis" in page
    assert "saw you at the fair" in page
    assert "…001" in page
    assert BOREALIS.lstrip("+") not in page
    assert "2026-03-29 01:30" in page, "local time"


def test_roi_is_shown_side_by_side_under_three_models(trial: FlaskClient, engine: Engine) -> None:
    ring(engine)
    page = trial.get("/roi?from=2026-01-01&to=2026-12-31")
    assert page.status_code == 200
    for words in ("first-touch", "last-touch", "linear", "Catalogue Borealis", "(total)"):
        assert words in page.text


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("from=spring", "from: is not a day"),
        ("from=2026-05-01&to=2026-01-01", "to: 2026-01-01 lies before the first day"),
    ],
)
def test_a_wrong_period_is_explained_beside_the_default_one(
    trial: FlaskClient, query: str, reason: str
) -> None:
    page = trial.get(f"/roi?{query}")
    assert page.status_code == 422
    assert reason in page.text


@pytest.mark.parametrize("path", ["/calls", "/roi?from=2026-01-01&to=2026-12-31"])
def test_a_script_in_a_name_or_an_answer_is_text(trial: FlaskClient, engine: Engine, path: str) -> None:
    ring(engine, name=SCRIPT, said=SCRIPT)
    page = trial.get(path)
    assert SCRIPT not in page.text
    assert "&lt;script&gt;" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/", "/calls", "/roi", "/style/ringtrail.css"])
def test_an_outsider_sees_nothing_of_a_public_installation(
    public: FlaskClient, engine: Engine, path: str
) -> None:
    ring(engine)
    refused = public.get(path)
    assert refused.status_code == 401
    assert "Catalogue" not in refused.text


def test_a_page_elsewhere_cannot_read_a_trial_by_pointing_its_own_name_at_it(trial: FlaskClient) -> None:
    assert trial.get("/roi", headers={"Host": "drift.example"}).status_code == 401


def signed_in(engine: Engine, scope: str, **options: Any) -> dict[str, tuple[str, str]]:
    with db.transaction(engine) as session:
        return {"auth": ("", tokens.issue(session, "browser", [scope], at=moment("2026-01-01"), **options))}


def test_a_token_with_the_scope_read_opens_the_pages(public: FlaskClient, engine: Engine) -> None:
    assert public.get("/roi", **signed_in(engine, "read")).status_code == 200
    assert public.get("/roi", **signed_in(engine, "write:calls")).status_code == 401
    ended = signed_in(engine, "read", expires_at=moment("2026-01-02"))
    assert public.get("/roi", **ended).status_code == 401


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://localhost:8000", True),
        ("http://[::1]:8000", True),
        ("https://calls.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://10.0.0.1", False),
        ("http://", False),
    ],
)
def test_the_own_machine_is_told_from_others(url: str, own: bool) -> None:
    assert is_loopback(url) is own
