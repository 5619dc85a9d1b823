"""One person handed out and taken out: nothing of him is left anywhere, and the figures are the same."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from sqlalchemy import Engine, func, select

from tests.api_client import EVERYTHING, Api, fair
from tests.cast import BOREALIS, COBALT, FAIR_NUMBER, moment
from tests.conftest import KEY, ON_BOTH
from tests.imports import ON_SQLITE
from tests.test_pools import ring, show, site_with
from tests.twilio_requests import incoming, sid
from tracking import clock
from tracking.access import saved_views
from tracking.errors import Conflict, Invalid, NotFound
from tracking.imports.uploads import UploadStore
from tracking.keeping import backups, erasure, people, tables
from tracking.records import campaigns
from tracking.storage import db, origins
from tracking.storage.config import Settings
from tracking.storage.models import (
    Annotation,
    Call,
    CallHolder,
    Campaign,
    Contact,
    ContactPoint,
    Deal,
    Erasure,
    ImportRun,
    InboxEvent,
    Job,
    Lease,
    Touch,
    User,
    Visitor,
    WebVisit,
)
from tracking.storage.vocabulary import Role, TouchKind
from tracking.telephony import providers
from tracking.telephony.inbox import ERASED, Arrival, Inbox
from tracking.telephony.inbox import store as store_arrivals
from tracking.telephony.routing import Routing
from tracking.telephony.spool import Spool

AT = moment("2026-11-29 02:00")
EMAIL = "ada@borealis.example"
FIGURES = "/reports/roi?model=linear&from=2026-01-01&to=2026-12-31"


def inbox_of(settings: Settings, engine: Engine) -> Inbox:
    return Inbox(engine, settings, Routing(settings), providers.interpreters(), clock.now)


def report(number: int, caller: str) -> Arrival:
    """What Twilio says of a call that begins."""
    form = {name: [value] for name, value in incoming(sid(number), caller=caller, to=FAIR_NUMBER).items()}
    body = {"endpoint": "voice", "form": form}
    at = moment("2026-02-14 09:00")
    return Arrival(
        provider="twilio", call_id=sid(number), report="voice", body=json.dumps(body), received_at=at
    )


def workbook(*cells: object) -> bytes:
    """A sheet with one column."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        book.add_worksheet().write_column(0, 0, cells)
    return content.getvalue()


@pytest.fixture
def api(settings: Settings, engine: Engine) -> Api:
    """Ada of Borealis in every place there is; Cobalt's caller beside her."""
    api = Api(settings, engine, [*EVERYTHING, "read:personal"])
    fair(api)
    ada = {"company": "Borealis Foods", "phone": BOREALIS, "email": EMAIL, "person": "Ada Byron"}
    deal = {"account": ada, "stage": "won", "amount_minor": 120_000, "currency": "EUR", "external_id": "D1"}
    api.post("/deals", deal | {"closed_at": "2026-03-01T10:00:00Z"})
    touch = {"source_key": "badge", "kind": "event", "occurred_at": "2026-02-03T10:00:00Z", "account": ada}
    api.ask("POST", "/touches", touch | {"campaign": "Fair 2026"}, key="once")
    first = api.get("/calls?sort=started_at")["items"][0]
    api.patch(f"/calls/{first['id']}", {"note": "Ada wants 20 pumps, ring her at 020 7946 0001"})
    answer = {
        "call_id": first["id"],
        "outcome": "answered",
        "campaign": "Fair 2026",
        "verbatim": "Ada at the fair",
    }
    api.post("/answers", answer)
    other = api.get("/calls?sort=started_at")["items"][1]
    api.patch(f"/calls/{other['id']}", {"note": "same firm as (0)20 7946-0001?"})
    with db.transaction(engine) as session:
        arrivals = [report(1, BOREALIS), report(2, COBALT)]
        session.add_all(store_arrivals(session, arrivals))
        user = User(
            email="mikael@acme.example", name="Mikael", role=Role.marketer, fs_uniquifier="1", created_at=AT
        )
        session.add(user)
        session.flush()
        saved_views.save(session, user.id, "hers", "/calls?q=%2B44+20+7946+0001", shared=True)
        session.add(Annotation(starts_on=AT.date(), title="Ring ada@borealis.example", note=""))
        told = "Ada  Byron's stand; Byron, Ada was there, ADA BYRON too, and Byronic moods"
        session.add(Annotation(starts_on=AT.date(), title="Fair", note=told))
        run = ImportRun(kind="calls", finished_at=AT, created=1, updated=0, skipped=0, refused=0)
        run.file_name = "calls of 442079460001.csv"
        session.add(run)
        session.add(
            Job(kind="import", label="Import 442079460001.csv", arguments={}, created_by="x", created_at=AT,
                result={"refusals": [{"line": 2, "cells": ["+44 20 7946 0001"]}]})
        )  # fmt: skip
    inbox_of(settings, engine).replay()
    Spool(settings.spool_dir).put("1", json.dumps({"never": "read", "from": BOREALIS}))
    Spool(settings.spool_dir).put("2", json.dumps({"never": "read", "from": COBALT}))
    store = UploadStore(settings.data_dir)
    store.put(io.BytesIO(b"company,phone\nBorealis,0044 20 7946 0001\n"), "hers.csv", by="x", at=AT)
    store.put(io.BytesIO(workbook("phone", 442079460001)), "hers.xlsx", by="x", at=AT)
    store.put(io.BytesIO(b"company,phone\nCobalt,+44 20 7946 0003\n"), "other.csv", by="x", at=AT)
    return api


