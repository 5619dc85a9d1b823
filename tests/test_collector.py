"""What web pages may report, and what nobody may: no row, no number, no address is had for it."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError
from werkzeug.test import Client, TestResponse

from tests.cast import ACME_DESK, SEARCH_NUMBER, moment
from tests.conftest import ON_BOTH
from tracking import collector
from tracking.collector import Collector, keeper
from tracking.collector.crowd import NEW_AN_HOUR, VIEWS_A_MINUTE, WIDER, Crowd, is_bot
from tracking.records import campaigns, sites, visits
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Lease, Site, SiteHour, Visitor, WebVisit
from tracking.storage.vocabulary import Medium
from tracking.telephony import numbers, pools

ON_SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
NOON = moment("2026-03-02 12:00")
ORIGIN = "https://www.acme.example"
BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)


class Web:
    """Pages of Acme's site, and what is asked in their name."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine = engine
        self.app = Collector(engine, settings, lambda: self.now)
        self.client = Client(self.app)
        self.now = NOON
        self.key = ""

    def set_up(self, size: int = 2, *, consent: bool = False) -> None:
        with db.transaction(self.engine) as session:
            given: dict[str, Any] = {"origins": [ORIGIN], "number": ACME_DESK, "consent": consent}
            site = sites.add(session, "Shop", at=NOON, **given)
            self.key = site.key
            for place in range(size):
                row = numbers.add(session, f"+467017406{10 + place}", at=NOON, provider="twilio")
                pools.put(session, site, row, at=NOON)
            ads = campaigns.add(session, "Spring", "paid search", at=NOON, utm_campaign="spring")
            piece = campaigns.add_material(session, ads, "Page", medium=Medium.online, at=NOON)
            row = numbers.add(session, SEARCH_NUMBER, at=NOON, provider="twilio")
            numbers.assign(session, row, piece, starts_at=NOON - timedelta(days=1))

    def post(
        self, body: Any, headers: dict[str, str] | None = None, place: str = "203.0.113.7"
    ) -> TestResponse:
        told = {"Origin": ORIGIN, "User-Agent": BROWSER} | (headers or {})
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        environ = {"REMOTE_ADDR": place}
        return self.client.post(f"/c/{self.key}/view", data=data, headers=told, environ_overrides=environ)

    def view(self, query: str = "", *, headers: dict[str, str] | None = None, place: str = "203.0.113.7",
             **said: Any) -> dict[str, Any]:  # fmt: skip
        answer = self.post({"p": f"{ORIGIN}/pumps{query}", "r": "", "f": 1} | said, headers, place)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json or {}
        return told

    def sums(self) -> dict[str, int]:
        """What is counted of the site, once all is written."""
        self.app.keeper.close()
        names = ("views", "swapped", "leased", "overflow", "unidentified", "bots", "refused", "capped")
        with db.reading(self.engine) as session:
            rows = session.scalars(select(SiteHour)).all()
            return {name: total for name in names if (total := sum(getattr(row, name) for row in rows))}

    def stored(self) -> int:
        with db.reading(self.engine) as session:
            return sum(len(session.scalars(select(kind)).all()) for kind in (Visitor, WebVisit, Lease))


