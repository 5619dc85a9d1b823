"""Which encoding a file of rows is written in, told from its bytes: the same bytes, the same answer."""

import codecs
import re
from itertools import pairwise
from typing import BinaryIO

from tracking.errors import Invalid

# One undecodable byte must spoil its own row and no other, in any encoding. It becomes a lone surrogate,
# which no text contains, so that the reader can find it; `surrogateescape` fails with UTF-16.
_UNREADABLE = "\udcff"
codecs.register_error("ringtrail-mark", lambda error: (_UNREADABLE, error.end))  # type: ignore[attr-defined]  # only decoding errors come here

SINGLE_BYTE = frozenset({"cp1251", "cp1252", "cp850", "iso8859-1", "iso8859-15"})
"""In these any bytes read as letters, also those of UTF-8."""
# ü, é, ä, å and ö within a word; of cp1252 the letters, of which cp850 has but the ß there.
_OF_DOS = re.compile(rb"[A-Za-z][\x81\x82\x84\x86\x94][A-Za-z]")
_OF_WINDOWS = re.compile(rb"[\xc0-\xe0\xe2-\xff]")
_HEAD = 65_536
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def decoder(encoding: str) -> str:
    """Return the canonical name of an encoding that a user named, or raise Invalid."""
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)
        return name
    except LookupError:
        raise Invalid(
            "encoding",
            "unknown encoding %(encoding)r; use utf-8, utf-16, cp1252, cp1251 or gb18030",
            encoding=encoding,
        ) from None


def unreadable(text: str) -> bool:
    """Tell whether a decoded line holds a byte that its encoding does not know."""
    return not text.isascii() and _UNREADABLE in text


def shown(text: str) -> str:
    """Return a decoded line with the sign for an unreadable character in its place."""
    return text.replace(_UNREADABLE, "\ufffd")


def mended(cell: str, encoding: str) -> str:
    """Return a cell that was written in UTF-8 and read in a single-byte encoding as it was meant.

    Two letters of such an encoding are not by chance a character of UTF-8: the first would be a capital
    with an accent, the second a sign that no word holds.
    """
    if cell.isascii():
        return cell
    try:
        return cell.encode(encoding).decode("utf-8")
    except UnicodeError:
        return cell


def guess(file: BinaryIO) -> str:
    """Tell the encoding of ``file``, whose position is moved.

    A byte order mark decides. Then zero bytes at every other place mean UTF-16, and what reads as UTF-8
    is UTF-8, a few broken characters notwithstanding. What is left is told by the bytes above 127: in
    Chinese (GB 18030) they come in pairs of the common characters' range and without a single error; in
    Russian (cp1251) they form words; in western European languages (cp1252) they stand alone. What
    programs of DOS wrote (cp850) has its letters where cp1252 has quotation marks.
    """
    head = file.read(_HEAD)
    for mark, name in _BOMS.items():
        if head.startswith(mark):
            return name
    if (wide := _utf_16(head)) is not None:
        return wide
    sample = _foreign(file, head)
    text = sample.decode("utf-8", "ringtrail-mark")
    broken = text.count(_UNREADABLE)
    foreign = sum(not c.isascii() for c in text) - broken
    if broken == 0 or broken * 10 <= foreign:
        return "utf-8"
    if _reads_as_chinese(sample):
        return "gb18030"
    high = [byte > 127 for byte in sample]
    together = sum(a and b for a, b in pairwise(high))
    if together * 2 >= sum(high):
        return "cp1251"
    return "cp850" if _OF_DOS.search(sample) and not _OF_WINDOWS.search(sample) else "cp1252"


def _utf_16(head: bytes) -> str | None:
    # Digits, separators and line ends are ASCII in any file of rows: one of their two bytes is zero. A few
    # zeros in what reads as UTF-8 are rubbish in some rows.
    places = max(len(head) // 2, 1)
    even, odd = head[::2].count(0) / places, head[1::2].count(0) / places
    enough = 0.2 if _UNREADABLE not in head[:-4].decode("utf-8", "ringtrail-mark") else 0.04
    if odd > enough and odd > 10 * even:
        return "utf-16-le"
    return "utf-16-be" if even > enough and even > 10 * odd else None


def _foreign(file: BinaryIO, head: bytes) -> bytes:
    """Return whole lines from the first one that is not plain ASCII on, wherever in the file it stands."""
    chunk = head
    while chunk and chunk.isascii():
        chunk = file.read(_HEAD * 16)
    first = next((i for i, byte in enumerate(chunk) if byte > 127), 0)
    start = chunk.rfind(b"\n", 0, first) + 1
    sample = chunk[start : start + _HEAD * 2]
    whole = sample.rfind(b"\n") + 1
    return sample[:whole] if whole > first - start else sample


def _reads_as_chinese(sample: bytes) -> bool:
    text = sample.decode("gb18030", "ringtrail-mark")
    if _UNREADABLE in text:
        return False
    # GB 2312 rows 1-9 (signs) and 16-55 (the 3,755 common characters) have first bytes A1-A9 and B0-D7.
    pairs = [c.encode("gb18030") for c in text if not c.isascii()]
    common = sum(
        len(p) == 2 and p[1] >= 0xA1 and (0xA1 <= p[0] <= 0xA9 or 0xB0 <= p[0] <= 0xD7) for p in pairs
    )
    return common >= 0.6 * len(pairs)
