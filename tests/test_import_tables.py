"""Deals, costs and touches: columns guessed or told, amounts to the cent, the same file twice."""

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, joinedload

from tests.cast import moment
from tests.imports import DATA, ON_SQLITE, import_table
from tracking.errors import Invalid
from tracking.records import campaigns
from tracking.storage import db
from tracking.storage.models import Campaign, Cost, Deal, Touch
from tracking.storage.vocabulary import Stage, TouchKind

HUBSPOT = DATA / "crm" / "hubspot_deals.csv"
SALESFORCE = DATA / "crm" / "salesforce_opportunities.csv"


def deals_of(engine: Engine) -> list[Deal]:
    with Session(engine, expire_on_commit=False) as session:
        return list(session.scalars(select(Deal).options(joinedload(Deal.account)).order_by(Deal.id)))


def costs_of(engine: Engine) -> list[Cost]:
    with Session(engine, expire_on_commit=False) as session:
        return list(session.scalars(select(Cost).options(joinedload(Cost.campaign)).order_by(Cost.id)))


def test_hubspots_deals_need_no_mapping_but_for_stages_of_ones_own(engine: Engine) -> None:
    first = import_table(engine, "deals", HUBSPOT)
    assert (first.format, first.created, first.refused) == ("HubSpot deals", 3, 1)
    refusal = first.refusals[0]
    assert (refusal.line, refusal.column, refusal.value) == (5, "Deal Stage", "Budgetfreigabe")
    assert refusal.reason == (
        "unknown value; use one of: lead, lost, opportunity, qualified, won, or map it: --stage "
        '"Budgetfreigabe=opportunity"'
    )
    again = import_table(engine, "deals", HUBSPOT, stages=["Budgetfreigabe=opportunity"])
    assert (again.created, again.updated, again.skipped, again.refused) == (1, 0, 3, 0)
    won, open_, lost, own = deals_of(engine)
    assert (won.external_id, won.name, won.stage) == ("701", "Feed pumps", Stage.won)
    assert (won.amount_minor, won.currency) == (4_800_000, "EUR")
    assert won.closed_at == moment("2026-05-20 12:00")
    assert won.opportunity_at == moment("2026-03-01 08:30")
    assert (won.account.name, won.account.external_id) == ("Borealis Foods", "501")
    assert lost.account_id == won.account_id
    assert (open_.stage, open_.closed_at) == (Stage.opportunity, None), "the close date is but a hope"
    assert (lost.stage, lost.amount_minor) == (Stage.lost, None), "nobody wrote what it was worth"
    assert own.stage is Stage.opportunity


@ON_SQLITE
def test_a_column_of_dates_tells_by_one_of_them_that_months_come_first(engine: Engine) -> None:
    # 5/20/2026 can be read in one way only, and 3/1/2026 then is the first of March.
    result = import_table(engine, "deals", SALESFORCE)
    assert (result.format, result.created, result.refusals) == ("Salesforce opportunities", 4, [])
    assert "Created Date: the month comes first, as other dates show" in result.notes
    won, *_, valves = deals_of(engine)
    assert (won.amount_minor, won.opportunity_at) == (4_800_000, moment("2026-03-01 22:59:59"))
    assert won.closed_at == moment("2026-05-20 21:59:59"), "a day without a time is over"
    assert (valves.amount_minor, valves.currency, valves.stage) == (120_000, "USD", Stage.lead)


def test_a_deal_that_moves_on_is_brought_up_to_date(engine: Engine) -> None:
    text = "deal_id,stage,amount,company,closed_at\n7,opportunity,900,Borealis Foods,\n"
    import_table(engine, "deals", text)
    moved = text.replace("opportunity,900,Borealis Foods,", "won,950,Borealis Foods,2026-05-01")
    assert import_table(engine, "deals", moved).updated == 1
    (deal,) = deals_of(engine)
    assert (deal.stage, deal.amount_minor) == (Stage.won, 95_000)


