"""Where a customer comes from, as CRMs and call lists note it: answers and touches, not nothing."""

from datetime import date

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.cast import CATALOGUE_NUMBER, COBALT, DRIFT, moment
from tests.imports import ON_SQLITE, advertise, import_table
from tracking.keeping import erasure, people
from tracking.records import campaigns
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Answer, Call, Cost, Deal, Touch
from tracking.storage.vocabulary import CallStatus

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
        ("LeadSource", "Employee Referral", "referral"),
        ("Original Source", "Fair 2026", "Fair 2026"),
        ("Quelle", "Messe", "fair"),
        ("Leadquelle", "wlw", "directory"),
        ("Källa", "Katalog", "print"),
        ("Источник", "Рекомендация", "referral"),
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
        ("Original Traffic Source", "Organic Search", ("visit", "organic search")),
        ("Lead Source", "Web", ("form", "website")),
        ("Quelle", "Kontaktformular", ("form", "website")),
        ("Источник", "Веб-сайт", ("form", "website")),
        ("utm_campaign", "valves", ("visit", "other")),
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
    assert "does not fit this column, where , is the decimal mark; enter it as 1234,50" in contradicts
    assert "enter digits such as 1234,50" in words


# What further systems and firms write, how many calls of it come in, and how many of them nobody answered.
LOGS = {
    "Russian spreadsheet": (
        "Дата и время;Кто звонил;Куда звонил;Длительность разговора;Статус;Тип звонка\n"
        f"02.03.2026 09:15:10;{COBALT};{CATALOGUE_NUMBER};155;Отвечен;Входящий\n"
        f"02.03.2026 09:20:10;{CATALOGUE_NUMBER};{COBALT};60;Отвечен;Исходящий\n"
        f"02.03.2026 11:00;{COBALT};{CATALOGUE_NUMBER};0;Пропущен;Входящий\n",
        2,
        1,
    ),
    "Chinese exchange": (
        "通话时间,主叫号码,被叫号码,通话时长,状态,呼叫类型\n"
        f"2026/3/2 9:15,{COBALT},{CATALOGUE_NUMBER},155,已接听,呼入\n"
        f"2026/3/2 10:15,{CATALOGUE_NUMBER},{COBALT},60,已接听,呼出\n",
        1,
        0,
    ),
    "German exchange": (
        "Rufnummer;Zielrufnummer;Beginn;Dauer (Sek.);Gesprächsart;Verbindungsstatus\n"
        f"{COBALT};{CATALOGUE_NUMBER};02.03.2026 09:15:10;155;kommend;verbunden\n"
        f"{CATALOGUE_NUMBER};{COBALT};02.03.2026 10:15:10;155;gehend;verbunden\n"
        f"{COBALT};{CATALOGUE_NUMBER};02.03.2026 11:15:10;0;kommend;nicht verbunden\n",
        2,
        1,
    ),
    "contact centre": (
        "Conversation ID,Start Time,ANI,DNIS,Initial Direction,Talk Time (s),Disconnect Type\n"
        f"c1,2026-03-02T09:15:10Z,tel:{COBALT},tel:{CATALOGUE_NUMBER},inbound,155,peer\n"
        f"c2,2026-03-02T10:15:10Z,tel:{CATALOGUE_NUMBER},tel:{COBALT},outbound,60,client\n",
        1,
        0,
    ),
    "a direction that says missed": (
        f"ID,Datum,Richtung,Von,An,Dauer\n1,2026-03-02 09:15:10,MISSED_CALL,{COBALT},{CATALOGUE_NUMBER},0\n",
        1,
        1,
    ),
}


@ON_SQLITE
@pytest.mark.parametrize("source", LOGS)
def test_call_logs_of_further_systems_are_read_as_they_come(engine: Engine, source: str) -> None:
    advertise(engine)
    text, calls, missed = LOGS[source]
    result = import_table(engine, "calls", text)
    assert (result.refusals, result.created) == ([], calls)
    with Session(engine) as session:
        taken = session.scalars(select(Call)).all()
        assert {call.dialled for call in taken} == {CATALOGUE_NUMBER}
        assert [call.status for call in taken].count(CallStatus.missed) == missed