@pytest.fixture
def web(engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setattr(keeper, "PATIENCE_S", 600.0)
    found = Web(engine, settings)
    yield found
    found.app.keeper.close()


@ON_BOTH
def test_a_visitor_is_shown_a_number_of_his_own_and_keeps_it(web: Web) -> None:
    web.set_up()
    first = web.view("?utm_source=google&utm_medium=cpc&utm_campaign=spring")
    assert (first["k"], first["n"]["e"], first["n"]["t"]) == ("pool", "+46701740610", "070-174 06 10")
    assert first["n"]["i"] == "+46 70 174 06 10"
    second = web.view(v=first["v"], r=f"{ORIGIN}/pumps")
    assert (second["n"], second["v"]) == (first["n"], first["v"])
    assert web.view(place="203.0.113.8")["n"]["e"] == "+46701740611"
    full = web.view("?utm_campaign=spring", place="203.0.113.9")
    assert (full["k"], full["n"]["e"]) == ("static", SEARCH_NUMBER), (
        "its source's number when the pool is empty"
    )
    assert web.view(place="203.0.113.10")["n"] is None
    with db.reading(web.engine) as session:
        counted = visits.by_source(session)
    assert sorted(counted, key=str) == [("direct", None, 2), ("paid search", "Spring", 2)]
    assert web.sums() == {"views": 5, "swapped": 4, "leased": 2, "overflow": 2}


@ON_SQLITE
def test_without_consent_nothing_tells_one_visitor_from_another(web: Web) -> None:
    web.set_up(consent=True)
    before = web.view("?utm_campaign=spring", c=0)
    assert (before["k"], before["n"]["e"], before["v"]) == ("static", SEARCH_NUMBER, None)
    assert web.stored() == 0
    after = web.view("?utm_campaign=spring", c=1, a=1)
    assert after["k"] == "pool"
    with db.reading(web.engine) as session:
        assert visits.by_source(session) == [("paid search", "Spring", 1)], "counted once, not twice"
    assert web.sums() == {"views": 1, "swapped": 1, "leased": 1, "unidentified": 1}


@ON_SQLITE
@pytest.mark.parametrize("asks", [{"Sec-GPC": "1"}, {"DNT": "1"}])
def test_a_browser_that_asks_not_to_be_followed_is_not(web: Web, asks: dict[str, str]) -> None:
    web.set_up()
    token = web.view()["v"]
    told = web.view("?utm_campaign=spring", v=token, headers=asks)
    assert (told["k"], told["v"]) == ("static", None)
    assert web.stored() == 3, "the visitor of before, his visit and his lease"


@ON_SQLITE
def test_programs_are_counted_apart_and_cost_no_number(web: Web) -> None:
    web.set_up()
    for agent in (
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        BROWSER.replace("Chrome/", "HeadlessChrome/"),
        "curl/8.5.0",
        "",
    ):
        assert web.view(headers={"User-Agent": agent})["n"] is None
    assert web.view(w=1)["n"] is None
    assert web.stored() == 0
    assert web.sums() == {"bots": 5}
    assert not is_bot(BROWSER)


@ON_SQLITE
def test_ten_thousand_visitors_from_one_address_cost_next_to_nothing(web: Web) -> None:
    web.set_up(size=2)
    seen = [web.post({"p": f"{ORIGIN}/", "r": "", "f": 1}).status_code for _ in range(1000)]
    assert seen.count(200) == VIEWS_A_MINUTE
    assert seen.count(429) == 1000 - VIEWS_A_MINUTE
    assert web.stored() == NEW_AN_HOUR * 2 + 1, "visitors, visits, and one lease: half of the pool"
    assert web.view(place="198.51.100.9")["k"] == "pool", "the other half is left for everybody else"
    sums = web.sums()
    assert (sums["refused"], sums["capped"]) == (1000 - NEW_AN_HOUR, NEW_AN_HOUR - 1)
    assert sums.get("overflow") is None, "the pool is as large as it has to be"


def test_an_address_is_counted_by_its_customer_s_network_and_stands_nowhere() -> None:
    crowd = Crowd()
    for place in ("2001:db8:1:2::a", "2001:db8:1:2:ffff::b"):
        for _ in range(NEW_AN_HOUR // 2):
            assert crowd.may_be_new(place)
    assert not crowd.may_be_new("2001:db8:1:2::c")
    assert crowd.may_be_new("2001:db8:1:3::a")
    for number in range(WIDER * NEW_AN_HOUR - NEW_AN_HOUR - 1):
        assert crowd.may_be_new(f"2001:db8:1:{number + 9:x}::a")
    assert not crowd.may_be_new("2001:db8:1:ffff::a"), "nobody gets more by taking network after network"
    assert crowd.may_be_new("2001:db8:2:1::a")
    for _ in range(NEW_AN_HOUR):
        assert crowd.may_be_new("::ffff:203.0.113.7")
    assert not crowd.may_be_new("203.0.113.7"), "the same, written otherwise"
    assert crowd.may_be_new("203.0.113.8")
    assert "203.0.113" not in repr(crowd.__dict__)


def test_one_address_holds_half_of_a_pool_at_most_and_whoever_holds_a_number_keeps_it() -> None:
    crowd = Crowd()

    def may(address: str, token: str, pool: int = 5) -> bool:
        return crowd.may_hold(address, token, "shop", pool=pool, minutes=20)

    assert [may("203.0.113.7", token) for token in "abcab"] == [True, True, False, True, True]
    assert may("203.0.113.8", "c")
    assert crowd.may_hold("203.0.113.7", "c", "another site", pool=5, minutes=20)
    assert [may(f"2001:db8:1:{n}::a", f"v{n}") for n in range(3)] == [True, True, False]
    assert may("198.51.100.9", "d", pool=1), "of one number anybody may hold it"


FORGED = {
    "foreign origin": ({}, {"Origin": "https://evil.example"}, 403),
    "no origin": ({}, {"Origin": ""}, 403),
    "origin with a path": ({}, {"Origin": f"{ORIGIN}/"}, 403),
    "a page of another site": ({"p": "https://evil.example/"}, {}, 400),
    "no page": ({"p": ""}, {}, 400),
    "no address": ({"p": "javascript:alert(1)"}, {}, 400),
    "a number for a page": ({"p": 7}, {}, 400),
    "a referrer that is none": ({"r": "http://[::1"}, {}, 400),
    "a forged token": ({"v": "A" * 22 + "." + "0" * 24}, {}, 400),
    "a script for a token": ({"v": "<script>alert(1)</script>"}, {}, 400),
    "a token in a list": ({"v": ["x"]}, {}, 400),
    "a click id without end": ({"p": f"{ORIGIN}/?gclid={'x' * 600}"}, {}, 400),
    "zero in a text": ({"r": "https://a.example/\0"}, {}, 400),
    "a count below zero": ({"f": -1}, {}, 400),
    "consent in words": ({"c": "yes"}, {}, 400),
}  # fmt: skip


@ON_SQLITE
@pytest.mark.parametrize("case", FORGED)
def test_what_no_page_of_ours_sends_is_refused_counted_and_leaves_nothing(web: Web, case: str) -> None:
    web.set_up()
    said, headers, status = FORGED[case]
    answer = web.post({"p": f"{ORIGIN}/", "r": "", "f": 1} | said, headers)  # type: ignore[operator]
    assert answer.status_code == status
    assert "Access-Control-Allow-Origin" not in answer.headers or status == 400
    assert web.stored() == 0
    assert web.sums() == {"refused": 1}


@ON_SQLITE
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"7", b'"x"', b"\xff\xfe", b"[" * 9000, b"x" * 20_000,
     b'{"p": "https://www.acme.example/\\ud800"}', b'{"p": "https://www.acme.example/", "v": "\\ud800"}'],
)  # fmt: skip
def test_a_body_that_is_no_report_is_refused(web: Web, body: bytes) -> None:
    web.set_up()
    assert web.post(body).status_code in (400, 413)
    assert web.stored() == 0
    assert web.sums() == {"refused": 1}


