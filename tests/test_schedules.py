"""Scheduled reports: due on the right days, sent once for each, tried again after a failure, said so."""

import socket
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.cast import moment
from tests.web.test_decide import supplier
from tracking import worker
from tracking.access import jobs
from tracking.errors import Invalid
from tracking.language import formatting
from tracking.reporting import mailing, schedules
from tracking.reporting.schedules import Wanted
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Job, ReportSchedule
from tracking.storage.vocabulary import JobState

ZONE = ZoneInfo("Europe/Stockholm")
MONDAY = moment("2026-11-30 05:00")
STAFF = ["anna@acme.example", "mikael@acme.example"]


class Box:
    """A mailbox behind a real SMTP server: keeps what comes, refuses whom and what it is told to."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.refused: set[str] = set()
        self.reply = "250 taken"

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Any, address: str, _o: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        if self.reply == "break off":
            server.transport.abort()
        if self.reply.startswith("250"):
            self.messages.append(BytesParser(policy=default).parsebytes(envelope.content))  # type: ignore[arg-type]  # an EmailMessage by that policy
        return self.reply


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def posted(settings: Settings, box: Box) -> Iterator[Settings]:
    """Settings with a mail server on this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Controller(box, hostname="127.0.0.1", port=port, ready_timeout=600)
    server.start()
    told = {
        "smtp_url": type(settings.smtp_url)(f"smtp://127.0.0.1:{port}"),
        "mail_from": "reports@acme.example",
    }
    yield settings.model_copy(update=told)
    server.stop()


def wanted(**changed: Any) -> Wanted:
    told: dict[str, Any] = {"name": "Board", "recipients": STAFF, "cadence": "weekly", "language": "en"}
    return Wanted(**told | changed)


def put(engine: Engine, *, today: date = date(2026, 11, 25), **changed: Any) -> int:
    with db.transaction(engine) as session:
        return schedules.save(session, wanted(**changed), by="mikael@acme.example", today=today).id


def row(engine: Engine, schedule_id: int = 1) -> ReportSchedule:
    with db.reading(engine) as session:
        found = schedules.get(session, schedule_id)
        session.expunge(found)
        return found


def lined_up(engine: Engine) -> list[Job]:
    with db.reading(engine) as session:
        found = list(session.scalars(select(Job).order_by(Job.id)))
        session.expunge_all()
        return found


def work(engine: Engine, settings: Settings, at: Any) -> None:
    """Do all that is in line, as of a moment."""
    send = {schedules.KIND: lambda arguments, _: mailing.send(engine, settings, arguments, at=at)}
    while jobs.work(engine, send):
        pass


@pytest.mark.parametrize(
    ("cadence", "today", "due"),
    [
        ("weekly", "2026-11-25", "2026-11-30"),
        ("weekly", "2026-11-30", "2026-12-07"),
        ("weekly", "2026-12-30", "2027-01-04"),
        ("monthly", "2026-01-31", "2026-02-01"),
        ("monthly", "2026-12-01", "2027-01-01"),
        ("quarterly", "2026-03-31", "2026-04-01"),
        ("quarterly", "2026-11-25", "2027-01-01"),
        ("quarterly", "2028-02-29", "2028-04-01"),
    ],
)
def test_a_report_is_due_on_the_next_day_of_its_cadence(
    session: Session, cadence: str, today: str, due: str
) -> None:
    saved = schedules.save(session, wanted(cadence=cadence), by="x", today=date.fromisoformat(today))
    assert saved.next_on == date.fromisoformat(due)


@pytest.mark.parametrize(
    ("cadence", "span", "today", "days"),
    [
        ("weekly", "ended", "2026-11-30", ("2026-11-23", "2026-11-29")),
        ("weekly", "ended", "2026-12-03", ("2026-11-23", "2026-11-29")),
        ("monthly", "ended", "2028-03-01", ("2028-02-01", "2028-02-29")),
        ("quarterly", "ended", "2027-01-01", ("2026-10-01", "2026-12-31")),
        ("weekly", "90", "2026-11-30", ("2026-09-01", "2026-11-29")),
        ("monthly", "365", "2026-12-01", ("2025-12-01", "2026-11-30")),
    ],
)
def test_a_report_covers_whole_days_that_are_over(
    session: Session, cadence: str, span: str, today: str, days: Sequence[str]
) -> None:
    told = wanted(cadence=cadence, span=span)
    saved = schedules.save(session, told, by="x", today=date(2026, 1, 1))
    covered = schedules.covered(saved, date.fromisoformat(today))
    assert tuple(map(str, covered)) == tuple(days)


