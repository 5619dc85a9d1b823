"""What a hundred open desks cost the server, how fast a call reaches them, and whether webhooks wait.

python -m benchmarks.desks
python -m benchmarks.desks --desks 100 --seconds 60 --calls 60
"""

import argparse
import base64
import hashlib
import hmac
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

from tracking import clock
from tracking.access import sessions, users
from tracking.app import create_app
from tracking.records import campaigns
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.telephony import numbers

KEY = "cmluZ3RyYWlsLXRlc3Qta2V5LTMyLWJ5dGVzLWxvbmc="
TOKEN = "a token for the benchmark"
NUMBER, DESK = "+46701740605", "+46701740690"
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Desk:
    """One browser that waits for the bell."""

    cookies: str
    port: int
    line: socket.socket = field(init=False)
    mark: str = ""
    told_at: list[float] = field(default_factory=list)

    def ask(self, selector: selectors.BaseSelector) -> None:
        """Ask, on the connection that is open."""
        head = f"GET /bell?calls=&mark={self.mark} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
        self.line.sendall(f"{head}HX-Request: true\r\nCookie: {self.cookies}\r\n\r\n".encode())
        selector.register(self.line, selectors.EVENT_READ, self)

    def read(self) -> None:
        """Take an answer, and note when it came if it brings news."""
        answer = self.line.recv(65536)
        while b"\r\n\r\n" not in answer:
            answer += self.line.recv(65536)
        head, _, body = answer.partition(b"\r\n\r\n")
        said = head.decode().lower()
        status = said.split(" ", 2)[1]
        assert status in ("200", "204"), said
        if status == "200":
            missing = int(said.split("content-length: ")[1].split("\r\n")[0]) - len(body)
            while missing > 0:
                missing -= len(self.line.recv(missing))
            self.mark = said.split('etag: "')[1].split('"')[0]
            self.told_at.append(time.monotonic())


def installation(folder: Path, desks: int) -> tuple[Settings, list[str]]:
    """Make an installation with a number and as many users, signed in; return their cookies."""
    settings = Settings(data_dir=folder, key=KEY)
    engine = db.install(settings)
    app = create_app(settings, engine)
    serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]  # Flask's default has it
    at, cookies = clock.now(), []
    with db.transaction(engine) as session:
        number = numbers.add(session, NUMBER, at=at, provider="twilio", destination=DESK)
        piece = campaigns.add_material(session, campaigns.add(session, "Fair", "fair", at=at), "Stand", at=at)
        numbers.assign(session, number, piece, starts_at=at)
        for index in range(desks):
            user = users.add(session, f"rep{index}@acme.example", f"Rep {index}", "rep", at=at)
            token = sessions.begin(session, user.id, at=at)
            cookies.append(f"ringtrail={serializer.dumps({'_user_id': token, '_fresh': True})}")
    app.extensions["ringtrail"]["inbox"].close()
    engine.dispose()
    return settings, cookies


@contextmanager
def serving(folder: Path) -> Iterator[tuple[int, int]]:
    """Serve it; the port, and the process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    told = {"RINGTRAIL_DATA_DIR": str(folder), "RINGTRAIL_KEY": KEY, "RINGTRAIL_BASE_URL": base}
    told["RINGTRAIL_TWILIO_AUTH_TOKENS"] = TOKEN
    command = [sys.executable, "-m", "tracking", "serve", "--no-worker", "--port", str(port)]
    process = subprocess.Popen(command, env=os.environ | told, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def processor_s(pid: int) -> float:
    """Return the seconds of processor time that a process has had."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / _TICK