@ON_SQLITE
@pytest.mark.parametrize("head", ["Affärsnr", "Auftragsnr.", "Order no", "Номер сделки", "№ сделки"])
def test_the_id_of_a_deal_is_known_by_its_abbreviation(engine: Engine, head: str) -> None:
    result = import_table(engine, "deals", f"{head};Company;Stage;Amount\n7;Borealis;lead;5\n")
    assert result.notes == []
    with Session(engine) as session:
        assert session.scalars(select(Deal.external_id)).all() == ["7"]


@ON_SQLITE
def test_a_file_of_deals_without_ids_says_what_that_leads_to(engine: Engine) -> None:
    (note,) = import_table(engine, "deals", "Company;Stage;Amount\nBorealis;lead;5\n").notes
    assert "a row that changes counts as a new deal in the next file" in note


@ON_SQLITE
def test_the_days_above_the_names_tell_which_comes_first(engine: Engine) -> None:
    head = "Report Name: Campaign report\nReport Time: 3/1/2026 - 3/31/2026\n\n"
    rows = "Campaign name,Time period,Spend,Currency code\nPumps,3/2/2026,12.50,EUR\n"
    assert import_table(engine, "costs", head + rows).refusals == []
    with Session(engine) as session:
        assert session.scalars(select(Cost.period_start)).all() == [date(2026, 3, 2)]


@ON_SQLITE
def test_two_days_above_the_names_may_stand_on_either_side_of_a_comma(engine: Engine) -> None:
    head = '"Report Name: Campaign report"\n"Report Time: 3/1/2026,3/31/2026"\n\n'
    result = import_table(engine, "costs", head + "Campaign name,Spend,Currency code\nPumps,12.50,EUR\n")
    assert "the file covers 2026-03-01 to 2026-03-31" in result.notes


@ON_SQLITE
def test_linkedin_is_told_by_total_spent(engine: Engine) -> None:
    head = "Campaign Performance Report (in UTC)\n\nStart Date (in UTC),Campaign Name,Currency,Total Spent\n"
    for spent in ("12.50", "14.00"):
        result = import_table(engine, "costs", f"{head}03/02/2026,Pumps,EUR,{spent}\n")
        assert result.format == "LinkedIn Ads"
    with Session(engine) as session:
        assert session.scalars(select(Cost.amount_minor)).all() == [1400], "the day is restated"


@ON_SQLITE
def test_a_direction_that_stands_among_the_outcomes_is_read_as_one(engine: Engine) -> None:
    head = "Datum;Klockslag;Från;Till;Längd;Status;Tillfrågad;Hur hittade ni oss?\n"
    rows = (
        f"2026-03-02;09:00;{COBALT};{CATALOGUE_NUMBER};1:20;Besvarat;Ja;Mässan\n"
        f"2026-03-02;10:00;{COBALT};{CATALOGUE_NUMBER};0:50;Besvarat;Ja;\n"
        f"2026-03-02;11:00;{COBALT};{CATALOGUE_NUMBER};0:50;Besvarat;Nej;\n"
        f"2026-03-02;12:00;{CATALOGUE_NUMBER};{COBALT};0:30;Utgående;;\n"
    )
    advertise(engine)
    result = import_table(engine, "calls", head + rows)
    assert (result.created, result.refused) == (3, 0)
    assert dict(result.skip_reasons) == {"outgoing call": 1}
    with Session(engine) as session:
        said = session.execute(select(Answer.outcome, Answer.verbatim).order_by(Answer.asked_at)).all()
    assert said == [("answered", "Mässan"), ("unknown", None), ("not_asked", None)]


@ON_SQLITE
def test_figures_and_signs_may_be_written_twice_as_wide(engine: Engine) -> None:
    rows = '1,北方,赢单,"￥１，２３４．５０",CNY,２０２６年３月１日\n'
    result = import_table(engine, "deals", "商机编号,客户名称,阶段,金额,币种,成交日期\n" + rows)
    assert result.refusals == []
    with Session(engine) as session:
        assert session.scalars(select(Deal.amount_minor)).all() == [123_450]


def tagged(engine: Engine, name: str, **tags: str) -> None:
    with db.transaction(engine) as session:
        campaigns.add(session, name, "paid search", at=moment("2026-01-01"), **tags)


