"""The three uses, each from the sign-in page to its result, with the keyboard alone, in two looks."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import Service
from tests.web.people import ADDRESSES, PASSWORD
from tests.web.ringing import advertise, ring
from tests.web.test_decide import supplier
from tracking import clock
from tracking.storage.vocabulary import CallStatus, Role

Open = Callable[..., Page]
WORKER = False
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
LOOKS: dict[str, dict[str, Any]] = {
    "light-desktop": {"color_scheme": "light", "viewport": DESKTOP},
    "dark-phone": {"color_scheme": "dark", "viewport": PHONE},
}
MOST_TABS = 150


@pytest.fixture(autouse=True, scope="module")
def furnished(service: Service) -> None:
    advertise(service.engine, clock.now())
    supplier(service.engine)


@pytest.fixture(params=list(LOOKS))
def look(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# How many stops of Tab lie between the focus and an element, or 1 where it lies before it.
STOPS = """wanted => {
    const stops = 'a[href], button, input, select, textarea, summary, [tabindex]';
    const found = [...document.querySelectorAll(stops)]
        .filter(e => e.tabIndex >= 0 && !e.disabled && e.checkVisibility());
    const [from, to] = [document.activeElement, wanted].map(e => found.indexOf(e));
    return document.activeElement === wanted ? 0 : Math.max(to - from, 1);
}"""


def go(page: Page, target: Locator) -> None:
    """Walk to something with Tab alone, and see that the focus shows there and it is in the window."""
    # Found once: to find it by its role after each key would take most of the time.
    element = target.element_handle()
    pressed = 0
    while (stops := element.evaluate(STOPS)) and pressed < MOST_TABS:
        # Half of the way before it looks again: of some that are counted, Tab passes by.
        for _ in range((stops + 1) // 2):
            page.keyboard.press("Tab")
            pressed += 1
    expect(target).to_be_focused()
    expect(target).to_be_in_viewport()


def follow(page: Page, role: Any, name: str) -> None:
    """Walk to a link or button of the page's own part, or of the menu, and press Enter."""
    go(page, page.get_by_role(role, name=name).first)
    page.keyboard.press("Enter")


def choose(page: Page, name: str) -> None:
    """Follow a link of the menu, which a telephone shows after "More"."""
    more = page.get_by_role("button", name="More")
    if more.is_visible():
        go(page, more)
        page.keyboard.press("Enter")
    follow(page, "link", name)


def sign_in(open_page: Open, role: Role, look: str) -> Page:
    """Come in from the sign-in page without touching anything but keys."""
    page = open_page(None, "/sign-in", **LOOKS[look])
    expect(page.get_by_label("Email")).to_be_focused()
    page.keyboard.type(ADDRESSES[role])
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Calls", exact=True).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    return page


def test_a_rep_logs_where_the_caller_heard_of_us(open_page: Open, service: Service, look: str) -> None:
    page = sign_in(open_page, Role.rep, look)
    choose(page, "Call desk")
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    ring(service.engine, f"call {look}", clock.now(), status=CallStatus.ringing, talk_s=None)
    expect(page.get_by_role("heading", name="Borealis Foods")).to_be_visible()
    expect(page.locator("#log")).to_be_focused()
    digit = page.locator("[data-pick='Trade show']").get_attribute("data-digit")
    assert digit is not None
    # The commonest case, with the judgement: three keys of the four that it may take.
    for key in (digit, "g", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_text("Saved: Borealis Foods, Trade show.")).to_be_visible()


def test_a_marketer_puts_a_number_on_new_material(open_page: Open, look: str) -> None:
    number = f"+4670174063{list(LOOKS).index(look)}"
    page = sign_in(open_page, Role.marketer, look)
    choose(page, "Numbers")
    follow(page, "link", "Add numbers")
    expect(page.get_by_label("Numbers, one per line")).to_be_focused()
    page.keyboard.type(number)
    follow(page, "button", "Add all")
    expect(page.get_by_role("link", name=number)).to_be_visible()
    choose(page, "Campaigns")
    follow(page, "link", "Add campaign")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type(f"Catalogue {look}")
    page.keyboard.press("Tab")
    page.keyboard.type("print")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"Catalogue {look}")).to_be_visible()
    follow(page, "link", "Add asset")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Back cover")
    page.keyboard.press("Enter")
    follow(page, "button", "Assign")
    expect(page.get_by_text(f"Back cover now has the number {number}.")).to_be_visible()


def test_whoever_decides_compares_models_and_keeps_the_view(open_page: Open, look: str) -> None:
    page = sign_in(open_page, Role.viewer, look)
    choose(page, "ROI by campaign")
    expect(page.get_by_role("heading", name="ROI by campaign")).to_be_visible()
    # A field for a day takes its parts one by one, as month, day and year in an American browser.
    for label, day in (("From", "01012026"), ("to", "12312026")):
        go(page, page.get_by_label(label, exact=True))
        page.keyboard.type(day)
    page.keyboard.press("Enter")
    page.wait_for_url("**/roi?from=2026-01-01&to=2026-12-31**")
    expect(page.locator("td .rt-scale").first).to_be_visible()
    go(page, page.get_by_role("checkbox", name="linear"))
    page.keyboard.press("Space")
    go(page, page.get_by_role("checkbox", name="markov"))
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**model=markov**")
    expect(page.get_by_text("Too early to tell which campaigns pay")).to_be_visible()
    go(page, page.locator("summary", has_text="Save this view"))
    page.keyboard.press("Enter")
    go(page, page.get_by_label("Name", exact=True))
    page.keyboard.type(f"With Markov {look}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name=f"With Markov {look}")).to_be_visible()
    go(page, page.locator("#all-models > summary"))
    page.keyboard.press("Enter")
    follow(page, "link", "€6,000")
    expect(page.get_by_role("heading", name="Deals won")).to_be_visible()
    follow(page, "link", "Buyer 10")
    expect(page.get_by_role("heading", name="Buyer 10")).to_be_visible()
