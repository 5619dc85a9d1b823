"""Call logs with a header: CallRail's export, and our own layout for calls, judgements and answers."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking.errors import Invalid, Sentence
from tracking.imports import heard, values
from tracking.imports import words as tables
from tracking.imports.aim import Aim
from tracking.imports.call_words import ANSWERED, COURSES, STATUSES, answered
from tracking.imports.headed import NO_CHANNEL, TRACE, Headed, Unmatched
from tracking.imports.legs import join, record_rows
from tracking.imports.mapping import Columns, Told
from tracking.imports.outcomes import Outcome, Skip
from tracking.imports.reading import Table
from tracking.imports.records import INTERNAL, NO_TALK, OUTGOING, course_between, course_of
from tracking.imports.values import Dialect, fold
from tracking.records import answers, contacts, touches
from tracking.records.contacts import Clues
from tracking.records.import_outcome import ImportOutcome
from tracking.records.sources import Sources, Trace
from tracking.records.touches import TouchRecord
from tracking.storage import money, phone
from tracking.storage.models import Answer, Call
from tracking.storage.vocabulary import CallStatus, LeadStatus, TouchKind
from tracking.storage.vocabulary import Outcome as Asked
from tracking.telephony.calls import PRACTICE, CallEvent, Course

_STATUS = STATUSES | values.words(CallStatus)
_ENDS = {str(end): end for end in (CallStatus.completed, CallStatus.missed, CallStatus.voicemail)}
_NOBODY = (CallStatus.missed, CallStatus.voicemail)
_LEAD = values.words(LeadStatus) | {
    "qualified lead": LeadStatus.good_lead,
    "qualified": LeadStatus.good_lead,
    "good": LeadStatus.good_lead,
    "not qualified": LeadStatus.not_a_lead,
    "unqualified": LeadStatus.not_a_lead,
    "not a qualified lead": LeadStatus.not_a_lead,
}
_UNJUDGED = frozenset({"", "not scored", "unscored", "none", "previously marked good lead"})
_YES = frozenset(tables.listed("yes"))
_ASKED = (
    dict.fromkeys(_YES, Asked.answered)
    | dict.fromkeys(tables.listed("no"), Asked.not_asked)
    | values.words(Asked, "asked")
)


# Columns of systems that watch web visits: beside these, nobody has noted the source.
_TRACKED = frozenset({"medium", "keyword", "keywords", "landing page", "referrer", "gclid", "msclkid"})
# What such a system calls the source is its own word for it: kept with the call, and no campaign of ours.
_NOTED = frozenset({"source", "medium", "keyword", "keywords", "campaign"})
# Under these names a column may say which way a call went, and anything else.
_OF_ANYTHING = frozenset(
    {"type", "art", "typ", "тип", "类型", "call type", "anruftyp", "anrufart", "samtalstyp"}
)
# What telephone systems list among calls that is none.
_NO_CALL = frozenset(
    map(
        fold,
        (
            "sms",
            "mms",
            "fax",
            "text",
            "text message",
            "telefax",
            "textmeddelande",
            "факс",
            "смс",
            "短信",
            "传真",
        ),
    )
)
# What a file without times may add to calls that are known.
_ADDED = ("heard_from", "asked", "status", "lead_status", "value", "note", "tags", "caller_name", "talk_s")


@dataclass(frozen=True, slots=True)
class _Logged:
    event: CallEvent
    whole: bool
    """Whether the row tells of the call itself, or only adds to one that is known."""
    asked: Asked | None
    words: str | None
    asked_by: str | None
    campaign: str | None
    channel: str | None
    email: str | None
    came: Trace | None
    """What the visit that led to the call brought along."""


class CallLog(Headed):
    """The rows of a call log."""

    kind = "calls"
    name = "call log"
    aliases = {  # noqa: RUF012 - a constant table
        "call_id": ("id", "call uuid"),
        "provider": ("telephone system",),
        "started_at": ("start time", "start", "date time", "call time", "called at"),
        "caller": ("phone number", "caller number", "customer phone number", "caller id", "from"),
        "dialled": ("tracking number", "tracking phone number", "dialed", "called number", "to"),
        "status": ("call status", "answered", "call answered", "picked up"),
        "direction": ("call direction", "riktning", "richtung", "направление", "方向", "call type", "type"),
        "kind": ("type", "call type", "art", "typ", "тип", "类型"),
        "duration_s": ("duration seconds", "duration"),
        "talk_s": ("talk time", "talk seconds", "billsec"),
        "caller_name": ("name", "customer name"),
        "email": ("e mail", "customer email"),
        "lead_status": ("qualified", "lead"),
        "value": ("sale value",),
        "currency": (),
        "note": ("notes",),
        "tags": ("tag",),
        "heard_from": (
            "where did you hear about us",
            "how did you hear about us",
            "self reported source",
            "self reported attribution",
        ),
        "source": (),
        "asked": ("outcome",),
        "asked_by": ("agent name", "agent"),
        "heard_campaign": (),
        "heard_channel": (),
        **dict.fromkeys(TRACE, ()),
    }

    def __init__(
        self,
        table: Table,
        dialect: Dialect,
        region: str,
        told: Told | None = None,
        *,
        desk: str = "",
        keep_outgoing: bool = False,
        dialled: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(table, dialect, told, region)
        self._region, self._keep_outgoing = region, keep_outgoing
        self._own: set[str] = set()
        self._noted: list[int] = []
        self.unmatched = Unmatched()
        self._statuses = (
            _STATUS
            | {fold(word): values.choice(status, "status", _ENDS) for word, status in told.stages.items()}
            if told
            else _STATUS
        )
        self._aim = Aim(dialled, region, self._own, desk)
        folded = {values.fold(name) for name in self.columns.header}
        self._provider = "callrail" if {"tracking number", "call status"} <= folded else "calls"
        if self._provider == "callrail":
            self.name = "CallRail call log"
        if self._provider == "callrail" or any(name in _TRACKED or name[:4] == "utm " for name in folded):
            # What a system saw, which the number that was dialled says too.
            self.columns.leave("source")
            self._noted = self.columns.keep(_NOTED)
        if "call_id" not in self.columns or not any(name in self.columns for name in _ADDED):
            self.columns.require("started_at")
        if "started_at" in self.columns:
            self.columns.require("dialled")

    @classmethod
    def columns_of(cls, table: Table, told: Told, region: str) -> Columns:
        """Find the columns of a file; a source may be the number that called, and a number have any name."""
        columns = super().columns_of(table, told, region)
        rows = [row.cells for row in table.head()[1:]]
        if told.whole:
            return columns
        if fold(columns.column("direction")) in _OF_ANYTHING and not columns.looks(
            "direction", "direction", rows, region
        ):
            if "kind" in columns:
                columns.leave("direction")
            else:
                columns.move("direction", "kind")
        named = fold(columns.column("status")) in ANSWERED
        if named and not columns.looks("status", "status", rows, region, least=0.5):
            columns.leave("status")  # when it was answered, or by whom
        if "caller" not in columns and columns.looks("source", "caller", rows, region):
            columns.move("source", "caller")
        if "call_id" not in columns or {"caller", "dialled", "started_at"} & set(columns.fields()):
            columns.guess(["caller", "dialled", "started_at"], rows, region)
        return columns

    def begin(self, session: Session) -> None:
        """Learn which numbers are ours, and which of them an extension or queue stands for."""
        self._aim.begin(session, self.name)

    def read(self, cells: Sequence[str]) -> _Logged | Skip:
        """Read one call."""

        def cell(name: str) -> str:
            return self.columns.cell(cells, name)

        if fold(cell("kind")) in _NO_CALL or fold(cell("direction")) in _NO_CALL:
            return NO_TALK
        asked, words = self._answer(cell("asked"), cell("heard_from"))
        noted = values.text(cell("source"), "source", answers.LONGEST_VERBATIM)
        if asked is None and noted and not heard.nothing(noted):
            asked, words = Asked.answered, noted
        campaign, channel = (values.text(cell(name), name) for name in ("heard_campaign", "heard_channel"))
        if asked is not Asked.answered and (campaign or channel):
            raise Invalid("heard_campaign", "no answer for this source; fill in heard_from")
        event, whole = self._event(cells)
        event, came = self._visit(cells, self._aim.aimed(event))
        course = course_between(event, self._own, self._aim.desks, self._region) if whole else Course.incoming
        if course is not Course.incoming and not self._keep_outgoing:
            return OUTGOING if course is Course.outgoing else INTERNAL
        if course is Course.outgoing and any(
            phone.parse(d, self._region).e164 in self._own for d in event.dialled
        ):
            # Call tracking lists the number it showed as the tracking number, and the customer as ever.
            event = replace(event, caller=event.dialled[0], dialled=(event.caller or "",))
        phone.check(event.caller or "", self._region, "caller")
        for dialled in event.dialled:
            phone.check(dialled, self._region, "dialled")
        if whole:
            self._aim.count(event)
        return _Logged(
            event,
            whole,
            asked,
            words,
            values.text(cell("asked_by"), "asked_by"),
            campaign,
            channel,
            values.text(cell("email"), "email"),
            came if whole else None,
        )

    def looks(self, cells: Sequence[str]) -> Iterable[Callable[[], object]]:
        """Return what reads single cells of a row."""

        def cell(name: str) -> str:
            return self.columns.cell(cells, name)

        yield from super().looks(cells)
        for name in ("duration_s", "talk_s"):
            if name in self.columns:
                minutes = values.in_minutes(self.columns.column(name))
                yield partial(values.seconds, cell(name), name, minutes=minutes)
        yield partial(self._direction, cell("direction"))
        said = cell("status")
        if said and not (fold(said) in self._statuses or status_known(said, self.columns.column("status"))):
            yield partial(values.choice, said, "status", self._statuses, f'--status "{said}=completed"')
        if (judged := fold(cell("lead_status"))) not in _UNJUDGED:
            yield partial(values.choice, judged, "lead_status", _LEAD)
        for name in ("caller", "dialled"):
            yield partial(phone.check, cell(name), self._region, name)

    def _visit(self, cells: Sequence[str], event: CallEvent) -> tuple[CallEvent, Trace | None]:
        """Return what the visit before the call brought along, and the call with what is only noted."""
        came, at = None, list(self._noted)
        with suppress(Invalid):
            came = self.trace(cells)
        tells = came is not None and (came.tagged or came.click_ids or came.referrer)
        if not tells or not phone.parse(event.caller, self._region).e164:
            # Whose visit it was, or from where, cannot be told: the call keeps the words.
            at += [place for name in TRACE if (place := self.columns.index(name)) is not None]
            came = None
        told = [
            f"{self.columns.header[place]}: {cells[place].strip()}" for place in at if cells[place].strip()
        ]
        return replace(event, note="\n".join(filter(None, (event.note, "; ".join(told))))), came

    def save(self, session: Session, records: Sequence[_Logged], at: datetime) -> Sequence[Outcome]:
        """Record the calls, then what was answered on them."""
        self._aim.remember(session)
        known = self._known(session, [r.event for r in records if not r.whole])
        taken = [
            replace(r, event=replace(r.event, started_at=known[_key(r.event)].started_at))
            if not r.whole and _key(r.event) in known
            else r
            for r in records
            if r.whole or _key(r.event) in known
        ]
        if "call_id" not in self.columns:
            events = join(session, [record.event for record in taken], self._region, self._own)
            taken = [replace(r, event=event) for r, event in zip(taken, events, strict=True)]
        recorded = record_rows(session, [record.event for record in taken], self._region)
        wanted = {r.campaign: r.channel or NO_CHANNEL for r in taken if r.campaign}
        found = self.campaigns.find(session, wanted, at)
        keys = {_answer_key(r) for r in taken if r.asked}
        logged = set(session.scalars(select(Answer.source_key).where(Answer.source_key.in_(keys))))
        sources: Sources | None = None
        outcomes: list[Outcome] = []
        for record, (outcome, filed) in zip(taken, recorded, strict=True):
            if record.asked and (key := _answer_key(record)) not in logged:
                logged.add(key)
                meant = None
                if record.words and not (record.campaign or record.channel):
                    meant = heard.meaning(session, record.words)
                campaign, channel = found.get(record.campaign or ""), record.channel
                answers.log(
                    session,
                    record.asked,
                    asked_at=filed.started_at,
                    asked_by=record.asked_by,
                    call=session.get_one(Call, filed.call_id),
                    campaign=meant.campaign if meant else campaign,
                    channel=meant.channel if meant else None if campaign else channel,
                    verbatim=record.words,
                    source_key=key,
                )
                outcome = outcome if outcome is ImportOutcome.created else ImportOutcome.updated
            if record.email and outcome is ImportOutcome.created:
                self._introduce(session, record, at)
            if record.came is not None and outcome is ImportOutcome.created:
                sources = sources or Sources(session)
                self._visited(session, record, filed.started_at, sources, at)
            outcomes.append(outcome)
        done = iter(outcomes)
        unknown = Invalid("call_id", "no call with this ID and no started_at; import the calls first")
        return [next(done) if r.whole or _key(r.event) in known else unknown for r in records]

    def remarks(self) -> Sequence[Sentence]:
        """Say what no field is read from, and where no row names a number of ours."""
        return [*super().remarks(), *self._aim.remarks(), *self.unmatched.remarks()]

    def _visited(
        self, session: Session, record: _Logged, started_at: datetime, sources: Sources, at: datetime
    ) -> None:
        """Keep the visit that led to the call as a touch of the caller."""
        assert record.came is not None
        touch, _ = touches.save(
            session,
            TouchRecord(
                source_key=values.content_key("call's visit", *_key(record.event)),
                clues=Clues(phone=phone.parse(record.event.caller, self._region).e164),
                # When it was no column says; it was before the call.
                occurred_at=started_at - timedelta(seconds=1),
                kind=TouchKind.visit,
                trace=record.came,
            ),
            at=at,
            campaign=None,
            sources=sources,
        )
        if touch.campaign_id is None:
            self.unmatched.note(record.came, sources)

    def _introduce(self, session: Session, record: _Logged, at: datetime) -> None:
        # The address joins the caller to deals that name no number. A withheld caller stays nobody.
        if number := phone.parse(record.event.caller, self._region).e164:
            clues = Clues(phone=number, email=record.email, person=record.event.caller_name)
            contacts.account_for(session, clues, at=at)

    def _event(self, cells: Sequence[str]) -> tuple[CallEvent, bool]:
        def cell(name: str) -> str:
            return self.columns.cell(cells, name)

        provider = values.text(cell("provider"), "provider") or self._provider
        if provider == PRACTICE:
            raise Invalid("provider", "reserved for practice calls; leave it empty or enter another name")
        call_id = values.text(cell("call_id"), "call_id")
        whole = bool(cell("started_at"))
        if not whole and not call_id:
            raise Invalid("started_at", "enter the start of the call, or the ID of an imported call")
        duration, talk = (
            values.seconds(cell(name), name, minutes=values.in_minutes(self.columns.column(name)))
            for name in ("duration_s", "talk_s")
        )
        if duration is not None and talk is not None and talk > duration:
            raise Invalid(
                "talk_s",
                "talk time %(talk)s s is longer than the call, %(duration)s s; correct one of them",
                talk=talk,
                duration=duration,
            )
        said, course = cell("status"), self._direction(cell("direction"))
        if course is None and fold(said) not in self._statuses and (course := COURSES.get(fold(said))):
            said = ""  # what stands there is the direction
        if course in (Course.outgoing, Course.internal) and fold(said) not in self._statuses:
            said = ""  # whatever it means, the call did not come in
        remedy = f'--status "{said}=completed"'
        status = None
        if said and fold(said) not in self._statuses:
            status = answered(self.columns.column("status"), said)
        if said and status is None:
            status = values.choice(said, "status", self._statuses, remedy)
        if status is None and (implied := STATUSES.get(fold(cell("direction")))) in _NOBODY:
            status = implied
        if status is CallStatus.answered:
            status = CallStatus.completed
        if whole and status is None:
            if talk is None and course in (Course.outgoing, Course.internal):
                talk = duration
            elif talk is None and duration is not None and "talk_s" not in self.columns:
                raise Invalid(
                    "status",
                    "nothing says whether the call was answered; if %(column)s is the talk time, use "
                    '--map talk_s="%(column)s"',
                    column=self.columns.column("duration_s"),
                )
            elif talk is None:
                raise Invalid(
                    "status", "empty, and talk_s is empty too; enter completed, missed or voicemail"
                )
            status = CallStatus.completed if talk else CallStatus.missed
        judged = values.fold(cell("lead_status"))
        currency = money.currency(cell("currency") or self.dialect.currency)
        value = values.amount(cell("value"), "value", currency, self.dialect)
        if value is not None and value < 0:
            raise Invalid("value", "must be 0 or more")
        started = (
            values.moment(cell("started_at"), "started_at", self.dialect).astimezone(UTC)
            if whole
            else datetime(1970, 1, 1, tzinfo=UTC)  # replaced by the known call's own
        )
        if call_id is None:
            told = [cell(name) for name in ("caller", "dialled", "duration_s")]
            call_id = values.content_key(started.isoformat(), *told)
        return CallEvent(
            provider=provider,
            provider_call_id=call_id,
            dialled=(cell("dialled"),) if cell("dialled") else (),
            caller=cell("caller"),
            started_at=started,
            status=status,
            ended_at=started + timedelta(seconds=duration) if whole and duration is not None else None,
            duration_s=duration,
            talk_s=talk,
            caller_name=values.text(cell("caller_name"), "caller_name"),
            lead_status=None if judged in _UNJUDGED else values.choice(judged, "lead_status", _LEAD),
            value_minor=value,
            currency=currency if value is not None else None,
            note=cell("note"),
            tags=tuple(part.strip() for part in re.split(r"[,|]", cell("tags")) if part.strip()),
            course=course,
        ), whole

    def _direction(self, word: str) -> Course | None:
        # A column called "type" may be about something else.
        kind = fold(self.columns.column("direction")) in ("type", "call type")
        return COURSES.get(fold(word)) if kind else course_of(word)

    def _answer(self, asked: str, words: str) -> tuple[Asked | None, str | None]:
        if len(words) > answers.LONGEST_VERBATIM:
            raise Invalid("heard_from", "must be %(most)s characters or fewer", most=answers.LONGEST_VERBATIM)
        outcome = values.choice(asked, "asked", _ASKED) if asked else Asked.answered if words else None
        if words and outcome is not Asked.answered:
            raise Invalid(
                "asked",
                "%(outcome)s, but heard_from has an answer; correct one of them",
                outcome=outcome,
            )
        if outcome is Asked.answered and not words and fold(asked) in _YES:
            return Asked.unknown, None  # somebody asked; what was said is nowhere
        if outcome is Asked.answered and not words:
            raise Invalid("heard_from", 'empty although asked is "answered"; enter the caller\'s answer')
        return outcome, words or None

    @staticmethod
    def _known(session: Session, events: Sequence[CallEvent]) -> dict[tuple[str, str], Call]:
        ids = {event.provider_call_id for event in events}
        rows = session.scalars(select(Call).where(Call.provider_call_id.in_(ids)))
        return {(row.provider, row.provider_call_id): row for row in rows}


def status_known(word: str, column: str = "") -> bool:
    """Tell whether a word in the column of outcomes is known: as one, or as a direction."""
    return fold(word) in _STATUS or fold(word) in COURSES or answered(column, word) is not None


def _key(event: CallEvent) -> tuple[str, str]:
    return event.provider, event.provider_call_id


def _answer_key(record: _Logged) -> str:
    # The words belong to the key: another answer in a later file is a correction, the same one is not.
    told = [*_key(record.event), record.asked, record.words, record.campaign, record.channel]
    return "answer-" + values.content_key(*told)