@ON_SQLITE
def test_columns_can_be_told_by_flags_or_a_file(engine: Engine, tmp_path: Path) -> None:
    text = "Wer;Wieviel;Was;Wann\nBorealis Foods;1.234,50;Fertig;01.04.2026\n"
    with pytest.raises(Invalid, match="no column for stage"):
        import_table(engine, "deals", text)
    columns = ["company=Wer", "amount=Wieviel", "stage=Was", "closed_at=Wann"]
    told = import_table(engine, "deals", text, columns=columns, stages=["Fertig=won"])
    assert (told.created, told.refused) == (1, 0)
    path = tmp_path / "mapping.yaml"
    path.write_text(
        "columns:\n  company: Wer\n  amount: Wieviel\n  stage: Was\n  closed_at: Wann\n"
        "stages:\n  Fertig: won\n"
    )
    assert import_table(engine, "deals", text, mapping=str(path)).skipped == 1
    (deal,) = deals_of(engine)
    assert deal.amount_minor == 123_450
    with pytest.raises(Invalid, match="unknown field 'sum'; fields: deal_id, name, stage"):
        import_table(engine, "deals", text, columns=["sum=Wieviel"])
    with pytest.raises(Invalid, match="no column 'Summe'; columns: Wer, Wieviel, Was"):
        import_table(engine, "deals", text, columns=["amount=Summe"])
    with pytest.raises(Invalid, match=r"--map 'amount' is not in the form name=value"):
        import_table(engine, "deals", text, columns=["amount"])
    path.write_text("column: {}")
    with pytest.raises(Invalid, match="unknown key 'column'; use columns and stages"):
        import_table(engine, "deals", text, mapping=str(path))


@ON_SQLITE
@pytest.mark.parametrize("name", ["Close Date", "Closed on", "Won on", "closed_at"])
def test_the_day_of_a_deal_is_found_under_the_names_that_people_give_it(engine: Engine, name: str) -> None:
    text = f"Company,Deal ID,Deal stage,Amount,{name}\nBorealis Foods,d1,won,1200,2026-03-04\n"
    assert import_table(engine, "deals", text).created == 1
    (deal,) = deals_of(engine)
    assert deal.closed_at == moment("2026-03-04 22:59:59"), "the end of that day in Stockholm"


@ON_SQLITE
@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ("1,won,,Borealis,2026-05-01,EUR", "amount", "enter the value of this won deal"),
        ("1,won,12.345.6,Borealis,2026-05-01,EUR", "amount", "enter it as 1234,50"),
        ("1,won,12,Borealis,,EUR", "closed_at", "enter the close date"),
        ("1,won,12,,2026-05-01,EUR", "company", "this deal has no company"),
        ("1,won,12,Borealis,2026-05-01,XXY", "currency", "is not a currency code"),
        ("1,won,12,Borealis,2026-02-30,EUR", "closed_at", "not a valid date"),
        ("1,won,12,Borealis", "row", "4 columns but the header has 6"),
    ],
)
def test_a_bad_deal_names_its_column(engine: Engine, row: str, column: str, reason: str) -> None:
    text = f"deal_id,stage,amount,company,closed_at,currency\n2,lead,5,Cobalt Mining,,EUR\n{row}\n"
    result = import_table(engine, "deals", text)
    assert (result.created, result.refused) == (1, 1)
    assert (result.refusals[0].line, result.refusals[0].column) == (3, column)
    assert reason in result.refusals[0].reason


@ON_SQLITE
@pytest.mark.parametrize(
    ("kind", "text", "columns"),
    [
        ("deals", "Deal stage,Amount,Company,Phone,Close date\ngone,lots,Borealis,07x,soon\n",
         ["Deal stage", "Amount", "Close date", "Phone"]),
        ("costs", "Campaign,Period,Amount,Hours\nFair,someday,lots,many\n", ["Period", "Amount", "Hours"]),
        ("touches", "Company,Occurred at,Kind\nBorealis,soon,dance\n", ["Occurred at", "Kind"]),
        ("visits", "Day,Source,Visits\nsoon,google,many\n", ["Visits", "Day"]),
        ("calls", "Started at,Caller,Dialled,Talk time (s),Status\n"
         "soon,+442079460001,+46701740605,long,vanished\n",
         ["Talk time (s)", "Started at", "Status"]),
    ],
)  # fmt: skip
def test_all_that_is_wrong_with_a_row_is_said_at_once(
    engine: Engine, kind: str, text: str, columns: list[str]
) -> None:
    [refusal] = import_table(engine, kind, text).refusals
    assert [fault.column for fault in refusal.faults] == columns


