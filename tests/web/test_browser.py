"""In a real browser on the real server: signing in, and what holds for every page."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.web.accessibility import findings, reflows, unseen_focus
from tests.web.people import ADDRESSES, PASSWORD
from tracking.vocabulary import Role

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


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/sign-in", "/calls", "/roi"])
def test_pages_keep_the_rules_of_accessibility(open_page: Open, path: str, theme: str) -> None:
    page = open_page(None if path == "/sign-in" else "administrator", path, color_scheme=theme)
    assert findings(page) == []
    assert unseen_focus(page) == []
    assert reflows(page)
