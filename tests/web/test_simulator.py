"""The simulator in the pages: started by a form, done by the worker, shown against the truth, kept."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from werkzeug.test import TestResponse

from simulator import moments, which_model
from simulator.beliefs import QUESTIONS
from simulator.families import FAMILIES
from simulator.fitting import PARAMETERS, poor
from simulator.information import held
from simulator.market import World
from simulator.runs import mapper
from simulator.scenario import load, names
from simulator.write import tables
from tests.web.people import form
from tests.web.test_decide import YEAR, supplier
from tracking import clock, worker
from tracking.access import jobs
from tracking.errors import NotFound
from tracking.reporting import simulations
from tracking.reporting.simulations import Archive
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Job
from tracking.storage.vocabulary import JobState
from tracking.web.scenario_words import figure_words, scenario_words
from tracking.web.simulator import parameter_words
from tracking.web.which_model import answer_words, family_words, question_words

Enter = Callable[[str], FlaskClient]
SMALL = {"scenario": "one-touch", "accounts": "400", "days": "365", "seed": "1"}
TOKEN = "a" * 32


def post(client: FlaskClient, path: str, **fields: str) -> TestResponse:
    return client.post(path, data=form(client.get("/simulator").text, **fields))


def text(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def percent(share: float) -> str:
    return f"{share * 100:.1f}%"


def last(engine: Engine) -> Job:
    with db.reading(engine) as session:
        found = session.scalars(select(Job).order_by(Job.id.desc())).first()
        assert found is not None
        session.expunge(found)
        return found


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_every_scenario_parameter_and_figure_has_words_for_readers(office: Flask) -> None:
    with office.test_request_context():
        assert set(scenario_words()) == {*names(), "calibrated"}
        assert set(parameter_words()) == set(PARAMETERS)
        assert set(figure_words()) == {*moments.FITTED, *moments.HELD_OUT}
        assert set(family_words()) == set(FAMILIES)
        assert set(question_words()) == set(QUESTIONS)
        assert {question: tuple(told) for question, told in answer_words().items()} == QUESTIONS


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_market_is_simulated_by_the_worker_and_shown_against_its_truth(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    assert "No results yet" in client.get("/simulator").text
    started = post(client, "/simulator/run", **SMALL)
    assert started.status_code == 303
    assert "waiting" in client.get(started.location).text
    assert jobs.work(engine, worker.known(engine, settings))
    assert last(engine).state is JobState.done, last(engine).error
    page = client.get(started.location).text
    result = Archive(settings.data_dir).get(last(engine).arguments["token"])
    assert result is not None
    # One meeting for each buyer and no demand without it: whoever is credited did cause it.
    scores = {score["model"]: score for score in result["models"]}
    errors = sum(row["error"] for row in result["campaigns"])
    for model in ("first-touch", "last-touch", "linear"):
        # What is left is chance: credits of one seed, the truth on average over several.
        assert scores[model]["total_variation"] <= 5 * errors
        assert scores[model]["credited"] == pytest.approx(1)
    truth = {row["campaign"]: row for row in result["campaigns"]}
    assert sum(row["share"] for row in truth.values()) == pytest.approx(1, abs=1e-6)
    for name, row in truth.items():
        assert row["roi"] == pytest.approx((row["margin_minor"] - row["spend_minor"]) / row["spend_minor"])
        assert name.replace("_", " ") in page
    assert f"models misattribute from {percent(result['models'][0]['total_variation'])} (" in text(page)
    # What needs no model stands beside them, valued on seeds on which no move was chosen.
    rules = {rule["name"]: rule for rule in result["nulls"]}
    assert set(rules) == {"leave", "random", "spend"}
    leave = " ".join([percent(0), f"{percent(rules['leave']['regret'])} ± "])
    assert f"Leave the budget as it is {leave}" in text(page)
    assert "Does following a model beat leaving the budget as it is?" in page
    assert f"True shares are means over {result['seeds']} seeds" in text(page)
    assert result["allocation"] == "shapley"
    assert "Shapley values: the market is run again" in text(page)
    for row in truth.values():
        # Each industry has one campaign: nothing is done jointly, so all allocations agree.
        assert row["removal"] == pytest.approx(row["first_in"]) == pytest.approx(row["share"], abs=1e-6)
    assert page.count('type="application/json"') == 2
    assert client.get(started.location + "?model=markov").text.count("markov") > page.count("markov")
    # Everybody sees it; the viewer cannot start one.
    viewer = signed_in("viewer")
    assert "Model accuracy" in viewer.get(started.location).text
    assert "Simulate one-touch" in viewer.get("/simulator").text
    assert 'action="/simulator/run"' not in viewer.get("/simulator").text
    assert post(viewer, "/simulator/run", **SMALL).status_code == 403


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scenario", "../../etc/passwd"),
        ("scenario", "fit-"),
        ("scenario", ""),
        ("accounts", "49"),
        ("accounts", "5001"),
        ("accounts", "many"),
        ("days", "29"),
        ("days", ""),
        ("seed", "-1"),
        ("seed", "2147483648"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_nothing_typed_is_lost(
    signed_in: Enter, engine: Engine, field: str, value: str
) -> None:
    client = signed_in("marketer")
    answer = post(client, "/simulator/run", **SMALL | {field: value})
    assert answer.status_code == 422
    assert f"{field}: " in text(answer.text)
    for name, told in (SMALL | {field: value}).items():
        if name != "scenario" and told:
            assert f'value="{told}"' in answer.text, name
    with db.reading(engine) as session:
        assert session.scalars(select(Job)).all() == []


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_market_in_which_nobody_buys_says_so(signed_in: Enter, engine: Engine, settings: Settings) -> None:
    client = signed_in("marketer")
    started = post(client, "/simulator/run", **SMALL | {"accounts": "120", "days": "90"})
    assert jobs.work(engine, worker.known(engine, settings))
    assert "Use more companies or more days" in client.get(started.location).text


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_running_simulation_stops_between_two_runs(engine: Engine, settings: Settings) -> None:
    told: list[int] = []

    def progress(done: int, total: int | None = None) -> None:
        told.append(done)
        if len(told) == 2:
            raise jobs.Stopped
        assert total == 100

    archive = Archive(settings.data_dir)
    arguments = {"token": TOKEN, "scenario": "supplier", "accounts": 50, "days": 30, "seed": 1}
    with pytest.raises(jobs.Stopped):
        simulations.run(archive, arguments, progress)  # type: ignore[arg-type]  # counts like Progress
    assert 0 < told[0] <= told[1] <= 10
    assert archive.get(TOKEN) is None


@pytest.fixture
def our_tables(monkeypatch: pytest.MonkeyPatch) -> dict[str, pa.Table]:
    """Tables of a small supplier, and worlds as few as show how it goes."""
    monkeypatch.setattr(simulations, "_TRIALS", 1)
    monkeypatch.setattr(simulations, "_DRAWS", 2)
    base = load("plain", {"desk.reps": 0})
    with mapper() as spread:
        return tables(World(base, 60, 365, 5), spread)


def done(engine: Engine, kind: str, arguments: dict[str, Any]) -> int:
    with db.transaction(engine) as session:
        job = jobs.enqueue(session, kind, kind, arguments, by="mikael@acme.example", at=clock.now())
        job.state = JobState.done
        session.flush()
        return job.id


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_market_is_built_from_our_tables_decided_on_shown_and_simulated(
    signed_in: Enter,
    engine: Engine,
    settings: Settings,
    our_tables: dict[str, pa.Table],
    office: Flask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[int] = []

    def progress(share: int, _whole: int | None = None) -> None:
        told.append(share)

    archive = Archive(settings.data_dir)
    arguments = {"token": TOKEN, "accounts": 60, "seed": 1}
    simulations.decide(archive, our_tables, arguments, progress)  # type: ignore[arg-type]  # as Progress
    assert told == sorted(told)
    assert told[-1] == 100
    client = signed_in("marketer")
    before = text(client.get("/simulator/which-model").text)
    assert "Try budget moves in our market" in before
    number = done(engine, "decide", arguments)
    page = text(client.get("/simulator/which-model").text)
    assert re.search("Better than leaving the budget: (yes|no|we cannot tell).", page)
    # Nothing is answered until somebody answers.
    assert client.get("/simulator/which-model").text.count('<option value="unsure" selected>') == 3
    assert "A range that begins at 0 means that the campaign may do nothing." in page
    assert "referral nothing tracked" in page
    # Too few deals judge nothing, whatever the worlds say.
    with monkeypatch.context() as patch:
        patch.setattr("tracking.web.which_model.LEAST_DEALS_IN_ALL", 35.0)
        few = text(client.get("/simulator/which-model").text)
    assert (
        "Better than leaving the budget: too little to tell. 34 deals are too few to judge a move by" in few
    )
    assert not re.search(r"\b(do it|leave it|gains under some beliefs only)\b", few)
    assert "Leave the budget as it is" in page
    assert "A random move, on average" in page
    assert "Fixed costs only, such as bookings: directory, webinar" in page
    assert "Nothing tracked: referral" in page
    for heading in ("Which test would change the decision most?", "Estimated effects under these beliefs"):
        assert heading in page
    # Each effect stands beside what it would be under another answer, and how often such ranges hold.
    assert "Lowest if you believed otherwise" in page
    assert f"In {held()['markets']} other simulated markets, ranges held" in page
    # The market has one kind of need where that of the tables has three, and both pages name what differs.
    result = archive.get(TOKEN) or {}
    wrong = poor({**result["fitted"], **result["held_out"]})
    assert wrong
    budget = text(client.get("/roi/advice").text)
    with office.test_request_context():
        for figure in wrong:
            assert figure_words()[figure] in page
            assert figure_words()[figure] in budget
    assert "The simulated market differs from ours, by more than chance can explain, in: " in page
    # Other beliefs weigh the same worlds otherwise, at once.
    sure = client.get("/simulator/which-model?anyway=few&role=close&nothing=none")
    assert '<option value="close" selected>' in sure.text
    assert text(sure.text) != page
    assert client.get("/simulator/which-model?role=magic").status_code == 422
    # The market behind it, as file and page; markets are simulated from it.
    page = text(client.get(f"/simulator/runs/{number}").text)
    assert "metrics not used to fit the market are within three standard errors" in page
    assert "needs.order.value_minor" in page
    assert "from our data" in page
    assert set(PARAMETERS) >= set((archive.get(TOKEN) or {})["estimates"])
    assert "# from the data" in client.get(f"/simulator/runs/{number}/scenario.toml").text
    assert f'value="fit-{number}"' in client.get("/simulator").text
    started = post(client, "/simulator/run", **SMALL | {"scenario": f"fit-{number}"})
    assert started.status_code == 303
    assert last(engine).arguments["scenario"] == TOKEN
    archive.drop(TOKEN)
    assert "has been deleted" in client.get(f"/simulator/runs/{number}").text
    assert post(client, "/simulator/run", **SMALL | {"scenario": f"fit-{number}"}).status_code == 404


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_moves_are_tried_by_one_button_and_the_page_says_how_far_it_is(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    page = "/simulator/which-model"
    refused = client.post("/simulator/decide", data=form(client.get(page).text, accounts="7"))
    assert refused.status_code == 422
    assert "accounts: must be a whole number from 50" in text(refused.text)
    started = client.post("/simulator/decide", data=form(client.get(page).text, accounts=""))
    assert started.status_code == 303
    assert "We are trying budget moves in our market" in client.get(page).text
    assert "HX-Refresh" not in client.get(page, headers={"HX-Request": "true"}).headers
    assert last(engine).kind == "decide"
    assert last(engine).arguments["accounts"] is None
    viewer = signed_in("viewer")
    assert 'action="/simulator/decide"' not in viewer.get(page).text
    assert viewer.post("/simulator/decide", data=form(viewer.get(page).text)).status_code == 403
    # Nobody has bought anything yet: the job ends with the reason, and the page is as before.
    assert jobs.work(engine, worker.known(engine, settings))
    assert "there is nothing to fit to" in client.get(f"/simulator/runs/{last(engine).id}").text
    assert "Try budget moves in our market" in text(client.get(page).text)
    assert client.get(page, headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_fit_to_nothing_fails_with_the_reason(signed_in: Enter, engine: Engine, settings: Settings) -> None:
    client = signed_in("marketer")
    started = post(client, "/simulator/fit", accounts="100", seed="1")
    assert jobs.work(engine, worker.known(engine, settings))
    assert "there is nothing to fit to" in client.get(started.location).text


def test_only_the_newest_results_are_kept(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    tokens = [f"{number:032x}" for number in range(simulations.KEPT + 2)]
    for age, token in enumerate(tokens):
        archive.put(token, {"number": age, "nothing": float("nan")}, toml="name = 'x'")
        os.utime(tmp_path / "simulations" / f"{token}.json", (age, age))
    archive.put("f" * 32, {})
    assert [archive.get(token) is None for token in tokens[:4]] == [True, True, True, True]
    assert archive.get(tokens[-1]) is None, "fifty years older than the newest"
    with pytest.raises(NotFound):
        archive.scenario(tokens[0])
    with pytest.raises(NotFound):
        archive.get("../../ringtrail")


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_which_model_to_trust_is_looked_up_for_our_number_of_deals(signed_in: Enter, engine: Engine) -> None:
    supplier(engine)
    viewer = signed_in("viewer")
    page = text(viewer.get(f"/simulator/which-model?{YEAR}").text)
    assert "We won 6 deals in this period. We studied markets with 100 deals or more" in page

    def give(value: float, error: float) -> str:
        return f"{percent(value)} ± {percent(error)}"

    assert f"chance alone misattributes {percent(which_model.chance(6))} of margin" in page
    best = which_model.trust(6)[0]
    wrong = give(best.mean.wrong, best.mean.wrong_se), give(best.usual.wrong, best.usual.wrong_se)
    assert " ".join([best.model, *wrong, percent(best.worst.wrong)]) in page
    assert f"Leave the budget as it is {percent(0)} {percent(0)} {percent(0)}" in page
    for rule in which_model.rules()[1:2]:
        gained = give(rule.usual, rule.usual_se), give(rule.mean, rule.mean_se)
        assert " ".join(["A random move, on average", *gained, percent(rule.worst)]) in page
    gained = give(best.usual.gain, best.usual.gain_se), give(best.mean.gain, best.mean.gain_se)
    held = which_model.worlds_better_than_leaving(6)[best.model]
    assert " ".join([best.model, *gained, percent(best.worst.gain), f"{held} of 13"]) in page
    beats = which_model.beats_leaving(6)
    for word, known in (("Yes", True), ("No", False), ("We cannot tell", None)):
        models = [model for model, each in beats.items() if each is known]
        assert (f"{word}: {', '.join(models)}." in page) == bool(models)
    assert "We won 0 deals" in text(viewer.get("/simulator/which-model?from=2025-01-01&to=2025-12-31").text)
    assert viewer.get("/simulator/which-model?from=soon").status_code == 422
    for report in ("/roi", "/roi/advice"):
        assert "/simulator/which-model?from=2026-01-01" in viewer.get(f"{report}?{YEAR}").text


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_result_from_before_the_rules_were_scored_is_still_shown(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    started = post(client, "/simulator/run", **SMALL)
    assert jobs.work(engine, worker.known(engine, settings))
    token = last(engine).arguments["token"]
    archive = Archive(settings.data_dir)
    result = archive.get(token)
    assert result is not None
    for new in ("nulls", "allocation", "orders_of_joining", "seeds"):
        del result[new]
    for row in result["campaigns"]:
        for new in ("removal", "first_in", "below_zero", "error"):
            del row[new]
    for score in result["models"]:
        for new in ("gain", "gain_se", "regret_se", "followed", "beats_leaving", "allocation"):
            del score[new]
    archive.put(token, result)
    page = text(client.get(started.location).text)
    assert "the effects are scaled to add up to their joint effect" in page
    assert "Leave the budget as it is" not in page


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_an_import_is_no_simulation(signed_in: Enter, engine: Engine) -> None:
    with db.transaction(engine) as session:
        jobs.enqueue(session, "import", "Import", {}, by="mikael@acme.example", at=clock.now())
    assert signed_in("viewer").get("/simulator/runs/1").status_code == 404
