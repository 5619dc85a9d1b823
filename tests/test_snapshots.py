"""What was computed from the data tells when it is stale, and is otherwise not computed again."""

import multiprocessing
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import Engine, func, insert, select, text
from sqlalchemy.orm import Session

from tests.cast import (
    BOREALIS,
    BOREALIS_BUYER,
    CATALOGUE_NUMBER,
    COBALT,
    DRIFT,
    FAIR_NUMBER,
    STOCKHOLM,
    moment,
)
from tracking.errors import Conflict, Invalid
from tracking.records import answers, campaigns, contacts, costs, deals, touches
from tracking.records.contacts import Clues
from tracking.records.costs import CostRecord
from tracking.records.deals import DealRecord
from tracking.records.touches import TouchRecord
from tracking.reporting import bases, journeys, roi, snapshots
from tracking.reporting.credit import Window
from tracking.reporting.snapshots import Preparing
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import (
    Account,
    AdMaterial,
    Call,
    Campaign,
    Contact,
    DataChange,
    ImportRun,
    TrackingNumber,
    Tries,
)
from tracking.storage.vocabulary import CallStatus, LeadStatus, Medium, Outcome, Stage, TouchKind
from tracking.telephony import calls, numbers
from tracking.telephony.calls import CallEvent


def changes(engine: Engine) -> int:
    with db.reading(engine) as session:
        return session.scalar(select(func.count()).select_from(DataChange)) or 0


def test_a_transaction_that_changes_what_is_reported_on_leaves_one_mark(engine: Engine) -> None:
    with db.transaction(engine) as session:
        fair = campaigns.add(session, "Fair", "fair", at=moment("2026-01-01"))
        campaigns.add(session, "Mail", "mail", at=moment("2026-01-01"))
    assert changes(engine) == 1
    with db.transaction(engine) as session:
        session.merge(fair).channel = "trade fair"
    assert changes(engine) == 2


def test_rows_written_in_bulk_leave_a_mark_too(engine: Engine) -> None:
    row = {"name": "Fair", "channel": "fair", "targets": {}, "created_at": moment("2026-01-01")}
    with db.transaction(engine) as session:
        session.execute(insert(Campaign.__table__), [row | {"objective": "", "direction": "inbound"}])  # type: ignore[arg-type]  # a table
    assert changes(engine) == 1


def two_fairs(session: Session) -> None:
    campaigns.add(session, "Fair", "fair", at=moment("2026-01-01"))
    campaigns.add(session, "", "fair", at=moment("2026-01-01"))


def test_what_was_taken_back_or_only_read_or_is_not_reported_on_leaves_none(engine: Engine) -> None:
    with pytest.raises(Invalid), db.transaction(engine) as session:
        two_fairs(session)
    with db.reading(engine) as session:
        session.scalars(select(Campaign)).all()
    with db.transaction(engine) as session:
        session.add(Tries(key="0" * 64, count=1, since=moment("2026-01-01")))
        session.add(
            ImportRun(
                kind="calls", file_name="a", finished_at=moment("2026-01-01"),
                created=0, updated=0, skipped=0, refused=0,
            )
        )  # fmt: skip
    assert changes(engine) == 0


def fair(engine: Engine, name: str = "Fair") -> None:
    with db.transaction(engine) as session:
        campaigns.add(session, name, "fair", at=moment("2026-01-01"))


def test_the_same_data_are_written_once_and_a_change_is_seen_at_once(
    engine: Engine, settings: Settings
) -> None:
    early, late = moment("2026-03-01"), moment("2026-03-02")
    with db.reading(engine) as session:
        first = snapshots.current(session, settings, at=early)
        again = snapshots.current(session, settings, at=late)
    assert (first.taken_at, again.taken_at) == (early, early)
    assert first.tables is again.tables
    fair(engine)
    with db.reading(engine) as session:
        changed = snapshots.current(session, settings, at=late)
    assert (changed.taken_at, changed.stale) == (late, False)


