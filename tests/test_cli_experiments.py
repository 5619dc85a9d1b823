"""Experiments on the command line and in the API: the same work as on the pages."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from tests.api_client import Api
from tests.cast import CATALOGUE_NUMBER, today
from tests.imports import ON_SQLITE
from tests.pauses import CAMPAIGN, MADE, sell, usual
from tracking.cli import ringtrail
from tracking.records import campaigns
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.telephony import numbers

TODAY = today()
PAUSE = TODAY - timedelta(weeks=8)
ADS = ["--campaign", CAMPAIGN]


def fill(engine: Engine) -> None:
    with db.transaction(engine) as session:
        weeks = usual(-60, 0, own=9, other=6) | usual(0, 8, own=0, other=8)
        for region in ("north", "south"):
            campaign = sell(session, weeks, region=region, pause=PAUSE)
        campaigns.add_material(session, campaign, "Ad", at=MADE)
        numbers.add(session, CATALOGUE_NUMBER, at=MADE, provider="twilio", region="SE")


def run(*line: str, code: int = 0) -> Result:
    result = CliRunner().invoke(ringtrail, ["experiment", *line])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation in a folder of its own, in which a campaign has been paused for eight weeks."""
    monkeypatch.setenv("RINGTRAIL_DATA_DIR", str(tmp_path / "data"))
    engine = db.install(Settings.load())
    fill(engine)
    engine.dispose()


@pytest.mark.usefixtures("installed")
def test_an_experiment_goes_from_plan_to_reading_in_a_terminal() -> None:
    shown = run("plan", *ADS, "--from", f"{PAUSE}").stdout
    assert "weeks are enough: if it brings the" in shown
    assert "Smallest visible effect" in shown
    found = json.loads(run("plan", *ADS, "--from", f"{PAUSE}", "--json").stdout)
    assert [row["weeks"] for row in found["proposals"]] == [4, 6, 8, 12, 16, 26]
    assert found["proposals"][2]["credited"] == 126.0
    told = ["--from", f"{PAUSE}", "--weeks", "8", "--at-least", "0", "--at-most", "30", "--note", "As agreed"]
    assert f"planned from {PAUSE} to {TODAY - timedelta(days=1)}" in run("add", "Off", *ADS, *told).stdout
    assert "is running" in run("start", "Off", "--on", f"{PAUSE}").stdout
    assert "is ended" in run("end", "Off", "--on", f"{TODAY - timedelta(days=1)}").stdout
    said = run("read", "Off").stdout
    assert "It brings leads: about 98 in 7 weeks, between" in said
    assert "Believed before: 105 leads, between 0 and 210." in said
    read = json.loads(run("read", "Off", "--json").stdout)
    assert (read["finding"], read["credited"], read["warnings"]) == ("effect", 126.0, [])
    assert "It brings leads" in run("list").stdout


@pytest.mark.usefixtures("installed")
def test_a_region_an_asset_or_a_number_is_paused_in_a_terminal() -> None:
    told = ["--from", f"{PAUSE}", "--weeks", "8"]
    run("add", "North", "--region", "north", *told)
    run("add", "Asset", *ADS, "--material", "Ad", *told)
    run("add", "Number", "--number", CATALOGUE_NUMBER, *told)
    run("cancel", "Number")
    listed = {row["name"]: row for row in json.loads(run("list", "--json").stdout)}
    assert (listed["North"]["paused"], listed["Number"]["state"]) == ("All advertising (north)", "cancelled")
    assert "choose what to pause" in run("plan", code=2).output
    assert "--material needs --campaign" in run("plan", "--material", "Ad", code=2).output


def test_a_market_says_how_often_an_experiment_is_right() -> None:
    line = ["--campaign", "search_ads", "--accounts", "200", "--markets", "3", "--weeks", "6"]
    found = json.loads(run("simulate", "placebo", *line, "--json").stdout)
    assert (found["markets"], found["effect"], found["read"]) == (3, 0.0, 3)
    assert found["said_effect"] + found["said_more"] + found["said_unclear"] == 3
    assert "True effect: 0.0 leads" in run("simulate", "placebo", *line).stdout
    refused = run("simulate", "placebo", "--campaign", "radio", "--markets", "2", code=2)
    assert "campaign 'radio' is not in scenario placebo" in refused.output


@ON_SQLITE
def test_a_program_plans_starts_ends_and_reads_an_experiment(settings: Settings, engine: Engine) -> None:
    fill(engine)
    api = Api(settings, engine)
    told = {"name": "Off", "campaign": CAMPAIGN, "starts_on": f"{PAUSE}", "weeks": 8}
    made = api.post("/experiments", told)
    assert (made["state"], made["created_by"], made["campaign"]) == ("planned", "token a program", CAMPAIGN)
    assert api.patch("/experiments/1", {"step": "start", "day": f"{PAUSE}"})["state"] == "running"
    ended = api.patch("/experiments/1", {"step": "end", "day": f"{TODAY - timedelta(days=1)}"})
    assert (ended["state"], ended["ends_on"]) == ("ended", f"{TODAY - timedelta(days=1)}")
    read = api.get("/experiments/1/reading")
    assert (read["finding"], read["design"], read["weeks"], read["credited"]) == (
        "effect",
        "before",
        7,
        126.0,
    )
    assert read["low"] < read["lift"] < read["high"]
    piece = {"ad_material": "Ad", "name": "Asset off"}
    assert api.post("/experiments", told | piece)["ad_material"] == "Ad"
    number = {"campaign": None, "name": "Number off", "number": CATALOGUE_NUMBER, "regions": ["north"]}
    assert api.post("/experiments", told | number)["regions"] == ["north"]
    assert api.patch("/experiments/3", {"step": "cancel"})["state"] == "cancelled"
    assert api.get("/experiments?state=planned")["total_records"] == 1
    refused = api.refused("POST", "/experiments", told | {"name": "Again", "settle_weeks": 9})
    assert refused["errors"][0]["field"] == "settle_weeks"
    assert api.refused("PATCH", "/experiments/1", {"step": "start"})["status"] == 409
