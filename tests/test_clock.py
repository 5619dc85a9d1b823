"""A clock that was years ahead and is put right: nothing waits for years, and nothing goes by it alone."""

import os
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, func, select

from tests.cast import moment
from tests.imports import ON_SQLITE
from tests.test_retention import fill, keeping
from tracking.access import jobs, sessions
from tracking.errors import Conflict
from tracking.keeping import backups, retention
from tracking.reporting import outbox, schedules
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Call, Job, OutgoingMail, ReportSchedule, User
from tracking.storage.vocabulary import JobState, Role
from tracking.worker import Nightly

NOW = moment("2026-11-29 12:00")
AHEAD = NOW + timedelta(days=20 * 365)


@ON_SQLITE
def test_a_clock_that_is_years_ahead_empties_no_class(settings: Settings, engine: Engine) -> None:
    fill(engine, [200] * 20)
    chosen = keeping(settings, keep_events_days=400, keep_numbers_days=400)
    assert retention.apply(engine, chosen, at=NOW, by="worker") == {}
    with pytest.raises(Conflict, match="or all of it"):
        retention.apply(engine, chosen, at=AHEAD, by="worker")
    with db.reading(engine) as session:
        assert session.scalar(select(func.count(Call.caller))) == 20


@ON_SQLITE
def test_backups_and_jobs_of_a_day_to_come_hold_up_none_of_today(
    settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups.create(engine, settings, at=AHEAD)
    os.utime(settings.backups, (0, 0))
    assert backups.is_due(settings, at=NOW)
    monkeypatch.setattr("tracking.clock.now", lambda: AHEAD)
    with db.transaction(engine) as session:
        for kind in ("backup", "import"):
            jobs.enqueue(session, kind, kind, {}, by="worker", at=AHEAD)
        for job in session.scalars(select(Job)):
            jobs.claim(session, at=AHEAD)
            job.state = JobState.done if job.kind == "backup" else job.state
    monkeypatch.setattr("tracking.clock.now", lambda: NOW)
    Nightly(engine, settings)()
    with db.transaction(engine) as session:
        made = session.scalars(select(Job.created_at).where(Job.kind == "backup")).all()
        assert made == [AHEAD, NOW]
        again = jobs.claim(session, at=NOW)
        assert again is not None
        assert again.kind == "import", "its worker died with a heartbeat of a time to come"


@ON_SQLITE
def test_mails_and_reports_wait_for_no_day_that_the_clock_only_showed(
    settings: Settings, engine: Engine
) -> None:
    wanted = schedules.Wanted(name="Weekly", recipients=["a@acme.example"], cadence="weekly", language="en")
    with db.transaction(engine) as session:
        schedules.save(session, wanted, by="anna@acme.example", today=NOW.date())
        assert schedules.line_up(session, at=NOW, zone=settings.zone) == []
        outbox.put(session, outbox.CHANGED, "a@acme.example", "en", at=AHEAD)
        assert len(schedules.line_up(session, at=AHEAD, zone=settings.zone)) == 1
        due = session.scalars(select(ReportSchedule)).one()
        assert schedules.begin(session, due.id, due.next_on, at=AHEAD, zone=settings.zone) is not None
        assert schedules.line_up(session, at=NOW, zone=settings.zone) == []
        assert due.next_on == date(2026, 11, 30), "the next Monday"
        assert len(schedules.line_up(session, at=NOW + timedelta(days=1), zone=settings.zone)) == 1
    assert outbox.deliver(engine, settings, lambda row: None, at=NOW) == 1
    with db.reading(engine) as session:
        assert session.scalar(select(func.count(OutgoingMail.id))) == 0


@ON_SQLITE
def test_a_session_of_a_day_to_come_ends_when_the_clock_is_put_right(engine: Engine) -> None:
    with db.transaction(engine) as session:
        user = User(email="a@acme.example", name="A", role=Role.viewer, fs_uniquifier="1", created_at=NOW)
        session.add(user)
        session.flush()
        token = sessions.begin(session, user.id, at=NOW)
        ahead = sessions.begin(session, user.id, at=NOW + timedelta(days=20))
        for held, at, is_open in (
            (token, NOW, True),
            (token, NOW - timedelta(hours=1), True),
            (ahead, NOW + timedelta(days=20), True),
            (ahead, NOW, False),
        ):
            assert (session.scalar(sessions.holding(User, held, at=at)) is not None) is is_open
