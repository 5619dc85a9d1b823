"""The pages of experiments without a browser: the way from plan to reading, roles, and what is refused."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from tests.cast import CATALOGUE_NUMBER, today
from tests.pauses import CAMPAIGN, MADE, sell, usual
from tests.web.people import form
from tracking.records import campaigns, experiments
from tracking.records.experiments import Plan
from tracking.storage import db
from tracking.storage.models import AuditEntry, Experiment
from tracking.telephony import numbers

Enter = Callable[[str], FlaskClient]
TODAY = today()
PAUSE = TODAY - timedelta(weeks=8)


@pytest.fixture
def sold(engine: Engine) -> int:
    """A campaign that brought nine of fifteen leads a week until its pause; the number of the campaign."""
    with db.transaction(engine) as session:
        weeks = usual(-60, 0, own=9, other=6) | usual(0, 8, own=0, other=8)
        for region in ("north", "south"):
            campaign = sell(session, weeks, region=region, pause=PAUSE)
        return campaign.id


def sent(client: FlaskClient, path: str, **fields: str) -> tuple[int, str, str]:
    answer = client.post(path, data=form(client.get("/account").text, **fields))
    return answer.status_code, answer.text, answer.location or ""


def said(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def plan(campaign: int, **changed: str) -> dict[str, str]:
    fields = {"name": "Ads off", "paused": f"campaign:{campaign}", "starts_on": f"{PAUSE}", "weeks": "8"}
    return fields | {"settle_weeks": "1", "action": "save"} | changed


def test_an_experiment_is_planned_started_ended_and_read(signed_in: Enter, engine: Engine, sold: int) -> None:
    client = signed_in("marketer")
    assert "No experiments yet." in client.get("/experiments").text
    preview = sent(client, "/experiments/new", **plan(sold, action="calculate"))
    assert preview[0] == 200
    assert "weeks are enough: if it brings the" in said(preview[1])
    assert client.get("/experiments").text.count("Ads off") == 0, "nothing is saved by looking"
    status, _, page = sent(client, "/experiments/new", **plan(sold))
    assert (status, page) == (303, "/experiments/1")
    assert "Nothing to read yet" in client.get(page).text
    assert sent(client, f"{page}/state", step="start", day=f"{PAUSE}")[0] == 303
    assert sent(client, f"{page}/state", step="end", day=f"{TODAY - timedelta(days=1)}")[0] == 303
    read = said(client.get(page).text)
    assert "It brings leads: about 98 in 7 weeks, between" in read
    assert "Credited: 126 leads. The experiment says 98, between" in read
    assert "Less than a year" not in read
    assert "It brings leads" in client.get("/experiments").text
    with db.reading(engine) as session:
        trail = session.scalars(select(AuditEntry.action).where(AuditEntry.subject == "Ads off"))
        assert sorted(trail) == ["experiment add", "experiment end", "experiment start"]


def test_a_plan_is_changed_discarded_and_deleted(signed_in: Enter, engine: Engine, sold: int) -> None:
    client = signed_in("marketer")
    sent(client, "/experiments/new", **plan(sold))
    assert 'value="Ads off"' in client.get("/experiments/1/edit").text
    changed = plan(sold, name="Ads off in spring", weeks="12", belief_low="0", belief_high="2,5")
    assert sent(client, "/experiments/1/edit", **changed)[0] == 303
    with db.reading(engine) as session:
        row = experiments.get(session, 1)
        assert (row.name, row.belief_high, (row.ends_on - row.starts_on).days) == (
            "Ads off in spring",
            2.5,
            83,
        )
    assert sent(client, "/experiments/1/state", step="cancel")[0] == 303
    assert "The experiment was cancelled: it says nothing." in client.get("/experiments/1").text
    assert client.get("/experiments/1/edit").location == "/experiments/1", "what is over stays as it was"
    assert sent(client, "/experiments/1/delete")[0] == 303
    assert client.get("/experiments/1").status_code == 404


def test_a_region_an_asset_or_a_number_can_be_paused(signed_in: Enter, engine: Engine, sold: int) -> None:
    with db.transaction(engine) as session:
        piece = campaigns.add_material(session, campaigns.get(session, CAMPAIGN), "Ad", at=MADE)
        number = numbers.add(session, CATALOGUE_NUMBER, at=MADE, provider="twilio", region="SE")
        things = {"Asset off": f"material:{piece.id}", "Number off": f"number:{number.id}", "North off": ""}
    client = signed_in("marketer")
    for name, paused in things.items():
        regions = {"region": "north"} if name == "North off" else {}
        assert sent(client, "/experiments/new", **plan(sold, name=name, paused=paused), **regions)[0] == 303
    listed = said(client.get("/experiments").text)
    assert "All advertising (north)" in listed
    assert CATALOGUE_NUMBER in listed
    preview = sent(client, "/experiments/new", **plan(sold, action="calculate"), region="north")[1]
    assert "Compared with the regions that go on" in preview
    preview = sent(client, "/experiments/new", **plan(sold, action="calculate", paused=things["Asset off"]))[
        1
    ]
    assert "Credit is known for whole campaigns only." in preview


def test_only_numbers_that_an_asset_carries_can_be_chosen(
    signed_in: Enter, engine: Engine, sold: int
) -> None:
    with db.transaction(engine) as session:
        piece = campaigns.add_material(session, campaigns.get(session, CAMPAIGN), "Ad", at=MADE)
        held = numbers.add(session, CATALOGUE_NUMBER, at=MADE, provider="twilio")
        numbers.assign(session, held, piece, starts_at=MADE)
        numbers.add(session, "+46701740699", at=MADE, provider="twilio")
    page = signed_in("marketer").get("/experiments/new").text
    offered = re.findall(r'<option value="number:\d+">([^<]+)<', page)
    assert offered == [f"{CATALOGUE_NUMBER}: Ad"]


def test_what_the_command_line_and_programs_did_is_said_in_the_readers_language(
    signed_in: Enter, engine: Engine, sold: int
) -> None:
    with db.transaction(engine) as session:
        for number, by in enumerate(("terminal", "token CRM")):
            row = Plan(
                name=f"Ads off {number}", starts_on=PAUSE, weeks=8, campaign=campaigns.get(session, CAMPAIGN)
            )
            experiments.save(session, row, by=by, at=MADE)
    client = signed_in("viewer")
    swedish = {"Accept-Language": "sv"}
    assert "kommandorad" in client.get("/experiments/1", headers=swedish).text
    assert "API-nyckel CRM" in client.get("/experiments/2", headers=swedish).text


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"name": ""}, "enter a name"),
        ({"paused": "campaign:99"}, "campaign:99 is not an option"),
        ({"paused": "spell:1"}, "spell:1 is not an option"),
        ({"paused": ""}, "choose what to pause"),
        ({"starts_on": "soon"}, "is not a date; enter it as 2026-03-01"),
        ({"starts_on": ""}, "enter the first day"),
        ({"weeks": "many"}, "is not a whole number"),
        ({"weeks": "105"}, "must be 1 to 104 weeks, not 105"),
        ({"settle_weeks": "8"}, "must be 0 to 7"),
        ({"belief_low": "few"}, "is not a number"),
        ({"region": "moon"}, "is not a region of your companies; use some of: north, south"),
    ],
)
def test_a_form_that_cannot_be_says_what_is_wrong_and_keeps_what_was_typed(
    signed_in: Enter, sold: int, changed: dict[str, str], problem: str
) -> None:
    status, page, _ = sent(
        signed_in("marketer"), "/experiments/new", **plan(sold, note="As agreed") | changed
    )
    assert (status, problem in said(page).replace("&#39;", "'")) == (422, True)
    assert 'value="As agreed"' in page


def test_a_step_that_cannot_be_is_refused(signed_in: Enter, sold: int) -> None:
    client = signed_in("marketer")
    sent(client, "/experiments/new", **plan(sold))
    assert sent(client, "/experiments/1/state", step="dance")[0] == 422
    assert sent(client, "/experiments/1/state", step="end")[0] == 409
    assert sent(client, "/experiments/new", **plan(sold))[0] == 409, "a name that is taken"


@pytest.mark.parametrize("role", ["viewer", "rep"])
def test_who_may_not_change_campaigns_sees_experiments_and_no_buttons(
    signed_in: Enter, engine: Engine, sold: int, role: str
) -> None:
    with db.transaction(engine) as session:
        campaign = campaigns.get(session, CAMPAIGN)
        told = Plan(name="Ads off", starts_on=PAUSE, weeks=8, campaign=campaign)
        experiments.save(session, told, by="mikael@acme.example", at=MADE)
    client = signed_in(role)
    assert "Ads off" in client.get("/experiments").text
    page = client.get("/experiments/1").text
    assert "Paused" in page
    assert 'name="step"' not in page
    for path in ("/experiments/new", "/experiments/1/edit"):
        assert client.get(path).status_code == 403
    for path in ("/experiments/1/state", "/experiments/1/delete"):
        assert sent(client, path, step="start")[0] == 403
    with db.reading(engine) as session:
        assert session.scalars(select(Experiment.state)).one() == "planned"