@ON_SQLITE
def test_an_unknown_site_address_or_method_is_none(web: Web) -> None:
    web.set_up()
    known, web.key = web.key, "0" * 12
    assert web.post({"p": f"{ORIGIN}/"}).status_code == 404
    for path in ("/c/", "/c/x/view", f"/c/{known}/viewer", f"/c/{known}/view/", "/c/99/swap.js", "/c/1/../x"):
        assert web.client.get(path).status_code == 404, path
    assert web.client.get(f"/c/{known}/view").status_code == 405
    assert web.stored() == 0


@ON_SQLITE
def test_an_invented_campaign_stays_a_text_and_a_script_a_path(web: Web) -> None:
    web.set_up()
    web.view("?rt=987654&utm_campaign=%3Cscript%3Ealert(1)%3C/script%3E&utm_source='%20OR%201=1")
    with db.reading(web.engine) as session:
        row = session.scalars(select(WebVisit)).one()
        assert (row.campaign_id, row.utm_campaign) == (None, "<script>alert(1)</script>")
        assert row.landing_page == "acme.example/pumps"


@ON_SQLITE
def test_while_the_database_is_away_pages_keep_their_number_and_views_are_counted_afterwards(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.set_up()
    token = web.view()["v"]
    sound = db.commit

    def away(*_: Any) -> Any:
        raise OperationalError("INSERT", {}, Exception("away"))

    monkeypatch.setattr(db, "commit", away)
    later = {"n": None, "k": "own", "v": None, "l": 1}
    assert web.view("?utm_campaign=spring", v=token) == later
    assert web.view("?utm_campaign=spring") == later
    web.app.keeper.close()
    monkeypatch.setattr(db, "commit", sound)
    with db.reading(web.engine) as session:
        assert sum(row.views for row in session.scalars(select(SiteHour))) == 1
    again = Collector(web.engine, web.app.keeper._settings, lambda: NOON)
    assert again.keeper.drain() == 2
    with db.reading(web.engine) as session:
        assert sum(row.views for row in session.scalars(select(SiteHour))) == 3
        assert len(session.scalars(select(Lease)).all()) == 1, "nobody is shown a number for it"
        assert ("paid search", "Spring", 2) in visits.by_source(session)


@ON_SQLITE
def test_a_page_view_that_no_database_takes_holds_up_no_other_one(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.set_up()
    sound = db.commit

    def away(*_: Any) -> Any:
        raise OperationalError("INSERT", {}, Exception("away"))

    monkeypatch.setattr(db, "commit", away)
    monkeypatch.setattr(collector, "_is_text", lambda _: True)
    web.post(b'{"p": "https://www.acme.example/\\ud800", "f": 1}')
    web.view("?utm_campaign=spring")
    web.app.keeper.close()
    monkeypatch.setattr(db, "commit", sound)
    again = Collector(web.engine, web.app.keeper._settings, lambda: NOON)
    again.keeper.drain()
    with db.reading(web.engine) as session:
        assert sum(row.views for row in session.scalars(select(SiteHour))) == 1
    assert again.keeper.drain() == 0, "what cannot be kept is set apart"


@ON_SQLITE
def test_a_site_is_known_without_the_database(engine: Engine, settings: Settings) -> None:
    web = Web(engine, settings)
    web.set_up()
    web.view()
    web.app.keeper.close()
    (settings.data_dir / "ringtrail.db").rename(settings.data_dir / "away.db")
    again = Collector(db.connect(settings), settings, lambda: NOON)
    assert again._known.by_key(web.key) is not None


@ON_SQLITE
def test_a_token_is_of_one_site_and_of_nobody_else_s_making(web: Web) -> None:
    token = sites.new_token("abc")
    assert sites.is_ours("abc", token)
    assert not sites.is_ours("abd", token)
    assert not sites.is_ours("abc", token[:-1] + ("0" if token[-1] != "0" else "1"))
    assert not sites.is_ours("abc", "")
    assert sites.token_hash(token) == sites.token_hash(token)


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ("https://www.acme.example/", "https://www.acme.example"),
        ("HTTPS://WWW.Acme.Example:443", "https://www.acme.example"),
        ("http://127.0.0.1:8080/x?y", "http://127.0.0.1:8080"),
        ("https://pumpen-müller.example", "https://xn--pumpen-mller-klb.example"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(told: str, wanted: str) -> None:
    assert sites.origin(told) == wanted


@ON_SQLITE
def test_the_script_is_small_never_changes_and_may_be_had_by_every_page(web: Web) -> None:
    answer = web.client.get(f"/c/{collector.SCRIPT}/swap.js", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert len(answer.data) <= 8192
    assert gzip.decompress(answer.data) == collector.script("swap")
    # Pages out there name the hash of the version that they have.
    for name, digest in (
        ("swap", "bac27b264f2889db7674a36cf4edc2745b57b1f224323b2a305b8aee7c5735e8"),
        ("forms", "e0131692299633de2c92b51eec6e595d183f559a41492549f7997a4ff89acd11"),
    ):
        assert hashlib.sha384(web.client.get(f"/c/1/{name}.js").data).hexdigest()[:64] == digest
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    with db.reading(web.engine) as session:
        assert session.scalars(select(Site)).all() == []
