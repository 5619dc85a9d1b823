"""The rep in a real browser: the call appears, two keys log it, and nothing is lost without a network."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from tests.cast import COBALT
from tests.web.accessibility import findings, reflows, unseen_focus
from tests.web.conftest import Service
from tests.web.ringing import CATALOGUE, FAIR, advertise, ring
from tracking import clock, db
from tracking.models import Answer
from tracking.vocabulary import CallStatus

Open = Callable[..., Page]
PHONE = {"width": 375, "height": 700}


@pytest.fixture(autouse=True)
def material(service: Service) -> None:
    advertise(service.engine, clock.now())


def answered(service: Service, call_id: int) -> list[str]:
    with db.reading(service.engine) as session:
        rows = session.scalars(select(Answer).where(Answer.call_id == call_id).order_by(Answer.id)).all()
        return [row.campaign.name if row.campaign else row.verbatim or row.outcome for row in rows]


def digit(page: Page, answer: str) -> str:
    """The key of an answer; the commonest come first, so it changes as calls are logged."""
    key = page.locator(f"[data-pick='{answer}']").get_attribute("data-digit")
    assert key is not None
    return key


def test_a_ringing_call_appears_within_three_seconds_and_two_keys_log_it(
    open_page: Open, service: Service
) -> None:
    page = open_page("rep", "/desk")
    expect(page.get_by_text("Waiting for your first call")).to_be_visible()
    now = clock.now()
    call = ring(service.engine, "live", now, status=CallStatus.ringing, talk_s=None)
    expect(page.get_by_role("heading", name="Borealis Foods")).to_be_visible(timeout=3000)
    assert page.evaluate("document.activeElement.id") == "source"
    pressed = [digit(page, FAIR), "Enter"]
    for key in pressed:
        page.keyboard.press(key)
    expect(page.get_by_text("Every call is logged")).to_be_visible()
    assert answered(service, call) == [FAIR]
    assert len(pressed) <= 4


def test_saving_goes_on_to_the_next_call_and_words_are_kept(open_page: Open, service: Service) -> None:
    at = clock.now() - timedelta(hours=2)
    older = ring(service.engine, "older", at, caller=COBALT)
    newer = ring(service.engine, "newer", at + timedelta(minutes=5))
    page = open_page("rep", "/desk")
    page.keyboard.type("the 3rd page of a magazine")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Unknown caller")).to_be_visible()
    page.keyboard.press("0")
    expect(page.get_by_text("Every call is logged")).to_be_visible()
    assert answered(service, newer) == ["the 3rd page of a magazine"]
    assert answered(service, older) == ["not_asked"]


def test_a_lost_connection_loses_nothing(open_page: Open, service: Service) -> None:
    call = ring(service.engine, "offline", clock.now() - timedelta(hours=1))
    page = open_page("rep", f"/desk?call={call}")
    page.context.set_offline(True)
    page.keyboard.press(digit(page, CATALOGUE))
    page.get_by_label("Note").fill("wants a price for ten pumps")
    page.get_by_label("Note").press("Control+Enter")
    expect(page.get_by_text("What you typed is kept here")).to_be_visible()
    assert answered(service, call) == []
    page.context.set_offline(False)
    expect(page.get_by_text("Every call is logged")).to_be_visible()
    assert answered(service, call) == [CATALOGUE]


def test_what_was_typed_is_there_again_after_the_page_was_left(open_page: Open, service: Service) -> None:
    call = ring(service.engine, "left", clock.now() - timedelta(hours=1))
    page = open_page("rep", f"/desk?call={call}")
    page.keyboard.type("somebody told me")
    page.goto("/calls")
    page.goto(f"/desk?call={call}")
    expect(page.locator("#source")).to_have_value("somebody told me")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Every call is logged")).to_be_visible()


def test_two_reps_at_one_call_see_each_other_within_three_seconds(open_page: Open, service: Service) -> None:
    call = ring(service.engine, "shared", clock.now() - timedelta(hours=1))
    rita = open_page("rep", f"/desk?call={call}")
    mikael = open_page("marketer", f"/desk?call={call}")
    expect(rita.get_by_text("Mikael also has this call open")).to_be_visible(timeout=3000)
    mikael.keyboard.press(digit(mikael, CATALOGUE))
    mikael.keyboard.press("Enter")
    expect(mikael.get_by_text("Every call is logged")).to_be_visible()
    expect(rita.get_by_text("logged by somebody else just now")).to_be_visible(timeout=3000)
    rita.locator("#source").focus()
    rita.keyboard.press(digit(rita, FAIR))
    rita.keyboard.press("Enter")
    expect(rita.get_by_text("Mikael has logged this call meanwhile")).to_be_visible()
    rita.get_by_role("button", name="Save and next").click()
    expect(rita.get_by_text("Every call is logged")).to_be_visible()
    assert answered(service, call) == [CATALOGUE, FAIR]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_of_the_rep_keep_the_rules_of_accessibility(
    open_page: Open, service: Service, theme: str
) -> None:
    call = ring(service.engine, f"axe {theme}", clock.now() - timedelta(hours=1))
    page = open_page("rep", f"/desk?call={call}", color_scheme=theme, viewport=PHONE)
    for path in (f"/desk?call={call}", "/desk/unasked", "/calls/new", "/calls", f"/calls/{call}"):
        page.goto(path)
        assert findings(page) == [], path
        assert unseen_focus(page) == [], path
        assert reflows(page), path
