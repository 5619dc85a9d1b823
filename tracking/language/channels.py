"""The standard channels: their names in every language, what callers say for them, and what carries them.

A campaign, touch or answer may have a channel of its own; one that goes by another name of a standard channel
is that channel, whoever writes it and in which language.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask_babel import lazy_gettext as _

from tracking.storage.vocabulary import Medium


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel that stands ready from the start.

    Attributes
    ----------
    channel : str
        What it is called in data.
    label : str
        Its name in the language of the page.
    medium : Medium
        What carries its ad material, where the material's kind does not say it.
    names : str
        Other names of it, with commas between them: whoever writes one of these means the channel.
    words : str
        What callers say for it, besides, and what is a part of it. These propose it as an answer, no more:
        paid and organic search, or two social networks, may be channels of their own.
    is_answer : bool
        Whether it stands among the answers of the desk from the start.
    """

    channel: str
    label: Any
    medium: Medium
    names: str
    words: str = ""
    is_answer: bool = False


STANDARD = (
    Channel(
        "search",
        _("Web search"),
        Medium.online,
        "web search, internet search, online search, search engine, search engines, google, bing,"
        " yandex, baidu, sök, sökning, webbsökning, internetsökning, sökmotor, suche, websuche,"
        " internetsuche, suchmaschine, suchmaschinen, поиск, поиск в интернете, яндекс, гугл, 搜索,"
        " 网络搜索, 搜索引擎, 百度, 谷歌",
        "googled, internet, web, website, online, search ads, paid search, organic search, seo, sea, sem,"
        " ppc, google ads, adwords, nätet, googlade, sökte, sökannonser, gegoogelt, гуглили, интернет,"
        " сайт, поисковая реклама, контекстная реклама, яндекс директ, 网上, 网站, 上网, 搜索广告",
        is_answer=True,
    ),
    Channel(
        "referral",
        _("Referral"),
        Medium.other,
        "recommendation, recommendations, referrals, word of mouth, rekommendation, rekommendationer,"
        " mun till mun, empfehlung, empfehlungen, mundpropaganda, weiterempfehlung, рекомендация,"
        " рекомендации, сарафанное радио, 推荐, 口碑, 转介绍",
        "colleague, friend, recommended, referred, kollega, tips, rekommenderad, bekant, kollege,"
        " empfohlen, bekannter, посоветовали, коллега, знакомый, 同事, 朋友, 介绍",
        is_answer=True,
    ),
    Channel(
        "existing customer",
        _("Existing customer"),
        Medium.other,
        "existing customers, customer, current customer, befintlig kund, befintliga kunder,"
        " bestandskunde, bestandskunden, существующий клиент, постоянный клиент, 老客户, 现有客户",
        "already, ordered, order before, know you, kund, redan, beställt, kunde, bereits, клиент,"
        " заказывали, постоянный, 买过, 以前",
        is_answer=True,
    ),
    Channel(
        "fair",
        _("Trade show"),
        Medium.fair,
        "trade fair, trade fairs, fairs, trade show, trade shows, exhibition, expo, mässa, mässor,"
        " fackmässa, messe, messen, fachmesse, выставка, выставки, ярмарка, 展会, 展览, 展览会, 博览会",
        "show, stand, booth, mässan, monter, messestand, ausstellung, выставке, стенд, 展位, 展台",
        is_answer=True,
    ),
    Channel(
        "print",
        _("Print"),
        Medium.print,
        "print ads, print advertising, printed matter, tryck, trycksaker, printwerbung, drucksachen,"
        " печать, печатная реклама, печатные материалы, 印刷, 印刷品, 印刷广告, 平面广告",
        "magazine, trade journal, journal, press ads, advert, advertisement, catalogue, catalog,"
        " brochure, leaflet, flyer, tidning, facktidning, annons, tidningsannons, katalog, broschyr,"
        " zeitschrift, fachzeitschrift, anzeige, prospekt, журнал, пресса, газета, реклама, каталог,"
        " брошюра, 杂志, 广告, 目录, 样本",
        is_answer=True,
    ),
    Channel(
        "directory",
        _("Directory"),
        Medium.online,
        "directories, supplier directory, business directory, yellow pages, katalogtjänst,"
        " branschregister, leverantörsregister, branchenbuch, lieferantenverzeichnis,"
        " firmenverzeichnis, справочник, справочники, каталог предприятий, 名录, 黄页, 企业名录",
        "register, hitta, eniro, wlw, europages, thomasnet, verzeichnis, каталоге предприятий",
        is_answer=True,
    ),
    Channel(
        "email",
        _("Newsletter"),
        Medium.email,
        "e-mail, mail, newsletter, newsletters, email marketing, e-post, nyhetsbrev, e-mailing,"
        " rundbrief, электронная почта, рассылка, почтовая рассылка, 邮件, 电子邮件, 邮件营销, 简报",
        "mailing, mejl, utskick, письмо",
        is_answer=True,
    ),
    Channel(
        "social",
        _("Social media"),
        Medium.online,
        "social media, social network, social networks, sociala medier, soziale medien, social-media,"
        " социальные сети, соцсети, 社交媒体, 社交网络",
        "linkedin, facebook, instagram, youtube, xing, вконтакте, 微信, 抖音, 微博, 领英",
    ),
    Channel(
        "display",
        _("Online advertising"),
        Medium.online,
        "display ads, display advertising, banner, banners, banner ads, online ads, online advertising,"
        " displayannonser, bannerannonser, displaywerbung, bannerwerbung, onlinewerbung, баннеры,"
        " баннерная реклама, медийная реклама, 展示广告, 网络广告, 横幅广告",
        "retargeting, remarketing",
    ),
    Channel(
        "website",
        _("Our website"),
        Medium.online,
        "web site, own website, homepage, home page, webbplats, hemsida, webseite, сайт компании,"
        " собственный сайт, 官网, 公司网站",
        "landing page",
    ),
    Channel(
        "direct mail",
        _("Direct mail"),
        Medium.print,
        "direct mailing, postal mail, letters, direktreklam, brev, postmailing, werbebrief,"
        " почтовые письма, директ-мейл, 直邮, 信函",
    ),
    Channel(
        "telephone",
        _("Outgoing calls"),
        Medium.other,
        "phone, cold calls, cold calling, telemarketing, outbound calls, telefon, telefonförsäljning,"
        " kaltakquise, телефон, холодные звонки, телемаркетинг, 电话, 电话营销",
    ),
    Channel(
        "event",
        _("Seminars and events"),
        Medium.other,
        "events, seminar, seminars, seminars and events, evenemang, seminarium, seminarier, veranstaltung,"
        " veranstaltungen, мероприятие, мероприятия, семинар, семинары, 活动, 研讨会",
        "webinar, open day, вебинар, 网络研讨会",
    ),
    Channel(
        "outdoor",
        _("Outdoor advertising"),
        Medium.other,
        "outdoor advertising, billboard, billboards, utomhusreklam, außenwerbung, наружная реклама, 户外,"
        " 户外广告",
        "sign, vehicle, skylt, plakat, щит, 广告牌",
    ),
    Channel(
        "broadcast",
        _("Radio and TV"),
        Medium.other,
        "radio and television, radio and tv, radio & tv, radio och tv, rundfunk, радио и телевидение,"
        " 广播电视",
        "radio, tv, television, fernsehen, радио, телевидение, тв, 广播, 电视",
    ),
    Channel(
        "partner",
        _("Partners and dealers"),
        Medium.other,
        "partners, dealer, dealers, distributor, distributors, reseller, återförsäljare, händler,"
        " vertriebspartner, партнёр, партнеры, партнёры, дилер, дилеры, 合作伙伴, 经销商",
    ),
)
"""In the order in which they are offered."""