def take_out(settings: Settings, engine: Engine, text: str = BOREALIS) -> Erasure:
    return erasure.erase(
        engine, settings, lambda session: people.by_text(session, text, "SE"), by="anna@acme.example", at=AT,
        drain=inbox_of(settings, engine).drain,
    )  # fmt: skip


def everything(settings: Settings, engine: Engine) -> str:
    """Return all that is kept, sealed values and files opened."""
    texts = []
    with db.reading(engine) as session:
        for table in tables.Base.metadata.sorted_tables:
            texts += [str(row) for row in session.execute(select(*table.columns))]
    texts += [text for _, text in Spool(settings.spool_dir).every()]
    store = UploadStore(settings.data_dir)
    texts += [store.as_text(path) for path in store.every()]
    return "\n".join(texts)


def roi(api: Api) -> object:
    return {name: value for name, value in api.get(FIGURES).items() if name != "data_until"}


def left_in(after: str) -> list[str]:
    """Return the lines that name the person still."""
    return [line for line in after.splitlines() if any(trace in line for trace in TRACES)]


TRACES = ["7946 0001", "79460001", "7946-0001", "Ada", "ada@"]


def test_of_a_name_alone_notes_are_cleared_and_things_that_are_called_like_it_are_not(
    settings: Settings, engine: Engine, api: Api
) -> None:
    with db.transaction(engine) as session:
        campaigns.add(session, "Ada Byron day", "fair", at=AT)
    take_out(settings, engine)
    with db.reading(engine) as session:
        notes = session.scalars(select(Annotation.note).where(Annotation.title == "Fair")).all()
        assert notes == ["…'s stand; … was there, … too, and Byronic moods"]
        assert session.scalars(select(Campaign.name).where(Campaign.name.startswith("Ada"))).all() == [
            "Ada Byron day"
        ]


@ON_BOTH
@pytest.mark.parametrize(
    ("name", "others"), [("Åsa Öberg", ["åsa öberg", "ÖBERG, ÅSA"]), ("Иван Петров", ["ПЕТРОВ, ИВАН"])]
)
def test_a_name_beyond_ascii_is_found_in_capitals_lists_replies_and_what_imports_changed(
    settings: Settings, engine: Engine, name: str, others: list[str]
) -> None:
    own = Api(settings, engine, [*EVERYTHING, "read:personal"])
    fair(own)
    whose = {"company": "Borealis Foods", "phone": BOREALIS, "email": EMAIL, "person": name}
    deal = {"account": whose, "stage": "lead", "currency": "EUR", "external_id": "D1", "name": name}
    own.post("/deals", deal)
    touch = {"source_key": "badge", "kind": "event", "occurred_at": "2026-02-03T10:00:00Z", "account": whose}
    own.ask("POST", "/touches", touch | {"campaign": "Fair 2026"}, key="once")
    call = own.get("/calls?sort=started_at")["items"][0]["id"]
    own.patch(f"/calls/{call}", {"note": "; ".join(others), "tags": [name]})
    with db.transaction(engine) as session:
        run = ImportRun(
            kind="deals", finished_at=AT, created=0, updated=1, skipped=0, refused=0, file_name="x"
        )
        session.add(run)
        session.flush()
        with origins.of(run.id):
            session.scalars(select(Deal)).one().name = f"Pumps for {name}"
            session.flush()
    # As the rows hold it: escaped in lists, in replies and in what an import has changed.
    said = {name, *others}
    said |= {json.dumps(one)[1:-1] for one in said}
    assert any(one in everything(settings, engine) for one in said)
    take_out(settings, engine)
    after = everything(settings, engine)
    assert [line for line in after.splitlines() if any(one in line for one in said)] == []


