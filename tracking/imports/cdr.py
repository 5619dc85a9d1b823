"""Records of telephone systems: whose file it is, which way each call went, which number was dialled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking import clock
from tracking.errors import Invalid, Sentence, say
from tracking.imports import words
from tracking.imports.aim import Aim
from tracking.imports.borders import Borders
from tracking.imports.deciding import DAY_FIRST, days_in
from tracking.imports.exchanges import Exchange
from tracking.imports.legs import absorb, join, record_rows
from tracking.imports.outcomes import Outcome, Skip
from tracking.imports.reading import Row, Table
from tracking.imports.records import INTERNAL, OUTGOING, Cells, Reading, System, course_between
from tracking.imports.smdr import HEADLESS, MANGO
from tracking.imports.systems import HEADED
from tracking.imports.values import Dialect, fold
from tracking.storage import phone
from tracking.storage.models import Call
from tracking.storage.rows import among
from tracking.telephony.calls import CallEvent, Course

OTHER_LEG = Skip("second leg of a FreeSWITCH call")
OUT_LEG = Skip("another leg of an outgoing call")
_NAMELESS = "row-"
"""What the id of a record begins with that brings none of its own."""
_LEGS = 50_000
_Kept = TypeVar("_Kept")
_LOOKED_AT = 20_000

_KNOWN = ", ".join(
    (
        "Asterisk cdr_csv and cdr_custom, FreePBX, FreeSWITCH (example and asterisk templates), FusionPBX",
        "MikoPBX, Grandstream UCM, cdr-stats",
        *(system.name for system in (*HEADED, *HEADLESS)),
    )
)
# Kinds of file that list what is to be paid for.
_PRICE = frozenset(
    {"preis", "price", "entgelt", "betrag", "betrag netto", "kosten", "cost", "tarif", "стоимость"}
)
_PARTIES = (
    "a rufnummer",
    "b rufnummer",
    "rufnummer",
    "zielrufnummer",
    "called number",
    "destination",
    "ziel",
)


@dataclass(frozen=True, slots=True)
class _Away:
    """A leg that goes out or stays inside, and what it is unless its call came in by an earlier file."""

    event: CallEvent
    otherwise: Skip


class _Records:
    """The rows of a telephone system that is described by a :class:`System`."""

    def __init__(self, system: System, header: Sequence[str] | None, reading: Reading) -> None:
        self.name, self.header, self.joins = system.name, header, system.joins
        self._system, self._reading = system, replace(reading, utc=system.utc)
        # One set for both: the tracking numbers are learnt when the import begins.
        self._reading.own, self._reading.seen = reading.own, reading.seen
        self._places = system.places(header) if header is not None else {}
        self.second_legs: dict[str, str] = {}

    def read(self, cells: Sequence[str]) -> CallEvent | Skip:
        return self._system.read(self._named(cells), self._reading)

    def place(self, cells: Sequence[str], name: str) -> tuple[str, str]:
        name = {"caller": "from"}.get(name, name)
        if self.header is None:
            try:
                return name, self._named(cells)[name]
            except Invalid:
                return name, ",".join(cells)
        at = self._places.get(name)
        if at is None or at >= len(cells):
            return name, ",".join(cells)
        return self.header[at], cells[at]

    def mended(self, cells: Sequence[str]) -> Sequence[str] | None:
        return cells if self.header is not None and len(cells) == len(self.header) else None

    def _named(self, cells: Sequence[str]) -> Cells:
        if self._system.split is None:
            return Cells({name: cells[at].strip() for name, at in self._places.items() if at < len(cells)})
        found = self._system.split(cells)
        if found is None:
            raise Invalid(
                "row", "not a record of %(system)s; compare it with the rows above", system=self.name
            )
        return found


class CallRecords:
    """The rows of a telephone system's records as reports about calls."""

    kind = "cdr"

    def __init__(
        self,
        table: Table,
        dialect: Dialect,
        region: str,
        *,
        desk: str = "",
        keep_outgoing: bool = False,
        dialled: Mapping[str, str] | None = None,
    ) -> None:
        self._region, self._keep_outgoing = region, keep_outgoing
        self.notes: Sequence[Sentence] = ()
        dialect = self._ordered(table, dialect)
        today = clock.now().astimezone(dialect.zone).date()
        self._reading = Reading(dialect, region, today, above=table.preamble)
        self._aim = Aim(dialled, region, self._reading.own, desk)
        self._records = _recognise(table.head(), self._reading)
        self.header, self.name = self._records.header, self._records.name
        self._out: dict[str, list[CallEvent]] = {}
        """By id, the legs that went out or stayed in the house."""
        self._borders = Borders()
        self._turned_out = 0
        self._came: dict[str, CallEvent] = {}
        """By id, the first leg of a call that came in."""

    def _ordered(self, table: Table, dialect: Dialect) -> Dialect:
        """Decide for the whole file whether the day or the month comes first, where dates are so written."""
        head = table.head()
        if dialect.day_first is not None or not days_in(cell for row in head for cell in row.cells).told:
            return dialect
        rows = (row.cells for row in islice(table.rows(), _LOOKED_AT) if isinstance(row, Row))
        days = days_in(cell for cells in rows for cell in cells)
        order = days.order()
        if order is None and words.language(head[0].cells) in DAY_FIRST:
            order = True
        if order is not None and days.either:
            self.notes = (
                say("the day comes first in dates") if order else say("the month comes first in dates"),
            )
        return replace(dialect, day_first=order)

    def passed_over(self, cells: Sequence[str]) -> Skip | None:
        """Take every row for a record."""
        return None

    def begin(self, session: Session) -> None:
        """Learn which numbers are ours, and which of them an extension or queue stands for."""
        self._aim.begin(session, self.name)
        self._out.update((leg.provider_call_id, [leg]) for leg in self._borders.begin(session, self.name))

    def read(self, cells: Sequence[str]) -> "CallEvent | _Away | Skip":
        """Read one record."""
        event = self._records.read(cells)
        if isinstance(event, Skip):
            return event
        event = self._aim.aimed(event)
        course = course_between(event, self._aim.own, self._aim.desks, self._region)
        self._borders.saw(event.started_at)
        if course is not Course.incoming and not self._keep_outgoing:
            if (first := self._came.get(event.provider_call_id)) and first.started_at <= event.started_at:
                return _passed_on(event, first.caller)
            _keep(self._out, event.provider_call_id, [*self._out.get(event.provider_call_id, ()), event])
            away = OUTGOING if course is Course.outgoing else INTERNAL
            if event.provider_call_id.startswith(_NAMELESS):
                return away
            # The call that it is a leg of may have come in with another file, earlier or later.
            self._borders.note(event)
            return _Away(event, away)
        phone.check(event.caller or "", self._region, "caller")
        for dialled in event.dialled:
            if "E+" in dialled.upper():
                phone.check(dialled, self._region, "dialled")
        self._aim.count(event)
        return event

    def also_wrong(self, cells: Sequence[str], first: Invalid) -> Sequence[Invalid]:
        """Return nothing: a telephone system's record is read as a whole."""
        return ()

    def place(self, cells: Sequence[str], name: str) -> tuple[str, str]:
        """Return the column and value that an error speaks of."""
        return self._records.place(cells, name)

    def mended(self, cells: Sequence[str]) -> Sequence[str] | None:
        """Return a row of the wrong width put right, if the system's own faults explain it."""
        return self._records.mended(cells)

    def save(
        self, session: Session, records: "Sequence[CallEvent | _Away]", at: datetime
    ) -> Sequence[Outcome]:
        """Record the calls; rows of one call become one."""
        self._aim.remember(session)
        self._borders.remember(session)
        second = self._records.second_legs
        events = [record for record in records if isinstance(record, CallEvent)]
        legs = [record.event for record in records if isinstance(record, _Away)]
        out = {id(event) for event in events if self._of_one_that_went_out(event)}
        kept = [e for e in events if e.provider_call_id not in second and id(e) not in out]
        if second:
            absorb(session, kept, second)
        if self._records.joins:
            kept = join(session, kept, self._region, self._reading.own)
        first: dict[str, CallEvent] = {}
        for event in kept:
            first.setdefault(event.provider_call_id, event)
            if event.started_at < first[event.provider_call_id].started_at:
                first[event.provider_call_id] = event
        for key, event in first.items():
            _keep(self._came, key, event)
        # A call that came in and was passed on to a telephone outside was answered there.
        passed_on = [
            _passed_on(leg, first[key].caller)
            for key in first.keys() & self._out.keys()
            for leg in self._out[key]
            if leg.started_at >= first[key].started_at
        ]
        earlier = self._of_known_calls(session, [e for e in legs if e.provider_call_id not in self._came])
        recorded = record_rows(session, [*kept, *passed_on, *map(_passed_on, earlier)], self._region)
        done, joined = iter(recorded), iter(recorded[len(kept) + len(passed_on) :])
        of_known = set(map(id, earlier))
        outcomes: list[Outcome] = []
        for record in records:
            if isinstance(record, _Away):
                outcomes.append(next(joined)[0] if id(record.event) in of_known else record.otherwise)
            elif id(record) in out:
                outcomes.append(OUT_LEG)
            else:
                outcomes.append(OTHER_LEG if record.provider_call_id in second else next(done)[0])
        return outcomes

    def _of_known_calls(self, session: Session, legs: Sequence[CallEvent]) -> list[CallEvent]:
        """Return the legs of calls that came in by an earlier file and were passed on to outside."""
        if not legs:
            return []
        query = select(Call.provider_call_id, Call.started_at).where(
            Call.provider == legs[0].provider,
            among(session, Call.provider_call_id, {leg.provider_call_id for leg in legs}),
        )
        began = dict(iter(session.execute(query)))
        self._turned_out += sum(
            began.get(leg.provider_call_id, leg.started_at) > leg.started_at for leg in legs
        )
        never = datetime.max.replace(tzinfo=UTC)
        return [leg for leg in legs if began.get(leg.provider_call_id, never) <= leg.started_at]

    def _of_one_that_went_out(self, event: CallEvent) -> bool:
        """Tell whether a leg belongs to a call whose first leg goes out; later ones of any call may."""
        legs = self._out.get(event.provider_call_id)
        if not legs:
            return False
        began = min(leg.started_at for leg in legs)
        if began > event.started_at:
            return False
        # Of legs that begin at once, one that says that it came in, or rang a number of ours, is the first.
        return began < event.started_at or not (event.course or any(map(self._reading.ours, event.dialled)))

    def added(self) -> Sequence[str]:
        """Return nothing: these records name no campaigns."""
        return ()

    def remarks(self) -> Sequence[Sentence]:
        """Return what should be known of the file as a whole."""
        assumed = [
            say(
                "the dates have no year; the most recent such date is assumed, in %(years)s",
                years=", ".join(map(str, sorted(self._reading.years))),
            )
        ] * bool(self._reading.years)
        if self._reading.seen == {"call"}:
            assumed.append(
                say(
                    "no row shows a call put through to a person, so all calls count as missed; export "
                    "outgoing calls with them"
                )
            )
        if self._turned_out:
            assumed.append(
                say(
                    "calls of earlier files that turn out to be legs of outgoing calls: %(count)s; undo "
                    "those imports and import the files again, the oldest first",
                    count=self._turned_out,
                )
            )
        return [*assumed, *self._aim.remarks()]


