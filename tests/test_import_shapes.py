"""Tables as systems write them: what stands around the rows, how columns are written, what restates what."""

# ruff: noqa: E501 - rows of files are as long as they are

import io
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime

import pytest
import xlsxwriter
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.cast import moment
from tests.imports import LOCAL, ON_SQLITE, import_table, table
from tracking.errors import Invalid
from tracking.imports import nature, templates, values
from tracking.imports import workbook as books
from tracking.imports.costs import Costs
from tracking.imports.outcomes import Result
from tracking.imports.values import Dialect
from tracking.storage.models import Account, Answer, Campaign, Contact, ContactPoint, Cost, Deal, Touch
from tracking.storage.vocabulary import Stage, TouchKind

Spent = list[tuple[str, str, str, int, str]]


def spent(engine: Engine) -> Spent:
    """Return campaign, first day, first day after, minor units and currency of each cost."""
    with Session(engine) as session:
        rows = session.scalars(select(Cost).order_by(Cost.period_start, Cost.amount_minor)).all()
        return [
            (
                c.campaign.name if c.campaign else "",
                str(c.period_start),
                str(c.period_end),
                c.amount_minor,
                c.currency,
            )
            for c in rows
        ]


def sold(engine: Engine) -> list[tuple[str | None, Stage, int, str]]:
    with Session(engine) as session:
        rows = session.scalars(select(Deal).order_by(Deal.id)).all()
        return [(d.external_id, d.stage, d.amount_minor, d.currency) for d in rows]


def reasons(result: Result) -> list[tuple[int, str, str]]:
    return [(r.line, r.column, r.reason) for r in result.refusals]


# What stands around the rows


GOOGLE_DE = """Kampagnenbericht
1. März 2026 - 31. März 2026
Kampagnenstatus;Kampagne;Tag;Währungscode;Kosten;Impr.
Aktiviert;Pumpen;2026-03-02;EUR;"1.033,33";12.345
Aktiviert;Ventile;2026-03-03;EUR;0,50; --
Gesamt: Kampagnen;;;EUR;"1.033,83";12.345
Gesamt: Konto;;;EUR;"1.033,83";12.345
"""


@ON_SQLITE
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_lines_above_and_totals_below_are_passed_over_and_named(engine: Engine, encoding: str) -> None:
    result = import_table(engine, "costs", GOOGLE_DE.encode(encoding))
    assert (result.format, result.created, result.refusals) == ("Google Ads", 2, [])
    assert dict(result.skip_reasons) == {"total row": 2}
    assert [note for note in result.passed_over if "line 6" in note]
    assert spent(engine) == [
        ("Pumpen", "2026-03-02", "2026-03-03", 103_333, "EUR"),
        ("Ventile", "2026-03-03", "2026-03-04", 50, "EUR"),
    ]


@ON_SQLITE
def test_a_report_without_days_covers_what_the_lines_above_say(engine: Engine) -> None:
    text = 'Campaign report\n"March 1, 2026 - March 31, 2026"\nCampaign,Currency code,Cost\nPumps,EUR,"1,200.00"\n'
    import_table(engine, "costs", text)
    assert spent(engine) == [("Pumps", "2026-03-01", "2026-04-01", 120_000, "EUR")]


@ON_SQLITE
def test_a_campaign_may_be_called_like_a_sum(engine: Engine) -> None:
    rows = "Total care,2026-03-02,10\nSumma,2026-03-03,20\nTotal,,30\n"
    result = import_table(engine, "costs", f"campaign,day,amount\n{rows}")
    assert [name for name, *_ in spent(engine)] == ["Total care", "Summa"]
    assert dict(result.skip_reasons) == {"total row": 1}


@ON_SQLITE
def test_a_row_of_all_beside_its_parts_is_a_sum_and_one_without_them_a_cost(engine: Engine) -> None:
    rows = "Pumps,18-44,2026-03-02,10\nPumps,45+,2026-03-02,20\nPumps,All,2026-03-02,30\n"
    rows += "Valves,All,2026-03-02,7\nPumps,Alle,2026-03-03,5\nTotal,,,42\n"
    result = import_table(engine, "costs", f"campaign,age,day,amount\n{rows}")
    assert dict(result.skip_reasons) == {"total row": 2}
    assert sorted(amount for *_, amount, _ in spent(engine)) == [500, 700, 1000, 2000]


@ON_SQLITE
def test_a_company_may_be_called_like_a_sum(engine: Engine) -> None:
    text = "Företag;Fas;Belopp;Avslutsdatum\nSumma Fastigheter;Offert;100;\nSumma;;100;\n"
    assert dict(import_table(engine, "deals", text).skip_reasons) == {"total row": 1}
    assert len(sold(engine)) == 1


@ON_SQLITE
def test_a_sum_without_a_name_is_told_by_what_it_comes_to_and_overhead_is_not(engine: Engine) -> None:
    rows = ",2026-03-02,30\nPumps,2026-03-02,10\nValves,2026-03-02,20\n,2026-03-05,7\n"
    result = import_table(engine, "costs", f"campaign,day,amount\n{rows}")
    assert dict(result.skip_reasons) == {"total row": 1}
    assert sorted(amount for *_, amount, _ in spent(engine)) == [700, 1000, 2000]


