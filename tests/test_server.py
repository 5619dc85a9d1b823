"""The server under clients that are slow, many or uninvited: the telephone is answered all the same."""

import gc
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from io import BytesIO
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import pytest
from flask import Flask, request
from sqlalchemy import Engine, func, select, text, update

from tests.cast import ACME_DESK, CATALOGUE_NUMBER, moment
from tests.conftest import KEY
from tests.twilio_requests import BASE, TOKEN, incoming, sid, signature, with_twilio
from tests.web.people import enter, form, hire
from tracking import lanes, server
from tracking.app import create_app, settle
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Call, User
from tracking.storage.vault import Draft
from tracking.telephony import inbox, numbers, ringing
from tracking.web.pages import largest_of

only_sqlite = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
# A bound for what is lost, not a speed to keep.
PATIENCE_S = 60
SALES = "+46701740691"


@contextmanager
def running(app: Flask, folder: Path, **told: object) -> Iterator[int]:
    """Serve an application in this process; the port."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listening.setblocking(False)
    options = {"threads": 2, "drafts": folder} | (told or {"largest": largest_of(app)})
    served = server.Server(app.wsgi_app, listening, **options)  # type: ignore[arg-type]  # as the test says
    thread = threading.Thread(target=served.run)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        served.end()
        thread.join()
        listening.close()


@pytest.fixture
def acme(settings: Settings, engine: Engine) -> Iterator[Flask]:
    """Acme's service, whose catalogue number rings at the desk."""
    with db.transaction(engine) as session:
        numbers.add(session, CATALOGUE_NUMBER, at=moment("2026-01-01"), provider="twilio")
    hire(engine)
    app = create_app(with_twilio(settings), engine)
    yield app
    app.extensions["ringtrail"]["inbox"].close()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


def ring(port: int, call: int, connection: HTTPConnection | None = None, rings: str = ACME_DESK) -> None:
    """Let the catalogue number ring, as Twilio does, and see that it rings at the desk, or elsewhere."""
    fields = incoming(sid(call))
    line = connection or HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    head = {
        "X-Twilio-Signature": signature(fields, endpoint="voice"),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    line.request("POST", "/providers/twilio/voice", urlencode(fields), head)
    answer = line.getresponse()
    assert (answer.status, rings.encode() in answer.read()) == (200, True)
    if connection is None:
        line.close()


HALF_HEAD = b"POST /providers/twilio/voice HTTP/1.1\r\nHost: 127.0.0.1\r\n"
HALF_BODY = HALF_HEAD + b"Content-Length: 1000\r\n\r\nCallSid="
OLD_LINE = b"GET /livez HTTP/1.0\r\n"


@only_sqlite
@pytest.mark.parametrize(
    ("how", "many"),
    [(HALF_HEAD, 8), (HALF_BODY, 8), (b"", 200), (b"", 400), (HALF_BODY, 250), (OLD_LINE, 30)],
    ids=["half heads", "half bodies", "idle", "more idle than one may have", "many half bodies", "old"],
)
def test_clients_that_stop_half_way_do_not_silence_the_telephone(
    acme: Flask, tmp_path: Path, how: bytes, many: int
) -> None:
    with running(acme, tmp_path) as port, ExitStack() as kept:
        for _ in range(many):
            kept.enter_context(connect(port)).sendall(how)
        for call in range(5):
            ring(port, call)


@only_sqlite
def test_connections_that_were_opened_before_are_served(acme: Flask, tmp_path: Path) -> None:
    """A provider keeps connections open, and opens them before it needs them."""
    with running(acme, tmp_path) as port:
        lines = [HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S) for _ in range(20)]
        for line in lines:
            line.connect()
        with ExitStack() as kept:
            for _ in range(100):
                kept.enter_context(connect(port)).sendall(HALF_HEAD)
            for call, line in enumerate(lines * 2):
                ring(port, call, line)
        for line in lines:
            line.close()


def test_pages_that_take_long_do_not_hold_up_the_telephone(tmp_path: Path) -> None:
    release, busy = threading.Event(), threading.Semaphore(0)
    app = Flask("slow")

    @app.get("/report")
    def report() -> str:
        busy.release()
        release.wait(PATIENCE_S)
        return "done"

    @app.post("/providers/acme/voice")
    def voice() -> str:
        return "ring"

    with running(app, tmp_path, largest=lambda *_: 1000) as port:
        lines = [HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S) for _ in range(6)]
        for line in lines:
            line.request("GET", "/report")
        for _ in range(2):
            assert busy.acquire(timeout=PATIENCE_S)
        phone = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        phone.request("POST", "/providers/acme/voice", "")
        assert phone.getresponse().read() == b"ring"
        phone.close()
        release.set()
        for line in lines:
            assert line.getresponse().read() == b"done"
            line.close()


