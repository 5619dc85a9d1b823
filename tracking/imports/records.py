"""What the records of all telephone systems have in common: named cells, times, and one leg of a call."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime

from tracking.errors import Invalid
from tracking.imports import values
from tracking.imports.call_words import COURSES, MACHINE, MAILBOX, STATUSES
from tracking.imports.outcomes import Skip
from tracking.imports.values import Dialect, fold
from tracking.storage import phone
from tracking.storage.vocabulary import CallStatus
from tracking.telephony.calls import CallEvent, Course

_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[ T](\d{1,2}:.*))?")
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4}|\d{2})(?:,? (\d{1,2}:\d\d(?::\d\d)?))?")
_EXTENSION = re.compile(r"\d{1,5}")
_FRACTION = re.compile(r"(\.\d{6})\d+")
_NO_MOMENT = re.compile(r"0{4}-00-00(?: 00:00:00)?|0|-|--")

OUTGOING = Skip("outgoing call")
INTERNAL = Skip("internal call")
NO_TIME = Skip("row without a time, such as a total")
CONFERENCE = Skip("conference call")
NO_TALK = Skip("message or fax, not a call")
QUALITY = Skip("quality record, not a call")


class Cells(dict[str, str]):
    """The cells of a row by our names for them; one that the file does not have is empty."""

    def __missing__(self, key: str) -> str:
        """Return what a column that is not there holds."""
        return ""

    def first(self, *names: str) -> str:
        """Return the first of these cells that holds something."""
        return next((self[name] for name in names if self[name]), "")


@dataclass(slots=True)
class Reading:
    """What the reading of a file needs to know beside its rows."""

    dialect: Dialect
    region: str
    today: date
    utc: bool = False
    own: set[str] = field(default_factory=set)
    """Our tracking numbers, known once the import has begun."""
    years: set[int] = field(default_factory=set)
    """Assumed for days that name none."""
    above: Sequence[str] = ()
    """The lines above the names, which may say whose calls the rows are."""
    seen: set[str] = field(default_factory=set)
    """What kinds of record there were, where one without the other says little."""

    @property
    def zone(self) -> tzinfo:
        """Return the zone of the times that name none."""
        return UTC if self.utc else self.dialect.zone or UTC

    def ours(self, text: str) -> bool:
        """Tell whether a cell holds a tracking number."""
        return phone.parse(text, self.region).e164 in self.own

    def moment(self, text: str, name: str) -> datetime | None:
        """Read a moment as telephone systems write it; None where there is none."""
        if not text or _NO_MOMENT.fullmatch(text):
            return None
        try:
            found = self._written(text)
        except ValueError:
            found = None
        if found is None and text[:3].isalpha():
            found = _mailed(text)
        if found is None:
            found = values.moment(text, name, Dialect(self.zone, "EUR", self.dialect.day_first))
        if not 1970 <= found.year <= 2100:
            raise Invalid(name, "not a valid date and time; fix it in the source system")
        return (found if found.tzinfo else found.replace(tzinfo=self.zone)).astimezone(UTC)

    def required(self, text: str, name: str) -> datetime:
        """Read a moment without which there is no call."""
        if (found := self.moment(text, name)) is None:
            raise Invalid(name, "enter the start of the call")
        return found

    def epoch(self, text: str, name: str) -> datetime | None:
        """Read seconds since 1970, of which 0 is none."""
        return None if text in ("", "0") else values.epoch(text, name, UTC)

    @staticmethod
    def _written(text: str) -> datetime | None:
        if year_first := _YEAR_FIRST.fullmatch(text):
            year, month, day, clock = year_first.groups()
        elif day_first := _DAY_FIRST.fullmatch(text):
            day, month, year, clock = day_first.groups()
        else:
            return None
        clock = (clock or "0:00").removesuffix("UTC").removesuffix("Z").strip()
        zone = "+00:00" if text.endswith(("UTC", "Z")) else ""
        hour, _, rest = _FRACTION.sub(r"\1", clock).replace(" +", "+").replace(" -", "-").partition(":")
        return datetime.fromisoformat(
            f"{year if len(year) == 4 else '20' + year}-{month:0>2}-{day:0>2}T{hour:0>2}:{rest}{zone}"
        )


def _mailed(text: str) -> datetime | None:
    """Read a moment as e-mail writes it (RFC 2822)."""
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A telephone system: how its records are told from others', and what they say."""

    name: str
    provider: str
    read: Callable[[Cells, Reading], CallEvent | Skip]
    columns: Mapping[str, str] = field(default_factory=dict)
    """Header names, folded, ``|`` between several, by our name for the cell."""
    signs: tuple[str, ...] = ()
    """Names that a header has of which no other system has all; ``|`` between alternatives."""
    split: Callable[[Sequence[str]], Cells | None] | None = None
    """For files without a header: the named cells of a row, or None where it is no row of this system."""
    utc: bool = False
    """Whether times without a zone are in UTC; else they are local to the exchange."""
    joins: bool = False
    """Whether legs of one call share no id, so that the caller and the moment must tell."""

    def fits(self, header: frozenset[str]) -> bool:
        """Tell whether a header, folded, is this system's."""
        return bool(self.signs) and all(set(sign.split("|")) & header for sign in self.signs)

    def places(self, header: Sequence[str]) -> dict[str, int]:
        """Return where each cell stands."""
        folded = [fold(name) for name in header]
        found = {}
        for name, words in self.columns.items():
            at = next((folded.index(word) for word in words.split("|") if word in folded), None)
            if at is not None:
                found[name] = at
        return found