@ON_SQLITE
def test_a_footer_is_told_and_a_short_row_among_others_is_refused(engine: Engine) -> None:
    text = (
        '"Opportunity Name","Account Name","Stage","Amount","Close Date"\n'
        '"Feed pumps","Borealis Foods","Closed Won","1000","2026-05-20"\n'
        '"only one"\n'
        '"Rig","Cobalt","Closed Won","10","2026-05-21"\n'
        "\n"
        '"Grand Totals (2 records)","","","1010",""\n'
        '"Confidential Information - Do Not Distribute"\n'
    )
    result = import_table(engine, "deals", text)
    assert (result.created, result.skipped) == (2, 2)
    assert [(line, "1 columns but the header has" in reason) for line, _, reason in reasons(result)] == [
        (3, True)
    ]


@ON_SQLITE
def test_a_separator_that_is_told_beats_what_the_lines_look_like(engine: Engine) -> None:
    import_table(engine, "costs", "sep=;\ncampaign;day;amount\nA, B, C, D;2026-03-02;10,50\n")
    assert spent(engine) == [("A, B, C, D", "2026-03-02", "2026-03-03", 1050, "EUR")]


def test_the_line_of_the_names_can_be_told() -> None:
    text = "x,y,z\n1,2,3\nwer,was,wann\na,b,c\n"
    assert table(text).header_line == 1
    told = table(text, header=3)  # type: ignore[arg-type]
    assert [row.cells for row in told.rows()] == [["wer", "was", "wann"], ["a", "b", "c"]]


@ON_SQLITE
def test_a_name_may_have_a_line_break_in_it(engine: Engine) -> None:
    import_table(engine, "costs", 'Liste\nKampagne;Tag;"Kosten\n(netto) EUR"\nMesse;02.03.2026;10,50\n')
    assert spent(engine) == [("Messe", "2026-03-02", "2026-03-03", 1050, "EUR")]


@ON_SQLITE
def test_two_columns_of_one_name_are_refused_unless_one_is_told(engine: Engine) -> None:
    text = "campaign,day,cost,Cost\nPumps,2026-03-02,300,310\n"
    with pytest.raises(Invalid, match=r'two columns cost; .* --map amount="cost \(1\)"'):
        import_table(engine, "costs", text)
    import_table(engine, "costs", text, columns=["amount=Cost (2)"])
    assert spent(engine)[0][3] == 31_000


@ON_SQLITE
def test_a_row_in_another_encoding_is_read_by_its_own(engine: Engine) -> None:
    text = "Kampanj;Dag;Kostnad\nÅhlens;2026-03-02;10\n".encode("cp1252") + "Åhlens;2026-03-03;20\n".encode()
    import_table(engine, "costs", text)
    assert {name for name, *_ in spent(engine)} == {"Åhlens"}


@ON_SQLITE
@pytest.mark.parametrize("hidden", ["\u200b", "\u00ad", "\u200e", "\ufeff", "\u2060", "\u00a0"])
def test_what_cannot_be_seen_makes_no_second_campaign(engine: Engine, hidden: str) -> None:
    import_table(
        engine,
        "costs",
        f"campaign,day,amount\nFair 2026,2026-03-02,1\nFair{hidden} 2026{hidden},2026-03-03,2\n",
    )
    with Session(engine) as session:
        assert session.scalars(select(Campaign.name)).all() == ["Fair 2026"]


# Whole columns


def amounts_of(
    engine: Engine, cells: list[str], header: str = "campaign;day;amount"
) -> tuple[list[int], list[str]]:
    rows = "".join(f"Pumps;2026-03-{place + 2:02};{cell}\n" for place, cell in enumerate(cells))
    result = import_table(engine, "costs", f"{header}\n{rows}")
    return [amount for *_, amount, _ in spent(engine)], [refusal.value for refusal in result.refusals]


@ON_SQLITE
@pytest.mark.parametrize(
    ("cells", "read", "refused"),
    [
        (["118.02", "12.345", "7.5"], [750, 11_802], ["12.345"]),
        (["1.033,34", "12.345", "7"], [700, 103_334, 1_234_500], []),
        (["1 200,50", "3,10", "4.5"], [310, 120_050], ["4.5"]),
        (["1.234.567,00", "12.345"], [1_234_500, 123_456_700], []),
        (["1,234", "2,500"], [123_400, 250_000], []),
        (["12.345", "67.890"], [], ["12.345", "67.890"]),
        (["-10", "-20", "-30"], [1000, 2000, 3000], []),
        (["10", "-20", "30"], [1000, 3000], ["-20"]),
        (["1'234.50", "5:-", "12,50-"], [500, 123_450], ["12,50-"]),
    ],
)
def test_a_column_of_amounts_is_read_as_a_whole(
    engine: Engine, cells: list[str], read: list[int], refused: list[str]
) -> None:
    found, left = amounts_of(engine, cells)
    assert (sorted(found), left) == (read, refused)


