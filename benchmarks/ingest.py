"""How many signed voice webhooks a second, and how long each waits, against a bare Flask route.

Both are served by the product's own server on loopback, and both write to an SQLite file of
their own with the same durability (WAL, synchronous=FULL). Ours verifies the signature, keeps the raw
event sealed, books the call, its caller and its touch, and answers where to ring. The bare route reads the
form and does one INSERT. Each client sends its next request when the last one is answered; the requests
are made before the clock runs. Rounds alternate, so that a busy machine disturbs both alike.

    python benchmarks/ingest.py [--rounds 5] [--requests 800] [--clients 8] [--threads 4]
"""

import argparse
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
from pathlib import Path
from urllib.parse import urlencode

from flask import Flask, request
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, insert

from tracking import clock, server
from tracking.app import create_app
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.telephony import numbers

TOKEN = "a token for the benchmark"
BASE = "https://calls.acme.example"
NUMBER, DESK = "+46701740605", "+46701740690"
PATH = "/providers/twilio/voice"
HERE = Path(__file__).resolve().parent.parent
EVENT = Table(
    "event",
    MetaData(),
    Column("id", Integer, primary_key=True),
    *(Column(name, String) for name in ("call", "caller", "called", "status", "received_at")),
)


def ours() -> Flask:
    """Make the product."""
    settings = Settings.load(elsewhere=["RINGTRAIL_TWILIO_"])
    engine = db.connect(settings)
    db.upgrade(engine)
    with db.transaction(engine) as session:
        numbers.add(session, NUMBER, at=clock.now(), provider="twilio", destination=DESK)
    return create_app(settings, engine)


def bare() -> Flask:
    """Make one route that does one INSERT."""
    engine = db.connect(Settings.load(elsewhere=["RINGTRAIL_TWILIO_"]))
    EVENT.metadata.create_all(engine)
    app = Flask("bare")

    @app.post(PATH)
    def take() -> str:
        form = request.form
        row = {"call": form["CallSid"], "caller": form["From"], "called": form["To"]}
        row |= {"status": form["CallStatus"], "received_at": clock.now().isoformat()}
        with engine.begin() as connection:
            connection.execute(insert(EVENT).values(row))
        return "<Response/>"

    return app


def prepared(round_: int, count: int) -> list[bytes]:
    """Signed requests, each of a call of its own, from a thousand callers."""
    made = []
    for number in range(count):
        form = {
            "CallSid": f"CA{round_:016x}{number:016x}",
            "AccountSid": "AC" + "0" * 32,
            "From": f"+4420794{60000 + number % 1000}",
            "To": NUMBER,
            "CallStatus": "ringing",
            "Direction": "inbound",
            "ApiVersion": "2010-04-01",
            "FromCountry": "GB",
        }
        signed = BASE + PATH + "".join(name + form[name] for name in sorted(form))
        mac = hmac.new(TOKEN.encode(), signed.encode(), hashlib.sha1).digest()
        body = urlencode(form)
        made.append(
            (
                f"POST {PATH} HTTP/1.1\r\nHost: calls.acme.example\r\n"
                f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
                f"X-Twilio-Signature: {base64.b64encode(mac).decode()}\r\n\r\n{body}"
            ).encode()
        )
    return made


def serve(name: str, fd: int, threads: int) -> None:
    """Serve one of the two by the product's own server."""
    listening = socket.socket(fileno=fd)
    listening.setblocking(False)
    app = {"ours": ours, "bare": bare}[name]()
    served = server.Server(
        app.wsgi_app,
        listening,
        threads=threads,
        largest=lambda *_: 1 << 18,
        drafts=Path(os.environ["RINGTRAIL_DATA_DIR"]),
        inbox=app.extensions.get("ringtrail", {}).get("inbox"),
    )
    signal.signal(signal.SIGTERM, lambda *_: served.end())
    served.run()


def send(port: int, requests: list[bytes], waits: list[float]) -> None:
    """Send requests one after the other over one connection."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        replies = connection.makefile("rb")
        for message in requests:
            began = time.perf_counter()
            connection.sendall(message)
            status = replies.readline()
            length = 0
            while (line := replies.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            replies.read(length)
            waits.append(time.perf_counter() - began)
            if b" 200 " not in status:
                raise SystemExit(f"not answered: {status!r}")


def one_round(name: str, round_: int, options: argparse.Namespace) -> tuple[float, list[float]]:
    """Start a server with an empty database, load it, stop it; requests a second, and each one's wait."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("RINGTRAIL_")},
            "RINGTRAIL_DATA_DIR": folder,
            "RINGTRAIL_BASE_URL": BASE,
            "RINGTRAIL_TWILIO_AUTH_TOKENS": TOKEN,
            "RINGTRAIL_DEFAULT_DESTINATION": DESK,
        }
        serving = (
            f"from benchmarks import ingest; ingest.serve({name!r}, {listener.fileno()}, {options.threads})"
        )
        command = [sys.executable, "-c", serving]
        process = subprocess.Popen(command, cwd=HERE, env=environment, pass_fds=[listener.fileno()])
        try:
            send(port, prepared(round_, 50), [])  # the first requests wait for the server to be up and warm
            messages = prepared(round_ + 1_000, options.requests)
            waits: list[float] = []
            clients = [
                threading.Thread(target=send, args=(port, messages[i :: options.clients], waits))
                for i in range(options.clients)
            ]
            began = time.perf_counter()
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            took = time.perf_counter() - began
        finally:
            process.terminate()
            process.wait()
        if len(waits) != options.requests:
            raise SystemExit(f"{name}: {len(waits)} of {options.requests} requests were answered")
        if name == "ours":
            check(Path(folder), options.requests + 50)
        return options.requests / took, waits


def check(folder: Path, requests: int) -> None:
    """See that every call that was answered is in the database, once."""
    engine = create_engine(f"sqlite:///{folder / 'ringtrail.db'}", module=db.sqlite)
    with engine.connect() as connection:
        for table in ("inbox_event", "call", "touch"):
            held = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()
            if held != requests:
                raise SystemExit(f"{table} holds {held} rows after {requests} webhooks")
    engine.dispose()


def spread(values: list[float], digits: int) -> str:
    """Least, median and greatest of the rounds."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def main() -> None:
    """Run the rounds and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    for name, default in (("rounds", 5), ("requests", 800), ("clients", 8), ("threads", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    rates: dict[str, list[float]] = {"ours": [], "bare": []}
    percentiles: dict[str, list[list[float]]] = {"ours": [], "bare": []}
    for round_ in range(options.rounds):
        for name in ("ours", "bare") if round_ % 2 else ("bare", "ours"):
            rate, waits = one_round(name, round_, options)
            rates[name].append(rate)
            cuts = statistics.quantiles(waits, n=100)
            percentiles[name].append([1000 * cuts[p - 1] for p in (50, 95, 99)])
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, ", end="")
    print(
        f"SQLite {db.sqlite.sqlite_version}; {options.clients} clients, {options.threads} threads, ", end=""
    )
    print(f"{options.rounds} rounds of {options.requests}; median (least to greatest) of the rounds")
    for name, what in (("ours", "signed voice webhook"), ("bare", "bare route, one INSERT")):
        p50, p95, p99 = (spread([r[i] for r in percentiles[name]], 1) for i in range(3))
        print(f"{what}: {spread(rates[name], 0)} a second; p50 {p50} ms, p95 {p95} ms, p99 {p99} ms")
    ratios = [a / b for a, b in zip(rates["ours"], rates["bare"], strict=True)]
    print(f"webhooks a second against the bare route: {spread(ratios, 2)}")


if __name__ == "__main__":
    main()
