"""The answers that every supplier hears, each a channel: their names, and words that callers use for them."""

from dataclasses import dataclass

from flask_babel import lazy_gettext as _


@dataclass(frozen=True, slots=True)
class StandardAnswer:
    """An answer that stands ready from the start.

    Attributes
    ----------
    channel : str
        The channel that it names.
    label : str
        Its name in the language of the page.
    words : str
        What callers say for it in English, Swedish, German, Russian and Chinese; they propose it, no more.
    """

    channel: str
    label: str
    words: str


STANDARD = (
    StandardAnswer(
        "search",
        _("Web search"),
        "google googled bing yandex baidu internet web website online search sökte nätet internetsökning "
        "googlade gesucht suchmaschine internetsuche поиск яндекс гугл интернет сайт 搜索 百度 网上 网站",
    ),
    StandardAnswer(
        "recommendation",
        _("Referral"),
        "colleague friend recommended referral word of mouth kollega tips rekommenderad bekant kollege "
        "empfehlung empfohlen bekannter посоветовали коллега рекомендация знакомый 推荐 同事 朋友 介绍",
    ),
    StandardAnswer(
        "existing customer",
        _("Existing customer"),
        "customer already ordered before know you kund redan beställt tidigare bestandskunde kunde bereits "
        "клиент заказывали раньше постоянный 老客户 买过 以前",
    ),
    StandardAnswer(
        "fair",
        _("Trade show"),
        "fair show stand booth exhibition expo mässa mässan monter messe messestand ausstellung выставка "
        "стенд ярмарка 展会 展览 展位",
    ),
    StandardAnswer(
        "print",
        _("Print"),
        "magazine journal advert advertisement catalogue brochure leaflet tidning annons katalog broschyr "
        "zeitschrift anzeige prospekt журнал газета реклама каталог брошюра 杂志 广告 目录 样本",
    ),
    StandardAnswer(
        "directory",
        _("Directory"),
        "directory yellow pages register branschregister katalogsida hitta branchenbuch wlw verzeichnis "
        "справочник каталог предприятий 名录 黄页",
    ),
    StandardAnswer(
        "email",
        _("Newsletter"),
        "newsletter email mail mailing nyhetsbrev mejl utskick rundbrief рассылка письмо 邮件 简报",
    ),
)
"""In the order in which they are offered."""


_WORDS = {
    "direct": _("direct"),
    "directory": _("directory"),
    "display": _("display ads"),
    "email": _("email"),
    "existing customer": _("existing customer"),
    "fair": _("trade show"),
    "messaging": _("messaging"),
    "organic search": _("organic search"),
    "other": _("other"),
    "paid search": _("paid search"),
    "phone": _("phone"),
    "print": _("print"),
    "recommendation": _("referral"),
    "referral": _("referral"),
    "search": _("web search"),
    "social": _("social media"),
    "social media": _("social media"),
    "trade fair": _("trade show"),
    "trade show": _("trade show"),
    "webinar": _("webinar"),
    "website": _("website"),
}


def word(channel: str | None) -> str:
    """Return a channel of the usual ones in the language of the page, any other as it was typed."""
    return str(_WORDS.get((channel or "").casefold(), channel or ""))


def label(channel: str) -> str:
    """Return what a channel is called on a page: the standard answer's name, or its own."""
    return next((str(each.label) for each in STANDARD if each.channel == channel), channel)


def named(words: str) -> StandardAnswer | None:
    """Return the standard answer that has this name in the language of the page, whatever its capitals."""
    wanted = words.strip().casefold()
    for each in STANDARD:
        if wanted in (str(each.label).casefold(), each.channel):
            return each
    return None
