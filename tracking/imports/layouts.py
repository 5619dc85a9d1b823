"""Where each telephone exchange puts what in a row of its call detail records."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from tracking.errors import Invalid
from tracking.imports.values import fold

# The order in which cdr.c of each exchange writes its columns (Asterisk cdr_csv.c and the documented
# cdr_custom pattern; FreeSWITCH cdr_csv.conf.xml; the text import of cdr-stats). A blank is not used.
_ASTERISK = (
    "",
    "caller",
    "dst",
    "context",
    "clid",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "disposition",
    "",
)
_ASTERISK_NEW = ("", "linkedid", "")
_CUSTOM = (
    "clid",
    "caller",
    "dst",
    "context",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "disposition",
    "",
    "",
    "uniqueid",
    "userfield",
)
_SWITCH = (
    "caller_name",
    "caller",
    "dst",
    "context",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "hangup_cause",
    "uniqueid",
    "other_leg",
    "",
)
_SWITCH_AS_ASTERISK = (*_ASTERISK[:14], "hangup_cause", "", "uniqueid", "userfield")
_STATS = ("caller", "caller_name", "dst", "duration", "billsec", "hangup_cause", "uniqueid", "epoch")

# The same fields under the names of exports with a header (FreePBX's cdr table, cdr-stats, FreeSWITCH,
# FusionPBX, MikoPBX, Grandstream's two).
_NAMES = {
    "calldate": "start",
    "start": "start",
    "start stamp": "start",
    "starting date": "start",
    "answer": "answer",
    "answer stamp": "answer",
    "end": "end",
    "end stamp": "end",
    "duration": "duration",
    "billsec": "billsec",
    "src": "caller",
    "caller id number": "caller",
    "did": "did",
    "dst": "dst",
    "destination number": "dst",
    "userfield": "userfield",
    "lastdata": "lastdata",
    "lastapp": "lastapp",
    "clid": "clid",
    "cnam": "caller_name",
    "caller id name": "caller_name",
    "dcontext": "context",
    "context": "context",
    "channel": "channel",
    "disposition": "disposition",
    "hangup cause": "hangup_cause",
    "uniqueid": "uniqueid",
    "uuid": "uniqueid",
    "callid": "uniqueid",
    "bleg uuid": "other_leg",
    "linkedid": "linkedid",
    "dst channel": "dstchannel",
    "dstchannel": "dstchannel",
    "cnum": "cnum",
    "direction": "direction",
    # FusionPBX
    "start epoch": "epoch",
    "xml cdr uuid": "uniqueid",
    "bridge uuid": "other_leg",
    "caller destination": "did",
    "status": "result",
    "cc side": "side",
    "leg": "leg",
    # MikoPBX
    "endtime": "end",
    "src num": "caller",
    "dst num": "dst",
    # Grandstream's download
    "caller number": "caller",
    "callee number": "dst",
    "callerid": "clid",
    "source channel": "channel",
    "dest channel": "dstchannel",
    "start time": "start",
    "answer time": "answer",
    "end time": "end",
    "call time": "duration",
    "talk time": "billsec",
    "session": "linkedid",
}
FIELDS = (
    "start",
    "epoch",
    "answer",
    "end",
    "duration",
    "billsec",
    "caller",
    "did",
    "dst",
    "userfield",
    "lastdata",
    "lastapp",
    "clid",
    "caller_name",
    "context",
    "channel",
    "disposition",
    "uniqueid",
    "linkedid",
    "other_leg",
    "hangup_cause",
    "direction",
    "cnum",
    "dstchannel",
    "result",
    "side",
    "leg",
)

STAMP = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")
_STARTS = (4, 8, 9)
_UNIQUE = re.compile(r"(?:[\w.-]+-)?\d{9,11}\.\d+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Layout:
    """Which field stands where in a row, and whose file it is."""

    name: str
    provider: str
    fields: tuple[str, ...]
    pick: Callable[[Sequence[str]], tuple[str, ...]]

    @classmethod
    def of(cls, name: str, provider: str, fields: tuple[str, ...]) -> "Layout":
        """Make a layout."""
        # A field without a column reads the empty cell that is put at the end of each row.
        places = {field: at for at, field in enumerate(fields) if field}
        return cls(name, provider, fields, itemgetter(*(places.get(field, -1) for field in FIELDS)))


class Layouts:
    """Finds the layout of rows without a header; rows of one file may differ as settings change."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Layout] = {}

    def of(self, cells: Sequence[str]) -> Layout:
        """Return the layout of a row, or raise Invalid."""
        width = len(cells)
        start = None
        for at in _STARTS:
            if at < width and len(cells[at]) == 19 and STAMP.fullmatch(cells[at]):
                start = at
                break
        unique = start == 9 and width in (17, 20) and bool(_UNIQUE.fullmatch(cells[16]))
        switch = (
            start == 9 and width in (17, 18) and len(cells[16]) == 36 and bool(_UUID.fullmatch(cells[16]))
        )
        key = (start, width, unique, switch)
        layout = self._known.get(key)
        if layout is None:
            layout = self._known[key] = _headless(start, cells, unique=unique, switch=switch)
        return layout


