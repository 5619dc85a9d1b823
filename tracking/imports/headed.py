"""What the files with a header line have in common: columns by name, campaigns by name, rows without id."""

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from itertools import islice

from sqlalchemy.orm import Session

from tracking.errors import Invalid, Sentence, say
from tracking.imports import values, words
from tracking.imports.deciding import Amounts, Days, Decision, days_in, decide
from tracking.imports.mapping import Aliases, Columns, Told
from tracking.imports.outcomes import Outcome, Skip
from tracking.imports.reading import Broken, Table
from tracking.imports.values import Dialect, content_key
from tracking.records import campaigns
from tracking.records.answers import Source
from tracking.records.sources import CLICK_IDS, OWN_TAG, UTM, Sources, Trace, trace
from tracking.storage.models import Campaign

NO_CHANNEL = "other"
TRACE = (*UTM, OWN_TAG, "landing_page", "referrer", *CLICK_IDS)
"""What a visit brings along, as columns."""
_NAMED_TAGS = 5
_UNUSED_NAMED = 20


# Rows that a guess looks at, and rows of a call log that decide how it is written: later ones that contradict
# are refused. Of other files every row counts.
_GUESSED_FROM = 200
_LOOKED_AT = 20_000
_TOTAL = Skip("total row")
_NAMES = Skip("header line")
_DIGIT = re.compile(r"\d")
_MONEY = frozenset({"amount", "expected_amount", "margin", "hourly_rate", "value"})
_SUMS = _MONEY - {"hourly_rate"}
_PERIODS = frozenset({"period", "period_start", "period_end", "last_day"})


