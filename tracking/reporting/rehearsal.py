"""What an experiment would have shown in a simulated market, where the effect of the campaign is known."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from reports.experiments import SETTLE_WEEKS, Finding, Reading, propose, read
from reports.weeks import Weeks
from simulator.holdouts import HoldOut, every_year, hold_out
from simulator.market import World
from simulator.parameters import Scenario
from simulator.runs import Mapper


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Readings of the same experiment in several markets of one scenario.

    Attributes
    ----------
    readings : list of Reading
        One for each seed.
    lost : list of float
        Leads that the pause cost in the weeks that count, per seed, from the same market without it.
    power : list of float
        The chance to see the mean of ``lost`` that planning gave, per seed that it could tell it of.
    """

    readings: list[Reading]
    lost: list[float]
    power: list[float]

    @property
    def effect(self) -> float:
        """Return what the pause costs in the long run: the mean over the seeds."""
        return float(np.mean(self.lost))

    @property
    def effect_error(self) -> float:
        """Return the standard error of the effect over the seeds, of which there are two or more."""
        return float(np.std(self.lost, ddof=1) / np.sqrt(len(self.lost)))

    @property
    def read(self) -> list[Reading]:
        """Return the readings that have an interval."""
        return [each for each in self.readings if each.finding is not Finding.unknown]

    @property
    def covered(self) -> int:
        """Count the intervals that hold the effect."""
        return sum(each.low <= self.effect <= each.high for each in self.read)  # type: ignore[operator]

    def found(self, finding: Finding) -> int:
        """Count the readings that say this."""
        return sum(each.finding is finding for each in self.readings)


def rehearse(
    scenario: Scenario,
    campaign: str | None,
    spread: Mapper,
    *,
    accounts: int,
    seeds: range,
    weeks: int,
    before: int = 104,
    after: int = 0,
    regions: frozenset[str] = frozenset(),
    settle: int = SETTLE_WEEKS,
    on_progress: Callable[[float], None] = lambda _share: None,
) -> Rehearsal:
    """Pause advertising of a simulated market, read what that shows, and compare it with what is true.

    Parameters
    ----------
    scenario : Scenario
        The market.
    campaign : str or None
        What is paused; None: all advertising.
    spread : Mapper
        Where to run it.
    accounts : int
        Companies, 1 or more.
    seeds : range
        One market for each, two or more.
    weeks, before, after : int
        Weeks of the pause, and weeks that are known before and after it.
    regions : frozenset of str
        Where it is paused; empty: everywhere.
    settle : int, default 1
        Weeks at the beginning that are left out.
    on_progress : callable, optional
        Is given the share done, 0 to 1.

    Returns
    -------
    Rehearsal
        What the readings say, and what is true.

    Raises
    ------
    ValueError
        If the scenario has no such campaign or region.
    """
    held = HoldOut(campaign, 7 * before, 7 * (before + weeks), regions)
    days = 7 * (before + weeks + after)
    world = World(every_year(scenario, days), accounts, days, 0)
    readings, lost, series = [], [], []
    for number, seed in enumerate(seeds):
        found = hold_out(replace(world, seed=seed), held, spread)
        told = Weeks(found.place, found.paused, found.other if regions else None)
        readings.append(read(told, weeks, settle=settle))
        lost.append(float(found.lost[(found.place >= settle) & (found.place < weeks)].sum()))
        series.append(told)
        on_progress((number + 1) / len(seeds))
    power = []
    for told in series:
        known = told.place < 0
        earlier = Weeks(
            told.place[known], told.paused[known], None if told.other is None else told.other[known]
        )
        proposals = propose(earlier, durations=(weeks,), settle=settle)
        power += [each.power(float(np.mean(lost))) for each in proposals]
    return Rehearsal(readings, lost, power)
