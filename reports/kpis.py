"""Key performance indicators, each defined once: what is divided by what, its unit, what it hides."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reports.definitions import KPIS, Kpi

__all__ = ["KPIS", "Kpi", "Period", "last_days", "local_days", "ratio"]

Ints = npt.NDArray[np.int64]
_DAY_US = 86_400_000_000


def ratio(numerator: float, denominator: float) -> float | None:
    """Divide, or say that there is nothing to divide by.

    Parameters
    ----------
    numerator, denominator : float
        Any finite figures.

    Returns
    -------
    float or None
        The quotient; None where the denominator is zero, since any figure would be a guess.

    Examples
    --------
    >>> ratio(2000 - 1000, 1000)
    1.0
    >>> ratio(1, 0) is None
    True
    """
    return None if denominator == 0 else numerator / denominator


@dataclass(frozen=True, slots=True)
class Period:
    """Whole local days from ``start`` up to, not including, ``end``.

    Parameters
    ----------
    start, end : datetime.date
        First day covered, and first day no longer covered.
    zone : zoneinfo.ZoneInfo
        Whose days they are.

    Raises
    ------
    ValueError
        If ``end`` is not after ``start``.

    Examples
    --------
    A day on which the clock goes forward has 23 hours:

    >>> day = Period(date(2026, 3, 29), date(2026, 3, 30), ZoneInfo("Europe/Stockholm"))
    >>> day.until - day.since
    datetime.timedelta(seconds=82800)
    """

    start: date
    end: date
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(f"the period ends on {self.end}, which is not after its start, {self.start}")

    @property
    def since(self) -> datetime:
        """First moment covered, in UTC."""
        return self._midnight(self.start)

    @property
    def until(self) -> datetime:
        """First moment no longer covered, in UTC."""
        return self._midnight(self.end)

    def _midnight(self, day: date) -> datetime:
        # Through timestamps: subtraction of two times in one zone ignores a change of the clock.
        return datetime.fromtimestamp(_midnight(day, self.zone), ZoneInfo("UTC"))

    def holds(self, moments: Any) -> Any:
        """Say for each moment of an Arrow column whether it lies in the period.

        Parameters
        ----------
        moments : pyarrow.ChunkedArray of timestamp[us, UTC]
            The moments.

        Returns
        -------
        pyarrow.ChunkedArray of bool
            True where the period holds the moment.
        """
        kind = pa.timestamp("us", "UTC")
        return pc.and_(
            pc.greater_equal(moments, pa.scalar(self.since, kind)),
            pc.less(moments, pa.scalar(self.until, kind)),
        )


def _midnight(day: date, zone: ZoneInfo) -> float:
    return datetime.combine(day, time(), zone).timestamp()


def local_days(moments: npt.NDArray[np.int64], zone: ZoneInfo) -> npt.NDArray[np.int32]:
    """Return the local day of each moment.

    Parameters
    ----------
    moments : ndarray of int64
        Microseconds since 1970, UTC.
    zone : zoneinfo.ZoneInfo
        Whose days they are.

    Returns
    -------
    ndarray of int32
        Days since 1970-01-01; the days of which :class:`Period` is made.

    Examples
    --------
    >>> local_days(np.array([0, 23 * 3_600_000_000]), ZoneInfo("Europe/Stockholm")).tolist()
    [0, 1]
    """
    # Few days hold many moments: the midnights around each are asked of the zone once.
    near = np.unique(np.unique(moments // _DAY_US)[:, None] + np.arange(-1, 2))
    near = near[(near >= -719_161) & (near <= 2_932_896)]  # years 1 to 9999
    epoch = date(1970, 1, 1)
    midnights = [int(_midnight(epoch + timedelta(days=int(day)), zone)) * 10**6 for day in near]
    place = np.searchsorted(np.array(midnights, dtype=np.int64), moments, side="right") - 1
    return near[np.maximum(place, 0)].astype(np.int32) if near.size else np.zeros(0, dtype=np.int32)


def last_days(today: date, days: int, zone: ZoneInfo) -> Period:
    """Return the period of the last ``days`` days up to and including ``today``.

    Parameters
    ----------
    today : datetime.date
        The last day covered.
    days : int
        How many, 1 or more.
    zone : zoneinfo.ZoneInfo
        Whose days they are.

    Returns
    -------
    Period
        That many whole days.
    """
    return Period(today - timedelta(days=days - 1), today + timedelta(days=1), zone)
