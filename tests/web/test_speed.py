"""That pages cost what they show, however much is recorded: statements, plans and bytes, never seconds."""

import gzip
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event

from tests.cast import moment
from tests.conftest import ON_BOTH
from tests.web.people import enter
from tracking import clock
from tracking.access import audit, jobs, saved_views, users
from tracking.records import answers, campaigns, costs, deals
from tracking.records.contacts import Clues
from tracking.records.costs import CostRecord
from tracking.records.deals import DealRecord
from tracking.storage import db
from tracking.storage.models import Call
from tracking.storage.vocabulary import CallStatus, Medium, Outcome, Role, Stage
from tracking.telephony import bell, calls, numbers
from tracking.telephony.calls import CallEvent
from tracking.web.pages import PUBLIC

Enter = Callable[[str], FlaskClient]
LARGE = (
    "call",
    "touch",
    "answer",
    "contact",
    "contact_point",
    "account",
    "deal",
    "inbox_event",
    "audit_entry",
)
"""Tables that grow with every day's work."""
LISTS = (
    "/calls",
    "/calls?status=missed",
    "/calls?lead=good_lead",
    "/calls?lead=-",
    "/calls?asked=yes",
    "/calls?asked=unlogged",
    "/calls?by=Rita",
    "/calls?spam=yes",
    "/calls?campaign=Campaign 1",
    "/calls?campaign=-",
    "/calls?q=0150",
    "/calls?before=1735689600000000-1",
    "/companies",
    "/companies?q=company 1",
    "/companies?skip=50",
    "/companies/1",
    "/companies/1?kind=answer",
    "/deals",
    "/deals?q=company 1",
    "/desk",
    "/desk/unasked",
    "/desk/unasked?skip=50",
    "/campaigns",
    "/campaigns/1",
    "/numbers",
    "/numbers/1",
    "/audit",
)


def record(engine: Engine, first: int, last: int) -> None:
    """Record one more of everything that a list shows, so many times over."""
    at = clock.now() - timedelta(days=2)
    with db.transaction(engine) as session:
        for n in range(first, last):
            owner = campaigns.add(session, f"Campaign {n}", f"channel {n % 3}", at=at)
            piece = campaigns.add_material(session, owner, "Spring", at=at, medium=Medium.print)
            dialled = f"+4930231259{n:02}"
            number = numbers.add(session, dialled, at=at, provider="twilio")
            numbers.assign(session, number, piece, starts_at=at)
            day = at.date()
            costs.save(
                session,
                CostRecord(
                    period_start=day,
                    period_end=day + timedelta(days=1),
                    currency="EUR",
                    category="media",
                    amount_minor=n,
                ),
                campaign=owner,
            )
            clues = Clues(company=f"Company {n}", person=f"Buyer {n}")
            deal = DealRecord(
                clues=clues,
                stage=Stage.won,
                amount_minor=100_000,
                currency="EUR",
                external_id=f"D{n}",
                lead_at=at,
                closed_at=at,
            )
            deals.save(session, deal, at=at)
            for taken in (True, False):
                ringing = CallEvent(
                    provider="twilio",
                    provider_call_id=f"CA{n}{taken}",
                    dialled=(dialled,),
                    caller=f"+4930231250{n:02}",
                    caller_name=f"Buyer {n}",
                    started_at=at + timedelta(minutes=n),
                    status=CallStatus.completed if taken else CallStatus.missed,
                )
                call = calls.record(session, [ringing], region="DE")[0].call
                if taken and n % 2:
                    answers.log(
                        session,
                        Outcome.answered,
                        asked_at=at,
                        asked_by=f"Rep {n}",
                        call=call,
                        campaign=owner,
                        verbatim=f"campaign {n}",
                    )
            audit.note(session, "anna@acme.example", "added", f"Campaign {n}", at=at)
            jobs.enqueue(session, "import", f"file {n}.csv", {}, by="anna@acme.example", at=at)
            saved_views.save(session, 1, f"View {n}", f"/roi?model=linear&skip={n}", shared=True)
            users.add(session, f"rep{n}@acme.example", f"Rep {n}", "rep", at=at)


