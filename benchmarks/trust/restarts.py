"""A restart every 20 s under load, by SIGHUP or as systemd does it, fails no request."""

import signal
import threading

from benchmarks.trust.house import Bar, Told, at_rate, house

RATE, EVERY_S, LASTS_S = 50, 20.0, 600


def run(database: str, scale: float) -> list[Bar]:
    """Restart while calls come; for ten minutes at full scale."""
    lasts, every = max(16.0, LASTS_S * scale), min(EVERY_S, max(8.0, LASTS_S * scale / 4))
    told, over, restarts = Told(), threading.Event(), [0]
    with house(database) as acme:
        acme.start()
        at_rate(acme.port, Told(), range(20), RATE)

        def restart() -> None:
            while not over.wait(every):
                restarts[0] += 1
                if restarts[0] % 2 and acme.service is not None:
                    acme.service.send_signal(signal.SIGHUP)
                else:
                    acme.end()
                    acme.start()

        thread = threading.Thread(target=restart)
        thread.start()
        at_rate(acme.port, told, range(1000, 1000 + int(RATE * lasts)), RATE)
        over.set()
        thread.join()
        acme.wait_until_empty()
        lost, wrong = acme.lost(told)
    found = (
        f"{wrong}{told.failed} of {len(told.answers):,} requests failed over {restarts[0]} restarts, "
        f"{lost} lost, {told.waits()}"
    )
    return [Bar("restarts", database, found, not (wrong or told.failed or lost) and restarts[0] > 0)]
