"""The demo: a made-up supplier with every kind of record, which is gone without a trace when it is wiped."""

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from simulator.facts import FACTS, measure
from simulator.runs import mapper
from tests.conftest import KEY
from tests.imports import NOW
from tests.web.people import hire
from tracking.cli.admin import demo
from tracking.demo import acme as acme_pumps
from tracking.demo import filling
from tracking.demo.acme import WINDOW
from tracking.errors import Conflict
from tracking.reporting import roi, snapshots
from tracking.storage import db, phone
from tracking.storage.config import Settings
from tracking.storage.models import (
    Account,
    AdMaterial,
    Annotation,
    Answer,
    Call,
    Campaign,
    ContactPoint,
    Cost,
    Deal,
    Indicator,
    NumberAssignment,
    Touch,
    TrackingNumber,
    User,
    VisitCount,
)
from tracking.storage.vocabulary import Base, CallStatus, LeadStatus, Outcome, PointKind, Stage, TouchKind
from tracking.telephony import calls, numbers
from tracking.telephony.numbers import NumberLife


@pytest.fixture(scope="module")
def acme(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A small demo in an installation of its own, to be read only."""
    folder = tmp_path_factory.mktemp("acme")
    shutil.copy(sqlite_template, folder / "ringtrail.db")
    engine = db.connect(Settings(data_dir=folder, key=KEY))
    filling.fill(engine, NOW, accounts=200)
    yield engine
    engine.dispose()


@pytest.fixture
def market(acme: Engine) -> Iterator[Session]:
    with db.reading(acme) as session:
        yield session


def kinds(session: Session, column: object) -> set[object]:
    return set(session.scalars(select(column).distinct()))  # type: ignore[call-overload]  # any column


def test_every_kind_of_record_is_there(market: Session) -> None:
    assert kinds(market, Call.status) == {CallStatus.completed, CallStatus.missed, CallStatus.voicemail}
    assert kinds(market, Call.lead_status) == {None, *LeadStatus}
    assert kinds(market, Call.spam) == {True, False}
    assert kinds(market, Answer.outcome) == set(Outcome)
    assert kinds(market, Answer.asked_by) == {"Rita", "Sven", "Olga"}
    assert {Stage.won, Stage.lost, Stage.opportunity} <= kinds(market, Deal.stage)
    assert kinds(market, Touch.kind) >= {
        TouchKind.call,
        TouchKind.visit,
        TouchKind.form,
        TouchKind.message,
        TouchKind.event,
    }
    assert kinds(market, Cost.direct) == {True, False}
    assert market.scalar(select(func.count(AdMaterial.id)).where(AdMaterial.expires_on < NOW.date())) == 1
    assert (market.scalar(select(func.sum(VisitCount.visits))) or 0) > 100


def test_each_company_has_a_domain_of_nobody_an_industry_and_a_region(market: Session) -> None:
    companies = market.scalars(select(Account).where(Account.external_id.is_not(None))).all()
    domains = [company.domain or "" for company in companies]
    assert all(domain.endswith(".example") for domain in domains)
    assert len(set(domains)) == len(domains) > 10
    assert all(company.industry and company.region for company in companies)


def test_each_campaign_has_material_and_calls_or_says_why_no_number_is_on_it(market: Session) -> None:
    for campaign in market.scalars(select(Campaign)):
        held = [piece.assignments for piece in campaign.materials]
        assert held, campaign.name
        rang = select(func.count(Call.id)).join(NumberAssignment).join(AdMaterial)
        calls_of = market.scalar(rang.where(AdMaterial.campaign_id == campaign.id))
        assert calls_of if all(held) else "number" in campaign.objective, campaign.name


def test_it_is_a_market_that_a_supplier_would_believe() -> None:
    params = {each.name: each.default for each in demo.params}
    assert params["accounts"] == filling.ACCOUNTS
    with mapper() as spread:
        markets = [acme_pumps.world(NOW, filling.ACCOUNTS, seed) for seed in range(1, 5)]
        found = [measure(market, spread, returns=False) for market in markets]
    for name in ("quotes_won", "no_decision", "marketing_share", "phone_share", "missed_calls"):
        values = [each[name] for each in found]
        assert FACTS[name].low <= sum(values) / len(values) <= FACTS[name].high, (name, values)


def test_companies_whose_names_are_alike_have_different_domains() -> None:
    assert acme_pumps.domains(["Åberg Water AB", "Aberg Water Ltd"]) == [
        "aberg-water.example",
        "aberg-water-2.example",
    ]


def test_brand_searches_of_each_whole_month_are_the_visits_that_came_by_the_name() -> None:
    days = [(date(2026, 1, 31), 4), (date(2026, 2, 1), 2), (date(2026, 2, 28), 3), (date(2026, 4, 1), 9)]
    visits = [{"day": day, "visits": count} for day, count in days]
    found = acme_pumps.brand_searches(visits, date(2026, 1, 15), date(2026, 4, 20))
    assert [(reading.day, reading.value) for reading in found] == [
        (date(2026, 2, 1), 5),
        (date(2026, 3, 1), 0),
    ]


def test_what_happened_beside_the_marketing_lies_within_the_two_years(market: Session) -> None:
    found = market.scalars(select(Annotation)).all()
    assert "Borealis Pumps cuts prices" in {event.title for event in found}
    assert all((NOW - WINDOW).date() < event.starts_on < NOW.date() for event in found)
    assert len(market.scalars(select(Indicator)).all()) == 23


def test_numbers_are_in_use_free_at_rest_or_the_main_line(market: Session) -> None:
    lives = {
        numbers.standing(row, row.assignments, NOW).life for row in market.scalars(select(TrackingNumber))
    }
    assert lives == set(NumberLife) - {NumberLife.disabled, NumberLife.pool}


def test_it_ends_now_and_the_last_calls_are_still_to_log(market: Session) -> None:
    latest = market.scalar(select(func.max(Call.started_at)))
    assert latest is not None
    assert NOW - timedelta(days=5) < latest <= NOW
    first = market.scalar(select(func.min(Call.started_at)))
    assert first is not None
    assert first < NOW - timedelta(days=600)
    old = market.scalars(calls.unlogged(since=NOW - WINDOW).where(Call.started_at < NOW - timedelta(days=3)))
    assert list(old) == []


def test_each_company_has_a_name_and_each_number_is_kept_for_fiction(market: Session) -> None:
    names = list(market.scalars(select(Account.name).where(Account.external_id.is_not(None))))
    assert len(names) == len(set(names)) > 50
    told = set(market.scalars(select(ContactPoint.value).where(ContactPoint.kind == PointKind.phone)))
    told |= set(market.scalars(select(TrackingNumber.number)))
    fiction = ("+493023125", "+442079460", "+46701740")
    assert told
    for number in told:
        assert phone.parse(number, "SE").e164 == number
        assert number.startswith(fiction), number


def test_calls_are_credited_to_who_held_the_number_when_it_rang(market: Session) -> None:
    rows = market.execute(
        select(Call.started_at, NumberAssignment.starts_at, NumberAssignment.ends_at).join(
            NumberAssignment, Call.assignment_id == NumberAssignment.id
        )
    ).all()
    assert len(rows) > 100
    assert all(starts <= rang and (ends is None or rang < ends) for rang, starts, ends in rows)


def test_the_models_disagree_about_it(market: Session, acme: Engine) -> None:
    told = Settings(key=KEY, data_dir=Path(str(acme.url.database)).parent)
    models = ("first-touch", "last-touch", "linear", "self-reported")
    report = roi.roi_report(snapshots.whole(market, told, at=NOW), told, models, today=NOW.date())
    best = {}
    for row in report.table.to_pylist():
        if not row["campaign"].startswith("("):
            best.setdefault(row["model"], row["campaign"])
    assert len(best) == 4
    assert len(set(best.values())) >= 2


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_the_same_seed_and_moment_give_the_same_demo(acme: Engine, engine: Engine) -> None:
    filling.fill(engine, NOW, accounts=200)
    wanted = select(Call.provider_call_id, Call.started_at, Call.dialled, Call.caller, Call.talk_s).order_by(
        Call.id
    )
    with db.reading(acme) as one, db.reading(engine) as other:
        assert one.execute(wanted).all() == other.execute(wanted).all()


def test_it_fills_only_what_is_empty_and_leaves_nothing_but_people(engine: Engine) -> None:
    hire(engine)
    filling.fill(engine, NOW, accounts=30)
    with db.reading(engine) as session:
        assert filling.is_here(session)
    with pytest.raises(Conflict, match="already has data"):
        filling.fill(engine, NOW)
    with db.transaction(engine) as session:
        filling.wipe(session)
    with db.reading(engine) as session:
        left = {
            table.name
            for table in Base.metadata.sorted_tables
            if session.scalar(select(func.count()).select_from(table))
        }
        assert left <= {"installation", User.__tablename__, "data_change"}
        assert not filling.is_here(session)


def test_live_data_are_not_taken_for_a_demo(engine: Engine) -> None:
    with db.transaction(engine) as session:
        session.add(Campaign(name="Live", channel="fair", created_at=NOW))
    with pytest.raises(Conflict, match="no demo"), db.transaction(engine) as session:
        filling.wipe(session)
