"""The words of the product: what docs/languages.md asks of every message, in every language."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from click import Command, Context, Group, Option

from tests import messages
from tracking.cli import ringtrail

ROOT = Path(__file__).parents[1]
TEMPLATES = sorted((ROOT / "tracking" / "web" / "templates").rglob("*.html"))
PLACEHOLDERS = re.compile(r"%\(\w+\)[a-z]|`[^`]*`")

# Words that a supplier's sales office does not use, old terms, and what to write instead.
FORBIDDEN = {
    r"mend(s|ed)?": "fix, edit",
    r"anew": "again",
    r"told|tell of": "entered, shown",
    r"beside": "next to, outside",
    r"lies|stands": "is",
    r"the moment|moments": "time, date",
    r"is no(?! longer)|are no(?! longer)|there is no|there are no": "is not a …, … not found, no … yet",
    r"somebody|nobody": "a person, or the passive",
    r"of whom|of whose": "a sentence of its own",
    r"taken out|take out": "delete",
    r"by itself": "automatically",
    r"still to come": "still expected",
    r"at the most": "at most, up to",
    r"choose among": "use one of",
    r"e-mail|e-mails": "email",
    r"telephone|telephones": "phone",
    r"he|his|him|she|her": "they, or the person",
    r"refuse|refused|refusal": "reject",
    r"fair": "trade show",
    r"key figures?": "KPI",
    r"ad materials?|pieces? of material": "asset",
    r"asked rate|answered rate|missed rate": "ask rate, answer rate, missed call rate",
    r"qualifying calls?": "eligible call",
    r"judgement": "lead status",
    r"indicators?": "metric",
    r"advice": "recommendation",
    r"(ad|total|the|your) spend": "cost",
    r"made-up": "fictitious, simulated",
    r"telephone exchange|exchanges": "phone system",
}
# A whole message that may break a rule, and why.
EXCEPTIONS = {
    "%(one)s and %(other)s cannot be told apart: they affect the same metrics": "told apart is the verb",
}
# What a button of the pages begins with.
BUTTONS = {
    "Activate", "Add", "Allow", "Apply", "Assign", "Calculate", "Calibrate", "Call", "Check", "Clear",
    "Close", "Connect", "Continue", "Create", "Deactivate", "Delete", "Discard", "Download", "Edit", "End",
    "Erase", "Import", "Invite", "Make", "Mark", "Match", "Merge", "More", "Mute", "Preview", "Print",
    "Reactivate", "Release", "Remove", "Rename", "Reset", "Revoke", "Save", "Search", "Send", "Set",
    "Show", "Sign", "Simulate", "Start", "Stop", "Take", "Test", "Turn", "Undo", "Unmute", "Upload",
}  # fmt: skip
LONGEST_SENTENCE = 25

# Terms of the table in docs/languages.md that a translation may not replace by another word: how the English
# one is found, and the part of the word that does not change in Swedish, Russian and Chinese.
TERMS = {
    r"API tokens?": ("api-nyck", "токен", "令牌"),
    r"annotations?": ("anteckning", "примечани", "注释"),
    r"ask rate": ("frågeandel", "доля опрошенных|доли опрошенных", "询问率"),
    r"answer rate": ("svarsandel", "дол. принятых", "接听率"),
    r"assets?": ("material", "материал|номеров: ", "物料"),
    r"attribution models?": ("attributionsmodell", "модел. атрибуции", "归因模型"),
    r"campaigns?": ("kampanj", "кампани", "活动"),
    r"close date": ("avslutsdatum", "дат\\w+ закрытия", "结单日期"),
    r"companies|company": ("företag", "компани", "公司"),
    r"cooling off|cools off": ("karens", "карантин", "冷冻期"),
    r"costs?(?! per| it| less|\w)": ("kostna|lade vi|kost", "расход|сто|окуп|потрат", "费用|成本|物有所值"),
    r"customers?": ("kund", "клиент|купил", "客户|获客"),
    r"deals?": ("affär", "сдел", "交易|赢单|输单"),
    r"default model": ("standardmodell", "модель.* по умолчанию", "默认模型"),
    r"eligible": ("räkna[dt]e? samtal|^räknade$", "учитываемы", "应询问"),
    r"inventory": ("nummerlag", "списк|список", "号码库"),
    r"journeys?": ("kundres", "пут", "旅程"),
    r"KPIs?": ("nyckeltal", "kpi", "关键指标"),
    r"lead status": ("leadstatus", "оценк. лида", "线索状态"),
    r"qualified leads?": ("kvalificera\\w+ lead", "квалифицированн\\w+ лид", "合格线索"),
    r"lookback window": ("attributionsfönst", "окн\\w атрибуции", "回溯期"),
    r"margin": ("marginal", "марж", "毛利"),
    r"metrics?": ("mått", "показател", "指标"),
    r"misattribut\w+": ("felaktigt", "неверно", "归因错误"),
    r"overhead": ("gemensamma kostnader", "общие расходы", "公共费用"),
    r"pays? off": ("löna|lönsam", "окуп", "盈利"),
    r"recommendations?": ("rekommend", "рекоменд", "建议"),
    r"rejected rows?|rows? (is|are) still rejected": ("avvisa", "отклон", "拒绝"),
    r"revenue": ("intäkt|affärer värda", "выручк|выиграно", "收入|赢单金额"),
    r"seed": ("slumpfrö", "начальн\\w+ числ", "种子"),
    r"touch|touches": ("kontaktpunkt", "касани", "触点"),
    r"tracking numbers?": ("spårningsnum", "номер\\w* коллтрекинга", "跟踪号码"),
    r"trade shows?": ("mäss", "выставк", "展会"),
    r"true effects?": ("verklig\\w* effekt", "реальн\\w+ эффект", "真实效果"),
    r"unattributed": ("ej tillskriv", "не ?атрибутирован", "归因"),
    r"unknown source": ("okänd källa", "неизвестн\\w+ источник|источник неизвестен", "来源未知"),
}
# Words of a translation that are not its language, or not the term.
NOT_SAID = {
    "sv": {
        r"uppringare|den uppringande": "den som ringer",
        r"förteckning": "nummerlager",
        r"\bradera": "ta bort",
        r"\bhämta": "ladda ner",
        r"\bmejl": "e-post",
        r"kvalificerade samtal": "räknade samtal",
        r"\bchans": "sannolikhet",
        r"arbetaren?\b": "jobbprocess",
        r"\bsanning": "verklig effekt",
        r"av sig själv": "automatiskt, or nothing",
        r"styck\b": "per lead, per kund",
        r"\d%": "a no-break space before the sign",
        r"\b(han|hon|hans|hennes)\b": "de, or the person",
    },
    "ru": {
        r" – (?!%\(|\d)": "— between words",
        r"\bдн\.": "дней, or a counted message",
        r"зач[её]т|засчит|зачт": "атрибуция",
        r"подогн|подгон": "калибровка",
        r"номер\w* отслеживания": "номер коллтрекинга (a номер отслеживания follows a parcel)",
        r"рабочее место": "приём звонков",
        r"за штуку": "за лид, за клиента",
        r"не является": "— не …",
        r"исполнитель": "фоновый процесс",
        r"\bдн\.? вперёд|вперед\b": "до сделки",
        r"индикатор": "показатель",
        r"\d%": "a no-break space before the sign",
    },
    "zh": {
        r" %(?!\()": "no space before the sign",
        r"[\u4e00-\u9fff][,;:?!](?![\w/])|[,;?!](?=[\u4e00-\u9fff])": "full-width punctuation",
        r"推广活动|广告系列": "营销活动",
        r"外拓": "主动拓展",
        r"接听台": "来电工作台",
        r"答案": "回答",
        r"真相": "真实效果",
        r"划算|回本": "盈利",
        r"每份": "每条线索, 每位客户",
        r"拟合": "校准",
        r"冷却": "冷冻期",
        r"百分之": "figures",
    },
}


@cache
def english() -> tuple[str, ...]:
    """Return every message of the pages, plurals too."""
    found = (message for _, _, message in messages.found())
    return tuple(sorted({text for each in found for text in ([each] if isinstance(each, str) else each)}))


def commands(command: Command, name: str) -> Iterator[tuple[str, Command]]:
    yield name, command
    if isinstance(command, Group):
        here = Context(command)
        for word in command.list_commands(here):
            found = command.get_command(here, word)
            assert found is not None
            yield from commands(found, f"{name} {word}")


@cache
def help_texts() -> tuple[tuple[str, str], ...]:
    """Return what --help says: of each command and of each of its options."""
    texts = []
    for name, command in commands(ringtrail, "ringtrail"):
        texts.append((name, command.help or ""))
        options = [each for each in command.params if isinstance(each, Option)]
        texts += [(f"{name} {option.opts[0]}", option.help or "") for option in options]
    return tuple(texts)


def documents() -> Iterator[str]:
    """Yield the README without its code, and the headings of the other documents."""
    yield re.sub(r"`[^`]*`|^    .*$", "", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        if page.name != "CHANGELOG.md":
            yield from re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)


@pytest.mark.parametrize("word", FORBIDDEN)
def test_no_message_help_or_heading_uses_a_word_outside_the_trade(word: str) -> None:
    wrong = re.compile(rf"(?<![\w-])({word})(?![\w-])", re.IGNORECASE)
    texts = [*english(), *(text for _, text in help_texts()), *documents()]
    found = [text for text in texts if text not in EXCEPTIONS and wrong.search(PLACEHOLDERS.sub("", text))]
    assert found == [], f"write: {FORBIDDEN[word]}"


def test_percentages_are_written_as_english_writes_them() -> None:
    texts = [*english(), *(text for _, text in help_texts()), *documents()]
    assert [text for text in texts if re.search(r"\d %(?!\()", text)] == []


def test_sentences_are_short() -> None:
    # Formulas of KPIs are no sentences.
    texts = [text for text in english() if " / " not in text]
    sentences = [
        sentence for text in texts for sentence in re.split(r"(?<=[.?!:;])\s+|(?<=[.?!]\")\s+", text)
    ]
    assert [each for each in sentences if len(each.split()) > LONGEST_SENTENCE] == []


def test_buttons_begin_with_a_verb() -> None:
    button = re.compile(
        r"<button[^>]*>(?:\{\{ icon\([^}]*\}\})?\s*\{\{ n?(?:_|gettext)\(\"([^\"]+)\"", re.DOTALL
    )
    labels = {label for page in TEMPLATES for label in button.findall(page.read_text())}
    assert len(labels) > 30
    # What a rep says of the own desk, and what rings when it is pressed.
    labels -= {"I am away", "I am back", "Practice call"}
    assert sorted(label for label in labels if re.split(r"[ ,]", label)[0] not in BUTTONS) == []
    assert sorted(label for label in labels if label.endswith(".")) == []


def test_errors_read_well_behind_the_name_of_their_field() -> None:
    reason = re.compile(r"Invalid\(\s*\"[^\"]*\",\s*\"([^\"]+)\"")
    sources = [*(ROOT / "tracking").rglob("*.py")]
    reasons = {text for path in sources for text in reason.findall(path.read_text())}
    assert len(reasons) > 80
    begins = re.compile(r"(is|are|has|have|says|names|lies|holds|was|needs)\b")
    assert sorted(text for text in reasons if begins.match(text)) == []


@pytest.mark.parametrize("page", ["README.md", "docs/pages.md", "docs/start.md"])
def test_the_walks_name_pages_and_buttons_as_the_pages_do(page: str) -> None:
    named = set(re.findall(r"(?<![*\w])\*([A-Z][^*|]{2,60}?)\*(?![*\w])", (ROOT / page).read_text()))
    assert len(named) > 1
    known = {re.sub(r"%\(\w+\)\w", "", text).strip() for text in english()}
    # A button may go on with the number, name or count that it is about.
    unknown = [
        name
        for name in (" ".join(each.split()) for each in named)
        if not any(text == name or text.startswith(f"{name} ") for text in known)
    ]
    assert sorted(unknown) == []


def test_every_command_and_option_has_help() -> None:
    assert [name for name, text in help_texts() if not text.strip()] == []


@cache
def catalog(language: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    pairs = []
    for message in messages.read(language):
        if message.id:
            of = message.id if isinstance(message.id, str) else message.id[0]
            said = (message.string,) if isinstance(message.string, str) else tuple(message.string)
            pairs.append((of, said))
    return tuple(pairs)


@pytest.mark.parametrize("place", range(len(messages.LANGUAGES)), ids=messages.LANGUAGES)
@pytest.mark.parametrize("term", TERMS)
def test_one_term_is_one_word_in_each_language(term: str, place: int) -> None:
    # Neither `touch-based` nor first-touch, a model's name; leads: 40 is typed as it stands.
    named = re.compile(rf"(?<![\w-])({term})(?![\w-]|: \d| 20\d\d:)", re.IGNORECASE)
    word = re.compile(TERMS[term][place], re.IGNORECASE)
    wrong = [
        (of, said)
        for of, texts in catalog(messages.LANGUAGES[place])
        for said in texts
        if named.search(PLACEHOLDERS.sub("", of)) and not word.search(said)
    ]
    assert wrong == []


def test_the_table_of_terms_has_the_words_that_are_asked_for() -> None:
    table = (ROOT / "docs" / "languages.md").read_text().split("## Words")[1]
    rows = [re.split(r"\s*\|\s*", line)[1:5] for line in table.splitlines() if line.startswith("| ")]
    assert len(rows) > 60
    missing = [
        (term, word)
        for term, words in TERMS.items()
        for place, word in enumerate(words, 1)
        if not any(
            re.search(rf"\b({term})\b", row[0], re.IGNORECASE) and re.search(word, row[place], re.IGNORECASE)
            for row in rows
        )
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("language", "word"), [(language, word) for language, words in NOT_SAID.items() for word in words]
)
def test_no_translation_uses_a_word_of_another_trade_or_sign(language: str, word: str) -> None:
    wrong = re.compile(word, re.IGNORECASE)
    found = [
        (of, said)
        for of, texts in catalog(language)
        for said in texts
        if wrong.search(re.sub(r"`[^`]*`", "", said))
    ]
    assert found == [], f"write: {NOT_SAID[language][word]}"


def test_channels_are_shown_in_the_language_of_the_page() -> None:
    shown = re.compile(r"\{\{ [\w.]*\bchannel\b(?!\|channel)[^}]*\}\}")
    assert [found for page in TEMPLATES for found in shown.findall(page.read_text())] == []