@contextmanager
def noted(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """Note what is asked of the database meanwhile; what the bell asks in its own thread is apart."""
    told: list[tuple[str, Any]] = []
    mine = threading.get_ident()

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if threading.get_ident() == mine:
            told.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield told
    finally:
        event.remove(engine, "before_cursor_execute", note)


def pages_of(app: Flask) -> list[tuple[str, Role]]:
    """Return every page that needs no further word, and a role that may open it."""
    found = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "web.logo":
            continue  # there is none
        if rule.endpoint.startswith("web.") and "GET" in (rule.methods or ()) and not rule.arguments:
            roles = app.view_functions[rule.endpoint].roles  # type: ignore[attr-defined]  # every page has them
            found.append((rule.rule, next(one for one in Role if one in roles or roles == PUBLIC)))
    return sorted(found)


# Here every page is opened on PostgreSQL too, which refuses queries that SQLite takes.
@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_no_page_asks_the_database_more_often_when_more_is_recorded(
    office: Flask, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The bell would look up who listens every two seconds: here each time it is asked.
    monkeypatch.setattr(bell, "_LOOKS_UP_EVERY_S", -1.0)
    clients = {role: enter(office.test_client(), role) for role in Role}
    asked: list[dict[str, int]] = []
    wanted = [*pages_of(office), *((path, Role.administrator) for path in LISTS if path != "/desk")]
    for first, last in ((1, 4), (4, 14)):
        record(engine, first, last)
        counts = {}
        for path, role in wanted:
            clients[role].get(path)
            with noted(engine) as told:
                assert clients[role].get(path).status_code in (200, 204), path
            counts[path] = len(told)
        asked.append(counts)
    few, many = asked
    assert {path: (few[path], many[path]) for path in few if many[path] > few[path]} == {}


@ON_BOTH
def test_no_list_reads_a_whole_large_table(office: Flask, engine: Engine) -> None:
    """Each statement is explained; PostgreSQL may not read a table whole for being small."""
    record(engine, 1, 14)
    client = enter(office.test_client(), Role.administrator)
    told: dict[str, list[tuple[str, Any]]] = {}
    for path in LISTS:
        with noted(engine) as statements:
            assert client.get(path).status_code == 200, path
        told[path] = [one for one in statements if one[0].lstrip().upper().startswith(("SELECT", "WITH"))]
    whole = []
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET enable_seqscan = off")
        for path, statements in told.items():
            for statement, parameters in statements:
                whole += [f"{path}: {name}" for name in read_whole(connection, statement, parameters)]
    # The first walks by the key, newest first, the second stops at the first few thousand.
    limited = {"/audit: audit_entry", "/calls?asked=yes: answer"}
    assert set(whole) <= limited


def read_whole(connection: Any, statement: str, parameters: Any) -> list[str]:
    """Return the large tables that a statement reads without an index."""
    lite = connection.dialect.name == "sqlite"
    rows = connection.exec_driver_sql(f"EXPLAIN {'QUERY PLAN ' * lite}{statement}", parameters).all()
    plan = [str(row[-1]) for row in rows]
    if lite:
        names = dict(re.findall(r"(?:FROM|JOIN|,) (\w+) AS (\w+)", statement))
        aliases = {alias: table for table, alias in names.items()} | {name: name for name in LARGE}
        scans = [line.split()[1] for line in plan if line.startswith("SCAN ") and " USING " not in line]
        return [aliases[name] for name in scans if aliases.get(name) in LARGE]
    scans = [found[1] for line in plan if (found := re.search(r"Seq Scan on (\w+)", line))]
    return [name for name in scans if name in LARGE]


@ON_BOTH
def test_a_plan_without_an_index_is_noticed(engine: Engine) -> None:
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET enable_seqscan = off")
        assert read_whole(connection, "SELECT id FROM call WHERE note = 'x'", ()) == ["call"]
        assert read_whole(connection, "SELECT id FROM call ORDER BY started_at DESC LIMIT 5", ()) == []


def test_a_page_is_sent_in_fewer_bytes_whose_number_tells_nothing(signed_in: Enter, engine: Engine) -> None:
    record(engine, 1, 4)
    client = signed_in("viewer")
    plain = client.get("/calls")
    sizes = set()
    for _ in range(20):
        small = client.get("/calls", headers={"Accept-Encoding": "gzip, br"})
        assert small.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in small.headers["Vary"]
        page = gzip.decompress(small.data).decode()
        # All but the token, which is new in each answer, is the same.
        assert re.sub(r'(content|value)="[^"]{60,}"', "", page) == re.sub(
            r'(content|value)="[^"]{60,}"', "", plain.text
        )
        assert len(small.data) < len(page) / 2
        sizes.add(len(small.data))
    assert len(sizes) > 5
    assert "Content-Encoding" not in client.get("/calls", headers={"Accept-Encoding": "gzip;q=0"}).headers


def test_who_asks_is_counted_over_the_newest_calls_where_there_are_very_many(
    signed_in: Enter, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(engine, 1, 6)
    long_ago = moment("2020-01-01")
    with db.reading(engine) as session:
        assert answers.countable(session, since=long_ago) == long_ago
        moments = sorted((call.started_at for call in session.query(Call)), reverse=True)
        monkeypatch.setattr(answers, "MOST_CALLS", 4)
        assert answers.countable(session, since=long_ago) == moments[4]
    assert "only calls since" in signed_in("rep").get("/desk/unasked").text
