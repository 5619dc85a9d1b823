"""Whatever stands in an address, a page answers: with what was asked, or with what is wrong about it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from tests.cast import CATALOGUE_NUMBER, moment
from tests.web.people import form
from tracking import web
from tracking.records import campaigns
from tracking.storage import db
from tracking.telephony import numbers

Enter = Callable[[str], FlaskClient]
STRANGE = [
    "9999-12-31", "0001-01-01", "10000-01-01", "2026-02-30", "2026-01-01T00:00:00+99:99", "-1", "9" * 20,
    "1_000_000_000_000_000_000_000", "1e400", "nan", "inf", "\0", "a\nb", "\r\nSet-Cookie: a=b", "x" * 9000,
    "'", "%", "{}", "<b>", "２０２６-01-01", "\u202e", "no such thing", " ", "http://[", "/\t/drift.example",
]  # fmt: skip


def names() -> list[str]:
    """The names of all that a page reads out of its address or a form sends."""
    sources = [path.read_text() for path in Path(web.__file__).parents[1].rglob("*.py")]
    forms = [path.read_text() for path in Path(web.__file__).parent.rglob("*.html")]
    read = re.findall(r'\.get(?:list)?\(\s*"(\w+)"|(?:day|moment|text)\("(\w+)"', "".join(sources))
    return sorted(
        {name for pair in read for name in pair if name} | set(re.findall(r'name="(\w+)"', "".join(forms)))
    )


@pytest.fixture
def addresses(office: Flask, engine: Engine) -> list[str]:
    """All pages that are read, each of the first record of its kind."""
    with db.transaction(engine) as session:
        campaigns.add(session, "Fair", "fair", at=moment("2026-01-01"))
        numbers.add(session, CATALOGUE_NUMBER, at=moment("2026-01-01"), provider="twilio")
    rules = [
        r for r in office.url_map.iter_rules() if "GET" in (r.methods or ()) and "static" not in r.endpoint
    ]
    return sorted(
        {re.sub(r"<[^>]+>", "1", r.rule) for r in rules if not r.endpoint.startswith(("openapi", "api_"))}
    )


def test_no_page_breaks_over_what_stands_in_its_address(addresses: list[str], signed_in: Enter) -> None:
    """All names at once, then alone those that decide first what a page shows.

    A page gets a third of the values, the next page the next third: parameters are read by the same code.
    """
    client = signed_in("administrator")
    whole = [dict.fromkeys(names(), value) for value in STRANGE]
    alone = [
        {name: value}
        for names_, values in (
            (("from", "to"), ("9999-12-31", "0001-01-01", "no such thing")),
            (("campaign", "channel", "skip", "call"), ("9" * 20, "no such thing")),
        )
        for name in names_
        for value in values
    ]
    for place, path in enumerate(addresses):
        for query in [*whole[place % 3 :: 3], *alone]:
            answer = client.get(path, query_string=query)
            assert answer.status_code < 500, (
                f"{path}: {list(query)[:3]} = {next(iter(query.values()))[:40]!r}"
            )
            assert "a=b" not in str(answer.headers)
            answer.close()


def test_no_form_breaks_over_what_is_filled_in(office: Flask, addresses: list[str], signed_in: Enter) -> None:
    """Each form by itself, with all names and another two of the values."""
    client = signed_in("administrator")
    rules = sorted(
        re.sub(r"<[^>]+>", "1", rule.rule)
        for rule in office.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and rule.endpoint.startswith("web.")
    )
    assert len(rules) > 50
    token, fields = form(client.get("/account").text), names()
    rules.remove("/account/sign-out-everywhere")
    for place, path in enumerate(rules):
        for value in (STRANGE[place % len(STRANGE)], STRANGE[(place * 7 + 3) % len(STRANGE)]):
            answer = client.post(path, data=dict.fromkeys(fields, value) | token)
            assert answer.status_code < 500, f"{path}: {value[:40]!r}"
            assert "/sign-in" not in (answer.location or ""), path
            answer.close()


def test_a_field_without_a_name_is_refused(office: Flask) -> None:
    for about in ("", '; filename="a.csv"'):
        part = f"--x\r\nContent-Disposition: form-data{about}\r\n\r\na\r\n--x--"
        for path in ("/sign-in", "/campaigns", "/nowhere"):
            answer = office.test_client().post(
                path, data=part.encode(), content_type="multipart/form-data; boundary=x"
            )
            assert answer.status_code < 500, path


@pytest.mark.parametrize(("path", "said"), [
    ("/roi?to=9999-12-31", "must be between the years 1900 and 2200"),
    ("/roi/trends?campaign=No+such", "No such is not an option"),
    ("/roi/trends?channel=No+such", "No such is not an option"),
    ("/numbers?skip=99999999999999999999", "is too large"),
    ("/companies?q=%00", "contains an invalid character"),
])  # fmt: skip
def test_what_is_wrong_with_an_address_is_said(
    addresses: list[str], signed_in: Enter, path: str, said: str
) -> None:
    answer = signed_in("administrator").get(path)
    assert said in answer.text
    assert answer.status_code == 422


@pytest.mark.parametrize("number", [1 << 53, 1 << 63, 10**40])
def test_a_record_with_an_impossible_number_is_not_there(
    office: Flask, signed_in: Enter, number: int
) -> None:
    client = signed_in("administrator")
    rules = [r.rule for r in office.url_map.iter_rules() if "<int:" in r.rule and "GET" in (r.methods or ())]
    for rule in rules:
        if not rule.startswith("/api"):
            assert client.get(re.sub(r"<int:\w+>", str(number), rule)).status_code == 404, rule


@pytest.mark.parametrize("settings", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize(
    "path", ["/companies?q=%00", "/companies/9223372036854775808", "/calls?campaign=%00"]
)
def test_what_one_database_would_choke_on_reaches_neither(signed_in: Enter, path: str) -> None:
    assert signed_in("administrator").get(path).status_code in (404, 422)
