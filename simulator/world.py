"""A scenario made concrete, and its two clocks.

Moments are whole seconds of *activity time*, counted from the start of the warm-up: a clock on which buyers
are evenly active all week. `Week` turns it into the wall clock.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from simulator.chance import Integers

if TYPE_CHECKING:
    from simulator.parameters import Scenario

DAY: Final = 86_400
WEEK: Final = 7 * DAY
YEAR_DAYS: Final = 365.0
# Calls and views that pass the desk and the pool together, about: some 10 MB, and enough to keep numpy busy.
_TOGETHER: Final = 20_000


@dataclass(frozen=True)
class World:
    """A scenario made concrete: how many companies, how long, and which chance.

    Attributes
    ----------
    scenario : Scenario
        The parameters.
    accounts : int
        Companies, 1 or more.
    days : int
        Length of the reporting window in days, 1 or more.
    seed : int
        Decides every draw.
    """

    scenario: Scenario
    accounts: int
    days: int
    seed: int

    @property
    def opens(self) -> int:
        """First second of the reporting window, on the wall clock."""
        return self.scenario.warmup_days * DAY

    @property
    def closes(self) -> int:
        """First second after the reporting window, on the wall clock; all campaigns stop about here."""
        return self.opens + self.days * DAY

    @property
    def ends(self) -> int:
        """Last second simulated, the end of the tail."""
        return self.closes + self.scenario.tail_days * DAY

    @property
    def period(self) -> int:
        """Seconds whose calls pass the desk and the pool together: whole weeks, fewer with more calls."""
        desk, pool = self.scenario.desk, self.scenario.observer.pool
        # About as many calls are enquiries as come from customers.
        calls = 2 * desk.customer_calls_per_day * self.accounts / 1000 + desk.junk_per_day
        return WEEK * max(1, int(_TOGETHER / max(1.0, 7 * (calls + pool.views_per_day))))

    @property
    def periods(self) -> int:
        """How many periods the world has, the last one perhaps in part."""
        return -(-self.ends // self.period)

    @property
    def campaigns(self) -> list[str]:
        """Names of the campaigns in the scenario's order, which is the order of every spend vector."""
        return list(self.scenario.campaigns)


class Week:
    """The map between activity time and the wall clock, the same every week and strictly rising."""

    def __init__(self, world: World) -> None:
        calendar = world.scenario.calendar
        first = (world.scenario.start.toordinal() - world.scenario.warmup_days - 1) % 7
        weights = np.outer(np.roll(np.asarray(calendar.days), -first), np.asarray(calendar.hours)).ravel()
        self._active = np.concatenate(([0.0], np.cumsum(weights) / weights.sum())) * WEEK
        self._wall = np.arange(len(weights) + 1) * 3600.0
        self._active_one, self._wall_one = self._active.tolist(), self._wall.tolist()

    def wall(self, activity: Integers) -> Integers:
        """Return wall-clock seconds since the start of the warm-up for seconds of activity time."""
        weeks, rest = np.divmod(activity, WEEK)
        return np.asarray(weeks * WEEK + np.rint(np.interp(rest, self._active, self._wall)).astype(np.int64))

    def activity(self, wall: Integers) -> Integers:
        """Return seconds of activity time for wall-clock seconds since the start of the warm-up."""
        weeks, rest = np.divmod(wall, WEEK)
        return np.asarray(weeks * WEEK + np.rint(np.interp(rest, self._wall, self._active)).astype(np.int64))

    def later(self, wall: int, activity: int) -> int:
        """Return the wall-clock second that lies so many seconds of activity time after another one.

        The same as by `activity` and `wall`, for a single moment and without building arrays.
        """
        return _carry(
            _carry(wall, self._wall_one, self._active_one) + activity, self._active_one, self._wall_one
        )


def _carry(moment: int, clock: list[float], other: list[float]) -> int:
    """Return a moment on another clock, given both clocks' readings at the hours of a week."""
    weeks, rest = divmod(moment, WEEK)
    hour = bisect_right(clock, rest) - 1
    slope = (other[hour + 1] - other[hour]) / (clock[hour + 1] - clock[hour])
    return weeks * WEEK + round(slope * (rest - clock[hour]) + other[hour])