class Headed:
    """A format whose columns are found by their names, and read as the whole column tells."""

    kind: str
    name: str
    aliases: Aliases
    needed: Sequence[Sequence[str]] = ()
    """Fields without which no row can be read; of each group one is enough."""
    told_by: Sequence[Sequence[str]] = ()
    """Fields by which such a file is told from others; by default the needed ones."""
    one_table = True
    """Whether another table in the file is left out as a whole."""
    looked_at: int | None = _LOOKED_AT
    """How many rows decide how the columns are written; None: all."""

    def __init_subclass__(cls) -> None:
        """Give the fields the names that other languages and systems have for them."""
        own = dict(cls.aliases)
        for field in list(own):
            beside = f"{field.removesuffix('_at')}_time"
            if field.endswith("_at") and beside in words.aliases(cls.kind):
                own[beside] = ()
        cls.aliases = words.extended(cls.kind, own)

    def __init__(self, table: Table, dialect: Dialect, told: Told | None = None, region: str = "ZZ") -> None:
        head = table.head(1)
        if not head:
            raise Invalid("file", "the file is empty; the first line must be the header")
        if sum(1 for cell in head[0].cells if cell.strip()) < 2:
            raise Invalid(
                "file",
                "no columns found: the first line is %(first)r. Choose a CSV file or workbook with a line "
                "of column names",
                first=table.separator.join(head[0].cells).strip()[:60],
            )
        told = told or Told()
        self.columns = self.columns_of(table, told, region)
        self.header: Sequence[str] | None = self.columns.header
        self.campaigns = CampaignBook()
        self.first_days: dict[str, date] = {}
        self.name = type(self).name
        self.table = table
        for group in self.needed:
            self._require(group)
        another = self._leave_another_table()
        self.decided = self._decide(table, dialect)
        days = [
            self.decided.dialects[n].day_first
            for n in self.decided.dialects
            if n.endswith("_at") or n in _PERIODS
        ]
        marks = [self.decided.dialects[n].decimal for n in self.decided.dialects if n in _MONEY]
        self.dialect = replace(
            dialect,
            day_first=next((day for day in days if day is not None), dialect.day_first),
            decimal=next((mark for mark in marks if mark), dialect.decimal),
        )
        self._scale()
        self.notes: Sequence[Sentence] = [*self._found_by_content(), *another, *self.decided.reasons]

    @classmethod
    def columns_of(cls, table: Table, told: Told, region: str) -> Columns:
        """Find the columns of a file: as told, by their names, else by their cells."""
        head = table.head(_GUESSED_FROM)
        columns = Columns(head[0].cells, cls.aliases, told.columns, whole=told.whole)
        missing = [group[0] for group in cls.needed if not any(name in columns for name in group)]
        if missing and not told.whole:
            columns.guess(missing, [row.cells for row in head[1:]], region)
        return columns

    def _leave_another_table(self) -> list[Sentence]:
        """End the table where a row of other names begins another one, and say so."""
        if not self.one_table:
            return []
        own = {words.fold(name) for name in self.columns.header if name}
        for row in islice(self.table.rows(width=len(self.columns.header)), 1, self.looked_at):
            said = [] if isinstance(row, Broken) else [cell for cell in row.cells if cell.strip()]
            if len(said) < 2 or _DIGIT.search("".join(said)):
                continue
            names = {words.fold(cell) for cell in said}
            known = sum(map(words.is_header, said))
            # A row of words may be one of names by chance, but hardly with one that this table has too.
            if known >= 2 and 2 * known >= len(said) and names & own and not names <= own:
                self.table.until = row.line
                return [
                    say(
                        "another table begins in line %(line)s and is skipped: %(names)s",
                        line=row.line,
                        names=", ".join(said)[:80],
                    )
                ]
        return []

    def _require(self, group: Sequence[str]) -> None:
        try:
            self.columns.require(*group)
        except Invalid as error:
            if (like := resembles(self.columns.header)) is not None:
                raise Invalid(
                    "file", "%(problem)s. It looks like %(like)s", problem=error.reason, like=like
                ) from None
            raise

    def _found_by_content(self) -> Iterator[Sentence]:
        if len(self.table.sheets) > 1:
            yield say("sheet %(sheet)s of %(all)s", sheet=self.table.sheet, all=", ".join(self.table.sheets))
        if self.table.preamble:
            yield say(
                "the header is in line %(line)s; lines above it are skipped",
                line=self.table.header_line,
            )
        yield from self.columns.reasons.values()

    def _decide(self, table: Table, dialect: Dialect) -> Decision:
        # Rows in other currencies may be written as their countries write: they are looked at apart.
        amounts: dict[str, Amounts] = {
            name: Amounts() for name in self.aliases if name in _MONEY and name in self.columns
        }
        days = {
            name: Days()
            for name in self.aliases
            if (name.endswith("_at") or name in _PERIODS) and name in self.columns
        }
        rows = islice(table.rows(width=len(self.columns.header)), 1, self.looked_at)
        for row in rows if amounts or days else ():
            if isinstance(row, Broken) or len(row.cells) < len(self.columns.header):
                continue
            code = self.columns.cell(row.cells, "currency")
            for name in [name for name in amounts if " " not in name]:
                cell = self.columns.cell(row.cells, name)
                amounts[name].add(cell)
                if code:
                    amounts.setdefault(f"{name} {code}", Amounts()).add(cell)
            for name, column in days.items():
                column.add(self.columns.cell(row.cells, name))
        self.amounts = amounts
        names = {name: self.columns.column(name) for name in days}
        for name in amounts:
            whole, _, code = name.partition(" ")
            names[name] = f"{self.columns.column(whole)} {code}".rstrip()
        return decide(dialect, self.columns.header, amounts, days, names, days_in(table.preamble))

    def _scale(self) -> None:
        """Settle in what the amounts count: as a column's name says, else the lines above the names."""
        found = ((told, line) for line in self.table.preamble if (told := _counted_above(line)))
        (above, code), line = next(found, ((0, None), ""))
        for name, said in self.decided.dialects.items():
            field = name.partition(" ")[0]
            own = self.columns.tens(field) if field in _MONEY else 0
            tens = own or (above if field in _SUMS else 0)
            if not tens:
                continue
            self.decided.dialects[name] = replace(said, tens=tens)
            what = {"column": self.columns.column(field), "factor": f"{10**tens:,}"}
            self.decided.because(
                say("%(column)s: amounts are multiplied by %(factor)s", **what)
                if own
                else say(
                    "%(column)s: amounts are multiplied by %(factor)s (%(line)s)", line=line[:60], **what
                )
            )
        if code and not self.dialect.currency_told:
            self.dialect = replace(self.dialect, currency=code)

    def begin(self, session: Session) -> None:
        """Nothing is needed beforehand."""

    def passed_over(self, cells: Sequence[str]) -> Skip | None:
        """Return why a row is none: one of totals, which has no day of its own and says that it is a sum."""
        if cells[0] == self.columns.header[0] and list(cells) == self.columns.header:
            return _NAMES
        first = next((cell for cell in cells if not words.is_empty(cell)), "")
        if not words.begins_with_total(first):
            return None
        days = [
            name
            for name in ("started_at", "occurred_at", *sorted(_PERIODS), "closed_at", "opportunity_at")
            if name in self.columns
        ]
        # A company may be called Summa, and then its row says how far the deal came.
        said = ("stage", "outcome", "kind", "status", "deal_id", "touch_id", "call_id")
        if any(self.columns.cell(cells, name) not in ("", first) for name in said if name in self.columns):
            return None
        if days and all(
            not self.columns.cell(cells, name) or self.columns.cell(cells, name) == first for name in days
        ):
            return _TOTAL
        return _TOTAL if not days and words.is_total(first) else None

    def amount(self, cells: Sequence[str], name: str, currency: str) -> int | None:
        """Read an amount as its column is written."""
        cell = self.columns.cell(cells, name)
        written = f"{name} {self.columns.cell(cells, 'currency')}"
        if written not in self.decided.dialects:
            written = name
        question = self.decided.questions.get(written)
        if question is not None and cell:
            seen = Amounts()
            seen.add(cell)
            if seen.either:
                raise question
        return values.amount(cell, name, currency, self.dialect_of(written))

    def currency(self, cells: Sequence[str], name: str = "amount") -> str:
        """Return a row's currency: its own column, its amount's column, the amount itself, what was told."""
        if code := self.columns.cell(cells, "currency"):
            return values.currency(code)
        if "currency" not in self.columns:
            found = self.columns.currency(name) or values.currency_in(self.columns.cell(cells, name))
            if found and self.dialect.currency not in (values.codes_of(self.columns.cell(cells, name))):
                return found
            sign = "" if found else self.columns.sign(name)
            if sign and self.dialect.currency not in values.codes_of(sign):
                raise Invalid(
                    name,
                    "the amount is in %(label)s but the row is in %(currency)s; add a currency column or "
                    "use --currency",
                    label=sign,
                    currency=self.dialect.currency,
                )
        return self.dialect.currency

    def dialect_of(self, name: str) -> Dialect:
        """Return how a field's column is written."""
        return self.decided.dialects.get(name, self.dialect)

    def moment(self, cells: Sequence[str], name: str, *, end_of_day: bool = False) -> datetime | None:
        """Read a moment as its column is written, in UTC; None where the cell is empty."""
        cell = self.columns.cell(cells, name)
        if not cell:
            return None
        return values.moment(cell, name, self.dialect_of(name), end_of_day=end_of_day).astimezone(UTC)

    def trace(self, cells: Sequence[str]) -> Trace | None:
        """Read what a visit brought along; None where the file has no column for it, or the row nothing."""
        names = [name for name in TRACE if name in self.columns]
        if not any(self.columns.cell(cells, name) for name in names):
            return None
        told = {name: values.clean(self.columns.cell(cells, name)) for name in names}
        return trace(told.get("landing_page"), told.get("referrer"), told=told)

    def place(self, cells: Sequence[str], name: str) -> tuple[str, str]:
        """Return the column and value that an error speaks of."""
        at = self.columns.index(name)
        if at is None or at >= len(cells):
            return name, "" if name in self.aliases else ",".join(cells)
        return self.columns.column(name), cells[at]

    def also_wrong(self, cells: Sequence[str], first: Invalid) -> Sequence[Invalid]:
        """Look into the other cells of a row that was refused for one of them."""
        found = {self.columns.index(first.field): first}
        for look in self.looks(cells):
            try:
                look()
            except Invalid as error:
                found.setdefault(self.columns.index(error.field), error)
        return list(found.values())[1:]

    def looks(self, cells: Sequence[str]) -> Iterable[Callable[[], object]]:
        """Return what reads single cells of a row, each by itself; it leaves nothing behind."""
        for name in self.aliases:
            if name.endswith("_at") and name in self.columns:
                yield partial(self.moment, cells, name)
            elif name in _MONEY and name in self.columns:
                yield partial(self._money, cells, name)

    def _money(self, cells: Sequence[str], name: str) -> int | None:
        return self.amount(cells, name, self.currency(cells, name))

    def mended(self, cells: Sequence[str]) -> Sequence[str] | None:
        """Return None: nothing is known that would put a row of another width right."""
        return None

    def remarks(self) -> Sequence[Sentence]:
        """Return what should be known of the file as a whole."""
        if not (names := self.columns.unused()):
            return ()
        more = "…" if len(names) > _UNUSED_NAMED else ""
        return [say("columns not used: %(columns)s", columns=", ".join(names[:_UNUSED_NAMED]) + more)]

    def spent_on(self, currency: str, day: date) -> None:
        """Note the day of an amount that figures convert: the earliest of each currency is kept."""
        self.first_days[currency] = min(day, self.first_days.get(currency, day))

    def added(self) -> Sequence[str]:
        """Return the campaigns that were named first by this file."""
        return list(self.campaigns.added)


