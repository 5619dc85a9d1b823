"""Messages by SMS and WhatsApp: touches of their campaign and company, so that their ROI is a call's ROI."""

from datetime import date, timedelta
from random import Random

import pyarrow.compute as pc
import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from attribution import attribute
from tests.cast import BOREALIS, CATALOGUE_NUMBER, COBALT, SEARCH_NUMBER, STOCKHOLM, moment
from tests.twilio_requests import BASE, OWN, signature
from tests.whatsapp_requests import ADDRESS, REFERRAL, TOKEN, message, request, webhook
from tests.whatsapp_requests import OWN as WHATSAPP
from tracking import clock
from tracking.app import create_app
from tracking.keeping import erasure, people
from tracking.records import campaigns, costs, deals, matching, touches
from tracking.records.contacts import Clues
from tracking.records.costs import CostRecord
from tracking.records.deals import DealRecord
from tracking.records.sources import trace
from tracking.records.touches import TouchRecord
from tracking.reporting import roi, snapshots
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import InboxEvent, Touch
from tracking.storage.vocabulary import Medium, Stage, TouchKind
from tracking.telephony import messages, numbers
from tracking.telephony.messages import MessageEvent, referred

NOON = moment("2026-03-02 12:00")
on_sqlite = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


def advertise(session: Session, name: str, number: str) -> None:
    campaign = campaigns.add(session, name, "messaging", at=NOON)
    piece = campaigns.add_material(session, campaign, name, at=NOON, medium=Medium.other)
    row = numbers.add(session, number, at=NOON, provider="elks")
    numbers.assign(session, row, piece, starts_at=moment("2026-01-01"))


def said(hour: int, *, sender: str = BOREALIS, ours: str = CATALOGUE_NUMBER, **more: object) -> MessageEvent:
    at = NOON.replace(hour=hour)
    return MessageEvent(provider="elks", ours=ours, sender=sender, sent_at=at, **more)  # type: ignore[arg-type]


def record(session: Session, *events: MessageEvent) -> list[Touch | None]:
    return messages.record(session, events, region="SE", at=NOON)


AD = referred(REFERRAL)


def test_what_an_advertisement_brought_stays_whichever_message_is_told_first(session: Session) -> None:
    advertise(session, "Catalogue", CATALOGUE_NUMBER)
    for place, order in enumerate(([0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0])):
        sender = f"+442079460{100 + place}"
        told = [said(9, sender=sender), said(10, sender=sender, trace=AD), said(11, sender=sender)]
        for at in order:
            (touch,) = record(session, told[at])
        assert touch is not None
        session.refresh(touch)
        assert touch.occurred_at == NOON.replace(hour=9)
        assert touch.click_ids == {"ctwa_clid": REFERRAL["ctwa_clid"]}
        assert (touch.channel, touch.campaign, touch.utm_campaign) == (
            "paid social",
            None,
            REFERRAL["source_id"],
        )


def test_a_rule_says_whose_advertisement_it_was(session: Session) -> None:
    ads = campaigns.add(session, "Chat ads", "paid social", at=NOON)
    (touch,) = record(session, said(9, trace=AD))
    (unmatched,) = matching.unmatched(session, STOCKHOLM)
    assert unmatched.tags["utm_campaign"] == REFERRAL["source_id"]
    assert matching.match(session, ads, {"utm_campaign": REFERRAL["source_id"]}, at=NOON)[1] == 1
    assert touch is not None
    session.refresh(touch)
    assert touch.campaign is ads


def test_a_message_from_no_telephone_or_from_a_number_of_ours_makes_no_touch(session: Session) -> None:
    advertise(session, "Catalogue", CATALOGUE_NUMBER)
    assert record(session, said(9, sender="SMSElk"), said(9, sender=CATALOGUE_NUMBER)) == [None, None]
    (touch,) = record(session, said(9, ours=SEARCH_NUMBER))
    assert touch is not None
    assert (touch.campaign, touch.channel) == (None, "messaging"), "a number of no campaign"


@on_sqlite
def test_meta_is_answered_its_challenge_only_by_who_knows_the_token(
    settings: Settings, engine: Engine
) -> None:
    client = create_app(settings.model_copy(update={"providers": (WHATSAPP,)}), engine).test_client()
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": TOKEN}
    reply = client.get(ADDRESS, query_string=asked)
    assert (reply.status_code, reply.text, reply.mimetype) == (200, "1158201444", "text/plain")
    for wrong in ({"hub.verify_token": "x"}, {"hub.mode": "other"}):
        assert client.get(ADDRESS, query_string=asked | wrong).status_code == 403


def post(client: FlaskClient, body: dict[str, object]) -> int:
    address, sent, headers = request(body)
    return client.post(address, data=sent, headers=headers).status_code


def test_one_request_of_meta_holds_several_messages_and_what_we_send_is_no_touch(
    settings: Settings, engine: Engine, patient: None
) -> None:
    app = create_app(settings.model_copy(update={"providers": (WHATSAPP,)}), engine)
    client = app.test_client()
    at = clock.now() - timedelta(days=3)
    other = message(2, at) | {"from": COBALT.removeprefix("+")}
    assert post(client, webhook(message(1, at), other)) == 200
    assert post(client, webhook(message(3, at), field="smb_message_echoes")) == 200
    assert post(client, {"object": "whatsapp_business_account", "entry": "?"}) == 200
    assert post(client, webhook({"from": "x"})) == 400
    app.extensions["ringtrail"]["inbox"].close()
    with db.reading(engine) as session:
        found = session.scalars(select(Touch).order_by(Touch.id)).all()
        assert [(touch.kind, touch.contact.name) for touch in found] == [
            (TouchKind.message, "Sheena Nelson"),
            (TouchKind.message, None),
        ]
        assert len(session.scalars(select(InboxEvent)).all()) == 2


