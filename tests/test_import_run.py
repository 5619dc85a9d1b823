"""An import as a whole: dry run, all or none, refused rows that come back mended, counts that add up."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from tests.imports import DATA, import_calls
from tracking.imports import writing
from tracking.storage import db
from tracking.storage.models import Account, Call, ImportRun

GOOD = (DATA / "cdr" / "asterisk_18.csv").read_text()
FREEPBX = (DATA / "cdr" / "freepbx.csv").read_text()


def call(number: int, start: str = "2026-03-02 09:00:00", billsec: int = 5) -> str:
    return (
        f'"","+4420794600{number % 90:02d}","+46701740605","from-trunk","","SIP/{number}","","Dial","",'
        f'"{start}","{start}","{start}",5,{billsec},"ANSWERED","","1770000000.{number}",""\n'
    )


def stored(engine: Engine) -> tuple[int, int]:
    with db.reading(engine) as session:
        return (
            session.scalar(select(func.count(Call.id))) or 0,
            session.scalar(select(func.count(ImportRun.id))) or 0,
        )


def test_a_dry_run_counts_everything_and_writes_nothing(engine: Engine) -> None:
    import_calls(engine, GOOD.splitlines()[0])
    text = GOOD + call(1) + call(2, billsec=9)
    tried = import_calls(engine, text, dry_run=True)
    assert (tried.created, tried.updated, tried.skipped, tried.refused) == (3, 0, 3, 1)
    assert not tried.taken
    assert stored(engine) == (1, 1)
    done = import_calls(engine, text)
    assert (done.created, done.updated, done.skipped, done.refused) == (3, 0, 3, 1)
    assert stored(engine) == (4, 2)


def test_good_rows_are_all_taken_or_with_strict_none(engine: Engine) -> None:
    text = "".join(call(i) for i in range(1200)) + call(1200, billsec=9)
    refused = import_calls(engine, text, strict=True)
    assert (refused.created, refused.refused, refused.taken) == (1200, 1, False)
    assert stored(engine) == (0, 0)
    assert import_calls(engine, text).taken
    assert stored(engine) == (1200, 1)
    more = "".join(call(i) for i in range(1190, 1210))
    assert import_calls(engine, more, strict=True).created == 10
    assert stored(engine) == (1210, 2)


def test_refused_rows_come_back_mended(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "refused.csv"
    first = import_calls(engine, GOOD + call(1, billsec=9), refused=path)
    assert (first.created, first.refused) == (3, 1)
    saved = path.read_text()
    assert next(csv.reader([saved]))[-1] == (
        "error: line 6: billsec '9': talk time 9 s is longer than the call, 5 s; correct one of them"
    )
    assert import_calls(engine, saved).refused == 1, "what is not mended is refused again"
    again = import_calls(engine, saved.replace(",5,9,", ",9,9,"), refused=tmp_path / "none.csv")
    assert (again.created, again.refused) == (1, 0)
    assert not (tmp_path / "none.csv").exists()


def test_refused_rows_of_a_file_with_header_come_back_mended(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "refused.csv"
    bad = FREEPBX.replace(",243,240,", ",243,900,").replace("2026-03-09 10:30:00", "9 March")
    first = import_calls(engine, bad.encode("utf-16"), refused=path)
    assert [(r.line, r.column, r.value) for r in first.refusals] == [
        (4, "billsec", "900"),
        (5, "calldate", "9 March"),
    ]
    saved = path.read_bytes().decode("utf-16")
    assert saved.splitlines()[0] == FREEPBX.splitlines()[0] + ",error"
    twice = tmp_path / "twice.csv"
    import_calls(engine, saved.encode("utf-16"), refused=twice)
    assert twice.read_bytes().decode("utf-16").count("error") == 1
    mended = saved.replace(",243,900,", ",243,240,").replace("9 March", "2026-03-09 10:30:00")
    last = import_calls(engine, mended)
    assert (last.created, last.updated, last.refused) == (1, 1, 0)


def test_a_row_of_another_width_than_the_header_is_refused(engine: Engine) -> None:
    lines = FREEPBX.splitlines()
    result = import_calls(engine, "\n".join([lines[0], lines[1] + ",,", lines[4] + ",1,234", lines[5][:40]]))
    assert (result.created, result.refused) == (1, 2)
    assert result.refusals[0].reason.startswith("28 columns but the header has 26")


def test_what_an_import_did_is_kept(engine: Engine) -> None:
    import_calls(engine, DATA / "cdr" / "asterisk_18.csv")
    with db.reading(engine) as session:
        row = session.scalars(select(ImportRun)).one()
    assert (row.kind, row.file_name) == ("cdr", "asterisk_18.csv")
    assert (row.created, row.updated, row.skipped, row.refused) == (3, 0, 2, 0)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@given(
    lines=st.lists(st.sampled_from(GOOD.splitlines()) | st.text(max_size=80), max_size=20),
    cut=st.integers(0, 2000),
)
@hypothesis_settings(max_examples=25)
def test_every_row_is_created_updated_skipped_or_refused(engine: Engine, lines: list[str], cut: int) -> None:
    text = "\n".join([GOOD.splitlines()[0], *lines])[: 300 + cut]
    result = import_calls(engine, text.replace("\r", " "), dry_run=True)
    filled = [line for line in text.replace("\r", " ").split("\n") if line.strip(', "')]
    assert result.rows >= len(filled) - 1
    with db.reading(engine) as session:
        assert session.scalar(select(func.count(Account.id))) == 0


def test_batches_do_not_show(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "BATCH", 2)
    result = import_calls(engine, FREEPBX)
    assert (result.created, result.refused) == (3, 0)
    assert stored(engine) == (3, 1)
