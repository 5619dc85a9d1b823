"""Answers on the pages of companies and deals, beside tracking, in the API, by command, and from files."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from attribution import attribute
from tests.api_client import Api
from tests.cast import BOREALIS, CATALOGUE_NUMBER, STOCKHOLM
from tests.imports import import_table
from tests.web.people import form
from tracking import clock
from tracking.cli import ringtrail
from tracking.errors import Invalid
from tracking.records import answers, campaigns, contacts, deals, touches
from tracking.records.contacts import Clues
from tracking.records.deals import DealRecord
from tracking.records.touches import TouchRecord
from tracking.reporting import journeys
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Answer, AuditEntry, Deal
from tracking.storage.vocabulary import Medium, Outcome, Stage, TouchKind
from tracking.telephony import calls, numbers
from tracking.telephony.calls import CallEvent

Enter = Callable[[str], FlaskClient]


@pytest.fixture
def ids(engine: Engine) -> dict[str, int]:
    """Borealis Foods came by a search ad and then called the catalogue's number; a deal is won."""
    now = clock.now()
    with db.transaction(engine) as session:
        ads = campaigns.add(session, "Search ads", "paid search", at=now)
        catalogue = campaigns.add(session, "Catalogue", "print", at=now)
        piece = campaigns.add_material(session, catalogue, "Spring", at=now, medium=Medium.print)
        number = numbers.add(session, CATALOGUE_NUMBER, at=now, provider="twilio")
        numbers.assign(session, number, piece, starts_at=now - timedelta(days=90))
        clues = Clues(company="Borealis Foods", phone=BOREALIS)
        seen = TouchRecord(
            source_key="v1", clues=clues, occurred_at=now - timedelta(days=20), kind=TouchKind.visit
        )
        touches.save(session, seen, at=now, campaign=ads)
        event = CallEvent(
            provider="twilio",
            provider_call_id="CA1",
            dialled=(CATALOGUE_NUMBER,),
            caller=BOREALIS,
            started_at=now - timedelta(days=10),
        )
        call = calls.record(session, [event], region="SE")[0].call
        won = DealRecord(
            clues=clues,
            stage=Stage.won,
            amount_minor=100_00,
            currency="EUR",
            external_id="D1",
            closed_at=now - timedelta(days=1),
        )
        deal, _ = deals.save(session, won, at=now)
        return {"company": deal.account_id, "deal": deal.id, "call": call.id, "contact": call.contact_id}


def sent(client: FlaskClient, path: str, **fields: str) -> int:
    return client.post(path, data=form(client.get("/account").text, **fields)).status_code


def standing(engine: Engine) -> list[Answer]:
    with db.reading(engine) as session:
        return list(session.scalars(select(Answer).where(answers.stands()).order_by(Answer.id)))


def test_an_answer_is_given_at_a_deal_and_corrected_at_the_company_and_both_are_on_record(
    signed_in: Enter, engine: Engine, ids: dict[str, int]
) -> None:
    rep = signed_in("rep")
    assert sent(rep, f"/deals/{ids['deal']}/answers", source="Trade show", verbatim="at the stand") == 303
    page = rep.get(f"/deals/{ids['deal']}").text
    assert "Answer: Trade show (“at the stand”)" in page
    (first,) = standing(engine)
    assert (first.deal_id, first.channel, first.asked_by) == (ids["deal"], "fair", "Rita")
    fixed = {"corrects": str(first.id), "source": "Print", "verbatim": "at the stand, in the journal"}
    assert sent(rep, f"/companies/{ids['company']}/answers", **fixed) == 303
    (second,) = standing(engine)
    assert (second.channel, second.deal_id, second.asked_at) == ("print", ids["deal"], first.asked_at)
    assert second.entered_by == "Rita"
    assert "replaced" in rep.get(f"/companies/{ids['company']}").text
    assert sent(rep, f"/companies/{ids['company']}/answers", **fixed) == 409, "it is corrected once"
    assert sent(rep, f"/companies/{ids['company']}/answers", source="") == 422
    with db.reading(engine) as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action.startswith("answer"))).all()
    assert [(one.action, one.actor) for one in entries] == [
        ("answer add", "rita@acme.example"),
        ("answer correct", "rita@acme.example"),
    ]
    assert sent(signed_in("viewer"), f"/deals/{ids['deal']}/answers", source="Print") == 403
    assert "Add an answer" not in signed_in("viewer").get(f"/deals/{ids['deal']}").text


