"""A buying group that must agree: each decider is convinced at a moment of his own, the last one decides.

Who met a campaign is lifted or pushed by it, and who was told of it by a colleague; the others wait on. So
the more people must agree, the longer it takes, and the more often the need ends before.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulator.chance import Flags, Floats, Integers, ragged, uniform
from simulator.hazard import Stage
from simulator.market import Shard

_PEOPLE = 64


class Agreement:
    """The last wait of the cycle where several must agree.

    Parameters
    ----------
    shard : Shard
        Companies, needs and meetings.
    mean_days : ndarray of float64
        Per need how long one person takes at hazard weight 1, on average.
    deciders : ndarray of int64
        Per need how many must agree, 1 or more: the first so many of the company's people. One alone decides
        on all that the company met.

    Notes
    -----
    With k deciders who have met nothing the mean wait is 1 + 1/2 + ... + 1/k times that of one.
    """

    def __init__(self, shard: Shard, mean_days: Floats, deciders: Integers) -> None:
        needs = shard.needs
        self._need, person = ragged(deciders)
        seats = replace(
            needs, **{name: getattr(needs, name)[self._need] for name in needs.__dataclass_fields__}
        )
        share = uniform(shard.world.seed, seats.account, "cycle.win", seats.index * _PEOPLE + person)
        # Who decides alone hears of every meeting.
        hears = np.where(deciders[self._need] > 1, person, -1)
        self._stage = Stage(
            replace(shard, needs=seats), "win", mean_days[self._need], share, seats=(self._need, hears)
        )
        self._first = np.cumsum(deciders) - deciders

    def crossing(self, active: Flags, start: Integers) -> Integers:
        """Return per need the second at which all have agreed, as `Stage.crossing` does for one."""
        agreed = self._stage.crossing(active, start[self._need])
        return np.maximum.reduceat(agreed, self._first) if len(self._first) else agreed
