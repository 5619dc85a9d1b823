"""Take the pictures of docs/pages.md from the demo: ``make screenshots``."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from sqlalchemy import Engine, select

from tests.conftest import KEY
from tests.web.conftest import CHROMIUM, FLAGS, wait_for
from tests.web.people import ADDRESSES, PASSWORD, hire
from tests.web.ringing import ring
from tracking import clock
from tracking.access import jobs
from tracking.demo import filling
from tracking.reporting import simulations
from tracking.reporting.simulations import Archive
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Call, Contact, Deal
from tracking.storage.vocabulary import CallStatus, JobState, Role, Stage

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 375, "height": 760}


def main() -> None:
    """Fill a demo, serve it, and take the pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        url = f"http://127.0.0.1:{port}"
        settings = Settings(data_dir=Path(folder), base_url=url, key=KEY)
        engine = db.install(settings)
        filling.fill(engine, clock.now())
        hire(engine)
        call_now(engine)
        simulation = simulated(settings, engine)
        engine.dispose()
        # No sheet is printed with an address that only this machine can open.
        public = "http://calls.acme.example"
        told = {"RINGTRAIL_DATA_DIR": folder, "RINGTRAIL_BASE_URL": public, "RINGTRAIL_KEY": KEY}
        log = Path(folder) / "server.log"
        with log.open("w") as out:
            command = [sys.executable, "-m", "tracking", "serve", "--port", str(port)]
            server = subprocess.Popen(command, env=os.environ | told, stdout=out, stderr=out)
        try:
            wait_for(url, server, log)
            walk(url, simulation)
        finally:
            server.terminate()
            server.wait(20)


def call_now(engine: Engine) -> None:
    """Let a buyer who has called before ring the number of the catalogue."""
    with db.reading(engine) as session:
        known = (
            select(Call).join(Call.contact).join(Contact.account).join(Deal).where(Deal.stage == Stage.won)
        )
        caller = session.scalars(known.where(Call.caller.is_not(None)).limit(1)).one().caller
    ring(engine, "now", clock.now(), caller=caller, to="+46701740611", status=CallStatus.ringing, talk_s=None)


def walk(url: str, simulation: int) -> None:
    """Go through the pages as each role, in light and dark, on a desktop and on a telephone."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)

        def enter(role: Role, *, dark: bool = False, phone: bool = False) -> Page:
            context = browser.new_context(
                base_url=url,
                locale="en-GB",
                color_scheme="dark" if dark else "light",
                viewport=PHONE if phone else WIDE,  # type: ignore[arg-type]  # a size
            )
            context.set_default_timeout(120_000)
            page = context.new_page()
            page.goto("/sign-in")
            page.get_by_label("Email").fill(ADDRESSES[role])
            page.get_by_label("Password", exact=True).fill(PASSWORD)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(lambda address: "/sign-in" not in address)
            return page

        def follow(page: Page, path: str, link: str, name: str) -> None:
            shot(page, path, None)
            page.get_by_role("link", name=link).first.click()
            shot(page, None, name)

        shot(enter(Role.rep), "/desk", "desk")
        shot(enter(Role.rep, dark=True, phone=True), "/desk", "desk-phone-dark")
        marketer = enter(Role.marketer)
        follow(marketer, "/campaigns", "Product catalogue", "campaign")
        follow(marketer, "/numbers", "+46701740611", "number")
        sheet(marketer.request.get(f"{marketer.url}/sheet.pdf").body(), "sheet")
        follow(marketer, "/deals?stage=won", "Pump station", "deal")
        marketer.locator("main a[href^='/companies/']").first.click()
        shot(marketer, None, "company")
        follow(
            enter(Role.marketer, dark=True, phone=True),
            "/campaigns",
            "Product catalogue",
            "campaign-phone-dark",
        )
        viewer = enter(Role.viewer)
        shot(viewer, "/roi", "roi")
        shot(viewer, "/roi/advice", "advice")
        shot(viewer, "/report", "report")
        shot(viewer, "/quality", "quality")
        shot(viewer, f"/simulator/runs/{simulation}", "simulator")
        shot(enter(Role.viewer, dark=True), "/roi", "roi-dark")
        shot(enter(Role.viewer, phone=True), "/", "overview-phone")
        browser.close()


def sheet(content: bytes, name: str) -> None:
    """Keep a picture of a printed sheet."""
    subprocess.run(
        ["pdftoppm", "-r", "60", "-png", "-singlefile", "-", str(FOLDER / name)], input=content, check=True
    )


def simulated(settings: Settings, engine: Engine) -> int:
    """Simulate the supplier's market as the worker does, and return the number of its job."""
    arguments = {"token": "5" * 32, "scenario": "supplier", "accounts": 400, "days": 365, "seed": 1}
    archive = Archive(settings.data_dir)
    simulations.run(archive, arguments, lambda _done, _total: None)  # type: ignore[arg-type]  # counts like Progress
    with db.transaction(engine) as session:
        by, at = "mikael@acme.example", clock.now()
        job = jobs.enqueue(session, "simulate", "Simulate supplier", arguments, by=by, at=at)
        job.state = JobState.done
        session.flush()
        return job.id


def shot(page: Page, path: str | None, name: str | None) -> None:
    """Open a page, wait until its charts are drawn, and keep a picture of what fits the window."""
    if path is not None:
        page.goto(path)
    # Never idle: the bell is waited for on every page.
    page.wait_for_load_state("load")
    page.wait_for_timeout(800)
    if name is not None:
        page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
