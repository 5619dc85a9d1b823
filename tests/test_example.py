"""The example supplier: every file is taken whole, and tells a plausible year."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from tests import example
from tests.cast import BOREALIS
from tests.conftest import KEY
from tests.imports import NOW
from tracking.errors import Conflict
from tracking.records import contacts
from tracking.storage import db, phone
from tracking.storage.config import Settings
from tracking.storage.models import Account, Answer, Call, Campaign, Cost, Deal, Touch, TrackingNumber
from tracking.storage.vocabulary import Outcome, Stage, TouchKind


def test_an_empty_installation_is_filled_once(engine: Engine) -> None:
    results = example.load(engine, NOW)
    assert {name: result.refused for name, result in results.items()} == dict.fromkeys(results, 0)
    assert {name: result.campaigns_created for name, result in results.items()} == {
        name: [] for name in results
    }
    with Session(engine) as session:
        counts = [session.scalar(select(func.count(t.id))) for t in (Campaign, TrackingNumber, Deal)]
        assert counts == [6, 7, 25]
        calls = session.scalar(select(func.count(Call.id))) or 0
        named = session.scalar(select(func.count(Account.id)).where(Account.name.is_not(None)))
        touches = session.scalar(select(func.count(Touch.id))) or 0
        assert calls == results["calls.csv"].created >= 140
        assert named is not None
        assert named >= 30
        assert touches == calls + results["touches.csv"].created
        stages = set(session.scalars(select(Deal.stage)))
        assert {Stage.won, Stage.lost, Stage.opportunity} <= stages
        assert set(session.scalars(select(Answer.outcome))) == set(Outcome)
        assert session.scalar(select(func.min(Cost.period_start))) is not None
    with pytest.raises(Conflict, match="not empty"):
        example.load(engine, NOW)


def touches_of(session: Session, company: str) -> list[Touch]:
    touches = session.scalars(select(Touch).order_by(Touch.occurred_at))
    return [t for t in touches if contacts.account_of(session, t.contact).name == company]


@pytest.fixture(scope="module")
def acme(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The example in an installation of its own, to be read only."""
    folder = tmp_path_factory.mktemp("acme")
    shutil.copy(sqlite_template, folder / "ringtrail.db")
    engine = db.connect(Settings(data_dir=folder, key=KEY))
    example.load(engine, NOW)
    yield engine
    engine.dispose()


def test_borealis_was_met_at_the_fair_and_called_three_times(acme: Engine) -> None:
    with Session(acme) as session:
        touches = touches_of(session, "Borealis Foods")
        calls = [touch.call for touch in touches if touch.call is not None]
        assert touches[0].kind is TouchKind.event
        assert [call.caller for call in calls] == [BOREALIS] * 3


def test_cobalt_mining_bought_and_was_never_tracked(acme: Engine) -> None:
    with Session(acme) as session:
        deal = session.scalars(select(Deal).join(Deal.account).where(Account.name == "Cobalt Mining")).one()
        assert deal.stage is Stage.won
        touches = touches_of(session, "Cobalt Mining")
        assert touches
        assert [touch.campaign_id for touch in touches] == [None] * len(touches)
        said = {a.verbatim for touch in touches if touch.call for a in touch.call.answers}
        assert "a colleague" in said


def test_every_number_comes_from_a_range_kept_for_fiction(acme: Engine) -> None:
    fiction = ("+46701740", "+442079460", "+493023125", "+12025550")
    with Session(acme) as session:
        callers = set(session.scalars(select(Call.caller))) - {None}
        for number in callers | set(session.scalars(select(TrackingNumber.number))):
            assert number is not None
            assert number.startswith(fiction)
            assert phone.parse(number, "SE").e164 == number
