"""What a whole column says about how it is written: decimal mark, day or month first, days or months."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import TypeVar

from tracking.errors import Invalid, Sentence, say
from tracking.imports import values, words
from tracking.imports.values import Dialect

_SLASHED = re.compile(r"(?<![\d/\-])(\d{1,2})([/\-])(\d{1,2})\2(?:\d{4}|\d{2})(?!\d)")
_SERIAL = re.compile(r"[2-5]\d{4}(?:\.\d{1,12})?")
# In these languages days come before months, and the comma divides.
DAY_FIRST = frozenset({"sv", "de", "ru"})
_Said = TypeVar("_Said")


@dataclass(slots=True)
class Amounts:
    """The amounts of a column, looked at together."""

    divides: Counter[str] = field(default_factory=Counter)
    """How many cells show that a mark is the decimal one."""
    either: Counter[str] = field(default_factory=Counter)
    """How many cells have a mark that groups or divides, as in 1.234."""
    negative: int = 0
    positive: int = 0

    def add(self, cell: str) -> None:
        """Look at a cell."""
        found = values.figure(cell)
        if found is None:
            return
        digits = found.digits
        if any(character in "123456789" for character in digits):
            if found.negative:
                self.negative += 1
            else:
                self.positive += 1
        dot, comma = digits.rfind("."), digits.rfind(",")
        if dot >= 0 and comma >= 0:
            self.divides["." if dot > comma else ","] += 1
        elif dot >= 0 or comma >= 0:
            mark = "." if dot >= 0 else ","
            head, *groups = digits.split(mark)
            if len(groups) > 1:
                self.divides["," if mark == "." else "."] += 1
            elif len(groups[0]) == 3 and 1 <= len(head.strip()) <= 3 and head.strip() != "0":
                self.either[mark] += 1
            else:
                self.divides[mark] += 1

    def decimal(self, language: str) -> str | None:
        """Return the decimal mark, or None where the column does not tell; then each cell must by itself."""
        dots, commas = self.divides["."], self.divides[","]
        if dots != commas:
            return "." if dots > commas else ","
        if dots:
            return "," if language in DAY_FIRST else "."
        return None

    def doubtful(self, language: str) -> str | None:
        """Return the mark that may divide or group in every cell, if the language divides by it."""
        usual = "," if language in DAY_FIRST else "."
        return usual if self.either[usual] and not (self.divides["."] or self.divides[","]) else None


@dataclass(slots=True)
class Days:
    """The days of a column, looked at together."""

    day_first: int = 0
    month_first: int = 0
    either: int = 0
    serials: int = 0
    others: int = 0

    def add(self, cell: str) -> None:
        """Look at a cell."""
        cell = values.clean(cell)[:60]
        if not cell:
            return
        if found := _SLASHED.search(cell):
            first, second = int(found[1]), int(found[3])
            if first > 12 >= second:
                self.day_first += 1
            elif second > 12 >= first:
                self.month_first += 1
            elif first != second:
                self.either += 1
        elif _SERIAL.fullmatch(cell):
            self.serials += 1
        else:
            self.others += 1

    @property
    def told(self) -> bool:
        """Tell whether any day is written so that the order of day and month matters."""
        return bool(self.day_first or self.month_first or self.either)

    def order(self) -> bool | None:
        """Return whether the day comes first; None where the column does not tell."""
        if self.day_first != self.month_first:
            return self.day_first > self.month_first
        return None


@dataclass(slots=True)
class Decision:
    """What was decided for a file, by field, and why."""

    dialects: dict[str, Dialect] = field(default_factory=dict)
    reasons: list[Sentence] = field(default_factory=list)
    questions: dict[str, Invalid] = field(default_factory=dict)
    """By field: what a cell that can be read in two ways is refused with."""
    asked: set[str] = field(default_factory=set)
    """What must be told, as options: decimal, dates, period."""

    def because(self, reason: Sentence) -> None:
        """Add a reason, once."""
        if reason not in self.reasons:
            self.reasons.append(reason)


def days_in(lines: Iterable[str]) -> Days:
    """Return what the days in lines of text say together."""
    found = Days()
    for line in lines:
        for each in _SLASHED.finditer(line[:500]):
            found.add(each[0])
    return found


def decide(
    dialect: Dialect,
    header: Sequence[str],
    amounts: dict[str, Amounts],
    days: dict[str, Days],
    names: dict[str, str],
    above: Days,
) -> Decision:
    """Decide how the columns are written; what was told counts, then the column, then the file's others.

    ``above`` are the days in the lines above the names.

    ``names`` gives the columns their names, by field. An amount's field may have a currency behind it: then
    only rows in that currency are meant, and where they do not tell, the whole column does.
    """
    made = Decision()
    language = words.language(header)
    _decide_marks(made, dialect, language, amounts, names)
    _decide_orders(made, dialect, language, days, names, above)
    return made


def _decide_marks(
    made: Decision, dialect: Dialect, language: str, amounts: dict[str, Amounts], names: dict[str, str]
) -> None:
    marks = {name: dialect.decimal or column.decimal(language) for name, column in amounts.items()}
    common = _agreed(marks.values())
    for name, column in amounts.items():
        whole = name.partition(" ")[0]
        mark = marks[name] or marks[whole] or common
        # Once for a column: those of one currency in it are told only where they differ.
        told = name != whole and amounts[whole].either and mark == (marks[whole] or common)
        if mark and not dialect.decimal and column.either and not told:
            made.because(
                say(
                    "%(column)s: %(mark)s is the decimal mark, as other cells show",
                    column=names[name],
                    mark=mark,
                )
            )
        if mark is None and (doubtful := column.doubtful(language)):
            made.asked.add("decimal")
            made.questions[name] = Invalid(
                whole,
                "%(mark)s could be a decimal or a thousands separator; use --decimal , or --decimal .",
                mark=doubtful,
            )
        made.dialects[name] = replace(dialect, decimal=mark)


def _decide_orders(
    made: Decision,
    dialect: Dialect,
    language: str,
    days: dict[str, Days],
    names: dict[str, str],
    above: Days,
) -> None:
    told = dialect.day_first
    orders = {name: column.order() if told is None else told for name, column in days.items()}
    agreed = _agreed([*orders.values(), above.order()])
    for name, column in days.items():
        order = orders[name] if orders[name] is not None else agreed
        if order is None and column.either and language in DAY_FIRST:
            order = True
            made.because(
                say("%(column)s: the day comes first, as in the language of the header", column=names[name])
            )
        elif told is None and order is not None and column.either:
            made.because(
                say("%(column)s: the day comes first, as other dates show", column=names[name])
                if order
                else say("%(column)s: the month comes first, as other dates show", column=names[name])
            )
        if (order is None and column.either) or (column.serials and not dialect.serials):
            made.asked.add("dates")
        made.dialects[name] = replace(dialect, day_first=order)


def period_of(name: str, cells: Iterable[date], told: str) -> str:
    """Return what a row covers that names its first day only: by its column's name, then by the spacing.

    "" where it can be either: several first days of months, which may be months or days.
    """
    if told:
        return told
    if called := words.values("periods").get(words.fold(name)):
        return called
    found = sorted(set(cells))
    gaps = [later - earlier for earlier, later in pairwise(found)]
    if found and all(each.day == 1 for each in found):
        if len(found) < 3:
            return ""
        if all(each.month in (1, 4, 7, 10) for each in found) and all(
            gap <= timedelta(days=92) for gap in gaps
        ):
            return "quarter"
        return "month" if all(gap <= timedelta(days=31) for gap in gaps) else ""
    if len(found) >= 3 and all(gap == timedelta(days=7) for gap in gaps):
        return "week"
    return "day"


def _agreed(found: Iterable[_Said | None]) -> _Said | None:
    said = set(found) - {None}
    return said.pop() if len(said) == 1 else None
