"""Telephone systems whose records have a header line, each told by names that no other has."""

import re
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from tracking.errors import Invalid
from tracking.imports import values
from tracking.imports.call_words import COURSES, MAILBOX
from tracking.imports.outcomes import Skip
from tracking.imports.records import (
    CONFERENCE,
    NO_TALK,
    NO_TIME,
    QUALITY,
    Cells,
    Reading,
    System,
    course_of,
    leg,
    status_of,
    usual,
)
from tracking.imports.values import fold
from tracking.storage import phone
from tracking.storage.vocabulary import CallStatus
from tracking.telephony.calls import CallEvent, Course

ANOTHER_LEG = Skip("another leg of the same call")
_WAITING = Skip("call in progress")
# The first letters of Cisco's names for telephones and soft clients; everything else is a trunk or gateway.
_CISCO_PHONE = re.compile(r"(?:SEP|CSF|BOT|TCT|TAB|ATA|ANA|UPC|VGC)", re.IGNORECASE)
_CISCO_MACHINE = re.compile(r"(?:CTI|UCCX|IVR|RCP)", re.IGNORECASE)
_CISCO_MAILBOX = re.compile(r"CiscoUM|CUC|-VI\d|VoiceMail", re.IGNORECASE)
_LINES = frozenset({"line", "lineset", "provider", "externalline"})
_INSIDE = re.compile(r"(?:Ext|VMail|Ivr|Q)\.", re.IGNORECASE)
_QUEUE = re.compile(r"\b(?:kö|svarsgrupp|queue)\s*:\s*(\S.*)", re.IGNORECASE)
_TEAMS_MACHINE = frozenset({"ucap in", "dr in ucap"})


