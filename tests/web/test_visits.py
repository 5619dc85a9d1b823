"""Visits on their page, in the API and in the KPIs: where from, whose, and unknown where nobody counted."""

import json
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from tests.api_client import Api
from tests.cast import moment, today
from tests.conftest import KEY
from tests.web.people import form
from tests.web.test_decide import text
from tests.web.test_imports import counts, give, tried
from tracking import clock
from tracking.cli import ringtrail
from tracking.records import campaigns, contacts, deals, touches, visits
from tracking.records.contacts import Clues
from tracking.records.deals import DealRecord
from tracking.records.sources import Sources, trace
from tracking.records.touches import TouchRecord
from tracking.records.visits import VisitRecord
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Campaign, SourceRule, Touch, VisitCount
from tracking.storage.vocabulary import Stage, TouchKind

Enter = Callable[[str], FlaskClient]


def count(engine: Engine, day: date, number: int, **more: str) -> None:
    with db.transaction(engine) as session:
        record = VisitRecord(start=day, end=day + timedelta(days=1), visits=number, counted_by="GA4", **more)
        visits.save(session, [record], Sources(session))


def sent(client: FlaskClient, path: str, **fields: str) -> tuple[int, str]:
    answer = client.post(path, data=form(client.get("/account").text, **fields))
    return answer.status_code, answer.text


SAMPLE = (
    "# ---\n# Traffic acquisition\n# Start date: 20260301\n# End date: 20260302\n"
    "Session primary channel group (Default Channel Group),Sessions\n"
    "Grand total,10\nOrganic Search,6\nPaid Search,4\n"
)


