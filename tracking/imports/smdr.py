"""Telephone systems that write their records without a header line, each told by the shape of its rows."""

import re
from collections.abc import Sequence
from datetime import timedelta
from xml.etree import ElementTree as ET

from tracking.errors import Invalid
from tracking.imports import values
from tracking.imports.call_words import MAILBOX
from tracking.imports.outcomes import Skip
from tracking.imports.records import NO_TIME, Cells, Reading, System, content_id, leg
from tracking.imports.systems import three_cx
from tracking.storage.vocabulary import CallStatus
from tracking.telephony.calls import CallEvent, Course

_HEAD = Skip("header line")
_DIVERTED = Skip("diversion or transfer of a call in another row")

# --- 3CX -------------------------------------------------------------------------------------------------

_THREE_CX = [
    "history",
    "id",
    "duration",
    "started",
    "answered",
    "ended",
    "reason",
    "from",
    "to",
    "from_dn",
    "to_dn",
    "dial_no",
    "changed",
    "final",
    "final_dn",
]
_TYPE = re.compile(
    r"Extension|Queue|LineSet|Line|Provider|ExternalLine|RingGroup\w*|IVR|VoiceMail|Fax|Script|Conference|None",
    re.IGNORECASE,
)


def _three_cx(row: Sequence[str]) -> Cells | None:
    if len(row) < 15 or not re.fullmatch(r"Call \d+", row[0].strip()):
        return None
    cells = Cells(zip(_THREE_CX, (cell.strip() for cell in row), strict=False))
    chain = next((at for at, cell in enumerate(row) if cell.startswith("Chain:")), len(row))
    after = [cell.strip() for cell in row[chain + 1 :]] + [""] * 7
    # Which fields follow, and in what order, is a setting of the exchange; types have words of their own.
    types = ("from_type", "to_type", "final_type")
    names = ("from_name", "to_name", "final_name")
    if any(_TYPE.fullmatch(cell) for cell in after[:3]):
        cells.update(zip((*types, *names), after, strict=False))
        return cells
    at = next((at for at, cell in enumerate(after) if _TYPE.fullmatch(cell)), None)
    if at is not None and at >= 3:
        cells.update(zip((*names, *types), after[at - 3 : at + 3], strict=True))
    return cells


# --- Avaya IP Office -------------------------------------------------------------------------------------

_AVAYA = [
    "started",
    "talk",
    "ring",
    "from",
    "direction",
    "called",
    "dialled",
    "account",
    "internal",
    "id",
    "continued",
    "device1",
    "name1",
    "device2",
    "name2",
]


def _avaya(row: Sequence[str]) -> Cells | None:
    # In the wild, the date and the time may be two cells.
    if len(row) > 6 and re.fullmatch(r"\d\d:\d\d(?::\d\d)?", row[1].strip()) and row[5].strip() in ("I", "O"):
        row = [f"{row[0].strip()} {row[1].strip()}", *row[2:]]
    if not 15 <= len(row) <= 40 or row[4].strip() not in ("I", "O") or row[8].strip() not in ("0", "1"):
        return None
    if not re.fullmatch(r"\d{4}/\d\d/\d\d \d\d:\d\d(?::\d\d)?", row[0].strip()):
        return None
    return Cells(zip(_AVAYA, (cell.strip() for cell in row), strict=False))


