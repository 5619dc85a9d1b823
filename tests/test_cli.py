"""The command line: a supplier at work with nothing but a terminal."""

import csv
import io
import json
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from tests.cast import ACME_DESK, BOREALIS, CATALOGUE_NUMBER, moment
from tracking.cli import main, ringtrail
from tracking.cli.report import percent
from tracking.records import campaigns, costs, deals
from tracking.records.contacts import Clues
from tracking.records.costs import CostRecord
from tracking.records.deals import DealRecord
from tracking.records.touches import TouchRecord
from tracking.records.touches import save as save_touch
from tracking.storage import db, kept
from tracking.storage.config import Settings
from tracking.storage.vocabulary import Stage, TouchKind

DATA = Path(__file__).parent / "data"


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Terminal":
    """A terminal in a folder of its own, with a fresh installation."""
    monkeypatch.setenv("RINGTRAIL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "250")
    shell = Terminal()
    assert "is at schema" in shell.run("db upgrade").stdout
    return shell


class Terminal:
    """Runs commands as they are typed."""

    def run(self, line: str, code: int = 0) -> Result:
        result = CliRunner().invoke(ringtrail, line.split(), standalone_mode=True)
        assert result.exit_code == code, result.output + repr(result.exception)
        return result

    def json(self, line: str) -> object:
        return json.loads(self.run(line).stdout)


def with_catalogue(terminal: Terminal) -> None:
    terminal.run("campaign add Catalogue --channel print")
    terminal.run("material add Catalogue Spring --medium print")
    terminal.run(f"number add {CATALOGUE_NUMBER} --destination {ACME_DESK}")
    terminal.run("number assign --campaign Catalogue --material Spring --from 2026-01-01")


def with_a_sale(terminal: Terminal) -> None:
    with_catalogue(terminal)
    settings = Settings.load()
    engine = db.open_installed(settings)
    with db.transaction(engine) as session:
        catalogue = campaigns.get(session, "Catalogue")
        seen = TouchRecord(
            source_key="t1",
            clues=Clues(company="Borealis Foods"),
            occurred_at=moment("2026-02-01"),
            kind=TouchKind.visit,
        )
        save_touch(session, seen, at=moment("2026-02-01"), campaign=catalogue)
        sale = DealRecord(
            clues=Clues(company="Borealis Foods", phone=BOREALIS),
            stage=Stage.won,
            amount_minor=87_000_00,
            currency="EUR",
            closed_at=moment("2026-06-01"),
        )
        deals.save(session, sale, at=moment("2026-06-01"))
        spent = CostRecord(
            period_start=date(2026, 1, 1),
            period_end=date(2027, 1, 1),
            currency="EUR",
            category="print",
            amount_minor=25_750_00,
        )
        costs.save(session, spent, campaign=catalogue)
    engine.dispose()


YEAR = "--from 2026-01-01 --to 2026-12-31"


def test_a_number_is_put_on_ad_material_and_taken_off_again(terminal: Terminal) -> None:
    with_catalogue(terminal)
    (row,) = terminal.json("number list --json")  # type: ignore[misc]  # a list of one
    assert (row["number"], row["state"], row["material"]) == (CATALOGUE_NUMBER, "assigned", "Spring")
    assert (
        "cooling off until 2028-" in terminal.run(f"number release {CATALOGUE_NUMBER} --at 2026-03-01").stdout
    )
    (row,) = terminal.json("number list --json")  # type: ignore[misc]  # a list of one
    assert row["state"] == "quarantined"


def test_the_roi_of_a_campaign_is_read_as_a_table_as_json_and_as_csv(terminal: Terminal) -> None:
    with_a_sale(terminal)
    table = terminal.run(f"report roi --model linear {YEAR}").stdout
    assert "237.86%" in table
    assert "87,000.00" in table
    document = terminal.json(f"report roi --model linear {YEAR} --format json")
    assert isinstance(document, dict)
    assert (document["from"], document["to"], document["models"]) == ("2026-01-01", "2026-12-31", ["linear"])
    assert document["rows"][0]["roi"] == pytest.approx(2.378640776699029)
    rows = list(csv.DictReader(io.StringIO(terminal.run(f"report roi {YEAR} --format csv").stdout)))
    assert (rows[0]["campaign"], rows[0]["revenue_minor"]) == ("Catalogue", "8700000")


@pytest.mark.parametrize(
    ("folder", "commands", "campaign", "roi"),
    [
        (
            "worked_100",
            ["supplier {}/supplier.yaml", "cdr {}/calls.csv", "costs {}/costs.csv", "deals {}/deals.csv"],
            "Catalogue 2026",
            "100.00%",
        ),
        (
            "worked_237_86",
            ["costs {}/costs.csv", "touches {}/touches.csv", "deals {}/deals.csv"],
            "Pump fair 2026",
            "237.86%",
        ),
    ],
)
def test_the_worked_figures_of_the_trade_come_out_of_imported_files(
    terminal: Terminal, folder: str, commands: list[str], campaign: str, roi: str
) -> None:
    for command in commands:
        terminal.run(f"import {command.format(DATA / folder)}")
    document = terminal.json(f"report roi --model linear {YEAR} --format json")
    assert isinstance(document, dict)
    line = next(row for row in document["rows"] if row["campaign"] == campaign)
    assert percent(line["roi"]) == roi
    assert roi in terminal.run(f"report roi --model linear {YEAR}").stdout


def test_all_models_are_compared_and_those_the_data_do_not_support_are_named(terminal: Terminal) -> None:
    with_a_sale(terminal)
    shown = terminal.run(f"report roi --compare {YEAR}")
    for model in ("first touch", "last touch", "linear", "time decay"):
        assert model in shown.stdout.replace("\n", " ") or model.split()[0] in shown.stdout
    assert "self-reported could not be calculated" in shown.stderr


def test_the_desk_report_defines_what_it_counts(terminal: Terminal) -> None:
    figures = terminal.json(f"report kpis {YEAR} --json")
    assert isinstance(figures, dict)
    assert (figures["calls"], figures["asked_rate"]) == (0, None)
    shown = terminal.run("report kpis").stdout
    assert all(
        kpi in shown for kpi in ("│ Answer rate ", "│ Ask rate ", "│ Missed call rate ", "│ Eligible calls ")
    )
    assert "eligible calls (answered" in terminal.run(f"report kpis {YEAR}").stdout


def test_the_journey_tables_are_written_for_notebooks(terminal: Terminal, tmp_path: Path) -> None:
    with_a_sale(terminal)
    terminal.run(f"export {tmp_path / 'out'}")
    written = {path.stem: pq.read_table(path) for path in (tmp_path / "out").glob("*.parquet")}
    assert set(written) == {"touches", "conversions", "costs", "answers", "calls", "visits"}
    assert written["touches"]["campaign"].to_pylist() == ["Catalogue"]


def test_a_rate_makes_another_currency_reportable(terminal: Terminal) -> None:
    assert "1 SEK = 0.09 EUR from 2026-01-01" in terminal.run("rate SEK 2026-01-01 0.09").stdout
    assert "1 SEK = 0.1 EUR" in terminal.run("rate SEK 2026-01-01 0.1").stdout


def test_a_token_is_shown_once_and_revoked_by_its_visible_part(terminal: Terminal) -> None:
    secret = terminal.run("token add notebook --scope read").stdout.strip()
    assert secret.startswith("rt_")
    listed = terminal.run("token list").stdout
    prefix = secret.split("_")[1]
    assert prefix in listed
    assert secret not in listed
    assert f"{prefix} revoked" in terminal.run(f"token revoke {prefix}").stdout


def test_the_doctor_names_what_needs_attention_and_how_to_mend_it(terminal: Terminal) -> None:
    findings = json.loads(terminal.run("doctor --json", code=1).stdout)
    states = {finding["check"]: finding["state"] for finding in findings}
    assert (states["database"], states["SQLite"], states["key"]) == ("ok", "ok", "ok")
    assert states["default destination"] == "attention"
    detail = next(f["detail"] for f in findings if f["check"] == "default destination")
    assert "RINGTRAIL_DEFAULT_DESTINATION" in detail


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("number add 123", "number: '123' is not a phone number; enter it with country code"),
        ("material add Nowhere Spring --medium print", "campaign 'Nowhere' not found"),
        ("rate XYZ 2026-01-01 1", "currency: 'XYZ' is not a currency code"),
        (
            "report roi --from 2026-05-01 --to 2026-01-01",
            "to: the last day, 2026-01-01, is before the first day",
        ),
        ("number release +46701740699", "ringtrail number add +46701740699"),
    ],
)
def test_what_a_person_can_put_right_ends_in_one_line_and_exit_code_2(
    terminal: Terminal,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    reason: str,
) -> None:
    monkeypatch.setattr("sys.argv", ["ringtrail", *line.split()])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert reason in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("report roi --lookback nan", "'nan' is not a number"),
        ("size-desk --calls-per-hour inf", "'inf' is not a number"),
        (
            "size-pool --views-per-hour 7 --delay-minutes 1e308",
            "1e308 is out of range; enter more than 0 and at most",
        ),
        ("rate EUR 2026-01-01 nan", "'nan' is not a number"),
        (
            "experiment add Pause --campaign X --from 2026-03-02 --weeks 4 --at-least inf",
            "'inf' is not a number",
        ),
        ("import undo 99999999999999999999", "out of range; enter at least 1 and at most 2,147,483,647"),
        ("answer add fair --call 0", "0 is out of range; enter at least 1"),
        ("size-desk --calls-per-hour 1000000 --talk-minutes 9000", "no size up to 100000 keeps the loss"),
    ],
)
def test_figures_beyond_every_record_are_refused_before_anything_is_worked_out(
    terminal: Terminal, line: str, reason: str
) -> None:
    assert reason in terminal.run(line, code=2).output