def threads(pid: int) -> int:
    """Return how many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def call(port: int, name: str, endpoint: str = "voice", **more: str) -> float:
    """Let a call ring, or end, signed as Twilio signs; return the seconds until the answer was there."""
    form = more | {
        "CallSid": f"CA{hashlib.sha256(name.encode()).hexdigest()[:32]}",
        "AccountSid": "AC" + "0" * 32,
        "From": "+442079460001",
        "To": NUMBER,
        "CallStatus": "ringing",
        "Direction": "inbound",
    }
    path = f"/providers/twilio/{endpoint}"
    signed = f"http://127.0.0.1:{port}{path}" + "".join(key + form[key] for key in sorted(form))
    seal = base64.b64encode(hmac.new(TOKEN.encode(), signed.encode(), hashlib.sha1).digest()).decode()
    line = HTTPConnection("127.0.0.1", port)
    head = {"X-Twilio-Signature": seal, "Content-Type": "application/x-www-form-urlencoded"}
    began = time.monotonic()
    line.request("POST", path, urlencode(form), head)
    answer = line.getresponse()
    assert (answer.status, answer.read() != b"") == (200, True)
    line.close()
    return time.monotonic() - began


def over(port: int, name: str) -> None:
    """Let a call end that was answered."""
    call(port, name, "dial", DialCallStatus="completed", DialCallSid="CA1", DialCallDuration="1")


def wait(desks: list[Desk], selector: selectors.BaseSelector, seconds: float) -> None:
    """Answer what comes to the desks for some seconds; each asks again at once, as the page does."""
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            desk: Desk = key.data
            selector.unregister(desk.line)
            desk.read()
            desk.ask(selector)


def measure(desks: int, seconds: float, calls: int) -> None:
    """Print what was found."""
    with tempfile.TemporaryDirectory() as name:
        _, cookies = installation(Path(name), desks)
        with serving(Path(name)) as (port, pid), selectors.DefaultSelector() as selector:
            call(port, "warm")
            alone = []
            for n in range(calls):
                alone.append(call(port, f"alone {n}"))
                time.sleep(1)
                over(port, f"alone {n}")
                time.sleep(1)
            before = threads(pid)
            used = processor_s(pid)
            time.sleep(seconds)
            print(f"no desk: {100 * (processor_s(pid) - used) / seconds:.2f} % of a core")
            opened = [Desk(one, port) for one in cookies]
            for desk in opened:
                desk.line = socket.create_connection(("127.0.0.1", port))
                desk.ask(selector)
            wait(opened, selector, 5)
            used = processor_s(pid)
            wait(opened, selector, seconds)
            share = 100 * (processor_s(pid) - used) / seconds
            print(f"{desks} desks, at rest: {share:.2f} % of a core, {threads(pid) - before:+d} threads")
            late, beside, used, began = [], [], processor_s(pid), time.monotonic()
            for n in range(calls):
                for desk in opened:
                    desk.told_at.clear()
                sent = time.monotonic()
                beside.append(call(port, f"beside {n}"))
                wait(opened, selector, 1)
                late += [min(desk.told_at) - sent for desk in opened if desk.told_at]
                over(port, f"beside {n}")
                wait(opened, selector, 1)
            share = 100 * (processor_s(pid) - used) / (time.monotonic() - began)
            print(f"{desks} desks, a call every two seconds: {share:.2f} % of a core")
            cuts = statistics.quantiles(late, n=100)
            print(
                f"from the webhook to a desk: median {1000 * cuts[49]:.0f} ms, "
                f"99th percentile {1000 * cuts[98]:.0f} ms, last {1000 * max(late):.0f} ms; "
                f"{len(late)} of {desks * calls} told"
            )
            for words, took in (("no desk", alone), (f"{desks} desks", beside)):
                cuts = statistics.quantiles(took, n=20)
                print(
                    f"a webhook with {words}: median {1000 * cuts[9]:.1f} ms, "
                    f"95th percentile {1000 * cuts[18]:.1f} ms"
                )
            print(f"ratio of the medians: {statistics.median(beside) / statistics.median(alone):.2f}")
            for desk in opened:
                desk.line.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--desks", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--calls", type=int, default=60)
    told = parser.parse_args()
    measure(told.desks, told.seconds, told.calls)