@ON_BOTH
def test_nothing_of_a_person_is_left_anywhere_and_the_figures_are_the_same(
    settings: Settings, engine: Engine, api: Api
) -> None:
    figures, before = roi(api), everything(settings, engine)
    assert all(trace in before for trace in TRACES)
    with db.reading(engine) as session:
        journey = session.execute(
            select(Touch.contact_id, Touch.campaign_id, Touch.occurred_at).order_by(Touch.id)
        ).all()
    row = take_out(settings, engine)
    after = everything(settings, engine)
    assert left_in(after) == []
    assert after.count("Cobalt") == before.count("Cobalt")
    assert "79460003" in after
    assert roi(api) == figures
    with db.reading(engine) as session:
        assert (
            session.execute(
                select(Touch.contact_id, Touch.campaign_id, Touch.occurred_at).order_by(Touch.id)
            ).all()
            == journey
        )
        assert session.scalar(select(func.count()).select_from(Deal)) == 1
        note = session.scalars(select(Call.note).where(Call.note != "")).one()
    assert note == "same firm as …?"
    assert row.removed["calls"] == 3
    assert row.removed["phone numbers and email addresses"] == 2
    assert row.removed["reports of providers"] >= 1
    assert row.removed["files"] == 3
    # What was repeated by the provider, or is interpreted again, makes no call of it anew.
    inbox_of(settings, engine).take(report(1, BOREALIS))
    inbox_of(settings, engine).replay(everything=True)
    assert "79460001" not in everything(settings, engine)
    with db.reading(engine) as session:
        gone = session.scalars(select(InboxEvent).where(InboxEvent.body_hash == ERASED)).all()
        assert [(event.body, event.error) for event in gone] == [("", ERASED)] * len(gone)
    with pytest.raises(NotFound, match="no personal data found"):
        take_out(settings, engine)


@ON_SQLITE
def test_no_byte_of_a_person_is_left_in_any_file(settings: Settings, engine: Engine, api: Api) -> None:
    said = [b"Ada Byron", b"Ada wants 20 pumps", b"Ada at the fair", b"ada@borealis.example", b"79460001"]

    def found() -> list[bytes]:
        held = b"".join(path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file())
        return [words for words in said if words in held]

    call = api.get("/calls?sort=started_at")["items"][0]["id"]
    # Long enough that the row moves to another page and leaves its old place free.
    api.patch(f"/calls/{call}", {"note": "Ada wants 20 pumps. " * 400})
    # Numbers and names are sealed all the while; the address stands in what somebody wrote.
    assert found() == [b"Ada wants 20 pumps", b"Ada at the fair", b"ada@borealis.example"]
    take_out(settings, engine)
    assert found() == []


