"""Files as they really come: encodings, separators, stray quotation marks, lines without end."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.imports import table
from tracking.errors import Invalid
from tracking.imports.reading import LONGEST_LINE, Broken, Row

SWEDISH = "kund;svar\nBoréalis Åkeri;såg er på mässan i Göteborg\nÖstgöta Pump;en kollega\n"
RUSSIAN = "клиент;ответ\nСеверные насосы;видели вас на выставке\nЗАВОД ПРИВОД;посоветовал коллега\n"
CHINESE = "客户,回答\n北方食品公司,在展览会上看到你们\n钴矿业,同事推荐\n"


@pytest.mark.parametrize(
    ("text", "encoding", "told"),
    [
        (SWEDISH, "utf-8", "utf-8"),
        (SWEDISH, "utf-8-sig", "utf-8-sig"),
        (SWEDISH, "utf-16", "utf-16"),
        (SWEDISH, "utf-16-le", "utf-16-le"),
        (SWEDISH, "utf-16-be", "utf-16-be"),
        (SWEDISH, "cp1252", "cp1252"),
        (RUSSIAN, "utf-8", "utf-8"),
        (RUSSIAN, "cp1251", "cp1251"),
        (RUSSIAN, "utf-16", "utf-16"),
        (CHINESE, "gb18030", "gb18030"),
        (CHINESE, "utf-8", "utf-8"),
        (CHINESE, "utf-16-be", "utf-16-be"),
        ("kund,belopp\nBorealis,12 €\n", "cp1252", "cp1252"),
        ("kund,belopp\nHammarös „Pumpar“ – Åhléns,12\n", "cp1252", "cp1252"),
        (SWEDISH, "cp850", "cp850"),
        ("Kunde;Ort\nMüller;Gießen\n", "cp850", "cp850"),
        ("plain,ascii\n1,2\n", "ascii", "utf-8"),
    ],
)
def test_the_encoding_is_told_from_the_bytes(text: str, encoding: str, told: str) -> None:
    file = table(text.encode(encoding))
    assert file.encoding == told
    read = [row.cells for row in file.head()]
    assert read == [line.split(file.separator) for line in text.splitlines()]


def test_the_first_foreign_letter_may_come_late() -> None:
    file = table(b"kund;svar\n" + b"Borealis;call\n" * 20_000 + "Göteborg;mässa\n".encode("cp1252"))
    assert file.encoding == "cp1252"
    *_, last = file.rows()
    assert last.cells == ["Göteborg", "mässa"]


def test_an_encoding_can_be_named() -> None:
    file = table("Привет;мир\n".encode("koi8-r"), encoding="koi8-r")
    assert file.head()[0].cells == ["Привет", "мир"]
    with pytest.raises(Invalid, match=r"encoding: unknown encoding 'klingon'; use utf-8"):
        table("a,b", encoding="klingon")
    with pytest.raises(Invalid, match="unknown encoding 'base64'"):
        table("a,b", encoding="base64")


def test_one_broken_letter_spoils_one_row() -> None:
    good = "Åkeri;mässa\n".encode() * 20
    rows = list(table(good + b"\xc5keri;m\xe4ssa\n" + good).rows())
    broken = [row for row in rows if isinstance(row, Broken)]
    assert [(row.line, row.cells) for row in broken] == [(21, ["\ufffdkeri", "m\ufffdssa"])]
    assert "not valid utf-8; set the encoding with --encoding" in broken[0].reason
    assert len(rows) == 41


@pytest.mark.parametrize(
    ("line", "separator"),
    [
        ("amount,day", ","),
        ("amount;day", ";"),
        ("amount\tday", "\t"),
        ('"amount, net";day', ";"),
        ("only", ","),
    ],
)
def test_the_separator_is_what_stands_between_the_names(line: str, separator: str) -> None:
    assert table(line + "\n1,50;2,75;3\n").separator == separator


@pytest.mark.parametrize("line", ['ID;""', "ID|a note", "id,from", "id;from"])
def test_one_or_two_known_words_below_a_record_are_no_line_of_names(line: str) -> None:
    record = "200,+46701740605,2026-03-02 09:00:00,2026-03-02 09:04:06,246,240\n"
    found = table(f"{record}{line}\n{line}\n")
    assert (found.separator, [row.line for row in found.head()]) == (",", [1, 2, 3])
    assert table("Total;12;13;14\nid;from\n1;2\n").header_line == 2, "a sum above is no record"


def test_rows_are_numbered_by_the_lines_of_the_file() -> None:
    text = 'name,note\r\nBorealis,"met at\r\nthe fair"\r\n\r\nCobalt,"says ""a colleague"""\r\n'
    assert list(table(text).rows(width=2)) == [
        Row(1, ["name", "note"]),
        Row(2, ["Borealis", "met at\r\nthe fair"]),
        Row(5, ["Cobalt", 'says "a colleague"']),
    ]


