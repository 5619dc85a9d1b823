"""Imports in pages: the guess, the mapping, the trial, the mending, the job, and what stays on the disk."""

import io
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, func, select

from tests.web.people import form
from tracking import clock, db, jobs, worker
from tracking.config import Settings
from tracking.imports.uploads import Shelf
from tracking.models import Campaign, Cost, Deal, ImportRun
from tracking.office import ImportMapping

Enter = Callable[[str], FlaskClient]
SCRIPT = '<script>alert(1)</script>" onload="alert(2)'
DEALS = """Deal ID,Deal name,Deal stage,Amount,Associated company,Close date
d1,Pumps,won,1000.00,Borealis Foods,2026-03-01
d2,Valves,won,lots,Nordic Paper,2026-03-02
d3,Seals,open,250,Arctic Dairy,
d4,Hoses,won,80,Sauna Oy,soon
"""


def give(client: FlaskClient, text: str | bytes, name: str = "deals.csv") -> tuple[int, str]:
    """Give a file; return the status and the address it leads to, or the page."""
    content = text.encode() if isinstance(text, str) else text
    fields = form(client.get("/account").text) | {"file": (io.BytesIO(content), name)}
    answer = client.post("/imports", data=fields, content_type="multipart/form-data")
    return answer.status_code, answer.location or answer.text


def chosen(page: str) -> dict[str, str]:
    """Return what the selects and the kind of the mapping page say, as a browser would send it."""
    fields = dict(re.findall(r'<input type="hidden" name="(kind)" value="([^"]+)"', page))
    for name, options in re.findall(r'<select name="(column-\d+)".*?>(.*?)</select>', page, re.S):
        picked = re.search(r"<option selected>([^<]+)", options)
        fields[name] = picked[1] if picked else ""
    return fields


def tried(client: FlaskClient, engine: Engine, settings: Settings, path: str, **more: str) -> str:
    """Accept the mapping, let the worker try the file, and return the page with what it found."""
    fields = chosen(client.get(path).text) | more
    answer = client.post(path, data=form(client.get("/account").text) | fields)
    assert answer.status_code == 303, answer.text
    assert jobs.work(engine, worker.known(engine, settings))
    return client.get(f"{path}/check").text


def total(engine: Engine, table: type = Deal) -> int:
    with db.reading(engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_file_is_guessed_tried_mended_and_imported(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    status, path = give(client, DEALS)
    assert status == 303
    page = client.get(path).text
    assert chosen(page) == {
        "kind": "deals", "column-0": "deal_id", "column-1": "name", "column-2": "stage",
        "column-3": "amount", "column-4": "company", "column-5": "closed_at",
    }  # fmt: skip
    assert "Borealis Foods · Nordic Paper · Arctic Dairy" in page
    page = tried(client, engine, settings, path)
    assert "2 rows would be created, 0 updated, 0 skipped and 2 refused" in page
    assert "Line 3: Amount “lots”" in page
    assert total(engine) == 0, "a trial writes nothing"
    refused = client.get(f"{path}/refused.csv").text
    assert (
        refused.splitlines()[0] == "Deal ID,Deal name,Deal stage,Amount,Associated company,Close date,error"
    )
    assert len(refused.splitlines()) == 3
    token = form(client.get("/account").text)
    cells = dict(
        zip(
            [f"cell-3-{n}" for n in range(6)],
            ["d2", "Valves", "won", "700", "Nordic Paper", "2026-03-02"],
            strict=True,
        )
    )
    assert client.post(f"{path}/mend", data=token | cells).status_code == 303
    page = client.get(f"{path}/check").text
    assert "3 rows would be created, 0 updated, 0 skipped and 1 refused" in page
    assert (
        client.get(f"{path}/refused.csv")
        .text.splitlines()[1]
        .startswith("d4,Hoses,won,80,Sauna Oy,soon,line 5")
    )
    job = client.post(f"{path}/start", data=token).location
    assert jobs.work(engine, worker.known(engine, settings))
    assert "<dt>Created</dt><dd>3</dd>" in client.get(job).text
    with db.reading(engine) as session:
        amounts = dict(session.execute(select(Deal.external_id, Deal.amount_minor)).all())
    assert amounts == {"d1": 100_000, "d2": 70_000, "d3": 25_000}
    assert "deals: last import today" in client.get("/imports").text
    assert client.post(f"{path}/start", data=token).status_code == 409, "an import begins once"


def test_nothing_clear_is_on_the_disk_and_the_file_goes_with_its_import(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    _, path = give(client, DEALS)
    tried(client, engine, settings, path)
    folder = settings.data_dir / "uploads"
    kept = list(folder.iterdir())
    assert {file.suffix for file in kept} == {".about", ".content", ".found", ".refused"}
    for file in kept:
        assert b"Borealis" not in file.read_bytes()
        assert b"Sauna" not in file.read_bytes()
    client.post(f"{path}/start", data=form(client.get("/account").text))
    jobs.work(engine, worker.known(engine, settings))
    assert not list(folder.glob("*.content"))
    Shelf(settings.data_dir).tidy(clock.now() + timedelta(days=1, seconds=60))
    assert not list(folder.iterdir()), "after a day nothing is left"


def test_a_sealed_file_reads_as_it_was_wherever_one_begins(settings: Settings, engine: Engine) -> None:
    content = b"".join(b"%07d\n" % n for n in range(400_000))
    shelf = Shelf(settings.data_dir)
    upload = shelf.put(io.BytesIO(content), "long.csv", by="x", at=clock.now())
    assert upload.size == 3_200_000
    with shelf.open(upload.token) as file:
        assert file.read() == content
        for line in (0, 131_071, 131_072, 399_999):
            file.seek(line * 8)
            assert file.read(8) == b"%07d\n" % line


def test_what_was_told_once_is_not_asked_again(signed_in: Enter, engine: Engine, settings: Settings) -> None:
    client = signed_in("marketer")
    text = "Nr,Was,Wieviel,Wer\n7,Angebot,100,Borealis Foods\n"
    mapping = {"column-0": "deal_id", "column-1": "stage", "column-2": "amount", "column-3": "company"}
    _, path = give(client, text)
    page = tried(client, engine, settings, f"{path}", kind="deals", **mapping, stages="Angebot = opportunity")
    assert "1 rows would be created" in page
    _, path = give(client, text)
    page = client.get(f"{path}?kind=deals").text
    fields = chosen(page)
    assert {name: fields[name] for name in mapping} == mapping
    assert "Angebot = opportunity" in page
    assert total(engine, ImportMapping) == 1


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"", "deals.csv", "is empty"),
        (b" \n ", "deals.csv", "is empty"),
        (b"PK\x03\x04 workbook", "deals.xlsx", "is a workbook; save the sheet as CSV"),
        (b"%PDF-1.7", "deals.pdf", "is no text"),
    ],
)
def test_what_is_no_table_is_refused_at_once(
    signed_in: Enter, content: bytes, name: str, reason: str
) -> None:
    status, page = give(signed_in("marketer"), content, name)
    assert status == 422
    assert reason in page


