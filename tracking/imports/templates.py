"""Workbooks to fill in: the names of the columns in a language, and a sheet that says what goes into them."""

import io
from collections.abc import Mapping

from tracking.imports import words

# What each kind of workbook asks for, in the order in which people know it.
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "deals": (
        "deal_id",
        "name",
        "company",
        "person",
        "phone",
        "email",
        "stage",
        "amount",
        "currency",
        "margin",
        "opportunity_at",
        "closed_at",
        "heard_from",
    ),
    "costs": (
        "cost_id",
        "campaign",
        "channel",
        "period_start",
        "last_day",
        "amount",
        "currency",
        "category",
        "note",
    ),
    "calls": (
        "call_id",
        "started_at",
        "caller",
        "dialled",
        "status",
        "talk_s",
        "caller_name",
        "note",
        "heard_from",
    ),
    "touches": (
        "touch_id",
        "occurred_at",
        "kind",
        "campaign",
        "channel",
        "company",
        "person",
        "phone",
        "email",
    ),
    "visits": ("period", "channel", "campaign", "utm_source", "utm_medium", "utm_campaign", "visits"),
    "answers": ("call_id", "heard_from", "asked_by"),
}
KINDS = tuple(_FIELDS)
LANGUAGES = words.LANGUAGES
_EXAMPLES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    # field: an example, and the rule in each language
    "deal_id": ("D-1001", {
        "en": "Its number in your system; the same number again changes the deal.",
        "sv": "Affärens nummer hos er; samma nummer igen ändrar affären.",
        "de": "Ihre Nummer; dieselbe Nummer noch einmal ändert den Vorgang.",
        "ru": "Номер в вашей системе; тот же номер ещё раз изменит сделку.",
        "zh": "贵司系统中的编号；再次出现同一编号即更新该商机。",
    }),
    "stage": ("won", {
        "en": "lead, qualified, opportunity, won or lost.",
        "sv": "lead, kvalificerad, offert, vunnen eller förlorad.",
        "de": "Lead, qualifiziert, Angebot, gewonnen oder verloren.",
        "ru": "лид, квалификация, КП, выиграна или проиграна.",
        "zh": "线索、需求确认、报价、赢单或输单。",
    }),
    "amount": ("1234.50", {
        "en": "A figure; a won deal and a cost need one.",
        "sv": "En siffra; en vunnen affär och en kostnad måste ha en.",
        "de": "Eine Zahl; ein gewonnener Vorgang und Kosten brauchen eine.",
        "ru": "Число; обязательно для выигранной сделки и для расхода.",
        "zh": "数字；赢单和费用必须填写。",
    }),
    "currency": ("EUR", {
        "en": "Three letters; empty: that of the installation.",
        "sv": "Tre bokstäver; tomt: installationens valuta.",
        "de": "Drei Buchstaben; leer: die der Installation.",
        "ru": "Три буквы; пусто — валюта системы.",
        "zh": "三个字母；留空则用系统货币。",
    }),
    "phone": ("+46701740605", {
        "en": "With + and country code; it joins the company to its calls.",
        "sv": "Med + och landsnummer; det kopplar företaget till dess samtal.",
        "de": "Mit + und Landesvorwahl; sie verbindet die Firma mit ihren Anrufen.",
        "ru": "С + и кодом страны; связывает компанию с её звонками.",
        "zh": "含 + 和国家代码；用于把公司与其来电对应起来。",
    }),
    "closed_at": ("2026-03-20", {
        "en": "The day it was won or lost; open deals need none.",
        "sv": "Dagen då affären vanns eller förlorades; öppna affärer behöver ingen.",
        "de": "Der Tag, an dem gewonnen oder verloren wurde; offene brauchen keinen.",
        "ru": "День, когда сделка выиграна или проиграна; для открытых не нужен.",
        "zh": "赢单或输单的日期；进行中的无需填写。",
    }),
    "period_start": ("2026-03-01", {
        "en": "The first day the cost covers.",
        "sv": "Första dagen som kostnaden gäller.",
        "de": "Der erste Tag, für den die Kosten gelten.",
        "ru": "Первый день, к которому относится расход.",
        "zh": "费用所覆盖的第一天。",
    }),
    "last_day": ("2026-03-31", {
        "en": "The last day the cost covers, itself included.",
        "sv": "Sista dagen som kostnaden gäller, den medräknad.",
        "de": "Der letzte Tag, für den die Kosten gelten, einschließlich.",
        "ru": "Последний день, включительно.",
        "zh": "费用所覆盖的最后一天（含当天）。",
    }),
    "heard_from": ("…", {
        "en": "The caller's answer to “Where did you hear about us?”, word for word.",
        "sv": "Svaret på ”Var hörde du om oss?”, ordagrant.",
        "de": "Die Antwort auf „Wie sind Sie auf uns aufmerksam geworden?“, wörtlich.",
        "ru": "Ответ на вопрос «Откуда вы о нас узнали?», дословно.",
        "zh": "客户对“您从哪里了解到我们？”的原话回答。",
    }),
    "dialled": ("+46701740606", {
        "en": "Your number that was called.",
        "sv": "Ert nummer som ringdes upp.",
        "de": "Ihre Nummer, die angerufen wurde.",
        "ru": "Ваш номер, на который звонили.",
        "zh": "被拨打的贵司号码。",
    }),
    "caller": ("+46701740640", {
        "en": "Empty if withheld.",
        "sv": "Tomt om numret är dolt.",
        "de": "Leer, wenn unterdrückt.",
        "ru": "Пусто, если номер скрыт.",
        "zh": "号码隐藏时留空。",
    }),
    "status": ("completed", {
        "en": "completed, missed or voicemail.",
        "sv": "completed (besvarat), missed (missat) eller voicemail (röstbrevlåda).",
        "de": "completed (angenommen), missed (verpasst) oder voicemail (Mailbox).",
        "ru": "completed (состоялся), missed (пропущен) или voicemail (автоответчик).",
        "zh": "completed（已接）、missed（未接）或 voicemail（留言）。",
    }),
    "talk_s": ("120", {
        "en": "Seconds of talk.",
        "sv": "Samtalstid i sekunder.",
        "de": "Gesprächsdauer in Sekunden.",
        "ru": "Разговор в секундах.",
        "zh": "通话秒数。",
    }),
    "kind": ("event", {
        "en": "call, visit, form, message, event or other.",
        "sv": "samtal, besök, formulär, meddelande, mässa eller annat.",
        "de": "Anruf, Besuch, Formular, Nachricht, Messe oder Sonstiges.",
        "ru": "звонок, посещение, форма, сообщение, выставка или другое.",
        "zh": "电话、访问、表单、消息、展会或其他。",
    }),
    "period": ("2026-03-01", {
        "en": "The day; the same day again replaces the number.",
        "sv": "Dagen; samma dag igen ersätter antalet.",
        "de": "Der Tag; derselbe Tag noch einmal ersetzt die Zahl.",
        "ru": "День; тот же день ещё раз заменит число.",
        "zh": "日期；同一天再次导入会替换数字。",
    }),
    "visits": ("42", {
        "en": "Visits of that day from that source.",
        "sv": "Besök den dagen från den källan.",
        "de": "Besuche dieses Tages aus dieser Quelle.",
        "ru": "Посещения за этот день из этого источника.",
        "zh": "当天来自该来源的访问次数。",
    }),
    "started_at": ("2026-03-02 09:30", {}),
    "occurred_at": ("2026-03-02 09:30", {}),
    "opportunity_at": ("2026-03-01", {}),
    "campaign": ("Catalogue 2026", {}),
    "company": ("Borealis Foods", {}),
}  # fmt: skip
_HEADS = {
    "en": ("Column", "Example", "Rule"),
    "sv": ("Kolumn", "Exempel", "Regel"),
    "de": ("Spalte", "Beispiel", "Regel"),
    "ru": ("Столбец", "Пример", "Правило"),
    "zh": ("列", "示例", "规则"),
}


