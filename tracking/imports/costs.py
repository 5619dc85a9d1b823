"""Costs from a spreadsheet or an advertising system's export: money, or hours at a rate."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import islice
from typing import TypeAlias

from sqlalchemy.orm import Session

from tracking.errors import Invalid, Sentence, say
from tracking.imports import platforms, values, words
from tracking.imports.deciding import period_of
from tracking.imports.headed import Headed, Occurrences
from tracking.imports.mapping import Told
from tracking.imports.outcomes import Outcome, Skip
from tracking.imports.reading import Broken, Table
from tracking.imports.run import each
from tracking.imports.values import Dialect
from tracking.records import campaigns, costs
from tracking.records.costs import CostRecord
from tracking.records.import_outcome import ImportOutcome

_ENOUGH = 3
"""So many negative amounts, and no other, are money spent written with a minus; fewer may be refunds."""


@dataclass(frozen=True, slots=True)
class _Spent:
    record: CostRecord
    campaign: str | None
    channel: str | None
    material: str | None


_REFUND = say("must be 0 or more; reduce the original cost to record a refund").template
_PERIOD = frozenset({"period", "period_start", "period_end", "last_day"})
_Key: TypeAlias = tuple[object, ...]
"""Whose cost it is and when: campaign, first day, currency."""
_Part: TypeAlias = tuple[str, str, str]
"""Campaign, currency and period, as they are written."""


class Costs(Headed):
    """The rows of a list of costs."""

    kind = "costs"
    name = "costs"
    aliases = dict.fromkeys(
        (
            "cost_id",
            "campaign",
            "channel",
            "material",
            "period",
            "period_start",
            "period_end",
            "last_day",
            "amount",
            "currency",
            "hours",
            "hourly_rate",
            "category",
            "direct",
            "note",
        ),
        (),
    )
    looked_at = None
    needed = (("amount", "hours"),)
    told_by = (
        ("amount", "hours"),
        ("period", "period_start"),
        ("campaign", "category", "channel", "cost_id"),
    )

    def __init__(self, table: Table, dialect: Dialect, told: Told | None = None) -> None:
        super().__init__(table, dialect, told)
        self._occurrences = Occurrences()
        self._range = None if {"period", "period_start"} & self._found() else self._range_above(dialect)
        if self._range is None:
            self._require(("period", "period_start"))
        self.source = platforms.of(self.columns, table.preamble)
        if self.source:
            self.name = self.source.name
            if self.source.month_first and "dates" in self.decided.asked:
                self.decided.asked.discard("dates")
                for name in _PERIOD & self.decided.dialects.keys():
                    self.decided.dialects[name] = replace(self.decided.dialects[name], day_first=False)
            if self.source.currency and not dialect.currency_told and not self.columns.currency("amount"):
                self.dialect = replace(self.dialect, currency=self.source.currency)
            self._note(
                say(
                    "a row replaces earlier costs from %(source)s for the same campaign from that "
                    "day on; rows with the same campaign and day are added up",
                    source=self.source.name,
                )
            )
        self._look(table, dialect)
        self._overhead = 0

    def _note(self, note: Sentence) -> None:
        self.notes = [*self.notes, note]

    def _found(self) -> set[str]:
        return {name for name in self.aliases if name in self.columns}

    def _range_above(self, dialect: Dialect) -> tuple[date, date] | None:
        """Return the days that the lines above the names speak of: a range, or a first and a last day."""
        alone: list[date] = []
        for line in self.table.preamble:
            for text in (line, line.partition(":")[2]):
                found = _range_in(text.strip().strip('",; '), dialect)
                if found is None:
                    continue
                start, end = found
                if end - start > timedelta(days=1):
                    return self._covers(start, end)
                alone.append(start)
                break
        if len(alone) >= 2 and alone[0] <= alone[1]:
            return self._covers(alone[0], alone[1] + timedelta(days=1))
        return None

    def _covers(self, start: date, end: date) -> tuple[date, date]:
        self._note(say("the file covers %(start)s to %(last)s", start=start, last=end - timedelta(days=1)))
        return start, end

    def _look(self, table: Table, dialect: Dialect) -> None:
        """Look through the whole file: what a bare day covers, which row is a sum, what belongs together."""
        self._totals: Counter[str] = Counter()
        """What the rows with a campaign come to, by currency, and how many they are."""
        self._counts: Counter[str] = Counter()
        self._parts: Counter[tuple[str, str]] = Counter()
        """The same by currency and period, as it is written."""
        self._part_counts: Counter[tuple[str, str]] = Counter()
        own: Counter[_Part] = Counter()
        of_all: Counter[tuple[_Part, int]] = Counter()
        starts: set[date] = set()
        name = "period" if "period" in self.columns else "period_start"
        for row in islice(table.rows(width=len(self.columns.header)), 1, None):
            if isinstance(row, Broken) or len(row.cells) < len(self.columns.header):
                continue
            if super().passed_over(row.cells):
                continue
            with suppress(Invalid):
                if cell := self.columns.cell(row.cells, name):
                    starts.add(values.day(cell, name, self.dialect_of(name)))
            named = self.columns.cell(row.cells, "campaign")
            if named and not words.is_total(named) and (found := self._part(row.cells)):
                part, amount = found
                if self._says_all(row.cells, named):
                    of_all[found] += 1
                else:
                    own[part] += amount
                    self._count(part, amount)
        # A row of all ad sets, ages or places stands beside theirs, and is as much as they.
        self._of_all = {(part, amount) for part, amount in of_all if amount == own.get(part)}
        for (part, amount), count in of_all.items():
            if (part, amount) not in self._of_all:
                self._count(part, amount, count)
        seen = self.amounts.get("amount")
        self._negated = seen is not None and seen.negative >= _ENOUGH and not seen.positive
        if self._negated:
            column = self.columns.column("amount")
            self._note(say("%(column)s: all amounts are negative and are read as costs", column=column))
        self._range_of_report(starts, name)
        self._cover(starts, name, dialect.period)
        self._sums: Counter[_Key] = Counter()
        self._spoilt: dict[_Key, int] = {}
        self._told: set[_Key] = set()
        if self.source:
            self._add_up(table)

    def _count(self, part: _Part, amount: int, count: int = 1) -> None:
        _, currency, period = part
        self._totals[currency] += count * amount
        self._parts[currency, period] += count * amount
        self._counts[currency] += count
        self._part_counts[currency, period] += count

    def _cover(self, starts: set[date], name: str, told: str) -> None:
        """Decide what a row covers that is dated by one day."""
        if self._range or (name == "period_start" and {"last_day", "period_end"} & self._found()):
            self._period = "day"
            return
        column = self.columns.column(name)
        self._period = period_of(column, starts, told)
        if not self._period and any(start.day == 1 for start in starts):
            self.decided.asked.add("period")
        if self._period not in ("", "day"):
            self._note(
                say(
                    "%(column)s: each date means the %(period)s it falls in",
                    column=column,
                    period=self._period,
                )
            )

    def _range_of_report(self, starts: set[date], name: str) -> None:
        # LinkedIn gives each row the first day of a report that covers more.
        if (
            self.source
            and name == "period_start"
            and len(starts) == 1
            and not {"last_day", "period_end"} & self._found()
        ):
            above = self._range_above(self.dialect)
            if above and above[0] in starts:
                self._range = above

    def _add_up(self, table: Table) -> None:
        for row in islice(table.rows(width=len(self.columns.header)), 1, None):
            if (
                isinstance(row, Broken)
                or len(row.cells) < len(self.columns.header)
                or self.passed_over(row.cells)
            ):
                continue
            key = self._key(row.cells)
            if key is None:
                continue
            try:
                self._sums[key] += self._spent(row.cells).record.amount_minor or 0
            except Invalid:
                self._spoilt.setdefault(key, row.line)

    def _key(self, cells: Sequence[str]) -> _Key | None:
        try:
            return (
                values.text(self.columns.cell(cells, "campaign"), "campaign"),
                self._days(cells)[0],
                self.currency(cells),
            )
        except Invalid:
            return None

    def passed_over(self, cells: Sequence[str]) -> Skip | None:
        """Return why a row is none: totals, named so or without a campaign and as much as all the others."""
        if (skip := super().passed_over(cells)) is not None:
            return skip
        if "campaign" not in self.columns:
            return None
        if named := self.columns.cell(cells, "campaign"):
            # A campaign may be called so, and then it is not as much as the others.
            summed = words.is_total(named) and self._is_the_sum(cells, 1)
            of_all = self._says_all(cells, named) and self._part(cells) in self._of_all
            return Skip("total row") if summed or of_all else None
        if self.source is not None:
            return Skip("total row") if self.source.unnamed_are_totals or self._is_the_sum(cells, 1) else None
        said = ("category", "note", "channel", "material", "cost_id", "direct", "hours")
        return (
            Skip("total row")
            if not any(self.columns.cell(cells, name) for name in said) and self._is_the_sum(cells, 2)
            else None
        )

    def _part(self, cells: Sequence[str]) -> tuple[_Part, int] | None:
        """Return what a row is a part of, and its amount; None where that cannot be read."""
        with suppress(Invalid):
            currency = self.currency(cells)
            period = self.columns.cell(cells, "period") or self.columns.cell(cells, "period_start")
            amount = self.amount(cells, "amount", currency) or 0
            return (self.columns.cell(cells, "campaign"), currency, period), amount
        return None

    def _says_all(self, cells: Sequence[str], named: str) -> bool:
        return any(cell != named and words.is_all(cell) for cell in cells)

    def _is_the_sum(self, cells: Sequence[str], least: int) -> bool:
        if (found := self._part(cells)) is None:
            return False
        (_, currency, period), amount = found
        part = currency, period
        return bool(amount) and (
            (self._counts[currency] >= least and amount == self._totals[currency])
            or (self._part_counts[part] >= least and amount == self._parts[part])
        )

    def read(self, cells: Sequence[str]) -> _Spent | Skip:
        """Read one cost."""
        if self.source is None:
            spent = self._spent(cells)
            silent = spent.campaign is None and not self.columns.cell(cells, "direct")
            self._overhead += silent and "campaign" in self.columns
            return spent
        if "amount" in self.columns and not self.columns.cell(cells, "amount"):
            return Skip("row without an amount")
        spent = self._spent(cells)
        key = self._key(cells)
        assert key is not None
        if line := self._spoilt.get(key):
            raise Invalid(
                "row",
                "line %(line)s has the same campaign and day and was rejected; fix it first, "
                "because both are one cost",
                line=line,
            )
        if self._sums[key] < 0:
            raise Invalid("amount", _REFUND)
        if key in self._told:
            return Skip("added to the row of the same campaign and day")
        self._told.add(key)
        source_key = f"{costs.ANY_REPORT}{self.source.key}-{values.content_key(*key)}"
        return replace(
            spent, record=replace(spent.record, amount_minor=self._sums[key], source_key=source_key)
        )

    def _spent(self, cells: Sequence[str]) -> _Spent:
        def cell(name: str) -> str:
            return self.columns.cell(cells, name)

        currency = self.currency(cells)
        start, end = self._days(cells)
        campaign = values.text(cell("campaign"), "campaign")
        direct = values.yes(cell("direct"), "direct") if cell("direct") else campaign is not None
        amount = self.amount(cells, "amount", currency)
        if amount is not None and self._negated:
            amount = -amount
        if amount is not None and amount < 0 and self.source is None:
            raise Invalid("amount", _REFUND)
        record = CostRecord(
            period_start=start,
            period_end=end,
            currency=currency,
            category=values.text(cell("category"), "category") or "other",
            direct=direct,
            amount_minor=amount,
            minutes=values.minutes(cell("hours"), "hours", self.dialect),
            hourly_rate_minor=self.amount(cells, "hourly_rate", currency),
            note=values.text(cell("note"), "note", 2000) or "",
        )
        channel, material = values.text(cell("channel"), "channel"), values.text(cell("material"), "material")
        if material and not campaign:
            raise Invalid("campaign", "enter the asset's campaign")
        if self.source is not None:
            channel = channel or self.source.channel
            return _Spent(replace(record, note="", category=record.category), campaign, channel, material)
        cost_id = values.identifier(cell("cost_id"), "cost_id", 190)
        key = f"cost-{cost_id}" if cost_id else self._occurrences.key(record, campaign, material)
        return _Spent(replace(record, source_key=key), campaign, channel, material)

    def looks(self, cells: Sequence[str]) -> Iterable[Callable[[], object]]:
        """Return what reads single cells of a row."""
        yield partial(self._days, cells)
        yield from super().looks(cells)
        yield partial(values.minutes, self.columns.cell(cells, "hours"), "hours", self.dialect)
        if direct := self.columns.cell(cells, "direct"):
            yield partial(values.yes, direct, "direct")

    def remarks(self) -> Sequence[Sentence]:
        """Say how much of the file belongs to no campaign: in a grouped table its name stands once."""
        found = list(super().remarks())
        if self._overhead:
            found.append(say("rows without a campaign, taken as overhead: %(rows)s", rows=self._overhead))
        return found

    def save(self, session: Session, records: Sequence[_Spent], at: datetime) -> Sequence[Outcome]:
        """Add the costs, or bring them up to date."""
        found = self.campaigns.find(session, {r.campaign: r.channel for r in records if r.campaign}, at)

        def one(spent: _Spent) -> ImportOutcome:
            piece = (
                campaigns.material(session, spent.campaign or "", spent.material) if spent.material else None
            )
            campaign = found[spent.campaign] if spent.campaign else None
            self.spent_on(spent.record.currency, spent.record.period_start)
            if self.source is not None:
                return costs.restate(
                    session, spent.record, campaign=campaign, source=f"{costs.ANY_REPORT}{self.source.key}-"
                )
            return costs.save(session, spent.record, campaign=campaign, material=piece)[1]

        outcomes = each(session, records, one)
        self.campaigns.keep(session, found, zip((r.campaign for r in records), outcomes, strict=True))
        return outcomes

    def _days(self, cells: Sequence[str]) -> tuple[date, date]:
        def cell(name: str) -> str:
            return self.columns.cell(cells, name)

        if self._range is not None:
            return self._range
        # In a column of weeks, 10/2026 is one.
        named = "week" if self._period == "week" else "day"
        if cell("period"):
            return self._covered(
                "period",
                *values.interval(cell("period"), "period", replace(self.dialect_of("period"), period=named)),
            )
        start = values.day(cell("period_start"), "period_start", self.dialect_of("period_start"))
        if cell("period_end") and cell("last_day"):
            raise Invalid("last_day", "use last_day or period_end, not both")
        if cell("last_day"):
            end = values.day(cell("last_day"), "last_day", self.dialect_of("last_day")) + timedelta(days=1)
            if end <= start:
                raise Invalid(
                    "last_day", "before the first day, %(start)s; swap them or correct one", start=start
                )
            return start, end
        if cell("period_end"):
            end = values.day(cell("period_end"), "period_end", self.dialect_of("period_end"))
            if end <= start:
                raise Invalid(
                    "period_end",
                    "must be after %(start)s (this day is not included); enter the next day, or "
                    "name the column last_day",
                    start=start,
                )
            return start, end
        return self._covered("period_start", start, start + timedelta(days=1))

    def _covered(self, name: str, start: date, end: date) -> tuple[date, date]:
        """Return what a bare day covers; what names its end itself stays."""
        if end - start != timedelta(days=1) or self._period == "day":
            return start, end
        if not self._period:
            if start.day != 1:
                return start, end
            raise Invalid(
                name,
                "could mean that day or the month starting on it; use --period day or --period month",
            )
        return values.covered(start, self._period)


_TWO_DAYS = re.compile(r"^(\d+/\d+/\d+),\s?(\d+/\d+/\d+)$")


def _range_in(text: str, dialect: Dialect) -> tuple[date, date] | None:
    """Read the days of a line above a table; 3/1/2026 - 3/31/2026 tells itself which comes first."""
    if not any(character.isdigit() for character in text):
        return None
    text = _TWO_DAYS.sub(r"\1 - \2", text)
    for day_first in (None, True, False) if dialect.day_first is None else (dialect.day_first,):
        with suppress(Invalid):
            return values.interval(text, "period", replace(dialect, day_first=day_first, period="day"))
    return None
