"""The report, its schedules and the quality of the data in a browser, by keyboard and on small screens."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests import workbooks as reader
from tests.web.accessibility import findings, reflows
from tests.web.conftest import Service
from tests.web.test_decide import YEAR, supplier
from tests.web.test_quality import ring
from tracking.storage import db

Open = Callable[..., Page]
WORKER = False
PAGES = {"report": f"/report?{YEAR}", "quality": f"/quality?{YEAR}", "schedules": "/schedules"}


@pytest.fixture(scope="module", autouse=True)
def bought(service: Service) -> None:
    """One supplier for all tests of this module, with one call that nothing explains."""
    supplier(service.engine)
    with db.transaction(service.engine) as session:
        ring(session, "1", "+46701740611")


def test_from_the_overview_to_a_workbook_and_a_schedule_with_the_keyboard_alone(
    open_page: Open, tmp_path: Path
) -> None:
    page = open_page("marketer", "/")
    page.get_by_role("link", name="Management report").press("Enter")
    expect(page.get_by_text("Which marketing pays off?")).to_be_visible()
    page.goto(PAGES["report"])
    expect(page.locator(".report section:not(.annex) .chart svg")).to_have_count(2)
    # A chart of the annex is drawn when it is asked for.
    fold = page.locator(".annex summary", has_text="Still expected")
    fold.press("Enter")
    expect(page.locator(".annex .chart svg").first).to_be_visible()
    with page.expect_download() as told:
        page.get_by_role("link", name="Workbook").press("Enter")
    told.value.save_as(tmp_path / "report.xlsx")
    book = reader.read((tmp_path / "report.xlsx").read_bytes())
    assert ["Fair", "position-based", 2000.0] in [row[:3] for row in book["ROI by campaign and model"]]
    page.get_by_role("link", name="Schedule by email").press("Enter")
    page.get_by_label("Name", exact=True).fill("Board")
    page.get_by_label("Recipients").fill("anna@acme.example")
    page.get_by_label("Frequency").select_option("weekly")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_role("row", name="Board")).to_contain_text("every Monday")


def test_the_saved_file_is_accessible_too_and_needs_nothing_from_elsewhere(
    open_page: Open, tmp_path: Path
) -> None:
    page = open_page("viewer", PAGES["report"])
    with page.expect_download() as told:
        page.get_by_role("link", name="HTML", exact=True).press("Enter")
    told.value.save_as(tmp_path / "report.html")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    pictures = page.locator("img")
    expect(pictures).to_have_count(3)
    for place in range(3):
        assert pictures.nth(place).evaluate("e => e.complete && e.naturalWidth > 100")
    assert findings(page) == []
    assert reflows(page)
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