def test_a_connection_may_send_a_few_requests_ahead_and_is_then_closed(tmp_path: Path) -> None:
    app = Flask("ahead")
    asked = list[int]()
    app.add_url_rule("/", view_func=lambda: asked.append(1) or "said")  # type: ignore[func-returns-value]  # one line
    with running(app, tmp_path, largest=lambda *_: 1000) as port, connect(port) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 300)
        heard = b""
        with suppress(ConnectionResetError):
            while some := line.recv(1 << 16):
                heard += some
    assert heard.count(b"said") == len(asked) <= server._MOST_AHEAD + server._PIECE // 27


def test_a_head_that_cannot_be_read_is_answered_and_writes_nothing_into_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(Flask("heads"), tmp_path, largest=lambda *_: 1000) as port:
        # Of a long head no more is looked at than honest ones have: all connections wait for it.
        for head in (
            b"\0\0\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: " + b"a" * 33_000,
            b"GET http://[ HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        ):
            assert answer_to(port, head)[0] in (400, 431)
        answer_to(port, b"GET //[ HTTP/1.1\r\n\r\n")
    assert caplog.records == []


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive",
        b"POST / HTTP/1.2\r\nTransfer-Encoding: chunked",
        b"POST /\r\nTransfer-Encoding: chunked",
        b"PRI * HTTP/2.0",
        b"POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 40",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked",
        b"POST / HTTP/1.1\r\nTransfer-Encoding:\r\nContent-Length: 4",
        b"POST / HTTP/1.1\r\nA: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 4",
        b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\nContent-Length: 4",
    ],
)
def test_where_the_end_of_a_request_is_not_clear_nothing_behind_it_is_read(
    tmp_path: Path, head: bytes
) -> None:
    """Else a proxy that sees another end would let one client send a part of the next one's request."""
    app, asked = Flask("ends"), list[str]()

    @app.before_request
    def note() -> None:
        asked.append(request.path)

    with running(app, tmp_path, largest=lambda *_: 1000) as port, connect(port) as line:
        line.sendall(head + b"\r\n\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        heard = b""
        with suppress(ConnectionResetError):
            while some := line.recv(1 << 16):
                heard += some
    assert heard.split(b" ", 2)[1] == b"400"
    assert (asked, heard.count(b"HTTP/1.")) == ([], 1)


def test_who_takes_nothing_of_an_answer_gives_the_thread_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_STALLS_S", 2.0)
    app = Flask("large")
    app.add_url_rule("/large", "large", lambda: (b"x" * 1_000_000 for _ in range(100)))
    app.add_url_rule("/", "small", lambda: "said")
    with running(app, tmp_path, largest=lambda *_: 1000) as port, ExitStack() as kept:
        for _ in range(2):
            kept.enter_context(connect(port)).sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        line = kept.enter_context(closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)))
        line.request("GET", "/")
        assert line.getresponse().read() == b"said"


@pytest.mark.parametrize(
    ("length", "said"), [(b"", b"200"), (b"Content-Length: 4000\r\n", b"413")], ids=["no body", "too large"]
)
def test_who_expects_to_be_told_to_go_on_is_answered_at_once_where_nothing_is_to_come(
    tmp_path: Path, length: bytes, said: bytes
) -> None:
    """What came next would else be read as the rest of this one's head."""
    app = Flask("expects")
    app.add_url_rule("/", "small", lambda: "said", methods=["POST"])
    with running(app, tmp_path, largest=lambda *_: 1000) as port, connect(port) as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" + length + b"\r\n")
        assert line.recv(4096).split(b" ", 2)[1] == said


