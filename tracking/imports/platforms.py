"""Advertising systems, told from their exports: what they call cost, and what stands beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracking.imports import words
from tracking.imports.mapping import Columns


@dataclass(frozen=True, slots=True)
class Platform:
    """A system that restates what its campaigns cost."""

    key: str
    """Part of the identity of its costs; never to be changed."""
    name: str
    channel: str
    """Of a campaign that its file names first."""
    amounts: frozenset[str]
    """What it calls the cost."""
    beside: frozenset[str]
    """Names of which one stands beside the cost in each of its exports."""
    unnamed_are_totals: bool = False
    """Whether a row without a campaign is the sum of the others."""
    month_first: bool = False
    """Whether it writes 03/31/2026 in every language."""
    currency: str = ""
    """The only one it bills in, where it names none."""


def _names(text: str) -> frozenset[str]:
    return frozenset(words.fold(name) for name in text.split("|"))


PLATFORMS = (
    Platform(
        "meta",
        "Meta Ads",
        "social",
        _names("amount spent|ausgegebener betrag|spenderat belopp|потраченная сумма|花费金额"),
        _names(
            "campaign name|kampagnenname|kampanjnamn|название кампании|广告系列名称|广告系列|"
            "campaign delivery"
        ),
        unnamed_are_totals=True,
    ),
    Platform(
        "linkedin",
        "LinkedIn Ads",
        "social",
        _names("total spent"),
        _names("campaign group name|campaign group|account name|campaign type|start date|start date in utc"),
        month_first=True,
    ),
    Platform(
        "microsoft",
        "Microsoft Ads",
        "paid_search",
        _names("spend"),
        _names(
            "gregorian date|timeperiod|account number|campaignname|campaign name|account name|"
            "currency code|impr"
        ),
    ),
    Platform(
        "yandex",
        "Yandex Direct",
        "paid_search",
        _names("расход|расходы с ндс|расход с ндс|расход всего"),
        _names("№ кампании|id кампании|№ группы|№ объявления|показы|условие показа|тип площадки"),
    ),
    Platform(
        "baidu",
        "Baidu",
        "paid_search",
        _names("消费|花费"),
        _names("推广计划|计划|推广单元|展现|展现量"),
        currency="CNY",
    ),
    Platform(
        "google",
        "Google Ads",
        "paid_search",
        _names("cost|kosten|kostnad|расходы|стоимость|费用"),
        _names(
            "currency code|währungscode|valutakod|код валюты|货币代码|币种代码|campaign status|"
            "kampagnenstatus|status der kampagne|kampanjstatus|статус кампании|广告系列状态|"
            "campaign type|kampagnentyp|kampanjtyp|"
            "тип кампании|avg cpc|interactions"
        ),
    ),
    Platform(
        "report",
        "advertising report",
        "other",
        _names(
            "cost|spend|costs|ad cost|ads cost|advertiser cost|advertiser ad cost|"
            "kosten|kostnad|расход|расходы|费用"
        ),
        _names(
            "clicks|ads clicks|ads impressions|"
            "impressions|impr|klicks|klick|impressionen|visningar|клики|показы|点击次数|"
            "展示次数|campaign id"
        ),
    ),
)


def of(columns: Columns, preamble: Sequence[str]) -> Platform | None:
    """Return whose export a list of costs is; None where it is a list of one's own."""
    if (
        "campaign" not in columns
        or "amount" not in columns
        or any(name in columns for name in ("direct", "hours", "material"))
    ):
        return None
    names = {words.fold(name) for name in columns.header} | {
        words.fold(words.bare(name)) for name in columns.header
    }
    amount = {words.fold(columns.column("amount")), words.fold(columns.plain("amount"))}
    if any(line.lstrip('"').casefold().startswith("report name:") for line in preamble):
        return next(platform for platform in PLATFORMS if platform.key == "microsoft")
    return next((p for p in PLATFORMS if amount & p.amounts and names & p.beside), None)
