"""In a real browser on the real server: signing in, and what holds for every page."""

from collections.abc import Callable

from playwright.sync_api import Page

from tests.web.people import ADDRESSES, PASSWORD
from tracking.storage.vocabulary import Role

Open = Callable[..., Page]


def test_somebody_signs_in_with_the_keyboard_alone_and_out_again(open_page: Open) -> None:
    page = open_page(None, "/roi")
    assert page.evaluate("document.activeElement.name") == "email"
    page.keyboard.type(ADDRESSES[Role.rep])
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/roi")
    page.get_by_role("button", name="Sign out").press("Enter")
    page.wait_for_url("**/sign-in**")


def test_a_password_manager_may_fill_and_paste(open_page: Open) -> None:
    page = open_page(None, "/sign-in")
    for label, told in (("Email", "username"), ("Password", "current-password")):
        field = page.get_by_label(label, exact=True)
        assert told in (field.get_attribute("autocomplete") or ""), label
        event = "new ClipboardEvent('paste', {bubbles: true, cancelable: true})"
        assert field.evaluate(f"e => e.dispatchEvent({event})"), "nothing prevents pasting"