def test_a_line_within_a_body_that_has_no_end_is_refused(tmp_path: Path) -> None:
    """Each piece of it would be looked through with all that came before."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with running(Flask("lines"), tmp_path, largest=lambda *_: 1 << 30) as port:
        for begun in (b"1;a=", b"0\r\nTrailer: "):
            assert answer_to(port, head + begun + b"a" * 50_000)[0] == 400


def test_who_asks_much_waits_for_himself_and_not_others_for_him(tmp_path: Path) -> None:
    """Of each client one request in turn, also behind a proxy that is named."""
    rows, done = lanes.Lanes(1, None, proxies=(ip_network("127.0.0.1"),)), list[str]()
    begun, go_on = threading.Event(), threading.Event()

    def ask(name: str, peer: str, client: str) -> None:
        def service() -> None:
            begun.set()
            go_on.wait(PATIENCE_S)
            done.append(name)

        head = {"X_FORWARDED_FOR": client}
        request = SimpleNamespace(path="/", command="POST", headers=head, error=None)
        rows.add_task(SimpleNamespace(requests=[request], addr=(peer, 0), cancel=None, service=service))

    ask("first", "127.0.0.1", "198.51.100.9")
    assert begun.wait(PATIENCE_S)
    for n in range(3):
        ask(f"many {n}", "127.0.0.1", "198.51.100.1")
    ask("one", "127.0.0.1", "198.51.100.2")
    ask("many in another's name", "198.51.100.1", "198.51.100.3")
    go_on.set()
    while len(done) < 6:
        time.sleep(0.001)
    rows.shutdown()
    assert done == ["first", "many 0", "one", "many 1", "many 2", "many in another's name"]


def test_where_all_wait_for_an_answer_room_is_made_by_whoever_has_most(tmp_path: Path) -> None:
    def channel(address: str, path: str = "") -> SimpleNamespace:
        made = SimpleNamespace(addr=(address, 0), last_activity=0.0, open=True)
        made.requests = [SimpleNamespace(path=path)] if path else []
        made.handle_close = lambda: setattr(made, "open", False)
        return made

    call, page = "/providers/twilio/voice", "/roi"
    crowd = [channel("a", page), channel("a", page), channel("a", call), channel("b", page), channel("c")]
    server._make_room(crowd)
    assert [c.open for c in crowd] == [True, False, True, True, True]
    calls = [channel("a", call), channel("a", call), channel("b", call), channel("c")]
    server._make_room(calls)
    assert [c.open for c in calls] == [True, False, True, True]
    idle = [channel("a"), channel("a", page), *[channel("b") for _ in range(2 * server._ACCEPTED)]]
    server._make_room(idle)
    assert [c.open for c in idle[:2]] == [False, True], "what has only just come may not have been looked at"


def test_a_page_that_nobody_waits_for_any_more_is_not_made(tmp_path: Path) -> None:
    app, made = Flask("left"), list[str]()
    busy, release = threading.Event(), threading.Event()

    @app.get("/<name>")
    def page(name: str) -> str:
        made.append(name)
        busy.set()
        release.wait(PATIENCE_S)
        return "said"

    one = {"threads": 1, "drafts": tmp_path, "largest": lambda *_: 1000}
    with running(app, tmp_path, **one) as port, connect(port) as first, connect(port) as last:
        first.sendall(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
        assert busy.wait(PATIENCE_S)
        with connect(port) as gone:
            gone.sendall(b"GET /gone HTTP/1.1\r\nHost: a\r\n\r\n")
        last.sendall(b"GET /last HTTP/1.1\r\nHost: a\r\n\r\n")
        release.set()
        assert last.recv(4096).split(b" ", 2)[1] == b"200"
    assert made == ["first", "last"]


def test_connections_that_wait_together_are_taken_together(tmp_path: Path) -> None:
    """One at each turn of the loop, a thousand at once keep a caller waiting for seconds."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening, ExitStack() as kept:
        listening.setblocking(False)
        served = server.Server(
            Flask("many").wsgi_app, listening, threads=1, largest=lambda *_: 1000, drafts=tmp_path
        )
        for _ in range(50):
            kept.enter_context(connect(listening.getsockname()[1]))
        served.handle_accept()
        assert len(served.active_channels) == 50
        served.end()
        served.run()


