"""The marketer's pages without a browser: campaigns, material, numbers, sheets and costs."""

import gc
import io
import re
import subprocess
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import Engine, select
from sqlalchemy.orm import selectinload

from tests.cast import ACME_DESK, CATALOGUE_NUMBER, FAIR_NUMBER, today
from tests.web.people import be_public, form
from tests.web.ringing import CATALOGUE, advertise, ring
from tracking import clock
from tracking.records import sites
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import AdMaterial, Call, Campaign, Cost, NumberAssignment, TrackingNumber
from tracking.storage.vocabulary import Medium, NumberStatus
from tracking.telephony import numbers, pools

Enter = Callable[[str], FlaskClient]
SCRIPT = '<script>alert(1)</script>" onload="alert(2)'
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8cfc0f01f"
    "0005000201a5f645400000000049454e44ae426082"
)
FAIR = {"name": "Fair 2027", "channel": "fair", "direction": "outbound"}


def sent(client: FlaskClient, path: str, **fields: str) -> tuple[int, str]:
    answer = client.post(path, data=form(client.get("/account").text, **fields))
    return answer.status_code, answer.text


def campaign_id(engine: Engine, name: str = CATALOGUE) -> int:
    with db.reading(engine) as session:
        return session.scalars(select(Campaign.id).where(Campaign.name == name)).one()


def held(engine: Engine) -> dict[str, str]:
    """Return which number is on which material now."""
    with db.reading(engine) as session:
        rows = session.scalars(
            select(NumberAssignment)
            .where(NumberAssignment.ends_at.is_(None))
            .options(selectinload(NumberAssignment.tracking_number))
        )
        return {row.ad_material.name: row.tracking_number.number for row in rows}


def test_a_campaign_gets_material_and_a_number_in_two_clicks(signed_in: Enter, engine: Engine) -> None:
    client = signed_in("marketer")
    assert (
        sent(client, "/numbers/new", numbers=f"{CATALOGUE_NUMBER}\n070-174 06 06", provider="twilio")[0]
        == 303
    )
    details = {"budget_minor": "12 000", "currency": "SEK", "targets": "leads: 40\nbrand searches: 1000"}
    assert sent(client, "/campaigns/new", **FAIR, **details)[0] == 303
    row = campaign_id(engine, "Fair 2027")
    piece = {"name": "Stand wall", "medium": "fair", "print_run": "1", "issued_on": "2027-01-01"}
    assert sent(client, f"/campaigns/{row}/material", **piece)[0] == 303
    page = client.get(f"/campaigns/{row}").text
    assert f"Assign {CATALOGUE_NUMBER}" in page
    [button] = re.findall(r'action="(/material/\d+/number)"', page)
    assert sent(client, button)[0] == 303
    assert held(engine) == {"Stand wall": CATALOGUE_NUMBER}
    with db.reading(engine) as session:
        made = session.get_one(Campaign, row)
        assert (made.budget_minor, made.currency) == (1_200_000, "SEK")
        assert made.targets == {"leads": 40.0, "brand searches": 1000.0}


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("name", "", "enter a name"),
        ("channel", " ", "enter a name"),
        ("direction", "sideways", "is not an option"),
        ("budget_minor", "much", "is not an amount"),
        ("budget_minor", "-1", "must be 0 or more"),
        ("currency", "EURO", "is not a currency code"),
        ("targets", "forty leads", "write it as leads: 40"),
        ("starts_on", "spring", "is not a date"),
        ("name", CATALOGUE, "already"),
    ],
)
def test_what_is_wrong_with_a_campaign_is_said_at_its_field(
    signed_in: Enter, engine: Engine, field: str, value: str, reason: str
) -> None:
    advertise(engine, clock.now())
    given = FAIR | {"budget_minor": "5", "objective": "keep me"} | {field: value}
    status, page = sent(signed_in("marketer"), "/campaigns/new", **given)
    assert status in (409, 422)
    assert reason in page
    assert "keep me" in page


