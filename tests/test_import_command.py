"""``ringtrail import``: what it prints, what it returns, what it refuses to begin."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.conftest import KEY
from tests.imports import DATA
from tracking.cli import ringtrail
from tracking.errors import Invalid
from tracking.imports import kinds
from tracking.imports.uploads import UploadStore
from tracking.storage import db
from tracking.storage.config import Settings

CDR = DATA / "cdr"


@pytest.fixture
def command(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Command":
    """The command on an installation of its own."""
    shutil.copy(sqlite_template, tmp_path / "ringtrail.db")
    monkeypatch.setenv("RINGTRAIL_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("RINGTRAIL_KEY", KEY)
    return Command()


class Command:
    """Runs ``ringtrail import``."""

    def __call__(self, *arguments: object, stdin: bytes = b"") -> Result:
        found = CliRunner().invoke(ringtrail, ["import", *(str(a) for a in arguments)], input=stdin)
        if found.exception and not isinstance(found.exception, SystemExit):
            raise found.exception
        return found

    def json(self, *arguments: object, stdin: bytes = b"") -> dict[str, object]:
        found: dict[str, object] = json.loads(self(*arguments, "--json", stdin=stdin).stdout)
        return found


def test_it_says_what_it_did(command: Command) -> None:
    found = command("cdr", CDR / "asterisk_18.csv")
    assert found.exit_code == 0
    assert (
        "asterisk_18.csv: Asterisk cdr_csv, utf-8, 5 rows: 3 created, 0 updated, 2 skipped, 0 rejected"
    ) in found.stdout
    assert "skipped: 1 outgoing call" in found.stdout


def test_refused_rows_are_shown_and_end_with_1(command: Command, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text((CDR / "asterisk_18.csv").read_text().replace(",246,240,", ",246,300,"))
    refused = tmp_path / "refused.csv"
    refused.touch(0o644)
    found = command("cdr", bad, "--refused", refused)
    assert found.exit_code == 1
    assert refused.stat().st_mode & 0o777 == 0o600, "callers' numbers stand in it"
    assert "talk time 300 s is longer than the call, 246 s" in " ".join(found.stdout.split())
    assert f"rejected rows saved in {refused}" in found.stdout
    assert refused.read_text().count("error: line 1: billsec '300'") == 1
    strict = command("cdr", bad, "--strict")
    assert strict.exit_code == 1
    assert "nothing imported: --strict imports all rows or none" in strict.stdout


def test_json_holds_the_same(command: Command) -> None:
    found = command.json("cdr", CDR / "asterisk_18.csv", "--dry-run")
    assert {k: found[k] for k in ("created", "skipped", "refused", "rows", "dry_run", "taken")} == {
        "created": 3,
        "skipped": 2,
        "refused": 0,
        "rows": 5,
        "dry_run": True,
        "taken": False,
    }
    assert found["skip_reasons"] == {"outgoing call": 1, "internal call": 1}


def test_a_file_may_come_from_standard_input(command: Command) -> None:
    found = command.json("cdr", "-", stdin=(CDR / "freepbx.csv").read_text().encode("utf-16"))
    assert (found["file"], found["created"]) == ("standard input", 3)


def test_mapping_zone_currency_and_dates_are_options(command: Command) -> None:
    text = "Kunde;Summe;Phase;Datum\nBorealis Foods;1.234,5;Auftrag;03/04/2026\n".encode("cp1252")
    names = ["company=Kunde", "amount=Summe", "stage=Phase", "closed_at=Datum"]
    flags = [part for name in names for part in ("--map", name)]
    told = ["--stage", "Auftrag=won", "--currency", "SEK", "--dates", "dmy", "--timezone", "UTC"]
    assert command.json("deals", "-", *flags, *told, "--decimal", ",", stdin=text)["created"] == 1
    touch = b"account_id,occurred_at,kind\nA-1,2026-03-01 09:00,visit\n"
    assert command.json("touches", "-", stdin=touch)["refused"] == 1
    assert command.json("touches", "-", "--timezone", "Europe/Berlin", stdin=touch)["created"] == 1


def test_a_supplier_file_and_every_kind_of_table_are_taken(command: Command) -> None:
    first = command("supplier", DATA / "worked_100" / "supplier.yaml")
    assert first.stdout == "1 campaigns, 1 materials, 1 numbers, 1 assignments added\n"
    for kind, folder in (("costs", "worked_100"), ("deals", "worked_100"), ("touches", "worked_237_86")):
        assert command(kind, DATA / folder / f"{kind}.csv").exit_code == 0
    assert command("calls", DATA / "crm" / "callrail_call_log.csv").exit_code == 0


def test_a_script_leaves_a_file_that_names_no_days_for_the_page(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "campaigns.csv"
    file.write_text("Label,Visits,Actions\npumps,31,1\n")
    store = UploadStore(tmp_path)
    with pytest.raises(Invalid, match="does not say which days"):
        command("visits", file, "--dry-run")
    assert store.waiting() == []
    for _ in range(2):
        found = command("visits", file, "--site", "shop")
        assert found.exit_code == 3
        assert "not imported yet: the file does not say which days it covers; add --days" in found.stdout
        (upload,) = store.waiting()
    assert (upload.kind, upload.name, upload.by, upload.options) == (
        "visits",
        "campaigns.csv",
        "terminal",
        {"site": "shop"},
    )
    file.write_text("Label,Visits,Actions\npumps,32,1\n")
    command("visits", file)
    assert len(store.waiting()) == 2, "as many bytes under the same name, but another file"
    upload.options["days"] = "2026-03"  # as the page asks
    settings = Settings(data_dir=tmp_path, key=KEY)
    assert kinds.take(db.connect(settings), settings, upload, dry_run=False)["created"] == 1


def test_what_cannot_be_begun_is_said_before_anything_is_read(command: Command, tmp_path: Path) -> None:
    assert command("cdr", tmp_path / "missing.csv").exit_code == 2
    assert command("cdr", CDR / "asterisk_18.csv", "--timezone", "Mars/Olympus").exit_code == 2
    copy = shutil.copy(CDR / "asterisk_18.csv", tmp_path)
    with pytest.raises(Invalid, match="refused: this is the imported file itself"):
        command("cdr", copy, "--refused", copy)
    with pytest.raises(Invalid, match=r"refused: cannot write .*: folder .* does not exist"):
        command("cdr", copy, "--refused", tmp_path / "nowhere" / "refused.csv")


def test_the_status_of_a_call_is_told_by_its_word(command: Command, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("started_at,caller,dialled,status\n2026-03-02 09:00,+442079460001,+46701740605,Erreicht\n")
    (refusal,) = command.json("calls", log)["refusals"]  # type: ignore[misc]  # a list, as JSON has it
    assert '--status "Erreicht=completed"' in refusal["reason"]
    assert command.json("calls", log, "--status", "Erreicht=completed")["created"] == 1
