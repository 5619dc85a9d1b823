"""Daily visits from web analytics - GA4, Matomo, Plausible - or a table of one's own."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import islice

from sqlalchemy.orm import Session

from tracking.errors import Invalid, Sentence, say
from tracking.imports import values, words
from tracking.imports.headed import Headed, Unmatched
from tracking.imports.mapping import Told
from tracking.imports.outcomes import Outcome, Skip
from tracking.imports.reading import Broken, Table
from tracking.imports.values import Dialect
from tracking.language import channels
from tracking.records import referrers, visits
from tracking.records.sources import UTM, Sources, Trace, tag
from tracking.records.visits import VisitRecord

_DIMENSIONS = ("utm_campaign", "campaign", "channel", "utm_source", "utm_medium", "source_medium", "label")
_DATE = re.compile(r"(?<!\d)(20\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])(?!\d)")
_NO_CHANNEL = frozenset({"unassigned", "other", "unknown"})
_FROM_TO = re.compile(r"(20\d\d-\d\d-\d\d) to (20\d\d-\d\d-\d\d)\b")
"""How Plausible names what it exports, which is unpacked into a folder of that name."""
_DAYS_OF_MONTHS = re.compile(
    r"(?P<month>[^\W\d]+) (?P<first>\d{1,2})\s?[-–]\s?"
    r"(?:(?P<until>[^\W\d]+) )?(?P<last>\d{1,2}), (?P<year>\d{4})"
)
"""How Matomo writes the days of a report in the English name of a file: March 1 – 31, 2026."""
_WHOLE = re.compile(r"\d{1,3}(?:[ ,.'’\u00a0\u202f]\d{3})+|\d+")
# What the name of a file of one report says its first column holds: of Plausible and Matomo.
_REPORTS = (
    ("utm_campaign", ("campaign", "kampanj", "kampagne", "кампани", "广告系列")),
    ("channel", ("channel", "referrertype", "referrer type", "kanal", "канал", "渠道")),
    ("utm_medium", ("medium",)),
    ("utm_source", ("source", "referrer", "website", "källa", "quelle", "источник", "来源")),
)
_OTHER_REPORTS = (
    "page",
    "countr",
    "region",
    "cit",
    "browser",
    "device",
    "operating",
    "term",
    "content",
    "goal",
)


_Key = tuple[date, date, visits.Key]


def _key(record: VisitRecord) -> _Key:
    return record.start, record.end, visits.key(record)


class Visits(Headed):
    """The rows of a report of visits."""

    kind = "visits"
    name = "visits"
    aliases = dict.fromkeys((*("period", "visits", "visitors", "site"), *_DIMENSIONS), ())
    one_table = False  # it tells where another one begins by itself
    looked_at = None
    needed = (("visits", "visitors"),)
    told_by = (("visits", "visitors"), ("period", *_DIMENSIONS))

    def __init__(
        self,
        table: Table,
        dialect: Dialect,
        told: Told | None = None,
        *,
        days: str = "",
        site: str = "",
        folder: str = "",
    ) -> None:
        super().__init__(table, dialect, told)
        self._site, self._folder = site, folder
        self._ended = False
        self.unmatched = Unmatched()
        self.counted_by = _system(self.columns.header, table.preamble)
        self.name = f"{self.counted_by} visits" if self.counted_by != "file" else "visits"
        self._measure = "visits" if "visits" in self.columns else "visitors"
        self._label = self._meaning_of_label(table) if "label" in self.columns else ""
        self.breakdown = self._by()
        notes: list[Sentence] = []
        if self._measure == "visitors":
            notes.append(say("the file counts visitors, who may come more than once, not visits"))
        if self.breakdown == visits.ONLY_CAMPAIGNS:
            notes.append(
                say("the report leaves out visits without a campaign, so visitor-to-lead comes out too high")
            )
        self._range: tuple[date, date] | None = None
        if days or "period" not in self.columns:
            self._range = self._days_told(table, days, dialect, notes)
        self._add_up(table)
        if self._range is None and any((end - start).days > 1 for start, end, _ in self._sums):
            notes.append(say("some rows cover several days: their visits are spread evenly over them"))
        self.notes = [*self.notes, *notes]

    def _by(self) -> str:
        named = {
            "utm_campaign": "campaign",
            "campaign": "campaign",
            "channel": "channel",
            "utm_source": "source",
            "utm_medium": "source",
            "source_medium": "source",
        }
        if self._label in ("utm_campaign", "utm_medium") and self.counted_by in ("Matomo", "Plausible"):
            return visits.ONLY_CAMPAIGNS
        there = [
            named[self._label if name == "label" else name] for name in _DIMENSIONS if name in self.columns
        ]
        return ", ".join(dict.fromkeys(there)) or "total"

    def _meaning_of_label(self, table: Table) -> str:
        """Tell what the first column of a report names: by the file's name, else by what stands in it."""
        name = words.fold(table.name.rpartition("/")[2])
        column = self.columns.column("label")
        cells = [
            self.columns.cell(row.cells, "label")
            for row in islice(table.rows(width=len(self.columns.header)), 1, None)
            if not isinstance(row, Broken) and len(row.cells) == len(self.columns.header)
        ]
        labels = [cell for cell in cells if cell and not words.begins_with_total(cell)]
        if labels and all(cell.startswith(("/", "http")) for cell in labels):
            raise Invalid(
                "file", "%(column)s holds pages, not sources; export channels or campaigns", column=column
            )
        for meaning, parts in _REPORTS:
            if any(part in name for part in parts):
                return meaning
        if labels and all(channels.online(cell) or words.fold(cell) in _NO_CHANNEL for cell in labels):
            return "channel"
        if any(part in name.split() or f"{part}s" in name.split() for part in _OTHER_REPORTS):
            raise Invalid(
                "file",
                "%(name)s is a report of something else; export channels or campaigns",
                name=table.name,
            )
        self.notes = [
            *self.notes,
            say(
                "%(column)s is read as campaigns; if it holds anything else, do not import it", column=column
            ),
        ]
        return "utm_campaign"

    def _days_told(
        self, table: Table, days: str, dialect: Dialect, notes: list[Sentence]
    ) -> tuple[date, date]:
        if days:
            start, end = values.interval(days, "days", replace(dialect, period="day"))
        else:
            found = (
                _range_in(table.preamble)
                or _range_in([table.name])
                or _named_in(table.name, dialect)
                or _range_in([each[0] for each in _FROM_TO.finditer(self._folder)])
            )
            if found is None:
                raise Invalid(
                    "days", "the file does not say which days it covers; add --days 2026-03-01..2026-03-31"
                )
            start, end = found
        notes.append(say("the file covers %(start)s to %(last)s", start=start, last=end - timedelta(days=1)))
        if (end - start).days > 1:
            notes.append(
                say(
                    "no row names a day, so visits are spread evenly over the %(days)s days; export by day "
                    "to see trends",
                    days=(end - start).days,
                )
            )
        return start, end

    def _add_up(self, table: Table) -> None:
        """Look through the file: rows of one day and source belong together; one may be a sum."""
        self._sums: Counter[_Key] = Counter()
        self._spoilt: dict[_Key, int] = {}
        self._given: set[_Key] = set()
        self._total = self._count = 0
        for row in islice(table.rows(width=len(self.columns.header)), 1, None):
            if isinstance(row, Broken) or self._begins_another(row.cells):
                if isinstance(row, Broken):
                    continue
                break
            if len(row.cells) < len(self.columns.header) or super().passed_over(row.cells):
                continue
            with suppress(Invalid):
                key = _key(self._record(row.cells))
                try:
                    count = self._visits(row.cells)
                except Invalid:
                    self._spoilt.setdefault(key, row.line)
                    continue
                if self._says(row.cells):
                    self._total += count
                    self._count += 1
                self._sums[key] += count

        self._refuse_overlaps()

    def _refuse_overlaps(self) -> None:
        """Refuse a file that counts a day of one source in two rows, such as its week and its month."""
        until: dict[visits.Key, date] = {}
        for start, end, source in sorted(self._sums):
            if start < until.get(source, start):
                raise Invalid(
                    "period", "%(day)s is counted by two rows of the same source; export by day", day=start
                )
            until[source] = end

    def _says(self, cells: Sequence[str]) -> bool:
        """Tell whether a row names what its visits are of, if only that it is not known."""
        there = [at for name in _DIMENSIONS if (at := self.columns.index(name)) is not None]
        return not there or any(cells[at].strip() for at in there)

    def _begins_another(self, cells: Sequence[str]) -> bool:
        """Tell whether a second table begins: its comments, or its names."""
        said = [cell.strip() for cell in cells if cell.strip()]
        return bool(said) and (
            said[0].startswith("# -") or (len(said) > 1 and all(words.is_header(cell) for cell in said))
        )

    def passed_over(self, cells: Sequence[str]) -> Skip | None:
        """Return why a row is none: totals, and all of a second table."""
        self._ended = self._ended or self._begins_another(cells)
        if self._ended:
            return Skip("row of another table")
        if (skip := super().passed_over(cells)) is not None:
            return skip
        if not self._says(cells):
            with suppress(Invalid):
                if self._count > 1 and self._visits(cells) == self._total:
                    return Skip("total row")
        return None

    def mended(self, cells: Sequence[str]) -> Sequence[str] | None:
        """Return the row of a second table, which is passed over, as wide as the first one's."""
        if self._ended or self._begins_another(cells):
            return [*cells, *[""] * len(self.columns.header)][: len(self.columns.header)]
        return None

    def read(self, cells: Sequence[str]) -> VisitRecord | Skip:
        """Read the visits of one row, with those of all rows of the same day and source."""
        self._visits(cells)
        record = self._record(cells)
        key = _key(record)
        if line := self._spoilt.get(key):
            raise Invalid(
                "row",
                "line %(line)s has the same campaign and day and was rejected; fix it first, "
                "because both are one count",
                line=line,
            )
        if key in self._given:
            return Skip("added to the row of the same campaign and day")
        self._given.add(key)
        return replace(record, visits=self._sums[key])

    def _record(self, cells: Sequence[str]) -> VisitRecord:
        def cell(name: str) -> str:
            return self.columns.cell(cells, name)

        told = {name: cell(name) for name in UTM}
        channel = cell("channel")
        if self._label == "channel":
            channel = cell("label")
        elif self._label:
            told[self._label] = cell("label")
        told["utm_campaign"] = told["utm_campaign"] or cell("campaign")
        if both := cell("source_medium"):
            source, _, medium = both.partition("/")
            told = told | {"utm_source": source.strip(), "utm_medium": medium.strip()}
        tags, said = {name: tag(text) for name, text in told.items()}, ""
        for name in UTM:
            # GA4 writes (direct) or (organic) where there is no name.
            if (bracketed := re.fullmatch(r"\((.*)\)", told[name].strip())) or words.fold(
                told[name]
            ) == "direct none":
                tags[name] = None
                said = said or (bracketed[1] if bracketed else "direct")
        channel = channel or said
        host = tags["utm_source"]
        if not channel and self._label == "utm_source" and host and "." in host:
            # A report of sites that link here names them by their hosts.
            channel = site.channel if (site := referrers.named(host)) else channels.LINK
        folded = words.fold(channel)
        known = None if folded in _NO_CHANNEL or not folded else channels.online(channel) or channel
        start, end = self._range or self._days(cell("period"))
        record = VisitRecord(
            start=start,
            end=end,
            visits=0,
            counted_by=self.counted_by,
            breakdown=self.breakdown,
            site=values.text(cell("site"), "site") or self._site,
            channel=None if known in ("not set", "not provided") else values.text(known or "", "channel"),
            **{name: values.text(value or "", name) for name, value in tags.items()},
        )
        return visits.checked(record)

    def _days(self, text: str) -> tuple[date, date]:
        if not text:
            raise Invalid("period", "enter the day, as 2026-12-31")
        return values.interval(text, "period", replace(self.dialect_of("period"), period="day"))

    def _visits(self, cells: Sequence[str]) -> int:
        text = values.clean(self.columns.cell(cells, self._measure))
        whole, point, part = text.rpartition(".")
        text = whole if point and not part.strip("0") and len(part) != 3 else text
        if not _WHOLE.fullmatch(text):
            raise Invalid(self._measure, "not a number of visits; write a whole number, 0 or more")
        return int(re.sub(r"\D", "", text))

    def looks(self, cells: Sequence[str]) -> Iterable[Callable[[], object]]:
        """Return what reads single cells of a row."""
        yield partial(self._visits, cells)
        yield partial(self._record, cells)

    def save(self, session: Session, records: Sequence[VisitRecord], at: datetime) -> Sequence[Outcome]:
        """Add the counts, or replace those that were there."""
        known = Sources(session)
        for record in records:
            seen = Trace.of_tags({name: getattr(record, name) for name in UTM})
            if record.utm_campaign and known.of(seen).campaign is None:
                self.unmatched.note(seen, known)
        return visits.save(session, records, known)

    def remarks(self) -> Sequence[Sentence]:
        """Say whose tags name no campaign, or several."""
        return [*super().remarks(), *self.unmatched.remarks()]


