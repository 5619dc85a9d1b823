"""Which tracking number a call was made to: what its record says, or what an extension stands for."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking.errors import Sentence, say
from tracking.imports.values import fold
from tracking.storage import phone, vault
from tracking.storage.models import ImportMapping, TrackingNumber
from tracking.telephony.calls import CallEvent

_MAP_KIND = "dialled"
_MOST_UNNAMED = 1000


class Aim:
    """The tracking numbers, and what a system writes in their place; what was told is remembered for it."""

    def __init__(self, told: Mapping[str, str] | None, region: str, own: set[str], desk: str) -> None:
        self.own = own
        """Our tracking numbers, known once the import has begun."""
        self.desks = {desk} - {""}
        """Where they ring."""
        self._region = region
        self._told = {fold(key): phone.require(to, region, "map_dialled") for key, to in (told or {}).items()}
        self._map = dict(self._told)
        self._unnamed: Counter[str] = Counter()
        self._named = False
        self._key = ""

    def begin(self, session: Session, system: str) -> None:
        """Learn which numbers are ours, and what was told of the system before."""
        self._key = vault.mark("import headers", system)
        for number, destination in session.execute(select(TrackingNumber.number, TrackingNumber.destination)):
            self.own.add(number)
            self.desks.add(destination or number)
        if (row := self._remembered(session)) is not None:
            self._map = row.mapping | self._map

    def ours(self, text: str) -> bool:
        """Tell whether a cell holds a tracking number."""
        return phone.parse(text, self._region).e164 in self.own

    def aimed(self, event: CallEvent) -> CallEvent:
        """Return a report with the tracking number that one of its cells stands for before them."""
        for dialled in event.dialled if self._map else ():
            name, number = phone.split(dialled)
            for key in (dialled, number, name):
                if key and (ours := self._map.get(fold(key))):
                    return replace(event, dialled=(ours, *event.dialled))
        return event

    def count(self, event: CallEvent) -> None:
        """Note whether any call names a number of ours, and what they name instead."""
        if self._named:
            return
        if any(map(self.ours, event.dialled)):
            self._named = True
        elif len(self._unnamed) < _MOST_UNNAMED:
            self._unnamed.update(event.dialled or ("—",))

    def remember(self, session: Session) -> None:
        """Keep the map for the next file of this system; a dry run takes it back with the rest."""
        if not self._told:
            return
        row = self._remembered(session)
        if row is None:
            session.add(ImportMapping(kind=_MAP_KIND, header_hash=self._key, mapping=self._map))
        elif row.mapping != self._map:
            row.mapping = self._map

    def remarks(self) -> list[Sentence]:
        """Say so where no call of the file names a number of ours."""
        if self._named or not self._unnamed:
            return []
        seen = ", ".join(number for number, _ in self._unnamed.most_common(5))
        return [
            say(
                "no row has one of your tracking numbers; dialled: %(seen)s. If an extension or "
                "queue belongs to a tracking number, enter it as 800=+46701740690 (command line: "
                "--map-dialled)",
                seen=seen,
            )
        ]

    def _remembered(self, session: Session) -> ImportMapping | None:
        return session.scalar(
            select(ImportMapping).where(
                ImportMapping.kind == _MAP_KIND, ImportMapping.header_hash == self._key
            )
        )
