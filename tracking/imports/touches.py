"""Ready touches from another system, in the columns of the journey tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from tracking.errors import Invalid
from tracking.imports import values
from tracking.imports.headed import Headed, Occurrences
from tracking.imports.mapping import Told
from tracking.imports.outcomes import Outcome
from tracking.imports.reading import Table
from tracking.imports.run import each
from tracking.imports.values import Dialect
from tracking.records import campaigns, touches
from tracking.records.contacts import Clues
from tracking.records.import_outcome import ImportOutcome
from tracking.records.touches import TouchRecord
from tracking.storage import phone
from tracking.storage.vocabulary import TouchKind

_KINDS = values.words(TouchKind)


@dataclass(frozen=True, slots=True)
class _Met:
    record: TouchRecord
    campaign: str | None
    channel: str | None
    material: str | None


class Touches(Headed):
    """The rows of a table of touches."""

    kind = "touches"
    name = "touches"
    aliases = {  # noqa: RUF012 - a constant table
        "touch_id": ("id",),
        "account_id": (),
        "contact_id": (),
        "occurred_at": ("timestamp", "time", "date"),
        "campaign": (),
        "channel": (),
        "material": ("ad material",),
        "kind": ("type",),
        "company": ("account name", "company name"),
        "person": ("contact name", "name"),
        "phone": ("phone number",),
        "email": ("e mail",),
    }

    def __init__(self, table: Table, dialect: Dialect, region: str, told: Told | None = None) -> None:
        super().__init__(table, dialect, told)
        self._region = region
        self._occurrences = Occurrences()
        self.columns.require("occurred_at")
        self.columns.require("kind")
        self.columns.require("account_id", "company", "contact_id", "phone", "email")

    def read(self, cells: Sequence[str]) -> _Met:
        """Read one touch."""

        def cell(name: str) -> str | None:
            return values.text(self.columns.cell(cells, name), name)

        number = cell("phone")
        clues = Clues(
            external_id=cell("account_id"),
            company=cell("company"),
            phone=phone.parse(number, self._region).e164 if number else None,
            email=cell("email"),
            person=cell("person"),
            person_id=cell("contact_id"),
        )
        if clues == Clues(person=clues.person):
            raise Invalid(
                "account_id", "nothing says whose touch this is; give an account id, number or e-mail"
            )
        occurred = values.moment(cell("occurred_at") or "", "occurred_at", self.dialect).astimezone(UTC)
        kind = values.choice(cell("kind") or "", "kind", _KINDS)
        campaign, channel, material = cell("campaign"), cell("channel"), cell("material")
        if material and not campaign:
            raise Invalid("campaign", "is empty, and the row names ad material; name its campaign")
        touch_id = values.text(self.columns.cell(cells, "touch_id"), "touch_id", 190)
        key = f"touch-{touch_id}" if touch_id else self._occurrences.key(clues, occurred, kind, campaign)
        record = TouchRecord(
            source_key=key,
            clues=clues,
            occurred_at=occurred,
            kind=kind,
            channel=None if campaign else channel,
        )
        return _Met(record, campaign, channel, material)

    def save(self, session: Session, records: Sequence[_Met], at: datetime) -> Sequence[Outcome]:
        """Add the touches, or bring them up to date."""
        found = self.campaigns.find(session, {r.campaign: r.channel for r in records if r.campaign}, at)

        def one(met: _Met) -> ImportOutcome:
            campaign = found[met.campaign] if met.campaign else None
            piece = None
            if campaign and met.material:
                piece = campaigns.material(session, campaign.name, met.material)
            return touches.save(session, met.record, at=at, campaign=campaign, material=piece)[1]

        return each(session, records, one)
