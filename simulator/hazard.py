"""The hazards of the buying cycle: what a company met adds up until the moment is ripe.

The hazard of a stage is a staircase: organic demand at the bottom, each meeting's lift on top of it for three
half-lives, each meeting's impulse as a jump of the accumulated hazard. The moment at which the accumulated
hazard reaches a threshold is found for all needs of a shard at once, in whole numbers, so that neither the
order of summing nor the company of other needs can change a single second.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from simulator.chance import Flags, Floats, Integers, exponential, ragged
from simulator.market import DAY, MEMORY_HALVES, Shard
from simulator.parameters import ScenarioError

NEVER: Final = np.int64(2**62)

# A hazard weight of 1 is this many units: thousandths, times four because a lift halves twice.
_UNIT: Final = 4_000
# Seconds by which any lift has ended, past the end of the world: 3 half-lives of at most 730 days.
_FADE: Final = MEMORY_HALVES * 730 * DAY + 1
_BIG: Final = np.int64(2**34)
# The staircase of a lift: full, half, quarter, nothing, in quarters of the lift.
_STAIRS: Final = (4, -2, -1, -1)


def pairs(
    shard: Shard,
    effects: list[float],
    *,
    memory: bool,
    seats: tuple[Integers, Integers] | None = None,
) -> tuple[Integers, Integers]:
    """Match meetings with the needs they can bear on: (need, exposure) positions.

    With `seats` the shard's needs stand once per decider: `seats` are the positions of the need itself, and
    who of the group that is, -1 for one who hears of every meeting.
    """
    needs, exposures = shard.needs, shard.exposures
    relevant = np.flatnonzero(np.array([*effects, 0.0])[exposures.campaign] > 0)
    begins = np.searchsorted(needs.owner, exposures.owner[relevant], side="left")
    counts = np.searchsorted(needs.owner, exposures.owner[relevant], side="right") - begins
    row, index = ragged(counts)
    exposure, need = relevant[row], begins[row] + index
    at = exposures.at[exposure]
    fade = np.zeros(len(effects) + 1)
    if memory:
        halves = [campaign.half_life_days for campaign in shard.world.scenario.campaigns.values()]
        fade[:-1] = np.array(halves) * MEMORY_HALVES * DAY
    near = (at + fade[exposures.campaign[exposure]] > needs.onset[need]) & (at < needs.deadline[need])
    # A search made for one need says nothing to another of the same company.
    itself = need if seats is None else seats[0][need]
    own = near & ((exposures.need[exposure] < 0) | (exposures.need[exposure] == itself))
    if seats is not None:
        who = seats[1][need]
        own &= (who < 0) | (who == exposures.person[exposure]) | (who == exposures.told[exposure])
    return need[own], exposure[own]


class Stage:
    """The breakpoints of one stage's hazard for all needs of a shard, sorted once for every spend vector."""

    def __init__(
        self,
        shard: Shard,
        stage: str,
        mean_days: Floats,
        share: Floats,
        *,
        seats: tuple[Integers, Integers] | None = None,
    ) -> None:
        scenario, needs, exposures = shard.world.scenario, shard.needs, shard.exposures
        self._name = stage
        campaigns = list(scenario.campaigns.values())
        lifts = np.array([*(round(c.lift.get(stage, 0.0) * 1000) for c in campaigns), 0], dtype=np.int64)
        self._impulses = np.array([*(c.impulse.get(stage, 0.0) for c in campaigns), 0.0])
        self._organic = np.int64(round(getattr(scenario.organic, stage) * _UNIT))
        self._ceiling = scenario.organic.saturation * _UNIT
        self._ends = shard.world.ends
        self._mean = np.rint(mean_days * DAY * _UNIT).astype(np.int64)
        self._threshold = np.maximum(1, np.rint(exponential(share) * mean_days * DAY * _UNIT)).astype(
            np.int64
        )
        effects = [float(c.lift.get(stage, 0.0) + c.impulse.get(stage, 0.0)) for c in campaigns]
        need, exposure = pairs(shard, effects, memory=True, seats=seats)
        campaign, at = exposures.campaign[exposure], exposures.at[exposure]
        half = np.rint(np.array([*(c.half_life_days for c in campaigns), 1.0])[campaign] * DAY).astype(
            np.int64
        )
        everyone = np.arange(len(needs), dtype=np.int64)
        lifted = np.flatnonzero(lifts[campaign] > 0)
        rows = [(need, at, lifts[campaign] * _STAIRS[0], exposure, campaign)]
        for step, quarters in enumerate(_STAIRS[1:], start=1):
            late = at[lifted] + step * half[lifted]
            none = np.full(len(lifted), len(campaigns))
            rows.append((need[lifted], late, lifts[campaign[lifted]] * quarters, exposure[lifted], none))
        flat = np.zeros(len(needs), dtype=np.int64)
        nobody, fence = flat - 1, np.full(len(needs), shard.world.ends + _FADE)
        outside = flat + len(campaigns)
        rows += [(everyone, flat, flat, nobody, outside), (everyone, fence, flat, nobody, outside)]
        need, time, step_height, exposure, campaign = (
            np.concatenate(column) for column in zip(*rows, strict=True)
        )
        # The fences come first and last of their need whatever else falls on the same second.
        rank = np.where(exposure >= 0, 1, np.where(time == 0, 0, 2))
        # One sort of one whole number is twice as quick as a sort by three columns.
        order = np.argsort((need * _BIG + time) * 4 + rank, kind="stable")
        self._need, self._time = need[order], time[order]
        self._height, self._exposure, self._campaign = step_height[order], exposure[order], campaign[order]
        self._key = self._need * _BIG + self._time
        self._gap = np.diff(self._time, append=0)
        self._gap[self._gap < 0] = 0
        self._last = np.searchsorted(self._need, everyone, side="right") - 1

    def crossing(self, active: Flags, start: Integers) -> Integers:
        """Return per need the second at which the hazard gathered since `start` is enough."""
        on = np.concatenate((active, [False]))[self._exposure]
        level = np.cumsum(np.where(on, self._height, 0))
        if self._ceiling:
            level = np.rint(self._ceiling * -np.expm1(-level / self._ceiling)).astype(np.int64)
        level += self._organic
        grown = level * self._gap
        push = np.rint(self._impulses[self._campaign] * self._mean[self._need]).astype(np.int64)
        gained = np.where(on, push, 0)
        gained[1:] += grown[:-1]
        if float(np.abs(gained.astype(np.float64)).sum()) >= 9e18:
            raise ScenarioError(
                f"the hazards of the stage {self._name!r} are too large to add up: lower organic.{self._name}"
                f" and the campaigns' impulse and lift there"
            )
        total = np.cumsum(gained)
        live = np.flatnonzero(start < self._ends)
        crossed = np.full(len(start), NEVER)
        begin = start[live]
        row = np.searchsorted(self._key, live * _BIG + begin, side="right") - 1
        target = total[row] + level[row] * (begin - self._time[row]) + self._threshold[live]
        after = np.searchsorted(total, target, side="left")
        inside = np.flatnonzero(after <= self._last[live])
        live, target, after = live[inside], target[inside], after[inside]
        before = after - 1
        missing = target - total[before]
        slope = level[before]
        gradual = missing <= grown[before]
        wait = -(-missing // np.maximum(slope, 1))
        moment = np.where(gradual, self._time[before] + wait, self._time[after])
        crossed[live] = np.where(moment < self._ends, moment, NEVER)
        return crossed