def test_many_pieces_get_a_number_each_or_none_does(signed_in: Enter, engine: Engine) -> None:
    advertise(engine, clock.now())
    client, row = signed_in("marketer"), campaign_id(engine)
    pages = "Page 4\nPage 5\n\nPage 6\n"
    status, page = sent(client, f"/campaigns/{row}/bulk", names=pages, medium="print")
    assert status == 409
    assert "3 assets need a number and only 0 are available; add 3 more numbers first" in page
    stock = "\n".join(f"+4670174062{n}" for n in range(3))
    sent(client, "/numbers/new", numbers=stock, provider="cdr")
    assert sent(client, f"/campaigns/{row}/bulk", names="Page 4\nPage 4", medium="print")[0] == 422
    assert sent(client, f"/campaigns/{row}/bulk", names=pages, medium="print")[0] == 303
    assert sorted(set(held(engine)) - {f"{CATALOGUE}, first", "Pump fair, first"}) == [
        "Page 4",
        "Page 5",
        "Page 6",
    ]


def test_a_released_number_rests_and_cannot_be_taken_again(signed_in: Enter, engine: Engine) -> None:
    advertise(engine, clock.now())
    client = signed_in("marketer")
    with db.reading(engine) as session:
        number = numbers.get(session, CATALOGUE_NUMBER).id
    assert sent(client, f"/numbers/{number}", do="release")[0] == 303
    page = client.get("/numbers").text
    assert "cooling off" in page
    assert CATALOGUE_NUMBER not in held(engine).values()
    assert sent(client, f"/numbers/{number}", do="release")[0] == 409
    ring(engine, "late", clock.now())
    page = client.get("/numbers").text
    assert f"1 call to {CATALOGUE_NUMBER}" in page
    assert f"It is cooling off after {CATALOGUE}, first" in page


def test_expired_material_that_still_rings_is_warned_of(signed_in: Enter, engine: Engine) -> None:
    advertise(engine, clock.now())
    with db.transaction(engine) as session:
        piece = session.scalars(select(AdMaterial).where(AdMaterial.medium == Medium.print)).one()
        piece.expires_on = today() - timedelta(days=30)
    ring(engine, "late", clock.now() - timedelta(days=1))
    assert f"came through {CATALOGUE}, {CATALOGUE}, first" in signed_in("viewer").get("/numbers").text


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_campaign_tells_its_latest_calls_and_gives_no_number_to_what_has_expired(
    signed_in: Enter, engine: Engine
) -> None:
    advertise(engine, clock.now())
    ring(engine, "late", clock.now() - timedelta(days=1))
    client, row = signed_in("marketer"), campaign_id(engine)
    sent(client, "/numbers/new", numbers="+46701740620", provider="cdr")
    for name, last in (("Old leaflet", "2020-01-31"), ("New leaflet", "")):
        sent(client, f"/campaigns/{row}/material", name=name, medium="print", expires_on=last)
    page = client.get(f"/campaigns/{row}").text
    assert re.search(r">Borealis Foods</a><span[^>]*>.*?<div class=\"right\">answered<", page)
    assert page.count("Assign +46701740620") == 1
    assert "until Jan 31, 2020" in page


