"""How long what is kept: tried first, never much at once unasked, and the figures stay."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import ColumnElement, Engine, func, select

from tests.cast import BOREALIS, CATALOGUE_NUMBER, COBALT, moment
from tests.conftest import ON_BOTH
from tests.test_pools import ring, show, site_with
from tracking.access import jobs
from tracking.errors import Conflict
from tracking.keeping import processing, retention
from tracking.records import sites
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import (
    AuditEntry,
    Call,
    Contact,
    ContactPoint,
    InboxEvent,
    Job,
    Lease,
    Touch,
    Visitor,
)
from tracking.telephony import calls
from tracking.telephony.calls import CallEvent
from tracking.telephony.inbox import Arrival, store
from tracking.worker import Nightly, known

AT = moment("2026-11-29 12:00")


def fill(engine: Engine, days: list[int], caller: str = "") -> None:
    """Let a stranger call so many days ago, each time another one, or one and the same."""
    with db.transaction(engine) as session:
        for n, ago in enumerate(days):
            at = AT - timedelta(days=ago)
            number = caller or f"+44207946{n + 10:04d}"
            event = CallEvent(
                provider="cdr", provider_call_id=f"{number} {ago} {n}", dialled=(CATALOGUE_NUMBER,),
                caller=number, caller_name="Ada", started_at=at,
            )  # fmt: skip
            calls.record(session, [event], region="SE")
            arrival = Arrival(
                provider="cdr", call_id=f"{number} {ago} {n}", report="over", body=number, received_at=at
            )
            (row,) = store(session, [arrival])
            row.processed_at = at
            session.add(row)


def keeping(settings: Settings, **days: int | str) -> Settings:
    return settings.model_copy(update={name: str(value) for name, value in days.items()})


def count(engine: Engine, *what: ColumnElement[bool]) -> int:
    with db.reading(engine) as session:
        return session.scalar(select(func.count()).where(*what)) or 0


@ON_BOTH
def test_what_is_older_than_was_chosen_goes_by_class_and_nothing_else(
    settings: Settings, engine: Engine
) -> None:
    fill(engine, [500, 401, 399, 10])
    fill(engine, [450, 5], caller=BOREALIS)
    chosen = keeping(settings, keep_events_days=30, keep_numbers_days=400)
    with db.reading(engine) as session:
        plan = {one.name: (one.total, one.due) for one in retention.plan(session, chosen, at=AT)}
    # Calls of 500, 401 and 450 days ago; the two contacts who were never heard of since.
    assert plan == {retention.EVENTS: (6, 4), retention.NUMBERS: (11, 5), retention.VISITORS: (0, 0)}
    assert count(engine, Call.caller.is_not(None)) == 6, "a plan changes nothing"
    gone = retention.apply(engine, chosen, at=AT, by="worker")
    assert gone == {retention.EVENTS: 4, retention.NUMBERS: 5}
    assert count(engine, Call.caller.is_not(None)) == 3
    assert count(engine, ContactPoint.id.is_not(None)) == 3, "Borealis called five days ago"
    assert count(engine, Contact.name.is_not(None)) == 3
    assert count(engine, Touch.id.is_not(None)) == count(engine, Call.id.is_not(None)) == 6
    with db.reading(engine) as session:
        assert sorted(session.scalars(select(InboxEvent.body)))[:4] == [""] * 4
        assert session.scalars(select(AuditEntry.action)).all() == ["retention apply"]
    assert retention.apply(engine, chosen, at=AT, by="worker") == {}


@ON_BOTH
def test_for_ever_is_what_happens_until_somebody_chooses_otherwise(
    settings: Settings, engine: Engine
) -> None:
    fill(engine, [4000])
    for never in ("", "forever"):
        chosen = keeping(
            settings, keep_events_days=never, keep_numbers_days=never, keep_visitors_days="forever"
        )
        assert retention.apply(engine, chosen, at=AT, by="worker") == {}
        with db.reading(engine) as session:
            said = json.dumps(
                [
                    [name, text]
                    for _, lines in processing.record(session, chosen, at=AT)
                    for name, text in lines
                ]
            )
        assert ("not chosen yet" in said) is (never == "")


@ON_BOTH
def test_more_than_a_fifth_goes_only_when_somebody_says_how_much(settings: Settings, engine: Engine) -> None:
    fill(engine, [50] * 101 + [1] * 10)
    chosen = keeping(settings, keep_events_days=30)
    with pytest.raises(Conflict, match="101 records are due"):
        retention.apply(engine, chosen, at=AT, by="worker")
    with pytest.raises(Conflict, match="101 records are due"):
        retention.apply(engine, chosen, at=AT, by="anna@acme.example", confirmed=100)
    assert count(engine, InboxEvent.body_hash == "erased") == 0
    retention.apply(engine, chosen, at=AT, by="anna@acme.example", confirmed=101)
    assert count(engine, InboxEvent.body_hash == "erased") == 101


def test_the_worker_makes_the_backup_of_the_night_and_takes_out_what_is_due(
    settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(engine, [50], caller=COBALT)
    chosen = keeping(settings, keep_events_days=30)
    now = AT
    monkeypatch.setattr("tracking.clock.now", lambda: now)
    Nightly(engine, chosen)()
    while jobs.work(engine, known(engine, chosen)):
        pass
    with db.reading(engine) as session:
        assert session.execute(select(Job.kind, Job.state)).all() == [("retention", "done")]
    assert count(engine, InboxEvent.body_hash == "erased") == 1
    now = AT + timedelta(days=1)
    # Files go by the machine's clock, which is not the one that this test sets.
    os.utime(chosen.backups, (AT.timestamp(), AT.timestamp()))
    Nightly(engine, chosen)()
    Nightly(engine, chosen)()
    while jobs.work(engine, known(engine, chosen)):
        pass
    with db.reading(engine) as session:
        last = session.scalars(select(Job).where(Job.kind == "backup")).all()
        assert [(job.state, job.error) for job in last] == [("done", None)]
    assert len(list(chosen.backups.glob("*.backup"))) == 1
    Nightly(engine, chosen)()
    assert count(engine, Job.kind == "backup") == 1


@ON_BOTH
def test_workers_that_look_at_one_moment_put_one_job_in_line(
    settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(engine, [50], caller=COBALT)
    monkeypatch.setattr("tracking.clock.now", lambda: AT)
    chosen = keeping(settings, keep_events_days=30)
    workers = [Nightly(engine, chosen) for _ in range(4)]
    with ThreadPoolExecutor(4) as crowd:
        list(crowd.map(lambda look: look(), workers))
    assert count(engine, Job.kind == "retention") == 1


@ON_BOTH
def test_a_visitor_who_never_called_is_forgotten_with_all_he_was_shown_and_one_who_called_stays(
    settings: Settings, engine: Engine
) -> None:
    with db.transaction(engine) as session:
        site = site_with(session, 2)
        numbers_shown = [
            show(session, site, name, AT - timedelta(days=500)) for name in ("caller", "stranger")
        ]
        show(session, site, "latest", AT - timedelta(days=10))
        ring(session, numbers_shown[0] or "", AT - timedelta(days=500))
    chosen = keeping(settings, keep_events_days="forever", keep_numbers_days="forever")
    assert retention.apply(engine, chosen, at=AT, by="worker") == {retention.VISITORS: 1}
    assert count(engine, Visitor.id.is_not(None)) == count(engine, Lease.id.is_not(None)) == 2
    with db.reading(engine) as session:
        names = set(session.scalars(select(Visitor.token_hash)))
    assert names == {sites.token_hash("caller"), sites.token_hash("latest")}
