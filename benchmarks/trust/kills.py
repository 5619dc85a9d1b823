"""Nothing that was acknowledged is lost, however often the service is killed."""

import random
import signal
import threading
import time

from benchmarks.trust.house import Bar, Line, Told, house, rings, sid


def run(database: str, scale: float) -> list[Bar]:
    """Kill the service at random moments under load; 1,000 kills at full scale."""
    kills, chance = max(3, int(1000 * scale)), random.Random(1)
    told, over = Told(), threading.Event()
    with house(database) as acme:

        def provider(which: int) -> None:
            line, call = Line(acme.port), which * 10_000_000
            while not over.is_set():
                call += 1
                began = time.monotonic()
                status, _ = line.ask(rings(call))
                told.note(sid(call), status, time.monotonic() - began)
            line.close()

        acme.start()
        providers = [threading.Thread(target=provider, args=(which,)) for which in range(1, 5)]
        for thread in providers:
            thread.start()
        for _ in range(kills):
            before = len(told.kept)
            while len(told.kept) == before:
                time.sleep(0.01)
            time.sleep(chance.random() * 0.8)
            acme.end(signal.SIGKILL)
            acme.start()
        over.set()
        for thread in providers:
            thread.join()
        acme.wait_until_empty()
        acme.end()
        lost, wrong = acme.lost(told)
    found = f"{wrong}{lost} of {len(told.kept):,} acknowledged events lost over {kills} kills"
    bound = f" (95 % bound {3 / max(1, len(told.kept)):.0e})"
    return [Bar("kills", database, found + bound, not lost and not wrong)]
