"""An import is undone: what it made goes, what it changed comes back, and what has changed since stays."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from tests.cast import BOREALIS, BOREALIS_BUYER, CATALOGUE_NUMBER, COBALT, DRIFT, FAIR_NUMBER, STOCKHOLM
from tests.imports import NOW, ON_SQLITE, advertise, import_table
from tracking.errors import Conflict, NotFound
from tracking.imports import undo
from tracking.imports.undo import Plan
from tracking.records import answers, contacts, experiments, sites, web_forms
from tracking.records.web_forms import Post
from tracking.reporting import journeys
from tracking.storage import db
from tracking.storage.models import (
    Account,
    Answer,
    Call,
    Campaign,
    Contact,
    Cost,
    Deal,
    ImportChange,
    ImportHold,
    ImportRun,
)
from tracking.storage.vocabulary import Base, Outcome
from tracking.telephony import calls
from tracking.telephony.calls import CallEvent

LATER = NOW + timedelta(days=2)
UNCOUNTED = {"data_change", "import_run", "import_change", "import_hold"}
PEOPLE = (BOREALIS, BOREALIS_BUYER, COBALT, DRIFT)


def everything(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of all tables, which import made them left out."""
    with db.reading(engine) as session:
        return {
            table.name: [
                {name: cell for name, cell in row._mapping.items() if name != "imported_by"}
                for row in session.execute(select(table).order_by(*table.primary_key))
            ]
            for table in Base.metadata.sorted_tables
            if table.name not in UNCOUNTED
        }


def figures(engine: Engine) -> list[Any]:
    with db.reading(engine) as session:
        tables = journeys.export(session, currency="EUR", zone=STOCKHOLM)
    return [getattr(tables, name) for name in ("touches", "conversions", "costs", "answers", "calls")]


def undone(engine: Engine, run_id: int | None) -> Plan:
    assert run_id is not None
    return db.commit(engine, lambda session: undo.undo(session, run_id, at=LATER))


def some_file(chance: Random) -> tuple[str, str]:
    """Return a kind of file and one of that kind, about few people, so that files speak of the same."""

    def day() -> str:
        return f"2026-{chance.randrange(1, 5):02d}-{chance.randrange(1, 28):02d}"

    company = chance.choice(["Borealis Foods", "Cobalt Mining", "Drift", ""])
    match kind := chance.choice(["deals", "costs", "reports", "touches", "calls"]):
        case "deals":
            head = (
                "deal_id,company,account_id,phone,email,stage,amount,currency,closed_at,heard_from,campaign"
            )
            rows = [
                f"{chance.randrange(6)},{chance.choice([company, 'Borealis Foods'])},"
                f"{chance.choice(['', 'A1'])},{chance.choice(PEOPLE)},{chance.choice(['', 'a@b.example'])},"
                f"{chance.choice(['won', 'lost'])},{chance.randrange(999)},EUR,{day()},"
                f"{chance.choice(['', 'a colleague'])},{chance.choice(['', 'Fair 2026', 'New'])}"
                for _ in range(4)
            ]
        case "costs":
            head = "campaign,channel,period,amount,currency"
            rows = [f"{chance.choice(['New', 'Fair 2026', ''])},fair,{day()},{chance.randrange(99)},EUR"]
        case "reports":
            kind, head = "costs", "Campaign,Day,Cost,Currency code,Campaign status"
            rows = [
                f"{chance.choice(['New', 'Ads'])},2026-03-0{n},{chance.randrange(99)},EUR,Enabled"
                for n in (1, 2)
            ]
        case "touches":
            head = "touch_id,company,phone,occurred_at,kind,campaign"
            rows = [
                f"{chance.randrange(5)},{company},{chance.choice(PEOPLE)},{day()}T10:00:00Z,visit,"
                f"{chance.choice(['', 'New'])}"
                for _ in range(3)
            ]
        case _:
            head = "provider,call_id,started_at,caller,dialled,talk_s,heard_from,heard_campaign,caller_name"
            rows = [
                f"pbx,{chance.randrange(6)},{day()} 10:00,{chance.choice([*PEOPLE, ''])},"
                f"{chance.choice([CATALOGUE_NUMBER, FAIR_NUMBER])},{chance.randrange(60)},"
                f"{chance.choice([',', 'at the fair,', 'at the fair,Fair 2026'])},Ann"
                for _ in range(4)
            ]
    return kind, "\n".join([head, *rows])