@only_sqlite
def test_while_telephone_requests_wait_for_the_database_others_are_worked_on(
    acme: Flask, engine: Engine, tmp_path: Path
) -> None:
    """Few are worked on at once, and many may wait."""
    taken = acme.extensions["ringtrail"]["inbox"]
    with running(acme, tmp_path, largest=largest_of(acme), inbox=taken) as port:
        callers = [threading.Thread(target=ring, args=(port, call)) for call in range(lanes._AT_WORK + 4)]
        with engine.begin():
            callers[0].start()
            while taken._busy_since is None:
                time.sleep(0.001)
            for caller in callers[1:]:
                caller.start()
            while len(taken._queue) < len(callers) - 1:
                time.sleep(0.001)
        for caller in callers:
            caller.join()
    with db.reading(engine) as session:
        assert session.scalar(select(func.count(Call.id))) == len(callers)


def test_as_many_webhooks_wait_at_once_as_one_transaction_takes_in() -> None:
    """Fewer would queue in a storm while each transaction has room for more."""
    assert lanes.TELEPHONE_THREADS >= inbox._BATCH


def test_who_sends_more_slowly_than_anybody_honest_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    now = [1000.0]
    monkeypatch.setattr(server.time, "monotonic", lambda: now[0])

    def asked(text: bytes) -> object:
        from waitress.adjustments import Adjustments

        parser = type("Request", (server._Request,), {"largest": staticmethod(lambda *_: 1 << 30)})
        request = parser(Adjustments())
        while text:
            text = text[request.received(text) :]
        return request

    head, body = asked(HALF_HEAD), asked(HALF_BODY.replace(b"1000", b"1000000") + b"x" * 500_000)
    for later, head_late, body_late in (
        (19.0, False, False),
        (21.0, True, False),
        (79.0, True, False),
        (81.0, True, True),
    ):
        now[0] = 1000.0 + later
        assert (head.is_late(), body.is_late()) == (head_late, body_late), later  # type: ignore[attr-defined]  # a _Request


