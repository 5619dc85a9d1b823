"""No verdict without evidence; one figure for the same words in pages, files, programs and terminal."""

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import Engine

from reports.roi import TOTAL
from tests import workbooks as reader
from tests.api_client import Api
from tests.cast import BOREALIS, CATALOGUE_NUMBER, moment
from tests.conftest import KEY
from tests.web.people import form
from tests.web.test_decide import supplier, text
from tracking.cli import ringtrail
from tracking.records import campaigns, costs, deals
from tracking.records.contacts import Clues
from tracking.records.costs import CostRecord
from tracking.records.deals import DealRecord
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.vocabulary import CallStatus, Stage
from tracking.telephony import calls
from tracking.telephony.calls import CallEvent

Enter = Callable[[str], FlaskClient]
YEAR = "from=2026-01-01&to=2026-12-31"
VERDICTS = (
    "highest ROI", "Highest ROI", "whichever model you choose", "changes the answer", "under some models",
    "Increase", "Increase slightly", "Keep", "Keep:", "Stop", "End:", "Review", "-100",
    "−100", "behind",
)  # fmt: skip
PAGES = ("/", "/roi", "/roi/advice", "/roi/trends", "/key-figures", "/report", "/quality")


def terminal(settings: Settings, *arguments: str) -> str:
    told = {"RINGTRAIL_DATA_DIR": str(settings.data_dir), "RINGTRAIL_KEY": KEY}
    ended = CliRunner().invoke(ringtrail, arguments, env=told)
    assert ended.exit_code == 0, ended.output
    return ended.output


def rang(engine: Engine) -> None:
    """One call to a number that is not ours, so that the overview is no start page."""
    with db.transaction(engine) as session:
        event = CallEvent(
            provider="twilio", provider_call_id="CA1", dialled=(CATALOGUE_NUMBER,), caller=BOREALIS,
            started_at=moment("2026-03-01 10:00"), status=CallStatus.completed, talk_s=60,
        )  # fmt: skip
        calls.record(session, [event], region="SE")


def order(engine: Engine, company: str, amount_minor: int) -> None:
    """A won deal of a company of which no touch is recorded."""
    with db.transaction(engine) as session:
        won = DealRecord(
            clues=Clues(company=company), name=company, stage=Stage.won, amount_minor=amount_minor,
            currency="EUR", closed_at=moment("2026-06-01"),
        )  # fmt: skip
        deals.save(session, won, at=moment("2026-06-01"))


def spent(engine: Engine, *names: str) -> None:
    """Campaigns that cost 5,000 each and that nothing leads to."""
    with db.transaction(engine) as session:
        for name in names:
            campaign = campaigns.add(session, name, "print", at=moment("2026-01-01"))
            record = CostRecord(
                period_start=moment("2026-01-01").date(), period_end=moment("2027-01-01").date(),
                currency="EUR", category="media", amount_minor=5_000_00,
            )  # fmt: skip
            costs.save(session, record, campaign=campaign)


def main_of(client: FlaskClient, path: str) -> str:
    answer = client.get(f"{path}?{YEAR}")
    assert answer.status_code == 200, path
    return text(answer.text.split("<main")[1])


