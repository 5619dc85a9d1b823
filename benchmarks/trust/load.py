"""A hundred events a second while reports are read and a hundred desks are open: quick, and memory flat."""

import re
import threading
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlencode

from benchmarks.trust.house import SHORT, Bar, House, Told, at_rate, house
from tracking import clock
from tracking.access import users
from tracking.storage import db
from tracking.storage.vocabulary import Role
from tracking.web import signin

RATE, DESKS, READERS = 100, 100, 2
WARM_S, LASTS_S = 180, 600
LEAST_OF_S = 60
"""Memory is the least within so long: a report takes a hundred megabytes and gives them back."""
PASSWORD = "correct horse battery staple"
REPORTS = ("/", "/roi", "/roi/trends", "/calls")


def run(database: str, scale: float) -> list[Bar]:
    """Let events come; for ten minutes at full scale, with fewer of all below a tenth."""
    lasts = max(4, int(LASTS_S * scale))
    rate, desks = (RATE, DESKS) if scale >= SHORT else (RATE // 4, DESKS // 10)
    with house(database) as acme:
        cookie = _hire(acme)
        acme.start()
        jar = cookie()
        over, pages = threading.Event(), Counter[bool]()
        others = [
            threading.Thread(target=_ask, args=(acme.port, jar, ("/bell",), 2.0, over, pages))
            for _ in range(desks)
        ]
        others += [
            threading.Thread(
                target=_ask, args=(acme.port, jar, REPORTS, 0.0 if scale >= SHORT else 0.5, over, pages)
            )
            for _ in range(READERS)
        ]
        held = [acme.memory_mb()]
        others.append(threading.Thread(target=_weigh, args=(acme, held, over)))
        for thread in others:
            thread.start()
        # Beside the others, until caches are full: what each loads once would count as grown.
        warm = WARM_S if scale >= SHORT else WARM_S * scale
        at_rate(acme.port, Told(), range(max(50, int(rate * warm))), rate)
        before, told = min(held[-LEAST_OF_S:]), Told()
        at_rate(acme.port, told, range(1_000_000, 1_000_000 + rate * lasts), rate, lines=48)
        grown = min(held[-LEAST_OF_S:]) / before - 1
        over.set()
        for thread in others:
            thread.join()
        acme.wait_until_empty()
        lost, wrong = acme.lost(told)
    found = (
        f"{wrong}{rate}/s for {lasts} s beside {desks} desks and {READERS} readers "
        f"({pages[True]} pages, {pages[False]} failed): "
        f"{told.failed} failed, {lost} lost, {told.waits()}, memory {grown:+.0%} of {before:.0f} MB"
    )
    quick = told.seconds(0.5) < 0.015 and told.seconds(0.99) < 0.1
    sound = pages[True] and not (wrong or lost or told.failed or pages[False])
    # Ten seconds say nothing about memory, and a shared machine nothing about milliseconds.
    return [Bar("load", database, found, bool(sound) and (scale < SHORT or (quick and grown < 0.05)))]


def _weigh(acme: House, held: list[float], over: threading.Event) -> None:
    while not over.wait(1.0):
        held.append(acme.memory_mb())


def _hire(acme: House) -> Callable[[], str]:
    with acme.opened() as engine:
        hashed = signin.hash_for(engine, acme.settings, PASSWORD)
        with db.transaction(engine) as session:
            users.add(
                session, "rita@acme.example", "Rita", Role.administrator, at=clock.now()
            ).password = hashed

    def enter() -> str:
        line = HTTPConnection("127.0.0.1", acme.port, timeout=60)
        line.request("GET", "/sign-in", headers={"Host": "calls.acme.example"})
        page = line.getresponse()
        cookies = _cookies(page)
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.read().decode())
        assert token is not None
        fields = {"csrf_token": token[1], "email": "rita@acme.example", "password": PASSWORD}
        head = {
            "Host": "calls.acme.example",
            "Cookie": cookies,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        line.request("POST", "/sign-in", urlencode(fields), head)
        answer = line.getresponse()
        answer.read()
        line.close()
        assert answer.status == 302, answer.status
        return _cookies(answer)

    return enter


def _cookies(answer: HTTPResponse) -> str:
    return "; ".join(value.partition(";")[0] for name, value in answer.getheaders() if name == "Set-Cookie")


def _ask(
    port: int, jar: str, paths: tuple[str, ...], pause: float, over: threading.Event, pages: Counter[bool]
) -> None:
    line = HTTPConnection("127.0.0.1", port, timeout=60)
    at = 0
    while not over.wait(pause):
        try:
            line.request("GET", paths[at % len(paths)], headers={"Host": "calls.acme.example", "Cookie": jar})
            answer = line.getresponse()
            answer.read()
            pages[answer.status in (200, 204)] += 1
        except (OSError, HTTPException):
            line.close()
            pages[False] += 1
        at += 1
    line.close()
