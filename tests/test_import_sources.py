"""Where a customer comes from, as CRMs and call lists note it: answers and touches, not nothing."""

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.cast import CATALOGUE_NUMBER, COBALT
from tests.imports import ON_SQLITE, advertise, import_table
from tracking.storage.models import Answer, Touch

DEAL = "{id};Pump;Borealis;opportunity;900;{cell};2026-03-10\n"


def told(engine: Engine) -> tuple[list[tuple[str | None, str | None]], list[tuple[str, str | None]]]:
    """Return the answers, as words and what they were taken to mean, and the touches of no call."""
    with Session(engine) as session:
        answers = session.scalars(select(Answer).order_by(Answer.id)).all()
        touches = session.scalars(select(Touch).where(Touch.call_id.is_(None)).order_by(Touch.id)).all()
        return (
            [(a.verbatim, a.campaign.name if a.campaign else a.channel) for a in answers],
            [(t.kind, t.channel or (t.campaign.name if t.campaign else None)) for t in touches],
        )


@ON_SQLITE
@pytest.mark.parametrize(
    ("column", "cell", "meaning"),
    [
        ("Lead Source", "Trade Show", "fair"),
        ("LeadSource", "Employee Referral", "recommendation"),
        ("Original Source", "Fair 2026", "Fair 2026"),
        ("Quelle", "Messe", "fair"),
        ("Leadquelle", "wlw", "directory"),
        ("Källa", "Katalog", "print"),
        ("Источник", "Рекомендация", "recommendation"),
        ("Источник сделки", "Выставка", "fair"),
        ("线索来源", "百度", "search"),
        ("How did you hear about us", "Newsletter", "email"),
        ("Woher kennen Sie uns", "von Herrn Berg", None),
        ("Lead Source", "Billboard at the ring road", None),
    ],
)
def test_what_was_noted_as_the_source_is_an_answer(
    engine: Engine, column: str, cell: str, meaning: str | None
) -> None:
    advertise(engine)
    head = f"deal_id;name;company;stage;amount;{column};create date\n"
    text = head + DEAL.format(id=1, cell=cell)
    assert import_table(engine, "deals", text).refusals == []
    assert told(engine) == ([(cell, meaning)], [])
    assert import_table(engine, "deals", text).skipped == 1
    assert told(engine)[0] == [(cell, meaning)], "the same file twice adds nothing"


@ON_SQLITE
@pytest.mark.parametrize(
    ("column", "cell", "touch"),
    [
        ("Original Traffic Source", "Organic Search", ("visit", "organic_search")),
        ("Lead Source", "Web", ("form", "website")),
        ("Quelle", "Kontaktformular", ("form", "website")),
        ("Источник", "Веб-сайт", ("form", "website")),
        ("utm_campaign", "valves", ("other", "valves")),
    ],
)
def test_where_a_system_saw_the_buyer_is_a_touch(
    engine: Engine, column: str, cell: str, touch: tuple[str, str]
) -> None:
    import_table(
        engine,
        "deals",
        f"deal_id;name;company;stage;amount;{column};create date\n" + DEAL.format(id=1, cell=cell),
    )
    assert told(engine) == ([], [touch])


@ON_SQLITE
@pytest.mark.parametrize(
    "cell", ["Offline Sources", "Phone Inquiry", "Звонок", "Telefon", "Sonstiges", "其他", "n/a"]
)
def test_that_somebody_called_or_that_nobody_knows_is_no_source(engine: Engine, cell: str) -> None:
    import_table(
        engine,
        "deals",
        "deal_id;name;company;stage;amount;Quelle;create date\n" + DEAL.format(id=1, cell=cell),
    )
    assert told(engine) == ([], [])


@ON_SQLITE
@pytest.mark.parametrize(
    ("cell", "outcome"),
    [
        ("nein", "not_asked"),
        ("нет", "not_asked"),
        ("nej", "not_asked"),
        ("否", "not_asked"),
        ("No", "not_asked"),
        ("nicht gefragt", "not_asked"),
        ("ville inte säga", "declined"),
        ("отказался", "declined"),
        ("拒绝", "declined"),
        ("weiß nicht", "unknown"),
        ("не помнит", "unknown"),
        ("vet ej", "unknown"),
    ],
)
def test_whether_somebody_asked_is_read_in_five_languages(engine: Engine, cell: str, outcome: str) -> None:
    advertise(engine)
    row = f"2026-03-02 10:00,{COBALT},{CATALOGUE_NUMBER},60,{cell},\n"
    result = import_table(engine, "calls", "started_at,caller,dialled,talk_s,asked,heard_from\n" + row)
    assert result.refusals == []
    with Session(engine) as session:
        assert session.scalars(select(Answer.outcome)).all() == [outcome]
    yes = {"nein": "ja", "нет": "да", "nej": "ja", "否": "是", "No": "Yes"}.get(cell)
    if yes:
        row = f"2026-03-02 11:00,{COBALT},{CATALOGUE_NUMBER},60,{yes},at the fair\n"
        import_table(engine, "calls", "started_at,caller,dialled,talk_s,asked,heard_from\n" + row)
        with Session(engine) as session:
            last = session.scalars(select(Answer).order_by(Answer.id.desc()).limit(1)).one()
            assert (last.outcome, last.verbatim) == ("answered", "at the fair")


@ON_SQLITE
def test_an_amount_that_does_not_fit_its_column_is_told_as_the_column_writes_it(engine: Engine) -> None:
    rows = "A;2026-01;1.234.567,00;EUR\nB;2026-02;12,50;EUR\nC;2026-03;1,234.56;EUR\nD;2026-04;viel;EUR\n"
    result = import_table(engine, "costs", "campaign;period;amount;currency\n" + rows)
    contradicts, words = (refusal.reason for refusal in result.refusals)
    assert (
        "is no amount where , stands before the decimals, as in this column; write it as 1234,50"
        in contradicts
    )
    assert "write digits such as 1234,50" in words