def test_a_snapshot_holds_the_journey_tables_without_the_words_of_people(
    engine: Engine, settings: Settings
) -> None:
    caller = answered_call(engine)
    with db.reading(engine) as session:
        kept = snapshots.current(session, settings, at=moment("2026-03-01"))
        told = journeys.export(session, currency="EUR", zone=STOCKHOLM)
    assert kept.tables.touches.equals(told.touches)
    assert kept.tables.calls.equals(told.calls)
    assert kept.tables.answers["verbatim"].to_pylist() == [None]
    files = b"".join(path.read_bytes() for path in kept.base.folder.iterdir())
    for words in (caller.encode(), caller[-9:].encode(), b"at the trade fair", b"Rita", b"Borealis"):
        assert words not in files


def test_a_computed_table_is_remembered_as_long_as_the_data_stay(engine: Engine, settings: Settings) -> None:
    made = []
    for _ in range(2):
        with db.reading(engine) as session:
            kept = snapshots.current(session, settings, at=moment("2026-03-01"))
        kept.remember("figures", lambda: made.append(1))
    assert made == [1]
    fair(engine)
    with db.reading(engine) as session:
        kept = snapshots.current(session, settings, at=moment("2026-03-01"))
    kept.remember("figures", lambda: made.append(1))
    assert made == [1, 1]


def test_a_model_that_the_data_do_not_support_is_named_with_its_reason(
    engine: Engine, settings: Settings
) -> None:
    answered_call(engine)
    with db.reading(engine) as session:
        kept = snapshots.current(session, settings, at=moment("2026-03-01"))
    found = kept.credit(["linear", "markov"], Window(365, 30))
    assert set(found.parts) == {"linear"}
    assert set(found.missing) == {"markov"}


def everything(engine: Engine) -> None:
    """Change what a mark cannot name: a campaign's channel, which every journey may hold."""
    with db.transaction(engine) as session:
        campaign = session.scalar(select(Campaign))
        assert campaign is not None
        campaign.channel += "!"


