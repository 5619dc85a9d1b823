"""How long a page waits for its number at 200 page views a second, and a webhook meanwhile.

One `ringtrail serve` on loopback, with an SQLite file of its own. Visitors come from many addresses, as a
proxy would name them; half of the views are a visitor's first. Webhooks of calls ring meanwhile.
The reference is as many requests to /livez, which does nothing, at the same pace. Round by round, so that a
busy machine disturbs all alike.

    python -m benchmarks.collector [--seconds 10] [--rounds 3] [--rate 200]
"""

import argparse
import json
import os
import platform
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.ingest import TOKEN, prepared
from tracking import clock
from tracking.records import sites
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.telephony import numbers, pools

ORIGIN = "https://www.acme.example"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CLIENTS = 8


def furnish(settings: Settings) -> str:
    """Add a site with a pool of fifty numbers, and return its key."""
    engine = db.install(settings)
    with db.transaction(engine) as session:
        site = sites.add(
            session, "Acme", at=clock.now(), origins=[ORIGIN], number="+46701740690", consent=False
        )
        numbers.add(session, "+46701740605", at=clock.now(), provider="twilio", destination="+46701740690")
        for place in range(50):
            row = numbers.add(session, f"+4420794601{place:02d}", at=clock.now(), provider="twilio")
            pools.put(session, site, row, at=clock.now())
        key = site.key
    engine.dispose()
    return key


def paced(port: int, rate: float, seconds: float, views: str | None) -> list[float]:
    """Ask at a pace from several clients, and return how long each answer took, in seconds."""
    took: list[float] = []

    def client(number: int) -> None:
        draw = random.Random(number)
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        token, due, end = None, time.monotonic() + number / rate, time.monotonic() + seconds
        while due < end:
            time.sleep(max(0.0, due - time.monotonic()))
            due += CLIENTS / rate
            begun = time.perf_counter()
            if views is None:
                connection.request("GET", "/livez")
            else:
                place = f"10.{draw.randrange(256)}.{draw.randrange(256)}.{draw.randrange(256)}"
                token = token if token and draw.random() < 0.5 else None
                body = {"p": f"{ORIGIN}/?utm_source=news", "r": "", "v": token, "c": 1, "f": 2}
                headers = {"Origin": ORIGIN, "User-Agent": AGENT, "X-Forwarded-For": place}
                connection.request("POST", f"/c/{views}/view", json.dumps(body), headers)
            answer = connection.getresponse()
            told = answer.read()
            took.append(time.perf_counter() - begun)
            if views is not None and answer.status == 200:
                token = json.loads(told)["v"]

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


def ringing(port: int, over: threading.Event, requests: list[bytes], took: list[float]) -> None:
    """Ring five times a second until told otherwise."""
    for request in requests:
        if over.wait(0.2):
            return
        begun = time.perf_counter()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            while connection.recv(65536):
                pass
        took.append(time.perf_counter() - begun)


def main() -> None:
    """Measure, and tell the ratios."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, default in (("seconds", 10), ("rounds", 3), ("rate", 200)):
        asked.add_argument(f"--{name}", type=int, default=default)
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        key = "cmluZ3RyYWlsLXRlc3Qta2V5LTMyLWJ5dGVzLWxvbmc="
        site = furnish(Settings(data_dir=Path(folder), key=key))
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        own = {"RINGTRAIL_DATA_DIR": folder, "RINGTRAIL_KEY": key, "RINGTRAIL_TRUSTED_PROXIES": "127.0.0.1"}
        own |= {"RINGTRAIL_BASE_URL": "https://calls.acme.example", "RINGTRAIL_TWILIO_AUTH_TOKENS": TOKEN}
        own["RINGTRAIL_TRUSTED_HOSTS"] = "127.0.0.1"
        command = [sys.executable, "-m", "tracking", "serve", "--port", str(port), "--no-worker"]
        with open(os.devnull, "w") as nothing:
            server = subprocess.Popen(command, env=os.environ | own, stdout=nothing, stderr=nothing)
        try:
            for _ in range(300):
                time.sleep(0.2)
                with socket.socket() as tried:
                    if tried.connect_ex(("127.0.0.1", port)) == 0:
                        break
            paced(port, told.rate, 2, site)
            for round_ in range(told.rounds):
                bare, rang, over = (
                    paced(port, told.rate, told.seconds, None),
                    list[float](),
                    threading.Event(),
                )
                calls = prepared(round_, 5 * told.seconds)
                bell = threading.Thread(target=ringing, args=(port, over, calls, rang))
                bell.start()
                views = paced(port, told.rate, told.seconds, site)
                over.set()
                bell.join()
                base = statistics.median(bare)
                print(f"round {round_ + 1}: {len(views) / told.seconds:.0f} views a second")
                for name, times in (("bare route", bare), ("page view", views), ("webhook", rang)):
                    half, late = statistics.median(times), statistics.quantiles(times, n=100)[98]
                    print(
                        f"  {name}: median {1000 * half:.1f} ms ({half / base:.1f}), 99% {1000 * late:.1f} ms"
                    )
        finally:
            server.terminate()
            server.wait(60)
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, ratios to the bare route's median")


if __name__ == "__main__":
    main()
