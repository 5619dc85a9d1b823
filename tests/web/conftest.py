"""Fixtures of the pages: clients without a browser, and a real browser on the real server."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect, sync_playwright
from sqlalchemy import Engine

from tests.conftest import DATABASES, KEY
from tests.twilio_requests import TOKEN
from tests.web.people import ADDRESSES, PASSWORD, enter, hire
from tracking.app import create_app
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.vocabulary import Role

# The same browser without what only a window needs takes half the processor time.
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
# A bound for what is lost, not a speed to keep: the machine may have other work.
PATIENCE_MS = 120_000
# Nothing of the browser's own goes out to the network.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Compiled(BytecodeCache):
    """Templates compiled once for all applications of a run, each of which would compile them anew."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.kept:
            bucket.bytecode_from_string(self.kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.kept[bucket.key] = bucket.bytecode_to_string()


TEMPLATES = Compiled()


# Modules whose queries differ from one kind of database to the other, in sums, order or locks; elsewhere
# single tests say so by ``ON_BOTH``. test_speed opens every page on PostgreSQL, and what pages read and write
# is tested on both without them.
MODULES_ON_BOTH = {"test_jobs", "test_quality"}


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests of pages on SQLite alone, where they or :data:`MODULES_ON_BOTH` do not say otherwise."""
    told = {mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")}
    if "settings" in metafunc.fixturenames and "settings" not in told:
        both = metafunc.module.__name__.rpartition(".")[2] in MODULES_ON_BOTH
        kinds = DATABASES if both else DATABASES[:1]
        metafunc.definition.add_marker(pytest.mark.parametrize("settings", kinds, indirect=True))


@pytest.fixture
def office(settings: Settings, engine: Engine) -> Iterator[Flask]:
    """The application with a user for each role."""
    hire(engine)
    app = create_app(settings, engine)
    app.jinja_env.bytecode_cache = TEMPLATES
    yield app
    app.extensions["ringtrail"]["inbox"].close()


@pytest.fixture
def signed_in(office: Flask) -> Callable[[str], FlaskClient]:
    """A client that has signed in as somebody with a role."""
    return lambda role: enter(office.test_client(), role)


@dataclass(frozen=True)
class Service:
    """A running installation."""

    url: str
    engine: Engine
    settings: Settings
    sessions: dict[str, StorageState] = field(default_factory=dict)
    """The cookies of who has signed in, by role."""


@pytest.fixture(scope="module")
def service(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The real server on a fresh SQLite installation with a user for each role; one for each test module.

    No worker is beside it where the module says ``WORKER = False``. What else its environment says, the
    module may put into ``GIVEN``; else its own address for the public one, and Twilio's token.
    """
    folder = tmp_path_factory.mktemp("service")
    shutil.copy(sqlite_template, folder / "ringtrail.db")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    given = {"RINGTRAIL_BASE_URL": url, "RINGTRAIL_TWILIO_AUTH_TOKENS": TOKEN}
    given = getattr(request.module, "GIVEN", given)
    settings = Settings(data_dir=folder, key=KEY, base_url=url)
    engine = db.connect(settings)
    hire(engine)
    told = {"RINGTRAIL_DATA_DIR": str(folder), "RINGTRAIL_KEY": KEY, **given}
    with (folder / "server.log").open("w") as log:
        command = [sys.executable, "-m", "tracking", "serve", "--port", str(port)]
        if not getattr(request.module, "WORKER", True):
            command.append("--no-worker")
        server = subprocess.Popen(command, env=os.environ | told, stdout=log, stderr=log)
    try:
        wait_for(url, server, folder / "server.log")
        yield Service(url, engine, settings)
    finally:
        server.terminate()
        server.wait(600)
        engine.dispose()


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers; say what it wrote where it does not."""
    for _ in range(1500):
        if server.poll() is not None:
            break
        try:
            urlopen(f"{url}/livez", timeout=5).close()
        except (URLError, OSError):
            time.sleep(0.2)
        else:
            return
    raise AssertionError(log.read_text())


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser of the whole run."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            raise AssertionError("there is no chromium; tests/system.sh installs it")
        pytest.skip("needs chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE_MS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, service: Service) -> Iterator[Callable[..., Page]]:
    """Open pages as somebody with a role: ``open_page("rep", "/calls", color_scheme="dark")``.

    Each role signs in by the form once in a module. Further arguments are Playwright's for a context, such
    as ``viewport``. A page on which a script failed, or on which the policy for content stopped something,
    fails the test.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_as(role: str | None, path: str = "/", **options: object) -> Page:
        options["storage_state"] = service.sessions.get(role or "")
        context = chromium.new_context(base_url=service.url, **options)  # type: ignore[arg-type]  # Playwright's own
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        if role is not None and role not in service.sessions:
            page.goto("/sign-in")
            page.get_by_label("Email").fill(ADDRESSES[Role(role)])
            page.get_by_label("Password", exact=True).fill(PASSWORD)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(lambda url: "/sign-in" not in url)
            service.sessions[role] = context.storage_state()
        page.goto(path)
        return page

    yield open_as
    for context in contexts:
        context.close()
    # A refused form is an answer, which the browser reports as an error of loading.
    assert [text for text in complaints if "Failed to load resource" not in text] == []
