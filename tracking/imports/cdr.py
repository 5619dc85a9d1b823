"""Call detail records of telephone exchanges: Asterisk, FreePBX, FreeSWITCH and cdr-stats.

The format is told from the content: a header by its names, a file without one by where the times stand.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking.errors import Invalid, Sentence
from tracking.imports import values
from tracking.imports.layouts import STAMP, Layout, Layouts, by_header
from tracking.imports.legs import record_rows
from tracking.imports.outcomes import Outcome, Skip
from tracking.imports.reading import Row, Table
from tracking.imports.values import Dialect
from tracking.storage import phone
from tracking.storage.models import TrackingNumber
from tracking.storage.vocabulary import CallStatus
from tracking.telephony.calls import CallEvent

OUTGOING = Skip("outgoing call")
INTERNAL = Skip("internal call")
OTHER_LEG = Skip("second leg of a FreeSWITCH call")

_CLID = re.compile(r'\s*"?(.*?)"?\s*<')
_EXTENSION = re.compile(r"\d{1,5}")
_NUMBER_WITHIN = re.compile(r"(?<![\w.])\+?\d{7,15}(?![\w.])")
# Contexts that these exchanges give to calls from outside, as shipped: FreeSWITCH's public, FreePBX's
# from-trunk and its kin, and what installers commonly write.
_OUTSIDE = re.compile(r"public|(?:from-)?(?:trunk|pstn|did|pickup)|ext-did|from-outside|in(?:coming|bound)")

_STATUS = {
    "ANSWERED": CallStatus.completed,
    "NO ANSWER": CallStatus.missed,
    "BUSY": CallStatus.missed,
    "FAILED": CallStatus.missed,
    "CONGESTION": CallStatus.missed,
    "CANCEL": CallStatus.missed,
}


class CallRecords:
    """The rows of a CDR file as reports about calls."""

    kind = "cdr"
    notes: Sequence[Sentence] = ()

    def __init__(
        self,
        table: Table,
        dialect: Dialect,
        region: str,
        *,
        desk: str = "",
        keep_outgoing: bool = False,
    ) -> None:
        self._dialect, self._region, self._keep_outgoing = dialect, region, keep_outgoing
        self._zone = dialect.zone or UTC
        self._own = {desk} - {""}
        self._layouts = Layouts()
        self._second_legs: dict[str, None] = {}
        head = table.head()
        self.header: Sequence[str] | None = None
        if head and (named := by_header(head[0].cells)) is not None:
            self.header, self._layout = head[0].cells, named
        else:
            self._layout = self._by_content(head)
        self.name = self._layout.name

    def passed_over(self, cells: Sequence[str]) -> Skip | None:
        """Take every row for a record."""
        return None

    def begin(self, session: Session) -> None:
        """Learn which numbers are ours."""
        for number, destination in session.execute(select(TrackingNumber.number, TrackingNumber.destination)):
            self._own |= {number, destination or number}

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
        ) = layout.pick([*cells, ""])
        started = values.epoch(epoch.strip(), "epoch", UTC) if epoch else self._moment(start, "start")
        duration = values.seconds(duration_text, "duration")
        talk = values.seconds(billsec_text, "billsec")
        _check_lengths(duration, talk)
        answered = _after(started, self._moment(answer, "answer"), duration, "answer") if answer else None
        ended = _after(started, self._moment(end, "end"), None, "end") if end else None
        if duration is not None:
            # Counted by the exchange, and right also in the night when the clock is put back.
            ended = started + timedelta(seconds=duration)
        if disposition:
            status = _STATUS.get(disposition.upper())
            if status is None:
                raise Invalid(
                    "disposition",
                    "is not known; an exchange writes one of %(known)s",
                    known=", ".join(_STATUS),
                )
        else:
            status = CallStatus.completed if answered or talk else CallStatus.missed
        if status is CallStatus.completed and (
            lastapp.casefold() == "voicemail" or dst.startswith(("vmu", "vmb", "vms", "vmi"))
        ):
            status, talk = CallStatus.voicemail, 0
        dialled = _candidates(did, dst, userfield, lastdata)
        if not (self._keep_outgoing or did) and (skip := self._not_incoming(caller, dialled, context)):
            return skip
        name = caller_name.strip() or ((found := _CLID.match(clid)) and found[1].strip()) or None
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
        )
        if len(event.provider_call_id) > 200:
            raise Invalid("uniqueid", "has more than 200 characters; mend it at its source")
        if other_leg:
            self._second_legs[other_leg] = None
            if len(self._second_legs) > 20_000:
                del self._second_legs[next(iter(self._second_legs))]
        return event

    def place(self, cells: Sequence[str], name: str) -> tuple[str, str]:
        """Return the column and value that an error speaks of."""
        layout = self._layout
        if self.header is None:
            try:
                layout = self._layout_of(cells)
            except Invalid:
                return name, ",".join(cells)
        if name not in layout.fields:
            return name, ",".join(cells)
        at = layout.fields.index(name)
        return (self.header[at] if self.header else name), cells[at] if at < len(cells) else ""

    def save(self, session: Session, records: Sequence[CallEvent], at: datetime) -> Sequence[Outcome]:
        """Record the calls; rows of one call become one."""
        kept = [event for event in records if event.provider_call_id not in self._second_legs]
        done = iter(record_rows(session, kept, self._region))
        return [OTHER_LEG if e.provider_call_id in self._second_legs else next(done)[0] for e in records]

    def added(self) -> Sequence[str]:
        """Return nothing: a CDR names no campaigns."""
        return ()

    def _moment(self, text: str, field: str) -> datetime:
        # By far most of a large file's time would go into the reader of all notations.
        if STAMP.fullmatch(text):
            try:
                found = datetime.fromisoformat(text)
            except ValueError:
                raise Invalid(field, "is no moment of the calendar; mend it at its source") from None
            if 1970 <= found.year <= 2100:
                return found.replace(tzinfo=self._zone).astimezone(UTC)
        return values.moment(text, field, self._dialect).astimezone(UTC)

    def _not_incoming(self, caller: str, dialled: tuple[str, ...], context: str) -> Skip | None:
        if _OUTSIDE.match(context.casefold()):
            return None
        numbers = [e164 for d in dialled if (e164 := phone.parse(d, self._region).e164)]
        if any(e164 in self._own for e164 in numbers):
            return None
        caller = caller.strip()
        if not (_EXTENSION.fullmatch(caller) or phone.parse(caller, self._region).e164 in self._own):
            return None
        return OUTGOING if numbers else INTERNAL

    def _by_content(self, head: Sequence[Row]) -> Layout:
        for row in head:
            try:
                return self._layouts.of(row.cells)
            except Invalid:
                continue
        first = f"its first line begins with {', '.join(head[0].cells[:4])!r}" if head else "it is empty"
        raise Invalid(
            "file",
            "not a CDR file that is known here: %(first)s; known are Asterisk cdr_csv and "
            "cdr_custom, FreePBX with a header, FreeSWITCH (example and asterisk templates) and "
            "cdr-stats",
            first=first,
        )

    def _layout_of(self, cells: Sequence[str]) -> Layout:
        cells = cells[:-1] if cells and cells[-1].startswith("error: ") else cells
        try:
            return self._layouts.of(cells)
        except Invalid:
            if len(cells) == len(self._layout.fields):
                return self._layout
            raise


def _check_lengths(duration: int | None, talk: int | None) -> None:
    if duration is not None and talk is not None and talk > duration:
        raise Invalid(
            "billsec",
            "%(talk)s seconds of talk in a call of %(duration)s seconds; mend the wrong one of the two",
            talk=talk,
            duration=duration,
        )


def _after(started: datetime, moment: datetime, within: int | None, field: str) -> datetime:
    # Local clocks go back and forth an hour twice a year, between the start of a call and its end.
    for shift in (timedelta(0), timedelta(hours=1), timedelta(hours=-1)):
        wait = moment + shift - started
        if wait >= timedelta(0) and (within is None or wait <= timedelta(seconds=within + 1)):
            return moment + shift
    if moment < started:
        raise Invalid(field, "lies before the start of the call; mend the wrong one of the two")
    raise Invalid(
        field, "lies after the end of the call, %(within)s seconds long; mend the wrong one", within=within
    )


def _candidates(did: str, dst: str, userfield: str, lastdata: str) -> tuple[str, ...]:
    within = [found for text in (userfield, lastdata) if text for found in _NUMBER_WITHIN.findall(text)]
    return tuple(dict.fromkeys(d for d in (did.strip(), dst.strip(), *within) if d))
