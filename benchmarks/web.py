"""How long every page takes on a large installation, each against an empty page in the same run.

python -m benchmarks.web --calls 1000000 --touches 3000000 --deals 50000
python -m benchmarks.web --keep var/large             (makes the data once, and measures them again)
python -m benchmarks.web --keep var/large --only roi  (only pages with this in their address)
"""

import argparse
import gzip
import io
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from benchmarks import large
from tracking import clock, worker
from tracking.access import jobs, users
from tracking.app import create_app, settle
from tracking.reporting import bases, snapshots
from tracking.reporting.credit import GROUPS
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Answer, Call
from tracking.storage.vocabulary import Role
from tracking.telephony import calls as ours
from tracking.web import signin
from tracking.web.pages import PUBLIC

KEY = "cmluZ3RyYWlsLXRlc3Qta2V5LTMyLWJ5dGVzLWxvbmc="
PASSWORD = "correct horse battery staple"
AIM_MS, AIM_KB = 300, 200
EMPTY = "/views"
EVERY_MODEL = tuple(model for models in GROUPS.values() for model in models)
_COSTS = "campaign,start,end,amount,currency,category\n" + "".join(
    f"Campaign {i % 40},2025-01-{i % 28 + 1:02},2025-01-{i % 28 + 1:02},{i}.00,EUR,media\n"
    for i in range(5000)
)
_RECORDS = {
    "event_id": 1,
    "reading_id": 1,
    "campaign_id": 1,
    "material_id": 1,
    "number_id": 1,
    "cost_id": 1,
    "schedule_id": 1,
}


@dataclass(frozen=True, slots=True)
class Visit:
    """One page as one role opens it."""

    role: Role
    path: str
    name: str