def test_a_stray_quotation_mark_costs_one_row_and_not_the_rest() -> None:
    text = 'name,note\nBorealis,"met at the fair\nCobalt,"a ""colleague"" said"\nDelta,5" pump\n'
    first, broken, *rest = table(text).rows(width=2)
    assert isinstance(broken, Broken)
    assert (broken.line, broken.cells) == (2, ["Borealis", "met at the fair"])
    assert "unclosed quotation mark" in broken.reason
    assert [row.cells for row in rest] == [["Cobalt", 'a "colleague" said'], ["Delta", '5" pump']]
    assert first.line == 1


def test_a_quotation_mark_never_closed_swallows_nothing_of_a_long_file() -> None:
    rows = list(table('a,b\n"open,1\n' + "x,2\n" * 5000).rows(width=2))
    assert [row.line for row in rows if isinstance(row, Broken)] == [2]
    assert len(rows) == 5002


def test_a_line_without_end_is_refused_and_passed_over() -> None:
    text = "a,b\n" + "x" * (LONGEST_LINE * 40) + "\n1,2\n"
    _, broken, last = table(text).rows(width=2)
    assert isinstance(broken, Broken)
    assert broken.line == 2
    assert f"longer than {LONGEST_LINE}" in broken.reason
    assert last == Row(3, ["1", "2"])


def test_a_nul_byte_is_refused() -> None:
    _, broken, last = table("a,b\n1,\0\n3,4\n").rows(width=2)
    assert isinstance(broken, Broken)
    assert "NUL" in broken.reason
    assert last == Row(3, ["3", "4"])


@given(st.binary(max_size=400))
def test_any_bytes_are_read_to_their_end(data: bytes) -> None:
    assume(not data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")))  # workbooks, and none of these is one
    file = table(data)
    for width in (None, 2):
        for row in file.rows(width=width):
            assert row.line >= 1


@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=12),
            min_size=3,
            max_size=3,
        ),
        max_size=8,
    ),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
)
def test_what_a_spreadsheet_writes_is_read_back(rows: list[list[str]], separator: str, encoding: str) -> None:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    text = "".join(separator.join(map(quoted, row)) + "\r\n" for row in [["a", "b", "c"], *rows])
    file = table(text.encode(encoding), encoding=encoding, separator=separator)
    assert [row.cells for row in file.rows(width=3)] == [["a", "b", "c"], *(r for r in rows if any(r))]


@given(
    lines=st.lists(
        st.sampled_from(
            [
                "a,b,c",
                'a,"b, and more",c',
                '"a","b ""quoted""","c"',
                'a,b" stray,c',
                'a,"open,c',
                '"two',
                'lines",b,c',
                "",
                " , ,",
                ",,",
                "a,b\0,c",
                "a,b",
                "Åkeri,b,c",
            ]
        ),
        max_size=30,
    ),
    width=st.sampled_from([None, 3]),
)
def test_lines_read_together_give_what_lines_read_one_by_one_give(
    lines: list[str], width: int | None
) -> None:
    text = "\n".join(["one,two,three", *lines, ""])
    together, alone = table(text), table(text)
    alone._whole = lambda block: None  # type: ignore[method-assign]  # line by line
    assert list(together.rows(width=width)) == list(alone.rows(width=width))
