"""An experiment in a real browser, with the keyboard alone: plan it, start it, end it, read it."""

from collections.abc import Callable
from datetime import timedelta

from playwright.sync_api import Page, expect

from tests.cast import today
from tests.pauses import CAMPAIGN, sell, usual
from tests.web.conftest import Service
from tracking.storage import db

Open = Callable[..., Page]
WORKER = False


def test_a_marketer_plans_starts_ends_and_reads_an_experiment(open_page: Open, service: Service) -> None:
    pause = today() - timedelta(weeks=8)
    with db.transaction(service.engine) as session:
        weeks = usual(-60, 0, own=9, other=6) | usual(0, 8, own=0, other=8)
        for region in ("north", "south"):
            sell(session, weeks, region=region, pause=pause)
    page = open_page("marketer", "/")
    page.get_by_role("link", name="Experiments").press("Enter")
    expect(page.get_by_text("No experiments yet.")).to_be_visible()
    page.get_by_role("link", name="Plan experiment").press("Enter")
    page.get_by_label("What to pause").select_option(CAMPAIGN)
    page.get_by_label("First day").fill(pause.isoformat())
    page.get_by_label("south").press("Space")
    page.get_by_role("button", name="Calculate").press("Enter")
    expect(page.get_by_role("heading", name="weeks are enough")).to_be_visible()
    expect(page.get_by_text("Compared with the regions that go on")).to_be_visible()
    expect(page.get_by_role("row", name="26")).to_be_visible()
    expect(page.get_by_label("south")).to_be_checked()
    page.get_by_label("south").press("Space")
    page.get_by_label("Name").fill("Ads off")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_role("heading", name="Ads off planned")).to_be_visible()
    page.get_by_label("First day of the pause").fill(pause.isoformat())
    page.get_by_role("button", name="Start").press("Enter")
    expect(page.get_by_role("heading", name="Ads off running")).to_be_visible()
    expect(page.get_by_role("heading", name="It brings leads: about 98 in 7 weeks")).to_be_visible()
    page.get_by_label("Last day of the pause").fill((today() - timedelta(days=1)).isoformat())
    page.get_by_role("button", name="End").press("Enter")
    expect(page.get_by_role("heading", name="Ads off ended")).to_be_visible()
    expect(page.get_by_role("row", name="Credited by")).to_contain_text("126")
    expect(page.get_by_role("row", name="The experiment alone")).to_contain_text("98")
    page.get_by_role("link", name="Experiments").first.press("Enter")
    expect(page.get_by_role("row", name="Ads off")).to_contain_text("It brings leads")
