"""What a file is that is no table - a picture, a document, data for programs - and what to do instead."""

import json
import re
import zipfile
from typing import Any, BinaryIO

from tracking.errors import Invalid, Sentence, say

_HEAD = 65_536
LARGEST = 100_000_000
"""Bytes of a workbook, and of the text that comes of it."""
_MOST_FILES = 10_000
"""Files of an archive; the names of a million fill the memory."""
_EXPORT = say("export the list as CSV or Excel from the system that made it")
_COPY = say("copy its table into a spreadsheet and save that as .xlsx")
_UNPACK = say("unpack it and choose the file to import")
# What a file of each kind begins with.
_BEGINS: tuple[tuple[tuple[bytes, ...], Sentence, Sentence], ...] = (
    ((b"%PDF",), say("a PDF document"), _EXPORT),
    (
        (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"<svg"),
        say("a picture"),
        _EXPORT,
    ),
    ((b"{\\rtf",), say("a text document"), _COPY),
    (
        (b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"),
        say("a packed file"),
        _UNPACK,
    ),
    ((b"ID3", b"\xff\xfb", b"RIFF", b"OggS", b"fLaC"), say("a recording"), _EXPORT),
    ((b"SQLite format 3",), say("a database"), _EXPORT),
    ((b"PAR1", b"ARROW1", b"Obj\x01"), say("a data file for programs"), _EXPORT),
)
# What lies in the archives that office programs write; workbooks apart.
_OFFICE = (
    ("word/", say("a text document"), _COPY),
    ("ppt/", say("a presentation"), _COPY),
    ("visio/", say("a drawing"), _EXPORT),
)
# The same of twenty years ago, by the names of what lies in them.
_OLD_OFFICE = (
    ("WordDocument".encode("utf-16-le"), say("a text document"), _COPY),
    ("PowerPoint Document".encode("utf-16-le"), say("a presentation"), _COPY),
)
_OPEN_DOCUMENT = {
    b"text": (say("a text document"), _COPY),
    b"presentation": (say("a presentation"), _COPY),
    b"graphics": (say("a drawing"), _EXPORT),
}
_FEW_BINARY = 0.03
"""The share of control characters above which bytes are no text."""
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_ROOT = re.compile(r"<([A-Za-z][\w.:-]{0,40})")


def refuse_no_table(file: BinaryIO, name: str) -> None:
    """Raise Invalid if a file is no table and no text that could hold one; its position is moved.

    Raises
    ------
    Invalid
        With what the file is, what was seen in it, and the next step.
    """
    file.seek(0)
    head = file.read(_HEAD)
    bare = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    if not bare.strip(b"\0 \t\r\n\xff\xfe"):
        raise Invalid("file", "%(name)s is empty; choose a file with one line per record", name=name)
    for marks, what, remedy in _BEGINS:
        if bare.startswith(marks):
            raise _no_table(name, what, remedy)
    if bare.startswith(b"PK\x03\x04"):
        _refuse_document(file, name)
    elif bare.startswith(b"\xd0\xcf\x11\xe0"):
        content = _whole(file)
        for mark, what, remedy in _OLD_OFFICE:
            if mark in content:
                raise _no_table(name, what, remedy)
    elif bare.startswith((b"{", b"[")):
        _refuse_json(file, bare, name)
    elif bare.startswith(b"<"):
        _refuse_markup(file, bare, name)
    elif not head.startswith((b"\xff\xfe", b"\xfe\xff")) and _is_binary(head):
        raise _no_table(name, say("binary data"), _EXPORT)


def _no_table(name: str, what: Sentence, remedy: Sentence) -> Invalid:
    return Invalid(
        "file", "%(name)s is %(what)s, not a table; %(remedy)s", name=name, what=what, remedy=remedy
    )


def archive(file: BinaryIO) -> zipfile.ZipFile:
    """Open an archive; whatever is wrong with it is raised as zipfile or what it calls says, by any name."""
    if _whole(file).count(b"PK\x01\x02") > _MOST_FILES:
        raise zipfile.BadZipFile("too many files")
    return zipfile.ZipFile(file)


def _refuse_document(file: BinaryIO, name: str) -> None:
    kind = b""
    try:
        with archive(file) as opened:
            names = opened.namelist()
            if "mimetype" in names:
                kind = opened.open("mimetype").read(200).rpartition(b".")[2]
    except Exception:
        return  # whoever opens it says what is wrong with it
    for folder, what, remedy in _OFFICE:
        if any(each.startswith(folder) for each in names):
            raise _no_table(name, what, remedy)
    if kind in _OPEN_DOCUMENT:
        raise _no_table(name, *_OPEN_DOCUMENT[kind])


def _refuse_json(file: BinaryIO, bare: bytes, name: str) -> None:
    # A table may begin with a bracket too: one line of it is read, or the whole of a file of one value.
    line = bare.partition(b"\n")[0]
    if not re.match(rb'[\[{]\s*(?:["{\[\]}]|$)', line):
        return
    fields = list(dict.fromkeys(re.findall(r'"([^"\\]{1,40})"\s*:', bare[:4000].decode("utf-8", "replace"))))
    if not fields and not _is_json(file):
        return
    seen = ", ".join(fields[:5]) + ("…" if len(fields) > 5 else "")
    named = say("JSON for programs, with the fields %(seen)s", seen=seen)
    raise _no_table(name, named if fields else say("JSON for programs"), _EXPORT)


def _is_json(file: BinaryIO) -> bool:
    file.seek(0)
    try:
        found: Any = json.loads(file.read(_HEAD))
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict | list)


def _refuse_markup(file: BinaryIO, bare: bytes, name: str) -> None:
    text = bare[:4000].decode("utf-8", "replace")
    # Records of a telephone system, one to a line.
    if "<cdr" in text:
        return
    roots = [root for root in _ROOT.findall(text) if root.casefold() != "xml"]
    if text.lower().startswith(("<!doctype html", "<html", "<head", "<body", "<meta", "<div", "<p")):
        if re.search(rb"<t[dh][\s>]", _whole(file), re.IGNORECASE):
            return  # some systems call a page with a table .xls
        raise _no_table(name, say("a web page"), _EXPORT)
    if roots and text.startswith(("<?xml", "<!", f"<{roots[0]}")):
        raise _no_table(name, say("XML for programs, with the element %(seen)s", seen=roots[0]), _EXPORT)


def _whole(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(LARGEST)


def _is_binary(head: bytes) -> bool:
    # Text of two bytes a letter has a zero at every other place; of it the reader tells which.
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > 10 * min(even, odd) and max(even, odd) > 0.1 * len(head) / 2:
        return len(_CONTROL.findall(head.replace(b"\0", b""))) > _FEW_BINARY * len(head)
    return len(_CONTROL.findall(head)) > max(_FEW_BINARY * len(head), 8)