def test_a_number_goes_out_of_service_and_back_and_rings_elsewhere(signed_in: Enter, engine: Engine) -> None:
    client = signed_in("marketer")
    sent(client, "/numbers/new", numbers=FAIR_NUMBER, provider="twilio", destination=ACME_DESK)
    with db.reading(engine) as session:
        number = numbers.get(session, FAIR_NUMBER).id
    for action, status in (("disable", NumberStatus.disabled), ("enable", NumberStatus.active)):
        assert sent(client, f"/numbers/{number}", do=action)[0] == 303
        with db.reading(engine) as session:
            assert session.get_one(TrackingNumber, number).status is status
    assert sent(client, f"/numbers/{number}", do="forward", destination=FAIR_NUMBER)[0] == 422, (
        "calls would loop"
    )
    assert sent(client, f"/numbers/{number}", do="eat")[0] == 422


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"numbers": ""}, "one number per line"),
        ({"numbers": "12"}, "is not a phone number"),
        ({"numbers": f"{FAIR_NUMBER}\n{FAIR_NUMBER}"}, "already"),
        ({"numbers": FAIR_NUMBER, "provider": ""}, "enter the provider"),
    ],
)
def test_of_numbers_with_one_that_is_wrong_none_is_added(
    signed_in: Enter, engine: Engine, fields: dict[str, str], reason: str
) -> None:
    status, page = sent(signed_in("marketer"), "/numbers/new", **{"provider": "cdr"} | fields)
    assert status == 422
    assert reason in page
    with db.reading(engine) as session:
        assert session.scalars(select(TrackingNumber)).all() == []


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_sheet_shows_the_number_and_two_codes_that_a_reader_understands(
    signed_in: Enter, engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    advertise(engine, clock.now())
    be_public(engine, settings)
    client = signed_in("marketer")
    with db.transaction(engine) as session:
        number = numbers.get(session, CATALOGUE_NUMBER).id
        piece = session.scalars(select(AdMaterial).where(AdMaterial.medium == Medium.print)).one()
        piece.name = "Каталог 来源 #let x = 1"
    content = client.get(f"/numbers/{number}/sheet.pdf").data
    text = PdfReader(io.BytesIO(content)).pages[0].extract_text()
    for words in ("070-174 06 05", "+46 70 174 06 05", CATALOGUE, "#let x = 1", "Каталог", "来源"):
        assert words in text
    (tmp_path / "sheet.pdf").write_bytes(content)
    subprocess.run(["pdftoppm", "-r", "120", "-png", "sheet.pdf", "sheet"], cwd=tmp_path, check=True)
    picture = next(tmp_path.glob("sheet*.png"))
    read = subprocess.run(
        ["zbarimg", "--quiet", "--raw", str(picture)], capture_output=True, text=True, check=True
    )
    assert set(read.stdout.split()) == {f"tel:{CATALOGUE_NUMBER}", f"https://calls.acme.example/t/{number}"}


def test_a_campaigns_sheets_are_one_page_for_each_number(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    advertise(engine, clock.now())
    be_public(engine, settings)
    client = signed_in("marketer")
    row = campaign_id(engine)
    sent(client, "/numbers/new", numbers="+46701740620", provider="cdr")
    sent(client, f"/campaigns/{row}/bulk", names="Page 4", medium="print")
    pages = PdfReader(io.BytesIO(client.get(f"/campaigns/{row}/sheets.pdf").data)).pages
    assert [page.extract_text().splitlines()[0] for page in pages] == [f"{CATALOGUE}, first", "Page 4"]


def test_the_short_link_shows_published_numbers_and_nothing_else(signed_in: Enter, engine: Engine) -> None:
    advertise(engine, clock.now())
    marketer = signed_in("marketer")
    sent(marketer, "/numbers/new", numbers="+46701740620", provider="cdr")
    with db.reading(engine) as session:
        used, idle = (numbers.get(session, n).id for n in (CATALOGUE_NUMBER, "+46701740620"))
    outsider = marketer.application.test_client()
    page = outsider.get(f"/t/{used}").text
    assert f'href="tel:{CATALOGUE_NUMBER}"' in page
    assert CATALOGUE not in page
    assert outsider.get(f"/t/{idle}").status_code == 404


# The test client leaves the temporary file of a large upload to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_picture_is_known_by_its_bytes_and_shown(signed_in: Enter, engine: Engine) -> None:
    advertise(engine, clock.now())
    client = signed_in("marketer")
    with db.reading(engine) as session:
        piece = session.scalars(select(AdMaterial.id).order_by(AdMaterial.id)).first()

    def save(content: bytes) -> int:
        fields = form(client.get("/account").text, name="Spring", medium="print")
        data = fields | {"picture": (io.BytesIO(content), "cover.png")}
        return client.post(f"/material/{piece}", data=data).status_code

    assert save(b"<svg onload='alert(1)'/>") == 422
    assert save(PNG + bytes(2_000_001)) == 422
    gc.collect()
    assert save(PNG) == 303
    shown = client.get(f"/material/{piece}/picture")
    assert (shown.mimetype, shown.data) == ("image/png", PNG)
    assert shown.headers["X-Content-Type-Options"] == "nosniff"


def cost(engine: Engine) -> Cost:
    with db.reading(engine) as session:
        return session.scalars(select(Cost)).one()


def test_hours_cost_their_rate_and_a_month_ends_with_its_last_day(signed_in: Enter, engine: Engine) -> None:
    advertise(engine, clock.now())
    client = signed_in("marketer")
    month = {"first": "2026-03-01", "last": "2026-03-31"}
    work = {"category": "wages", "direct": "indirect", "hours": "7:30", "hourly_rate": "60"}
    fields = {"campaign": CATALOGUE, **work, **month}
    assert sent(client, "/costs", **fields)[0] == 303
    row = cost(engine)
    assert (row.amount_minor, row.minutes, row.direct) == (45_000, 450, False)
    assert (row.period_start.isoformat(), row.period_end.isoformat()) == ("2026-03-01", "2026-04-01")
    page = client.get("/costs").text
    assert "€450.00" in page
    assert "7:30 × €60.00" in page


def test_cost_to_date_ends_today_though_a_cost_goes_on(signed_in: Enter, engine: Engine) -> None:
    advertise(engine, clock.now())
    client = signed_in("marketer")
    day = today()
    year = (date(day.year + 1, 1, 1) - date(day.year, 1, 1)).days
    whole = {"first": f"{day.year}-01-01", "last": f"{day.year}-12-31", "category": "media"}
    sent(client, "/costs", campaign=CATALOGUE, amount=str(year * 1000), **whole)
    to_date = f"€{day.timetuple().tm_yday * 1000:,}"
    assert f"spent to date in {day.year}: {to_date}" in client.get("/campaigns/1").text
    assert to_date in client.get("/campaigns").text


def test_a_cost_is_changed_and_taken_out_and_the_trail_keeps_what_it_was(
    signed_in: Enter, engine: Engine
) -> None:
    advertise(engine, clock.now())
    client = signed_in("administrator")
    given = {"campaign": "-", "category": "rent", "amount": "100", "first": "2026-03-01"}
    sent(client, "/costs", **given)
    row = cost(engine).id
    assert sent(client, f"/costs/{row}", **given | {"amount": "120", "campaign": CATALOGUE})[0] == 303
    assert cost(engine).amount_minor == 12_000
    assert sent(client, f"/costs/{row}/delete")[0] == 303
    with db.reading(engine) as session:
        assert session.scalars(select(Cost)).all() == []
    trail = client.get("/audit").text
    assert f"{CATALOGUE}: rent, 12000 EUR (minor units) from 2026-03-01" in trail


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"amount": ""}, "enter an amount"),
        ({"amount": "-5"}, "must be 0 or more"),
        ({"campaign": ""}, "choose a campaign or"),
        ({"campaign": "Nowhere"}, "not found"),
        ({"category": ""}, "enter a name"),
        ({"first": ""}, "enter the first day"),
        ({"last": "2026-02-01"}, "is before the first day"),
        ({"hours": "7:30"}, "enter both hours and rate"),
        ({"hours": "many", "hourly_rate": "5"}, "is not a number of hours"),
        ({"currency": "EURO"}, "is not a currency code"),
    ],
)
def test_what_is_wrong_with_a_cost_is_said_and_what_was_typed_stays(
    signed_in: Enter, fields: dict[str, str], reason: str
) -> None:
    given = {"campaign": "-", "category": "rent", "amount": "100", "first": "2026-03-01", "note": "keep me"}
    status, page = sent(signed_in("marketer"), "/costs", **given | fields)
    assert status in (404, 422)
    assert reason in page
    assert status == 404 or "keep me" in page


