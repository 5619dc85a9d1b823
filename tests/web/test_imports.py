"""Imports in pages: the guess, the mapping, the trial, the mending, the job, and what stays on the disk."""

import io
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, func, select

from tests.cast import CATALOGUE_NUMBER, moment
from tests.imports import DATA
from tests.web.firms import FIRMS, TAKEN, workbook
from tests.web.people import form
from tracking import clock, worker
from tracking.access import jobs
from tracking.imports.uploads import UploadStore
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Campaign, Cost, Deal, ImportMapping, ImportRun
from tracking.storage.vocabulary import JobState
from tracking.telephony import numbers

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
    hidden = re.findall(r'<input type="hidden" name="(kind|word-\d+)" value="([^"]+)"', page)
    fields = {name: unescape(value) for name, value in hidden}
    for name, options in re.findall(
        r'<select [^>]*name="((?:column|meaning)-\d+)".*?>(.*?)</select>', page, re.S
    ):
        picked = re.search(r'<option value="(\w+)" selected>', options)
        fields[name] = picked[1] if picked else ""
    return fields


def tried(client: FlaskClient, engine: Engine, settings: Settings, path: str, **more: str) -> str:
    """Accept the mapping, let the worker try the file, and return the page with what it found."""
    fields = chosen(client.get(path).text) | more
    answer = client.post(path, data=form(client.get("/account").text) | fields)
    assert answer.status_code == 303, answer.text
    assert jobs.work(engine, worker.known(engine, settings))
    return client.get(f"{path}/check").text


def counts(page: str) -> list[int]:
    """Return how many rows were or would be created, updated, skipped and refused."""
    names = ("Created?", "Updated?", "Skip(?:ped)?", "Reject(?:ed)?")
    found = [re.search(rf"<dt>{name}</dt><dd>([\d,]+)<", page) for name in names]
    return [int(match[1].replace(",", "")) if match else -1 for match in found]


def deals(good: int, bad: int) -> str:
    """A file of deals, the bad ones first, each of which says no amount."""
    rows = [f"b{n},Pump {n},won,lots,Nordic Paper,2026-03-01" for n in range(bad)]
    rows += [f"g{n},Pump {n},won,100,Nordic Paper,2026-03-01" for n in range(good)]
    return "\n".join([DEALS.splitlines()[0], *rows]) + "\n"


def mended(client: FlaskClient, path: str, *rows: tuple[int, str]) -> str:
    """Type whole rows by their lines, and return the page that answers."""
    cells = {f"cell-{line}-{n}": cell for line, text in rows for n, cell in enumerate(text.split(","))}
    token = form(client.get("/account").text)
    return client.post(f"{path}/mend", data=token | cells, follow_redirects=True).text


def started(client: FlaskClient, path: str) -> str:
    """Begin an import, and return the address of its job."""
    return client.post(f"{path}/start", data=form(client.get("/account").text)).location


def refused(client: FlaskClient, path: str) -> list[str]:
    return client.get(f"{path}/refused.csv").text.splitlines()


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
    assert counts(page) == [2, 0, 0, 2]
    assert "Line 3, Amount: &#39;lots&#39; is not an amount" in page
    assert total(engine) == 0, "a trial writes nothing"
    head = "Deal ID,Deal name,Deal stage,Amount,Associated company,Close date,error"
    assert [row.partition(",")[0] for row in refused(client, path)] == ["Deal ID", "d2", "d4"]
    assert refused(client, path)[0] == head
    page = mended(client, path, (3, "d2,Valves,won,700,Nordic Paper,2026-03-02"))
    assert counts(page) == [3, 0, 0, 1]
    assert refused(client, path)[1].startswith("d4,Hoses,won,80,Sauna Oy,soon,line 5")
    token = form(client.get("/account").text)
    job = client.post(f"{path}/start", data=token).location
    assert jobs.work(engine, worker.known(engine, settings))
    assert "<dt>Created</dt><dd>3<" in client.get(job).text
    with db.reading(engine) as session:
        amounts = dict(session.execute(select(Deal.external_id, Deal.amount_minor)).all())
    assert amounts == {"d1": 100_000, "d2": 70_000, "d3": 25_000}
    assert re.search(r">deals</strong>.*?imported today<", client.get("/imports").text)
    assert client.post(f"{path}/start", data=token).status_code == 409, "an import begins once"


