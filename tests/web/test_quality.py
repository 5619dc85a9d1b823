"""The quality of the data: what can be wrong is found, counted, explained, and led to where it is mended."""

import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.cast import BOREALIS, CATALOGUE_NUMBER, COBALT, FAIR_NUMBER, SEARCH_NUMBER, moment
from tests.web.people import form
from tests.web.test_decide import supplier, text
from tracking.access import jobs
from tracking.records import answers, campaigns, contacts, costs, deals
from tracking.records.contacts import Clues
from tracking.records.costs import CostRecord
from tracking.records.deals import DealRecord
from tracking.reporting import quality, roi
from tracking.reporting.quality import Finding
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Account, Call, ExchangeRate, ImportRun, Job, ReportSchedule
from tracking.storage.vocabulary import CallStatus, JobState, LeadStatus, Medium, Outcome, Stage
from tracking.telephony import calls, numbers
from tracking.telephony.calls import CallEvent

Enter = Callable[[str], FlaskClient]
AT = moment("2026-12-31 12:00")
YEAR = "from=2026-01-01&to=2026-12-31"
ON_SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


def found(engine: Engine, settings: Settings, *, blind: bool = False) -> dict[str, Finding]:
    """Return the findings for 2026 by kind; ``blind`` is without a snapshot."""
    period = roi.period_of(settings, AT.date(), date(2026, 1, 1), date(2026, 12, 31))
    with db.reading(engine) as session:
        snapshot = compared = None
        if not blind:
            snapshot = roi.snapshot(session, settings, at=AT)
            question = roi.Question(("linear",), period, 365.0)
            compared = roi.compare(snapshot, settings, question, at=AT)
        told = quality.findings(session, settings, period, at=AT, snapshot=snapshot, found=compared)
    return {finding.kind: finding for finding in told}


def ring(
    session: Session, key: str, dialled: str, *, at: str = "2026-03-02 09:00", caller: str = BOREALIS
) -> Call:
    event = CallEvent(
        provider="twilio", provider_call_id=key, dialled=(dialled,), caller=caller, started_at=moment(at),
        status=CallStatus.completed, talk_s=60,
    )  # fmt: skip
    return calls.record(session, [event], region="SE")[0].call


def carry(
    session: Session, number: str, name: str, *, ends: str | None = None, expires: str | None = None
) -> None:
    at = moment("2026-01-01")
    row = numbers.add(session, number, at=at, provider="twilio")
    owner = campaigns.add(session, name, "print", at=at)
    piece = campaigns.add_material(
        session, owner, "Spring", at=at, medium=Medium.print,
        expires_on=date.fromisoformat(expires) if expires else None,
    )  # fmt: skip
    held = numbers.assign(session, row, piece, starts_at=at)
    if ends:
        numbers.release(session, held, at=moment(ends))


def test_an_installation_in_order_has_nothing_to_mend(engine: Engine, settings: Settings) -> None:
    supplier(engine)
    assert {kind: f.count for kind, f in found(engine, settings).items() if f.count} == {}


def test_qualifying_calls_that_nobody_asked_about_are_counted(engine: Engine, settings: Settings) -> None:
    with db.transaction(engine) as session:
        carry(session, CATALOGUE_NUMBER, "Catalogue")
        asked = ring(session, "1", CATALOGUE_NUMBER, caller=BOREALIS)
        answers.log(session, Outcome.answered, asked_at=asked.started_at, call=asked, verbatim="a colleague")
        ring(session, "2", CATALOGUE_NUMBER, caller=COBALT)
        # Neither a second call of the same caller, nor one that was no lead, nor spam asks for an answer.
        ring(session, "3", CATALOGUE_NUMBER, caller=COBALT, at="2026-03-03 09:00")
        ring(session, "4", CATALOGUE_NUMBER, caller="+442079460009").lead_status = LeadStatus.not_a_lead
        ring(session, "5", CATALOGUE_NUMBER, caller="+442079460010").spam = True
        ring(session, "6", CATALOGUE_NUMBER, caller="+442079460011", at="2025-03-03 09:00")
    told = found(engine, settings)["unasked"]
    assert (told.count, told.of) == (1, 2)