def test_campaigns_without_costs_are_named(signed_in: Enter, engine: Engine) -> None:
    advertise(engine, clock.now())
    client = signed_in("marketer")
    assert "so no ROI" in client.get("/costs").text
    for name in (CATALOGUE, "Pump fair"):
        sent(client, "/costs", campaign=name, category="print", amount="1", first="2026-03-01")
    assert "so no ROI" not in client.get("/costs").text


def test_scripts_in_names_are_text(signed_in: Enter, engine: Engine) -> None:
    client = signed_in("marketer")
    sent(client, "/campaigns/new", name=SCRIPT, channel=SCRIPT, direction="inbound", objective=SCRIPT)
    row = campaign_id(engine, SCRIPT)
    sent(client, f"/campaigns/{row}/material", name=SCRIPT, medium="print", kind=SCRIPT, edition=SCRIPT)
    sent(client, "/costs", campaign=SCRIPT, category=SCRIPT, amount="5", first="2026-03-01", note=SCRIPT)
    for path in ("/campaigns", f"/campaigns/{row}", f"/campaigns/{row}/change", "/costs", "/numbers"):
        page = client.get(path).text
        assert "<script>alert" not in page, path
        assert '" onload="alert' not in page, path


def test_a_number_that_has_been_on_material_for_a_while_brings_its_calls(
    signed_in: Enter, engine: Engine
) -> None:
    now = clock.now()
    advertise(engine, now - timedelta(days=90))
    ring(engine, "early", now - timedelta(days=60))
    ring(engine, "late", now - timedelta(days=5))
    client = signed_in("marketer")
    sent(client, "/campaigns/new", **FAIR)
    row = campaign_id(engine, "Fair 2027")
    sent(client, f"/campaigns/{row}/material", name="Stand wall", medium="fair")
    with db.reading(engine) as session:
        number = numbers.get(session, CATALOGUE_NUMBER).id
        piece = session.scalars(select(AdMaterial.id).where(AdMaterial.name == "Stand wall")).one()
    assert f"/numbers/assign?material={piece}" in client.get(f"/campaigns/{row}").text
    assert f"/numbers/assign?number={number}" in client.get(f"/numbers/{number}").text
    with db.transaction(engine) as session:
        told_of = {"origins": ["https://acme.example"], "number": ACME_DESK, "consent": False, "region": "SE"}
        site = sites.add(session, "Acme", at=now, **told_of)
        pools.put(session, site, numbers.add(session, "+46701740610", at=now, provider="twilio"), at=now)
    offered = client.get("/numbers/assign").text
    assert CATALOGUE_NUMBER in offered
    assert "+46701740610" not in offered, "a pool's number is refused, so it is not offered"
    since = (now - timedelta(days=30)).date().isoformat()
    told = {"number": str(number), "material": str(piece), "since": since}
    status, page = sent(client, "/numbers/assign", **told)
    assert status == 409
    assert f"{CATALOGUE_NUMBER} has been assigned to {CATALOGUE}, {CATALOGUE}, first" in page
    assert "End it the day before and assign" in page
    status, page = sent(client, "/numbers/assign", **told, close_others="1")
    assert status == 303
    assert held(engine)["Stand wall"] == CATALOGUE_NUMBER
    page = client.get(f"/numbers/{number}").text
    assert "assigned to Stand wall from" in page
    assert "; 1 call credited" in page
    with db.reading(engine) as session:
        rung = {call.provider_call_id: call.touch.campaign for call in session.scalars(select(Call))}
        names = {key: campaign.name if campaign else None for key, campaign in rung.items()}
    assert names == {"early": CATALOGUE, "late": "Fair 2027"}
    for wrong, words in (
        ({"since": ""}, "enter the first day"),
        ({"material": ""}, "choose one"),
        ({"last_day": "2020-01-01"}, "before the first day"),
    ):
        status, page = sent(client, "/numbers/assign", **(told | wrong))
        assert status == 422
        assert words in page


def test_the_main_line_is_told_on_its_page_and_its_calls_are_not_called_stray(
    signed_in: Enter, engine: Engine
) -> None:
    client = signed_in("marketer")
    sent(client, "/numbers/new", numbers=FAIR_NUMBER, provider="cdr", main_line="1")
    ring(engine, "main", clock.now() - timedelta(days=1), to=FAIR_NUMBER)
    page = client.get("/numbers").text
    assert "main line" in page
    assert "1 call to" not in page
    with db.reading(engine) as session:
        number = numbers.get(session, FAIR_NUMBER).id
    named = f"{FAIR_NUMBER}, main line"
    assert named in client.get("/calls").text
    assert named in client.get("/desk").text
    quality = client.get("/quality").text
    assert "Calls to the main line" in quality
    assert "1 of 1 (100" in quality
    assert sent(client, f"/numbers/{number}", do="no-main-line")[0] == 303
    assert "1 call to" in client.get("/numbers").text
    assert sent(client, f"/numbers/{number}", do="main-line")[0] == 303
    assert "1 call to" not in client.get("/numbers").text