def test_of_many_refused_rows_some_are_mended_and_the_rest_stay_in_the_file(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    _, path = give(client, deals(good=1, bad=1200))
    page = tried(client, engine, settings, path)
    assert counts(page) == [1, 0, 0, 1200]
    assert "Showing the first 20" in page
    good = "{},Pump,won,700,Nordic Paper,2026-03-02"
    page = mended(client, path, (2, good.format("b0")), (3, "b1,Pump,won,many,Nordic Paper,2026-03-02"))
    assert counts(page) == [2, 0, 0, 1199]
    rows = refused(client, path)
    assert len(rows) == 1200, "the header and all that is still refused, also what no page shows"
    assert rows[1].startswith("b1,Pump,won,many,"), "as it stands now"
    assert rows[-1].startswith("b1199,")
    token = form(client.get("/account").text)
    client.post(f"{path}/again", data=token)
    assert jobs.work(engine, worker.known(engine, settings))
    assert counts(client.get(f"{path}/check").text) == [2, 0, 0, 1199]


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("header", "row", "named"),
    [
        ("Company,Deal ID,Deal stage,Amount,closed_at", "Nordic Paper,d1,won,10,", "Line 2, closed_at:"),
        ("Company,Deal ID,Deal stage,Amount,Weather", "Nordic Paper,d1,won,10,", "Line 2, close date:"),
    ],
)
def test_a_refused_row_names_its_column_as_the_file_does_and_one_that_is_not_there_in_words(
    signed_in: Enter, engine: Engine, settings: Settings, header: str, row: str, named: str
) -> None:
    client = signed_in("marketer")
    _, path = give(client, f"{header}\n{row}\n")
    assert named in tried(client, engine, settings, path, kind="deals")