def test_calls_that_no_material_explains_are_told_apart(engine: Engine, settings: Settings) -> None:
    with db.transaction(engine) as session:
        carry(session, CATALOGUE_NUMBER, "Catalogue", ends="2026-02-01")
        carry(session, FAIR_NUMBER, "Fair", expires="2026-06-30")
        ring(session, "1", CATALOGUE_NUMBER, at="2026-01-10 09:00")
        ring(session, "2", CATALOGUE_NUMBER, at="2026-02-10 09:00")
        ring(session, "3", SEARCH_NUMBER)
        ring(session, "4", SEARCH_NUMBER, at="2025-12-10 09:00")
        ring(session, "5", FAIR_NUMBER, at="2026-12-10 09:00")
    told = found(engine, settings)
    assert told["unknown_numbers"].count == 1, "to a number that is not ours; the other was last year"
    assert told["nobodys_numbers"].count == 1, "after its release"
    assert (told["still_ringing"].count, told["still_ringing"].names) == (1, ("Fair, Spring",))


def test_companies_without_a_name_and_companies_alike_are_counted(engine: Engine, settings: Settings) -> None:
    at = moment("2026-02-01")
    with db.transaction(engine) as session:
        ring(session, "1", SEARCH_NUMBER)
        first = contacts.account_for(session, Clues(company="Borealis Foods"), at=at)
        second = Account(created_at=at)
        contacts.rename(second, "BOREALIS  foods")
        session.add(second)
        session.flush()
        third = contacts.account_for(session, Clues(company="Cobalt Mining"), at=at)
        contacts.merge(session, Account, third.id, first.id)
    told = found(engine, settings)
    assert (told["nameless"].count, told["alike"].count) == (1, 1)
    with db.transaction(engine) as session:
        contacts.merge(session, Account, second.id, first.id)
    assert found(engine, settings)["alike"].count == 0


def test_campaigns_without_cost_and_with_gaps_are_named(engine: Engine, settings: Settings) -> None:
    with db.transaction(engine) as session:
        carry(session, CATALOGUE_NUMBER, "Catalogue")
        ring(session, "1", CATALOGUE_NUMBER)
        # It ran for 181 days, of which 120 have no cost; the mailing ran for a month and paid for all of it.
        for name, first, last, paid in (
            ("Search", date(2026, 1, 1), date(2026, 6, 30), date(2026, 3, 3)),
            ("Mailing", date(2026, 1, 1), date(2026, 1, 31), date(2026, 2, 1)),
        ):
            owner = campaigns.add(
                session, name, "search", at=moment("2026-01-01"), starts_on=first, ends_on=last
            )
            spent = CostRecord(
                period_start=first, period_end=paid, currency="EUR", category="media", amount_minor=100_00
            )
            costs.save(session, spent, campaign=owner)
    told = found(engine, settings)
    assert told["no_cost"].names == ("Catalogue",)
    assert told["cost_gaps"].names == ("Search",)


def test_deals_of_unknown_buyers_are_counted_with_their_share(engine: Engine, settings: Settings) -> None:
    supplier(engine)
    with db.transaction(engine) as session:
        won = DealRecord(
            clues=Clues(company="Nobody met"), name="Order", stage=Stage.won, amount_minor=2_000_00,
            currency="EUR", closed_at=moment("2026-05-01"),
        )  # fmt: skip
        deals.save(session, won, at=AT)
    told = found(engine, settings)["unattributed"]
    assert (told.count, told.of, told.share) == (1, 7, 0.25), "2,000 of 8,000"


def test_amounts_without_a_rate_stop_the_report_and_the_page_says_how_to_go_on(
    engine: Engine, settings: Settings, signed_in: Enter
) -> None:
    supplier(engine)
    with db.transaction(engine) as session:
        won = DealRecord(
            clues=Clues(company="Nippon"), name="Order", stage=Stage.won, amount_minor=100_000,
            currency="JPY", closed_at=moment("2026-05-01"),
        )  # fmt: skip
        deals.save(session, won, at=AT)
    told = found(engine, settings, blind=True)
    assert (told["no_rate"].count, told["no_rate"].names) == (1, ("JPY",))
    assert told["unasked"].count is None
    client = signed_in("marketer")
    page = client.get(f"/quality?{YEAR}")
    assert page.status_code == 200
    assert "1: JPY" in page.text
    assert "not available yet" in page.text
    wrong = client.post("/quality/rates", data=form(page.text, currency="JPY", day="2026-01-01", rate="much"))
    assert wrong.status_code == 422
    assert 'value="much"' in wrong.text, "what was typed stays"
    client.post("/quality/rates", data=form(page.text, currency="jpy", day="2026-01-01", rate="0,006"))
    with db.reading(engine) as session:
        assert session.scalars(select(ExchangeRate.rate)).one() == 0.006
    assert "1: JPY" not in client.get(f"/quality?{YEAR}").text


