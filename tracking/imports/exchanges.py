"""Records of Asterisk, FreeSWITCH and their kin: FreePBX, FusionPBX, MikoPBX, Grandstream, cdr-stats.

The layout is told from the content: a header by its names, a file without one by where the times stand.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from tracking.errors import Invalid
from tracking.imports import values
from tracking.imports.call_words import COURSES
from tracking.imports.layouts import STAMP, Layout, Layouts, by_header
from tracking.imports.outcomes import Skip
from tracking.imports.reading import Row
from tracking.imports.records import Reading
from tracking.imports.systems import ANOTHER_LEG
from tracking.imports.values import fold
from tracking.storage.vocabulary import CallStatus
from tracking.telephony.calls import CallEvent, Course

_EXTENSION = re.compile(r"\d{1,5}")
_NUMBER_WITHIN = re.compile(r"(?<![\w.])\+?\d{7,15}(?![\w.])")
# Contexts that these exchanges give to calls from outside, as shipped: FreeSWITCH's public, FreePBX's
# from-trunk and its kin, and what installers commonly write.
_OUTSIDE = re.compile(r"public|(?:from-)?(?:trunk|pstn|did|pickup)|ext-did|from-outside|in(?:coming|bound)")
_INSIDE = re.compile(r"from-internal|internal|outbound|outgoing|outrt-|macro-dialout")
# The telephone that makes a call: PJSIP/201-0000000a.
_MADE_BY = re.compile(r"(?:PJSIP|SIP|IAX2|SCCP|DAHDI)/(\d{2,5})-[0-9a-f]+", re.IGNORECASE)
# What plays or waits by itself: without a second party, nobody has picked up.
_MACHINES = frozenset(
    {
        "queue",
        "playback",
        "background",
        "waitexten",
        "wait",
        "read",
        "ivr",
        "musiconhold",
        "directory",
        "answer",
    }
)
_LOST = frozenset({"LOSE_RACE", "PICKED_OFF"})
_MINUTES = 2000
_NEVER = "0000-00-00 00:00:00"

_STATUS = {
    "ANSWERED": CallStatus.completed,
    "NO ANSWER": CallStatus.missed,
    "BUSY": CallStatus.missed,
    "FAILED": CallStatus.missed,
    "CONGESTION": CallStatus.missed,
    "CANCEL": CallStatus.missed,
    "NOANSWER": CallStatus.missed,
}
_RESULT = {
    "answered": CallStatus.completed,
    "voicemail": CallStatus.voicemail,
    **dict.fromkeys(("missed", "no answer", "cancelled", "busy", "failed"), CallStatus.missed),
}


class Exchange:
    """The rows of one of these exchanges."""

    def __init__(self, head: Sequence[Row], reading: Reading) -> None:
        self._reading = reading
        self._layouts = Layouts()
        self.header: Sequence[str] | None = None
        if head and (named := by_header(head[0].cells)) is not None:
            self.header, self._layout = head[0].cells, named
        else:
            self._layout = self._by_content(head)
        self.name = self._layout.name
        self.joins = True
        self._ahead: dict[str, timedelta] = {}
        self.second_legs: dict[str, str] = {}
        """Of the calls read last, the leg that a call's first one names, and that first one."""

    def read(self, cells: Sequence[str]) -> CallEvent | Skip:
        """Read one record."""
        layout = self._layout if self.header is not None else self._layout_of(cells)
        (
            start,
            epoch,
            answer,
            end,
            duration_text,
            billsec_text,
            caller,
            did,
            dst,
            userfield,
            lastdata,
            lastapp,
            clid,
            caller_name,
            context,
            channel,
            disposition,
            uniqueid,
            linkedid,
            other_leg,
            hangup_cause,
            direction,
            cnum,
            dstchannel,
            result,
            side,
            half,
        ) = layout.pick([*cells, ""])
        if hangup_cause in _LOST or side == "agent" or half == "b":
            return ANOTHER_LEG
        started = values.epoch(epoch.strip(), "epoch", UTC) if epoch else self._moment(start, "start")
        duration = values.seconds(duration_text, "duration")
        talk = values.seconds(billsec_text, "billsec")
        _check_lengths(duration, talk)
        answered = (
            _after(started, self._moment(answer, "answer"), duration, "answer")
            if answer and answer != _NEVER
            else None
        )
        ended = _after(started, self._moment(end, "end"), None, "end") if end and end != _NEVER else None
        if duration is not None:
            # Counted by the exchange, and right also in the night when the clock is put back.
            ended = started + timedelta(seconds=duration)
        elif ended is not None:
            duration = int((ended - started).total_seconds())
        status = _status(disposition, result, bool(answered or talk))
        if status is CallStatus.completed and (
            lastapp.casefold() == "voicemail" or dst.startswith(("vmu", "vmb", "vms", "vmi"))
        ):
            status, talk = CallStatus.voicemail, 0
        elif status is CallStatus.completed and not dstchannel and lastapp.casefold() in _MACHINES:
            status, talk, answered = CallStatus.missed, 0, None
        name = caller_name.strip() or _name_in(clid)
        dialled = _candidates(did, dst, userfield, lastdata, caller)
        call_id = linkedid or uniqueid or values.content_key(start, caller, channel or dst)
        event = CallEvent(
            provider=layout.provider,
            provider_call_id=call_id.strip(),
            dialled=dialled,
            caller=caller.strip(),
            started_at=started,
            status=status,
            answered_at=answered,
            ended_at=ended,
            duration_s=duration,
            talk_s=talk,
            caller_name=name[:200] if name and name != caller else None,
            course=self._course(direction, did, context, channel, cnum, dst),
        )
        if direction and event.course is Course.outgoing and _EXTENSION.fullmatch(dst.strip()):
            # FreeSWITCH calls every leg outbound that it makes itself, to our own telephones too.
            return ANOTHER_LEG
        if len(event.provider_call_id) > 200:
            raise Invalid("uniqueid", "longer than 200 characters; fix it in the source system")
        if other_leg:
            self.second_legs[other_leg] = event.provider_call_id
            if len(self.second_legs) > 20_000:
                del self.second_legs[next(iter(self.second_legs))]
        return event

    def place(self, cells: Sequence[str], name: str) -> tuple[str, str]:
        """Return the column and value that an error speaks of."""
        layout = self._layout
        if self.header is None:
            try:
                layout = self._layout_of(cells)
            except Invalid:
                return name, ",".join(cells)
        name = {"dialled": "did" if "did" in layout.fields else "dst"}.get(name, name)
        if name not in layout.fields:
            return name, ",".join(cells)
        at = layout.fields.index(name)
        return (self.header[at] if self.header else name), cells[at] if at < len(cells) else ""

    def mended(self, cells: Sequence[str]) -> Sequence[str] | None:
        """Put a row together again whose cells hold separators without quotation marks around them.

        The data of the last application stand before the three times, by which they are found.
        """
        if self.header is None or len(cells) <= len(self.header):
            return cells if self.header is not None and len(cells) == len(self.header) else None
        fields, extra = self._layout.fields, len(cells) - len(self.header)
        at = fields.index("start") if "start" in fields else 0
        if at < 1 or fields[at - 1] != "lastdata" or not STAMP.fullmatch(cells[at + extra]):
            return None
        joined = ",".join(cells[at - 1 : at + extra])
        return [*cells[: at - 1], joined, *cells[at + extra :]]

    def _course(
        self, direction: str, did: str, context: str, channel: str, cnum: str, dst: str
    ) -> Course | None:
        if direction and (said := COURSES.get(fold(direction))) is not None:
            return None if said is Course.incoming and not did else said
        context = context.casefold()
        if did or _OUTSIDE.match(context):
            return Course.incoming
        made_here = _MADE_BY.match(channel) or _EXTENSION.fullmatch(cnum.strip()) or _INSIDE.match(context)
        if not made_here or channel.startswith("Local/") or self._reading.ours(dst):
            return None
        return Course.internal if len(re.sub(r"\D", "", dst)) < 6 else Course.outgoing

    def _moment(self, text: str, field: str) -> datetime:
        # By far most of a large file's time would go into the reader of all notations.
        if len(text) == 19 and STAMP.fullmatch(text):
            try:
                # What the clocks show is how far they are ahead, which calls of a minute ask the zone once.
                shown = datetime.fromisoformat(f"{text}+00:00")
                if (ahead := self._ahead.get(text[:16])) is not None:
                    return shown - ahead
            except ValueError:
                raise Invalid(field, "not a valid date and time; fix it in the source system") from None
            if 1970 <= shown.year <= 2100:
                return self._ahead_of(shown.replace(tzinfo=self._reading.zone), text[:16])
        return values.moment(text, field, self._reading.dialect).astimezone(UTC)

    def _ahead_of(self, local: datetime, minute: str) -> datetime:
        """Return a moment in UTC, and remember how far ahead the clocks are in its minute."""
        ahead, last = (local.replace(second=second).utcoffset() for second in (0, 59))
        if ahead is not None and ahead == last:
            if len(self._ahead) >= _MINUTES:
                self._ahead.clear()
            self._ahead[minute] = ahead
        return local.astimezone(UTC)

    def _by_content(self, head: Sequence[Row]) -> Layout:
        first = head[0].cells if head else ()
        if len(first) > 2 and not any(c.isdigit() for cell in first for c in cell):
            raise LookupError("its first line names columns that are none of theirs")
        for row in head:
            try:
                return self._layouts.of(row.cells)
            except Invalid:
                continue
        raise LookupError("no line has its times where one of them puts it")

    def _layout_of(self, cells: Sequence[str]) -> Layout:
        cells = cells[:-1] if cells and cells[-1].startswith("error: ") else cells
        try:
            return self._layouts.of(cells)
        except Invalid:
            if len(cells) == len(self._layout.fields):
                return self._layout
            raise