def workbook(kind: str, language: str) -> bytes:
    """Return an empty workbook for a kind of records, which comes in as it is once it is filled."""
    import xlsxwriter  # heavy, and no import needs it

    language = language if language in LANGUAGES else "en"
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    bold, text = book.add_format({"bold": True}), book.add_format({"num_format": "@"})
    sheet, rules = book.add_worksheet(), book.add_worksheet(_HEADS[language][2])
    sheet.freeze_panes(1, 0)
    rules.write_row(0, 0, _HEADS[language], bold)
    for place, field in enumerate(_FIELDS[kind]):
        name = heading("calls" if kind == "answers" else kind, field, language)
        example, rule = _EXAMPLES.get(field, ("", {}))
        sheet.write_string(0, place, name, bold)
        # As text, a number keeps its plus and an identifier its zeros.
        as_text = field.endswith("_id") or field in ("phone", "caller", "dialled")
        sheet.set_column(place, place, max(14, len(name) + 2), text if as_text else None)
        rules.write_row(place + 1, 0, (name, example, rule.get(language, "")))
    rules.set_column(0, 1, 26)
    rules.set_column(2, 2, 70)
    book.close()
    return out.getvalue()


def heading(kind: str, field: str, language: str) -> str:
    """Return what a field is called at the head of its column."""
    name = words.named(kind, field, language)
    return name[:1].upper() + name[1:]