@pytest.mark.parametrize(
    ("settings", "seed"),
    [*(("sqlite", seed) for seed in range(4)), ("postgresql", 4)],
    indirect=["settings"],
)
def test_an_import_that_is_undone_leaves_all_tables_and_figures_as_they_were(
    engine: Engine, seed: int
) -> None:
    chance = Random(seed)
    advertise(engine)
    done: list[tuple[int | None, Any, Any]] = []
    for _ in range(6):
        before = everything(engine), figures(engine)
        kind, text = some_file(chance)
        result = import_table(engine, kind, text)
        done.append((result.run_id, *before))
        if chance.randrange(3) == 0:
            done.pop()
            plan = undone(engine, result.run_id)
            assert not plan.staying, plan.named
            assert everything(engine) == before[0], text
            assert figures(engine) == before[1]
    for run_id, tables, told in reversed(done):
        plan = undone(engine, run_id)
        assert not plan.staying, plan.named
        assert everything(engine) == tables
        assert figures(engine) == told
    with db.reading(engine) as session:
        assert session.scalar(select(func.count(ImportChange.id))) == 0
        assert session.scalar(select(func.count(ImportHold.id))) == 0


CALLS = f"""provider,call_id,started_at,caller,dialled,talk_s
pbx,1,2026-03-01 10:00,{BOREALIS},{FAIR_NUMBER},60
pbx,2,2026-03-02 10:00,{COBALT},{FAIR_NUMBER},60
"""


def edit_call(engine: Engine) -> None:
    with db.transaction(engine) as session:
        call = session.scalars(select(Call).where(Call.provider_call_id == "1")).one()
        calls.judge(session, call, note="wants a quotation")


def log_answer(engine: Engine) -> None:
    with db.transaction(engine) as session:
        call = session.scalars(select(Call).where(Call.provider_call_id == "1")).one()
        answers.log(session, Outcome.answered, asked_at=NOW, call=call, verbatim="at the fair")


def merge_contact(engine: Engine) -> None:
    with db.transaction(engine) as session:
        call = session.scalars(select(Call).where(Call.provider_call_id == "1")).one()
        other = contacts.account_for(session, contacts.Clues(company="Borealis Foods"), at=NOW)
        contacts.merge(session, Account, other.id, call.contact.account_id)


def call_again(engine: Engine) -> None:
    event = CallEvent(
        provider="twilio", provider_call_id="CA1", dialled=(FAIR_NUMBER,), caller=BOREALIS, started_at=NOW
    )
    db.commit(engine, lambda session: len(calls.record(session, [event], region="SE")))


def send_form(engine: Engine) -> None:
    with db.transaction(engine) as session:
        site = sites.add(session, "Shop", at=NOW, origins=["https://acme.example"], number=DRIFT)
        post = Post(site_id=site.id, post_key="1", at=NOW, page="acme.example/", told={"phone": BOREALIS},
                    others={}, came={}, token=None)  # fmt: skip
        web_forms.keep(session, site, post, region="SE")


def import_more(engine: Engine) -> None:
    import_table(engine, "calls", CALLS.splitlines()[0] + ",note\n" + CALLS.splitlines()[1] + ",a note\n")


@pytest.mark.parametrize(
    ("since", "staying", "why"),
    [
        (
            edit_call,
            {"call": 1, "touch": 1, "contact": 1, "contact_point": 1, "account": 1},
            ("call", "edited"),
        ),
        (
            log_answer,
            {"call": 1, "touch": 1, "contact": 1, "contact_point": 1, "account": 1},
            ("call", "needed"),
        ),
        (merge_contact, {"account": 1}, ("account", "needed")),
        (call_again, {"contact": 1, "contact_point": 1, "account": 1}, ("contact", "needed")),
        (send_form, {"contact": 1, "contact_point": 1, "account": 1}, ("contact", "needed")),
        (
            import_more,
            {"call": 1, "touch": 1, "contact": 1, "contact_point": 1, "account": 1},
            ("call", "imported"),
        ),
    ],
)
def test_what_something_else_has_changed_since_stays_and_is_named(
    engine: Engine, since: Callable[[Engine], None], staying: dict[str, int], why: tuple[str, str]
) -> None:
    advertise(engine)
    run_id = import_table(engine, "calls", CALLS).run_id
    assert run_id is not None
    since(engine)
    with db.reading(engine) as session:
        told = undo.plan(session, run_id, at=LATER)
    plan = undone(engine, run_id)
    assert (told.going, told.staying, told.named) == (plan.going, plan.staying, plan.named)
    assert plan.staying == staying
    assert why in [(stay.table, stay.why) for stay in plan.named]
    assert plan.going["call"] == 2 - staying.get("call", 0)
    with db.reading(engine) as session:
        left = session.scalars(select(Call.provider_call_id).where(Call.provider == "pbx")).all()
        assert left == (["1"] if "call" in staying else [])