@pytest.mark.parametrize(
    "recipient",
    ["anna", "anna@", "@acme.example", "anna@acme example", "a@b@c.example", "x\r\nBcc: y@drift.example"],
)
def test_an_address_that_is_none_is_named(session: Session, recipient: str) -> None:
    with pytest.raises(Invalid, match="recipients"):
        schedules.save(session, wanted(recipients=[*STAFF, recipient]), by="x", today=date(2026, 1, 1))


def test_recipients_are_kept_once_each_and_there_has_to_be_one(session: Session) -> None:
    assert schedules.addresses([*STAFF, " Anna@acme.example ", "", "jörg@müller.example"]) == [
        *STAFF, "jörg@müller.example"
    ]  # fmt: skip
    for wrong in ([], ["  "], [f"a{i}@acme.example" for i in range(51)]):
        with pytest.raises(Invalid, match="recipients"):
            schedules.addresses(wrong)


@pytest.mark.parametrize(
    ("name", "value"), [("cadence", "daily"), ("span", "7"), ("attachments", ["doc"]), ("name", " ")]
)
def test_what_is_not_known_is_refused(session: Session, name: str, value: Any) -> None:
    with pytest.raises(Invalid, match=name):
        schedules.save(session, wanted(**{name: value}), by="x", today=date(2026, 1, 1))


