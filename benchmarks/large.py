"""A large installation: calls, touches, companies and deals, written by plain SQL and past the domain.

Only their number and spread matter here, so what the domain derives (campaigns of calls by their number,
first calls) is written as it would come out.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Engine

from benchmarks.callers import CALLERS
from tracking import clock
from tracking.storage import namemarks, vault
from tracking.storage.vocabulary import PointKind

CHANNELS = ("search", "directory", "print", "trade fair", "email")
CAMPAIGNS = 40
MATERIALS = 3
"""Pieces of ad material of each campaign, each with a number of its own."""
NUMBERS = tuple(f"+493023125{last:03d}" for last in range(200))
_DAY = 86_400_000_000
_YEARS = 3
_CALLERS = CALLERS[:30_000]
"""Without the blocks of which our own numbers are taken."""
_REPS = ("Rita", "Rolf", "Rosa", "Rune", "Ruth")
_KINDS = np.array(["visit", "visit", "form", "message"])
_BUSY = 20_000
"""Touches of the first company, a customer who calls all day."""


class _Writer:
    """Rows into tables, with the indexes made at the end."""

    def __init__(self, engine: Engine) -> None:
        self._raw: Any = engine.raw_connection()
        self._raw.execute("PRAGMA synchronous=OFF")
        self._raw.execute("PRAGMA cache_size=-400000")
        self._raw.execute("BEGIN")
        found = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        self._indexes = self._raw.execute(found).fetchall()
        for name, _ in self._indexes:
            self._raw.execute(f"DROP INDEX {name}")

    def __call__(self, table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * len(columns.split(",")))
        self._raw.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)

    def close(self) -> None:
        for _, sql in self._indexes:
            self._raw.execute(sql)
        self._raw.execute("INSERT INTO data_change DEFAULT VALUES")
        self._raw.execute("COMMIT")
        self._raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._raw.close()


def fill(engine: Engine, calls: int, touches: int, deals: int, seed: int) -> None:
    """Write so many calls, touches (the calls' among them) and won deals into an empty SQLite file."""
    rng = np.random.default_rng(seed)
    now = int(clock.now().timestamp()) * 10**6
    early = datetime.now(UTC) - timedelta(days=1200)
    born = int(early.timestamp()) * 10**6
    accounts = max(10, touches // 10)
    begins = now - rng.integers(0, _YEARS * 365 * _DAY, accounts)
    buyer = rng.integers(0, accounts, touches)
    buyer[:: max(1, touches // _BUSY)] = 0
    at = begins[buyer] + rng.integers(0, 200 * _DAY, touches)
    late = at > now
    at[late] = now - rng.integers(0, 90 * _DAY, late.sum())
    order = np.argsort(at, kind="stable")
    buyer, at = buyer[order], at[order]
    # Calls and other touches mix along time.
    is_call = np.zeros(touches, dtype=bool)
    is_call[rng.choice(touches, calls, replace=False)] = True
    # Of a few, nobody can say what caused them.
    source = rng.integers(0, CAMPAIGNS + 3, touches)
    piece = rng.integers(0, MATERIALS, touches)
    write = _Writer(engine)
    _advertise(write, early, born, now)
    _people(write, accounts, born)
    rung = np.flatnonzero(is_call)
    _calls(write, rng, buyer[rung], at[rung], source[rung], piece[rung], now)
    number = np.cumsum(is_call)
    kinds = np.where(is_call, "call", _KINDS[rng.integers(0, 4, touches)])
    columns = zip(
        (buyer + 1).tolist(), at.tolist(), source.tolist(), piece.tolist(), is_call.tolist(),
        number.tolist(), kinds.tolist(), strict=True,
    )  # fmt: skip
    write(
        "touch",
        "id, contact_id, occurred_at, kind, campaign_id, ad_material_id, call_id",
        (
            (
                i, who, moment, kind,
                campaign + 1 if campaign < CAMPAIGNS else None,
                campaign * MATERIALS + part + 1 if rings and campaign < CAMPAIGNS else None,
                call if rings else None,
            )
            for i, (who, moment, campaign, part, rings, call, kind) in enumerate(columns, 1)
        ),
    )  # fmt: skip
    _deals(write, rng, begins, deals, born, now)
    _beside(write, early, now)
    write.close()


def _advertise(write: _Writer, early: datetime, born: int, now: int) -> None:
    named = [(c + 1, f"Campaign {c}", CHANNELS[c % len(CHANNELS)]) for c in range(CAMPAIGNS)]
    write(
        "campaign",
        "id, name, channel, direction, objective, targets, created_at",
        (
            (i, name, channel, "outbound" if i % 4 == 0 else "inbound", "", '{"leads": 400}', born)
            for i, name, channel in named
        ),
    )
    pieces = range(CAMPAIGNS * MATERIALS)
    write(
        "ad_material",
        "id, campaign_id, name, kind, medium, issued_on, expires_on, created_at",
        (
            (
                p + 1, p // MATERIALS + 1, f"Edition {p % MATERIALS}", "catalogue", "print",
                f"{early:%Y-%m-%d}", f"{early.year + 1}-12-31" if p % 10 == 0 else None, born,
            )
            for p in pieces
        ),
    )  # fmt: skip
    write(
        "tracking_number",
        "id, number, destination, provider, status, label, created_at",
        ((i, number, "+46701740699", "sip", "active", "", born) for i, number in enumerate(NUMBERS, 1)),
    )
    write(
        "number_assignment",
        "tracking_number_id, ad_material_id, starts_at",
        ((p + 1, p + 1, born) for p in pieces),
    )
    # Of the others some rest, and still ring.
    rests = range(len(pieces), len(pieces) + 20)
    write(
        "number_assignment",
        "tracking_number_id, ad_material_id, starts_at, ends_at, quarantined_until",
        ((p + 1, p % len(pieces) + 1, born, born + _DAY, now + 90 * _DAY) for p in rests),
    )
    years = range(early.year, early.year + _YEARS + 2)
    write(
        "cost",
        "campaign_id, period_start, period_end, amount_minor, currency, category, direct, note",
        (
            (
                c + 1, f"{year}-{month:02}-01", f"{year + month // 12}-{month % 12 + 1:02}-01",
                40_000_00 * (1 + c % 7), "EUR", "media", 1, "",
            )
            for year in years
            for month in range(1, 13)
            for c in range(CAMPAIGNS)
        ),
    )  # fmt: skip
    write(
        "visit_count",
        "day, campaign_id, visits",
        (
            (f"{early + timedelta(days=d):%Y-%m-%d}", c + 1, 20 + (c * d) % 100)
            for d in range(1200)
            for c in range(CAMPAIGNS)
        ),
    )


def _people(write: _Writer, accounts: int, born: int) -> None:
    ids = range(1, accounts + 1)
    write(
        "account",
        "id, name, name_key, domain, created_at",
        ((i, f"Buyer {i}", f"buyer {i}", f"buyer{i}.example", born) for i in ids),
    )
    write(
        "contact",
        "id, account_id, name, name_marks, created_at",
        ((i, i, vault.seal(name := f"Person {i}", "contact.name"), namemarks.marks(name), born) for i in ids),
    )
    known = zip(ids, _CALLERS, strict=False)
    write(
        "contact_point",
        "contact_id, kind, value, value_hash",
        (
            (
                i,
                "phone",
                vault.seal(number, "contact_point.value"),
                vault.lookup_hash(PointKind.phone, number),
            )
            for i, number in known
        ),
    )


def _calls(
    write: _Writer, rng: np.random.Generator, buyer: Any, at: Any, source: Any, piece: Any, now: int
) -> None:
    count = len(buyer)
    status = rng.choice(["completed", "missed", "voicemail"], count, p=[0.8, 0.15, 0.05]).tolist()
    judged = rng.choice(["good_lead", "not_a_lead", ""], count, p=[0.3, 0.1, 0.6]).tolist()
    spam = (rng.random(count) < 0.02).tolist()
    rep = rng.integers(0, len(_REPS), count).tolist()
    # What somebody took is mostly logged; of the last days less.
    answered = ((rng.random(count) < 0.75) & (at < now - _DAY)).tolist()
    who, moments = buyer.tolist(), at.tolist()
    held = np.where(source < CAMPAIGNS, source * MATERIALS + piece, -1).tolist()
    sealed = [vault.seal(number, "call.caller") for number in _CALLERS]
    hashed = [vault.lookup_hash(PointKind.phone, number) for number in _CALLERS]
    strays = len(NUMBERS) - CAMPAIGNS * MATERIALS
    kept = [i for i in range(count) if answered[i] and status[i] == "completed"]
    dialled = [h if h >= 0 else len(NUMBERS) - 1 - i % strays for i, h in enumerate(held)]
    write(
        "call",
        "id, provider, provider_call_id, dialled, tracking_number_id, assignment_id, contact_id, caller, "
        "caller_hash, caller_state, started_at, duration_s, talk_s, status, lead_status, note, tags, spam",
        (
            (
                i + 1, "sip", f"c{i}", NUMBERS[dialled[i]], dialled[i] + 1,
                held[i] + 1 if held[i] >= 0 else None, who[i] + 1, sealed[who[i] % len(_CALLERS)],
                hashed[who[i] % len(_CALLERS)], "valid", moments[i], 90, 60, status[i], judged[i] or None, "",
                "[]", spam[i],
            )
            for i in range(count)
        ),
    )  # fmt: skip
    write(
        "answer",
        "contact_id, call_id, asked_at, asked_by, outcome, campaign_id, verbatim",
        (
            (
                who[i] + 1, i + 1, moments[i] + 60_000_000, _REPS[rep[i]],
                "answered" if held[i] >= 0 else "not_asked",
                held[i] // MATERIALS + 1 if held[i] >= 0 else None,
                "in a brochure" if i % 3 == 0 and held[i] >= 0 else None,
            )
            for i in kept
        ),
    )  # fmt: skip


def _deals(write: _Writer, rng: np.random.Generator, begins: Any, deals: int, born: int, now: int) -> None:
    who = rng.integers(0, len(begins), deals)
    won = np.minimum(begins[who] + rng.integers(0, 300 * _DAY, deals), now)
    amount = rng.lognormal(12.5, 1, deals).astype(int)
    write(
        "deal",
        "account_id, name, stage, closed_at, amount_minor, currency, created_at",
        (
            (a + 1, f"Order {i}", "won", w, v, "EUR", born)
            for i, (a, w, v) in enumerate(zip(who.tolist(), won.tolist(), amount.tolist(), strict=True))
        ),
    )


def _beside(write: _Writer, early: datetime, now: int) -> None:
    """Write what an office gathers in years: its trail, jobs, events and indicators."""
    write(
        "audit_entry",
        "at, actor, action, subject",
        (
            (now - i * 300_000_000, f"rep{i % 5}@acme.example", "call log", f"call {i}")
            for i in range(300_000)
        ),
    )
    done = '{"created": 10, "updated": 0, "skipped": 0, "refused": 0}'
    write(
        "job",
        "kind, label, arguments, state, done, attempts, result, created_by, created_at, started_at, "
        "finished_at",
        (
            (
                "import",
                f"calls {i}.csv",
                "{}",
                "done",
                10,
                1,
                done,
                "Mia",
                now - i * _DAY,
                now - i * _DAY,
                now - i,
            )
            for i in range(500)
        ),
    )
    write(
        "material_picture", "ad_material_id, content_type, content", [(1, "image/png", b"\x89PNG" * 20_000)]
    )
    write(
        "report_schedule",
        "name, recipients, cadence, language, options, next_on, created_by",
        [
            (
                "Board",
                '["board@acme.example"]',
                "monthly",
                "en",
                '{"span": "ended", "attachments": ["pdf"], "query": {}}',
                "2030-01-01",
                "Mia",
            )
        ],
    )
    write(
        "annotation",
        "starts_on, title, note",
        ((f"{early + timedelta(days=30 * i):%Y-%m-%d}", f"Fair {i}", "") for i in range(30)),
    )
    write(
        "indicator",
        "name, day, value, unit, source",
        (
            ("brand searches", f"{early + timedelta(days=7 * i):%Y-%m-%d}", 1000 + i, "searches", "")
            for i in range(170)
        ),
    )