UNKNOWN = (
    "does not know, doesn't know, don't know, do not know, no idea, not sure, can't remember,"
    " cannot remember, vet inte, vet ej, minns inte, ingen aning, weiß nicht, weiss nicht,"
    " weiß es nicht, keine ahnung, не знает, не знаю, не помнит, не помню, 不知道, 不清楚, 不记得"
)
"""What is typed where the caller does not know."""

_HAN = 0x2E80
"""From here on, words are written without blanks between them."""
# An ad, a page, a mailing: what carries these, the channel says.
_KINDS = {
    Medium.fair: (
        "stand, booth, trade fair, trade show, exhibition, monter, mässmonter, mässa, messestand,"
        " stände, messe, стенд, выставка, 展位, 展台, 展会"
    ),
    Medium.print: (
        "catalogue, catalog, brochure, leaflet, flyer, print ad, magazine ad, newspaper ad, poster,"
        " magazine, letter, price list, business card, data sheet, manual, katalog, broschyr,"
        " flygblad, tidningsannons, affisch, prislista, visitkort, prospekt, broschüre, printanzeige,"
        " plakat, flugblatt, preisliste, visitenkarte, каталог, брошюра, листовка, плакат,"
        " каталоги, брошюры, листовки, прайс-лист, визитка, kataloger, kataloge, broschyrer,"
        " broschüren, 目录, 样本, 宣传册, 传单, 海报, 名片"
    ),
    Medium.online: (
        "landing page, website, web page, banner, banner ad, ad group, search ad, directory entry,"
        " video, landningssida, webbplats, webbsida, annonsgrupp, sökannons, katalogpost,"
        " landingpage, webseite, anzeigengruppe, посадочная страница, сайт, баннер,"
        " группа объявлений, 落地页, 网页, 横幅, 视频"
    ),
    Medium.email: (
        "newsletter, e-mail, email, signature, e-mail signature, nyhetsbrev, e-post, signatur,"
        " rundbrief, рассылка, подпись, 邮件, 简报, 签名"
    ),
}