def test_on_its_day_the_figures_come_in_the_text_of_the_mail_and_whole_as_attachments(
    engine: Engine, posted: Settings, box: Box
) -> None:
    supplier(engine)
    put(engine, attachments=["pdf", "xlsx", "html", "csv"], recipients=STAFF)
    worker.look(engine, posted, at=moment("2026-11-29 22:00"))
    assert lined_up(engine) == [], "it is Sunday still in Stockholm"
    worker.look(engine, posted, at=MONDAY)
    work(engine, posted, MONDAY)
    [message] = box.messages
    assert message["To"] == "anna@acme.example, mikael@acme.example"
    assert message["From"] == "reports@acme.example"
    assert message["Subject"] == "Board: Which marketing pays off? (Nov 30, 2025 to Nov 29, 2026)"
    plain, html = (message.get_body(preferencelist=(kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    for told in (plain.get_content(), html.get_content()):
        assert "Deals worth €6,000 were won" in told
        assert "http://127.0.0.1:8000/report?" in told
        assert "Fair" in told
    assert "<style" not in html.get_content()
    names = [part.get_filename() for part in message.iter_attachments()]
    assert names == [f"ringtrail-2025-11-30-2026-11-29.{kind}" for kind in ("pdf", "xlsx", "html", "zip")]
    kinds = [part.get_content_type() for part in message.iter_attachments()]
    assert kinds[0] == "application/pdf"
    after = row(engine)
    assert (after.next_on, after.last_sent_at, after.last_error) == (date(2026, 12, 7), MONDAY, None)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_each_mail_speaks_its_own_language(engine: Engine, posted: Settings, box: Box) -> None:
    supplier(engine)
    for language in formatting.LANGUAGES:
        put(engine, language=language, name=language, attachments=[])
    worker.look(engine, posted, at=MONDAY)
    work(engine, posted, MONDAY)
    assert [message["Content-Language"] for message in box.messages] == list(formatting.LANGUAGES)
    for message in box.messages:
        body = message.get_body(preferencelist=("plain",))
        assert body is not None
        with formatting.speaking(posted, message["Content-Language"]):
            assert formatting.amount(6_000_00, "EUR") in body.get_content()


def test_two_workers_send_what_is_due_once(engine: Engine, posted: Settings, box: Box) -> None:
    put(engine, attachments=[])
    for _ in range(2):
        worker.look(engine, posted, at=MONDAY)
    assert len(lined_up(engine)) == 1
    # Even if it stood in line twice, since the first job waited long behind others.
    worker.look(engine, posted, at=MONDAY + schedules.PAUSE)
    assert len(lined_up(engine)) == 2
    work(engine, posted, MONDAY + schedules.PAUSE)
    assert len(box.messages) == 1
    assert [job.result for job in lined_up(engine)] == [{"sent": 2, "refused": 0}, {"sent": 0}]


def test_the_right_to_send_is_given_once_and_a_worker_that_dies_with_it_leaves_word(engine: Engine) -> None:
    put(engine)
    with db.transaction(engine) as session:
        assert schedules.begin(session, 1, date(2026, 11, 30), at=MONDAY, zone=ZONE) == date(2026, 12, 7)
    with db.transaction(engine) as session:
        assert schedules.begin(session, 1, date(2026, 11, 30), at=MONDAY, zone=ZONE) is None
    assert "may have arrived" in (row(engine).last_error or "")


def test_after_weeks_without_a_worker_one_mail_comes_not_many(
    engine: Engine, posted: Settings, box: Box
) -> None:
    put(engine, attachments=[])
    late = MONDAY + timedelta(days=24)
    for hour in range(3):
        worker.look(engine, posted, at=late + timedelta(hours=hour))
        work(engine, posted, late + timedelta(hours=hour))
    assert len(box.messages) == 1
    assert row(engine).next_on == date(2026, 12, 28)


def test_a_failure_is_kept_and_tried_again_and_then_sent_once(
    engine: Engine, posted: Settings, box: Box
) -> None:
    put(engine, attachments=[])
    box.reply = "451 come back later"
    worker.look(engine, posted, at=MONDAY)
    work(engine, posted, MONDAY)
    failed = row(engine)
    assert "451" in (failed.last_error or "")
    assert failed.next_on == date(2026, 11, 30), "still due"
    assert failed.last_sent_at is None
    [job] = lined_up(engine)
    assert job.state is JobState.failed
    worker.look(engine, posted, at=MONDAY + timedelta(minutes=30))
    assert len(lined_up(engine)) == 1, "not at once"
    box.reply = "250 taken"
    later = MONDAY + schedules.PAUSE
    worker.look(engine, posted, at=later)
    work(engine, posted, later)
    assert len(box.messages) == 1
    assert (row(engine).last_error, row(engine).next_on) == (None, date(2026, 12, 7))


def test_a_connection_that_breaks_while_sending_is_not_tried_again_since_it_may_have_arrived(
    engine: Engine, posted: Settings, box: Box
) -> None:
    put(engine, attachments=[])
    box.reply = "break off"
    worker.look(engine, posted, at=MONDAY)
    work(engine, posted, MONDAY)
    assert "may have arrived" in (row(engine).last_error or "")
    assert row(engine).next_on == date(2026, 12, 7)


def test_whom_the_server_refuses_is_named_and_the_others_get_theirs(
    engine: Engine, posted: Settings, box: Box
) -> None:
    put(engine, attachments=[])
    box.refused = {"mikael@acme.example"}
    worker.look(engine, posted, at=MONDAY)
    work(engine, posted, MONDAY)
    assert len(box.messages) == 1
    assert row(engine).last_error == "the mail server rejected mikael@acme.example"
    assert row(engine).next_on == date(2026, 12, 7)


def test_without_a_mail_server_the_schedule_says_what_to_set(engine: Engine, settings: Settings) -> None:
    put(engine, attachments=[])
    worker.look(engine, settings, at=MONDAY)
    work(engine, settings, MONDAY)
    assert "RINGTRAIL_SMTP_URL" in (row(engine).last_error or "")
    assert row(engine).next_on == date(2026, 11, 30)


def test_sending_now_leaves_the_days_as_they_are(engine: Engine, posted: Settings, box: Box) -> None:
    put(engine, attachments=[])
    with db.transaction(engine) as session:
        schedules.send_now(session, schedules.get(session, 1), by="x", at=MONDAY - timedelta(days=2))
    work(engine, posted, MONDAY - timedelta(days=2))
    assert len(box.messages) == 1
    assert row(engine).next_on == date(2026, 11, 30)


def test_a_schedule_deleted_while_in_line_sends_nothing(engine: Engine, posted: Settings, box: Box) -> None:
    put(engine)
    worker.look(engine, posted, at=MONDAY)
    with db.transaction(engine) as session:
        schedules.remove(session, schedules.get(session, 1))
    work(engine, posted, MONDAY)
    assert box.messages == []
    assert lined_up(engine)[0].state is JobState.failed


def test_the_worker_knows_how_to_send(engine: Engine, posted: Settings, box: Box) -> None:
    put(engine, attachments=["csv"])
    with db.transaction(engine) as session:
        schedules.send_now(session, schedules.get(session, 1), by="x", at=MONDAY)
    assert jobs.work(engine, worker.known(engine, posted))
    assert len(box.messages) == 1