@ON_SQLITE
def test_a_doubtful_mark_is_settled_by_the_language_of_the_names_or_by_being_told(engine: Engine) -> None:
    assert amounts_of(engine, ["12.345"], "Kampagne;Tag;Kosten") == ([1_234_500], [])
    result = import_table(engine, "costs", "campaign,day,amount\nRig,2026-03-02,12.345\n")
    assert "use --decimal , or --decimal ." in result.refusals[0].reason
    told = import_table(
        engine,
        "costs",
        "campaign,day,amount\nRig,2026-03-02,12.345\n",
        dialect=Dialect(LOCAL.zone, "EUR", decimal=","),
    )
    assert told.created == 1


@pytest.mark.parametrize(
    ("cell", "currency", "minor"),
    [
        ("1 234:-", "SEK", 123_400), ("1 234,56 zł", "PLN", 123_456), ("₹1,23,456.00", "INR", 12_345_600),
        ("US$1,234.00", "USD", 123_400), ("1 234,56 kr", "NOK", 123_456), ("1234.56元", "CNY", 123_456),
        ("CHF 1’234.50", "CHF", 123_450), ("10 000,00 р.", "RUB", 1_000_000), ("\u200e1 234,50 €", "EUR", 123_450),
        ('="12,50"', "EUR", 1250), ("--", "EUR", None), ("n/a", "EUR", None), ("(12.50)", "EUR", -1250),
    ],
)  # fmt: skip
def test_signs_beside_amounts_are_known(cell: str, currency: str, minor: int | None) -> None:
    assert values.amount(cell, "amount", currency, LOCAL) == minor


@ON_SQLITE
def test_the_currency_comes_from_a_column_its_name_or_the_amount(engine: Engine) -> None:
    import_table(engine, "costs", "campaign;day;Amount spent (SEK)\nA;2026-03-02;10,00\n")
    import_table(engine, "costs", "campaign;day;amount;currency\nB;2026-03-03;10,00;Euro\n")
    import_table(engine, "costs", "campaign;day;amount\nC;2026-03-04;PLN 10,00\n")
    import_table(engine, "costs", "Кампания;Дата;Расход (руб.);Показы\nD;05.03.2026;10,00;7\n")
    assert [code for *_, code in spent(engine)] == ["SEK", "EUR", "PLN", "RUB"]


# Days, months and moments


@pytest.mark.parametrize(
    "cell",
    [
        "2026/3/4", "2026年3月4日", "2026.03.04.", "Mar 4, 2026", "04-Mar-26", "04.03.26", "4.3.2026", "20260304",
        "4 mars 2026", "4. März 2026", "4 марта 2026 г.", "Wed 4 Mar 2026", "1772582400", "1772582400000",
        "Wed, 04 Mar 2026 00:00:00 +0000", "2026-03-04 00:30 UTC", "2026年3月4日 上午9时5分", "20260304093000",
        "2026-03-03 24:00", "04.03.2026 09:30 MEZ", "2026-03-04 09:30 MSK",
    ],
)  # fmt: skip
def test_a_day_is_read_as_people_write_it(cell: str) -> None:
    assert values.day(cell, "day", LOCAL) == date(2026, 3, 4)


@ON_SQLITE
def test_day_first_or_month_first_is_the_columns(engine: Engine) -> None:
    head = "campaign,day,amount\n"
    first = import_table(
        engine, "costs", f"{head}A,25/03/2026,1\nA,03/04/2026,2\nA,03/25/2026,3\nA,26/03/2026,4\n"
    )
    assert [start for _, start, *_ in spent(engine)] == ["2026-03-25", "2026-03-26", "2026-04-03"]
    assert reasons(first)[0][:2] == (4, "day")
    assert "swapped compared with the rest of the column" in reasons(first)[0][2]
    asked = import_table(engine, "costs", f"{head}A,03/04/2026,4\n")
    assert "use --dates dmy or --dates mdy" in asked.refusals[0].reason
    swedish = import_table(engine, "costs", "Kampanj;Dag;Kostnad\nB;03/04/2026;5\n")
    assert swedish.created == 1, "the names are Swedish, and so are the days"


@ON_SQLITE
def test_a_spreadsheets_count_of_days_is_named_and_read_once_it_is_told(engine: Engine) -> None:
    text = "campaign,day,amount\nA,46085,1\n"
    assert "2026-03-04" in import_table(engine, "costs", text).refusals[0].reason
    import_table(engine, "costs", text, dialect=Dialect(LOCAL.zone, "EUR", serials=True))
    assert spent(engine)[0][1] == "2026-03-04"


