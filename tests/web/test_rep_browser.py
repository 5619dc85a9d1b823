"""The rep in a real browser: the call appears, two keys log it, and nothing is lost without a network."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy import select, update

from tests.cast import BOREALIS, COBALT
from tests.twilio_requests import incoming, send, sid
from tests.web.accessibility import findings, reflows, unseen_focus
from tests.web.conftest import Service
from tests.web.people import ADDRESSES, PASSWORD
from tests.web.ringing import CATALOGUE, FAIR, advertise, ring
from tracking import clock
from tracking.storage import db
from tracking.storage.models import Answer, Call
from tracking.storage.vocabulary import CallStatus, LeadStatus, Role

Open = Callable[..., Page]
WORKER = False
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


def test_from_sign_in_to_a_logged_answer_with_the_keyboard_alone(open_page: Open, service: Service) -> None:
    page = open_page(None, "/sign-in?next=/desk")
    presses: list[str] = []

    def press(*keys: str) -> None:
        for key in keys:
            page.keyboard.press(key)
            presses.append(key)

    page.keyboard.type(ADDRESSES[Role.rep])
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Waiting for your first call")).to_be_visible()
    send(service.url, "voice", incoming(sid(1)))
    expect(page.get_by_role("heading", name="Borealis Foods")).to_be_visible()
    expect(page.get_by_text(f"{CATALOGUE}, first")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "log"
    press("g", digit(page, FAIR), "Enter")
    expect(page.get_by_text(f"Saved: Borealis Foods, {FAIR}.")).to_be_visible()
    expect(page.get_by_text("All calls are logged")).to_be_visible()
    with db.reading(service.engine) as session:
        call = session.scalars(select(Call)).one()
        assert (call.status, call.lead_status) == (CallStatus.ringing, LeadStatus.good_lead)
    assert answered(service, call.id) == [FAIR]
    assert len(presses) <= 4, "answer, judgement and saving"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    expect(
        page.get_by_role("dialog", name="Keyboard shortcuts").get_by_text("Pick an answer")
    ).to_be_visible()


def test_saving_goes_on_to_the_next_call_and_words_are_kept(open_page: Open, service: Service) -> None:
    at = clock.now() - timedelta(hours=2)
    older = ring(service.engine, "older", at, caller=COBALT)
    newer = ring(service.engine, "newer", at + timedelta(minutes=5))
    page = open_page("rep", "/desk")
    page.keyboard.press("w")
    page.keyboard.type("the 3rd page of a magazine")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Unknown caller")).to_be_visible()
    page.keyboard.press("0")
    expect(page.get_by_text("All calls are logged")).to_be_visible()
    assert answered(service, newer) == ["the 3rd page of a magazine"]
    assert answered(service, older) == ["not_asked"]


def test_a_digit_in_the_callers_words_stays_a_digit(open_page: Open, service: Service) -> None:
    call = ring(service.engine, "3M", clock.now() - timedelta(hours=1))
    page = open_page("rep", f"/desk?call={call}")
    page.locator("#source").click()
    page.keyboard.type("3M at the fair, 1g + 0-n/")
    expect(page.locator("#source")).to_have_value("3M at the fair, 1g + 0-n/")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("All calls are logged")).to_be_visible()
    assert answered(service, call) == ["3M at the fair, 1g + 0-n/"]


def test_a_word_that_callers_use_proposes_the_standard_answer(open_page: Open, service: Service) -> None:
    call = ring(service.engine, "google", clock.now() - timedelta(hours=1))
    page = open_page("rep", f"/desk?call={call}")
    page.keyboard.press("w")
    page.keyboard.type("google")
    expect(page.get_by_role("listbox", name="Matching answers").get_by_role("option")).to_have_text(
        ["Web search channel"]
    )
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#source")).to_have_value("Web search")
    page.keyboard.press("Enter")
    expect(page.get_by_text("All calls are logged")).to_be_visible()
    with db.reading(service.engine) as session:
        assert session.scalars(select(Answer.channel).where(Answer.call_id == call)).all() == ["search"]


def test_typing_a_part_of_a_name_finds_it_and_the_arrows_choose_it(open_page: Open, service: Service) -> None:
    call = ring(service.engine, "typed", clock.now() - timedelta(hours=1))
    page = open_page("rep", f"/desk?call={call}")
    page.keyboard.press("w")
    page.keyboard.type("fair")
    options = page.get_by_role("listbox", name="Matching answers").get_by_role("option")
    expect(options).to_have_text([FAIR, "Trade show channel"])
    page.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.locator("#source")).to_have_value(FAIR)
    page.keyboard.press("Enter")
    expect(page.get_by_text("All calls are logged")).to_be_visible()
    assert answered(service, call) == [FAIR]


def test_a_lost_connection_loses_nothing(open_page: Open, service: Service) -> None:
    call = ring(service.engine, "offline", clock.now() - timedelta(hours=1))
    page = open_page("rep", f"/desk?call={call}")
    page.context.set_offline(True)
    page.keyboard.press(digit(page, CATALOGUE))
    page.get_by_label("Note").fill("wants a price for ten pumps")
    page.get_by_label("Note").press("Control+Enter")
    expect(page.get_by_text("Not saved yet: you are offline.")).to_be_visible()
    page.get_by_label("Note").fill("wants a price for twelve pumps")
    assert answered(service, call) == []
    page.context.set_offline(False)
    expect(page.get_by_text("All calls are logged")).to_be_visible()
    assert answered(service, call) == [CATALOGUE]
    with db.reading(service.engine) as session:
        assert session.get_one(Call, call).note == "wants a price for twelve pumps"


def test_a_reply_that_is_lost_on_its_way_makes_no_second_answer(open_page: Open, service: Service) -> None:
    call = ring(service.engine, "reply", clock.now() - timedelta(hours=1))
    page = open_page("rep", f"/desk?call={call}")

    def lose_the_reply(route: Route) -> None:
        route.fetch(max_redirects=0)
        route.abort()

    page.route(f"**/desk/{call}", lose_the_reply, times=1)
    page.keyboard.press("w")
    page.keyboard.type("an old customer")
    page.keyboard.press("Enter")
    expect(page.get_by_text("All calls are logged")).to_be_visible()
    assert answered(service, call) == ["an old customer"]


def test_what_was_typed_is_there_again_after_leaving_or_being_signed_out(
    open_page: Open, service: Service
) -> None:
    call = ring(service.engine, "left", clock.now() - timedelta(hours=1))
    page = open_page("rep", f"/desk?call={call}")
    page.keyboard.press("w")
    page.keyboard.type("somebody told me")
    page.goto("/calls")
    page.goto(f"/desk?call={call}")
    expect(page.locator("#source")).to_have_value("somebody told me")
    page.context.clear_cookies()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Not saved: ")).to_be_visible()
    page.goto(f"/sign-in?next=/desk?call={call}")
    page.get_by_label("Email").fill(ADDRESSES[Role.rep])
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#source")).to_have_value("somebody told me")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("All calls are logged")).to_be_visible()
    assert answered(service, call) == ["somebody told me"]


def test_two_reps_at_one_call_see_each_other(open_page: Open, service: Service) -> None:
    call = ring(service.engine, "shared", clock.now() - timedelta(hours=1))
    rita = open_page("rep", f"/desk?call={call}")
    mikael = open_page("marketer", f"/desk?call={call}")
    expect(rita.get_by_text("Mikael also has this call open.")).to_be_visible()
    mikael.keyboard.press(digit(mikael, CATALOGUE))
    mikael.keyboard.press("Enter")
    expect(mikael.get_by_text("All calls are logged")).to_be_visible()
    expect(rita.get_by_text(f"Just logged by Mikael: {CATALOGUE}")).to_be_visible()
    expect(rita.get_by_text("Mikael also has this call open.")).to_be_hidden()
    rita.keyboard.press(digit(rita, FAIR))
    rita.keyboard.press("Enter")
    expect(rita.get_by_text(f"Mikael has just logged this call: {CATALOGUE}")).to_be_visible()
    expect(rita.locator("#source")).to_have_value(FAIR)
    rita.keyboard.press("Enter")
    expect(rita.get_by_text("All calls are logged")).to_be_visible()
    assert answered(service, call) == [CATALOGUE, FAIR]


def test_the_pages_of_the_rep_keep_the_rules_of_accessibility_on_a_telephone(
    open_page: Open, service: Service
) -> None:
    call = ring(service.engine, "axe", clock.now() - timedelta(hours=1))
    page = open_page("rep", f"/desk?call={call}", viewport=PHONE)
    paths = (f"/desk?call={call}", "/desk/unasked", "/calls/new", "/calls", f"/calls/{call}")
    for path in paths:
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # a viewport is a dictionary of two numbers
        page.goto(path)
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        assert findings(page) == [], path
        assert too_small(page) == [], path
        assert unseen_focus(page) == [], path
        assert reflows(page), path
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        assert findings(page, ["color-contrast"]) == [], path


def too_small(page: Page) -> list[str]:
    """Return what a finger is to hit on the page's own part and is lower than 44 pixels."""
    look = """() => [...document.querySelectorAll(
            'main :is(button, a, select, summary, input:not([type=hidden], [type=radio], [type=checkbox]))')]
        .concat([...document.querySelectorAll('main label:has([type=radio], [type=checkbox])')])
        .filter(e => e.checkVisibility() && !e.matches('.first') && e.getBoundingClientRect().height < 43.9)
        .map(e => e.outerHTML.slice(0, 120))"""
    found: list[str] = page.evaluate(look)
    return found


def test_a_number_is_shown_where_it_is_asked_for_and_what_was_typed_stays(
    open_page: Open, service: Service
) -> None:
    with db.transaction(service.engine) as session:
        # What other tests have left to log.
        session.execute(update(Call).values(started_at=clock.now() - timedelta(days=60)))
    older = ring(service.engine, "number older", clock.now() - timedelta(hours=2))
    newer = ring(service.engine, "number newer", clock.now() - timedelta(hours=1), caller=COBALT)
    page = open_page("rep", f"/desk?call={newer}")
    page.keyboard.press("0")
    page.wait_for_url(f"**/desk?call={older}*")
    # The page of the next call was exchanged by the script, and its buttons work all the same.
    page.locator("#note").fill("wants pumps")
    page.get_by_role("button", name="Show number").click()
    expect(page.get_by_role("link", name=BOREALIS)).to_be_focused()
    expect(page.locator("#note")).to_have_value("wants pumps")
