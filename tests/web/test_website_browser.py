"""From an empty installation to a call whose source is known: the way of somebody who has a website."""

import re
from collections.abc import Callable

from playwright.sync_api import Browser, Page, expect

from tests.cast import ACME_DESK, BOREALIS
from tests.twilio_requests import incoming, send, sid
from tests.web.conftest import Service
from tests.web.website import visitor, website

Open = Callable[..., Page]


def test_from_the_web_page_to_the_call_with_its_source_and_journey(
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
        snippet = page.get_by_label("Snippet").input_value()

        own.put("/", f"<!doctype html><title>Pumps</title><p id=own>Ring 070-174 06 90</p>{snippet}")
        buyer = visitor(chromium)
        buyer.goto(f"{own.url}/?utm_source=newsletter&utm_medium=email&utm_campaign=spring")
        expect(buyer.locator("#own")).to_have_text(re.compile("^Ring 070-174 06 1[12]$"))
        shown = buyer.locator("#own").inner_text()[-2:]
        buyer.context.close()

        send(service.url, "voice", incoming(sid(1), to=f"+467017406{shown}", caller=BOREALIS))

        page.goto("/calls")
        row = page.get_by_role("row", name="email, visit to the website")
        row.get_by_role("link").first.click()
        card = page.locator("#visit")
        expect(card).to_contain_text("email, visit to the website (")
        expect(card).to_contain_text("127.0.0.1/")
        page.get_by_role("link", name="unknown").first.click()
        timeline = page.locator(".rt-timeline li")
        expect(timeline).to_have_count(2)
        expect(timeline.filter(has_text="visit")).to_contain_text("email")
        expect(timeline.filter(has_text="the call")).to_contain_text("email")
        page.goto("/visits")
        expect(page.get_by_role("row", name="newsletter / email / spring")).to_be_visible()
        page.goto(site)
        expect(page.locator("#certainty")).to_contain_text("Source certain")
        expect(page.locator("#health")).to_contain_text("for at most 1.0%")