def _range_in(lines: Sequence[str]) -> tuple[date, date] | None:
    """Return the first and last day that lines name: a report's heading, or a file's name."""
    found: list[date] = []
    for line in lines:
        with suppress(ValueError):
            found += [date(*map(int, parts)) for parts in _DATE.findall(line)]
    if not found or found[0] > found[-1]:
        return None
    return found[0], found[-1] + timedelta(days=1)


def _named_in(name: str, dialect: Dialect) -> tuple[date, date] | None:
    """Return the days in the name that Matomo gives a file: Export _ Campaigns _ March 2026.csv."""
    *_, before, told = ["", *re.split(r"\s_\s", name.rpartition(".")[0])]
    if not before:
        return None
    told = re.sub(r"^(week |[^\W\d]+, )", "", told, flags=re.IGNORECASE)
    if parts := _DAYS_OF_MONTHS.fullmatch(told):
        first = f"{parts['first']} {parts['month']} {parts['year']}"
        told = f"{first} to {parts['last']} {parts['until'] or parts['month']} {parts['year']}"
    with suppress(Invalid):
        return values.interval(told, "days", replace(dialect, period="day"))
    return None


def _system(header: Sequence[str], preamble: Sequence[str]) -> str:
    names = {words.fold(words.bare(name)) for name in header}
    if any(name.startswith(("session ", "first user ")) for name in names) or any(
        "GA4" in one for one in preamble
    ):
        return "GA4"
    if "nb visits" in names or ({"visits", "actions"} <= names):
        return "Matomo"
    if {"visitors", "bounce rate"} <= names or {"visitors", "pageviews"} <= names:
        return "Plausible"
    return "file"