DIRECT, OTHER = "direct", "other"
PAID_SEARCH, ORGANIC_SEARCH = "paid search", "organic search"
PAID_SOCIAL, ORGANIC_SOCIAL = "paid social", "organic social"
LINK, EMAIL, AI = "referring site", "email", "ai assistant"
MESSAGING = "messaging"

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
    MESSAGING: "sms|mms|whatsapp|viber|telegram|text message|push|mobile push|mobile push notifications",
    "affiliate": "affiliates|affiliate marketing|partner link",
    LINK: "referral|referrals|website|websites|web sites|website referral|link|webbplatser|веб сайты"
    "|переходы по ссылкам на сайтах|外部链接|引荐",
    DIRECT: "none|direct entry|direct none|direct traffic|direkt|direktzugriffe|direkte zugriffe"
    "|прямые заходы|直接访问|直接进入",
    "print": "qr|qrcode|qr code|catalogue|catalog|brochure|flyer|offline print|print ad",
    "fair": "trade show|tradeshow|trade fair|exhibition",
    OTHER: "other campaigns|paid other|audio|campaigns|kampanjer|kampagnen|кампании|广告系列",
}
"""By channel, what media, advertising systems and web analytics call it, divided by bars."""


def folded(word: str) -> str:
    """Return a name as it is compared: case folded, with one blank for each run of signs."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", word).casefold().replace("_", " ")))


_MEDIA = {
    folded(word): channel for channel, words in _ONLINE.items() for word in (channel, *words.split("|"))
}
_STORED = {"ai referral": AI, "paidsearch": PAID_SEARCH, "paidsocial": PAID_SOCIAL}
"""What systems write in place of the name; words of people stay as they are."""


def online(word: str) -> str | None:
    """Return the channel that a medium or a web analytics system calls so; None where it is none."""
    return _MEDIA.get(folded(word))


_COMMON = {
    PAID_SEARCH: "search",
    ORGANIC_SEARCH: "search",
    PAID_SOCIAL: "social",
    ORGANIC_SOCIAL: "social",
    "social media": "social",
    "trade show": "fair",
    "trade fair": "fair",
    "catalogue": "print",
    "recommendation": "referral",
}


def common(channel: str) -> str:
    """Return what a buyer would call a channel: nobody says whether a search was paid for."""
    known = canonical(channel)
    return _COMMON.get(known, known)


def answers() -> tuple[Channel, ...]:
    """Return those that stand among the answers of the desk from the start."""
    return tuple(each for each in STANDARD if each.is_answer)


_WORDS = {
    AI: _("AI assistant"),
    "affiliate": _("affiliate"),
    LINK: _("link from another site"),
    ORGANIC_SOCIAL: _("organic social"),
    PAID_SOCIAL: _("paid social"),
    "video": _("video"),
    "direct": _("direct"),
    "directory": _("directory"),
    "display": _("display ads"),
    "email": _("email"),
    "existing customer": _("existing customer"),
    "fair": _("trade show"),
    MESSAGING: _("messaging"),
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
    if not channel:
        return ""
    known = _WORDS.get(channel.casefold())
    return str(known) if known else label(channel)


def label(channel: str) -> str:
    """Return what a channel is called on a page: the standard channel's name, or its own."""
    return next((str(each.label) for each in STANDARD if each.channel == channel), channel)


def named(words: str) -> Channel | None:
    """Return the standard channel of this very name, in data or on the page, whatever its capitals."""
    wanted = _folded(words)
    return next((each for each in STANDARD if wanted in (each.channel, _folded(str(each.label)))), None)


def canonical(channel: str) -> str:
    """Return what a channel is called in data: the standard one by any of its names, or its own name.

    One of web analytics is written in one way, ``paid_search`` as ``paid search``.
    """
    if found := named(channel) or _by_name().get(_folded(channel)):
        return found.channel
    known = folded(channel)
    return known if known in _ONLINE else _STORED.get(known, channel)


def is_unknown(words: str) -> bool:
    """Tell whether words say that the caller does not know."""
    return _folded(words) in _split(UNKNOWN) or _folded(words) == _folded(str(_("Does not know")))


def medium_for(channel: str, kind: str = "") -> Medium:
    """Return what carries ad material: as its kind says, otherwise as its campaign's channel does."""
    wanted = _folded(kind)
    # What it is stands last: a trade show catalogue is a catalogue.
    found = [
        (wanted.rindex(each) + len(each), len(each), medium)
        for medium, kinds in _KINDS.items()
        for each in _split(kinds)
        if _stands_in(each, wanted)
    ]
    if found:
        return max(found)[2]
    name = _folded(channel)
    of_channel = (
        each for each in STANDARD if each.channel == canonical(channel) or name in _split(each.words)
    )
    return next((each.medium for each in of_channel), Medium.other) if name else Medium.other


def _stands_in(each: str, text: str) -> bool:
    """Tell whether a word stands in a text as a word, in English also as several of it."""
    if not text or ord(each[0]) >= _HAN:
        return each in text
    return re.search(rf"(?<!\w){re.escape(each)}s?(?!\w)", text) is not None


@cache
def _by_name() -> dict[str, Channel]:
    return {name: each for each in STANDARD for name in (each.channel, *_split(each.names))}


@cache
def _split(names: str) -> tuple[str, ...]:
    return tuple(_folded(name) for name in names.split(","))


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
