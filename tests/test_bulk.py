"""Many calls at once are stored as they are one by one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from tests.cast import BOREALIS, CATALOGUE_NUMBER, COBALT, FAIR_NUMBER, moment
from tests.imports import ON_SQLITE, advertise
from tracking.records.import_outcome import ImportOutcome
from tracking.storage.models import Account, Call, Campaign, Contact, ContactPoint, Touch
from tracking.storage.vocabulary import CallStatus, LeadStatus
from tracking.telephony import bulk, calls
from tracking.telephony.calls import CallEvent

EVENTS = st.lists(
    st.builds(
        CallEvent,
        provider=st.sampled_from(["asterisk", "callrail"]),
        provider_call_id=st.sampled_from(["1", "2", "3", "4"]),
        dialled=st.sampled_from(
            [(CATALOGUE_NUMBER,), ("s", FAIR_NUMBER), ("0701740605",), ("+442079460999",), ("100",), ()]
        ),
        caller=st.sampled_from([BOREALIS, COBALT, "anonymous", "200", "", None]),
        started_at=st.integers(-3, 3).map(lambda hours: moment("2026-01-01") + timedelta(hours=hours)),
        status=st.none() | st.sampled_from(CallStatus),
        ended_at=st.none() | st.just(moment("2026-01-02")),
        talk_s=st.none() | st.integers(0, 60),
        caller_name=st.none() | st.just("Borealis Foods"),
        lead_status=st.none() | st.sampled_from(LeadStatus),
        value_minor=st.none() | st.just(100),
        currency=st.just("EUR"),
        note=st.sampled_from(["", "two pumps"]),
        tags=st.sampled_from([(), ("new", "pump")]),
    ),
    max_size=8,
)


def stored(session: Session) -> list[Any]:
    """Everything that the reports left behind, without the numbers of rows."""
    people: dict[int, int] = {}
    rows = session.scalars(select(Call).order_by(Call.provider, Call.provider_call_id))
    return [
        (
            {c.key: getattr(call, c.key) for c in Call.__table__.columns if not c.key.endswith("_id")},
            call.provider_call_id,
            call.assignment and call.assignment.ad_material.name,
            people.setdefault(call.contact_id, len(people)),
            (call.contact.name, call.contact.created_at, call.contact.account.created_at),
            [(point.kind, point.value) for point in call.contact.points],
            (call.touch.occurred_at, call.touch.kind, call.touch.contact_id == call.contact_id),
            call.touch.campaign and call.touch.campaign.name,
            call.touch.ad_material_id is not None,
        )
        for call in rows
    ] + [session.scalar(select(func.count(t.id))) for t in (Account, Contact, ContactPoint, Call, Touch)]


def left_by(engine: Engine, record: Callable[..., Any], *batches: list[CallEvent]) -> list[Any]:
    with Session(engine) as session, session.begin() as whole:
        for events in batches:
            record(session, events, region="SE")
            session.expire_all()
        found = stored(session)
        whole.rollback()
    for row in found:
        if isinstance(row, tuple):
            row[0].pop("id")
    return found


@ON_SQLITE
@given(first=EVENTS, second=EVENTS)
@hypothesis_settings(max_examples=40)
def test_many_at_once_leave_what_one_by_one_leaves(
    engine: Engine, first: list[CallEvent], second: list[CallEvent]
) -> None:
    if "Catalogue 2026" not in campaigns_of(engine):
        advertise(engine)
    assert left_by(engine, bulk.record, first, second) == left_by(engine, calls.record, first, second)


def test_the_effect_is_told_for_each_call(engine: Engine) -> None:
    advertise(engine)
    event = CallEvent(
        provider="asterisk",
        provider_call_id="1",
        dialled=(CATALOGUE_NUMBER,),
        caller=BOREALIS,
        started_at=moment("2026-03-02 09:00"),
        status=CallStatus.completed,
    )
    with Session(engine) as session, session.begin():
        first = bulk.record(session, [event], region="SE")["asterisk", "1"]
        again = bulk.record(session, [event], region="SE")["asterisk", "1"]
    with Session(engine) as session, session.begin():
        call = session.get_one(Call, first.call_id)
        assert call.assignment is not None
        assert call.assignment.ad_material.name == "Catalogue 2026"
        later = calls.record(session, [event, replace(event, provider_call_id="2")], region="SE")
        assert [r.effect for r in later] == [ImportOutcome.unchanged, ImportOutcome.created], (
            "row numbers go on"
        )
    assert (first.effect, again.effect) == (ImportOutcome.created, ImportOutcome.unchanged)
    assert again.call_id == first.call_id


def campaigns_of(engine: Engine) -> list[str]:
    with Session(engine) as session:
        return list(session.scalars(select(Campaign.name)))
