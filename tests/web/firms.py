"""Three firms' workbooks of deals, costs and calls, as their Excel writes them."""

# ruff: noqa: E501 - rows of files are as long as they are

import io
from collections.abc import Sequence
from datetime import date, time, timedelta
from typing import Any

import xlsxwriter

DAY = date(2026, 3, 20)
# Of each firm its deals, costs and calls, as its Excel writes them: words and forms of its own, days as
# days or as text, a title above, a sum below, an offer without an amount, calls that went out.
FIRMS = {
    "de": (
        [["Aufträge, Stand 31.03.2026"], ["Auftragsnr.", "Kunde", "Telefon", "Phase", "Auftragswert (EUR)", "Auftragsdatum"], ["A-1", "Borealis", "070-174 06 40", "Auftrag erhalten", 1000.5, DAY], ["A-2", "Cobalt", "070-174 06 41", "Angebot", None, None], ["A-3", "Drift", "", "Verloren", 50, DAY], ["Summe", "", "", "", 1050.5, None]],
        [["Kampagne", "Monat", "Kosten"], ["Katalog", "Februar 2026", 400.25], ["Katalog", "März 2026", 100], ["Messe", "März 2026", 200], ["Gesamt", "", 700.25]],
        [["Anrufliste Zentrale, März 2026"], ["erstellt am 01.04.2026"], [], ["Datum", "Uhrzeit", "Anrufer", "Gewählte\nRufnummer", "Gesprächsdauer", "Status", "Richtung"], [date(2026, 3, 2), time(9), 46701740640, "0701740605", timedelta(minutes=2), "angenommen", "eingehend"], [date(2026, 3, 3), time(9), "0701740605", 46701740640, timedelta(minutes=1), "angenommen", "ausgehend"], [date(2026, 3, 4), time(9), 46701740641, "0701740605", timedelta(0), "verpasst", "eingehend"], ["Summe", "", "", "", timedelta(minutes=3)]],
    ),
    "sv": (
        [["Ordernummer", "Kund", "Telefon", "Status", "Ordersumma (EUR)", "Orderdatum"], [1, "Borealis", "070-174 06 40", "Vunnen", 1000.5, DAY], [2, "Cobalt", "070-174 06 41", "Offert", None, None], [3, "Drift", "", "Förlorad", None, DAY], ["Totalt", "", "", "", 1000.5, None]],
        [["Reklam 2026"], [], ["Kampanj", "Månad", "Kostnad"], ["Katalog", "februari 2026", 400.25], ["Katalog", "mars 2026", 100], ["Mässa", "mars 2026", 200], ["Summa", "", 700.25]],
        [["Datum", "Tid", "Uppringande", "Uppringt nummer", "Samtalstid", "Status", "Riktning"], [date(2026, 3, 2), "09:00", "0701740640", "0701740605", "2:00", "besvarat", "inkommande"], [date(2026, 3, 3), "09:00", "0701740605", "0701740640", "1:00", "besvarat", "utgående"], [date(2026, 3, 4), "09:00", "0701740641", "0701740605", "0:00", "missat", "inkommande"]],
    ),
    "ru": (
        [["Номер сделки", "Клиент", "Телефон", "Этап", "Сумма (EUR)", "Дата закрытия"], [1, "Borealis", "+46 70 174 06 40", "Успешно реализовано", "1 000,50", "20.03.2026"], [2, "Cobalt", "+46 70 174 06 41", "Переговоры", "", ""], [3, "Drift", "", "Проиграна", "50,00", "20.03.2026"], ["Итого", "", "", "", "1 050,50", ""]],
        [["Кампания", "Месяц", "Расход"], ["Katalog", "февраль 2026", "400,25"], ["Katalog", "март 2026", "100,00"], ["Выставка", "март 2026", "200,00"], ["Всего", "", "700,25"]],
        [["Дата", "Время", "Номер абонента", "Набранный номер", "Длительность разговора", "Статус", "Тип звонка"], ["02.03.2026", "09:00", "+46701740640", "+46701740605", "2:00", "отвечен", "входящий"], ["03.03.2026", "09:00", "+46701740605", "+46701740640", "1:00", "отвечен", "исходящий"], ["04.03.2026", "09:00", "+46701740641", "+46701740605", "0:00", "пропущен", "входящий"]],
    ),
}  # fmt: skip
TAKEN = (3, 3, 2)
"""Deals, monthly costs and calls that come in."""


def workbook(rows: Sequence[Sequence[Any]]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "default_date_format": "dd.mm.yyyy"}) as book:
        book.add_worksheet("Info").write(0, 0, "Acme Pumps")
        sheet = book.add_worksheet("2026")
        shown = {kind: book.add_format({"num_format": form}) for kind, form in _SHOWN.items()}
        for place, cells in enumerate(rows):
            if len(cells) == 1:
                # A title over the whole table.
                sheet.merge_range(place, 0, place, 6, cells[0])
            for column, cell in enumerate(cells if len(cells) > 1 else ()):
                sheet.write(place, column, cell, shown.get(type(cell)))
        sheet.freeze_panes(1, 0)
    return out.getvalue()


_SHOWN = {time: "hh:mm", timedelta: "[h]:mm:ss", float: "#,##0.00", int: "0"}