def test_where_a_new_base_takes_long_the_last_figures_are_shown_until_it_is_there(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fair(engine)
    with db.reading(engine) as session:
        snapshots.current(session, settings, at=moment("2026-03-01"))
    monkeypatch.setattr(bases, "MANY", -1)
    snapshots._current.clear()
    everything(engine)
    with db.reading(engine) as session:
        shown = snapshots.current(session, settings, at=moment("2026-03-02"))
    assert (shown.stale, shown.taken_at) == (True, moment("2026-03-01"))
    for _ in range(6000):
        with db.reading(engine) as session:
            shown = snapshots.current(session, settings, at=moment("2026-03-02"))
        if not shown.stale:
            break
        time.sleep(0.1)
    assert not shown.stale, "another process has written a base"


def test_with_many_records_nobody_waits_for_the_first_snapshot(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bases, "MANY", -1)
    with db.reading(engine) as session, pytest.raises(Preparing):
        snapshots.current(session, settings, at=moment("2026-03-01"))
    for _ in range(6000):
        time.sleep(0.1)
        if [
            path for path in (settings.data_dir / "snapshots").glob("*/about.json") if "new-" not in str(path)
        ]:
            break
    with db.reading(engine) as session:
        assert not snapshots.current(session, settings, at=moment("2026-03-01")).stale


def test_a_base_that_cannot_be_written_beside_is_not_tried_at_each_request(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    class Failing:
        """A process that ends at once, with a failure."""

        exitcode = 1

        def __init__(self, **_: Any) -> None:
            started.append(self)

        def start(self) -> None:
            pass

        def is_alive(self) -> bool:
            return False

    monkeypatch.setattr(bases, "MANY", -1)
    monkeypatch.setattr(multiprocessing.get_context("spawn"), "Process", Failing)
    for minutes, attempts in ((0, 1), (1, 1), (9, 1), (10, 2), (11, 2)):
        at = moment("2026-03-01") + timedelta(minutes=minutes)
        with db.reading(engine) as session, pytest.raises(Preparing):
            snapshots.current(session, settings, at=at)
        assert len(started) == attempts, minutes


def test_old_bases_make_room(engine: Engine, settings: Settings) -> None:
    fair(engine)
    for _ in range(4):
        everything(engine)
        with db.reading(engine) as session:
            snapshots.current(session, settings, at=moment("2026-03-01"))
    assert len(list((settings.data_dir / "snapshots").iterdir())) == 2


def test_a_base_that_nobody_finished_leaves_nothing_behind(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = settings.data_dir / "snapshots"
    (here / "new-killed").mkdir(parents=True)
    (here / "new-killed" / "touches.parquet").write_bytes(b"half")

    def fails(*_: object, **__: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch, db.reading(engine) as session:
        patch.setattr(bases, "_write", fails)
        with pytest.raises(OSError, match="no space"):
            snapshots.current(session, settings, at=moment("2026-03-01"))
    assert list(here.iterdir()) == []


def test_a_base_of_a_database_that_has_been_put_back_is_not_used(engine: Engine, settings: Settings) -> None:
    fair(engine)
    with db.reading(engine) as session:
        snapshots.current(session, settings, at=moment("2026-03-01"))
    with engine.begin() as connection:
        # The copy has not seen the last change, and has gone on with another one.
        connection.execute(text("UPDATE data_change SET nonce = 7"))
    fair(engine, "Mail")
    with db.reading(engine) as session:
        shown = snapshots.current(session, settings, at=moment("2026-03-02"))
    assert shown.base.taken_at == moment("2026-03-02")


def reported(key: str, number: str, caller: str | None, at: datetime, **more: Any) -> CallEvent:
    return CallEvent(
        provider="twilio", provider_call_id=key, dialled=(number,), caller=caller, started_at=at, **more
    )


@dataclass
class Office:
    """Somebody who records whatever comes to his mind, and puts some of it right again."""

    session: Session
    chance: Random
    at: datetime

    def act(self) -> str:
        self.at += timedelta(hours=self.chance.randrange(1, 100))
        action = self.chance.choice(
            [self.call, self.call, self.report, self.answer, self.deal, self.deal, self.touch, self.merge,
             self.part, self.spam, self.judge, self.assign, self.cost, self.person, self.note]
        )  # fmt: skip
        action()
        return action.__name__

    def some(self, table: type[Any]) -> Any:
        rows = self.session.scalars(select(table).order_by(table.id)).all()
        return self.chance.choice(rows) if rows else None

    def call(self) -> None:
        caller = self.chance.choice([BOREALIS, BOREALIS_BUYER, COBALT, DRIFT, None])
        number = self.chance.choice([CATALOGUE_NUMBER, FAIR_NUMBER])
        self.report(f"CA{self.chance.randrange(10**6)}", number, caller)

    def report(self, key: str = "CA1", number: str = FAIR_NUMBER, caller: str | None = COBALT) -> None:
        status = self.chance.choice(list(CallStatus))
        talk = self.chance.randrange(300)
        event = reported(key, number, caller, self.at, status=status, talk_s=talk, duration_s=talk)
        calls.record(self.session, [event], region="SE")

    def answer(self) -> None:
        if (call := self.some(Call)) is not None:
            campaign = self.some(Campaign)
            answers.log(self.session, Outcome.answered, asked_at=self.at, call=call, campaign=campaign)

    def deal(self) -> None:
        record = DealRecord(
            clues=Clues(phone=self.chance.choice([BOREALIS, COBALT]), company="Borealis Foods"),
            stage=self.chance.choice([Stage.opportunity, Stage.won, Stage.won, Stage.lost]),
            amount_minor=self.chance.randrange(10**6),
            currency="EUR",
            closed_at=self.at,
            external_id=str(self.chance.randrange(5)),
        )
        deals.save(self.session, record, at=self.at)

    def touch(self) -> None:
        record = TouchRecord(
            source_key=str(self.chance.randrange(20)),
            clues=Clues(phone=self.chance.choice([BOREALIS, COBALT])),
            occurred_at=self.at,
            kind=self.chance.choice([TouchKind.visit, TouchKind.form]),
        )  # fmt: skip
        touches.save(self.session, record, at=self.at, campaign=self.some(Campaign))

    def merge(self) -> None:
        table = self.chance.choice([Account, Contact])
        with suppress(Conflict, Invalid):
            contacts.merge(self.session, table, self.some(table).id, self.some(table).id)

    def part(self) -> None:
        table = self.chance.choice([Account, Contact])
        if (row := self.some(table)) is not None and row.merged_into_id is not None:
            contacts.unmerge(self.session, table, row.id)

    def spam(self) -> None:
        if (call := self.some(Call)) is not None:
            call.spam = not call.spam

    def judge(self) -> None:
        if (call := self.some(Call)) is not None:
            call.lead_status = self.chance.choice([None, *LeadStatus])

    def assign(self) -> None:
        number = self.some(TrackingNumber)
        with suppress(Conflict, Invalid):
            since = self.at - timedelta(days=self.chance.randrange(60))
            over = since + timedelta(days=9) if self.chance.randrange(4) == 0 else None
            close = self.chance.randrange(3) > 0
            piece = self.some(AdMaterial)
            numbers.assign(self.session, number, piece, starts_at=since, ends_at=over, close_others=close)

    def cost(self) -> None:
        day = self.at.date()
        spent = CostRecord(
            period_start=day,
            period_end=day + timedelta(days=7),
            currency="EUR",
            category="media",
            amount_minor=self.chance.randrange(9999),
        )
        costs.save(self.session, spent, campaign=self.some(Campaign))

    def person(self) -> None:
        if (contact := self.some(Contact)) is not None:
            contact.account_id = self.some(Account).id

    def note(self) -> None:
        if (call := self.some(Call)) is not None:
            call.note += "."


@pytest.mark.parametrize(
    ("settings", "seed"),
    [("sqlite", 0), ("sqlite", 1), ("sqlite", 2), ("sqlite", 3), ("postgresql", 4)],
    indirect=["settings"],
)
def test_whatever_changes_the_figures_are_those_of_a_fresh_start(
    engine: Engine, settings: Settings, tmp_path: Path, seed: int
) -> None:
    chance = Random(seed)
    with db.transaction(engine) as session:
        for name, number in (("Catalogue", CATALOGUE_NUMBER), ("Fair", FAIR_NUMBER)):
            campaign = campaigns.add(session, name, name.lower(), at=moment("2025-01-01"))
            campaigns.add_material(session, campaign, "A4", at=moment("2025-01-01"), medium=Medium.print)
            numbers.add(session, number, at=moment("2025-01-01"), provider="twilio")
        calls.record(session, [reported("CA1", FAIR_NUMBER, COBALT, moment("2026-01-01"))], region="SE")
    at, done, bases = moment("2026-01-01"), [], set()
    for _ in range(12):
        for _ in range(chance.randrange(1, 4)):
            with db.transaction(engine) as session:
                office = Office(session, chance, at)
                done.append(office.act())
                at = office.at
        with db.reading(engine) as session:
            shown = snapshots.current(session, settings, at=at)
            told = journeys.export(session, currency="EUR", zone=STOCKHOLM)
            again = Settings(data_dir=tmp_path / str(len(done)), key=settings.key, database_url=settings.url)
            anew = snapshots.whole(session, again, at=at)
        bases.add(shown.base.folder)
        for name in ("touches", "conversions", "answers", "calls"):
            assert rows(getattr(shown.tables, name)) == rows(getattr(told, name)), (name, done)
        assert shown.tables.costs.equals(told.costs)
        assert sums({"calls": shown.activity.calls}) == sums({"calls": anew.activity.calls}), done
        assert shown.activity.channels == anew.activity.channels
        window = Window(90, 30)
        for model in ("first-touch", "linear", "w-shaped", "time-decay", "shapley"):
            parts = [one.credit([model], window) for one in (shown, anew)]
            assert parts[0].missing == parts[1].missing
            assert sums(parts[0].daily) == sums(parts[1].daily), (model, done)
            assert rows(*parts[0].won.values()) == rows(*parts[1].won.values()), (model, done)
            if not parts[0].missing:
                assert rows(shown.lines(model, window)) == rows(anew.lines(model, window)), (model, done)
    assert len(bases) == 1, "nothing of this asks for a new base"


def rows(*tables: pa.Table) -> list[str]:
    """Return the rows of a table in one order; whose words it was is in no base."""
    return sorted(
        repr({name: cell for name, cell in row.items() if name not in ("verbatim", "rep")})
        for table in tables
        for row in table.to_pylist()
    )


def sums(daily: Mapping[str, pa.Table]) -> dict[tuple[Any, ...], int]:
    """Add a table by day up, and leave out what adds up to nothing."""
    found: Counter[tuple[Any, ...]] = Counter()
    for table in daily.values():
        for row in table.to_pylist():
            figures = {field.name for field in table.schema if pa.types.is_int64(field.type)}
            key = tuple(value for name, value in row.items() if name not in figures)
            for name in figures:
                found[(*key, name)] += row[name]
    return {key: value for key, value in found.items() if value}


def test_marks_do_not_pile_up(engine: Engine) -> None:
    with db.transaction(engine) as session:
        for _ in range(10_999):
            session.execute(text("INSERT INTO data_change DEFAULT VALUES"))
    fair(engine)
    assert changes(engine) == 10_000


def answered_call(engine: Engine) -> str:
    with db.transaction(engine) as session:
        event = CallEvent(
            provider="twilio",
            provider_call_id="CA1",
            dialled=(CATALOGUE_NUMBER,),
            caller=BOREALIS,
            caller_name="Borealis",
            started_at=moment("2026-02-01 10:00"),
            status=CallStatus.completed,
        )
        call = calls.record(session, [event], region="SE")[0].call
        answers.log(
            session, Outcome.answered, asked_at=event.started_at, call=call, verbatim="at the trade fair",
            asked_by="Rita",
        )  # fmt: skip
    return BOREALIS


def test_intervals_of_fitted_models_follow_a_deal_that_came(engine: Engine, settings: Settings) -> None:
    with db.transaction(engine) as session:
        for name, number in (("Catalogue", CATALOGUE_NUMBER), ("Fair", FAIR_NUMBER)):
            campaign = campaigns.add(session, name, name.lower(), at=moment("2025-01-01"))
            piece = campaigns.add_material(
                session, campaign, "A4", at=moment("2025-01-01"), medium=Medium.print
            )
            row = numbers.add(session, number, at=moment("2025-01-01"), provider="twilio")
            numbers.assign(session, row, piece, starts_at=moment("2025-01-01"))
        rung = [
            reported("CA1", FAIR_NUMBER, COBALT, moment("2026-01-01")),
            reported("CA2", CATALOGUE_NUMBER, BOREALIS, moment("2026-01-01")),
        ]
        calls.record(session, rung, region="SE")
    period = roi.period_of(settings, moment("2026-12-31").date(), moment("2026-01-01").date(), None)
    question = roi.Question(("shapley-coalitions",), period, 365)
    for key, caller, amount in (("1", COBALT, 100_00), ("2", BOREALIS, 300_00)):
        with db.transaction(engine) as session:
            deal = DealRecord(
                clues=Clues(phone=caller), stage=Stage.won, amount_minor=amount, currency="EUR",
                closed_at=moment("2026-02-01"), external_id=key,
            )  # fmt: skip
            deals.save(session, deal, at=moment("2026-02-01"))
        with db.reading(engine) as session:
            shown = snapshots.current(session, settings, at=moment("2026-03-01"))
        found = roi.compare(shown, settings, question, at=moment("2026-03-01"))
        credited = {
            row["campaign"]: row["revenue_minor"]
            for row in found.table.to_pylist()
            if row["revenue_minor"] and not row["campaign"].startswith("(")
        }
        drawn = dict(zip(found.drawn.campaigns, found.drawn.credit[0].tolist(), strict=True))
        assert {name: drawn.get(name) for name in credited} == credited


def test_whoever_began_to_read_before_the_last_change_asks_for_no_new_base(
    engine: Engine, settings: Settings
) -> None:
    fair(engine)
    with db.reading(engine) as session:
        first = snapshots.current(session, settings, at=moment("2026-03-01"))
    with db.reading(engine) as before:
        before.scalar(select(func.count()).select_from(Campaign))
        fair(engine, "Mail")
        with db.reading(engine) as session:
            newest = snapshots.current(session, settings, at=moment("2026-03-02"))
        assert snapshots.current(before, settings, at=moment("2026-03-03")) is newest
    assert newest.base is first.base
