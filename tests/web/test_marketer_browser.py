"""The marketer in a real browser, by keyboard: from a new campaign to a printed sheet and the test call."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.web.conftest import Service
from tests.web.ringing import ring
from tracking import clock

Open = Callable[..., Page]
WORKER = False
NUMBER = "+46701740621"


def press(page: Page, role: str, name: str) -> None:
    """Go to a button or link with the keyboard and press Enter."""
    page.get_by_role(role, name=name).first.focus()  # type: ignore[arg-type]  # a role in words
    page.keyboard.press("Enter")


def test_by_keyboard_from_a_new_campaign_to_a_sheet_and_its_test_call(
    open_page: Open, service: Service, tmp_path: Path
) -> None:
    page = open_page("marketer", "/numbers/new", accept_downloads=True)
    page.keyboard.type(NUMBER)
    press(page, "button", "Add all")
    expect(page.get_by_text("1 number added")).to_be_visible()
    page.goto("/campaigns")
    press(page, "link", "Add campaign")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Winter catalogue")
    page.keyboard.press("Tab")
    page.keyboard.type("print")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Winter catalogue")).to_be_visible()
    press(page, "link", "Add asset")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Back cover")
    page.keyboard.press("Enter")
    press(page, "button", "Assign")
    expect(page.get_by_text(f"Back cover now has the number {NUMBER}.")).to_be_visible()
    with page.expect_download() as download:
        press(page, "link", "Print number sheets")
    download.value.save_as(tmp_path / "sheets.pdf")
    subprocess.run(["pdftoppm", "-r", "120", "-png", "sheets.pdf", "sheet"], cwd=tmp_path, check=True)
    picture = next(tmp_path.glob("*.png"))
    read = subprocess.run(
        ["zbarimg", "--quiet", "--raw", str(picture)], capture_output=True, text=True, check=True
    )
    assert f"tel:{NUMBER}" in read.stdout
    press(page, "link", NUMBER)
    expect(page.get_by_text("This page shows")).to_be_visible()
    ring(service.engine, "test call", clock.now(), to=NUMBER)
    expect(page.get_by_text("Call received")).to_be_visible()