def avaya(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a leg of an IP Office: all legs of a call have its id and its beginning."""
    started = reading.required(cells["started"], "started")
    talk = values.seconds(cells["talk"], "talk") or 0
    ring = values.seconds(cells["ring"], "ring") or 0
    if cells["internal"] == "1":
        course = Course.internal
    else:
        course = Course.incoming if cells["direction"] == "I" else Course.outgoing
    status = CallStatus.completed if talk else CallStatus.missed
    mailbox = re.match(r"V95\d\d", cells["device1"]) or MAILBOX.search(cells["name1"])
    if talk and (mailbox or MAILBOX.search(cells["called"])):
        status = CallStatus.voicemail
    return leg(
        cells,
        reading,
        provider="avaya",
        # The ids begin anew when the exchange does.
        call_id=f"{cells['id']}-{started:%Y%m%d}",
        caller=cells["from"],
        dialled=(cells["dialled"], cells["called"]),
        started=started,
        status=status,
        answered=started + timedelta(seconds=ring) if talk else None,
        duration=ring + talk,
        talk=talk,
        course=course,
    )


# --- OpenScape Business, HiPath --------------------------------------------------------------------------

_OPENSCAPE = [
    "date",
    "time",
    "line",
    "extension",
    "ring",
    "talk",
    "from",
    "charge",
    "code",
    "account",
    "msn",
]


def _openscape(row: Sequence[str]) -> Cells | None:
    if not 9 <= len(row) <= 20:
        return None
    if [cell.strip().casefold() for cell in row[:4]] == ["datum", "uhrzeit", "lt", "tln"]:
        return Cells(head="1")
    if not re.fullmatch(r"\d\d\.\d\d\.\d\d", row[0]) or not re.fullmatch(r"\d\d:\d\d:\d\d", row[1]):
        return None
    return Cells(zip(_OPENSCAPE, (cell.strip() for cell in row), strict=False))


def openscape(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a line of OpenScape Business, whose time is that of the end of the call."""
    if cells["head"]:
        return _HEAD
    ended = reading.required(f"{cells['date']} {cells['time']}", "date")
    ring, talk = (values.seconds(cells[name], name) or 0 for name in ("ring", "talk"))
    code = cells["code"]
    if not code.isdigit():
        raise Invalid("code", "not an information code; fix it in the source system")
    kind = int(code) % 10
    # 1 and 2 come in, 3 and 4 go out; 20 more is a transit, 30 more a transfer, 6 to 8 a conference.
    course = Course.outgoing if kind in (3, 4) else Course.incoming
    if int(code) >= 20 and course is Course.outgoing:
        return _DIVERTED
    return leg(
        cells,
        reading,
        provider="openscape",
        call_id=content_id(cells),
        caller=cells["from"] if course is Course.incoming else cells["extension"],
        # Whom a call was passed on to is nobody's dialled number.
        dialled=((cells["msn"],) if int(code) >= 20 else (cells["msn"], cells["extension"], cells["line"]))
        if course is Course.incoming
        else (cells["from"],),
        started=ended - timedelta(seconds=ring + talk),
        status=CallStatus.completed if talk else CallStatus.missed,
        duration=ring + talk,
        talk=talk,
        course=course,
    )


# --- Mango Office ----------------------------------------------------------------------------------------

_MANGO = [
    "records",
    "started",
    "ended",
    "answered",
    "from_extension",
    "from",
    "to_extension",
    "to",
    "reason",
    "line",
    "location",
    "id",
]


def _mango(row: Sequence[str]) -> Cells | None:
    if not 8 <= len(row) <= 12 or not re.fullmatch(r"\[.*\]|", row[0].strip()):
        return None
    if not all(re.fullmatch(r"\d{9,10}", cell.strip()) for cell in row[1:3]):
        return None
    return Cells(zip(_MANGO, (cell.strip() for cell in row), strict=False))


def mango(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a line of Mango Office's statistics; who has an extension is inside."""
    started = reading.epoch(cells["started"], "started")
    if started is None:
        return NO_TIME
    if cells["from_extension"]:
        course = Course.internal if cells["to_extension"] and not cells["line"] else Course.outgoing
    else:
        course = Course.incoming
    answered = reading.epoch(cells["answered"], "answered")
    return leg(
        cells,
        reading,
        provider="mango",
        call_id=cells["id"],
        caller=cells["from"],
        dialled=(cells["line"], cells["to"], cells["to_extension"])
        if course is Course.incoming
        else (cells["to"],),
        started=started,
        status=CallStatus.completed if answered else CallStatus.missed,
        answered=answered,
        ended=reading.epoch(cells["ended"], "ended"),
        course=course,
    )


# --- Mitel MiVoice Business ------------------------------------------------------------------------------

_MITEL = re.compile(
    r"[-%+ ]?(?P<month>\d\d)/(?P<day>\d\d) (?P<clock>\d\d:\d\d(?::\d\d)?)(?P<half>[pP ]) ?"
    r"(?P<talk>\d\d:\d\d:\d\d) (?P<from>[A-Z]?\d+) {1,10}(?:[*\d\-] )?(?:(?P<wait>\*{3,4}|\d{3,4}) )?"
    r"(?P<digits>[\d*#]*) {0,40}(?P<done>[A-Z])? ?(?P<to>[A-Z]?\d+)?(?P<rest> .*)?"
)


def _mitel(row: Sequence[str]) -> Cells | None:
    found = _MITEL.fullmatch(row[0].rstrip()) if len(row) == 1 and len(row[0]) <= 200 else None
    return None if found is None else Cells({k: (v or "").strip() for k, v in found.groupdict().items()})


def mitel(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a line of Mitel's SMDR, which has no year: the last one in which that day has been."""
    hour, _, rest = cells["clock"].partition(":")
    if cells["half"] and int(hour) < 12:
        hour = str(int(hour) + 12)
    year = reading.today.year
    day = f"{cells['month']}-{cells['day']}"
    if day > f"{reading.today:%m-%d}":
        year -= 1
    reading.years.add(year)
    started = reading.required(f"{year}-{day} {hour}:{rest}", "month")
    talk = values.seconds(cells["talk"], "talk") or 0
    answered = bool(talk) and not cells["wait"].startswith("*")
    trunk = cells["from"][:1] in ("T", "X")
    # Behind the called party, an exchange so set writes the caller's number and the one dialled.
    more = re.findall(r"\d{7,15}", cells["rest"]) if cells["rest"] else []
    ring = int(cells["wait"]) if cells["wait"].isdigit() else 0
    if trunk:
        course = Course.incoming
    else:
        course = Course.outgoing if cells["to"][:1] in ("T", "X") else Course.internal
    return leg(
        cells,
        reading,
        provider="mitel",
        call_id=content_id(Cells(cells, year=str(year))),
        caller=(more[0] if more else "") if trunk else cells["from"],
        dialled=(*more[1:2], cells["digits"], cells["to"]),
        started=started,
        status=CallStatus.completed if answered else CallStatus.missed,
        # How long nobody answered is not told.
        duration=ring + talk if answered or ring else None,
        talk=talk,
        course=course,
    )


# --- innovaphone -----------------------------------------------------------------------------------------


def _innovaphone(row: Sequence[str]) -> Cells | None:
    text = ",".join(row).strip()
    if not text.startswith("<cdr ") or "<!" in text:
        return None
    try:
        record = ET.fromstring(text)  # noqa: S314 - no declaration, so no entity to expand
    except ET.ParseError:
        return None
    events = record.findall("event")

    def of(*starts: str) -> list[ET.Element]:
        return [event for event in events if event.get("msg", "").startswith(starts)]

    setup, talk, end = of("setup"), of("conn"), of("rel")
    parts = {
        "id": next((conf for e in events if (conf := e.get("conf"))), record.get("id", "")),
        "dir": record.get("dir", ""),
        "started": record.get("utc", ""),
        "own": record.get("e164", ""),
        "name": record.get("cn", ""),
        "other": next((n for e in (*setup, *events) if (n := e.get("e164"))), ""),
        "root": next((n for e in setup if (n := e.get("dialed") or e.get("dst"))), ""),
        "answered": talk[0].get("time", "") if talk else "",
        "ended": end[-1].get("time", "") if end else "",
        "setup": setup[0].get("msg", "") if setup else "",
    }
    return Cells(parts)


def innovaphone(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a record of an innovaphone object: a call sent to it, or made from it."""
    if cells["dir"] in ("cf", "ct"):
        return _DIVERTED
    started = reading.epoch(cells["started"], "started")
    if started is None:
        return NO_TIME
    incoming = cells["dir"] == "to"
    outside = len(re.sub(r"\D", "", cells["other"])) > 6
    if incoming:
        course = Course.incoming if outside or not cells["other"] else Course.internal
    else:
        course = Course.outgoing if outside else Course.internal
    answered = reading.epoch(cells["answered"], "answered")
    return leg(
        cells,
        reading,
        provider="innovaphone",
        call_id=cells["id"],
        caller=cells["other"] if incoming else cells["own"],
        dialled=(cells["root"], cells["own"]) if incoming else (cells["other"],),
        started=started,
        status=CallStatus.completed if answered else CallStatus.missed,
        answered=answered,
        ended=reading.epoch(cells["ended"], "ended"),
        course=course,
    )


MANGO = System(
    name="Mango Office statistics",
    provider="mango",
    read=mango,
    signs=("from extension", "to extension", "start", "finish"),
    columns={
        "started": "start",
        "ended": "finish",
        "answered": "answer",
        "from_extension": "from extension",
        "from": "from number",
        "to_extension": "to extension",
        "to": "to number",
        "line": "line number",
        "id": "entry id",
    },
    utc=True,
)
"""The same with the names that were asked for as a first line."""
HEADLESS = (
    System(name="3CX CDR", provider="3cx", read=three_cx, split=_three_cx),
    System(name="Avaya IP Office SMDR", provider="avaya", read=avaya, split=_avaya),
    System(name="OpenScape Business", provider="openscape", read=openscape, split=_openscape, joins=True),
    System(name="Mango Office statistics", provider="mango", read=mango, split=_mango, utc=True),
    System(name="Mitel SMDR", provider="mitel", read=mitel, split=_mitel),
    System(
        name="innovaphone CDR",
        provider="innovaphone",
        read=innovaphone,
        split=_innovaphone,
        utc=True,
        joins=True,
    ),
)