@on_sqlite
def test_whatsapp_by_twilio_brings_the_advertisement_too(
    settings: Settings, engine: Engine, patient: None
) -> None:
    told = settings.model_copy(update={"base_url": BASE, "providers": (OWN,)})
    app = create_app(told, engine)
    form = {
        "MessageSid": "SM" + "1" * 32, "From": f"whatsapp:{BOREALIS}", "To": f"whatsapp:{CATALOGUE_NUMBER}",
        "Body": "Hi", "ReferralCtwaClid": "Aff-1", "ReferralSourceId": "120", "ReferralSourceType": "ad",
    }  # fmt: skip
    headers = {"X-Twilio-Signature": signature(form, endpoint="message")}
    reply = app.test_client().post("/providers/twilio/message", data=form, headers=headers)
    assert "<Response" in reply.text, "nothing is said in return"
    app.extensions["ringtrail"]["inbox"].close()
    with db.reading(engine) as session:
        touch = session.scalars(select(Touch)).one()
        assert (touch.click_ids, touch.utm_campaign) == ({"ctwa_clid": "Aff-1"}, "120")


def test_a_campaign_with_messages_alone_has_leads_their_cost_and_its_roi(
    settings: Settings, engine: Engine
) -> None:
    at = moment("2026-06-01")
    spend = CostRecord(
        period_start=date(2026, 3, 1),
        period_end=date(2026, 4, 1),
        amount_minor=100_00,
        currency="EUR",
        category="media",
    )
    with db.transaction(engine) as session:
        advertise(session, "Text us", CATALOGUE_NUMBER)
        costs.save(session, spend, campaign=campaigns.get(session, "Text us"))
        events = [said(9), said(10), said(9, sender=COBALT)]
        record(session, *Random(1).sample(events, 3))
        won = DealRecord(
            clues=Clues(phone=BOREALIS),
            stage=Stage.won,
            amount_minor=300_00,
            currency="EUR",
            external_id="D1",
            closed_at=moment("2026-03-20"),
        )
        deals.save(session, won, at=at)
    with db.reading(engine) as session:
        taken = snapshots.whole(session, settings, at=at)
    found = roi.roi_report(
        taken, settings, ["linear"], today=at.date(), first=date(2026, 3, 1), last=date(2026, 3, 31)
    )
    row = next(row for row in found.table.to_pylist() if row["campaign"] == "Text us")
    assert (row["leads"], row["calls"], row["customers"]) == (2, 0, 1)
    assert (row["cost_per_lead_minor"], row["revenue_minor"], row["roi"]) == (50_00, 300_00, 2.0)


def test_landing_pages_and_tags_lead_to_their_revenue(settings: Settings, engine: Engine) -> None:
    at = moment("2026-06-01")
    with db.transaction(engine) as session:
        pumps = campaigns.add(session, "Pumps 2026", "paid search", at=at, utm_campaign="pumps-2026")
        page = campaigns.add_material(session, pumps, "Landing page", at=at, medium=Medium.online)
        clues = Clues(company="Borealis Foods")
        came = trace(
            "https://www.acme.example/pumps?utm_source=google&utm_medium=cpc&utm_campaign=Pumps-2026"
        )
        seen = TouchRecord(
            source_key="v1", clues=clues, occurred_at=moment("2026-03-02"), kind=TouchKind.visit, trace=came
        )
        touch, _ = touches.save(session, seen, at=at, campaign=None)
        assert (touch.landing_page, touch.campaign) == ("acme.example/pumps", pumps)
        touches.save(session, seen, at=at, campaign=pumps, material=page)
        won = DealRecord(
            clues=clues,
            stage=Stage.won,
            amount_minor=300_00,
            currency="EUR",
            external_id="D1",
            closed_at=moment("2026-03-20"),
        )
        deals.save(session, won, at=at)
    with db.reading(engine) as session:
        taken = snapshots.whole(session, settings, at=at)
    found = roi.roi_report(taken, settings, ["linear"], today=at.date())
    assert {row["campaign"]: row["revenue_minor"] for row in found.table.to_pylist()}["Pumps 2026"] == 300_00
    tables = taken.tables
    won = tables.conversions.filter(pc.equal(tables.conversions["goal"], "won"))
    (line,) = attribute(tables.touches, won, ["linear"], by="ad_material").to_pylist()
    assert (line["ad_material"], line["credit_minor"]) == ("Pumps 2026 / Landing page", 300_00)


def test_who_is_taken_out_leaves_no_message_behind_and_its_repetition_brings_nobody_back(
    settings: Settings, engine: Engine, patient: None
) -> None:
    app = create_app(settings.model_copy(update={"providers": (WHATSAPP,)}), engine)
    client, body = app.test_client(), webhook(message(1, clock.now() - timedelta(days=1), referral=REFERRAL))
    assert post(client, body) == 200
    erasure.erase(
        engine,
        settings,
        lambda session: people.by_text(session, BOREALIS, "SE"),
        by="terminal",
        at=clock.now(),
    )
    assert post(client, body) == 200
    app.extensions["ringtrail"]["inbox"].close()
    with db.reading(engine) as session:
        (event,) = session.scalars(select(InboxEvent)).all()
        assert event.body == ""
        (touch,) = session.scalars(select(Touch)).all()
        assert (touch.click_ids, touch.contact.name, touch.contact.points) == (None, None, [])
