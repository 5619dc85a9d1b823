"""Files that are no tables, or tables of another kind: what was seen, what it resembles, the next step."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from tests.imports import DATA, LOCAL, table
from tracking.errors import Invalid
from tracking.imports import kinds
from tracking.imports.costs import Costs
from tracking.imports.deals import Deals
from tracking.imports.mapping import Told
from tracking.imports.nature import refuse_no_table
from tracking.imports.reading import Table

NOISE = bytes((at * 37 + 11) % 256 for at in range(5000))


def packed(**files: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"%PDF-1.7\n" + NOISE, "is a PDF document, not a table; export the list as CSV or Excel"),
        (b"\x89PNG\r\n\x1a\n" + NOISE, "is a picture, not a table"),
        (packed(word__document="<w/>"), "is a text document, not a table; copy its table"),
        (packed(mimetype="application/vnd.oasis.opendocument.text"), "is a text document, not a table"),
        (b"\xd0\xcf\x11\xe0" + "WordDocument".encode("utf-16-le"), "is a text document, not a table"),
        (
            json.dumps({"calls": [{"id": 1}]}, indent=1).encode(),
            "is JSON for programs, with the fields calls",
        ),
        (b"[]", "is JSON for programs, not a table"),
        (b"<!DOCTYPE html><p>Log in</p>", "is a web page, not a table"),
        (b"<?xml version='1.0'?><orders><a/></orders>", "is XML for programs, with the element orders"),
        (b"\x1f\x8b\x08\0" + NOISE, "is a packed file, not a table; unpack it"),
        (b"SQLite format 3\0" + NOISE, "is a database, not a table"),
        (NOISE, "is binary data, not a table"),
        (b"", "is empty"),
        (b"\xef\xbb\xbf\r\n \r\n", "is empty"),
    ],
)
def test_what_is_no_table_is_named_with_the_next_step(content: bytes, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        refuse_no_table(io.BytesIO(content), "it")
    assert f"it {said}" in refused.value.reason


@pytest.mark.parametrize(
    "content",
    [
        "campaign,amount\nPumps,1\n".encode("utf-16"),
        "campaign,amount\nPumps,1\n".encode("utf-16-le"),
        "推广计划,消费\n水泵,1\n".encode("gb18030"),
        b"<html><table><tr><td>campaign</td></tr></table></html>",
        b'[12,13],1772525702,"{a}"\n',
        b'<cdr guid="1" dir="to"/>\n',
        b"a,b\n1,\0\n",
        b"[" * 60_000,
    ],
)
def test_what_holds_rows_is_let_in(content: bytes) -> None:
    refuse_no_table(io.BytesIO(content), "it")


def test_the_command_asks_before_it_reads(tmp_path: Path) -> None:
    (tmp_path / "list.pdf").write_bytes(b"%PDF-1.7")
    with pytest.raises(Invalid, match=r"list\.pdf is a PDF document"):
        Table.open(str(tmp_path / "list.pdf"))


def test_running_text_has_no_columns() -> None:
    text = table("Dear sirs,\n\nwe called you yesterday.\n")
    with pytest.raises(Invalid, match="no columns found: the first line is 'Dear sirs,'"):
        Deals(text, LOCAL, "SE")


def test_a_table_of_another_kind_is_told_with_its_command() -> None:
    calls = table((DATA / "systems" / "yeastar.csv").read_text())
    with pytest.raises(Invalid) as refused:
        Deals(calls, LOCAL, "SE")
    told = kinds.of_another_kind(refused.value, calls, "deals")
    assert told.reason.endswith("It looks like Yeastar; use `ringtrail import cdr`")
    deals = table(
        "Record ID,Deal Name,Deal Stage,Amount,Close Date,Company\n1,Rig,won,10,2026-03-01,Cobalt\n"
    )
    for kind, form in (
        ("costs", lambda: Costs(deals, LOCAL)),
        ("calls", lambda: kinds.calls_form(deals, LOCAL, "SE", Told())),
    ):
        with pytest.raises(Invalid) as refused:
            form()
        told = kinds.of_another_kind(refused.value, deals, kind)
        assert told.reason.endswith("It looks like deals; use `ringtrail import deals`")