def _keep(kept: dict[str, _Kept], key: str, value: _Kept) -> None:
    """Remember something of a call that has an id; of very many calls the last ones."""
    if not key.startswith(_NAMELESS):
        kept[key] = value
        if len(kept) > _LEGS:
            del kept[next(iter(kept))]


def _passed_on(leg: CallEvent, caller: str | None = None) -> CallEvent:
    return replace(leg, course=None, dialled=(), caller=caller, caller_name=None)


def _recognise(head: Sequence[Row], reading: Reading) -> "_Records | Exchange":
    if not head:
        raise Invalid("file", "not phone system records: the file is empty")
    header = head[0].cells
    folded = frozenset(map(fold, header))
    for system in (*HEADED, MANGO):
        if system.fits(folded):
            return _Records(system, header, reading)
    for system in HEADLESS:
        if system.split is not None and any(system.split(row.cells) for row in head):
            return _Records(system, None, reading)
    try:
        return Exchange(head, reading)
    except LookupError:
        refuse_bill(header)
        raise Invalid(
            "file",
            "not a known phone system format: the first line begins with %(first)r; known formats: %(known)s",
            first=", ".join(header[:4]),
            known=_KNOWN,
        ) from None


def refuse_bill(header: Sequence[str]) -> None:
    """Refuse an itemised bill: the calls that cost nothing, all that come in among them, are not on it."""
    folded = {fold(name) for name in header}
    says_more = folded & {
        "direction",
        "richtung",
        "status",
        "call type",
        "typ",
        "ergebnis",
        "tracking number",
    }
    if folded & _PRICE and any(name in folded for name in _PARTIES) and not says_more:
        raise Invalid(
            "file",
            "looks like an itemised bill, which has no free or incoming calls; export the call "
            "list of the phone system instead",
        )
