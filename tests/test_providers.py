"""Every telephone provider: signed or refused, and one call of whatever it tells, in any order and number.

A provider is here by being in the package. Its requests are in ``tests/NAME_requests.py``: ``OWN``, its
settings with a key, and ``reports_of_a_call(number, at)``, signed for ``BASE`` of tests/twilio_requests.py,
or ``messages(number, at)``, two of one buyer, or both. ``SIGNED`` is false where a password proves them.
"""

import logging
import re
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from random import Random
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, inspect, select

from tests.cast import CATALOGUE_NUMBER, moment
from tests.twilio_requests import BASE
from tracking.app import create_app
from tracking.records import campaigns
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Call, InboxEvent, Touch
from tracking.storage.vocabulary import CallStatus, Medium, TouchKind
from tracking.telephony import numbers, providers
from tracking.telephony.providers import Sparing

NINE = moment("2026-03-02 09:00")
ROOT = Path(__file__).parents[1]


class Acme:
    """Acme Pumps, whose catalogue carries a number of this provider; ``at`` is what its clock shows."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        requests: ModuleType | SimpleNamespace,
    ) -> None:
        self.engine, self.requests, self.at = engine, requests, NINE
        monkeypatch.setattr("tracking.clock.now", lambda: self.at)
        with db.transaction(engine) as session:
            number = numbers.add(session, CATALOGUE_NUMBER, at=NINE, provider=name)
            catalogue = campaigns.add(session, "Catalogue 2026", "catalogue", at=NINE)
            piece = campaigns.add_material(session, catalogue, "Spring", at=NINE, medium=Medium.print)
            numbers.assign(session, number, piece, starts_at=moment("2026-01-01"))
        self.settings = settings.model_copy(update={"base_url": BASE, "providers": (requests.OWN,)})
        self.app = create_app(self.settings, engine)

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def told(self, number: int, at: datetime) -> list[Any]:
        """All that the provider sends: reports of a call, messages, or both."""
        calls = getattr(self.requests, "reports_of_a_call", lambda *_: [])(number, at)
        return [*calls, *getattr(self.requests, "messages", lambda *_: [])(number, at)]

    def tell(self, told: list[Any]) -> None:
        for address, form, headers in told:
            reply = self.client.post(address, data=form, headers=headers)
            assert reply.status_code in (200, 204), reply.text

    def outcome(self, place: int) -> tuple[dict[str, object], dict[str, object]]:
        """A call, in the order in which they came, and its one touch."""
        apart = {"id", "provider_call_id", "call_id"}

        def columns(row: Call | Touch) -> dict[str, object]:
            names = set(inspect(type(row)).column_attrs.keys()) - apart
            return {name: getattr(row, name) for name in names}

        with db.reading(self.engine) as session:
            call = session.scalars(select(Call).order_by(Call.id)).all()[place]
            touch = session.scalars(select(Touch).where(Touch.call_id == call.id)).one()
            return columns(call), columns(touch)


@pytest.fixture
def acme(
    request: pytest.FixtureRequest,
    settings: Settings,
    engine: Engine,
    patient: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Acme]:
    made = Acme(
        settings, engine, monkeypatch, request.param, import_module(f"tests.{request.param}_requests")
    )
    yield made
    made.app.extensions["ringtrail"]["inbox"].close()


# Refusing and answering have no part in the database; one kind will do.
on_sqlite = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
each_provider = pytest.mark.parametrize("acme", providers.names(), indirect=True)
each_of_calls = pytest.mark.parametrize("acme", list(providers.of_calls()), indirect=True)
each_of_messages = pytest.mark.parametrize(
    "acme",
    [name for name in providers.names() if hasattr(import_module(f"tests.{name}_requests"), "messages")],
    indirect=True,
)


@on_sqlite
@each_provider
def test_a_request_that_is_unsigned_or_changed_is_refused_and_leaves_nothing(acme: Acme) -> None:
    refuses_what_is_not_signed(acme)


def refuses_what_is_not_signed(acme: Acme) -> None:
    for address, form, headers in acme.told(1, NINE):
        assert acme.client.post(address, data=form).status_code == 403
        if getattr(acme.requests, "SIGNED", True):
            changed = form + b" " if isinstance(form, bytes) else form | {"changed": "yes"}
            assert acme.client.post(address, data=changed, headers=headers).status_code == 403
        for end in ("AAA", "ÿ"):
            wrong = {name: f"{value[:-3]}{end}" for name, value in headers.items() if name != "Content-Type"}
            assert acme.client.post(address, data=form, headers=wrong).status_code == 403
    with db.reading(acme.engine) as session:
        assert session.scalars(select(InboxEvent)).all() == []


@on_sqlite
@each_provider
def test_without_its_settings_every_request_is_refused_and_the_doctor_hears_why(acme: Acme) -> None:
    bare = acme.settings.model_copy(update={"providers": (type(acme.requests.OWN)(),)})
    client = create_app(bare, acme.engine).test_client()
    for address, form, headers in acme.told(1, NINE):
        assert client.post(address, data=form, headers=headers).status_code == 403
    name = acme.told(1, NINE)[0][0].split("/")[2]
    assert providers.every()[name].obstacle(bare)
    assert not providers.every()[name].obstacle(acme.settings)


@each_of_calls
def test_told_in_any_order_twice_and_late_a_call_is_one_call_with_one_touch(acme: Acme) -> None:
    makes_one_call_of_whatever_it_tells(acme)


def makes_one_call_of_whatever_it_tells(acme: Acme) -> None:
    acme.tell(acme.requests.reports_of_a_call(0, NINE))
    expected = acme.outcome(0)
    assert expected[0]["status"] is CallStatus.completed
    assert expected[0]["talk_s"] == 60
    assert expected[1]["campaign_id"] is not None
    for number in range(1, 5):
        told = acme.requests.reports_of_a_call(number, NINE)
        acme.at = NINE
        again = Random(number).sample(told * 2, 2 * len(told))
        acme.tell(again)
        acme.at = NINE + timedelta(days=300)
        acme.tell(told)
        assert acme.outcome(number) == expected
    with db.reading(acme.engine) as session:
        assert len(session.scalars(select(Call)).all()) == 5
        assert len(session.scalars(select(Touch)).all()) == 5


@on_sqlite
@each_provider
def test_an_answer_to_a_provider_is_no_page(acme: Acme) -> None:
    address, form, headers = acme.told(1, NINE)[0]
    for reply in (
        acme.client.post(address, data=form, headers=headers),
        acme.client.post(address, data=form),
        acme.client.get(address),
        acme.client.post(f"{address}/nowhere"),
    ):
        assert "Content-Security-Policy" not in reply.headers
        assert "Ringtrail" not in reply.text


@each_of_messages
def test_messages_told_in_any_order_twice_and_late_are_one_touch_a_day_and_what_was_written_is_not_kept(
    acme: Acme,
) -> None:
    expected: list[dict[str, object]] = []
    for number in range(3):
        day = NINE + timedelta(days=number)
        told = acme.requests.messages(number, day)
        acme.at = day + timedelta(minutes=8)
        acme.tell(Random(number).sample(told * 2, 2 * len(told)))
        acme.at = day + timedelta(days=200)
        acme.tell(told)
        with db.reading(acme.engine) as session:
            touches = session.scalars(select(Touch).order_by(Touch.id)).all()
            assert len(touches) == number + 1
            touch = touches[-1]
            assert touch.kind is TouchKind.message
            assert touch.occurred_at in (day, acme.at - timedelta(days=200) + timedelta(minutes=8))
            assert len({one.contact_id for one in touches}) == 1
            paid = {"channel": touch.channel, "ad": touch.utm_campaign, "ids": touch.click_ids}
            expected.append(paid | {"campaign": touch.campaign_id})
    assert expected[0] == expected[1] == expected[2]
    with db.reading(acme.engine) as session:
        rows = session.scalars(select(InboxEvent)).all()
        assert [row.error for row in rows if row.error or not row.processed_at] == []
        written = ("how are you", "another color", "in stock", "succulents")
        assert not any(word in row.body for row in rows for word in written)
        assert session.scalars(select(Call)).all() == []


@on_sqlite
def test_the_recipe_in_contributing_makes_a_provider(
    settings: Settings,
    engine: Engine,
    patient: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    recipe = (ROOT / "CONTRIBUTING.md").read_text().split("## A new phone provider")[1].split("\n## ")[0]
    where, name = re.findall(r"`(tracking/telephony/providers)/(\w+)\.py`", recipe)[-1]
    (code,) = re.findall(r"```python\n(.*?)```", recipe, re.DOTALL)
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.setattr(providers, "__path__", [str(ROOT / where), str(tmp_path)])
    monkeypatch.delitem(sys.modules, f"{providers.__name__}.{name}", raising=False)
    assert name in providers.names()
    made = providers.every()[name]

    def reports_of_a_call(number: int, at: object) -> list[tuple[str, dict[str, str], dict[str, str]]]:
        told = [{"call": str(number), "to": CATALOGUE_NUMBER, "from": "+442079460003", "event": "rings"}]
        told.append({"call": str(number), "event": "over", "seconds": "60"})
        return [
            (f"/providers/{name}/call", form, {"X-Signature": made.sign(form, "secret")})  # type: ignore[attr-defined]  # of the recipe
            for form in told
        ]

    own = made.ExampleSettings(secret="secret")  # type: ignore[attr-defined]  # of the recipe
    requests = SimpleNamespace(OWN=own, reports_of_a_call=reports_of_a_call)
    acme = Acme(settings, engine, monkeypatch, name, requests)
    refuses_what_is_not_signed(acme)
    makes_one_call_of_whatever_it_tells(acme)
    monkeypatch.setenv("RINGTRAIL_EXAMPLE_SECRET", "secret")
    assert settings.of(type(own)).secret == own.secret, "settings are read from the environment"
    acme.app.extensions["ringtrail"]["inbox"].close()


def test_forged_requests_are_logged_at_a_bounded_rate_and_counted() -> None:
    now = [0.0]
    sparing = Sparing(now=lambda: now[0])
    written = []
    for second in range(130):
        now[0] = float(second)
        for _ in range(100):
            record = logging.makeLogRecord({"msg": "refused a request"})
            if sparing.filter(record):
                written.append((second, record.msg))
    assert [second for second, _ in written] == [0] * 10 + [60] * 10 + [120] * 10
    assert written[10][1] == "refused a request (5990 more like it since the last one)"
    assert written[11][1] == "refused a request"