def _counted_above(line: str) -> tuple[int, str | None] | None:
    """Return how many zeros amounts leave out by a line above the names, as in "Angaben in TEUR"."""
    words_ = line[:200].replace("：", ": ").split()
    for at, word in enumerate(words_):
        if at and (word.casefold() in ("in", "i", "в") or words_[at - 1].endswith(":")):
            for count in (3, 2, 1):
                told = " ".join(words_[at + (not words_[at - 1].endswith(":")) :][:count])
                if scaled := values.in_tens(told.strip(".,;()")):
                    return scaled[0], values.currency_of(scaled[1])
    return None


def resembles(header: Sequence[str]) -> Sentence | None:
    """Return what a file looks like that cannot be imported as it is, and what to do."""
    names = {words.fold(words.bare(name)) for name in header} | {words.fold(name) for name in header}
    if any(
        name.startswith(("session primary channel group", "session default channel group")) for name in names
    ) or ({"label", "visits"} <= names or {"visitors", "bounce rate"} <= names or "nb visits" in names):
        return say("totals of web visits, not single visits of buyers; import them as visits")
    months = [name for name in header if values.names_month(name)]
    if len(months) > 1:
        return say(
            "a table with a column for each month, such as %(month)s; write one row for each campaign "
            "and month",
            month=months[0],
        )
    return None