def test_mended_rows_survive_another_mapping_and_a_row_left_empty_is_left_out(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    _, path = give(client, DEALS)
    tried(client, engine, settings, path)
    page = mended(client, path, (3, "d2,Valves,won,700,Nordic Paper,2026-03-02"), (5, ",,,,,"))
    assert counts(page) == [3, 0, 0, 0]
    assert "Rejected rows" not in page
    assert counts(tried(client, engine, settings, path, **{"column-1": ""})) == [3, 0, 0, 0]
    other = tried(client, engine, settings, path, separator="comma")
    assert counts(other) == [2, 0, 0, 2], "read into other cells, the mended ones are not its rows"


def test_a_file_that_waits_is_found_again(signed_in: Enter, engine: Engine, settings: Settings) -> None:
    client = signed_in("marketer")
    _, path = give(client, DEALS, "march.csv")
    page = client.get("/imports").text
    assert f'href="{path}">march.csv</a>' in page
    assert "Waits for its columns to be matched." in page
    tried(client, engine, settings, path)
    page = signed_in("administrator").get("/imports").text
    assert f'href="{path}/check">march.csv</a>' in page
    assert "Previewed, not imported yet." in page
    client.post(f"{path}/start", data=form(client.get("/account").text))
    assert f'href="{path}' not in client.get("/imports").text
    _, other = give(client, DEALS, "april.csv")
    assert f'action="{other}/drop"' in client.get("/imports").text
    client.post(f"{other}/drop", data=form(client.get("/imports").text))
    assert "april.csv" not in client.get("/imports").text


def test_the_same_file_twice_adds_nothing(signed_in: Enter, engine: Engine, settings: Settings) -> None:
    client = signed_in("marketer")
    for expected in ([2, 0, 0, 2], [0, 0, 2, 2]):
        _, path = give(client, DEALS)
        assert counts(tried(client, engine, settings, path)) == expected
        job = started(client, path)
        jobs.work(engine, worker.known(engine, settings))
        assert counts(client.get(job).text) == expected
    assert total(engine) == 2


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_stopped_import_keeps_what_it_took_on_record_and_the_file_can_come_again(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    _, path = give(client, deals(good=200, bad=0))
    tried(client, engine, settings, path)
    job = started(client, path)
    known = worker.known(engine, settings)

    def stopped_after_the_first_batch(arguments: jobs.Arguments, progress: jobs.Progress) -> None:
        with db.transaction(engine) as session:
            jobs.stop(session, jobs.get(session, int(job.rpartition("/")[2])), at=clock.now())
        known["import"](arguments, progress)

    jobs.work(engine, {"import": stopped_after_the_first_batch})
    assert "stopped" in client.get(job).text
    taken = total(engine)
    assert taken == 100, "the first batch"
    with db.reading(engine) as session:
        assert session.scalars(select(ImportRun.created)).all() == [taken]
    _, path = give(client, deals(good=200, bad=0))
    assert counts(tried(client, engine, settings, path)) == [200 - taken, 0, taken, 0]


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_an_import_whose_worker_died_is_taken_up_again_and_every_row_is_there_once(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    _, path = give(client, deals(good=200, bad=0))
    tried(client, engine, settings, path)
    job = started(client, path)
    known = worker.known(engine, settings)
    with db.reading(engine) as session:
        arguments = dict(jobs.get(session, int(job.rpartition("/")[2])).arguments)

    class Died(BaseException):
        """As if the power had gone."""

    def die(_done: int, _total: int | None = None) -> None:
        raise Died

    with db.transaction(engine) as session:
        assert jobs.claim(session, at=clock.now() - 2 * jobs.SILENCE) is not None
    with pytest.raises(Died):
        known["import"](arguments, die)  # type: ignore[arg-type]  # only called
    assert total(engine) == 100
    assert jobs.work(engine, known)
    assert counts(client.get(job).text) == [100, 0, 100, 0]
    assert total(engine) == 200
    with db.transaction(engine) as session:
        row = jobs.get(session, int(job.rpartition("/")[2]))
        row.state, row.heartbeat_at = JobState.running, clock.now() - 2 * jobs.SILENCE
    assert jobs.work(engine, known), "it died after the last row and before it could say so"
    assert counts(client.get(job).text) == [100, 0, 100, 0]


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
    UploadStore(settings.data_dir).tidy(clock.now() + timedelta(days=1, seconds=60))
    assert not list(folder.iterdir()), "after a day nothing is left"


def test_a_sealed_file_reads_as_it_was_wherever_one_begins(settings: Settings, engine: Engine) -> None:
    content = b"".join(b"%07d\n" % n for n in range(400_000))
    store = UploadStore(settings.data_dir)
    upload = store.put(io.BytesIO(content), "long.csv", by="x", at=clock.now())
    assert upload.size == 3_200_000
    with store.open(upload.token) as file:
        assert file.read() == content
        for line in (0, 131_071, 131_072, 399_999):
            file.seek(line * 8)
            assert file.read(8) == b"%07d\n" % line


def test_what_was_told_once_is_not_asked_again(signed_in: Enter, engine: Engine, settings: Settings) -> None:
    client = signed_in("marketer")
    text = "Nr,Was,Wieviel,Wer\n7,Fertig,100,Borealis Foods\n"
    mapping = {"column-0": "deal_id", "column-1": "stage", "column-2": "amount", "column-3": "company"}
    _, path = give(client, text)
    told = {"word-0": "Fertig", "meaning-0": "opportunity"}
    page = tried(client, engine, settings, f"{path}", kind="deals", **mapping, **told)
    assert counts(page) == [1, 0, 0, 0]
    _, path = give(client, text)
    page = client.get(path).text
    fields = chosen(page)
    assert fields["kind"] == "deals", "also the kind is remembered"
    assert {name: fields[name] for name in mapping} == mapping
    assert fields["meaning-0"] == "opportunity"
    assert total(engine, ImportMapping) == 1


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"", "deals.csv", "is empty"),
        (b" \n ", "deals.csv", "is empty"),
        (b"PK\x03\x04 workbook", "deals.xlsx", "is a damaged or locked archive"),
        (b"%PDF-1.7", "deals.pdf", "deals.pdf is a PDF document, not a table; export the list as CSV"),
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
    assert "has a header but no rows" in tried(client, engine, settings, path)
    _, path = give(client, "apples,pears\n1,2\n")
    answer = client.post(path, data=form(client.get("/account").text, kind="deals"))
    assert answer.status_code == 422
    assert (
        "no column for stage or outcome. Columns in the file: apples, pears. Choose one below" in answer.text
    )
    twice = {"kind": "deals", "column-0": "stage", "column-1": "stage"}
    answer = client.post(path, data=form(client.get("/account").text) | twice)
    assert "stage is used for two columns" in answer.text
    for field, value in (("encoding", "klingon"), ("timezone", "Mars/Base"), ("currency", "EURO")):
        answer = client.post(path, data=form(client.get("/account").text, **{"kind": "deals", field: value}))
        assert answer.status_code == 422, field


def test_what_a_file_does_not_tell_is_asked_and_of_twins_none_is_chosen_unseen(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    _, path = give(
        client, "Costs of Anna\ncampaign,date,amount,Note,Note\nA,2026-03-01,12.345,x,y\n", "costs.csv"
    )
    page = client.get(path).text
    assert "two columns Note; choose one of them below, or neither" in page
    fields = chosen(page)
    assert (fields["kind"], fields["column-3"], fields["column-4"]) == ("costs", "", "")
    page = tried(client, engine, settings, path)
    assert counts(page) == [0, 0, 0, 1]
    page = client.get(path).text
    assert "What the file does not say" in page
    assert "Costs of Anna" in page
    page = tried(client, engine, settings, path, period="month", decimal=",")
    assert counts(page) == [1, 0, 0, 0]
    assert "date: each date means the month it falls in" in page


def test_costs_and_campaigns_come_by_the_same_way(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    yaml = "campaigns:\n  - name: Catalogue 2026\n    channel: print\n"
    costs = "campaign,date,amount,category\nCatalogue 2026,2026-03-02,1200,print\n"
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


@pytest.mark.parametrize("language", ["sv", "ru"])
def test_from_nothing_a_firms_three_workbooks_come_in_by_the_page_and_give_its_roi(
    language: str, signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    for rows, taken in zip(FIRMS[language], TAKEN, strict=True):
        # The clicks of a German firm are counted in test_workbooks_browser.
        status, path = give(client, workbook(rows), "firm.xlsx")
        assert status == 303, path
        page = tried(client, engine, settings, path)
        assert (counts(page)[0], counts(page)[3]) == (taken, 0), page
        started(client, path)
        assert jobs.work(engine, worker.known(engine, settings))
    said = form(client.get("/account").text)
    client.post("/numbers/new", data=said | {"numbers": "070-174 06 05", "provider": "cdr"})
    with db.reading(engine) as session:
        campaign = session.scalars(select(Campaign.id).where(Campaign.name == "Katalog")).one()
    client.post(f"/campaigns/{campaign}/material", data=said | {"name": "Katalog", "medium": "print"})
    since = {"number": "1", "material": "1", "since": "2026-01-01"}
    assert client.post("/numbers/assign", data=said | since).status_code == 303
    page = client.get("/roi?from=2026-01-01&to=2026-12-31&models=linear").text
    rows = re.findall(r"<tr.*?</tr>", page[page.index('id="all-models"') :], re.S)
    lines = [" ".join(re.sub("<[^>]+>", " ", row.replace("<td", " <td")).split()) for row in rows]
    # By hand: 1,000.50 was won through the catalogue, which cost 400.25 + 100.00: as much again came back.
    assert any(line.startswith("Katalog €500.25 2 2 1 €1,000 100.0%") for line in lines), lines
    # (1,000.50 - 700.25) / 700.25 = 42.9 %
    assert any(line.startswith("Total €700.25 2 2 1 €1,000 42.9%") for line in lines), lines


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


def test_what_an_extension_stands_for_is_told_on_the_page_once(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    with db.transaction(engine) as session:
        numbers.add(session, CATALOGUE_NUMBER, at=moment("2026-01-01"), provider="3cx")
    records = (DATA / "systems" / "3cx.log").read_text()
    _, path = give(client, records, "cdr.log")
    assert "Extensions of tracking numbers" in client.get(path).text
    assert client.get(f"{path}?kind=calls").status_code == 200
    page = tried(client, engine, settings, path, kind="cdr")
    assert "no row has one of your tracking numbers; dialled: 800, 10001" in page
    answer = client.post(path, data=form(client.get("/account").text) | {"kind": "cdr", "map_dialled": "800"})
    assert answer.status_code == 422
    page = tried(client, engine, settings, path, kind="cdr", map_dialled=f"800 = {CATALOGUE_NUMBER}")
    assert (counts(page), "no row has" in page) == ([2, 0, 2, 0], False)
    started(client, path)
    assert jobs.work(engine, worker.known(engine, settings))
    _, later = give(client, records.replace("Call 47", "Call 57"), "later.log")
    page = tried(client, engine, settings, later, kind="cdr")
    assert (counts(page), "no row has" in page) == ([2, 0, 2, 0], False)


def test_an_import_is_undone_after_it_was_shown_what_goes_and_what_stays(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    _, path = give(client, deals(good=2, bad=0))
    tried(client, engine, settings, path)
    started(client, path)
    assert jobs.work(engine, worker.known(engine, settings))
    with db.transaction(engine) as session:
        session.scalars(select(Deal).where(Deal.name == "Pump 1")).one().name = "Pump 1, mended"
    [address] = re.findall(r'href="(/imports/runs/\d+/undo)"', client.get("/imports").text)
    page = client.get(address).text
    rows = re.findall(r'<th scope="row">(\w+)</th>' + r'<td class="figure">(\d+)</td>' * 3, page)
    assert ("Deals", "1", "0", "1") in rows
    assert "Pump 1, mended" in page
    assert "changed since" in page
    assert total(engine) == 2
    assert client.post(address, data=form(client.get("/account").text)).status_code == 303
    assert total(engine) == 1
    page = client.get("/imports").text
    assert "undone " in page
    assert address not in page
    assert client.get(address).status_code == 409


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_all_rows_are_taken_or_none_where_that_is_asked(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    _, path = give(client, deals(good=1, bad=1))
    page = tried(client, engine, settings, path)
    assert "All rows or none" in page
    told = form(client.get("/account").text, strict="1")
    assert client.post(f"{path}/start", data=told).status_code == 409
    assert total(engine) == 0
    mended(client, path, (2, "b0,Pump 0,won,50,Nordic Paper,2026-03-01"))
    assert client.post(f"{path}/start", data=told).status_code == 303
    assert jobs.work(engine, worker.known(engine, settings))
    assert total(engine) == 2


def test_what_became_of_a_call_is_told_by_a_list_where_its_word_is_unknown(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    text = (
        "Datum;Uhrzeit;Anrufer;Ziel;Status\n"
        "02.03.2026;09:00;+442079460001;+46701740605;Erreicht\n"
        "02.03.2026;10:00;+442079460002;+46701740605;verpasst\n"
    )
    _, path = give(client, text, "anrufe.csv")
    page = client.get(path).text
    assert 'value="Erreicht"' in page
    assert 'value="verpasst"' not in page
    told = {"word-0": "Erreicht", "meaning-0": "completed"}
    assert counts(tried(client, engine, settings, path, **told)) == [2, 0, 0, 0]


def test_unknown_values_of_a_column_chosen_by_hand_are_asked_before_the_preview(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    rows = (
        "Company,How it went,Amount,Closed\nBorealis,won,100,2026-03-01\nCobalt,in the bag,200,2026-03-02\n"
    )
    _, path = give(client, rows)
    told = chosen(client.get(path).text) | {"column-1": "stage"}
    answer = client.post(path, data=form(client.get("/account").text) | told)
    assert answer.location == path, "back to the file"
    page = client.get(path).text
    assert "1 value is unknown: in the bag. Choose what it means, then preview." in page
    assert not jobs.work(engine, worker.known(engine, settings)), "nothing was tried yet"
    assert counts(tried(client, engine, settings, path, **{"meaning-0": "won"})) == [2, 0, 0, 0]


def test_all_that_is_wrong_with_a_row_is_said_and_marked_at_once(
    signed_in: Enter, engine: Engine, settings: Settings
) -> None:
    client = signed_in("marketer")
    _, path = give(client, DEALS.splitlines()[0] + "\nd1,Pumps,gone,lots,Borealis Foods,soon\n")
    page = tried(client, engine, settings, path)
    assert re.findall(r"Line 2, ([\w ]+): ", page) == ["Deal stage", "Amount", "Close date"]
    assert page.count('aria-invalid="true" aria-describedby="why-2"') == 3
    mended(client, path, (2, "d1,Pumps,won,lots,Borealis Foods,soon"))
    [_, row] = refused(client, path)
    assert "line 2: Amount 'lots'" in row
    assert "; Close date 'soon'" in row