def test_who_says_fair_where_tracking_says_print_stands_in_that_cell_and_the_cell_opens_the_answer(
    signed_in: Enter, settings: Settings, engine: Engine, ids: dict[str, int]
) -> None:
    now = clock.now()
    with db.transaction(engine) as session:
        contact = contacts.contact_for(session, Clues(phone=BOREALIS), at=now)
        said = {"asked_at": now - timedelta(days=2), "contact": contact, "asked_by": "Rita"}
        answers.log(session, Outcome.answered, channel="fair", verbatim="the show", **said)
        answers.log(session, Outcome.answered, channel="print", **said)
        answers.log(session, Outcome.answered, verbatim="my cousin's friend", **said)
        answers.log(session, Outcome.not_asked, **(said | {"asked_by": "Sven"}))
        early = said | {"asked_at": now - timedelta(days=15)}
        answers.log(session, Outcome.answered, channel="search", **early)
    page = signed_in("viewer").get("/answers").text
    assert "Answer and tracking agree in 66.7% of 3 answers." in page
    assert "Most frequent difference: tracking says Print, the answer Trade show." in page
    assert "1 answer is in words only and counts for no source." in page
    behind = signed_in("viewer").get("/answers/behind?tracked=print&answered=fair").text
    assert "1 answer" in behind
    assert "Trade show (“the show”)" in behind
    assert "Catalogue" in behind
    assert "Rita" in signed_in("viewer").get("/answers/behind?rep=Rita").text
    told = Api(settings, engine).get("/reports/answers")
    assert told["total"]["comparable"] == 3
    assert told["total"]["agreed"] == 2
    assert {"tracked": "search", "answered": "search", "answers": 1} in told["cells"]
    assert [line["of"] for line in told["by_rep"]] == ["Rita", "Sven"]
    assert told["by_rep"][1]["agreed_rate"] is None


def test_answers_in_words_are_matched_many_at_once_and_only_those_whose_box_is_ticked(
    signed_in: Enter, settings: Settings, engine: Engine, ids: dict[str, int]
) -> None:
    now = clock.now()
    with db.transaction(engine) as session:
        contact = contacts.contact_for(session, Clues(phone=BOREALIS), at=now)
        for words in ("Your stand", "your stand!", "the trade journal"):
            answers.log(session, Outcome.answered, asked_at=now, contact=contact, verbatim=words)
    rep = signed_in("rep")
    page = rep.get("/answers/words").text
    assert 'value="Trade show"' in page
    assert "contains “stand”" in page
    fields = {"words-1": "your stand", "source-1": "Trade show", "words-2": "the trade journal"}
    assert sent(rep, "/answers/words", **fields, **{"source-2": "Print"}) == 422, "no box is ticked"
    assert sent(rep, "/answers/words", take="1", **fields) == 303
    assert [(row.channel, row.verbatim) for row in standing(engine)] == [
        (None, "the trade journal"),
        ("fair", "Your stand"),
        ("fair", "your stand!"),
    ]
    assert sent(rep, "/answers/words", take="2", **fields, **{"source-2": "the moon"}) == 422
    assert sent(signed_in("viewer"), "/answers/words", take="1", **fields) == 403
    api = Api(settings, engine)
    (waits,) = api.get("/answers/words")["items"]
    assert (waits["words"], waits["suggestion"], waits["exact"]) == ("the trade journal", "Print", True)
    assert api.post("/answers/words", {"words": "the trade journal", "source": "print"}) == {"answers": 1}
    assert "Every answer names a source." in rep.get("/answers/words").text


