"""When the supplier is open, and the clock of working time that stands still when it is not."""

from __future__ import annotations

import numpy as np

from simulator.chance import Integers
from simulator.market import DAY, World


class Hours:
    """When the desk is open, in wall-clock seconds."""

    def __init__(self, world: World) -> None:
        desk = world.scenario.desk
        first = world.scenario.start.toordinal() - world.scenario.warmup_days
        days = world.ends // DAY + 400
        shut = {day.toordinal() for day in desk.holidays}
        self._opens: list[int] = []
        self._next: list[int] = []
        for day in range(days):
            works = (first + day - 1) % 7 in desk.open_days and first + day not in shut
            self._opens.append(day * DAY + round(desk.open_hour * 3600) if works else -1)
        self._span = round((desk.close_hour - desk.open_hour) * 3600)
        coming = days * DAY
        for day in reversed(range(days)):
            self._next.append(coming)
            coming = self._opens[day] if self._opens[day] >= 0 else coming
        self._next.reverse()

    def is_open(self, now: int) -> bool:
        """Return whether somebody is there."""
        opens = self._opens[now // DAY]
        return 0 <= opens <= now < opens + self._span

    def next_opening(self, now: int) -> int:
        """Return the first opening after `now`; if it is open now, that of the next working day."""
        opens = self._opens[now // DAY]
        return opens if opens > now else self._next[now // DAY]

    def working(self, wall: Integers) -> Integers:
        """Return the seconds worked since the start of the warm-up at moments of the wall clock."""
        opens, worked = self._worked()
        day = np.searchsorted(opens, wall, side="right") - 1
        since = np.minimum(self._span, wall - opens[np.maximum(day, 0)])
        return np.where(day < 0, 0, worked[np.maximum(day, 0)] + since)

    def wall(self, working: Integers) -> Integers:
        """Return the first moments of the wall clock by which so many seconds were worked."""
        opens, worked = self._worked()
        day = np.maximum(np.searchsorted(worked, working, side="left") - 1, 0)
        return np.asarray(opens[day] + working - worked[day])

    def _worked(self) -> tuple[Integers, Integers]:
        opens = np.array([at for at in self._opens if at >= 0], dtype=np.int64)
        return opens, np.arange(len(opens), dtype=np.int64) * self._span