def test_a_restated_cost_and_a_changed_deal_come_back_unless_they_were_changed_again(engine: Engine) -> None:
    head = "Campaign,Day,Cost,Currency code,Campaign status\n"
    import_table(engine, "costs", head + "Ads,2026-03-01,100,EUR,Enabled")
    again = import_table(engine, "costs", head + "Ads,2026-03-01,120,EUR,Enabled")
    deal = "deal_id,company,stage,amount,closed_at\n7,Borealis Foods,{},{},2026-03-01\n"
    import_table(engine, "deals", deal.format("lost", 100))
    won = import_table(engine, "deals", deal.format("won", 300))
    with db.transaction(engine) as session:
        session.scalars(select(Deal)).one().amount_minor = 31_000
    assert undone(engine, again.run_id).restored == {"cost": 1}
    plan = undone(engine, won.run_id)
    assert [(stay.table, stay.why) for stay in plan.named] == [("deal", "value")]
    with db.reading(engine) as session:
        assert session.scalars(select(Cost.amount_minor)).all() == [10_000]
        row = session.scalars(select(Deal)).one()
        assert (row.stage, row.amount_minor) == ("lost", 31_000), "what was typed since stays"


def test_a_campaign_that_an_experiment_pauses_stays(engine: Engine) -> None:
    made = import_table(engine, "costs", "Campaign,Day,Cost,Currency code\nAds,2026-03-01,100,EUR")
    with db.transaction(engine) as session:
        campaign = session.scalars(select(Campaign)).one()
        told = experiments.Plan(name="Ads off", starts_on=NOW.date(), weeks=8, campaign=campaign)
        experiments.save(session, told, by="mikael@acme.example", at=NOW)
    plan = undone(engine, made.run_id)
    assert (plan.going, plan.staying) == ({"cost": 1}, {"campaign": 1})
    assert [(stay.table, stay.why) for stay in plan.named] == [("campaign", "needed")]


def test_an_import_that_broke_off_can_be_undone_too(engine: Engine) -> None:
    advertise(engine)
    before = everything(engine)

    def break_off(_done: int, _rows: int) -> None:
        raise Conflict("the disk is full")

    with pytest.raises(Conflict):
        import_table(engine, "calls", CALLS, progress=break_off)
    with db.reading(engine) as session:
        run = session.scalars(select(ImportRun)).one()
        assert session.scalar(select(func.count(Call.id))) == 2
    undone(engine, run.id)
    assert everything(engine) == before


@ON_SQLITE
def test_an_import_is_undone_once_and_within_thirty_days(engine: Engine) -> None:
    advertise(engine)
    run_id = import_table(engine, "calls", CALLS, strict=True).run_id
    assert run_id is not None
    with db.transaction(engine) as session:
        with pytest.raises(Conflict, match="within 30 days"):
            undo.plan(session, run_id, at=NOW + timedelta(days=31))
        with pytest.raises(NotFound, match="import 99 not found"):
            undo.plan(session, 99, at=NOW)
        undo.undo(session, run_id, at=LATER)
        assert session.scalar(select(func.count(Contact.id))) == 0
        with pytest.raises(Conflict, match="already been undone"):
            undo.plan(session, run_id, at=LATER)
    assert import_table(engine, "calls", CALLS).created == 2, "the file can be given again"
    assert import_table(engine, "calls", CALLS, dry_run=True).run_id is not None
    with db.reading(engine) as session:
        assert session.scalar(select(func.count(ImportRun.id))) == 2, "a dry run is none"
        assert session.scalars(select(Answer)).all() == []


def test_a_long_file_is_undone_in_few_statements(engine: Engine) -> None:
    advertise(engine)
    rows = [
        f"pbx,{n},2026-03-01 {n % 24:02d}:{n % 60:02d},+44207946{n % 1000:04d},{FAIR_NUMBER},5"
        for n in range(1500)
    ]
    run_id = import_table(engine, "calls", "\n".join([CALLS.splitlines()[0], *rows])).run_id
    with db.transaction(engine) as session:
        for call in session.scalars(select(Call).where(Call.id % 2 == 0)):
            call.note = "read"
    plan = undone(engine, run_id)
    assert plan.staying["call"] == plan.going["call"] == 750
    assert len(plan.named) == 50
    with db.reading(engine) as session:
        assert session.scalar(select(func.count(Call.id))) == 750
