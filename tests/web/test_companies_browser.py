"""Companies and deals in a real browser: rules of accessibility, light and dark, small and large."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.web.accessibility import findings, reflows, unseen_focus
from tests.web.conftest import Service
from tests.web.ringing import advertise, ring
from tracking import clock
from tracking.records import contacts, deals
from tracking.records.contacts import Clues
from tracking.records.deals import DealRecord
from tracking.storage import db
from tracking.storage.vocabulary import Stage


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_of_companies_and_deals_keep_the_rules_of_accessibility(
    open_page: Callable[..., Page], service: Service, theme: str
) -> None:
    at = clock.now()
    advertise(service.engine, at)
    ring(service.engine, "axe", at)
    with db.transaction(service.engine) as session:
        clues = Clues(company="Borealis Foods")
        company = contacts.account_for(session, clues, at=at).id
        record = DealRecord(
            clues=clues, stage=Stage.won, amount_minor=500_00, currency="EUR", external_id="D1", closed_at=at
        )
        deal, _ = deals.save(session, record, at=at)
    page = open_page("marketer", "/companies", color_scheme=theme)
    for path in (
        "/companies",
        f"/companies/{company}",
        f"/companies/{company}/merge?q=b",
        "/deals",
        f"/deals/{deal.id}",
        f"/deals/{deal.id}/change",
    ):
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(path)
        assert findings(page) == [], path
        assert unseen_focus(page) == [], path
        assert reflows(page), path