def test_a_service_gives_back_what_a_report_took(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow's own allocator keeps it."""
    monkeypatch.setattr(gc, "freeze", lambda: None)
    pool, thresholds = pa.default_memory_pool(), gc.get_threshold()
    try:
        settle()
        assert pa.default_memory_pool().backend_name == "system"
    finally:
        pa.set_memory_pool(pool)
        gc.set_threshold(*thresholds)


# --- What nobody asked for -------------------------------------------------------------------------------


def answer_to(port: int, sent: bytes) -> tuple[int, str]:
    with connect(port) as line:
        line.sendall(sent)
        return int(line.recv(4096).split()[1]), ""


@only_sqlite
@pytest.mark.parametrize(
    "path",
    ["/imports", "/campaigns/1/material", "/sign-in", "/api/v1/calls", "/providers/twilio/voice", "/nowhere"],
)
@pytest.mark.parametrize("cookie", ["", "ringtrail-sends=forged; ringtrail=forged"])
def test_a_large_body_of_nobody_is_refused_before_a_byte_of_it_is_read(
    acme: Flask, tmp_path: Path, path: str, cookie: str
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\n"
    with running(acme, tmp_path) as port:
        # Nothing of the body is sent, and yet the answer comes.
        assert answer_to(port, f"{head}Content-Length: 199000000\r\n\r\n".encode())[0] == 413
        chunk = b"40000\r\n" + b"x" * 0x40000 + b"\r\n"
        assert answer_to(port, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk * 2)[0] == 413


@only_sqlite
def test_who_may_send_files_may_and_signing_in_alone_is_not_enough(acme: Flask, tmp_path: Path) -> None:
    body = b"name,channel\n" + b"x" * 600_000
    for role, status in (("marketer", 303), ("rep", 413)):
        client = enter(acme.test_client(), role)
        token = form(client.get("/account").text)["csrf_token"]
        cookies = "; ".join(f"{c.key}={c.value}" for c in client._cookies.values())
        field = 'Content-Disposition: form-data; name="'
        parts = f'--x\r\n{field}csrf_token"\r\n\r\n{token}\r\n--x\r\n{field}file"; filename="a.csv"\r\n\r\n'
        whole = parts.encode() + body + b"\r\n--x--\r\n"
        with running(acme, tmp_path) as port:
            line = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
            head = {
                "Cookie": cookies,
                "Content-Type": "multipart/form-data; boundary=x",
                "Content-Length": str(len(whole)),
            }
            line.putrequest("POST", "/imports")
            for name, value in head.items():
                line.putheader(name, value)
            line.endheaders()
            if role == "marketer":
                line.send(whole)
            answer = line.getresponse()
            assert answer.status == status, answer.read()
            answer.close()
            line.close()


@only_sqlite
def test_a_full_disk_takes_no_upload_and_the_telephone_goes_on(
    acme: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = enter(acme.test_client(), "marketer")
    fields = form(client.get("/imports").text) | {"file": (BytesIO(b"x" * 300_000), "a.csv")}
    monkeypatch.setattr(Settings, "room", lambda _self: 0)
    answer = client.post("/imports", data=fields)
    assert answer.status_code == 507
    assert "nearly full" in answer.text
    with running(acme, tmp_path) as port:
        ring(port, 1)


def test_what_is_received_lies_on_the_disk_in_cipher(tmp_path: Path) -> None:
    said = b"+46701740605 Frida of Borealis " * 5000
    draft = Draft(tmp_path)
    for start in range(0, len(said), 1000):
        draft.seek(0, 2)
        draft.write(said[start : start + 1000])
    on_disk = Path(f"/proc/self/fd/{draft._file.fileno()}").read_bytes()
    assert len(on_disk) == len(said)
    assert b"Borealis" not in on_disk
    assert list(tmp_path.iterdir()) == [], "and has no name"
    for place, count in ((0, 10), (16, 16), (17, 1), (15, 3), (4321, 100), (len(said) - 5, 50)):
        draft.seek(place)
        assert draft.read(count) == said[place : place + count]
    draft.seek(0)
    assert draft.read() == said
    draft.close()


@only_sqlite
def test_files_and_large_answers_are_drafts_everywhere(acme: Flask, tmp_path: Path) -> None:
    with acme.test_request_context():
        stream = acme.request_class({})._get_file_stream(10_000_000, None)
    assert isinstance(stream, Draft)
    with running(acme, tmp_path):
        from waitress.buffers import TempfileBasedBuffer

        assert isinstance(TempfileBasedBuffer().file, Draft)


# --- Beginning anew --------------------------------------------------------------------------------------


@pytest.fixture
def installed(sqlite_template: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of an installation with a user and the catalogue number."""
    (tmp_path / "ringtrail.db").write_bytes(sqlite_template.read_bytes())
    engine = db.connect(Settings(data_dir=tmp_path, key=KEY))
    hire(engine)
    with db.transaction(engine) as session:
        numbers.add(session, CATALOGUE_NUMBER, at=moment("2026-01-01"), provider="twilio")
    engine.dispose()
    told = {
        "DATA_DIR": str(tmp_path),
        "KEY": KEY,
        "TWILIO_AUTH_TOKENS": TOKEN,
        "DEFAULT_DESTINATION": ACME_DESK,
    }
    told["BASE_URL"] = BASE
    return os.environ | {f"RINGTRAIL_{name}": value for name, value in told.items()}


@contextmanager
def started(environment: dict[str, str], *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start the service on a socket that it is handed, as systemd does; process and port."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        port = listening.getsockname()[1]
        # The number of the descriptor and of the process are what the protocol asks for.
        script = f'exec 3<&{listening.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
        command = ["bash", "-c", script, "-", sys.executable, "-m", "tracking", "serve", *options]
        process = subprocess.Popen(
            command,
            env=environment,
            pass_fds=[listening.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield process, port
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        assert process.stdout is not None
        process.stdout.close()


def processes_of(folder: str, *, pages: bool = False) -> list[int]:
    """Return the processes that serve or work for an installation; those for pages where asked."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            is_pages = b"_pages" in (environment.parent / "cmdline").read_bytes()
            if f"RINGTRAIL_DATA_DIR={folder}\0".encode() in environment.read_bytes() and pages >= is_pages:
                found.append(int(environment.parent.name))
    return found


def test_a_service_that_begins_anew_fails_no_request(installed: dict[str, str]) -> None:
    """While one process ends and begins, another one stands in for it on the same socket."""
    with started(installed, "--no-worker") as (process, port):
        ring(port, 0)
        over, calls, failed = threading.Event(), [0], []

        def provider(which: int) -> None:
            n = 0
            while not over.is_set():
                n += 1
                try:
                    ring(port, which * 10_000 + n)
                except Exception as error:  # any failure is one
                    failed.append(repr(error))
                    return
                calls[0] += 1

        providers = [threading.Thread(target=provider, args=(which,)) for which in (1, 2)]
        for thread in providers:
            thread.start()
        for _ in range(2):
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGHUP)
            process.stdout.readline()  # type: ignore[union-attr]  # a pipe; the program says where it serves
            while processes_of(installed["RINGTRAIL_DATA_DIR"]) != [process.pid] and not failed:
                time.sleep(0.05)
            before = calls[0]
            while calls[0] < before + 20 and not failed:
                time.sleep(0.05)
        over.set()
        for thread in providers:
            thread.join()
        assert failed == []
        assert process.poll() is None


def test_while_a_service_begins_anew_another_one_takes_the_calls(installed: dict[str, str]) -> None:
    with started(installed, "--no-worker") as (process, port):
        ring(port, 0)
        process.send_signal(signal.SIGHUP)
        while len(processes_of(installed["RINGTRAIL_DATA_DIR"])) < 2:
            time.sleep(0.01)
        # Held still, the process that was there before can answer nothing.
        process.send_signal(signal.SIGSTOP)
        ring(port, 1)
        process.send_signal(signal.SIGCONT)
        ring(port, 2)


def test_a_version_that_does_not_start_replaces_nothing(installed: dict[str, str]) -> None:
    folder = Path(installed["RINGTRAIL_DATA_DIR"])
    with started(installed, "--no-worker") as (process, port):
        ring(port, 0)
        assert process.stdout is not None
        process.stdout.readline()
        (folder / "ringtrail.settings").unlink(missing_ok=True)
        engine = db.connect(Settings(data_dir=folder, key=KEY))
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        process.send_signal(signal.SIGHUP)
        while "this one goes on" not in process.stdout.readline():
            assert process.poll() is None
        ring(port, 1)
        assert processes_of(str(folder)) == [process.pid]
        engine.dispose()


def test_a_restart_by_whoever_holds_the_socket_fails_no_request(installed: dict[str, str]) -> None:
    """Systemd keeps the socket; who calls meanwhile waits for the next process."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as held:
        port = held.getsockname()[1]
        script = f'exec 3<&{held.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
        command = ["bash", "-c", script, "-", sys.executable, "-m", "tracking", "serve", "--no-worker"]
        for call in (1, 2):
            process = subprocess.Popen(
                command, env=installed, pass_fds=[held.fileno()], stdout=subprocess.DEVNULL
            )
            ring(port, call)
            process.terminate()
            assert process.wait(PATIENCE_S) == 0


def test_a_service_whose_database_is_down_starts_and_rings(installed: dict[str, str]) -> None:
    folder = Path(installed["RINGTRAIL_DATA_DIR"])
    told = with_twilio(Settings(data_dir=folder, key=KEY))
    engine = db.connect(told)
    with db.transaction(engine) as session:
        numbers.forward_to(session, numbers.get(session, CATALOGUE_NUMBER), SALES)
    create_app(told, engine)
    engine.dispose()
    nowhere = installed | {"RINGTRAIL_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nowhere"}
    with started(nowhere, "--no-worker") as (process, port):
        ring(port, 1, rings=SALES)
        assert process.poll() is None
    assert len(list((folder / "spool").glob("*.sealed"))) == 1
    with started(installed, "--no-worker") as (_, port):
        ring(port, 2, rings=SALES)
    engine = db.connect(told)
    with db.reading(engine) as session:
        assert session.scalar(select(func.count(Call.id))) == 2, "the spooled one is caught up"
    engine.dispose()


def test_the_first_password_stands_in_no_log(sqlite_template: Path, tmp_path: Path) -> None:
    (tmp_path / "ringtrail.db").write_bytes(sqlite_template.read_bytes())
    told = {"RINGTRAIL_DATA_DIR": str(tmp_path), "RINGTRAIL_KEY": KEY}
    with started(os.environ | told, "--no-worker") as (process, port):
        assert process.stdout is not None
        said = process.stdout.readline() + process.stdout.readline()
        line = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        line.request("GET", "/livez")
        assert line.getresponse().status == 200
        line.close()
    path = tmp_path / "first-password"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert str(path) in said
    assert path.read_text().strip() not in said


def listener(port: int, cookies: str, calls: str = "", mark: str = "") -> HTTPConnection:
    """Ask for the bell, as a browser does that has been told what stands so far."""
    line = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    line.request("GET", f"/bell?calls={calls}&mark={mark}", headers={"Cookie": cookies, "HX-Request": "true"})
    return line


def told(line: HTTPConnection) -> tuple[int, str, dict[str, Any]]:
    """Read the answer: status, mark and news."""
    answer = line.getresponse()
    body = answer.read()
    line.close()
    return (
        answer.status,
        (answer.headers["ETag"] or "").strip('"'),
        json.loads(body) if answer.status == 200 else {},
    )


def cookies_of(app: Flask, role: str) -> str:
    client = enter(app.test_client(), role)
    return "; ".join(f"{one.key}={one.value}" for one in client._cookies.values())


@only_sqlite
def test_a_hundred_desks_wait_for_the_bell_without_a_thread_and_the_telephone_is_answered(
    acme: Flask, tmp_path: Path
) -> None:
    bell = acme.extensions["ringtrail"]["bell"]
    cookies = cookies_of(acme, "rep")
    with running(acme, tmp_path, largest=largest_of(acme), bell=bell) as port:
        status, mark, news = told(listener(port, cookies))
        assert (status, news["ringing"]) == (200, [])
        before = threading.active_count()
        waiting = [listener(port, cookies, mark=mark) for _ in range(100)]
        ring(port, 0)
        assert threading.active_count() <= before + 1, "the clerk of the inbox"
        for line in waiting:
            status, _, news = told(line)
            assert status == 200
            assert [one["status"] for one in news["ringing"]] == ["ringing"]


@only_sqlite
def test_the_bell_is_silent_for_who_signs_out_and_for_who_never_signed_in(
    acme: Flask, tmp_path: Path
) -> None:
    bell = acme.extensions["ringtrail"]["bell"]
    client = enter(acme.test_client(), "rep")
    cookies = "; ".join(f"{one.key}={one.value}" for one in client._cookies.values())
    with running(acme, tmp_path, largest=largest_of(acme), bell=bell) as port:
        _, mark, _ = told(listener(port, cookies))
        line = listener(port, cookies, mark=mark)
        client.post("/sign-out", data=form(client.get("/account").text))
        assert told(line)[0] == 401
        assert told(listener(port, "ringtrail=made-up"))[0] == 401
        assert told(listener(port, cookies_of(acme, "viewer")))[0] == 403


@only_sqlite
def test_who_waits_for_the_bell_is_let_go_when_the_service_ends(acme: Flask, tmp_path: Path) -> None:
    bell = acme.extensions["ringtrail"]["bell"]
    cookies = cookies_of(acme, "rep")
    with running(acme, tmp_path, largest=largest_of(acme), bell=bell) as port:
        _, mark, _ = told(listener(port, cookies))
        line = listener(port, cookies, mark=mark)
        told(listener(port, cookies))
    assert told(line)[0] == 204


@only_sqlite
def test_who_has_gone_is_no_longer_rung(acme: Flask, engine: Engine, tmp_path: Path) -> None:
    """The one who is left is rung, although another, who has closed his browser, was free."""
    bell = acme.extensions["ringtrail"]["bell"]
    with running(acme, tmp_path, largest=largest_of(acme), bell=bell) as port:
        rita, mikael = cookies_of(acme, "rep"), cookies_of(acme, "marketer")
        with db.transaction(engine) as session:
            session.execute(update(User).where(User.name == "Mikael").values(away=True))
        _, mark, _ = told(listener(port, rita))
        gone = listener(port, rita, mark=mark)
        ring(port, 1)
        assert told(gone)[2]["ringing"] != []
        _, mark, news = told(listener(port, mikael))
        assert news["ringing"] == [], "away, and somebody is free"
        gone.close()
        while not news["ringing"]:
            status, mark, news = told(listener(port, mikael, mark=mark))
            assert status == 200


@only_sqlite
def test_one_look_that_fails_silences_no_desk(
    acme: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell = acme.extensions["ringtrail"]["bell"]
    cookies = cookies_of(acme, "rep")
    with running(acme, tmp_path, largest=largest_of(acme), bell=bell) as port:
        _, mark, _ = told(listener(port, cookies))
        untaken, fails = ringing.untaken, [RuntimeError("cannot be read")]

        def once(*args: Any, **named: Any) -> Any:
            if fails:
                raise fails.pop()
            return untaken(*args, **named)

        monkeypatch.setattr(ringing, "untaken", once)
        line = listener(port, cookies, mark=mark)
        ring(port, 2)
        assert [one["status"] for one in told(line)[2]["ringing"]] == ["ringing"]
    assert fails == []
