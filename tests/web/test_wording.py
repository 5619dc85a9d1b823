"""How pages write money, shares, counts and moments, by language."""

from datetime import date

import pytest
from flask import Flask

from tests.cast import moment
from tracking.language import formatting
from tracking.storage.config import Settings


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("language", "small", "large", "share", "count", "at", "day"),
    [
        ("en", "€84.50", "€32,400", "12.5%", "1,234.5", "Mar 29, 2026 01:30", "Mar 29, 2026"),
        ("en-GB", "€84.50", "€32,400", "12.5%", "1,234.5", "29 Mar 2026 01:30", "29 Mar 2026"),
        ("sv", "84,50 €", "32 400 €", "12,5 %", "1 234,5", "29 mars 2026 01:30", "29 mars 2026"),
        ("ru", "84,50 €", "32 400 €", "12,5 %", "1 234,5", "29 мар. 2026 г. 01:30", "29 мар. 2026 г."),
        ("zh", "€84.50", "€32,400", "12.5%", "1,234.5", "2026年3月29日 01:30", "2026年3月29日"),
    ],
)
def test_figures_are_written_as_each_language_writes_them(
    office: Flask,
    settings: Settings,
    language: str,
    small: str,
    large: str,
    share: str,
    count: str,
    at: str,
    day: str,
) -> None:
    def plain(text: str) -> str:
        return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")

    told = settings.model_copy(update={"timezone": "Europe/Stockholm"})
    with office.test_request_context("/", headers={"Accept-Language": language}):
        assert plain(formatting.amount(8450, "EUR")) == small
        assert plain(formatting.amount(3_240_000, "EUR")) == large
        assert plain(formatting.share(0.125)) == share
        assert plain(formatting.count(1234.5)) == count
        assert plain(formatting.moment(moment("2026-03-29 00:30").replace(hour=0), told)) == at.replace(
            "01:30", "01:30"
        )
        assert plain(formatting.day(date(2026, 3, 29))) == day


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_what_is_unknown_is_a_dash_and_yen_have_no_decimals(office: Flask) -> None:
    with office.test_request_context("/", headers={"Accept-Language": "en"}):
        assert formatting.amount(None, "EUR") == formatting.share(None) == formatting.count(None) == "–"
        told = [formatting.chance(of) for of in (None, 0.0, 0.005, 0.01, 0.496, 0.99, 0.995, 1.0)]
        end = "%"
        wanted = ["< 1", "< 1", "1", "50", "99", "> 99", "> 99"]
        assert told == ["–", *(figure + end for figure in wanted)]
        told = [formatting.share(of) for of in (0.999, 9.5524, 64.085)]
        assert told == [figure + end for figure in ("99.9", "955.2", "6,408")]
        assert formatting.amount(500, "JPY") == "¥500"
        assert formatting.exact(3_240_001, "EUR") == "€32,400.01"