def test_costs_of_the_worked_fair_add_up(engine: Engine) -> None:
    file = DATA / "worked_237_86" / "costs.csv"
    result = import_table(engine, "costs", file)
    assert (result.encoding, result.separator) == ("cp1252", ";")
    assert (result.created, result.refusals) == (4, [])
    assert result.campaigns_created == ["Pump fair 2026"]
    costs = costs_of(engine)
    assert sum(cost.amount_minor for cost in costs) == 2_575_000
    assert [cost.direct for cost in costs] == [True, True, True, False]
    assert (costs[3].minutes, costs[3].hourly_rate_minor, costs[3].amount_minor) == (6000, 5000, 500_000)
    assert (costs[0].period_start, costs[0].period_end) == (date(2026, 4, 20), date(2026, 4, 25))
    assert (costs[0].note, costs[1].note) == ("Stand, 24 m²", "Messebau Müller")
    assert costs[0].campaign is not None
    assert (costs[0].campaign.name, costs[0].campaign.channel) == ("Pump fair 2026", "fair")
    assert import_table(engine, "costs", file).skipped == 4


def test_equal_costs_without_an_id_are_as_many_as_the_file_says(engine: Engine) -> None:
    text = "campaign,day,amount\n" + "Search,2026-03-01,10\n" * 3
    assert import_table(engine, "costs", text).created == 3
    assert import_table(engine, "costs", text).skipped == 3
    assert import_table(engine, "costs", text + "Search,2026-03-01,10\n").created == 1
    assert len(costs_of(engine)) == 4


@ON_SQLITE
@pytest.mark.parametrize(
    ("header", "cells", "start", "end"),
    [
        ("from,to", "2026-01-01,2026-01-31", "2026-01-01", "2026-02-01"),
        ("period_start,last_day", "2026-01-01,2026-01-31", "2026-01-01", "2026-02-01"),
        ("period_start,period_end", "2026-01-01,2026-02-01", "2026-01-01", "2026-02-01"),
        ("period_start,period_end", "2026-01-01,", "2026-01-01", "2026-01-02"),
        ("Date,x", "2026-01-01/2026-01-31,", "2026-01-01", "2026-02-01"),
        ("day,x", "2026-01-31,", "2026-01-31", "2026-02-01"),
        ("month,x", "2026-12,", "2026-12-01", "2027-01-01"),
        ("period,x", "2026,", "2026-01-01", "2027-01-01"),
    ],
)
def test_a_period_can_be_written_in_many_ways(
    engine: Engine, header: str, cells: str, start: str, end: str
) -> None:
    result = import_table(engine, "costs", f"campaign,amount,{header}\nSearch,10,{cells}\n")
    assert result.refusals == []
    (cost,) = costs_of(engine)
    assert (str(cost.period_start), str(cost.period_end)) == (start, end)


@ON_SQLITE
@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ("Search,2026-01-01,2026-01-01,,10,,", "period_end", "name the column last_day"),
        ("Search,2026-01-02,,2026-01-01,10,,", "last_day", "before the first day, 2026-01-02"),
        ("Search,2026-01-01,,,-10,,", "amount", "reduce the original cost to record a refund"),
        ("Search,2026-01-01,,,,5,", "hourly_rate", "enter both hours and rate"),
        ("Search,2026-01-01,,,,,", "amount", "enter an amount, or hours"),
        ("Search,2026-01-01,,,10 pieces,,", "amount", "'pieces' is not a currency"),
        ("Search,tomorrow,,,10,,", "period_start", "not a valid date"),
    ],
)
def test_a_bad_cost_names_its_column(engine: Engine, row: str, column: str, reason: str) -> None:
    text = f"campaign,period_start,period_end,last_day,amount,hours,hourly_rate\n{row}\n"
    result = import_table(engine, "costs", text)
    assert (result.created, result.refused) == (0, 1)
    assert result.refusals[0].column == column
    assert reason in result.refusals[0].reason