@ON_SQLITE
@pytest.mark.parametrize(
    ("name", "cells", "periods"),
    [
        ("Month", ["2026-03-01"], ["2026-03-01 2026-04-01"]),
        ("Monat", ["01.03.2026"], ["2026-03-01 2026-04-01"]),
        ("date", ["2026-01-01", "2026-02-01", "2026-03-01"], [f"2026-0{m}-01 2026-0{m + 1}-01" for m in (1, 2, 3)]),
        ("date", ["2026-01-01", "2026-02-01"], []),
        ("Tag", ["01.01.2026", "01.02.2026", "01.03.2026"], [f"2026-0{m}-01 2026-0{m}-02" for m in (1, 2, 3)]),
        ("Week", ["2026-03-02"], ["2026-03-02 2026-03-09"]),
        ("date", ["2026-03-02", "2026-03-09", "2026-03-16"], ["2026-03-02 2026-03-09", "2026-03-09 2026-03-16", "2026-03-16 2026-03-23"]),
        ("Quarter", ["2026-04-01"], ["2026-04-01 2026-07-01"]),
        ("period", ["März 2026", "Q2 2026", "2026-W10"], ["2026-03-01 2026-04-01", "2026-03-02 2026-03-09", "2026-04-01 2026-07-01"]),
        ("Период", ["01.03.2026 - 15.03.2026"], ["2026-03-01 2026-03-16"]),
    ],
)  # fmt: skip
def test_what_a_day_stands_for_is_told_by_its_column_or_its_spacing(
    engine: Engine, name: str, cells: list[str], periods: list[str]
) -> None:
    rows = "".join(f"A;{cell};{place + 1}\n" for place, cell in enumerate(cells))
    result = import_table(engine, "costs", f"campaign;{name};amount\n{rows}")
    assert [f"{start} {end}" for _, start, end, *_ in spent(engine)] == periods
    if not periods:
        assert "use --period day or --period month" in result.refusals[0].reason


@ON_SQLITE
def test_a_time_of_day_may_have_a_column_of_its_own(engine: Engine) -> None:
    dialect = LOCAL
    import_table(
        engine, "touches", "Datum;Uhrzeit;Firma;Art\n04.03.2026;14:05;Borealis Foods;Messe\n", dialect=dialect
    )
    with Session(engine) as session:
        (touch,) = session.scalars(select(Touch)).all()
        assert (touch.occurred_at, touch.kind) == (moment("2026-03-04 13:05"), TouchKind.event)


# What restates what


@ON_SQLITE
def test_a_restated_day_of_an_advertising_system_replaces_and_breakdowns_add_up(engine: Engine) -> None:
    head = "Day,Campaign,Currency code,Cost\n"
    import_table(engine, "costs", f"{head}2026-03-01,Search,EUR,100.00\n2026-03-02,Search,EUR,40.00\n")
    again = import_table(engine, "costs", f"{head}2026-03-02,Search,EUR,60.00\n2026-03-02,Search,EUR,35.00\n")
    assert (again.created, again.updated, again.skipped) == (0, 1, 1)
    assert any("replaces earlier costs from Google Ads" in note for note in again.notes)
    assert sum(amount for *_, amount, _ in spent(engine)) == 19_500


@ON_SQLITE
def test_a_month_over_days_that_are_known_would_count_twice_and_is_refused(engine: Engine) -> None:
    import_table(engine, "costs", "Day,Campaign,Currency code,Cost\n2026-03-02,Search,EUR,40.00\n")
    month = import_table(engine, "costs", "Month,Campaign,Currency code,Cost\n2026-03-01,Search,EUR,900.00\n")
    assert (month.created, month.refused) == (0, 1)
    assert "2026-03-02 to 2026-03-02 of this campaign is already stored" in month.refusals[0].reason


@ON_SQLITE
def test_a_report_of_no_known_system_does_not_count_a_campaign_twice(engine: Engine) -> None:
    import_table(engine, "costs", "Day,Campaign,Currency code,Cost\n2026-03-02,Search,EUR,40.00\n")
    again = import_table(engine, "costs", "Day,Campaign,Clicks,Cost\n2026-03-02,Search,7,40.00\n")
    assert (again.format, again.refused) == ("advertising report", 1)


@ON_SQLITE
def test_rows_of_one_cost_are_taken_together_or_not_at_all(engine: Engine) -> None:
    head = "Day,Campaign,Ad group,Currency code,Cost\n"
    result = import_table(
        engine, "costs", f"{head}2026-03-02,Search,A,EUR,10.00\n2026-03-02,Search,B,EUR,much\n"
    )
    assert (result.created, result.refused, spent(engine)) == (0, 2, [])


@ON_SQLITE
def test_equal_rows_of_ones_own_list_stay_as_many_as_they_are(engine: Engine) -> None:
    import_table(engine, "costs", "campaign,day,amount\nPrint,2026-03-02,10\nPrint,2026-03-02,10\n")
    assert len(spent(engine)) == 2


@ON_SQLITE
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("0065g00000AAAbC", "0065g00000AAAbCAAX"),
        ("9001", "9001.0"),
        ("VC-17", " vc-17 "),
        ("9001", '="9001"'),
    ],
)
def test_an_id_written_otherwise_is_the_same_deal(engine: Engine, first: str, second: str) -> None:
    head = "deal_id;stage;amount;company;closed_at\n"
    import_table(engine, "deals", f"{head}{first};won;100;Borealis Foods;2026-03-20\n")
    again = import_table(engine, "deals", f"{head}{second};won;110;Borealis Foods;2026-03-20\n")
    assert (again.created, again.updated) == (0, 1)
    assert [(d, amount) for d, _, amount, _ in sold(engine)] == [(first, 11_000)]


@ON_SQLITE
def test_salesforces_ids_differ_by_capitals(engine: Engine) -> None:
    head = "deal_id;stage;amount;company\n"
    import_table(engine, "deals", f"{head}0065g00000AAAbC;lead;1;Borealis\n0065g00000AAAbc;lead;2;Cobalt\n")
    assert [amount for *_, amount, _ in sold(engine)] == [100, 200]


