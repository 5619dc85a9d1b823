"""Simulated calls, played to a running service as a provider reports them, and what it made of them."""

import hashlib
import json
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from simulator import scenario as scenarios
from simulator.market import World
from simulator.runs import mapper
from simulator.write import tables
from tracking.errors import Invalid
from tracking.storage.vocabulary import CallStatus
from tracking.telephony.providers import twilio

TWICE = 0.1
"""Share of reports that come twice."""
SHUFFLED = 0.15
"""Share of calls whose reports come in another order than they were made."""
_TRIES = 20
_PER_PAGE = 250
_ANONYMOUS = "anonymous"

Form = dict[str, str]


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it happened; ``caller`` is None where the number was withheld."""

    sid: str
    dialled: str
    caller: str | None
    started_at: datetime
    status: CallStatus
    duration_s: int
    talk_s: int


@dataclass(frozen=True, slots=True)
class Played:
    """How it went: requests sent, how many were refused for good, and how long it took."""

    calls: int
    requests: int
    refused: int
    seconds: float
    busiest_hour: int
    """Calls in the busiest hour of the simulated time."""

    @property
    def load(self) -> float:
        """Return how many times faster calls came than in the busiest simulated hour."""
        return self.calls / self.seconds / (self.busiest_hour / 3600)


def simulate(
    numbers: Sequence[str], at: datetime, *, scenario: str, accounts: int, days: int, seed: int
) -> list[Call]:
    """Return the calls of some simulated days that end at a moment, to these numbers, in order of time."""
    if not numbers:
        raise Invalid("numbers", "the service has no active tracking number; add one first")
    start = (at - timedelta(days=days)).date() + timedelta(days=1)
    try:
        world = World(scenarios.load(scenario, {"start": start}), accounts, days, seed)
    except scenarios.ScenarioError as error:
        raise Invalid("scenario", str(error)) from None
    with mapper(1) as spread:
        market = tables(world, spread)
    phones = {row["contact_id"]: row["phone"] for row in market["contacts"].to_pylist()}
    boards = {row["account_id"]: row["switchboard"] for row in market["accounts"].to_pylist()}
    people = {
        row["touch_id"][1:]: row["contact_id"]
        for row in market["touches"].to_pylist()
        if row["kind"] == "call"
    }
    places = sorted(set(market["calls"]["campaign"].to_pylist()))
    made = []
    for row in market["calls"].to_pylist():
        began = row["started_at"].replace(microsecond=0)
        if not at - timedelta(days=days) <= began <= at - timedelta(seconds=row["duration_s"]):
            continue
        person = people.get(row["call_id"])
        made.append(
            Call(
                sid="CA" + hashlib.sha256(f"{seed} {row['call_id']}".encode()).hexdigest()[:32],
                dialled=numbers[places.index(row["campaign"]) % len(numbers)],
                caller=phones.get(person or "") or boards.get(row["account_id"] or ""),
                started_at=began,
                # A provider's reports do not tell a message on a machine from a call that nobody took.
                status=CallStatus.completed if row["status"] == "completed" else CallStatus.missed,
                duration_s=row["duration_s"],
                talk_s=row["talk_s"],
            )
        )
    return sorted(made, key=lambda call: (call.started_at, call.sid))


def reports(call: Call) -> list[tuple[str, Form]]:
    """Return what a provider reports about a call, as endpoint and form, in the order of events."""
    answered = call.status is CallStatus.completed
    picked_up = call.started_at + timedelta(seconds=call.duration_s - call.talk_s)
    ended = call.started_at + timedelta(seconds=call.duration_s)
    common = {
        "CallSid": call.sid,
        "AccountSid": "AC" + "0" * 32,
        "From": call.caller or _ANONYMOUS,
        "To": call.dialled,
        "Direction": "inbound",
        "ApiVersion": "2010-04-01",
    }

    def leg(status: str, at: datetime, number: int, seconds: int | None = None) -> Form:
        told = {
            "CallSid": "CAd" + call.sid[3:],
            "ParentCallSid": call.sid,
            "CallStatus": status,
            "Direction": "outbound-dial",
            "Timestamp": format_datetime(at),
            "SequenceNumber": str(number),
        }
        return told if seconds is None else told | {"CallDuration": str(seconds)}

    dialled = {"DialCallSid": "CAd" + call.sid[3:], "CallStatus": "in-progress"}
    over = common | {
        "CallStatus": "completed",
        "CallDuration": str(call.duration_s),
        "Timestamp": format_datetime(ended),
        "SequenceNumber": "4",
    }
    made = [("voice", common | {"CallStatus": "ringing"}), ("status", leg("ringing", call.started_at, 1))]
    if answered:
        made += [
            ("status", leg("in-progress", picked_up, 2)),
            ("status", leg("completed", ended, 3, call.talk_s)),
            (
                "dial",
                common | dialled | {"DialCallStatus": "completed", "DialCallDuration": str(call.talk_s)},
            ),
        ]
    else:
        made += [
            ("status", leg("no-answer", ended, 3, 0)),
            ("dial", common | dialled | {"DialCallStatus": "no-answer"}),
        ]
    return [*made, ("status", over)]


def play(
    calls: Sequence[Call],
    base_url: str,
    key: str,
    *,
    rate: float,
    seed: int,
    threads: int = 16,
    progress: Callable[[int], None] = lambda done: None,
) -> Played:
    """Send the reports about calls, signed, ``rate`` calls a second, some twice and some out of order.

    Raises
    ------
    Invalid
        If the service refuses the signature, or does not answer at all.
    """
    chance = random.Random(seed)  # noqa: S311 - which reports come twice is no secret
    lines = [_disordered(reports(call), chance) for call in calls]
    tally = _Tally()
    begin = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        waiting = []
        for index, line in enumerate(lines):
            # By the plan and not by the last call, so that a slow answer is caught up with.
            time.sleep(max(0.0, begin + index / rate - time.monotonic()))
            waiting.append(pool.submit(_line, line, base_url, key, tally))
            progress(index + 1)
        for one in waiting:
            one.result()
    hours: dict[datetime, int] = {}
    for call in calls:
        hour = call.started_at.replace(minute=0, second=0)
        hours[hour] = hours.get(hour, 0) + 1
    return Played(
        calls=len(calls),
        requests=tally.sent,
        refused=tally.refused,
        seconds=time.monotonic() - begin,
        busiest_hour=max(hours.values(), default=0),
    )


@dataclass
class _Tally:
    sent: int = 0
    refused: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, *, refused: bool) -> None:
        with self.lock:
            self.sent += 1
            self.refused += refused


def _disordered(line: list[tuple[str, Form]], chance: random.Random) -> list[tuple[str, Form]]:
    first, rest = line[:1], line[1:]
    if chance.random() < SHUFFLED:
        chance.shuffle(rest)
    return [one for report in (*first, *rest) for one in [report] * (2 if chance.random() < TWICE else 1)]


def _line(line: list[tuple[str, Form]], base_url: str, key: str, tally: _Tally) -> None:
    connection = _connect(base_url)
    try:
        for endpoint, form in line:
            url = f"{base_url}/providers/twilio/{endpoint}"
            head = {
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Twilio-Signature": twilio.sign(url, {name: [value] for name, value in form.items()}, key),
            }
            status = 503
            for attempt in range(_TRIES):
                try:
                    connection.request("POST", urlsplit(url).path, urlencode(form), head)
                    answer = connection.getresponse()
                    answer.read()
                    status = answer.status
                except (OSError, HTTPException):
                    connection.close()
                    status = 503
                # As a provider does: what could not be kept is sent again.
                if status < 500:
                    break
                time.sleep(min(0.1 * 2**attempt, 2))
            if status == 403:
                raise Invalid("key", f"{base_url} refuses the signature; give it the same auth token")
            if status >= 500:
                raise Invalid("base_url", f"{base_url} does not take reports (status {status})")
            tally.count(refused=status >= 400)
    finally:
        connection.close()


def _connect(base_url: str) -> HTTPConnection:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("base_url", f"{base_url!r} is no web address; write http://127.0.0.1:8000")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(parts.hostname, parts.port, timeout=30)


def ask(base_url: str, token: str, path: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return all rows of a list of the service's API."""
    connection, found, page = _connect(base_url), [], 1
    try:
        while True:
            told = urlencode({**query, "page": str(page), "per_page": str(_PER_PAGE)})
            head = {"Authorization": f"Bearer {token}"}
            connection.request("GET", f"{urlsplit(base_url).path}/api/v1/{path}?{told}", headers=head)
            answer = connection.getresponse()
            body = json.loads(answer.read())
            if answer.status != 200:
                raise Invalid("token", f"{base_url} answers {answer.status}: {body.get('detail')}")
            found += body["items"]
            if page >= body["total_pages"]:
                return found
            page += 1
    except (OSError, HTTPException) as error:
        raise Invalid("base_url", f"{base_url} does not answer ({error})") from None
    finally:
        connection.close()


def differences(calls: Sequence[Call], stored: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return where what is stored is not what happened, as call, field, happened, stored."""
    rows = {row["provider_call_id"]: row for row in stored if row["provider"] == twilio.PROVIDER}
    found: list[dict[str, Any]] = []
    for call in calls:
        row = rows.get(call.sid)
        if row is None:
            found.append({"call": call.sid, "field": "call", "happened": "it rang", "stored": "nothing"})
            continue
        happened: dict[str, object] = {
            "dialled": call.dialled,
            "caller": call.caller,
            "started_at": call.started_at,
            "status": call.status.value,
            "duration_s": call.duration_s,
            "talk_s": call.talk_s if call.status is CallStatus.completed else None,
        }
        kept = dict(row) | {"started_at": datetime.fromisoformat(row["started_at"])}
        found += [
            {"call": call.sid, "field": name, "happened": value, "stored": kept[name]}
            for name, value in happened.items()
            if kept[name] != value
        ]
    return found
