"""The import wizard in a real browser: by keyboard from a file to its rows, and to those it refused."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect
from sqlalchemy import select

from tests.web.accessibility import findings, reflows, unseen_focus
from tests.web.conftest import Service
from tracking.storage import db
from tracking.storage.models import Deal

Open = Callable[..., Page]
# Headers of a system nobody has heard of, so that two columns have to be told.
FILE = """Nr,Stufe,Wieviel,Company
k1,open,1000,Borealis Foods
k2,open,lots,Nordic Paper
k3,open,250,Arctic Dairy
k4,open,viel,Sauna Oy
"""


def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until the focus is on what matches a selector."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            return
    raise AssertionError(f"Tab does not reach {wanted}")


def button(words: str) -> str:
    return f"main button[data-test='{words}']"


def mark_buttons(page: Page) -> None:
    """Let buttons and links be found by their words."""
    page.evaluate(
        "() => document.querySelectorAll('main :is(button, a)')"
        ".forEach(e => { e.dataset.test = e.textContent.trim(); })"
    )


def give(page: Page, path: Path) -> None:
    """Choose a file and send it, by keyboard."""
    # Begun before the first key: the browser has to be told to hand its dialog over, which takes a moment.
    with page.expect_file_chooser() as chooser:
        tab_to(page, "input[type=file]")
        page.keyboard.press("Space")
    chooser.value.set_files(path)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")


def test_by_keyboard_from_a_file_to_mended_rows_and_the_refused_ones(
    open_page: Open, service: Service, tmp_path: Path
) -> None:
    file = tmp_path / "angebote.csv"
    file.write_text(FILE)
    page = open_page("marketer", "/imports")
    give(page, file)
    expect(page.get_by_role("heading", name="angebote.csv")).to_be_visible()
    for place, word in ((0, "deal: ID"), (1, "stage"), (2, "amount")):
        tab_to(page, f"[name=column-{place}]")
        page.keyboard.type(word)
    expect(page.locator("[name=column-3]")).to_have_value("company")
    mark_buttons(page)
    tab_to(page, button("Preview"))
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Rejected rows")).to_be_visible()
    assert facts(page)[:4] == ["2", "0", "0", "2"]
    tab_to(page, "[name=cell-3-2]")
    assert page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true"
    page.keyboard.press("Control+a")
    page.keyboard.type("700")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 row is still rejected.")).to_be_visible()
    assert facts(page)[:4] == ["3", "0", "0", "1"]
    mark_buttons(page)
    tab_to(page, button("Import 3 rows"))
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Import angebote.csv")).to_be_visible()
    expect(page.get_by_role("link", name="Download rejected rows")).to_be_visible()
    assert facts(page)[:4] == ["3", "0", "0", "1"]
    mark_buttons(page)
    tab_to(page, "main a[data-test='Download rejected rows']")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "angebote-refused.csv"
    header, row = download.value.path().read_text().splitlines()
    assert header == "Nr,Stufe,Wieviel,Company,error"
    assert row.startswith('k4,open,viel,Sauna Oy,"line 5: Wieviel ')
    with db.reading(service.engine) as session:
        stored = dict(session.execute(select(Deal.external_id, Deal.amount_minor)).all())
    assert stored == {"k1": 100_000, "k2": 70_000, "k3": 25_000}


def facts(page: Page) -> list[str]:
    return page.locator(".rt-kpis dd").all_inner_texts()


def test_a_long_trial_shows_how_far_it_is_and_is_stopped_without_losing_the_focus(
    open_page: Open, service: Service, tmp_path: Path
) -> None:
    file = tmp_path / "long.csv"
    rows = "".join(f"k{n},won,{n},Company {n},2026-03-01\n" for n in range(60_000))
    file.write_text("Deal ID,Deal Stage,Amount,Company,Close Date\n" + rows)
    page = open_page("marketer", "/imports")
    give(page, file)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    stop = page.get_by_role("button", name="Stop")
    stop.focus()
    expect(page.get_by_role("progressbar")).to_have_attribute("value", re.compile("[1-9]"))
    expect(stop).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Job stopped")).to_be_visible()


def test_what_is_no_table_is_refused_beside_the_field(open_page: Open, tmp_path: Path) -> None:
    page = open_page("marketer", "/imports")
    workbook = tmp_path / "deals.xlsx"
    workbook.write_bytes(b"PK\x03\x04 and so on")
    give(page, workbook)
    expect(page.get_by_role("alert")).to_contain_text("deals.xlsx is a damaged or locked archive")
    assert page.get_by_label("File").get_attribute("aria-invalid") == "true"


def test_the_pages_of_an_import_that_was_tried_keep_the_rules_of_accessibility(
    open_page: Open, tmp_path: Path
) -> None:
    """The page of a file that was not tried and the lists are among those of test_every_page_browser."""
    file = tmp_path / "angebote.csv"
    file.write_text(FILE)
    page = open_page("marketer", "/imports")
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="angebote.csv")).to_be_visible()
    for place, field in enumerate(("deal_id", "stage", "amount", "company")):
        page.locator(f"[name=column-{place}]").select_option(field)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="Rejected rows")).to_be_visible()
    assert findings(page) == []
    assert unseen_focus(page) == []
    assert reflows(page)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert findings(page, ["color-contrast"]) == []