@ON_SQLITE
def test_an_id_that_lost_its_digits_is_refused(engine: Engine) -> None:
    result = import_table(engine, "deals", "deal_id,stage,amount,company\n9.1E+09,lead,1,Borealis\n")
    assert "last digits lost" in result.refusals[0].reason


@ON_SQLITE
def test_an_empty_cell_keeps_what_is_stored(engine: Engine) -> None:
    head = "deal_id,name,stage,amount,currency,company,closed_at\n"
    import_table(engine, "deals", f"{head}7,Pump,opportunity,900,SEK,Borealis Foods,\n")
    import_table(engine, "deals", f"{head}7,,won,,,,2026-05-01\n")
    assert sold(engine) == [("7", Stage.won, 90_000, "SEK")]
    unnamed = import_table(
        engine,
        "deals",
        "deal_id,stage,amount,company\n7,won,950,Borealis Foods\n".replace(
            "company\n", "company,closed_at\n"
        ).replace("Foods\n", "Foods,2026-05-01\n"),
    )
    assert "the deal is in SEK" in unnamed.refusals[0].reason


# Telephone numbers in deals


def numbers_of(engine: Engine, cell: str) -> tuple[set[str], list[str]]:
    quoted = cell.replace('"', '""')
    result = import_table(
        engine, "deals", f'deal_id,stage,amount,company,phone\n1,lead,1,Borealis,"{quoted}"\n'
    )
    with Session(engine) as session:
        points = session.scalars(
            select(ContactPoint).join(Contact).join(Account).where(Account.name == "Borealis")
        ).all()
        found = {point.value for point in points if point.kind == "phone"}
    return found, [refusal.reason for refusal in result.refusals]


@ON_SQLITE
@pytest.mark.parametrize(
    "cell",
    ["'+46701740640", '"John Doe"<0701740640>', '="0701740640"', "46701740640.0", "46701740640", "0701740640 (mobile)", "Tel: 070-174 06 40", "Anna (070-174 06 40)"],
)  # fmt: skip
def test_a_number_is_read_behind_what_stands_around_it(engine: Engine, cell: str) -> None:
    assert numbers_of(engine, cell) == ({"+46701740640"}, [])


@ON_SQLITE
def test_two_numbers_in_a_cell_are_both_the_companys(engine: Engine) -> None:
    assert numbers_of(engine, "0701740640; 0701740641")[0] == {"+46701740640", "+46701740641"}


@ON_SQLITE
@pytest.mark.parametrize(("cell", "reason"), [("4.67017E+10", "last digits lost"), ("see notes", "is not a phone number"), ("0701740640 / 41", "'41' is not a phone number")])  # fmt: skip
def test_a_number_that_cannot_be_read_is_told(engine: Engine, cell: str, reason: str) -> None:
    found, refused = numbers_of(engine, cell)
    assert (found, len(refused)) == (set(), 1)
    assert reason in refused[0]


@ON_SQLITE
@pytest.mark.parametrize("cell", ["9999999999", "5555555555", "n/a", "-", ""])
def test_a_placeholder_is_nobodys_number(engine: Engine, cell: str) -> None:
    assert numbers_of(engine, cell) == (set(), [])


# Systems and languages


CRMS = {
    "HubSpot deals": (
        '"Record ID","Deal Name","Deal Stage","Amount","Currency","Close Date","Create Date","Associated Company (Primary)",'
        '"How did you hear about us","Original Source"\n'
        '"1","Pump","Closed Won (Sales Pipeline)","1000","EUR","2026-03-20 12:00","2026-03-10 12:00","Borealis",'
        '"From a colleague","Paid Search"\n'
    ),
    "Pipedrive deals": (
        "Deal - ID,Deal - Title,Deal - Value,Deal - Currency of value,Deal - Organization,Deal - Stage,Deal - Status,"
        "Deal - Won time,Deal - Expected close date,Deal - Deal created\n"
        "1,Pump,1000,EUR,Borealis,Negotiations Started,Won,2026-03-20 12:00:00,2026-09-01,2026-03-10 12:00:00\n"
    ),
    "Zoho deals": (
        "Record Id,Deal Name,Account Name,Amount,Stage,Closing Date,Created Time\n"
        'zcrm_1,Pump,Borealis,"EUR 1,000.00",Closed Won,2026-03-20,2026-03-10 12:00:00\n'
    ),
    "Dynamics 365 opportunities": (
        "(Do Not Modify) Opportunity,Topic,Potential Customer,Est. Revenue,Actual Close Date,Actual Revenue,Currency,Status,"
        "Pipeline Phase,Created On\n"
        'x-1,Pump,Borealis,"2,000.00",3/20/2026,"1,000.00",Euro,Won,4-Close,3/10/2026 12:00 PM\n'
    ),
    "Bitrix24 deals": (
        '"ID";"Стадия сделки";"Название сделки";"Сумма";"Валюта";"Компания";"Дата создания";"Дата завершения"\n'
        '"1";"Сделка успешна";"Насос";"1 000,00 руб.";"RUB";"Borealis";"10.03.2026 12:00:00";"20.03.2026"\n'
    ),
    "amoCRM deals": (
        "ID;Название сделки;Компания;Этап сделки;Бюджет ₽;Дата создания сделки;Дата закрытия;Рабочий телефон (контакт)\n"
        "1;Насос;Borealis;Успешно реализовано;1000;10.03.2026 12:00:00;20.03.2026 12:00:00;'+46701740605\n"
    ),
}  # fmt: skip