@ON_SQLITE
def test_the_spending_file_of_an_advertising_system_needs_no_mapping(engine: Engine) -> None:
    header = "Date,Expenses,Currency,UTMSource,UTMCampaign,UTMMedium\n"
    text = header + "2026-01-18/2026-02-18,1200.50,EUR,x,Pumps,cpc\n"
    result = import_table(engine, "costs", text)
    assert (result.created, result.campaigns_created) == (1, ["Pumps"])
    (cost,) = costs_of(engine)
    assert cost.amount_minor == 120_050
    assert cost.campaign is not None
    assert cost.campaign.channel == "cpc"


def test_overhead_belongs_to_no_campaign(engine: Engine) -> None:
    import_table(engine, "costs", "campaign,month,amount,category\n,2026-01,300,software\n")
    (cost,) = costs_of(engine)
    assert (cost.campaign, cost.direct, cost.category) == (None, False, "software")


TOUCHES = """touch_id,account_id,contact_id,occurred_at,campaign,channel,kind,company,email
1,A-1,,2026-04-20T10:00:00+02:00,Fair 2026,fair,event,Borealis Foods,
2,A-1,C-1,2026-05-01T08:00:00Z,,search,visit,,buyer@borealis.example
3,,,2026-05-02T08:00:00Z,Newsletter,email,form,,buyer@borealis.example
"""


def test_touches_come_in_the_columns_of_the_journey_tables(engine: Engine) -> None:
    result = import_table(engine, "touches", TOUCHES)
    assert (result.created, result.refusals) == (3, [])
    assert result.campaigns_created == ["Fair 2026", "Newsletter"]
    with Session(engine) as session:
        fair, visit, form = session.scalars(select(Touch).order_by(Touch.occurred_at))
        assert (fair.kind, fair.occurred_at) == (TouchKind.event, moment("2026-04-20 08:00"))
        assert (visit.campaign, visit.channel) == (None, "search")
        assert form.contact_id == visit.contact_id, "known by the same address"
        assert {t.contact.account.name for t in (fair, visit, form)} == {"Borealis Foods"}
        assert session.scalars(select(Campaign.channel).order_by(Campaign.name)).all() == ["fair", "email"]
    assert import_table(engine, "touches", TOUCHES).skipped == 3


@ON_SQLITE
@pytest.mark.parametrize(
    ("old", "new", "column", "reason"),
    [
        ("2026-04-20T10:00:00+02:00", "2026-04-20 10:00", "occurred_at", "or use --timezone"),
        (",event,", ",dream,", "kind", "use one of: answer, call, event, form, message, other, visit"),
        ("1,A-1,,", "1,,,", "account_id", ""),
    ],
)
def test_a_bad_touch_names_its_column(engine: Engine, old: str, new: str, column: str, reason: str) -> None:
    text = TOUCHES.replace(old, new, 1).replace("Borealis Foods", "" if column == "account_id" else "B")
    result = import_table(engine, "touches", text)
    assert (result.created, result.refused) == (2, 1)
    assert (result.refusals[0].line, result.refusals[0].column) == (2, column)
    assert reason in result.refusals[0].reason


@ON_SQLITE
def test_a_refused_row_leaves_no_campaign_behind(engine: Engine) -> None:
    rows = "Old,2026-03,1\nNew,2026-03,--\nnew,2026-04,\nBoth,2026-03,\nBoth,2026-04,5\n"
    result = import_table(engine, "costs", f"campaign,period,amount\n{rows}")
    with Session(engine) as session:
        names = session.scalars(select(Campaign.name)).all()
    assert (result.refused, sorted(result.campaigns_created)) == (3, ["Both", "Old"])
    assert sorted(names) == ["Both", "Old"]


@ON_SQLITE
def test_costs_that_name_a_campaign_by_its_utm_tag_are_its_costs(engine: Engine) -> None:
    with db.transaction(engine) as session:
        campaigns.add(session, "Pumps", "paid search", at=moment("2026-01-01"), utm_campaign="pumps-2026")
    text = "Date,Cost,Currency,UTMCampaign\n2026-01-18,12.50,EUR,PUMPS-2026\n2026-01-18,1.00,EUR,other\n"
    result = import_table(engine, "costs", text)
    assert (result.created, result.campaigns_created) == (2, ["other"])
    assert [cost.campaign.name for cost in costs_of(engine) if cost.campaign] == ["Pumps", "other"]
