"""From an empty installation to a deal whose way is known: the way of somebody who has a website."""

import re
from collections.abc import Callable

from playwright.sync_api import Browser, Page, expect

from tests.cast import ACME_DESK, BOREALIS
from tests.web.conftest import Service
from tests.web.website import visitor, website

Open = Callable[..., Page]
CONTACT = """<!doctype html><html lang=en><title>Contact</title><form method=post action="{address}">
<label>Name <input name=name></label><label>Company <input name=company></label>
<label>Phone <input name=phone type=tel></label><label>Message <textarea name=message></textarea></label>
<div data-ringtrail=heard></div><input type=hidden name=rt-next value=/thanks><button>Send</button></form>"""


def test_from_the_web_page_to_the_call_the_form_and_the_deal_with_their_source_and_journey(
    open_page: Open, service: Service, chromium: Browser
) -> None:
    with website() as own:
        page = open_page("marketer", "/sites")
        page.get_by_role("link", name="Add website").click()
        page.get_by_label("Name").fill("Acme")
        page.get_by_label("Address of the website").fill(own.url)
        page.get_by_label("Number on its pages").fill(ACME_DESK)
        page.get_by_label("Visitors must agree first").uncheck()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Website added")).to_be_visible()
        site = page.url
        page.goto("/numbers/new")
        page.get_by_label("Numbers, one per line").fill("+46701740611\n+46701740612")
        page.get_by_role("button", name="Add all").click()
        expect(page.get_by_text("2 numbers added")).to_be_visible()
        page.goto(site)
        page.get_by_label("Tracking numbers, one per line").fill("+46701740611\n+46701740612")
        page.get_by_role("button", name="Add to the pool").click()
        expect(page.get_by_text("2 numbers added to the pool")).to_be_visible()
        snippet = page.get_by_label("Snippet", exact=True).input_value()
        asks = page.get_by_label("Snippet for forms").input_value()

        own.put("/", f"<!doctype html><title>Pumps</title><p id=own>Ring 070-174 06 90</p>{snippet}")
        own.put("/contact", CONTACT.format(address=f"{service.url}/c/form") + snippet + asks)
        own.put("/thanks", "<!doctype html><h1>Thanks</h1>")
        buyer = visitor(chromium)
        buyer.goto(f"{own.url}/?utm_source=newsletter&utm_medium=email&utm_campaign=spring")
        expect(buyer.locator("#own")).to_have_text(re.compile("^Ring 070-174 06 1[12]$"))

        page.goto(site)
        shown = buyer.locator("#own").inner_text().removeprefix("Ring ")
        page.get_by_label("Number that the page shows").fill(shown)
        page.get_by_label("Number you call from").fill(BOREALIS)
        page.get_by_role("button", name="Practice call").click()
        expect(page.get_by_text("Practice call made")).to_be_visible()
        trial = page.url
        card = page.locator("#visit")
        expect(card).to_contain_text("email, visit to the website (")
        expect(card).to_contain_text("127.0.0.1/")
        company = page.get_by_role("link", name="Unnamed company").first.get_attribute("href") or ""
        page.get_by_role("link", name="Log or edit").click()
        page.get_by_label("How did you hear about us?").fill("Web search")
        page.get_by_role("button", name="Save, next call").click()
        expect(page.get_by_text("Web search").first).to_be_visible()
        page.goto(company)
        timeline = page.locator(".rt-timeline li")
        expect(timeline).to_have_count(2)
        expect(timeline.filter(has_text="visit")).to_contain_text("email")
        expect(timeline.filter(has_text="Practice call")).to_contain_text("email")
        page.goto("/visits")
        for listed in ("Visits without a campaign", "Results by UTM tags"):
            row = page.get_by_role("region", name=listed).get_by_role("row")
            expect(row.filter(has_text="newsletter / email / spring")).to_be_visible()
        page.goto(site)
        expect(page.locator("#health")).to_contain_text("To stay below 1.0%")

        buyer.clock.install()
        buyer.goto(f"{own.url}/contact")
        buyer.get_by_label("Name").fill("Ada Byron")
        buyer.get_by_label("Company").fill("Borealis Foods")
        buyer.get_by_label("Phone").fill(BOREALIS)
        buyer.get_by_label("Message").fill("Twenty pumps, please")
        buyer.get_by_label("Where did you hear about us?").select_option("Trade show")
        buyer.clock.fast_forward(5000)
        buyer.get_by_role("button", name="Send").click()
        expect(buyer.get_by_role("heading", name="Thanks")).to_be_visible()
        assert buyer.url == f"{own.url}/thanks", "no field of the form went into the address"
        buyer.context.close()

        page.goto("/forms")
        page.get_by_role("row", name="Borealis Foods").get_by_role("link").click()
        expect(page.locator("#fields")).to_contain_text("Twenty pumps, please")
        expect(page.locator("#journey li")).to_have_count(2)
        page.goto("/deals/new")
        page.get_by_label("Company", exact=True).fill("Borealis Foods")
        page.get_by_label("Stage").select_option("lead")
        page.get_by_role("button", name="Save").click()
        timeline = page.locator(".rt-timeline")
        for part in ("visit", "Practice call", "Web search", "form", "Trade show"):
            expect(timeline).to_contain_text(part)
        deal = page.url
        page.goto("/key-figures")
        row = page.get_by_role("row", name="Visitor-to-lead rate")
        expect(row).to_contain_text("100")
        page.goto(trial)
        page.get_by_role("button", name="Remove practice call").click()
        expect(page.get_by_text("Practice call removed")).to_be_visible()
        page.goto(deal)
        expect(timeline.filter(has_text="visit")).to_be_visible()
        expect(page.get_by_text("Practice call")).to_have_count(0)
        expect(page.get_by_text("Web search")).to_have_count(0)
