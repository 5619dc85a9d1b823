"""One call, eight files: from a signed webhook to a line of the ROI page.

The tour of the README follows the same call through the same files; the last test checks that it stands.
"""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from reports.kpis import Period
from tests.cast import ACME_DESK, BOREALIS, CATALOGUE_NUMBER, DRIFT, moment
from tests.twilio_requests import dial_ended, incoming, post, sid, with_twilio
from tests.web.people import enter, hire
from tracking.app import create_app
from tracking.records import campaigns, costs, deals
from tracking.records.contacts import Clues
from tracking.records.costs import CostRecord
from tracking.records.deals import DealRecord
from tracking.reporting import snapshots
from tracking.reporting.roi import Question, compare
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Call, Touch
from tracking.storage.vocabulary import CallStatus, Medium, Stage
from tracking.telephony import numbers

ROOT = Path(__file__).parents[1]


@pytest.fixture
def acme(settings: Settings) -> Settings:
    """Acme Pumps with a Twilio account."""
    return with_twilio(settings)


@pytest.fixture
def client(acme: Settings, engine: Engine, patient: None) -> Iterator[FlaskClient]:
    """Twilio's way to Acme."""
    app = create_app(acme, engine)
    yield app.test_client()
    app.extensions["ringtrail"]["inbox"].close()


def test_a_call_from_the_catalogue_becomes_its_line_of_the_roi_page(
    client: FlaskClient, acme: Settings, engine: Engine
) -> None:
    long_ago = moment("2020-01-01")
    with db.transaction(engine) as session:
        owner = campaigns.add(session, "Catalogue 2026", "print", at=long_ago)
        piece = campaigns.add_material(session, owner, "Spring", at=long_ago, medium=Medium.print)
        number = numbers.add(session, CATALOGUE_NUMBER, at=long_ago, provider="twilio", destination=ACME_DESK)
        numbers.assign(session, number, piece, starts_at=long_ago)

    rings = post(client, "voice", incoming(sid(1)))
    assert (rings.status_code, rings.mimetype) == (200, "text/xml")
    assert f">{ACME_DESK}</Number>" in rings.text, "the telephone on the desk rings"
    assert post(client, "dial", dial_ended(sid(1), "completed", 240)).status_code == 200

    with db.transaction(engine) as session:
        call = session.scalars(select(Call)).one()
        assert (call.status, call.talk_s) == (CallStatus.completed, 240)
        assert session.scalars(select(Touch)).one().call_id == call.id
        closed = call.started_at
        won = DealRecord(
            clues=Clues(company="Borealis Foods", phone=BOREALIS),
            stage=Stage.won,
            amount_minor=2_000_00,
            currency="EUR",
            closed_at=closed,
        )
        deals.save(session, won, at=closed)
        year = closed.astimezone(acme.zone).year
        spent = CostRecord(
            period_start=date(year, 1, 1),
            period_end=date(year + 1, 1, 1),
            currency="EUR",
            category="printing",
            amount_minor=1_000_00,
        )
        costs.save(session, spent, campaign=campaigns.get(session, "Catalogue 2026"))

    days = {"model": "linear", "from": f"{year}-01-01", "to": f"{year}-12-31"}
    with db.reading(engine) as session:
        taken = snapshots.whole(session, acme, at=closed)
    question = Question(("linear",), Period(date(year, 1, 1), date(year + 1, 1, 1), acme.zone), 365)
    line = compare(taken, acme, question, at=closed).lines["Catalogue 2026"]["linear"]
    assert (line["calls"], line["leads"], line["customers"]) == (1, 1.0, 1.0)
    assert (line["cost_minor"], line["revenue_minor"], line["roi"]) == (1_000_00, 2_000_00, 1.0)

    hire(engine)
    page = enter(client, "viewer").get("/roi", query_string=days).text
    row = next(row for row in page.split("<tr")[1:] if "Catalogue 2026" in row and "€2,000" in row)
    assert "€1,000" in row
    # One deal is too few to rank it by; the figure itself stands in the table of all models.
    assert "Too early to tell" in row
    assert "<td>100.0%" in page


def test_an_outsider_who_cannot_sign_is_turned_away_and_leaves_no_trace(
    client: FlaskClient, engine: Engine
) -> None:
    forged = client.post(
        "/providers/twilio/voice",
        data=incoming(sid(2), caller=DRIFT),
        headers={"X-Twilio-Signature": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="},
    )
    assert forged.status_code == 403
    with db.reading(engine) as session:
        assert session.scalars(select(Call)).all() == []


def test_the_tour_in_the_readme_names_eight_files_and_what_is_found_in_each() -> None:
    readme = (ROOT / "README.md").read_text()
    tour = readme[readme.index("## One call, eight files") :]
    stops = re.findall(
        r"^\d\. \[`([^`]+)`\]\(([^)]+)\).*?((?:`[a-zA-Z_.]+\(?\)?`[^`\n]*)+)", tour, re.MULTILINE
    )
    assert [path for path, _, _ in stops] == [
        "tracking/telephony/providers/twilio.py",
        "tracking/telephony/inbox.py",
        "tracking/telephony/calls.py",
        "tracking/storage/models/calls.py",
        "tracking/reporting/journeys.py",
        "attribution/rules.py",
        "tracking/reporting/roi.py",
        "tracking/web/comparison.py",
    ]
    for path, link, words in stops:
        assert path == link
        source = (ROOT / path).read_text()
        for name in re.findall(r"`([a-zA-Z_]+)(?:\(\))?`", words):
            assert re.search(rf"^(?:class|def) {name}\b", source, re.MULTILINE), f"{path} has no {name}"