TAGGED = (
    "touch_id,account_id,occurred_at,kind,utm_source,utm_medium,utm_campaign,landing_page,referrer,gclid\n"
    "1,A-1,2026-05-01T08:00:00Z,visit,google,cpc,PUMPS 2026,,,\n"
    "2,A-1,2026-05-02T08:00:00Z,visit,,,,https://acme.example/p?utm_campaign=pumps%202026&gclid=Cj0,,\n"
    "3,A-1,2026-05-03T08:00:00Z,visit,google,cpc,valves,,,Cj1\n"
    "4,A-1,2026-05-04T08:00:00Z,visit,,,,https://acme.example/p,https://www.bing.com/,\n"
)


def test_touches_find_their_campaign_by_tags_and_keep_them_with_their_click_ids(engine: Engine) -> None:
    tagged(engine, "Pumps", utm_source="google", utm_medium="cpc", utm_campaign="pumps 2026")
    result = import_table(engine, "touches", TAGGED)
    assert (result.created, result.refusals, result.campaigns_created) == (4, [], [])
    assert "no campaign has the tags google / cpc / valves (rows: 1)." in " ".join(result.notes)
    with Session(engine) as session:
        rows = session.scalars(select(Touch).order_by(Touch.occurred_at)).all()
        assert [row.campaign.name if row.campaign else row.channel for row in rows] == [
            "Pumps",
            "Pumps",
            "paid search",
            "organic search",
        ]
        assert [row.click_ids for row in rows] == [None, {"gclid": "Cj0"}, {"gclid": "Cj1"}, None]
        assert (rows[1].landing_page, rows[2].utm_campaign) == ("acme.example/p", "valves")
    assert import_table(engine, "touches", TAGGED).skipped == 4


@ON_SQLITE
def test_tags_of_several_campaigns_are_told_and_choose_none(engine: Engine) -> None:
    for name in ("North", "South"):
        tagged(engine, name, utm_campaign="pumps 2026")
    result = import_table(engine, "touches", TAGGED)
    assert "fits several campaigns equally well, so none is chosen: North, South" in " ".join(result.notes)
    with Session(engine) as session:
        assert session.scalars(select(Touch.campaign_id).where(Touch.campaign_id.is_not(None))).all() == []


@ON_SQLITE
@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("https://acme.example/p,https", "http://[::1,https", "landing_page"),
        ("https://www.bing.com/", "http://[::1", "referrer"),
        ("Cj1", "C" * 501, "gclid"),
    ],
)
def test_what_is_no_address_and_no_click_id_is_refused_by_name(
    engine: Engine, old: str, new: str, column: str
) -> None:
    result = import_table(engine, "touches", TAGGED.replace(old, new))
    assert (result.created, [refusal.column for refusal in result.refusals]) == (3, [column])


@ON_SQLITE
@pytest.mark.parametrize(
    ("columns", "cells"),
    [
        ("utm_source;utm_medium;utm_campaign", "Google;CPC;Pumps%202026"),
        ("Lead Source", "utm_source=google&utm_medium=cpc&utm_campaign=pumps+2026"),
        ("Original Source", "https://acme.example/?utm_campaign=pumps%202026"),
        ("landing page", "https://acme.example/?utm_campaign=pumps%202026"),
    ],
)
def test_a_deals_source_that_holds_tags_is_a_visit_of_their_campaign(
    engine: Engine, columns: str, cells: str
) -> None:
    tagged(engine, "Pumps", utm_campaign="pumps 2026")
    text = f"deal_id;name;company;stage;amount;{columns};create date\n" + DEAL.format(id=1, cell=cells)
    for _ in range(2):
        assert import_table(engine, "deals", text).refusals == []
    assert told(engine) == ([], [("visit", "Pumps")])


@ON_SQLITE
def test_the_click_ids_of_a_person_who_is_taken_out_go_and_the_touch_stays(
    engine: Engine, settings: Settings
) -> None:
    text = (
        "touch_id,company,phone,occurred_at,kind,gclid\n"
        f"1,Borealis,{COBALT},2026-05-01T08:00:00Z,visit,Cj0\n2,Drift,{DRIFT},2026-05-01T08:00:00Z,visit,Cj1\n"
    )
    assert import_table(engine, "touches", text).refusals == []
    erasure.erase(
        engine,
        settings,
        lambda session: people.by_text(session, COBALT, "SE"),
        by="anna@acme.example",
        at=moment("2026-06-01"),
    )
    with Session(engine) as session:
        assert session.scalars(select(Touch.click_ids).order_by(Touch.id)).all() == [None, {"gclid": "Cj1"}]
