"""Ready touches: what another system recorded is taken once, kept up to date, and given to its company."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.cast import BOREALIS, CATALOGUE_NUMBER, moment
from tracking.errors import Invalid
from tracking.records import campaigns, contacts, touches
from tracking.records.contacts import Clues
from tracking.records.import_outcome import ImportOutcome
from tracking.records.touches import TouchRecord
from tracking.storage.models import Account, Campaign, Touch
from tracking.storage.vocabulary import Medium, TouchKind
from tracking.telephony import calls
from tracking.telephony.calls import CallEvent

NOW = moment("2026-06-01")
FAIR = TouchRecord(
    source_key="badge 17",
    clues=Clues(company="Borealis Foods", person="Ann", email="ann@borealis.example"),
    occurred_at=moment("2026-03-02 09:00"),
    kind=TouchKind.event,
)


def save(
    session: Session, record: TouchRecord, campaign: Campaign | None = None
) -> tuple[Touch, ImportOutcome]:
    return touches.save(session, record, at=NOW, campaign=campaign)


def owner(session: Session, touch: Touch) -> str | None:
    return contacts.account_of(session, touch.contact).name


def test_a_touch_is_added_then_brought_up_to_date_then_left_alone(session: Session) -> None:
    later = replace(FAIR, occurred_at=moment("2026-03-03"), channel=" Trade  fair ")
    effects = [save(session, record)[1] for record in (FAIR, FAIR, later, later)]
    assert effects == ["created", "unchanged", "updated", "unchanged"]
    session.expire_all()
    touch = session.scalars(select(Touch)).one()
    assert (touch.occurred_at, touch.kind, touch.channel) == (later.occurred_at, "event", "Trade fair")
    assert (touch.contact.name, owner(session, touch)) == ("Ann", "Borealis Foods")


@pytest.mark.parametrize("kind", list(TouchKind))
def test_every_kind_of_touch_can_come_from_elsewhere(session: Session, kind: TouchKind) -> None:
    touch, _ = save(session, replace(FAIR, kind=kind))
    assert (touch.kind, touch.call_id) == (kind, None)


def test_touches_and_calls_of_one_company_meet(session: Session) -> None:
    said = Clues(company="Borealis Foods", phone=BOREALIS)
    touch, _ = save(session, replace(FAIR, clues=said))
    assert session.scalar(select(func.count(Account.id))) == 1
    assert touch.contact is calls.record(session, [RING], region="SE")[0].call.contact


RING = CallEvent(
    provider="twilio",
    provider_call_id="CA1",
    dialled=(CATALOGUE_NUMBER,),
    caller=BOREALIS,
    started_at=moment("2026-03-02 09:00"),
)


def test_a_calls_own_touch_is_not_overwritten_from_elsewhere(session: Session) -> None:
    call = calls.record(session, [RING], region="SE")[0].call
    call.touch.source_key = "badge 17"
    with pytest.raises(Invalid, match="touch_id: 'badge 17' belongs to a call; edit the call"):
        save(session, FAIR)
    assert call.touch.kind is TouchKind.call


def test_a_touch_belongs_to_the_campaign_of_its_ad_material(session: Session) -> None:
    fair = campaigns.add(session, "Fair", "fair", at=NOW)
    stand = campaigns.add_material(session, fair, "Stand", at=NOW, medium=Medium.fair)
    touch, _ = touches.save(session, FAIR, at=NOW, campaign=None, material=stand)
    assert (touch.campaign_id, touch.ad_material_id) == (fair.id, stand.id)
    other = campaigns.add(session, "Other", "fair", at=NOW)
    with pytest.raises(Invalid, match="ad_material: 'Stand' does not belong to campaign 'Other'"):
        touches.save(session, FAIR, at=NOW, campaign=other, material=stand)
    assert save(session, FAIR, other)[1] is ImportOutcome.updated


def test_a_touch_moves_to_the_company_that_a_later_record_names(session: Session) -> None:
    touch, _ = save(session, replace(FAIR, clues=Clues(person_id="visitor 9")))
    assert owner(session, touch) is None
    save(session, replace(FAIR, clues=Clues(person_id="visitor 9", company="Borealis Foods")))
    assert owner(session, touch) == "Borealis Foods"
    _, effect = save(session, replace(FAIR, clues=Clues(company="Cobalt Mining")))
    assert (effect, owner(session, touch)) == (ImportOutcome.updated, "Cobalt Mining")
    _, effect = save(session, replace(FAIR, clues=Clues()))
    assert (effect, owner(session, touch)) == (ImportOutcome.unchanged, "Cobalt Mining")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"clues": Clues(company=" ")}, "account_id: this touch has no company"),
        ({"occurred_at": NOW.replace(tzinfo=None)}, "occurred_at: 2026-06-01T00:00:00 has no time zone"),
        ({"source_key": ""}, "touch_id: must be 1 to 200 characters"),
        ({"source_key": "x" * 201}, "touch_id: must be 1 to 200 characters"),
        ({"channel": "x" * 201}, "channel: must be 200 characters or fewer"),
    ],
)
def test_a_touch_that_cannot_be_is_refused_by_field_and_leaves_nothing(
    session: Session, wrong: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Invalid, match=f"^{reason}"):
        save(session, replace(FAIR, **wrong))
    assert session.scalars(select(Touch)).all() == []
    assert session.scalars(select(Account)).all() == []