def test_with_costs_and_no_touch_no_page_file_program_or_command_gives_a_verdict(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    spent(engine, "Catalogue", "Trade press")
    with db.transaction(engine) as session:
        campaigns.change(session, campaigns.get(session, "Catalogue"), targets={"leads": 40})
    for number in range(40):
        order(engine, f"Buyer {number}", 1_000_00)
    rang(engine)
    client = signed_in("viewer")
    said = {path: main_of(client, path) for path in PAGES}
    with zipfile.ZipFile(io.BytesIO(client.get(f"/report/csv?{YEAR}").data)) as archive:
        said |= {name: archive.read(name).decode("utf-8-sig") for name in archive.namelist()}
    book = reader.read(client.get(f"/report/xlsx?{YEAR}").data)
    said |= {name: str(rows) for name, rows in book.items()}
    dates = ("--from", "2026-01-01", "--to", "2026-12-31")
    said["table"] = terminal(settings, "report", "roi", *dates)
    said["compared"] = terminal(settings, "report", "roi", "--compare", *dates)
    for place, words in said.items():
        # How ROI is worked out, and what the words of the advice mean, is not said of a campaign.
        found = [verdict for verdict in VERDICTS if re.search(rf"(?<!\w){re.escape(verdict)}", words)]
        assert found == [], (place, words)
    for path in ("/", "/roi", "/roi/advice", "/report"):
        assert "cannot tell which campaigns pay off: no revenue is connected to a campaign" in said[path], (
            path
        )
        assert "0.0%" in said[path], "of the revenue is connected"
    assert (
        "Cannot tell Nothing connects it to a call. Give its assets their own phone number"
        in (said["/roi/advice"])
    )
    unseen = "Campaigns with a cost but no connection to a call 2: Catalogue, Trade press"
    assert unseen in said["/quality"]
    assert "Cannot tell, because nothing connects them to a call: Catalogue, Trade press" in said["table"]
    answer = Api(settings, engine).get("/reports/roi?from=2026-01-01&to=2026-12-31")
    assert {row["roi"] for row in answer["rows"]} == {row["roas"] for row in answer["rows"]} == {None}
    assert answer["connected"]["unconnected"] == ["Catalogue", "Trade press"]
    assert answer["connected"]["revenue"] == {"connected": 0, "of": 40_000_00, "share": 0}


def test_an_empty_installation_gets_no_verdict(signed_in: Enter) -> None:
    client = signed_in("viewer")
    for path in PAGES:
        words = main_of(client, path)
        assert [verdict for verdict in VERDICTS if re.search(rf"(?<!\w){re.escape(verdict)}", words)] == [], (
            path
        )


def test_page_sheet_csv_program_and_terminal_give_the_same_figures_for_the_same_words(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    """Six orders of 1,000 are credited to campaigns of 6,500, and one of 4,000 to nobody."""
    supplier(engine)
    order(engine, "Drift", 4_000_00)
    rang(engine)
    client = signed_in("viewer")
    roi, efficiency = pytest.approx(-500 / 6_500), pytest.approx(10_000 / 6_500)
    by_api = Api(settings, engine).get("/reports/roi?from=2026-01-01&to=2026-12-31")["rows"][-1]
    dates = ("--from", "2026-01-01", "--to", "2026-12-31")
    by_command = json.loads(terminal(settings, "report", "roi", *dates, "--format", "json"))["rows"][-1]
    rows = csv.DictReader(io.StringIO(terminal(settings, "report", "roi", *dates, "--format", "csv")))
    by_csv: dict[str, Any] = {name: number(cell) for name, cell in list(rows)[-1].items()}
    for told in (by_api, by_command, by_csv):
        assert (told["revenue_minor"], told["credited_minor"], told["cost_minor"]) == (
            10_000_00, 6_000_00, 6_500_00,
        )  # fmt: skip
        assert (told["roi"], told["marketing_efficiency"]) == (roi, efficiency)
    table = terminal(settings, "report", "roi", *dates)
    assert re.search(rf"{re.escape(TOTAL)}.*-7.69%.*1\.54", table)
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"/report/csv?{YEAR}").data))
    files = {
        name: list(csv.DictReader(io.StringIO(archive.read(name).decode("utf-8-sig"))))
        for name in ("roi.csv", "headline.csv", "key-figures.csv")
    }
    [line] = [r for r in files["roi.csv"] if (r["campaign"], r["model"]) == ("Total", "position-based")]
    assert (line["revenue_minor"], line["credited_minor"], float(line["roi"])) == ("10000.00", "6000.00", roi)
    headline = {row["measure"]: row["now"] for row in files["headline.csv"]}
    key = {row["figure"]: row["now"] for row in files["key-figures.csv"]}
    for found in (headline, key):
        assert (float(found["ROI"]), float(found["Marketing efficiency"])) == (roi, efficiency)
    book = reader.read(client.get(f"/report/xlsx?{YEAR}").data)
    head, *lines = book["ROI by campaign and model"]
    [sheet] = [row for row in lines if row[:2] == ["Total", "position-based"]]
    assert sheet[head.index("ROI")] == roi
    assert "ROI -7.7% credited revenue €6,000" in main_of(client, "/")
    assert "Marketing efficiency 1.5" in main_of(client, "/")
    assert re.search(r"Total .*€10,000 -7\.7%", main_of(client, "/roi"))
    keys = main_of(client, "/key-figures")
    assert "ROI -7.7%" in keys
    assert "Marketing efficiency 1.5" in keys
    assert "Revenue connected 60.0% of €10,000" in main_of(client, "/roi")


def number(cell: str) -> Any:
    try:
        return float(cell)
    except ValueError:
        return cell


def test_the_model_that_decides_leads_every_page_and_is_changed_on_a_page_or_by_a_command(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    supplier(engine)
    rang(engine)
    client = signed_in("marketer")
    assert "position-based is the safest choice" in main_of(client, "/settings/model")
    sent = client.post("/settings/model", data=form(client.get("/settings/model").text, model="last-touch"))
    assert sent.status_code == 303
    for path in ("/", "/roi", "/roi/trends", "/key-figures", "/roi/behind", "/roi/advice", "/report"):
        assert "last-touch" in main_of(client, path), path
    advised = "We do not recommend last-touch"
    for path in ("/roi", "/roi/advice", "/report", "/settings/model"):
        assert advised in main_of(client, path), path
    rows = Api(settings, engine).get("/reports/roi?from=2026-01-01&to=2026-12-31")["rows"]
    assert {row["model"] for row in rows} == {"last-touch"}
    wrong = client.post("/settings/model", data=form(client.get("/settings/model").text, model="guess"))
    assert wrong.status_code == 422
    assert "last-touch was chosen here" in terminal(settings, "report", "model")
    terminal(settings, "report", "model", "linear")
    assert "linear, 2025" in terminal(settings, "report", "roi")
    assert "position-based is the safest choice" in terminal(settings, "report", "model", "--recommended")
    assert advised not in main_of(client, "/roi/advice"), "a comparison that nobody chose has no such model"


def test_the_first_year_of_recording_is_no_growth_and_no_fall(signed_in: Enter, engine: Engine) -> None:
    supplier(engine)
    rang(engine)
    client = signed_in("viewer")
    first = text(client.get("/?from=2026-02-01&to=2026-12-31&against=previous").text)
    assert not re.search("[▲▼]", first), "nothing was recorded in the year before"
    report = text(client.get("/report?from=2026-03-16&to=2026-12-31").text)
    assert not re.search("[▲▼]", report.split("Main results")[1].split("About this report")[0])


def test_an_old_lead_date_in_a_deals_file_is_no_year_of_recording(signed_in: Enter, engine: Engine) -> None:
    supplier(engine)
    rang(engine)
    with db.transaction(engine) as session:
        for number, day in enumerate(("2024-01-10", "2025-06-10", "2025-07-10", "2026-05-10")):
            told = DealRecord(
                clues=Clues(company=f"Old {number}"), stage=Stage.lead, amount_minor=None, currency="EUR",
                lead_at=moment(day),
            )  # fmt: skip
            deals.save(session, told, at=moment("2026-06-01"))
    overview = text(signed_in("viewer").get("/?from=2026-02-01&to=2026-12-31&against=previous").text)
    assert not re.search("[▲▼]", overview), "calls and touches are recorded since 2026"