def test_a_file_without_rows_or_with_unknown_columns_says_so(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    _, path = give(client, DEALS.splitlines()[0] + "\n")
    assert "no row below it" in tried(client, engine, settings, path)
    _, path = give(client, "apples,pears\n1,2\n")
    answer = client.post(path, data=form(client.get("/account").text, kind="deals"))
    assert answer.status_code == 422
    assert "no column for stage; the file has apples, pears" in answer.text
    twice = {"kind": "deals", "column-0": "stage", "column-1": "stage"}
    answer = client.post(path, data=form(client.get("/account").text) | twice)
    assert "stage is chosen twice" in answer.text
    for field, value in (("encoding", "klingon"), ("timezone", "Mars/Base"), ("currency", "EURO")):
        answer = client.post(path, data=form(client.get("/account").text, **{"kind": "deals", field: value}))
        assert answer.status_code == 422, field


def test_costs_and_campaigns_come_by_the_same_way(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    yaml = "campaigns:\n  - name: Catalogue 2026\n    channel: print\n"
    costs = "campaign,date,amount,category\nCatalogue 2026,2026-03-01,1200,print\n"
    for text, name, table in ((yaml, "supplier.yaml", Campaign), (costs, "costs.csv", Cost)):
        _, path = give(client, text, name)
        tried(client, engine, settings, path)
        assert total(engine, table) == 0
        client.post(f"{path}/start", data=form(client.get("/account").text))
        jobs.work(engine, worker.known(engine, settings))
        assert total(engine, table) == 1
    assert total(engine, ImportRun) == 2
    _, path = give(client, "campaigns: [", "broken.yaml")
    assert "is not YAML" in tried(client, engine, settings, path)


def test_scripts_in_files_are_text(signed_in: Enter, engine: Engine, settings: Settings) -> None:
    client = signed_in("marketer")
    cell = SCRIPT.replace('"', '""')
    text = f'Deal ID,Stage,Amount,"{cell}"\n1,"{cell}",1,"{cell}"\n'
    _, path = give(client, text, f"{SCRIPT}.csv".replace("/", ""))
    mapping = {
        "kind": "deals",
        "column-0": "deal_id",
        "column-1": "stage",
        "column-2": "amount",
        "column-3": "company",
    }
    pages = [client.get(path).text, tried(client, engine, settings, path, **mapping)]
    for page in pages:
        assert "<script>alert" not in page
        assert '" onload="' not in page
        assert "&lt;script&gt;alert(1)" in page


def test_a_file_that_is_taken_out_is_gone(signed_in: Enter, settings: Settings) -> None:
    client = signed_in("marketer")
    _, path = give(client, DEALS)
    assert client.post(f"{path}/drop", data=form(client.get("/account").text)).status_code == 303
    assert client.get(path).status_code == 404
    assert not list(Path(settings.data_dir / "uploads").iterdir())
    assert client.get("/imports/..%2f..%2fringtrail.key").status_code == 404


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_viewers_and_reps_import_nothing(signed_in: Enter) -> None:
    for role in ("viewer", "rep"):
        assert signed_in(role).get("/imports").status_code == 403