@dataclass(frozen=True, slots=True)
class Time:
    """Seconds by the clock, and of the processor, which other work beside it lengthens less."""

    clock: float
    processor: float


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one page."""

    name: str
    first: Time
    then: list[Time]
    statements: int
    size: int
    sent: int


def visits(app: Flask, session: Session, token: str) -> Iterator[Visit]:
    """Give every address that is read, as the first role that may, then the ways they are filtered."""
    newest = session.scalars(select(Call).order_by(Call.started_at.desc()).limit(1)).one()
    waiting = session.scalars(ours.unlogged(since=clock.now() - _YEAR).limit(1)).one()
    number = next(c for c in session.scalars(select(Call).limit(50)) if c.caller)
    records = _RECORDS | {
        "call_id": newest.id, "company_id": 2, "deal_id": 25, "job_id": 1, "token": token, "form": "html",
    }  # fmt: skip
    seen: dict[str, Role] = {}
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("web.") or rule.endpoint == "web.static":
            continue
        # What a simulation shows does not depend on how much is recorded.
        if "GET" not in (rule.methods or set()) or rule.rule.startswith("/simulator/runs/"):
            continue
        roles = app.view_functions[rule.endpoint].roles  # type: ignore[attr-defined]  # every page has them
        role = next(one for one in Role if one in roles or roles == PUBLIC)
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(records[found[1]]), rule.rule)
        seen[rule.rule] = role
        yield Visit(role, path, rule.rule)
    models = "&".join(f"model={name}" for name in EVERY_MODEL)
    filtered = (
        "/?from=2024-06-01&to=2025-05-31",
        f"/roi?{models}",
        "/roi?channel=search&against=year",
        "/roi/trends?by=week&against=previous",
        "/key-figures?against=year",
        "/roi/behind?goal=won&line=Campaign 7",
        "/roi/behind?goal=lead&line=(total)",
        "/calls?campaign=Campaign 7",
        "/calls?campaign=-",
        "/calls?status=missed",
        "/calls?status=ringing",
        "/calls?lead=good_lead",
        "/calls?lead=-",
        "/calls?asked=yes",
        "/calls?asked=no",
        "/calls?asked=logged",
        "/calls?asked=unlogged",
        "/calls?by=Rita",
        "/calls?by=Nobody",
        "/calls?spam=yes",
        "/calls?q=buyer 77",
        "/calls?q=nobody of this name",
        f"/calls?q={(number.caller or '').replace('+', '%2B')}",
        "/calls?q=0150",
        "/calls?from=2025-01-01&to=2025-01-31&status=missed&campaign=Campaign 7",
        "/calls?status=voicemail&lead=good_lead&asked=no&spam=yes",
        "/calls?after=0-0",
        "/calls?before=1735689600000000-1",
        "/companies?q=buyer 1234",
        "/companies?q=nobody",
        f"/companies?q={(number.caller or '').replace('+', '%2B')}",
        "/companies?skip=200000",
        "/companies/1",
        "/companies/1?skip=15000",
        "/companies/1?kind=call",
        "/companies/1?kind=event",
        "/companies/1?kind=answer",
        f"/desk?call={waiting.id}",
        f"/bell?calls={waiting.id}",
        "/desk/unasked?days=7",
        "/desk/unasked?days=14",
        "/desk/unasked?skip=5000",
        "/deals?q=buyer 7",
        "/deals?stage=won&skip=40000",
        "/deals?stage=lost",
        "/numbers?q=150",
        "/costs?campaign=Campaign 7",
        "/costs?skip=2000",
        "/audit?skip=200000",
    )
    for path in filtered:
        plain = path.partition("?")[0]
        role = seen.get(plain) or seen["/companies/<int:company_id>"]
        yield Visit(role, path, path if len(path) < 80 else f"{plain} (all {len(EVERY_MODEL)} models)")


class Office:
    """An application with somebody of each role signed in, and a count of the statements it sends."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.app = create_app(settings, engine)
        settle()
        self.clients = {role: self._enter(role) for role in Role}
        self.statements = 0
        event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, *_: object) -> None:
        self.statements += 1

    def _enter(self, role: Role) -> FlaskClient:
        client = self.app.test_client()
        fields = {"csrf_token": _token(client, "/sign-in"), "email": _address(role), "password": PASSWORD}
        assert client.post("/sign-in", data=fields).status_code == 302
        return client

    def fetch(self, visit: Visit) -> tuple[int, int]:
        """Get a page as a browser does and return its bytes, without charts as written and all as sent.

        Of a file that is sent while it is made only the first row is read.
        """
        answer = self.clients[visit.role].get(visit.path, buffered=False, headers={"Accept-Encoding": "gzip"})
        good = answer.status_code in (200, 204) or (answer.status_code == 302 and "import" in visit.path)
        assert good, f"{visit.path}: {answer.status_code}"
        if answer.is_streamed and answer.mimetype == "text/csv" and "calls" in visit.path:
            parts = answer.iter_encoded()
            size = sent = sum(len(next(parts)) for _ in range(3))
        else:
            sent = len(answer.data)
            packed = answer.headers.get("Content-Encoding") == "gzip"
            size = len(_without_charts(gzip.decompress(answer.data) if packed else answer.data))
        answer.close()
        return size, sent


def give_file(office: Office, engine: Engine, settings: Settings) -> str:
    """Give a file of costs, have it tried, and return the token under which it waits."""
    client = office.clients[Role.marketer]
    token = _token(client, "/account")
    file = (io.BytesIO(_COSTS.encode()), "costs.csv")
    path = client.post("/imports", data={"csrf_token": token, "file": file}).location
    names = _COSTS.partition("\n")[0].split(",")
    columns = {
        f"column-{place}": field
        for place, field in enumerate(
            ("campaign", "period_start", "period_end", "amount", "currency", "category")
        )
        if place < len(names)
    }
    answer = client.post(path, data={"csrf_token": token, "kind": "costs"} | columns)
    assert answer.status_code in (302, 303), answer.text
    while jobs.work(engine, worker.known(engine, settings)):
        pass
    return str(path).rpartition("/")[2]


def log_calls(office: Office, engine: Engine, repeat: int) -> list[Time]:
    """Save the answer of call after call as a rep does, and return the seconds of each."""
    client = office.clients[Role.rep]
    token = _token(client, "/desk")
    with db.reading(engine) as session:
        waiting = session.scalars(ours.unlogged(since=clock.now() - _YEAR).limit(repeat)).all()
        ids = [call.id for call in waiting]
        assert not session.scalar(select(Answer.id).where(Answer.call_id.in_(ids)).limit(1))

    def save(call_id: int) -> None:
        fields = {"csrf_token": token, "source": "Campaign 7", "lead_status": "good_lead"}
        assert client.post(f"/desk/{call_id}", data=fields).status_code == 303

    return [timed(lambda call_id=call_id: save(call_id)) for call_id in ids]


