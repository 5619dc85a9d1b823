"""What the files with a header line have in common: columns by name, campaigns by name, rows without id."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from tracking.errors import Invalid, Sentence
from tracking.imports.mapping import Aliases, Columns, Told
from tracking.imports.reading import Table
from tracking.imports.values import Dialect, content_key
from tracking.records import campaigns
from tracking.storage.models import Campaign

NO_CHANNEL = "other"


class Headed:
    """A format whose columns are found by their names."""

    kind: str
    name: str
    aliases: Aliases

    def __init__(self, table: Table, dialect: Dialect, told: Told | None = None) -> None:
        head = table.head(1)
        if not head:
            raise Invalid("file", "it is empty; its first line must name the columns")
        self.header: Sequence[str] | None = head[0].cells
        self.dialect = dialect
        told = told or Told()
        self.columns = Columns(head[0].cells, self.aliases, told.columns, whole=told.whole)
        self.campaigns = CampaignBook()
        self.name = type(self).name

    def begin(self, session: Session) -> None:
        """Nothing is needed beforehand."""

    def place(self, cells: Sequence[str], name: str) -> tuple[str, str]:
        """Return the column and value that an error speaks of."""
        at = self.columns.index(name)
        if at is None or at >= len(cells):
            return name, "" if name in self.aliases else ",".join(cells)
        return self.columns.column(name), cells[at]

    def mended(self, cells: Sequence[str]) -> Sequence[str] | None:
        """Return None: nothing is known that would put a row of another width right."""
        return None

    def remarks(self) -> Sequence[Sentence]:
        """Return what should be known of the file as a whole."""
        return ()

    def added(self) -> Sequence[str]:
        """Return the campaigns that were named first by this file."""
        return list(self.campaigns.added)


class CampaignBook:
    """Campaigns by name; one that a file names first is added, and remembered for the summary."""

    def __init__(self) -> None:
        self.added: dict[str, None] = {}

    def find(self, session: Session, wanted: Mapping[str, str | None], at: datetime) -> dict[str, Campaign]:
        """Return the campaigns of a batch; ``wanted`` gives the channel of each, for those to be added."""
        found = campaigns.named(session, wanted)
        for name, channel in wanted.items():
            if name not in found:
                found[name] = campaigns.add(session, name, channel or NO_CHANNEL, at=at)
                self.added[name] = None
        return found


class Occurrences:
    """Gives rows without an id a key: their content, and which of its repetitions in the file they are."""

    def __init__(self) -> None:
        # A nameless database lives in a temporary file of its own, so that memory stays flat.
        self._seen = sqlite3.connect("", check_same_thread=False)
        self._seen.execute("CREATE TABLE seen (key TEXT PRIMARY KEY, count INTEGER) WITHOUT ROWID")

    def __del__(self) -> None:
        """Remove the temporary file."""
        self._seen.close()

    def key(self, *content: object) -> str:
        """Return the key of a row."""
        row = content_key(*content)
        (count,) = self._seen.execute(
            "INSERT INTO seen VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count",
            (row,),
        ).fetchone()
        return f"{row}-{count}"
