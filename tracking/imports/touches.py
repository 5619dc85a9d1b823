"""Ready touches from another system, in the columns of the journey tables."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from tracking.errors import Invalid, Sentence
from tracking.imports import values
from tracking.imports.headed import TRACE, Headed, Occurrences, Unmatched, Worded
from tracking.imports.mapping import Told
from tracking.imports.outcomes import Outcome
from tracking.imports.reading import Table
from tracking.imports.run import each
from tracking.imports.values import Dialect
from tracking.records import answers, campaigns, contacts, touches
from tracking.records.contacts import Clues
from tracking.records.import_outcome import ImportOutcome
from tracking.records.sources import Sources
from tracking.records.touches import TouchRecord
from tracking.storage.models import Touch
from tracking.storage.vocabulary import Outcome as Asked
from tracking.storage.vocabulary import TouchKind

_KINDS = values.words(TouchKind, "kinds")


@dataclass(frozen=True, slots=True)
class _Met:
    record: TouchRecord
    campaign: str | None
    channel: str | None
    material: str | None
    more_numbers: Sequence[str]
    heard_from: str | None
    """What was answered in a form that asks."""


class Touches(Headed):
    """The rows of a table of touches."""

    kind = "touches"
    name = "touches"
    aliases = dict.fromkeys(
        (
            "touch_id",
            "account_id",
            "contact_id",
            "occurred_at",
            "campaign",
            "channel",
            "material",
            "kind",
            "company",
            "person",
            "phone",
            "email",
            "heard_from",
            *TRACE,
        ),
        (),
    )
    looked_at = None
    needed = (("occurred_at",), ("kind",), ("account_id", "company", "contact_id", "phone", "email"))

    def __init__(self, table: Table, dialect: Dialect, region: str, told: Told | None = None) -> None:
        super().__init__(table, dialect, told, region)
        self._region = region
        self._occurrences = Occurrences()
        self.unmatched = Unmatched()
        self.worded = Worded()
        self._kinds = _KINDS | {
            values.fold(word): values.choice(kind, "kind", values.words(TouchKind))
            for word, kind in (told.stages if told else {}).items()
        }

    def read(self, cells: Sequence[str]) -> _Met:
        """Read one touch."""

        def cell(name: str) -> str | None:
            return values.text(self.columns.cell(cells, name), name)

        def known(name: str) -> str | None:
            return values.identifier(self.columns.cell(cells, name), name)

        numbers = values.telephones(self.columns.cell(cells, "phone"), "phone", self._region)
        clues = Clues(
            external_id=known("account_id"),
            company=cell("company"),
            phone=numbers[0] if numbers else None,
            email=cell("email"),
            person=cell("person"),
            person_id=known("contact_id"),
        )
        if clues == Clues(person=clues.person):
            raise Invalid(
                "account_id", "this touch has no company; enter a company ID, phone number or email"
            )
        occurred = self.moment(cells, "occurred_at")
        if occurred is None:
            raise Invalid("occurred_at", "enter the date and time")
        word = cell("kind") or ""
        kind = values.choice(word, "kind", self._kinds, f'--stage "{word}=visit"')
        campaign, channel, material = cell("campaign"), cell("channel"), cell("material")
        if material and not campaign:
            raise Invalid("campaign", "enter the asset's campaign")
        touch_id = values.identifier(self.columns.cell(cells, "touch_id"), "touch_id", 190)
        key = f"touch-{touch_id}" if touch_id else self._occurrences.key(clues, occurred, kind, campaign)
        record = TouchRecord(
            source_key=key,
            clues=clues,
            occurred_at=occurred,
            kind=kind,
            channel=None if campaign else channel,
            trace=self.trace(cells),
        )
        heard = values.text(self.columns.cell(cells, "heard_from"), "heard_from", answers.LONGEST_VERBATIM)
        return _Met(record, campaign, channel, material, numbers[1:], heard)

    def looks(self, cells: Sequence[str]) -> Iterable[Callable[[], object]]:
        """Return what reads single cells of a row."""
        yield from super().looks(cells)
        word = self.columns.cell(cells, "kind")
        yield partial(values.choice, word, "kind", self._kinds, f'--stage "{word}=visit"')
        yield partial(values.telephones, self.columns.cell(cells, "phone"), "phone", self._region)

    def save(self, session: Session, records: Sequence[_Met], at: datetime) -> Sequence[Outcome]:
        """Add the touches, or bring them up to date."""
        found = self.campaigns.find(session, {r.campaign: r.channel for r in records if r.campaign}, at)
        known = Sources(session) if any(met.record.trace for met in records) else None

        def one(met: _Met) -> ImportOutcome:
            campaign = found[met.campaign] if met.campaign else None
            piece = None
            if campaign and met.material:
                piece = campaigns.material(session, campaign.name, met.material)
            touch, effect = touches.save(
                session, met.record, at=at, campaign=campaign, material=piece, sources=known
            )
            if known is not None and touch.campaign_id is None:
                self.unmatched.note(met.record.trace, known)
            if met.heard_from:
                self._answer(session, met, touch, met.heard_from)
            contacts.also_reached(
                session, contacts.account_of(session, touch.contact), met.more_numbers, at=at
            )
            return effect

        outcomes = each(session, records, one)
        self.campaigns.keep(session, found, zip((r.campaign for r in records), outcomes, strict=True))
        return outcomes

    def _answer(self, session: Session, met: _Met, touch: Touch, told: str) -> None:
        """Keep what a form's question was answered; what it means where it is a name, else words alone."""
        meant = answers.understand(session, told)
        self.worded.note(told, meant)
        answers.log(
            session,
            Asked.answered,
            asked_at=met.record.occurred_at,
            contact=touch.contact,
            campaign=meant.campaign if meant else None,
            channel=meant.channel if meant else None,
            verbatim=told,
            source_key=values.content_key("touch's answer", met.record.source_key, told),
        )

    def remarks(self) -> Sequence[Sentence]:
        """Say whose tags name no campaign, or several."""
        return [*super().remarks(), *self.unmatched.remarks(), *self.worded.remarks()]