Named = tuple[str | None, Outcome]
"""The campaign that a row names, and what came of the row."""


class CampaignBook:
    """Campaigns by name; one that a file names first is added, and remembered for the summary."""

    def __init__(self) -> None:
        self.added: dict[str, None] = {}
        self._fresh: set[str] = set()

    def find(self, session: Session, wanted: Mapping[str, str | None], at: datetime) -> dict[str, Campaign]:
        """Return the campaigns of a batch; ``wanted`` gives the channel of each, for those to be added.

        Advertising systems name a campaign by its UTM tag: what is no name is looked for there.
        """
        found, self._fresh = campaigns.named(session, wanted), set[str]()
        if found.keys() != wanted.keys():
            known = Sources(session)
            tagged = {name: known.called(name) for name in wanted.keys() - found.keys()}
            found |= {name: campaign for name, campaign in tagged.items() if campaign is not None}
        for name, channel in wanted.items():
            if name not in found:
                found[name] = campaigns.add(session, name, channel or NO_CHANNEL, at=at)
                self.added[name] = None
                self._fresh.add(name)
        return found

    def keep(self, session: Session, found: Mapping[str, Campaign], outcomes: Iterable[Named]) -> None:
        """Leave nothing behind of campaigns that a batch added for rows which were then all refused."""
        used = {name for name, outcome in outcomes if not isinstance(outcome, Invalid)}
        for name in self._fresh - used:
            session.delete(found[name])
            del self.added[name]
        session.flush()


class Unmatched:
    """Tags of a file that name no campaign, or several equally well."""

    def __init__(self) -> None:
        self._none: Counter[str] = Counter()
        self._several: dict[str, tuple[str, ...]] = {}

    def note(self, seen: Trace | None, known: Sources) -> None:
        """Note a row that has got no campaign."""
        if seen is None or not seen.tagged:
            return
        tags = " / ".join(filter(None, (getattr(seen, name) for name in UTM))) or f"{OWN_TAG}={seen.own_tag}"
        several = known.of(seen).candidates
        if several:
            self._several[tags] = several
        else:
            self._none[tags] += 1

    def remarks(self) -> list[Sentence]:
        """Say which they are."""
        found = [
            say(
                "%(tags)s fits several campaigns equally well, so none is chosen: %(campaigns)s",
                tags=tags,
                campaigns=", ".join(several),
            )
            for tags, several in list(self._several.items())[:_NAMED_TAGS]
        ]
        if self._none:
            named = ", ".join(tags for tags, _ in self._none.most_common(_NAMED_TAGS))
            found.append(
                say(
                    "no campaign has the tags %(tags)s (rows: %(rows)s). Match them under Visits, or with "
                    "`ringtrail visits match`",
                    rows=self._none.total(),
                    tags=named + ("…" if len(self._none) > _NAMED_TAGS else ""),
                )
            )
        return found


class Worded:
    """Answers of a file whose words name neither a campaign nor a channel."""

    def __init__(self) -> None:
        self._words: Counter[str] = Counter()

    def note(self, words: str, meant: Source | None) -> None:
        """Note an answer, and what it was found to mean."""
        if meant is None:
            self._words[words] += 1

    def remarks(self) -> list[Sentence]:
        """Say which they are."""
        if not self._words:
            return []
        named = ", ".join(f'"{words[:40]}"' for words, _ in self._words.most_common(_NAMED_TAGS))
        return [
            say(
                "answers kept in words only: %(rows)s (%(words)s). Match them under Answers and "
                "tracking, or with `ringtrail answer match`",
                rows=self._words.total(),
                words=named + ("…" if len(self._words) > _NAMED_TAGS else ""),
            )
        ]


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
