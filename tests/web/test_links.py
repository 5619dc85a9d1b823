"""Short links on the campaign's page, in the API and by command, and on sheets and pages of QR codes."""

import json
from collections.abc import Callable

from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from tests.api_client import Api
from tests.cast import CATALOGUE_NUMBER
from tests.web.people import form
from tracking import clock
from tracking.cli import ringtrail
from tracking.records import campaigns
from tracking.reporting import number_sheets
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import AuditEntry, ShortLink, TrackingNumber
from tracking.storage.vocabulary import Medium
from tracking.telephony import numbers

Enter = Callable[[str], FlaskClient]
TARGET = "https://www.acme.example/pumps"


def advertise(engine: Engine) -> tuple[int, int]:
    """Give the catalogue a number; return its campaign and the material."""
    with db.transaction(engine) as session:
        row = campaigns.add(session, "Catalogue", "print", at=clock.now())
        piece = campaigns.add_material(session, row, "Spring", at=clock.now(), medium=Medium.print)
        number = numbers.add(session, CATALOGUE_NUMBER, at=clock.now(), provider="twilio")
        numbers.assign(session, number, piece, starts_at=clock.now())
        return row.id, piece.id


def sent(client: FlaskClient, path: str, **fields: str) -> tuple[int, str]:
    answer = client.post(path, data=form(client.get("/account").text, **fields))
    return answer.status_code, answer.text


def test_a_link_is_added_followed_at_once_changed_and_ended_on_the_campaigns_pages(
    signed_in: Enter, engine: Engine
) -> None:
    campaign, piece = advertise(engine)
    marketer = signed_in("marketer")
    assert f"/campaigns/{campaign}/links" in marketer.get(f"/campaigns/{campaign}").text
    path, fields = f"/campaigns/{campaign}/links/new", {"material": str(piece), "slug": "pumps"}
    status, page = sent(marketer, path, target="javascript:alert(1)", **fields)
    assert (status, "not a web address" in page) == (422, True)
    assert sent(marketer, path, target=TARGET, **fields)[0] == 303
    assert marketer.get("/l/pumps").location.startswith(f"{TARGET}?utm_source=Spring")
    assert "/l/pumps" in marketer.get(f"/campaigns/{campaign}/links").text
    assert "/l/pumps" in marketer.get("/t/1").text, "the page of the code leads to the website"
    code = marketer.get("/links/1/code.svg")
    assert (code.mimetype, b"<svg" in code.data) == ("image/svg+xml", True)
    changed = {"target": f"{TARGET}/new", "expires_on": "2020-01-01", "utm_source": "stand"}
    assert sent(marketer, "/links/1", **changed)[0] == 303
    assert marketer.get("/l/pumps").status_code == 410
    assert "expired" in marketer.get(f"/campaigns/{campaign}/links").text
    assert sent(signed_in("rep"), path, target=TARGET, **fields)[0] == 403
    with db.reading(engine) as session:
        actions = session.scalars(select(AuditEntry.action).where(AuditEntry.action.startswith("link"))).all()
    assert actions == ["link add", "link change"]


def test_a_sheets_code_leads_by_the_materials_link_under_the_short_address(
    engine: Engine, settings: Settings
) -> None:
    _, piece = advertise(engine)
    told = settings.model_copy(update={"short_url": "https://acme.link"})
    Api(settings, engine).post("/short-links", {"ad_material_id": piece, "target": TARGET, "slug": "pumps"})
    with db.reading(engine) as session:
        number = session.scalars(select(TrackingNumber)).one()
        sheet = number_sheets._sheet(session, told, number, number.assignments[0])
    assert sheet.link == "https://acme.link/l/pumps"


def test_a_program_and_the_command_line_keep_links_too(engine: Engine, settings: Settings) -> None:
    _, piece = advertise(engine)
    api = Api(settings, engine)
    made = api.post("/short-links", {"ad_material_id": piece, "target": TARGET, "utm_medium": "qr"})
    assert (len(made["slug"]), made["utm_medium"], made["visits"]) == (6, "qr", 0)
    changed = api.patch(f"/short-links/{made['id']}", {"expires_on": "2026-12-31"})
    assert (changed["expires_on"], changed["target"]) == ("2026-12-31", TARGET)
    assert api.refused("POST", "/short-links", {"ad_material_id": piece, "target": "x"})["status"] == 422
    given = {"RINGTRAIL_DATA_DIR": str(settings.data_dir), "RINGTRAIL_KEY": settings.key.get_secret_value()}
    runner = CliRunner(env=given)
    add = runner.invoke(ringtrail, ["link", "add", "Catalogue", "Spring", TARGET, "--slug", "cat", "--json"])
    assert json.loads(add.stdout)["address"].endswith("/l/cat")
    assert runner.invoke(ringtrail, ["link", "change", "cat", "--until", "2020-01-01"]).exit_code == 0
    assert [row["until"] for row in json.loads(runner.invoke(ringtrail, ["link", "list", "--json"]).stdout)]
    with db.reading(engine) as session:
        assert len(session.scalars(select(ShortLink)).all()) == 2
