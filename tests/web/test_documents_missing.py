"""Without the extra ``documents``, whoever asks for a PDF or a picture reads which command installs it."""

import html
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import Engine

from reports import charts, extras, fonts
from tests import workbooks as reader
from tests.cast import CATALOGUE_NUMBER, moment
from tests.conftest import KEY
from tests.reports.test_charts import MONTHS
from tests.test_schedules import MONDAY, put, row, work
from tests.web.people import be_public
from tests.web.test_decide import supplier
from tracking import worker
from tracking.cli import main, ringtrail
from tracking.storage import db, phone
from tracking.storage.config import Settings
from tracking.telephony import numbers

ON_SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
COMMAND = "pip install 'ringtrail[documents]'"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which the libraries of the extra are not installed."""
    fonts.for_documents.cache_clear()
    fonts.teach_charts.cache_clear()
    for library in ("typst", "vl_convert"):
        monkeypatch.setitem(sys.modules, library, None)


def test_a_picture_says_so_where_it_is_drawn() -> None:
    for draw in (charts.svg, charts.png):
        with pytest.raises(extras.DocumentsMissing, match=r"ringtrail\[documents\]"):
            draw(charts.trend(MONTHS))


@ON_SQLITE
def test_a_pdf_says_so_in_the_readers_language_and_its_button_before(
    signed_in: Callable[[str], FlaskClient], engine: Engine
) -> None:
    supplier(engine)
    client = signed_in("marketer")
    page = client.get("/report").text
    [button] = re.findall(r"<button[^>]*>(?:(?!</button>).)* PDF</button>", page)
    assert 'disabled aria-describedby="why-not"' in button
    [why] = re.findall('<p class="quiet" id="why-not">(.+?)</p>', page)
    assert COMMAND.replace("'", "&#39;") in why
    assert 'href="/report/pdf' not in page
    answer = client.get("/report/pdf?from=2026-01-01", headers={"Accept-Language": "sv"})
    assert answer.status_code == 501
    assert "PDF-filer och diagrambilder kräver" in answer.text
    assert COMMAND.replace("'", "&#39;") in answer.text
    assert "make documents" in answer.text
    assert 'href="/report?from=2026-01-01"' in answer.text


@ON_SQLITE
def test_a_workbook_and_html_hold_all_but_the_pictures(
    signed_in: Callable[[str], FlaskClient], engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    supplier(engine)
    client = signed_in("marketer")
    asked = "from=2026-01-01&to=2026-12-31&model=linear"
    [link] = re.findall('href="(/report/xlsx[^"]+)"', client.get(f"/roi?{asked}").text)
    book = reader.read(client.get(link.replace("&amp;", "&")).data)
    page = client.get(f"/report/html?{asked}")
    for told in ("linear", "Fair", "Mail"):
        assert any(told in map(str, row) for row in book["ROI by campaign and model"])
        assert told in page.text
    assert (page.status_code, page.text.count("data:image/svg+xml")) == (200, 0)
    said = (
        f"Revenue and cost by month: not drawn here, because chart images need {COMMAND}. The figures are in "
        'the table "Month by month".'
    )
    assert said in html.unescape(page.text)
    assert [said] in [[cell for cell in row if cell] for row in next(iter(book.values()))]
    for form in ("xlsx", "html"):
        command = ["report", "document", "--format", form, "-o", str(tmp_path / form)]
        environment = {"RINGTRAIL_DATA_DIR": str(settings.data_dir), "RINGTRAIL_KEY": KEY}
        ended = CliRunner().invoke(ringtrail, command, env=environment, catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
        assert (tmp_path / form).stat().st_size > 5_000


@ON_SQLITE
def test_a_number_sheet_is_a_page_that_the_browser_prints(
    signed_in: Callable[[str], FlaskClient], engine: Engine, settings: Settings
) -> None:
    with db.transaction(engine) as session:
        numbers.add(session, CATALOGUE_NUMBER, at=moment("2026-01-01"), provider="twilio")
    assert signed_in("marketer").get("/numbers/1/sheet.pdf").status_code == 409
    be_public(engine, settings)
    sheet = signed_in("marketer").get("/numbers/1/sheet.pdf")
    assert (sheet.status_code, sheet.mimetype) == (200, "text/html")
    assert phone.show(CATALOGUE_NUMBER).national in sheet.text
    assert sheet.text.count("<figure>") == 2
    assert "make documents" in sheet.text


@ON_SQLITE
def test_pages_and_tables_need_no_extra(signed_in: Callable[[str], FlaskClient], engine: Engine) -> None:
    supplier(engine)
    client = signed_in("viewer")
    for path in ("/", "/report", "/report/csv"):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("name", ["chart.svg", "chart.png"])
def test_a_command_ends_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    line = f"size-desk --calls-per-hour 30 --chart {tmp_path / name}"
    monkeypatch.setattr("sys.argv", ["ringtrail", *line.split()])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert COMMAND in told
    assert told.count("\n") == 1


@ON_SQLITE
def test_a_schedule_with_a_pdf_says_so_and_one_without_is_sent_as_ever(
    engine: Engine, settings: Settings
) -> None:
    supplier(engine)
    put(engine, attachments=["pdf"])
    put(engine, attachments=[])
    worker.look(engine, settings, at=MONDAY)
    work(engine, settings, MONDAY)
    assert COMMAND in (row(engine, 1).last_error or "")
    assert COMMAND not in (row(engine, 2).last_error or "")
