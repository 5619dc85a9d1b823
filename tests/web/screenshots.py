"""Take the pictures of docs/pages.md from the demo: ``make screenshots``."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.conftest import KEY
from tests.web.conftest import CHROMIUM, FLAGS, wait_for
from tests.web.people import ADDRESSES, PASSWORD, hire
from tracking import clock, db, demo
from tracking.config import Settings
from tracking.vocabulary import Role

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 375, "height": 760}


def main() -> None:
    """Fill a demo, serve it, and go through the pages as each role."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        url = f"http://127.0.0.1:{port}"
        settings = Settings(data_dir=Path(folder), base_url=url, key=KEY)
        engine = db.install(settings)
        demo.fill(engine, clock.now())
        hire(engine)
        engine.dispose()
        told = {"RINGTRAIL_DATA_DIR": folder, "RINGTRAIL_BASE_URL": url, "RINGTRAIL_KEY": KEY}
        log = Path(folder) / "server.log"
        with log.open("w") as out:
            command = [sys.executable, "-m", "tracking", "serve", "--port", str(port)]
            server = subprocess.Popen(command, env=os.environ | told, stdout=out, stderr=out)
        try:
            wait_for(url, server, log)
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
                    page.get_by_label("E-mail").fill(ADDRESSES[role])
                    page.get_by_label("Password", exact=True).fill(PASSWORD)
                    page.get_by_role("button", name="Sign in").click()
                    page.wait_for_url(lambda address: "/sign-in" not in address)
                    return page

                rep = enter(Role.rep)
                shot(rep, "/desk", "desk")
                shot(enter(Role.rep, dark=True, phone=True), "/desk", "desk-phone-dark")
                marketer = enter(Role.marketer)
                shot(marketer, "/campaigns", None)
                marketer.get_by_role("link", name="Product catalogue").first.click()
                shot(marketer, None, "campaign")
                shot(marketer, "/deals?stage=won", None)
                marketer.get_by_role("link", name="Pump station").first.click()
                shot(marketer, None, "deal")
                viewer = enter(Role.viewer)
                shot(viewer, "/roi", "roi")
                shot(viewer, "/roi/advice", "advice")
                shot(viewer, "/report", "report")
                shot(viewer, "/quality", "quality")
                browser.close()
        finally:
            server.terminate()
            server.wait(20)


def shot(page: Page, path: str | None, name: str | None) -> None:
    """Open a page, wait until its charts are drawn, and keep a picture of what fits the window."""
    if path is not None:
        page.goto(path)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(800)
    if name is not None:
        page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
