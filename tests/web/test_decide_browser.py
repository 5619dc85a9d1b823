"""The one who decides, in a real browser: charts under the policy for content, keyboard, small screens."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.cast import BOREALIS, moment
from tests.web.conftest import Service
from tests.web.test_decide import YEAR, supplier
from tracking.records import campaigns
from tracking.storage import db
from tracking.storage.vocabulary import CallStatus, Medium
from tracking.telephony import calls, numbers
from tracking.telephony.calls import CallEvent

Open = Callable[..., Page]
WORKER = False
NUMBER = "+46701740611"


def ring(service: Service) -> None:
    with db.transaction(service.engine) as session:
        event = CallEvent(
            provider="twilio",
            provider_call_id="CA1",
            dialled=(NUMBER,),
            caller=BOREALIS,
            started_at=moment("2026-03-01 10:00"),
            status=CallStatus.completed,
            talk_s=60,
        )
        calls.record(session, [event], region="SE")


def test_from_the_first_call_to_a_saved_comparison_with_the_keyboard_alone(
    open_page: Open, service: Service
) -> None:
    with db.transaction(service.engine) as session:
        owner = campaigns.add(session, "Catalogue", "print", at=moment("2026-01-01"))
        piece = campaigns.add_material(session, owner, "Spring", at=moment("2026-01-01"), medium=Medium.print)
        number = numbers.add(session, NUMBER, at=moment("2026-01-01"), provider="twilio")
        numbers.assign(session, number, piece, starts_at=moment("2026-01-01"))
    page = open_page("viewer", "/")
    expect(page.get_by_text("Waiting for your first call")).to_be_visible()
    ring(service)
    # The page looks by itself, and flips.
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    supplier(service.engine)
    page.goto(f"/roi?{YEAR}")
    expect(page.locator("td .rt-scale").first).to_be_visible()
    page.locator("summary", has_text="Filters").press("Enter")
    for model in ("markov", "first-touch"):
        page.get_by_label(model).press("Space")
    page.get_by_role("button", name="Show").press("Enter")
    page.wait_for_url("**model=markov**")
    expect(page.locator(".rt-legend", has_text="markov")).to_be_visible()
    page.locator("summary", has_text="Save this view").press("Enter")
    page.get_by_label("Name", exact=True).fill("With Markov")
    page.get_by_role("button", name="Save", exact=True).press("Enter")
    expect(page.get_by_role("link", name="With Markov")).to_be_visible()
    page.locator("#all-models > summary").press("Enter")
    page.get_by_role("row", name="Fair").get_by_role("link", name="€6,000").first.press("Enter")
    expect(page.get_by_role("heading", name="Deals won: Fair")).to_be_visible()
