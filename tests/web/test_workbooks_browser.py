"""A firm's three workbooks from its Excel to its ROI, in a real browser, every click counted."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect
from sqlalchemy import Engine, select

from tests.cast import CATALOGUE_NUMBER, moment
from tests.web.conftest import Service
from tests.web.firms import FIRMS, TAKEN, workbook
from tracking.records import campaigns
from tracking.storage import db
from tracking.storage.models import Campaign
from tracking.storage.vocabulary import Medium
from tracking.telephony import numbers

Open = Callable[..., Page]


def press(page: Page) -> None:
    """Press the button that goes on, whatever it is called in this language."""
    page.locator("main .btn-primary").click()


def test_from_nothing_a_firms_three_workbooks_come_in_by_four_clicks_each_and_give_its_roi(
    open_page: Open, service: Service, tmp_path: Path
) -> None:
    page = open_page("marketer", "/imports", locale="de-DE")
    page.add_init_script(
        "addEventListener('click', e => { if (e.isTrusted) sessionStorage.n = +sessionStorage.n + 1 }, true)"
    )
    for rows, taken in zip(FIRMS["de"], TAKEN, strict=True):
        file = tmp_path / "firm.xlsx"
        file.write_bytes(workbook(rows))
        page.goto("/imports")
        page.evaluate("sessionStorage.n = 0")
        with page.expect_file_chooser() as chooser:
            page.locator("main input[type=file]").click()
        chooser.value.set_files(file)
        press(page)
        page.wait_for_url(re.compile("/imports/[0-9a-f]{32}$"))
        press(page)
        page.wait_for_url("**/check")
        counts = page.locator(".rt-kpis dd")
        expect(counts.nth(0)).to_have_text(str(taken))
        expect(counts.nth(3)).to_have_text("0")
        press(page)
        page.wait_for_url("**/jobs/*")
        expect(counts.nth(0)).to_have_text(str(taken))
        assert page.evaluate("sessionStorage.n") == "4", "the file, upload, preview, import"
    advertise(service.engine)
    page = open_page("marketer", "/roi?from=2026-01-01&to=2026-12-31&models=linear")
    rows_shown = page.locator("#all-models tr").all()
    lines = [" ".join(" ".join(row.locator("th, td").all_text_contents()).split()) for row in rows_shown]
    # By hand: 1,000.50 was won through the catalogue, which cost 400.25 + 100.00: as much again came back.
    assert any(line.startswith("Katalog €500.25 2 2 1 €1,000 100.0%") for line in lines), lines
    # (1,000.50 - 700.25) / 700.25 = 42.9 %
    assert any(line.startswith("Total €700.25 2 2 1 €1,000 42.9%") for line in lines), lines


def advertise(engine: Engine) -> None:
    """Give the number that was called to the catalogue, since New Year."""
    with db.transaction(engine) as session:
        campaign = session.scalars(select(Campaign).where(Campaign.name == "Katalog")).one()
        since = moment("2026-01-01")
        piece = campaigns.add_material(session, campaign, "Katalog", at=since, medium=Medium.print)
        row = numbers.add(session, CATALOGUE_NUMBER, at=since, provider="cdr")
        numbers.assign(session, row, piece, starts_at=since)