def test_a_folder_that_cannot_be_made_is_named(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setattr("sys.argv", ["ringtrail", "export", str(tmp_path / "taken" / "deeper")])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert f"{tmp_path / 'taken' / 'deeper'}: Not a directory" in capsys.readouterr().err


def test_without_a_database_the_command_that_makes_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RINGTRAIL_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["ringtrail", "number", "list"])
    with pytest.raises(SystemExit):
        main()
    assert "has no tables yet; run `ringtrail db upgrade`" in capsys.readouterr().err


def test_a_key_for_the_settings_can_be_made(terminal: Terminal) -> None:
    assert terminal.run("key").stdout != terminal.run("key").stdout


def test_a_number_is_given_for_the_past_and_what_it_was_on_ends_the_day_before(terminal: Terminal) -> None:
    with_catalogue(terminal)
    terminal.run("material add Catalogue Autumn --medium print")
    later = f"number assign {CATALOGUE_NUMBER} --campaign Catalogue --material Autumn --from 2026-03-01"
    refused = terminal.run(later, code=1)
    assert "--close-others" in str(refused.exception)
    assert "assigned to 'Autumn'" in terminal.run(f"{later} --close-others").stdout
    (row,) = terminal.json("number list --json")  # type: ignore[misc]  # a list of rows
    assert row["material"] == "Autumn"


