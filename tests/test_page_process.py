"""Pages have a process of their own: what it does, or that it dies, costs no call."""

import hashlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tests.test_server import PATIENCE_S, SALES, installed, processes_of, ring, started
from tests.web.people import ADDRESSES, PASSWORD, form
from tracking import page_process
from tracking.page_process import PageProcess
from tracking.storage.vocabulary import Role

__all__ = ["installed"]
APPLICATION = """
import hashlib, os, sys, time
from tracking.page_process import answer

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/fails":
        raise ValueError("before a word of the answer")
    if path == "/dies":
        os.kill(os.getpid(), 9)
    told = environ["wsgi.input"].read() if path == "/echo" else b""
    start_response("201 Created", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Pid", str(os.getpid()))])
    if path == "/large":
        return (b"x" * 1_000_000 for _ in range(20))
    if path == "/breaks":
        return (b"some" if n else 1 / 0 for n in (1, 0))
    words = environ["REMOTE_ADDR"], environ["wsgi.url_scheme"], hashlib.sha256(told).hexdigest(), str(refused)
    return ["|".join(words).encode()]

refused = {}
answer(app, refused, [int(line) for line in sys.argv[1].split(",")])
"""
Answer = tuple[int, list[tuple[str, str]], bytes]


@pytest.fixture
def pages() -> Iterator[PageProcess]:
    """A process for pages with two lines, and an application without a database."""
    process = PageProcess(2, [sys.executable, "-c", APPLICATION])
    with process:
        yield process


def ask(pages: Any, path: str = "/", **told: Any) -> Answer:
    environ = EnvironBuilder(path, **told).get_environ() | {"REMOTE_ADDR": "192.0.2.7"}
    pieces, status, headers = run_wsgi_app(pages, environ)
    try:
        body = b"".join(pieces)
    finally:
        # As a server does, whatever comes of it.
        getattr(pieces, "close", lambda: None)()
    return int(status[:3]), list(headers), body


def test_a_request_arrives_as_it_came_and_its_answer_as_it_was_given(pages: PageProcess) -> None:
    sent = bytes(range(256)) * 2000
    status, headers, body = ask(
        pages, "/echo", method="POST", input_stream=BytesIO(sent), base_url="https://calls.acme.example"
    )
    assert status == 201
    assert headers[:2] == [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    assert body.decode() == f"192.0.2.7|https|{hashlib.sha256(sent).hexdigest()}|{{}}"
    # A body that nobody reads is in nobody's way.
    for _ in range(3):
        assert ask(pages, method="POST", input_stream=BytesIO(sent))[0] == 201


def test_pages_show_what_the_telephone_refused_last(pages: PageProcess) -> None:
    pages.refused["twilio"] = "just now"  # type: ignore[assignment]  # as much as this test needs of it
    assert ask(pages)[2].endswith(b"|{'twilio': 'just now'}")
    pages.refused.clear()
    assert ask(pages)[2].endswith(b"|{}")


def test_a_page_that_fails_is_a_500_and_one_that_breaks_off_is_never_whole(pages: PageProcess) -> None:
    for _ in range(3):
        assert ask(pages, "/fails")[0] == 500
        with pytest.raises(EOFError):
            ask(pages, "/breaks")
    assert ask(pages)[0] == 201


def test_who_leaves_amid_a_long_answer_leaves_the_line_to_the_next(pages: PageProcess) -> None:
    for _ in range(3):
        pieces, _, _ = run_wsgi_app(pages, EnvironBuilder("/large").get_environ())
        assert next(iter(pieces))
        pieces.close()  # type: ignore[attr-defined]  # closes the application's
    assert len(ask(pages, "/large")[2]) == 20_000_000


def test_what_a_page_changed_counts_before_it_is_answered(pages: PageProcess) -> None:
    heard = list[str]()
    pages.changed = lambda: heard.append("changed")
    ask(pages)
    assert heard == []
    ask(pages, method="POST")
    assert heard == ["changed"]


def test_what_is_the_telephones_own_is_answered_where_it_is(pages: PageProcess) -> None:
    def own(_environ: object, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"own"]

    both = pages.before(own)
    assert [ask(both, path)[2] for path in sorted(page_process.OWN)] == [b"own"] * len(page_process.OWN)
    assert ask(both, "/bells")[0] == 201


def test_a_process_that_dies_is_started_again_and_no_more_often_than_helps(
    pages: PageProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(ask(pages)[1])["X-Pid"]
    status, headers, body = ask(pages, "/dies")
    assert (status, dict(headers)["Retry-After"]) == (503, "5")
    assert b"Calls are answered meanwhile" in body
    assert ask(pages)[0] == 503, "started a moment ago"
    monkeypatch.setattr(page_process, "_AGAIN_S", 0.0)
    assert pages._process is not None
    pages._process.wait()
    assert dict(ask(pages)[1])["X-Pid"] != before


def test_it_ends_with_who_started_it() -> None:
    pages = PageProcess(2, [sys.executable, "-c", APPLICATION])
    with pages:
        ask(pages)
        process = pages._process
    assert process is not None
    assert process.returncode == 0
    assert ask(pages)[0] == 503, "nothing is started once it is over"


def test_calls_ring_while_the_pages_process_dies_and_by_what_a_page_has_just_set(
    installed: dict[str, str],
) -> None:
    folder = installed["RINGTRAIL_DATA_DIR"]
    with started(installed, "--no-worker") as (process, port):
        ring(port, 1)
        cookies = dict[str, str]()

        def page(path: str, **fields: str) -> tuple[int, str]:
            line = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
            head = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
            if fields:
                head["Content-Type"] = "application/x-www-form-urlencoded"
            line.request("POST" if fields else "GET", path, urlencode(fields) or None, head)
            answer = line.getresponse()
            body = answer.read().decode()
            for told in answer.headers.get_all("Set-Cookie", ()):
                name, _, value = told.partition(";")[0].partition("=")
                cookies[name] = value
            line.close()
            return answer.status, body

        _, shown = page("/sign-in")
        asked = form(shown, email=ADDRESSES[Role.administrator], password=PASSWORD)
        assert page("/sign-in", **asked)[0] == 302
        assert page("/bell")[0] == 200

        asked = form(page("/numbers/1")[1], do="forward", destination=SALES)
        assert page("/numbers/1", **asked)[0] == 303
        ring(port, 2, rings=SALES)

        (beside,) = (one for one in processes_of(folder, pages=True) if one != process.pid)
        os.kill(beside, signal.SIGSTOP)
        ring(port, 3, rings=SALES)
        os.kill(beside, signal.SIGKILL)
        ring(port, 4, rings=SALES)
        # By what a page answers, nobody is told anything wrong.
        assert page("/numbers/1")[0] in (200, 503)
        process.kill()
        process.wait()
        while processes_of(folder, pages=True):
            time.sleep(0.05)
