"""How long pages take on a large installation, each against an empty page in the same run.

python -m benchmarks.web --calls 1000000 --touches 3000000 --deals 50000
python -m benchmarks.web --keep /tmp/large       (makes the data once, and measures them again the next time)
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from flask.testing import FlaskClient
from sqlalchemy import Engine

from tracking import campaigns, clock, db, snapshots, users
from tracking.app import create_app
from tracking.config import Settings
from tracking.web import signin

KEY = "cmluZ3RyYWlsLXRlc3Qta2V5LTMyLWJ5dGVzLWxvbmc="
PASSWORD = "correct horse battery staple"
ADDRESS = "anna@acme.example"
CAMPAIGNS = 40
CHANNELS = ("search", "directory", "print", "trade fair", "email")
DAY = 86_400_000_000
DEFAULT = "/roi"
ALL_MODELS = "/roi?" + "&".join(f"model={name}" for name in snapshots._RULES + snapshots._FITTED)
PAGES = {
    "empty page": "/views",
    "overview": "/",
    "ROI, three models": DEFAULT,
    "ROI, all models": ALL_MODELS,
    "trends by week": "/roi/trends?by=week",
    "key figures": "/key-figures?against=year",
    "advice": "/roi/advice",
    "deals behind a figure": "/roi/behind?goal=won&line=Campaign 7",
    "calls": "/calls",
    "campaigns": "/campaigns",
    "numbers": "/numbers",
    "costs": "/costs",
    "desk": "/desk",
}


def fill(engine: Engine, calls: int, touches: int, deals: int, seed: int) -> None:
    """Write the data by plain SQL, past the domain: only their number and spread matter here."""
    rng = np.random.default_rng(seed)
    now = int(clock.now().timestamp()) * 10**6
    accounts = max(10, touches // 10)
    begins = now - rng.integers(0, 3 * 365 * DAY, accounts)
    buyer = rng.integers(0, accounts, touches)
    at = np.minimum(begins[buyer] + rng.integers(0, 200 * DAY, touches), now)
    source = rng.integers(0, CAMPAIGNS + 3, touches)
    status = rng.choice(["completed", "missed", "voicemail"], calls, p=[0.8, 0.15, 0.05]).tolist()
    judged = rng.choice(["good_lead", "not_a_lead", ""], calls, p=[0.3, 0.1, 0.6]).tolist()
    who = rng.integers(0, accounts, deals)
    won = np.minimum(begins[who] + rng.integers(0, 300 * DAY, deals), now)
    amount = rng.lognormal(12.5, 1, deals).astype(int)
    early = datetime.now(UTC) - timedelta(days=1200)
    with db.transaction(engine) as session:
        for number in range(CAMPAIGNS):
            campaigns.add(session, f"Campaign {number}", CHANNELS[number % len(CHANNELS)], at=early)
    raw: Any = engine.raw_connection()
    raw.execute("PRAGMA synchronous=OFF")
    raw.execute("BEGIN")
    born = int(early.timestamp()) * 10**6

    def write(table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * len(columns.split(",")))
        raw.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)

    ids = range(1, accounts + 1)
    write("account", "id, name, created_at", ((i, f"Buyer {i}", born) for i in ids))
    write("contact", "id, account_id, created_at", ((i, i, born) for i in ids))
    people, moments, sources = (buyer + 1).tolist(), at.tolist(), source.tolist()
    write(
        "call",
        "id, provider, provider_call_id, dialled, contact_id, caller_state, started_at, duration_s, talk_s, "
        "status, lead_status, note, tags, spam",
        (
            (i + 1, "cdr", f"c{i}", "+46701740605", people[i], "withheld", moments[i], 90, 60, status[i],
             judged[i] or None, "", "[]", 0)
            for i in range(calls)
        ),
    )  # fmt: skip
    kinds = ("visit", "visit", "form", "message")
    write(
        "touch",
        "id, contact_id, occurred_at, kind, campaign_id, call_id",
        (
            (i + 1, people[i], moments[i], "call" if i < calls else kinds[i % 4],
             sources[i] + 1 if sources[i] < CAMPAIGNS else None, i + 1 if i < calls else None)
            for i in range(touches)
        ),
    )  # fmt: skip
    write(
        "answer",
        "contact_id, call_id, asked_at, outcome, campaign_id",
        (
            (people[i], i + 1, moments[i], "answered", sources[i] + 1)
            for i in range(0, calls, 5)
            if sources[i] < CAMPAIGNS
        ),
    )
    write(
        "deal",
        "account_id, name, stage, closed_at, amount_minor, currency, created_at",
        (
            (a + 1, f"Order {i}", "won", w, v, "EUR", born)
            for i, (a, w, v) in enumerate(zip(who.tolist(), won.tolist(), amount.tolist(), strict=True))
        ),
    )
    years = range(early.year, early.year + 5)
    write(
        "cost",
        "campaign_id, period_start, period_end, amount_minor, currency, category, direct, note",
        (
            (c + 1, f"{year}-01-01", f"{year + 1}-01-01", 500_000_00 * (1 + c % 7), "EUR", "media", 1, "")
            for c in range(CAMPAIGNS)
            for year in years
        ),
    )
    raw.execute("INSERT INTO data_change DEFAULT VALUES")
    raw.execute("COMMIT")
    raw.execute("ANALYZE")
    raw.close()


def enter(client: FlaskClient) -> FlaskClient:
    page = client.get("/sign-in").text
    token = page.split('name="csrf-token" content="')[1].split('"')[0]
    fields = {"csrf_token": token, "email": ADDRESS, "password": PASSWORD}
    assert client.post("/sign-in", data=fields).status_code == 302
    return client


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def fetch(client: FlaskClient, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200, f"{path}: {page.status_code}"


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--touches", type=int, default=3_000_000)
    parser.add_argument("--deals", type=int, default=50_000)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ringtrail-bench-") as folder:
        measure(told, told.keep or Path(folder))


def measure(told: argparse.Namespace, folder: Path) -> None:
    settings = Settings(data_dir=folder, key=KEY)
    fresh = not (folder / "ringtrail.db").exists()
    engine = db.install(settings)
    if fresh:
        seconds = timed(lambda: fill(engine, told.calls, told.touches, told.deals, told.seed))
        print(
            f"wrote {told.calls:,} calls, {told.touches:,} touches, {told.deals:,} deals in {seconds:.0f} s"
        )
        with db.transaction(engine) as session:
            hashed = signin.hash_for(engine, settings, PASSWORD)
            users.add(session, ADDRESS, "Anna", "administrator", at=clock.now()).password = hashed
    everything = (*snapshots._RULES, *snapshots._FITTED)

    def take() -> None:
        with db.reading(engine) as session:
            snapshots.take(session, settings, at=clock.now(), models=everything)

    print(f"snapshot with the credit of all models, taken beside the pages: {timed(take):.1f} s")
    app = create_app(settings, engine)
    client = enter(app.test_client())
    fetch(client, PAGES["empty page"])
    cold = {}
    for name, path in PAGES.items():
        snapshots._remembered.clear()
        cold[name] = timed(lambda path=path: fetch(client, path))
    warm = {}
    for name, path in PAGES.items():
        fetch(client, path)
        warm[name] = [timed(lambda path=path: fetch(client, path)) for _ in range(told.repeat)]
    base = p95(warm["empty page"])
    print(f"{'page':26}{'first, ms':>11}{'median, ms':>12}{'p95, ms':>10}{'p95 / empty page':>18}{'KB':>6}")
    for name, seconds in warm.items():
        size = len(client.get(PAGES[name]).data) / 1000
        print(
            f"{name:26}{cold[name] * 1000:11.0f}{statistics.median(seconds) * 1000:12.1f}"
            f"{p95(seconds) * 1000:10.1f}{p95(seconds) / base:18.1f}{size:6.0f}"
        )
    app.extensions["ringtrail"]["inbox"].close()
    engine.dispose()


if __name__ == "__main__":
    main()