def leg(
    cells: Cells,
    reading: Reading,
    *,
    provider: str,
    call_id: str,
    caller: str,
    dialled: Sequence[str],
    started: datetime,
    status: CallStatus,
    answered: datetime | None = None,
    ended: datetime | None = None,
    duration: int | None = None,
    talk: int | None = None,
    course: Course | None = None,
    name: str = "",
) -> CallEvent:
    """Return a leg of a call, its parts made to agree."""
    if status is not CallStatus.completed:
        talk, answered = 0, None
    if duration is None and ended is not None:
        duration = max(int((ended - started).total_seconds()), 0)
    if talk is None and answered is not None and ended is not None:
        talk = max(int((ended - answered).total_seconds()), 0)
    if duration is not None:
        ended = started + timedelta(seconds=duration)
        if talk is not None and talk > duration + 1:
            raise Invalid(
                "talk",
                "talk time %(talk)s s is longer than the call, %(duration)s s; correct one of them",
                talk=talk,
                duration=duration,
            )
        talk = None if talk is None else min(talk, duration)
    said, _ = phone.split(caller)
    name = (name or said).strip()
    return CallEvent(
        provider=provider,
        provider_call_id=call_id or content_id(cells),
        dialled=tuple(dict.fromkeys(d.strip() for d in dialled if d.strip())),
        caller=caller,
        started_at=started,
        status=status,
        answered_at=answered,
        ended_at=ended,
        duration_s=duration,
        talk_s=talk,
        caller_name=name[:200] if name and phone.parse(name, reading.region).e164 is None else None,
        course=course,
    )


def content_id(cells: Cells) -> str:
    """Return an id for a record that brings none."""
    return values.content_key(*(f"{name}={cells[name]}" for name in sorted(cells)))


def course_between(event: CallEvent, own: Collection[str], desks: Collection[str], region: str) -> Course:
    """Tell which way a call goes: what its record says, else which of its numbers are ours.

    ``own`` are the tracking numbers, ``desks`` where they ring; one to five digits are an extension.
    """
    if event.course is not None:
        return event.course
    numbers = [e164 for d in event.dialled if (e164 := phone.parse(d, region).e164)]
    if any(e164 in own for e164 in numbers):
        return Course.incoming
    caller = (event.caller or "").strip()
    e164 = phone.parse(caller, region).e164
    if not (_EXTENSION.fullmatch(caller) or e164 in own or e164 in desks):
        return Course.incoming
    return Course.outgoing if numbers else Course.internal


def usual(cells: Cells, reading: Reading, provider: str) -> CallEvent | Skip:
    """Read a record whose cells say in words what they mean: id, direction, status, durations."""
    text = cells["started"] or f"{cells['date']} {cells['time']}".strip()
    if not text:
        return NO_TIME
    started = reading.required(text, "started" if cells["started"] else "date")
    course = course_of(cells["direction"])
    ours = tuple(cells[name] for name in ("did", "to", "queue"))
    caller, dialled = cells["from"], ours
    answered, ended = (reading.moment(cells[name], name) for name in ("answered", "ended"))
    duration, talk = (values.seconds(cells[name], name) for name in ("duration", "talk"))
    if duration is None and ended is None and cells["ring"]:
        duration = (talk or 0) + (values.seconds(cells["ring"], "ring") or 0)
    status = status_of(cells["status"], bool(talk or answered))
    if status is CallStatus.completed and MAILBOX.search(cells["to"]):
        status = CallStatus.voicemail
    if status is CallStatus.completed and MACHINE.search(cells["to"]):
        # It picks up by itself; whether a person did is told by that person's leg.
        status = CallStatus.missed
    if talk is None and status is CallStatus.completed and answered is None and duration is not None:
        talk = max(duration - (values.seconds(cells["ring"], "ring") or 0), 0)
    return leg(
        cells,
        reading,
        provider=provider,
        call_id=cells["id"],
        caller=caller,
        dialled=dialled,
        started=started,
        status=status,
        answered=answered,
        ended=ended,
        duration=duration,
        talk=talk,
        course=course,
        name=cells["name"],
    )


def course_of(word: str) -> Course | None:
    """Read a direction; None where the record says nothing of it."""
    if not word:
        return None
    if (course := COURSES.get(fold(word))) is None:
        if STATUSES.get(fold(word)) in (CallStatus.missed, CallStatus.voicemail):
            # Some systems call only those missed that came in.
            return Course.incoming
        raise Invalid("direction", "unknown direction; use inbound, outbound or internal")
    return course


def status_of(word: str, talked: bool) -> CallStatus:
    """Read an outcome; where the system has no word for it, whether anybody talked decides."""
    status = STATUSES.get(fold(word))
    if status is None:
        return CallStatus.completed if talked else CallStatus.missed
    return status