@ON_BOTH
def test_what_is_written_and_who_calls_while_a_person_is_looked_for_is_neither_lost_nor_left(
    settings: Settings, engine: Engine, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, looks = erasure.traces, 0

    def meanwhile(*asked: Any) -> erasure.Traces:
        nonlocal looks
        found, looks = look(*asked), looks + 1
        if looks == 1:
            other = api.get("/calls?sort=started_at")["items"][1]
            api.patch(f"/calls/{other['id']}", {"note": "same firm as (0)20 7946-0001? Wants two pumps."})
            inbox_of(settings, engine).take(report(3, BOREALIS))
        return found

    monkeypatch.setattr(erasure, "traces", meanwhile)
    row = take_out(settings, engine)
    assert (looks, row.removed["calls"]) == (2, 4)
    assert left_in(everything(settings, engine)) == []
    with db.reading(engine) as session:
        notes = session.scalars(select(Call.note).where(Call.note != "")).all()
    assert notes == ["same firm as …? Wants two pumps."]


@ON_SQLITE
def test_a_list_of_erasures_that_cannot_be_read_or_written_is_told_before_or_made_up_for_later(
    settings: Settings, engine: Engine, api: Api
) -> None:
    beside = settings.data_dir / erasure.LIST
    for broken in (b'{"receipt": "1"}\n', b"\xff", b"[]"):
        beside.write_bytes(broken)
        with pytest.raises(Invalid, match="cannot be read; restore this file"):
            take_out(settings, engine)
    beside.unlink()
    settings.backups.write_text("the disk of the backups is away")
    receipt = take_out(settings, engine).receipt
    settings.backups.unlink()
    erasure.settle(engine, settings)
    assert receipt in (settings.backups / erasure.LIST).read_text()


@ON_BOTH
def test_a_person_gets_all_that_is_kept(settings: Settings, engine: Engine, api: Api) -> None:
    with db.reading(engine) as session:
        person = people.by_text(session, EMAIL.upper(), "SE")
        told = people.export(session, person, erasure.traces(session, settings, person).events)
    assert json.loads(json.dumps(told))
    known = {point["value"] for contact in told["contacts"] for point in contact["known_by"]}
    assert known == {BOREALIS, EMAIL}
    assert {contact["name"] for contact in told["contacts"]} >= {"Ada Byron"}
    assert [firm["name"] for firm in told["companies"]] == ["Borealis Foods"]
    assert len(told["calls"]) == 3
    assert told["answers"][0]["words"] == "Ada at the fair"
    assert {touch["kind"] for touch in told["touches"]} == {"call", "event"}
    assert any(BOREALIS in event["body"] for event in told["as_received"])
    assert "79460003" not in json.dumps(told), "of nobody else"


@ON_BOTH
def test_who_was_taken_out_is_taken_out_again_of_a_restored_backup(
    settings: Settings, engine: Engine, api: Api, tmp_path: Path
) -> None:
    path = backups.create(engine, settings, at=AT)
    receipt = take_out(settings, engine).receipt
    for file in UploadStore(settings.data_dir).every():
        file.unlink()
    assert "79460001" not in (settings.backups / erasure.LIST).read_text()
    found, again = erasure.restore(engine, settings, path, at=AT, replace=True)
    assert (found.rows["call"], again) == (5, 1)
    after = everything(settings, engine)
    assert left_in(after) == []
    with db.reading(engine) as session:
        assert erasure.receipt_of(session, receipt).removed["calls"] == 3
    # On a new machine only what lies beside the backup says who it was.
    elsewhere = Settings(data_dir=tmp_path / "elsewhere", key=KEY)
    fresh = db.connect(elsewhere)
    assert erasure.restore(fresh, elsewhere, path, at=AT, replace=False)[1] == 1
    after = everything(elsewhere, fresh)
    assert left_in(after) == []
    fresh.dispose()


@ON_BOTH
def test_who_is_meant_has_to_be_said_so_that_it_is_one_person(
    settings: Settings, engine: Engine, api: Api
) -> None:
    with db.reading(engine) as session:
        with pytest.raises(Invalid, match="enter a phone number"):
            people.by_text(session, "Ada", "SE")
        with pytest.raises(Conflict, match="one of your tracking numbers"):
            people.by_text(session, FAIR_NUMBER, "SE")
        with pytest.raises(NotFound, match="no personal data found"):
            people.by_text(session, "+442079460099", "SE")
        contact = session.scalars(select(ContactPoint.contact_id)).first()
        assert people.by_text(session, f"contact {contact}", "SE").is_anybody
        assert session.get(Contact, contact) is not None


@ON_SQLITE
def test_the_browser_of_a_person_goes_and_the_company_s_visits_stay(
    api: Api, settings: Settings, engine: Engine
) -> None:
    with db.transaction(engine) as session:
        site = site_with(session, 1)
        number = show(session, site, "ada", AT, "?utm_source=news&utm_medium=email&gclid=x1") or ""
        ring(session, number, AT, BOREALIS, "web")
        assert session.scalars(select(Visitor)).one().contact_id is not None
    row = erasure.erase(
        engine, settings, lambda session: people.by_text(session, BOREALIS, "SE"), by="terminal", at=AT
    )
    assert row.removed["browsers"] == 1
    with db.reading(engine) as session:
        for kind in (Visitor, WebVisit, Lease):
            assert session.scalars(select(kind)).all() == []
        kept = session.scalars(select(Touch).where(Touch.kind == TouchKind.visit)).one()
        assert (kept.channel, kept.click_ids) == ("email", None)
        assert session.scalars(select(CallHolder)).one().channel == "email"