@ON_SQLITE
@pytest.mark.parametrize("system", CRMS)
def test_a_crms_export_is_read_as_it_comes(engine: Engine, system: str) -> None:
    result = import_table(engine, "deals", CRMS[system])
    assert (result.format, result.created, result.refusals) == (system, 1, [])
    ((_, stage, amount, _),) = sold(engine)
    assert (stage, amount) == (Stage.won, 100_000)
    with Session(engine) as session:
        (deal,) = session.scalars(select(Deal)).all()
        assert deal.closed_at is not None
        assert (deal.closed_at.date(), deal.account.name) == (date(2026, 3, 20), "Borealis")


@ON_SQLITE
def test_what_hubspot_knows_of_the_source_becomes_an_answer_and_a_touch(engine: Engine) -> None:
    for _ in range(2):
        import_table(engine, "deals", CRMS["HubSpot deals"])
    with Session(engine) as session:
        (answer,) = session.scalars(select(Answer)).all()
        (touch,) = session.scalars(select(Touch)).all()
        assert answer.verbatim == "From a colleague"
        assert (touch.kind, touch.channel) == (TouchKind.visit, "paid search")
        assert touch.occurred_at == moment("2026-03-10 11:00")


ADS = {
    "Google Ads": "Kampanjrapport\n1 mars 2026 - 31 mars 2026\nKampanjstatus,Kampanj,Dag,Valutakod,Kostnad\nAktiverad,Pumpar,2026-03-02,EUR,\"1 033,33\"\n",
    "Meta Ads": "Berichtsstart;Berichtsende;Kampagnenname;Tag;Ausgegebener Betrag (EUR)\n2026-03-01;2026-03-31;;;1033,33\n2026-03-02;2026-03-02;Pumpar;2026-03-02;1033,33\n",
    "Microsoft Ads": '"Report Name: Campaign"\n"Report Time: 3/1/2026 - 3/31/2026"\n\nGregorian date,Campaign name,Currency code,Spend\n3/2/2026,Pumpar,EUR,1033.33\n3/13/2026,Ventiler,EUR,0.00\n"©2026 Microsoft Corporation. All rights reserved. "\n',
    "LinkedIn Ads": "Campaign Performance Report (in UTC)\nReport Start: March 2, 2026\n\nStart Date (in UTC)\tCampaign Group Name\tCampaign Name\tCurrency\tTotal Spent\n03/02/2026\tAll\tPumpar\tEUR\t1033.33\n03/13/2026\tAll\tVentiler\tEUR\t0\n",
    "Yandex Direct": "Отчет за период\n01.03.2026 - 31.03.2026\nЛогин: x\nВсе кампании\nДата;Кампания;№ Кампании;Показы;Расход (EUR)\n02.03.2026;Pumpar;100;1000;1033,33\nИтого;;;1000;1033,33\n",
    "Baidu": "日期,推广计划,展现,点击,消费 (EUR)\n2026-03-02,Pumpar,100,3,\"1,033.33\"\n合计,,100,3,\"1,033.33\"\n",
}  # fmt: skip


@ON_SQLITE
@pytest.mark.parametrize("system", ADS)
def test_an_advertising_systems_export_is_read_as_it_comes(engine: Engine, system: str) -> None:
    result = import_table(engine, "costs", ADS[system])
    assert (result.format, result.refusals) == (system, [])
    assert [row for row in spent(engine) if row[3]] == [
        ("Pumpar", "2026-03-02", "2026-03-03", 103_333, "EUR")
    ]


LANGUAGES = {
    "sv": "Affärsnummer;Kund;Fas;Belopp;Avslutsdatum\n1;Borealis;Vunnen;1 000,00;2026-03-20\n",
    "de": "Vorgangsnummer;Firma;Phase;Auftragswert;Abschlussdatum\n1;Borealis;Gewonnen;1.000,00;20.03.2026\n",
    "ru": "Номер сделки;Клиент;Этап;Сумма;Дата закрытия\n1;Borealis;Выиграна;1 000,00;20.03.2026\n",
    "zh": '商机编号,客户名称,销售阶段,金额,成交日期\n1,Borealis,赢单,"1,000.00",2026年3月20日\n',
}


@ON_SQLITE
@pytest.mark.parametrize("language", LANGUAGES)
def test_names_and_words_are_known_in_other_languages(engine: Engine, language: str) -> None:
    assert import_table(engine, "deals", LANGUAGES[language]).refusals == []
    assert sold(engine) == [("1", Stage.won, 100_000, "EUR")]


@ON_SQLITE
def test_a_column_without_a_known_name_is_guessed_from_its_cells_and_said_so(engine: Engine) -> None:
    text = 'deal_id,company,stage,Zusage\n1,Borealis,lead,"1,250.50"\n2,Cobalt,lead,"900.00"\n'
    result = import_table(engine, "deals", text)
    assert [amount for *_, amount, _ in sold(engine)] == [125_050, 90_000]
    assert "Zusage: 2 of the first 2 cells are amounts" in result.notes