def test_a_report_of_visits_is_known_as_one_and_comes_in_by_its_page(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    status, path = give(client, SAMPLE, "ga4.csv")
    assert status == 303
    page = client.get(path).text
    assert '<option value="visits" selected>' in page
    assert "visits are spread evenly over the 2 days" in page
    assert counts(tried(client, engine, settings, path)) == [2, 0, 1, 0]
    status, other = give(client, "Label,Visits,Actions\npumps,10,20\n", "campaigns.csv")
    assert "the file does not say which days it covers; enter them" in client.get(other).text
    assert counts(tried(client, engine, settings, other, days="2026-03", site="shop")) == [1, 0, 0, 0]


MAIL = {"utm_source": "news", "utm_medium": "email", "utm_campaign": "spring"}
TAGS = {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "spring"}


def test_visits_without_a_campaign_are_listed_tried_and_become_a_new_one(
    signed_in: Enter, engine: Engine
) -> None:
    count(engine, today(), 212, **TAGS)
    client = signed_in("marketer")
    page = client.get("/visits").text
    assert "212 visits carry UTM tags that match no campaign" in page
    assert "google / cpc / spring" in page
    asked = client.get("/visits/match", query_string=TAGS).text
    assert "212 visits without a campaign have these tags." in asked
    assert "Latest visits: 212. With a campaign now: 0; with this rule: 212." in asked
    assert sent(client, "/visits/match", preview="1", **TAGS)[0] == 200
    with db.reading(engine) as session:
        assert session.scalars(select(SourceRule)).all() == [], "a preview changes nothing"
    assert sent(client, "/visits/match", new_campaign="Spring", channel="paid search", **TAGS)[0] == 303
    page = client.get("/visits").text
    assert "match no campaign" not in page
    assert "Spring" in page
    with db.reading(engine) as session:
        assert (
            session.scalars(select(VisitCount.campaign_id)).all()
            == session.scalars(select(Campaign.id)).all()
        )
        rule = session.scalars(select(SourceRule.id)).one()
    assert sent(client, f"/visits/rules/{rule}/delete")[0] == 303


def test_what_is_wrong_with_a_match_is_said(signed_in: Enter) -> None:
    client = signed_in("marketer")
    for fields, reason in (
        ({"new_campaign": "Spring", "channel": "x"}, "enter at least one UTM tag"),
        (TAGS, "choose a campaign, or enter the name"),
        (TAGS | {"new_campaign": "Spring"}, "channel, such as paid search"),
    ):
        status, page = sent(client, "/visits/match", **fields)
        assert status == 422
        assert reason in page
    assert signed_in("viewer").get("/visits/match").status_code == 403


def test_visitor_to_lead_is_of_the_days_on_which_visits_were_counted_and_unknown_without_any(
    signed_in: Enter, engine: Engine
) -> None:
    # A form in March and one in April, fifty visits in March alone: one lead of fifty, not two.
    with db.transaction(engine) as session:
        for number, day in enumerate(("2026-03-10", "2026-04-10")):
            person = contacts.contact_for(session, Clues(company=f"Firm {number}"), at=moment(day))
            session.add(Touch(contact=person, occurred_at=moment(f"{day} 10:00"), kind=TouchKind.form))
    client = signed_in("viewer")
    address = "/key-figures?from=2026-03-01&to=2026-04-30"
    page = client.get(address).text
    assert "No website visits are counted in this period" in page
    row = page[page.index('id="visitor_to_lead_rate"') :]
    assert '<td class="figure">–</td>' in row[: row.index("</tr>")]
    count(engine, date(2026, 3, 1), 20)
    count(engine, date(2026, 3, 31), 30)
    page = client.get(address).text
    row = page[page.index('id="visitor_to_lead_rate"') :]
    assert re.search(r">2(\.0)?\s?%<", row[: row.index("</tr>")])
    assert "from GA4" in page


def test_traffic_by_source_is_shown_by_channel_and_campaign(signed_in: Enter, engine: Engine) -> None:
    with db.transaction(engine) as session:
        campaigns.add(session, "Pumps", "paid search", at=moment("2026-01-01"), utm_campaign="pumps")
    day = today()
    count(engine, day, 30, utm_campaign="PUMPS")
    count(engine, day, 10, channel="organic search")
    page = signed_in("viewer").get("/visits").text
    assert "organic search" in page
    assert re.search(r">75(\.0)?\s?%<", page)
    assert "Import visits" not in page, "a viewer imports nothing"


def test_landing_pages_and_tracking_codes_lead_to_revenue_and_an_email_has_its_roi(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    """Three touches under linear share 900: a click of the newsletter, a visit without tags, and a form."""
    at = clock.now() - timedelta(days=30)
    with db.transaction(engine) as session:
        campaigns.add(session, "Newsletter", "email", at=at, utm_campaign="spring")
        known, who = Sources(session), Clues(company="Borealis Foods")
        for place, (kind, landing, referrer) in enumerate(
            (
                (TouchKind.visit, f"https://acme.example/pumps?{urlencode(MAIL)}", ""),
                (TouchKind.visit, "https://acme.example/valves", "https://other.example/"),
                (TouchKind.form, None, None),
            )
        ):
            record = TouchRecord(
                source_key=str(place),
                clues=who,
                kind=kind,
                occurred_at=at + timedelta(days=place),
                trace=trace(landing, referrer),
            )
            touches.save(session, record, at=at, campaign=None, sources=known)
        sold = DealRecord(
            clues=who, stage=Stage.won, amount_minor=900_00, currency="EUR", closed_at=at + timedelta(days=9)
        )
        deals.save(session, sold, at=at)
    page = text(signed_in("viewer").get("/visits").text)
    assert "acme.example/pumps 1 1" in page
    assert "news / email / spring 1 1" in page
    told = {"RINGTRAIL_DATA_DIR": str(settings.data_dir), "RINGTRAIL_KEY": KEY}

    def run(*words: str) -> Any:
        result = CliRunner().invoke(ringtrail, ["report", *words, "--model", "linear", "--json"], env=told)
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    pages = {row["of"]: (row["leads"], row["deals"], row["revenue"]) for row in run("landing")}
    assert pages["acme.example/pumps"] == (0.33, 0.33, "300.00"), "of lead and deal"
    assert pages["acme.example/valves"][1:] == (0.33, "300.00")
    assert [row["of"] for row in run("landing", "--by", "utm")] == ["news / email / spring"]
    assert run("landing", "--to", "2020-01-01") == []
    api = Api(settings, engine)
    [code] = api.get("/reports/landing?by=utm")["rows"]
    assert (code["of"], code["companies"], code["touches"]) == ("news / email / spring", 1, 1)
    day = at.date()
    spent = {"period_start": f"{day}", "period_end": f"{day + timedelta(days=1)}", "amount_minor": 100_00}
    api.post("/costs", spent | {"campaign": "Newsletter", "currency": "EUR", "category": "sending"})
    rows = {row["campaign"]: row for row in api.get("/reports/roi?model=linear")["rows"]}
    assert (rows["Newsletter"]["credited_minor"], rows["Newsletter"]["roi"]) == (300_00, 2.0)
