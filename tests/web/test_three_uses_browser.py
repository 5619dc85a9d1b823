"""The three uses, each walked from the sign-in page: a call, new ad material, next year's budget.

Each is walked four times, so that each language (en, sv, ru, zh), width (390 and 1280 pixels), look (light
and dark) and way of working (keys alone, and by hand) occurs, and each pair of width, look and way. What a
walk comes to is kept as pictures in the folder of its test. Pages are known by their addresses and fields by
their names: no word is.
"""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from pypdf import PdfReader

from tests.web.conftest import Service
from tests.web.people import ADDRESSES, PASSWORD
from tests.web.ringing import advertise, ring
from tests.web.test_decide import supplier
from tracking import clock
from tracking.storage.vocabulary import CallStatus, Role

Open = Callable[..., Page]
WORKER = False
GIVEN = {"RINGTRAIL_BASE_URL": "http://calls.acme.example"}
MOST_TABS = 150
# How many stops of Tab lie between the focus and an element, or 1 where it lies before it.
STOPS = """wanted => {
    const stops = 'a[href], button, input, select, textarea, summary, [tabindex]';
    const found = [...document.querySelectorAll(stops)]
        .filter(e => e.tabIndex >= 0 && !e.disabled && e.checkVisibility());
    const [from, to] = [document.activeElement, wanted].map(e => found.indexOf(e));
    return document.activeElement === wanted ? 0 : Math.max(to - from, 1);
}"""


@pytest.fixture(autouse=True, scope="module")
def furnished(service: Service) -> None:
    advertise(service.engine, clock.now())
    supplier(service.engine, tens=1)


@dataclass(frozen=True)
class Walk:
    """Somebody at work: in a language, at a width, in a look, with keys alone or by hand."""

    language: str
    width: int
    look: str
    keys: bool

    def __str__(self) -> str:
        """Return the name of the walk."""
        return f"{self.language}-{self.width}-{self.look}-{'keys' if self.keys else 'hand'}"

    @property
    def options(self) -> dict[str, Any]:
        """Return what the browser is told."""
        height = 844 if self.width < 1000 else 800
        size = {"width": self.width, "height": height}
        touched = self.width < 1000 and not self.keys
        return {"locale": self.language, "color_scheme": self.look, "viewport": size, "has_touch": touched}


WALKS = [
    Walk("en", 1280, "light", keys=True),
    Walk("sv", 390, "light", keys=False),
    Walk("ru", 1280, "dark", keys=False),
    Walk("zh", 390, "dark", keys=True),
]