@ON_SQLITE
def test_sums_of_visits_are_named_as_what_they_are(engine: Engine) -> None:
    text = "# ---\n# Traffic\n# ---\nSession primary channel group (Default Channel Group),Sessions,Total revenue\nPaid Search,4,0\n"
    with pytest.raises(Invalid, match="It looks like totals of web visits"):
        import_table(engine, "costs", text)


# Workbooks


def workbook(fill: Callable[[xlsxwriter.Workbook], None]) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    fill(book)
    book.close()
    return out.getvalue()


@ON_SQLITE
def test_a_workbook_is_read_by_the_types_of_its_cells(engine: Engine) -> None:
    def fill(book: xlsxwriter.Workbook) -> None:
        book.add_worksheet("Leer")
        sheet = book.add_worksheet("Kosten")
        day = book.add_format({"num_format": "dd.mm.yyyy"})
        sheet.write_row(1, 0, ["Kosten im März"])
        sheet.write_row(3, 0, ["Kampagne", "Tag", "Kosten"])
        sheet.write(4, 0, "Messe")
        sheet.write_datetime(4, 1, datetime(2026, 3, 4), day)  # noqa: DTZ001 - a cell names no zone
        sheet.write(4, 2, 12345.5)
        sheet.write(5, 0, "Gesamt")
        sheet.write(5, 2, 12345.5)

    result = import_table(engine, "costs", workbook(fill))
    assert spent(engine) == [("Messe", "2026-03-04", "2026-03-05", 1_234_550, "EUR")]
    assert (result.refusals, dict(result.skip_reasons)) == ([], {"total row": 1})


@ON_SQLITE
def test_figures_of_a_workbook_have_one_reading(engine: Engine) -> None:
    def fill(book: xlsxwriter.Workbook) -> None:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["deal_id", "stage", "amount", "company", "phone"])
        sheet.write_row(1, 0, [9001, "lead", 1234.5, "Borealis", 46701740640])
        sheet.write_row(2, 0, [9002, "lead", 12.345, "Cobalt", ""])

    result = import_table(engine, "deals", workbook(fill))
    assert sold(engine) == [("9001", Stage.lead, 123_450, "EUR")]
    assert [(line, "too many decimals" in reason) for line, _, reason in reasons(result)] == [(3, True)]


def test_a_sheet_can_be_chosen_and_one_that_is_not_there_is_named() -> None:
    def fill(book: xlsxwriter.Workbook) -> None:
        for name in ("Januar", "Februar"):
            book.add_worksheet(name).write_row(0, 0, ["campaign", name])
            book.get_worksheet_by_name(name).write_row(1, 0, ["A", 1])

    content = workbook(fill)
    assert table(content).sheets == ("Januar", "Februar")
    assert table(content, sheet="Februar").head(1)[0].cells == ["campaign", "Februar"]
    with pytest.raises(Invalid, match="no sheet 'März'; sheets: Januar, Februar"):
        table(content, sheet="März")


def test_a_workbook_made_to_fill_the_memory_is_refused() -> None:
    def fill(book: xlsxwriter.Workbook) -> None:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "campaign")
        sheet.write(1_048_575, 16_383, "far away")

    with pytest.raises(Invalid, match="too large for a workbook"):
        table(workbook(fill))


def test_an_archive_of_one_table_is_read_and_of_several_is_not() -> None:
    def packed(*names: str) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name in names:
                archive.writestr(name, "campaign,day,amount\nA,2026-03-02,1\n")
        return out.getvalue()

    assert table(packed("costs.csv", "readme.md")).head(2)[1].cells == ["A", "2026-03-02", "1"]
    with pytest.raises(Invalid, match="an archive of 2 files"):
        table(packed("a.csv", "b.csv"))


def test_a_web_page_that_calls_itself_a_workbook_is_read() -> None:
    page = "<html><table><tr><th>campaign</th><th>day</th><th>amount</th></tr><tr><td>A</td><td>2026-03-02</td><td>1</td></tr></table>"
    assert [row.cells for row in table(page, "deals.xls").rows()][1] == ["A", "2026-03-02", "1"]


@ON_SQLITE
@pytest.mark.parametrize("language", templates.LANGUAGES)
@pytest.mark.parametrize("kind", ["deals", "costs", "touches", "calls"])
def test_a_template_is_understood_when_it_comes_back(engine: Engine, kind: str, language: str) -> None:
    rows = [row.cells for row in table(templates.workbook(kind, language)).rows()]
    assert len(rows) == 1
    header = ",".join(f'"{name}"' for name in rows[0])
    result = import_table(engine, kind, f"{header}\n")
    assert result.rows == 0


# Text made to take long


