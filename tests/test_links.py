"""Short links: they lead on with their tags and nowhere else, are counted, and outlive the database."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tests.cast import moment
from tests.imports import import_table
from tracking.app import create_app
from tracking.errors import Conflict, Invalid
from tracking.records import campaigns, links, visits
from tracking.records.visits import FOLLOWED
from tracking.reporting import spending
from tracking.shortlinks import ShortLinks
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import AdMaterial, LinkCount, ShortLink, VisitCount
from tracking.storage.vocabulary import Medium

NOW = moment("2026-03-02 09:00")
PUMPS = "https://www.acme.example/pumps"
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


@pytest.fixture
def material(session: Session) -> AdMaterial:
    catalogue = campaigns.add(session, "Catalogue 2026", "print", at=NOW)
    return campaigns.add_material(session, catalogue, "Spring", at=NOW, medium=Medium.print)


def add(session: Session, material: AdMaterial, target: str = PUMPS, **more: object) -> ShortLink:
    return links.add(session, material, target, at=NOW, by="mikael@acme.example", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        (PUMPS, f"{PUMPS}?utm_source=Spring&utm_medium=print&utm_campaign=Catalogue%202026"),
        (
            f"{PUMPS}?size=2",
            f"{PUMPS}?size=2&utm_source=Spring&utm_medium=print&utm_campaign=Catalogue%202026",
        ),
        (
            f"{PUMPS}?UTM_Source=own#top",
            f"{PUMPS}?UTM_Source=own&utm_medium=print&utm_campaign=Catalogue%202026#top",
        ),
        ("HTTPS://acme.example/å b", None),
        (
            "https://räksmörgås.example/ö?q=å",
            "https://xn--rksmrgs-5wao1o.example/%C3%B6?q=%C3%A5&utm_source=Spring&utm_medium=print"
            "&utm_campaign=Catalogue%202026",
        ),
    ],
)
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_link_leads_to_its_page_with_tags_and_keeps_query_and_fragment(
    session: Session, material: AdMaterial, target: str, leads_to: str | None
) -> None:
    if leads_to is None:
        with pytest.raises(Invalid, match="not a web address"):
            add(session, material, target)
    else:
        assert links.address(add(session, material, target)) == leads_to


@pytest.mark.parametrize(
    "target",
    [
        "", "javascript:alert(1)", "ftp://acme.example", "//evil.example", "/pumps", "https://",
        "https://acme.example@evil.example/", "https://acme.example\\@evil.example",
        "https://a\r\nSet-Cookie: x",
        "data:text/html,x", "https://acme.example:x/", f"https://acme.example/{'x' * 2000}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_what_is_no_page_of_the_web_is_refused(session: Session, material: AdMaterial, target: str) -> None:
    with pytest.raises(Invalid) as refused:
        add(session, material, target)
    assert refused.value.field == "target"


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_slug_is_short_plain_and_used_once(session: Session, material: AdMaterial) -> None:
    assert add(session, material, slug="Pumps-2026").slug == "pumps-2026"
    with pytest.raises(Conflict, match="pumps-2026 is in use"):
        add(session, material, slug="PUMPS-2026")
    for bad in ("a/b", "-a", "å", "a b", "x" * 61):
        with pytest.raises(Invalid, match="slug"):
            add(session, material, slug=bad)
    assert len({add(session, material).slug for _ in range(20)}) == 20


@pytest.fixture
def site(
    settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[FlaskClient, ShortLinks]]:
    """An installation with the link ``pumps``, at nine in the morning of 2 March."""
    monkeypatch.setattr("tracking.clock.now", lambda: NOW)
    with db.transaction(engine) as session:
        fair = campaigns.add(session, "Fair 2026", "fair", at=NOW)
        stand = campaigns.add_material(session, fair, "Stand", at=NOW, medium=Medium.fair)
        add(session, stand, slug="pumps")
        add(session, stand, slug="old", expires_on=date(2026, 3, 1))
    app = create_app(settings, engine)
    yield app.test_client(), app.extensions["ringtrail"]["links"]
    app.extensions["ringtrail"]["links"].close()
    app.extensions["ringtrail"]["inbox"].close()


def counted(engine: Engine) -> dict[bool, int]:
    with db.reading(engine) as session:
        return dict(session.execute(select(LinkCount.bots, LinkCount.visits)).all())  # type: ignore[arg-type]


def test_people_are_counted_as_visits_of_the_campaign_in_that_day_and_programs_apart(
    site: tuple[FlaskClient, ShortLinks], engine: Engine
) -> None:
    client, followed = site
    for _ in range(3):
        reply = client.get("/l/PUMPS", headers=BROWSER)
        assert (reply.status_code, reply.headers["Cache-Control"]) == (302, "no-store")
    assert reply.location.startswith(f"{PUMPS}?utm_source=Stand&utm_medium=trade")
    client.get("/l/pumps", headers={"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"})
    client.get("/l/pumps", headers={"User-Agent": "WhatsApp/2.23.20.0"})
    client.get("/l/pumps", headers=BROWSER | {"Sec-Purpose": "prefetch;prerender"})
    client.head("/l/pumps", headers=BROWSER)
    followed.close()
    assert counted(engine) == {False: 3, True: 2}
    with db.reading(engine) as session:
        assert visits.by_source(session) == [("fair", "Fair 2026", 3)]
        (told,) = visits.counted(session)
        assert (told.counted_by, told.only_campaigns, told.first) == (FOLLOWED, True, date(2026, 3, 2))


def test_a_day_that_another_system_counts_is_not_counted_twice(
    site: tuple[FlaskClient, ShortLinks], engine: Engine
) -> None:
    client, followed = site
    client.get("/l/pumps", headers=BROWSER)
    followed.close()
    file = "date,visits,channel\n2026-03-02,40,direct\n"
    assert import_table(engine, "visits", file).created == 1, "a short link stands in no file's way"
    with db.reading(engine) as session:
        assert visits.by_source(session) == [("direct", None, 40)]
        assert spending.visits(session)["visits"].to_pylist() == [40]
        assert session.scalar(select(VisitCount.visits).where(VisitCount.counted_by == FOLLOWED)) == 1


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_expired_and_unknown_links_say_so_in_the_visitors_language_under_any_name_of_ours(
    site: tuple[FlaskClient, ShortLinks],
) -> None:
    client, _ = site
    gone = client.get("/l/old", headers={"Accept-Language": "sv", "Host": "acme.link"})
    assert (gone.status_code, "Den här länken har gått ut" in gone.text) == (410, True)
    unknown = client.get("/l/nothing", headers={"Host": "acme.link"})
    assert (unknown.status_code, "This link does not lead anywhere" in unknown.text) == (404, True)
    assert client.get("/l/pumps", headers={"Host": "acme.link"}).status_code == 302
    for path in (
        "/l/",
        "/l/https://evil.example",
        "/l/pumps//evil.example",
        "/l/%0d%0aLocation:x",
        "/l/../x",
    ):
        assert client.get(path).status_code in (404, 308), path
        assert "evil" not in client.get(path).headers.get("Location", "")
    assert client.post("/l/pumps").status_code == 405


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_links_lead_on_while_the_database_is_away_and_their_visits_are_counted_when_it_is_back(
    site: tuple[FlaskClient, ShortLinks],
    settings: Settings,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    client, followed = site
    real = db.commit

    def away(*_: object, **__: object) -> None:
        raise OperationalError("", {}, Exception("away"))

    monkeypatch.setattr("tracking.shortlinks.db.commit", away)
    assert client.get("/l/pumps", headers=BROWSER).status_code == 302
    nowhere = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/no/such/place.db"})
    other = db.connect(nowhere)
    fresh = ShortLinks(lambda *_: [], other, settings, lambda: NOW)
    heads: list[str] = []
    fresh({"PATH_INFO": "/l/pumps", "REQUEST_METHOD": "HEAD"}, lambda status, _: heads.append(status))  # type: ignore[arg-type,return-value]
    assert heads == ["302 Found"], "a process that starts without the database has the copy on the disk"
    other.dispose()
    monkeypatch.setattr("tracking.shortlinks.db.commit", real)
    followed.close()
    assert counted(engine) == {False: 1}


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_what_another_process_changes_is_followed_within_seconds(
    site: tuple[FlaskClient, ShortLinks], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = site
    monkeypatch.setattr("tracking.shortlinks._AGAIN_S", 0.0)
    with db.transaction(engine) as session:
        add(session, session.scalars(select(AdMaterial)).one(), "https://acme.example/new", slug="new")
    assert client.get("/l/new").location.startswith("https://acme.example/new?")
    with db.transaction(engine) as session:
        links.change(session, links.get(session, "new"), expires_on=NOW.date() - timedelta(days=1))
    monkeypatch.setattr("tracking.shortlinks._FRESH_S", 0.0)
    while client.get("/l/new").status_code != 410:
        pass