def three_cx(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a record of 3CX; the number dialled may be the trunk's, or stand as a rule before the name."""
    started = reading.required(cells["started"], "started")
    answered, ended = (reading.moment(cells[name], name) for name in ("answered", "ended"))
    caller, called = _inside(cells["from"]), _inside(cells["to"])
    from_house = cells["from"].startswith("Ext.") or fold(cells["from_type"]) == "extension"
    outside = fold(cells["to_type"]) in _LINES or (
        not cells["to_type"] and len(re.sub(r"\D", "", called)) > 6
    )
    course = (Course.outgoing if outside else Course.internal) if from_house else Course.incoming
    # A queue or a menu picks up at once; a person is whom the call ended with.
    kind = fold(cells["final_type"]) or (fold(cells["to_type"]) if not cells["final"] else "")
    person = kind == "extension" if kind else bool(cells["final"]) or answered != started
    status = CallStatus.completed if answered and person else CallStatus.missed
    if "vmail" in cells.first("final", "to").casefold() or kind == "voicemail":
        status = CallStatus.voicemail if answered else CallStatus.missed
    rule, mark, _ = cells["from_name"].partition(":")
    day = started.strftime("%Y%m%d")
    group = cells["history"] if re.fullmatch(r"Call \d+", cells["history"]) else ""
    return leg(
        cells,
        reading,
        provider="3cx",
        call_id=f"{group[5:]}-{day}" if group else cells.first("id", "history"),
        caller=caller,
        # The rule says most exactly what was dialled, the trunk least.
        dialled=(rule if mark else "", cells["dial_no"], called, cells["to_dn"], cells["from_dn"]),
        started=started,
        status=status,
        answered=answered,
        ended=ended or (started + timedelta(seconds=values.seconds(cells["duration"], "duration") or 0)),
        course=course,
    )


def three_cx_report(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a line of 3CX's call report; the agents' lines of a queue call tell what its first line does."""
    if fold(cells["status"]) == "waiting":
        return _WAITING
    if fold(cells["direction"]) == "inbound queue":
        return ANOTHER_LEG
    event = usual(cells, reading, "3cx")
    if isinstance(event, Skip) or event.course is Course.outgoing:
        return event
    # The inbound rule's name stands before the caller's.
    name, number = phone.split(cells["from"])
    rule, mark, _ = name.partition(":")
    rules = (rule,) if mark else ()
    taken = re.search(r"taken by|replaced by|transferred to", cells["details"], re.IGNORECASE)
    if taken and fold(cells["status"]) == "answered":
        talk = values.seconds(cells["talk"], "talk")
        event = replace(event, status=CallStatus.completed, talk_s=talk)
    shown = name.partition(":")[2] if mark else name
    named = shown.strip() if phone.parse(shown, reading.region).e164 is None else None
    return replace(event, dialled=(*rules, *event.dialled), caller=number, caller_name=named or None)


def teams_pstn(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a row of Teams' PSTN usage: which of its two numbers is ours decides what was dialled."""
    kind = fold(cells["direction"])
    if kind.startswith("conf"):
        return CONFERENCE
    caller, dialled = cells["from"], (cells["did"], cells["to"])
    course = course_of(kind)
    if course is Course.incoming and reading.ours(caller) and not any(map(reading.ours, dialled)):
        caller, dialled = cells.first("to", "did"), (caller, caller)
    started = reading.required(cells["started"], "started")
    talk = values.seconds(cells["duration"], "duration") or 0
    machine = kind in _TEAMS_MACHINE
    return leg(
        cells,
        reading,
        provider="teams",
        # Who waits for a person has a row of his own, which nothing but the moment joins with that person's.
        call_id="" if machine else cells["id"],
        caller=caller,
        dialled=dialled,
        started=started,
        status=CallStatus.completed if talk and not machine else CallStatus.missed,
        ended=reading.moment(cells["ended"], "ended"),
        talk=talk,
        course=course,
    )


def teams_direct_routing(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a row of Teams Direct Routing, whose duration runs from the invitation: talk is end less start."""
    kind = fold(cells["direction"])
    began = reading.required(cells.first("invited", "started"), "invited")
    start = reading.moment(cells["started"], "started")
    ended = reading.moment(cells.first("ended", "failed"), "ended")
    taken = values.yes(cells["success"], "success") and kind not in _TEAMS_MACHINE
    return leg(
        cells,
        reading,
        provider="teams",
        call_id=cells.first("shared_id", "id"),
        caller=cells["from"],
        dialled=(cells["to"],),
        started=began,
        status=CallStatus.completed if taken else CallStatus.missed,
        answered=start if taken else None,
        ended=ended,
        course=course_of(kind),
    )


def cucm(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a record of Cisco's Call Manager; which devices took part tells its direction."""
    if cells["kind"].upper() == "INTEGER":
        return Skip("column type line")
    if cells["kind"] == "2":
        return QUALITY
    started = reading.epoch(cells["started"], "started")
    if started is None:
        return NO_TIME
    answered, ended = (reading.epoch(cells[name], name) for name in ("answered", "ended"))
    from_phone = bool(_CISCO_PHONE.match(cells["from_device"]))
    to_phone = bool(_CISCO_PHONE.match(cells["to_device"]))
    called = cells.first("original", "final")
    outside = len(re.sub(r"\D", "", called)) > 6
    if from_phone:
        course = Course.internal if to_phone or not outside else Course.outgoing
    else:
        course = Course.incoming
    status = CallStatus.completed if answered else CallStatus.missed
    if answered and (_CISCO_MAILBOX.search(cells["to_device"]) or MAILBOX.search(cells["to_device"])):
        status = CallStatus.voicemail
    elif answered and _CISCO_MACHINE.match(cells["to_device"]):
        status = CallStatus.missed
    return leg(
        cells,
        reading,
        provider="cucm",
        # The number of a call begins anew when the exchange does.
        call_id="-".join((cells["cluster"], cells["manager"], cells["id"], f"{started:%Y%m%d}")),
        caller=cells["from"],
        dialled=(called, cells["pattern"], cells["final"], cells["hunt"], cells["redirected"]),
        started=started,
        status=status,
        answered=answered,
        ended=ended,
        talk=values.seconds(cells["talk"], "talk"),
        course=course,
    )


def yeastar(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a leg of a Yeastar exchange."""
    return usual(cells, reading, "yeastar")


def starface(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a line of Starface's call list or line list; account 0 is somebody outside."""
    caller_out, called_out = cells["from_account"] in ("", "0"), cells["to_account"] in ("", "0")
    if cells["incoming"]:
        course = Course.incoming if values.yes(cells["incoming"], "incoming") else Course.outgoing
    elif caller_out:
        course = Course.incoming
    else:
        course = Course.outgoing if called_out else Course.internal
    started = reading.required(cells["started"], "started")
    answered, ended = (reading.moment(cells[name], name) for name in ("answered", "ended"))
    return leg(
        cells,
        reading,
        provider="starface",
        call_id=cells["id"],
        caller=cells["from"],
        dialled=(cells["to"], cells["line"]),
        started=started,
        status=CallStatus.completed if answered else CallStatus.missed,
        answered=answered,
        ended=ended,
        course=course,
    )


def fritz_box(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a line of a Fritz!Box; its durations are hours and minutes, rounded up."""
    hours, _, minutes = cells["duration"].partition(":")
    if not (hours.isdigit() and minutes.isdigit()):
        raise Invalid("duration", "not a duration in hours and minutes; write it as 0:05")
    talk = (int(hours) * 60 + int(minutes)) * 60
    course = Course.outgoing if cells["kind"] in ("3", "4") else Course.incoming
    machine = fold(cells["extension"]) in ("anrufbeantworter", "answering machine")
    status = CallStatus.completed if cells["kind"] == "1" and talk else CallStatus.missed
    if machine and status is CallStatus.completed:
        status = CallStatus.voicemail
    # "Internet: 0701740605": which of the box's own numbers was rung.
    own = re.sub(r"^\D*:\s*", "", cells["own"])
    return leg(
        cells,
        reading,
        provider="fritzbox",
        call_id="",
        caller=cells["from"],
        dialled=(own, cells["own"], cells["extension"]),
        started=reading.required(cells["started"], "started"),
        status=status,
        talk=talk,
        course=course,
        name=cells["name"],
    )


def aircall(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a call of Aircall, whose numbers have lost their plus."""
    started = reading.required(cells.first("started_utc", "started"), "started_utc")
    answered = values.yes(cells["answered"], "answered")
    talk = values.seconds(cells["talk"], "talk")
    status = CallStatus.completed if answered else CallStatus.missed
    if cells["voicemail"] and not answered:
        status = CallStatus.voicemail
    line = phone.split(cells["line"])[1]
    dialled = (line, cells["to"], cells["line"])
    return leg(
        cells,
        reading,
        provider="aircall",
        call_id=cells["id"],
        caller=cells["from"],
        dialled=dialled,
        started=started,
        status=status,
        duration=values.seconds(cells["duration"], "duration"),
        talk=talk,
        course=course_of(cells["direction"]),
        name=cells["name"],
    )


def dialpad(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a call of Dialpad: minutes with decimals, in the zone that the row names."""
    zone = cells["timezone"]
    try:
        local = replace(reading, utc=False, dialect=replace(reading.dialect, zone=ZoneInfo(zone or "UTC")))
    except (KeyError, ValueError, OSError):
        raise Invalid("timezone", "not a time zone; enter one such as Europe/Stockholm") from None
    started = local.required(cells["started"], "started")
    answered, ended = (local.moment(cells[name], name) for name in ("answered", "ended"))
    course = course_of(cells["direction"])
    if cells["internal"] and values.yes(cells["internal"], "internal"):
        course = Course.internal
    talk = None
    if cells["talk"]:
        try:
            talk = round(float(cells["talk"]) * 60)
        except ValueError:
            raise Invalid("talk", "not a number of minutes; fix it in the source system") from None
    category = fold(cells["status"])
    status = CallStatus.completed if talk or (talk is None and answered) else CallStatus.missed
    if category == "voicemail" or (
        status is CallStatus.missed and cells["voicemail"] in ("true", "True", "1")
    ):
        status = CallStatus.voicemail
    out = course is Course.outgoing
    caller, dialled = (cells["ours"], cells["theirs"]) if out else (cells["theirs"], cells["ours"])
    return leg(
        cells,
        local,
        provider="dialpad",
        call_id=cells.first("entry", "id"),
        caller=caller,
        dialled=(dialled,),
        started=started,
        status=status,
        answered=answered,
        ended=ended,
        talk=talk,
        course=course,
    )


def ring_central(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a line of RingCentral's call log, which names the other party and the extension alone."""
    if fold(cells["kind"]) in ("fax", "sms"):
        return NO_TALK
    if not cells["date"]:
        return NO_TIME
    if fold(cells["duration"]) == "in progress":
        return _WAITING
    # A weekday stands before the date.
    day = re.sub(r"^[^\W\d]+\.?,?\s+", "", cells["date"])
    dialect = reading.dialect
    if dialect.day_first is None:
        reading = replace(reading, dialect=replace(dialect, day_first=False))
    started = reading.required(f"{day} {cells['time']}", "date")
    course = course_of(cells["direction"] or cells["kind"])
    status = status_of(cells["status"], talked=False)
    duration = values.seconds(cells["duration"], "duration")
    number, extension = cells["from"], cells["extension"]
    inside = (extension.partition(" ")[0], extension)
    out = course is Course.outgoing
    return leg(
        cells,
        reading,
        provider="ringcentral",
        call_id=cells["id"],
        caller=extension if out else number,
        dialled=(number,) if out else (cells["did"], *inside),
        started=started,
        status=status,
        duration=duration,
        talk=duration if status is CallStatus.completed else 0,
        course=course,
        name=cells["name"],
    )


def ring_central_records(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a record of RingCentral's API as CSV; the legs of a call have its session's id."""
    if fold(cells["kind"]) in ("fax", "sms"):
        return NO_TALK
    return usual(cells, reading, "ringcentral")


def twilio(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a line of Twilio's call log: that somebody picked up is told by the leg dialled for the caller."""
    parent = cells["parent"]
    started = reading.moment(cells["started"], "started")
    if started is None:
        return NO_TIME
    course = course_of(cells["direction"])
    # A leg that Twilio dials for a caller shows that caller; it has no parent where the export leaves it out.
    dials = fold(cells["direction"]) in ("outbound dial", "outgoing dial")
    if re.match(r"client:|sips?:(?!\+?\d{7,15}@)", cells["from"], re.IGNORECASE):
        course = Course.outgoing
    lasted = values.seconds(cells["duration"], "duration")
    status = status_of(cells["status"], talked=False)
    if parent or dials:
        reading.seen.add("person")
    elif course is not Course.outgoing and status is CallStatus.completed:
        reading.seen.add("call")
        status = CallStatus.missed
    return leg(
        cells,
        reading,
        provider="twilio",
        call_id=parent or cells["id"],
        caller=cells["from"],
        dialled=() if parent else (cells["to"],),
        started=started,
        status=status,
        answered=started if dials and status is CallStatus.completed else None,
        duration=lasted,
        talk=lasted,
        # The leg that rings our desk goes out from Twilio and belongs to the call that came in.
        course=None if parent or (dials and not reading.ours(cells["from"])) else course,
        name=cells["name"],
    )


def zadarma(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a line of Zadarma's statistics, whose ids begin with the direction."""
    said = cells["id"].partition("_")[0]
    event = usual(cells, reading, "zadarma")
    return event if isinstance(event, Skip) else replace(event, course=COURSES.get(said, event.course))


def uis(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a call of UIS or CoMagic."""
    lost = cells["lost"] and values.yes(cells["lost"], "lost")
    row = Cells(cells, status="missed" if lost else cells["status"])
    return usual(row, reading, "uis")


def zoom(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a line of Zoom Phone's call log."""
    if fold(cells["from_kind"]) == "internal" == fold(cells["to_kind"]):
        cells = Cells(cells, direction="internal")
    if MAILBOX.search(cells["path"]):
        cells = Cells(cells, status="voicemail")
    return usual(cells, reading, "zoom")


def telavox(cells: Cells, reading: Reading) -> CallEvent | Skip:
    """Read a line of a Telavox queue's statistics; the queue itself is named above the rows."""
    queue = cells["queue"] or next((found[1] for line in reading.above if (found := _QUEUE.search(line))), "")
    return usual(Cells(cells, queue=queue), reading, "telavox")


def _inside(party: str) -> str:
    return _INSIDE.sub("", party, count=1)


_USUAL_TIMES = {"started": "start time", "ended": "end time"}
HEADED = (
    System(
        name="Cisco CUCM CDR",
        provider="cucm",
        read=cucm,
        signs=("globalcallid callid",),
        utc=True,
        columns={
            "kind": "cdrrecordtype",
            "cluster": "globalcallid clusterid",
            "manager": "globalcallid callmanagerid",
            "id": "globalcallid callid",
            "started": "datetimeorigination",
            "answered": "datetimeconnect",
            "ended": "datetimedisconnect",
            "talk": "duration",
            "from": "callingpartynumber",
            "original": "originalcalledpartynumber",
            "final": "finalcalledpartynumber",
            "pattern": "originalcalledpartypattern",
            "hunt": "huntpilotdn",
            "redirected": "lastredirectdn",
            "from_device": "origdevicename",
            "to_device": "destdevicename",
        },
    ),
    System(
        name="Teams Direct Routing",
        provider="teams",
        read=teams_direct_routing,
        signs=("correlationid|correlation id", "sbc fqdn|callee number", "caller number"),
        utc=True,
        columns={
            "id": "correlationid|correlation id",
            "shared_id": "shared correlation id",
            "invited": "invite time",
            "started": "start time",
            "failed": "failure time",
            "ended": "end time",
            "success": "success",
            "from": "caller number",
            "to": "callee number",
            "direction": "call type",
        },
    ),
    System(
        name="Teams PSTN usage",
        provider="teams",
        read=teams_pstn,
        signs=("caller id|callernumber", "call type|calltype", "destination number|calleenumber"),
        utc=True,
        joins=True,
        columns={
            "id": "usageid|id|call id",
            "from": "caller id|callernumber",
            "direction": "call type|calltype",
            "did": "destination number|calleenumber",
            "to": "destination dialed",
            "started": "start time|startdatetime",
            "ended": "end time|enddatetime",
            "duration": "duration seconds|duration",
        },
    ),
    System(
        name="3CX CDR with a header",
        provider="3cx",
        read=three_cx,
        signs=("historyid|callid", "time start", "from no"),
        columns={
            "history": "historyid",
            "id": "callid",
            "started": "time start",
            "answered": "time answered",
            "ended": "time end",
            "reason": "reason terminated",
            "from": "from no",
            "to": "to no",
            "from_dn": "from dn",
            "to_dn": "to dn",
            "dial_no": "dial no",
            "final": "final number",
            "final_dn": "final dn",
            "from_type": "from type",
            "to_type": "to type",
            "final_type": "final type",
            "from_name": "from dispname",
            "chain": "chain",
            "duration": "duration",
        },
    ),
    System(
        name="3CX call report",
        provider="3cx",
        read=three_cx_report,
        signs=("call time", "ringing", "talking", "to|destination"),
        columns={
            "id": "call id",
            "started": "call time",
            "from": "from|caller id",
            "to": "to|destination",
            "direction": "direction",
            "status": "status",
            "ring": "ringing",
            "talk": "talking",
            "details": "call activity details",
        },
    ),
    System(
        name="Yeastar",
        provider="yeastar",
        read=yeastar,
        signs=("communication type|kommunikationsart", "call from|anruf von"),
        joins=True,
        columns={
            "id": "id|call id",
            "started": "time|zeit",
            "from": "call from|anruf von",
            "to": "call to|anruf an",
            "duration": "call duration|call duration s|anrufdauer",
            "ring": "ring duration|klingeldauer",
            "talk": "talk duration|talk duration s|gesprächsdauer",
            "status": "status",
            "direction": "communication type|kommunikationsart",
            "did": "did ddi|did number|did|ddi",
        },
    ),
    System(
        name="Starface",
        provider="starface",
        read=starface,
        signs=("callleguuid", "linktime"),
        columns={
            "id": "callid",
            "from_account": "calleraccountid",
            "to_account": "calledaccountid",
            "from": "callernumber|callercallerid",
            "to": "callednumber|calledcallerid",
            "started": "starttime",
            "answered": "linktime",
            "ended": "hanguptime|callresulttime",
            "incoming": "incoming",
            "line": "linename",
        },
    ),
    System(
        name="Fritz!Box call list",
        provider="fritzbox",
        read=fritz_box,
        signs=("typ", "datum|date", "eigene rufnummer|outgoing caller id"),
        columns={
            "kind": "typ",
            "started": "datum|date",
            "name": "name",
            "from": "rufnummer|number",
            "extension": "nebenstelle|extension",
            "own": "eigene rufnummer|outgoing caller id",
            "duration": "dauer|duration",
        },
    ),
    System(
        name="Aircall",
        provider="aircall",
        read=aircall,
        signs=("aircall number|datetime utc", "missed call reason"),
        utc=True,
        columns={
            "id": "call id",
            "started_utc": "datetime utc",
            "started": "datetime tz offset incl",
            "direction": "direction",
            "from": "from",
            "to": "to",
            "line": "aircall number",
            "answered": "answered",
            "duration": "duration total",
            "talk": "duration in call",
            "voicemail": "voicemail",
            "name": "contact name",
        },
    ),
    System(
        name="Dialpad",
        provider="dialpad",
        read=dialpad,
        signs=("external number", "internal number"),
        utc=True,
        columns={
            "id": "call id",
            "entry": "entry point call id",
            "theirs": "external number",
            "ours": "internal number",
            "started": "date started",
            "answered": "date connected",
            "ended": "date ended",
            "direction": "direction",
            "status": "category|disposition",
            "internal": "is internal",
            "talk": "talk duration",
            "voicemail": "voicemail",
            "timezone": "timezone",
        },
    ),
    System(
        name="RingCentral call log",
        provider="ringcentral",
        read=ring_central,
        signs=("action result", "phone number", "date"),
        joins=True,
        columns={
            "id": "session id|sessionid",
            "kind": "type",
            "direction": "direction",
            "from": "phone number",
            "name": "name",
            "date": "date",
            "time": "time",
            "status": "action result",
            "duration": "duration",
            "extension": "extension",
            "did": "to|called number",
        },
    ),
    System(
        name="RingCentral records",
        provider="ringcentral",
        read=ring_central_records,
        signs=("sessionid", "starttime", "direction", "result"),
        columns={
            "id": "sessionid",
            "kind": "type",
            "started": "starttime",
            "direction": "direction",
            "from": "from",
            "did": "to",
            "status": "result",
            "duration": "duration",
        },
    ),
    System(
        name="Twilio call log",
        provider="twilio",
        read=twilio,
        signs=("call sid|sid", "direction", "from", "to"),
        utc=True,
        joins=True,
        columns={
            "id": "call sid|sid",
            "parent": "parent call sid|parentcallsid",
            "from": "from",
            "to": "to",
            "direction": "direction",
            "status": "status",
            "started": "start time|starttime",
            "ended": "end time|endtime",
            "duration": "duration",
            "name": "caller name",
        },
    ),
    System(
        name="Zadarma",
        provider="zadarma",
        read=zadarma,
        signs=("callstart", "disposition", "pbx call id|sip"),
        columns={
            "id": "pbx call id|id",
            "started": "callstart",
            "from": "from|clid",
            "to": "destination",
            "did": "to",
            "status": "disposition",
            "talk": "seconds",
        },
    ),
    System(
        name="UIS, CoMagic",
        provider="uis",
        read=uis,
        signs=("virtual phone number", "contact phone number"),
        columns={
            "id": "id|communication id",
            "started": "start time",
            "ended": "finish time",
            "direction": "direction",
            "did": "virtual phone number",
            "from": "contact phone number",
            "lost": "is lost",
            "ring": "wait duration",
            "talk": "talk duration",
            "duration": "total duration",
        },
    ),
    System(
        name="Zoom Phone call log",
        provider="zoom",
        read=zoom,
        signs=("call id", "caller number", "callee number", "result|call result"),
        columns=_USUAL_TIMES
        | {
            "id": "call id",
            "direction": "direction",
            "name": "caller name",
            "from": "caller number|caller did number",
            "from_kind": "caller number type",
            "did": "callee number|callee did number",
            "to": "callee name",
            "to_kind": "callee number type",
            "answered": "answer time",
            "status": "result|call result",
            "path": "path",
            "ring": "waiting time",
        },
    ),
    System(
        name="Telavox queue statistics",
        provider="telavox",
        read=telavox,
        signs=("datum", "tid", "nummer", "resultat"),
        joins=True,
        columns={
            "date": "datum",
            "time": "tid",
            "from": "nummer",
            "status": "resultat",
            "ring": "kötid",
            "talk": "samtalstid",
            "queue": "kö",
        },
    ),
)