@pytest.mark.parametrize("text", ["1" * 60_000, "1 " * 30_000, "€" * 60_000, "1.1," * 15_000, "(" * 60_000, " " * 60_000 + "x", "a," * 30_000])  # fmt: skip
def test_long_text_is_refused_in_linear_time(text: str) -> None:
    program = (
        "import sys; from tracking.imports import values as v; from zoneinfo import ZoneInfo\n"
        "d = v.Dialect(ZoneInfo('UTC'), 'EUR'); text = sys.stdin.read()\n"
        "for read in (lambda: v.amount(text, 'f', 'EUR', d), lambda: v.moment(text, 'f', d), lambda: v.interval(text, 'f', d),\n"
        "             lambda: v.telephones(text, 'f', 'SE'), lambda: v.identifier(text, 'f'), lambda: v.currency(text)):\n"
        "    try: read()\n"
        "    except v.Invalid: pass\n"
    )
    # A reading that backtracks takes hours here.
    subprocess.run([sys.executable, "-c", program], input=text, text=True, timeout=60, check=True)


@ON_SQLITE
def test_a_week_is_one_in_a_column_of_weeks_also_as_11_2026(engine: Engine) -> None:
    import_table(engine, "costs", "Kampagne;KW;Kosten\nA;KW 10 2026;100\nB;11/2026;120\nC;2026-12;10\n")
    assert [(start, end) for _, start, end, *_ in spent(engine)] == [
        ("2026-03-02", "2026-03-09"),
        ("2026-03-09", "2026-03-16"),
        ("2026-03-16", "2026-03-23"),
    ]


@ON_SQLITE
def test_what_a_platform_takes_back_reduces_its_day_and_no_day_is_below_zero(engine: Engine) -> None:
    rows = "A,2026-03-02,EUR,100,1\nA,2026-03-02,EUR,-20,0\nB,2026-03-02,EUR,-20,0\n"
    result = import_table(engine, "costs", f"Campaign,Day,Currency code,Cost,Clicks\n{rows}")
    assert [row[3] for row in spent(engine)] == [8000]
    assert [(line, column) for line, column, _ in reasons(result)] == [(4, "Cost")]


def test_a_table_with_a_column_for_each_month_is_told_as_such() -> None:
    text = "Kampagne;Jan 2026;Feb 2026;März 2026\nKatalog;100;200;300\n"
    with pytest.raises(Invalid, match="a table with a column for each month, such as Jan 2026"):
        Costs(table(text), LOCAL)


@ON_SQLITE
@pytest.mark.parametrize(
    ("text", "heard"),
    [
        (
            "Opportunity-Name;Accountname;Phase;Betrag;Schlusstermin;Erstelldatum;Opportunity-ID\n"
            "Pumpe;Borealis;Abgeschlossen und gewonnen;1.000,50;20.03.2026;01.03.2026;k1\n"
            "Gesamtsumme (1 Datensatz);;;1.000,50;;;\n",
            0,
        ),
        (
            "Datensatz-ID,Dealname,Deal-Phase,Betrag,Abschlussdatum,Zugehöriges Unternehmen (Primary),"
            "Wie haben Sie von uns erfahren?\n"
            "k1,Pumpe,Abgeschlossen und gewonnen (Vertrieb),1000.50,2026-03-20 09:00,Borealis,Messe\n",
            1,
        ),
        (
            "(Ändra inte) Affärsmöjlighet,Ämne,Potentiell kund,Beräknad intäkt,Faktiskt slutdatum,"
            "Faktisk intäkt,Valuta,Status\n"
            'k1,Pump,Borealis,"9 000,00",2026-03-20,"1 000,50",Euro,Vunnen\n',
            0,
        ),
    ],
)
def test_the_same_systems_are_read_in_the_language_of_their_users(
    text: str, heard: int, engine: Engine
) -> None:
    result = import_table(engine, "deals", text)
    assert (result.created, result.refusals) == (1, [])
    assert sold(engine) == [("k1", Stage.won, 100_050, "EUR")]
    with Session(engine) as session:
        assert len(session.scalars(select(Answer)).all()) == heard


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_whatever_is_wrong_with_an_archive_is_said_in_words(method: int) -> None:
    out, chance = io.BytesIO(), random.Random(1)
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("calls.csv", "campaign,day,amount\n" * 50)
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet" * 9)
    for _ in range(300):
        content = bytearray(out.getvalue())
        for place in chance.sample(range(4, len(content)), 3):
            content[place] = chance.randrange(256)
        with suppress(Invalid):
            nature.refuse_no_table(io.BytesIO(content), "a.zip")
        with suppress(Invalid):
            books._packed(io.BytesIO(content), "a.zip", "")


def test_an_archive_of_a_million_names_is_refused_before_they_are_read() -> None:
    with pytest.raises(Invalid, match="damaged or locked"):
        books._packed(io.BytesIO(b"PK\x03\x04" + b"PK\x01\x02" * 10_001), "a.zip", "")


def test_of_a_sheet_no_more_is_written_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """One text that thousands of cells share is small in the file."""
    monkeypatch.setattr(books, "LARGEST", 1000)
    out = io.StringIO()
    books._write([["x" * 90]] * 10, 0, out)
    with pytest.raises(SystemExit):
        books._write([["x"]] * 10, 200, out)


def test_an_archive_may_hold_one_workbook() -> None:
    book, out = io.BytesIO(), io.BytesIO()
    with xlsxwriter.Workbook(book, {"in_memory": True}) as made:
        made.add_worksheet().write_row(0, 0, ["campaign", "amount"])
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("export.xlsx", book.getvalue())
    assert table(out.getvalue(), "export.zip").head(1)[0].cells == ["campaign", "amount"]
