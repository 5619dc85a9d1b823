"""The channels: those that callers name, each an answer that stands ready, and those of visits to a site."""

import re
import unicodedata
from collections.abc import Mapping
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


DIRECT, OTHER = "direct", "other"
PAID_SEARCH, ORGANIC_SEARCH = "paid search", "organic search"
PAID_SOCIAL, ORGANIC_SOCIAL = "paid social", "organic social"
REFERRAL, EMAIL, AI = "referral", "email", "ai assistant"

_ONLINE: Mapping[str, str] = {
    PAID_SEARCH: "betald sökning|bezahlte suche|cpc|ppc|sem|sea|paidsearch|search ads|google ads|googleads"
    "|adwords|bing ads|microsoft ads|yandex direct|paid shopping|performance max|cross network"
    "|поисковая реклама|付费搜索",
    ORGANIC_SEARCH: "organic|seo|search engine|search engines|organic shopping|sökmotorer|suchmaschinen"
    "|organisk sökning|organische suche|органический поиск|поисковые системы"
    "|переходы из поисковых систем|搜索引擎|自然搜索",
    PAID_SOCIAL: "paidsocial|cpsocial|social ads|social paid|social cpc|facebook ads|linkedin ads|meta ads",
    ORGANIC_SOCIAL: "social|socialmedia|social media|social network|social networks|social organic|sm"
    "|sociala nätverk|soziale netzwerke|социальные сети|переходы из социальных сетей|社交网络|社交媒体",
    AI: "ai|ai chat|ai referral|ai referrals|ai assistants|organic ai|переходы из чатов с ии|人工智能助手",
    "display": "banner|banners|cpm|retargeting|remarketing|display ads|programmatic|native",
    "video": "organic video|paid video|youtube ads",
    EMAIL: "e post|epost|mail|mailing|newsletter|emails|e mail|e mails|email marketing|nyhetsbrev|рассылка"
    "|переходы с почтовых рассылок",
    "messaging": "sms|mms|whatsapp|viber|telegram|text message|push|mobile push|mobile push notifications",
    "affiliate": "affiliates|affiliate marketing|partner link",
    REFERRAL: "referrals|website|websites|web sites|website referral|link|webbplatser|веб сайты"
    "|переходы по ссылкам на сайтах|外部链接|引荐",
    DIRECT: "none|direct entry|direct none|direct traffic|direkt|direktzugriffe|direkte zugriffe"
    "|прямые заходы|直接访问|直接进入",
    "print": "qr|qrcode|qr code|catalogue|catalog|brochure|flyer|offline print|print ad",
    "fair": "trade show|tradeshow|trade fair|exhibition",
    OTHER: "other campaigns|paid other|audio|campaigns|kampanjer|kampagnen|кампании|广告系列",
}
"""By channel, what media, advertising systems and web analytics call it, divided by bars."""


_LABELS = {
    PAID_SEARCH: _("Paid search"),
    ORGANIC_SEARCH: _("Organic search"),
    PAID_SOCIAL: _("Paid social"),
    ORGANIC_SOCIAL: _("Organic social"),
    AI: _("AI assistant"),
    "display": _("Display ads"),
    "video": _("Video"),
    "messaging": _("Messaging"),
    "affiliate": _("Affiliate"),
    REFERRAL: _("Link from another site"),
    DIRECT: _("Direct"),
    OTHER: _("Other"),
}


def folded(word: str) -> str:
    """Return a name as it is compared: case folded, with one blank for each run of signs."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", word).casefold().replace("_", " ")))


_WORDS = {
    folded(word): channel for channel, words in _ONLINE.items() for word in (channel, *words.split("|"))
}
_NAMES = frozenset(_ONLINE) | {answer.channel for answer in STANDARD}
_STORED = {"ai referral": AI, "paidsearch": PAID_SEARCH, "paidsocial": PAID_SOCIAL}
"""What systems write in place of the name; words of people stay as they are."""


def online(word: str) -> str | None:
    """Return the channel that a medium or a web analytics system calls so; None where it is none."""
    return _WORDS.get(folded(word))


def one_name(channel: str) -> str:
    """Return a channel under its one name, ``paid_search`` as ``paid search``; any other as it is written."""
    known = folded(channel)
    return known if known in _NAMES else _STORED.get(known, channel)


def label(channel: str) -> str:
    """Return what a channel is called on a page: the standard answer's name, or its own."""
    named = _LABELS.get(channel)
    return next(
        (str(each.label) for each in STANDARD if each.channel == channel), str(named) if named else channel
    )


def named(words: str) -> StandardAnswer | None:
    """Return the standard answer that has this name in the language of the page, whatever its capitals."""
    wanted = words.strip().casefold()
    for each in STANDARD:
        if wanted in (str(each.label).casefold(), each.channel):
            return each
    return None