_YEAR = timedelta(days=365)


def _address(role: Role) -> str:
    return f"{role}@acme.example"


def _token(client: FlaskClient, path: str) -> str:
    return client.get(path).text.split('name="csrf-token" content="')[1].split('"')[0]


def _without_charts(page: bytes) -> bytes:
    return re.sub(rb'<script type="application/json".*?</script>', b"", page, flags=re.DOTALL)


def timed(work: Callable[[], Any]) -> Time:
    started, at = time.process_time(), time.perf_counter()
    work()
    return Time(time.perf_counter() - at, time.process_time() - started)


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--touches", type=int, default=3_000_000)
    parser.add_argument("--deals", type=int, default=50_000)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--only", default="")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ringtrail-bench-") as folder:
        measure(told, told.keep or Path(folder))


def install(told: argparse.Namespace, settings: Settings) -> Engine:
    fresh = not (settings.data_dir / "ringtrail.db").exists()
    engine = db.install(settings)
    if fresh:
        seconds = timed(lambda: large.fill(engine, told.calls, told.touches, told.deals, told.seed)).clock
        print(
            f"wrote {told.calls:,} calls, {told.touches:,} touches, {told.deals:,} deals in {seconds:.0f} s"
        )
        let_in(engine, settings)
    return engine


def let_in(engine: Engine, settings: Settings) -> None:
    """Add somebody of each role."""
    with db.transaction(engine) as session:
        hashed = signin.hash_for(engine, settings, PASSWORD)
        for role in Role:
            users.add(session, _address(role), role.title(), role, at=clock.now()).password = hashed


def measure(told: argparse.Namespace, folder: Path) -> None:
    settings = Settings(data_dir=folder, key=KEY)
    engine = install(told, settings)

    def take() -> None:
        with db.reading(engine) as session:
            bases.take(session, settings, at=clock.now(), groups=tuple(GROUPS))

    office = Office(settings, engine)
    token = give_file(office, engine, settings)
    print(f"snapshot with the credit of all models, taken beside the pages: {timed(take).clock:.1f} s")
    with db.reading(engine) as session:
        asked = [v for v in visits(office.app, session, token) if told.only in v.name or v.path == EMPTY]
    first = {}
    for visit in asked:
        snapshots._current.clear()
        first[visit] = timed(lambda visit=visit: office.fetch(visit))
    rows = []
    for visit in asked:
        before = office.statements
        size, sent = office.fetch(visit)
        count = office.statements - before
        then = [timed(lambda visit=visit: office.fetch(visit)) for _ in range(told.repeat)]
        rows.append(Row(visit.name, first[visit], then, count, size, sent))
    if not told.only:
        logged = log_calls(office, engine, told.repeat)
        rows.append(Row("POST /desk/<int:call_id>", logged[0], logged, 0, 0, 0))
    report(rows)
    office.app.extensions["ringtrail"]["inbox"].close()
    engine.dispose()


def report(rows: list[Row]) -> None:
    base = next(row for row in rows if row.name == EMPTY)
    least = p95([one.processor for one in base.then])
    heads = ("first", "median", "p95", "first cpu", "p95 cpu", "cpu/empty", "statements", "KB", "KB sent")
    print(f"{'page, milliseconds':64}" + "".join(f"{head:>11}" for head in heads))
    for row in rows:
        clocks, processor = [one.clock for one in row.then], [one.processor for one in row.then]
        figures = (
            row.first.clock * 1000,
            statistics.median(clocks) * 1000,
            p95(clocks) * 1000,
            row.first.processor * 1000,
            p95(processor) * 1000,
            p95(processor) / least,
            row.statements,
            row.size / 1000,
            row.sent / 1000,
        )
        late = p95(clocks) * 1000 >= AIM_MS or row.sent >= AIM_KB * 1000
        missed = "  misses the aim" if late else ""
        print(f"{row.name:64}" + "".join(f"{figure:11,.1f}" for figure in figures) + missed)


if __name__ == "__main__":
    main()