def test_stale_imports_failed_jobs_and_unsent_reports_are_named(engine: Engine, settings: Settings) -> None:
    with db.transaction(engine) as session:
        for kind, days in (("deals", 36), ("costs", 400), ("costs", 1)):
            counts = {"created": 1, "updated": 0, "skipped": 0, "refused": 0}
            session.add(
                ImportRun(kind=kind, file_name="x.csv", finished_at=AT - timedelta(days=days), **counts)
            )
        for label, days in (("Import new", 1), ("Import old", 40)):
            job: Job = jobs.enqueue(session, "import", label, {}, by="x", at=AT - timedelta(days=days))
            job.state, job.finished_at = JobState.failed, AT - timedelta(days=days)
        session.add(
            ReportSchedule(
                name="Board", recipients=["anna@acme.example"], cadence="weekly", language="en",
                options={}, next_on=AT.date(), created_by="x", last_error="email is not set up",
            )
        )  # fmt: skip
    told = found(engine, settings)
    assert told["stale"].names == ("deals",)
    assert told["failed_jobs"].names == ("Import new",)
    assert told["failed_schedules"].names == ("Board",)


@ON_SQLITE
def test_every_finding_leads_to_a_page_that_the_marketer_may_open(engine: Engine, signed_in: Enter) -> None:
    supplier(engine)
    with db.transaction(engine) as session:
        carry(session, CATALOGUE_NUMBER, "Catalogue", ends="2026-02-01")
        for key, number in (("1", CATALOGUE_NUMBER), ("2", SEARCH_NUMBER)):
            ring(session, key, number)
    client = signed_in("marketer")
    page = client.get(f"/quality?{YEAR}").text
    rows = re.findall(r'<th scope="row" id="(\w+)">.*?</td>\s*<td>(.*?)</td></tr>', page, re.DOTALL)
    assert {"unknown_numbers", "nobodys_numbers", "nameless", "unasked"} <= {kind for kind, _ in rows}
    shown = {}
    for kind, cell in rows:
        [link] = re.findall(r'href="([^"]+)"', cell)
        answer = client.get(link.replace("&amp;", "&"))
        assert answer.status_code == 200, kind
        shown[kind] = answer.text
    # What is counted is what is shown: one caller without a name, who first rang a number of ours at rest.
    assert len(re.findall(r'href="/companies/\d+"', shown["nameless"])) == 1
    assert len(set(re.findall(r'href="/calls/(\d+)"', shown["unasked"]))) == 1
    assert len(set(re.findall(r'href="/calls/(\d+)"', shown["nobodys_numbers"]))) == 1
    assert f"{SEARCH_NUMBER} (1)" in shown["unknown_numbers"]
    assert "Calls from Jan 1, 2026 to Dec 31, 2026" in shown["unknown_numbers"], (
        "the days in which it counted"
    )
    assert client.get("/numbers?from=yesterday").status_code == 422
    assert "No issues" in page
    assert 'href="/quality"' in client.get("/").text
    assert "/quality?" in client.get("/report").text


@ON_SQLITE
def test_who_may_not_mend_sees_what_is_wrong_without_a_way_to_a_closed_door(
    engine: Engine, signed_in: Enter
) -> None:
    supplier(engine)
    with db.transaction(engine) as session:
        ring(session, "1", SEARCH_NUMBER)
    client = signed_in("viewer")
    page = client.get(f"/quality?{YEAR}").text
    assert "Eligible calls where the caller was not asked" in text(page)
    assert "/desk/unasked" not in page
    assert "/quality/rates" not in page
    assert client.get("/quality?from=spring").status_code == 422


@ON_SQLITE
def test_the_report_says_what_is_wrong_with_its_data(engine: Engine, signed_in: Enter) -> None:
    supplier(engine)
    with db.transaction(engine) as session:
        ring(session, "1", SEARCH_NUMBER)
    page = text(signed_in("viewer").get(f"/report?{YEAR}").text)
    assert "Calls to numbers that are not in the inventory: 1. They count as unknown source" in page