def by_header(first: Sequence[str]) -> Layout | None:
    """Return the layout that a header describes; None where the first row is none."""
    fields = tuple(_NAMES.get(fold(cell), "") for cell in first)
    if not {"caller", "dst"} <= set(fields) or not {"start", "epoch"} & set(fields):
        return None
    names = {fold(cell) for cell in first}
    if "xml cdr uuid" in names:
        # Its duration is the talk under another name; the times tell how long the call was.
        dropped = ("duration", "start") if "epoch" in fields else ("duration",)
        return Layout.of("FusionPBX", "fusionpbx", tuple("" if f in dropped else f for f in fields))
    if "src num" in names:
        return Layout.of("MikoPBX", "mikopbx", fields)
    if "acctid" in names or {"callee number", "disposition"} <= names:
        named = tuple("direction" if f == "userfield" else f for f in fields)
        return Layout.of("Grandstream UCM", "grandstream", named)
    if (
        "start time" in names
        or "call time" in names
        or not {"disposition", "billsec", "duration"} & set(fields)
    ):
        return None
    if "callid" in names:
        return Layout.of("cdr-stats", "cdr-stats", fields)
    if "uuid" in names:
        return Layout.of("FreeSWITCH with header", "freeswitch", fields)
    name = "FreePBX" if names & {"calldate", "did", "recordingfile"} else "Asterisk with header"
    return Layout.of(name, "asterisk", fields)


def _headless(start: int | None, cells: Sequence[str], *, unique: bool, switch: bool) -> Layout:
    width = len(cells)
    if switch:
        return Layout.of("FreeSWITCH asterisk template", "freeswitch", _SWITCH_AS_ASTERISK[:width])
    if start == 9 and 16 <= width <= 21:
        # Three switches of cdr.conf append columns: loguniqueid, loguserfield, newcdrcolumns.
        more, new = (width - 16, ()) if width <= 18 else (width - 19, _ASTERISK_NEW)
        ids = (("uniqueid",) if unique else ("userfield",)) if more == 1 else ("uniqueid", "userfield")[:more]
        return Layout.of("Asterisk cdr_csv", "asterisk", (*_ASTERISK, *ids, *new))
    if start == 8 and 17 <= width <= 20:
        return Layout.of("Asterisk cdr_custom", "asterisk", _padded(_CUSTOM, width))
    if start == 4 and 13 <= width <= 20:
        return Layout.of("FreeSWITCH example template", "freeswitch", _padded(_SWITCH, width))
    if start is None and width == 8 and re.fullmatch(r"\s*\d{9,10}\s*", cells[7]):
        return Layout.of("cdr-stats text", "cdr-stats", _STATS)
    raise Invalid(
        "row",
        "%(width)s columns and no start time where expected; compare it with the rows above",
        width=width,
    )


def _padded(fields: tuple[str, ...], width: int) -> tuple[str, ...]:
    return (*fields, *("",) * width)[:width]