def _status(disposition: str, result: str, talked: bool) -> CallStatus:
    if result and (found := _RESULT.get(fold(result))) is not None:
        return found
    if not disposition:
        return CallStatus.completed if talked else CallStatus.missed
    status = _STATUS.get(disposition) or _STATUS.get(disposition.upper())
    if status is None:
        raise Invalid(
            "disposition",
            "unknown value; expected one of: %(known)s",
            known=", ".join(_STATUS),
        )
    return status


def _name_in(clid: str) -> str | None:
    """Return the name in ``"Borealis" <+46...>``."""
    name, mark, _ = clid.rpartition("<")
    return name.strip(' "') or None if mark else None


def _check_lengths(duration: int | None, talk: int | None) -> None:
    if duration is not None and talk is not None and talk > duration:
        raise Invalid(
            "billsec",
            "talk time %(talk)s s is longer than the call, %(duration)s s; correct one of them",
            talk=talk,
            duration=duration,
        )


def _after(started: datetime, moment: datetime, within: int | None, field: str) -> datetime:
    wait = (moment - started).total_seconds()
    longest = None if within is None else within + 1
    # Local clocks go back and forth an hour twice a year, between the start of a call and its end.
    for shift in (0, 3600, -3600):
        if wait + shift >= 0 and (longest is None or wait + shift <= longest):
            return moment + timedelta(seconds=shift) if shift else moment
    if moment < started:
        raise Invalid(field, "earlier than the start of the call; correct one of them")
    raise Invalid(
        field, "later than the end of the call (%(within)s seconds long); correct one of them", within=within
    )


@lru_cache(maxsize=4096)
def _numbers_within(text: str) -> list[str]:
    return _NUMBER_WITHIN.findall(text)


def _candidates(did: str, dst: str, userfield: str, lastdata: str, caller: str) -> tuple[str, ...]:
    within = [found for text in (userfield, lastdata) if text for found in _numbers_within(text)]
    if not (did or within):
        return (dst,) if (dst := dst.strip()) else ()
    within = [found for found in within if found != caller.strip()]
    return tuple(dict.fromkeys(d for d in (did.strip(), dst.strip(), *within) if d))