def test_a_program_gives_an_answer_for_a_company_or_deal_and_corrects_it(
    settings: Settings, engine: Engine, ids: dict[str, int]
) -> None:
    api = Api(settings, engine)
    first = api.post(
        "/answers", {"company_id": ids["company"], "outcome": "answered", "verbatim": "the fair, I think"}
    )
    assert (first["channel"], first["entered_by"], first["deal_id"]) == (None, "token a program", None)
    second = api.post(
        "/answers", {"corrects_id": first["id"], "outcome": "answered", "channel": "Trade show"}
    )
    assert (second["channel"], second["verbatim"]) == ("fair", "the fair, I think")
    third = api.post("/answers", {"deal_id": ids["deal"], "outcome": "declined"})
    assert api.get(f"/answers?deal_id={ids['deal']}")["items"] == [third]
    assert api.refused("POST", "/answers", {"deal_id": 999, "outcome": "declined"})["status"] == 422


def test_answers_of_deals_count_like_those_of_calls(engine: Engine, ids: dict[str, int]) -> None:
    with db.transaction(engine) as session:
        deal = session.get_one(Deal, ids["deal"])
        at = clock.now() - timedelta(days=5)
        answers.log(session, Outcome.answered, asked_at=at, deal=deal, channel="fair")
        tables = journeys.export(session, currency="EUR", zone=STOCKHOLM)
    assert tables.answers["account_id"].to_pylist() == [ids["company"]]
    heard = attribute(tables.touches, tables.conversions, ["self-reported"], answers=tables.answers)
    won = [row for row in heard.to_pylist() if row["conversion_id"] == f"deal {ids['deal']}"]
    assert [(row["channel"], row["credit_minor"]) for row in won] == [("fair", 100_00)]


FORMS = (
    "touch_id,occurred_at,kind,company,channel,How did you hear about us?\n"
    "f1,2026-03-02T10:00:00Z,form,Cobalt Mining,website,Google\n"
    "f2,2026-03-03T10:00:00Z,form,Drift,website,my neighbour's dog\n"
)


def test_what_a_forms_question_was_answered_comes_in_with_its_touch_and_only_once(engine: Engine) -> None:
    for _ in range(2):
        result = import_table(engine, "touches", FORMS)
    assert "answers kept in words only: 2 (" in str(result.notes)
    assert [(row.channel, row.verbatim) for row in standing(engine)] == [
        (None, "Google"),
        (None, "my neighbour's dog"),
    ]


def test_the_command_line_adds_corrects_matches_and_reports(
    settings: Settings, engine: Engine, ids: dict[str, int]
) -> None:
    given = {"RINGTRAIL_DATA_DIR": str(settings.data_dir), "RINGTRAIL_KEY": settings.key.get_secret_value()}
    runner = CliRunner(env=given)

    def run(*words: str, code: int = 0) -> Any:
        result = runner.invoke(ringtrail, [*words, "--json"])
        assert result.exit_code == code, result.output + repr(result.exception)
        return json.loads(result.stdout) if result.stdout else None

    first = run("answer", "add", "at your stand", "--deal", "D1", "--asked-by", "Eva")["id"]
    assert run("answer", "words")[0]["suggestion"] == "Trade show"
    assert run("answer", "match", "at your stand", "fair", "--dry-run") == {"answers": 1}
    assert run("answer", "match", "At your STAND", "Trade show") == {"answers": 1}
    (row,) = standing(engine)
    assert (row.channel, row.corrects_id, row.asked_by, row.entered_by) == ("fair", first, "Eva", "terminal")
    run("answer", "add", "--correct", str(row.id), "--source", "Print")
    assert [(one.channel, one.verbatim) for one in standing(engine)] == [("print", "at your stand")]
    cells = run("report", "answers")
    assert cells == [{"tracked": "print", "answered": "print", "answers": 1, "agrees": True}]
    assert run("report", "answers", "--by", "rep")[0]["rate"] == 1.0
    assert isinstance(runner.invoke(ringtrail, ["answer", "add", "x"]).exception, Invalid)