class Walker:
    """Does by keys or by hand what a walk asks for."""

    def __init__(self, page: Page, walk: Walk) -> None:
        self.page, self.walk = page, walk

    def go(self, target: Locator) -> None:
        """Walk to something with Tab alone, and see that the focus shows there and it is in the window."""
        # Found once: to find it by its role after each key would take most of the time.
        element = target.element_handle()
        pressed = 0
        while (stops := element.evaluate(STOPS)) and pressed < MOST_TABS:
            # Half of the way before it looks again: of some that are counted, Tab passes by.
            for _ in range((stops + 1) // 2):
                self.page.keyboard.press("Tab")
                pressed += 1
        expect(target).to_be_focused()
        expect(target).to_be_in_viewport()

    def press(self, target: Locator) -> None:
        """Follow a link or press a button."""
        if self.walk.keys:
            self.go(target)
            self.page.keyboard.press("Enter")
        elif self.walk.options["has_touch"]:
            target.tap()
        else:
            target.click()

    def write(self, name: str, words: str, digits: str = "") -> None:
        """Write into a field, or choose there; of a day the digits are typed, month first."""
        target = self.page.locator(f"main [name='{name}']").first
        if not self.walk.keys:
            if target.evaluate("e => e.tagName") == "SELECT":
                target.select_option(words)
            else:
                target.fill(words)
            return
        self.go(target)
        if not digits:
            self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.type(digits or words)

    def choose(self, address: str) -> None:
        """Follow a link of the menu, which a telephone has behind its last button."""
        more = self.page.locator(".rt-bottom [data-toggles]")
        if more.is_visible():
            self.press(more)
        self.press(self.page.locator(f".rt-side a[href='{address}']"))
        self.page.wait_for_url(f"**{address}")

    def save(self) -> None:
        """Press the button of the page's own form."""
        self.press(self.page.locator("main form[method=post] button:not([tabindex='-1'])").last)

    def arrive(self, folder: Path) -> None:
        """See that the page is in the walk's language and fits its width, and keep a picture of it."""
        assert str(self.page.locator("html").get_attribute("lang")).startswith(self.walk.language)
        assert self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        self.page.screenshot(path=folder / f"{self.walk}-{len(list(folder.iterdir()))}.png")


@pytest.fixture(params=WALKS, ids=str)
def walk(request: pytest.FixtureRequest) -> Walk:
    made = request.param
    assert isinstance(made, Walk)
    return made


def sign_in(open_page: Open, role: Role, walk: Walk) -> Walker:
    """Come in by the sign-in page, by keys or by hand."""
    page = open_page(None, "/sign-in", **walk.options)
    expect(page.locator("[name=email]")).to_be_focused()
    walker = Walker(page, walk)
    walker.write("email", ADDRESSES[role])
    walker.write("password", PASSWORD)
    if walk.keys:
        page.keyboard.press("Enter")
    else:
        walker.press(page.locator("[name=submit]"))
    expect(page.locator(".rt-side")).to_be_attached()
    return walker


def test_a_rep_logs_where_the_caller_heard_of_us(
    open_page: Open, service: Service, walk: Walk, tmp_path: Path
) -> None:
    walker = sign_in(open_page, Role.rep, walk)
    page = walker.page
    if not page.url.endswith("/desk"):
        walker.choose("/desk")
    ring(service.engine, f"call {walk}", clock.now(), status=CallStatus.ringing, talk_s=None)
    expect(page.locator("h1.who", has_text="Borealis Foods")).to_be_visible()
    expect(page.locator("#log")).to_be_focused()
    walker.arrive(tmp_path)
    answer = page.locator(".answers [data-pick]").first
    said = str(answer.get_attribute("data-pick"))
    if walk.keys:
        # The commonest case, with the judgement: three keys of the four that it may take.
        for key in (str(answer.get_attribute("data-digit")), "g", "Enter"):
            page.keyboard.press(key)
    else:
        walker.press(answer)
        walker.press(page.locator("[name=lead_status][value=good_lead]"))
        walker.press(page.locator("[data-save]"))
    expect(page.locator(".rt-note.tone-good", has_text="Borealis Foods").first).to_contain_text(said)
    walker.arrive(tmp_path)


def test_a_marketer_puts_a_number_on_new_material_and_prints_its_sheet(
    open_page: Open, walk: Walk, tmp_path: Path
) -> None:
    number, name = f"+4670174063{WALKS.index(walk)}", f"Catalogue {walk}"
    walker = sign_in(open_page, Role.marketer, walk)
    page = walker.page
    walker.choose("/numbers")
    walker.press(page.locator("main a[href='/numbers/new']").first)
    expect(page.locator("#f-numbers")).to_be_focused()
    walker.write("numbers", number)
    walker.save()
    expect(page.locator("main a", has_text=re.compile(re.escape(number[-4:]))).first).to_be_visible()
    walker.choose("/campaigns")
    walker.press(page.locator("main a[href='/campaigns/new']").first)
    walker.write("name", name)
    walker.write("channel", "print")
    walker.save()
    expect(page.locator("h1", has_text=name)).to_be_visible()
    walker.press(page.locator("main a[href$='/material']").first)
    expect(page.locator("#f-name")).to_be_focused()
    walker.write("name", "Back cover")
    walker.save()
    walker.press(page.locator("form[action$='/number'] button"))
    expect(page.locator(".rt-note.tone-good", has_text=number)).to_be_visible()
    walker.arrive(tmp_path)
    walker.press(page.locator("main .rt-number a[href^='/numbers/']").first)
    expect(page.locator("#waiting")).to_be_visible()
    walker.arrive(tmp_path)
    link = page.locator("main a[href$='/sheet.pdf']").first
    sheet = PdfReader(io.BytesIO(page.request.get(str(link.get_attribute("href"))).body()))
    assert number[-4:] in "".join(sheet.pages[0].extract_text().split())


def test_whoever_decides_settles_next_years_budget_and_takes_the_report_along(
    open_page: Open, walk: Walk, tmp_path: Path
) -> None:
    walker = sign_in(open_page, Role.viewer, walk)
    page = walker.page

    def whole_year() -> None:
        walker.write("from", "2026-01-01", "01012026")
        walker.write("to", "2026-12-31", "12312026")
        walker.press(page.locator("main form[method=get] button").first)
        page.wait_for_url("**from=2026-01-01&to=2026-12-31**")

    walker.choose("/roi")
    whole_year()
    expect(page.locator("td .rt-scale").first).to_be_visible()
    walker.arrive(tmp_path)
    # From a figure to its deals, and to the journey of one of them.
    walker.press(page.locator("main .rows a[href*='/roi/behind']").first)
    walker.press(page.locator("main td a[href^='/deals/'], main th a[href^='/deals/']").first)
    expect(page.locator(".rt-timeline.shares")).to_be_visible()
    walker.arrive(tmp_path)
    walker.choose("/roi/advice")
    whole_year()
    walker.write("cost0", "30000")
    if walk.keys:
        page.keyboard.press("Enter")
    else:
        walker.press(page.locator("#what-if button"))
    page.wait_for_url("**cost0=30000**")
    expect(page.locator("[name=cost0]")).to_have_value("30000.00")
    expect(page.locator("#what-if ~ .card table").first).to_be_visible()
    walker.arrive(tmp_path)
    walker.choose("/report")
    whole_year()
    expect(page.locator(".report .decision")).to_be_visible()
    expect(page.locator(".report .annex details[open]")).to_have_count(0)
    walker.arrive(tmp_path)
    walker.press(page.locator(".report .annex summary").first)
    expect(page.locator(".report #table-headline")).to_be_visible()
    if walk.language == "en":
        expect(page.locator(".report .chart svg").first).to_be_visible()
        sheets = [
            sheet.extract_text()
            for sheet in PdfReader(io.BytesIO(page.pdf(format="A4", print_background=True))).pages
        ]
        annex = next(place for place, words in enumerate(sheets) if words.startswith("Annex"))
        assert annex <= 4, "sheets of story, as a browser prints the page"
        assert "Definitions" in "".join(sheets[annex:]), "what is folded away is printed too"
