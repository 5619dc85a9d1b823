"""Every page of an installation, as the map of addresses lists them: what it says, and what it weighs."""

import gzip
import re

import pytest
from flask import Flask
from sqlalchemy import Engine, select

from tests.web.people import enter
from tests.web.test_decide import YEAR, supplier, text
from tests.web.test_every_page_browser import addresses
from tests.web.test_verdicts import VERDICTS, order, rang, spent
from tracking import clock
from tracking.demo import filling
from tracking.reporting import deciding
from tracking.storage import db
from tracking.storage.models import Account, AdMaterial, Call, Campaign, Deal, Site, TrackingNumber
from tracking.storage.vocabulary import Role

pytestmark = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
# What the verdicts mean, and what the study found out about models, is said of no campaign.
_EXPLAINED = ("/simulator", "/security", "/settings/model")
_VERDICTS = ("Increase", "Keep", "Review", "Stop", "Too early to tell")
_KINDS = {
    "campaign": Campaign, "company": Account, "deal": Deal, "number": TrackingNumber, "call": Call,
    "material": AdMaterial, "site": Site,
}  # fmt: skip


def paths(app: Flask, engine: Engine) -> list[str]:
    """Return the address of every page, those of a record with the first there is."""
    with db.reading(engine) as session:
        first = {name: session.scalar(select(kind.id).limit(1)) for name, kind in _KINDS.items()}
    found = []
    for rule in addresses(app):
        known = re.fullmatch(r"[^<]*<int:(\w+)_id>[^<]*", rule)
        if "<" not in rule:
            found.append(rule)
        elif known and first.get(known[1]):
            found.append(re.sub(r"<[^>]+>", str(first[known[1]]), rule))
    return found


def test_with_costs_and_no_touch_no_page_at_all_gives_a_verdict(office: Flask, engine: Engine) -> None:
    spent(engine, "Catalogue", "Trade press")
    for number in range(40):
        order(engine, f"Buyer {number}", 1_000_00)
    rang(engine)
    client = enter(office.test_client(), Role.administrator)
    looked_at = 0
    for path in paths(office, engine):
        answer = client.get(path)
        if answer.status_code != 200 or path.startswith(_EXPLAINED):
            continue
        looked_at += 1
        words = text(answer.text.split("<main")[1])
        found = [verdict for verdict in VERDICTS if re.search(rf"(?<!\w){re.escape(verdict)}", words)]
        assert found == [], (path, words)
    assert looked_at > 35
    said = text(client.get("/campaigns/1").text)
    assert "We cannot tell its return yet" in said
    assert "Cannot tell" in said


def test_a_campaign_has_the_same_verdict_on_every_page_whichever_model_it_shows(
    office: Flask, engine: Engine
) -> None:
    """By last touch the mailing gets all 60,000 for its 45,000; by the models beside it, half of that."""
    supplier(engine, tens=1)
    rang(engine)
    with db.transaction(engine) as session:
        deciding.choose(session, "last-touch")
        mail = session.scalar(select(Campaign.id).where(Campaign.name == "Mail"))
    client = enter(office.test_client(), Role.viewer)
    said = {}
    for path in ("/", "/roi", "/roi?model=last-touch", f"/campaigns/{mail}", "/roi/advice", "/report"):
        page = text(client.get(f"{path}{'&' if '?' in path else '?'}{YEAR}").text.split("<main")[1])
        # The row of the campaign, not a sentence that names it.
        row = re.search(rf"\bMail (?!pays|\().{{0,250}}?\b({'|'.join(_VERDICTS)})\b", page)
        said[path] = row and row[1]
    assert set(said.values()) == {"Review"}, said


def test_every_page_of_the_demo_is_light(office: Flask, engine: Engine) -> None:
    """A first view takes at most 120 KB beside what the browser keeps, and no page is longer than 100 KB.

    In Russian, where a letter takes two bytes.
    """
    filling.fill(engine, clock.now(), accounts=25)
    client = enter(office.test_client(), Role.administrator)
    weighed = {}
    for path in paths(office, engine):
        page = client.get(path, headers={"Accept-Language": "ru"})
        if page.status_code == 200:
            weighed[path] = (len(page.data), len(gzip.compress(page.data)))
    assert len(weighed) > 40
    assert {path: size for path, size in weighed.items() if size[0] >= 100_000 or size[1] > 120_000} == {}
