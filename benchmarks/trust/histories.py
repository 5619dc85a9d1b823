"""Whatever is told of a call, shuffled, doubled and late, makes the same call and the same rows."""

from datetime import timedelta
from random import Random
from typing import Any

from sqlalchemy import Engine, select

from benchmarks.trust.house import Bar, house
from tests.cast import moment
from tests.twilio_requests import Form, destination, dial_ended, incoming, progress, sid
from tracking.storage import db
from tracking.storage.models import Call, Contact, Touch
from tracking.telephony import providers
from tracking.telephony.inbox import Arrival, Inbox
from tracking.telephony.providers import twilio
from tracking.telephony.routing import Routing

HISTORIES = 10_000
AT_ONCE = 100
NINE = moment("2026-03-02 09:00")
_TABLES = (Call.__table__, Touch.__table__)


def run(database: str, scale: float) -> list[Bar]:
    """Tell histories, each of a call of its own, and compare what is left with what an orderly one left."""
    wanted, chance = max(AT_ONCE, int(HISTORIES * scale)), Random(7)
    odd = 0
    with house(database) as acme, acme.opened() as engine:
        inbox = Inbox(engine, acme.settings, Routing(acme.settings), providers.interpreters(), lambda: NINE)
        for arrival in story(0):
            assert inbox.take(arrival)
        expected = _left(engine, [0])[0]
        for first in range(1, wanted + 1, AT_ONCE):
            calls = range(first, first + AT_ONCE)
            told = [each for call in calls for each in _history(call, chance)]
            # Those of different calls are mixed as well, as they are on a busy day.
            chance.shuffle(told)
            for arrival in told:
                assert inbox.take(arrival)
            odd += sum(row != expected for row in _left(engine, calls))
        inbox.close()
    found = f"{odd} of {wanted:,} histories left anything else"
    return [Bar("histories", database, found, not odd)]


def story(call: int) -> list[Arrival]:
    """Return what is told of one call, in order."""
    name = sid(call)
    told: list[tuple[str, Form]] = [
        ("voice", incoming(name)),
        ("status", destination(name, "ringing", NINE + timedelta(seconds=2), 1)),
        ("status", destination(name, "in-progress", NINE + timedelta(seconds=12), 2)),
        ("status", destination(name, "completed", NINE + timedelta(seconds=72), 3, 60)),
        ("dial", dial_ended(name, "completed", 60)),
        ("status", progress(name, "completed", NINE + timedelta(seconds=73), 0, 61)),
    ]
    return [_arrival(endpoint, form) for endpoint, form in told]


def _history(call: int, chance: Random) -> list[Arrival]:
    return [each for each in story(call) for _ in range(chance.randint(1, 5))]


def _arrival(endpoint: str, form: Form) -> Arrival:
    whole = {name: [value] for name, value in form.items()}
    return Arrival(
        provider="twilio",
        call_id=twilio._call(whole),
        report="/".join(twilio._told_apart(endpoint, whole)),
        body=twilio.json.dumps({"endpoint": endpoint, "form": whole}, sort_keys=True),
        received_at=NINE,
        dialled=form["To"] if endpoint == "voice" else "",
    )


def _left(engine: Engine, calls: Any) -> list[Any]:
    names = {sid(call): call for call in calls}
    found = []
    with db.reading(engine) as session:
        rows = session.scalars(select(Call).where(Call.provider_call_id.in_(names)))
        for call in sorted(rows, key=lambda row: names[row.provider_call_id]):
            own = {c.key: getattr(call, c.key) for c in Call.__table__.columns if c.key not in _OWN}
            touch = {c.key: getattr(call.touch, c.key) for c in Touch.__table__.columns if c.key not in _OWN}
            found.append((own, touch, session.get_one(Contact, call.contact_id).created_at))
    assert len(found) == len(names)
    return found


_OWN = {"id", "call_id", "provider_call_id"}
