"""Experiments on an installation's own data: planned, started, ended, read; and what speaks against them."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from reports.experiments import Finding
from reports.weeks import Design
from tests.cast import CATALOGUE_NUMBER, moment
from tests.conftest import ON_BOTH
from tests.imports import ON_SQLITE
from tests.pauses import CAMPAIGN, LENGTH, MADE, PAUSE, TODAY, paused, sell, spend, usual
from tracking.errors import Conflict, Invalid, NotFound
from tracking.language import formatting
from tracking.records import annotations, campaigns, experiments
from tracking.records.annotations import Event
from tracking.records.experiments import Plan
from tracking.reporting import experiments as reporting
from tracking.reporting import experiments_text, snapshots
from tracking.reporting.experiments import Outlook, Paused, Result
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Call, Experiment
from tracking.storage.vocabulary import CallStatus, ExperimentState
from tracking.telephony import numbers

AT = moment("2026-03-02 09:00")


@pytest.fixture
def local(settings: Settings) -> Settings:
    return settings.model_copy(update={"timezone": "UTC", "currency": "EUR"})


def read(session: Session, settings: Settings, row: Experiment, today: date = TODAY) -> Result:
    taken = snapshots.whole(session, settings, at=AT)
    return reporting.result(session, taken, settings, row, today=today)


def ahead(session: Session, settings: Settings, plan: Paused, today: date = PAUSE) -> Outlook:
    taken = snapshots.whole(session, settings, at=AT)
    return reporting.outlook(session, taken, settings, plan, today=today)


def said(settings: Settings, row: Experiment, found: Result) -> str:
    with formatting.speaking(settings, "en"):
        return experiments_text.verdict(found, row)


# --- A plan, and how far it has come --------------------------------------------------------------------


def plan(session: Session, **told: object) -> Plan:
    campaign = campaigns.named(session, [CAMPAIGN]).get(CAMPAIGN) or sell(session, {0: (1, 1)})
    usual_plan = {"name": "Search off", "starts_on": PAUSE, "weeks": LENGTH, "campaign": campaign}
    return Plan(**usual_plan | told)  # type: ignore[arg-type]  # as a plan has them


def add(session: Session, told: Plan) -> Experiment:
    return experiments.save(session, told, by="mikael@acme.example", at=MADE)


@ON_SQLITE
def test_a_plan_is_kept_with_its_last_day_and_who_made_it(session: Session) -> None:
    row = add(session, plan(session))
    assert (row.starts_on, row.ends_on) == (PAUSE, date(2026, 3, 1))
    assert (row.state, row.created_by, row.regions) == (ExperimentState.planned, "mikael@acme.example", [])
    assert experiments.named(session, "Search off") is row
    assert experiments.every(session) == [row]


@ON_SQLITE
def test_a_pause_that_starts_late_moves_with_all_its_weeks(session: Session) -> None:
    row = add(session, plan(session))
    experiments.start(session, row, PAUSE + timedelta(days=3))
    assert row.state is ExperimentState.running
    assert (row.ends_on - row.starts_on).days == 7 * LENGTH - 1


@ON_SQLITE
def test_a_pause_that_ends_early_is_read_as_far_as_it_went(session: Session, local: Settings) -> None:
    sell(session, usual(-40, LENGTH, own=0, other=10))
    row = paused(session)
    experiments.end(session, row, PAUSE + timedelta(days=29))
    assert reporting.weeks_over(row, TODAY) == 4
    assert read(session, local, row).reading.weeks == 3, "the first week settles"


@ON_SQLITE
def test_only_whole_weeks_that_are_over_are_read(session: Session) -> None:
    sell(session, {0: (1, 1)})
    row = paused(session)
    days = [reporting.weeks_over(row, PAUSE + timedelta(days=n)) for n in (-3, 0, 6, 7, 20, 400)]
    assert days == [0, 0, 0, 1, 2, LENGTH]


@ON_SQLITE
def test_an_experiment_goes_one_way(session: Session) -> None:
    row = add(session, plan(session))
    with pytest.raises(Conflict, match="Search off has not started"):
        experiments.end(session, row, TODAY)
    experiments.start(session, row, PAUSE)
    with pytest.raises(Conflict, match="already running"):
        experiments.start(session, row, PAUSE)
    with pytest.raises(Invalid, match="is before the first day"):
        experiments.end(session, row, PAUSE - timedelta(days=1))
    experiments.end(session, row, TODAY)
    for step in (
        lambda: experiments.start(session, row, PAUSE),
        lambda: experiments.end(session, row, TODAY),
        lambda: experiments.cancel(session, row),
        lambda: experiments.save(session, plan(session), by="x", at=MADE, row=row),
    ):
        with pytest.raises(Conflict, match="is over and stays as it was; plan another experiment"):
            step()


@ON_SQLITE
@pytest.mark.parametrize(
    ("told", "field", "reason"),
    [
        ({"name": " "}, "name", "enter a name"),
        ({"campaign": None}, "campaign", "choose what to pause"),
        ({"weeks": 0}, "weeks", "must be 1 to 104 weeks, not 0"),
        ({"settle_weeks": 8}, "settle_weeks", "must be 0 to 7"),
        ({"belief_low": 1.0}, "belief_high", "enter both ends of the range, or none"),
        ({"belief_low": 3.0, "belief_high": 3.0}, "belief_high", "must be above the lower end, 3.0, not 3.0"),
        ({"belief_low": 3.0, "belief_high": float("inf")}, "belief_low", "enter digits"),
        ({"regions": ("moon",)}, "regions", "'moon' is not a region of your companies; use some of: –"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(
    session: Session, told: dict[str, object], field: str, reason: str
) -> None:
    with pytest.raises(Invalid, match=reason) as refused:
        add(session, plan(session, **told))
    assert refused.value.field == field


@ON_SQLITE
def test_one_thing_is_paused_and_one_region_is_left(session: Session) -> None:
    campaign = sell(session, {0: (1, 0)}, region="north")
    piece = campaigns.add_material(session, campaign, "Ad", at=MADE)
    with pytest.raises(Invalid, match="choose one thing to pause"):
        add(session, plan(session, material=piece))
    with pytest.raises(Invalid, match="leave at least one region to compare with"):
        add(session, plan(session, regions=("north",)))


@ON_SQLITE
def test_two_experiments_do_not_share_a_name_and_one_that_is_gone_is_named(session: Session) -> None:
    row = add(session, plan(session))
    with pytest.raises(Conflict, match="an experiment named 'Search off' already exists"):
        add(session, plan(session))
    experiments.remove(session, row)
    with pytest.raises(NotFound, match="experiment 'Search off' not found; run `ringtrail experiment list`"):
        experiments.named(session, "Search off")
    with pytest.raises(NotFound, match="experiment 1 not found"):
        experiments.get(session, 1)


# --- What a pause could show ----------------------------------------------------------------------------


@ON_BOTH
def test_the_outlook_sets_the_smallest_effect_beside_what_is_credited(
    session: Session, local: Settings
) -> None:
    campaign = sell(session, usual(-60, 0, own=6, other=6))
    spend(session, campaign, PAUSE - timedelta(weeks=52), PAUSE, 52_000_00)
    found = ahead(session, local, Paused(PAUSE, campaign))
    assert (found.design, found.known_weeks) == (Design.before, 60)
    assert found.credited is not None
    assert (found.credited.leads, found.credited.cost_minor) == (6.0, 1_000_00)
    assert found.best is not None
    assert found.best.weeks == 4
    first = found.stakes[0]
    assert (first.leads, first.saved_minor, first.margin_minor) == (24.0, 4_000_00, None)
    with formatting.speaking(local, "en"):
        assert experiments_text.worth(found).startswith("4 weeks are enough: if it brings the 18 leads")


@ON_SQLITE
def test_a_campaign_that_is_too_small_is_not_worth_a_pause(session: Session, local: Settings) -> None:
    weeks = {week: (int(week % 12 == 0), 9 + week % 2) for week in range(-60, 0)}
    found = ahead(session, local, Paused(PAUSE, sell(session, weeks)))
    assert found.best is None
    with formatting.speaking(local, "en"):
        assert experiments_text.worth(found).startswith("Not worth it: ")


@ON_SQLITE
def test_a_region_in_which_no_company_is_has_no_outlook(session: Session, local: Settings) -> None:
    campaign = sell(session, usual(-20, 0, own=6, other=6), region="north")
    with pytest.raises(Invalid, match="'moon' is not a region of your companies; use some of: north"):
        ahead(session, local, Paused(PAUSE, campaign, ("moon",)))


@ON_SQLITE
def test_with_few_weeks_nothing_is_planned_and_the_reason_says_how_many(
    session: Session, local: Settings
) -> None:
    found = ahead(session, local, Paused(PAUSE, sell(session, usual(-9, 0, own=6, other=6))))
    assert found.stakes == []
    with formatting.speaking(local, "en"):
        assert "9 whole weeks are recorded; 16 with enough leads are needed" in experiments_text.worth(found)


@ON_SQLITE
def test_of_an_asset_or_a_number_no_credit_is_known(session: Session, local: Settings) -> None:
    sell(session, usual(-60, 0, own=6, other=6))
    found = ahead(session, local, Paused(PAUSE, by_part=True))
    assert (found.credited, found.best) == (None, None)
    assert [stake.power for stake in found.stakes] == [None] * 6


# --- What it has shown ----------------------------------------------------------------------------------


@ON_BOTH
def test_leads_that_are_missing_in_the_pause_are_what_the_campaign_brings(
    session: Session, local: Settings
) -> None:
    # Of nine that are credited two come anyway, through other doors.
    sell(session, usual(-60, 0, own=9, other=6) | usual(0, LENGTH, own=0, other=8))
    row = paused(session)
    found = read(session, local, row)
    assert found.reading.lift == pytest.approx(7 * 7, abs=1.5)
    assert found.reading.finding is Finding.effect
    assert found.credited_leads == 63.0
    assert found.before is not None
    assert found.before.mean == 63.0
    assert found.after is not None
    assert 49 < found.after.mean < 63
    assert said(local, row, found).startswith("It brings leads: about 49 in 7 weeks, between ")
    with formatting.speaking(local, "en"):
        assert experiments_text.beside(found).startswith(
            "Credited: 63 leads. The experiment says 49, between"
        )


@ON_SQLITE
def test_a_belief_that_was_entered_goes_before_credit(session: Session, local: Settings) -> None:
    sell(session, usual(-60, 0, own=6, other=6) | usual(0, LENGTH, own=0, other=9))
    found = read(session, local, paused(session, belief_low=0.0, belief_high=2.0))
    assert found.stated
    assert found.before is not None
    assert found.before.span() == pytest.approx((0, 14))


@ON_SQLITE
def test_a_campaign_without_effect_is_not_said_to_have_one(session: Session, local: Settings) -> None:
    sell(session, usual(-60, 0, own=6, other=6) | usual(0, LENGTH, own=0, other=12))
    row = paused(session)
    found = read(session, local, row)
    assert found.reading.finding is Finding.unclear
    assert said(local, row, found).startswith("We cannot tell whether it brings leads: between ")


@ON_BOTH
def test_regions_that_go_on_are_the_comparison(session: Session, local: Settings) -> None:
    # Leads double everywhere in the pause; in the north, where it is paused, they only stay.
    sell(session, usual(-30, 0, own=3, other=3) | usual(0, LENGTH, own=0, other=6), region="north")
    sell(session, usual(-30, 0, own=3, other=3) | usual(0, LENGTH, own=6, other=6), region="south")
    sell(session, usual(-30, LENGTH, own=1, other=1))
    campaign = campaigns.get(session, CAMPAIGN)
    found = read(session, local, paused(session, campaign=campaign, regions=("north",)))
    assert found.reading.design is Design.regions
    assert found.reading.lift == pytest.approx(7 * 6, abs=3)
    assert found.credited is not None
    assert (found.credited.leads, found.credited.cost_minor) == (3.0, None), "those of the north alone"
    assert {line["channel"]: line["during"] for line in found.channels}[None] == pytest.approx(6, abs=0.2)


@ON_SQLITE
def test_all_advertising_is_paused_in_a_region(session: Session, local: Settings) -> None:
    sell(session, usual(-30, 0, own=4, other=3) | usual(0, LENGTH, own=0, other=3), region="north")
    sell(session, usual(-30, LENGTH, own=4, other=3), region="south")
    row = paused(session, regions=("north",))
    found = read(session, local, row)
    assert found.reading.finding is Finding.effect
    assert found.credited is not None
    assert found.credited.leads == 4.0
    with formatting.speaking(local, "en"):
        assert experiments_text.paused_words(row) == "All advertising (north)"


@ON_SQLITE
def test_what_is_planned_or_cancelled_is_not_read(session: Session, local: Settings) -> None:
    sell(session, usual(-60, LENGTH, own=6, other=6))
    row = add(session, plan(session))
    assert said(local, row, read(session, local, row)).startswith("Nothing to read yet")
    experiments.cancel(session, row)
    assert said(local, row, read(session, local, row)) == "The experiment was cancelled: it says nothing."


@ON_SQLITE
def test_enquiries_are_counted_by_channel_before_and_in_the_pause(session: Session, local: Settings) -> None:
    sell(session, usual(-60, 0, own=6, other=6) | usual(0, LENGTH, own=0, other=9))
    lines = {line["channel"]: line for line in read(session, local, paused(session)).channels}
    assert (lines["paid search"]["before"], lines["paid search"]["during"]) == (6.0, 0.0)
    assert lines[None]["before"] == 6.0


# --- What speaks against it -----------------------------------------------------------------------------


def warned(settings: Settings, found: Result) -> list[str]:
    with formatting.speaking(settings, "en"):
        return experiments_text.warnings(found, settings)


@ON_SQLITE
def test_a_pause_that_was_kept_has_no_warnings(session: Session, local: Settings) -> None:
    sell(session, usual(-60, LENGTH, own=6, other=6))
    assert warned(local, read(session, local, paused(session))) == []


@ON_SQLITE
def test_calls_costs_and_other_events_in_the_pause_are_named(session: Session, local: Settings) -> None:
    campaign = sell(session, usual(-40, LENGTH, own=6, other=6))
    piece = campaigns.add_material(session, campaign, "Ad", at=MADE)
    number = numbers.add(session, CATALOGUE_NUMBER, at=MADE, provider="twilio", region="SE")
    held = numbers.assign(session, number, piece, starts_at=MADE)
    inside = moment("2026-01-20 10:00")
    contact = campaigns.get(session, CAMPAIGN)
    spend(session, contact, PAUSE, PAUSE + timedelta(days=7), 100_00)
    campaigns.add(session, "Fair", "trade show", at=MADE, starts_on=PAUSE + timedelta(days=9))
    annotations.save_event(session, Event(title="A rival closed", starts_on=PAUSE + timedelta(days=2)))
    row = paused(session)
    other = add(session, plan(session, name="Ads off", campaign=None, material=piece))
    experiments.start(session, other, PAUSE + timedelta(weeks=2))
    _ring(session, number.id, held.id, inside)
    for one in (row, other):
        assert read(session, local, one).disturbed.calls == 1
    found = read(session, local, row)
    assert replace(found.disturbed, calls=0) == reporting.Disturbed(
        cost_minor=100_00, campaigns=("Fair",), experiments=("Ads off",), annotations=("A rival closed",)
    )
    assert len(warned(local, found)) == 6, "and the season is unknown"


def _ring(session: Session, number: int, assignment: int, at: object) -> None:
    from tracking.storage.models import Account, Contact
    from tracking.storage.phone import NumberState

    contact = Contact(account=Account(created_at=at), created_at=at)
    session.add(contact)
    session.flush()
    session.add(
        Call(
            provider="twilio", provider_call_id="c1", dialled=CATALOGUE_NUMBER, tracking_number_id=number,
            assignment_id=assignment, contact_id=contact.id, caller_state=NumberState.withheld,
            started_at=at, status=CallStatus.completed,
        )
    )  # fmt: skip
    session.flush()


@ON_SQLITE
def test_regions_that_drifted_apart_before_are_a_warning(session: Session, local: Settings) -> None:
    rising = {week: (0, 4 + (week + 40) // 4) for week in range(-40, LENGTH)}
    sell(session, rising, region="north")
    sell(session, usual(-40, LENGTH, own=0, other=10), region="south")
    found = read(session, local, paused(session, regions=("north",)))
    assert any("drifting apart" in each for each in warned(local, found))


@ON_BOTH
def test_an_experiment_comes_back_from_the_database_as_it_was(engine: Engine) -> None:
    with db.transaction(engine) as session:
        sell(session, {0: (1, 0)}, region="north")
        sell(session, {0: (1, 0)}, region="south")
        add(session, plan(session, regions=("south",), belief_low=0.5, belief_high=2.5, note="As agreed"))
    with db.reading(engine) as session:
        row = session.scalars(select(Experiment)).one()
        assert (row.regions, row.belief_low, row.belief_high) == (["south"], 0.5, 2.5)
        assert (row.note, row.settle_weeks, row.state) == ("As agreed", 1, ExperimentState.planned)
