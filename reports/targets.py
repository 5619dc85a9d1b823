"""Targets with a period and a pace: so far, expected by now, and whether the target is within the trend."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from reports.kpis import ratio

FAR = 3.0
"""So many times last year's figure, or so small a part of it, is outside the trend (an assumption)."""
FEW = 5.0
"""A year that brought fewer counts as one that brought so many (an assumption)."""
EARLY = 0.25
"""With a smaller share of the days gone, this year says nothing of a whole year (an assumption)."""


def window(day: date, starts_on: date | None, ends_on: date | None) -> tuple[date, date]:
    """Return the days that a yearly target is for: the calendar year, or the campaign's own days in it.

    Parameters
    ----------
    day : datetime.date
        A day of the year.
    starts_on, ends_on : datetime.date or None
        The campaign's days, both covered.

    Returns
    -------
    tuple of datetime.date
        First and last day; the whole year for a campaign with no day in it.

    Examples
    --------
    >>> window(date(2026, 11, 30), date(2026, 3, 1), None)
    (datetime.date(2026, 3, 1), datetime.date(2026, 12, 31))
    """
    first, last = date(day.year, 1, 1), date(day.year, 12, 31)
    start, end = max(starts_on or first, first), min(ends_on or last, last)
    return (start, end) if start <= end else (first, last)


def of_year(targets: Mapping[str, float], year: int) -> dict[str, float]:
    """Return the targets of a year: its own, such as "leads 2027", before those of every year.

    Parameters
    ----------
    targets : mapping of str to float
        Measure, with or without a year, and figure.
    year : int
        Which.

    Returns
    -------
    dict of str to float
        Measure without a year, and figure.

    Examples
    --------
    >>> targets = {"leads": 40, "leads 2027": 50, "calls 2026": 9}
    >>> of_year(targets, 2026), of_year(targets, 2027)
    ({'leads': 40, 'calls': 9}, {'leads': 50})
    """
    found: dict[str, float] = {}
    for measure, figure in targets.items():
        name, of = _measure(measure)
        if of == year or (of is None and name not in found):
            found[name] = figure
    return found


def measures(targets: Iterable[str]) -> set[str]:
    """Return what targets measure, in small letters and without years.

    Parameters
    ----------
    targets : iterable of str
        Measures as they were entered.

    Returns
    -------
    set of str
        Such as "leads".
    """
    return {_measure(target)[0].lower() for target in targets}


def _measure(target: str) -> tuple[str, int | None]:
    name, _, year = target.strip().rpartition(" ")
    return (name.strip(), int(year)) if name and re.fullmatch(r"20\d\d", year) else (target.strip(), None)


@dataclass(frozen=True, slots=True)
class Pace:
    """How a yearly target is coming along.

    Attributes
    ----------
    target : float
        For the whole year.
    so_far : float or None
        Reached by now; None where it is not recorded.
    gone : float
        Share of the days of the target that are over, 0 to 1.
    last_year : float or None
        What the year before brought; None where it was not recorded.
    """

    target: float
    so_far: float | None
    gone: float
    last_year: float | None = None

    @property
    def expected(self) -> float:
        """Return what of the target is due by now, if it comes evenly over the days."""
        return self.target * self.gone

    @property
    def reached(self) -> float | None:
        """Return what share of the target is reached; None where nothing is recorded."""
        return None if self.so_far is None else ratio(self.so_far, self.target)

    @property
    def whole_year(self) -> float | None:
        """Return what the year brings at this pace; None while too little of it is over."""
        return None if self.so_far is None or self.gone < EARLY else self.so_far / self.gone

    @property
    def trend(self) -> float | None:
        """Return what a year brings: last year's figure, else this year's at its pace."""
        return self.last_year if self.last_year is not None else self.whole_year

    @property
    def close(self) -> bool:
        """Tell whether what is reached differs from what is due by the root of that at most."""
        return self.so_far is not None and abs(self.so_far - self.expected) <= max(self.expected, 1.0) ** 0.5

    @property
    def ahead(self) -> int | None:
        """Return 1 where more is reached than is due, -1 where less, 0 where chance may be the difference.

        Counts of events vary by the root of their number; twice that is more than chance.
        """
        if self.so_far is None:
            return None
        more = self.so_far - self.expected
        return 0 if abs(more) <= 2 * max(self.expected, 1.0) ** 0.5 else 1 if more > 0 else -1

    @property
    def far(self) -> bool:
        """Tell whether the target lies far outside the trend.

        Examples
        --------
        >>> [Pace(target, 90, 1.0, 95).far for target in (100, 1_000, 10)]
        [False, True, True]
        """
        trend = self.trend
        # Of very few nothing is known: none may as well have been five.
        return trend is not None and not trend / FAR <= self.target <= max(trend, FEW) * FAR


def gone(day: date, first: date, last: date) -> float:
    """Return what share of some days is over at the end of a day.

    Parameters
    ----------
    day, first, last : datetime.date
        Today, and the days, both covered.

    Returns
    -------
    float
        0 to 1.

    Examples
    --------
    >>> gone(date(2026, 1, 5), date(2026, 1, 1), date(2026, 1, 10))
    0.5
    """
    return min(max((day - first).days + 1, 0) / ((last - first).days + 1), 1.0)
