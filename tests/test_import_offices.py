"""Tables as offices keep them: amounts in thousands, sums among the rows, cells over several rows."""

# ruff: noqa: E501 - rows of files are as long as they are

import io
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import xlsxwriter
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.cast import BOREALIS, CATALOGUE_NUMBER, COBALT
from tests.imports import LOCAL, ON_SQLITE, advertise, import_table, table
from tracking.errors import Invalid
from tracking.storage.models import Answer, Call, Cost, Deal, Touch, VisitCount
from tracking.storage.vocabulary import Stage


def spent(engine: Engine) -> list[tuple[str | None, str, int | None, str]]:
    """Return campaign, first day, minor units and currency of each cost."""
    with Session(engine) as session:
        rows = session.scalars(select(Cost).order_by(Cost.id)).all()
        return [
            (c.campaign and c.campaign.name, str(c.period_start), c.amount_minor, c.currency) for c in rows
        ]


def sold(engine: Engine) -> list[tuple[Stage, int | None, str]]:
    with Session(engine) as session:
        return [
            (d.stage, d.amount_minor, d.currency) for d in session.scalars(select(Deal).order_by(Deal.id))
        ]


def workbook(rows: Sequence[Sequence[Any]], *merged: tuple[int, int, int, int]) -> bytes:
    """Return a workbook of one sheet; of merged cells the first row and column, then the last ones."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for top, left, bottom, right in merged:
            sheet.merge_range(top, left, bottom, right, rows[top][left])
        for at, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                if cell is not None:
                    sheet.write(at, column, cell)
    return out.getvalue()


# Amounts


@ON_SQLITE
@pytest.mark.parametrize(
    ("head", "cell", "minor", "currency"),
    [
        ("Kosten (TEUR)", "34,56", 3_456_000, "EUR"), ("Kosten in T€", "1,5", 150_000, "EUR"),
        ("Kosten in Tausend Euro", "2", 200_000, "EUR"), ("Belopp (tkr)", "34,5", 3_450_000, "SEK"),
        ("Belopp MSEK", "1,28", 128_000_000, "SEK"), ("Сумма, тыс. руб.", "128,5", 12_850_000, "RUB"),
        ("Расход, млн руб. без НДС", "0,5", 50_000_000, "RUB"), ("费用（万元）", "12.8", 12_800_000, "CNY"),
        ("Amount in thousands", "1.5", 150_000, "EUR"), ("Amount ($000)", "2", 200_000, "USD"),
        ("Kosten", "3 TEUR", 300_000, "EUR"), ("Kosten", "1,2 Mio. €", 120_000_000, "EUR"),
        ("Расход, руб. с НДС", "500,50", 50_050, "RUB"), ("Kosten EUR netto", "7,50", 750, "EUR"),
        ("Belopp kr exkl. moms", "7,50", 750, "SEK"),
    ],
)  # fmt: skip
def test_what_amounts_count_is_said_by_their_column_or_beside_them(
    engine: Engine, head: str, cell: str, minor: int, currency: str
) -> None:
    # Crowns and dollars are of several countries: which, the installation says.
    dialect = replace(LOCAL, currency=currency if currency in ("SEK", "USD") else "EUR")
    result = import_table(engine, "costs", f"Kampagne;Monat;{head}\nMesse;2026-03;{cell}\n", dialect=dialect)
    assert (result.refusals, spent(engine)) == ([], [("Messe", "2026-03-01", minor, currency)])


@ON_SQLITE
@pytest.mark.parametrize("head", ["Belopp (kr)", "Belopp kr", "Belopp i tkr", "Belopp, $"])
def test_a_sign_of_several_currencies_above_is_none_of_another(engine: Engine, head: str) -> None:
    text = f"Kampanj;Månad;{head}\nMässa;2026-03;7\n"
    (refusal,) = import_table(engine, "costs", text).refusals
    assert "but the row is in EUR; add a currency column or use --currency" in refusal.reason
    told = replace(LOCAL, currency="USD" if "$" in head else "SEK")
    import_table(engine, "costs", text, dialect=told)
    assert [row[2:] for row in spent(engine)] == [(700_000 if "tkr" in head else 700, told.currency)]


@ON_SQLITE
def test_a_line_above_may_say_what_amounts_count_and_rates_by_the_hour_are_no_sums(engine: Engine) -> None:
    text = "Alle Angaben in TSEK\nKampagne;Monat;Kosten;Stunden;Stundensatz\nMesse;2026-03;1,5;;\nMesse;2026-04;;2;900\n"
    result = import_table(engine, "costs", text)
    assert "Kosten: amounts are multiplied by 1,000 (Alle Angaben in TSEK)" in result.notes
    assert [row[2:] for row in spent(engine)] == [(150_000, "SEK"), (180_000, "SEK")]


@ON_SQLITE
@pytest.mark.parametrize("head", ["Kosten 2026", "Kosten t", "Kosten k", "Kosten (netto)", "Kosten Messe"])
def test_a_word_that_is_no_unit_scales_nothing(engine: Engine, head: str) -> None:
    text = f"Kampagne;Monat;{head}\nMesse;2026-03;5,00\n"
    import_table(engine, "costs", text, columns=(f"amount={head}",))
    assert [row[2:] for row in spent(engine)] == [(500, "EUR")]


# Sums and rows of groups


@ON_SQLITE
@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        # The sum has a day of its own.
        ("2026-03-01;A;100\n2026-03-02;B;50\n2026-03-31;Summe;150\n", [10_000, 5000]),
        # One for each month, named and not.
        (
            "2026-03;A;100\n2026-03;B;50\n2026-03;Gesamt;150\n2026-04;A;70\n2026-04;Gesamt;70\n",
            [10_000, 5000, 7000],
        ),
        ("2026-03;A;100\n2026-03;B;50\n2026-03;;150\n2026-04;A;70\n", [10_000, 5000, 7000]),
        # A campaign that is called so.
        ("2026-03;A;100\n2026-03;Total;40\n", [10_000, 4000]),
    ],
)
def test_a_sum_among_dated_rows_is_told_by_what_it_comes_to(
    engine: Engine, rows: str, kept: list[int]
) -> None:
    result = import_table(engine, "costs", f"Datum;Kampagne;Betrag\n{rows}", columns=("period=Datum",))
    assert (result.refusals, [amount for *_, amount, _ in spent(engine)]) == ([], kept)
    assert len(result.passed_over) == rows.count("\n") - len(kept)


@ON_SQLITE
@pytest.mark.parametrize(
    "names", ["Personal;Monat;Kosten", "Gerät;Tag;Kosten;Klicks", "# ---\nMedium;Monat;Kosten"]
)
def test_a_second_table_below_is_left_out_and_names_that_come_again_are_no_row(
    engine: Engine, names: str
) -> None:
    head = "Kampagne;Monat;Kosten\n"
    rows = f"{head}A;2026-03;10\n{head}B;2026-03;20\n\n{names}\nMüller;2026-03;500\n"
    result = import_table(engine, "costs", rows)
    assert (result.refusals, [row[0] for row in spent(engine)]) == ([], ["A", "B"])
    line = 6 + names.count("\n")
    named = names.splitlines()[-1].replace(";", ", ")
    assert f"another table begins in line {line} and is skipped: {named}" in result.notes


@ON_SQLITE
def test_of_net_and_gross_none_is_chosen_unseen(engine: Engine) -> None:
    text = "Kampagne;Monat;Betrag brutto;Betrag netto\nA;2026-03;119,00;100,00\n"
    with pytest.raises(Invalid, match="no column for amount"):
        import_table(engine, "costs", text)
    import_table(engine, "costs", text, columns=("amount=Betrag netto",))
    assert [row[2:] for row in spent(engine)] == [(10_000, "EUR")]


@ON_SQLITE
def test_rows_without_a_campaign_are_counted_aloud(engine: Engine) -> None:
    rows = "A;2026-01;100\n;2026-02;110\n;2026-03;120\n"
    assert (
        "rows without a campaign, taken as overhead: 2"
        in import_table(engine, "costs", f"Kampagne;Monat;Kosten\n{rows}").notes
    )


@ON_SQLITE
def test_what_stands_over_several_rows_of_a_workbook_is_each_ones_and_an_amount_is_not(
    engine: Engine,
) -> None:
    head = ["Kampagne", "Monat", "Kosten"]
    rows = [
        head,
        ["A", "Januar 2026", 100],
        [None, "Februar 2026", 110],
        ["B", "März 2026", 50],
        ["C", None, None],
    ]
    result = import_table(engine, "costs", workbook(rows, (1, 0, 2, 0), (3, 1, 4, 1), (3, 2, 4, 2)))
    assert [(name, day, amount) for name, day, amount, _ in spent(engine)] == [
        ("A", "2026-01-01", 10_000), ("A", "2026-02-01", 11_000), ("B", "2026-03-01", 5000),
    ]  # fmt: skip
    assert [(refusal.line, refusal.column) for refusal in result.refusals] == [(5, "Kosten")]


def test_merged_cells_without_anything_in_them_fill_nothing() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        book.add_worksheet("cover").merge_range(0, 0, 2, 0, "")
        sheet = book.add_worksheet("costs")
        sheet.merge_range(1, 0, 2, 0, "")
        for at, row in enumerate(
            (["campaign", "day", "note"], ["A", "2026-03-02", "fair"], ["B", "2026-03-03"])
        ):
            sheet.write_row(at, 1, row)
    assert [row.cells for row in table(out.getvalue()).head()] == [
        ["campaign", "day", "note"], ["A", "2026-03-02", "fair"], ["B", "2026-03-03", ""],
    ]  # fmt: skip


@ON_SQLITE
def test_names_may_stand_in_two_lines(engine: Engine) -> None:
    rows = [
        ["Kampagne", "Zeitraum", None, "Kosten"],
        [None, "von", "bis", None],
        ["A", "2026-03-01", "2026-03-31", 100],
    ]
    import_table(engine, "costs", workbook(rows, (0, 0, 1, 0), (0, 1, 0, 2), (0, 3, 1, 3)))
    with Session(engine) as session:
        (cost,) = session.scalars(select(Cost)).all()
    assert (str(cost.period_start), str(cost.period_end), cost.amount_minor) == (
        "2026-03-01",
        "2026-04-01",
        10_000,
    )


def test_what_macos_puts_into_an_archive_is_no_table() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("costs.csv", "campaign,day,amount\nA,2026-03-02,1\n")
        archive.writestr("__MACOSX/._costs.csv", "\0")
    assert table(out.getvalue()).head(2)[1].cells == ["A", "2026-03-02", "1"]


# Systems in the languages of their users


CRMS = {
    "Pipedrive, German": "Deal - ID,Deal - Titel,Deal - Wert,Deal - Währung,Deal - Organisation,Deal - Status,Deal - Gewonnen am,Deal - Erstellt am,Person - Telefon\n1,Pumpe,1000,USD,Borealis,Gewonnen,2026-03-20 12:00:00,2026-01-12 10:00:00,070-174 06 40\n",
    "Salesforce, German": '"Accountname";"Opportunity-Name";"Phase";"Betrag (Währung)";"Betrag";"Schlusstermin"\n"Borealis";"Pumpe";"Geschlossene und gewonnene";"USD";"1.000,00";"20.03.2026"\n',
    "HubSpot, Swedish": '"Post-ID","Affärsnamn","Affärsfas","Belopp","Valuta","Avslutningsdatum","Ursprunglig trafikkälla","Associerat företag"\n"1","Pump","Avslutad vunnen","1000","USD","2026-03-20 12:00","Betald sökning","Borealis"\n',
    "Dynamics, Swedish": '(Ändra inte) Affärsmöjlighet,Ämne,Potentiell kund,Uppskattad intäkt,Faktiskt avslutsdatum,Faktisk intäkt,Valuta,Status\nx,Pump,Borealis,"2 000,00",2026-03-20,"1 000,00",USD,Vunnen\n',
    "Bitrix24, English": '"ID";"Stage";"Deal name";"Total";"Currency";"Company";"Created on";"End date";"Contact: Work phone"\n"1";"Deal won";"Pump";"1000.00";"US Dollar";"Borealis";"01/12/2026 10:04:11 am";"03/20/2026";"+46701740640"\n',
}  # fmt: skip


@ON_SQLITE
@pytest.mark.parametrize("system", CRMS)
def test_a_crms_export_is_read_in_the_language_of_its_users(engine: Engine, system: str) -> None:
    assert import_table(engine, "deals", CRMS[system]).refusals == []
    assert sold(engine) == [(Stage.won, 100_000, "USD")]
    with Session(engine) as session:
        (deal,) = session.scalars(select(Deal)).all()
        assert (deal.account.name, deal.closed_at and str(deal.closed_at.date())) == (
            "Borealis",
            "2026-03-20",
        )


@ON_SQLITE
def test_where_a_system_saw_the_buyer_is_a_touch_in_every_language(engine: Engine) -> None:
    import_table(engine, "deals", CRMS["HubSpot, Swedish"])
    with Session(engine) as session:
        assert session.scalars(select(Touch.channel)).all() == ["paid search"]
        assert session.scalars(select(Answer)).all() == []


@ON_SQLITE
def test_a_deal_in_several_rows_with_different_amounts_is_named(engine: Engine) -> None:
    rows = "7,won,100,A,2026-03-20\n7,won,120,A,2026-03-20\n8,won,5,A,2026-03-20\n8,won,5,A,2026-03-20\n"
    result = import_table(engine, "deals", f"deal_id,stage,amount,company,closed_at\n{rows}")
    assert (
        "deal IDs that are in several rows with different amounts, of which the last counts: 7"
        in result.notes
    )


@ON_SQLITE
def test_the_cost_that_ga4_reports_is_its_campaigns(engine: Engine) -> None:
    text = '# Start date: 20260301\n# End date: 20260331\nSession campaign,Ads clicks,Ads cost\npumps,10,"1,033.33"\n'
    import_table(engine, "costs", text)
    assert spent(engine) == [("pumps", "2026-03-01", 103_333, "EUR")]


@ON_SQLITE
def test_ga4_in_german_tells_channel_and_campaign(engine: Engine) -> None:
    text = (
        "Datum,Sitzung – Primäre Channelgruppe,Sitzung – Kampagne,Sitzungen\n20260303,Paid Search,pumps,5\n"
    )
    import_table(engine, "visits", text)
    with Session(engine) as session:
        (row,) = session.scalars(select(VisitCount)).all()
    assert (row.visits, row.channel, row.utm_campaign) == (5, "paid search", "pumps")


# Call logs


@ON_SQLITE
def test_a_column_called_type_says_the_direction_only_if_its_words_do(engine: Engine) -> None:
    advertise(engine)
    head = "Datum;Von;Nach;Dauer;Status;Art\n"
    out = f"02.03.2026 08:25;{COBALT};{BOREALIS};35;angenommen;ausgehend\n"
    came = f"02.03.2026 08:15;{BOREALIS};{CATALOGUE_NUMBER};155;angenommen;eingehend\n"
    assert dict(import_table(engine, "calls", head + came + out).skip_reasons) == {"outgoing call": 1}
    mobile = (head + came).replace("eingehend", "Mobil").replace("08:15", "09:15")
    assert import_table(engine, "calls", mobile).created == 1


@ON_SQLITE
@pytest.mark.parametrize("beside", ["direction", "note"])
def test_messages_and_faxes_among_calls_are_none(engine: Engine, beside: str) -> None:
    advertise(engine)
    head = f"id,source,target,type,created,{beside},status,duration\n"
    rows = "".join(
        f"{n},{BOREALIS},{CATALOGUE_NUMBER},{kind},2026-03-02T0{n}:00:00Z,INCOMING,PICKUP,9\n"
        for n, kind in enumerate(("CALL", "SMS", "FAX"))
    )
    result = import_table(engine, "calls", head + rows)
    assert (result.created, dict(result.skip_reasons)) == (1, {"message or fax, not a call": 2})
    with Session(engine) as session:
        assert session.scalars(select(Call.provider_call_id)).all() == ["0"]
