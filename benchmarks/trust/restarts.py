"""A restart every 20 s under load, by SIGHUP or as systemd does it, fails no request.

By SIGHUP nobody waits either: another process stands in. Whoever holds the socket and ends the service before
starting it lets callers wait for as long as a start takes.
"""

import signal
import threading
from collections.abc import Callable

from benchmarks.trust.house import SHORT, Bar, House, Line, Told, at_rate, house

RATE, EVERY_S, LASTS_S = 50, 20.0, 300


def renew(acme: House) -> None:
    """Let the service begin anew, as `systemctl reload` does."""
    assert acme.service is not None
    acme.service.send_signal(signal.SIGHUP)


def restart(acme: House) -> None:
    """End the service, start it on the socket that stayed, as `systemctl restart` does, and let it answer."""
    acme.end()
    acme.start()
    line = Line(acme.port)
    line.ask(b"GET /livez HTTP/1.1\r\nHost: calls.acme.example\r\n\r\n")
    line.close()


def run(database: str, scale: float) -> list[Bar]:
    """Restart while calls come; for five minutes each way at full scale."""
    bars = []
    with house(database) as acme:
        acme.start()
        at_rate(acme.port, Told(), range(20), RATE)
        for place, (name, how) in enumerate((("reload", renew), ("restart", restart)), 1):
            bars.append(_bar(acme, database, name, how, place * 1_000_000, scale))
    return bars


def _bar(
    acme: House, database: str, name: str, how: Callable[[House], None], first: int, scale: float
) -> Bar:
    lasts, every = max(16.0, LASTS_S * scale), min(EVERY_S, max(8.0, LASTS_S * scale / 2))
    told, over, done = Told(), threading.Event(), [0]

    def again() -> None:
        while not over.wait(every):
            done[0] += 1
            how(acme)

    thread = threading.Thread(target=again)
    thread.start()
    at_rate(acme.port, told, range(first, first + int(RATE * lasts)), RATE)
    over.set()
    thread.join()
    acme.wait_until_empty()
    lost, wrong = acme.lost(told)
    found = (
        f"{wrong}{told.failed} of {len(told.answers):,} requests failed over {done[0]} times, "
        f"{lost} lost, {told.waits()}"
    )
    late, worst = told.seconds(0.99), told.seconds(1)
    quick = name == "restart" or scale < SHORT or (late < 1 and worst < 3)
    return Bar(
        f"restarts: {name}", database, found, done[0] > 0 and quick and not (wrong or told.failed or lost)
    )