def test_the_main_line_is_named_in_the_terminal(terminal: Terminal) -> None:
    assert (
        "added as the main line" in terminal.run(f"number add {ACME_DESK} --provider cdr --main-line").stdout
    )
    assert "no longer the main line" in terminal.run(f"number main-line {ACME_DESK} --off").stdout
    terminal.run(f"number main-line {ACME_DESK}")
    (row,) = terminal.json("number list --json")  # type: ignore[misc]  # a list of rows
    assert row["state"] == "main_line"
    assert "main line" in terminal.run("number list").stdout


def test_tables_say_channels_and_states_as_the_pages_do_and_json_keeps_their_names(
    terminal: Terminal,
) -> None:
    terminal.run("campaign add Expo --channel fair")
    terminal.run(f"number add {CATALOGUE_NUMBER} --provider cdr")
    terminal.run("material add Expo Stand")
    terminal.run("number assign --campaign Expo --material Stand --from 2026-01-01")
    assert "trade show" in terminal.run("campaign list").stdout
    assert "in use" in terminal.run("number list").stdout
    terminal.run(f"number release {CATALOGUE_NUMBER} --at 2026-02-01")
    assert "cooling off" in terminal.run("number list").stdout
    (campaign,) = terminal.json("campaign list --json")  # type: ignore[misc]  # a list of one
    (number,) = terminal.json("number list --json")  # type: ignore[misc]  # a list of one
    assert (campaign["channel"], number["state"]) == ("fair", "quarantined")


def test_an_import_is_listed_and_undone_after_it_was_shown(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "costs.csv"
    path.write_text("campaign,period,amount,currency\nFair,2026-03,100,EUR\n")
    assert "ringtrail import undo 1" in terminal.run(f"import costs {path}").stdout
    shown = terminal.run("import undo 1 --dry-run").stdout
    assert "costs: 1 deleted" in shown
    assert "campaigns: 1 deleted" in shown
    done = terminal.json("import undo 1 --json")
    assert done["going"] == {"cost": 1, "campaign": 1}  # type: ignore[index]  # an object
    (row,) = terminal.json("import list --json")  # type: ignore[misc]  # a list of rows
    assert (row["import"], row["can_be_undone"], row["undone"] is None) == (1, False, False)
    assert terminal.json("campaign list --json") == []


def test_what_is_known_of_a_person_is_written_for_the_owner_of_the_file_alone(
    terminal: Terminal, tmp_path: Path
) -> None:
    with_a_sale(terminal)
    path = tmp_path / "person.json"
    path.touch(0o644)
    terminal.run(f"person export {BOREALIS} -o {path}")
    assert "Borealis Foods" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_command_line_follows_what_is_set_on_pages_and_refuses_a_sheet_that_leads_nowhere(
    terminal: Terminal, tmp_path: Path
) -> None:
    with_catalogue(terminal)
    sheet = tmp_path / "sheet.pdf"
    refused = CliRunner().invoke(ringtrail, ["number", "sheet", CATALOGUE_NUMBER, "-o", str(sheet)])
    assert "No number sheet can be printed while the public address is http://127.0.0.1:8000" in str(
        refused.exception
    )
    assert not sheet.exists()
    settings = Settings.load()
    engine = db.open_installed(settings)
    with db.transaction(engine) as session:
        kept.put(session, "RINGTRAIL_BASE_URL", "https://calls.acme.example")
        kept.put(session, "RINGTRAIL_CURRENCY", "SEK")
    engine.dispose()
    terminal.run(f"number sheet {CATALOGUE_NUMBER} -o {sheet} --language sv")
    assert sheet.read_bytes().startswith(b"%PDF")
    assert "currency SEK" in terminal.run("doctor", 1).stdout
