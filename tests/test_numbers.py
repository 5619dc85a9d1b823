"""Numbers for ad material: who holds which number when, and what happens to a call."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.cast import moment
from tracking.errors import Conflict, Invalid, NotFound
from tracking.records import campaigns
from tracking.storage import db
from tracking.storage.models import AdMaterial, Call, NumberAssignment, TrackingNumber
from tracking.storage.vocabulary import CallStatus, Medium
from tracking.telephony import calls, numbers
from tracking.telephony.calls import CallEvent
from tracking.telephony.numbers import Held, NumberLife

NEW_YEAR = moment("2026-01-01")
NUMBER = "+46701740605"
OTHER = "+46701740606"
DESK = "+46701740690"


def material(session: Session, campaign: str, name: str, medium: Medium = Medium.print) -> AdMaterial:
    owner = campaigns.named(session, [campaign]).get(campaign) or campaigns.add(
        session, campaign, "catalogue", at=NEW_YEAR
    )
    return campaigns.add_material(session, owner, name, at=NEW_YEAR, medium=medium)


def ring(session: Session, when: str, number: str = NUMBER, call_id: str | None = None) -> Call:
    event = CallEvent(
        provider="twilio",
        provider_call_id=call_id or f"CA{when}",
        dialled=(number,),
        caller="+442079460001",
        started_at=moment(when),
        status=CallStatus.ringing,
    )
    return calls.record(session, [event], region="SE")[0].call


def campaign_of(call: Call) -> str | None:
    return call.assignment.ad_material.campaign.name if call.assignment else None


def test_a_call_is_credited_to_whoever_held_the_number_when_it_rang(session: Session) -> None:
    number = numbers.add(session, NUMBER, at=NEW_YEAR, provider="twilio", destination=DESK)
    catalogue, stand = material(session, "Catalogue 2026", "Spring"), material(session, "Fair 2028", "Stand")
    first = numbers.assign(session, number, catalogue, starts_at=moment("2026-02-01"))
    numbers.release(session, first, at=moment("2026-03-01"))
    numbers.assign(session, number, stand, starts_at=moment("2028-04-01"))

    assert campaign_of(ring(session, "2026-01-15 10:00")) is None
    assert campaign_of(ring(session, "2026-02-01 00:00")) == "Catalogue 2026"
    assert campaign_of(ring(session, "2026-02-28 23:59")) == "Catalogue 2026"
    assert campaign_of(ring(session, "2026-03-01 00:00")) is None, "released: it rests, and credits nobody"
    assert campaign_of(ring(session, "2028-04-01 08:00")) == "Fair 2028"
    assert campaign_of(ring(session, "2026-02-10 08:00", call_id="late")) == "Catalogue 2026", (
        "a report that comes years late is credited to the holder of its day"
    )


def test_an_assignment_told_afterwards_credits_the_calls_that_rang_meanwhile(session: Session) -> None:
    before = ring(session, "2026-02-10 09:00")
    assert before.tracking_number_id is None
    number = numbers.add(session, NUMBER, at=moment("2026-03-01"), provider="cdr")
    catalogue = material(session, "Catalogue 2026", "Spring")
    numbers.assign(session, number, catalogue, starts_at=moment("2026-02-01"))
    session.refresh(before)
    assert campaign_of(before) == "Catalogue 2026"
    assert before.touch.campaign is not None
    assert before.touch.campaign.name == "Catalogue 2026"


def test_a_release_told_afterwards_takes_the_later_calls_back(session: Session) -> None:
    number = numbers.add(session, NUMBER, at=NEW_YEAR, provider="twilio")
    held = numbers.assign(session, number, material(session, "Search", "Landing page"), starts_at=NEW_YEAR)
    early, late = ring(session, "2026-02-01 09:00"), ring(session, "2026-02-20 09:00")
    numbers.release(session, held, at=moment("2026-02-10"))
    session.refresh(late)
    assert campaign_of(early) == "Search"
    assert campaign_of(late) is None
    assert late.touch.campaign_id is None


def test_a_number_given_for_the_past_ends_what_it_was_on_where_that_is_asked(session: Session) -> None:
    number = numbers.add(session, NUMBER, at=NEW_YEAR, provider="cdr")
    old, new = material(session, "Catalogue 2025", "Old"), material(session, "Catalogue 2026", "New")
    before = numbers.assign(session, number, old, starts_at=NEW_YEAR)
    january, march = ring(session, "2026-01-15 09:00"), ring(session, "2026-03-15 09:00")
    with pytest.raises(Held, match="has been assigned to 'Old'") as refused:
        numbers.assign(session, number, new, starts_at=moment("2026-03-01"))
    assert refused.value.other == before.id
    held = numbers.assign(session, number, new, starts_at=moment("2026-03-01"), close_others=True)
    assert before.ends_at == moment("2026-03-01")
    assert before.quarantined_until == moment("2026-03-01") + timedelta(days=730)
    for call, campaign in ((january, "Catalogue 2025"), (march, "Catalogue 2026")):
        session.refresh(call)
        assert campaign_of(call) == campaign
        assert call.touch.campaign is not None
        assert call.touch.campaign.name == campaign
    assert numbers.calls_of(session, held) == 1


def test_a_number_that_rests_was_put_on_other_material_early_where_that_is_said(session: Session) -> None:
    number = numbers.add(session, NUMBER, at=NEW_YEAR, provider="cdr")
    old, new = material(session, "2025", "Old"), material(session, "2026", "New")
    numbers.assign(session, number, old, starts_at=moment("2025-01-01"), ends_at=moment("2025-06-01"))
    with pytest.raises(Held, match="is cooling off until 2027-06-01"):
        numbers.assign(session, number, new, starts_at=NEW_YEAR)
    numbers.assign(session, number, new, starts_at=NEW_YEAR, close_others=True)
    assert campaign_of(ring(session, "2026-02-01 09:00")) == "2026"


def test_nothing_is_closed_that_would_lose_days_unsaid(session: Session) -> None:
    number = numbers.add(session, NUMBER, at=NEW_YEAR, provider="cdr")
    old, new = material(session, "2025", "Old"), material(session, "2026", "New")
    held = numbers.assign(session, number, old, starts_at=moment("2026-02-01"))
    for start, end, reason in (
        ("2026-01-01", None, "cannot end the day before"),
        ("2026-02-01", None, "cannot end the day before"),
        ("2026-03-01", "2026-04-01", "until after the new end"),
    ):
        with pytest.raises(Conflict, match=reason):
            numbers.assign(
                session,
                number,
                new,
                starts_at=moment(start),
                ends_at=moment(end) if end else None,
                close_others=True,
            )
    assert held.ends_at is None


def test_the_main_line_is_neither_stray_nor_credited_and_its_share_is_known(session: Session) -> None:
    main = numbers.add(session, OTHER, at=NEW_YEAR, provider="cdr", main_line=True)
    number = numbers.add(session, NUMBER, at=NEW_YEAR, provider="cdr", destination=OTHER)
    piece = material(session, "Catalogue 2026", "Spring")
    numbers.assign(session, number, piece, starts_at=NEW_YEAR)
    ring(session, "2026-01-10 09:00")
    unspecific = ring(session, "2026-01-11 09:00", OTHER)
    stranger = ring(session, "2026-01-12 09:00", "+46701740699")
    whole = (NEW_YEAR, moment("2026-02-01"))
    assert [stray.dialled for stray in numbers.strays(session, *whole)] == [stranger.dialled]
    assert campaign_of(unspecific) is None
    assert numbers.by_main_line(session, *whole) == (1, 3)
    assert numbers.standing(main, [], NEW_YEAR).life is NumberLife.main_line
    with pytest.raises(Conflict, match="is the main line"):
        numbers.assign(session, main, piece, starts_at=NEW_YEAR)
    with pytest.raises(Conflict, match="no tracking number is available"):
        numbers.assign_next_free(session, piece, at=NEW_YEAR)
    with pytest.raises(Conflict, match="assigned to 'Spring'; release it first"):
        numbers.make_main_line(session, number, True)
    for change in (
        lambda: numbers.make_main_line(session, main, False),
        lambda: numbers.forward_to(session, main, DESK),
    ):
        with pytest.raises(Conflict, match="forwards to the main line"):
            change()
    numbers.forward_to(session, number, DESK)
    numbers.make_main_line(session, main, False)
    assert numbers.by_main_line(session, *whole) == (0, 0)


def test_a_call_that_names_both_came_by_the_tracking_number(session: Session) -> None:
    numbers.add(session, OTHER, at=NEW_YEAR, provider="cdr", main_line=True)
    number = numbers.add(session, NUMBER, at=NEW_YEAR, provider="cdr")
    numbers.assign(session, number, material(session, "Catalogue", "Spring"), starts_at=NEW_YEAR)

    def leg(at: str, *dialled: str) -> Call:
        event = CallEvent(
            provider="cdr",
            provider_call_id="1",
            dialled=dialled,
            caller="+442079460001",
            started_at=moment(at),
            status=CallStatus.completed,
        )
        return calls.record(session, [event], region="SE")[0].call

    assert leg("2026-02-01 09:00", OTHER).dialled == OTHER
    assert campaign_of(leg("2026-02-01 09:01", OTHER, NUMBER)) == "Catalogue", "whichever leg came first"
    assert campaign_of(leg("2026-02-01 08:59", OTHER)) == "Catalogue"


@pytest.mark.parametrize(
    ("medium", "days"),
    [(Medium.online, 60), (Medium.email, 180), (Medium.print, 730), (Medium.fair, 730), (Medium.other, 365)],
)
def test_a_released_number_rests_as_long_as_its_medium_lives_on(
    session: Session, medium: Medium, days: int
) -> None:
    number = numbers.add(session, NUMBER, at=NEW_YEAR, provider="twilio")
    held = numbers.assign(session, number, material(session, "C", "M", medium), starts_at=NEW_YEAR)
    end = moment("2026-03-01")
    numbers.release(session, held, at=end)
    free_again = end + timedelta(days=days)
    just_before = free_again - timedelta(microseconds=1)
    assert numbers.standing(number, [held], end).life is NumberLife.quarantined
    assert numbers.standing(number, [held], just_before).life is NumberLife.quarantined
    assert numbers.standing(number, [held], free_again).life is NumberLife.available
    with pytest.raises(Conflict, match="cooling off until"):
        numbers.assign(session, number, held.ad_material, starts_at=just_before)
    with pytest.raises(Conflict, match="no tracking number is available"):
        numbers.assign_next_free(session, held.ad_material, at=just_before)
    assert numbers.assign_next_free(session, held.ad_material, at=free_again).tracking_number is number


def test_history_told_afterwards_may_show_a_number_reused_too_early(session: Session) -> None:
    number = numbers.add(session, NUMBER, at=NEW_YEAR, provider="cdr")
    old, new = material(session, "2024", "Old"), material(session, "2025", "New")
    numbers.assign(session, number, old, starts_at=moment("2024-01-01"), ends_at=moment("2024-12-01"))
    numbers.assign(session, number, new, starts_at=moment("2024-12-10"), ends_at=moment("2025-12-01"))
    assert campaign_of(ring(session, "2025-01-10 09:00")) == "2025"


def test_two_pieces_cannot_hold_one_number_at_once(session: Session) -> None:
    number = numbers.add(session, NUMBER, at=NEW_YEAR, provider="twilio")
    first, second = material(session, "A", "1"), material(session, "B", "2")
    numbers.assign(session, number, first, starts_at=moment("2026-02-01"))
    with pytest.raises(Conflict, match="has been assigned to '1'"):
        numbers.assign(session, number, second, starts_at=moment("2026-05-01"))


@pytest.mark.parametrize("clash", ["2026-01-15", "2026-02-10"])
def test_the_database_itself_refuses_overlapping_intervals(session: Session, clash: str) -> None:
    number = numbers.add(session, NUMBER, at=NEW_YEAR, provider="twilio")
    piece = material(session, "A", "1")
    numbers.assign(session, number, piece, starts_at=moment("2026-02-01"), ends_at=moment("2026-03-01"))
    row = {
        "tracking_number_id": number.id,
        "ad_material_id": piece.id,
        "starts_at": moment(clash),
        "ends_at": moment("2026-02-20"),
        "quarantined_until": moment("2026-02-20"),
    }
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(insert(NumberAssignment).values(row))
    row |= {"starts_at": moment("2026-03-01"), "ends_at": moment("2026-04-01"), "quarantined_until": NEW_YEAR}
    session.execute(insert(NumberAssignment).values(row))
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(
            update(NumberAssignment)
            .where(NumberAssignment.starts_at == moment("2026-03-01"))
            .values(starts_at=moment("2026-02-28"))
        )


def test_concurrent_workers_never_take_the_same_free_number(engine: Engine) -> None:
    with db.transaction(engine) as session:
        for last in range(20):
            numbers.add(session, f"+4670174{605 + last:04d}", at=NEW_YEAR, provider="twilio")
        pieces = [material(session, "Catalogue", f"page {i}").id for i in range(32)]

    def worker(piece: int) -> str:
        try:
            with db.transaction(engine) as session:
                row = numbers.assign_next_free(session, session.get_one(AdMaterial, piece), at=NEW_YEAR)
                return row.tracking_number.number
        except Conflict as full:
            return str(full).split(";")[0]

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(worker, pieces))
    got = [number for number in taken if number.startswith("+")]
    assert len(got) == 20
    assert len(set(got)) == 20
    assert taken.count("no tracking number is available") == 12


def test_a_call_to_a_number_we_do_not_have_is_kept(session: Session) -> None:
    call = ring(session, "2026-02-01 09:00", number="+442079460999")
    assert (call.dialled, call.tracking_number_id, campaign_of(call)) == ("+442079460999", None, None)
    assert call.touch.campaign_id is None


def test_calls_that_nobody_is_credited_with_are_reported_number_by_number(session: Session) -> None:
    number = numbers.add(session, NUMBER, at=NEW_YEAR, provider="twilio")
    numbers.add(session, OTHER, at=NEW_YEAR, provider="twilio")
    held = numbers.assign(
        session, number, material(session, "Fair", "Stand", Medium.fair), starts_at=NEW_YEAR
    )
    numbers.release(session, held, at=moment("2026-02-01"))
    ring(session, "2026-01-10 09:00")
    ring(session, "2026-02-10 09:00")
    ring(session, "2026-02-11 09:00")
    ring(session, "2026-02-12 09:00", number=OTHER)
    ring(session, "2026-02-13 09:00", number="+442079460999")
    calls.judge(session, ring(session, "2026-02-14 09:00", number="+442079460999"), spam=True)
    found = numbers.strays(session, NEW_YEAR, moment("2026-03-01"))
    assert [(s.dialled, s.calls, s.last_at.day, s.life) for s in found] == [
        (NUMBER, 2, 11, NumberLife.quarantined),
        ("+442079460999", 1, 13, None),
        (OTHER, 1, 12, NumberLife.available),
    ]
    assert found[0].former is held


def test_a_release_before_its_assignment_is_refused_by_name(session: Session) -> None:
    number = numbers.add(session, NUMBER, at=NEW_YEAR, provider="twilio")
    held = numbers.assign(session, number, material(session, "A", "1"), starts_at=moment("2026-02-01"))
    with pytest.raises(Invalid, match=r"ends_at: 2026-01-31.*is not after the assignment's start"):
        numbers.release(session, held, at=moment("2026-01-31"))


def test_a_number_cannot_ring_another_tracking_number(session: Session) -> None:
    numbers.add(session, NUMBER, at=NEW_YEAR, provider="twilio")
    with pytest.raises(Invalid, match="calls would loop"):
        numbers.add(session, OTHER, at=NEW_YEAR, provider="twilio", destination=NUMBER)


def test_an_unknown_number_is_named_with_the_remedy(session: Session) -> None:
    with pytest.raises(NotFound, match=r"ringtrail number add \+46701740605"):
        numbers.get(session, NUMBER)
    assert session.scalars(select(TrackingNumber)).all() == []
